/*
 * definition.h - node.json, the definition of a node: what its supervisor runs, and the provider's own record of it
 *
 * The supervisor's part is described in docs/node.md. The provider adds "inputs" (without the bootstrap, with the network's
 * addresses) and, in the bootstrap, the files that it writes before each start; a file with a secret is a reference there.
 */
#ifndef LOCAL_DEFINITION_H
#define LOCAL_DEFINITION_H

#include <json-c/json.h>

#include "plugins/providers/local/fabric.h"
#include "plugins/providers/local/local.h"

/* Out of a create or update operation. `hosts`: names and addresses of the network, or NULL. */
json_object *definition_make(const struct local *local, const struct memories_operation *operation,
                             struct problem *problem);
/* The network's names, as they are now. */
int32_t definition_set_hosts(const struct local *local, json_object *definition, struct problem *problem);

json_object *definition_read(const struct local *local, const char *node, struct problem *problem);

/*
 * The first step of a removal: renames node.json to removed.json. A node that has lost some of its data must not look
 * like one that is only switched off, and a supervisor whose start is under way (its starter was killed) ends when it
 * finds no definition; but what the network still has of the node is found by it, by the next try too.
 */
int32_t definition_retire(const struct local *local, const char *node, struct problem *problem);
json_object *definition_read_retired(const struct local *local, const char *node, struct problem *problem);

/* The node's directories, its bootstrap's files and node.json. *changed: a file differs from what was there. */
int32_t definition_write(const struct local *local, struct memories_call *call, json_object *definition, bool *changed,
                         struct problem *problem);

/* True when both run the same: a running node need not be started again for the rest. */
bool definition_runs_alike(json_object *a, json_object *b);

/* False: the node has no network namespace. The plug points into the definition. */
bool definition_plug(json_object *definition, struct fabric_plug *plug);

/* The longest that one of its services may take to stop. */
uint32_t definition_stop_timeout_ms(json_object *definition);

/* True when `path` is a place that a bootstrap's file may have: %c/…, %d/…, %l/…, without "..". Pure. */
bool definition_file_allowed(const char *path);

#endif
