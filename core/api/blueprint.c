/* blueprint.c - from a configuration to resources */
#include "core/api/blueprint.h"

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/bootstrap/bootstrap.h"
#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/engine/plan.h"

extern const char schema_spec[];
extern const char schema_resources[];

void blueprint_clear(struct blueprint *blueprint)
{
    json_object_put(blueprint->spec);
    json_object_put(blueprint->choices);
    json_object_put(blueprint->notes);
    json_object_put(blueprint->resources);
    *blueprint = (struct blueprint){ 0 };
}

json_object *blueprint_schema(const struct plugin *topology, const struct plugin *provider, memories_error **error)
{
    return config_schema_combine(topology->description, provider->description, error);
}

/* Holds what a plugin returned against the core's schema; a mismatch is the plugin's defect, not the user's. */
static int check_document(const char *schema_text, json_object *document, const struct plugin *plugin,
                          const char *what, memories_error **error)
{
    AUTO_FREE char *name = text_format("%s of %s", what, plugin->name);
    AUTO_JSON json_object *parsed = json_parse(schema_text, what, error);
    if (!name || !parsed)
        return parsed ? error_no_memory(error) : MEMORIES_INTERNAL;
    struct schema *schema = schema_compile(parsed, what, error);
    if (!schema)
        return MEMORIES_INTERNAL;
    AUTO_ERROR memories_error *problem = NULL;
    int failed = schema_require(schema, document, what, &problem);
    schema_free(schema);
    if (!failed)
        return 0;
    error_set(error, MEMORIES_INTERNAL, "plugin %s returned a wrong document: %s", name,
              memories_error_message(problem));
    if (memories_error_where(problem))
        error_where(error, "%s", memories_error_where(problem));
    error_hint(error, "this is a defect of the plugin %s; docs/documents.md describes the document", plugin->path);
    return MEMORIES_INTERNAL;
}

static int add_note(json_object *notes, const char *where, const char *text)
{
    json_object *note = json_object_new_object();
    if (!note || json_set_string(note, "where", where) || json_set_string(note, "text", text)) {
        json_object_put(note);
        return MEMORIES_NO_MEMORY;
    }
    return json_add(notes, note);
}

static int add_warnings(struct blueprint *blueprint)
{
    json_object *warnings = json_get_array(blueprint->spec, "warnings");
    for (size_t i = 0; i < json_count(warnings); i++)
        if (add_note(blueprint->notes, NULL, json_object_get_string(json_object_array_get_idx(warnings, i))))
            return MEMORIES_NO_MEMORY;
    return 0;
}

/* What a topology may need to know of the nodes' past. */
static int add_membership(json_object *request, json_object *membership)
{
    static const char *const members[] = { "founders", "joined" };
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        json_object *value = json_get(membership, members[i]);
        if (value && json_set(request, members[i], json_ref(value)))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

int blueprint_plan(const struct plugin *topology, const struct plugin *provider,
                   const struct call_environment *environment, const memories_config *config, json_object *membership,
                   struct blueprint *blueprint, memories_error **error)
{
    AUTO_JSON json_object *schema = blueprint_schema(topology, provider, error);
    if (!schema)
        return MEMORIES_INTERNAL;
    int failed = config_check(config, schema, error);
    if (failed)
        return failed;
    AUTO_JSON json_object *request = json_object_new_object();
    blueprint->notes = json_object_new_array();
    if (!blueprint->notes || json_set_int(request, "version", 1) ||
        json_set_string(request, "deployment", environment->deployment) ||
        json_set(request, "config", config->config ? json_ref(config->config) : json_object_new_object()) ||
        add_membership(request, membership))
        return error_no_memory(error);
    failed = call_document(topology, environment, "plan", topology->ops.topology.plan, request, &blueprint->spec, error);
    if (failed) {
        config_locate(config, error ? *error : NULL);
        return failed;
    }
    failed = check_document(schema_spec, blueprint->spec, topology, "spec", error);
    if (failed)
        return failed;
    return add_warnings(blueprint) ? error_no_memory(error) : 0;
}

static int prepare(const struct plugin *provider, void *instance, const struct call_environment *environment,
                   json_object *earlier_choices, struct blueprint *blueprint, memories_error **error)
{
    if (!provider->ops.provider.prepare) {
        blueprint->choices = earlier_choices ? json_ref(earlier_choices) : json_object_new_object();
        return blueprint->choices ? 0 : error_no_memory(error);
    }
    AUTO_JSON json_object *request = json_object_new_object();
    AUTO_JSON json_object *answer = NULL;
    if (json_set_int(request, "version", 1) || json_set_string(request, "deployment", environment->deployment) ||
        json_set(request, "spec", json_ref(blueprint->spec)) ||
        json_set(request, "choices", json_ref(earlier_choices)))
        return error_no_memory(error);
    int failed = call_instance_question(provider, environment, "prepare", provider->ops.provider.prepare, instance,
                                        request, &answer, error);
    if (failed)
        return failed;
    blueprint->choices = json_ref(json_get_object(answer, "choices"));
    if (!blueprint->choices) {
        error_set(error, MEMORIES_INTERNAL, "provider %s: prepare gave no choices", provider->name);
        return MEMORIES_INTERNAL;
    }
    json_object *notes = json_get_array(answer, "notes");
    for (size_t i = 0; i < json_count(notes); i++)
        if (json_add(blueprint->notes, json_ref(json_object_array_get_idx(notes, i))))
            return error_no_memory(error);
    return 0;
}

int blueprint_lower(const struct plugin *provider, void *instance, const struct call_environment *environment,
                    json_object *earlier_choices, struct blueprint *blueprint, memories_error **error)
{
    int failed = prepare(provider, instance, environment, earlier_choices, blueprint, error);
    if (failed)
        return failed;
    json_object *resolved = bootstrap_resolve(blueprint->spec, blueprint->choices, error);
    if (!resolved)
        return MEMORIES_INTERNAL;
    json_object_put(blueprint->spec);
    blueprint->spec = resolved;

    AUTO_JSON json_object *request = json_object_new_object();
    AUTO_JSON json_object *answer = NULL;
    if (json_set_int(request, "version", 1) || json_set_string(request, "deployment", environment->deployment) ||
        json_set(request, "spec", json_ref(blueprint->spec)) ||
        json_set(request, "choices", json_ref(blueprint->choices)))
        return error_no_memory(error);
    failed = call_instance_document(provider, environment, "lower", provider->ops.provider.lower, instance, request,
                                    &answer, error);
    if (!failed)
        failed = check_document(schema_resources, answer, provider, "resources", error);
    if (!failed)
        blueprint->resources = json_ref(json_get_array(answer, "resources"));
    return failed ? failed
                  : graph_check(blueprint->resources, json_get(provider->description, "resource_types"), error);
}
