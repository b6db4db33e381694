/* test_metadata.c - the block by which a plugin's file says what it is */
#include <check.h>
#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/loader.h"

#define MARKER MEMORIES_PLUGIN_MARKER
#define LEAST "kind=provider\nname=a\nabi=1.0\nneeds=1.0\n"

/* A literal with its NULs. */
#define BYTES(literal) literal, sizeof literal - 1

static const struct {
    const char *what;
    const char *bytes;
    size_t count;
    const char *expected; /* JSON, or NULL for no metadata */
} blocks[] = {
    { "least", BYTES(MARKER LEAST "\n"),
      "{\"kind\": \"provider\", \"name\": \"a\", \"abi\": \"1.0\", \"needs\": \"1.0\"}" },
    { "all", BYTES(MARKER "kind=topology\nname=x_1\nversion=1.2 beta\nlicence=MIT OR X=Y\nabi=1.7\nneeds=1.3\n\nmore"),
      "{\"kind\": \"topology\", \"name\": \"x_1\", \"version\": \"1.2 beta\", \"licence\": \"MIT OR X=Y\","
      " \"abi\": \"1.7\", \"needs\": \"1.3\"}" },
    { "key of a later version", BYTES("\1\2" MARKER "colour=blue\n" LEAST "\n"),
      "{\"kind\": \"provider\", \"name\": \"a\", \"abi\": \"1.0\", \"needs\": \"1.0\"}" },
    { "marker as a string of the program", BYTES(MARKER "\0" MARKER LEAST "\n"),
      "{\"kind\": \"provider\", \"name\": \"a\", \"abi\": \"1.0\", \"needs\": \"1.0\"}" },
    { "first of two", BYTES(MARKER LEAST "\n" MARKER "kind=provider\nname=b\nabi=1.0\nneeds=1.0\n\n"),
      "{\"kind\": \"provider\", \"name\": \"a\", \"abi\": \"1.0\", \"needs\": \"1.0\"}" },
    { "nothing", BYTES(""), NULL },
    { "marker only", BYTES(MARKER), NULL },
    { "no end", BYTES(MARKER LEAST), NULL },
    { "line without =", BYTES(MARKER LEAST "word\n\n"), NULL },
    { "NUL inside", BYTES(MARKER "kind=provider\nname=a\0b\nabi=1.0\nneeds=1.0\n\n"), NULL },
    { "key twice", BYTES(MARKER LEAST "name=b\n\n"), NULL },
    { "no kind", BYTES(MARKER "name=a\nabi=1.0\nneeds=1.0\n\n"), NULL },
    { "no name", BYTES(MARKER "kind=provider\nabi=1.0\nneeds=1.0\n\n"), NULL },
    { "no abi", BYTES(MARKER "kind=provider\nname=a\nneeds=1.0\n\n"), NULL },
    { "no needs", BYTES(MARKER "kind=provider\nname=a\nabi=1.0\n\n"), NULL },
    { "unknown kind", BYTES(MARKER "kind=driver\nname=a\nabi=1.0\nneeds=1.0\n\n"), NULL },
    { "name in capitals", BYTES(MARKER "kind=provider\nname=A\nabi=1.0\nneeds=1.0\n\n"), NULL },
    { "empty name", BYTES(MARKER "kind=provider\nname=\nabi=1.0\nneeds=1.0\n\n"), NULL },
    { "long name", BYTES(MARKER "kind=provider\nname=a2345678901234567890123456789012\nabi=1.0\nneeds=1.0\n\n"), NULL },
    { "abi without minor", BYTES(MARKER "kind=provider\nname=a\nabi=1\nneeds=1.0\n\n"), NULL },
    { "abi with words", BYTES(MARKER "kind=provider\nname=a\nabi=1.0x\nneeds=1.0\n\n"), NULL },
    { "control character", BYTES(MARKER LEAST "version=\033[31m\n\n"), NULL },
    { "not ASCII", BYTES(MARKER LEAST "version=\303\244\n\n"), NULL },
};

START_TEST(parsing)
{
    /* An exact copy, so that reading past the end is seen. */
    AUTO_FREE char *bytes = malloc(blocks[_i].count + 1);
    memcpy(bytes + 1, blocks[_i].bytes, blocks[_i].count);
    AUTO_JSON json_object *found = metadata_parse(bytes + 1, blocks[_i].count);
    AUTO_JSON json_object *expected =
        blocks[_i].expected ? json_parse(blocks[_i].expected, "expected metadata", NULL) : NULL;
    ck_assert_msg(json_equal(found, expected), "%s: found %s", blocks[_i].what,
                  found ? json_object_to_json_string(found) : "nothing");
}
END_TEST

static char path[PATH_MAX];

/* A file of `before` bytes, a block, and some more. */
static void write_around(size_t before)
{
    static const char block[] = MARKER LEAST "\n";
    AUTO_FREE char *content = calloc(1, before + sizeof block + 100);
    for (size_t i = 0; i < before; i++)
        content[i] = MARKER[i % 7]; /* beginnings of a marker */
    memcpy(content + before, block, sizeof block - 1);
    ck_assert_int_eq(file_write(path, content, before + sizeof block + 100, 0600, false, NULL), 0);
}

/* The file is read in pieces: a block may stand across any two of them. */
START_TEST(blocks_anywhere_in_a_file)
{
    static const size_t windows[] = { 0, 1024, 65536, 65536 + 1024, 2 * 65536, 3 * 65536 + 5000 };
    const char *temporary = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/memories-metadata-XXXXXX", temporary ? temporary : "/tmp");
    AUTO_FD int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < ARRAY_COUNT(windows); i++) {
        for (size_t back = 0; back < 100 && back <= windows[i]; back += 9) {
            write_around(windows[i] - back);
            AUTO_ERROR memories_error *error = NULL;
            AUTO_JSON json_object *metadata = metadata_read(path, &error);
            ck_assert_msg(metadata != NULL, "at %zu: %s", windows[i] - back, memories_error_message(error));
        }
    }
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(files_without_metadata)
{
    AUTO_ERROR memories_error *none = NULL, *missing = NULL;
    ck_assert_ptr_null(metadata_read("/dev/null", &none));
    ck_assert_int_eq(memories_error_code(none), MEMORIES_NOT_FOUND);
    ck_assert_str_eq(memories_error_message(none), "/dev/null has no plugin metadata");
    ck_assert_ptr_null(metadata_read("/nonexistent/provider-a.so", &missing));
    ck_assert_str_eq(memories_error_message(missing), "can't open /nonexistent/provider-a.so");
    ck_assert_str_eq(memories_error_cause(missing), "No such file or directory");
}
END_TEST

static const struct memories_plugin_descriptor *descriptor_of(const char *file, json_object *metadata)
{
    AUTO_FREE char *symbol = text_format("%s_%s_LTX_memories_plugin_query", json_get_string(metadata, "kind"),
                                         json_get_string(metadata, "name"));
    void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(module, "%s", dlerror());
    memories_plugin_query_fn *query;
    *(void **)&query = dlsym(module, symbol);
    ck_assert_msg(query, "%s", dlerror());
    return query();
}

/* What a tool reads in the file is what the plugin says when it is loaded. */
static void compare_with_descriptor(const char *file)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *metadata = metadata_read(file, &error);
    ck_assert_msg(metadata, "%s: %s", file, error ? memories_error_message(error) : "");
    const struct memories_plugin_descriptor *descriptor = descriptor_of(file, metadata);
    AUTO_FREE char *abi = text_format("%u.%u", descriptor->abi_major, descriptor->abi_minor);
    AUTO_FREE char *needs = text_format("%u.%u", descriptor->abi_major, descriptor->abi_minor_needed);
    ck_assert_str_eq(json_get_string(metadata, "name"), descriptor->name);
    ck_assert_str_eq(json_get_string(metadata, "version"), descriptor->version);
    ck_assert_str_eq(json_get_string(metadata, "licence"), descriptor->licence);
    ck_assert_str_eq(json_get_string(metadata, "abi"), abi);
    ck_assert_str_eq(json_get_string(metadata, "needs"), needs);
}

START_TEST(our_plugins_say_the_same_in_both_places)
{
    const char *builddir = getenv("builddir");
    AUTO_FREE char *pattern = text_format("%s/plugins/*/*/.libs/*-*.so", builddir ? builddir : ".");
    glob_t found;
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        compare_with_descriptor(found.gl_pathv[i]);
    ck_assert_uint_ge(found.gl_pathc, 4);
    globfree(&found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metadata");
    TCase *tests = tcase_create("metadata");
    tcase_add_loop_test(tests, parsing, 0, (int)ARRAY_COUNT(blocks));
    tcase_add_test(tests, blocks_anywhere_in_a_file);
    tcase_add_test(tests, files_without_metadata);
    tcase_add_test(tests, our_plugins_say_the_same_in_both_places);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
