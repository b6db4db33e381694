/* test_cloud_config.c - a node's bootstrap as cloud-init gets it */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/cloud_config.h"
#include "plugins/common/json.h"
#include "tests/unit/fake_host.h"

static struct memories_call *call;

static void set_up(void)
{
    fake_host_reset();
    plugin_init(fake_host(), NULL);
    call = fake_call_new();
}

static void tear_down(void)
{
    fake_call_free(call);
}

static const char bootstrap_text[] =
    "{\"packages\": [{\"name\": \"etcd-server\", \"commands\": [\"etcd\"]}, {\"name\": \"memories-server\"}],"
    " \"files\": [{\"path\": \"%c/tls/node.key\", \"secret\": \"secret:node/node1/key\"},"
    "             {\"path\": \"%d/motd\", \"content\": \"100%% in %l\\n\\\"quoted\\\"\\t\", \"mode\": \"0640\"}],"
    " \"commands\": [[\"mkdir\", \"-p\", \"%d/it's\"], [\"sh\", \"-c\", \"echo $HOME\"]],"
    " \"services\": [{\"name\": \"etcd\", \"command\": [\"etcd\", \"--data\", \"%d/etcd\", \"$x 50%%\", "
    "\"a\\\"b\\\\c\"],"
    "   \"environment\": {\"KEY\": \"two words\"}, \"restart\": \"on-failure\", \"restart_delay_ms\": 3000,"
    "   \"start_delay_ms\": 75, \"stop_timeout_ms\": 2000},"
    "  {\"name\": \"other\", \"command\": [\"other\"], \"restart\": \"never\"}]}";

/* The document behind the first line; it must be JSON. */
static json_object *render(const struct cloud_config *config)
{
    const char *text = NULL;
    ck_assert_int_eq(cloud_config_render(call, config, &text), 0);
    ck_assert_msg(!strncmp(text, "#cloud-config\n", strlen("#cloud-config\n")), "it begins otherwise: %.40s", text);
    json_object *document = json_tokener_parse(text + strlen("#cloud-config\n"));
    ck_assert_msg(document != NULL, "it is no JSON: %s", text);
    return document;
}

static const char *file_of(json_object *document, const char *path, const char *mode)
{
    json_object *files = json_get_array(document, "write_files");
    for (size_t i = 0; i < json_count(files); i++) {
        if (strcmp(json_get_string(json_at(files, i), "path"), path) != 0)
            continue;
        ck_assert_str_eq(json_get_string(json_at(files, i), "permissions"), mode);
        return json_get_string(json_at(files, i), "content");
    }
    ck_abort_msg("there is no file %s", path);
    return NULL;
}

static void contains(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "not found: %s\n--- in\n%s", part, text);
}

START_TEST(files_have_their_content_and_secrets)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse(bootstrap_text);
    AUTO_JSON json_object *document = render(&(struct cloud_config){ .hostname = "node1", .bootstrap = bootstrap });
    ck_assert_str_eq(json_get_string(document, "hostname"), "node1");
    ck_assert_str_eq(file_of(document, "/etc/memories/tls/node.key", "0600"), "fake secret:node/node1/key");
    ck_assert_str_eq(file_of(document, "/var/lib/memories/motd", "0640"), "100% in /var/log/memories\n\"quoted\"\t");
    contains(file_of(document, "/usr/local/bin/memories-server", "0755"), "#!/usr/bin/env python3");
    ck_assert_ptr_null(json_get(document, "swap"));
}
END_TEST

/* Which of several a machine is, it finds out; the shell takes the words for that, and they find it. */
START_TEST(machines_that_are_told_the_same_have_names_of_their_own)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse(bootstrap_text);
    static const char *const names[] = { "worker-1", "worker-4", "worker-7" };
    AUTO_JSON json_object *document = render(&(struct cloud_config){
        .names = names, .name_count = ARRAY_COUNT(names), .find_place = "find_place() { cat \"$PLACE\"; }", .bootstrap = bootstrap });
    ck_assert(!json_get(document, "hostname") && !json_get(document, "manage_etc_hosts"));
    ck_assert(json_get_bool(document, "preserve_hostname", false));
    ck_assert_uint_eq(json_count(json_get_array(document, "bootcmd")), 2);
    const char *script = json_object_get_string(json_at(json_at(json_get_array(document, "bootcmd"), 0), 2));
    static const struct {
        const char *place, *kept;
    } cases[] = { { "0", "worker-1" }, { "2", "worker-7" }, { "3", "" } };
    char directory[] = "/tmp/memories-names.XXXXXX", command[4096];
    ck_assert_ptr_nonnull(mkdtemp(directory));
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        /* What it keeps and where the name goes are put below the directory; the name is not set. */
        snprintf(command, sizeof command,
                 "cd %s && rm -f kept && echo %s >place && echo '127.0.1.1 old' >hosts && cat >script <<'END'\n%s\nEND\n"
                 "sed -i 's#^kept=.*#kept=kept#; s#/etc/#./#g; s#^hostname #: #' script && export PLACE=place && "
                 "{ sh ./script; touch kept; [ \"$(cat kept)\" = '%s' ]; } && "
                 "{ [ ! -s kept ] || { echo 1 >place && sh ./script && [ \"$(cat hostname)\" = '%s' ] && "
                 "[ \"$(cat hosts)\" = '127.0.1.1 %s' ]; }; }",
                 directory, cases[i].place, script, cases[i].kept, cases[i].kept, cases[i].kept);
        ck_assert_msg(system(command) == 0, "in %s: %s", directory, script);
    }
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(services_are_units)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse(bootstrap_text);
    AUTO_JSON json_object *document = render(&(struct cloud_config){ .hostname = "node1", .bootstrap = bootstrap });
    const char *unit = file_of(document, "/etc/systemd/system/memories-etcd.service", "0644");
    contains(unit, "\nExecStart=\"etcd\" \"--data\" \"/var/lib/memories/etcd\" \"$$x 50%%\" \"a\\\"b\\\\c\"\n");
    contains(unit, "\nEnvironment=\"KEY=two words\"\n");
    contains(unit, "\nExecStartPre=/bin/sleep 0.075\n");
    contains(unit, "\nRestart=on-failure\nRestartSec=3000ms\nTimeoutStopSec=2000ms\n");
    contains(unit, "\nStandardOutput=append:/var/log/memories/etcd.log\n");
    contains(file_of(document, "/etc/systemd/system/memories-other.service", "0644"),
             "\nRestart=no\nRestartSec=100ms\n");
    contains(file_of(document, "/etc/systemd/system/memories-bootstrap.service", "0644"),
             "\nExecStart=/usr/local/lib/memories/bootstrap\n");
}
END_TEST

/* The shell takes it; what it does is tested where it can be run. */
static void check_syntax(const char *script)
{
    char path[] = "/tmp/memories-script.XXXXXX", command[128];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    snprintf(command, sizeof command, "sh -n %s", path);
    int status = system(command);
    unlink(path);
    ck_assert_msg(status == 0, "the shell does not take:\n%s", script);
}

START_TEST(the_script_installs_prepares_and_starts)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse(bootstrap_text);
    AUTO_JSON json_object *document =
        render(&(struct cloud_config){ .hostname = "node1", .bootstrap = bootstrap, .finally = "echo 'at last'" });
    const char *script = file_of(document, "/usr/local/lib/memories/bootstrap", "0755");
    check_syntax(script);
    contains(script, "\npackages=\" 'etcd-server'\"\ncommands=\" 'etcd'\"\n"); /* memories-server is a file */
    contains(script, "'mkdir' '-p' '/var/lib/memories/it'\\''s' || fail \"command 1 failed\"\n");
    contains(script, "'sh' '-c' 'echo $HOME' || fail \"command 2 failed\"\n");
    contains(script, "\nunits=\"memories-etcd.service memories-other.service\"\n");
    contains(script, "\necho 'at last'\n");
}
END_TEST

/* At the next boot, when files have been written anew. */
START_TEST(services_that_are_not_wanted_any_more_go)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse(bootstrap_text);
    AUTO_JSON json_object *document = render(&(struct cloud_config){ .hostname = "node1", .bootstrap = bootstrap });
    const char *script = json_object_get_string(json_at(json_at(json_get_array(document, "bootcmd"), 0), 2));
    check_syntax(script);
    contains(script, "\n    cloud-init single --name write_files --frequency always\n"
                     "    for unit in /etc/systemd/system/memories-*.service; do\n"
                     "        case \" memories-bootstrap.service memories-etcd.service memories-other.service \" in "
                     "*\" ${unit##*/} \"*) continue ;; esac\n");
}
END_TEST

/* Whatever a package calls them, and wherever it has them: the loop that finds them, with a dpkg and a systemctl of the
 * test's. */
START_TEST(services_of_packages_are_switched_off)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse(bootstrap_text);
    AUTO_JSON json_object *document = render(&(struct cloud_config){ .hostname = "node1", .bootstrap = bootstrap });
    const char *loop = strstr(file_of(document, "/usr/local/lib/memories/bootstrap", "0755"), "for unit in $(eval");
    const char *end = loop ? strstr(loop, "\ndone\n") : NULL;
    ck_assert_msg(end != NULL, "there is no such loop");
    setenv("LOOP", loop, true);
    FILE *output =
        popen("packages=\" 'etcd-server'\"\n"
              "dpkg() { printf '%s\\n' \"/etc/$2\" /lib/systemd/system/etcd.service /lib/systemd/system/one@.service "
              "/usr/lib/systemd/system/docker.socket /usr/lib/systemd/system/docker.service.d/x.conf; }\n"
              "systemctl() { echo \"$*\"; }\n"
              "eval \"${LOOP%%\ndone\n*}\ndone\"",
              "r");
    char seen[512] = "";
    size_t length = output ? fread(seen, 1, sizeof seen - 1, output) : 0;
    seen[length] = '\0';
    ck_assert_int_eq(pclose(output), 0);
    ck_assert_str_eq(seen, "disable --now etcd.service\ndisable --now docker.socket\n");
}
END_TEST

START_TEST(disks_are_found_and_swap_is_made)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse("{}");
    AUTO_JSON json_object *document =
        render(&(struct cloud_config){ .hostname = "n",
                                       .bootstrap = bootstrap,
                                       .swap_bytes = 4000000000,
                                       .find_data_disk = "find_data_disk() { echo /dev/sdf; }" });
    json_object *boot = json_at(json_get_array(document, "bootcmd"), 0);
    const char *script = json_object_get_string(json_at(boot, 2));
    check_syntax(script);
    contains(script, "find_data_disk() { echo /dev/sdf; }\n");
    contains(script, "mkfs.ext4 -q -L memories-data");
    ck_assert_int_eq(json_get_int(json_get_object(document, "swap"), "size", 0), 4000000000);
}
END_TEST

static const char *no_secret(const char *reference, void *user_data)
{
    (void)reference;
    (void)user_data;
    return NULL;
}

START_TEST(a_missing_secret_is_told)
{
    const char *text = NULL;
    AUTO_JSON json_object *bootstrap =
        json_tokener_parse("{\"files\": [{\"path\": \"%c/a\", \"secret\": \"secret:none\"}]}");
    const struct cloud_config config = { .hostname = "n", .bootstrap = bootstrap };
    fake_host_set_secrets(no_secret, NULL);
    ck_assert_int_eq(cloud_config_render(call, &config, &text), MEMORIES_NOT_FOUND);
    ck_assert_str_eq(fake_call_error(call)->where, "secret:none");
}
END_TEST

START_TEST(memory_may_run_out_anywhere)
{
    AUTO_JSON json_object *bootstrap = json_tokener_parse(bootstrap_text);
    const struct cloud_config config = { .hostname = "node1", .bootstrap = bootstrap, .find_data_disk = "x" };
    for (size_t nth = 1;; nth++) {
        const char *text = NULL;
        fake_host_fail_allocation(nth);
        int32_t code = cloud_config_render(call, &config, &text);
        if (fake_host_fail_allocation(0)) {
            ck_assert_msg(code != 0, "allocation %zu failed, and nothing was told", nth);
            ck_assert_ptr_nonnull(fake_call_error(call));
            continue;
        }
        ck_assert_int_eq(code, 0);
        ck_assert_uint_gt(nth, 20);
        break;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cloud_config");
    TCase *cases = tcase_create("render");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, files_have_their_content_and_secrets);
    tcase_add_test(cases, machines_that_are_told_the_same_have_names_of_their_own);
    tcase_add_test(cases, services_are_units);
    tcase_add_test(cases, the_script_installs_prepares_and_starts);
    tcase_add_test(cases, disks_are_found_and_swap_is_made);
    tcase_add_test(cases, services_that_are_not_wanted_any_more_go);
    tcase_add_test(cases, services_of_packages_are_switched_off);
    tcase_add_test(cases, a_missing_secret_is_told);
    tcase_add_test(cases, memory_may_run_out_anywhere);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
