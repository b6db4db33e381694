/*
 * snapshot.h - everything of a deployment that is at AWS, as AWS lists it
 *
 * One request a kind of list (more when it has pages), all sent at once, however many objects are asked for.
 */
#ifndef AWS_SNAPSHOT_H
#define AWS_SNAPSHOT_H

#include "plugins/providers/aws/aws.h"

enum snapshot_list {
    LIST_VPCS,
    LIST_GATEWAYS,
    LIST_SUBNETS,
    LIST_TABLES,
    LIST_ADDRESSES,
    LIST_NATS,
    LIST_GROUPS,
    LIST_INSTANCES,
    LIST_ROLE, /* the one of the deployment, or none; so are the next three */
    LIST_ROLE_POLICIES,
    LIST_PROFILE,
    LIST_LOG_GROUPS, /* whose names begin as that of the deployment does */
    LIST_LOG_TAGS,   /* of that of the deployment */
    LIST_ALARMS,
    LIST_TOPIC,
    LIST_SUBSCRIPTIONS,
    LIST_CALLER, /* whose credentials these are */
    LIST_COUNT
};

struct snapshot {
    struct memories_call *call;
    const char *deployment; /* whose; NULL: of all */
    struct aws_list lists[LIST_COUNT];
    bool wanted[LIST_COUNT];
};

/* What the lists are asked by; each may be NULL when no list needs it. */
struct snapshot_scope {
    const char *deployment; /* NULL: of all deployments */
    const char *vpc;        /* whose route tables count besides the marked ones: its main one has no marks */
    const char *role;       /* names */
    const char *profile;
    const char *log_group;
    const char *log_group_arn;
    const char *alarm_prefix;
    const char *topic;
};

/* Takes all lists that are wanted. A list that failed holds its error; a code is returned, and the reason reported,
 * only when nothing could be asked. snapshot_clear is due in any case. */
int32_t snapshot_take(struct snapshot *snapshot, struct aws *aws, struct memories_call *call, const char *region,
                      const struct snapshot_scope *scope);
void snapshot_clear(struct snapshot *snapshot);

/* The element of a list whose member is `value`; NULL. Borrowed. */
json_object *snapshot_find(const struct snapshot *snapshot, enum snapshot_list list, const char *member,
                           const char *value);

/* A tag, in EC2's form ([{"key", "value"}]) or IAM's ([{"Key", "Value"}]); NULL. */
const char *tag_of(json_object *tags, const char *name);

#endif
