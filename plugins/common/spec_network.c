/* spec_network.c - config.network to spec.network: subnets, firewall, placement (see spec.h) */
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/spec.h"

static const char *const placement_keys[] = { "project_id", "region", "resource_group", "location" };

/* NULL when it is not asked for. */
static json_object *enabled_subnet(json_object *network, const char *key)
{
    json_object *subnet = json_get_object(json_get_object(network, "subnets"), key);
    return json_get_bool(subnet, "enabled", true) ? subnet : NULL;
}

static void add_subnet(struct spec *spec, json_object *list, const char *name, json_object *subnet, bool is_public)
{
    json_object *entry = json_add_new_object(list);
    spec->failed |= json_set_string(entry, "name", name);
    spec->failed |= json_set_string(entry, "cidr", json_get_string(subnet, "cidr"));
    spec->failed |= json_set_bool(entry, "public", is_public);
    spec->failed |= json_set_string(entry, "zone", json_get_string(subnet, "zone"));
    if (json_get_string(subnet, "region"))
        spec->failed |= json_set_string(entry, "region", json_get_string(subnet, "region"));
}

/* The nodes live in the public subnet as long as they have public addresses. `subnet_name` names the subnet they are
 * in; the other one gets a suffix. */
static int32_t add_subnets(struct spec *spec, json_object *network, json_object *document, const char *network_name)
{
    json_object *asked = json_get_object(network, "subnets");
    json_object *public_subnet = enabled_subnet(network, "public");
    json_object *private_subnet = enabled_subnet(network, "private");
    bool any = public_subnet || private_subnet;
    if (!any && (json_get(asked, "public") || json_get(asked, "private")))
        return plugin_fail(spec->call, MEMORIES_INVALID, "config.network.subnets",
                           "enable one of them, or leave config.network.subnets out", "no subnet is enabled");
    bool has_public = public_subnet || !any;
    spec->public_ip = json_get_bool(network, "public_ip", has_public);
    if (spec->public_ip && !has_public)
        return plugin_fail(spec->call, MEMORIES_INVALID, "config.network.public_ip",
                           "enable config.network.subnets.public, or set public_ip to false",
                           "public addresses need a public subnet, and only the private one is enabled");
    const char *name = json_get_string(network, "subnet_name");
    name = name ? name : plugin_format(spec->call, "%s-subnet", network_name);
    bool in_public = has_public && (spec->public_ip || !private_subnet);
    const char *other = plugin_format(spec->call, "%.54s-%s", name, in_public ? "private" : "public");
    if (!name || !other)
        return plugin_no_memory(spec->call);
    json_object *list = json_set_new_array(document, "subnets");
    if (has_public)
        add_subnet(spec, list, in_public ? name : other, public_subnet, true);
    if (private_subnet)
        add_subnet(spec, list, in_public ? other : name, private_subnet, false);
    spec->subnet = name;
    return MEMORIES_OK;
}

static bool range_has(const char *range, int port)
{
    int first = 0, last = 0;
    int found = sscanf(range, "%d-%d", &first, &last);
    return found > 0 && port >= first && port <= (found == 2 ? last : first);
}

static bool rule_names(json_object *rule, const char *wanted, int port)
{
    const char *protocol = json_get_string(rule, "protocol");
    if (protocol && strcmp(protocol, wanted) && strcmp(protocol, "all"))
        return false;
    json_object *ports = json_get_array(rule, "ports");
    for (size_t i = 0; i < json_count(ports); i++)
        if (range_has(json_object_get_string(json_at(ports, i)), port))
            return true;
    return false;
}

static bool rules_name(json_object *rules, const char *protocol, int port)
{
    for (size_t i = 0; i < json_count(rules); i++)
        if (rule_names(json_at(rules, i), protocol, port))
            return true;
    return false;
}

static void add_asked_rule(struct spec *spec, json_object *rules, json_object *asked)
{
    json_object *rule = json_add_new_object(rules);
    json_object *ports = json_get_array(asked, "ports");
    spec->failed |= json_set_string(rule, "name", json_get_string(asked, "name"));
    spec->failed |= json_set_string(rule, "protocol", json_get_string(asked, "protocol"));
    spec->failed |= json_set_new(rule, "ports", ports ? json_ref(ports) : json_object_new_array());
    spec->failed |= json_set(rule, "source_ranges", json_ref(json_get_array(asked, "source_ranges")));
}

static void add_opening(struct spec *spec, json_object *rules, const struct spec_opening *opening, json_object *asked)
{
    AUTO_JSON json_object *ports = json_object_new_array();
    bool from_outside = strcmp(opening->source, "network") != 0;
    for (size_t i = 0; i < opening->port_count; i++) {
        char port[16];
        snprintf(port, sizeof port, "%d", opening->ports[i]);
        if (!from_outside || !rules_name(asked, opening->protocol, opening->ports[i]))
            spec->failed |= json_add_string(ports, port);
    }
    if (json_count(ports) == 0)
        return;
    json_object *rule = json_add_new_object(rules);
    spec->failed |= json_set_string(rule, "name", opening->name);
    spec->failed |= json_set_string(rule, "protocol", opening->protocol);
    spec->failed |= json_set(rule, "ports", json_ref(ports));
    spec->failed |= json_add_string(json_set_new_array(rule, "source_ranges"), opening->source);
}

static void add_firewall(struct spec *spec, json_object *network, json_object *document, const char *network_name,
                         const struct spec_opening *openings, size_t count)
{
    json_object *asked = json_get_array(json_get_object(network, "security"), "rules");
    const char *name = json_get_string(network, "firewall_name");
    name = name ? name : plugin_format(spec->call, "%s-firewall", network_name);
    json_object *firewall = json_set_new_object(document, "firewall");
    spec->failed |= name ? json_set_string(firewall, "name", name) : MEMORIES_NO_MEMORY;
    json_object *rules = json_set_new_array(firewall, "rules");
    for (size_t i = 0; i < json_count(asked); i++)
        add_asked_rule(spec, rules, json_at(asked, i));
    for (size_t i = 0; i < count; i++)
        add_opening(spec, rules, &openings[i], asked);
}

static void add_placement(struct spec *spec, json_object *network, json_object *document)
{
    json_object *placement = json_set_new_object(document, "placement");
    for (size_t i = 0; i < ARRAY_COUNT(placement_keys); i++) {
        const char *value = json_get_string(network, placement_keys[i]);
        value = value ? value : json_get_string(spec->config, placement_keys[i]);
        if (value)
            spec->failed |= json_set_string(placement, placement_keys[i], value);
    }
}

/* The same thing under each cloud's name for it. */
static const char *asked_name(json_object *network)
{
    const char *name = json_get_string(network, "vpc_name");
    return name ? name : json_get_string(network, "vnet_name");
}

int32_t spec_network(struct spec *spec, const struct spec_opening *openings, size_t count)
{
    json_object *network = json_get_object(spec->config, "network");
    const char *name = asked_name(network);
    name = name ? name : spec->deployment;
    json_object *document = json_set_new_object(spec->document, "network");
    spec->failed |= json_set_string(document, "name", name);
    spec->failed |= json_set_string(document, "cidr", json_get_string(network, "cidr"));
    spec->failed |= json_set(document, "nat", NULL);
    int32_t code = add_subnets(spec, network, document, name);
    if (code)
        return code;
    /* Nodes without public addresses reach package servers through it. */
    spec->failed |= json_set_bool(document, "nat", json_get_bool(network, "nat", !spec->public_ip));
    add_firewall(spec, network, document, name, openings, count);
    add_placement(spec, network, document);
    return MEMORIES_OK;
}
