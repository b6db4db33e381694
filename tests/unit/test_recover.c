/* test_recover.c - deployments that are there and have no record: memories_discover, memories_recover */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/loader.h"
#include "tests/unit/api_fixture.h"

static memories_deployment *recover(const char *id, const char *body, memories_error **error)
{
    memories_config *config = api_config("fake", body);
    ck_assert_int_eq(memories_config_set_name(config, "one", NULL), 0);
    memories_deployment *deployment = memories_recover(context, id, config, error);
    memories_config_free(config);
    return deployment;
}

static void expect_refused(const char *id, const char *body, int code, const char *message, const char *hint)
{
    memories_error *error = NULL;
    memories_deployment *deployment = recover(id, body, &error);
    api_expect_error(deployment, error, code, message, hint);
}

static void expect_recovered(const char *body, const char *status)
{
    memories_error *error = NULL;
    memories_deployment *deployment = recover(api_id(), body, &error);
    api_expect(deployment, error, status);
}

/* "update node/node1\n": what an update to this would do. */
static const char *planned(const char *body)
{
    static char text[4096];
    memories_error *error = NULL;
    memories_config *config = api_config("fake", body);
    char *document = memories_plan_update(context, "one", config, &error);
    memories_config_free(config);
    ck_assert_msg(document, "%s", memories_error_message(error));
    AUTO_JSON json_object *plan = json_parse(document, "plan", NULL);
    memories_free(document);
    json_object *operations = json_get_array(plan, "operations");
    *text = '\0';
    for (size_t i = 0; i < json_count(operations); i++) {
        json_object *operation = json_object_array_get_idx(operations, i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s\n", json_get_string(operation, "operation"),
                 json_get_string(operation, "key"));
    }
    return text;
}

/* "KEY: TEXT\n" of the record's notes. */
static const char *noted(void)
{
    static char text[4096];
    AUTO_JSON json_object *record = api_record();
    json_object *notes = json_get_array(record, "notes");
    *text = '\0';
    for (size_t i = 0; i < json_count(notes); i++) {
        json_object *note = json_object_array_get_idx(notes, i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s: %s\n", json_get_string(note, "where"),
                 json_get_string(note, "text"));
    }
    return text;
}

static void expect_discovered(bool recorded)
{
    memories_error *error = NULL;
    memories_config *config = api_config("fake", "{}");
    char *text = memories_discover(context, config, &error);
    memories_config_free(config);
    ck_assert_msg(text, "%s", memories_error_message(error));
    AUTO_JSON json_object *list = json_parse(text, "what is there", NULL);
    memories_free(text);
    ck_assert_uint_eq(json_count(list), 1);
    json_object *found = json_object_array_get_idx(list, 0);
    ck_assert_str_eq(json_get_string(found, "deployment_id"), api_id());
    ck_assert_str_eq(json_get_string(found, "type"), "fake");
    ck_assert_int_eq(json_get_bool(found, "recorded", !recorded), recorded);
    ck_assert_uint_eq(json_count(json_get_array(found, "resources")), 4);
}

START_TEST(what_is_there_is_found)
{
    api_deploy("{fake_nodes: 3}");
    expect_discovered(true);
    api_lose_store();
    expect_discovered(false);
    expect_recovered("{fake_nodes: 3}", "running");
    expect_discovered(true);
}
END_TEST

START_TEST(a_recovered_deployment_lives_on)
{
    api_deploy("{fake_nodes: 3}");
    AUTO_FREE char *first = strdup(api_instance("node1"));
    AUTO_FREE char *resources = strdup(api_recorded("resources")), *choices = strdup(api_recorded("choices"));
    api_lose_store();
    expect_recovered("{fake_nodes: 3}", "running");
    ck_assert_str_eq(api_events(), "");
    ck_assert_str_eq(api_recorded("resources"), resources);
    ck_assert_str_eq(api_recorded("choices"), choices);
    ck_assert_str_eq(noted(), "");
    ck_assert_str_eq(planned("{fake_nodes: 3}"), "");
    ck_assert_ptr_nonnull(strstr(api_audit("recover"), "\"secrets\""));

    memories_error *error = NULL;
    memories_deployment *stopped = memories_stop(context, "one", 0, &error);
    api_expect(stopped, error, "stopped");
    memories_deployment *started = memories_start(context, "one", 0, &error);
    api_expect(started, error, "running");
    ck_assert_str_eq(api_instance("node1"), first);
    /* What comes anew must not get the token of one that was there before. */
    api_lose("node2");
    memories_deployment *healed = memories_heal(context, "one", NULL, 0, &error);
    api_expect(healed, error, "running");
    ck_assert_str_eq(api_nodes(), "node1 node2 node3");
    AUTO_FREE char *id = strdup(api_id());
    memories_deployment *deleted = memories_delete(context, "one", 0, &error);
    api_expect(deleted, error, "deleted");
    AUTO_FREE char *path = text_format("%s/fake/%s.json", api_state_dir, id);
    AUTO_JSON json_object *cloud = json_object_from_file(path); /* of a cloud without objects there may be no file */
    json_object *objects = json_get_object(cloud, "objects");
    ck_assert_int_eq(objects ? json_object_object_length(objects) : 0, 0);
}
END_TEST

START_TEST(a_stopped_one_stays_stopped)
{
    api_deploy("{fake_nodes: 2}");
    memories_error *error = NULL;
    memories_deployment *stopped = memories_stop(context, "one", 0, &error);
    api_expect(stopped, error, "stopped");
    api_lose_store();
    expect_recovered("{fake_nodes: 2}", "stopped");
    ck_assert_str_eq(planned("{fake_nodes: 2}"), "");
}
END_TEST

/* A configuration that is not the one it was deployed with: the difference shows, and nothing is touched. */
START_TEST(differences_show)
{
    api_deploy("{fake_nodes: 3}");
    api_lose("node1");
    api_lose_store();
    expect_recovered("{fake_nodes: 2, fake_content: other}", "interrupted");
    ck_assert_ptr_nonnull(strstr(noted(), "node/node3: is not in the configuration: memories update"));
    ck_assert_ptr_nonnull(strstr(noted(), "node/node2: bootstrap is not what the configuration says"));
    ck_assert_ptr_nonnull(strstr(noted(), "node/node1: is not there"));
    const char *plan = planned("{fake_nodes: 2, fake_content: other}");
    ck_assert_ptr_nonnull(strstr(plan, "create node/node1\n"));
    ck_assert_ptr_nonnull(strstr(plan, "node/node2\n"));
    ck_assert_ptr_nonnull(strstr(plan, "delete node/node3\n"));
}
END_TEST

START_TEST(wrong_ones_are_refused)
{
    api_deploy("{fake_nodes: 1}");
    AUTO_FREE char *message = text_format("%s is on record already", api_id());
    AUTO_FREE char *hint = text_format("look at it with: memories show %s", api_id());
    expect_refused(api_id(), "{fake_nodes: 1}", MEMORIES_CONFLICT, message, hint);
    expect_refused("fake-fake-20200101-000000", "{fake_nodes: 1}", MEMORIES_NOT_FOUND,
                   "provider fake has nothing of fake-fake-20200101-000000",
                   "list what is there with: memories recover --provider fake");
    expect_refused(
        "other-fake-20200101-000000", "{fake_nodes: 1}", MEMORIES_INVALID,
        "other-fake-20200101-000000 is no deployment of topology fake on provider fake, as the configuration has it",
        "give the whole id, and the configuration that it was deployed with");
}
END_TEST

/* Two objects under one key: which is the deployment's is not for us to say. */
START_TEST(doubles_are_refused)
{
    api_deploy("{fake_nodes: 1}");
    AUTO_FREE char *path = text_format("%s/fake/%s.json", api_state_dir, api_id());
    AUTO_JSON json_object *cloud = json_object_from_file(path);
    json_object *objects = json_get_object(cloud, "objects");
    ck_assert(!json_set(objects, "fake-99", json_copy(json_get(objects, api_instance("node1")))));
    ck_assert_int_eq(json_object_to_file(path, cloud), 0);
    api_lose_store();
    expect_refused(api_id(), "{fake_nodes: 1}", MEMORIES_CONFLICT,
                   "there are two objects that are marked as node/node1",
                   "remove the one that is not in use, or its mark");
}
END_TEST

/* The loader has each plugin once in a process: this one's is without the slot. */
START_TEST(a_provider_that_finds_nothing_says_so)
{
    api_deploy("{fake_nodes: 1}");
    struct plugin *provider = (struct plugin *)loader_open(MEMORIES_PLUGIN_PROVIDER, "fake", api_plugin_path(), NULL, NULL);
    ck_assert_ptr_nonnull(provider);
    provider->ops.provider.discover = NULL;
    memories_error *error = NULL;
    memories_config *config = api_config("fake", "{}");
    ck_assert_ptr_null(memories_discover(context, config, &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_UNSUPPORTED);
    ck_assert_str_eq(memories_error_message(error), "provider fake can't find what nobody has a record of");
    memories_error_free(error);
    memories_config_free(config);
    api_lose_store();
    expect_refused(api_id(), "{fake_nodes: 1}", MEMORIES_UNSUPPORTED, "provider fake can't find what nobody has a record of",
                   "bring memories' state directory back from a backup, or remove the deployment by other means");
}
END_TEST

int main(void)
{
    api_begin();
    Suite *suite = suite_create("recover");
    TCase *tests = tcase_create("recover");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, api_set_up, api_tear_down);
    tcase_add_test(tests, what_is_there_is_found);
    tcase_add_test(tests, a_recovered_deployment_lives_on);
    tcase_add_test(tests, a_stopped_one_stays_stopped);
    tcase_add_test(tests, differences_show);
    tcase_add_test(tests, wrong_ones_are_refused);
    tcase_add_test(tests, doubles_are_refused);
    tcase_add_test(tests, a_provider_that_finds_nothing_says_so);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
