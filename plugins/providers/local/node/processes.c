/* processes.c - the processes of a node: this one and all that descend from it */
#include "plugins/providers/local/node/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugins/providers/local/node/base.h"

static int append(struct process_list *list, pid_t pid)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        pid_t *pids = reallocarray(list->pids, capacity, sizeof *pids);
        if (!pids)
            return -1;
        list->pids = pids;
        list->capacity = capacity;
    }
    list->pids[list->count++] = pid;
    return 0;
}

/* A child is listed with the thread that forked it. */
static int append_children_of_thread(struct process_list *list, pid_t pid, const char *thread)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", pid, thread);
    AUTO_FREE char *children = node_read_file(AT_FDCWD, path, NULL);
    int failed = 0;
    for (char *at = children, *end; at && !failed; at = end) {
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        failed = append(list, (pid_t)child);
    }
    return failed;
}

static int append_children(struct process_list *list, pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (!threads)
        return 0;
    int failed = 0;
    for (struct dirent *entry; !failed && (entry = readdir(threads));)
        if (isdigit((unsigned char)entry->d_name[0]))
            failed = append_children_of_thread(list, pid, entry->d_name);
    closedir(threads);
    return failed;
}

int processes_list(struct process_list *list)
{
    list->count = 0;
    int failed = append(list, getpid());
    for (size_t i = 0; !failed && i < list->count; i++)
        failed = append_children(list, list->pids[i]);
    return failed;
}

int processes_list_children(struct process_list *list)
{
    list->count = 0;
    return append_children(list, getpid());
}

void processes_free(struct process_list *list)
{
    free(list->pids);
    *list = (struct process_list){ NULL, 0, 0 };
}

static char *read_of(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return node_read_file(AT_FDCWD, path, NULL);
}

int64_t processes_cpu_ns(const struct process_list *list)
{
    uint64_t ticks = 0;
    for (size_t i = 0; i < list->count; i++) {
        AUTO_FREE char *stat = read_of(list->pids[i], "stat");
        const char *behind_name = stat ? strrchr(stat, ')') : NULL;
        uint64_t user, system;
        int64_t children_user, children_system;
        if (behind_name &&
            sscanf(behind_name,
                   ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64, &user,
                   &system, &children_user, &children_system) == 4)
            ticks += user + system + (uint64_t)children_user + (uint64_t)children_system;
    }
    return (int64_t)(ticks * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK)));
}

/* The number behind `key` at the begin of a line, or -1. */
static int64_t value_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n'), line += line ? 1 : 0)
        if (!strncmp(line, key, length))
            return strtoll(line + length, NULL, 10);
    return -1;
}

static int64_t memory_of(pid_t pid)
{
    /* Shared pages count by share; that needs the right to look into the process. */
    AUTO_FREE char *rollup = read_of(pid, "smaps_rollup");
    int64_t kib = rollup ? value_of(rollup, "Pss:") : -1;
    if (kib >= 0)
        return kib * 1024;
    AUTO_FREE char *pages = read_of(pid, "statm");
    long long resident;
    return pages && sscanf(pages, "%*s %lld", &resident) == 1 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

int64_t processes_memory_bytes(const struct process_list *list)
{
    int64_t sum = 0;
    for (size_t i = 0; i < list->count; i++)
        sum += memory_of(list->pids[i]);
    return sum;
}

void processes_disk_bytes(const struct process_list *list, int64_t *read_bytes, int64_t *write_bytes)
{
    *read_bytes = *write_bytes = 0;
    bool any = false;
    for (size_t i = 0; i < list->count; i++) {
        AUTO_FREE char *io = read_of(list->pids[i], "io");
        int64_t in = io ? value_of(io, "read_bytes:") : -1;
        int64_t out = io ? value_of(io, "write_bytes:") : -1;
        any = any || (in >= 0 && out >= 0);
        *read_bytes += in > 0 ? in : 0;
        *write_bytes += out > 0 ? out : 0;
    }
    if (!any)
        *read_bytes = *write_bytes = -1;
}
