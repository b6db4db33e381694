/* test_swarmed_status.c - status of swarmed: what is said of a swarm that is well, and of every way to be unwell */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "tests/unit/swarmed_fixture.h"
#include "tests/unit/topology.h"

#define WEB "'services':[{'name':'web','image':'web:1','replicas':5,'ports':[{'published':80}]}]"
#define ID "swarmed-local-20260225-123456"
#define LOST(answering)                                                                                              \
    answering " of 3 managers answer and 2 are needed: nothing can be changed, and what runs is not watched; bring " \
              "them back with `memories start " ID "`, or, when a majority is lost for ever, `memories heal " ID     \
              " --force-new-cluster MANAGER`"

static void well(void)
{
}

static void all_stopped(void)
{
    for (size_t i = 0; i < fake_swarm.count; i++)
        swarmed_set_state(fake_swarm.engines[i].name, "stopped");
}

static void worker_dies(void)
{
    fake_engine_die("worker-2");
}

static void worker_is_down(void)
{
    fake_engine_die("worker-2");
    swarmed_set_state("worker-2", "stopped");
    fake_swarm_pass();
    fake_swarm_pass();
    fake_swarm_pass();
}

static void engine_hangs(void)
{
    json_object *status = json_get_object(fake_listed("worker-1"), "Status");
    ck_assert(!json_set_string(status, "State", "down") && !json_set_string(status, "Message", "heartbeat failure"));
}

static void engine_left(void)
{
    fake_engine("worker-1")->state = "inactive";
    fake_engine("worker-1")->node_id[0] = '\0';
}

static void worker_is_unknown(void)
{
    snprintf(fake_engine("worker-1")->node_id, 24, "other");
}

static void manager_dies(void)
{
    fake_engine_die("manager-1");
    fake_swarm_pass();
}

static void managers_elect(void)
{
    fake_engine_die("manager-1");
    fake_engine("manager-2")->silence = fake_engine("manager-3")->silence = "no answer within 2000 ms";
    fake_engine("manager-2")->silence_code = fake_engine("manager-3")->silence_code = MEMORIES_TIMEOUT;
}

static void managers_have_no_leader(void)
{
    fake_swarm.electing = 9;
}

static void majority_is_lost(void)
{
    fake_engine_die("manager-2");
    fake_engine_die("manager-3");
}

static void managers_are_stopped(void)
{
    for (int i = 0; i < 3; i++) {
        swarmed_set_state(fake_swarm.engines[i].name, "stopped");
        fake_engine_die(fake_swarm.engines[i].name);
    }
}

static void no_swarm_yet(void)
{
    swarmed_tear_down();
    swarmed_set_up();
    swarmed_open(3, 2, WEB);
}

static void service_fails(void)
{
    fake_swarm.failing = "web";
    fake_swarm.failure = "task: non-zero exit (1)";
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-2"), "Spec"), "Availability", "drain"));
    fake_swarm_pass();
    fake_swarm_pass();
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-2"), "Spec"), "Availability", "active"));
    fake_swarm_pass();
    fake_swarm_pass();
}

static void service_starts(void)
{
    json_object_put(fake_swarm.tasks);
    fake_swarm.tasks = json_object_new_array();
    fake_swarm_pass();
}

static const struct {
    const char *label;
    void (*happens)(void);
    const char *status;
    const char *message;
    const char *leader;
    const char *roles;   /* of members */
    const char *service; /* status of web */
    size_t batches;
} cases[] = {
    { "well", well, "running", "5 of 5 nodes are healthy", "manager-1", "leader manager manager worker worker",
      "running", 2 },
    { "all are stopped", all_stopped, "stopped", "all nodes are stopped", NULL,
      "stopped stopped stopped stopped stopped", NULL, 0 },
    { "a worker dies: nobody has noticed", worker_dies, "degraded",
      "4 of 5 nodes are healthy; worker-2: connection refused", "manager-1",
      "leader manager manager worker unreachable", "running", 2 },
    { "a worker has died", worker_is_down, "degraded", "4 of 5 nodes are healthy; worker-2: the node is stopped",
      "manager-1", "leader manager manager worker stopped", "degraded (4 of 5)", 2 },
    { "an engine hangs", engine_hangs, "degraded", "4 of 5 nodes are healthy; worker-1: it is down: heartbeat failure",
      "manager-1", "leader manager manager worker worker", "running", 2 },
    { "an engine has left", engine_left, "degraded",
      "4 of 5 nodes are healthy; worker-1: its engine's swarm is inactive", "manager-1",
      "leader manager manager worker worker", "running", 2 },
    { "the swarm has another entry", worker_is_unknown, "degraded",
      "4 of 5 nodes are healthy; worker-1: the swarm does not know it", "manager-1",
      "leader manager manager worker worker", "running", 2 },
    { "a manager has died", manager_dies, "degraded", "4 of 5 nodes are healthy; manager-1: connection refused",
      "manager-2", "unreachable leader manager worker worker", "degraded (4 of 5)", 2 },
    { "managers elect, and say nothing", managers_elect, "degraded",
      "the managers are electing a leader; what runs goes on running", NULL,
      "unreachable unreachable unreachable worker worker", NULL, 1 },
    { "managers elect, and say so", managers_have_no_leader, "degraded",
      "the managers are electing a leader; what runs goes on running", NULL, "manager manager manager worker worker",
      NULL, 2 },
    { "the majority is lost", majority_is_lost, "unavailable", LOST("1"), NULL,
      "manager unreachable unreachable worker worker", NULL, 2 },
    { "all managers are stopped", managers_are_stopped, "unavailable", LOST("0"), NULL,
      "stopped stopped stopped worker worker", NULL, 1 },
    { "there is no swarm yet", no_swarm_yet, "unavailable",
      "no swarm has been formed; form it with `memories resume " ID "`", NULL, "worker worker worker worker worker",
      NULL, 1 },
    { "a service fails", service_fails, "degraded", "5 of 5 nodes are healthy; service web is degraded (4 of 5)",
      "manager-1", "leader manager manager worker worker", "degraded (4 of 5)", 2 },
    { "a service starts", service_starts, "degraded", "5 of 5 nodes are healthy; service web is starting", "manager-1",
      "leader manager manager worker worker", "starting", 2 },
};

START_TEST(status_tells_what_is_there)
{
    char roles[256] = "";
    swarmed_open_formed(3, 2, WEB);
    cases[_i].happens();
    size_t batches = fake_host_http_batches();
    json_object *result = swarmed_call(swarmed->status), *members = json_get_array(result, "members");
    ck_assert_msg(!strcmp(json_get_string(result, "status"), cases[_i].status), "%s: %s", cases[_i].label,
                  json_object_to_json_string(result));
    ck_assert_str_eq(json_get_string(result, "message"), cases[_i].message);
    ck_assert_pstr_eq(json_get_string(result, "leader"), cases[_i].leader);
    ck_assert_int_eq(json_get_int(result, "manager_count", 0), 3);
    ck_assert_int_eq(json_get_int(result, "worker_count", 0), 2);
    ck_assert_uint_eq(json_count(members), fake_swarm.count);
    for (size_t i = 0; i < json_count(members); i++) {
        json_object *member = json_at(members, i);
        ck_assert_str_eq(json_get_string(member, "name"), fake_swarm.engines[i].name);
        /* A member is healthy, or says why not. */
        ck_assert_int_eq(json_get_bool(member, "healthy", false), !json_get_string(member, "message"));
        snprintf(roles + strlen(roles), sizeof roles - strlen(roles), "%s%s", i ? " " : "",
                 json_get_string(member, "role"));
    }
    ck_assert_str_eq(roles, cases[_i].roles);
    json_object *service = json_at(json_get_array(result, "services"), 0);
    ck_assert_pstr_eq(json_get_string(service, "status"), cases[_i].service);
    ck_assert_uint_eq(fake_host_http_batches() - batches, cases[_i].batches);
    ck_assert_str_eq(fake_swarm_log(), ""); /* looking changes nothing */
}
END_TEST

START_TEST(a_member_tells_all_it_knows)
{
    swarmed_open_formed(3, 2, WEB);
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-1"), "Spec"), "Availability", "drain"));
    json_object *members = json_get_array(swarmed_call(swarmed->status), "members");
    char expected[512];
    snprintf(expected, sizeof expected,
             "{\"name\":\"worker-1\",\"role\":\"worker\",\"healthy\":true,\"address\":\"https://10.0.0.4:2376\","
             "\"message\":null,\"availability\":\"drain\",\"node_id\":\"%s\",\"version\":\"20.10.24\"}",
             fake_engine("worker-1")->node_id);
    ck_assert_str_eq(
        json_object_to_json_string_ext(json_at(members, 3), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        expected);
}
END_TEST

/* Where a service can be reached, for each port that it publishes; the first one is that of the whole. */
START_TEST(services_tell_where_they_answer)
{
    swarmed_open_formed(1, 2,
                        "'services':[{'name':'quiet','image':'q:1'},{'name':'web','image':'web:1','replicas':2,"
                        "'placement':{'role':'worker'},'ports':[{'published':80},{'published':81,'target':8081}]},"
                        "{'name':'off','image':'o:1','replicas':0}]");
    json_object *result = swarmed_call(swarmed->status);
    ck_assert_str_eq(json_get_string(result, "address"), "10.0.0.2:80");
    ck_assert_str_eq(json_object_to_json_string_ext(json_get_array(result, "services"), JSON_C_TO_STRING_PLAIN),
                     "[{\"name\":\"off\",\"replicas\":0,\"running\":0,\"status\":\"stopped\",\"message\":null,"
                     "\"addresses\":[]},{\"name\":\"quiet\",\"replicas\":1,\"running\":1,\"status\":\"running\","
                     "\"message\":null,\"addresses\":[]},{\"name\":\"web\",\"replicas\":2,\"running\":2,"
                     "\"status\":\"running\",\"message\":null,\"addresses\":[\"10.0.0.2:80\",\"10.0.0.2:81\","
                     "\"10.0.0.3:80\",\"10.0.0.3:81\"]}]");
}
END_TEST

START_TEST(a_service_says_why_it_does_not_run)
{
    swarmed_open_formed(3, 2, WEB);
    service_fails();
    json_object *service = json_at(json_get_array(swarmed_call(swarmed->status), "services"), 0);
    ck_assert_str_eq(json_get_string(service, "message"), "task: non-zero exit (1)");
    ck_assert_int_eq(json_get_int(service, "running", 0), 4);
    ck_assert_int_eq(json_get_int(service, "replicas", 0), 5);
    ck_assert_uint_eq(json_count(json_get_array(service, "addresses")), 4);
}
END_TEST

START_TEST(a_request_without_nodes_is_a_defect)
{
    static const char *const requests[] = {
        "{\"version\":1,\"deployment\":\"x\",\"nodes\":[]}",
        "{\"version\":1,\"nodes\":[{\"name\":\"a\",\"state\":\"ready\"}]}",
        "{\"version\":1,\"deployment\":\"x\",\"nodes\":[{\"name\":\"a\"}]}",
        "not JSON",
    };
    swarmed_slot *const slots[] = { swarmed->status, swarmed->converge, swarmed->release };
    for (size_t i = 0; i < ARRAY_COUNT(requests) * ARRAY_COUNT(slots); i++) {
        struct memories_call *call = fake_call_new();
        ck_assert_int_eq(slots[i % ARRAY_COUNT(slots)](call, requests[i / ARRAY_COUNT(slots)]), MEMORIES_INTERNAL);
        ck_assert_ptr_nonnull(fake_call_error(call));
        fake_call_free(call);
    }
}
END_TEST

START_TEST(memory_that_runs_out_is_reported)
{
    swarmed_open_formed(3, 2, WEB);
    cases[_i].happens();
    check_out_of_memory(swarmed->status, swarmed_request());
}
END_TEST

int main(void)
{
    TCase *test_case = tcase_create("status");
    tcase_add_checked_fixture(test_case, swarmed_set_up, swarmed_tear_down);
    tcase_set_timeout(test_case, 60);
    tcase_add_loop_test(test_case, status_tells_what_is_there, 0, (int)ARRAY_COUNT(cases));
    tcase_add_test(test_case, a_member_tells_all_it_knows);
    tcase_add_test(test_case, services_tell_where_they_answer);
    tcase_add_test(test_case, a_service_says_why_it_does_not_run);
    tcase_add_test(test_case, a_request_without_nodes_is_a_defect);
    tcase_add_loop_test(test_case, memory_that_runs_out_is_reported, 0, (int)ARRAY_COUNT(cases));
    Suite *suite = suite_create("swarmed_status");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
