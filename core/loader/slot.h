/* slot.h - the slots of each kind of plugin, by name and place */
#ifndef CORE_LOADER_SLOT_H
#define CORE_LOADER_SLOT_H

#include "core/loader/decorator.h"

struct slot {
    const char *name;
    uint32_t kind;
    size_t offset; /* in the table */
    bool required;
    enum invocation_shape shape;
};
extern const struct slot loader_slots[];
extern const size_t loader_slot_count;

/* kind 0: of either. NULL when there is none. */
const struct slot *slot_find(uint32_t kind, const char *name);
/* Whether the plugin has it. */
bool slot_is_filled(const struct plugin *plugin, const struct slot *slot);

#endif
