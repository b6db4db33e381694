/*
 * standalone.h - the parts of the standalone topology: one node that runs a workload
 *
 * plan.c turns a configuration into a spec; status.c looks whether the workload answers. docs/topologies/standalone.md
 * tells the whole.
 */
#ifndef PLUGINS_TOPOLOGIES_STANDALONE_H
#define PLUGINS_TOPOLOGIES_STANDALONE_H

#include <stdint.h>

#include <memories/plugin.h>

/* plan.c */
int32_t standalone_plan(struct memories_call *call, const char *request);

/* status.c */
int32_t standalone_converge(struct memories_call *call, const char *request);
int32_t standalone_status(struct memories_call *call, const char *request);

/* tcp.c: connects to a numeric address. NULL when that worked; otherwise why not. */
const char *tcp_problem(const char *address, int port, int timeout_ms);

#endif
