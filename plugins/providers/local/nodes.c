/* nodes.c - the resource local.node: a supervised directory, with a network namespace where there is a fabric */
#include "plugins/providers/local/nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/definition.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/local.h"
#include "plugins/providers/local/node/node_client.h"
#include "plugins/providers/local/nspawn.h"
#include "plugins/providers/local/program.h"
#include "plugins/providers/local/rootless.h"
#include "plugins/providers/local/rootless/holder.h"

/* How often the core asks whether the commands of a node's bootstrap are done. */
#define COMMANDS_POLL_MS 100
#define STATUS_TIMEOUT_MS 2000
/* What a node that is being removed gets to end by itself; nobody will miss what it writes then. */
#define REMOVE_TIMEOUT_MS 1000
/* What the supervisor may need on top of its services' own time. */
#define STOP_MARGIN_MS 5000

/* ---- what is there ---- */

static bool has_unfinished_commands(json_object *definition, const char *directory)
{
    json_object *commands = json_get_array(json_get_object(definition, "bootstrap"), "commands");
    AUTO_FREE char *mark = local_format("%s/run/commands-done", directory);
    return json_count(commands) && !(mark && local_exists(mark));
}

/* A running node whose commands are not done: still at it, or stuck with a failed one. */
static uint32_t state_of_commands(const char *directory, struct problem *problem)
{
    struct node_error error;
    AUTO_FREE char *text = node_status(directory, STATUS_TIMEOUT_MS, &error);
    AUTO_JSON json_object *status = text ? json_tokener_parse(text) : NULL;
    const char *commands = json_get_string(status, "commands");
    if (!commands || !strcmp(commands, "running"))
        return MEMORIES_STATE_PENDING;
    if (strcmp(commands, "failed") != 0)
        return MEMORIES_STATE_READY;
    problem_set(problem, MEMORIES_FAILED, "a command of the node's bootstrap failed");
    const char *cause = json_get_string(status, "commands_error");
    AUTO_FREE char *log = local_format("%s/log/commands.log", directory);
    AUTO_FREE char *said = log ? local_file_last_line(log) : NULL;
    problem_cause(problem, "%s%s%s", cause ? cause : "", said ? ": " : "", said ? said : "");
    problem_hint(problem, "all that it said is in %s, if --keep-on-failure keeps the node", log ? log : directory);
    return MEMORIES_STATE_BROKEN;
}

/* Without root a node goes with what holds its namespaces: its supervisor is about to end. */
static bool has_lost_holder(json_object *definition)
{
    const char *holder = json_get_string(definition, "holder");
    return holder && !holder_pid(holder);
}

/* It would start with an empty one, as if it had never run: a member of a cluster that has forgotten what it agreed to. */
static bool has_lost_data(const char *directory, struct problem *problem)
{
    AUTO_FREE char *data = local_format("%s/data", directory);
    if (!data || local_exists(data))
        return false;
    problem_set(problem, MEMORIES_FAILED, "the node's data are gone");
    problem_cause(problem, "there is no %s", data);
    return true;
}

/* *problem tells why a node is broken; *definition is the caller's. */
static uint32_t find_state(const struct local *local, const char *node, json_object **definition,
                           struct problem *problem)
{
    *definition = NULL;
    AUTO_FREE char *directory = local_node_directory(local, node);
    if (!directory || !local_exists(directory))
        return MEMORIES_STATE_ABSENT;
    *definition = definition_read(local, node, problem);
    if (!*definition || has_lost_data(directory, problem))
        return MEMORIES_STATE_BROKEN;
    if (!node_is_running(directory) || has_lost_holder(*definition))
        return MEMORIES_STATE_STOPPED;
    if (json_get(*definition, "machine"))
        return nspawn_state(directory, problem);
    return has_unfinished_commands(*definition, directory) ? state_of_commands(directory, problem)
                                                           : MEMORIES_STATE_READY;
}

uint32_t node_state(const struct local *local, const char *node, json_object **definition)
{
    struct problem ignored;
    return find_state(local, node, definition, &ignored);
}

json_object *node_outputs(json_object *definition)
{
    json_object *inputs = json_get_object(definition, "inputs");
    const char *private_address = json_get_string(definition, "address");
    const char *access_address = json_get_string(inputs, "access_address");
    const char *address = access_address ? access_address : private_address;
    json_object *outputs = json_object_new_object();
    int failed = json_set_string(outputs, "instance_id", json_get_string(definition, "instance_id"));
    failed |= json_set_string(outputs, "address", address);
    failed |= json_set_string(outputs, "private_address", private_address);
    failed |= json_set_string(outputs, "public_ip", json_get_bool(inputs, "public_ip", false) ? address : NULL);
    failed |= json_set_string(outputs, "zone", json_get_string(inputs, "zone"));
    failed |= json_set_string(outputs, "machine_type", json_get_string(inputs, "machine_type"));
    failed |= json_set_string(outputs, "isolation", json_get_string(definition, "isolation"));
    if (!failed)
        return outputs;
    json_object_put(outputs);
    return NULL;
}

int32_t plugged_nodes_read(const struct local *local, struct plugged_nodes *nodes, struct problem *problem)
{
    *nodes = (struct plugged_nodes){ 0 };
    AUTO_FREE char *directory = local_nodes_directory(local);
    struct local_names names;
    if (!directory)
        return problem_no_memory(problem);
    if (local_directory_list(directory, &names, problem))
        return problem->code;
    nodes->plugs = calloc(names.count + 1, sizeof *nodes->plugs);
    nodes->definitions = calloc(names.count + 1, sizeof *nodes->definitions);
    int32_t failed = nodes->plugs && nodes->definitions ? 0 : problem_no_memory(problem);
    for (size_t i = 0; !failed && i < names.count; i++) {
        struct problem ignored; /* a half-made node is nobody's problem here */
        json_object *definition = definition_read(local, names.names[i], &ignored);
        if (definition && definition_plug(definition, &nodes->plugs[nodes->count]))
            nodes->definitions[nodes->count++] = definition;
        else
            json_object_put(definition);
    }
    local_names_clear(&names);
    if (failed)
        plugged_nodes_clear(nodes);
    return failed;
}

void plugged_nodes_clear(struct plugged_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        json_object_put(nodes->definitions[i]);
    free(nodes->definitions);
    free(nodes->plugs);
    *nodes = (struct plugged_nodes){ 0 };
}

/* ---- removing ---- */

static void blame(struct problem *problem, const struct node_job *job)
{
    if (job->result && !problem->code)
        problem_from_node(problem, &job->error);
}

/* Plugs of nodes to be removed: also of those of which only a namespace is left. */
static void unplug(const struct local *local, const char *const *names, size_t count, struct problem *problems)
{
    struct fabric_names fabric;
    fabric_names(local, &fabric);
    struct fabric_plug *plugs = calloc(count + 1, sizeof *plugs);
    json_object **definitions = calloc(count + 1, sizeof *definitions);
    char **spaces = calloc(count + 1, sizeof *spaces);
    struct problem problem = { 0 };
    if (!plugs || !definitions || !spaces)
        problem_no_memory(&problem);
    for (size_t i = 0; !problem.code && i < count; i++) {
        struct problem ignored;
        definitions[i] = definition_read_retired(local, names[i], &ignored);
        spaces[i] = fabric_node_space(&fabric, names[i]);
        if (!spaces[i])
            problem_no_memory(&problem);
        if (!definition_plug(definitions[i], &plugs[i]))
            plugs[i] = (struct fabric_plug){ .space = spaces[i] };
        plugs[i].node = names[i];
    }
    if (!problem.code)
        fabric_unplug(local, plugs, count, &problem);
    for (size_t i = 0; i < count; i++) {
        if (problem.code && !problems[i].code)
            problems[i] = problem;
        if (definitions)
            json_object_put(definitions[i]);
        if (spaces)
            free(spaces[i]);
    }
    free(spaces);
    free(definitions);
    free(plugs);
}

/* Each step is for all nodes at once; one that failed for a node leaves the rest of it for the next try. */
void nodes_remove(const struct local *local, const char *const *names, size_t count, struct problem *problems)
{
    struct node_job *jobs = calloc(count + 1, sizeof *jobs);
    char **directories = calloc(count + 1, sizeof *directories);
    size_t *positions = calloc(count + 1, sizeof *positions);
    size_t present = 0;
    for (size_t i = 0; i < count; i++) {
        char *directory = jobs && directories && positions ? local_node_directory(local, names[i]) : NULL;
        if (!directory) {
            problem_no_memory(&problems[i]);
        } else if (!local_exists(directory)) {
            free(directory);
        } else {
            jobs[present].directory = directories[present] = directory;
            positions[present++] = i;
        }
    }
    for (size_t i = 0; i < present; i++)
        definition_retire(local, names[positions[i]], &problems[positions[i]]);
    /* A start under way has read its definition already and is waited for and stopped, or will find none. */
    node_stop_all(jobs, present, REMOVE_TIMEOUT_MS);
    for (size_t i = 0; i < present; i++)
        blame(&problems[positions[i]], &jobs[i]);
    if (fabric_may_exist(local))
        unplug(local, names, count, problems);
    for (size_t i = 0; i < present; i++) {
        if (!problems[positions[i]].code)
            rootless_directory_remove(directories[i], &problems[positions[i]]);
        free(directories[i]);
    }
    free(positions);
    free(directories);
    free(jobs);
}

/* ---- batches ---- */

/* One operation on its way through a batch. */
struct work {
    const char *node;
    char *directory;
    json_object *definition;
    bool starts; /* it shall run when the batch is done */
    bool restarts; /* it runs, but something else */
    struct problem problem;
};

static struct work *works_new(const struct batch *batch)
{
    struct work *works = calloc(batch->count, sizeof *works);
    for (size_t i = 0; works && i < batch->count; i++) {
        works[i].node = local_node_of_key(batch->operations[i]->key);
        if (works[i].node)
            works[i].directory = local_node_directory(batch->local, works[i].node);
        if (!works[i].node)
            problem_set(&works[i].problem, MEMORIES_INTERNAL, "\"%s\" is no key of a node", batch->operations[i]->key);
        else if (!works[i].directory)
            problem_no_memory(&works[i].problem);
    }
    return works;
}

static void works_free(struct work *works, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(works[i].directory);
        json_object_put(works[i].definition);
    }
    free(works);
}

/* All nodes of the batch that are to run and have a namespace. The fabric does them in one go, so they fail together. */
static void plug_works(const struct batch *batch, struct work *works)
{
    struct fabric_plug *plugs = calloc(batch->count, sizeof *plugs);
    size_t count = 0;
    struct problem problem = { 0 };
    if (!plugs)
        problem_no_memory(&problem);
    for (size_t i = 0; plugs && i < batch->count; i++)
        if (!works[i].problem.code && works[i].starts)
            count += definition_plug(works[i].definition, &plugs[count]);
    if (count)
        fabric_plug(batch->local, plugs, count, &problem);
    free(plugs);
    if (!problem.code)
        return;
    for (size_t i = 0; i < batch->count; i++)
        if (!works[i].problem.code && works[i].starts && json_get(works[i].definition, "network_namespace"))
            works[i].problem = problem;
}

typedef size_t node_function(struct node_job *jobs, size_t count, const void *argument);

static size_t start_jobs(struct node_job *jobs, size_t count, const void *program)
{
    return node_start_all(jobs, count, program);
}

static size_t stop_jobs(struct node_job *jobs, size_t count, const void *timeout_ms)
{
    return node_stop_all(jobs, count, *(const uint32_t *)timeout_ms);
}

/* Does `function` to all nodes that are chosen and well so far. */
static void run_jobs(const struct batch *batch, struct work *works, const bool *chosen, node_function *function,
                     const void *argument)
{
    struct node_job *jobs = calloc(batch->count, sizeof *jobs);
    size_t *positions = calloc(batch->count, sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (works[i].problem.code || !chosen[i])
            continue;
        if (!jobs || !positions) {
            problem_no_memory(&works[i].problem);
            continue;
        }
        jobs[count].directory = works[i].directory;
        positions[count++] = i;
    }
    if (count)
        function(jobs, count, argument);
    for (size_t i = 0; i < count; i++)
        blame(&works[positions[i]].problem, &jobs[i]);
    free(positions);
    free(jobs);
}

/* Connects and starts the nodes that shall run. */
static void start_works(const struct batch *batch, struct work *works)
{
    struct problem problem = { 0 };
    AUTO_FREE char *program = local_supervisor(&problem);
    AUTO_FREE bool *chosen = calloc(batch->count, sizeof *chosen);
    if (!chosen)
        problem_no_memory(&problem);
    for (size_t i = 0; i < batch->count; i++) {
        if (!works[i].starts || works[i].problem.code)
            continue;
        plugin_host->progress(batch->call, i, "starts");
        if (problem.code)
            works[i].problem = problem;
        else
            chosen[i] = true;
    }
    if (problem.code)
        return;
    plug_works(batch, works);
    run_jobs(batch, works, chosen, start_jobs, program);
}

/* Stops the nodes that `chosen` names, with the time that the slowest of their services may take. */
static void stop_works(const struct batch *batch, struct work *works, const bool *chosen)
{
    uint32_t timeout_ms = 0;
    for (size_t i = 0; i < batch->count; i++) {
        uint32_t one = chosen[i] ? definition_stop_timeout_ms(works[i].definition) : 0;
        timeout_ms = one > timeout_ms ? one : timeout_ms;
    }
    timeout_ms += STOP_MARGIN_MS;
    run_jobs(batch, works, chosen, stop_jobs, &timeout_ms);
}

static void answer(const struct batch *batch, struct work *works)
{
    for (size_t i = 0; i < batch->count; i++) {
        json_object *found = NULL;
        struct problem *problem = &works[i].problem;
        uint32_t state = MEMORIES_STATE_BROKEN;
        if (!problem->code)
            state = find_state(batch->local, works[i].node, &found, problem);
        if (problem->code)
            problem_fail_operation(batch->call, i, problem);
        else
            plugin_operation_result(batch->call, i, state, node_outputs(works[i].definition), COMMANDS_POLL_MS);
        json_object_put(found);
    }
}

/* What an earlier generation left under the same name, or a removal that was cut short, must not be mixed with the new
 * node. */
static void remove_strangers(const struct batch *batch, struct work *works)
{
    const char **names = calloc(batch->count, sizeof *names);
    struct problem *problems = calloc(batch->count, sizeof *problems);
    size_t *positions = calloc(batch->count, sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (!names || !problems || !positions) {
            problem_no_memory(&works[i].problem);
            continue;
        }
        if (works[i].problem.code || !local_exists(works[i].directory))
            continue;
        struct problem ignored;
        AUTO_JSON json_object *existing = definition_read(batch->local, works[i].node, &ignored);
        const char *token = json_get_string(existing, "token");
        if (token && !strcmp(token, batch->operations[i]->token))
            continue;
        names[count] = works[i].node;
        positions[count++] = i;
    }
    if (count)
        nodes_remove(batch->local, names, count, problems);
    for (size_t i = 0; i < count; i++)
        if (problems[i].code)
            works[positions[i]].problem = problems[i];
    free(positions);
    free(problems);
    free(names);
}

int32_t nodes_create(const struct batch *batch)
{
    struct work *works = works_new(batch);
    if (!works)
        return plugin_no_memory(batch->call);
    remove_strangers(batch, works);
    for (size_t i = 0; i < batch->count; i++) {
        struct work *work = &works[i];
        bool changed = false;
        if (work->problem.code)
            continue;
        work->starts = batch->operations[i]->power_on;
        work->definition = definition_make(batch->local, batch->operations[i], &work->problem);
        if (work->definition)
            definition_write(batch->local, batch->call, work->definition, &changed, &work->problem);
    }
    start_works(batch, works);
    answer(batch, works);
    works_free(works, batch->count);
    return MEMORIES_OK;
}

int32_t nodes_read(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const char *node = local_node_of_key(batch->operations[i]->key);
        AUTO_JSON json_object *definition = NULL;
        struct problem problem = { 0 };
        uint32_t state = node ? find_state(batch->local, node, &definition, &problem) : MEMORIES_STATE_ABSENT;
        /* Broken has no room for a reason; it goes to the operator's log. */
        if (state == MEMORIES_STATE_BROKEN)
            plugin_log(batch->call, MEMORIES_LOG_ERROR, "%s: %s: %s", batch->operations[i]->key, problem.message,
                       problem.cause);
        plugin_operation_result(batch->call, i, state, definition ? node_outputs(definition) : NULL, COMMANDS_POLL_MS);
    }
    return MEMORIES_OK;
}

/* Puts the new definition in place of the old one; a node that runs what is no longer wanted is to be restarted. */
static void redefine(const struct batch *batch, size_t index, struct work *work)
{
    struct problem ignored;
    AUTO_JSON json_object *old = definition_read(batch->local, work->node, &ignored);
    bool changed = false, runs = node_is_running(work->directory);
    work->definition = definition_make(batch->local, batch->operations[index], &work->problem);
    if (work->problem.code)
        return;
    if (definition_write(batch->local, batch->call, work->definition, &changed, &work->problem))
        return;
    work->restarts = runs && (changed || !definition_runs_alike(old, work->definition));
    work->starts = work->restarts;
}

int32_t nodes_update(const struct batch *batch)
{
    struct work *works = works_new(batch);
    AUTO_FREE bool *chosen = calloc(batch->count, sizeof *chosen);
    if (!works || !chosen) {
        works_free(works, works ? batch->count : 0);
        return plugin_no_memory(batch->call);
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!works[i].problem.code)
            redefine(batch, i, &works[i]);
        chosen[i] = works[i].restarts;
    }
    stop_works(batch, works, chosen);
    start_works(batch, works);
    answer(batch, works);
    works_free(works, batch->count);
    return MEMORIES_OK;
}

int32_t nodes_destroy(const struct batch *batch)
{
    struct work *works = works_new(batch);
    const char **names = calloc(batch->count, sizeof *names);
    struct problem *problems = calloc(batch->count, sizeof *problems);
    size_t count = 0;
    for (size_t i = 0; works && names && i < batch->count; i++) {
        plugin_host->progress(batch->call, i, "removes the node");
        if (!works[i].problem.code)
            names[count++] = works[i].node;
    }
    if (works && names && problems)
        nodes_remove(batch->local, names, count, problems);
    for (size_t i = 0, removed = 0; works && i < batch->count; i++) {
        if (!problems || !names)
            problem_no_memory(&works[i].problem);
        else if (!works[i].problem.code)
            works[i].problem = problems[removed++];
        if (works[i].problem.code)
            problem_fail_operation(batch->call, i, &works[i].problem);
        else
            plugin_operation_result(batch->call, i, MEMORIES_STATE_ABSENT, NULL, 0);
    }
    free(problems);
    free(names);
    if (!works)
        return plugin_no_memory(batch->call);
    works_free(works, batch->count);
    return MEMORIES_OK;
}

/* What is on disk is enough to start again: names may have come, and secrets may have changed. */
static void refresh(const struct batch *batch, struct work *work)
{
    bool changed = false;
    if (work->starts && !definition_set_hosts(batch->local, work->definition, &work->problem))
        definition_write(batch->local, batch->call, work->definition, &changed, &work->problem);
}

int32_t nodes_power(const struct batch *batch)
{
    struct work *works = works_new(batch);
    AUTO_FREE bool *stops = calloc(batch->count, sizeof *stops);
    if (!works || !stops) {
        works_free(works, works ? batch->count : 0);
        return plugin_no_memory(batch->call);
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct work *work = &works[i];
        if (work->problem.code)
            continue;
        work->definition = definition_read(batch->local, work->node, &work->problem);
        if (!work->definition)
            continue;
        work->starts = batch->operations[i]->power_on;
        stops[i] = !work->starts;
        refresh(batch, work);
        if (stops[i])
            plugin_host->progress(batch->call, i, "stops");
    }
    stop_works(batch, works, stops);
    start_works(batch, works);
    answer(batch, works);
    works_free(works, batch->count);
    return MEMORIES_OK;
}
