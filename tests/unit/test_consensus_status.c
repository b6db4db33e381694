/*
 * test_consensus_status.c - converge, status and release of consensus against scripted members
 *
 * The bodies are etcd's own, as its JSON gateway (3.4) writes them: 64-bit numbers as strings, zeros left out.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "tests/unit/fake_host.h"
#include "tests/unit/topology.h"

#define NODES 3
#define ID1 "457698568038022572"
#define ID2 "10701374050219416813"
#define ID3 "15947438207562013094"

#define BODY(id, term, more)                                                                               \
    "{\"header\":{\"cluster_id\":\"10877577622748254384\",\"member_id\":\"" id "\",\"revision\":\"1\","    \
    "\"raft_term\":\"" term "\"},\"version\":\"3.4.23\",\"dbSize\":\"20480\"," more "\"raftIndex\":\"9\"," \
    "\"raftTerm\":\"" term "\",\"raftAppliedIndex\":\"8\",\"dbSizeInUse\":\"16384\"}"
#define FOLLOWS(id, leader, term) BODY(id, term, "\"leader\":\"" leader "\",")
#define LEADERLESS(id, term) BODY(id, term, "\"errors\":[\"etcdserver: no leader\"],")
#define LEARNS(id, leader, term) BODY(id, term, "\"leader\":\"" leader "\",\"isLearner\":true,")
#define ALARMED(id, leader, term) \
    BODY(id, term, "\"leader\":\"" leader "\",\"errors\":[\"memberID:" ID2 " alarm:NOSPACE \"],")

#define HEALTHY                               \
    {                                         \
        200, "{\"health\":\"true\"}", 0, NULL \
    }
#define UNHEALTHY                              \
    {                                          \
        503, "{\"health\":\"false\"}", 0, NULL \
    }
#define SILENT                                                \
    {                                                         \
        0, NULL, MEMORIES_TIMEOUT, "no answer within 2000 ms" \
    }
#define REFUSED                                           \
    {                                                     \
        0, NULL, MEMORIES_TRANSIENT, "connection refused" \
    }

struct script {
    struct fake_response status;
    struct fake_response health;
};
#define GOOD(body)                      \
    {                                   \
        { 200, body, 0, NULL }, HEALTHY \
    }
#define BAD(body)                         \
    {                                     \
        { 200, body, 0, NULL }, UNHEALTHY \
    }
#define DOWN             \
    {                    \
        REFUSED, REFUSED \
    }
#define HANGING        \
    {                  \
        SILENT, SILENT \
    }

#define WHOLE GOOD(FOLLOWS(ID1, ID2, "2")), GOOD(FOLLOWS(ID2, ID2, "2")), GOOD(FOLLOWS(ID3, ID2, "2"))

#define LIST(members) "{\"header\":{\"member_id\":\"" ID2 "\"},\"members\":[" members "]}"
#define ENTRY(id, name) "{\"ID\":\"" id "\",\"name\":\"" name "\",\"peerURLs\":[\"https://x:2380\"]}"
#define FULL_LIST LIST(ENTRY(ID1, "node1") "," ENTRY(ID2, "node2") "," ENTRY(ID3, "node3"))

static const struct memories_topology_ops *ops;
static struct memories_call *call;

/* What the script plays, and what was asked. */
static struct {
    const struct script *nodes;
    struct fake_response write;
    struct fake_response list;
    struct fake_response change; /* of the members: add, promote, remove, transfer-leadership */
    char changed[256];           /* "PATH BODY" of the last of these */
    size_t changes;
    size_t asked;
} stage;

static struct fake_response play(const struct memories_http_request *request, void *user_data)
{
    unsigned node = 0;
    char path[64];
    stage.asked++;
    /* Names are checked by TLS, so that the URL has the name and connect_to the address; no request may hang. */
    ck_assert_msg(sscanf(request->url, "https://node%u:2379%63s", &node, path) == 2, "%s", request->url);
    char connect[32];
    snprintf(connect, sizeof connect, "127.9.0.%u:2379", node);
    ck_assert_str_eq(request->connect_to, connect);
    ck_assert_str_eq(request->identity, "deployment");
    ck_assert_uint_eq(request->timeout_ms, 2000);
    ck_assert_uint_le(node, NODES);
    if (!strcmp(path, "/health")) {
        ck_assert_str_eq(request->method, "GET");
        return stage.nodes[node - 1].health;
    }
    ck_assert_str_eq(request->method, "POST"); /* the gateway knows no other */
    if (!strcmp(path, "/v3/maintenance/status"))
        return stage.nodes[node - 1].status;
    if (!strcmp(path, "/v3/kv/deleterange"))
        return stage.write;
    if (!strcmp(path, "/v3/cluster/member/list"))
        return stage.list;
    stage.changes++;
    snprintf(stage.changed, sizeof stage.changed, "%s %s", path, request->body);
    return stage.change;
}

static void setup(void)
{
    fake_host_reset();
    fake_host_set_http(play, NULL);
    memset(&stage, 0, sizeof stage);
    stage.write = (struct fake_response){ 200, "{\"header\":{\"revision\":\"1\"}}", 0, NULL };
    stage.list = (struct fake_response){ 200, FULL_LIST, 0, NULL };
    stage.change = (struct fake_response){ 200, "{}", 0, NULL };
    ops = open_topology("consensus");
    call = fake_call_new();
}

static void teardown(void)
{
    fake_call_free(call);
}

/* states: "ready ready stopped" */
static char *request_for(const char *states, const char *reason, int elapsed_ms)
{
    static char text[2048];
    char state[NODES][16];
    ck_assert_int_eq(sscanf(states, "%15s %15s %15s", state[0], state[1], state[2]), NODES);
    int length = snprintf(text, sizeof text,
                          "{\"version\":1,\"deployment\":\"consensus-x\",\"reason\":\"%s\",\"elapsed_ms\":%d,\"spec\":"
                          "{\"nodes\":[{\"bootstrap\":{\"ports\":[2379,2380]}}]},\"nodes\":[",
                          reason, elapsed_ms);
    for (int i = 0; i < NODES; i++)
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "%s{\"name\":\"node%d\",\"state\":\"%s\",\"outputs\":{%s127.9.0.%d\"}}", i ? "," : "", i + 1,
                           state[i], strcmp(state[i], "absent") ? "\"address\":\"" : "\"x\":\"", i + 1);
    snprintf(text + length, sizeof text - (size_t)length, "]}");
    return text;
}

static const struct {
    const char *label;
    struct script nodes[NODES];
    const char *states;
    const char *status;
    const char *message;
    const char *leader; /* NULL: none */
    const char *roles;
    int64_t term;
    size_t asked;
} cases[] = {
    { "whole",
      { WHOLE },
      "ready ready ready",
      "running",
      "3 of 3 members are healthy",
      "node2",
      "follower leader follower",
      2,
      6 },
    { "one refuses",
      { GOOD(FOLLOWS(ID1, ID2, "2")), GOOD(FOLLOWS(ID2, ID2, "2")), DOWN },
      "ready ready ready",
      "degraded",
      "2 of 3 members are healthy; node3: connection refused",
      "node2",
      "follower leader unreachable",
      2,
      6 },
    { "one hangs",
      { HANGING, GOOD(FOLLOWS(ID2, ID2, "2")), GOOD(FOLLOWS(ID3, ID2, "2")) },
      "ready ready ready",
      "degraded",
      "2 of 3 members are healthy; node1: no answer within 2000 ms",
      "node2",
      "unreachable leader follower",
      2,
      6 },
    { "one is stopped, and not asked",
      { GOOD(FOLLOWS(ID1, ID2, "2")), GOOD(FOLLOWS(ID2, ID2, "2")), DOWN },
      "ready ready stopped",
      "degraded",
      "2 of 3 members are healthy; node3: the node is stopped",
      "node2",
      "follower leader stopped",
      2,
      4 },
    { "the leader has just died: the others still name it",
      { BAD(FOLLOWS(ID1, ID2, "2")), DOWN, BAD(FOLLOWS(ID3, ID2, "2")) },
      "ready ready ready",
      "unavailable",
      "0 of 3 members are healthy and 2 are needed: nothing can be read or written; bring members back with `memories "
      "start consensus-x`, or look why with `memories logs consensus-x --node node1`",
      NULL,
      "follower unreachable follower",
      2,
      6 },
    { "the others still name a dead leader, and pass their health checks",
      { GOOD(FOLLOWS(ID1, ID2, "2")), DOWN, GOOD(FOLLOWS(ID3, ID2, "2")) },
      "ready ready ready",
      "degraded",
      "2 of 3 members are healthy; node2: connection refused; no leader answers",
      NULL,
      "follower unreachable follower",
      2,
      6 },
    { "nobody leads yet",
      { GOOD(FOLLOWS(ID1, ID2, "2")), GOOD(FOLLOWS(ID2, ID3, "2")), GOOD(FOLLOWS(ID3, ID2, "2")) },
      "ready ready ready",
      "degraded",
      "the members are electing a leader",
      NULL,
      "follower follower follower",
      2,
      6 },
    { "an old leader cut off names itself; a later term has another",
      { GOOD(FOLLOWS(ID1, ID1, "3")),
        { { 200, FOLLOWS(ID2, ID2, "2"), 0, NULL }, UNHEALTHY },
        GOOD(FOLLOWS(ID3, ID1, "3")) },
      "ready ready ready",
      "degraded",
      "2 of 3 members are healthy; node2: its health check fails (HTTP status 503)",
      "node1",
      "leader follower follower",
      3,
      6 },
    { "two name themselves: the higher term is right",
      { GOOD(FOLLOWS(ID1, ID1, "2")), GOOD(FOLLOWS(ID2, ID2, "12")), GOOD(FOLLOWS(ID3, ID2, "12")) },
      "ready ready ready",
      "running",
      "3 of 3 members are healthy",
      "node2",
      "follower leader follower",
      12,
      6 },
    { "a minority",
      { BAD(LEADERLESS(ID1, "7")), DOWN, DOWN },
      "ready ready ready",
      "unavailable",
      "0 of 3 members are healthy and 2 are needed: nothing can be read or written; bring members back with `memories "
      "start consensus-x`, or look why with `memories logs consensus-x --node node1`",
      NULL,
      "follower unreachable unreachable",
      7,
      6 },
    { "a full database",
      { BAD(ALARMED(ID1, ID3, "4")), BAD(ALARMED(ID2, ID3, "4")), BAD(ALARMED(ID3, ID3, "4")) },
      "ready ready ready",
      "degraded",
      "0 of 3 members are healthy; node1: alarm NOSPACE of node2: its database is full, and nothing can be written; "
      "delete keys, compact, defragment, then disarm the alarm",
      "node3",
      "follower follower leader",
      4,
      6 },
    { "a learner needs no vote",
      { GOOD(FOLLOWS(ID1, ID1, "2")), DOWN, GOOD(LEARNS(ID3, ID1, "2")) },
      "ready ready ready",
      "degraded",
      "2 of 3 members are healthy; node2: connection refused",
      "node1",
      "leader unreachable learner",
      2,
      6 },
    { "all stopped",
      { DOWN, DOWN, DOWN },
      "stopped stopped stopped",
      "stopped",
      "all members are stopped",
      NULL,
      "stopped stopped stopped",
      0,
      0 },
    { "none is there",
      { DOWN, DOWN, DOWN },
      "absent absent absent",
      "unavailable",
      "0 of 3 members are healthy and 2 are needed: nothing can be read or written; bring members back with `memories "
      "start consensus-x`, or look why with `memories logs consensus-x --node node1`",
      NULL,
      "unreachable unreachable unreachable",
      0,
      0 },
    { "something else answers",
      { GOOD(FOLLOWS(ID1, ID1, "2")), GOOD("<html>"), GOOD(FOLLOWS(ID3, ID1, "2")) },
      "ready ready ready",
      "degraded",
      "2 of 3 members are healthy; node2: it answers, but not as etcd does",
      "node1",
      "leader unreachable follower",
      2,
      6 },
    { "the gateway can't reach its own member",
      { GOOD(FOLLOWS(ID1, ID1, "2")),
        { { 503, "{\"error\":\"connection closed\",\"code\":14}", 0, NULL }, HEALTHY },
        GOOD(FOLLOWS(ID3, ID1, "2")) },
      "ready ready ready",
      "degraded",
      "2 of 3 members are healthy; node2: HTTP status 503: connection closed",
      "node1",
      "leader unreachable follower",
      2,
      6 },
};

START_TEST(status_tells_what_is_there)
{
    char roles[128] = "";
    stage.nodes = cases[_i].nodes;
    ck_assert_int_eq(ops->status(call, request_for(cases[_i].states, "status", 0)), MEMORIES_OK);
    json_object *result = fake_call_result(call);
    ck_assert_msg(!strcmp(json_get_string(result, "status"), cases[_i].status), "%s: %s", cases[_i].label,
                  fake_call_result_text(call));
    ck_assert_str_eq(json_get_string(result, "message"), cases[_i].message);
    ck_assert_pstr_eq(json_get_string(result, "leader"), cases[_i].leader);
    ck_assert_int_eq(json_get_int(result, "term", 0), cases[_i].term);
    json_object *members = json_get_array(result, "members");
    ck_assert_uint_eq(json_count(members), NODES);
    for (size_t i = 0; i < NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "node%zu", i + 1);
        ck_assert_str_eq(json_get_string(json_at(members, i), "name"), name);
        /* A member is healthy, or says why not. */
        ck_assert_int_eq(json_get_bool(json_at(members, i), "healthy", false),
                         !json_get_string(json_at(members, i), "message"));
        snprintf(roles + strlen(roles), sizeof roles - strlen(roles), "%s%s", i ? " " : "",
                 json_get_string(json_at(members, i), "role"));
    }
    ck_assert_str_eq(roles, cases[_i].roles);
    ck_assert_uint_eq(stage.asked, cases[_i].asked);
    ck_assert_uint_eq(fake_host_http_batches(), cases[_i].asked ? 1 : 0);
}
END_TEST

START_TEST(a_member_tells_all_it_knows)
{
    static const struct script nodes[] = { WHOLE };
    stage.nodes = nodes;
    ck_assert_int_eq(ops->status(call, request_for("ready ready ready", "status", 0)), MEMORIES_OK);
    json_object *result = fake_call_result(call);
    ck_assert_str_eq(json_object_to_json_string_ext(json_at(json_get_array(result, "members"), 1),
                                                    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                     "{\"name\":\"node2\",\"role\":\"leader\",\"healthy\":true,\"address\":\"https://127.9.0.2:2379\","
                     "\"message\":null,\"member_id\":\"9482eb0017e95ced\",\"term\":2,\"committed_index\":9,"
                     "\"applied_index\":8,\"db_size_bytes\":20480,\"version\":\"3.4.23\"}");
    ck_assert_int_eq(json_get_int(result, "committed_index", 0), 9);
    ck_assert_int_eq(json_get_int(result, "applied_index", 0), 8);
}
END_TEST

static const struct {
    struct script nodes[NODES];
    const char *states;
    struct fake_response write;
    const char *message;
    int elapsed_ms;
    int poll_after_ms;
    size_t batches;
} waits[] = {
    { { WHOLE }, "ready ready ready", { 200, "{}", 0, NULL }, "waiting for the members to start", 50, 200, 0 },
    { { DOWN, DOWN, DOWN },
      "ready ready ready",
      { 200, "{}", 0, NULL },
      "0 of 3 members are healthy; waiting for node1: connection refused",
      300,
      20,
      1 },
    { { GOOD(FOLLOWS(ID1, ID1, "2")), GOOD(FOLLOWS(ID2, ID1, "2")), BAD(LEADERLESS(ID3, "1")) },
      "ready ready ready",
      { 200, "{}", 0, NULL },
      "2 of 3 members are healthy; waiting for node3: etcdserver: no leader",
      5000,
      100,
      2 },
    { { WHOLE },
      "ready pending ready",
      { 200, "{}", 0, NULL },
      "2 of 3 members are healthy; waiting for node2: the node is pending",
      20000,
      500,
      2 },
    { { GOOD(FOLLOWS(ID1, ID2, "2")), GOOD(FOLLOWS(ID2, ID2, "2")), GOOD(FOLLOWS(ID3, ID1, "1")) },
      "ready ready ready",
      { 200, "{}", 0, NULL },
      "waiting for the members to agree on a leader",
      300,
      20,
      2 },
    { { WHOLE },
      "ready ready ready",
      { 503, "{\"error\":\"etcdserver: request timed out\",\"code\":14}", 0, NULL },
      "waiting for the first write: HTTP status 503: etcdserver: request timed out",
      300,
      20,
      2 },
};

START_TEST(converge_waits)
{
    stage.nodes = waits[_i].nodes;
    stage.write = waits[_i].write;
    ck_assert_int_eq(ops->converge(call, request_for(waits[_i].states, "deploy", waits[_i].elapsed_ms)), MEMORIES_OK);
    json_object *result = fake_call_result(call);
    ck_assert(!json_get_bool(result, "done", true));
    ck_assert_str_eq(json_get_string(result, "message"), waits[_i].message);
    ck_assert_int_eq(json_get_int(result, "poll_after_ms", 0), waits[_i].poll_after_ms);
    ck_assert_uint_eq(fake_host_http_batches(), waits[_i].batches);
}
END_TEST

/* ---- A member that does not come back ---- */

#define SERVED(id, name) \
    "{\"ID\":\"" id "\",\"name\":\"" name "\",\"peerURLs\":[\"https://x:2380\"],\"clientURLs\":[\"https://x:2379\"]}"
#define ANNOUNCED(id, address) "{\"ID\":\"" id "\",\"peerURLs\":[\"https://" address ":2380\"],\"isLearner\":true}"
#define SERVED_LIST LIST(SERVED(ID1, "node1") "," SERVED(ID2, "node2") "," SERVED(ID3, "node3"))

static const struct {
    const char *reason;
    const char *list;
    int elapsed_ms;
    int waiting_ms;
    bool leads; /* it does, and only its peers reach it */
    const char *what; /* NULL: it is waited for */
} patience[] = {
    { "resume", SERVED_LIST, 120000, 8000, false, "come back" },
    { "resume", SERVED_LIST, 120000, 8000, true, "come back" },
    { "resume", SERVED_LIST, 119999, 119999, false, NULL },
    { "resume", SERVED_LIST, 120000, 7999, false, NULL }, /* something moves */
    { "start", SERVED_LIST, 299999, 8000, false, NULL }, /* machines boot */
    { "start", SERVED_LIST, 300000, 8000, false, "come back" },
    { "resume", FULL_LIST, 500000, 500000, false, NULL }, /* its machine may be slow to come */
    { "start", LIST(SERVED(ID1, "node1") "," SERVED(ID2, "node2") "," ANNOUNCED(ID3, "127.9.0.3")), 300000, 8000, false,
      "come to join" },
    { "scale", LIST(SERVED(ID1, "node1") "," SERVED(ID2, "node2") "," ANNOUNCED(ID3, "127.9.0.3")), 299999, 8000, false,
      NULL },
};

static char *request_after(const char *reason, const char *states, int elapsed_ms, int waiting_ms)
{
    char *request = request_for(states, reason, elapsed_ms);
    sprintf(request + strlen(request) - 1, ",\"waiting_ms\":%d}", waiting_ms);
    return request;
}

START_TEST(a_member_that_does_not_come_back_is_not_waited_for_without_end)
{
    static const struct script nodes[] = { GOOD(FOLLOWS(ID1, ID2, "2")), GOOD(FOLLOWS(ID2, ID2, "2")), DOWN };
    static const struct script cut_off[] = { GOOD(FOLLOWS(ID1, ID3, "2")), GOOD(FOLLOWS(ID2, ID3, "2")), DOWN };
    stage.nodes = patience[_i].leads ? cut_off : nodes;
    stage.list.body = patience[_i].list;
    char *request = request_after(patience[_i].reason, "ready ready ready", patience[_i].elapsed_ms, patience[_i].waiting_ms);
    ck_assert_int_eq(ops->converge(call, request), patience[_i].what ? MEMORIES_FAILED : MEMORIES_OK);
    if (!patience[_i].what)
        return;
    char message[128];
    snprintf(message, sizeof message, "node3, a member of consensus-x, does not %s: connection refused",
             patience[_i].what);
    ck_assert_str_eq(fake_call_error(call)->message, message);
    ck_assert_str_eq(fake_call_error(call)->hint,
                     "look why with: memories logs consensus-x --node node3; if it can't do so by itself, make it anew "
                     "with: memories heal consensus-x --node node3");
}
END_TEST

/* A new node would be no better; nor one that is being made. */
START_TEST(a_full_database_or_a_node_under_way_is_waited_for)
{
    static const struct script full[] = { BAD(ALARMED(ID1, ID3, "4")), BAD(ALARMED(ID2, ID3, "4")),
                                          BAD(ALARMED(ID3, ID3, "4")) };
    static const struct script whole[] = { WHOLE };
    stage.nodes = _i ? whole : full;
    stage.list.body = SERVED_LIST;
    ck_assert_int_eq(ops->converge(call, request_after("resume", _i ? "pending ready ready" : "ready ready ready", 200000, 200000)),
                     MEMORIES_OK);
    ck_assert(!json_get_bool(fake_call_result(call), "done", true));
}
END_TEST

START_TEST(converge_ends)
{
    static const char *const reasons[] = { "deploy", "start", "update", "resume" };
    static const struct script nodes[] = { WHOLE };
    stage.nodes = nodes;
    ck_assert_int_eq(ops->converge(call, request_for("ready ready ready", reasons[_i], 300)), MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(call),
                     "{\"done\":true,\"result\":{\"leader_node\":\"node2\",\"follower_nodes\":[\"node1\",\"node3\"]}}");
    /* One batch to all, one to the leader. */
    ck_assert_uint_eq(fake_host_http_batches(), 2);
    ck_assert_uint_eq(stage.asked, 8);
}
END_TEST

static const struct {
    const char *list;
    const char *message;
} differences[] = {
    { LIST(ENTRY(ID1, "node1") "," ENTRY(ID2, "node2") "," ENTRY(ID3, "node3") "," ENTRY("7", "node4")),
      "the running cluster has other members than asked for: its member node4 is no node of the deployment" },
};

START_TEST(other_members_than_nodes_are_an_error)
{
    static const struct script nodes[] = { GOOD(FOLLOWS(ID1, ID2, "2")), GOOD(FOLLOWS(ID2, ID2, "2")), DOWN };
    stage.nodes = nodes;
    stage.list.body = differences[_i].list;
    ck_assert_int_eq(ops->converge(call, request_for("ready ready ready", "update", 0)), MEMORIES_UNSUPPORTED);
    ck_assert_str_eq(fake_call_error(call)->message, differences[_i].message);
    ck_assert_str_eq(fake_call_error(call)->where, "config.node_specs");
}
END_TEST

/* ---- Members that come ---- */

#define LEARNER(id, name) "{\"ID\":\"" id "\",\"name\":\"" name "\",\"peerURLs\":[\"https://x:2380\"],\"isLearner\":true}"
#define TWO_LIST ENTRY(ID1, "node1") "," ENTRY(ID2, "node2")

static const struct {
    const char *list;
    struct fake_response change;
    const char *changed;
    const char *message;
} joins[] = {
    { LIST(SERVED(ID1, "node1") "," SERVED(ID2, "node2")),
      { 503, "{\"error\":\"etcdserver: unhealthy cluster\",\"code\":14}", 0, NULL },
      "/v3/cluster/member/add {\"peerURLs\":[\"https://127.9.0.3:2380\"],\"isLearner\":true}",
      "node3 joins: HTTP status 503: etcdserver: unhealthy cluster; node2: connection refused" },
    { LIST(TWO_LIST), { 200, "{}", 0, NULL },
      "/v3/cluster/member/add {\"peerURLs\":[\"https://127.9.0.3:2380\"],\"isLearner\":true}", "node3 joins" },
    { LIST(TWO_LIST), { 503, "{\"error\":\"etcdserver: unhealthy cluster\",\"code\":14}", 0, NULL },
      "/v3/cluster/member/add {\"peerURLs\":[\"https://127.9.0.3:2380\"],\"isLearner\":true}",
      "node3 joins: HTTP status 503: etcdserver: unhealthy cluster" },
    { LIST(TWO_LIST "," ANNOUNCED(ID3, "127.9.0.3")), { 412, "{\"error\":\"not in sync\"}", 0, NULL },
      "/v3/cluster/member/promote {\"ID\":\"" ID3 "\"}", "node3 gets a vote: HTTP status 412: not in sync" },
    { LIST(TWO_LIST "," LEARNER(ID3, "node3")), { 200, "{}", 0, NULL },
      "/v3/cluster/member/promote {\"ID\":\"" ID3 "\"}", "node3 gets a vote" },
    /* One at a time: node3 has to wait until node2 has its vote. */
    { LIST(ENTRY(ID1, "node1") "," LEARNER(ID2, "node2")), { 200, "{}", 0, NULL },
      "/v3/cluster/member/promote {\"ID\":\"" ID2 "\"}", "node2 gets a vote" },
};

START_TEST(converge_takes_in_nodes_that_are_no_members)
{
    static const struct script nodes[] = { GOOD(FOLLOWS(ID1, ID1, "2")), GOOD(FOLLOWS(ID2, ID1, "2")), DOWN };
    static const struct script second_down[] = { GOOD(FOLLOWS(ID1, ID1, "2")), DOWN, DOWN };
    stage.nodes = _i ? nodes : second_down;
    stage.list.body = joins[_i].list;
    stage.change = joins[_i].change;
    ck_assert_int_eq(ops->converge(call, request_for("ready ready ready", "update", 0)), MEMORIES_OK);
    ck_assert(!json_get_bool(fake_call_result(call), "done", true));
    ck_assert_str_eq(json_get_string(fake_call_result(call), "message"), joins[_i].message);
    ck_assert_str_eq(stage.changed, joins[_i].changed);
    ck_assert_uint_eq(stage.changes, 1);
}
END_TEST

/* ---- Members that go ---- */

static char *release_request(const char *states, const char *leaving, const char *more)
{
    static char text[4096];
    char *request = request_for(states, "heal", 0);
    request[strlen(request) - 1] = '\0';
    /* A node in the spec comes back: node2 is replaced, the others are not wanted any more. */
    char *spec = strstr(request, "{\"bootstrap\"");
    *spec = '\0';
    snprintf(text, sizeof text, "%s{\"name\":\"node2\",\"bootstrap\"%s,\"leaving\":[%s]%s}", request,
             spec + strlen("{\"bootstrap\""), leaving, more);
    return text;
}

#define NODE2_DOWN { GOOD(FOLLOWS(ID1, ID1, "2")), DOWN, GOOD(FOLLOWS(ID3, ID1, "2")) }
#define ALL_UP { GOOD(FOLLOWS(ID1, ID1, "2")), GOOD(FOLLOWS(ID2, ID1, "2")), GOOD(FOLLOWS(ID3, ID1, "2")) }

static const struct {
    struct script nodes[NODES];
    const char *leaving;
    const char *list;
    const char *changed; /* NULL: nothing is */
    const char *released;
    const char *message;
} releases[] = {
    { NODE2_DOWN, "\"node2\"", FULL_LIST, "/v3/cluster/member/remove {\"ID\":\"" ID2 "\"}", "[ ]", "node2 has left" },
    { NODE2_DOWN, "\"node2\"", LIST(ENTRY(ID1, "node1") "," ENTRY(ID3, "node3")),
      "/v3/cluster/member/add {\"peerURLs\":[\"https://127.9.0.2:2380\"],\"isLearner\":true}", "[ \"node2\" ]", NULL },
    { NODE2_DOWN, "\"node2\"", LIST(ENTRY(ID1, "node1") "," ENTRY(ID3, "node3") "," ANNOUNCED("7", "127.9.0.2")), NULL,
      "[ \"node2\" ]", NULL },
    /* It was announced, and never came: the others would go on waiting for it. */
    { { GOOD(FOLLOWS(ID1, ID1, "2")), GOOD(FOLLOWS(ID2, ID1, "2")), DOWN }, "\"node3\"",
      LIST(TWO_LIST "," ANNOUNCED(ID3, "127.9.0.3")), "/v3/cluster/member/remove {\"ID\":\"" ID3 "\"}", "[ ]",
      "node3 has left" },
    { ALL_UP, "\"node3\"", LIST(TWO_LIST), NULL, "[ \"node3\" ]", NULL },
    { ALL_UP, "\"node3\"", FULL_LIST, "/v3/cluster/member/remove {\"ID\":\"" ID3 "\"}", "[ ]", "node3 has left" },
    { ALL_UP, "\"node1\"", FULL_LIST, "/v3/maintenance/transfer-leadership {\"targetID\":\"" ID2 "\"}", "[ ]",
      "node1 hands over to node2" },
    /* The leader answers its peers alone. */
    { { GOOD(FOLLOWS(ID1, ID2, "2")), DOWN, GOOD(FOLLOWS(ID3, ID2, "2")) }, "\"node2\"", FULL_LIST,
      "/v3/cluster/member/remove {\"ID\":\"" ID2 "\"}", "[ ]", "node2 has left" },
    { { BAD(LEADERLESS(ID1, "2")), DOWN, BAD(LEADERLESS(ID3, "2")) }, "\"node2\"", FULL_LIST, NULL, "[ ]",
      "waiting for a leader" },
};

START_TEST(release_lets_members_go_one_by_one)
{
    stage.nodes = releases[_i].nodes;
    stage.list.body = releases[_i].list;
    ck_assert_int_eq(ops->release(call, release_request("ready ready ready", releases[_i].leaving, "")), MEMORIES_OK);
    json_object *result = fake_call_result(call);
    const char *message = json_get_string(result, "message");
    ck_assert_str_eq(json_object_to_json_string(json_get(result, "released")), releases[_i].released);
    ck_assert_int_eq(json_get_bool(result, "done", false), message == NULL);
    ck_assert_pstr_eq(message, releases[_i].message);
    ck_assert_str_eq(stage.changed, releases[_i].changed ? releases[_i].changed : "");
}
END_TEST

static const struct {
    struct script nodes[NODES];
    const char *leaving;
    const char *more;
    int32_t code;
    const char *message;
} refusals[] = {
    { ALL_UP, "\"node2\"", ",\"check\":true", MEMORIES_OK, NULL },
    { NODE2_DOWN, "\"node2\"", ",\"check\":true", MEMORIES_OK, NULL },
    { NODE2_DOWN, "\"node3\"", ",\"check\":true", MEMORIES_CONFLICT,
      "of 3 members 2 are healthy, 1 of the 2 that would stay: that is no majority" },
    { { GOOD(FOLLOWS(ID1, ID1, "2")), DOWN, DOWN }, "\"node2\"", ",\"check\":true", MEMORIES_CONFLICT,
      "of 3 members 1 are healthy, 1 of the 2 that would stay: that is no majority" },
    { ALL_UP, "\"node1\",\"node2\",\"node3\"", ",\"check\":true", MEMORIES_CONFLICT,
      "no member would stay, and nothing of the data" },
    { NODE2_DOWN, "\"node2\"", ",\"check\":true,\"force_new_cluster\":\"node1\"", MEMORIES_UNSUPPORTED,
      "a consensus cluster that has lost its majority can't be begun anew: its members could not tell which of them knows "
      "the last writes" },
};

START_TEST(release_checks_the_majority_and_changes_nothing)
{
    stage.nodes = refusals[_i].nodes;
    ck_assert_int_eq(ops->release(call, release_request("ready ready ready", refusals[_i].leaving, refusals[_i].more)),
                     refusals[_i].code);
    if (refusals[_i].message)
        ck_assert_str_eq(fake_call_error(call)->message, refusals[_i].message);
    ck_assert_uint_eq(stage.changes, 0);
}
END_TEST

START_TEST(a_request_without_nodes_is_a_defect)
{
    ck_assert_int_eq(ops->status(call, "{\"version\":1,\"deployment\":\"x\",\"nodes\":[]}"), MEMORIES_INTERNAL);
    ck_assert_str_eq(fake_call_error(call)->message, "the request has no deployment or no nodes");
}
END_TEST

START_TEST(memory_that_runs_out_is_reported)
{
    static const struct script scripts[][NODES] = {
        { WHOLE },
        { BAD(ALARMED(ID1, ID3, "4")), DOWN, BAD(ALARMED(ID3, ID3, "4")) },
        { BAD(LEADERLESS(ID1, "7")), HANGING, DOWN },
    };
    stage.nodes = scripts[_i / 2];
    check_out_of_memory(_i % 2 ? ops->status : ops->converge, request_for("ready ready ready", "deploy", 0));
}
END_TEST

int main(void)
{
    TCase *test_case = tcase_create("status");
    tcase_add_checked_fixture(test_case, setup, teardown);
    tcase_add_loop_test(test_case, status_tells_what_is_there, 0, (int)ARRAY_COUNT(cases));
    tcase_add_test(test_case, a_member_tells_all_it_knows);
    tcase_add_loop_test(test_case, converge_waits, 0, (int)ARRAY_COUNT(waits));
    tcase_add_loop_test(test_case, a_member_that_does_not_come_back_is_not_waited_for_without_end, 0,
                        (int)ARRAY_COUNT(patience));
    tcase_add_loop_test(test_case, a_full_database_or_a_node_under_way_is_waited_for, 0, 2);
    tcase_add_loop_test(test_case, converge_ends, 0, 4);
    tcase_add_loop_test(test_case, other_members_than_nodes_are_an_error, 0, (int)ARRAY_COUNT(differences));
    tcase_add_loop_test(test_case, converge_takes_in_nodes_that_are_no_members, 0, (int)ARRAY_COUNT(joins));
    tcase_add_loop_test(test_case, release_lets_members_go_one_by_one, 0, (int)ARRAY_COUNT(releases));
    tcase_add_loop_test(test_case, release_checks_the_majority_and_changes_nothing, 0, (int)ARRAY_COUNT(refusals));
    tcase_add_test(test_case, a_request_without_nodes_is_a_defect);
    tcase_add_loop_test(test_case, memory_that_runs_out_is_reported, 0, 6);
    Suite *suite = suite_create("consensus_status");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
