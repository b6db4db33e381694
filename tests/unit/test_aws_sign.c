/*
 * test_aws_sign.c - AWS Signature Version 4: the example of AWS's own documentation, and the vectors of aws-c-auth
 *
 * A vector is a directory: request.txt, context.json, and what must come out of signing by headers and by query. The
 * provider signs by headers only; the query form is put together here, out of the same parts.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/hash.h"
#include "plugins/providers/aws/sign.h"
#include "tests/unit/fake_host.h"
#include "tests/unit/shared.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define HEADERS_MAX 32

static struct memories_call *call;

static void set_up(void)
{
    plugin_init(fake_host(), NULL);
    call = fake_call_new();
}

static void tear_down(void)
{
    fake_call_free(call);
}

START_TEST(documented_example)
{
    static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded; charset=utf-8",
                                           "Host: iam.amazonaws.com", "X-Amz-Date: 20150830T123600Z", NULL };
    const struct sign_scope scope = { "20150830T123600Z", "us-east-1", "iam" };
    const struct sign_request request = {
        .method = "GET", .path = "/", .query = "Action=ListUsers&Version=2010-05-08", .headers = headers, .body = ""
    };
    ck_assert_str_eq(sign_authorization(call, &scope, "AKIDEXAMPLE", SECRET, &request),
                     "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
                     "SignedHeaders=content-type;host;x-amz-date, "
                     "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}
END_TEST

START_TEST(time_is_written_in_utc)
{
    char timestamp[SIGN_TIMESTAMP_BYTES];
    sign_timestamp(1440938160999, timestamp);
    ck_assert_str_eq(timestamp, "20150830T123600Z");
}
END_TEST

/* ---- Vectors ---- */

struct vector {
    const char *directory;
    json_object *context;
    struct sign_request request;
    struct sign_scope scope;
    const char *headers[HEADERS_MAX];
    size_t header_count;
    const char *token;
};

static char *read_part(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s can't be read", path);
    struct plugin_text text = PLUGIN_TEXT(call);
    char bytes[4096];
    for (size_t count; (count = fread(bytes, 1, sizeof bytes, file)) > 0;)
        plugin_text_append_bytes(&text, bytes, count);
    fclose(file);
    return plugin_text_take(&text);
}

static void add_header(struct vector *vector, const char *line)
{
    ck_assert_uint_lt(vector->header_count, HEADERS_MAX - 1);
    vector->headers[vector->header_count++] = line;
}

/* "GET /path?query HTTP/1.1": neither path nor query is encoded, so the last space ends them. */
static void parse_target(struct vector *vector, char *line)
{
    char *target = strchr(line, ' '), *version = strrchr(line, ' ');
    *target++ = *version = '\0';
    char *query = strchr(target, '?');
    if (query)
        *query++ = '\0';
    vector->request.method = line;
    vector->request.path = target;
    vector->request.query = query ? query : "";
}

static void parse_request(struct vector *vector, char *text)
{
    char *line = text, *end;
    vector->request.body = "";
    for (bool first = true; *line; first = false, line = end) {
        end = line + strcspn(line, "\n");
        /* A line that begins with white space goes on with the header before it. */
        while (!first && *end && (end[1] == ' ' || end[1] == '\t'))
            end += 1 + strcspn(end + 1, "\n");
        bool is_empty = end == line;
        if (*end)
            *end++ = '\0';
        if (is_empty) {
            vector->request.body = end;
            break;
        }
        if (first)
            parse_target(vector, line);
        else
            add_header(vector, line);
    }
    vector->request.body_bytes = strlen(vector->request.body);
    vector->request.headers = vector->headers;
}

static void load(struct vector *vector, const char *directory)
{
    *vector = (struct vector){ .directory = directory };
    parse_request(vector, read_part(directory, "request.txt"));
    vector->context = json_tokener_parse(read_part(directory, "context.json"));
    ck_assert_ptr_nonnull(vector->context);
    vector->token = json_get_string(json_get_object(vector->context, "credentials"), "token");
    vector->request.keep_path = !json_get_bool(vector->context, "normalize", true);
    struct tm parts = { 0 };
    ck_assert_ptr_nonnull(strptime(json_get_string(vector->context, "timestamp"), "%Y-%m-%dT%H:%M:%SZ", &parts));
    char *timestamp = plugin_host->allocate(call, SIGN_TIMESTAMP_BYTES);
    sign_timestamp((int64_t)timegm(&parts) * 1000, timestamp);
    vector->scope = (struct sign_scope){ timestamp, json_get_string(vector->context, "region"),
                                         json_get_string(vector->context, "service") };
}

/* What must come out, in the files PREFIX-canonical-request.txt and so on. */
static void expect(struct vector *vector, const char *prefix, const char *canonical)
{
    const char *string = sign_string_to_sign(call, &vector->scope, canonical);
    const char *signature = sign_signature(call, &vector->scope, SECRET, string);
    const char *const found[] = { canonical, string, signature };
    static const char *const parts[] = { "canonical-request", "string-to-sign", "signature" };
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        const char *wanted = read_part(vector->directory, plugin_format(call, "%s-%s.txt", prefix, parts[i]));
        ck_assert_msg(!strcmp(found[i], wanted), "%s: %s %s:\n%s\nexpected:\n%s", vector->directory, prefix, parts[i],
                      found[i], wanted);
    }
}

static void check_headers(const char *directory)
{
    struct vector vector;
    load(&vector, directory);
    add_header(&vector, plugin_format(call, "X-Amz-Date:%s", vector.scope.timestamp));
    if (vector.token && !json_get_bool(vector.context, "omit_session_token", false))
        add_header(&vector, plugin_format(call, "X-Amz-Security-Token:%s", vector.token));
    if (json_get_bool(vector.context, "sign_body", false)) {
        char hash[SHA256_HEX];
        ck_assert(hash_sha256_hex(vector.request.body, vector.request.body_bytes, hash));
        add_header(&vector, plugin_format(call, "X-Amz-Content-Sha256:%s", hash));
    }
    const char *names = NULL;
    expect(&vector, "header", sign_canonical_request(call, &vector.request, &names));
    const char *wanted = read_part(directory, "header-signed-request.txt");
    const char *authorization = sign_authorization(
        call, &vector.scope, json_get_string(json_get_object(vector.context, "credentials"), "access_key_id"), SECRET,
        &vector.request);
    ck_assert_msg(strstr(wanted, plugin_format(call, "Authorization:%s\n", authorization)) != NULL, "%s: %s", directory,
                  authorization);
    json_object_put(vector.context);
}

static void check_query(const char *directory)
{
    struct vector vector;
    load(&vector, directory);
    const char *names = NULL;
    struct plugin_text query = PLUGIN_TEXT(call);
    ck_assert_ptr_nonnull(sign_canonical_request(call, &vector.request, &names));
    const char *credential = sign_credential(call, &vector.scope, "AKIDEXAMPLE");
    plugin_text_printf(&query,
                       "%s%sX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=%s&X-Amz-Expires=%lld&X-Amz-Credential=",
                       vector.request.query, *vector.request.query ? "&" : "", vector.scope.timestamp,
                       (long long)json_get_int(vector.context, "expiration_in_seconds", 0));
    plugin_text_append_encoded(&query, credential, strlen(credential), "");
    plugin_text_append(&query, "&X-Amz-SignedHeaders=");
    plugin_text_append_encoded(&query, names, strlen(names), "");
    if (vector.token && !json_get_bool(vector.context, "omit_session_token", false)) {
        plugin_text_append(&query, "&X-Amz-Security-Token=");
        plugin_text_append_encoded(&query, vector.token, strlen(vector.token), "");
    }
    vector.request.query = plugin_text_take(&query);
    expect(&vector, "query", sign_canonical_request(call, &vector.request, &names));
    json_object_put(vector.context);
}

static char *vectors;

START_TEST(vectors_are_met)
{
    DIR *directory = opendir(vectors);
    ck_assert_ptr_nonnull(directory);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (*entry->d_name == '.')
            continue;
        const char *path = plugin_format(call, "%s/%s", vectors, entry->d_name);
        check_headers(path);
        check_query(path);
        count++;
    }
    closedir(directory);
    ck_assert_uint_gt(count, 0);
    printf("%u vectors, by headers and by query\n", count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aws_sign");
    TCase *cases = tcase_create("sign");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, documented_example);
    tcase_add_test(cases, time_is_written_in_utc);
    vectors = shared_path("specs/sigv4/v4");
    if (vectors)
        tcase_add_test(cases, vectors_are_met);
    else
        puts("skipped: the vectors of SigV4 (shared/specs/sigv4) are not here");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    free(vectors);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
