/* test_swarmed_release.c - release of swarmed: nodes go once others have taken over what they run */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "tests/unit/swarmed_fixture.h"
#include "tests/unit/topology.h"

#define NO_SERVICES "'services':[]"
#define WEB(replicas) "'services':[{'name':'web','image':'web:1','replicas':" #replicas "}]"
#define ID "swarmed-local-20260225-123456"

static void expect_log(const char *log)
{
    ck_assert_str_eq(fake_swarm_log(), log);
}

/* One step, after which time goes on. */
static void expect_step(const char *message, const char *log)
{
    ck_assert_str_eq(swarmed_waits(swarmed->release), message);
    expect_log(log);
    fake_swarm_pass();
}

/* "worker-2 worker-3": who may be destroyed. */
static const char *released(json_object *result)
{
    static char names[512];
    json_object *list = json_get_array(result, "released");
    *names = '\0';
    for (size_t i = 0; i < json_count(list); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "",
                 json_object_get_string(json_at(list, i)));
    return names;
}

static void expect_done(const char *names, const char *log)
{
    json_object *result = swarmed_call(swarmed->release);
    ck_assert(json_get_bool(result, "done", false));
    ck_assert_str_eq(released(result), names);
    expect_log(log);
}

static void expect_error(int32_t code, const char *where, const char *message, const char *hint)
{
    const struct memories_error_detail *error = swarmed_fails(swarmed->release, code);
    ck_assert_str_eq(error->message, message);
    ck_assert_pstr_eq(error->where, where);
    ck_assert_pstr_eq(error->hint, hint);
    expect_log("");
}

/* Until all that go are gone; `service` keeps so many running tasks all the time. */
static void release_all(const char *service, size_t running)
{
    for (int calls = 0;; calls++) {
        json_object *result = swarmed_call(swarmed->release);
        if (json_get_bool(result, "done", false))
            return;
        ck_assert_msg(calls < 40, "never done: %s; %s", json_get_string(result, "message"), fake_swarm_log());
        fake_swarm_pass();
        ck_assert_msg(!service || fake_running(service) >= running, "call %d: only %zu tasks of %s run: %s", calls,
                      fake_running(service), service, fake_swarm_log());
    }
}

/* ---- Workers ---- */

START_TEST(others_take_over_before_a_node_is_emptied)
{
    swarmed_open_formed(1, 3, WEB(4));
    swarmed_plan(1, 1, WEB(4));
    swarmed_set_request("{'leaving':['worker-2','worker-3']}");
    expect_step("other nodes take over web: 2 of 4 tasks",
                "update web\nchange worker-2 pause marked, change worker-3 pause marked\n");
    expect_step("other nodes take over web: 2 of 4 tasks", ""); /* the new ones are being prepared */
    ck_assert_uint_eq(fake_running("web"), 6);
    expect_step("0 of 2 nodes are empty and gone", "change worker-2 drain, change worker-3 drain\n");
    ck_assert_uint_eq(fake_running("web"), 4);
    fake_swarm_pass();
    /* Emptied, they leave all at once, and what was raised for them goes down again. */
    expect_done("worker-2 worker-3", "update web\nleave worker-2, leave worker-3\nforget worker-2, forget worker-3\n");
    ck_assert_uint_eq(fake_listed_count("worker-2"), 0);
    fake_swarm_pass();
    ck_assert_uint_eq(fake_running("web"), 4);
}
END_TEST

START_TEST(nothing_is_missing_at_any_time)
{
    static const struct {
        size_t managers, workers, managers_then, workers_then;
        const char *leaving;
    } cases[] = {
        { 3, 5, 3, 3, "{'leaving':['worker-4','worker-5']}" },
        { 3, 5, 3, 1, "{'leaving':['worker-2','worker-3','worker-4','worker-5']}" },
        { 3, 3, 1, 3, "{'leaving':['manager-2','manager-3']}" },
        { 5, 3, 3, 1, "{'leaving':['manager-4','manager-5','worker-2','worker-3']}" },
    };
    swarmed_open_formed(cases[_i].managers, cases[_i].workers, WEB(6));
    swarmed_plan(cases[_i].managers_then, cases[_i].workers_then, WEB(6));
    swarmed_set_request(cases[_i].leaving);
    fake_swarm.tasks_take = 4;
    release_all("web", 6);
    /* Then the nodes are destroyed, and the rest is as it should be. */
    for (size_t i = 0; i < fake_swarm.count; i++)
        fake_swarm.engines[i].is_stranger = !*fake_swarm.engines[i].node_id;
    swarmed_until_done(swarmed->converge, 5);
    ck_assert_uint_eq(fake_running("web"), 6);
    ck_assert_uint_eq(json_count(fake_swarm.nodes), cases[_i].managers_then + cases[_i].workers_then);
}
END_TEST

/* A service that has no other node to go to has to do with fewer tasks. */
START_TEST(a_service_without_room_does_with_fewer)
{
    swarmed_open_formed(1, 2, WEB(3));
    fake_swarm.room = 1;
    swarmed_plan(1, 1, WEB(3));
    swarmed_set_request("{'leaving':['worker-2']}");
    release_all("web", 2);
    ck_assert_uint_eq(fake_running("web"), 2);
    ck_assert_uint_eq(fake_listed_count("worker-2"), 0);
}
END_TEST

START_TEST(global_services_end_with_their_node)
{
    swarmed_open_formed(1, 2, "'services':[{'name':'agent','image':'agent:1','mode':'global'}]");
    swarmed_plan(1, 1, "'services':[{'name':'agent','image':'agent:1','mode':'global'}]");
    swarmed_set_request("{'leaving':['worker-2']}");
    release_all("agent", 2);
    ck_assert_uint_eq(fake_running("agent"), 2);
}
END_TEST

START_TEST(somebody_elses_service_is_moved_and_not_changed)
{
    swarmed_open_formed(1, 2, WEB(3));
    json_object *labels = json_get_object(json_get_object(fake_service("web"), "Spec"), "Labels");
    ck_assert(!json_set_string(labels, "memories.deployment", "another"));
    swarmed_plan(1, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['worker-2']}");
    release_all(NULL, 0);
    expect_log("change worker-2 pause marked\nchange worker-2 drain\nleave worker-2\nforget worker-2\n");
    fake_swarm_pass();
    fake_swarm_pass();
    ck_assert_uint_eq(fake_running("web"), 3);
}
END_TEST

START_TEST(one_slow_node_does_not_hold_up_the_others)
{
    swarmed_open_formed(1, 3, WEB(3));
    swarmed_plan(1, 1, WEB(3));
    swarmed_set_request("{'leaving':['worker-2','worker-3']}");
    fake_engine("worker-2")->is_slow = true;
    json_object *result = NULL;
    for (int calls = 0; calls < 10; calls++) {
        result = swarmed_call(swarmed->release);
        fake_swarm_pass();
    }
    ck_assert(!json_get_bool(result, "done", true));
    ck_assert_str_eq(json_get_string(result, "message"), "worker-2 ends its tasks");
    ck_assert_str_eq(released(result), "worker-3");
    fake_engine("worker-2")->is_slow = false;
    release_all("web", 3);
}
END_TEST

/* Docker demotes nobody who is listed as a manager and is not one of the group: such a node goes as workers do. */
START_TEST(a_manager_whose_joining_broke_off_goes)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    json_object_object_del(fake_listed("manager-3"), "ManagerStatus");
    fake_engine("manager-3")->is_manager = false;
    fake_engine("manager-3")->state = "error";
    if (_i) {
        fake_engine_die("manager-3");
        swarmed_set_state("manager-3", "lost");
    }
    swarmed_set_request("{'leaving':['manager-3']}");
    if (_i)
        expect_done("manager-3", "forget manager-3\n");
    else
        release_all(NULL, 0);
    ck_assert_uint_eq(fake_listed_count("manager-3"), 0);
    ck_assert_ptr_null(strstr(fake_swarm_log(), "worker"));
}
END_TEST

/* The engine knows that its containers have ended before the managers do. */
START_TEST(an_engine_without_containers_is_empty)
{
    swarmed_open_formed(1, 2, WEB(3));
    swarmed_plan(1, 1, WEB(3));
    swarmed_set_request("{'leaving':['worker-2']}");
    fake_engine("worker-2")->is_slow = true; /* as far as the managers know */
    for (int calls = 0; calls < 6; calls++) {
        ck_assert_ptr_nonnull(swarmed_waits(swarmed->release));
        fake_swarm_pass();
    }
    fake_engine("worker-2")->containers = 0;
    fake_swarm_log();
    expect_done("worker-2", "leave worker-2\nforget worker-2\n");
}
END_TEST

static json_object *container_of(const char *service)
{
    json_object *task = json_get_object(json_get_object(fake_service(service), "Spec"), "TaskTemplate");
    return json_get_object(task, "ContainerSpec");
}

/* It hangs, and its node goes on to tell the managers that it is well. Nobody can make it end its tasks. */
START_TEST(a_node_that_does_not_get_empty_goes_in_the_end)
{
    swarmed_open_formed(1, 2, WEB(3));
    swarmed_plan(1, 1, WEB(3));
    swarmed_set_request("{'leaving':['worker-2']}");
    fake_engine("worker-2")->is_slow = true;
    for (int calls = 0; calls < 6; calls++) {
        ck_assert_ptr_nonnull(swarmed_waits(swarmed->release));
        fake_swarm_pass();
    }
    if (_i)
        fake_engine("worker-2")->silence = "no answer within 2000 ms";
    else /* which may take five minutes */
        ck_assert(!json_set_int(container_of("web"), "StopGracePeriod", 300000000000));
    fake_swarm_log();
    swarmed_waiting_ms = _i ? 59999 : 359999;
    expect_step("worker-2 ends its tasks", "");
    swarmed_waiting_ms++;
    expect_done("worker-2", _i ? "forget worker-2\n" : "leave worker-2\nforget worker-2\n");
    ck_assert(!_i || fake_running("web") == 3);
}
END_TEST

START_TEST(what_is_refused_is_tried_again)
{
    swarmed_open_formed(1, 2, NO_SERVICES);
    swarmed_plan(1, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['worker-2']}");
    fake_swarm_refuse("change worker-2 pause marked", 500, "update out of sequence");
    expect_step("changing worker-2: HTTP status 500: update out of sequence", "change worker-2 pause marked\n");
    expect_step("0 of 1 nodes are empty and gone", "change worker-2 pause marked\n");
    expect_step("0 of 1 nodes are empty and gone", "change worker-2 drain\n");
    fake_swarm_refuse("forget worker-2", 500, "context deadline exceeded");
    expect_step("removing worker-2 from the swarm: HTTP status 500: context deadline exceeded",
                "leave worker-2\nforget worker-2\n");
    expect_done("worker-2", "forget worker-2\n");
}
END_TEST

START_TEST(who_is_not_listed_may_go)
{
    swarmed_open(1, 2, NO_SERVICES);
    fake_swarm_add("manager-1", true);
    fake_swarm_add("worker-1", false);
    swarmed_plan(1, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['worker-2']}");
    expect_done("worker-2", "");
}
END_TEST

/* ---- Nodes that are dead ---- */

static const char *const dead_states[] = { "ready", "stopped", "lost", "broken" };

START_TEST(a_dead_worker_is_forgotten_at_once)
{
    swarmed_open_formed(1, 2, WEB(3));
    fake_engine_die("worker-2");
    fake_swarm_pass();
    swarmed_set_state("worker-2", dead_states[_i]);
    swarmed_plan(1, 1, WEB(3));
    swarmed_set_request("{'leaving':['worker-2']}");
    expect_done("worker-2", "forget worker-2\n");
}
END_TEST

START_TEST(a_dead_manager_is_taken_out_first)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    fake_engine_die("manager-3");
    swarmed_set_state("manager-3", dead_states[_i]);
    fake_swarm_pass();
    swarmed_plan(2, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['manager-3']}");
    expect_step("0 of 1 nodes are empty and gone", "change manager-3 worker pause marked\n");
    expect_done("manager-3", "forget manager-3\n");
}
END_TEST

/* Three managers of which one is dead: when a living one is taken out first, the two that are left can't decide. */
START_TEST(dead_managers_go_before_living_ones)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    fake_engine_die("manager-3");
    fake_swarm_pass();
    swarmed_set_state("manager-3", "stopped");
    swarmed_plan(1, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['manager-2','manager-3']}");
    release_all(NULL, 0);
    ck_assert_uint_eq(json_count(fake_swarm.nodes), 2);
}
END_TEST

/* ---- Managers ---- */

START_TEST(managers_go_one_at_a_time)
{
    swarmed_open_formed(5, 1, NO_SERVICES);
    swarmed_plan(1, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['manager-2','manager-3','manager-4','manager-5']}");
    size_t demotions = 0;
    for (int calls = 0; !json_get_bool(swarmed_call(swarmed->release), "done", false); calls++) {
        const char *log = fake_swarm_log();
        size_t now = 0;
        for (const char *at = log; (at = strstr(at, " worker")); at++)
            now++;
        ck_assert_msg(now <= 1, "%zu at once: %s", now, log);
        demotions += now;
        fake_swarm_pass();
        ck_assert_int_lt(calls, 40);
    }
    ck_assert_uint_eq(demotions, 4);
    ck_assert_uint_eq(json_count(fake_swarm.nodes), 2);
}
END_TEST

START_TEST(a_manager_that_was_demoted_still_holds_up_the_next)
{
    swarmed_open_formed(5, 1, NO_SERVICES);
    swarmed_plan(3, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['manager-4','manager-5']}");
    fake_swarm.demotions_take = 3;
    expect_step("0 of 2 nodes are empty and gone",
                "change manager-4 worker pause marked, change manager-5 pause marked\n");
    expect_step("0 of 2 nodes are empty and gone", "change manager-4 drain, change manager-5 drain\n");
    expect_step("0 of 2 nodes are empty and gone", "");
    expect_step("1 of 2 nodes are empty and gone", "change manager-5 worker\nleave manager-4\nforget manager-4\n");
    release_all(NULL, 0);
}
END_TEST

/* Who leads goes too: those that stay are asked, and lead afterwards. */
START_TEST(the_leader_may_go)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    for (size_t i = 0; i < 2; i++) { /* manager-3 leads */
        json_object *first = json_ref(json_at(fake_swarm.nodes, 0));
        ck_assert(!json_object_array_del_idx(fake_swarm.nodes, 0, 1) && !json_add(fake_swarm.nodes, first));
    }
    fake_swarm_pass();
    swarmed_plan(2, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['manager-3']}");
    release_all(NULL, 0);
    ck_assert_uint_eq(fake_listed_count("manager-3"), 0);
}
END_TEST

START_TEST(an_election_is_waited_for)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    swarmed_plan(3, 1, NO_SERVICES);
    fake_swarm.electing = 1;
    swarmed_set_request("{'leaving':['worker-1']}");
    expect_step("waiting for the managers: HTTP status 500: rpc error: code = Unknown desc = The swarm does not have a "
                "leader.",
                "");
    release_all(NULL, 0);
}
END_TEST

/* ---- No swarm ---- */

START_TEST(where_no_swarm_is_nodes_just_go)
{
    swarmed_open(3, 2, "");
    if (_i) {
        for (size_t i = 0; i < fake_swarm.count; i++) {
            swarmed_set_state(fake_swarm.engines[i].name, "stopped");
            fake_engine_die(fake_swarm.engines[i].name);
        }
    }
    swarmed_set_request("{'leaving':['worker-2','manager-1']}");
    expect_done("manager-1 worker-2", "");
}
END_TEST

/* Whose engine does not answer might hold the swarm. */
START_TEST(an_engine_that_does_not_answer_is_waited_for)
{
    swarmed_open(1, 2, "");
    fake_engine_die("manager-1");
    swarmed_set_request("{'leaving':['worker-2']}");
    expect_step("waiting for a manager that stays", "");
}
END_TEST

START_TEST(when_all_go_nothing_has_to_move)
{
    swarmed_open_formed(1, 2, WEB(2));
    fake_engine_die("manager-1");
    swarmed_set_request("{'leaving':['manager-1','worker-1','worker-2']}");
    expect_done("manager-1 worker-1 worker-2", "");
}
END_TEST

/* ---- Can it be at all? ---- */

START_TEST(what_can_be_is_checked_and_not_done)
{
    swarmed_open_formed(3, 2, WEB(3));
    swarmed_plan(1, 1, WEB(3));
    swarmed_set_request("{'leaving':['manager-2','manager-3','worker-2'],'check':true}");
    swarmed_call(swarmed->release);
    expect_log("");
}
END_TEST

START_TEST(managers_that_stay_need_a_majority)
{
    swarmed_open_formed(3, 1, NO_SERVICES);
    fake_engine_die("manager-2");
    fake_swarm_pass();
    swarmed_plan(2, 1, NO_SERVICES);
    swarmed_set_request("{'leaving':['manager-3'],'check':true}");
    expect_error(MEMORIES_CONFLICT, "config.swarm.manager_nodes",
                 "of the 2 managers that would stay only 1 are healthy, which is no majority",
                 "bring the managers that are down back first (memories status)");
    /* The dead one may go. */
    swarmed_set_request("{'leaving':['manager-2'],'check':true}");
    swarmed_call(swarmed->release);
    /* Workers have no vote. */
    swarmed_set_request("{'leaving':['worker-1'],'check':true}");
    swarmed_call(swarmed->release);
    expect_log("");
}
END_TEST

#define RESERVES(amount) \
    "'services':[{'name':'web','image':'web:1','replicas':4,'resources':{'reservations':{" amount "}}}]"

START_TEST(reservations_need_room_on_the_nodes_that_stay)
{
    /* A node of the fake swarm has 2 processors and 4000 MB. */
    static const struct {
        const char *config, *message;
    } cases[] = {
        { RESERVES("'cpus':1.5"), "the nodes that stay have 4 processors, and the services reserve 6" },
        { RESERVES("'memory_mb':2001"), "the nodes that stay have 8000 MB of memory, and the services reserve 8004" },
        { RESERVES("'cpus':1,'memory_mb':2000"), NULL },
        { "'services':[{'name':'web','image':'web:1','mode':'global','resources':{'reservations':{'memory_mb':4001}}}]",
          "the nodes that stay have 8000 MB of memory, and the services reserve 8002" },
    };
    swarmed_open_formed(1, 3, cases[_i].config);
    swarmed_plan(1, 1, cases[_i].config);
    swarmed_set_request("{'leaving':['worker-2','worker-3'],'check':true}");
    if (cases[_i].message)
        expect_error(MEMORIES_CONFLICT, "config.services", cases[_i].message,
                     "keep more nodes, or lower reservations or replicas");
    else
        swarmed_call(swarmed->release);
    expect_log("");
}
END_TEST

#define LOST_HINT                                                                                            \
    "bring them back with `memories start " ID "`, or, when a majority is lost for ever, `memories heal " ID \
    " --force-new-cluster MANAGER`"

START_TEST(without_a_majority_nobody_can_let_nodes_go)
{
    swarmed_open_formed(3, 2, NO_SERVICES);
    fake_engine_die("manager-2");
    fake_engine_die("manager-3");
    fake_swarm_pass();
    swarmed_set_state("manager-2", "lost");
    swarmed_set_state("manager-3", "lost");
    swarmed_set_request(_i ? "{'leaving':['worker-2'],'check':true}"
                           : "{'leaving':['manager-2','manager-3'],'check':true}");
    expect_error(MEMORIES_CONFLICT, NULL, "1 of 3 managers answer and 2 are needed: nobody can let nodes go",
                 LOST_HINT);
}
END_TEST

/* While they elect, the majority is only silent. */
START_TEST(an_election_is_no_lost_majority)
{
    swarmed_open_formed(3, 2, NO_SERVICES);
    fake_engine_die("manager-1");
    fake_swarm.electing = 9;
    swarmed_set_request("{'leaving':['worker-2'],'check':true}");
    swarmed_call(swarmed->release);
    fake_engine_die("manager-2");
    fake_engine("manager-2")->silence_code = MEMORIES_TIMEOUT;
    swarmed_call(swarmed->release);
    expect_log("");
}
END_TEST

/* ---- A majority that is lost for ever ---- */

static void lose_majority(void)
{
    static const char *const lost[] = { "manager-2", "manager-3" };
    swarmed_open_formed(3, 2, WEB(2));
    for (size_t i = 0; i < ARRAY_COUNT(lost); i++) {
        fake_engine_die(lost[i]);
        swarmed_set_state(lost[i], "lost");
    }
    fake_swarm_pass();
    swarmed_set_request("{'leaving':['manager-2','manager-3'],'force_new_cluster':'manager-1'}");
}

START_TEST(one_manager_begins_anew)
{
    lose_majority();
    expect_step("the swarm begins anew on manager-1", "init manager-1 anew\n");
    fake_swarm_pass();
    expect_done("manager-2 manager-3", "forget manager-2, forget manager-3\n");
    for (int step = 0; step < 3; step++)
        fake_swarm_pass();
    ck_assert_uint_eq(fake_running("web"), 2); /* what it knew is what it goes on with */
}
END_TEST

/* A leader that hears from nobody takes some seconds to give up, and lists members till then. */
START_TEST(one_manager_begins_anew_though_it_leads_still)
{
    lose_majority();
    fake_swarm.leads_still = true;
    expect_step("the swarm begins anew on manager-1", "init manager-1 anew\n");
    fake_swarm_pass();
    expect_done("manager-2 manager-3", "forget manager-2, forget manager-3\n");
}
END_TEST

/* A manager that has its majority is not made to begin anew. */
START_TEST(what_has_its_majority_goes_on)
{
    swarmed_open_formed(3, 2, WEB(2));
    swarmed_plan(1, 2, WEB(2));
    swarmed_set_request("{'leaving':['manager-2','manager-3'],'force_new_cluster':'manager-1'}");
    for (int calls = 0; !json_get_bool(swarmed_call(swarmed->release), "done", false); calls++) {
        ck_assert_ptr_null(strstr(fake_swarm_log(), "anew"));
        fake_swarm_pass();
        ck_assert_int_lt(calls, 20);
    }
}
END_TEST

START_TEST(beginning_anew_is_checked)
{
    lose_majority();
    swarmed_set_request("{'leaving':['manager-2','manager-3'],'force_new_cluster':'manager-1','check':true}");
    swarmed_call(swarmed->release);
    expect_log("");
    swarmed_set_request("{'leaving':['manager-2'],'force_new_cluster':'worker-1'}");
    expect_error(MEMORIES_INVALID, "worker-1",
                 "only a manager knows enough to begin the swarm anew, and worker-1 is a worker", "name a manager");
    swarmed_set_request("{'leaving':['manager-1'],'force_new_cluster':'manager-2'}");
    expect_error(MEMORIES_CONFLICT, "manager-2", "manager-2 does not run: it is lost",
                 "bring it back first: memories start " ID);
}
END_TEST

START_TEST(beginning_anew_that_fails_is_an_error)
{
    lose_majority();
    fake_swarm_refuse("init manager-1 anew", 500, "context deadline exceeded");
    expect_step("the swarm begins anew on manager-1: HTTP status 500: context deadline exceeded",
                "init manager-1 anew\n");
    fake_swarm_refuse("init manager-1 anew", 400, "no raft state");
    const struct memories_error_detail *error = swarmed_fails(swarmed->release, MEMORIES_FAILED);
    ck_assert_str_eq(error->message, "manager-1 can't begin the swarm anew: HTTP status 400: no raft state");
    ck_assert_str_eq(error->hint, "name another manager that has not lost its data");
}
END_TEST

/* ---- All of it ---- */

START_TEST(memory_that_runs_out_is_reported)
{
    static const struct {
        int steps; /* before */
        const char *request;
    } stages[] = {
        { 0, "{'leaving':['worker-2','manager-3']}" },
        { 2, "{'leaving':['worker-2','manager-3']}" },
        { 4, "{'leaving':['worker-2','manager-3']}" },
        { 0, "{'leaving':['worker-2','manager-3'],'check':true}" },
    };
    swarmed_open_formed(3, 2, WEB(5));
    swarmed_plan(2, 1, WEB(5));
    swarmed_set_request(stages[_i].request);
    for (int step = 0; step < stages[_i].steps; step++) {
        swarmed_call(swarmed->release);
        fake_swarm_pass();
    }
    fake_swarm.frozen = true;
    check_out_of_memory(swarmed->release, swarmed_request());
}
END_TEST

START_TEST(memory_that_runs_out_while_beginning_anew_is_reported)
{
    lose_majority();
    fake_swarm.frozen = true;
    check_out_of_memory(swarmed->release, swarmed_request());
}
END_TEST

int main(void)
{
    TCase *test_case = tcase_create("release");
    tcase_add_checked_fixture(test_case, swarmed_set_up, swarmed_tear_down);
    tcase_set_timeout(test_case, 60);
    tcase_add_test(test_case, others_take_over_before_a_node_is_emptied);
    tcase_add_loop_test(test_case, nothing_is_missing_at_any_time, 0, 4);
    tcase_add_test(test_case, a_service_without_room_does_with_fewer);
    tcase_add_test(test_case, global_services_end_with_their_node);
    tcase_add_test(test_case, somebody_elses_service_is_moved_and_not_changed);
    tcase_add_test(test_case, one_slow_node_does_not_hold_up_the_others);
    tcase_add_loop_test(test_case, a_manager_whose_joining_broke_off_goes, 0, 2);
    tcase_add_test(test_case, an_engine_without_containers_is_empty);
    tcase_add_loop_test(test_case, a_node_that_does_not_get_empty_goes_in_the_end, 0, 2);
    tcase_add_test(test_case, what_is_refused_is_tried_again);
    tcase_add_test(test_case, who_is_not_listed_may_go);
    tcase_add_loop_test(test_case, a_dead_worker_is_forgotten_at_once, 0, (int)ARRAY_COUNT(dead_states));
    tcase_add_loop_test(test_case, a_dead_manager_is_taken_out_first, 0, (int)ARRAY_COUNT(dead_states));
    tcase_add_test(test_case, dead_managers_go_before_living_ones);
    tcase_add_test(test_case, managers_go_one_at_a_time);
    tcase_add_test(test_case, a_manager_that_was_demoted_still_holds_up_the_next);
    tcase_add_test(test_case, the_leader_may_go);
    tcase_add_test(test_case, an_election_is_waited_for);
    tcase_add_loop_test(test_case, where_no_swarm_is_nodes_just_go, 0, 2);
    tcase_add_test(test_case, an_engine_that_does_not_answer_is_waited_for);
    tcase_add_test(test_case, when_all_go_nothing_has_to_move);
    tcase_add_test(test_case, what_can_be_is_checked_and_not_done);
    tcase_add_test(test_case, managers_that_stay_need_a_majority);
    tcase_add_loop_test(test_case, reservations_need_room_on_the_nodes_that_stay, 0, 4);
    tcase_add_loop_test(test_case, without_a_majority_nobody_can_let_nodes_go, 0, 2);
    tcase_add_test(test_case, an_election_is_no_lost_majority);
    tcase_add_test(test_case, one_manager_begins_anew);
    tcase_add_test(test_case, one_manager_begins_anew_though_it_leads_still);
    tcase_add_test(test_case, what_has_its_majority_goes_on);
    tcase_add_test(test_case, beginning_anew_is_checked);
    tcase_add_test(test_case, beginning_anew_that_fails_is_an_error);
    tcase_add_loop_test(test_case, memory_that_runs_out_is_reported, 0, 4);
    tcase_add_test(test_case, memory_that_runs_out_while_beginning_anew_is_reported);
    Suite *suite = suite_create("swarmed_release");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
