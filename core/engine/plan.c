/* plan.c - the difference between what is wanted and what is there, as operations in order */
#include "core/engine/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

const char *operation_name(enum operation_kind kind)
{
    static const char *const names[] = { "create", "update", "delete", "stop", "start" };
    return names[kind];
}

/* ---- Graphs of resources ---- */

/* {key: position} of an array of resources. */
static json_object *index_by_key(json_object *resources, memories_error **error)
{
    AUTO_JSON json_object *index = json_object_new_object();
    for (size_t i = 0; i < json_count(resources); i++) {
        const char *key = json_get_string(json_object_array_get_idx(resources, i), "key");
        if (json_object_object_get_ex(index, key, NULL)) {
            error_set(error, MEMORIES_INVALID, "two resources have the key %s", key);
            error_hint(error, "this is a defect of the provider's lower");
            return NULL;
        }
        if (json_set_int(index, key, (int64_t)i)) {
            error_no_memory(error);
            return NULL;
        }
    }
    return STEAL(index);
}

/* [key, name] of {"$output": [key, name]}, or NULL. */
static json_object *as_reference(json_object *value)
{
    json_object *reference = json_get_array(value, "$output");
    return json_count(reference) == 2 && json_object_object_length(value) == 1 ? reference : NULL;
}

typedef int reference_fn(const char *key, void *user_data);

/* Calls `found` with the key of each reference inside `value`. */
static int each_reference(json_object *value, reference_fn *found, void *user_data)
{
    json_object *reference = as_reference(value);
    int failed = 0;
    if (reference)
        return found(json_object_get_string(json_object_array_get_idx(reference, 0)), user_data);
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner) {
            (void)name;
            if (!failed)
                failed = each_reference(inner, found, user_data);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; !failed && i < json_object_array_length(value); i++)
            failed = each_reference(json_object_array_get_idx(value, i), found, user_data);
    }
    return failed;
}

/* All dependencies of a resource, stated and by reference; a key may come more than once. */
static int each_dependency(json_object *resource, reference_fn *found, void *user_data)
{
    json_object *stated = json_get_array(resource, "depends_on");
    int failed = 0;
    for (size_t i = 0; !failed && i < json_count(stated); i++)
        failed = found(json_object_get_string(json_object_array_get_idx(stated, i)), user_data);
    return failed ? failed : each_reference(json_get(resource, "inputs"), found, user_data);
}

struct graph_walk {
    json_object *resources;
    json_object *index;
    unsigned char *state; /* 0: not seen, 1: on the way, 2: done */
    struct text path;     /* "a -> b -> c", for the error */
    memories_error **error;
};

static int visit(const char *key, void *user_data);

static int visit_resource(struct graph_walk *walk, size_t at, const char *key)
{
    if (walk->state[at] == 2)
        return 0;
    size_t length = walk->path.length;
    text_printf(&walk->path, "%s%s", length ? " -> " : "", key);
    if (walk->state[at] == 1)
        return error_set(walk->error, MEMORIES_INVALID, "resources depend on each other in a circle: %s",
                         walk->path.failed ? key : walk->path.bytes);
    walk->state[at] = 1;
    int failed = each_dependency(json_object_array_get_idx(walk->resources, at), visit, walk);
    walk->state[at] = 2;
    if (!failed && !walk->path.failed)
        walk->path.length = length;
    return failed;
}

static int visit(const char *key, void *user_data)
{
    struct graph_walk *walk = user_data;
    json_object *position = json_get(walk->index, key);
    if (position)
        return visit_resource(walk, (size_t)json_object_get_int64(position), key);
    error_set(walk->error, MEMORIES_INVALID, "a resource depends on %s, which is not there", key);
    error_where(walk->error, "%s", walk->path.bytes ? walk->path.bytes : key);
    return MEMORIES_INVALID;
}

int graph_check(json_object *resources, json_object *resource_types, memories_error **error)
{
    AUTO_JSON json_object *index = index_by_key(resources, error);
    if (!index)
        return MEMORIES_INVALID;
    AUTO_FREE unsigned char *state = calloc(json_count(resources) + 1, 1);
    if (!state)
        return error_no_memory(error);
    struct graph_walk walk = { resources, index, state, TEXT_INIT, error };
    int failed = 0;
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *key = json_get_string(resource, "key"), *type = json_get_string(resource, "type");
        if (json_get(resource_types, type))
            failed = visit_resource(&walk, i, key);
        else
            failed = error_set(error, MEMORIES_INVALID, "resource %s has the type %s, which its provider does not have",
                               key, type);
    }
    text_clear(&walk.path);
    return failed;
}

/* ---- What happens to each resource ---- */

enum fate { FATE_KEEP, FATE_CREATE, FATE_REPLACE, FATE_UPDATE };

/* One key, wanted or recorded or both, and its operations by position in the plan (none: NO_OPERATION). */
#define NO_OPERATION ((size_t)-1)
struct item {
    const char *key;
    json_object *wanted;
    json_object *recorded;
    enum fate fate;
    const char *reason;
    size_t remove, create, update, power;
};

struct planner {
    const struct plan_request *request;
    struct plan *plan;
    json_object *index; /* {key: position in items}, in the order of desired, then of what else is recorded */
    struct item *items;
    size_t count;
    memories_error **error;
};

static json_object *type_of(const struct planner *planner, json_object *resource)
{
    return json_get_object(planner->request->resource_types, json_get_string(resource, "type"));
}

static struct item *find_item(struct planner *planner, const char *key)
{
    json_object *position = json_get(planner->index, key);
    return position ? &planner->items[json_object_get_int64(position)] : NULL;
}

static const char *keep_text(struct planner *planner, char *text)
{
    if (!text || json_add_string(planner->plan->kept, text)) {
        free(text);
        return NULL;
    }
    free(text);
    return json_object_get_string(
        json_object_array_get_idx(planner->plan->kept, json_count(planner->plan->kept) - 1));
}

static bool is_in(json_object *array, const char *string)
{
    for (size_t i = 0; i < json_count(array); i++)
        if (!strcmp(json_object_get_string(json_object_array_get_idx(array, i)), string))
            return true;
    return false;
}

struct made_anew {
    struct planner *planner;
    bool found;
};

static int note_made_anew(const char *key, void *user_data)
{
    struct made_anew *search = user_data;
    struct item *item = find_item(search->planner, key);
    if (item && (item->fate == FATE_CREATE || item->fate == FATE_REPLACE))
        search->found = true;
    return 0;
}

/* Dependencies are judged first (judge_with_dependencies), so that their fates are known here. */
static bool input_changed(struct planner *planner, const struct item *item, const char *name, json_object *value)
{
    struct made_anew search = { planner, false };
    if (!json_equal(value, json_get(json_get_object(item->recorded, "inputs"), name)))
        return true;
    each_reference(value, note_made_anew, &search);
    return search.found;
}

static void note_change(struct planner *planner, struct item *item, const char *name)
{
    json_object *type = type_of(planner, item->wanted);
    bool replaces = is_in(json_get_array(type, "replace_on"), name) || !planner->request->can_update;
    if (item->fate == FATE_REPLACE || (item->fate == FATE_UPDATE && !replaces))
        return; /* the first reason of the strongest kind is told */
    item->fate = replaces ? FATE_REPLACE : FATE_UPDATE;
    item->reason = keep_text(planner, text_format("%s changed", name));
}

static void compare_inputs(struct planner *planner, struct item *item)
{
    json_object *wanted = json_get_object(item->wanted, "inputs");
    json_object *recorded = json_get_object(item->recorded, "inputs");
    if (wanted) {
        json_object_object_foreach(wanted, name, value) {
            if (input_changed(planner, item, name, value))
                note_change(planner, item, name);
        }
    }
    if (recorded) {
        json_object_object_foreach(recorded, name, value) {
            if (value && !json_object_object_get_ex(wanted, name, NULL))
                note_change(planner, item, name);
        }
    }
}

static void judge(struct planner *planner, struct item *item)
{
    const char *state = json_get_string(item->recorded, "state");
    const char *doubt = json_get_string(item->recorded, "doubt");
    if (!item->wanted)
        return;
    if (!item->recorded) {
        item->fate = FATE_CREATE;
        item->reason = "is not there";
    } else if (!strcmp(state, "planned")) {
        item->fate = FATE_CREATE;
        item->reason = "was not finished";
    } else if (!strcmp(state, "lost")) {
        item->fate = FATE_CREATE;
        item->reason = "has disappeared";
    } else if (!strcmp(state, "broken")) {
        item->fate = FATE_REPLACE;
        item->reason = "is broken";
    } else if (strcmp(json_get_string(item->wanted, "type"), json_get_string(item->recorded, "type")) != 0) {
        item->fate = FATE_REPLACE;
        item->reason = "type changed";
    } else {
        compare_inputs(planner, item);
        if (item->fate == FATE_KEEP && doubt && !strcmp(doubt, "update")) {
            item->fate = planner->request->can_update ? FATE_UPDATE : FATE_REPLACE;
            item->reason = "its update was not finished";
        }
    }
}

struct judgement {
    struct planner *planner;
    unsigned char *judged;
};

static int judge_key(const char *key, void *user_data);

static void judge_with_dependencies(struct judgement *judgement, size_t at)
{
    if (judgement->judged[at])
        return;
    judgement->judged[at] = 1;
    struct item *item = &judgement->planner->items[at];
    if (item->wanted)
        each_dependency(item->wanted, judge_key, judgement);
    judge(judgement->planner, item);
}

static int judge_key(const char *key, void *user_data)
{
    struct judgement *judgement = user_data;
    json_object *position = json_get(judgement->planner->index, key);
    if (position)
        judge_with_dependencies(judgement, (size_t)json_object_get_int64(position));
    return 0;
}

/* ---- Operations ---- */

static uint32_t next_generation(const struct planner *planner, const struct item *item)
{
    int64_t last = json_get_int(planner->request->generations, item->key, 0);
    int64_t recorded = json_get_int(item->recorded, "generation", 0);
    /* Never finished and unchanged: the same token, so that what was made after all is found. */
    if (item->fate == FATE_CREATE && item->recorded && !strcmp(json_get_string(item->recorded, "state"), "planned") &&
        json_equal(json_get(item->recorded, "inputs"), json_get(item->wanted, "inputs")))
        return (uint32_t)recorded;
    return (uint32_t)((last > recorded ? last : recorded) + 1);
}

static size_t add_operation(struct planner *planner, const struct item *item, enum operation_kind kind,
                            const char *reason, uint32_t unit)
{
    json_object *source = kind == OPERATION_DELETE ? item->recorded : item->wanted;
    bool writes = kind == OPERATION_CREATE || kind == OPERATION_UPDATE;
    uint32_t generation = kind == OPERATION_CREATE ? next_generation(planner, item)
                                                   : (uint32_t)json_get_int(item->recorded, "generation", 1);
    planner->plan->operations[planner->plan->count] = (struct plan_operation){
        .kind = kind,
        .key = item->key,
        .type = json_get_string(source, "type"),
        .node = json_get_string(source, "node"),
        .reason = reason,
        .inputs = writes ? json_get(item->wanted, "inputs") : NULL,
        .depends_on_keys = writes ? json_get(item->wanted, "depends_on") : NULL,
        .outputs = kind == OPERATION_CREATE ? NULL : json_get(item->recorded, "outputs"),
        .generation = generation,
        .unit = unit,
    };
    return planner->plan->count++;
}

/* A node that runs and will change takes its turn; one that does not run disturbs nobody. */
static uint32_t unit_of(struct planner *planner, const struct item *item)
{
    bool node = item->wanted && json_get_bool(type_of(planner, item->wanted), "is_node", false);
    const char *state = json_get_string(item->recorded, "state");
    if (!node || !state || strcmp(state, "ready") != 0 || planner->request->stopped)
        return 0;
    return ++planner->plan->unit_count;
}

static void add_power(struct planner *planner, struct item *item)
{
    const char *state = json_get_string(item->recorded, "state");
    if (!state || !json_get_bool(type_of(planner, item->wanted), "power", false))
        return;
    if (planner->request->stopped && !strcmp(state, "ready"))
        item->power = add_operation(planner, item, OPERATION_STOP, "is to be stopped", 0);
    else if (!planner->request->stopped && !strcmp(state, "stopped"))
        item->power = add_operation(planner, item, OPERATION_START, "is to run", 0);
}

static void add_operations(struct planner *planner, struct item *item)
{
    item->remove = item->create = item->update = item->power = NO_OPERATION;
    if (!item->wanted) {
        item->remove = add_operation(planner, item, OPERATION_DELETE, "is not wanted any more", 0);
        return;
    }
    uint32_t unit = item->fate == FATE_REPLACE || item->fate == FATE_UPDATE ? unit_of(planner, item) : 0;
    if (item->fate == FATE_REPLACE)
        item->remove = add_operation(planner, item, OPERATION_DELETE, item->reason, unit);
    if (item->fate == FATE_REPLACE || item->fate == FATE_CREATE)
        item->create = add_operation(planner, item, OPERATION_CREATE, item->reason, unit);
    if (item->fate == FATE_UPDATE)
        item->update = add_operation(planner, item, OPERATION_UPDATE, item->reason, unit);
    if (item->fate == FATE_UPDATE || item->fate == FATE_KEEP)
        add_power(planner, item);
}

/* ---- Order ---- */

static int add_edge(struct planner *planner, size_t first, size_t then)
{
    if (first == NO_OPERATION || then == NO_OPERATION)
        return 0;
    struct plan_operation *before = &planner->plan->operations[first];
    /* capacity is the next power of two of the count */
    if ((before->successor_count & (before->successor_count - 1)) == 0) {
        size_t capacity = before->successor_count ? before->successor_count * 2 : 1;
        size_t *grown = realloc(before->successors, capacity * sizeof *grown);
        if (!grown)
            return error_no_memory(planner->error);
        before->successors = grown;
    }
    before->successors[before->successor_count++] = then;
    planner->plan->operations[then].wait_count++;
    return 0;
}

struct edge_search {
    struct planner *planner;
    const struct item *item;
};

/* `item` needs `key`: it is made, changed and started after it. */
static int order_after(const char *key, void *user_data)
{
    struct edge_search *search = user_data;
    const struct item *item = search->item, *needed = find_item(search->planner, key);
    if (!needed)
        return 0;
    const size_t before[] = { needed->create, needed->update, needed->power };
    const size_t after[] = { item->create, item->update, item->power };
    for (size_t i = 0; i < ARRAY_COUNT(before); i++)
        for (size_t k = 0; k < ARRAY_COUNT(after); k++)
            if (add_edge(search->planner, before[i], after[k]))
                return MEMORIES_NO_MEMORY;
    return 0;
}

/* `item` was made to need `key`: that one can only go when `item` is gone, or has been changed not to need it. */
static int order_removal(const char *key, void *user_data)
{
    struct edge_search *search = user_data;
    const struct item *item = search->item, *needed = find_item(search->planner, key);
    if (!needed || needed->remove == NO_OPERATION)
        return 0;
    int failed = add_edge(search->planner, item->remove, needed->remove);
    if (!failed && needed->create == NO_OPERATION)
        failed = add_edge(search->planner, item->update, needed->remove);
    return failed;
}

static int order(struct planner *planner, const struct item *item)
{
    struct edge_search search = { planner, item };
    int failed = add_edge(planner, item->remove, item->create);
    if (!failed)
        failed = add_edge(planner, item->update, item->power);
    if (!failed && item->wanted)
        failed = each_dependency(item->wanted, order_after, &search);
    if (!failed && item->recorded)
        failed = each_dependency(item->recorded, order_removal, &search);
    return failed;
}

/* ---- All of it ---- */

static int add_item(struct planner *planner, json_object *resource, bool wanted)
{
    const char *key = json_get_string(resource, "key");
    struct item *item = find_item(planner, key);
    if (!item) {
        item = &planner->items[planner->count];
        item->key = key;
        if (json_set_int(planner->index, key, (int64_t)planner->count++))
            return error_no_memory(planner->error);
    }
    if (wanted)
        item->wanted = resource;
    else
        item->recorded = resource;
    return json_add(planner->plan->kept, json_ref(resource)) ? error_no_memory(planner->error) : 0;
}

static int collect_items(struct planner *planner)
{
    json_object *desired = planner->request->desired, *recorded = planner->request->recorded;
    size_t most = json_count(desired) + json_count(recorded);
    planner->items = calloc(most + 1, sizeof *planner->items);
    planner->index = json_object_new_object();
    planner->plan->kept = json_object_new_array();
    planner->plan->operations = calloc(2 * most + 1, sizeof *planner->plan->operations);
    if (!planner->items || !planner->index || !planner->plan->kept || !planner->plan->operations)
        return error_no_memory(planner->error);
    int failed = 0;
    for (size_t i = 0; !failed && i < json_count(desired); i++)
        failed = add_item(planner, json_object_array_get_idx(desired, i), true);
    for (size_t i = 0; !failed && i < json_count(recorded); i++)
        failed = add_item(planner, json_object_array_get_idx(recorded, i), false);
    return failed;
}

static int make(struct planner *planner)
{
    int failed = collect_items(planner);
    if (failed)
        return failed;
    AUTO_FREE unsigned char *judged = calloc(planner->count + 1, 1);
    if (!judged)
        return error_no_memory(planner->error);
    struct judgement judgement = { planner, judged };
    for (size_t i = 0; i < planner->count; i++)
        judge_with_dependencies(&judgement, i);
    for (size_t i = 0; i < planner->count; i++)
        add_operations(planner, &planner->items[i]);
    for (size_t i = 0; !failed && i < planner->count; i++)
        failed = order(planner, &planner->items[i]);
    return failed;
}

struct plan *plan_make(const struct plan_request *request, memories_error **error)
{
    if (graph_check(request->desired, request->resource_types, error))
        return NULL;
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        error_no_memory(error);
        return NULL;
    }
    struct planner planner = { .request = request, .plan = plan, .error = error };
    int failed = make(&planner);
    json_object_put(planner.index);
    free(planner.items);
    if (!failed)
        return plan;
    plan_free(plan);
    return NULL;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->count; i++)
        free(plan->operations[i].successors);
    free(plan->operations);
    json_object_put(plan->kept);
    free(plan);
}

static json_object *operation_json(const struct plan_operation *operation)
{
    AUTO_JSON json_object *json = json_object_new_object();
    if (json_set_string(json, "operation", operation_name(operation->kind)) ||
        json_set_string(json, "key", operation->key) || json_set_string(json, "type", operation->type) ||
        json_set_string(json, "node", operation->node) || json_set_string(json, "reason", operation->reason) ||
        json_set(json, "depends_on", json_object_new_array()))
        return NULL;
    return STEAL(json);
}

/* Positions in an order in which each operation comes after those it waits for. */
static size_t *execution_order(const struct plan *plan)
{
    size_t *order_of = calloc(plan->count + 1, sizeof *order_of);
    AUTO_FREE size_t *waiting = calloc(plan->count + 1, sizeof *waiting);
    size_t head = 0, tail = 0;
    if (!order_of || !waiting) {
        free(order_of);
        return NULL;
    }
    for (size_t i = 0; i < plan->count; i++) {
        waiting[i] = plan->operations[i].wait_count;
        if (!waiting[i])
            order_of[tail++] = i;
    }
    for (; head < tail; head++) {
        const struct plan_operation *done = &plan->operations[order_of[head]];
        for (size_t k = 0; k < done->successor_count; k++)
            if (--waiting[done->successors[k]] == 0)
                order_of[tail++] = done->successors[k];
    }
    return order_of;
}

json_object *plan_json(const struct plan *plan)
{
    AUTO_FREE size_t *order_of = execution_order(plan);
    AUTO_FREE json_object **by_position = calloc(plan->count + 1, sizeof(json_object *));
    AUTO_JSON json_object *list = json_object_new_array();
    if (!order_of || !by_position || !list)
        return NULL;
    for (size_t i = 0; i < plan->count; i++) {
        size_t at = order_of[i];
        by_position[at] = operation_json(&plan->operations[at]);
        if (!by_position[at] || json_add(list, by_position[at]))
            return NULL;
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_operation *before = &plan->operations[order_of[i]];
        for (size_t k = 0; k < before->successor_count; k++) {
            json_object *waits_for = json_get(by_position[before->successors[k]], "depends_on");
            if (!is_in(waits_for, before->key) && json_add_string(waits_for, before->key))
                return NULL;
        }
    }
    return STEAL(list);
}
