/* cgroup.c - a node's cgroup: the same path in every hierarchy that is mounted, v1 and v2 alike */
#include "plugins/providers/local/node/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/record.h"

#define LEAF "supervisor"

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned int byte;
        if (from[0] == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
            *to = (char)byte;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* What of a v1 mount's options names the hierarchy: "rw,cpu,cpuacct,release_agent=/x" -> "cpu,cpuacct". */
static char *controllers_of(char *options)
{
    static const char *const others[] = {
        "rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "none", "favordynmods"
    };
    char *result = calloc(1, strlen(options) + 1);
    for (char *state, *option = strtok_r(options, ",", &state); result && option;
         option = strtok_r(NULL, ",", &state)) {
        bool other = !strncmp(option, "release_agent=", 14);
        for (size_t i = 0; i < ARRAY_COUNT(others); i++)
            other = other || !strcmp(option, others[i]);
        if (other)
            continue;
        if (*result)
            strcat(result, ",");
        strcat(result, option);
    }
    return result;
}

static char *read_value(const char *directory, const char *name)
{
    AUTO_FD int opened = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return opened < 0 ? NULL : node_read_file(opened, name, NULL);
}

static int write_value(const char *directory, const char *name, const char *value)
{
    AUTO_FD int opened = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return opened < 0 ? -1 : node_write_file(opened, name, value);
}

static char *unified_controllers(const char *mount)
{
    char *content = read_value(mount, "cgroup.controllers");
    if (!content)
        return strdup("");
    content[strcspn(content, "\n")] = '\0';
    return content;
}

static bool known(const struct cgroups *groups, bool unified, const char *controllers)
{
    for (size_t i = 0; i < groups->count; i++)
        if (groups->items[i].unified == unified && (unified || !strcmp(groups->items[i].controllers, controllers)))
            return true;
    return false;
}

/* One line of mountinfo: "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu". */
static int add_mount(struct cgroups *groups, char *line)
{
    char *tail = strstr(line, " - ");
    if (!tail || (strncmp(tail, " - cgroup ", 10) && strncmp(tail, " - cgroup2 ", 11)))
        return 0;
    char mount[PATH_MAX], options[1024];
    if (sscanf(line, "%*s %*s %*s %*s %4095s", mount) != 1 || sscanf(tail, " - %*s %*s %1023s", options) != 1)
        return 0;
    unescape(mount);
    bool unified = !strncmp(tail, " - cgroup2 ", 11);
    AUTO_FREE char *controllers = unified ? unified_controllers(mount) : controllers_of(options);
    if (!controllers)
        return -1;
    if (known(groups, unified, controllers))
        return 0;
    struct cgroup_hierarchy *items = reallocarray(groups->items, groups->count + 1, sizeof *items);
    if (!items)
        return -1;
    groups->items = items;
    struct cgroup_hierarchy added = { strdup(mount), unified, STEAL(controllers), false };
    groups->items[groups->count++] = added;
    return added.mount ? 0 : -1;
}

int cgroups_read(struct cgroups *groups)
{
    *groups = (struct cgroups){ NULL, 0 };
    AUTO_FREE char *mounts = node_read_file(AT_FDCWD, "/proc/self/mountinfo", NULL);
    if (!mounts)
        return -1;
    for (char *state, *line = strtok_r(mounts, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        if (add_mount(groups, line)) {
            cgroups_free(groups);
            return -1;
        }
    return 0;
}

void cgroups_free(struct cgroups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        free(groups->items[i].mount);
        free(groups->items[i].controllers);
    }
    free(groups->items);
    *groups = (struct cgroups){ NULL, 0 };
}

/* True when `list` ("cpu,cpuacct" or "cpu memory") has the word. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || strchr(", ", at[-1])) && strchr(", ", at[length]))
            return true;
    return false;
}

static void copy_value(const char *from_directory, const char *to_directory, const char *name)
{
    AUTO_FREE char *value = read_value(from_directory, name);
    if (value)
        write_value(to_directory, name, value);
}

/* What a new cgroup needs of its parent before processes or controllers can be in it. */
static void prepare_level(const struct cgroup_hierarchy *hierarchy, const char *parent, const char *directory)
{
    if (!hierarchy->unified && has_word(hierarchy->controllers, "cpuset")) {
        copy_value(parent, directory, "cpuset.cpus");
        copy_value(parent, directory, "cpuset.mems");
    }
    if (!hierarchy->unified && has_word(hierarchy->controllers, "memory"))
        write_value(directory, "memory.use_hierarchy", "1");
}

/* One write for each controller: one that can't be had must not keep the others away. */
static void delegate_controllers(const struct cgroup_hierarchy *hierarchy, const char *directory)
{
    if (!hierarchy->unified)
        return;
    char controllers[512], word[64];
    snprintf(controllers, sizeof controllers, "%s", hierarchy->controllers);
    for (char *state, *name = strtok_r(controllers, " ", &state); name; name = strtok_r(NULL, " ", &state)) {
        snprintf(word, sizeof word, "+%s", name);
        write_value(directory, "cgroup.subtree_control", word);
    }
}

/* Makes each level of `path`. A level may vanish between two steps, when another node's removal finds it empty. */
static int make_levels(const struct cgroup_hierarchy *hierarchy, const char *path, char *directory, size_t size)
{
    for (int attempt = 0;; attempt++) {
        size_t length = (size_t)snprintf(directory, size, "%s", hierarchy->mount);
        const char *rest = path;
        int result = 0;
        while (*rest && !result) {
            AUTO_FREE char *parent = strdup(directory);
            size_t word = strcspn(rest, "/");
            if (!parent || length + word + 2 > size) {
                errno = parent ? ENAMETOOLONG : ENOMEM;
                return -1;
            }
            length += (size_t)snprintf(directory + length, size - length, "/%.*s", (int)word, rest);
            delegate_controllers(hierarchy, parent);
            result = mkdir(directory, 0755) && errno != EEXIST ? -1 : 0;
            if (!result)
                prepare_level(hierarchy, parent, directory);
            rest += word + (rest[word] == '/');
        }
        if (!result || errno != ENOENT || attempt == 100)
            return result;
    }
}

static int limit_processors(const struct cgroup_hierarchy *hierarchy, const char *directory, uint32_t vcpus)
{
    long present = sysconf(_SC_NPROCESSORS_ONLN);
    if (!vcpus || (present > 0 && vcpus >= (unsigned long)present) || !has_word(hierarchy->controllers, "cpu"))
        return 0;
    char value[64];
    snprintf(value, sizeof value, hierarchy->unified ? "%u00000 100000" : "%u00000", vcpus);
    return write_value(directory, hierarchy->unified ? "cpu.max" : "cpu.cfs_quota_us", value);
}

static void first_note(struct node_error *note, int number, const char *what, const char *directory)
{
    if (!note->code)
        node_fail_errno(note, number, "can't %s cgroup %s", what, directory);
}

void cgroups_join(struct cgroups *groups, const char *path, uint32_t vcpus, struct node_error *note)
{
    note->code = MEMORIES_OK;
    for (size_t i = 0; i < groups->count; i++) {
        struct cgroup_hierarchy *hierarchy = &groups->items[i];
        char directory[PATH_MAX];
        if (make_levels(hierarchy, path, directory, sizeof directory)) {
            first_note(note, errno, "make", directory);
            continue;
        }
        if (limit_processors(hierarchy, directory, vcpus))
            first_note(note, errno, "limit the processors of", directory);
        hierarchy->joined = !write_value(directory, "cgroup.procs", "0");
        if (!hierarchy->joined)
            first_note(note, errno, "enter", directory);
    }
}

void cgroups_step_down(const struct cgroups *groups, const char *path)
{
    for (size_t i = 0; i < groups->count; i++) {
        const struct cgroup_hierarchy *hierarchy = &groups->items[i];
        if (!hierarchy->unified || !hierarchy->joined || !*hierarchy->controllers)
            continue;
        char directory[PATH_MAX];
        snprintf(directory, sizeof directory, "%s/%s/" LEAF, hierarchy->mount, path);
        if (mkdir(directory, 0755) && errno != EEXIST)
            continue;
        if (write_value(directory, "cgroup.procs", "0"))
            continue;
        snprintf(directory, sizeof directory, "%s/%s", hierarchy->mount, path);
        delegate_controllers(hierarchy, directory);
    }
}

/* The directory of the node's cgroup in the hierarchy that has `controller` and was joined; -1 when there is none. */
static int open_meter(const struct cgroups *groups, const char *path, const char *controller, bool *unified)
{
    for (size_t i = 0; i < groups->count; i++) {
        const struct cgroup_hierarchy *hierarchy = &groups->items[i];
        if (!hierarchy->joined || !has_word(hierarchy->controllers, controller))
            continue;
        char directory[PATH_MAX];
        snprintf(directory, sizeof directory, "%s/%s", hierarchy->mount, path);
        *unified = hierarchy->unified;
        return open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    return -1;
}

void cgroup_meters_open(const struct cgroups *groups, const char *path, struct cgroup_meters *meters)
{
    *meters = (struct cgroup_meters){ .cpu = -1, .memory = -1 };
    if (!path)
        return;
    meters->cpu = open_meter(groups, path, "cpuacct", &meters->cpu_unified);
    if (meters->cpu < 0)
        meters->cpu = open_meter(groups, path, "cpu", &meters->cpu_unified);
    meters->memory = open_meter(groups, path, "memory", &meters->memory_unified);
}

void cgroup_meters_close(struct cgroup_meters *meters)
{
    if (meters->cpu >= 0)
        close(meters->cpu);
    if (meters->memory >= 0)
        close(meters->memory);
    meters->cpu = meters->memory = -1;
}

/* Kills the processes of this one cgroup. */
static void kill_members(int directory)
{
    AUTO_FREE char *members = node_read_file(directory, "cgroup.procs", NULL);
    for (char *state, *line = members ? strtok_r(members, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state))
        if (atoi(line) > 0)
            kill(atoi(line), SIGKILL);
}

typedef void child_fn(int parent, const char *name, int child);

static void each_child(int directory, child_fn *act)
{
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        AUTO_FD int child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            act(directory, entry->d_name, child);
    }
    closedir(entries);
}

static void kill_tree(int parent, const char *name, int directory)
{
    kill_members(directory);
    each_child(directory, kill_tree);
}

static void remove_child(int parent, const char *name, int directory)
{
    each_child(directory, remove_child);
    unlinkat(parent, name, AT_REMOVEDIR);
}

/* Removes the cgroup at `path` with all below it; 0, or -1 with errno. */
static int remove_tree(const char *path)
{
    AUTO_FD int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return errno == ENOENT ? 0 : -1;
    /* v2 kills whole trees at once and atomically; elsewhere it takes rounds. */
    if (node_write_file(directory, "cgroup.kill", "1"))
        kill_tree(-1, NULL, directory);
    each_child(directory, remove_child);
    return rmdir(path) && errno != ENOENT ? -1 : 0;
}

int32_t cgroups_remove(const struct cgroups *groups, const char *path, int64_t deadline_ms, struct node_error *error)
{
    for (size_t i = 0; i < groups->count; i++) {
        char directory[PATH_MAX];
        size_t mount = strlen(groups->items[i].mount);
        snprintf(directory, sizeof directory, "%s/%s", groups->items[i].mount, path);
        /* Dying processes hold a cgroup for a moment (EBUSY), and v1 has nothing that tells when they are gone. */
        while (remove_tree(directory)) {
            if (errno != EBUSY || node_monotonic_ms() > deadline_ms)
                return node_fail_errno(error, errno, "can't remove cgroup %s", directory);
            poll(NULL, 0, 2);
        }
        for (char *slash; (slash = strrchr(directory, '/')) > directory + mount;) {
            *slash = '\0';
            if (rmdir(directory) && errno != ENOENT)
                break;
        }
    }
    return MEMORIES_OK;
}

bool cgroup_path_valid(const char *path)
{
    if (!*path || *path == '/' || strlen(path) > NODE_CGROUP_LENGTH_MAX)
        return false;
    for (const char *word = path;; word++) {
        size_t length = strcspn(word, "/");
        if (!length || *word == '.')
            return false;
        for (size_t i = 0; i < length; i++)
            if (word[i] <= ' ' || word[i] == 127)
                return false;
        word += length;
        if (!*word)
            return true;
    }
}
