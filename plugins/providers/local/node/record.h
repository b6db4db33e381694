/*
 * record.h - a node's lock file: who runs the node, who changes it, and what must be swept
 *
 * The locks are open file description locks on single bytes of DIRECTORY/lock: they follow the descriptor across fork,
 * end with its last copy, and can be tested without being taken. The content is one line, "PID START_TIME CGROUP": the
 * supervisor as the host sees it, and the cgroup that it uses ("-": none). "0 0 CGROUP" after a clean end: no process
 * can be left, only the cgroup itself. Empty: nothing is left.
 */
#ifndef LOCAL_NODE_RECORD_H
#define LOCAL_NODE_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugins/providers/local/node/process.h"

#define NODE_CGROUP_LENGTH_MAX 1000

enum node_lock_byte {
    NODE_LOCK_ALIVE = 0,  /* held by the supervisor as long as it lives */
    NODE_LOCK_CHANGE = 1, /* held by whoever starts, stops or sweeps the node, until that is done or told */
};

struct node_record {
    pid_t pid;
    uint64_t start_time; /* of /proc/PID/stat: tells a process from a later one with its number */
    char cgroup[NODE_CGROUP_LENGTH_MAX + 1];
};

/* The lock file of the node in `directory`, made when missing; -1 with errno. */
int node_lock_open(int directory);
/* 0, or -1 with errno: EAGAIN when another holds it and `wait` is false. */
int node_lock_take(int fd, enum node_lock_byte byte, bool wait);
bool node_lock_held(int fd, enum node_lock_byte byte);

/* True when there is a record. */
bool node_record_read(int fd, struct node_record *record);
int node_record_write(int fd, const struct node_record *record);
int node_record_clear(int fd);

/* Holds the record's process; false when it has ended. */
bool node_record_hold(const struct node_record *record, struct process *process);

#endif
