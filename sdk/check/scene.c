/* scene.c - what a case needs around the plugin, see scene.h */
#include "sdk/check/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/bootstrap/bootstrap.h"
#include "sdk/check/probe.h"

extern const char schema_spec[];

static bool is_provider(const struct scene *scene)
{
    return scene->check->plugin->kind == MEMORIES_PLUGIN_PROVIDER;
}

/* ---- A topology's plan ------------------------------------------------------------------------------------------- */

/* Addresses as a provider would choose them: out of TEST-NET-1. */
static json_object *choices_for(json_object *spec)
{
    AUTO_JSON json_object *choices = json_object_new_object();
    json_object *chosen = json_object_new_object(), *nodes = json_get_array(spec, "nodes");
    if (json_set(choices, "nodes", chosen))
        return NULL;
    for (size_t i = 0; i < json_count(nodes); i++) {
        char address[32];
        json_object *choice = json_object_new_object();
        snprintf(address, sizeof address, "192.0.2.%zu", 10 + i % 200);
        if (json_set(chosen, json_get_string(json_object_array_get_idx(nodes, i), "name"), choice) ||
            json_set_string(choice, "address", address))
            return NULL;
    }
    return STEAL(choices);
}

static bool plan(struct scene *scene)
{
    struct check *check = scene->check;
    AUTO_JSON json_object *request = check_plan_request(check, scene->deployment);
    memories_error *error = NULL;
    AUTO_JSON json_object *spec = request ? check_call(check, check_slot("plan"), NULL, request, &error) : NULL;
    if (error && memories_error_code(error) == MEMORIES_INVALID) {
        check_told_error(check, "plan", error);
        check_skip(check, "plan refuses this configuration (%s): give a right one with --config FILE",
                   memories_error_message(error));
        memories_error_free(error);
        return false;
    }
    if (error)
        check_judge_error(check, "plan", error);
    if (!spec || !check_schema(check, "plan", schema_spec, "the spec", spec))
        return false;
    AUTO_JSON json_object *choices = choices_for(spec);
    error = NULL;
    scene->spec = choices ? bootstrap_resolve(spec, choices, &error) : NULL;
    if (!scene->spec)
        check_fail_error(check, "plan", error);
    return scene->spec != NULL;
}

/* ---- Something else ---------------------------------------------------------------------------------------------- */

/* Whatever a provider makes of a node, its bootstrap is part of it. */
static int change_nodes(json_object *spec, unsigned number)
{
    json_object *nodes = json_get_array(spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        json_object *bootstrap = json_get_object(json_object_array_get_idx(nodes, i), "bootstrap");
        json_object *files = json_get_array(bootstrap, "files"), *file = json_object_new_object();
        char content[32];
        snprintf(content, sizeof content, "number %u", number);
        if (!files && json_set(bootstrap, "files", files = json_object_new_array())) {
            json_object_put(file);
            return MEMORIES_NO_MEMORY;
        }
        if (json_add(files, file) || json_set_string(file, "path", "%c/number") ||
            json_set_string(file, "content", content) || json_set_string(file, "mode", "0644"))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

/* A key that every topology has. */
static int change_hardware(json_object *config, unsigned number)
{
    json_object *hardware = json_object_new_object(), *cpu = json_object_new_object();
    int failed = json_set_int(cpu, "vcpus", number + 1);
    failed |= json_set(hardware, "cpu", cpu);
    return failed | json_set(config, "hardware", hardware);
}

const struct check_subject *scene_other_subject(const struct check *check, unsigned number)
{
    static struct check_subject subjects[8];
    struct check_subject *other = &subjects[number % ARRAY_COUNT(subjects)];
    *other = *check->subject;
    other->config = json_copy(check->subject->config);
    other->spec = json_copy(check->subject->spec);
    bool provider = check->plugin->kind == MEMORIES_PLUGIN_PROVIDER;
    if (!other->config || !other->spec ||
        (provider ? change_nodes(other->spec, number) : change_hardware(other->config, number)))
        return NULL;
    return other;
}

/* ---- Begin and end ----------------------------------------------------------------------------------------------- */

bool scene_begin(struct scene *scene, struct check *check, const char *name)
{
    *scene = (struct scene){ .check = check };
    if (is_provider(scene))
        return rehearsal_begin(&scene->rehearsal, check, name);
    scene->deployment = text_format("check-%s-20260225-123456", name);
    check->environment.deployment = scene->deployment;
    return scene->deployment && plan(scene);
}

bool scene_begin_again(struct scene *scene, struct check *check)
{
    return scene_begin(scene, check, "again");
}

void scene_end(struct scene *scene)
{
    if (is_provider(scene))
        rehearsal_end(&scene->rehearsal);
    json_object_put(scene->spec);
    scene->check->environment.deployment = NULL;
    free(scene->deployment);
    scene->spec = NULL;
    scene->deployment = NULL;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static const char *nth_state(size_t n)
{
    static const char *const states[] = { "ready", "stopped", "absent", "pending", "broken" };
    return states[n % ARRAY_COUNT(states)];
}

/* Outputs as a provider gives them; what isn't there has none. */
static json_object *node_outputs(size_t number, const char *state)
{
    AUTO_JSON json_object *outputs = json_object_new_object();
    char address[32], id[32];
    if (!strcmp(state, "absent"))
        return STEAL(outputs);
    snprintf(address, sizeof address, "192.0.2.%zu", 10 + number % 200);
    snprintf(id, sizeof id, "machine-%zu", number);
    if (json_set_string(outputs, "instance_id", id) || json_set_string(outputs, "address", address) ||
        json_set_string(outputs, "private_address", address) || json_set_string(outputs, "public_ip", NULL) ||
        json_set_string(outputs, "zone", NULL) || json_set_string(outputs, "machine_type", "small"))
        return NULL;
    return STEAL(outputs);
}

static int add_node(json_object *list, json_object *node, size_t number, const char *state)
{
    AUTO_FREE char *key = text_format("node/%s", json_get_string(node, "name"));
    json_object *entry = json_object_new_object();
    return json_add(list, entry) || json_set_string(entry, "name", json_get_string(node, "name")) ||
           json_set_string(entry, "role", json_get_string(node, "role")) || json_set_string(entry, "state", state) ||
           json_set_string(entry, "key", key) || json_set(entry, "outputs", node_outputs(number, state));
}

json_object *scene_nodes_request(struct scene *scene, const char *state)
{
    AUTO_JSON json_object *request = check_request(scene->check, scene->deployment);
    json_object *nodes = json_get_array(scene->spec, "nodes"), *list = json_object_new_array();
    if (json_set(request, "nodes", list) || json_set_string(request, "reason", "deploy") ||
        json_set(request, "spec", json_ref(scene->spec)) || json_set_int(request, "elapsed_ms", 120) ||
        json_set_string(request, "waiting_for", "waiting for the nodes") || json_set_int(request, "waiting_ms", 80))
        return NULL;
    for (size_t i = 0; i < json_count(nodes); i++)
        if (add_node(list, json_object_array_get_idx(nodes, i), i, state ? state : nth_state(i)))
            return NULL;
    return STEAL(request);
}

json_object *scene_release_request(struct scene *scene, const char *state)
{
    AUTO_JSON json_object *request = scene_nodes_request(scene, state);
    json_object *nodes = json_get_array(request, "nodes"), *leaving = json_object_new_array();
    if (json_set(request, "leaving", leaving) || json_set_string(request, "reason", "scale"))
        return NULL;
    json_object *last = json_object_array_get_idx(nodes, json_count(nodes) - 1);
    return json_add_string(leaving, json_get_string(last, "name")) ? NULL : STEAL(request);
}

static json_object *metrics_request(struct scene *scene)
{
    static const char *const names[] = { "cpu_utilization", "memory_usage", "disk_io", "network_traffic" };
    AUTO_JSON json_object *request = check_request(scene->check, scene->rehearsal.deployment);
    json_object *metrics = json_object_new_array();
    int64_t now_ms = clock_now_ms();
    int failed = json_set(request, "metrics", metrics);
    for (size_t i = 0; !failed && i < ARRAY_COUNT(names); i++)
        failed = json_add_string(metrics, names[i]);
    if (failed || json_set_int(request, "start_ms", now_ms - 60000) ||
        json_set_int(request, "end_ms", now_ms + 60000) || json_set_int(request, "period_s", 1) ||
        json_set(request, "resources", rehearsal_resources(&scene->rehearsal)))
        return NULL;
    return STEAL(request);
}

static json_object *logs_request(struct scene *scene)
{
    AUTO_JSON json_object *request = check_request(scene->check, scene->rehearsal.deployment);
    if (json_set_string(request, "node", NULL) || json_set_int(request, "lines", 10) ||
        json_set_bool(request, "follow", false) ||
        json_set(request, "resources", rehearsal_resources(&scene->rehearsal)))
        return NULL;
    return STEAL(request);
}

json_object *scene_request(struct scene *scene, const char *slot)
{
    json_object *request = !strcmp(slot, "prepare")
                               ? rehearsal_prepare_request(&scene->rehearsal, scene->rehearsal.choices)
                           : !strcmp(slot, "lower")    ? rehearsal_lower_request(&scene->rehearsal)
                           : !strcmp(slot, "discover") ? check_request(scene->check, scene->rehearsal.deployment)
                           : !strcmp(slot, "metrics")  ? metrics_request(scene)
                           : !strcmp(slot, "logs")     ? logs_request(scene)
                           : !strcmp(slot, "plan")     ? check_plan_request(scene->check, scene->deployment)
                           : !strcmp(slot, "release")  ? scene_release_request(scene, "ready")
                                                       : scene_nodes_request(scene, "ready");
    if (!request)
        check_fail(scene->check, slot, NULL, "the check itself is out of memory");
    return request;
}

bool scene_ask_something_else(struct scene *scene)
{
    struct check *check = scene->check;
    const struct check_subject *own = check->subject, *other = scene_other_subject(check, 0);
    struct scene second;
    if (!other)
        return false;
    check->subject = other;
    bool good = scene_begin(&second, check, "other");
    scene_end(&second);
    check->subject = own;
    check->environment.deployment = is_provider(scene) ? scene->rehearsal.deployment : scene->deployment;
    return good;
}

/* ---- A provider's life ------------------------------------------------------------------------------------------- */

static bool update(struct rehearsal *rehearsal)
{
    struct batch_request request = { .slot = "update", .known = true, .record = true, .power_on = true };
    return !rehearsal->check->plugin->ops.provider.update ||
           (rehearsal_all(rehearsal, &request, false) && rehearsal_wait(rehearsal));
}

static bool switch_all(struct rehearsal *rehearsal, bool on)
{
    struct batch_request request = { .slot = "power", .known = true, .record = true, .power_on = on };
    return !rehearsal->check->plugin->ops.provider.power ||
           (rehearsal_all(rehearsal, &request, !on) && rehearsal_wait(rehearsal));
}

bool scene_live(struct scene *scene, scene_fn *meanwhile)
{
    struct rehearsal *rehearsal = &scene->rehearsal;
    bool provider = is_provider(scene);
    if (provider &&
        (!rehearsal_create(rehearsal) || !rehearsal_expect(rehearsal, "create", MEMORIES_STATE_READY, false)))
        return false;
    if (meanwhile)
        meanwhile(scene->check, scene);
    return !provider ||
           (update(rehearsal) && switch_all(rehearsal, false) && switch_all(rehearsal, true) &&
            rehearsal_destroy(rehearsal) && rehearsal_expect(rehearsal, "destroy", MEMORIES_STATE_ABSENT, false));
}

/* ---- A life under difficulties ----------------------------------------------------------------------------------- */

enum { TRIES_MAX = 64 };

/* What may come of one batch under difficulties. False: nothing more of them was met. */
typedef bool hardship_fn(struct check *check, size_t number, bool begin);

static bool starving(struct check *check, size_t number, bool begin)
{
    (void)check;
    bool met = probe_counts().allocations >= number;
    probe.fail_allocation = begin ? number : 0;
    return met;
}

static bool cancelling(struct check *check, size_t number, bool begin)
{
    if (begin)
        probe_count_anew();
    bool met = number <= 2 && probe_counts().questions >= number - 1;
    atomic_store(&check->cancel, begin && number == 1);
    probe.cancel_at = begin ? number : 0;
    return met;
}

static bool judge(struct check *check, const char *slot, const struct operation_answer *answer, int allowed,
                  const char *when)
{
    /* After a try that was cut off, the provider may have to wait until it can see what came of it. */
    bool waits = memories_error_retryable(answer->error) && answer->error->retry_after_ms;
    if (!answer->error || waits || memories_error_code(answer->error) == allowed)
        return true;
    check_fail(check, slot, NULL, "%s, it failed with %s: %s", when,
               memories_code_name(memories_error_code(answer->error)), memories_error_message(answer->error));
    return false;
}

/* One batch again and again under a difficulty, then once without; its tokens stay the same. */
static bool try_batch(struct rehearsal *rehearsal, struct batch_request request, struct object *const *objects,
                      size_t count, hardship_fn *hardship)
{
    struct check *check = rehearsal->check;
    bool starves = hardship == starving, met = true, good = true;
    AUTO_FREE struct operation_answer *answers = calloc(count + 1, sizeof *answers);
    request.record = false;
    for (size_t number = 1; answers && good && met && number <= TRIES_MAX; number++) {
        hardship(check, number, true);
        good = rehearsal_batch(rehearsal, &request, objects, count, answers);
        met = hardship(check, number, false);
        for (size_t i = 0; i < count; i++) {
            good = good && judge(check, request.slot, &answers[i], starves ? MEMORIES_NO_MEMORY : MEMORIES_CANCELLED,
                                 starves ? "without memory of the host" : "asked to stop");
            operation_answer_clear(&answers[i]);
        }
    }
    request.record = true;
    return answers && good && rehearsal_batch(rehearsal, &request, objects, count, NULL);
}

static bool try_level(struct rehearsal *rehearsal, struct batch_request request, size_t level, hardship_fn *hardship)
{
    AUTO_FREE bool *taken = calloc(rehearsal->count + 1, sizeof *taken);
    AUTO_FREE struct object **objects = calloc(rehearsal->count + 1, sizeof *objects);
    bool good = taken && objects;
    for (size_t count; good && (count = rehearsal_gather(rehearsal, level, taken, objects));)
        good = try_batch(rehearsal, request, objects, count, hardship);
    return good && rehearsal_wait(rehearsal);
}

/* All of it exists once, however often it was begun. */
static bool count_found(struct rehearsal *rehearsal)
{
    size_t count = 0;
    if (!rehearsal->check->plugin->ops.provider.discover)
        return true;
    AUTO_JSON json_object *found = rehearsal_discover(rehearsal, rehearsal->deployment, &count);
    if (found && count != rehearsal->count)
        check_fail(rehearsal->check, "create", "equal tokens must never make two objects",
                   "%zu objects are there of the %zu that were made", count, rehearsal->count);
    return found && count == rehearsal->count;
}

static bool live_under(struct scene *scene, hardship_fn *hardship)
{
    struct rehearsal *rehearsal = &scene->rehearsal;
    if (!is_provider(scene))
        return true;
    for (size_t level = 0; level < rehearsal->levels; level++)
        if (!try_level(rehearsal, (struct batch_request){ .slot = "create", .power_on = true }, level, hardship) ||
            !try_level(rehearsal, (struct batch_request){ .slot = "read", .known = true }, level, hardship))
            return false;
    return rehearsal_expect(rehearsal, "create", MEMORIES_STATE_READY, false) && count_found(rehearsal);
}

bool scene_starve_life(struct scene *scene)
{
    return live_under(scene, starving);
}

bool scene_cancel_life(struct scene *scene)
{
    probe.cancel = &scene->check->cancel;
    return live_under(scene, cancelling);
}
