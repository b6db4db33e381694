/* bootstrap.c - puts addresses and names into the bootstraps of a spec */
#include "core/bootstrap/bootstrap.h"

#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

struct resolver {
    json_object *choices; /* choices.nodes */
    const char *node;
    memories_error **error;
};

static const char *address_of(const struct resolver *resolver, const char *node)
{
    return json_get_string(json_get_object(resolver->choices, node), "address");
}

static int unknown(const struct resolver *resolver, const char *specifier, const char *string)
{
    error_set(resolver->error, MEMORIES_INVALID, "the specifier %s is not known", specifier);
    error_where(resolver->error, "bootstrap of node %s, in \"%s\"", resolver->node, string);
    error_hint(resolver->error, "known are %%c %%d %%l %%n %%a %%{NODE} and %%%%");
    return MEMORIES_INVALID;
}

static int append_address(const struct resolver *resolver, struct text *text, const char *node, const char *string)
{
    const char *address = address_of(resolver, node);
    if (address) {
        text_append(text, address);
        return 0;
    }
    error_set(resolver->error, MEMORIES_INVALID, "there is no address for node %s", node);
    error_where(resolver->error, "bootstrap of node %s, in \"%s\"", resolver->node, string);
    return MEMORIES_INVALID;
}

/* "%{node2}…": `at` stands on the brace; returns where to go on, or NULL. */
static const char *append_named(const struct resolver *resolver, struct text *text, const char *at, const char *string)
{
    const char *end = strchr(at, '}');
    if (!end) {
        unknown(resolver, "%{ without }", string);
        return NULL;
    }
    AUTO_FREE char *node = strndup(at + 1, (size_t)(end - at - 1));
    if (!node || append_address(resolver, text, node, string))
        return NULL;
    return end + 1;
}

/* `at` stands behind the per cent sign; returns where to go on, or NULL with an error. */
static const char *append_specifier(const struct resolver *resolver, struct text *text, const char *at,
                                    const char *string)
{
    const char kept[] = { '%', *at, '\0' };
    switch (*at) {
    case 'c':
    case 'd':
    case 'l':
    case '%': /* the provider's to put in */
        text_append(text, kept);
        return at + 1;
    case 'n':
        text_append(text, resolver->node);
        return at + 1;
    case 'a':
        return append_address(resolver, text, resolver->node, string) ? NULL : at + 1;
    case '{':
        return append_named(resolver, text, at, string);
    default:
        unknown(resolver, kept, string);
        return NULL;
    }
}

static char *resolve_string(const struct resolver *resolver, const char *string)
{
    struct text text = TEXT_INIT;
    for (const char *at = string; *at;) {
        size_t plain = strcspn(at, "%");
        text_append_bytes(&text, at, plain);
        at += plain;
        if (*at)
            at = append_specifier(resolver, &text, at + 1, string);
        if (!at) {
            text_clear(&text);
            return NULL;
        }
    }
    return text_take(&text);
}

static json_object *resolve(const struct resolver *resolver, json_object *value);

static json_object *resolve_object(const struct resolver *resolver, json_object *object)
{
    AUTO_JSON json_object *copy = json_object_new_object();
    json_object_object_foreach(object, name, inner) {
        json_object *resolved = inner ? resolve(resolver, inner) : NULL;
        if ((inner && !resolved) || json_set(copy, name, resolved))
            return NULL;
    }
    return STEAL(copy);
}

static json_object *resolve_array(const struct resolver *resolver, json_object *array)
{
    AUTO_JSON json_object *copy = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        json_object *inner = json_object_array_get_idx(array, i);
        json_object *resolved = inner ? resolve(resolver, inner) : NULL;
        if ((inner && !resolved) || json_add(copy, resolved))
            return NULL;
    }
    return STEAL(copy);
}

/* A copy with the strings resolved; what holds none is shared. */
static json_object *resolve(const struct resolver *resolver, json_object *value)
{
    if (json_object_is_type(value, json_type_object))
        return resolve_object(resolver, value);
    if (json_object_is_type(value, json_type_array))
        return resolve_array(resolver, value);
    if (!json_object_is_type(value, json_type_string) || !strchr(json_object_get_string(value), '%'))
        return json_ref(value);
    AUTO_FREE char *text = resolve_string(resolver, json_object_get_string(value));
    return text ? json_object_new_string(text) : NULL;
}

static json_object *resolve_node(struct resolver *resolver, json_object *node)
{
    AUTO_JSON json_object *copy = json_object_new_object();
    resolver->node = json_get_string(node, "name");
    json_object_object_foreach(node, name, value) {
        bool bootstrap = !strcmp(name, "bootstrap") && value;
        json_object *resolved = bootstrap ? resolve(resolver, value) : json_ref(value);
        if ((bootstrap && !resolved) || json_set(copy, name, resolved))
            return NULL;
    }
    return STEAL(copy);
}

json_object *bootstrap_resolve(json_object *spec, json_object *choices, memories_error **error)
{
    struct resolver resolver = { .choices = json_get_object(choices, "nodes"), .error = error };
    AUTO_JSON json_object *copy = json_object_new_object();
    AUTO_JSON json_object *nodes = json_object_new_array();
    json_object *given = json_get_array(spec, "nodes");
    for (size_t i = 0; i < json_count(given); i++) {
        json_object *node = resolve_node(&resolver, json_object_array_get_idx(given, i));
        if (!node || json_add(nodes, node)) {
            error_no_memory(error); /* where nothing else was told */
            return NULL;
        }
    }
    json_object_object_foreach(spec, name, value) {
        if (json_set(copy, name, strcmp(name, "nodes") ? json_ref(value) : json_ref(nodes))) {
            error_no_memory(error);
            return NULL;
        }
    }
    return STEAL(copy);
}
