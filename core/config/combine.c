/* combine.c - one JSON Schema out of three: the core's keys, a topology's and a provider's */
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/config/schema.h"

extern const char schema_config[];
extern const char schema_provider_description[];
extern const char schema_topology_description[];

struct contributor {
    const char *who; /* "the topology" */
    const char *description_schema;
    json_object *description;
};

/* A plugin's describe is held against the schema of descriptions before anything in it is believed. */
static int check_description(const struct contributor *from, memories_error **error)
{
    memories_error *problem = NULL;
    AUTO_JSON json_object *document = json_parse(from->description_schema, "the schema of descriptions", &problem);
    struct schema *schema = document ? schema_compile(document, "the schema of descriptions", &problem) : NULL;
    int failed = schema ? schema_require(schema, from->description, "description", &problem) : MEMORIES_INTERNAL;
    schema_free(schema);
    if (failed != MEMORIES_INVALID)
        return failed ? error_move(error, problem) : 0;
    error_set(error, MEMORIES_INTERNAL, "%s describes itself wrongly: %s", from->who, memories_error_message(problem));
    error_where(error, "%s", memories_error_where(problem));
    error_hint(error, "this is a defect of the plugin; docs/documents.md says what describe gives");
    memories_error_free(problem);
    return MEMORIES_INTERNAL;
}

/* json_set for what has just been made: NULL is no null, but a want of memory. */
static int set_made(json_object *object, const char *key, json_object *value)
{
    return value ? json_set(object, key, value) : MEMORIES_NO_MEMORY;
}

/* Two schemas for one key: both must hold. So a plugin can narrow a key of the core, and never widen it. */
static json_object *both(json_object *first, json_object *second)
{
    AUTO_JSON json_object *schema = json_object_new_object();
    AUTO_JSON json_object *list = json_object_new_array();
    if (!schema || !list || json_add(list, json_ref(first)) || json_add(list, json_ref(second)) ||
        json_set(schema, "allOf", STEAL(list)))
        return NULL;
    return STEAL(schema);
}

static int add_properties(json_object *into, json_object *from)
{
    json_object_object_foreach(from, key, schema) {
        json_object *known = json_get(into, key);
        if (known ? set_made(into, key, both(known, schema)) : json_set(into, key, json_ref(schema)))
            return MEMORIES_NO_MEMORY;
    }
    return 0;
}

static int add_definitions(const struct contributor *contributor, json_object *into, json_object *from,
                           memories_error **error)
{
    json_object_object_foreach(from, key, schema) {
        json_object *known = json_get(into, key);
        if (known && !json_equal(known, schema))
            return error_set(error, MEMORIES_INTERNAL, "%s defines #/$defs/%s, which is defined already",
                             contributor->who, key);
        if (!known && json_set(into, key, json_ref(schema)))
            return error_no_memory(error);
    }
    return 0;
}

static int add_all(json_object *into, json_object *from)
{
    for (size_t i = 0; i < json_count(from); i++)
        if (json_add(into, json_ref(json_object_array_get_idx(from, i))))
            return MEMORIES_NO_MEMORY;
    return 0;
}

/* Keywords other than those merged apply beside the whole: conditions, alternatives. */
static json_object *remaining_keywords(json_object *schema)
{
    static const char *const merged[] = { "$schema",    "$id",         "$defs",
                                          "title",      "description", "type",
                                          "properties", "required",    "additionalProperties" };
    AUTO_JSON json_object *rest = json_object_new_object();
    json_object_object_foreach(schema, key, value) {
        bool is_merged = false;
        for (size_t i = 0; i < ARRAY_COUNT(merged); i++)
            is_merged |= !strcmp(key, merged[i]);
        if (!is_merged && json_set(rest, key, json_ref(value)))
            return NULL;
    }
    return STEAL(rest);
}

static int add_schema(const struct contributor *contributor, json_object *combined, json_object *schema,
                      memories_error **error)
{
    json_object *definitions = json_get_object(schema, "$defs");
    json_object *properties = json_get_object(schema, "properties");
    int failed = definitions ? add_definitions(contributor, json_get(combined, "$defs"), definitions, error) : 0;
    if (failed)
        return failed;
    if ((properties && add_properties(json_get(combined, "properties"), properties)) ||
        add_all(json_get(combined, "required"), json_get_array(schema, "required")))
        return error_no_memory(error);
    AUTO_JSON json_object *rest = remaining_keywords(schema);
    if (!rest)
        return error_no_memory(error);
    if (json_object_object_length(rest) == 0)
        return 0;
    if (!json_get(combined, "allOf") && set_made(combined, "allOf", json_object_new_array()))
        return error_no_memory(error);
    return json_add(json_get(combined, "allOf"), STEAL(rest)) ? error_no_memory(error) : 0;
}

json_object *config_schema_combine(json_object *topology_description, json_object *provider_description,
                                   memories_error **error)
{
    const struct contributor contributors[] = {
        { "the topology", schema_topology_description, topology_description },
        { "the provider", schema_provider_description, provider_description },
    };
    AUTO_JSON json_object *combined = json_parse(schema_config, "the schema of configurations", error);
    if (!combined)
        return NULL;
    if (set_made(combined, "required", json_object_new_array())) {
        error_no_memory(error);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_COUNT(contributors); i++) {
        json_object *schema = json_get_object(contributors[i].description, "schema");
        if (check_description(&contributors[i], error) ||
            (schema && add_schema(&contributors[i], combined, schema, error)))
            return NULL;
    }
    return STEAL(combined);
}

/* {"description": …, "const": value} */
static json_object *fixed(const char *description, const char *value)
{
    AUTO_JSON json_object *schema = json_object_new_object();
    if (!schema || json_set_string(schema, "description", description) || json_set_string(schema, "const", value))
        return NULL;
    return STEAL(schema);
}

static json_object *name_schema(void)
{
    return json_parse("{\"description\": \"The deployment's name, to be used instead of its id\", \"type\": \"string\","
                      " \"pattern\": \"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$\"}",
                      "the schema of names", NULL);
}

static json_object *file_properties(const char *topology, const char *provider, json_object *config)
{
    AUTO_JSON json_object *properties = json_object_new_object();
    if (set_made(properties, "topology", fixed("How the nodes form a whole", topology)) ||
        set_made(properties, "provider", fixed("Where the nodes run", provider)) ||
        set_made(properties, "name", name_schema()) || set_made(properties, "config", json_ref(config)))
        return NULL;
    return STEAL(properties);
}

/* Fills `file`; `config` loses its definitions to it. */
static int fill_file_schema(json_object *file, json_object *config, const char *topology, const char *provider)
{
    AUTO_FREE char *title = text_format("%s on %s", topology, provider);
    AUTO_JSON json_object *definitions = json_ref(json_get(config, "$defs"));
    /* References say #/$defs/…, so the definitions move to the top. */
    json_object_object_del(config, "$defs");
    json_object_object_del(config, "$schema");
    if (!title || json_set_string(file, "$schema", "https://json-schema.org/draft/2020-12/schema") ||
        json_set_string(file, "title", title) || json_set_string(file, "type", "object") ||
        set_made(file, "properties", file_properties(topology, provider, config)) ||
        json_set_bool(file, "additionalProperties", false) || json_set(file, "$defs", STEAL(definitions)))
        return MEMORIES_NO_MEMORY;
    return 0;
}

json_object *config_schema_file(const char *topology, const char *provider, json_object *config_schema,
                                memories_error **error)
{
    AUTO_JSON json_object *config = json_copy(config_schema);
    AUTO_JSON json_object *file = json_object_new_object();
    if (config && file && fill_file_schema(file, config, topology, provider) == 0)
        return STEAL(file);
    error_no_memory(error);
    return NULL;
}
