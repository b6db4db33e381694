/* base.c - what all parts of the supervisor and its client share: errors, clocks, whole reads and writes */
#include "plugins/providers/local/node/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int32_t code_of_errno(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
    case EROFS:
        return MEMORIES_DENIED;
    case ENOENT:
        return MEMORIES_NOT_FOUND;
    case ENOMEM:
        return MEMORIES_NO_MEMORY;
    case ETIMEDOUT:
        return MEMORIES_TIMEOUT;
    default:
        return MEMORIES_FAILED;
    }
}

__attribute__((format(printf, 3, 0))) static void start_error(struct node_error *error, int32_t code,
                                                              const char *format, va_list arguments)
{
    error->code = code;
    error->cause[0] = error->hint[0] = '\0';
    vsnprintf(error->message, sizeof error->message, format, arguments);
}

int32_t node_fail(struct node_error *error, int32_t code, const char *format, ...)
{
    if (!error)
        return code;
    va_list arguments;
    va_start(arguments, format);
    start_error(error, code, format, arguments);
    va_end(arguments);
    return code;
}

int32_t node_fail_errno(struct node_error *error, int number, const char *format, ...)
{
    int32_t code = code_of_errno(number);
    if (!error)
        return code;
    va_list arguments;
    va_start(arguments, format);
    start_error(error, code, format, arguments);
    va_end(arguments);
    node_cause(error, "%s", strerrordesc_np(number) ? strerrordesc_np(number) : "unknown error");
    return code;
}

void node_cause(struct node_error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->cause, sizeof error->cause, format, arguments);
    va_end(arguments);
}

void node_hint(struct node_error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->hint, sizeof error->hint, format, arguments);
    va_end(arguments);
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t node_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t node_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int node_write_all(int fd, const void *bytes, size_t count)
{
    const char *from = bytes;
    while (count) {
        ssize_t written = write(fd, from, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        from += written;
        count -= (size_t)written;
    }
    return 0;
}

/* Files in /proc and cgroups tell no size: read until the end. */
char *node_read_file(int directory, const char *path, size_t *count)
{
    AUTO_FD int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return NULL;
    size_t length = 0, capacity = 4096;
    AUTO_FREE char *content = malloc(capacity);
    while (content) {
        ssize_t got = read(fd, content + length, capacity - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return NULL;
        length += (size_t)got;
        content[length] = '\0';
        if (!got) {
            if (count)
                *count = length;
            return STEAL(content);
        }
        if (length + 1 < capacity)
            continue;
        char *larger = realloc(content, capacity *= 2);
        if (!larger)
            return NULL;
        content = larger;
    }
    return NULL;
}

int node_write_file(int directory, const char *path, const char *content)
{
    AUTO_FD int fd = openat(directory, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -1 : node_write_all(fd, content, strlen(content));
}
