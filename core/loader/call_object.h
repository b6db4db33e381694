/*
 * call_object.h - what stands behind struct memories_call; shared by call.c (runs slots) and host.c (serves them)
 *
 * A plugin may use its call from several threads until the slot returns, so everything that it can change is guarded by
 * `lock`.
 */
#ifndef CORE_LOADER_CALL_OBJECT_H
#define CORE_LOADER_CALL_OBJECT_H

#include <pthread.h>

#include "core/base/error.h"
#include "core/loader/call.h"

struct call_memory;
struct call_responses;

struct memories_call {
    const struct plugin *plugin;
    const struct call_environment *environment; /* never NULL */
    const char *slot;
    uint64_t number; /* counts the calls of this process, from 1 */
    const struct memories_operation *const *operations; /* in a batch */
    struct operation_answer *answers;
    size_t count;
    pthread_mutex_t lock;
    struct call_memory *memory;
    struct call_responses *responses;
    memories_error *failure; /* the first reason that the plugin told */
    memories_error *defect;  /* the first rule that the plugin broke */
    json_object *result;
};

int call_object_init(struct memories_call *call, memories_error **error);
/* Releases all that the call handed out; memory is overwritten first, as a plugin may have put a secret there. */
void call_object_clear(struct memories_call *call);

/* Records that the plugin broke a rule of plugin.h; the call then fails with MEMORIES_INTERNAL whatever the slot returns. */
void call_defect(struct memories_call *call, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same as an error of its own, for one operation of a batch. */
memories_error *call_defect_error(const struct memories_call *call, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
