/*
 * spec.h - how a topology's `plan` builds its spec (docs/documents.md): what all topologies have in common
 *
 * A failed allocation is remembered in the struct and told by spec_finish, so that building reads straight on.
 */
#ifndef PLUGINS_COMMON_SPEC_H
#define PLUGINS_COMMON_SPEC_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/common/plugin.h"

struct spec {
    struct memories_call *call;
    json_object *request; /* owned */
    json_object *config;  /* borrowed from the request, as is deployment */
    const char *deployment;
    json_object *document; /* owned */
    json_object *nodes;    /* borrowed from the document, as is subnet */
    json_object *warnings;
    const char *subnet; /* the subnet that the nodes are in, and */
    bool public_ip;     /* whether they get a public address: known after spec_network */
    int failed;
};

/* Parses the request of `plan` and begins the document. spec_release is due in any case. */
int32_t spec_begin(struct spec *spec, struct memories_call *call, const char *request, const char *topology);
void spec_release(struct spec *spec);
#define AUTO_SPEC __attribute__((cleanup(spec_release)))

/* Ports that a topology needs reachable from `source`, "network" or a CIDR. From outside of the network a port is
 * opened only as long as no rule of the configuration names it: who names a port decides who may reach it. */
struct spec_opening {
    const char *name;
    const char *protocol; /* "tcp" or "udp" */
    const char *source;
    const int *ports;
    size_t port_count;
};
#define SPEC_ANYWHERE "0.0.0.0/0"

/* config.network (may be missing) to spec.network. */
int32_t spec_network(struct spec *spec, const struct spec_opening *openings, size_t count);

/* Adds a node with the machine that config and, before it, node_spec (may be NULL) ask for. Returns its bootstrap, an
 * empty object, borrowed; NULL when memory ran out. */
json_object *spec_add_node(struct spec *spec, const char *name, const char *role, json_object *node_spec);

/* The nodes need a network, mounts and processes of their own: they can't be mere processes of one machine. */
void spec_require_isolation(struct spec *spec);

/* A line that deploy and validate print. */
void spec_warn(struct spec *spec, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds monitoring and logging as the configuration has them, and gives the document back as the slot's result. */
int32_t spec_finish(struct spec *spec);

#endif
