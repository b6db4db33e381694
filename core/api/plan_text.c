/* plan_text.c - a plan as a document for the caller */
#include <string.h>

#include "core/api/session.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/engine/plan.h"

static bool is_stopped(const struct session *session)
{
    const char *goal = json_get_string(session->record, "goal");
    return goal && !strcmp(goal, "stopped");
}

static json_object *operations_of(const struct session *session, json_object *desired, json_object *recorded,
                                  memories_error **error)
{
    const struct plan_request request = { .desired = desired,
                                          .recorded = recorded,
                                          .resource_types = json_get(session->provider->description, "resource_types"),
                                          .stopped = is_stopped(session),
                                          .can_update = session->provider->ops.provider.update != NULL };
    struct plan *plan = plan_make(&request, error);
    json_object *operations = plan ? plan_json(plan) : NULL;
    if (plan && !operations)
        error_no_memory(error);
    plan_free(plan);
    return operations;
}

static json_object *input_index(json_object *resources)
{
    AUTO_JSON json_object *index = json_object_new_object();
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        if (json_set(index, json_get_string(resource, "key"), json_ref(json_get(resource, "inputs"))))
            return NULL;
    }
    return STEAL(index);
}

/* The operations with their inputs. */
static json_object *estimate_request(const struct session *session, const struct blueprint *blueprint,
                                     json_object *operations)
{
    AUTO_JSON json_object *request = json_object_new_object();
    AUTO_JSON json_object *inputs = input_index(blueprint->resources);
    json_object *list = json_object_new_array();
    int failed = json_set(request, "operations", list) || !inputs || json_set_int(request, "version", 1) ||
                 json_set_string(request, "deployment", session->id) ||
                 json_set(request, "choices", json_ref(blueprint->choices));
    for (size_t i = 0; !failed && i < json_count(operations); i++) {
        json_object *operation = json_copy(json_object_array_get_idx(operations, i));
        failed = json_add(list, operation) ||
                 json_set(operation, "inputs", json_ref(json_get(inputs, json_get_string(operation, "key"))));
    }
    return failed ? NULL : STEAL(request);
}

/* {"total", "calls", "more"}; *calls stays NULL where the provider can't tell. */
static int estimate(struct session *session, const struct blueprint *blueprint, json_object *operations,
                    json_object **calls, memories_error **error)
{
    const struct plugin *provider = session->provider;
    if (!provider->ops.provider.estimate)
        return 0;
    AUTO_JSON json_object *request = estimate_request(session, blueprint, operations);
    if (!request)
        return error_no_memory(error);
    int failed = call_instance_document(provider, &session->environment, "estimate", provider->ops.provider.estimate,
                                        session->instance, request, calls, error);
    json_object *lines = failed ? NULL : json_get_array(*calls, "calls");
    int64_t total = 0;
    for (size_t i = 0; i < json_count(lines); i++)
        total += json_get_int(json_object_array_get_idx(lines, i), "count", 0);
    if (!failed && lines && json_set_int(*calls, "total", total))
        return error_no_memory(error);
    return failed;
}

char *session_plan_text(struct session *session, const struct blueprint *blueprint, json_object *recorded,
                        memories_error **error)
{
    AUTO_JSON json_object *operations = operations_of(session, blueprint->resources, recorded, error);
    AUTO_JSON json_object *answer = json_object_new_object();
    AUTO_JSON json_object *calls = NULL;
    if (!operations || (!recorded && estimate(session, blueprint, operations, &calls, error)))
        return NULL;
    char *text = NULL;
    if (!json_set_string(answer, "deployment_id", session->id) &&
        !json_set_string(answer, "topology", session->topology->name) &&
        !json_set_string(answer, "provider", session->provider->name) &&
        !json_set(answer, "operations", json_ref(operations)) &&
        (!calls || !json_set(answer, "calls", json_ref(calls))) &&
        !json_set(answer, "notes", json_ref(blueprint->notes)) &&
        !json_set(answer, "spec", json_ref(blueprint->spec)) &&
        !json_set(answer, "resources", json_ref(blueprint->resources)))
        text = json_text(answer);
    if (!text)
        error_no_memory(error);
    return text;
}
