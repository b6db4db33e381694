/* plan_text.c - a plan as a document for the caller */
#include <string.h>

#include "core/api/session.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/engine/plan.h"

static bool is_stopped(const struct session *session)
{
    const char *goal = json_get_string(session->record, "goal");
    return goal && !strcmp(goal, "stopped");
}

static json_object *operations_of(const struct session *session, json_object *desired, json_object *recorded,
                                  memories_error **error)
{
    const struct plan_request request = { .desired = desired,
                                          .recorded = recorded,
                                          .resource_types = json_get(session->provider->description, "resource_types"),
                                          .stopped = is_stopped(session),
                                          .can_update = session->provider->ops.provider.update != NULL };
    struct plan *plan = plan_make(&request, error);
    json_object *operations = plan ? plan_json(plan) : NULL;
    if (plan && !operations)
        error_no_memory(error);
    plan_free(plan);
    return operations;
}

char *session_plan_text(struct session *session, const struct blueprint *blueprint, json_object *recorded,
                        memories_error **error)
{
    AUTO_JSON json_object *operations = operations_of(session, blueprint->resources, recorded, error);
    AUTO_JSON json_object *answer = json_object_new_object();
    if (!operations)
        return NULL;
    char *text = NULL;
    if (!json_set_string(answer, "deployment_id", session->id) &&
        !json_set_string(answer, "topology", session->topology->name) &&
        !json_set_string(answer, "provider", session->provider->name) &&
        !json_set(answer, "operations", json_ref(operations)) &&
        !json_set(answer, "notes", json_ref(blueprint->notes)) && !json_set(answer, "spec", json_ref(blueprint->spec)) &&
        !json_set(answer, "resources", json_ref(blueprint->resources)))
        text = json_text(answer);
    if (!text)
        error_no_memory(error);
    return text;
}
