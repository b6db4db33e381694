/* test_schema.c - the JSON Schema validator: messages, refusals of wrong schemas, the public test suite */
#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/config/schema.h"
#include "tests/unit/cases.h"

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

static void add_line(const char *path, json_object *value, const char *message, const char *hint, void *user_data)
{
    struct text *out = user_data;
    (void)value;
    text_printf(out, "%s%s: %s", out->length ? "\n" : "", path, message);
    if (hint)
        text_printf(out, "\n  %s", hint);
}

/* What a schema says about a value, or what is wrong with the schema itself. */
static char *say(json_object *document, json_object *value)
{
    struct text out = TEXT_INIT;
    AUTO_ERROR memories_error *error = NULL;
    struct schema *schema = schema_compile(document, "the schema", &error);
    if (!schema) {
        ck_assert_int_eq(memories_error_code(error), MEMORIES_INTERNAL);
        return memories_error_text(error);
    }
    unsigned count = schema_check(schema, value, "v", add_line, &out);
    ck_assert_int_eq(count == 0, out.length == 0);
    schema_free(schema);
    return text_take(&out);
}

static void run_cases(const char *list, size_t at_least)
{
    AUTO_JSON json_object *file = cases_load("schema-messages.yaml");
    json_object *cases = json_get_array(file, list);
    unsigned differing = 0;
    ck_assert_uint_ge(json_count(cases), at_least);
    for (size_t i = 0; i < json_count(cases); i++) {
        json_object *one = json_object_array_get_idx(cases, i);
        AUTO_FREE char *found = say(json_get(one, "schema"), json_get(one, "value"));
        differing += cases_differ(one, found);
    }
    ck_assert_msg(differing == 0, "%u of %zu cases differ", differing, json_count(cases));
}

START_TEST(messages)
{
    run_cases("messages", 50);
}
END_TEST

START_TEST(wrong_schemas)
{
    run_cases("wrong_schemas", 20);
}
END_TEST

START_TEST(at_most_a_hundred_problems)
{
    AUTO_JSON json_object *document = json_tokener_parse("{\"items\": {\"type\": \"string\"}}");
    AUTO_JSON json_object *value = json_object_new_array();
    for (int i = 0; i < 1000; i++)
        json_add(value, json_object_new_int(i));
    struct text out = TEXT_INIT;
    struct schema *schema = schema_compile(document, "the schema", NULL);
    ck_assert_uint_eq(schema_check(schema, value, "v", add_line, &out), 100);
    text_clear(&out);
    schema_free(schema);
}
END_TEST

START_TEST(require_gives_the_first_problem)
{
    AUTO_JSON json_object *document = json_tokener_parse("{\"items\": {\"type\": \"string\"}}");
    AUTO_JSON json_object *wrong = json_tokener_parse("[\"a\", 1, 2]");
    AUTO_JSON json_object *right = json_tokener_parse("[\"a\"]");
    AUTO_ERROR memories_error *error = NULL;
    struct schema *schema = schema_compile(document, "the schema", NULL);
    ck_assert_int_eq(schema_require(schema, right, "v", &error), 0);
    ck_assert_ptr_null(error);
    ck_assert_int_eq(schema_require(schema, wrong, "v", &error), MEMORIES_INVALID);
    AUTO_FREE char *text = memories_error_text(error);
    ck_assert_str_eq(text, "v[1]: expected a string, found 1\n  put it into quotes: \"1\"");
    schema_free(schema);
}
END_TEST

/* Alternatives that multiply with each level would take for ever; the check gives up instead, and never says "fits". */
START_TEST(endless_work_is_given_up)
{
    struct text text = TEXT_INIT;
    text_append(&text, "{\"$ref\": \"#/$defs/d0\", \"$defs\": {");
    for (int i = 0; i < 40; i++)
        text_printf(&text, "\"d%d\": {\"allOf\": [{\"$ref\": \"#/$defs/d%d\"}, {\"$ref\": \"#/$defs/d%d\"}]},", i,
                    i + 1, i + 1);
    text_append(&text, "\"d40\": {\"type\": \"string\"}}}");
    AUTO_FREE char *bytes = text_take(&text);
    AUTO_JSON json_object *document = json_tokener_parse(bytes);
    AUTO_JSON json_object *value = json_object_new_string("x");
    AUTO_FREE char *found = say(document, value);
    ck_assert_str_eq(found, "#: the schema is wrong: its references go round in a circle, or are more than 64 deep");
}
END_TEST

START_TEST(multiplying_alternatives_are_given_up)
{
    struct text text = TEXT_INIT;
    text_append(&text, "{\"$ref\": \"#/$defs/d0\", \"$defs\": {");
    for (int i = 0; i < 28; i++)
        text_printf(&text, "\"d%d\": {\"allOf\": [{\"$ref\": \"#/$defs/d%d\"}, {\"$ref\": \"#/$defs/d%d\"}]},", i,
                    i + 1, i + 1);
    text_append(&text, "\"d28\": {\"type\": \"string\"}}}");
    AUTO_FREE char *bytes = text_take(&text);
    AUTO_JSON json_object *document = json_tokener_parse(bytes);
    AUTO_JSON json_object *value = json_object_new_string("x");
    AUTO_FREE char *found = say(document, value);
    ck_assert_str_eq(found, "v: is too complex to be checked");
}
END_TEST

/* ---- The public suite (JSON-Schema-Test-Suite, draft 2020-12) ---------------------------------------------------- */

/* What is left out, and why. group NULL: the whole file. */
static const struct {
    const char *file, *group, *why;
} left_out[] = {
    { "anchor.json", NULL, "keyword $anchor is refused: references are JSON pointers" },
    { "content.json", NULL, "content keywords are refused" },
    { "defs.json", NULL, "references to other documents are refused" },
    { "dependentSchemas.json", NULL, "keyword dependentSchemas is refused: if and then say the same" },
    { "dynamicRef.json", NULL, "dynamic references are refused" },
    { "refRemote.json", NULL, "references to other documents are refused" },
    { "unevaluatedItems.json", NULL, "keyword is refused" },
    { "vocabulary.json", NULL, "keyword $vocabulary is refused" },
    { "format.json", NULL, "says that formats are never checked: here they are (optional/format is run instead)" },
    { "additionalProperties.json", "dependentSchemas with additionalProperties",
      "keyword dependentSchemas is refused: if and then say the same" },
    { "unevaluatedProperties.json", "unevaluatedProperties with dependentSchemas",
      "keyword dependentSchemas is refused: if and then say the same" },
    { "unevaluatedProperties.json", "dependentSchemas with unevaluatedProperties",
      "keyword dependentSchemas is refused: if and then say the same" },
    { "unevaluatedProperties.json", "unevaluatedProperties with $dynamicRef", "dynamic references are refused" },
    { "pattern.json", "pattern with Unicode property escape requires unicode mode",
      "patterns are POSIX extended: no \\p" },
    { "patternProperties.json", "patternProperties with Unicode property escape",
      "patterns are POSIX extended: no \\p" },
    { "enum.json", "empty enum", "an enum without values is refused" },
    { "ref.json", "escaped pointer ref", "references are not percent-decoded" },
    { "ref.json", "refs with quote", "references are not percent-decoded" },
    { "ref.json", "remote ref, containing refs itself", "references to other documents are refused" },
    { "ref.json", "Recursive references between schemas", "an $id below the top is refused" },
    { "ref.json", "refs with relative uris and defs", "an $id below the top is refused" },
    { "ref.json", "relative refs with absolute uris and defs", "an $id below the top is refused" },
    { "ref.json", "$id must be resolved against nearest parent, not just immediate parent",
      "an $id below the top is refused" },
    { "ref.json", "order of evaluation: $id and $ref", "an $id below the top is refused" },
    { "ref.json", "order of evaluation: $id and $anchor and $ref", "an $id below the top is refused" },
    { "ref.json", "order of evaluation: $id and $ref on nested schema", "an $id below the top is refused" },
    { "ref.json", "simple URN base URI with $ref via the URN", "an $id below the top is refused" },
    { "ref.json", "URN base URI with URN and JSON pointer ref", "an $id below the top is refused" },
    { "ref.json", "URN base URI with URN and anchor ref", "an $id below the top is refused" },
    { "ref.json", "URN ref with nested pointer ref", "an $id below the top is refused" },
    { "ref.json", "ref to if", "an $id below the top is refused" },
    { "ref.json", "ref to then", "an $id below the top is refused" },
    { "ref.json", "ref to else", "an $id below the top is refused" },
    { "ref.json", "ref with absolute-path-reference", "an $id below the top is refused" },
    { "hostname.json", "validation of A-label (punycode) host names", "internationalised names are not decoded" },
};

static unsigned groups_run, groups_refused, tests_run;

static const char *why_left_out(const char *file, const char *group)
{
    for (size_t i = 0; i < ARRAY_COUNT(left_out); i++)
        if (!strcmp(left_out[i].file, file) && (!left_out[i].group || !strcmp(left_out[i].group, group)))
            return left_out[i].why;
    return NULL;
}

static void ignore_problem(const char *path, json_object *value, const char *message, const char *hint, void *user_data)
{
    (void)path;
    (void)value;
    (void)message;
    (void)hint;
    (void)user_data;
}

static unsigned run_group(const char *file, json_object *group)
{
    AUTO_ERROR memories_error *error = NULL;
    const char *description = json_get_string(group, "description");
    struct schema *schema = schema_compile(json_get(group, "schema"), "schema", &error);
    if (!schema) {
        printf("%s: %s: %s\n", file, description, memories_error_message(error));
        return 1;
    }
    unsigned wrong = 0;
    json_object *tests = json_get_array(group, "tests");
    for (size_t i = 0; i < json_count(tests); i++) {
        json_object *test = json_object_array_get_idx(tests, i);
        bool valid = schema_check(schema, json_get(test, "data"), "v", ignore_problem, NULL) == 0;
        tests_run++;
        if (valid == json_get_bool(test, "valid", true))
            continue;
        printf("%s: %s: %s: is said to be %s\n", file, description, json_get_string(test, "description"),
               valid ? "valid" : "invalid");
        wrong++;
    }
    schema_free(schema);
    return wrong;
}

static unsigned run_file(const char *directory, const char *file)
{
    AUTO_FREE char *path = text_format("%s/%s", directory, file);
    AUTO_JSON json_object *groups = json_object_from_file(path);
    unsigned wrong = 0;
    for (size_t i = 0; i < json_count(groups); i++) {
        json_object *group = json_object_array_get_idx(groups, i);
        const char *why = why_left_out(file, json_get_string(group, "description"));
        groups_run += !why;
        groups_refused += why != NULL;
        if (!why)
            wrong += run_group(file, group);
    }
    return wrong;
}

static unsigned run_directory(const char *directory)
{
    unsigned wrong = 0;
    DIR *listing = opendir(directory);
    ck_assert_ptr_nonnull(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        size_t length = strlen(entry->d_name);
        if (length > 5 && !strcmp(entry->d_name + length - 5, ".json"))
            wrong += run_file(directory, entry->d_name);
    }
    closedir(listing);
    return wrong;
}

START_TEST(public_suite)
{
    static const char *const formats[] = { "date-time.json", "hostname.json", "ipv4.json", "ipv6.json" };
    const char *directory = getenv("JSON_SCHEMA_TEST_SUITE");
    if (!directory) {
        printf("skipped: JSON_SCHEMA_TEST_SUITE does not name a copy of"
               " https://github.com/json-schema-org/JSON-Schema-Test-Suite\n");
        return;
    }
    AUTO_FREE char *suite = text_format("%s/tests/draft2020-12", directory);
    AUTO_FREE char *format = text_format("%s/optional/format", suite);
    unsigned wrong = run_directory(suite);
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++)
        wrong += run_file(format, formats[i]);
    printf("JSON Schema test suite: %u tests of %u groups; %u groups left out\n", tests_run, groups_run,
           groups_refused);
    ck_assert_msg(wrong == 0, "%u tests go wrong", wrong);
}
END_TEST

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a failing test ends without flushing */
    Suite *suite = suite_create("schema");
    TCase *tests = tcase_create("schema");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, messages);
    tcase_add_test(tests, wrong_schemas);
    tcase_add_test(tests, at_most_a_hundred_problems);
    tcase_add_test(tests, require_gives_the_first_problem);
    tcase_add_test(tests, endless_work_is_given_up);
    tcase_add_test(tests, multiplying_alternatives_are_given_up);
    tcase_add_test(tests, public_suite);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
