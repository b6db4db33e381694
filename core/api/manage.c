/* manage.c - stop, start, delete, resume, show, list, audit */
#include <string.h>

#include "core/api/record.h"
#include "core/api/result.h"
#include "core/api/session.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"

/* ---- Changing what is wanted ---- */

struct change {
    const char *event; /* in the audit trail, and the topology's reason */
    const char *goal;  /* NULL: as recorded */
};

static bool is_under_way(const char *status)
{
    static const char *const under_way[] = { "deploying", "updating", "scaling",  "healing",
                                             "resuming",  "stopping", "deleting" };
    for (size_t i = 0; i < ARRAY_COUNT(under_way); i++)
        if (!strcmp(status, under_way[i]))
            return true;
    return false;
}

/* What is resumed goes on under its own name where that is known. */
static const char *status_under_way(const struct change *change, json_object *record)
{
    const char *recorded = json_get_string(record, "status");
    if (!change->goal && (is_under_way(recorded) || !strcmp(recorded, "starting")))
        return recorded;
    const char *goal = change->goal ? change->goal : json_get_string(record, "goal");
    if (!strcmp(goal, "running"))
        return change->goal ? "starting" : "resuming";
    return !strcmp(goal, "deleted") ? "deleting" : "stopping";
}

static int refuse_undelete(struct session *session, const struct change *change, memories_error **error)
{
    if (!change->goal || !strcmp(change->goal, "deleted") ||
        strcmp(json_get_string(session->record, "goal"), "deleted") != 0)
        return 0;
    error_set(error, MEMORIES_CONFLICT, "%s is being deleted", session->id);
    error_hint(error, "finish with: memories delete %s", session->id);
    return MEMORIES_CONFLICT;
}

static int require_power(struct session *session, const struct change *change, memories_error **error)
{
    bool needs_power = change->goal && !strcmp(change->goal, "stopped");
    if (!needs_power || session->provider->ops.provider.power)
        return 0;
    return error_set(error, MEMORIES_UNSUPPORTED, "provider %s can't switch machines off", session->provider->name);
}

static int carry_out(struct session *session, const struct change *change, uint32_t flags, memories_error **error)
{
    int failed = require_power(session, change, error);
    if (!failed)
        failed = session_lock(session, error);
    if (!failed)
        failed = refuse_undelete(session, change, error);
    if (failed)
        return failed;
    const char *goal = change->goal ? change->goal : json_get_string(session->record, "goal");
    session->reason = change->event;
    failed = session_set_goal(session, goal, status_under_way(change, session->record), error);
    if (failed)
        return failed;
    session_audit(session, change->event, NULL);
    /* Switching off and removing is all there is to do: whoever doesn't wait leaves it to memories_resume. */
    if (flags & MEMORIES_NO_WAIT && change->goal && strcmp(goal, "running") != 0)
        return 0;
    return session_realize(session, !(flags & MEMORIES_NO_WAIT), error);
}

static memories_deployment *change_goal(memories_context *context, const char *id, const struct change *change,
                                        uint32_t flags, memories_error **error)
{
    context_begin(context);
    struct session *session = session_find(context, id, error);
    if (!session)
        return NULL;
    memories_deployment *deployment = NULL;
    if (!carry_out(session, change, flags, error))
        deployment = record_outcome(session->record, error);
    session_free(session);
    return deployment;
}

memories_deployment *memories_stop(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    return change_goal(context, id, &(struct change){ .event = "stop", .goal = "stopped" }, flags, error);
}

memories_deployment *memories_start(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    return change_goal(context, id, &(struct change){ .event = "start", .goal = "running" }, flags, error);
}

memories_deployment *memories_delete(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    return change_goal(context, id, &(struct change){ .event = "delete", .goal = "deleted" }, flags, error);
}

memories_deployment *memories_resume(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    return change_goal(context, id, &(struct change){ .event = "resume" }, flags, error);
}

/* ---- Looking ---- */

/* What the nodes' states say of a deployment that is not being worked on. */
static const char *observed_status(const char *recorded, json_object *resources)
{
    size_t nodes = 0, ready = 0, stopped = 0;
    bool is_whole = true; /* what the nodes stand on */
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *state = json_get_string(resource, "state");
        if (!state)
            continue;
        if (!json_get_string(resource, "node")) {
            is_whole = is_whole && !strcmp(state, "ready");
            continue;
        }
        nodes++;
        ready += !strcmp(state, "ready");
        stopped += !strcmp(state, "stopped");
    }
    if (!nodes)
        return recorded;
    if (ready == nodes && is_whole)
        return !strcmp(recorded, "stopped") || !strcmp(recorded, "degraded") ? "running" : recorded;
    return stopped == nodes ? "stopped" : "degraded";
}

static bool is_settled(const char *status)
{
    static const char *const settled[] = { "running", "stopped", "degraded", "starting" };
    for (size_t i = 0; i < ARRAY_COUNT(settled); i++)
        if (!strcmp(status, settled[i]))
            return true;
    return false;
}

/* The status to show: a record that says "deploying" although nobody holds its lease was interrupted. */
static const char *shown_status(json_object *record, json_object *observed)
{
    const char *recorded = json_get_string(record, "status");
    if (json_get_bool(record, "leased", false))
        return recorded;
    if (is_under_way(recorded))
        return "interrupted";
    return observed && is_settled(recorded) ? observed_status(recorded, observed) : recorded;
}

memories_deployment *memories_show(memories_context *context, const char *id, memories_error **error)
{
    context_begin(context);
    struct session *session = session_find(context, id, error);
    if (!session)
        return NULL;
    AUTO_JSON json_object *resources = session_observe(session, error);
    memories_deployment *deployment =
        resources ? record_details(session->record, shown_status(session->record, resources), resources, error) : NULL;
    session_free(session);
    return deployment;
}

/* The status for the list: asked of the provider only where that costs nothing. A provider that can't be loaded or asked
 * must not hide the deployment: the record is shown then. */
static json_object *list_entry(memories_context *context, json_object *record)
{
    AUTO_JSON json_object *observed = NULL;
    const char *recorded = json_get_string(record, "status");
    const struct plugin *provider = NULL;
    if (is_settled(recorded) && !json_get_bool(record, "leased", false))
        provider = context_provider(context, json_get_string(record, "provider"), json_get(record, "config"), NULL);
    if (provider && json_get_bool(provider->description, "cheap_read", false)) {
        struct session *session = session_find(context, json_get_string(record, "id"), NULL);
        if (session)
            observed = session_observe(session, NULL);
        session_free(session);
    }
    return record_summary(record, shown_status(record, observed));
}

memories_deployment_list *memories_list(memories_context *context, memories_error **error)
{
    context_begin(context);
    struct store *store = context_store(context, error);
    AUTO_JSON json_object *records = store ? store_deployment_list(store, true, error) : NULL;
    if (!records)
        return NULL;
    AUTO_JSON json_object *list = json_object_new_array();
    for (size_t i = 0; i < json_count(records); i++) {
        json_object *entry = list_entry(context, json_object_array_get_idx(records, i));
        if (!entry || json_add(list, entry)) {
            error_no_memory(error);
            return NULL;
        }
    }
    return deployment_list_new(STEAL(list), error);
}

/* ---- Audit ---- */

static int put_time(json_object *entry, const char *name, int64_t at_ms)
{
    char text[CLOCK_TEXT_BYTES];
    clock_format(at_ms, 1, text);
    return json_set_string(entry, name, text);
}

/* A journal line in the form of the audit trail. */
static json_object *journal_event(json_object *line)
{
    static const char *const members[] = { "key", "token", "generation", "attempt", "state", "error" };
    AUTO_JSON json_object *event = json_object_new_object();
    json_object *detail = json_object_new_object();
    if (json_set(event, "detail", detail) || put_time(event, "at", json_get_int(line, "at_ms", 0)) ||
        json_set_string(event, "event", json_get_string(line, "operation")) ||
        json_set_string(event, "actor", "engine"))
        return NULL;
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        json_object *value = json_get(line, members[i]);
        if (value && json_set(detail, members[i], json_ref(value)))
            return NULL;
    }
    int64_t finished = json_get_int(line, "finished_at_ms", 0);
    if (finished && put_time(detail, "finished_at", finished))
        return NULL;
    return STEAL(event);
}

static int by_time(const void *a, const void *b)
{
    /* RFC 3339 in UTC with milliseconds: the order of the text is the order of time */
    return strcmp(json_get_string(*(json_object *const *)a, "at"), json_get_string(*(json_object *const *)b, "at"));
}

static int add_journal(struct store *store, const char *id, json_object *trail, memories_error **error)
{
    AUTO_JSON json_object *journal = store_journal_list(store, id, error);
    if (!journal)
        return MEMORIES_FAILED;
    for (size_t i = 0; i < json_count(journal); i++) {
        json_object *event = journal_event(json_object_array_get_idx(journal, i));
        if (!event || json_add(trail, event))
            return error_no_memory(error);
    }
    json_object_array_sort(trail, by_time);
    return 0;
}

char *memories_audit(memories_context *context, const char *id, memories_error **error)
{
    context_begin(context);
    struct store *store = context_store(context, error);
    if (!store)
        return NULL;
    AUTO_ERROR memories_error *problem = NULL;
    AUTO_JSON json_object *record = store_deployment_find(store, id, &problem);
    const char *full_id = record ? json_get_string(record, "id") : id;
    AUTO_JSON json_object *trail = store_audit_list(store, full_id, error);
    if (!trail)
        return NULL;
    if (!record && !json_count(trail)) {
        error_move(error, STEAL(problem));
        return NULL;
    }
    if (record && add_journal(store, full_id, trail, error))
        return NULL;
    char *text = json_text(trail);
    if (!text)
        error_no_memory(error);
    return text;
}
