/* estimate.c - how many calls a new deployment takes, when all goes well */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/kinds.h"

/* One line for each step and action; `count` more of it. */
static int add(json_object *calls, const char *step, const char *action, size_t count)
{
    for (size_t i = 0; i < json_count(calls); i++) {
        json_object *line = json_at(calls, i);
        if (!strcmp(json_get_string(line, "action"), action) && !strcmp(json_get_string(line, "step"), step))
            return json_set_int(line, "count", json_get_int(line, "count", 0) + (int64_t)count);
    }
    json_object *line = count ? json_add_new_object(calls) : NULL;
    return count ? json_set_string(line, "step", step) | json_set_string(line, "action", action) |
                       json_set_int(line, "count", (int64_t)count)
                 : 0;
}

/* What the preflight has just asked is asked again by the deployment's own. */
static int add_questions(struct aws *aws, json_object *calls)
{
    int failed = 0;
    pthread_mutex_lock(&aws->lock);
    json_object_object_foreach(aws->asked, action, count)
        failed |= add(calls, "prepare", action, (size_t)json_object_get_int64(count));
    pthread_mutex_unlock(&aws->lock);
    return failed;
}

static int add_creation(json_object *calls, json_object *operation)
{
    const char *type = json_get_string(operation, "type");
    const struct kind *kind = type ? kind_of(type) : NULL;
    if (!kind || kind == &kind_instance)
        return 0;
    if (kind == &kind_main_route_table)
        return add(calls, "create", "DescribeRouteTables", 1);
    if (kind == &kind_log_group) {
        bool retained = json_get(json_get_object(operation, "inputs"), "retention_days");
        return add(calls, "create", "CreateLogGroup", 1) |
               (retained ? add(calls, "create", "PutRetentionPolicy", 1) : 0);
    }
    int failed = add(calls, "create", kind->create, 1);
    return kind == &kind_nat_gateway ? failed | add(calls, "wait", "DescribeNatGateways", 1) : failed;
}

/* All nodes are looked at together. */
static int add_launches(struct memories_call *call, json_object *calls, json_object *operations)
{
    json_object **inputs = plugin_host->allocate(call, (json_count(operations) + 1) * sizeof(json_object *));
    size_t count = 0;
    for (size_t i = 0; inputs && i < json_count(operations); i++) {
        const char *type = json_get_string(json_at(operations, i), "type");
        if (type && !strcmp(type, kind_instance.type))
            inputs[count++] = json_get_object(json_at(operations, i), "inputs");
    }
    size_t launches = inputs ? instances_launch_count(call, inputs, count) : 0;
    if (count && !launches)
        return MEMORIES_NO_MEMORY;
    return add(calls, "create", "RunInstances", launches) | add(calls, "wait", "DescribeInstances", count > 0);
}

int32_t aws_estimate(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of estimate");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    json_object *calls = json_set_new_array(result, "calls"), *operations = json_get_array(document, "operations");
    int failed = !calls || add_questions(instance, calls);
    for (size_t i = 0; !failed && i < json_count(operations); i++)
        failed = add_creation(calls, json_at(operations, i));
    failed = failed || add_launches(call, calls, operations) ||
             json_set_string(result, "more", "one for each further look while something is not ready yet");
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}
