/*
 * metadata.c - what a plugin's file says about itself, read without running it
 *
 * The macro MEMORIES_PLUGIN leaves a block of text in the file: a marker, lines of key=value, an empty line. The block
 * is looked for anywhere in the file, so that no object format needs to be understood.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/loader/loader.h"
#include "core/loader/name.h"

/* Bounds: of a block with its marker, and of how far into a file one is looked for. */
#define BLOCK_BYTES_MAX 1024u
#define SCAN_BYTES_MAX (256u << 20)

static const char marker[] = MEMORIES_PLUGIN_MARKER;
#define MARKER_BYTES (sizeof marker - 1)

static bool is_kind(const char *value)
{
    return plugin_kind_of(value) != 0;
}

/* "1.0" */
static bool is_abi(const char *value)
{
    size_t major = strspn(value, "0123456789");
    size_t minor = value[major] == '.' ? strspn(value + major + 1, "0123456789") : 0;
    return major && major <= 5 && minor && minor <= 5 && !value[major + 1 + minor];
}

static bool is_text(const char *value)
{
    for (; *value; value++)
        if (*value < 0x20 || *value > 0x7e)
            return false;
    return true;
}

static const struct {
    const char *key;
    bool (*fits)(const char *value);
    bool required;
} keys[] = { { "kind", is_kind, true },     { "name", plugin_name_is_valid, true }, { "version", is_text, false },
             { "licence", is_text, false }, { "abi", is_abi, true },   { "needs", is_abi, true } };

/* Takes "key=value" in. Keys of later versions are passed over; a key given twice is an error. */
static bool take_line(json_object *metadata, char *line)
{
    char *value = strchr(line, '=');
    if (!value)
        return false;
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (!strcmp(line, keys[i].key))
            return keys[i].fits(value) && !json_get(metadata, line) && json_set_string(metadata, line, value) == 0;
    return true;
}

static bool is_complete(json_object *metadata)
{
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (keys[i].required && !json_get(metadata, keys[i].key))
            return false;
    return true;
}

/* The block whose lines begin at `bytes`. */
static json_object *parse_block(const char *bytes, size_t count)
{
    char lines[BLOCK_BYTES_MAX + 1];
    if (count > BLOCK_BYTES_MAX)
        count = BLOCK_BYTES_MAX;
    memcpy(lines, bytes, count);
    lines[count] = '\0';
    AUTO_JSON json_object *metadata = json_object_new_object();
    for (char *line = lines; metadata;) {
        char *end = strchr(line, '\n');
        if (!end)
            return NULL;
        if (end == line)
            return is_complete(metadata) ? STEAL(metadata) : NULL;
        *end = '\0';
        if (!take_line(metadata, line))
            return NULL;
        line = end + 1;
    }
    return NULL;
}

json_object *metadata_parse(const char *bytes, size_t count)
{
    const char *end = bytes + count;
    while ((bytes = memmem(bytes, (size_t)(end - bytes), marker, MARKER_BYTES))) {
        bytes += MARKER_BYTES;
        json_object *metadata = parse_block(bytes, (size_t)(end - bytes));
        if (metadata)
            return metadata;
    }
    return NULL;
}

/* A window moves over the file; the tail of one goes before the next, so that no block is cut. */
struct window {
    char bytes[65536 + BLOCK_BYTES_MAX + MARKER_BYTES];
    size_t count;
};

static json_object *scan(int fd, struct window *window, int *number)
{
    const size_t tail = BLOCK_BYTES_MAX + MARKER_BYTES;
    for (size_t seen = 0; seen < SCAN_BYTES_MAX;) {
        ssize_t got = read(fd, window->bytes + window->count, sizeof window->bytes - window->count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            *number = errno;
        if (got <= 0)
            return NULL;
        seen += (size_t)got;
        window->count += (size_t)got;
        json_object *metadata = metadata_parse(window->bytes, window->count);
        if (metadata)
            return metadata;
        if (window->count > tail) {
            memmove(window->bytes, window->bytes + window->count - tail, tail);
            window->count = tail;
        }
    }
    return NULL;
}

json_object *metadata_read(const char *path, memories_error **error)
{
    /* Not blocking: a FIFO in a plugin directory must not hang the program. */
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        error_set_errno(error, errno, "can't open %s", path);
        return NULL;
    }
    AUTO_FREE struct window *window = calloc(1, sizeof *window);
    if (!window) {
        error_no_memory(error);
        return NULL;
    }
    int number = 0;
    json_object *metadata = scan(fd, window, &number);
    if (number)
        error_set_errno(error, number, "can't read %s", path);
    else if (!metadata)
        error_set(error, MEMORIES_NOT_FOUND, "%s has no plugin metadata", path);
    return metadata;
}

/* ---- The description --------------------------------------------------------------------------------------------- */

/* What stands behind a marker, if it is a JSON object. The bytes end with a NUL at the latest. */
static json_object *parse_description(const char *text)
{
    AUTO_JSON json_object *description = json_parse(text, "the description", NULL);
    return json_object_is_type(description, json_type_object) ? STEAL(description) : NULL;
}

json_object *metadata_description(const char *path, memories_error **error)
{
    static const char description_marker[] = MEMORIES_DESCRIPTION_MARKER;
    const size_t marker_bytes = sizeof description_marker - 1;
    size_t bytes;
    AUTO_FREE char *content = file_read(path, SCAN_BYTES_MAX, &bytes, error);
    if (!content)
        return NULL;
    const char *at = content, *end = content + bytes;
    while ((at = memmem(at, (size_t)(end - at), description_marker, marker_bytes))) {
        at += marker_bytes;
        json_object *description = parse_description(at);
        if (description)
            return description;
    }
    error_set(error, MEMORIES_NOT_FOUND, "%s carries no description", path);
    return NULL;
}
