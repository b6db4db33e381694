/* test_trace.c - what a trace tells of calls, and what it leaves out */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/http/http.h"
#include "core/loader/call.h"
#include "core/loader/open.h"
#include "core/loader/trace.h"
#include "core/pki/pki.h"

/* ---- What is secret ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *given, *kept;
} documents[] = {
    { "{\"a\":[1,null,true,\"b\"]}", "{\"a\":[1,null,true,\"b\"]}" },
    { "{\"password\":\"x\",\"n\":1}", "{\"password\":\"[redacted]\",\"n\":1}" },
    { "{\"DB_PASSWORD\":\"x\"}", "{\"DB_PASSWORD\":\"[redacted]\"}" },
    { "{\"client_secret\":5}", "{\"client_secret\":\"[redacted]\"}" },
    { "{\"secret\":\"secret:node/node1/key\"}", "{\"secret\":\"secret:node/node1/key\"}" },
    { "{\"aws_secret_access_key\":\"x\",\"key\":\"node/node1\",\"token\":\"0a\"}",
      "{\"aws_secret_access_key\":\"[redacted]\",\"key\":\"node/node1\",\"token\":\"0a\"}" },
    { "{\"passwords\":[\"a\",{\"of\":\"b\"}]}", "{\"passwords\":[\"[redacted]\",{\"of\":\"b\"}]}" },
    { "{\"a\":{\"b\":[\"x -----BEGIN EC PRIVATE KEY-----\"]}}", "{\"a\":{\"b\":[\"[redacted]\"]}}" },
    { "{\"session_token\":null}", "{\"session_token\":null}" },
};

START_TEST(documents_without_secrets)
{
    AUTO_JSON json_object *given = json_parse(documents[_i].given, "a document", NULL);
    AUTO_JSON json_object *kept = trace_redact(given);
    AUTO_FREE char *text = json_text(kept), *untouched = json_text(given);
    ck_assert_str_eq(text, documents[_i].kept);
    ck_assert_str_eq(untouched, documents[_i].given);
}
END_TEST

/* ---- A plugin that is part of this program ----------------------------------------------------------------------- */

static const struct memories_host *host;

static int32_t init(const struct memories_host *given, struct memories_call *call)
{
    host = given;
    return 0;
}

static int32_t describe(struct memories_call *call)
{
    return host->result(call, "{\"version\": 1}");
}

/* Uses a secret, shows it by mistake in its result, and sends it about. */
static int32_t plan(struct memories_call *call, const char *request)
{
    const char *key = host->secret(call, "secret:client/key", NULL);
    AUTO_JSON json_object *result = json_object_new_object();
    json_set_string(result, "shown", key ? key : request);
    struct memories_http_request asked = { .size = sizeof asked,
                                           .method = "GET",
                                           .url = "http://me:word@127.0.0.1:1/a/path?signature=abc#d",
                                           .timeout_ms = 2000 };
    const struct memories_http_request *requests[] = { &asked };
    const struct memories_http_response *responses[1];
    host->http(call, requests, 1, responses);
    host->log(call, MEMORIES_LOG_INFO, key ? key : "nothing");
    return host->result(call, json_object_to_json_string(result));
}

static const struct memories_topology_ops ops = {
    .size = sizeof ops, .init = init, .describe = describe, .plan = plan
};
MEMORIES_PLUGIN(topology, within, "1", "MIT", NULL, MEMORIES_THREADS_SERIALISED, 0, &ops, sizeof ops)

const struct builtin_plugin builtin_plugins[] = {
    { MEMORIES_PLUGIN_TOPOLOGY, "within", topology_within_LTX_memories_plugin_query }, { 0, NULL, NULL }
};

static char *read_back(FILE *file)
{
    struct text text = TEXT_INIT;
    char chunk[4096];
    rewind(file);
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        text_append_bytes(&text, chunk, got);
    return text_take(&text);
}

START_TEST(calls_without_secrets)
{
    char directory[] = "/tmp/memories-trace-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(directory));
    memories_error *error = NULL;
    struct secrets *secrets = secrets_open(directory, "d", &error);
    ck_assert_int_eq(secrets_prepare(secrets, NULL, NULL, 0, &error), 0);
    size_t bytes;
    const char *key = secrets_get(secrets, "secret:client/key", &bytes, &error);
    ck_assert_ptr_nonnull(key);
    FILE *file = tmpfile();
    ck_assert_int_eq(trace_plugin("topology-within", fileno(file), &error), 0);
    const struct plugin *plugin = loader_open(MEMORIES_PLUGIN_TOPOLOGY, "within", "/nowhere", NULL, &error);
    ck_assert_msg(plugin != NULL, "%s", memories_error_message(error));

    struct http_client *http = http_client_new(NULL);
    struct call_environment environment = { .deployment = "d", .secrets = secrets, .http = http };
    AUTO_JSON json_object *request = json_object_new_object(), *result = NULL;
    ck_assert_int_eq(call_document(plugin, &environment, "plan", plugin->ops.topology.plan, request, &result, &error),
                     0);
    ck_assert_str_eq(json_get_string(result, "shown"), key); /* what the plugin gives is not touched */

    AUTO_FREE char *trace = read_back(file);
    ck_assert_ptr_null(strstr(trace, "PRIVATE"));
    ck_assert_ptr_null(strstr(trace, "abc"));
    ck_assert_ptr_null(strstr(trace, "word"));
    ck_assert_ptr_nonnull(strstr(trace, "\"slot\":\"plan\",\"event\":\"enter\",\"deployment\":\"d\",\"request\":{}"));
    ck_assert_ptr_nonnull(strstr(trace, "\"service\":\"secret\",\"reference\":\"secret:client/key\",\"found\":true"));
    ck_assert_ptr_nonnull(strstr(trace, "\"url\":\"http://[redacted]@127.0.0.1:1/a/path?[redacted]\""));
    ck_assert_ptr_nonnull(strstr(trace, "\"service\":\"log\",\"level\":6,\"text\":\"[redacted]\""));
    ck_assert_ptr_nonnull(strstr(trace, "\"code\":\"ok\",\"result\":{\"shown\":\"[redacted]\"},\"error\":null"));

    ck_assert_int_eq(trace_plugin("within", 2, &error), MEMORIES_CONFLICT);
    memories_error_free(error);
    http_client_free(http);
    secrets_free(secrets);
    fclose(file);
    directory_remove(directory, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *tests = tcase_create("trace");
    tcase_add_loop_test(tests, documents_without_secrets, 0, (int)ARRAY_COUNT(documents));
    tcase_add_test(tests, calls_without_secrets);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
