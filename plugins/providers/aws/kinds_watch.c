/* kinds_watch.c - watching the nodes: alarms, and who is told */
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/kinds.h"

/* ---- Topic and who listens to it: "topic" is its ARN, which follows from its name ---- */

static int topic_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    return kind_copy(parameters, "Name", object, "name") |
           object_add_tags(objects, object, json_set_new_array(parameters, "Tags"), "Key", "Value");
}

static int topic_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "TopicArn", object_text(object, "topic"));
}

static json_object *topic_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "topic" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static void topic_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    if (!json_count(snapshot->lists[LIST_TOPIC].items))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : topic_made(object, NULL);
}

const struct kind kind_topic = {
    .type = "aws.topic",
    .list = LIST_TOPIC,
    .service = &aws_sns,
    .create = "CreateTopic",
    .destroy = "DeleteTopic",
    .fill = topic_fill,
    .fill_destroy = topic_fill_destroy,
    .made = topic_made,
    .made_state = MEMORIES_STATE_READY,
    .look = topic_look,
};

static int subscription_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "TopicArn", object, "topic") | json_set_string(parameters, "Protocol", "email") |
           kind_copy(parameters, "Endpoint", object, "address");
}

static json_object *subscription_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "topic", "address" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

/* It counts as there when it was asked for: whether its owner has confirmed it is up to them. One that was never
 * confirmed goes by itself after some days, the others with the topic. */
static void subscription_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    if (!object->outputs && !snapshot_find(snapshot, LIST_SUBSCRIPTIONS, "Endpoint", object_text(object, "address")))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : subscription_made(object, NULL);
}

const struct kind kind_subscription = {
    .type = "aws.subscription",
    .list = LIST_SUBSCRIPTIONS,
    .service = &aws_sns,
    .create = "Subscribe",
    .fill = subscription_fill,
    .made = subscription_made,
    .made_state = MEMORIES_STATE_READY,
    .look = subscription_look,
};

/* ---- Alarms ---- */

/* One metric of an instance; id names it in an expression. */
static int fill_metric(json_object *metric, const char *metric_namespace, const char *name, const char *instance)
{
    json_object *dimension = json_add_new_object(json_set_new_array(metric, "Dimensions"));
    return json_set_string(metric, "Namespace", metric_namespace) | json_set_string(metric, "MetricName", name) |
           json_set_string(dimension, "Name", "InstanceId") | json_set_string(dimension, "Value", instance);
}

static int add_query(json_object *queries, const char *id, const char *name, const char *instance, int64_t period_s)
{
    json_object *query = json_add_new_object(queries), *stat = json_set_new_object(query, "MetricStat");
    return json_set_string(query, "Id", id) |
           fill_metric(json_set_new_object(stat, "Metric"), "AWS/EC2", name, instance) |
           json_set_int(stat, "Period", period_s) | json_set_string(stat, "Stat", "Sum") |
           json_set_bool(query, "ReturnData", false);
}

/* Bytes a second, both directions: two sums over a period. */
static int fill_rate(json_object *parameters, const char *one, const char *other, const char *instance,
                     int64_t period_s)
{
    json_object *queries = json_set_new_array(parameters, "Metrics");
    int failed =
        add_query(queries, "one", one, instance, period_s) | add_query(queries, "other", other, instance, period_s);
    json_object *rate = json_add_new_object(queries);
    return failed | json_set_string(rate, "Id", "rate") |
           json_set_string(rate, "Expression", "(one + other) / PERIOD(one)") |
           json_set_string(rate, "Label", "bytes a second") | json_set_bool(rate, "ReturnData", true);
}

static int alarm_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    const char *watched = json_get_string(object->inputs, "watched"), *topic = json_get_string(object->inputs, "topic");
    const char *instance = json_get_string(object->inputs, "instance");
    int64_t period_s = json_get_int(object->inputs, "period_s", 60);
    if (!watched || !instance)
        return MEMORIES_INTERNAL;
    int failed = kind_copy(parameters, "AlarmName", object, "name") |
                 kind_copy(parameters, "EvaluationPeriods", object, "periods") |
                 kind_copy(parameters, "Threshold", object, "threshold") |
                 json_set_string(parameters, "ComparisonOperator", "GreaterThanThreshold") |
                 json_set_string(parameters, "TreatMissingData", "missing") |
                 object_add_tags(objects, object, json_set_new_array(parameters, "Tags"), "Key", "Value");
    if (topic)
        failed |= json_add_string(json_set_new_array(parameters, "AlarmActions"), topic);
    if (!strcmp(watched, "disk"))
        return failed | fill_rate(parameters, "EBSReadBytes", "EBSWriteBytes", instance, period_s);
    if (!strcmp(watched, "network"))
        return failed | fill_rate(parameters, "NetworkIn", "NetworkOut", instance, period_s);
    bool is_memory = !strcmp(watched, "memory");
    return failed | json_set_int(parameters, "Period", period_s) | json_set_string(parameters, "Statistic", "Average") |
           fill_metric(parameters, is_memory ? "CWAgent" : "AWS/EC2", is_memory ? "mem_used_percent" : "CPUUtilization",
                       instance);
}

static json_object *alarm_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "name" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static void alarm_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    if (!snapshot_find(snapshot, LIST_ALARMS, "AlarmName", object_text(object, "name")))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : alarm_made(object, NULL);
}

/* One that is there is replaced by the new definition. */
static int32_t alarm_update(struct objects *objects)
{
    return objects_change(objects, &aws_cloudwatch, "PutMetricAlarm", alarm_fill);
}

/* All in one request, a hundred at a time; those that are gone already are no matter. */
#define ALARMS_DELETED_AT_ONCE 100

static int32_t delete_alarms(struct objects *objects, size_t first, size_t count)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    json_object *names = json_set_new_array(parameters, "AlarmNames");
    const struct aws_request request = { &aws_cloudwatch, "DeleteAlarms", parameters };
    struct aws_reply reply = { 0 };
    int failed = 0;
    for (size_t i = first; i < first + count; i++)
        if (!objects->items[i].answered)
            failed |= json_add_string(names, object_text(&objects->items[i], "name"));
    if (failed || !names)
        return plugin_no_memory(objects->call);
    int32_t code = json_count(names)
                       ? aws_send(&objects->aws->client, objects->call, objects->region, &request, 1, &reply)
                       : MEMORIES_OK;
    bool refused = reply.error.code && !failure_is_not_found(reply.code);
    for (size_t i = first; !code && i < first + count; i++) {
        if (objects->items[i].answered)
            continue;
        if (refused)
            object_fail(objects, &objects->items[i], &reply.error);
        else
            object_answer(objects, &objects->items[i], MEMORIES_STATE_ABSENT, NULL, 0);
    }
    aws_replies_clear(&reply, 1);
    return code;
}

static int32_t alarm_destroy(struct objects *objects)
{
    int32_t code = MEMORIES_OK;
    for (size_t first = 0; !code && first < objects->count; first += ALARMS_DELETED_AT_ONCE) {
        size_t left = objects->count - first;
        code = delete_alarms(objects, first, left < ALARMS_DELETED_AT_ONCE ? left : ALARMS_DELETED_AT_ONCE);
    }
    return code;
}

const struct kind kind_alarm = {
    .type = "aws.alarm",
    .list = LIST_ALARMS,
    .service = &aws_cloudwatch,
    .create = "PutMetricAlarm",
    .fill = alarm_fill,
    .made = alarm_made,
    .made_state = MEMORIES_STATE_READY,
    .look = alarm_look,
    .update_all = alarm_update,
    .destroy_all = alarm_destroy,
};
