/* reference.c - references to outputs: finding them, putting the outputs in */
#include "core/engine/reference.h"

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"

struct reference {
    const char *key;
    const char *name;
};

static bool is_reference(json_object *value, struct reference *reference)
{
    json_object *pair = json_get_array(value, "$output");
    if (json_count(pair) != 2 || json_object_object_length(value) != 1)
        return false;
    json_object *key = json_object_array_get_idx(pair, 0), *name = json_object_array_get_idx(pair, 1);
    if (!json_object_is_type(key, json_type_string) || !json_object_is_type(name, json_type_string))
        return false;
    *reference = (struct reference){ json_object_get_string(key), json_object_get_string(name) };
    return true;
}

int reference_each(json_object *value, reference_fn *found, void *user_data)
{
    struct reference reference;
    int failed = 0;
    if (is_reference(value, &reference))
        return found(reference.key, user_data);
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner) {
            (void)name;
            if (!failed)
                failed = reference_each(inner, found, user_data);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; !failed && i < json_object_array_length(value); i++)
            failed = reference_each(json_object_array_get_idx(value, i), found, user_data);
    }
    return failed;
}

struct resolution {
    reference_outputs_fn *outputs_of;
    void *user_data;
    memories_error **error;
};

static int resolve(const struct resolution *resolution, json_object *value, json_object **resolved);

/* An output may well be null (an address that a node does not have); only one that is not there is an error. */
static int resolve_reference(const struct resolution *resolution, const struct reference *reference,
                             json_object **resolved)
{
    json_object *outputs = resolution->outputs_of(reference->key, resolution->user_data), *output = NULL;
    if (!json_object_is_type(outputs, json_type_object) ||
        !json_object_object_get_ex(outputs, reference->name, &output))
        return error_set(resolution->error, MEMORIES_INTERNAL, "the output %s of %s is needed, and it has none of that name",
                         reference->name, reference->key);
    *resolved = json_ref(output);
    return 0;
}

static int resolve_object(const struct resolution *resolution, json_object *object, json_object **resolved)
{
    AUTO_JSON json_object *copy = json_object_new_object();
    json_object_object_foreach(object, name, value) {
        json_object *inner = NULL;
        int failed = resolve(resolution, value, &inner);
        if (!failed && json_set(copy, name, inner))
            failed = error_no_memory(resolution->error);
        if (failed)
            return failed;
    }
    *resolved = STEAL(copy);
    return *resolved ? 0 : error_no_memory(resolution->error);
}

static int resolve_array(const struct resolution *resolution, json_object *array, json_object **resolved)
{
    AUTO_JSON json_object *copy = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        json_object *inner = NULL;
        int failed = resolve(resolution, json_object_array_get_idx(array, i), &inner);
        if (!failed && json_add(copy, inner))
            failed = error_no_memory(resolution->error);
        if (failed)
            return failed;
    }
    *resolved = STEAL(copy);
    return *resolved ? 0 : error_no_memory(resolution->error);
}

static int resolve(const struct resolution *resolution, json_object *value, json_object **resolved)
{
    struct reference reference;
    if (is_reference(value, &reference))
        return resolve_reference(resolution, &reference, resolved);
    if (json_object_is_type(value, json_type_object))
        return resolve_object(resolution, value, resolved);
    if (json_object_is_type(value, json_type_array))
        return resolve_array(resolution, value, resolved);
    *resolved = json_ref(value);
    return 0;
}

int reference_resolve(json_object *value, reference_outputs_fn *outputs_of, void *user_data, json_object **resolved,
                      memories_error **error)
{
    const struct resolution resolution = { outputs_of, user_data, error };
    *resolved = NULL;
    return resolve(&resolution, value, resolved);
}
