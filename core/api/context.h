/*
 * context.h - what a context holds, and how the parts of core/api reach it
 */
#ifndef CORE_API_CONTEXT_H
#define CORE_API_CONTEXT_H

#include <json-c/json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <memories/memories.h>

#include "core/http/http.h"
#include "core/loader/call.h"
#include "core/loader/loader.h"
#include "core/store/store.h"

struct memories_context {
    char *state_dir;
    char *plugin_path; /* NULL: the default */
    memories_event_fn *on_event;
    void *user_data;
    pthread_mutex_t event_lock; /* held round on_event: events come from several threads, one at a time */
    int64_t operation_timeout_ms; /* in place of what providers say of their types; 0: as they say */
    atomic_int cancel; /* set by memories_cancel, by anybody; cleared when a call begins */
    json_object *isolated; /* names of plugins that get processes of their own: {"local": true}, or NULL */
    struct store *store;
    struct http_client *http;
};

/* Begins a public call: an earlier cancellation is forgotten. */
void context_begin(memories_context *context);

/* The store, opened at its first use; NULL with an error. */
struct store *context_store(memories_context *context, memories_error **error);
/* Likewise. */
struct http_client *context_http(memories_context *context, memories_error **error);

/* config: the deployment's, which may ask for isolation; NULL: none. */
const struct plugin *context_topology(memories_context *context, const char *name, json_object *config,
                                      memories_error **error);
const struct plugin *context_provider(memories_context *context, const char *name, json_object *config,
                                      memories_error **error);

/* The provider of a configuration with an instance that is opened for no deployment, for questions about what it is or has. */
struct provider_questions {
    const struct plugin *provider;
    struct call_environment environment;
    void *instance;
};
/* After 0, context_close_provider is due. */
int context_open_provider(memories_context *context, const memories_config *config,
                          struct provider_questions *questions, memories_error **error);
void context_close_provider(struct provider_questions *questions);

/* STATE_DIR/secrets/DEPLOYMENT; a new string. */
char *context_secrets_directory(const memories_context *context, const char *deployment);

/* Sends an event; its json is made here. `error` (may be NULL) goes into the json. */
void context_emit(memories_context *context, const struct memories_event *event, const memories_error *error);
/* A phase or warning in one line. */
void context_say(memories_context *context, uint32_t kind, const char *deployment, const char *operation,
                 const char *text);

#endif
