/* provider_cases.c - what providers must do */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "sdk/check/probe.h"
#include "sdk/check/scene.h"

extern const char schema_choices[];

/* ---- instances --------------------------------------------------------------------------------------------------- */

void case_instances(struct check *check)
{
    void *first = NULL, *second = NULL, *again = NULL, *all = NULL;
    bool has_first = check_open(check, "check-instance-1", &first);
    bool has_second = has_first && check_open(check, "check-instance-2", &second);
    bool has_again = has_second && check_open(check, "check-instance-1", &again);
    if (has_first)
        check_close(check, first);
    if (has_again)
        check_close(check, again);
    if (has_second)
        check_close(check, second);
    /* For looking at all deployments. */
    if (has_again && check->plugin->ops.provider.discover && check_open(check, NULL, &all)) {
        AUTO_JSON json_object *request = check_request(check, NULL);
        AUTO_JSON json_object *answer = request ? check_ask(check, "discover", all, request) : NULL;
        if (answer && !json_get_array(answer, "resources"))
            check_fail(check, "discover", NULL, "its result has no array `resources`");
        check_close(check, all);
    }
}

/* ---- prepare ----------------------------------------------------------------------------------------------------- */

static void check_addresses(struct check *check, json_object *choices)
{
    json_object *nodes = json_get_array(check->subject->spec, "nodes"), *chosen = json_get_object(choices, "nodes");
    AUTO_JSON json_object *seen = json_object_new_object();
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *name = json_get_string(json_object_array_get_idx(nodes, i), "name");
        json_object *choice = json_get_object(chosen, name);
        const char *address = json_get_string(choice, "address");
        if (!address && json_object_object_get_ex(choice, "address", NULL))
            continue; /* it gets one when it is made */
        if (!address)
            check_fail(check, "prepare", "put it into choices.nodes.NAME.address; null when it is not known yet",
                       "node %s got no address", name);
        else if (json_get(seen, address))
            check_fail(check, "prepare", NULL, "the nodes %s and %s got the same address %s",
                       json_get_string(seen, address), name, address);
        else
            json_set_string(seen, address, name);
    }
}

/* Asked again, with what it chose before. */
static void check_kept(struct check *check, struct rehearsal *rehearsal)
{
    AUTO_JSON json_object *request = rehearsal_prepare_request(rehearsal, rehearsal->choices);
    AUTO_JSON json_object *answer = request ? check_ask(check, "prepare", rehearsal->instance, request) : NULL;
    json_object *now = json_get_object(json_get_object(answer, "choices"), "nodes");
    json_object *before = json_get_object(rehearsal->choices, "nodes");
    if (!answer || !before)
        return;
    json_object_object_foreach(before, name, choice) {
        const char *kept = json_get_string(json_get_object(now, name), "address");
        const char *had = json_get_string(choice, "address");
        if (had && (!kept || strcmp(kept, had)))
            check_fail(check, "prepare", "earlier choices stay as they are: an update must not move nodes",
                       "node %s had the address %s, and got %s when asked again", name, had, kept ? kept : "none");
    }
}

void case_prepare(struct check *check)
{
    struct rehearsal rehearsal;
    size_t count = 0;
    if (!check->plugin->ops.provider.prepare)
        check_not_applicable(check, "it has no prepare");
    else if (rehearsal_begin(&rehearsal, check, "prepare")) {
        check_addresses(check, rehearsal.choices);
        check_kept(check, &rehearsal);
        if (check->plugin->ops.provider.discover) {
            AUTO_JSON json_object *found = rehearsal_discover(&rehearsal, rehearsal.deployment, &count);
            if (found && count)
                check_fail(check, "prepare", "prepare reads only: make things in create", "it made %zu objects", count);
        }
    }
    if (check->plugin->ops.provider.prepare)
        rehearsal_end(&rehearsal);
}

/* ---- lower ------------------------------------------------------------------------------------------------------- */

static void check_nodes_lowered(struct check *check, struct rehearsal *rehearsal)
{
    json_object *nodes = json_get_array(check->subject->spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *name = json_get_string(json_object_array_get_idx(nodes, i), "name");
        size_t count = 0;
        for (size_t n = 0; n < rehearsal->count; n++)
            count += rehearsal->objects[n].is_node && rehearsal->objects[n].node &&
                     !strcmp(rehearsal->objects[n].node, name);
        if (count != 1)
            check_fail(check, "lower", "each node is one resource whose type has is_node, with `node` its name",
                       "node %s became %zu resources of a node's type", name, count);
    }
}

static void check_no_key(struct check *check, const char *slot, const char *what, json_object *document)
{
    AUTO_FREE char *text = json_text(document);
    if (text && strstr(text, "PRIVATE KEY-----"))
        check_fail(check, slot, "keep the reference, and ask host->secret at the last moment",
                   "%s hold a private key: they are recorded and shown", what);
}

void case_lower(struct check *check)
{
    struct rehearsal rehearsal;
    if (rehearsal_begin(&rehearsal, check, "lower")) {
        check_nodes_lowered(check, &rehearsal);
        check_no_key(check, "lower", "inputs", rehearsal.resources);
    }
    rehearsal_end(&rehearsal);
}

/* ---- read unknown ------------------------------------------------------------------------------------------------ */

void case_read_unknown(struct check *check)
{
    struct rehearsal rehearsal;
    struct batch_request request = { .slot = "read", .record = true };
    if (rehearsal_begin(&rehearsal, check, "unknown") && rehearsal_all(&rehearsal, &request, false))
        rehearsal_expect(&rehearsal, "read", MEMORIES_STATE_ABSENT, false);
    rehearsal_end(&rehearsal);
}

/* ---- create ------------------------------------------------------------------------------------------------------ */

/* It is what prepare chose: certificates and the other nodes' configurations have it. */
static void check_private_address(struct check *check, struct rehearsal *rehearsal, const struct object *object)
{
    json_object *choice =
        json_get_object(json_get_object(rehearsal->choices, "nodes"), object->node ? object->node : "");
    const char *chosen = json_get_string(choice, "address");
    const char *has = json_get_string(object->outputs, "private_address");
    if (!has)
        check_advise(check, "create", "other nodes find it by that address", "%s has no output private_address",
                     object->key);
    else if (chosen && strcmp(chosen, has))
        check_fail(check, "create", "answer for operations[index] with what belongs to it",
                   "%s has the private address %s, and prepare chose %s", object->key, has, chosen);
}

static void check_node_outputs(struct check *check, struct rehearsal *rehearsal)
{
    AUTO_JSON json_object *seen = json_object_new_object();
    for (size_t i = 0; i < rehearsal->count; i++) {
        const struct object *object = &rehearsal->objects[i];
        const char *id = json_get_string(object->outputs, "instance_id");
        if (!object->is_node)
            continue;
        check_private_address(check, rehearsal, object);
        if (!json_get_string(object->outputs, "address"))
            check_fail(check, "create", "put it into the outputs, at the latest when the node is ready",
                       "%s is ready and has no output address: nothing can talk to it", object->key);
        if (!id)
            check_advise(check, "create", "`memories show` prints it", "%s has no output instance_id", object->key);
        else if (json_get(seen, id))
            check_fail(check, "create", "answer for operations[index] with what belongs to it",
                       "%s and %s have the same instance_id %s", json_get_string(seen, id), object->key, id);
        else
            json_set_string(seen, id, object->key);
        check_no_key(check, "create", "outputs", object->outputs);
    }
}

void case_create(struct check *check)
{
    struct rehearsal rehearsal;
    if (rehearsal_begin(&rehearsal, check, "create") && rehearsal_create(&rehearsal) &&
        rehearsal_expect(&rehearsal, "create", MEMORIES_STATE_READY, false))
        check_node_outputs(check, &rehearsal);
    rehearsal_end(&rehearsal);
}

/* ---- create again, found again ----------------------------------------------------------------------------------- */

/* The outputs of all objects as they are, to be compared later. */
static json_object *remember(struct rehearsal *rehearsal)
{
    AUTO_JSON json_object *all = json_object_new_object();
    for (size_t i = 0; i < rehearsal->count; i++)
        if (json_set(all, rehearsal->objects[i].key, json_copy(rehearsal->objects[i].outputs)))
            return NULL;
    return STEAL(all);
}

/* What an object is; when it was learned of may differ. */
static json_object *essence(json_object *outputs)
{
    AUTO_JSON json_object *copy = json_copy(outputs);
    if (copy)
        json_object_object_del(copy, "created_ms");
    return STEAL(copy);
}

static void compare_remembered(struct rehearsal *rehearsal, json_object *before, const char *slot, const char *rule)
{
    for (size_t i = 0; i < rehearsal->count; i++) {
        const struct object *object = &rehearsal->objects[i];
        AUTO_JSON json_object *had_outputs = essence(json_get(before, object->key));
        AUTO_JSON json_object *has_outputs = essence(object->outputs);
        AUTO_FREE char *had = json_text(had_outputs);
        AUTO_FREE char *has = json_text(has_outputs);
        if (!json_equal(had_outputs, has_outputs))
            check_fail(rehearsal->check, slot, rule, "%s had the outputs %s, and then %s", object->key,
                       had ? had : "none", has ? has : "none");
    }
}

static void forget_outputs(struct rehearsal *rehearsal)
{
    for (size_t i = 0; i < rehearsal->count; i++) {
        json_object_put(rehearsal->objects[i].outputs);
        rehearsal->objects[i].outputs = NULL;
    }
}

static void count_objects(struct rehearsal *rehearsal, const char *when)
{
    size_t count = 0;
    if (!rehearsal->check->plugin->ops.provider.discover)
        return;
    AUTO_JSON json_object *found = rehearsal_discover(rehearsal, rehearsal->deployment, &count);
    if (found && count != rehearsal->count)
        check_fail(rehearsal->check, count > rehearsal->count ? "create" : "discover",
                   count > rehearsal->count ? "equal tokens must never make two objects"
                                            : "mark each object with deployment and key in the call that makes it",
                   "%zu objects are found %s, expected %zu", count, when, rehearsal->count);
}

static void create_once_more(struct rehearsal *rehearsal, json_object *before, const char *when)
{
    if (!rehearsal_create(rehearsal))
        return;
    compare_remembered(rehearsal, before, "create", "look for the token before anything is made");
    count_objects(rehearsal, when);
}

void case_create_again(struct check *check)
{
    struct rehearsal rehearsal;
    bool good = rehearsal_begin(&rehearsal, check, "again");
    rehearsal.every_twice = true;
    good = good && rehearsal_create(&rehearsal);
    AUTO_JSON json_object *before = good ? remember(&rehearsal) : NULL;
    if (before) {
        count_objects(&rehearsal, "after creating twice with the same tokens");
        create_once_more(&rehearsal, before, "after creating with the same tokens again");
        if (rehearsal_reopen(&rehearsal))
            create_once_more(&rehearsal, before, "after creating with the same tokens from another instance");
    }
    rehearsal_end(&rehearsal);
}

void case_found_again(struct check *check)
{
    struct rehearsal rehearsal;
    struct batch_request request = { .slot = "read", .record = true };
    bool good = rehearsal_begin(&rehearsal, check, "found") && rehearsal_create(&rehearsal);
    AUTO_JSON json_object *before = good ? remember(&rehearsal) : NULL;
    if (before && rehearsal_reopen(&rehearsal)) {
        forget_outputs(&rehearsal);
        if (rehearsal_all(&rehearsal, &request, false) && rehearsal_wait(&rehearsal) &&
            rehearsal_expect(&rehearsal, "read", MEMORIES_STATE_READY, false))
            compare_remembered(&rehearsal, before, "read",
                               "without outputs, look for deployment, key and token, and give the outputs");
    }
    rehearsal_end(&rehearsal);
}

/* ---- update, power ----------------------------------------------------------------------------------------------- */

void case_update(struct check *check)
{
    struct rehearsal rehearsal;
    struct batch_request request = { .slot = "update", .known = true, .record = true, .power_on = true };
    if (!check->plugin->ops.provider.update) {
        check_not_applicable(check, "it has no update");
        return;
    }
    bool good = rehearsal_begin(&rehearsal, check, "update") && rehearsal_create(&rehearsal);
    AUTO_JSON json_object *before = good ? remember(&rehearsal) : NULL;
    if (before && rehearsal_all(&rehearsal, &request, false) && rehearsal_wait(&rehearsal) &&
        rehearsal_expect(&rehearsal, "update", MEMORIES_STATE_READY, false)) {
        compare_remembered(&rehearsal, before, "update", "what can't be changed in place belongs into replace_on");
        count_objects(&rehearsal, "after an update");
    }
    rehearsal_end(&rehearsal);
}

static bool power_all(struct rehearsal *rehearsal, bool on)
{
    struct batch_request request = { .slot = "power", .known = true, .record = true, .power_on = on };
    return rehearsal_all(rehearsal, &request, !on) && rehearsal_wait(rehearsal) &&
           rehearsal_expect(rehearsal, "power", on ? MEMORIES_STATE_READY : MEMORIES_STATE_STOPPED, true);
}

static bool read_back(struct rehearsal *rehearsal, uint32_t state)
{
    struct batch_request request = { .slot = "read", .known = true, .record = true };
    return rehearsal_all(rehearsal, &request, false) && rehearsal_expect(rehearsal, "read", state, true);
}

static bool any_power(const struct rehearsal *rehearsal)
{
    for (size_t i = 0; i < rehearsal->count; i++)
        if (rehearsal->objects[i].power)
            return true;
    return false;
}

static const char *identity(const struct object *object)
{
    const char *id = json_get_string(object->outputs, "instance_id");
    return id ? id : "";
}

static void switch_and_look(struct rehearsal *rehearsal)
{
    AUTO_JSON json_object *before = remember(rehearsal);
    if (!power_all(rehearsal, false) || !power_all(rehearsal, false) || !read_back(rehearsal, MEMORIES_STATE_STOPPED) ||
        !power_all(rehearsal, true) || !power_all(rehearsal, true))
        return;
    for (size_t i = 0; i < rehearsal->count; i++) {
        const struct object *object = &rehearsal->objects[i];
        const char *had = json_get_string(json_get(before, object->key), "instance_id");
        if (had && strcmp(had, identity(object)))
            check_fail(rehearsal->check, "power", "data and identity are kept",
                       "%s was %s, and is %s after a stop and start", object->key, had, identity(object));
    }
}

/* "in create: the wanted power state" */
static void create_switched_off(struct check *check)
{
    struct rehearsal rehearsal;
    bool good = rehearsal_begin(&rehearsal, check, "off");
    rehearsal.power_on = false;
    if (good && rehearsal_create(&rehearsal))
        rehearsal_expect(&rehearsal, "create", MEMORIES_STATE_STOPPED, true);
    rehearsal_end(&rehearsal);
}

void case_power(struct check *check)
{
    struct rehearsal rehearsal;
    if (!check->plugin->ops.provider.power) {
        check_not_applicable(check, "it has no power");
        return;
    }
    bool good = rehearsal_begin(&rehearsal, check, "power"), has_power = good && any_power(&rehearsal);
    if (good && !has_power)
        check_fail(check, "power", "say \"power\": true for the resource types that can be switched",
                   "it has the slot power, and no type of its description says that it can be switched");
    if (has_power && rehearsal_create(&rehearsal))
        switch_and_look(&rehearsal);
    rehearsal_end(&rehearsal);
    if (has_power && !check->failed)
        create_switched_off(check);
}

/* ---- destroy ----------------------------------------------------------------------------------------------------- */

/* The answer of create was lost, and the deployment is given up. */
static void destroy_unrecorded(struct check *check)
{
    struct rehearsal rehearsal;
    struct batch_request unrecorded = { .slot = "destroy", .record = true };
    struct batch_request read = { .slot = "read", .record = true };
    if (rehearsal_begin(&rehearsal, check, "lost") && rehearsal_create(&rehearsal)) {
        AUTO_JSON json_object *outputs = remember(&rehearsal);
        forget_outputs(&rehearsal);
        if (rehearsal_all(&rehearsal, &unrecorded, true) && rehearsal_wait(&rehearsal) &&
            rehearsal_all(&rehearsal, &read, false) && !rehearsal_expect(&rehearsal, "destroy", MEMORIES_STATE_ABSENT, false))
            for (size_t i = 0; i < rehearsal.count; i++) /* so that the end can remove it */
                rehearsal.objects[i].outputs = json_ref(json_get(outputs, rehearsal.objects[i].key));
    }
    rehearsal_end(&rehearsal);
}

void case_destroy(struct check *check)
{
    struct rehearsal rehearsal;
    struct batch_request never = { .slot = "destroy", .record = true };
    struct batch_request again = { .slot = "destroy", .known = true, .record = true };
    struct batch_request read = { .slot = "read", .known = true, .record = true };
    if (rehearsal_begin(&rehearsal, check, "destroy") && rehearsal_all(&rehearsal, &never, true) &&
        rehearsal_expect(&rehearsal, "destroy", MEMORIES_STATE_ABSENT, false) && rehearsal_create(&rehearsal) &&
        rehearsal_destroy(&rehearsal) && rehearsal_expect(&rehearsal, "destroy", MEMORIES_STATE_ABSENT, false) &&
        rehearsal_all(&rehearsal, &read, false) && rehearsal_expect(&rehearsal, "read", MEMORIES_STATE_ABSENT, false) &&
        rehearsal_all(&rehearsal, &again, true) && rehearsal_wait(&rehearsal))
        rehearsal_expect(&rehearsal, "destroy", MEMORIES_STATE_ABSENT, false);
    rehearsal_end(&rehearsal);
    if (!check->failed)
        destroy_unrecorded(check);
}

/* ---- discover, apart --------------------------------------------------------------------------------------------- */

static void check_found(struct rehearsal *rehearsal, json_object *found)
{
    struct check *check = rehearsal->check;
    for (size_t i = 0; i < rehearsal->count; i++) {
        const struct object *object = &rehearsal->objects[i];
        json_object *resource = json_get(found, object->key);
        if (!resource)
            check_fail(check, "discover", "mark each object with deployment and key in the call that makes it",
                       "%s was made and is not found", object->key);
        else if (strcmp(json_get_string(resource, "type"), object->type))
            check_fail(check, "discover", NULL, "%s is found with the type %s, expected %s", object->key,
                       json_get_string(resource, "type"), object->type);
        else if (strcmp(json_get_string(resource, "state"), state_name(object->state)))
            check_fail(check, "discover", NULL, "%s is found as %s, and read says %s", object->key,
                       json_get_string(resource, "state"), state_name(object->state));
        else if (!json_get_object(resource, "outputs"))
            check_fail(check, "discover", "without them nobody can delete it", "%s is found without outputs",
                       object->key);
    }
}

/* Nothing of another deployment may come. */
static void check_only_own(struct rehearsal *rehearsal, size_t expected)
{
    struct check *check = rehearsal->check;
    AUTO_JSON json_object *request = check_request(check, rehearsal->deployment);
    AUTO_JSON json_object *answer = request ? check_ask(check, "discover", rehearsal->instance, request) : NULL;
    json_object *resources = json_get_array(answer, "resources");
    for (size_t i = 0; i < json_count(resources); i++) {
        const char *owner = json_get_string(json_object_array_get_idx(resources, i), "deployment");
        if (!owner || strcmp(owner, rehearsal->deployment))
            check_fail(check, "discover", NULL, "asked for %s it gave something of %s", rehearsal->deployment,
                       owner ? owner : "nobody");
    }
    if (answer && !check->failed && json_count(resources) > expected)
        check_fail(check, "discover", NULL, "it found %zu objects, expected %zu", json_count(resources), expected);
}

void case_discover(struct check *check)
{
    struct rehearsal rehearsal, other;
    size_t count = 0;
    if (!check->plugin->ops.provider.discover) {
        check_not_applicable(check, "it has no discover");
        return;
    }
    bool good = rehearsal_begin(&rehearsal, check, "discover");
    if (good)
        check_only_own(&rehearsal, 0);
    good = rehearsal_begin(&other, check, "other") && good && rehearsal_create(&rehearsal) && rehearsal_create(&other);
    AUTO_JSON json_object *found = good ? rehearsal_discover(&rehearsal, rehearsal.deployment, &count) : NULL;
    if (found) {
        check_found(&rehearsal, found);
        check_only_own(&rehearsal, rehearsal.count);
        AUTO_JSON json_object *all = rehearsal_discover(&other, NULL, &count);
        if (all && count != other.count)
            check_fail(check, "discover", "deployment null asks for the objects of all deployments",
                       "asked for all deployments it found %zu objects of one, expected %zu", count, other.count);
        if (rehearsal_destroy(&rehearsal))
            check_only_own(&rehearsal, 0);
    }
    rehearsal_end(&other);
    rehearsal_end(&rehearsal);
}

/* Whether a deployment is as it was while the other one, whose resources have the same keys, was worked on. */
static bool is_untouched(struct rehearsal *rehearsal, json_object *before, const char *meanwhile)
{
    struct batch_request read = { .slot = "read", .known = true, .record = true };
    bool good = rehearsal_all(rehearsal, &read, false);
    for (size_t i = 0; good && i < rehearsal->count; i++) {
        const struct object *object = &rehearsal->objects[i];
        AUTO_JSON json_object *had = essence(json_get(before, object->key));
        AUTO_JSON json_object *has = essence(object->outputs);
        bool is_ready = object->state == MEMORIES_STATE_READY;
        good = is_ready && json_equal(had, has);
        if (!good)
            check_fail(rehearsal->check, NULL, "resources of two deployments have equal keys: look for both, or the token",
                       "%s of one deployment is %s after %s", object->key,
                       is_ready ? "another one" : state_name(object->state), meanwhile);
    }
    return good;
}

void case_apart(struct check *check)
{
    struct rehearsal first, second;
    struct batch_request never = { .slot = "destroy", .record = true };
    bool good = rehearsal_begin(&first, check, "first");
    good = rehearsal_begin(&second, check, "second") && good && rehearsal_create(&second);
    AUTO_JSON json_object *before = good ? remember(&second) : NULL;
    if (before && rehearsal_all(&first, &never, true) &&
        is_untouched(&second, before, "another was deleted of which nothing was there") && rehearsal_create(&first) &&
        is_untouched(&second, before, "another was made") && rehearsal_destroy(&first))
        is_untouched(&second, before, "another was deleted");
    rehearsal_end(&second);
    rehearsal_end(&first);
}

/* ---- metrics ----------------------------------------------------------------------------------------------------- */

static bool is_node_name(const struct rehearsal *rehearsal, const char *name)
{
    for (size_t i = 0; name && i < rehearsal->count; i++)
        if (rehearsal->objects[i].node && !strcmp(rehearsal->objects[i].node, name))
            return true;
    return false;
}

static void check_point(struct check *check, const char *metric, json_object *point, json_object *request,
                        int64_t *last_ms)
{
    int64_t at_ms = json_get_int(point, "timestamp_ms", -1), start_ms = json_get_int(request, "start_ms", 0);
    int64_t end_ms = json_get_int(request, "end_ms", 0), period_ms = 1000 * json_get_int(request, "period_s", 1);
    json_object *value = json_get(point, "value");
    double number = value ? json_object_get_double(value) : NAN;
    if (at_ms < start_ms || at_ms >= end_ms || (at_ms - start_ms) % period_ms)
        check_fail(check, "metrics", "points stand at start_ms + k * period, before end_ms",
                   "a point of %s stands at %lld ms behind the start, with a period of %lld ms", metric,
                   (long long)(at_ms - start_ms), (long long)period_ms);
    else if (at_ms <= *last_ms)
        check_fail(check, "metrics", NULL, "the points of %s do not go on in time", metric);
    else if (!(number >= 0) || isinf(number))
        check_fail(check, "metrics", "a period without a sample has no point", "a point of %s has the value %g", metric,
                   number);
    else if (!strcmp(metric, "cpu_utilization") && number > 100)
        check_fail(check, "metrics", "per cent of the node's processors", "cpu_utilization is %g per cent", number);
    *last_ms = at_ms;
}

static void check_series(struct rehearsal *rehearsal, const char *metric, json_object *list, json_object *request)
{
    struct check *check = rehearsal->check;
    for (size_t i = 0; i < json_count(list); i++) {
        json_object *series = json_object_array_get_idx(list, i), *points = json_get_array(series, "points");
        const char *node = json_get_string(series, "node");
        int64_t last_ms = -1;
        if (!is_node_name(rehearsal, node) || !points)
            check_fail(check, "metrics", "{\"node\": NAME, \"points\": [{\"timestamp_ms\", \"value\"}]}",
                       "entry %zu of %s has no points, or is for no node of the deployment", i, metric);
        for (size_t n = 0; !check->failed && n < json_count(points); n++)
            check_point(check, metric, json_object_array_get_idx(points, n), request, &last_ms);
    }
}

void case_metrics(struct check *check)
{
    struct scene scene;
    if (!check->plugin->ops.provider.metrics) {
        check_not_applicable(check, "it has no metrics");
        return;
    }
    if (scene_begin(&scene, check, "metrics") && rehearsal_create(&scene.rehearsal)) {
        AUTO_JSON json_object *request = scene_request(&scene, "metrics");
        AUTO_JSON json_object *answer = request ? check_ask(check, "metrics", scene.rehearsal.instance, request) : NULL;
        json_object *names = json_get_array(request, "metrics"), *metrics = json_get_object(answer, "metrics");
        for (size_t i = 0; answer && i < json_count(names); i++) {
            const char *name = json_object_get_string(json_object_array_get_idx(names, i));
            json_object *list = json_get_array(metrics, name);
            if (!list)
                check_fail(check, "metrics", "give an empty list for a metric that you don't have",
                           "its result has no list metrics.%s", name);
            check_series(&scene.rehearsal, name, list, request);
        }
    }
    scene_end(&scene);
}

/* ---- logs -------------------------------------------------------------------------------------------------------- */

enum { PIECES_AFTER_END = 2 };

static json_object *ask_logs(struct check *check, struct scene *scene, const char *node, bool follow)
{
    AUTO_JSON json_object *request = scene_request(scene, "logs");
    check->streamed = 0;
    free(check->streamed_node);
    check->streamed_node = NULL;
    if (!request || json_set_string(request, "node", node) || json_set_bool(request, "follow", follow))
        return NULL;
    return check_ask(check, "logs", scene->rehearsal.instance, request);
}

static void check_logs(struct check *check, struct scene *scene, const char *node)
{
    /* All nodes, one node, with a listener who goes away, and following until it is stopped. */
    AUTO_JSON json_object *all = ask_logs(check, scene, NULL, false);
    if (check->streamed_node)
        check_fail(check, "logs", NULL, "it sent text of \"%s\", which is no node of the deployment",
                   check->streamed_node);
    json_object_put(check->stream_nodes);
    check->stream_nodes = json_object_new_object();
    json_set_bool(check->stream_nodes, node, true);
    AUTO_JSON json_object *one = all ? ask_logs(check, scene, node, false) : NULL;
    if (check->streamed_node)
        check_fail(check, "logs", NULL, "asked for node %s it sent text of \"%s\"", node, check->streamed_node);
    check->stream_end = 1;
    AUTO_JSON json_object *left = one ? ask_logs(check, scene, node, false) : NULL;
    if (check->streamed > PIECES_AFTER_END)
        check_fail(check, "logs", "return when host->stream gives non-zero",
                   "nobody listened after the first piece, and %zu more were sent", check->streamed - 1);
    check->stream_end = 0;
    probe_count_anew();
    probe.cancel = &check->cancel;
    probe.cancel_at = 2;
    AUTO_JSON json_object *followed = left ? ask_logs(check, scene, node, true) : NULL;
    (void)followed;
    probe.cancel_at = 0;
    atomic_store(&check->cancel, 0);
}

void case_logs(struct check *check)
{
    struct scene scene;
    if (!check->plugin->ops.provider.logs) {
        check_not_applicable(check, "it has no logs");
        return;
    }
    if (scene_begin(&scene, check, "logs") && rehearsal_create(&scene.rehearsal)) {
        const char *node = NULL;
        check->stream_nodes = json_object_new_object();
        for (size_t i = 0; i < scene.rehearsal.count; i++)
            if (scene.rehearsal.objects[i].node) {
                node = scene.rehearsal.objects[i].node;
                json_set_bool(check->stream_nodes, node, true);
            }
        if (node)
            check_logs(check, &scene, node);
    }
    scene_end(&scene);
}
