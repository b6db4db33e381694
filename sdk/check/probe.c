/* probe.c - what stands between the core and the plugin while it is checked, see probe.h */
#include "sdk/check/probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/loader/call_object.h"
#include "core/loader/decorator.h"
#include "sdk/check/guard.h"

/* How long threads wait for each other in a host function. */
#define MEETING_MS 20

struct probe probe;

static const struct memories_host *core_host; /* the real one */
static struct {
    atomic_size_t allocations, questions, clock_reads, http_requests;
} counts;

struct probe_counts probe_counts(void)
{
    return (struct probe_counts){ counts.allocations, counts.questions, counts.clock_reads, counts.http_requests };
}

void probe_count_anew(void)
{
    counts.allocations = counts.questions = counts.clock_reads = counts.http_requests = 0;
}

/* ---- Threads that meet ------------------------------------------------------------------------------------------- */

/* Whatever a plugin shares between its threads by mistake is seen best when all are in the same place. */
static void meet(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t arrival = PTHREAD_COND_INITIALIZER;
    static unsigned waiting, meeting;
    if (!probe.meet)
        return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += MEETING_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&lock);
    unsigned this_meeting = meeting;
    bool late = false;
    if (++waiting == probe.meet) {
        meeting++;
        waiting = 0;
        pthread_cond_broadcast(&arrival);
    }
    while (meeting == this_meeting && !late)
        late = pthread_cond_clockwait(&arrival, &lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT;
    if (late && meeting == this_meeting)
        waiting--;
    pthread_mutex_unlock(&lock);
}

/* ---- What is lent for one call ----------------------------------------------------------------------------------- */

struct loan {
    struct loan *next;
    const struct memories_call *call;
    void *memory;
};
static pthread_mutex_t loans_lock = PTHREAD_MUTEX_INITIALIZER;
static struct loan *loans;

/* NULL: no memory. */
static void *lend(const struct memories_call *call, void *memory)
{
    struct loan *loan = memory ? malloc(sizeof *loan) : NULL;
    if (!loan)
        return NULL;
    pthread_mutex_lock(&loans_lock);
    *loan = (struct loan){ loans, call, memory };
    loans = loan;
    pthread_mutex_unlock(&loans_lock);
    return memory;
}

static void *lend_bytes(const struct memories_call *call, const void *bytes, size_t count, const char *what)
{
    void *memory = lend(call, guard_new(count, sizeof(void *), what));
    return memory ? memcpy(memory, bytes, count) : NULL;
}

static char *lend_text(const struct memories_call *call, const char *text, const char *what)
{
    return text ? lend(call, guard_copy(text, what)) : NULL;
}

static void take_back(const struct memories_call *call)
{
    pthread_mutex_lock(&loans_lock);
    for (struct loan **link = &loans; *link;) {
        struct loan *loan = *link;
        if (loan->call != call) {
            link = &loan->next;
            continue;
        }
        guard_expire(loan->memory);
        *link = loan->next;
        free(loan);
    }
    pthread_mutex_unlock(&loans_lock);
}

/* ---- The host table ---------------------------------------------------------------------------------------------- */

static void *probe_allocate(struct memories_call *call, size_t bytes)
{
    meet();
    if (++counts.allocations == probe.fail_allocation)
        return NULL;
    if (!probe.lend)
        return core_host->allocate(call, bytes);
    return lend(call, guard_new(bytes ? bytes : 1, _Alignof(max_align_t), "memory that host->allocate had given"));
}

static void probe_log(struct memories_call *call, int32_t level, const char *text)
{
    meet();
    core_host->log(call, level, text);
}

static int32_t probe_fail(struct memories_call *call, const struct memories_error_detail *detail)
{
    meet();
    return core_host->fail(call, detail);
}

static int32_t probe_cancelled(struct memories_call *call)
{
    if (++counts.questions == probe.cancel_at)
        atomic_store(probe.cancel, 1);
    return core_host->cancelled(call);
}

static int64_t probe_now_ms(struct memories_call *call)
{
    counts.clock_reads++;
    return core_host->now_ms(call);
}

static int64_t probe_monotonic_ms(struct memories_call *call)
{
    counts.clock_reads++;
    return core_host->monotonic_ms(call);
}

static const char *probe_secret(struct memories_call *call, const char *reference, size_t *bytes)
{
    meet();
    size_t count;
    const char *text = core_host->secret(call, reference, bytes ? bytes : &count);
    return probe.lend ? lend_text(call, text, "a secret that host->secret had given") : text;
}

/* The same answer to every request. */
static const struct memories_http_response *canned_response(void)
{
    static const char *const headers[] = { "content-type: application/json", NULL };
    static const struct memories_http_response responses[] = {
        [PROBE_HTTP_UNREACHABLE] = { .size = sizeof *responses,
                                     .error_code = MEMORIES_TRANSIENT,
                                     .body = "",
                                     .error = "connection refused",
                                     .headers = headers + 1 },
        [PROBE_HTTP_EMPTY] = { .size = sizeof *responses, .status = 200, .body = "", .headers = headers },
        [PROBE_HTTP_RUBBISH] = { .size = sizeof *responses,
                                 .status = 200,
                                 .body = "{\"a\": [1, {\"b\": \"",
                                 .body_bytes = 16,
                                 .headers = headers },
        [PROBE_HTTP_ERROR] = { .size = sizeof *responses,
                               .status = 500,
                               .body = "no",
                               .body_bytes = 2,
                               .headers = headers },
    };
    return &responses[probe.http];
}

static const struct memories_http_response *lend_response(struct memories_call *call,
                                                          const struct memories_http_response *response)
{
    static const char what[] = "an HTTP response that host->http had given";
    struct memories_http_response copy = *response;
    copy.body = lend_text(call, response->body, what);
    copy.error = lend_text(call, response->error, what);
    copy.request_id = lend_text(call, response->request_id, what);
    return lend_bytes(call, &copy, sizeof copy, what);
}

static int32_t probe_http(struct memories_call *call, const struct memories_http_request *const *requests, size_t count,
                          const struct memories_http_response **responses)
{
    meet();
    counts.http_requests += count;
    if (probe.http == PROBE_HTTP_REAL) {
        int32_t code = core_host->http(call, requests, count, responses);
        if (code)
            return code;
    }
    for (size_t i = 0; i < count; i++) {
        if (probe.http != PROBE_HTTP_REAL)
            responses[i] = canned_response();
        if (probe.lend && !(responses[i] = lend_response(call, responses[i])))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

static int32_t probe_result(struct memories_call *call, const char *json)
{
    meet();
    return core_host->result(call, json);
}

static int32_t probe_stream(struct memories_call *call, const char *node, const char *bytes, size_t count)
{
    meet();
    return core_host->stream(call, node, bytes, count);
}

static int32_t probe_operation_result(struct memories_call *call, size_t index, uint32_t state, const char *outputs,
                                      uint32_t poll_after_ms)
{
    meet();
    return core_host->operation_result(call, index, state, outputs, poll_after_ms);
}

static int32_t probe_operation_failed(struct memories_call *call, size_t index,
                                      const struct memories_error_detail *detail)
{
    meet();
    return core_host->operation_failed(call, index, detail);
}

static void probe_progress(struct memories_call *call, size_t index, const char *text)
{
    meet();
    core_host->progress(call, index, text);
}

/* Where the host table of each minor ended: a line for each that appended something. */
#define END_OF(field) (offsetof(struct memories_host, field) + sizeof(((struct memories_host *)0)->field))
static const struct {
    uint32_t minor;
    size_t bytes;
} host_ends[] = { { 0, END_OF(progress) } };

/* The table as a core with `minor` had it, with nothing readable behind its end. */
static const struct memories_host *old_table(const struct memories_host *table, uint32_t minor)
{
    size_t bytes = host_ends[0].bytes;
    for (size_t i = 0; i < ARRAY_COUNT(host_ends) && host_ends[i].minor <= minor; i++)
        bytes = host_ends[i].bytes;
    struct memories_host *old = guard_new(bytes, sizeof(void *), "the host table of the oldest core that it runs on");
    if (!old)
        return NULL;
    memcpy(old, table, bytes);
    old->size = (uint32_t)bytes;
    old->abi_minor = minor;
    return old;
}

/* What is newer than this file stays as the core has it. */
static const struct memories_host *host_table(const struct memories_host *real, uint32_t needed_minor)
{
    static struct memories_host table;
    core_host = real;
    table = *real;
    table.allocate = probe_allocate;
    table.log = probe_log;
    table.fail = probe_fail;
    table.cancelled = probe_cancelled;
    table.now_ms = probe_now_ms;
    table.monotonic_ms = probe_monotonic_ms;
    table.secret = probe_secret;
    table.http = probe_http;
    table.result = probe_result;
    table.stream = probe_stream;
    table.operation_result = probe_operation_result;
    table.operation_failed = probe_operation_failed;
    table.progress = probe_progress;
    return probe.old_core ? old_table(&table, needed_minor) : &table;
}

/* ---- The decorator ----------------------------------------------------------------------------------------------- */

static const struct memories_operation *lend_operation(const struct memories_call *call,
                                                       const struct memories_operation *operation)
{
    static const char what[] = "an operation of a batch";
    struct memories_operation copy = *operation;
    copy.key = lend_text(call, operation->key, what);
    copy.type = lend_text(call, operation->type, what);
    copy.token = lend_text(call, operation->token, what);
    copy.inputs = lend_text(call, operation->inputs, what);
    copy.outputs = lend_text(call, operation->outputs, what);
    return lend_bytes(call, &copy, sizeof copy, what);
}

static const struct memories_operation *const *lend_operations(const struct memories_call *call,
                                                               const struct invocation *invocation)
{
    const struct memories_operation **copies =
        lend(call, guard_new((invocation->count + 1) * sizeof *copies, sizeof(void *), "the array of operations"));
    for (size_t i = 0; copies && i < invocation->count; i++) {
        copies[i] = lend_operation(call, invocation->operations[i]);
        if (!copies[i])
            return NULL;
    }
    return copies;
}

/* The call's own object is lent too: what the plugin leaves in it is moved back. */
static int32_t pass_lending(const struct decorator *decorator, const struct invocation *invocation,
                            struct memories_call *call)
{
    struct memories_call *lent = guard_new(sizeof *lent, _Alignof(struct memories_call), "its struct memories_call");
    struct invocation copy = *invocation;
    if (!lent)
        return MEMORIES_NO_MEMORY;
    *lent = *call;
    pthread_mutex_init(&lent->lock, NULL);
    copy.request = lend_text(lent, invocation->request, "the request");
    copy.operations = invocation->operations ? lend_operations(lent, invocation) : NULL;
    bool complete = !invocation->request == !copy.request && !invocation->operations == !copy.operations;
    int32_t code = complete ? decorator_pass(decorator, &copy, lent) : MEMORIES_NO_MEMORY;
    pthread_mutex_destroy(&lent->lock);
    call->memory = lent->memory;
    call->responses = lent->responses;
    call->failure = lent->failure;
    call->defect = lent->defect;
    call->result = lent->result;
    take_back(lent);
    guard_expire(lent);
    return code;
}

static int32_t pass(const struct decorator *decorator, const struct invocation *invocation, struct memories_call *call)
{
    guard_enter(invocation->slot_name);
    int32_t code = probe.lend ? pass_lending(decorator, invocation, call) : decorator_pass(decorator, invocation, call);
    guard_enter(NULL);
    return code;
}

struct passing {
    const struct decorator *decorator;
    const struct invocation *invocation;
    struct memories_call *call;
    int32_t code;
};

static void *pass_in_thread(void *argument)
{
    struct passing *passing = argument;
    passing->code = pass(passing->decorator, passing->invocation, passing->call);
    return NULL;
}

static int32_t probe_call(struct decorator *decorator, const struct invocation *invocation, struct memories_call *call)
{
    struct invocation changed = *invocation;
    if (invocation->shape == INVOCATION_INIT &&
        !(changed.host = host_table(invocation->host, call->plugin->abi_minor_needed)))
        return MEMORIES_NO_MEMORY;
    counts.allocations = 0;
    if (!probe.new_thread)
        return pass(decorator, &changed, call);
    struct passing passing = { decorator, &changed, call, 0 };
    pthread_t thread;
    if (pthread_create(&thread, NULL, pass_in_thread, &passing))
        return MEMORIES_NO_MEMORY;
    pthread_join(thread, NULL);
    return passing.code;
}

static struct decorator *make_probe(const struct plugin *plugin, void *data, memories_error **error)
{
    (void)plugin, (void)data, (void)error;
    static struct decorator decorator = { .call = probe_call };
    return &decorator;
}

int probe_install(memories_error **error)
{
    return loader_decorate(NULL, make_probe, NULL, error);
}
