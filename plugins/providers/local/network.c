/*
 * network.c - the resource local.network: a deployment's claims on addresses and, with namespaces, its fabric
 *
 * It is the first to be made and the last to go, so it also owns the deployment's directory: destroying it takes
 * everything along that is still in there.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/fabric.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/local.h"
#include "plugins/providers/local/nodes.h"
#include "plugins/providers/local/rootless.h"

static char *record_path(const struct local *local)
{
    return local_format("%s/%s/network.json", local->state, local->deployment);
}

static bool has_namespaces(json_object *network)
{
    return local_has_namespaces(json_get_string(network, "isolation"));
}

static bool is_whole(const struct local *local, json_object *network)
{
    return json_get_bool(network, "ready", false) && (!has_namespaces(network) || fabric_exists(local));
}

static bool has_nodes(const struct local *local)
{
    AUTO_FREE char *directory = local_nodes_directory(local);
    struct local_names nodes;
    struct problem ignored;
    if (!directory || local_directory_list(directory, &nodes, &ignored))
        return false;
    size_t count = nodes.count;
    local_names_clear(&nodes);
    return count > 0;
}

/*
 * Namespaces don't outlive the machine. Then the network is absent, and made again around the nodes, which keep their
 * data. Without nodes nothing is lost by removing what is left, so that is broken.
 */
uint32_t network_state(const struct local *local, json_object **network)
{
    AUTO_FREE char *path = record_path(local);
    AUTO_FREE char *directory = local_deployment_directory(local);
    struct problem ignored;
    *network = path ? local_json_read(path, &ignored) : NULL;
    if (*network && is_whole(local, *network))
        return MEMORIES_STATE_READY;
    if (!directory || !local_exists(directory))
        return MEMORIES_STATE_ABSENT;
    return has_nodes(local) ? MEMORIES_STATE_ABSENT : MEMORIES_STATE_BROKEN;
}

json_object *network_outputs(json_object *network)
{
    json_object *outputs = json_object_new_object();
    int failed = json_set_string(outputs, "id", json_get_string(network, "id"));
    failed |= json_set_string(outputs, "name", json_get_string(network, "name"));
    failed |= json_set_string(outputs, "isolation", json_get_string(network, "isolation"));
    failed |= json_set_string(outputs, "cidr", json_get_string(network, "cidr"));
    failed |= json_set(outputs, "addresses", json_ref(json_get_array(network, "blocks")));
    if (!failed)
        return outputs;
    json_object_put(outputs);
    return NULL;
}

/* Keeps the claims on `blocks` (NULL: on none) and releases every other one that the deployment holds. */
static int32_t release_other_claims(const struct local *local, json_object *blocks, struct problem *problem)
{
    AUTO_FREE char *claims = local_claims_directory(local);
    AUTO_JSON json_object *kept = json_object_new_object();
    int failed = !claims || !kept;
    for (size_t i = 0; i < json_count(blocks); i++)
        failed |= json_set_bool(kept, json_object_get_string(json_at(blocks, i)), true);
    if (failed)
        return problem_no_memory(problem);
    struct local_names names;
    if (local_directory_list(claims, &names, problem))
        return problem->code;
    for (size_t i = 0; i < names.count && !failed; i++) {
        struct block block;
        char *separator = strchr(names.names[i], '_');
        if (separator)
            *separator = '/';
        if (!json_get(kept, names.names[i]) && block_parse(names.names[i], &block))
            failed = block_release(claims, block, local->deployment, problem);
    }
    local_names_clear(&names);
    if (!blocks)
        rmdir(claims); /* fails while others have claims */
    return failed;
}

static int32_t take_claims(const struct local *local, json_object *network, struct problem *problem)
{
    AUTO_FREE char *claims = local_claims_directory(local);
    json_object *blocks = json_get_array(network, "blocks");
    if (!claims)
        return problem_no_memory(problem);
    for (size_t i = 0; i < json_count(blocks); i++) {
        struct block block;
        if (!block_parse(json_object_get_string(json_at(blocks, i)), &block))
            return problem_set(problem, MEMORIES_INTERNAL, "the network's blocks of addresses are damaged");
        if (block_claim(claims, block, local->deployment, problem))
            return problem->code;
    }
    return release_other_claims(local, blocks, problem);
}

static int32_t remove_nodes(const struct local *local, struct problem *problem)
{
    AUTO_FREE char *directory = local_nodes_directory(local);
    struct local_names nodes;
    if (!directory)
        return problem_no_memory(problem);
    if (local_directory_list(directory, &nodes, problem))
        return problem->code;
    struct problem *problems = calloc(nodes.count + 1, sizeof *problems);
    if (problems)
        nodes_remove(local, (const char *const *)nodes.names, nodes.count, problems);
    int32_t failed = problems ? 0 : problem_no_memory(problem);
    for (size_t i = 0; problems && !failed && i < nodes.count; i++) {
        failed = problems[i].code;
        if (failed)
            *problem = problems[i];
    }
    free(problems);
    local_names_clear(&nodes);
    return failed;
}

int32_t network_remove(const struct local *local, struct problem *problem)
{
    AUTO_FREE char *directory = local_deployment_directory(local);
    if (!directory)
        return problem_no_memory(problem);
    if (remove_nodes(local, problem) || (fabric_may_exist(local) && fabric_remove(local, problem)) ||
        release_other_claims(local, NULL, problem) || rootless_directory_remove(directory, problem))
        return problem->code;
    rmdir(local->state); /* fails while there are other deployments */
    return 0;
}

/* The record: the inputs, and what the provider knows besides. */
static json_object *make_record(const struct local *local, const struct memories_operation *operation,
                                struct problem *problem)
{
    struct fabric_names names;
    fabric_names(local, &names);
    AUTO_JSON json_object *record = json_tokener_parse(operation->inputs ? operation->inputs : "{}");
    int failed = json_set_int(record, "version", DOCUMENT_VERSION);
    failed |= json_set_string(record, "id", names.space);
    failed |= json_set_string(record, "deployment", local->deployment);
    failed |= json_set_string(record, "token", operation->token);
    failed |= json_set_int(record, "generation", operation->generation);
    failed |= json_set_bool(record, "ready", false);
    if (!failed)
        return STEAL(record);
    problem_no_memory(problem);
    return NULL;
}

/* After a reboot the nodes are still there: they get their connections back. */
static int32_t build(const struct local *local, json_object *record, bool whole, struct problem *problem)
{
    if (!has_namespaces(record))
        return 0;
    if (fabric_make(local, record, whole, problem))
        return problem->code;
    struct plugged_nodes nodes;
    if (plugged_nodes_read(local, &nodes, problem))
        return problem->code;
    if (!fabric_plug(local, nodes.plugs, nodes.count, problem) && whole)
        fabric_filter(local, nodes.plugs, nodes.count, problem);
    plugged_nodes_clear(&nodes);
    return problem->code;
}

static int32_t make(const struct local *local, json_object *record, bool whole, struct problem *problem)
{
    AUTO_FREE char *directory = local_deployment_directory(local);
    AUTO_FREE char *path = record_path(local);
    if (!directory || !path)
        return problem_no_memory(problem);
    /* The directory before the claims: a claim whose holder has none is nobody's. */
    if (local_directory_make(directory, problem) || take_claims(local, record, problem) ||
        local_json_write(path, record, problem) || build(local, record, whole, problem))
        return problem->code;
    if (json_set_bool(record, "ready", true))
        return problem_no_memory(problem);
    return local_json_write(path, record, problem);
}

static int32_t create_one(const struct local *local, const struct memories_operation *operation, json_object **record,
                          struct problem *problem)
{
    AUTO_JSON json_object *existing = NULL;
    uint32_t state = network_state(local, &existing);
    const char *token = json_get_string(existing, "token");
    if (state == MEMORIES_STATE_READY && token && !strcmp(token, operation->token)) {
        *record = STEAL(existing);
        return 0;
    }
    *record = make_record(local, operation, problem);
    if (!*record || make(local, *record, false, problem) == 0)
        return problem->code;
    /* A network that could not be made leaves nothing, unless there are nodes that want it back. */
    struct problem ignored = { 0 };
    if (!has_nodes(local))
        network_remove(local, &ignored);
    return problem->code;
}

static int32_t update_one(const struct local *local, const struct memories_operation *operation, json_object **record,
                          struct problem *problem)
{
    AUTO_JSON json_object *existing = NULL;
    bool whole = network_state(local, &existing) == MEMORIES_STATE_READY;
    *record = make_record(local, operation, problem);
    return *record ? make(local, *record, whole, problem) : problem->code;
}

static int32_t answer(const struct batch *batch, size_t index, uint32_t state, json_object *network)
{
    json_object *outputs = network ? network_outputs(network) : NULL;
    return plugin_operation_result(batch->call, index, state, outputs, 0);
}

/* A deployment has one network; a batch of several is none of ours, but each gets its answer. */
int32_t network_create(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        AUTO_JSON json_object *record = NULL;
        struct problem problem = { 0 };
        plugin_host->progress(batch->call, i, "makes the network");
        if (create_one(batch->local, batch->operations[i], &record, &problem))
            problem_fail_operation(batch->call, i, &problem);
        else
            answer(batch, i, MEMORIES_STATE_READY, record);
    }
    return MEMORIES_OK;
}

int32_t network_read(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        AUTO_JSON json_object *record = NULL;
        uint32_t state = network_state(batch->local, &record);
        answer(batch, i, state, record);
    }
    return MEMORIES_OK;
}

int32_t network_update(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        AUTO_JSON json_object *record = NULL;
        struct problem problem = { 0 };
        if (update_one(batch->local, batch->operations[i], &record, &problem))
            problem_fail_operation(batch->call, i, &problem);
        else
            answer(batch, i, MEMORIES_STATE_READY, record);
    }
    return MEMORIES_OK;
}

int32_t network_destroy(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct problem problem = { 0 };
        plugin_host->progress(batch->call, i, "removes the network");
        if (network_remove(batch->local, &problem))
            problem_fail_operation(batch->call, i, &problem);
        else
            answer(batch, i, MEMORIES_STATE_ABSENT, NULL);
    }
    return MEMORIES_OK;
}
