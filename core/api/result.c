/* result.c - typed accessors over result documents */
#include "core/api/result.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"

/* A document and its text. The text is made at once, because json-c changes an object when asked for it: reading a
 * result from several threads must change nothing. */
struct document {
    json_object *json;
    char *text;
};

struct memories_deployment {
    struct document document;
};

struct memories_deployment_list {
    struct document document;
    memories_deployment *items;
};

struct memories_cluster_status {
    struct document document;
};

struct memories_services {
    struct document document;
};

struct memories_metrics {
    struct document document;
    const char **names;
    size_t count;
};

static void document_clear(struct document *document)
{
    json_object_put(document->json);
    free(document->text);
}

/* Makes an object of `size` bytes that begins with a document; takes `json` over. */
static void *document_new(size_t size, json_object *json, memories_error **error)
{
    struct document *document = json ? calloc(1, size) : NULL;
    if (document)
        *document = (struct document){ json, json_text(json) };
    if (document && document->text)
        return document;
    json_object_put(json);
    free(document);
    error_no_memory(error);
    return NULL;
}

static const char *element_string(json_object *object, const char *key, size_t index)
{
    json_object *array = json_get_array(object, key);
    json_object *value = index < json_count(array) ? json_object_array_get_idx(array, index) : NULL;
    return value && json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static json_object *element_object(json_object *object, const char *key, size_t index)
{
    json_object *array = json_get_array(object, key);
    return index < json_count(array) ? json_object_array_get_idx(array, index) : NULL;
}

/* ---- Deployment ---- */

memories_deployment *deployment_new(json_object *json, memories_error **error)
{
    return document_new(sizeof(memories_deployment), json, error);
}

void memories_deployment_free(memories_deployment *deployment)
{
    if (!deployment)
        return;
    document_clear(&deployment->document);
    free(deployment);
}

const char *memories_deployment_json(const memories_deployment *deployment)
{
    return deployment->document.text;
}

const char *memories_deployment_id(const memories_deployment *deployment)
{
    const char *id = json_get_string(deployment->document.json, "deployment_id");
    return id ? id : json_get_string(deployment->document.json, "id");
}

#define DEPLOYMENT_STRING(name)                                                      \
    const char *memories_deployment_##name(const memories_deployment *deployment)    \
    {                                                                                \
        return json_get_string(deployment->document.json, #name);                    \
    }
DEPLOYMENT_STRING(name)
DEPLOYMENT_STRING(type)
DEPLOYMENT_STRING(provider)
DEPLOYMENT_STRING(status)
DEPLOYMENT_STRING(created_at)
DEPLOYMENT_STRING(instance_id)
DEPLOYMENT_STRING(public_ip)
DEPLOYMENT_STRING(leader_node)

#define DEPLOYMENT_NODES(role)                                                                        \
    size_t memories_deployment_##role##_node_count(const memories_deployment *deployment)             \
    {                                                                                                 \
        return json_count(json_get_array(deployment->document.json, #role "_nodes"));                 \
    }                                                                                                 \
    const char *memories_deployment_##role##_node(const memories_deployment *deployment, size_t index) \
    {                                                                                                 \
        return element_string(deployment->document.json, #role "_nodes", index);                      \
    }
DEPLOYMENT_NODES(follower)
DEPLOYMENT_NODES(manager)
DEPLOYMENT_NODES(worker)

#define DEPLOYMENT_NUMBER(name)                                                       \
    uint64_t memories_deployment_##name(const memories_deployment *deployment)        \
    {                                                                                 \
        json_object *number = json_get(deployment->document.json, #name);             \
        return number ? json_object_get_uint64(number) : 0;                           \
    }
DEPLOYMENT_NUMBER(worker_count)
DEPLOYMENT_NUMBER(manager_count)

size_t memories_deployment_resource_count(const memories_deployment *deployment)
{
    return json_count(json_get_array(deployment->document.json, "resources"));
}

#define DEPLOYMENT_RESOURCE(name)                                                                             \
    const char *memories_deployment_resource_##name(const memories_deployment *deployment, size_t index)      \
    {                                                                                                         \
        return json_get_string(element_object(deployment->document.json, "resources", index), #name);         \
    }
DEPLOYMENT_RESOURCE(key)
DEPLOYMENT_RESOURCE(type)
DEPLOYMENT_RESOURCE(state)

/* ---- List ---- */

memories_deployment_list *deployment_list_new(json_object *array, memories_error **error)
{
    memories_deployment_list *list = document_new(sizeof *list, array, error);
    if (!list)
        return NULL;
    size_t count = json_count(array);
    list->items = calloc(count ? count : 1, sizeof *list->items);
    for (size_t i = 0; list->items && i < count; i++) {
        json_object *json = json_object_array_get_idx(array, i);
        list->items[i].document = (struct document){ json_ref(json), json_text(json) };
    }
    if (list->items)
        return list;
    memories_deployment_list_free(list);
    error_no_memory(error);
    return NULL;
}

size_t memories_deployment_list_count(const memories_deployment_list *list)
{
    return json_count(list->document.json);
}

const memories_deployment *memories_deployment_list_at(const memories_deployment_list *list, size_t index)
{
    return index < memories_deployment_list_count(list) ? &list->items[index] : NULL;
}

const char *memories_deployment_list_json(const memories_deployment_list *list)
{
    return list->document.text;
}

void memories_deployment_list_free(memories_deployment_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; list->items && i < memories_deployment_list_count(list); i++)
        document_clear(&list->items[i].document);
    document_clear(&list->document);
    free(list->items);
    free(list);
}

/* ---- Cluster status ---- */

memories_cluster_status *cluster_status_new(json_object *json, memories_error **error)
{
    return document_new(sizeof(memories_cluster_status), json, error);
}

void memories_cluster_status_free(memories_cluster_status *status)
{
    if (!status)
        return;
    document_clear(&status->document);
    free(status);
}

const char *memories_cluster_status_json(const memories_cluster_status *status)
{
    return status->document.text;
}

#define STATUS_STRING(name)                                                                \
    const char *memories_cluster_status_##name(const memories_cluster_status *status)      \
    {                                                                                      \
        return json_get_string(status->document.json, #name);                              \
    }
STATUS_STRING(deployment_id)
STATUS_STRING(status)
STATUS_STRING(leader)

#define STATUS_NUMBER(name)                                                            \
    uint64_t memories_cluster_status_##name(const memories_cluster_status *status)     \
    {                                                                                  \
        json_object *number = json_get(status->document.json, #name);                  \
        return number ? json_object_get_uint64(number) : 0;                            \
    }
STATUS_NUMBER(term)
STATUS_NUMBER(committed_index)
STATUS_NUMBER(applied_index)

size_t memories_cluster_status_member_count(const memories_cluster_status *status)
{
    return json_count(json_get_array(status->document.json, "members"));
}

#define STATUS_MEMBER(name)                                                                                \
    const char *memories_cluster_status_member_##name(const memories_cluster_status *status, size_t index) \
    {                                                                                                      \
        return json_get_string(element_object(status->document.json, "members", index), #name);            \
    }
STATUS_MEMBER(name)
STATUS_MEMBER(role)
STATUS_MEMBER(address)

int memories_cluster_status_member_healthy(const memories_cluster_status *status, size_t index)
{
    return json_get_bool(element_object(status->document.json, "members", index), "healthy", false);
}

/* ---- Services ---- */

memories_services *services_new(json_object *array, memories_error **error)
{
    return document_new(sizeof(memories_services), array, error);
}

void memories_services_free(memories_services *services)
{
    if (!services)
        return;
    document_clear(&services->document);
    free(services);
}

const char *memories_services_json(const memories_services *services)
{
    return services->document.text;
}

size_t memories_services_count(const memories_services *services)
{
    return json_count(services->document.json);
}

static json_object *service_at(const memories_services *services, size_t index)
{
    return index < memories_services_count(services) ? json_object_array_get_idx(services->document.json, index) : NULL;
}

#define SERVICE_STRING(name)                                                               \
    const char *memories_services_##name(const memories_services *services, size_t index)  \
    {                                                                                      \
        return json_get_string(service_at(services, index), #name);                        \
    }
SERVICE_STRING(name)
SERVICE_STRING(status)
SERVICE_STRING(message)

#define SERVICE_NUMBER(name)                                                               \
    uint64_t memories_services_##name(const memories_services *services, size_t index)     \
    {                                                                                      \
        json_object *number = json_get(service_at(services, index), #name);                \
        return number ? json_object_get_uint64(number) : 0;                                \
    }
SERVICE_NUMBER(replicas)
SERVICE_NUMBER(running)

size_t memories_services_address_count(const memories_services *services, size_t index)
{
    return json_count(json_get_array(service_at(services, index), "addresses"));
}

const char *memories_services_address(const memories_services *services, size_t index, size_t address)
{
    return element_string(service_at(services, index), "addresses", address);
}

/* ---- Metrics ---- */

memories_metrics *metrics_new(json_object *json, memories_error **error)
{
    memories_metrics *metrics = document_new(sizeof *metrics, json, error);
    if (!metrics)
        return NULL;
    size_t count = (size_t)json_object_object_length(json);
    metrics->names = calloc(count ? count : 1, sizeof *metrics->names);
    if (!metrics->names) {
        memories_metrics_free(metrics);
        error_no_memory(error);
        return NULL;
    }
    json_object_object_foreach(json, name, unused) {
        (void)unused;
        metrics->names[metrics->count++] = name;
    }
    return metrics;
}

void memories_metrics_free(memories_metrics *metrics)
{
    if (!metrics)
        return;
    document_clear(&metrics->document);
    free(metrics->names);
    free(metrics);
}

const char *memories_metrics_json(const memories_metrics *metrics)
{
    return metrics->document.text;
}

size_t memories_metrics_count(const memories_metrics *metrics)
{
    return metrics->count;
}

const char *memories_metrics_name(const memories_metrics *metrics, size_t metric)
{
    return metric < metrics->count ? metrics->names[metric] : NULL;
}

size_t memories_metrics_point_count(const memories_metrics *metrics, size_t metric)
{
    const char *name = memories_metrics_name(metrics, metric);
    return name ? json_count(json_get_array(metrics->document.json, name)) : 0;
}

static json_object *metric_point(const memories_metrics *metrics, size_t metric, size_t point)
{
    const char *name = memories_metrics_name(metrics, metric);
    return name ? element_object(metrics->document.json, name, point) : NULL;
}

const char *memories_metrics_timestamp(const memories_metrics *metrics, size_t metric, size_t point)
{
    return json_get_string(metric_point(metrics, metric, point), "timestamp");
}

double memories_metrics_value(const memories_metrics *metrics, size_t metric, size_t point)
{
    json_object *value = json_get(metric_point(metrics, metric, point), "value");
    return value ? json_object_get_double(value) : 0;
}

const char *memories_metrics_unit(const memories_metrics *metrics, size_t metric, size_t point)
{
    return json_get_string(metric_point(metrics, metric, point), "unit");
}
