/* slot.c - the slots of each kind of plugin */
#include "core/loader/slot.h"

#include <string.h>

#include "core/base/cleanup.h"

#define PROVIDER(slot) #slot, MEMORIES_PLUGIN_PROVIDER, offsetof(struct memories_provider_ops, slot)
#define TOPOLOGY(slot) #slot, MEMORIES_PLUGIN_TOPOLOGY, offsetof(struct memories_topology_ops, slot)

const struct slot loader_slots[] = {
    { PROVIDER(init), false, INVOCATION_INIT },
    { PROVIDER(describe), true, INVOCATION_DESCRIBE },
    { PROVIDER(open), true, INVOCATION_OPEN },
    { PROVIDER(close), true, INVOCATION_CLOSE },
    { PROVIDER(prepare), false, INVOCATION_INSTANCE_DOCUMENT },
    { PROVIDER(lower), true, INVOCATION_INSTANCE_DOCUMENT },
    { PROVIDER(create), true, INVOCATION_BATCH },
    { PROVIDER(read), true, INVOCATION_BATCH },
    { PROVIDER(update), false, INVOCATION_BATCH },
    { PROVIDER(destroy), true, INVOCATION_BATCH },
    { PROVIDER(power), false, INVOCATION_BATCH },
    { PROVIDER(discover), false, INVOCATION_INSTANCE_DOCUMENT },
    { PROVIDER(metrics), false, INVOCATION_INSTANCE_DOCUMENT },
    { PROVIDER(logs), false, INVOCATION_INSTANCE_DOCUMENT },
    { PROVIDER(doctor), false, INVOCATION_INSTANCE_DOCUMENT },
    { PROVIDER(estimate), false, INVOCATION_INSTANCE_DOCUMENT },
    { TOPOLOGY(init), false, INVOCATION_INIT },
    { TOPOLOGY(describe), true, INVOCATION_DESCRIBE },
    { TOPOLOGY(plan), true, INVOCATION_DOCUMENT },
    { TOPOLOGY(converge), false, INVOCATION_DOCUMENT },
    { TOPOLOGY(status), false, INVOCATION_DOCUMENT },
    { TOPOLOGY(release), false, INVOCATION_DOCUMENT },
};
const size_t loader_slot_count = ARRAY_COUNT(loader_slots);

const struct slot *slot_find(uint32_t kind, const char *name)
{
    for (size_t i = 0; i < loader_slot_count; i++)
        if ((!kind || loader_slots[i].kind == kind) && !strcmp(loader_slots[i].name, name))
            return &loader_slots[i];
    return NULL;
}

bool slot_is_filled(const struct plugin *plugin, const struct slot *slot)
{
    void *function;
    memcpy(&function, (const char *)&plugin->ops + slot->offset, sizeof function);
    return function != NULL;
}
