/* consensus.c - the consensus topology's face to the core: descriptor and description */
#include "plugins/topologies/consensus/consensus.h"

#include <memories/version.h>

#include "plugins/common/plugin.h"

/* consensus.json */
extern const char schema_consensus[];

static int32_t consensus_describe(struct memories_call *call)
{
    const char *description = plugin_format(call,
                                            "{\"version\":1,\"summary\":\"a cluster that stays consistent while a "
                                            "majority lives (etcd, Raft)\",\"schema\":%s}",
                                            schema_consensus);
    return description ? plugin_host->result(call, description) : plugin_no_memory(call);
}

static const struct memories_topology_ops consensus_ops = {
    .size = sizeof consensus_ops,
    .init = plugin_init,
    .describe = consensus_describe,
    .plan = consensus_plan,
    .converge = consensus_converge,
    .status = consensus_status,
    .release = consensus_release,
};

MEMORIES_PLUGIN(topology, consensus, MEMORIES_VERSION, "Apache-2.0", "https://github.com/memories-dev/memories",
                MEMORIES_THREADS_CONCURRENT, 0, &consensus_ops, sizeof consensus_ops)
