/* host.c - the core's services for plugins: the functions of struct memories_host */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/http/http.h"
#include "core/loader/call_object.h"
#include "core/pki/pki.h"

/* No document that a plugin returns is larger. */
#define DOCUMENT_BYTES_MAX (64u << 20)

/* What the structs of ABI 1.0 measured: the least that a plugin may hand in. */
#define END_OF(type, field) (offsetof(struct type, field) + sizeof(((struct type *)0)->field))
#define ERROR_DETAIL_BYTES_1_0 END_OF(memories_error_detail, hint)
#define HTTP_REQUEST_BYTES_1_0 END_OF(memories_http_request, unix_socket)

struct call_memory {
    struct call_memory *next;
    size_t bytes;
    max_align_t content[];
};

/* Lives in the call's memory. */
struct call_responses {
    struct call_responses *next;
    struct http_responses responses;
};

int call_object_init(struct memories_call *call, memories_error **error)
{
    int number = pthread_mutex_init(&call->lock, NULL);
    return number ? error_set_errno(error, number, "can't call a plugin") : 0;
}

static void free_memory(struct call_memory *memory)
{
    while (memory) {
        struct call_memory *next = memory->next;
        explicit_bzero(memory->content, memory->bytes);
        free(memory);
        memory = next;
    }
}

static void free_responses(struct call_responses *responses)
{
    while (responses) {
        struct call_responses *next = responses->next;
        http_responses_free(&responses->responses);
        responses = next;
    }
}

void call_object_clear(struct memories_call *call)
{
    free_responses(call->responses);
    free_memory(call->memory);
    memories_error_free(call->failure);
    memories_error_free(call->defect);
    json_object_put(call->result);
    pthread_mutex_destroy(&call->lock);
}

/* ---- Memory, log, clocks ----------------------------------------------------------------------------------------- */

static void *host_allocate(struct memories_call *call, size_t bytes)
{
    if (bytes > SIZE_MAX - sizeof(struct call_memory))
        return NULL;
    struct call_memory *memory = calloc(1, sizeof *memory + bytes);
    if (!memory)
        return NULL;
    memory->bytes = bytes;
    pthread_mutex_lock(&call->lock);
    memory->next = call->memory;
    call->memory = memory;
    pthread_mutex_unlock(&call->lock);
    return memory->content;
}

static void host_log(struct memories_call *call, int32_t level, const char *text)
{
    const struct call_environment *environment = call->environment;
    if (environment->on_log && text)
        environment->on_log(call->plugin->name, level, text, environment->user_data);
}

static int32_t host_cancelled(struct memories_call *call)
{
    return call->environment->cancel && atomic_load(call->environment->cancel);
}

static int64_t host_now_ms(struct memories_call *call)
{
    (void)call;
    return clock_now_ms();
}

static int64_t host_monotonic_ms(struct memories_call *call)
{
    (void)call;
    return clock_monotonic_ms();
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* The plugin's error as an object of the core; NULL after recording a defect. */
static memories_error *take_detail(struct memories_call *call, const struct memories_error_detail *detail)
{
    if (!detail || detail->size < ERROR_DETAIL_BYTES_1_0) {
        call_defect(call, "reported an error without a complete struct memories_error_detail");
        return NULL;
    }
    if (detail->code >= 0 || detail->code < MEMORIES_INTERNAL) {
        call_defect(call, "reported an error with code %d, which is no error code of memories/plugin.h (message: %s)",
                    detail->code, detail->message ? detail->message : "none");
        return NULL;
    }
    return error_from_detail(detail);
}

static int32_t report(struct memories_call *call, memories_error *error)
{
    pthread_mutex_lock(&call->lock);
    int32_t code = error_move(&call->failure, error);
    pthread_mutex_unlock(&call->lock);
    return code;
}

static int32_t host_fail(struct memories_call *call, const struct memories_error_detail *detail)
{
    memories_error *error = take_detail(call, detail);
    return error ? report(call, error) : MEMORIES_INTERNAL;
}

/* ---- Secrets and HTTP -------------------------------------------------------------------------------------------- */

static const char *host_secret(struct memories_call *call, const char *reference, size_t *bytes)
{
    struct secrets *secrets = call->environment->secrets;
    memories_error *error = NULL;
    size_t unused;
    if (!secrets) {
        error_set(&error, MEMORIES_NOT_FOUND, "there is no secret %s: this call has no deployment", reference);
        report(call, error);
        return NULL;
    }
    const char *text = secrets_get(secrets, reference, bytes ? bytes : &unused, &error);
    if (!text)
        report(call, error);
    return text;
}

static int deployment_identity(struct memories_call *call, struct http_identity *identity, memories_error **error)
{
    struct secrets *secrets = call->environment->secrets;
    size_t bytes;
    if (!secrets)
        return error_set(error, MEMORIES_NOT_FOUND, "there is no identity \"deployment\": this call has no deployment");
    identity->ca_certificate = secrets_get(secrets, "secret:ca/certificate", &bytes, error);
    identity->certificate =
        identity->ca_certificate ? secrets_get(secrets, "secret:client/certificate", &bytes, error) : NULL;
    identity->key = identity->certificate ? secrets_get(secrets, "secret:client/key", &bytes, error) : NULL;
    return identity->key ? 0 : MEMORIES_NOT_FOUND;
}

/* Copies one request of whatever size the plugin was built with into the core's own struct. */
static int32_t take_request(struct memories_call *call, size_t index, const struct memories_http_request *request,
                            struct memories_http_request *copy)
{
    const char *rule = NULL;
    if (!request || request->size < HTTP_REQUEST_BYTES_1_0)
        rule = "a complete struct memories_http_request";
    else if (!request->method || !request->url)
        rule = "method and URL";
    else if (request->identity && strcmp(request->identity, "deployment"))
        rule = "an identity that plugin.h names";
    if (rule) {
        call_defect(call, "sent HTTP request %zu without %s", index, rule);
        return MEMORIES_INTERNAL;
    }
    memcpy(copy, request, request->size < sizeof *copy ? request->size : sizeof *copy);
    copy->size = sizeof *copy;
    return 0;
}

static int32_t send_requests(struct memories_call *call, const struct memories_http_request *const *requests,
                             size_t count, bool identified, struct http_responses *responses, memories_error **error)
{
    const struct call_environment *environment = call->environment;
    struct http_identity identity = { 0 };
    int failed = identified ? deployment_identity(call, &identity, error) : 0;
    if (failed)
        return failed;
    if (!environment->http)
        return error_set(error, MEMORIES_UNSUPPORTED, "slot %s may not use HTTP", call->slot);
    return http_send(environment->http, requests, count, identified ? &identity : NULL, environment->cancel, responses,
                     error);
}

static int32_t report_no_memory(struct memories_call *call)
{
    memories_error *error = NULL;
    error_no_memory(&error);
    return report(call, error);
}

static int32_t host_http(struct memories_call *call, const struct memories_http_request *const *requests, size_t count,
                         const struct memories_http_response **responses)
{
    AUTO_FREE struct memories_http_request *copies = calloc(count + 1, sizeof *copies);
    AUTO_FREE const struct memories_http_request **taken = calloc(count + 1, sizeof *taken);
    struct call_responses *kept = host_allocate(call, sizeof *kept);
    if (!copies || !taken || !kept)
        return report_no_memory(call);
    bool identified = false;
    for (size_t i = 0; i < count; i++) {
        int32_t code = take_request(call, i, requests[i], &copies[i]);
        if (code)
            return code;
        taken[i] = &copies[i];
        identified = identified || copies[i].identity;
    }
    memories_error *error = NULL;
    if (send_requests(call, taken, count, identified, &kept->responses, &error))
        return report(call, error);
    for (size_t i = 0; i < count; i++)
        responses[i] = &kept->responses.items[i];
    pthread_mutex_lock(&call->lock);
    kept->next = call->responses;
    call->responses = kept;
    pthread_mutex_unlock(&call->lock);
    return 0;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

/* A JSON object out of a plugin's text. NULL after an error told in *defect (what the plugin did wrong) or, for want of
 * memory, with none. */
static json_object *take_document(const char *text, memories_error **defect)
{
    if (!text) {
        error_set(defect, MEMORIES_INVALID, "no text");
        return NULL;
    }
    if (strnlen(text, DOCUMENT_BYTES_MAX + 1) > DOCUMENT_BYTES_MAX) {
        error_set(defect, MEMORIES_INVALID, "it is larger than %u bytes", DOCUMENT_BYTES_MAX);
        return NULL;
    }
    AUTO_JSON json_object *document = json_parse(text, "it", defect);
    if (document && json_object_is_type(document, json_type_object))
        return STEAL(document);
    error_set(defect, MEMORIES_INVALID, "it is no JSON object");
    return NULL;
}

static int32_t host_result(struct memories_call *call, const char *json)
{
    AUTO_ERROR memories_error *reason = NULL;
    json_object *document = take_document(json, &reason);
    if (!document) {
        call_defect(call, "gave a bad result: %s", memories_error_message(reason));
        return MEMORIES_INVALID;
    }
    pthread_mutex_lock(&call->lock);
    json_object *before = call->result;
    call->result = document;
    pthread_mutex_unlock(&call->lock);
    json_object_put(before);
    return 0;
}

static int32_t host_stream(struct memories_call *call, const char *node, const char *bytes, size_t count)
{
    const struct call_environment *environment = call->environment;
    if (!environment->on_stream || host_cancelled(call))
        return 1;
    return environment->on_stream(node, bytes, count, environment->user_data);
}

/* The last answer for an operation counts. */
static int32_t answer(struct memories_call *call, size_t index, const struct operation_answer *answer)
{
    pthread_mutex_lock(&call->lock);
    operation_answer_clear(&call->answers[index]);
    call->answers[index] = *answer;
    call->answers[index].answered = true;
    pthread_mutex_unlock(&call->lock);
    return 0;
}

static bool in_batch(struct memories_call *call, size_t index)
{
    if (index < call->count)
        return true;
    call_defect(call, "answered for operation %zu of %zu", index, call->count);
    return false;
}

static int32_t answer_with_defect(struct memories_call *call, size_t index, memories_error *defect)
{
    answer(call, index, &(struct operation_answer){ .error = defect });
    return MEMORIES_INVALID;
}

static int32_t host_operation_result(struct memories_call *call, size_t index, uint32_t state, const char *outputs,
                                     uint32_t poll_after_ms)
{
    if (!in_batch(call, index))
        return MEMORIES_INVALID;
    const char *key = call->operations[index]->key;
    if (state > MEMORIES_STATE_BROKEN)
        return answer_with_defect(call, index, call_defect_error(call, "answered for %s with the unknown state %u", key,
                                                                 state));
    AUTO_ERROR memories_error *reason = NULL;
    json_object *document = outputs ? take_document(outputs, &reason) : NULL;
    if (outputs && !document)
        return answer_with_defect(call, index, call_defect_error(call, "gave bad outputs for %s: %s", key,
                                                                 memories_error_message(reason)));
    return answer(call, index, &(struct operation_answer){
                                   .state = state, .poll_after_ms = poll_after_ms, .outputs = document });
}

static int32_t host_operation_failed(struct memories_call *call, size_t index,
                                     const struct memories_error_detail *detail)
{
    if (!in_batch(call, index))
        return MEMORIES_INVALID;
    memories_error *error = take_detail(call, detail);
    return error ? answer(call, index, &(struct operation_answer){ .error = error }) : MEMORIES_INVALID;
}

static void host_progress(struct memories_call *call, size_t index, const char *text)
{
    const struct call_environment *environment = call->environment;
    if (environment->on_progress && text && index < call->count)
        environment->on_progress(index, text, environment->user_data);
}

const struct memories_host *call_host(void)
{
    static const struct memories_host host = {
        .size = sizeof host,
        .abi_minor = MEMORIES_ABI_MINOR,
        .allocate = host_allocate,
        .log = host_log,
        .fail = host_fail,
        .cancelled = host_cancelled,
        .now_ms = host_now_ms,
        .monotonic_ms = host_monotonic_ms,
        .secret = host_secret,
        .http = host_http,
        .result = host_result,
        .stream = host_stream,
        .operation_result = host_operation_result,
        .operation_failed = host_operation_failed,
        .progress = host_progress,
    };
    return &host;
}
