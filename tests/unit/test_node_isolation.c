/* test_node_isolation.c - a local node in cgroups and namespaces of its own, and that nothing of them stays; needs root
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/node_fixture.h"

/* A cgroup path that no other test uses. */
static const char *own_cgroup(void)
{
    static char path[64];
    snprintf(path, sizeof path, "memories-test-%d/deployment/n", getpid());
    return path;
}

static int found_cgroups;
static char wanted_cgroup[64];

static int look_at(const char *path, const struct stat *info, int type, struct FTW *where)
{
    found_cgroups += type == FTW_D && !strcmp(path + where->base, wanted_cgroup);
    return 0;
}

/* In how many hierarchies the first part of own_cgroup exists. */
static int count_cgroups(void)
{
    snprintf(wanted_cgroup, sizeof wanted_cgroup, "memories-test-%d", getpid());
    found_cgroups = 0;
    nftw("/sys/fs/cgroup", look_at, 32, FTW_PHYS);
    return found_cgroups;
}

/* A writable hierarchy is what the cgroup tests need; containers often have none. */
static bool has_cgroups(void)
{
    const char *node = node_make("probe", "'cgroup': '%s', 'bootstrap': {}", own_cgroup());
    node_must_start(node);
    bool has = count_cgroups() > 0;
    node_must_stop(node);
    if (!has)
        printf("skipped: cgroups can't be written here\n");
    return has;
}

/* A network namespace by name, which only this test's mount namespace knows. */
static void make_network(const char *name)
{
    char path[64];
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), 0);
    ck_assert_int_eq(mkdir("/run/netns", 0755), 0);
    snprintf(path, sizeof path, "/run/netns/%s", name);
    close(open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0644));
    pid_t child = fork();
    if (!child)
        _exit(unshare(CLONE_NEWNET) || mount("/proc/self/ns/net", path, "none", MS_BIND, NULL));
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

#define NAMESPACES "'isolation': 'namespace', 'network_namespace': 'own', 'hostname': 'node1', "
#define SHELL(script) "'bootstrap': {'services': [{'name': 's', 'command': ['sh', '-c', '" script "']}]}"

static void expect_line(const char *log, const char *line)
{
    char whole[4096];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    ck_assert_msg(strstr(log, whole), "no line \"%s\" in:\n%s", line, log);
}

static char *read_whole_log(const char *node)
{
    char *log = NULL;
    wait_until((free(log), log = read_below(node, "log/s.log"), strstr(log, "\nend\n")));
    return log;
}

START_TEST(a_node_in_namespaces_sees_itself_only)
{
    make_network("own");
    char *mounts = read_below("/proc/self", "mountinfo");
    const char *node =
        node_make("n", NAMESPACES "'hosts': {'node1': '10.88.0.11', 'node2': '10.88.0.12'}, " SHELL(
                           "echo; hostname; cat /etc/hostname; cat /proc/1/comm; ls /sys/class/net; cat /etc/hosts; "
                           "wc -c < /etc/resolv.conf; ls /run | wc -l; ls -d /proc/[0-9]* | wc -l; "
                           "echo ready > seen; echo end; exec sleep 1000"));
    node_must_start(node);
    char *log = read_whole_log(node);
    expect_line(log, "node1\nnode1\nmemories-node\nlo");
    expect_line(log, "10.88.0.11 node1\n10.88.0.12 node2\n0\n0");
    ck_assert(exists_below(node, "data/seen"));
    ck_assert_str_eq(service_member(node, 0, "pid"), "2");
    pid_t supervisor = supervisor_pid(node);
    ck_assert(process_lives(supervisor));
    char namespaces[64], there[128], here[128];
    static const char *const names[] = { "pid", "mnt", "uts", "ipc", "net" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(namespaces, sizeof namespaces, "/proc/%d/ns/%s", supervisor, names[i]);
        ssize_t length = readlink(namespaces, there, sizeof there - 1);
        ck_assert_int_gt(length, 0);
        there[length] = '\0';
        snprintf(namespaces, sizeof namespaces, "/proc/self/ns/%s", names[i]);
        here[readlink(namespaces, here, sizeof here - 1)] = '\0';
        ck_assert_str_ne(there, here);
    }
    node_must_stop(node);
    ck_assert(!process_lives(supervisor));
    char *after = read_below("/proc/self", "mountinfo");
    ck_assert_str_eq(after, mounts);
    free(after), free(mounts), free(log);
}
END_TEST

START_TEST(a_node_has_directories_of_its_own)
{
    make_network("own");
    ck_assert_int_eq(mount("tmpfs", "/srv", "tmpfs", 0, "mode=755"), 0);
    ck_assert(!mkdir("/srv/there", 0755) && !mkdir("/srv/there/machine", 0755));
    const char *node = node_make(
        "n", NAMESPACES "'bootstrap': {'private_directories': ['/srv/there', '/srv/missing', '/etc/memories-test'], "
                        "'services': [{'name': 's', 'command': ['sh', '-c', '"
                        "echo; ls /srv; ls /srv/there /srv/missing /etc/memories-test; "
                        "echo a > /srv/there/a; echo b > /srv/missing/b; echo c > /etc/memories-test/c; "
                        "echo end; exec sleep 1000']}]}");
    node_must_start(node);
    char *log = read_whole_log(node);
    ck_assert_str_eq(log, "\nmissing\nthere\n/etc/memories-test:\n\n/srv/missing:\n\n/srv/there:\nend\n");
    node_must_stop(node);
    ck_assert(access("/srv/there/a", F_OK) && access("/srv/missing", F_OK) && access("/etc/memories-test", F_OK));
    free(log);

    /* They are kept with the node. */
    write_below(node, "log/s.log", "");
    node_must_start(node);
    log = read_whole_log(node);
    ck_assert_msg(strstr(log, "/etc/memories-test:\nc\n\n/srv/missing:\nb\n\n/srv/there:\na\nend\n"), "%s", log);
    node_must_stop(node);
    free(log);
}
END_TEST

START_TEST(a_node_below_run_keeps_its_directory)
{
    make_network("own");
    rmdir(fixture_directory);
    free(fixture_directory);
    ck_assert_int_eq(mkdir("/run/nodes", 0700), 0);
    fixture_directory = strdup("/run/nodes");
    const char *node = node_make("n", NAMESPACES SHELL("echo x > here; echo; ls /run; echo end; exec sleep 1000"));
    node_must_start(node);
    char *log = read_whole_log(node);
    ck_assert_str_eq(log, "\nnodes\nend\n");
    ck_assert(exists_below(node, "data/here"));
    node_must_stop(node);
    free(log);
}
END_TEST

START_TEST(the_kernel_ends_a_node_whose_supervisor_is_killed)
{
    make_network("own");
    const char *node = node_make("n", NAMESPACES SHELL("env -i setsid sleep 4321 & echo $! > daemon; exec sleep 4321"));
    node_must_start(node);
    wait_until(pid_in(node, "data/daemon"));
    wait_until(count_marked(node) == 1);
    pid_t supervisor = supervisor_pid(node);
    kill(supervisor, SIGKILL);
    wait_until(!process_lives(supervisor));
    ck_assert_uint_eq(count_marked(node), 0);
    node_must_start(node);
    ck_assert_str_eq(service_member(node, 0, "state"), "running");
    wait_until(count_marked(node) == 1);
}
END_TEST

START_TEST(a_missing_network_is_told)
{
    const char *node = node_make("n",
                                 "'isolation': 'namespace', 'network_namespace': 'no-such-%d', "
                                 "'bootstrap': {}",
                                 getpid());
    struct node_error error = node_must_not_start(node);
    ck_assert_int_eq(error.code, MEMORIES_NOT_FOUND);
    ck_assert_msg(strstr(error.message, "can't enter the network namespace /run/netns/no-such-"), "%s", error.message);
}
END_TEST

static int take_last(void *context, const struct node_sample *sample)
{
    *(struct node_sample *)context = *sample;
    return 0;
}

/* In process isolation and in namespaces: the same cgroup, measured and removed. */
static const char *const isolations[] = { "process", "namespace" };

START_TEST(a_cgroup_is_made_measured_and_removed)
{
    if (!has_cgroups())
        return;
    const char *node = node_make("n",
                                 "'isolation': '%s', 'cgroup': '%s', 'metrics_interval_ms': 50, " SHELL(
                                     "%s burn 200; cat /proc/self/cgroup; echo; echo end; exec sleep 1000"),
                                 isolations[_i], own_cgroup(), own_program());
    ck_assert_int_eq(count_cgroups(), 0);
    node_must_start(node);
    ck_assert_int_gt(count_cgroups(), 0);
    char *log = read_whole_log(node);
    ck_assert_msg((strstr(log, own_cgroup()) != NULL) == (_i == 0), "%s", log);
    free(log);
    node_must_stop(node);
    ck_assert_int_eq(count_cgroups(), 0);
    struct node_sample last = { .time_ms = 0 };
    ck_assert_int_eq(node_metrics_read(node, 0, INT64_MAX, take_last, &last, NULL), MEMORIES_OK);
    ck_assert_int_ge(last.cpu_ns, 200000000);
    ck_assert_int_gt(last.memory_bytes, 0);
}
END_TEST

START_TEST(a_cgroup_finds_what_hides_its_environment)
{
    if (!has_cgroups())
        return;
    const char *node = node_make(
        "n", "'cgroup': '%s', " SHELL("env -i setsid sleep 1000 & echo $! > daemon; exec sleep 1000"), own_cgroup());
    node_must_start(node);
    wait_until(pid_in(node, "data/daemon"));
    pid_t daemon_pid = pid_in(node, "data/daemon");
    kill(supervisor_pid(node), SIGKILL);
    wait_until(!node_is_running(node));
    ck_assert(process_lives(daemon_pid));
    ck_assert_int_eq(node_sweep(node, NULL), MEMORIES_OK);
    ck_assert(!process_lives(daemon_pid));
    ck_assert_int_eq(count_cgroups(), 0);
}
END_TEST

START_TEST(a_start_that_fails_leaves_no_cgroup)
{
    if (!has_cgroups())
        return;
    node_must_not_start(node_make(
        "n", "'cgroup': '%s', 'bootstrap': {'services': [{'name': 's', 'command': ['/nowhere']}]}", own_cgroup()));
    ck_assert_int_eq(count_cgroups(), 0);
}
END_TEST

START_TEST(processors_are_limited)
{
    if (!has_cgroups() || sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return;
    const char *node = node_make("n",
                                 "'cgroup': '%s', 'vcpus': 1, " SHELL("for i in 1 2 3; do %s burn 200 & done; wait; "
                                                                      "echo > ended; exec sleep 1000"),
                                 own_cgroup(), own_program());
    node_must_start(node);
    int64_t begin = now_ms();
    wait_until(exists_below(node, "data/ended"));
    int64_t elapsed_ms = now_ms() - begin;
    node_must_stop(node);
    ck_assert_int_ge(elapsed_ms, 500); /* half of that, were there no limit */
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "burn"))
        return fixture_burn(argv[2]);
    if (geteuid())
        return node_fixture_skip("namespaces and cgroups need root");
    TCase *test_case = node_fixture_case("isolation", 60);
    tcase_add_test(test_case, a_node_in_namespaces_sees_itself_only);
    tcase_add_test(test_case, a_node_has_directories_of_its_own);
    tcase_add_test(test_case, a_node_below_run_keeps_its_directory);
    tcase_add_test(test_case, the_kernel_ends_a_node_whose_supervisor_is_killed);
    tcase_add_test(test_case, a_missing_network_is_told);
    tcase_add_loop_test(test_case, a_cgroup_is_made_measured_and_removed, 0, 2);
    tcase_add_test(test_case, a_cgroup_finds_what_hides_its_environment);
    tcase_add_test(test_case, a_start_that_fails_leaves_no_cgroup);
    tcase_add_test(test_case, processors_are_limited);
    Suite *suite = suite_create("node_isolation");
    suite_add_tcase(suite, test_case);
    return node_fixture_run(suite);
}
