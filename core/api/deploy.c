/* deploy.c - validate, schema, plan, deploy */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/api/blueprint.h"
#include "core/api/record.h"
#include "core/api/session.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"

/* ids of one second are told apart by a counter: at most this many */
#define SAME_SECOND_MAX 1000

/* consensus-local-20260225-123456, with -2, -3, … from the second try on. */
static char *make_id(const char *topology, const char *provider, int64_t now_ms, unsigned attempt)
{
    char stamp[32];
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
    return attempt < 2 ? text_format("%s-%s-%s", topology, provider, stamp)
                       : text_format("%s-%s-%s-%u", topology, provider, stamp, attempt);
}

static int load_pair(memories_context *context, const memories_config *config, const struct plugin **topology,
                     const struct plugin **provider, memories_error **error)
{
    int failed = config_require_pair(config, error);
    if (failed)
        return failed;
    *topology = context_topology(context, config->topology, config->config, error);
    *provider = *topology ? context_provider(context, config->provider, config->config, error) : NULL;
    return *provider ? 0 : MEMORIES_FAILED;
}

int memories_validate(memories_context *context, const memories_config *config, char **json, memories_error **error)
{
    context_begin(context);
    AUTO_ERROR memories_error *problem = NULL;
    const struct plugin *topology, *provider;
    if (load_pair(context, config, &topology, &provider, &problem))
        return error_move(error, STEAL(problem));
    AUTO_FREE char *id = make_id(config->topology, config->provider, clock_now_ms(), 1);
    struct call_environment environment = { .deployment = id, .cancel = &context->cancel };
    struct blueprint blueprint = { 0 };
    if (blueprint_plan(topology, provider, &environment, config, NULL, &blueprint, &problem)) {
        blueprint_clear(&blueprint);
        return error_move(error, STEAL(problem));
    }
    AUTO_JSON json_object *answer = json_object_new_object();
    int failed = json_set_bool(answer, "valid", true) || json_set_string(answer, "topology", config->topology) ||
                 json_set_string(answer, "provider", config->provider) ||
                 json_set(answer, "notes", json_ref(blueprint.notes));
    blueprint_clear(&blueprint);
    if (!failed && json)
        failed = !(*json = json_text(answer));
    return failed ? error_no_memory(error) : 0;
}

char *memories_schema(memories_context *context, const char *topology, const char *provider, memories_error **error)
{
    context_begin(context);
    const struct plugin *topology_plugin = context_topology(context, topology, NULL, error);
    const struct plugin *provider_plugin = topology_plugin ? context_provider(context, provider, NULL, error) : NULL;
    AUTO_JSON json_object *config =
        provider_plugin ? blueprint_schema(topology_plugin, provider_plugin, error) : NULL;
    AUTO_JSON json_object *file = config ? config_schema_file(topology, provider, config, error) : NULL;
    char *text = file ? json_pretty(file) : NULL;
    if (file && !text)
        error_no_memory(error);
    return text;
}

/* Whether a deployment of this id is there, or was: the audit trails of two must not mix. */
static bool id_is_used(struct store *store, const char *id)
{
    AUTO_JSON json_object *trail = store_audit_list(store, id, NULL);
    AUTO_JSON json_object *record = store_deployment_find(store, id, NULL);
    return json_count(trail) || (record && !strcmp(json_get_string(record, "id"), id));
}

static char *make_free_id(memories_context *context, const memories_config *config, memories_error **error)
{
    struct store *store = context_store(context, error);
    int64_t now_ms = clock_now_ms();
    for (unsigned attempt = 1; store && attempt <= SAME_SECOND_MAX; attempt++) {
        AUTO_FREE char *id = make_id(config->topology, config->provider, now_ms, attempt);
        if (!id)
            error_no_memory(error);
        if (!id || !id_is_used(store, id))
            return STEAL(id);
    }
    if (store)
        error_set(error, MEMORIES_CONFLICT, "%d deployments were made in this second", SAME_SECOND_MAX);
    return NULL;
}

/* A session and blueprint for a new deployment, under an id that is free: the provider looks whether anything bears it.
 * The configuration is checked before the provider is opened, which may need credentials. */
static struct session *design(memories_context *context, const memories_config *config, struct blueprint *blueprint,
                              memories_error **error)
{
    const struct plugin *topology, *provider;
    if (load_pair(context, config, &topology, &provider, error))
        return NULL;
    AUTO_FREE char *id = make_free_id(context, config, error);
    struct call_environment environment = { .deployment = id, .cancel = &context->cancel };
    struct session *session = NULL;
    if (id && !blueprint_plan(topology, provider, &environment, config, NULL, blueprint, error))
        session = session_new(context, id, config->topology, config->provider, config->config, error);
    if (session) {
        session->reason = "deploy";
        if (!blueprint_lower(provider, session->instance, &session->environment, NULL, blueprint, error))
            return session;
    }
    blueprint_clear(blueprint);
    session_free(session);
    return NULL;
}

char *memories_plan(memories_context *context, const memories_config *config, memories_error **error)
{
    context_begin(context);
    struct blueprint blueprint = { 0 };
    struct session *session = design(context, config, &blueprint, error);
    char *text = session ? session_plan_text(session, &blueprint, NULL, error) : NULL;
    blueprint_clear(&blueprint);
    session_free(session);
    return text;
}

static json_object *new_record(const struct session *session, const memories_config *config,
                               const struct blueprint *blueprint)
{
    AUTO_JSON json_object *record = json_object_new_object();
    int64_t now = clock_now_ms();
    if (json_set_string(record, "id", session->id) || json_set_string(record, "name", config->name) ||
        json_set_string(record, "topology", config->topology) ||
        json_set_string(record, "provider", config->provider) || json_set_string(record, "status", "deploying") ||
        json_set_string(record, "goal", "running") || json_set_int(record, "created_at_ms", now) ||
        json_set_int(record, "updated_at_ms", now) || json_set_int(record, "generation", 1) ||
        json_set(record, "config", json_ref(config->config)) || json_set(record, "spec", json_ref(blueprint->spec)) ||
        json_set(record, "choices", json_ref(blueprint->choices)) ||
        json_set(record, "resources", json_ref(blueprint->resources)) ||
        json_set(record, "notes", json_ref(blueprint->notes)))
        return NULL;
    return STEAL(record);
}

/* Designs the deployment and puts it on record, under an id that is free. */
static struct session *found(memories_context *context, const memories_config *config, struct blueprint *blueprint,
                             memories_error **error)
{
    for (;;) {
        struct session *session = design(context, config, blueprint, error);
        if (!session)
            return NULL;
        AUTO_JSON json_object *record = new_record(session, config, blueprint);
        AUTO_ERROR memories_error *problem = NULL;
        if (!record)
            error_no_memory(&problem);
        else if (!store_deployment_insert(session->store, record, &problem)) {
            session->record = STEAL(record);
            return session;
        }
        bool is_used = id_is_used(session->store, session->id); /* another process was faster in this very moment */
        session_free(session);
        blueprint_clear(blueprint);
        if (!is_used) {
            error_move(error, STEAL(problem));
            return NULL;
        }
    }
}

/* Advice on how to go on with a deployment that is gone would lead nowhere. */
static void advise_anew(const struct session *session, memories_error **error)
{
    for (memories_error **one = error; one && *one; one = &(*one)->next) {
        const char *hint = memories_error_hint(*one);
        if (hint && (strstr(hint, session->id) || strstr(hint, "memories resume"))) {
            free((*one)->hint);
            (*one)->hint = NULL;
            error_hint(one, "all of it has been removed again; to look into it, deploy with --keep-on-failure");
        }
        free((*one)->deployment_id);
        (*one)->deployment_id = NULL;
    }
}

/* Takes back what a failed first deployment made; the first error stays the one that is returned. */
static void roll_back(struct session *session, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    session_say(session, MEMORIES_EVENT_PHASE, "roll back", "removing what was made");
    if (!session_set_goal(session, "deleted", "deleting", &problem) && !session_realize(session, true, &problem)) {
        advise_anew(session, error);
        return;
    }
    AUTO_JSON json_object *left = store_resource_list(session->store, session->id, NULL);
    struct text keys = TEXT_INIT;
    for (size_t i = 0; i < json_count(left); i++)
        text_printf(&keys, "%s%s", i ? ", " : "", json_get_string(json_object_array_get_idx(left, i), "key"));
    AUTO_FREE char *listed = text_take(&keys);
    memories_error *more = NULL;
    error_set(&more, memories_error_code(problem), "removing it again failed; left are: %s",
              listed && *listed ? listed : "the record only");
    error_cause(&more, "%s", memories_error_message(problem));
    error_hint(&more, "finish with: memories delete %s", session->id);
    error_chain(&more, STEAL(problem));
    error_chain(error, more);
}

memories_deployment *memories_deploy(memories_context *context, const memories_config *config, uint32_t flags,
                                     memories_error **error)
{
    context_begin(context);
    AUTO_ERROR memories_error *problem = NULL;
    struct blueprint blueprint = { 0 };
    struct session *session = found(context, config, &blueprint, error);
    if (!session)
        return NULL;
    session_audit(session, "deploy", json_ref(config->config));
    session_say_notes(session, blueprint.notes);
    blueprint_clear(&blueprint);

    memories_deployment *deployment = NULL;
    int failed = session_lock(session, &problem);
    if (!failed)
        failed = session_realize(session, !(flags & MEMORIES_NO_WAIT), &problem);
    if (!failed)
        deployment = record_outcome(session->record, &problem);
    else if (session->lease && failed != MEMORIES_CANCELLED && failed != MEMORIES_BUSY &&
             !(flags & MEMORIES_KEEP_ON_FAILURE))
        roll_back(session, &problem);
    session_free(session);
    error_move(error, STEAL(problem));
    return deployment;
}
