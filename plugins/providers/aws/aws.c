/* aws.c - the provider's entry points */
#include "plugins/providers/aws/aws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memories/version.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/objects.h"
#include "plugins/providers/aws/xml.h"

/* aws.json */
extern const char *const aws_description;

static int32_t init(const struct memories_host *host, struct memories_call *call)
{
    xml_init();
    return plugin_init(host, call);
}

static int32_t describe(struct memories_call *call)
{
    return plugin_host->result(call, aws_description);
}

static void close_instance(void *instance)
{
    struct aws *aws = instance;
    aws_client_clear(&aws->client);
    json_object_put(aws->config);
    json_object_put(aws->doubts);
    json_object_put(aws->unsettled);
    json_object_put(aws->refused);
    json_object_put(aws->asked);
    pthread_mutex_destroy(&aws->lock);
    free(aws->deployment);
    free(aws->account);
    free(aws);
}

/* Nothing is asked for yet: what is on record can be shown without credentials. */
static int32_t open_instance(struct memories_call *call, const char *request, void **instance)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of open");
    if (!document)
        return MEMORIES_INTERNAL;
    const char *deployment = json_get_string(document, "deployment");
    json_object *config = json_get_object(document, "config");
    struct aws *aws = calloc(1, sizeof *aws);
    if (!aws || aws_client_init(&aws->client, json_get_string(config, "profile"))) {
        free(aws);
        return plugin_no_memory(call);
    }
    pthread_mutex_init(&aws->lock, NULL);
    aws->deployment = deployment ? strdup(deployment) : NULL;
    aws->config = json_ref(config);
    aws->doubts = json_object_new_object();
    aws->unsettled = json_object_new_object();
    aws->refused = json_object_new_object();
    aws->asked = json_object_new_object();
    if (!aws->doubts || !aws->unsettled || !aws->refused || !aws->asked || (deployment && !aws->deployment)) {
        close_instance(aws);
        return plugin_no_memory(call);
    }
    *instance = aws;
    return MEMORIES_OK;
}

void aws_note_account(struct aws *aws, const char *account)
{
    pthread_mutex_lock(&aws->lock);
    free(aws->account);
    aws->account = strdup(account);
    pthread_mutex_unlock(&aws->lock);
}

static char *place(const char *zone, const char *type)
{
    char *text = NULL;
    return asprintf(&text, "%s %s", zone, type) < 0 ? NULL : text;
}

static bool is_noted(struct aws *aws, const char *key)
{
    pthread_mutex_lock(&aws->lock);
    bool noted = key && json_get_bool(aws->refused, key, false);
    pthread_mutex_unlock(&aws->lock);
    return noted;
}

bool aws_is_refused(struct aws *aws, const char *zone, const char *type)
{
    AUTO_FREE char *key = place(zone ? zone : "", type ? type : "");
    return is_noted(aws, key);
}

bool aws_is_displaced(struct aws *aws, const char *node)
{
    return is_noted(aws, node);
}

void aws_note_refused(struct aws *aws, const char *node, const char *zone, const char *type)
{
    AUTO_FREE char *key = place(zone, type);
    pthread_mutex_lock(&aws->lock);
    if (key) /* without memory for it the same place is tried again */
        json_set_bool(aws->refused, key, true);
    json_set_bool(aws->refused, node, true);
    pthread_mutex_unlock(&aws->lock);
}

void aws_note_placed(struct aws *aws, const char *node)
{
    pthread_mutex_lock(&aws->lock);
    json_object_object_del(aws->refused, node);
    pthread_mutex_unlock(&aws->lock);
}

typedef int32_t objects_function(struct objects *objects);

static int32_t run_batch(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                         size_t count, objects_function *function)
{
    struct aws *aws = instance;
    struct objects objects;
    if (!count)
        return MEMORIES_OK;
    if (!aws->deployment)
        return plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the provider was opened without a deployment");
    int32_t code = objects_open(&objects, aws, call, operations, count);
    if (!code)
        code = function(&objects);
    objects_clear(&objects);
    return code;
}

static int32_t create(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    operations_note_unsent(instance, operations, count);
    return run_batch(instance, call, operations, count, objects_create);
}

static int32_t read_batch(void *instance, struct memories_call *call,
                          const struct memories_operation *const *operations, size_t count)
{
    return run_batch(instance, call, operations, count, objects_read);
}

static int32_t update(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count)
{
    return run_batch(instance, call, operations, count, objects_update);
}

static int32_t destroy(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                       size_t count)
{
    return run_batch(instance, call, operations, count, objects_destroy);
}

static int32_t power(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                     size_t count)
{
    return run_batch(instance, call, operations, count, objects_power);
}

static const struct memories_provider_ops aws_ops = {
    .size = sizeof aws_ops,
    .init = init,
    .describe = describe,
    .open = open_instance,
    .close = close_instance,
    .prepare = aws_prepare,
    .lower = aws_lower,
    .create = create,
    .read = read_batch,
    .update = update,
    .destroy = destroy,
    .power = power,
    .discover = aws_discover,
    .metrics = aws_metrics_slot,
    .logs = aws_logs_slot,
    .doctor = aws_doctor,
    .estimate = aws_estimate,
};

MEMORIES_PLUGIN(provider, aws, MEMORIES_VERSION, "Apache-2.0", "https://github.com/memories-dev/memories",
                MEMORIES_THREADS_CONCURRENT, 0, &aws_ops, sizeof aws_ops)
