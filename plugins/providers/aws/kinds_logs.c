/*
 * kinds_logs.c - the log group
 *
 * Several deployments may name the same one. Each that uses it marks it, and who takes the last mark away deletes it.
 * One that was there without memories is used as it is, and stays.
 */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/kinds.h"

/* Before a deployment's id. */
#define TAG_USER "memories-user:"

const char *log_group_arn(const struct objects *objects, const struct object *object)
{
    return plugin_format(objects->call, "arn:%s:logs:%s:%s:log-group:%s", json_get_string(objects->home, "partition"),
                         objects->region, json_get_string(objects->home, "account"), object_text(object, "log_group"));
}

static const char *user_tag(struct memories_call *call, const char *deployment)
{
    return plugin_format(call, TAG_USER "%s", deployment);
}

static bool is_foreign(const struct object *object)
{
    return json_get_bool(object->outputs, "shared", false);
}

/* shared: it was there without memories. */
static json_object *log_group_outputs(const struct object *object, bool shared)
{
    AUTO_JSON json_object *outputs = json_object_new_object();
    int failed = json_set_string(outputs, "log_group", object_text(object, "log_group"));
    return failed | json_set_bool(outputs, "shared", shared) ? NULL : STEAL(outputs);
}

/* ---- Requests ---- */

/* `parameters` is taken over; NULL: no memory. An error is in the reply. */
static int32_t ask(struct objects *objects, const char *action, json_object *parameters, struct aws_reply *reply)
{
    const struct aws_request request = { &aws_logs, action, parameters };
    *reply = (struct aws_reply){ 0 };
    int32_t code = parameters ? aws_send(&objects->aws->client, objects->call, objects->region, &request, 1, reply)
                              : plugin_no_memory(objects->call);
    json_object_put(parameters);
    return code;
}

static json_object *with_name(const struct object *object)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    return json_set_string(parameters, "logGroupName", object_text(object, "log_group")) ? NULL : STEAL(parameters);
}

static json_object *with_arn(const struct objects *objects, const struct object *object)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    const char *arn = log_group_arn(objects, object);
    return !arn || json_set_string(parameters, "resourceArn", arn) ? NULL : STEAL(parameters);
}

static json_object *with_user(const struct objects *objects, const struct object *object, bool is_new)
{
    const char *user = user_tag(objects->call, objects->aws->deployment);
    AUTO_JSON json_object *parameters = is_new ? with_name(object) : with_arn(objects, object);
    json_object *tags = json_set_new_object(parameters, "tags");
    int failed = !user || json_set_string(tags, user, object->operation->key);
    if (is_new)
        failed |= json_set_string(tags, TAG_DEPLOYMENT, objects->aws->deployment);
    return failed ? NULL : STEAL(parameters);
}

static json_object *without_user(const struct objects *objects, const struct object *object)
{
    const char *user = user_tag(objects->call, objects->aws->deployment);
    AUTO_JSON json_object *parameters = with_arn(objects, object);
    return !user || json_add_string(json_set_new_array(parameters, "tagKeys"), user) ? NULL : STEAL(parameters);
}

/* ---- Create ---- */

/* What it is that stands there already. */
struct owners {
    const char *creator; /* a deployment's id; NULL: it is nobody's of ours */
    bool is_used;        /* by this deployment */
};

static int32_t ask_whose(struct objects *objects, const struct object *object, struct owners *owners,
                         struct aws_reply *reply)
{
    const char *user = user_tag(objects->call, objects->aws->deployment);
    int32_t code =
        user ? ask(objects, "ListTagsForResource", with_arn(objects, object), reply) : plugin_no_memory(objects->call);
    json_object *tags = json_get_object(reply->document, "tags");
    const char *creator = json_get_string(tags, TAG_DEPLOYMENT);
    *owners =
        (struct owners){ creator ? plugin_format(objects->call, "%s", creator) : NULL, user && json_get(tags, user) };
    return !code && creator && !owners->creator ? plugin_no_memory(objects->call) : code;
}

/* Uses the one that is there. */
static int32_t join(struct objects *objects, const struct object *object, struct owners *owners,
                    struct aws_reply *reply)
{
    int32_t code = ask_whose(objects, object, owners, reply);
    if (code || reply->error.code || owners->is_used)
        return code;
    if (owners->creator) {
        aws_replies_clear(reply, 1);
        return ask(objects, "TagResource", with_user(objects, object, false), reply);
    }
    plugin_log(objects->call, MEMORIES_LOG_WARNING,
               "the log group %s is there already: it is used as it is, and will not be deleted",
               object_text(object, "log_group"));
    return MEMORIES_OK;
}

static int32_t set_retention(struct objects *objects, const struct object *object, struct aws_reply *reply)
{
    json_object *days = json_get(object->inputs, "retention_days");
    if (!days)
        return MEMORIES_OK;
    AUTO_JSON json_object *parameters = with_name(object);
    int failed = json_set(parameters, "retentionInDays", json_ref(days));
    return ask(objects, "PutRetentionPolicy", failed ? NULL : STEAL(parameters), reply);
}

static int32_t log_group_create(struct objects *objects)
{
    struct object *object = &objects->items[0]; /* a deployment has one */
    struct owners owners = { .creator = objects->aws->deployment };
    struct aws_reply reply;
    int32_t code = ask(objects, "CreateLogGroup", with_user(objects, object, true), &reply);
    object_note_effect(objects, object, code == MEMORIES_CANCELLED || aws_reply_may_have_effect(&reply));
    if (!code && failure_is_duplicate(reply.code)) {
        aws_replies_clear(&reply, 1);
        code = join(objects, object, &owners, &reply);
    }
    bool is_creator = owners.creator && !strcmp(owners.creator, objects->aws->deployment);
    if (!code && !reply.error.code && is_creator) {
        aws_replies_clear(&reply, 1);
        code = set_retention(objects, object, &reply);
        if (reply.error.code && !failure_may_pass(reply.error.code))
            reply.error.code = MEMORIES_FAILED; /* the creation as such was not refused */
    }
    /* Whoever had it may just have deleted it. */
    if (!code && failure_is_not_found(reply.code))
        reply.error.code = MEMORIES_TRANSIENT;
    if (!code && reply.error.code)
        object_fail(objects, object, &reply.error);
    else if (!code)
        object_answer(objects, object, MEMORIES_STATE_READY, log_group_outputs(object, !owners.creator), 0);
    aws_replies_clear(&reply, 1);
    return code;
}

static int32_t log_group_update(struct objects *objects)
{
    struct object *object = &objects->items[0];
    struct aws_reply reply = { 0 };
    int32_t code = is_foreign(object) ? MEMORIES_OK : set_retention(objects, object, &reply);
    if (!code && reply.error.code)
        object_fail(objects, object, &reply.error);
    else if (!code)
        object_answer(objects, object, MEMORIES_STATE_READY, NULL, 0);
    aws_replies_clear(&reply, 1);
    return code;
}

/* ---- Destroy ---- */

static bool has_users(json_object *tags)
{
    bool found = false;
    if (tags) {
        json_object_object_foreach(tags, key, value) {
            (void)value;
            found = found || !strncmp(key, TAG_USER, strlen(TAG_USER));
        }
    }
    return found;
}

static int32_t log_group_destroy(struct objects *objects)
{
    struct object *object = &objects->items[0];
    struct aws_reply reply = { 0 };
    if (object->answered)
        return MEMORIES_OK;
    int32_t code =
        is_foreign(object) ? MEMORIES_OK : ask(objects, "UntagResource", without_user(objects, object), &reply);
    if (!code && !reply.error.code && !is_foreign(object)) {
        aws_replies_clear(&reply, 1);
        code = ask(objects, "ListTagsForResource", with_arn(objects, object), &reply);
    }
    if (!code && !reply.error.code && !is_foreign(object) && !has_users(json_get_object(reply.document, "tags"))) {
        aws_replies_clear(&reply, 1);
        code = ask(objects, "DeleteLogGroup", with_name(object), &reply);
    }
    if (!code && reply.error.code && !failure_is_not_found(reply.code))
        object_fail(objects, object, &reply.error);
    else if (!code)
        object_answer(objects, object, MEMORIES_STATE_ABSENT, NULL, 0);
    aws_replies_clear(&reply, 1);
    return code;
}

/* ---- Look ---- */

/* Without outputs only one that carries our mark was made: another one is somebody else's, so far. */
static void log_group_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    json_object *tags = json_get_object(json_at(snapshot->lists[LIST_LOG_TAGS].items, 0), "tags");
    const char *user = object->outputs ? NULL : user_tag(snapshot->call, snapshot->deployment);
    const char *creator = json_get_string(tags, TAG_DEPLOYMENT);
    json_object *group = snapshot_find(snapshot, LIST_LOG_GROUPS, "logGroupName", object_text(object, "log_group"));
    if (!group)
        return;
    if (!object->outputs && (!user || !json_get(tags, user)))
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : log_group_outputs(object, false);
    /* Another time than the wanted one is a change that update makes; none is what a creation leaves that was cut off. */
    sight->unfinished = creator && !strcmp(creator, snapshot->deployment) &&
                        json_get(object->inputs, "retention_days") && !json_get(group, "retentionInDays");
}

const struct kind kind_log_group = {
    .type = "aws.log_group",
    .list = LIST_LOG_GROUPS,
    .look = log_group_look,
    .create_all = log_group_create,
    .update_all = log_group_update,
    .destroy_all = log_group_destroy,
};
