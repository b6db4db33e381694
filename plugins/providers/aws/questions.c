/* questions.c - what the preflight asks AWS for, all of it at once, see questions.h */
#include "plugins/providers/aws/questions.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"

static const struct {
    const struct aws_service *service;
    const char *action, *member;
} kinds[ASK_QUOTA + 1] = {
    [ASK_CALLER] = { &aws_sts, "GetCallerIdentity", NULL },
    [ASK_ZONES] = { &aws_ec2, "DescribeAvailabilityZones", "availabilityZoneInfo" },
    [ASK_TYPES] = { &aws_ec2, "DescribeInstanceTypes", "instanceTypeSet" },
    [ASK_CANDIDATES] = { &aws_ec2, "DescribeInstanceTypes", "instanceTypeSet" },
    [ASK_OFFERS] = { &aws_ec2, "DescribeInstanceTypeOfferings", "instanceTypeOfferingSet" },
    [ASK_PARAMETERS] = { &aws_ssm, "GetParameters", "Parameters" },
    [ASK_IMAGE] = { &aws_ec2, "DescribeImages", "imagesSet" },
    [ASK_RUNNING] = { &aws_ec2, "DescribeInstances", "reservationSet" },
    [ASK_MARKS] = { &aws_ec2, "DescribeTags", "tagSet" },
    [ASK_SUBNETS] = { &aws_ec2, "DescribeSubnets", "subnetSet" },
    [ASK_INTERFACES] = { &aws_ec2, "DescribeNetworkInterfaces", "networkInterfaceSet" },
    [ASK_GROUPS] = { &aws_ec2, "DescribeSecurityGroups", "securityGroupInfo" },
    [ASK_QUOTA] = { &aws_service_quotas, "GetServiceQuota", NULL },
};

int questions_add(struct questions *questions, enum question question, json_object *parameters)
{
    size_t kind = question < ASK_QUOTA ? question : ASK_QUOTA;
    if (!parameters)
        return MEMORIES_NO_MEMORY;
    aws_lists_clear(&questions->lists[question], 1);
    questions->asked[question] = false;
    questions->lists[question] = (struct aws_list){
        .service = kinds[kind].service,
        .action = kinds[kind].action,
        .parameters = parameters,
        .member = kinds[kind].member,
        .token_parameter = "NextToken",
        .token_member = "nextToken",
    };
    return 0;
}

int questions_filter(json_object *parameters, const char *name, json_object *values)
{
    json_object *filters = json_get_array(parameters, "Filter");
    json_object *filter = json_add_new_object(filters ? filters : json_set_new_array(parameters, "Filter"));
    return json_set_string(filter, "Name", name) | json_set_new(filter, "Value", values);
}

int questions_add_quota(struct questions *questions, const char *code)
{
    for (size_t i = 0; code && i < questions->quota_count; i++)
        if (!strcmp(questions->quotas[i], code))
            return 0;
    if (!code || questions->quota_count == ARRAY_COUNT(questions->quotas))
        return 0;
    json_object *parameters = json_object_new_object();
    int failed = json_set_string(parameters, "ServiceCode", "ec2") | json_set_string(parameters, "QuotaCode", code);
    questions->quotas[questions->quota_count] = code;
    return failed | questions_add(questions, ASK_QUOTA + questions->quota_count++, parameters);
}

static int note_asked(struct aws *aws, const struct aws_list *lists, size_t count)
{
    int failed = 0;
    pthread_mutex_lock(&aws->lock);
    for (size_t i = 0; i < count; i++)
        failed |= json_set_int(aws->asked, lists[i].action,
                               json_get_int(aws->asked, lists[i].action, 0) + (int64_t)lists[i].pages);
    pthread_mutex_unlock(&aws->lock);
    return failed;
}

int32_t questions_ask(struct questions *questions, struct aws *aws, struct memories_call *call, const char *region)
{
    struct aws_list lists[ASK_COUNT];
    size_t positions[ASK_COUNT], count = 0;
    for (size_t i = 0; i < ASK_COUNT; i++) {
        if (!questions->lists[i].service || questions->asked[i])
            continue;
        questions->asked[i] = true;
        positions[count] = i;
        lists[count++] = questions->lists[i];
    }
    int32_t code = count ? aws_collect(&aws->client, call, region, lists, count) : MEMORIES_OK;
    int failed = note_asked(aws, lists, count);
    for (size_t i = 0; i < count; i++)
        questions->lists[positions[i]] = lists[i];
    return !code && failed ? plugin_no_memory(call) : code;
}

void questions_clear(struct questions *questions)
{
    aws_lists_clear(questions->lists, ASK_COUNT);
}

json_object *questions_items(const struct questions *questions, enum question question)
{
    return questions->lists[question].items;
}

const struct aws_list *questions_error(const struct questions *questions, enum question question)
{
    return questions->lists[question].error.code ? &questions->lists[question] : NULL;
}
