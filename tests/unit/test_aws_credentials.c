/* test_aws_credentials.c - the chain of sources of credentials, each against its service as a script of answers */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/common/cleanup.h"
#include "plugins/providers/aws/credentials.h"
#include "tests/unit/aws_fixture.h"

#define STS "https://sts.us-west-2.amazonaws.com/"
#define ROLE_REPLY(action, id)                                                                                \
    "<" action "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" action "Result><Credentials>" \
    "<AccessKeyId>" id "</AccessKeyId><SecretAccessKey>secret of " id "</SecretAccessKey>"                    \
    "<SessionToken>token of " id "</SessionToken><Expiration>2026-02-25T13:34:56Z</Expiration></Credentials>" \
    "</" action "Result><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></" action "Response>"

static struct settings settings;
static struct credentials found;

static int32_t find(const char *profile)
{
    int32_t code = settings_load(&settings, call, profile);
    const struct aws_setting setting = { .settings = &settings, .region = "us-west-2" };
    return code ? code : credentials_find(call, &setting, &found);
}

static void expect(const char *profile, const char *id, const char *secret, const char *token, const char *source)
{
    int32_t code = find(profile);
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_msg(code == MEMORIES_OK, "%d: %s (%s)", code, error ? error->message : "",
                  error && error->cause ? error->cause : "");
    ck_assert_str_eq(found.identity.access_key_id, id);
    ck_assert_str_eq(found.identity.secret_access_key, secret);
    ck_assert_pstr_eq(found.identity.session_token, token);
    ck_assert_msg(strstr(found.source, source) != NULL, "the source is: %s", found.source);
    aws_script_done();
}

static void expect_failure(const char *profile, int32_t code, const char *message, const char *hint)
{
    ck_assert_int_eq(find(profile), code);
    ck_assert_msg(strstr(aws_error()->message, message) != NULL, "the message is: %s", aws_error()->message);
    if (hint)
        ck_assert_msg(aws_error()->hint && strstr(aws_error()->hint, hint), "the hint is: %s", aws_error()->hint);
    aws_script_done();
}

static void tear_down(void)
{
    settings_clear(&settings);
    aws_tear_down();
}

static void set_keys(void)
{
    setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "from environment", 1);
}

/* ---- Environment and files ---- */

START_TEST(the_environment_comes_first)
{
    set_keys();
    setenv("AWS_SESSION_TOKEN", "session", 1);
    setenv("AWS_CREDENTIAL_EXPIRATION", "2026-02-25T14:34:56+01:00", 1);
    aws_write(".aws/credentials", "[default]\naws_access_key_id = FILE\naws_secret_access_key = from file\n");
    expect(NULL, "ENVIRONMENT", "from environment", "session", "environment");
    ck_assert_int_eq(found.expires_ms, AWS_TEST_NOW_MS + 3600000);
}
END_TEST

START_TEST(half_of_the_keys_is_an_error)
{
    setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT", 1);
    expect_failure(NULL, MEMORIES_DENIED, "AWS_ACCESS_KEY_ID is given without AWS_SECRET_ACCESS_KEY", "both");
}
END_TEST

START_TEST(a_profile_that_the_configuration_names_comes_before_the_environment)
{
    set_keys();
    aws_write(".aws/credentials", "[dev]\naws_access_key_id = FILE\naws_secret_access_key = from file\n");
    expect("dev", "FILE", "from file", NULL, "profile dev of /tmp/");
}
END_TEST

START_TEST(a_profile_of_the_environment_comes_after_its_keys)
{
    set_keys();
    setenv("AWS_PROFILE", "dev", 1);
    aws_write(".aws/credentials", "[dev]\naws_access_key_id = FILE\naws_secret_access_key = from file\n");
    expect(NULL, "ENVIRONMENT", "from environment", NULL, "environment");
}
END_TEST

START_TEST(the_credentials_file_comes_before_a_process_and_that_before_the_config_file)
{
    aws_write(".aws/config", "[default]\naws_access_key_id = CONFIG\naws_secret_access_key = from config\n"
                             "[profile other]\naws_access_key_id = CONFIG\naws_secret_access_key = from config\n"
                             "credential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"P\", "
                             "\"SecretAccessKey\": \"from process\"}'\n");
    expect(NULL, "CONFIG", "from config", NULL, "config");
    settings_clear(&settings);
    expect("other", "P", "from process", NULL, "credential_process of profile other");
    settings_clear(&settings);
    aws_write(".aws/credentials", "[other]\naws_access_key_id = FILE\naws_secret_access_key = from file\n");
    expect("other", "FILE", "from file", NULL, "credentials");
}
END_TEST

START_TEST(nothing_found_says_where_was_looked)
{
    expect_failure(NULL, MEMORIES_DENIED,
                   "no AWS credentials were found: not in the environment, in the profile default", "aws configure");
}
END_TEST

START_TEST(a_login_session_is_the_cli_s_alone)
{
    aws_write(".aws/config", "[default]\nlogin_session = arn:aws:iam::1:user/me\n");
    expect_failure(NULL, MEMORIES_UNSUPPORTED, "a session of `aws login`", "export-credentials");
}
END_TEST

/* ---- Roles ---- */

#define BASE "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = from base\n"

START_TEST(a_role_is_assumed_with_the_source_profile)
{
    static const struct aws_step steps[] = {
        { STS,
          "Credential=BASE/20260225/us-west-2/sts/aws4_request",
          NULL,
          200,
          ROLE_REPLY("AssumeRole", "ROLE"),
          { 0 } },
    };
    set_keys();
    aws_write(".aws/config", BASE "[profile dev]\nrole_arn = arn:aws:iam::1:role/dev\nsource_profile = base\n"
                                  "external_id = x y\nduration_seconds = 900\nrole_session_name = me\n");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("dev", "ROLE", "secret of ROLE", "token of ROLE",
           "role arn:aws:iam::1:role/dev (profile dev), assumed with profile base of ");
    ck_assert_int_eq(found.expires_ms, AWS_TEST_NOW_MS + 3600000);
}
END_TEST

START_TEST(a_role_is_asked_for_with_all_that_the_profile_says)
{
    static const struct aws_step steps[] = {
        { STS,
          "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fdev&RoleSessionName=me"
          "&ExternalId=x%20y&DurationSeconds=900",
          NULL,
          200,
          ROLE_REPLY("AssumeRole", "ROLE"),
          { 0 } },
    };
    aws_write(".aws/config", BASE "[profile dev]\nrole_arn = arn:aws:iam::1:role/dev\nsource_profile = base\n"
                                  "external_id = x y\nduration_seconds = 900\nrole_session_name = me\n");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("dev", "ROLE", "secret of ROLE", "token of ROLE", "role");
}
END_TEST

START_TEST(roles_can_be_a_chain)
{
    static const struct aws_step steps[] = {
        { STS, "Credential=BASE/", NULL, 200, ROLE_REPLY("AssumeRole", "FIRST"), { 0 } },
        { STS, "Credential=FIRST/", NULL, 200, ROLE_REPLY("AssumeRole", "SECOND"), { 0 } },
    };
    aws_write(".aws/config", BASE "[profile one]\nrole_arn = r1\nsource_profile = base\n"
                                  "[profile two]\nrole_arn = r2\nsource_profile = one\n");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("two", "SECOND", "secret of SECOND", "token of SECOND", "role r2 (profile two), assumed with role r1");
}
END_TEST

START_TEST(the_session_token_of_a_role_signs_too)
{
    static const struct aws_step steps[] = {
        { STS, "Credential=BASE/", "X-Amz-Security-Token", 200, ROLE_REPLY("AssumeRole", "FIRST"), { 0 } },
        { STS,
          "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token",
          NULL,
          200,
          ROLE_REPLY("AssumeRole", "SECOND"),
          { 0 } },
    };
    aws_write(".aws/config", BASE "[profile one]\nrole_arn = r1\nsource_profile = base\n"
                                  "[profile two]\nrole_arn = r2\nsource_profile = one\n");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("two", "SECOND", "secret of SECOND", "token of SECOND", "role r2");
}
END_TEST

START_TEST(a_profile_can_be_its_own_source)
{
    static const struct aws_step steps[] = {
        { STS, "Credential=OWN/", NULL, 200, ROLE_REPLY("AssumeRole", "ROLE"), { 0 } },
    };
    aws_write(".aws/config", "[profile dev]\nrole_arn = r\nsource_profile = dev\naws_access_key_id = OWN\n"
                             "aws_secret_access_key = own\n");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("dev", "ROLE", "secret of ROLE", "token of ROLE", "role r");
}
END_TEST

START_TEST(a_role_can_be_assumed_with_the_environment_s_keys)
{
    static const struct aws_step steps[] = {
        { STS, "Credential=ENVIRONMENT/", NULL, 200, ROLE_REPLY("AssumeRole", "ROLE"), { 0 } },
    };
    set_keys();
    aws_write(".aws/config", "[profile dev]\nrole_arn = r\ncredential_source = Environment\n");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("dev", "ROLE", "secret of ROLE", "token of ROLE", "assumed with the environment");
}
END_TEST

static const struct {
    const char *config;
    int32_t code;
    const char *message, *hint;
} bad_roles[] = {
    { "[profile dev]\nrole_arn = r\n", MEMORIES_DENIED, "has role_arn and neither source_profile nor credential_source",
      "one of them" },
    { "[profile dev]\nrole_arn = r\nsource_profile = a\ncredential_source = Environment\n", MEMORIES_DENIED,
      "has both source_profile and credential_source", "one of them" },
    { "[profile dev]\nrole_arn = r\nsource_profile = gone\n", MEMORIES_DENIED,
      "says source_profile = gone, which is not there", "add the profile" },
    { "[profile dev]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = s\nsource_profile = dev\n",
      MEMORIES_DENIED, "comes back to itself by its source_profile", "with credentials" },
    { "[profile dev]\nrole_arn = r\nsource_profile = b\n[profile b]\nregion = c\n", MEMORIES_DENIED,
      "the profile b is a source_profile and has no credentials", "credential_process" },
    { "[profile dev]\nrole_arn = r\ncredential_source = Elsewhere\n", MEMORIES_DENIED,
      "says credential_source = Elsewhere, which is not known", "Ec2InstanceMetadata" },
    { "[profile dev]\nrole_arn = r\ncredential_source = EcsContainer\n", MEMORIES_DENIED,
      "says credential_source = EcsContainer, which has no credentials", "source_profile" },
    { BASE "[profile dev]\nrole_arn = r\nsource_profile = base\nmfa_serial = m\n", MEMORIES_UNSUPPORTED,
      "wants a one-time password (mfa_serial = m)", "export-credentials" },
};

START_TEST(wrong_role_settings_are_told)
{
    aws_write(".aws/config", bad_roles[_i].config);
    expect_failure("dev", bad_roles[_i].code, bad_roles[_i].message, bad_roles[_i].hint);
}
END_TEST

START_TEST(a_refused_role_is_told_in_sts_s_words)
{
    static const struct aws_step steps[] = {
        { STS,
          NULL,
          NULL,
          403,
          "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
          "<Code>AccessDenied</Code><Message>User: me is not authorized to perform: sts:AssumeRole</Message></Error>"
          "<RequestId>r-77</RequestId></ErrorResponse>",
          { 0 } },
    };
    aws_write(".aws/config", BASE "[profile dev]\nrole_arn = r\nsource_profile = base\n");
    aws_script(steps, ARRAY_COUNT(steps));
    expect_failure("dev", MEMORIES_DENIED, "AssumeRole was refused", NULL);
    ck_assert_str_eq(aws_error()->cause, "AccessDenied: User: me is not authorized to perform: sts:AssumeRole");
    ck_assert_str_eq(aws_error()->request_id, "r-77");
    ck_assert_int_eq(aws_error()->http_status, 403);
}
END_TEST

/* ---- Web identity ---- */

START_TEST(a_web_identity_is_exchanged_without_a_signature)
{
    static const struct aws_step steps[] = {
        { STS,
          "&WebIdentityToken=the.token",
          "Authorization",
          200,
          ROLE_REPLY("AssumeRoleWithWebIdentity", "WEB"),
          { 0 } },
    };
    aws_write("token", "the.token\n");
    char path[4096];
    snprintf(path, sizeof path, "%s/token", getenv("HOME"));
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
    setenv("AWS_ROLE_ARN", "arn:web", 1);
    aws_script(steps, ARRAY_COUNT(steps));
    expect(NULL, "WEB", "secret of WEB", "token of WEB", "role arn:web, assumed with the web identity token");
}
END_TEST

START_TEST(a_web_identity_needs_role_and_token)
{
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token", 1);
    expect_failure(NULL, MEMORIES_DENIED, "but no role", "AWS_ROLE_ARN");
    fake_call_free(call);
    call = fake_call_new();
    settings_clear(&settings);
    setenv("AWS_ROLE_ARN", "arn:web", 1);
    expect_failure(NULL, MEMORIES_FAILED, "can't read the web identity token /nonexistent/token", NULL);
}
END_TEST

/* ---- SSO ---- */

#define SSO_PROFILE                                                                                  \
    "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin Role\n" \
    "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
#define SSO_REPLY                                                                                            \
    "{\"roleCredentials\": {\"accessKeyId\": \"SSO\", \"secretAccessKey\": \"s\", \"sessionToken\": \"t\", " \
    "\"expiration\": 1772026496000}}"

/* The name depends on a hash, which is not this test's matter. */
static const char *sso_file(const char *named)
{
    static char name[128];
    char command[256];
    snprintf(command, sizeof command, "printf %%s '%s' | sha1sum | cut -c 1-40", named);
    FILE *pipe = popen(command, "re");
    char hash[64] = "";
    ck_assert(pipe && fgets(hash, sizeof hash, pipe));
    pclose(pipe);
    hash[strcspn(hash, "\n")] = '\0';
    snprintf(name, sizeof name, ".aws/sso/cache/%s.json", hash);
    return name;
}

START_TEST(an_sso_session_gives_the_role_s_credentials)
{
    static const struct aws_step steps[] = {
        { "https://portal.sso.eu-west-1.amazonaws.com/federation/"
          "credentials?role_name=Admin%20Role&account_id=123456789012",
          "x-amz-sso_bearer_token: access",
          "Authorization",
          200,
          SSO_REPLY,
          { 0 } },
    };
    aws_write(".aws/config", SSO_PROFILE);
    aws_write(sso_file("corp"), "{\"accessToken\": \"access\", \"expiresAt\": \"2026-02-25T13:34:56Z\"}");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("dev", "SSO", "s", "t", "SSO: role Admin Role of account 123456789012");
    ck_assert_int_eq(found.expires_ms, 1772026496000);
}
END_TEST

START_TEST(an_sso_session_that_ends_is_refreshed_and_kept)
{
    static const struct aws_step steps[] = {
        { "https://oidc.eu-west-1.amazonaws.com/token",
          "{\"grantType\":\"refresh_token\",\"refreshToken\":\"refresh\",\"clientId\":\"id\",\"clientSecret\":"
          "\"secret\"}",
          NULL,
          200,
          "{\"accessToken\": \"new\", \"expiresIn\": 3600, \"refreshToken\": \"newer\"}",
          { 0 } },
        { "https://portal.sso.eu-west-1.amazonaws.com/", "x-amz-sso_bearer_token: new", NULL, 200, SSO_REPLY, { 0 } },
    };
    aws_write(".aws/config", SSO_PROFILE);
    aws_write(sso_file("corp"), "{\"accessToken\": \"old\", \"expiresAt\": \"2026-02-25T12:00:00Z\", "
                                "\"refreshToken\": \"refresh\", \"clientId\": \"id\", \"clientSecret\": \"secret\", "
                                "\"registrationExpiresAt\": \"2026-03-25T12:00:00Z\", \"startUrl\": \"kept\"}");
    aws_script(steps, ARRAY_COUNT(steps));
    expect("dev", "SSO", "s", "t", "SSO");
    const char *kept = aws_read(sso_file("corp"));
    ck_assert_ptr_nonnull(strstr(kept, "\"accessToken\":\"new\""));
    ck_assert_ptr_nonnull(strstr(kept, "\"expiresAt\":\"2026-02-25T13:34:56Z\""));
    ck_assert_ptr_nonnull(strstr(kept, "\"refreshToken\":\"newer\""));
    ck_assert_ptr_nonnull(strstr(kept, "\"startUrl\":\"kept\""));
    char path[4096];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", getenv("HOME"), sso_file("corp"));
    ck_assert(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
}
END_TEST

START_TEST(the_older_form_of_sso_names_the_file_by_the_start_url)
{
    static const struct aws_step steps[] = {
        { "https://portal.sso.us-east-1.amazonaws.com/",
          "x-amz-sso_bearer_token: access",
          NULL,
          200,
          SSO_REPLY,
          { 0 } },
    };
    aws_write(".aws/config", "[default]\nsso_start_url = https://corp/start\nsso_region = us-east-1\n"
                             "sso_account_id = 1\nsso_role_name = r\n");
    aws_write(sso_file("https://corp/start"),
              "{\"accessToken\": \"access\", \"expiresAt\": \"2026-02-25T13:00:00UTC\"}");
    aws_script(steps, ARRAY_COUNT(steps));
    expect(NULL, "SSO", "s", "t", "SSO");
}
END_TEST

START_TEST(without_an_sso_session_the_user_is_told_to_log_in)
{
    aws_write(".aws/config", SSO_PROFILE);
    expect_failure("dev", MEMORIES_DENIED, "there is no SSO session", "aws sso login --profile dev");
    fake_call_free(call);
    call = fake_call_new();
    settings_clear(&settings);
    aws_write(sso_file("corp"), "{\"accessToken\": \"old\", \"expiresAt\": \"2026-02-25T12:00:00Z\"}");
    expect_failure("dev", MEMORIES_DENIED, "the SSO session has expired", "aws sso login --profile dev");
}
END_TEST

START_TEST(sso_s_refusal_is_told)
{
    static const struct aws_step steps[] = {
        { "https://portal.sso.eu-west-1.amazonaws.com/", NULL, NULL, 403, "{\"message\": \"No access\"}", { 0 } },
    };
    aws_write(".aws/config", SSO_PROFILE);
    aws_write(sso_file("corp"), "{\"accessToken\": \"access\", \"expiresAt\": \"2026-02-25T13:34:56Z\"}");
    aws_script(steps, ARRAY_COUNT(steps));
    expect_failure("dev", MEMORIES_DENIED,
                   "getting the credentials of the role Admin Role of account 123456789012 failed", "aws sso login");
    ck_assert_str_eq(aws_error()->cause, "HTTP status 403: No access");
}
END_TEST

START_TEST(incomplete_sso_settings_are_told)
{
    aws_write(".aws/config", "[profile dev]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n");
    expect_failure("dev", MEMORIES_DENIED, "lack the section [sso-session corp]", "aws configure sso");
}
END_TEST

/* ---- credential_process ---- */

static const struct {
    const char *command, *message;
} bad_processes[] = {
    { "exit 3", "credential_process failed with status 3: exit 3" },
    { "kill -9 $$", "credential_process failed with status 137: kill -9 $$" },
    { "echo nothing", "credential_process prints no credentials: echo nothing" },
    { "echo '{\"Version\": 2, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\"}'", "prints no credentials" },
    { "head -c 100000 /dev/zero", "prints more than credentials" },
};

START_TEST(a_process_that_fails_is_told)
{
    const char *config = plugin_format(call, "[default]\ncredential_process = %s\n", bad_processes[_i].command);
    aws_write(".aws/config", config);
    expect_failure(NULL, MEMORIES_DENIED, bad_processes[_i].message, NULL);
}
END_TEST

START_TEST(a_process_gives_credentials_that_expire)
{
    aws_write(".aws/config", "[default]\ncredential_process = printf '{\"Version\": 1, \"AccessKeyId\": \"P\", "
                             "\"SecretAccessKey\": \"s\", \"SessionToken\": \"t\", \"Expiration\": "
                             "\"2026-02-25T12:44:56.789Z\"}'\n");
    expect(NULL, "P", "s", "t", "credential_process");
    ck_assert_int_eq(found.expires_ms, AWS_TEST_NOW_MS + 600000);
}
END_TEST

START_TEST(a_process_can_be_cancelled)
{
    aws_write(".aws/config", "[default]\ncredential_process = exec sleep 60\n");
    fake_call_cancel(call);
    expect_failure(NULL, MEMORIES_CANCELLED, "stopped on request", NULL);
}
END_TEST

/* ---- Container and instance ---- */

#define METADATA_REPLY                                                                                  \
    "{\"Code\": \"Success\", \"AccessKeyId\": \"META\", \"SecretAccessKey\": \"s\", \"Token\": \"t\", " \
    "\"Expiration\": \"2026-02-25T13:34:56Z\"}"

START_TEST(a_container_asks_its_agent)
{
    static const struct aws_step steps[] = {
        { "http://169.254.170.2/v2/credentials/1", "Authorization: secret", NULL, 200, METADATA_REPLY, { 0 } },
    };
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret", 1);
    aws_script(steps, ARRAY_COUNT(steps));
    expect(NULL, "META", "s", "t", "the container");
}
END_TEST

START_TEST(a_container_s_token_file_comes_before_the_token)
{
    static const struct aws_step steps[] = {
        { "http://169.254.170.23/v1/credentials", "Authorization: of the file", NULL, 200, METADATA_REPLY, { 0 } },
    };
    aws_write("token", "of the file");
    char path[4096];
    snprintf(path, sizeof path, "%s/token", getenv("HOME"));
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of the environment", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
    aws_script(steps, ARRAY_COUNT(steps));
    expect(NULL, "META", "s", "t", "the container");
}
END_TEST

static const char *const untrusted[] = {
    "http://example.com/credentials",
    "http://127.0.0.1.example.com/",
    "http://localhost@example.com/",
    "http://169.254.170.2x/",
    "ftp://localhost/",
    "http://[fd00:ec2::254]/",
};

START_TEST(credentials_are_not_fetched_from_anywhere)
{
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", untrusted[_i], 1);
    expect_failure(NULL, MEMORIES_DENIED, "without TLS", "https");
}
END_TEST

START_TEST(a_token_with_two_lines_is_refused)
{
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nX: y", 1);
    expect_failure(NULL, MEMORIES_DENIED, "more than one line", NULL);
}
END_TEST

START_TEST(an_instance_is_asked_with_a_token)
{
    static const struct aws_step steps[] = {
        { "http://169.254.169.254/latest/api/token",
          "X-aws-ec2-metadata-token-ttl-seconds: 21600",
          NULL,
          200,
          "the-token",
          { 0 } },
        { "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
          "X-aws-ec2-metadata-token: the-token",
          NULL,
          200,
          "the-role",
          { 0 } },
        { "http://169.254.169.254/latest/meta-data/iam/security-credentials/the-role",
          "X-aws-ec2-metadata-token: the-token",
          NULL,
          200,
          METADATA_REPLY,
          { 0 } },
    };
    unsetenv("AWS_EC2_METADATA_DISABLED");
    aws_script(steps, ARRAY_COUNT(steps));
    expect(NULL, "META", "s", "t", "the instance's role the-role");
}
END_TEST

START_TEST(away_from_aws_there_is_no_instance)
{
    static const struct aws_step steps[] = {
        { "http://[fd00:ec2::254]/latest/api/token", "PUT ", NULL, 0, NULL, { 0 } }
    };
    unsetenv("AWS_EC2_METADATA_DISABLED");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6", 1);
    aws_script(steps, ARRAY_COUNT(steps));
    expect_failure(NULL, MEMORIES_DENIED, "no AWS credentials were found", NULL);
}
END_TEST

START_TEST(an_instance_without_a_role_has_no_credentials)
{
    static const struct aws_step steps[] = {
        { "http://imds/latest/api/token", NULL, NULL, 200, "the-token", { 0 } },
        { "http://imds/latest/meta-data/iam/security-credentials/", NULL, NULL, 404, "", { 0 } },
    };
    unsetenv("AWS_EC2_METADATA_DISABLED");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://imds/", 1);
    aws_script(steps, ARRAY_COUNT(steps));
    expect_failure(NULL, MEMORIES_DENIED, "no AWS credentials were found", NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aws_credentials");
    TCase *cases = tcase_create("credentials");
    tcase_add_checked_fixture(cases, aws_set_up, tear_down);
    tcase_add_test(cases, the_environment_comes_first);
    tcase_add_test(cases, half_of_the_keys_is_an_error);
    tcase_add_test(cases, a_profile_that_the_configuration_names_comes_before_the_environment);
    tcase_add_test(cases, a_profile_of_the_environment_comes_after_its_keys);
    tcase_add_test(cases, the_credentials_file_comes_before_a_process_and_that_before_the_config_file);
    tcase_add_test(cases, nothing_found_says_where_was_looked);
    tcase_add_test(cases, a_login_session_is_the_cli_s_alone);
    tcase_add_test(cases, a_role_is_assumed_with_the_source_profile);
    tcase_add_test(cases, a_role_is_asked_for_with_all_that_the_profile_says);
    tcase_add_test(cases, roles_can_be_a_chain);
    tcase_add_test(cases, the_session_token_of_a_role_signs_too);
    tcase_add_test(cases, a_profile_can_be_its_own_source);
    tcase_add_test(cases, a_role_can_be_assumed_with_the_environment_s_keys);
    tcase_add_loop_test(cases, wrong_role_settings_are_told, 0, ARRAY_COUNT(bad_roles));
    tcase_add_test(cases, a_refused_role_is_told_in_sts_s_words);
    tcase_add_test(cases, a_web_identity_is_exchanged_without_a_signature);
    tcase_add_test(cases, a_web_identity_needs_role_and_token);
    tcase_add_test(cases, an_sso_session_gives_the_role_s_credentials);
    tcase_add_test(cases, an_sso_session_that_ends_is_refreshed_and_kept);
    tcase_add_test(cases, the_older_form_of_sso_names_the_file_by_the_start_url);
    tcase_add_test(cases, without_an_sso_session_the_user_is_told_to_log_in);
    tcase_add_test(cases, sso_s_refusal_is_told);
    tcase_add_test(cases, incomplete_sso_settings_are_told);
    tcase_add_loop_test(cases, a_process_that_fails_is_told, 0, ARRAY_COUNT(bad_processes));
    tcase_add_test(cases, a_process_gives_credentials_that_expire);
    tcase_add_test(cases, a_process_can_be_cancelled);
    tcase_add_test(cases, a_container_asks_its_agent);
    tcase_add_test(cases, a_container_s_token_file_comes_before_the_token);
    tcase_add_loop_test(cases, credentials_are_not_fetched_from_anywhere, 0, ARRAY_COUNT(untrusted));
    tcase_add_test(cases, a_token_with_two_lines_is_refused);
    tcase_add_test(cases, an_instance_is_asked_with_a_token);
    tcase_add_test(cases, away_from_aws_there_is_no_instance);
    tcase_add_test(cases, an_instance_without_a_role_has_no_credentials);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
