/*
 * decorator.h - one call of a slot as data, and what can be put round it
 *
 * A decorator stands round every call into one plugin from its init on, whoever wrote the plugin: it sees the call
 * before and after, may change it, answer in the plugin's place, or hand the plugin another host table. Decorators of
 * one plugin stand in a row; the last one asked for is the outermost. They are called from whatever thread calls the
 * plugin, and, when the plugin is serialised, one call at a time.
 */
#ifndef CORE_LOADER_DECORATOR_H
#define CORE_LOADER_DECORATOR_H

#include "core/loader/call.h"

enum invocation_shape {
    INVOCATION_INIT,
    INVOCATION_DESCRIBE,
    INVOCATION_DOCUMENT,
    INVOCATION_INSTANCE_DOCUMENT,
    INVOCATION_OPEN,
    INVOCATION_CLOSE,
    INVOCATION_BATCH,
};

/* All that a call of a slot consists of. Members that its shape doesn't have are NULL or 0. */
struct invocation {
    enum invocation_shape shape;
    const char *slot_name;
    union {
        int32_t (*init)(const struct memories_host *host, struct memories_call *call);
        int32_t (*describe)(struct memories_call *call);
        document_slot *document;
        instance_document_slot *instance_document;
        int32_t (*open)(struct memories_call *call, const char *request, void **instance);
        void (*close)(void *instance);
        batch_slot *batch;
    } slot;
    const struct memories_host *host; /* init: the table that the plugin keeps */
    void *instance;
    void **opened;
    const char *request;
    bool keeps_result; /* what a slot gave before it failed is an answer too */
    const struct memories_operation *const *operations;
    size_t count;
};

struct decorator {
    struct decorator *inner; /* NULL: the plugin itself */
    int32_t (*call)(struct decorator *decorator, const struct invocation *invocation, struct memories_call *call);
};

/* Goes on to what is inside. */
int32_t decorator_pass(const struct decorator *decorator, const struct invocation *invocation,
                       struct memories_call *call);

/* Makes a decorator for a plugin whose code is in the process and has not been initialised; it lives as long as the
 * process. NULL after an error. */
typedef struct decorator *decorator_maker(const struct plugin *plugin, void *data, memories_error **error);

/* Every plugin of this name ("local" of either kind, "provider-local"; NULL: every plugin) that is loaded from now on
 * is decorated. MEMORIES_CONFLICT when such a plugin is loaded already. `data` must live as long as the process. */
int loader_decorate(const char *name, decorator_maker *make, void *data, memories_error **error);

#endif
