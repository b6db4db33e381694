/* test_isolate.c - messages between two processes; an isolated plugin that many threads call, and its end */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/call.h"
#include "core/loader/channel.h"
#include "core/loader/isolate_wire.h"
#include "core/loader/open.h"

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

START_TEST(messages_give_back_what_was_put)
{
    AUTO_MESSAGE struct message sent = { 0 };
    AUTO_MESSAGE struct message got = { 0 };
    int pair[2];
    size_t count;
    message_put_number(&sent, -7);
    message_put_text(&sent, "text");
    message_put_text(&sent, NULL);
    message_put_text(&sent, "");
    message_put_bytes(&sent, "a\0\377b", 4);
    message_put_number(&sent, INT64_MAX);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(channel_send(pair[0], &sent), 0);
    ck_assert_int_eq(channel_receive(pair[1], &got), 0);
    ck_assert_int_eq(message_number(&got), -7);
    ck_assert_str_eq(message_text(&got), "text");
    ck_assert_ptr_null(message_text(&got));
    ck_assert_str_eq(message_text(&got), "");
    ck_assert_mem_eq(message_bytes(&got, &count), "a\0\377b", 5);
    ck_assert_uint_eq(count, 4);
    ck_assert_int_eq(message_number(&got), INT64_MAX);
    ck_assert(!got.failed);
    ck_assert_int_eq(message_number(&got), 0); /* the end */
    ck_assert(got.failed);

    close(pair[0]);
    ck_assert_int_eq(channel_receive(pair[1], &got), -1);
    ck_assert_int_eq(channel_send(pair[1], &sent), -1); /* and no SIGPIPE */
    close(pair[1]);
}
END_TEST

static void *allocate(void *data, size_t bytes)
{
    void **place = data;
    return *place = calloc(1, bytes);
}

/* Whatever length is cut off: nothing is read beyond it, and it is noticed. */
START_TEST(messages_that_are_cut)
{
    const char *const headers[] = { "a: b", NULL };
    const struct memories_http_response full = {
        .size = sizeof full, .status = 200, .body = "body", .body_bytes = 4, .headers = headers
    };
    AUTO_MESSAGE struct message whole = { 0 };
    wire_put_response(&whole, &full);
    for (size_t length = 0; length < whole.length; length++) {
        AUTO_FREE char *bytes = malloc(length + 1); /* of its own, so that AddressSanitizer sees its end */
        AUTO_FREE void *list = NULL;
        struct memories_http_response response;
        memcpy(bytes, whole.bytes, length);
        struct message cut = { .bytes = bytes, .length = length };
        wire_response(&cut, &response, allocate, &list);
        ck_assert(cut.failed);
    }
}
END_TEST

START_TEST(descriptors_are_handed_over)
{
    int pair[2], other[2];
    char letter = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    ck_assert_int_eq(channel_send_descriptor(pair[0], other[0]), 0);
    int received = channel_receive_descriptor(pair[1]);
    ck_assert_int_ge(received, 0);
    ck_assert_int_eq(write(received, "x", 1), 1);
    ck_assert_int_eq(read(other[1], &letter, 1), 1);
    ck_assert_int_eq(letter, 'x');
    close(pair[0]);
    ck_assert_int_eq(channel_receive_descriptor(pair[1]), -1);
}
END_TEST

/* ---- A plugin in another process --------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 25 };

static char state[] = "/tmp/memories-isolate-XXXXXX";

static void setup(void)
{
    const char *builddir = getenv("builddir");
    AUTO_FREE char *here = realpath(builddir ? builddir : ".", NULL);
    AUTO_FREE char *libexec = text_format("%s/core", here);
    setenv("MEMORIES_LIBEXEC_DIR", libexec, 1);
    ck_assert_ptr_nonnull(mkdtemp(state));
}

static void teardown(void)
{
    directory_remove(state, NULL);
}

static const struct plugin *open_isolated(const char *name)
{
    AUTO_ERROR memories_error *error = NULL;
    const char *builddir = getenv("builddir");
    AUTO_FREE char *here = realpath(builddir ? builddir : ".", NULL);
    AUTO_FREE char *path = text_format("%s/tests/plugins/.libs/%s.so", here, name);
    const struct plugin *plugin = loader_open_isolated_file(path, NULL, &error);
    ck_assert_msg(plugin != NULL, "%s", memories_error_message(error));
    ck_assert_ptr_eq(loader_open_isolated_file(path, NULL, &error), plugin);
    const struct plugin *within = loader_open_file(path, NULL, &error);
    ck_assert_ptr_nonnull(within);
    ck_assert_ptr_ne(within, plugin);
    ck_assert(json_equal(within->description, plugin->description));
    return plugin;
}

static void *plan_many(void *argument)
{
    const struct plugin *plugin = argument;
    for (int64_t round = 1; round <= ROUNDS; round++) {
        int64_t nodes = 1 + (int64_t)((uintptr_t)pthread_self() / 4096 + (uintptr_t)round) % 20;
        AUTO_JSON json_object *request = json_object_new_object(), *spec = NULL;
        json_object *config = json_object_new_object();
        memories_error *error = NULL;
        json_set_int(config, "fake_nodes", nodes);
        json_set_string(request, "deployment", "d");
        json_set(request, "config", config);
        ck_assert_int_eq(call_document(plugin, NULL, "plan", plugin->ops.topology.plan, request, &spec, &error), 0);
        ck_assert_uint_eq(json_count(json_get_array(spec, "nodes")), (size_t)nodes);
    }
    return NULL;
}

static void run_threads(void *work(void *), void *argument)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, argument), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(many_threads_call_at_once)
{
    run_threads(plan_many, (void *)(uintptr_t)open_isolated("topology-fake"));
}
END_TEST

struct deployment {
    const struct plugin *plugin;
    void *instance;
    atomic_int failures, successes;
};

/* 0, or the error's code. *text says what it was. */
static int read_one(struct deployment *deployment, const char *key, memories_error **error)
{
    const struct memories_operation operation = {
        .size = sizeof operation, .generation = 1, .attempt = 1, .key = key, .type = "fake.node", .token = "t"
    };
    const struct memories_operation *operations[] = { &operation };
    struct operation_answer answer;
    call_batch(deployment->plugin, NULL, "read", deployment->plugin->ops.provider.read, deployment->instance,
               operations, 1, &answer, NULL);
    int code = memories_error_code(answer.error);
    if (code)
        *error = error_copy(answer.error);
    operation_answer_clear(&answer);
    return code;
}

static void *read_many(void *argument)
{
    struct deployment *deployment = argument;
    for (int i = 0; i < ROUNDS; i++) {
        AUTO_ERROR memories_error *error = NULL;
        if (!read_one(deployment, i == ROUNDS / 2 ? "node/crash" : "node/node1", &error)) {
            deployment->successes++;
            continue;
        }
        deployment->failures++;
        ck_assert_int_eq(memories_error_code(error), MEMORIES_FAILED);
        ck_assert_msg(strstr(memories_error_message(error),
                             "the process of provider fake ended in the slot read: it was "
                             "killed by signal 6"),
                      "%s", memories_error_message(error));
    }
    return NULL;
}

/* Each thread makes it crash once. Calls end well or with that error; none hangs, and the next ones find a new one. */
START_TEST(crashes_hit_who_is_inside)
{
    setenv("MEMORIES_FAKE_CRASH", "read node/crash", 1);
    struct deployment deployment = { .plugin = open_isolated("provider-fake") };
    AUTO_JSON json_object *request = json_object_new_object();
    memories_error *error = NULL;
    json_set_string(request, "deployment", "d");
    json_set_string(request, "state_dir", state);
    ck_assert_int_eq(call_open(deployment.plugin, NULL, request, &deployment.instance, &error), 0);
    run_threads(read_many, &deployment);
    ck_assert_int_ge(deployment.failures, 1);
    ck_assert_int_ge(deployment.successes, 1);
    ck_assert_int_eq(deployment.failures + deployment.successes, THREADS * ROUNDS);
    ck_assert_int_eq(read_one(&deployment, "node/node1", &error), 0);
    call_close(deployment.plugin, deployment.instance);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("isolate");
    TCase *tests = tcase_create("isolate");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, messages_give_back_what_was_put);
    tcase_add_test(tests, messages_that_are_cut);
    tcase_add_test(tests, descriptors_are_handed_over);
    tcase_add_test(tests, many_threads_call_at_once);
    tcase_add_test(tests, crashes_hit_who_is_inside);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
