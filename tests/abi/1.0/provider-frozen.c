/*
 * provider-frozen.c - a provider as it was written for plugin ABI 1.0; it is compiled against that release's headers, which
 * lie here, and never changes. It uses every slot and every service of the host. Its machines are files: one a machine,
 * with its token, and "on" or "off".
 */
#include <errno.h>
#include <memories/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct memories_host *host;

struct instance {
    char directory[512];
    char deployment[128];
};

static int32_t init(const struct memories_host *given, struct memories_call *call)
{
    (void)call;
    if (!MEMORIES_HAS(given, memories_host, progress))
        return MEMORIES_INTERNAL;
    host = given;
    return MEMORIES_OK;
}

static int32_t describe(struct memories_call *call)
{
    return host->result(call, "{\"version\": 1, \"summary\": \"of 1.0\", \"schema\": {\"properties\": {}}, "
                              "\"cheap_read\": true, \"resource_types\": {\"frozen.machine\": {\"title\": \"machine\", "
                              "\"is_node\": true, \"power\": true, \"replace_on\": [\"address\"], \"batch_max\": 10, "
                              "\"timeout_s\": 10}}}");
}

static int32_t fail(struct memories_call *call, int32_t code, const char *message)
{
    struct memories_error_detail detail = { sizeof detail, code, 0, 0, message, NULL, NULL, NULL, NULL };
    return host->fail(call, &detail);
}

static const char *member(struct memories_call *call, const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = json ? strstr(json, key) : NULL;
    if (!at)
        return NULL;
    at += strlen(key);
    size_t length = strcspn(at, "\"");
    char *value = host->allocate(call, length + 1);
    return value ? memcpy(value, at, length) : NULL;
}

static int32_t open_instance(struct memories_call *call, const char *request, void **opened)
{
    const char *state_dir = member(call, request, "state_dir"), *deployment = member(call, request, "deployment");
    struct instance *instance = calloc(1, sizeof *instance);
    if (!state_dir || !instance) {
        free(instance);
        return fail(call, MEMORIES_INVALID, "no state directory");
    }
    snprintf(instance->deployment, sizeof instance->deployment, "%s", deployment ? deployment : "");
    snprintf(instance->directory, sizeof instance->directory, "%s/frozen-%s", state_dir, instance->deployment);
    *opened = instance;
    return MEMORIES_OK;
}

static void close_instance(void *opened)
{
    free(opened);
}

static int32_t prepare(void *opened, struct memories_call *call, const char *request)
{
    (void)opened, (void)request;
    return host->result(call, "{\"choices\": {\"nodes\": {\"one\": {\"address\": \"192.0.2.1\"}, "
                              "\"two\": {\"address\": \"192.0.2.2\"}}}, \"notes\": [{\"where\": \"config\", "
                              "\"text\": \"frozen has noted it\"}]}");
}

/* The words that the topology put into the bootstrap of node one become an input that can be changed in place. */
static int32_t lower(void *opened, struct memories_call *call, const char *request)
{
    (void)opened;
    char text[1024];
    const char *words = member(call, request, "content");
    snprintf(text, sizeof text, "{\"version\": 1, \"resources\": ["
             "{\"key\": \"node/one\", \"type\": \"frozen.machine\", \"node\": \"one\", "
             "\"inputs\": {\"address\": \"192.0.2.1\", \"words\": \"%.100s\"}, \"depends_on\": []}, "
             "{\"key\": \"node/two\", \"type\": \"frozen.machine\", \"node\": \"two\", "
             "\"inputs\": {\"address\": \"192.0.2.2\", \"first\": {\"$output\": [\"node/one\", \"instance_id\"]}}, "
             "\"depends_on\": [\"node/one\"]}]}", words ? words : "");
    return host->result(call, text);
}

static void path_of(const struct instance *instance, const char *key, char path[700])
{
    snprintf(path, 700, "%s/%s", instance->directory, strchr(key, '/') + 1);
}

static int32_t answer(struct memories_call *call, const struct instance *instance, size_t index, const char *key)
{
    char path[700], token[65] = "", power[8] = "", outputs[300];
    path_of(instance, key, path);
    FILE *file = fopen(path, "r");
    if (!file)
        return host->operation_result(call, index, MEMORIES_STATE_ABSENT, NULL, 0);
    int found = fscanf(file, "%64s %7s", token, power);
    fclose(file);
    snprintf(outputs, sizeof outputs, "{\"instance_id\": \"frozen-%.8s\", \"address\": \"192.0.2.%d\", "
             "\"public_ip\": null}", token, strcmp(strchr(key, '/'), "/one") ? 2 : 1);
    uint32_t state = found != 2                 ? MEMORIES_STATE_BROKEN
                     : strcmp(power, "on") == 0 ? MEMORIES_STATE_READY
                                                : MEMORIES_STATE_STOPPED;
    return host->operation_result(call, index, state, outputs, 0);
}

static int write_machine(const struct instance *instance, const struct memories_operation *operation, const char *token)
{
    char path[700];
    path_of(instance, operation->key, path);
    mkdir(instance->directory, 0700);
    FILE *file = fopen(path, "w");
    if (!file)
        return -1;
    fprintf(file, "%s %s\n", token, operation->power_on ? "on" : "off");
    return fclose(file);
}

static int32_t each(struct instance *instance, struct memories_call *call,
                    const struct memories_operation *const *operations, size_t count, int writes)
{
    int64_t began_ms = host->monotonic_ms(call);
    for (size_t i = 0; i < count; i++) {
        char token[65] = "", path[700];
        if (host->cancelled(call))
            return MEMORIES_CANCELLED;
        host->progress(call, i, "at work");
        path_of(instance, operations[i]->key, path);
        FILE *file = fopen(path, "r"); /* the same machine keeps its token */
        if (file && fscanf(file, "%64s", token) != 1)
            token[0] = '\0';
        if (file)
            fclose(file);
        struct memories_error_detail detail = { sizeof detail, MEMORIES_FAILED, 0, 0, "can't write the machine down",
                                                operations[i]->key, strerror(errno), NULL, NULL };
        if (writes && write_machine(instance, operations[i], token[0] ? token : operations[i]->token))
            host->operation_failed(call, i, &detail);
        else
            answer(call, instance, i, operations[i]->key);
    }
    if (host->monotonic_ms(call) < began_ms)
        return fail(call, MEMORIES_INTERNAL, "time goes backwards");
    return MEMORIES_OK;
}

/* The deployment's certificates are there by now. */
static int32_t create(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    size_t bytes = 0;
    const char *certificate = host->secret(call, "secret:node/one/certificate", &bytes);
    if (!certificate)
        return MEMORIES_NOT_FOUND;
    if (strncmp(certificate, "-----BEGIN CERTIFICATE-----", 27) || bytes < 100)
        return fail(call, MEMORIES_INTERNAL, "the certificate is none");
    host->log(call, MEMORIES_LOG_INFO, "frozen creates");
    return each(opened, call, operations, count, 1);
}

static int32_t read_batch(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                          size_t count)
{
    return each(opened, call, operations, count, 0);
}

static int32_t update(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    host->log(call, MEMORIES_LOG_INFO, "frozen updates");
    return each(opened, call, operations, count, 0);
}

static int32_t destroy(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                       size_t count)
{
    struct instance *instance = opened;
    for (size_t i = 0; i < count; i++) {
        char path[700];
        path_of(instance, operations[i]->key, path);
        remove(path);
        host->operation_result(call, i, MEMORIES_STATE_ABSENT, NULL, 0);
    }
    remove(instance->directory);
    return MEMORIES_OK;
}

static int32_t power(void *opened, struct memories_call *call, const struct memories_operation *const *operations,
                     size_t count)
{
    return each(opened, call, operations, count, 1);
}

static int32_t discover(void *opened, struct memories_call *call, const char *request)
{
    (void)opened, (void)request;
    return host->result(call, "{\"resources\": []}");
}

static int32_t metrics(void *opened, struct memories_call *call, const char *request)
{
    (void)opened;
    char text[200];
    const char *start = strstr(request, "\"start_ms\":");
    snprintf(text, sizeof text, "{\"metrics\": {\"cpu_utilization\": [{\"node\": \"one\", \"points\": "
             "[{\"timestamp_ms\": %lld, \"value\": 12.5}]}]}}", start ? strtoll(start + 11, NULL, 10) : 0);
    return host->now_ms(call) > 0 ? host->result(call, text) : MEMORIES_INTERNAL;
}

static int32_t logs(void *opened, struct memories_call *call, const char *request)
{
    (void)opened, (void)request;
    host->stream(call, "one", "a line of 1.0\n", 14);
    return MEMORIES_OK;
}

static const struct memories_provider_ops ops = { sizeof ops, 0, init, describe, open_instance, close_instance, prepare,
                                                  lower, create, read_batch, update, destroy, power, discover, metrics,
                                                  logs };

MEMORIES_PLUGIN(provider, frozen, "1.0.0", "Apache-2.0", NULL, MEMORIES_THREADS_SERIALISED, 0, &ops, sizeof ops)
