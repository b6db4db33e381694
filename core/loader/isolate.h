/*
 * isolate.h - a plugin in a process of its own: a crash there fails a call, and nothing else
 *
 * The program memories-plugin-host loads the plugin's file; a decorator, the innermost, carries each call over to it,
 * and the host's services back. When the process has died, the call under way fails, and the next one starts another
 * process, where the plugin is initialised and the instance opened anew. It is no sandbox: the process has all the
 * user's rights.
 */
#ifndef CORE_LOADER_ISOLATE_H
#define CORE_LOADER_ISOLATE_H

#include "core/loader/loader.h"

/* Starts the process and fills *plugin (whose path is set) with what it says of the plugin, as descriptor_take would;
 * the slots that are there are not NULL, and must be called through *innermost. */
enum load_failure isolate_start(struct plugin *plugin, struct decorator **innermost, memories_error **error);

/* ---- What both sides know ---------------------------------------------------------------------------------------- */

/*
 * After its start the process says number LOAD_…; when it is LOAD_OK, also: kind, ABI major, minor, needed minor,
 * thread model, texts name, version, licence, homepage, number of slots, their names; otherwise: texts message, hint.
 *
 * Then it waits for descriptors of calls. What a call is given: text slot, number instance, text request, number of
 * operations, and for each: generation, attempt, power_on, texts key, type, token, inputs, outputs.
 *
 * The process answers with any number of services, each followed by an answer from the core, and at last by
 * SERVICE_RETURN.
 */
enum isolate_service {
    SERVICE_RETURN,           /* code, instance */
    SERVICE_LOG,              /* level, text: 0 */
    SERVICE_FAIL,             /* detail: code */
    SERVICE_CANCELLED,        /* : whether */
    SERVICE_SECRET,           /* reference: bytes */
    SERVICE_HTTP,             /* count, requests: code, responses */
    SERVICE_RESULT,           /* JSON: code */
    SERVICE_STREAM,           /* node, bytes: whether to stop */
    SERVICE_OPERATION_RESULT, /* index, state, outputs, poll_after_ms: code */
    SERVICE_OPERATION_FAILED, /* index, detail: code */
    SERVICE_PROGRESS,         /* index, text: 0 */
};

/* The descriptor behind which the process finds its first socket. */
#define ISOLATE_DESCRIPTOR 3

#endif
