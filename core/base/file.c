/* file.c - files and directories the careful way */
#include "core/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"

static char *read_all(int fd, const char *path, size_t max_bytes, size_t *bytes, memories_error **error)
{
    struct text text = TEXT_INIT;
    char chunk[16384];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_set_errno(error, errno, "can't read %s", path);
            text_clear(&text);
            return NULL;
        }
        text_append_bytes(&text, chunk, (size_t)got);
        if (text.length > max_bytes) {
            error_set(error, MEMORIES_INVALID, "%s is larger than %zu bytes", path, max_bytes);
            text_clear(&text);
            return NULL;
        }
    }
    size_t length = text.length;
    char *content = text_take(&text);
    if (!content)
        error_no_memory(error);
    if (bytes)
        *bytes = length;
    return content;
}

char *file_read(const char *path, size_t max_bytes, size_t *bytes, memories_error **error)
{
    if (!strcmp(path, "-"))
        return read_all(STDIN_FILENO, "standard input", max_bytes, bytes, error);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        error_set_errno(error, errno, "can't open %s", path);
        return NULL;
    }
    return read_all(fd, path, max_bytes, bytes, error);
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

static int sync_directory_of(const char *path)
{
    AUTO_FREE char *copy = strdup(path);
    if (!copy)
        return -1;
    AUTO_FD int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int file_write(const char *path, const void *content, size_t bytes, mode_t mode, bool sync, memories_error **error)
{
    AUTO_FREE char *temporary = text_format("%s.XXXXXX", path);
    if (!temporary)
        return error_no_memory(error);
    AUTO_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "can't make a file beside %s", path);
    if (fchmod(fd, mode) || write_all(fd, content, bytes) || (sync && fsync(fd)) || rename(temporary, path)) {
        int number = errno;
        unlink(temporary);
        return error_set_errno(error, number, "can't write %s", path);
    }
    return sync && sync_directory_of(path) ? error_set_errno(error, errno, "can't sync the directory of %s", path) : 0;
}

static int check_directory(const char *path, memories_error **error)
{
    struct stat info;
    if (stat(path, &info))
        return error_set_errno(error, errno, "can't use %s", path);
    if (!S_ISDIR(info.st_mode))
        return error_set(error, MEMORIES_CONFLICT, "%s is not a directory", path);
    if (info.st_uid != geteuid()) {
        struct passwd *owner = getpwuid(info.st_uid);
        return error_set(error, MEMORIES_DENIED, "%s belongs to %s", path, owner ? owner->pw_name : "another user");
    }
    if (info.st_mode & (S_IWGRP | S_IWOTH)) {
        error_set(error, MEMORIES_DENIED, "%s can be written by others", path);
        error_hint(error, "its mode must be 0700: chmod go-w %s", path);
        return MEMORIES_DENIED;
    }
    return 0;
}

int directory_make(const char *path, mode_t mode, memories_error **error)
{
    AUTO_FREE char *partial = strdup(path);
    if (!partial)
        return error_no_memory(error);
    for (char *slash = partial + 1;; slash++) {
        char ended_by = *slash;
        if (ended_by != '/' && ended_by != '\0')
            continue;
        *slash = '\0';
        if (mkdir(partial, mode) && errno != EEXIST)
            return error_set_errno(error, errno, "can't make the directory %s", partial);
        *slash = ended_by;
        if (!ended_by)
            break;
    }
    return check_directory(path, error);
}

static int remove_at(int parent, const char *name, dev_t device, const char *path, memories_error **error);

static int empty_directory(int fd, dev_t device, const char *path, memories_error **error)
{
    DIR *entries = fdopendir(fd);
    if (!entries) {
        close(fd);
        return error_set_errno(error, errno, "can't list %s", path);
    }
    int failed = 0;
    for (struct dirent *entry; !failed && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            failed = remove_at(dirfd(entries), entry->d_name, device, path, error);
    closedir(entries);
    return failed;
}

static int remove_at(int parent, const char *name, dev_t device, const char *path, memories_error **error)
{
    struct stat info;
    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : error_set_errno(error, errno, "can't remove %s in %s", name, path);
    if (!S_ISDIR(info.st_mode))
        return unlinkat(parent, name, 0) && errno != ENOENT
                   ? error_set_errno(error, errno, "can't remove %s in %s", name, path)
                   : 0;
    if (device && info.st_dev != device) {
        error_set(error, MEMORIES_CONFLICT, "%s in %s is a mount point", name, path);
        error_hint(error, "unmount it and try again");
        return MEMORIES_CONFLICT;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "can't open %s in %s", name, path);
    int failed = empty_directory(fd, info.st_dev, path, error);
    if (failed)
        return failed;
    return unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT
               ? error_set_errno(error, errno, "can't remove %s in %s", name, path)
               : 0;
}

int directory_remove(const char *path, memories_error **error)
{
    return remove_at(AT_FDCWD, path, 0, path, error);
}
