/* members.c - asking the members of a running cluster over etcd's JSON gateway (API: etcd.io/docs/v3.4/rfc) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/topologies/consensus/consensus.h"

#define CLIENT_PORT 2379
#define PEER_PORT 2380

const char *cluster_keep(struct cluster *cluster, const char *text)
{
    cluster->out_of_memory |= !text;
    return text ? text : "";
}

/* The gateway writes 64-bit numbers as strings, and leaves zeros out. */
static uint64_t get_number(json_object *object, const char *key)
{
    const char *text = json_get_string(object, key);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* A node's ports are its client port and its peer port (plan.c). */
static int port_at(json_object *spec_node, size_t index, int otherwise)
{
    json_object *ports = json_get_array(json_get_object(spec_node, "bootstrap"), "ports");
    return index < json_count(ports) ? json_object_get_int(json_at(ports, index)) : otherwise;
}

static int32_t read_member(struct cluster *cluster, struct member *member, json_object *node, json_object *spec_node)
{
    struct memories_call *call = cluster->call;
    const char *address = json_get_string(json_get_object(node, "outputs"), "address");
    const char *inside = json_get_string(json_get_object(node, "outputs"), "private_address");
    int port = port_at(spec_node, 0, CLIENT_PORT);
    member->name = json_get_string(node, "name");
    member->state = json_get_string(node, "state");
    if (!member->name || !member->state)
        return plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the request has a node without name or state");
    if (!address)
        return MEMORIES_OK;
    member->connect = http_authority(call, address, port);
    member->url = plugin_format(call, "https://%s", member->connect ? member->connect : "");
    member->base = plugin_format(call, "https://%s:%d", member->name, port);
    const char *peer = http_authority(call, inside ? inside : address, port_at(spec_node, 1, PEER_PORT));
    member->peer_url = plugin_format(call, "https://%s", peer ? peer : "");
    bool complete = member->connect && member->url && member->base && peer && member->peer_url;
    return complete ? MEMORIES_OK : plugin_no_memory(call);
}

static int32_t read_cluster(struct cluster *cluster)
{
    json_object *nodes = json_get_array(cluster->request, "nodes");
    json_object *spec_nodes = json_get_array(json_get_object(cluster->request, "spec"), "nodes");
    cluster->deployment = json_get_string(cluster->request, "deployment");
    if (!cluster->deployment || !json_count(nodes))
        return plugin_fail(cluster->call, MEMORIES_INTERNAL, NULL, NULL, "the request has no deployment or no nodes");
    cluster->members = plugin_host->allocate(cluster->call, json_count(nodes) * sizeof *cluster->members);
    if (!cluster->members)
        return plugin_no_memory(cluster->call);
    cluster->count = json_count(nodes);
    for (size_t i = 0; i < cluster->count; i++) {
        /* Every node of one spec has the same ports. */
        int32_t code = read_member(cluster, &cluster->members[i], json_at(nodes, i), json_at(spec_nodes, 0));
        if (code)
            return code;
    }
    return MEMORIES_OK;
}

static bool can_ask(const struct member *member)
{
    return member->connect && !strcmp(member->state, "ready");
}

static struct memories_http_request request_to(const struct cluster *cluster, const struct member *member,
                                               const char *path, const char *body)
{
    return http_node_request(plugin_format(cluster->call, "%s%s", member->base, path), member->connect, body);
}

static void take_status(struct cluster *cluster, struct member *member, const struct memories_http_response *response)
{
    json_object *status = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    uint64_t id = get_number(json_get_object(status, "header"), "member_id");
    member->status = status;
    if (!id) {
        member->problem = response->status == 200 ? "it answers, but not as etcd does"
                                                  : cluster_keep(cluster, http_problem(cluster->call, response));
        return;
    }
    member->answered = true;
    member->id = id;
    member->leader = get_number(status, "leader");
    member->term = get_number(status, "raftTerm");
    member->index = get_number(status, "raftIndex");
    member->applied = get_number(status, "raftAppliedIndex");
    member->db_size_bytes = get_number(status, "dbSize");
    member->version = json_get_string(status, "version");
    member->learner = json_get_bool(status, "isLearner", false);
    member->errors = json_get_array(status, "errors");
}

/* A member's own complaint says more than the failed health check that follows from it. */
static void take_health(struct cluster *cluster, struct member *member, const struct memories_http_response *response)
{
    if (!member->answered)
        return;
    AUTO_JSON json_object *body = json_tokener_parse(response->body ? response->body : "");
    const char *health = json_get_string(body, "health");
    member->healthy = response->status == 200 && health && !strcmp(health, "true");
    if (member->healthy)
        return;
    if (json_count(member->errors))
        member->problem = json_object_get_string(json_at(member->errors, 0));
    else if (response->status)
        member->problem = cluster_keep(
            cluster, plugin_format(cluster->call, "its health check fails (HTTP status %d)", response->status));
    else
        member->problem = cluster_keep(cluster, http_problem(cluster->call, response));
}

static const struct member *member_by_id(const struct cluster *cluster, uint64_t id)
{
    for (size_t i = 0; id && i < cluster->count; i++)
        if (cluster->members[i].answered && cluster->members[i].id == id)
            return &cluster->members[i];
    return NULL;
}

/* "memberID:457698568038022572 alarm:NOSPACE ", with the node's name for its id. An alarm stops all members' writes. */
static const char *alarm_text(struct cluster *cluster, const char *complaint)
{
    uint64_t id = 0;
    char alarm[32];
    if (sscanf(complaint, "memberID:%" SCNu64 " alarm:%31s", &id, alarm) != 2)
        return NULL;
    const struct member *member = member_by_id(cluster, id);
    const char *name =
        member ? member->name : cluster_keep(cluster, plugin_format(cluster->call, "member %" PRIx64, id));
    const char *advice = !strcmp(alarm, "NOSPACE") ? ": its database is full, and nothing can be written; delete keys, "
                                                     "compact, defragment, then disarm the alarm"
                                                   : "";
    return cluster_keep(cluster, plugin_format(cluster->call, "alarm %s of %s%s", alarm, name, advice));
}

static bool has_alarm(const struct member *member)
{
    for (size_t i = 0; i < json_count(member->errors); i++)
        if (strstr(json_object_get_string(json_at(member->errors, i)), "alarm:"))
            return true;
    return false;
}

static void name_alarms(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        struct member *member = &cluster->members[i];
        for (size_t k = 0; k < json_count(member->errors); k++) {
            const char *alarm = alarm_text(cluster, json_object_get_string(json_at(member->errors, k)));
            member->problem = alarm ? alarm : member->problem;
        }
    }
}

/*
 * For one election timeout after a leader's death the others still name it, and a leader cut off from the rest goes on
 * naming itself. So a leader is a member that names itself, has just served a read that needs a majority (its health
 * check; an alarm fails that too, though it does not end leadership), and has the highest term of those.
 *
 * A leader that only its peers reach leads all the same; members pass on to it what they are asked.
 */
static void find_leader(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        if (!member->answered || member->leader != member->id || !(member->healthy || has_alarm(member)))
            continue;
        if (!cluster->leader || member->term > cluster->leader->term)
            cluster->leader = member;
    }
    cluster->agreed = cluster->leader != NULL;
    cluster->spokesman = cluster->leader;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        cluster->healthy += member->healthy;
        if (!cluster->spokesman && member->healthy && !member->learner)
            cluster->spokesman = member;
        if (cluster->leader && member->healthy)
            cluster->agreed &= member->leader == cluster->leader->id && member->term == cluster->leader->term;
    }
}

static int32_t ask_all(struct cluster *cluster)
{
    size_t asked = 0;
    struct memories_http_request *requests =
        plugin_host->allocate(cluster->call, 2 * cluster->count * sizeof *requests);
    const struct memories_http_response **responses =
        plugin_host->allocate(cluster->call, 2 * cluster->count * sizeof *responses);
    if (!requests || !responses)
        return plugin_no_memory(cluster->call);
    for (size_t i = 0; i < cluster->count; i++) {
        if (!can_ask(&cluster->members[i]))
            continue;
        requests[asked++] = request_to(cluster, &cluster->members[i], "/v3/maintenance/status", "{}");
        requests[asked++] = request_to(cluster, &cluster->members[i], "/health", NULL);
    }
    int32_t code = http_send_all(cluster->call, requests, asked, responses);
    if (code)
        return code;
    asked = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        struct member *member = &cluster->members[i];
        if (!can_ask(member)) {
            const char *state = member->connect ? member->state : "not there";
            member->problem = cluster_keep(cluster, plugin_format(cluster->call, "the node is %s", state));
            continue;
        }
        take_status(cluster, member, responses[asked++]);
        take_health(cluster, member, responses[asked++]);
    }
    return MEMORIES_OK;
}

int32_t cluster_read(struct cluster *cluster, struct memories_call *call, const char *request)
{
    *cluster = (struct cluster){ .call = call };
    cluster->request = plugin_parse(call, request, "request");
    return cluster->request ? read_cluster(cluster) : MEMORIES_INTERNAL;
}

int32_t cluster_ask(struct cluster *cluster)
{
    int32_t code = ask_all(cluster);
    if (code)
        return code;
    name_alarms(cluster);
    find_leader(cluster);
    return MEMORIES_OK;
}

void cluster_release(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++)
        json_object_put(cluster->members[i].status);
    json_object_put(cluster->request);
}

static bool is_node(const struct cluster *cluster, const char *name)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (!strcmp(cluster->members[i].name, name))
            return true;
    return false;
}

static bool is_peer(const struct cluster *cluster, json_object *entry)
{
    json_object *urls = json_get_array(entry, "peerURLs");
    const char *url = json_count(urls) ? json_object_get_string(json_at(urls, 0)) : "";
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->members[i].peer_url && !strcmp(cluster->members[i].peer_url, url))
            return true;
    return false;
}

/* A member that has been announced and has not started yet has no name, but an address. */
static const char *find_difference(struct cluster *cluster, json_object *members)
{
    for (size_t i = 0; i < json_count(members); i++) {
        const char *name = json_get_string(json_at(members, i), "name");
        bool has_name = name && *name;
        if (has_name ? !is_node(cluster, name) : !is_peer(cluster, json_at(members, i)))
            return cluster_keep(cluster, plugin_format(cluster->call, "its member %s is no node of the deployment",
                                                       has_name ? name : "without name"));
    }
    return NULL;
}

json_object *cluster_find_listed(json_object *list, const struct member *member)
{
    for (size_t i = 0; i < json_count(list); i++) {
        json_object *entry = json_at(list, i), *urls = json_get_array(entry, "peerURLs");
        const char *name = json_get_string(entry, "name");
        const char *url = json_count(urls) ? json_object_get_string(json_at(urls, 0)) : "";
        if (name && *name ? !strcmp(name, member->name) : member->peer_url && !strcmp(url, member->peer_url))
            return entry;
    }
    return NULL;
}

/* A member tells its client URLs to the others when it first serves. */
const struct member *cluster_find_fallen(const struct cluster *cluster, json_object *list)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        if (!member->healthy && !has_alarm(member) && can_ask(member) &&
            json_count(json_get_array(cluster_find_listed(list, member), "clientURLs")))
            return member;
    }
    return NULL;
}

const struct member *cluster_find_late(const struct cluster *cluster, json_object *list)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        if (!member->healthy && can_ask(member) &&
            json_get_bool(cluster_find_listed(list, member), "isLearner", false))
            return member;
    }
    return NULL;
}

bool cluster_has_learner(json_object *list)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (json_get_bool(json_at(list, i), "isLearner", false))
            return true;
    return false;
}

int32_t cluster_post(struct cluster *cluster, const struct member *member, const char *path, const char *body,
                     const struct memories_http_response **response)
{
    struct memories_http_request request = request_to(cluster, member, path, body ? body : "");
    if (!body)
        return plugin_no_memory(cluster->call);
    return http_send_all(cluster->call, &request, 1, response);
}

int32_t cluster_add_learner(struct cluster *cluster, const struct member *member,
                            const struct memories_http_response **response)
{
    const char *body = plugin_format(cluster->call, "{\"peerURLs\":[\"%s\"],\"isLearner\":true}", member->peer_url);
    return cluster_post(cluster, cluster->spokesman, "/v3/cluster/member/add", body, response);
}

int32_t cluster_check(struct cluster *cluster, struct cluster_check *check)
{
    /* Deleting a key that is not there ("\0memories") goes through Raft like every write, and leaves no trace. */
    const struct memories_http_request requests[] = {
        request_to(cluster, cluster->spokesman, "/v3/kv/deleterange", "{\"key\":\"AG1lbW9yaWVz\"}"),
        request_to(cluster, cluster->spokesman, "/v3/cluster/member/list", "{}"),
    };
    const struct memories_http_response *responses[ARRAY_COUNT(requests)];
    *check = (struct cluster_check){ 0 };
    int32_t code = http_send_all(cluster->call, requests, ARRAY_COUNT(requests), responses);
    if (code)
        return code;
    check->writable = responses[0]->status == 200;
    if (!check->writable)
        check->problem = cluster_keep(cluster, http_problem(cluster->call, responses[0]));
    check->answer = responses[1]->status == 200 ? json_tokener_parse(responses[1]->body) : NULL;
    check->list = json_get_array(check->answer, "members");
    if (check->list)
        check->difference = find_difference(cluster, check->list);
    return MEMORIES_OK;
}
