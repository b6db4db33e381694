/* service.c - the services of the swarm: making them as the spec says, and what their tasks do */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/topologies/swarmed/swarmed.h"

#define RESTART_DELAY_NS 500000000
#define UPDATE_MONITOR_NS 2000000000
/* Tasks of a new service fail at times, while its network comes up on a node. Who still fails so long after the last node
 * has joined will go on so. */
#define FAILING_MS 30000
/* A service of which some tasks run, and others can't for so long, has no room for them. Nodes that were switched off
 * may need as long to come back, and bring tasks that have failed. */
#define STUCK_MS 120000
/* The scheduler may overlook that a node has come back for a task that waits for one. */
#define OVERLOOKED_MS 10000

/* ---- from the spec's words to Docker's ---- */

static int add_environment(struct swarm *swarm, json_object *container, json_object *service)
{
    json_object *list = json_set_new_array(container, "Env"), *asked = json_get_object(service, "env");
    int failed = json_add_string(list, "MEMORIES_NODE_NAME={{.Node.Hostname}}");
    if (!asked)
        return failed;
    json_object_object_foreach(asked, name, value)
    {
        const char *line = plugin_format(swarm->call, "%s=%s", name, json_object_get_string(value));
        failed |= line ? json_add_string(list, line) : MEMORIES_NO_MEMORY;
    }
    return failed;
}

static int add_mounts(json_object *container, json_object *service)
{
    json_object *volumes = json_get_array(service, "volumes");
    json_object *list = json_count(volumes) ? json_set_new_array(container, "Mounts") : NULL;
    int failed = 0;
    for (size_t i = 0; i < json_count(volumes); i++) {
        json_object *mount = json_add_new_object(list);
        failed |= json_set_string(mount, "Type", "volume");
        failed |= json_set_string(mount, "Source", json_get_string(json_at(volumes, i), "name"));
        failed |= json_set_string(mount, "Target", json_get_string(json_at(volumes, i), "path"));
    }
    return failed;
}

static int add_health(json_object *container, json_object *service)
{
    json_object *health = json_get_object(service, "health");
    if (!health)
        return 0;
    json_object *check = json_set_new_object(container, "Healthcheck");
    json_object *test = json_set_new_array(check, "Test"), *command = json_get_array(health, "command");
    int failed = json_add_string(test, "CMD");
    for (size_t i = 0; i < json_count(command); i++)
        failed |= json_add(test, json_ref(json_at(command, i)));
    failed |= json_set_int(check, "Interval", json_get_int(health, "interval_s", 5) * 1000000000);
    failed |= json_set_int(check, "Timeout", json_get_int(health, "timeout_s", 3) * 1000000000);
    failed |= json_set_int(check, "Retries", json_get_int(health, "retries", 3));
    return failed;
}

static int add_amount(json_object *resources, const char *key, json_object *amount)
{
    if (!amount)
        return 0;
    json_object *to = json_set_new_object(resources, key);
    int failed = to ? 0 : MEMORIES_NO_MEMORY;
    if (json_get(amount, "cpus"))
        failed |= json_set_int(to, "NanoCPUs", (int64_t)(json_object_get_double(json_get(amount, "cpus")) * 1e9));
    if (json_get(amount, "memory_mb"))
        failed |= json_set_int(to, "MemoryBytes", json_get_int(amount, "memory_mb", 0) * 1000000);
    return failed;
}

static int add_resources(json_object *task, json_object *service)
{
    json_object *asked = json_get_object(service, "resources");
    if (!asked)
        return 0;
    json_object *resources = json_set_new_object(task, "Resources");
    return add_amount(resources, "Limits", json_get_object(asked, "limits")) |
           add_amount(resources, "Reservations", json_get_object(asked, "reservations"));
}

static int add_placement(struct swarm *swarm, json_object *task, json_object *service)
{
    json_object *placement = json_get_object(service, "placement");
    if (!placement)
        return 0;
    const char *role = json_get_string(placement, "role"), *node = json_get_string(placement, "node");
    json_object *asked = json_get_array(placement, "constraints");
    json_object *list = json_set_new_array(json_set_new_object(task, "Placement"), "Constraints");
    int failed = 0;
    if (role)
        failed |= json_add_string(list, plugin_format(swarm->call, "node.role==%s", role));
    if (node)
        failed |= json_add_string(list, plugin_format(swarm->call, "node.hostname==%s", node));
    for (size_t i = 0; i < json_count(asked); i++)
        failed |= json_add(list, json_ref(json_at(asked, i)));
    return failed;
}

static int add_task(struct swarm *swarm, json_object *spec, json_object *service, const char *image)
{
    json_object *task = json_set_new_object(spec, "TaskTemplate");
    json_object *container = json_set_new_object(task, "ContainerSpec");
    int failed = json_set_string(container, "Image", image);
    if (json_get(service, "command"))
        failed |= json_set(container, "Command", json_ref(json_get(service, "command")));
    failed |= add_environment(swarm, container, service);
    failed |= add_mounts(container, service);
    failed |= add_health(container, service);
    json_object *network = json_add_new_object(json_set_new_array(task, "Networks"));
    failed |= json_set_string(network, "Target", SERVICE_NETWORK);
    json_object *restart = json_set_new_object(task, "RestartPolicy");
    failed |= json_set_string(restart, "Condition", "any") | json_set_int(restart, "Delay", RESTART_DELAY_NS);
    return failed | add_placement(swarm, task, service) | add_resources(task, service);
}

static bool is_global(json_object *service)
{
    const char *mode = json_get_string(service, "mode");
    return mode && !strcmp(mode, "global");
}

static int add_mode(json_object *spec, json_object *service)
{
    json_object *mode = json_set_new_object(spec, "Mode");
    if (is_global(service))
        return json_set_new_object(mode, "Global") ? 0 : MEMORIES_NO_MEMORY;
    return json_set_int(json_set_new_object(mode, "Replicated"), "Replicas", json_get_int(service, "replicas", 1));
}

/* A task that holds a port or a volume of its node must go before the next one can come. */
static int add_update(json_object *spec, json_object *service)
{
    bool exclusive = json_get(service, "ports") || json_get(service, "volumes") || is_global(service);
    json_object *update = json_set_new_object(spec, "UpdateConfig");
    int failed = json_set_int(update, "Parallelism", 1);
    failed |= json_set_string(update, "FailureAction", "pause");
    failed |= json_set_int(update, "Monitor", UPDATE_MONITOR_NS);
    return failed | json_set_string(update, "Order", exclusive ? "stop-first" : "start-first");
}

/* Each task publishes its node's own port, and names resolve to the tasks' addresses: Docker's virtual addresses and its
 * routing mesh need IPVS in the nodes' kernel, which not every kernel has. */
static int add_endpoint(json_object *spec, json_object *service)
{
    json_object *ports = json_get_array(service, "ports");
    json_object *endpoint = json_set_new_object(spec, "EndpointSpec");
    json_object *list = json_count(ports) ? json_set_new_array(endpoint, "Ports") : NULL;
    int failed = json_set_string(endpoint, "Mode", "dnsrr");
    for (size_t i = 0; i < json_count(ports); i++) {
        json_object *from = json_at(ports, i), *port = json_add_new_object(list);
        failed |= json_set_string(port, "Protocol", json_get_string(from, "protocol"));
        failed |= json_set_int(port, "TargetPort", json_get_int(from, "target", 0));
        failed |= json_set_int(port, "PublishedPort", json_get_int(from, "published", 0));
        failed |= json_set_string(port, "PublishMode", "host");
    }
    return failed;
}

/* The whole, with itself as a label: what Docker gives back has defaults in it, and could not be compared. */
static int32_t make_spec(struct swarm *swarm, json_object *service, json_object **made)
{
    const char *image;
    int32_t code = image_of(swarm, service, &image);
    if (code)
        return code;
    AUTO_JSON json_object *spec = json_object_new_object();
    int failed = json_set_string(spec, "Name", json_get_string(service, "name"));
    failed |= add_task(swarm, spec, service, image);
    failed |= add_mode(spec, service);
    failed |= add_update(spec, service);
    failed |= add_endpoint(spec, service);
    const char *text = failed ? NULL : json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN);
    const char *definition = text ? plugin_format(swarm->call, "%s", text) : NULL;
    json_object *labels = definition ? json_set_new_object(spec, "Labels") : NULL;
    failed |= json_set_string(labels, LABEL_DEPLOYMENT, swarm->deployment);
    failed |= json_set_string(labels, LABEL_DEFINITION, definition);
    if (failed || !labels)
        return plugin_no_memory(swarm->call);
    *made = STEAL(spec);
    return MEMORIES_OK;
}

/* ---- what is there ---- */

static json_object *listed_spec(json_object *listed)
{
    return json_get_object(listed, "Spec");
}

static const char *label_of(json_object *spec, const char *label)
{
    return json_get_string(json_get_object(spec, "Labels"), label);
}

static json_object *service_listed(struct swarm *swarm, const char *name)
{
    for (size_t i = 0; i < json_count(swarm->services_listed); i++) {
        json_object *listed = json_at(swarm->services_listed, i);
        const char *found = json_get_string(listed_spec(listed), "Name");
        if (found && !strcmp(found, name))
            return listed;
    }
    return NULL;
}

int64_t service_replicas(json_object *spec)
{
    return json_get_int(json_get_object(json_get_object(spec, "Mode"), "Replicated"), "Replicas", -1);
}

/* Replicas are compared too: letting nodes go raises them for a while, and may have been called off. */
static bool is_as_wanted(json_object *listed, json_object *wanted)
{
    const char *present = label_of(listed_spec(listed), LABEL_DEFINITION);
    return present && !strcmp(present, label_of(wanted, LABEL_DEFINITION)) &&
           service_replicas(listed_spec(listed)) == service_replicas(wanted);
}

static bool is_ours(const struct swarm *swarm, json_object *listed)
{
    const char *owner = label_of(listed_spec(listed), LABEL_DEPLOYMENT);
    return owner && !strcmp(owner, swarm->deployment);
}

/* ---- making it so ---- */

static const char *update_path(struct swarm *swarm, json_object *listed)
{
    return plugin_format(swarm->call, "/services/%s/update?version=%lld", json_get_string(listed, "ID"),
                         (long long)json_get_int(json_get_object(listed, "Version"), "Index", 0));
}

int32_t service_update(struct swarm *swarm, json_object *listed, json_object *spec)
{
    const char *path = update_path(swarm, listed);
    if (!path)
        return plugin_no_memory(swarm->call);
    const struct memories_http_request request = swarm_post(swarm, swarm->manager, path, spec);
    const struct memories_http_response *response;
    int32_t code = swarm_send(swarm, &request, &response);
    if (!code && !swarm_accepted(response))
        swarm_wait(swarm, "updating %s: %s", json_get_string(listed_spec(listed), "Name"),
                   http_problem(swarm->call, response));
    return code;
}

/* The services' network: made once, and never changed. */
static int32_t ensure_network(struct swarm *swarm)
{
    const struct memories_http_request look =
        swarm_request(swarm, swarm->manager, "GET", "/networks/" SERVICE_NETWORK "?scope=swarm", NULL);
    const struct memories_http_response *response;
    int32_t code = swarm_send(swarm, &look, &response);
    if (code || response->status == 200)
        return code;
    AUTO_JSON json_object *body = json_object_new_object();
    int failed = json_set_string(body, "Name", SERVICE_NETWORK) | json_set_string(body, "Driver", "overlay");
    failed |= json_set_bool(body, "Attachable", true) | json_set_bool(body, "CheckDuplicate", true);
    failed |= json_set_string(json_set_new_object(body, "Labels"), LABEL_DEPLOYMENT, swarm->deployment);
    const struct memories_http_request make =
        swarm_post(swarm, swarm->manager, "/networks/create", failed ? NULL : body);
    code = swarm_send(swarm, &make, &response);
    if (!code && !swarm_accepted(response) && response->status != 409)
        swarm_wait(swarm, "making the services' network: %s", http_problem(swarm->call, response));
    return code;
}

struct change {
    json_object *listed; /* NULL: to be created */
    json_object *spec;   /* owned; NULL: to be removed */
};

static int32_t note_changes(struct swarm *swarm, struct change *changes, size_t *count)
{
    json_object *services = json_get_array(swarm->spec, "services");
    AUTO_JSON json_object *wanted = json_object_new_object();
    for (size_t i = 0; i < json_count(services); i++) {
        const char *name = json_get_string(json_at(services, i), "name");
        json_object *listed = service_listed(swarm, name), *spec = NULL;
        if (json_set_bool(wanted, name, true))
            return plugin_no_memory(swarm->call);
        if (listed && !is_ours(swarm, listed))
            return plugin_fail(swarm->call, MEMORIES_CONFLICT, name, "remove that service, or give this one another name",
                               "the swarm has a service %s that does not belong to %s", name, swarm->deployment);
        int32_t code = make_spec(swarm, json_at(services, i), &spec);
        if (code)
            return code;
        if (listed && is_as_wanted(listed, spec))
            json_object_put(spec);
        else
            changes[(*count)++] = (struct change){ listed, spec };
    }
    for (size_t i = 0; i < json_count(swarm->services_listed); i++) {
        json_object *listed = json_at(swarm->services_listed, i);
        if (is_ours(swarm, listed) && !json_get(wanted, json_get_string(listed_spec(listed), "Name")))
            changes[(*count)++] = (struct change){ listed, NULL };
    }
    return MEMORIES_OK;
}

static struct memories_http_request change_request(struct swarm *swarm, const struct change *change)
{
    if (change->listed && change->spec)
        return swarm_post(swarm, swarm->manager, swarm_keep(swarm, update_path(swarm, change->listed)), change->spec);
    if (change->spec)
        return swarm_post(swarm, swarm->manager, "/services/create", change->spec);
    const char *path = plugin_format(swarm->call, "/services/%s", json_get_string(change->listed, "ID"));
    return swarm_request(swarm, swarm->manager, "DELETE", swarm_keep(swarm, path), NULL);
}

static int32_t send_changes(struct swarm *swarm, const struct change *changes, size_t count)
{
    struct memories_http_request *requests = plugin_host->allocate(swarm->call, count * sizeof *requests);
    const struct memories_http_response **responses = plugin_host->allocate(swarm->call, count * sizeof *responses);
    if (!requests || !responses)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < count; i++)
        requests[i] = change_request(swarm, &changes[i]);
    int32_t code = http_send_all(swarm->call, requests, count, responses);
    for (size_t i = 0; !code && i < count; i++) {
        const char *name =
            json_get_string(changes[i].spec ? changes[i].spec : listed_spec(changes[i].listed), "Name");
        if (responses[i]->status == 400)
            return plugin_fail(swarm->call, MEMORIES_INVALID, name, "correct the service's configuration",
                               "Docker does not take service %s: %s", name, http_problem(swarm->call, responses[i]));
        if (!swarm_accepted(responses[i]))
            swarm_wait(swarm, "service %s: %s", name, http_problem(swarm->call, responses[i]));
    }
    if (!code && !swarm->waiting)
        swarm_wait(swarm, "%zu services are made", json_count(json_get_array(swarm->spec, "services")));
    return code;
}

/* Every node that stays gets new images before a task needs them. */
static int32_t load_everywhere(struct swarm *swarm)
{
    const struct swarm_node **nodes = plugin_host->allocate(swarm->call, (swarm->count + 1) * sizeof *nodes);
    size_t count = 0;
    if (!nodes)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < swarm->count; i++)
        if (swarm->nodes[i].role)
            nodes[count++] = &swarm->nodes[i];
    return images_load(swarm, nodes, count);
}

int32_t services_apply(struct swarm *swarm)
{
    size_t most = json_count(json_get_array(swarm->spec, "services")) + json_count(swarm->services_listed), count = 0;
    struct change *changes = plugin_host->allocate(swarm->call, (most + 1) * sizeof *changes);
    if (!changes)
        return plugin_no_memory(swarm->call);
    int32_t code = note_changes(swarm, changes, &count);
    if (!code && count)
        code = load_everywhere(swarm);
    if (!code && count)
        code = ensure_network(swarm);
    if (!code && count && !swarm->waiting)
        code = send_changes(swarm, changes, count);
    for (size_t i = 0; i < count; i++)
        json_object_put(changes[i].spec);
    return code;
}

/* ---- tasks ---- */

struct tally {
    json_object *listed;
    json_object *service; /* of the spec; NULL: somebody else's */
    int64_t wanted;
    int64_t running;
    bool troubled;       /* a task has failed, or was lost */
    bool is_pending;     /* a task waits for a node that can take it */
    const char *problem; /* what the last one said */
    const char *at;      /* the node on which it failed; NULL: on none, or on one that is not of the deployment */
    json_object *addresses;
};

const char *task_state(json_object *task)
{
    const char *state = json_get_string(json_get_object(task, "Status"), "State");
    return state ? state : "";
}

bool task_is_wanted(json_object *task)
{
    const char *wanted = json_get_string(task, "DesiredState");
    return wanted && !strcmp(wanted, "running");
}

static bool is_trouble(const char *state)
{
    static const char *const states[] = { "failed", "rejected", "orphaned" };
    for (size_t i = 0; i < ARRAY_COUNT(states); i++)
        if (!strcmp(state, states[i]))
            return true;
    return false;
}

static const struct swarm_node *node_of(struct swarm *swarm, json_object *by_id, json_object *task)
{
    const char *id = json_get_string(task, "NodeID");
    int64_t at = id ? json_get_int(by_id, id, -1) : -1;
    return at < 0 ? NULL : &swarm->nodes[at];
}

static int add_addresses(struct swarm *swarm, struct tally *tally, const struct swarm_node *node)
{
    json_object *ports = json_get_array(tally->service, "ports");
    int failed = 0;
    for (size_t i = 0; node && node->connect && i < json_count(ports); i++) {
        int length = (int)(strrchr(node->connect, ':') - node->connect);
        const char *address = plugin_format(swarm->call, "%.*s:%d", length, node->connect,
                                            (int)json_get_int(json_at(ports, i), "published", 0));
        failed |= json_add_string(tally->addresses, address);
    }
    return failed;
}

static int count_task(struct swarm *swarm, struct tally *tally, json_object *task, const struct swarm_node *node)
{
    const char *state = task_state(task);
    const char *said = json_get_string(json_get_object(task, "Status"), "Err");
    if (is_trouble(state)) {
        tally->troubled = true;
        if (said && *said) {
            tally->problem = said;
            tally->at = node ? node->name : NULL;
        }
    } else if (task_is_wanted(task) && !strcmp(state, "pending") && said && *said) {
        tally->problem = said; /* "no suitable node (…)" */
        tally->at = NULL;
        tally->is_pending = true;
    }
    if (!task_is_wanted(task) || strcmp(state, "running"))
        return 0;
    tally->running++;
    return add_addresses(swarm, tally, node);
}

/* How many tasks a global service should have; Docker's own number lags behind nodes that have just come. */
static int64_t eligible_nodes(const struct swarm *swarm, json_object *service, json_object *status)
{
    json_object *placement = json_get_object(service, "placement");
    const char *role = json_get_string(placement, "role"), *name = json_get_string(placement, "node");
    int64_t count = 0;
    if (json_count(json_get_array(placement, "constraints")))
        return json_get_int(status, "DesiredTasks", 0);
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        count += node->listed && !strcmp(listed_availability(node->listed), "active") &&
                 (!role || !strcmp(role, listed_role(node->listed))) && (!name || !strcmp(name, node->name));
    }
    return count;
}

static int64_t wanted_tasks(const struct swarm *swarm, const struct tally *tally)
{
    json_object *status = json_get_object(tally->listed, "ServiceStatus");
    if (tally->service && is_global(tally->service))
        return eligible_nodes(swarm, tally->service, status);
    int64_t replicas = service_replicas(listed_spec(tally->listed));
    return replicas >= 0 ? replicas : json_get_int(status, "DesiredTasks", 0);
}

json_object *service_of_spec(const struct swarm *swarm, const char *name)
{
    json_object *services = json_get_array(swarm->spec, "services");
    for (size_t i = 0; i < json_count(services); i++)
        if (!strcmp(json_get_string(json_at(services, i), "name"), name))
            return json_at(services, i);
    return NULL;
}

static void tallies_free(struct tally *tallies, size_t count)
{
    for (size_t i = 0; tallies && i < count; i++)
        json_object_put(tallies[i].addresses);
}

/* One tally a listed service, in the order of the list; in the call's memory, but for the addresses. NULL: no memory. */
static struct tally *count_tasks(struct swarm *swarm, size_t *count)
{
    AUTO_JSON json_object *services = json_object_new_object();
    AUTO_JSON json_object *nodes = json_object_new_object();
    *count = json_count(swarm->services_listed);
    struct tally *tallies = plugin_host->allocate(swarm->call, (*count + 1) * sizeof *tallies);
    int failed = tallies ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; tallies && i < *count; i++) {
        tallies[i].listed = json_at(swarm->services_listed, i);
        tallies[i].service = service_of_spec(swarm, json_get_string(listed_spec(tallies[i].listed), "Name"));
        tallies[i].addresses = json_object_new_array();
        tallies[i].wanted = wanted_tasks(swarm, &tallies[i]);
        failed |= json_set_int(services, json_get_string(tallies[i].listed, "ID"), (int64_t)i);
    }
    for (size_t i = 0; i < swarm->count; i++)
        if (swarm->nodes[i].listed)
            failed |= json_set_int(nodes, json_get_string(swarm->nodes[i].listed, "ID"), (int64_t)i);
    for (size_t i = 0; !failed && i < json_count(swarm->tasks_listed); i++) {
        json_object *task = json_at(swarm->tasks_listed, i);
        const char *id = json_get_string(task, "ServiceID");
        int64_t at = id ? json_get_int(services, id, -1) : -1;
        if (at >= 0)
            failed |= count_task(swarm, &tallies[at], task, node_of(swarm, nodes, task));
    }
    if (!failed)
        return tallies;
    tallies_free(tallies, *count);
    swarm->out_of_memory = true;
    return NULL;
}

static const char *update_state(json_object *listed)
{
    const char *state = json_get_string(json_get_object(listed, "UpdateStatus"), "State");
    return state ? state : "";
}

/* "2026-02-25T12:34:56.123456789Z" in milliseconds since 1970; 0 for anything else. */
static int64_t time_of(const char *text)
{
    struct tm parts = { 0 };
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    return rest ? (int64_t)timegm(&parts) * 1000 : 0;
}

/* By this converge, or by what has come of it. */
static bool was_updated_now(struct swarm *swarm, const struct tally *tally)
{
    int64_t began_ms = plugin_host->now_ms(swarm->call) - swarm->elapsed_ms;
    return time_of(json_get_string(tally->listed, "UpdatedAt")) > began_ms;
}

/* An engine that was ended at the wrong moment may keep a network of its containers half made, and then no task can be in it
 * again (github.com/moby/libnetwork/issues/1765). */
static const char *advice(struct swarm *swarm, const struct tally *tally, const char *otherwise)
{
    static const char stuck[] = "network sandbox join failed";
    if (!tally->at || strncmp(tally->problem, stuck, strlen(stuck)) != 0)
        return otherwise;
    return plugin_format(swarm->call, "Docker's network on %s is stuck; make the node anew: memories heal %s --node %s",
                         tally->at, swarm->deployment, tally->at);
}

/* Who asks for it, or sees all tasks run, lets a paused update go on: each try may cost one more task. */
static bool may_go_on(const struct swarm *swarm, const struct tally *tally)
{
    const char *reason = swarm->reason ? swarm->reason : "";
    return tally->running >= tally->wanted || !strcmp(reason, "update") || !strcmp(reason, "resume");
}

/* An update that fails is paused by Docker after its first task: the others still run what they ran. What made it fail
 * before this converge may have passed since: the same spec again makes it go on. */
static int32_t check_update(struct swarm *swarm, const struct tally *tally)
{
    const char *state = update_state(tally->listed), *name = json_get_string(tally->service, "name");
    if (!strcmp(state, "updating"))
        swarm_wait(swarm, "service %s is being updated: %lld of %lld tasks run", name, (long long)tally->running,
                   (long long)tally->wanted);
    if (strcmp(state, "paused"))
        return MEMORIES_OK;
    if (!was_updated_now(swarm, tally)) {
        if (!may_go_on(swarm, tally))
            return MEMORIES_OK;
        swarm_wait(swarm, "the update of service %s goes on", name);
        return service_update(swarm, tally->listed, listed_spec(tally->listed));
    }
    const char *said = json_get_string(json_get_object(tally->listed, "UpdateStatus"), "Message");
    return plugin_fail(swarm->call, MEMORIES_FAILED, name,
                       advice(swarm, tally, "correct the service's configuration and update again"),
                       "the update of service %s has stopped at its first failure: %s", name,
                       tally->problem ? tally->problem : said ? said : state);
}

/* Once in a converge: Docker schedules the service's tasks anew, one after the other. */
static int32_t nudge(struct swarm *swarm, const struct tally *tally)
{
    if (swarm->elapsed_ms < OVERLOOKED_MS || was_updated_now(swarm, tally))
        return MEMORIES_OK;
    AUTO_JSON json_object *spec = NULL;
    if (json_object_deep_copy(listed_spec(tally->listed), &spec, NULL))
        return plugin_no_memory(swarm->call);
    json_object *task = json_get_object(spec, "TaskTemplate");
    if (json_set_int(task, "ForceUpdate", json_get_int(task, "ForceUpdate", 0) + 1))
        return plugin_no_memory(swarm->call);
    return service_update(swarm, tally->listed, spec);
}

/* How long all nodes have been there: a cloud's machines may have taken minutes to come. (When a node was last heard of is
 * no help: Docker notes each of its tasks as a change of the node.) */
static int64_t complete_for_ms(struct swarm *swarm)
{
    int64_t now_ms = plugin_host->now_ms(swarm->call), since_ms = now_ms - swarm->elapsed_ms;
    for (size_t i = 0; i < json_count(swarm->nodes_listed); i++) {
        int64_t joined_ms = time_of(json_get_string(json_at(swarm->nodes_listed, i), "CreatedAt"));
        since_ms = joined_ms && joined_ms > since_ms ? joined_ms : since_ms;
    }
    return now_ms - since_ms;
}

static int32_t await_service(struct swarm *swarm, const struct tally *tally)
{
    const char *name = json_get_string(tally->service, "name");
    int32_t code = check_update(swarm, tally);
    if (code || tally->running >= tally->wanted)
        return code;
    if (tally->is_pending)
        code = nudge(swarm, tally);
    if (code)
        return code;
    if (tally->problem && complete_for_ms(swarm) > (tally->running || swarm_comes_back(swarm) ? STUCK_MS : FAILING_MS))
        return plugin_fail(swarm->call, MEMORIES_FAILED, name,
                           advice(swarm, tally, "look at its image, command and placement"),
                           "%lld of %lld tasks of service %s run: %s", (long long)tally->running,
                           (long long)tally->wanted, name, tally->problem);
    swarm_wait(swarm, "%lld of %lld tasks of service %s run%s%s", (long long)tally->running, (long long)tally->wanted,
               name, tally->problem ? ": " : "", tally->problem ? tally->problem : "");
    return MEMORIES_OK;
}

int32_t services_await(struct swarm *swarm)
{
    size_t count;
    struct tally *tallies = count_tasks(swarm, &count);
    if (!tallies)
        return plugin_no_memory(swarm->call);
    int32_t code = MEMORIES_OK;
    for (size_t i = 0; !code && i < count; i++)
        if (tallies[i].service)
            code = await_service(swarm, &tallies[i]);
    tallies_free(tallies, count);
    return code;
}

/* running, starting, "degraded (k of n)", stopped */
static const char *judge(struct swarm *swarm, const struct tally *tally)
{
    if (!tally->wanted)
        return "stopped";
    if (tally->running >= tally->wanted)
        return "running";
    if (!tally->troubled && !tally->problem)
        return "starting";
    return swarm_keep(swarm, plugin_format(swarm->call, "degraded (%lld of %lld)", (long long)tally->running,
                                           (long long)tally->wanted));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(json_get_string(*(json_object *const *)a, "name"), json_get_string(*(json_object *const *)b, "name"));
}

json_object *services_report(struct swarm *swarm)
{
    size_t count;
    struct tally *tallies = count_tasks(swarm, &count);
    AUTO_JSON json_object *list = json_object_new_array();
    int failed = tallies ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; tallies && i < count; i++) {
        json_object *entry = json_add_new_object(list);
        bool is_well = tallies[i].running >= tallies[i].wanted;
        failed |= json_set_string(entry, "name", json_get_string(listed_spec(tallies[i].listed), "Name"));
        failed |= json_set_int(entry, "replicas", tallies[i].wanted);
        failed |= json_set_int(entry, "running", tallies[i].running);
        failed |= json_set_string(entry, "status", judge(swarm, &tallies[i]));
        failed |= json_set_string(entry, "message", is_well ? NULL : tallies[i].problem);
        failed |= json_set(entry, "addresses", json_ref(tallies[i].addresses));
    }
    tallies_free(tallies, count);
    if (failed)
        return NULL;
    json_object_array_sort(list, by_name);
    return STEAL(list);
}
