/* objects.c - how objects of AWS are made, looked at, changed and removed, see objects.h */
#include "plugins/providers/aws/objects.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/kinds.h"

/* AWS shows what was made after a few seconds at the latest; a fresh id may be unknown elsewhere for longer. */
#define SHOWN_AFTER_MS 5000
#define KNOWN_AFTER_MS 60000
/* When something in doubt is looked for again, or something unknown is referred to again. */
#define DOUBT_POLL_MS 1000
/* When something that another still holds is removed again. */
#define IN_USE_POLL_MS 3000

/* ---- Batches ---- */

static json_object *parse_document(const char *text)
{
    json_object *document = text ? json_tokener_parse(text) : NULL;
    return document;
}

const char *aws_region_of(json_object *document)
{
    return json_get_string(json_get_object(document, "home"), "region");
}

static void find_home(struct objects *objects, struct object *object)
{
    json_object *home = json_get_object(object->inputs, "home");
    home = home ? home : json_get_object(object->outputs, "home");
    if (!objects->home && home) {
        objects->home = home;
        objects->region = json_get_string(home, "region");
    }
}

/* Of objects that are known by key and token alone. */
static int32_t guess_region(struct objects *objects)
{
    const char *asked = json_get_string(objects->aws->config, "region");
    const struct settings *settings = asked ? NULL : aws_client_settings(&objects->aws->client, objects->call);
    objects->region = asked ? asked : settings ? settings_region(settings) : NULL;
    if (objects->region)
        return MEMORIES_OK;
    return plugin_fail(objects->call, MEMORIES_INVALID, objects->items[0].operation->key, "set AWS_REGION",
                       "nothing says in which region %s is", objects->items[0].operation->key);
}

int32_t objects_open(struct objects *objects, struct aws *aws, struct memories_call *call,
                     const struct memories_operation *const *operations, size_t count)
{
    *objects = (struct objects){ .aws = aws, .call = call };
    objects->items = plugin_host->allocate(call, (count + 1) * sizeof *objects->items);
    if (!objects->items)
        return plugin_no_memory(call);
    for (size_t i = 0; i < count; i++) {
        struct object *object = &objects->items[objects->count++];
        *object = (struct object){ .operation = operations[i], .index = i, .kind = kind_of(operations[i]->type) };
        object->inputs = parse_document(operations[i]->inputs);
        object->outputs = parse_document(operations[i]->outputs);
        if (!object->kind)
            return plugin_fail(call, MEMORIES_UNSUPPORTED, operations[i]->key, NULL,
                               "%s is no type of the aws provider", operations[i]->type);
        find_home(objects, object);
    }
    return objects->region ? MEMORIES_OK : guess_region(objects);
}

void objects_clear(struct objects *objects)
{
    for (size_t i = 0; objects->items && i < objects->count; i++) {
        json_object_put(objects->items[i].inputs);
        json_object_put(objects->items[i].outputs);
    }
}

const char *object_text(const struct object *object, const char *member)
{
    const char *text = json_get_string(object->inputs, member);
    return text ? text : json_get_string(object->outputs, member);
}

/* ---- Answers ---- */

void object_answer(const struct objects *objects, struct object *object, uint32_t state, json_object *outputs,
                   uint32_t poll_after_ms)
{
    object->answered = true;
    if (outputs && !json_get(outputs, "home")) {
        json_object *created = json_get(object->outputs, "created_ms");
        int failed = json_set(outputs, "home", json_ref(objects->home));
        failed |= created ? json_set(outputs, "created_ms", json_ref(created))
                          : json_set_int(outputs, "created_ms", plugin_host->now_ms(objects->call));
        if (failed) {
            json_object_put(outputs);
            plugin_operation_fail(objects->call, object->index, MEMORIES_NO_MEMORY, NULL, NULL, "memory ran out");
            return;
        }
    }
    plugin_operation_result(objects->call, object->index, state, outputs, poll_after_ms);
}

void object_fail(const struct objects *objects, struct object *object, const struct memories_error_detail *error)
{
    struct memories_error_detail detail = *error;
    object->answered = true;
    detail.where = object->operation->key;
    plugin_host->operation_failed(objects->call, object->index, &detail);
}

void object_fail_with(const struct objects *objects, struct object *object, int32_t code, const char *hint,
                      const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    object_fail(objects, object,
                &(struct memories_error_detail){
                    .size = sizeof(struct memories_error_detail), .code = code, .message = message, .hint = hint });
}

static void fail_for_memory(const struct objects *objects, struct object *object)
{
    object_fail_with(objects, object, MEMORIES_NO_MEMORY, NULL, "memory ran out");
}

/* ---- Marks ---- */

int object_add_tags(const struct objects *objects, const struct object *object, json_object *tags, const char *key_name,
                    const char *value_name)
{
    const char *name = json_get_string(object->inputs, "name");
    const struct {
        const char *key, *value;
    } marks[] = { { "Name", name },
                  { TAG_DEPLOYMENT, objects->aws->deployment },
                  { TAG_KEY, object->operation->key },
                  { TAG_TOKEN, object->operation->token } };
    int failed = 0;
    for (size_t i = 0; i < ARRAY_COUNT(marks); i++) {
        if (!marks[i].value)
            continue;
        json_object *tag = json_add_new_object(tags);
        failed |= json_set_string(tag, key_name, marks[i].key) | json_set_string(tag, value_name, marks[i].value);
    }
    return failed;
}

int object_add_tag_specification(const struct objects *objects, const struct object *object, json_object *parameters,
                                 const char *resource_type)
{
    json_object *list = json_get_array(parameters, "TagSpecification");
    json_object *specification = json_add_new_object(list ? list : json_set_new_array(parameters, "TagSpecification"));
    int failed = json_set_string(specification, "ResourceType", resource_type);
    return failed | object_add_tags(objects, object, json_set_new_array(specification, "Tag"), "Key", "Value");
}

bool object_is_marked(const struct object *object, json_object *tags)
{
    const char *key = tag_of(tags, TAG_KEY), *token = tag_of(tags, TAG_TOKEN), *wanted = object->operation->token;
    return key && !strcmp(key, object->operation->key) && (!wanted || !*wanted || (token && !strcmp(token, wanted)));
}

/* ---- Doubt ---- */

/* When the doubt began, by token; NOT_MADE, REMOVED: there is none. Without memory to note it, it begins with the next
 * look. */
#define NOT_MADE 0
#define UNKNOWN (-1)
#define REMOVED (-2)

static int64_t doubt_of(const struct objects *objects, const struct object *object)
{
    struct aws *aws = objects->aws;
    pthread_mutex_lock(&aws->lock);
    int64_t since = json_get_int(aws->doubts, object->operation->token, UNKNOWN);
    pthread_mutex_unlock(&aws->lock);
    return since;
}

static void set_doubt(struct aws *aws, const char *token, int64_t since)
{
    pthread_mutex_lock(&aws->lock);
    json_set_int(aws->doubts, token, since);
    pthread_mutex_unlock(&aws->lock);
}

bool object_is_in_doubt(const struct objects *objects, const struct object *object)
{
    return object->operation->attempt > 1 && doubt_of(objects, object) != NOT_MADE;
}

void object_note_effect(const struct objects *objects, const struct object *object, bool may_be_made)
{
    set_doubt(objects->aws, object->operation->token,
              may_be_made ? plugin_host->monotonic_ms(objects->call) : NOT_MADE);
}

void operations_note_unsent(struct aws *aws, const struct memories_operation *const *operations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (operations[i]->attempt <= 1)
            set_doubt(aws, operations[i]->token, NOT_MADE);
}

static uint32_t object_doubt_ms(const struct objects *objects, const struct object *object)
{
    int64_t now = plugin_host->monotonic_ms(objects->call), since = doubt_of(objects, object);
    if (since == UNKNOWN)
        set_doubt(objects->aws, object->operation->token, since = now);
    return since > NOT_MADE && now - since < SHOWN_AFTER_MS ? DOUBT_POLL_MS : 0;
}

void object_fail_unsettled(const struct objects *objects, struct object *object,
                           const struct memories_error_detail *error)
{
    struct aws *aws = objects->aws;
    struct memories_error_detail detail = *error;
    const char *token = object->operation->token;
    int64_t now = plugin_host->monotonic_ms(objects->call);
    pthread_mutex_lock(&aws->lock);
    int64_t since = json_get_int(aws->unsettled, token, now);
    if (!json_get(aws->unsettled, token))
        json_set_int(aws->unsettled, token, now); /* without memory for it the wait begins anew */
    pthread_mutex_unlock(&aws->lock);
    if (now - since < KNOWN_AFTER_MS) {
        detail.code = MEMORIES_TRANSIENT;
        detail.retry_after_ms = DOUBT_POLL_MS;
    }
    object_fail(objects, object, &detail);
}

bool object_waits_for_doubt(const struct objects *objects, struct object *object)
{
    uint32_t wait_ms = object_doubt_ms(objects, object);
    if (wait_ms)
        object_fail(objects, object,
                    &(struct memories_error_detail){
                        .size = sizeof(struct memories_error_detail),
                        .code = MEMORIES_TRANSIENT,
                        .retry_after_ms = wait_ms,
                        .message = "an earlier request may have made it, and AWS may not show it yet" });
    return wait_ms;
}

/* ---- Looking ---- */

/* What the lists are asked by stands in inputs and outputs. */
static void widen_scope(struct snapshot_scope *scope, const struct object *object)
{
    const struct {
        enum snapshot_list list;
        const char *member;
        const char **to;
    } parts[] = { { LIST_TABLES, "vpc", &scope->vpc },
                  { LIST_ROLE, "name", &scope->role },
                  { LIST_ROLE_POLICIES, "role", &scope->role },
                  { LIST_PROFILE, "profile", &scope->profile },
                  { LIST_LOG_GROUPS, "log_group", &scope->log_group },
                  { LIST_TOPIC, "topic", &scope->topic },
                  { LIST_SUBSCRIPTIONS, "topic", &scope->topic } };
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        if (object->kind->list == parts[i].list && !*parts[i].to)
            *parts[i].to = object_text(object, parts[i].member);
}

int32_t objects_snapshot(struct objects *objects, struct snapshot *snapshot)
{
    struct snapshot_scope scope = {
        .deployment = objects->aws->deployment,
        .alarm_prefix = plugin_format(objects->call, "memories-%s-", objects->aws->deployment),
    };
    int failed = !scope.alarm_prefix;
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *object = &objects->items[i];
        snapshot->wanted[object->kind->list] = true;
        widen_scope(&scope, object);
        if (object->kind != &kind_log_group || object->outputs || !object->inputs)
            continue;
        snapshot->wanted[LIST_LOG_TAGS] = true;
        scope.log_group_arn = log_group_arn(objects, object);
        failed |= !scope.log_group_arn;
    }
    if (failed)
        return plugin_no_memory(objects->call);
    return snapshot_take(snapshot, objects->aws, objects->call, objects->region, &scope);
}

/* Whether AWS may just not show it yet. */
static bool is_fresh(const struct objects *objects, const struct object *object)
{
    int64_t created_ms = json_get_int(object->outputs, "created_ms", 0);
    return created_ms && plugin_host->now_ms(objects->call) - created_ms < KNOWN_AFTER_MS &&
           doubt_of(objects, object) != REMOVED;
}

/* An error of the list that the object would be in. */
static bool list_failed(const struct objects *objects, const struct snapshot *snapshot, struct object *object)
{
    const struct memories_error_detail *error = &snapshot->lists[object->kind->list].error;
    if (!error->code && object->kind == &kind_log_group)
        error = &snapshot->lists[LIST_LOG_TAGS].error;
    if (error->code)
        object_fail(objects, object, error);
    return error->code;
}

/* What became of something that was on its way: nothing, for a reason. */
static void fail_with_reason(const struct objects *objects, struct object *object, const struct sight *sight)
{
    int32_t code = failure_of_reason(sight->reason_code);
    struct memories_error_detail error = {
        .size = sizeof error,
        .code = code,
        .message = plugin_format(objects->call, "%s came to nothing", object->operation->key),
        .cause = plugin_format(objects->call, "%s%s%s", sight->reason_code, sight->reason ? ": " : "",
                               sight->reason ? sight->reason : ""),
        .hint = failure_hint(code, sight->reason_code),
    };
    if (error.message)
        object_fail(objects, object, &error);
    else
        fail_for_memory(objects, object);
}

static void answer_sight(const struct objects *objects, struct object *object, struct sight *sight)
{
    bool under_way = object->inputs && object->outputs;
    if (sight->unfinished && !object->outputs)
        object_answer(objects, object, MEMORIES_STATE_ABSENT, NULL, 0);
    else if (sight->state == MEMORIES_STATE_ABSENT && sight->reason_code && under_way)
        fail_with_reason(objects, object, sight);
    else if (sight->state == MEMORIES_STATE_ABSENT && !sight->reason_code && object->outputs &&
             is_fresh(objects, object))
        object_answer(objects, object, MEMORIES_STATE_PENDING, NULL, DOUBT_POLL_MS);
    else
        object_answer(objects, object, sight->state, STEAL(sight->outputs),
                      sight->poll_ms ? sight->poll_ms : DOUBT_POLL_MS);
    json_object_put(sight->outputs);
    sight->outputs = NULL;
}

/* The account is looked at once for each instance: credentials of another one would make everything look lost. */
static int32_t check_account(struct objects *objects, const struct snapshot *snapshot)
{
    const struct aws_list *caller = &snapshot->lists[LIST_CALLER];
    const char *wanted = json_get_string(objects->home, "account");
    if (!snapshot->wanted[LIST_CALLER])
        return MEMORIES_OK;
    if (caller->error.code)
        return plugin_host->fail(objects->call, &caller->error);
    const char *account = json_get_string(json_at(caller->items, 0), "Account");
    if (!account || !wanted || strcmp(account, wanted) != 0)
        return plugin_fail(objects->call, MEMORIES_DENIED, "AWS credentials",
                           "use credentials of that account (AWS_PROFILE); who these are: memories doctor aws",
                           "the deployment is in the account %s, and the credentials are of %s", wanted ? wanted : "?",
                           account ? account : "none");
    aws_note_account(objects->aws, account);
    return MEMORIES_OK;
}

static bool account_is_known(struct aws *aws)
{
    pthread_mutex_lock(&aws->lock);
    bool known = aws->account;
    pthread_mutex_unlock(&aws->lock);
    return known;
}

int32_t objects_read(struct objects *objects)
{
    struct snapshot *snapshot = plugin_host->allocate(objects->call, sizeof *snapshot);
    if (!snapshot)
        return plugin_no_memory(objects->call);
    snapshot->wanted[LIST_CALLER] = !account_is_known(objects->aws);
    int32_t code = objects_snapshot(objects, snapshot);
    if (!code)
        code = check_account(objects, snapshot);
    for (size_t i = 0; !code && i < objects->count; i++) {
        struct object *object = &objects->items[i];
        struct sight sight = { .state = MEMORIES_STATE_ABSENT };
        if (list_failed(objects, snapshot, object))
            continue;
        object->kind->look(snapshot, object, &sight);
        if (object->kind->advance && object->inputs && object->outputs)
            code = object->kind->advance(objects, object, &sight);
        if (!code && !object->answered)
            answer_sight(objects, object, &sight);
        else
            json_object_put(sight.outputs);
    }
    snapshot_clear(snapshot);
    return code;
}

int32_t objects_look_for(struct objects *objects,
                         bool (*is_sought)(const struct objects *objects, const struct object *object),
                         void (*take)(struct objects *objects, struct object *object, struct sight *sight))
{
    bool any = false;
    for (size_t i = 0; i < objects->count; i++)
        any |= is_sought(objects, &objects->items[i]);
    if (!any)
        return MEMORIES_OK;
    struct snapshot *snapshot = plugin_host->allocate(objects->call, sizeof *snapshot);
    if (!snapshot)
        return plugin_no_memory(objects->call);
    int32_t code = objects_snapshot(objects, snapshot);
    for (size_t i = 0; !code && i < objects->count; i++) {
        struct object *object = &objects->items[i];
        struct sight sight = { .state = MEMORIES_STATE_ABSENT };
        if (!is_sought(objects, object) || list_failed(objects, snapshot, object))
            continue;
        object->kind->look(snapshot, object, &sight);
        take(objects, object, &sight);
    }
    snapshot_clear(snapshot);
    return code;
}

/* ---- Asking ---- */

int32_t objects_ask(struct objects *objects, const struct errand *errand, void *user_data)
{
    struct memories_call *call = objects->call;
    struct aws_request *requests = plugin_host->allocate(call, (objects->count + 1) * sizeof *requests);
    struct aws_reply *replies = plugin_host->allocate(call, (objects->count + 1) * sizeof *replies);
    struct object **asked = plugin_host->allocate(call, (objects->count + 1) * sizeof(struct object *));
    size_t count = 0;
    int32_t code = requests && replies && asked ? MEMORIES_OK : plugin_no_memory(call);
    for (size_t i = 0; !code && i < objects->count; i++) {
        struct object *object = &objects->items[i];
        if (object->answered || !errand->compose(objects, object, user_data, &requests[count]))
            continue;
        asked[count] = object;
        if (!requests[count++].parameters)
            code = plugin_no_memory(call);
    }
    if (!code && count)
        code = aws_send(&objects->aws->client, call, objects->region, requests, count, replies);
    for (size_t i = 0; i < count; i++) {
        int32_t taken = errand->take(objects, asked[i], user_data, code, &replies[i]);
        code = code ? code : taken;
        json_object_put(requests[i].parameters);
    }
    aws_replies_clear(replies, count);
    return code;
}

/* ---- Making ---- */

static json_object *creation_of(const struct objects *objects, const struct object *object)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    const struct kind *kind = object->kind;
    int failed = parameters ? kind->fill(objects, object, parameters) : MEMORIES_NO_MEMORY;
    if (kind->tag_type)
        failed |= object_add_tag_specification(objects, object, parameters, kind->tag_type);
    if (kind->has_token)
        failed |= json_set_string(parameters, "ClientToken", object->operation->token);
    return failed ? NULL : STEAL(parameters);
}

/* Only requests without a token that make something of its own may make it twice. */
static bool may_double(const struct objects *objects, const struct object *object)
{
    return object->kind->tag_type && !object->kind->has_token && object_is_in_doubt(objects, object);
}

static void adopt(struct objects *objects, struct object *object, struct sight *sight)
{
    if (sight->state != MEMORIES_STATE_ABSENT) {
        answer_sight(objects, object, sight);
        return;
    }
    json_object_put(sight->outputs);
    object_waits_for_doubt(objects, object);
}

static void take_creation(struct objects *objects, struct object *object, const struct aws_reply *reply)
{
    const struct kind *kind = object->kind;
    bool exists = failure_is_duplicate(reply->code) && !kind->tag_type && !kind->has_token;
    if (reply->error.code && !exists) {
        if (failure_is_not_found(reply->code))
            object_fail_unsettled(objects, object, &reply->error);
        else
            object_fail(objects, object, &reply->error);
        return;
    }
    json_object *outputs = kind->made(object, reply->document);
    if (outputs)
        object_answer(objects, object, kind->made_state, outputs, 1);
    else
        fail_for_memory(objects, object);
}

/* Of an earlier object that came to nothing. */
static void forget_outputs(struct objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        json_object_put(objects->items[i].outputs);
        objects->items[i].outputs = NULL;
    }
}

static bool compose_creation(struct objects *objects, struct object *object, void *user_data,
                             struct aws_request *request)
{
    (void)user_data;
    *request = (struct aws_request){ object->kind->service, object->kind->create, creation_of(objects, object) };
    return true;
}

static int32_t creation_done(struct objects *objects, struct object *object, void *user_data, int32_t code,
                             const struct aws_reply *reply)
{
    (void)user_data;
    object_note_effect(objects, object, code == MEMORIES_CANCELLED || aws_reply_may_have_effect(reply));
    if (!code)
        take_creation(objects, object, reply);
    return MEMORIES_OK;
}

/* Those that may have been made by an earlier try are adopted when they are seen; while AWS may still hide them they
 * are not tried again. */
static int32_t create_each(struct objects *objects)
{
    static const struct errand creation = { compose_creation, creation_done };
    int32_t code = objects_look_for(objects, may_double, adopt);
    return code ? code : objects_ask(objects, &creation, NULL);
}

int32_t objects_create(struct objects *objects)
{
    forget_outputs(objects);
    return objects->items[0].kind->create_all ? objects->items[0].kind->create_all(objects) : create_each(objects);
}

/* ---- Removing ---- */

/* What may still hold something: lists of what stands in it, or uses it. */
static const struct holder {
    const char *type, *member; /* of what is held; its id */
    const char *filter, *action, *list, *id, *noun;
} holder_lists[] = {
#define INTERFACES "DescribeNetworkInterfaces", "networkInterfaceSet", "networkInterfaceId", "network interface"
#define GROUPS "DescribeSecurityGroups", "securityGroupInfo", "groupId", "security group"
    { "aws.vpc", "id", "vpc-id", INTERFACES },
    { "aws.vpc", "id", "vpc-id", "DescribeSubnets", "subnetSet", "subnetId", "subnet" },
    { "aws.vpc", "id", "vpc-id", GROUPS },
    { "aws.vpc", "id", "vpc-id", "DescribeRouteTables", "routeTableSet", "routeTableId", "route table" },
    { "aws.vpc", "id", "attachment.vpc-id", "DescribeInternetGateways", "internetGatewaySet", "internetGatewayId",
      "internet gateway" },
    { "aws.subnet", "id", "subnet-id", INTERFACES },
    { "aws.security_group", "id", "group-id", INTERFACES },
    { "aws.security_group", "id", "ip-permission.group-id", GROUPS },
    { "aws.internet_gateway_attachment", "vpc", "vpc-id", INTERFACES },
};
#define HOLDERS_TOLD 5

/* A VPC's own group and route table go with it. */
static bool goes_along(json_object *item)
{
    const char *name = json_get_string(item, "groupName");
    json_object *associations = json_get_array(item, "associationSet");
    bool along = name && !strcmp(name, "default");
    for (size_t i = 0; i < json_count(associations); i++) {
        const char *is_main = json_get_string(json_at(associations, i), "main");
        along = along || (is_main && !strcmp(is_main, "true"));
    }
    return along;
}

/* What is known of who needs it: what it is attached to, whose it is, and what it is called. An interface that a
 * service of AWS has made is said to be for what in its description. */
static void tell_user(struct plugin_text *text, json_object *item)
{
    json_object *attachment = json_get_object(item, "attachment");
    const char *description = json_get_string(item, "description");
    const char *name = tag_of(json_get_array(item, "tagSet"), "Name");
    const char *const known[][2] = { { " of the instance ", json_get_string(attachment, "instanceId") },
                                     { " of the account ", json_get_string(attachment, "instanceOwnerId") },
                                     { ": ", description ? description : json_get_string(item, "groupDescription") },
                                     { ", named ", name ? name : json_get_string(item, "groupName") } };
    bool of_instance = known[0][1] && *known[0][1];
    for (size_t i = 0; i < ARRAY_COUNT(known); i++)
        if (known[i][1] && *known[i][1] && !(i == 1 && of_instance))
            plugin_text_printf(text, "%s%s", known[i][0], known[i][1]);
}

static void tell_holders(struct plugin_text *text, const struct holder *holder, json_object *items)
{
    size_t told = 0;
    for (size_t i = 0; i < json_count(items) && told < HOLDERS_TOLD; i++) {
        json_object *item = json_at(items, i);
        const char *id = json_get_string(item, holder->id);
        if (!id || goes_along(item))
            continue;
        plugin_text_printf(text, "%sthe %s %s", text->length ? ", " : "", holder->noun, id);
        tell_user(text, item);
        told++;
    }
}

static json_object *question_about(const struct holder *holder, const struct object *object)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    json_object *one = json_add_new_object(json_set_new_array(parameters, "Filter"));
    int failed = json_set_string(one, "Name", holder->filter) |
                 json_add_string(json_set_new_array(one, "Value"), object_text(object, holder->member));
    return failed ? NULL : STEAL(parameters);
}

/* What still holds something, as far as that can be told; "" when it can't, NULL when memory ran out. */
static const char *holders_of(struct objects *objects, const struct object *object)
{
    const struct holder *asked[ARRAY_COUNT(holder_lists)];
    struct aws_request requests[ARRAY_COUNT(holder_lists)];
    struct aws_reply replies[ARRAY_COUNT(holder_lists)];
    struct plugin_text text = PLUGIN_TEXT(objects->call);
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(holder_lists); i++) {
        if (strcmp(holder_lists[i].type, object->kind->type) != 0)
            continue;
        asked[count] = &holder_lists[i];
        requests[count++] =
            (struct aws_request){ &aws_ec2, holder_lists[i].action, question_about(&holder_lists[i], object) };
    }
    bool answered = count && !aws_send(&objects->aws->client, objects->call, objects->region, requests, count, replies);
    for (size_t i = 0; i < count; i++) {
        if (answered)
            tell_holders(&text, asked[i], json_get_array(replies[i].document, asked[i]->list));
        json_object_put(requests[i].parameters);
    }
    if (count)
        aws_replies_clear(replies, count);
    return plugin_text_take(&text);
}

bool object_may_be_hidden(const struct objects *objects, struct object *object)
{
    int64_t created_ms = json_get_int(object->outputs, "created_ms", 0);
    int64_t age_ms = plugin_host->now_ms(objects->call) - created_ms;
    if (object->operation->attempt > 1 || !created_ms || age_ms < 0 || age_ms >= SHOWN_AFTER_MS)
        return false;
    object_fail(objects, object,
                &(struct memories_error_detail){ .size = sizeof(struct memories_error_detail),
                                                 .code = MEMORIES_TRANSIENT,
                                                 .retry_after_ms = (uint32_t)(SHOWN_AFTER_MS - age_ms),
                                                 .message = "AWS does not know it, for it may be too new" });
    return true;
}

static void take_removal(struct objects *objects, struct object *object, const struct aws_reply *reply)
{
    if (failure_is_not_found(reply->code) && object_may_be_hidden(objects, object))
        return;
    if (!reply->error.code || failure_is_not_found(reply->code)) {
        bool takes_time = !reply->error.code && object->kind->made_state == MEMORIES_STATE_PENDING;
        object_answer(objects, object, takes_time ? MEMORIES_STATE_PENDING : MEMORIES_STATE_ABSENT, NULL, 1);
        return;
    }
    struct memories_error_detail error = reply->error;
    if (failure_is_in_use(reply->code)) {
        const char *holders = holders_of(objects, object);
        error.code = MEMORIES_TRANSIENT;
        error.retry_after_ms = IN_USE_POLL_MS;
        if (holders && *holders)
            error.message = plugin_format(objects->call, "it is still in use by %s", holders);
        error.hint = "remove what uses it, if that is not part of the deployment; then run the command again";
        if (!holders || !*holders || !error.message)
            error.message = "it is still in use";
    }
    object_fail(objects, object, &error);
}

static bool is_unanswered(const struct objects *objects, const struct object *object)
{
    (void)objects;
    return !object->outputs;
}

static void find_one(struct objects *objects, struct object *object, struct sight *sight)
{
    object->outputs = sight->outputs;
    /* Without inputs nothing was ever asked for. */
    if (!object->outputs && (!object->inputs || !object_waits_for_doubt(objects, object)))
        object_answer(objects, object, MEMORIES_STATE_ABSENT, NULL, 0);
}

static bool compose_removal(struct objects *objects, struct object *object, void *user_data,
                            struct aws_request *request)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    (void)user_data;
    if (!object->kind->destroy) {
        object_answer(objects, object, MEMORIES_STATE_ABSENT, NULL, 0);
        return false;
    }
    bool filled = parameters && !object->kind->fill_destroy(object, parameters);
    *request = (struct aws_request){ object->kind->service, object->kind->destroy, filled ? STEAL(parameters) : NULL };
    return true;
}

static int32_t removal_done(struct objects *objects, struct object *object, void *user_data, int32_t code,
                            const struct aws_reply *reply)
{
    (void)user_data;
    if (!code)
        take_removal(objects, object, reply);
    return MEMORIES_OK;
}

int32_t objects_destroy(struct objects *objects)
{
    static const struct errand removal = { compose_removal, removal_done };
    /* What never gave outputs is looked for first, as long as AWS may hide it. */
    int32_t code = objects_look_for(objects, is_unanswered, find_one);
    if (code)
        return code;
    for (size_t i = 0; i < objects->count; i++)
        if (objects->items[i].outputs)
            set_doubt(objects->aws, objects->items[i].operation->token, REMOVED);
    return objects->items[0].kind->destroy_all ? objects->items[0].kind->destroy_all(objects)
                                               : objects_ask(objects, &removal, NULL);
}

/* ---- The rest ---- */

struct change {
    const struct aws_service *service;
    const char *action;
    int (*fill)(const struct objects *objects, const struct object *object, json_object *parameters);
};

static bool compose_change(struct objects *objects, struct object *object, void *user_data, struct aws_request *request)
{
    const struct change *change = user_data;
    AUTO_JSON json_object *parameters = json_object_new_object();
    bool filled = parameters && !change->fill(objects, object, parameters);
    *request = (struct aws_request){ change->service, change->action, filled ? STEAL(parameters) : NULL };
    return true;
}

static int32_t change_done(struct objects *objects, struct object *object, void *user_data, int32_t code,
                           const struct aws_reply *reply)
{
    (void)user_data;
    if (!code && reply->error.code)
        object_fail(objects, object, &reply->error);
    else if (!code)
        object_answer(objects, object, MEMORIES_STATE_READY, NULL, 0);
    return MEMORIES_OK;
}

int32_t objects_change(struct objects *objects, const struct aws_service *service, const char *action,
                       int (*fill)(const struct objects *objects, const struct object *object, json_object *parameters))
{
    static const struct errand errand = { compose_change, change_done };
    struct change change = { service, action, fill };
    return objects_ask(objects, &errand, &change);
}

static int fill_tags(const struct objects *objects, const struct object *object, json_object *parameters)
{
    return json_add_string(json_set_new_array(parameters, "ResourceId"), object_text(object, "id")) |
           object_add_tags(objects, object, json_set_new_array(parameters, "Tag"), "Key", "Value");
}

/* What is not made anew for a change has nothing else that can change but its name, which is a tag. */
int32_t objects_update(struct objects *objects)
{
    const struct kind *kind = objects->items[0].kind;
    if (kind->update_all)
        return kind->update_all(objects);
    if (kind->tag_type)
        return objects_change(objects, &aws_ec2, "CreateTags", fill_tags);
    for (size_t i = 0; i < objects->count; i++)
        object_answer(objects, &objects->items[i], MEMORIES_STATE_READY, NULL, 0);
    return MEMORIES_OK;
}

int32_t objects_power(struct objects *objects)
{
    const struct kind *kind = objects->items[0].kind;
    if (kind->power_all)
        return kind->power_all(objects);
    return plugin_fail(objects->call, MEMORIES_UNSUPPORTED, objects->items[0].operation->key, NULL,
                       "a %s can't be switched on or off", kind->type);
}
