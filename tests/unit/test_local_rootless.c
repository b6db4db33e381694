/*
 * test_local_rootless.c - namespaces without root: ranges of ids, what a machine lacks, which ports are relayed, the
 * relay
 *
 * tests/end_to_end/rootless.sh has the whole of it, as an ordinary user.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "plugins/providers/local/rootless.h"
#include "plugins/providers/local/rootless/relay.h"
#include "plugins/providers/local/rootless/subid.h"
#include "tests/unit/local_fixture.h"

/* ---- ranges of ids ---- */

static const struct {
    const char *lines;
    uint32_t start, count; /* for ann, who is user 1001; count 0: none */
} ranges[] = {
    { "", 0, 0 },
    { "ann:100000:65536\n", 100000, 65536 },
    { "bob:100000:65536\nann:165536:65536\n", 165536, 65536 },
    { "1001:100000:65536", 100000, 65536 },
    { "ann:100000:1000\nann:200000:70000\nann:300000:5\n", 200000, 70000 },
    { "annabel:100000:65536\nan:1:65536\n10010:5:65536\n", 0, 0 },
    { "# ann:1:2\nann\nann:\nann:1\n:1:65536\nann:x:65536\nann:1:y\nann:1:65536:3\n", 0, 0 },
    { "ann:-1:65536\nann:1:-65536\nann:4294967295:65536\nann:99999999999:65536\nann:1:99999999999\n", 0, 0 },
    { "ann:100000:0\n", 0, 0 },
};

START_TEST(ranges_of_ids_are_found)
{
    FILE *lines = fmemopen((char *)ranges[_i].lines, strlen(ranges[_i].lines) + 1, "r");
    struct subid_range range;
    ck_assert_ptr_nonnull(lines);
    bool found = subid_find(lines, "ann", 1001, &range);
    fclose(lines);
    ck_assert_int_eq(found, ranges[_i].count > 0);
    ck_assert_uint_eq(range.count, ranges[_i].count);
    ck_assert_uint_eq(range.start, ranges[_i].start);
}
END_TEST

START_TEST(a_user_without_a_name_has_ranges_by_number)
{
    char text[] = "ann:1:65536\n1001:100000:65536\n";
    FILE *lines = fmemopen(text, strlen(text), "r");
    struct subid_range range;
    ck_assert(subid_find(lines, NULL, 1001, &range));
    fclose(lines);
    ck_assert_uint_eq(range.start, 100000);
    ck_assert(!subid_read("/nonexistent", "ann", 1001, &range));
}
END_TEST

/* ---- what a machine lacks ---- */

#define RANGE "ann:100000:65536\n"

static const struct {
    const char *without;        /* a file that is not there */
    const char *file, *content; /* one that is different */
    bool isolated;
    const char *message, *cause, *hint; /* NULL: nothing is wrong */
} machines[] = {
    { NULL, NULL, NULL, false, NULL, NULL, NULL },
    { "usr/bin/newuidmap", NULL, NULL, false, "need the program newuidmap", "",
      "apt-get install uidmap; or run as root, or use isolation: process" },
    { "usr/bin/newgidmap", NULL, NULL, true, "need the program newgidmap", "",
      "apt-get install uidmap; or run as root" },
    { "etc/subuid", NULL, NULL, false, "a range of 65536 subordinate ids for ann in /etc/subuid", "there is none",
      "usermod --add-subuids 100000-165535 ann; or run as root, or use isolation: process" },
    { NULL, "etc/subgid", "ann:100000:1000\n", true, "a range of 65536 subordinate ids for ann in /etc/subgid",
      "the largest range has 1000", "usermod --add-subgids 100000-165535 ann; or run as root" },
    { NULL, "proc/sys/kernel/unprivileged_userns_clone", "0\n", false, "ordinary users may not make user namespaces",
      "kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1; or run as root" },
    { NULL, "proc/sys/kernel/unprivileged_userns_clone", "1\n", false, NULL, NULL, NULL },
    { NULL, "proc/sys/user/max_user_namespaces", "0\n", true, "no user namespaces can be made",
      "user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=" },
};

static const char *new_directory(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/memories-rootless-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static void put(const char *root, const char *path, const char *content)
{
    AUTO_FREE char *whole = text_format("%s/%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        ck_assert(!mkdir(whole, 0755) || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fchmod(fileno(file), 0755);
    fclose(file);
}

START_TEST(what_a_machine_lacks_is_told_with_the_ways_out)
{
    static const char *const files[][2] = { { "usr/bin/newuidmap", "" },
                                            { "usr/bin/newgidmap", "" },
                                            { "etc/subuid", RANGE },
                                            { "etc/subgid", RANGE },
                                            { "proc/sys/user/max_user_namespaces", "1000\n" } };
    const char *root = new_directory();
    struct problem problem = { 0 }, ignored;
    for (size_t i = 0; i < ARRAY_COUNT(files); i++)
        if (!machines[_i].without || strcmp(machines[_i].without, files[i][0]) != 0)
            put(root, files[i][0], files[i][1]);
    if (machines[_i].file)
        put(root, machines[_i].file, machines[_i].content);
    int32_t code = rootless_check(root, "ann", 1001, machines[_i].isolated, &problem);
    rootless_directory_remove(root, &ignored);
    ck_assert_int_eq(code, machines[_i].message ? MEMORIES_UNSUPPORTED : 0);
    if (!machines[_i].message)
        return;
    ck_assert_msg(strstr(problem.message, machines[_i].message), "%s", problem.message);
    ck_assert_msg(strstr(problem.cause, machines[_i].cause), "%s", problem.cause);
    ck_assert_msg(strstr(problem.hint, machines[_i].hint), "%s", problem.hint);
    ck_assert_msg(!machines[_i].isolated || !strstr(problem.hint, "process"), "%s", problem.hint);
}
END_TEST

/* ---- which ports are relayed ---- */

static const struct {
    const char *firewall, *ports, *relayed;
} relayed_ports[] = {
    { "null", "[2379,2380]", "[2379,2380]" },
    { "{'rules':[]}", "[2379,2380]", "[]" },
    { "{'rules':[{'protocol':'tcp','ports':['2379'],'source_ranges':['0.0.0.0/0']},"
      "{'protocol':'tcp','ports':['2380'],'source_ranges':['network']}]}",
      "[2379,2380]", "[2379]" },
    { "{'rules':[{'protocol':'tcp','ports':['80','80-82']}]}", "[80]", "[80,81,82]" },
    { "{'rules':[{'protocol':'all','ports':[],'source_ranges':['::/0']}]}", "[7,9]", "[7,9]" },
    { "{'rules':[{'protocol':'udp','ports':['53']},{'protocol':'icmp','ports':[]}]}", "[53]", "[]" },
    { "{'rules':[{'protocol':'tcp','ports':['1024-65535']}]}", "[80,8000]", "[8000]" },
    { "{'rules':[{'protocol':'tcp','ports':['80'],'source_ranges':['10.0.0.0/8','192.168.1.1']}]}", "[80]", "[]" },
};

START_TEST(open_ports_are_relayed)
{
    AUTO_FREE char *text = quoted(relayed_ports[_i].firewall);
    AUTO_JSON json_object *firewall = json_tokener_parse(text);
    AUTO_JSON json_object *ports = json_tokener_parse(relayed_ports[_i].ports);
    AUTO_JSON json_object *relayed = relay_ports(firewall, ports);
    ck_assert_str_eq(json_object_to_json_string_ext(relayed, JSON_C_TO_STRING_PLAIN), relayed_ports[_i].relayed);
}
END_TEST

/* ---- the relay ---- */

/* As large as no socket's buffers are, so that one side must wait for the other. */
#define BYTES ((size_t)16 << 20)
#define PORT 8000
#define CLOSED_PORT 8001

/* 127.0.0.1 is the node, 127.0.0.2 the machine's address that stands for it. */
static const struct relayed_node node = { "node1", 0x7f000001, 0x7f000002 };

static pid_t fork_helper(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (!pid)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static int listen_at(const char *address)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = inet_addr(address) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(fd >= 0 && !bind(fd, (struct sockaddr *)&name, sizeof name) && !listen(fd, 8));
    return fd;
}

/* Reads all that comes, then sends it back. */
static void serve_echoes(int server)
{
    for (;;) {
        AUTO_FD int fd = accept(server, NULL, NULL);
        AUTO_FREE char *bytes = malloc(BYTES + 1);
        size_t length = 0;
        for (ssize_t got; (got = recv(fd, bytes + length, BYTES + 1 - length, 0)) > 0;)
            length += (size_t)got;
        for (size_t sent = 0; sent < length;) {
            ssize_t one = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);
            if (one <= 0)
                break;
            sent += (size_t)one;
        }
    }
}

static int call_node(uint16_t port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(node.access) };
    struct timeval limit = { .tv_sec = 20 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (!connect(fd, (struct sockaddr *)&name, sizeof name))
        return fd;
    close(fd);
    return -1;
}

static void send_all(int fd, const char *bytes, size_t count)
{
    for (size_t sent = 0; sent < count;) {
        ssize_t one = send(fd, bytes + sent, count - sent, MSG_NOSIGNAL);
        ck_assert_int_gt(one, 0);
        sent += (size_t)one;
    }
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
}

static bool echoes(size_t count)
{
    AUTO_FD int fd = call_node(PORT);
    AUTO_FREE char *sent = malloc(count + 1), *received = malloc(count + 1);
    if (fd < 0)
        return false;
    for (size_t i = 0; i < count; i++)
        sent[i] = (char)(i * 2654435761u >> 13);
    send_all(fd, sent, count);
    size_t length = 0;
    for (ssize_t got; (got = recv(fd, received + length, count + 1 - length, 0)) > 0;)
        length += (size_t)got;
    return length == count && !memcmp(sent, received, count);
}

static void set_ports(const char *directory, const char *list)
{
    AUTO_JSON json_object *ports = json_tokener_parse(list);
    struct problem problem = { 0 };
    ck_assert_msg(!relays_set(directory, &node, ports, &problem), "%s: %s", problem.message, problem.cause);
}

static void start_relay(const char *directory)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/relay.sock", directory);
    int server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert(!bind(server, (struct sockaddr *)&address, sizeof address) && !listen(server, 8));
    if (!fork_helper())
        _exit(relay_run(server) ? 1 : 0);
    close(server);
}

/* A network of this test's own; false where even that can't be had. */
static bool enter_network(void)
{
    return !unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET) &&
           !system("ip link set lo up && ip addr add " RELAY_ADDRESS "/32 dev lo");
}

START_TEST(the_relay_passes_everything_on)
{
    if (!enter_network()) {
        fprintf(stderr, "skipped: no network namespace for the relay\n");
        return;
    }
    const char *directory = new_directory();
    int server = listen_at("127.0.0.1");
    if (!fork_helper())
        serve_echoes(server);
    close(server);
    start_relay(directory);

    ck_assert_int_lt(call_node(PORT), 0);
    set_ports(directory, "[8000, 8001]");
    ck_assert(echoes(0) && echoes(1) && echoes(BYTES) && echoes(100000));

    /* Nobody listens there: what the node says is passed on as well. */
    AUTO_FD int refused = call_node(CLOSED_PORT);
    char byte;
    ck_assert_int_ge(refused, 0);
    ck_assert_int_lt(recv(refused, &byte, 1, 0), 0);
    ck_assert_int_eq(errno, ECONNRESET);

    /* A caller who goes away in the middle does not disturb the others. */
    int gone = call_node(PORT);
    ck_assert_int_eq(send(gone, "x", 1, 0), 1);
    close(gone);
    ck_assert(echoes(1000));

    set_ports(directory, "[8001]");
    ck_assert_int_lt(call_node(PORT), 0);
    set_ports(directory, "[8000]");
    ck_assert(echoes(1000));
    ck_assert_int_lt(call_node(CLOSED_PORT), 0);
    set_ports(directory, "[]");
    ck_assert_int_lt(call_node(PORT), 0);

    /* Somebody else has the address. */
    AUTO_FD int other = listen_at("127.0.0.2");
    AUTO_JSON json_object *ports = json_tokener_parse("[8000]");
    struct problem problem = { 0 }, ignored;
    ck_assert_int_ge(other, 0);
    ck_assert_int_ne(relays_set(directory, &node, ports, &problem), 0);
    ck_assert_str_eq(problem.message, "can't listen on 127.0.0.2:8000, by which node1 is reached");
    rootless_directory_remove(directory, &ignored);
}
END_TEST

START_TEST(without_a_holder_nothing_is_relayed)
{
    AUTO_JSON json_object *ports = json_tokener_parse("[8000]");
    struct problem problem = { 0 };
    ck_assert_int_ne(relays_set("/nonexistent", &node, ports, &problem), 0);
    ck_assert_msg(strstr(problem.message, "holder"), "%s", problem.message);
}
END_TEST

int main(int argc, char **argv)
{
    local_fixture_helper(argc, argv);
    Suite *suite = suite_create("local rootless");
    TCase *tests = tcase_create("rootless");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, ranges_of_ids_are_found, 0, (int)ARRAY_COUNT(ranges));
    tcase_add_test(tests, a_user_without_a_name_has_ranges_by_number);
    tcase_add_loop_test(tests, what_a_machine_lacks_is_told_with_the_ways_out, 0, (int)ARRAY_COUNT(machines));
    tcase_add_loop_test(tests, open_ports_are_relayed, 0, (int)ARRAY_COUNT(relayed_ports));
    tcase_add_test(tests, the_relay_passes_everything_on);
    tcase_add_test(tests, without_a_holder_nothing_is_relayed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
