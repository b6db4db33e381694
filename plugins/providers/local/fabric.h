/*
 * fabric.h - a deployment's network in namespace isolation
 *
 *     this machine            fabric (mem-ID)                              node (mem-ID-node1)
 *     memID 100.71.3.1 ------ host 100.71.3.2
 *                             b0a000100-24 10.0.1.1 - n11 --------------- eth0 10.0.1.11
 *                             b0a000200-24 10.0.2.1 - n12 …
 *
 * The fabric is a namespace that holds a bridge for each subnet and routes between them. This machine sees none of the
 * network's own addresses, so that two deployments may use the same ones: it reaches node1 by its access address,
 * 100.71.3.11, which the fabric translates, as clouds do with public addresses. Each node filters in its own namespace
 * what comes in.
 *
 * Without root the fabric lies in the namespaces of a holder (rootless.h): there is no interface on this machine and no
 * translation, but the nodes' ports are relayed from their access addresses, which are loopback addresses then.
 *
 * ip(8) and nft(8) do the work, a fixed number of runs for any number of nodes. They hold the lock
 * DEPLOYMENT/fabric.lock as long as they run: when the program that started them is killed, the next one waits for
 * their end.
 */
#ifndef LOCAL_FABRIC_H
#define LOCAL_FABRIC_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "plugins/providers/local/block.h"
#include "plugins/providers/local/local.h"

#define FABRIC_ID_DIGITS 10

/* Names of a deployment's network devices; made of its id and its state directory, so that they can be found again
 * without any record, and don't clash with another user's. */
struct fabric_names {
    char space[4 + FABRIC_ID_DIGITS + 1];  /* "mem-" ID */
    char link[3 + FABRIC_ID_DIGITS + 1];   /* "mem" ID: this machine's end */
};
void fabric_names(const struct local *local, struct fabric_names *names);
/* The namespace of a node, which is its instance id too. The caller's (free). */
char *fabric_node_space(const struct fabric_names *names, const char *node);

/* True while the fabric's namespace exists (a left-over file in /run/netns does not count). */
bool fabric_exists(const struct local *local);
/* False: there can be nothing of it, for the deployment was made without namespaces and without root. */
bool fabric_may_exist(const struct local *local);

/* One node's way in, out of its node.json. */
struct fabric_plug {
    const char *node;
    const char *space;
    const char *gateway;
    struct block subnet;
    uint32_t address;
    uint32_t access;
    unsigned port;
    json_object *ports; /* on which its services listen */
};

/* Can this machine do it? Tried for real, in a namespace that ends with the trial. `isolated`: what runs on the nodes
 * mounts overlays, and mere processes are no way out. */
int32_t fabric_probe(bool isolated, struct problem *problem);

/* Builds the network that `network` (network.json) describes, or completes it. `whole`: it was complete before, and is
 * only brought up to date. */
int32_t fabric_make(const struct local *local, json_object *network, bool whole, struct problem *problem);
int32_t fabric_remove(const struct local *local, struct problem *problem);

/* Connects nodes; who is connected already is left alone. */
int32_t fabric_plug(const struct local *local, const struct fabric_plug *plugs, size_t count, struct problem *problem);
/* Takes away what is there of these nodes' namespaces and connections. port 0: not known. */
int32_t fabric_unplug(const struct local *local, const struct fabric_plug *plugs, size_t count,
                      struct problem *problem);
/* Loads firewall.nft again in these nodes' namespaces. */
int32_t fabric_filter(const struct local *local, const struct fabric_plug *plugs, size_t count,
                      struct problem *problem);

/* The ruleset of a node: what the network's firewall lets in; everything when it has none. Pure. */
int32_t firewall_write(FILE *out, json_object *firewall, const char *network_cidr, struct problem *problem);

#endif
