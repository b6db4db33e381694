/*
 * test_config_memory.c - configurations when memory runs out
 *
 * Each allocation in turn fails, in our code and in the libraries below: nothing crashes or leaks, a wrong
 * configuration never passes for right, and what fails says so.
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/config/config.h"

/* ---- Allocations that fail --------------------------------------------------------------------------------------- */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

/* Seen by the libraries too. */
#define REPLACES_LIBC __attribute__((visibility("default")))
REPLACES_LIBC void *malloc(size_t bytes);
REPLACES_LIBC void *calloc(size_t count, size_t bytes);
REPLACES_LIBC void *realloc(void *old, size_t bytes);

static long fail_at; /* the allocation to fail, counted from 1; 0: none */
static long counted;

static bool fails(void)
{
    if (++counted != fail_at)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __libc_realloc(old, bytes);
}

/* Two functions crash when they run out of memory, and are spared: glibc's regcomp, which frees something twice, and
 * json-c's parser, which uses a key that it does not have. */
struct pause {
    long fail_at, counted;
};

static struct pause pause_failing(void)
{
    struct pause pause = { fail_at, counted };
    fail_at = 0;
    return pause;
}

static void resume_failing(struct pause pause)
{
    fail_at = pause.fail_at;
    counted = pause.counted;
}

REPLACES_LIBC int regcomp(regex_t *pattern, const char *text, int flags)
{
    int (*original)(regex_t *, const char *, int);
    struct pause pause = pause_failing();
    *(void **)&original = dlsym(RTLD_NEXT, "regcomp");
    int result = original(pattern, text, flags);
    resume_failing(pause);
    return result;
}

REPLACES_LIBC json_object *json_tokener_parse_ex(json_tokener *tokener, const char *text, int bytes)
{
    json_object *(*original)(json_tokener *, const char *, int);
    struct pause pause = pause_failing();
    *(void **)&original = dlsym(RTLD_NEXT, "json_tokener_parse_ex");
    json_object *result = original(tokener, text, bytes);
    resume_failing(pause);
    return result;
}

/* Runs `work` once for each of its allocations, with that one failing; every `stride`-th only. */
static void fail_each(int work(memories_error **error), int expected, long stride)
{
    memories_error *error = NULL;
    counted = 0;
    ck_assert_int_eq(work(&error), expected);
    memories_error_free(error);
    long all = counted, seen = 0;
    for (long at = 1; at <= all; at += stride) {
        error = NULL;
        counted = 0;
        fail_at = at;
        int result = work(&error);
        fail_at = 0;
        /* Losing no more than a hint is no failure. */
        ck_assert_msg(result == expected || result == MEMORIES_NO_MEMORY, "allocation %ld: %d: %s", at, result,
                      memories_error_message(error));
        ck_assert_int_eq(memories_error_code(error), result);
        ck_assert_ptr_nonnull(memories_error_message(error));
        seen += result == MEMORIES_NO_MEMORY;
        memories_error_free(error);
    }
    printf("%ld allocations, every %ld failed: told %ld times\n", all, stride, seen);
    ck_assert_int_gt(seen, 0);
}

/* ---- Work -------------------------------------------------------------------------------------------------------- */

static int parse(const char *text, memories_error **error)
{
    memories_config *config = memories_config_parse(NULL, text, strlen(text), "x.yaml", error);
    memories_config_free(config);
    return config ? 0 : memories_error_code(*error);
}

static int parse_right(memories_error **error)
{
    return parse("topology: a\nconfig:\n  b: &x [1, 2.5, true, null, text]\n  c: {d: *x}\n", error);
}

static int parse_wrong(memories_error **error)
{
    return parse("{\"a\": \"\\ud83d\\ude00\", \"a\": 1}", error);
}

static int assign(memories_error **error)
{
    static const char text[] = "a: {b: [1]}\n";
    memories_config *config = memories_config_parse(NULL, text, strlen(text), "x.yaml", error);
    int failed = config ? memories_config_set(config, "a.b[1].c={d: 5}", error) : memories_error_code(*error);
    memories_config_free(config);
    return failed;
}

static json_object *schema;

static int check(const char *text, memories_error **error)
{
    memories_config *config = memories_config_parse(NULL, text, strlen(text), "x.yaml", error);
    int failed = config ? config_check(config, schema, error) : memories_error_code(*error);
    memories_config_free(config);
    return failed;
}

static int check_right(memories_error **error)
{
    return check("nodes: [{id: a, zone: b}]\ntag: 5\nlist: [1, 2]\n", error);
}

static int check_wrong(memories_error **error)
{
    return check("nodes: [{id: 5, zon: b}, {}]\ntag: {}\nlist: [1, 1]\nnetwork: {cidr: 10.0.0.0/8, subnets: {public: "
                 "{cidr: 11.0.0.0/8}}}\n",
                 error);
}

static int combine(memories_error **error)
{
    AUTO_JSON json_object *topology =
        json_parse("{\"version\": 1, \"schema\": {\"properties\": {\"a\": {}}}}", "t", error);
    AUTO_JSON json_object *provider =
        topology ? json_parse("{\"version\": 1, \"resource_types\": {\"x.y\": {}}}", "p", error) : NULL;
    AUTO_JSON json_object *combined = provider ? config_schema_combine(topology, provider, error) : NULL;
    AUTO_JSON json_object *file = combined ? config_schema_file("t", "p", combined, error) : NULL;
    return file ? 0 : memories_error_code(*error);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

START_TEST(parsing)
{
    fail_each(parse_right, 0, 1);
    fail_each(parse_wrong, MEMORIES_INVALID, 1);
    fail_each(assign, 0, 1);
}
END_TEST

START_TEST(checking)
{
    schema = json_tokener_parse(
        "{\"properties\": {\"nodes\": {\"items\": {\"$ref\": \"#/$defs/n\", \"required\": [\"id\"],"
        " \"unevaluatedProperties\": false}}, \"network\": true, \"list\": {\"uniqueItems\": true},"
        " \"tag\": {\"anyOf\": [{\"type\": \"string\", \"pattern\": \"^a\"}, {\"type\": \"integer\"}]}},"
        " \"additionalProperties\": false, \"$defs\": {\"n\": {\"properties\": {\"id\": {\"type\": \"string\","
        " \"title\": \"name\", \"description\": \"what\", \"examples\": [\"a\"]}, \"zone\": {\"enum\": [\"b\"]}}}}}");
    fail_each(check_right, 0, 1);
    fail_each(check_wrong, MEMORIES_INVALID, 1);
    json_object_put(schema);
}
END_TEST

START_TEST(combining)
{
    fail_each(combine, 0, 1);
}
END_TEST

int main(void)
{
    if (getenv("MEMORIES_UNDER_VALGRIND")) {
        printf("skipped: valgrind puts its own malloc in place of this test's\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* a failing test ends without flushing */
    Suite *suite = suite_create("config memory");
    TCase *tests = tcase_create("config memory");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, parsing);
    tcase_add_test(tests, checking);
    tcase_add_test(tests, combining);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
