/* test_autoscale.c - the number of nodes follows the load: memories_autoscale */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/store/store.h"
#include "tests/unit/api_fixture.h"

/* ---- What is decided ---- */

static struct {
    json_object *last; /* decision */
    int count;
    int most; /* the listener ends the loop after so many; 0: it does not */
} heard;

static int on_decision(const char *decision, void *user_data)
{
    (void)user_data;
    ck_assert_ptr_nonnull(strstr(decision, "\"action\":\"")); /* one line, without spaces, as all documents */
    json_object_put(heard.last);
    heard.last = json_parse(decision, "decision", NULL);
    ck_assert_ptr_nonnull(heard.last);
    return ++heard.count == heard.most;
}

static void set_up(void)
{
    api_set_up();
    memset(&heard, 0, sizeof heard);
}

static void tear_down(void)
{
    json_object_put(heard.last);
    api_tear_down();
}

static int autoscale(uint32_t flags, memories_error **error)
{
    struct memories_autoscale_options options = MEMORIES_AUTOSCALE_OPTIONS_INIT;
    options.flags = flags;
    options.interval_s = 1;
    options.on_decision = on_decision;
    return memories_autoscale(context, "one", &options, error);
}

static void expect_no_error(int code, memories_error *error)
{
    AUTO_FREE char *text = error ? memories_error_text(error) : NULL;
    ck_assert_msg(code == 0, "%s", text ? text : "no reason");
}

/* Sets when nodes were added and taken away last, in seconds before now; 0: never. */
static void set_scaled(int64_t up_s, int64_t down_s)
{
    struct store *store = store_open(api_state_dir, NULL);
    struct lease *lease = NULL;
    ck_assert_int_eq(store_lease_take(store, api_id(), 10000, &lease, NULL), 0);
    AUTO_JSON json_object *changes = json_object_new_object();
    json_object *scaled = json_object_new_object();
    int64_t now = clock_now_ms();
    ck_assert(!json_set(changes, "scaled", scaled) && !json_set_int(scaled, "up_ms", up_s ? now - up_s * 1000 : 0) &&
              !json_set_int(scaled, "down_ms", down_s ? now - down_s * 1000 : 0));
    ck_assert_int_eq(store_deployment_update(store, api_id(), lease->fence, changes, NULL), 0);
    store_lease_release(store, lease);
    store_close(store);
}

#define SCALING "scaling: {target_cpu_utilization: 50, scale_up_cooldown: 100, scale_down_cooldown: 200}"
#define FOUR "{fake_nodes: 4, fake_nodes_max: 10, " SCALING ", fake: {load: "
#define ALL(load) "{node1: " load ", node2: " load ", node3: " load ", node4: " load "}}}"
#define ONE "{fake_nodes: 1, fake_nodes_max: 4, " SCALING ", fake: {load: {node1: "

static const struct {
    const char *body;
    int64_t up_s, down_s; /* seconds since nodes were added, taken away; 0: never */
    const char *action;
    int wanted;
    const char *reason;
} decisions[] = {
    /* As many as would bring the load to the target, */
    { FOUR ALL("80"), 0, 0, "up", 7, "the load is above the target" },
    { FOUR ALL("50.1"), 0, 0, "none", 4, "the load is near the target" },
    { FOUR ALL("100"), 0, 0, "up", 8, "the load is above the target" },
    { FOUR ALL("37"), 0, 0, "down", 3, "the load is below the target" },
    { FOUR ALL("12.5"), 0, 0, "down", 1, "the load is below the target" },
    /* not for little: a tenth of the target either way, */
    { FOUR ALL("54.9"), 0, 0, "none", 4, "the load is near the target" },
    { FOUR ALL("55.1"), 0, 0, "up", 5, "the load is above the target" },
    { FOUR ALL("45.1"), 0, 0, "none", 4, "the load is near the target" },
    /* and not to fewer that would be above it: 44.9 × 4 / 3 is 59.9. */
    { FOUR ALL("44.9"), 0, 0, "none", 4,
      "the load is below the target, and fewer nodes would be above it or below their minimum" },
    { FOUR ALL("37.6"), 0, 0, "none", 4,
      "the load is below the target, and fewer nodes would be above it or below their minimum" },
    /* Never beyond the bounds. */
    { ONE "100}}}", 0, 0, "up", 2, "the load is above the target" },
    { "{fake_nodes: 3, fake_nodes_max: 4, " SCALING ", fake: {load: {node1: 99}}}", 0, 0, "up", 4,
      "the load is above the target" },
    { "{fake_nodes: 4, fake_nodes_max: 4, " SCALING ", fake: {load: {node1: 99}}}", 0, 0, "none", 4,
      "the load is above the target, at the largest number of nodes" },
    { ONE "1}}}", 0, 0, "none", 1,
      "the load is below the target, and fewer nodes would be above it or below their minimum" },
    { FOUR ALL("0"), 0, 0, "down", 1, "the load is below the target" },
    /* More nodes wait for the last that were added only, */
    { FOUR ALL("80"), 99, 0, "none", 4, "the load is above the target; nodes were added within scale_up_cooldown" },
    { FOUR ALL("80"), 101, 0, "up", 7, "the load is above the target" },
    { FOUR ALL("80"), 0, 2, "up", 7, "the load is above the target" },
    /* fewer for both. */
    { FOUR ALL("20"), 0, 199, "none", 4,
      "the load is below the target; the number has changed within scale_down_cooldown" },
    { FOUR ALL("20"), 199, 0, "none", 4,
      "the load is below the target; the number has changed within scale_down_cooldown" },
    { FOUR ALL("20"), 201, 201, "down", 2, "the load is below the target" },
    /* The mean of the nodes that have been measured, of this group alone. */
    { FOUR "{node1: 90, node2: 10, node3: 100, node4: 0}}}", 0, 0, "none", 4, "the load is near the target" },
    { FOUR "{node1: 75, node3: 75}}}", 0, 0, "up", 6, "the load is above the target" },
    { "{fake_nodes: 2, fake_nodes_max: 9, fake_witnesses: 1, " SCALING
      ", fake: {load: {node1: 50, node2: 50, witness1: 100}}}",
      0, 0, "none", 2, "the load is near the target" },
    { FOUR "{}}}", 0, 0, "none", 4, "nothing is measured yet" },
};

START_TEST(decisions_are_made_from_numbers)
{
    memories_error *error = NULL;
    api_deploy(decisions[_i].body);
    set_scaled(decisions[_i].up_s, decisions[_i].down_s);
    int code = autoscale(MEMORIES_AUTOSCALE_ONCE | MEMORIES_AUTOSCALE_DRY_RUN, &error);
    expect_no_error(code, error);
    ck_assert_int_eq(heard.count, 1);
    const char *text = json_object_to_json_string(heard.last);
    ck_assert_msg(!strcmp(json_get_string(heard.last, "action"), decisions[_i].action), "%s", text);
    ck_assert_msg(json_get_int(heard.last, "wanted", -1) == decisions[_i].wanted, "%s", text);
    ck_assert_str_eq(json_get_string(heard.last, "reason"), decisions[_i].reason);
}
END_TEST

/* What was measured before the number changed tells nothing of the nodes there are now. */
START_TEST(old_measurements_are_not_used)
{
    static const struct {
        int64_t measured_s, up_s, down_s; /* seconds before now */
        bool is_used;
    } cases[] = { { 30, 0, 0, true },   { 61, 0, 0, false },  { 30, 20, 0, false },
                  { 30, 0, 20, false }, { 30, 40, 50, true }, { 30, 50, 29, false } };
    memories_error *error = NULL;
    AUTO_FREE char *body =
        text_format("{fake_nodes: 1, fake_nodes_max: 9, scaling: {target_cpu_utilization: 50, scale_up_cooldown: 1},"
                    " fake: {load: {node1: 90}, load_at_ms: %" PRId64 "}}",
                    clock_now_ms() - cases[_i].measured_s * 1000);
    api_deploy(body);
    set_scaled(cases[_i].up_s, cases[_i].down_s);
    int code = autoscale(MEMORIES_AUTOSCALE_ONCE | MEMORIES_AUTOSCALE_DRY_RUN, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(json_get_string(heard.last, "action"), cases[_i].is_used ? "up" : "none");
    ck_assert_int_eq(json_get_int(heard.last, "nodes", -1), cases[_i].is_used);
    ck_assert_int_eq(json_get(heard.last, "utilization") != NULL, cases[_i].is_used);
}
END_TEST

static size_t count_audited(const char *event)
{
    char *text = memories_audit(context, "one", NULL);
    AUTO_JSON json_object *trail = json_parse(text, "audit", NULL);
    size_t count = 0;
    memories_free(text);
    for (size_t i = 0; i < json_count(trail); i++)
        count += !strcmp(json_get_string(json_object_array_get_idx(trail, i), "event"), event);
    return count;
}

/* ---- What is done ---- */

START_TEST(a_decision_is_carried_out_and_told)
{
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 2, fake_nodes_max: 9, " SCALING ", fake: {load: {node1: 99.96, node2: 60}}}");
    int code = autoscale(MEMORIES_AUTOSCALE_ONCE, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(api_nodes(), "node1 node2 node3 node4");
    ck_assert_str_eq(api_events(), "create node/node3\ncreate node/node4\nconverge\n");
    /* Its numbers stand in the audit trail, before what they led to. */
    ck_assert_str_eq(api_audit("autoscale"), json_object_to_json_string_ext(heard.last, JSON_C_TO_STRING_PLAIN));
    json_object_object_del(heard.last, "at");
    ck_assert_str_eq(json_object_to_json_string_ext(heard.last, JSON_C_TO_STRING_PLAIN),
                     "{\"action\":\"up\",\"reason\":\"the load is above the target\",\"group\":\"member\",\"count\":2,"
                     "\"wanted\":4,\"min\":1,\"max\":9,\"utilization\":80.0,\"target\":50.0,\"nodes\":2,\"period_s\":60,"
                     "\"dry_run\":false}");
    ck_assert_str_eq(api_audit("scale"), "{\"member\":{\"from\":2,\"to\":4}}");
    AUTO_JSON json_object *record = api_record();
    ck_assert_int_gt(json_get_int(json_get(record, "scaled"), "up_ms", 0), 0);
}
END_TEST

START_TEST(nodes_are_let_go_when_the_load_is_low)
{
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 3, fake_nodes_max: 9, " SCALING ", fake: {load: {node1: 10, node2: 10, node3: 10}}}");
    int code = autoscale(MEMORIES_AUTOSCALE_ONCE, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(api_events(), "release: scale: node2 node3 of node1 node2 node3\n"
                                   "delete node/node2\ndelete node/node3\nconverge\n");
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 2, fake_nodes_max: 9, " SCALING ", fake: {load: {node1: 90}}}");
    AUTO_FREE char *before = strdup(api_recorded("generation"));
    int code = autoscale(MEMORIES_AUTOSCALE_ONCE | MEMORIES_AUTOSCALE_DRY_RUN, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(json_get_string(heard.last, "action"), "up");
    ck_assert(json_get_bool(heard.last, "dry_run", false));
    ck_assert_ptr_null(api_audit("autoscale"));
    ck_assert_str_eq(api_recorded("generation"), before);
    ck_assert_str_eq(api_nodes(), "node1 node2");
    ck_assert_str_eq(api_events(), "");
}
END_TEST

START_TEST(what_fails_is_an_error)
{
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 3, fake_nodes_max: 9, fake_release_refused: true, " SCALING
               ", fake: {load: {node1: 1, node2: 1, node3: 1}}}");
    ck_assert_int_lt(autoscale(MEMORIES_AUTOSCALE_ONCE, &error), 0);
    ck_assert_int_eq(memories_error_code(error), MEMORIES_CONFLICT);
    memories_error_free(error);
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
}
END_TEST

/* ---- When nothing is done ---- */

START_TEST(it_waits_while_something_else_is_done)
{
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 2, fake_nodes_max: 9, " SCALING ", fake: {load: {node1: 90}}}");
    struct store *store = store_open(api_state_dir, NULL);
    struct lease *lease = NULL;
    ck_assert_int_eq(store_lease_take(store, api_id(), 10000, &lease, NULL), 0);
    int code = autoscale(MEMORIES_AUTOSCALE_ONCE, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(json_get_string(heard.last, "action"), "none");
    ck_assert_str_eq(json_get_string(heard.last, "reason"), "something else is being done to the deployment");
    store_lease_release(store, lease);
    store_close(store);
    ck_assert_str_eq(api_nodes(), "node1 node2");
}
END_TEST

static struct store *busy_store;
static struct lease *busy_lease;

static int be_busy_once(const char *decision, void *user_data)
{
    if (!heard.count) {
        busy_store = store_open(api_state_dir, NULL);
        ck_assert_int_eq(store_lease_take(busy_store, api_id(), 10000, &busy_lease, NULL), 0);
    } else if (busy_lease) {
        store_lease_release(busy_store, busy_lease);
        busy_lease = NULL;
        store_close(busy_store);
    }
    return on_decision(decision, user_data);
}

/* Who comes between decision and action has the right of way; the loop looks again. */
START_TEST(somebody_who_is_faster_does_not_end_the_loop)
{
    struct memories_autoscale_options options = MEMORIES_AUTOSCALE_OPTIONS_INIT;
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 1, fake_nodes_max: 2, " SCALING ", fake: {load: {node1: 90}}}");
    options.interval_s = 1;
    options.on_decision = be_busy_once;
    heard.most = 3;
    int code = memories_autoscale(context, "one", &options, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(api_nodes(), "node1 node2");
    ck_assert_uint_eq(count_audited("scale"), 1);
    /* A single decision that can't be carried out is an error. */
    heard.count = heard.most = 0;
    busy_lease = NULL;
    memories_deployment_free(memories_scale(context, "one", &(struct memories_group_size){ "member", 1 }, 1, 0, NULL));
    set_scaled(0, 0);
    options.flags = MEMORIES_AUTOSCALE_ONCE;
    ck_assert_int_eq(memories_autoscale(context, "one", &options, &error), MEMORIES_BUSY);
    memories_error_free(error);
    store_lease_release(busy_store, busy_lease);
    store_close(busy_store);
}
END_TEST

START_TEST(what_does_not_run_is_not_scaled)
{
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 2, fake_nodes_max: 9, " SCALING ", fake: {load: {node1: 90}}}");
    memories_deployment_free(memories_stop(context, "one", 0, NULL));
    int code = autoscale(MEMORIES_AUTOSCALE_ONCE, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(json_get_string(heard.last, "action"), "none");
    ck_assert_str_eq(json_get_string(heard.last, "reason"), "the deployment is not running");
    ck_assert_str_eq(json_get_string(heard.last, "group"), "member");
}
END_TEST

START_TEST(what_is_missing_is_said)
{
    static const struct {
        const char *topology, *body, *what, *hint;
    } cases[] = {
        { "fake", "{fake_nodes_max: 4}", "it has no target",
          "set config.scaling.target_cpu_utilization (memories update)" },
        { "fake", "{" SCALING "}", "it has no upper bound", "set config.swarm.max_nodes (memories update)" },
        { "fixed", "{" SCALING "}", "its topology has no group of nodes that may grow",
          "use a topology that scales: swarmed" },
    };
    memories_error *error = NULL;
    api_deploy_topology(cases[_i].topology, cases[_i].body);
    ck_assert_int_eq(autoscale(MEMORIES_AUTOSCALE_ONCE, &error), MEMORIES_INVALID);
    AUTO_FREE char *message = text_format("%s can't be scaled by its load: %s", api_id(), cases[_i].what);
    api_expect_error(NULL, error, MEMORIES_INVALID, message, cases[_i].hint);
    ck_assert_int_eq(heard.count, 0);
}
END_TEST

/* ---- The loop ---- */

/* The trail has what is new, not that nothing is. */
START_TEST(the_loop_goes_on_until_its_listener_has_had_enough)
{
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 2, fake_nodes_max: 9, " SCALING ", fake: {load: {node1: 50}}}");
    heard.most = 3;
    int code = autoscale(0, &error);
    expect_no_error(code, error);
    ck_assert_int_eq(heard.count, 3);
    ck_assert_uint_eq(count_audited("autoscale"), 1);
}
END_TEST

static int cancel_then_go_on(const char *decision, void *user_data)
{
    (void)decision;
    (void)user_data;
    heard.count++;
    memories_cancel(context);
    return 0;
}

START_TEST(the_loop_ends_when_it_is_cancelled)
{
    struct memories_autoscale_options options = MEMORIES_AUTOSCALE_OPTIONS_INIT;
    memories_error *error = NULL;
    api_deploy("{fake_nodes: 2, fake_nodes_max: 9, " SCALING ", fake: {load: {node1: 50}}}");
    options.interval_s = 3600;
    options.on_decision = cancel_then_go_on;
    int code = memories_autoscale(context, "one", &options, &error);
    expect_no_error(code, error);
    ck_assert_int_eq(heard.count, 1);
}
END_TEST

/* Up, and then the nodes that came have no load yet: nothing more is done before they have. */
START_TEST(the_loop_does_not_swing)
{
    memories_error *error = NULL;
    AUTO_FREE char *body =
        text_format("{fake_nodes: 1, fake_nodes_max: 9, scaling: {target_cpu_utilization: 50, scale_up_cooldown: 0,"
                    " scale_down_cooldown: 0}, fake: {load: {node1: 100}, load_at_ms: %" PRId64 "}}",
                    clock_now_ms());
    api_deploy(body);
    heard.most = 2;
    int code = autoscale(0, &error);
    expect_no_error(code, error);
    ck_assert_str_eq(json_get_string(heard.last, "reason"), "nothing is measured yet");
    ck_assert_int_eq(json_get_int(heard.last, "count", 0), 2);
    ck_assert_uint_eq(count_audited("scale"), 1);
}
END_TEST

int main(void)
{
    api_begin();
    Suite *suite = suite_create("autoscale");
    TCase *test_case = tcase_create("autoscale");
    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_set_timeout(test_case, 60);
    tcase_add_loop_test(test_case, decisions_are_made_from_numbers, 0, (int)ARRAY_COUNT(decisions));
    tcase_add_loop_test(test_case, old_measurements_are_not_used, 0, 6);
    tcase_add_test(test_case, a_decision_is_carried_out_and_told);
    tcase_add_test(test_case, nodes_are_let_go_when_the_load_is_low);
    tcase_add_test(test_case, a_dry_run_changes_nothing);
    tcase_add_test(test_case, what_fails_is_an_error);
    tcase_add_test(test_case, it_waits_while_something_else_is_done);
    tcase_add_test(test_case, somebody_who_is_faster_does_not_end_the_loop);
    tcase_add_test(test_case, what_does_not_run_is_not_scaled);
    tcase_add_loop_test(test_case, what_is_missing_is_said, 0, 3);
    tcase_add_test(test_case, the_loop_goes_on_until_its_listener_has_had_enough);
    tcase_add_test(test_case, the_loop_ends_when_it_is_cancelled);
    tcase_add_test(test_case, the_loop_does_not_swing);
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
