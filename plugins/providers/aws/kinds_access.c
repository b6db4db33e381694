/* kinds_access.c - who may reach the nodes (security groups), and what the nodes may do (IAM) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/kinds.h"

/* ---- Security group ---- */

static int group_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    const char *description = plugin_format(objects->call, "memories: %s", objects->aws->deployment);
    return kind_copy(parameters, "GroupName", object, "name") | kind_copy(parameters, "VpcId", object, "vpc") |
           (description ? json_set_string(parameters, "GroupDescription", description) : MEMORIES_NO_MEMORY);
}

static int group_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "GroupId", object_text(object, "id"));
}

static json_object *group_made(const struct object *object, json_object *reply)
{
    (void)object;
    return kind_made(reply, NULL, "groupId");
}

static void group_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    kind_look(snapshot, object, "groupId", sight);
}

const struct kind kind_security_group = {
    .type = "aws.security_group",
    .tag_type = "security-group",
    .list = LIST_GROUPS,
    .service = &aws_ec2,
    .create = "CreateSecurityGroup",
    .destroy = "DeleteSecurityGroup",
    .fill = group_fill,
    .fill_destroy = group_fill_destroy,
    .made = group_made,
    .made_state = MEMORIES_STATE_READY,
    .look = group_look,
};

/* ---- Its rules: {"protocol", "from", "to", "source"} each ---- */

static int add_permission(json_object *permissions, json_object *rule)
{
    const char *source = json_get_string(rule, "source");
    bool is_ipv6 = source && strchr(source, ':');
    json_object *permission = json_add_new_object(permissions);
    int failed = json_set_string(permission, "IpProtocol", json_get_string(rule, "protocol"));
    if (json_get(rule, "from")) {
        failed |= json_set_int(permission, "FromPort", json_get_int(rule, "from", 0));
        failed |= json_set_int(permission, "ToPort", json_get_int(rule, "to", 0));
    }
    json_object *range = json_add_new_object(json_set_new_array(permission, is_ipv6 ? "Ipv6Ranges" : "IpRanges"));
    return failed | json_set_string(range, is_ipv6 ? "CidrIpv6" : "CidrIp", source);
}

static int fill_permissions(json_object *parameters, const char *group, json_object *rules)
{
    json_object *permissions = json_set_new_array(parameters, "IpPermissions");
    int failed = json_set_string(parameters, "GroupId", group);
    for (size_t i = 0; i < json_count(rules); i++)
        failed |= add_permission(permissions, json_at(rules, i));
    return failed;
}

static int rules_fill_destroy(const struct object *object, json_object *parameters)
{
    return fill_permissions(parameters, object_text(object, "group"), json_get_array(object->outputs, "rules"));
}

static json_object *rules_made(const struct object *object, json_object *reply)
{
    (void)reply;
    AUTO_JSON json_object *outputs = json_object_new_object();
    int failed = json_set_string(outputs, "group", object_text(object, "group"));
    failed |= json_set(outputs, "rules", json_ref(json_get_array(object->inputs, "rules")));
    return failed ? NULL : STEAL(outputs);
}

/* One rule for each source, as lower has them. */
static int add_seen(json_object *rules, json_object *permission, const char *list, const char *member)
{
    json_object *ranges = json_get_array(permission, list);
    const char *from = json_get_string(permission, "fromPort"), *to = json_get_string(permission, "toPort");
    int failed = 0;
    for (size_t i = 0; i < json_count(ranges); i++) {
        json_object *rule = json_add_new_object(rules);
        failed |= json_set_string(rule, "protocol", json_get_string(permission, "ipProtocol"));
        failed |= from ? json_set_int(rule, "from", strtoll(from, NULL, 10)) : 0;
        failed |= to ? json_set_int(rule, "to", strtoll(to, NULL, 10)) : 0;
        failed |= json_set_string(rule, "source", json_get_string(json_at(ranges, i), member));
    }
    return failed;
}

/* The outputs out of what a group has; NULL: no memory. */
static json_object *rules_seen(json_object *group)
{
    AUTO_JSON json_object *outputs = json_object_new_object();
    json_object *permissions = json_get_array(group, "ipPermissions"), *rules = json_set_new_array(outputs, "rules");
    int failed = json_set_string(outputs, "group", json_get_string(group, "groupId"));
    for (size_t i = 0; i < json_count(permissions); i++)
        failed |= add_seen(rules, json_at(permissions, i), "ipRanges", "cidrIp") |
                  add_seen(rules, json_at(permissions, i), "ipv6Ranges", "cidrIpv6");
    return failed ? NULL : STEAL(outputs);
}

/* The group and its rules are seen at once: an empty group has none of ours yet. */
static void rules_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    json_object *group = snapshot_find(snapshot, LIST_GROUPS, "groupId", object_text(object, "group"));
    if (!json_count(json_get_array(group, "ipPermissions")))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : rules_seen(group);
}

static bool has_rule(json_object *rules, json_object *wanted)
{
    for (size_t i = 0; i < json_count(rules); i++)
        if (json_object_equal(json_at(rules, i), wanted))
            return true;
    return false;
}

bool security_group_rules_differ(json_object *wanted, json_object *present)
{
    size_t count = json_count(wanted);
    bool differ = count != json_count(present);
    for (size_t i = 0; !differ && i < count; i++)
        differ = !has_rule(present, json_at(wanted, i));
    return differ;
}

/* Those of `from` that are not among `others`; NULL: no memory. */
static json_object *rules_without(json_object *from, json_object *others)
{
    AUTO_JSON json_object *left = json_object_new_array();
    for (size_t i = 0; i < json_count(from); i++)
        if (!has_rule(others, json_at(from, i)) && json_add(left, json_ref(json_at(from, i))))
            return NULL;
    return STEAL(left);
}

/* Asks for the rules; where `done` says that there was nothing to do for one of them, which refuses all, for each. */
static int32_t change_rules(struct objects *objects, struct object *object, const char *action, json_object *rules,
                            bool (*done)(const char *code), struct memories_error_detail *error)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    const struct aws_request request = { &aws_ec2, action, parameters };
    struct aws_reply reply;
    if (!rules || !parameters || fill_permissions(parameters, object_text(object, "group"), rules))
        return plugin_no_memory(objects->call);
    if (!json_count(rules))
        return MEMORIES_OK;
    int32_t code = aws_send(&objects->aws->client, objects->call, objects->region, &request, 1, &reply);
    bool nothing_to_do = !code && done(reply.code);
    if (!code && !nothing_to_do)
        *error = reply.error;
    aws_replies_clear(&reply, 1);
    for (size_t i = 0; nothing_to_do && json_count(rules) > 1 && !code && !error->code && i < json_count(rules); i++) {
        AUTO_JSON json_object *one = json_object_new_array();
        code = json_add(one, json_ref(json_at(rules, i))) ? plugin_no_memory(objects->call)
                                                          : change_rules(objects, object, action, one, done, error);
    }
    return code;
}

/* What is new is let in before what is old is kept out. */
static int32_t set_rules(struct objects *objects, json_object *present)
{
    struct object *object = &objects->items[0]; /* a deployment has one set of rules */
    json_object *wanted = json_get_array(object->inputs, "rules");
    AUTO_JSON json_object *added = rules_without(wanted, present);
    AUTO_JSON json_object *removed = rules_without(present, wanted);
    struct memories_error_detail error = { 0 };
    int32_t code = change_rules(objects, object, "AuthorizeSecurityGroupIngress", added, failure_is_duplicate, &error);
    if (!code && !error.code)
        code = change_rules(objects, object, "RevokeSecurityGroupIngress", removed, failure_is_not_found, &error);
    if (!code && error.code == MEMORIES_NOT_FOUND)
        object_fail_unsettled(objects, object, &error);
    else if (!code && error.code)
        object_fail(objects, object, &error);
    else if (!code)
        object_answer(objects, object, MEMORIES_STATE_READY, rules_made(object, NULL), 0);
    return code;
}

static int32_t rules_create(struct objects *objects)
{
    return set_rules(objects, NULL);
}

static int32_t rules_update(struct objects *objects)
{
    return set_rules(objects, json_get_array(objects->items[0].outputs, "rules"));
}

const struct kind kind_security_group_rules = {
    .type = "aws.security_group_rules",
    .list = LIST_GROUPS,
    .service = &aws_ec2,
    .create = "AuthorizeSecurityGroupIngress", /* as it is counted beforehand */
    .destroy = "RevokeSecurityGroupIngress",
    .fill_destroy = rules_fill_destroy,
    .made = rules_made,
    .made_state = MEMORIES_STATE_READY,
    .look = rules_look,
    .create_all = rules_create,
    .update_all = rules_update,
};

/* ---- Role ---- */

static int role_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    const char *partition = json_get_string(objects->home, "partition");
    bool china = partition && !strcmp(partition, "aws-cn");
    const char *policy =
        plugin_format(objects->call,
                      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                      "\"Principal\":{\"Service\":\"ec2.amazonaws.com%s\"},\"Action\":\"sts:AssumeRole\"}]}",
                      china ? ".cn" : "");
    int failed = kind_copy(parameters, "RoleName", object, "name") | kind_copy(parameters, "Path", object, "path");
    failed |= policy ? json_set_string(parameters, "AssumeRolePolicyDocument", policy) : MEMORIES_NO_MEMORY;
    return failed | object_add_tags(objects, object, json_set_new_array(parameters, "Tags"), "Key", "Value");
}

static int role_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "RoleName", object_text(object, "name"));
}

static json_object *role_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "name" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static void role_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    if (!json_count(snapshot->lists[LIST_ROLE].items))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : role_made(object, NULL);
}

/* The names hold the deployment's id: what is there already is ours. */
const struct kind kind_role = {
    .type = "aws.iam_role",
    .list = LIST_ROLE,
    .service = &aws_iam,
    .create = "CreateRole",
    .destroy = "DeleteRole",
    .fill = role_fill,
    .fill_destroy = role_fill_destroy,
    .made = role_made,
    .made_state = MEMORIES_STATE_READY,
    .look = role_look,
};

static int policy_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "RoleName", object, "role") | kind_copy(parameters, "PolicyArn", object, "policy");
}

static int policy_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "RoleName", object_text(object, "role")) |
           json_set_string(parameters, "PolicyArn", object_text(object, "policy"));
}

static json_object *policy_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "role", "policy" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static void policy_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    if (!snapshot_find(snapshot, LIST_ROLE_POLICIES, "PolicyArn", object_text(object, "policy")))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : policy_made(object, NULL);
}

const struct kind kind_role_policy = {
    .type = "aws.iam_role_policy",
    .list = LIST_ROLE_POLICIES,
    .service = &aws_iam,
    .create = "AttachRolePolicy",
    .destroy = "DetachRolePolicy",
    .fill = policy_fill,
    .fill_destroy = policy_fill_destroy,
    .made = policy_made,
    .made_state = MEMORIES_STATE_READY,
    .look = policy_look,
};

/* ---- Instance profile, by which a role gets onto an instance ---- */

static int profile_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    return kind_copy(parameters, "InstanceProfileName", object, "profile") |
           kind_copy(parameters, "Path", object, "path") |
           object_add_tags(objects, object, json_set_new_array(parameters, "Tags"), "Key", "Value");
}

static int profile_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "InstanceProfileName", object_text(object, "profile"));
}

static json_object *profile_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "profile" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static void profile_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    if (!json_count(snapshot->lists[LIST_PROFILE].items))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : profile_made(object, NULL);
}

const struct kind kind_instance_profile = {
    .type = "aws.iam_instance_profile",
    .list = LIST_PROFILE,
    .service = &aws_iam,
    .create = "CreateInstanceProfile",
    .destroy = "DeleteInstanceProfile",
    .fill = profile_fill,
    .fill_destroy = profile_fill_destroy,
    .made = profile_made,
    .made_state = MEMORIES_STATE_READY,
    .look = profile_look,
};

static int profile_role_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "InstanceProfileName", object, "profile") |
           kind_copy(parameters, "RoleName", object, "role");
}

static int profile_role_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "InstanceProfileName", object_text(object, "profile")) |
           json_set_string(parameters, "RoleName", object_text(object, "role"));
}

static json_object *profile_role_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "profile", "role" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static bool profile_has_role(json_object *profile, const char *role)
{
    json_object *roles = json_get_array(json_get_object(profile, "InstanceProfile"), "Roles");
    for (size_t i = 0; role && i < json_count(roles); i++) {
        const char *name = json_get_string(json_at(roles, i), "RoleName");
        if (name && !strcmp(name, role))
            return true;
    }
    return false;
}

static void profile_role_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    if (!profile_has_role(json_at(snapshot->lists[LIST_PROFILE].items, 0), object_text(object, "role")))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : profile_role_made(object, NULL);
}

/* A profile holds one role, and says that its limit is exceeded when it has that one already. */
static int32_t profile_role_create(struct objects *objects)
{
    struct object *object = &objects->items[0];
    AUTO_JSON json_object *parameters = json_object_new_object();
    const struct aws_request request = { &aws_iam, "AddRoleToInstanceProfile", parameters };
    struct aws_reply reply;
    if (!parameters || profile_role_fill(objects, object, parameters))
        return plugin_no_memory(objects->call);
    int32_t code = aws_send(&objects->aws->client, objects->call, objects->region, &request, 1, &reply);
    bool is_there = reply.code && !strcmp(reply.code, "LimitExceeded");
    object_note_effect(objects, object, code == MEMORIES_CANCELLED || aws_reply_may_have_effect(&reply));
    if (!code && failure_is_not_found(reply.code))
        object_fail_unsettled(objects, object, &reply.error);
    else if (!code && reply.error.code && !is_there)
        object_fail(objects, object, &reply.error);
    else if (!code)
        object_answer(objects, object, MEMORIES_STATE_READY, profile_role_made(object, NULL), 0);
    aws_replies_clear(&reply, 1);
    return code;
}

const struct kind kind_instance_profile_role = {
    .type = "aws.iam_instance_profile_role",
    .list = LIST_PROFILE,
    .service = &aws_iam,
    .create = "AddRoleToInstanceProfile",
    .destroy = "RemoveRoleFromInstanceProfile",
    .fill = profile_role_fill,
    .fill_destroy = profile_role_fill_destroy,
    .made = profile_role_made,
    .made_state = MEMORIES_STATE_READY,
    .look = profile_role_look,
    .create_all = profile_role_create,
};
