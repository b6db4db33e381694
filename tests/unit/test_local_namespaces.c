/*
 * test_local_namespaces.c - the local provider with namespaces, for real: networks, firewalls, and nothing left behind
 *
 * Needs root and a kernel that lets it; skips with the reason otherwise.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "plugins/providers/local/fabric.h"
#include "tests/unit/local_fixture.h"

#define NAMESPACE "{'isolation': 'namespace'}"

/* 8000: everybody. 9000: the network only. 9500: the second subnet only. 9999: nobody. */
#define PORTS "8000, 9000, 9500, 9999"
#define NETWORK                                                                                              \
    "{'name': 'vpc', 'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one', 'cidr': '10.0.1.0/24'},"              \
    " {'name': 'two', 'cidr': '10.0.2.0/24'}], 'firewall': {'name': 'fw', 'rules': ["                         \
    "{'name': 'api', 'protocol': 'tcp', 'ports': ['8000-8010'], 'source_ranges': ['0.0.0.0/0']},"             \
    "{'name': 'members', 'protocol': 'all', 'ports': ['9000'], 'source_ranges': ['network']},"                \
    "{'name': 'second', 'protocol': 'tcp', 'ports': ['9500'], 'source_ranges': ['10.0.2.0/24']}]}}"
#define OPEN_NETWORK                                                                                          \
    "{'name': 'vpc', 'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one', 'cidr': '10.0.1.0/24'},"              \
    " {'name': 'two', 'cidr': '10.0.2.0/24'}], 'firewall': {'name': 'fw', 'rules': ["                         \
    "{'name': 'all', 'protocol': 'all', 'ports': [], 'source_ranges': ['0.0.0.0/0']}]}}"

/* Everything that a deployment could leave on this machine outside of its state directory, as text. Only ours: other
 * tests may run at the same time. */
static char *traces(const struct deployed *deployed)
{
    struct local local = { .deployment = (char *)deployed->id };
    struct fabric_names names;
    char state[128], command[1024];
    snprintf(state, sizeof state, "%s/local", local_state_dir);
    local.state = state;
    fabric_names(&local, &names);
    snprintf(command, sizeof command,
             "{ ip netns list; ls /run/netns; ip link show; ip route show table all; cat /proc/self/mountinfo; "
             "find /sys/fs/cgroup -path '*memories*'; cat /proc/net/unix; } 2>/dev/null | grep -e %s -e %s -e %s",
             names.space, names.link, local_state_dir);
    FILE *output = popen(command, "re");
    struct text text = TEXT_INIT;
    char chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, output)) > 0;)
        text_append_bytes(&text, chunk, got);
    pclose(output);
    return text_take(&text);
}

static void check_nothing_left(const struct deployed *deployed)
{
    AUTO_FREE char *left = traces(deployed);
    ck_assert_str_eq(left, "");
    ck_assert_uint_eq(count_left_files(), 0);
    wait_until(count_left_processes() == 0);
}

static void open_planned(struct deployed *deployed, const char *id, size_t nodes, const char *network)
{
    AUTO_FREE char *spec = spec_of(nodes, PORTS, network);
    deployed_open(deployed, id, NAMESPACE);
    deployed_plan(deployed, spec);
}

struct place {
    char space[128], private_address[64], access_address[64];
};

static struct place place_of(struct deployed *deployed, const char *node)
{
    struct place place;
    snprintf(place.space, sizeof place.space, "%s", deployed_output(deployed, node, "instance_id"));
    snprintf(place.private_address, sizeof place.private_address, "%s",
             deployed_output(deployed, node, "private_address"));
    snprintf(place.access_address, sizeof place.access_address, "%s", deployed_output(deployed, node, "address"));
    return place;
}

static const char *space_path(const char *space)
{
    static char path[160];
    snprintf(path, sizeof path, "/run/netns/%s", space);
    return path;
}

static bool says(const char *space, const char *address, int port, const char *expected)
{
    const char *answer = ask(space, address, port);
    return answer && !strcmp(answer, expected);
}

static bool pings(const char *space, const char *address)
{
    char command[256];
    snprintf(command, sizeof command, "ip netns exec %s ping -c 1 -W 1 %s >/dev/null 2>&1", space, address);
    return system(command) == 0;
}

START_TEST(nodes_reach_each_other_and_the_firewall_holds)
{
    struct deployed deployed;
    open_planned(&deployed, "fire", 3, NETWORK); /* node1 and node3 in subnet one, node2 in two */
    deployed_create(&deployed);
    struct place one = place_of(&deployed, "node1"), two = place_of(&deployed, "node2"),
                 three = place_of(&deployed, "node3");
    ck_assert_str_eq(one.private_address, "10.0.1.11");
    ck_assert_str_eq(two.private_address, "10.0.2.11");
    ck_assert_str_eq(three.private_address, "10.0.1.12");
    ck_assert_str_eq(deployed_output(&deployed, "node1", "public_ip"), one.access_address);
    ck_assert_str_eq(deployed_output(&deployed, "node2", "public_ip"), "");

    wait_until(says(NULL, one.access_address, 8000, "node1"));
    wait_until(says(NULL, two.access_address, 8000, "node2"));
    wait_until(says(NULL, three.access_address, 8000, "node3"));
    /* From outside only the first rule applies. */
    ck_assert_ptr_null(ask(NULL, one.access_address, 9000));
    ck_assert_ptr_null(ask(NULL, one.access_address, 9500));
    ck_assert_ptr_null(ask(NULL, one.access_address, 9999));
    /* In the same subnet, and across. */
    wait_until(says(one.space, three.private_address, 9000, "node3"));
    wait_until(says(two.space, three.private_address, 9000, "node3"));
    wait_until(says(two.space, three.private_address, 9500, "node3"));
    ck_assert_ptr_null(ask(one.space, three.private_address, 9500));
    ck_assert_ptr_null(ask(one.space, three.private_address, 9999));
    wait_until(says(one.space, "127.0.0.1", 9999, "") && says(one.space, one.private_address, 9999, "node1"));
    /* By access address, in the own subnet too. */
    wait_until(says(one.space, three.access_address, 8000, "node3"));
    wait_until(says(one.space, two.access_address, 8000, "node2"));
    if (system("command -v ping >/dev/null 2>&1") == 0)
        ck_assert(pings(one.space, two.private_address) && pings(two.space, three.private_address));

    deployed_destroy(&deployed);
    check_nothing_left(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(new_rules_take_effect_on_running_nodes)
{
    struct deployed deployed;
    open_planned(&deployed, "rules", 1, NETWORK);
    deployed_create(&deployed);
    struct place one = place_of(&deployed, "node1");
    wait_until(says(NULL, one.access_address, 8000, "node1"));
    ck_assert_ptr_null(ask(NULL, one.access_address, 9999));
    AUTO_FREE char *opened = spec_of(1, PORTS, OPEN_NETWORK);
    deployed_plan(&deployed, opened);
    deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    wait_until(says(NULL, one.access_address, 9999, "node1"));
    AUTO_FREE char *closed = spec_of(1, PORTS, NETWORK);
    deployed_plan(&deployed, closed);
    deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    ck_assert_ptr_null(ask(NULL, one.access_address, 9999));
    wait_until(says(NULL, one.access_address, 8000, "node1"));
    deployed_destroy(&deployed);
    check_nothing_left(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(a_subnet_can_be_added_and_removed)
{
    static const char wider[] =
        "{'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one', 'cidr': '10.0.1.0/24'}, {'name': 'two', 'cidr': "
        "'10.0.2.0/24'}, {'name': 'new', 'cidr': '10.0.3.0/24'}], 'firewall': null}";
    struct deployed deployed;
    open_planned(&deployed, "subnets", 1, NETWORK);
    deployed_create(&deployed);
    struct place one = place_of(&deployed, "node1");
    wait_until(says(NULL, one.access_address, 8000, "node1"));
    AUTO_FREE char *more = spec_of(1, PORTS, wider), *fewer = spec_of(1, PORTS, NETWORK);
    deployed_plan(&deployed, more);
    deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    if (system("command -v ping >/dev/null 2>&1") == 0)
        ck_assert(pings(one.space, "10.0.3.1"));
    wait_until(says(NULL, one.access_address, 9999, "node1")); /* no firewall at all */
    deployed_plan(&deployed, fewer);
    deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    wait_until(says(NULL, one.access_address, 8000, "node1"));
    if (system("command -v ping >/dev/null 2>&1") == 0)
        ck_assert(!pings(one.space, "10.0.3.1"));
    deployed_destroy(&deployed);
    check_nothing_left(&deployed);
    deployed_close(&deployed);
}
END_TEST

static bool fabric_has_address(const struct place *place, const char *address)
{
    AUTO_FREE char *command =
        text_format("ip -n %.*s -o addr show | grep -q ' %s '", 4 + FABRIC_ID_DIGITS, place->space, address);
    return system(command) == 0;
}

START_TEST(a_subnet_can_become_smaller_and_larger)
{
    static const char smaller[] =
        "{'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one', 'cidr': '10.0.1.0/24'}, {'name': 'two', "
        "'cidr': '10.0.2.0/26'}], 'firewall': null}";
    struct deployed deployed;
    open_planned(&deployed, "size", 1, NETWORK);
    deployed_create(&deployed);
    struct place one = place_of(&deployed, "node1");
    AUTO_FREE char *small = spec_of(1, PORTS, smaller), *large = spec_of(1, PORTS, NETWORK);
    const char *const specs[] = { small, large }, *const addresses[] = { "10.0.2.1/26", "10.0.2.1/24" };
    ck_assert(fabric_has_address(&one, addresses[1]));
    for (size_t i = 0; i < ARRAY_COUNT(specs); i++) {
        deployed_plan(&deployed, specs[i]);
        deployed_batch(&deployed, SLOT_UPDATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
        ck_assert(fabric_has_address(&one, addresses[i]) && !fabric_has_address(&one, addresses[1 - i]));
    }
    wait_until(says(NULL, one.access_address, 8000, "node1"));
    deployed_destroy(&deployed);
    check_nothing_left(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(two_deployments_may_have_the_same_addresses)
{
    struct deployed first, second;
    open_planned(&first, "same-a", 2, NETWORK);
    open_planned(&second, "same-b", 2, NETWORK);
    deployed_create(&first);
    deployed_create(&second);
    struct place a = place_of(&first, "node1"), b = place_of(&second, "node1"), b2 = place_of(&second, "node2");
    ck_assert_str_eq(a.private_address, b.private_address);
    ck_assert_str_ne(a.access_address, b.access_address);
    wait_until(says(NULL, a.access_address, 8000, "node1") && says(NULL, b.access_address, 8000, "node1"));
    deployed_batch(&first, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    ck_assert(!says(NULL, a.access_address, 8000, "node1"));
    wait_until(says(NULL, b.access_address, 8000, "node1"));
    wait_until(says(b2.space, b.private_address, 9000, "node1"));
    deployed_destroy(&first);
    AUTO_FREE char *left = traces(&first);
    ck_assert_str_eq(left, "");
    wait_until(says(NULL, b.access_address, 8000, "node1"));
    deployed_destroy(&second);
    check_nothing_left(&second);
    deployed_close(&first);
    deployed_close(&second);
}
END_TEST

START_TEST(stop_and_start_keep_addresses)
{
    struct deployed deployed;
    open_planned(&deployed, "power", 2, NETWORK);
    deployed_create(&deployed);
    struct place before = place_of(&deployed, "node2");
    deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
    deployed_batch(&deployed, SLOT_START, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
    struct place after = place_of(&deployed, "node2");
    ck_assert_str_eq(before.access_address, after.access_address);
    wait_until(says(NULL, after.access_address, 8000, "node2"));
    deployed_destroy(&deployed);
    check_nothing_left(&deployed);
    deployed_close(&deployed);
}
END_TEST

/* A reboot takes processes and namespaces, and leaves the files. */
static void take_namespaces(const struct deployed *deployed)
{
    struct local local = { .deployment = (char *)deployed->id };
    char state[128];
    snprintf(state, sizeof state, "%s/local", local_state_dir);
    local.state = state;
    struct problem problem = { 0 };
    ck_assert_msg(fabric_remove(&local, &problem) == 0, "%s: %s", problem.message, problem.cause);
}

START_TEST(after_a_reboot_the_network_is_made_again)
{
    for (int runs = 0; runs < 2; runs++) {
        struct deployed deployed;
        open_planned(&deployed, "reboot", 2, NETWORK);
        deployed_create(&deployed);
        struct place one = place_of(&deployed, "node1"), two = place_of(&deployed, "node2");
        /* Stopped nodes, and nodes that somehow lost their network while they run. */
        if (!runs)
            deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
        take_namespaces(&deployed);
        deployed_batch(&deployed, SLOT_READ, LOCAL_NETWORK_TYPE, MEMORIES_STATE_ABSENT);
        if (runs)
            deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
        deployed.generation++;
        deployed_batch(&deployed, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
        deployed.generation--;
        deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
        deployed_batch(&deployed, SLOT_START, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
        wait_until(says(NULL, one.access_address, 8000, "node1"));
        wait_until(says(one.space, two.private_address, 9000, "node2"));
        /* And again, but then it is deleted. */
        deployed_batch(&deployed, SLOT_STOP, LOCAL_NODE_TYPE, MEMORIES_STATE_STOPPED);
        take_namespaces(&deployed);
        deployed_destroy(&deployed);
        check_nothing_left(&deployed);
        deployed_close(&deployed);
    }
}
END_TEST

/* Again and again: the links of the deleted namespace go while the new one is being made. */
START_TEST(a_fabric_that_vanished_under_running_nodes_is_mended)
{
    struct deployed deployed;
    open_planned(&deployed, "mend", 2, NETWORK);
    deployed_create(&deployed);
    struct place one = place_of(&deployed, "node1"), two = place_of(&deployed, "node2");
    wait_until(says(NULL, one.access_address, 8000, "node1"));
    char command[256];
    snprintf(command, sizeof command, "ip netns del %.*s", 4 + FABRIC_ID_DIGITS, one.space);
    for (int times = 0; times < 20; times++) {
        ck_assert_int_eq(system(command), 0);
        deployed_batch(&deployed, SLOT_READ, LOCAL_NETWORK_TYPE, MEMORIES_STATE_ABSENT);
        deployed_batch(&deployed, SLOT_READ, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
        deployed_batch(&deployed, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    }
    wait_until(says(NULL, one.access_address, 8000, "node1"));
    wait_until(says(one.space, two.private_address, 9000, "node2"));
    deployed_destroy(&deployed);
    check_nothing_left(&deployed);
    deployed_close(&deployed);
}
END_TEST

START_TEST(access_addresses_avoid_routes_and_the_network_itself)
{
    struct deployed deployed;
    AUTO_FREE char *spec = spec_of(1, PORTS, "{'cidr': '100.64.0.0/11', 'firewall': null}");
    deployed_open(&deployed, "avoid", NAMESPACE);
    for (int i = 0; i < 20; i++) {
        deployed_plan(&deployed, spec);
        struct block network = { 0x64400000, 11 }, block;
        ck_assert(block_parse(
            json_object_get_string(json_object_array_get_idx(json_get_array(deployed.choices, "blocks"), 0)), &block));
        ck_assert(!block_overlaps(network, block));
        json_object_put(deployed.choices);
        deployed.choices = NULL;
    }
    deployed_close(&deployed);
}
END_TEST

static const struct {
    const char *network, *message;
} bad_networks[] = {
    { "{'cidr': '10.0.0.1/16'}", "the network: \"10.0.0.1/16\" is not an IPv4 CIDR block" },
    { "{'cidr': '10.0.0.0/29'}", "the network 10.0.0.0/29 is too small" },
    { "{'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one', 'cidr': '10.1.0.0/24'}, {'name': 'two', 'cidr': null}]}",
      "subnet one: 10.1.0.0/24 is not within 10.0.0.0/16, or overlaps another subnet" },
    { "{'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one', 'cidr': '10.0.0.0/24'}, {'name': 'two', 'cidr': "
      "'10.0.0.128/25'}]}",
      "subnet two: 10.0.0.128/25 is not within 10.0.0.0/16, or overlaps another subnet" },
    { "{'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one', 'cidr': '10.0.0.0/30'}, {'name': 'two', 'cidr': null}]}",
      "the subnet one (10.0.0.0/30) has no room for another node" },
    { "{'subnets': [{'name': 'one'}]}", "the network has no subnet two" },
};

START_TEST(a_network_that_cannot_be_is_told)
{
    struct deployed deployed;
    deployed_open(&deployed, "bad", NAMESPACE);
    AUTO_FREE char *spec = spec_of(4, PORTS, bad_networks[_i].network);
    const struct memories_error_detail *error = deployed_must_not_plan(&deployed, spec, MEMORIES_INVALID);
    ck_assert_str_eq(error->message, bad_networks[_i].message);
    deployed_close(&deployed);
}
END_TEST

START_TEST(subnets_without_a_block_get_one)
{
    static const struct {
        const char *network, *one, *two;
    } cases[] = {
        { "{'cidr': null, 'subnets': [{'name': 'one'}, {'name': 'two'}]}", "10.88.0.11", "10.88.1.11" },
        { "{'cidr': '10.0.0.0/16', 'subnets': [{'name': 'one'}, {'name': 'two', 'cidr': '10.0.0.0/24'}]}", "10.0.1.11",
          "10.0.0.11" },
        { "{'cidr': null, 'subnets': [{'name': 'one', 'cidr': '10.5.1.0/24'}, {'name': 'two'}]}", "10.5.1.11",
          "10.5.0.11" },
        { "{'cidr': null, 'subnets': [{'name': 'one', 'cidr': '10.5.1.0/28'}, {'name': 'two', 'cidr': '10.6.1.0/24'}]}",
          "10.5.1.2", "10.6.1.11" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct deployed deployed;
        open_planned(&deployed, "carve", 2, cases[i].network);
        json_object *nodes = json_get_object(deployed.choices, "nodes");
        ck_assert_str_eq(json_get_string(json_get_object(nodes, "node1"), "address"), cases[i].one);
        ck_assert_str_eq(json_get_string(json_get_object(nodes, "node2"), "address"), cases[i].two);
        deployed_close(&deployed);
    }
}
END_TEST

static void kill_after(int ms, void (*work)(const struct deployed *), const struct deployed *deployed)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child)
        work(deployed);
    pause_ms(ms);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

/* ---- removing one node of several ---- */

/* The same deployment with one of its nodes only: what a scale-down removes. Its resources are the caller's. */
static struct deployed only(const struct deployed *deployed, const char *node)
{
    struct deployed one = *deployed;
    one.resources = json_object_new_array();
    for (size_t i = 0; i < json_count(deployed->resources); i++) {
        json_object *resource = json_object_array_get_idx(deployed->resources, i);
        const char *name = json_get_string(resource, "node");
        if (name && !strcmp(name, node))
            json_add(one.resources, json_ref(resource));
    }
    ck_assert_uint_eq(json_count(one.resources), 1);
    return one;
}

/* What the fabric knows of access addresses, and its ports. */
static char *fabric_state(const struct place *place)
{
    AUTO_FREE char *command = text_format("exec 2>&1; ip netns exec %.*s sh -c '"
                                          "nft list map ip memories inside; nft list map ip memories outside; "
                                          "ip -o link show type veth | cut -d: -f2'",
                                          4 + FABRIC_ID_DIGITS, place->space);
    FILE *output = popen(command, "re");
    struct text text = TEXT_INIT;
    char chunk[1024];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, output)) > 0;)
        text_append_bytes(&text, chunk, got);
    ck_assert_int_eq(pclose(output), 0);
    return text_take(&text);
}

static bool fabric_knows(const struct place *where, const struct place *node)
{
    AUTO_FREE char *state = fabric_state(where);
    AUTO_FREE char *inside = text_format("%s : %s", node->access_address, node->private_address);
    AUTO_FREE char *outside = text_format("%s : %s", node->private_address, node->access_address);
    bool in = strstr(state, inside), out = strstr(state, outside);
    ck_assert_msg(in == out, "%s", state);
    ck_assert_msg(in || (!strstr(state, node->access_address) && !strstr(state, node->private_address)), "%s", state);
    return in;
}

static void destroy_nodes_in_child(const struct deployed *planned)
{
    struct deployed deployed = *planned;
    deployed_batch(&deployed, SLOT_DESTROY, LOCAL_NODE_TYPE, MEMORIES_STATE_ABSENT);
    _exit(0);
}

/* Also when the removal is cut short at any moment, and done again. */
START_TEST(a_removed_node_leaves_nothing_in_the_network_of_the_others)
{
    struct deployed deployed;
    open_planned(&deployed, "fewer", 2, NETWORK);
    deployed_create(&deployed);
    struct place one = place_of(&deployed, "node1"), two = place_of(&deployed, "node2");
    struct deployed second = only(&deployed, "node2");
    for (int ms = -1; ms < 120; ms += 8) {
        ck_assert(fabric_knows(&one, &one) && fabric_knows(&one, &two));
        if (ms >= 0)
            kill_after(ms, destroy_nodes_in_child, &second);
        deployed_batch(&second, SLOT_DESTROY, LOCAL_NODE_TYPE, MEMORIES_STATE_ABSENT);
        ck_assert(fabric_knows(&one, &one) && !fabric_knows(&one, &two));
        AUTO_FREE char *state = fabric_state(&one);
        ck_assert_msg(strstr(state, " n11@") && !strstr(state, " n12@"), "%s", state);
        ck_assert(!file_exists(space_path(two.space)));
        ck_assert(!file_exists(deployed_path(&deployed, "node2", "")));
        wait_until(says(NULL, one.access_address, 8000, "node1"));
        deployed_batch(&second, SLOT_CREATE, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
        wait_until(says(NULL, two.access_address, 8000, "node2"));
    }
    json_object_put(second.resources);
    deployed_destroy(&deployed);
    check_nothing_left(&deployed);
    deployed_close(&deployed);
}
END_TEST

static void create_in_child(const struct deployed *planned)
{
    struct deployed deployed = *planned;
    deployed_create(&deployed);
    _exit(0);
}

static void destroy_in_child(const struct deployed *planned)
{
    struct deployed deployed = *planned;
    deployed_destroy(&deployed);
    _exit(0);
}

START_TEST(kill_at_any_moment_leaves_what_can_be_finished_or_removed)
{
    for (int step = 0; step < 30; step++) {
        struct deployed deployed;
        open_planned(&deployed, "crash", 2, NETWORK);
        kill_after(step * 6, create_in_child, &deployed);
        if (step % 3 != 0) {
            deployed_create(&deployed);
            struct place one = place_of(&deployed, "node1"), two = place_of(&deployed, "node2");
            wait_until(says(NULL, one.access_address, 8000, "node1"));
            wait_until(says(one.space, two.private_address, 9000, "node2"));
        }
        if (step % 3 == 2)
            kill_after(step * 6, destroy_in_child, &deployed);
        deployed_destroy(&deployed);
        check_nothing_left(&deployed);
        deployed_close(&deployed);
    }
}
END_TEST

int main(int argc, char **argv)
{
    local_fixture_helper(argc, argv);
    struct problem problem = { 0 };
    if (fabric_probe(false, &problem)) {
        printf("skipped: %s%s%s\n", problem.message, *problem.cause ? ": " : "", problem.cause);
        return 77;
    }
    Suite *suite = suite_create("local namespaces");
    TCase *tests = tcase_create("namespace isolation");
    tcase_add_checked_fixture(tests, local_fixture_set_up, local_fixture_tear_down);
    tcase_set_timeout(tests, 180);
    tcase_add_test(tests, nodes_reach_each_other_and_the_firewall_holds);
    tcase_add_test(tests, new_rules_take_effect_on_running_nodes);
    tcase_add_test(tests, a_subnet_can_be_added_and_removed);
    tcase_add_test(tests, a_subnet_can_become_smaller_and_larger);
    tcase_add_test(tests, two_deployments_may_have_the_same_addresses);
    tcase_add_test(tests, stop_and_start_keep_addresses);
    tcase_add_test(tests, after_a_reboot_the_network_is_made_again);
    tcase_add_test(tests, a_fabric_that_vanished_under_running_nodes_is_mended);
    tcase_add_test(tests, access_addresses_avoid_routes_and_the_network_itself);
    tcase_add_loop_test(tests, a_network_that_cannot_be_is_told, 0, (int)ARRAY_COUNT(bad_networks));
    tcase_add_test(tests, subnets_without_a_block_get_one);
    tcase_add_test(tests, a_removed_node_leaves_nothing_in_the_network_of_the_others);
    tcase_add_test(tests, kill_at_any_moment_leaves_what_can_be_finished_or_removed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
