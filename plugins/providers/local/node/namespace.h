/*
 * namespace.h - the namespaces of a node in namespace isolation
 *
 * The node's own pid, mount, uts, ipc and cgroup namespaces, and the network namespace that the provider has made.
 * Inside: its own /proc, /sys (so that /sys/class/net shows its interfaces), /run, host name, /etc/hosts and
 * /etc/resolv.conf (empty: there is no name server), and each cgroup hierarchy mounted with the node's cgroup as its
 * root. Without root all of them lie within the namespaces of the deployment's holder (rootless/holder.h).
 */
#ifndef LOCAL_NODE_NAMESPACE_H
#define LOCAL_NODE_NAMESPACE_H

#include <json-c/json.h>

#include "plugins/providers/local/node/cgroup.h"
#include "plugins/providers/local/node/definition.h"

/* Enters the namespaces; the next child of this process will be process 1 of the node. */
int32_t namespaces_enter(const struct node_definition *definition, struct node_error *error);

/* A directory and its missing parents, 0755 but for the umask; -1 with errno. */
int namespace_make_directories(const char *path);

/* An empty /run, like a machine's after its start. A directory below it stays in sight: `directory` is its descriptor,
 * `path` its path. */
int32_t namespace_mount_run(int directory, const char *path, struct node_error *error);

/* In process 1: gives the node its mounts and its name. `directory` is the node's, opened inside the namespaces, and
 * `path` its path. What can be done without is added to `notes`. */
int32_t namespaces_furnish(const struct node_definition *definition, const struct cgroups *groups, int directory,
                           const char *path, json_object *notes, struct node_error *error);

#endif
