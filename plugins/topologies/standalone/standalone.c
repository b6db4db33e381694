/* standalone.c - the standalone topology's face to the core: descriptor and description */
#include "plugins/topologies/standalone/standalone.h"

#include <memories/version.h>

#include "plugins/common/plugin.h"

/* standalone.json */
extern const char *const standalone_description;

static int32_t standalone_describe(struct memories_call *call)
{
    return plugin_host->result(call, standalone_description);
}

static const struct memories_topology_ops standalone_ops = {
    .size = sizeof standalone_ops,
    .init = plugin_init,
    .describe = standalone_describe,
    .plan = standalone_plan,
    .converge = standalone_converge,
    .status = standalone_status,
};

MEMORIES_PLUGIN(topology, standalone, MEMORIES_VERSION, "Apache-2.0", "https://github.com/memories-dev/memories",
                MEMORIES_THREADS_CONCURRENT, 0, &standalone_ops, sizeof standalone_ops)
