/*
 * test_engine.c - core/engine/engine.c on a fake cloud: batches, order, polling, retries, failures, turns, and that a
 * death at any commit leaves neither orphans nor doubles
 *
 * Linked with the crash-point build of core/store/database.c.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/engine/engine.h"
#include "tests/unit/fake_cloud.h"

#define ID "test-fake-20260225-123456"

static char directory[512];
static struct store *store;
static struct lease *lease;
static atomic_int cancel;
static struct call_environment environment = { .deployment = ID, .cancel = &cancel };
static struct engine engine;
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned events[16]; /* by kind */
static uint32_t last_done, last_total;
static char last_progress[64];

static void on_event(const struct engine_event *event, void *user_data)
{
    (void)user_data;
    pthread_mutex_lock(&events_lock);
    events[event->kind]++;
    if (event->kind == MEMORIES_EVENT_DONE) {
        last_done = event->done;
        last_total = event->total;
    }
    if (event->kind == MEMORIES_EVENT_PROGRESS)
        snprintf(last_progress, sizeof last_progress, "%s %s %s", event->operation,
                 event->key ? event->key : "-", event->text);
    pthread_mutex_unlock(&events_lock);
}

/* ---- Set-up ---- */

static void ok(int failed, memories_error *error)
{
    AUTO_FREE char *text = memories_error_text(error);
    ck_assert_msg(!failed, "%s", text);
}

static void open_engine(void)
{
    memories_error *error = NULL;
    store = store_open(directory, &error);
    ok(!store, error);
    int failed = store_lease_take(store, ID, 60000, &lease, &error);
    ok(failed, error);
    engine.store = store;
    engine.fence = lease->fence;
}

/* In memory where that is possible: the deaths below commit some ten thousand times. */
static const char *base_directory(void)
{
    const char *given = getenv("TMPDIR");
    return given ? given : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

static void setup(void)
{
    snprintf(directory, sizeof directory, "%s/memories-engine-XXXXXX", base_directory());
    ck_assert_ptr_nonnull(mkdtemp(directory));
    cloud_open();
    memories_error *error = NULL;
    store = store_open(directory, &error);
    ok(!store, error);
    AUTO_JSON json_object *record =
        json_parse("{\"id\":\"" ID "\",\"topology\":\"test\",\"provider\":\"fake\",\"status\":\"deploying\","
                   "\"goal\":\"running\",\"created_at_ms\":1,\"updated_at_ms\":1,\"generation\":1}",
                   "record", NULL);
    int failed = store_deployment_insert(store, record, &error);
    ok(failed, error);
    store_close(store);
    engine = (struct engine){ .deployment = ID,
                              .provider = cloud_plugin(0, 30, MEMORIES_THREADS_CONCURRENT),
                              .environment = &environment,
                              .on_event = on_event };
    open_engine();
}

static void teardown(void)
{
    if (lease)
        store_lease_release(store, lease);
    lease = NULL;
    store_close(store);
    cloud_plugin_free((struct plugin *)engine.provider);
    directory_remove(directory, NULL);
    cloud_close();
}

static void use_plugin(int batch_max, int timeout_s)
{
    cloud_plugin_free((struct plugin *)engine.provider);
    engine.provider = cloud_plugin(batch_max, timeout_s, MEMORIES_THREADS_CONCURRENT);
}

/* What is wanted: a network, a firewall on it, and nodes node/0, node/1, … in it. */
struct wish {
    const char *cidr;
    const char *label;
    int size;
    int nodes;
};

static json_object *wanted(struct wish wish)
{
    struct text text = TEXT_INIT;
    text_append(&text, "[");
    for (int i = 0; i < wish.nodes; i++)
        text_printf(&text,
                    "{\"key\":\"node/%d\",\"type\":\"t.node\",\"node\":\"node%d\",\"depends_on\":[\"fw\"],"
                    "\"inputs\":{\"network\":{\"$output\":[\"net\",\"id\"]},\"size\":%d}},",
                    i, i, wish.size);
    text_printf(&text,
                "{\"key\":\"fw\",\"type\":\"t.fw\",\"inputs\":{\"network\":{\"$output\":[\"net\",\"id\"]},"
                "\"revision\":{\"$output\":[\"net\",\"revision\"]},\"nothing\":{\"$output\":[\"net\",\"nothing\"]}}},"
                "{\"key\":\"net\",\"type\":\"t.net\",\"inputs\":{\"cidr\":\"%s\",\"label\":\"%s\"}}]",
                wish.cidr, wish.label);
    AUTO_FREE char *json = text_take(&text);
    return json_parse(json, "wish", NULL);
}

static const struct wish three = { "10.0.0.0/16", "a", 1, 3 };

static int run_wish(const struct wish *wish, bool stopped, memories_error **error)
{
    AUTO_JSON json_object *desired = wish ? wanted(*wish) : NULL;
    cloud->log[0] = cloud->tokens[0] = '\0';
    memset(events, 0, sizeof events);
    return engine_run(&engine, desired, stopped, error);
}

static void run(const struct wish *wish, bool stopped)
{
    memories_error *error = NULL;
    int failed = run_wish(wish, stopped, &error);
    ok(failed, error);
}

/* ---- What must be true ---- */

/* Exactly the wanted objects, once, as wanted, and on record so. */
static void expect_world(const struct wish *wish, bool stopped)
{
    size_t expected = wish ? (size_t)wish->nodes + 2 : 0;
    ck_assert_uint_eq(cloud_count(), expected);
    ck_assert_int_eq(cloud->doubles, 0);
    AUTO_JSON json_object *recorded = store_resource_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(recorded), expected);
    for (size_t i = 0; i < json_count(recorded); i++) {
        json_object *resource = json_object_array_get_idx(recorded, i);
        const struct cloud_object *object = cloud_find(json_get_string(resource, "key"));
        ck_assert_ptr_nonnull(object);
        bool node = !strcmp(object->type, "t.node");
        ck_assert_str_eq(json_get_string(json_get(resource, "outputs"), "id"), object->id);
        ck_assert_str_eq(json_get_string(resource, "state"), node && stopped ? "stopped" : "ready");
        ck_assert_uint_eq(object->state, node && stopped ? MEMORIES_STATE_STOPPED : MEMORIES_STATE_READY);
        ck_assert_ptr_null(json_get_string(resource, "doubt"));
        if (node)
            ck_assert_int_eq(object->size, wish->size);
        if (*object->network)
            ck_assert_str_eq(object->network, cloud_find("net")->id);
    }
}

static size_t occurrences(const char *what)
{
    size_t count = 0;
    for (const char *at = cloud->log; (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

static const char *recorded_state(const char *key)
{
    static char state[16];
    AUTO_JSON json_object *recorded = store_resource_list(store, ID, NULL);
    snprintf(state, sizeof state, "none");
    for (size_t i = 0; i < json_count(recorded); i++) {
        json_object *resource = json_object_array_get_idx(recorded, i);
        if (!strcmp(json_get_string(resource, "key"), key))
            snprintf(state, sizeof state, "%s", json_get_string(resource, "state"));
    }
    return state;
}

/* ---- One run after another ---- */

START_TEST(a_life_in_batches)
{
    struct wish wish = three;
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_str_eq(cloud->log, "create t.net 1; create t.fw 1; create t.node 3; ");
    ck_assert_uint_eq(events[MEMORIES_EVENT_STARTED], 5);
    ck_assert_uint_eq(events[MEMORIES_EVENT_DONE], 5);
    ck_assert_uint_eq(last_done, 5);
    ck_assert_uint_eq(last_total, 5);
    ck_assert_str_eq(last_progress, "create node/2 at work");

    run(&wish, false);
    ck_assert_uint_eq(occurrences("read"), 3);
    ck_assert_uint_eq(strlen(cloud->log), strlen("read t.net 1; read t.fw 1; read t.node 3; "));

    wish.size = 2;
    wish.nodes = 5;
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_uint_eq(occurrences("update t.node 3; "), 1);
    ck_assert_uint_eq(occurrences("create t.node 2; "), 1);

    run(&wish, true);
    expect_world(&wish, true);
    ck_assert_uint_eq(occurrences("power t.node 5; "), 1);

    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_uint_eq(occurrences("power t.node 5; "), 1);

    wish.nodes = 1;
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_uint_eq(occurrences("destroy t.node 4; "), 1);

    run(NULL, false);
    expect_world(NULL, false);
    ck_assert_ptr_nonnull(strstr(cloud->log, "destroy t.node 1; destroy t.fw 1; destroy t.net 1; "));
}
END_TEST

START_TEST(calls_grow_with_kinds_not_with_nodes)
{
    struct wish wish = three;
    cloud->polls = 3;
    for (int nodes = 3; nodes <= 100; nodes += 97) {
        wish.nodes = nodes;
        run(&wish, false);
        expect_world(&wish, false);
        size_t calls = occurrences("; ");
        ck_assert_uint_eq(calls, 3 + 3 * 3); /* one create and three looks for each type */
        run(NULL, false);
        expect_world(NULL, false);
        ck_assert_uint_eq(occurrences("; "), 6); /* a look and a deletion */
    }
}
END_TEST

START_TEST(batches_have_the_providers_limit)
{
    struct wish wish = three;
    wish.nodes = 10;
    use_plugin(4, 30);
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_uint_eq(occurrences("create t.node 4; "), 2);
    ck_assert_uint_eq(occurrences("create t.node 2; "), 1);
}
END_TEST

START_TEST(equals_are_made_in_the_order_of_the_list)
{
    struct wish wish = three;
    wish.nodes = 20;
    run(&wish, false);
    const char *at = cloud->tokens;
    for (int i = 0; i < 20; i++) {
        AUTO_FREE char *key = text_format("node/%d#", i);
        ck_assert_ptr_nonnull(at = strstr(at, key));
    }
}
END_TEST

START_TEST(what_is_replaced_takes_along_what_hangs_on_it)
{
    struct wish wish = three;
    run(&wish, false);
    wish.cidr = "10.1.0.0/16";
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_ptr_nonnull(strstr(cloud->log, "destroy t.node 3; "));
    ck_assert_ptr_nonnull(strstr(cloud->log, "destroy t.net 1; create t.net 1; "));
    ck_assert_uint_eq(occurrences("update t.fw 1; "), 1);
}
END_TEST

/* The label changes in place; the network's revision, which the firewall takes, is another one then. */
START_TEST(an_output_that_changes_is_passed_on)
{
    struct wish wish = three;
    run(&wish, false);
    wish.label = "b";
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_uint_eq(occurrences("update t.net 1; "), 1);
    ck_assert_uint_eq(occurrences("update t.fw 1; "), 1);
    ck_assert_ptr_nonnull(strstr(cloud_find("fw")->inputs, "\"revision\":1"));
    ck_assert_ptr_nonnull(strstr(cloud_find("fw")->inputs, "\"nothing\":null"));
}
END_TEST

START_TEST(what_disappeared_or_broke_is_made_anew)
{
    run(&three, false);
    AUTO_FREE char *before = strdup(cloud_find("node/1")->token);
    cloud_find("node/1")->there = false;
    cloud_find("node/2")->state = MEMORIES_STATE_BROKEN;
    run(&three, false);
    expect_world(&three, false);
    ck_assert_uint_eq(occurrences("destroy t.node 1; "), 1);
    ck_assert_str_ne(cloud_find("node/1")->token, before); /* an old token might give the old object */
}
END_TEST

START_TEST(what_disappeared_and_is_not_wanted_is_forgotten)
{
    run(&three, false);
    cloud_find("node/1")->there = false;
    run(NULL, false);
    expect_world(NULL, false);
}
END_TEST

START_TEST(made_while_all_is_stopped_it_is_made_switched_off)
{
    run(&three, true);
    expect_world(&three, true);
    ck_assert_uint_eq(occurrences("power"), 0);
}
END_TEST

/* ---- Polling ---- */

static void cancel_at_read(const char *slot, const char *key)
{
    (void)key;
    cancel = !strcmp(slot, "read");
}

START_TEST(what_takes_too_long_fails_and_is_found_later)
{
    use_plugin(0, 1);
    run(&(struct wish){ "x", "a", 1, 0 }, false);
    cloud->polls = 1000000;
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(&(struct wish){ "x", "a", 1, 1 }, false, &error), MEMORIES_TIMEOUT);
    ck_assert_str_eq(memories_error_message(error), "create of node/0 was not done after 1 s");
    ck_assert_str_eq(memories_error_where(error), "node/0");
    ck_assert_str_eq(recorded_state("node/0"), "pending");

    AUTO_ERROR memories_error *again = NULL;
    ck_assert_int_eq(run_wish(&(struct wish){ "x", "a", 1, 1 }, false, &again), MEMORIES_TIMEOUT);
    ck_assert_str_eq(memories_error_message(again), "node/0 was still not ready after 1 s");
    ck_assert_str_eq(last_progress, "read - waiting for node/0, which is not ready yet");

    use_plugin(0, 60);
    cloud->polls = 0;
    cloud_find("node/0")->polls_left = 3;
    run(&(struct wish){ "x", "a", 1, 1 }, false);
    expect_world(&(struct wish){ "x", "a", 1, 1 }, false);
    ck_assert_uint_eq(occurrences("create"), 0);
}
END_TEST

START_TEST(what_is_pending_and_not_wanted_is_deleted_without_waiting)
{
    run(&three, false);
    cloud_find("node/1")->polls_left = 1000000;
    run(NULL, false);
    expect_world(NULL, false);
}
END_TEST

/* It was made, and is not seen yet: the same token gives the same object. */
START_TEST(what_is_invisible_is_not_made_twice)
{
    cloud_fault(FAULT_LOSE, "create", "net", 1, MEMORIES_DENIED); /* no answer that is repeated */
    cloud->polls = _i ? 1000000 : 0;
    if (_i) { /* pending is on record */
        cloud->faults[0].times = 0;
        cloud->hook = cancel_at_read;
    }
    ck_assert_int_ne(run_wish(&three, false, NULL), 0);
    ck_assert_str_eq(recorded_state("net"), _i ? "pending" : "planned");
    cancel = 0;
    cloud->hook = NULL;
    cloud->polls = cloud_find("net")->polls_left = 0;
    cloud_fault(FAULT_HIDE, "read", "net", 1, 0);
    run(&three, false);
    expect_world(&three, false);
    ck_assert_int_eq(cloud->made, 5);
}
END_TEST

START_TEST(what_is_invisible_after_it_was_made_is_waited_for)
{
    cloud->polls = 3;
    cloud_fault(FAULT_HIDE, "read", "net", 1, 0);
    run(&three, false);
    expect_world(&three, false);
    ck_assert_int_eq(cloud->made, 5);
}
END_TEST

/* ---- Failures ---- */

static const struct {
    enum fault_kind kind;
    const char *slot;
    const char *message;
} wrong_ends[] = {
    { FAULT_BREAK, "create", "create of node/1 ended with it being broken" },
    { FAULT_HIDE, "create", "create of node/1 ended with it being absent" },
    { FAULT_IGNORE, "destroy", "delete of node/1 ended with it being ready" },
    { FAULT_IGNORE, "power", "stop of node/1 ended with it being ready" },
};

START_TEST(a_wrong_end_is_a_failure)
{
    if (_i > 1)
        run(&three, false);
    const struct wish *goal = _i == 2 ? NULL : &three;
    cloud_fault(wrong_ends[_i].kind, wrong_ends[_i].slot, "node/1", 1, 0);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(goal, _i == 3, &error), MEMORIES_FAILED);
    ck_assert_str_eq(memories_error_message(error), wrong_ends[_i].message);
    run(goal, _i == 3);
    expect_world(goal, _i == 3);
}
END_TEST

START_TEST(what_may_pass_is_tried_again_with_the_same_token)
{
    static const int32_t codes[] = { MEMORIES_TRANSIENT, MEMORIES_THROTTLED, MEMORIES_TIMEOUT };
    cloud_fault(FAULT_REFUSE, "create", "node/1", 2, codes[_i]);
    run(&three, false);
    expect_world(&three, false);
    ck_assert_uint_eq(events[MEMORIES_EVENT_RETRY], 2);
    ck_assert_uint_eq(occurrences("create t.node 1; "), 2); /* the others were done with */
    char first[16], later[16];
    ck_assert_int_eq(sscanf(strstr(cloud->tokens, "node/1#1:"), "node/1#1:%8s", first), 1);
    ck_assert_int_eq(sscanf(strstr(cloud->tokens, "node/1#3:"), "node/1#3:%8s", later), 1);
    ck_assert_str_eq(first, later);
    AUTO_JSON json_object *journal = store_journal_list(store, ID, NULL);
    json_object *last = json_object_array_get_idx(journal, json_count(journal) - 1);
    ck_assert_int_eq(json_get_int(last, "attempt", 0), 3);
    ck_assert_str_eq(json_get_string(last, "state"), "done");
}
END_TEST

START_TEST(what_failed_together_is_tried_together)
{
    struct wish wish = three;
    wish.nodes = 50;
    cloud_fault(_i ? FAULT_WHOLE : FAULT_REFUSE, "create", "node/", _i ? 1 : 50, MEMORIES_THROTTLED);
    run(&wish, false);
    expect_world(&wish, false);
    if (_i)
        ck_assert_uint_eq(occurrences("create t.net 1; "), 2);
    else
        ck_assert_uint_eq(occurrences("create t.node 50; "), 2);
}
END_TEST

START_TEST(the_cloud_says_how_long_to_wait)
{
    cloud_fault(FAULT_REFUSE, "create", "net", 1, MEMORIES_THROTTLED);
    cloud->faults[0].retry_after_ms = 400;
    int64_t began = clock_monotonic_ms();
    run(&three, false);
    ck_assert_int_ge(clock_monotonic_ms() - began, 400);
}
END_TEST

/* A few tries would end long before; who is told when to come again comes until the time is over. */
START_TEST(told_when_to_come_again_it_comes_until_the_deadline)
{
    use_plugin(0, _i ? 1 : 30);
    cloud_fault(FAULT_REFUSE, "create", "node/1", _i ? 100 : 9, MEMORIES_TRANSIENT);
    cloud->faults[0].retry_after_ms = _i ? 200 : 1;
    engine.attempts = 1;
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(&three, false, &error), _i ? MEMORIES_TRANSIENT : 0);
    ck_assert_uint_ge(occurrences("create t.node 1; "), _i ? 2 : 9);
    ck_assert_uint_le(occurrences("create t.node 1; "), _i ? 6 : 9);
}
END_TEST

START_TEST(patience_ends)
{
    engine.attempts = 2;
    cloud_fault(FAULT_REFUSE, "create", "net", 100, MEMORIES_TRANSIENT);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(&three, false, &error), MEMORIES_TRANSIENT);
    ck_assert_uint_eq(occurrences("create t.net 1; "), 2);
    ck_assert_uint_eq(events[MEMORIES_EVENT_FAILED], 1);
    ck_assert_uint_eq(cloud_count(), 0);
}
END_TEST

START_TEST(no_room_means_another_token)
{
    cloud_fault(FAULT_REFUSE, "create", "node/1", 1, MEMORIES_CAPACITY);
    run(&three, false);
    expect_world(&three, false);
    char first[16], later[16];
    const char *once = strstr(cloud->tokens, "node/1#1:"), *again = strstr(once + 1, "node/1#1:");
    ck_assert_int_eq(sscanf(once, "node/1#1:%8s", first), 1);
    ck_assert_int_eq(sscanf(again, "node/1#1:%8s", later), 1); /* the first try under this one */
    ck_assert_str_ne(first, later);
}
END_TEST

START_TEST(no_room_anywhere_ends_it)
{
    engine.attempts = 3;
    cloud_fault(FAULT_REFUSE, "create", "node/1", 100, MEMORIES_CAPACITY);
    ck_assert_int_eq(run_wish(&three, false, NULL), MEMORIES_CAPACITY);
    size_t tries = 0;
    for (const char *at = cloud->tokens; (at = strstr(at, "node/1#1:")); at++)
        tries++;
    ck_assert_uint_eq(tries, 3);
}
END_TEST

/* The token of the second group is on record when the run ends: it, not the first one, finds what was made. */
START_TEST(a_token_on_record_is_used_again)
{
    engine.attempts = 2;
    cloud_fault(FAULT_REFUSE, "create", "node/1", 1, MEMORIES_CAPACITY);
    cloud_fault(FAULT_REFUSE, "create", "node/1", 2, MEMORIES_TRANSIENT);
    ck_assert_int_eq(run_wish(&three, false, NULL), MEMORIES_TRANSIENT);
    AUTO_FREE char *before = strdup(cloud->tokens);
    run(&three, false);
    expect_world(&three, false);
    char second[16], third[16];
    ck_assert_int_eq(sscanf(strstr(before, "node/1#2:"), "node/1#2:%8s", second), 1);
    ck_assert_int_eq(sscanf(strstr(cloud->tokens, "node/1#2:"), "node/1#2:%8s", third), 1); /* tries are counted on */
    ck_assert_str_eq(second, third);
}
END_TEST

START_TEST(a_failure_ends_what_has_not_begun)
{
    static const int32_t codes[] = { MEMORIES_DENIED, MEMORIES_QUOTA, MEMORIES_INVALID, MEMORIES_BUSY, MEMORIES_FAILED };
    cloud_fault(FAULT_REFUSE, "create", "fw", 1, codes[_i]);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(&three, false, &error), codes[_i]);
    ck_assert_str_eq(memories_error_message(error), "the cloud says no");
    ck_assert_str_eq(memories_error_where(error), "fw");
    ck_assert_str_eq(cloud->log, "create t.net 1; create t.fw 1; ");
    ck_assert_str_eq(recorded_state("net"), "ready");
    ck_assert_str_eq(recorded_state("node/0"), "none");
    AUTO_JSON json_object *journal = store_journal_list(store, ID, NULL);
    json_object *last = json_object_array_get_idx(journal, 1);
    ck_assert_str_eq(json_get_string(last, "state"), "failed");
    ck_assert_str_eq(json_get_string(last, "error"), "fw: the cloud says no");
    run(&three, false);
    expect_world(&three, false);
}
END_TEST

START_TEST(several_failures_are_all_told)
{
    cloud_fault(FAULT_REFUSE, "create", "node/0", 1, MEMORIES_DENIED);
    cloud_fault(FAULT_REFUSE, "create", "node/2", 1, MEMORIES_QUOTA);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(&three, false, &error), MEMORIES_DENIED);
    ck_assert_str_eq(memories_error_where(error), "node/0");
    ck_assert_int_eq(memories_error_code(memories_error_next(error)), MEMORIES_QUOTA);
    ck_assert_str_eq(memories_error_where(memories_error_next(error)), "node/2");
    ck_assert_str_eq(recorded_state("node/1"), "ready");
}
END_TEST

START_TEST(a_missing_output_is_named)
{
    AUTO_JSON json_object *desired =
        json_parse("[{\"key\":\"net\",\"type\":\"t.net\",\"inputs\":{}},"
                   "{\"key\":\"fw\",\"type\":\"t.fw\",\"inputs\":{\"a\":[{\"$output\":[\"net\",\"colour\"]}]}}]",
                   "wish", NULL);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(engine_run(&engine, desired, false, &error), MEMORIES_INTERNAL);
    ck_assert_str_eq(memories_error_message(error),
                     "the output colour of net is needed, and it has none of that name");
    ck_assert_str_eq(memories_error_where(error), "fw");
    ck_assert_str_eq(memories_error_hint(error), "this is a defect of the provider fake");
}
END_TEST

/* Done, but the answer was lost: what it is like now is found out, and nothing is done twice. */
START_TEST(a_lost_answer_does_no_harm)
{
    static const char *const slots[] = { "create", "update", "power", "destroy" };
    struct wish wish = three;
    const struct wish *goal = &wish;
    bool stopped = _i == 2;
    if (_i > 0)
        run(&wish, false);
    if (_i == 1)
        wish.size = 7;
    if (_i == 3)
        goal = NULL;
    engine.attempts = 1;
    cloud_fault(FAULT_LOSE, slots[_i], "node/1", 1, MEMORIES_TIMEOUT);
    ck_assert_int_eq(run_wish(goal, stopped, NULL), MEMORIES_TIMEOUT);
    int made = cloud->made;
    run(goal, stopped);
    expect_world(goal, stopped);
    ck_assert_int_eq(cloud->made, made);
}
END_TEST

/* ---- Stopping, turns, fences ---- */

static void cancel_at_firewall(const char *slot, const char *key)
{
    if (!strcmp(slot, "create") && !strcmp(key, "fw"))
        cancel = 1;
}

START_TEST(asked_to_stop_it_ends_what_is_under_way)
{
    cloud->hook = cancel_at_firewall;
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(&three, false, &error), MEMORIES_CANCELLED);
    ck_assert_str_eq(memories_error_message(error), "stopped on request");
    ck_assert_str_eq(memories_error_hint(error), "continue with: memories resume " ID);
    ck_assert_str_eq(cloud->log, "create t.net 1; create t.fw 1; ");
    ck_assert_str_eq(recorded_state("fw"), "ready");
    cloud->hook = NULL;
    cancel = 0;
    run(&three, false);
    expect_world(&three, false);
}
END_TEST

START_TEST(asked_to_stop_it_does_not_wait_for_what_is_pending)
{
    cloud->hook = cancel_at_read;
    cloud->polls = 1000000;
    ck_assert_int_eq(run_wish(&three, false, NULL), MEMORIES_CANCELLED);
    ck_assert_str_eq(recorded_state("net"), "pending");
    cloud->hook = NULL;
    cancel = 0;
    cloud->polls = cloud_find("net")->polls_left = 0;
    run(&three, false);
    expect_world(&three, false);
}
END_TEST

static struct {
    int gates;
    int changed_at_gate[16];
    int changed;
} turns;

static void count_change(const char *slot, const char *key)
{
    if (strncmp(key, "node/", 5) == 0 && (!strcmp(slot, "update") || !strcmp(slot, "create")))
        turns.changed++;
}

static int gate(void *user_data, memories_error **error)
{
    (void)user_data;
    turns.changed_at_gate[turns.gates++] = turns.changed;
    if (turns.gates > 10)
        return error_set(error, MEMORIES_TIMEOUT, "it does not work any more");
    return 0;
}

START_TEST(nodes_take_turns)
{
    struct wish wish = three;
    wish.nodes = 5;
    run(&wish, false);
    memset(&turns, 0, sizeof turns);
    cloud->hook = count_change;
    engine.max_unavailable = 2;
    engine.gate = gate;
    if (_i) /* replaced instead of changed in place */
        ((struct plugin *)engine.provider)->ops.provider.update = NULL;
    wish.size = 9;
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_int_eq(turns.gates, 2);
    ck_assert_int_eq(turns.changed_at_gate[0], 2);
    ck_assert_int_eq(turns.changed_at_gate[1], 4);
}
END_TEST

static int slow_reads, pending_at_gate;

/* node/3 takes its time to come. */
static void come_slowly(const char *slot, const char *key)
{
    if (!strcmp(slot, "read") && !strcmp(key, "node/3") && slow_reads-- > 0)
        cloud_find(key)->polls_left = 2;
}

static int count_pending(void *user_data, memories_error **error)
{
    (void)user_data;
    (void)error;
    pending_at_gate += strcmp(recorded_state("node/3"), "ready") != 0;
    turns.changed_at_gate[turns.gates++] = cloud_find("node/0")->size;
    return 0;
}

/* What comes while others are changed is there before the whole is judged: it could not become ready meanwhile. */
START_TEST(the_whole_is_judged_when_nothing_is_under_way)
{
    struct wish wish = three;
    run(&wish, false);
    memset(&turns, 0, sizeof turns);
    cloud->hook = come_slowly;
    cloud->polls = 1;
    slow_reads = 20;
    pending_at_gate = 0;
    engine.max_unavailable = 1;
    engine.gate = count_pending;
    wish.size = 9;
    wish.nodes = 4;
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_int_eq(turns.gates, 3);
    ck_assert_int_eq(pending_at_gate, 0);
    /* It is taken in before the others have their turns. */
    ck_assert_int_eq(turns.changed_at_gate[0], 1);
    ck_assert_int_eq(turns.changed_at_gate[1], 9);
}
END_TEST

START_TEST(a_closed_gate_ends_the_run)
{
    struct wish wish = three;
    run(&wish, false);
    memset(&turns, 0, sizeof turns);
    turns.gates = 10;
    engine.max_unavailable = 1;
    engine.gate = gate;
    wish.size = 9;
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(&wish, false, &error), MEMORIES_TIMEOUT);
    ck_assert_str_eq(memories_error_message(error), "it does not work any more");
    ck_assert_int_eq(cloud_find("node/0")->size, 9);
    ck_assert_int_eq(cloud_find("node/1")->size, 1);
}
END_TEST

START_TEST(no_turns_when_the_ground_changes)
{
    struct wish wish = three;
    run(&wish, false);
    engine.max_unavailable = 1;
    wish.cidr = "10.1.0.0/16";
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_uint_eq(events[MEMORIES_EVENT_WARNING], 1);
}
END_TEST

static struct lease *stolen;

static void steal_the_lease(const char *slot, const char *key)
{
    if (!strcmp(slot, "create") && !strcmp(key, "fw"))
        store_lease_take(store, ID, 60000, &stolen, NULL);
}

START_TEST(without_the_lease_it_ends)
{
    ck_assert_int_eq(store_lease_renew(store, lease, -1, NULL), 0); /* its time is over */
    cloud->hook = steal_the_lease;
    ck_assert_int_eq(run_wish(&three, false, NULL), MEMORIES_BUSY);
    ck_assert_str_eq(cloud->log, "create t.net 1; create t.fw 1; ");
    cloud->hook = NULL;
    engine.fence = stolen->fence;
    run(&three, false);
    expect_world(&three, false);
    store_lease_release(store, stolen);
}
END_TEST

START_TEST(looking_writes_nothing)
{
    run(&three, false);
    cloud_find("node/1")->there = false;
    cloud_find("node/2")->polls_left = 1000000;
    engine.fence = 0;
    AUTO_JSON json_object *seen = engine_refresh(&engine, NULL);
    ck_assert_str_eq(json_get_string(json_object_array_get_idx(seen, 3), "state"), "lost");
    ck_assert_str_eq(json_get_string(json_object_array_get_idx(seen, 4), "state"), "pending");
    ck_assert_str_eq(recorded_state("node/1"), "ready");
    ck_assert_str_eq(recorded_state("node/2"), "ready");
}
END_TEST

START_TEST(a_thousand_nodes_are_looked_at_in_three_calls)
{
    struct wish wish = three;
    wish.nodes = 1000;
    run(&wish, false);
    run(&wish, false);
    expect_world(&wish, false);
    ck_assert_uint_eq(occurrences("; "), 3);
}
END_TEST

/* For a provider that answers for all types as easily as for one. */
START_TEST(a_provider_can_read_all_types_together)
{
    json_set_bool(engine.provider->description, "read_together", true);
    cloud->polls = 1;
    run(&three, false);
    expect_world(&three, false);
    run(&three, false);
    ck_assert_uint_eq(occurrences("; "), 1);
    ck_assert_uint_eq(occurrences(" 5; "), 1);
    run(NULL, false);
    expect_world(NULL, false);
    ck_assert_uint_eq(occurrences("destroy"), 3); /* one type at a time */
}
END_TEST

/* Without an answer, what was asked for is what it can be looked up by. */
static bool read_had_inputs, read_had_outputs;

static int32_t note_read(void *instance, struct memories_call *call,
                         const struct memories_operation *const *operations, size_t count)
{
    (void)instance;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(operations[i]->key, "net")) {
            read_had_inputs = operations[i]->inputs && strstr(operations[i]->inputs, "10.0.0.0/16");
            read_had_outputs = operations[i]->outputs;
        }
        call_host()->operation_result(call, i, operations[i]->outputs ? MEMORIES_STATE_READY : MEMORIES_STATE_ABSENT, NULL,
                                      0);
    }
    return 0;
}

START_TEST(what_has_no_outputs_is_read_by_its_inputs)
{
    cloud_fault(FAULT_LOSE, "create", "net", 1, MEMORIES_DENIED);
    ck_assert_int_ne(run_wish(&three, false, NULL), 0);
    struct plugin *plugin = (struct plugin *)engine.provider;
    batch_slot *read = plugin->ops.provider.read;
    plugin->ops.provider.read = note_read;
    json_object_put(engine_refresh(&engine, NULL));
    ck_assert(read_had_inputs && !read_had_outputs);
    plugin->ops.provider.read = read;
    run(&three, false);
    plugin->ops.provider.read = note_read;
    json_object_put(engine_refresh(&engine, NULL));
    ck_assert(!read_had_inputs && read_had_outputs);
}
END_TEST

static int32_t note_destroy(void *instance, struct memories_call *call,
                            const struct memories_operation *const *operations, size_t count)
{
    (void)instance;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(operations[i]->key, "net")) {
            read_had_inputs = operations[i]->inputs && strstr(operations[i]->inputs, "10.0.0.0/16");
            read_had_outputs = operations[i]->outputs;
        }
        call_host()->operation_result(call, i, MEMORIES_STATE_ABSENT, NULL, 0);
    }
    return 0;
}

START_TEST(what_has_no_outputs_is_deleted_by_its_inputs)
{
    cloud_fault(FAULT_LOSE, "create", "net", 1, MEMORIES_DENIED);
    ck_assert_int_ne(run_wish(&three, false, NULL), 0);
    struct plugin *plugin = (struct plugin *)engine.provider;
    plugin->ops.provider.read = note_read;
    plugin->ops.provider.destroy = note_destroy;
    run(NULL, false);
    ck_assert(read_had_inputs && !read_had_outputs);
}
END_TEST

/* What was refused is not there: who may not look for it either can remove the rest. After a first try whose answer was
 * lost nobody knows. */
START_TEST(what_was_refused_need_not_be_looked_for)
{
    if (_i == 1)
        cloud_fault(FAULT_LOSE, "create", "fw", 1, MEMORIES_TRANSIENT);
    cloud_fault(FAULT_REFUSE, "create", "fw", 1, _i == 2 ? MEMORIES_FAILED : MEMORIES_DENIED);
    ck_assert_int_eq(run_wish(&three, false, NULL), _i == 2 ? MEMORIES_FAILED : MEMORIES_DENIED);
    cloud_fault(FAULT_REFUSE, "read", "fw", 1, MEMORIES_DENIED);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_wish(NULL, false, &error), _i ? MEMORIES_DENIED : 0);
    if (_i)
        run(NULL, false);
    expect_world(NULL, false);
}
END_TEST

/* Wanted otherwise before anybody has seen whether it was made: it is removed first, as soon as it can be seen. */
START_TEST(what_is_in_doubt_and_wanted_otherwise_does_not_stay_behind)
{
    struct wish other = three;
    other.cidr = "10.9.0.0/16";
    engine.attempts = 1;
    cloud_fault(FAULT_LOSE, "create", "net", 1, MEMORIES_TIMEOUT);
    ck_assert_int_eq(run_wish(&three, false, NULL), MEMORIES_TIMEOUT);
    ck_assert_uint_eq(cloud_count(), 1);
    cloud_fault(FAULT_HIDE, "read", "net", 1, 0);
    if (_i) { /* its removal is not known to have been done either */
        cloud_fault(FAULT_REFUSE, "destroy", "net", 1, MEMORIES_TIMEOUT);
        ck_assert_int_eq(run_wish(&other, false, NULL), MEMORIES_TIMEOUT);
        cloud_fault(FAULT_HIDE, "read", "net", 1, 0);
    }
    run(_i == 2 ? &three : &other, false);
    expect_world(_i == 2 ? &three : &other, false);
}
END_TEST

START_TEST(tokens_are_what_they_are_made_of)
{
    char token[41], other[41];
    engine_token("a", "b", 1, 0, token);
    ck_assert_str_eq(token, "1ef73516fa641680c160a77de2b23532ed9400d7");
    ck_assert_uint_eq(strspn(token, "0123456789abcdef"), 40);
    engine_token("a", "b", 1, 0, other);
    ck_assert_str_eq(token, other);
    const struct {
        const char *deployment, *key;
        uint32_t generation, group;
    } others[] = { { "a2", "b", 1, 0 }, { "a", "b2", 1, 0 }, { "a", "b", 2, 0 }, { "a", "b", 1, 1 }, { "a\nb", "", 1, 0 } };
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        engine_token(others[i].deployment, others[i].key, others[i].generation, others[i].group, other);
        ck_assert_str_ne(token, other);
    }
}
END_TEST

/* ---- Death at every commit ---- */

static const struct step {
    struct wish wish;
    bool stopped, nothing;
} steps[] = {
    { .wish = { "x", "a", 1, 2 } },                   /* deploy */
    { .wish = { "x", "b", 2, 2 } },                   /* update in place, with an output that is passed on */
    { .wish = { "y", "b", 2, 2 } },                   /* replace the network and what is in it */
    { .wish = { "y", "b", 2, 2 }, .stopped = true },  /* stop */
    { .wish = { "y", "b", 2, 2 } },                   /* start */
    { .nothing = true },                              /* delete */
    { .wish = { "y", "b", 2, 1 } },                   /* the same keys once more */
    { .nothing = true },
};

static int take_step(int number)
{
    const struct step *step = &steps[number];
    cloud->step = number;
    return run_wish(step->nothing ? NULL : &step->wish, step->stopped, NULL);
}

static void walk(void)
{
    open_engine();
    for (int i = 0; i < (int)ARRAY_COUNT(steps); i++)
        if (take_step(i))
            _exit(1);
    _exit(0);
}

/* Lets a child walk the steps and dies at commit `n`. True when it came to its end. */
static bool walk_until(int n)
{
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    pid_t child = fork();
    if (child == 0) {
        setenv("MEMORIES_CRASH_AT", text, 1);
        walk();
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0, "point %d: %d", n, status);
    return !WIFSIGNALED(status);
}

/* Starts afresh, so that each death has a world of its own. */
static void restart(void)
{
    teardown();
    setup();
    store_lease_release(store, lease);
    lease = NULL;
    store_close(store);
    store = NULL;
}

/* After a death, the step is run again and those behind it too (goes on), or everything is deleted. */
static void death_at_every_commit(bool gives_up, int polls)
{
    bool ended = false;
    int points = 0, step = getenv("MEMORIES_UNDER_VALGRIND") ? 5 : 1; /* there, every point would take minutes */
    for (int n = 1; !ended; n += step) {
        restart();
        cloud->polls = polls;
        ended = walk_until(n);
        points = n;
        open_engine();
        for (int i = gives_up ? (int)ARRAY_COUNT(steps) - 1 : cloud->step; i < (int)ARRAY_COUNT(steps); i++) {
            ck_assert_msg(!take_step(i), "point %d, step %d", n, i);
            expect_world(steps[i].nothing ? NULL : &steps[i].wish, steps[i].stopped);
        }
    }
    ck_assert_int_gt(points, 60);
}

START_TEST(a_death_at_any_commit_is_mended_by_going_on)
{
    death_at_every_commit(false, _i);
}
END_TEST

START_TEST(a_death_at_any_commit_is_mended_by_deleting)
{
    death_at_every_commit(true, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tests = tcase_create("engine");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_life_in_batches);
    tcase_add_test(tests, calls_grow_with_kinds_not_with_nodes);
    tcase_add_test(tests, batches_have_the_providers_limit);
    tcase_add_test(tests, equals_are_made_in_the_order_of_the_list);
    tcase_add_test(tests, what_is_replaced_takes_along_what_hangs_on_it);
    tcase_add_test(tests, an_output_that_changes_is_passed_on);
    tcase_add_test(tests, what_disappeared_or_broke_is_made_anew);
    tcase_add_test(tests, what_disappeared_and_is_not_wanted_is_forgotten);
    tcase_add_test(tests, made_while_all_is_stopped_it_is_made_switched_off);
    tcase_add_test(tests, what_takes_too_long_fails_and_is_found_later);
    tcase_add_test(tests, what_is_pending_and_not_wanted_is_deleted_without_waiting);
    tcase_add_loop_test(tests, what_is_invisible_is_not_made_twice, 0, 2);
    tcase_add_test(tests, what_is_invisible_after_it_was_made_is_waited_for);
    tcase_add_loop_test(tests, a_wrong_end_is_a_failure, 0, ARRAY_COUNT(wrong_ends));
    tcase_add_loop_test(tests, what_may_pass_is_tried_again_with_the_same_token, 0, 3);
    tcase_add_loop_test(tests, what_failed_together_is_tried_together, 0, 2);
    tcase_add_test(tests, the_cloud_says_how_long_to_wait);
    tcase_add_loop_test(tests, told_when_to_come_again_it_comes_until_the_deadline, 0, 2);
    tcase_add_test(tests, patience_ends);
    tcase_add_test(tests, no_room_means_another_token);
    tcase_add_test(tests, no_room_anywhere_ends_it);
    tcase_add_test(tests, a_token_on_record_is_used_again);
    tcase_add_loop_test(tests, a_failure_ends_what_has_not_begun, 0, 5);
    tcase_add_test(tests, several_failures_are_all_told);
    tcase_add_test(tests, a_missing_output_is_named);
    tcase_add_loop_test(tests, a_lost_answer_does_no_harm, 0, 4);
    tcase_add_test(tests, asked_to_stop_it_ends_what_is_under_way);
    tcase_add_test(tests, asked_to_stop_it_does_not_wait_for_what_is_pending);
    tcase_add_loop_test(tests, nodes_take_turns, 0, 2);
    tcase_add_test(tests, the_whole_is_judged_when_nothing_is_under_way);
    tcase_add_test(tests, a_closed_gate_ends_the_run);
    tcase_add_test(tests, no_turns_when_the_ground_changes);
    tcase_add_test(tests, without_the_lease_it_ends);
    tcase_add_test(tests, looking_writes_nothing);
    tcase_add_test(tests, a_thousand_nodes_are_looked_at_in_three_calls);
    tcase_add_test(tests, a_provider_can_read_all_types_together);
    tcase_add_test(tests, what_has_no_outputs_is_read_by_its_inputs);
    tcase_add_test(tests, what_has_no_outputs_is_deleted_by_its_inputs);
    tcase_add_loop_test(tests, what_was_refused_need_not_be_looked_for, 0, 3);
    tcase_add_loop_test(tests, what_is_in_doubt_and_wanted_otherwise_does_not_stay_behind, 0, 3);
    tcase_add_test(tests, tokens_are_what_they_are_made_of);
    suite_add_tcase(suite, tests);
    TCase *deaths = tcase_create("deaths");
    tcase_add_checked_fixture(deaths, setup, teardown);
    tcase_set_timeout(deaths, 600);
    tcase_add_loop_test(deaths, a_death_at_any_commit_is_mended_by_going_on, 0, 2);
    tcase_add_test(deaths, a_death_at_any_commit_is_mended_by_deleting);
    suite_add_tcase(suite, deaths);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
