/*
 * instances.c - nodes: EC2 instances with their volumes
 *
 * Nodes that are alike and have no address of their own to ask for are launched by one request: it marks all of its
 * instances alike, so a mark lists the nodes with the beginnings of their tokens, in the order of the launch index.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/hash.h"
#include "plugins/providers/aws/iso_time.h"
#include "plugins/providers/aws/kinds.h"
#include "plugins/providers/aws/user_data.h"

/* AWS advises against more at a time. */
#define LAUNCHED_AT_ONCE 100
/* "memories-members", "memories-members-1", …: a value holds 256 characters. */
#define TAG_MEMBERS "memories-members"
#define TAG_VALUE_MAX 256
/* A fingerprint of what the instance was last told to run. */
#define TAG_RUNS "memories-runs"
#define MEMBER_TOKEN_LENGTH 8
#define NODE_PREFIX "node/"
/* While a node starts, the pauses between looks grow with the time it has taken; when one stops, nobody says since
 * when. */
#define POLL_LEAST_MS 250
#define POLL_MOST_MS 5000
#define STOP_POLL_MS 2000
#define PROFILE_POLL_MS 3000

/* ---- Launches ---- */

struct launch {
    struct object *members[LAUNCHED_AT_ONCE];
    size_t count;
    char *likeness;   /* what is alike; NULL: nobody else can join */
    const char *zone; /* where it is tried, and the subnet there */
    const char *subnet;
    char token[SHA256_HEX];
    json_object *parameters; /* owned */
};

/* Everything but the name; NULL for one that has an address of its own. */
static char *likeness_of(const struct object *object)
{
    AUTO_JSON json_object *alike = NULL;
    if (json_get(object->inputs, "address") || json_object_deep_copy(object->inputs, &alike, NULL))
        return NULL;
    json_object_object_del(alike, "name");
    const char *text = json_object_to_json_string_ext(alike, JSON_C_TO_STRING_PLAIN);
    return text ? strdup(text) : NULL;
}

/* The token of a lone launch is its node's; of several it follows from theirs. */
static bool make_token(struct memories_call *call, struct launch *launch)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    if (launch->count == 1) {
        snprintf(launch->token, sizeof launch->token, "%s", launch->members[0]->operation->token);
        return true;
    }
    for (size_t i = 0; i < launch->count; i++)
        plugin_text_printf(&text, "%s\n", launch->members[i]->operation->token);
    const char *tokens = plugin_text_take(&text);
    return tokens && hash_sha256_hex(tokens, strlen(tokens), launch->token);
}

/* The first place that has not refused this type: the wanted one, or with nothing tied to an address another. */
static void choose_place(struct aws *aws, struct launch *launch)
{
    json_object *inputs = launch->members[0]->inputs, *places = json_get_array(inputs, "elsewhere");
    const char *type = json_get_string(inputs, "instance_type");
    launch->zone = json_get_string(inputs, "zone");
    launch->subnet = json_get_string(inputs, "subnet");
    for (size_t i = 0; aws_is_refused(aws, launch->zone, type) && i < json_count(places); i++) {
        const char *zone = json_get_string(json_at(places, i), "zone");
        if (!zone || aws_is_refused(aws, zone, type))
            continue;
        launch->zone = zone;
        launch->subnet = json_get_string(json_at(places, i), "subnet");
        return;
    }
}

/* ---- Requests ---- */

static int add_volume(json_object *mappings, const char *device, json_object *volume)
{
    json_object *mapping = json_add_new_object(mappings), *ebs = json_set_new_object(mapping, "Ebs");
    static const char *const numbers[][2] = { { "VolumeSize", "size" },
                                              { "Iops", "iops" },
                                              { "Throughput", "throughput" } };
    int failed = json_set_string(mapping, "DeviceName", device) | json_set_bool(ebs, "Encrypted", true) |
                 json_set_bool(ebs, "DeleteOnTermination", true) |
                 json_set_string(ebs, "VolumeType", json_get_string(volume, "type"));
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
        if (json_get(volume, numbers[i][1]))
            failed |= json_set_int(ebs, numbers[i][0], json_get_int(volume, numbers[i][1], 0));
    return failed;
}

static int add_volumes(json_object *parameters, json_object *inputs)
{
    json_object *mappings = json_set_new_array(parameters, "BlockDeviceMapping");
    json_object *volumes = json_get_object(inputs, "volumes"), *data = json_get_object(volumes, "data");
    int failed = add_volume(mappings, json_get_string(inputs, "root_device"), json_get_object(volumes, "root"));
    return data ? failed | add_volume(mappings, USER_DATA_DEVICE, data) : failed;
}

static int add_interface(json_object *parameters, const struct launch *launch)
{
    json_object *inputs = launch->members[0]->inputs;
    json_object *interface = json_add_new_object(json_set_new_array(parameters, "NetworkInterface"));
    const char *address = json_get_string(inputs, "address");
    int failed = json_set_int(interface, "DeviceIndex", 0) | json_set_string(interface, "SubnetId", launch->subnet) |
                 json_set_bool(interface, "AssociatePublicIpAddress", json_get_bool(inputs, "public_ip", false)) |
                 json_set_bool(interface, "DeleteOnTermination", true) |
                 json_set(interface, "SecurityGroupId", json_ref(json_get_array(inputs, "security_groups")));
    return address ? failed | json_set_string(interface, "PrivateIpAddress", address) : failed;
}

/* Tokens are required of whoever asks the instance's metadata service; containers are one hop away. */
static int add_metadata_options(json_object *parameters)
{
    json_object *options = json_set_new_object(parameters, "MetadataOptions");
    return json_set_string(options, "HttpTokens", "required") | json_set_string(options, "HttpEndpoint", "enabled") |
           json_set_int(options, "HttpPutResponseHopLimit", 2);
}

static const char *node_of(const struct object *object)
{
    return object->operation->key + strlen(NODE_PREFIX);
}

static int add_tag(json_object *tags, const char *key, const char *value)
{
    json_object *tag = json_add_new_object(tags);
    return json_set_string(tag, "Key", key) | (value ? json_set_string(tag, "Value", value) : MEMORIES_NO_MEMORY);
}

/* "worker-1:0a1b2c3d,worker-2:…" in as many tags as it takes. */
static int add_members(struct memories_call *call, const struct launch *launch, json_object *tags)
{
    struct plugin_text value = PLUGIN_TEXT(call);
    int failed = 0, number = 0;
    for (size_t i = 0; i < launch->count; i++) {
        const char *member = plugin_format(call, "%s:%.*s", node_of(launch->members[i]), MEMBER_TOKEN_LENGTH,
                                           launch->members[i]->operation->token);
        if (!member)
            return MEMORIES_NO_MEMORY;
        if (value.length && value.length + 1 + strlen(member) > TAG_VALUE_MAX) {
            failed |= add_tag(tags, number ? plugin_format(call, TAG_MEMBERS "-%d", number) : TAG_MEMBERS,
                              plugin_text_take(&value));
            value = PLUGIN_TEXT(call);
            number++;
        }
        plugin_text_printf(&value, "%s%s", value.length ? "," : "", member);
    }
    return failed | add_tag(tags, number ? plugin_format(call, TAG_MEMBERS "-%d", number) : TAG_MEMBERS,
                            plugin_text_take(&value));
}

static int add_marks(const struct objects *objects, const struct launch *launch)
{
    static const char *const kinds[] = { "instance", "volume" };
    const char *runs = user_data_fingerprint(objects->call, launch->members[0]->inputs);
    int failed = 0;
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        json_object *list = json_get_array(launch->parameters, "TagSpecification");
        json_object *specification =
            json_add_new_object(list ? list : json_set_new_array(launch->parameters, "TagSpecification"));
        json_object *tags = json_set_new_array(specification, "Tag");
        failed |= json_set_string(specification, "ResourceType", kinds[i]) | add_tag(tags, TAG_RUNS, runs);
        if (launch->count == 1)
            failed |= object_add_tags(objects, launch->members[0], tags, "Key", "Value");
        else
            failed |= add_tag(tags, "Name", objects->aws->deployment) |
                      add_tag(tags, TAG_DEPLOYMENT, objects->aws->deployment) |
                      add_members(objects->call, launch, tags);
    }
    return failed;
}

/* Secrets come in here, and go no further than into the request. */
static int32_t compose(struct objects *objects, struct launch *launch)
{
    json_object *inputs = launch->members[0]->inputs;
    const char *profile = json_get_string(inputs, "profile"), *key_name = json_get_string(inputs, "key_name");
    const char *nodes[LAUNCHED_AT_ONCE], *data = NULL;
    for (size_t i = 0; i < launch->count; i++)
        nodes[i] = node_of(launch->members[i]);
    int32_t code = user_data_render(objects->call, inputs, nodes, launch->count, &data);
    if (code)
        return code;
    json_object *parameters = launch->parameters = json_object_new_object();
    int failed = json_set_string(parameters, "ImageId", json_get_string(inputs, "image")) |
                 json_set_string(parameters, "InstanceType", json_get_string(inputs, "instance_type")) |
                 json_set_int(parameters, "MinCount", (int64_t)launch->count) |
                 json_set_int(parameters, "MaxCount", (int64_t)launch->count) |
                 json_set_string(parameters, "ClientToken", launch->token) |
                 json_set_string(parameters, "UserData", data) | add_volumes(parameters, inputs) |
                 add_interface(parameters, launch) | add_metadata_options(parameters);
    if (profile)
        failed |= json_set_string(json_set_new_object(parameters, "IamInstanceProfile"), "Name", profile);
    if (key_name)
        failed |= json_set_string(parameters, "KeyName", key_name);
    if (json_get_bool(inputs, "detailed_monitoring", false))
        failed |= json_set_bool(json_set_new_object(parameters, "Monitoring"), "Enabled", true);
    failed |= add_marks(objects, launch);
    return failed ? plugin_no_memory(objects->call) : MEMORIES_OK;
}

/* ---- What an instance tells ---- */

static const char *text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

/* `address` is where the operator's machine reaches it. */
static json_object *outputs_of(json_object *instance)
{
    const char *private_address = text_or_null(json_get_string(instance, "privateIpAddress"));
    const char *public_ip = text_or_null(json_get_string(instance, "ipAddress"));
    AUTO_JSON json_object *outputs = json_object_new_object();
    int failed =
        json_set_string(outputs, "instance_id", json_get_string(instance, "instanceId")) |
        json_set_string(outputs, "address", public_ip ? public_ip : private_address) |
        json_set_string(outputs, "private_address", private_address) |
        json_set_string(outputs, "public_ip", public_ip) |
        json_set_string(outputs, "zone", json_get_string(json_get_object(instance, "placement"), "availabilityZone")) |
        json_set_string(outputs, "machine_type", json_get_string(instance, "instanceType")) |
        json_set_string(outputs, "runs", tag_of(json_get_array(instance, "tagSet"), TAG_RUNS));
    return failed ? NULL : STEAL(outputs);
}

static const char *state_of(json_object *instance)
{
    const char *state = json_get_string(json_get_object(instance, "instanceState"), "name");
    return state ? state : "";
}

/* The part NAME:TOKEN of a list of members that stands at `wanted`, *index being that of the first; NULL: it is not there. */
static const char *member_at(const char *members, size_t *index, size_t wanted, size_t *length)
{
    for (const char *at = members; at && *at; *index += 1) {
        *length = strcspn(at, ",");
        if (*index == wanted)
            return at;
        at += *length + (at[*length] == ',');
    }
    return NULL;
}

/* Which of a launch of several an instance is, by its place in it: NAME:TOKEN. */
static const char *member_of(json_object *instance, size_t *length)
{
    json_object *tags = json_get_array(instance, "tagSet");
    const char *launch_index = json_get_string(instance, "amiLaunchIndex"), *members = tag_of(tags, TAG_MEMBERS);
    size_t wanted = launch_index ? strtoul(launch_index, NULL, 10) : 0, index = 0;
    for (int number = 1; members; number++) {
        const char *member = member_at(members, &index, wanted, length);
        if (member)
            return member;
        char name[sizeof TAG_MEMBERS + 12];
        snprintf(name, sizeof name, TAG_MEMBERS "-%d", number);
        members = tag_of(tags, name);
    }
    return NULL;
}

static bool is_member(json_object *instance, const struct object *object)
{
    const char *node = node_of(object), *token = object->operation->token;
    size_t length = strlen(node), part = 0;
    const char *member = member_of(instance, &part);
    return member && part > length && !strncmp(member, node, length) && member[length] == ':' &&
           (!token || !*token || !strncmp(member + length + 1, token, part - length - 1));
}

const char *instance_node(struct memories_call *call, json_object *instance, const char **token)
{
    json_object *tags = json_get_array(instance, "tagSet");
    const char *key = tag_of(tags, TAG_KEY);
    size_t length = 0;
    *token = tag_of(tags, TAG_TOKEN);
    if (key)
        return strncmp(key, NODE_PREFIX, strlen(NODE_PREFIX)) ? NULL : key + strlen(NODE_PREFIX);
    const char *member = member_of(instance, &length);
    const char *colon = member ? memchr(member, ':', length) : NULL;
    if (!colon)
        return NULL;
    *token = plugin_format(call, "%.*s", (int)(member + length - colon - 1), colon + 1);
    return plugin_format(call, "%.*s", (int)(colon - member), member);
}

bool instance_is_gone(json_object *instance)
{
    return !strcmp(state_of(instance), "terminated") || !strcmp(state_of(instance), "shutting-down");
}

/* By its id, or by its marks: then those that are gone don't count, they keep their marks for an hour. */
static json_object *find_instance(const struct snapshot *snapshot, const struct object *object)
{
    const char *id = json_get_string(object->outputs, "instance_id");
    json_object *instances = snapshot->lists[LIST_INSTANCES].items;
    if (id)
        return snapshot_find(snapshot, LIST_INSTANCES, "instanceId", id);
    for (size_t i = 0; i < json_count(instances); i++) {
        json_object *instance = json_at(instances, i);
        if (!instance_is_gone(instance) && (object_is_marked(object, json_get_array(instance, "tagSet")) || is_member(instance, object)))
            return instance;
    }
    return NULL;
}

static uint32_t poll_ms(struct memories_call *call, json_object *instance)
{
    const char *launched = json_get_string(instance, "launchTime");
    int64_t pause_ms = (plugin_host->now_ms(call) - iso_time_parse(launched)) / 4;
    if (strcmp(state_of(instance), "pending") != 0 || !launched)
        return STOP_POLL_MS;
    return pause_ms < POLL_LEAST_MS ? POLL_LEAST_MS : pause_ms > POLL_MOST_MS ? POLL_MOST_MS : (uint32_t)pause_ms;
}

static void instance_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    static const struct {
        const char *name;
        uint32_t state;
    } states[] = { { "pending", MEMORIES_STATE_PENDING },       { "running", MEMORIES_STATE_READY },
                   { "stopping", MEMORIES_STATE_PENDING },      { "stopped", MEMORIES_STATE_STOPPED },
                   { "shutting-down", MEMORIES_STATE_PENDING }, { "terminated", MEMORIES_STATE_ABSENT } };
    json_object *instance = find_instance(snapshot, object);
    if (!instance)
        return;
    json_object *reason = json_get_object(instance, "stateReason");
    sight->state = MEMORIES_STATE_BROKEN;
    for (size_t i = 0; i < ARRAY_COUNT(states); i++)
        if (!strcmp(states[i].name, state_of(instance)))
            sight->state = states[i].state;
    sight->poll_ms = poll_ms(snapshot->call, instance);
    if (sight->state != MEMORIES_STATE_ABSENT) {
        sight->outputs = outputs_of(instance);
        return;
    }
    const char *code = json_get_string(reason, "code");
    sight->reason_code = code ? code : "terminated";
    sight->reason = json_get_string(reason, "message");
}

/* ---- Create ---- */

static void join_launch(struct launch *launches, size_t *count, struct object *object, char *likeness)
{
    for (size_t i = 0; likeness && i < *count; i++) {
        struct launch *launch = &launches[i];
        if (launch->count == LAUNCHED_AT_ONCE || !launch->likeness || strcmp(launch->likeness, likeness) != 0)
            continue;
        launch->members[launch->count++] = object;
        free(likeness);
        return;
    }
    struct launch *launch = &launches[(*count)++];
    launch->members[launch->count++] = object;
    launch->likeness = likeness;
}

size_t instances_launch_count(struct memories_call *call, json_object *const *inputs, size_t count)
{
    struct object *objects = plugin_host->allocate(call, (count + 1) * sizeof *objects);
    struct launch *launches = plugin_host->allocate(call, (count + 1) * sizeof *launches);
    size_t launch_count = 0;
    for (size_t i = 0; objects && launches && i < count; i++) {
        objects[i].inputs = inputs[i];
        join_launch(launches, &launch_count, &objects[i], likeness_of(&objects[i]));
    }
    for (size_t i = 0; i < launch_count; i++)
        free(launches[i].likeness);
    return launch_count;
}

/* Of nodes launched together some may be seen sooner than others; as long as one is missing, asking again under another
 * token could make it twice. The same request under the same token is safe: what is not seen waits only with others'
 * company. */
static void adopt_launched(struct objects *objects, struct object *object, struct sight *sight)
{
    if (sight->outputs)
        object_answer(objects, object, MEMORIES_STATE_PENDING, sight->outputs, 1);
    else if (!json_get(object->inputs, "address"))
        object_waits_for_doubt(objects, object);
}

static void take_refusal(struct objects *objects, const struct launch *launch, const struct aws_reply *reply)
{
    struct memories_error_detail error = reply->error;
    const char *type = json_get_string(launch->members[0]->inputs, "instance_type");
    if (error.code == MEMORIES_CAPACITY) {
        for (size_t i = 0; i < launch->count; i++)
            aws_note_refused(objects->aws, node_of(launch->members[i]), launch->zone, type);
        const char *message = plugin_format(objects->call, "there is no %s to be had in %s now", type, launch->zone);
        error.message = message ? message : error.message;
    }
    /* A profile that was made a moment ago: EC2 hears of it up to two minutes later. */
    if (error.cause && strstr(error.cause, "Invalid IAM Instance Profile")) {
        error.code = MEMORIES_TRANSIENT;
        error.retry_after_ms = PROFILE_POLL_MS;
    }
    for (size_t i = 0; i < launch->count; i++) {
        if (failure_is_not_found(reply->code) || failure_is_taken(reply->code))
            object_fail_unsettled(objects, launch->members[i], &error);
        else
            object_fail(objects, launch->members[i], &error);
    }
}

static void take_launch(struct objects *objects, const struct launch *launch, const struct aws_reply *reply)
{
    json_object *instances = json_get_array(reply->document, "instancesSet");
    if (reply->error.code) {
        take_refusal(objects, launch, reply);
        return;
    }
    for (size_t i = 0; i < json_count(instances); i++) {
        const char *launch_index = json_get_string(json_at(instances, i), "amiLaunchIndex");
        size_t index = launch_index ? strtoul(launch_index, NULL, 10) : i;
        json_object *outputs = index < launch->count ? outputs_of(json_at(instances, i)) : NULL;
        if (outputs)
            aws_note_placed(objects->aws, node_of(launch->members[index]));
        if (outputs && !launch->members[index]->answered)
            object_answer(objects, launch->members[index], MEMORIES_STATE_PENDING, outputs, 1);
        else
            json_object_put(outputs);
    }
    for (size_t i = 0; i < launch->count; i++)
        if (!launch->members[i]->answered)
            object_fail_with(objects, launch->members[i], MEMORIES_TRANSIENT, NULL, "RunInstances did not name it");
}

static int32_t send_launches(struct objects *objects, struct launch *launches, size_t count)
{
    struct memories_call *call = objects->call;
    struct aws_request *requests = plugin_host->allocate(call, (count + 1) * sizeof *requests);
    struct aws_reply *replies = plugin_host->allocate(call, (count + 1) * sizeof *replies);
    int32_t code = requests && replies ? MEMORIES_OK : plugin_no_memory(call);
    for (size_t i = 0; !code && i < count; i++) {
        choose_place(objects->aws, &launches[i]);
        code = make_token(call, &launches[i]) ? compose(objects, &launches[i]) : plugin_no_memory(call);
        requests[i] = (struct aws_request){ &aws_ec2, "RunInstances", launches[i].parameters };
    }
    if (!code && count)
        code = aws_send(&objects->aws->client, call, objects->region, requests, count, replies);
    for (size_t i = 0; replies && i < count; i++) {
        for (size_t k = 0; k < launches[i].count; k++)
            object_note_effect(objects, launches[i].members[k],
                               code == MEMORIES_CANCELLED || aws_reply_may_have_effect(&replies[i]));
        if (!code)
            take_launch(objects, &launches[i], &replies[i]);
    }
    if (replies)
        aws_replies_clear(replies, count);
    return code;
}

static int32_t instance_create(struct objects *objects)
{
    struct launch *launches = plugin_host->allocate(objects->call, objects->count * sizeof *launches);
    size_t count = 0;
    if (!launches)
        return plugin_no_memory(objects->call);
    int32_t code = objects_look_for(objects, object_is_in_doubt, adopt_launched);
    for (size_t i = 0; !code && i < objects->count; i++)
        if (!objects->items[i].answered)
            join_launch(launches, &count, &objects->items[i], likeness_of(&objects->items[i]));
    if (!code)
        code = send_launches(objects, launches, count);
    for (size_t i = 0; i < count; i++) {
        free(launches[i].likeness);
        json_object_put(launches[i].parameters);
    }
    return code;
}

/* ---- Everything that is done to several by one request ---- */

static json_object *ids_of(const struct object *const *chosen, size_t count)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    json_object *ids = json_set_new_array(parameters, "InstanceId");
    int failed = 0;
    for (size_t i = 0; i < count; i++)
        failed |= json_add_string(ids, json_get_string(chosen[i]->outputs, "instance_id"));
    return failed || !ids ? NULL : STEAL(parameters);
}

static int32_t ask_for(struct objects *objects, const char *action, const struct object *const *chosen, size_t count,
                       struct aws_reply *reply)
{
    AUTO_JSON json_object *parameters = ids_of(chosen, count);
    const struct aws_request request = { &aws_ec2, action, parameters };
    *reply = (struct aws_reply){ 0 };
    if (!parameters)
        return plugin_no_memory(objects->call);
    return aws_send(&objects->aws->client, objects->call, objects->region, &request, 1, reply);
}

/* ---- Destroy ---- */

/* One id that is gone fails the request for all: those that are still there are looked for then. */
static int32_t leave_out_gone(struct objects *objects, const struct object **chosen, size_t *count)
{
    struct snapshot *snapshot = plugin_host->allocate(objects->call, sizeof *snapshot);
    if (!snapshot)
        return plugin_no_memory(objects->call);
    int32_t code = objects_snapshot(objects, snapshot);
    if (!code && snapshot->lists[LIST_INSTANCES].error.code)
        code = plugin_host->fail(objects->call, &snapshot->lists[LIST_INSTANCES].error);
    *count = 0;
    for (size_t i = 0; !code && i < objects->count; i++) {
        struct object *object = &objects->items[i];
        if (object->answered)
            continue;
        if (find_instance(snapshot, object))
            chosen[(*count)++] = object;
        else if (!object_may_be_hidden(objects, object))
            object_answer(objects, object, MEMORIES_STATE_ABSENT, NULL, 0);
    }
    snapshot_clear(snapshot);
    return code;
}

/* Whether the reply says that it has ended already. */
static bool has_ended(json_object *reply, const struct object *object)
{
    const char *id = json_get_string(object->outputs, "instance_id");
    json_object *instances = json_get_array(reply, "instancesSet");
    for (size_t i = 0; id && i < json_count(instances); i++) {
        const char *found = json_get_string(json_at(instances, i), "instanceId");
        const char *state = json_get_string(json_get_object(json_at(instances, i), "currentState"), "name");
        if (found && state && !strcmp(found, id))
            return !strcmp(state, "terminated");
    }
    return false;
}

static int32_t instance_destroy(struct objects *objects)
{
    const struct object **chosen = plugin_host->allocate(objects->call, (objects->count + 1) * sizeof *chosen);
    size_t count = 0;
    struct aws_reply reply = { 0 };
    if (!chosen)
        return plugin_no_memory(objects->call);
    for (size_t i = 0; i < objects->count; i++)
        if (!objects->items[i].answered)
            chosen[count++] = &objects->items[i];
    int32_t code = count ? ask_for(objects, "TerminateInstances", chosen, count, &reply) : MEMORIES_OK;
    if (!code && failure_is_not_found(reply.code)) {
        aws_replies_clear(&reply, 1);
        code = leave_out_gone(objects, chosen, &count);
        if (!code && count)
            code = ask_for(objects, "TerminateInstances", chosen, count, &reply);
    }
    for (size_t i = 0; !code && i < objects->count; i++) {
        struct object *object = &objects->items[i];
        if (object->answered)
            continue;
        if (reply.error.code)
            object_fail(objects, object, &reply.error);
        else
            object_answer(objects, object,
                          has_ended(reply.document, object) ? MEMORIES_STATE_ABSENT : MEMORIES_STATE_PENDING, NULL, 1);
    }
    aws_replies_clear(&reply, 1);
    return code;
}

/* ---- Update: switched off, told something else, switched on ---- */

static bool is_as_wanted(const struct object *object, const char *wanted, json_object *outputs)
{
    const char *runs = json_get_string(outputs, "runs");
    const char *type = json_get_string(object->inputs, "instance_type");
    const char *has_type = json_get_string(outputs, "machine_type");
    return runs && !strcmp(wanted, runs) && type && has_type && !strcmp(type, has_type);
}

/* AWS changes one attribute a request. The mark comes last: without it all of this is done again, which is as well. */
static int32_t tell_anew(struct objects *objects, const struct object *object, struct aws_reply *reply)
{
    const char *id = json_get_string(object->outputs, "instance_id"), *node = node_of(object), *data = NULL;
    const char *runs = user_data_fingerprint(objects->call, object->inputs);
    int32_t code = user_data_render(objects->call, object->inputs, &node, 1, &data);
    AUTO_JSON json_object *told = json_object_new_object();
    AUTO_JSON json_object *type = json_object_new_object();
    AUTO_JSON json_object *mark = json_object_new_object();
    if (code)
        return code;
    json_object *tag = json_add_new_object(json_set_new_array(mark, "Tag"));
    int failed = json_set_string(told, "InstanceId", id) |
                 json_set_string(json_set_new_object(told, "UserData"), "Value", data) |
                 json_set_string(type, "InstanceId", id) |
                 json_set_string(json_set_new_object(type, "InstanceType"), "Value",
                                 json_get_string(object->inputs, "instance_type")) |
                 json_add_string(json_set_new_array(mark, "ResourceId"), id) | json_set_string(tag, "Key", TAG_RUNS) |
                 json_set_string(tag, "Value", runs);
    const struct aws_request requests[] = { { &aws_ec2, "ModifyInstanceAttribute", told },
                                            { &aws_ec2, "ModifyInstanceAttribute", type },
                                            { &aws_ec2, "CreateTags", mark } };
    if (failed || !runs)
        return plugin_no_memory(objects->call);
    for (size_t i = 0; !code && !reply->error.code && i < ARRAY_COUNT(requests); i++) {
        aws_replies_clear(reply, 1);
        code = aws_send(&objects->aws->client, objects->call, objects->region, &requests[i], 1, reply);
    }
    return code;
}

/* A launch that came to nothing after its reply is begun anew, elsewhere if there was no room for it. */
static void note_late_refusal(const struct objects *objects, const struct object *object, const struct sight *sight)
{
    const char *zone = json_get_string(object->outputs, "zone");
    const char *type = json_get_string(object->inputs, "instance_type");
    if (zone && type && failure_of_reason(sight->reason_code) == MEMORIES_CAPACITY)
        aws_note_refused(objects->aws, node_of(object), zone, type);
}

/* The next step of an update, or of a creation that is to end switched off, from what the instance is now. */
static int32_t instance_advance(struct objects *objects, struct object *object, struct sight *sight)
{
    struct aws_reply reply = { 0 };
    const struct object *chosen[] = { object };
    int32_t code = MEMORIES_OK;
    bool stopped = sight->state == MEMORIES_STATE_STOPPED, on = object->operation->power_on;
    if (sight->reason_code)
        note_late_refusal(objects, object, sight);
    if (sight->state != MEMORIES_STATE_READY && !stopped)
        return MEMORIES_OK; /* on its way */
    const char *wanted = user_data_fingerprint(objects->call, object->inputs);
    if (!wanted)
        return plugin_no_memory(objects->call);
    bool as_wanted = is_as_wanted(object, wanted, sight->outputs ? sight->outputs : object->outputs);
    if (as_wanted && stopped == !on)
        return MEMORIES_OK;
    plugin_host->progress(objects->call, object->index, !stopped ? "switches off" : "switches on");
    if (!stopped)
        code = ask_for(objects, "StopInstances", chosen, 1, &reply);
    else if (!as_wanted)
        code = tell_anew(objects, object, &reply);
    if (!code && !reply.error.code && stopped && on) {
        aws_replies_clear(&reply, 1);
        code = ask_for(objects, "StartInstances", chosen, 1, &reply);
    }
    if (!code && reply.error.code)
        object_fail(objects, object, &reply.error);
    else if (!stopped || on) {
        sight->state = MEMORIES_STATE_PENDING;
        sight->poll_ms = 1;
    }
    aws_replies_clear(&reply, 1);
    return code;
}

/* It begins with a look, like each of its later steps. */
static int32_t instance_update(struct objects *objects)
{
    return objects_read(objects);
}

/* ---- Power ---- */

static int32_t switch_all(struct objects *objects, bool on)
{
    const struct object **chosen = plugin_host->allocate(objects->call, (objects->count + 1) * sizeof *chosen);
    size_t count = 0;
    struct aws_reply reply = { 0 };
    if (!chosen)
        return plugin_no_memory(objects->call);
    for (size_t i = 0; i < objects->count; i++)
        if (!objects->items[i].operation->power_on == !on)
            chosen[count++] = &objects->items[i];
    int32_t code =
        count ? ask_for(objects, on ? "StartInstances" : "StopInstances", chosen, count, &reply) : MEMORIES_OK;
    for (size_t i = 0; !code && i < objects->count; i++) {
        struct object *object = &objects->items[i];
        if (!object->operation->power_on != !on)
            continue;
        if (reply.error.code)
            object_fail(objects, object, &reply.error);
        else
            object_answer(objects, object, MEMORIES_STATE_PENDING, NULL, 1);
    }
    aws_replies_clear(&reply, 1);
    return code;
}

static int32_t instance_power(struct objects *objects)
{
    int32_t code = switch_all(objects, true);
    return code ? code : switch_all(objects, false);
}

const struct kind kind_instance = {
    .type = "aws.instance",
    .has_token = true,
    .list = LIST_INSTANCES,
    .look = instance_look,
    .create_all = instance_create,
    .destroy_all = instance_destroy,
    .update_all = instance_update,
    .advance = instance_advance,
    .power_all = instance_power,
};
