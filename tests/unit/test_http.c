/* test_http.c - the HTTP client against a real server, plain and with TLS */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/http/http.h"
#include "core/pki/pki.h"
#include "tests/unit/http_server.h"

static char directory[64];
static struct http_client *client;
static struct secrets *ours, *foreign; /* two deployments: two CAs */

static struct secrets *make_secrets(const char *name)
{
    AUTO_FREE char *path = text_format("%s/%s", directory, name);
    const char *node = "node/node1", *address = "127.0.0.1";
    struct secrets *secrets = secrets_open(path, name, NULL);
    ck_assert_int_eq(secrets_prepare(secrets, &node, &address, 1, NULL), 0);
    return secrets;
}

static void set_up(void)
{
    snprintf(directory, sizeof directory, "/tmp/memories-http.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    client = http_client_new(NULL);
    ours = make_secrets("ours");
    foreign = make_secrets("foreign");
}

static void tear_down(void)
{
    http_client_free(client);
    secrets_free(ours);
    secrets_free(foreign);
    ck_assert_int_eq(directory_remove(directory, NULL), 0);
}

static const char *secret(struct secrets *secrets, const char *reference)
{
    return secrets_get(secrets, reference, NULL, NULL);
}

static struct http_identity identity_of(struct secrets *ca, struct secrets *pair)
{
    return (struct http_identity){ secret(ca, "secret:ca/certificate"), secret(pair, "secret:client/certificate"),
                                   secret(pair, "secret:client/key") };
}

static struct http_server *start_tls(struct secrets *secrets)
{
    struct http_server_tls tls = { secret(secrets, "secret:node/node1/certificate"),
                                   secret(secrets, "secret:node/node1/key"), secret(secrets, "secret:ca/certificate") };
    return http_server_start(&tls, NULL);
}

/* Sends one request; the answer is the caller's. */
static struct http_responses send_one(struct memories_http_request request, const struct http_identity *identity)
{
    struct http_responses responses;
    memories_error *error = NULL;
    request.size = sizeof request;
    const struct memories_http_request *requests[] = { &request };
    int failed = http_send(client, requests, 1, identity, NULL, &responses, &error);
    ck_assert_msg(!failed, "%s", memories_error_message(error));
    return responses;
}

static char *url_of(const struct http_server *server, const char *scheme, const char *host, const char *path)
{
    return text_format("%s://%s:%d%s", scheme, host, http_server_port(server), path);
}

static const struct {
    const char *path, *body;
    int status;
} plain[] = { { "/hello", "hello", 200 }, { "/chunked", "abcde", 200 }, { "/empty", "", 204 },
              { "/nothing", "", 404 },    { "/redirect", "", 302 } };

START_TEST(answers_arrive_as_they_are)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *url = url_of(server, "http", "127.0.0.1", plain[_i].path);
    struct http_responses responses = send_one((struct memories_http_request){ .url = url }, NULL);
    ck_assert_int_eq(responses.items[0].status, plain[_i].status);
    ck_assert_int_eq(responses.items[0].error_code, 0);
    ck_assert_str_eq(responses.items[0].body, plain[_i].body);
    ck_assert_uint_eq(responses.items[0].body_bytes, strlen(plain[_i].body));
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

START_TEST(headers_and_request_ids_are_read)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *url = url_of(server, "http", "127.0.0.1", "/headers");
    const char *headers[] = { "X-Test: one", NULL };
    struct http_responses responses =
        send_one((struct memories_http_request){ .url = url, .method = "DELETE", .headers = headers }, NULL);
    ck_assert_ptr_nonnull(strstr(responses.items[0].body, "DELETE /headers"));
    ck_assert_ptr_nonnull(strstr(responses.items[0].body, "X-Test: one"));
    ck_assert_ptr_null(strstr(responses.items[0].body, "Expect"));
    ck_assert_str_eq(responses.items[0].request_id, "id-1");
    ck_assert_str_eq(responses.items[0].headers[1], "x-amzn-requestid: id-1");
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

START_TEST(bodies_are_sent)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *url = url_of(server, "http", "127.0.0.1", "/echo");
    struct http_responses responses = send_one(
        (struct memories_http_request){ .url = url, .method = "POST", .body = "some body", .body_bytes = 9 }, NULL);
    ck_assert_str_eq(responses.items[0].body, "some body");
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

static const struct {
    const char *path;
    uint32_t max_bytes, timeout_ms;
    int code;
} failures[] = { { "/large?1000", 999, 0, MEMORIES_FAILED },
                 { "/silent", 0, 200, MEMORIES_TIMEOUT },
                 { "/reset", 0, 0, MEMORIES_TRANSIENT } };

START_TEST(failures_have_their_code)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *url = url_of(server, "http", "127.0.0.1", failures[_i].path);
    struct http_responses responses =
        send_one((struct memories_http_request){ .url = url,
                                                 .max_response_bytes = failures[_i].max_bytes,
                                                 .timeout_ms = failures[_i].timeout_ms },
                 NULL);
    ck_assert_int_eq(responses.items[0].status, 0);
    ck_assert_int_eq(responses.items[0].error_code, failures[_i].code);
    ck_assert_ptr_nonnull(responses.items[0].error);
    if (failures[_i].code == MEMORIES_TIMEOUT)
        ck_assert_str_eq(responses.items[0].error, "no answer within 200 ms");
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

static const struct {
    const char *url;
    int code;
} unreachable[] = { { "http://127.0.0.1:1/", MEMORIES_TRANSIENT },
                    { "file:///etc/passwd", MEMORIES_INVALID },
                    { "nonsense://x", MEMORIES_INVALID },
                    { "http://", MEMORIES_INVALID } };

START_TEST(what_cannot_be_reached_has_its_code)
{
    struct http_responses responses = send_one((struct memories_http_request){ .url = unreachable[_i].url }, NULL);
    ck_assert_int_eq(responses.items[0].error_code, unreachable[_i].code);
    /* The same words each time: no time is in them. */
    if (unreachable[_i].code == MEMORIES_TRANSIENT)
        ck_assert_str_eq(responses.items[0].error, "Failed to connect to 127.0.0.1 port 1: Couldn't connect to server");
    http_responses_free(&responses);
}
END_TEST

START_TEST(mutual_tls_with_a_name_that_is_no_address)
{
    struct http_server *server = start_tls(ours);
    AUTO_FREE char *connect_to = text_format("127.0.0.1:%d", http_server_port(server));
    struct http_identity identity = identity_of(ours, ours);
    setenv("https_proxy", "http://127.0.0.1:1", 1); /* must not be asked for a node */
    struct http_responses responses = send_one((struct memories_http_request){ .url = "https://node1:2379/hello",
                                                                               .connect_to = connect_to,
                                                                               .identity = "deployment" },
                                               &identity);
    ck_assert_msg(responses.items[0].status == 200, "%s", responses.items[0].error);
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

static const struct {
    const char *what, *host;
    bool foreign_ca, foreign_pair, no_identity;
} refused[] = {
    { "another name", "node2", false, false, false },
    { "a server of another CA", "node1", true, true, false },
    { "a client of another CA", "node1", false, true, false },
    { "no client certificate, the system's CAs", "node1", false, false, true },
};

START_TEST(wrong_certificates_are_refused)
{
    struct http_server *server = start_tls(ours);
    AUTO_FREE char *url = url_of(server, "https", refused[_i].host, "/hello");
    struct http_identity identity =
        identity_of(refused[_i].foreign_ca ? foreign : ours, refused[_i].foreign_pair ? foreign : ours);
    struct http_responses responses =
        send_one((struct memories_http_request){ .url = url,
                                                 .connect_to = "127.0.0.1",
                                                 .identity = refused[_i].no_identity ? NULL : "deployment" },
                 &identity);
    /* A server that refuses a client does so after the handshake (TLS 1.3), and may be seen to hang up only. */
    bool hung_up = refused[_i].foreign_pair && !refused[_i].foreign_ca &&
                   responses.items[0].error_code == MEMORIES_TRANSIENT;
    ck_assert_int_eq(responses.items[0].status, 0);
    ck_assert_msg(hung_up || responses.items[0].error_code == MEMORIES_DENIED, "%s: %d %s", refused[_i].what,
                  responses.items[0].error_code, responses.items[0].error);
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

#define MANY 200
START_TEST(many_at_once_and_connections_are_kept)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *url = url_of(server, "http", "127.0.0.1", "/hello");
    struct memories_http_request request = { .size = sizeof request, .url = url };
    const struct memories_http_request *requests[MANY];
    for (int i = 0; i < MANY; i++)
        requests[i] = &request;
    for (int round = 0; round < 3; round++) {
        struct http_responses responses;
        ck_assert_int_eq(http_send(client, requests, MANY, NULL, NULL, &responses, NULL), 0);
        for (int i = 0; i < MANY; i++)
            ck_assert_int_eq(responses.items[i].status, 200);
        http_responses_free(&responses);
    }
    ck_assert_int_le(http_server_connections(server), MANY);
    http_server_stop(server);
}
END_TEST

/* None of them waits for the answer of another: that would never come. */
START_TEST(what_is_sent_together_goes_out_together)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *url = url_of(server, "http", "127.0.0.1", "/together?8");
    struct memories_http_request request = { .size = sizeof request, .url = url, .timeout_ms = 60000 };
    const struct memories_http_request *requests[8];
    struct http_responses responses;
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++)
        requests[i] = &request;
    ck_assert_int_eq(http_send(client, requests, ARRAY_COUNT(requests), NULL, NULL, &responses, NULL), 0);
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++)
        ck_assert_int_eq(responses.items[i].status, 200);
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

START_TEST(unix_sockets_work)
{
    AUTO_FREE char *path = text_format("%s/socket", directory);
    struct http_server *server = http_server_start(NULL, path);
    struct http_responses responses =
        send_one((struct memories_http_request){ .url = "http://anything/hello", .unix_socket = path }, NULL);
    ck_assert_int_eq(responses.items[0].status, 200);
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

static const char *const posted[] = { "a body", "" };

START_TEST(what_may_have_been_done_is_not_asked_again)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *hello = url_of(server, "http", "127.0.0.1", "/hello");
    AUTO_FREE char *closed = url_of(server, "http", "127.0.0.1", "/close");
    struct http_responses responses = send_one((struct memories_http_request){ .url = hello }, NULL);
    http_responses_free(&responses);
    responses = send_one((struct memories_http_request){ .url = closed,
                                                         .method = "POST",
                                                         .body = posted[_i],
                                                         .body_bytes = (uint32_t)strlen(posted[_i]) },
                         NULL);
    ck_assert_int_eq(responses.items[0].status, 0);
    ck_assert_int_eq(responses.items[0].error_code, MEMORIES_TRANSIENT);
    ck_assert_int_eq(http_server_requests(server), 2);
    http_responses_free(&responses);
    http_server_stop(server);
}
END_TEST

static void *set_flag(void *flag)
{
    usleep(100000); /* so that the request is under way; the test holds without it too */
    atomic_store((atomic_int *)flag, 1);
    return NULL;
}

START_TEST(cancelling_ends_the_wait)
{
    struct http_server *server = http_server_start(NULL, NULL);
    AUTO_FREE char *url = url_of(server, "http", "127.0.0.1", "/silent");
    struct memories_http_request request = { .size = sizeof request, .url = url };
    const struct memories_http_request *requests[] = { &request };
    atomic_int cancel = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, set_flag, &cancel);
    struct http_responses responses;
    int64_t began = clock_monotonic_ms();
    ck_assert_int_eq(http_send(client, requests, 1, NULL, &cancel, &responses, NULL), MEMORIES_CANCELLED);
    ck_assert_int_lt(clock_monotonic_ms() - began, 25000); /* the request itself would take 30 s */
    pthread_join(thread, NULL);
    http_server_stop(server);
}
END_TEST

START_TEST(an_unknown_identity_is_an_error)
{
    struct memories_http_request request = { .size = sizeof request, .url = "https://127.0.0.1/", .identity = "other" };
    const struct memories_http_request *requests[] = { &request };
    struct http_responses responses;
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(http_send(client, requests, 1, NULL, NULL, &responses, &error), MEMORIES_INVALID);
    ck_assert_str_eq(memories_error_message(error), "there is no TLS identity \"other\" here");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *http = tcase_create("http");
    tcase_add_checked_fixture(http, set_up, tear_down);
    tcase_set_timeout(http, 60);
    tcase_add_loop_test(http, answers_arrive_as_they_are, 0, (int)ARRAY_COUNT(plain));
    tcase_add_test(http, headers_and_request_ids_are_read);
    tcase_add_test(http, bodies_are_sent);
    tcase_add_loop_test(http, failures_have_their_code, 0, (int)ARRAY_COUNT(failures));
    tcase_add_loop_test(http, what_cannot_be_reached_has_its_code, 0, (int)ARRAY_COUNT(unreachable));
    tcase_add_test(http, mutual_tls_with_a_name_that_is_no_address);
    tcase_add_loop_test(http, wrong_certificates_are_refused, 0, (int)ARRAY_COUNT(refused));
    tcase_add_test(http, many_at_once_and_connections_are_kept);
    tcase_add_test(http, what_is_sent_together_goes_out_together);
    tcase_add_test(http, unix_sockets_work);
    tcase_add_loop_test(http, what_may_have_been_done_is_not_asked_again, 0, ARRAY_COUNT(posted));
    tcase_add_test(http, cancelling_ends_the_wait);
    tcase_add_test(http, an_unknown_identity_is_an_error);
    suite_add_tcase(suite, http);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
