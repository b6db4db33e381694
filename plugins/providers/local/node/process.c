/* process.c - a process that is not this one's child, held so that its number can't come to mean another */
#include "plugins/providers/local/node/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "plugins/providers/local/node/base.h"

uint64_t process_start_time(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    AUTO_FREE char *stat = node_read_file(AT_FDCWD, path, NULL);
    /* The second field is the name, in brackets, and may hold anything; the third is the state, the 22nd the time. */
    const char *field = stat ? strrchr(stat, ')') : NULL;
    if (!field || !field[1] || strchr("ZX", field[2]))
        return 0;
    for (int number = 2; field && number < 22; number++) {
        field = strchr(field, ' ');
        field += field ? 1 : 0;
    }
    return field ? strtoull(field, NULL, 10) : 0;
}

bool process_hold(struct process *process, pid_t pid, uint64_t start_time)
{
    *process = (struct process)PROCESS_NONE;
    if (pid <= 0)
        return false;
    int pidfd = pidfd_open(pid, 0);
    /* Only now compare: what has the wanted start time now was there already when the descriptor was made. */
    uint64_t found = process_start_time(pid);
    if (!found || (start_time && found != start_time) || (pidfd < 0 && errno != ENOSYS)) {
        if (pidfd >= 0)
            close(pidfd);
        return false;
    }
    *process = (struct process){ pid, found, pidfd };
    return true;
}

void process_release(struct process *process)
{
    if (process->pidfd >= 0)
        close(process->pidfd);
    *process = (struct process)PROCESS_NONE;
}

int process_kill(const struct process *process, int signal_number)
{
    if (process->pidfd >= 0)
        return pidfd_send_signal(process->pidfd, signal_number, NULL, 0);
    if (process_start_time(process->pid) == process->start_time)
        return kill(process->pid, signal_number);
    errno = ESRCH;
    return -1;
}

bool process_wait(const struct process *process, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - node_monotonic_ms();
        if (process->pidfd < 0 && process_start_time(process->pid) != process->start_time)
            return true;
        struct pollfd ended = { .fd = process->pidfd, .events = POLLIN };
        int timeout = left < 0 ? 0 : process->pidfd < 0 && left > 5 ? 5 : (int)left;
        int ready = poll(&ended, 1, timeout);
        if (ready > 0)
            return true;
        if (left <= 0 && ready == 0)
            return false;
    }
}
