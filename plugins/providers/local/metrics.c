/*
 * metrics.c - the supervisors' samples as points in time
 *
 * Counters become rates between neighbouring samples of one run; each rate counts for the period that its later sample
 * falls into. So a point is the mean over its period, weighted by time. Samples come in order, so that a period is done
 * when one of a later period comes: 30 days of samples take no more memory than a minute's.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/definition.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/local.h"
#include "plugins/providers/local/node/node_client.h"

#define BYTES_PER_GB 1e9
#define NS_PER_MS 1e6
#define MS_PER_S 1e3
/* How far before the start the sample may stand from which the first rate is taken. */
#define LOOK_BACK_MS 60000

struct series {
    json_object *points; /* NULL: not asked for */
    double sum;          /* over the current period */
    double weight;
};

enum metric { METRIC_CPU, METRIC_MEMORY, METRIC_DISK, METRIC_NETWORK, METRIC_COUNT };
static const char *const metric_names[METRIC_COUNT] = { "cpu_utilization", "memory_usage", "disk_io",
                                                        "network_traffic" };

struct reading {
    int64_t start_ms, period_ms;
    double processors;
    int64_t period; /* number of the current one */
    bool has_last;
    struct node_sample last;
    struct series series[METRIC_COUNT];
    int failed;
};

static void finish_period(struct reading *reading)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        struct series *series = &reading->series[i];
        if (series->points && series->weight > 0) {
            json_object *point = json_add_new_object(series->points);
            reading->failed |= json_set_int(point, "timestamp_ms", reading->start_ms + reading->period * reading->period_ms);
            reading->failed |= json_set_new(point, "value", json_object_new_double(series->sum / series->weight));
        }
        series->sum = series->weight = 0;
    }
}

static void add(struct series *series, double value, double weight)
{
    series->sum += value * weight;
    series->weight += weight;
}

/* Both directions; -1 when one of the four is unknown, or a counter went back. */
static double difference(int64_t before_in, int64_t before_out, int64_t in, int64_t out)
{
    if (before_in < 0 || before_out < 0 || in < before_in || out < before_out)
        return -1;
    return (double)(in - before_in) + (double)(out - before_out);
}

static void add_rate(struct series *series, double amount, double elapsed_ms, double scale)
{
    if (amount >= 0)
        add(series, amount / elapsed_ms * scale, elapsed_ms);
}

static void add_rates(struct reading *reading, const struct node_sample *sample)
{
    const struct node_sample *last = &reading->last;
    double elapsed_ms = (double)(sample->time_ms - last->time_ms);
    add_rate(&reading->series[METRIC_CPU], difference(last->cpu_ns, 0, sample->cpu_ns, 0), elapsed_ms,
             100 / NS_PER_MS / reading->processors);
    add_rate(&reading->series[METRIC_DISK],
             difference(last->disk_read_bytes, last->disk_write_bytes, sample->disk_read_bytes,
                        sample->disk_write_bytes),
             elapsed_ms, MS_PER_S);
    add_rate(&reading->series[METRIC_NETWORK],
             difference(last->network_receive_bytes, last->network_send_bytes, sample->network_receive_bytes,
                        sample->network_send_bytes),
             elapsed_ms, MS_PER_S);
}

static int take_sample(void *context, const struct node_sample *sample)
{
    struct reading *reading = context;
    bool is_wanted = sample->time_ms >= reading->start_ms;
    int64_t period = is_wanted ? (sample->time_ms - reading->start_ms) / reading->period_ms : 0;
    if (is_wanted && period != reading->period) {
        finish_period(reading);
        reading->period = period;
    }
    if (is_wanted && sample->memory_bytes >= 0)
        add(&reading->series[METRIC_MEMORY], (double)sample->memory_bytes / BYTES_PER_GB, 1);
    if (is_wanted && reading->has_last && reading->last.run_ms == sample->run_ms &&
        sample->time_ms > reading->last.time_ms)
        add_rates(reading, sample);
    reading->last = *sample;
    reading->has_last = true;
    return reading->failed;
}

/* A node with fewer processors than the machine uses 100 % when it uses all of its own. */
static double processors_of(json_object *definition)
{
    int64_t vcpus = json_get_int(definition, "vcpus", 0);
    bool is_limited = vcpus > 0 && json_get(definition, "cgroup");
    return is_limited ? (double)vcpus : (double)sysconf(_SC_NPROCESSORS_ONLN);
}

struct request {
    int64_t start_ms, end_ms, period_ms;
    json_object *metrics; /* of the result: {name: [nodes]} */
};

static json_object *add_node_series(json_object *nodes, const char *node)
{
    json_object *entry = json_add_new_object(nodes);
    return json_set_string(entry, "node", node) ? NULL : json_set_new_array(entry, "points");
}

static int32_t read_node(const struct local *local, const struct request *request, const char *node,
                         struct problem *problem)
{
    AUTO_FREE char *directory = local_node_directory(local, node);
    struct problem ignored;
    AUTO_JSON json_object *definition = definition_read(local, node, &ignored);
    struct reading reading = { .start_ms = request->start_ms,
                               .period_ms = request->period_ms,
                               .processors = processors_of(definition) };
    if (!directory)
        return problem_no_memory(problem);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        json_object *nodes = json_get_array(request->metrics, metric_names[i]);
        reading.series[i].points = nodes ? add_node_series(nodes, node) : NULL;
        if (nodes && !reading.series[i].points)
            return problem_no_memory(problem);
    }
    if (!local_exists(directory))
        return 0;
    struct node_error error;
    if (node_metrics_read(directory, request->start_ms - LOOK_BACK_MS, request->end_ms, take_sample, &reading, &error))
        return problem_from_node(problem, &error);
    finish_period(&reading);
    return reading.failed ? problem_no_memory(problem) : 0;
}

static int32_t read_request(struct memories_call *call, json_object *document, struct request *request)
{
    json_object *names = json_get_array(document, "metrics");
    request->start_ms = json_get_int(document, "start_ms", 0);
    request->end_ms = json_get_int(document, "end_ms", 0);
    request->period_ms = json_get_int(document, "period_s", 0) * 1000;
    if (request->period_ms <= 0 || request->end_ms < request->start_ms)
        return plugin_fail(call, MEMORIES_INVALID, "period_s", NULL,
                           "metrics need a period above 0 and an end after the start");
    for (size_t i = 0; i < json_count(names); i++) {
        const char *name = json_object_get_string(json_at(names, i));
        bool is_known = false;
        for (size_t k = 0; k < METRIC_COUNT; k++)
            is_known |= !strcmp(name, metric_names[k]);
        if (!is_known)
            return plugin_fail(call, MEMORIES_INVALID, "metrics",
                               "there are cpu_utilization, memory_usage, disk_io and network_traffic",
                               "local nodes have no metric %s", name);
        if (!json_set_new_array(request->metrics, name))
            return plugin_no_memory(call);
    }
    return MEMORIES_OK;
}

int32_t local_metrics(void *instance, struct memories_call *call, const char *request_text)
{
    AUTO_JSON json_object *document = plugin_parse(call, request_text, "request of metrics");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    struct request request = { .metrics = json_set_new_object(result, "metrics") };
    if (!request.metrics)
        return plugin_no_memory(call);
    int32_t failed = read_request(call, document, &request);
    json_object *resources = json_get_array(document, "resources");
    struct problem problem = { 0 };
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        const char *key = json_get_string(json_at(resources, i), "key");
        const char *node = key ? local_node_of_key(key) : NULL;
        if (node && read_node(instance, &request, node, &problem))
            failed = problem_fail(call, &problem);
        if (plugin_host->cancelled(call))
            failed = plugin_fail(call, MEMORIES_CANCELLED, NULL, NULL, "reading the metrics was cancelled");
    }
    return failed ? failed : plugin_result(call, STEAL(result));
}
