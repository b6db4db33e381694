/*
 * test_consensus_etcd.c - the consensus topology against real etcd on loopback addresses
 *
 * The way of a deployment without its provider: plan, certificates, addresses put into the bootstraps, one etcd for
 * each node, converge; then status while members are killed, frozen and brought back.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/bootstrap/bootstrap.h"
#include "core/http/http.h"
#include "core/loader/call.h"
#include "core/pki/pki.h"
#include "tests/unit/topology.h"

#define DEPLOYMENT "consensus-test-20260225-123456"
#define NODES 3
#define CLIENT_PORT 2379
#define PEER_PORT 2380
#define PATIENCE_MS 120000
#define ARGUMENTS_MAX 128

static const char *const names[NODES] = { "node1", "node2", "node3" };

static struct {
    char directory[256];
    char addresses[NODES][INET_ADDRSTRLEN];
    pid_t processes[NODES]; /* 0: none */
    json_object *spec;
    struct secrets *secrets;
    struct http_client *http;
    atomic_int cancel;
    struct plugin plugin;
    struct call_environment environment;
} cluster;

/* ---- Around the plugin --------------------------------------------------------------------------------------------
 */

static void must(int failed, memories_error *error)
{
    ck_assert_msg(!failed, "%s (%s)", memories_error_message(error),
                  memories_error_cause(error) ? memories_error_cause(error) : "no cause");
}

static bool is_free(const char *address, uint16_t port)
{
    struct sockaddr_in socket_address = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, address, &socket_address.sin_addr);
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind(fd, (struct sockaddr *)&socket_address, sizeof socket_address) == 0;
}

/* Tests run side by side: each takes a block of addresses of its own. */
static void choose_addresses(void)
{
    unsigned block = (unsigned)getpid() * 2654435761u, taken = 1;
    for (; taken; block++) {
        taken = 0;
        for (size_t i = 0; i < NODES; i++) {
            snprintf(cluster.addresses[i], sizeof cluster.addresses[i], "127.%u.%u.%zu", 32 + (block >> 8) % 192,
                     block % 256, 11 + i);
            taken |= !is_free(cluster.addresses[i], CLIENT_PORT) || !is_free(cluster.addresses[i], PEER_PORT);
        }
    }
}

static json_object *plan(void)
{
    memories_error *error = NULL;
    AUTO_JSON json_object *request = json_tokener_parse("{\"version\":1,\"deployment\":\"" DEPLOYMENT
                                                        "\",\"config\":{\"logging\":{\"level\":\"error\"}}}");
    AUTO_JSON json_object *spec = NULL;
    must(call_document(&cluster.plugin, &cluster.environment, "plan", cluster.plugin.ops.topology.plan, request, &spec,
                       &error),
         error);
    AUTO_JSON json_object *choices = json_object_new_object();
    json_object *nodes = json_object_new_object();
    json_set(choices, "nodes", nodes);
    for (size_t i = 0; i < NODES; i++) {
        json_object *node = json_object_new_object();
        json_set_string(node, "address", cluster.addresses[i]);
        json_set(nodes, names[i], node);
    }
    json_object *resolved = bootstrap_resolve(spec, choices, &error);
    must(!resolved, error);
    return resolved;
}

static json_object *node_bootstrap(size_t index)
{
    return json_get_object(json_object_array_get_idx(json_get_array(cluster.spec, "nodes"), index), "bootstrap");
}

/* %c and %d in a string of a bootstrap; new string. */
static char *with_directories(const char *text, size_t index)
{
    struct text result = TEXT_INIT;
    for (; *text; text++) {
        if (text[0] == '%' && (text[1] == 'c' || text[1] == 'd'))
            text_printf(&result, "%s/%s/%s", cluster.directory, names[index], *++text == 'c' ? "config" : "data");
        else
            text_append_bytes(&result, text, 1);
    }
    return text_take(&result);
}

static void write_files(size_t index)
{
    memories_error *error = NULL;
    static const char *const directories[] = { "", "/config", "/config/tls", "/data" };
    for (size_t i = 0; i < ARRAY_COUNT(directories); i++) {
        AUTO_FREE char *path = text_format("%s/%s%s", cluster.directory, names[index], directories[i]);
        must(directory_make(path, 0700, &error), error);
    }
    json_object *files = json_get_array(node_bootstrap(index), "files");
    for (size_t i = 0; i < json_count(files); i++) {
        json_object *file = json_object_array_get_idx(files, i);
        size_t bytes = 0;
        const char *secret = secrets_get(cluster.secrets, json_get_string(file, "secret"), &bytes, &error);
        must(!secret, error);
        AUTO_FREE char *path = with_directories(json_get_string(file, "path"), index);
        must(file_write(path, secret, bytes, 0600, false, &error), error);
    }
}

static void wait_ms(int64_t ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static void start_node(size_t index, bool with_delay)
{
    json_object *service = json_object_array_get_idx(json_get_array(node_bootstrap(index), "services"), 0);
    json_object *command = json_get_array(service, "command");
    char *arguments[ARGUMENTS_MAX] = { NULL };
    ck_assert_uint_lt(json_count(command), ARGUMENTS_MAX);
    for (size_t i = 0; i < json_count(command); i++)
        arguments[i] = with_directories(json_object_get_string(json_object_array_get_idx(command, i)), index);
    AUTO_FREE char *log = text_format("%s/%s/log", cluster.directory, names[index]);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is left behind, whatever happens to the test */
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        if (with_delay)
            wait_ms(json_get_int(service, "start_delay_ms", 0));
        execvp(arguments[0], arguments);
        _exit(127);
    }
    cluster.processes[index] = pid;
    for (size_t i = 0; arguments[i]; i++)
        free(arguments[i]);
}

static void kill_node(size_t index)
{
    if (!cluster.processes[index])
        return;
    kill(cluster.processes[index], SIGKILL);
    waitpid(cluster.processes[index], NULL, 0);
    cluster.processes[index] = 0;
}

static json_object *request_for(const char *reason)
{
    json_object *request = json_object_new_object(), *nodes = json_object_new_array();
    json_set_int(request, "version", 1);
    json_set_string(request, "deployment", DEPLOYMENT);
    json_set_string(request, "reason", reason);
    json_set(request, "spec", json_ref(cluster.spec));
    json_set(request, "nodes", nodes);
    for (size_t i = 0; i < NODES; i++) {
        json_object *node = json_object_new_object(), *outputs = json_object_new_object();
        json_set_string(node, "name", names[i]);
        json_set_string(node, "state", "ready");
        json_set_string(outputs, "address", cluster.addresses[i]);
        json_set(node, "outputs", outputs);
        json_add(nodes, node);
    }
    return request;
}

static json_object *ask(const char *slot_name, document_slot *slot)
{
    memories_error *error = NULL;
    AUTO_JSON json_object *request = request_for("deploy");
    json_object *result = NULL;
    must(call_document(&cluster.plugin, &cluster.environment, slot_name, slot, request, &result, &error), error);
    return result;
}

static json_object *status(void)
{
    return ask("status", cluster.plugin.ops.topology.status);
}

/* What deploy returns, once converge is done. */
static json_object *converge(void)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        AUTO_JSON json_object *answer = ask("converge", cluster.plugin.ops.topology.converge);
        if (json_get_bool(answer, "done", false))
            return json_ref(json_get_object(answer, "result"));
        ck_assert_msg(clock_monotonic_ms() < deadline, "still %s", json_get_string(answer, "message"));
        wait_ms(json_get_int(answer, "poll_after_ms", 0));
    }
}

/* Asks until the status is `wanted`, with another leader than `other` (NULL: any). */
static json_object *status_until(const char *wanted, const char *other)
{
    int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        json_object *now = status();
        const char *leader = json_get_string(now, "leader");
        if (!strcmp(json_get_string(now, "status"), wanted) && (!other || (leader && strcmp(leader, other))))
            return now;
        ck_assert_msg(clock_monotonic_ms() < deadline, "not %s but %s", wanted, json_object_to_json_string(now));
        json_object_put(now);
        wait_ms(20);
    }
}

static size_t index_of(const char *name)
{
    for (size_t i = 0; i < NODES; i++)
        if (!strcmp(names[i], name))
            return i;
    ck_abort_msg("%s is no node", name);
}

static json_object *member(json_object *from, size_t index)
{
    return json_object_array_get_idx(json_get_array(from, "members"), index);
}

static void setup(void)
{
    memories_error *error = NULL;
    const char *tmp = getenv("TMPDIR");
    snprintf(cluster.directory, sizeof cluster.directory, "%s/memories-etcd.XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(cluster.directory));
    choose_addresses();
    cluster.plugin = (struct plugin){ .kind = MEMORIES_PLUGIN_TOPOLOGY,
                                      .name = (char *)"consensus",
                                      .path = (char *)"(test)",
                                      .thread_model = MEMORIES_THREADS_CONCURRENT,
                                      .ops.topology = *open_topology("consensus") };
    must(call_init(&cluster.plugin, &error), error);
    AUTO_FREE char *secrets = text_format("%s/secrets", cluster.directory);
    static const char *const holders[NODES] = { "node/node1", "node/node2", "node/node3" };
    const char *const addresses[] = { cluster.addresses[0], cluster.addresses[1], cluster.addresses[2] };
    cluster.secrets = secrets_open(secrets, DEPLOYMENT, &error);
    must(!cluster.secrets || secrets_prepare(cluster.secrets, holders, addresses, NODES, &error), error);
    cluster.http = http_client_new(&error);
    must(!cluster.http, error);
    cluster.environment = (struct call_environment){
        .deployment = DEPLOYMENT, .cancel = &cluster.cancel, .http = cluster.http, .secrets = cluster.secrets
    };
    cluster.spec = plan();
    for (size_t i = 0; i < NODES; i++)
        write_files(i);
    for (size_t i = 0; i < NODES; i++)
        start_node(i, true);
}

static void teardown(void)
{
    for (size_t i = 0; i < NODES; i++)
        kill_node(i);
    http_client_free(cluster.http);
    secrets_free(cluster.secrets);
    json_object_put(cluster.spec);
    directory_remove(cluster.directory, NULL);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

START_TEST(a_cluster_forms_and_outlives_its_leader)
{
    int64_t begin = clock_monotonic_ms();
    AUTO_JSON json_object *formed = converge();
    printf("formed and writable after %lld ms\n", (long long)(clock_monotonic_ms() - begin));
    AUTO_JSON json_object *whole = status_until("running", NULL);
    const char *leader = json_get_string(whole, "leader");
    /* The one that led when it was formed; on a busy machine another may have been elected since. */
    ck_assert_uint_lt(index_of(json_get_string(formed, "leader_node")), NODES);
    ck_assert_uint_eq(json_count(json_get_array(formed, "follower_nodes")), NODES - 1);
    ck_assert_int_ge(json_get_int(whole, "committed_index", 0), json_get_int(whole, "applied_index", 0));
    ck_assert_int_gt(json_get_int(whole, "applied_index", 0), 0);
    ck_assert_str_eq(json_get_string(member(whole, index_of(leader)), "role"), "leader");

    begin = clock_monotonic_ms();
    kill_node(index_of(leader));
    AUTO_JSON json_object *after = status_until("degraded", leader);
    printf("new leader after %lld ms\n", (long long)(clock_monotonic_ms() - begin));
    ck_assert_int_gt(json_get_int(after, "term", 0), json_get_int(whole, "term", 0));
    ck_assert_str_eq(json_get_string(member(after, index_of(leader)), "role"), "unreachable");

    start_node(index_of(leader), false);
    AUTO_JSON json_object *again = converge();
    ck_assert_ptr_nonnull(json_get_string(again, "leader_node"));
    AUTO_JSON json_object *healed = status_until("running", NULL);
    ck_assert_str_eq(json_get_string(member(healed, index_of(leader)), "member_id"),
                     json_get_string(member(whole, index_of(leader)), "member_id"));
}
END_TEST

START_TEST(a_frozen_member_is_told_and_does_not_hang_status)
{
    AUTO_JSON json_object *formed = converge();
    json_object *followers = json_get_array(formed, "follower_nodes");
    size_t frozen = index_of(json_object_get_string(json_object_array_get_idx(followers, 0)));
    kill(cluster.processes[frozen], SIGSTOP);
    ck_assert_int_eq(waitpid(cluster.processes[frozen], NULL, WUNTRACED), cluster.processes[frozen]); /* it has stopped */
    int64_t begin = clock_monotonic_ms();
    json_object_put(status());
    int64_t took = clock_monotonic_ms() - begin;
    ck_assert_msg(took < PATIENCE_MS / 2, "status took %lld ms", (long long)took);
    AUTO_JSON json_object *now = status_until("degraded", NULL); /* a busy machine may let the others be silent as well */
    ck_assert_str_eq(json_get_string(member(now, frozen), "role"), "unreachable");
    kill(cluster.processes[frozen], SIGCONT);
    json_object_put(status_until("running", NULL));
}
END_TEST

START_TEST(a_minority_is_unavailable)
{
    json_object_put(converge());
    kill_node(1);
    kill_node(2);
    AUTO_JSON json_object *now = status_until("unavailable", NULL);
    ck_assert_ptr_null(json_get_string(now, "leader"));
    ck_assert_ptr_nonnull(strstr(json_get_string(now, "message"), "and 2 are needed"));
    start_node(1, false);
    json_object_put(status_until("degraded", "node3"));
}
END_TEST

/* The right authority on our side, and a client certificate of another deployment. */
START_TEST(a_foreign_certificate_is_refused)
{
    json_object_put(converge());
    memories_error *error = NULL;
    AUTO_FREE char *directory = text_format("%s/foreign", cluster.directory);
    struct secrets *foreign = secrets_open(directory, "other", &error);
    must(!foreign || secrets_prepare(foreign, NULL, NULL, 0, &error), error);
    const struct http_identity identities[] = {
        { secrets_get(cluster.secrets, "secret:ca/certificate", NULL, NULL),
          secrets_get(foreign, "secret:client/certificate", NULL, NULL),
          secrets_get(foreign, "secret:client/key", NULL, NULL) },
        { secrets_get(cluster.secrets, "secret:ca/certificate", NULL, NULL),
          secrets_get(cluster.secrets, "secret:client/certificate", NULL, NULL),
          secrets_get(cluster.secrets, "secret:client/key", NULL, NULL) },
    };
    AUTO_FREE char *connect_to = text_format("%s:%d", cluster.addresses[0], CLIENT_PORT);
    const struct memories_http_request request = { .size = sizeof request,
                                                   .method = "GET",
                                                   .url = "https://node1:2379/health",
                                                   .connect_to = connect_to,
                                                   .identity = "deployment" };
    const struct memories_http_request *requests[] = { &request };
    for (size_t i = 0; i < ARRAY_COUNT(identities); i++) {
        struct http_responses responses = { 0 };
        struct http_client *client = http_client_new(&error); /* no connection of the other identity is reused */
        must(http_send(client, requests, 1, &identities[i], NULL, &responses, &error), error);
        /* Its word on its health is another matter. */
        ck_assert_msg(i ? responses.items[0].status > 0 : responses.items[0].status == 0, "%d %s",
                      responses.items[0].status, responses.items[0].error);
        http_responses_free(&responses);
        http_client_free(client);
    }
    secrets_free(foreign);
}
END_TEST

static bool has_etcd(void)
{
    return system("etcd --version >/dev/null 2>&1") == 0;
}

int main(void)
{
    if (!has_etcd()) {
        puts("skipped: etcd is not installed (apt-get install etcd-server)");
        return 77;
    }
    TCase *test_case = tcase_create("etcd");
    tcase_set_timeout(test_case, 5.0 * PATIENCE_MS / 1000);
    tcase_add_checked_fixture(test_case, setup, teardown);
    tcase_add_test(test_case, a_cluster_forms_and_outlives_its_leader);
    tcase_add_test(test_case, a_frozen_member_is_told_and_does_not_hang_status);
    tcase_add_test(test_case, a_minority_is_unavailable);
    tcase_add_test(test_case, a_foreign_certificate_is_refused);
    Suite *suite = suite_create("consensus_etcd");
    suite_add_tcase(suite, test_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
