/* test_swarmed_form.c - converge of swarmed: from engines that run to a swarm whose services run */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "tests/unit/swarmed_fixture.h"
#include "tests/unit/topology.h"

/* Services without an image to load, for tests of something else. */
#define NO_SERVICES "'services':[]"
#define ONE_SERVICE "'services':[{'name':'web','image':'web:1','replicas':2}]"

static void expect_wait(const char *message)
{
    ck_assert_str_eq(swarmed_waits(swarmed->converge), message);
}

static void expect_log(const char *log)
{
    ck_assert_str_eq(fake_swarm_log(), log);
}

/* One step, after which time goes on. */
static void expect_step(const char *message, const char *log)
{
    expect_wait(message);
    expect_log(log);
    fake_swarm_pass();
}

static void expect_error(int32_t code, const char *where, const char *message, const char *hint)
{
    const struct memories_error_detail *error = swarmed_fails(swarmed->converge, code);
    ck_assert_str_eq(error->message, message);
    ck_assert_pstr_eq(error->where, where);
    ck_assert_pstr_eq(error->hint, hint);
}

/* ---- Forming ---- */

START_TEST(a_swarm_is_formed_step_by_step)
{
    swarmed_open(3, 2, "");
    for (size_t i = 0; i < fake_swarm.count; i++)
        fake_engine_die(fake_swarm.engines[i].name);
    expect_step("0 of 5 engines answer; waiting for manager-1: connection refused", "");
    for (size_t i = 0; i < fake_swarm.count - 1; i++)
        fake_swarm.engines[i].silence = NULL;
    /* An engine that says nothing could be a member of a swarm. */
    expect_step("4 of 5 engines answer; waiting for worker-2: connection refused", "");
    fake_engine("worker-2")->silence = NULL;
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    /* Workers all at once, managers one after the other, each with what it will run. */
    expect_step("1 of 5 nodes are in the swarm; waiting for manager-2",
                "load manager-2, load worker-1, load worker-2\njoin manager-2, join worker-1, join worker-2\n");
    expect_step("4 of 5 nodes are in the swarm; waiting for manager-3", "load manager-3\njoin manager-3\n");
    expect_step("3 services are made", "load manager-1\nnetwork memories\n"
                                       "create memories-api, create memories-worker, create memories-db\n");
    expect_step("0 of 1 tasks of service memories-db run", "");
    json_object *result = swarmed_call(swarmed->converge);
    ck_assert_str_eq(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN),
                     "{\"done\":true,\"result\":{\"manager_nodes\":[\"manager-1\",\"manager-2\",\"manager-3\"],"
                     "\"worker_nodes\":[\"worker-1\",\"worker-2\"],\"services\":["
                     "{\"name\":\"memories-api\",\"replicas\":3,\"running\":3,\"status\":\"running\",\"message\":null,"
                     "\"addresses\":[\"10.0.0.1:8000\",\"10.0.0.2:8000\",\"10.0.0.4:8000\"]},"
                     "{\"name\":\"memories-db\",\"replicas\":1,\"running\":1,\"status\":\"running\",\"message\":null,"
                     "\"addresses\":[]},"
                     "{\"name\":\"memories-worker\",\"replicas\":2,\"running\":2,\"status\":\"running\","
                     "\"message\":null,\"addresses\":[]}]}}");
    expect_log("");
}
END_TEST

START_TEST(what_is_formed_is_left_alone)
{
    static const char *const reasons[] = { "deploy", "start", "update", "scale", "heal", "resume" };
    swarmed_open_formed(3, 2, "");
    swarmed_reason = reasons[_i];
    ck_assert_int_eq(swarmed_until_done(swarmed->converge, 1), 1);
    expect_log("");
}
END_TEST

/* Whoever is in a swarm already might hold its state: beginning another one would lose it. */
START_TEST(no_swarm_begins_beside_another)
{
    static const char *const states[] = { "active", "pending", "error" };
    swarmed_open(3, 2, NO_SERVICES);
    fake_engine("manager-2")->state = states[_i];
    for (int step = 0; step < 3; step++)
        expect_step("waiting for a manager of the swarm", "");
}
END_TEST

START_TEST(a_swarm_that_can_not_begin_is_an_error)
{
    swarmed_open(1, 1, NO_SERVICES);
    fake_swarm_refuse("init manager-1", 500, "context deadline exceeded");
    expect_step("beginning the swarm on manager-1: HTTP status 500: context deadline exceeded", "init manager-1\n");
    fake_swarm_refuse("init manager-1", 400, "invalid listen address");
    expect_error(MEMORIES_FAILED, "manager-1",
                 "manager-1 can't begin the swarm: HTTP status 400: invalid listen address", NULL);
}
END_TEST

START_TEST(a_manager_under_way_holds_up_managers_only)
{
    swarmed_open(3, 2, NO_SERVICES);
    fake_swarm.joins_take = 2;
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    expect_step("1 of 5 nodes are in the swarm; waiting for manager-2", "join manager-2, join worker-1, join worker-2\n");
    fake_swarm.joins_take = 1;
    fake_swarm_pass();
    expect_step("4 of 5 nodes are in the swarm; waiting for manager-3", "join manager-3\n");
    swarmed_until_done(swarmed->converge, 5);
    expect_log("");
}
END_TEST

START_TEST(a_pending_manager_is_waited_for)
{
    swarmed_open(3, 1, NO_SERVICES);
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    fake_swarm.joins_take = 9;
    expect_step("1 of 4 nodes are in the swarm; waiting for manager-2", "join manager-2, join worker-1\n");
    expect_step("1 of 4 nodes are in the swarm; waiting for manager-2", "");
    expect_step("1 of 4 nodes are in the swarm; waiting for manager-2", "");
}
END_TEST

START_TEST(a_failed_join_is_left_and_begun_again)
{
    swarmed_open_formed(3, 3, NO_SERVICES);
    struct fake_engine *engine = fake_engine(_i ? "manager-3" : "worker-2");
    snprintf(engine->node_id, sizeof engine->node_id, "gone");
    engine->state = "error";
    engine->is_manager = false;
    engine->complaint = "context deadline exceeded";
    fake_swarm_pass(); /* the managers see that nobody is behind the entry */
    char left[32], joined[32], wait[128];
    snprintf(left, sizeof left, "leave %s\n", engine->name);
    snprintf(joined, sizeof joined, "join %s\n", engine->name);
    snprintf(wait, sizeof wait, "5 of 6 nodes are in the swarm; waiting for %s: context deadline exceeded", engine->name);
    expect_step(wait, left);
    engine->complaint = NULL;
    expect_step(wait, joined);
    swarmed_until_done(swarmed->converge, 5); /* and the entry that it had is forgotten */
    ck_assert_uint_eq(fake_listed_count(engine->name), 1);
}
END_TEST

/* The managers know the node already, and not as one of them: Docker demotes nobody who is none. */
START_TEST(a_join_that_breaks_off_leaves_no_entry)
{
    const char *name = _i ? "manager-3" : "worker-2";
    swarmed_open_formed(3, 3, NO_SERVICES);
    struct fake_engine *engine = fake_engine(name);
    json_object_object_del(fake_listed(name), "ManagerStatus");
    *engine->node_id = '\0';
    engine->state = "inactive";
    engine->is_manager = false;
    fake_swarm_pass();
    ck_assert_int_le(swarmed_until_done(swarmed->converge, 8), 5);
    expect_log(_i ? "join manager-3\nforget manager-3\n" : "join worker-2\nforget worker-2\n");
    ck_assert_uint_eq(fake_listed_count(name), 1);
}
END_TEST

/* One that broke off before it had told its name; who joins just now is given the time to. */
START_TEST(an_entry_without_a_name_is_forgotten_in_the_end)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    json_object *nameless = json_add_new_object(fake_swarm.nodes), *spec = json_set_new_object(nameless, "Spec");
    ck_assert(!json_set_string(nameless, "ID", "node99") && !json_set_string(spec, "Role", _i ? "manager" : "worker"));
    ck_assert(!json_set_string(json_set_new_object(nameless, "Status"), "State", "unknown"));
    swarmed_waiting_ms = 20000; /* for something else */
    expect_step("waiting for the name of node node99", "");
    swarmed_waiting_ms = 9999;
    expect_step("waiting for the name of node node99", "");
    swarmed_waiting_ms = 10000;
    swarmed_until_done(swarmed->converge, 3);
    expect_log("forget node99\n");
    ck_assert_uint_eq(json_count(fake_swarm.nodes), 4);
}
END_TEST

/* The list knows one that has just joined by its id only. */
START_TEST(a_node_whose_name_is_not_known_yet_is_waited_for)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    json_object *listed = fake_listed("worker-1"), *description = json_ref(json_get_object(listed, "Description"));
    swarmed_waiting_ms = 20000;
    json_object_object_del(listed, "Description");
    ck_assert(!json_set_string(json_get_object(listed, "Status"), "State", "unknown"));
    expect_step("3 of 4 nodes are ready; waiting for worker-1", "");
    ck_assert(!json_set(listed, "Description", description));
    ck_assert(!json_set_string(json_get_object(listed, "Status"), "State", "ready"));
    swarmed_until_done(swarmed->converge, 3);
    expect_log("");
}
END_TEST

START_TEST(a_refused_join_is_tried_again)
{
    swarmed_open(1, 2, NO_SERVICES);
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    fake_swarm_refuse("join worker-1", 500, "Timeout was reached before node joined");
    expect_step("1 of 3 nodes are in the swarm; waiting for worker-1: HTTP status 500: Timeout was reached before node joined",
                "join worker-1, join worker-2\n");
    expect_step("2 of 3 nodes are in the swarm; waiting for worker-1", "join worker-1\n");
    swarmed_until_done(swarmed->converge, 2);
}
END_TEST

/* It is refused, leaves, and tries again, in which nothing is said: all of it is one wait. */
START_TEST(a_node_that_does_not_get_in_is_an_error_in_the_end)
{
    static const char wait[] =
        "2 of 3 nodes are in the swarm; waiting for worker-2: HTTP status 503: Timeout was reached before node joined";
    swarmed_open_formed(1, 2, NO_SERVICES);
    swarmed_reason = "scale";
    struct fake_engine *engine = fake_engine("worker-2");
    engine->state = "inactive";
    fake_swarm_refuse("join worker-2", 503, "Timeout was reached before node joined");
    expect_wait(wait);
    engine->state = "pending";
    swarmed_waiting_ms = 179999;
    expect_wait(wait);
    swarmed_waiting_ms = 180000;
    expect_error(MEMORIES_FAILED, "worker-2",
                 "worker-2 does not get into the swarm: HTTP status 503: Timeout was reached before node joined",
                 "let the nodes reach each other at 2377/tcp and at 7946/tcp and udp, then: memories resume "
                 "swarmed-local-20260225-123456");
    swarmed_reason = "start";
    expect_wait(wait);
    expect_log("join worker-2\n");
}
END_TEST

START_TEST(tokens_that_are_not_told_are_waited_for)
{
    swarmed_open(1, 1, NO_SERVICES);
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    fake_swarm.electing = 1;
    expect_step(
        "asking manager-1 for the way into the swarm: HTTP status 500: rpc error: code = Unknown desc = The swarm "
        "does not have a leader.",
        "");
    swarmed_until_done(swarmed->converge, 3);
}
END_TEST

START_TEST(a_locked_swarm_is_an_error)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    fake_engine("manager-2")->state = "locked";
    expect_error(MEMORIES_CONFLICT, "manager-2",
                 "the swarm of manager-2 is locked with a key that memories does not have",
                 "unlock it with `docker swarm unlock` on that node");
}
END_TEST

START_TEST(an_engine_that_is_too_old_is_an_error)
{
    swarmed_open(1, 1, NO_SERVICES);
    fake_engine("worker-1")->api = _i ? NULL : "1.40";
    expect_error(MEMORIES_UNSUPPORTED, "worker-1",
                 _i ? "worker-1: its engine speaks API of no version, and 1.41 is needed"
                    : "worker-1: its engine speaks API 1.40, and 1.41 is needed",
                 "install docker.io 20.10 or newer on that node");
    expect_log("");
}
END_TEST

/* An engine that is newer than what is known here is asked as one that is known; the oldest sets the version for all.
 */
START_TEST(the_oldest_engine_sets_the_version)
{
    static const char *const oldest[] = { "1.41", "1.47", "1.52", "1.60" };
    static const char *const versions[] = { "/v1.41/", "/v1.47/", "/v1.52/", "/v1.52/" };
    swarmed_open(1, 2, NO_SERVICES);
    for (size_t i = 0; i < fake_swarm.count; i++)
        fake_swarm.engines[i].api = "1.99";
    fake_engine("worker-1")->api = oldest[_i];
    swarmed_until_done(swarmed->converge, 5);
    ck_assert_str_eq(fake_swarm_version(), versions[_i]);
}
END_TEST

START_TEST(something_else_that_answers_is_waited_for)
{
    swarmed_open(1, 1, NO_SERVICES);
    fake_engine("worker-1")->body = _i ? "{\"ID\":1}" : "<html>";
    expect_step("1 of 2 engines answer; waiting for worker-1: it answers, but not as a Docker Engine does", "");
}
END_TEST

START_TEST(nodes_that_do_not_run_are_not_asked)
{
    static const char *const states[] = { "stopped", "pending", "broken", "absent" };
    static const char *const messages[] = {
        "1 of 2 engines answer; waiting for worker-1: the node is stopped",
        "1 of 2 engines answer; waiting for worker-1: the node is pending",
        "1 of 2 engines answer; waiting for worker-1: the node is broken",
        "1 of 2 engines answer; waiting for worker-1: the node is not there",
    };
    swarmed_open(1, 1, NO_SERVICES);
    swarmed_set_state("worker-1", states[_i]);
    fake_engine("worker-1")->body = "it must not be asked";
    expect_step(messages[_i], "");
}
END_TEST

/* ---- The list of nodes ---- */

/* A node that was made anew has its name and another id. */
START_TEST(entries_of_lost_nodes_are_forgotten)
{
    swarmed_open_formed(3, 2, NO_SERVICES);
    struct fake_engine *engine = fake_engine(_i ? "manager-2" : "worker-1");
    *engine->node_id = '\0';
    engine->state = "inactive";
    engine->is_manager = false;
    fake_swarm_pass();
    ck_assert_int_le(swarmed_until_done(swarmed->converge, 8), 5);
    if (_i)
        expect_log("join manager-2\nchange manager-2 worker marked\nforget manager-2\n");
    else
        expect_log("join worker-1\nforget worker-1\n");
    ck_assert_uint_eq(fake_listed_count(engine->name), 1);
}
END_TEST

/* After a swarm was made anew its managers take everybody they remember for alive at first. */
START_TEST(entries_of_lost_nodes_are_waited_for_until_they_are_missed)
{
    swarmed_open_formed(3, 2, NO_SERVICES);
    struct fake_engine *engine = fake_engine("worker-1");
    json_object *former = fake_listed("worker-1");
    *engine->node_id = '\0';
    engine->state = "inactive";
    fake_swarm_pass();
    ck_assert(!json_set_string(json_get_object(former, "Status"), "State", "unknown"));
    expect_step("4 of 5 nodes are in the swarm; waiting for worker-1", "join worker-1\n");
    fake_swarm_pass();
    ck_assert(!json_set_string(json_get_object(former, "Status"), "State", "unknown"));
    expect_step("waiting for the managers to miss the former worker-1", "");
    ck_assert(!json_set_string(json_get_object(former, "Status"), "State", "down"));
    ck_assert_int_le(swarmed_until_done(swarmed->converge, 8), 5);
    ck_assert_uint_eq(fake_listed_count("worker-1"), 1);
}
END_TEST

START_TEST(strangers_that_run_are_left_alone)
{
    swarmed_open(1, 2, NO_SERVICES);
    fake_engine("worker-2")->state = "active";
    expect_wait("waiting for a manager of the swarm");
    fake_engine("worker-2")->state = "inactive";
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    fake_swarm_add("worker-2", false);
    fake_engine("worker-2")->is_stranger = true;
    swarmed_until_done(swarmed->converge, 5);
    expect_log("join worker-1\n");
}
END_TEST

START_TEST(roles_are_corrected_one_at_a_time)
{
    swarmed_open_formed(1, 3, NO_SERVICES);
    for (size_t i = 1; i < fake_swarm.count; i++)
        ck_assert(
            !json_set_string(json_get_object(fake_listed(fake_swarm.engines[i].name), "Spec"), "Role", "manager"));
    fake_swarm_pass();
    expect_step("worker-1 becomes a worker", "change worker-1 worker\n");
    expect_step("worker-2 becomes a worker", "change worker-2 worker\n");
    expect_step("worker-3 becomes a worker", "change worker-3 worker\n");
    swarmed_until_done(swarmed->converge, 3);
    expect_log("");
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-2"), "Spec"), "Role", "manager"));
    fake_swarm_pass();
    swarmed_until_done(swarmed->converge, 5);
    expect_log("change worker-2 worker\n");
}
END_TEST

/* A version that somebody else has changed in between is refused, and looked at again. */
START_TEST(a_change_out_of_sequence_is_made_again)
{
    swarmed_open_formed(1, 1, NO_SERVICES);
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-1"), "Spec"), "Role", "manager"));
    fake_swarm_refuse("change worker-1 worker", 500, "update out of sequence");
    expect_step("changing worker-1: HTTP status 500: update out of sequence", "change worker-1 worker\n");
    swarmed_until_done(swarmed->converge, 5);
    expect_log("change worker-1 worker\n");
}
END_TEST

START_TEST(a_removal_that_was_called_off_is_undone)
{
    swarmed_open_formed(1, 3, ONE_SERVICE);
    swarmed_plan(1, 1, ONE_SERVICE);
    swarmed_set_request("{'leaving':['worker-2','worker-3']}");
    ck_assert_ptr_nonnull(swarmed_waits(swarmed->release));
    expect_log("change worker-2 pause marked, change worker-3 pause marked\n");
    swarmed_plan(1, 3, ONE_SERVICE);
    swarmed_until_done(swarmed->converge, 5);
    expect_log("change worker-2 active unmarked\nchange worker-3 active unmarked\n");
}
END_TEST

/* While some nodes go, others may be changed, and the whole is looked at in between. */
START_TEST(nodes_that_go_are_left_alone)
{
    swarmed_open_formed(1, 3, ONE_SERVICE);
    swarmed_plan(1, 1, ONE_SERVICE);
    swarmed_set_request("{'leaving':['worker-2','worker-3']}");
    ck_assert_ptr_nonnull(swarmed_waits(swarmed->release));
    fake_swarm_log();
    fake_engine_die("worker-3");
    fake_swarm_pass();
    swarmed_until_done(swarmed->converge, 5);
    expect_log("");
}
END_TEST

START_TEST(a_drained_node_stays_drained)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-1"), "Spec"), "Availability", "drain"));
    swarmed_until_done(swarmed->converge, 1);
    expect_log("");
}
END_TEST

START_TEST(a_manager_that_hangs_is_an_error_in_the_end)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    ck_assert(!json_set_string(json_get_object(fake_listed("manager-2"), "Status"), "State", "down"));
    swarmed_elapsed_ms = swarmed_waiting_ms = 500000; /* its machine was slow to come */
    expect_wait("3 of 4 nodes are ready; waiting for manager-2");
    swarmed_waiting_ms = 119999;
    expect_wait("3 of 4 nodes are ready; waiting for manager-2");
    swarmed_waiting_ms = 120000;
    expect_error(MEMORIES_FAILED, "manager-2",
                 "manager-2 does not find back into the swarm, although its engine runs: the managers count it as down",
                 "make it anew: memories heal swarmed-local-20260225-123456 --node manager-2");
    expect_log("");
}
END_TEST

/* A worker has nothing that the swarm does not know. */
START_TEST(a_worker_that_is_counted_as_down_for_a_minute_joins_anew)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-2"), "Status"), "State", "down"));
    swarmed_waiting_ms = 500000; /* for something else */
    expect_wait("2 of 3 nodes are ready; waiting for worker-2");
    swarmed_waiting_ms = 59999;
    expect_wait("2 of 3 nodes are ready; waiting for worker-2");
    swarmed_waiting_ms = 60000;
    if (_i) {
        fake_swarm_refuse("leave worker-2", 500, "context deadline exceeded");
        expect_wait("worker-2 leaves, to join anew: HTTP status 500: context deadline exceeded");
        expect_log("leave worker-2\n");
        swarmed_waiting_ms = 0;
        expect_wait("2 of 3 nodes are ready; waiting for worker-2");
        swarmed_waiting_ms = 60000;
    }
    expect_wait("worker-2 joins anew: its engine runs, and the managers go on to count it as down");
    expect_log("leave worker-2\n");
    swarmed_waiting_ms = 0;
    ck_assert_int_le(swarmed_until_done(swarmed->converge, 5), 3);
    expect_log("join worker-2\nforget worker-2\n");
    ck_assert_uint_eq(fake_listed_count("worker-2"), 1);
}
END_TEST

/* "connection refused", then "connection reset", and so on: what is waited for is the same. */
START_TEST(an_engine_that_stays_silent_is_an_error_in_the_end)
{
    swarmed_open_formed(3, 2, NO_SERVICES);
    swarmed_reason = "heal";
    fake_engine("worker-2")->silence = "connection reset";
    expect_wait("4 of 5 engines answer; waiting for worker-2: connection reset");
    fake_engine("worker-2")->silence = "connection refused";
    swarmed_waiting_ms = 119999;
    expect_wait("4 of 5 engines answer; waiting for worker-2: connection reset");
    swarmed_waiting_ms = 120000;
    expect_error(MEMORIES_FAILED, "worker-2",
                 "the engine of worker-2 does not answer, although the node runs: connection refused",
                 "make it anew: memories heal swarmed-local-20260225-123456 --node worker-2; its last words: memories logs "
                 "swarmed-local-20260225-123456");
    /* After a start all engines have to come up first. */
    swarmed_reason = "start";
    expect_wait("4 of 5 engines answer; waiting for worker-2: connection reset");
    /* Then another one is waited for. */
    swarmed_reason = "heal";
    fake_engine("manager-2")->silence = "connection refused";
    expect_wait("3 of 5 engines answer; waiting for manager-2: connection refused");
    expect_log("");
}
END_TEST

START_TEST(a_new_engine_may_take_its_time)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    swarmed_reason = "scale";
    fake_engine("worker-2")->silence = "connection refused";
    json_object_array_del_idx(fake_swarm.nodes, 2, 1);
    expect_wait("2 of 3 engines answer; waiting for worker-2: connection refused");
    swarmed_waiting_ms = 500000;
    expect_wait("2 of 3 engines answer; waiting for worker-2: connection refused");
}
END_TEST

/* Nobody can let it go: but its data are there, and may do with another process. */
START_TEST(an_only_manager_that_stays_silent_is_to_be_started_again)
{
    swarmed_open_formed(1, 1, NO_SERVICES);
    fake_engine("manager-1")->silence = "connection refused";
    expect_wait("1 of 2 engines answer; waiting for manager-1: connection refused");
    swarmed_waiting_ms = 120000;
    expect_error(MEMORIES_FAILED, "manager-1",
                 "the engine of manager-1 does not answer, although the node runs: connection refused",
                 "end it and start it again: memories stop swarmed-local-20260225-123456, then memories start "
                 "swarmed-local-20260225-123456; its last words: memories logs swarmed-local-20260225-123456");
}
END_TEST

START_TEST(managers_that_are_not_reachable_are_waited_for)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    ck_assert(
        !json_set_string(json_get_object(fake_listed("manager-3"), "ManagerStatus"), "Reachability", "unreachable"));
    expect_wait("3 of 4 nodes are ready; waiting for manager-3");
}
END_TEST

START_TEST(an_election_is_waited_for)
{
    swarmed_open_formed(3, 1, ONE_SERVICE);
    fake_swarm.electing = 2;
    for (int step = 0; step < 2; step++)
        expect_step(
            "waiting for the managers: HTTP status 500: rpc error: code = Unknown desc = The swarm does not have a "
            "leader.",
            "");
    swarmed_until_done(swarmed->converge, 2);
}
END_TEST

/* ---- Images ---- */

#define TWO_OF_ONE_ARCHIVE(path)                                                            \
    "'services':[{'name':'a','image':'agent:1','image_archive':'%s'},"                      \
    "{'name':'b','image':'agent:1','image_archive':'%s'},{'name':'c','image':'pulled:1'}]", \
        path, path

START_TEST(an_image_is_loaded_once_and_only_where_it_is_lacking)
{
    char config[512];
    AUTO_FREE char *path = strdup(swarmed_archive("agent", 'b'));
    snprintf(config, sizeof config, TWO_OF_ONE_ARCHIVE(path));
    swarmed_open(1, 2, config);
    ck_assert(!json_set_bool(fake_engine("worker-1")->images, swarmed_image('b'), true));
    swarmed_until_done(swarmed->converge, 10);
    expect_log("init manager-1\nload worker-2\njoin worker-1, join worker-2\nload manager-1\nnetwork memories\n"
               "create a, create b, create c\n");
    json_object *spec =
        json_get_object(json_get_object(json_get_object(fake_service("a"), "Spec"), "TaskTemplate"), "ContainerSpec");
    ck_assert_str_eq(json_get_string(spec, "Image"), swarmed_image('b'));
    spec =
        json_get_object(json_get_object(json_get_object(fake_service("c"), "Spec"), "TaskTemplate"), "ContainerSpec");
    ck_assert_str_eq(json_get_string(spec, "Image"), "pulled:1");
}
END_TEST

/* The archive is another image: the nodes get it, and the service is updated. */
START_TEST(an_archive_that_was_built_anew_is_another_image)
{
    swarmed_open_formed(1, 1, "");
    swarmed_archive("memories-server", 'c');
    swarmed_until_done(swarmed->converge, 10);
    expect_log("load manager-1, load worker-1\nupdate memories-api, update memories-worker, update memories-db\n");
    ck_assert_uint_eq(fake_running("memories-api"), 2);
}
END_TEST

static const struct {
    const char *content; /* of the archive; NULL: there is none */
    const char *why;
} damaged[] = {
    { NULL, "No such file or directory" },
    { "", "it is no archive of an image" },
    { "this is text", "it is no archive of an image" },
};

START_TEST(an_archive_that_can_not_be_used_is_an_error)
{
    AUTO_FREE char *path = strdup(swarmed_archive("agent", 'b'));
    char config[512], message[256];
    ck_assert_int_eq(remove(path), 0);
    if (damaged[_i].content) {
        FILE *file = fopen(path, "we");
        ck_assert(fputs(damaged[_i].content, file) >= 0 && fclose(file) == 0);
    }
    snprintf(config, sizeof config, "'services':[{'name':'a','image':'agent:1','image_archive':'%s'}]", path);
    swarmed_open(1, 1, config);
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    snprintf(message, sizeof message, "the archive of service a's image can't be used: %s", damaged[_i].why);
    expect_error(MEMORIES_NOT_FOUND, path, message, "make it with `docker save`, and give its absolute path");
    expect_log("");
}
END_TEST

START_TEST(the_builtin_image_says_how_it_is_made)
{
    const char *path = swarmed_archive("memories-server", 'a');
    ck_assert_int_eq(remove(path), 0);
    swarmed_open(1, 1, "");
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    expect_error(MEMORIES_NOT_FOUND, path,
                 "the archive of service memories-api's image can't be used: No such file or directory",
                 "build it with `make image` and install it, or name another image");
}
END_TEST

/* Docker tells of a failure after it has begun to answer with status 200. */
START_TEST(an_image_that_can_not_be_loaded_is_an_error)
{
    swarmed_open(1, 1, "");
    expect_step("the swarm begins on manager-1", "init manager-1\n");
    fake_swarm_refuse("load worker-1", _i ? 500 : 200, _i ? "no space left on device" : "\",\"error\":\"no space left");
    expect_error(MEMORIES_FAILED, "worker-1",
                 _i ? "worker-1 can't load the image memories-server: HTTP status 500: no space left on device"
                    : "worker-1 can't load the image memories-server: {\"message\":\"\",\"error\":\"no space left\"}",
                 "look for a full disk on that node");
    expect_log("load worker-1\n");
}
END_TEST

/* ---- Services ---- */

START_TEST(services_follow_the_configuration)
{
    swarmed_open_formed(1, 2, "'services':[{'name':'web','image':'web:1'},{'name':'old','image':'old:1'}]");
    swarmed_plan(1, 2, "'services':[{'name':'web','image':'web:2'},{'name':'new','image':'new:1'}]");
    swarmed_until_done(swarmed->converge, 10);
    expect_log("update web, create new, remove old\n");
    ck_assert_ptr_null(fake_service("old"));
    ck_assert_uint_eq(fake_running("web"), 1);
    ck_assert_uint_eq(fake_running("new"), 1);
}
END_TEST

/* Whatever of a service changes makes an update. */
static const char *const changed_services[] = {
    "'image':'web:1','replicas':3",
    "'image':'web:1','mode':'global'",
    "'image':'web:1','command':['/web','-v']",
    "'image':'web:1','env':{'LEVEL':'debug'}",
    "'image':'web:1','ports':[{'published':80}]",
    "'image':'web:1','placement':{'role':'worker'}",
    "'image':'web:1','placement':{'node':'worker-1'}",
    "'image':'web:1','placement':{'constraints':['node.role!=manager']}",
    "'image':'web:1','resources':{'limits':{'cpus':0.5}}",
    "'image':'web:1','resources':{'reservations':{'memory_mb':64}}",
    "'image':'web:1','health':{'command':['/web','--check']}",
    "'image':'web:1','volumes':[{'name':'state','path':'/state'}]",
};

START_TEST(every_change_of_a_service_is_made)
{
    char config[256];
    swarmed_open_formed(1, 2, "'services':[{'name':'web','image':'web:1'}]");
    snprintf(config, sizeof config, "'services':[{'name':'web',%s}]", changed_services[_i]);
    swarmed_plan(1, 2, config);
    swarmed_until_done(swarmed->converge, 10);
    expect_log("update web\n");
    swarmed_until_done(swarmed->converge, 1);
    expect_log("");
}
END_TEST

START_TEST(replicas_that_were_raised_are_put_back)
{
    swarmed_open_formed(1, 2, ONE_SERVICE);
    json_object *mode = json_get_object(json_get_object(fake_service("web"), "Spec"), "Mode");
    ck_assert(!json_set_int(json_get_object(mode, "Replicated"), "Replicas", 5));
    fake_swarm_pass();
    swarmed_until_done(swarmed->converge, 5);
    expect_log("update web\n");
    ck_assert_uint_eq(fake_running("web"), 2);
}
END_TEST

START_TEST(somebody_elses_service_is_not_touched)
{
    swarmed_open_formed(1, 1, ONE_SERVICE);
    json_object *labels = json_get_object(json_get_object(fake_service("web"), "Spec"), "Labels");
    ck_assert(!json_set_string(labels, "memories.deployment", "another"));
    swarmed_plan(1, 1, NO_SERVICES);
    swarmed_until_done(swarmed->converge, 2);
    expect_log("");
    swarmed_plan(1, 1, ONE_SERVICE);
    expect_error(MEMORIES_CONFLICT, "web",
                 "the swarm has a service web that does not belong to swarmed-local-20260225-123456",
                 "remove that service, or give this one another name");
    expect_log("");
}
END_TEST

START_TEST(a_service_that_docker_refuses_is_an_error)
{
    swarmed_open_formed(1, 1, NO_SERVICES);
    swarmed_plan(1, 1, ONE_SERVICE);
    fake_swarm_refuse("create web", 500, "context deadline exceeded");
    expect_step("service web: HTTP status 500: context deadline exceeded", "network memories\ncreate web\n");
    fake_swarm_refuse("create web", 400, "invalid reference format");
    expect_error(MEMORIES_INVALID, "web", "Docker does not take service web: HTTP status 400: invalid reference format",
                 "correct the service's configuration");
    swarmed_until_done(swarmed->converge, 5);
}
END_TEST

START_TEST(a_network_that_can_not_be_made_is_tried_again)
{
    swarmed_open_formed(1, 1, NO_SERVICES);
    swarmed_plan(1, 1, ONE_SERVICE);
    fake_swarm_refuse("network memories", 500, "no leader");
    expect_step("making the services' network: HTTP status 500: no leader", "network memories\n");
    fake_swarm_refuse("network memories", 409, "network with name memories already exists");
    expect_step("1 services are made", "network memories\ncreate web\n");
}
END_TEST

START_TEST(an_update_is_waited_for)
{
    swarmed_open_formed(1, 2, ONE_SERVICE);
    ck_assert(!json_set_string(json_set_new_object(fake_service("web"), "UpdateStatus"), "State", "updating"));
    expect_step("service web is being updated: 2 of 2 tasks run", "");
    swarmed_until_done(swarmed->converge, 1);
}
END_TEST

START_TEST(an_update_that_fails_is_an_error)
{
    swarmed_open_formed(1, 2, ONE_SERVICE);
    fake_swarm.failing = "web";
    fake_swarm.failure = "starting container failed: exec: \"/web\": not found";
    swarmed_plan(1, 2, "'services':[{'name':'web','image':'web:2','replicas':2}]");
    expect_step("1 services are made", "update web\n");
    swarmed_elapsed_ms = 5000;
    expect_step("0 of 2 tasks of service web run", "");
    expect_error(
        MEMORIES_FAILED, "web",
        "the update of service web has stopped at its first failure: starting container failed: exec: \"/web\": "
        "not found",
        "correct the service's configuration and update again");
    expect_log("");
    /* What made it fail may be gone by then. Other commands do not risk one more task. */
    static const char wait[] = "0 of 2 tasks of service web run: starting container failed: exec: \"/web\": not found";
    fake_swarm.now_ms += 60000;
    swarmed_elapsed_ms = 0;
    swarmed_reason = "heal";
    expect_step(wait, "");
    swarmed_reason = _i ? "update" : "resume";
    fake_swarm.failing = NULL;
    expect_step(wait, "update web\n");
    swarmed_elapsed_ms = 5000;
    fake_swarm.now_ms += 5000;
    swarmed_until_done(swarmed->converge, 5);
    ck_assert_uint_eq(fake_running("web"), 2);
    expect_log("");
}
END_TEST

START_TEST(a_service_that_always_fails_is_an_error_after_a_while)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    fake_swarm.failing = "web";
    fake_swarm.failure = "task: non-zero exit (1)";
    swarmed_plan(1, 2, ONE_SERVICE);
    expect_step("1 services are made", "network memories\ncreate web\n");
    expect_step("0 of 2 tasks of service web run", "");
    swarmed_elapsed_ms = 30000;
    expect_step("0 of 2 tasks of service web run: task: non-zero exit (1)", "");
    swarmed_elapsed_ms = 30001;
    expect_error(MEMORIES_FAILED, "web", "0 of 2 tasks of service web run: task: non-zero exit (1)",
                 "look at its image, command and placement");
}
END_TEST

START_TEST(a_network_that_is_stuck_is_named_with_its_node)
{
    swarmed_open_formed(1, 1, NO_SERVICES);
    fake_swarm.failing = "web";
    fake_swarm.failure = "network sandbox join failed: error creating vxlan interface: file exists";
    swarmed_plan(1, 1, "'services':[{'name':'web','image':'web:1','replicas':1,'placement':{'node':'worker-1'}}]");
    expect_step("1 services are made", "network memories\ncreate web\n");
    expect_step("0 of 1 tasks of service web run", "");
    swarmed_elapsed_ms = 30001;
    expect_error(MEMORIES_FAILED, "web",
                 "0 of 1 tasks of service web run: network sandbox join failed: error creating vxlan interface: file exists",
                 "Docker's network on worker-1 is stuck; make the node anew: memories heal swarmed-local-20260225-123456 "
                 "--node worker-1");
}
END_TEST

START_TEST(nodes_that_come_back_bring_failed_tasks)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    fake_swarm.failing = "web";
    fake_swarm.failure = "task: non-zero exit (255)";
    swarmed_plan(1, 2, ONE_SERVICE);
    swarmed_reason = "start";
    expect_step("1 services are made", "network memories\ncreate web\n");
    expect_step("0 of 2 tasks of service web run", "");
    swarmed_elapsed_ms = 120000;
    expect_step("0 of 2 tasks of service web run: task: non-zero exit (255)", "");
    swarmed_elapsed_ms = 120001;
    expect_error(MEMORIES_FAILED, "web", "0 of 2 tasks of service web run: task: non-zero exit (255)",
                 "look at its image, command and placement");
}
END_TEST

/* Nodes that a cloud starts take their time; that something is noted of a node is no news. */
START_TEST(the_time_that_nodes_took_to_come_is_not_the_services)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    fake_swarm.failing = "web";
    fake_swarm.failure = "task: non-zero exit (255)";
    swarmed_plan(1, 2, ONE_SERVICE);
    expect_step("1 services are made", "network memories\ncreate web\n");
    fake_host_set_now(1772022926000);
    ck_assert(!json_set_string(fake_listed("worker-2"), "CreatedAt", "2026-02-25T12:34:56.123456789Z"));
    ck_assert(!json_set_string(fake_listed("worker-1"), "UpdatedAt", "2026-02-25T12:40:00.123456789Z"));
    swarmed_elapsed_ms = 300000;
    expect_step("0 of 2 tasks of service web run", "");
    expect_step("0 of 2 tasks of service web run: task: non-zero exit (255)", "");
    fake_host_set_now(1772022926001);
    expect_error(MEMORIES_FAILED, "web", "0 of 2 tasks of service web run: task: non-zero exit (255)",
                 "look at its image, command and placement");
}
END_TEST

#define NO_ROOM "no suitable node (host-mode port already in use on 2 nodes)"

/* Three tasks on as many nodes, of which one takes none any more. */
static void take_a_node_away(void)
{
    swarmed_open(1, 2, "'services':[{'name':'web','image':'web:1','replicas':3,'ports':[{'published':80}]}]");
    fake_swarm.now_ms = 1772022896000;
    swarmed_until_done(swarmed->converge, 10);
    fake_swarm_log();
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-1"), "Spec"), "Availability", "drain"));
    fake_swarm_pass();
    fake_swarm_pass();
    fake_host_set_now(fake_swarm.now_ms + 1000000);
}

/* As long as some run, the others may still come; after two minutes they will not. */
START_TEST(a_service_without_room_is_an_error_in_the_end)
{
    take_a_node_away();
    swarmed_elapsed_ms = 9999;
    expect_step("2 of 3 tasks of service web run: " NO_ROOM, "");
    swarmed_elapsed_ms = 120001;
    expect_error(MEMORIES_FAILED, "web", "2 of 3 tasks of service web run: " NO_ROOM,
                 "look at its image, command and placement");
}
END_TEST

/* SwarmKit may leave a task pending though a node that could take it has come: it looks again when it is told to. */
START_TEST(a_task_that_docker_overlooked_is_scheduled_anew)
{
    take_a_node_away();
    swarmed_elapsed_ms = 10000;
    fake_swarm.now_ms += 1000000;
    expect_step("2 of 3 tasks of service web run: " NO_ROOM, "update web\n");
    json_object *task = json_get_object(json_get_object(fake_service("web"), "Spec"), "TaskTemplate");
    ck_assert_int_eq(json_get_int(task, "ForceUpdate", 0), 1);
    /* Once is enough, */
    swarmed_elapsed_ms = 20000;
    ck_assert_ptr_nonnull(swarmed_waits(swarmed->converge));
    expect_log("");
    /* in each converge; and it makes no other service of it. */
    fake_host_set_now(fake_swarm.now_ms + 1000000);
    fake_swarm.now_ms += 1000000;
    swarmed_elapsed_ms = 10000;
    ck_assert_ptr_nonnull(swarmed_waits(swarmed->converge));
    expect_log("update web\n");
    ck_assert(!json_set_string(json_get_object(fake_listed("worker-1"), "Spec"), "Availability", "active"));
    swarmed_until_done(swarmed->converge, 10);
    expect_log("");
}
END_TEST

/* A task that fails is not overlooked. */
START_TEST(a_task_that_fails_is_not_scheduled_anew)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    fake_host_set_now(1772022896000);
    fake_swarm.failing = "web";
    fake_swarm.failure = "task: non-zero exit (1)";
    swarmed_plan(1, 2, ONE_SERVICE);
    expect_step("1 services are made", "network memories\ncreate web\n");
    fake_swarm_pass();
    swarmed_elapsed_ms = 20000;
    expect_step("0 of 2 tasks of service web run: task: non-zero exit (1)", "");
}
END_TEST

/* ---- All of it ---- */

START_TEST(memory_that_runs_out_is_reported)
{
    static const struct {
        int steps; /* before */
        const char *config;
    } stages[] = { { 0, "" }, { 1, "" }, { 2, "" }, { 3, "" }, { 6, "" }, { 2, NO_SERVICES } };
    swarmed_open(2, 2, stages[_i].config);
    for (int step = 0; step < stages[_i].steps; step++) {
        swarmed_call(swarmed->converge);
        fake_swarm_pass();
    }
    fake_swarm.frozen = true;
    check_out_of_memory(swarmed->converge, swarmed_request());
}
END_TEST

START_TEST(memory_that_runs_out_while_scheduling_anew_is_reported)
{
    take_a_node_away();
    swarmed_elapsed_ms = 10000;
    fake_swarm.frozen = true;
    check_out_of_memory(swarmed->converge, swarmed_request());
    ck_assert_ptr_nonnull(strstr(fake_swarm_log(), "update web\n"));
}
END_TEST

/* Batches do not grow with the nodes, and memory grows no faster than they do. */
START_TEST(a_thousand_nodes_are_one_batch)
{
    static const char config[] = "'services':[{'name':'web','image':'web:1'}]";
    size_t batches[2], bytes[2];
    for (int i = 0; i < 2; i++) {
        swarmed_open(3, i ? 997 : 97, config);
        swarmed_call(swarmed->converge);
        fake_swarm_pass();
        swarmed_call(swarmed->converge);
        for (size_t k = 0; k < fake_swarm.count; k++)
            if (strcmp(fake_swarm.engines[k].state, "active"))
                fake_swarm_add(fake_swarm.engines[k].name, true);
        swarmed_until_done(swarmed->converge, 10);
        batches[i] = fake_host_http_batches();
        bytes[i] = fake_host_allocated_bytes();
        swarmed_until_done(swarmed->converge, 1);
        batches[i] = fake_host_http_batches() - batches[i];
        bytes[i] = fake_host_allocated_bytes() - bytes[i];
        swarmed_tear_down();
        swarmed_set_up();
    }
    ck_assert_uint_eq(batches[0], 2); /* the engines, and the lists */
    ck_assert_uint_eq(batches[1], 2);
    ck_assert_uint_le(bytes[1], 12 * bytes[0]);
}
END_TEST

int main(void)
{
    TCase *test_case = tcase_create("form");
    tcase_add_checked_fixture(test_case, swarmed_set_up, swarmed_tear_down);
    tcase_set_timeout(test_case, 60);
    tcase_add_test(test_case, a_swarm_is_formed_step_by_step);
    tcase_add_loop_test(test_case, what_is_formed_is_left_alone, 0, 6);
    tcase_add_loop_test(test_case, no_swarm_begins_beside_another, 0, 3);
    tcase_add_test(test_case, a_swarm_that_can_not_begin_is_an_error);
    tcase_add_test(test_case, a_manager_under_way_holds_up_managers_only);
    tcase_add_test(test_case, a_pending_manager_is_waited_for);
    tcase_add_loop_test(test_case, a_failed_join_is_left_and_begun_again, 0, 2);
    tcase_add_loop_test(test_case, a_join_that_breaks_off_leaves_no_entry, 0, 2);
    tcase_add_loop_test(test_case, an_entry_without_a_name_is_forgotten_in_the_end, 0, 2);
    tcase_add_test(test_case, a_node_whose_name_is_not_known_yet_is_waited_for);
    tcase_add_test(test_case, a_refused_join_is_tried_again);
    tcase_add_test(test_case, a_node_that_does_not_get_in_is_an_error_in_the_end);
    tcase_add_test(test_case, tokens_that_are_not_told_are_waited_for);
    tcase_add_test(test_case, a_locked_swarm_is_an_error);
    tcase_add_loop_test(test_case, an_engine_that_is_too_old_is_an_error, 0, 2);
    tcase_add_loop_test(test_case, the_oldest_engine_sets_the_version, 0, 4);
    tcase_add_loop_test(test_case, something_else_that_answers_is_waited_for, 0, 2);
    tcase_add_loop_test(test_case, nodes_that_do_not_run_are_not_asked, 0, 4);
    tcase_add_loop_test(test_case, entries_of_lost_nodes_are_forgotten, 0, 2);
    tcase_add_test(test_case, entries_of_lost_nodes_are_waited_for_until_they_are_missed);
    tcase_add_test(test_case, strangers_that_run_are_left_alone);
    tcase_add_test(test_case, roles_are_corrected_one_at_a_time);
    tcase_add_test(test_case, a_change_out_of_sequence_is_made_again);
    tcase_add_test(test_case, a_removal_that_was_called_off_is_undone);
    tcase_add_test(test_case, nodes_that_go_are_left_alone);
    tcase_add_test(test_case, a_drained_node_stays_drained);
    tcase_add_test(test_case, a_manager_that_hangs_is_an_error_in_the_end);
    tcase_add_loop_test(test_case, a_worker_that_is_counted_as_down_for_a_minute_joins_anew, 0, 2);
    tcase_add_test(test_case, an_engine_that_stays_silent_is_an_error_in_the_end);
    tcase_add_test(test_case, a_new_engine_may_take_its_time);
    tcase_add_test(test_case, an_only_manager_that_stays_silent_is_to_be_started_again);
    tcase_add_test(test_case, managers_that_are_not_reachable_are_waited_for);
    tcase_add_test(test_case, an_election_is_waited_for);
    tcase_add_test(test_case, an_image_is_loaded_once_and_only_where_it_is_lacking);
    tcase_add_test(test_case, an_archive_that_was_built_anew_is_another_image);
    tcase_add_loop_test(test_case, an_archive_that_can_not_be_used_is_an_error, 0, (int)ARRAY_COUNT(damaged));
    tcase_add_test(test_case, the_builtin_image_says_how_it_is_made);
    tcase_add_loop_test(test_case, an_image_that_can_not_be_loaded_is_an_error, 0, 2);
    tcase_add_test(test_case, services_follow_the_configuration);
    tcase_add_loop_test(test_case, every_change_of_a_service_is_made, 0, (int)ARRAY_COUNT(changed_services));
    tcase_add_test(test_case, replicas_that_were_raised_are_put_back);
    tcase_add_test(test_case, somebody_elses_service_is_not_touched);
    tcase_add_test(test_case, a_service_that_docker_refuses_is_an_error);
    tcase_add_test(test_case, a_network_that_can_not_be_made_is_tried_again);
    tcase_add_test(test_case, an_update_is_waited_for);
    tcase_add_loop_test(test_case, an_update_that_fails_is_an_error, 0, 2);
    tcase_add_test(test_case, a_service_that_always_fails_is_an_error_after_a_while);
    tcase_add_test(test_case, a_network_that_is_stuck_is_named_with_its_node);
    tcase_add_test(test_case, nodes_that_come_back_bring_failed_tasks);
    tcase_add_test(test_case, the_time_that_nodes_took_to_come_is_not_the_services);
    tcase_add_test(test_case, a_service_without_room_is_an_error_in_the_end);
    tcase_add_test(test_case, a_task_that_docker_overlooked_is_scheduled_anew);
    tcase_add_test(test_case, a_task_that_fails_is_not_scheduled_anew);
    tcase_add_loop_test(test_case, memory_that_runs_out_is_reported, 0, 6);
    tcase_add_test(test_case, memory_that_runs_out_while_scheduling_anew_is_reported);
    tcase_add_test(test_case, a_thousand_nodes_are_one_batch);
    Suite *suite = suite_create("swarmed_form");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
