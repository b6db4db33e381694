/* nodes.h - what the network needs to know of the deployment's nodes on disk, and the nodes of the network */
#ifndef LOCAL_NODES_H
#define LOCAL_NODES_H

#include "plugins/providers/local/fabric.h"

/* All nodes on disk that have a network namespace; the plugs point into the definitions. */
struct plugged_nodes {
    struct fabric_plug *plugs;
    json_object **definitions;
    size_t count;
};
int32_t plugged_nodes_read(const struct local *local, struct plugged_nodes *nodes, struct problem *problem);
void plugged_nodes_clear(struct plugged_nodes *nodes);

/* The whole network with all that is left of its nodes, and the deployment's directory. */
int32_t network_remove(const struct local *local, struct problem *problem);

#endif
