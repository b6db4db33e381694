/*
 * process.h - a process that is not this one's child, held so that its number can't come to mean another
 *
 * By a pidfd; where there are none (valgrind does not know them), by number and start time, asked for again and again.
 */
#ifndef LOCAL_NODE_PROCESS_H
#define LOCAL_NODE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid; /* 0: none is held */
    uint64_t start_time;
    int pidfd; /* -1: held by its start time */
};

#define PROCESS_NONE \
    {                \
        0, 0, -1     \
    }

/* When process `pid` began, as /proc/PID/stat says; 0 when there is none, or it has ended and was not waited for yet.
 */
uint64_t process_start_time(pid_t pid);

/* Holds process `pid` if it began at `start_time`; 0: whenever. False, and none is held, when there is no such process.
 */
bool process_hold(struct process *process, pid_t pid, uint64_t start_time);
void process_release(struct process *process);

/* 0, or -1 with errno: ESRCH when it has ended. */
int process_kill(const struct process *process, int signal_number);
/* True when it has ended by the deadline (node_monotonic_ms). */
bool process_wait(const struct process *process, int64_t deadline_ms);

#endif
