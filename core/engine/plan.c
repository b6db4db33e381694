/* plan.c - the difference between what is wanted and what is there, as operations in order */
#include "core/engine/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/engine/reference.h"

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

static int each_string(json_object *array, reference_fn *found, void *user_data)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < json_count(array); i++)
        failed = found(json_object_get_string(json_object_array_get_idx(array, i)), user_data);
    return failed;
}

/* All dependencies of a resource, stated and by reference; a key may come more than once. */
static int each_dependency(json_object *resource, reference_fn *found, void *user_data)
{
    int failed = each_string(json_get_array(resource, "depends_on"), found, user_data);
    return failed ? failed : reference_each(json_get(resource, "inputs"), found, user_data);
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
    if (!failed)
        text_truncate(&walk->path, length);
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
    json_object *depends_on; /* keys, of the wanted one */
    enum fate fate;
    bool repeats; /* to be created just as it was begun before: under the same token */
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

static int add_once(const char *key, void *set)
{
    return json_set(set, key, NULL);
}

/* The keys of all that a resource depends on, stated and by reference, each once; belongs to the plan. */
static json_object *dependency_keys(struct planner *planner, json_object *resource)
{
    AUTO_JSON json_object *set = json_object_new_object();
    json_object *keys = json_object_new_array();
    if (!set || json_add(planner->plan->kept, keys) || each_dependency(resource, add_once, set))
        return NULL;
    json_object_object_foreach(set, key, unused) {
        (void)unused;
        if (json_add_string(keys, key))
            return NULL;
    }
    return keys;
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

static bool is_made_anew(const struct item *item)
{
    return item && (item->fate == FATE_CREATE || item->fate == FATE_REPLACE);
}

/* What is made anew has no outputs yet. Dependencies are judged first (judge_with_dependencies), so that their fates are
 * known here. */
static json_object *outputs_of(const char *key, void *user_data)
{
    struct item *item = find_item(user_data, key);
    return item && !is_made_anew(item) ? json_get_object(item->recorded, "outputs") : NULL;
}

/* The record holds what the provider was given. An output that isn't there yet counts as a change. */
static bool input_changed(struct planner *planner, const struct item *item, const char *name)
{
    json_object *wanted = json_get(json_get_object(item->wanted, "inputs"), name);
    json_object *recorded = json_get(json_get_object(item->recorded, "inputs"), name);
    AUTO_JSON json_object *resolved = NULL;
    if (json_equal(wanted, recorded))
        return false;
    return reference_resolve(wanted, outputs_of, planner, &resolved, NULL) || !json_equal(resolved, recorded);
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
            (void)value;
            if (input_changed(planner, item, name))
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

static bool same_type(const struct item *item)
{
    return !strcmp(json_get_string(item->wanted, "type"), json_get_string(item->recorded, "type"));
}

/* One that has not been seen is begun again as it was. What is wanted otherwise by now is another one: the first, if it
 * came into being after all, must not stay behind. */
static void judge_unmade(struct planner *planner, struct item *item, const char *doubt)
{
    compare_inputs(planner, item);
    item->repeats = item->fate == FATE_KEEP && same_type(item) && (!doubt || !strcmp(doubt, "create"));
    item->fate = item->repeats || !doubt ? FATE_CREATE : FATE_REPLACE;
    item->reason = "was not finished";
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
        judge_unmade(planner, item, doubt);
    } else if (!strcmp(state, "lost")) {
        item->fate = FATE_CREATE;
        item->reason = "has disappeared";
    } else if (!strcmp(state, "broken")) {
        item->fate = FATE_REPLACE;
        item->reason = "is broken";
    } else if (!same_type(item)) {
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
    each_string(item->depends_on, judge_key, judgement);
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
    if (item->repeats)
        return (uint32_t)recorded;
    int64_t before = last > recorded ? last : recorded, floor = planner->request->generation_floor;
    return (uint32_t)((before > floor ? before : floor) + 1);
}

static int add_operation(struct planner *planner, const struct item *item, enum operation_kind kind,
                         const char *reason, uint32_t unit, size_t *position)
{
    json_object *source = kind == OPERATION_DELETE ? item->recorded : item->wanted;
    bool writes = kind == OPERATION_CREATE || kind == OPERATION_UPDATE;
    bool new_life = kind == OPERATION_CREATE && !item->repeats;
    const char *state = json_get_string(item->recorded, "state");
    struct plan_operation operation = {
        .kind = kind,
        .key = item->key,
        .type = json_get_string(source, "type"),
        .node = json_get_string(source, "node"),
        .reason = reason,
        .inputs = writes ? json_get(item->wanted, "inputs") : NULL,
        .depends_on_keys = writes ? item->depends_on : NULL,
        .outputs = kind == OPERATION_CREATE ? NULL : json_get(item->recorded, "outputs"),
        .made_of = kind == OPERATION_DELETE ? json_get(item->recorded, "inputs") : NULL,
        .token = new_life ? NULL : json_get_string(item->recorded, "token"),
        .generation = kind == OPERATION_CREATE ? next_generation(planner, item)
                                               : (uint32_t)json_get_int(item->recorded, "generation", 1),
        .remakes = kind == OPERATION_CREATE && state && strcmp(state, "planned"),
        .unit = unit,
    };
    if (!reason)
        return error_no_memory(planner->error);
    *position = planner->plan->count++;
    planner->plan->operations[*position] = operation;
    return 0;
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

static int add_power(struct planner *planner, struct item *item)
{
    const char *state = json_get_string(item->recorded, "state");
    if (!state || !json_get_bool(type_of(planner, item->wanted), "power", false))
        return 0;
    if (planner->request->stopped && !strcmp(state, "ready"))
        return add_operation(planner, item, OPERATION_STOP, "is to be stopped", 0, &item->power);
    if (!planner->request->stopped && !strcmp(state, "stopped"))
        return add_operation(planner, item, OPERATION_START, "is to run", 0, &item->power);
    return 0;
}

static int add_operations(struct planner *planner, struct item *item)
{
    item->remove = item->create = item->update = item->power = NO_OPERATION;
    if (!item->wanted)
        return add_operation(planner, item, OPERATION_DELETE, "is not wanted any more", 0, &item->remove);
    uint32_t unit = item->fate == FATE_REPLACE || item->fate == FATE_UPDATE ? unit_of(planner, item) : 0;
    int failed = 0;
    if (item->fate == FATE_REPLACE)
        failed = add_operation(planner, item, OPERATION_DELETE, item->reason, unit, &item->remove);
    if (!failed && is_made_anew(item))
        failed = add_operation(planner, item, OPERATION_CREATE, item->reason, unit, &item->create);
    if (item->fate == FATE_UPDATE)
        failed = add_operation(planner, item, OPERATION_UPDATE, item->reason, unit, &item->update);
    if (!failed && !is_made_anew(item))
        failed = add_power(planner, item);
    return failed;
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

/* `item` needs `key`: it is made, changed and started after it, and stopped before it. */
static int order_after(const char *key, void *user_data)
{
    struct edge_search *search = user_data;
    struct planner *planner = search->planner;
    const struct item *item = search->item, *needed = find_item(planner, key);
    if (!needed)
        return 0;
    const bool stopping = planner->request->stopped;
    const size_t before[] = { needed->create, needed->update, stopping ? NO_OPERATION : needed->power };
    const size_t after[] = { item->create, item->update, stopping ? NO_OPERATION : item->power };
    for (size_t i = 0; i < ARRAY_COUNT(before); i++)
        for (size_t k = 0; k < ARRAY_COUNT(after); k++)
            if (add_edge(planner, before[i], after[k]))
                return MEMORIES_NO_MEMORY;
    return stopping ? add_edge(planner, item->power, needed->power) : 0;
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
    if (!failed)
        failed = each_string(item->depends_on, order_after, &search);
    if (!failed)
        failed = each_string(json_get_array(item->recorded, "depends_on"), order_removal, &search);
    return failed;
}

/* Positions in an order in which each operation comes after those it waits for; *ordered: how many could be ordered. */
static size_t *execution_order(const struct plan *plan, size_t *ordered)
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
    *ordered = tail;
    return order_of;
}

/* A wanted graph has no circles, but the way to it from what is there may: a resource must go before another is made anew,
 * and can go only after a third was changed, which needs the second. */
static int check_order(const struct plan *plan, memories_error **error)
{
    size_t ordered;
    AUTO_FREE size_t *order_of = execution_order(plan, &ordered);
    if (!order_of)
        return error_no_memory(error);
    if (ordered == plan->count)
        return 0;
    AUTO_FREE bool *can_run = calloc(plan->count, sizeof *can_run);
    if (!can_run)
        return error_no_memory(error);
    for (size_t i = 0; i < ordered; i++)
        can_run[order_of[i]] = true;
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < plan->count; i++)
        if (!can_run[i])
            text_printf(&text, "%s%s %s", text.length ? ", " : "", operation_name(plan->operations[i].kind),
                        plan->operations[i].key);
    AUTO_FREE char *listed = text_take(&text);
    error_set(error, MEMORIES_UNSUPPORTED, "these changes wait for each other: %s", listed ? listed : "");
    error_hint(error, "make them in two steps: first without the new dependency, then with it");
    return MEMORIES_UNSUPPORTED;
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
    if (wanted) {
        item->wanted = resource;
        item->depends_on = dependency_keys(planner, resource);
    } else {
        item->recorded = resource;
    }
    if ((wanted && !item->depends_on) || json_add(planner->plan->kept, json_ref(resource)))
        return error_no_memory(planner->error);
    return 0;
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
    for (size_t i = 0; !failed && i < planner->count; i++)
        failed = add_operations(planner, &planner->items[i]);
    for (size_t i = 0; !failed && i < planner->count; i++)
        failed = order(planner, &planner->items[i]);
    return failed ? failed : check_order(planner->plan, planner->error);
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

json_object *plan_json(const struct plan *plan)
{
    size_t ordered;
    AUTO_FREE size_t *order_of = execution_order(plan, &ordered);
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
