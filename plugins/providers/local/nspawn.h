/*
 * nspawn.h - isolation: machine: nodes that boot a systemd and a cloud-init of their own, in systemd-nspawn(1)
 *
 * Such a node is one with namespaces whose supervisor runs a single service, the machine. All have one root file
 * system, which memories-machine-root makes; what a node writes is laid over it (node/machine.h). What it is to run it
 * is told as on a cloud, by user data for cloud-init, in files of the node's config directory.
 */
#ifndef LOCAL_NSPAWN_H
#define LOCAL_NSPAWN_H

#include <json-c/json.h>

#include "plugins/providers/local/local.h"

/* The root file system for new machines, without symbolic links; the caller's (free). NULL: there is none, or it is of
 * no use to this version. */
char *nspawn_root(struct problem *problem);
/* How to make one, with `options` of its maker. */
void nspawn_hint(struct problem *problem, const char *options);
/* Can this machine do it? `root` apart. */
int32_t nspawn_check(struct problem *problem);
/* Whether a machine of this root can install the package, or has it. */
bool nspawn_has_package(const char *root, const char *package);

/* Puts into node.json that its node is a machine: which root, what it is told, and what its supervisor runs. `inputs`:
 * the operation's; `space`: of the deployment. 0, or MEMORIES_NO_MEMORY. */
int nspawn_define(json_object *definition, json_object *inputs, const char *space);
/* Writes what cloud-init asks for. *changed: it differs from what was there. */
int32_t nspawn_write_seed(struct memories_call *call, json_object *definition, const char *node_directory,
                          bool *changed, struct problem *problem);
/* PENDING until the bootstrap of a running node has come to its end; BROKEN with the reason when it has failed. */
uint32_t nspawn_state(const char *node_directory, struct problem *problem);

#endif
