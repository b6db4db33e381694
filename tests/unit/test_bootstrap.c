/* test_bootstrap.c - specifiers in the bootstraps of a spec */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/bootstrap/bootstrap.h"

static const char choices_text[] = "{\"nodes\": {\"node1\": {\"address\": \"10.0.0.1\"}, \"node2\": {\"address\": \"10.0.0.2\"}}}";

/* The service command of node1 after resolving. */
static json_object *resolve(const char *string, memories_error **error)
{
    AUTO_JSON json_object *name = json_object_new_string(string);
    AUTO_FREE char *text =
        text_format("{\"nodes\": [{\"name\": \"node1\", \"bootstrap\": {\"services\": [{\"command\": [%s]}]}}], \"version\": 1}",
                    json_object_to_json_string(name));
    AUTO_JSON json_object *spec = json_parse(text, "spec", NULL);
    AUTO_JSON json_object *choices = json_parse(choices_text, "choices", NULL);
    return bootstrap_resolve(spec, choices, error);
}

static const char *command_of(json_object *spec)
{
    json_object *node = json_object_array_get_idx(json_get(spec, "nodes"), 0);
    json_object *service = json_object_array_get_idx(json_get(json_get(node, "bootstrap"), "services"), 0);
    return json_object_get_string(json_object_array_get_idx(json_get(service, "command"), 0));
}

static const struct {
    const char *given, *expected;
} good[] = {
    { "plain", "plain" },
    { "", "" },
    { "%n", "node1" },
    { "https://%a:2379", "https://10.0.0.1:2379" },
    { "%{node2}", "10.0.0.2" },
    { "node1=%{node1},node2=%{node2}", "node1=10.0.0.1,node2=10.0.0.2" },
    { "%c/tls %d/data %l/log", "%c/tls %d/data %l/log" },
    { "100%%n", "100%%n" },
    { "%%%n", "%%node1" },
    { "{node2}", "{node2}" },
};

START_TEST(specifiers_are_replaced)
{
    memories_error *error = NULL;
    AUTO_JSON json_object *spec = resolve(good[_i].given, &error);
    ck_assert_msg(spec != NULL, "%s", memories_error_message(error));
    ck_assert_str_eq(command_of(spec), good[_i].expected);
    ck_assert_int_eq(json_get_int(spec, "version", 0), 1);
}
END_TEST

static const struct {
    const char *given, *message;
} bad[] = {
    { "%x", "the specifier %x is not known" },
    { "ends with %", "the specifier % is not known" },
    { "%{node2", "the specifier %{ without } is not known" },
    { "%{node9}", "there is no address for node node9" },
    { "%{}", "there is no address for node " },
};

START_TEST(unknown_specifiers_are_errors)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *spec = resolve(bad[_i].given, &error);
    ck_assert_ptr_null(spec);
    ck_assert_str_eq(memories_error_message(error), bad[_i].message);
    ck_assert_ptr_nonnull(strstr(memories_error_where(error), "node node1"));
    ck_assert_ptr_nonnull(strstr(memories_error_where(error), bad[_i].given));
}
END_TEST

START_TEST(the_given_spec_is_not_changed)
{
    AUTO_JSON json_object *spec =
        json_parse("{\"nodes\": [{\"name\": \"node1\", \"bootstrap\": {\"commands\": [[\"%n\"]], \"ports\": [1]}}]}", "spec", NULL);
    AUTO_JSON json_object *before = json_copy(spec);
    AUTO_JSON json_object *choices = json_parse(choices_text, "choices", NULL);
    AUTO_JSON json_object *resolved = bootstrap_resolve(spec, choices, NULL);
    ck_assert_ptr_nonnull(resolved);
    ck_assert(json_equal(spec, before));
    ck_assert(!json_equal(spec, resolved));
}
END_TEST

/* A parsed number carries its own text, which a copy must do without. */
START_TEST(a_parsed_number_is_copied)
{
    AUTO_JSON json_object *parsed = json_parse("{\"swap\": 1.50, \"ram\": [0.1, 2.0]}", "spec", NULL);
    AUTO_JSON json_object *copy = json_copy(parsed);
    json_object_put(STEAL(parsed));
    AUTO_FREE char *text = json_text(copy);
    ck_assert_str_eq(text, "{\"swap\":1.5,\"ram\":[0.1,2.0]}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bootstrap");
    TCase *specifiers = tcase_create("specifiers");
    tcase_add_loop_test(specifiers, specifiers_are_replaced, 0, (int)ARRAY_COUNT(good));
    tcase_add_loop_test(specifiers, unknown_specifiers_are_errors, 0, (int)ARRAY_COUNT(bad));
    tcase_add_test(specifiers, the_given_spec_is_not_changed);
    tcase_add_test(specifiers, a_parsed_number_is_copied);
    suite_add_tcase(suite, specifiers);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
