/*
 * form.c - `converge`: from engines that run to a swarm that works
 *
 * Nothing is remembered between calls. Each step looks at what is there, does what is missing, and says what it waits
 * for; the steps after it have their turn when nothing is left to wait for.
 */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/topologies/swarmed/swarmed.h"

#define POLL_MS 100
/* What changes by a request of ours is there at once. */
#define POLL_SOON_MS 10
#define TASK_HISTORY 1
/* An engine that runs finds its managers again within seconds. A worker that has not by then joins anew: should it have
 * come at the very moment at which they gave it up, SwarmKit takes its heartbeats for ever, and never calls it ready. */
#define REJOIN_MS 60000
/* A manager hangs; or an engine does not answer, and supervisors have started it anew often enough. */
#define LOST_MS 120000
/* Docker tries to join for 20 s at a time. */
#define JOIN_MS 180000
/* A node that joins gets its entry first, and tells its name within seconds. */
#define NAMELESS_MS 10000

static bool is_manager_role(const char *role)
{
    return !strcmp(role, "manager");
}

/* One that is on its way out is the business of `release`, which may be under way between two steps of this. */
static bool stays(const struct swarm_node *node)
{
    return node->role;
}

static bool wants_manager(const struct swarm_node *node)
{
    return node->role && is_manager_role(node->role);
}

static bool is_state(const struct swarm_node *node, const char *state)
{
    return node->swarm_state && !strcmp(node->swarm_state, state);
}

/* ---- every engine answers ---- */

static int32_t check_engine(struct swarm *swarm, const struct swarm_node *node)
{
    if (node->is_too_old)
        return plugin_fail(swarm->call, MEMORIES_UNSUPPORTED, node->name,
                           "install docker.io 20.10 or newer on that node", "%s: %s", node->name, node->problem);
    if (is_state(node, "locked"))
        return plugin_fail(swarm->call, MEMORIES_CONFLICT, node->name,
                           "unlock it with `docker swarm unlock` on that node",
                           "the swarm of %s is locked with a key that memories does not have", node->name);
    return MEMORIES_OK;
}

/* Waits for `what`, because of `problem` (NULL: nothing was said now). The words that it was first told in stay: they may be
 * others each time, or be missing between two tries, and it is one and the same wait. */
static void wait_steadily(struct swarm *swarm, const char *what, const char *problem)
{
    const char *before = json_get_string(swarm->request, "waiting_for");
    size_t length = strlen(what);
    if (before && !strncmp(before, what, length) && !strncmp(before + length, ": ", 2))
        swarm_wait(swarm, "%s", before);
    else
        swarm_wait(swarm, "%s%s%s", what, problem ? ": " : "", problem ? problem : "");
}

static bool is_in_swarm(const struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++)
        if (is_state(&swarm->nodes[i], "active"))
            return true;
    return false;
}

/* An engine that has been in the swarm is installed, and its machine runs. A new one may take its time, as all may after a
 * start. */
static int32_t give_up(struct swarm *swarm, const struct swarm_node *silent)
{
    bool is_starting = strcmp(silent->state, "ready") != 0 || swarm_comes_back(swarm);
    if (swarm_waits_for_ms(swarm) < LOST_MS || is_starting || !is_in_swarm(swarm))
        return MEMORIES_OK;
    int32_t code = swarm->manager ? swarm_read(swarm) : MEMORIES_OK;
    bool is_led = swarm->manager && !swarm->problem;
    if (code || (is_led ? !silent->listed : !wants_manager(silent)))
        return code;
    const char *id = swarm->deployment;
    const char *hint =
        is_led ? plugin_format(swarm->call, "make it anew: memories heal %s --node %s; its last words: memories logs %s",
                               id, silent->name, id)
               : plugin_format(swarm->call, "end it and start it again: memories stop %s, then memories start %s; its last "
                                            "words: memories logs %s",
                               id, id, id);
    return plugin_fail(swarm->call, MEMORIES_FAILED, silent->name, hint,
                       "the engine of %s does not answer, although the node runs: %s", silent->name, silent->problem);
}

static int32_t await_engines(struct swarm *swarm)
{
    size_t wanted = 0, answering = 0;
    const struct swarm_node *silent = NULL;
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!stays(node))
            continue;
        int32_t code = check_engine(swarm, node);
        if (code)
            return code;
        wanted++;
        answering += node->swarm_state != NULL;
        silent = silent || node->swarm_state ? silent : node;
    }
    if (!silent)
        return MEMORIES_OK;
    wait_steadily(swarm,
                  swarm_keep(swarm, plugin_format(swarm->call, "%zu of %zu engines answer; waiting for %s", answering, wanted,
                                                  silent->name)),
                  silent->problem);
    return give_up(swarm, silent);
}

/* ---- a swarm ---- */

/* Only when every engine says that it is in no swarm: one that does not answer could hold the swarm's state. */
static const struct swarm_node *first_manager(const struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++)
        if (stays(&swarm->nodes[i]) && !is_state(&swarm->nodes[i], "inactive"))
            return NULL;
    for (size_t i = 0; i < swarm->count; i++)
        if (wants_manager(&swarm->nodes[i]))
            return &swarm->nodes[i];
    return NULL;
}

static json_object *init_request(struct swarm *swarm, const struct swarm_node *node)
{
    json_object *wanted = json_get_object(swarm->spec, "swarm");
    AUTO_JSON json_object *body = json_object_new_object();
    const char *listen = plugin_format(swarm->call, "%s:%d", node->private_address, SWARM_PORT);
    int failed = listen ? json_set_string(body, "ListenAddr", listen) : MEMORIES_NO_MEMORY;
    failed |= json_set_string(body, "AdvertiseAddr", listen);
    failed |= json_set_string(body, "DataPathAddr", node->private_address);
    failed |= json_add_string(json_set_new_array(body, "DefaultAddrPool"), json_get_string(wanted, "address_pool"));
    failed |= json_set_int(body, "SubnetSize", json_get_int(wanted, "subnet_prefix", 24));
    json_object *spec = json_set_new_object(body, "Spec");
    json_object *labels = json_set_new_object(spec, "Labels");
    failed |= json_set_string(labels, LABEL_DEPLOYMENT, swarm->deployment);
    failed |= json_set_int(json_set_new_object(spec, "Dispatcher"), "HeartbeatPeriod",
                           json_get_int(wanted, "heartbeat_period_s", 5) * 1000000000);
    failed |= json_set_int(json_set_new_object(spec, "Orchestration"), "TaskHistoryRetentionLimit", TASK_HISTORY);
    return failed ? NULL : STEAL(body);
}

static int32_t form(struct swarm *swarm)
{
    if (swarm->manager)
        return MEMORIES_OK;
    const struct swarm_node *node = first_manager(swarm);
    if (!node) {
        swarm_wait(swarm, "waiting for a manager of the swarm");
        return MEMORIES_OK;
    }
    AUTO_JSON json_object *body = init_request(swarm, node);
    const struct memories_http_request request = swarm_post(swarm, node, "/swarm/init", body);
    const struct memories_http_response *response;
    int32_t code = swarm_send(swarm, &request, &response);
    if (code)
        return code;
    if (response->status >= 400 && response->status < 500)
        return plugin_fail(swarm->call, MEMORIES_FAILED, node->name, NULL, "%s can't begin the swarm: %s", node->name,
                           http_problem(swarm->call, response));
    if (swarm_accepted(response))
        swarm_wait(swarm, "the swarm begins on %s", node->name);
    else
        swarm_wait(swarm, "beginning the swarm on %s: %s", node->name, http_problem(swarm->call, response));
    return MEMORIES_OK;
}

/* ---- joining ---- */

struct tokens {
    const char *manager;
    const char *worker;
    json_object *answer; /* owned */
};

/* The tokens live in this call's memory only. */
static int32_t read_tokens(struct swarm *swarm, struct tokens *tokens)
{
    *tokens = (struct tokens){ 0 };
    const struct memories_http_request request = swarm_request(swarm, swarm->manager, "GET", "/swarm", NULL);
    const struct memories_http_response *response;
    int32_t code = swarm_send(swarm, &request, &response);
    if (code)
        return code;
    tokens->answer = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    json_object *join = json_get_object(tokens->answer, "JoinTokens");
    tokens->manager = json_get_string(join, "Manager");
    tokens->worker = json_get_string(join, "Worker");
    if (!tokens->manager || !tokens->worker)
        swarm_wait(swarm, "asking %s for the way into the swarm: %s", swarm->manager->name,
                   http_problem(swarm->call, response));
    return MEMORIES_OK;
}

static json_object *join_request(struct swarm *swarm, const struct swarm_node *node, const struct tokens *tokens)
{
    AUTO_JSON json_object *body = json_object_new_object();
    const char *listen = plugin_format(swarm->call, "%s:%d", node->private_address, SWARM_PORT);
    int failed = listen ? json_set_string(body, "ListenAddr", listen) : MEMORIES_NO_MEMORY;
    failed |= json_set_string(body, "AdvertiseAddr", listen);
    failed |= json_set_string(body, "DataPathAddr", node->private_address);
    failed |= json_set_string(body, "JoinToken", wants_manager(node) ? tokens->manager : tokens->worker);
    json_object *remotes = json_set_new_array(body, "RemoteAddrs");
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *other = &swarm->nodes[i];
        if (!other->is_manager || other->problem)
            continue;
        const char *address = plugin_format(swarm->call, "%s:%d", other->private_address, SWARM_PORT);
        failed |= address ? json_add_string(remotes, address) : MEMORIES_NO_MEMORY;
    }
    return failed ? NULL : STEAL(body);
}

/* Who joins now: every worker that is in no swarm, and one manager, if no other one is on its way: each changes the
 * group that decides. */
static size_t choose_joiners(struct swarm *swarm, const struct swarm_node **joiners)
{
    size_t count = 0;
    bool manager_under_way = false;
    for (size_t i = 0; i < swarm->count; i++)
        manager_under_way |= wants_manager(&swarm->nodes[i]) && is_state(&swarm->nodes[i], "pending");
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!stays(node) || (!is_state(node, "inactive") && !is_state(node, "error")))
            continue;
        if (wants_manager(node) && manager_under_way)
            continue;
        manager_under_way |= wants_manager(node);
        joiners[count++] = node;
    }
    return count;
}

/* *refused: what the first one got that did not get in; NULL: all are under way. */
static int32_t send_joins(struct swarm *swarm, const struct swarm_node *const *joiners, size_t count,
                          const struct tokens *tokens, const struct swarm_node **refused, const char **problem)
{
    struct memories_http_request *requests = plugin_host->allocate(swarm->call, count * sizeof *requests);
    const struct memories_http_response **responses = plugin_host->allocate(swarm->call, count * sizeof *responses);
    json_object **bodies = plugin_host->allocate(swarm->call, count * sizeof *bodies);
    if (!requests || !responses || !bodies)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < count; i++) {
        /* A join that failed has left the engine half in: it leaves, and joins in the next step. */
        bool leaves = is_state(joiners[i], "error");
        bodies[i] = leaves ? NULL : join_request(swarm, joiners[i], tokens);
        requests[i] = leaves ? swarm_leave(swarm, joiners[i]) : swarm_post(swarm, joiners[i], "/swarm/join", bodies[i]);
    }
    int32_t code = http_send_all(swarm->call, requests, count, responses);
    for (size_t i = 0; i < count; i++)
        json_object_put(bodies[i]);
    for (size_t i = 0; !code && i < count && !*refused; i++)
        if (!swarm_accepted(responses[i])) {
            *refused = joiners[i];
            *problem = http_problem(swarm->call, responses[i]);
        }
    return code;
}

/* Between two tries of the same node, and while it is on its way after one, the words of the last refusal stay. */
static int32_t await_joins(struct swarm *swarm, size_t in_swarm, size_t wanted, const struct swarm_node *missing,
                           const char *problem)
{
    const char *what =
        plugin_format(swarm->call, "%zu of %zu nodes are in the swarm; waiting for %s", in_swarm, wanted, missing->name);
    if (!what)
        return plugin_no_memory(swarm->call);
    wait_steadily(swarm, what, problem ? problem : missing->problem);
    bool has_failed = strlen(swarm->waiting) > strlen(what);
    if (!has_failed || swarm_comes_back(swarm) || swarm_waits_for_ms(swarm) < JOIN_MS)
        return MEMORIES_OK;
    return plugin_fail(swarm->call, MEMORIES_FAILED, missing->name,
                       plugin_format(swarm->call,
                                     "let the nodes reach each other at 2377/tcp and at 7946/tcp and udp, then: memories "
                                     "resume %s",
                                     swarm->deployment),
                       "%s does not get into the swarm%s", missing->name, swarm->waiting + strlen(what));
}

static int32_t join(struct swarm *swarm)
{
    const struct swarm_node **joiners = plugin_host->allocate(swarm->call, (swarm->count + 1) * sizeof *joiners);
    if (!joiners)
        return plugin_no_memory(swarm->call);
    size_t count = choose_joiners(swarm, joiners), wanted = 0, in_swarm = 0;
    const struct swarm_node *missing = NULL;
    for (size_t i = 0; i < swarm->count; i++) {
        bool is_in = is_state(&swarm->nodes[i], "active");
        if (!stays(&swarm->nodes[i]))
            continue;
        wanted++;
        in_swarm += is_in;
        missing = missing || is_in ? missing : &swarm->nodes[i];
    }
    if (!missing)
        return MEMORIES_OK;
    /* What the nodes will run is there before the swarm gives them work. */
    int32_t code = images_load(swarm, joiners, count);
    struct tokens tokens = { 0 };
    const struct swarm_node *refused = NULL;
    const char *problem = NULL;
    if (!code && count)
        code = read_tokens(swarm, &tokens);
    if (!code && tokens.worker)
        code = send_joins(swarm, joiners, count, &tokens, &refused, &problem);
    json_object_put(tokens.answer);
    if (code || swarm->waiting)
        return code;
    return await_joins(swarm, in_swarm, wanted, refused ? refused : missing, problem);
}

/* ---- the swarm's list of nodes ---- */

static int32_t read_lists(struct swarm *swarm)
{
    int32_t code = swarm_read(swarm);
    if (!code && swarm->problem)
        swarm_wait(swarm, "waiting for the managers: %s", swarm->problem);
    return code;
}

/* Forgets what is not there any more: entries of nodes that came back under another id, that were removed, or whose join
 * failed. A manager that is one of the group is demoted first, and gone in the next step; others can't be. */
static int32_t forget(struct swarm *swarm, json_object *listed)
{
    if (is_manager_role(listed_role(listed)) && listed_is_member(listed)) {
        const struct node_change change = { .listed = listed, .role = "worker", .leaving = true };
        swarm_wait(swarm, "the lost manager %s leaves the list", listed_hostname(listed));
        return swarm_update_nodes(swarm, &change, 1);
    }
    const char *path = plugin_format(swarm->call, "/nodes/%s?force=true", json_get_string(listed, "ID"));
    if (!path)
        return plugin_no_memory(swarm->call);
    const struct memories_http_request request = swarm_request(swarm, swarm->manager, "DELETE", path, NULL);
    const struct memories_http_response *response;
    int32_t code = swarm_send(swarm, &request, &response);
    if (!code && !swarm_accepted(response) && response->status != 404)
        swarm_wait(swarm, "removing the lost node %s: %s", listed_hostname(listed), http_problem(swarm->call, response));
    return code;
}

/* Whether an entry is to be forgotten that is not that of its namesake (NULL: nobody here is called so). What runs may be
 * anybody's. A swarm that was made anew takes everybody for alive for a while; and what broke off while joining left an
 * entry without a name, that nobody watches. */
static bool is_lost(struct swarm *swarm, json_object *listed, const struct swarm_node *namesake)
{
    if (!strcmp(listed_state(listed), "down"))
        return true;
    if (namesake && namesake->listed)
        swarm_wait(swarm, "waiting for the managers to miss the former %s", namesake->name);
    if (*listed_hostname(listed) || strcmp(listed_state(listed), "unknown"))
        return false;
    swarm_wait(swarm, "waiting for the name of node %s", json_get_string(listed, "ID"));
    return swarm_waits_for_ms(swarm) >= NAMELESS_MS;
}

static int32_t forget_lost(struct swarm *swarm)
{
    for (size_t i = 0; i < json_count(swarm->nodes_listed); i++) {
        json_object *listed = json_at(swarm->nodes_listed, i);
        const struct swarm_node *namesake = swarm->namesakes[i];
        if ((namesake && namesake->listed == listed) || !is_lost(swarm, listed, namesake))
            continue;
        int32_t code = forget(swarm, listed);
        if (code)
            return code;
    }
    return MEMORIES_OK;
}

/* Roles change one at a time, as managers join; and a node whose removal was called off works again. */
static int32_t correct(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!node->listed || !stays(node))
            continue;
        bool other_role = strcmp(listed_role(node->listed), node->role);
        bool was_leaving = listed_is_leaving(node->listed);
        if (!other_role && !was_leaving)
            continue;
        if (!swarm->waiting)
            swarm_wait(swarm, other_role ? "%s becomes a %s" : "%s works again", node->name, node->role);
        const struct node_change change = { .listed = node->listed,
                                            .role = other_role ? node->role : NULL,
                                            .availability = was_leaving ? "active" : NULL };
        int32_t code = swarm_update_nodes(swarm, &change, 1);
        if (code || other_role)
            return code;
    }
    return MEMORIES_OK;
}

static int32_t rejoin(struct swarm *swarm, const struct swarm_node *node)
{
    const struct memories_http_request request = swarm_leave(swarm, node);
    const struct memories_http_response *response;
    int32_t code = swarm_send(swarm, &request, &response);
    if (code)
        return code;
    if (swarm_accepted(response))
        swarm_wait(swarm, "%s joins anew: its engine runs, and the managers go on to count it as down", node->name);
    else
        swarm_wait(swarm, "%s leaves, to join anew: %s", node->name, http_problem(swarm->call, response));
    return MEMORIES_OK;
}

static int32_t await_nodes(struct swarm *swarm)
{
    size_t wanted = 0, ready = 0;
    const struct swarm_node *missing = NULL;
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!stays(node))
            continue;
        wanted++;
        const char *reachability = json_get_string(json_get_object(node->listed, "ManagerStatus"), "Reachability");
        bool is_well = node->listed && !strcmp(listed_state(node->listed), "ready") &&
                       (!wants_manager(node) || (reachability && !strcmp(reachability, "reachable")));
        ready += is_well;
        missing = is_well || missing ? missing : node;
    }
    if (!missing)
        return MEMORIES_OK;
    swarm_wait(swarm, "%zu of %zu nodes are ready; waiting for %s", ready, wanted, missing->name);
    if (!missing->listed || strcmp(listed_state(missing->listed), "down"))
        return MEMORIES_OK;
    if (!wants_manager(missing) && swarm_waits_for_ms(swarm) >= REJOIN_MS)
        return rejoin(swarm, missing);
    if (swarm_waits_for_ms(swarm) < LOST_MS)
        return MEMORIES_OK;
    return plugin_fail(swarm->call, MEMORIES_FAILED, missing->name,
                       plugin_format(swarm->call, "make it anew: memories heal %s --node %s", swarm->deployment,
                                     missing->name),
                       "%s does not find back into the swarm, although its engine runs: the managers count it as down",
                       missing->name);
}

static int32_t tidy(struct swarm *swarm)
{
    int32_t code = forget_lost(swarm);
    if (!code)
        code = correct(swarm);
    return code ? code : (swarm->waiting ? MEMORIES_OK : await_nodes(swarm));
}

/* ---- the slot ---- */

static int add_names(struct swarm *swarm, json_object *result, const char *key, const char *role)
{
    json_object *names = json_set_new_array(result, key);
    int failed = names ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; i < swarm->count; i++)
        if (swarm->nodes[i].role && !strcmp(swarm->nodes[i].role, role))
            failed |= json_add_string(names, swarm->nodes[i].name);
    return failed;
}

static int32_t answer(struct swarm *swarm)
{
    AUTO_JSON json_object *document = json_object_new_object();
    int failed = swarm->out_of_memory ? MEMORIES_NO_MEMORY : 0;
    failed |= json_set_bool(document, "done", !swarm->waiting);
    if (swarm->waiting) {
        failed |= json_set_string(document, "message", swarm->waiting);
        failed |= json_set_int(document, "poll_after_ms", swarm->manager && !swarm->nodes_listed ? POLL_SOON_MS : POLL_MS);
        return plugin_result(swarm->call, failed ? NULL : STEAL(document));
    }
    json_object *result = json_set_new_object(document, "result");
    failed |= add_names(swarm, result, "manager_nodes", "manager");
    failed |= add_names(swarm, result, "worker_nodes", "worker");
    json_object *services = services_report(swarm);
    failed |= services ? json_set(result, "services", services) : MEMORIES_NO_MEMORY;
    return plugin_result(swarm->call, failed ? NULL : STEAL(document));
}

int32_t swarmed_converge(struct memories_call *call, const char *request)
{
    static int32_t (*const steps[])(struct swarm *swarm) = { await_engines,  form, join, read_lists, tidy,
                                                             services_apply, services_await };
    AUTO_SWARM struct swarm swarm;
    int32_t code = swarm_open(&swarm, call, request);
    for (size_t i = 0; !code && !swarm.waiting && i < ARRAY_COUNT(steps); i++)
        code = steps[i](&swarm);
    return code ? code : answer(&swarm);
}
