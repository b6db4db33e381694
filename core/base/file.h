/* file.h - files and directories the careful way: private modes, whole or not at all */
#ifndef CORE_BASE_FILE_H
#define CORE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <memories/memories.h>

/* A whole file of at most `max_bytes`; NUL-terminated; "-" is standard input. */
char *file_read(const char *path, size_t max_bytes, size_t *bytes, memories_error **error);
/* Temporary file beside it, then rename: whole or not at all, for every process. Also after a loss of power, when `sync`;
 * that waits for the disk twice. */
int file_write(const char *path, const void *content, size_t bytes, mode_t mode, bool sync, memories_error **error);
/* The directory and its missing parents. An existing one must be ours and closed to writing by others. */
int directory_make(const char *path, mode_t mode, memories_error **error);
/* Removes a tree without following links or leaving its file system; what is not there is no error. */
int directory_remove(const char *path, memories_error **error);

#endif
