/* log_file.c - a file that only grows, kept in a few pieces of limited size: NAME, NAME.1, NAME.2 … */
#include "plugins/providers/local/node/log_file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "plugins/providers/local/node/base.h"

/* All or nothing, so that a full disk leaves no half line that the next one would continue. */
static void append(struct log_file *log, const char *bytes, size_t count)
{
    if (log->fd < 0)
        return;
    if (!node_write_all(log->fd, bytes, count))
        log->size += (int64_t)count;
    else if (ftruncate(log->fd, (off_t)log->size))
        log->size = lseek(log->fd, 0, SEEK_END);
}

static void open_piece(struct log_file *log)
{
    log->fd =
        openat(log->directory, log->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    struct stat info;
    log->size = log->fd >= 0 && !fstat(log->fd, &info) ? info.st_size : 0;
    if (!log->size && log->header)
        append(log, log->header, strlen(log->header));
}

void log_file_open(struct log_file *log, int directory, const char *name, int64_t bytes_max, uint32_t files,
                   const char *header)
{
    *log =
        (struct log_file){ .directory = directory, .fd = -1, .bytes_max = bytes_max, .files = files, .header = header };
    snprintf(log->name, sizeof log->name, "%s", name);
    open_piece(log);
}

static void piece_name(const struct log_file *log, uint32_t number, char *name, size_t size)
{
    snprintf(name, size, number ? "%s.%u" : "%s", log->name, number);
}

static void rotate(struct log_file *log)
{
    char from[sizeof log->name + 16], to[sizeof log->name + 16];
    for (uint32_t number = log->files > 1 ? log->files - 1 : 0; number; number--) {
        piece_name(log, number - 1, from, sizeof from);
        piece_name(log, number, to, sizeof to);
        renameat(log->directory, from, log->directory, to);
    }
    if (log->files <= 1)
        unlinkat(log->directory, log->name, 0);
    log_file_close(log);
    open_piece(log);
}

void log_file_write(struct log_file *log, const char *bytes, size_t count)
{
    if (log->fd < 0)
        open_piece(log);
    if (log->bytes_max && log->size + (int64_t)count > log->bytes_max) {
        const char *line_end = memchr(bytes, '\n', count);
        size_t rest_of_line = line_end ? (size_t)(line_end - bytes) + 1 : 0;
        append(log, bytes, rest_of_line);
        rotate(log);
        bytes += rest_of_line;
        count -= rest_of_line;
    }
    append(log, bytes, count);
}

void log_file_printf(struct log_file *log, const char *format, ...)
{
    char line[2048];
    int64_t now = node_now_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    size_t length = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
    length += (size_t)snprintf(line + length, sizeof line - length, ".%03dZ ", (int)(now % 1000));
    va_list arguments;
    va_start(arguments, format);
    int text = vsnprintf(line + length, sizeof line - length - 1, format, arguments);
    va_end(arguments);
    length += text < 0 ? 0 : (size_t)text;
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    log_file_write(log, line, length);
}

void log_file_close(struct log_file *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
