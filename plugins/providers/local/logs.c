/*
 * logs.c - what the services of the nodes have written
 *
 * Every service has a file of its own, which its supervisor rotates by renaming: NAME.log, NAME.log.1 … . As tail(1)
 * does it, a header tells when the text goes on with another file; a line that is not finished yet is broken there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/local.h"

#define CHUNK_BYTES 65536
#define LINES_DEFAULT 100
/* How soon a cancellation is noticed while nothing is written. */
#define CANCEL_POLL_MS 200
#define SUFFIX ".log"

/* One log: of a service, of the bootstrap's commands, or of the supervisor. */
struct log {
    const char *node;
    char *directory; /* the node's log directory */
    char *file;      /* "etcd.log" */
    int fd;          /* of the file that is being read; -1 before */
    off_t offset;
    ino_t inode;
};

#define NOBODY SIZE_MAX

struct reader {
    struct memories_call *call;
    const struct local *local;
    struct log *logs;
    size_t count;
    size_t capacity;
    size_t last;    /* whose text went out last, by position; NOBODY at first */
    bool is_midway; /* that text ended within a line */
    bool stopped;   /* nobody listens any more */
};

/* ---- output ---- */

static void send_bytes(struct reader *reader, const struct log *log, const char *bytes, size_t count)
{
    if (!reader->stopped)
        reader->stopped = plugin_host->stream(reader->call, log->node, bytes, count) != 0;
}

static void send_header(struct reader *reader, const struct log *log)
{
    char header[512];
    int length =
        snprintf(header, sizeof header, "==> %.*s <==\n", (int)(strlen(log->file) - strlen(SUFFIX)), log->file);
    if (reader->last != NOBODY && reader->is_midway)
        send_bytes(reader, &reader->logs[reader->last], "\n", 1);
    send_bytes(reader, log, header, (size_t)length);
}

static void send_text(struct reader *reader, const struct log *log, const char *bytes, size_t count)
{
    size_t position = (size_t)(log - reader->logs);
    if (!count)
        return;
    if (reader->last != position)
        send_header(reader, log);
    send_bytes(reader, log, bytes, count);
    reader->last = position;
    reader->is_midway = bytes[count - 1] != '\n';
}

/* Everything from `offset` on; returns where it ends. */
static off_t send_rest(struct reader *reader, const struct log *log, int fd, off_t offset)
{
    AUTO_FREE char *chunk = malloc(CHUNK_BYTES);
    while (chunk && !reader->stopped) {
        ssize_t got = pread(fd, chunk, CHUNK_BYTES, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        send_text(reader, log, chunk, (size_t)got);
        offset += got;
    }
    return offset;
}

/* ---- the last lines ---- */

static int open_log(const struct log *log, unsigned rotation)
{
    AUTO_FREE char *path = rotation ? local_format("%s/%s.%u", log->directory, log->file, rotation)
                                    : local_format("%s/%s", log->directory, log->file);
    return path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
}

/* Where the last *lines lines of a file begin; *lines is what is still missing. Read from the end. */
static off_t find_last_lines(int fd, size_t *lines)
{
    struct stat info;
    AUTO_FREE char *chunk = malloc(CHUNK_BYTES);
    if (!chunk || fstat(fd, &info))
        return 0;
    off_t end = info.st_size;
    bool is_last_byte = true;
    while (end > 0) {
        size_t size = end < CHUNK_BYTES ? (size_t)end : CHUNK_BYTES;
        ssize_t got = pread(fd, chunk, size, end - (off_t)size);
        if (got <= 0)
            return 0;
        for (ssize_t i = got - 1; i >= 0; i--, is_last_byte = false) {
            /* The break at the very end closes a line; each other one stands before one. */
            if (chunk[i] != '\n' || is_last_byte)
                continue;
            if (--*lines == 0)
                return end - (off_t)size + i + 1;
        }
        end -= got;
    }
    if (info.st_size)
        --*lines;
    return 0;
}

/* The rotated file with which the last lines begin, and where in it. */
static unsigned find_beginning(const struct log *log, size_t lines, off_t *offset)
{
    for (unsigned rotation = 0;; rotation++) {
        AUTO_FD int fd = open_log(log, rotation);
        if (fd < 0) {
            *offset = 0;
            return rotation ? rotation - 1 : 0;
        }
        *offset = find_last_lines(fd, &lines);
        if (!lines)
            return rotation;
    }
}

/* Goes back through the rotated files until there are enough lines, then sends them oldest first. */
static void send_last_lines(struct reader *reader, struct log *log, size_t lines)
{
    for (unsigned rotation = find_beginning(log, lines, &log->offset); rotation > 0; rotation--, log->offset = 0) {
        AUTO_FD int fd = open_log(log, rotation);
        if (fd >= 0)
            send_rest(reader, log, fd, log->offset);
    }
    struct stat info;
    log->fd = open_log(log, 0);
    if (log->fd < 0 || fstat(log->fd, &info))
        return;
    log->inode = info.st_ino;
    log->offset = send_rest(reader, log, log->fd, log->offset);
}

/* ---- which logs there are ---- */

static bool is_log(const char *name)
{
    size_t length = strlen(name);
    return length > strlen(SUFFIX) && !strcmp(name + length - strlen(SUFFIX), SUFFIX);
}

static bool is_known(const struct reader *reader, const char *node, const char *file)
{
    for (size_t i = 0; i < reader->count; i++)
        if (!strcmp(reader->logs[i].node, node) && !strcmp(reader->logs[i].file, file))
            return true;
    return false;
}

/* `directory` and `file` are copied. */
static struct log *add_log(struct reader *reader, const char *node, const char *directory, const char *file)
{
    if (reader->count == reader->capacity) {
        size_t capacity = reader->capacity ? reader->capacity * 2 : 16;
        struct log *grown = realloc(reader->logs, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        reader->logs = grown;
        reader->capacity = capacity;
    }
    struct log *log = &reader->logs[reader->count];
    *log = (struct log){ .node = node, .directory = strdup(directory), .file = strdup(file), .fd = -1 };
    if (!log->directory || !log->file) {
        free(log->directory);
        free(log->file);
        return NULL;
    }
    reader->count++;
    return log;
}

static int32_t send_node(struct reader *reader, const char *node, size_t lines, struct problem *problem)
{
    AUTO_FREE char *node_directory = local_node_directory(reader->local, node);
    AUTO_FREE char *directory = node_directory ? local_format("%s/log", node_directory) : NULL;
    struct local_names names;
    if (!directory)
        return problem_no_memory(problem);
    if (local_directory_list(directory, &names, problem))
        return problem->code;
    for (size_t i = 0; i < names.count && !reader->stopped; i++) {
        struct log *log = is_log(names.names[i]) ? add_log(reader, node, directory, names.names[i]) : NULL;
        if (log)
            send_last_lines(reader, log, lines);
    }
    local_names_clear(&names);
    return 0;
}

/* ---- following ---- */

/* What was appended since; after a rotation the rest of the old file, then the new one. A machine's logrotate empties
 * the file instead, having copied it. */
static void catch_up(struct reader *reader, struct log *log)
{
    struct stat info;
    if (log->fd >= 0 && !fstat(log->fd, &info) && info.st_size < log->offset)
        log->offset = 0;
    if (log->fd >= 0)
        log->offset = send_rest(reader, log, log->fd, log->offset);
    int fd = open_log(log, 0);
    if (fd < 0)
        return;
    if (log->fd >= 0 && !fstat(fd, &info) && info.st_ino == log->inode) {
        close(fd);
        return;
    }
    if (log->fd >= 0)
        close(log->fd);
    log->fd = fd;
    log->inode = fstat(fd, &info) ? 0 : info.st_ino;
    log->offset = send_rest(reader, log, fd, 0);
}

/* A directory that is watched; services may get logs later. */
struct watched {
    int watch;
    const char *node;
    char *directory;
};

static const struct watched *find_watched(const struct watched *watched, size_t count, int watch)
{
    for (size_t i = 0; i < count; i++)
        if (watched[i].watch == watch)
            return &watched[i];
    return NULL;
}

static void handle_event(struct reader *reader, const struct watched *watched, const char *file)
{
    if (!watched || !is_log(file))
        return;
    if (!is_known(reader, watched->node, file))
        add_log(reader, watched->node, watched->directory, file);
    for (size_t i = 0; i < reader->count; i++)
        if (!strcmp(reader->logs[i].node, watched->node) && !strcmp(reader->logs[i].file, file))
            catch_up(reader, &reader->logs[i]);
}

static void handle_events(struct reader *reader, int inotify, const struct watched *watched, size_t count)
{
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t got = read(inotify, buffer, sizeof buffer);
    for (char *at = buffer; got > 0 && at < buffer + got && !reader->stopped;) {
        const struct inotify_event *event = (const struct inotify_event *)at;
        if (event->len)
            handle_event(reader, find_watched(watched, count, event->wd), event->name);
        /* Too much at once: events were dropped, so every log is looked at. */
        for (size_t i = 0; event->mask & IN_Q_OVERFLOW && i < reader->count; i++)
            catch_up(reader, &reader->logs[i]);
        at += sizeof *event + event->len;
    }
}

static int32_t follow(struct reader *reader, const char *const *nodes, size_t count, struct problem *problem)
{
    AUTO_FD int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct watched *watched = calloc(count + 1, sizeof *watched);
    if (inotify < 0)
        problem_set_errno(problem, errno, "can't watch the logs");
    else if (!watched)
        problem_no_memory(problem);
    for (size_t i = 0; watched && i < count && !problem->code; i++) {
        AUTO_FREE char *node_directory = local_node_directory(reader->local, nodes[i]);
        watched[i].node = nodes[i];
        watched[i].directory = node_directory ? local_format("%s/log", node_directory) : NULL;
        if (!watched[i].directory)
            problem_no_memory(problem);
        else if ((watched[i].watch = inotify_add_watch(inotify, watched[i].directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO)) < 0)
            problem_set_errno(problem, errno, "can't watch %s", watched[i].directory);
    }
    /* Written between the last lines and the first watch. */
    for (size_t i = 0; i < reader->count && !problem->code; i++)
        catch_up(reader, &reader->logs[i]);
    while (!problem->code && !reader->stopped && !plugin_host->cancelled(reader->call)) {
        struct pollfd ready = { .fd = inotify, .events = POLLIN };
        if (poll(&ready, 1, CANCEL_POLL_MS) > 0)
            handle_events(reader, inotify, watched, count);
    }
    for (size_t i = 0; watched && i < count; i++)
        free(watched[i].directory);
    free(watched);
    return problem->code;
}

/* ---- the slot ---- */

static void reader_clear(struct reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (reader->logs[i].fd >= 0)
            close(reader->logs[i].fd);
        free(reader->logs[i].directory);
        free(reader->logs[i].file);
    }
    free(reader->logs);
}

static int32_t read_logs(struct reader *reader, json_object *document, struct problem *problem)
{
    json_object *resources = json_get_array(document, "resources");
    const char *wanted = json_get_string(document, "node");
    int64_t lines = json_get_int(document, "lines", LINES_DEFAULT);
    const char **nodes = calloc(json_count(resources) + 1, sizeof *nodes);
    size_t count = 0;
    if (!nodes)
        return problem_no_memory(problem);
    for (size_t i = 0; i < json_count(resources) && !problem->code && !reader->stopped; i++) {
        const char *key = json_get_string(json_at(resources, i), "key");
        const char *node = key ? local_node_of_key(key) : NULL;
        if (!node || (wanted && strcmp(node, wanted) != 0))
            continue;
        nodes[count++] = node;
        send_node(reader, node, lines > 0 ? (size_t)lines : SIZE_MAX, problem);
    }
    if (!problem->code && wanted && !count)
        problem_set(problem, MEMORIES_NOT_FOUND, "there is no node %s", wanted);
    if (!problem->code && !reader->stopped && json_get_bool(document, "follow", false))
        follow(reader, nodes, count, problem);
    free(nodes);
    return problem->code;
}

int32_t local_logs(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of logs");
    if (!document)
        return MEMORIES_INTERNAL;
    struct reader reader = { .call = call, .local = instance, .last = NOBODY };
    struct problem problem = { 0 };
    int32_t failed = read_logs(&reader, document, &problem);
    reader_clear(&reader);
    return failed ? problem_fail(call, &problem) : MEMORIES_OK;
}
