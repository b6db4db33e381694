/*
 * update.c - changing what is there: another configuration, other numbers of nodes, new nodes for lost ones
 *
 * All three are one thing: a configuration is designed anew on top of what is recorded, put on record, and realized.
 */
#include <stdlib.h>
#include <string.h>

#include "core/api/blueprint.h"
#include "core/api/record.h"
#include "core/api/session.h"
#include "core/api/update.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/engine/plan.h"

/* What is to be done to a deployment. */
struct update {
    const char *event;  /* in the audit trail, and the topology's reason */
    const char *status; /* while under way */
    json_object *config; /* borrowed; its text has been checked against nothing yet */
    const char *file;    /* where it comes from, for errors; NULL: the record */
    json_object *replaced;         /* array of names of nodes to be made anew, or NULL; borrowed */
    const char *force_new_cluster; /* see memories_heal */
    json_object *detail;           /* for the audit trail; owned by the caller */
};

/* The instance that session_find opens knows the recorded configuration; the work needs the new one. */
static struct session *open_session(memories_context *context, json_object *record, json_object *config,
                                    memories_error **error)
{
    struct session *session = session_new(context, json_get_string(record, "id"), json_get_string(record, "topology"),
                                          json_get_string(record, "provider"), config, error);
    if (session)
        session->record = json_ref(record);
    return session;
}

static json_object *find_record(memories_context *context, const char *id, memories_error **error)
{
    struct store *store = context_store(context, error);
    return store ? store_deployment_find(store, id, error) : NULL;
}

static int refuse_deleted(struct session *session, memories_error **error)
{
    if (strcmp(json_get_string(session->record, "goal"), "deleted"))
        return 0;
    error_set(error, MEMORIES_CONFLICT, "%s is being deleted", session->id);
    error_hint(error, "finish with: memories delete %s", session->id);
    return MEMORIES_CONFLICT;
}

/* Nodes can't be let go, nor taken in, while all are switched off. */
static int require_running(struct session *session, memories_error **error)
{
    if (strcmp(json_get_string(session->record, "goal"), "stopped"))
        return 0;
    error_set(error, MEMORIES_CONFLICT, "%s is stopped", session->id);
    error_hint(error, "start it first: memories start %s", session->id);
    return MEMORIES_CONFLICT;
}

/* ---- Which nodes come and go ---- */

static json_object *choice_nodes(json_object *choices)
{
    return json_get_object(choices, "nodes");
}

static bool has_same_nodes(json_object *before, json_object *after)
{
    json_object *old_nodes = choice_nodes(before), *new_nodes = choice_nodes(after);
    int old_count = old_nodes ? json_object_object_length(old_nodes) : 0;
    bool same = old_count == (new_nodes ? json_object_object_length(new_nodes) : 0);
    if (same && new_nodes) {
        json_object_object_foreach(new_nodes, name, unused) {
            (void)unused;
            same = same && json_object_object_get_ex(old_nodes, name, NULL);
        }
    }
    return same;
}

/* A topology that can't let go of nodes has no way to take in others either. */
static int check_nodes(struct session *session, json_object *before, json_object *after, memories_error **error)
{
    if (has_same_nodes(before, after))
        return 0;
    if (!session->topology->ops.topology.release) {
        error_set(error, MEMORIES_UNSUPPORTED, "the new configuration has other nodes than %s", session->id);
        error_hint(error, "topology %s changes nodes in place; deploy the new configuration beside it instead",
                   session->topology->name);
        return MEMORIES_UNSUPPORTED;
    }
    return require_running(session, error);
}

/* Adds NAME to {name: names}, with the nodes that are there when it comes: those so far, then itself. */
static int note_joined(json_object *joined, json_object *present, const char *name)
{
    json_object *names = json_object_new_array();
    if (json_set_bool(present, name, true) || json_set(joined, name, names))
        return MEMORIES_NO_MEMORY;
    json_object_object_foreach(present, other, unused) {
        (void)unused;
        if (json_add_string(names, other))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

/* membership.joined after this update: what was there, without the nodes that go, with those that come. A replaced node
 * comes too. wanted: choices.nodes of the new design. */
static json_object *joined_after(struct session *session, json_object *wanted, json_object *replaced)
{
    json_object *before = choice_nodes(json_get(session->record, "choices"));
    json_object *earlier = json_get_object(json_get_object(session->record, "membership"), "joined");
    AUTO_JSON json_object *joined = json_object_new_object();
    AUTO_JSON json_object *present = json_object_new_object();
    AUTO_JSON json_object *again = json_object_new_object();
    int failed = joined && present && again ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; !failed && i < json_count(replaced); i++)
        failed = json_set_bool(again, json_object_get_string(json_object_array_get_idx(replaced, i)), true);
    if (failed || !wanted)
        return failed ? NULL : STEAL(joined);
    json_object_object_foreach(wanted, name, unused) {
        (void)unused;
        if (json_object_object_get_ex(before, name, NULL) && !json_get(again, name)) {
            json_object *known = json_get(earlier, name);
            failed = failed || json_set_bool(present, name, true) || (known && json_set(joined, name, json_ref(known)));
        }
    }
    json_object_object_foreach(wanted, other, nothing) {
        (void)nothing;
        if (!json_get(present, other))
            failed = failed || note_joined(joined, present, other);
    }
    return failed ? NULL : STEAL(joined);
}

/* {name: true} of the nodes that have resources. */
static json_object *nodes_there(struct session *session, memories_error **error)
{
    AUTO_JSON json_object *recorded = store_resource_list(session->store, session->id, error);
    AUTO_JSON json_object *names = json_object_new_object();
    if (!recorded)
        return NULL;
    for (size_t i = 0; i < json_count(recorded); i++) {
        const char *name = json_get_string(json_object_array_get_idx(recorded, i), "node");
        if (name && json_set_bool(names, name, true)) {
            error_no_memory(error);
            return NULL;
        }
    }
    return STEAL(names);
}

/* What the provider has chosen, also for nodes that are on their way out and still there: wanted again, they stay as they
 * are. New reference; NULL with an error. */
static json_object *earlier_choices(struct session *session, memories_error **error)
{
    json_object *going = json_get_object(json_get_object(session->record, "membership"), "going");
    AUTO_JSON json_object *choices = json_ref(json_get_object(session->record, "choices"));
    if (!going)
        return STEAL(choices);
    AUTO_JSON json_object *there = nodes_there(session, error);
    AUTO_JSON json_object *all = NULL;
    if (!there)
        return NULL;
    int failed = json_object_deep_copy(choices, &all, NULL);
    json_object_object_foreach(going, name, choice) {
        if (json_get(there, name) && !json_get(choice_nodes(all), name))
            failed = failed || json_set(choice_nodes(all), name, json_ref(choice));
    }
    if (failed)
        error_no_memory(error);
    return failed ? NULL : STEAL(all);
}

/* {name: choice} of those that are not in `wanted`. */
static json_object *going_after(json_object *choices, json_object *wanted)
{
    AUTO_JSON json_object *going = json_object_new_object();
    json_object *nodes = choice_nodes(choices);
    if (nodes) {
        json_object_object_foreach(nodes, name, choice) {
            if (!json_get(wanted, name) && json_set(going, name, json_ref(choice)))
                return NULL;
        }
    }
    return STEAL(going);
}

/* What can't be done without loss is refused before it is on record. */
static int check_remakes(struct session *session, json_object *spec, json_object *resources, memories_error **error)
{
    AUTO_JSON json_object *recorded = store_resource_list(session->store, session->id, error);
    if (!recorded)
        return MEMORIES_FAILED;
    const struct plan_request request = { .desired = resources,
                                          .recorded = recorded,
                                          .resource_types = json_get(session->provider->description, "resource_types"),
                                          .can_update = session->provider->ops.provider.update != NULL };
    struct plan *plan = plan_make(&request, error);
    int failed = plan ? session_refuse_remakes(session, spec, plan, error) : MEMORIES_FAILED;
    plan_free(plan);
    return failed;
}

/* ---- Designing and recording ---- */

static int design(struct session *session, const struct update *update, json_object *earlier, json_object *membership,
                  struct blueprint *blueprint, memories_error **error)
{
    memories_config config = { .file = (char *)update->file, .config = update->config };
    int failed = blueprint_plan(session->topology, session->provider, &session->environment, &config, membership,
                                blueprint, error);
    return failed ? failed
                  : blueprint_lower(session->provider, session->instance, &session->environment, earlier, blueprint,
                                    error);
}

/* Who was there at the first deployment is known as long as nobody has come or gone. */
static json_object *founders_of(json_object *record)
{
    json_object *known = json_get_array(json_get_object(record, "membership"), "founders");
    json_object *nodes = choice_nodes(json_get(record, "choices"));
    if (known)
        return json_ref(known);
    AUTO_JSON json_object *founders = json_object_new_array();
    if (nodes) {
        json_object_object_foreach(nodes, name, unused) {
            (void)unused;
            if (json_add_string(founders, name))
                return NULL;
        }
    }
    return STEAL(founders);
}

/* The record's membership after this update. earlier: the choices before it; wanted: choices.nodes of the new design. */
static json_object *membership_after(struct session *session, const struct update *update, json_object *earlier,
                                     json_object *wanted)
{
    AUTO_JSON json_object *membership = json_object_new_object();
    AUTO_JSON json_object *going = going_after(earlier, wanted);
    json_object *joined = joined_after(session, wanted, update->replaced), *founders = founders_of(session->record);
    if (json_set(membership, "founders", founders) || json_set(membership, "joined", joined) || !founders || !joined ||
        !going || (json_object_object_length(going) && json_set(membership, "going", json_ref(going))) ||
        (update->replaced && json_set(membership, "replacing", json_ref(update->replaced))) ||
        (update->force_new_cluster && json_set_string(membership, "force_new_cluster", update->force_new_cluster)))
        return NULL;
    return STEAL(membership);
}

/* Twice, when nodes come: the first design tells which, and the second has them as ones that join. */
static int design_with_members(struct session *session, const struct update *update, json_object **membership,
                               struct blueprint *blueprint, memories_error **error)
{
    json_object *before = json_get_object(session->record, "membership");
    AUTO_JSON json_object *earlier = earlier_choices(session, error);
    if (!earlier)
        return MEMORIES_FAILED;
    int failed = design(session, update, earlier, before, blueprint, error);
    if (!failed)
        failed = check_nodes(session, json_get_object(session->record, "choices"), blueprint->choices, error);
    if (failed)
        return failed;
    *membership = membership_after(session, update, earlier, choice_nodes(blueprint->choices));
    if (!*membership)
        return error_no_memory(error);
    json_object *joined = json_get(*membership, "joined"), *joined_before = json_get(before, "joined");
    if (joined_before ? json_equal(joined, joined_before) : !json_object_object_length(joined))
        return 0;
    blueprint_clear(blueprint);
    return design(session, update, earlier, *membership, blueprint, error);
}

static size_t node_count(json_object *choices)
{
    json_object *nodes = choice_nodes(choices);
    return nodes ? (size_t)json_object_object_length(nodes) : 0;
}

/* Scaling by load waits some time after the last change, whoever made it. */
static json_object *scaled_after(json_object *record, const struct blueprint *blueprint)
{
    size_t before = node_count(json_get_object(record, "choices")), after = node_count(blueprint->choices);
    json_object *scaled = json_get_object(record, "scaled");
    AUTO_JSON json_object *changed = json_object_new_object();
    int64_t now = clock_now_ms();
    if (json_set_int(changed, "up_ms", after > before ? now : json_get_int(scaled, "up_ms", 0)) ||
        json_set_int(changed, "down_ms", after < before ? now : json_get_int(scaled, "down_ms", 0)))
        return NULL;
    return STEAL(changed);
}

static json_object *changes_of(struct session *session, const struct update *update, const struct blueprint *blueprint,
                               json_object *membership)
{
    AUTO_JSON json_object *changes = json_object_new_object();
    json_object *scaled = scaled_after(session->record, blueprint);
    if (json_set(changes, "membership", json_ref(membership)) || json_set(changes, "scaled", scaled) || !scaled ||
        json_set(changes, "config", json_ref(update->config)) || json_set(changes, "spec", json_ref(blueprint->spec)) ||
        json_set(changes, "choices", json_ref(blueprint->choices)) ||
        json_set(changes, "resources", json_ref(blueprint->resources)) ||
        json_set(changes, "notes", json_ref(blueprint->notes)) ||
        json_set_int(changes, "generation", json_get_int(session->record, "generation", 1) + 1) ||
        json_set_string(changes, "status", update->status))
        return NULL;
    return STEAL(changes);
}

/* Designs the configuration on top of what is recorded, asks whether the nodes that go can go, and puts it on record. */
static int redesign(struct session *session, const struct update *update, memories_error **error)
{
    struct blueprint blueprint = { 0 };
    AUTO_JSON json_object *membership = NULL;
    bool runs = !strcmp(json_get_string(session->record, "goal"), "running");
    int failed = runs ? session_refuse_lost_secrets(session, error) : 0;
    if (!failed)
        failed = design_with_members(session, update, &membership, &blueprint, error);
    if (!failed && !update->replaced)
        failed = check_remakes(session, blueprint.spec, blueprint.resources, error);
    if (!failed)
        failed = session_release_check(session, blueprint.spec, update->replaced, update->force_new_cluster, error);
    /* Where no certificates can be made, nothing is to be on record that needs them. */
    if (!failed && runs)
        failed = secrets_prepare_for(session->secrets, blueprint.spec, blueprint.choices, error);
    json_object *changes = failed ? NULL : changes_of(session, update, &blueprint, membership);
    if (!failed && !changes)
        failed = error_no_memory(error);
    if (!failed) {
        session_say_notes(session, blueprint.notes);
        failed = session_update(session, changes, error);
    }
    blueprint_clear(&blueprint);
    return failed;
}

/* With MEMORIES_NO_WAIT, nodes that have to be let go first are left to memories_resume: that may take its time. */
static int realize(struct session *session, uint32_t flags, memories_error **error)
{
    bool goes = false;
    int failed = flags & MEMORIES_NO_WAIT ? session_has_leaving(session, &goes, error) : 0;
    return failed || goes ? failed : session_realize(session, !(flags & MEMORIES_NO_WAIT), error);
}

/* The session is locked. */
static memories_deployment *carry_out(struct session *session, const struct update *update, uint32_t flags,
                                      memories_error **error)
{
    session->reason = update->event;
    int failed = redesign(session, update, error);
    if (!failed) {
        session_audit(session, update->event, json_ref(update->detail));
        failed = realize(session, flags, error);
    }
    return failed ? NULL : record_outcome(session->record, error);
}

/* ---- Update ---- */

static int check_fixed(json_object *record, const memories_config *config, memories_error **error)
{
    const char *id = json_get_string(record, "id");
    const struct {
        const char *what, *wanted, *present;
    } fixed[] = { { "topology", config->topology, json_get_string(record, "topology") },
                  { "provider", config->provider, json_get_string(record, "provider") } };
    for (size_t i = 0; i < ARRAY_COUNT(fixed); i++) {
        if (!fixed[i].wanted || !strcmp(fixed[i].wanted, fixed[i].present))
            continue;
        error_set(error, MEMORIES_INVALID, "the %s of %s is %s and can't become %s", fixed[i].what, id,
                  fixed[i].present, fixed[i].wanted);
        error_where(error, "%s", config->file);
        error_hint(error, "deploy the configuration as a new deployment");
        return MEMORIES_INVALID;
    }
    return 0;
}

memories_deployment *memories_update(memories_context *context, const char *id, const memories_config *config,
                                     uint32_t flags, memories_error **error)
{
    context_begin(context);
    AUTO_JSON json_object *record = find_record(context, id, error);
    AUTO_JSON json_object *wanted = config->config ? json_ref(config->config) : json_object_new_object();
    if (!record || check_fixed(record, config, error))
        return NULL;
    struct session *session = open_session(context, record, wanted, error);
    if (!session)
        return NULL;
    const struct update update = { .event = "update",
                                   .status = "updating",
                                   .config = wanted,
                                   .file = config->file,
                                   .detail = wanted };
    memories_deployment *deployment = NULL;
    if (!session_lock(session, error) && !refuse_deleted(session, error))
        deployment = carry_out(session, &update, flags, error);
    session_free(session);
    return deployment;
}

static char *foretell(struct session *session, const struct update *update, memories_error **error)
{
    struct blueprint blueprint = { 0 };
    AUTO_JSON json_object *membership = NULL;
    AUTO_JSON json_object *present = session_observe(session, error);
    int failed = present ? design_with_members(session, update, &membership, &blueprint, error) : MEMORIES_FAILED;
    char *text = failed ? NULL : session_plan_text(session, &blueprint, present, error);
    blueprint_clear(&blueprint);
    return text;
}

char *memories_plan_update(memories_context *context, const char *id, const memories_config *config,
                           memories_error **error)
{
    context_begin(context);
    AUTO_JSON json_object *record = find_record(context, id, error);
    AUTO_JSON json_object *wanted = config->config ? json_ref(config->config) : json_object_new_object();
    if (!record || check_fixed(record, config, error))
        return NULL;
    struct session *session = open_session(context, record, wanted, error);
    const struct update update = { .config = wanted, .file = config->file };
    char *text = session ? foretell(session, &update, error) : NULL;
    session_free(session);
    return text;
}

/* ---- Scale ---- */

static json_object *groups_of(json_object *record)
{
    return json_get_object(json_get_object(json_get_object(record, "spec"), "scaling"), "groups");
}

static int no_such_group(json_object *record, const char *group, memories_error **error)
{
    json_object *groups = groups_of(record);
    struct text names = TEXT_INIT;
    if (groups) {
        json_object_object_foreach(groups, name, unused) {
            (void)unused;
            text_printf(&names, "%s%s", names.length ? ", " : "", name);
        }
    }
    AUTO_FREE char *listed = text_take(&names);
    const char *id = json_get_string(record, "id"), *topology = json_get_string(record, "topology");
    error_set(error, MEMORIES_INVALID, "%s has no group of nodes \"%s\" that can be scaled", id, group);
    if (groups)
        error_hint(error, "topology %s scales: %s", topology, listed ? listed : "");
    else
        error_hint(error, "topology %s has a fixed set of nodes", topology);
    return MEMORIES_INVALID;
}

/* The record's configuration with other numbers in it. */
static json_object *scaled_config(json_object *record, const struct memories_group_size *sizes, size_t count,
                                  memories_error **error)
{
    memories_config config = { 0 };
    json_object *recorded = json_get_object(record, "config");
    int failed = 0;
    if (!recorded || json_object_deep_copy(recorded, &config.config, NULL))
        config.config = json_object_new_object();
    for (size_t i = 0; !failed && i < count; i++) {
        const char *key = json_get_string(json_get(groups_of(record), sizes[i].group), "config");
        AUTO_FREE char *assignment = key ? text_format("%s=%u", key, sizes[i].count) : NULL;
        if (!key)
            failed = no_such_group(record, sizes[i].group, error);
        else
            failed = assignment ? memories_config_set(&config, assignment, error) : error_no_memory(error);
    }
    if (!failed)
        return config.config;
    json_object_put(config.config);
    return NULL;
}

static json_object *scale_detail(json_object *record, const struct memories_group_size *sizes, size_t count)
{
    AUTO_JSON json_object *detail = json_object_new_object();
    for (size_t i = 0; i < count; i++) {
        json_object *change = json_object_new_object();
        int64_t before = json_get_int(json_get(groups_of(record), sizes[i].group), "count", 0);
        if (json_set(detail, sizes[i].group, change) || json_set_int(change, "from", before) ||
            json_set_int(change, "to", sizes[i].count))
            return NULL;
    }
    return STEAL(detail);
}

memories_deployment *update_scale(memories_context *context, const char *id, const struct memories_group_size *sizes,
                                  size_t count, uint32_t flags, memories_error **error)
{
    AUTO_JSON json_object *record = find_record(context, id, error);
    if (!record)
        return NULL;
    if (!count) {
        error_set(error, MEMORIES_INVALID, "no number of nodes to scale %s to", json_get_string(record, "id"));
        return NULL;
    }
    AUTO_JSON json_object *config = scaled_config(record, sizes, count, error);
    AUTO_JSON json_object *detail = scale_detail(record, sizes, count);
    struct session *session = config ? open_session(context, record, config, error) : NULL;
    if (!session)
        return NULL;
    const struct update update = { .event = "scale", .status = "scaling", .config = config, .detail = detail };
    memories_deployment *deployment = NULL;
    if (!session_lock(session, error) && !refuse_deleted(session, error) && !require_running(session, error))
        deployment = carry_out(session, &update, flags, error);
    session_free(session);
    return deployment;
}

memories_deployment *memories_scale(memories_context *context, const char *id, const struct memories_group_size *sizes,
                                    size_t count, uint32_t flags, memories_error **error)
{
    context_begin(context);
    return update_scale(context, id, sizes, count, flags, error);
}

/* ---- Heal ---- */

static bool role_matches(json_object *node, const char *role)
{
    const char *own = json_get_string(node, "role");
    return own && !strcmp(own, role);
}

static json_object *spec_node(json_object *record, const char *name)
{
    json_object *nodes = json_get_array(json_get_object(record, "spec"), "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        if (!strcmp(json_get_string(node, "name"), name))
            return node;
    }
    return NULL;
}

static int no_such_node(json_object *record, const char *name, memories_error **error)
{
    error_set(error, MEMORIES_NOT_FOUND, "%s has no node \"%s\"", json_get_string(record, "id"), name);
    error_hint(error, "`memories status %s` names them", json_get_string(record, "id"));
    return MEMORIES_NOT_FOUND;
}

/* The nodes whose machine is gone or will not work again: the provider says so. */
static int add_lost(struct session *session, json_object *names, memories_error **error)
{
    AUTO_JSON json_object *resources = session_observe(session, error);
    if (!resources)
        return MEMORIES_FAILED;
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *node = json_get_string(resource, "node"), *state = json_get_string(resource, "state");
        if (node && state && (!strcmp(state, "lost") || !strcmp(state, "broken")) && json_add_string(names, node))
            return error_no_memory(error);
    }
    return 0;
}

/* All of its role but the one that the new cluster begins with: what they know of the old one must not come back. */
static int add_forced(struct session *session, const char *survivor, json_object *names, memories_error **error)
{
    json_object *kept = spec_node(session->record, survivor);
    if (!kept)
        return no_such_node(session->record, survivor, error);
    json_object *nodes = json_get_array(json_get_object(session->record, "spec"), "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        if (node != kept && role_matches(node, json_get_string(kept, "role")) &&
            json_add_string(names, json_get_string(node, "name")))
            return error_no_memory(error);
    }
    return 0;
}

static int name_replaced(struct session *session, const struct memories_heal_options *options, json_object *names,
                         memories_error **error)
{
    for (size_t i = 0; options->nodes && options->nodes[i]; i++) {
        if (!spec_node(session->record, options->nodes[i]))
            return no_such_node(session->record, options->nodes[i], error);
        if (json_add_string(names, options->nodes[i]))
            return error_no_memory(error);
    }
    if (options->force_new_cluster)
        return add_forced(session, options->force_new_cluster, names, error);
    return options->nodes ? 0 : add_lost(session, names, error);
}

static int can_replace(struct session *session, json_object *names, memories_error **error)
{
    if (!json_count(names) || session->topology->ops.topology.release)
        return 0;
    error_set(error, MEMORIES_UNSUPPORTED, "topology %s can't replace nodes", session->topology->name);
    error_hint(error, "start what is stopped with: memories start %s", session->id);
    return MEMORIES_UNSUPPORTED;
}

memories_deployment *memories_heal(memories_context *context, const char *id,
                                   const struct memories_heal_options *options, uint32_t flags, memories_error **error)
{
    static const struct memories_heal_options defaults = MEMORIES_HEAL_OPTIONS_INIT;
    context_begin(context);
    struct session *session = session_find(context, id, error);
    AUTO_JSON json_object *names = json_object_new_array();
    if (!session)
        return NULL;
    memories_deployment *deployment = NULL;
    options = options ? options : &defaults;
    int failed = session_lock(session, error);
    if (!failed)
        failed = refuse_deleted(session, error) || require_running(session, error) ||
                 name_replaced(session, options, names, error) || can_replace(session, names, error);
    if (!failed) {
        AUTO_JSON json_object *config = json_ref(json_get(session->record, "config"));
        const struct update update = { .event = "heal",
                                       .status = "healing",
                                       .config = config,
                                       .replaced = json_count(names) ? names : NULL,
                                       .force_new_cluster = options->force_new_cluster,
                                       .detail = names };
        deployment = carry_out(session, &update, flags, error);
    }
    session_free(session);
    return deployment;
}
