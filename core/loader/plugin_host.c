/*
 * plugin_host.c - the program memories-plugin-host: a plugin in a process of its own; see isolate.h
 *
 * Started by the core with the plugin's file as its argument and a socket. It ends when the core closes that socket.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/loader/call_object.h"
#include "core/loader/channel.h"
#include "core/loader/decorator.h"
#include "core/loader/isolate.h"
#include "core/loader/isolate_wire.h"
#include "core/loader/open.h"
#include "core/loader/slot.h"

/* One call: its socket, and the memory that the plugin gets in it. Several threads of the plugin may use it. */
struct served_call {
    int fd;
    pthread_mutex_t lock; /* held from a question to its answer */
    struct memories_call call;
    struct call_environment environment; /* whose user_data is this */
};

static const struct plugin *plugin;

/* ---- The host table ---------------------------------------------------------------------------------------------- */

/* Without the core there is nothing to live for. */
static void ask(struct memories_call *call, const struct message *question, struct message *answer)
{
    struct served_call *served = call->environment->user_data;
    pthread_mutex_lock(&served->lock);
    if (channel_send(served->fd, question) || channel_receive(served->fd, answer))
        _exit(1);
    pthread_mutex_unlock(&served->lock);
}

static int64_t ask_number(struct memories_call *call, const struct message *question)
{
    AUTO_MESSAGE struct message answer = { 0 };
    ask(call, question, &answer);
    return message_number(&answer);
}

static void *forward_allocate(struct memories_call *call, size_t bytes)
{
    return call_host()->allocate(call, bytes);
}

static void forward_log(struct memories_call *call, int32_t level, const char *text)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_LOG);
    message_put_number(&question, level);
    message_put_text(&question, text);
    ask_number(call, &question);
}

static int32_t forward_fail(struct memories_call *call, const struct memories_error_detail *detail)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_FAIL);
    wire_put_detail(&question, detail);
    return (int32_t)ask_number(call, &question);
}

static int32_t forward_cancelled(struct memories_call *call)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_CANCELLED);
    return (int32_t)ask_number(call, &question);
}

static int64_t forward_now_ms(struct memories_call *call)
{
    return call_host()->now_ms(call);
}

static int64_t forward_monotonic_ms(struct memories_call *call)
{
    return call_host()->monotonic_ms(call);
}

static const char *forward_secret(struct memories_call *call, const char *reference, size_t *bytes)
{
    AUTO_MESSAGE struct message question = { 0 };
    AUTO_MESSAGE struct message answer = { 0 };
    size_t count;
    message_put_number(&question, SERVICE_SECRET);
    message_put_text(&question, reference);
    ask(call, &question, &answer);
    const char *text = message_bytes(&answer, &count);
    char *copy = text ? forward_allocate(call, count + 1) : NULL;
    if (bytes)
        *bytes = copy ? count : 0;
    return copy ? memcpy(copy, text, count) : NULL;
}

static void *allocate_for(void *call, size_t bytes)
{
    return forward_allocate(call, bytes);
}

/* The answer's texts live as long as the call: they are moved into its memory. */
static char *keep_answer(struct memories_call *call, struct message *answer)
{
    char *kept = forward_allocate(call, answer->length + 1);
    return kept ? memcpy(kept, answer->bytes, answer->length) : NULL;
}

static int32_t no_memory(struct memories_call *call)
{
    const struct memories_error_detail detail = { .size = sizeof detail, .code = MEMORIES_NO_MEMORY };
    return forward_fail(call, &detail);
}

static int32_t take_responses(struct memories_call *call, struct message *answer, size_t count,
                              const struct memories_http_response **responses)
{
    struct memories_http_response *items = forward_allocate(call, (count + 1) * sizeof *items);
    char *kept = keep_answer(call, answer);
    if (!items || !kept)
        return no_memory(call);
    struct message lasting = { .bytes = kept, .length = answer->length };
    int32_t code = (int32_t)message_number(&lasting);
    for (size_t i = 0; !code && i < count; i++) {
        wire_response(&lasting, &items[i], allocate_for, call);
        responses[i] = &items[i];
    }
    return lasting.failed ? no_memory(call) : code;
}

static int32_t forward_http(struct memories_call *call, const struct memories_http_request *const *requests,
                            size_t count, const struct memories_http_response **responses)
{
    AUTO_MESSAGE struct message question = { 0 };
    AUTO_MESSAGE struct message answer = { 0 };
    message_put_number(&question, SERVICE_HTTP);
    message_put_number(&question, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        wire_put_request(&question, requests[i]);
    if (question.failed)
        return no_memory(call);
    ask(call, &question, &answer);
    return take_responses(call, &answer, count, responses);
}

static int32_t forward_result(struct memories_call *call, const char *json)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_RESULT);
    message_put_text(&question, json);
    return (int32_t)ask_number(call, &question);
}

static int32_t forward_stream(struct memories_call *call, const char *node, const char *bytes, size_t count)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_STREAM);
    message_put_text(&question, node);
    message_put_bytes(&question, bytes, count);
    return (int32_t)ask_number(call, &question);
}

static int32_t forward_operation_result(struct memories_call *call, size_t index, uint32_t state, const char *outputs,
                                        uint32_t poll_after_ms)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_OPERATION_RESULT);
    message_put_number(&question, (int64_t)index);
    message_put_number(&question, state);
    message_put_text(&question, outputs);
    message_put_number(&question, poll_after_ms);
    return (int32_t)ask_number(call, &question);
}

static int32_t forward_operation_failed(struct memories_call *call, size_t index,
                                        const struct memories_error_detail *detail)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_OPERATION_FAILED);
    message_put_number(&question, (int64_t)index);
    wire_put_detail(&question, detail);
    return (int32_t)ask_number(call, &question);
}

static void forward_progress(struct memories_call *call, size_t index, const char *text)
{
    AUTO_MESSAGE struct message question = { 0 };
    message_put_number(&question, SERVICE_PROGRESS);
    message_put_number(&question, (int64_t)index);
    message_put_text(&question, text);
    ask_number(call, &question);
}

static const struct memories_host forward_host = {
    .size = sizeof forward_host,
    .abi_minor = MEMORIES_ABI_MINOR,
    .allocate = forward_allocate,
    .log = forward_log,
    .fail = forward_fail,
    .cancelled = forward_cancelled,
    .now_ms = forward_now_ms,
    .monotonic_ms = forward_monotonic_ms,
    .secret = forward_secret,
    .http = forward_http,
    .result = forward_result,
    .stream = forward_stream,
    .operation_result = forward_operation_result,
    .operation_failed = forward_operation_failed,
    .progress = forward_progress,
};
_Static_assert(sizeof forward_host == offsetof(struct memories_host, progress) + sizeof forward_host.progress,
               "a service of plugin.h is not carried over to the core yet");

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

/* The slot's function, whatever its type: members of a union lie at its beginning. */
static void take_function(struct invocation *invocation, const struct slot *slot)
{
    memcpy(&invocation->slot, (const char *)&plugin->ops + slot->offset, sizeof(void (*)(void)));
}

static bool take_operations(struct message *message, struct served_call *served, struct invocation *invocation)
{
    int64_t count = message_number(message);
    struct memories_operation *operations =
        count >= 0 && count <= WIRE_COUNT_MAX
            ? forward_allocate(&served->call, ((size_t)count + 1) * sizeof *operations)
            : NULL;
    const struct memories_operation **pointers =
        operations ? forward_allocate(&served->call, ((size_t)count + 1) * sizeof *pointers) : NULL;
    if (!pointers)
        return false;
    for (int64_t i = 0; i < count; i++) {
        wire_operation(message, &operations[i]);
        pointers[i] = &operations[i];
    }
    invocation->operations = pointers;
    invocation->count = (size_t)count;
    return !message->failed;
}

static void run_call(struct served_call *served, struct message *request)
{
    const struct decorator innermost = { NULL, NULL };
    const char *name = message_text(request);
    void *instance = (void *)(intptr_t)message_number(request),
         *opened = NULL; // NOLINT: the core gives back what it got
    const struct slot *slot = name ? slot_find(plugin->kind, name) : NULL;
    if (!slot || !slot_is_filled(plugin, slot))
        _exit(1);
    served->call.slot = slot->name;
    struct invocation invocation = { .shape = slot->shape,
                                     .slot_name = slot->name,
                                     .host = &forward_host,
                                     .instance = instance,
                                     .opened = &opened,
                                     .request = message_text(request) };
    take_function(&invocation, slot);
    int32_t code = take_operations(request, served, &invocation)
                       ? decorator_pass(&innermost, &invocation, &served->call)
                       : MEMORIES_NO_MEMORY;
    AUTO_MESSAGE struct message answer = { 0 };
    message_put_number(&answer, SERVICE_RETURN);
    message_put_number(&answer, code);
    message_put_number(&answer, (int64_t)(intptr_t)opened);
    if (channel_send(served->fd, &answer))
        _exit(1);
}

static void *serve_call(void *argument)
{
    struct served_call *served = argument;
    AUTO_MESSAGE struct message request = { 0 };
    served->environment.user_data = served;
    served->call.plugin = plugin;
    served->call.environment = &served->environment;
    if (pthread_mutex_init(&served->lock, NULL) || call_object_init(&served->call, NULL) ||
        channel_receive(served->fd, &request))
        _exit(1);
    run_call(served, &request);
    call_object_clear(&served->call);
    pthread_mutex_destroy(&served->lock);
    close(served->fd);
    free(served);
    return NULL;
}

/* A call that can't be served closes its socket by ending the process: the core says that it ended, and goes on. */
static void begin_call(int fd)
{
    struct served_call *served = calloc(1, sizeof *served);
    pthread_t thread;
    if (!served)
        _exit(1);
    served->fd = fd;
    if (pthread_create(&thread, NULL, serve_call, served))
        _exit(1);
    pthread_detach(thread);
}

/* ---- The process ------------------------------------------------------------------------------------------------- */

static void put_plugin(struct message *hello)
{
    int64_t count = 0;
    message_put_number(hello, plugin->kind);
    message_put_number(hello, plugin->abi_major);
    message_put_number(hello, plugin->abi_minor);
    message_put_number(hello, plugin->abi_minor_needed);
    message_put_number(hello, plugin->thread_model);
    message_put_text(hello, plugin->name);
    message_put_text(hello, plugin->version);
    message_put_text(hello, plugin->licence);
    message_put_text(hello, plugin->homepage);
    for (size_t i = 0; i < loader_slot_count; i++)
        count += loader_slots[i].kind == plugin->kind && slot_is_filled(plugin, &loader_slots[i]);
    message_put_number(hello, count);
    for (size_t i = 0; i < loader_slot_count; i++)
        if (loader_slots[i].kind == plugin->kind && slot_is_filled(plugin, &loader_slots[i]))
            message_put_text(hello, loader_slots[i].name);
}

static int say_hello(const char *path)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_MESSAGE struct message hello = { 0 };
    enum load_failure failure = LOAD_OK;
    plugin = loader_map_file(path, &failure, &error);
    message_put_number(&hello, failure);
    if (plugin)
        put_plugin(&hello);
    else {
        const char *cause = memories_error_cause(error);
        AUTO_FREE char *text =
            text_format("%s%s%s", memories_error_message(error), cause ? ": " : "", cause ? cause : "");
        message_put_text(&hello, text);
        message_put_text(&hello, memories_error_hint(error));
    }
    return channel_send(ISOLATE_DESCRIPTOR, &hello);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "memories-plugin-host is started by memories, for plugins that it isolates\n");
        return 2;
    }
    close_range(ISOLATE_DESCRIPTOR + 1, ~0U, 0);
    if (say_hello(argv[1]) || !plugin)
        return 1;
    for (int fd; (fd = channel_receive_descriptor(ISOLATE_DESCRIPTOR)) >= 0;)
        begin_call(fd);
    _exit(0); /* without the plugin's destructors: threads may still be in it */
}
