/* test_aws_client.c - requests and replies of the protocols, errors, renewed credentials, a wrong clock, lists in pages
 */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/providers/aws/client.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/query.h"
#include "plugins/providers/aws/xml.h"
#include "tests/unit/aws_fixture.h"

#define EC2 "https://ec2.us-west-2.amazonaws.com/"
#define EC2_ERROR(code)                                                                \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>" code \
    "</Code><Message>some words</Message></Error></Errors><RequestID>r-1</RequestID></Response>"

static struct aws_client client;

static void set_up(void)
{
    aws_set_up();
    setenv("AWS_ACCESS_KEY_ID", "KEY", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    ck_assert_int_eq(aws_client_init(&client, NULL), 0);
}

static void tear_down(void)
{
    aws_client_clear(&client);
    aws_tear_down();
}

/* ---- Forms ---- */

static void expect_body(const struct aws_service *service, const char *parameters, const char *body)
{
    size_t bytes;
    AUTO_JSON json_object *json = json_tokener_parse(parameters);
    const char *found = query_body(call, service, "Do", json, &bytes);
    ck_assert_str_eq(found, body);
    ck_assert_uint_eq(bytes, strlen(body));
}

START_TEST(parameters_become_forms)
{
    expect_body(&aws_ec2,
                "{\"Filter\": [{\"Name\": \"tag:a\", \"Value\": [\"b c\", \"d&e=f\"]}], \"DryRun\": true, \"N\": 3}",
                "Action=Do&Version=2016-11-15&Filter.1.Name=tag%3Aa&Filter.1.Value.1=b%20c&Filter.1.Value.2=d%26e%3Df"
                "&DryRun=true&N=3");
    expect_body(&aws_iam, "{\"Tags\": [{\"Key\": \"k\", \"Value\": \"\"}], \"Empty\": []}",
                "Action=Do&Version=2010-05-08&Tags.member.1.Key=k&Tags.member.1.Value=");
    expect_body(&aws_sts, "{}", "Action=Do&Version=2011-06-15");
}
END_TEST

/* ---- XML ---- */

static void expect_json(const char *xml, const char *json)
{
    bool no_memory;
    AUTO_JSON json_object *found = xml_to_json(xml, strlen(xml), &no_memory);
    ck_assert(!no_memory);
    if (!json) {
        ck_assert_ptr_null(found);
        return;
    }
    ck_assert_str_eq(json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN), json);
}

START_TEST(xml_becomes_json)
{
    expect_json(
        "<R xmlns=\"http://ec2\"><requestId>r</requestId><set>\n <item><a>1</a></item><item><a>2</a><b/></item>\n"
        "</set><none/><t x=\"y\">a &amp; <![CDATA[<b>]]></t></R>",
        "{\"requestId\":\"r\",\"set\":[{\"a\":\"1\"},{\"a\":\"2\",\"b\":\"\"}],\"none\":\"\",\"t\":\"a & <b>\"}");
    expect_json("<R><Names><member>x</member></Names></R>", "{\"Names\":[\"x\"]}");
    expect_json("<R/>", "{}");
}
END_TEST

START_TEST(what_is_no_reply_is_refused)
{
    expect_json("", NULL);
    expect_json("<html><body>502", NULL);
    expect_json("{\"json\": 1}", NULL);
    expect_json("<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><r><x>&b;</x></r>", NULL);
    expect_json("<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>", NULL);
}
END_TEST

/* ---- Errors ---- */

static const struct {
    const char *code;
    int32_t status, result;
} codes[] = {
    { "RequestLimitExceeded", 503, MEMORIES_THROTTLED },
    { "Throttling", 400, MEMORIES_THROTTLED },
    { NULL, 429, MEMORIES_THROTTLED },
    { "InternalError", 500, MEMORIES_TRANSIENT },
    { "SomethingNew", 503, MEMORIES_TRANSIENT },
    { NULL, 502, MEMORIES_TRANSIENT },
    { "InsufficientInstanceCapacity", 500, MEMORIES_CAPACITY },
    { "Unsupported", 400, MEMORIES_CAPACITY },
    { "VcpuLimitExceeded", 400, MEMORIES_QUOTA },
    { "LimitExceededException", 400, MEMORIES_QUOTA },
    { "UnauthorizedOperation", 403, MEMORIES_DENIED },
    { "SomethingNew", 403, MEMORIES_DENIED },
    { "InvalidVpcID.NotFound", 400, MEMORIES_NOT_FOUND },
    { "NatGatewayNotFound", 400, MEMORIES_NOT_FOUND },
    { "NoSuchEntity", 404, MEMORIES_NOT_FOUND },
    { "InvalidGroup.Duplicate", 400, MEMORIES_CONFLICT },
    { "IdempotentParameterMismatch", 400, MEMORIES_CONFLICT },
    { "DependencyViolation", 400, MEMORIES_TRANSIENT },
    { "InvalidParameterValue", 400, MEMORIES_INVALID },
    { NULL, 400, MEMORIES_INVALID },
};

START_TEST(codes_count_before_the_status)
{
    ck_assert_int_eq(failure_code(codes[_i].code, codes[_i].status), codes[_i].result);
}
END_TEST

static struct aws_reply ask(const struct aws_service *service, int32_t expected)
{
    const struct aws_request request = { service, "Do", NULL };
    struct aws_reply reply;
    int32_t code = aws_send(&client, call, "us-west-2", &request, 1, &reply);
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_msg(code == MEMORIES_OK, "%d: %s", code, error ? error->message : "");
    ck_assert_msg(reply.error.code == expected, "%d: %s: %s", reply.error.code, reply.error.message, reply.error.cause);
    aws_script_done();
    return reply;
}

START_TEST(errors_of_all_protocols_are_read)
{
    static const struct aws_step steps[] = {
        { EC2, NULL, NULL, 400, EC2_ERROR("InvalidVpcID.NotFound"), { 0 } },
        { "https://iam.",
          NULL,
          NULL,
          409,
          "<ErrorResponse><Error><Type>Sender</Type><Code>EntityAlreadyExists</Code><Message>m</Message></Error>"
          "<RequestId>r-2</RequestId></ErrorResponse>",
          { 0 } },
        { "https://logs.",
          "X-Amz-Target: Logs_20140328.Do",
          NULL,
          400,
          "{\"__type\": \"com.amazonaws.logs#ResourceNotFoundException\", \"message\": \"m\"}",
          { 0 } },
        { "https://ssm.",
          NULL,
          NULL,
          400,
          "{\"Message\": \"m\"}",
          { "x-amzn-errortype: ParameterNotFound:http://x/", NULL } },
        { "https://monitoring.",
          "X-Amzn-Query-Mode: true",
          NULL,
          400,
          "{\"__type\": \"com.amazon#ResourceNotFound\"}",
          { "x-amzn-query-error: LimitExceeded;Sender", NULL } },
        { EC2, NULL, NULL, 503, "<html>", { "retry-after: 7", NULL } },
        { EC2, NULL, NULL, 200, "no XML", { 0 } },
        { EC2, NULL, NULL, 0, NULL, { 0 } },
    };
    static const struct {
        const struct aws_service *service;
        int32_t result;
        const char *code, *cause;
    } wanted[] = {
        { &aws_ec2, MEMORIES_NOT_FOUND, "InvalidVpcID.NotFound", "InvalidVpcID.NotFound: some words" },
        { &aws_iam, MEMORIES_CONFLICT, "EntityAlreadyExists", "EntityAlreadyExists: m" },
        { &aws_logs, MEMORIES_NOT_FOUND, "ResourceNotFoundException", "ResourceNotFoundException: m" },
        { &aws_ssm, MEMORIES_NOT_FOUND, "ParameterNotFound", "ParameterNotFound: m" },
        { &aws_cloudwatch, MEMORIES_QUOTA, "LimitExceeded", "LimitExceeded" },
        { &aws_ec2, MEMORIES_TRANSIENT, NULL, "HTTP status: 503" },
        { &aws_ec2, MEMORIES_TRANSIENT, NULL, "6 bytes that are no XML" },
        { &aws_ec2, MEMORIES_TRANSIENT, NULL, "connection refused" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        aws_script(&steps[i], 1);
        struct aws_reply reply = ask(wanted[i].service, wanted[i].result);
        ck_assert_pstr_eq(reply.code, wanted[i].code);
        ck_assert_str_eq(reply.error.cause, wanted[i].cause);
        ck_assert_uint_eq(reply.error.retry_after_ms, i == 5 ? 7000 : 0);
        aws_replies_clear(&reply, 1);
    }
}
END_TEST

START_TEST(results_are_unwrapped)
{
    static const struct aws_step steps[] = {
        { "https://iam.",
          "Action=Do&Version=2010-05-08",
          NULL,
          200,
          "<DoResponse><DoResult><Role><Arn>a</Arn></Role></DoResult><ResponseMetadata/></DoResponse>",
          { 0 } },
        { "https://logs.", "\n\n{}", NULL, 200, "", { 0 } },
    };
    aws_script(steps, 1);
    struct aws_reply reply = ask(&aws_iam, 0);
    ck_assert_str_eq(json_get_string(json_get_object(reply.document, "Role"), "Arn"), "a");
    aws_replies_clear(&reply, 1);
    aws_script(steps + 1, 1);
    reply = ask(&aws_logs, 0);
    ck_assert_ptr_nonnull(reply.document);
    aws_replies_clear(&reply, 1);
}
END_TEST

/* ---- Clock and credentials ---- */

START_TEST(a_wrong_clock_is_set_right_once)
{
    static const struct aws_step steps[] = {
        { EC2,
          "X-Amz-Date: 20260225T123456Z",
          NULL,
          400,
          EC2_ERROR("RequestExpired"),
          { "date: Wed, 25 Feb 2026 13:00:00 GMT", NULL } },
        { EC2, "X-Amz-Date: 20260225T130000Z", NULL, 200, "<R/>", { 0 } },
        { EC2, "X-Amz-Date: 20260225T130000Z", NULL, 200, "<R/>", { 0 } },
    };
    aws_script(steps, 2);
    struct aws_reply reply = ask(&aws_ec2, 0);
    aws_replies_clear(&reply, 1);
    ck_assert_ptr_nonnull(strstr(fake_call_log(call), "this machine's clock is -1504 s off"));
    aws_script(steps + 2, 1);
    reply = ask(&aws_ec2, 0);
    aws_replies_clear(&reply, 1);
}
END_TEST

START_TEST(a_clock_that_is_right_is_not_blamed)
{
    static const struct aws_step steps[] = {
        { EC2, NULL, NULL, 403, EC2_ERROR("SignatureDoesNotMatch"), { "date: Wed, 25 Feb 2026 12:35:30 GMT", NULL } }
    };
    aws_script(steps, 1);
    struct aws_reply reply = ask(&aws_ec2, MEMORIES_DENIED);
    aws_replies_clear(&reply, 1);
}
END_TEST

START_TEST(a_clock_that_stays_wrong_fails)
{
    static const struct aws_step steps[] = {
        { EC2, NULL, NULL, 400, EC2_ERROR("RequestExpired"), { "date: Wed, 25 Feb 2026 13:00:00 GMT", NULL } },
        { EC2, NULL, NULL, 400, EC2_ERROR("RequestExpired"), { "date: Wed, 25 Feb 2026 14:00:00 GMT", NULL } },
    };
    aws_script(steps, 2);
    struct aws_reply reply = ask(&aws_ec2, MEMORIES_DENIED);
    aws_replies_clear(&reply, 1);
}
END_TEST

/* Prints other keys each time it runs. */
static void use_process(const char *expiration)
{
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    aws_write(".aws/config", plugin_format(call,
                                           "[default]\ncredential_process = echo x >> ~/runs; printf '{\"Version\": 1, "
                                           "\"AccessKeyId\": \"KEY'$(wc -l < ~/runs)'\", \"SecretAccessKey\": \"s\", "
                                           "\"Expiration\": \"%s\"}'\n",
                                           expiration));
}

START_TEST(credentials_are_asked_for_once)
{
    static const struct aws_step steps[] = { { EC2, "Credential=KEY1/", NULL, 200, "<R/>", { 0 } },
                                             { EC2, "Credential=KEY1/", NULL, 200, "<R/>", { 0 } } };
    use_process("2026-02-25T13:34:56Z");
    for (int i = 0; i < 2; i++) {
        aws_script(&steps[i], 1);
        struct aws_reply reply = ask(&aws_ec2, 0);
        aws_replies_clear(&reply, 1);
    }
}
END_TEST

START_TEST(credentials_are_renewed_before_they_expire)
{
    static const struct aws_step steps[] = { { EC2, "Credential=KEY1/", NULL, 200, "<R/>", { 0 } },
                                             { EC2, "Credential=KEY2/", NULL, 200, "<R/>", { 0 } } };
    use_process("2026-02-25T13:34:56Z");
    for (int i = 0; i < 2; i++) {
        aws_script(&steps[i], 1);
        struct aws_reply reply = ask(&aws_ec2, 0);
        aws_replies_clear(&reply, 1);
        fake_host_set_now(AWS_TEST_NOW_MS + 51 * 60 * 1000);
    }
}
END_TEST

START_TEST(credentials_that_aws_calls_expired_are_renewed_once)
{
    static const struct aws_step steps[] = {
        { EC2,
          "Credential=KEY1/",
          NULL,
          400,
          EC2_ERROR("RequestExpired"),
          { "date: Wed, 25 Feb 2026 12:35:00 GMT", NULL } },
        { EC2, "Credential=KEY2/", NULL, 200, "<R/>", { 0 } },
    };
    use_process("2026-02-25T13:34:56Z");
    aws_script(steps, 2);
    struct aws_reply reply = ask(&aws_ec2, 0);
    aws_replies_clear(&reply, 1);
}
END_TEST

START_TEST(credentials_that_have_expired_are_told)
{
    const struct aws_request request = { &aws_ec2, "Do", NULL };
    struct aws_reply reply;
    setenv("AWS_CREDENTIAL_EXPIRATION", "2026-02-25T12:00:00Z", 1);
    ck_assert_int_eq(aws_send(&client, call, "us-west-2", &request, 1, &reply), MEMORIES_DENIED);
    ck_assert_str_eq(aws_error()->message, "the AWS credentials have expired: the environment (AWS_ACCESS_KEY_ID)");
}
END_TEST

/* ---- Lists ---- */

#define PAGE(items, token) "<R><set>" items "</set>" token "</R>"

START_TEST(lists_are_read_to_their_end_and_side_by_side)
{
    static const struct aws_step steps[] = {
        { EC2, "Action=A", "NextToken", 200, PAGE("<item><n>1</n></item>", "<nextToken>t1</nextToken>"), { 0 } },
        { EC2, "Action=B", "NextToken", 200, PAGE("<item><n>7</n></item>", ""), { 0 } },
        { EC2,
          "Action=A&Version=2016-11-15&MaxResults=2&NextToken=t1",
          NULL,
          200,
          PAGE("", "<nextToken>t2</nextToken>"),
          { 0 } },
        { EC2, "NextToken=t2", NULL, 200, PAGE("<item><n>2</n></item>", "<nextToken/>"), { 0 } },
    };
    struct aws_list lists[] = {
        { .service = &aws_ec2,
          .action = "A",
          .parameters = json_tokener_parse("{\"MaxResults\": 2}"),
          .member = "set",
          .token_parameter = "NextToken",
          .token_member = "nextToken" },
        { .service = &aws_ec2,
          .action = "B",
          .member = "set",
          .token_parameter = "NextToken",
          .token_member = "nextToken" },
    };
    aws_script(steps, ARRAY_COUNT(steps));
    ck_assert_int_eq(aws_collect(&client, call, "us-west-2", lists, 2), 0);
    aws_script_done();
    ck_assert_uint_eq(fake_host_http_batches(), 3);
    ck_assert_str_eq(json_object_to_json_string_ext(lists[0].items, JSON_C_TO_STRING_PLAIN),
                     "[{\"n\":\"1\"},{\"n\":\"2\"}]");
    ck_assert_uint_eq(json_count(lists[1].items), 1);
    aws_lists_clear(lists, 2);
}
END_TEST

START_TEST(a_list_that_fails_half_way_gives_its_error)
{
    static const struct aws_step steps[] = {
        { EC2, NULL, NULL, 200, PAGE("<item><n>1</n></item>", "<nextToken>t1</nextToken>"), { 0 } },
        { EC2, "NextToken=t1", NULL, 503, EC2_ERROR("RequestLimitExceeded"), { 0 } },
    };
    struct aws_list list = {
        .service = &aws_ec2, .action = "A", .member = "set", .token_parameter = "NextToken", .token_member = "nextToken"
    };
    aws_script(steps, ARRAY_COUNT(steps));
    ck_assert_int_eq(aws_collect(&client, call, "us-west-2", &list, 1), 0);
    ck_assert_int_eq(list.error.code, MEMORIES_THROTTLED);
    ck_assert_ptr_null(list.items);
    aws_lists_clear(&list, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aws_client");
    TCase *cases = tcase_create("client");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, parameters_become_forms);
    tcase_add_test(cases, xml_becomes_json);
    tcase_add_test(cases, what_is_no_reply_is_refused);
    tcase_add_loop_test(cases, codes_count_before_the_status, 0, ARRAY_COUNT(codes));
    tcase_add_test(cases, errors_of_all_protocols_are_read);
    tcase_add_test(cases, results_are_unwrapped);
    tcase_add_test(cases, a_wrong_clock_is_set_right_once);
    tcase_add_test(cases, a_clock_that_is_right_is_not_blamed);
    tcase_add_test(cases, a_clock_that_stays_wrong_fails);
    tcase_add_test(cases, credentials_are_asked_for_once);
    tcase_add_test(cases, credentials_are_renewed_before_they_expire);
    tcase_add_test(cases, credentials_that_aws_calls_expired_are_renewed_once);
    tcase_add_test(cases, credentials_that_have_expired_are_told);
    tcase_add_test(cases, lists_are_read_to_their_end_and_side_by_side);
    tcase_add_test(cases, a_list_that_fails_half_way_gives_its_error);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
