/*
 * connections.h - network traffic of a node that shares the machine's network
 *
 * All nodes in process isolation talk over loopback, whose counters can't be told apart by node. What each TCP
 * connection carried can: the kernel's socket diagnostics (NETLINK_SOCK_DIAG, sock_diag(7)) tell it without special
 * rights. A connection is the node's when one of its processes holds it, or when its local address is the node's. The
 * kernel also announces connections that close, so that those on the node's address count in full however short they
 * were; of the others (the node's own calls out) what they carried after the last sample is missed.
 */
#ifndef LOCAL_NODE_CONNECTIONS_H
#define LOCAL_NODE_CONNECTIONS_H

#include <stdint.h>

#include "plugins/providers/local/node/processes.h"

struct connections;

/* NULL when the kernel doesn't offer this. `address`: the node's IPv4 address, or NULL. */
struct connections *connections_open(const char *address);
void connections_free(struct connections *connections);

/* The descriptor that becomes readable when connections have closed, for connections_closed; -1: none. */
int connections_descriptor(const struct connections *connections);
void connections_closed(struct connections *connections);

/* Brings the sums up to date and tells them. */
void connections_sample(struct connections *connections, const struct process_list *processes, int64_t *received_bytes,
                        int64_t *sent_bytes);

#endif
