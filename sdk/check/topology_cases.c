/* topology_cases.c - what topologies must do */
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "sdk/check/probe.h"
#include "sdk/check/scene.h"

/* ---- plan -------------------------------------------------------------------------------------------------------- */

static bool has_subnet(json_object *spec, const char *name)
{
    json_object *subnets = json_get_array(json_get_object(spec, "network"), "subnets");
    for (size_t i = 0; i < json_count(subnets); i++) {
        const char *known = json_get_string(json_object_array_get_idx(subnets, i), "name");
        if (known && !strcmp(known, name))
            return true;
    }
    return false;
}

static void check_nodes(struct check *check, json_object *spec)
{
    json_object *nodes = json_get_array(spec, "nodes");
    AUTO_JSON json_object *seen = json_object_new_object();
    for (size_t i = 0; i < json_count(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        const char *name = json_get_string(node, "name"), *subnet = json_get_string(node, "subnet");
        if (json_get(seen, name))
            check_fail(check, "plan", NULL, "two nodes are called %s", name);
        json_set_bool(seen, name, true);
        if (subnet && !has_subnet(spec, subnet))
            check_fail(check, "plan", "name one of network.subnets", "node %s is in the subnet %s, which is not there",
                       name, subnet);
    }
}

void case_plan(struct check *check)
{
    struct scene scene;
    if (scene_begin(&scene, check, "plan")) {
        const char *topology = json_get_string(scene.spec, "topology");
        if (topology && strcmp(topology, check->plugin->name))
            check_fail(check, "plan", NULL, "the spec is of the topology \"%s\", expected \"%s\"", topology,
                       check->plugin->name);
        check_nodes(check, scene.spec);
    }
    scene_end(&scene);
}

/* ---- converge, status -------------------------------------------------------------------------------------------- */

/* Node states that a topology may be asked in; NULL: each node in another one. */
static const char *const states[] = { "ready", "stopped", "absent", "pending", "broken", NULL };

static void check_converge_answer(struct check *check, json_object *answer, const char *state)
{
    json_object *done = json_get(answer, "done");
    if (!json_object_is_type(done, json_type_boolean))
        check_fail(check, "converge",
                   "{\"done\": false, \"message\", \"poll_after_ms\"} or {\"done\": true, \"result\"}",
                   "with nodes that are %s, its result has no boolean `done`", state);
    else if (!json_object_get_boolean(done) && !json_get_string(answer, "message"))
        check_fail(check, "converge", "say what it waits for: the operator sees it",
                   "with nodes that are %s, it is not done and has no message", state);
    else if (json_object_get_boolean(done) && json_get(answer, "result") && !json_get_object(answer, "result"))
        check_fail(check, "converge", NULL, "with nodes that are %s, `result` is no object", state);
}

/* One slot with nodes in each state. A failure must be told completely; whether it may fail at all is its own affair.
 */
typedef void answer_check(struct check *check, struct scene *scene, json_object *answer, const char *state);

static void for_each_state(struct check *check, struct scene *scene, const char *slot, answer_check *judge)
{
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        const char *state = states[i] ? states[i] : "in different states";
        AUTO_JSON json_object *request = scene_nodes_request(scene, states[i]);
        AUTO_ERROR memories_error *error = NULL;
        AUTO_JSON json_object *answer = request ? check_call(check, check_slot(slot), NULL, request, &error) : NULL;
        if (answer)
            judge(check, scene, answer, state);
        else if (memories_error_code(error) == MEMORIES_INTERNAL)
            check_fail(check, slot, memories_error_hint(error), "with nodes that are %s: %s", state,
                       memories_error_message(error));
        else
            check_told_error(check, slot, error);
    }
}

static void judge_converge(struct check *check, struct scene *scene, json_object *answer, const char *state)
{
    (void)scene;
    check_converge_answer(check, answer, state);
}

void case_converge(struct check *check)
{
    struct scene scene;
    if (!check->plugin->ops.topology.converge) {
        check_not_applicable(check, "it has no converge");
        return;
    }
    probe.http = PROBE_HTTP_UNREACHABLE;
    if (scene_begin(&scene, check, "converge"))
        for_each_state(check, &scene, "converge", judge_converge);
    scene_end(&scene);
}

static bool is_status(const char *status)
{
    static const char *const words[] = { "running", "degraded", "unavailable", "stopped" };
    for (size_t i = 0; status && i < ARRAY_COUNT(words); i++)
        if (!strcmp(words[i], status))
            return true;
    return false;
}

static bool is_planned(struct scene *scene, const char *name)
{
    json_object *nodes = json_get_array(scene->spec, "nodes");
    for (size_t i = 0; name && i < json_count(nodes); i++)
        if (!strcmp(json_get_string(json_object_array_get_idx(nodes, i), "name"), name))
            return true;
    return false;
}

static bool is_member(json_object *members, const char *name)
{
    for (size_t i = 0; i < json_count(members); i++) {
        const char *member = json_get_string(json_object_array_get_idx(members, i), "name");
        if (member && !strcmp(member, name))
            return true;
    }
    return false;
}

static void judge_status(struct check *check, struct scene *scene, json_object *answer, const char *state)
{
    const char *status = json_get_string(answer, "status");
    json_object *members = json_get_array(answer, "members");
    bool none_is_ready = strcmp(state, "ready") && strcmp(state, "in different states");
    if (!is_status(status))
        check_fail(check, "status", "running, degraded, unavailable or stopped",
                   "with nodes that are %s, its status is \"%s\"", state, status ? status : "(none)");
    else if (none_is_ready && !strcmp(status, "running"))
        check_fail(check, "status", "look at the nodes' states", "with nodes that are %s, its status is \"running\"",
                   state);
    if (!members)
        check_fail(check, "status", "one for each node: {\"name\", \"role\", \"healthy\", …}",
                   "with nodes that are %s, its result has no array `members`", state);
    json_object *nodes = json_get_array(scene->spec, "nodes");
    for (size_t i = 0; members && i < json_count(nodes); i++) {
        const char *name = json_get_string(json_object_array_get_idx(nodes, i), "name");
        if (!is_member(members, name))
            check_fail(check, "status", "one for each node: {\"name\", \"role\", \"healthy\", …}",
                       "with nodes that are %s, it doesn't tell of node %s", state, name);
    }
    for (size_t i = 0; i < json_count(members); i++) {
        const char *name = json_get_string(json_object_array_get_idx(members, i), "name");
        if (!is_planned(scene, name))
            check_fail(check, "status", NULL, "with nodes that are %s, member %zu is called \"%s\", like no node",
                       state, i, name ? name : "");
    }
}

void case_status(struct check *check)
{
    struct scene scene;
    if (!check->plugin->ops.topology.status) {
        check_not_applicable(check, "it has no status");
        return;
    }
    probe.http = PROBE_HTTP_UNREACHABLE;
    if (scene_begin(&scene, check, "status"))
        for_each_state(check, &scene, "status", judge_status);
    scene_end(&scene);
}

/* ---- release ----------------------------------------------------------------------------------------------------- */

static bool is_in(json_object *names, json_object *name)
{
    for (size_t i = 0; i < json_count(names); i++)
        if (json_equal(json_object_array_get_idx(names, i), name))
            return true;
    return false;
}

static void judge_release(struct check *check, json_object *request, json_object *answer, const char *state)
{
    json_object *done = json_get(answer, "done"), *released = json_get(answer, "released");
    if (!json_object_is_type(done, json_type_boolean))
        check_fail(check, "release", "{\"done\", \"released\": [names], \"message\", \"poll_after_ms\"}",
                   "with nodes that are %s, its result has no boolean `done`", state);
    else if (!json_object_get_boolean(done) && !json_get_string(answer, "message"))
        check_fail(check, "release", "say what it waits for: the operator sees it",
                   "with nodes that are %s, it is not done and has no message", state);
    for (size_t i = 0; i < json_count(released); i++)
        if (!is_in(json_get_array(request, "leaving"), json_object_array_get_idx(released, i)))
            check_fail(check, "release", "name nodes of `leaving` only: what is released is destroyed",
                       "with nodes that are %s, it released %s, which was not to go", state,
                       json_object_get_string(json_object_array_get_idx(released, i)));
}

void case_release(struct check *check)
{
    struct scene scene;
    if (!check->plugin->ops.topology.release) {
        check_not_applicable(check, "it has no release");
        return;
    }
    probe.http = PROBE_HTTP_UNREACHABLE;
    bool begun = scene_begin(&scene, check, "release");
    for (size_t i = 0; begun && i < ARRAY_COUNT(states); i++) {
        const char *state = states[i] ? states[i] : "in different states";
        AUTO_JSON json_object *request = scene_release_request(&scene, states[i]);
        AUTO_ERROR memories_error *error = NULL;
        AUTO_JSON json_object *answer =
            request ? check_call(check, check_slot("release"), NULL, request, &error) : NULL;
        if (answer)
            judge_release(check, request, answer, state);
        else if (memories_error_code(error) == MEMORIES_INTERNAL)
            check_fail_error(check, "release", error_copy(error));
        else if (error)
            check_told_error(check, "release", error);
    }
    scene_end(&scene);
}

/* ---- http -------------------------------------------------------------------------------------------------------- */

/* Nodes that come up answer strangely for a while: converge may say "not yet" or fail in a way that is tried again. */
static void ask_converge(struct check *check, struct scene *scene)
{
    AUTO_JSON json_object *request = scene_nodes_request(scene, "ready");
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *answer = request ? check_call(check, check_slot("converge"), NULL, request, &error) : NULL;
    if (answer)
        check_converge_answer(check, answer, "ready");
    else if (error && !memories_error_retryable(error))
        check_fail(check, "converge", "answer {\"done\": false}, or fail with MEMORIES_TRANSIENT",
                   "a node that answers strangely makes it fail for good: %s", memories_error_message(error));
}

static void ask_status(struct check *check, struct scene *scene)
{
    AUTO_JSON json_object *request = scene_nodes_request(scene, "ready");
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *answer = request ? check_call(check, check_slot("status"), NULL, request, &error) : NULL;
    if (answer)
        judge_status(check, scene, answer, "ready");
    else if (error)
        check_fail(check, "status", "say that the member is not healthy: whoever asks wants to know of the others",
                   "a node that answers strangely or not at all makes it fail: %s", memories_error_message(error));
}

void case_http(struct check *check)
{
    static const enum probe_http ways[] = { PROBE_HTTP_UNREACHABLE, PROBE_HTTP_EMPTY, PROBE_HTTP_RUBBISH,
                                            PROBE_HTTP_ERROR };
    struct scene scene;
    bool begun = scene_begin(&scene, check, "http");
    probe_count_anew();
    for (size_t i = 0; begun && i < ARRAY_COUNT(ways); i++) {
        probe.http = ways[i];
        if (check->plugin->ops.topology.converge)
            ask_converge(check, &scene);
        if (check->plugin->ops.topology.status)
            ask_status(check, &scene);
    }
    if (begun && !check->failed && !probe_counts().http_requests)
        check_not_applicable(check, "it sends no HTTP requests");
    scene_end(&scene);
}
