/*
 * topology.c - the topology "@NAME@": a primary and a standby, each running the same command
 *
 * `plan` turns a configuration into a spec, and is pure: the same request gives the same result, and nothing outside is
 * looked at. `converge` and `status` look at the nodes, when the configuration says how. What each slot must do is told
 * by memories-topology(3) and checked by `memories-plugin check`. This file is C11 and C++20 alike.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <memories/plugin.h>

#include "json.h"

#define DOCUMENT_VERSION 1 /* the newest `version` of a document that is understood here */
#define NODES 2
#define ANSWER_TIMEOUT_MS 2000

static const struct memories_host *host;

static const char *const roles[NODES] = { "primary", "standby" };

/* ---- Errors and documents ---------------------------------------------------------------------------------------- */

/* Tells why a slot fails, and returns `code`. A message is one sentence: what failed, and why; the hint says what to do
 * next. where and hint may be NULL. */
static int32_t fail(struct memories_call *call, int32_t code, const char *where, const char *hint, const char *format,
                    ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct memories_error_detail detail;
    memset(&detail, 0, sizeof detail);
    detail.size = sizeof detail;
    detail.code = code;
    detail.message = message;
    detail.where = where;
    detail.hint = hint;
    return host->fail(call, &detail);
}

static int32_t fail_no_memory(struct memories_call *call)
{
    return fail(call, MEMORIES_NO_MEMORY, NULL, NULL, "out of memory");
}

/* A document from the core; to json_object_put. NULL: reported. */
static json_object *parse(struct memories_call *call, const char *text, const char *name)
{
    json_object *document = json_tokener_parse(text);
    if (!json_object_is_type(document, json_type_object)) {
        json_object_put(document);
        fail(call, MEMORIES_INTERNAL, NULL, NULL, "the %s is no JSON object", name);
        return NULL;
    }
    int64_t version = json_member_int(document, "version", DOCUMENT_VERSION);
    if (version <= DOCUMENT_VERSION)
        return document;
    json_object_put(document);
    fail(call, MEMORIES_UNSUPPORTED, NULL, "use a newer version of the topology @NAME@",
         "the %s has version %lld, and this topology knows %d", name, (long long)version, DOCUMENT_VERSION);
    return NULL;
}

/* Gives `document` (taken over) as the slot's result; `failed`: it could not be built. */
static int32_t give(struct memories_call *call, json_object *document, int failed)
{
    const char *text = failed ? NULL : json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN);
    int32_t code = text ? host->result(call, text) : fail_no_memory(call);
    json_object_put(document);
    return code;
}

/* ---- Once -------------------------------------------------------------------------------------------------------- */

static int32_t init(const struct memories_host *given, struct memories_call *call)
{
    (void)call;
    host = given;
    return MEMORIES_OK;
}

/* Keys that every topology has (network, hardware, monitoring, …) are the core's; here are only our own. */
MEMORIES_PLUGIN_DESCRIPTION(
    description,
    "{\"version\": 1,"
    " \"summary\": \"a primary and a standby\","
    " \"schema\": {\"properties\": {"
    "   \"command\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}, \"minItems\": 1,"
    "     \"title\": \"command\", \"description\": \"What both nodes run, word by word. %a stands for the node's "
    "address,"
    " %n for its name, %{primary} for the primary's address\","
    "     \"examples\": [[\"memories-server\", \"--listen\", \"%a\", \"--port\", \"8000\"]]},"
    "   \"health\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"port\"],"
    "     \"title\": \"health\", \"description\": \"Where the command answers HTTP when it works; nodes that run are "
    "taken"
    " as working without it\","
    "     \"properties\": {"
    "       \"port\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 65535, \"title\": \"port\"},"
    "       \"path\": {\"type\": \"string\", \"pattern\": \"^/\", \"default\": \"/\", \"title\": \"path\"}}}}}}")

static int32_t describe(struct memories_call *call)
{
    return host->result(call, description);
}

/* ---- Plan -------------------------------------------------------------------------------------------------------- */

/* The rules that the configuration asks for; `ports`, which people may leave out, is needed in a spec. */
static int add_rules(json_object *rules, json_object *config)
{
    json_object *security = json_member_object(json_member_object(config, "network"), "security");
    json_object *asked = json_member_array(security, "rules");
    int failed = 0;
    for (size_t i = 0; i < json_length(asked); i++) {
        json_object *rule = json_object_array_get_idx(asked, i);
        if (!json_member_array(rule, "ports"))
            failed |= json_put_array(rule, "ports") == NULL;
        failed |= json_append(rules, json_object_get(rule));
    }
    return failed;
}

/* Whoever runs memories must reach the port that converge asks. */
static int add_health_rule(json_object *rules, json_object *health)
{
    char port[16];
    snprintf(port, sizeof port, "%d", (int)json_member_int(health, "port", 0));
    json_object *rule = json_append_object(rules);
    int failed = json_put_string(rule, "name", "@NAME@-health");
    failed |= json_put_string(rule, "protocol", "tcp");
    failed |= json_append(json_put_array(rule, "ports"), json_object_new_string(port));
    failed |= json_append(json_put_array(rule, "source_ranges"), json_object_new_string("0.0.0.0/0"));
    return failed;
}

static int add_network(json_object *spec, json_object *config)
{
    json_object *asked = json_member_object(config, "network"), *health = json_member_object(config, "health");
    json_object *network = json_put_object(spec, "network");
    int failed = json_put_string(network, "name", "@NAME@");
    failed |= json_put_string(network, "cidr", json_member_string(asked, "cidr"));
    json_object *subnet = json_append_object(json_put_array(network, "subnets"));
    failed |= json_put_string(subnet, "name", "@NAME@-nodes");
    failed |= json_put_string(subnet, "cidr", NULL);
    failed |= json_put(subnet, "public", json_object_new_boolean(1));
    json_object *firewall = json_put_object(network, "firewall");
    failed |= json_put_string(firewall, "name", "@NAME@-firewall");
    json_object *rules = json_put_array(firewall, "rules");
    failed |= add_rules(rules, config);
    return failed | (health ? add_health_rule(rules, health) : 0);
}

/* What the configuration says of machines in each cloud's words; the provider knows which are its own. */
static int add_machine(json_object *node, json_object *config)
{
    static const char *const keys[] = { "instance_type", "machine_type", "vm_size", "region",
                                        "location",      "zone",         "storage" };
    json_object *machine = json_put_object(node, "machine");
    int failed = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_object *value = NULL;
        if (json_object_object_get_ex(config, keys[i], &value))
            failed |= json_put_copy(machine, keys[i], value);
    }
    return failed | json_put_copy(node, "hardware", json_member_object(config, "hardware"));
}

/* The default command does nothing for ever, so that an empty configuration works. */
static int add_service(json_object *bootstrap, json_object *config, const char *role)
{
    json_object *command = json_member_array(config, "command");
    json_object *service = json_append_object(json_put_array(bootstrap, "services"));
    int failed = json_put_string(service, "name", "@NAME@");
    if (command) {
        failed |= json_put_copy(service, "command", command);
    } else {
        json_object *nothing = json_put_array(service, "command");
        failed |= json_append(nothing, json_object_new_string("sleep"));
        failed |= json_append(nothing, json_object_new_string("infinity"));
    }
    failed |= json_put_string(json_put_object(service, "environment"), "ROLE", role);
    failed |= json_put_string(service, "restart", "always");
    return failed;
}

static int add_node(json_object *nodes, json_object *config, const char *role)
{
    json_object *node = json_append_object(nodes), *health = json_member_object(config, "health");
    int failed = json_put_string(node, "name", role);
    failed |= json_put_string(node, "role", role);
    failed |= json_put_string(node, "subnet", "@NAME@-nodes");
    failed |= json_put(node, "public_ip", json_object_new_boolean(1));
    failed |= add_machine(node, config);
    json_object *bootstrap = json_put_object(node, "bootstrap");
    failed |= add_service(bootstrap, config, role);
    if (health)
        failed |=
            json_append(json_put_array(bootstrap, "ports"), json_object_new_int64(json_member_int(health, "port", 0)));
    return failed;
}

static int32_t plan(struct memories_call *call, const char *request)
{
    json_object *document = parse(call, request, "request of plan");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *config = json_member_object(document, "config"), *spec = json_object_new_object();
    int failed = json_put_int(spec, "version", DOCUMENT_VERSION);
    failed |= json_put_string(spec, "topology", "@NAME@");
    failed |= add_network(spec, config);
    json_object *nodes = json_put_array(spec, "nodes");
    for (size_t i = 0; i < NODES; i++)
        failed |= add_node(nodes, config, roles[i]);
    failed |= json_put_int(json_put_object(spec, "rollout"), "max_unavailable", 1); /* never both at once */
    failed |= json_put_copy(spec, "monitoring", json_member_object(config, "monitoring"));
    failed |= json_put_copy(spec, "logging", json_member_object(config, "logging"));
    failed |= json_put_copy(spec, "health", json_member_object(config, "health")); /* ours: converge gets it back */
    json_object_put(document);
    return give(call, spec, failed);
}

/* ---- Looking at the nodes ---------------------------------------------------------------------------------------- */

/* One node of a request, as it is now. Strings belong to the request, or live until the slot returns. */
struct member {
    const char *name;
    const char *role;
    const char *state;
    const char *address;
    const char *problem; /* NULL: it works */
};

static const char *keep(struct memories_call *call, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = (char *)host->allocate(call, bytes);
    return copy ? (const char *)memcpy(copy, text, bytes) : NULL;
}

/* Asks the nodes that run, all at once. What can't be reached is a problem of the node, not of this call. */
static int32_t ask(struct memories_call *call, json_object *health, struct member *members, size_t count)
{
    struct memories_http_request requests[NODES];
    const struct memories_http_request *asked[NODES];
    const struct memories_http_response *responses[NODES];
    struct member *member_of[NODES];
    char urls[NODES][256];
    const char *path = json_member_string(health, "path");
    size_t asked_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (members[i].problem || !members[i].address)
            continue;
        snprintf(urls[asked_count], sizeof urls[0], "http://%s:%d%s", members[i].address,
                 (int)json_member_int(health, "port", 0), path ? path : "/");
        memset(&requests[asked_count], 0, sizeof requests[0]);
        requests[asked_count].size = sizeof requests[0];
        requests[asked_count].timeout_ms = ANSWER_TIMEOUT_MS;
        requests[asked_count].method = "GET";
        requests[asked_count].url = urls[asked_count];
        asked[asked_count] = &requests[asked_count];
        member_of[asked_count++] = &members[i];
    }
    int32_t code = asked_count ? host->http(call, asked, asked_count, responses) : MEMORIES_OK;
    for (size_t i = 0; !code && i < asked_count; i++) {
        char problem[64];
        if (responses[i]->status >= 200 && responses[i]->status < 300)
            continue;
        snprintf(problem, sizeof problem, "it answers with HTTP status %d", responses[i]->status);
        member_of[i]->problem = responses[i]->status ? keep(call, problem) : responses[i]->error;
        if (!member_of[i]->problem)
            member_of[i]->problem = "it does not answer";
    }
    return code;
}

/* Fills members[NODES] from a request of converge or status; *count says how many there are. */
static int32_t look(struct memories_call *call, json_object *document, struct member *members, size_t *count)
{
    json_object *nodes = json_member_array(document, "nodes");
    json_object *health = json_member_object(json_member_object(document, "spec"), "health");
    *count = json_length(nodes);
    if (*count > NODES)
        return fail(call, MEMORIES_INTERNAL, NULL, NULL, "@NAME@ has %d nodes, and %zu were given", NODES, *count);
    for (size_t i = 0; i < *count; i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        members[i].name = json_member_string(node, "name");
        members[i].role = json_member_string(node, "role");
        members[i].state = json_member_string(node, "state");
        members[i].address = json_member_string(json_member_object(node, "outputs"), "address");
        if (!members[i].name || !members[i].role || !members[i].state)
            return fail(call, MEMORIES_INTERNAL, NULL, NULL, "node %zu of the request is incomplete", i);
        members[i].problem = strcmp(members[i].state, "ready") ? members[i].state : NULL;
    }
    return health ? ask(call, health, members, *count) : MEMORIES_OK;
}

static int32_t converged(struct memories_call *call, const struct member *members, size_t count)
{
    json_object *document = json_object_new_object();
    int failed = json_put(document, "done", json_object_new_boolean(1));
    json_object *result = json_put_object(document, "result");
    for (size_t i = 0; i < count; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s_node", members[i].role);
        failed |= json_put_string(result, key, members[i].name);
    }
    return give(call, document, failed);
}

/* The core asks again: nothing waits in here. */
static int32_t not_yet(struct memories_call *call, const struct member *member)
{
    char message[256];
    snprintf(message, sizeof message, "waiting for %s: %s", member->name, member->problem);
    json_object *document = json_object_new_object();
    int failed = json_put(document, "done", json_object_new_boolean(0));
    failed |= json_put_string(document, "message", message);
    failed |= json_put_int(document, "poll_after_ms", 50);
    return give(call, document, failed);
}

static int32_t converge(struct memories_call *call, const char *request)
{
    json_object *document = parse(call, request, "request of converge");
    if (!document)
        return MEMORIES_INTERNAL;
    struct member members[NODES];
    size_t count, working = 0;
    int32_t code = look(call, document, members, &count);
    while (!code && working < count && !members[working].problem)
        working++;
    if (!code)
        code = working < count ? not_yet(call, &members[working]) : converged(call, members, count);
    json_object_put(document);
    return code;
}

static const char *judge(const struct member *members, size_t count)
{
    size_t working = 0, stopped = 0;
    for (size_t i = 0; i < count; i++) {
        working += members[i].problem == NULL;
        stopped += strcmp(members[i].state, "stopped") == 0;
    }
    if (count && stopped == count)
        return "stopped";
    return count && working == count ? "running" : working ? "degraded" : "unavailable";
}

static int add_member(json_object *list, const struct member *member)
{
    json_object *entry = json_append_object(list);
    int failed = json_put_string(entry, "name", member->name);
    failed |= json_put_string(entry, "role", member->role);
    failed |= json_put(entry, "healthy", json_object_new_boolean(!member->problem));
    failed |= json_put_string(entry, "address", member->address);
    failed |= json_put_string(entry, "message", member->problem);
    return failed;
}

static int32_t status(struct memories_call *call, const char *request)
{
    json_object *document = parse(call, request, "request of status");
    if (!document)
        return MEMORIES_INTERNAL;
    struct member members[NODES];
    size_t count;
    int32_t code = look(call, document, members, &count);
    if (!code) {
        json_object *result = json_object_new_object();
        int failed = json_put_string(result, "status", judge(members, count));
        json_object *list = json_put_array(result, "members");
        for (size_t i = 0; i < count; i++)
            failed |= add_member(list, &members[i]);
        code = give(call, result, failed);
    }
    json_object_put(document);
    return code;
}

/* ---- The plugin -------------------------------------------------------------------------------------------------- */

static const struct memories_topology_ops ops = {
    .size = sizeof ops,
    .reserved = 0,
    .init = init,
    .describe = describe,
    .plan = plan,
    .converge = converge,
    .status = status,
};

MEMORIES_PLUGIN(topology, @NAME@, "0.1.0", "Apache-2.0", NULL, MEMORIES_THREADS_CONCURRENT, 0, &ops, sizeof ops)
