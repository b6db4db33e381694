/* slots.c - how much each slot is needed, and what is lost without it */
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/loader/slot.h"
#include "sdk/check/check.h"

static const struct {
    const char *name;
    const char *need;
    const char *without;
} optional[] = {
    { "init", "recommended", "the plugin has no host table, and can answer nothing" },
    { "prepare", "recommended",
      "mistakes show only while things are being made, and topologies whose nodes talk to each other have no "
      "addresses to plan with" },
    { "update", "recommended", "every change of a resource deletes it and makes it anew" },
    { "power", "recommended", "`memories stop` is refused" },
    { "discover", "recommended",
      "objects that the records don't know can't be found: after a lost state directory they run, and cost, "
      "until somebody notices" },
    { "metrics", "optional", "`memories metrics` is refused" },
    { "logs", "optional", "`memories logs` is refused" },
    { "doctor", "optional", "`memories doctor` is refused" },
    { "estimate", "optional", "`memories plan --calls` is refused" },
    { "converge", "recommended", "deploying ends when the nodes run, whether the whole works or not" },
    { "status", "recommended", "`memories status` is refused" },
    { "release", "optional", "nodes are destroyed without a word to the others, who have to notice it themselves" },
};

static int describe_slot(json_object *entry, const struct plugin *plugin, const struct slot *slot)
{
    const char *need = slot->required ? "required" : "optional", *without = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(optional); i++)
        if (!strcmp(optional[i].name, slot->name)) {
            need = optional[i].need;
            without = optional[i].without;
        }
    return json_set_string(entry, "name", slot->name) || json_set_string(entry, "need", need) ||
           json_set_bool(entry, "present", slot_is_filled(plugin, slot)) || json_set_string(entry, "without", without);
}

json_object *check_slots(const struct plugin *plugin)
{
    AUTO_JSON json_object *list = json_object_new_array();
    for (size_t i = 0; i < loader_slot_count; i++) {
        json_object *entry = loader_slots[i].kind == plugin->kind ? json_object_new_object() : NULL;
        if (loader_slots[i].kind == plugin->kind &&
            (json_add(list, entry) || describe_slot(entry, plugin, &loader_slots[i])))
            return NULL;
    }
    return STEAL(list);
}
