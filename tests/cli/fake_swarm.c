/* fake_swarm.c - the scripted library's scale, heal, services and autoscale */
#include <stdlib.h>
#include <string.h>

#include "core/api/result.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "tests/cli/fake_core.h"

/* A minute: a test that fails leaves nothing that runs for ever. */
enum { WORKERS_MAX = 10, NAPS_MAX = 3000 };

/* ---- Scaling and healing ---- */

static int check_sizes(const char *id, const struct memories_group_size *sizes, size_t count, memories_error **error)
{
    if (!strcmp(id, "full")) {
        error_set(error, MEMORIES_CONFLICT, "the tasks of memories-api need 3 nodes, and 2 would be left");
        error_hint(error, "keep more workers, or lower its replicas first");
        return MEMORIES_CONFLICT;
    }
    for (size_t i = 0; i < count; i++) {
        if (sizes[i].count <= WORKERS_MAX)
            continue;
        error_set(error, MEMORIES_INVALID, "expected at most 10 workers (config.swarm.max_nodes), found %u",
                  sizes[i].count);
        error_where(error, "config.swarm.worker_nodes");
        return MEMORIES_INVALID;
    }
    return 0;
}

static void echo_sizes(memories_context *context, const struct memories_group_size *sizes, size_t count, uint32_t flags)
{
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&text, "%s=%u ", sizes[i].group, sizes[i].count);
    text_printf(&text, "flags %u", flags);
    fake_echo(context, text_take(&text));
}

memories_deployment *memories_scale(memories_context *context, const char *id, const struct memories_group_size *sizes,
                                    size_t count, uint32_t flags, memories_error **error)
{
    if (!strcmp(id, "echo"))
        echo_sizes(context, sizes, count, flags);
    if (fake_play(context, id, error) || check_sizes(id, sizes, count, error))
        return NULL;
    json_object *json = json_object_new_object();
    json_set_string(json, "deployment_id", id);
    json_set_int(json, "worker_count", 5);
    json_set_int(json, "manager_count", 3);
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *key = text_format("%s_count", sizes[i].group);
        json_set_int(json, key, sizes[i].count);
    }
    json_set_string(json, "status", flags & MEMORIES_NO_WAIT ? "scaling" : "running");
    return deployment_new(json, error);
}

memories_deployment *memories_heal(memories_context *context, const char *id,
                                   const struct memories_heal_options *options, uint32_t flags, memories_error **error)
{
    if (!strcmp(id, "echo")) {
        struct text text = TEXT_INIT;
        for (size_t i = 0; options->nodes && options->nodes[i]; i++)
            text_printf(&text, "%s ", options->nodes[i]);
        text_printf(&text, "force %s flags %u", options->force_new_cluster ? options->force_new_cluster : "-", flags);
        fake_echo(context, text_take(&text));
    }
    if (fake_play(context, id, error))
        return NULL;
    return deployment_new(json_tokener_parse(flags & MEMORIES_NO_WAIT
                                                 ? "{\"deployment_id\":\"" SWARM_ID "\",\"status\":\"healing\"}"
                                                 : "{\"deployment_id\":\"" SWARM_ID "\",\"status\":\"running\"}"),
                          error);
}

/* ---- Services ---- */

const char *const fake_services =
    "[{\"name\":\"memories-api\",\"replicas\":3,\"running\":3,\"status\":\"running\",\"message\":null,"
    "\"addresses\":[\"100.64.0.12:8000\",\"100.64.0.13:8000\",\"100.64.0.14:8000\"]},"
    "{\"name\":\"memories-db\",\"replicas\":1,\"running\":0,\"status\":\"starting\","
    "\"message\":\"no suitable node\",\"addresses\":[]},"
    "{\"name\":\"memories-worker\",\"replicas\":5,\"running\":4,\"status\":\"degraded (4 of 5)\","
    "\"message\":null,\"addresses\":[\"100.64.0.12:8001\"]}]";

memories_services *memories_services_get(memories_context *context, const char *id, memories_error **error)
{
    if (fake_play(context, id, error))
        return NULL;
    if (!strcmp(id, "alone")) {
        error_set(error, MEMORIES_UNSUPPORTED, "topology standalone has no services");
        return NULL;
    }
    return services_new(json_tokener_parse(!strcmp(id, "bare") ? "[]" : fake_services), error);
}

/* ---- Scaling by load ---- */

static const struct {
    const char *action, *reason;
    int64_t count, wanted;
    double utilization; /* negative: unknown */
} decisions[] = {
    { "up", "the load is above the target", 5, 7, 91.3 },
    { "none", "nothing is measured yet", 7, 7, -1 },
    { "none", "the load is near the target", 7, 7, 68.9 },
    { "none", "the load is near the target", 7, 7, 71 },
    { "down", "the load is below the target", 7, 6, 50 },
    { "down", "the load is below the target", 7, 6, 50 }, /* a dry run goes on wanting it */
    { "none", "something else is being done to the deployment", 6, 6, -1 },
};

static char *decision_text(size_t index, uint32_t flags)
{
    AUTO_JSON json_object *json = json_object_new_object();
    double utilization = decisions[index].utilization;
    json_set_string(json, "at", "2026-02-25T12:34:56Z");
    json_set_string(json, "action", decisions[index].action);
    json_set_string(json, "reason", decisions[index].reason);
    json_set_string(json, "group", "worker");
    json_set_int(json, "count", decisions[index].count);
    json_set_int(json, "wanted", decisions[index].wanted);
    json_set(json, "utilization", utilization < 0 ? NULL : json_object_new_double(utilization));
    json_set(json, "target", json_object_new_double(70));
    json_set_bool(json, "dry_run", flags & MEMORIES_AUTOSCALE_DRY_RUN);
    return json_text(json);
}

/* Works for real in the scenario "slow", so that it can be cut. */
static int act(memories_context *context, const char *id, size_t index, uint32_t flags, memories_error **error)
{
    if (!strcmp(decisions[index].action, "none") || flags & MEMORIES_AUTOSCALE_DRY_RUN || strcmp(id, "slow"))
        return 0;
    return fake_work(context, 1, error);
}

int memories_autoscale(memories_context *context, const char *id, const struct memories_autoscale_options *options,
                       memories_error **error)
{
    int failed = strcmp(id, "slow") ? fake_play(context, id, error) : 0;
    if (!failed && !strcmp(id, "alone"))
        failed = error_set(error, MEMORIES_INVALID, "it can't be scaled by its load: it has no target");
    if (!strcmp(id, "echo"))
        fake_echo(context, text_format("interval %u period %u flags %u", options->interval_s, options->period_s,
                                       options->flags));
    bool ended = false;
    for (size_t i = 0; !failed && !ended && i < ARRAY_COUNT(decisions) && !atomic_load(&context->cancelled); i++) {
        AUTO_FREE char *text = decision_text(i, options->flags);
        ended = options->on_decision(text, options->user_data) || options->flags & MEMORIES_AUTOSCALE_ONCE;
        failed = act(context, id, i, options->flags, error);
    }
    for (int naps = 0; !failed && !ended && !atomic_load(&context->cancelled) && naps < NAPS_MAX; naps++)
        fake_nap_ms(20);
    return failed;
}
