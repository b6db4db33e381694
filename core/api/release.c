/*
 * release.c - nodes that go: the topology lets go of them before the engine destroys them
 *
 * A node goes when it is recorded and not wanted any more, or when the record names it in membership.replacing: then it is
 * destroyed here and made anew by the run that follows. What is left to do is read from the records each time, so that a
 * crash at any point is finished by the next command.
 *
 * membership: {"replacing": [names], "force_new_cluster": name or null,
 *              "going": {name: what the provider chose for a node that is not wanted any more},
 *              "founders": [names of the nodes that were there at the first deployment],
 *              "joined": {name: [names of the nodes that were there when it came, itself last]}}
 */
#include <string.h>

#include "core/api/session.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

static int add_to_set(json_object *set, const char *name)
{
    return json_set_bool(set, name, true);
}

/* {name: true} of an array of names. */
static json_object *set_of(json_object *names)
{
    AUTO_JSON json_object *set = json_object_new_object();
    for (size_t i = 0; set && i < json_count(names); i++)
        if (add_to_set(set, json_object_get_string(json_object_array_get_idx(names, i))))
            return NULL;
    return STEAL(set);
}

static json_object *nodes_of(json_object *resources)
{
    AUTO_JSON json_object *set = json_object_new_object();
    for (size_t i = 0; set && i < json_count(resources); i++) {
        const char *node = json_get_string(json_object_array_get_idx(resources, i), "node");
        if (node && add_to_set(set, node))
            return NULL;
    }
    return STEAL(set);
}

/* {name: true} of the recorded nodes that are not in `wanted`, or are in `replaced`. */
static json_object *find_leaving(json_object *recorded, json_object *wanted, json_object *replaced)
{
    AUTO_JSON json_object *staying = set_of(NULL), *leaving = set_of(NULL), *again = set_of(replaced);
    AUTO_JSON json_object *names = nodes_of(recorded);
    if (!staying || !leaving || !again || !names)
        return NULL;
    json_object_object_foreach(names, name, unused) {
        (void)unused;
        if ((!json_get(wanted, name) || json_get(again, name)) && add_to_set(leaving, name))
            return NULL;
    }
    return STEAL(leaving);
}

static bool is_leaving(json_object *leaving, const char *node)
{
    return node && json_get_bool(leaving, node, false);
}

/* The recorded resources without those of nodes that have been let go: these are destroyed by now. */
static json_object *present(json_object *recorded, json_object *leaving)
{
    AUTO_JSON json_object *list = json_object_new_array();
    for (size_t i = 0; i < json_count(recorded); i++) {
        json_object *resource = json_object_array_get_idx(recorded, i);
        const char *node = json_get_string(resource, "node");
        bool is_gone = node && json_get(leaving, node) && !is_leaving(leaving, node);
        if (!is_gone && json_add(list, json_ref(resource)))
            return NULL;
    }
    return STEAL(list);
}

/* What the topology is asked: with the nodes that are there, and those that are still to be let go. */
static json_object *request_of(struct session *session, json_object *recorded, json_object *leaving,
                               memories_error **error)
{
    AUTO_JSON json_object *resources = present(recorded, leaving);
    AUTO_JSON json_object *request =
        resources ? session_topology_request(session, session->reason, resources, error) : NULL;
    json_object *names = json_object_new_array();
    json_object *forced = json_get(json_get_object(session->record, "membership"), "force_new_cluster");
    int failed = json_set(request, "leaving", names);
    json_object_object_foreach(leaving, name, waits) {
        if (json_object_get_boolean(waits))
            failed = failed || json_add_string(names, name);
    }
    if (!failed && forced)
        failed = json_set(request, "force_new_cluster", json_ref(forced));
    if (failed)
        error_no_memory(error);
    return failed ? NULL : STEAL(request);
}

static bool depends_on_any(json_object *resource, json_object *keys)
{
    json_object *needed = json_get_array(resource, "depends_on");
    for (size_t i = 0; i < json_count(needed); i++)
        if (json_get(keys, json_object_get_string(json_object_array_get_idx(needed, i))))
            return true;
    return false;
}

/* A node that goes and is lost or broken already is not to be made anew meanwhile. */
static bool goes_now(json_object *resource, json_object *leaving)
{
    const char *node = json_get_string(resource, "node"), *state = json_get_string(resource, "state");
    if (!node || !json_get(leaving, node))
        return false;
    return !is_leaving(leaving, node) || !strcmp(state, "lost") || !strcmp(state, "broken");
}

/* What is there, just as it is, without the nodes that have been let go and what stands on them: nothing else changes as
 * long as others are on their way. The list is in the order in which things were made. */
static json_object *remaining(json_object *recorded, json_object *leaving)
{
    static const char *const members[] = { "key", "type", "node", "inputs", "depends_on" };
    AUTO_JSON json_object *list = json_object_new_array();
    AUTO_JSON json_object *gone = json_object_new_object();
    for (size_t i = 0; i < json_count(recorded); i++) {
        json_object *resource = json_object_array_get_idx(recorded, i);
        if (goes_now(resource, leaving) || depends_on_any(resource, gone)) {
            if (add_to_set(gone, json_get_string(resource, "key")))
                return NULL;
            continue;
        }
        json_object *kept = json_object_new_object();
        if (json_add(list, kept))
            return NULL;
        for (size_t k = 0; k < ARRAY_COUNT(members); k++) {
            json_object *value = json_get(resource, members[k]);
            if (value && json_set(kept, members[k], json_ref(value)))
                return NULL;
        }
    }
    return STEAL(list);
}

/* Marks the released ones in `leaving`: {name: false}. How many are new. */
static int note_released(json_object *answer, json_object *leaving, size_t *count, memories_error **error)
{
    json_object *released = json_get_array(answer, "released");
    for (size_t i = 0; i < json_count(released); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(released, i));
        if (!is_leaving(leaving, name))
            continue;
        if (json_set_bool(leaving, name, false))
            return error_no_memory(error);
        *count += 1;
    }
    return 0;
}

static int destroy_released(struct session *session, json_object *recorded, json_object *leaving,
                            memories_error **error)
{
    AUTO_JSON json_object *target = remaining(recorded, leaving);
    return target ? session_run_engine(session, target, false, error) : error_no_memory(error);
}

struct letting_go {
    struct session *session;
    json_object *recorded;
    json_object *leaving;
    json_object *request;
};

/* Others are there than when the request was made. */
static int renew_request(const struct letting_go *going, memories_error **error)
{
    static const char *const members[] = { "nodes", "leaving" };
    AUTO_JSON json_object *fresh = request_of(going->session, going->recorded, going->leaving, error);
    for (size_t i = 0; i < ARRAY_COUNT(members); i++)
        if (!fresh || json_set(going->request, members[i], json_ref(json_get(fresh, members[i]))))
            return error_no_memory(error);
    return 0;
}

static int take_answer(json_object *answer, void *user_data, memories_error **error)
{
    struct letting_go *going = user_data;
    size_t count = 0;
    int failed = note_released(answer, going->leaving, &count, error);
    if (!failed && count)
        failed = destroy_released(going->session, going->recorded, going->leaving, error);
    return !failed && count ? renew_request(going, error) : failed;
}

/* Calls release until it is done; each node is destroyed as soon as it is free, whatever the others do. */
static int let_go(struct session *session, json_object *recorded, json_object *leaving, memories_error **error)
{
    AUTO_JSON json_object *request = request_of(session, recorded, leaving, error);
    AUTO_JSON json_object *answer = NULL;
    struct letting_go going = { session, recorded, leaving, request };
    const struct session_steps steps = { .slot_name = "release",
                                         .slot = session->topology->ops.topology.release,
                                         .request = request,
                                         .doing = "letting nodes go",
                                         .too_late = "could not let its nodes go",
                                         .on_answer = take_answer,
                                         .user_data = &going };
    return request ? session_repeat(session, &steps, &answer, error) : MEMORIES_NO_MEMORY;
}

/* From here on the nodes that were to be replaced are like ones that were never made. */
static int forget_replaced(struct session *session, memories_error **error)
{
    static const char *const members[] = { "founders", "joined", "going" };
    json_object *membership = json_get_object(session->record, "membership");
    json_object *changes = json_object_new_object(), *kept = json_object_new_object();
    int failed = json_set(changes, "membership", kept);
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        json_object *value = json_get(membership, members[i]);
        failed = failed || (value && json_set(kept, members[i], json_ref(value)));
    }
    if (!failed)
        return session_update(session, changes, error);
    json_object_put(changes);
    return error_no_memory(error);
}

static json_object *replaced_nodes(struct session *session)
{
    return json_get_array(json_get_object(session->record, "membership"), "replacing");
}

/* {name: true} as the records have it. New reference. */
static json_object *recorded_leaving(struct session *session, memories_error **error)
{
    AUTO_JSON json_object *recorded = store_resource_list(session->store, session->id, error);
    AUTO_JSON json_object *wanted = recorded ? nodes_of(json_get_array(session->record, "resources")) : NULL;
    json_object *leaving = wanted ? find_leaving(recorded, wanted, replaced_nodes(session)) : NULL;
    if (recorded && !leaving)
        error_no_memory(error);
    return leaving;
}

int session_has_leaving(struct session *session, bool *has, memories_error **error)
{
    AUTO_JSON json_object *leaving = recorded_leaving(session, error);
    *has = leaving && json_object_object_length(leaving) && session->topology->ops.topology.release;
    return leaving ? 0 : MEMORIES_FAILED;
}

int session_release(struct session *session, memories_error **error)
{
    json_object *replaced = replaced_nodes(session);
    if (!session->topology->ops.topology.release)
        return 0;
    AUTO_JSON json_object *leaving = recorded_leaving(session, error);
    if (!leaving)
        return MEMORIES_FAILED;
    int failed = 0;
    if (json_object_object_length(leaving)) {
        AUTO_JSON json_object *recorded = session_observe(session, error); /* whose machine is gone needs no goodbye */
        if (!recorded)
            return MEMORIES_FAILED;
        failed = let_go(session, recorded, leaving, error);
    }
    return !failed && json_count(replaced) ? forget_replaced(session, error) : failed;
}

int session_release_check(struct session *session, json_object *spec, json_object *replaced,
                          const char *force_new_cluster, memories_error **error)
{
    if (!session->topology->ops.topology.release)
        return 0;
    json_object *nodes = json_get_array(spec, "nodes");
    AUTO_JSON json_object *wanted = json_object_new_object();
    for (size_t i = 0; i < json_count(nodes); i++)
        if (add_to_set(wanted, json_get_string(json_object_array_get_idx(nodes, i), "name")))
            return error_no_memory(error);
    AUTO_JSON json_object *recorded = session_observe(session, error);
    if (!recorded)
        return MEMORIES_FAILED;
    AUTO_JSON json_object *leaving = find_leaving(recorded, wanted, replaced);
    if (!leaving)
        return error_no_memory(error);
    if (!json_object_object_length(leaving))
        return 0;
    AUTO_JSON json_object *request = request_of(session, recorded, leaving, error);
    AUTO_JSON json_object *answer = NULL;
    if (!request || json_set(request, "spec", json_ref(spec)) || json_set_bool(request, "check", true) ||
        json_set_string(request, "force_new_cluster", force_new_cluster))
        return request ? error_no_memory(error) : MEMORIES_NO_MEMORY;
    return call_document(session->topology, &session->environment, "release", session->topology->ops.topology.release,
                         request, &answer, error);
}

/* ---- Nodes that must not be made anew just so ---- */

/* A topology may say that its nodes must keep what they know (rollout.replace): the others of a cluster count on it. Then a
 * node is made anew by heal alone, which lets it go first. What was never finished knows nothing yet. */
int session_refuse_remakes(struct session *session, json_object *spec, const struct plan *plan, memories_error **error)
{
    json_object *rollout = json_get_object(spec, "rollout");
    bool keeps = json_get_object(session->record, "result") && !json_get_bool(rollout, "replace", true);
    const struct plan_operation *remake = NULL;
    for (size_t i = 0; keeps && !remake && i < plan->count; i++)
        if (plan->operations[i].node && plan->operations[i].remakes)
            remake = &plan->operations[i];
    if (!remake)
        return 0;
    if (!strcmp(remake->reason, "is broken") || !strcmp(remake->reason, "has disappeared")) {
        session->refused_remake = true;
        error_set(error, MEMORIES_CONFLICT, "%s of %s %s", remake->node, session->id, remake->reason);
        error_hint(error, "make it anew with: memories heal %s", session->id);
        return MEMORIES_CONFLICT;
    }
    error_set(error, MEMORIES_UNSUPPORTED, "the change would make %s anew, without its data (%s)", remake->node,
              remake->reason);
    error_hint(error, "deploy the new configuration beside %s, move the data over, then delete the old deployment",
               session->id);
    return MEMORIES_UNSUPPORTED;
}

int session_inspect(const struct plan *plan, void *user_data, memories_error **error)
{
    struct session *session = user_data;
    /* Running nodes are changed in turns, each when the whole works again, and without the lost ones it will not. */
    if (session->left_alone && plan->unit_count)
        return error_set(error, MEMORIES_CONFLICT, "nodes of %s are lost", session->id);
    return session_refuse_remakes(session, json_get(session->record, "spec"), plan, error);
}
