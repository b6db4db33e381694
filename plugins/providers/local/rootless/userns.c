/*
 * userns.c - making a user namespace in which an ordinary user is root
 *
 * The kernel lets a user map one id, his own; newuidmap(1) and newgidmap(1), which are set-user-id, add those that
 * /etc/subuid and /etc/subgid grant him. They want the process from outside, hence the parent.
 */
#include "plugins/providers/local/rootless/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/search_path.h"
#include "plugins/providers/local/rootless/subid.h"

extern char **environ;

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* `program` PID 0 OWN 1 1 START 65536 */
static int32_t map_ids(const char *program, const char *path, pid_t pid, uint32_t own, struct node_error *error)
{
    struct subid_range range;
    const struct passwd *user = getpwuid(getuid());
    if (!subid_read(path, user ? user->pw_name : NULL, getuid(), &range) || range.count < SUBID_COUNT)
        return node_fail(error, MEMORIES_UNSUPPORTED, "%s has no range of %d ids for this user", path, SUBID_COUNT);
    char numbers[3][16];
    snprintf(numbers[0], sizeof numbers[0], "%d", pid);
    snprintf(numbers[1], sizeof numbers[1], "%" PRIu32, own);
    snprintf(numbers[2], sizeof numbers[2], "%" PRIu32, range.start);
    char *const arguments[] = { (char *)program, numbers[0], (char *)"0",     numbers[1], (char *)"1",
                                (char *)"1",     numbers[2], (char *)"65536", NULL };
    pid_t mapper;
    int number = posix_spawnp(&mapper, program, NULL, NULL, arguments, environ);
    if (number)
        return node_fail_errno(error, number, "can't run %s", program);
    if (wait_for(mapper))
        return node_fail(error, MEMORIES_UNSUPPORTED, "%s could not map this user's ids", program);
    return MEMORIES_OK;
}

/* The child tells its errno by the first pipe, 0 for success. */
static int unshare_and_wait(int told, int go)
{
    char byte;
    int number = unshare(CLONE_NEWUSER) ? errno : 0;
    if (write(told, &number, sizeof number) != (ssize_t)sizeof number || number)
        return -1;
    close(told);
    ssize_t got = read(go, &byte, 1);
    close(go);
    /* The user is 0 in here already: his own id is mapped to it. His other groups have no number. */
    return got == 1 && !setgroups(0, NULL) ? 0 : -1;
}

static int32_t map_child(pid_t pid, int told, struct node_error *error)
{
    int number = 0;
    if (read(told, &number, sizeof number) != (ssize_t)sizeof number)
        return node_fail(error, MEMORIES_FAILED, "the process for the user namespace has died");
    if (number)
        return node_fail_errno(error, number, "can't make a user namespace");
    int32_t failed = map_ids("newuidmap", "/etc/subuid", pid, getuid(), error);
    return failed ? failed : map_ids("newgidmap", "/etc/subgid", pid, getgid(), error);
}

pid_t userns_fork(int *go, struct node_error *error)
{
    int told[2], released[2];
    if (pipe2(told, O_CLOEXEC) || pipe2(released, O_CLOEXEC)) {
        node_fail_errno(error, errno, "can't make a pipe");
        return -1;
    }
    pid_t pid = fork();
    if (!pid) {
        close(told[0]);
        close(released[1]);
        if (unshare_and_wait(told[1], released[0]))
            _exit(1);
        return 0;
    }
    close(told[1]);
    close(released[0]);
    if (pid < 0)
        node_fail_errno(error, errno, "can't fork");
    else if (map_child(pid, told[0], error)) {
        close(released[1]); /* which ends the child */
        wait_for(pid);
        pid = -1;
    }
    close(told[0]);
    if (pid > 0)
        *go = released[1];
    return pid;
}

int userns_release(int go)
{
    ssize_t written = write(go, "", 1);
    close(go);
    return written == 1 ? 0 : -1;
}
