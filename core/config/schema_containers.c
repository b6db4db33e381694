/* schema_containers.c - mappings and lists against a schema */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema_checker.h"
#include "core/config/suggest.h"

/* ---- Mappings ---------------------------------------------------------------------------------------------------- */

struct name_set {
    const char **names;
    size_t count, capacity;
};

/* The order of the document, which is the author's, is kept. */
static int add_known_names(struct node *node, void *user_data)
{
    struct name_set *set = user_data;
    json_object *properties = json_get_object(node->source, "properties");
    if (properties) {
        json_object_object_foreach(properties, name, schema) {
            if (json_object_is_type(schema, json_type_boolean) && !json_object_get_boolean(schema))
                continue;
            if (set->count == set->capacity) {
                set->capacity = set->capacity ? set->capacity * 2 : 32;
                const char **grown = realloc(set->names, set->capacity * sizeof *grown);
                if (!grown)
                    return MEMORIES_NO_MEMORY;
                set->names = grown;
            }
            set->names[set->count++] = name;
        }
    }
    return node_each_in_place(node, add_known_names, set);
}

/* `key` is the last part of the path. */
static void report_unknown_key(struct checker *checker, const struct node *node, const char *key, json_object *value)
{
    struct name_set known = { 0 };
    struct text message = TEXT_INIT, hint = TEXT_INIT;
    if (!checker_wants_message(checker))
        return;
    text_printf(&message, "`%s` is not a known key", key);
    add_known_names((struct node *)node, &known);
    const char *meant = suggest_name(key, known.names, known.count);
    if (meant) {
        text_printf(&hint, "did you mean `%s`?", meant);
    } else if (known.count) {
        text_append(&hint, "known keys: ");
        describe_names(&hint, known.names, known.count);
    } else if (node->patterns.count) {
        text_printf(&hint, "keys match %s", node->patterns.items[0].name);
    } else {
        text_append(&hint, "there can be no keys here");
    }
    free(known.names);
    checker_add(checker, value, &message, text_take(&hint));
}

/* A key that no property describes, under a schema for such. */
static void check_other(struct checker *checker, const struct node *node, const struct node *others, const char *key,
                        json_object *value)
{
    if (others->never)
        report_unknown_key(checker, node, key, value);
    else
        schema_apply(checker, others, value);
}

/* Applies properties, patternProperties and additionalProperties; false when the key is described by none. */
static bool check_described(struct checker *checker, const struct node *node, const char *key, json_object *value)
{
    struct node *property = node_property(node, key);
    bool described = property != NULL;
    if (property)
        schema_apply(checker, property, value);
    for (size_t i = 0; i < node->patterns.count; i++) {
        if (schema_matches(checker, &node->patterns.items[i].pattern, key)) {
            described = true;
            schema_apply(checker, node->patterns.items[i].node, value);
        }
    }
    if (!described && node->additional)
        check_other(checker, node, node->additional, key, value);
    return described || node->additional;
}

static bool names_key(struct checker *checker, const struct node *node, const char *key)
{
    if (node->additional || node->unevaluated || node_property(node, key))
        return true;
    for (size_t i = 0; i < node->patterns.count; i++)
        if (schema_matches(checker, &node->patterns.items[i].pattern, key))
            return true;
    return false;
}

static bool evaluates_below(struct checker *checker, const struct node *node, json_object *object, const char *key);

/* Has `node`, applied to the object, anything to say about this key? (For unevaluatedProperties.) */
static bool evaluates(struct checker *checker, const struct node *node, json_object *object, const char *key)
{
    return names_key(checker, node, key) || evaluates_below(checker, node, object, key);
}

static bool evaluates_if_fits(struct checker *checker, const struct node *node, json_object *object, const char *key)
{
    return node && evaluates(checker, node, object, key) && schema_fits(checker, node, object);
}

static bool any_evaluates(struct checker *checker, const struct node_list *list, json_object *object, const char *key)
{
    for (size_t i = 0; i < list->count; i++)
        if (evaluates_if_fits(checker, list->items[i], object, key))
            return true;
    return false;
}

static bool evaluates_below(struct checker *checker, const struct node *node, json_object *object, const char *key)
{
    if (++checker->steps >= SCHEMA_STEPS_MAX)
        return true;
    if (node->reference && evaluates(checker, node->reference, object, key))
        return true;
    for (size_t i = 0; i < node->all_of.count; i++)
        if (evaluates(checker, node->all_of.items[i], object, key))
            return true;
    if (any_evaluates(checker, &node->any_of, object, key) || any_evaluates(checker, &node->one_of, object, key))
        return true;
    if (!node->if_schema)
        return false;
    if (schema_fits(checker, node->if_schema, object))
        return evaluates(checker, node->if_schema, object, key) ||
               (node->then_schema && evaluates(checker, node->then_schema, object, key));
    return node->else_schema && evaluates(checker, node->else_schema, object, key);
}

static void check_member(struct checker *checker, const struct node *node, json_object *object, const char *key,
                         json_object *value)
{
    size_t length = checker_enter_key(checker, key);
    struct words words = checker->words;
    checker->words = (struct words){ 0 };
    if (!check_described(checker, node, key, value) && node->unevaluated &&
        !evaluates_below(checker, node, object, key))
        check_other(checker, node, node->unevaluated, key, value);
    if (node->names) {
        AUTO_JSON json_object *name = json_object_new_string(key);
        if (name)
            schema_apply(checker, node->names, name);
        checker->no_memory |= !name;
    }
    checker->words = words;
    checker_leave(checker, length);
}

static void check_required(struct checker *checker, const struct node *node, json_object *object)
{
    for (size_t i = 0; i < json_count(node->required); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(node->required, i));
        if (json_object_object_get_ex(object, name, NULL) || !checker_wants_message(checker))
            continue;
        struct text message = TEXT_INIT;
        const struct node *property = node_property(node, name);
        text_printf(&message, "the key `%s` is missing", name);
        checker_add(checker, object, &message, property ? schema_hint(property) : NULL);
    }
}

static void check_dependent(struct checker *checker, const struct node *node, json_object *object)
{
    json_object_object_foreach(node->dependent_required, key, needed) {
        for (size_t i = 0; json_object_object_get_ex(object, key, NULL) && i < json_count(needed); i++) {
            const char *name = json_object_get_string(json_object_array_get_idx(needed, i));
            if (!json_object_object_get_ex(object, name, NULL))
                checker_report(checker, object, "the key `%s` is missing, which `%s` needs", name, key);
        }
    }
}

void schema_check_object(struct checker *checker, const struct node *node, json_object *object)
{
    long count = json_object_object_length(object);
    check_required(checker, node, object);
    if (node->dependent_required)
        check_dependent(checker, node, object);
    if (node->min_properties >= 0 && count < node->min_properties)
        checker_report(checker, object, "must have at least %ld key%s, found %ld", node->min_properties,
                       plural(node->min_properties), count);
    if (node->max_properties >= 0 && count > node->max_properties)
        checker_report(checker, object, "must have at most %ld key%s, found %ld", node->max_properties,
                       plural(node->max_properties), count);
    if (!node->properties.count && !node->patterns.count && !node->additional && !node->unevaluated && !node->names)
        return;
    json_object_object_foreach(object, key, value) {
        if (checker_finished(checker))
            return;
        check_member(checker, node, object, key, value);
    }
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ at[i]) * 0x100000001B3u; /* FNV-1a */
    return hash;
}

/* Equal values (json_equal) have equal hashes. */
static uint64_t hash_value(json_object *value)
{
    uint64_t hash =
        0xCBF29CE484222325u ^ (uint64_t)(value_is_number(value) ? json_type_int : json_object_get_type(value));
    double number = json_object_get_double(value);
    switch (json_object_get_type(value)) {
    case json_type_string:
        return hash_bytes(hash, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    case json_type_boolean:
    case json_type_int:
    case json_type_double:
        number += 0.0; /* -0 and 0 are equal */
        return hash_bytes(hash, &number, sizeof number);
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            uint64_t item = hash_value(json_object_array_get_idx(value, i));
            hash = hash_bytes(hash, &item, sizeof item);
        }
        return hash;
    case json_type_object: {
        json_object_object_foreach(value, key, member) {
            hash += hash_bytes(hash_value(member), key, strlen(key)); /* a sum: order doesn't count */
        }
        return hash;
    }
    default:
        return hash;
    }
}

struct hashed_item {
    uint64_t hash;
    size_t index;
};

static int compare_hashed(const void *a, const void *b)
{
    const struct hashed_item *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void report_repeated(struct checker *checker, json_object *array, size_t first, size_t again)
{
    size_t length = checker_enter_item(checker, again);
    json_object *item = json_object_array_get_idx(array, again);
    if (checker_wants_message(checker)) {
        AUTO_FREE char *what = text_format("stands in the list already, at [%zu]", first);
        checker_report_value(checker, item, what, NULL);
    }
    checker_leave(checker, length);
}

static void check_unique(struct checker *checker, json_object *array)
{
    size_t count = json_object_array_length(array);
    AUTO_FREE struct hashed_item *items = calloc(count ? count : 1, sizeof *items);
    if (!items) {
        checker->no_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct hashed_item){ hash_value(json_object_array_get_idx(array, i)), i };
    qsort(items, count, sizeof *items, compare_hashed);
    for (size_t i = 1, first = 0; i < count; i++) {
        if (items[i].hash != items[first].hash || !json_equal(json_object_array_get_idx(array, items[i].index),
                                                              json_object_array_get_idx(array, items[first].index)))
            first = i;
        else
            report_repeated(checker, array, items[first].index, items[i].index);
    }
}

static void check_contains(struct checker *checker, const struct node *node, json_object *array)
{
    long least = node->min_contains >= 0 ? node->min_contains : 1, found = 0;
    for (size_t i = 0; i < json_object_array_length(array); i++)
        found += schema_fits(checker, node->contains, json_object_array_get_idx(array, i));
    const char *what = node->contains->title ? node->contains->title : "item of the kind that is asked for";
    if (found < least)
        checker_report(checker, array, "must have at least %ld %s, found %ld", least, what, found);
    if (node->max_contains >= 0 && found > node->max_contains)
        checker_report(checker, array, "must have at most %ld %s, found %ld", node->max_contains, what, found);
}

static void check_items(struct checker *checker, const struct node *node, json_object *array)
{
    struct words words = checker->words;
    checker->words = (struct words){ 0 };
    for (size_t i = 0; i < json_object_array_length(array) && !checker_finished(checker); i++) {
        const struct node *item = i < node->prefix.count ? node->prefix.items[i] : node->items;
        if (!item)
            break;
        size_t length = checker_enter_item(checker, i);
        schema_apply(checker, item, json_object_array_get_idx(array, i));
        checker_leave(checker, length);
    }
    checker->words = words;
}

void schema_check_array(struct checker *checker, const struct node *node, json_object *array)
{
    long count = (long)json_object_array_length(array);
    if (node->min_items >= 0 && count < node->min_items)
        checker_report(checker, array, "must have at least %ld item%s, found %ld", node->min_items,
                       plural(node->min_items), count);
    if (node->max_items >= 0 && count > node->max_items)
        checker_report(checker, array, "must have at most %ld item%s, found %ld", node->max_items,
                       plural(node->max_items), count);
    if (node->unique_items)
        check_unique(checker, array);
    if (node->contains)
        check_contains(checker, node, array);
    check_items(checker, node, array);
}
