/*
 * test_config_check.c - wrong configurations, each with its exact messages; examples; the combined schema; speed
 *
 * Configurations go through memories_validate with the plugins of this build and the provider local.
 */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/config/schema.h"
#include "tests/unit/cases.h"

static memories_context *context;

/* "ABSOLUTE/plugins/…/.libs:…"; what is not there is linked into the library (--enable-static-plugins). */
static char *plugin_path(void)
{
    static const char *const directories[] = { "topologies/standalone", "topologies/consensus", "topologies/swarmed",
                                               "providers/local" };
    const char *builddir = getenv("builddir");
    struct text path = TEXT_INIT;
    for (size_t i = 0; i < ARRAY_COUNT(directories); i++) {
        AUTO_FREE char *relative = text_format("%s/plugins/%s/.libs", builddir ? builddir : ".", directories[i]);
        AUTO_FREE char *absolute = realpath(relative, NULL);
        if (absolute)
            text_printf(&path, "%s%s", path.length ? ":" : "", absolute);
    }
    return text_take(&path);
}

static void set_up(void)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_FREE char *path = plugin_path();
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.plugin_path = path;
    options.state_dir = "/nowhere"; /* nothing is written */
    context = memories_context_new(&options, &error);
    ck_assert_msg(context != NULL, "%s", error ? memories_error_text(error) : "");
}

static void tear_down(void)
{
    memories_context_free(context);
}

static char *source_path(const char *path)
{
    const char *srcdir = getenv("srcdir");
    return text_format("%s/%s", srcdir ? srcdir : ".", path);
}

/* What is wrong with a configuration; "" when nothing is. */
static char *check_text(const char *topology, const char *text)
{
    AUTO_ERROR memories_error *error = NULL;
    memories_config *config = memories_config_parse(context, text, strlen(text), "x.yaml", &error);
    if (!config)
        return memories_error_text(error);
    ck_assert_int_eq(memories_config_set_topology(config, topology, NULL), 0);
    ck_assert_int_eq(memories_config_set_provider(config, "local", NULL), 0);
    int failed = memories_validate(context, config, NULL, &error);
    ck_assert_msg(failed == 0 || failed == MEMORIES_INVALID, "%s", error ? memories_error_text(error) : "");
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

static void check_example(const char *name, json_object *expected)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_FREE char *relative = text_format("examples/%s.yaml", name);
    AUTO_FREE char *path = source_path(relative);
    memories_config *config = memories_config_load(context, path, &error);
    ck_assert_msg(config != NULL, "%s", error ? memories_error_text(error) : "");
    ck_assert_str_eq(memories_config_topology(config), json_get_string(expected, "topology"));
    ck_assert_str_eq(memories_config_provider(config), json_get_string(expected, "provider"));
    ck_assert_msg(json_equal(config->config, json_get(expected, "config")), "%s is not what the guide says", name);

    ck_assert_int_eq(memories_config_set_provider(config, "local", NULL), 0);
    int failed = memories_validate(context, config, NULL, &error);
    /* Nodes of a swarm need what only root can give them on this machine; all the rest has been checked by then. */
    bool refused = !strcmp(memories_config_topology(config), "swarmed") && failed == MEMORIES_DENIED && geteuid() != 0;
    ck_assert_msg(failed == 0 || refused, "%s", error ? memories_error_text(error) : "");
    memories_config_free(config);
}

START_TEST(examples_are_the_configurations_of_the_guide)
{
    AUTO_FREE char *path = source_path("tests/data/guide.json");
    AUTO_JSON json_object *guide = json_object_from_file(path);
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
    AUTO_FREE char *text = memories_schema(context, "consensus", "nowhere", NULL);
    ck_assert_ptr_null(text);
    text = memories_schema(context, "consensus", "local", &error);
    AUTO_JSON json_object *document = json_parse(text, "the schema of files", &error);
    struct schema *schema = schema_compile(document, "the schema of files", &error);
    ck_assert_msg(schema != NULL, "%s", error ? memories_error_text(error) : "");
    AUTO_JSON json_object *file = json_tokener_parse("{\"topology\": \"consensus\", \"provider\": \"local\","
                                                     " \"config\": {\"region\": \"here\"}}");
    ck_assert_int_eq(schema_require(schema, file, "file", &error), 0);
    json_set_string(json_get(file, "config"), "region", "no region");
    ck_assert_int_eq(schema_require(schema, file, "file", &error), MEMORIES_INVALID);
    ck_assert_str_eq(memories_error_where(error), "file.config.region");
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

START_TEST(a_thousand_nodes)
{
    struct text text = TEXT_INIT;
    text_append(&text, "nodes:\n");
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "  - {id: node%d, machine_type: n2-standard-2, zone: us-west1-a}\n", i);
    AUTO_FREE char *bytes = text_take(&text);
    AUTO_FREE char *found = combine(
        TOPOLOGY("\"properties\": {\"nodes\": {\"uniqueItems\": true, \"items\": {\"$ref\": \"#/$defs/machine\","
                 " \"properties\": {\"id\": {\"type\": \"string\"}}, \"unevaluatedProperties\": false}}}"),
        PROVIDER(""), bytes);
    ck_assert_str_eq(found, "");
}
END_TEST

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a failing test ends without flushing */
    Suite *suite = suite_create("config check");
    TCase *tests = tcase_create("config check");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
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
