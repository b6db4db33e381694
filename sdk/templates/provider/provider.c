/*
 * provider.c - the provider "@NAME@": what the core asks for, in the words of cloud.h
 *
 * Every slot takes a JSON document or a batch of operations and answers through the host table. What each must do is
 * told by memories-provider(3) and checked by `memories-plugin check`. This file is C11 and C++20 alike.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memories/plugin.h>

#include "cloud.h"
#include "json.h"

#define NETWORK_TYPE "@NAME@.network"
#define MACHINE_TYPE "@NAME@.machine"
#define DOCUMENT_VERSION 1 /* the newest `version` of a document that is understood here */

/* Addresses where the configuration names none: TEST-NET-1, which nobody uses (RFC 5737). */
#define DEFAULT_NETWORK "192.0.2.0/24"
#define FIRST_HOST 10

static const struct memories_host *host;

/* The core opens an instance for each deployment that it works on; nothing here outlives it but what is in the cloud.
 */
struct instance {
    char *deployment; /* NULL: opened to look at all of them */
    int64_t machine_limit;
};

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
    fail(call, MEMORIES_UNSUPPORTED, NULL, "use a newer version of the provider @NAME@",
         "the %s has version %lld, and this provider knows %d", name, (long long)version, DOCUMENT_VERSION);
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

/* ---- Once, and for each deployment ------------------------------------------------------------------------------- */

static int32_t init(const struct memories_host *given, struct memories_call *call)
{
    (void)call;
    host = given;
    return MEMORIES_OK;
}

MEMORIES_PLUGIN_DESCRIPTION(
    description,
    "{\"version\": 1,"
    " \"summary\": \"machines in the memory of this process\","
    " \"schema\": {\"properties\": {"
    "   \"machine_limit\": {\"type\": \"integer\", \"minimum\": 1, \"default\": 100,"
    "     \"title\": \"machine limit\", \"description\": \"At most so many machines may exist at one time\"}}},"
    " \"cheap_read\": true,"
    " \"resource_types\": {"
    "   \"" NETWORK_TYPE "\": {\"title\": \"network\", \"replace_on\": [\"cidr\"]},"
    "   \"" MACHINE_TYPE "\": {\"title\": \"machine\", \"is_node\": true, \"power\": true,"
    "     \"replace_on\": [\"address\", \"network\"], \"timeout_s\": 60}}}")

static int32_t describe(struct memories_call *call)
{
    return host->result(call, description);
}

static void close_instance(void *opened)
{
    struct instance *instance = (struct instance *)opened;
    free(instance->deployment);
    free(instance);
}

static int32_t open_instance(struct memories_call *call, const char *request, void **opened)
{
    json_object *document = parse(call, request, "request of open");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *deployment = json_member_string(document, "deployment");
    struct instance *instance = (struct instance *)calloc(1, sizeof *instance);
    if (instance) {
        instance->deployment = deployment ? strdup(deployment) : NULL;
        instance->machine_limit = json_member_int(json_member_object(document, "config"), "machine_limit", 100);
    }
    json_object_put(document);
    if (!instance || (deployment && !instance->deployment)) {
        free(instance);
        return fail_no_memory(call);
    }
    *opened = instance;
    return MEMORIES_OK;
}

/* ---- Prepare: what can't work is said before anything is made; addresses are picked ---------------------------------
 */

/* "10.0.0.0/16" to its first address and the number of addresses. */
static bool read_cidr(const char *cidr, uint32_t *first, uint64_t *count)
{
    char address[INET_ADDRSTRLEN];
    unsigned bits;
    struct in_addr in;
    if (sscanf(cidr, "%15[0-9.]/%2u", address, &bits) != 2 || bits > 32 || inet_pton(AF_INET, address, &in) != 1)
        return false;
    *first = ntohl(in.s_addr);
    *count = (uint64_t)1 << (32 - bits);
    return true;
}

/* What the configuration says that doesn't mean anything here is told, not passed over. */
static int add_notes(json_object *notes, json_object *node)
{
    static const char *const ignored[] = { "instance_type", "machine_type", "vm_size" };
    json_object *machine = json_member_object(node, "machine");
    int failed = 0;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        const char *value = json_member_string(machine, ignored[i]);
        char text[256];
        if (!value)
            continue;
        json_object *note = json_append_object(notes);
        snprintf(text, sizeof text, "%s is recorded; all machines of @NAME@ are alike", value);
        failed |= json_put_string(note, "where", ignored[i]);
        failed |= json_put_string(note, "text", text);
    }
    return failed;
}

static bool is_taken(json_object *chosen, const char *address)
{
    struct json_object_iterator at = json_object_iter_begin(chosen), end = json_object_iter_end(chosen);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *taken = json_member_string(json_object_iter_peek_value(&at), "address");
        if (taken && !strcmp(taken, address))
            return true;
    }
    return false;
}

/* The addresses of a network, and which one to try next. */
struct range {
    uint32_t first;
    uint64_t count;
    uint64_t next;
};

/* The next address that no node has; false when there is none left. */
static bool next_address(struct range *range, json_object *chosen, char address[INET_ADDRSTRLEN])
{
    while (range->next + 1 < range->count) { /* the last one is for broadcasts */
        struct in_addr in;
        in.s_addr = htonl(range->first + (uint32_t)range->next++);
        inet_ntop(AF_INET, &in, address, INET_ADDRSTRLEN);
        if (!is_taken(chosen, address))
            return true;
    }
    return false;
}

static int choose(json_object *chosen, const char *name, const char *address)
{
    json_object *choice = json_put_object(chosen, name);
    int failed = json_put_string(choice, "address", address);
    return failed | json_append(json_put_array(choice, "addresses"), json_object_new_string(address));
}

/* Fills `result`. Nodes that have an address already keep it. */
static int32_t choose_all(struct memories_call *call, struct range *range, json_object *document, json_object *result)
{
    json_object *nodes = json_member_array(json_member_object(document, "spec"), "nodes");
    json_object *earlier = json_member_object(document, "choices");
    json_object *choices = earlier ? json_object_get(earlier) : json_object_new_object();
    int failed = json_put(result, "choices", choices);
    json_object *notes = json_put_array(result, "notes");
    json_object *chosen = json_member_object(failed ? NULL : choices, "nodes");
    if (!chosen)
        chosen = json_put_object(failed ? NULL : choices, "nodes");
    for (size_t i = 0; chosen && !failed && i < json_length(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        const char *name = json_member_string(node, "name");
        char address[INET_ADDRSTRLEN];
        failed = add_notes(notes, node);
        if (json_member_object(chosen, name))
            continue;
        if (!next_address(range, chosen, address))
            return fail(call, MEMORIES_INVALID, "config.network.cidr", "give a larger network",
                        "the network has no address left for %s", name);
        failed |= choose(chosen, name, address);
    }
    return chosen && !failed ? MEMORIES_OK : fail_no_memory(call);
}

static int32_t answer_prepare(struct memories_call *call, const struct instance *instance, json_object *document,
                              json_object *result)
{
    json_object *spec = json_member_object(document, "spec"), *nodes = json_member_array(spec, "nodes");
    const char *cidr = json_member_string(json_member_object(spec, "network"), "cidr");
    struct range range = { 0, 0, FIRST_HOST };
    if (!read_cidr(cidr ? cidr : DEFAULT_NETWORK, &range.first, &range.count))
        return fail(call, MEMORIES_INVALID, "config.network.cidr", "give an IPv4 network, such as " DEFAULT_NETWORK,
                    "\"%s\" is not an IPv4 network", cidr);
    if (json_length(nodes) > (size_t)instance->machine_limit)
        return fail(call, MEMORIES_QUOTA, "config.machine_limit", "raise machine_limit, or ask for fewer nodes",
                    "%zu nodes are wanted and %lld machines allowed", json_length(nodes),
                    (long long)instance->machine_limit);
    return choose_all(call, &range, document, result);
}

static int32_t prepare(void *opened, struct memories_call *call, const char *request)
{
    json_object *document = parse(call, request, "request of prepare");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *result = json_object_new_object();
    int32_t code = answer_prepare(call, (const struct instance *)opened, document, result);
    json_object_put(document);
    if (!code)
        return give(call, result, 0);
    json_object_put(result);
    return code;
}

/* ---- Lower: the spec in this provider's own objects -------------------------------------------------------------- */

/* A resource's inputs, borrowed, empty; NULL when memory ran out. */
static json_object *add_resource(json_object *resources, const char *key, const char *type, const char *node)
{
    json_object *resource = json_append_object(resources);
    int failed = json_put_string(resource, "key", key);
    failed |= json_put_string(resource, "type", type);
    failed |= json_put_string(resource, "node", node);
    json_object *inputs = json_put_object(resource, "inputs");
    return failed ? NULL : inputs;
}

static int add_network(json_object *resources, json_object *network)
{
    const char *cidr = json_member_string(network, "cidr");
    json_object *inputs = add_resource(resources, "network", NETWORK_TYPE, NULL);
    int failed = json_put_string(inputs, "cidr", cidr ? cidr : DEFAULT_NETWORK);
    return failed | json_put_copy(inputs, "firewall", json_member_object(network, "firewall"));
}

/* The network's id is known once the network is there: {"$output": …} makes the core wait for it and put it in. */
static int add_machine(json_object *resources, json_object *node, json_object *chosen)
{
    char key[128];
    const char *name = json_member_string(node, "name");
    snprintf(key, sizeof key, "node/%s", name);
    json_object *inputs = add_resource(resources, key, MACHINE_TYPE, name);
    json_object *output = json_put_array(json_put_object(inputs, "network"), "$output");
    int failed = json_append(output, json_object_new_string("network"));
    failed |= json_append(output, json_object_new_string("id"));
    failed |= json_put_string(inputs, "address", json_member_string(json_member_object(chosen, name), "address"));
    failed |= json_put_copy(inputs, "hardware", json_member_object(node, "hardware"));
    failed |= json_put_copy(inputs, "bootstrap", json_member_object(node, "bootstrap"));
    return failed;
}

static int32_t lower(void *opened, struct memories_call *call, const char *request)
{
    (void)opened;
    json_object *document = parse(call, request, "request of lower");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *spec = json_member_object(document, "spec"), *nodes = json_member_array(spec, "nodes");
    json_object *chosen = json_member_object(json_member_object(document, "choices"), "nodes");
    json_object *result = json_object_new_object();
    int failed = json_put_int(result, "version", DOCUMENT_VERSION);
    json_object *resources = json_put_array(result, "resources");
    failed |= add_network(resources, json_member_object(spec, "network"));
    for (size_t i = 0; !failed && i < json_length(nodes); i++)
        failed = add_machine(resources, json_object_array_get_idx(nodes, i), chosen);
    json_object_put(document);
    return give(call, result, failed);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

/* One operation of a batch. */
struct work {
    const struct instance *instance;
    struct memories_call *call;
    const struct memories_operation *operation;
    size_t index;
};

static int32_t fail_operation(const struct work *work, int32_t code, const char *hint, const char *message)
{
    struct memories_error_detail detail;
    memset(&detail, 0, sizeof detail);
    detail.size = sizeof detail;
    detail.code = code;
    detail.message = message;
    detail.where = work->operation->key;
    detail.hint = hint;
    return host->operation_failed(work->call, work->index, &detail);
}

/* Outputs are what others need to know of an object, and what this provider needs to find it again. */
static json_object *outputs_of(const struct cloud_object *object)
{
    json_object *outputs = json_object_new_object();
    int failed = json_put_string(outputs, "id", object->id);
    if (object->address) {
        failed |= json_put_string(outputs, "instance_id", object->id);
        failed |= json_put_string(outputs, "address", object->address);
        failed |= json_put_string(outputs, "private_address", object->address);
        failed |= json_put_string(outputs, "public_ip", NULL);
        failed |= json_put_string(outputs, "zone", NULL);
        failed |= json_put_string(outputs, "machine_type", "memory");
    }
    if (!failed)
        return outputs;
    json_object_put(outputs);
    return NULL;
}

static uint32_t state_of(const struct cloud_object *object, int64_t now_ms)
{
    if (!object->address)
        return MEMORIES_STATE_READY;
    if (!object->on)
        return MEMORIES_STATE_STOPPED;
    return now_ms < object->ready_ms ? MEMORIES_STATE_PENDING : MEMORIES_STATE_READY;
}

/* The answer for one operation: what is there now. A machine that starts is pending; nobody waits here. */
static int32_t answer(const struct work *work, const struct cloud_object *object)
{
    if (!object)
        return host->operation_result(work->call, work->index, MEMORIES_STATE_ABSENT, NULL, 0);
    uint32_t state = state_of(object, host->monotonic_ms(work->call));
    json_object *outputs = outputs_of(object);
    if (!outputs)
        return fail_operation(work, MEMORIES_NO_MEMORY, NULL, "out of memory");
    int32_t code = host->operation_result(work->call, work->index, state,
                                          json_object_to_json_string_ext(outputs, JSON_C_TO_STRING_PLAIN),
                                          state == MEMORIES_STATE_PENDING ? CLOUD_BOOT_MS : 0);
    json_object_put(outputs);
    return code;
}

/* By the recorded id; where nothing is recorded (the answer to create may have been lost), by token, then by key. */
static struct cloud_object *find(const struct work *work)
{
    const struct memories_operation *operation = work->operation;
    json_object *outputs = operation->outputs ? json_tokener_parse(operation->outputs) : NULL;
    const char *id = json_member_string(outputs, "id");
    struct cloud_object *object = id ? cloud_find_id(id) : NULL;
    if (!id && operation->token)
        object = cloud_find_token(work->instance->deployment, operation->token);
    if (!id && !object)
        object = cloud_find_key(work->instance->deployment, operation->key);
    json_object_put(outputs);
    return object;
}

static struct cloud_object *order_object(const struct work *work, const char *address)
{
    const struct memories_operation *operation = work->operation;
    struct cloud_order order;
    memset(&order, 0, sizeof order);
    order.deployment = work->instance->deployment;
    order.key = operation->key;
    order.type = operation->type;
    order.token = operation->token;
    order.address = address;
    order.on = operation->power_on != 0;
    order.now_ms = host->monotonic_ms(work->call);
    return cloud_create(&order);
}

static int32_t create_network(const struct work *work)
{
    struct cloud_object *network = order_object(work, NULL);
    return network ? answer(work, network) : fail_operation(work, MEMORIES_NO_MEMORY, NULL, "out of memory");
}

/* The same token again gives the same machine, which the limit must not refuse. */
static int32_t create_machine(const struct work *work)
{
    bool known = cloud_find_token(work->instance->deployment, work->operation->token) != NULL;
    if (!known && cloud_count(MACHINE_TYPE) >= work->instance->machine_limit)
        return fail_operation(work, MEMORIES_QUOTA, "delete a deployment, or raise machine_limit",
                              "no more machines are allowed");
    json_object *inputs = json_tokener_parse(work->operation->inputs);
    const char *address = json_member_string(inputs, "address");
    struct cloud_object *machine = address ? order_object(work, address) : NULL;
    bool no_memory = address && !machine;
    json_object_put(inputs);
    if (no_memory)
        return fail_operation(work, MEMORIES_NO_MEMORY, NULL, "out of memory");
    if (!machine)
        return fail_operation(work, MEMORIES_INVALID, NULL, "a machine needs the input address");
    host->progress(work->call, work->index, "starting");
    return answer(work, machine);
}

static int32_t create_one(const struct work *work)
{
    const struct memories_operation *operation = work->operation;
    if (strcmp(operation->type, MACHINE_TYPE) == 0)
        return create_machine(work);
    if (strcmp(operation->type, NETWORK_TYPE) == 0)
        return create_network(work);
    return fail_operation(work, MEMORIES_UNSUPPORTED, NULL, "@NAME@ has no resources of this type");
}

static int32_t read_one(const struct work *work)
{
    return answer(work, find(work));
}

/* Nothing of a machine in memory depends on inputs that can change. */
static int32_t update_one(const struct work *work)
{
    struct cloud_object *object = find(work);
    if (object)
        cloud_note(object, "updated");
    return answer(work, object);
}

/* What is gone already is as good as deleted now. */
static int32_t destroy_one(const struct work *work)
{
    struct cloud_object *object = find(work);
    if (object)
        cloud_delete(object);
    return answer(work, NULL);
}

static int32_t power_one(const struct work *work)
{
    struct cloud_object *object = find(work);
    if (object && !object->address)
        return fail_operation(work, MEMORIES_UNSUPPORTED, NULL, "a network can't be switched on or off");
    if (object)
        cloud_switch(object, work->operation->power_on != 0, host->monotonic_ms(work->call));
    return answer(work, object);
}

typedef int32_t one_fn(const struct work *work);

/* Each operation is answered for, whatever became of the others. A service that takes many in one request gets one. */
static int32_t each(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                    size_t count, one_fn *one)
{
    const struct instance *instance = (const struct instance *)opened;
    if (!instance->deployment)
        return fail(call, MEMORIES_INTERNAL, NULL, NULL, "this instance of @NAME@ was opened without a deployment");
    for (size_t i = 0; i < count; i++) {
        if (host->cancelled(call))
            return fail(call, MEMORIES_CANCELLED, NULL, NULL, "stopped on request");
        struct work work = { instance, call, operations[i], i };
        int32_t code = one(&work);
        if (code)
            return code;
    }
    return MEMORIES_OK;
}

static int32_t create(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    return each(opened, call, operations, count, create_one);
}

static int32_t read_batch(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                          size_t count)
{
    return each(opened, call, operations, count, read_one);
}

static int32_t update(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    return each(opened, call, operations, count, update_one);
}

static int32_t destroy(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                       size_t count)
{
    return each(opened, call, operations, count, destroy_one);
}

static int32_t power(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                     size_t count)
{
    return each(opened, call, operations, count, power_one);
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

static int add_discovered(json_object *resources, const struct cloud_object *object, int64_t now_ms)
{
    static const char *const states[] = { "absent", "pending", "ready", "stopped", "broken" };
    json_object *resource = json_append_object(resources);
    int failed = json_put_string(resource, "deployment", object->deployment);
    failed |= json_put_string(resource, "key", object->key);
    failed |= json_put_string(resource, "type", object->type);
    failed |= json_put_string(resource, "state", states[state_of(object, now_ms)]);
    failed |= json_put(resource, "outputs", outputs_of(object));
    return failed;
}

static int32_t discover(void *opened, struct memories_call *call, const char *request)
{
    (void)opened;
    json_object *document = parse(call, request, "request of discover");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *deployment = json_member_string(document, "deployment");
    json_object *result = json_object_new_object(), *resources = json_put_array(result, "resources");
    int64_t now_ms = host->monotonic_ms(call);
    int failed = !resources;
    for (const struct cloud_object *object = cloud_all(); !failed && object; object = object->next)
        if (!deployment || !strcmp(deployment, object->deployment))
            failed = add_discovered(resources, object, now_ms);
    json_object_put(document);
    return give(call, result, failed);
}

/* The machine behind a resource of a request; NULL for a network, or when it is gone. */
static const struct cloud_object *machine_of(json_object *resource)
{
    const char *id = json_member_string(json_member_object(resource, "outputs"), "id");
    const struct cloud_object *object = id ? cloud_find_id(id) : NULL;
    return object && object->address ? object : NULL;
}

/* These machines do nothing: they use the memory of their record, and none of the rest. A period has a point when the
 * machine was there at its beginning. */
static int add_points(json_object *points, const char *metric, int64_t since_ms, json_object *document, int64_t now_ms)
{
    int64_t start_ms = json_member_int(document, "start_ms", 0), end_ms = json_member_int(document, "end_ms", 0);
    int64_t period_ms = 1000 * json_member_int(document, "period_s", 300);
    double value = strcmp(metric, "memory_usage") ? 0.0 : (double)sizeof(struct cloud_object) / 1e9;
    int failed = 0;
    if (since_ms > start_ms)
        start_ms += (since_ms - start_ms + period_ms - 1) / period_ms * period_ms;
    for (int64_t at_ms = start_ms; !failed && at_ms < end_ms && at_ms <= now_ms; at_ms += period_ms) {
        json_object *point = json_append_object(points);
        failed = json_put_int(point, "timestamp_ms", at_ms);
        failed |= json_put(point, "value", json_object_new_double(value));
    }
    return failed;
}

static int add_metric(struct memories_call *call, json_object *list, const char *metric, json_object *document)
{
    json_object *resources = json_member_array(document, "resources");
    int64_t now_ms = host->now_ms(call), age_ms;
    int failed = 0;
    for (size_t i = 0; !failed && i < json_length(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const struct cloud_object *machine = machine_of(resource);
        if (!machine)
            continue;
        age_ms = host->monotonic_ms(call) - machine->created_ms;
        json_object *series = json_append_object(list);
        failed = json_put_string(series, "node", json_member_string(resource, "node"));
        failed |= add_points(json_put_array(series, "points"), metric, now_ms - age_ms, document, now_ms);
    }
    return failed;
}

static int32_t metrics(void *opened, struct memories_call *call, const char *request)
{
    (void)opened;
    json_object *document = parse(call, request, "request of metrics");
    if (!document)
        return MEMORIES_INTERNAL;
    if (json_member_int(document, "period_s", 300) <= 0) {
        json_object_put(document);
        return fail(call, MEMORIES_INVALID, "period_s", "ask for a period of one second or more", "a point takes no time");
    }
    json_object *names = json_member_array(document, "metrics"), *result = json_object_new_object();
    json_object *metrics_found = json_put_object(result, "metrics");
    int failed = !metrics_found;
    for (size_t i = 0; !failed && i < json_length(names); i++) {
        const char *metric = json_object_get_string(json_object_array_get_idx(names, i));
        failed = add_metric(call, json_put_array(metrics_found, metric), metric, document);
    }
    json_object_put(document);
    return give(call, result, failed);
}

/* Sends the last `lines` lines (0: all) of one machine. Non-zero: nobody listens any more. */
static int32_t send_log(struct memories_call *call, const char *node, const struct cloud_object *machine, int64_t lines)
{
    uint32_t kept = machine->log_count < CLOUD_LOG_LINES ? machine->log_count : CLOUD_LOG_LINES;
    uint32_t wanted = lines > 0 && lines < kept ? (uint32_t)lines : kept;
    for (uint32_t i = machine->log_count - wanted; i != machine->log_count; i++) {
        char line[128];
        int length = snprintf(line, sizeof line, "%s\n", machine->log[i % CLOUD_LOG_LINES]);
        if (host->stream(call, node, line, (size_t)length))
            return 1;
    }
    return 0;
}

/* "follow" ends with what is there now: these machines never log while a call runs. */
static int32_t logs(void *opened, struct memories_call *call, const char *request)
{
    (void)opened;
    json_object *document = parse(call, request, "request of logs");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *wanted = json_member_string(document, "node");
    json_object *resources = json_member_array(document, "resources");
    for (size_t i = 0; i < json_length(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *node = json_member_string(resource, "node");
        const struct cloud_object *machine = machine_of(resource);
        if (machine && node && (!wanted || !strcmp(wanted, node)) &&
            send_log(call, node, machine, json_member_int(document, "lines", 0)))
            break;
    }
    json_object_put(document);
    return MEMORIES_OK;
}

/* ---- The plugin -------------------------------------------------------------------------------------------------- */

static const struct memories_provider_ops ops = {
    .size = sizeof ops,
    .reserved = 0,
    .init = init,
    .describe = describe,
    .open = open_instance,
    .close = close_instance,
    .prepare = prepare,
    .lower = lower,
    .create = create,
    .read = read_batch,
    .update = update,
    .destroy = destroy,
    .power = power,
    .discover = discover,
    .metrics = metrics,
    .logs = logs,
};

MEMORIES_PLUGIN(provider, @NAME@, "0.1.0", "Apache-2.0", NULL, MEMORIES_THREADS_SERIALISED, 0, &ops, sizeof ops)
