/* test_call.c - slots called through core/loader/call.h: results, services, and rules that a plugin can break */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/call.h"
#include "core/loader/decorator.h"

#undef fail /* a macro of check's, and a service of the host */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct memories_host *host;
static struct plugin plugin = { .kind = MEMORIES_PLUGIN_PROVIDER,
                                .name = (char *)"test",
                                .path = (char *)"/plugins/provider-test.so",
                                .homepage = (char *)"https://example.org/" };

static void setup(void)
{
    host = call_host();
}

static int32_t fail_with(struct memories_call *call, int32_t code, const char *message)
{
    struct memories_error_detail detail = { .size = sizeof detail, .code = code, .message = message };
    return host->fail(call, &detail);
}

/* ---- Documents --------------------------------------------------------------------------------------------------- */

static int32_t echoes(struct memories_call *call, const char *request)
{
    return host->result(call, request);
}

static int32_t replaces_its_result(struct memories_call *call, const char *request)
{
    host->result(call, "{\"a\": 1}");
    return host->result(call, "{\"a\": 2}");
}

static int32_t gives_nothing(struct memories_call *call, const char *request)
{
    return 0;
}

static int32_t fails(struct memories_call *call, const char *request)
{
    struct memories_error_detail detail = { .size = sizeof detail,
                                            .code = MEMORIES_QUOTA,
                                            .http_status = 400,
                                            .retry_after_ms = 7,
                                            .message = "no more machines",
                                            .where = "config.nodes",
                                            .cause = "LimitExceeded",
                                            .request_id = "r-1",
                                            .hint = "ask for more" };
    host->fail(call, &detail);
    return fail_with(call, MEMORIES_FAILED, "a second report doesn't count");
}

static int32_t returns_a_positive_code(struct memories_call *call, const char *request)
{
    return 7;
}

static int32_t returns_an_unknown_code(struct memories_call *call, const char *request)
{
    fail_with(call, MEMORIES_FAILED, "told");
    return -99;
}

static int32_t fails_silently(struct memories_call *call, const char *request)
{
    return MEMORIES_THROTTLED;
}

static int32_t reports_and_returns_0(struct memories_call *call, const char *request)
{
    fail_with(call, MEMORIES_DENIED, "no key");
    return 0;
}

static int32_t gives_bad_json(struct memories_call *call, const char *request)
{
    host->result(call, "{\"a\": ");
    return 0;
}

static int32_t gives_an_array(struct memories_call *call, const char *request)
{
    host->result(call, "[]");
    return 0;
}

static int32_t gives_no_text(struct memories_call *call, const char *request)
{
    host->result(call, NULL);
    return 0;
}

static int32_t gives_too_much(struct memories_call *call, const char *request)
{
    size_t bytes = (64u << 20) + 16;
    char *text = host->allocate(call, bytes);
    memset(text, ' ', bytes - 1);
    host->result(call, text);
    return 0;
}

static int32_t reports_a_short_detail(struct memories_call *call, const char *request)
{
    struct memories_error_detail detail = { .size = 8, .code = MEMORIES_FAILED };
    return host->fail(call, &detail);
}

static int32_t reports_a_good_code(struct memories_call *call, const char *request)
{
    return fail_with(call, 0, "odd");
}

static int32_t answers_outside_a_batch(struct memories_call *call, const char *request)
{
    host->operation_result(call, 0, MEMORIES_STATE_READY, NULL, 0);
    return 0;
}

static int32_t runs_out_of_memory(struct memories_call *call, const char *request)
{
    return MEMORIES_NO_MEMORY;
}

static int32_t stops_when_asked(struct memories_call *call, const char *request)
{
    return host->cancelled(call) ? MEMORIES_CANCELLED : 0;
}

static int32_t asks_for_a_secret(struct memories_call *call, const char *request)
{
    return host->secret(call, "secret:client/key", NULL) ? 0 : MEMORIES_NOT_FOUND;
}

static int32_t send_one(struct memories_call *call, const char *identity, uint32_t size)
{
    const struct memories_http_request request = {
        .size = size, .method = "GET", .url = "https://127.0.0.1:1/", .identity = identity
    };
    const struct memories_http_request *requests[] = { &request };
    const struct memories_http_response *responses[1];
    return host->http(call, requests, 1, responses);
}

static int32_t uses_http(struct memories_call *call, const char *request)
{
    return send_one(call, NULL, sizeof(struct memories_http_request));
}

static int32_t uses_the_identity(struct memories_call *call, const char *request)
{
    return send_one(call, "deployment", sizeof(struct memories_http_request));
}

static int32_t uses_another_identity(struct memories_call *call, const char *request)
{
    return send_one(call, "somebody", sizeof(struct memories_http_request));
}

static int32_t sends_a_short_request(struct memories_call *call, const char *request)
{
    return send_one(call, NULL, 12);
}

#define DEFECT "the plugin provider test is defective: slot plan "

static const struct {
    document_slot *slot;
    int code;
    const char *message;
} failing[] = {
    { returns_a_positive_code, MEMORIES_INTERNAL, DEFECT "returned 7, expected 0 or a negative code" },
    { returns_an_unknown_code, MEMORIES_INTERNAL, DEFECT "returned -99, which is no code of memories/plugin.h" },
    { fails_silently, MEMORIES_INTERNAL, DEFECT "returned -10 (throttled) and didn't report why" },
    { reports_and_returns_0, MEMORIES_INTERNAL, DEFECT "returned 0 after it reported a failure: no key" },
    { gives_bad_json, MEMORIES_INTERNAL, DEFECT "gave a bad result: it is not JSON: unexpected end of data at byte 6" },
    { gives_an_array, MEMORIES_INTERNAL, DEFECT "gave a bad result: it is no JSON object" },
    { gives_no_text, MEMORIES_INTERNAL, DEFECT "gave a bad result: no text" },
    { gives_too_much, MEMORIES_INTERNAL, DEFECT "gave a bad result: it is larger than 67108864 bytes" },
    { reports_a_short_detail, MEMORIES_INTERNAL,
      DEFECT "reported an error without a complete struct memories_error_detail" },
    { reports_a_good_code, MEMORIES_INTERNAL,
      DEFECT "reported an error with code 0, which is no error code of memories/plugin.h (message: odd)" },
    { answers_outside_a_batch, MEMORIES_INTERNAL, DEFECT "answered for operation 0 of 0" },
    { uses_another_identity, MEMORIES_INTERNAL,
      DEFECT "sent HTTP request 0 without an identity that plugin.h names" },
    { sends_a_short_request, MEMORIES_INTERNAL,
      DEFECT "sent HTTP request 0 without a complete struct memories_http_request" },
    { runs_out_of_memory, MEMORIES_NO_MEMORY, "out of memory" },
    { fails, MEMORIES_QUOTA, "no more machines" },
    { asks_for_a_secret, MEMORIES_NOT_FOUND, "there is no secret secret:client/key: this call has no deployment" },
    { uses_http, MEMORIES_UNSUPPORTED, "slot plan may not use HTTP" },
    { uses_the_identity, MEMORIES_NOT_FOUND, "there is no identity \"deployment\": this call has no deployment" },
    { NULL, MEMORIES_UNSUPPORTED, "provider test can't do this: it has no slot plan" },
};

static int run_plan(const struct call_environment *environment, document_slot *slot, json_object **result,
                    memories_error **error)
{
    AUTO_JSON json_object *request = json_parse("{\"question\": [1, \"two\"]}", "request", NULL);
    return call_document(&plugin, environment, "plan", slot, request, result, error);
}

START_TEST(failures)
{
    AUTO_ERROR memories_error *error = NULL;
    json_object *result = NULL;
    int code = run_plan(NULL, failing[_i].slot, &result, &error);
    ck_assert_str_eq(memories_error_message(error), failing[_i].message);
    ck_assert_int_eq(code, failing[_i].code);
    ck_assert_int_eq(memories_error_code(error), failing[_i].code);
    ck_assert_ptr_null(result);
    /* Nobody has to want the error. */
    ck_assert_int_eq(run_plan(NULL, failing[_i].slot, NULL, NULL), failing[_i].code);
}
END_TEST

START_TEST(defects_name_file_and_next_step)
{
    AUTO_ERROR memories_error *error = NULL;
    run_plan(NULL, fails_silently, NULL, &error);
    ck_assert_str_eq(memories_error_where(error), "/plugins/provider-test.so");
    ck_assert_str_eq(memories_error_hint(error), "report this to the plugin's author: https://example.org/; the "
                                                 "configuration is not at fault");
}
END_TEST

START_TEST(an_error_arrives_whole)
{
    AUTO_ERROR memories_error *error = NULL;
    run_plan(NULL, fails, NULL, &error);
    ck_assert_str_eq(memories_error_where(error), "config.nodes");
    ck_assert_str_eq(memories_error_cause(error), "LimitExceeded");
    ck_assert_str_eq(memories_error_request_id(error), "r-1");
    ck_assert_str_eq(memories_error_hint(error), "ask for more");
    ck_assert_int_eq(memories_error_http_status(error), 400);
    ck_assert_uint_eq(error->retry_after_ms, 7);
}
END_TEST

START_TEST(documents)
{
    AUTO_JSON json_object *echoed = NULL, *replaced = NULL, *nothing = NULL;
    AUTO_JSON json_object *request = json_parse("{\"question\": [1, \"two\"]}", "request", NULL);
    ck_assert_int_eq(run_plan(NULL, echoes, &echoed, NULL), 0);
    ck_assert(json_equal(echoed, request));
    ck_assert_int_eq(run_plan(NULL, replaces_its_result, &replaced, NULL), 0);
    ck_assert_int_eq(json_get_int(replaced, "a", 0), 2);
    ck_assert_int_eq(run_plan(NULL, gives_nothing, &nothing, NULL), 0);
    ck_assert_ptr_null(nothing);
}
END_TEST

/* What may pass is asked again, what will not is told at once, and an end is asked for by somebody else. */
static int questions;
static const struct {
    int32_t code;
    int refusals, asked;
    bool cancelled;
} patience[] = {
    { MEMORIES_TRANSIENT, 2, 3, false }, { MEMORIES_THROTTLED, 2, 3, false }, { MEMORIES_TIMEOUT, 2, 3, false },
    { MEMORIES_CAPACITY, 2, 1, false },  { MEMORIES_DENIED, 2, 1, false },    { MEMORIES_TRANSIENT, 2, 1, true },
};

static int32_t hesitates(void *instance, struct memories_call *call, const char *request)
{
    int which = *(int *)instance;
    if (questions++ < patience[which].refusals)
        return fail_with(call, patience[which].code, "not now");
    return host->result(call, request);
}

START_TEST(questions_are_asked_again)
{
    atomic_int cancel = patience[_i].cancelled;
    const struct call_environment environment = { .cancel = &cancel };
    AUTO_JSON json_object *request = json_object_new_object();
    AUTO_JSON json_object *result = NULL;
    AUTO_ERROR memories_error *error = NULL;
    questions = 0;
    int failed =
        call_instance_question(&plugin, &environment, "prepare", hesitates, &_i, request, &result, &error);
    bool succeeds = patience[_i].asked == patience[_i].refusals + 1;
    ck_assert_int_eq(failed, succeeds ? 0 : patience[_i].code);
    ck_assert_int_eq(questions, patience[_i].asked);
    ck_assert(!error == succeeds && !result != succeeds);
}
END_TEST

START_TEST(cancelling)
{
    AUTO_ERROR memories_error *error = NULL;
    atomic_int cancel = 0;
    struct call_environment environment = { .cancel = &cancel };
    ck_assert_int_eq(run_plan(&environment, stops_when_asked, NULL, &error), 0);
    atomic_store(&cancel, 1);
    ck_assert_int_eq(run_plan(&environment, stops_when_asked, NULL, &error), MEMORIES_CANCELLED);
    ck_assert_str_eq(memories_error_message(error), "plan of provider test was stopped on request");
}
END_TEST

/* ---- Services ---------------------------------------------------------------------------------------------------- */

static int32_t uses_memory(struct memories_call *call, const char *request)
{
    for (size_t bytes = 0; bytes < 5000; bytes += 17) {
        unsigned char *memory = host->allocate(call, bytes);
        if (!memory || (uintptr_t)memory % _Alignof(max_align_t))
            return fail_with(call, MEMORIES_FAILED, "not aligned");
        for (size_t i = 0; i < bytes; i++)
            if (memory[i])
                return fail_with(call, MEMORIES_FAILED, "not zeroed");
        memset(memory, 0xff, bytes);
    }
    return host->allocate(call, SIZE_MAX) ? fail_with(call, MEMORIES_FAILED, "too much was given") : 0;
}

static int32_t speaks(struct memories_call *call, const char *request)
{
    host->log(call, MEMORIES_LOG_WARNING, "hello");
    if (host->stream(call, "node1", "abc", 3))
        return fail_with(call, MEMORIES_FAILED, "stopped early");
    return host->stream(call, "node1", "stop", 4) ? 0 : fail_with(call, MEMORIES_FAILED, "not stopped");
}

static void keep_log(const char *name, int32_t level, const char *text, void *user_data)
{
    text_printf(user_data, "%s %d %s\n", name, level, text);
}

static int keep_stream(const char *node, const char *bytes, size_t count, void *user_data)
{
    text_printf(user_data, "%s %.*s\n", node, (int)count, bytes);
    return !strncmp(bytes, "stop", count);
}

static void keep_progress(size_t index, const char *text, void *user_data)
{
    text_printf(user_data, "%zu %s\n", index, text);
}

START_TEST(services)
{
    AUTO_ERROR memories_error *error = NULL;
    struct text heard = TEXT_INIT;
    struct call_environment environment = { .on_log = keep_log, .on_stream = keep_stream, .user_data = &heard };
    ck_assert_int_eq(run_plan(NULL, uses_memory, NULL, &error), 0);
    ck_assert_msg(!run_plan(&environment, speaks, NULL, &error), "%s", memories_error_message(error));
    AUTO_FREE char *text = text_take(&heard);
    ck_assert_str_eq(text, "test 4 hello\nnode1 abc\nnode1 stop\n");
}
END_TEST

START_TEST(the_table_is_complete)
{
    void *const *slots = (void *const *)&host->allocate;
    size_t count = (sizeof *host - offsetof(struct memories_host, allocate)) / sizeof *slots;
    ck_assert_uint_eq(host->size, sizeof *host);
    ck_assert_uint_eq(host->abi_minor, MEMORIES_ABI_MINOR);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(slots[i] != NULL, "service %zu is missing", i);
}
END_TEST

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

static int32_t answers_all(void *instance, struct memories_call *call,
                           const struct memories_operation *const *operations, size_t count)
{
    host->progress(call, 1, "half way");
    host->operation_result(call, 0, MEMORIES_STATE_READY, "{\"id\": \"a\"}", 0);
    struct memories_error_detail detail = { .size = sizeof detail, .code = MEMORIES_CAPACITY, .message = "sold out" };
    host->operation_failed(call, 1, &detail);
    return host->operation_result(call, 2, MEMORIES_STATE_PENDING, NULL, 250);
}

static int32_t answers_again(void *instance, struct memories_call *call,
                             const struct memories_operation *const *operations, size_t count)
{
    answers_all(instance, call, operations, count);
    return host->operation_result(call, 1, MEMORIES_STATE_STOPPED, NULL, 0);
}

static int32_t fails_half_way(void *instance, struct memories_call *call,
                              const struct memories_operation *const *operations, size_t count)
{
    host->operation_result(call, 1, MEMORIES_STATE_READY, NULL, 0);
    return fail_with(call, MEMORIES_TRANSIENT, "connection lost");
}

static int32_t fails_after_all(void *instance, struct memories_call *call,
                               const struct memories_operation *const *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        host->operation_result(call, i, MEMORIES_STATE_READY, NULL, 0);
    return fail_with(call, MEMORIES_FAILED, "could not tidy up");
}

static int32_t forgets_one(void *instance, struct memories_call *call,
                           const struct memories_operation *const *operations, size_t count)
{
    host->operation_result(call, 0, MEMORIES_STATE_READY, NULL, 0);
    return host->operation_result(call, 2, MEMORIES_STATE_READY, NULL, 0);
}

static int32_t answers_badly(void *instance, struct memories_call *call,
                             const struct memories_operation *const *operations, size_t count)
{
    host->operation_result(call, 0, 9, NULL, 0);
    host->operation_result(call, 1, MEMORIES_STATE_READY, "[1]", 0);
    host->operation_failed(call, 2, NULL);
    return 0;
}

static int32_t answers_for_a_fourth(void *instance, struct memories_call *call,
                                    const struct memories_operation *const *operations, size_t count)
{
    for (size_t i = 1; i <= count; i++)
        host->operation_result(call, i, MEMORIES_STATE_READY, NULL, 0);
    return 0;
}

#define BATCH_DEFECT "the plugin provider test is defective: slot create "

/* What three operations are answered with: a state, or code and message of an error. */
static const struct {
    batch_slot *slot;
    struct {
        uint32_t state;
        int code;
        const char *message;
    } answers[3];
    const char *heard;
} batches[] = {
    { answers_all,
      { { MEMORIES_STATE_READY, 0, NULL },
        { 0, MEMORIES_CAPACITY, "sold out" },
        { MEMORIES_STATE_PENDING, 0, NULL } },
      "1 half way\n" },
    { answers_again,
      { { MEMORIES_STATE_READY, 0, NULL }, { MEMORIES_STATE_STOPPED, 0, NULL }, { MEMORIES_STATE_PENDING, 0, NULL } },
      "1 half way\n" },
    { fails_half_way,
      { { 0, MEMORIES_TRANSIENT, "connection lost" },
        { MEMORIES_STATE_READY, 0, NULL },
        { 0, MEMORIES_TRANSIENT, "connection lost" } },
      "" },
    { fails_after_all,
      { { MEMORIES_STATE_READY, 0, NULL }, { MEMORIES_STATE_READY, 0, NULL }, { MEMORIES_STATE_READY, 0, NULL } },
      "test 3 could not tidy up\n" },
    { forgets_one,
      { { MEMORIES_STATE_READY, 0, NULL },
        { 0, MEMORIES_INTERNAL, BATCH_DEFECT "gave no answer for operation 1 (node/b)" },
        { MEMORIES_STATE_READY, 0, NULL } },
      "" },
    { answers_badly,
      { { 0, MEMORIES_INTERNAL, BATCH_DEFECT "answered for node/a with the unknown state 9" },
        { 0, MEMORIES_INTERNAL, BATCH_DEFECT "gave bad outputs for node/b: it is no JSON object" },
        { 0, MEMORIES_INTERNAL, BATCH_DEFECT "reported an error without a complete struct memories_error_detail" } },
      "" },
    { answers_for_a_fourth,
      { { 0, MEMORIES_INTERNAL, BATCH_DEFECT "answered for operation 3 of 3" },
        { MEMORIES_STATE_READY, 0, NULL },
        { MEMORIES_STATE_READY, 0, NULL } },
      "" },
};

START_TEST(batch_answers)
{
    static const struct memories_operation a = { .size = sizeof a, .key = "node/a", .type = "test.node" };
    static const struct memories_operation b = { .size = sizeof b, .key = "node/b", .type = "test.node" };
    static const struct memories_operation c = { .size = sizeof c, .key = "node/c", .type = "test.node" };
    const struct memories_operation *operations[] = { &a, &b, &c };
    struct operation_answer answers[3];
    struct text heard = TEXT_INIT;
    struct call_environment environment = { .on_log = keep_log, .on_progress = keep_progress, .user_data = &heard };
    ck_assert_int_eq(call_batch(&plugin, &environment, "create", batches[_i].slot, NULL, operations, 3, answers, NULL),
                     0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(answers[i].answered);
        ck_assert_int_eq(memories_error_code(answers[i].error), batches[_i].answers[i].code);
        if (answers[i].error)
            ck_assert_str_eq(memories_error_message(answers[i].error), batches[_i].answers[i].message);
        else
            ck_assert_uint_eq(answers[i].state, batches[_i].answers[i].state);
        operation_answer_clear(&answers[i]);
    }
    AUTO_FREE char *text = text_take(&heard);
    ck_assert_str_eq(text, batches[_i].heard);
}
END_TEST

START_TEST(an_empty_batch_is_not_sent)
{
    ck_assert_int_eq(call_batch(&plugin, NULL, "create", fails_half_way, NULL, NULL, 0, NULL, NULL), 0);
    ck_assert_int_eq(call_batch(&plugin, NULL, "update", NULL, NULL, NULL, 0, NULL, NULL), MEMORIES_UNSUPPORTED);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

static atomic_int inside, at_once;
static pthread_barrier_t meeting;

static int32_t counts_who_is_inside(struct memories_call *call, const char *request)
{
    int now = atomic_fetch_add(&inside, 1) + 1;
    if (now > atomic_load(&at_once))
        atomic_store(&at_once, now);
    for (int i = 0; i < 1000; i++)
        host->allocate(call, 100);
    atomic_fetch_sub(&inside, 1);
    return 0;
}

static int32_t meets_the_others(struct memories_call *call, const char *request)
{
    pthread_barrier_wait(&meeting);
    return 0;
}

static void *run_slot(void *slot)
{
    run_plan(NULL, *(document_slot **)slot, NULL, NULL);
    return NULL;
}

enum { THREADS = 8 };

static void run_threads(document_slot *slot)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_slot, &slot), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(a_serialised_plugin_is_entered_by_one)
{
    plugin.lock = &lock;
    run_threads(counts_who_is_inside);
    plugin.lock = NULL;
    ck_assert_int_eq(atomic_load(&at_once), 1);
}
END_TEST

/* Ends only when all are inside together. */
START_TEST(a_concurrent_plugin_is_entered_by_many)
{
    pthread_barrier_init(&meeting, NULL, THREADS);
    run_threads(meets_the_others);
    pthread_barrier_destroy(&meeting);
}
END_TEST

static void *work_for_the_call(void *call)
{
    for (int i = 0; i < 500; i++) {
        host->allocate(call, 10);
        host->result(call, "{}");
        fail_with(call, MEMORIES_FAILED, "told by a thread");
    }
    return NULL;
}

static int32_t uses_threads(struct memories_call *call, const char *request)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work_for_the_call, call);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return MEMORIES_FAILED;
}

START_TEST(a_call_serves_threads_of_the_plugin)
{
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(run_plan(NULL, uses_threads, NULL, &error), MEMORIES_FAILED);
    ck_assert_str_eq(memories_error_message(error), "told by a thread");
}
END_TEST

/* ---- Decorators -------------------------------------------------------------------------------------------------- */

/* Notes its letter going in and coming out; the one called "b" can answer in the plugin's place. */
struct noting {
    struct decorator decorator;
    char letter;
    bool answers;
};
static char notes[32];

static void note(char letter)
{
    notes[strlen(notes)] = letter;
}

static int32_t note_and_pass(struct decorator *decorator, const struct invocation *invocation, struct memories_call *call)
{
    const struct noting *noting = (const struct noting *)decorator;
    note(noting->letter);
    int32_t code = noting->answers ? fail_with(call, MEMORIES_QUOTA, "answered outside")
                                   : decorator_pass(decorator, invocation, call);
    note((char)(noting->letter - 'a' + 'A'));
    ck_assert_str_eq(invocation->slot_name, "plan");
    ck_assert_str_eq(invocation->request, "{\"a\":1}");
    return code;
}

static int32_t notes_and_echoes(struct memories_call *call, const char *request)
{
    note('.');
    return host->result(call, request);
}

START_TEST(decorators_stand_round_each_other)
{
    struct noting inner = { { NULL, note_and_pass }, 'b', false };
    struct noting outer = { { &inner.decorator, note_and_pass }, 'a', false };
    AUTO_JSON json_object *result = NULL;
    plugin.decorator = &outer.decorator;
    AUTO_JSON json_object *request = json_object_new_object();
    json_set_int(request, "a", 1);
    ck_assert_int_eq(call_document(&plugin, NULL, "plan", notes_and_echoes, request, &result, NULL), 0);
    ck_assert_str_eq(notes, "ab.BA");
    ck_assert_int_eq(json_get_int(result, "a", 0), 1);

    memset(notes, 0, sizeof notes);
    inner.answers = true;
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(call_document(&plugin, NULL, "plan", notes_and_echoes, request, NULL, &error), MEMORIES_QUOTA);
    ck_assert_str_eq(memories_error_message(error), "answered outside");
    ck_assert_str_eq(notes, "abBA");
    plugin.decorator = NULL;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("call");
    TCase *tests = tcase_create("call");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, failures, 0, (int)ARRAY_COUNT(failing));
    tcase_add_test(tests, defects_name_file_and_next_step);
    tcase_add_test(tests, an_error_arrives_whole);
    tcase_add_test(tests, documents);
    tcase_add_loop_test(tests, questions_are_asked_again, 0, ARRAY_COUNT(patience));
    tcase_add_test(tests, cancelling);
    tcase_add_test(tests, services);
    tcase_add_test(tests, the_table_is_complete);
    tcase_add_loop_test(tests, batch_answers, 0, (int)ARRAY_COUNT(batches));
    tcase_add_test(tests, an_empty_batch_is_not_sent);
    tcase_add_test(tests, a_serialised_plugin_is_entered_by_one);
    tcase_add_test(tests, a_concurrent_plugin_is_entered_by_many);
    tcase_add_test(tests, a_call_serves_threads_of_the_plugin);
    tcase_add_test(tests, decorators_stand_round_each_other);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
