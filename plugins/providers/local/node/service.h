/* service.h - one service of a node: its process, its restart policy, its output */
#ifndef LOCAL_NODE_SERVICE_H
#define LOCAL_NODE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugins/providers/local/node/child.h"
#include "plugins/providers/local/node/definition.h"
#include "plugins/providers/local/node/log_file.h"

/* What children write, on its way from a pipe to a log file. The write end stays open, so that one pipe serves all
 * restarts. */
struct output {
    int read_end;
    int write_end;
    struct log_file log;
};

int32_t output_open(struct output *output, int directory, const char *name, const struct node_definition *definition,
                    struct node_error *error);
/* Moves what is there; never waits. At most so much that the others get their turn, unless `all`. */
void output_drain(struct output *output, bool all);
void output_close(struct output *output);

enum service_state {
    SERVICE_WAITING,
    SERVICE_RUNNING,
    SERVICE_EXITED,
    SERVICE_FAILED,
};

struct service {
    const struct service_definition *definition; /* borrowed */
    struct output output;
    enum service_state state;
    pid_t pid;             /* when running */
    int64_t start_at_ms;   /* when waiting: monotonic; INT64_MAX: not before somebody says so */
    int64_t kill_at_ms;    /* when asked to stop: the end of patience; else INT64_MAX */
    int64_t started_at_ms; /* monotonic */
    uint32_t backoff_ms;   /* before the next restart */
    uint32_t restarts;
    bool started_before;
    char exit[256]; /* how it ended last; "" if it never did */
};

int32_t service_init(struct service *service, const struct service_definition *definition, int log_directory,
                     const struct node_definition *node, struct node_error *error);
void service_clear(struct service *service);

/* Starts it. When that fails, the service waits for its next try or has failed, as its policy says. */
int32_t service_start(struct service *service, const struct child_setup *setup, struct node_error *error);
/* Its process ended with `status` (of waitpid). `stopping`: nothing is to be restarted. */
void service_ended(struct service *service, int status, bool stopping);
/* Asks it to end and sets the time by which it must have. */
void service_stop(struct service *service);
/* Kills it and its session. */
void service_kill(struct service *service);

const char *service_state_name(enum service_state state);

/* Says how a process ended: "exit 1", "signal 9". */
void describe_status(int status, char *text, size_t size);

#endif
