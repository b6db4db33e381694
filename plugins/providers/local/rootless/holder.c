/* holder.c - finding the process that keeps a deployment's namespaces, see holder.h */
#include "plugins/providers/local/rootless/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/process.h"
#include "plugins/providers/local/node/record.h"

/* The lock is the truth: a record alone may be of before the machine's last start. */
static bool hold_holder(const char *directory, struct process *holder)
{
    AUTO_FD int opened = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int lock = opened < 0 ? -1 : openat(opened, NODE_LOCK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct node_record record;
    return lock >= 0 && node_lock_held(lock, NODE_LOCK_ALIVE) && node_record_read(lock, &record) &&
           node_record_hold(&record, holder);
}

pid_t holder_pid(const char *directory)
{
    struct process holder;
    if (!hold_holder(directory, &holder))
        return 0;
    pid_t pid = holder.pid;
    process_release(&holder);
    return pid;
}

/* Through /proc, because a socket address has room for 107 bytes and the directory's path may need more. */
int holder_connect(const char *directory)
{
    AUTO_FD int opened = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int fd = opened < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" HOLDER_SOCKET_FILE, opened);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        return -1;
    int connected = fd;
    fd = -1;
    return connected;
}

int32_t holder_enter(const char *directory, struct node_error *error)
{
    struct process holder;
    AUTO_FREE char *here = getcwd(NULL, 0);
    if (!hold_holder(directory, &holder)) {
        node_fail(error, MEMORIES_NOT_FOUND, "the deployment's network is gone: no process holds its namespaces");
        node_cause(error, "%s/" NODE_LOCK_FILE " is free", directory);
        node_hint(error, "memories start makes the network again");
        return error->code;
    }
    int failed = setns(holder.pidfd, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET);
    int number = errno;
    process_release(&holder);
    if (failed)
        return node_fail_errno(error, number, "can't enter the namespaces of the deployment's network");
    /* The user's other groups have no number in here. */
    if (setgroups(0, NULL) || (here && chdir(here)))
        return node_fail_errno(error, errno, "can't work in the namespaces of the deployment's network");
    return MEMORIES_OK;
}
