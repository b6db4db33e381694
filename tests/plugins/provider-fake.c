/*
 * provider-fake.c - a provider for tests: a cloud that is one JSON file for each deployment
 *
 * It keeps its objects in <state_dir>/fake/<deployment>.json, replaced whole at each change, so that they outlive a
 * killed process as a cloud's objects do. Like a cloud it makes a new object for each new token, whatever else exists
 * under that key: a core that lost track makes doubles, which discover shows. Config `fake` makes it misbehave:
 *
 *     fake:
 *       delay_ms: 20          each batch takes so long
 *       pending_reads: 2      a new object is pending for so many reads
 *       load: {node1: 80}     what is measured of these nodes: nothing of the others
 *       load_at_ms: 1772000000000   and when; at the beginning of what is asked for when not given
 *       fail:                 the nth time (from 1) that this process does `operation` on `key`, it fails with `code`;
 *         - {operation: create, key: node/node2, nth: 1, code: throttled, after: true}
 *                             after: the work is done, and then the answer is lost
 *
 * MEMORIES_FAKE_CRASH="create node/node2" makes it crash before it does that; "create node/node2 after" when it is done, and
 * before it has said so.
 *
 * Any number of deployments and threads may use it at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"

#define POLL_AFTER_MS 2
#define POINTS_MAX 100000

static const char description[] =
    "{\"version\": 1, \"summary\": \"a cloud in a file, for tests\", \"cheap_read\": true,"
    " \"schema\": {\"properties\": {\"fake\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "   \"delay_ms\": {\"type\": \"integer\", \"minimum\": 0},"
    "   \"pending_reads\": {\"type\": \"integer\", \"minimum\": 0},"
    "   \"load\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"number\"}},"
    "   \"load_at_ms\": {\"type\": \"integer\", \"minimum\": 0},"
    "   \"fail\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\": false,"
    "     \"required\": [\"operation\", \"key\", \"code\"], \"properties\": {"
    "       \"operation\": {\"enum\": [\"create\", \"read\", \"update\", \"destroy\", \"power\"]},"
    "       \"key\": {\"type\": \"string\"}, \"nth\": {\"type\": \"integer\", \"minimum\": 1},"
    "       \"code\": {\"enum\": [\"failed\", \"denied\", \"quota\", \"capacity\", \"throttled\", \"transient\","
    "                             \"timeout\", \"conflict\"]},"
    "       \"after\": {\"type\": \"boolean\"}}}}}}}},"
    " \"resource_types\": {"
    "   \"fake.network\": {\"title\": \"network\", \"timeout_s\": 10},"
    "   \"fake.node\": {\"title\": \"node\", \"is_node\": true, \"power\": true, \"timeout_s\": 10,"
    "                   \"replace_on\": [\"address\", \"machine\"]}}}";

struct instance {
    char *directory;     /* <state_dir>/fake */
    char *deployment;    /* NULL: an instance for discover only */
    json_object *knobs;  /* config.fake, or NULL */
    json_object *counts; /* "create node/node1": how often; guarded by the directory's lock */
};

/* Keeps other threads and processes out of the files until it is closed, or its process killed. -1: errno says why. */
static int lock_directory(const struct instance *instance)
{
    int fd = open(instance->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX)) {
        if (errno == EINTR)
            continue;
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

/* {"next": 3, "objects": {"fake-1": {"key", "type", "token", "state", "inputs", "outputs", "pending_reads"}}} */
struct cloud {
    json_object *document;
    json_object *objects;  /* in document */
    json_object *by_token; /* token: id */
    json_object *by_key;   /* key: id of the newest */
};

static void cloud_clear(struct cloud *cloud)
{
    json_object_put(cloud->document);
    json_object_put(cloud->by_token);
    json_object_put(cloud->by_key);
}
#define AUTO_CLOUD __attribute__((cleanup(cloud_clear)))

static int index_object(struct cloud *cloud, const char *id, json_object *object)
{
    return json_set_string(cloud->by_token, json_get_string(object, "token"), id) ||
           json_set_string(cloud->by_key, json_get_string(object, "key"), id);
}

static int cloud_load(struct cloud *cloud, const char *path)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return MEMORIES_FAILED;
    *cloud = (struct cloud){ fd < 0 ? NULL : json_object_from_fd(fd), NULL, json_object_new_object(),
                             json_object_new_object() };
    if (fd >= 0 && !cloud->document)
        return MEMORIES_FAILED;
    if (!cloud->document) {
        cloud->document = json_object_new_object();
        if (json_set_int(cloud->document, "next", 1) || !json_set_new_object(cloud->document, "objects"))
            return MEMORIES_NO_MEMORY;
    }
    cloud->objects = json_get_object(cloud->document, "objects");
    if (!cloud->objects)
        return MEMORIES_FAILED;
    json_object_object_foreach(cloud->objects, id, object) {
        if (index_object(cloud, id, object))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

/* Whole or not at all; an empty cloud leaves no file. */
static int cloud_save(const struct cloud *cloud, const char *path)
{
    char temporary[4096];
    if (json_object_object_length(cloud->objects) == 0)
        return unlink(path) && errno != ENOENT ? MEMORIES_FAILED : 0;
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary)
        return MEMORIES_FAILED;
    AUTO_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 || json_object_to_fd(fd, cloud->document, JSON_C_TO_STRING_PLAIN) || rename(temporary, path)
               ? MEMORIES_FAILED
               : 0;
}

static json_object *cloud_object(const struct cloud *cloud, const char *id)
{
    return id ? json_get_object(cloud->objects, id) : NULL;
}

static char *cloud_path(const struct instance *instance, struct memories_call *call)
{
    return plugin_format(call, "%s/%s.json", instance->directory, instance->deployment);
}

/* ---- Objects ----------------------------------------------------------------------------------------------------- */

/* One operation in work: what is known of it, and the object it is about. */
struct work {
    struct cloud *cloud;
    struct memories_call *call;
    const struct instance *instance;
    const struct memories_operation *operation;
    size_t index;
    json_object *inputs;
    json_object *outputs;
    json_object *object; /* borrowed from the cloud; NULL: there is none */
    bool mute;           /* nobody will hear the answer */
};

/* By the recorded id; without one by token, then by key. */
static json_object *find_object(const struct work *work)
{
    const char *id = json_get_string(work->outputs, "id");
    if (!id)
        id = json_get_string(work->cloud->by_token, work->operation->token ? work->operation->token : "");
    if (!id && !work->outputs)
        id = json_get_string(work->cloud->by_key, work->operation->key);
    return cloud_object(work->cloud, id);
}

static uint32_t state_of(json_object *object)
{
    return object ? (uint32_t)json_get_int(object, "state", MEMORIES_STATE_BROKEN) : MEMORIES_STATE_ABSENT;
}

static int32_t answer(const struct work *work, json_object *object)
{
    uint32_t state = state_of(object);
    if (work->mute)
        return 0;
    return plugin_operation_result(work->call, work->index, state, json_ref(json_get_object(object, "outputs")),
                                   state == MEMORIES_STATE_PENDING ? POLL_AFTER_MS : 0);
}

static int set_node_outputs(json_object *outputs, json_object *inputs, const char *id)
{
    const char *address = json_get_string(inputs, "address");
    return json_set_string(outputs, "instance_id", id) || json_set_string(outputs, "address", address) ||
           json_set_string(outputs, "private_address", address) || json_set_string(outputs, "public_ip", NULL) ||
           json_set_string(outputs, "zone", "fake-a") || json_set_string(outputs, "machine_type", "fake-1");
}

static uint32_t wanted_state(const struct memories_operation *operation)
{
    bool is_node = !strcmp(operation->type, "fake.node");
    return is_node && !operation->power_on ? MEMORIES_STATE_STOPPED : MEMORIES_STATE_READY;
}

static json_object *new_object(const struct work *work, const char *id)
{
    const struct memories_operation *operation = work->operation;
    int64_t pending = json_get_int(work->instance->knobs, "pending_reads", 0);
    AUTO_JSON json_object *object = json_object_new_object();
    json_object *outputs = json_set_new_object(object, "outputs");
    if (!outputs || json_set_string(object, "key", operation->key) || json_set_string(object, "type", operation->type) ||
        json_set_string(object, "token", operation->token) || json_set_int(object, "pending_reads", pending) ||
        json_set_int(object, "wanted", wanted_state(operation)) ||
        json_set_int(object, "state", pending ? MEMORIES_STATE_PENDING : wanted_state(operation)) ||
        json_set(object, "inputs", json_ref(work->inputs)) || json_set_string(outputs, "id", id))
        return NULL;
    if (!strcmp(operation->type, "fake.node") && set_node_outputs(outputs, work->inputs, id))
        return NULL;
    return STEAL(object);
}

static int32_t create_one(struct work *work)
{
    json_object *known = cloud_object(work->cloud, json_get_string(work->cloud->by_token, work->operation->token));
    if (known)
        return answer(work, known);
    int64_t next = json_get_int(work->cloud->document, "next", 1);
    const char *id = plugin_format(work->call, "fake-%lld", (long long)next);
    json_object *object = id ? new_object(work, id) : NULL;
    if (!object || json_set(work->cloud->objects, id, object) || index_object(work->cloud, id, object) ||
        json_set_int(work->cloud->document, "next", next + 1))
        return plugin_no_memory(work->call);
    return answer(work, object);
}

static int32_t read_one(struct work *work)
{
    int64_t pending = json_get_int(work->object, "pending_reads", 0);
    if (pending > 0) {
        int failed = json_set_int(work->object, "pending_reads", pending - 1);
        if (pending == 1)
            failed |= json_set_int(work->object, "state", json_get_int(work->object, "wanted", MEMORIES_STATE_READY));
        if (failed)
            return plugin_no_memory(work->call);
    }
    return answer(work, work->object);
}

static int32_t update_one(struct work *work)
{
    if (work->object && json_set(work->object, "inputs", json_ref(work->inputs)))
        return plugin_no_memory(work->call);
    return answer(work, work->object);
}

static int32_t destroy_one(struct work *work)
{
    const char *id = json_get_string(json_get_object(work->object, "outputs"), "id");
    if (id)
        json_object_object_del(work->cloud->objects, id);
    return answer(work, NULL);
}

static int32_t power_one(struct work *work)
{
    uint32_t state = work->operation->power_on ? MEMORIES_STATE_READY : MEMORIES_STATE_STOPPED;
    if (work->object && (json_set_int(work->object, "state", state) || json_set_int(work->object, "wanted", state)))
        return plugin_no_memory(work->call);
    return answer(work, work->object);
}

/* ---- Misbehaviour ------------------------------------------------------------------------------------------------ */

static int32_t code_of(const char *name)
{
    static const struct {
        const char *name;
        int32_t code;
    } codes[] = { { "denied", MEMORIES_DENIED },       { "quota", MEMORIES_QUOTA },
                  { "capacity", MEMORIES_CAPACITY },   { "throttled", MEMORIES_THROTTLED },
                  { "transient", MEMORIES_TRANSIENT }, { "timeout", MEMORIES_TIMEOUT },
                  { "conflict", MEMORIES_CONFLICT } };
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++)
        if (!strcmp(codes[i].name, name))
            return codes[i].code;
    return MEMORIES_FAILED;
}

/* Counts this operation, and gives the knob that wants it to fail, or NULL. */
static json_object *failure_wanted(struct instance *instance, const char *name, const char *key)
{
    json_object *knobs = json_get_array(instance->knobs, "fail");
    char count_key[512];
    if (!json_count(knobs))
        return NULL;
    snprintf(count_key, sizeof count_key, "%s %s", name, key);
    int64_t count = json_get_int(instance->counts, count_key, 0) + 1;
    json_set_int(instance->counts, count_key, count);
    for (size_t i = 0; i < json_count(knobs); i++) {
        json_object *knob = json_at(knobs, i);
        if (!strcmp(json_get_string(knob, "operation"), name) && !strcmp(json_get_string(knob, "key"), key) &&
            json_get_int(knob, "nth", 1) == count)
            return knob;
    }
    return NULL;
}

static int32_t fail_operation(const struct work *work, json_object *knob)
{
    const char *code = json_get_string(knob, "code");
    return plugin_operation_fail(work->call, work->index, code_of(code), work->operation->key,
                                 "take it out of config.fake.fail", "the fake provider was told to fail (%s)", code);
}

/* "before" or "after", when this operation is to crash; NULL otherwise. */
static const char *crash_wanted(const char *name, const char *key)
{
    const char *wish = getenv("MEMORIES_FAKE_CRASH");
    char here[512];
    int length = snprintf(here, sizeof here, "%s %s", name, key);
    if (!wish || strncmp(wish, here, (size_t)length))
        return NULL;
    return !strcmp(wish + length, " after") ? "after" : !wish[length] ? "before" : NULL;
}

/* The batch's delay, in steps short enough to notice that the caller wants to stop. */
static int32_t wait_delay(const struct instance *instance, struct memories_call *call)
{
    int64_t end = plugin_host->monotonic_ms(call) + json_get_int(instance->knobs, "delay_ms", 0);
    while (plugin_host->monotonic_ms(call) < end) {
        if (plugin_host->cancelled(call))
            return plugin_fail(call, MEMORIES_CANCELLED, NULL, NULL, "stopped while waiting for the fake provider");
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    return 0;
}

/* ---- Slots: batches ---------------------------------------------------------------------------------------------- */

typedef int32_t one_fn(struct work *work);

static int32_t run_one(struct instance *instance, struct work *work, const char *name, one_fn *one)
{
    const struct memories_operation *operation = work->operation;
    AUTO_JSON json_object *inputs =
        operation->inputs ? plugin_parse(work->call, operation->inputs, "inputs of an operation") : NULL;
    AUTO_JSON json_object *outputs =
        operation->outputs ? plugin_parse(work->call, operation->outputs, "outputs of an operation") : NULL;
    if ((operation->inputs && !inputs) || (operation->outputs && !outputs))
        return MEMORIES_INTERNAL;
    work->inputs = inputs;
    work->outputs = outputs;
    work->object = find_object(work);
    json_object *knob = failure_wanted(instance, name, operation->key);
    if (knob && !json_get_bool(knob, "after", false))
        return fail_operation(work, knob);
    plugin_host->progress(work->call, work->index, name);
    const char *crash = crash_wanted(name, operation->key);
    if (crash && !strcmp(crash, "before"))
        abort();
    work->mute = crash;
    int32_t code = one(work);
    return !code && knob ? fail_operation(work, knob) : code;
}

static int32_t run_locked(struct instance *instance, struct memories_call *call, const char *name, one_fn *one,
                          const struct memories_operation *const *operations, size_t count)
{
    AUTO_CLOUD struct cloud cloud = { NULL, NULL, NULL, NULL };
    const char *path = cloud_path(instance, call);
    if (!path)
        return plugin_no_memory(call);
    if (cloud_load(&cloud, path))
        return plugin_fail(call, MEMORIES_FAILED, path, "remove it", "the fake provider's file is damaged");
    for (size_t i = 0; i < count; i++) {
        struct work work = {
            .cloud = &cloud, .call = call, .instance = instance, .operation = operations[i], .index = i
        };
        int32_t code = run_one(instance, &work, name, one);
        if (code)
            return code;
    }
    int failed = cloud_save(&cloud, path), number = errno;
    for (size_t i = 0; i < count; i++)
        if (crash_wanted(name, operations[i]->key))
            abort();
    /* What was answered above is not so: the last answer for an operation counts. */
    for (size_t i = 0; failed && i < count; i++)
        plugin_operation_fail_errno(call, i, number, path, NULL, "can't write the fake provider's file");
    return 0;
}

static int32_t run_batch(struct instance *instance, struct memories_call *call, const char *name, one_fn *one,
                         const struct memories_operation *const *operations, size_t count)
{
    int32_t code = wait_delay(instance, call);
    if (code)
        return code;
    AUTO_FD int lock = lock_directory(instance);
    if (lock < 0)
        return plugin_fail_errno(call, errno, instance->directory, NULL, "can't lock the fake provider's directory");
    return run_locked(instance, call, name, one, operations, count);
}

#define DEFINE_BATCH(name)                                                                                     \
    static int32_t fake_##name(void *instance, struct memories_call *call,                                     \
                               const struct memories_operation *const *operations, size_t count)               \
    {                                                                                                          \
        return run_batch(instance, call, #name, name##_one, operations, count);                                \
    }
DEFINE_BATCH(create)
DEFINE_BATCH(read)
DEFINE_BATCH(update)
DEFINE_BATCH(destroy)
DEFINE_BATCH(power)

/* ---- Slots: documents -------------------------------------------------------------------------------------------- */

static int32_t fake_describe(struct memories_call *call)
{
    return plugin_host->result(call, description);
}

static void fake_close(void *opened)
{
    struct instance *instance = opened;
    free(instance->directory);
    free(instance->deployment);
    json_object_put(instance->knobs);
    json_object_put(instance->counts);
    free(instance);
}

static int32_t fake_open(struct memories_call *call, const char *request, void **opened)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of open");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *deployment = json_get_string(document, "deployment");
    struct instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return plugin_no_memory(call);
    instance->knobs = json_ref(json_get_object(json_get_object(document, "config"), "fake"));
    instance->counts = json_object_new_object();
    instance->deployment = deployment ? strdup(deployment) : NULL;
    if (asprintf(&instance->directory, "%s/fake", json_get_string(document, "state_dir")) < 0)
        instance->directory = NULL;
    if (!instance->directory || !instance->counts || (deployment && !instance->deployment)) {
        fake_close(instance);
        return plugin_no_memory(call);
    }
    if (mkdir(instance->directory, 0700) && errno != EEXIST) {
        int32_t code = plugin_fail_errno(call, errno, instance->directory, NULL, "can't make the fake provider's directory");
        fake_close(instance);
        return code;
    }
    *opened = instance;
    return 0;
}

/* The nth node's address out of 10.99.0.0/16. */
static int add_address(struct memories_call *call, json_object *nodes, const char *name, size_t n)
{
    json_object *node = json_set_new_object(nodes, name);
    json_object *addresses = json_set_new_array(node, "addresses");
    const char *address = plugin_format(call, "10.99.%zu.%zu", (n + 1) / 256, (n + 1) % 256);
    return !address || !addresses || json_set_string(node, "address", address) || json_add_string(addresses, address);
}

/* A node keeps the address it was given before; new ones take those that are free. */
static int choose_addresses(struct memories_call *call, json_object *spec_nodes, json_object *earlier,
                            json_object *chosen)
{
    size_t next = (size_t)json_get_int(earlier, "next", 0);
    json_object *before = json_get_object(earlier, "nodes");
    json_object *nodes = json_set_new_object(chosen, "nodes");
    for (size_t i = 0; i < json_count(spec_nodes); i++) {
        const char *name = json_get_string(json_at(spec_nodes, i), "name");
        json_object *known = json_get_object(before, name);
        if (known ? json_set(nodes, name, json_ref(known)) : add_address(call, nodes, name, next++))
            return MEMORIES_NO_MEMORY;
    }
    return json_set_int(chosen, "next", (int64_t)next);
}

static int32_t fake_prepare(void *instance, struct memories_call *call, const char *request)
{
    (void)instance;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of prepare");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *choices = json_set_new_object(result, "choices");
    if (choose_addresses(call, json_get_array(json_get_object(document, "spec"), "nodes"),
                         json_get_object(document, "choices"), choices) ||
        !json_set_new_array(result, "notes"))
        return plugin_no_memory(call);
    return plugin_result(call, STEAL(result));
}

static json_object *add_resource(json_object *resources, const char *key, const char *type)
{
    json_object *resource = json_add_new_object(resources);
    json_object *inputs = json_set_new_object(resource, "inputs");
    return json_set_string(resource, "key", key) || json_set_string(resource, "type", type) ||
                   !json_set_new_array(resource, "depends_on")
               ? NULL
               : inputs;
}

static int add_node(struct memories_call *call, json_object *resources, json_object *node, json_object *choices)
{
    const char *name = json_get_string(node, "name");
    const char *key = plugin_format(call, "node/%s", name);
    json_object *inputs = key ? add_resource(resources, key, "fake.node") : NULL;
    json_object *resource = json_at(resources, json_count(resources) - 1);
    json_object *reference = json_set_new_object(inputs, "network");
    json_object *parts = json_set_new_array(reference, "$output");
    json_object *choice = json_get_object(json_get_object(choices, "nodes"), name);
    return !inputs || json_add_string(parts, "network") || json_add_string(parts, "id") ||
           json_set_string(resource, "node", name) ||
           json_set_string(inputs, "address", json_get_string(choice, "address")) ||
           json_set(inputs, "machine", json_ref(json_get(node, "machine"))) ||
           json_set(inputs, "bootstrap", json_ref(json_get(node, "bootstrap")));
}

static int32_t fake_lower(void *instance, struct memories_call *call, const char *request)
{
    (void)instance;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of lower");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *spec = json_get_object(document, "spec");
    json_object *nodes = json_get_array(spec, "nodes");
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *resources = json_set_new_array(result, "resources");
    json_object *network = add_resource(resources, "network", "fake.network");
    const char *cidr = json_get_string(json_get_object(spec, "network"), "cidr");
    int failed = json_set_int(result, "version", 1) || json_set_string(network, "cidr", cidr);
    for (size_t i = 0; !failed && i < json_count(nodes); i++)
        failed = add_node(call, resources, json_at(nodes, i), json_get_object(document, "choices"));
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}

static const char *state_name(uint32_t state)
{
    static const char *const names[] = { "absent", "pending", "ready", "stopped", "broken" };
    return state < ARRAY_COUNT(names) ? names[state] : "broken";
}

static int discover_file(const struct instance *instance, struct memories_call *call, const char *deployment,
                         json_object *resources)
{
    AUTO_CLOUD struct cloud cloud = { NULL, NULL, NULL, NULL };
    const char *path = plugin_format(call, "%s/%s.json", instance->directory, deployment);
    if (!path)
        return MEMORIES_NO_MEMORY;
    if (cloud_load(&cloud, path))
        return MEMORIES_FAILED;
    json_object_object_foreach(cloud.objects, id, object) {
        (void)id;
        json_object *resource = json_add_new_object(resources);
        if (json_set_string(resource, "deployment", deployment) ||
            json_set_string(resource, "key", json_get_string(object, "key")) ||
            json_set_string(resource, "type", json_get_string(object, "type")) ||
            json_set_string(resource, "state", state_name(state_of(object))) ||
            json_set(resource, "outputs", json_ref(json_get(object, "outputs"))))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

static int discover_all(const struct instance *instance, struct memories_call *call, json_object *resources)
{
    DIR *files = opendir(instance->directory);
    int failed = !files;
    for (struct dirent *file; !failed && (file = readdir(files));) {
        char *name = plugin_format(call, "%s", file->d_name);
        char *dot = name ? strrchr(name, '.') : NULL;
        if (!name)
            failed = MEMORIES_NO_MEMORY;
        if (!dot || strcmp(dot, ".json"))
            continue;
        *dot = '\0';
        failed = discover_file(instance, call, name, resources);
    }
    if (files)
        closedir(files);
    return failed;
}

/* What prepare has chosen, out of the objects: it remembers nothing else. */
static json_object *choices_of(struct memories_call *call, const struct instance *instance, const char *deployment)
{
    AUTO_CLOUD struct cloud cloud = { NULL, NULL, NULL, NULL };
    const char *path = plugin_format(call, "%s/%s.json", instance->directory, deployment);
    AUTO_JSON json_object *choices = json_object_new_object();
    json_object *nodes = json_set_new_object(choices, "nodes");
    int failed = !path || cloud_load(&cloud, path) || !nodes;
    int64_t count = 0;
    if (failed)
        return NULL;
    json_object_object_foreach(cloud.objects, id, object) {
        (void)id;
        const char *name = strchr(json_get_string(object, "key"), '/');
        const char *address = json_get_string(json_get_object(object, "inputs"), "address");
        if (!name || !address)
            continue;
        json_object *choice = json_set_new_object(nodes, name + 1);
        failed |= json_add_string(json_set_new_array(choice, "addresses"), address) |
                  json_set_string(choice, "address", address);
        count++;
    }
    failed |= json_set_int(choices, "next", count);
    return failed ? NULL : STEAL(choices);
}

/* What of the core's resources the objects were not made of. */
static int compare(struct memories_call *call, const struct instance *instance, json_object *resources,
                   json_object *changed)
{
    AUTO_CLOUD struct cloud cloud = { NULL, NULL, NULL, NULL };
    const char *path = plugin_format(call, "%s/%s.json", instance->directory, instance->deployment);
    int failed = !path || cloud_load(&cloud, path);
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        const char *key = json_get_string(json_at(resources, i), "key");
        json_object *object = json_get_object(cloud.objects, json_get_string(cloud.by_key, key));
        json_object *inputs = json_get_object(json_at(resources, i), "inputs");
        if (!object || !inputs)
            continue;
        json_object_object_foreach(inputs, name, value) {
            json_object *names = json_get_array(changed, key);
            if (!json_object_equal(value, json_get(json_get_object(object, "inputs"), name)))
                failed |= json_add_string(names ? names : json_set_new_array(changed, key), name);
        }
    }
    return failed;
}

static int32_t fake_discover(void *opened, struct memories_call *call, const char *request)
{
    struct instance *instance = opened;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of discover");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *deployment = json_get_string(document, "deployment");
    json_object *asked = json_get_array(document, "resources");
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *resources = json_set_new_array(result, "resources");
    AUTO_FD int lock = lock_directory(instance);
    if (deployment && json_set_new(result, "choices", choices_of(call, instance, deployment)))
        return plugin_no_memory(call);
    if (asked && compare(call, instance, asked, json_set_new_object(result, "changed")))
        return plugin_no_memory(call);
    int failed = lock < 0     ? MEMORIES_FAILED
                 : deployment ? discover_file(instance, call, deployment, resources)
                              : discover_all(instance, call, resources);
    if (failed == MEMORIES_NO_MEMORY)
        return plugin_no_memory(call);
    if (failed)
        return plugin_fail(call, MEMORIES_FAILED, instance->directory, NULL, "can't read the fake provider's files");
    return plugin_result(call, STEAL(result));
}

/* What is asked for of one metric. */
struct range {
    int64_t start_ms;
    int64_t end_ms;
    int64_t period_ms;
};

static int add_point(json_object *points, int64_t at_ms, json_object *value)
{
    json_object *point = json_add_new_object(points);
    return json_set_int(point, "timestamp_ms", at_ms) || json_set_new(point, "value", value);
}

/* The load that the configuration tells; without one a made-up series, the same for every node and metric: point k has the
 * value k, and they begin anew at 100. */
static int add_series(json_object *list, const char *node, const struct range *range, json_object *knobs)
{
    json_object *series = json_add_new_object(list), *load = json_get(knobs, "load");
    json_object *points = json_set_new_array(series, "points");
    int64_t at_ms = json_get_int(knobs, "load_at_ms", range->start_ms);
    int failed = json_set_string(series, "node", node);
    for (int64_t k = 0; !failed && !load && range->start_ms + k * range->period_ms < range->end_ms; k++)
        failed = add_point(points, range->start_ms + k * range->period_ms, json_object_new_double((double)(k % 100)));
    if (!failed && json_get(load, node) && at_ms >= range->start_ms && at_ms < range->end_ms)
        failed = add_point(points, at_ms - (at_ms - range->start_ms) % range->period_ms, json_ref(json_get(load, node)));
    return failed;
}

static int32_t fake_metrics(void *opened, struct memories_call *call, const char *request)
{
    struct instance *instance = opened;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of metrics");
    if (!document)
        return MEMORIES_INTERNAL;
    json_object *names = json_get_array(document, "metrics"), *from = json_get_array(document, "resources");
    int64_t start_ms = json_get_int(document, "start_ms", 0), end_ms = json_get_int(document, "end_ms", 0);
    int64_t period_ms = json_get_int(document, "period_s", 300) * 1000;
    if (period_ms <= 0 || (end_ms - start_ms) / period_ms > POINTS_MAX)
        return plugin_fail(call, MEMORIES_INVALID, "period_s", "ask for a shorter time or longer periods",
                           "expected at most %d points", POINTS_MAX);
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *metrics = json_set_new_object(result, "metrics");
    const struct range range = { start_ms, end_ms, period_ms };
    int failed = !metrics;
    for (size_t i = 0; !failed && i < json_count(names); i++) {
        json_object *list = json_set_new_array(metrics, json_object_get_string(json_at(names, i)));
        for (size_t n = 0; !failed && n < json_count(from); n++)
            if (json_get_string(json_at(from, n), "node"))
                failed = add_series(list, json_get_string(json_at(from, n), "node"), &range, instance->knobs);
    }
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}

/* Lines "node1 line 1", … as many as asked for (3 when all are). Following ends when it is cancelled or nobody listens. */
static int32_t fake_logs(void *instance, struct memories_call *call, const char *request)
{
    (void)instance;
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of logs");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *only = json_get_string(document, "node");
    json_object *from = json_get_array(document, "resources");
    int64_t asked = json_get_int(document, "lines", 0), lines = asked ? asked : 3;
    bool follow = json_get_bool(document, "follow", false);
    for (int64_t line = 1; line <= lines || follow; line++) {
        for (size_t i = 0; i < json_count(from); i++) {
            const char *node = json_get_string(json_at(from, i), "node");
            char text[128];
            if (!node || (only && strcmp(node, only)))
                continue;
            int length = snprintf(text, sizeof text, "%.64s line %lld\n", node, (long long)line);
            if (plugin_host->stream(call, node, text, (size_t)length) || plugin_host->cancelled(call))
                return 0;
        }
        if (line >= lines)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        if (plugin_host->cancelled(call))
            return 0;
    }
    return 0;
}

static const struct memories_provider_ops ops = {
    .size = sizeof ops,
    .init = plugin_init,
    .describe = fake_describe,
    .open = fake_open,
    .close = fake_close,
    .prepare = fake_prepare,
    .lower = fake_lower,
    .create = fake_create,
    .read = fake_read,
    .update = fake_update,
    .destroy = fake_destroy,
    .power = fake_power,
    .discover = fake_discover,
    .metrics = fake_metrics,
    .logs = fake_logs,
};

MEMORIES_PLUGIN(provider, fake, "1.0.0", "Apache-2.0", "https://github.com/memories-dev/memories",
                MEMORIES_THREADS_CONCURRENT, 0, &ops, sizeof ops)
