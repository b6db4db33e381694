/* swarmed.c - the swarmed topology's face to the core: descriptor and description */
#include "plugins/topologies/swarmed/swarmed.h"

#include <memories/version.h>

#include "plugins/common/plugin.h"

/* swarmed.json */
extern const char *const swarmed_description;

static int32_t swarmed_describe(struct memories_call *call)
{
    return plugin_host->result(call, swarmed_description);
}

static const struct memories_topology_ops swarmed_ops = {
    .size = sizeof swarmed_ops,
    .init = plugin_init,
    .describe = swarmed_describe,
    .plan = swarmed_plan,
    .converge = swarmed_converge,
    .status = swarmed_status,
    .release = swarmed_release,
};

/* 1.1 is the first ABI that lets go of nodes before they are destroyed. */
MEMORIES_PLUGIN(topology, swarmed, MEMORIES_VERSION, "Apache-2.0", "https://github.com/memories-dev/memories",
                MEMORIES_THREADS_CONCURRENT, 1, &swarmed_ops, sizeof swarmed_ops)
