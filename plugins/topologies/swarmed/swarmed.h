/*
 * swarmed.h - the parts of the swarmed topology
 *
 * The engine is Docker Swarm. plan.c and plan_services.c turn a configuration into a spec; swarm.c asks the nodes' Docker
 * Engines over their API; form.c is `converge`, with image.c and service.c for what runs in the swarm; release.c lets
 * nodes go; status.c judges. docs/topologies/swarmed.md tells the whole.
 *
 * Docker's API is at docs.docker.com/engine/api: 1.41 is the oldest that is used here.
 */
#ifndef PLUGINS_TOPOLOGIES_SWARMED_H
#define PLUGINS_TOPOLOGIES_SWARMED_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memories/plugin.h>

#include "plugins/common/spec.h"

#define ENGINE_PORT 2376
#define SWARM_PORT 2377
#define GOSSIP_PORT 7946
#define VXLAN_PORT 4789

/* The role of workers, the beginning of their names ("worker-1"), and the name in the certificate that they share. */
#define WORKERS "worker"

/* Of services and nodes, in Docker's words. */
#define LABEL_DEPLOYMENT "memories.deployment"
#define LABEL_DEFINITION "memories.definition"
#define LABEL_LEAVING "memories.leaving"

/* The network that the services reach each other in. */
#define SERVICE_NETWORK "memories"

/* The image that comes with memories. */
#define BUILTIN_IMAGE "memories-server"

/* Slots. */
int32_t swarmed_plan(struct memories_call *call, const char *request);
int32_t swarmed_converge(struct memories_call *call, const char *request);
int32_t swarmed_status(struct memories_call *call, const char *request);
int32_t swarmed_release(struct memories_call *call, const char *request);

/* plan_services.c: config.services, or the three that are there by default, into spec.services with every default
 * written out. *ports gets the published ports of `protocol`, *count how many; they live until the slot returns. */
int32_t plan_services(struct spec *spec, int managers, int workers, int engine_port);
int32_t plan_published_ports(struct spec *spec, const char *protocol, const int **ports, size_t *count);

/* One node, and what its engine says. Strings live until the slot returns. */
struct swarm_node {
    const char *name;
    const char *role;            /* wanted: "manager" or "worker"; that of a node which is about to go is not */
    const char *state;           /* of its machine: "ready", "stopped", … */
    const char *private_address; /* by which the nodes know each other */
    const char *base;            /* "https://name:port", as in the certificate, which TLS checks, */
    const char *connect;         /* and "address:port", which is dialled; NULL when the node has no address */
    json_object *info;           /* the engine's answer to /info; owned; NULL: none */
    const char *swarm_state;     /* inactive, pending, active, error or locked; NULL without an answer */
    const char *node_id;         /* in the swarm */
    bool is_manager;             /* now */
    bool is_too_old;             /* its engine does not speak the API that is used here */
    bool is_late;                /* it takes calls, and gives no answer in time: managers do so while they elect */
    const char *problem;         /* why it does not answer, or what its engine complains about */
    json_object *listed;         /* its entry in the swarm's list of nodes; borrowed from swarm.nodes_listed */
};

struct swarm {
    struct memories_call *call;
    json_object *request; /* owned */
    json_object *spec;
    const char *deployment;
    const char *reason;
    int64_t elapsed_ms;
    struct swarm_node *nodes; /* in the order of the request */
    size_t count;
    const struct swarm_node *manager; /* one that can speak for the swarm; NULL: none */
    const char *version;              /* "/v1.41": begins every path */
    uint32_t timeout_ms;              /* of one request to a manager; 0: as long as an election takes */
    json_object *nodes_listed;        /* what swarm_read got from the manager; owned */
    struct swarm_node **namesakes;    /* by position in nodes_listed: the node that is called so; NULL: none */
    json_object *services_listed;
    json_object *tasks_listed;
    const char *problem; /* why the manager gave no lists */
    const char *waiting; /* set by a step of converge or release that can't go on yet */
    bool out_of_memory;
};

/* The text itself, or "" for NULL, which counts as out of memory: the slot then fails at its end. */
const char *swarm_keep(struct swarm *swarm, const char *text);

/* Parses a request of converge, release or status and asks every engine what it is. swarm_close is always due. */
int32_t swarm_open(struct swarm *swarm, struct memories_call *call, const char *request);
void swarm_close(struct swarm *swarm);
#define AUTO_SWARM __attribute__((cleanup(swarm_close)))

/* Lists the swarm's nodes, services and tasks through the manager. Without a usable answer `problem` says why. */
int32_t swarm_read(struct swarm *swarm);

/* A request to a node's engine: `path` without the version; `body` may be NULL. */
struct memories_http_request swarm_request(struct swarm *swarm, const struct swarm_node *node, const char *method,
                                           const char *path, const char *body);
/* The same with a document as body. It must live until the request has been sent. */
struct memories_http_request swarm_post(struct swarm *swarm, const struct swarm_node *node, const char *path,
                                        json_object *body);

/* The one that makes a node's engine leave the swarm, whatever its role. */
struct memories_http_request swarm_leave(struct swarm *swarm, const struct swarm_node *node);

int32_t swarm_send(struct swarm *swarm, const struct memories_http_request *request,
                   const struct memories_http_response **response);

/* All nodes were off, and machines and engines start now. */
bool swarm_comes_back(const struct swarm *swarm);

/* 200 to 299. */
bool swarm_accepted(const struct memories_http_response *response);

/* What to wait for, remembered for the answer of the slot. */
void swarm_wait(struct swarm *swarm, const char *format, ...) PRINTF_LIKE(2, 3);
/* For how long that has been what all calls have waited for. */
int64_t swarm_waits_for_ms(const struct swarm *swarm);

/* A change of a listed node: role and availability (NULL: as it is), and whether it is marked as leaving. */
struct node_change {
    json_object *listed;
    const char *role;
    const char *availability;
    bool leaving;
};
int32_t swarm_update_nodes(struct swarm *swarm, const struct node_change *changes, size_t count);

/* The nodes that are to be managers, as many of them as decide, and those whose engines answer as managers, or are only
 * too late to: managers that elect are. */
struct managers {
    size_t count;
    size_t needed;
    size_t answering;
};
struct managers swarm_count_managers(const struct swarm *swarm);

/* No engine is in a swarm: it has not been formed yet, or nothing of it is left. */
bool swarm_is_absent(const struct swarm *swarm);

struct swarm_node *swarm_find(struct swarm *swarm, const char *name);

/* Members of an entry of the swarm's list of nodes. */
const char *listed_hostname(json_object *listed);
const char *listed_role(json_object *listed);
const char *listed_state(json_object *listed);
const char *listed_availability(json_object *listed);
bool listed_is_member(json_object *listed); /* of the group of managers; its role is what it is to be */
bool listed_is_leader(json_object *listed);
bool listed_is_leaving(json_object *listed);

/* image.c: makes sure that every node in `nodes` has the images that come as archives. Archives are read at most once a
 * call. */
int32_t images_load(struct swarm *swarm, const struct swarm_node *const *nodes, size_t count);
/* What a service's tasks are made of: the id of the image in its archive, or the reference as it was given. */
int32_t image_of(struct swarm *swarm, json_object *service, const char **image);

/* service.c: what is to run. */
int32_t services_apply(struct swarm *swarm);
/* Sets swarm->waiting while a service has not all its tasks; fails when one can't run at all. */
int32_t services_await(struct swarm *swarm);
/* [{"name", "replicas", "running", "status", "addresses"}] of the swarm's lists. NULL: no memory. */
json_object *services_report(struct swarm *swarm);
/* The spec's service of this name; NULL: somebody else's. Borrowed. */
json_object *service_of_spec(const struct swarm *swarm, const char *name);
/* Of a service in Docker's words; -1: it has no such number. */
int64_t service_replicas(json_object *spec);
/* new, pending, …, running, failed, … */
const char *task_state(json_object *task);
/* Docker wants it to run, or to come to run. */
bool task_is_wanted(json_object *task);
/* Docker's update of a listed service with another spec. `spec` is borrowed. */
int32_t service_update(struct swarm *swarm, json_object *listed, json_object *spec);

#endif
