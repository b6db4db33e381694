/*
 * schema.h - JSON Schema (the keywords of draft 2020-12 listed in docs/schema.md), with messages for people
 *
 * A schema is compiled first, so that an unknown keyword, a broken pattern or a reference to nowhere is an error of the
 * schema and never a check that silently does nothing.
 */
#ifndef CORE_CONFIG_SCHEMA_H
#define CORE_CONFIG_SCHEMA_H

#include <json-c/json.h>

#include <memories/memories.h>

struct schema;

/* `name` says in errors whose schema it is. The document is kept by reference and must not change. */
struct schema *schema_compile(json_object *document, const char *name, memories_error **error);
void schema_free(struct schema *schema);

/* One problem: path ("config.node_specs[1].id"), message ("expected a string, found 5"), suggestion or NULL. */
typedef void schema_problem_fn(const char *path, json_object *value, const char *message, const char *hint,
                               void *user_data);

/* schema_check had no memory to check everything: nothing was reported, and nothing is known. */
#define SCHEMA_UNCHECKED 0xFFFFFFFFu

/* Reports every problem; returns their number (at most 100 are reported), or SCHEMA_UNCHECKED. root: the path of
 * `value` itself ("config"). */
unsigned schema_check(const struct schema *schema, json_object *value, const char *root, schema_problem_fn *on_problem,
                      void *user_data);

/* As above with the first problem as *error (MEMORIES_INVALID), or MEMORIES_NO_MEMORY; for documents that plugins
 * return. */
int schema_require(const struct schema *schema, json_object *value, const char *root, memories_error **error);

#endif
