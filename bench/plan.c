/*
 * plan.c - how long the diff takes for a deployment of many nodes, and whether it grows with their number only
 *
 * Three kinds: nothing is there yet, nothing has changed, and the network under all nodes is made anew. A node has the size
 * of a real one: it takes outputs of two others and carries a bootstrap. The growth is 1 when ten times the nodes take ten
 * times the time; what is above that is memory which no longer fits the processor's caches (the number of instructions,
 * counted by valgrind --tool=callgrind, grows by 10.00).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/engine/plan.h"

#define RUNS 21
#define BUDGET_MS 100.0

static const char types_text[] = "{\"b.network\": {\"replace_on\": [\"cidr\"]}, \"b.firewall\": {},"
                                 " \"b.node\": {\"is_node\": true, \"power\": true, \"replace_on\": [\"network\"]}}";

static json_object *parse(char *text)
{
    memories_error *error = NULL;
    json_object *json = text ? json_parse(text, "the benchmark's resources", &error) : NULL;
    free(text);
    if (!json) {
        fprintf(stderr, "bench/plan: %s\n", memories_error_message(error));
        exit(1);
    }
    return json;
}

/* As lowered, or, with `state`, as recorded. */
static void add(struct text *text, const char *state, const char *key, const char *type, const char *inputs,
                const char *depends_on)
{
    text_printf(text, "{\"key\":\"%s\",\"type\":\"%s\",\"inputs\":{%s},\"depends_on\":[%s]", key, type, inputs, depends_on);
    if (state)
        text_printf(text, ",\"state\":\"%s\",\"generation\":1,\"token\":\"t\",\"outputs\":{\"id\":\"%s-1\"}", state, key);
    text_append(text, "},");
}

static json_object *resources(int nodes, const char *state, const char *cidr)
{
    const char *network = state ? "\"network-1\"" : "{\"$output\":[\"network\",\"id\"]}";
    const char *firewall = state ? "\"firewall-1\"" : "{\"$output\":[\"firewall\",\"id\"]}";
    struct text text = TEXT_INIT;
    text_append(&text, "[");
    AUTO_FREE char *network_inputs = text_format("\"cidr\":\"%s\"", cidr);
    AUTO_FREE char *firewall_inputs = text_format("\"network\":%s,\"ports\":[2379,2380]", network);
    add(&text, state, "network", "b.network", network_inputs, "");
    add(&text, state, "firewall", "b.firewall", firewall_inputs, "\"network\"");
    for (int i = 0; i < nodes; i++) {
        AUTO_FREE char *key = text_format("node/node%d", i);
        AUTO_FREE char *inputs = text_format(
            "\"network\":%s,\"firewalls\":[%s],\"machine_type\":\"m\",\"zone\":\"a\",\"bootstrap\":{\"packages\":["
            "{\"name\":\"etcd-server\",\"commands\":[\"etcd\"]}],\"services\":[{\"name\":\"etcd\",\"command\":[\"etcd\","
            "\"--name\",\"node%d\",\"--listen-client-urls\",\"https://10.0.0.%d:2379\"],\"restart\":\"always\"}],"
            "\"ports\":[2379,2380]}",
            network, firewall, i, i % 250);
        add(&text, state, key, "b.node", inputs, "\"network\",\"firewall\"");
    }
    text_truncate(&text, text.length - 1);
    text_append(&text, "]");
    return parse(text_take(&text));
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

/* The best of RUNS; the number of operations is checked, so that what is measured is what was meant. */
static double measure(const struct plan_request *request, size_t operations)
{
    double best = 0;
    for (int i = 0; i < RUNS; i++) {
        double began = now_ms();
        struct plan *plan = plan_make(request, NULL);
        double took = now_ms() - began;
        best = i == 0 || took < best ? took : best;
        if (!plan || plan->count != operations) {
            fprintf(stderr, "bench/plan: %zu operations instead of %zu\n", plan ? plan->count : 0, operations);
            exit(1);
        }
        plan_free(plan);
    }
    return best;
}

static const struct kind {
    const char *name;
    bool recorded;
    const char *cidr;
    size_t operations_a_node, more_operations;
} kinds[] = {
    { "nothing is there yet", false, "10.0.0.0/8", 1, 2 },
    { "nothing has changed", true, "10.0.0.0/8", 0, 0 },
    { "the network is made anew", true, "10.0.0.0/9", 2, 3 },
};

static double measure_kind(const struct kind *kind, int nodes)
{
    AUTO_JSON json_object *types = parse(strdup(types_text)), *desired = resources(nodes, NULL, kind->cidr);
    AUTO_JSON json_object *recorded = kind->recorded ? resources(nodes, "ready", "10.0.0.0/8") : NULL;
    struct plan_request request = {
        .desired = desired, .recorded = recorded, .resource_types = types, .can_update = true
    };
    return measure(&request, kind->operations_a_node * (size_t)nodes + kind->more_operations);
}

int main(void)
{
    printf("%-26s %10s %10s %16s %12s\n", "plan", "100 ms", "1000 ms", "1000/(10*100)", "of budget");
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        double hundred = measure_kind(&kinds[i], 100), thousand = measure_kind(&kinds[i], 1000);
        printf("%-26s %10.2f %10.2f %16.2f %12.2f\n", kinds[i].name, hundred, thousand, thousand / (10 * hundred),
               thousand / BUDGET_MS);
    }
    return 0;
}
