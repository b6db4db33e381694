/* test_plugin_common.c - reports and results of in-tree plugins (plugins/common/plugin.c) */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "tests/unit/fake_host.h"

static struct memories_call *call;

static void setup(void)
{
    fake_host_reset();
    call = fake_call_new();
    ck_assert_int_eq(plugin_init(fake_host(), call), MEMORIES_OK);
}

static void teardown(void)
{
    fake_call_free(call);
}

START_TEST(fail_reports_everything_and_returns_the_code)
{
    ck_assert_int_eq(plugin_fail(call, MEMORIES_INVALID, "config.x", "do y", "found %d of %s", 2, "z"),
                     MEMORIES_INVALID);
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_int_eq(error->code, MEMORIES_INVALID);
    ck_assert_str_eq(error->message, "found 2 of z");
    ck_assert_str_eq(error->where, "config.x");
    ck_assert_str_eq(error->hint, "do y");
    ck_assert_ptr_null(error->cause);
}
END_TEST

START_TEST(errno_gives_code_and_cause)
{
    ck_assert_int_eq(plugin_fail_errno(call, EACCES, "/x", NULL, "/x can't be read"), MEMORIES_DENIED);
    ck_assert_str_eq(fake_call_error(call)->cause, "Permission denied");
    ck_assert_int_eq(plugin_fail_errno(call, ENOMEM, NULL, NULL, "x"), MEMORIES_NO_MEMORY);
    ck_assert_int_eq(plugin_fail_errno(call, ENOSPC, NULL, NULL, "x"), MEMORIES_FAILED);
}
END_TEST

START_TEST(results_are_given_and_freed)
{
    json_object *document = json_object_new_object();
    ck_assert_int_eq(json_set_string(document, "path", "a/b") | json_set_int(document, "count", 3), 0);
    ck_assert_int_eq(plugin_result(call, document), MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(call), "{\"path\":\"a/b\",\"count\":3}");
    ck_assert_int_eq(plugin_result(call, NULL), MEMORIES_NO_MEMORY);
}
END_TEST

START_TEST(operations_are_answered)
{
    json_object *outputs = json_object_new_object();
    json_set_string(outputs, "address", "127.0.0.1");
    plugin_operation_result(call, 0, MEMORIES_STATE_READY, outputs, 0);
    plugin_operation_result(call, 1, MEMORIES_STATE_PENDING, NULL, 50);
    plugin_operation_fail(call, 2, MEMORIES_CAPACITY, "node/a", NULL, "no %s", "room");
    plugin_operation_fail_errno(call, 3, EPERM, NULL, NULL, "not allowed");
    ck_assert_str_eq(json_get_string(fake_call_answer(call, 0)->outputs, "address"), "127.0.0.1");
    ck_assert_uint_eq(fake_call_answer(call, 1)->poll_after_ms, 50);
    ck_assert_ptr_null(fake_call_answer(call, 1)->outputs);
    ck_assert_int_eq(fake_call_answer(call, 2)->error.code, MEMORIES_CAPACITY);
    ck_assert_str_eq(fake_call_answer(call, 2)->error.message, "no room");
    ck_assert_int_eq(fake_call_answer(call, 3)->error.code, MEMORIES_DENIED);
    ck_assert_ptr_null(fake_call_answer(call, 4));
}
END_TEST

static const struct {
    const char *text;
    int32_t code;
    const char *message;
} bad_documents[] = {
    { "", MEMORIES_INTERNAL, "the request is not JSON: unexpected end of data" },
    { "{\"a\":1", MEMORIES_INTERNAL, "the request is not JSON: unexpected end of data" },
    { "{} x", MEMORIES_INTERNAL, "the request is not JSON: unexpected character" },
    { "{\"version\":2}", MEMORIES_UNSUPPORTED, "the request has version 2, this plugin knows up to 1" },
    { "[]", MEMORIES_INTERNAL, "the request is not a JSON object" },
};

START_TEST(bad_documents_are_refused)
{
    ck_assert_ptr_null(plugin_parse(call, bad_documents[_i].text, "request"));
    ck_assert_int_eq(fake_call_error(call)->code, bad_documents[_i].code);
    ck_assert_str_eq(fake_call_error(call)->message, bad_documents[_i].message);
}
END_TEST

START_TEST(good_documents_are_parsed)
{
    json_object *document = plugin_parse(call, "{\"version\":1,\"a\":[true,\"x\",7,null]}", "request");
    json_object *array = json_get_array(document, "a");
    ck_assert_uint_eq(json_count(array), 4);
    ck_assert_str_eq(json_object_get_string(json_at(array, 1)), "x");
    ck_assert_ptr_null(json_at(array, 4));
    ck_assert_ptr_null(json_get_string(document, "a"));
    ck_assert_int_eq(json_get_int(document, "b", 5), 5);
    ck_assert_ptr_null(fake_call_error(call));
    json_object_put(document);
}
END_TEST

START_TEST(setters_report_a_missing_container)
{
    ck_assert_int_eq(json_set_string(NULL, "x", "y"), MEMORIES_NO_MEMORY);
    ck_assert_int_eq(json_add_string(NULL, "y"), MEMORIES_NO_MEMORY);
    ck_assert_ptr_null(json_set_new_object(NULL, "x"));
    ck_assert_ptr_null(json_add_new_object(NULL));
}
END_TEST

int main(void)
{
    TCase *test_case = tcase_create("plugin");
    tcase_add_checked_fixture(test_case, setup, teardown);
    tcase_add_test(test_case, fail_reports_everything_and_returns_the_code);
    tcase_add_test(test_case, errno_gives_code_and_cause);
    tcase_add_test(test_case, results_are_given_and_freed);
    tcase_add_test(test_case, operations_are_answered);
    tcase_add_loop_test(test_case, bad_documents_are_refused, 0, (int)ARRAY_COUNT(bad_documents));
    tcase_add_test(test_case, good_documents_are_parsed);
    tcase_add_test(test_case, setters_report_a_missing_container);
    Suite *suite = suite_create("plugin_common");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
