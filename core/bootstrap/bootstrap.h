/* bootstrap.h - specifiers of a node's bootstrap (docs/documents.md) */
#ifndef CORE_BOOTSTRAP_BOOTSTRAP_H
#define CORE_BOOTSTRAP_BOOTSTRAP_H

#include <json-c/json.h>

#include <memories/memories.h>

/* A copy of `spec` in which %n, %a and %{NAME} of every bootstrap stand resolved from choices.nodes; directories and %%
 * stay for the provider. An unknown node or specifier is an error that names the node and the string. */
json_object *bootstrap_resolve(json_object *spec, json_object *choices, memories_error **error);

#endif
