/*
 * plugin.h - what every in-tree plugin says to its host, in one line a time
 *
 * Uses nothing but the installed headers and json-c. Strings from plugin_format live until the slot returns.
 */
#ifndef PLUGINS_COMMON_PLUGIN_H
#define PLUGINS_COMMON_PLUGIN_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include <memories/plugin.h>

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* The newest `version` of documents that the in-tree plugins understand. */
#define DOCUMENT_VERSION 1

/* The host table, from plugin_init on. */
extern const struct memories_host *plugin_host;

/* An `init` slot that only remembers the host; a plugin with more to do calls it first. */
int32_t plugin_init(const struct memories_host *host, struct memories_call *call);

/* asprintf into the call's memory; NULL when there is none. */
char *plugin_format(struct memories_call *call, const char *format, ...) PRINTF_LIKE(2, 3);

/* Reports why the slot is about to fail and returns `code`: `return plugin_fail(…);`. where and hint may be NULL. The
 * message is one sentence without a final dot. */
int32_t plugin_fail(struct memories_call *call, int32_t code, const char *where, const char *hint, const char *format,
                    ...) PRINTF_LIKE(5, 6);
/* The same for a failed system call: MEMORIES_FAILED (MEMORIES_NO_MEMORY for ENOMEM, MEMORIES_DENIED for EACCES and
 * EPERM) with the text of `number`, an errno value, as the cause. */
int32_t plugin_fail_errno(struct memories_call *call, int number, const char *where, const char *hint,
                          const char *format, ...) PRINTF_LIKE(5, 6);
int32_t plugin_no_memory(struct memories_call *call);

/* The same for operations[index] of a batch; they return what operation_failed returns, 0 as a rule. */
int32_t plugin_operation_fail(struct memories_call *call, size_t index, int32_t code, const char *where,
                              const char *hint, const char *format, ...) PRINTF_LIKE(6, 7);
int32_t plugin_operation_fail_errno(struct memories_call *call, size_t index, int number, const char *where,
                                    const char *hint, const char *format, ...) PRINTF_LIKE(6, 7);

/* One line for the operator. */
void plugin_log(struct memories_call *call, int32_t level, const char *format, ...) PRINTF_LIKE(3, 4);

/* Parses a document that came from the core, and refuses a version that is too new. NULL: reported. `name` says in the
 * error what it is ("request of plan"). */
json_object *plugin_parse(struct memories_call *call, const char *text, const char *name);

/* Gives a document back as the slot's result; `document` is taken over. NULL counts as out of memory. */
int32_t plugin_result(struct memories_call *call, json_object *document);

/* The same for operations[index]; outputs is taken over and may be NULL, which keeps the recorded ones. */
int32_t plugin_operation_result(struct memories_call *call, size_t index, uint32_t state, json_object *outputs,
                                uint32_t poll_after_ms);

#endif
