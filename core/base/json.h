/* json.h - what the core needs around json-c: lookups with a type, bounded parsing, equality that ignores key order */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include <memories/memories.h>

/* Nesting deeper than this is refused everywhere. */
#define JSON_DEPTH_MAX 64

/* Parses one whole document. `name` says in the error what it is ("the spec of topology consensus"). */
json_object *json_parse(const char *text, const char *name, memories_error **error);

/* Members of an object; all answer for a missing member or a NULL object too. Borrowed. */
json_object *json_get(json_object *object, const char *key);
json_object *json_get_object(json_object *object, const char *key); /* NULL unless an object */
json_object *json_get_array(json_object *object, const char *key);  /* NULL unless an array */
const char *json_get_string(json_object *object, const char *key);  /* NULL unless a string */
int64_t json_get_int(json_object *object, const char *key, int64_t otherwise);
bool json_get_bool(json_object *object, const char *key, bool otherwise);
size_t json_count(json_object *array); /* 0 for NULL */

/* A new reference, or NULL for NULL. */
json_object *json_ref(json_object *json);
json_object *json_copy(json_object *json); /* deep */

/* A number that prints as short as it can be read back: 0.1, not 0.10000000000000001. */
json_object *json_new_double(double number);

/* Put a member; the value is taken over, also on failure. 0 or MEMORIES_NO_MEMORY. */
int json_set(json_object *object, const char *key, json_object *value);
int json_set_string(json_object *object, const char *key, const char *value); /* NULL: JSON null */
int json_set_int(json_object *object, const char *key, int64_t value);
int json_set_bool(json_object *object, const char *key, bool value);
int json_add(json_object *array, json_object *value);
int json_add_string(json_object *array, const char *value);

/* Equal as JSON: key order does not matter, 1 and 1.0 are the same number. */
bool json_equal(json_object *a, json_object *b);

/* Text without spaces; with spaces and indentation. New strings. */
char *json_text(json_object *json);
char *json_pretty(json_object *json);

/* SHA-256 of the document with keys sorted, as 64 hex digits. */
int json_digest(json_object *json, char digest[65]);

#endif
