/*
 * autoscale.c - the number of nodes follows the load
 *
 * Target tracking: as many nodes as would bring the mean load to the target. A load within a tenth of it is left alone, so
 * that the number does not swing; and a smaller number is taken only when the load would then still be below the target.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/api/inspect.h"
#include "core/api/session.h"
#include "core/api/update.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

#define INTERVAL_S 15
#define PERIOD_S 60
#define COOLDOWN_S 300
#define TOLERANCE 0.1

/* What a decision is made from, and what it is. */
struct decision {
    const char *group;
    int64_t count, wanted, min, max;
    double target, utilization;
    int64_t up_cooldown_s, down_cooldown_s;
    int64_t up_ms, down_ms; /* when nodes were added and taken away last */
    size_t measured;        /* nodes with a measurement */
    uint32_t period_s;
    int64_t now_ms;
    const char *action; /* "none", "up", "down" */
    const char *reason;
};

/* ---- Looking ---- */

static int not_scaled(json_object *record, const char *what, const char *hint, memories_error **error)
{
    error_set(error, MEMORIES_INVALID, "%s can't be scaled by its load: %s", json_get_string(record, "id"), what);
    error_hint(error, "%s", hint);
    return MEMORIES_INVALID;
}

static int read_wish(json_object *record, struct decision *decision, memories_error **error)
{
    json_object *scaling = json_get_object(json_get_object(record, "spec"), "scaling");
    json_object *scaled = json_get_object(record, "scaled");
    decision->group = json_get_string(scaling, "automatic");
    if (!decision->group)
        return not_scaled(record, "its topology has no group of nodes that may grow", "use a topology that scales: swarmed",
                          error);
    json_object *group = json_get_object(json_get_object(scaling, "groups"), decision->group);
    json_object *target = json_get(scaling, "target_cpu_utilization");
    decision->count = json_get_int(group, "count", 0);
    decision->min = json_get_int(group, "min", 1);
    decision->max = json_get_int(group, "max", 0);
    decision->target = target ? json_object_get_double(target) : 0;
    decision->up_cooldown_s = json_get_int(scaling, "scale_up_cooldown", COOLDOWN_S);
    decision->down_cooldown_s = json_get_int(scaling, "scale_down_cooldown", COOLDOWN_S);
    decision->up_ms = json_get_int(scaled, "up_ms", 0);
    decision->down_ms = json_get_int(scaled, "down_ms", 0);
    if (!target)
        return not_scaled(record, "it has no target", "set config.scaling.target_cpu_utilization (memories update)", error);
    if (!decision->max)
        return not_scaled(record, "it has no upper bound", "set config.swarm.max_nodes (memories update)", error);
    return 0;
}

/* {name: true} of the group's nodes. */
static json_object *group_nodes(json_object *record, const char *group)
{
    json_object *nodes = json_get_array(json_get_object(record, "spec"), "nodes");
    AUTO_JSON json_object *names = json_object_new_object();
    for (size_t i = 0; i < json_count(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        if (!strcmp(json_get_string(node, "role"), group) && json_set_bool(names, json_get_string(node, "name"), true))
            return NULL;
    }
    return STEAL(names);
}

static double mean_of(json_object *points)
{
    double sum = 0;
    for (size_t i = 0; i < json_count(points); i++)
        sum += json_object_get_double(json_get(json_object_array_get_idx(points, i), "value"));
    return sum / (double)json_count(points);
}

/* What was measured before the last change tells nothing of the nodes there are now. */
static int measure(struct session *session, struct decision *decision, memories_error **error)
{
    int64_t begin = decision->now_ms - (int64_t)decision->period_s * 1000;
    int64_t changed = decision->up_ms > decision->down_ms ? decision->up_ms : decision->down_ms;
    if (begin < changed)
        begin = changed;
    if (begin >= decision->now_ms)
        return 0;
    AUTO_JSON json_object *names = group_nodes(session->record, decision->group);
    AUTO_JSON json_object *nodes =
        inspect_metric(session, "cpu_utilization", begin, decision->now_ms, decision->period_s, error);
    double sum = 0;
    for (size_t i = 0; names && i < json_count(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i), *points = json_get_array(node, "points");
        if (!json_count(points) || !json_get(names, json_get_string(node, "node")))
            continue;
        sum += mean_of(points);
        decision->measured++;
    }
    if (decision->measured)
        decision->utilization = sum / (double)decision->measured;
    return nodes ? (names ? 0 : error_no_memory(error)) : MEMORIES_FAILED;
}

/* ---- Deciding: pure ---- */

static void none(struct decision *decision, const char *reason)
{
    decision->action = "none";
    decision->wanted = decision->count;
    decision->reason = reason;
}

static int64_t seconds_since(const struct decision *decision, int64_t ms)
{
    return ms ? (decision->now_ms - ms) / 1000 : INT64_MAX;
}

static void decide(struct decision *decision)
{
    double ratio = decision->utilization / decision->target;
    int64_t last = decision->up_ms > decision->down_ms ? decision->up_ms : decision->down_ms;
    if (!decision->measured) {
        none(decision, "nothing is measured yet");
        return;
    }
    if (fabs(ratio - 1) <= TOLERANCE) {
        none(decision, "the load is near the target");
        return;
    }
    decision->wanted = (int64_t)ceil((double)decision->count * ratio);
    if (decision->wanted < decision->min)
        decision->wanted = decision->min;
    if (decision->wanted > decision->max)
        decision->wanted = decision->max;
    if (decision->wanted == decision->count)
        none(decision, ratio > 1 ? "the load is above the target, at the largest number of nodes"
                                 : "the load is below the target, and fewer nodes would be above it or below their minimum");
    else if (decision->wanted > decision->count && seconds_since(decision, decision->up_ms) < decision->up_cooldown_s)
        none(decision, "the load is above the target; nodes were added within scale_up_cooldown");
    else if (decision->wanted < decision->count && seconds_since(decision, last) < decision->down_cooldown_s)
        none(decision, "the load is below the target; the number has changed within scale_down_cooldown");
    else {
        decision->action = decision->wanted > decision->count ? "up" : "down";
        decision->reason = ratio > 1 ? "the load is above the target" : "the load is below the target";
    }
}

/* With one decimal, as people write per cents. */
static json_object *percent(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.1f", value);
    return json_object_new_double_s(value, text);
}

static json_object *decision_json(const struct decision *decision, bool dry_run)
{
    char at[CLOCK_TEXT_BYTES];
    clock_format(decision->now_ms, 0, at);
    AUTO_JSON json_object *json = json_object_new_object();
    int failed = json_set_string(json, "at", at) || json_set_string(json, "action", decision->action) ||
                 json_set_string(json, "reason", decision->reason) || json_set_string(json, "group", decision->group) ||
                 json_set_int(json, "count", decision->count) || json_set_int(json, "wanted", decision->wanted) ||
                 json_set_int(json, "min", decision->min) || json_set_int(json, "max", decision->max) ||
                 json_set(json, "utilization", decision->measured ? percent(decision->utilization) : NULL) ||
                 json_set(json, "target", percent(decision->target)) ||
                 json_set_int(json, "nodes", (int64_t)decision->measured) ||
                 json_set_int(json, "period_s", decision->period_s) || json_set_bool(json, "dry_run", dry_run);
    return failed ? NULL : STEAL(json);
}

/* ---- Acting ---- */

struct loop {
    memories_context *context;
    const char *id;
    struct memories_autoscale_options options;
    const char *last; /* the reason of the last decision in the audit trail: one of the literals above */
    bool ended;       /* the listener has had enough */
};

static bool is_dry_run(const struct loop *loop)
{
    return loop->options.flags & MEMORIES_AUTOSCALE_DRY_RUN;
}

static bool is_once(const struct loop *loop)
{
    return loop->options.flags & MEMORIES_AUTOSCALE_ONCE;
}

static bool acts(const struct decision *decision)
{
    return strcmp(decision->action, "none") != 0;
}

/* The trail has every action, and of the rest what is new. */
static int record_decision(struct loop *loop, struct session *session, const struct decision *decision,
                           json_object *json, memories_error **error)
{
    if (is_dry_run(loop) || (!acts(decision) && loop->last == decision->reason))
        return 0;
    loop->last = decision->reason;
    return store_audit_add(session->store, session->id, "autoscale", json, error);
}

static int make_decision(struct session *session, struct decision *decision, memories_error **error)
{
    int failed = read_wish(session->record, decision, error);
    const char *status = json_get_string(session->record, "status");
    if (failed)
        return failed;
    if (json_get_bool(session->record, "leased", false)) {
        none(decision, "something else is being done to the deployment");
    } else if (strcmp(status, "running")) {
        none(decision, "the deployment is not running");
    } else {
        failed = measure(session, decision, error);
        if (!failed)
            decide(decision);
    }
    return failed;
}

static int act(struct loop *loop, const struct decision *decision, memories_error **error)
{
    const struct memories_group_size size = { decision->group, (uint32_t)decision->wanted };
    AUTO_ERROR memories_error *problem = NULL;
    memories_deployment *deployment = update_scale(loop->context, loop->id, &size, 1, 0, &problem);
    memories_deployment_free(deployment);
    if (deployment)
        return 0;
    /* Somebody else was faster: the next look sees what has become of it. */
    bool was_late = memories_error_code(problem) == MEMORIES_BUSY && !is_once(loop);
    return was_late ? 0 : error_move(error, STEAL(problem));
}

static int take_turn(struct loop *loop, struct session *session, memories_error **error)
{
    struct decision decision = { .period_s = loop->options.period_s, .now_ms = clock_now_ms() };
    int failed = make_decision(session, &decision, error);
    if (failed)
        return failed;
    AUTO_JSON json_object *json = decision_json(&decision, is_dry_run(loop));
    AUTO_FREE char *text = json_text(json);
    failed = text ? record_decision(loop, session, &decision, json, error) : error_no_memory(error);
    if (!failed && loop->options.on_decision)
        loop->ended = loop->options.on_decision(text, loop->options.user_data) != 0;
    return !failed && acts(&decision) && !is_dry_run(loop) ? act(loop, &decision, error) : failed;
}

static bool is_cancelled(const struct loop *loop)
{
    return atomic_load(&loop->context->cancel) != 0;
}

int memories_autoscale(memories_context *context, const char *id, const struct memories_autoscale_options *options,
                       memories_error **error)
{
    static const struct memories_autoscale_options defaults = MEMORIES_AUTOSCALE_OPTIONS_INIT;
    context_begin(context);
    struct loop loop = { .context = context, .id = id, .options = options ? *options : defaults };
    if (!loop.options.interval_s)
        loop.options.interval_s = INTERVAL_S;
    if (!loop.options.period_s)
        loop.options.period_s = PERIOD_S;
    for (;;) {
        struct session *session = session_find(context, id, error);
        int failed = session ? take_turn(&loop, session, error) : MEMORIES_FAILED;
        bool last = failed || loop.ended || is_once(&loop);
        if (!last)
            session_wait(session, (int64_t)loop.options.interval_s * 1000);
        session_free(session);
        if (last)
            return failed;
        if (is_cancelled(&loop))
            return 0;
    }
}
