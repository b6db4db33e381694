/*
 * test_config_check.c - wrong configurations, each with its exact messages; the combined schema; speed
 *
 * A configuration goes the way that it goes in memories_validate: read, held against the schema of core, topology and
 * provider, planned by its topology.
 */
#include <check.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/config/schema.h"
#include "tests/unit/cases.h"
#include "tests/unit/fake_host.h"
#include "tests/unit/topology.h"

static json_object *topology_description(const struct memories_topology_ops *ops)
{
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(ops->describe(call), MEMORIES_OK);
    json_object *description = json_ref(fake_call_result(call));
    fake_call_free(call);
    return description;
}

static json_object *provider_description(void)
{
    return json_tokener_parse("{\"version\": 1, \"resource_types\": {\"fake.node\": {\"is_node\": true}},"
                              " \"schema\": {\"properties\": {\"isolation\": {\"enum\": [\"auto\", \"process\"]}}}}");
}

static json_object *combined_schema(const struct memories_topology_ops *ops)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *topology = topology_description(ops);
    AUTO_JSON json_object *provider = provider_description();
    json_object *schema = config_schema_combine(topology, provider, &error);
    ck_assert_msg(schema != NULL, "%s", error ? memories_error_text(error) : "");
    return schema;
}

static int plan(const struct memories_topology_ops *ops, const memories_config *config, memories_error **error)
{
    AUTO_JSON json_object *request = json_object_new_object();
    json_set_int(request, "version", 1);
    json_set_string(request, "deployment", "test");
    json_set(request, "config", json_ref(config->config));
    AUTO_FREE char *text = json_text(request);
    struct memories_call *call = fake_call_new();
    int failed = ops->plan(call, text);
    if (failed)
        *error = error_from_detail(fake_call_error(call));
    config_locate(config, *error);
    fake_call_free(call);
    return failed;
}

/* What is wrong with a configuration; "" when nothing is. */
static char *check_text(const char *topology, const char *text)
{
    AUTO_ERROR memories_error *error = NULL;
    memories_config *config = memories_config_parse(NULL, text, strlen(text), "x.yaml", &error);
    if (!config)
        return memories_error_text(error);
    const struct memories_topology_ops *ops = open_topology(topology);
    AUTO_JSON json_object *schema = combined_schema(ops);
    int failed = config_check(config, schema, &error);
    if (!failed)
        failed = plan(ops, config, &error);
    ck_assert(failed == 0 || failed == MEMORIES_INVALID);
    ck_assert_int_eq(memories_error_code(error), failed);
    memories_config_free(config);
    return failed ? memories_error_text(error) : strdup("");
}

START_TEST(wrong_configurations)
{
    AUTO_JSON json_object *file = cases_load("bad-configs.yaml");
    json_object *cases = json_get_array(file, "cases");
    unsigned differing = 0;
    ck_assert_uint_ge(json_count(cases), 60);
    for (size_t i = 0; i < json_count(cases); i++) {
        json_object *one = json_object_array_get_idx(cases, i);
        AUTO_FREE char *found = check_text(json_get_string(one, "topology"), json_get_string(one, "text"));
        differing += cases_differ(one, found);
    }
    ck_assert_msg(differing == 0, "%u of %zu cases differ", differing, json_count(cases));
}
END_TEST

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a failing test ends without flushing */
    Suite *suite = suite_create("config check");
    TCase *tests = tcase_create("config check");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, wrong_configurations);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
