/*
 * trace.h - each call between the core and a plugin as lines of JSON
 *
 *     {"at", "plugin", "call": number, "slot", "event": "enter", "deployment", "request" | "operations"}
 *     {…, "event": "host", "service": "http" | "secret" | "log" | "stream" | "progress", …}
 *     {…, "event": "leave", "duration_us", "code", "result" | "answers", "error"}
 *
 * Secrets are left out: members that are named like one, what host->secret has given, private keys, queries of URLs,
 * and headers and bodies of HTTP altogether.
 */
#ifndef CORE_LOADER_TRACE_H
#define CORE_LOADER_TRACE_H

#include <json-c/json.h>

#include <memories/memories.h>

/* From its first call on, every call of a plugin so called (see loader_decorate) is written to `fd`, which is never
 * closed. */
int trace_plugin(const char *name, int fd, memories_error **error);

/* A copy of a document without what is secret. `document` may be NULL; NULL for it and when memory ran out. */
json_object *trace_redact(json_object *document);

#endif
