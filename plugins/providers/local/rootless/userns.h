/* userns.h - making a user namespace in which an ordinary user is root */
#ifndef LOCAL_ROOTLESS_USERNS_H
#define LOCAL_ROOTLESS_USERNS_H

#include <sys/types.h>

#include "plugins/providers/local/node/node_client.h"

/*
 * Forks. In the child, which is root in a user namespace of its own with 65,536 ids, returns 0 once the parent has
 * called userns_release; in the parent returns its pid, or -1 with the reason in `error`. When the parent dies before,
 * the child ends.
 */
pid_t userns_fork(int *go, struct node_error *error);
int userns_release(int go);

#endif
