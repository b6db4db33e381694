/* lower.c - from a spec, and the addresses chosen for it, to the network and its nodes; pure */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/local.h"

struct lowering {
    json_object *spec;
    json_object *choices;
    json_object *resources;
    bool has_namespaces;
};

static json_object *choice_of(const struct lowering *lowering, const char *node)
{
    return json_get_object(json_get_object(lowering->choices, "nodes"), node);
}

static json_object *find_by_name(json_object *array, const char *name)
{
    for (size_t i = 0; i < json_count(array); i++) {
        const char *candidate = json_get_string(json_at(array, i), "name");
        if (candidate && !strcmp(candidate, name))
            return json_at(array, i);
    }
    return NULL;
}

/* {"cidr", "gateway"}: the gateway is the first address. Without the name, which makes no difference on this machine:
 * nodes are not made anew because their subnet is renamed. */
static json_object *subnet_input(json_object *subnet)
{
    struct block block = { 0 };
    char gateway[BLOCK_TEXT_BYTES];
    if (!block_parse(json_get_string(subnet, "cidr"), &block))
        return NULL;
    block_address_format(block.address + 1, gateway);
    AUTO_JSON json_object *input = json_object_new_object();
    int failed = json_set_string(input, "cidr", json_get_string(subnet, "cidr"));
    failed |= json_set_string(input, "gateway", gateway);
    return failed ? NULL : STEAL(input);
}

static json_object *hosts_input(const struct lowering *lowering)
{
    AUTO_JSON json_object *hosts = json_object_new_object();
    json_object *nodes = json_get_array(lowering->spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *name = json_get_string(json_at(nodes, i), "name");
        if (json_set_string(hosts, name, json_get_string(choice_of(lowering, name), "address")))
            return NULL;
    }
    return STEAL(hosts);
}

static int add_namespace_inputs(const struct lowering *lowering, json_object *inputs)
{
    json_object *network = json_get_object(lowering->choices, "network");
    json_object *firewall = json_get_object(json_get_object(lowering->spec, "network"), "firewall");
    json_object *chosen = json_get_array(network, "subnets");
    int failed = json_set_string(inputs, "cidr", json_get_string(network, "cidr"));
    json_object *subnets = json_set_new_array(inputs, "subnets");
    for (size_t i = 0; i < json_count(chosen); i++) {
        json_object *subnet = subnet_input(json_at(chosen, i));
        failed |= subnet ? json_add(subnets, subnet) : MEMORIES_NO_MEMORY;
    }
    failed |= json_set(inputs, "firewall", json_ref(firewall));
    failed |= json_set_new(inputs, "hosts", hosts_input(lowering));
    return failed;
}

static int lower_network(const struct lowering *lowering)
{
    json_object *resource = json_add_new_object(lowering->resources);
    json_object *network = json_get_object(lowering->spec, "network");
    const char *name = json_get_string(network, "name");
    int failed = json_set_string(resource, "key", LOCAL_NETWORK_KEY);
    failed |= json_set_string(resource, "type", LOCAL_NETWORK_TYPE);
    json_object *inputs = json_set_new_object(resource, "inputs");
    failed |= json_set_string(inputs, "isolation", json_get_string(lowering->choices, "isolation"));
    failed |= json_set_string(inputs, "name", name ? name : "default");
    failed |= json_set(inputs, "blocks", json_ref(json_get_array(lowering->choices, "blocks")));
    if (lowering->has_namespaces)
        failed |= add_namespace_inputs(lowering, inputs);
    return json_set_new_array(resource, "depends_on") ? failed : MEMORIES_NO_MEMORY;
}

/* Names the node's port in the fabric: unique, since blocks are only ever added behind those that are there. */
static int64_t port_number(const struct lowering *lowering, const char *access_address)
{
    uint32_t address;
    json_object *blocks = json_get_array(lowering->choices, "blocks");
    for (size_t i = 0; block_address_parse(access_address, &address) && i < json_count(blocks); i++) {
        struct block block;
        if (block_parse(json_object_get_string(json_at(blocks, i)), &block) && block_contains(block, address))
            return (int64_t)(i * block_size(block) + (address - block.address));
    }
    return 0;
}

static const char *machine_type(json_object *machine)
{
    static const char *const keys[] = { "machine_type", "instance_type", "vm_size" };
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (json_get_string(machine, keys[i]))
            return json_get_string(machine, keys[i]);
    return NULL;
}

static int add_connection(const struct lowering *lowering, json_object *node, json_object *inputs)
{
    json_object *choice = choice_of(lowering, json_get_string(node, "name"));
    const char *access_address = json_get_string(choice, "access_address");
    json_object *subnets = json_get_array(json_get_object(lowering->choices, "network"), "subnets");
    const char *wanted = json_get_string(choice, "subnet");
    int failed = json_set_new(inputs, "subnet", subnet_input(find_by_name(subnets, wanted ? wanted : "")));
    failed |= json_set_string(inputs, "access_address", access_address);
    failed |= json_set_int(inputs, "port", port_number(lowering, access_address));
    return failed;
}

static int lower_node(const struct lowering *lowering, json_object *node, struct memories_call *call)
{
    const char *name = json_get_string(node, "name");
    json_object *choice = choice_of(lowering, name);
    json_object *machine = json_get_object(node, "machine");
    json_object *cpu = json_get_object(json_get_object(node, "hardware"), "cpu");
    json_object *resource = json_add_new_object(lowering->resources);
    char *key = plugin_format(call, LOCAL_NODE_PREFIX "%s", name);
    int failed = json_set_string(resource, "key", key);
    failed |= json_set_string(resource, "type", LOCAL_NODE_TYPE);
    failed |= json_set_string(resource, "node", name);
    json_object *inputs = json_set_new_object(resource, "inputs");
    failed |= json_set_string(inputs, "isolation", json_get_string(lowering->choices, "isolation"));
    if (json_get(lowering->choices, "machine_root"))
        failed |= json_set_string(inputs, "machine_root", json_get_string(lowering->choices, "machine_root"));
    failed |= json_set_string(inputs, "address", json_get_string(choice, "address"));
    if (lowering->has_namespaces)
        failed |= add_connection(lowering, node, inputs);
    failed |= json_set_bool(inputs, "public_ip", json_get_bool(node, "public_ip", false));
    failed |= json_set_string(inputs, "zone", json_get_string(machine, "zone"));
    failed |= json_set_string(inputs, "machine_type", machine_type(machine));
    failed |= json_set_int(inputs, "vcpus", json_get_int(cpu, "vcpus", 0));
    failed |= json_set(inputs, "bootstrap", json_ref(json_get_object(node, "bootstrap")));
    failed |= json_add_string(json_set_new_array(resource, "depends_on"), LOCAL_NETWORK_KEY);
    return key ? failed : MEMORIES_NO_MEMORY;
}

int32_t local_lower(void *instance, struct memories_call *call, const char *request)
{
    (void)instance;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of lower");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    int failed = json_set_int(result, "version", DOCUMENT_VERSION);
    struct lowering lowering = {
        .spec = json_get_object(document, "spec"),
        .choices = json_get_object(document, "choices"),
        .resources = json_set_new_array(result, "resources"),
    };
    lowering.has_namespaces = local_has_namespaces(json_get_string(lowering.choices, "isolation"));
    failed |= lower_network(&lowering);
    json_object *nodes = json_get_array(lowering.spec, "nodes");
    for (size_t i = 0; !failed && i < json_count(nodes); i++) {
        const char *name = json_get_string(json_at(nodes, i), "name");
        if (!name || !choice_of(&lowering, name))
            return plugin_fail(call, MEMORIES_INTERNAL, name, NULL, "no address was chosen for the node %s",
                               name ? name : "");
        failed = lower_node(&lowering, json_at(nodes, i), call);
    }
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}
