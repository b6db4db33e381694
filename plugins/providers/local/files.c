/* files.c - files and directories of the provider */
#include "plugins/providers/local/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/common/cleanup.h"

/* Nothing that the provider reads is larger: node.json carries at most a node's bootstrap. */
#define FILE_BYTES_MAX ((size_t)64 << 20)

char *local_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : text;
}

bool local_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static char *read_all(int fd, const char *path, size_t *bytes, struct problem *problem)
{
    size_t length = 0, capacity = 4096;
    AUTO_FREE char *content = malloc(capacity);
    while (content) {
        ssize_t got = read(fd, content + length, capacity - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            problem_set_errno(problem, errno, "can't read %s", path);
            return NULL;
        }
        length += (size_t)got;
        content[length] = '\0';
        if (!got) {
            if (bytes)
                *bytes = length;
            return STEAL(content);
        }
        if (length > FILE_BYTES_MAX) {
            problem_set(problem, MEMORIES_INVALID, "%s is larger than %zu bytes", path, FILE_BYTES_MAX);
            return NULL;
        }
        if (length + 1 < capacity)
            continue;
        char *larger = realloc(content, capacity *= 2);
        if (!larger)
            break;
        content = larger;
    }
    problem_no_memory(problem);
    return NULL;
}

char *local_file_read(const char *path, size_t *bytes, struct problem *problem)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        problem_set_errno(problem, errno, "can't open %s", path);
        return NULL;
    }
    return read_all(fd, path, bytes, problem);
}

char *local_file_last_line(const char *path)
{
    char tail[512];
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), size = sizeof tail - 1;
    ssize_t got = end > 0 ? pread(fd, tail, (size_t)size, end > size ? end - size : 0) : 0;
    while (got > 0 && strchr("\n\r ", tail[got - 1]))
        got--;
    if (got <= 0)
        return NULL;
    tail[got] = '\0';
    const char *line_break = strrchr(tail, '\n');
    return strdup(line_break ? line_break + 1 : tail);
}

static int write_all(int fd, const char *content, size_t bytes)
{
    while (bytes) {
        ssize_t written = write(fd, content, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        content += written;
        bytes -= (size_t)written;
    }
    return 0;
}

int32_t local_file_write(const char *path, const char *content, size_t bytes, mode_t mode, bool durable,
                         struct problem *problem)
{
    AUTO_FREE char *temporary = local_format("%s.XXXXXX", path);
    if (!temporary)
        return problem_no_memory(problem);
    AUTO_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return problem_set_errno(problem, errno, "can't make a file beside %s", path);
    if (fchmod(fd, mode) || write_all(fd, content, bytes) || (durable && fsync(fd)) || rename(temporary, path)) {
        int number = errno;
        unlink(temporary);
        return problem_set_errno(problem, number, "can't write %s", path);
    }
    return MEMORIES_OK;
}

json_object *local_json_read(const char *path, struct problem *problem)
{
    AUTO_FREE char *content = local_file_read(path, NULL, problem);
    if (!content)
        return NULL;
    enum json_tokener_error reason;
    AUTO_JSON json_object *json = json_tokener_parse_verbose(content, &reason);
    if (json_object_is_type(json, json_type_object))
        return STEAL(json);
    problem_set(problem, MEMORIES_FAILED, "%s is damaged: no JSON object", path);
    if (reason != json_tokener_success)
        problem_cause(problem, "%s", json_tokener_error_desc(reason));
    return NULL;
}

int32_t local_json_write(const char *path, json_object *json, struct problem *problem)
{
    const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    return text ? local_file_write(path, text, strlen(text), 0600, true, problem) : problem_no_memory(problem);
}

/* -1 with errno; `path` is cut and mended while it works. */
static int make_with_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0700) && errno != EEXIST;
        *slash = '/';
        if (failed)
            return -1;
    }
    return mkdir(path, 0700) && errno != EEXIST ? -1 : 0;
}

int32_t local_directory_make(const char *path, struct problem *problem)
{
    AUTO_FREE char *copy = strdup(path);
    if (!copy)
        return problem_no_memory(problem);
    /* A parent may vanish in between: the last deployment to go removes what is empty. */
    for (int tries = 0; tries < 10; tries++) {
        if (mkdir(path, 0700) == 0 || errno == EEXIST || make_with_parents(copy) == 0)
            return MEMORIES_OK;
        if (errno != ENOENT)
            break;
    }
    return problem_set_errno(problem, errno, "can't make the directory %s", path);
}

static int32_t remove_at(int parent, const char *name, dev_t device, const char *path, struct problem *problem);

/* `fd` is taken over. */
static int32_t empty_directory(int fd, dev_t device, const char *path, struct problem *problem)
{
    DIR *entries = fdopendir(fd);
    if (!entries) {
        close(fd);
        return problem_set_errno(problem, errno, "can't list %s", path);
    }
    int32_t failed = 0;
    for (struct dirent *entry; !failed && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            failed = remove_at(dirfd(entries), entry->d_name, device, path, problem);
    closedir(entries);
    return failed;
}

/* What another process was about to make there may come in between: so often is a directory emptied again. */
#define REMOVE_TRIES 100

static int32_t remove_directory_at(int parent, const char *name, dev_t device, const char *path,
                                   struct problem *problem)
{
    for (int tries = 0; tries < REMOVE_TRIES; tries++) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return problem_set_errno(problem, errno, "can't open %s in %s", name, path);
        int32_t failed = empty_directory(fd, device, path, problem);
        if (failed)
            return failed;
        if (!unlinkat(parent, name, AT_REMOVEDIR) || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY)
            break;
    }
    return problem_set_errno(problem, errno, "can't remove %s in %s", name, path);
}

static int32_t remove_at(int parent, const char *name, dev_t device, const char *path, struct problem *problem)
{
    struct stat info;
    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : problem_set_errno(problem, errno, "can't remove %s in %s", name, path);
    if (S_ISDIR(info.st_mode) && device && info.st_dev != device) {
        problem_set(problem, MEMORIES_CONFLICT, "%s in %s is a mount point", name, path);
        problem_hint(problem, "unmount it and try again");
        return problem->code;
    }
    if (S_ISDIR(info.st_mode))
        return remove_directory_at(parent, name, info.st_dev, path, problem);
    if (unlinkat(parent, name, 0) && errno != ENOENT)
        return problem_set_errno(problem, errno, "can't remove %s in %s", name, path);
    return 0;
}

int32_t local_directory_remove(const char *path, struct problem *problem)
{
    return remove_at(AT_FDCWD, path, 0, path, problem);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct local_names *names, size_t *capacity, const char *name)
{
    if (names->count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 16;
        char **grown = realloc(names->names, larger * sizeof *grown);
        if (!grown)
            return -1;
        names->names = grown;
        *capacity = larger;
    }
    char *copy = strdup(name);
    if (!copy)
        return -1;
    names->names[names->count++] = copy;
    return 0;
}

int32_t local_directory_list(const char *path, struct local_names *names, struct problem *problem)
{
    *names = (struct local_names){ 0 };
    DIR *entries = opendir(path);
    if (!entries)
        return errno == ENOENT ? 0 : problem_set_errno(problem, errno, "can't list %s", path);
    size_t capacity = 0;
    int failed = 0;
    for (struct dirent *entry; !failed && (entry = readdir(entries));)
        if (entry->d_name[0] != '.')
            failed = add_name(names, &capacity, entry->d_name);
    closedir(entries);
    if (failed) {
        local_names_clear(names);
        return problem_no_memory(problem);
    }
    if (names->count)
        qsort(names->names, names->count, sizeof *names->names, by_name);
    return 0;
}

void local_names_clear(struct local_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct local_names){ 0 };
}
