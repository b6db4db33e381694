/* base.h - what all parts of the supervisor and its client share: errors, clocks, whole reads and writes */
#ifndef LOCAL_NODE_BASE_H
#define LOCAL_NODE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugins/common/cleanup.h"
#include "plugins/providers/local/node/node_client.h"

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* Names within a node's directory. */
#define NODE_DEFINITION_FILE "node.json"
#define NODE_LOCK_FILE "lock"
#define NODE_SOCKET_FILE "control.sock"
#define NODE_COMMANDS_MARK "run/commands-done"
#define NODE_METRICS_FILE "metrics"

/* How documents are written: on one line, for those are the unit of both pipe and socket. */
#define NODE_JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* The variable by which every process of a node can be recognised; its value is the node's directory. */
#define NODE_MARK "MEMORIES_NODE"

/* Fill `error` (NULL: nobody wants to know) and return its code, so that `return node_fail(…);` reads well. */
int32_t node_fail(struct node_error *error, int32_t code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for a failed system call: code and cause come from `number`, an errno value. */
int32_t node_fail_errno(struct node_error *error, int number, const char *format, ...) PRINTF_LIKE(3, 4);
void node_cause(struct node_error *error, const char *format, ...) PRINTF_LIKE(2, 3);
void node_hint(struct node_error *error, const char *format, ...) PRINTF_LIKE(2, 3);

int64_t node_now_ms(void);       /* since 1970 */
int64_t node_monotonic_ms(void); /* never jumps */

/* Writes all of it or returns -1 with errno. */
int node_write_all(int fd, const void *bytes, size_t count);
/* The content of a file below `directory` (AT_FDCWD for none), NUL-terminated, the caller's (free); NULL with errno. */
char *node_read_file(int directory, const char *path, size_t *count);
/* Replaces a file's content in place, for files that are no configuration: /proc, cgroups. */
int node_write_file(int directory, const char *path, const char *content);

#endif
