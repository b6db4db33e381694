/*
 * schema_compile.c - from a JSON Schema document to nodes
 *
 * Strict on purpose: a keyword that is unknown or has a wrong value is an error here, since a check that silently does
 * nothing is worse than none. References are resolved last, so that schemas may be recursive; a schema that would apply
 * to the same value without end is refused.
 */
#include <errno.h>
#include <json-c/linkhash.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema.h"
#include "core/config/schema_node.h"
#include "core/config/suggest.h"

struct compiler {
    struct schema *schema;
    const char *name;         /* whose schema it is, for errors */
    struct text path;         /* where in the document, as a JSON pointer */
    struct lh_table *by_text; /* json_object of a schema: its node */
    size_t capacity;          /* of schema->nodes */
    struct node **waiting;    /* nodes whose $ref is not resolved yet */
    size_t waiting_count, waiting_capacity;
    memories_error **error;
};

static int fail(struct compiler *compiler, const char *format, ...) PRINTF_LIKE(2, 3);

static int fail(struct compiler *compiler, const char *format, ...)
{
    struct text message = TEXT_INIT;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    AUTO_FREE char *said = text_take(&message);
    if (!said)
        return error_no_memory(compiler->error);
    error_set(compiler->error, MEMORIES_INTERNAL, "%s is wrong: %s", compiler->name, said);
    error_where(compiler->error, "#%s", compiler->path.bytes ? compiler->path.bytes : "");
    return MEMORIES_INTERNAL;
}

/* Makes room for one more; 0 or a code. */
static int grow(struct compiler *compiler, struct node ***items, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return 0;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    struct node **grown = realloc(*items, wanted * sizeof **items);
    if (!grown)
        return error_no_memory(compiler->error);
    *items = grown;
    *capacity = wanted;
    return 0;
}

static int compile(struct compiler *compiler, json_object *document, struct node **node);

static int compile_at(struct compiler *compiler, const char *key, json_object *document, struct node **node)
{
    size_t length = compiler->path.length;
    text_printf(&compiler->path, "/%s", key);
    int failed = compile(compiler, document, node);
    text_truncate(&compiler->path, length);
    return failed;
}

/* ---- Keywords ---------------------------------------------------------------------------------------------------- */

/* What a keyword's `place` points at depends on its compile function. */
typedef int compile_fn(struct compiler *compiler, struct node *node, json_object *value, void *place);

static const struct {
    const char *name;
    unsigned bit;
} types[] = {
    { "string", TYPE_STRING }, { "integer", TYPE_INTEGER }, { "number", TYPE_NUMBER | TYPE_INTEGER },
    { "array", TYPE_ARRAY },   { "boolean", TYPE_BOOLEAN }, { "object", TYPE_OBJECT },
    { "null", TYPE_NULL },
};

static int add_type(struct compiler *compiler, struct node *node, json_object *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        if (json_object_is_type(name, json_type_string) && !strcmp(json_object_get_string(name), types[i].name)) {
            node->types |= types[i].bit;
            return 0;
        }
    }
    return fail(compiler, "%s is not a type", json_object_to_json_string(name));
}

static int compile_type(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)place;
    if (!json_object_is_type(value, json_type_array))
        return add_type(compiler, node, value);
    if (!json_count(value))
        return fail(compiler, "`type` is an empty list");
    for (size_t i = 0; i < json_count(value); i++) {
        int failed = add_type(compiler, node, json_object_array_get_idx(value, i));
        if (failed)
            return failed;
    }
    return 0;
}

static int compile_choices(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)place;
    if (!json_count(value))
        return fail(compiler, "`enum` needs a list of values");
    node->choices = value;
    return 0;
}

static int compile_constant(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)compiler;
    (void)place;
    node->constant = value;
    node->has_constant = true;
    return 0;
}

static int compile_count(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    bool whole = json_object_is_type(value, json_type_int) ||
                 (json_object_is_type(value, json_type_double) &&
                  (double)json_object_get_int64(value) == json_object_get_double(value));
    if (!whole || json_object_get_int64(value) < 0)
        return fail(compiler, "a count is needed, not %s", json_object_to_json_string(value));
    *(long *)place = (long)json_object_get_int64(value);
    return 0;
}

static int compile_number(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
        return fail(compiler, "a number is needed, not %s", json_object_to_json_string(value));
    *(json_object **)place = value;
    return 0;
}

static int compile_multiple(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    int failed = compile_number(compiler, node, value, place);
    if (!failed && json_object_get_double(value) <= 0)
        return fail(compiler, "`multipleOf` must be greater than 0");
    return failed;
}

static int compile_flag(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    if (!json_object_is_type(value, json_type_boolean))
        return fail(compiler, "true or false is needed, not %s", json_object_to_json_string(value));
    *(bool *)place = json_object_get_boolean(value);
    return 0;
}

static int compile_text(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    if (!json_object_is_type(value, json_type_string))
        return fail(compiler, "a string is needed, not %s", json_object_to_json_string(value));
    *(const char **)place = json_object_get_string(value);
    return 0;
}

static int compile_regex(struct compiler *compiler, const char *text, regex_t *pattern, bool *has_pattern)
{
    char reason[128];
    int failed = regcomp(pattern, text, REG_EXTENDED | REG_NOSUB);
    if (!failed) {
        *has_pattern = true;
        return 0;
    }
    if (failed == REG_ESPACE)
        return error_no_memory(compiler->error);
    regerror(failed, pattern, reason, sizeof reason);
    return fail(compiler, "\"%s\" is not a POSIX extended regular expression: %s", text, reason);
}

static int compile_pattern(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    int failed = compile_text(compiler, node, value, place);
    return failed ? failed : compile_regex(compiler, node->pattern_text, &node->pattern, &node->has_pattern);
}

static int compile_format(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    const char *name = NULL;
    (void)place;
    int failed = compile_text(compiler, node, value, &name);
    if (failed)
        return failed;
    node->format = format_find(name);
    return node->format ? 0 : fail(compiler, "unknown format \"%s\" (known: %s)", name, format_names());
}

static int compile_names(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    bool fits = json_object_is_type(value, json_type_array);
    for (size_t i = 0; fits && i < json_count(value); i++)
        fits = json_object_is_type(json_object_array_get_idx(value, i), json_type_string);
    if (!fits)
        return fail(compiler, "a list of names is needed, not %s", json_object_to_json_string(value));
    *(json_object **)place = value;
    return 0;
}

static int compile_dependent(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    if (!json_object_is_type(value, json_type_object))
        return fail(compiler, "a mapping of names to lists is needed");
    json_object_object_foreach(value, key, names) {
        json_object *unused;
        (void)key;
        int failed = compile_names(compiler, node, names, &unused);
        if (failed)
            return failed;
    }
    *(json_object **)place = value;
    return 0;
}

static int compile_schema(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    return compile(compiler, value, place);
}

static int compile_list(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    struct node_list *list = place;
    size_t count = json_count(value);
    if (!count)
        return fail(compiler, "a list of schemas is needed");
    list->items = calloc(count, sizeof *list->items);
    if (!list->items)
        return error_no_memory(compiler->error);
    for (size_t i = 0; i < count; i++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        int failed = compile_at(compiler, index, json_object_array_get_idx(value, i), &list->items[i]);
        if (failed)
            return failed;
        list->count++;
    }
    return 0;
}

static int compile_named(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    struct named_list *list = place;
    if (!json_object_is_type(value, json_type_object))
        return fail(compiler, "a mapping of names to schemas is needed");
    list->items = calloc((size_t)json_object_object_length(value) + 1, sizeof *list->items);
    if (!list->items)
        return error_no_memory(compiler->error);
    json_object_object_foreach(value, key, schema) {
        struct named_node *item = &list->items[list->count++];
        item->name = key;
        int failed = compile_at(compiler, key, schema, &item->node);
        if (failed)
            return failed;
    }
    return 0;
}

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named_node *)a)->name, ((const struct named_node *)b)->name);
}

static int compile_properties(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    int failed = compile_named(compiler, node, value, place);
    if (!failed && node->properties.count)
        qsort(node->properties.items, node->properties.count, sizeof *node->properties.items, compare_named);
    return failed;
}

static int compile_patterns(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    int failed = compile_named(compiler, node, value, place);
    for (size_t i = 0; !failed && i < node->patterns.count; i++) {
        struct named_node *item = &node->patterns.items[i];
        failed = compile_regex(compiler, item->name, &item->pattern, &item->has_pattern);
    }
    return failed;
}

/* $defs: compiled so that their errors are found, used only through $ref. */
static int compile_definitions(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)node;
    (void)place;
    if (!json_object_is_type(value, json_type_object))
        return fail(compiler, "a mapping of names to schemas is needed");
    json_object_object_foreach(value, key, schema) {
        struct node *unused;
        int failed = compile_at(compiler, key, schema, &unused);
        if (failed)
            return failed;
    }
    return 0;
}

static int compile_reference(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    const char *target = NULL;
    (void)place;
    int failed = compile_text(compiler, node, value, &target);
    if (!failed && target[0] != '#')
        return fail(compiler, "\"%s\" refers to another document; only references within one (#/…) work", target);
    if (!failed)
        failed = grow(compiler, &compiler->waiting, compiler->waiting_count, &compiler->waiting_capacity);
    if (!failed)
        compiler->waiting[compiler->waiting_count++] = node;
    return failed;
}

static int compile_identity(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)value;
    (void)place;
    return node->source == compiler->schema->document ? 0 : fail(compiler, "`$id` may stand at the top only");
}

static int compile_annotation(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)compiler;
    (void)node;
    (void)value;
    (void)place;
    return 0;
}

static int compile_examples(struct compiler *compiler, struct node *node, json_object *value, void *place)
{
    (void)place;
    if (!json_object_is_type(value, json_type_array))
        return fail(compiler, "`examples` is a list");
    node->examples = value;
    return 0;
}

#define AT(field) offsetof(struct node, field)

static const struct {
    const char *name;
    compile_fn *compile;
    size_t place;
} keywords[] = {
    { "type", compile_type, 0 },
    { "enum", compile_choices, 0 },
    { "const", compile_constant, 0 },
    { "minimum", compile_number, AT(minimum) },
    { "maximum", compile_number, AT(maximum) },
    { "exclusiveMinimum", compile_number, AT(above) },
    { "exclusiveMaximum", compile_number, AT(below) },
    { "multipleOf", compile_multiple, AT(multiple_of) },
    { "minLength", compile_count, AT(min_length) },
    { "maxLength", compile_count, AT(max_length) },
    { "pattern", compile_pattern, AT(pattern_text) },
    { "format", compile_format, 0 },
    { "properties", compile_properties, AT(properties) },
    { "patternProperties", compile_patterns, AT(patterns) },
    { "additionalProperties", compile_schema, AT(additional) },
    { "unevaluatedProperties", compile_schema, AT(unevaluated) },
    { "propertyNames", compile_schema, AT(names) },
    { "required", compile_names, AT(required) },
    { "dependentRequired", compile_dependent, AT(dependent_required) },
    { "minProperties", compile_count, AT(min_properties) },
    { "maxProperties", compile_count, AT(max_properties) },
    { "items", compile_schema, AT(items) },
    { "prefixItems", compile_list, AT(prefix) },
    { "contains", compile_schema, AT(contains) },
    { "minContains", compile_count, AT(min_contains) },
    { "maxContains", compile_count, AT(max_contains) },
    { "minItems", compile_count, AT(min_items) },
    { "maxItems", compile_count, AT(max_items) },
    { "uniqueItems", compile_flag, AT(unique_items) },
    { "$ref", compile_reference, 0 },
    { "$defs", compile_definitions, 0 },
    { "allOf", compile_list, AT(all_of) },
    { "anyOf", compile_list, AT(any_of) },
    { "oneOf", compile_list, AT(one_of) },
    { "not", compile_schema, AT(not_schema) },
    { "if", compile_schema, AT(if_schema) },
    { "then", compile_schema, AT(then_schema) },
    { "else", compile_schema, AT(else_schema) },
    { "title", compile_text, AT(title) },
    { "description", compile_text, AT(description) },
    { "examples", compile_examples, 0 },
    { "default", compile_annotation, 0 },
    { "deprecated", compile_annotation, 0 },
    { "$comment", compile_annotation, 0 },
    { "$schema", compile_annotation, 0 },
    { "$id", compile_identity, 0 },
};

static int fail_keyword(struct compiler *compiler, const char *name)
{
    const char *names[ARRAY_COUNT(keywords)];
    for (size_t i = 0; i < ARRAY_COUNT(keywords); i++)
        names[i] = keywords[i].name;
    fail(compiler, "unknown keyword `%s`", name);
    const char *meant = suggest_name(name, names, ARRAY_COUNT(names));
    if (meant)
        error_hint(compiler->error, "did you mean `%s`?", meant);
    else
        error_hint(compiler->error, "docs/schema.md lists the keywords");
    return MEMORIES_INTERNAL;
}

static int compile_keyword(struct compiler *compiler, struct node *node, const char *name, json_object *value)
{
    for (size_t i = 0; i < ARRAY_COUNT(keywords); i++) {
        if (strcmp(keywords[i].name, name))
            continue;
        size_t length = compiler->path.length;
        text_printf(&compiler->path, "/%s", name);
        int failed = keywords[i].compile(compiler, node, value, (char *)node + keywords[i].place);
        text_truncate(&compiler->path, length);
        return failed;
    }
    return fail_keyword(compiler, name);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static struct node *node_new(struct compiler *compiler, json_object *document)
{
    struct schema *schema = compiler->schema;
    if (grow(compiler, &schema->nodes.items, schema->nodes.count, &compiler->capacity))
        return NULL;
    struct node *node = calloc(1, sizeof *node);
    if (!node || lh_table_insert(compiler->by_text, document, node)) {
        free(node);
        error_no_memory(compiler->error);
        return NULL;
    }
    schema->nodes.items[schema->nodes.count++] = node;
    node->source = document;
    node->min_length = node->max_length = node->min_properties = node->max_properties = -1;
    node->min_items = node->max_items = node->min_contains = node->max_contains = -1;
    return node;
}

/* A subdocument is compiled once, whoever asks: references may lead to it from everywhere, itself included. */
static int compile(struct compiler *compiler, json_object *document, struct node **result)
{
    struct lh_entry *known = document ? lh_table_lookup_entry(compiler->by_text, document) : NULL;
    if (known) {
        *result = (struct node *)lh_entry_v(known);
        return 0;
    }
    bool boolean = json_object_is_type(document, json_type_boolean);
    if (!boolean && !json_object_is_type(document, json_type_object))
        return fail(compiler, "a schema is needed, not %s", json_object_to_json_string(document));
    struct node *node = node_new(compiler, document);
    if (!node)
        return MEMORIES_NO_MEMORY;
    *result = node;
    node->never = boolean && !json_object_get_boolean(document);
    if (boolean)
        return 0;
    json_object_object_foreach(document, key, value) {
        int failed = compile_keyword(compiler, node, key, value);
        if (failed)
            return failed;
    }
    return 0;
}

/* ---- References -------------------------------------------------------------------------------------------------- */

/* Resolving one reference ("#/$defs/a~1b") may compile a new place and so add more. */
static int resolve(struct compiler *compiler, struct node *node)
{
    const char *reference = json_get_string(node->source, "$ref");
    json_object *target = NULL;
    text_truncate(&compiler->path, 0);
    errno = 0;
    if (json_pointer_get(compiler->schema->document, reference + 1, &target) || !target)
        return errno == ENOMEM ? error_no_memory(compiler->error)
                               : fail(compiler, "\"%s\" refers to nothing", reference);
    text_append(&compiler->path, reference + 1);
    return compile(compiler, target, &node->reference);
}

static int resolve_references(struct compiler *compiler)
{
    int failed = 0;
    while (!failed && compiler->waiting_count)
        failed = resolve(compiler, compiler->waiting[--compiler->waiting_count]);
    return failed;
}

static int visit_list(const struct node_list *list, int visit(struct node *child, void *user_data), void *user_data)
{
    for (size_t i = 0; i < list->count; i++) {
        int answer = visit(list->items[i], user_data);
        if (answer)
            return answer;
    }
    return 0;
}

int node_each_in_place(const struct node *node, int visit(struct node *child, void *user_data), void *user_data)
{
    struct node *const alone[] = { node->reference, node->not_schema, node->if_schema, node->then_schema,
                                   node->else_schema };
    int answer = visit_list(&node->all_of, visit, user_data);
    if (!answer)
        answer = visit_list(&node->any_of, visit, user_data);
    if (!answer)
        answer = visit_list(&node->one_of, visit, user_data);
    for (size_t i = 0; !answer && i < ARRAY_COUNT(alone); i++)
        if (alone[i])
            answer = visit(alone[i], user_data);
    return answer;
}

struct climb {
    struct compiler *compiler;
    unsigned depth;
    unsigned height;
};

/* Fails on a circle of schemas that apply to one and the same value. A circle shows as a chain without end. */
static int measure(struct node *node, void *user_data)
{
    struct climb *climb = user_data;
    if (!node->walked) {
        if (climb->depth == SCHEMA_CHAIN_MAX)
            return fail(climb->compiler, "its references go round in a circle, or are more than %d deep",
                        SCHEMA_CHAIN_MAX);
        struct climb below = { climb->compiler, climb->depth + 1, 0 };
        int failed = node_each_in_place(node, measure, &below);
        if (failed)
            return failed;
        node->walked = true;
        node->height = below.height + 1;
    }
    if (climb->depth + node->height > SCHEMA_CHAIN_MAX)
        return fail(climb->compiler, "its references are more than %d deep", SCHEMA_CHAIN_MAX);
    if (node->height > climb->height)
        climb->height = node->height;
    return 0;
}

static int check_chains(struct compiler *compiler)
{
    text_truncate(&compiler->path, 0);
    for (size_t i = 0; i < compiler->schema->nodes.count; i++) {
        struct climb climb = { compiler, 0, 0 };
        int failed = measure(compiler->schema->nodes.items[i], &climb);
        if (failed)
            return failed;
    }
    return 0;
}

/* ---- Entry ------------------------------------------------------------------------------------------------------- */

struct schema *schema_compile(json_object *document, const char *name, memories_error **error)
{
    struct schema *schema = calloc(1, sizeof *schema);
    struct compiler compiler = { .schema = schema, .name = name, .error = error };
    compiler.by_text = lh_kptr_table_new(256, NULL);
    if (!schema || !compiler.by_text) {
        error_no_memory(error);
        free(schema);
        if (compiler.by_text)
            lh_table_free(compiler.by_text);
        return NULL;
    }
    schema->document = json_ref(document);
    int failed = compile(&compiler, document, &schema->root);
    if (!failed)
        failed = resolve_references(&compiler);
    if (!failed)
        failed = check_chains(&compiler);
    lh_table_free(compiler.by_text);
    free(compiler.waiting);
    text_clear(&compiler.path);
    if (!failed)
        return schema;
    schema_free(schema);
    return NULL;
}

static void free_named(struct named_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].has_pattern)
            regfree(&list->items[i].pattern);
    free(list->items);
}

static void free_node(struct node *node)
{
    if (node->has_pattern)
        regfree(&node->pattern);
    free_named(&node->properties);
    free_named(&node->patterns);
    free(node->prefix.items);
    free(node->all_of.items);
    free(node->any_of.items);
    free(node->one_of.items);
    free(node);
}

void schema_free(struct schema *schema)
{
    if (!schema)
        return;
    for (size_t i = 0; i < schema->nodes.count; i++)
        free_node(schema->nodes.items[i]);
    free(schema->nodes.items);
    json_object_put(schema->document);
    free(schema);
}

struct node *node_property(const struct node *node, const char *name)
{
    if (!node->properties.count) /* bsearch wants an array even of nothing */
        return NULL;
    struct named_node wanted = { .name = name };
    if (!node->properties.count)
        return NULL;
    const struct named_node *found =
        bsearch(&wanted, node->properties.items, node->properties.count, sizeof *node->properties.items, compare_named);
    return found ? found->node : NULL;
}
