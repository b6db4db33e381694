/*
 * main.c - memories-rootless: namespaces for those who are not root
 *
 *     memories-rootless hold DIRECTORY                    begins to hold a deployment's namespaces (holder.h)
 *     memories-rootless enter DIRECTORY PROGRAM [WORD…]   runs a program in them
 *     memories-rootless run PROGRAM [WORD…]               runs a program in namespaces that end with it
 *
 * What failed is said on standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/namespace.h"
#include "plugins/providers/local/node/record.h"
#include "plugins/providers/local/rootless/holder.h"
#include "plugins/providers/local/rootless/relay.h"
#include "plugins/providers/local/rootless/userns.h"

static int complain(const struct node_error *error)
{
    fprintf(stderr, "%s%s%s\n", error->message, *error->cause ? ": " : "", error->cause);
    return 1;
}

static int execute(char **arguments)
{
    execvp(arguments[0], arguments);
    fprintf(stderr, "can't execute %s: %s\n", arguments[0], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}

/* ---- hold ---- */

static int listen_in(int directory)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" HOLDER_SOCKET_FILE, directory);
    unlinkat(directory, HOLDER_SOCKET_FILE, 0);
    return fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, SOMAXCONN) ? -1 : fd;
}

/* The network namespace, and a /run of its own in which ip(8) keeps the names of those to come. */
static int32_t make_namespaces(const char *path, struct node_error *error)
{
    char deployment[PATH_MAX];
    snprintf(deployment, sizeof deployment, "%s", path);
    AUTO_FD int opened = open(dirname(deployment), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET | CLONE_NEWNS))
        return node_fail_errno(error, errno, "can't make a network and a mount namespace");
    if (mount("none", "/", "none", MS_REC | MS_SLAVE, NULL))
        return node_fail_errno(error, errno, "can't part the mounts from the machine's");
    return namespace_mount_run(opened, deployment, error);
}

/* No terminal, no one to write to, and nothing of the machine's that is in the way when it is unmounted. */
static void detach(void)
{
    if (chdir("/") || setsid() < 0)
        _exit(1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null >= 0)
        close(null);
}

/* Each relayed connection takes two descriptors. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The holder's whole life. */
static int hold(const char *path, int directory, int ready)
{
    struct node_error error;
    int server = listen_in(directory);
    if (server < 0) {
        node_fail_errno(&error, errno, "can't listen on %s/" HOLDER_SOCKET_FILE, path);
        return complain(&error);
    }
    if (make_namespaces(path, &error))
        return complain(&error);
    detach();
    allow_descriptors();
    if (write(ready, "", 1) != 1)
        return 1;
    close(ready);
    return relay_run(server) ? 1 : 0;
}

static int32_t write_record(int lock, pid_t pid, struct node_error *error)
{
    const struct node_record record = { .pid = pid, .start_time = process_start_time(pid) };
    return node_record_write(lock, &record) ? node_fail_errno(error, errno, "can't write the holder's record")
                                            : MEMORIES_OK;
}

static int start_holder(const char *path, int directory, int alive, int change)
{
    struct node_error error;
    int go, ready[2];
    if (pipe2(ready, O_CLOEXEC)) {
        node_fail_errno(&error, errno, "can't make a pipe");
        return complain(&error);
    }
    pid_t pid = userns_fork(&go, &error);
    if (pid < 0)
        return complain(&error);
    if (!pid) {
        close(ready[0]);
        close(change); /* the launcher's alone */
        _exit(hold(path, directory, ready[1]));
    }
    close(ready[1]);
    char byte;
    /* Without the record nobody could find it. */
    if (write_record(alive, pid, &error)) {
        close(go);
        waitpid(pid, NULL, 0);
        return complain(&error);
    }
    if (!userns_release(go) && read(ready[0], &byte, 1) == 1)
        return 0;
    waitpid(pid, NULL, 0);
    return 1; /* it has said why */
}

static int command_hold(char **arguments)
{
    struct node_error error;
    AUTO_FREE char *path = realpath(arguments[0], NULL);
    AUTO_FD int directory = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    AUTO_FD int alive = directory < 0 ? -1 : node_lock_open(directory);
    AUTO_FD int change = alive < 0 ? -1 : node_lock_open(directory);
    if (change < 0 || node_lock_take(change, NODE_LOCK_CHANGE, true)) {
        node_fail_errno(&error, errno, "can't lock %s/" NODE_LOCK_FILE, arguments[0]);
        return complain(&error);
    }
    if (node_lock_take(alive, NODE_LOCK_ALIVE, false))
        return 0; /* held already */
    return start_holder(path, directory, alive, change);
}

/* ---- enter, run ---- */

static int command_enter(char **arguments)
{
    struct node_error error;
    return holder_enter(arguments[0], &error) ? complain(&error) : execute(arguments + 1);
}

static int command_run(char **arguments)
{
    struct node_error error;
    int go, status = 0;
    pid_t pid = userns_fork(&go, &error);
    if (pid < 0)
        return complain(&error);
    if (!pid && unshare(CLONE_NEWNET | CLONE_NEWNS)) {
        node_fail_errno(&error, errno, "can't make a network and a mount namespace");
        _exit(complain(&error));
    }
    if (!pid)
        _exit(execute(arguments));
    userns_release(go);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
        int (*run)(char **arguments);
    } commands[] = { { "hold", 1, command_hold }, { "enter", 2, command_enter }, { "run", 1, command_run } };
    umask(077);
    signal(SIGCHLD, SIG_DFL);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (argc >= 2 + commands[i].words && !strcmp(argv[1], commands[i].name))
            return commands[i].run(argv + 2);
    fprintf(stderr,
            "usage: memories-rootless hold DIRECTORY | enter DIRECTORY PROGRAM [WORD...] | run PROGRAM [WORD...]\n"
            "Keeps the namespaces of a local deployment; `memories` runs it where it is not root.\n");
    return 2;
}
