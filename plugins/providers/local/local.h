/*
 * local.h - the local provider: nodes on this machine
 *
 * All state is on disk, below STATE_DIR/local, and looked at afresh in every call; an instance only remembers where that
 * is. So any number of calls may run at once, in one process or in several:
 *
 *     claims/127.84.12.0_24 -> DEPLOYMENT   who holds which addresses (block.h)
 *     DEPLOYMENT/network.json               the network's inputs; "ready" once it is whole
 *     DEPLOYMENT/firewall.nft               what each node's namespace loads
 *     DEPLOYMENT/nodes/NODE/                a node (node/node_client.h)
 *
 * Two types of resources: local.network (key "network") and local.node (key "node/NAME").
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <json-c/json.h>
#include <stdbool.h>

#include <memories/plugin.h>

#include "plugins/providers/local/block.h"
#include "plugins/providers/local/problem.h"

#define LOCAL_NETWORK_KEY "network"
#define LOCAL_NETWORK_TYPE "local.network"
#define LOCAL_NODE_PREFIX "node/"
#define LOCAL_NODE_TYPE "local.node"

/* In each block of addresses: .1 and .2 are the two ends of the way between this machine and the deployment's network,
 * the nodes begin at .11, as people expect them. */
#define LOCAL_BLOCK_PREFIX 24
#define LOCAL_FIRST_HOST 11
#define LOCAL_LAST_HOST 254

struct local {
    char *state;       /* STATE_DIR/local, STATE_DIR without symbolic links: names on the machine are made of it */
    char *deployment;  /* id, or NULL: opened for all */
    json_object *config;
};

/* Slots, each in the file of its name. */
int32_t local_prepare(void *instance, struct memories_call *call, const char *request);
int32_t local_lower(void *instance, struct memories_call *call, const char *request);
int32_t local_discover(void *instance, struct memories_call *call, const char *request);
int32_t local_metrics(void *instance, struct memories_call *call, const char *request);
int32_t local_logs(void *instance, struct memories_call *call, const char *request);
int32_t local_doctor(void *instance, struct memories_call *call, const char *request);

/* Whether nodes of this isolation have namespaces, and a network of their own. */
bool local_has_namespaces(const char *isolation);
bool local_is_machine(const char *isolation);

/* Batches of one type. */
struct batch {
    struct local *local;
    struct memories_call *call;
    const struct memories_operation *const *operations;
    size_t count;
};
int32_t network_create(const struct batch *batch);
int32_t network_read(const struct batch *batch);
int32_t network_update(const struct batch *batch);
int32_t network_destroy(const struct batch *batch);
int32_t nodes_create(const struct batch *batch);
int32_t nodes_read(const struct batch *batch);
int32_t nodes_update(const struct batch *batch);
int32_t nodes_destroy(const struct batch *batch);
int32_t nodes_power(const struct batch *batch);

/* Paths; the caller's (free), NULL: no memory. */
char *local_claims_directory(const struct local *local);
char *local_deployment_directory(const struct local *local);
char *local_nodes_directory(const struct local *local);
char *local_node_directory(const struct local *local, const char *node);

/* Longest name of a node: that of a host. */
#define LOCAL_NODE_NAME_MAX 63
bool local_node_name_allowed(const char *name);
/* "node/node1" -> "node1"; NULL for anything else. */
const char *local_node_of_key(const char *key);

/* The two records on disk, and what they tell about the resource. `network`/`node`: the document read, borrowed. */
uint32_t network_state(const struct local *local, json_object **network);
json_object *network_outputs(json_object *network);
uint32_t node_state(const struct local *local, const char *node, json_object **definition);
json_object *node_outputs(json_object *definition);

/* Removes nodes with all that they have: processes, namespaces, files. problems[i].code tells how each went. */
void nodes_remove(const struct local *local, const char *const *names, size_t count, struct problem *problems);

#endif
