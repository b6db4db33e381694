/* test_local_nodes.c - the local provider without namespaces, with real supervisors, slot by slot */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "plugins/providers/local/node/node_client.h"
#include "tests/unit/local_fixture.h"

#define PROCESS "{'isolation': 'process'}"

static void open_planned(struct deployed *deployed, const char *id, size_t nodes)
{
    AUTO_FREE char *spec = spec_of(nodes, "8000", NULL);
    deployed_open(deployed, id, PROCESS);
    deployed_plan(deployed, spec);
}

static int64_t service_pid(const struct deployed *deployed, const char *node)
{
    struct node_error error;
    AUTO_FREE char *text = node_status(deployed_path(deployed, node, NULL), 5000, &error);
    ck_assert_msg(text, "%s", error.message);
    AUTO_JSON json_object *status = json_tokener_parse(text);
    json_object *service = json_object_array_get_idx(json_get_array(status, "services"), 0);
    return json_get_int(service, "pid", 0);
}

static int64_t supervisor_pid(const struct deployed *deployed, const char *node)
{
    struct node_error error;
    AUTO_FREE char *text = node_status(deployed_path(deployed, node, NULL), 5000, &error);
    ck_assert_msg(text, "%s", error.message);
    AUTO_JSON json_object *status = json_tokener_parse(text);
    return json_get_int(status, "pid", 0);
}

static bool answers(struct deployed *deployed, const char *node)
{
    char address[64];
    snprintf(address, sizeof address, "%s", deployed_output(deployed, node, "address"));
    const char *answer = ask(NULL, address, 8000);
    return answer && !strcmp(answer, node);
}

START_TEST(nodes_live_from_create_to_destroy)
{
    struct deployed deployed;
    open_planned(&deployed, "live", 3);
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_ABSENT);
    deployed_batch(&deployed, SLOT_READ, LOCAL_NETWORK_TYPE, MEMORIES_STATE_ABSENT);
    deployed_create(&deployed);
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
    deployed_batch(&deployed, SLOT_READ, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    wait_until(answers(&deployed, "node1") && answers(&deployed, "node2") && answers(&deployed, "node3"));
    ck_assert_str_eq(deployed_output(&deployed, "node1", "public_ip"),
                     json_get_string(json_get_object(json_get_object(deployed.choices, "nodes"), "node1"), "address"));
    ck_assert_str_eq(deployed_output(&deployed, "node2", "public_ip"), "");
    ck_assert_str_eq(deployed_output(&deployed, "node2", "zone"), "z-a");

    deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    ck_assert_uint_eq(count_left_processes(), 0);
    ck_assert(!answers(&deployed, "node1"));
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    deployed_batch(&deployed, SLOT_START, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
    wait_until(answers(&deployed, "node1"));

    deployed_destroy(&deployed);
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_ABSENT);
    deployed_destroy(&deployed); /* what is gone is gone */
    deployed_close(&deployed);
    ck_assert_uint_eq(count_left_files(), 0);
    ck_assert_uint_eq(count_left_processes(), 0);
}
END_TEST

START_TEST(secrets_are_in_their_files_only)
{
    struct deployed deployed;
    struct stat info;
    open_planned(&deployed, "secret", 1);
    deployed_create(&deployed);
    AUTO_FREE char *key = read_whole(deployed_path(&deployed, "node1", "config/tls/key.pem"));
    ck_assert_str_eq(key, "fake secret:node/node1/key");
    ck_assert(!stat(deployed_path(&deployed, "node1", "config/tls/key.pem"), &info) && (info.st_mode & 0777) == 0600);
    ck_assert(!stat(deployed_path(&deployed, "node1", "config/who"), &info) && (info.st_mode & 0777) == 0644);
    AUTO_FREE char *who = read_whole(deployed_path(&deployed, "node1", "config/who"));
    ck_assert_str_eq(who, "100% node1\n");
    AUTO_FREE char *definition = read_whole(deployed_path(&deployed, "node1", "node.json"));
    ck_assert_ptr_nonnull(strstr(definition, "secret:node/node1/key"));
    ck_assert_ptr_null(strstr(definition, "fake secret"));
    ck_assert(!stat(deployed_path(&deployed, "node1", "node.json"), &info) && (info.st_mode & 0777) == 0600);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
}
END_TEST

static const char *no_secret(const char *reference, void *user_data)
{
    (void)reference;
    (void)user_data;
    return NULL;
}

START_TEST(a_missing_secret_fails_the_node)
{
    struct deployed deployed;
    open_planned(&deployed, "nosecret", 1);
    deployed_batch(&deployed, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    fake_host_set_secrets(no_secret, NULL);
    deployed_batch(&deployed, SLOT_CREATE, LOCAL_NODE_TYPE, FAILS);
    ck_assert_ptr_nonnull(strstr(deployed_error.message, "secret:node/node1/key"));
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_BROKEN);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
    ck_assert_uint_eq(count_left_files(), 0);
}
END_TEST

START_TEST(create_again_with_the_same_token_changes_nothing)
{
    struct deployed deployed;
    open_planned(&deployed, "again", 1);
    deployed_create(&deployed);
    int64_t before = service_pid(&deployed, "node1");
    deployed_create(&deployed);
    ck_assert_int_eq(service_pid(&deployed, "node1"), before);
    ck_assert_uint_eq(count_left_processes(), 1);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(a_new_token_makes_a_new_node)
{
    struct deployed deployed;
    open_planned(&deployed, "anew", 1);
    deployed_create(&deployed);
    int64_t before = service_pid(&deployed, "node1");
    FILE *file = fopen(deployed_path(&deployed, "node1", "data/old"), "we");
    ck_assert(file && !fclose(file));
    deployed.generation++;
    deployed_batch(&deployed, SLOT_CREATE, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
    ck_assert_int_ne(service_pid(&deployed, "node1"), before);
    ck_assert(!file_exists(deployed_path(&deployed, "node1", "data/old")));
    ck_assert_uint_eq(count_left_processes(), 1);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(update_restarts_only_what_runs_something_else)
{
    struct deployed deployed;
    open_planned(&deployed, "update", 2);
    deployed_create(&deployed);
    int64_t first = service_pid(&deployed, "node1");
    deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
    ck_assert_int_eq(service_pid(&deployed, "node1"), first);

    AUTO_FREE char *spec = spec_of(2, "8000, 8001", NULL);
    deployed_plan(&deployed, spec);
    deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
    ck_assert_int_ne(service_pid(&deployed, "node1"), first);
    char address[64];
    snprintf(address, sizeof address, "%s", deployed_output(&deployed, "node2", "address"));
    wait_until(ask(NULL, address, 8001) && !strcmp(ask(NULL, address, 8001), "node2"));

    deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    ck_assert_uint_eq(count_left_processes(), 0);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(a_killed_supervisor_is_a_stopped_node_that_starts_again)
{
    struct deployed deployed;
    open_planned(&deployed, "killed", 1);
    deployed_create(&deployed);
    kill((pid_t)supervisor_pid(&deployed, "node1"), SIGKILL);
    wait_until(!node_is_running(deployed_path(&deployed, "node1", NULL)));
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    deployed_batch(&deployed, SLOT_START, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
    wait_until(answers(&deployed, "node1"));
    ck_assert_uint_eq(count_left_processes(), 1);
    kill((pid_t)supervisor_pid(&deployed, "node1"), SIGKILL);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
    ck_assert_uint_eq(count_left_files(), 0);
    wait_until(count_left_processes() == 0);
}
END_TEST

/* Started again it would be empty, and a cluster's member must not come back so. */
START_TEST(a_node_without_its_data_is_broken)
{
    struct deployed deployed;
    open_planned(&deployed, "emptied", 1);
    deployed_create(&deployed);
    deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    char data[512], elsewhere[520];
    snprintf(data, sizeof data, "%s", deployed_path(&deployed, "node1", "data"));
    snprintf(elsewhere, sizeof elsewhere, "%s.away", data);
    ck_assert(!rename(data, elsewhere));
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_BROKEN);
    ck_assert(!rename(elsewhere, data));
    deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
    ck_assert_uint_eq(count_left_files(), 0);
}
END_TEST

START_TEST(what_is_half_made_is_broken_and_can_be_made_or_removed)
{
    for (int destroys = 0; destroys < 2; destroys++) {
        struct deployed deployed;
        open_planned(&deployed, "half", 1);
        deployed_batch(&deployed, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
        ck_assert(!mkdir(deployed_path(&deployed, "", NULL), 0700));
        ck_assert(!mkdir(deployed_path(&deployed, "node1", NULL), 0700));
        ck_assert(!mkdir(deployed_path(&deployed, "node1", "data"), 0700));
        deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_BROKEN);
        if (!destroys)
            deployed_batch(&deployed, SLOT_CREATE, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
        deployed_destroy(&deployed);
        deployed_close(&deployed);
        ck_assert_uint_eq(count_left_files(), 0);
    }
}
END_TEST

START_TEST(destroying_the_network_takes_all_along)
{
    struct deployed deployed;
    open_planned(&deployed, "along", 2);
    deployed_create(&deployed);
    deployed_batch(&deployed, SLOT_DESTROY, LOCAL_NETWORK_TYPE, MEMORIES_STATE_ABSENT);
    ck_assert_uint_eq(count_left_files(), 0);
    ck_assert_uint_eq(count_left_processes(), 0);
    deployed_close(&deployed);
}
END_TEST

START_TEST(a_failing_command_is_told)
{
    struct deployed deployed;
    deployed_open(&deployed, "command", PROCESS);
    deployed_plan(&deployed, "{'nodes': [{'name': 'a', 'role': 'x', 'bootstrap': {'commands': [['sh', '-c', 'echo "
                             "first; echo why; exit 3']],"
                             " 'services': [{'name': 's', 'command': ['sleep', '1000']}]}}]}");
    deployed_batch(&deployed, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    struct memories_operation operation = {
        .size = sizeof operation, .generation = 1, .attempt = 1, .power_on = 1, .key = "node/a", .type = LOCAL_NODE_TYPE,
        .token = "t",
        .inputs = json_object_to_json_string(
            json_get_object(json_object_array_get_idx(deployed.resources, 1), "inputs"))
    };
    const struct memories_operation *pointer = &operation;
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(local_ops()->create(deployed.instance, call, &pointer, 1), MEMORIES_OK);
    for (int tries = 0; fake_call_answer(call, 0)->state == MEMORIES_STATE_PENDING; tries++) {
        ck_assert_int_lt(tries, 6000);
        pause_ms(10);
        fake_call_free(call);
        call = fake_call_new();
        ck_assert_int_eq(local_ops()->read(deployed.instance, call, &pointer, 1), MEMORIES_OK);
    }
    const struct fake_answer *answer = fake_call_answer(call, 0);
    const char *told = answer->error.cause ? answer->error.cause : fake_call_log(call);
    ck_assert_msg(answer->error.code || answer->state == MEMORIES_STATE_BROKEN, "state %u", answer->state);
    ck_assert_msg(strstr(told, "sh -c echo first; echo why; exit 3: exit 3: why"), "%s", told);
    fake_call_free(call);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
    ck_assert_uint_eq(count_left_files(), 0);
}
END_TEST

/* ---- addresses ---- */

static const char *address_of(const struct deployed *deployed, const char *node)
{
    return json_get_string(json_get_object(json_get_object(deployed->choices, "nodes"), node), "address");
}

static const char *block_of(const struct deployed *deployed, size_t index)
{
    return json_object_get_string(json_object_array_get_idx(json_get_array(deployed->choices, "blocks"), index));
}

START_TEST(deployments_have_blocks_of_their_own)
{
    struct deployed one, other;
    open_planned(&one, "one", 2);
    ck_assert_int_eq(strncmp(address_of(&one, "node1"), "127.", 4), 0);
    ck_assert_str_eq(strrchr(address_of(&one, "node1"), '.'), ".11");
    ck_assert_str_eq(strrchr(address_of(&one, "node2"), '.'), ".12");
    deployed_batch(&one, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);

    /* As if both had picked the same at the same moment. */
    open_planned(&other, "other", 1);
    json_object *network = json_get_object(json_object_array_get_idx(other.resources, 0), "inputs");
    json_set(network, "blocks", json_ref(json_get_array(one.choices, "blocks")));
    deployed_batch(&other, SLOT_CREATE, LOCAL_NETWORK_TYPE, FAILS);
    ck_assert_int_eq(deployed_error.code, MEMORIES_CONFLICT);
    ck_assert_ptr_nonnull(strstr(deployed_error.message, block_of(&one, 0)));
    deployed_batch(&other, SLOT_READ, LOCAL_NETWORK_TYPE, MEMORIES_STATE_ABSENT);
    deployed_batch(&one, SLOT_READ, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);

    deployed_destroy(&one);
    deployed_batch(&other, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    deployed_destroy(&other);
    deployed_close(&one);
    deployed_close(&other);
    ck_assert_uint_eq(count_left_files(), 0);
}
END_TEST

START_TEST(choices_stay_when_nodes_come_and_go)
{
    struct deployed deployed;
    char first[64];
    open_planned(&deployed, "stay", 2);
    snprintf(first, sizeof first, "%s", address_of(&deployed, "node2"));
    AUTO_FREE char *more = spec_of(4, "8000", NULL), *fewer = spec_of(1, "8000", NULL);
    deployed_plan(&deployed, more);
    ck_assert_str_eq(address_of(&deployed, "node2"), first);
    ck_assert_str_eq(strrchr(address_of(&deployed, "node4"), '.'), ".14");
    deployed_plan(&deployed, fewer);
    ck_assert_ptr_null(address_of(&deployed, "node2"));
    ck_assert_ptr_nonnull(block_of(&deployed, 0));
    ck_assert_ptr_null(json_object_array_get_idx(json_get_array(deployed.choices, "blocks"), 1));
    deployed_close(&deployed);
}
END_TEST

START_TEST(a_thousand_nodes_get_a_thousand_addresses)
{
    struct deployed deployed;
    open_planned(&deployed, "thousand", 1000);
    ck_assert_uint_eq(json_count(json_get_array(deployed.choices, "blocks")), 5);
    ck_assert_uint_eq(json_count(deployed.resources), 1001);
    AUTO_JSON json_object *seen = json_object_new_object();
    for (size_t i = 1; i <= 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "node%zu", i);
        ck_assert_ptr_null(json_get(seen, address_of(&deployed, name)));
        json_set_bool(seen, address_of(&deployed, name), true);
    }
    deployed_close(&deployed);
}
END_TEST

static int listen_everywhere(const char *address, int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = { .sin_family = AF_INET };
    socklen_t size = sizeof name;
    inet_pton(AF_INET, address, &name.sin_addr);
    ck_assert(!bind(fd, (struct sockaddr *)&name, sizeof name) && !listen(fd, 1));
    ck_assert(!getsockname(fd, (struct sockaddr *)&name, &size));
    *port = ntohs(name.sin_port);
    return fd;
}

START_TEST(a_port_that_is_taken_everywhere_is_named_with_its_holder)
{
    struct deployed deployed;
    int port;
    AUTO_FD int fd = listen_everywhere("0.0.0.0", &port);
    char ports[16], pid[32];
    snprintf(ports, sizeof ports, "%d", port);
    snprintf(pid, sizeof pid, "(process %d)", (int)getpid());
    AUTO_FREE char *spec = spec_of(1, ports, NULL);
    deployed_open(&deployed, "port", PROCESS);
    const struct memories_error_detail *error = deployed_must_not_plan(&deployed, spec, MEMORIES_CONFLICT);
    ck_assert_msg(strstr(error->message, ports), "%s", error->message);
    ck_assert_msg(strstr(error->cause, pid), "%s", error->cause);
    ck_assert_str_eq(error->where, "node node1");
    deployed_close(&deployed);
}
END_TEST

START_TEST(a_port_that_is_taken_on_one_address_is_avoided)
{
    struct deployed deployed;
    open_planned(&deployed, "avoid", 1);
    AUTO_JSON json_object *earlier = json_copy(deployed.choices);
    int port;
    AUTO_FD int fd = listen_everywhere(address_of(&deployed, "node1"), &port);
    char ports[16];
    snprintf(ports, sizeof ports, "%d", port);
    AUTO_FREE char *spec = spec_of(1, ports, NULL);
    /* The block is kept, the node is new. */
    json_set(json_get_object(deployed.choices, "nodes"), "node1", NULL);
    deployed_plan(&deployed, spec);
    ck_assert_str_eq(strrchr(address_of(&deployed, "node1"), '.'), ".12");
    /* A node that has its address already keeps it: it is the node itself that listens. */
    json_object_put(deployed.choices);
    deployed.choices = json_ref(earlier);
    deployed_plan(&deployed, spec);
    ck_assert_str_eq(strrchr(address_of(&deployed, "node1"), '.'), ".11");
    deployed_close(&deployed);
}
END_TEST

/* ---- preflight ---- */

static const struct {
    const char *spec;
    int32_t code;
    const char *message, *where, *hint;
} impossible[] = {
    { "{'nodes': [{'name': 'a', 'bootstrap': {'packages': [{'name': 'no-such-package', 'commands': ['no-such-program']}]}},"
      "           {'name': 'b', 'bootstrap': {'packages': [{'name': 'no-such-package', 'commands': ['no-such-program']}, "
      "{'name': 'other-package', 'commands': ['sh', 'no-such-tool']}]}}]}",
      MEMORIES_UNSUPPORTED, "not installed on this machine: no-such-program, no-such-tool", "",
      "install what is missing: apt-get install no-such-package other-package" },
    { "{'nodes': [{'name': 'a', 'bootstrap': {'services': [{'name': 's', 'command': ['no-such-program']}]}}]}",
      MEMORIES_UNSUPPORTED, "not installed on this machine: no-such-program", "",
      "install it, or name it by its whole path" },
    { "{'nodes': [{'name': 'a', 'bootstrap': {'files': [{'path': '/etc/passwd', 'content': ''}]}}]}", MEMORIES_INVALID,
      "the file /etc/passwd is outside the node's directories", "node a",
      "a local node's files begin with %c/, %d/ or %l/" },
    { "{'nodes': [{'name': 'a', 'bootstrap': {'files': [{'path': '%c/../../x', 'content': ''}]}}]}", MEMORIES_INVALID,
      "the file %c/../../x is outside the node's directories", "node a",
      "a local node's files begin with %c/, %d/ or %l/" },
    { "{'nodes': [{'name': '../a', 'bootstrap': {}}]}", MEMORIES_INVALID, "\"../a\" can't be a node's name", "",
      "use up to 63 letters, digits, dots, dashes and underscores" },
};

START_TEST(what_cannot_be_is_told_before_anything_is_made)
{
    struct deployed deployed;
    deployed_open(&deployed, "impossible", PROCESS);
    const struct memories_error_detail *error =
        deployed_must_not_plan(&deployed, impossible[_i].spec, impossible[_i].code);
    ck_assert_str_eq(error->message, impossible[_i].message);
    ck_assert_str_eq(error->where, impossible[_i].where);
    ck_assert_str_eq(error->hint, impossible[_i].hint);
    deployed_close(&deployed);
    ck_assert_uint_eq(count_left_files(), 0);
}
END_TEST

static const char *note_at(const struct deployed *deployed, const char *where)
{
    for (size_t i = 0; i < json_count(deployed->notes); i++) {
        json_object *note = json_object_array_get_idx(deployed->notes, i);
        if (!strcmp(json_get_string(note, "where"), where))
            return json_get_string(note, "text");
    }
    return NULL;
}

START_TEST(what_is_not_honoured_is_noted_at_its_key)
{
    static const struct {
        const char *where, *part;
    } expected[] = {
        { "config.instance_type", "g4dn.xlarge is recorded, not honoured" },
        { "config.region", "it is recorded, not honoured: every node is on this machine" },
        { "config.hardware.cpu.architecture", "sparc is recorded" },
        { "config.hardware.cpu.vcpus", "100000 processors are recorded" },
        { "config.hardware.memory.ram", "16 GB are recorded" },
        { "config.hardware.storage", "the disk is recorded" },
        { "config.hardware.gpu", "GPUs are recorded" },
        { "config.node_specs[0].instance_type", "small is recorded" },
        { "config.node_specs[*].instance_type", "large is recorded" },
        { "config.node_specs[*].zone", "it is recorded" },
        { "config.network.cidr", "10.0.0.0/16 is recorded" },
        { "config.network.subnets.public.cidr", "10.0.1.0/24 is recorded" },
        { "config.network.security.rules", "firewall rules are recorded" },
        { "config.monitoring.alerts", "alerts are recorded" },
        { "config.logging.retention_days", "30 days are recorded" },
        { "config.logging.cloudwatch", "logs stay" },
        { "config.logging.log_analytics", "logs stay" },
        { "config.scaling", "this topology adds and removes no nodes" },
    };
    struct deployed deployed;
    deployed_open(
        &deployed, "notes",
        "{'isolation': 'process', 'instance_type': 'g4dn.xlarge', 'region': 'us-west-2', 'hardware': {'cpu': "
        "{'vcpus': 100000, 'architecture': 'sparc'}, 'memory': {'ram': 16}, 'storage': {'root_volume': {'size': "
        "100}}, 'gpu': {'count': 1}}, 'node_specs': [{'id': 'a', 'instance_type': 'small'}, {'id': 'b', 'zone': "
        "'us-west1-b'}, "
        "{'id': 'c', 'zone': 'us-west1-c', 'instance_type': 'large'}, {'id': 'd', 'instance_type': 'large'}], "
        "'network': {'vpc_name': 'x', 'cidr': '10.0.0.0/16', 'subnets': {'public': {'cidr': '10.0.1.0/24'}}, "
        "'security': {'rules': [{'name': 'a'}]}}, 'monitoring': {'alerts': [{'type': 'cpu'}]}, 'logging': "
        "{'level': 'info', 'retention_days': 30, 'cloudwatch': {'enabled': true}, 'cloud_logging': {'enabled': false}, "
        "'log_analytics': {'enabled': true}}, "
        "'scaling': {'target_cpu_utilization': 70}}");
    deployed_plan(&deployed, "{'nodes': [{'name': 'a', 'bootstrap': {}}]}");
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        const char *text = note_at(&deployed, expected[i].where);
        ck_assert_msg(text && strstr(text, expected[i].part), "%s: %s", expected[i].where, text ? text : "no note");
    }
    ck_assert_uint_eq(json_count(deployed.notes), ARRAY_COUNT(expected));
    /* Where the number of nodes follows the load, nothing is to be said of it. */
    deployed_plan(&deployed, "{'nodes': [{'name': 'a', 'bootstrap': {}}], 'scaling': {'groups': {}, 'automatic': 'x'}}");
    ck_assert_ptr_null(note_at(&deployed, "config.scaling"));
    ck_assert_uint_eq(json_count(deployed.notes), ARRAY_COUNT(expected) - 1);
    deployed_close(&deployed);
}
END_TEST

/* ---- discover ---- */

START_TEST(everything_is_found_without_a_record)
{
    struct deployed one, other;
    open_planned(&one, "first", 2);
    open_planned(&other, "second", 1);
    deployed_create(&one);
    deployed_batch(&other, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    deployed_batch(&one, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    AUTO_JSON json_object *all = deployed_call(&one, local_ops()->discover, "{'version': 1, 'deployment': null}");
    ck_assert_uint_eq(json_count(json_get_array(all, "resources")), 4);
    AUTO_JSON json_object *mine = deployed_call(&one, local_ops()->discover, "{'version': 1, 'deployment': 'first'}");
    json_object *resources = json_get_array(mine, "resources");
    ck_assert_uint_eq(json_count(resources), 3);
    json_object *network = json_object_array_get_idx(resources, 0), *node = json_object_array_get_idx(resources, 2);
    ck_assert_str_eq(json_get_string(network, "key"), "network");
    ck_assert_str_eq(json_get_string(network, "state"), "ready");
    ck_assert_str_eq(json_get_string(node, "key"), "node/node2");
    ck_assert_str_eq(json_get_string(node, "state"), "stopped");
    ck_assert_str_eq(json_get_string(json_get_object(node, "outputs"), "private_address"), address_of(&one, "node2"));
    deployed_destroy(&one);
    deployed_destroy(&other);
    AUTO_JSON json_object *none = deployed_call(&one, local_ops()->discover, "{'version': 1, 'deployment': null}");
    ck_assert_uint_eq(json_count(json_get_array(none, "resources")), 0);
    deployed_close(&one);
    deployed_close(&other);
}
END_TEST

/* Its names on the machine are made of its path: the same one before there is anything in it, and after. */
START_TEST(the_state_directory_may_be_a_link)
{
    char link[sizeof local_state_dir], directory[sizeof local_state_dir];
    snprintf(directory, sizeof directory, "%s", local_state_dir);
    snprintf(link, sizeof link, "%.40s.link", local_state_dir);
    ck_assert_int_eq(symlink(directory, link), 0);
    snprintf(local_state_dir, sizeof local_state_dir, "%s", link);
    struct deployed deployed;
    open_planned(&deployed, "linked", 1);
    deployed_create(&deployed);
    AUTO_JSON json_object *all = deployed_call(&deployed, local_ops()->discover, "{'version': 1, 'deployment': null}");
    json_object *network = json_object_array_get_idx(json_get_array(all, "resources"), 0);
    AUTO_FREE char *expected = text_format("%s-node1", json_get_string(json_get_object(network, "outputs"), "id"));
    ck_assert_str_eq(deployed_output(&deployed, "node1", "instance_id"), expected);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
    ck_assert_int_eq(unlink(link), 0);
    snprintf(local_state_dir, sizeof local_state_dir, "%s", directory);
    ck_assert_uint_eq(count_left_files(), 0);
}
END_TEST

/* ---- metrics ---- */

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");
    ck_assert_msg(file && fputs(content, file) >= 0 && !fclose(file), "%s", path);
}

#define METRICS "'metrics': ['cpu_utilization', 'memory_usage', 'disk_io', 'network_traffic']"
#define RESOURCES "'resources': [{'key': 'network'}, {'key': 'node/node1', 'node': 'node1'}]"

static double point(json_object *result, const char *metric, size_t index, int64_t timestamp_ms)
{
    json_object *node = json_object_array_get_idx(json_get_array(json_get_object(result, "metrics"), metric), 0);
    ck_assert_str_eq(json_get_string(node, "node"), "node1");
    json_object *one = json_object_array_get_idx(json_get_array(node, "points"), index);
    ck_assert_msg(one, "%s has no point %zu", metric, index);
    ck_assert_int_eq(json_get_int(one, "timestamp_ms", -1), timestamp_ms);
    return json_object_get_double(json_get(one, "value"));
}

START_TEST(samples_become_points)
{
    struct deployed deployed;
    open_planned(&deployed, "points", 1);
    deployed_create(&deployed);
    deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    /* Two runs: nothing may be taken between them. The second doesn't know the disk. */
    write_file(deployed_path(&deployed, "node1", "metrics"),
               "# columns\n"
               "1000000 1000000 0 1000000000 0 0 0 0\n"
               "1005000 1000000 2500000000 3000000000 1000 4000 100 400\n"
               "1010000 1000000 2500000000 5000000000 1000 4000 100 400\n"
               "1020000 1020000 900 2000000000 -1 -1 0 0\n"
               "1030000 1020000 10000000900 2000000000 -1 -1 5000 5000\n");
    AUTO_JSON json_object *result = deployed_call(&deployed, local_ops()->metrics,
                                                  "{" METRICS ", 'start_ms': 1000000, 'end_ms': 1040000, "
                                                  "'period_s': 10, " RESOURCES "}");
    double processors = (double)sysconf(_SC_NPROCESSORS_ONLN);
    ck_assert_double_eq_tol(point(result, "cpu_utilization", 0, 1000000), 50 / processors, 1e-6);
    ck_assert_double_eq_tol(point(result, "cpu_utilization", 1, 1010000), 0, 1e-6);
    ck_assert_double_eq_tol(point(result, "cpu_utilization", 2, 1030000), 100 / processors, 1e-6);
    ck_assert_double_eq_tol(point(result, "memory_usage", 0, 1000000), 2, 1e-6);
    ck_assert_double_eq_tol(point(result, "memory_usage", 2, 1020000), 2, 1e-6);
    ck_assert_double_eq_tol(point(result, "disk_io", 0, 1000000), 1000, 1e-6);
    ck_assert_double_eq_tol(point(result, "network_traffic", 0, 1000000), 100, 1e-6);
    ck_assert_double_eq_tol(point(result, "network_traffic", 2, 1030000), 1000, 1e-6);
    /* The rate of the first period comes from the sample before it. */
    AUTO_JSON json_object *late = deployed_call(&deployed, local_ops()->metrics,
                                                "{" METRICS ", 'start_ms': 1005000, 'end_ms': 1006000, "
                                                "'period_s': 1, " RESOURCES "}");
    ck_assert_double_eq_tol(point(late, "disk_io", 0, 1005000), 1000, 1e-6);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(a_month_of_samples_is_read)
{
    enum { SAMPLES = 30 * 24 * 720 };
    struct deployed deployed;
    open_planned(&deployed, "month", 1);
    deployed_create(&deployed);
    deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    AUTO_FREE char *now = strdup(deployed_path(&deployed, "node1", "metrics"));
    AUTO_FREE char *rotated = strdup(deployed_path(&deployed, "node1", "metrics.1"));
    FILE *file = fopen(rotated, "we");
    for (int64_t i = 0; i < SAMPLES; i++) {
        if (i == SAMPLES / 2) {
            fclose(file);
            file = fopen(now, "we");
        }
        if (i == 0 || i == SAMPLES / 2)
            fputs("# columns\n", file);
        fprintf(file, "%lld 0 %lld 1000000000 %lld 0 0 0\n", (long long)i * 5000, (long long)i * 50000000,
                (long long)i * 500);
    }
    ck_assert(!fclose(file));
    AUTO_JSON json_object *result =
        deployed_call(&deployed, local_ops()->metrics,
                      "{" METRICS ", 'start_ms': 0, 'end_ms': 2592000000, 'period_s': 300, " RESOURCES "}");
    json_object *node =
        json_object_array_get_idx(json_get_array(json_get_object(result, "metrics"), "disk_io"), 0);
    ck_assert_uint_eq(json_count(json_get_array(node, "points")), 8640);
    ck_assert_double_eq_tol(point(result, "disk_io", 8639, 8639 * 300000LL), 100, 1e-6);
    deployed_destroy(&deployed);
    deployed_close(&deployed);
}
END_TEST

/* ---- logs ---- */

static char *logs(struct deployed *deployed, const char *request)
{
    AUTO_FREE char *document = quoted(request);
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(local_ops()->logs(deployed->instance, call, document), MEMORIES_OK);
    char *stream = strdup(fake_call_stream(call));
    fake_call_free(call);
    return stream;
}

static struct deployed *stopped_with_logs(const char *id)
{
    static struct deployed deployed;
    open_planned(&deployed, id, 1);
    deployed_create(&deployed);
    deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    unlink(deployed_path(&deployed, "node1", "log/supervisor.log"));
    write_file(deployed_path(&deployed, "node1", "log/server.log.2"), "one\ntwo\n");
    write_file(deployed_path(&deployed, "node1", "log/server.log.1"), "three\nfour\n");
    write_file(deployed_path(&deployed, "node1", "log/server.log"), "five\nsix\nunfinished");
    return &deployed;
}

/* Text of another log begins on a line of its own, with a header; no empty lines stand between. */
START_TEST(logs_of_a_node_are_told_apart)
{
    struct deployed *deployed = stopped_with_logs("apart");
    write_file(deployed_path(deployed, "node1", "log/z.log"), "seven\n");
    write_file(deployed_path(deployed, "node1", "log/a.log"), "zero\n");
    AUTO_FREE char *text = logs(deployed, "{'lines': 1, 'follow': false, 'node': 'node1', " RESOURCES "}");
    /* The fake host ends each piece with a line break of its own. */
    ck_assert_str_eq(text, "==> a <==\n\nzero\n\n==> server <==\n\nunfinished\n\n\n==> z <==\n\nseven\n\n");
    deployed_destroy(deployed);
    deployed_close(deployed);
}
END_TEST

START_TEST(the_last_lines_reach_back_through_rotated_files)
{
    static const struct {
        int lines;
        const char *expected;
    } cases[] = {
        { 1, "==> server <==\n\nunfinished\n" },
        { 2, "==> server <==\n\nsix\nunfinished\n" },
        { 3, "==> server <==\n\nfive\nsix\nunfinished\n" },
        { 4, "==> server <==\n\nfour\n\nfive\nsix\nunfinished\n" },
        { 6, "==> server <==\n\ntwo\n\nthree\nfour\n\nfive\nsix\nunfinished\n" },
        { 100, "==> server <==\n\none\ntwo\n\nthree\nfour\n\nfive\nsix\nunfinished\n" },
        { 0, "==> server <==\n\none\ntwo\n\nthree\nfour\n\nfive\nsix\nunfinished\n" },
    };
    struct deployed *deployed = stopped_with_logs("lines");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char request[256];
        snprintf(request, sizeof request, "{'lines': %d, 'follow': false, 'node': 'node1', " RESOURCES "}",
                 cases[i].lines);
        AUTO_FREE char *text = logs(deployed, request);
        ck_assert_str_eq(text, cases[i].expected);
    }
    deployed_destroy(deployed);
    deployed_close(deployed);
}
END_TEST

static void *follow(void *argument)
{
    struct memories_call *call = argument;
    extern struct deployed *followed;
    AUTO_FREE char *request = quoted("{'lines': 1, 'follow': true, 'node': null, " RESOURCES "}");
    ck_assert_int_eq(local_ops()->logs(followed->instance, call, request), MEMORIES_OK);
    return NULL;
}
struct deployed *followed;

START_TEST(following_survives_rotation_and_ends_when_told)
{
    followed = stopped_with_logs("follow");
    AUTO_FREE char *log = strdup(deployed_path(followed, "node1", "log/server.log"));
    AUTO_FREE char *rotated = strdup(deployed_path(followed, "node1", "log/server.log.1"));
    struct memories_call *call = fake_call_new();
    pthread_t thread;
    ck_assert(!pthread_create(&thread, NULL, follow, call));
    wait_until(fake_call_streamed(call, "unfinished"));
    FILE *file = fopen(log, "ae");
    fputs(" line\n", file);
    fflush(file);
    wait_until(fake_call_streamed(call, " line\n"));
    fputs("before the rotation\n", file);
    ck_assert(!rename(log, rotated));
    fputs("still to the old file\n", file);
    fclose(file);
    write_file(log, "after the rotation\n");
    wait_until(fake_call_streamed(call, "after the rotation"));
    ck_assert(fake_call_streamed(call, "still to the old file"));
    write_file(deployed_path(followed, "node1", "log/later.log"), "a later service\n");
    wait_until(fake_call_streamed(call, "==> later <=="));
    wait_until(fake_call_streamed(call, "a later service"));
    fake_call_cancel(call);
    pthread_join(thread, NULL);
    fake_call_free(call);
    deployed_destroy(followed);
    deployed_close(followed);
}
END_TEST

/* ---- kill -9 at any moment ---- */

/* The core, as far as the provider sees it: network, then nodes. In a child that will be killed. */
static void create_in_child(const struct deployed *planned)
{
    struct deployed deployed = *planned;
    deployed_create(&deployed);
    _exit(0);
}

START_TEST(kill_at_any_moment_leaves_what_can_be_finished_or_removed)
{
    for (int step = 0; step < 40; step++) {
        struct deployed deployed;
        open_planned(&deployed, "crash", 2);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child)
            create_in_child(&deployed);
        pause_ms(step);
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        if (step % 2) {
            deployed_create(&deployed);
            wait_until(answers(&deployed, "node1") && answers(&deployed, "node2"));
            ck_assert_uint_eq(count_left_processes(), 2);
        }
        deployed_destroy(&deployed);
        ck_assert_uint_eq(count_left_files(), 0);
        wait_until(count_left_processes() == 0);
        deployed_close(&deployed);
    }
}
END_TEST

int main(int argc, char **argv)
{
    local_fixture_helper(argc, argv);
    Suite *suite = suite_create("local nodes");
    TCase *tests = tcase_create("process isolation");
    tcase_add_checked_fixture(tests, local_fixture_set_up, local_fixture_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, nodes_live_from_create_to_destroy);
    tcase_add_test(tests, secrets_are_in_their_files_only);
    tcase_add_test(tests, a_missing_secret_fails_the_node);
    tcase_add_test(tests, create_again_with_the_same_token_changes_nothing);
    tcase_add_test(tests, a_new_token_makes_a_new_node);
    tcase_add_test(tests, update_restarts_only_what_runs_something_else);
    tcase_add_test(tests, a_killed_supervisor_is_a_stopped_node_that_starts_again);
    tcase_add_test(tests, a_node_without_its_data_is_broken);
    tcase_add_test(tests, what_is_half_made_is_broken_and_can_be_made_or_removed);
    tcase_add_test(tests, destroying_the_network_takes_all_along);
    tcase_add_test(tests, a_failing_command_is_told);
    tcase_add_test(tests, deployments_have_blocks_of_their_own);
    tcase_add_test(tests, choices_stay_when_nodes_come_and_go);
    tcase_add_test(tests, a_thousand_nodes_get_a_thousand_addresses);
    tcase_add_test(tests, a_port_that_is_taken_everywhere_is_named_with_its_holder);
    tcase_add_test(tests, a_port_that_is_taken_on_one_address_is_avoided);
    tcase_add_loop_test(tests, what_cannot_be_is_told_before_anything_is_made, 0, (int)ARRAY_COUNT(impossible));
    tcase_add_test(tests, what_is_not_honoured_is_noted_at_its_key);
    tcase_add_test(tests, everything_is_found_without_a_record);
    tcase_add_test(tests, the_state_directory_may_be_a_link);
    tcase_add_test(tests, samples_become_points);
    tcase_add_test(tests, a_month_of_samples_is_read);
    tcase_add_test(tests, logs_of_a_node_are_told_apart);
    tcase_add_test(tests, the_last_lines_reach_back_through_rotated_files);
    tcase_add_test(tests, following_survives_rotation_and_ends_when_told);
    tcase_add_test(tests, kill_at_any_moment_leaves_what_can_be_finished_or_removed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
