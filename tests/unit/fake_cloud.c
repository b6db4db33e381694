/* fake_cloud.c - a provider inside the test, whose objects live in shared memory */
#include "tests/unit/fake_cloud.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/call.h"

struct cloud *cloud;

void cloud_open(void)
{
    cloud = mmap(NULL, sizeof *cloud, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (cloud == MAP_FAILED)
        abort();
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&cloud->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void cloud_close(void)
{
    munmap(cloud, sizeof *cloud);
}

static void lock(void)
{
    if (pthread_mutex_lock(&cloud->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&cloud->lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&cloud->lock);
}

void cloud_fault(enum fault_kind kind, const char *slot, const char *key, int times, int32_t code)
{
    for (size_t i = 0; i < CLOUD_FAULTS; i++) {
        if (cloud->faults[i].times)
            continue;
        cloud->faults[i] = (struct cloud_fault){ .kind = kind, .slot = slot, .key = key, .times = times, .code = code };
        return;
    }
    abort();
}

struct cloud_object *cloud_find(const char *key)
{
    for (size_t i = 0; i < CLOUD_OBJECTS; i++)
        if (cloud->objects[i].there && !strcmp(cloud->objects[i].key, key))
            return &cloud->objects[i];
    return NULL;
}

size_t cloud_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < CLOUD_OBJECTS; i++)
        count += cloud->objects[i].there;
    return count;
}

static struct cloud_object *find_by(const char *id, const struct memories_operation *operation)
{
    for (size_t i = 0; i < CLOUD_OBJECTS; i++) {
        struct cloud_object *object = &cloud->objects[i];
        if (object->there && (id ? !strcmp(object->id, id)
                                 : !strcmp(object->key, operation->key) && !strcmp(object->token, operation->token)))
            return object;
    }
    return NULL;
}

/* By the recorded id, or else by key and token. */
static struct cloud_object *find_of(const struct memories_operation *operation)
{
    AUTO_JSON json_object *outputs = operation->outputs ? json_parse(operation->outputs, "outputs", NULL) : NULL;
    return find_by(json_get_string(outputs, "id"), operation);
}

/* ---- Operations on one object; each returns NULL, or what the cloud objects to ---- */

static void take_inputs(struct cloud_object *object, const char *text)
{
    AUTO_JSON json_object *inputs = json_parse(text, "inputs", NULL);
    const char *network = json_get_string(inputs, "network");
    snprintf(object->inputs, sizeof object->inputs, "%s", text);
    snprintf(object->network, sizeof object->network, "%s", network ? network : "");
    object->size = (int)json_get_int(inputs, "size", 0);
}

static const char *check_network(const char *text)
{
    AUTO_JSON json_object *inputs = json_parse(text, "inputs", NULL);
    const char *network = json_get_string(inputs, "network");
    return network && !find_by(network, NULL) ? "there is no such network" : NULL;
}

static const char *create(const struct memories_operation *operation)
{
    if (find_by(NULL, operation))
        return NULL;
    const char *objection = check_network(operation->inputs);
    if (objection)
        return objection;
    struct cloud_object *object = cloud->objects;
    while (object->there)
        object++;
    cloud->doubles += cloud_find(operation->key) != NULL;
    *object = (struct cloud_object){ .polls_left = cloud->polls };
    snprintf(object->key, sizeof object->key, "%s", operation->key);
    snprintf(object->type, sizeof object->type, "%s", operation->type);
    snprintf(object->token, sizeof object->token, "%s", operation->token);
    snprintf(object->id, sizeof object->id, "%s-%d", operation->key, ++cloud->made);
    take_inputs(object, operation->inputs);
    bool off = !strcmp(operation->type, "t.node") && !operation->power_on;
    object->state = off ? MEMORIES_STATE_STOPPED : MEMORIES_STATE_READY;
    object->there = true;
    return NULL;
}

static const char *update(const struct memories_operation *operation)
{
    struct cloud_object *object = find_of(operation);
    if (!object)
        return "there is nothing to update";
    object->revision++;
    object->polls_left = cloud->polls;
    take_inputs(object, operation->inputs);
    return NULL;
}

static const char *destroy(const struct memories_operation *operation)
{
    struct cloud_object *object = find_of(operation);
    if (!object)
        return NULL;
    for (size_t i = 0; i < CLOUD_OBJECTS; i++)
        if (cloud->objects[i].there && !strcmp(cloud->objects[i].type, "t.node") &&
            !strcmp(cloud->objects[i].network, object->id))
            return "it is in use";
    object->there = false;
    return NULL;
}

static const char *power(const struct memories_operation *operation)
{
    struct cloud_object *object = find_of(operation);
    if (!object)
        return "there is nothing to switch";
    object->state = operation->power_on ? MEMORIES_STATE_READY : MEMORIES_STATE_STOPPED;
    object->polls_left = cloud->polls;
    return NULL;
}

static const char *look(const struct memories_operation *operation)
{
    struct cloud_object *object = find_of(operation);
    if (object && object->polls_left > 0)
        object->polls_left--;
    return NULL;
}

/* ---- Slots ---- */

static void answer(struct memories_call *call, size_t index, const struct memories_operation *operation)
{
    struct cloud_object *object = find_of(operation);
    if (!object) {
        call_host()->operation_result(call, index, MEMORIES_STATE_ABSENT, NULL, 0);
        return;
    }
    char outputs[192];
    snprintf(outputs, sizeof outputs, "{\"id\":\"%s\",\"revision\":%d,\"nothing\":null}", object->id, object->revision);
    bool pending = object->polls_left > 0;
    call_host()->operation_result(call, index, pending ? MEMORIES_STATE_PENDING : object->state, outputs, 5);
}

static int32_t tell(const struct cloud_fault *fault, const char *key, struct memories_error_detail *detail)
{
    *detail = (struct memories_error_detail){ .size = sizeof *detail,
                                              .code = fault->code,
                                              .retry_after_ms = fault->retry_after_ms,
                                              .message = "the cloud says no",
                                              .where = key };
    return fault->code;
}

static bool fault_hits(const char *slot, const char *key, bool whole, struct cloud_fault *hit)
{
    for (size_t i = 0; i < CLOUD_FAULTS; i++) {
        struct cloud_fault *fault = &cloud->faults[i];
        if (!fault->times || strcmp(fault->slot, slot) != 0 || (fault->kind == FAULT_WHOLE) != whole ||
            (!whole && fault->key && strncmp(fault->key, key, strlen(fault->key)) != 0))
            continue;
        fault->times--;
        *hit = *fault;
        return true;
    }
    return false;
}

typedef const char *object_fn(const struct memories_operation *operation);

/* What is wrong with the object rather than with the answer. True when there is nothing more to say. */
static bool spoil(struct memories_call *call, enum fault_kind kind, size_t index,
                  const struct memories_operation *operation)
{
    struct cloud_object *object = find_of(operation);
    if (kind == FAULT_BREAK && object)
        object->state = MEMORIES_STATE_BROKEN;
    if (kind == FAULT_HIDE)
        call_host()->operation_result(call, index, MEMORIES_STATE_ABSENT, NULL, 0);
    return kind == FAULT_HIDE;
}

static void run_one(struct memories_call *call, const char *slot, object_fn *work, size_t index,
                    const struct memories_operation *operation)
{
    struct memories_error_detail detail;
    struct cloud_fault fault = { .kind = FAULT_NONE };
    bool hit = fault_hits(slot, operation->key, false, &fault);
    const char *objection = fault.kind == FAULT_REFUSE || fault.kind == FAULT_IGNORE ? NULL : work(operation);
    if (spoil(call, fault.kind, index, operation))
        return;
    if (objection)
        fault = (struct cloud_fault){ .code = MEMORIES_CONFLICT };
    if (!objection && (!hit || fault.kind >= FAULT_IGNORE)) {
        answer(call, index, operation);
        return;
    }
    tell(&fault, operation->key, &detail);
    if (objection)
        detail.message = objection;
    call_host()->operation_failed(call, index, &detail);
}

static void append(char *text, size_t size, const char *more)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s", more);
}

static void note(const char *slot, const struct memories_operation *const *operations, size_t count)
{
    char line[64];
    snprintf(line, sizeof line, "%s %s %zu; ", slot, operations[0]->type, count);
    append(cloud->log, sizeof cloud->log, line);
    for (size_t i = 0; !strcmp(slot, "create") && i < count && !strcmp(operations[0]->type, "t.node"); i++) {
        snprintf(line, sizeof line, "%s#%u:%.8s ", operations[i]->key, operations[i]->attempt, operations[i]->token);
        append(cloud->tokens, sizeof cloud->tokens, line);
    }
}

static int32_t run(struct memories_call *call, const char *slot, object_fn *work,
                   const struct memories_operation *const *operations, size_t count)
{
    for (size_t i = 0; cloud->hook && i < count; i++)
        cloud->hook(slot, operations[i]->key);
    lock();
    note(slot, operations, count);
    struct cloud_fault fault;
    struct memories_error_detail detail;
    bool whole = fault_hits(slot, NULL, true, &fault);
    for (size_t i = 0; !whole && i < count; i++) {
        call_host()->progress(call, i, "at work");
        run_one(call, slot, work, i, operations[i]);
    }
    unlock();
    if (!whole)
        return 0;
    tell(&fault, NULL, &detail);
    return call_host()->fail(call, &detail);
}

#define SLOT(name, slot_name, work)                                                                              \
    static int32_t name(void *instance, struct memories_call *call,                                              \
                        const struct memories_operation *const *operations, size_t count)                        \
    {                                                                                                            \
        return run(call, slot_name, work, operations, count);                                                    \
    }
SLOT(slot_create, "create", create)
SLOT(slot_read, "read", look)
SLOT(slot_update, "update", update)
SLOT(slot_destroy, "destroy", destroy)
SLOT(slot_power, "power", power)

struct plugin *cloud_plugin(int batch_max, int timeout_s, uint32_t thread_model)
{
    struct plugin *plugin = calloc(1, sizeof *plugin);
    plugin->kind = MEMORIES_PLUGIN_PROVIDER;
    plugin->name = strdup("fake");
    plugin->thread_model = thread_model;
    plugin->ops.provider = (struct memories_provider_ops){ .size = sizeof plugin->ops.provider,
                                                           .create = slot_create,
                                                           .read = slot_read,
                                                           .update = slot_update,
                                                           .destroy = slot_destroy,
                                                           .power = slot_power };
    AUTO_FREE char *text = text_format(
        "{\"resource_types\": {"
        "\"t.net\": {\"replace_on\": [\"cidr\"]},"
        "\"t.fw\": {},"
        "\"t.node\": {\"is_node\": true, \"power\": true, \"replace_on\": [\"network\"], \"batch_max\": %d,"
        " \"timeout_s\": %d}}}",
        batch_max, timeout_s);
    plugin->description = json_parse(text, "the description", NULL);
    return plugin;
}

void cloud_plugin_free(struct plugin *plugin)
{
    json_object_put(plugin->description);
    free(plugin->name);
    free(plugin);
}
