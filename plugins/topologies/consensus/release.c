/*
 * release.c - `release`: members leave the cluster before their nodes are destroyed
 *
 * A member that will be replaced (its node is in the spec still) is taken out and announced anew at once, as a learner: its
 * etcd finds the cluster ready for it, and the others' majority is not at risk meanwhile. `converge` promotes it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/topologies/consensus/consensus.h"

#define POLL_MS 200

struct release {
    struct cluster cluster;
    json_object *leaving;  /* names, borrowed from the request */
    json_object *released; /* names, owned */
    const char *waiting;
};

static void release_close(struct release *release)
{
    json_object_put(release->released);
    cluster_release(&release->cluster);
}
#define AUTO_RELEASE __attribute__((cleanup(release_close)))

static bool is_leaving(const struct release *release, const char *name)
{
    for (size_t i = 0; i < json_count(release->leaving); i++)
        if (!strcmp(json_object_get_string(json_at(release->leaving, i)), name))
            return true;
    return false;
}

/* The nodes of the spec are those that there shall be afterwards. */
static bool is_replaced(const struct release *release, const char *name)
{
    json_object *nodes = json_get_array(json_get_object(release->cluster.request, "spec"), "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        if (!strcmp(json_get_string(json_at(nodes, i), "name"), name))
            return true;
    return false;
}

static size_t healthy_staying(const struct release *release)
{
    size_t count = 0;
    for (size_t i = 0; i < release->cluster.count; i++)
        count += release->cluster.members[i].healthy && !is_leaving(release, release->cluster.members[i].name);
    return count;
}

static size_t staying(const struct release *release)
{
    size_t count = 0;
    for (size_t i = 0; i < release->cluster.count; i++)
        count += !is_leaving(release, release->cluster.members[i].name);
    return count;
}

/* Removing a member is a decision of the members that are there, the one that goes among them. */
static int32_t check(struct release *release)
{
    struct cluster *cluster = &release->cluster;
    size_t stay = staying(release), needed = cluster->count / 2 + 1;
    if (json_get_string(cluster->request, "force_new_cluster"))
        return plugin_fail(cluster->call, MEMORIES_UNSUPPORTED, NULL,
                           "bring members back with `memories start`, or restore a snapshot into a new deployment",
                           "a consensus cluster that has lost its majority can't be begun anew: its members could not "
                           "tell which of them knows the last writes");
    if (!stay)
        return plugin_fail(cluster->call, MEMORIES_CONFLICT, NULL, "keep one member, or delete the deployment",
                           "no member would stay, and nothing of the data");
    if (cluster->healthy >= needed && healthy_staying(release) > stay / 2)
        return MEMORIES_OK;
    return plugin_fail(cluster->call, MEMORIES_CONFLICT, NULL,
                       "bring the members that are down back first (memories start), or let fewer go at once",
                       "of %zu members %zu are healthy, %zu of the %zu that would stay: that is no majority",
                       cluster->count, cluster->healthy, healthy_staying(release), stay);
}

/* ---- the members' own list ---- */

static void wait_on(struct release *release, const char *name, const struct memories_http_response *response)
{
    struct memories_call *call = release->cluster.call;
    release->waiting =
        cluster_keep(&release->cluster, plugin_format(call, "%s leaves: %s", name, http_problem(call, response)));
}

/* Its entry is gone, or never was: what is left is to announce its successor. */
static int32_t announce(struct release *release, const struct member *member, json_object *list)
{
    struct cluster *cluster = &release->cluster;
    if (!is_replaced(release, member->name) || cluster_has_learner(list))
        return MEMORIES_OK; /* converge announces the next ones, one after the other */
    const struct memories_http_response *response;
    int32_t code = cluster_add_learner(cluster, member, &response);
    if (!code && response->status != 200)
        wait_on(release, member->name, response);
    return code;
}

static int32_t let_go(struct release *release, const struct member *member, json_object *list)
{
    struct cluster *cluster = &release->cluster;
    json_object *entry = cluster_find_listed(list, member);
    const char *name = json_get_string(entry, "name");
    bool has_started = name && *name; /* else it has been announced, and nobody has come under that entry yet: */
    bool is_successor = entry && !has_started && is_replaced(release, member->name);
    if (!entry || is_successor) {
        int32_t code = entry ? MEMORIES_OK : announce(release, member, list);
        if (!code && !release->waiting && json_add_string(release->released, member->name))
            return plugin_no_memory(cluster->call);
        return code;
    }
    const struct memories_http_response *response;
    int32_t code = cluster_post(cluster, cluster->spokesman, "/v3/cluster/member/remove",
                                plugin_format(cluster->call, "{\"ID\":\"%s\"}", json_get_string(entry, "ID")), &response);
    if (!code && response->status != 200 && response->status != 404)
        wait_on(release, member->name, response);
    else if (!code)
        release->waiting = cluster_keep(cluster, plugin_format(cluster->call, "%s has left", member->name));
    return code;
}

/* One member a step: each changes who decides. A leader that goes hands over first, so that nobody waits for an election. */
static int32_t take_step(struct release *release)
{
    struct cluster *cluster = &release->cluster;
    const struct memories_http_response *response;
    int32_t code = cluster_post(cluster, cluster->spokesman, "/v3/cluster/member/list", "{}", &response);
    if (code)
        return code;
    AUTO_JSON json_object *answer = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    json_object *list = json_get_array(answer, "members");
    if (!list) {
        wait_on(release, cluster->spokesman->name, response);
        return MEMORIES_OK;
    }
    for (size_t i = 0; !code && !release->waiting && i < cluster->count; i++)
        if (is_leaving(release, cluster->members[i].name))
            code = let_go(release, &cluster->members[i], list);
    return code;
}

static int32_t hand_over(struct release *release)
{
    struct cluster *cluster = &release->cluster;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        if (!member->healthy || member->learner || is_leaving(release, member->name))
            continue;
        const struct memories_http_response *response;
        release->waiting = cluster_keep(cluster, plugin_format(cluster->call, "%s hands over to %s",
                                                               cluster->leader->name, member->name));
        return cluster_post(cluster, cluster->leader, "/v3/maintenance/transfer-leadership",
                            plugin_format(cluster->call, "{\"targetID\":\"%" PRIu64 "\"}", member->id), &response);
    }
    return check(release);
}

static int32_t answer(struct release *release)
{
    AUTO_JSON json_object *document = json_object_new_object();
    bool done = json_count(release->released) == json_count(release->leaving);
    int failed = release->cluster.out_of_memory ? MEMORIES_NO_MEMORY : 0;
    failed |= json_set_bool(document, "done", done);
    failed |= json_set(document, "released", json_ref(release->released));
    failed |= json_set_string(document, "message", done ? NULL : release->waiting);
    failed |= json_set_int(document, "poll_after_ms", POLL_MS);
    return plugin_result(release->cluster.call, failed ? NULL : STEAL(document));
}

int32_t consensus_release(struct memories_call *call, const char *request)
{
    AUTO_RELEASE struct release release = { .released = json_object_new_array() };
    int32_t code = cluster_read(&release.cluster, call, request);
    if (!code)
        code = cluster_ask(&release.cluster);
    if (code)
        return code;
    if (!release.released)
        return plugin_no_memory(call);
    release.leaving = json_get_array(release.cluster.request, "leaving");
    if (json_get_bool(release.cluster.request, "check", false))
        code = check(&release);
    else if (!release.cluster.spokesman)
        release.waiting = "waiting for a leader";
    else if (release.cluster.leader && is_leaving(&release, release.cluster.leader->name))
        code = hand_over(&release);
    else
        code = take_step(&release);
    return code ? code : answer(&release);
}
