/*
 * control.h - the supervisor's control socket
 *
 * One JSON object a line in, one a line out: {"command": "status"} or {"command": "stop"}. Only the node's own user and
 * root are heard. Clients that don't read their answers, or say nothing for ever, cost nobody else anything.
 */
#ifndef LOCAL_NODE_CONTROL_H
#define LOCAL_NODE_CONTROL_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/providers/local/node/node_client.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_LINE_MAX 1024

struct control_client {
    int fd; /* -1: free */
    int64_t since_ms;
    char line[CONTROL_LINE_MAX];
    size_t length;
    char *answer; /* what is not sent yet */
    size_t answer_length;
    size_t answer_sent;
};

struct control {
    int listener;
    struct control_client clients[CONTROL_CLIENTS_MAX];
};

/* Answers one command with a JSON text that is freed afterwards; NULL: no memory. */
typedef char *control_fn(void *context, const char *command);

int32_t control_open(struct control *control, int directory, const char *path, struct node_error *error);
void control_close(struct control *control, int directory);

/* Fills at most 1 + CONTROL_CLIENTS_MAX descriptors to wait for; returns how many. */
size_t control_poll(const struct control *control, struct pollfd *polled);
/* Goes on with whatever is possible now. */
void control_run(struct control *control, control_fn *answer, void *context);

#endif
