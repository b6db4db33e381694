/* session.c - one deployment being worked on or looked at */
#include "core/api/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/api/blueprint.h"
#include "core/api/discover.h"
#include "core/base/backoff.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/engine/adopt.h"

#define LEASE_MS 15000
/* How long a topology may take to converge unless the provider's node type says otherwise. */
#define CONVERGE_S 300

/* ---- What plugins and engine report ---- */

static void on_plugin_log(const char *plugin, int32_t level, const char *text, void *user_data)
{
    struct session *session = user_data;
    (void)plugin;
    session_say(session, level <= MEMORIES_LOG_WARNING ? MEMORIES_EVENT_WARNING : MEMORIES_EVENT_LOG, NULL, text);
}

static void on_engine_event(const struct engine_event *from, void *user_data)
{
    struct session *session = user_data;
    struct memories_event event = { .kind = from->kind,
                                    .deployment = session->id,
                                    .operation = from->operation,
                                    .key = from->key,
                                    .type = from->type,
                                    .text = from->text,
                                    .done = from->done,
                                    .total = from->total,
                                    .elapsed_ms = clock_monotonic_ms() - session->began_ms };
    context_emit(session->context, &event, from->error);
}

void session_say(struct session *session, uint32_t kind, const char *operation, const char *text)
{
    struct memories_event event = { .kind = kind,
                                    .deployment = session->id,
                                    .operation = operation,
                                    .text = text,
                                    .elapsed_ms = clock_monotonic_ms() - session->began_ms };
    context_emit(session->context, &event, NULL);
}

void session_say_notes(struct session *session, json_object *notes)
{
    for (size_t i = 0; i < json_count(notes); i++) {
        json_object *note = json_object_array_get_idx(notes, i);
        const char *where = json_get_string(note, "where");
        AUTO_FREE char *text = where ? text_format("%s: %s", where, json_get_string(note, "text"))
                                     : text_format("%s", json_get_string(note, "text"));
        if (text)
            session_say(session, MEMORIES_EVENT_WARNING, NULL, text);
    }
}

void session_audit(struct session *session, const char *event, json_object *detail)
{
    AUTO_ERROR memories_error *error = NULL;
    if (store_audit_add(session->store, session->id, event, detail, &error))
        session_say(session, MEMORIES_EVENT_WARNING, NULL, memories_error_message(error));
    json_object_put(detail);
}

/* ---- Opening and closing ---- */

static int open_instance(struct session *session, json_object *config, memories_error **error)
{
    AUTO_JSON json_object *request = json_object_new_object();
    if (json_set_int(request, "version", 1) || json_set_string(request, "deployment", session->id) ||
        json_set_string(request, "state_dir", session->context->state_dir) ||
        json_set(request, "config", config ? json_ref(config) : json_object_new_object()))
        return error_no_memory(error);
    return call_open(session->provider, &session->environment, request, &session->instance, error);
}

static int open_secrets(struct session *session, memories_error **error)
{
    AUTO_FREE char *directory = context_secrets_directory(session->context, session->id);
    if (!directory)
        return error_no_memory(error);
    session->secrets = secrets_open(directory, session->id, error);
    return session->secrets ? 0 : MEMORIES_FAILED;
}

static int session_open(struct session *session, const char *topology, const char *provider, json_object *config,
                        memories_error **error)
{
    session->store = context_store(session->context, error);
    struct http_client *http = session->store ? context_http(session->context, error) : NULL;
    session->topology = http ? context_topology(session->context, topology, config, error) : NULL;
    session->provider = session->topology ? context_provider(session->context, provider, config, error) : NULL;
    if (!session->provider || open_secrets(session, error))
        return MEMORIES_FAILED;
    session->environment = (struct call_environment){ .deployment = session->id,
                                                      .cancel = &session->context->cancel,
                                                      .http = http,
                                                      .secrets = session->secrets,
                                                      .on_log = on_plugin_log,
                                                      .user_data = session };
    return open_instance(session, config, error);
}

struct session *session_new(memories_context *context, const char *id, const char *topology, const char *provider,
                            json_object *config, memories_error **error)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        error_no_memory(error);
        return NULL;
    }
    pthread_mutex_init(&session->renewer_lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&session->renewer_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    session->context = context;
    session->began_ms = clock_monotonic_ms();
    session->id = strdup(id);
    if (!session->id)
        error_no_memory(error);
    else if (!session_open(session, topology, provider, config, error))
        return session;
    session_free(session);
    return NULL;
}

struct session *session_find(memories_context *context, const char *id, memories_error **error)
{
    struct store *store = context_store(context, error);
    AUTO_JSON json_object *record = store ? store_deployment_find(store, id, error) : NULL;
    if (!record)
        return NULL;
    struct session *session = session_new(context, json_get_string(record, "id"), json_get_string(record, "topology"),
                                          json_get_string(record, "provider"), json_get(record, "config"), error);
    if (session)
        session->record = STEAL(record);
    return session;
}

static void stop_renewing(struct session *session)
{
    if (!session->renewing)
        return;
    pthread_mutex_lock(&session->renewer_lock);
    session->stop_renewing = true;
    pthread_cond_signal(&session->renewer_wake);
    pthread_mutex_unlock(&session->renewer_lock);
    pthread_join(session->renewer, NULL);
    session->renewing = false;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    stop_renewing(session);
    if (session->lease)
        store_lease_release(session->store, session->lease);
    if (session->instance)
        call_close(session->provider, session->instance);
    secrets_free(session->secrets);
    json_object_put(session->record);
    json_object_put(session->left_alone);
    pthread_cond_destroy(&session->renewer_wake);
    pthread_mutex_destroy(&session->renewer_lock);
    free(session->id);
    free(session);
}

/* ---- The lease ---- */

/* Renews at a third of the lease's time. When somebody else has the lease, the work is cancelled: its writes would be
 * refused anyway. */
static void *renew(void *argument)
{
    struct session *session = argument;
    pthread_mutex_lock(&session->renewer_lock);
    while (!session->stop_renewing) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LEASE_MS / 3000;
        int woken = 0;
        while (!session->stop_renewing && woken != ETIMEDOUT)
            woken = pthread_cond_timedwait(&session->renewer_wake, &session->renewer_lock, &until);
        if (session->stop_renewing)
            break;
        if (store_lease_renew(session->store, session->lease, LEASE_MS, NULL) == MEMORIES_BUSY) {
            atomic_store(&session->lease_lost, 1);
            memories_cancel(session->context);
            break;
        }
    }
    pthread_mutex_unlock(&session->renewer_lock);
    return NULL;
}

int session_lock(struct session *session, memories_error **error)
{
    int failed = store_lease_take(session->store, session->id, LEASE_MS, &session->lease, error);
    if (failed)
        return failed;
    if (pthread_create(&session->renewer, NULL, renew, session))
        return error_no_memory(error);
    session->renewing = true;
    /* The first lease of all: nobody has written since the record was made. */
    if (session->record && session->lease->fence == 1)
        return 0;
    json_object *record = store_deployment_find(session->store, session->id, error);
    if (!record)
        return MEMORIES_NOT_FOUND;
    json_object_put(session->record);
    session->record = record;
    return 0;
}

/* ---- The record ---- */

static int note_changes(struct session *session, json_object *changes, memories_error **error)
{
    json_object_object_foreach(changes, key, value) {
        if (json_set(session->record, key, json_ref(value)))
            return error_no_memory(error);
    }
    return 0;
}

int session_update(struct session *session, json_object *changes, memories_error **error)
{
    AUTO_JSON json_object *owned = changes;
    int failed = store_deployment_update(session->store, session->id, session->lease->fence, owned, error);
    return failed ? failed : note_changes(session, owned, error);
}

/* The last of the work. The lease ends with it, in one: who waits for this status may begin something else at once. */
static int settle(struct session *session, const char *status, memories_error **error)
{
    AUTO_JSON json_object *changes = json_object_new_object();
    if (json_set_string(changes, "status", status))
        return error_no_memory(error);
    stop_renewing(session);
    int failed = store_deployment_settle(session->store, session->lease, changes, error);
    if (failed)
        return failed;
    session->lease = NULL;
    return note_changes(session, changes, error);
}

int session_set_goal(struct session *session, const char *goal, const char *status, memories_error **error)
{
    json_object *changes = json_object_new_object();
    if ((goal && json_set_string(changes, "goal", goal)) || json_set_string(changes, "status", status)) {
        json_object_put(changes);
        return error_no_memory(error);
    }
    return session_update(session, changes, error);
}

/* ---- Secrets ---- */

/* Making others in their place would lock us out of nodes that have the old ones. */
int session_refuse_lost_secrets(struct session *session, memories_error **error)
{
    const char *known = json_get_string(json_get_object(session->record, "recovered"), "secrets");
    AUTO_FREE char *directory = context_secrets_directory(session->context, session->id);
    if (!known || strcmp(known, "lost") || secrets_get(session->secrets, "secret:ca/certificate", NULL, NULL))
        return 0;
    error_set(error, MEMORIES_UNSUPPORTED, "the certificates of %s are lost, which was recovered without them",
              session->id);
    error_hint(error, "copy %s from the machine that deployed it, or deploy anew",
               directory ? directory : "the secrets");
    return MEMORIES_UNSUPPORTED;
}

int session_prepare_secrets(struct session *session, memories_error **error)
{
    int lost = session_refuse_lost_secrets(session, error);
    return lost ? lost
                : secrets_prepare_for(session->secrets, json_get_object(session->record, "spec"),
                                      json_get_object(session->record, "choices"), error);
}

/* ---- Looking ---- */

static const char *role_of(json_object *spec_nodes_by_name, const char *name)
{
    return json_get_string(json_get_object(spec_nodes_by_name, name), "role");
}

/* {"node1": {…}} by the member `key` of each, so that 1,000 nodes are matched without searching. */
static json_object *index_by(json_object *array, const char *key)
{
    json_object *index = json_object_new_object();
    for (size_t i = 0; index && i < json_count(array); i++) {
        json_object *entry = json_object_array_get_idx(array, i);
        const char *name = json_get_string(entry, key);
        if (name && json_set(index, name, json_ref(entry))) {
            json_object_put(index);
            return NULL;
        }
    }
    return index;
}

static json_object *topology_node(json_object *resource, json_object *by_name)
{
    const char *name = json_get_string(resource, "node");
    json_object *node = json_object_new_object();
    json_object *outputs = json_get(resource, "outputs");
    if (json_set_string(node, "name", name) || json_set_string(node, "role", role_of(by_name, name)) ||
        json_set_string(node, "state", json_get_string(resource, "state")) ||
        json_set_string(node, "key", json_get_string(resource, "key")) ||
        json_set(node, "outputs", outputs ? json_ref(outputs) : json_object_new_object())) {
        json_object_put(node);
        return NULL;
    }
    return node;
}

static bool is_node_resource(struct session *session, json_object *resource)
{
    json_object *types = json_get_object(session->provider->description, "resource_types");
    const char *type = json_get_string(resource, "type");
    return json_get_string(resource, "node") && type && json_get_bool(json_get_object(types, type), "is_node", false);
}

/* In the order of the spec, then those that it does not have any more. */
static json_object *topology_nodes(struct session *session, json_object *spec, json_object *resources)
{
    json_object *spec_nodes = json_get_array(spec, "nodes");
    AUTO_JSON json_object *by_name = index_by(spec_nodes, "name");
    AUTO_JSON json_object *there = json_object_new_array();
    AUTO_JSON json_object *nodes = json_object_new_array();
    for (size_t i = 0; there && i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        if (is_node_resource(session, resource) && json_add(there, json_ref(resource)))
            return NULL;
    }
    AUTO_JSON json_object *by_node = index_by(there, "node");
    if (!by_name || !there || !nodes || !by_node)
        return NULL;
    for (size_t i = 0; i < json_count(spec_nodes); i++) {
        json_object *resource = json_get(by_node, json_get_string(json_object_array_get_idx(spec_nodes, i), "name"));
        if (resource && json_add(nodes, topology_node(resource, by_name)))
            return NULL;
    }
    for (size_t i = 0; i < json_count(there); i++) {
        json_object *resource = json_object_array_get_idx(there, i);
        if (!json_get(by_name, json_get_string(resource, "node")) && json_add(nodes, topology_node(resource, by_name)))
            return NULL;
    }
    return STEAL(nodes);
}

json_object *session_topology_request(struct session *session, const char *reason, json_object *resources,
                                      memories_error **error)
{
    json_object *spec = json_get_object(session->record, "spec");
    AUTO_JSON json_object *request = json_object_new_object();
    json_object *nodes = topology_nodes(session, spec, resources);
    if (!nodes || json_set(request, "nodes", nodes) || json_set_int(request, "version", 1) ||
        json_set_string(request, "deployment", session->id) || json_set_string(request, "reason", reason) ||
        json_set_int(request, "elapsed_ms", clock_monotonic_ms() - session->began_ms) ||
        json_set(request, "spec", json_ref(spec))) {
        error_no_memory(error);
        return NULL;
    }
    return STEAL(request);
}

/* What was made before a deployment was recovered is not on record, and its tokens must not come again. */
static uint32_t generation_floor(json_object *record)
{
    return (uint32_t)json_get_int(json_get_object(record, "recovered"), "generation", 0);
}

static void fill_engine(struct session *session)
{
    json_object *rollout = json_get_object(json_get_object(session->record, "spec"), "rollout");
    session->engine = (struct engine){ .store = session->store,
                                       .deployment = session->id,
                                       .fence = session->lease ? session->lease->fence : 0,
                                       .provider = session->provider,
                                       .instance = session->instance,
                                       .environment = &session->environment,
                                       .on_event = on_engine_event,
                                       .user_data = session,
                                       .timeout_ms = session->context->operation_timeout_ms,
                                       .generation_floor = generation_floor(session->record),
                                       .left_alone = session->left_alone,
                                       .max_unavailable = (uint32_t)json_get_int(rollout, "max_unavailable", 0) };
}

json_object *session_observe(struct session *session, memories_error **error)
{
    fill_engine(session);
    return engine_refresh(&session->engine, error);
}

/* No deployment counts its generations as far as seconds go by. */
json_object *session_adopt(struct session *session, json_object *desired, json_object *discovered,
                           memories_error **error)
{
    fill_engine(session);
    session->engine.generation_floor = (uint32_t)(clock_now_ms() / 1000);
    return engine_adopt(&session->engine, desired, discovered, error);
}

/* ---- Working ---- */

void session_wait(struct session *session, int64_t ms)
{
    backoff_wait(ms, &session->context->cancel);
}

/* How long a topology may take to get the whole to work, or nodes to go. */
static int64_t limit_ms(struct session *session)
{
    json_object *types = json_get_object(session->provider->description, "resource_types");
    int64_t seconds = 0;
    if (types) {
        json_object_object_foreach(types, name, type) {
            (void)name;
            if (json_get_bool(type, "is_node", false) && json_get_int(type, "timeout_s", 0) > seconds)
                seconds = json_get_int(type, "timeout_s", 0);
        }
    }
    return (seconds ? seconds : CONVERGE_S) * 1000;
}

static int store_result(struct session *session, json_object *answer, memories_error **error)
{
    json_object *result = json_get_object(answer, "result");
    json_object *changes = json_object_new_object();
    if (json_set(changes, "result", result ? json_ref(result) : json_object_new_object())) {
        json_object_put(changes);
        return error_no_memory(error);
    }
    return session_update(session, changes, error);
}

/* Why the work has stopped in between: on request, or because another process has the lease. */
static int cancelled(struct session *session, memories_error **error)
{
    if (atomic_load(&session->lease_lost)) {
        error_set(error, MEMORIES_BUSY, "another process has taken over the work on %s", session->id);
        return MEMORIES_BUSY;
    }
    error_set(error, MEMORIES_CANCELLED, "stopped on request");
    error_hint(error, "continue with: memories resume %s", session->id);
    return MEMORIES_CANCELLED;
}

static int timed_out(struct session *session, const struct session_steps *steps, const char *message, int64_t limit_ms,
                     memories_error **error)
{
    error_set(error, MEMORIES_TIMEOUT, "%s %s %s within %lld s", session->topology->name, session->id, steps->too_late,
              (long long)(limit_ms / 1000));
    error_cause(error, "%s", message ? message : "the topology gave no reason");
    error_hint(error, "look with: memories status %s; memories logs %s; go on with: memories resume %s", session->id,
               session->id, session->id);
    return MEMORIES_TIMEOUT;
}

/* What a slot said last, and since when it has said nothing else. */
struct waiting {
    char *message; /* owned; NULL: nothing yet */
    int64_t since_ms;
};

static void waiting_close(struct waiting *waiting)
{
    free(waiting->message);
}
#define AUTO_WAITING __attribute__((cleanup(waiting_close)))

/* One call of the slot. Its words are told when they are new; a failure that may pass counts as an answer "not yet". */
static int take_step(struct session *session, const struct session_steps *steps, json_object **answer,
                     struct waiting *waiting, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    int failed = call_document(session->topology, &session->environment, steps->slot_name, steps->slot, steps->request,
                               answer, &problem);
    if (failed && !memories_error_retryable(problem))
        return error_move(error, STEAL(problem));
    const char *message = failed ? memories_error_message(problem) : json_get_string(*answer, "message");
    if (message && (!waiting->message || strcmp(waiting->message, message))) {
        session_say(session, MEMORIES_EVENT_PROGRESS, steps->slot_name, message);
        free(waiting->message);
        *waiting = (struct waiting){ strdup(message), clock_monotonic_ms() };
    }
    return !failed && steps->on_answer ? steps->on_answer(*answer, steps->user_data, error) : 0;
}

int session_repeat(struct session *session, const struct session_steps *steps, json_object **final,
                   memories_error **error)
{
    session_say(session, MEMORIES_EVENT_PHASE, steps->slot_name, steps->doing);
    int64_t began = clock_monotonic_ms(), limit = limit_ms(session);
    AUTO_WAITING struct waiting waiting = { 0 };
    while (!atomic_load(&session->context->cancel)) {
        AUTO_JSON json_object *answer = NULL;
        int64_t now = clock_monotonic_ms();
        if (json_set_int(steps->request, "elapsed_ms", now - began) ||
            json_set_string(steps->request, "waiting_for", waiting.message) ||
            json_set_int(steps->request, "waiting_ms", waiting.message ? now - waiting.since_ms : 0))
            return error_no_memory(error);
        int failed = take_step(session, steps, &answer, &waiting, error);
        if (failed)
            return failed;
        if (json_get_bool(answer, "done", false)) {
            *final = STEAL(answer);
            return 0;
        }
        if (clock_monotonic_ms() - began > limit)
            return timed_out(session, steps, waiting.message, limit, error);
        session_wait(session, answer ? json_get_int(answer, "poll_after_ms", 200) : 500);
    }
    return cancelled(session, error);
}

/* Calls the topology's converge until it is done. The nodes' resources do not change meanwhile. */
static int converge(struct session *session, memories_error **error)
{
    if (!session->topology->ops.topology.converge)
        return store_result(session, NULL, error);
    AUTO_JSON json_object *resources = store_resource_list(session->store, session->id, error);
    if (!resources)
        return MEMORIES_FAILED;
    AUTO_JSON json_object *request = session_topology_request(session, session->reason, resources, error);
    if (!request)
        return MEMORIES_NO_MEMORY;
    const struct session_steps steps = { .slot_name = "converge",
                                         .slot = session->topology->ops.topology.converge,
                                         .request = request,
                                         .doing = "waiting until it works as a whole",
                                         .too_late = "did not work" };
    AUTO_JSON json_object *answer = NULL;
    int failed = session_repeat(session, &steps, &answer, error);
    return failed ? failed : store_result(session, answer, error);
}

static int gate(void *user_data, memories_error **error)
{
    return converge(user_data, error);
}

int session_run_engine(struct session *session, json_object *desired, bool stopped, memories_error **error)
{
    fill_engine(session);
    session->engine.gate = gate;
    session->engine.inspect = session_inspect;
    int failed = engine_run(&session->engine, desired, stopped, error);
    if (failed == MEMORIES_CANCELLED && atomic_load(&session->lease_lost)) {
        if (error) {
            memories_error_free(*error);
            *error = NULL;
        }
        return cancelled(session, error);
    }
    return failed;
}

static int realize_deleted(struct session *session, memories_error **error)
{
    int failed = session_adopt_strays(session, error);
    if (!failed)
        failed = session_run_engine(session, NULL, false, error);
    if (!failed)
        failed = secrets_remove(session->secrets, error);
    if (failed)
        return failed;
    session_audit(session, "deleted", NULL);
    failed = store_deployment_delete(session->store, session->id, session->lease->fence, error);
    if (!failed && json_set_string(session->record, "status", "deleted"))
        return error_no_memory(error);
    return failed;
}

/* {node: true} of those that are lost or broken. New reference. */
static json_object *find_lost(struct session *session, memories_error **error)
{
    AUTO_JSON json_object *resources = session_observe(session, error);
    AUTO_JSON json_object *lost = json_object_new_object();
    int failed = !resources;
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *node = json_get_string(resource, "node"), *state = json_get_string(resource, "state");
        if (node && state && (!strcmp(state, "lost") || !strcmp(state, "broken")))
            failed = json_set_bool(lost, node, true) && error_no_memory(error);
    }
    return failed ? NULL : STEAL(lost);
}

/* After a refused remake: switches all the other nodes on or off. */
static int switch_others(struct session *session, bool stopped, memories_error **error)
{
    session_say(session, MEMORIES_EVENT_PHASE, stopped ? "stop" : "start",
                stopped ? "switching the other nodes off" : "switching the other nodes on");
    session->left_alone = find_lost(session, error);
    if (!session->left_alone)
        return MEMORIES_FAILED;
    int failed = session_run_engine(session, json_get_array(session->record, "resources"), stopped, error);
    json_object_put(STEAL(session->left_alone));
    return failed;
}

static int realize_stopped(struct session *session, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    int failed = session_run_engine(session, json_get_array(session->record, "resources"), true, &problem);
    if (failed && session->refused_remake)
        failed = switch_others(session, true, error);
    else if (failed)
        error_move(error, STEAL(problem));
    if (failed)
        return failed;
    session_audit(session, "stopped", NULL);
    return settle(session, "stopped", error);
}

/* Everything is made, and has not been seen to work yet. */
static const char *status_unseen(const char *reason)
{
    return !strcmp(reason, "scale") ? "scaling" : !strcmp(reason, "heal") ? "healing" : "starting";
}

static int record_design(struct session *session, const struct blueprint *blueprint, memories_error **error)
{
    AUTO_JSON json_object *changes = json_object_new_object();
    if (json_set(changes, "spec", json_ref(blueprint->spec)) ||
        json_set(changes, "choices", json_ref(blueprint->choices)) ||
        json_set(changes, "resources", json_ref(blueprint->resources)))
        return error_no_memory(error);
    return session_update(session, STEAL(changes), error);
}

/* There was no room where a node was to be, and the provider knows it now: asked again, it may choose another place.
 * Returns whether it did, which then is on record. */
static bool choose_elsewhere(struct session *session)
{
    AUTO_ERROR memories_error *problem = NULL;
    struct blueprint blueprint = { 0 };
    json_object *choices = json_get_object(session->record, "choices");
    memories_config config = { .config = json_get(session->record, "config") };
    int failed = blueprint_plan(session->topology, session->provider, &session->environment, &config,
                                json_get_object(session->record, "membership"), &blueprint, &problem);
    if (!failed)
        failed =
            blueprint_lower(session->provider, session->instance, &session->environment, choices, &blueprint, &problem);
    bool chosen = !failed && !json_equal(blueprint.choices, choices);
    if (chosen) {
        session_say_notes(session, blueprint.notes);
        chosen = !record_design(session, &blueprint, &problem);
    }
    blueprint_clear(&blueprint);
    return chosen;
}

static int make_all(struct session *session, memories_error **error)
{
    for (;;) {
        AUTO_ERROR memories_error *problem = NULL;
        int failed = session_run_engine(session, json_get_array(session->record, "resources"), false, &problem);
        if (failed == MEMORIES_CAPACITY && choose_elsewhere(session))
            continue;
        return failed ? error_move(error, STEAL(problem)) : 0;
    }
}

static int realize_running(struct session *session, bool wait, memories_error **error)
{
    int failed = session_prepare_secrets(session, error);
    if (!failed)
        failed = session_release(session, error);
    if (!failed)
        failed = make_all(session, error);
    if (failed) {
        /* Who is to be made anew is let go by the others first, and for that these must run. */
        AUTO_ERROR memories_error *ignored = NULL;
        if (session->refused_remake)
            switch_others(session, false, &ignored);
        return failed;
    }
    if (!wait)
        return settle(session, status_unseen(session->reason), error);
    failed = converge(session, error);
    if (failed)
        return failed;
    session_audit(session, "running", NULL);
    return settle(session, "running", error);
}

/* The record says what became of a failed run, so that list shows it; the error itself is what the caller gets. */
static void note_failure(struct session *session, int code, const memories_error *error)
{
    AUTO_ERROR memories_error *ignored = NULL;
    session_audit(session, code == MEMORIES_CANCELLED ? "interrupted" : "failed", error ? error_to_json(error) : NULL);
    if (!session->lease || atomic_load(&session->lease_lost))
        return;
    if (code == MEMORIES_CANCELLED)
        settle(session, "interrupted", &ignored);
    else
        session_set_goal(session, NULL, "failed", &ignored); /* a first deployment is taken back yet */
}

int session_realize(struct session *session, bool wait, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    const char *goal = json_get_string(session->record, "goal");
    int failed;
    if (!strcmp(goal, "deleted"))
        failed = realize_deleted(session, &problem);
    else if (!strcmp(goal, "stopped"))
        failed = realize_stopped(session, &problem);
    else
        failed = realize_running(session, wait, &problem);
    if (!failed)
        return 0;
    note_failure(session, failed, problem);
    error_deployment(&problem, session->id);
    error_move(error, STEAL(problem));
    return failed;
}
