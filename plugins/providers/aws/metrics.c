/*
 * metrics.c - the four metrics, out of CloudWatch
 *
 * EC2 itself measures processors, network and volumes; memory is measured by the agent on the node, when the
 * configuration asked for it. Sums over a period become rates.
 */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/aws.h"

#define QUERIES_MAX 500
#define PERIOD_LEAST_S 60
#define BYTES_PER_GB 1e9

/* One of CloudWatch's metrics that goes into one of ours. */
static const struct part {
    const char *metric, *metric_namespace, *name, *statistic;
    bool is_rate; /* a sum over the period, to be divided by it */
    double divisor;
} parts[] = {
    { "cpu_utilization", "AWS/EC2", "CPUUtilization", "Average", false, 1 },
    { "memory_usage", "CWAgent", "mem_used", "Average", false, BYTES_PER_GB },
    { "disk_io", "AWS/EC2", "EBSReadBytes", "Sum", true, 1 },
    { "disk_io", "AWS/EC2", "EBSWriteBytes", "Sum", true, 1 },
    { "network_traffic", "AWS/EC2", "NetworkIn", "Sum", true, 1 },
    { "network_traffic", "AWS/EC2", "NetworkOut", "Sum", true, 1 },
};

/* What one query asks: a part, of a node. */
struct asked {
    const struct part *part;
    const char *node;
};

struct inquiry {
    struct aws *aws;
    struct memories_call *call;
    json_object *request;
    const char *region;
    int64_t start_ms, end_ms, period_s;
    int64_t step_s; /* of CloudWatch's values, no shorter than the period */
    struct asked *asked;
    size_t count;
    json_object *queries; /* array of arrays, each for one list of answers; owned */
    int failed;
};

static int add_query(struct inquiry *inquiry, const struct part *part, const char *node, const char *instance)
{
    json_object *last = json_at(inquiry->queries, json_count(inquiry->queries) - 1);
    if (!last || json_count(last) == QUERIES_MAX) {
        last = json_object_new_array();
        inquiry->failed |= json_add(inquiry->queries, last);
    }
    json_object *query = json_add_new_object(last), *stat = json_set_new_object(query, "MetricStat");
    json_object *metric = json_set_new_object(stat, "Metric");
    json_object *dimension = json_add_new_object(json_set_new_array(metric, "Dimensions"));
    const char *id = plugin_format(inquiry->call, "q%zu", inquiry->count);
    inquiry->asked[inquiry->count++] = (struct asked){ part, node };
    int failed = id ? 0 : MEMORIES_NO_MEMORY;
    return failed | json_set_string(query, "Id", id) | json_set_string(metric, "Namespace", part->metric_namespace) |
           json_set_string(metric, "MetricName", part->name) | json_set_string(dimension, "Name", "InstanceId") |
           json_set_string(dimension, "Value", instance) | json_set_int(stat, "Period", inquiry->step_s) |
           json_set_string(stat, "Stat", part->statistic);
}

static bool is_wanted(json_object *metrics, const char *name)
{
    for (size_t i = 0; i < json_count(metrics); i++)
        if (!strcmp(json_object_get_string(json_at(metrics, i)), name))
            return true;
    return false;
}

static int32_t make_queries(struct inquiry *inquiry)
{
    json_object *resources = json_get_array(inquiry->request, "resources");
    json_object *metrics = json_get_array(inquiry->request, "metrics");
    inquiry->asked =
        plugin_host->allocate(inquiry->call, (json_count(resources) + 1) * ARRAY_COUNT(parts) * sizeof *inquiry->asked);
    inquiry->queries = json_object_new_array();
    if (!inquiry->asked || !inquiry->queries)
        return plugin_no_memory(inquiry->call);
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_at(resources, i), *outputs = json_get_object(resource, "outputs");
        const char *node = json_get_string(resource, "node"), *instance = json_get_string(outputs, "instance_id");
        if (!node || !instance)
            continue;
        inquiry->region = aws_region_of(outputs);
        for (size_t k = 0; k < ARRAY_COUNT(parts); k++)
            if (is_wanted(metrics, parts[k].metric))
                inquiry->failed |= add_query(inquiry, &parts[k], node, instance);
    }
    return inquiry->failed ? plugin_no_memory(inquiry->call) : MEMORIES_OK;
}

/* ---- Answers ---- */

/* The points of a node's metric by time, so that parts of it can be added: {"metric": {"node": {"ms": value}}}. */
static json_object *inner_object(struct inquiry *inquiry, json_object *object, const char *key)
{
    json_object *inner = json_get_object(object, key);
    inner = inner ? inner : json_set_new_object(object, key);
    inquiry->failed |= !inner;
    return inner;
}

static void take_result(struct inquiry *inquiry, json_object *result, json_object *sums)
{
    const char *id = json_get_string(result, "Id");
    size_t index = id && *id == 'q' ? strtoul(id + 1, NULL, 10) : SIZE_MAX;
    json_object *times = json_get_array(result, "Timestamps"), *values = json_get_array(result, "Values");
    if (index >= inquiry->count)
        return;
    const struct asked *asked = &inquiry->asked[index];
    json_object *points = inner_object(inquiry, inner_object(inquiry, sums, asked->part->metric), asked->node);
    for (size_t i = 0; i < json_count(times) && i < json_count(values); i++) {
        int64_t at_ms = (int64_t)(json_object_get_double(json_at(times, i)) * 1000);
        /* A point counts for the period of the request that it is in. */
        int64_t period_ms = inquiry->period_s * 1000, number = (at_ms - inquiry->start_ms) / period_ms;
        at_ms = inquiry->start_ms + (at_ms < inquiry->start_ms ? 0 : number) * period_ms;
        const char *key = plugin_format(inquiry->call, "%lld", (long long)at_ms);
        double value = json_object_get_double(json_at(values, i)) / asked->part->divisor;
        if (asked->part->is_rate)
            value /= (double)inquiry->step_s;
        if (!key) {
            inquiry->failed |= MEMORIES_NO_MEMORY;
            continue;
        }
        value += json_object_get_double(json_get(points, key));
        inquiry->failed |= json_set_new(points, key, json_object_new_double(value));
    }
}

static int compare_points(const void *one, const void *other)
{
    int64_t at = json_get_int(*(json_object *const *)one, "timestamp_ms", 0);
    int64_t other_at = json_get_int(*(json_object *const *)other, "timestamp_ms", 0);
    return at < other_at ? -1 : at > other_at;
}

static json_object *points_of(struct inquiry *inquiry, json_object *by_time)
{
    json_object *points = json_object_new_array();
    json_object_object_foreach(by_time, key, value) {
        int64_t at_ms = strtoll(key, NULL, 10);
        if (at_ms >= inquiry->end_ms)
            continue;
        json_object *point = json_add_new_object(points);
        inquiry->failed |= json_set_int(point, "timestamp_ms", at_ms) | json_set(point, "value", json_ref(value));
    }
    if (points)
        json_object_array_sort(points, compare_points);
    return points;
}

static int32_t give_result(struct inquiry *inquiry, json_object *sums)
{
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *metrics = json_set_new_object(result, "metrics"),
                *wanted = json_get_array(inquiry->request, "metrics");
    for (size_t i = 0; i < json_count(wanted); i++) {
        const char *name = json_object_get_string(json_at(wanted, i));
        json_object *list = json_set_new_array(metrics, name), *nodes = json_get_object(sums, name);
        if (!nodes)
            continue;
        json_object_object_foreach(nodes, node, by_time) {
            json_object *entry = json_add_new_object(list);
            inquiry->failed |= json_set_string(entry, "node", node);
            inquiry->failed |= json_set_new(entry, "points", points_of(inquiry, by_time));
        }
    }
    return plugin_result(inquiry->call, inquiry->failed ? NULL : STEAL(result));
}

/* ---- The slot ---- */

static json_object *list_parameters(struct inquiry *inquiry, json_object *queries)
{
    json_object *parameters = json_object_new_object();
    inquiry->failed |= json_set(parameters, "MetricDataQueries", json_ref(queries));
    inquiry->failed |= json_set_int(parameters, "StartTime", inquiry->start_ms / 1000);
    inquiry->failed |= json_set_int(parameters, "EndTime", (inquiry->end_ms + 999) / 1000);
    inquiry->failed |= json_set_string(parameters, "ScanBy", "TimestampAscending");
    return parameters;
}

static int32_t ask(struct inquiry *inquiry, json_object *sums)
{
    size_t count = json_count(inquiry->queries);
    struct aws_list *lists = plugin_host->allocate(inquiry->call, (count + 1) * sizeof *lists);
    if (!lists)
        return plugin_no_memory(inquiry->call);
    for (size_t i = 0; i < count; i++)
        lists[i] = (struct aws_list){
            .service = &aws_cloudwatch,
            .action = "GetMetricData",
            .parameters = list_parameters(inquiry, json_at(inquiry->queries, i)),
            .member = "MetricDataResults",
            .token_parameter = "NextToken",
            .token_member = "NextToken",
        };
    int32_t code = inquiry->failed ? plugin_no_memory(inquiry->call) : MEMORIES_OK;
    if (!code && count)
        code = aws_collect(&inquiry->aws->client, inquiry->call, inquiry->region, lists, count);
    for (size_t i = 0; !code && i < count; i++) {
        if (lists[i].error.code)
            code = plugin_host->fail(inquiry->call, &lists[i].error);
        for (size_t k = 0; k < json_count(lists[i].items); k++)
            take_result(inquiry, json_at(lists[i].items, k), sums);
    }
    aws_lists_clear(lists, count);
    return code;
}

/* CloudWatch has values for whole minutes, and of what is older in coarser steps only: then there are fewer points than
 * were asked for. */
static int64_t step_of(const struct inquiry *inquiry)
{
    static const struct {
        int64_t days, step_s;
    } steps[] = { { 63, 3600 }, { 15, 300 } };
    int64_t age_ms = plugin_host->now_ms(inquiry->call) - inquiry->start_ms, least_s = PERIOD_LEAST_S;
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++)
        if (age_ms > steps[i].days * 24 * 3600 * 1000 && steps[i].step_s > least_s)
            least_s = steps[i].step_s;
    return (inquiry->period_s + least_s - 1) / least_s * least_s;
}

int32_t aws_metrics_slot(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of metrics");
    AUTO_JSON json_object *sums = json_object_new_object();
    if (!document)
        return MEMORIES_INTERNAL;
    struct inquiry inquiry = {
        .aws = instance,
        .call = call,
        .request = document,
        .start_ms = json_get_int(document, "start_ms", 0),
        .end_ms = json_get_int(document, "end_ms", 0),
        .period_s = json_get_int(document, "period_s", PERIOD_LEAST_S),
        .failed = !sums,
    };
    if (inquiry.period_s <= 0 || inquiry.end_ms < inquiry.start_ms)
        return plugin_fail(call, MEMORIES_INVALID, "period", NULL, "there is no time to ask about");
    inquiry.step_s = step_of(&inquiry);
    int32_t code = make_queries(&inquiry);
    if (!code)
        code = ask(&inquiry, sums);
    if (!code)
        code = give_result(&inquiry, sums);
    json_object_put(inquiry.queries);
    return code;
}
