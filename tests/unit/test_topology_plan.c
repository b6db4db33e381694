/*
 * test_topology_plan.c - the plan slots of standalone, consensus and swarmed: golden files, purity, wrong configurations
 *
 * Each configuration of examples/ and tests/golden/ is read and checked as the core does it, planned, and its spec
 * compared with tests/golden/NAME.spec.json. UPDATE_GOLDEN=1 writes these files anew.
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/config/config.h"
#include "core/config/schema.h"
#include "tests/unit/fake_host.h"
#include "tests/unit/topology.h"

#define DEPLOYMENT "test-local-20260225-123456"

extern const char schema_spec[];

static json_object *parse_yaml(const char *text, const char *name)
{
    memories_error *error = NULL;
    json_object *document = config_parse_text(text, strlen(text), name, &error);
    ck_assert_msg(document, "%s: %s", name, error ? memories_error_message(error) : "");
    return document;
}

/* The configuration is one that the core would let through. */
static void check_against_schema(const struct memories_topology_ops *ops, json_object *config)
{
    struct memories_call *call = fake_call_new();
    memories_error *error = NULL;
    ck_assert_int_eq(ops->describe(call), MEMORIES_OK);
    AUTO_JSON json_object *provider = json_tokener_parse(
        "{\"version\":1,\"summary\":\"none\",\"resource_types\":{\"none.node\":{\"is_node\":true}}}");
    AUTO_JSON json_object *schema = config_schema_combine(fake_call_result(call), provider, &error);
    ck_assert_msg(schema, "%s: %s", error ? memories_error_where(error) : "",
                  error ? memories_error_message(error) : "");
    memories_config checked = { .config = config };
    int code = config_check(&checked, schema, &error);
    ck_assert_msg(code == 0, "%s: %s", error ? memories_error_where(error) : "",
                  error ? memories_error_message(error) : "");
    fake_call_free(call);
}

/* Runs plan; the call holds what came back. */
static struct memories_call *plan(const struct memories_topology_ops *ops, json_object *config, int32_t expected)
{
    AUTO_JSON json_object *request = json_object_new_object();
    ck_assert(!json_set_int(request, "version", 1) && !json_set_string(request, "deployment", DEPLOYMENT) &&
              !json_set(request, "config", json_ref(config)));
    AUTO_FREE char *text = json_text(request);
    struct memories_call *call = fake_call_new();
    int32_t code = ops->plan(call, text);
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_msg(code == expected, "plan returned %d: %s", code, error ? error->message : "no reason");
    ck_assert(!error == !expected);
    return call;
}

static void check_spec(json_object *spec)
{
    memories_error *error = NULL;
    AUTO_JSON json_object *document = json_parse(schema_spec, "the schema of specs", &error);
    struct schema *schema = schema_compile(document, "the schema of specs", &error);
    ck_assert_ptr_nonnull(schema);
    ck_assert_msg(schema_require(schema, spec, "spec", &error) == 0, "%s: %s", memories_error_where(error),
                  memories_error_message(error));
    schema_free(schema);
}

static void compare_golden(const char *name, json_object *spec)
{
    char path[4096];
    AUTO_FREE char *pretty = json_pretty(spec);
    snprintf(path, sizeof path, "%s/%s.spec.json", source_path("tests/golden"), name);
    if (getenv("UPDATE_GOLDEN")) {
        FILE *file = fopen(path, "we");
        ck_assert_msg(file && fprintf(file, "%s\n", pretty) > 0 && fclose(file) == 0, "%s can't be written", path);
        return;
    }
    AUTO_FREE char *golden = read_text(path);
    ck_assert_msg(golden, "%s can't be read: UPDATE_GOLDEN=1 writes it", path);
    golden[strcspn(golden, "\0") - 1] = '\0'; /* the last newline */
    ck_assert_msg(!strcmp(golden, pretty), "%s differs (UPDATE_GOLDEN=1 writes it anew); the spec is now\n%s", path,
                  pretty);
}

/* "examples/consensus.yaml" -> "consensus" */
static void base_name(const char *path, char name[256])
{
    const char *slash = strrchr(path, '/');
    snprintf(name, 256, "%s", slash ? slash + 1 : path);
    name[strcspn(name, ".")] = '\0';
}

static void check_file(const char *path)
{
    char name[256];
    base_name(path, name);
    AUTO_FREE char *text = read_text(path);
    AUTO_JSON json_object *file = parse_yaml(text, path);
    const char *topology = json_get_string(file, "topology");
    const struct memories_topology_ops *ops = open_topology(topology);
    json_object *config = json_get(file, "config");
    check_against_schema(ops, config);
    struct memories_call *first = plan(ops, config, MEMORIES_OK), *second = plan(ops, config, MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(first), fake_call_result_text(second));
    check_spec(fake_call_result(first));
    compare_golden(name, fake_call_result(first));
    fake_call_free(first);
    fake_call_free(second);
}

START_TEST(every_configuration_gives_its_golden_spec)
{
    static const char *const patterns[] = { "examples/*.yaml", "tests/golden/*.yaml" };
    size_t seen = 0;
    for (size_t i = 0; i < ARRAY_COUNT(patterns); i++) {
        glob_t found = { 0 };
        if (glob(source_path(patterns[i]), 0, NULL, &found) == 0)
            for (size_t k = 0; k < found.gl_pathc; k++, seen++)
                check_file(found.gl_pathv[k]);
        globfree(&found);
    }
    ck_assert_uint_ge(seen, 11);
}
END_TEST

static const struct {
    const char *topology;
    const char *config;
    const char *where;
    const char *message;
    const char *hint;
} wrong[] = {
#include "tests/unit/wrong_topology_configs.h"
};

START_TEST(wrong_configurations_are_refused)
{
    AUTO_JSON json_object *config = parse_yaml(wrong[_i].config, "config");
    const struct memories_topology_ops *ops = open_topology(wrong[_i].topology);
    /* What the schema can say is its to say: these are the rules beyond it. */
    check_against_schema(ops, config);
    struct memories_call *call = plan(ops, config, MEMORIES_INVALID);
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_int_eq(error->code, MEMORIES_INVALID);
    ck_assert_str_eq(error->message, wrong[_i].message);
    ck_assert_str_eq(error->where, wrong[_i].where);
    ck_assert_str_eq(error->hint, wrong[_i].hint);
    ck_assert_ptr_null(fake_call_result(call));
    fake_call_free(call);
}
END_TEST

static const char *const topologies[] = { "standalone", "consensus", "swarmed" };

START_TEST(a_newer_request_is_refused)
{
    struct memories_call *call = fake_call_new();
    const struct memories_topology_ops *ops = open_topology(topologies[_i]);
    ck_assert_int_lt(ops->plan(call, "{\"version\":2,\"deployment\":\"x\",\"config\":{}}"), 0);
    ck_assert_int_eq(fake_call_error(call)->code, MEMORIES_UNSUPPORTED);
    fake_call_free(call);
}
END_TEST

START_TEST(memory_that_runs_out_is_reported)
{
    static const char *const configs[] = {
        "{}",
        "{\"network\":{\"vpc_name\":\"x\",\"subnets\":{\"public\":{},\"private\":{}}},\"logging\":{\"level\":\"info\"},"
        "\"services\":[{\"name\":\"a\",\"image\":\"x\",\"ports\":[{\"published\":80},{\"published\":81}]}]}",
    };
    char request[512];
    snprintf(request, sizeof request, "{\"version\":1,\"deployment\":\"" DEPLOYMENT "\",\"config\":%s}",
             configs[_i / 3]);
    check_out_of_memory(open_topology(topologies[_i % 3])->plan, request);
}
END_TEST

int main(void)
{
    TCase *test_case = tcase_create("plan");
    tcase_set_timeout(test_case, 60);
    tcase_add_test(test_case, every_configuration_gives_its_golden_spec);
    tcase_add_loop_test(test_case, wrong_configurations_are_refused, 0, (int)ARRAY_COUNT(wrong));
    tcase_add_loop_test(test_case, a_newer_request_is_refused, 0, (int)ARRAY_COUNT(topologies));
    tcase_add_loop_test(test_case, memory_that_runs_out_is_reported, 0, 2 * (int)ARRAY_COUNT(topologies));
    Suite *suite = suite_create("topology_plan");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
