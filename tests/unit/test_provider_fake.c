/* test_provider_fake.c - the tests' own provider keeps the promises that other tests lean on */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/cleanup.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/call.h"

static char state_dir[PATH_MAX];
static const struct plugin *provider;
static void *instance;

static json_object *parse(const char *text)
{
    memories_error *error = NULL;
    json_object *json = json_parse(text, "a test's document", &error);
    ck_assert_msg(json != NULL, "%s", memories_error_message(error));
    return json;
}

static void open_instance(const char *deployment, const char *knobs)
{
    memories_error *error = NULL;
    AUTO_FREE char *text =
        text_format("{\"version\": 1, \"deployment\": %s%s%s, \"state_dir\": \"%s\", \"config\": {\"fake\": %s}}",
                    deployment ? "\"" : "", deployment ? deployment : "null", deployment ? "\"" : "", state_dir, knobs);
    AUTO_JSON json_object *request = parse(text);
    int failed = call_open(provider, NULL, request, &instance, &error);
    ck_assert_msg(!failed, "%s", memories_error_message(error));
}

static void setup(void)
{
    char libs[PATH_MAX + 32];
    memories_error *error = NULL;
    const char *temporary = getenv("TMPDIR"), *builddir = getenv("builddir");
    snprintf(state_dir, sizeof state_dir, "%s/memories-fake-XXXXXX", temporary ? temporary : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(state_dir));
    AUTO_FREE char *root = realpath(builddir ? builddir : ".", NULL);
    snprintf(libs, sizeof libs, "%s/tests/plugins/.libs", root);
    provider = loader_open(MEMORIES_PLUGIN_PROVIDER, "fake", libs, NULL, &error);
    ck_assert_msg(provider != NULL, "%s", memories_error_message(error));
    instance = NULL;
}

static void teardown(void)
{
    if (instance)
        call_close(provider, instance);
    directory_remove(state_dir, NULL);
}

/* One operation as a batch of one; the answer is the caller's to clear. */
static struct operation_answer operate(const char *name, batch_slot *slot, const char *key, const char *token,
                                       const char *outputs, uint32_t power_on)
{
    struct memories_operation operation = { .size = sizeof operation,
                                            .key = key,
                                            .type = strcmp(key, "network") ? "fake.node" : "fake.network",
                                            .token = token,
                                            .inputs = "{\"address\": \"10.99.0.1\"}",
                                            .outputs = outputs,
                                            .power_on = power_on };
    const struct memories_operation *operations[] = { &operation };
    struct operation_answer answer;
    ck_assert_int_eq(call_batch(provider, NULL, name, slot, instance, operations, 1, &answer, NULL), 0);
    return answer;
}

static struct operation_answer create(const char *key, const char *token)
{
    return operate("create", provider->ops.provider.create, key, token, NULL, 1);
}

static struct operation_answer read_by(const char *key, const char *token, const char *outputs)
{
    return operate("read", provider->ops.provider.read, key, token, outputs, 0);
}

static size_t discovered(const char *deployment)
{
    AUTO_JSON json_object *result = NULL;
    AUTO_FREE char *text = deployment ? text_format("{\"version\": 1, \"deployment\": \"%s\"}", deployment)
                                      : strdup("{\"version\": 1, \"deployment\": null}");
    AUTO_JSON json_object *request = parse(text);
    ck_assert_int_eq(call_instance_document(provider, NULL, "discover", provider->ops.provider.discover, instance,
                                            request, &result, NULL),
                     0);
    return json_count(json_get(result, "resources"));
}

static void assert_state(struct operation_answer answer, uint32_t state)
{
    ck_assert_msg(!answer.error, "%s", memories_error_message(answer.error));
    ck_assert_uint_eq(answer.state, state);
    operation_answer_clear(&answer);
}

START_TEST(equal_tokens_make_one_object)
{
    open_instance("d1", "{}");
    struct operation_answer first = create("node/node1", "t1"), again = create("node/node1", "t1");
    ck_assert(json_equal(first.outputs, again.outputs));
    ck_assert_uint_eq(discovered("d1"), 1);
    operation_answer_clear(&first);
    operation_answer_clear(&again);
    assert_state(create("node/node1", "t2"), MEMORIES_STATE_READY);
    ck_assert_uint_eq(discovered("d1"), 2);
}
END_TEST

START_TEST(reads_by_outputs_token_and_key)
{
    open_instance("d1", "{}");
    struct operation_answer made = create("network", "t1");
    AUTO_FREE char *outputs = json_text(made.outputs);
    operation_answer_clear(&made);
    assert_state(read_by("network", NULL, outputs), MEMORIES_STATE_READY);
    assert_state(read_by("network", "t1", NULL), MEMORIES_STATE_READY);
    assert_state(read_by("network", "unknown", NULL), MEMORIES_STATE_READY);
    assert_state(read_by("node/node9", "unknown", NULL), MEMORIES_STATE_ABSENT);
    assert_state(read_by("network", NULL, "{\"id\": \"fake-99\"}"), MEMORIES_STATE_ABSENT);
}
END_TEST

START_TEST(pending_reads_then_ready)
{
    open_instance("d1", "{\"pending_reads\": 2}");
    assert_state(create("node/node1", "t1"), MEMORIES_STATE_PENDING);
    assert_state(read_by("node/node1", "t1", NULL), MEMORIES_STATE_PENDING);
    assert_state(read_by("node/node1", "t1", NULL), MEMORIES_STATE_READY);
}
END_TEST

START_TEST(power_and_destroy)
{
    open_instance("d1", "{}");
    assert_state(create("node/node1", "t1"), MEMORIES_STATE_READY);
    assert_state(operate("power", provider->ops.provider.power, "node/node1", "t1", NULL, 0), MEMORIES_STATE_STOPPED);
    assert_state(read_by("node/node1", "t1", NULL), MEMORIES_STATE_STOPPED);
    assert_state(operate("power", provider->ops.provider.power, "node/node1", "t1", NULL, 1), MEMORIES_STATE_READY);
    for (int twice = 0; twice < 2; twice++)
        assert_state(operate("destroy", provider->ops.provider.destroy, "node/node1", "t1", NULL, 0),
                     MEMORIES_STATE_ABSENT);
    AUTO_FREE char *file = text_format("%s/fake/d1.json", state_dir);
    ck_assert_int_eq(access(file, F_OK), -1);
}
END_TEST

START_TEST(fails_on_request)
{
    open_instance("d1", "{\"fail\": [{\"operation\": \"create\", \"key\": \"node/node1\", \"nth\": 2, \"code\": \"quota\"},"
                        "{\"operation\": \"create\", \"key\": \"network\", \"code\": \"transient\", \"after\": true}]}");
    assert_state(create("node/node1", "t1"), MEMORIES_STATE_READY);
    struct operation_answer refused = create("node/node1", "t2"), lost = create("network", "t3");
    ck_assert_int_eq(memories_error_code(refused.error), MEMORIES_QUOTA);
    ck_assert_int_eq(memories_error_code(lost.error), MEMORIES_TRANSIENT);
    operation_answer_clear(&refused);
    operation_answer_clear(&lost);
    ck_assert_uint_eq(discovered("d1"), 2);
    assert_state(create("network", "t3"), MEMORIES_STATE_READY);
    ck_assert_uint_eq(discovered("d1"), 2);
}
END_TEST

/* Many processes at once on one deployment, each killed after its work: nothing is lost. */
START_TEST(objects_outlive_killed_processes)
{
    enum { PROCESSES = 8 };
    pid_t children[PROCESSES];
    open_instance("d1", "{}");
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        ck_assert_int_ge(children[i], 0);
        if (children[i] == 0) {
            char token[32];
            snprintf(token, sizeof token, "token-%d", i);
            struct operation_answer answer = create("node/node1", token);
            if (answer.state != MEMORIES_STATE_READY)
                _exit(1);
            raise(SIGKILL);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    ck_assert_uint_eq(discovered("d1"), PROCESSES);
}
END_TEST

START_TEST(discovers_all_deployments)
{
    open_instance("d1", "{}");
    assert_state(create("network", "t1"), MEMORIES_STATE_READY);
    call_close(provider, instance);
    open_instance("d2", "{}");
    assert_state(create("network", "t1"), MEMORIES_STATE_READY);
    assert_state(create("node/node1", "t2"), MEMORIES_STATE_READY);
    call_close(provider, instance);
    open_instance(NULL, "{}");
    ck_assert_uint_eq(discovered(NULL), 3);
    ck_assert_uint_eq(discovered("d2"), 2);
}
END_TEST

START_TEST(keeps_addresses_that_were_chosen)
{
    AUTO_JSON json_object *first = NULL, *second = NULL;
    open_instance("d1", "{}");
    AUTO_JSON json_object *request = parse("{\"version\": 1, \"deployment\": \"d1\", \"choices\": null,"
                                           " \"spec\": {\"nodes\": [{\"name\": \"a\"}, {\"name\": \"b\"}]}}");
    ck_assert_int_eq(call_instance_document(provider, NULL, "prepare", provider->ops.provider.prepare, instance,
                                            request, &first, NULL),
                     0);
    AUTO_JSON json_object *grown = parse("{\"version\": 1, \"deployment\": \"d1\","
                                         " \"spec\": {\"nodes\": [{\"name\": \"c\"}, {\"name\": \"b\"}]}}");
    json_set(grown, "choices", json_ref(json_get(first, "choices")));
    ck_assert_int_eq(call_instance_document(provider, NULL, "prepare", provider->ops.provider.prepare, instance, grown,
                                            &second, NULL),
                     0);
    json_object *before = json_get(json_get(first, "choices"), "nodes"), *after = json_get(json_get(second, "choices"), "nodes");
    ck_assert_str_eq(json_get_string(json_get(before, "b"), "address"), "10.99.0.2");
    ck_assert(json_equal(json_get(before, "b"), json_get(after, "b")));
    ck_assert_str_eq(json_get_string(json_get(after, "c"), "address"), "10.99.0.3");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider fake");
    TCase *tests = tcase_create("fake");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, equal_tokens_make_one_object);
    tcase_add_test(tests, reads_by_outputs_token_and_key);
    tcase_add_test(tests, pending_reads_then_ready);
    tcase_add_test(tests, power_and_destroy);
    tcase_add_test(tests, fails_on_request);
    tcase_add_test(tests, objects_outlive_killed_processes);
    tcase_add_test(tests, discovers_all_deployments);
    tcase_add_test(tests, keeps_addresses_that_were_chosen);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
