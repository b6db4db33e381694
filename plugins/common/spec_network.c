/* spec_network.c - config.network to spec.network: subnets, firewall, placement (see spec.h) */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/spec.h"

#define CIDR_PATH "config.network.cidr"
#define PUBLIC_PATH "config.network.subnets.public"
#define PRIVATE_PATH "config.network.subnets.private"
#define RULES_PATH "config.network.security.rules"

static const char *const placement_keys[] = { "project_id", "region", "resource_group", "location" };

struct block {
    int family;
    unsigned bits;
    unsigned char bytes[16];
};

/* The syntax is the schema's matter; what does not parse here is only not compared. */
static bool block_parse(const char *text, struct block *block)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = text ? strchr(text, '/') : NULL;
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    block->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    block->bits = (unsigned)strtoul(slash + 1, NULL, 10);
    return block->bits <= (block->family == AF_INET ? 32u : 128u) &&
           inet_pton(block->family, address, block->bytes) == 1;
}

static bool block_contains(const struct block *outer, const struct block *inner)
{
    if (outer->family != inner->family || inner->bits < outer->bits)
        return false;
    unsigned whole = outer->bits / CHAR_BIT, rest = outer->bits % CHAR_BIT;
    if (memcmp(outer->bytes, inner->bytes, whole))
        return false;
    return !rest || (outer->bytes[whole] ^ inner->bytes[whole]) >> (CHAR_BIT - rest) == 0;
}

struct subnets {
    json_object *public_subnet; /* NULL: not enabled */
    json_object *private_subnet;
};

static json_object *enabled_subnet(json_object *network, const char *key)
{
    json_object *subnet = json_get_object(json_get_object(network, "subnets"), key);
    return json_get_bool(subnet, "enabled", true) ? subnet : NULL;
}

static int32_t check_within(struct spec *spec, const char *path, json_object *subnet, const char *whole_text)
{
    const char *text = json_get_string(subnet, "cidr");
    struct block whole, block;
    if (!block_parse(whole_text, &whole) || !block_parse(text, &block) || block_contains(&whole, &block))
        return MEMORIES_OK;
    return plugin_fail(spec->call, MEMORIES_INVALID, path,
                       plugin_format(spec->call, "choose a part of %s, or widen " CIDR_PATH, whole_text),
                       "%s does not lie within the network's block %s", text, whole_text);
}

static int32_t check_blocks(struct spec *spec, json_object *network, const struct subnets *subnets)
{
    const char *whole = json_get_string(network, "cidr");
    int32_t code = check_within(spec, PUBLIC_PATH ".cidr", subnets->public_subnet, whole);
    if (!code)
        code = check_within(spec, PRIVATE_PATH ".cidr", subnets->private_subnet, whole);
    if (code)
        return code;
    const char *public_text = json_get_string(subnets->public_subnet, "cidr");
    const char *private_text = json_get_string(subnets->private_subnet, "cidr");
    struct block one, other;
    if (!block_parse(public_text, &one) || !block_parse(private_text, &other))
        return MEMORIES_OK;
    if (!block_contains(&one, &other) && !block_contains(&other, &one))
        return MEMORIES_OK;
    return plugin_fail(spec->call, MEMORIES_INVALID, PRIVATE_PATH ".cidr", "give each subnet a block of its own",
                       "%s overlaps %s of " PUBLIC_PATH, private_text, public_text);
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

/* The nodes live in the public subnet as long as they have public addresses. `subnet_name` names the subnet they are in;
 * the other one gets a suffix. */
static int32_t add_subnets(struct spec *spec, json_object *network, json_object *document, const char *network_name)
{
    json_object *asked = json_get_object(network, "subnets");
    struct subnets subnets = { enabled_subnet(network, "public"), enabled_subnet(network, "private") };
    bool any = subnets.public_subnet || subnets.private_subnet;
    if (!any && (json_get(asked, "public") || json_get(asked, "private")))
        return plugin_fail(spec->call, MEMORIES_INVALID, "config.network.subnets",
                           "enable one of them, or leave config.network.subnets out", "no subnet is enabled");
    bool has_public = subnets.public_subnet || !any;
    spec->public_ip = json_get_bool(network, "public_ip", has_public);
    if (spec->public_ip && !has_public)
        return plugin_fail(spec->call, MEMORIES_INVALID, "config.network.public_ip",
                           "enable " PUBLIC_PATH ", or set public_ip to false",
                           "public addresses need a public subnet, and only the private one is enabled");
    int32_t code = check_blocks(spec, network, &subnets);
    if (code)
        return code;
    const char *name = json_get_string(network, "subnet_name");
    name = name ? name : plugin_format(spec->call, "%s-subnet", network_name);
    bool in_public = has_public && (spec->public_ip || !subnets.private_subnet);
    const char *other = plugin_format(spec->call, "%.54s-%s", name, in_public ? "private" : "public");
    if (!name || !other)
        return plugin_no_memory(spec->call);
    json_object *list = json_set_new_array(document, "subnets");
    if (has_public)
        add_subnet(spec, list, in_public ? name : other, subnets.public_subnet, true);
    if (subnets.private_subnet)
        add_subnet(spec, list, in_public ? other : name, subnets.private_subnet, false);
    spec->subnet = name;
    return MEMORIES_OK;
}

static bool range_has(const char *range, int port)
{
    int first = 0, last = 0;
    int found = sscanf(range, "%d-%d", &first, &last);
    return found > 0 && port >= first && port <= (found == 2 ? last : first);
}

static bool rule_names(json_object *rule, int port)
{
    const char *protocol = json_get_string(rule, "protocol");
    if (protocol && strcmp(protocol, "tcp") && strcmp(protocol, "all"))
        return false;
    json_object *ports = json_get_array(rule, "ports");
    for (size_t i = 0; i < json_count(ports); i++)
        if (range_has(json_object_get_string(json_at(ports, i)), port))
            return true;
    return false;
}

static bool rules_name(json_object *rules, int port)
{
    for (size_t i = 0; i < json_count(rules); i++)
        if (rule_names(json_at(rules, i), port))
            return true;
    return false;
}

static int32_t add_asked_rules(struct spec *spec, json_object *rules, json_object *asked)
{
    AUTO_JSON json_object *names = json_object_new_object();
    for (size_t i = 0; i < json_count(asked); i++) {
        json_object *from = json_at(asked, i);
        const char *name = json_get_string(from, "name");
        json_object *earlier = json_get(names, name);
        if (earlier)
            return plugin_fail(spec->call, MEMORIES_INVALID,
                               plugin_format(spec->call, RULES_PATH "[%zu].name", i), "give each rule a name of its own",
                               "\"%s\" is the name of " RULES_PATH "[%d] too", name, json_object_get_int(earlier));
        spec->failed |= json_set_int(names, name, (int64_t)i);
        json_object *rule = json_add_new_object(rules);
        json_object *ports = json_get_array(from, "ports");
        spec->failed |= json_set_string(rule, "name", name);
        spec->failed |= json_set_string(rule, "protocol", json_get_string(from, "protocol"));
        spec->failed |= json_set(rule, "ports", ports ? json_ref(ports) : json_object_new_array());
        spec->failed |= json_set(rule, "source_ranges", json_ref(json_get_array(from, "source_ranges")));
    }
    return MEMORIES_OK;
}

static void add_opening(struct spec *spec, json_object *rules, const struct spec_opening *opening, json_object *asked)
{
    AUTO_JSON json_object *ports = json_object_new_array();
    bool from_outside = strcmp(opening->source, "network") != 0;
    for (size_t i = 0; i < opening->port_count; i++) {
        char port[16];
        snprintf(port, sizeof port, "%d", opening->ports[i]);
        if (!from_outside || !rules_name(asked, opening->ports[i]))
            spec->failed |= json_add_string(ports, port);
    }
    if (json_count(ports) == 0)
        return;
    json_object *rule = json_add_new_object(rules);
    spec->failed |= json_set_string(rule, "name", opening->name);
    spec->failed |= json_set_string(rule, "protocol", "tcp");
    spec->failed |= json_set(rule, "ports", json_ref(ports));
    spec->failed |= json_add_string(json_set_new_array(rule, "source_ranges"), opening->source);
}

static int32_t add_firewall(struct spec *spec, json_object *network, json_object *document, const char *network_name,
                            const struct spec_opening *openings, size_t count)
{
    json_object *asked = json_get_array(json_get_object(network, "security"), "rules");
    const char *name = json_get_string(network, "firewall_name");
    name = name ? name : plugin_format(spec->call, "%s-firewall", network_name);
    json_object *firewall = json_set_new_object(document, "firewall");
    spec->failed |= name ? json_set_string(firewall, "name", name) : MEMORIES_NO_MEMORY;
    json_object *rules = json_set_new_array(firewall, "rules");
    int32_t code = add_asked_rules(spec, rules, asked);
    if (code)
        return code;
    for (size_t i = 0; i < count; i++)
        add_opening(spec, rules, &openings[i], asked);
    return MEMORIES_OK;
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
    add_placement(spec, network, document);
    return add_firewall(spec, network, document, name, openings, count);
}
