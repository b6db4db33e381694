/* adopt.c - what is there of resources that nobody has a record of, see adopt.h */
#include "core/engine/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/backoff.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/engine/reference.h"

#define ATTEMPTS 6

/* The desired resources as operations of a plan that would make them all: so they are looked at in that order, and what
 * one needs of another is known by then. */
struct adoption {
    struct engine *engine;
    struct plan *plan;
    json_object *found;   /* {key: as discovered} */
    json_object *outputs; /* {key: outputs} of those that are there */
    json_object *adopted; /* the answer */
    size_t *waits_for;    /* of each operation; DONE */
    memories_error **error;
};
#define DONE ((size_t)-1)

/* Some that are looked for by one call of read. */
struct look {
    struct memories_operation *operations;
    const struct memories_operation **pointers;
    struct operation_answer *answers;
    size_t *positions;    /* in the plan */
    json_object **inputs; /* references resolved; owned */
    char **texts;
    size_t count;
};

static bool is_node_type(const struct engine *engine, const char *type)
{
    json_object *types = json_get_object(engine->provider->description, "resource_types");
    return type && json_get_bool(json_get_object(types, type), "is_node", false);
}

/* ---- What is there ---- */

/* `inputs` is borrowed. */
static int adopt(struct adoption *adoption, const struct plan_operation *operation, const char *state,
                 json_object *inputs, json_object *outputs)
{
    json_object *resource = json_object_new_object();
    bool pending = !strcmp(state, "pending");
    int failed = json_add(adoption->adopted, resource) || json_set_string(resource, "key", operation->key) ||
                 json_set_string(resource, "type", operation->type) ||
                 json_set_string(resource, "node", operation->node) || json_set_string(resource, "state", state) ||
                 json_set_int(resource, "generation", adoption->engine->generation_floor) ||
                 json_set(resource, "inputs", json_ref(inputs)) || json_set(resource, "outputs", json_ref(outputs)) ||
                 json_set(resource, "depends_on", json_ref(operation->depends_on_keys)) ||
                 json_set_string(resource, "doubt", pending ? operation_name(OPERATION_CREATE) : NULL) ||
                 (outputs && json_set(adoption->outputs, operation->key, json_ref(outputs)));
    return failed ? error_no_memory(adoption->error) : 0;
}

static json_object *outputs_of(const char *key, void *user_data)
{
    const struct adoption *adoption = user_data;
    return json_get_object(adoption->outputs, key);
}

/* What needs something that is not there is not there either: *inputs stays NULL. */
static int resolve(struct adoption *adoption, const struct plan_operation *operation, json_object **inputs)
{
    AUTO_ERROR memories_error *missing = NULL;
    if (!reference_resolve(operation->inputs, outputs_of, adoption, inputs, &missing))
        return 0;
    return memories_error_code(missing) == MEMORIES_NO_MEMORY ? error_no_memory(adoption->error) : 0;
}

/* ---- Asking ---- */

static bool may_pass(const memories_error *error)
{
    int code = memories_error_code(error);
    return code == MEMORIES_THROTTLED || code == MEMORIES_TRANSIENT || code == MEMORIES_TIMEOUT;
}

static void clear_answers(struct look *look)
{
    for (size_t i = 0; i < look->count; i++)
        operation_answer_clear(&look->answers[i]);
    memset(look->answers, 0, look->count * sizeof *look->answers);
}

/* The first error of the answers; NULL: there is none. */
static memories_error *first_error(const struct look *look)
{
    for (size_t i = 0; i < look->count; i++)
        if (look->answers[i].error)
            return look->answers[i].error;
    return NULL;
}

/* All of them again when something failed that may pass: reading changes nothing. */
static int ask(struct adoption *adoption, struct look *look)
{
    const struct engine *engine = adoption->engine;
    for (uint32_t attempt = 1;; attempt++) {
        int failed = call_batch(engine->provider, engine->environment, "read", engine->provider->ops.provider.read,
                                engine->instance, look->pointers, look->count, look->answers, adoption->error);
        memories_error *problem = failed ? NULL : first_error(look);
        if (failed || !problem)
            return failed;
        if (!may_pass(problem) || attempt == ATTEMPTS || atomic_load(engine->environment->cancel))
            return error_move(adoption->error, error_copy(problem));
        backoff_wait(backoff_ms(attempt, problem->retry_after_ms, arc4random()), engine->environment->cancel);
        clear_answers(look);
    }
}

static int add_to_look(struct adoption *adoption, struct look *look, size_t position, json_object *inputs)
{
    const struct plan_operation *operation = &adoption->plan->operations[position];
    size_t at = look->count;
    look->texts[at] = json_text(inputs);
    if (!look->texts[at])
        return error_no_memory(adoption->error);
    look->inputs[at] = json_ref(inputs);
    look->positions[at] = position;
    look->operations[at] = (struct memories_operation){ .size = sizeof look->operations[at],
                                                        .generation = operation->generation,
                                                        .attempt = 1,
                                                        .power_on = 1,
                                                        .key = operation->key,
                                                        .type = operation->type,
                                                        .token = "",
                                                        .inputs = look->texts[at] };
    look->pointers[at] = &look->operations[at];
    look->count++;
    return 0;
}

static int look_init(struct look *look, size_t most)
{
    look->operations = calloc(most + 1, sizeof *look->operations);
    look->pointers = calloc(most + 1, sizeof *look->pointers);
    look->answers = calloc(most + 1, sizeof *look->answers);
    look->positions = calloc(most + 1, sizeof *look->positions);
    look->inputs = calloc(most + 1, sizeof(json_object *));
    look->texts = calloc(most + 1, sizeof(char *));
    return look->operations && look->pointers && look->answers && look->positions && look->inputs && look->texts
               ? 0
               : MEMORIES_NO_MEMORY;
}

static void look_clear(struct look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        operation_answer_clear(&look->answers[i]);
        json_object_put(look->inputs[i]);
        free(look->texts[i]);
    }
    free(look->operations);
    free(look->pointers);
    free(look->answers);
    free(look->positions);
    free(look->inputs);
    free(look->texts);
}

static int take_answers(struct adoption *adoption, const struct look *look)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < look->count; i++) {
        const struct operation_answer *answer = &look->answers[i];
        if (answer->state != MEMORIES_STATE_ABSENT)
            failed = adopt(adoption, &adoption->plan->operations[look->positions[i]], engine_state_name(answer->state),
                           look->inputs[i], answer->outputs);
    }
    return failed;
}

/* ---- Order ---- */

/* Whether `position` can go into one call with those of `look`. */
static bool same_call(const struct adoption *adoption, const struct look *look, size_t position)
{
    const struct engine *engine = adoption->engine;
    json_object *types = json_get_object(engine->provider->description, "resource_types");
    if (!look->count)
        return true;
    const char *type = look->operations[0].type;
    int64_t limit = json_get_int(json_get_object(types, type), "batch_max", 0);
    if (limit && look->count >= (size_t)limit)
        return false;
    return json_get_bool(engine->provider->description, "read_together", false) ||
           !strcmp(type, adoption->plan->operations[position].type);
}

/* One that is due: adopted at once when it was discovered, put into the look when it has to be asked for. */
static int take(struct adoption *adoption, struct look *look, size_t position)
{
    const struct plan_operation *operation = &adoption->plan->operations[position];
    json_object *known = json_get_object(adoption->found, operation->key);
    AUTO_JSON json_object *inputs = NULL;
    int failed = resolve(adoption, operation, &inputs);
    if (failed)
        return failed;
    if (known)
        return adopt(adoption, operation, json_get_string(known, "state"), inputs, json_get(known, "outputs"));
    return inputs ? add_to_look(adoption, look, position, inputs) : 0;
}

/* All that is due now and fits into one call; *taken: how many. */
static int take_due(struct adoption *adoption, size_t *taken)
{
    struct look look = { 0 };
    size_t count = adoption->plan->count;
    AUTO_FREE size_t *waits_for = calloc(count + 1, sizeof *waits_for);
    int failed = !waits_for || look_init(&look, count) ? error_no_memory(adoption->error) : 0;
    if (waits_for)
        memcpy(waits_for, adoption->waits_for, count * sizeof *waits_for);
    *taken = 0;
    for (size_t i = 0; !failed && i < count; i++) {
        const struct plan_operation *operation = &adoption->plan->operations[i];
        if (waits_for[i] || !same_call(adoption, &look, i))
            continue;
        failed = take(adoption, &look, i);
        adoption->waits_for[i] = DONE;
        for (size_t k = 0; k < operation->successor_count; k++)
            adoption->waits_for[operation->successors[k]]--;
        *taken += 1;
    }
    if (!failed && look.count)
        failed = ask(adoption, &look);
    if (!failed)
        failed = take_answers(adoption, &look);
    look_clear(&look);
    return failed;
}

/* What was discovered and nobody wants: removed before the others when it is removed. */
static int adopt_others(struct adoption *adoption)
{
    AUTO_JSON json_object *keys = json_object_new_array();
    for (size_t i = 0; i < json_count(adoption->adopted); i++)
        if (json_add_string(keys, json_get_string(json_object_array_get_idx(adoption->adopted, i), "key")))
            return error_no_memory(adoption->error);
    AUTO_JSON json_object *nothing = json_object_new_object();
    int failed = keys && nothing ? 0 : error_no_memory(adoption->error);
    json_object_object_foreach(adoption->found, key, known) {
        struct plan_operation other = { .key = key,
                                        .type = json_get_string(known, "type"),
                                        .node = json_get_string(known, "node"),
                                        .depends_on_keys = keys };
        bool wanted = false;
        for (size_t i = 0; !wanted && i < adoption->plan->count; i++)
            wanted = !strcmp(adoption->plan->operations[i].key, key);
        if (is_node_type(adoption->engine, other.type) && !other.node && strrchr(key, '/'))
            other.node = strrchr(key, '/') + 1;
        if (!failed && !wanted)
            failed = adopt(adoption, &other, json_get_string(known, "state"), nothing, json_get(known, "outputs"));
    }
    return failed;
}

/* ---- All of it ---- */

/* {key: resource}; two objects under one key can't both be the deployment's. */
static json_object *by_key(json_object *discovered, memories_error **error)
{
    AUTO_JSON json_object *found = json_object_new_object();
    for (size_t i = 0; i < json_count(discovered); i++) {
        json_object *resource = json_object_array_get_idx(discovered, i);
        const char *key = json_get_string(resource, "key"), *state = json_get_string(resource, "state");
        if (!key || !state || !json_get_string(resource, "type") || !strcmp(state, "absent"))
            continue;
        if (json_get(found, key)) {
            error_set(error, MEMORIES_CONFLICT, "there are two objects that are marked as %s", key);
            error_hint(error, "remove the one that is not in use, or its mark");
            return NULL;
        }
        if (json_set(found, key, json_ref(resource))) {
            error_no_memory(error);
            return NULL;
        }
    }
    return STEAL(found);
}

static int adopt_all(struct adoption *adoption)
{
    size_t left = adoption->plan->count, taken = 0;
    int failed = 0;
    for (size_t i = 0; i < left; i++)
        adoption->waits_for[i] = adoption->plan->operations[i].wait_count;
    for (; !failed && left; left -= taken)
        failed = take_due(adoption, &taken);
    return failed ? failed : adopt_others(adoption);
}

json_object *engine_adopt(struct engine *engine, json_object *desired, json_object *discovered, memories_error **error)
{
    const struct plan_request request = { .desired = desired,
                                          .resource_types = json_get(engine->provider->description, "resource_types"),
                                          .generation_floor = engine->generation_floor,
                                          .can_update = true };
    AUTO_JSON json_object *found = by_key(discovered, error);
    struct plan *plan = found ? plan_make(&request, error) : NULL;
    if (!plan)
        return NULL;
    AUTO_JSON json_object *outputs = json_object_new_object();
    AUTO_JSON json_object *adopted = json_object_new_array();
    AUTO_FREE size_t *waits_for = calloc(plan->count + 1, sizeof *waits_for);
    struct adoption adoption = { engine, plan, found, outputs, adopted, waits_for, error };
    int failed = outputs && adopted && waits_for ? adopt_all(&adoption) : error_no_memory(error);
    plan_free(plan);
    return failed ? NULL : STEAL(adopted);
}
