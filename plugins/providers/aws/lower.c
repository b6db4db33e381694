/* lower.c - from a spec, and what was chosen for it, to objects of AWS; pure */
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/aws.h"
#include "plugins/providers/aws/hash.h"
#include "plugins/providers/aws/user_data.h"
#include "plugins/providers/aws/volumes.h"

#define ANYWHERE "0.0.0.0/0"
#define AGENT_POLICY "CloudWatchAgentServerPolicy"
#define IAM_PATH "/memories/"
#define NAME_MAX_IAM 64
#define ALERT_DURATION_S 300
/* EC2's own metrics come every five minutes, or every minute with detailed monitoring. */
#define BASIC_PERIOD_S 300
#define DETAILED_PERIOD_S 60

struct lowering {
    struct memories_call *call;
    json_object *config;
    const char *deployment;
    json_object *spec, *network, *choices, *home, *subnets; /* borrowed */
    json_object *resources;
    bool existing;       /* subnets that are there */
    bool nodes_public;   /* the nodes' subnets have a way out through the internet gateway */
    const char *area;    /* the spec's subnet that the nodes are in */
    const char *profile; /* the instance profile's name; NULL: none is needed */
    const char *log_group;
    bool memory; /* the agent measures it */
    bool detailed;
    int failed;
};

/* ---- Building ---- */

static json_object *reference(const char *key, const char *output)
{
    AUTO_JSON json_object *reference = json_object_new_object();
    json_object *pair = json_set_new_array(reference, "$output");
    return json_add_string(pair, key) | json_add_string(pair, output) ? NULL : STEAL(reference);
}

static void set_text(struct lowering *lowering, json_object *object, const char *key, const char *value)
{
    lowering->failed |= value ? json_set_string(object, key, value) : MEMORIES_NO_MEMORY;
}

static void set_reference(struct lowering *lowering, json_object *object, const char *name, const char *key,
                          const char *output)
{
    lowering->failed |= json_set_new(object, name, key ? reference(key, output) : NULL);
}

/* A new resource; its inputs, with the home in them. */
static json_object *add(struct lowering *lowering, const char *key, const char *type)
{
    json_object *resource = json_add_new_object(lowering->resources);
    set_text(lowering, resource, "key", key);
    set_text(lowering, resource, "type", type);
    json_object *inputs = json_set_new_object(resource, "inputs");
    lowering->failed |= json_set(inputs, "home", json_ref(lowering->home));
    lowering->failed |= !json_set_new_array(resource, "depends_on");
    return inputs;
}

/* Of a resource that was added; NULL: there is none. */
static json_object *inputs_of(const struct lowering *lowering, const char *key)
{
    for (size_t i = 0; key && i < json_count(lowering->resources); i++) {
        const char *there = json_get_string(json_at(lowering->resources, i), "key");
        if (there && !strcmp(there, key))
            return json_get_object(json_at(lowering->resources, i), "inputs");
    }
    return NULL;
}

static void depend(struct lowering *lowering, const char *key)
{
    json_object *resource = json_at(lowering->resources, json_count(lowering->resources) - 1);
    lowering->failed |= json_add_string(json_get_array(resource, "depends_on"), key);
}

static const char *network_name(const struct lowering *lowering)
{
    const char *name = json_get_string(lowering->network, "name");
    return name ? name : lowering->deployment;
}

/* Of a piece of the choices. */
static const char *key_of(json_object *piece)
{
    const char *key = json_get_string(piece, "key");
    return key ? key : "";
}

/* ---- Network ---- */

static bool is_nodes_area(const struct lowering *lowering, json_object *piece)
{
    const char *name = json_get_string(piece, "name");
    return name && lowering->area && !strcmp(name, lowering->area);
}

static bool has_public_piece(const struct lowering *lowering)
{
    for (size_t i = 0; i < json_count(lowering->subnets); i++)
        if (json_get_bool(json_at(lowering->subnets, i), "public", false))
            return true;
    return false;
}

static void lower_vpc(struct lowering *lowering)
{
    json_object *vpc = add(lowering, "network", "aws.vpc");
    set_text(lowering, vpc, "cidr", json_get_string(json_get_object(lowering->choices, "network"), "cidr"));
    set_text(lowering, vpc, "name", network_name(lowering));
    if (!has_public_piece(lowering))
        return;
    json_object *gateway = add(lowering, "gateway", "aws.internet_gateway");
    set_text(lowering, gateway, "name", network_name(lowering));
    json_object *attachment = add(lowering, "gateway/attachment", "aws.internet_gateway_attachment");
    set_reference(lowering, attachment, "gateway", "gateway", "id");
    set_reference(lowering, attachment, "vpc", "network", "id");
}

static void lower_subnets(struct lowering *lowering)
{
    for (size_t i = 0; i < json_count(lowering->subnets); i++) {
        json_object *piece = json_at(lowering->subnets, i);
        json_object *subnet = add(lowering, key_of(piece), "aws.subnet");
        const char *zone = json_get_string(piece, "zone");
        set_reference(lowering, subnet, "vpc", "network", "id");
        set_text(lowering, subnet, "cidr", json_get_string(piece, "cidr"));
        set_text(lowering, subnet, "zone", zone);
        set_text(lowering, subnet, "name",
                 plugin_format(lowering->call, "%s-%s", json_get_string(piece, "name"), zone));
    }
}

/* The default route of a table: to the internet gateway, or to the NAT gateway. */
static void lower_route(struct lowering *lowering, const char *table, bool to_internet)
{
    json_object *route = add(lowering, plugin_format(lowering->call, "%s/internet", table), "aws.route");
    set_reference(lowering, route, "vpc", "network", "id");
    set_reference(lowering, route, "table", table, "id");
    set_text(lowering, route, "destination", ANYWHERE);
    if (to_internet) {
        set_reference(lowering, route, "gateway", "gateway", "id");
        depend(lowering, "gateway/attachment");
    } else {
        set_reference(lowering, route, "nat", "nat", "id");
    }
}

static const char *first_public_piece(const struct lowering *lowering)
{
    for (size_t i = 0; i < json_count(lowering->subnets); i++)
        if (json_get_bool(json_at(lowering->subnets, i), "public", false))
            return key_of(json_at(lowering->subnets, i));
    return NULL;
}

/* `public_route`: without it the gateway itself would have no way out. */
static void lower_nat(struct lowering *lowering, const char *public_route)
{
    json_object *address = add(lowering, "nat/address", "aws.elastic_ip");
    set_text(lowering, address, "name", network_name(lowering));
    json_object *nat = add(lowering, "nat", "aws.nat_gateway");
    set_reference(lowering, nat, "subnet", first_public_piece(lowering), "id");
    set_reference(lowering, nat, "allocation", "nat/address", "id");
    set_text(lowering, nat, "name", network_name(lowering));
    depend(lowering, public_route);
}

/* A table for the subnets that are not of the nodes' kind. */
static void lower_other_table(struct lowering *lowering, const char *key)
{
    json_object *table = add(lowering, key, "aws.route_table");
    set_reference(lowering, table, "vpc", "network", "id");
    set_text(lowering, table, "name",
             plugin_format(lowering->call, "%s-%s", network_name(lowering), key + strlen("routes/")));
    for (size_t i = 0; i < json_count(lowering->subnets); i++) {
        json_object *piece = json_at(lowering->subnets, i);
        if (json_get_bool(piece, "public", false) == lowering->nodes_public)
            continue;
        json_object *tie =
            add(lowering, plugin_format(lowering->call, "%s/%s", key, key_of(piece)), "aws.route_table_association");
        set_reference(lowering, tie, "vpc", "network", "id");
        set_reference(lowering, tie, "table", key, "id");
        set_reference(lowering, tie, "subnet", key_of(piece), "id");
    }
}

/* The nodes' subnets use the VPC's main table, which is there and needs no ties; the other kind has one of its own. */
static void lower_routes(struct lowering *lowering)
{
    bool nat = json_get_bool(lowering->network, "nat", false) && has_public_piece(lowering), others = false;
    bool any_private = false;
    for (size_t i = 0; i < json_count(lowering->subnets); i++) {
        bool is_public = json_get_bool(json_at(lowering->subnets, i), "public", false);
        others |= is_public != lowering->nodes_public;
        any_private |= !is_public;
    }
    nat = nat && any_private;
    json_object *table = add(lowering, "routes", "aws.main_route_table");
    set_reference(lowering, table, "vpc", "network", "id");
    if (lowering->nodes_public)
        lower_route(lowering, "routes", true);
    const char *other = lowering->nodes_public ? "routes/private" : "routes/public";
    if (others)
        lower_other_table(lowering, other);
    if (others && !lowering->nodes_public)
        lower_route(lowering, other, true);
    if (!nat)
        return;
    lower_nat(lowering, lowering->nodes_public ? "routes/internet" : "routes/public/internet");
    lower_route(lowering, lowering->nodes_public ? other : "routes", false);
}

/* ---- Firewall ---- */

static void add_rule(struct lowering *lowering, json_object *rules, const char *protocol, int from, int to,
                     const char *source)
{
    json_object *rule = json_object_new_object();
    set_text(lowering, rule, "protocol", protocol);
    if (from >= -1) {
        lowering->failed |= json_set_int(rule, "from", from);
        lowering->failed |= json_set_int(rule, "to", to);
    }
    set_text(lowering, rule, "source", source);
    /* Two rules may say the same; AWS takes it once. */
    for (size_t i = 0; i < json_count(rules); i++)
        if (json_object_equal(json_at(rules, i), rule)) {
            json_object_put(rule);
            return;
        }
    lowering->failed |= json_add(rules, rule);
}

#define NO_PORTS (-2)

static void add_ports(struct lowering *lowering, json_object *rules, json_object *rule, const char *source)
{
    const char *protocol = json_get_string(rule, "protocol");
    json_object *ports = json_get_array(rule, "ports");
    bool has_ports = protocol && (!strcmp(protocol, "tcp") || !strcmp(protocol, "udp"));
    if (!protocol || !strcmp(protocol, "all"))
        add_rule(lowering, rules, "-1", NO_PORTS, NO_PORTS, source);
    else if (!has_ports) /* "icmp", which has another name with IPv6 */
        add_rule(lowering, rules, strchr(source, ':') ? "icmpv6" : protocol, -1, -1, source);
    else if (!json_count(ports))
        add_rule(lowering, rules, protocol, 0, 65535, source);
    for (size_t i = 0; has_ports && i < json_count(ports); i++) {
        int from = 0, to = 0;
        int found = sscanf(json_object_get_string(json_at(ports, i)), "%d-%d", &from, &to);
        add_rule(lowering, rules, protocol, from, found == 2 ? to : from, source);
    }
}

static void lower_firewall(struct lowering *lowering)
{
    json_object *firewall = json_get_object(lowering->network, "firewall");
    json_object *asked = json_get_array(firewall, "rules"), *network = json_get_object(lowering->choices, "network");
    const char *name = json_get_string(firewall, "name"), *vpc = json_get_string(network, "vpc");
    json_object *group = add(lowering, "firewall", "aws.security_group");
    if (vpc)
        set_text(lowering, group, "vpc", vpc);
    else
        set_reference(lowering, group, "vpc", "network", "id");
    set_text(lowering, group, "name", name ? name : lowering->deployment);
    json_object *rules_input = add(lowering, "firewall/rules", "aws.security_group_rules");
    set_reference(lowering, rules_input, "group", "firewall", "id");
    json_object *rules = json_set_new_array(rules_input, "rules");
    for (size_t i = 0; i < json_count(asked); i++) {
        json_object *sources = json_get_array(json_at(asked, i), "source_ranges");
        for (size_t k = 0; k < json_count(sources); k++) {
            const char *source = json_object_get_string(json_at(sources, k));
            if (strcmp(source, "network")) {
                add_ports(lowering, rules, json_at(asked, i), source);
                continue;
            }
            /* Every address of this network: its block, or those of the existing subnets. */
            if (json_get_string(network, "cidr"))
                add_ports(lowering, rules, json_at(asked, i), json_get_string(network, "cidr"));
            for (size_t n = 0; !json_get_string(network, "cidr") && n < json_count(lowering->subnets); n++)
                add_ports(lowering, rules, json_at(asked, i), json_get_string(json_at(lowering->subnets, n), "cidr"));
        }
    }
    if (json_count(rules) == 0) /* AWS takes no empty list */
        json_object_array_del_idx(lowering->resources, json_count(lowering->resources) - 1, 1);
}

/* ---- Watching ---- */

static bool has_word(json_object *array, const char *member, const char *word)
{
    for (size_t i = 0; i < json_count(array); i++) {
        json_object *element = json_at(array, i);
        const char *text = member ? json_get_string(element, member) : json_object_get_string(element);
        if (text && !strcmp(text, word))
            return true;
    }
    return false;
}

static json_object *alerts_of(const struct lowering *lowering)
{
    json_object *monitoring = json_get_object(lowering->spec, "monitoring");
    return json_get_bool(monitoring, "enabled", true) ? json_get_array(monitoring, "alerts") : NULL;
}

static int64_t duration_of(json_object *alert)
{
    return json_get_int(alert, "duration", ALERT_DURATION_S);
}

/* IAM's names have 64 characters; a longer one ends in a hash. */
static const char *iam_name(struct lowering *lowering)
{
    const char *name = plugin_format(lowering->call, "memories-%s", lowering->deployment);
    char hash[SHA256_HEX];
    if (!name || strlen(name) <= NAME_MAX_IAM)
        return name;
    if (!hash_sha256_hex(name, strlen(name), hash))
        return NULL;
    return plugin_format(lowering->call, "%.47s-%.16s", name, hash);
}

/* What the nodes must do for it: the agent, with a role that lets it report. */
static void judge_watching(struct lowering *lowering)
{
    json_object *monitoring = json_get_object(lowering->spec, "monitoring");
    json_object *cloudwatch = json_get_object(json_get_object(lowering->spec, "logging"), "cloudwatch");
    json_object *metrics = json_get_array(monitoring, "metrics"), *alerts = alerts_of(lowering);
    if (cloudwatch && json_get_bool(cloudwatch, "enabled", true)) {
        const char *asked = json_get_string(cloudwatch, "log_group");
        lowering->log_group = asked ? asked : plugin_format(lowering->call, "/memories/%s", lowering->deployment);
        lowering->failed |= !lowering->log_group;
    }
    if (monitoring && json_get_bool(monitoring, "enabled", true))
        lowering->memory = !metrics || has_word(metrics, NULL, "memory_usage") || has_word(alerts, "type", "memory");
    for (size_t i = 0; i < json_count(alerts); i++)
        lowering->detailed |= duration_of(json_at(alerts, i)) % BASIC_PERIOD_S != 0;
    if (lowering->memory || lowering->log_group) {
        lowering->profile = iam_name(lowering);
        lowering->failed |= !lowering->profile;
    }
}

static void lower_role(struct lowering *lowering)
{
    const char *partition = json_get_string(lowering->home, "partition");
    if (!lowering->profile)
        return;
    json_object *role = add(lowering, "role", "aws.iam_role");
    set_text(lowering, role, "name", lowering->profile);
    set_text(lowering, role, "path", IAM_PATH);
    json_object *policy = add(lowering, "role/policy", "aws.iam_role_policy");
    set_reference(lowering, policy, "role", "role", "name");
    set_text(lowering, policy, "policy",
             plugin_format(lowering->call, "arn:%s:iam::aws:policy/" AGENT_POLICY, partition));
    json_object *profile = add(lowering, "profile", "aws.iam_instance_profile");
    set_text(lowering, profile, "profile", lowering->profile);
    set_text(lowering, profile, "path", IAM_PATH);
    json_object *tie = add(lowering, "profile/role", "aws.iam_instance_profile_role");
    set_reference(lowering, tie, "profile", "profile", "profile");
    set_reference(lowering, tie, "role", "role", "name");
}

/* CloudWatch Logs keeps text for certain numbers of days: the next larger one. */
static int64_t retention_of(int64_t days)
{
    static const int64_t allowed[] = { 1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                       365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653 };
    for (size_t i = 0; i < ARRAY_COUNT(allowed); i++)
        if (allowed[i] >= days)
            return allowed[i];
    return allowed[ARRAY_COUNT(allowed) - 1];
}

static void lower_logs(struct lowering *lowering)
{
    int64_t days = json_get_int(json_get_object(lowering->spec, "logging"), "retention_days", 0);
    if (!lowering->log_group)
        return;
    json_object *group = add(lowering, "logs", "aws.log_group");
    set_text(lowering, group, "log_group", lowering->log_group);
    if (days)
        lowering->failed |= json_set_int(group, "retention_days", retention_of(days));
}

static const char *topic_arn(struct lowering *lowering)
{
    return plugin_format(lowering->call, "arn:%s:sns:%s:%s:memories-%s", json_get_string(lowering->home, "partition"),
                         json_get_string(lowering->home, "region"), json_get_string(lowering->home, "account"),
                         lowering->deployment);
}

/* Everybody whom any alert names, once. Returns whether there is somebody. */
static bool lower_topic(struct lowering *lowering)
{
    AUTO_JSON json_object *told = json_object_new_array();
    json_object *alerts = alerts_of(lowering);
    for (size_t i = 0; i < json_count(alerts); i++) {
        json_object *people = json_get_array(json_at(alerts, i), "notify");
        for (size_t k = 0; k < json_count(people); k++)
            if (!has_word(told, NULL, json_object_get_string(json_at(people, k))))
                lowering->failed |= json_add(told, json_ref(json_at(people, k)));
    }
    if (!json_count(told))
        return false;
    json_object *topic = add(lowering, "topic", "aws.topic");
    set_text(lowering, topic, "name", plugin_format(lowering->call, "memories-%s", lowering->deployment));
    set_text(lowering, topic, "topic", topic_arn(lowering));
    for (size_t i = 0; i < json_count(told); i++) {
        const char *address = json_object_get_string(json_at(told, i));
        json_object *subscription =
            add(lowering, plugin_format(lowering->call, "topic/%s", address), "aws.subscription");
        set_reference(lowering, subscription, "topic", "topic", "topic");
        set_text(lowering, subscription, "address", address);
    }
    return true;
}

static void lower_alarm(struct lowering *lowering, const char *node, json_object *alert, size_t number, bool topic)
{
    const char *watched = json_get_string(alert, "type"), *node_key = plugin_format(lowering->call, "node/%s", node);
    bool is_agents = watched && !strcmp(watched, "memory");
    int64_t period = is_agents || lowering->detailed ? DETAILED_PERIOD_S : BASIC_PERIOD_S;
    int64_t periods = (duration_of(alert) + period - 1) / period;
    json_object *alarm =
        add(lowering, plugin_format(lowering->call, "alarm/%s/%zu-%s", node, number + 1, watched), "aws.alarm");
    set_text(lowering, alarm, "name",
             plugin_format(lowering->call, "memories-%s-%s-%zu-%s", lowering->deployment, node, number + 1, watched));
    set_text(lowering, alarm, "watched", watched);
    set_reference(lowering, alarm, "instance", node_key, "instance_id");
    lowering->failed |= json_set(alarm, "threshold", json_ref(json_get(alert, "threshold")));
    lowering->failed |= json_set_int(alarm, "period_s", period);
    lowering->failed |= json_set_int(alarm, "periods", periods);
    if (topic && json_count(json_get_array(alert, "notify")))
        set_reference(lowering, alarm, "topic", "topic", "topic");
}

static void lower_alarms(struct lowering *lowering)
{
    bool topic = lower_topic(lowering);
    json_object *alerts = alerts_of(lowering), *nodes = json_get_array(lowering->spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        for (size_t k = 0; k < json_count(alerts); k++)
            lower_alarm(lowering, json_get_string(json_at(nodes, i), "name"), json_at(alerts, k), k, topic);
}

/* ---- Nodes ---- */

static json_object *piece_of(const struct lowering *lowering, const char *key)
{
    for (size_t i = 0; key && i < json_count(lowering->subnets); i++)
        if (!strcmp(key_of(json_at(lowering->subnets, i)), key))
            return json_at(lowering->subnets, i);
    return NULL;
}

static void set_subnet(struct lowering *lowering, json_object *object, json_object *piece)
{
    if (json_get_string(piece, "id"))
        set_text(lowering, object, "subnet", json_get_string(piece, "id"));
    else
        set_reference(lowering, object, "subnet", key_of(piece), "id");
}

/* Nothing ties a node without an address of its own to its zone: other pieces of the same kind will do as well. */
static void add_elsewhere(struct lowering *lowering, json_object *inputs, json_object *own)
{
    json_object *places = json_set_new_array(inputs, "elsewhere");
    const char *key = json_get_string(own, "key");
    for (size_t i = 0; i < json_count(lowering->subnets); i++) {
        json_object *piece = json_at(lowering->subnets, i);
        const char *other = key_of(piece), *name = json_get_string(piece, "name");
        bool pool = strstr(other, "/pool") != NULL || json_get_string(piece, "id");
        if (piece == own || !strcmp(other, key) || !pool || (name && strcmp(name, json_get_string(own, "name")) != 0))
            continue;
        json_object *place = json_add_new_object(places);
        set_text(lowering, place, "zone", json_get_string(piece, "zone"));
        set_subnet(lowering, place, piece);
    }
}

static void add_agent(struct lowering *lowering, json_object *inputs)
{
    if (!lowering->profile)
        return;
    json_object *agent = json_set_new_object(inputs, "agent");
    lowering->failed |= json_set_bool(agent, "memory", lowering->memory);
    if (lowering->log_group)
        set_text(lowering, agent, "log_group", lowering->log_group);
    set_reference(lowering, inputs, "profile", "profile", "profile");
    depend(lowering, "profile/role");
}

static void add_groups(struct lowering *lowering, json_object *inputs)
{
    json_object *existing = json_get_array(lowering->config, "security_group_ids");
    json_object *groups = existing ? NULL : json_set_new_array(inputs, "security_groups");
    if (existing)
        lowering->failed |= json_set(inputs, "security_groups", json_ref(existing));
    else
        lowering->failed |= json_add(groups, reference("firewall", "id"));
}

static int32_t lower_node(struct lowering *lowering, json_object *node)
{
    const char *name = json_get_string(node, "name"), *key_name = json_get_string(lowering->config, "key_name");
    json_object *choice = json_get_object(json_get_object(lowering->choices, "nodes"), name);
    json_object *piece = piece_of(lowering, json_get_string(choice, "subnet"));
    const char *architecture = json_get_string(choice, "architecture"), *address = json_get_string(choice, "address");
    json_object *image = json_get_object(json_get_object(lowering->choices, "images"), architecture);
    json_object *swap = json_get(json_get_object(json_get_object(node, "hardware"), "memory"), "swap");
    if (!piece || !image)
        return plugin_fail(lowering->call, MEMORIES_INTERNAL, name, NULL, "nothing was chosen for the node %s", name);
    json_object *inputs = add(lowering, plugin_format(lowering->call, "node/%s", name), "aws.instance");
    set_text(lowering, json_at(lowering->resources, json_count(lowering->resources) - 1), "node", name);
    set_text(lowering, inputs, "name", plugin_format(lowering->call, "%s-%s", lowering->deployment, name));
    set_text(lowering, inputs, "instance_type", json_get_string(choice, "instance_type"));
    set_text(lowering, inputs, "architecture", architecture);
    set_text(lowering, inputs, "image", json_get_string(image, "id"));
    set_text(lowering, inputs, "root_device", json_get_string(image, "root_device"));
    lowering->failed |= json_set_new(inputs, "volumes", volumes_of(node, json_get_int(image, "size", 1)));
    set_text(lowering, inputs, "zone", json_get_string(choice, "zone"));
    set_subnet(lowering, inputs, piece);
    if (address)
        set_text(lowering, inputs, "address", address);
    else
        add_elsewhere(lowering, inputs, piece);
    lowering->failed |= json_set_bool(inputs, "public_ip", json_get_bool(node, "public_ip", false));
    add_groups(lowering, inputs);
    if (key_name)
        set_text(lowering, inputs, "key_name", key_name);
    if (lowering->detailed)
        lowering->failed |= json_set_bool(inputs, "detailed_monitoring", true);
    if (swap && json_object_get_double(swap) > 0)
        lowering->failed |= json_set(inputs, "swap_gb", json_ref(swap));
    add_agent(lowering, inputs);
    /* A gateway can't be taken off a network that has public addresses. */
    if (!lowering->existing && has_public_piece(lowering))
        depend(lowering, "gateway/attachment");
    lowering->failed |= json_set(inputs, "bootstrap", json_ref(json_get_object(node, "bootstrap")));
    return MEMORIES_OK;
}

/* ---- What the nodes are told ---- */

/* Nodes of a role are told much the same: of each role the one that is told most. */
static int32_t check_user_data(struct lowering *lowering)
{
    json_object *nodes = json_get_array(lowering->spec, "nodes");
    AUTO_JSON json_object *longest = json_object_new_object(), *roles = json_object_new_object();
    int failed = !longest || !roles;
    for (size_t i = 0; !failed && i < json_count(nodes); i++) {
        json_object *node = json_at(nodes, i), *bootstrap = json_get_object(node, "bootstrap");
        const char *role = json_get_string(node, "role");
        const char *text = bootstrap ? json_object_to_json_string_ext(bootstrap, JSON_C_TO_STRING_PLAIN) : NULL;
        int64_t length = text ? (int64_t)strlen(text) : 0;
        if (role && length > json_get_int(longest, role, 0))
            failed = json_set_int(longest, role, length) | json_set(roles, role, json_ref(node));
    }
    if (failed)
        return plugin_no_memory(lowering->call);
    int32_t code = MEMORIES_OK;
    json_object_object_foreach(roles, role, node) {
        (void)role;
        const char *name = json_get_string(node, "name");
        json_object *inputs = code ? NULL : inputs_of(lowering, plugin_format(lowering->call, "node/%s", name));
        code = inputs ? user_data_check(lowering->call, inputs, name) : code;
    }
    return code;
}

/* ---- The slot ---- */

static int32_t lower_all(struct lowering *lowering)
{
    json_object *nodes = json_get_array(lowering->spec, "nodes");
    int32_t code = MEMORIES_OK;
    judge_watching(lowering);
    if (!lowering->existing) {
        lower_vpc(lowering);
        lower_subnets(lowering);
        lower_routes(lowering);
    }
    if (!json_get_array(lowering->config, "security_group_ids"))
        lower_firewall(lowering);
    lower_role(lowering);
    lower_logs(lowering);
    for (size_t i = 0; !code && i < json_count(nodes); i++)
        code = lower_node(lowering, json_at(nodes, i));
    lower_alarms(lowering);
    return code ? code : check_user_data(lowering);
}

int32_t aws_lower(void *instance, struct memories_call *call, const char *request)
{
    struct aws *aws = instance;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of lower");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    struct lowering lowering = {
        .call = call,
        .config = aws->config,
        .deployment = json_get_string(document, "deployment"),
        .spec = json_get_object(document, "spec"),
        .choices = json_get_object(document, "choices"),
        .failed = json_set_int(result, "version", DOCUMENT_VERSION),
    };
    lowering.resources = json_set_new_array(result, "resources");
    lowering.network = json_get_object(lowering.spec, "network");
    lowering.home = json_get_object(lowering.choices, "home");
    lowering.subnets = json_get_array(lowering.choices, "subnets");
    lowering.existing = json_get_bool(json_get_object(lowering.choices, "network"), "existing", false);
    lowering.area = json_get_string(json_at(json_get_array(lowering.spec, "nodes"), 0), "subnet");
    for (size_t i = 0; i < json_count(lowering.subnets); i++)
        if (is_nodes_area(&lowering, json_at(lowering.subnets, i)))
            lowering.nodes_public = json_get_bool(json_at(lowering.subnets, i), "public", false);
    if (!lowering.deployment || !lowering.home)
        return plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the request of lower names no deployment or no home");
    int32_t code = lower_all(&lowering);
    if (code)
        return code;
    return lowering.failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}
