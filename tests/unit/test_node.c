/* test_node.c - the life of a local node: start, restarts, logs, commands, stop, and what is left when it is killed */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/providers/local/node/record.h"
#include "tests/unit/node_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* One service that stays. */
#define SLEEPER "'bootstrap': {'services': [{'name': 's', 'command': ['sleep', '1000']}]}"
#define SHELL(script) "'bootstrap': {'services': [{'name': 's', 'command': ['sh', '-c', '" script "']}]}"

START_TEST(a_node_starts_and_stops)
{
    const char *node = node_make("n", SHELL("echo out; echo err >&2; exec sleep 1000"));
    ck_assert(!node_is_running(node));
    node_must_start(node);
    ck_assert(node_is_running(node));
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
    pid_t supervisor = supervisor_pid(node), service = service_pid(node, 0);
    ck_assert(process_lives(supervisor) && process_lives(service));
    ck_assert_int_eq(getsid(service), service);
    wait_until(exists_below(node, "log/s.log"));
    char *log = NULL;
    wait_until((free(log), log = read_below(node, "log/s.log"), strlen(log)) == 8);
    ck_assert_str_eq(log, "out\nerr\n");
    free(log);
    node_must_stop(node);
    ck_assert(!process_lives(supervisor) && !process_lives(service));
    ck_assert_uint_eq(count_marked(node), 0);
    ck_assert(!exists_below(node, "control.sock"));
    char *lock = read_below(node, "lock");
    ck_assert_str_eq(lock, "");
    free(lock);
    node_must_stop(node); /* what is stopped already is success */
}
END_TEST

START_TEST(a_node_that_never_was_is_stopped)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/nowhere", fixture_directory);
    ck_assert(!node_is_running(path));
    ck_assert_int_eq(node_stop(path, 1000, NULL), MEMORIES_OK);
    ck_assert_int_eq(node_sweep(path, NULL), MEMORIES_OK);
    struct node_error error;
    ck_assert_ptr_null(node_status(path, 1000, &error));
    ck_assert_int_eq(error.code, MEMORIES_NOT_FOUND);
}
END_TEST

START_TEST(services_get_a_clean_environment)
{
    setenv("SECRET_OF_THE_CALLER", "1", 1);
    setenv("MEMORIES_LIBEXEC_DIR", "/of/the/caller", 1);
    setenv("PATH", "relative:/usr/bin:/bin:/only/here", 1);
    const char *node =
        node_make("n", "'bootstrap': {'services': [{'name': 's', 'command': ['sh', '-c', "
                       "'pwd; umask; env; exec sleep 1000'], 'environment': {'B': 'a b=c', 'LANG': 'fr'}}]}");
    node_must_start(node);
    char *log = NULL;
    wait_until((free(log), log = read_below(node, "log/s.log"), strstr(log, "LANG=")));
    char expected[4096];
    snprintf(expected, sizeof expected, "%s/data\n0022\n", node);
    ck_assert_msg(!strncmp(log, expected, strlen(expected)), "%s", log);
    snprintf(expected, sizeof expected, "HOME=%s/data\n", node);
    ck_assert_ptr_nonnull(strstr(log, expected));
    ck_assert_ptr_nonnull(strstr(log, "\nB=a b=c\n"));
    ck_assert_ptr_nonnull(strstr(log, "LANG=fr\n"));
    ck_assert_ptr_nonnull(
        strstr(log, "PATH=/of/the/caller:/usr/bin:/bin:/only/here:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin\n"));
    ck_assert_ptr_null(strstr(log, "SECRET"));
    free(log);
}
END_TEST

START_TEST(a_second_start_changes_nothing)
{
    const char *node = node_make("n", SLEEPER);
    node_must_start(node);
    pid_t supervisor = supervisor_pid(node), service = service_pid(node, 0);
    node_must_start(node);
    ck_assert_int_eq(supervisor_pid(node), supervisor);
    ck_assert_int_eq(service_pid(node, 0), service);
}
END_TEST

static void *start_in_thread(void *node)
{
    return (void *)(intptr_t)node_start(node, fixture_program, NULL);
}

START_TEST(starts_at_once_make_one_supervisor)
{
    const char *node = node_make("n", SLEEPER);
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, start_in_thread, (void *)node), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result;
        pthread_join(threads[i], &result);
        ck_assert_ptr_null(result);
    }
    ck_assert_uint_eq(count_marked(node), 1);
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
}
END_TEST

static const struct {
    const char *policy, *script, *state, *exit;
    int restarts;
} policies[] = {
    { "always", "exit 0", "waiting", "exit 0", 1 },
    { "always", "exit 3", "waiting", "exit 3", 1 },
    { "on-failure", "exit 0", "exited", "exit 0", 0 },
    { "on-failure", "exit 3", "waiting", "exit 3", 1 },
    { "on-failure", "kill -9 $$", "waiting", "signal 9", 1 },
    { "never", "exit 0", "exited", "exit 0", 0 },
    { "never", "exit 3", "failed", "exit 3", 0 },
    { "never", "kill -15 $$", "failed", "signal 15", 0 },
};

START_TEST(policies_decide_about_restarts)
{
    const char *node = node_make("n",
                                 "'bootstrap': {'services': [{'name': 's', 'command': ['sh', '-c', '%s'], "
                                 "'restart': '%s'}]}",
                                 policies[_i].script, policies[_i].policy);
    node_must_start(node);
    wait_until(atoi(service_member(node, 0, "restarts")) >= policies[_i].restarts);
    wait_until(!strcmp(service_member(node, 0, "state"), policies[_i].state));
    ck_assert_str_eq(service_member(node, 0, "exit"), policies[_i].exit);
    if (!policies[_i].restarts)
        ck_assert_str_eq(service_member(node, 0, "restarts"), "0");
}
END_TEST

START_TEST(restarts_back_off)
{
    const char *node = node_make("n", SHELL("date +%%s%%3N; exit 1"));
    node_must_start(node);
    wait_until(atoi(service_member(node, 0, "restarts")) >= 4);
    char *log = NULL;
    long long times[5] = { 0 };
    wait_until((free(log), log = read_below(node, "log/s.log"),
                sscanf(log, "%lld %lld %lld %lld %lld", times, times + 1, times + 2, times + 3, times + 4) == 5));
    free(log);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(times[i + 1] - times[i] >= (100 << i) - 5, "restart %d came after %lld ms", i + 1,
                      times[i + 1] - times[i]);
}
END_TEST

START_TEST(a_killed_service_comes_back)
{
    const char *node = node_make("n", SLEEPER);
    node_must_start(node);
    pid_t first = service_pid(node, 0);
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    wait_until(!strcmp(service_member(node, 0, "restarts"), "1"));
    ck_assert_int_ne(service_pid(node, 0), first);
    ck_assert_str_eq(service_member(node, 0, "exit"), "signal 9");
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
}
END_TEST

START_TEST(what_a_service_leaves_in_its_group_ends_with_it)
{
    const char *node = node_make("n", SHELL("sleep 1000 & echo $! > child; wait"));
    node_must_start(node);
    wait_until(pid_in(node, "data/child"));
    pid_t child = pid_in(node, "data/child");
    kill(service_pid(node, 0), SIGKILL);
    wait_until(!process_lives(child));
}
END_TEST

static const struct {
    const char *command; /* %s: the node's directory */
    int code;
    const char *cause;
} unstartable[] = {
    { "no-such-program-anywhere", MEMORIES_NOT_FOUND, "No such file or directory" },
    { "/no/such/program", MEMORIES_NOT_FOUND, "No such file or directory" },
    { "/etc", MEMORIES_DENIED, "Permission denied" },
    { "/etc/passwd", MEMORIES_DENIED, "Permission denied" },
    { "%s/garbage", MEMORIES_FAILED, "Exec format error" },
};

START_TEST(a_service_that_cannot_be_executed_fails_the_start)
{
    char command[4096];
    snprintf(command, sizeof command, unstartable[_i].command[0] == '%' ? "%s/n/data/garbage" : "%s",
             unstartable[_i].command[0] == '%' ? fixture_directory : unstartable[_i].command);
    const char *node = node_make("n",
                                 "'bootstrap': {'services': [{'name': 'good', 'command': ['sleep', '1000']}, "
                                 "{'name': 'bad', 'command': ['%s']}]}",
                                 command);
    write_below(node, "data/garbage", "\x7f no program");
    char path[4200];
    snprintf(path, sizeof path, "%s/data/garbage", node);
    chmod(path, 0700);
    struct node_error error = node_must_not_start(node);
    ck_assert_int_eq(error.code, unstartable[_i].code);
    ck_assert_str_eq(error.cause, unstartable[_i].cause);
    ck_assert_msg(strstr(error.message, "service bad") && strstr(error.message, command), "%s", error.message);
    ck_assert_uint_eq(count_marked(node), 0);
}
END_TEST

START_TEST(a_missing_program_of_a_delayed_service_is_told_at_once)
{
    const char *node = node_make("n", "'bootstrap': {'services': [{'name': 's', 'command': ['no-such-program'], "
                                      "'start_delay_ms': 60000}]}");
    struct node_error error = node_must_not_start(node);
    ck_assert_ptr_nonnull(strstr(error.message, "the program no-such-program is not in "));
    ck_assert_str_ne(error.hint, "");
}
END_TEST

START_TEST(a_missing_memories_node_is_told)
{
    struct node_error error;
    if (!getenv("MEMORIES_UNDER_VALGRIND")) { /* whose posix_spawn does not tell */
        ck_assert_int_eq(node_start(node_make("n", SLEEPER), "/nowhere/memories-node", &error), MEMORIES_NOT_FOUND);
        ck_assert_str_eq(error.message, "can't run /nowhere/memories-node");
    }
    ck_assert_int_eq(node_start(node_make("m", SLEEPER), "/bin/false", &error), MEMORIES_FAILED);
    ck_assert_str_eq(error.cause, "exit 1");
}
END_TEST

/* Each is the wrong part of a node.json, and what the error says of it. */
static const struct {
    const char *members, *message;
} bad_definitions[] = {
    { "'x': 1", "bootstrap is not an object" },
    { "'version': 2, " SLEEPER, "version is not 1, the only one that this memories-node knows" },
    { "'isolation': 'vm', " SLEEPER, "isolation is not process, namespace or machine" },
    { "'isolation': 'machine', " SLEEPER, "machine is not an object" },
    { "'isolation': 'machine', 'machine': {'root': 'x'}, " SLEEPER, "machine.root is not an absolute path" },
    { "'holder': '/x', " SLEEPER, "holder is not an absolute path, with namespace isolation" },
    { "'isolation': 'namespace', 'holder': 'x', " SLEEPER, "holder is not an absolute path" },
    { "'bootstrap': {'private_directories': ['x']}", "bootstrap.private_directories is not a list of absolute paths" },
    { "'bootstrap': {'private_directories': ['/x/../y']}", "private_directories is not a list of absolute paths" },
    { "'network_namespace': 'x', " SLEEPER, "network_namespace is not a name in /run/netns, with namespace isolation" },
    { "'isolation': 'namespace', 'network_namespace': '../x', " SLEEPER,
      "network_namespace is not a name in /run/netns" },
    { "'cgroup': '/x', " SLEEPER, "cgroup is not a relative path" },
    { "'cgroup': 'a/../b', " SLEEPER, "cgroup is not a relative path" },
    { "'vcpus': -1, " SLEEPER, "vcpus is not a number from 0 to 4096" },
    { "'hosts': {'a': 1}, " SLEEPER, "hosts.a is not an address" },
    { "'bootstrap': {'services': {}}", "bootstrap.services is not a list" },
    { "'bootstrap': {'services': [{'command': ['x']}]}", "bootstrap.services[0].name is not a name of" },
    { "'bootstrap': {'services': [{'name': '../x', 'command': ['x']}]}",
      "bootstrap.services[0].name is not a name of" },
    { "'bootstrap': {'services': [{'name': 'commands', 'command': ['x']}]}",
      "bootstrap.services[0].name is not a name of" },
    { "'bootstrap': {'services': [{'name': 'x', 'command': []}]}",
      "bootstrap.services[0].command is not a program and its arguments" },
    { "'bootstrap': {'services': [{'name': 'x', 'command': ['x', 1]}]}",
      "bootstrap.services[0].command is not a list of texts" },
    { "'bootstrap': {'services': [{'name': 'x', 'command': ['x'], 'restart': 'often'}]}",
      "bootstrap.services[0].restart is not always, on-failure or never" },
    { "'bootstrap': {'services': [{'name': 'x', 'command': ['x'], 'environment': {'a=b': 'c'}}]}",
      "bootstrap.services[0].environment is not an object of variables and their texts" },
    { "'bootstrap': {'services': [{'name': 'x', 'command': ['x']}, {'name': 'x', 'command': ['x']}]}",
      "bootstrap.services[1].name is not different from the other services' names" },
    { "'bootstrap': {'commands': ['x']}", "bootstrap.commands[0] is not a program and its arguments" },
};

START_TEST(a_wrong_definition_is_refused)
{
    struct node_error error = node_must_not_start(node_make("n", "%s", bad_definitions[_i].members));
    ck_assert_int_eq(error.code, MEMORIES_INVALID);
    ck_assert_msg(strstr(error.message, bad_definitions[_i].message), "%s", error.message);
}
END_TEST

START_TEST(a_damaged_definition_is_refused)
{
    const char *node = node_make("n", SLEEPER);
    write_below(node, "node.json", "{\"version\": 1,");
    ck_assert_ptr_nonnull(strstr(node_must_not_start(node).message, "node.json is not a JSON object"));
    char path[4096];
    snprintf(path, sizeof path, "%s/node.json", node);
    chmod(path, 0622);
    ck_assert_int_eq(node_must_not_start(node).code, MEMORIES_DENIED);
    unlink(path);
    ck_assert_int_eq(node_must_not_start(node).code, MEMORIES_NOT_FOUND);
}
END_TEST

START_TEST(a_delay_holds_a_service_back_at_each_start)
{
    const char *node = node_make("n", "'bootstrap': {'services': [{'name': 'a', 'command': ['sleep', '1000']}, "
                                      "{'name': 'b', 'command': ['sleep', '1000'], 'start_delay_ms': 300}]}");
    for (int round = 0; round < 2; round++) {
        int64_t begin = now_ms();
        node_must_start(node);
        ck_assert_str_eq(service_member(node, 0, "state"), "running");
        if (now_ms() - begin < 250)
            ck_assert_str_eq(service_member(node, 1, "state"), "waiting");
        wait_until(!strcmp(service_member(node, 1, "state"), "running"));
        ck_assert_int_ge(now_ms() - begin, 295);
        node_must_stop(node);
    }
}
END_TEST

START_TEST(a_service_that_ignores_sigterm_is_killed)
{
    const char *node = node_make("n", "'bootstrap': {'services': [{'name': 's', 'stop_timeout_ms': 300, 'command': "
                                      "['sh', '-c', 'trap : TERM; echo ready; while :; do sleep 1000; done']}]}");
    node_must_start(node);
    char *log = NULL;
    wait_until((free(log), log = read_below(node, "log/s.log"), *log));
    free(log);
    pid_t service = service_pid(node, 0);
    int64_t begin = now_ms();
    node_must_stop(node);
    ck_assert_int_ge(now_ms() - begin, 295);
    ck_assert(!process_lives(service));
    ck_assert_uint_eq(count_marked(node), 0);
}
END_TEST

START_TEST(a_stop_ends_daemons_too)
{
    const char *node =
        node_make("n", SHELL("setsid sh -c \\\"setsid sleep 1000 & echo \\\\$! > daemon\\\" & sleep 1000"));
    node_must_start(node);
    wait_until(pid_in(node, "data/daemon"));
    pid_t daemon_pid = pid_in(node, "data/daemon");
    ck_assert(process_lives(daemon_pid));
    node_must_stop(node);
    ck_assert(!process_lives(daemon_pid));
}
END_TEST

START_TEST(a_supervisor_that_hangs_is_killed)
{
    const char *node = node_make("n", SLEEPER);
    node_must_start(node);
    pid_t supervisor = supervisor_pid(node), service = service_pid(node, 0);
    kill(supervisor, SIGSTOP);
    struct node_error error;
    ck_assert_ptr_null(node_status(node, 100, &error));
    ck_assert_int_eq(error.code, MEMORIES_TIMEOUT);
    ck_assert_int_eq(node_stop(node, 200, &error), MEMORIES_OK);
    ck_assert(!process_lives(supervisor) && !process_lives(service));
    node_must_start(node);
}
END_TEST

START_TEST(sigterm_stops_a_node)
{
    const char *node = node_make("n", SLEEPER);
    node_must_start(node);
    pid_t service = service_pid(node, 0);
    kill(supervisor_pid(node), SIGTERM);
    wait_until(!node_is_running(node));
    ck_assert(!process_lives(service));
}
END_TEST

START_TEST(a_start_waits_for_the_end_of_a_stop)
{
    const char *node = node_make("n", "'bootstrap': {'services': [{'name': 's', 'stop_timeout_ms': 300, 'command': "
                                      "['sh', '-c', 'trap : TERM; echo $$ > pid; while :; do sleep 1000; done']}]}");
    node_must_start(node);
    wait_until(pid_in(node, "data/pid"));
    pid_t supervisor = supervisor_pid(node), service = service_pid(node, 0);
    kill(supervisor, SIGTERM);
    node_must_start(node);
    ck_assert(!process_lives(supervisor) && !process_lives(service));
    ck_assert_int_ne(supervisor_pid(node), supervisor);
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
}
END_TEST

START_TEST(a_stop_works_without_the_socket)
{
    const char *node = node_make("n", SLEEPER);
    node_must_start(node);
    pid_t service = service_pid(node, 0);
    char path[4096];
    snprintf(path, sizeof path, "%s/control.sock", node);
    ck_assert_int_eq(unlink(path), 0);
    struct node_error error;
    ck_assert_ptr_null(node_status(node, 1000, &error));
    ck_assert_int_eq(error.code, MEMORIES_TRANSIENT);
    node_must_stop(node);
    ck_assert(!process_lives(service));
}
END_TEST

/* The lock file of a node, as a process that is not its supervisor opens it. */
static int open_lock(const char *node)
{
    int directory = open(node, O_PATH | O_CLOEXEC), lock = node_lock_open(directory);
    ck_assert_int_ge(lock, 0);
    close(directory);
    return lock;
}

/* A process that has the node and can't be reached: a launcher before its supervisor is recorded, or a supervisor that
 * has closed its socket and cleared its record. It ends when told. */
static pid_t hold_node(const char *node, bool is_starting, int *tell)
{
    int go[2], ready[2];
    char byte;
    ck_assert(!pipe2(go, O_CLOEXEC) && !pipe2(ready, O_CLOEXEC));
    pid_t holder = fork();
    ck_assert_int_ge(holder, 0);
    if (!holder) {
        close(go[1]);
        int alive = open_lock(node), change = open_lock(node);
        if (node_lock_take(alive, NODE_LOCK_ALIVE, false) ||
            (is_starting && node_lock_take(change, NODE_LOCK_CHANGE, false)) || write(ready[1], "", 1) != 1)
            _exit(1);
        _exit(read(go[0], &byte, 1) != 0);
    }
    close(go[0]);
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *tell = go[1];
    return holder;
}

/* A process and not a thread: valgrind stops all threads while one waits for such a lock. */
static pid_t stop_in_child(const char *node, int tell)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child)
        return child;
    close(tell);
    struct node_error error;
    int32_t failed = node_stop(node, 10000, &error);
    if (failed)
        fprintf(stderr, "%s: %s\n", error.message, error.cause);
    _exit(failed != MEMORIES_OK);
}

static bool has_ended(pid_t child)
{
    siginfo_t info = { .si_pid = 0 };
    return !waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == child;
}

START_TEST(a_stop_waits_for_who_can_not_be_reached_yet_or_any_more)
{
    const char *node = node_make("n", SLEEPER);
    write_below(node, "lock", "0 0 -\n");
    int tell, lock = open_lock(node);
    pid_t holder = hold_node(node, _i == 0, &tell);
    pid_t stopper = stop_in_child(node, tell);
    /* It is at work when it keeps others from changing the node. */
    wait_until(node_lock_held(lock, NODE_LOCK_CHANGE) || has_ended(stopper));
    close(tell);
    int status;
    ck_assert_int_eq(waitpid(stopper, &status, 0), stopper);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
    close(lock);
}
END_TEST

/* The service leaves a daemon of its own, in another session: no signal reaches that when the supervisor is killed. */
#define WITH_DAEMON SHELL("setsid sleep 1000 & echo $! > daemon; exec sleep 1000")

START_TEST(a_killed_supervisor_leaves_nothing_after_a_sweep)
{
    const char *node = node_make("n", WITH_DAEMON);
    node_must_start(node);
    wait_until(pid_in(node, "data/daemon"));
    pid_t service = service_pid(node, 0), daemon_pid = pid_in(node, "data/daemon");
    kill(supervisor_pid(node), SIGKILL);
    wait_until(!node_is_running(node));
    wait_until(!process_lives(service));
    ck_assert(process_lives(daemon_pid));
    ck_assert_int_eq(node_sweep(node, NULL), MEMORIES_OK);
    ck_assert(!process_lives(daemon_pid));
    ck_assert(!exists_below(node, "control.sock"));
}
END_TEST

START_TEST(a_killed_supervisor_is_replaced_by_a_start)
{
    const char *node = node_make("n", WITH_DAEMON);
    node_must_start(node);
    wait_until(pid_in(node, "data/daemon"));
    pid_t daemon_pid = pid_in(node, "data/daemon");
    kill(supervisor_pid(node), SIGKILL);
    node_must_start(node);
    ck_assert(!process_lives(daemon_pid));
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
}
END_TEST

START_TEST(a_running_node_is_not_swept)
{
    const char *node = node_make("n", SLEEPER);
    node_must_start(node);
    struct node_error error;
    ck_assert_int_eq(node_sweep(node, &error), MEMORIES_BUSY);
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
}
END_TEST

START_TEST(remains_of_another_boot_do_no_harm)
{
    const char *node = node_make("n", SLEEPER);
    char record[64];
    snprintf(record, sizeof record, "%d 1 -\n", getpid()); /* a number that means another process by now: this one */
    write_below(node, "lock", record);
    write_below(node, "control.sock", "");
    ck_assert(!node_is_running(node));
    node_must_start(node);
    node_must_stop(node);
    write_below(node, "lock", "garbage");
    node_must_start(node);
}
END_TEST

START_TEST(paths_may_be_long)
{
    char name[256];
    memset(name, 'x', sizeof name - 1);
    name[250] = '\0';
    const char *node = node_make(name, SLEEPER);
    node_must_start(node);
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
    node_must_stop(node);
}
END_TEST

START_TEST(logs_rotate_by_size)
{
    const char *node =
        node_make("n", "'log_bytes_max': 20000, 'log_files': 3, 'bootstrap': {'services': [{'name': 's', "
                       "'command': ['seq', '1', '40000'], 'restart': 'never'}]}");
    node_must_start(node);
    wait_until(!strcmp(service_member(node, 0, "state"), "exited"));
    char *pieces[3] = { NULL };
    wait_until((free(pieces[0]), pieces[0] = read_below(node, "log/s.log"), strstr(pieces[0], "\n40000\n")));
    pieces[1] = read_below(node, "log/s.log.1");
    pieces[2] = read_below(node, "log/s.log.2");
    ck_assert(!exists_below(node, "log/s.log.3"));
    int expected = 40000;
    for (size_t i = 0; i < COUNT(pieces); i++) {
        size_t length = strlen(pieces[i]);
        ck_assert_uint_gt(length, 0);
        ck_assert_uint_le(length, 20010);
        ck_assert_int_eq(pieces[i][length - 1], '\n');
        /* Backwards through the lines: none is cut, none is missing. */
        for (char *line; length; expected--) {
            pieces[i][length - 1] = '\0';
            line = strrchr(pieces[i], '\n');
            line = line ? line + 1 : pieces[i];
            ck_assert_int_eq(atoi(line), expected);
            length = (size_t)(line - pieces[i]);
        }
        free(pieces[i]);
    }
}
END_TEST

START_TEST(commands_run_once)
{
    const char *node = node_make("n", "'bootstrap': {'commands': [['sh', '-c', 'echo said; echo a >> made'], "
                                      "['sh', '-c', 'echo b >> made']], 'services': [{'name': 's', 'command': "
                                      "['sh', '-c', 'cp made copy; mv copy seen; exec sleep 1000']}]}");
    for (int round = 0; round < 2; round++) {
        node_must_start(node);
        wait_until(!strcmp(service_member(node, 0, "state"), "running"));
        json_object *status = status_of(node);
        ck_assert_str_eq(json_object_get_string(json_object_object_get(status, "commands")), "done");
        json_object_put(status);
        wait_until(exists_below(node, "data/seen"));
        node_must_stop(node);
    }
    char *made = read_below(node, "data/made"), *seen = read_below(node, "data/seen"),
         *log = read_below(node, "log/commands.log");
    ck_assert_str_eq(made, "a\nb\n");
    ck_assert_str_eq(seen, "a\nb\n");
    ck_assert_str_eq(log, "said\n");
    free(made), free(seen), free(log);
}
END_TEST

static bool commands_are(const char *node, const char *state)
{
    json_object *status = status_of(node);
    bool same = !strcmp(json_object_get_string(json_object_object_get(status, "commands")), state);
    json_object_put(status);
    return same;
}

START_TEST(a_failed_command_keeps_the_services_down)
{
    const char *node =
        node_make("n", "'bootstrap': {'commands': [['sh', '-c', 'echo why >&2; test -e fixed'], ['true']], "
                       "'services': [{'name': 's', 'command': ['sleep', '1000']}]}");
    node_must_start(node);
    wait_until(commands_are(node, "failed"));
    json_object *status = status_of(node);
    ck_assert_str_eq(json_object_get_string(json_object_object_get(status, "commands_error")),
                     "sh -c echo why >&2; test -e fixed: exit 1");
    json_object_put(status);
    ck_assert_str_eq(service_member(node, 0, "state"), "waiting");
    char *log = read_below(node, "log/commands.log");
    ck_assert_str_eq(log, "why\n");
    free(log);
    node_must_stop(node);
    write_below(node, "data/fixed", "");
    node_must_start(node);
    wait_until(commands_are(node, "done") && !strcmp(service_member(node, 0, "state"), "running"));
}
END_TEST

START_TEST(a_command_that_is_not_there_fails)
{
    const char *node = node_make("n", "'bootstrap': {'commands': [['no-such-program', 'x']], 'services': []}");
    node_must_start(node);
    wait_until(commands_are(node, "failed"));
    json_object *status = status_of(node);
    ck_assert_str_eq(json_object_get_string(json_object_object_get(status, "commands_error")),
                     "no-such-program x: No such file or directory");
    json_object_put(status);
}
END_TEST

START_TEST(a_long_command_holds_neither_start_nor_stop)
{
    const char *node = node_make("n", "'bootstrap': {'commands': [['sleep', '1000']], 'services': []}");
    node_must_start(node);
    ck_assert(commands_are(node, "running"));
    node_must_stop(node);
    ck_assert_uint_eq(count_marked(node), 0);
    ck_assert(!exists_below(node, "run/commands-done"));
}
END_TEST

static int connect_to(const char *node)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int directory = open(node, O_PATH | O_CLOEXEC), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control.sock", directory);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(directory);
    return fd;
}

static void expect_answer(int fd, const char *line, const char *answer)
{
    ck_assert_int_eq(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    char text[4096] = "";
    for (size_t length = 0; !strchr(text, '\n');) {
        ssize_t got = recv(fd, text + length, sizeof text - 1 - length, 0);
        ck_assert_int_gt(got, 0);
        length += (size_t)got;
    }
    ck_assert_msg(strstr(text, answer), "%s", text);
}

START_TEST(the_control_socket_bears_strange_clients)
{
    const char *node = node_make("n", SLEEPER);
    node_must_start(node);
    int fd = connect_to(node);
    expect_answer(fd, "no json\n", "{\"error\":");
    expect_answer(fd, "{\"command\": 7}\n", "{\"error\":");
    expect_answer(fd, "{\"command\": \"status\"}\n", "\"services\":");
    close(fd);
    char flood[8192];
    memset(flood, 'x', sizeof flood);
    fd = connect_to(node);
    send(fd, flood, sizeof flood, MSG_NOSIGNAL);
    ck_assert_int_le(recv(fd, flood, sizeof flood, 0), 0); /* hung up on */
    close(fd);
    int silent[40];
    for (size_t i = 0; i < COUNT(silent); i++)
        silent[i] = connect_to(node);
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
    for (size_t i = 0; i < COUNT(silent); i++)
        close(silent[i]);
    node_must_stop(node);
}
END_TEST

START_TEST(many_nodes_are_started_and_stopped_at_once)
{
    struct node_job jobs[100];
    char name[16];
    for (size_t i = 0; i < COUNT(jobs); i++) {
        snprintf(name, sizeof name, "n%zu", i);
        jobs[i] = (struct node_job){ .directory = node_make(name, "%s", i == 70 ? "'x': 1" : SLEEPER) };
    }
    ck_assert_uint_eq(node_start_all(jobs, COUNT(jobs), fixture_program), 1);
    ck_assert_int_eq(jobs[70].result, MEMORIES_INVALID);
    ck_assert_ptr_nonnull(strstr(jobs[70].error.message, "n70/node.json"));
    pid_t killed = supervisor_pid(jobs[3].directory);
    for (size_t i = 0; i < COUNT(jobs); i++)
        ck_assert(node_is_running(jobs[i].directory) == (i != 70));
    kill(killed, SIGKILL);
    wait_until(!process_lives(killed));
    ck_assert_uint_eq(node_sweep_all(jobs, COUNT(jobs)), COUNT(jobs) - 2);
    ck_assert_int_eq(jobs[3].result, MEMORIES_OK);
    ck_assert_int_eq(jobs[4].result, MEMORIES_BUSY);
    ck_assert_uint_eq(node_stop_all(jobs, COUNT(jobs), 10000), 0);
    for (size_t i = 0; i < COUNT(jobs); i++)
        ck_assert(!node_is_running(jobs[i].directory));
}
END_TEST

/* Needs a small file system of its own, mounted where nobody else sees it. */
START_TEST(a_full_disk_costs_lines_only)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/small", fixture_directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", path, "tmpfs", 0, "size=256k")) {
        printf("skipped: a_full_disk_costs_lines_only: needs root to mount a file system\n");
        return;
    }
    const char *node =
        node_make("small/n", "'metrics_interval_ms': 10, 'bootstrap': {'services': [{'name': 's', 'command': "
                             "['sh', '-c', 'yes | head -c 1000000; echo > done; exec sleep 1000']}]}");
    node_must_start(node);
    wait_until(exists_below(node, "data/done"));
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
    ck_assert_str_eq(service_member(node, 0, "restarts"), "0");
    node_must_stop(node);
    node_must_start(node);
    node_must_stop(node);
    umount2(path, MNT_DETACH);
}
END_TEST

int main(void)
{
    TCase *test_case = node_fixture_case("node", 60);
    tcase_add_test(test_case, a_node_starts_and_stops);
    tcase_add_test(test_case, a_node_that_never_was_is_stopped);
    tcase_add_test(test_case, services_get_a_clean_environment);
    tcase_add_test(test_case, a_second_start_changes_nothing);
    tcase_add_test(test_case, starts_at_once_make_one_supervisor);
    tcase_add_loop_test(test_case, policies_decide_about_restarts, 0, COUNT(policies));
    tcase_add_test(test_case, restarts_back_off);
    tcase_add_test(test_case, a_killed_service_comes_back);
    tcase_add_test(test_case, what_a_service_leaves_in_its_group_ends_with_it);
    tcase_add_loop_test(test_case, a_service_that_cannot_be_executed_fails_the_start, 0, COUNT(unstartable));
    tcase_add_test(test_case, a_missing_program_of_a_delayed_service_is_told_at_once);
    tcase_add_test(test_case, a_missing_memories_node_is_told);
    tcase_add_loop_test(test_case, a_wrong_definition_is_refused, 0, COUNT(bad_definitions));
    tcase_add_test(test_case, a_damaged_definition_is_refused);
    tcase_add_test(test_case, a_delay_holds_a_service_back_at_each_start);
    tcase_add_test(test_case, a_service_that_ignores_sigterm_is_killed);
    tcase_add_test(test_case, a_stop_ends_daemons_too);
    tcase_add_test(test_case, a_supervisor_that_hangs_is_killed);
    tcase_add_test(test_case, sigterm_stops_a_node);
    tcase_add_test(test_case, a_start_waits_for_the_end_of_a_stop);
    tcase_add_test(test_case, a_stop_works_without_the_socket);
    tcase_add_loop_test(test_case, a_stop_waits_for_who_can_not_be_reached_yet_or_any_more, 0, 2);
    tcase_add_test(test_case, a_killed_supervisor_leaves_nothing_after_a_sweep);
    tcase_add_test(test_case, a_killed_supervisor_is_replaced_by_a_start);
    tcase_add_test(test_case, a_running_node_is_not_swept);
    tcase_add_test(test_case, remains_of_another_boot_do_no_harm);
    tcase_add_test(test_case, paths_may_be_long);
    tcase_add_test(test_case, logs_rotate_by_size);
    tcase_add_test(test_case, commands_run_once);
    tcase_add_test(test_case, a_failed_command_keeps_the_services_down);
    tcase_add_test(test_case, a_command_that_is_not_there_fails);
    tcase_add_test(test_case, a_long_command_holds_neither_start_nor_stop);
    tcase_add_test(test_case, the_control_socket_bears_strange_clients);
    tcase_add_test(test_case, many_nodes_are_started_and_stopped_at_once);
    tcase_add_test(test_case, a_full_disk_costs_lines_only);
    Suite *suite = suite_create("node");
    suite_add_tcase(suite, test_case);
    return node_fixture_run(suite);
}
