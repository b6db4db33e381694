/* test_aws_settings.c - what environment and shared files say, and where the services are */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/providers/aws/ini.h"
#include "plugins/providers/aws/service.h"
#include "tests/unit/aws_fixture.h"

/* ---- The files' format ---- */

START_TEST(ini_is_read_as_the_aws_tools_do)
{
    size_t line;
    AUTO_JSON json_object *sections = ini_parse("# a comment\n"
                                                "[default]\r\n"
                                                "Region = us-west-2\r\n"
                                                "\n"
                                                "; another\n"
                                                "[profile dev]\n"
                                                "role_arn: arn:aws:iam::1:role/a=b\n"
                                                "s3 =\n"
                                                "  max_queue = 10\n"
                                                "    # a comment inside\n"
                                                "  endpoint_url = http://a/?b=c\n"
                                                "text = one\n"
                                                "  two\n"
                                                "empty =\n"
                                                "[default]\n"
                                                "output = json",
                                                &line);
    ck_assert_ptr_nonnull(sections);
    ck_assert_str_eq(json_object_to_json_string_ext(sections, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                     "{\"default\":{\"region\":\"us-west-2\",\"output\":\"json\"},"
                     "\"profile dev\":{\"role_arn\":\"arn:aws:iam::1:role/a=b\","
                     "\"s3\":{\"max_queue\":\"10\",\"endpoint_url\":\"http://a/?b=c\"},\"text\":\"one\\ntwo\","
                     "\"empty\":\"\"}}");
}
END_TEST

static const struct {
    const char *text;
    size_t line;
} bad_files[] = {
    { "region = us-west-2\n", 1 },
    { "[default\nregion = a\n", 1 },
    { "[default]\n\nregion\n", 3 },
    { "[default]\n= value\n", 2 },
    { "[default]\ns3 =\n  no delimiter\n", 3 },
};

START_TEST(ini_names_the_line_at_fault)
{
    size_t line;
    ck_assert_ptr_null(ini_parse(bad_files[_i].text, &line));
    ck_assert_uint_eq(line, bad_files[_i].line);
}
END_TEST

/* ---- Settings ---- */

static struct settings settings;

static void load(const char *profile, int32_t expected)
{
    int32_t code = settings_load(&settings, call, profile);
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_msg(code == expected, "%d: %s", code, error ? error->message : "");
}

static void tear_down(void)
{
    settings_clear(&settings);
    aws_tear_down();
}

START_TEST(without_files_there_is_the_environment)
{
    setenv("AWS_DEFAULT_REGION", "eu-west-1", 1);
    load(NULL, MEMORIES_OK);
    ck_assert_str_eq(settings.profile, "default");
    ck_assert_str_eq(settings_region(&settings), "eu-west-1");
    setenv("AWS_REGION", "us-east-2", 1);
    ck_assert_str_eq(settings_region(&settings), "us-east-2");
}
END_TEST

START_TEST(profiles_come_from_both_files)
{
    aws_write(".aws/config", "[profile \"my dev\"]\nregion = us-west-2\nkey = config\n[default]\nregion = eu-west-1\n");
    aws_write(".aws/credentials", "[my dev]\nkey = credentials\n[only here]\na = b\n");
    setenv("AWS_PROFILE", "my dev", 1);
    load(NULL, MEMORIES_OK);
    ck_assert_str_eq(settings_region(&settings), "us-west-2");
    ck_assert_str_eq(settings_of_profile(&settings, "my dev", "key"), "credentials");
    ck_assert(settings_has_profile(&settings, "only here"));
    ck_assert(!settings_has_profile(&settings, "nowhere"));
}
END_TEST

START_TEST(files_can_be_elsewhere)
{
    aws_write("elsewhere", "[default]\nregion = us-gov-west-1\n");
    setenv("AWS_CONFIG_FILE", "~/elsewhere", 1);
    load(NULL, MEMORIES_OK);
    ck_assert_str_eq(settings_region(&settings), "us-gov-west-1");
}
END_TEST

START_TEST(a_named_profile_has_to_exist)
{
    load("dev", MEMORIES_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(aws_error()->message, "there is no profile \"dev\" in /tmp/"));
    ck_assert_str_eq(aws_error()->where, "config.profile");
}
END_TEST

START_TEST(a_broken_file_is_named)
{
    aws_write(".aws/config", "[default]\nregion\n");
    load(NULL, MEMORIES_INVALID);
    ck_assert_ptr_nonnull(strstr(aws_error()->message, "line 2 of /tmp/"));
}
END_TEST

/* ---- Endpoints ---- */

static const struct {
    const struct aws_service *service;
    const char *region, *flags, *url, *signing_region;
} places[] = {
    { &aws_ec2, "us-west-2", "", "https://ec2.us-west-2.amazonaws.com/", "us-west-2" },
    { &aws_ec2, "us-west-2", "F", "https://ec2-fips.us-west-2.amazonaws.com/", "us-west-2" },
    { &aws_ec2, "us-west-2", "D", "https://ec2.us-west-2.api.aws/", "us-west-2" },
    { &aws_sts, "eu-west-1", "FD", "https://sts-fips.eu-west-1.api.aws/", "eu-west-1" },
    { &aws_cloudwatch, "us-west-2", "", "https://monitoring.us-west-2.amazonaws.com/", "us-west-2" },
    { &aws_service_quotas, "us-west-2", "", "https://servicequotas.us-west-2.amazonaws.com/", "us-west-2" },
    { &aws_sso, "us-west-2", "", "https://portal.sso.us-west-2.amazonaws.com/", "us-west-2" },
    { &aws_sso_oidc, "us-west-2", "", "https://oidc.us-west-2.amazonaws.com/", "us-west-2" },
    { &aws_ec2, "cn-north-1", "", "https://ec2.cn-north-1.amazonaws.com.cn/", "cn-north-1" },
    { &aws_ec2, "us-gov-west-1", "F", "https://ec2.us-gov-west-1.amazonaws.com/", "us-gov-west-1" },
    { &aws_ec2, "us-gov-west-1", "FD", "https://ec2-fips.us-gov-west-1.api.aws/", "us-gov-west-1" },
    { &aws_cloudwatch, "us-gov-west-1", "FD", "https://monitoring.us-gov-west-1.api.aws/", "us-gov-west-1" },
    { &aws_ec2, "us-iso-east-1", "", "https://ec2.us-iso-east-1.c2s.ic.gov/", "us-iso-east-1" },
    { &aws_ec2, "us-isob-east-1", "", "https://ec2.us-isob-east-1.sc2s.sgov.gov/", "us-isob-east-1" },
    { &aws_ec2, "eusc-de-east-1", "", "https://ec2.eusc-de-east-1.amazonaws.eu/", "eusc-de-east-1" },
    { &aws_iam, "us-west-2", "", "https://iam.amazonaws.com/", "us-east-1" },
    { &aws_iam, "us-west-2", "F", "https://iam-fips.amazonaws.com/", "us-east-1" },
    { &aws_iam, "us-west-2", "D", "https://iam.global.api.aws/", "us-east-1" },
    { &aws_iam, "cn-northwest-1", "", "https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1" },
    { &aws_iam, "us-gov-east-1", "", "https://iam.us-gov.amazonaws.com/", "us-gov-west-1" },
    { &aws_iam, "us-gov-east-1", "F", "https://iam.us-gov.amazonaws.com/", "us-gov-west-1" },
};

START_TEST(services_are_where_aws_says)
{
    struct aws_endpoint endpoint;
    if (strchr(places[_i].flags, 'F'))
        setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
    if (strchr(places[_i].flags, 'D'))
        setenv("AWS_USE_DUALSTACK_ENDPOINT", "True", 1);
    load(NULL, MEMORIES_OK);
    ck_assert_int_eq(aws_endpoint_find(call, &settings, places[_i].service, places[_i].region, &endpoint), 0);
    ck_assert_str_eq(endpoint.url, places[_i].url);
    ck_assert_str_eq(endpoint.signing_region, places[_i].signing_region);
    ck_assert_str_eq(endpoint.path, "/");
}
END_TEST

static void expect_url(const struct aws_service *service, const char *url)
{
    struct aws_endpoint endpoint;
    ck_assert_int_eq(aws_endpoint_find(call, &settings, service, "us-west-2", &endpoint), 0);
    ck_assert_str_eq(endpoint.url, url);
    ck_assert_str_eq(endpoint.signing_region, service == &aws_iam ? "us-east-1" : "us-west-2");
}

START_TEST(endpoints_can_be_configured)
{
    aws_write(".aws/config", "[default]\nendpoint_url = http://profile\nservices = mine\n"
                             "[services mine]\ncloudwatch_logs =\n  endpoint_url = http://section/\n");
    load(NULL, MEMORIES_OK);
    expect_url(&aws_logs, "http://section/");
    expect_url(&aws_ec2, "http://profile/");
    setenv("AWS_ENDPOINT_URL", "http://general:5000/aws", 1);
    expect_url(&aws_logs, "http://general:5000/aws");
    expect_url(&aws_iam, "http://general:5000/aws");
    setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "https://special:443", 1);
    expect_url(&aws_logs, "https://special:443/");
    setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
    expect_url(&aws_logs, "https://logs.us-west-2.amazonaws.com/");
}
END_TEST

START_TEST(the_host_header_has_the_port_that_is_not_the_schemes)
{
    struct aws_endpoint endpoint;
    load(NULL, MEMORIES_OK);
    static const char *const cases[][2] = { { "http://a:5000", "a:5000" },
                                            { "https://a:443/x", "a" },
                                            { "http://a:443", "a:443" },
                                            { "http://[::1]:80", "[::1]" },
                                            { "http://[::1]", "[::1]" } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        setenv("AWS_ENDPOINT_URL", cases[i][0], 1);
        ck_assert_int_eq(aws_endpoint_find(call, &settings, &aws_ec2, "us-west-2", &endpoint), 0);
        ck_assert_str_eq(endpoint.authority, cases[i][1]);
    }
}
END_TEST

static const struct {
    const char *region, *variable, *value, *message;
} refused[] = {
    { "us-west-2", "AWS_ENDPOINT_URL", "ftp://a", "the endpoint \"ftp://a\" is no URL of a service" },
    { "us-west-2", "AWS_ENDPOINT_URL", "http://user@a", "the endpoint \"http://user@a\" is no URL of a service" },
    { "evil.com/", "AWS_ENDPOINT_URL", "", "\"evil.com/\" is no name of an AWS region" },
    { "cn-north-1", "AWS_USE_FIPS_ENDPOINT", "true", "no FIPS endpoint of IAM is known in aws-cn" },
};

START_TEST(wrong_endpoints_are_refused)
{
    struct aws_endpoint endpoint;
    setenv(refused[_i].variable, refused[_i].value, 1);
    load(NULL, MEMORIES_OK);
    ck_assert_int_lt(aws_endpoint_find(call, &settings, &aws_iam, refused[_i].region, &endpoint), 0);
    ck_assert_str_eq(aws_error()->message, refused[_i].message);
}
END_TEST

START_TEST(a_custom_endpoint_and_fips_exclude_each_other)
{
    struct aws_endpoint endpoint;
    setenv("AWS_ENDPOINT_URL", "http://a", 1);
    setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
    load(NULL, MEMORIES_OK);
    ck_assert_int_eq(aws_endpoint_find(call, &settings, &aws_ec2, "us-west-2", &endpoint), MEMORIES_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aws_settings");
    TCase *cases = tcase_create("settings");
    tcase_add_checked_fixture(cases, aws_set_up, tear_down);
    tcase_add_test(cases, ini_is_read_as_the_aws_tools_do);
    tcase_add_loop_test(cases, ini_names_the_line_at_fault, 0, ARRAY_COUNT(bad_files));
    tcase_add_test(cases, without_files_there_is_the_environment);
    tcase_add_test(cases, profiles_come_from_both_files);
    tcase_add_test(cases, files_can_be_elsewhere);
    tcase_add_test(cases, a_named_profile_has_to_exist);
    tcase_add_test(cases, a_broken_file_is_named);
    tcase_add_loop_test(cases, services_are_where_aws_says, 0, ARRAY_COUNT(places));
    tcase_add_test(cases, endpoints_can_be_configured);
    tcase_add_test(cases, the_host_header_has_the_port_that_is_not_the_schemes);
    tcase_add_loop_test(cases, wrong_endpoints_are_refused, 0, ARRAY_COUNT(refused));
    tcase_add_test(cases, a_custom_endpoint_and_fips_exclude_each_other);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
