/* node_fixture.c - what the tests of the local node's supervisor share: nodes in a temporary directory */
#include "tests/unit/node_fixture.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX 256

char *fixture_directory;
char *fixture_program;
static char *base; /* the program's temporary directory: that of each test is in it */
static char *nodes[NODES_MAX];
static size_t node_count;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    remove(path);
    return 0;
}

static void make_directory_for_test(void)
{
    const char *build = getenv("builddir"), *program = getenv("MEMORIES_NODE_PROGRAM");
    ck_assert(asprintf(&fixture_directory, "%s/XXXXXX", base) > 0);
    ck_assert_ptr_nonnull(mkdtemp(fixture_directory));
    if (program)
        fixture_program = strdup(program);
    else
        ck_assert(asprintf(&fixture_program, "%s/plugins/providers/local/node/memories-node", build ? build : ".") > 0);
}

static void stop_nodes(void)
{
    for (size_t i = 0; i < node_count; i++) {
        node_stop(nodes[i], 10000, NULL);
        free(nodes[i]);
    }
    node_count = 0;
    free(fixture_directory);
    free(fixture_program);
}

TCase *node_fixture_case(const char *name, double seconds)
{
    TCase *test_case = tcase_create(name);
    tcase_add_checked_fixture(test_case, make_directory_for_test, stop_nodes);
    tcase_set_timeout(test_case, seconds);
    return test_case;
}

/* A test that fails ends at once, its nodes go on. */
static int stop_node_of(const char *path, const struct stat *info, int type, struct FTW *where)
{
    if (type == FTW_F && !strcmp(path + where->base, "lock")) {
        char *node = strndup(path, (size_t)where->base - 1);
        node_stop(node, 10000, NULL);
        free(node);
    }
    return 0;
}

int node_fixture_run(Suite *suite)
{
    const char *temporary = getenv("TMPDIR");
    char template[4096];
    snprintf(template, sizeof template, "%s/memories-node.XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(template) || !(base = realpath(template, NULL))) {
        perror(template);
        return EXIT_FAILURE;
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    nftw(base, stop_node_of, 32, FTW_PHYS);
    nftw(base, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    free(base);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int node_fixture_skip(const char *reason)
{
    printf("skipped: %s\n", reason);
    return 77;
}

static void write_definition(const char *node, const char *members)
{
    char *document;
    ck_assert(asprintf(&document, "{'version': 1, 'deployment': 'd', 'key': 'node/n', 'name': 'n', %s}", members) > 0);
    for (char *quote = document; (quote = strchr(quote, '\''));)
        *quote = '"';
    write_below(node, "node.json", document);
    free(document);
}

const char *node_make(const char *name, const char *members, ...)
{
    static const char *const parts[] = { "", "/config", "/data", "/log", "/run" };
    char *node, *text;
    ck_assert(node_count < NODES_MAX);
    ck_assert(asprintf(&node, "%s/%s", fixture_directory, name) > 0);
    nodes[node_count++] = node;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *part;
        ck_assert(asprintf(&part, "%s%s", node, parts[i]) > 0);
        ck_assert_int_eq(mkdir(part, 0700), 0);
        free(part);
    }
    va_list arguments;
    va_start(arguments, members);
    ck_assert(vasprintf(&text, members, arguments) > 0);
    va_end(arguments);
    write_definition(node, text);
    free(text);
    return node;
}

void node_must_start(const char *node)
{
    struct node_error error = { .code = 0 };
    int32_t result = node_start(node, fixture_program, &error);
    ck_assert_msg(result == MEMORIES_OK, "%s: %s (%s)", error.message, error.cause, error.hint);
}

void node_must_stop(const char *node)
{
    struct node_error error = { .code = 0 };
    int32_t result = node_stop(node, 10000, &error);
    ck_assert_msg(result == MEMORIES_OK, "%s: %s (%s)", error.message, error.cause, error.hint);
    ck_assert(!node_is_running(node));
}

struct node_error node_must_not_start(const char *node)
{
    struct node_error error = { .code = 0 };
    int32_t result = node_start(node, fixture_program, &error);
    ck_assert_int_ne(result, MEMORIES_OK);
    ck_assert_int_eq(result, error.code);
    ck_assert(!node_is_running(node));
    return error;
}

json_object *status_of(const char *node)
{
    struct node_error error;
    char *text = node_status(node, 5000, &error);
    ck_assert_msg(text != NULL, "%s: %s", error.message, error.cause);
    json_object *status = json_tokener_parse(text);
    ck_assert_msg(status != NULL, "no JSON: %s", text);
    free(text);
    return status;
}

const char *service_member(const char *node, size_t index, const char *key)
{
    static char text[256];
    json_object *status = status_of(node);
    json_object *service = json_object_array_get_idx(json_object_object_get(status, "services"), index);
    const char *value = json_object_get_string(json_object_object_get(service, key));
    snprintf(text, sizeof text, "%s", value ? value : "");
    json_object_put(status);
    return text;
}

pid_t supervisor_pid(const char *node)
{
    json_object *status = status_of(node);
    pid_t pid = json_object_get_int(json_object_object_get(status, "pid"));
    json_object_put(status);
    ck_assert_int_gt(pid, 1);
    return pid;
}

pid_t service_pid(const char *node, size_t index)
{
    return atoi(service_member(node, index, "pid"));
}

static char *path_below(const char *node, const char *path)
{
    char *whole;
    ck_assert(asprintf(&whole, "%s/%s", node, path) > 0);
    return whole;
}

static char *read_whole(const char *path, size_t *length)
{
    char *content = NULL;
    size_t size;
    FILE *to = open_memstream(&content, &size), *from = fopen(path, "re");
    for (int byte; from && (byte = fgetc(from)) != EOF;)
        fputc(byte, to);
    if (from)
        fclose(from);
    fclose(to);
    if (length)
        *length = size;
    return content;
}

char *read_below(const char *node, const char *path)
{
    char *whole = path_below(node, path);
    char *content = read_whole(whole, NULL);
    free(whole);
    return content;
}

void write_below(const char *node, const char *path, const char *content)
{
    char *whole = path_below(node, path);
    int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_msg(fd >= 0, "%s: %s", whole, strerror(errno));
    ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    free(whole);
}

bool exists_below(const char *node, const char *path)
{
    char *whole = path_below(node, path);
    bool exists = !access(whole, F_OK);
    free(whole);
    return exists;
}

/* A zombie does not live. */
bool process_lives(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    char *stat = read_whole(path, NULL);
    char *state = strrchr(stat, ')');
    bool lives = pid > 0 && state && state[2] != 'Z' && state[2] != 'X';
    free(stat);
    return lives;
}

size_t count_marked(const char *node)
{
    char *mark;
    ck_assert(asprintf(&mark, "MEMORIES_NODE=%s", node) > 0);
    size_t count = 0;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(processes));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        char path[300];
        snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
        size_t length;
        char *environment = read_whole(path, &length);
        for (char *at = environment; at < environment + length; at += strlen(at) + 1)
            count += !strcmp(at, mark);
        free(environment);
    }
    closedir(processes);
    free(mark);
    return count;
}

pid_t pid_in(const char *node, const char *path)
{
    char *content = read_below(node, path);
    pid_t pid = strchr(content, '\n') ? atoi(content) : 0;
    free(content);
    return pid;
}

const char *own_program(void)
{
    static char path[4096];
    ck_assert_int_gt(readlink("/proc/self/exe", path, sizeof path - 1), 0);
    return path;
}

int fixture_burn(const char *ms)
{
    struct timespec used;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < atol(ms));
    return 0;
}

void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
