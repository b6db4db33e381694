/* sweep.c - removing what supervisors that were killed left behind: processes and cgroups */
#include "plugins/providers/local/node/sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/cgroup.h"
#include "plugins/providers/local/node/process.h"
#include "plugins/providers/local/node/record.h"

#define DYING_MAX 256
#define CHANGE_MS 5000
#define PF_KTHREAD 0x00200000u /* the kernel's include/linux/sched.h */

/* Processes that were killed and are waited for. */
struct dying {
    struct process items[DYING_MAX];
    size_t count;
};

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The node that the process belongs to by its environment, within `environment`; NULL for none. */
static const char *mark_of(const char *environment, size_t count)
{
    const char *end = environment + count;
    for (const char *variable = environment; variable < end; variable += strlen(variable) + 1)
        if (!strncmp(variable, NODE_MARK "=", sizeof NODE_MARK))
            return variable + sizeof NODE_MARK;
    return NULL;
}

/* True while the process has no environment to show but will have, or will be gone: in the midst of an exec, or of its
 * end. Of /proc/PID/stat: state, flags (a thread of the kernel's has none ever), and where the environment ends in
 * memory. */
static bool is_changing(pid_t pid)
{
    char path[32], state;
    unsigned int flags;
    unsigned long environment_end;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    AUTO_FREE char *stat = node_read_file(AT_FDCWD, path, NULL);
    const char *fields = stat ? strrchr(stat, ')') : NULL;
    if (!fields || sscanf(fields, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2 || strchr("ZX", state))
        return false;
    for (int number = 2; fields && number < 51; number++) {
        fields = strchr(fields, ' ');
        fields += fields ? 1 : 0;
    }
    return fields && sscanf(fields, "%lu", &environment_end) == 1 && !environment_end && !(flags & PF_KTHREAD);
}

/* Waits out such moments: a daemon that is just being executed would escape else. */
static char *read_environment(pid_t pid, size_t *bytes)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    for (int64_t deadline_ms = node_monotonic_ms() + CHANGE_MS;; poll(NULL, 0, 1)) {
        char *environment = node_read_file(AT_FDCWD, path, bytes);
        if (!environment || *bytes || !is_changing(pid) || node_monotonic_ms() > deadline_ms)
            return environment;
        free(environment);
    }
}

static bool is_marked(pid_t pid, const char *const *directories, size_t count)
{
    size_t bytes;
    AUTO_FREE char *environment = read_environment(pid, &bytes);
    const char *mark = environment ? mark_of(environment, bytes) : NULL;
    return mark && bsearch(&mark, directories, count, sizeof *directories, compare_paths);
}

static bool await_dying(struct dying *dying, int64_t deadline_ms)
{
    bool all = true;
    for (size_t i = 0; i < dying->count; i++) {
        all = process_wait(&dying->items[i], deadline_ms) && all;
        process_release(&dying->items[i]);
    }
    dying->count = 0;
    return all;
}

/* Kills each marked process once; *found tells whether there was one. False when some don't end. */
static bool kill_marked(const char *const *directories, size_t count, int64_t deadline_ms, bool *found)
{
    DIR *processes = opendir("/proc");
    if (!processes)
        return true;
    struct dying dying = { .count = 0 };
    bool all = true;
    for (struct dirent *entry; (entry = readdir(processes));) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        if (pid <= 0 || pid == getpid())
            continue;
        struct process process;
        if (!process_hold(&process, pid, 0))
            continue;
        if (!is_marked(pid, directories, count) || process_kill(&process, SIGKILL)) {
            process_release(&process);
            continue;
        }
        *found = true;
        dying.items[dying.count++] = process;
        if (dying.count == DYING_MAX)
            all = await_dying(&dying, deadline_ms) && all;
    }
    closedir(processes);
    return await_dying(&dying, deadline_ms) && all;
}

int32_t sweep_processes(const char **directories, size_t count, int64_t deadline_ms, struct node_error *error)
{
    if (!count)
        return MEMORIES_OK;
    qsort(directories, count, sizeof *directories, compare_paths);
    /* What forks while the pass goes by may be missed by it: only a pass that finds nothing proves that all are gone.
     */
    for (bool found = true; found;) {
        found = false;
        bool ended = kill_marked(directories, count, deadline_ms, &found);
        if (!ended || (found && node_monotonic_ms() > deadline_ms)) {
            node_fail(error, MEMORIES_TIMEOUT, "processes of the node in %s don't end", directories[0]);
            node_hint(error, "they are those with " NODE_MARK "=%s in their environment", directories[0]);
            return MEMORIES_TIMEOUT;
        }
    }
    return MEMORIES_OK;
}

int32_t sweep_supervisor(int lock, const char *directory, int64_t deadline_ms, struct node_error *error)
{
    /* The kernel releases the lock of a node's process 1 before it ends the others in its namespace; the end of that
     * process comes after theirs. */
    struct node_record record;
    struct process process;
    if (!node_record_read(lock, &record) || !node_record_hold(&record, &process))
        return MEMORIES_OK;
    bool ended = process_wait(&process, deadline_ms);
    process_release(&process);
    return ended ? MEMORIES_OK
                 : node_fail(error, MEMORIES_TIMEOUT, "the supervisor of %s (process %d) does not end", directory,
                             record.pid);
}

int32_t sweep_cgroup(int lock, int64_t deadline_ms, struct node_error *error)
{
    struct node_record record;
    if (node_record_read(lock, &record) && cgroup_path_valid(record.cgroup) && strcmp(record.cgroup, "-")) {
        struct cgroups groups;
        if (cgroups_read(&groups))
            return node_fail_errno(error, errno, "can't list the mounted cgroup hierarchies");
        int32_t failed = cgroups_remove(&groups, record.cgroup, deadline_ms, error);
        cgroups_free(&groups);
        if (failed)
            return failed;
    }
    return node_record_clear(lock) ? node_fail_errno(error, errno, "can't clear the node's record") : MEMORIES_OK;
}

int32_t sweep_node(int lock, const char *directory, int64_t deadline_ms, struct node_error *error)
{
    struct node_record record;
    if (!node_record_read(lock, &record))
        return MEMORIES_OK;
    int32_t failed = sweep_supervisor(lock, directory, deadline_ms, error);
    if (!failed && record.pid)
        failed = sweep_processes(&directory, 1, deadline_ms, error);
    return failed ? failed : sweep_cgroup(lock, deadline_ms, error);
}
