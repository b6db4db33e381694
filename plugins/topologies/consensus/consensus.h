/*
 * consensus.h - the parts of the consensus topology
 *
 * The engine is etcd. plan.c turns a configuration into a spec; members.c asks the running members over etcd's JSON
 * gateway; status.c judges their answers for `converge` and `status`; join.c takes in members that come later, and release.c
 * lets members go. docs/topologies/consensus.md tells the whole.
 */
#ifndef PLUGINS_TOPOLOGIES_CONSENSUS_H
#define PLUGINS_TOPOLOGIES_CONSENSUS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memories/plugin.h>

/* plan.c */
int32_t consensus_plan(struct memories_call *call, const char *request);

/* status.c */
int32_t consensus_converge(struct memories_call *call, const char *request);
int32_t consensus_status(struct memories_call *call, const char *request);

/* release.c */
int32_t consensus_release(struct memories_call *call, const char *request);

/* What is known about one member. Strings live until the slot returns. */
struct member {
    const char *name;
    const char *state;   /* of its node: "ready", "stopped", … */
    const char *url;     /* "https://address:port", for people; NULL when the node has no address */
    const char *base;    /* "https://name:port", which TLS checks, */
    const char *connect; /* and "address:port", which is dialled */
    const char *peer_url; /* "https://address:port" by which the members know each other; NULL as url */
    bool answered;       /* it told its status; only then: */
    bool healthy;        /* it has just served a linearizable read and has no alarm */
    bool learner;
    uint64_t id;
    uint64_t leader; /* 0: it knows none */
    uint64_t term;
    uint64_t index;
    uint64_t applied;
    uint64_t db_size_bytes;
    const char *version;
    json_object *errors; /* what it complains about, borrowed from `status` */
    const char *problem; /* why it is not healthy; NULL when it is */
    json_object *status; /* its answer; released by cluster_release */
};

struct cluster {
    struct memories_call *call;
    json_object *request; /* of converge or status; owned */
    const char *deployment;
    struct member *members; /* in the order of the nodes */
    size_t count;
    size_t healthy;
    const struct member *leader; /* the member that leads now; NULL when none can be believed */
    const struct member *spokesman; /* whom to ask about the whole: the leader, else one that reaches it; NULL: none */
    bool agreed;                 /* every healthy member names it, in one term */
    bool out_of_memory;          /* remembered by cluster_keep */
};

/* The text itself, or "" for NULL, which counts as out of memory: the slot then fails at its end. */
const char *cluster_keep(struct cluster *cluster, const char *text);

/* Members started at the same instant wait a second for each other's half-open listeners; this gap avoids that. */
#define CONSENSUS_START_GAP_MS 75

/* members.c: parses a request of converge, release or status; cluster_release is always due. Then asks all members at once. */
int32_t cluster_read(struct cluster *cluster, struct memories_call *call, const char *request);
int32_t cluster_ask(struct cluster *cluster);
void cluster_release(struct cluster *cluster);
#define AUTO_CLUSTER __attribute__((cleanup(cluster_release)))

/* What the spokesman says about the cluster as a whole. */
struct cluster_check {
    bool writable;
    const char *problem;    /* why it is not writable */
    const char *difference; /* a member that is no node; NULL when there is none, or nobody knows */
    json_object *answer;    /* to /v3/cluster/member/list; owned; NULL: none */
    json_object *list;      /* the members in it, borrowed */
};
int32_t cluster_check(struct cluster *cluster, struct cluster_check *check);

/* One request to a member. `body` may be NULL after a failed allocation. */
int32_t cluster_post(struct cluster *cluster, const struct member *member, const char *path, const char *body,
                     const struct memories_http_response **response);

/* The member's entry in the cluster's list, by its name or, while it has not started, its address; NULL: none. */
json_object *cluster_find_listed(json_object *list, const struct member *member);
/* The one that has been announced and does not answer, though its node runs; NULL: none. */
const struct member *cluster_find_late(const struct cluster *cluster, json_object *list);
bool cluster_has_learner(json_object *list);
/* The first one that has served as a member already, whose node runs, and that is not healthy, alarms aside; NULL: none. */
const struct member *cluster_find_fallen(const struct cluster *cluster, json_object *list);
/* Announces a member to the cluster: as a learner, which has no vote yet. */
int32_t cluster_add_learner(struct cluster *cluster, const struct member *member,
                            const struct memories_http_response **response);

/* join.c: takes in the nodes that are no members yet, one at a time. *waiting: what to wait for; NULL: nothing. */
int32_t cluster_join(struct cluster *cluster, const struct cluster_check *check, const char **waiting);

#endif
