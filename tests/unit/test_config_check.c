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

/* ---- The configurations of the guide ----------------------------------------------------------------------------- */

/* The swarmed topology, as far as its example needs it. */
static json_object *swarmed_description(void)
{
    return json_tokener_parse(
        "{\"version\": 1, \"schema\": {\"properties\": {\"swarm\": {\"type\": \"object\"}, \"node_specs\": {"
        " \"properties\": {\"manager_specs\": {\"$ref\": \"#/$defs/machine\", \"unevaluatedProperties\": false},"
        " \"worker_specs\": {\"$ref\": \"#/$defs/machine\", \"unevaluatedProperties\": false}}}}}}");
}

static void check_example(const char *name, json_object *expected)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_FREE char *path = text_format("examples/%s.yaml", name);
    memories_config *config = memories_config_load(NULL, source_path(path), &error);
    ck_assert_msg(config != NULL, "%s", error ? memories_error_text(error) : "");
    ck_assert_str_eq(memories_config_topology(config), json_get_string(expected, "topology"));
    ck_assert_str_eq(memories_config_provider(config), json_get_string(expected, "provider"));
    ck_assert_msg(json_equal(config->config, json_get(expected, "config")), "%s is not what the guide says", name);

    bool swarmed = !strcmp(memories_config_topology(config), "swarmed");
    AUTO_JSON json_object *topology =
        swarmed ? swarmed_description() : topology_description(open_topology(memories_config_topology(config)));
    AUTO_JSON json_object *provider = provider_description();
    AUTO_JSON json_object *schema = config_schema_combine(topology, provider, &error);
    int failed = schema ? config_check(config, schema, &error) : MEMORIES_INTERNAL;
    ck_assert_msg(failed == 0, "%s", error ? memories_error_text(error) : "");
    memories_config_free(config);
}

START_TEST(examples_are_the_configurations_of_the_guide)
{
    AUTO_FREE char *text = read_text(source_path("tests/data/guide.json"));
    AUTO_JSON json_object *guide = json_parse(text, "guide.json", NULL);
    ck_assert_int_eq(json_object_object_length(guide), 6);
    json_object_object_foreach(guide, name, expected) {
        check_example(name, expected);
    }
}
END_TEST

/* ---- The combined schema ----------------------------------------------------------------------------------------- */

/* What is wrong with a pair of descriptions, or with a configuration under them. */
static char *combine(const char *topology_text, const char *provider_text, const char *config_text)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *topology = json_tokener_parse(topology_text);
    AUTO_JSON json_object *provider = json_tokener_parse(provider_text);
    AUTO_JSON json_object *schema = config_schema_combine(topology, provider, &error);
    if (!schema)
        return memories_error_text(error);
    memories_config *config = memories_config_parse(NULL, config_text, strlen(config_text), "x.yaml", &error);
    ck_assert_ptr_nonnull(config);
    int failed = config_check(config, schema, &error);
    memories_config_free(config);
    return failed ? memories_error_text(error) : strdup("");
}

#define TOPOLOGY(schema) "{\"version\": 1, \"schema\": {" schema "}}"
#define PROVIDER(schema) "{\"version\": 1, \"resource_types\": {\"x.node\": {}}, \"schema\": {" schema "}}"

START_TEST(plugins_add_keys_and_narrow_those_of_the_core)
{
    static const struct {
        const char *topology, *provider, *config, *expected;
    } cases[] = {
        { TOPOLOGY("\"properties\": {\"a\": {}}"), PROVIDER("\"properties\": {\"b\": {}}"), "{a: 1, b: 2}", "" },
        { "{\"version\": 1}", PROVIDER(""), "{}", "" },
        { TOPOLOGY("\"properties\": {\"a\": {\"minimum\": 3}}"), PROVIDER("\"properties\": {\"a\": {\"maximum\": 5}}"),
          "a: 6", "x.yaml:1: config.a: must be at most 5, found 6" },
        { TOPOLOGY(""), PROVIDER("\"properties\": {\"region\": {\"enum\": [\"here\"]}}"), "region: there",
          "x.yaml:1: config.region: expected \"here\", found \"there\"\n  did you mean \"here\"?" },
        { TOPOLOGY(""), PROVIDER("\"properties\": {\"region\": {\"type\": \"integer\"}}"), "region: 5",
          "x.yaml:1: config.region: expected a string, found 5\n"
          "  put it into quotes: \"5\"" },
        { TOPOLOGY("\"properties\": {\"a\": {}}, \"required\": [\"a\"]"), PROVIDER("\"required\": [\"region\"]"), "{}",
          "x.yaml:1: config: the key `a` is missing\nx.yaml:1: config: the key `region` is missing\n"
          "  Where it stands (AWS, GCP); for example \"us-west-2\"" },
        { TOPOLOGY("\"dependentRequired\": {\"zone\": [\"region\"]}"), PROVIDER(""), "zone: z",
          "x.yaml:1: config: the key `region` is missing, which `zone` needs" },
        { TOPOLOGY("\"$defs\": {\"p\": {\"type\": \"string\"}}, \"properties\": {\"a\": {\"$ref\": \"#/$defs/p\"}}"),
          PROVIDER(""), "a: 1", "x.yaml:1: config.a: expected a string, found 1\n  put it into quotes: \"1\"" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_FREE char *found = combine(cases[i].topology, cases[i].provider, cases[i].config);
        ck_assert_str_eq(found, cases[i].expected);
    }
}
END_TEST

START_TEST(a_wrong_description_is_a_defect_of_the_plugin)
{
    static const struct {
        const char *topology, *provider, *expected;
    } cases[] = {
        { "{}", PROVIDER(""),
          "description: the topology describes itself wrongly: the key `version` is missing\n"
          "  this is a defect of the plugin; docs/documents.md says what describe gives" },
        { "{\"version\": 2}", PROVIDER(""),
          "description.version: the topology describes itself wrongly: expected 1, found 2\n"
          "  this is a defect of the plugin; docs/documents.md says what describe gives" },
        { TOPOLOGY(""), "{\"version\": 1, \"resource_types\": {}}",
          "description.resource_types: the provider describes itself wrongly: must have at least 1 key, found 0\n"
          "  this is a defect of the plugin; docs/documents.md says what describe gives" },
        { TOPOLOGY("\"properties\": {\"a\": {\"typ\": \"string\"}}"), PROVIDER(""),
          "#/properties/a: the schema of this configuration is wrong: unknown keyword `typ`\n  did you mean `type`?" },
        { TOPOLOGY("\"$defs\": {\"cidr\": {\"type\": \"string\"}}"), PROVIDER(""),
          "the topology defines #/$defs/cidr, which is defined already" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_FREE char *found = combine(cases[i].topology, cases[i].provider, "{}");
        ck_assert_str_eq(found, cases[i].expected);
    }
}
END_TEST

START_TEST(the_schema_of_a_file_stands_alone)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *config_schema = combined_schema(open_topology("consensus"));
    AUTO_JSON json_object *document = config_schema_file("consensus", "gcp", config_schema, &error);
    struct schema *schema = schema_compile(document, "the schema of files", &error);
    ck_assert_msg(schema != NULL, "%s", error ? memories_error_text(error) : "");
    AUTO_FREE char *text = read_text(source_path("examples/consensus.yaml"));
    AUTO_JSON json_object *file = config_parse_text(text, strlen(text), "consensus.yaml", &error);
    ck_assert_int_eq(schema_require(schema, file, "file", &error), 0);
    json_set_string(json_get(file, "config"), "region", "no region");
    ck_assert_int_eq(schema_require(schema, file, "file", &error), MEMORIES_INVALID);
    ck_assert_str_eq(memories_error_where(error), "file.config.region");
    ck_assert_ptr_nonnull(json_get(config_schema, "$defs")); /* the original is as it was */
    schema_free(schema);
}
END_TEST

/* ---- Schemas in the library -------------------------------------------------------------------------------------- */

extern const char schema_choices[], schema_config[], schema_provider_description[], schema_resources[], schema_spec[],
    schema_topology_description[];

static void check_titles(json_object *schema, const char *path)
{
    json_object *properties = json_get_object(schema, "properties");
    if (!properties)
        return;
    json_object_object_foreach(properties, name, property) {
        ck_assert_msg(json_get(property, "title") || json_get(property, "$ref"), "%s.%s has no title", path, name);
        check_titles(property, name);
    }
}

START_TEST(schemas_of_the_library_compile)
{
    const char *const texts[] = { schema_choices,   schema_config, schema_provider_description,
                                  schema_resources, schema_spec,   schema_topology_description };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        AUTO_ERROR memories_error *error = NULL;
        AUTO_JSON json_object *document = json_parse(texts[i], "schema", &error);
        struct schema *schema = schema_compile(document, "schema", &error);
        ck_assert_msg(schema != NULL, "%s", error ? memories_error_text(error) : "");
        schema_free(schema);
    }
}
END_TEST

START_TEST(every_key_has_a_title)
{
    AUTO_JSON json_object *document = json_parse(schema_config, "config.json", NULL);
    check_titles(document, "config");
    json_object_object_foreach(json_get(document, "$defs"), name, schema) {
        check_titles(schema, name);
    }
}
END_TEST

/* ---- Speed ------------------------------------------------------------------------------------------------------- */

START_TEST(a_thousand_nodes)
{
    struct text text = TEXT_INIT;
    text_append(&text, "nodes:\n");
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "  - {id: node%d, machine_type: n2-standard-2, zone: us-west1-a}\n", i);
    AUTO_FREE char *bytes = text_take(&text);
    int64_t begun = clock_monotonic_ms();
    AUTO_FREE char *found = combine(
        TOPOLOGY("\"properties\": {\"nodes\": {\"uniqueItems\": true, \"items\": {\"$ref\": \"#/$defs/machine\","
                 " \"properties\": {\"id\": {\"type\": \"string\"}}, \"unevaluatedProperties\": false}}}"),
        PROVIDER(""), bytes);
    int64_t elapsed = clock_monotonic_ms() - begun;
    printf("1,000 nodes parsed and checked in %d ms\n", (int)elapsed);
    ck_assert_str_eq(found, "");
    ck_assert_int_lt(elapsed, 1000); /* some ms; the rest is room for valgrind and busy machines */
}
END_TEST

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a failing test ends without flushing */
    Suite *suite = suite_create("config check");
    TCase *tests = tcase_create("config check");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, wrong_configurations);
    tcase_add_test(tests, examples_are_the_configurations_of_the_guide);
    tcase_add_test(tests, plugins_add_keys_and_narrow_those_of_the_core);
    tcase_add_test(tests, a_wrong_description_is_a_defect_of_the_plugin);
    tcase_add_test(tests, the_schema_of_a_file_stands_alone);
    tcase_add_test(tests, schemas_of_the_library_compile);
    tcase_add_test(tests, every_key_has_a_title);
    tcase_add_test(tests, a_thousand_nodes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
