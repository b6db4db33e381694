/* test_plan.c - core/engine/plan.c: what is done about each difference, in which order, and what is refused */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/engine/plan.h"

static const char types_text[] =
    "{\"t.net\": {\"replace_on\": [\"cidr\"]},"
    " \"t.fw\": {},"
    " \"t.node\": {\"is_node\": true, \"power\": true, \"replace_on\": [\"image\", \"network\"]}}";

static json_object *parse(const char *text)
{
    memories_error *error = NULL;
    json_object *json = json_parse(text, "a test's document", &error);
    ck_assert_msg(json, "%s: %s", text, memories_error_message(error));
    return json;
}

/* "create net, delete node/1 <- net": operations in an order that can be executed, with what each waits for. */
static char *summary(const struct plan *plan)
{
    struct text text = TEXT_INIT;
    AUTO_JSON json_object *list = plan_json(plan);
    for (size_t i = 0; i < json_count(list); i++) {
        json_object *operation = json_object_array_get_idx(list, i);
        json_object *waits_for = json_get_array(operation, "depends_on");
        text_printf(&text, "%s%s %s", i ? "; " : "", json_get_string(operation, "operation"),
                    json_get_string(operation, "key"));
        for (size_t k = 0; k < json_count(waits_for); k++)
            text_printf(&text, "%s%s", k ? "," : " <- ",
                        json_object_get_string(json_object_array_get_idx(waits_for, k)));
    }
    return text_take(&text);
}

static struct plan *make(const char *desired, const char *recorded, bool stopped, bool can_update,
                         memories_error **error)
{
    AUTO_JSON json_object *types = parse(types_text);
    AUTO_JSON json_object *wanted = desired ? parse(desired) : NULL;
    AUTO_JSON json_object *present = recorded ? parse(recorded) : NULL;
    struct plan_request request = { .desired = wanted,
                                    .recorded = present,
                                    .resource_types = types,
                                    .stopped = stopped,
                                    .can_update = can_update };
    return plan_make(&request, error);
}

/* Short forms of resources. */
#define NET(cidr) "{\"key\":\"net\",\"type\":\"t.net\",\"inputs\":{\"cidr\":\"" cidr "\"}}"
#define NODE(name, size)                                                                                   \
    "{\"key\":\"" name "\",\"type\":\"t.node\",\"node\":\"" name "\",\"depends_on\":[\"net\"],"          \
    "\"inputs\":{\"network\":{\"$output\":[\"net\",\"id\"]},\"size\":" size "}}"
#define FIREWALL                                                                                       \
    "{\"key\":\"fw\",\"type\":\"t.fw\",\"inputs\":{\"members\":[{\"$output\":[\"net\",\"id\"]}]}}"
#define HAVE_NET(state, cidr)                                                                              \
    "{\"key\":\"net\",\"type\":\"t.net\",\"state\":\"" state "\",\"generation\":1,\"token\":\"net-1\","      \
    "\"inputs\":{\"cidr\":\"" cidr "\"},\"outputs\":{\"id\":\"net-id\"}}"
#define HAVE_NODE_IN(name, state, size, network)                                                           \
    "{\"key\":\"" name "\",\"type\":\"t.node\",\"node\":\"" name "\",\"state\":\"" state "\",\"generation\":1," \
    "\"token\":\"" name "-1\",\"depends_on\":[\"net\"],\"inputs\":{\"network\":\"" network "\",\"size\":" size "}," \
    "\"outputs\":{\"id\":\"" name "-id\"}}"
#define HAVE_NODE(name, state, size) HAVE_NODE_IN(name, state, size, "net-id")
#define HAVE_FIREWALL                                                                                      \
    "{\"key\":\"fw\",\"type\":\"t.fw\",\"state\":\"ready\",\"generation\":1,\"depends_on\":[\"net\"],"     \
    "\"inputs\":{\"members\":[\"net-id\"]}}"

static const struct difference {
    const char *what;
    const char *desired;
    const char *recorded;
    bool stopped;
    bool no_update;
    const char *expected;
} differences[] = {
    { "nothing wanted, nothing there", NULL, NULL, false, false, "" },
    { "all new, in order of dependencies", "[" NODE("a", "1") "," NODE("b", "1") "," NET("x") "]", NULL, false, false,
      "create net; create a <- net; create b <- net" },
    { "all there", "[" NET("x") "," NODE("a", "1") "," FIREWALL "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "," HAVE_FIREWALL "]", false, false, "" },
    { "nothing wanted: dependents go first", NULL,
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "," HAVE_NODE("b", "stopped", "1") "]", false, false,
      "delete a; delete b; delete net <- a,b" },
    { "one more", "[" NET("x") "," NODE("a", "1") "," NODE("b", "1") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "]", false, false, "create b" },
    { "one less", "[" NET("x") "," NODE("a", "1") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "," HAVE_NODE("b", "ready", "1") "]", false, false,
      "delete b" },
    { "an input that can change in place", "[" NET("x") "," NODE("a", "2") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "]", false, false, "update a" },
    { "the same with a provider that can't", "[" NET("x") "," NODE("a", "2") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "]", false, true, "delete a; create a <- a" },
    { "an input that can't, and what hangs on its outputs", "[" NET("y") "," NODE("a", "1") "," FIREWALL "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "," HAVE_FIREWALL "]", false, false,
      "delete a; delete net <- a; create net <- net; create a <- a,net; update fw <- net" },
    { "an output that changed between two runs",
      "[" NET("x") "," NODE("a", "1") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE_IN("a", "ready", "1", "old-id") "]", false, false,
      "delete a; create a <- a" },
    { "begun and never finished", "[" NET("x") "]", "[" HAVE_NET("planned", "x") "]", false, false, "create net" },
    { "deleted by somebody else", "[" NET("x") "," NODE("a", "1") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "lost", "1") "]", false, false, "create a" },
    { "a network deleted by somebody else", "[" NET("x") "," NODE("a", "1") "]",
      "[" HAVE_NET("lost", "x") "," HAVE_NODE("a", "ready", "1") "]", false, false,
      "create net; delete a; create a <- net,a" },
    { "broken", "[" NET("x") "," NODE("a", "1") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "broken", "1") "]", false, false, "delete a; create a <- a" },
    { "another type under the same key", "[{\"key\":\"net\",\"type\":\"t.fw\",\"inputs\":{\"cidr\":\"x\"}}]",
      "[" HAVE_NET("ready", "x") "]", false, false, "delete net; create net <- net" },
    { "stop", "[" NET("x") "," NODE("a", "1") "," NODE("b", "1") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "," HAVE_NODE("b", "stopped", "1") "]", true, false,
      "stop a" },
    { "start", "[" NET("x") "," NODE("a", "1") "," NODE("b", "1") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "ready", "1") "," HAVE_NODE("b", "stopped", "1") "]", false, false,
      "start b" },
    { "change, then start", "[" NET("x") "," NODE("a", "2") "]",
      "[" HAVE_NET("ready", "x") "," HAVE_NODE("a", "stopped", "1") "]", false, false, "update a; start a <- a" },
    { "an input that is gone", "[{\"key\":\"net\",\"type\":\"t.fw\",\"inputs\":{}}]",
      "[{\"key\":\"net\",\"type\":\"t.fw\",\"state\":\"ready\",\"generation\":1,\"inputs\":{\"a\":1,\"b\":null}}]", false,
      false, "update net" },
    { "an update of unknown result", "[" NET("x") "]",
      "[{\"key\":\"net\",\"type\":\"t.net\",\"state\":\"ready\",\"doubt\":\"update\",\"generation\":1,"
      "\"inputs\":{\"cidr\":\"x\"}}]",
      false, false, "update net" },
    { "what is not needed any more goes after the change", "[{\"key\":\"fw\",\"type\":\"t.fw\",\"inputs\":{}}]",
      "[" HAVE_NET("ready", "x") "," HAVE_FIREWALL "]", false, false, "update fw; delete net <- fw" },
};

START_TEST(each_difference_has_its_operations)
{
    const struct difference *difference = &differences[_i];
    memories_error *error = NULL;
    struct plan *plan = make(difference->desired, difference->recorded, difference->stopped, !difference->no_update,
                             &error);
    ck_assert_msg(plan, "%s: %s", difference->what, memories_error_message(error));
    AUTO_FREE char *text = summary(plan);
    ck_assert_msg(!strcmp(text, difference->expected), "%s:\n  expected %s\n  got      %s", difference->what,
                  difference->expected, text);
    plan_free(plan);
}
END_TEST

static const struct refusal {
    const char *desired;
    const char *recorded;
    int code;
    const char *message;
    const char *where;
} refusals[] = {
    { "[" NET("x") "," NET("y") "]", NULL, MEMORIES_INVALID, "two resources have the key net", NULL },
    { "[{\"key\":\"a\",\"type\":\"t.fw\",\"inputs\":{},\"depends_on\":[\"b\"]},"
      "{\"key\":\"b\",\"type\":\"t.fw\",\"inputs\":{\"x\":{\"$output\":[\"c\",\"id\"]}}},"
      "{\"key\":\"c\",\"type\":\"t.fw\",\"inputs\":{},\"depends_on\":[\"a\"]}]",
      NULL, MEMORIES_INVALID, "resources depend on each other in a circle: a -> b -> c -> a", NULL },
    { "[{\"key\":\"a\",\"type\":\"t.fw\",\"inputs\":{},\"depends_on\":[\"a\"]}]", NULL, MEMORIES_INVALID,
      "resources depend on each other in a circle: a -> a", NULL },
    { "[" NODE("a", "1") "]", NULL, MEMORIES_INVALID, "a resource depends on net, which is not there", "a" },
    { "[{\"key\":\"a\",\"type\":\"t.fw\",\"inputs\":{},\"depends_on\":[\"b\",\"missing\"]},"
      "{\"key\":\"b\",\"type\":\"t.fw\",\"inputs\":{}}]",
      NULL, MEMORIES_INVALID, "a resource depends on missing, which is not there", "a" },
    { "[{\"key\":\"a\",\"type\":\"t.other\",\"inputs\":{}}]", NULL, MEMORIES_INVALID,
      "resource a has the type t.other, which its provider does not have", NULL },
    /* old goes after user changed, user changes after net is made anew, net goes after old */
    { "[" NET("y") ",{\"key\":\"user\",\"type\":\"t.fw\",\"inputs\":{\"n\":{\"$output\":[\"net\",\"id\"]}}}]",
      "[" HAVE_NET("ready", "x") ","
      "{\"key\":\"old\",\"type\":\"t.fw\",\"state\":\"ready\",\"generation\":1,\"inputs\":{},\"depends_on\":[\"net\"]},"
      "{\"key\":\"user\",\"type\":\"t.fw\",\"state\":\"ready\",\"generation\":1,\"inputs\":{},\"depends_on\":[\"old\"]}]",
      MEMORIES_UNSUPPORTED,
      "these changes wait for each other: delete net, create net, update user, delete old", NULL },
};

START_TEST(what_can_not_be_planned_is_refused)
{
    const struct refusal *refusal = &refusals[_i];
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(make(refusal->desired, refusal->recorded, false, true, &error));
    ck_assert_int_eq(memories_error_code(error), refusal->code);
    ck_assert_str_eq(memories_error_message(error), refusal->message);
    if (refusal->where)
        ck_assert_str_eq(memories_error_where(error), refusal->where);
}
END_TEST

START_TEST(dependents_are_stopped_first_and_started_last)
{
    static const char resources[] = "[{\"key\":\"base\",\"type\":\"t.node\",\"inputs\":{}},"
                                    "{\"key\":\"user\",\"type\":\"t.node\",\"inputs\":{},\"depends_on\":[\"base\"]}]";
    static const char running[] =
        "[{\"key\":\"base\",\"type\":\"t.node\",\"state\":\"ready\",\"generation\":1,\"inputs\":{}},"
        "{\"key\":\"user\",\"type\":\"t.node\",\"state\":\"ready\",\"generation\":1,\"inputs\":{}}]";
    static const char stopped[] =
        "[{\"key\":\"base\",\"type\":\"t.node\",\"state\":\"stopped\",\"generation\":1,\"inputs\":{}},"
        "{\"key\":\"user\",\"type\":\"t.node\",\"state\":\"stopped\",\"generation\":1,\"inputs\":{}}]";
    struct plan *stop = make(resources, running, true, true, NULL), *start = make(resources, stopped, false, true, NULL);
    AUTO_FREE char *stop_text = summary(stop), *start_text = summary(start);
    ck_assert_str_eq(stop_text, "stop user; stop base <- user");
    ck_assert_str_eq(start_text, "start base; start user <- base");
    plan_free(stop);
    plan_free(start);
}
END_TEST

static const struct plan_operation *operation_of(const struct plan *plan, enum operation_kind kind, const char *key)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->operations[i].kind == kind && !strcmp(plan->operations[i].key, key))
            return &plan->operations[i];
    ck_abort_msg("no %s of %s", operation_name(kind), key);
    return NULL;
}

static const struct life {
    const char *what;
    const char *recorded;
    const char *generations;
    uint32_t generation;
    const char *token; /* NULL: a new one */
} lives[] = {
    { "first", "[]", "{}", 1, NULL },
    { "wanted again after it was deleted", "[]", "{\"net\": 3}", 4, NULL },
    { "gone", "[" HAVE_NET("lost", "x") "]", "{\"net\": 1}", 2, NULL },
    { "broken", "[" HAVE_NET("broken", "x") "]", "{\"net\": 1}", 2, NULL },
    { "begun", "[" HAVE_NET("planned", "x") "]", "{\"net\": 1}", 1, "net-1" },
    { "begun with other inputs", "[" HAVE_NET("planned", "y") "]", "{\"net\": 1}", 2, NULL },
};

START_TEST(a_new_life_has_a_new_generation)
{
    const struct life *life = &lives[_i];
    AUTO_JSON json_object *types = parse(types_text), *desired = parse("[" NET("x") "]");
    AUTO_JSON json_object *recorded = parse(life->recorded), *generations = parse(life->generations);
    struct plan_request request = { .desired = desired,
                                    .recorded = recorded,
                                    .generations = generations,
                                    .resource_types = types,
                                    .can_update = true };
    struct plan *plan = plan_make(&request, NULL);
    const struct plan_operation *create = operation_of(plan, OPERATION_CREATE, "net");
    ck_assert_msg(create->generation == life->generation, "%s: generation %u", life->what, create->generation);
    ck_assert_pstr_eq(create->token, life->token);
    plan_free(plan);
}
END_TEST

START_TEST(operations_carry_what_they_need)
{
    struct plan *plan = make("[" NET("y") "," NODE("a", "1") "," NODE("b", "1") "]",
                             "[" HAVE_NET("ready", "y") "," HAVE_NODE("a", "ready", "2") ","
                             HAVE_NODE("b", "broken", "1") "]",
                             false, true, NULL);
    const struct plan_operation *update = operation_of(plan, OPERATION_UPDATE, "a");
    ck_assert_str_eq(update->reason, "size changed");
    ck_assert_str_eq(update->type, "t.node");
    ck_assert_str_eq(update->node, "a");
    ck_assert_str_eq(update->token, "a-1");
    ck_assert_str_eq(json_get_string(update->outputs, "id"), "a-id");
    ck_assert_uint_eq(update->generation, 1);
    ck_assert_uint_eq(update->unit, 1); /* it runs: its turn counts */
    ck_assert_uint_eq(json_count(update->depends_on_keys), 1);
    const struct plan_operation *remove = operation_of(plan, OPERATION_DELETE, "b");
    ck_assert_str_eq(remove->reason, "is broken");
    ck_assert_str_eq(remove->token, "b-1");
    ck_assert_uint_eq(remove->generation, 1);
    ck_assert_uint_eq(remove->unit, 0); /* it does not run: nobody waits for its turn */
    const struct plan_operation *create = operation_of(plan, OPERATION_CREATE, "b");
    ck_assert_uint_eq(create->generation, 2);
    ck_assert_ptr_null(create->outputs);
    plan_free(plan);
}
END_TEST

static char *many_nodes(size_t count)
{
    struct text text = TEXT_INIT;
    text_append(&text, "[");
    for (size_t i = 0; i < count; i++)
        text_printf(&text,
                    "{\"key\":\"node/%zu\",\"type\":\"t.node\",\"inputs\":{\"network\":{\"$output\":[\"net\",\"id\"]}},"
                    "\"depends_on\":[\"net\"]},",
                    i);
    text_append(&text, NET("x") "]");
    return text_take(&text);
}

START_TEST(a_thousand_nodes_keep_their_order)
{
    AUTO_FREE char *desired = many_nodes(1000);
    struct plan *plan = make(desired, NULL, false, true, NULL);
    AUTO_JSON json_object *list = plan_json(plan);
    ck_assert_uint_eq(json_count(list), 1001);
    ck_assert_str_eq(json_get_string(json_object_array_get_idx(list, 0), "key"), "net");
    for (int i = 0; i < 1000; i++) {
        AUTO_FREE char *key = text_format("node/%d", i);
        ck_assert_str_eq(json_get_string(json_object_array_get_idx(list, (size_t)i + 1), "key"), key);
    }
    ck_assert_uint_eq(operation_of(plan, OPERATION_CREATE, "net")->successor_count, 1000);
    plan_free(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_add_loop_test(tests, each_difference_has_its_operations, 0, ARRAY_COUNT(differences));
    tcase_add_loop_test(tests, what_can_not_be_planned_is_refused, 0, ARRAY_COUNT(refusals));
    tcase_add_test(tests, dependents_are_stopped_first_and_started_last);
    tcase_add_loop_test(tests, a_new_life_has_a_new_generation, 0, ARRAY_COUNT(lives));
    tcase_add_test(tests, operations_carry_what_they_need);
    tcase_add_test(tests, a_thousand_nodes_keep_their_order);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
