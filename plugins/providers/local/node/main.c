/*
 * main.c - memories-node: starts the supervisor of one local node
 *
 * `memories-node DIRECTORY` returns when the node is up, with one line of JSON on standard output that says so or why
 * not: {"ready": true}, or {"ready": false, "code", "message", "cause", "hint"}. This process, the launcher, only lives
 * until then. It takes the locks, enters cgroup and namespaces and forks the supervisor, which they are for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "plugins/common/json.h"
#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/cgroup.h"
#include "plugins/providers/local/node/definition.h"
#include "plugins/providers/local/node/machine.h"
#include "plugins/providers/local/node/namespace.h"
#include "plugins/providers/local/node/record.h"
#include "plugins/providers/local/node/supervisor.h"
#include "plugins/providers/local/node/sweep.h"
#include "plugins/providers/local/rootless/holder.h"

#define SWEEP_MS 10000
#define ANSWER_MS 5000
#define END_MS 30000

struct launch {
    char *path;    /* of the node's directory, without symbolic links */
    int directory; /* the same, opened */
    int alive;     /* the lock file, for NODE_LOCK_ALIVE and the record: the supervisor inherits it */
    int guard;     /* a connection to the holder of the namespaces, or -1: the supervisor inherits it */
    int change;    /* the lock file again, for NODE_LOCK_CHANGE: the launcher's alone */
    int64_t run_ms;
    struct node_definition definition;
    struct cgroups groups;
    struct cgroup_meters meters;
    json_object *notes;
};

static int report(int fd, const struct node_error *error)
{
    AUTO_JSON json_object *line = json_object_new_object();
    int failed = json_set_bool(line, "ready", !error);
    if (error) {
        failed |= json_set_int(line, "code", error->code);
        failed |= json_set_string(line, "message", error->message);
        failed |= json_set_string(line, "cause", error->cause);
        failed |= json_set_string(line, "hint", error->hint);
    }
    const char *text = failed ? NULL : json_object_to_json_string_ext(line, NODE_JSON_FLAGS);
    return !text || node_write_all(fd, text, strlen(text)) || node_write_all(fd, "\n", 1) ? -1 : 0;
}

/* --- the supervisor's side -------------------------------------------------------------------------------------- */

/* What the launcher had open stays with the launcher; the supervisor has no terminal and no one to write to. */
static void detach(struct launch *launch)
{
    close(launch->change);
    if (chdir("/") || setsid() < 0)
        _exit(1);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null >= 0)
        close(null);
}

static struct supervisor *begin(struct launch *launch, pid_t host_pid, struct node_error *error)
{
    if (launch->definition.namespaces &&
        namespaces_furnish(&launch->definition, &launch->groups, launch->directory, launch->path, launch->notes, error))
        return NULL;
    if (launch->definition.machine_root && machine_furnish(&launch->definition, launch->directory, launch->path, error))
        return NULL;
    const struct supervisor_setup setup = {
        .path = launch->path,
        .directory = launch->directory,
        .run_ms = launch->run_ms,
        .definition = &launch->definition,
        .meters = &launch->meters,
        .notes = launch->notes,
        .host_pid = host_pid,
        .guard = launch->guard,
    };
    return supervisor_start(&setup, error);
}

static void release(struct launch *launch)
{
    definition_free(&launch->definition);
    cgroups_free(&launch->groups);
    cgroup_meters_close(&launch->meters);
    json_object_put(launch->notes);
    free(launch->path);
}

/* The supervisor's whole life. It waits for `go`, which tells its number on the host once that is recorded; without the
 * record nobody could find it. */
static int supervise(struct launch *launch, int go, int answer)
{
    struct node_error error;
    pid_t host_pid;
    if (read(go, &host_pid, sizeof host_pid) != (ssize_t)sizeof host_pid)
        return 1;
    close(go);
    detach(launch);
    struct supervisor *supervisor = begin(launch, host_pid, &error);
    report(answer, supervisor ? NULL : &error);
    close(answer);
    if (!supervisor) {
        release(launch);
        return 1;
    }
    supervisor_run(supervisor);
    struct node_record record;
    if (node_record_read(launch->alive, &record)) {
        record.pid = 0;
        record.start_time = 0;
        node_record_write(launch->alive, &record);
    }
    release(launch);
    return 0;
}

/* --- the launcher's side ---------------------------------------------------------------------------------------- */

static int32_t write_record(const struct launch *launch, pid_t pid, struct node_error *error)
{
    struct node_record record = { .pid = pid, .start_time = process_start_time(pid) };
    snprintf(record.cgroup, sizeof record.cgroup, "%s", launch->definition.cgroup ? launch->definition.cgroup : "-");
    if (!node_record_write(launch->alive, &record))
        return MEMORIES_OK;
    return node_fail_errno(error, errno, "can't write %s/" NODE_LOCK_FILE, launch->path);
}

/* Passes the supervisor's line on. 0: it is up; 1: it has said why not. */
static int32_t await_supervisor(pid_t pid, int answer, struct node_error *error)
{
    FILE *lines = fdopen(answer, "r");
    char line[8192];
    if (lines && fgets(line, sizeof line, lines)) {
        fclose(lines);
        node_write_all(STDOUT_FILENO, line, strlen(line));
        bool ready = !strncmp(line, "{\"ready\":true", 13);
        if (!ready)
            waitpid(pid, NULL, 0);
        return ready ? MEMORIES_OK : 1;
    }
    if (lines)
        fclose(lines);
    int status = 0;
    waitpid(pid, &status, 0);
    node_fail(error, MEMORIES_FAILED, "the node's supervisor ended before it was up");
    node_cause(error, WIFSIGNALED(status) ? "signal %d" : "exit %d",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return error->code;
}

/* Returns 0 when the node is up, 1 when the supervisor has reported why not, else a code with the reason in `error`. In
 * the supervisor it never returns. */
static int32_t fork_supervisor(struct launch *launch, struct node_error *error)
{
    int go[2], answer[2];
    if (pipe2(go, O_CLOEXEC) || pipe2(answer, O_CLOEXEC))
        return node_fail_errno(error, errno, "can't make a pipe");
    pid_t pid = fork();
    if (pid < 0)
        return node_fail_errno(error, errno, "can't fork the node's supervisor");
    if (!pid) {
        close(go[1]);
        close(answer[0]);
        _exit(supervise(launch, go[0], answer[1]));
    }
    close(go[0]);
    close(answer[1]);
    int32_t failed = write_record(launch, pid, error);
    if (!failed && write(go[1], &pid, sizeof pid) != (ssize_t)sizeof pid)
        failed = node_fail_errno(error, errno, "can't reach the node's supervisor");
    close(go[1]);
    if (!failed)
        return await_supervisor(pid, answer[0], error);
    waitpid(pid, NULL, 0);
    return failed;
}

/* The lock is taken. A supervisor that answers has the node; one that is about to end, stopped or killed, has it no
 * more: then this waits for its end. */
static int32_t ask_holder(const struct launch *launch, bool *running, struct node_error *error)
{
    AUTO_FREE char *text = node_status(launch->path, ANSWER_MS, error);
    AUTO_JSON json_object *status = text ? json_tokener_parse(text) : NULL;
    *running = status && !json_get_bool(status, "stopping", false);
    if (*running || (!text && error->code == MEMORIES_NOT_FOUND))
        return MEMORIES_OK;
    if (!text && error->code == MEMORIES_TIMEOUT) {
        node_hint(error, "stop the node first, which ends a supervisor that hangs");
        return error->code;
    }
    struct node_record record;
    struct process process;
    if (!node_record_read(launch->alive, &record) || !node_record_hold(&record, &process))
        return MEMORIES_OK;
    bool ended = process_wait(&process, node_monotonic_ms() + END_MS);
    process_release(&process);
    if (ended)
        return MEMORIES_OK;
    return node_fail(error, MEMORIES_BUSY, "the supervisor of %s is stopping and does not end", launch->path);
}

/* Tries to become the one who runs the node. *running: another is. */
static int32_t become_alive(const struct launch *launch, bool *running, struct node_error *error)
{
    int64_t deadline_ms = node_monotonic_ms() + END_MS;
    *running = false;
    while (node_lock_take(launch->alive, NODE_LOCK_ALIVE, false)) {
        if (errno != EAGAIN && errno != EACCES)
            return node_fail_errno(error, errno, "can't lock %s/" NODE_LOCK_FILE, launch->path);
        int32_t failed = ask_holder(launch, running, error);
        if (failed || *running)
            return failed;
        if (node_monotonic_ms() > deadline_ms)
            return node_fail(error, MEMORIES_BUSY, "%s/" NODE_LOCK_FILE " is held, and not by a supervisor",
                             launch->path);
    }
    return MEMORIES_OK;
}

/* *running: another supervisor has the node, nothing is to be done. */
static int32_t take_node(struct launch *launch, const char *directory, bool *running, struct node_error *error)
{
    launch->path = realpath(directory, NULL);
    launch->directory = launch->path ? open(launch->path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (launch->directory < 0)
        return node_fail_errno(error, errno, "can't use the node's directory %s", directory);
    launch->alive = node_lock_open(launch->directory);
    launch->change = launch->alive < 0 ? -1 : node_lock_open(launch->directory);
    if (launch->change < 0 || node_lock_take(launch->change, NODE_LOCK_CHANGE, true))
        return node_fail_errno(error, errno, "can't lock %s/" NODE_LOCK_FILE, launch->path);
    int32_t failed = become_alive(launch, running, error);
    if (failed || *running)
        return failed;
    return sweep_node(launch->alive, launch->path, node_monotonic_ms() + SWEEP_MS, error);
}

static int32_t enter_cgroup(struct launch *launch, struct node_error *error)
{
    const struct node_definition *definition = &launch->definition;
    if (!definition->cgroup)
        return MEMORIES_OK;
    /* From here on there is something to sweep, should this process die. */
    int32_t failed = write_record(launch, getpid(), error);
    if (failed)
        return failed;
    if (cgroups_read(&launch->groups))
        return node_fail_errno(error, errno, "can't list the mounted cgroup hierarchies");
    struct node_error note;
    cgroups_join(&launch->groups, definition->cgroup, definition->vcpus, &note);
    if (!note.code)
        return MEMORIES_OK;
    char text[sizeof note.message + sizeof note.cause + 8];
    snprintf(text, sizeof text, "%s: %s", note.message, note.cause);
    json_add_string(launch->notes, text);
    return MEMORIES_OK;
}

static int32_t enter_namespaces(struct launch *launch, struct node_error *error)
{
    const struct node_definition *definition = &launch->definition;
    if (definition->holder && (launch->guard = holder_connect(definition->holder)) < 0)
        return node_fail_errno(error, errno, "can't reach the holder of the network's namespaces, %s",
                               definition->holder);
    if (definition->namespaces) {
        int32_t failed = namespaces_enter(definition, error);
        if (failed)
            return failed;
        if (definition->cgroup)
            cgroups_step_down(&launch->groups, definition->cgroup);
        /* Opened anew inside, so that the node holds none of the machine's own mounts. */
        close(launch->directory);
        launch->directory = open(launch->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (launch->directory < 0)
            return node_fail_errno(error, errno, "can't use the node's directory %s", launch->path);
    }
    cgroup_meters_open(&launch->groups, definition->cgroup, &launch->meters);
    return MEMORIES_OK;
}

static int32_t start(struct launch *launch, const char *directory, struct node_error *error)
{
    bool running = false;
    int32_t failed = take_node(launch, directory, &running, error);
    if (failed)
        return failed;
    if (running) {
        report(STDOUT_FILENO, NULL);
        return MEMORIES_OK;
    }
    failed = definition_read(launch->directory, launch->path, &launch->definition, error);
    if (!failed)
        failed = enter_cgroup(launch, error);
    if (!failed)
        failed = enter_namespaces(launch, error);
    return failed ? failed : fork_supervisor(launch, error);
}

int main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr,
                "usage: memories-node DIRECTORY\n"
                "Starts the supervisor of a local node; `memories` does that itself when a node is to be started.\n");
        return 2;
    }
    close_range(STDERR_FILENO + 1, ~0U, 0);
    umask(077);
    signal(SIGCHLD, SIG_DFL);
    struct launch launch = { .directory = -1, .alive = -1, .guard = -1, .change = -1, .run_ms = node_now_ms() };
    launch.meters = (struct cgroup_meters){ .cpu = -1, .memory = -1 };
    launch.notes = json_object_new_array();
    struct node_error error;
    int32_t failed = start(&launch, argv[1], &error);
    if (failed < 0)
        report(STDOUT_FILENO, &error);
    release(&launch);
    /* Launcher and supervisor end at once: a leak checker at the exit would wait for ever for a process 1 to stop. */
    _exit(failed ? 1 : 0);
}
