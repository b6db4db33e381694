/*
 * join.c - nodes that come to a cluster which is there already
 *
 * Each is announced as a learner, which has no vote: a member that does not come up can't cost the others their majority.
 * When it knows what the leader knows it is promoted; then the next one has its turn, for etcd has one learner at a time.
 */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/topologies/consensus/consensus.h"

static const char *said(struct cluster *cluster, const struct member *member, const char *doing,
                        const struct memories_http_response *response)
{
    const char *problem = response->status == 200 ? NULL : http_problem(cluster->call, response);
    return cluster_keep(cluster, plugin_format(cluster->call, "%s %s%s%s", member->name, doing, problem ? ": " : "",
                                               problem ? problem : ""));
}

/* 412: it does not know enough yet. */
static int32_t promote(struct cluster *cluster, const struct member *member, json_object *entry, const char **waiting)
{
    const struct memories_http_response *response;
    const char *body = plugin_format(cluster->call, "{\"ID\":\"%s\"}", json_get_string(entry, "ID"));
    int32_t code = cluster_post(cluster, cluster->spokesman, "/v3/cluster/member/promote", body, &response);
    if (!code)
        *waiting = said(cluster, member, "gets a vote", response);
    return code;
}

/* etcd's "unhealthy cluster" does not say who is not healthy. */
static int32_t announce(struct cluster *cluster, const struct member *member, json_object *list, const char **waiting)
{
    const struct memories_http_response *response;
    const struct member *fallen = cluster_find_fallen(cluster, list);
    int32_t code = cluster_add_learner(cluster, member, &response);
    if (code)
        return code;
    *waiting = said(cluster, member, "joins", response);
    if (response->status != 200 && fallen)
        *waiting = cluster_keep(cluster, plugin_format(cluster->call, "%s; %s: %s", *waiting, fallen->name,
                                                       fallen->problem));
    return MEMORIES_OK;
}

int32_t cluster_join(struct cluster *cluster, const struct cluster_check *check, const char **waiting)
{
    const struct member *missing = NULL;
    *waiting = NULL;
    for (size_t i = 0; check->list && i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        json_object *entry = cluster_find_listed(check->list, member);
        if (!entry && !missing && member->peer_url)
            missing = member;
        if (json_get_bool(entry, "isLearner", false))
            return promote(cluster, member, entry, waiting);
    }
    return missing ? announce(cluster, missing, check->list, waiting) : MEMORIES_OK;
}
