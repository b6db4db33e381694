/* local.c - the provider's entry points */
#include "plugins/providers/local/local.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/files.h"

char *local_claims_directory(const struct local *local)
{
    return local_format("%s/claims", local->state);
}

char *local_deployment_directory(const struct local *local)
{
    return local_format("%s/%s", local->state, local->deployment);
}

char *local_nodes_directory(const struct local *local)
{
    return local_format("%s/%s/nodes", local->state, local->deployment);
}

char *local_node_directory(const struct local *local, const char *node)
{
    return local_format("%s/%s/nodes/%s", local->state, local->deployment, node);
}

/* The name becomes part of paths, of a namespace's name and of scripts. */
bool local_node_name_allowed(const char *name)
{
    return name[0] && name[0] != '.' && name[0] != '-' && strlen(name) <= LOCAL_NODE_NAME_MAX &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

bool local_is_machine(const char *isolation)
{
    return isolation && !strcmp(isolation, "machine");
}

bool local_has_namespaces(const char *isolation)
{
    return local_is_machine(isolation) || (isolation && !strcmp(isolation, "namespace"));
}

const char *local_node_of_key(const char *key)
{
    size_t length = strlen(LOCAL_NODE_PREFIX);
    return strncmp(key, LOCAL_NODE_PREFIX, length) || !local_node_name_allowed(key + length) ? NULL : key + length;
}

MEMORIES_PLUGIN_DESCRIPTION(
    description,
    "{\"version\": 1,"
    " \"summary\": \"this machine: each node is a supervised directory, with namespaces of its own where root allows\","
    " \"schema\": {\"properties\": {"
    "   \"isolation\": {\"type\": \"string\", \"enum\": [\"auto\", \"process\", \"namespace\", \"machine\"],"
    "     \"description\": \"process: nodes are processes on loopback addresses; namespace: own network, mounts,"
    " processes and host name; machine (root only): a systemd of their own too, booted with the user data that they"
    " would get on a cloud; auto: namespace where possible\"}}},"
    " \"cheap_read\": true,"
    " \"resource_types\": {"
    "   \"" LOCAL_NETWORK_TYPE "\": {\"title\": \"network\", \"is_node\": false, \"power\": false,"
    "     \"replace_on\": [\"isolation\"], \"batch_max\": 0, \"timeout_s\": 60},"
    "   \"" LOCAL_NODE_TYPE "\": {\"title\": \"node\", \"is_node\": true, \"power\": true,"
    "     \"replace_on\": [\"isolation\", \"machine_root\", \"address\", \"access_address\", \"subnet\"],"
    "     \"batch_max\": 0, \"timeout_s\": 600}}}")

static int32_t describe(struct memories_call *call)
{
    return plugin_host->result(call, description);
}

static void close_instance(void *instance)
{
    struct local *local = instance;
    json_object_put(local->config);
    free(local->deployment);
    free(local->state);
    free(local);
}

static int32_t open_instance(struct memories_call *call, const char *request, void **instance)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of open");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *state_dir = json_get_string(document, "state_dir");
    const char *deployment = json_get_string(document, "deployment");
    if (!state_dir || state_dir[0] != '/')
        return plugin_fail(call, MEMORIES_INTERNAL, "state_dir", NULL, "the local provider needs an absolute state_dir");
    if (deployment && (!*deployment || *deployment == '.' || strchr(deployment, '/')))
        return plugin_fail(call, MEMORIES_INVALID, "deployment", NULL, "\"%s\" can't be the name of a directory",
                           deployment);
    struct local *local = calloc(1, sizeof *local);
    if (!local)
        return plugin_no_memory(call);
    AUTO_FREE char *resolved = realpath(state_dir, NULL);
    local->state = local_format("%s/local", resolved ? resolved : state_dir);
    local->deployment = deployment ? strdup(deployment) : NULL;
    local->config = json_ref(json_get_object(document, "config"));
    if (!local->state || (deployment && !local->deployment)) {
        close_instance(local);
        return plugin_no_memory(call);
    }
    *instance = local;
    return MEMORIES_OK;
}

typedef int32_t batch_function(const struct batch *batch);

static int32_t run_batch(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                         size_t count, batch_function *network, batch_function *nodes)
{
    struct batch batch = { .local = instance, .call = call, .operations = operations, .count = count };
    if (!count)
        return MEMORIES_OK;
    if (!batch.local->deployment)
        return plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the provider was opened without a deployment");
    const char *type = operations[0]->type;
    if (!strcmp(type, LOCAL_NETWORK_TYPE))
        return network(&batch);
    if (!strcmp(type, LOCAL_NODE_TYPE) && nodes)
        return nodes(&batch);
    return plugin_fail(call, MEMORIES_UNSUPPORTED, operations[0]->key, NULL, "the local provider can't do this to a %s",
                       type);
}

static int32_t create(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    return run_batch(instance, call, operations, count, network_create, nodes_create);
}

static int32_t read_batch(void *instance, struct memories_call *call,
                          const struct memories_operation *const *operations, size_t count)
{
    return run_batch(instance, call, operations, count, network_read, nodes_read);
}

static int32_t update(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    return run_batch(instance, call, operations, count, network_update, nodes_update);
}

static int32_t destroy(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                       size_t count)
{
    return run_batch(instance, call, operations, count, network_destroy, nodes_destroy);
}

static int32_t network_has_no_power(const struct batch *batch)
{
    return plugin_fail(batch->call, MEMORIES_UNSUPPORTED, batch->operations[0]->key, NULL,
                       "a network can't be switched on or off");
}

static int32_t power(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                     size_t count)
{
    return run_batch(instance, call, operations, count, network_has_no_power, nodes_power);
}

static const struct memories_provider_ops local_ops = {
    .size = sizeof local_ops,
    .init = plugin_init,
    .describe = describe,
    .open = open_instance,
    .close = close_instance,
    .prepare = local_prepare,
    .lower = local_lower,
    .create = create,
    .read = read_batch,
    .update = update,
    .destroy = destroy,
    .power = power,
    .discover = local_discover,
    .metrics = local_metrics,
    .logs = local_logs,
    .doctor = local_doctor,
};

MEMORIES_PLUGIN(provider, local, "1.0.0", "Apache-2.0", NULL, MEMORIES_THREADS_CONCURRENT, 0, &local_ops,
                sizeof local_ops)
