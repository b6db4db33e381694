/* call.c - runs slots of plugins, and judges what they return */
#include "core/loader/call.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/backoff.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/call_object.h"
#include "core/loader/decorator.h"
#include "core/loader/name.h"

/* Tries of a question before its error counts. */
#define QUESTION_ATTEMPTS 6

/* The only place where the core enters a plugin after its query function. */
static int32_t invoke(const struct invocation *invocation, struct memories_call *call)
{
    switch (invocation->shape) {
    case INVOCATION_INIT:
        return invocation->slot.init(invocation->host, call);
    case INVOCATION_DESCRIBE:
        return invocation->slot.describe(call);
    case INVOCATION_DOCUMENT:
        return invocation->slot.document(call, invocation->request);
    case INVOCATION_INSTANCE_DOCUMENT:
        return invocation->slot.instance_document(invocation->instance, call, invocation->request);
    case INVOCATION_OPEN:
        return invocation->slot.open(call, invocation->request, invocation->opened);
    case INVOCATION_CLOSE:
        invocation->slot.close(invocation->instance);
        return 0;
    case INVOCATION_BATCH:
        return invocation->slot.batch(invocation->instance, call, invocation->operations, invocation->count);
    }
    return MEMORIES_INTERNAL;
}

static int32_t invoke_decorated(struct decorator *decorator, const struct invocation *invocation,
                                struct memories_call *call)
{
    return decorator ? decorator->call(decorator, invocation, call) : invoke(invocation, call);
}

int32_t decorator_pass(const struct decorator *decorator, const struct invocation *invocation,
                       struct memories_call *call)
{
    return invoke_decorated(decorator->inner, invocation, call);
}

static int32_t invoke_locked(const struct invocation *invocation, struct memories_call *call)
{
    pthread_mutex_t *lock = call->plugin->lock;
    if (lock)
        pthread_mutex_lock(lock);
    int32_t code = invoke_decorated(call->plugin->decorator, invocation, call);
    if (lock)
        pthread_mutex_unlock(lock);
    return code;
}

PRINTF_LIKE(2, 0)
static memories_error *defect_error(const struct memories_call *call, const char *format, va_list arguments)
{
    memories_error *error = NULL;
    struct text rule = TEXT_INIT;
    text_vprintf(&rule, format, arguments);
    AUTO_FREE char *text = text_take(&rule);
    error_set(&error, MEMORIES_INTERNAL, "the plugin %s %s is defective: slot %s %s", plugin_kind_name(call->plugin->kind),
              call->plugin->name, call->slot, text ? text : "broke a rule");
    error_where(&error, "%s", call->plugin->path ? call->plugin->path : call->plugin->name);
    error_hint(&error, "report this to the plugin's author%s%s; the configuration is not at fault",
               call->plugin->homepage ? ": " : "", call->plugin->homepage ? call->plugin->homepage : "");
    return error;
}

memories_error *call_defect_error(const struct memories_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    memories_error *error = defect_error(call, format, arguments);
    va_end(arguments);
    return error;
}

void call_defect(struct memories_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    memories_error *error = defect_error(call, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&call->lock);
    error_move(&call->defect, error);
    pthread_mutex_unlock(&call->lock);
}

static bool is_stopping(const struct call_environment *environment)
{
    return environment->cancel && atomic_load(environment->cancel);
}

/* Holds the slot's return code against what it told the host. */
static void check_code(struct memories_call *call, int32_t code)
{
    if (code > 0)
        call_defect(call, "returned %d, expected 0 or a negative code", code);
    else if (code < MEMORIES_INTERNAL)
        call_defect(call, "returned %d, which is no code of memories/plugin.h", code);
    else if (!code && call->failure)
        call_defect(call, "returned 0 after it reported a failure: %s", memories_error_message(call->failure));
    else if (code && !call->failure && code != MEMORIES_NO_MEMORY &&
             !(code == MEMORIES_CANCELLED && is_stopping(call->environment)))
        call_defect(call, "returned %d (%s) and didn't report why", code, memories_code_name(code));
}

/* The call's end: 0, or its error moved to *error. */
static int verdict(struct memories_call *call, int32_t code, memories_error **error)
{
    check_code(call, code);
    if (call->defect)
        return error_move(error, STEAL(call->defect));
    if (call->failure)
        return error_move(error, STEAL(call->failure));
    if (code == MEMORIES_NO_MEMORY)
        return error_no_memory(error);
    if (code)
        error_set(error, code, "%s of %s %s was stopped on request", call->slot, plugin_kind_name(call->plugin->kind),
                  call->plugin->name);
    return code;
}

static const struct call_environment no_environment;

/* Runs one slot from begin to end. *result and answers may be NULL. */
static int run(const struct plugin *plugin, const struct call_environment *environment,
               const struct invocation *invocation, struct operation_answer *answers, json_object **result,
               memories_error **error)
{
    static atomic_uint_fast64_t calls;
    struct memories_call call = { .plugin = plugin,
                                  .environment = environment ? environment : &no_environment,
                                  .slot = invocation->slot_name,
                                  .number = atomic_fetch_add(&calls, 1) + 1,
                                  .operations = invocation->operations,
                                  .answers = answers,
                                  .count = invocation->count };
    int failed = call_object_init(&call, error);
    if (failed)
        return failed;
    int32_t code = invoke_locked(invocation, &call);
    failed = verdict(&call, code, error);
    if (result && (!failed || invocation->keeps_result))
        *result = STEAL(call.result);
    call_object_clear(&call);
    return failed;
}

static int missing_slot(const struct plugin *plugin, const char *slot_name, memories_error **error)
{
    return error_set(error, MEMORIES_UNSUPPORTED, "%s %s can't do this: it has no slot %s", plugin_kind_name(plugin->kind),
                     plugin->name, slot_name);
}

static int run_with_request(const struct plugin *plugin, const struct call_environment *environment,
                            struct invocation *invocation, json_object *request, json_object **result,
                            memories_error **error)
{
    AUTO_FREE char *text = json_text(request);
    if (!text)
        return error_no_memory(error);
    invocation->request = text;
    return run(plugin, environment, invocation, NULL, result, error);
}

int call_document(const struct plugin *plugin, const struct call_environment *environment, const char *slot_name,
                  document_slot *slot, json_object *request, json_object **result, memories_error **error)
{
    if (!slot)
        return missing_slot(plugin, slot_name, error);
    struct invocation invocation = { .shape = INVOCATION_DOCUMENT, .slot_name = slot_name, .slot.document = slot };
    return run_with_request(plugin, environment, &invocation, request, result, error);
}

int call_instance_document(const struct plugin *plugin, const struct call_environment *environment,
                           const char *slot_name, instance_document_slot *slot, void *instance, json_object *request,
                           json_object **result, memories_error **error)
{
    if (!slot)
        return missing_slot(plugin, slot_name, error);
    struct invocation invocation = {
        .shape = INVOCATION_INSTANCE_DOCUMENT, .slot_name = slot_name, .slot.instance_document = slot, .instance = instance
    };
    return run_with_request(plugin, environment, &invocation, request, result, error);
}

int call_instance_report(const struct plugin *plugin, const struct call_environment *environment, const char *slot_name,
                         instance_document_slot *slot, void *instance, json_object *request, json_object **result,
                         memories_error **error)
{
    if (!slot)
        return missing_slot(plugin, slot_name, error);
    struct invocation invocation = { .shape = INVOCATION_INSTANCE_DOCUMENT,
                                     .slot_name = slot_name,
                                     .slot.instance_document = slot,
                                     .instance = instance,
                                     .keeps_result = true };
    return run_with_request(plugin, environment, &invocation, request, result, error);
}

static bool may_pass(const memories_error *error)
{
    int code = memories_error_code(error);
    return code == MEMORIES_THROTTLED || code == MEMORIES_TRANSIENT || code == MEMORIES_TIMEOUT;
}

int call_instance_question(const struct plugin *plugin, const struct call_environment *environment,
                           const char *slot_name, instance_document_slot *slot, void *instance, json_object *request,
                           json_object **result, memories_error **error)
{
    for (uint32_t attempt = 1;; attempt++) {
        AUTO_ERROR memories_error *problem = NULL;
        int failed =
            call_instance_document(plugin, environment, slot_name, slot, instance, request, result, &problem);
        if (!failed || attempt == QUESTION_ATTEMPTS || !may_pass(problem) || is_stopping(environment))
            return failed ? error_move(error, STEAL(problem)) : 0;
        backoff_wait(backoff_ms(attempt, problem->retry_after_ms, arc4random()), environment->cancel);
    }
}

int call_open(const struct plugin *plugin, const struct call_environment *environment, json_object *request,
              void **instance, memories_error **error)
{
    struct invocation invocation = {
        .shape = INVOCATION_OPEN, .slot_name = "open", .slot.open = plugin->ops.provider.open, .opened = instance
    };
    *instance = NULL;
    return run_with_request(plugin, environment, &invocation, request, NULL, error);
}

void call_close(const struct plugin *plugin, void *instance)
{
    struct invocation invocation = {
        .shape = INVOCATION_CLOSE, .slot_name = "close", .slot.close = plugin->ops.provider.close, .instance = instance
    };
    run(plugin, NULL, &invocation, NULL, NULL, NULL);
}

int call_init(const struct plugin *plugin, memories_error **error)
{
    struct invocation invocation = { .shape = INVOCATION_INIT, .slot_name = "init", .host = call_host() };
    invocation.slot.init =
        plugin->kind == MEMORIES_PLUGIN_PROVIDER ? plugin->ops.provider.init : plugin->ops.topology.init;
    return invocation.slot.init ? run(plugin, NULL, &invocation, NULL, NULL, error) : 0;
}

int call_describe(const struct plugin *plugin, json_object **description, memories_error **error)
{
    struct invocation invocation = { .shape = INVOCATION_DESCRIBE, .slot_name = "describe" };
    invocation.slot.describe =
        plugin->kind == MEMORIES_PLUGIN_PROVIDER ? plugin->ops.provider.describe : plugin->ops.topology.describe;
    return run(plugin, NULL, &invocation, NULL, description, error);
}

void operation_answer_clear(struct operation_answer *answer)
{
    json_object_put(answer->outputs);
    memories_error_free(answer->error);
    *answer = (struct operation_answer){ 0 };
}

/* Operations left without an answer get the reason: the batch's own failure, or that the plugin forgot them. Returns how
 * many there were. */
static size_t answer_the_rest(const struct plugin *plugin, const struct invocation *invocation,
                            struct operation_answer *answers, const memories_error *failure)
{
    const struct memories_call call = { .plugin = plugin, .slot = invocation->slot_name };
    size_t forgotten = 0;
    for (size_t i = 0; i < invocation->count; i++) {
        if (answers[i].answered)
            continue;
        forgotten++;
        answers[i].answered = true;
        answers[i].error = failure ? error_copy(failure)
                                   : call_defect_error(&call, "gave no answer for operation %zu (%s)", i,
                                                       invocation->operations[i]->key);
    }
    return forgotten;
}

/* A slot that failed after it had answered for everything: the answers count, but the failure must not be lost. */
static void log_failure(const struct plugin *plugin, const struct call_environment *environment,
                        const memories_error *failure)
{
    if (!environment || !environment->on_log)
        return;
    AUTO_FREE char *text = memories_error_text(failure);
    if (text)
        environment->on_log(plugin->name, MEMORIES_LOG_ERROR, text, environment->user_data);
}

int call_batch(const struct plugin *plugin, const struct call_environment *environment, const char *slot_name,
               batch_slot *slot, void *instance, const struct memories_operation *const *operations, size_t count,
               struct operation_answer *answers, memories_error **error)
{
    if (!slot)
        return missing_slot(plugin, slot_name, error);
    if (!count)
        return 0;
    memset(answers, 0, count * sizeof *answers);
    struct invocation invocation = { .shape = INVOCATION_BATCH,
                                     .slot_name = slot_name,
                                     .slot.batch = slot,
                                     .instance = instance,
                                     .operations = operations,
                                     .count = count };
    AUTO_ERROR memories_error *failure = NULL;
    run(plugin, environment, &invocation, answers, NULL, &failure);
    if (!answer_the_rest(plugin, &invocation, answers, failure) && failure)
        log_failure(plugin, environment, failure);
    return 0;
}
