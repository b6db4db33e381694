/*
 * check.c - everything wrong with a configuration
 *
 * First what the schema says, then rules between values that no schema can say: address blocks that must lie in one
 * another, ports of a protocol without ports. What only one topology or provider knows is theirs to check.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/address.h"
#include "core/config/config.h"
#include "core/config/schema.h"

/* More are not reported. */
#define FINDINGS_MAX 100

struct findings {
    const memories_config *config;
    memories_error *first; /* a chain */
    unsigned count;
    bool no_memory; /* something went unchecked or unsaid */
};

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

/* `hint` may be NULL; path or message are NULL when there was no memory for them. */
static void add_finding(struct findings *findings, const char *path, const char *message, const char *hint)
{
    memories_error *error = NULL;
    findings->no_memory |= !path || !message;
    if (findings->no_memory)
        return;
    if (findings->count++ >= FINDINGS_MAX)
        return;
    error_set(&error, MEMORIES_INVALID, "%s", message);
    error_where(&error, "%s", path);
    if (hint)
        error_hint(&error, "%s", hint);
    config_locate(findings->config, error);
    error_chain(&findings->first, error);
}

/* What belongs beside `config`, given in it, as `--set provider=…` does; NULL for every other problem. The caller's. */
static char *hint_beside(const char *path, const char *message)
{
    static const char *const names[] = { "topology", "provider", "name" }, below[] = "config.";
    const char *name = path && !strncmp(path, below, strlen(below)) ? path + strlen(below) : "";
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        if (!strcmp(name, names[i]) && message && strstr(message, "is not a known key"))
            return text_format("it stands beside `config` in a file; on the command line give it with --%s", name);
    return NULL;
}

static void add_problem(const char *path, json_object *value, const char *message, const char *hint, void *user_data)
{
    (void)value;
    AUTO_FREE char *beside = hint_beside(path, message);
    add_finding(user_data, path, message, beside ? beside : hint);
}

/* ---- Networks ---------------------------------------------------------------------------------------------------- */

static const char *const subnet_names[] = { "public", "private" };

static bool get_block(json_object *object, struct address_block *block, const char **text)
{
    *text = json_get_string(object, "cidr");
    return *text && address_parse(*text, block) == ADDRESS_OK;
}

static bool is_enabled(json_object *subnet)
{
    return subnet && json_get_bool(subnet, "enabled", true);
}

static void check_subnet_inside(struct findings *findings, json_object *network, const char *name, json_object *subnet)
{
    struct address_block outer, inner;
    const char *outer_text, *inner_text;
    if (!get_block(network, &outer, &outer_text) || !get_block(subnet, &inner, &inner_text) ||
        address_contains(&outer, &inner))
        return;
    AUTO_FREE char *path = text_format("config.network.subnets.%s.cidr", name);
    AUTO_FREE char *message = text_format("\"%s\" does not lie in the network's \"%s\"", inner_text, outer_text);
    add_finding(findings, path, message, "choose a block inside config.network.cidr, or widen that one");
}

static void check_subnets_apart(struct findings *findings, json_object *first, json_object *second)
{
    struct address_block a, b;
    const char *a_text, *b_text;
    if (!get_block(first, &a, &a_text) || !get_block(second, &b, &b_text) || !address_overlaps(&a, &b))
        return;
    AUTO_FREE char *message = text_format("\"%s\" overlaps the public subnet's \"%s\"", b_text, a_text);
    add_finding(findings, "config.network.subnets.private.cidr", message, "give each subnet a block of its own");
}

static void check_subnets(struct findings *findings, json_object *network)
{
    json_object *subnets = json_get_object(network, "subnets"), *enabled[ARRAY_COUNT(subnet_names)];
    for (size_t i = 0; i < ARRAY_COUNT(subnet_names); i++) {
        json_object *subnet = json_get_object(subnets, subnet_names[i]);
        enabled[i] = is_enabled(subnet) ? subnet : NULL;
        check_subnet_inside(findings, network, subnet_names[i], enabled[i]);
    }
    check_subnets_apart(findings, enabled[0], enabled[1]);
}

/* ---- Firewall ---------------------------------------------------------------------------------------------------- */

static void check_rule_ports(struct findings *findings, json_object *rule, size_t index)
{
    const char *protocol = json_get_string(rule, "protocol");
    if (!protocol || (strcmp(protocol, "all") && strcmp(protocol, "icmp")) || !json_count(json_get(rule, "ports")))
        return;
    AUTO_FREE char *path = text_format("config.network.security.rules[%zu].ports", index);
    AUTO_FREE char *message = text_format("the protocol \"%s\" has no ports", protocol);
    add_finding(findings, path, message, "leave `ports` out or empty, or name tcp or udp");
}

static void check_rule_name(struct findings *findings, json_object *seen, json_object *rule, size_t index)
{
    const char *name = json_get_string(rule, "name");
    json_object *first = json_get(seen, name ? name : "");
    if (!first) {
        findings->no_memory |= name && json_set_int(seen, name, (int64_t)index);
        return;
    }
    AUTO_FREE char *path = text_format("config.network.security.rules[%zu].name", index);
    AUTO_FREE char *message =
        text_format("the rule \"%s\" stands in the list already, at [%s]", name, json_object_to_json_string(first));
    add_finding(findings, path, message, "give each rule a name of its own");
}

static void check_rules(struct findings *findings, json_object *rules)
{
    AUTO_JSON json_object *seen = json_object_new_object();
    for (size_t i = 0; i < json_count(rules); i++) {
        json_object *rule = json_object_array_get_idx(rules, i);
        check_rule_ports(findings, rule, i);
        check_rule_name(findings, seen, rule, i);
    }
}

/* ---- Entry ------------------------------------------------------------------------------------------------------- */

static void check_between_values(struct findings *findings)
{
    json_object *network = json_get_object(findings->config->config, "network");
    check_subnets(findings, network);
    check_rules(findings, json_get_array(json_get_object(network, "security"), "rules"));
}

int config_check(const memories_config *config, json_object *config_schema, memories_error **error)
{
    memories_error *broken = NULL;
    struct schema *schema = schema_compile(config_schema, "the schema of this configuration", &broken);
    if (!schema)
        return error_move(error, broken);
    struct findings findings = { .config = config };
    AUTO_JSON json_object *value = config->config ? json_ref(config->config) : json_object_new_object();
    if (!value || schema_check(schema, value, "config", add_problem, &findings) == SCHEMA_UNCHECKED)
        findings.no_memory = true;
    schema_free(schema);
    check_between_values(&findings);
    if (!findings.no_memory)
        return findings.first ? error_move(error, findings.first) : 0;
    memories_error_free(findings.first);
    return error_no_memory(error);
}
