/* metrics.h - measuring a node and keeping the samples (docs/node.md) */
#ifndef LOCAL_NODE_METRICS_H
#define LOCAL_NODE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "plugins/providers/local/node/cgroup.h"
#include "plugins/providers/local/node/connections.h"
#include "plugins/providers/local/node/definition.h"
#include "plugins/providers/local/node/log_file.h"
#include "plugins/providers/local/node/processes.h"

struct metrics {
    struct log_file file;
    const struct node_definition *definition; /* borrowed */
    int64_t run_ms;
    int64_t next_ms;                    /* monotonic: when the next sample is due; INT64_MAX: never */
    const struct cgroup_meters *meters; /* borrowed */
    struct connections *connections;    /* when the node shares the machine's network */
    struct process_list processes;
    struct node_sample last;
};

/* `directory`: the node's. */
void metrics_open(struct metrics *metrics, const struct node_definition *definition, const struct cgroup_meters *meters,
                  int directory, int64_t run_ms);
void metrics_close(struct metrics *metrics);

/* Takes a sample and writes it down. */
void metrics_sample(struct metrics *metrics);
/* Takes the last one, while what is measured still runs. */
void metrics_finish(struct metrics *metrics);

#endif
