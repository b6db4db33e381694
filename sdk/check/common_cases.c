/* common_cases.c - what providers and topologies must do alike */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/loader/slot.h"
#include "sdk/check/probe.h"
#include "sdk/check/purity.h"
#include "sdk/check/rehearsal.h"
#include "sdk/check/scene.h"

extern const char schema_config[];

/* ---- describe ---------------------------------------------------------------------------------------------------- */

static json_object *describe(struct check *check)
{
    memories_error *error = NULL;
    json_object *description = NULL;
    if (!call_describe(check->plugin, &description, &error))
        return description;
    check_fail_error(check, "describe", error);
    return NULL;
}

static void check_properties(struct check *check, json_object *properties)
{
    if (!properties)
        return;
    json_object_object_foreach(properties, name, property)
        if (!json_get(property, "description") && !json_get(property, "title") && !json_get(property, "$ref"))
            check_advise(check, "describe", "say what the key is for: messages and editors show it",
                         "the configuration key %s has no description", name);
}

/* Whether a value can be of both types, each a name or an array of names; NULL: any. */
static bool types_meet(json_object *one, json_object *other)
{
    if (!one || !other)
        return true;
    if (json_object_is_type(one, json_type_array)) {
        for (size_t i = 0; i < json_count(one); i++)
            if (types_meet(json_object_array_get_idx(one, i), other))
                return true;
        return false;
    }
    if (json_object_is_type(other, json_type_array))
        return types_meet(other, one);
    const char *a = json_object_get_string(one), *b = json_object_get_string(other);
    return !strcmp(a, b) || (!strcmp(a, "integer") && !strcmp(b, "number")) ||
           (!strcmp(a, "number") && !strcmp(b, "integer"));
}

/* Keys of the core can be narrowed, not made into something else: no value would fit. */
static void check_narrowed(struct check *check, json_object *properties)
{
    AUTO_JSON json_object *core = json_parse(schema_config, "the schema of configurations", NULL);
    if (!properties || !core)
        return;
    json_object_object_foreach(properties, name, property) {
        json_object *known = json_get(json_get(core, "properties"), name);
        const char *reference = json_get_string(known, "$ref"), *slash = reference ? strrchr(reference, '/') : NULL;
        if (slash)
            known = json_get(json_get(core, "$defs"), slash + 1);
        json_object *wanted = json_get(property, "type"), *is = json_get(known, "type");
        if (!types_meet(wanted, is))
            check_fail(check, "describe", "call it otherwise, or narrow what the core takes",
                       "the configuration key %s is the core's, of type %s: with type %s no value fits", name,
                       json_object_to_json_string(is), json_object_to_json_string(wanted));
    }
}

void case_describe(struct check *check)
{
    AUTO_JSON json_object *again = describe(check);
    if (again && !json_equal(again, check->plugin->description))
        check_fail(check, "describe", "make it depend on nothing", "it gave another description the second time");
    /* The other half of a pair, which adds nothing. */
    static const char nothing[] = "{\"version\": 1, \"resource_types\": {\"none.none\": {}}}";
    memories_error *error = NULL;
    AUTO_JSON json_object *other = json_parse(nothing, "a description", &error);
    bool provider = check->plugin->kind == MEMORIES_PLUGIN_PROVIDER;
    AUTO_JSON json_object *joined = other ? config_schema_combine(provider ? other : check->plugin->description,
                                                                  provider ? check->plugin->description : other, &error)
                                          : NULL;
    struct schema *schema = joined ? schema_compile(joined, "the configuration's schema", &error) : NULL;
    if (!schema)
        check_fail_error(check, "describe", error);
    schema_free(schema);
    check_narrowed(check, json_get_object(json_get_object(check->plugin->description, "schema"), "properties"));
    check_properties(check, json_get_object(json_get_object(check->plugin->description, "schema"), "properties"));
    if (!json_get_string(check->plugin->description, "summary"))
        check_advise(check, "describe", "one line, for `memories plugins`", "the description has no summary");
}

/* ---- versions, bad requests -------------------------------------------------------------------------------------- */

typedef void slot_visitor(struct check *check, struct scene *scene, const struct check_document_slot *slot);

/* Each slot that takes a document and that this plugin has. */
static void for_each_slot(struct check *check, struct scene *scene, slot_visitor *visit)
{
    for (size_t i = 0; i < check_document_slot_count; i++) {
        const struct check_document_slot *slot = &check_document_slots[i];
        if (slot->kind == check->plugin->kind && slot_is_filled(check->plugin, slot_find(slot->kind, slot->name)))
            visit(check, scene, slot);
    }
}

static void refuse_version(struct check *check, struct scene *scene, const struct check_document_slot *slot)
{
    AUTO_JSON json_object *right = scene_request(scene, slot->name);
    AUTO_JSON json_object *request = right ? json_copy(right) : NULL;
    AUTO_ERROR memories_error *error = NULL;
    if (!request || json_set_int(request, "version", 99))
        return;
    AUTO_JSON json_object *result = check_call(check, slot, scene->rehearsal.instance, request, &error);
    if (result)
        check_fail(check, slot->name,
                   "look at `version` first, and fail with MEMORIES_UNSUPPORTED when it is higher than 1",
                   "it took a request of version 99 as if it were of version 1");
    else if (memories_error_code(error) != MEMORIES_UNSUPPORTED)
        check_fail(check, slot->name, "fail with MEMORIES_UNSUPPORTED",
                   "it refused a request of version 99 with the code %s: %s",
                   memories_code_name(memories_error_code(error)), memories_error_message(error));
    else
        check_told_error(check, slot->name, error);
}

void case_versions(struct check *check)
{
    struct scene scene;
    if (scene_begin(&scene, check, "versions"))
        for_each_slot(check, &scene, refuse_version);
    scene_end(&scene);
}

static void send_bad(struct check *check, struct scene *scene, const struct check_document_slot *slot, json_object *bad)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *result = check_call(check, slot, scene->rehearsal.instance, bad, &error);
    if (memories_error_code(error) == MEMORIES_INTERNAL && strstr(memories_error_message(error), "is defective"))
        check_fail(check, slot->name, NULL, "%s", memories_error_message(error));
    else if (error)
        check_told_error(check, slot->name, error);
}

/* Nobody sends such requests; but a defect elsewhere must not become a crash here. */
static void send_bad_ones(struct check *check, struct scene *scene, const struct check_document_slot *slot)
{
    AUTO_JSON json_object *right = scene_request(scene, slot->name);
    AUTO_JSON json_object *empty = json_object_new_object();
    AUTO_JSON json_object *text = json_object_new_string("not an object");
    if (!right || !empty || !text)
        return;
    send_bad(check, scene, slot, empty);
    send_bad(check, scene, slot, text);
    json_object_object_foreach(right, key, value) {
        (void)value;
        AUTO_JSON json_object *without = json_copy(right);
        AUTO_JSON json_object *other_type = json_copy(right);
        json_object_object_del(without, key);
        send_bad(check, scene, slot, without);
        if (!json_set_int(other_type, key, 0))
            send_bad(check, scene, slot, other_type);
    }
}

void case_bad_requests(struct check *check)
{
    struct scene scene;
    if (scene_begin(&scene, check, "bad"))
        for_each_slot(check, &scene, send_bad_ones);
    scene_end(&scene);
}

/* ---- old core ---------------------------------------------------------------------------------------------------- */

void setup_old_core(void)
{
    probe.old_core = true;
}

static void ask_once(struct check *check, struct scene *scene, const struct check_document_slot *slot)
{
    AUTO_JSON json_object *request = scene_request(scene, slot->name);
    AUTO_JSON json_object *result = request ? check_ask(check, slot->name, scene->rehearsal.instance, request) : NULL;
    (void)result;
}

static void ask_all(struct check *check, struct scene *scene)
{
    for_each_slot(check, scene, ask_once);
}

/* A life on a core with plugin ABI 1.0; what it reads behind the end of that core's host table is a fault. */
void case_old_core(struct check *check)
{
    struct scene scene;
    probe.http = PROBE_HTTP_UNREACHABLE;
    if (scene_begin(&scene, check, "old"))
        scene_live(&scene, ask_all);
    scene_end(&scene);
}

/* ---- borrowed ---------------------------------------------------------------------------------------------------- */

/* A life in which everything that a call is given disappears when it is over. Twice, as what was kept is used later. */
void case_borrowed(struct check *check)
{
    struct scene scene;
    probe.lend = true;
    probe.http = check->plugin->kind == MEMORIES_PLUGIN_TOPOLOGY ? PROBE_HTTP_RUBBISH : PROBE_HTTP_REAL;
    for (int i = 0; i < 2; i++) {
        if (scene_begin(&scene, check, "borrowed"))
            scene_live(&scene, ask_all);
        scene_end(&scene);
    }
}

/* ---- pure -------------------------------------------------------------------------------------------------------- */

/* What pure slots say: {"describe": …, "lower": …}. NULL after a report. */
static json_object *ask_pure(struct check *check, struct scene *scene)
{
    AUTO_JSON json_object *answers = json_object_new_object();
    AUTO_JSON json_object *description = describe(check);
    if (!description || json_set(answers, "describe", STEAL(description)))
        return NULL;
    for (size_t i = 0; i < check_document_slot_count; i++) {
        const struct check_document_slot *slot = &check_document_slots[i];
        if (!slot->pure || slot->kind != check->plugin->kind)
            continue;
        AUTO_JSON json_object *request = scene_request(scene, slot->name);
        AUTO_JSON json_object *answer =
            request ? check_ask(check, slot->name, scene->rehearsal.instance, request) : NULL;
        if (!answer || json_set(answers, slot->name, STEAL(answer)))
            return NULL;
    }
    return STEAL(answers);
}

static void compare_answers(struct check *check, json_object *first, json_object *later, const char *when)
{
    if (!first || !later)
        return;
    json_object_object_foreach(first, slot, answer)
        if (!json_equal(answer, json_get(later, slot)))
            check_fail(check, slot, "make it depend on its request alone; what must differ belongs into prepare",
                       "the same request got another answer %s", when);
}

static void change_the_world(void)
{
    setenv("TZ", "Asia/Kathmandu", 1);
    setenv("HOME", "/nonexistent", 1);
    setenv("LANG", "tr_TR.UTF-8", 1);
    setenv("USER", "somebody-else", 1);
    if (chdir("/"))
        return; /* then we are somewhere else by that alone */
    purity_shift_clock(400 * 86400L + 12345);
}

void case_pure(struct check *check)
{
    struct scene scene;
    if (!scene_begin(&scene, check, "pure")) {
        scene_end(&scene);
        return;
    }
    probe_count_anew();
    AUTO_JSON json_object *first = ask_pure(check, &scene);
    if (probe_counts().clock_reads)
        check_fail(check, NULL, "leave the time to prepare and create", "a pure slot asked the host for the time");
    if (probe_counts().http_requests)
        check_fail(check, NULL, "ask in prepare, and remember in the choices", "a pure slot sent HTTP requests");
    AUTO_JSON json_object *again = ask_pure(check, &scene);
    compare_answers(check, first, again, "the second time");
    AUTO_JSON json_object *interleaved = scene_ask_something_else(&scene) ? ask_pure(check, &scene) : NULL;
    compare_answers(check, first, interleaved, "after another request");
    change_the_world();
    AUTO_JSON json_object *elsewhere = ask_pure(check, &scene);
    compare_answers(check, first, elsewhere, "at another time, in another directory and with another environment");
    purity_shift_clock(0);
    scene_end(&scene); /* before the kernel is asked to refuse: it may need the outside */
    if (check->failed || !scene_begin_again(&scene, check))
        return;
    if (purity_forbid_calls())
        check_advise(check, NULL, NULL, "this kernel can't watch system calls: whether files are read is not known");
    else
        json_object_put(ask_pure(check, &scene));
}

/* ---- no memory --------------------------------------------------------------------------------------------------- */

enum { ALLOCATIONS_MAX = 64 };

/* One slot, with its nth allocation failing for each n. It must either say that there is no memory or answer as always.
 */
static void starve(struct check *check, struct scene *scene, const struct check_document_slot *slot)
{
    AUTO_JSON json_object *request = scene_request(scene, slot->name);
    AUTO_ERROR memories_error *refusal = NULL;
    AUTO_JSON json_object *right =
        request ? check_call(check, slot, scene->rehearsal.instance, request, &refusal) : NULL;
    int refused = slot->may_refuse ? memories_error_code(refusal) : MEMORIES_OK;
    bool reached = right || refused;
    if (!reached && request)
        check_judge_error(check, slot->name, STEAL(refusal));
    for (size_t n = 1; reached && !check->failed && n <= ALLOCATIONS_MAX; n++) {
        AUTO_ERROR memories_error *error = NULL;
        probe.fail_allocation = n;
        AUTO_JSON json_object *result = check_call(check, slot, scene->rehearsal.instance, request, &error);
        reached = probe_counts().allocations >= n;
        probe.fail_allocation = 0;
        if (error && memories_error_code(error) != MEMORIES_NO_MEMORY && memories_error_code(error) != refused)
            check_fail(check, slot->name, "fail with MEMORIES_NO_MEMORY when host->allocate gives NULL",
                       "with allocation %zu failing it failed with %s: %s", n,
                       memories_code_name(memories_error_code(error)), memories_error_message(error));
        else if (result && slot->pure && !json_equal(result, right))
            check_fail(check, slot->name, "look at every result of host->allocate",
                       "with allocation %zu failing it gave another answer than with memory", n);
    }
}

void case_no_memory(struct check *check)
{
    struct scene scene;
    probe.http = check->plugin->kind == MEMORIES_PLUGIN_TOPOLOGY ? PROBE_HTTP_RUBBISH : PROBE_HTTP_REAL;
    if (scene_begin(&scene, check, "memory") && scene_starve_life(&scene))
        for_each_slot(check, &scene, starve);
    scene_end(&scene);
}

/* ---- cancel ------------------------------------------------------------------------------------------------------ */

static void cancel_slot(struct check *check, struct scene *scene, const struct check_document_slot *slot)
{
    AUTO_JSON json_object *request = scene_request(scene, slot->name);
    for (size_t question = 1; request && question <= 2; question++) {
        AUTO_ERROR memories_error *error = NULL;
        atomic_store(&check->cancel, question == 1);
        probe.cancel_at = question;
        probe_count_anew();
        AUTO_JSON json_object *result = check_call(check, slot, scene->rehearsal.instance, request, &error);
        atomic_store(&check->cancel, 0);
        probe.cancel_at = 0;
        if (error && memories_error_code(error) != MEMORIES_CANCELLED && !slot->may_refuse)
            check_fail(check, slot->name, "return MEMORIES_CANCELLED, or what was asked for",
                       "asked to stop, it failed with %s: %s", memories_code_name(memories_error_code(error)),
                       memories_error_message(error));
        AUTO_JSON json_object *after = check_ask(check, slot->name, scene->rehearsal.instance, request);
        (void)after;
        (void)result;
    }
}

void case_cancel(struct check *check)
{
    struct scene scene;
    probe.http = check->plugin->kind == MEMORIES_PLUGIN_TOPOLOGY ? PROBE_HTTP_UNREACHABLE : PROBE_HTTP_REAL;
    if (scene_begin(&scene, check, "cancel") && scene_cancel_life(&scene))
        for_each_slot(check, &scene, cancel_slot);
    scene_end(&scene);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

enum { THREADS = 4 };

/* One thread's work: the same pure questions as before, with what it must hear. */
struct thread_work {
    pthread_t thread;
    struct check check; /* its own: findings may come at the same time */
    struct scene scene;
    json_object *right;
};

static void *work_in_thread(void *argument)
{
    struct thread_work *work = argument;
    for (int i = 0; i < 8 && !work->check.failed; i++) {
        AUTO_JSON json_object *answers = ask_pure(&work->check, &work->scene);
        compare_answers(&work->check, work->right, answers, "while other threads asked other things");
    }
    if (!work->check.failed)
        scene_live(&work->scene, NULL);
    return NULL;
}

static bool prepare_work(struct check *check, struct thread_work *work, size_t number)
{
    char name[32];
    snprintf(name, sizeof name, "thread%zu", number);
    work->check = *check;
    work->check.environment.user_data = &work->check;
    work->check.subject = scene_other_subject(check, (unsigned)number);
    bool good = work->check.subject && scene_begin(&work->scene, &work->check, name);
    work->right = good ? ask_pure(&work->check, &work->scene) : NULL;
    return work->right != NULL;
}

static void ask_from_many(struct check *check)
{
    static struct thread_work works[THREADS];
    size_t count = 0;
    while (count < THREADS && prepare_work(check, &works[count], count))
        count++;
    probe.meet = (unsigned)count;
    for (size_t i = 0; count == THREADS && i < count; i++)
        pthread_create(&works[i].thread, NULL, work_in_thread, &works[i]);
    for (size_t i = 0; i < THREADS; i++) {
        if (count == THREADS)
            pthread_join(works[i].thread, NULL);
        check->failed |= works[i].check.failed;
    }
    probe.meet = 0;
    for (size_t i = 0; i < THREADS; i++) {
        json_object_put(works[i].right);
        if (works[i].scene.check)
            scene_end(&works[i].scene);
    }
}

/* Each call from another thread; and, when it is declared so, many at once. */
void case_threads(struct check *check)
{
    struct scene scene;
    probe.http = check->plugin->kind == MEMORIES_PLUGIN_TOPOLOGY ? PROBE_HTTP_UNREACHABLE : PROBE_HTTP_REAL;
    probe.new_thread = true;
    if (scene_begin(&scene, check, "threads"))
        scene_live(&scene, ask_all);
    scene_end(&scene);
    probe.new_thread = false;
    if (check->plugin->thread_model == MEMORIES_THREADS_CONCURRENT && !check->failed)
        ask_from_many(check);
}
