/*
 * call.h - the one way by which the core calls plugins
 *
 * struct memories_call collects what a slot gives back. The functions here make the call object, take the plugin's lock
 * when it is serialised, run the slot, and turn what came back into results and errors (a plugin that breaks the rules is
 * reported as such). What stands round a call, see decorator.h, is entered here.
 */
#ifndef CORE_LOADER_CALL_H
#define CORE_LOADER_CALL_H

#include <json-c/json.h>
#include <stdatomic.h>

#include "core/loader/loader.h"

struct http_client;
struct secrets;

/* What a call may reach; one for each deployment at work. Members may be NULL: the service then answers with an error. */
struct call_environment {
    const char *deployment;     /* id or NULL */
    const atomic_int *cancel;   /* non-zero: stop */
    struct http_client *http;
    struct secrets *secrets;    /* certificates and keys of the deployment */
    void (*on_log)(const char *plugin, int32_t level, const char *text, void *user_data);
    void (*on_progress)(size_t index, const char *text, void *user_data);
    int (*on_stream)(const char *node, const char *bytes, size_t count, void *user_data);
    void *user_data;
};

/* The answer for one operation of a batch. */
struct operation_answer {
    bool answered;
    uint32_t state;          /* MEMORIES_STATE_… when error is NULL */
    uint32_t poll_after_ms;
    json_object *outputs;    /* NULL: unchanged */
    memories_error *error;
};
void operation_answer_clear(struct operation_answer *answer);

typedef int32_t document_slot(struct memories_call *call, const char *request);
typedef int32_t instance_document_slot(void *instance, struct memories_call *call, const char *request);
typedef int32_t batch_slot(void *instance, struct memories_call *call,
                           const struct memories_operation *const *operations, size_t count);

/* Slots that answer with one document. `slot_name` is used in errors. *result (may be NULL): new reference, or NULL when
 * the slot gave none. */
int call_document(const struct plugin *plugin, const struct call_environment *environment, const char *slot_name,
                  document_slot *slot, json_object *request, json_object **result, memories_error **error);
int call_instance_document(const struct plugin *plugin, const struct call_environment *environment,
                           const char *slot_name, instance_document_slot *slot, void *instance, json_object *request,
                           json_object **result, memories_error **error);
/* The same for a slot that only reads: THROTTLED, TRANSIENT and TIMEOUT are tried a few times, with pauses. */
int call_instance_question(const struct plugin *plugin, const struct call_environment *environment,
                           const char *slot_name, instance_document_slot *slot, void *instance, json_object *request,
                           json_object **result, memories_error **error);
/* The same for one whose result counts, as far as it came, when it fails too: *result may be set after an error. */
int call_instance_report(const struct plugin *plugin, const struct call_environment *environment, const char *slot_name,
                         instance_document_slot *slot, void *instance, json_object *request, json_object **result,
                         memories_error **error);
int call_open(const struct plugin *plugin, const struct call_environment *environment, json_object *request,
              void **instance, memories_error **error);
void call_close(const struct plugin *plugin, void *instance);

/* A batch. answers[count] is filled for every operation: when the slot fails as a whole, or forgets an operation, those
 * without an answer get an error. Returns 0 when the slot ran, whatever the answers. */
int call_batch(const struct plugin *plugin, const struct call_environment *environment, const char *slot_name,
               batch_slot *slot, void *instance, const struct memories_operation *const *operations, size_t count,
               struct operation_answer *answers, memories_error **error);

/* For the loader. */
int call_init(const struct plugin *plugin, memories_error **error);
int call_describe(const struct plugin *plugin, json_object **description, memories_error **error);

/* The table handed to plugins. */
const struct memories_host *call_host(void);

#endif
