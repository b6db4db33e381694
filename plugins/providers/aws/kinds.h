/* kinds.h - the kinds of objects, each in the file of its field */
#ifndef AWS_KINDS_H
#define AWS_KINDS_H

#include "plugins/providers/aws/objects.h"

/* kinds_network.c */
extern const struct kind kind_vpc, kind_internet_gateway, kind_internet_gateway_attachment, kind_subnet,
    kind_main_route_table, kind_route_table, kind_route, kind_route_table_association, kind_elastic_ip,
    kind_nat_gateway;
/* kinds_access.c */
extern const struct kind kind_security_group, kind_security_group_rules, kind_role, kind_role_policy,
    kind_instance_profile, kind_instance_profile_role;
/* Whether two sets of rules (inputs, outputs) are not the same. */
bool security_group_rules_differ(json_object *wanted, json_object *present);
/* kinds_logs.c */
extern const struct kind kind_log_group;
/* Of the log group that an object is, for the list of its tags. In the call's memory; NULL: none left. */
const char *log_group_arn(const struct objects *objects, const struct object *object);
/* kinds_watch.c */
extern const struct kind kind_topic, kind_subscription, kind_alarm;
/* instances.c */
extern const struct kind kind_instance;
/* The node that a listed instance is, by its marks: "node1", with the beginning of its token. In the call's memory;
 * NULL: none of ours. */
const char *instance_node(struct memories_call *call, json_object *instance, const char **token);
/* By how many requests nodes with these inputs (as lowered) are launched; 0: no memory. */
size_t instances_launch_count(struct memories_call *call, json_object *const *inputs, size_t count);
/* Whether it has gone, or is about to. */
bool instance_is_gone(json_object *instance);

/* In common: where the snapshot has an object with marks, by its id or by them. NULL: nowhere. */
json_object *kind_seen(const struct snapshot *snapshot, const struct object *object, const char *id_member);
/* {"id": …} out of the reply's `container` (NULL: the reply itself), and such a look. */
json_object *kind_made(json_object *reply, const char *container, const char *id_member);
void kind_look(const struct snapshot *snapshot, const struct object *object, const char *id_member,
               struct sight *sight);
/* A tie is what it ties: members of its inputs (or outputs) as outputs. */
json_object *kind_tie(const struct object *object, const char *const *members, size_t count);
/* Copies an input into a parameter. */
int kind_copy(json_object *parameters, const char *name, const struct object *object, const char *member);

#endif
