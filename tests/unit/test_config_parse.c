/* test_config_parse.c - text to tree, its limits, lines; whole files and bare ones; path=value */
#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "tests/unit/cases.h"

/* ---- The table --------------------------------------------------------------------------------------------------- */

/* The tree as JSON, or the error. */
static char *parse(const char *text, size_t bytes)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *tree = config_parse_text(text, bytes, "file", &error);
    ck_assert((tree == NULL) == (error != NULL));
    return tree ? json_text(tree) : memories_error_text(error);
}

START_TEST(texts)
{
    AUTO_JSON json_object *file = cases_load("parse.yaml");
    json_object *cases = json_get_array(file, "cases");
    unsigned differing = 0;
    ck_assert_uint_ge(json_count(cases), 60);
    for (size_t i = 0; i < json_count(cases); i++) {
        json_object *one = json_object_array_get_idx(cases, i);
        const char *text = json_get_string(one, "text");
        AUTO_FREE char *found = parse(text, strlen(text));
        differing += cases_differ(one, found);
    }
    ck_assert_msg(differing == 0, "%u of %zu cases differ", differing, json_count(cases));
}
END_TEST

/* ---- Bytes that a text file can't hold --------------------------------------------------------------------------- */

START_TEST(not_utf8)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "a: 1\nb: x\xff\n", "file:2:5: this is not UTF-8 text" },
        { "a: \xc3(\n", "file:1:5: this is not UTF-8 text" },
        { "a: \xc0\xaf\n", "file:1:4: this is not UTF-8 text" },
        { "\xff\xfe"
          "a\0:\0",
          "file:1:1: this is not UTF-8 text" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_FREE char *found = parse(cases[i].text, strlen(cases[i].text));
        ck_assert_str_eq(found, cases[i].expected);
    }
}
END_TEST

START_TEST(a_nul_byte)
{
    AUTO_FREE char *found = parse("a: 1\0b: 2\n", 10);
    ck_assert_str_eq(found, "file:1:5: a control character stands here");
}
END_TEST

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

/* Nine levels of ten aliases each: a thousand million values from ten lines. */
START_TEST(billion_laughs)
{
    struct text text = TEXT_INIT;
    text_append(&text, "a0: &a0 lol\n");
    for (int i = 1; i < 10; i++) {
        text_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            text_printf(&text, "%s*a%d", j ? ", " : "", i - 1);
        text_append(&text, "]\n");
    }
    AUTO_FREE char *bytes = text_take(&text);
    AUTO_FREE char *found = parse(bytes, strlen(bytes));
    ck_assert_str_eq(found,
                     "file:6:45: there are more than 100000 values (aliases count with all that they stand for)");
}
END_TEST

static char *repeat(const char *first, const char *again, unsigned count, const char *last)
{
    struct text text = TEXT_INIT;
    text_append(&text, first);
    for (unsigned i = 0; i < count; i++)
        text_append(&text, again);
    text_append(&text, last);
    return text_take(&text);
}

START_TEST(too_many_values)
{
    AUTO_FREE char *most = repeat("a: [", "1, ", CONFIG_VALUES_MAX - 2, "]");
    AUTO_FREE char *more = repeat("a: [", "1, ", CONFIG_VALUES_MAX - 1, "]");
    AUTO_FREE char *tree = parse(most, strlen(most));
    AUTO_FREE char *found = parse(more, strlen(more));
    ck_assert_int_eq(tree[0], '{');
    ck_assert_str_eq(found,
                     "file:1:299999: there are more than 100000 values (aliases count with all that they stand for)");
}
END_TEST

START_TEST(too_deep)
{
    AUTO_FREE char *deepest = repeat("a: ", "[", JSON_DEPTH_MAX - 1, "");
    AUTO_FREE char *most = repeat(deepest, "]", JSON_DEPTH_MAX - 1, "");
    AUTO_FREE char *more = repeat("a: ", "[", JSON_DEPTH_MAX, "");
    AUTO_FREE char *very_much_more = repeat("a: ", "[", 500000, "");
    AUTO_FREE char *tree = parse(most, strlen(most));
    AUTO_FREE char *found = parse(more, strlen(more));
    AUTO_FREE char *found_much = parse(very_much_more, strlen(very_much_more));
    ck_assert_int_eq(tree[0], '{');
    ck_assert_str_eq(found, "file:1:67: values are nested more than 64 deep");
    ck_assert_str_eq(found_much, "file:1:67: values are nested more than 64 deep");
}
END_TEST

START_TEST(too_deep_by_aliases)
{
    struct text text = TEXT_INIT;
    text_append(&text, "a0: &a0 1\n");
    for (int i = 1; i < 70; i++)
        text_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    AUTO_FREE char *bytes = text_take(&text);
    AUTO_FREE char *found = parse(bytes, strlen(bytes));
    ck_assert_str_eq(found, "file:64:12: values are nested more than 64 deep");
}
END_TEST

START_TEST(too_large)
{
    AUTO_FREE char *most = repeat("a: 1 #", "x", CONFIG_BYTES_MAX - 6, "");
    AUTO_FREE char *more = repeat("a: 1 #", "x", CONFIG_BYTES_MAX - 5, "");
    AUTO_FREE char *tree = parse(most, strlen(most));
    AUTO_FREE char *found = parse(more, strlen(more));
    ck_assert_str_eq(tree, "{\"a\":1}");
    ck_assert_str_eq(found, "file: it has 1048577 bytes; a configuration has at most 1048576");
}
END_TEST

/* ---- Numbers in every locale ------------------------------------------------------------------------------------- */

START_TEST(a_decimal_comma)
{
    static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "C.UTF-8" };
    for (size_t i = 0; i < ARRAY_COUNT(locales) && !setlocale(LC_ALL, locales[i]); i++)
        continue;
    AUTO_FREE char *found = parse("a: 1.5\nb: 1e-7\n", 15);
    setlocale(LC_ALL, "C");
    ck_assert_str_eq(found, "{\"a\":1.5,\"b\":1e-07}");
}
END_TEST

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

START_TEST(lines)
{
    static const char text[] = "# comment\n"    /* 1 */
                               "a:\n"           /* 2 */
                               "  b: &b\n"      /* 3 */
                               "    c: 5\n"     /* 4 */
                               "  d:\n"         /* 5 */
                               "    - x\n"      /* 6 */
                               "    - y: 1\n"   /* 7 */
                               "      z: 2.5\n" /* 8 */
                               "e: *b\n";       /* 9 */
    AUTO_JSON json_object *tree = config_parse_text(text, strlen(text), "file", NULL);
    json_object *a = json_get(tree, "a"), *b = json_get(a, "b"), *d = json_get(a, "d");
    json_object *second = json_object_array_get_idx(d, 1);
    ck_assert_uint_eq(config_line(tree), 2);
    ck_assert_uint_eq(config_line(a), 2);
    ck_assert_uint_eq(config_line(b), 3);
    ck_assert_uint_eq(config_line(json_get(b, "c")), 4);
    ck_assert_uint_eq(config_line(d), 5);
    ck_assert_uint_eq(config_line(json_object_array_get_idx(d, 0)), 6);
    ck_assert_uint_eq(config_line(second), 7);
    ck_assert_uint_eq(config_line(json_get(second, "y")), 7);
    ck_assert_uint_eq(config_line(json_get(second, "z")), 0);
    ck_assert_uint_eq(config_line(json_get(tree, "e")), 9);
    ck_assert_uint_eq(config_line(json_get(json_get(tree, "e"), "c")), 4);
    ck_assert_uint_eq(config_line(NULL), 0);
    AUTO_JSON json_object *copy = json_copy(tree);
    ck_assert_uint_eq(config_line(copy), 0);
}
END_TEST

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* The configuration as one line of JSON, or the error. */
static char *load(const char *text)
{
    AUTO_ERROR memories_error *error = NULL;
    memories_config *config = memories_config_parse(NULL, text, strlen(text), "file.yaml", &error);
    if (!config)
        return memories_error_text(error);
    AUTO_FREE char *pretty = memories_config_json(config);
    AUTO_JSON json_object *tree = json_tokener_parse(pretty);
    memories_config_free(config);
    return json_text(tree);
}

START_TEST(whole_and_bare_files)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "region: x\n", "{\"topology\":null,\"provider\":null,\"name\":null,\"config\":{\"region\":\"x\"}}" },
        { "topology: standalone\nprovider: aws\nname: web\nconfig: {region: x}\n",
          "{\"topology\":\"standalone\",\"provider\":\"aws\",\"name\":\"web\",\"config\":{\"region\":\"x\"}}" },
        { "topology: standalone\n", "{\"topology\":\"standalone\",\"provider\":null,\"name\":null,\"config\":{}}" },
        { "config:\n", "{\"topology\":null,\"provider\":null,\"name\":null,\"config\":{}}" },
        { "topology: standalone\nprovidr: aws\n",
          "file.yaml:2: providr: `providr` is not a known key\n  did you mean `provider`?" },
        { "topology: standalone\nregion: x\n",
          "file.yaml:2: region: `region` is not a known key\n"
          "  beside topology, provider and name, everything belongs under `config`" },
        { "topology: 5\n", "file.yaml:1: topology: expected a string, found 5" },
        { "topology: Standalone\n",
          "file.yaml:1: topology: \"Standalone\" can't be the name of a topology\n"
          "  such a name has at most 31 lower-case letters, digits and underscores, a letter first" },
        { "provider: ../aws\n",
          "file.yaml:1: provider: \"../aws\" can't be the name of a provider\n"
          "  such a name has at most 31 lower-case letters, digits and underscores, a letter first" },
        { "name: web-\n",
          "file.yaml:1: name: \"web-\" can't be the name of a deployment\n"
          "  such a name has at most 63 lower-case letters, digits and hyphens, a letter first, no hyphen last" },
        { "config: [1]\n", "file.yaml:1: config: expected a mapping, found a list" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_FREE char *found = load(cases[i].text);
        ck_assert_str_eq(found, cases[i].expected);
    }
}
END_TEST

START_TEST(no_file)
{
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(memories_config_load(NULL, "/nowhere/x.yaml", &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_NOT_FOUND);
    ck_assert_str_eq(memories_error_message(error), "can't open /nowhere/x.yaml");
}
END_TEST

/* ---- path=value -------------------------------------------------------------------------------------------------- */

START_TEST(assignments)
{
    static const struct {
        const char *assignment, *expected;
    } cases[] = {
        { "region=us-west1", "{\"list\":[{\"id\":\"a\"}],\"n\":5,\"region\":\"us-west1\"}" },
        { "config.region=us-west1", "{\"list\":[{\"id\":\"a\"}],\"n\":5,\"region\":\"us-west1\"}" },
        { "n=6", "{\"list\":[{\"id\":\"a\"}],\"n\":6}" },
        { "n='6'", "{\"list\":[{\"id\":\"a\"}],\"n\":\"6\"}" },
        { "n=", "{\"list\":[{\"id\":\"a\"}],\"n\":null}" },
        { "n=a=b", "{\"list\":[{\"id\":\"a\"}],\"n\":\"a=b\"}" },
        { "n=[1, {a: true}]", "{\"list\":[{\"id\":\"a\"}],\"n\":[1,{\"a\":true}]}" },
        { "network.subnets.public.cidr=10.0.1.0/24",
          "{\"list\":[{\"id\":\"a\"}],\"n\":5,\"network\":{\"subnets\":{\"public\":{\"cidr\":\"10.0.1.0/24\"}}}}" },
        { "list[0].zone=z", "{\"list\":[{\"id\":\"a\",\"zone\":\"z\"}],\"n\":5}" },
        { "list[1].id=b", "{\"list\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"n\":5}" },
        { "list[0]=x", "{\"list\":[\"x\"],\"n\":5}" },
        { "new[0][0].a=1", "{\"list\":[{\"id\":\"a\"}],\"n\":5,\"new\":[[{\"a\":1}]]}" },
        { "list[2].id=b", "list[2].id=b: there is no item [2]: the list has 1" },
        { "new[1]=b", "new[1]=b: there is no item [1]: the list has 0" },
        { "n.x=1", "n.x=1: there can't be a key `x` in what is no mapping" },
        { "list.x=1", "list.x=1: there can't be a key `x` in what is no mapping" },
        { "n[0]=1", "n[0]=1: there can't be an item [0] in what is no list" },
        { "n", "n: \"n\" is not a path of keys\n  write network.cidr=10.0.0.0/16 or node_specs[0].zone=us-west1-a" },
        { "=1", "=1: \"\" is not a path of keys\n  write network.cidr=10.0.0.0/16 or node_specs[0].zone=us-west1-a" },
        { "a..b=1",
          "a..b=1: \"a..b\" is not a path of keys\n  write network.cidr=10.0.0.0/16 or node_specs[0].zone=us-west1-a" },
        { "a.=1",
          "a.=1: \"a.\" is not a path of keys\n  write network.cidr=10.0.0.0/16 or node_specs[0].zone=us-west1-a" },
        { "list[x]=1", "list[x]=1: \"list[x]\" is not a path of keys\n  write network.cidr=10.0.0.0/16 or "
                       "node_specs[0].zone=us-west1-a" },
        { "list[0]id=1", "list[0]id=1: \"list[0]id\" is not a path of keys\n  write network.cidr=10.0.0.0/16 or "
                         "node_specs[0].zone=us-west1-a" },
        { "n=[1", "n=[1: did not find expected ',' or ']' (while parsing a flow sequence that began on line 1)" },
    };
    static const char text[] = "list: [{id: a}]\nn: 5\n";
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_ERROR memories_error *error = NULL;
        memories_config *config = memories_config_parse(NULL, text, strlen(text), "file", NULL);
        int failed = memories_config_set(config, cases[i].assignment, &error);
        AUTO_FREE char *found = failed ? memories_error_text(error) : json_text(config->config);
        ck_assert_str_eq(found, cases[i].expected);
        /* A failed assignment leaves everything as it was. */
        AUTO_FREE char *after = json_text(config->config);
        ck_assert(!failed || !strcmp(after, "{\"list\":[{\"id\":\"a\"}],\"n\":5}"));
        memories_config_free(config);
    }
}
END_TEST

START_TEST(a_thousand_nodes)
{
    struct text text = TEXT_INIT;
    text_append(&text, "node_specs:\n");
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "  - id: node%d\n    machine_type: n2-standard-2\n    zone: us-west1-a\n", i);
    AUTO_FREE char *bytes = text_take(&text);
    AUTO_FREE char *found = parse(bytes, strlen(bytes));
    ck_assert_int_eq(found[0], '{');
}
END_TEST

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a failing test ends without flushing */
    Suite *suite = suite_create("config parse");
    TCase *tests = tcase_create("config parse");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, texts);
    tcase_add_test(tests, not_utf8);
    tcase_add_test(tests, a_nul_byte);
    tcase_add_test(tests, billion_laughs);
    tcase_add_test(tests, too_many_values);
    tcase_add_test(tests, too_deep);
    tcase_add_test(tests, too_deep_by_aliases);
    tcase_add_test(tests, too_large);
    tcase_add_test(tests, a_decimal_comma);
    tcase_add_test(tests, lines);
    tcase_add_test(tests, whole_and_bare_files);
    tcase_add_test(tests, no_file);
    tcase_add_test(tests, assignments);
    tcase_add_test(tests, a_thousand_nodes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
