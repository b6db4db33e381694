/*
 * logs.c - what the nodes' services have written, out of CloudWatch Logs
 *
 * The agent on a node sends each file as a stream NODE/SERVICE (user_data.c).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/aws.h"

#define LINES_DEFAULT 100
#define HOUR_MS (3600 * 1000LL)
#define FOLLOW_MS 2000
#define CANCEL_LOOK_MS 200
/* The agent sends what was written after some seconds: that far back is looked again, for lines that came late. */
#define LATE_MS 30000

struct reading {
    struct aws *aws;
    struct memories_call *call;
    const char *region;
    const char *log_group;
    const char *node;  /* NULL: all */
    json_object *seen; /* {event id: true} of those that went out */
    const char *last;  /* stream that went out last */
    bool stopped;      /* nobody listens any more */
};

/* Events since a time, in order; NULL: reported. New reference. */
static json_object *events_since(struct reading *reading, int64_t since_ms)
{
    json_object *parameters = json_object_new_object();
    int failed = json_set_string(parameters, "logGroupName", reading->log_group);
    failed |= json_set_int(parameters, "startTime", since_ms);
    if (reading->node) {
        const char *prefix = plugin_format(reading->call, "%s/", reading->node);
        failed |= prefix ? json_set_string(parameters, "logStreamNamePrefix", prefix) : MEMORIES_NO_MEMORY;
    }
    struct aws_list list = {
        .service = &aws_logs,
        .action = "FilterLogEvents",
        .parameters = parameters,
        .member = "events",
        .token_parameter = "nextToken",
        .token_member = "nextToken",
    };
    int32_t code = failed ? plugin_no_memory(reading->call)
                          : aws_collect(&reading->aws->client, reading->call, reading->region, &list, 1);
    if (!code && list.error.code)
        code = plugin_host->fail(reading->call, &list.error);
    json_object *events = code ? NULL : STEAL(list.items);
    aws_lists_clear(&list, 1);
    return events;
}

/* As tail(1) does it, a header tells when the text goes on with another stream. */
static void send_event(struct reading *reading, json_object *event)
{
    const char *stream = json_get_string(event, "logStreamName"), *message = json_get_string(event, "message");
    const char *id = json_get_string(event, "eventId");
    if (!stream || !message || (id && json_get(reading->seen, id)))
        return;
    if (id)
        json_set_bool(reading->seen, id, true); /* without memory a line may come twice */
    size_t length = strcspn(stream, "/");
    const char *node = plugin_format(reading->call, "%.*s", (int)length, stream);
    bool other = !reading->last || strcmp(reading->last, stream) != 0;
    const char *text =
        plugin_format(reading->call, "%s%s%s%s%s\n", other ? reading->last ? "\n==> " : "==> " : "",
                      other ? stream[length] ? stream + length + 1 : stream : "", other ? " <==\n" : "", message, "");
    if (other)
        reading->last = plugin_format(reading->call, "%s", stream);
    if (node && text && plugin_host->stream(reading->call, node, text, strlen(text)))
        reading->stopped = true;
}

/* The last lines, out of as short a time as has so many. */
static int32_t send_last(struct reading *reading, size_t lines)
{
    static const int64_t hours[] = { 1, 24, 30 * 24 };
    int64_t now_ms = plugin_host->now_ms(reading->call);
    AUTO_JSON json_object *events = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(hours) && json_count(events) < lines; i++) {
        json_object_put(events);
        events = events_since(reading, now_ms - hours[i] * HOUR_MS);
        if (!events)
            return MEMORIES_FAILED;
    }
    size_t count = json_count(events), first = count > lines ? count - lines : 0;
    for (size_t i = 0; i < count; i++) {
        const char *id = json_get_string(json_at(events, i), "eventId");
        if (i < first && id)
            json_set_bool(reading->seen, id, true);
        if (i >= first && !reading->stopped)
            send_event(reading, json_at(events, i));
    }
    return MEMORIES_OK;
}

/* A following reader waits by itself: it is asked for as long as somebody listens. */
static void wait_ms(struct reading *reading, int64_t ms)
{
    int64_t until = plugin_host->monotonic_ms(reading->call) + ms;
    while (!plugin_host->cancelled(reading->call) && plugin_host->monotonic_ms(reading->call) < until)
        nanosleep(&(struct timespec){ .tv_nsec = CANCEL_LOOK_MS * 1000000L }, NULL);
}

static int32_t follow(struct reading *reading)
{
    while (!reading->stopped && !plugin_host->cancelled(reading->call)) {
        wait_ms(reading, FOLLOW_MS);
        if (plugin_host->cancelled(reading->call))
            break;
        AUTO_JSON json_object *events = events_since(reading, plugin_host->now_ms(reading->call) - LATE_MS);
        if (!events)
            return MEMORIES_FAILED;
        for (size_t i = 0; i < json_count(events) && !reading->stopped; i++)
            send_event(reading, json_at(events, i));
    }
    return MEMORIES_OK;
}

static void find_group(struct reading *reading, json_object *resources)
{
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *outputs = json_get_object(json_at(resources, i), "outputs");
        const char *type = json_get_string(json_at(resources, i), "type");
        if (!type || strcmp(type, "aws.log_group") != 0)
            continue;
        reading->log_group = json_get_string(outputs, "log_group");
        reading->region = aws_region_of(outputs);
    }
}

int32_t aws_logs_slot(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of logs");
    AUTO_JSON json_object *seen = json_object_new_object();
    if (!document || !seen)
        return document ? plugin_no_memory(call) : MEMORIES_INTERNAL;
    struct reading reading = { .aws = instance, .call = call, .node = json_get_string(document, "node"), .seen = seen };
    int64_t lines = json_get_int(document, "lines", LINES_DEFAULT);
    find_group(&reading, json_get_array(document, "resources"));
    if (!reading.log_group || !reading.region)
        return plugin_fail(call, MEMORIES_UNSUPPORTED, "config.logging",
                           "deploy with `logging: {cloudwatch: {enabled: true}}`, or log in and read /var/log/memories",
                           "the nodes' logs are not collected");
    int32_t code = send_last(&reading, lines > 0 ? (size_t)lines : 0);
    if (!code && !reading.stopped && json_get_bool(document, "follow", false))
        code = follow(&reading);
    return code;
}
