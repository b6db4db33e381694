/* status.c - `status`: what the swarm, its nodes and its services are like now */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/topologies/swarmed/swarmed.h"

/* A status that waits for the end of an election would look like one that hangs. */
#define STATUS_TIMEOUT_MS 5000

/* ---- nodes ---- */

static const char *role_now(const struct swarm_node *node)
{
    if (!strcmp(node->state, "stopped"))
        return "stopped";
    if (!node->swarm_state)
        return "unreachable";
    if (node->listed && listed_is_leader(node->listed))
        return "leader";
    return node->is_manager ? "manager" : "worker";
}

/* Why a node is not well; NULL when it is. */
static const char *node_problem(struct swarm *swarm, const struct swarm_node *node)
{
    if (node->problem)
        return node->problem;
    if (strcmp(node->swarm_state, "active"))
        return swarm_keep(swarm, plugin_format(swarm->call, "its engine's swarm is %s", node->swarm_state));
    if (!swarm->nodes_listed)
        return NULL; /* nobody knows more */
    if (!node->listed)
        return "the swarm does not know it";
    if (strcmp(listed_state(node->listed), "ready")) {
        const char *said = json_get_string(json_get_object(node->listed, "Status"), "Message");
        return swarm_keep(swarm, plugin_format(swarm->call, "it is %s%s%s", listed_state(node->listed),
                                               said && *said ? ": " : "", said ? said : ""));
    }
    return NULL;
}

static int add_member(struct swarm *swarm, json_object *list, const struct swarm_node *node)
{
    const char *problem = node_problem(swarm, node);
    json_object *entry = json_add_new_object(list);
    int failed = json_set_string(entry, "name", node->name);
    failed |= json_set_string(entry, "role", role_now(node));
    failed |= json_set_bool(entry, "healthy", !problem);
    const char *address = node->connect ? plugin_format(swarm->call, "https://%s", node->connect) : NULL;
    failed |= json_set_string(entry, "address", node->connect ? swarm_keep(swarm, address) : NULL);
    failed |= json_set_string(entry, "message", problem);
    failed |= json_set_string(entry, "availability", node->listed ? listed_availability(node->listed) : NULL);
    failed |= json_set_string(entry, "node_id", node->node_id && *node->node_id ? node->node_id : NULL);
    failed |= json_set_string(entry, "version", json_get_string(node->info, "ServerVersion"));
    return failed;
}

struct count {
    size_t managers;
    size_t workers;
    size_t healthy;
    size_t stopped;
    const struct swarm_node *first_problem;
};

static struct count count_nodes(struct swarm *swarm)
{
    struct count count = { 0 };
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        bool is_manager = node->role && !strcmp(node->role, "manager"), is_well = !node_problem(swarm, node);
        count.managers += is_manager;
        count.workers += !is_manager;
        count.healthy += is_well;
        count.stopped += !strcmp(node->state, "stopped");
        if (!is_well && !count.first_problem)
            count.first_problem = node;
    }
    return count;
}

/* ---- the whole ---- */

struct judgement {
    const char *status;
    const char *message;
};

static struct judgement without_manager(struct swarm *swarm)
{
    struct managers managers = swarm_count_managers(swarm);
    const char *id = swarm->deployment;
    const char *text;
    if (managers.answering >= managers.needed)
        return (struct judgement){ "degraded", "the managers are electing a leader; what runs goes on running" };
    if (swarm_is_absent(swarm))
        text = plugin_format(swarm->call, "no swarm has been formed; form it with `memories resume %s`", id);
    else
        text =
            plugin_format(swarm->call,
                          "%zu of %zu managers answer and %zu are needed: nothing can be changed, and what runs is not "
                          "watched; bring them back with `memories start %s`, or, when a majority is lost for ever, "
                          "`memories heal %s --force-new-cluster MANAGER`",
                          managers.answering, managers.count, managers.needed, id, id);
    return (struct judgement){ "unavailable", swarm_keep(swarm, text) };
}

static json_object *first_bad_service(json_object *services)
{
    for (size_t i = 0; i < json_count(services); i++) {
        json_object *service = json_at(services, i);
        if (json_get_int(service, "running", 0) < json_get_int(service, "replicas", 0))
            return service;
    }
    return NULL;
}

static struct judgement judge(struct swarm *swarm, const struct count *count, json_object *services)
{
    struct memories_call *call = swarm->call;
    if (count->stopped == swarm->count)
        return (struct judgement){ "stopped", "all nodes are stopped" };
    if (!swarm->nodes_listed)
        return without_manager(swarm);
    const char *healthy =
        swarm_keep(swarm, plugin_format(call, "%zu of %zu nodes are healthy", count->healthy, swarm->count));
    const struct swarm_node *node = count->first_problem;
    if (node)
        return (struct judgement){ "degraded", swarm_keep(swarm, plugin_format(call, "%s; %s: %s", healthy, node->name,
                                                                               node_problem(swarm, node))) };
    json_object *service = first_bad_service(services);
    if (!service)
        return (struct judgement){ "running", healthy };
    const char *text = plugin_format(call, "%s; service %s is %s", healthy, json_get_string(service, "name"),
                                     json_get_string(service, "status"));
    return (struct judgement){ "degraded", swarm_keep(swarm, text) };
}

/* The first that answers, so that people have something to open. */
static const char *first_address(json_object *services)
{
    for (size_t i = 0; i < json_count(services); i++) {
        json_object *addresses = json_get_array(json_at(services, i), "addresses");
        if (json_count(addresses))
            return json_object_get_string(json_at(addresses, 0));
    }
    return NULL;
}

static const char *leader_of(const struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++)
        if (swarm->nodes[i].listed && listed_is_leader(swarm->nodes[i].listed))
            return swarm->nodes[i].name;
    return NULL;
}

static int32_t answer(struct swarm *swarm)
{
    AUTO_JSON json_object *document = json_object_new_object();
    AUTO_JSON json_object *services = swarm->services_listed ? services_report(swarm) : json_object_new_array();
    struct count count = count_nodes(swarm);
    struct judgement judgement = judge(swarm, &count, services);
    int failed = swarm->out_of_memory || !services ? MEMORIES_NO_MEMORY : 0;
    failed |= json_set_string(document, "status", judgement.status);
    failed |= json_set_string(document, "message", judgement.message);
    failed |= json_set_string(document, "leader", leader_of(swarm));
    failed |= json_set_int(document, "manager_count", (int64_t)count.managers);
    failed |= json_set_int(document, "worker_count", (int64_t)count.workers);
    failed |= json_set_string(document, "address", first_address(services));
    json_object *members = json_set_new_array(document, "members");
    for (size_t i = 0; i < swarm->count; i++)
        failed |= add_member(swarm, members, &swarm->nodes[i]);
    failed |= json_set(document, "services", json_ref(services));
    return plugin_result(swarm->call, failed || swarm->out_of_memory ? NULL : STEAL(document));
}

int32_t swarmed_status(struct memories_call *call, const char *request)
{
    AUTO_SWARM struct swarm swarm;
    int32_t code = swarm_open(&swarm, call, request);
    swarm.timeout_ms = STATUS_TIMEOUT_MS;
    if (!code && swarm.manager)
        code = swarm_read(&swarm);
    return code ? code : answer(&swarm);
}
