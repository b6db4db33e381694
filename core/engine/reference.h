/*
 * reference.h - {"$output": [key, name]}: where the inputs of a resource take an output of another one
 */
#ifndef CORE_ENGINE_REFERENCE_H
#define CORE_ENGINE_REFERENCE_H

#include <json-c/json.h>

#include <memories/memories.h>

/* Calls `found` with the key of each reference inside `value`, until it returns non-zero; returns that. */
typedef int reference_fn(const char *key, void *user_data);
int reference_each(json_object *value, reference_fn *found, void *user_data);

/* The outputs of resource `key`; borrowed; NULL when it has none (yet). */
typedef json_object *reference_outputs_fn(const char *key, void *user_data);
/* `value` with the outputs put in, as a new reference in *resolved (NULL: JSON null). MEMORIES_INTERNAL naming key and
 * output when one is missing. */
int reference_resolve(json_object *value, reference_outputs_fn *outputs_of, void *user_data, json_object **resolved,
                      memories_error **error);

#endif
