/*
 * blueprint.h - from a configuration to resources: check, plan, prepare, lower
 *
 * Nothing here changes anything, in the cloud or in the store.
 */
#ifndef CORE_API_BLUEPRINT_H
#define CORE_API_BLUEPRINT_H

#include <json-c/json.h>

#include "core/api/context.h"
#include "core/loader/call.h"

struct blueprint {
    json_object *spec;      /* specifiers of addresses resolved */
    json_object *choices;   /* what prepare picked */
    json_object *notes;     /* [{"where", "text"}]: what the operator should know */
    json_object *resources; /* array, as lowered */
};
void blueprint_clear(struct blueprint *blueprint);

/* The combined JSON Schema of `config` for this pair. New reference. */
json_object *blueprint_schema(const struct plugin *topology, const struct plugin *provider, memories_error **error);

/* Schema, then the topology's own rules: fills spec (addresses unresolved) and notes with the topology's warnings.
 * membership: the record's; NULL: no node has come or gone yet. */
int blueprint_plan(const struct plugin *topology, const struct plugin *provider,
                   const struct call_environment *environment, const memories_config *config, json_object *membership,
                   struct blueprint *blueprint, memories_error **error);

/* prepare and lower, behind blueprint_plan; earlier choices (NULL: none) stay as they are. */
int blueprint_lower(const struct plugin *provider, void *instance, const struct call_environment *environment,
                    json_object *earlier_choices, struct blueprint *blueprint, memories_error **error);

#endif
