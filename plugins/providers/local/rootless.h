/*
 * rootless.h - namespace isolation for an ordinary user
 *
 * The namespaces of a deployment lie in a user namespace in which the user is root; a process of its own keeps them
 * (rootless/holder.h). On the machine nothing is changed: no interface leads in. What the nodes let in from anywhere is
 * listened on at their loopback addresses and relayed (rootless/relay.h).
 */
#ifndef LOCAL_ROOTLESS_H
#define LOCAL_ROOTLESS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "plugins/providers/local/local.h"

/* True where namespaces have to be made without root. */
bool rootless(void);

/* DEPLOYMENT/rootless, the caller's (free). */
char *rootless_directory(const struct local *local);

/* What can be told without trying: programs, ranges of ids, what the kernel forbids. `root` is "" but in tests, `name`
 * the user's; `isolated`: mere processes are no way out. */
int32_t rootless_check(const char *root, const char *name, uid_t uid, bool isolated, struct problem *problem);
/* Adds the ways out to a problem; `first` is the best of them, NULL: there is no other. */
void rootless_hint(struct problem *problem, const char *first, bool isolated);
/* The best way out when namespaces could not be made though rootless_check found nothing; NULL: not known. */
const char *rootless_remedy(const char *root);

/* Begins to hold the deployment's namespaces; does nothing when they are held. */
int32_t rootless_hold(const char *directory, struct problem *problem);
/* Ends them, and all that lives in them. */
int32_t rootless_release(const char *directory, struct problem *problem);

/* local_directory_remove, also for files of ids that only exist in a user namespace. */
int32_t rootless_directory_remove(const char *path, struct problem *problem);

/* ---- relays.c ---- */

/* The TCP ports by which a node is reached: of `ports`, its bootstrap's, and those that the firewall's rules name, all
 * that may come from anywhere. Without a firewall: `ports`. NULL: no memory. */
json_object *relay_ports(json_object *firewall, json_object *ports);

/* A node that is reached by relays. */
struct relayed_node {
    const char *name;
    uint32_t address; /* its own */
    uint32_t access;  /* this machine's, that stands for it */
};

/* Lets the holder of `directory` relay these ports of the node, and no others. */
int32_t relays_set(const char *directory, const struct relayed_node *node, json_object *ports, struct problem *problem);

#endif
