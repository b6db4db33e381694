/*
 * fake_swarm.h - Docker Engines and their swarm, as their API shows them, for tests of the swarmed topology
 *
 * It answers a plugin's requests as dockerd 20.10 does: members, tokens, versions of what is changed, tasks that need
 * an image and room on a node, managers that decide by majority. Time stands still until fake_swarm_pass lets it go on
 * by one step, in which roles change, tasks start, move and end.
 *
 *     fake_swarm_open(3, 5);          engines manager-1 … worker-5, in no swarm
 *     … converge …
 *     ck_assert_str_eq(fake_swarm_log(), "init manager-1\n");
 *     fake_swarm_pass();
 */
#ifndef TESTS_UNIT_FAKE_SWARM_H
#define TESTS_UNIT_FAKE_SWARM_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/unit/fake_host.h"

struct fake_engine {
    char name[24];
    char address[32];
    char node_id[24];      /* "" in no swarm */
    const char *state;     /* LocalNodeState: "inactive", "pending", "active", "error", "locked" */
    bool is_manager;       /* as it says itself */
    const char *complaint; /* of its swarm; NULL: none */
    const char *silence;   /* why it gives no answer at all; NULL: it answers */
    int silence_code;      /* MEMORIES_TRANSIENT, … */
    const char *api;       /* "1.41"; NULL: it does not say */
    const char *body;      /* what it answers to everything, instead; NULL */
    bool is_slow;          /* what is told to end there goes on */
    bool is_stranger;      /* no node of the deployment */
    int containers;        /* running ones; -1: as many as tasks run there */
    json_object *images;   /* {id: true} */
};

#define FAKE_TOKEN_PREFIX "SWMTKN-"

struct fake_swarm {
    struct fake_engine *engines;
    size_t count;
    json_object *nodes, *services, *tasks; /* as managers list them */
    bool has_network;
    int joins_take;      /* steps that an engine stays pending */
    int tasks_take;      /* steps that a task is being prepared; 0: one */
    int demotions_take;  /* steps until a manager that was demoted is none any more; 0: one */
    int electing;        /* steps without a leader that are left */
    bool leads_still;    /* managers without a majority answer as if they had one, as long as nothing is changed */
    const char *failing; /* tasks of this service fail; */
    const char *failure; /* so */
    int room;            /* tasks that a node has room for; 0: any number */
    int64_t now_ms;      /* when services are made and changed */
    bool frozen;         /* changes are accepted, and not made */
};
extern struct fake_swarm fake_swarm;

/* Sets the host's HTTP to this swarm's; fake_host_reset before it. */
void fake_swarm_open(size_t managers, size_t workers);
void fake_swarm_close(void);
void fake_swarm_pass(void);

struct fake_engine *fake_engine(const char *name);
/* The entry of the node that has this engine; fails the test when there is none. */
json_object *fake_listed(const char *name);
/* Entries of this host name. */
size_t fake_listed_count(const char *name);
/* An engine that was new until now becomes a ready member, as after a join. */
void fake_swarm_add(const char *name, bool is_manager);
/* The engine dies; the managers find out in the next step. */
void fake_engine_die(const char *name);
/* The node's tasks that run or that may still run. */
size_t fake_tasks_on(const char *name);
/* Running tasks of a service. */
size_t fake_running(const char *service);
json_object *fake_service(const char *name);

/* What was changed since the last call, a line a batch of requests: "join manager-2, join worker-1\n". Requests that
 * change nothing are not in it. Valid until the next call. */
const char *fake_swarm_log(void);

/* "/v1.41/": of the last request that had one. */
const char *fake_swarm_version(void);

/* The next request that is logged as `what` ("join worker-1") gets this answer, and nothing is done. */
void fake_swarm_refuse(const char *what, int status, const char *message);

#endif
