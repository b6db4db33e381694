/* test_heal.c - nodes that are replaced: memories_heal */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "tests/unit/api_fixture.h"

/* names: NULL for those that are lost. */
static memories_deployment *heal(const char *const *names, const char *force_new_cluster, memories_error **error)
{
    struct memories_heal_options options = MEMORIES_HEAL_OPTIONS_INIT;
    options.nodes = names;
    options.force_new_cluster = force_new_cluster;
    return memories_heal(context, "one", &options, 0, error);
}

static void expect_healed(const char *const *names, const char *force_new_cluster)
{
    memories_error *error = NULL;
    memories_deployment *healed = heal(names, force_new_cluster, &error);
    api_expect(healed, error, "running");
}

START_TEST(what_is_well_is_left_alone)
{
    api_deploy("{fake_nodes: 3}");
    memories_error *error = NULL;
    memories_deployment *healed = memories_heal(context, "one", NULL, 0, &error);
    api_expect(healed, error, "running");
    ck_assert_str_eq(api_events(), "converge\n");
    ck_assert_str_eq(api_audit("heal"), "[]");
}
END_TEST

/* A machine that is gone, or broken, is let go and made anew; the others are not touched. */
START_TEST(what_is_lost_is_made_anew)
{
    api_deploy("{fake_nodes: 3}");
    AUTO_FREE char *first = strdup(api_instance("node1")), *second = strdup(api_instance("node2"));
    if (_i)
        api_break("node2");
    else
        api_lose("node2");
    api_expect_status("degraded");
    expect_healed(NULL, NULL);
    ck_assert_str_eq(api_events(), "release: heal: node2 of node1 node2 node3\n"
                                   "delete node/node2\ncreate node/node2\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
    ck_assert_str_eq(api_instance("node1"), first);
    ck_assert_str_ne(api_instance("node2"), second);
    ck_assert_str_eq(api_audit("heal"), "[\"node2\"]");
    ck_assert_ptr_null(strstr(api_recorded("membership"), "replacing"));
}
END_TEST

START_TEST(who_is_named_is_made_anew)
{
    static const char *const names[] = { "node3", "node1", NULL };
    api_deploy("{fake_nodes: 3}");
    AUTO_FREE char *first = strdup(api_instance("node1")), *second = strdup(api_instance("node2"));
    expect_healed(names, NULL);
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
    ck_assert_str_ne(api_instance("node1"), first);
    ck_assert_str_eq(api_instance("node2"), second);
    /* They come after those that were there. */
    ck_assert_str_eq(api_joined(),
                     "{\"node1\":[\"node2\",\"node1\"],\"node3\":[\"node2\",\"node1\",\"node3\"]}");
}
END_TEST

/* By name, only those: what else is lost waits for its turn. */
START_TEST(who_is_not_named_is_not_let_go)
{
    static const char *const names[] = { "node3", NULL };
    api_deploy("{fake_nodes: 3, fake_release_one: true}");
    expect_healed(names, NULL);
    ck_assert_str_eq(api_events(), "release: heal: node3 of node1 node2 node3\n"
                                   "delete node/node3\ncreate node/node3\nconverge\n");
}
END_TEST

START_TEST(a_node_that_is_not_there_is_not_healed)
{
    static const char *const names[] = { "node1", "node7", NULL };
    api_deploy("{fake_nodes: 2}");
    AUTO_FREE char *message = text_format("%s has no node \"node7\"", api_id());
    AUTO_FREE char *hint = text_format("`memories status %s` names them", api_id());
    memories_error *error = NULL;
    memories_deployment *healed = heal(names, NULL, &error);
    api_expect_error(healed, error, MEMORIES_NOT_FOUND, message, hint);
    error = NULL;
    healed = heal(NULL, "node7", &error);
    api_expect_error(healed, error, MEMORIES_NOT_FOUND, message, hint);
    ck_assert_str_eq(api_events(), "");
    api_expect_status("running");
}
END_TEST

/* The others of its role are made anew: what they know of the old cluster must not come back. */
START_TEST(a_new_cluster_is_forced_by_name)
{
    api_deploy("{fake_nodes: 3, fake_witnesses: 2}");
    AUTO_FREE char *survivor = strdup(api_instance("node2")), *witness = strdup(api_instance("witness1"));
    AUTO_FREE char *other = strdup(api_instance("node1"));
    api_lose("node1");
    expect_healed(NULL, "node2");
    const char *events = api_events();
    ck_assert_msg(strstr(events, "release: heal: node1 node3 of node1 node2 node3 witness1 witness2, node2 begins anew\n"),
                  "%s", events);
    ck_assert_str_eq(api_nodes(), "node1 node2 node3 witness1 witness2");
    ck_assert_str_eq(api_instance("node2"), survivor);
    ck_assert_str_eq(api_instance("witness1"), witness);
    ck_assert_str_ne(api_instance("node1"), other);
    /* Once it has begun anew, nobody is told to again. */
    ck_assert_ptr_null(strstr(api_recorded("membership"), "force_new_cluster"));
    ck_assert_str_eq(api_audit("heal"), "[\"node1\",\"node3\"]");
}
END_TEST

START_TEST(what_is_off_is_switched_on)
{
    api_deploy("{fake_nodes: 2}");
    memories_deployment_free(memories_stop(context, "one", 0, NULL));
    AUTO_FREE char *message = text_format("%s is stopped", api_id());
    AUTO_FREE char *hint = text_format("start it first: memories start %s", api_id());
    memories_error *error = NULL;
    memories_deployment *healed = heal(NULL, NULL, &error);
    api_expect_error(healed, error, MEMORIES_CONFLICT, message, hint);
    /* One that is off by itself. */
    memories_deployment_free(memories_start(context, "one", 0, NULL));
    api_switch_off("node2");
    api_events();
    expect_healed(NULL, NULL);
    ck_assert_str_eq(api_events(), "start node/node2\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1 node2");
}
END_TEST

START_TEST(a_topology_that_lets_nobody_go_replaces_nobody)
{
    api_deploy_topology("fixed", "{fake_nodes: 2}");
    AUTO_FREE char *hint = text_format("start what is stopped with: memories start %s", api_id());
    expect_healed(NULL, NULL);
    api_lose("node2");
    memories_error *error = NULL;
    memories_deployment *healed = heal(NULL, NULL, &error);
    api_expect_error(healed, error, MEMORIES_UNSUPPORTED, "topology fixed can't replace nodes", hint);
}
END_TEST

START_TEST(a_refused_check_leaves_all_as_it_was)
{
    api_deploy("{fake_nodes: 3, fake_release_refused: true}");
    api_lose("node3");
    AUTO_FREE char *before = strdup(api_recorded("membership"));
    memories_error *error = NULL;
    memories_deployment *healed = heal(NULL, NULL, &error);
    api_expect_error(healed, error, MEMORIES_CONFLICT, "they can't go: heal: node3 of node1 node2 node3", "keep them");
    /* What is asked for by name is what is checked. */
    error = NULL;
    healed = heal(NULL, "node2", &error);
    api_expect_error(healed, error, MEMORIES_CONFLICT,
                     "they can't go: heal: node1 node3 of node1 node2 node3, node2 begins anew", "keep them");
    ck_assert_str_eq(api_recorded("membership"), before);
    ck_assert_str_eq(api_recorded("status"), "\"running\"");
}
END_TEST

/* Nodes that keep what they know are made anew by heal alone. */
START_TEST(heal_is_the_only_way_for_nodes_that_keep_their_data)
{
    api_deploy("{fake_nodes: 3, fake_replace: false}");
    api_lose("node2");
    AUTO_FREE char *message = text_format("node2 of %s has disappeared", api_id());
    AUTO_FREE char *hint = text_format("make it anew with: memories heal %s", api_id());
    memories_error *error = NULL;
    memories_deployment *resumed = memories_resume(context, "one", 0, &error);
    api_expect_error(resumed, error, MEMORIES_CONFLICT, message, hint);
    expect_healed(NULL, NULL);
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
}
END_TEST

/* The others are switched on for it, or off: heal needs them, and who stops wants them off. */
START_TEST(a_node_that_is_lost_keeps_no_other_from_being_switched)
{
    api_deploy("{fake_nodes: 3, fake_replace: false}");
    if (_i)
        api_break("node2");
    else
        api_lose("node2");
    memories_error *error = NULL;
    memories_deployment *stopped = memories_stop(context, "one", 0, &error);
    api_expect(stopped, error, "stopped");
    ck_assert_str_eq(api_events(), "stop\nstop node/node1\nstop node/node3\n");
    AUTO_FREE char *message = text_format("node2 of %s %s", api_id(), _i ? "is broken" : "has disappeared");
    AUTO_FREE char *hint = text_format("make it anew with: memories heal %s", api_id());
    memories_deployment *started = memories_start(context, "one", 0, &error);
    api_expect_error(started, error, MEMORIES_CONFLICT, message, hint);
    ck_assert_str_eq(api_events(), "start\nstart node/node1\nstart node/node3\n");
    expect_healed(NULL, NULL);
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
}
END_TEST

START_TEST(a_cancelled_heal_goes_on)
{
    static const char *const names[] = { "node1", "node2", NULL };
    api_deploy("{fake_nodes: 3, fake_release_one: true}");
    AUTO_FREE char *first = strdup(api_instance("node1")), *second = strdup(api_instance("node2"));
    AUTO_FREE char *third = strdup(api_instance("node3"));
    api_cancel_at("delete node/node1");
    memories_error *error = NULL;
    memories_deployment *healed = heal(names, NULL, &error);
    ck_assert_ptr_null(healed);
    ck_assert_int_eq(memories_error_code(error), MEMORIES_CANCELLED);
    memories_error_free(error);
    api_expect_status("interrupted");
    ck_assert_str_eq(api_nodes(), "node2 node3");
    error = NULL;
    memories_deployment *resumed = memories_resume(context, "one", 0, &error);
    api_expect(resumed, error, "running");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
    ck_assert_str_ne(api_instance("node1"), first);
    ck_assert_str_ne(api_instance("node2"), second);
    ck_assert_str_eq(api_instance("node3"), third);
}
END_TEST

START_TEST(without_waiting_it_is_on_record_only)
{
    api_deploy("{fake_nodes: 2}");
    api_lose("node2");
    memories_error *error = NULL;
    memories_deployment *healed = memories_heal(context, "one", NULL, MEMORIES_NO_WAIT, &error);
    api_expect(healed, error, "healing");
    ck_assert_str_eq(api_nodes(), "node1");
    memories_deployment *resumed = memories_resume(context, "one", 0, &error);
    api_expect(resumed, error, "running");
    ck_assert_str_eq(api_nodes(), "node1 node2");
}
END_TEST

int main(void)
{
    api_begin();
    Suite *suite = suite_create("heal");
    TCase *test_case = tcase_create("heal");
    tcase_add_checked_fixture(test_case, api_set_up, api_tear_down);
    tcase_set_timeout(test_case, 60);
    tcase_add_test(test_case, what_is_well_is_left_alone);
    tcase_add_loop_test(test_case, what_is_lost_is_made_anew, 0, 2);
    tcase_add_test(test_case, who_is_named_is_made_anew);
    tcase_add_test(test_case, who_is_not_named_is_not_let_go);
    tcase_add_test(test_case, a_node_that_is_not_there_is_not_healed);
    tcase_add_test(test_case, a_new_cluster_is_forced_by_name);
    tcase_add_test(test_case, what_is_off_is_switched_on);
    tcase_add_test(test_case, a_topology_that_lets_nobody_go_replaces_nobody);
    tcase_add_test(test_case, a_refused_check_leaves_all_as_it_was);
    tcase_add_test(test_case, heal_is_the_only_way_for_nodes_that_keep_their_data);
    tcase_add_loop_test(test_case, a_node_that_is_lost_keeps_no_other_from_being_switched, 0, 2);
    tcase_add_test(test_case, a_cancelled_heal_goes_on);
    tcase_add_test(test_case, without_waiting_it_is_on_record_only);
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
