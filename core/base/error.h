/*
 * error.h - making error objects inside the core
 *
 * Every function that can fail takes `memories_error **error` last (NULL: the caller does not want to know) and returns 0
 * or a negative code, or NULL. A place that fails fills the error once; callers above add where and hint if those are
 * still unknown.
 */
#ifndef CORE_BASE_ERROR_H
#define CORE_BASE_ERROR_H

#include <json-c/json.h>

#include <memories/memories.h>

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

struct memories_error {
    int code;
    int http_status;
    uint32_t retry_after_ms;
    char *message;
    char *where;
    char *cause;
    char *request_id;
    char *hint;
    char *deployment_id;
    struct memories_error *next;
};

/* Fills *error unless it holds one already; returns `code`, so that `return error_set(…);` reads well. */
int error_set(memories_error **error, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for a failed system call: the cause is the text of `number` (an errno value). */
int error_set_errno(memories_error **error, int number, const char *format, ...) PRINTF_LIKE(3, 4);
int error_no_memory(memories_error **error);

/* Add to the error just set; nothing happens when there is none or the part is known already. */
void error_where(memories_error **error, const char *format, ...) PRINTF_LIKE(2, 3);
void error_cause(memories_error **error, const char *format, ...) PRINTF_LIKE(2, 3);
void error_hint(memories_error **error, const char *format, ...) PRINTF_LIKE(2, 3);
void error_deployment(memories_error **error, const char *id);

/* Appends `more` (taken over) behind the errors already in *error, unless one of them says the same. */
void error_chain(memories_error **error, memories_error *more);
/* Moves `from` into *error when that is wanted and empty, frees it otherwise; returns the code. */
int error_move(memories_error **error, memories_error *from);

/* A new error like `error`, without those chained behind it. */
memories_error *error_copy(const memories_error *error);

/* To and from what crosses the plugin ABI. */
memories_error *error_from_detail(const struct memories_error_detail *detail);
json_object *error_to_json(const memories_error *error);

#endif
