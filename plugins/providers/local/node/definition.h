/* definition.h - node.json as the supervisor uses it (docs/node.md) */
#ifndef LOCAL_NODE_DEFINITION_H
#define LOCAL_NODE_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/providers/local/node/node_client.h"

enum restart_policy {
    RESTART_ALWAYS,
    RESTART_ON_FAILURE,
    RESTART_NEVER,
};

struct service_definition {
    char *name;
    char **command;     /* ended by NULL */
    char **environment; /* "KEY=value", ended by NULL */
    enum restart_policy restart;
    uint32_t start_delay_ms;
    uint32_t restart_delay_ms; /* before the first restart; doubles with each that follows soon */
    uint32_t stop_timeout_ms;
};

struct host_name {
    char *name;
    char *address;
};

struct node_definition {
    char *deployment; /* NULL where node.json has none; so are key, token, holder, network_namespace, address,
                       * interface, cgroup, machine_root */
    char *key;
    char *name;
    char *token;
    int64_t generation;
    bool namespaces;    /* a machine has them, too */
    char *machine_root; /* the node is a machine with this root file system */
    char *holder;
    char *network_namespace;
    char *hostname;
    struct host_name *hosts;
    size_t host_count;
    char *address;
    char *interface;
    uint32_t vcpus;
    char *cgroup;
    char **private_directories; /* ended by NULL */
    char ***commands; /* command_count of them, each ended by NULL */
    size_t command_count;
    struct service_definition *services;
    size_t service_count;
    uint32_t metrics_interval_ms;
    uint32_t log_files;
    int64_t log_bytes_max;
};

/* Reads node.json in `directory`, a descriptor; `path` names the directory in errors. */
int32_t definition_read(int directory, const char *path, struct node_definition *definition, struct node_error *error);
void definition_free(struct node_definition *definition);

#endif
