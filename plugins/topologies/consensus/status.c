/* status.c - is the cluster whole (converge), and what is it like (status) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/topologies/consensus/consensus.h"

/* What etcd takes from its start to its listener. */
#define LISTENS_AFTER_MS 100

/* A member that has served before comes back within seconds. One that has not after so long, and of which there has been
 * nothing new for a moment (one that starts and fails again and again makes some), needs somebody to look after it. */
#define PATIENCE_MS 120000
/* When all were off the machines boot first; that of a new one also installs etcd. */
#define LATE_PATIENCE_MS 300000
#define NOTHING_NEW_MS 8000

/* A cluster forms within a second; what takes longer is watched more calmly. */
static int64_t poll_after_ms(const struct cluster *cluster)
{
    int64_t elapsed = json_get_int(cluster->request, "elapsed_ms", 0);
    return elapsed < 5000 ? 20 : elapsed < 15000 ? 100 : 500;
}

/* message: NULL when memory ran out. */
static int32_t wait_on(const struct cluster *cluster, const char *message, int64_t after_ms)
{
    if (!message)
        return plugin_no_memory(cluster->call);
    AUTO_JSON json_object *result = json_object_new_object();
    int failed = json_set_bool(result, "done", false);
    failed |= json_set_string(result, "message", message);
    failed |= json_set_int(result, "poll_after_ms", after_ms);
    return plugin_result(cluster->call, failed ? NULL : STEAL(result));
}

/* How long it takes until all members that are started now listen; 0: they should. One that listens and does not serve
 * yet keeps whoever asks waiting until a leader is elected, and the others, which did not listen when they were asked,
 * would have to be asked once more after that. */
static int64_t too_early(const struct cluster *cluster)
{
    const char *reason = json_get_string(cluster->request, "reason");
    int64_t elapsed_ms = json_get_int(cluster->request, "elapsed_ms", INT64_MAX);
    int64_t listening_ms = CONSENSUS_START_GAP_MS * ((int64_t)cluster->count - 1) + LISTENS_AFTER_MS;
    if (!reason || strcmp(reason, "deploy") != 0 || elapsed_ms >= listening_ms)
        return 0;
    return listening_ms - elapsed_ms;
}

static int32_t done(const struct cluster *cluster)
{
    AUTO_JSON json_object *document = json_object_new_object();
    int failed = json_set_bool(document, "done", true);
    json_object *result = json_set_new_object(document, "result");
    failed |= json_set_string(result, "leader_node", cluster->leader->name);
    json_object *followers = json_set_new_array(result, "follower_nodes");
    for (size_t i = 0; i < cluster->count; i++)
        if (&cluster->members[i] != cluster->leader)
            failed |= json_add_string(followers, cluster->members[i].name);
    return plugin_result(cluster->call, failed ? NULL : STEAL(document));
}

static const struct member *first_problem(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (!cluster->members[i].healthy)
            return &cluster->members[i];
    return NULL;
}

static int32_t fail_on_difference(const struct cluster *cluster, const char *difference)
{
    return plugin_fail(cluster->call, MEMORIES_UNSUPPORTED, "config.node_specs",
                       "set the nodes back to those that the cluster was formed of, or deploy a second cluster",
                       "the running cluster has other members than asked for: %s", difference);
}

/* Who keeps the others waiting for too long; NULL: nobody. */
static const struct member *find_hopeless(const struct cluster *cluster, json_object *list, const char **what)
{
    int64_t elapsed_ms = json_get_int(cluster->request, "elapsed_ms", 0);
    if (json_get_int(cluster->request, "waiting_ms", 0) < NOTHING_NEW_MS)
        return NULL;
    const char *reason = json_get_string(cluster->request, "reason");
    bool boots = reason && !strcmp(reason, "start");
    *what = "come back";
    const struct member *member =
        elapsed_ms >= (boots ? LATE_PATIENCE_MS : PATIENCE_MS) ? cluster_find_fallen(cluster, list) : NULL;
    if (member || elapsed_ms < LATE_PATIENCE_MS)
        return member;
    *what = "come to join";
    return cluster_find_late(cluster, list);
}

static int32_t fail_on_hopeless(const struct cluster *cluster, const struct member *member, const char *what)
{
    const char *id = cluster->deployment;
    return plugin_fail(cluster->call, MEMORIES_FAILED, NULL,
                       plugin_format(cluster->call,
                                     "look why with: memories logs %s --node %s; if it can't do so by itself, make it "
                                     "anew with: memories heal %s --node %s",
                                     id, member->name, id, member->name),
                       "%s, a member of %s, does not %s: %s", member->name, id, what, member->problem);
}

int32_t consensus_converge(struct memories_call *call, const char *request)
{
    AUTO_CLUSTER struct cluster cluster;
    struct cluster_check check = { 0 };
    const char *joining = NULL;
    const char *what = NULL;
    const struct member *hopeless = NULL;
    int32_t code = cluster_read(&cluster, call, request);
    int64_t too_early_ms = code ? 0 : too_early(&cluster);
    if (too_early_ms)
        return wait_on(&cluster, "waiting for the members to start", too_early_ms);
    if (!code)
        code = cluster_ask(&cluster);
    if (!code && cluster.spokesman)
        code = cluster_check(&cluster, &check);
    if (!code && !check.difference)
        code = cluster_join(&cluster, &check, &joining);
    if (!code)
        hopeless = find_hopeless(&cluster, check.list, &what);
    json_object_put(check.answer);
    if (code)
        return code;
    if (cluster.out_of_memory)
        return plugin_no_memory(call);
    if (check.difference)
        return fail_on_difference(&cluster, check.difference);
    if (hopeless)
        return fail_on_hopeless(&cluster, hopeless, what);
    if (joining)
        return wait_on(&cluster, joining, poll_after_ms(&cluster));
    const struct member *waiting = first_problem(&cluster);
    if (waiting)
        return wait_on(&cluster,
                       plugin_format(call, "%zu of %zu members are healthy; waiting for %s: %s", cluster.healthy,
                                     cluster.count, waiting->name, waiting->problem),
                       poll_after_ms(&cluster));
    if (!cluster.agreed)
        return wait_on(&cluster, "waiting for the members to agree on a leader", poll_after_ms(&cluster));
    if (!check.writable)
        return wait_on(&cluster, plugin_format(call, "waiting for the first write: %s", check.problem),
                       poll_after_ms(&cluster));
    return done(&cluster);
}

static const char *role_of(const struct cluster *cluster, const struct member *member)
{
    if (!strcmp(member->state, "stopped"))
        return "stopped";
    if (!member->answered)
        return "unreachable";
    if (member == cluster->leader)
        return "leader";
    return member->learner ? "learner" : "follower";
}

/* Ids go out as etcd writes them in its logs, metrics and tools. */
static int set_id(json_object *object, const char *key, uint64_t id)
{
    char text[17];
    snprintf(text, sizeof text, "%" PRIx64, id);
    return json_set_string(object, key, text);
}

static int add_member(json_object *list, const struct cluster *cluster, const struct member *member)
{
    json_object *entry = json_add_new_object(list);
    int failed = json_set_string(entry, "name", member->name);
    failed |= json_set_string(entry, "role", role_of(cluster, member));
    failed |= json_set_bool(entry, "healthy", member->healthy);
    failed |= json_set_string(entry, "address", member->url);
    failed |= json_set_string(entry, "message", member->problem);
    if (!member->answered)
        return failed;
    failed |= set_id(entry, "member_id", member->id);
    failed |= json_set_int(entry, "term", (int64_t)member->term);
    failed |= json_set_int(entry, "committed_index", (int64_t)member->index);
    failed |= json_set_int(entry, "applied_index", (int64_t)member->applied);
    failed |= json_set_int(entry, "db_size_bytes", (int64_t)member->db_size_bytes);
    failed |= json_set_string(entry, "version", member->version);
    return failed;
}

static size_t voters(const struct cluster *cluster)
{
    size_t count = 0;
    for (size_t i = 0; i < cluster->count; i++)
        count += !cluster->members[i].learner;
    return count;
}

static bool all_stopped(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (strcmp(cluster->members[i].state, "stopped"))
            return false;
    return cluster->count > 0;
}

struct judgement {
    const char *status;
    const char *message;
};

static struct judgement judge(struct cluster *cluster)
{
    struct memories_call *call = cluster->call;
    size_t needed = voters(cluster) / 2 + 1;
    const struct member *problem = first_problem(cluster);
    const char *healthy =
        cluster_keep(cluster, plugin_format(call, "%zu of %zu members are healthy", cluster->healthy, cluster->count));
    if (all_stopped(cluster))
        return (struct judgement){ "stopped", "all members are stopped" };
    if (cluster->leader && !problem)
        return (struct judgement){ "running", healthy };
    if (cluster->leader)
        return (struct judgement){ "degraded", cluster_keep(cluster, plugin_format(call, "%s; %s: %s", healthy,
                                                                                   problem->name, problem->problem)) };
    if (cluster->healthy >= needed && problem)
        return (struct judgement){ "degraded", cluster_keep(cluster, plugin_format(call, "%s; %s: %s; no leader answers",
                                                                                   healthy, problem->name,
                                                                                   problem->problem)) };
    if (cluster->healthy >= needed)
        return (struct judgement){ "degraded", "the members are electing a leader" };
    const char *id = cluster->deployment;
    const char *advice = plugin_format(call,
                                       "%s and %zu are needed: nothing can be read or written; bring members back with "
                                       "`memories start %s`, or look why with `memories logs %s --node %s`",
                                       healthy, needed, id, id, problem->name);
    return (struct judgement){ "unavailable", cluster_keep(cluster, advice) };
}

/* The leader's word on the log; without one, that of the member that knows most. */
static const struct member *best_informed(const struct cluster *cluster)
{
    const struct member *best = cluster->leader;
    for (size_t i = 0; !cluster->leader && i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        if (member->answered &&
            (!best || member->term > best->term || (member->term == best->term && member->index > best->index)))
            best = member;
    }
    return best;
}

int32_t consensus_status(struct memories_call *call, const char *request)
{
    AUTO_CLUSTER struct cluster cluster;
    int32_t code = cluster_read(&cluster, call, request);
    if (!code)
        code = cluster_ask(&cluster);
    if (code)
        return code;
    AUTO_JSON json_object *document = json_object_new_object();
    struct judgement judgement = judge(&cluster);
    const struct member *informed = best_informed(&cluster);
    int failed = cluster.out_of_memory ? MEMORIES_NO_MEMORY : 0;
    failed |= json_set_string(document, "status", judgement.status);
    failed |= json_set_string(document, "message", judgement.message);
    failed |= json_set_string(document, "leader", cluster.leader ? cluster.leader->name : NULL);
    failed |= informed ? json_set_int(document, "term", (int64_t)informed->term) : json_set(document, "term", NULL);
    failed |= informed ? json_set_int(document, "committed_index", (int64_t)informed->index)
                       : json_set(document, "committed_index", NULL);
    failed |= informed ? json_set_int(document, "applied_index", (int64_t)informed->applied)
                       : json_set(document, "applied_index", NULL);
    json_object *members = json_set_new_array(document, "members");
    for (size_t i = 0; i < cluster.count; i++)
        failed |= add_member(members, &cluster, &cluster.members[i]);
    return plugin_result(call, failed ? NULL : STEAL(document));
}
