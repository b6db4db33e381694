/* snapshot.c - everything of a deployment that is at AWS, as AWS lists it, see snapshot.h */
#include "plugins/providers/aws/snapshot.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/failure.h"

/* How each list is asked for. `member` NULL: the reply is the one element. */
static const struct {
    const struct aws_service *service;
    const char *action, *member, *token_parameter, *token_member;
} questions[LIST_COUNT] = {
    [LIST_VPCS] = { &aws_ec2, "DescribeVpcs", "vpcSet", "NextToken", "nextToken" },
    [LIST_GATEWAYS] = { &aws_ec2, "DescribeInternetGateways", "internetGatewaySet", "NextToken", "nextToken" },
    [LIST_SUBNETS] = { &aws_ec2, "DescribeSubnets", "subnetSet", "NextToken", "nextToken" },
    [LIST_TABLES] = { &aws_ec2, "DescribeRouteTables", "routeTableSet", "NextToken", "nextToken" },
    [LIST_ADDRESSES] = { &aws_ec2, "DescribeAddresses", "addressesSet", "NextToken", "nextToken" },
    [LIST_NATS] = { &aws_ec2, "DescribeNatGateways", "natGatewaySet", "NextToken", "nextToken" },
    [LIST_GROUPS] = { &aws_ec2, "DescribeSecurityGroups", "securityGroupInfo", "NextToken", "nextToken" },
    [LIST_INSTANCES] = { &aws_ec2, "DescribeInstances", "reservationSet", "NextToken", "nextToken" },
    [LIST_ROLE] = { &aws_iam, "GetRole", NULL, "Marker", "Marker" },
    [LIST_ROLE_POLICIES] = { &aws_iam, "ListAttachedRolePolicies", "AttachedPolicies", "Marker", "Marker" },
    [LIST_PROFILE] = { &aws_iam, "GetInstanceProfile", NULL, "Marker", "Marker" },
    [LIST_LOG_GROUPS] = { &aws_logs, "DescribeLogGroups", "logGroups", "nextToken", "nextToken" },
    [LIST_LOG_TAGS] = { &aws_logs, "ListTagsForResource", NULL, "nextToken", "nextToken" },
    [LIST_ALARMS] = { &aws_cloudwatch, "DescribeAlarms", "MetricAlarms", "NextToken", "NextToken" },
    [LIST_TOPIC] = { &aws_sns, "GetTopicAttributes", NULL, "NextToken", "NextToken" },
    [LIST_SUBSCRIPTIONS] = { &aws_sns, "ListSubscriptionsByTopic", "Subscriptions", "NextToken", "NextToken" },
    [LIST_CALLER] = { &aws_sts, "GetCallerIdentity", NULL, "Marker", "Marker" },
};

/* Pages as large as AWS gives them. */
#define PAGE_MAX 1000
#define TABLES_PAGE_MAX 100
#define ALARMS_PAGE_MAX 100

static int add_filter(json_object *parameters, const char *list, const char *name, const char *value)
{
    json_object *filters = json_get_array(parameters, list);
    json_object *filter = json_add_new_object(filters ? filters : json_set_new_array(parameters, list));
    return json_set_string(filter, "Name", name) | json_add_string(json_set_new_array(filter, "Value"), value);
}

/* By the marks that everything of the deployment carries; of its route tables, the main one has none. */
static int fill_ec2(enum snapshot_list list, const struct snapshot_scope *scope, json_object *parameters)
{
    int failed = 0;
    if (list != LIST_ADDRESSES)
        failed |= json_set_int(parameters, "MaxResults", list == LIST_TABLES ? TABLES_PAGE_MAX : PAGE_MAX);
    if (list == LIST_TABLES && scope->vpc)
        return failed | add_filter(parameters, "Filter", "vpc-id", scope->vpc);
    if (!scope->deployment)
        return failed | add_filter(parameters, "Filter", "tag-key", TAG_DEPLOYMENT);
    return failed | add_filter(parameters, "Filter", "tag:" TAG_DEPLOYMENT, scope->deployment);
}

/* Of what nobody has a name there is nothing. */
static bool is_nameless(enum snapshot_list list, const struct snapshot_scope *scope)
{
    switch (list) {
    case LIST_ROLE:
    case LIST_ROLE_POLICIES:
        return !scope->role;
    case LIST_PROFILE:
        return !scope->profile;
    case LIST_LOG_GROUPS:
        return !scope->log_group;
    case LIST_LOG_TAGS:
        return !scope->log_group_arn;
    case LIST_TOPIC:
    case LIST_SUBSCRIPTIONS:
        return !scope->topic;
    default:
        return false;
    }
}

static int fill(enum snapshot_list list, const struct snapshot_scope *scope, json_object *parameters)
{
    switch (list) {
    case LIST_ROLE:
    case LIST_ROLE_POLICIES:
        return json_set_string(parameters, "RoleName", scope->role);
    case LIST_PROFILE:
        return json_set_string(parameters, "InstanceProfileName", scope->profile);
    case LIST_LOG_GROUPS:
        return json_set_string(parameters, "logGroupNamePrefix", scope->log_group);
    case LIST_LOG_TAGS:
        return json_set_string(parameters, "resourceArn", scope->log_group_arn);
    case LIST_ALARMS:
        return json_set_string(parameters, "AlarmNamePrefix", scope->alarm_prefix) |
               json_set_int(parameters, "MaxRecords", ALARMS_PAGE_MAX);
    case LIST_TOPIC:
    case LIST_SUBSCRIPTIONS:
        return json_set_string(parameters, "TopicArn", scope->topic);
    case LIST_CALLER:
        return 0;
    default:
        return fill_ec2(list, scope, parameters);
    }
}

/* Takes the reservations away: instances are what counts. */
static int flatten_instances(struct aws_list *list)
{
    AUTO_JSON json_object *reservations = list->items;
    int failed = 0;
    list->items = json_object_new_array();
    for (size_t i = 0; i < json_count(reservations); i++) {
        json_object *instances = json_get_array(json_at(reservations, i), "instancesSet");
        for (size_t k = 0; k < json_count(instances); k++)
            failed |= json_add(list->items, json_ref(json_at(instances, k)));
    }
    return failed;
}

/* That there is no such thing is an answer, not an error. */
static int settle(enum snapshot_list which, struct aws_list *list)
{
    if (list->error.code && failure_is_not_found(list->code)) {
        list->error.code = 0;
        list->items = json_object_new_array();
    }
    if (list->error.code)
        return 0;
    if (which == LIST_INSTANCES)
        return flatten_instances(list);
    return list->items ? 0 : MEMORIES_NO_MEMORY;
}

int32_t snapshot_take(struct snapshot *snapshot, struct aws *aws, struct memories_call *call, const char *region,
                      const struct snapshot_scope *scope)
{
    struct aws_list asked[LIST_COUNT];
    enum snapshot_list which[LIST_COUNT];
    size_t count = 0;
    int failed = 0;
    snapshot->call = call;
    snapshot->deployment = scope->deployment;
    for (int list = 0; list < LIST_COUNT; list++) {
        if (!snapshot->wanted[list] || is_nameless(list, scope))
            continue;
        json_object *parameters = json_object_new_object();
        failed |= fill(list, scope, parameters);
        which[count] = list;
        asked[count++] = (struct aws_list){
            .service = questions[list].service,
            .action = questions[list].action,
            .parameters = parameters,
            .member = questions[list].member,
            .token_parameter = questions[list].token_parameter,
            .token_member = questions[list].token_member,
        };
    }
    int32_t code = failed ? plugin_no_memory(call) : aws_collect(&aws->client, call, region, asked, count);
    for (size_t i = 0; i < count; i++) {
        failed |= code ? 0 : settle(which[i], &asked[i]);
        snapshot->lists[which[i]] = asked[i];
    }
    return !code && failed ? plugin_no_memory(call) : code;
}

void snapshot_clear(struct snapshot *snapshot)
{
    aws_lists_clear(snapshot->lists, LIST_COUNT);
}

json_object *snapshot_find(const struct snapshot *snapshot, enum snapshot_list list, const char *member,
                           const char *value)
{
    json_object *items = snapshot->lists[list].items;
    for (size_t i = 0; value && i < json_count(items); i++) {
        const char *found = json_get_string(json_at(items, i), member);
        if (found && !strcmp(found, value))
            return json_at(items, i);
    }
    return NULL;
}

const char *tag_of(json_object *tags, const char *name)
{
    for (size_t i = 0; i < json_count(tags); i++) {
        json_object *tag = json_at(tags, i);
        const char *key = json_get_string(tag, "key");
        bool ec2 = key;
        key = ec2 ? key : json_get_string(tag, "Key");
        if (key && !strcmp(key, name))
            return json_get_string(tag, ec2 ? "value" : "Value");
    }
    return NULL;
}
