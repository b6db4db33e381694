/*
 * aws.h - the AWS provider: nodes on EC2
 *
 * Each resource is one object of AWS, or one tie between two (an attachment, a route), so that each step of the engine
 * is one request:
 *
 *     network  gateway  gateway/attachment  subnet/NAME/ZONE  routes  …  firewall  firewall/rules  node/NAME  alarm/…
 *
 * objects.h says how they are made, looked at and removed, kinds.h lists them. The instance keeps nothing but the
 * connection to AWS: what is there is asked for, all of it at once (snapshot.h).
 */
#ifndef AWS_AWS_H
#define AWS_AWS_H

#include <json-c/json.h>
#include <pthread.h>

#include "plugins/providers/aws/client.h"

/* Marks on everything that is made, in the request that makes it. */
#define TAG_DEPLOYMENT "memories-deployment"
#define TAG_KEY "memories-key"
#define TAG_TOKEN "memories-token"

struct aws {
    struct aws_client client;
    char *deployment; /* id, or NULL: opened for all */
    json_object *config;
    pthread_mutex_t lock;   /* guards what follows */
    char *account;          /* that the credentials belong to; NULL: not asked yet */
    json_object *doubts;    /* {token: when it was first looked for in vain, ms} */
    json_object *unsettled; /* {token: since when it is refused for what may pass, ms} */
    json_object *refused;   /* {"ZONE TYPE": true, NODE: true}: no capacity there, or for it, this process was told */
    json_object *asked;     /* {action: how many times the last preflight called it} */
};

/* Slots, each in the file of its name. */
int32_t aws_prepare(void *instance, struct memories_call *call, const char *request);
int32_t aws_lower(void *instance, struct memories_call *call, const char *request);
int32_t aws_discover(void *instance, struct memories_call *call, const char *request);
int32_t aws_metrics_slot(void *instance, struct memories_call *call, const char *request);
int32_t aws_logs_slot(void *instance, struct memories_call *call, const char *request);
int32_t aws_doctor(void *instance, struct memories_call *call, const char *request);
int32_t aws_estimate(void *instance, struct memories_call *call, const char *request);

/* The account that the credentials belong to, once AWS has told. */
void aws_note_account(struct aws *aws, const char *account);

/* Whether no capacity for `type` was found in `zone`; whether none was found for `node` where it is to be. */
bool aws_is_refused(struct aws *aws, const char *zone, const char *type);
bool aws_is_displaced(struct aws *aws, const char *node);
/* Remembers both. */
void aws_note_refused(struct aws *aws, const char *node, const char *zone, const char *type);
/* The node is there, or will be tried at another place. */
void aws_note_placed(struct aws *aws, const char *node);

/* Where a deployment lives: {"account", "region", "partition"}; in each resource's inputs and outputs as "home". */
const char *aws_region_of(json_object *document);

/* prepare.c: "us-west-2a" is in us-west-2; NULL for what looks like no zone. In the call's memory. */
const char *aws_region_of_zone(struct memories_call *call, const char *zone);

#endif
