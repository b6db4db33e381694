/* consensus.c - the consensus topology's face to the core: descriptor and description */
#include "plugins/topologies/consensus/consensus.h"

#include <memories/version.h>

#include "plugins/common/plugin.h"

/* consensus.json */
extern const char *const consensus_description;

static int32_t consensus_describe(struct memories_call *call)
{
    return plugin_host->result(call, consensus_description);
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
