/*
 * test_local_parts.c - the pure parts of the local provider: what lower gives (golden files), firewall rules, blocks of
 * addresses, places of files
 *
 * Every spec of tests/golden/ is lowered for both kinds of isolation and compared with
 * tests/golden/local/NAME.KIND.json. UPDATE_GOLDEN=1 writes these files anew.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema.h"
#include "core/engine/plan.h"
#include "plugins/providers/local/definition.h"
#include "plugins/providers/local/fabric.h"
#include "plugins/providers/local/notes.h"
#include "tests/unit/local_fixture.h"

extern const char schema_resources[];

static const char *source_directory(void)
{
    const char *directory = getenv("srcdir");
    return directory ? directory : ".";
}

/* ---- lower ---- */

/* What prepare would choose, without its random part. */
static json_object *make_choices(json_object *spec, const char *isolation)
{
    bool has_namespaces = !strcmp(isolation, "namespace");
    json_object *choices = json_object_new_object(), *nodes = json_object_new_object();
    json_object *blocks = json_object_new_array(), *network = json_object_new_object();
    json_object *subnets = json_object_new_array(), *subnet = json_object_new_object();
    json_object *specs = json_get_array(spec, "nodes");
    json_set_string(subnet, "name", "all");
    json_set_string(subnet, "cidr", "10.88.0.0/24");
    json_add(subnets, subnet);
    json_set_string(network, "cidr", "10.88.0.0/16");
    json_set(network, "subnets", subnets);
    json_add_string(blocks, has_namespaces ? "100.71.3.0/24" : "127.84.12.0/24");
    for (size_t i = 0; i < json_count(specs); i++) {
        json_object *choice = json_object_new_object();
        AUTO_FREE char *block_address = text_format("%s.%zu", has_namespaces ? "100.71.3" : "127.84.12", 11 + i);
        AUTO_FREE char *private_address = text_format("10.88.0.%zu", 11 + i);
        json_set_string(choice, "address", has_namespaces ? private_address : block_address);
        if (has_namespaces) {
            json_set_string(choice, "access_address", block_address);
            json_set_string(choice, "subnet", "all");
        }
        json_set(nodes, json_get_string(json_object_array_get_idx(specs, i), "name"), choice);
    }
    json_set_string(choices, "isolation", isolation);
    json_set(choices, "blocks", blocks);
    json_set(choices, "nodes", nodes);
    json_set(choices, "network", network);
    return choices;
}

static void check_resources(json_object *document)
{
    memories_error *error = NULL;
    AUTO_JSON json_object *parsed = json_parse(schema_resources, "the schema of resources", &error);
    struct schema *schema = schema_compile(parsed, "the schema of resources", &error);
    ck_assert_ptr_nonnull(schema);
    ck_assert_msg(schema_require(schema, document, "resources", &error) == 0, "%s", memories_error_message(error));
    schema_free(schema);
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(local_ops()->describe(call), MEMORIES_OK);
    ck_assert_msg(graph_check(json_get_array(document, "resources"),
                              json_get_object(fake_call_result(call), "resource_types"), &error) == 0,
                  "%s", memories_error_message(error));
    fake_call_free(call);
}

static void compare_golden(const char *path, json_object *document)
{
    AUTO_FREE char *pretty = json_pretty(document);
    if (getenv("UPDATE_GOLDEN")) {
        FILE *file = fopen(path, "we");
        ck_assert_msg(file && fprintf(file, "%s\n", pretty) > 0 && fclose(file) == 0, "%s can't be written", path);
        return;
    }
    AUTO_FREE char *golden = read_whole(path);
    ck_assert_msg(golden && *golden, "%s can't be read: UPDATE_GOLDEN=1 writes it", path);
    golden[strlen(golden) - 1] = '\0'; /* the last newline */
    ck_assert_msg(!strcmp(golden, pretty), "%s differs (UPDATE_GOLDEN=1 writes it anew); it is now\n%s", path, pretty);
}

static void lower_one(const char *spec_path, const char *isolation)
{
    AUTO_FREE char *text = read_whole(spec_path);
    AUTO_JSON json_object *request = json_object_new_object();
    json_object *spec = json_tokener_parse(text);
    ck_assert_msg(spec, "%s is no JSON", spec_path);
    if (json_get_bool(spec, "isolated", false) && strcmp(isolation, "namespace")) {
        json_object_put(spec); /* prepare refuses it */
        return;
    }
    json_set_int(request, "version", 1);
    json_set_string(request, "deployment", "test-local-20260225-123456");
    json_set(request, "spec", spec);
    json_set(request, "choices", make_choices(spec, isolation));
    AUTO_FREE char *request_text = json_text(request);
    struct deployed deployed;
    deployed_open(&deployed, "test-local-20260225-123456", NULL);
    struct memories_call *first = fake_call_new(), *second = fake_call_new();
    ck_assert_int_eq(local_ops()->lower(deployed.instance, first, request_text), MEMORIES_OK);
    ck_assert_int_eq(local_ops()->lower(deployed.instance, second, request_text), MEMORIES_OK);
    ck_assert_str_eq(fake_call_result_text(first), fake_call_result_text(second));
    check_resources(fake_call_result(first));
    const char *name = strrchr(spec_path, '/') + 1;
    AUTO_FREE char *golden = text_format("%s/tests/golden/local/%.*s.%s.json", source_directory(),
                                         (int)(strlen(name) - strlen(".spec.json")), name, isolation);
    compare_golden(golden, fake_call_result(first));
    fake_call_free(first);
    fake_call_free(second);
    deployed_close(&deployed);
}

START_TEST(every_spec_gives_its_golden_resources)
{
    glob_t specs;
    AUTO_FREE char *pattern = text_format("%s/tests/golden/*.spec.json", source_directory());
    ck_assert(!glob(pattern, 0, NULL, &specs) && specs.gl_pathc > 0);
    for (size_t i = 0; i < specs.gl_pathc; i++) {
        lower_one(specs.gl_pathv[i], "process");
        lower_one(specs.gl_pathv[i], "namespace");
    }
    globfree(&specs);
}
END_TEST

START_TEST(a_node_without_a_choice_is_a_defect)
{
    struct deployed deployed;
    deployed_open(&deployed, "test", NULL);
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(local_ops()->lower(deployed.instance, call,
                                        "{\"spec\": {\"nodes\": [{\"name\": \"a\"}]}, \"choices\": {}}"),
                     MEMORIES_INTERNAL);
    ck_assert_str_eq(fake_call_error(call)->message, "no address was chosen for the node a");
    fake_call_free(call);
    deployed_close(&deployed);
}
END_TEST

/* ---- firewall ---- */

#define TABLE "table inet memories\ndelete table inet memories\n"
#define HEAD                                                                                                      \
    TABLE "table inet memories {\n    chain incoming {\n"                                   \
          "        type filter hook prerouting priority mangle; policy drop;\n"              \
          "        iifname != \"eth0\" accept\n        ct state established,related accept\n" \
          "        meta l4proto { icmp, ipv6-icmp } accept\n"
#define TAIL "    }\n}\n"
#define RULE(text) "        " text "\n"

static const struct {
    const char *rules, *expected;
} firewalls[] = {
    { NULL, TABLE },
    { "[]", HEAD TAIL },
    { "[{'name': 'allow-ssh', 'protocol': 'tcp', 'ports': ['22'], 'source_ranges': ['0.0.0.0/0']}]",
      HEAD RULE("tcp dport 22 accept comment \"allow-ssh\"") TAIL },
    { "[{'name': 'in', 'protocol': 'all', 'ports': [], 'source_ranges': ['network', '192.168.0.0/24']}]",
      HEAD RULE("ip saddr 10.0.0.0/16 accept comment \"in\"") RULE("ip saddr 192.168.0.0/24 accept comment \"in\"") TAIL },
    { "[{'protocol': 'udp', 'ports': ['53', '8000-8010'], 'source_ranges': ['10.1.2.3']}]",
      HEAD RULE("ip saddr 10.1.2.3 udp dport 53 accept") RULE("ip saddr 10.1.2.3 udp dport 8000-8010 accept") TAIL },
    { "[{'protocol': 'all', 'ports': ['7'], 'source_ranges': ['fd00::/8']}]",
      HEAD RULE("ip6 saddr fd00::/8 meta l4proto { tcp, udp } th dport 7 accept") TAIL },
    { "[{'protocol': 'icmp', 'ports': [], 'source_ranges': []}, {'protocol': 'tcp'}]",
      HEAD RULE("meta l4proto { icmp, ipv6-icmp } accept") RULE("meta l4proto tcp accept") TAIL },
    { "[{'name': 'a\\u0022; flush ruleset', 'protocol': 'tcp', 'ports': ['1'], 'source_ranges': []}]",
      HEAD RULE("tcp dport 1 accept comment \"a__ flush ruleset\"") TAIL },
};

static int32_t write_firewall(const char *rules, char **text, struct problem *problem)
{
    AUTO_JSON json_object *firewall = NULL;
    if (rules) {
        AUTO_FREE char *document = quoted(rules);
        firewall = json_object_new_object();
        json_set(firewall, "rules", json_tokener_parse(document));
    }
    size_t length;
    FILE *out = open_memstream(text, &length);
    int32_t failed = firewall_write(out, firewall, "10.0.0.0/16", problem);
    fclose(out);
    return failed;
}

START_TEST(rules_become_a_ruleset)
{
    AUTO_FREE char *text = NULL;
    struct problem problem = { 0 };
    ck_assert_msg(!write_firewall(firewalls[_i].rules, &text, &problem), "%s", problem.message);
    ck_assert_str_eq(text, firewalls[_i].expected);
}
END_TEST

static const struct {
    const char *rules, *message;
} bad_firewalls[] = {
    { "[{'protocol': 'gre'}]", "\"gre\" is no protocol: tcp, udp, icmp and all are" },
    { "[{'protocol': 'tcp', 'ports': ['70000']}]", "\"70000\" is no port and no range of ports" },
    { "[{'protocol': 'tcp', 'ports': ['9-8']}]", "\"9-8\" is no port and no range of ports" },
    { "[{'protocol': 'tcp', 'ports': ['80;drop']}]", "\"80;drop\" is no port and no range of ports" },
    { "[{'protocol': 'tcp', 'source_ranges': ['10.0.0.0/33']}]", "\"10.0.0.0/33\" is not a range of addresses" },
    { "[{'protocol': 'tcp', 'source_ranges': ['here']}]", "\"here\" is not a range of addresses" },
    { "[{'protocol': 'tcp', 'source_ranges': ['10.0.0.0/8 accept']}]", "\"10.0.0.0/8 accept\" is not a range of addresses" },
};

START_TEST(a_rule_that_cannot_be_is_told)
{
    AUTO_FREE char *text = NULL;
    struct problem problem = { 0 };
    ck_assert_int_eq(write_firewall(bad_firewalls[_i].rules, &text, &problem), MEMORIES_INVALID);
    ck_assert_str_eq(problem.message, bad_firewalls[_i].message);
}
END_TEST

/* ---- blocks ---- */

START_TEST(blocks_are_read_and_written)
{
    static const char *const good[] = { "10.0.0.0/8", "0.0.0.0/0", "127.84.12.0/24", "10.1.2.3/32", "128.0.0.0/1" };
    static const char *const bad[] = { "10.0.0.1/8", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
                                       "10.0.0/8",   "::/0",     "",          "/8",          "10.0.0.0/8x" };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct block block;
        char text[BLOCK_TEXT_BYTES];
        ck_assert_msg(block_parse(good[i], &block), "%s", good[i]);
        block_format(block, text);
        ck_assert_str_eq(text, good[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct block block;
        ck_assert_msg(!block_parse(bad[i], &block), "%s", bad[i]);
    }
    struct block ignored;
    ck_assert(!block_parse(NULL, &ignored));
}
END_TEST

START_TEST(blocks_are_compared)
{
    static const struct {
        const char *a, *b, *join;
        bool overlaps;
    } cases[] = {
        { "10.0.0.0/16", "10.0.1.0/24", "10.0.0.0/16", true },    { "10.0.1.0/24", "10.0.0.0/16", "10.0.0.0/16", true },
        { "10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/22", false },   { "10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/23", false },
        { "10.0.0.0/8", "192.168.0.0/16", "0.0.0.0/0", false },   { "0.0.0.0/0", "1.2.3.4/32", "0.0.0.0/0", true },
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct block a, b;
        char join[BLOCK_TEXT_BYTES];
        ck_assert(block_parse(cases[i].a, &a) && block_parse(cases[i].b, &b));
        ck_assert_int_eq(block_overlaps(a, b), cases[i].overlaps);
        ck_assert_int_eq(block_overlaps(b, a), cases[i].overlaps);
        block_format(block_join(a, b), join);
        ck_assert_str_eq(join, cases[i].join);
    }
}
END_TEST

struct taken {
    size_t asked;
    uint32_t only_free;
};

static bool all_but_one(void *context, struct block block)
{
    struct taken *taken = context;
    taken->asked++;
    return block.address != taken->only_free;
}

START_TEST(the_last_free_block_is_found)
{
    const struct block pool = { 0x7f400000, 10 };
    struct taken taken = { .only_free = 0x7f7fff00 };
    struct block block;
    ck_assert(block_pick(pool, 24, all_but_one, &taken, &block));
    ck_assert_uint_eq(block.address, taken.only_free);
    taken = (struct taken){ .only_free = 1 };
    ck_assert(!block_pick(pool, 24, all_but_one, &taken, &block));
    ck_assert_uint_eq(taken.asked, 1u << 14);
}
END_TEST

START_TEST(a_claim_has_one_holder)
{
    AUTO_FREE char *claims = text_format("%s/deep/claims", local_state_dir);
    const struct block block = { 0x7f540c00, 24 };
    struct problem problem = { 0 };
    ck_assert_int_eq(block_claim(claims, block, "one", &problem), 0);
    ck_assert_int_eq(block_claim(claims, block, "one", &problem), 0);
    ck_assert_int_eq(block_claim(claims, block, "two", &problem), MEMORIES_CONFLICT);
    ck_assert_str_eq(problem.message, "another deployment holds the addresses 127.84.12.0/24");
    ck_assert_int_eq(block_release(claims, block, "two", &problem), 0);
    ck_assert_int_eq(block_claim(claims, block, "two", &problem), MEMORIES_CONFLICT);
    ck_assert_int_eq(block_release(claims, block, "one", &problem), 0);
    ck_assert_int_eq(block_claim(claims, block, "two", &problem), 0);
    ck_assert_int_eq(block_release(claims, block, "two", &problem), 0);
    ck_assert_int_eq(block_release(claims, block, "two", &problem), 0);
}
END_TEST

/* ---- names and places ---- */

START_TEST(files_stay_in_the_nodes_directories)
{
    static const char *const good[] = { "%c/a", "%d/a/b", "%l/x..y", "%c/..a/b" };
    static const char *const bad[] = { "/etc/x", "a", "%c", "%c/", "%n/a", "%c/../a", "%c/a/..", "%c/a/../../b", "", "%" };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        ck_assert_msg(definition_file_allowed(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        ck_assert_msg(!definition_file_allowed(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(keys_of_nodes_are_told_from_others)
{
    static const char *const bad[] = { "network", "node/", "node/..", "node/a/b", "node/.a", "node/-a", "node/a b", "nodes/a" };
    ck_assert_str_eq(local_node_of_key("node/node-1.x_y"), "node-1.x_y");
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        ck_assert_msg(!local_node_of_key(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(network_names_fit_and_differ)
{
    struct local one = { .state = (char *)"/nowhere/local", .deployment = (char *)"consensus-local-20260225-123456" };
    struct local other = { .state = one.state, .deployment = (char *)"consensus-local-20260225-123457" };
    struct local elsewhere = { .state = (char *)"/somewhere/local", .deployment = one.deployment };
    struct fabric_names a, again, b, c;
    fabric_names(&one, &a);
    fabric_names(&one, &again);
    fabric_names(&other, &b);
    fabric_names(&elsewhere, &c);
    ck_assert_uint_le(strlen(a.link), 15); /* IFNAMSIZ */
    ck_assert_str_eq(a.space, again.space);
    ck_assert_str_ne(a.space, b.space);
    ck_assert_str_ne(a.space, c.space);
    ck_assert_str_ne(a.link, b.link);
}
END_TEST

/* What one isolation gives and the other one does not. */
START_TEST(notes_depend_on_the_isolation)
{
    static const char *const expected[] = { "config.network.cidr config.network.security.rules", "config.network.nat" };
    AUTO_FREE char *text =
        quoted("{'network': {'nat': true, 'cidr': '10.0.0.0/16', 'security': {'rules': [{'name': 'a'}]}}}");
    AUTO_JSON json_object *config = json_tokener_parse(text);
    AUTO_JSON json_object *notes = json_object_new_array();
    const struct machine machine = { .processors = 2, .architecture = "x86_64", .has_namespaces = _i == 1 };
    ck_assert_int_eq(notes_of_config(notes, config, &machine), 0);
    struct text places = TEXT_INIT;
    for (size_t i = 0; i < json_count(notes); i++)
        text_printf(&places, "%s%s", i ? " " : "", json_get_string(json_object_array_get_idx(notes, i), "where"));
    AUTO_FREE char *found = text_take(&places);
    ck_assert_str_eq(found, expected[_i]);
}
END_TEST

int main(int argc, char **argv)
{
    local_fixture_helper(argc, argv);
    Suite *suite = suite_create("local parts");
    TCase *tests = tcase_create("parts");
    tcase_add_checked_fixture(tests, local_fixture_set_up, local_fixture_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_spec_gives_its_golden_resources);
    tcase_add_test(tests, a_node_without_a_choice_is_a_defect);
    tcase_add_loop_test(tests, rules_become_a_ruleset, 0, (int)ARRAY_COUNT(firewalls));
    tcase_add_loop_test(tests, a_rule_that_cannot_be_is_told, 0, (int)ARRAY_COUNT(bad_firewalls));
    tcase_add_test(tests, blocks_are_read_and_written);
    tcase_add_test(tests, blocks_are_compared);
    tcase_add_test(tests, the_last_free_block_is_found);
    tcase_add_test(tests, a_claim_has_one_holder);
    tcase_add_test(tests, files_stay_in_the_nodes_directories);
    tcase_add_test(tests, keys_of_nodes_are_told_from_others);
    tcase_add_test(tests, network_names_fit_and_differ);
    tcase_add_loop_test(tests, notes_depend_on_the_isolation, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
