/*
 * engine.h - makes actual equal desired, journalling every step
 *
 * deploy, update, stop, start, resume, roll back and delete are all engine_run with another desired state.
 */
#ifndef CORE_ENGINE_ENGINE_H
#define CORE_ENGINE_ENGINE_H

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/engine/plan.h"
#include "core/loader/call.h"
#include "core/store/store.h"

struct engine_event {
    uint32_t kind; /* MEMORIES_EVENT_… */
    const char *operation;
    const char *key;
    const char *type;
    const char *text;
    uint32_t done;
    uint32_t total;
    const memories_error *error;
};

struct engine {
    struct store *store;
    const char *deployment;
    int64_t fence;
    const struct plugin *provider;
    void *instance;
    const struct call_environment *environment; /* its cancel is obeyed */
    void (*on_event)(const struct engine_event *event, void *user_data); /* from any thread, several at once */
    void *user_data;
    /* Looks at each plan before it is run, and may refuse it. May be NULL. */
    int (*inspect)(const struct plan *plan, void *user_data, memories_error **error);
    /* Between groups of changed nodes when max_unavailable is set, and before the first when nodes are added: waits until the
     * whole works again. May be NULL. */
    int (*gate)(void *user_data, memories_error **error);
    uint32_t max_unavailable; /* nodes updated or replaced at one time; 0: no limit */
    int64_t timeout_ms; /* for one operation; 0: what the provider says of its type */
    uint32_t attempts; /* tries of one operation; 0: the default (6) */
    uint32_t generation_floor; /* as in plan.h */
    /* {node: true}: these are left as they are, with what stands on them. NULL: none. */
    json_object *left_alone;
};

/* Reads all recorded resources in batches by type (and looks up those in doubt by key and token), writes what changed to
 * the store unless fence is 0, and returns the fresh list (as store_resource_list). */
json_object *engine_refresh(struct engine *engine, memories_error **error);

/* Refresh, plan, and run until everything is as desired. Independent operations run at the same time, ready ones of one
 * type and kind in one batch. On an error what is under way is finished and recorded, nothing new begins, and the first
 * error is returned (further ones chained). MEMORIES_CANCELLED when asked to stop. */
int engine_run(struct engine *engine, json_object *desired, bool stopped, memories_error **error);

/* "ready": a MEMORIES_STATE_… in the store's words. */
const char *engine_state_name(uint32_t state);

/* The token of an operation: 40 hex digits out of deployment id, key, generation and attempt group. */
void engine_token(const char *deployment, const char *key, uint32_t generation, uint32_t group, char token[41]);

#endif
