/*
 * topology-fake.c - a topology for tests: any number of nodes that only have to be there
 *
 * Config: fake_nodes (how many, default 1), fake_content (stands in every node's bootstrap: another value is an
 * update), fake_machine (the nodes' machine: another value is a new node), fake_max_unavailable and fake_replace (the
 * rollout's), fake_converge_ms (converge says "not yet" for so long). It names node1 the leader.
 */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"

static const char description[] =
    "{\"version\": 1, \"summary\": \"nodes that do nothing, for tests\", \"schema\": {\"properties\": {"
    "  \"fake_nodes\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 2000},"
    "  \"fake_content\": {\"type\": \"string\"},"
    "  \"fake_machine\": {\"type\": \"string\"},"
    "  \"fake_replace\": {\"type\": \"boolean\"},"
    "  \"fake_max_unavailable\": {\"type\": \"integer\", \"minimum\": 0},"
    "  \"fake_converge_ms\": {\"type\": \"integer\", \"minimum\": 0}}}}";

static int32_t fake_describe(struct memories_call *call)
{
    return plugin_host->result(call, description);
}

static int add_node(struct memories_call *call, json_object *nodes, int64_t number, json_object *config)
{
    json_object *node = json_add_new_object(nodes);
    const char *content = json_get_string(config, "fake_content"), *machine = json_get_string(config, "fake_machine");
    json_object *bootstrap = json_set_new_object(node, "bootstrap");
    json_object *file = json_add_new_object(json_set_new_array(bootstrap, "files"));
    const char *name = plugin_format(call, "node%lld", (long long)number);
    return !name || json_set_string(node, "name", name) || json_set_string(node, "role", "member") ||
           json_set_string(file, "path", "%c/content") || json_set_string(file, "content", content ? content : "") ||
           json_set_string(file, "mode", "0644") ||
           (machine && json_set_string(json_set_new_object(node, "machine"), "instance_type", machine));
}

static int32_t fake_plan(struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of plan");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *config = json_get_object(document, "config");
    AUTO_JSON json_object *spec = json_object_new_object();
    json_object *network = json_set_new_object(spec, "network");
    json_object *nodes = json_set_new_array(spec, "nodes");
    json_object *rollout = json_set_new_object(spec, "rollout");
    int failed = json_set_int(spec, "version", 1) || json_set_string(spec, "topology", "fake") ||
                 json_set_string(network, "cidr", "10.99.0.0/16") ||
                 json_set_int(rollout, "max_unavailable", json_get_int(config, "fake_max_unavailable", 0)) ||
                 json_set_bool(rollout, "replace", json_get_bool(config, "fake_replace", true));
    for (int64_t i = 1; !failed && i <= json_get_int(config, "fake_nodes", 1); i++)
        failed = add_node(call, nodes, i, config);
    /* What converge has to know comes to it in the spec. */
    failed = failed || json_set_int(spec, "fake_converge_ms", json_get_int(config, "fake_converge_ms", 0));
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(spec));
}

static size_t count_ready(json_object *nodes)
{
    size_t ready = 0;
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *state = json_get_string(json_at(nodes, i), "state");
        ready += state && !strcmp(state, "ready");
    }
    return ready;
}

static json_object *formed(json_object *nodes)
{
    AUTO_JSON json_object *answer = json_object_new_object();
    json_object *result = json_set_new_object(answer, "result");
    json_object *followers = json_set_new_array(result, "follower_nodes");
    int failed = json_set_bool(answer, "done", true) ||
                 json_set_string(result, "leader_node", json_get_string(json_at(nodes, 0), "name"));
    for (size_t i = 1; !failed && i < json_count(nodes); i++)
        failed = json_add_string(followers, json_get_string(json_at(nodes, i), "name"));
    return failed ? NULL : STEAL(answer);
}

static int32_t fake_converge(struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of converge");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *nodes = json_get_array(document, "nodes");
    int64_t wanted_ms = json_get_int(json_get_object(document, "spec"), "fake_converge_ms", 0);
    if (count_ready(nodes) == json_count(nodes) && json_get_int(document, "elapsed_ms", 0) >= wanted_ms)
        return plugin_result(call, formed(nodes));
    return plugin_host->result(call, "{\"done\": false, \"message\": \"waiting for the nodes\", \"poll_after_ms\": 2}");
}

static int add_member(json_object *members, json_object *node)
{
    json_object *member = json_add_new_object(members);
    const char *state = json_get_string(node, "state");
    return json_set_string(member, "name", json_get_string(node, "name")) ||
           json_set_string(member, "role", json_get_string(node, "role")) ||
           json_set_bool(member, "healthy", state && !strcmp(state, "ready")) ||
           json_set_string(member, "address", json_get_string(json_get_object(node, "outputs"), "address"));
}

static int32_t fake_status(struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of status");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *nodes = json_get_array(document, "nodes");
    size_t ready = count_ready(nodes), count = json_count(nodes);
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *members = json_set_new_array(result, "members");
    int failed =
        json_set_string(result, "status", ready == count ? "running" : ready ? "degraded" : "stopped") ||
        json_set_string(result, "leader", ready ? json_get_string(json_at(nodes, 0), "name") : NULL) ||
        json_set_int(result, "term", 1) || json_set_int(result, "committed_index", 1) ||
        json_set_int(result, "applied_index", 1);
    for (size_t i = 0; !failed && i < count; i++)
        failed = add_member(members, json_at(nodes, i));
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}

static const struct memories_topology_ops ops = {
    .size = sizeof ops,
    .init = plugin_init,
    .describe = fake_describe,
    .plan = fake_plan,
    .converge = fake_converge,
    .status = fake_status,
};

MEMORIES_PLUGIN(topology, fake, "1.0.0", "Apache-2.0", "https://github.com/memories-dev/memories",
                MEMORIES_THREADS_CONCURRENT, 0, &ops, sizeof ops)
