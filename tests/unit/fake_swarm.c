/* fake_swarm.c - Docker Engines and their swarm for tests, see fake_swarm.h */
#include "tests/unit/fake_swarm.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

#define MANAGER_TOKEN FAKE_TOKEN_PREFIX "1-manager"
#define WORKER_TOKEN FAKE_TOKEN_PREFIX "1-worker"

struct fake_swarm fake_swarm;

static struct {
    char *log;
    size_t log_length, log_batch;
    char *shown;         /* what fake_swarm_log gave last */
    json_object *answer; /* body of the last answer */
    char *refused;       /* what is refused next; NULL: nothing */
    int refused_status;
    char refused_body[256];
    char version[16];
    int next_id;
} backstage;

/* ---- The log ---- */

static void log_change(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Requests of one batch share a line. */
static void log_change(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bool same = backstage.log_length && backstage.log_batch == fake_host_http_batches();
    char *longer = realloc(backstage.log, backstage.log_length + strlen(text) + 4);
    ck_assert_ptr_nonnull(longer);
    backstage.log = longer;
    /* The line's end gives way to a comma. */
    size_t at = backstage.log_length - same;
    backstage.log_length = at + (size_t)sprintf(longer + at, "%s%s\n", same ? ", " : "", text);
    backstage.log_batch = fake_host_http_batches();
}

const char *fake_swarm_log(void)
{
    free(backstage.shown);
    backstage.shown = backstage.log ? backstage.log : calloc(1, 1);
    backstage.log = NULL;
    backstage.log_length = 0;
    return backstage.shown;
}

const char *fake_swarm_version(void)
{
    return backstage.version;
}

void fake_swarm_refuse(const char *what, int status, const char *message)
{
    ck_assert_ptr_null(backstage.refused);
    backstage.refused = strdup(what);
    backstage.refused_status = status;
    snprintf(backstage.refused_body, sizeof backstage.refused_body, "{\"message\":\"%s\"}", message);
}

static bool is_refused(const char *what)
{
    bool refused = backstage.refused && !strcmp(backstage.refused, what);
    if (refused) {
        free(backstage.refused);
        backstage.refused = NULL;
    }
    return refused;
}

/* ---- Looking ---- */

struct fake_engine *fake_engine(const char *name)
{
    for (size_t i = 0; i < fake_swarm.count; i++)
        if (!strcmp(fake_swarm.engines[i].name, name))
            return &fake_swarm.engines[i];
    ck_abort_msg("there is no engine %s", name);
    return NULL;
}

static const char *id_of(json_object *thing)
{
    return json_get_string(thing, "ID");
}

/* Its id when it has told no name yet. */
static const char *hostname(json_object *node)
{
    const char *name = json_get_string(json_get_object(node, "Description"), "Hostname");
    return name ? name : id_of(node);
}

static json_object *spec_of(json_object *thing)
{
    return json_get_object(thing, "Spec");
}

static json_object *by_id(json_object *list, const char *id)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (!strcmp(id_of(json_at(list, i)), id))
            return json_at(list, i);
    return NULL;
}

static json_object *by_name(json_object *list, const char *name)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (!strcmp(json_get_string(spec_of(json_at(list, i)), "Name"), name))
            return json_at(list, i);
    return NULL;
}

json_object *fake_listed(const char *name)
{
    json_object *node = by_id(fake_swarm.nodes, fake_engine(name)->node_id);
    ck_assert_msg(node, "%s is not in the list", name);
    return node;
}

size_t fake_listed_count(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++)
        count += !strcmp(hostname(json_at(fake_swarm.nodes, i)), name);
    return count;
}

json_object *fake_service(const char *name)
{
    return by_name(fake_swarm.services, name);
}

static const char *task_state_of(json_object *task)
{
    return json_get_string(json_get_object(task, "Status"), "State");
}

static bool is_wanted(json_object *task)
{
    return !strcmp(json_get_string(task, "DesiredState"), "running");
}

static bool has_ended(json_object *task)
{
    const char *state = task_state_of(task);
    return !strcmp(state, "shutdown") || !strcmp(state, "failed") || !strcmp(state, "rejected") ||
           !strcmp(state, "orphaned");
}

static bool is_on(json_object *task, const char *node_id)
{
    const char *at = json_get_string(task, "NodeID");
    return at && !strcmp(at, node_id);
}

static bool is_of(json_object *task, json_object *service)
{
    return !strcmp(json_get_string(task, "ServiceID"), id_of(service));
}

size_t fake_tasks_on(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < json_count(fake_swarm.tasks); i++)
        count +=
            is_on(json_at(fake_swarm.tasks, i), fake_engine(name)->node_id) && !has_ended(json_at(fake_swarm.tasks, i));
    return count;
}

size_t fake_running(const char *service)
{
    size_t count = 0;
    json_object *wanted = fake_service(service);
    for (size_t i = 0; wanted && i < json_count(fake_swarm.tasks); i++) {
        json_object *task = json_at(fake_swarm.tasks, i);
        count += is_of(task, wanted) && is_wanted(task) && !strcmp(task_state_of(task), "running");
    }
    return count;
}

/* ---- Managers ---- */

static struct fake_engine *engine_of(json_object *node)
{
    for (size_t i = 0; i < fake_swarm.count; i++)
        if (!strcmp(fake_swarm.engines[i].node_id, id_of(node)))
            return &fake_swarm.engines[i];
    return NULL;
}

static bool is_alive(json_object *node)
{
    const struct fake_engine *engine = engine_of(node);
    return engine && !engine->silence && !strcmp(engine->state, "active");
}

/* Without `leaving`, which may be NULL. */
static void count_managers(json_object *leaving, size_t *members, size_t *alive)
{
    *members = *alive = 0;
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++) {
        json_object *node = json_at(fake_swarm.nodes, i);
        if (node == leaving || !json_get_object(node, "ManagerStatus"))
            continue;
        *members += 1;
        *alive += is_alive(node);
    }
}

static bool has_leader(void)
{
    size_t members, alive;
    count_managers(NULL, &members, &alive);
    return !fake_swarm.electing && alive > members / 2;
}

/* SwarmKit takes no manager out of the group whose going would leave it without a majority. */
static bool can_be_taken_out(json_object *node)
{
    size_t members, alive;
    count_managers(node, &members, &alive);
    return has_leader() && alive >= members / 2 + 1;
}

static void touch(json_object *thing)
{
    json_object *version = json_get_object(thing, "Version");
    ck_assert(!json_set_int(version, "Index", json_get_int(version, "Index", 0) + 1));
}

static json_object *new_thing(json_object *list, const char *kind)
{
    char id[24];
    json_object *thing = json_add_new_object(list);
    snprintf(id, sizeof id, "%s%d", kind, ++backstage.next_id);
    ck_assert(!json_set_string(thing, "ID", id));
    ck_assert(!json_set_int(json_set_new_object(thing, "Version"), "Index", 10));
    return thing;
}

static void become_manager(json_object *node, struct fake_engine *engine)
{
    json_object *status = json_set_new_object(node, "ManagerStatus");
    ck_assert(!json_set_string(status, "Reachability", "reachable") && !json_set_bool(status, "Leader", false));
    engine->is_manager = true;
}

static void become_member(struct fake_engine *engine, bool is_manager)
{
    json_object *node = new_thing(fake_swarm.nodes, "node");
    json_object *spec = json_set_new_object(node, "Spec");
    ck_assert(!json_set_string(spec, "Role", is_manager ? "manager" : "worker"));
    ck_assert(!json_set_string(spec, "Availability", "active"));
    ck_assert_ptr_nonnull(json_set_new_object(spec, "Labels"));
    json_object *description = json_set_new_object(node, "Description");
    ck_assert(!json_set_string(description, "Hostname", engine->name));
    json_object *resources = json_set_new_object(description, "Resources");
    ck_assert(!json_set_int(resources, "NanoCPUs", 2000000000) && !json_set_int(resources, "MemoryBytes", 4000000000));
    ck_assert(!json_set_string(json_set_new_object(node, "Status"), "State", "ready"));
    snprintf(engine->node_id, sizeof engine->node_id, "%s", id_of(node));
    engine->state = "active";
    if (is_manager)
        become_manager(node, engine);
}

static void elect(void)
{
    bool found = false;
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++) {
        json_object *node = json_at(fake_swarm.nodes, i), *status = json_get_object(node, "ManagerStatus");
        if (!status)
            continue;
        bool leads = !found && has_leader() && is_alive(node);
        ck_assert(!json_set_bool(status, "Leader", leads));
        ck_assert(!json_set_string(status, "Reachability", is_alive(node) ? "reachable" : "unreachable"));
        found |= leads;
    }
}

void fake_swarm_add(const char *name, bool is_manager)
{
    become_member(fake_engine(name), is_manager);
    elect();
}

void fake_engine_die(const char *name)
{
    fake_engine(name)->silence = "connection refused";
    fake_engine(name)->silence_code = MEMORIES_TRANSIENT;
}

/* ---- Time ---- */

static void end_joins(void)
{
    for (size_t i = 0; i < fake_swarm.count; i++)
        if (!strcmp(fake_swarm.engines[i].state, "pending") && !fake_swarm.engines[i].silence)
            become_member(&fake_swarm.engines[i], fake_swarm.engines[i].is_manager);
}

static void change_roles(void)
{
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++) {
        json_object *node = json_at(fake_swarm.nodes, i);
        struct fake_engine *engine = engine_of(node);
        bool wants = !strcmp(json_get_string(spec_of(node), "Role"), "manager");
        bool is_member = json_get_object(node, "ManagerStatus");
        if (wants && !is_member && engine && is_alive(node)) {
            become_manager(node, engine);
        } else if (!wants && is_member && can_be_taken_out(node) && fake_swarm.demotions_take <= 1) {
            json_object_object_del(node, "ManagerStatus");
            if (engine && !engine->silence)
                engine->is_manager = false;
        }
    }
}

static void watch_nodes(void)
{
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++) {
        json_object *node = json_at(fake_swarm.nodes, i), *status = json_get_object(node, "Status");
        if (*json_get_string(status, "State") != 'u') /* unknown: nobody has ever come with it */
            ck_assert(!json_set_string(status, "State", is_alive(node) ? "ready" : "down"));
    }
}

static bool is_global(json_object *service)
{
    return json_get_object(json_get_object(spec_of(service), "Mode"), "Global");
}

static json_object *template_of(json_object *service)
{
    return json_get_object(spec_of(service), "TaskTemplate");
}

static bool meets(json_object *node, const char *constraint)
{
    bool is_equal = strstr(constraint, "==");
    const char *value = NULL;
    if (!strncmp(constraint, "node.role", 9))
        value = json_get_string(spec_of(node), "Role");
    else if (!strncmp(constraint, "node.hostname", 13))
        value = hostname(node);
    return !value || !strcmp(constraint + strcspn(constraint, "!=") + 2, value) == is_equal;
}

static bool may_run(json_object *service, json_object *node)
{
    json_object *constraints = json_get_array(json_get_object(template_of(service), "Placement"), "Constraints");
    for (size_t i = 0; i < json_count(constraints); i++)
        if (!meets(node, json_object_get_string(json_at(constraints, i))))
            return false;
    return !strcmp(json_get_string(spec_of(node), "Availability"), "active") &&
           !strcmp(json_get_string(json_get_object(node, "Status"), "State"), "ready");
}

static size_t wanted_there(json_object *service, const char *node_id)
{
    size_t count = 0;
    for (size_t i = 0; i < json_count(fake_swarm.tasks); i++) {
        json_object *task = json_at(fake_swarm.tasks, i);
        count += (!service || is_of(task, service)) && is_wanted(task) && is_on(task, node_id);
    }
    return count;
}

/* The node with the fewest tasks of this service; NULL when none has room. */
static json_object *choose_node(json_object *service)
{
    bool has_ports = json_count(json_get_array(json_get_object(spec_of(service), "EndpointSpec"), "Ports"));
    json_object *chosen = NULL;
    size_t fewest = 0;
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++) {
        json_object *node = json_at(fake_swarm.nodes, i);
        size_t there = wanted_there(service, id_of(node));
        bool is_full = fake_swarm.room && wanted_there(NULL, id_of(node)) >= (size_t)fake_swarm.room;
        if (!may_run(service, node) || (there && (has_ports || is_global(service))) || is_full)
            continue;
        if (!chosen || there < fewest) {
            chosen = node;
            fewest = there;
        }
    }
    return chosen;
}

static void set_task(json_object *task, const char *desired, const char *state, const char *said)
{
    json_object *status = json_get_object(task, "Status");
    if (desired)
        ck_assert(!json_set_string(task, "DesiredState", desired));
    ck_assert(!json_set_string(status, "State", state));
    if (said)
        ck_assert(!json_set_string(status, "Err", said));
    else
        json_object_object_del(status, "Err");
}

static void add_task(json_object *service)
{
    json_object *task = new_thing(fake_swarm.tasks, "task");
    ck_assert(!json_set_string(task, "ServiceID", id_of(service)) && json_set_new_object(task, "Status"));
    ck_assert(!json_set(task, "Spec", json_ref(template_of(service))));
    set_task(task, "running", "pending", NULL);
}

static const char *image_of_task(json_object *task)
{
    return json_get_string(json_get_object(json_get_object(task, "Spec"), "ContainerSpec"), "Image");
}

/* Images that are named by their digest come from nowhere. */
static bool lacks_image(json_object *task)
{
    const char *image = image_of_task(task);
    struct fake_engine *engine = engine_of(by_id(fake_swarm.nodes, json_get_string(task, "NodeID")));
    return !strncmp(image, "sha256:", 7) && engine && !json_get(engine->images, image);
}

static void place(json_object *task, json_object *service)
{
    json_object *node = choose_node(service);
    if (!node) {
        set_task(task, NULL, "pending", "no suitable node (host-mode port already in use on 2 nodes)");
        return;
    }
    ck_assert(!json_set_string(task, "NodeID", id_of(node)));
    set_task(task, NULL, "preparing", NULL);
}

static void start(json_object *task, json_object *service)
{
    int64_t steps = json_get_int(task, "Steps", 0) + 1;
    ck_assert(!json_set_int(task, "Steps", steps));
    if (steps < fake_swarm.tasks_take)
        return;
    if (fake_swarm.failing && !strcmp(fake_swarm.failing, json_get_string(spec_of(service), "Name")))
        set_task(task, "shutdown", "failed", fake_swarm.failure);
    else if (lacks_image(task))
        set_task(task, "shutdown", "rejected", "No such image");
    else
        set_task(task, NULL, "running", NULL);
}

static void go_on(json_object *task, json_object *service)
{
    json_object *node = json_get(task, "NodeID") ? by_id(fake_swarm.nodes, json_get_string(task, "NodeID")) : NULL;
    bool stays = !json_get(task, "NodeID") ||
                 (node && is_alive(node) && strcmp(json_get_string(spec_of(node), "Availability"), "drain") != 0);
    bool is_slow = node && is_alive(node) && engine_of(node)->is_slow;
    bool ran_before = !is_wanted(task) && !has_ended(task) && !is_slow;
    if (!service || (is_wanted(task) && !stays))
        set_task(task, "shutdown", node && is_alive(node) ? task_state_of(task) : "orphaned", NULL);
    if (ran_before)
        set_task(task, NULL, node && is_alive(node) ? "shutdown" : "orphaned", NULL);
    if (!is_wanted(task))
        return;
    if (!strcmp(task_state_of(task), "pending"))
        place(task, service);
    else if (!strcmp(task_state_of(task), "preparing"))
        start(task, service);
}

static bool is_outdated(json_object *task, json_object *service)
{
    return !json_object_equal(json_get(task, "Spec"), template_of(service));
}

static int64_t tasks_wanted(json_object *service)
{
    int64_t eligible = 0;
    if (!is_global(service))
        return json_get_int(json_get_object(json_get_object(spec_of(service), "Mode"), "Replicated"), "Replicas", 0);
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++)
        eligible += may_run(service, json_at(fake_swarm.nodes, i));
    return eligible;
}

/* As many tasks as are wanted; the newest go first. */
static void count_out(json_object *service)
{
    int64_t there = 0, wanted = tasks_wanted(service), outdated = 0;
    for (size_t i = 0; i < json_count(fake_swarm.tasks); i++) {
        json_object *task = json_at(fake_swarm.tasks, i);
        if (!is_of(task, service) || !is_wanted(task))
            continue;
        if (is_outdated(task, service) || ++there > wanted) {
            outdated += is_outdated(task, service);
            set_task(task, "shutdown", json_get(task, "NodeID") ? task_state_of(task) : "shutdown", NULL);
        }
    }
    for (; there < wanted; there++)
        add_task(service);
    if (outdated)
        ck_assert(!json_set_string(json_set_new_object(service, "UpdateStatus"), "State", "updating"));
}

static bool has_failed(json_object *service)
{
    for (size_t i = 0; i < json_count(fake_swarm.tasks); i++) {
        json_object *task = json_at(fake_swarm.tasks, i);
        if (is_of(task, service) && !is_outdated(task, service) && !strcmp(task_state_of(task), "failed"))
            return true;
    }
    return false;
}

static void end_update(json_object *service)
{
    json_object *update = json_get_object(service, "UpdateStatus");
    const char *name = json_get_string(spec_of(service), "Name"), *state = json_get_string(update, "State");
    if (!state || strcmp(state, "updating"))
        return;
    if (has_failed(service))
        ck_assert(!json_set_string(update, "State", "paused") &&
                  !json_set_string(update, "Message", "update paused due to failure or early termination of task"));
    else if ((int64_t)fake_running(name) >= tasks_wanted(service))
        ck_assert(!json_set_string(update, "State", "completed"));
}

static void run_tasks(void)
{
    for (size_t i = 0; i < json_count(fake_swarm.services); i++)
        count_out(json_at(fake_swarm.services, i));
    for (size_t i = 0; i < json_count(fake_swarm.tasks); i++) {
        json_object *task = json_at(fake_swarm.tasks, i);
        go_on(task, by_id(fake_swarm.services, json_get_string(task, "ServiceID")));
    }
    for (size_t i = 0; i < json_count(fake_swarm.services); i++)
        end_update(json_at(fake_swarm.services, i));
}

void fake_swarm_pass(void)
{
    fake_swarm.electing -= fake_swarm.electing > 0;
    if (has_leader()) {
        if (fake_swarm.joins_take > 0)
            fake_swarm.joins_take--;
        if (!fake_swarm.joins_take)
            end_joins();
        change_roles();
        fake_swarm.demotions_take -= fake_swarm.demotions_take > 0;
        watch_nodes();
        run_tasks();
    }
    elect();
}

/* ---- Answers ---- */

static struct fake_response answer_json(struct fake_engine *engine, int status, json_object *body)
{
    static char version[32];
    static const char *const headers[] = { "content-type: application/json", version, NULL };
    json_object_put(backstage.answer);
    backstage.answer = body;
    snprintf(version, sizeof version, "api-version: %s", engine->api ? engine->api : "");
    fake_host_set_headers(engine->api ? headers : NULL);
    return (struct fake_response){ .status = status,
                                   .body = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN) };
}

static struct fake_response refuse(struct fake_engine *engine, int status, const char *message)
{
    json_object *body = json_object_new_object();
    ck_assert(!json_set_string(body, "message", message));
    return answer_json(engine, status, body);
}

static struct fake_response accept_with(struct fake_engine *engine, const char *id)
{
    json_object *body = json_object_new_object();
    ck_assert(!id || !json_set_string(body, "ID", id));
    return answer_json(engine, 200, body);
}

static struct fake_response answer_info(struct fake_engine *engine)
{
    json_object *info = json_object_new_object(), *swarm = json_set_new_object(info, "Swarm");
    size_t tasks = *engine->node_id ? fake_tasks_on(engine->name) : 0;
    const char *complaint = engine->complaint;
    if (!complaint && engine->is_manager && !has_leader())
        complaint = "rpc error: code = Unknown desc = The swarm does not have a leader.";
    ck_assert(!json_set_string(info, "ServerVersion", "20.10.24"));
    ck_assert(!json_set_int(info, "ContainersRunning", engine->containers < 0 ? (int64_t)tasks : engine->containers));
    ck_assert(!json_set_string(swarm, "NodeID", engine->node_id));
    ck_assert(!json_set_string(swarm, "LocalNodeState", engine->state));
    ck_assert(!json_set_bool(swarm, "ControlAvailable", engine->is_manager && !strcmp(engine->state, "active")));
    ck_assert(!json_set_string(swarm, "Error", complaint ? complaint : ""));
    return answer_json(engine, 200, info);
}

static void leave(struct fake_engine *engine)
{
    engine->state = "inactive";
    engine->is_manager = false;
    engine->node_id[0] = '\0';
}

static struct fake_response answer_init(struct fake_engine *engine, json_object *body)
{
    if (!json_get_bool(body, "ForceNewCluster", false)) {
        if (strcmp(engine->state, "inactive"))
            return refuse(engine, 503, "This node is already part of a swarm.");
        become_member(engine, true);
        elect();
        return answer_json(engine, 200, json_object_new_string(engine->node_id));
    }
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++)
        if (strcmp(id_of(json_at(fake_swarm.nodes, i)), engine->node_id))
            json_object_object_del(json_at(fake_swarm.nodes, i), "ManagerStatus");
    elect();
    return answer_json(engine, 200, json_object_new_string(engine->node_id));
}

static struct fake_response answer_join(struct fake_engine *engine, json_object *body)
{
    const char *token = json_get_string(body, "JoinToken");
    bool is_manager = token && !strcmp(token, MANAGER_TOKEN);
    if (strcmp(engine->state, "inactive"))
        return refuse(engine, 503, "This node is already part of a swarm.");
    if (!token || (!is_manager && strcmp(token, WORKER_TOKEN)) || !json_count(json_get_array(body, "RemoteAddrs")))
        return refuse(engine, 400, "invalid join token");
    if (fake_swarm.joins_take) {
        engine->state = "pending";
        engine->is_manager = is_manager;
        return accept_with(engine, NULL);
    }
    become_member(engine, is_manager);
    return accept_with(engine, NULL);
}

static struct fake_response answer_tokens(struct fake_engine *engine)
{
    json_object *body = json_object_new_object(), *tokens = json_set_new_object(body, "JoinTokens");
    ck_assert(!json_set_string(tokens, "Worker", WORKER_TOKEN) && !json_set_string(tokens, "Manager", MANAGER_TOKEN));
    return answer_json(engine, 200, body);
}

static struct fake_response update_node(struct fake_engine *engine, json_object *node, int64_t version,
                                        json_object *spec)
{
    if (version != json_get_int(json_get_object(node, "Version"), "Index", 0))
        return refuse(engine, 500, "rpc error: code = Unknown desc = update out of sequence");
    bool was_manager = !strcmp(json_get_string(spec_of(node), "Role"), "manager");
    if (was_manager && strcmp(json_get_string(spec, "Role"), "manager") && !json_get_object(node, "ManagerStatus"))
        return refuse(engine, 404, "rpc error: code = NotFound desc = can't find manager in raft memberlist");
    ck_assert(!json_set(node, "Spec", json_ref(spec)));
    touch(node);
    return accept_with(engine, NULL);
}

static struct fake_response delete_node(struct fake_engine *engine, json_object *node)
{
    if (json_get_object(node, "ManagerStatus") && !strcmp(json_get_string(spec_of(node), "Role"), "manager"))
        return refuse(engine, 400, "it is a cluster manager and is a member of the raft cluster");
    for (size_t i = 0; i < json_count(fake_swarm.nodes); i++)
        if (json_at(fake_swarm.nodes, i) == node) {
            json_object_array_del_idx(fake_swarm.nodes, i, 1);
            break;
        }
    return accept_with(engine, NULL);
}

/* The digest behind "Config":" in an archive. */
static void load_image(struct fake_engine *engine, const struct memories_http_request *request)
{
    static const char before[] = "\"Config\":\"";
    const char *found = memmem(request->body, request->body_bytes, before, strlen(before));
    ck_assert_msg(found, "what is loaded is no archive");
    char id[80];
    snprintf(id, sizeof id, "sha256:%.64s", found + strlen(before));
    ck_assert(!json_set_bool(engine->images, id, true));
}

static struct fake_response list_services(struct fake_engine *engine)
{
    for (size_t i = 0; i < json_count(fake_swarm.services); i++) {
        json_object *service = json_at(fake_swarm.services, i);
        json_object *status = json_set_new_object(service, "ServiceStatus");
        int64_t running = (int64_t)fake_running(json_get_string(spec_of(service), "Name"));
        ck_assert(!json_set_int(status, "DesiredTasks", tasks_wanted(service)));
        ck_assert(!json_set_int(status, "RunningTasks", running));
    }
    return answer_json(engine, 200, json_ref(fake_swarm.services));
}

static void stamp(json_object *service)
{
    char text[64];
    time_t seconds = (time_t)(fake_swarm.now_ms / 1000);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.123456789Z", gmtime(&seconds));
    ck_assert(!json_set_string(service, "UpdatedAt", text));
}

static struct fake_response create_service(struct fake_engine *engine, json_object *spec)
{
    const char *name = json_get_string(spec, "Name");
    if (by_name(fake_swarm.services, name))
        return refuse(engine, 409, "rpc error: code = AlreadyExists desc = name conflicts with an existing object");
    json_object *service = new_thing(fake_swarm.services, "service");
    ck_assert(!json_set(service, "Spec", json_ref(spec)));
    stamp(service);
    return answer_json(engine, 201, json_ref(service));
}

static struct fake_response update_service(struct fake_engine *engine, json_object *service, int64_t version,
                                           json_object *spec)
{
    if (version != json_get_int(json_get_object(service, "Version"), "Index", 0))
        return refuse(engine, 500, "rpc error: code = Unknown desc = update out of sequence");
    ck_assert(!json_set(service, "Spec", json_ref(spec)));
    json_object_object_del(service, "UpdateStatus");
    touch(service);
    stamp(service);
    return accept_with(engine, NULL);
}

static struct fake_response delete_service(struct fake_engine *engine, json_object *service)
{
    for (size_t i = 0; i < json_count(fake_swarm.services); i++)
        if (json_at(fake_swarm.services, i) == service) {
            json_object_array_del_idx(fake_swarm.services, i, 1);
            break;
        }
    return accept_with(engine, NULL);
}

/* ---- Requests ---- */

/* "worker-1 drain marked": what of a node is asked to change. */
static void describe_change(json_object *node, json_object *spec, char text[128])
{
    static const char *const label = "memories.leaving";
    const char *role = json_get_string(spec, "Role"), *availability = json_get_string(spec, "Availability");
    bool marked = json_get(json_get_object(spec_of(node), "Labels"), label);
    bool marks = json_get(json_get_object(spec, "Labels"), label);
    snprintf(text, 128, "%s%s%s%s%s%s", hostname(node), strcmp(role, json_get_string(spec_of(node), "Role")) ? " " : "",
             strcmp(role, json_get_string(spec_of(node), "Role")) ? role : "",
             strcmp(availability, json_get_string(spec_of(node), "Availability")) ? " " : "",
             strcmp(availability, json_get_string(spec_of(node), "Availability")) ? availability : "",
             marks == marked ? ""
             : marks         ? " marked"
                             : " unmarked");
}

/* One request to one engine. `what`: as it stands in the log; empty for one that only looks. */
struct asked {
    const struct memories_http_request *request;
    struct fake_engine *engine;
    const char *path; /* without version */
    json_object *body;
    json_object *thing; /* node or service that the path names */
    int64_t version;
    char what[160];
};

static bool is_asked(const struct asked *asked, const char *method, const char *path)
{
    size_t length = strcspn(asked->path, "?");
    return !strcmp(asked->request->method, method) && strlen(path) == length && !strncmp(asked->path, path, length);
}

/* "/nodes/ID/update?version=N" -> the node */
static bool names_thing(struct asked *asked, const char *method, const char *kind, const char *action,
                        json_object *list)
{
    char id[32], rest[64] = "";
    size_t length = strlen(kind);
    if (strcmp(asked->request->method, method) || strncmp(asked->path, kind, length))
        return false;
    if (sscanf(asked->path + length, "%31[^/?]%63s", id, rest) < 1 || strncmp(rest, action, strlen(action)))
        return false;
    asked->thing = by_id(list, id);
    const char *version = strstr(rest, "version=");
    asked->version = version ? strtoll(version + strlen("version="), NULL, 10) : 0;
    return true;
}

static void name_change(struct asked *asked)
{
    const char *name = asked->engine->name;
    if (is_asked(asked, "POST", "/swarm/init"))
        snprintf(asked->what, sizeof asked->what, "init %s%s", name,
                 json_get_bool(asked->body, "ForceNewCluster", false) ? " anew" : "");
    else if (is_asked(asked, "POST", "/swarm/join"))
        snprintf(asked->what, sizeof asked->what, "join %s", name);
    else if (is_asked(asked, "POST", "/swarm/leave"))
        snprintf(asked->what, sizeof asked->what, "leave %s", name);
    else if (is_asked(asked, "POST", "/images/load"))
        snprintf(asked->what, sizeof asked->what, "load %s", name);
    else if (is_asked(asked, "POST", "/networks/create"))
        snprintf(asked->what, sizeof asked->what, "network %s", json_get_string(asked->body, "Name"));
    else if (is_asked(asked, "POST", "/services/create"))
        snprintf(asked->what, sizeof asked->what, "create %s", json_get_string(asked->body, "Name"));
    else if (names_thing(asked, "POST", "/services/", "/update?version=", fake_swarm.services))
        snprintf(asked->what, sizeof asked->what, "update %s", json_get_string(asked->body, "Name"));
    else if (names_thing(asked, "DELETE", "/services/", "", fake_swarm.services))
        snprintf(asked->what, sizeof asked->what, "remove %s", json_get_string(spec_of(asked->thing), "Name"));
    else if (names_thing(asked, "POST", "/nodes/", "/update?version=", fake_swarm.nodes)) {
        char text[128] = "an unknown node";
        if (asked->thing)
            describe_change(asked->thing, asked->body, text);
        snprintf(asked->what, sizeof asked->what, "change %s", text);
    } else if (names_thing(asked, "DELETE", "/nodes/", "?force=true", fake_swarm.nodes))
        snprintf(asked->what, sizeof asked->what, "forget %s",
                 asked->thing ? hostname(asked->thing) : "an unknown node");
}

/* The requests that any engine answers. */
static struct fake_response ask_engine(struct asked *asked)
{
    struct fake_engine *engine = asked->engine;
    if (is_asked(asked, "POST", "/swarm/init"))
        return answer_init(engine, asked->body);
    if (is_asked(asked, "POST", "/swarm/join"))
        return answer_join(engine, asked->body);
    if (is_asked(asked, "POST", "/swarm/leave")) {
        leave(engine);
        return accept_with(engine, NULL);
    }
    if (is_asked(asked, "POST", "/images/load")) {
        load_image(engine, asked->request);
        return accept_with(engine, NULL);
    }
    ck_assert_msg(!strncmp(asked->path, "/images/sha256:", 15), "%s %s", asked->request->method, asked->path);
    char id[80];
    ck_assert_int_eq(sscanf(asked->path, "/images/%79[^/]/json", id), 1);
    return json_get(engine->images, id) ? accept_with(engine, NULL) : refuse(engine, 404, "No such image");
}

/* Those that need a manager, and a leader. */
static struct fake_response ask_manager(struct asked *asked)
{
    struct fake_engine *engine = asked->engine;
    if (is_asked(asked, "GET", "/swarm"))
        return answer_tokens(engine);
    if (is_asked(asked, "GET", "/nodes"))
        return answer_json(engine, 200, json_ref(fake_swarm.nodes));
    if (is_asked(asked, "GET", "/services"))
        return list_services(engine);
    if (is_asked(asked, "GET", "/tasks"))
        return answer_json(engine, 200, json_ref(fake_swarm.tasks));
    if (is_asked(asked, "GET", "/networks/memories"))
        return fake_swarm.has_network ? accept_with(engine, NULL) : refuse(engine, 404, "network memories not found");
    if (is_asked(asked, "POST", "/networks/create")) {
        fake_swarm.has_network = true;
        return accept_with(engine, NULL);
    }
    if (is_asked(asked, "POST", "/services/create"))
        return create_service(engine, asked->body);
    if (!asked->thing)
        return refuse(engine, 404, "not found");
    bool is_node = !strncmp(asked->path, "/nodes/", 7);
    if (!strcmp(asked->request->method, "DELETE"))
        return is_node ? delete_node(engine, asked->thing) : delete_service(engine, asked->thing);
    return is_node ? update_node(engine, asked->thing, asked->version, asked->body)
                   : update_service(engine, asked->thing, asked->version, asked->body);
}

static bool is_engines_own(const char *path)
{
    return !strncmp(path, "/swarm/", 7) || !strncmp(path, "/images/", 8);
}

static struct fake_response serve(struct asked *asked)
{
    struct fake_engine *engine = asked->engine;
    if (is_asked(asked, "GET", "/info"))
        return answer_info(engine);
    name_change(asked);
    if (*asked->what)
        log_change("%s", asked->what);
    if (is_refused(asked->what))
        return (struct fake_response){ .status = backstage.refused_status, .body = backstage.refused_body };
    if (fake_swarm.frozen && *asked->what)
        return accept_with(engine, NULL);
    if (is_engines_own(asked->path))
        return ask_engine(asked);
    if (!engine->is_manager)
        return refuse(engine, 503, "This node is not a swarm manager.");
    if (!has_leader() && !(fake_swarm.leads_still && !strcmp(asked->request->method, "GET")))
        return refuse(engine, 500, "rpc error: code = Unknown desc = The swarm does not have a leader.");
    return ask_manager(asked);
}

static struct fake_engine *engine_at(const char *connect)
{
    size_t length = strcspn(connect, ":");
    ck_assert_str_eq(connect + length, ":2376");
    for (size_t i = 0; i < fake_swarm.count; i++)
        if (strlen(fake_swarm.engines[i].address) == length && !strncmp(fake_swarm.engines[i].address, connect, length))
            return &fake_swarm.engines[i];
    ck_abort_msg("there is no engine at %s", connect);
    return NULL;
}

/* Every request goes to the node's own address, has the name of its certificate in the URL, which TLS checks: a manager's
 * own, or the one that all workers share; and it must end some time. */
static struct fake_response answer(const struct memories_http_request *request, void *user_data)
{
    char name[24];
    int port = 0, length = 0;
    (void)user_data;
    ck_assert_msg(sscanf(request->url, "https://%23[^:]:%d%n", name, &port, &length) == 2, "%s", request->url);
    struct fake_engine *engine = engine_at(request->connect_to);
    ck_assert_str_eq(name, strncmp(engine->name, "worker", 6) ? engine->name : "worker");
    ck_assert_int_eq(port, 2376);
    ck_assert_str_eq(request->identity, "deployment");
    ck_assert_uint_gt(request->timeout_ms, 0);
    if (engine->silence)
        return (struct fake_response){ .error_code = engine->silence_code, .error = engine->silence };
    if (engine->body)
        return (struct fake_response){ .status = 200, .body = engine->body };
    struct asked asked = { .request = request, .engine = engine, .path = request->url + length };
    unsigned minor = 0;
    if (sscanf(asked.path, "/v1.%u/", &minor) == 1)
        asked.path += snprintf(backstage.version, sizeof backstage.version, "/v1.%u/", minor) - 1;
    bool is_archive = !strncmp(asked.path, "/images/load", 12);
    asked.body = request->body && !is_archive ? json_tokener_parse(request->body) : NULL;
    ck_assert_msg(is_archive || !request->body || asked.body, "%s: the body is no JSON", request->url);
    struct fake_response response = serve(&asked);
    json_object_put(asked.body);
    return response;
}

/* ---- Opening ---- */

void fake_swarm_open(size_t managers, size_t workers)
{
    fake_swarm = (struct fake_swarm){ .count = managers + workers,
                                      .nodes = json_object_new_array(),
                                      .services = json_object_new_array(),
                                      .tasks = json_object_new_array() };
    fake_swarm.engines = calloc(fake_swarm.count, sizeof *fake_swarm.engines);
    ck_assert_ptr_nonnull(fake_swarm.engines);
    for (size_t i = 0; i < fake_swarm.count; i++) {
        struct fake_engine *engine = &fake_swarm.engines[i];
        *engine = (struct fake_engine){ .state = "inactive", .api = "1.41", .containers = -1 };
        engine->images = json_object_new_object();
        snprintf(engine->address, sizeof engine->address, "10.0.%zu.%zu", i / 200, i % 200 + 1);
        snprintf(engine->name, sizeof engine->name, "%s-%zu", i < managers ? "manager" : "worker",
                 i < managers ? i + 1 : i - managers + 1);
    }
    fake_host_set_http(answer, NULL);
}

void fake_swarm_close(void)
{
    for (size_t i = 0; i < fake_swarm.count; i++)
        json_object_put(fake_swarm.engines[i].images);
    free(fake_swarm.engines);
    json_object_put(fake_swarm.nodes);
    json_object_put(fake_swarm.services);
    json_object_put(fake_swarm.tasks);
    json_object_put(backstage.answer);
    free(backstage.log);
    free(backstage.shown);
    free(backstage.refused);
    memset(&backstage, 0, sizeof backstage);
    memset(&fake_swarm, 0, sizeof fake_swarm);
}
