/*
 * machine.h - the file system of a node that is a machine
 *
 * The node's one service is a systemd-nspawn that boots it. What it finds at NODE_MACHINE_ROOT is the root file system
 * that node.json names, with a layer over it for what the machine writes, and three of the node's directories: data and
 * log at their places on any cloud's machine, config as the files by which cloud-init is told what to do.
 */
#ifndef LOCAL_NODE_MACHINE_H
#define LOCAL_NODE_MACHINE_H

#include "plugins/providers/local/node/definition.h"

/* In process 1 of the node, which is furnished otherwise. `directory` is the node's, `path` its path. */
int32_t machine_furnish(const struct node_definition *definition, int directory, const char *path,
                        struct node_error *error);

#endif
