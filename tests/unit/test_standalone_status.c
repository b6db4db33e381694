/* test_standalone_status.c - converge and status of standalone: by HTTP, by TCP, without a health check */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "tests/unit/fake_host.h"
#include "tests/unit/topology.h"

static const struct memories_topology_ops *ops;
static struct memories_call *call;
static struct fake_response answer;
static char asked[256];

static struct fake_response play(const struct memories_http_request *request, void *user_data)
{
    snprintf(asked, sizeof asked, "%s %s", request->method, request->url);
    ck_assert_ptr_null(request->identity);
    ck_assert_uint_eq(request->timeout_ms, 2000);
    return answer;
}

static void setup(void)
{
    fake_host_reset();
    fake_host_set_http(play, NULL);
    asked[0] = '\0';
    ops = open_topology("standalone");
    call = fake_call_new();
}

static void teardown(void)
{
    fake_call_free(call);
}

static const char *request_for(const char *health, const char *state, const char *address)
{
    static char text[1024];
    snprintf(
        text, sizeof text,
        "{\"version\":1,\"deployment\":\"standalone-x\",\"reason\":\"deploy\",\"elapsed_ms\":0,\"spec\":{%s%s},"
        "\"nodes\":[{\"name\":\"node1\",\"role\":\"standalone\",\"state\":\"%s\",\"outputs\":{\"instance_id\":\"i-1\","
        "\"address\":\"%s\",\"public_ip\":null}}]}",
        health ? "\"health\":" : "", health ? health : "", state, address);
    return text;
}

#define HTTP_HEALTH "{\"path\":\"/healthz\",\"port\":8000}"
#define DONE "{\"done\":true,\"result\":{\"instance_id\":\"i-1\",\"public_ip\":null}}"
#define WAIT(text) "{\"done\":false,\"message\":\"waiting for node1: " text "\",\"poll_after_ms\":20}"
#define STATUS(status, message, healthy, address, problem)                                                             \
    "{\"status\":\"" status "\",\"message\":\"" message "\",\"members\":[{\"name\":\"node1\",\"role\":\"standalone\"," \
    "\"healthy\":" healthy ",\"address\":\"" address "\",\"message\":" problem "}]}"
#define URL "http://127.9.0.1:8000"
#define BROKEN(text) STATUS("degraded", text, "false", URL, "\"" text "\"")

static const struct {
    const char *health;
    const char *state;
    struct fake_response answer;
    const char *asked;
    const char *converge;
    const char *status;
} cases[] = {
    { HTTP_HEALTH,
      "ready",
      { 200, "{\"status\":\"ok\"}", 0, NULL },
      "GET " URL "/healthz",
      DONE,
      STATUS("running", "the workload runs", "true", URL, "null") },
    { HTTP_HEALTH,
      "ready",
      { 204, NULL, 0, NULL },
      "GET " URL "/healthz",
      DONE,
      STATUS("running", "the workload runs", "true", URL, "null") },
    { HTTP_HEALTH,
      "ready",
      { 0, NULL, MEMORIES_TRANSIENT, "connection refused" },
      "GET " URL "/healthz",
      WAIT(URL "/healthz: connection refused"),
      BROKEN(URL "/healthz: connection refused") },
    { HTTP_HEALTH,
      "ready",
      { 302, NULL, 0, NULL },
      "GET " URL "/healthz",
      WAIT(URL "/healthz: HTTP status 302"),
      BROKEN(URL "/healthz: HTTP status 302") },
    { HTTP_HEALTH,
      "ready",
      { 500, "{\"error\":\"no disk\"}", 0, NULL },
      "GET " URL "/healthz",
      WAIT(URL "/healthz: HTTP status 500: no disk"),
      BROKEN(URL "/healthz: HTTP status 500: no disk") },
    { HTTP_HEALTH,
      "pending",
      { 200, NULL, 0, NULL },
      "",
      WAIT("the node is pending"),
      STATUS("unavailable", "the node is pending", "false", "127.9.0.1", "\"the node is pending\"") },
    { HTTP_HEALTH,
      "stopped",
      { 200, NULL, 0, NULL },
      "",
      WAIT("the node is stopped"),
      STATUS("stopped", "the node is stopped", "false", "127.9.0.1", "\"the node is stopped\"") },
    { NULL,
      "ready",
      { 500, NULL, 0, NULL },
      "",
      DONE,
      STATUS("running", "the workload runs", "true", "127.9.0.1", "null") },
    { NULL,
      "broken",
      { 200, NULL, 0, NULL },
      "",
      WAIT("the node is broken"),
      STATUS("unavailable", "the node is broken", "false", "127.9.0.1", "\"the node is broken\"") },
};

START_TEST(converge_and_status)
{
    const char *request = request_for(cases[_i].health, cases[_i].state, "127.9.0.1");
    answer = cases[_i].answer;
    ck_assert_int_eq(ops->converge(call, request), MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(call), cases[_i].converge);
    ck_assert_str_eq(asked, cases[_i].asked);
    ck_assert_int_eq(ops->status(call, request), MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(call), cases[_i].status);
}
END_TEST

START_TEST(an_ipv6_address_stands_in_brackets)
{
    answer = (struct fake_response){ .status = 200 };
    ck_assert_int_eq(ops->converge(call, request_for(HTTP_HEALTH, "ready", "2001:db8::1")), MEMORIES_OK);
    ck_assert_str_eq(asked, "GET http://[2001:db8::1]:8000/healthz");
}
END_TEST

/* A port without a path: whoever accepts a connection is well. */
START_TEST(a_tcp_port_is_enough)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char health[64], refused[128];
    snprintf(health, sizeof health, "{\"path\":null,\"port\":%d}", ntohs(address.sin_port));
    snprintf(refused, sizeof refused, WAIT("127.0.0.1:%d: Connection refused"), ntohs(address.sin_port));

    ck_assert_int_eq(ops->converge(call, request_for(health, "ready", "127.0.0.1")), MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(call), refused);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(ops->converge(call, request_for(health, "ready", "127.0.0.1")), MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(call), DONE);
    ck_assert_str_eq(asked, "");
    close(fd);
}
END_TEST

START_TEST(memory_that_runs_out_is_reported)
{
    answer = (struct fake_response){ .status = _i < 2 ? 200 : 500, .body = "{\"error\":\"no disk\"}" };
    check_out_of_memory(_i % 2 ? ops->status : ops->converge, request_for(HTTP_HEALTH, "ready", "127.9.0.1"));
}
END_TEST

int main(void)
{
    TCase *test_case = tcase_create("status");
    tcase_add_checked_fixture(test_case, setup, teardown);
    tcase_add_loop_test(test_case, converge_and_status, 0, (int)ARRAY_COUNT(cases));
    tcase_add_test(test_case, an_ipv6_address_stands_in_brackets);
    tcase_add_test(test_case, a_tcp_port_is_enough);
    tcase_add_loop_test(test_case, memory_that_runs_out_is_reported, 0, 4);
    Suite *suite = suite_create("standalone_status");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
