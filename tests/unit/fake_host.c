/* fake_host.c - a host table for tests of plugins, see fake_host.h */
#include "tests/unit/fake_host.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct lines {
    char *text;
    size_t length;
};

struct memories_call {
    pthread_mutex_t lock; /* a plugin may use a call from several threads */
    struct block *blocks;
    char *result;
    json_object *parsed;
    struct memories_error_detail error;
    bool failed;
    bool cancelled;
    struct lines log;
    struct lines stream;
    struct fake_answer answers[FAKE_ANSWERS_MAX];
};

static struct {
    int64_t now_ms;
    fake_secret_fn *secrets;
    void *secrets_data;
    fake_http_fn *http;
    void *http_data;
    const char *const *headers;
    size_t batches;
    size_t allocated;
    size_t failing_allocation; /* counts down; 0: none fails */
} fake;

static void *allocate_locked(struct memories_call *call, size_t bytes)
{
    struct block *block = calloc(1, sizeof *block + bytes);
    ck_assert_ptr_nonnull(block);
    block->next = call->blocks;
    call->blocks = block;
    return block->bytes;
}

static const char *copy_locked(struct memories_call *call, const char *text)
{
    return text ? memcpy(allocate_locked(call, strlen(text) + 1), text, strlen(text) + 1) : NULL;
}

static const char *const *copy_list_locked(struct memories_call *call, const char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    const char **copy = allocate_locked(call, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = copy_locked(call, list[i]);
    return copy;
}

static void copy_error(struct memories_call *call, struct memories_error_detail *to,
                       const struct memories_error_detail *from)
{
    ck_assert_uint_ge(from->size, sizeof *from);
    ck_assert_msg(from->code < 0, "an error needs a negative code");
    ck_assert_msg(from->message && *from->message, "an error needs a message");
    *to = *from;
    to->message = copy_locked(call, from->message);
    to->where = copy_locked(call, from->where);
    to->cause = copy_locked(call, from->cause);
    to->request_id = copy_locked(call, from->request_id);
    to->hint = copy_locked(call, from->hint);
}

static void add_line(struct lines *lines, const char *bytes, size_t count)
{
    char *longer = realloc(lines->text, lines->length + count + 2);
    ck_assert_ptr_nonnull(longer);
    lines->text = longer;
    memcpy(longer + lines->length, bytes, count);
    lines->length += count;
    longer[lines->length++] = '\n';
    longer[lines->length] = '\0';
}

static void *host_allocate(struct memories_call *call, size_t bytes)
{
    pthread_mutex_lock(&call->lock);
    bool fails = fake.failing_allocation && --fake.failing_allocation == 0;
    fake.allocated += bytes;
    void *memory = fails ? NULL : allocate_locked(call, bytes);
    pthread_mutex_unlock(&call->lock);
    return memory;
}

static void host_log(struct memories_call *call, int32_t level, const char *text)
{
    ck_assert(level >= MEMORIES_LOG_ERROR && level <= MEMORIES_LOG_DEBUG);
    pthread_mutex_lock(&call->lock);
    add_line(&call->log, text, strlen(text));
    pthread_mutex_unlock(&call->lock);
}

static int32_t host_fail(struct memories_call *call, const struct memories_error_detail *detail)
{
    pthread_mutex_lock(&call->lock);
    if (!call->failed)
        copy_error(call, &call->error, detail);
    call->failed = true;
    pthread_mutex_unlock(&call->lock);
    return detail->code;
}

static int32_t host_cancelled(struct memories_call *call)
{
    return call->cancelled;
}

static int64_t host_now_ms(struct memories_call *call)
{
    (void)call;
    return fake.now_ms;
}

static const char *host_secret(struct memories_call *call, const char *reference, size_t *bytes)
{
    pthread_mutex_lock(&call->lock);
    const char *text = NULL;
    if (fake.secrets) {
        text = copy_locked(call, fake.secrets(reference, fake.secrets_data));
    } else {
        char *made = allocate_locked(call, strlen(reference) + sizeof "fake ");
        sprintf(made, "fake %s", reference);
        text = made;
    }
    pthread_mutex_unlock(&call->lock);
    if (!text) {
        struct memories_error_detail detail = {
            .size = sizeof detail, .code = MEMORIES_NOT_FOUND, .message = "no such secret", .where = reference
        };
        host_fail(call, &detail);
    } else if (bytes) {
        *bytes = strlen(text);
    }
    return text;
}

static struct fake_response unreachable(const struct memories_http_request *request, void *user_data)
{
    (void)request;
    (void)user_data;
    return (struct fake_response){ .error_code = MEMORIES_TRANSIENT, .error = "connection refused" };
}

static int32_t host_http(struct memories_call *call, const struct memories_http_request *const *requests, size_t count,
                         const struct memories_http_response **responses)
{
    fake_http_fn *answer = fake.http ? fake.http : unreachable;
    pthread_mutex_lock(&call->lock);
    fake.batches++;
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ge(requests[i]->size, sizeof *requests[i]);
        struct fake_response scripted = answer(requests[i], fake.http_data);
        struct memories_http_response *response = allocate_locked(call, sizeof *response);
        response->size = sizeof *response;
        response->status = scripted.status;
        response->error_code = scripted.error_code;
        response->error = copy_locked(call, scripted.error);
        response->body = copy_locked(call, scripted.body ? scripted.body : "");
        response->body_bytes = (uint32_t)strlen(response->body);
        response->headers = copy_list_locked(call, fake.headers);
        responses[i] = response;
    }
    pthread_mutex_unlock(&call->lock);
    return MEMORIES_OK;
}

static int32_t host_result(struct memories_call *call, const char *json)
{
    pthread_mutex_lock(&call->lock);
    free(call->result);
    call->result = strdup(json);
    json_object_put(call->parsed);
    call->parsed = json_tokener_parse(json);
    ck_assert_msg(call->parsed, "the result is not JSON: %s", json);
    pthread_mutex_unlock(&call->lock);
    return MEMORIES_OK;
}

static int32_t host_stream(struct memories_call *call, const char *node, const char *bytes, size_t count)
{
    (void)node;
    pthread_mutex_lock(&call->lock);
    add_line(&call->stream, bytes, count);
    int32_t stop = call->cancelled;
    pthread_mutex_unlock(&call->lock);
    return stop;
}

static struct fake_answer *claim_answer(struct memories_call *call, size_t index)
{
    ck_assert_uint_lt(index, FAKE_ANSWERS_MAX);
    struct fake_answer *answer = &call->answers[index];
    ck_assert_msg(!answer->answered, "operation %zu is answered twice", index);
    answer->answered = true;
    return answer;
}

static int32_t host_operation_result(struct memories_call *call, size_t index, uint32_t state, const char *outputs,
                                     uint32_t poll_after_ms)
{
    pthread_mutex_lock(&call->lock);
    struct fake_answer *answer = claim_answer(call, index);
    answer->state = state;
    answer->poll_after_ms = poll_after_ms;
    answer->outputs = outputs ? json_tokener_parse(outputs) : NULL;
    ck_assert_msg(!outputs || json_object_is_type(answer->outputs, json_type_object), "outputs are no object: %s",
                  outputs ? outputs : "");
    pthread_mutex_unlock(&call->lock);
    return MEMORIES_OK;
}

static int32_t host_operation_failed(struct memories_call *call, size_t index,
                                     const struct memories_error_detail *detail)
{
    pthread_mutex_lock(&call->lock);
    copy_error(call, &claim_answer(call, index)->error, detail);
    pthread_mutex_unlock(&call->lock);
    return MEMORIES_OK;
}

static void host_progress(struct memories_call *call, size_t index, const char *text)
{
    (void)index;
    host_log(call, MEMORIES_LOG_DEBUG, text);
}

const struct memories_host *fake_host(void)
{
    static const struct memories_host host = {
        .size = sizeof host,
        .abi_minor = MEMORIES_ABI_MINOR,
        .allocate = host_allocate,
        .log = host_log,
        .fail = host_fail,
        .cancelled = host_cancelled,
        .now_ms = host_now_ms,
        .monotonic_ms = host_now_ms,
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

struct memories_call *fake_call_new(void)
{
    struct memories_call *call = calloc(1, sizeof *call);
    ck_assert_ptr_nonnull(call);
    pthread_mutex_init(&call->lock, NULL);
    return call;
}

void fake_call_free(struct memories_call *call)
{
    for (struct block *block = call->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    for (size_t i = 0; i < FAKE_ANSWERS_MAX; i++)
        json_object_put(call->answers[i].outputs);
    json_object_put(call->parsed);
    free(call->result);
    free(call->log.text);
    free(call->stream.text);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

json_object *fake_call_result(const struct memories_call *call)
{
    return call->parsed;
}

const char *fake_call_result_text(const struct memories_call *call)
{
    return call->result;
}

const struct memories_error_detail *fake_call_error(const struct memories_call *call)
{
    return call->failed ? &call->error : NULL;
}

const struct fake_answer *fake_call_answer(const struct memories_call *call, size_t index)
{
    return index < FAKE_ANSWERS_MAX && call->answers[index].answered ? &call->answers[index] : NULL;
}

const char *fake_call_log(const struct memories_call *call)
{
    return call->log.text ? call->log.text : "";
}

bool fake_call_streamed(struct memories_call *call, const char *text)
{
    pthread_mutex_lock(&call->lock); /* what follows a log sends from a thread of its own */
    bool streamed = call->stream.text && strstr(call->stream.text, text);
    pthread_mutex_unlock(&call->lock);
    return streamed;
}

const char *fake_call_stream(const struct memories_call *call)
{
    return call->stream.text ? call->stream.text : "";
}

void fake_call_cancel(struct memories_call *call)
{
    call->cancelled = true;
}

void fake_host_set_now(int64_t now_ms)
{
    fake.now_ms = now_ms;
}

void fake_host_set_secrets(fake_secret_fn *secrets, void *user_data)
{
    fake.secrets = secrets;
    fake.secrets_data = user_data;
}

void fake_host_set_http(fake_http_fn *http, void *user_data)
{
    fake.http = http;
    fake.http_data = user_data;
}

void fake_host_set_headers(const char *const *headers)
{
    fake.headers = headers;
}

size_t fake_host_http_batches(void)
{
    return fake.batches;
}

size_t fake_host_allocated_bytes(void)
{
    return fake.allocated;
}

bool fake_host_fail_allocation(size_t nth)
{
    bool failed = fake.failing_allocation == 0;
    fake.failing_allocation = nth;
    return failed;
}

void fake_host_reset(void)
{
    memset(&fake, 0, sizeof fake);
}
