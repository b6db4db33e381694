/* discover.c - what is there, found on disk without any record of the core's */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/local.h"

static const char *state_name(uint32_t state)
{
    static const char *const names[] = { "absent", "pending", "ready", "stopped", "broken" };
    return state < ARRAY_COUNT(names) ? names[state] : "broken";
}

/* `outputs` is taken over. */
static int add_resource(json_object *resources, const struct local *local, const char *key, const char *type,
                        uint32_t state, json_object *outputs)
{
    json_object *resource = json_add_new_object(resources);
    int failed = json_set_string(resource, "deployment", local->deployment);
    failed |= json_set_string(resource, "key", key);
    failed |= json_set_string(resource, "type", type);
    failed |= json_set_string(resource, "state", state_name(state));
    return failed | json_set_new(resource, "outputs", outputs);
}

static int add_network(json_object *resources, const struct local *local)
{
    json_object *network = NULL;
    uint32_t state = network_state(local, &network);
    /* Absent, but there is a directory: nodes that wait for their network. It is a resource all the same. */
    int failed = add_resource(resources, local, LOCAL_NETWORK_KEY, LOCAL_NETWORK_TYPE, state, network_outputs(network));
    json_object_put(network);
    return failed;
}

static int add_node(json_object *resources, const struct local *local, const char *node)
{
    json_object *definition = NULL;
    AUTO_FREE char *key = local_format(LOCAL_NODE_PREFIX "%s", node);
    uint32_t state = node_state(local, node, &definition);
    int failed = key ? add_resource(resources, local, key, LOCAL_NODE_TYPE, state, node_outputs(definition))
                     : MEMORIES_NO_MEMORY;
    json_object_put(definition);
    return failed;
}

static int32_t add_deployment(json_object *resources, const struct local *local, struct problem *problem)
{
    AUTO_FREE char *directory = local_nodes_directory(local);
    struct local_names nodes;
    if (!directory)
        return problem_no_memory(problem);
    if (local_directory_list(directory, &nodes, problem))
        return problem->code;
    int failed = add_network(resources, local);
    for (size_t i = 0; !failed && i < nodes.count; i++)
        failed = add_node(resources, local, nodes.names[i]);
    local_names_clear(&nodes);
    return failed ? problem_no_memory(problem) : 0;
}

static int32_t find(const struct local *local, const char *wanted, json_object *resources, struct problem *problem)
{
    struct local_names deployments;
    if (local_directory_list(local->state, &deployments, problem))
        return problem->code;
    int32_t failed = 0;
    for (size_t i = 0; !failed && i < deployments.count; i++) {
        struct local one = { .state = local->state, .deployment = deployments.names[i] };
        if (strcmp(one.deployment, "claims") != 0 && (!wanted || !strcmp(one.deployment, wanted)))
            failed = add_deployment(resources, &one, problem);
    }
    local_names_clear(&deployments);
    return failed;
}

int32_t local_discover(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of discover");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *resources = json_set_new_array(result, "resources");
    struct problem problem = { 0 };
    if (!resources)
        return plugin_no_memory(call);
    if (find(instance, json_get_string(document, "deployment"), resources, &problem))
        return problem_fail(call, &problem);
    return plugin_result(call, STEAL(result));
}
