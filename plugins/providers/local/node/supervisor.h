/* supervisor.h - the life of a node from its first service's start to its last process' end */
#ifndef LOCAL_NODE_SUPERVISOR_H
#define LOCAL_NODE_SUPERVISOR_H

#include <json-c/json.h>

#include "plugins/providers/local/node/cgroup.h"
#include "plugins/providers/local/node/definition.h"

/* What the launcher has prepared. All of it is borrowed. */
struct supervisor_setup {
    const char *path; /* the node's directory, without symbolic links */
    int directory;
    int64_t run_ms; /* when the start began */
    const struct node_definition *definition;
    const struct cgroup_meters *meters;
    json_object *notes; /* list of texts: what is not possible here */
    pid_t host_pid;     /* this process as the host sees it */
    int guard;          /* the node stops when this connection ends; -1: none */
};

struct supervisor;

/* Opens logs and control socket, and starts what is to be started at once. On failure nothing of the node runs. */
struct supervisor *supervisor_start(const struct supervisor_setup *setup, struct node_error *error);
/* Runs the node until it is told to stop, and until everything of it has ended; releases the supervisor. */
void supervisor_run(struct supervisor *supervisor);

#endif
