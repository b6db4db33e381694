/*
 * recover.c - deployments that are there and have no record here
 *
 * A provider marks what it makes with deployment and key. What it then discovers, a configuration tells the meaning of:
 * the resources that it would lead to, with the choices that can be seen, are looked for one by one, and go on record
 * as they were found. Nothing is made or changed.
 *
 * Certificates are the one thing that is nowhere else: the nodes' own may be found on the nodes, the authority's key
 * never leaves the machine that deployed. Without it all goes on but what needs a new certificate.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/api/blueprint.h"
#include "core/api/discover.h"
#include "core/api/record.h"
#include "core/api/session.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/engine/adopt.h"

/* ---- What there is ---- */

/* "standalone" of "standalone-aws-20260225-123456". */
static char *topology_of(const char *id, const char *provider)
{
    AUTO_FREE char *middle = text_format("-%s-", provider);
    const char *at = middle ? strstr(id, middle) : NULL;
    return at ? strndup(id, (size_t)(at - id)) : NULL;
}

static json_object *new_entry(memories_context *context, const char *id, const char *provider)
{
    AUTO_JSON json_object *entry = json_object_new_object();
    AUTO_JSON json_object *record = store_deployment_find(context->store, id, NULL);
    AUTO_FREE char *topology = topology_of(id, provider);
    bool recorded = record && !strcmp(json_get_string(record, "id"), id);
    json_object *resources = json_object_new_array();
    if (json_set(entry, "resources", resources) || json_set_string(entry, "deployment_id", id) ||
        json_set_string(entry, "type", topology) || json_set_string(entry, "provider", provider) ||
        json_set_bool(entry, "recorded", recorded))
        return NULL;
    return STEAL(entry);
}

static int by_id(const void *one, const void *other)
{
    return strcmp(json_get_string(*(json_object *const *)one, "deployment_id"),
                  json_get_string(*(json_object *const *)other, "deployment_id"));
}

/* Of a plugin's document: what it leaves out comes first. */
static int by_key(const void *one, const void *other)
{
    const char *keys[] = { json_get_string(*(json_object *const *)one, "key"),
                           json_get_string(*(json_object *const *)other, "key") };
    return strcmp(keys[0] ? keys[0] : "", keys[1] ? keys[1] : "");
}

/* [{"deployment_id", "type", "provider", "recorded", "resources"}], in the order of ids and keys. */
static json_object *by_deployment(memories_context *context, json_object *resources, const char *provider)
{
    AUTO_JSON json_object *entries = json_object_new_object();
    AUTO_JSON json_object *list = json_object_new_array();
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *id = json_get_string(resource, "deployment");
        if (!id)
            continue;
        json_object *entry = json_get(entries, id);
        if (!entry) {
            entry = new_entry(context, id, provider);
            if (!entry || json_set(entries, id, entry) || json_add(list, json_ref(entry)))
                return NULL;
        }
        if (json_add(json_get_array(entry, "resources"), json_ref(resource)))
            return NULL;
    }
    json_object_array_sort(list, by_id);
    for (size_t i = 0; i < json_count(list); i++)
        json_object_array_sort(json_get_array(json_object_array_get_idx(list, i), "resources"), by_key);
    return STEAL(list);
}

static json_object *discover_all(memories_context *context, const memories_config *config, memories_error **error)
{
    struct provider_questions questions;
    if (!context_store(context, error) || context_open_provider(context, config, &questions, error))
        return NULL;
    AUTO_JSON json_object *answer =
        provider_discover(questions.provider, questions.instance, &questions.environment, NULL, error);
    context_close_provider(&questions);
    json_object *list = answer ? by_deployment(context, json_get_array(answer, "resources"), config->provider) : NULL;
    if (answer && !list)
        error_no_memory(error);
    return list;
}

char *memories_discover(memories_context *context, const memories_config *config, memories_error **error)
{
    context_begin(context);
    AUTO_JSON json_object *list = discover_all(context, config, error);
    char *text = list ? json_text(list) : NULL;
    if (list && !text)
        error_no_memory(error);
    return text;
}

/* ---- Recovering one ---- */

struct recovery {
    struct session *session;
    const memories_config *config;
    struct blueprint blueprint;
    json_object *adopted; /* resources, as the store has them */
    bool is_whole;        /* nothing is missing */
    memories_error **error;
};

static int note(struct recovery *recovery, const char *where, char *text)
{
    AUTO_FREE char *owned = text;
    json_object *entry = json_object_new_object();
    int failed = !owned || json_add(recovery->blueprint.notes, entry) || json_set_string(entry, "where", where) ||
                 json_set_string(entry, "text", owned);
    return failed ? error_no_memory(recovery->error) : 0;
}

static int refuse_wrong(memories_context *context, const char *id, const memories_config *config,
                        memories_error **error)
{
    struct store *store = context_store(context, error);
    AUTO_JSON json_object *record = store ? store_deployment_find(store, id, NULL) : NULL;
    AUTO_FREE char *prefix = text_format("%s-%s-", config->topology, config->provider);
    if (!store)
        return MEMORIES_FAILED;
    if (record && !strcmp(json_get_string(record, "id"), id)) {
        error_set(error, MEMORIES_CONFLICT, "%s is on record already", id);
        error_hint(error, "look at it with: memories show %s", id);
        return MEMORIES_CONFLICT;
    }
    if (!prefix)
        return error_no_memory(error);
    if (!strncmp(id, prefix, strlen(prefix)))
        return 0;
    error_set(error, MEMORIES_INVALID, "%s is no deployment of topology %s on provider %s, as the configuration has it",
              id, config->topology, config->provider);
    error_where(error, "%s", config->file);
    error_hint(error, "give the whole id, and the configuration that it was deployed with");
    return MEMORIES_INVALID;
}

static int require_found(const struct recovery *recovery, json_object *answer)
{
    const struct session *session = recovery->session;
    if (!json_count(json_get_array(answer, "resources"))) {
        const char *place = json_get_string(answer, "place");
        error_set(recovery->error, MEMORIES_NOT_FOUND, "provider %s has nothing of %s%s%s", session->provider->name,
                  session->id, place ? " in " : "", place ? place : "");
        error_hint(recovery->error, "%slist what is there with: memories recover --provider %s",
                   place ? "look elsewhere, or " : "", session->provider->name);
        return MEMORIES_NOT_FOUND;
    }
    if (!session->provider->ops.provider.prepare || json_get_object(answer, "choices"))
        return 0;
    error_set(recovery->error, MEMORIES_UNSUPPORTED,
              "provider %s finds what is there of %s, but can't tell what it has chosen for it",
              session->provider->name, session->id);
    error_hint(recovery->error, "bring memories' state directory back from a backup");
    return MEMORIES_UNSUPPORTED;
}

/* What the configuration leads to, with the choices that can be seen; and what is there of it. */
static int find(struct recovery *recovery)
{
    struct session *session = recovery->session;
    AUTO_JSON json_object *answer =
        provider_discover(session->provider, session->instance, &session->environment, NULL, recovery->error);
    int failed = answer ? require_found(recovery, answer) : MEMORIES_FAILED;
    if (!failed)
        failed = blueprint_plan(session->topology, session->provider, &session->environment, recovery->config, NULL,
                                &recovery->blueprint, recovery->error);
    if (!failed)
        failed = blueprint_lower(session->provider, session->instance, &session->environment,
                                 json_get_object(answer, "choices"), &recovery->blueprint, recovery->error);
    if (failed)
        return failed;
    recovery->adopted =
        session_adopt(session, recovery->blueprint.resources, json_get_array(answer, "resources"), recovery->error);
    return recovery->adopted ? 0 : MEMORIES_FAILED;
}

/* Notes each of `resources` that is not among `others`, in words round the deployment's id; *count: how many. */
static int note_others(struct recovery *recovery, json_object *resources, json_object *others, const char *before,
                       const char *after, size_t *count)
{
    AUTO_JSON json_object *keys = json_object_new_object();
    int failed = keys ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; !failed && i < json_count(others); i++)
        failed = json_set_bool(keys, json_get_string(json_object_array_get_idx(others, i), "key"), true);
    if (failed)
        return error_no_memory(recovery->error);
    *count = 0;
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        const char *key = json_get_string(json_object_array_get_idx(resources, i), "key");
        if (json_get(keys, key))
            continue;
        *count += 1;
        failed = note(recovery, key, text_format("%s%s%s", before, recovery->session->id, after));
    }
    return failed;
}

static int note_missing_and_more(struct recovery *recovery)
{
    json_object *wanted = recovery->blueprint.resources, *there = recovery->adopted;
    size_t missing = 0, more;
    int failed = note_others(recovery, wanted, there, "is not there: memories resume ", " makes it", &missing);
    recovery->is_whole = !missing;
    if (!failed)
        failed = note_others(recovery, there, wanted, "is not in the configuration: memories update ",
                             " FILE would remove it", &more);
    return failed;
}

/* Inputs that are not what the configuration says go on record as unknown, so that a plan shows them. */
static int note_changed(struct recovery *recovery, json_object *resource, json_object *names)
{
    const char *key = json_get_string(resource, "key");
    json_object *inputs = json_copy(json_get(resource, "inputs"));
    int failed = inputs ? json_set(resource, "inputs", inputs) : MEMORIES_NO_MEMORY;
    for (size_t i = 0; !failed && i < json_count(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        failed = json_set(inputs, name, NULL) ||
                 note(recovery, key,
                      text_format("%s is not what the configuration says: memories update %s FILE would change it",
                                  name, recovery->session->id));
    }
    return failed ? error_no_memory(recovery->error) : 0;
}

/* ---- Certificates ---- */

static bool is_there(const struct recovery *recovery, const char *node)
{
    for (size_t i = 0; i < json_count(recovery->adopted); i++) {
        const char *of = json_get_string(json_object_array_get_idx(recovery->adopted, i), "node");
        if (node && of && !strcmp(of, node))
            return true;
    }
    return false;
}

/* As long as no node has any, new ones can be made. */
static bool has_secrets(const struct recovery *recovery)
{
    json_object *nodes = json_get_array(recovery->blueprint.spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        json_object *files = json_get_array(json_get_object(node, "bootstrap"), "files");
        for (size_t k = 0; k < json_count(files); k++)
            if (json_get_string(json_object_array_get_idx(files, k), "secret") &&
                is_there(recovery, json_get_string(node, "name")))
                return true;
    }
    return false;
}

static int keep_secrets(struct recovery *recovery, json_object *found)
{
    int failed = 0;
    if (!found)
        return 0;
    json_object_object_foreach(found, reference, text) {
        if (!failed)
            failed = secrets_put(recovery->session->secrets, reference, json_object_get_string(text), recovery->error);
    }
    return failed;
}

/* The pair of any node serves as the client's: it is for both sides of TLS. A group's is not. */
static int borrow_client(struct recovery *recovery)
{
    struct secrets *secrets = recovery->session->secrets;
    json_object *nodes = json_get_array(recovery->blueprint.spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *name = json_get_string(json_object_array_get_idx(nodes, i), "name");
        AUTO_FREE char *certificate = text_format("secret:node/%s/certificate", name);
        AUTO_FREE char *key = text_format("secret:node/%s/key", name);
        if (!certificate || !key)
            return error_no_memory(recovery->error);
        const char *certificate_text = secrets_get(secrets, certificate, NULL, NULL);
        const char *key_text = certificate_text ? secrets_get(secrets, key, NULL, NULL) : NULL;
        if (!key_text)
            continue;
        int failed = secrets_put(secrets, "secret:client/certificate", certificate_text, recovery->error);
        return failed ? failed : secrets_put(secrets, "secret:client/key", key_text, recovery->error);
    }
    return 0;
}

/* *known: "whole", "borrowed" (without the authority's key), "lost", or "none": there are none yet. */
static int recover_secrets(struct recovery *recovery, json_object *found, const char **known)
{
    struct session *session = recovery->session;
    *known = "none";
    if (!has_secrets(recovery))
        return 0;
    int failed = keep_secrets(recovery, found);
    if (failed)
        return failed;
    AUTO_FREE char *directory = context_secrets_directory(session->context, session->id);
    bool has_authority = secrets_get(session->secrets, "secret:ca/certificate", NULL, NULL) != NULL;
    bool borrows = has_authority && secrets_lack_authority(session->secrets);
    failed = borrows ? borrow_client(recovery) : 0;
    if (failed)
        return failed;
    if (!has_authority || (borrows && !secrets_get(session->secrets, "secret:client/key", NULL, NULL))) {
        *known = "lost";
        return note(
            recovery, "certificates",
            text_format("are lost, so that its nodes can't be spoken with: show, stop, metrics, logs and delete "
                        "work; for all else copy %s from the machine that deployed it",
                        directory ? directory : "the secrets"));
    }
    *known = borrows ? "borrowed" : "whole";
    if (!borrows)
        return 0;
    return note(recovery, "certificates",
                text_format("were found on the nodes, and the key of their authority is lost: no node that needs "
                            "one of its own can be added or made anew unless ca.key is copied to %s from the machine that deployed it",
                            directory ? directory : "the secrets"));
}

/* What the provider sees of the adopted resources that differs, and the secrets on them. */
static int compare(struct recovery *recovery, const char **secrets_known)
{
    struct session *session = recovery->session;
    AUTO_JSON json_object *answer =
        provider_discover(session->provider, session->instance, &session->environment, recovery->adopted, recovery->error);
    json_object *changed = json_get_object(answer, "changed");
    int failed = answer ? 0 : MEMORIES_FAILED;
    for (size_t i = 0; !failed && i < json_count(recovery->adopted); i++) {
        json_object *resource = json_object_array_get_idx(recovery->adopted, i);
        json_object *names = json_get_array(changed, json_get_string(resource, "key"));
        failed = names ? note_changed(recovery, resource, names) : 0;
    }
    if (!failed)
        failed = note_missing_and_more(recovery);
    return failed ? failed : recover_secrets(recovery, json_get_object(answer, "secrets"), secrets_known);
}

/* ---- The record ---- */

/* "…-20260225-123456" or "…-20260225-123456-2"; now when it is no such id. */
static int64_t created_at(const char *id, const memories_config *config)
{
    const char *stamp = id + strlen(config->topology) + 1 + strlen(config->provider) + 1;
    struct tm parts = { 0 };
    return strptime(stamp, "%Y%m%d-%H%M%S", &parts) ? (int64_t)timegm(&parts) * 1000 : clock_now_ms();
}

static bool is_stopped(const struct recovery *recovery)
{
    size_t nodes = 0, stopped = 0;
    for (size_t i = 0; i < json_count(recovery->adopted); i++) {
        json_object *resource = json_object_array_get_idx(recovery->adopted, i);
        bool is_node = json_get_string(resource, "node");
        nodes += is_node;
        stopped += is_node && !strcmp(json_get_string(resource, "state"), "stopped");
    }
    return nodes && stopped == nodes;
}

static json_object *new_record(const struct recovery *recovery, const char *secrets_known)
{
    const struct session *session = recovery->session;
    const struct blueprint *blueprint = &recovery->blueprint;
    const char *goal = is_stopped(recovery) ? "stopped" : "running";
    const char *status = recovery->is_whole ? goal : "interrupted";
    AUTO_JSON json_object *record = json_object_new_object();
    json_object *recovered = json_object_new_object(), *config = recovery->config->config;
    int64_t now = clock_now_ms();
    if (json_set(record, "recovered", recovered) || json_set_int(recovered, "at_ms", now) ||
        json_set_int(recovered, "generation", session->engine.generation_floor) ||
        json_set_string(recovered, "secrets", secrets_known) || json_set_string(record, "id", session->id) ||
        json_set_string(record, "name", recovery->config->name) ||
        json_set_string(record, "topology", recovery->config->topology) ||
        json_set_string(record, "provider", recovery->config->provider) || json_set_string(record, "status", status) ||
        json_set_string(record, "goal", goal) ||
        json_set_int(record, "created_at_ms", created_at(session->id, recovery->config)) ||
        json_set_int(record, "updated_at_ms", now) || json_set_int(record, "generation", 1) ||
        json_set(record, "config", config ? json_ref(config) : json_object_new_object()) ||
        json_set(record, "spec", json_ref(blueprint->spec)) ||
        json_set(record, "choices", json_ref(blueprint->choices)) ||
        json_set(record, "resources", json_ref(blueprint->resources)) ||
        json_set(record, "notes", json_ref(blueprint->notes)))
        return NULL;
    return STEAL(record);
}

static int recover(struct recovery *recovery)
{
    struct session *session = recovery->session;
    const char *secrets_known = "none";
    int failed = find(recovery);
    if (!failed)
        failed = compare(recovery, &secrets_known);
    if (failed)
        return failed;
    session->record = new_record(recovery, secrets_known);
    if (!session->record)
        return error_no_memory(recovery->error);
    failed = store_deployment_adopt(session->store, session->record, recovery->adopted, recovery->error);
    if (!failed)
        session_audit(session, "recover", json_ref(json_get(session->record, "recovered")));
    return failed;
}

memories_deployment *memories_recover(memories_context *context, const char *id, const memories_config *config,
                                      memories_error **error)
{
    context_begin(context);
    if (config_require_pair(config, error) || refuse_wrong(context, id, config, error))
        return NULL;
    struct recovery recovery = { .config = config, .error = error };
    recovery.session = session_new(context, id, config->topology, config->provider, config->config, error);
    memories_deployment *deployment = NULL;
    if (recovery.session && !recover(&recovery)) {
        session_say_notes(recovery.session, recovery.blueprint.notes);
        deployment = record_outcome(recovery.session->record, error);
    }
    blueprint_clear(&recovery.blueprint);
    json_object_put(recovery.adopted);
    session_free(recovery.session);
    return deployment;
}
