/*
 * node_client.h - starting, stopping and asking the supervisor of a local node
 *
 * A local node is a directory. Its supervisor is one `memories-node` process, which outlives whoever started it and
 * keeps the node's services running:
 *
 *     DIRECTORY/            0700, made by the provider, as are the four directories below
 *         node.json         0600, what to run; written by the provider before each start (docs/node.md)
 *         config/           files of the bootstrap, keys among them; written by the provider
 *         data/             HOME and working directory of the services
 *         log/              SERVICE.log, SERVICE.log.1 …; commands.log; supervisor.log
 *         run/              commands-done, once those have succeeded; files that are mounted over /etc
 *         lock              locked as long as the supervisor lives; says what there is to sweep
 *         control.sock      the supervisor's control socket
 *         metrics           samples; metrics.1 holds older ones
 *         machine/          of a machine: what it writes over its root file system
 *
 * The lock is the truth: a node runs exactly as long as its lock is held, whatever other files say. Nothing here keeps
 * state between calls, and all functions may be called from any thread and any process, for the same node too. They
 * wait for conditions (a pipe, a pidfd, a socket), never for a fixed time.
 *
 * The functions that end in _all do one thing to many nodes at once; the time they take is that of the slowest node.
 * Paths may be of any length, longer than a socket address too.
 */
#ifndef LOCAL_NODE_CLIENT_H
#define LOCAL_NODE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memories/plugin.h>

/* Where a node that is a machine has its root file system, in the mounts of its supervisor. */
#define NODE_MACHINE_ROOT "/run/machine"
/* In the log directory: what a machine's bootstrap says at this boot. */
#define NODE_BOOT_LOG "bootstrap.log"

/* Why something failed, ready for struct memories_error_detail. Unknown text is "". */
struct node_error {
    int32_t code;       /* one of the MEMORIES_* return codes */
    char message[1024]; /* what failed: one sentence, no final dot; names the node's directory or file */
    char cause[1024];   /* the system's own words, or the end of a command's output */
    char hint[256];     /* what to do next */
};

/* One node of a batch. */
struct node_job {
    const char *directory;   /* in */
    int32_t result;          /* out: MEMORIES_OK or error.code */
    struct node_error error; /* out, when result is not MEMORIES_OK */
};

/*
 * Starts the node's supervisor: `program` is the path of memories-node. A running node is left alone: that is success.
 * One that is just stopping is waited for and started again. What an earlier supervisor may have left is swept first.
 *
 * Returns MEMORIES_OK when the supervisor holds the lock, has set up cgroup and namespaces, answers on its control
 * socket and has started every service that has no start delay. While bootstrap commands are still to run, it does not
 * wait for them: the node is up and node_status tells "commands": "running", then "done" or "failed". Otherwise nothing
 * of the node runs, and `error` says which step failed and why: a program that is not in the search path, a missing
 * network namespace, a bad node.json …
 *
 * The supervisor's search path for services is: $MEMORIES_LIBEXEC_DIR (else the installed one), the absolute elements
 * of the caller's PATH, /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin. Nothing else of the caller's
 * environment reaches it.
 */
int32_t node_start(const char *directory, const char *program, struct node_error *error);
/* The same for many; returns how many failed. */
size_t node_start_all(struct node_job *nodes, size_t count, const char *program);

/*
 * Stops the node: SIGTERM to each service, SIGKILL after its stop_timeout_ms, then everything that they left; the
 * supervisor ends last, and node_sweep's work is done. When all that takes longer than timeout_ms, the supervisor is
 * killed too. A node that does not run is success. Afterwards the node's directory may be removed, or the node started
 * again.
 */
int32_t node_stop(const char *directory, uint32_t timeout_ms, struct node_error *error);
size_t node_stop_all(struct node_job *nodes, size_t count, uint32_t timeout_ms);

/*
 * Removes what a supervisor that was killed, or a reboot, may have left: processes that carry the node's mark in their
 * environment or sit in its cgroup, and the cgroup in every hierarchy (parents too, once they are empty). The files in
 * the directory stay, but for the control socket. Returns MEMORIES_BUSY when the node runs. node.json may be missing
 * or damaged: then processes are found by their mark alone.
 */
int32_t node_sweep(const char *directory, struct node_error *error);
size_t node_sweep_all(struct node_job *nodes, size_t count);

/* True while a supervisor holds the node's lock. Tests without taking it, so that it never disturbs a start. */
bool node_is_running(const char *directory);

/*
 * What the supervisor says about itself, or NULL with the reason in `error`: MEMORIES_NOT_FOUND when the node does not
 * run, MEMORIES_TRANSIENT while it is just starting or stopping, MEMORIES_TIMEOUT. The text is the caller's (free):
 *
 *     {"version": 1, "deployment": "…", "key": "node/node1", "name": "node1", "token": "…", "generation": 1,
 *      "isolation": "process", "pid": 1234, "started_at_ms": 1767225600000, "stopping": false,
 *      "commands": "none" | "running" | "done" | "failed",
 *      "commands_error": null | "mkdir -p /x: exit 1",
 *      "services": [{"name": "etcd", "state": "running", "pid": 1240, "restarts": 0, "exit": null}],
 *      "notes": ["no cgroup: can't make /sys/fs/cgroup/cpu/memories: Permission denied"]}
 *
 * pid: the supervisor's, as the caller sees it. A service's pid is as the node sees it (its own numbering in namespace
 * isolation); null when it does not run. A service's state:
 *     waiting  for its start delay, for the commands, or for the next try after it ended (exit says how)
 *     running
 *     exited   ended well, and its policy is not to start it again
 *     failed   ended badly, and its policy is not to start it again
 * restarts counts starts after the first one. exit: how it ended last: "exit 1", "signal 9", "can't execute /x: …".
 * notes: what was asked for and isn't possible here.
 */
char *node_status(const char *directory, uint32_t timeout_ms, struct node_error *error);

/*
 * One measurement. Counters count from the start of the run; a value that can't be measured is -1. Rates may only be
 * taken between samples of the same run.
 */
struct node_sample {
    int64_t time_ms; /* since 1970 */
    int64_t run_ms;  /* when this run of the supervisor began: names the run */
    int64_t cpu_ns;  /* processor time used by all of the node's processes */
    int64_t memory_bytes;
    int64_t disk_read_bytes;
    int64_t disk_write_bytes;
    int64_t network_receive_bytes;
    int64_t network_send_bytes;
};

/* Non-zero ends the reading. */
typedef int node_sample_fn(void *context, const struct node_sample *sample);

/*
 * Calls `each` for every sample with start_ms <= time_ms < end_ms, oldest first. The first sample of a run stands at
 * its start, then one each metrics_interval_ms. A node without any samples is success. Works for stopped nodes.
 */
int32_t node_metrics_read(const char *directory, int64_t start_ms, int64_t end_ms, node_sample_fn *each, void *context,
                          struct node_error *error);

#endif
