/* slot.c - the slots of each kind of plugin */
#include "core/loader/slot.h"

#include <string.h>

#include "core/base/cleanup.h"

#define PROVIDER(slot) #slot, MEMORIES_PLUGIN_PROVIDER, offsetof(struct memories_provider_ops, slot)
#define TOPOLOGY(slot) #slot, MEMORIES_PLUGIN_TOPOLOGY, offsetof(struct memories_topology_ops, slot)

const struct slot loader_slots[] = {
    { PROVIDER(init), false, false },    { PROVIDER(describe), true, false }, { PROVIDER(open), true, false },
    { PROVIDER(close), true, false },    { PROVIDER(prepare), false, false }, { PROVIDER(lower), true, false },
    { PROVIDER(create), true, true },    { PROVIDER(read), true, true },      { PROVIDER(update), false, true },
    { PROVIDER(destroy), true, true },   { PROVIDER(power), false, true },    { PROVIDER(discover), false, false },
    { PROVIDER(metrics), false, false }, { PROVIDER(logs), false, false },    { TOPOLOGY(init), false, false },
    { TOPOLOGY(describe), true, false }, { TOPOLOGY(plan), true, false },     { TOPOLOGY(converge), false, false },
    { TOPOLOGY(status), false, false },  { TOPOLOGY(release), false, false },
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
