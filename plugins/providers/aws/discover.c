/*
 * discover.c - what is there of deployments, found by its marks without any record of it
 *
 * Ties between objects, and what IAM, CloudWatch and SNS keep, are not found but known by name from what the
 * configuration leads to: the core looks for them by read. Asked about resources that were found so, it tells what of
 * them is not as wanted, and the secrets that their instances were given.
 */
#include "plugins/providers/aws/discover.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/kinds.h"
#include "plugins/providers/aws/user_data.h"

/* Where there are objects with marks of their own. */
static const struct {
    enum snapshot_list list;
    const struct kind *kind;
} marked[] = {
    { LIST_VPCS, &kind_vpc },
    { LIST_GATEWAYS, &kind_internet_gateway },
    { LIST_SUBNETS, &kind_subnet },
    { LIST_TABLES, &kind_route_table },
    { LIST_ADDRESSES, &kind_elastic_ip },
    { LIST_NATS, &kind_nat_gateway },
    { LIST_GROUPS, &kind_security_group },
    { LIST_INSTANCES, &kind_instance },
};

struct discovery {
    struct aws *aws;
    struct memories_call *call;
    const char *region;
    json_object *home;
    struct snapshot *snapshot;
    json_object *resources;
    int failed;
};

/* ---- Where ---- */

/* A zone somewhere in the configuration names its region. */
static const char *zone_in(json_object *value)
{
    const char *zone = json_get_string(value, "zone");
    if (!zone && json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner) {
            (void)name;
            zone = zone ? zone : zone_in(inner);
        }
    }
    for (size_t i = 0; !zone && json_object_is_type(value, json_type_array) && i < json_count(value); i++)
        zone = zone_in(json_at(value, i));
    return zone;
}

static int32_t find_region(struct discovery *discovery)
{
    json_object *config = discovery->aws->config;
    discovery->region = json_get_string(config, "region");
    if (!discovery->region)
        discovery->region = aws_region_of_zone(discovery->call, zone_in(config));
    if (!discovery->region) {
        const struct settings *settings = aws_client_settings(&discovery->aws->client, discovery->call);
        if (!settings)
            return MEMORIES_INVALID;
        discovery->region = settings_region(settings);
    }
    if (discovery->region)
        return MEMORIES_OK;
    return plugin_fail(discovery->call, MEMORIES_INVALID, "region",
                       "give --region us-west-2 or another, or set AWS_REGION", "nothing says in which region to look");
}

/* ---- What is marked ---- */

static const char *state_name(uint32_t state)
{
    static const char *const names[] = { "absent", "pending", "ready", "stopped", "broken" };
    return state < ARRAY_COUNT(names) ? names[state] : "broken";
}

/* What its kind sees of it; false: nothing any more. */
static bool look(struct discovery *discovery, const struct kind *kind, const char *key, const char *token,
                 struct sight *sight)
{
    const struct memories_operation operation = {
        .size = sizeof operation, .key = key, .type = kind->type, .token = token
    };
    const struct object object = { .operation = &operation, .kind = kind };
    *sight = (struct sight){ .state = MEMORIES_STATE_ABSENT };
    kind->look(discovery->snapshot, &object, sight);
    return sight->state != MEMORIES_STATE_ABSENT && sight->outputs;
}

static void add_resource(struct discovery *discovery, const struct kind *kind, json_object *item)
{
    json_object *tags = json_get_array(item, "tagSet");
    const char *deployment = tag_of(tags, TAG_DEPLOYMENT), *key = tag_of(tags, TAG_KEY),
               *token = tag_of(tags, TAG_TOKEN);
    const char *node = kind == &kind_instance ? instance_node(discovery->call, item, &token) : NULL;
    struct sight sight;
    if (node && !key)
        key = plugin_format(discovery->call, "node/%s", node);
    if (!deployment || !key || (kind == &kind_instance && instance_is_gone(item)))
        return;
    if (!look(discovery, kind, key, token ? token : "", &sight)) {
        json_object_put(sight.outputs);
        return;
    }
    json_object *resource = json_add_new_object(discovery->resources);
    discovery->failed |= json_set(sight.outputs, "home", json_ref(discovery->home)) |
                         json_set_int(sight.outputs, "created_ms", plugin_host->now_ms(discovery->call));
    discovery->failed |= json_set_new(resource, "outputs", sight.outputs) |
                         json_set_string(resource, "deployment", deployment) | json_set_string(resource, "key", key) |
                         json_set_string(resource, "type", kind->type) |
                         json_set_string(resource, "state", state_name(sight.state));
    if (node)
        discovery->failed |= json_set_string(resource, "node", node);
}

/* Without one of the lists the answer would look whole and not be. */
static int32_t take_snapshot(struct discovery *discovery, const char *deployment)
{
    struct snapshot *snapshot = discovery->snapshot;
    const struct snapshot_scope scope = { .deployment = deployment };
    snapshot->wanted[LIST_CALLER] = true;
    for (size_t i = 0; i < ARRAY_COUNT(marked); i++)
        snapshot->wanted[marked[i].list] = true;
    int32_t code = snapshot_take(snapshot, discovery->aws, discovery->call, discovery->region, &scope);
    for (int list = 0; !code && list < LIST_COUNT; list++)
        if (snapshot->lists[list].error.code)
            code = plugin_host->fail(discovery->call, &snapshot->lists[list].error);
    return code;
}

static int set_home(struct discovery *discovery)
{
    const char *account = json_get_string(json_at(discovery->snapshot->lists[LIST_CALLER].items, 0), "Account");
    if (account)
        aws_note_account(discovery->aws, account);
    discovery->home = json_object_new_object();
    return json_set_string(discovery->home, "account", account) |
           json_set_string(discovery->home, "region", discovery->region) |
           json_set_string(discovery->home, "partition", aws_partition_of(discovery->region)->id);
}

/* NULL: no memory. */
static const char *place_of(const struct discovery *discovery)
{
    return plugin_format(discovery->call, "%s of the account %s", discovery->region,
                         json_get_string(discovery->home, "account"));
}

static int32_t find_marked(struct discovery *discovery, const char *deployment, json_object *result)
{
    int32_t code = take_snapshot(discovery, deployment);
    if (code)
        return code;
    discovery->failed |= set_home(discovery);
    discovery->failed |= json_set_string(result, "place", place_of(discovery));
    for (size_t i = 0; i < ARRAY_COUNT(marked); i++) {
        json_object *items = discovery->snapshot->lists[marked[i].list].items;
        for (size_t k = 0; k < json_count(items); k++)
            add_resource(discovery, marked[i].kind, json_at(items, k));
    }
    if (deployment)
        discovery->failed |= json_set_new(
            result, "choices", discover_choices(discovery->call, discovery->snapshot, deployment, discovery->home));
    json_object_put(discovery->home);
    return discovery->failed ? plugin_no_memory(discovery->call) : MEMORIES_OK;
}

/* ---- What differs ---- */

static bool text_differs(const struct object *object, const char *input, const char *present)
{
    const char *wanted = json_get_string(object->inputs, input);
    return wanted && present && strcmp(wanted, present) != 0;
}

static bool number_differs(const struct object *object, const char *input, json_object *present)
{
    json_object *wanted = json_get(object->inputs, input);
    return wanted && present && json_object_get_double(wanted) != json_object_get_double(present);
}

static int name_if(json_object *names, const char *name, bool differs)
{
    return differs ? json_add_string(names, name) : 0;
}

static int compare_instance(const struct objects *objects, const struct object *object, json_object *instance,
                            json_object *names)
{
    const char *told = user_data_fingerprint(objects->call, object->inputs);
    const char *tells = json_get_string(object->outputs, "runs");
    if (!told)
        return MEMORIES_NO_MEMORY;
    return name_if(names, "bootstrap", !tells || strcmp(told, tells) != 0) |
           name_if(names, "instance_type",
                   text_differs(object, "instance_type", json_get_string(instance, "instanceType"))) |
           name_if(names, "image", text_differs(object, "image", json_get_string(instance, "imageId"))) |
           name_if(names, "address", text_differs(object, "address", json_get_string(instance, "privateIpAddress")));
}

/* Names what can be seen to be otherwise. */
static int compare(const struct objects *objects, const struct snapshot *snapshot, const struct object *object,
                   json_object *names)
{
    const char *id = json_get_string(object->outputs, "id");
    if (object->kind == &kind_instance)
        return compare_instance(
            objects, object,
            snapshot_find(snapshot, LIST_INSTANCES, "instanceId", json_get_string(object->outputs, "instance_id")),
            names);
    if (object->kind == &kind_security_group_rules)
        return name_if(names, "rules",
                       security_group_rules_differ(json_get_array(object->inputs, "rules"),
                                                   json_get_array(object->outputs, "rules")));
    if (object->kind == &kind_vpc) {
        json_object *vpc = snapshot_find(snapshot, LIST_VPCS, "vpcId", id);
        return name_if(names, "cidr", text_differs(object, "cidr", json_get_string(vpc, "cidrBlock")));
    }
    if (object->kind == &kind_subnet) {
        json_object *subnet = snapshot_find(snapshot, LIST_SUBNETS, "subnetId", id);
        return name_if(names, "cidr", text_differs(object, "cidr", json_get_string(subnet, "cidrBlock"))) |
               name_if(names, "zone", text_differs(object, "zone", json_get_string(subnet, "availabilityZone")));
    }
    if (object->kind == &kind_alarm) {
        json_object *alarm = snapshot_find(snapshot, LIST_ALARMS, "AlarmName", object_text(object, "name"));
        return name_if(names, "threshold", number_differs(object, "threshold", json_get(alarm, "Threshold"))) |
               name_if(names, "periods", number_differs(object, "periods", json_get(alarm, "EvaluationPeriods")));
    }
    if (object->kind == &kind_log_group) {
        json_object *group = snapshot_find(snapshot, LIST_LOG_GROUPS, "logGroupName", object_text(object, "log_group"));
        return name_if(names, "retention_days",
                       number_differs(object, "retention_days", json_get(group, "retentionInDays")));
    }
    return 0;
}

static int32_t compare_all(struct objects *objects, struct snapshot *snapshot, json_object *changed)
{
    int failed = 0;
    int32_t code = objects_snapshot(objects, snapshot);
    for (size_t i = 0; !code && i < objects->count; i++) {
        const struct object *object = &objects->items[i];
        AUTO_JSON json_object *names = json_object_new_array();
        if (snapshot->lists[object->kind->list].error.code)
            return plugin_host->fail(objects->call, &snapshot->lists[object->kind->list].error);
        failed |= object->inputs ? compare(objects, snapshot, object, names) : 0;
        if (json_count(names))
            failed |= json_set(changed, object->operation->key, json_ref(names));
    }
    return failed ? plugin_no_memory(objects->call) : code;
}

/* ---- Secrets ---- */

static bool has_secrets(const struct object *object)
{
    json_object *files = json_get_array(json_get_object(object->inputs, "bootstrap"), "files");
    bool has = false;
    for (size_t i = 0; object->kind == &kind_instance && i < json_count(files); i++)
        has |= json_get_string(json_at(files, i), "secret") != NULL;
    return has;
}

/* AWS tells the user data of one instance a request. */
static bool ask_user_data(struct objects *objects, struct object *object, void *user_data, struct aws_request *request)
{
    (void)objects;
    (void)user_data;
    if (!has_secrets(object))
        return false;
    AUTO_JSON json_object *parameters = json_object_new_object();
    int failed = json_set_string(parameters, "Attribute", "userData") |
                 json_set_string(parameters, "InstanceId", object_text(object, "instance_id"));
    *request = (struct aws_request){ &aws_ec2, "DescribeInstanceAttribute", failed ? NULL : STEAL(parameters) };
    return true;
}

/* What may pass is asked again; who may not see it is told what is lost by that. */
static int32_t take_user_data(struct objects *objects, struct object *object, void *secrets, int32_t code,
                              const struct aws_reply *reply)
{
    const char *data = code ? NULL : json_get_string(json_get_object(reply->document, "userData"), "value");
    if (code)
        return code;
    if (failure_may_pass(reply->error.code))
        return plugin_host->fail(objects->call, &reply->error);
    if (reply->error.code)
        plugin_log(objects->call, MEMORIES_LOG_WARNING, "the user data of %s can't be read: %s%s%s",
                   object->operation->key, reply->error.message, reply->error.cause ? ": " : "",
                   reply->error.cause ? reply->error.cause : "");
    int failed = data ? user_data_secrets(objects->call, data, object->inputs, secrets) : 0;
    return failed ? plugin_no_memory(objects->call) : MEMORIES_OK;
}

/* ---- The slot ---- */

/* The resources as operations; in the call's memory. NULL: none left. */
static const struct memories_operation *const *operations_of(struct memories_call *call, json_object *resources)
{
    size_t count = json_count(resources);
    struct memories_operation *operations = plugin_host->allocate(call, (count + 1) * sizeof *operations);
    const struct memories_operation **pointers = plugin_host->allocate(call, (count + 1) * sizeof *pointers);
    for (size_t i = 0; operations && pointers && i < count; i++) {
        json_object *resource = json_at(resources, i), *inputs = json_get_object(resource, "inputs");
        json_object *outputs = json_get_object(resource, "outputs");
        operations[i] = (struct memories_operation){
            .size = sizeof operations[i],
            .key = json_get_string(resource, "key"),
            .type = json_get_string(resource, "type"),
            .token = "",
            .inputs = inputs ? json_object_to_json_string(inputs) : NULL,
            .outputs = outputs ? json_object_to_json_string(outputs) : NULL,
        };
        pointers[i] = &operations[i];
    }
    return operations ? pointers : NULL;
}

static int32_t judge(struct discovery *discovery, json_object *resources, json_object *result)
{
    const struct memories_operation *const *operations = operations_of(discovery->call, resources);
    json_object *changed = json_set_new_object(result, "changed"), *secrets = json_set_new_object(result, "secrets");
    struct objects objects;
    if (!operations || !changed || !secrets)
        return plugin_no_memory(discovery->call);
    if (!json_count(resources))
        return MEMORIES_OK;
    int32_t code = objects_open(&objects, discovery->aws, discovery->call, operations, json_count(resources));
    if (!code)
        code = compare_all(&objects, discovery->snapshot, changed);
    if (!code)
        code = objects_ask(&objects, &(struct errand){ ask_user_data, take_user_data }, secrets);
    objects_clear(&objects);
    return code;
}

int32_t aws_discover(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of discover");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    struct discovery discovery = { .aws = instance, .call = call };
    json_object *asked = json_get_array(document, "resources");
    discovery.snapshot = plugin_host->allocate(call, sizeof *discovery.snapshot);
    discovery.resources = json_set_new_array(result, "resources");
    if (!discovery.snapshot || !discovery.resources)
        return plugin_no_memory(call);
    int32_t code = find_region(&discovery);
    if (!code)
        code = asked ? judge(&discovery, asked, result)
                     : find_marked(&discovery, json_get_string(document, "deployment"), result);
    snapshot_clear(discovery.snapshot);
    return code ? code : plugin_result(call, STEAL(result));
}
