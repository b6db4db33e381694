/*
 * test_local_nspawn.c - nodes that are machines, as far as none has to boot: their root file system is looked at, what
 * they are told is written, and how far they are is read. tests/end_to_end/local_machine.sh boots some.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "plugins/providers/local/definition.h"
#include "plugins/providers/local/nspawn.h"
#include "tests/unit/local_fixture.h"

/* A file below the test's own directory, and the directories that it needs. */
static void write_file(const char *name, const char *content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", local_state_dir, name);
    for (char *slash = path + strlen(local_state_dir); (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    ck_assert(file && fputs(content, file) >= 0 && fclose(file) == 0);
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", local_state_dir, name);
    return path;
}

/* ---- the root file system ---- */

START_TEST(a_root_of_another_version_is_refused)
{
    static const struct {
        const char *version, *message;
    } roots[] = { { NULL, "there is no root file system for machines: " },
                  { "x\n", "there is no root file system for machines: " },
                  { "-1\n", " is too old: version -1, and not 1" },
                  { "2\n", " is too new: version 2, and not 1" } };
    setenv("MEMORIES_MACHINE_ROOT", path_of("root"), 1);
    setenv("MEMORIES_LIBEXEC_DIR", "/nowhere", 1);
    for (size_t i = 0; i < ARRAY_COUNT(roots); i++) {
        struct problem problem = { 0 };
        if (roots[i].version)
            write_file("root/etc/memories-machine-root", roots[i].version);
        AUTO_FREE char *hint = text_format("make it, as root: memories-machine-root %s", path_of("root"));
        ck_assert_ptr_null(nspawn_root(&problem));
        ck_assert_ptr_nonnull(strstr(problem.message, path_of("root")));
        ck_assert_msg(strstr(problem.message, roots[i].message), "%s", problem.message);
        ck_assert_str_eq(problem.hint, hint);
    }
}
END_TEST

/* The link may lead to another tree tomorrow; machines stay with theirs. */
START_TEST(a_root_is_named_without_the_link_to_it)
{
    struct problem problem = { 0 };
    write_file("root.x/etc/memories-machine-root", "1\n");
    ck_assert_int_eq(symlink("root.x", path_of("root")), 0);
    setenv("MEMORIES_MACHINE_ROOT", path_of("root"), 1);
    AUTO_FREE char *root = nspawn_root(&problem);
    ck_assert_msg(root, "%s", problem.message);
    ck_assert_str_eq(root, path_of("root.x"));
}
END_TEST

START_TEST(packages_of_a_root_are_found)
{
    write_file("srv/packages/Packages", "Package: etcd-server\nDepends: libc6\n\nPackage: docker.io\nProvides: x\n");
    write_file("var/lib/dpkg/status", "Package: sed\nStatus: install ok installed\n");
    static const char *const there[] = { "etcd-server", "docker.io", "sed", "memories-server" };
    static const char *const missing[] = { "etcd", "docker", "docker.i", "x", "libc6", "nginx" };
    for (size_t i = 0; i < ARRAY_COUNT(there); i++)
        ck_assert_msg(nspawn_has_package(local_state_dir, there[i]), "%s", there[i]);
    for (size_t i = 0; i < ARRAY_COUNT(missing); i++)
        ck_assert_msg(!nspawn_has_package(local_state_dir, missing[i]), "%s", missing[i]);
}
END_TEST

/* Where there can be machines, the last of these is told; elsewhere what is missing. */
START_TEST(what_is_missing_is_told_before_anything_is_made)
{
    struct problem problem = { 0 };
    struct deployed deployed;
    write_file("root/etc/memories-machine-root", "1\n");
    setenv("MEMORIES_MACHINE_ROOT", path_of("root"), 1);
    deployed_open(&deployed, "machines", "{'isolation': 'machine'}");
    nspawn_check(&problem);
    const struct memories_error_detail *error = deployed_must_not_plan(
        &deployed,
        "{'nodes': [{'name': 'a', 'bootstrap': {'packages': [{'name': 'nginx'}, {'name': 'memories-server'}]}}]}",
        MEMORIES_UNSUPPORTED);
    if (geteuid())
        ck_assert_str_eq(problem.message, "machines need root");
    ck_assert_str_eq(error->message, problem.code ? problem.message : "no packages for machines: nginx");
    ck_assert_str_eq(error->where, problem.code ? "config.isolation" : "");
    if (!problem.code)
        ck_assert_ptr_nonnull(strstr(error->hint, "memories-machine-root --package nginx "));
    deployed_close(&deployed);
}
END_TEST

/* ---- what it is told ---- */

#define INPUTS                                                                                                  \
    "{'isolation': 'machine', 'machine_root': '/root.x', 'address': '10.88.0.11', 'port': 11, 'bootstrap': {"   \
    "'packages': [{'name': 'etcd-server'}], 'files': [{'path': '%%c/key', 'secret': 'secret:node/node1/key'}]," \
    "'services': [{'name': 'a', 'command': ['%s', '%%d/x'], 'stop_timeout_ms': 7000}], 'ports': [2379]}}"

static json_object *define(const struct local *local, const char *program, uint32_t generation)
{
    struct problem problem = { 0 };
    AUTO_FREE char *text = text_format(INPUTS, program);
    AUTO_FREE char *inputs = quoted(text);
    const struct memories_operation operation = { .size = sizeof operation,
                                                  .key = "node/node1",
                                                  .type = LOCAL_NODE_TYPE,
                                                  .token = "token",
                                                  .generation = generation,
                                                  .inputs = inputs };
    json_object *definition = definition_make(local, &operation, &problem);
    ck_assert_msg(definition, "%s", problem.message);
    return definition;
}

/* Writes it; the user data and meta data that this leads to are the caller's. */
static bool write_definition(struct deployed *deployed, json_object *definition, char **user_data, char **meta_data)
{
    struct problem problem = { 0 };
    struct memories_call *call = fake_call_new();
    bool changed = false;
    ck_assert_msg(!definition_write(deployed->instance, call, definition, &changed, &problem), "%s", problem.message);
    fake_call_free(call);
    *user_data = read_whole(deployed_path(deployed, "node1", "config/user-data"));
    *meta_data = read_whole(deployed_path(deployed, "node1", "config/meta-data"));
    return changed;
}

START_TEST(the_record_tells_what_the_machine_is_and_its_supervisor_runs)
{
    struct deployed deployed;
    deployed_open(&deployed, "machines", "{'isolation': 'machine'}");
    AUTO_JSON json_object *definition = define(deployed.instance, "serve", 1);
    json_object *machine = json_get_object(definition, "machine");
    json_object *bootstrap = json_get_object(definition, "bootstrap");
    json_object *service = json_object_array_get_idx(json_get_array(bootstrap, "services"), 0);
    json_object *told = json_object_array_get_idx(json_get_array(json_get_object(machine, "bootstrap"), "services"), 0);
    ck_assert_str_eq(json_get_string(definition, "isolation"), "machine");
    ck_assert_str_eq(json_get_string(definition, "interface"), "eth0");
    ck_assert_str_eq(json_get_string(machine, "root"), "/root.x");
    ck_assert_str_eq(json_object_to_json_string_ext(json_get_array(told, "command"),
                                                    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                     "[\"serve\",\"%d/x\"]");
    ck_assert_str_eq(json_get_string(service, "name"), "console");
    ck_assert_ptr_nonnull(strstr(json_object_to_json_string(service), "systemd-nspawn"));
    /* The slowest service's time, and systemd's own. */
    ck_assert_int_eq(json_get_int(service, "stop_timeout_ms", 0), 27000);
    ck_assert_uint_eq(definition_stop_timeout_ms(definition), 27000);
    ck_assert_str_eq(json_object_to_json_string_ext(json_get_array(bootstrap, "ports"), JSON_C_TO_STRING_PLAIN),
                     "[2379]");
    ck_assert_ptr_null(json_get(bootstrap, "files"));
    deployed_close(&deployed);
}
END_TEST

START_TEST(it_is_told_as_on_a_cloud)
{
    struct deployed deployed;
    struct stat info;
    deployed_open(&deployed, "machines", "{'isolation': 'machine'}");
    AUTO_JSON json_object *definition = define(deployed.instance, "serve", 1);
    AUTO_FREE char *user_data = NULL, *meta_data = NULL, *same_user_data = NULL, *same_meta_data = NULL;
    ck_assert(write_definition(&deployed, definition, &user_data, &meta_data));
    ck_assert_msg(!strncmp(user_data, "#cloud-config\n", 14), "%s", user_data);
    ck_assert_ptr_nonnull(strstr(
        user_data, "\"/etc/memories/key\", \"permissions\": \"0600\", \"content\": \"fake secret:node/node1/key\""));
    ck_assert_ptr_nonnull(strstr(user_data, "/var/lib/memories/x"));
    ck_assert_int_eq(stat(deployed_path(&deployed, "node1", "config/user-data"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    AUTO_FREE char *expected =
        text_format("instance-id: %s-1\nlocal-hostname: node1\n", json_get_string(definition, "instance_id"));
    ck_assert_str_eq(meta_data, expected);
    ck_assert(!write_definition(&deployed, definition, &same_user_data, &same_meta_data));
    ck_assert_str_eq(same_user_data, user_data);
    deployed_close(&deployed);
}
END_TEST

/* A deployment that was recovered counts its generations anew: it is the same machine all the same. */
START_TEST(told_something_else_it_is_the_same_machine)
{
    struct deployed deployed;
    deployed_open(&deployed, "machines", "{'isolation': 'machine'}");
    AUTO_JSON json_object *before = define(deployed.instance, "serve", 1);
    AUTO_JSON json_object *after = define(deployed.instance, "other", 1000);
    AUTO_FREE char *user_data = NULL, *meta_data = NULL, *new_user_data = NULL, *new_meta_data = NULL;
    ck_assert(write_definition(&deployed, before, &user_data, &meta_data));
    ck_assert(write_definition(&deployed, after, &new_user_data, &new_meta_data));
    ck_assert_ptr_null(strstr(user_data, "other"));
    ck_assert_ptr_nonnull(strstr(new_user_data, "other"));
    ck_assert_str_eq(new_meta_data, meta_data);
    deployed_close(&deployed);
}
END_TEST

/* ---- how far it is ---- */

START_TEST(its_bootstrap_tells_how_far_it_is)
{
    static const struct {
        const char *said;
        uint32_t state;
        const char *cause;
    } logs[] = { { NULL, MEMORIES_STATE_PENDING, "" },
                 { "", MEMORIES_STATE_PENDING, "" },
                 { "Unpacking etcd-server\n", MEMORIES_STATE_PENDING, "" },
                 { "mkdir: no\nmemories: command 2 failed\n", MEMORIES_STATE_BROKEN, "command 2 failed" },
                 { "Unpacking etcd-server\nmemories: done\n", MEMORIES_STATE_READY, "" } };
    for (size_t i = 0; i < ARRAY_COUNT(logs); i++) {
        struct problem problem = { 0 };
        if (logs[i].said)
            write_file("log/bootstrap.log", logs[i].said);
        ck_assert_uint_eq(nspawn_state(local_state_dir, &problem), logs[i].state);
        ck_assert_str_eq(problem.cause, logs[i].cause);
    }
}
END_TEST

int main(int argc, char **argv)
{
    local_fixture_helper(argc, argv);
    Suite *suite = suite_create("local nspawn");
    TCase *tests = tcase_create("nspawn");
    tcase_add_checked_fixture(tests, local_fixture_set_up, local_fixture_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_root_of_another_version_is_refused);
    tcase_add_test(tests, a_root_is_named_without_the_link_to_it);
    tcase_add_test(tests, packages_of_a_root_are_found);
    tcase_add_test(tests, what_is_missing_is_told_before_anything_is_made);
    tcase_add_test(tests, the_record_tells_what_the_machine_is_and_its_supervisor_runs);
    tcase_add_test(tests, it_is_told_as_on_a_cloud);
    tcase_add_test(tests, told_something_else_it_is_the_same_machine);
    tcase_add_test(tests, its_bootstrap_tells_how_far_it_is);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
