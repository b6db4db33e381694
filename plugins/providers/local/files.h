/*
 * files.h - files and directories of the provider: private modes, whole or not at all, no links followed when removing
 */
#ifndef LOCAL_FILES_H
#define LOCAL_FILES_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "plugins/providers/local/problem.h"

/* asprintf that returns the string, the caller's (free), or NULL. */
char *local_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

bool local_exists(const char *path);

/* A whole file, NUL-terminated, the caller's (free). MEMORIES_NOT_FOUND when there is none. */
char *local_file_read(const char *path, size_t *bytes, struct problem *problem);
/* The last line with something in it, or the end of a very long one; the caller's (free). NULL: none, or no such file.
 */
char *local_file_last_line(const char *path);
/* A temporary file beside it, renamed: whoever opens it finds the old content or the new. `durable`: after a crash of the
 * machine too. */
int32_t local_file_write(const char *path, const char *content, size_t bytes, mode_t mode, bool durable,
                         struct problem *problem);

/* The JSON object in a file. MEMORIES_NOT_FOUND when there is none. */
json_object *local_json_read(const char *path, struct problem *problem);
int32_t local_json_write(const char *path, json_object *json, struct problem *problem);

/* The directory and its missing parents, 0700. */
int32_t local_directory_make(const char *path, struct problem *problem);
/* A whole tree; what is not there is no problem, a mount point in it is one. */
int32_t local_directory_remove(const char *path, struct problem *problem);

/* The names in a directory, sorted, without those that begin with a dot. None for an absent directory. */
struct local_names {
    char **names;
    size_t count;
};
int32_t local_directory_list(const char *path, struct local_names *names, struct problem *problem);
void local_names_clear(struct local_names *names);

#endif
