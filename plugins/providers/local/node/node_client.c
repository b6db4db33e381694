/* node_client.c - starting, stopping and asking the supervisor of a local node */
#include "plugins/providers/local/node/node_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/process.h"
#include "plugins/providers/local/node/record.h"
#include "plugins/providers/local/node/sweep.h"

/* So many nodes are worked on at once: what bounds the descriptors in use. */
#define AT_ONCE 64
#define START_TIMEOUT_MS 60000
#define SWEEP_TIMEOUT_MS 10000
#define KILL_TIMEOUT_MS 10000
#define OUTPUT_MAX 8192

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static size_t count_failed(const struct node_job *nodes, size_t count)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++)
        failed += nodes[i].result != MEMORIES_OK;
    return failed;
}

static int open_directory(const char *directory)
{
    return open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* --- is it running? --------------------------------------------------------------------------------------------- */

static bool is_running_in(int directory)
{
    AUTO_FD int lock = openat(directory, NODE_LOCK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return lock >= 0 && node_lock_held(lock, NODE_LOCK_ALIVE);
}

bool node_is_running(const char *directory)
{
    AUTO_FD int opened = open_directory(directory);
    return opened >= 0 && is_running_in(opened);
}

/* --- sweep ------------------------------------------------------------------------------------------------------ */

/* One node that is being swept. */
struct sweeping {
    struct node_job *job;
    char *path;
    int directory;
    int lock; /* -1: nothing to sweep, or failed */
    bool processes;
};

static int compare_sweeping(const void *left, const void *right)
{
    return strcmp(((const struct sweeping *)left)->path, ((const struct sweeping *)right)->path);
}

static void give_up(struct sweeping *sweeping, int32_t code)
{
    sweeping->job->result = code;
    close_fd(&sweeping->lock);
}

static void lock_for_sweep(struct sweeping *sweeping)
{
    struct node_error *error = &sweeping->job->error;
    sweeping->directory = open_directory(sweeping->path);
    sweeping->lock = openat(sweeping->directory, NODE_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (sweeping->lock < 0) {
        if (errno != ENOENT)
            give_up(sweeping, node_fail_errno(error, errno, "can't open %s/" NODE_LOCK_FILE, sweeping->path));
        return;
    }
    if (node_lock_take(sweeping->lock, NODE_LOCK_CHANGE, true)) {
        give_up(sweeping, node_fail_errno(error, errno, "can't lock %s/" NODE_LOCK_FILE, sweeping->path));
        return;
    }
    if (node_lock_held(sweeping->lock, NODE_LOCK_ALIVE)) {
        give_up(sweeping, node_fail(error, MEMORIES_BUSY, "the node in %s is running", sweeping->path));
        return;
    }
    struct node_record record;
    sweeping->processes = node_record_read(sweeping->lock, &record) && record.pid;
    int32_t failed = sweep_supervisor(sweeping->lock, sweeping->path, node_monotonic_ms() + SWEEP_TIMEOUT_MS, error);
    if (failed)
        give_up(sweeping, failed);
}

static void sweep_all_processes(struct sweeping *all, size_t count)
{
    const char *marks[AT_ONCE];
    size_t marked = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].lock >= 0 && all[i].processes)
            marks[marked++] = all[i].path;
    struct node_error error;
    int32_t failed = sweep_processes(marks, marked, node_monotonic_ms() + SWEEP_TIMEOUT_MS, &error);
    for (size_t i = 0; failed && i < count; i++)
        if (all[i].lock >= 0 && all[i].processes) {
            all[i].job->error = error;
            give_up(&all[i], failed);
        }
}

/* At most AT_ONCE nodes. Locks are taken in the order of the paths, so that two sweeps never wait for each other. */
static void sweep_some(struct node_job *const *nodes, size_t count)
{
    struct sweeping all[AT_ONCE];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        nodes[i]->result = MEMORIES_OK;
        char *path = realpath(nodes[i]->directory, NULL);
        if (path)
            all[used++] = (struct sweeping){ .job = nodes[i], .path = path, .directory = -1, .lock = -1 };
        else if (errno != ENOENT)
            nodes[i]->result = node_fail_errno(&nodes[i]->error, errno, "can't use %s", nodes[i]->directory);
    }
    qsort(all, used, sizeof *all, compare_sweeping);
    for (size_t i = 0; i < used; i++)
        lock_for_sweep(&all[i]);
    sweep_all_processes(all, used);
    for (size_t i = 0; i < used; i++) {
        if (all[i].lock >= 0)
            all[i].job->result = sweep_cgroup(all[i].lock, node_monotonic_ms() + SWEEP_TIMEOUT_MS, &all[i].job->error);
        if (all[i].lock >= 0)
            unlinkat(all[i].directory, NODE_SOCKET_FILE, 0);
        close_fd(&all[i].lock);
        close_fd(&all[i].directory);
        free(all[i].path);
    }
}

size_t node_sweep_all(struct node_job *nodes, size_t count)
{
    struct node_job *some[AT_ONCE];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        some[used++] = &nodes[i];
        if (used < AT_ONCE && i + 1 < count)
            continue;
        sweep_some(some, used);
        used = 0;
    }
    return count_failed(nodes, count);
}

int32_t node_sweep(const char *directory, struct node_error *error)
{
    struct node_job job = { .directory = directory };
    if (node_sweep_all(&job, 1) && error)
        *error = job.error;
    return job.result;
}

/* --- start ------------------------------------------------------------------------------------------------------ */

/* One launcher that has not reported yet. */
struct starting {
    struct node_job *job;
    pid_t pid;
    int output; /* -1: none */
    int64_t deadline_ms;
    char text[OUTPUT_MAX];
    size_t length;
};

static char *environment_of(const char *name)
{
    const char *value = secure_getenv(name);
    char *variable;
    return value && asprintf(&variable, "%s=%s", name, value) >= 0 ? variable : NULL;
}

/* Its own session, so that a Ctrl-C at the terminal ends the caller and not the start; signals as at a login. */
static int spawn_launcher(const char *program, const char *directory, int output, pid_t *pid)
{
    AUTO_FREE char *path = environment_of("PATH");
    AUTO_FREE char *libexec = environment_of("MEMORIES_LIBEXEC_DIR");
    char *environment[3] = { NULL };
    size_t count = 0;
    if (path)
        environment[count++] = path;
    if (libexec)
        environment[count++] = libexec;
    char *const arguments[] = { (char *)"memories-node", (char *)directory, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int number = posix_spawn(pid, program, &files, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return number;
}

static bool begin_start(struct starting *starting, struct node_job *job, const char *program)
{
    *starting = (struct starting){ .job = job, .output = -1, .deadline_ms = node_monotonic_ms() + START_TIMEOUT_MS };
    int output[2];
    if (pipe2(output, O_CLOEXEC)) {
        job->result = node_fail_errno(&job->error, errno, "can't make a pipe");
        return false;
    }
    int number = spawn_launcher(program, job->directory, output[1], &starting->pid);
    close(output[1]);
    if (!number) {
        starting->output = output[0];
        return true;
    }
    close(output[0]);
    job->result = node_fail_errno(&job->error, number, "can't run %s", program);
    node_hint(&job->error, "it is part of memories: install it, or set MEMORIES_LIBEXEC_DIR to its directory");
    return false;
}

static void copy_text(json_object *from, const char *key, char *to, size_t size)
{
    const char *text = json_object_get_string(json_object_object_get(from, key));
    snprintf(to, size, "%s", text ? text : "");
}

/* The launcher's last words are its report; a dynamic linker or a sanitizer may have spoken instead. */
static void read_report(struct starting *starting, int status)
{
    struct node_error *error = &starting->job->error;
    while (starting->length && starting->text[starting->length - 1] == '\n')
        starting->text[--starting->length] = '\0';
    const char *line = strrchr(starting->text, '\n');
    line = line ? line + 1 : starting->text;
    AUTO_JSON json_object *report = json_tokener_parse(line);
    if (!json_object_is_type(report, json_type_object)) {
        node_fail(error, MEMORIES_FAILED, "the supervisor of %s could not be started", starting->job->directory);
        if (starting->length)
            node_cause(error, "%s", line);
        else
            node_cause(error, WIFSIGNALED(status) ? "signal %d" : "exit %d",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        starting->job->result = error->code;
        return;
    }
    starting->job->result = MEMORIES_OK;
    if (json_object_get_boolean(json_object_object_get(report, "ready")))
        return;
    error->code = json_object_get_int(json_object_object_get(report, "code"));
    error->code = error->code < 0 ? error->code : MEMORIES_FAILED;
    copy_text(report, "message", error->message, sizeof error->message);
    copy_text(report, "cause", error->cause, sizeof error->cause);
    copy_text(report, "hint", error->hint, sizeof error->hint);
    starting->job->result = error->code;
}

static void wait_launcher(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
}

static void finish_start(struct starting *starting)
{
    int status = 0;
    wait_launcher(starting->pid, &status);
    read_report(starting, status);
    close_fd(&starting->output);
}

static void abandon_start(struct starting *starting)
{
    struct node_job *job = starting->job;
    kill(starting->pid, SIGKILL);
    wait_launcher(starting->pid, &(int){ 0 });
    close_fd(&starting->output);
    job->result = node_fail(&job->error, MEMORIES_TIMEOUT, "the supervisor of %s was not up after %d s", job->directory,
                            START_TIMEOUT_MS / 1000);
    node_hint(&job->error, "see log/supervisor.log there; another process may be starting or sweeping the same node");
}

/* Reads on; what is too long is a sanitizer's story, whose begin says enough. */
static void read_output(struct starting *starting)
{
    char surplus[1024];
    size_t room = sizeof starting->text - 1 - starting->length;
    ssize_t got =
        read(starting->output, room ? starting->text + starting->length : surplus, room ? room : sizeof surplus);
    if (got > 0 && room)
        starting->length += (size_t)got;
    if (got == 0 || (got < 0 && errno != EINTR))
        finish_start(starting);
}

/* Waits for news of any of them; drops the finished ones from the list. */
static size_t wait_for_starts(struct starting *all, size_t count)
{
    struct pollfd polled[AT_ONCE];
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){ .fd = all[i].output, .events = POLLIN };
        first = all[i].deadline_ms < first ? all[i].deadline_ms : first;
    }
    int64_t left = first - node_monotonic_ms();
    if (poll(polled, count, left < 0 ? 0 : (int)left) < 0)
        return count;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (polled[i].revents)
            read_output(&all[i]);
        else if (all[i].deadline_ms <= node_monotonic_ms())
            abandon_start(&all[i]);
        if (all[i].output < 0)
            continue;
        if (kept != i)
            all[kept] = all[i];
        kept++;
    }
    return kept;
}

/* Launchers that failed can't remove the cgroup that they sit in. */
static void sweep_failed(struct node_job *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (nodes[i].result != MEMORIES_OK)
            node_sweep(nodes[i].directory, NULL);
}

size_t node_start_all(struct node_job *nodes, size_t count, const char *program)
{
    /* After a crash of many nodes one search for their processes is enough. What can't be swept the launcher reports.
     */
    node_sweep_all(nodes, count);
    struct starting *active = calloc(AT_ONCE, sizeof *active);
    for (size_t i = 0; !active && i < count; i++)
        nodes[i].result = node_fail(&nodes[i].error, MEMORIES_NO_MEMORY, "out of memory");
    size_t active_count = 0;
    for (size_t next = 0; active && (next < count || active_count);) {
        while (next < count && active_count < AT_ONCE)
            active_count += begin_start(&active[active_count], &nodes[next++], program);
        if (active_count)
            active_count = wait_for_starts(active, active_count);
    }
    free(active);
    sweep_failed(nodes, count);
    return count_failed(nodes, count);
}

int32_t node_start(const char *directory, const char *program, struct node_error *error)
{
    struct node_job job = { .directory = directory };
    if (node_start_all(&job, 1, program) && error)
        *error = job.error;
    return job.result;
}

/* --- talking to the supervisor ---------------------------------------------------------------------------------- */

/* A path through /proc, because a socket address has room for 107 bytes and the directory's path may need more. */
static int connect_in(int directory, uint32_t timeout_ms)
{
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    timeout_ms = timeout_ms ? timeout_ms : 1; /* 0 would be for ever */
    struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NODE_SOCKET_FILE, directory);
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        return -1;
    int connected = fd;
    fd = -1;
    return connected;
}

static int send_command(int fd, const char *command)
{
    char line[64];
    int length = snprintf(line, sizeof line, "{\"command\": \"%s\"}\n", command);
    return send(fd, line, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -1;
}

static char *receive_line(int fd, int64_t deadline_ms)
{
    size_t length = 0, capacity = 4096;
    AUTO_FREE char *line = malloc(capacity);
    while (line) {
        ssize_t got = recv(fd, line + length, capacity - length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got < 0 ? errno : ECONNRESET;
            return NULL;
        }
        length += (size_t)got;
        if (line[length - 1] == '\n') {
            line[length - 1] = '\0';
            return STEAL(line);
        }
        if (node_monotonic_ms() > deadline_ms) {
            errno = EAGAIN;
            return NULL;
        }
        if (length < capacity)
            continue;
        char *larger = realloc(line, capacity *= 2);
        if (!larger)
            return NULL;
        line = larger;
    }
    return NULL;
}

char *node_status(const char *directory, uint32_t timeout_ms, struct node_error *error)
{
    AUTO_FD int opened = open_directory(directory);
    if (opened < 0 || !is_running_in(opened)) {
        node_fail(error, MEMORIES_NOT_FOUND, "the node in %s is not running", directory);
        return NULL;
    }
    int64_t deadline_ms = node_monotonic_ms() + timeout_ms;
    AUTO_FD int fd = connect_in(opened, timeout_ms);
    if (fd >= 0 && !send_command(fd, "status")) {
        char *line = receive_line(fd, deadline_ms);
        if (line)
            return line;
    }
    if (errno == EAGAIN)
        node_fail(error, MEMORIES_TIMEOUT, "the supervisor of %s has not answered within %u ms", directory, timeout_ms);
    else
        node_fail(error, MEMORIES_TRANSIENT, "the supervisor of %s is just starting or stopping", directory);
    return NULL;
}

/* --- stop ------------------------------------------------------------------------------------------------------- */

/* The process that made the socket, as this process sees it. */
static bool hold_peer(int fd, struct process *process)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && process_hold(process, peer.pid, 0);
}

static bool hold_recorded(int lock, struct process *process)
{
    struct node_record record;
    return node_record_read(lock, &record) && node_record_hold(&record, process);
}

static bool tell_by_socket(int directory, struct process *supervisor)
{
    AUTO_FD int fd = connect_in(directory, 1000);
    if (fd < 0 || !hold_peer(fd, supervisor))
        return false;
    if (!send_command(fd, "stop"))
        return true;
    process_release(supervisor);
    return false;
}

static bool tell_by_signal(int lock, struct process *supervisor)
{
    if (!hold_recorded(lock, supervisor))
        return false;
    if (!process_kill(supervisor, SIGTERM))
        return true;
    process_release(supervisor);
    return false;
}

/* Waits until whoever changes the node now is done, and keeps others from it. -1: nothing to stop, or an error. */
static int lock_for_stop(int directory, struct node_job *job)
{
    AUTO_FD int lock = openat(directory, NODE_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock >= 0 && !node_lock_take(lock, NODE_LOCK_CHANGE, true)) {
        int taken = lock;
        lock = -1;
        return taken;
    }
    if (lock >= 0 || errno != ENOENT)
        job->result = node_fail_errno(&job->error, errno, "can't lock %s/" NODE_LOCK_FILE, job->directory);
    return -1;
}

/*
 * Tells the supervisor to stop; none is held when it does not run (result MEMORIES_OK) or can't be reached. Meanwhile
 * nobody else starts or sweeps the node, so a supervisor that can be reached neither way is one at its very end, which
 * is waited for.
 */
static void begin_stop(struct node_job *job, struct process *supervisor)
{
    *supervisor = (struct process)PROCESS_NONE;
    job->result = MEMORIES_OK;
    AUTO_FD int directory = open_directory(job->directory);
    if (directory < 0)
        return;
    AUTO_FD int lock = lock_for_stop(directory, job);
    int64_t deadline_ms = node_monotonic_ms() + KILL_TIMEOUT_MS;
    while (lock >= 0 && node_lock_held(lock, NODE_LOCK_ALIVE)) {
        if (tell_by_socket(directory, supervisor) || tell_by_signal(lock, supervisor))
            return;
        if (node_monotonic_ms() > deadline_ms) {
            job->result =
                node_fail(&job->error, MEMORIES_FAILED, "the supervisor of %s can't be found", job->directory);
            node_hint(&job->error,
                      "some process holds the file " NODE_LOCK_FILE " there: see `fuser -v`, end it, try again");
            return;
        }
        poll(NULL, 0, 1);
    }
}

static void finish_stop(struct node_job *job, const struct process *supervisor, int64_t deadline_ms)
{
    if (process_wait(supervisor, deadline_ms))
        return;
    if (process_kill(supervisor, SIGKILL) && errno != ESRCH)
        job->result = node_fail_errno(&job->error, errno, "can't kill the supervisor of %s", job->directory);
    else if (!process_wait(supervisor, node_monotonic_ms() + KILL_TIMEOUT_MS))
        job->result = node_fail(&job->error, MEMORIES_TIMEOUT, "the supervisor of %s does not end", job->directory);
}

static void stop_some(struct node_job *nodes, size_t count, uint32_t timeout_ms)
{
    struct process supervisors[AT_ONCE];
    struct node_job *stopped[AT_ONCE];
    size_t stopped_count = 0;
    int64_t deadline_ms = node_monotonic_ms() + timeout_ms;
    for (size_t i = 0; i < count; i++)
        begin_stop(&nodes[i], &supervisors[i]);
    for (size_t i = 0; i < count; i++) {
        if (supervisors[i].pid)
            finish_stop(&nodes[i], &supervisors[i], deadline_ms);
        process_release(&supervisors[i]);
        if (nodes[i].result == MEMORIES_OK)
            stopped[stopped_count++] = &nodes[i];
    }
    /* Together: one search finds the processes that all of them have left. */
    sweep_some(stopped, stopped_count);
}

size_t node_stop_all(struct node_job *nodes, size_t count, uint32_t timeout_ms)
{
    for (size_t first = 0; first < count; first += AT_ONCE)
        stop_some(nodes + first, count - first < AT_ONCE ? count - first : AT_ONCE, timeout_ms);
    return count_failed(nodes, count);
}

int32_t node_stop(const char *directory, uint32_t timeout_ms, struct node_error *error)
{
    struct node_job job = { .directory = directory };
    if (node_stop_all(&job, 1, timeout_ms) && error)
        *error = job.error;
    return job.result;
}

/* --- metrics ---------------------------------------------------------------------------------------------------- */

/* A line of eight numbers and nothing else; the header and what a full disk cut short are neither. */
static bool parse_sample(const char *line, struct node_sample *sample)
{
    int64_t *const fields[] = { &sample->time_ms,
                                &sample->run_ms,
                                &sample->cpu_ns,
                                &sample->memory_bytes,
                                &sample->disk_read_bytes,
                                &sample->disk_write_bytes,
                                &sample->network_receive_bytes,
                                &sample->network_send_bytes };
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        char *end;
        *fields[i] = strtoll(line, &end, 10);
        if (end == line || *end != (i + 1 < ARRAY_COUNT(fields) ? ' ' : '\n'))
            return false;
        line = end;
    }
    return true;
}

/* Non-zero: the reader wants no more. */
static int read_samples(FILE *file, int64_t start_ms, int64_t end_ms, node_sample_fn *each, void *context)
{
    char *line = NULL;
    size_t size = 0;
    int stop = 0;
    while (!stop && getline(&line, &size, file) > 0) {
        struct node_sample sample;
        if (parse_sample(line, &sample) && sample.time_ms >= start_ms && sample.time_ms < end_ms)
            stop = each(context, &sample);
    }
    free(line);
    return stop;
}

static bool same_file(FILE *left, FILE *right)
{
    struct stat a, b;
    return left && right && !fstat(fileno(left), &a) && !fstat(fileno(right), &b) && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static FILE *open_file_in(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (fd >= 0 && !file)
        close(fd);
    return file;
}

int32_t node_metrics_read(const char *directory, int64_t start_ms, int64_t end_ms, node_sample_fn *each, void *context,
                          struct node_error *error)
{
    AUTO_FD int opened = open_directory(directory);
    if (opened < 0)
        return node_fail_errno(error, errno, "can't use the node's directory %s", directory);
    FILE *present = open_file_in(opened, NODE_METRICS_FILE);
    FILE *former = open_file_in(opened, NODE_METRICS_FILE ".1");
    if (same_file(present, former)) { /* rotated in between: what was opened first is the former one */
        fclose(present);
        present = open_file_in(opened, NODE_METRICS_FILE);
    }
    int stop = former ? read_samples(former, start_ms, end_ms, each, context) : 0;
    if (!stop && present)
        read_samples(present, start_ms, end_ms, each, context);
    if (former)
        fclose(former);
    if (present)
        fclose(present);
    return MEMORIES_OK;
}
