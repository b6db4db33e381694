/*
 * test_crash.c - a process killed at any commit of the store leaves nothing that resume or delete does not put right
 *
 * This program is linked with core/store/database.c compiled with MEMORIES_CRASH_POINTS. For every operation it walks all
 * points: a child begins the operation and kills itself at point n; another child finishes it; then there must be exactly
 * the wanted objects in the fake cloud and the wanted records, none twice. The walk of an operation ends when a child
 * gets through without reaching point n.
 */
#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memories/memories.h>

#include "core/base/cleanup.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"

#define NODES 3
#define POINTS_MAX 2000

static char state_dir[] = "/tmp/memories-crash.XXXXXX";
static char *plugin_path;

/* SCALE_BACK ends where it began, whatever was under way. */
enum operation { DEPLOY, UPDATE, STOP, START, DELETE, RESUME, SCALE_UP, SCALE_DOWN, SCALE_BACK, HEAL };

static const char config_text[] =
    "topology: fake\nprovider: fake\nname: walk\nconfig: {fake_nodes: 3, fake_max_unavailable: 1, fake_content: %s, "
    "fake_release_one: true, fake: {pending_reads: 1}}\n";

static size_t nodes_after(enum operation operation)
{
    return operation == SCALE_UP ? NODES + 2 : operation == SCALE_DOWN ? NODES - 2 : NODES;
}

static memories_config *make_config(memories_context *context, const char *content)
{
    AUTO_FREE char *text = text_format(config_text, content);
    return memories_config_parse(context, text, strlen(text), "walk", NULL);
}

static memories_deployment *scale(memories_context *context, enum operation operation, memories_error **error)
{
    const struct memories_group_size size = { "member", (uint32_t)nodes_after(operation) };
    return memories_scale(context, "walk", &size, 1, 0, error);
}

static memories_deployment *heal(memories_context *context, memories_error **error)
{
    static const char *const names[] = { "node1", "node2", NULL };
    struct memories_heal_options options = MEMORIES_HEAL_OPTIONS_INIT;
    options.nodes = names;
    return memories_heal(context, "walk", &options, 0, error);
}

static memories_deployment *call(memories_context *context, enum operation operation, memories_error **error)
{
    memories_config *config = make_config(context, operation == UPDATE ? "new" : "old");
    memories_deployment *deployment = NULL;
    switch (operation) {
    case DEPLOY:
        deployment = memories_deploy(context, config, 0, error);
        break;
    case UPDATE:
        deployment = memories_update(context, "walk", config, 0, error);
        break;
    case STOP:
        deployment = memories_stop(context, "walk", 0, error);
        break;
    case START:
        deployment = memories_start(context, "walk", 0, error);
        break;
    case DELETE:
        deployment = memories_delete(context, "walk", 0, error);
        break;
    case RESUME:
        deployment = memories_resume(context, "walk", 0, error);
        break;
    case SCALE_UP:
    case SCALE_DOWN:
    case SCALE_BACK:
        deployment = scale(context, operation, error);
        break;
    case HEAL:
        deployment = heal(context, error);
        break;
    }
    memories_config_free(config);
    return deployment;
}

/* Returns the error's code without its sign. */
static int work(enum operation operation, int crash_at)
{
    AUTO_FREE char *point = text_format("%d", crash_at);
    setenv("MEMORIES_CRASH_AT", point, 1);
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = state_dir;
    options.plugin_path = plugin_path;
    AUTO_ERROR memories_error *error = NULL;
    memories_context *context = memories_context_new(&options, &error);
    memories_deployment *deployment = context ? call(context, operation, &error) : NULL;
    int code = deployment ? 0 : -memories_error_code(error);
    AUTO_FREE char *words = error ? memories_error_text(error) : NULL;
    if (words && code != -MEMORIES_NOT_FOUND)
        fprintf(stderr, "operation %d at point %d: %s\n", (int)operation, crash_at, words);
    memories_deployment_free(deployment);
    memories_context_free(context);
    return code;
}

/* Runs an operation in a process of its own. Returns its exit code, or -1 when it was killed at the crash point. */
static int run(enum operation operation, int crash_at)
{
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(work(operation, crash_at));
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        return -1;
    }
    return WEXITSTATUS(status);
}

/* ---- What is there ---- */

/* The objects of the fake cloud, of all deployments. */
static json_object *cloud_objects(void)
{
    json_object *objects = json_object_new_array();
    AUTO_FREE char *path = text_format("%s/fake", state_dir);
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!strstr(entry->d_name, ".json") || strstr(entry->d_name, ".json.") || *entry->d_name == '.')
            continue;
        AUTO_FREE char *file = text_format("%s/%s", path, entry->d_name);
        AUTO_FREE char *text = file_read(file, 1 << 20, NULL, NULL);
        AUTO_JSON json_object *document = json_parse(text, "the cloud", NULL);
        json_object *found = json_get_object(document, "objects");
        ck_assert_ptr_nonnull(found);
        json_object_object_foreach(found, id, object) {
            (void)id;
            json_add(objects, json_ref(object));
        }
    }
    if (directory)
        closedir(directory);
    return objects;
}

static size_t count_key(json_object *objects, const char *key)
{
    size_t count = 0;
    for (size_t i = 0; i < json_count(objects); i++)
        count += !strcmp(json_get_string(json_object_array_get_idx(objects, i), "key"), key);
    return count;
}

static size_t count_nodes_in(json_object *objects, uint32_t state)
{
    size_t count = 0;
    for (size_t i = 0; i < json_count(objects); i++) {
        json_object *object = json_object_array_get_idx(objects, i);
        count += !strncmp(json_get_string(object, "key"), "node/", 5) && json_get_int(object, "state", -1) == state;
    }
    return count;
}

/* Status and states as the store has them; NULL when there is no such deployment. */
static json_object *recorded(void)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = state_dir;
    options.plugin_path = plugin_path;
    int pipe_ends[2];
    ck_assert_int_eq(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        memories_context *context = memories_context_new(&options, NULL);
        memories_deployment *deployment = context ? memories_show(context, "walk", NULL) : NULL;
        const char *text = deployment ? memories_deployment_json(deployment) : "";
        ssize_t written = write(pipe_ends[1], text, strlen(text));
        int failed = written != (ssize_t)strlen(text);
        memories_deployment_free(deployment);
        memories_context_free(context);
        _exit(failed);
    }
    close(pipe_ends[1]);
    char text[65536];
    size_t length = 0;
    for (ssize_t got; (got = read(pipe_ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    close(pipe_ends[0]);
    text[length] = '\0';
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    return length ? json_parse(text, "show", NULL) : NULL;
}

static void expect_objects(size_t nodes, uint32_t node_state, const char *content, int point)
{
    AUTO_JSON json_object *objects = cloud_objects();
    ck_assert_msg(json_count(objects) == nodes + 1, "point %d: %zu objects: %s", point, json_count(objects),
                  json_object_to_json_string(objects));
    ck_assert_uint_eq(count_key(objects, "network"), 1);
    for (size_t i = 1; i <= nodes; i++) {
        AUTO_FREE char *key = text_format("node/node%zu", i);
        ck_assert_msg(count_key(objects, key) == 1, "point %d: %s", point, key);
    }
    size_t in_state = count_nodes_in(objects, node_state);
    ck_assert_msg(in_state == nodes, "point %d: %zu nodes are in state %u", point, in_state, node_state);
    ck_assert_msg(strstr(json_object_to_json_string(objects), content) != NULL, "point %d: not changed", point);
}

static void expect_there(size_t nodes, const char *status, uint32_t node_state, const char *content, int point)
{
    AUTO_JSON json_object *record = recorded();
    ck_assert_msg(record != NULL, "point %d: there is no record", point);
    ck_assert_msg(!strcmp(json_get_string(record, "status"), status), "point %d: status %s", point,
                  json_get_string(record, "status"));
    ck_assert_uint_eq(json_count(json_get_array(record, "resources")), nodes + 1);
    ck_assert_int_eq(json_get_int(record, "member_count", 0), (int64_t)nodes);
    expect_objects(nodes, node_state, content, point);
}

static void expect_nothing(int point)
{
    AUTO_JSON json_object *record = recorded(), *objects = cloud_objects();
    ck_assert_msg(!record, "point %d: a record is left", point);
    ck_assert_msg(json_count(objects) == 0, "point %d: left: %s", point, json_object_to_json_string(objects));
    AUTO_FREE char *secrets = text_format("%s/secrets", state_dir);
    DIR *directory = opendir(secrets);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        ck_assert_msg(*entry->d_name == '.', "point %d: secrets are left: %s", point, entry->d_name);
    if (directory)
        closedir(directory);
}

/* ---- The walks ---- */

static void set_up(void)
{
    memset(state_dir + strlen(state_dir) - 6, 'X', 6);
    ck_assert_ptr_nonnull(mkdtemp(state_dir));
}

static void tear_down(void)
{
    ck_assert_int_eq(directory_remove(state_dir, NULL), 0);
}

static void again(void)
{
    tear_down();
    set_up();
}

/* Killed before anything was on record, there is nothing to resume. */
static void finish(enum operation by, int point)
{
    int code = run(by, 0);
    ck_assert_msg(code == 0 || code == -MEMORIES_NOT_FOUND, "point %d: finishing it failed with %d", point, code);
}

static bool is_there(void)
{
    AUTO_JSON json_object *record = recorded();
    return record != NULL;
}

static void prepare(enum operation operation)
{
    if (operation != DEPLOY)
        ck_assert_int_eq(run(DEPLOY, 0), 0);
    if (operation == START)
        ck_assert_int_eq(run(STOP, 0), 0);
}

static void expect_done(enum operation operation, int point)
{
    if (operation == DELETE)
        expect_nothing(point);
    else if (operation == STOP)
        expect_there(NODES, "stopped", MEMORIES_STATE_STOPPED, "old", point);
    else
        expect_there(nodes_after(operation), "running", MEMORIES_STATE_READY, operation == UPDATE ? "new" : "old", point);
}

/* Finished, the numbers are those of before or those that were asked for: never some in between. */
static void expect_either(enum operation operation, int point)
{
    AUTO_JSON json_object *objects = cloud_objects();
    expect_done(json_count(objects) == NODES + 1 ? RESUME : operation, point);
}

/* What an operation that never got on record leaves: the state before it. Asked again, it does its work. */
static void ask_again(enum operation operation, int point)
{
    int code = run(operation, 0);
    ck_assert_msg(code == 0 || (operation == DELETE && code == -MEMORIES_NOT_FOUND), "point %d: again: %d", point, code);
}

static const struct {
    const char *name;
    enum operation operation;
    enum operation finished_by;
} walks[] = {
    { "deploy, resume", DEPLOY, RESUME }, { "deploy, delete", DEPLOY, DELETE }, { "update, resume", UPDATE, RESUME },
    { "stop, resume", STOP, RESUME },     { "start, resume", START, RESUME },   { "delete, resume", DELETE, RESUME },
    { "delete, delete", DELETE, DELETE }, { "update, delete", UPDATE, DELETE },
    { "scale up, resume", SCALE_UP, RESUME },
    { "scale down, resume", SCALE_DOWN, RESUME },
    { "scale down, back", SCALE_DOWN, SCALE_BACK },
    { "heal, resume", HEAL, RESUME },
};

static bool is_scaling(enum operation operation)
{
    return operation == SCALE_UP || operation == SCALE_DOWN;
}

START_TEST(every_point_can_be_survived)
{
    enum operation operation = walks[_i].operation, finished_by = walks[_i].finished_by;
    int step = getenv("MEMORIES_UNDER_VALGRIND") ? 5 : 1; /* there, every point would take a quarter of an hour */
    int point = 1, code;
    for (;; point += step) {
        prepare(operation);
        code = run(operation, point);
        if (code >= 0)
            break;
        finish(finished_by, point);
        if (finished_by == DELETE)
            expect_nothing(point);
        else {
            if (operation == DEPLOY && !is_there())
                expect_nothing(point);
            if (finished_by == SCALE_BACK)
                expect_done(SCALE_BACK, point);
            else if (is_scaling(operation))
                expect_either(operation, point);
            ask_again(operation == DEPLOY && is_there() ? RESUME : operation, point);
            expect_done(operation, point);
        }
        again();
        ck_assert_int_lt(point, POINTS_MAX);
    }
    ck_assert_int_eq(code, 0);
    ck_assert_int_gt(point, 4); /* the points are compiled in */
    expect_done(operation, point);
    printf("%s: %d crash points\n", walks[_i].name, (point + step - 2) / step);
}
END_TEST

static char *find_plugins(void)
{
    const char *builddir = getenv("builddir");
    AUTO_FREE char *relative = text_format("%s/tests/plugins/.libs", builddir ? builddir : ".");
    return realpath(relative, NULL);
}

int main(void)
{
    plugin_path = find_plugins();
    if (!plugin_path) {
        puts("skipped: the test plugins are not built");
        return 77;
    }
    Suite *suite = suite_create("crash");
    TCase *walk = tcase_create("walk");
    tcase_add_checked_fixture(walk, set_up, tear_down);
    tcase_set_timeout(walk, 600);
    tcase_add_loop_test(walk, every_point_can_be_survived, 0, (int)ARRAY_COUNT(walks));
    suite_add_tcase(suite, walk);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    free(plugin_path);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
