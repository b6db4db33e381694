/*
 * json.h - what in-tree plugins need around json-c: lookups with a type, members with one return code
 *
 * The names are those of the core's own helpers, so that both read alike. Static inline: a program that holds core and
 * plugins together (--enable-static-plugins, unit tests) has no two functions of one name.
 */
#ifndef PLUGINS_COMMON_JSON_H
#define PLUGINS_COMMON_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include <memories/plugin.h>

/* Members of an object; all answer for a missing member or a NULL object too. Borrowed. */
static inline json_object *json_get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!object || !json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value))
        return NULL;
    return value;
}

static inline json_object *json_get_of_type(json_object *object, const char *key, enum json_type type)
{
    json_object *value = json_get(object, key);
    return value && json_object_is_type(value, type) ? value : NULL;
}

static inline json_object *json_get_object(json_object *object, const char *key)
{
    return json_get_of_type(object, key, json_type_object);
}

static inline json_object *json_get_array(json_object *object, const char *key)
{
    return json_get_of_type(object, key, json_type_array);
}

static inline const char *json_get_string(json_object *object, const char *key)
{
    json_object *value = json_get_of_type(object, key, json_type_string);
    return value ? json_object_get_string(value) : NULL;
}

static inline int64_t json_get_int(json_object *object, const char *key, int64_t otherwise)
{
    json_object *value = json_get(object, key);
    if (!value || !(json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)))
        return otherwise;
    return json_object_get_int64(value);
}

static inline bool json_get_bool(json_object *object, const char *key, bool otherwise)
{
    json_object *value = json_get_of_type(object, key, json_type_boolean);
    return value ? json_object_get_boolean(value) : otherwise;
}

/* 0 for NULL and for what is no array. */
static inline size_t json_count(json_object *array)
{
    return array && json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* Borrowed; NULL behind the end. */
static inline json_object *json_at(json_object *array, size_t index)
{
    return index < json_count(array) ? json_object_array_get_idx(array, index) : NULL;
}

/* A new reference, or NULL for NULL. */
static inline json_object *json_ref(json_object *json)
{
    return json ? json_object_get(json) : NULL;
}

/*
 * Put a member or an element; the value is taken over, also on failure. 0 or MEMORIES_NO_MEMORY, so that a document is
 * built with `failed |= json_set(…)` for each member and one look at `failed`. A NULL container fails as well: it is
 * what a failed allocation leaves.
 */
static inline int json_set(json_object *object, const char *key, json_object *value)
{
    if (object && json_object_object_add(object, key, value) == 0)
        return 0;
    json_object_put(value);
    return MEMORIES_NO_MEMORY;
}

static inline int json_set_new(json_object *object, const char *key, json_object *value)
{
    return value ? json_set(object, key, value) : MEMORIES_NO_MEMORY;
}

/* NULL: JSON null. */
static inline int json_set_string(json_object *object, const char *key, const char *value)
{
    return value ? json_set_new(object, key, json_object_new_string(value)) : json_set(object, key, NULL);
}

static inline int json_set_int(json_object *object, const char *key, int64_t value)
{
    return json_set_new(object, key, json_object_new_int64(value));
}

static inline int json_set_bool(json_object *object, const char *key, bool value)
{
    return json_set_new(object, key, json_object_new_boolean(value));
}

/* A new empty object or array as a member, borrowed; NULL on failure, which the setters then report. */
static inline json_object *json_set_new_object(json_object *object, const char *key)
{
    json_object *value = json_object_new_object();
    return json_set_new(object, key, value) ? NULL : value;
}

static inline json_object *json_set_new_array(json_object *object, const char *key)
{
    json_object *value = json_object_new_array();
    return json_set_new(object, key, value) ? NULL : value;
}

static inline int json_add(json_object *array, json_object *value)
{
    if (array && json_object_array_add(array, value) == 0)
        return 0;
    json_object_put(value);
    return MEMORIES_NO_MEMORY;
}

static inline int json_add_string(json_object *array, const char *value)
{
    json_object *string = value ? json_object_new_string(value) : NULL;
    return string ? json_add(array, string) : MEMORIES_NO_MEMORY;
}

/* As json_set_new_object, for a new last element. */
static inline json_object *json_add_new_object(json_object *array)
{
    json_object *value = json_object_new_object();
    return !value || json_add(array, value) ? NULL : value;
}

#endif
