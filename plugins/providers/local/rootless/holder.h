/*
 * holder.h - the process that keeps a deployment's namespaces when nobody is root
 *
 * An ordinary user may make namespaces inside of a user namespace of his own, and only there. One process per
 * deployment, memories-rootless, makes that one, with a network and a mount namespace in it, and stays in it for the
 * life of the network. Whatever works on the network, and each node's supervisor, enters them.
 *
 *     DEPLOYMENT/rootless/lock        locked as long as the holder lives; says which process it is (node/record.h)
 *     DEPLOYMENT/rootless/relay.sock  its socket (relay.h)
 */
#ifndef LOCAL_ROOTLESS_HOLDER_H
#define LOCAL_ROOTLESS_HOLDER_H

#include <sys/types.h>

#include "plugins/providers/local/node/node_client.h"

#define HOLDER_SOCKET_FILE "relay.sock"

/* The holder of `directory` (DEPLOYMENT/rootless); 0: there is none. */
pid_t holder_pid(const char *directory);

/* A connection to the holder's socket, which ends when the holder does; -1 with errno. */
int holder_connect(const char *directory);

/* Moves this process, which must have one thread only, into the holder's user, mount and network namespaces, where it
 * is root. The working directory stays. */
int32_t holder_enter(const char *directory, struct node_error *error);

#endif
