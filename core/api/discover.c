/* discover.c - what a provider finds by its marks, see discover.h */
#include "core/api/discover.h"

#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

static json_object *new_request(const char *deployment, json_object *resources)
{
    AUTO_JSON json_object *request = json_object_new_object();
    if (json_set_int(request, "version", 1) || json_set_string(request, "deployment", deployment) ||
        (resources && json_set(request, "resources", json_ref(resources))))
        return NULL;
    return STEAL(request);
}

json_object *provider_discover(const struct plugin *provider, void *instance,
                               const struct call_environment *environment, json_object *resources,
                               memories_error **error)
{
    if (!provider->ops.provider.discover) {
        error_set(error, MEMORIES_UNSUPPORTED, "provider %s can't find what nobody has a record of", provider->name);
        error_hint(error,
                   "bring memories' state directory back from a backup, or remove the deployment by other means");
        return NULL;
    }
    AUTO_JSON json_object *request = new_request(environment->deployment, resources);
    json_object *answer = NULL;
    if (!request)
        error_no_memory(error);
    else if (!call_instance_question(provider, environment, "discover", provider->ops.provider.discover, instance,
                                     request, &answer, error) &&
             !json_get_array(answer, "resources"))
        error_set(error, MEMORIES_INTERNAL, "provider %s: discover gave no resources", provider->name);
    if (json_get_array(answer, "resources"))
        return answer;
    json_object_put(answer);
    return NULL;
}

/* ---- What nobody has a record of ---- */

/* Apart from when that was noted. */
static bool same_outputs(json_object *recorded, json_object *found)
{
    bool same = recorded && found;
    if (same) {
        json_object_object_foreach(found, name, value) {
            same = same && (!strcmp(name, "created_ms") || json_equal(json_get(recorded, name), value));
        }
    }
    return same;
}

static json_object *by_key(json_object *resources)
{
    AUTO_JSON json_object *map = json_object_new_object();
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        if (json_set(map, json_get_string(resource, "key"), json_ref(resource)))
            return NULL;
    }
    return STEAL(map);
}

/* `recorded` by key. One that is in doubt yet is looked for by itself. */
static bool is_recorded(json_object *recorded, json_object *found)
{
    json_object *resource = json_get(recorded, json_get_string(found, "key")), *outputs = json_get(resource, "outputs");
    return resource && (!outputs || same_outputs(outputs, json_get(found, "outputs")));
}

/* It goes before everything that is on record, for it may stand in there. */
static int add_stray(json_object *strays, json_object *recorded, json_object *found)
{
    json_object *stray = json_object_new_object(), *depends_on = json_object_new_array();
    AUTO_FREE char *key = text_format("%s (stray %zu)", json_get_string(found, "key"), json_count(strays) + 1);
    int failed = json_add(strays, stray) || json_set(stray, "depends_on", depends_on) || !key ||
                 json_set_string(stray, "key", key) || json_set_string(stray, "type", json_get_string(found, "type")) ||
                 json_set_string(stray, "node", json_get_string(found, "node")) ||
                 json_set_string(stray, "state", json_get_string(found, "state")) ||
                 json_set(stray, "inputs", json_object_new_object()) ||
                 json_set(stray, "outputs", json_ref(json_get(found, "outputs")));
    for (size_t i = 0; !failed && i < json_count(recorded); i++)
        failed = json_add_string(depends_on, json_get_string(json_object_array_get_idx(recorded, i), "key"));
    return failed;
}

/* NULL: memory ran out. */
static json_object *strays_among(const struct session *session, json_object *found, json_object *recorded)
{
    AUTO_JSON json_object *strays = json_object_new_array(), *known = by_key(recorded);
    for (size_t i = 0; known && i < json_count(found); i++) {
        json_object *resource = json_object_array_get_idx(found, i);
        const char *of = json_get_string(resource, "deployment"), *state = json_get_string(resource, "state");
        if (!of || strcmp(of, session->id) != 0 || !state || !json_get_string(resource, "key") ||
            !json_get_string(resource, "type") || !json_get(resource, "outputs") || is_recorded(known, resource))
            continue;
        if (add_stray(strays, recorded, resource))
            return NULL;
    }
    return known ? STEAL(strays) : NULL;
}

/* What a process that ended in the middle of a creation made may have been hidden for longer than it was looked for since,
 * and have been made again. */
int session_adopt_strays(struct session *session, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    bool was_cut_off = false;
    int failed = store_journal_is_cut_off(session->store, session->id, &was_cut_off, error);
    if (failed || !was_cut_off || !session->provider->ops.provider.discover)
        return failed;
    AUTO_JSON json_object *recorded = session_observe(session, error);
    if (!recorded)
        return MEMORIES_FAILED;
    AUTO_JSON json_object *answer =
        provider_discover(session->provider, session->instance, &session->environment, NULL, &problem);
    if (!answer) { /* what is known can be removed all the same */
        session_say(session, MEMORIES_EVENT_WARNING, NULL, memories_error_message(problem));
        return 0;
    }
    AUTO_JSON json_object *strays = strays_among(session, json_get_array(answer, "resources"), recorded);
    if (!strays)
        return error_no_memory(error);
    return json_count(strays) ? store_resource_adopt(session->store, session->id, session->lease->fence, strays, error)
                              : 0;
}
