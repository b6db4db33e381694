/*
 * consensus.h - the parts of the consensus topology
 *
 * The engine is etcd. plan.c turns a configuration into a spec; members.c asks the running members over etcd's JSON
 * gateway; status.c judges their answers for `converge` and `status`. docs/topologies/consensus.md tells the whole.
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

/* What is known about one member. Strings live until the slot returns. */
struct member {
    const char *name;
    const char *state;   /* of its node: "ready", "stopped", … */
    const char *url;     /* "https://address:port", for people; NULL when the node has no address */
    const char *base;    /* "https://name:port", which TLS checks, */
    const char *connect; /* and "address:port", which is dialled */
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
    bool agreed;                 /* every healthy member names it, in one term */
    bool out_of_memory;          /* remembered by cluster_keep */
};

/* The text itself, or "" for NULL, which counts as out of memory: the slot then fails at its end. */
const char *cluster_keep(struct cluster *cluster, const char *text);

/* members.c: parses a request of converge or status and asks all members at once. cluster_release is always due. */
int32_t cluster_ask(struct cluster *cluster, struct memories_call *call, const char *request);
void cluster_release(struct cluster *cluster);
#define AUTO_CLUSTER __attribute__((cleanup(cluster_release)))

/* What the leader says about the cluster as a whole. */
struct cluster_check {
    bool writable;
    const char *problem;    /* why it is not writable */
    const char *difference; /* how the cluster's members differ from the nodes; NULL when they don't, or nobody knows */
};
int32_t cluster_check(struct cluster *cluster, struct cluster_check *check);

#endif
