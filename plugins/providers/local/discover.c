/* discover.c - what is there, found on disk without any record of the core's */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/definition.h"
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

/* ---- what was chosen ---- */

static int add_choice(json_object *choices, json_object *nodes, const struct local *local, const char *node)
{
    struct problem ignored;
    AUTO_JSON json_object *definition = definition_read(local, node, &ignored);
    const char *access_address = json_get_string(json_get_object(definition, "inputs"), "access_address");
    const char *root = json_get_string(json_get_object(definition, "machine"), "root");
    json_object *choice = definition ? json_set_new_object(nodes, node) : NULL;
    if (!definition)
        return 0; /* one that can't be read is told by its state */
    return json_set_string(choice, "address", json_get_string(definition, "address")) |
           (access_address ? json_set_string(choice, "access_address", access_address) : 0) |
           (root ? json_set_string(choices, "machine_root", root) : 0);
}

/* As prepare has made them, out of the records that it led to. Subnets are cut anew, which comes to the same. */
static int add_choices(json_object *choices, const struct local *local, json_object *network,
                       const struct local_names *names)
{
    const char *cidr = json_get_string(network, "cidr");
    json_object *nodes = json_set_new_object(choices, "nodes");
    int failed = json_set_string(choices, "isolation", json_get_string(network, "isolation"));
    failed |= json_set(choices, "blocks", json_ref(json_get_array(network, "blocks")));
    if (cidr)
        failed |= json_set_string(json_set_new_object(choices, "network"), "cidr", cidr);
    for (size_t i = 0; !failed && i < names->count; i++)
        failed = add_choice(choices, nodes, local, names->names[i]);
    return failed;
}

static int32_t choices_of(const struct local *local, json_object *result, struct problem *problem)
{
    AUTO_FREE char *directory = local_nodes_directory(local);
    json_object *network = NULL;
    struct local_names names;
    if (!directory)
        return problem_no_memory(problem);
    if (local_directory_list(directory, &names, problem))
        return problem->code;
    network_state(local, &network);
    int failed = network ? add_choices(json_set_new_object(result, "choices"), local, network, &names) : 0;
    json_object_put(network);
    local_names_clear(&names);
    return failed ? problem_no_memory(problem) : 0;
}

/* ---- what differs ---- */

static int add_difference(json_object *changed, const char *key, const char *name)
{
    json_object *names = json_get_array(changed, key);
    return json_add_string(names ? names : json_set_new_array(changed, key), name);
}

/* Members of `wanted` that the record has not, or not so. */
static int compare_members(json_object *changed, const char *key, json_object *wanted, json_object *record)
{
    int failed = 0;
    if (!wanted)
        return 0;
    json_object_object_foreach(wanted, name, value) {
        if (!json_object_equal(value, json_get(record, name)))
            failed |= add_difference(changed, key, name);
    }
    return failed;
}

/* What a node runs stands in its record with all put in that the supervisor needs: so is what it should run. */
static int compare_node(json_object *changed, const struct local *local, const char *key, json_object *inputs)
{
    static const char *const told[] = { "isolation", "address", "vcpus", "bootstrap", "machine" };
    struct problem problem = { 0 };
    AUTO_JSON json_object *present = definition_read(local, local_node_of_key(key), &problem);
    const struct memories_operation operation = { .size = sizeof operation,
                                                  .key = key,
                                                  .type = LOCAL_NODE_TYPE,
                                                  .token = "",
                                                  .inputs = json_object_to_json_string(inputs) };
    problem = (struct problem){ 0 };
    AUTO_JSON json_object *wanted = present ? definition_make(local, &operation, &problem) : NULL;
    if (!present || !wanted)
        return present ? MEMORIES_NO_MEMORY : 0;
    int failed = compare_members(changed, key, json_get_object(wanted, "inputs"), json_get_object(present, "inputs"));
    for (size_t i = 0; i < ARRAY_COUNT(told); i++)
        if (!json_object_equal(json_get(wanted, told[i]), json_get(present, told[i])))
            failed |= add_difference(changed, key, told[i]);
    return failed;
}

static int compare(json_object *changed, const struct local *local, json_object *resources)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        const char *key = json_get_string(json_at(resources, i), "key");
        json_object *inputs = json_get_object(json_at(resources, i), "inputs"), *network = NULL;
        if (key && inputs && local_node_of_key(key)) {
            failed = compare_node(changed, local, key, inputs);
        } else if (key && inputs) {
            network_state(local, &network);
            failed = network ? compare_members(changed, key, inputs, network) : 0;
            json_object_put(network);
        }
    }
    return failed;
}

/* ---- the slot ---- */

int32_t local_discover(void *instance, struct memories_call *call, const char *request)
{
    const struct local *local = instance;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of discover");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *resources = json_set_new_array(result, "resources");
    struct problem problem = { 0 };
    if (!resources)
        return plugin_no_memory(call);
    const char *deployment = json_get_string(document, "deployment");
    json_object *asked = json_get_array(document, "resources");
    if (find(instance, deployment, resources, &problem))
        return problem_fail(call, &problem);
    struct local one = { .state = local->state, .deployment = (char *)deployment };
    if (deployment && choices_of(&one, result, &problem))
        return problem_fail(call, &problem);
    if (deployment && asked && compare(json_set_new_object(result, "changed"), &one, asked))
        return plugin_no_memory(call);
    return plugin_result(call, STEAL(result));
}
