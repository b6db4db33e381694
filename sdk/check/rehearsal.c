/* rehearsal.c - a deployment on the provider that is checked, see rehearsal.h */
#include "sdk/check/rehearsal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/bootstrap/bootstrap.h"
#include "core/engine/engine.h"
#include "core/engine/plan.h"
#include "core/engine/reference.h"
#include "core/pki/pki.h"
#include "sdk/check/guard.h"

#define DEFAULT_TIMEOUT_S 300
#define DEFAULT_POLL_MS 200
#define POLL_MS_MAX 1000 /* the check doesn't wait longer than that, whatever is asked for */

extern const char schema_choices[];
extern const char schema_resources[];

const char *state_name(uint32_t state)
{
    static const char *const names[] = { "absent", "pending", "ready", "stopped", "broken" };
    return state < ARRAY_COUNT(names) ? names[state] : "unknown";
}

static bool no_memory(struct rehearsal *rehearsal)
{
    check_fail(rehearsal->check, NULL, NULL, "the check itself is out of memory");
    return false;
}

/* The environment of calls for this deployment; a case may have several. */
static void use(struct rehearsal *rehearsal)
{
    rehearsal->check->environment.deployment = rehearsal->deployment;
    rehearsal->check->environment.secrets = rehearsal->secrets;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static json_object *request_with(struct rehearsal *rehearsal, json_object *spec, json_object *choices)
{
    AUTO_JSON json_object *request = check_request(rehearsal->check, rehearsal->deployment);
    if (json_set(request, "spec", json_ref(spec)) || json_set(request, "choices", json_ref(choices)))
        return NULL;
    return STEAL(request);
}

json_object *rehearsal_prepare_request(struct rehearsal *rehearsal, json_object *choices)
{
    return request_with(rehearsal, rehearsal->check->subject->spec, choices);
}

json_object *rehearsal_lower_request(struct rehearsal *rehearsal)
{
    return request_with(rehearsal, rehearsal->spec, rehearsal->choices);
}

json_object *rehearsal_resources(struct rehearsal *rehearsal)
{
    AUTO_JSON json_object *list = json_object_new_array();
    for (size_t i = 0; i < rehearsal->count; i++) {
        const struct object *object = &rehearsal->objects[i];
        json_object *entry = json_object_new_object();
        if (json_add(list, entry) || json_set_string(entry, "key", object->key) ||
            json_set_string(entry, "type", object->type) || json_set_string(entry, "node", object->node) ||
            json_set(entry, "outputs", json_ref(object->outputs)))
            return NULL;
    }
    return STEAL(list);
}

/* ---- Planning ---------------------------------------------------------------------------------------------------- */

/* Certificates for the nodes, when the spec asks for secrets. */
static bool prepare_secrets(struct rehearsal *rehearsal)
{
    struct check *check = rehearsal->check;
    AUTO_FREE char *directory = text_format("%s/secrets/%s", check->subject->state_dir, rehearsal->deployment);
    AUTO_FREE char *text = json_text(rehearsal->spec);
    if (!directory || !text)
        return no_memory(rehearsal);
    if (!strstr(text, "\"secret:"))
        return true;
    memories_error *error = NULL;
    rehearsal->secrets = secrets_open(directory, rehearsal->deployment, &error);
    if (rehearsal->secrets && !secrets_prepare_for(rehearsal->secrets, rehearsal->spec, rehearsal->choices, &error))
        return true;
    check_fail_error(check, NULL, error);
    return false;
}

static bool prepare(struct rehearsal *rehearsal)
{
    struct check *check = rehearsal->check;
    if (!check->plugin->ops.provider.prepare) {
        rehearsal->choices = json_object_new_object();
    } else {
        AUTO_JSON json_object *request = rehearsal_prepare_request(rehearsal, NULL);
        AUTO_JSON json_object *answer = request ? check_ask(check, "prepare", rehearsal->instance, request) : NULL;
        if (!answer || !check_schema(check, "prepare", schema_choices, "the result of prepare", answer))
            return false;
        rehearsal->choices = json_ref(json_get_object(answer, "choices"));
    }
    memories_error *error = NULL;
    rehearsal->spec = bootstrap_resolve(check->subject->spec, rehearsal->choices, &error);
    if (rehearsal->spec)
        return prepare_secrets(rehearsal);
    check_fail_error(check, "prepare", error);
    return false;
}

struct level_search {
    struct rehearsal *rehearsal;
    size_t level;
};

static int raise_level(const char *key, void *user_data)
{
    struct level_search *search = user_data;
    for (size_t i = 0; i < search->rehearsal->count; i++)
        if (!strcmp(search->rehearsal->objects[i].key, key) && search->rehearsal->objects[i].level >= search->level)
            search->level = search->rehearsal->objects[i].level + 1;
    return 0;
}

/* The graph has no circle: after as many rounds as there are objects all levels stand. */
static void find_levels(struct rehearsal *rehearsal)
{
    for (size_t round = 0; round < rehearsal->count; round++) {
        for (size_t i = 0; i < rehearsal->count; i++) {
            struct object *object = &rehearsal->objects[i];
            struct level_search search = { rehearsal, 0 };
            json_object *depends_on = json_get_array(json_object_array_get_idx(rehearsal->resources, i), "depends_on");
            for (size_t n = 0; n < json_count(depends_on); n++)
                raise_level(json_object_get_string(json_object_array_get_idx(depends_on, n)), &search);
            reference_each(object->lowered, raise_level, &search);
            object->level = search.level;
            if (search.level >= rehearsal->levels)
                rehearsal->levels = search.level + 1;
        }
    }
}

static bool take_resources(struct rehearsal *rehearsal)
{
    json_object *types = json_get_object(rehearsal->check->plugin->description, "resource_types");
    rehearsal->count = json_count(rehearsal->resources);
    rehearsal->objects = calloc(rehearsal->count + 1, sizeof *rehearsal->objects);
    if (!rehearsal->objects)
        return no_memory(rehearsal);
    for (size_t i = 0; i < rehearsal->count; i++) {
        json_object *resource = json_object_array_get_idx(rehearsal->resources, i);
        struct object *object = &rehearsal->objects[i];
        *object = (struct object){ .key = json_get_string(resource, "key"),
                                   .type = json_get_string(resource, "type"),
                                   .node = json_get_string(resource, "node"),
                                   .lowered = json_get_object(resource, "inputs"),
                                   .generation = 1 };
        json_object *type = json_get_object(types, object->type);
        object->is_node = json_get_bool(type, "is_node", false);
        object->power = json_get_bool(type, "power", false);
        engine_token(rehearsal->deployment, object->key, object->generation, 1, object->token);
    }
    find_levels(rehearsal);
    return true;
}

static bool lower(struct rehearsal *rehearsal)
{
    struct check *check = rehearsal->check;
    AUTO_JSON json_object *request = rehearsal_lower_request(rehearsal);
    AUTO_JSON json_object *answer = request ? check_ask(check, "lower", rehearsal->instance, request) : NULL;
    if (!answer || !check_schema(check, "lower", schema_resources, "the result of lower", answer))
        return false;
    rehearsal->resources = json_ref(json_get_array(answer, "resources"));
    memories_error *error = NULL;
    if (!graph_check(rehearsal->resources, json_get_object(check->plugin->description, "resource_types"), &error))
        return take_resources(rehearsal);
    check_fail_error(check, "lower", error);
    return false;
}

bool rehearsal_begin(struct rehearsal *rehearsal, struct check *check, const char *name)
{
    *rehearsal = (struct rehearsal){ .check = check, .power_on = true };
    rehearsal->deployment = text_format("check-%s-%08x", name, arc4random());
    if (!rehearsal->deployment)
        return no_memory(rehearsal);
    use(rehearsal);
    rehearsal->is_open = check_open(check, rehearsal->deployment, &rehearsal->instance);
    return rehearsal->is_open && prepare(rehearsal) && lower(rehearsal);
}

bool rehearsal_reopen(struct rehearsal *rehearsal)
{
    check_close(rehearsal->check, rehearsal->instance);
    rehearsal->is_open = check_open(rehearsal->check, rehearsal->deployment, &rehearsal->instance);
    return rehearsal->is_open;
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

static batch_slot *slot_function(const struct check *check, const char *slot)
{
    const struct memories_provider_ops *ops = &check->plugin->ops.provider;
    const struct {
        const char *name;
        batch_slot *function;
    } slots[] = { { "create", ops->create },
                  { "read", ops->read },
                  { "update", ops->update },
                  { "destroy", ops->destroy },
                  { "power", ops->power } };
    for (size_t i = 0; i < ARRAY_COUNT(slots); i++)
        if (!strcmp(slots[i].name, slot))
            return slots[i].function;
    return NULL;
}

static json_object *outputs_of(const char *key, void *user_data)
{
    struct rehearsal *rehearsal = user_data;
    for (size_t i = 0; i < rehearsal->count; i++)
        if (!strcmp(rehearsal->objects[i].key, key))
            return rehearsal->objects[i].outputs;
    return NULL;
}

/* The texts of one operation, which must live as long as it. */
struct texts {
    char *inputs;
    char *outputs;
};

/* What it was made from is remembered, for when outputs are lost. */
static bool resolve_inputs(struct rehearsal *rehearsal, struct object *object)
{
    memories_error *error = NULL;
    json_object *inputs = NULL;
    if (reference_resolve(object->lowered, outputs_of, rehearsal, &inputs, &error)) {
        check_fail_error(rehearsal->check, "create", error);
        return false;
    }
    json_object_put(object->inputs);
    object->inputs = inputs;
    return true;
}

static bool fill_operation(struct rehearsal *rehearsal, const struct batch_request *request, struct object *object,
                           struct memories_operation *operation, struct texts *texts)
{
    bool creates = !strcmp(request->slot, "create"), makes = creates || !strcmp(request->slot, "update");
    bool with_outputs = request->known && object->outputs;
    if (makes && !resolve_inputs(rehearsal, object))
        return false;
    bool with_inputs = object->inputs && (makes || !with_outputs || (request->under_way && object->is_making));
    texts->inputs = with_inputs ? json_text(object->inputs) : NULL;
    texts->outputs = with_outputs ? json_text(object->outputs) : NULL;
    if ((with_inputs && !texts->inputs) || (with_outputs && !texts->outputs))
        return no_memory(rehearsal);
    object->tries += creates;
    if (!request->under_way) {
        object->is_making = makes;
        object->power_on = request->power_on;
    }
    *operation = (struct memories_operation){ .size = sizeof *operation,
                                              .generation = object->generation,
                                              .attempt = creates ? object->tries : 1,
                                              .power_on = object->power_on,
                                              .key = object->key,
                                              .type = object->type,
                                              .token = request->token ? request->token : object->token,
                                              .inputs = texts->inputs,
                                              .outputs = texts->outputs };
    return true;
}

static void record(struct object *object, const struct operation_answer *answer)
{
    object->state = answer->state;
    object->poll_after_ms = answer->poll_after_ms;
    if (!answer->outputs)
        return;
    json_object_put(object->outputs);
    object->outputs = json_ref(answer->outputs);
}

static void sleep_ms(uint32_t ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static int64_t timeout_ms(struct rehearsal *rehearsal, const char *type)
{
    json_object *types = json_get_object(rehearsal->check->plugin->description, "resource_types");
    return 1000 * json_get_int(json_get_object(types, type), "timeout_s", DEFAULT_TIMEOUT_S);
}

/* Failed answers are reported here, unless the caller wants to see them himself. */
static bool judge_answers(struct rehearsal *rehearsal, const struct batch_request *request,
                          struct object *const *objects, size_t count, struct operation_answer *answers, bool keep)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        if (!answers[i].error) {
            if (request->record)
                record(objects[i], &answers[i]);
        } else if (!keep) {
            good = false;
            error_where(&answers[i].error, "%s", objects[i]->key);
            check_judge_error(rehearsal->check, request->slot, STEAL(answers[i].error));
        }
        if (!keep)
            operation_answer_clear(&answers[i]);
    }
    return good;
}

static bool send_batch(struct rehearsal *rehearsal, const struct batch_request *request, struct object *const *objects,
                       size_t count, struct operation_answer *answers)
{
    struct check *check = rehearsal->check;
    AUTO_FREE struct memories_operation *operations = calloc(count + 1, sizeof *operations);
    AUTO_FREE const struct memories_operation **pointers = calloc(count + 1, sizeof *pointers);
    AUTO_FREE struct texts *texts = calloc(count + 1, sizeof *texts);
    bool good = operations && pointers && texts ? true : no_memory(rehearsal);
    for (size_t i = 0; good && i < count; i++) {
        good = fill_operation(rehearsal, request, objects[i], &operations[i], &texts[i]);
        pointers[i] = &operations[i];
    }
    if (!rehearsal->made && !strcmp(request->slot, "create")) {
        check_report(check->report, "{\"deployment\":\"%s\"}", rehearsal->deployment);
        rehearsal->made = true;
    }
    use(rehearsal);
    memories_error *error = NULL;
    if (good && call_batch(check->plugin, &check->environment, request->slot, slot_function(check, request->slot),
                           rehearsal->instance, pointers, count, answers, &error)) {
        check_fail_error(check, request->slot, error);
        good = false;
    }
    for (size_t i = 0; texts && i < count; i++) {
        free(texts[i].inputs);
        free(texts[i].outputs);
    }
    return good;
}

/* Takes those out that the provider wants to be asked for again later; how much later. The others are judged. */
static bool set_aside(struct rehearsal *rehearsal, const struct batch_request *request, struct object **objects,
                      size_t *count, struct operation_answer *answers, uint32_t *wait_ms)
{
    bool good = true;
    size_t left = 0;
    *wait_ms = 0;
    for (size_t i = 0; i < *count; i++) {
        struct object *object = objects[i];
        uint32_t told_ms = memories_error_retryable(answers[i].error) ? answers[i].error->retry_after_ms : 0;
        if (told_ms) {
            objects[left++] = object;
            *wait_ms = told_ms > *wait_ms ? told_ms : *wait_ms;
            operation_answer_clear(&answers[i]);
        } else {
            good = judge_answers(rehearsal, request, &object, 1, &answers[i], false) && good;
        }
    }
    *count = left;
    return good;
}

/* As the core does, until the type's time is over. */
static bool insist(struct rehearsal *rehearsal, const struct batch_request *request, struct object *const *objects,
                   size_t count)
{
    AUTO_FREE struct operation_answer *answers = calloc(count + 1, sizeof *answers);
    AUTO_FREE struct object **left = calloc(count + 1, sizeof *left);
    int64_t began_ms = clock_monotonic_ms();
    if (!answers || !left)
        return no_memory(rehearsal);
    memcpy(left, objects, count * sizeof *left);
    while (count) {
        uint32_t wait_ms;
        bool late = clock_monotonic_ms() - began_ms > timeout_ms(rehearsal, left[0]->type);
        if (!send_batch(rehearsal, request, left, count, answers))
            return false;
        if (late)
            return judge_answers(rehearsal, request, left, count, answers, false);
        if (!set_aside(rehearsal, request, left, &count, answers, &wait_ms))
            return false;
        sleep_ms(count ? wait_ms : 0);
    }
    return true;
}

bool rehearsal_batch(struct rehearsal *rehearsal, const struct batch_request *request, struct object *const *objects,
                     size_t count, struct operation_answer *answers)
{
    if (!answers)
        return insist(rehearsal, request, objects, count);
    return send_batch(rehearsal, request, objects, count, answers) &&
           judge_answers(rehearsal, request, objects, count, answers, true);
}

size_t rehearsal_gather(struct rehearsal *rehearsal, size_t level, bool *taken, struct object **objects)
{
    json_object *types = json_get_object(rehearsal->check->plugin->description, "resource_types");
    size_t count = 0, limit = 0;
    for (size_t i = 0; i < rehearsal->count; i++) {
        struct object *object = &rehearsal->objects[i];
        if (taken[i] || object->level != level || (count && strcmp(object->type, objects[0]->type)))
            continue;
        if (!count)
            limit = (size_t)json_get_int(json_get_object(types, object->type), "batch_max", 0);
        if (limit && count == limit)
            break;
        objects[count++] = object;
        taken[i] = true;
    }
    return count;
}

static bool for_level(struct rehearsal *rehearsal, const struct batch_request *request, size_t level)
{
    AUTO_FREE bool *taken = calloc(rehearsal->count + 1, sizeof *taken);
    AUTO_FREE struct object **objects = calloc(rehearsal->count + 1, sizeof *objects);
    if (!taken || !objects)
        return no_memory(rehearsal);
    bool only_power = !strcmp(request->slot, "power"), good = true;
    for (size_t count; good && (count = rehearsal_gather(rehearsal, level, taken, objects));)
        if (!only_power || objects[0]->power)
            good = rehearsal_batch(rehearsal, request, objects, count, NULL);
    return good;
}

bool rehearsal_all(struct rehearsal *rehearsal, const struct batch_request *request, bool down)
{
    bool good = true;
    for (size_t i = 0; good && i < rehearsal->levels; i++)
        good = for_level(rehearsal, request, down ? rehearsal->levels - 1 - i : i);
    return good;
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

/* The pending ones of the first type that has some. */
static size_t gather_pending(struct rehearsal *rehearsal, struct object **objects, uint32_t *wait_ms)
{
    size_t count = 0;
    *wait_ms = POLL_MS_MAX;
    for (size_t i = 0; i < rehearsal->count; i++) {
        struct object *object = &rehearsal->objects[i];
        if (object->state != MEMORIES_STATE_PENDING || (count && strcmp(object->type, objects[0]->type)))
            continue;
        uint32_t wanted_ms = object->poll_after_ms ? object->poll_after_ms : DEFAULT_POLL_MS;
        *wait_ms = wanted_ms < *wait_ms ? wanted_ms : *wait_ms;
        objects[count++] = object;
    }
    return count;
}

bool rehearsal_wait(struct rehearsal *rehearsal)
{
    AUTO_FREE struct object **objects = calloc(rehearsal->count + 1, sizeof *objects);
    if (!objects)
        return no_memory(rehearsal);
    int64_t began_ms = clock_monotonic_ms();
    uint32_t wait_ms;
    for (size_t count; (count = gather_pending(rehearsal, objects, &wait_ms));) {
        if (clock_monotonic_ms() - began_ms > timeout_ms(rehearsal, objects[0]->type)) {
            check_fail(rehearsal->check, "read", "answer ready or broken in time, or raise the type's timeout_s",
                       "%s is still pending after the %lld s that its type allows", objects[0]->key,
                       (long long)timeout_ms(rehearsal, objects[0]->type) / 1000);
            return false;
        }
        guard_await(objects[0]->key);
        sleep_ms(wait_ms);
        struct batch_request request = { .slot = "read", .known = true, .under_way = true, .record = true };
        bool good = rehearsal_batch(rehearsal, &request, objects, count, NULL);
        guard_await(NULL);
        if (!good)
            return false;
    }
    return true;
}

bool rehearsal_expect(struct rehearsal *rehearsal, const char *slot, uint32_t state, bool nodes_only)
{
    bool good = true;
    for (size_t i = 0; i < rehearsal->count; i++) {
        const struct object *object = &rehearsal->objects[i];
        if ((nodes_only && !object->power) || object->state == state)
            continue;
        check_fail(rehearsal->check, slot, NULL, "%s is %s, expected %s", object->key, state_name(object->state),
                   state_name(state));
        good = false;
    }
    return good;
}

bool rehearsal_create(struct rehearsal *rehearsal)
{
    struct batch_request request = { .slot = "create", .record = true, .power_on = rehearsal->power_on };
    for (size_t level = 0; level < rehearsal->levels; level++)
        if (!for_level(rehearsal, &request, level) ||
            (rehearsal->every_twice && !for_level(rehearsal, &request, level)) || !rehearsal_wait(rehearsal))
            return false;
    return true;
}

bool rehearsal_destroy(struct rehearsal *rehearsal)
{
    struct batch_request request = { .slot = "destroy", .known = true, .record = true };
    for (size_t i = 0; i < rehearsal->levels; i++)
        if (!for_level(rehearsal, &request, rehearsal->levels - 1 - i) || !rehearsal_wait(rehearsal))
            return false;
    return true;
}

void rehearsal_end(struct rehearsal *rehearsal)
{
    struct check *check = rehearsal->check;
    bool failed_before = check->failed, gone = true;
    if (rehearsal->made)
        gone = rehearsal_destroy(rehearsal);
    for (size_t i = 0; rehearsal->made && gone && i < rehearsal->count; i++)
        gone = rehearsal->objects[i].state == MEMORIES_STATE_ABSENT;
    if (rehearsal->made && gone && !(check->failed && !failed_before))
        check_report(check->report, "{\"removed\":\"%s\"}", rehearsal->deployment);
    if (rehearsal->is_open)
        check_close(check, rehearsal->instance);
    secrets_free(rehearsal->secrets);
    check->environment.secrets = NULL;
    check->environment.deployment = NULL;
    for (size_t i = 0; i < rehearsal->count; i++) {
        json_object_put(rehearsal->objects[i].inputs);
        json_object_put(rehearsal->objects[i].outputs);
    }
    free(rehearsal->objects);
    json_object_put(rehearsal->spec);
    json_object_put(rehearsal->choices);
    json_object_put(rehearsal->resources);
    free(rehearsal->deployment);
    *rehearsal = (struct rehearsal){ .check = check };
}

/* ---- Discover ---------------------------------------------------------------------------------------------------- */

static bool add_sight(struct rehearsal *rehearsal, const struct object *object, const struct operation_answer *answer,
                      json_object *found)
{
    json_object *resource = json_object_new_object();
    return !json_set(found, object->key, resource) &&
           !json_set_string(resource, "deployment", rehearsal->deployment) &&
           !json_set_string(resource, "key", object->key) && !json_set_string(resource, "type", object->type) &&
           !json_set_string(resource, "state", state_name(answer->state)) &&
           !json_set(resource, "outputs", json_ref(answer->outputs));
}

static bool is_discovered(struct rehearsal *rehearsal, const struct object *object)
{
    json_object *types = json_get_object(rehearsal->check->plugin->description, "resource_types");
    return json_get_bool(json_get_object(types, object->type), "discovered", true);
}

/* What has no marks of its own is found by what the core knows of it: its key, and the inputs that it was made with. */
static bool look_up(struct rehearsal *rehearsal, json_object *found, size_t *count)
{
    const struct batch_request read = { .slot = "read", .token = "", .under_way = true };
    bool good = true;
    for (size_t i = 0; good && i < rehearsal->count; i++) {
        struct object *object = &rehearsal->objects[i];
        struct operation_answer answer = { 0 };
        if (!object->inputs || is_discovered(rehearsal, object) || json_get(found, object->key))
            continue;
        good = rehearsal_batch(rehearsal, &read, &object, 1, &answer);
        if (good && !answer.error && answer.state != MEMORIES_STATE_ABSENT) {
            good = add_sight(rehearsal, object, &answer, found);
            ++*count;
        }
        operation_answer_clear(&answer);
    }
    return good;
}

json_object *rehearsal_discover(struct rehearsal *rehearsal, const char *deployment, size_t *count)
{
    struct check *check = rehearsal->check;
    AUTO_JSON json_object *request = check_request(check, deployment);
    AUTO_JSON json_object *answer = request ? check_ask(check, "discover", rehearsal->instance, request) : NULL;
    AUTO_JSON json_object *found = json_object_new_object();
    if (!answer || !found)
        return NULL;
    json_object *resources = json_get_array(answer, "resources");
    if (!resources) {
        check_fail(check, "discover", "docs/documents.md describes it", "its result has no array `resources`");
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *owner = json_get_string(resource, "deployment"), *key = json_get_string(resource, "key");
        if (!owner || !key || !json_get_string(resource, "type") || !json_get_string(resource, "state")) {
            check_fail(check, "discover", NULL, "resource %zu has not all of deployment, key, type and state", i);
            return NULL;
        }
        if (strcmp(owner, rehearsal->deployment))
            continue;
        ++*count;
        if (json_set(found, key, json_ref(resource)))
            return NULL;
    }
    return look_up(rehearsal, found, count) ? STEAL(found) : NULL;
}
