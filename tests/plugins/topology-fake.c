/*
 * topology-fake.c - a topology for tests: any number of nodes that only have to be there
 *
 * Config: fake_nodes (how many of role "member", default 1), fake_nodes_max (no more when they follow the load),
 * fake_witnesses (how many of role "witness", default 0), fake_content (stands in every node's bootstrap: another value is
 * an update), fake_machine (the nodes' machine: another value is a new node), fake_max_unavailable and fake_replace (the
 * rollout's), fake_converge_ms (converge says "not yet" for so long), fake_patience_ms (and then something else, until that
 * has not changed for so long). It names node1 the leader. What plan was told of nodes that came after others stands in the
 * spec as fake_founders and fake_joined. fake_services is what status says that they run.
 *
 * It lets nodes go after fake_release_ms, all at once or, with fake_release_one, one in each call; its messages tell what it
 * was asked. It refuses a check when fake_release_refused is set, and fails while the file fake_release_file is there.
 *
 * Compiled with FAKE_FIXED it is topology "fixed": no node comes or goes.
 */
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"

#ifdef FAKE_FIXED
#define FAKE_NAME fixed
#else
#define FAKE_NAME fake
#endif

static const char description[] =
    "{\"version\": 1, \"summary\": \"nodes that do nothing, for tests\", \"schema\": {\"properties\": {"
    "  \"fake_nodes\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 2000},"
    "  \"fake_nodes_max\": {\"type\": \"integer\", \"minimum\": 1},"
    "  \"fake_witnesses\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 2000},"
    "  \"fake_services\": {\"type\": \"array\"},"
    "  \"fake_release_ms\": {\"type\": \"integer\", \"minimum\": 0},"
    "  \"fake_release_one\": {\"type\": \"boolean\"},"
    "  \"fake_release_refused\": {\"type\": \"boolean\"},"
    "  \"fake_release_file\": {\"type\": \"string\"},"
    "  \"fake_content\": {\"type\": \"string\"},"
    "  \"fake_machine\": {\"type\": \"string\"},"
    "  \"fake_replace\": {\"type\": \"boolean\"},"
    "  \"fake_max_unavailable\": {\"type\": \"integer\", \"minimum\": 0},"
    "  \"fake_patience_ms\": {\"type\": \"integer\", \"minimum\": 0},"
    "  \"fake_converge_ms\": {\"type\": \"integer\", \"minimum\": 0}}}}";

static int32_t fake_describe(struct memories_call *call)
{
    return plugin_host->result(call, description);
}

static int add_node(struct memories_call *call, json_object *nodes, const char *role, const char *name, int64_t number,
                    json_object *config)
{
    json_object *node = json_add_new_object(nodes);
    const char *content = json_get_string(config, "fake_content"), *machine = json_get_string(config, "fake_machine");
    json_object *bootstrap = json_set_new_object(node, "bootstrap");
    json_object *file = json_add_new_object(json_set_new_array(bootstrap, "files"));
    name = plugin_format(call, "%s%lld", name, (long long)number);
    return !name || json_set_string(node, "name", name) || json_set_string(node, "role", role) ||
           json_set_string(file, "path", "%c/content") || json_set_string(file, "content", content ? content : "") ||
           json_set_string(file, "mode", "0644") ||
           (machine && json_set_string(json_set_new_object(node, "machine"), "instance_type", machine));
}

static int add_nodes(struct memories_call *call, json_object *spec, json_object *config)
{
    json_object *nodes = json_set_new_array(spec, "nodes");
    int failed = 0;
    for (int64_t i = 1; !failed && i <= json_get_int(config, "fake_nodes", 1); i++)
        failed = add_node(call, nodes, "member", "node", i, config);
    for (int64_t i = 1; !failed && i <= json_get_int(config, "fake_witnesses", 0); i++)
        failed = add_node(call, nodes, "witness", "witness", i, config);
    return failed;
}

static int copy_members(json_object *from, json_object *to, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (json_get(from, keys[i]) && json_set(to, keys[i], json_ref(json_get(from, keys[i]))))
            return MEMORIES_NO_MEMORY;
    return 0;
}

#ifdef FAKE_FIXED
static int add_scaling(json_object *spec, json_object *config)
{
    (void)spec;
    (void)config;
    return 0;
}
#else
static int add_group(json_object *groups, const char *role, const char *key, json_object *config, int64_t count)
{
    json_object *group = json_set_new_object(groups, role);
    json_object *most = strcmp(key, "fake_nodes") ? NULL : json_get(config, "fake_nodes_max");
    return json_set_string(group, "config", key) || json_set_int(group, "count", json_get_int(config, key, count)) ||
           json_set_int(group, "min", count) || (most && json_set(group, "max", json_ref(most)));
}

static int add_scaling(json_object *spec, json_object *config)
{
    static const char *const keys[] = { "target_cpu_utilization", "scale_up_cooldown", "scale_down_cooldown" };
    json_object *scaling = json_set_new_object(spec, "scaling"), *groups = json_set_new_object(scaling, "groups");
    return add_group(groups, "member", "fake_nodes", config, 1) ||
           add_group(groups, "witness", "fake_witnesses", config, 0) ||
           json_set_string(scaling, "automatic", "member") ||
           copy_members(json_get_object(config, "scaling"), scaling, keys, ARRAY_COUNT(keys));
}
#endif

static int32_t fake_plan(struct memories_call *call, const char *request)
{
    /* What the other slots have to know comes to them in the spec. */
    static const char *const keys[] = { "fake_converge_ms",  "fake_patience_ms",     "fake_release_ms",
                                        "fake_release_one",  "fake_release_refused", "fake_release_file",
                                        "fake_services" };
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of plan");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *config = json_get_object(document, "config");
    AUTO_JSON json_object *spec = json_object_new_object();
    json_object *network = json_set_new_object(spec, "network");
    json_object *rollout = json_set_new_object(spec, "rollout");
    json_object *founders = json_get(document, "founders"), *joined = json_get(document, "joined");
    int failed = json_set_int(spec, "version", 1) || json_set_string(spec, "topology", MEMORIES_STRINGIFY(FAKE_NAME)) ||
                 json_set_string(network, "cidr", "10.99.0.0/16") ||
                 json_set_int(rollout, "max_unavailable", json_get_int(config, "fake_max_unavailable", 0)) ||
                 json_set_bool(rollout, "replace", json_get_bool(config, "fake_replace", true)) ||
                 add_nodes(call, spec, config) || add_scaling(spec, config) ||
                 (founders && json_set(spec, "fake_founders", json_ref(founders))) ||
                 (joined && json_set(spec, "fake_joined", json_ref(joined))) ||
                 copy_members(config, spec, keys, ARRAY_COUNT(keys));
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
    json_object *nodes = json_get_array(document, "nodes"), *spec = json_get_object(document, "spec");
    if (count_ready(nodes) != json_count(nodes) ||
        json_get_int(document, "elapsed_ms", 0) < json_get_int(spec, "fake_converge_ms", 0))
        return plugin_host->result(call, "{\"done\": false, \"message\": \"waiting for the nodes\", \"poll_after_ms\": 2}");
    const char *before = json_get_string(document, "waiting_for");
    int64_t waited_ms = before && !strcmp(before, "losing patience") ? json_get_int(document, "waiting_ms", 0) : 0;
    if (waited_ms < json_get_int(spec, "fake_patience_ms", 0))
        return plugin_host->result(call, "{\"done\": false, \"message\": \"losing patience\", \"poll_after_ms\": 2}");
    return plugin_result(call, formed(nodes));
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
    json_object *services = json_get(json_get_object(document, "spec"), "fake_services");
    failed = failed || (services && json_set(result, "services", json_ref(services)));
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}

#ifdef FAKE_FIXED
#define fake_release NULL
#else

static char *add_names(struct memories_call *call, char *text, json_object *names, const char *member)
{
    for (size_t i = 0; text && i < json_count(names); i++) {
        json_object *name = json_at(names, i);
        const char *word = member ? json_get_string(name, member) : json_object_get_string(name);
        text = plugin_format(call, "%s %s", text, word ? word : "?");
    }
    return text;
}

/* "scale: node3 node4 of node1 node2 node3 node4": the request in one line. */
static const char *describe_release(struct memories_call *call, json_object *request)
{
    const char *forced = json_get_string(request, "force_new_cluster"), *reason = json_get_string(request, "reason");
    char *text = plugin_format(call, "%s:", reason ? reason : "?");
    text = add_names(call, text, json_get_array(request, "leaving"), NULL);
    text = text ? plugin_format(call, "%s of", text) : NULL;
    text = add_names(call, text, json_get_array(request, "nodes"), "name");
    return text && forced ? plugin_format(call, "%s, %s begins anew", text, forced) : text;
}

static int32_t fake_release(struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of release");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *spec = json_get_object(document, "spec"), *leaving = json_get_array(document, "leaving");
    const char *file = json_get_string(spec, "fake_release_file"), *message = describe_release(call, document);
    bool is_check = json_get_bool(document, "check", false);
    if (!message)
        return plugin_no_memory(call);
    if (is_check && json_get_bool(spec, "fake_release_refused", false))
        return plugin_fail(call, MEMORIES_CONFLICT, "config.fake_nodes", "keep them", "they can't go: %s", message);
    if (!is_check && file && access(file, F_OK) == 0)
        return plugin_fail(call, MEMORIES_FAILED, file, "remove the file", "they don't go: %s", message);
    size_t count = json_count(leaving), free_now = json_get_bool(spec, "fake_release_one", false) && count ? 1 : count;
    if (json_get_int(document, "elapsed_ms", 0) < json_get_int(spec, "fake_release_ms", 0))
        free_now = 0;
    AUTO_JSON json_object *answer = json_object_new_object();
    json_object *released = json_set_new_array(answer, "released");
    int failed = json_set_bool(answer, "done", free_now == count) || json_set_string(answer, "message", message) ||
                 json_set_int(answer, "poll_after_ms", 2);
    for (size_t i = 0; !failed && i < free_now; i++)
        failed = json_add(released, json_ref(json_at(leaving, i)));
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(answer));
}
#endif

static const struct memories_topology_ops ops = {
    .size = sizeof ops,
    .init = plugin_init,
    .describe = fake_describe,
    .plan = fake_plan,
    .converge = fake_converge,
    .status = fake_status,
    .release = fake_release,
};

/* The name is put in before the macro makes words of it. */
#define FAKE_PLUGIN(name) \
    MEMORIES_PLUGIN(topology, name, "1.0.0", "Apache-2.0", "https://github.com/memories-dev/memories", \
                    MEMORIES_THREADS_CONCURRENT, 1, &ops, sizeof ops)
FAKE_PLUGIN(FAKE_NAME)
