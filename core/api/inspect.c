/* inspect.c - status, metrics, logs */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/api/inspect.h"
#include "core/api/result.h"
#include "core/api/session.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"

/* ---- Status ---- */

static json_object *ask_topology(struct session *session, memories_error **error)
{
    AUTO_JSON json_object *resources = session_observe(session, error);
    AUTO_JSON json_object *request = resources ? session_topology_request(session, "status", resources, error) : NULL;
    json_object *answer = NULL;
    if (!request)
        return NULL;
    if (!session->topology->ops.topology.status) {
        error_set(error, MEMORIES_UNSUPPORTED, "topology %s has no status", session->topology->name);
        return NULL;
    }
    AUTO_ERROR memories_error *problem = NULL;
    if (call_document(session->topology, &session->environment, "status", session->topology->ops.topology.status,
                      request, &answer, &problem)) {
        if (!session_refuse_lost_secrets(session, error))
            error_move(error, STEAL(problem));
        return NULL;
    }
    if (answer && json_object_is_type(answer, json_type_object))
        return answer;
    json_object_put(answer);
    error_set(error, MEMORIES_INTERNAL, "topology %s: status gave no document", session->topology->name);
    return NULL;
}

memories_cluster_status *memories_status(memories_context *context, const char *id, memories_error **error)
{
    context_begin(context);
    struct session *session = session_find(context, id, error);
    if (!session)
        return NULL;
    AUTO_JSON json_object *answer = ask_topology(session, error);
    AUTO_JSON json_object *status = answer ? json_object_new_object() : NULL;
    int failed = !status || json_set_string(status, "deployment_id", session->id);
    if (!failed) {
        json_object_object_foreach(answer, key, value) {
            failed = failed || json_set(status, key, json_ref(value));
        }
    }
    if (answer && failed)
        error_no_memory(error);
    session_free(session);
    return failed ? NULL : cluster_status_new(STEAL(status), error);
}

/* ---- Services ---- */

memories_services *memories_services_get(memories_context *context, const char *id, memories_error **error)
{
    context_begin(context);
    struct session *session = session_find(context, id, error);
    if (!session)
        return NULL;
    AUTO_JSON json_object *answer = ask_topology(session, error);
    json_object *services = json_get_array(answer, "services");
    if (answer && !services) {
        error_set(error, MEMORIES_UNSUPPORTED, "topology %s has no services", session->topology->name);
        error_hint(error, "`memories status %s` shows what there is", session->id);
    }
    session_free(session);
    return services ? services_new(json_ref(services), error) : NULL;
}

/* ---- Metrics ---- */

static const struct metric {
    const char *name;
    const char *unit;
    bool mean; /* over the nodes; otherwise the sum */
} known_metrics[] = {
    { "cpu_utilization", "Percent", true },
    { "memory_usage", "GB", false },
    { "disk_io", "Bytes/Second", false },
    { "network_traffic", "Bytes/Second", false },
};

static const struct metric *find_metric(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(known_metrics); i++)
        if (!strcmp(known_metrics[i].name, name))
            return &known_metrics[i];
    return NULL;
}

static json_object *metric_names(const char *const *names, memories_error **error)
{
    AUTO_JSON json_object *array = json_object_new_array();
    for (size_t i = 0; !names && i < ARRAY_COUNT(known_metrics); i++)
        if (json_add_string(array, known_metrics[i].name))
            return NULL;
    for (size_t i = 0; names && names[i]; i++) {
        if (!find_metric(names[i])) {
            error_set(error, MEMORIES_INVALID, "there is no metric \"%s\"", names[i]);
            error_hint(error, "metrics are cpu_utilization, memory_usage, disk_io, network_traffic");
            return NULL;
        }
        if (json_add_string(array, names[i]))
            return NULL;
    }
    return STEAL(array);
}

struct range {
    int64_t start_ms;
    int64_t end_ms;
    uint32_t period_s;
};

/* More points than this per metric and node are refused: a month at 5 minutes is 8,928. */
#define POINTS_MAX 100000

static int parse_range(const char *start, const char *end, uint32_t period_s, struct range *range,
                       memories_error **error)
{
    *range = (struct range){ .end_ms = clock_now_ms(), .period_s = period_s ? period_s : 300 };
    if (end && clock_parse(end, &range->end_ms))
        return error_set(error, MEMORIES_INVALID, "the end \"%s\" is not a time like 2026-02-25T00:00:00Z", end);
    range->start_ms = range->end_ms - 3600 * 1000;
    if (start && clock_parse(start, &range->start_ms))
        return error_set(error, MEMORIES_INVALID, "the start \"%s\" is not a time like 2026-02-24T00:00:00Z", start);
    if (range->start_ms >= range->end_ms) {
        char first[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES];
        clock_format(range->start_ms, 0, first);
        clock_format(range->end_ms, 0, last);
        error_set(error, MEMORIES_INVALID, "the start, %s, is not before the end, %s", first, last);
        error_hint(error, "without an end it is now, and without a start an hour before the end");
        return MEMORIES_INVALID;
    }
    if ((range->end_ms - range->start_ms) / 1000 / range->period_s <= POINTS_MAX)
        return 0;
    error_set(error, MEMORIES_INVALID, "more than %d points", POINTS_MAX);
    error_hint(error, "ask for a shorter time or a longer period");
    return MEMORIES_INVALID;
}

static json_object *ask_metrics(struct session *session, json_object *names, const struct range *range,
                                memories_error **error)
{
    const struct plugin *provider = session->provider;
    if (!provider->ops.provider.metrics) {
        error_set(error, MEMORIES_UNSUPPORTED, "provider %s has no metrics", provider->name);
        return NULL;
    }
    AUTO_JSON json_object *resources = store_resource_list(session->store, session->id, error);
    AUTO_JSON json_object *request = json_object_new_object();
    if (!resources)
        return NULL;
    if (json_set_int(request, "version", 1) || json_set(request, "metrics", json_ref(names)) ||
        json_set_int(request, "start_ms", range->start_ms) || json_set_int(request, "end_ms", range->end_ms) ||
        json_set_int(request, "period_s", range->period_s) || json_set(request, "resources", json_ref(resources))) {
        error_no_memory(error);
        return NULL;
    }
    json_object *answer = NULL;
    if (call_instance_question(provider, &session->environment, "metrics", provider->ops.provider.metrics,
                               session->instance, request, &answer, error))
        return NULL;
    return answer;
}

json_object *inspect_metric(struct session *session, const char *metric, int64_t start_ms, int64_t end_ms,
                            uint32_t period_s, memories_error **error)
{
    const struct range range = { start_ms, end_ms, period_s };
    AUTO_JSON json_object *names = json_object_new_array();
    if (json_add_string(names, metric)) {
        error_no_memory(error);
        return NULL;
    }
    AUTO_JSON json_object *answer = ask_metrics(session, names, &range, error);
    json_object *nodes = json_get_array(json_get_object(answer, "metrics"), metric);
    return nodes ? json_ref(nodes) : answer ? json_object_new_array() : NULL;
}

/* Sums of one metric by point, over all nodes. */
struct series {
    double *sums;
    uint32_t *counts;
    size_t length;
};

static void add_node(struct series *series, const struct range *range, json_object *points)
{
    for (size_t i = 0; i < json_count(points); i++) {
        json_object *point = json_object_array_get_idx(points, i);
        json_object *value = json_get(point, "value");
        int64_t offset = json_get_int(point, "timestamp_ms", -1) - range->start_ms;
        size_t index = offset < 0 ? series->length : (size_t)(offset / 1000 / range->period_s);
        if (!value || index >= series->length)
            continue;
        series->sums[index] += json_object_get_double(value);
        series->counts[index]++;
    }
}

static json_object *make_point(int64_t at_ms, double value, const char *unit)
{
    char timestamp[CLOCK_TEXT_BYTES];
    clock_format(at_ms, 0, timestamp);
    /* Four decimals: enough for every unit here, and readable. */
    AUTO_JSON json_object *point = json_object_new_object();
    if (json_set_string(point, "timestamp", timestamp) ||
        json_set(point, "value", json_object_new_double(round(value * 1e4) / 1e4)) ||
        json_set_string(point, "unit", unit))
        return NULL;
    return STEAL(point);
}

static json_object *merge_nodes(const struct metric *metric, json_object *nodes, const struct range *range)
{
    size_t length = (size_t)((range->end_ms - range->start_ms) / 1000 / range->period_s + 1);
    struct series series = { calloc(length, sizeof(double)), calloc(length, sizeof(uint32_t)), length };
    AUTO_JSON json_object *points = json_object_new_array();
    bool failed = !series.sums || !series.counts || !points;
    for (size_t i = 0; !failed && i < json_count(nodes); i++)
        add_node(&series, range, json_get_array(json_object_array_get_idx(nodes, i), "points"));
    for (size_t i = 0; !failed && i < length; i++) {
        if (!series.counts[i])
            continue;
        double value = metric->mean ? series.sums[i] / series.counts[i] : series.sums[i];
        int64_t at = range->start_ms + (int64_t)i * range->period_s * 1000;
        json_object *point = make_point(at, value, metric->unit);
        failed = !point || json_add(points, point);
    }
    free(series.sums);
    free(series.counts);
    return failed ? NULL : STEAL(points);
}

static json_object *merge_metrics(json_object *names, json_object *answer, const struct range *range,
                                  memories_error **error)
{
    AUTO_JSON json_object *merged = json_object_new_object();
    json_object *by_name = json_get_object(answer, "metrics");
    for (size_t i = 0; i < json_count(names); i++) {
        const struct metric *metric = find_metric(json_object_get_string(json_object_array_get_idx(names, i)));
        json_object *points = merge_nodes(metric, json_get_array(by_name, metric->name), range);
        if (!points || json_set(merged, metric->name, points)) {
            error_no_memory(error);
            return NULL;
        }
    }
    return STEAL(merged);
}

memories_metrics *memories_metrics_get(memories_context *context, const char *id, const char *const *names,
                                       const char *start_time, const char *end_time, uint32_t period_seconds,
                                       memories_error **error)
{
    context_begin(context);
    struct range range;
    AUTO_JSON json_object *wanted = metric_names(names, error);
    if (!wanted || parse_range(start_time, end_time, period_seconds, &range, error)) {
        error_no_memory(error); /* only where nothing else was told */
        return NULL;
    }
    struct session *session = session_find(context, id, error);
    AUTO_JSON json_object *answer = session ? ask_metrics(session, wanted, &range, error) : NULL;
    session_free(session);
    json_object *merged = answer ? merge_metrics(wanted, answer, &range, error) : NULL;
    return merged ? metrics_new(merged, error) : NULL;
}

/* ---- Logs ---- */

struct log_listener {
    memories_log_fn *on_log;
    void *user_data;
};

static int on_stream(const char *node, const char *bytes, size_t count, void *user_data)
{
    struct log_listener *listener = user_data;
    return listener->on_log(node, bytes, count, listener->user_data);
}

static bool has_node(struct session *session, const char *node)
{
    json_object *nodes = json_get_array(json_get_object(session->record, "spec"), "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        if (!strcmp(json_get_string(json_object_array_get_idx(nodes, i), "name"), node))
            return true;
    return false;
}

static int stream_logs(struct session *session, const char *node, uint32_t lines, int follow, memories_error **error)
{
    const struct plugin *provider = session->provider;
    if (!provider->ops.provider.logs)
        return error_set(error, MEMORIES_UNSUPPORTED, "provider %s has no logs", provider->name);
    if (node && !has_node(session, node))
        return error_set(error, MEMORIES_NOT_FOUND, "%s has no node %s", session->id, node);
    AUTO_JSON json_object *resources = store_resource_list(session->store, session->id, error);
    AUTO_JSON json_object *request = json_object_new_object();
    if (!resources)
        return MEMORIES_FAILED;
    if (json_set_int(request, "version", 1) || json_set_string(request, "node", node) ||
        json_set_int(request, "lines", lines) || json_set_bool(request, "follow", follow) ||
        json_set(request, "resources", json_ref(resources)))
        return error_no_memory(error);
    return call_instance_document(provider, &session->environment, "logs", provider->ops.provider.logs,
                                  session->instance, request, NULL, error);
}

int memories_logs(memories_context *context, const char *id, const char *node, uint32_t lines, int follow,
                  memories_log_fn *on_log, void *user_data, memories_error **error)
{
    context_begin(context);
    AUTO_ERROR memories_error *problem = NULL;
    struct session *session = session_find(context, id, &problem);
    if (!session)
        return error_move(error, STEAL(problem));
    struct log_listener listener = { on_log, user_data };
    session->environment.on_log = NULL; /* the answer is the log text itself */
    session->environment.on_stream = on_stream;
    session->environment.user_data = &listener;
    int failed = stream_logs(session, node, lines, follow, &problem);
    session_free(session);
    error_move(error, STEAL(problem));
    return failed;
}
