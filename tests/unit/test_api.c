/*
 * test_api.c - the public calls, with a provider that is a file and can be told to fail (tests/plugins)
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <memories/memories.h>

#include "core/base/cleanup.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"

static char state_dir[] = "/tmp/memories-api.XXXXXX";
static char *plugin_path;
static memories_context *context;
static struct text events;

static void on_event(const struct memories_event *event, void *user_data)
{
    (void)user_data;
    if (event->kind == MEMORIES_EVENT_PHASE || event->kind == MEMORIES_EVENT_DONE)
        text_printf(&events, "%s %s\n", event->operation, event->key ? event->key : "");
    AUTO_JSON json_object *json = json_parse(event->json, "event", NULL);
    ck_assert_ptr_nonnull(json);
}

static memories_context *new_context(void)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = state_dir;
    options.plugin_path = plugin_path;
    options.on_event = on_event;
    memories_context *made = memories_context_new(&options, NULL);
    ck_assert_ptr_nonnull(made);
    return made;
}

static void set_up(void)
{
    memset(state_dir + strlen(state_dir) - 6, 'X', 6);
    ck_assert_ptr_nonnull(mkdtemp(state_dir));
    context = new_context();
}

static void tear_down(void)
{
    memories_context_free(context);
    text_clear(&events);
    ck_assert_int_eq(directory_remove(state_dir, NULL), 0);
}

/* {topology: fake, provider: fake, name, config: BODY} */
static memories_config *make_config(const char *name, const char *body)
{
    AUTO_FREE char *text = text_format("{topology: fake, provider: fake, config: %s}", body);
    memories_error *error = NULL;
    memories_config *config = memories_config_parse(context, text, strlen(text), "test.yaml", &error);
    ck_assert_msg(config != NULL, "%s", memories_error_message(error));
    if (name)
        ck_assert_int_eq(memories_config_set_name(config, name, NULL), 0);
    return config;
}

static memories_deployment *deploy(const char *name, const char *body, uint32_t flags, memories_error **error)
{
    memories_config *config = make_config(name, body);
    memories_deployment *deployment = memories_deploy(context, config, flags, error);
    memories_config_free(config);
    return deployment;
}

static void expect_status(const char *id, const char *status)
{
    memories_deployment *shown = memories_show(context, id, NULL);
    ck_assert_ptr_nonnull(shown);
    ck_assert_str_eq(memories_deployment_status(shown), status);
    memories_deployment_free(shown);
}

START_TEST(a_deployment_lives_and_goes)
{
    memories_error *error = NULL;
    memories_deployment *made = deploy("one", "{fake_nodes: 3}", 0, &error);
    ck_assert_msg(made != NULL, "%s", memories_error_message(error));
    ck_assert_str_eq(memories_deployment_status(made), "running");
    ck_assert_str_eq(memories_deployment_type(made), "fake");
    ck_assert_str_eq(memories_deployment_provider(made), "fake");
    ck_assert_str_eq(memories_deployment_name(made), "one");
    ck_assert_str_eq(memories_deployment_leader_node(made), "node1");
    ck_assert_ptr_null(memories_deployment_instance_id(made));
    ck_assert_ptr_nonnull(strstr(memories_deployment_json(made), "\"deployment_id\":\"fake-fake-"));

    memories_deployment *shown = memories_show(context, memories_deployment_id(made), NULL);
    ck_assert_uint_eq(memories_deployment_resource_count(shown), 4);
    ck_assert_str_eq(memories_deployment_resource_key(shown, 0), "network");
    ck_assert_str_eq(memories_deployment_resource_type(shown, 1), "fake.node");
    ck_assert_str_eq(memories_deployment_resource_state(shown, 1), "ready");
    ck_assert_ptr_null(memories_deployment_resource_key(shown, 4));
    memories_deployment_free(shown);

    memories_deployment *stopped = memories_stop(context, "one", 0, NULL);
    ck_assert_str_eq(memories_deployment_status(stopped), "stopped");
    memories_deployment_free(stopped);
    expect_status("one", "stopped");
    memories_deployment *started = memories_start(context, "one", 0, NULL);
    ck_assert_str_eq(memories_deployment_status(started), "running");
    memories_deployment_free(started);
    memories_deployment *deleted = memories_delete(context, "one", 0, NULL);
    ck_assert_str_eq(memories_deployment_status(deleted), "deleted");
    memories_deployment_free(deleted);
    ck_assert_ptr_null(memories_show(context, "one", &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_NOT_FOUND);
    memories_error_free(error);

    char *audit = memories_audit(context, memories_deployment_id(made), NULL);
    ck_assert_ptr_nonnull(audit);
    ck_assert_ptr_nonnull(strstr(audit, "\"event\":\"deleted\""));
    memories_free(audit);
    memories_deployment_free(made);
}
END_TEST

static void expect_next(memories_deployment *deployment, const char *status)
{
    ck_assert_ptr_nonnull(deployment);
    ck_assert_str_eq(memories_deployment_status(deployment), status);
    memories_deployment_free(deployment);
}

START_TEST(what_is_not_waited_for_is_on_record)
{
    memories_deployment_free(deploy("one", "{fake_nodes: 2}", 0, NULL));
    expect_next(memories_stop(context, "one", MEMORIES_NO_WAIT, NULL), "stopping");
    expect_status("one", "interrupted");
    expect_next(memories_resume(context, "one", 0, NULL), "stopped");
    expect_next(memories_delete(context, "one", MEMORIES_NO_WAIT, NULL), "deleting");
    expect_status("one", "interrupted");
    ck_assert_ptr_null(memories_start(context, "one", 0, NULL));
    expect_next(memories_resume(context, "one", 0, NULL), "deleted");
    ck_assert_ptr_null(memories_show(context, "one", NULL));
}
END_TEST

START_TEST(the_list_is_oldest_first)
{
    for (int i = 0; i < 3; i++) {
        AUTO_FREE char *name = text_format("d%d", i);
        memories_deployment_free(deploy(name, "{}", 0, NULL));
    }
    memories_deployment_list *list = memories_list(context, NULL);
    ck_assert_uint_eq(memories_deployment_list_count(list), 3);
    for (int i = 0; i < 3; i++) {
        AUTO_FREE char *name = text_format("d%d", i);
        ck_assert_str_eq(memories_deployment_name(memories_deployment_list_at(list, (size_t)i)), name);
    }
    ck_assert_ptr_null(memories_deployment_list_at(list, 3));
    memories_deployment_list_free(list);
}
END_TEST

#define FAIL(operation, key, code) "fake: {fail: [{operation: " operation ", key: " key ", code: " code "}]}"

START_TEST(a_failed_deploy_is_rolled_back)
{
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(deploy("one", "{fake_nodes: 3, " FAIL("create", "node/node2", "quota") "}", 0, &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_QUOTA);
    ck_assert_str_eq(memories_error_where(error), "node/node2");
    ck_assert_ptr_null(memories_error_deployment_id(error));
    ck_assert_ptr_nonnull(strstr(events.bytes, "roll back"));
    memories_deployment_list *list = memories_list(context, NULL);
    ck_assert_uint_eq(memories_deployment_list_count(list), 0);
    memories_deployment_list_free(list);
}
END_TEST

START_TEST(keep_on_failure_keeps_and_resume_finishes)
{
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(deploy("one", "{fake_nodes: 3, " FAIL("create", "node/node2", "quota") "}",
                              MEMORIES_KEEP_ON_FAILURE, &error));
    ck_assert_ptr_nonnull(memories_error_deployment_id(error));
    expect_status("one", "failed");
    memories_context_free(context);
    context = new_context(); /* the fake fails once in each instance */
    memories_error *again = NULL;
    memories_deployment *resumed = memories_resume(context, "one", 0, &again);
    ck_assert_msg(!resumed, "it fails at the first create again");
    memories_error_free(again);
    memories_config *config = make_config(NULL, "{fake_nodes: 3}");
    memories_deployment *updated = memories_update(context, "one", config, 0, &again);
    memories_config_free(config);
    ck_assert_str_eq(memories_deployment_status(updated), "running");
    memories_deployment_free(updated);
}
END_TEST

START_TEST(a_failed_roll_back_says_what_is_left)
{
    AUTO_ERROR memories_error *error = NULL;
    static const char body[] = "{fake_nodes: 2, fake: {fail: [{operation: create, key: node/node2, code: denied}, "
                               "{operation: destroy, key: network, code: denied}]}}";
    ck_assert_ptr_null(deploy("one", body, 0, &error));
    AUTO_FREE char *text = memories_error_text(error);
    ck_assert_msg(strstr(text, "left are: network") != NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "memories delete fake-fake-"));
    ck_assert_ptr_nonnull(memories_error_deployment_id(error));
}
END_TEST

START_TEST(passing_errors_are_tried_again)
{
    memories_error *error = NULL;
    memories_deployment *made = deploy("one", "{fake_nodes: 2, " FAIL("create", "node/node1", "throttled") "}", 0, &error);
    ck_assert_msg(made != NULL, "%s", memories_error_message(error));
    memories_deployment_free(made);
}
END_TEST

START_TEST(a_name_is_given_once)
{
    AUTO_ERROR memories_error *error = NULL;
    memories_deployment_free(deploy("one", "{}", 0, NULL));
    ck_assert_ptr_null(deploy("one", "{}", 0, &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_CONFLICT);
}
END_TEST

START_TEST(update_changes_in_place)
{
    memories_deployment_free(deploy("one", "{fake_nodes: 3, fake_max_unavailable: 1}", 0, NULL));
    text_clear(&events);
    memories_config *config = make_config(NULL, "{fake_nodes: 3, fake_max_unavailable: 1, fake_content: new}");
    memories_deployment *updated = memories_update(context, "one", config, 0, NULL);
    memories_config_free(config);
    ck_assert_ptr_nonnull(updated);
    memories_deployment_free(updated);
    /* one node after the other, and the whole must work in between */
    ck_assert_str_eq(events.bytes, "update node/node1\nconverge \nupdate node/node2\nconverge \nupdate node/node3\nconverge \n");
}
END_TEST

START_TEST(update_makes_no_node_anew_that_must_keep_its_data)
{
    memories_deployment_free(deploy("one", "{fake_replace: false}", 0, NULL));
    AUTO_ERROR memories_error *error = NULL;
    memories_config *config = make_config(NULL, "{fake_replace: false, fake_content: new, fake_machine: big}");
    text_clear(&events);
    ck_assert_ptr_null(memories_update(context, "one", config, 0, &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_UNSUPPORTED);
    ck_assert_str_eq(memories_error_message(error),
                     "the change would make node1 anew, without its data (machine changed)");
    ck_assert_ptr_null(events.bytes);
    expect_status("one", "running");
    memories_config_free(config);
    /* What stays is changed in place; and where it need not keep anything, it is made anew. */
    const char *bodies[] = { "{fake_replace: false, fake_content: new}", "{fake_machine: big}" };
    const char *operations[] = { "update node/node1\nconverge \n",
                                 "delete node/node1\ncreate node/node1\nconverge \n" };
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        config = make_config(NULL, bodies[i]);
        memories_deployment_free(memories_update(context, "one", config, 0, NULL));
        memories_config_free(config);
        ck_assert_str_eq(events.bytes, operations[i]);
        text_clear(&events);
    }
}
END_TEST

static const struct {
    const char *text, *message, *where;
    int code;
} wrong[] = {
    { "{provider: fake, config: {}}", "the topology is not known", "test.yaml", MEMORIES_INVALID },
    { "{topology: fake, config: {}}", "the provider is not known", "test.yaml", MEMORIES_INVALID },
    { "{topology: fake, provider: fake, config: {fake_node: 3}}", "`fake_node` is not a known key", "test.yaml:1: config.fake_node",
      MEMORIES_INVALID },
};

START_TEST(wrong_configurations_create_nothing)
{
    AUTO_ERROR memories_error *error = NULL;
    memories_config *config = memories_config_parse(context, wrong[_i].text, strlen(wrong[_i].text), "test.yaml", NULL);
    ck_assert_ptr_nonnull(config);
    ck_assert_ptr_null(memories_deploy(context, config, 0, &error));
    memories_config_free(config);
    ck_assert_int_eq(memories_error_code(error), wrong[_i].code);
    ck_assert_str_eq(memories_error_message(error), wrong[_i].message);
    ck_assert_str_eq(memories_error_where(error), wrong[_i].where);
    memories_deployment_list *list = memories_list(context, NULL);
    ck_assert_uint_eq(memories_deployment_list_count(list), 0);
    memories_deployment_list_free(list);
}
END_TEST

/* ---- Busy, cancelled ---- */

static memories_context *to_cancel;

static void cancel_at_converge(const struct memories_event *event, void *user_data)
{
    (void)user_data;
    if (event->operation && !strcmp(event->operation, "converge"))
        memories_cancel(to_cancel);
}

START_TEST(a_cancelled_deploy_can_be_resumed)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = state_dir;
    options.plugin_path = plugin_path;
    options.on_event = cancel_at_converge;
    to_cancel = memories_context_new(&options, NULL);
    memories_config *config = make_config("one", "{fake_nodes: 2, fake_converge_ms: 100}");
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(memories_deploy(to_cancel, config, 0, &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_CANCELLED);
    ck_assert_ptr_nonnull(memories_error_deployment_id(error));
    memories_config_free(config);
    memories_context_free(to_cancel);

    expect_status("one", "interrupted");
    to_cancel = memories_context_new(&options, NULL);
    ck_assert_ptr_null(memories_resume(to_cancel, "one", 0, NULL));
    memories_context_free(to_cancel);
    expect_status("one", "interrupted");
    memories_deployment *resumed = memories_resume(context, "one", 0, NULL);
    ck_assert_str_eq(memories_deployment_status(resumed), "running");
    memories_deployment_free(resumed);
}
END_TEST

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A topology learns for how long it has been saying the same. */
START_TEST(a_topology_knows_how_long_nothing_has_moved)
{
    memories_config *config = make_config("one", "{fake_nodes: 1, fake_converge_ms: 200, fake_patience_ms: 100}");
    int64_t began = milliseconds();
    memories_deployment *deployment = memories_deploy(context, config, 0, NULL);
    ck_assert_str_eq(memories_deployment_status(deployment), "running");
    ck_assert_int_ge(milliseconds() - began, 300);
    memories_deployment_free(deployment);
    memories_config_free(config);
}
END_TEST

static int busy_code;

static void ask_while_busy(const struct memories_event *event, void *user_data)
{
    (void)user_data;
    if (!event->operation || strcmp(event->operation, "converge") != 0 || busy_code)
        return;
    memories_context *other = new_context();
    memories_error *error = NULL;
    memories_deployment *stopped = memories_stop(other, "one", 0, &error);
    busy_code = memories_error_code(error);
    ck_assert_ptr_nonnull(strstr(memories_error_message(error), "is being worked on by process"));
    memories_deployment_free(stopped);
    memories_error_free(error);
    memories_context_free(other);
}

START_TEST(two_cannot_work_on_one_deployment)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = state_dir;
    options.plugin_path = plugin_path;
    options.on_event = ask_while_busy;
    memories_context *first = memories_context_new(&options, NULL);
    memories_config *config = make_config("one", "{fake_nodes: 2, fake_converge_ms: 100}");
    memories_deployment *made = memories_deploy(first, config, 0, NULL);
    ck_assert_ptr_nonnull(made);
    ck_assert_int_eq(busy_code, MEMORIES_BUSY);
    memories_deployment_free(made);
    memories_config_free(config);
    memories_context_free(first);
}
END_TEST

/* ---- Threads ---- */

#define THREADS 4

static void *work(void *argument)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = state_dir;
    options.plugin_path = plugin_path;
    memories_context *own = memories_context_new(&options, NULL);
    memories_config *config = make_config(argument, "{fake_nodes: 2}");
    memories_deployment *made = memories_deploy(own, config, 0, NULL);
    memories_deployment *deleted = made ? memories_delete(own, argument, 0, NULL) : NULL;
    void *result = deleted ? NULL : argument;
    memories_deployment_free(made);
    memories_deployment_free(deleted);
    memories_config_free(config);
    memories_context_free(own);
    return result;
}

START_TEST(contexts_work_side_by_side)
{
    static char names[THREADS][16];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

START_TEST(plan_and_schema_are_documents)
{
    memories_config *config = make_config(NULL, "{fake_nodes: 2}");
    char *plan = memories_plan(context, config, NULL), *schema = memories_schema(context, "fake", "fake", NULL);
    AUTO_JSON json_object *parsed = json_parse(plan, "plan", NULL), *parsed_schema = json_parse(schema, "schema", NULL);
    json_object *operations = json_get_array(parsed, "operations");
    ck_assert_uint_eq(json_count(operations), 3);
    ck_assert_str_eq(json_get_string(json_object_array_get_idx(operations, 0), "key"), "network");
    ck_assert_ptr_nonnull(json_get_object(parsed_schema, "properties"));
    memories_free(plan);
    memories_free(schema);
    memories_config_free(config);
}
END_TEST

START_TEST(services_are_told_by_their_topology)
{
    AUTO_ERROR memories_error *error = NULL;
    memories_deployment_free(deploy("one", "{}", 0, NULL));
    ck_assert_ptr_null(memories_services_get(context, "one", &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_UNSUPPORTED);
    ck_assert_str_eq(memories_error_message(error), "topology fake has no services");

    memories_deployment_free(deploy(
        "two",
        "{fake_services: [{name: web, replicas: 3, running: 2, status: degraded (2 of 3), message: full, "
        "addresses: ['10.0.0.1:80', '10.0.0.2:80']}, {name: db, replicas: 1, running: 1, status: running}]}",
        0, NULL));
    memories_services *services = memories_services_get(context, "two", NULL);
    ck_assert_uint_eq(memories_services_count(services), 2);
    ck_assert_str_eq(memories_services_name(services, 0), "web");
    ck_assert_uint_eq(memories_services_replicas(services, 0), 3);
    ck_assert_uint_eq(memories_services_running(services, 0), 2);
    ck_assert_str_eq(memories_services_status(services, 0), "degraded (2 of 3)");
    ck_assert_str_eq(memories_services_message(services, 0), "full");
    ck_assert_uint_eq(memories_services_address_count(services, 0), 2);
    ck_assert_str_eq(memories_services_address(services, 0, 1), "10.0.0.2:80");
    ck_assert_ptr_null(memories_services_address(services, 0, 2));
    ck_assert_ptr_null(memories_services_message(services, 1));
    ck_assert_uint_eq(memories_services_address_count(services, 1), 0);
    /* Past the end there is nothing. */
    ck_assert_ptr_null(memories_services_name(services, 2));
    ck_assert_ptr_null(memories_services_status(services, 2));
    ck_assert_uint_eq(memories_services_replicas(services, 2), 0);
    ck_assert_ptr_nonnull(strstr(memories_services_json(services), "\"name\":\"db\""));
    memories_services_free(services);
    memories_services_free(NULL);
}
END_TEST

int main(void)
{
    const char *builddir = getenv("builddir");
    AUTO_FREE char *relative = text_format("%s/tests/plugins/.libs", builddir ? builddir : ".");
    plugin_path = realpath(relative, NULL);
    if (!plugin_path) {
        puts("skipped: the test plugins are not built");
        return 77;
    }
    Suite *suite = suite_create("api");
    TCase *api = tcase_create("api");
    tcase_add_checked_fixture(api, set_up, tear_down);
    tcase_set_timeout(api, 60);
    tcase_add_test(api, a_deployment_lives_and_goes);
    tcase_add_test(api, what_is_not_waited_for_is_on_record);
    tcase_add_test(api, the_list_is_oldest_first);
    tcase_add_test(api, a_failed_deploy_is_rolled_back);
    tcase_add_test(api, keep_on_failure_keeps_and_resume_finishes);
    tcase_add_test(api, a_failed_roll_back_says_what_is_left);
    tcase_add_test(api, passing_errors_are_tried_again);
    tcase_add_test(api, a_name_is_given_once);
    tcase_add_test(api, update_changes_in_place);
    tcase_add_test(api, update_makes_no_node_anew_that_must_keep_its_data);
    tcase_add_loop_test(api, wrong_configurations_create_nothing, 0, (int)ARRAY_COUNT(wrong));
    tcase_add_test(api, a_cancelled_deploy_can_be_resumed);
    tcase_add_test(api, a_topology_knows_how_long_nothing_has_moved);
    tcase_add_test(api, two_cannot_work_on_one_deployment);
    tcase_add_test(api, contexts_work_side_by_side);
    tcase_add_test(api, plan_and_schema_are_documents);
    tcase_add_test(api, services_are_told_by_their_topology);
    suite_add_tcase(suite, api);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    free(plugin_path);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
