/*
 * release.c - `release`: letting nodes go before they are destroyed
 *
 * A node that goes gets no new tasks; other nodes take over what it runs; only then is it emptied, leaves, and is
 * forgotten. Each node goes at its own pace. Like converge, this looks at what is there and does the next thing.
 */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/topologies/swarmed/swarmed.h"

#define POLL_MS 200
/* Managers without a leader take 20 s to say so. */
#define LIST_TIMEOUT_MS 5000
#define FORCE_TIMEOUT_MS 60000
/* Docker ends a task that does not end by itself after 10 s, or what its service says. What goes on for so much longer never
 * ends: its engine hangs. */
#define EMPTY_MS 60000

struct release {
    struct swarm swarm;
    bool *leaving;       /* by position in swarm.nodes */
    bool *released;
    int64_t *tasks;      /* running on each node, of those that Docker does not hold everywhere (global) */
    int64_t *remains;    /* running or not ended yet */
    bool settled;        /* what the leaving nodes run, others run too */
    const struct swarm_node *demoted; /* the manager that stops being one now; NULL: none */
    struct swarm_node *survivor;      /* begins the swarm anew when no majority is left; NULL: not asked for */
};

static void release_close(struct release *release)
{
    swarm_close(&release->swarm);
}
#define AUTO_RELEASE __attribute__((cleanup(release_close)))

static int32_t open_release(struct release *release, struct memories_call *call, const char *request)
{
    struct swarm *swarm = &release->swarm;
    int32_t code = swarm_open(swarm, call, request);
    if (code)
        return code;
    release->leaving = plugin_host->allocate(call, swarm->count);
    release->released = plugin_host->allocate(call, swarm->count);
    release->tasks = plugin_host->allocate(call, swarm->count * sizeof *release->tasks);
    release->remains = plugin_host->allocate(call, swarm->count * sizeof *release->remains);
    if (!release->leaving || !release->released || !release->tasks || !release->remains)
        return plugin_no_memory(call);
    json_object *names = json_get_array(swarm->request, "leaving");
    for (size_t i = 0; i < json_count(names); i++) {
        struct swarm_node *node = swarm_find(swarm, json_object_get_string(json_at(names, i)));
        if (node)
            release->leaving[node - swarm->nodes] = true;
    }
    release->survivor = swarm_find(swarm, json_get_string(swarm->request, "force_new_cluster"));
    return MEMORIES_OK;
}

/* Who speaks for the swarm must stay in it. */
static void choose_manager(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    const struct swarm_node *chosen = NULL;
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (release->leaving[i] || !node->is_manager || strcmp(node->swarm_state, "active"))
            continue;
        if (!chosen || (chosen->problem && !node->problem))
            chosen = node;
    }
    swarm->manager = chosen;
}

static bool leave_all(const struct release *release)
{
    for (size_t i = 0; i < release->swarm.count; i++)
        if (!release->leaving[i])
            return false;
    return true;
}

/* ---- what runs where ---- */

static bool has_ended(const char *state)
{
    static const char *const ends[] = { "complete", "shutdown", "failed", "rejected", "remove", "orphaned" };
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++)
        if (!strcmp(state, ends[i]))
            return true;
    return false;
}

static json_object *positions_by_id(struct swarm *swarm)
{
    AUTO_JSON json_object *positions = json_object_new_object();
    for (size_t i = 0; i < swarm->count; i++)
        if (swarm->nodes[i].listed &&
            json_set_int(positions, json_get_string(swarm->nodes[i].listed, "ID"), (int64_t)i))
            return NULL;
    return STEAL(positions);
}

static int64_t position_of(json_object *positions, json_object *task)
{
    const char *id = json_get_string(task, "NodeID");
    return id ? json_get_int(positions, id, -1) : -1;
}

/* One service of the spec whose number of tasks is fixed. */
struct load {
    json_object *listed;
    int64_t wanted;
    int64_t staying; /* tasks that run on nodes which stay */
    int64_t leaving;
    bool has_no_room; /* Docker finds no node for another one */
};

static void count_task(struct release *release, struct load *load, json_object *task, int64_t at)
{
    const char *state = task_state(task);
    if (at >= 0)
        release->remains[at] += !has_ended(state);
    if (!task_is_wanted(task))
        return;
    if (!strcmp(state, "running") && at >= 0)
        *(release->leaving[at] ? &load->leaving : &load->staying) += 1;
    const char *said = json_get_string(json_get_object(task, "Status"), "Err");
    load->has_no_room |= !strcmp(state, "pending") && said && strstr(said, "no suitable node");
}

/* ---- making room elsewhere ---- */

static int32_t set_replicas(struct release *release, const struct load *load, int64_t replicas)
{
    AUTO_JSON json_object *spec = NULL;
    if (json_object_deep_copy(json_get_object(load->listed, "Spec"), &spec, NULL) ||
        json_set_int(json_get_object(json_get_object(spec, "Mode"), "Replicated"), "Replicas", replicas))
        return plugin_no_memory(release->swarm.call);
    return service_update(&release->swarm, load->listed, spec);
}

/* Before tasks are taken away others must run. When no node has room for more, the service has to do with fewer until
 * its tasks have moved. */
static int32_t make_room(struct release *release, const struct load *load)
{
    int64_t replicas = service_replicas(json_get_object(load->listed, "Spec"));
    if (load->staying >= load->wanted || load->has_no_room || !load->leaving)
        return replicas > load->wanted && !load->leaving ? set_replicas(release, load, load->wanted) : MEMORIES_OK;
    release->settled = false;
    swarm_wait(&release->swarm, "other nodes take over %s: %lld of %lld tasks",
               json_get_string(json_get_object(load->listed, "Spec"), "Name"), (long long)load->staying,
               (long long)load->wanted);
    if (replicas >= load->wanted + load->leaving)
        return MEMORIES_OK;
    return set_replicas(release, load, load->wanted + load->leaving);
}

static int32_t settle(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    AUTO_JSON json_object *positions = positions_by_id(swarm);
    AUTO_JSON json_object *services = json_object_new_object();
    size_t count = json_count(swarm->services_listed);
    struct load *loads = plugin_host->allocate(swarm->call, (count + 1) * sizeof *loads);
    int failed = positions && loads ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; !failed && i < count; i++) {
        loads[i].listed = json_at(swarm->services_listed, i);
        failed |= json_set_int(services, json_get_string(loads[i].listed, "ID"), (int64_t)i);
    }
    if (failed)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < json_count(swarm->tasks_listed); i++) {
        json_object *task = json_at(swarm->tasks_listed, i);
        const char *id = json_get_string(task, "ServiceID");
        struct load stranger = { 0 };
        int64_t at = id ? json_get_int(services, id, -1) : -1;
        count_task(release, at < 0 ? &stranger : &loads[at], task, position_of(positions, task));
    }
    release->settled = true;
    int32_t code = MEMORIES_OK;
    for (size_t i = 0; !code && i < count; i++) {
        const char *name = json_get_string(json_get_object(loads[i].listed, "Spec"), "Name");
        loads[i].wanted = json_get_int(service_of_spec(swarm, name), "replicas", -1);
        if (loads[i].wanted >= 0)
            code = make_room(release, &loads[i]);
    }
    return code;
}

/* ---- one node ---- */

static bool is_gone(const struct swarm_node *node)
{
    return strcmp(node->state, "ready") != 0 || (node->listed && !strcmp(listed_state(node->listed), "down"));
}

/* Of the group that decides, and to be so. One whose joining broke off is listed as a manager, and was never one. */
static bool is_listed_manager(const struct swarm_node *node)
{
    return !strcmp(listed_role(node->listed), "manager") && listed_is_member(node->listed);
}

/* One manager at a time, when the one before is none any more: each changes the group that decides. Dead ones come
 * first: as long as the group has them, the living ones are needed. */
static void choose_demoted(struct release *release)
{
    const struct swarm *swarm = &release->swarm;
    release->demoted = NULL;
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!release->leaving[i] || !node->listed)
            continue;
        if (is_listed_manager(node)) {
            if (!release->demoted || (is_gone(node) && !is_gone(release->demoted)))
                release->demoted = node;
        } else if (node->is_manager || listed_is_member(node->listed)) {
            release->demoted = NULL; /* this one was demoted, and is a manager for some seconds more */
            return;
        }
    }
}

/* The next thing for a node that goes; false: there is nothing to do but wait. First no new tasks; a manager stops
 * being one in its turn; and once others have taken over, the node is emptied. */
static bool next_change(const struct release *release, const struct swarm_node *node, struct node_change *change)
{
    const char *availability = listed_availability(node->listed);
    bool demotes = node == release->demoted;
    *change = (struct node_change){ .listed = node->listed, .role = demotes ? "worker" : NULL, .leaving = true };
    if (!strcmp(availability, "active"))
        change->availability = "pause";
    else if (strcmp(availability, "drain") && release->settled && !is_gone(node))
        change->availability = "drain";
    return demotes || change->availability || !listed_is_leaving(node->listed);
}

/* Of all services: for how long their tasks may take to end. */
static int64_t longest_grace_ms(const struct swarm *swarm)
{
    int64_t longest_ns = 0;
    for (size_t i = 0; i < json_count(swarm->services_listed); i++) {
        json_object *task = json_get_object(json_get_object(json_at(swarm->services_listed, i), "Spec"), "TaskTemplate");
        int64_t grace_ns = json_get_int(json_get_object(task, "ContainerSpec"), "StopGracePeriod", 0);
        longest_ns = grace_ns > longest_ns ? grace_ns : longest_ns;
    }
    return longest_ns / 1000000;
}

/* Either side may know it first: the managers by the tasks they are told of, the engine by what it has. Others run by now
 * what runs there, so a node that does not get empty goes as it is. */
static bool is_empty(struct release *release, size_t at)
{
    struct swarm *swarm = &release->swarm;
    if (!release->remains[at] || json_get_int(swarm->nodes[at].info, "ContainersRunning", 1) == 0)
        return true;
    if (swarm->waiting)
        return false;
    swarm_wait(swarm, "%s ends its tasks", swarm->nodes[at].name);
    if (swarm_waits_for_ms(swarm) < EMPTY_MS + longest_grace_ms(swarm))
        return false;
    swarm->waiting = NULL;
    return true;
}

/* It may leave: it is no manager, and nothing runs there any more. */
static bool may_leave(struct release *release, size_t at)
{
    const struct swarm_node *node = &release->swarm.nodes[at];
    /* Where one manager has begun anew the others are none any more, whatever the list calls them. */
    if (release->survivor && node->role && !strcmp(node->role, "manager") && !listed_is_member(node->listed))
        return true;
    if (is_listed_manager(node))
        return false;
    return is_gone(node) ||
           (!node->is_manager && !strcmp(listed_availability(node->listed), "drain") && is_empty(release, at));
}

/* Those that may leave say so themselves, then the managers forget them. */
static int32_t forget(struct release *release, const size_t *goers, size_t count)
{
    struct swarm *swarm = &release->swarm;
    struct memories_http_request *requests = plugin_host->allocate(swarm->call, count * sizeof *requests);
    const struct memories_http_response **responses = plugin_host->allocate(swarm->call, count * sizeof *responses);
    if (!requests || !responses)
        return plugin_no_memory(swarm->call);
    size_t asked = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_gone(&swarm->nodes[goers[i]]) && swarm->nodes[goers[i]].swarm_state)
            requests[asked++] = swarm_leave(swarm, &swarm->nodes[goers[i]]);
    int32_t code = http_send_all(swarm->call, requests, asked, responses);
    for (size_t i = 0; i < count; i++) {
        const char *path = plugin_format(swarm->call, "/nodes/%s?force=true",
                                         json_get_string(swarm->nodes[goers[i]].listed, "ID"));
        requests[i] = swarm_request(swarm, swarm->manager, "DELETE", swarm_keep(swarm, path), NULL);
    }
    if (!code)
        code = http_send_all(swarm->call, requests, count, responses);
    for (size_t i = 0; !code && i < count; i++) {
        if (swarm_accepted(responses[i]) || responses[i]->status == 404)
            release->released[goers[i]] = true;
        else
            swarm_wait(swarm, "removing %s from the swarm: %s", swarm->nodes[goers[i]].name,
                       http_problem(swarm->call, responses[i]));
    }
    return code;
}

static int32_t let_go(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    size_t *goers = plugin_host->allocate(swarm->call, (swarm->count + 1) * sizeof *goers), count = 0;
    struct node_change *changes = plugin_host->allocate(swarm->call, (swarm->count + 1) * sizeof *changes);
    size_t change_count = 0;
    if (!goers || !changes)
        return plugin_no_memory(swarm->call);
    choose_demoted(release);
    for (size_t i = 0; i < swarm->count; i++) {
        if (!release->leaving[i])
            continue;
        if (!swarm->nodes[i].listed)
            release->released[i] = true;
        else if (may_leave(release, i))
            goers[count++] = i;
        else
            change_count += next_change(release, &swarm->nodes[i], &changes[change_count]);
    }
    int32_t code = swarm_update_nodes(swarm, changes, change_count);
    return !code && count ? forget(release, goers, count) : code;
}

/* ---- can it be at all? ---- */

static int64_t reserved(json_object *service, const char *key, int64_t unit)
{
    json_object *amount = json_get_object(json_get_object(service, "resources"), "reservations");
    json_object *value = json_get(amount, key);
    return value ? (int64_t)(json_object_get_double(value) * (double)unit) : 0;
}

static int32_t check_reservations(struct release *release, const char *key, const char *docker_key, int64_t unit,
                                  const char *what)
{
    struct swarm *swarm = &release->swarm;
    json_object *services = json_get_array(swarm->spec, "services");
    int64_t there = 0, needed = 0, staying = 0;
    for (size_t i = 0; i < swarm->count; i++) {
        json_object *resources = json_get_object(json_get_object(swarm->nodes[i].listed, "Description"), "Resources");
        staying += !release->leaving[i];
        there += release->leaving[i] ? 0 : json_get_int(resources, docker_key, 0);
    }
    for (size_t i = 0; i < json_count(services); i++)
        needed += reserved(json_at(services, i), key, unit) * json_get_int(json_at(services, i), "replicas", staying);
    if (needed <= there)
        return MEMORIES_OK;
    return plugin_fail(swarm->call, MEMORIES_CONFLICT, "config.services", "keep more nodes, or lower reservations or replicas",
                       "the nodes that stay have %lld %s, and the services reserve %lld", (long long)(there / unit), what,
                       (long long)(needed / unit));
}

/* The managers that stay must be able to decide without those that go. */
static int32_t check_majority(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    size_t staying = 0, reachable = 0, leaving = 0;
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!node->listed || strcmp(listed_role(node->listed), "manager"))
            continue;
        leaving += release->leaving[i];
        staying += !release->leaving[i];
        reachable += !release->leaving[i] && node->is_manager && !node->problem;
    }
    if (!leaving || reachable > staying / 2)
        return MEMORIES_OK;
    return plugin_fail(swarm->call, MEMORIES_CONFLICT, "config.swarm.manager_nodes",
                       "bring the managers that are down back first (memories status)",
                       "of the %zu managers that would stay only %zu are healthy, which is no majority", staying,
                       reachable);
}

/* Nobody gave lists. In an election that passes; without a majority it does not. */
static int32_t check_managers(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    struct managers managers = swarm_count_managers(swarm);
    const char *id = swarm->deployment;
    if (managers.answering >= managers.needed)
        return MEMORIES_OK;
    return plugin_fail(swarm->call, MEMORIES_CONFLICT, NULL,
                       plugin_format(swarm->call,
                                     "bring them back with `memories start %s`, or, when a majority is lost for ever, "
                                     "`memories heal %s --force-new-cluster MANAGER`",
                                     id, id),
                       "%zu of %zu managers answer and %zu are needed: nobody can let nodes go", managers.answering,
                       managers.count, managers.needed);
}

static int32_t check(struct release *release)
{
    int32_t code = check_majority(release);
    if (!code)
        code = check_reservations(release, "cpus", "NanoCPUs", 1000000000, "processors");
    return code ? code : check_reservations(release, "memory_mb", "MemoryBytes", 1000000, "MB of memory");
}

/* ---- a majority that is lost for ever ---- */

/* The survivor goes on alone with what it knows: services and tokens stay, and workers find it again. */
static int32_t begin_anew(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    const struct swarm_node *node = release->survivor;
    AUTO_JSON json_object *body = json_object_new_object();
    const char *listen = plugin_format(swarm->call, "%s:%d", node->private_address, SWARM_PORT);
    int failed = listen ? json_set_string(body, "ListenAddr", listen) : MEMORIES_NO_MEMORY;
    failed |= json_set_string(body, "AdvertiseAddr", listen);
    failed |= json_set_string(body, "DataPathAddr", node->private_address);
    failed |= json_set_bool(body, "ForceNewCluster", true);
    struct memories_http_request request = swarm_post(swarm, node, "/swarm/init", failed ? NULL : body);
    const struct memories_http_response *response;
    request.timeout_ms = FORCE_TIMEOUT_MS;
    int32_t code = swarm_send(swarm, &request, &response);
    if (code)
        return code;
    if (response->status >= 400 && response->status < 500)
        return plugin_fail(swarm->call, MEMORIES_FAILED, node->name, "name another manager that has not lost its data",
                           "%s can't begin the swarm anew: %s", node->name, http_problem(swarm->call, response));
    swarm_wait(swarm, "the swarm begins anew on %s%s%s", node->name, swarm_accepted(response) ? "" : ": ",
               swarm_accepted(response) ? "" : http_problem(swarm->call, response));
    return MEMORIES_OK;
}

/* Managers that have lost their majority give lists for some seconds more, in which the lost ones are members. */
static bool has_majority(const struct swarm *swarm)
{
    size_t members = 0, answering = 0;
    for (size_t i = 0; i < json_count(swarm->nodes_listed); i++)
        members += listed_is_member(json_at(swarm->nodes_listed, i));
    for (size_t i = 0; i < swarm->count; i++)
        answering += swarm->nodes[i].is_manager && listed_is_member(swarm->nodes[i].listed);
    return answering > members / 2;
}

static int32_t check_survivor(struct release *release)
{
    const struct swarm_node *node = release->survivor;
    const char *id = release->swarm.deployment;
    if (!node->role || strcmp(node->role, "manager"))
        return plugin_fail(release->swarm.call, MEMORIES_INVALID, node->name, "name a manager",
                           "only a manager knows enough to begin the swarm anew, and %s is a worker", node->name);
    if (!strcmp(node->state, "ready"))
        return MEMORIES_OK;
    return plugin_fail(release->swarm.call, MEMORIES_CONFLICT, node->name,
                       plugin_format(release->swarm.call, "bring it back first: memories start %s", id),
                       "%s does not run: it is %s", node->name, node->state);
}

/* ---- the slot ---- */

static int32_t answer(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    AUTO_JSON json_object *document = json_object_new_object();
    json_object *names = json_set_new_array(document, "released");
    int failed = names ? 0 : MEMORIES_NO_MEMORY;
    size_t left = 0, going = 0;
    for (size_t i = 0; i < swarm->count; i++) {
        going += release->leaving[i];
        left += release->leaving[i] && !release->released[i];
        if (release->leaving[i] && release->released[i])
            failed |= json_add_string(names, swarm->nodes[i].name);
    }
    if (left && !swarm->waiting)
        swarm_wait(swarm, "%zu of %zu nodes are empty and gone", going - left, going);
    failed |= json_set_bool(document, "done", !left);
    failed |= json_set_string(document, "message", left ? swarm->waiting : NULL);
    failed |= json_set_int(document, "poll_after_ms", POLL_MS);
    return plugin_result(swarm->call, failed || swarm->out_of_memory ? NULL : STEAL(document));
}

static int32_t go_on(struct release *release)
{
    struct swarm *swarm = &release->swarm;
    bool is_check = json_get_bool(swarm->request, "check", false);
    swarm->timeout_ms = release->survivor || is_check ? LIST_TIMEOUT_MS : 0;
    int32_t code = swarm_read(swarm);
    if (code)
        return code;
    if (is_check)
        return release->survivor ? MEMORIES_OK : swarm->problem ? check_managers(release) : check(release);
    if (release->survivor && (swarm->problem || !has_majority(swarm)))
        return begin_anew(release);
    if (swarm->problem) {
        swarm_wait(swarm, "waiting for the managers: %s", swarm->problem);
        return MEMORIES_OK;
    }
    code = settle(release);
    return code ? code : let_go(release);
}

static int32_t go_without_manager(struct release *release)
{
    bool is_check = json_get_bool(release->swarm.request, "check", false);
    if (is_check)
        return release->survivor ? MEMORIES_OK : check_managers(release);
    if (release->survivor)
        return begin_anew(release);
    swarm_wait(&release->swarm, "waiting for a manager that stays");
    return MEMORIES_OK;
}

int32_t swarmed_release(struct memories_call *call, const char *request)
{
    AUTO_RELEASE struct release release = { 0 };
    int32_t code = open_release(&release, call, request);
    if (code)
        return code;
    if (release.survivor && (code = check_survivor(&release)))
        return code;
    choose_manager(&release);
    if (swarm_is_absent(&release.swarm) || leave_all(&release))
        memcpy(release.released, release.leaving, release.swarm.count);
    else
        code = release.swarm.manager ? go_on(&release) : go_without_manager(&release);
    return code ? code : answer(&release);
}
