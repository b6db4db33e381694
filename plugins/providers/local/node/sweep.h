/* sweep.h - removing what supervisors that were killed left behind: processes and cgroups */
#ifndef LOCAL_NODE_SWEEP_H
#define LOCAL_NODE_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "plugins/providers/local/node/node_client.h"

/*
 * Kills every process that carries the mark of one of `directories` (absolute, without symbolic links; sorted by this
 * function), and waits for their ends. One pass over the machine's processes serves all directories.
 */
int32_t sweep_processes(const char **directories, size_t count, int64_t deadline_ms, struct node_error *error);

/*
 * Sweeps the node whose lock file is `lock`: waits for the end of a supervisor that is still dying, kills what carries
 * the mark of `directory`, removes the cgroup. The caller holds NODE_LOCK_CHANGE and has found NODE_LOCK_ALIVE free.
 */
int32_t sweep_node(int lock, const char *directory, int64_t deadline_ms, struct node_error *error);

/* The parts of that, for those who sweep many nodes. */
int32_t sweep_supervisor(int lock, const char *directory, int64_t deadline_ms, struct node_error *error);
int32_t sweep_cgroup(int lock, int64_t deadline_ms, struct node_error *error);

#endif
