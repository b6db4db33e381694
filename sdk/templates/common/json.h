/*
 * json.h - what this plugin needs around json-c: lookups with a type, and documents built with one look at the end
 *
 * The functions that build take a NULL parent, which is what a failed allocation leaves, and then fail themselves: so a
 * document is built with `failed |= json_put_…` for each member, and one look at `failed`.
 */
#ifndef JSON_H
#define JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* Members; borrowed. NULL when the member is missing or of another type, or there is no object at all. */
static inline json_object *json_member(json_object *object, const char *key, enum json_type type)
{
    json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value))
        return NULL;
    return json_object_is_type(value, type) ? value : NULL;
}

static inline json_object *json_member_object(json_object *object, const char *key)
{
    return json_member(object, key, json_type_object);
}

static inline json_object *json_member_array(json_object *object, const char *key)
{
    return json_member(object, key, json_type_array);
}

static inline const char *json_member_string(json_object *object, const char *key)
{
    json_object *value = json_member(object, key, json_type_string);
    return value ? json_object_get_string(value) : NULL;
}

static inline int64_t json_member_int(json_object *object, const char *key, int64_t otherwise)
{
    json_object *value = json_member(object, key, json_type_int);
    return value ? json_object_get_int64(value) : otherwise;
}

/* 0 for NULL. */
static inline size_t json_length(json_object *array)
{
    return array ? json_object_array_length(array) : 0;
}

/* Put a member. `value` is taken over, also on failure; NULL counts as a failed allocation. 0, or -1. */
static inline int json_put(json_object *object, const char *key, json_object *value)
{
    if (object && value && json_object_object_add(object, key, value) == 0)
        return 0;
    json_object_put(value);
    return -1;
}

/* NULL: JSON null. */
static inline int json_put_string(json_object *object, const char *key, const char *value)
{
    if (!value)
        return object && json_object_object_add(object, key, NULL) == 0 ? 0 : -1;
    return json_put(object, key, json_object_new_string(value));
}

static inline int json_put_int(json_object *object, const char *key, int64_t value)
{
    return json_put(object, key, json_object_new_int64(value));
}

/* A copy of a member that may be missing: then nothing is put. */
static inline int json_put_copy(json_object *object, const char *key, json_object *value)
{
    return value ? json_put(object, key, json_object_get(value)) : 0;
}

/* A new empty object or array as a member, or as a new last element; borrowed. NULL on failure. */
static inline json_object *json_put_object(json_object *object, const char *key)
{
    json_object *value = json_object_new_object();
    return json_put(object, key, value) ? NULL : value;
}

static inline json_object *json_put_array(json_object *object, const char *key)
{
    json_object *value = json_object_new_array();
    return json_put(object, key, value) ? NULL : value;
}

static inline int json_append(json_object *array, json_object *value)
{
    if (array && value && json_object_array_add(array, value) == 0)
        return 0;
    json_object_put(value);
    return -1;
}

static inline json_object *json_append_object(json_object *array)
{
    json_object *value = json_object_new_object();
    return json_append(array, value) ? NULL : value;
}

#endif
