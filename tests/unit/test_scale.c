/* test_scale.c - nodes that come and go: memories_scale, and memories_update with other nodes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "tests/unit/api_fixture.h"

static memories_deployment *scale(uint32_t nodes, uint32_t flags, memories_error **error)
{
    const struct memories_group_size size = { "member", nodes };
    return memories_scale(context, "one", &size, 1, flags, error);
}

static void expect_scaled(uint32_t nodes)
{
    memories_error *error = NULL;
    memories_deployment *scaled = scale(nodes, 0, &error);
    api_expect(scaled, error, "running");
}

static memories_deployment *update(const char *body, memories_error **error)
{
    memories_config *config = api_config("fake", body);
    memories_deployment *updated = memories_update(context, "one", config, 0, error);
    memories_config_free(config);
    return updated;
}

static void expect_updated(const char *body)
{
    memories_error *error = NULL;
    memories_deployment *updated = update(body, &error);
    api_expect(updated, error, "running");
}

static void expect_resumed(void)
{
    memories_error *error = NULL;
    memories_deployment *resumed = memories_resume(context, "one", 0, &error);
    api_expect(resumed, error, "running");
}

/* ---- More and fewer ---- */

START_TEST(new_nodes_join_those_that_are_there)
{
    api_deploy("{fake_nodes: 2, fake_max_unavailable: 1}");
    AUTO_FREE char *first = strdup(api_instance("node1"));
    memories_error *error = NULL;
    memories_deployment *scaled = scale(4, 0, &error);
    ck_assert_msg(scaled, "%s", memories_error_message(error));
    ck_assert_str_eq(memories_deployment_status(scaled), "running");
    ck_assert_ptr_nonnull(strstr(memories_deployment_json(scaled), "\"member_count\":4"));
    memories_deployment_free(scaled);
    /* No rollout: nothing that is there changes. */
    ck_assert_str_eq(api_events(), "create node/node3\ncreate node/node4\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3 node4");
    ck_assert_str_eq(api_instance("node1"), first);
    ck_assert_str_eq(api_audit("scale"), "{\"member\":{\"from\":2,\"to\":4}}");
    ck_assert_ptr_nonnull(api_audit("running"));
}
END_TEST

START_TEST(nodes_are_let_go_before_they_are_destroyed)
{
    api_deploy("{fake_nodes: 4}");
    expect_scaled(2);
    ck_assert_str_eq(api_events(), "release: scale: node3 node4 of node1 node2 node3 node4\n"
                                   "delete node/node3\ndelete node/node4\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1 node2");
}
END_TEST

/* One that is free is destroyed while others are still held; the topology is told of those that are there. */
START_TEST(nodes_go_one_by_one)
{
    api_deploy("{fake_nodes: 4, fake_release_one: true}");
    expect_scaled(1);
    ck_assert_str_eq(api_events(), "release: scale: node2 node3 node4 of node1 node2 node3 node4\n"
                                   "delete node/node2\n"
                                   "release: scale: node3 node4 of node1 node3 node4\n"
                                   "delete node/node3\n"
                                   "release: scale: node4 of node1 node4\n"
                                   "delete node/node4\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1");
}
END_TEST

START_TEST(groups_are_scaled_together_and_apart)
{
    const struct memories_group_size sizes[] = { { "member", 3 }, { "witness", 1 } };
    api_deploy("{fake_nodes: 1, fake_witnesses: 2}");
    memories_error *error = NULL;
    memories_deployment *scaled = memories_scale(context, "one", sizes, ARRAY_COUNT(sizes), 0, &error);
    api_expect(scaled, error, "running");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3 witness1");
    ck_assert_str_eq(api_audit("scale"), "{\"member\":{\"from\":1,\"to\":3},\"witness\":{\"from\":2,\"to\":1}}");
    expect_scaled(2);
    ck_assert_str_eq(api_nodes(), "node1 node2 witness1");
}
END_TEST

START_TEST(the_same_number_changes_nothing)
{
    api_deploy("{fake_nodes: 2}");
    expect_scaled(2);
    ck_assert_str_eq(api_events(), "converge\n");
    ck_assert_str_eq(api_recorded("scaled"), "{\"up_ms\":0,\"down_ms\":0}");
}
END_TEST

/* Scaling by load waits after a change, whoever made it. */
START_TEST(when_it_was_scaled_is_remembered)
{
    api_deploy("{fake_nodes: 2}");
    expect_scaled(3);
    AUTO_JSON json_object *after_up = api_record();
    json_object *up = json_get(after_up, "scaled");
    ck_assert_int_gt(json_get_int(up, "up_ms", 0), 0);
    ck_assert_int_eq(json_get_int(up, "down_ms", -1), 0);
    expect_updated("{fake_nodes: 1}");
    AUTO_JSON json_object *after_down = api_record();
    json_object *down = json_get(after_down, "scaled");
    ck_assert_int_eq(json_get_int(down, "up_ms", 0), json_get_int(up, "up_ms", -1));
    ck_assert_int_ge(json_get_int(down, "down_ms", 0), json_get_int(up, "up_ms", 0));
}
END_TEST

START_TEST(without_waiting_new_nodes_are_made)
{
    api_deploy("{fake_nodes: 2}");
    memories_error *error = NULL;
    memories_deployment *scaled = scale(4, MEMORIES_NO_WAIT, &error);
    ck_assert_msg(scaled, "%s", memories_error_message(error));
    ck_assert_ptr_nonnull(strstr(memories_deployment_json(scaled), "\"member_count\":4"));
    api_expect(scaled, error, "scaling");
    ck_assert_str_eq(api_events(), "create node/node3\ncreate node/node4\n");
    expect_resumed();
    ck_assert_str_eq(api_events(), "converge\n");
}
END_TEST

START_TEST(without_waiting_nodes_that_go_are_left_to_resume)
{
    api_deploy("{fake_nodes: 4}");
    memories_error *error = NULL;
    memories_deployment *scaled = scale(2, MEMORIES_NO_WAIT, &error);
    ck_assert_ptr_nonnull(strstr(memories_deployment_json(scaled), "\"member_count\":2"));
    api_expect(scaled, error, "scaling");
    ck_assert_str_eq(api_events(), "");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3 node4");
    api_expect_status("interrupted"); /* nobody works on it */
    expect_resumed();
    ck_assert_str_eq(api_nodes(), "node1 node2");
}
END_TEST

/* ---- What can't be ---- */

START_TEST(wrong_sizes_are_refused)
{
    static const struct {
        const char *group;
        uint32_t count;
        const char *message, *hint;
    } cases[] = {
        { "worker", 3, "%s has no group of nodes \"worker\" that can be scaled", "topology fake scales: member, witness" },
        { "member", 0, "must be at least 1, found 0", NULL },
        { "member", 2001, "must be at most 2000, found 2001", NULL },
    };
    api_deploy("{fake_nodes: 2}");
    const char *id = api_id();
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct memories_group_size size = { cases[i].group, cases[i].count };
        AUTO_FREE char *message = text_format("%s", cases[i].message);
        char expected[256];
        const char *place = strstr(cases[i].message, "%s");
        snprintf(expected, sizeof expected, "%s%s", place ? id : "", place ? place + 2 : message);
        memories_error *error = NULL;
        memories_deployment *scaled = memories_scale(context, "one", &size, 1, 0, &error);
        api_expect_error(scaled, error, MEMORIES_INVALID, expected, cases[i].hint);
    }
    memories_error *error = NULL;
    memories_deployment *scaled = memories_scale(context, "one", NULL, 0, 0, &error);
    AUTO_FREE char *message = text_format("no number of nodes to scale %s to", id);
    api_expect_error(scaled, error, MEMORIES_INVALID, message, NULL);
    ck_assert_str_eq(api_events(), "");
    api_expect_status("running");
}
END_TEST

START_TEST(a_fixed_set_of_nodes_is_not_scaled)
{
    api_deploy_topology("fixed", "{fake_nodes: 2}");
    const char *id = api_id();
    AUTO_FREE char *message = text_format("%s has no group of nodes \"member\" that can be scaled", id);
    memories_error *error = NULL;
    memories_deployment *scaled = scale(3, 0, &error);
    api_expect_error(scaled, error, MEMORIES_INVALID, message, "topology fixed has a fixed set of nodes");
    error = NULL;
    memories_config *config = api_config("fixed", "{fake_nodes: 3}");
    memories_deployment *updated = memories_update(context, "one", config, 0, &error);
    memories_config_free(config);
    AUTO_FREE char *other = text_format("the new configuration has other nodes than %s", id);
    api_expect_error(updated, error, MEMORIES_UNSUPPORTED, other,
                     "topology fixed changes nodes in place; deploy the new configuration beside it instead");
    ck_assert_str_eq(api_nodes(), "node1 node2");
    api_expect_status("running");
}
END_TEST

START_TEST(what_is_stopped_is_not_scaled)
{
    api_deploy("{fake_nodes: 2}");
    const char *id = api_id();
    memories_deployment_free(memories_stop(context, "one", 0, NULL));
    api_events();
    AUTO_FREE char *message = text_format("%s is stopped", id), *hint = text_format("start it first: memories start %s", id);
    memories_error *error = NULL;
    memories_deployment *scaled = scale(3, 0, &error);
    api_expect_error(scaled, error, MEMORIES_CONFLICT, message, hint);
    error = NULL;
    memories_deployment *updated = update("{fake_nodes: 3}", &error);
    api_expect_error(updated, error, MEMORIES_CONFLICT, message, hint);
    /* Where the nodes stay, it is updated as ever. */
    error = NULL;
    updated = update("{fake_nodes: 2, fake_content: new}", &error);
    api_expect(updated, error, "stopped");
}
END_TEST

START_TEST(what_is_being_deleted_is_not_scaled)
{
    api_deploy("{fake_nodes: 2, fake: {fail: [{operation: destroy, key: network, code: denied}]}}");
    const char *id = api_id();
    ck_assert_ptr_null(memories_delete(context, "one", 0, NULL));
    AUTO_FREE char *message = text_format("%s is being deleted", id);
    AUTO_FREE char *hint = text_format("finish with: memories delete %s", id);
    memories_error *error = NULL;
    memories_deployment *scaled = scale(3, 0, &error);
    api_expect_error(scaled, error, MEMORIES_CONFLICT, message, hint);
}
END_TEST

/* The topology's check comes before anything is on record. */
START_TEST(a_refused_check_leaves_all_as_it_was)
{
    static const char *const members[] = { "config", "spec", "choices", "resources", "membership", "generation",
                                           "status", "scaled" };
    char *before[ARRAY_COUNT(members)];
    api_deploy("{fake_nodes: 3, fake_release_refused: true}");
    for (size_t i = 0; i < ARRAY_COUNT(members); i++)
        before[i] = strdup(api_recorded(members[i]));
    memories_error *error = NULL;
    memories_deployment *scaled = scale(1, 0, &error);
    ck_assert_str_eq(memories_error_where(error), "config.fake_nodes");
    api_expect_error(scaled, error, MEMORIES_CONFLICT, "they can't go: scale: node2 node3 of node1 node2 node3",
                     "keep them");
    ck_assert_str_eq(api_events(), "");
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        ck_assert_str_eq(api_recorded(members[i]), before[i]);
        free(before[i]);
    }
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
    expect_scaled(4); /* nobody has to go */
}
END_TEST

/* ---- What ends in between ---- */

START_TEST(an_error_in_between_is_resumed)
{
    AUTO_FREE char *file = text_format("%s/held", api_state_dir);
    AUTO_FREE char *body = text_format("{fake_nodes: 3, fake_release_file: %s}", file);
    api_deploy(body);
    ck_assert_int_eq(file_write(file, "", 0, 0600, false, NULL), 0);
    memories_error *error = NULL;
    memories_deployment *scaled = scale(2, 0, &error);
    api_expect_error(scaled, error, MEMORIES_FAILED, "they don't go: scale: node3 of node1 node2 node3",
                     "remove the file");
    api_expect_status("failed");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
    ck_assert_int_eq(remove(file), 0);
    api_events();
    expect_resumed();
    ck_assert_str_eq(api_events(),
                     "release: resume: node3 of node1 node2 node3\ndelete node/node3\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1 node2");
}
END_TEST

static void cancel_while_two_are_held(void)
{
    api_deploy("{fake_nodes: 4, fake_release_one: true}");
    api_cancel_at("delete node/node2");
    memories_error *error = NULL;
    memories_deployment *scaled = scale(1, 0, &error);
    ck_assert_ptr_null(scaled);
    ck_assert_int_eq(memories_error_code(error), MEMORIES_CANCELLED);
    memories_error_free(error);
    api_expect_status("interrupted");
    ck_assert_str_eq(api_nodes(), "node1 node3 node4");
    api_events();
}

START_TEST(a_cancelled_scale_goes_on)
{
    cancel_while_two_are_held();
    expect_resumed();
    ck_assert_str_eq(api_events(), "release: resume: node3 node4 of node1 node3 node4\n"
                                   "delete node/node3\n"
                                   "release: resume: node4 of node1 node4\n"
                                   "delete node/node4\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1");
}
END_TEST

/* Those that have not gone yet stay; the others are made anew. */
START_TEST(a_cancelled_scale_goes_back)
{
    cancel_while_two_are_held();
    AUTO_FREE char *third = strdup(api_instance("node3"));
    expect_scaled(4);
    ck_assert_str_eq(api_events(), "create node/node2\nconverge\n");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3 node4");
    ck_assert_str_eq(api_instance("node3"), third);
}
END_TEST

START_TEST(nodes_that_do_not_go_in_time_are_an_error)
{
    api_deploy("{fake_nodes: 2, fake_release_ms: 3600000}");
    const char *id = api_id();
    AUTO_FREE char *message = text_format("fake %s could not let its nodes go within 10 s", id);
    AUTO_FREE char *hint = text_format(
        "look with: memories status %s; memories logs %s; go on with: memories resume %s", id, id, id);
    memories_error *error = NULL;
    memories_deployment *scaled = scale(1, 0, &error);
    ck_assert_str_eq(memories_error_cause(error), "scale: node2 of node1 node2");
    api_expect_error(scaled, error, MEMORIES_TIMEOUT, message, hint);
    api_expect_status("failed");
    ck_assert_str_eq(api_nodes(), "node1 node2");
}
END_TEST

START_TEST(a_node_that_is_lost_needs_no_goodbye_of_its_own)
{
    api_deploy("{fake_nodes: 3}");
    api_lose("node3");
    expect_scaled(2);
    ck_assert_str_eq(api_nodes(), "node1 node2");
    api_expect_status("running");
}
END_TEST

/* ---- Update ---- */

START_TEST(an_update_may_bring_and_take_nodes)
{
    api_deploy("{fake_nodes: 3, fake_witnesses: 1, fake_max_unavailable: 1}");
    expect_updated("{fake_nodes: 2, fake_witnesses: 2, fake_content: new, fake_max_unavailable: 1}");
    const char *events = api_events();
    /* Nothing else changes before the nodes that go have gone. */
    ck_assert_msg(!strncmp(events,
                           "release: update: node3 of node1 node2 witness1 node3\ndelete node/node3\n",
                           strlen("release: update: node3 of node1 node2 witness1 node3\ndelete node/node3\n")),
                  "%s", events);
    /* The changed nodes take turns; the new one comes at any moment of that. */
    const char *first = strstr(events, "update node/node1\n");
    const char *between = first ? strstr(first, "converge\n") : NULL;
    ck_assert_msg(between && strstr(between, "update node/node2\n"), "%s", events);
    ck_assert_ptr_nonnull(strstr(events, "create node/witness2\n"));
    ck_assert_str_eq(api_nodes(), "node1 node2 witness1 witness2");
    ck_assert_ptr_nonnull(strstr(api_recorded("config"), "\"fake_content\":\"new\""));
}
END_TEST

/* ---- Who came when ---- */

START_TEST(who_came_when_is_remembered)
{
    api_deploy("{fake_nodes: 2}");
    ck_assert_ptr_null(strstr(api_recorded("spec"), "fake_joined"));
    expect_scaled(4);
    ck_assert_str_eq(api_joined(), "{\"node3\":[\"node1\",\"node2\",\"node3\"],"
                                   "\"node4\":[\"node1\",\"node2\",\"node3\",\"node4\"]}");
    /* The topology has planned with it. */
    ck_assert_ptr_nonnull(strstr(api_recorded("spec"),
                                 "\"fake_founders\":[\"node1\",\"node2\"],\"fake_joined\":{\"node3\":[\"node1\",\"node2\","
                                 "\"node3\"],\"node4\":[\"node1\",\"node2\",\"node3\",\"node4\"]}"));
    /* It is kept when nobody comes or goes, */
    expect_updated("{fake_nodes: 4, fake_content: new}");
    ck_assert_str_eq(api_joined(), "{\"node3\":[\"node1\",\"node2\",\"node3\"],"
                                   "\"node4\":[\"node1\",\"node2\",\"node3\",\"node4\"]}");
    /* without those that have gone; */
    expect_scaled(3);
    ck_assert_str_eq(api_joined(), "{\"node3\":[\"node1\",\"node2\",\"node3\"]}");
    /* who comes again comes as the last. */
    expect_scaled(1);
    expect_scaled(2);
    ck_assert_str_eq(api_joined(), "{\"node2\":[\"node1\",\"node2\"]}");
}
END_TEST

/* A node that stays keeps the address that the others know it by. */
START_TEST(addresses_stay)
{
    api_deploy("{fake_nodes: 3}");
    expect_scaled(2);
    expect_scaled(3);
    AUTO_JSON json_object *record = api_record();
    json_object *nodes = json_get_object(json_get_object(record, "choices"), "nodes");
    ck_assert_int_eq(json_object_object_length(nodes), 3);
    ck_assert_str_eq(json_get_string(json_get_object(nodes, "node1"), "address"), "10.99.0.1");
    ck_assert_str_eq(json_get_string(json_get_object(nodes, "node2"), "address"), "10.99.0.2");
}
END_TEST

int main(void)
{
    api_begin();
    Suite *suite = suite_create("scale");
    TCase *test_case = tcase_create("scale");
    tcase_add_checked_fixture(test_case, api_set_up, api_tear_down);
    tcase_set_timeout(test_case, 120);
    tcase_add_test(test_case, new_nodes_join_those_that_are_there);
    tcase_add_test(test_case, nodes_are_let_go_before_they_are_destroyed);
    tcase_add_test(test_case, nodes_go_one_by_one);
    tcase_add_test(test_case, groups_are_scaled_together_and_apart);
    tcase_add_test(test_case, the_same_number_changes_nothing);
    tcase_add_test(test_case, when_it_was_scaled_is_remembered);
    tcase_add_test(test_case, without_waiting_new_nodes_are_made);
    tcase_add_test(test_case, without_waiting_nodes_that_go_are_left_to_resume);
    tcase_add_test(test_case, wrong_sizes_are_refused);
    tcase_add_test(test_case, a_fixed_set_of_nodes_is_not_scaled);
    tcase_add_test(test_case, what_is_stopped_is_not_scaled);
    tcase_add_test(test_case, what_is_being_deleted_is_not_scaled);
    tcase_add_test(test_case, a_refused_check_leaves_all_as_it_was);
    tcase_add_test(test_case, an_error_in_between_is_resumed);
    tcase_add_test(test_case, a_cancelled_scale_goes_on);
    tcase_add_test(test_case, a_cancelled_scale_goes_back);
    tcase_add_test(test_case, nodes_that_do_not_go_in_time_are_an_error);
    tcase_add_test(test_case, a_node_that_is_lost_needs_no_goodbye_of_its_own);
    tcase_add_test(test_case, an_update_may_bring_and_take_nodes);
    tcase_add_test(test_case, who_came_when_is_remembered);
    tcase_add_test(test_case, addresses_stay);
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
