/* record.c - the public faces of a deployment's record */
#include "core/api/record.h"

#include "core/api/result.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

static int put_summary(json_object *target, const char *id_name, json_object *record, const char *status)
{
    char created_at[CLOCK_TEXT_BYTES];
    clock_format(json_get_int(record, "created_at_ms", 0), 0, created_at);
    const char *name = json_get_string(record, "name");
    if (json_set_string(target, id_name, json_get_string(record, "id")) ||
        (name && json_set_string(target, "name", name)) ||
        json_set_string(target, "type", json_get_string(record, "topology")) ||
        json_set_string(target, "provider", json_get_string(record, "provider")) ||
        json_set_string(target, "status", status) || json_set_string(target, "created_at", created_at))
        return MEMORIES_NO_MEMORY;
    return 0;
}

/* {"worker_count": 8}: how many nodes of each kind are wanted. */
static int put_counts(json_object *target, json_object *record)
{
    json_object *scaling = json_get_object(json_get_object(record, "spec"), "scaling");
    json_object *groups = json_get_object(scaling, "groups");
    if (!groups)
        return 0;
    json_object_object_foreach(groups, name, group) {
        AUTO_FREE char *key = text_format("%s_count", name);
        if (!key || json_set_int(target, key, json_get_int(group, "count", 0)))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

/* The topology's fields stand beside the core's; the core's names win. */
static int put_result(json_object *target, json_object *record)
{
    if (put_counts(target, record))
        return MEMORIES_NO_MEMORY;
    json_object *result = json_get_object(record, "result");
    if (result) {
        json_object_object_foreach(result, key, value) {
            if (!json_object_object_get_ex(target, key, NULL) && json_set(target, key, json_ref(value)))
                return MEMORIES_NO_MEMORY;
        }
    }
    json_object *notes = json_get_array(record, "notes");
    return json_set(target, "notes", notes ? json_ref(notes) : json_object_new_array());
}

memories_deployment *record_outcome(json_object *record, memories_error **error)
{
    AUTO_JSON json_object *json = json_object_new_object();
    if (put_summary(json, "deployment_id", record, json_get_string(record, "status")) || put_result(json, record)) {
        error_no_memory(error);
        return NULL;
    }
    return deployment_new(STEAL(json), error);
}

json_object *record_summary(json_object *record, const char *status)
{
    AUTO_JSON json_object *json = json_object_new_object();
    return put_summary(json, "id", record, status) ? NULL : STEAL(json);
}

static json_object *public_resource(json_object *resource)
{
    static const char *const members[] = { "key", "type", "node", "state", "outputs" };
    AUTO_JSON json_object *json = json_object_new_object();
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        json_object *value = json_get(resource, members[i]);
        if (value && json_set(json, members[i], json_ref(value)))
            return NULL;
    }
    return STEAL(json);
}

memories_deployment *record_details(json_object *record, const char *status, json_object *resources,
                                    memories_error **error)
{
    AUTO_JSON json_object *json = json_object_new_object();
    AUTO_JSON json_object *list = json_object_new_array();
    int failed = !list || put_summary(json, "id", record, status);
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        json_object *resource = public_resource(json_object_array_get_idx(resources, i));
        failed = !resource || json_add(list, resource);
    }
    if (failed || json_set(json, "resources", STEAL(list)) || put_result(json, record)) {
        error_no_memory(error);
        return NULL;
    }
    return deployment_new(STEAL(json), error);
}
