/*
 * relay.h - how this machine reaches the nodes of a network that was made without root
 *
 * No interface can lead from the machine into it. But a socket stays in the network namespace in which it was made: the
 * provider listens on the machine's loopback addresses and hands these sockets to the holder, which accepts what comes
 * and connects it to the node inside.
 *
 * Messages on the holder's socket (SOCK_SEQPACKET), one JSON document each:
 *
 *     {"node": "node1", "address": "10.88.0.11", "ports": [2379, 2380]}
 *     -> {"missing": [2380]}
 *
 * The ports are all that the node shall have; those that it has besides are closed. A second message of the same form
 * with the missing ports, and a listening socket for each in the same order, adds them.
 */
#ifndef LOCAL_ROOTLESS_RELAY_H
#define LOCAL_ROOTLESS_RELAY_H

/* Most sockets in one message (the kernel's limit is 253), and so most ports of a node. */
#define RELAY_PORTS_MAX 128
#define RELAY_MESSAGE_BYTES 4096

/* The relay's own address in the network namespace: no node's, and in no network of a user's (RFC 7600). So a firewall
 * rule for the network's own addresses does not let in what comes from outside. */
#define RELAY_ADDRESS "192.0.0.8"

/* Serves `server`, the holder's listening socket. Returns only when it can't, -1 with errno. */
int relay_run(int server);

#endif
