/* slots.c - the slots of each kind of plugin, how much each is needed, and what is lost without it */
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "sdk/check/check.h"

#define PROVIDER(slot, need, without)                                                                \
    {                                                                                                \
#slot, MEMORIES_PLUGIN_PROVIDER, offsetof(struct memories_provider_ops, slot), need, without \
    }
#define TOPOLOGY(slot, need, without)                                                                \
    {                                                                                                \
#slot, MEMORIES_PLUGIN_TOPOLOGY, offsetof(struct memories_topology_ops, slot), need, without \
    }

static const struct {
    const char *name;
    uint32_t kind;
    size_t offset;
    const char *need;
    const char *without;
} slots[] = {
    PROVIDER(init, "recommended", "the plugin has no host table, and can answer nothing"),
    PROVIDER(describe, "required", NULL),
    PROVIDER(open, "required", NULL),
    PROVIDER(close, "required", NULL),
    PROVIDER(prepare, "recommended",
             "mistakes show only while things are being made, and topologies whose nodes talk to "
             "each other have no addresses to plan with"),
    PROVIDER(lower, "required", NULL),
    PROVIDER(create, "required", NULL),
    PROVIDER(read, "required", NULL),
    PROVIDER(update, "recommended", "every change of a resource deletes it and makes it anew"),
    PROVIDER(destroy, "required", NULL),
    PROVIDER(power, "recommended", "`memories stop` and `memories start` are refused"),
    PROVIDER(discover, "recommended",
             "objects that the records don't know can't be found: after a lost state directory "
             "they run, and cost, until somebody notices"),
    PROVIDER(metrics, "optional", "`memories metrics` is refused"),
    PROVIDER(logs, "optional", "`memories logs` is refused"),
    TOPOLOGY(init, "recommended", "the plugin has no host table, and can answer nothing"),
    TOPOLOGY(describe, "required", NULL),
    TOPOLOGY(plan, "required", NULL),
    TOPOLOGY(converge, "recommended", "deploying ends when the nodes run, whether the whole works or not"),
    TOPOLOGY(status, "recommended", "`memories status` is refused"),
    TOPOLOGY(release, "optional", "nodes are destroyed without a word to the others, who have to notice it themselves"),
};

static bool is_present(const struct plugin *plugin, size_t offset)
{
    void *slot;
    memcpy(&slot, (const char *)&plugin->ops + offset, sizeof slot);
    return slot != NULL;
}

json_object *check_slots(const struct plugin *plugin)
{
    AUTO_JSON json_object *list = json_object_new_array();
    for (size_t i = 0; i < ARRAY_COUNT(slots); i++) {
        if (slots[i].kind != plugin->kind)
            continue;
        json_object *slot = json_object_new_object();
        if (json_add(list, slot) || json_set_string(slot, "name", slots[i].name) ||
            json_set_string(slot, "need", slots[i].need) ||
            json_set_bool(slot, "present", is_present(plugin, slots[i].offset)) ||
            json_set_string(slot, "without", slots[i].without))
            return NULL;
    }
    return STEAL(list);
}

bool check_has_slot(const struct check *check, size_t offset)
{
    return is_present(check->plugin, offset);
}
