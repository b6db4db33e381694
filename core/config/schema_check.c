/*
 * schema_check.c - a value against compiled nodes
 *
 * Problems are gathered with the path of the value and, where a slip is likely, a hint. Alternatives (anyOf, oneOf, if)
 * are tried silently first; only when none fits are they tried again for their messages, of which the alternative that
 * was probably meant is reported.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema.h"
#include "core/config/schema_node.h"
#include "core/config/schema_problem.h"
#include "core/config/suggest.h"

/* Subschemas applied in one check. A thousand nodes need some ten thousand; a schema whose alternatives multiply would
 * otherwise never end. */
#define STEPS_MAX 10000000u

/* What the author says about a value. Where one schema refers to another, the first has the word. */
struct words {
    const char *title, *description;
    json_object *examples;
};

struct checker {
    struct text path;
    struct words words; /* of the schemas in whose place the present one stands */
    struct problem_list *problems; /* NULL: only whether the value fits is asked */
    bool fits;                     /* false once a problem was found, while problems is NULL */
    unsigned steps;
};

static void check(struct checker *checker, const struct node *node, json_object *value);

static bool finished(const struct checker *checker)
{
    return checker->steps >= STEPS_MAX || (checker->problems ? checker->problems->count == SCHEMA_PROBLEMS_MAX
                                                             : !checker->fits);
}

/* ---- Reporting --------------------------------------------------------------------------------------------------- */

/* `message` and `hint` (may be NULL) are taken over. */
static void add_problem(struct checker *checker, json_object *value, struct text *message, char *hint)
{
    struct problem problem = { .value = json_ref(value), .hint = hint };
    problem.message = text_take(message);
    problem.path = checker->path.failed ? NULL : strdup(checker->path.bytes);
    problem_add(checker->problems, &problem);
}

/* True when messages are wanted; otherwise notes that the value doesn't fit. */
static bool wants_message(struct checker *checker)
{
    checker->fits = false;
    return checker->problems != NULL;
}

static void report(struct checker *checker, json_object *value, const char *format, ...) PRINTF_LIKE(3, 4);

static void report(struct checker *checker, json_object *value, const char *format, ...)
{
    struct text message = TEXT_INIT;
    if (!wants_message(checker))
        return;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    add_problem(checker, value, &message, NULL);
}

/* `"x" WHAT`, with a hint (taken over, may be NULL). */
static void report_value(struct checker *checker, json_object *value, const char *what, char *hint)
{
    struct text message = TEXT_INIT;
    describe_value(&message, value);
    text_printf(&message, " %s", what);
    add_problem(checker, value, &message, hint);
}

/* "expected a string, found 5" at `path`, which is taken over as `expected` and `hint` are. */
static void report_expected_at(struct checker *checker, char *path, json_object *value, struct text *expected,
                               bool of_choice, char *hint)
{
    struct problem problem = { .path = path, .value = json_ref(value), .hint = hint, .of_choice = of_choice };
    struct text message = TEXT_INIT;
    problem.expected = text_take(expected);
    text_printf(&message, "expected %s, found ", problem.expected ? problem.expected : "");
    describe_value(&message, value);
    problem.message = text_take(&message);
    problem_add(checker->problems, &problem);
}

static void report_expected(struct checker *checker, json_object *value, struct text *expected, bool of_choice,
                            char *hint)
{
    char *path = checker->path.failed ? NULL : strdup(checker->path.bytes);
    report_expected_at(checker, path, value, expected, of_choice, hint);
}

static struct words add_words(struct words words, const struct node *node)
{
    return (struct words){
        .title = words.title ? words.title : node->title,
        .description = words.description ? words.description : node->description,
        .examples = words.examples ? words.examples : node->examples,
    };
}

static void describe_example(struct text *out, json_object *example)
{
    if (json_object_is_type(example, json_type_array) || json_object_is_type(example, json_type_object))
        text_append(out, json_object_to_json_string_ext(example, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        describe_value(out, example);
}

/* NULL when the author says nothing. */
static char *author_hint(const struct words *words)
{
    struct text hint = TEXT_INIT;
    if (!words->description && !json_count(words->examples))
        return NULL;
    if (words->description)
        text_append(&hint, words->description);
    if (json_count(words->examples)) {
        text_append(&hint, words->description ? "; for example " : "for example ");
        describe_example(&hint, json_object_array_get_idx(words->examples, 0));
    }
    return text_take(&hint);
}

/* Of a schema that is not the present one. */
static char *hint_of(const struct node *node)
{
    struct words words = { 0 };
    for (; node; node = node->reference)
        words = add_words(words, node);
    return author_hint(&words);
}

static size_t enter_key(struct checker *checker, const char *key)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$";
    size_t length = checker->path.length;
    if (*key && !key[strspn(key, plain)]) {
        text_append(&checker->path, ".");
        text_append(&checker->path, key);
    } else {
        text_printf(&checker->path, "[\"%s\"]", key);
    }
    return length;
}

static size_t enter_item(struct checker *checker, size_t index)
{
    size_t length = checker->path.length;
    text_printf(&checker->path, "[%zu]", index);
    return length;
}

static void leave(struct checker *checker, size_t length)
{
    text_truncate(&checker->path, length);
}

/* Does the value fit? Nothing is reported. */
static bool fits(struct checker *checker, const struct node *node, json_object *value)
{
    struct problem_list *problems = checker->problems;
    bool before = checker->fits;
    checker->problems = NULL;
    checker->fits = true;
    check(checker, node, value);
    bool answer = checker->fits;
    checker->problems = problems;
    checker->fits = before;
    return answer;
}

/* ---- Types, constants -------------------------------------------------------------------------------------------- */

static bool is_number(json_object *value)
{
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

static unsigned type_of(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        return TYPE_STRING;
    case json_type_int:
        return TYPE_INTEGER;
    case json_type_double:
        return rint(json_object_get_double(value)) == json_object_get_double(value) ? TYPE_INTEGER : TYPE_NUMBER;
    case json_type_boolean:
        return TYPE_BOOLEAN;
    case json_type_object:
        return TYPE_OBJECT;
    case json_type_array:
        return TYPE_ARRAY;
    default:
        return TYPE_NULL;
    }
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcasecmp(text, *words))
            return true;
    return false;
}

/* YAML's usual slips: a string that should be a number or a truth value, and the other way round. */
static char *advise_type(unsigned types, json_object *value)
{
    static const char *const yes[] = { "yes", "on", "y", "true", NULL };
    static const char *const no[] = { "no", "off", "n", "false", NULL };
    if ((types & TYPE_STRING) && type_of(value) & (TYPE_INTEGER | TYPE_NUMBER | TYPE_BOOLEAN))
        return text_format("put it into quotes: \"%s\"", json_object_to_json_string(value));
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    char *end;
    if ((types & TYPE_BOOLEAN) && (is_one_of(text, yes) || is_one_of(text, no)))
        return text_format("write %s without quotes", is_one_of(text, yes) ? "true" : "false");
    if ((types & (TYPE_INTEGER | TYPE_NUMBER)) && *text && (strtod(text, &end), !*end))
        return text_format("write the number without quotes");
    return NULL;
}

static bool check_type(struct checker *checker, const struct node *node, json_object *value)
{
    if (!node->types || (node->types & type_of(value)))
        return true;
    if (wants_message(checker)) {
        struct text expected = TEXT_INIT;
        describe_types(&expected, node->types);
        char *hint = advise_type(node->types, value);
        report_expected(checker, value, &expected, false, hint ? hint : author_hint(&checker->words));
    }
    return false;
}

static char *advise_choice(const struct node *node, json_object *value)
{
    size_t count = json_count(node->choices), strings = 0;
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    AUTO_FREE const char **names = calloc(count, sizeof *names);
    for (size_t i = 0; names && i < count; i++) {
        json_object *choice = json_object_array_get_idx(node->choices, i);
        if (json_object_is_type(choice, json_type_string))
            names[strings++] = json_object_get_string(choice);
    }
    const char *meant = names ? suggest_name(json_object_get_string(value), names, strings) : NULL;
    return meant ? text_format("did you mean \"%s\"?", meant) : NULL;
}

static bool check_choices(struct checker *checker, const struct node *node, json_object *value)
{
    for (size_t i = 0; i < json_count(node->choices); i++)
        if (json_equal(value, json_object_array_get_idx(node->choices, i)))
            return true;
    if (wants_message(checker)) {
        struct text expected = TEXT_INIT;
        describe_choices(&expected, node->choices);
        report_expected(checker, value, &expected, true, advise_choice(node, value));
    }
    return false;
}

static bool check_constant(struct checker *checker, const struct node *node, json_object *value)
{
    if (json_equal(value, node->constant))
        return true;
    if (wants_message(checker)) {
        struct text expected = TEXT_INIT;
        describe_value(&expected, node->constant);
        report_expected(checker, value, &expected, true, NULL);
    }
    return false;
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static int compare_numbers(json_object *a, json_object *b)
{
    if (json_object_is_type(a, json_type_int) && json_object_is_type(b, json_type_int)) {
        int64_t x = json_object_get_int64(a), y = json_object_get_int64(b);
        return (x > y) - (x < y);
    }
    double x = json_object_get_double(a), y = json_object_get_double(b);
    return (x > y) - (x < y);
}

static bool is_multiple(json_object *value, json_object *of)
{
    if (json_object_is_type(value, json_type_int) && json_object_is_type(of, json_type_int))
        return json_object_get_int64(value) % json_object_get_int64(of) == 0;
    /* 0.0075 is a multiple of 0.0001 to a person, though not quite to the processor. */
    double quotient = json_object_get_double(value) / json_object_get_double(of);
    return isfinite(quotient) && fabs(quotient - rint(quotient)) <= 1e-12 * fmax(1, fabs(quotient));
}

static void report_bound(struct checker *checker, json_object *value, const char *relation, json_object *bound)
{
    struct text message = TEXT_INIT;
    if (!wants_message(checker))
        return;
    text_printf(&message, "must be %s ", relation);
    describe_value(&message, bound);
    text_append(&message, ", found ");
    describe_value(&message, value);
    add_problem(checker, value, &message, author_hint(&checker->words));
}

static void check_number(struct checker *checker, const struct node *node, json_object *value)
{
    if (node->minimum && compare_numbers(value, node->minimum) < 0)
        report_bound(checker, value, "at least", node->minimum);
    if (node->maximum && compare_numbers(value, node->maximum) > 0)
        report_bound(checker, value, "at most", node->maximum);
    if (node->above && compare_numbers(value, node->above) <= 0)
        report_bound(checker, value, "greater than", node->above);
    if (node->below && compare_numbers(value, node->below) >= 0)
        report_bound(checker, value, "less than", node->below);
    if (node->multiple_of && !is_multiple(value, node->multiple_of))
        report_bound(checker, value, "a multiple of", node->multiple_of);
}

/* ---- Strings ----------------------------------------------------------------------------------------------------- */

static long count_characters(const char *text)
{
    long count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static const char *plural(long count)
{
    return count == 1 ? "" : "s";
}

static void check_length(struct checker *checker, const struct node *node, json_object *value, const char *text)
{
    long length = node->min_length >= 0 || node->max_length >= 0 ? count_characters(text) : 0;
    if (node->min_length >= 0 && length < node->min_length)
        report(checker, value, "must have at least %ld character%s, found %ld", node->min_length,
               plural(node->min_length), length);
    if (node->max_length >= 0 && length > node->max_length)
        report(checker, value, "must have at most %ld character%s, found %ld", node->max_length,
               plural(node->max_length), length);
}

static void check_pattern(struct checker *checker, const struct node *node, json_object *value, const char *text)
{
    if (!node->has_pattern || regexec(&node->pattern, text, 0, NULL, 0) == 0 || !wants_message(checker))
        return;
    const char *title = checker->words.title;
    AUTO_FREE char *what = title ? text_format("can't be the %s", title)
                                 : text_format("does not match %s", node->pattern_text);
    char *hint = author_hint(&checker->words);
    if (!hint && title)
        hint = text_format("it must match %s", node->pattern_text);
    report_value(checker, value, what ? what : "", hint);
}

static void check_format(struct checker *checker, const struct node *node, json_object *value, const char *text)
{
    if (!node->format || node->format->fits(text) || !wants_message(checker))
        return;
    AUTO_FREE char *what = text_format("is not %s", node->format->noun);
    char *hint = node->format->advise ? node->format->advise(text) : NULL;
    report_value(checker, value, what ? what : "", hint ? hint : strdup(node->format->usage));
}

static void check_string(struct checker *checker, const struct node *node, json_object *value)
{
    const char *text = json_object_get_string(value);
    /* Patterns and formats would see its beginning only. */
    if ((node->has_pattern || node->format) && strlen(text) != (size_t)json_object_get_string_len(value)) {
        report(checker, value, "must not hold a NUL character");
        return;
    }
    check_length(checker, node, value, text);
    check_pattern(checker, node, value, text);
    check_format(checker, node, value, text);
}

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
    if (!wants_message(checker))
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
    add_problem(checker, value, &message, text_take(&hint));
}

/* A key that no property describes, under a schema for such. */
static void check_other(struct checker *checker, const struct node *node, const struct node *others, const char *key,
                        json_object *value)
{
    if (others->never)
        report_unknown_key(checker, node, key, value);
    else
        check(checker, others, value);
}

/* Applies properties, patternProperties and additionalProperties; false when the key is described by none. */
static bool check_described(struct checker *checker, const struct node *node, const char *key, json_object *value)
{
    struct node *property = node_property(node, key);
    bool described = property != NULL;
    if (property)
        check(checker, property, value);
    for (size_t i = 0; i < node->patterns.count; i++) {
        if (regexec(&node->patterns.items[i].pattern, key, 0, NULL, 0) == 0) {
            described = true;
            check(checker, node->patterns.items[i].node, value);
        }
    }
    if (!described && node->additional)
        check_other(checker, node, node->additional, key, value);
    return described || node->additional;
}

static bool names_key(const struct node *node, const char *key)
{
    if (node->additional || node->unevaluated || node_property(node, key))
        return true;
    for (size_t i = 0; i < node->patterns.count; i++)
        if (regexec(&node->patterns.items[i].pattern, key, 0, NULL, 0) == 0)
            return true;
    return false;
}

static bool evaluates_below(struct checker *checker, const struct node *node, json_object *object, const char *key);

/* Has `node`, applied to the object, anything to say about this key? (For unevaluatedProperties.) */
static bool evaluates(struct checker *checker, const struct node *node, json_object *object, const char *key)
{
    return names_key(node, key) || evaluates_below(checker, node, object, key);
}

static bool evaluates_if_fits(struct checker *checker, const struct node *node, json_object *object, const char *key)
{
    return node && evaluates(checker, node, object, key) && fits(checker, node, object);
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
    if (++checker->steps >= STEPS_MAX)
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
    if (fits(checker, node->if_schema, object))
        return evaluates(checker, node->if_schema, object, key) ||
               (node->then_schema && evaluates(checker, node->then_schema, object, key));
    return node->else_schema && evaluates(checker, node->else_schema, object, key);
}

static void check_member(struct checker *checker, const struct node *node, json_object *object, const char *key,
                         json_object *value)
{
    size_t length = enter_key(checker, key);
    struct words words = checker->words;
    checker->words = (struct words){ 0 };
    if (!check_described(checker, node, key, value) && node->unevaluated &&
        !evaluates_below(checker, node, object, key))
        check_other(checker, node, node->unevaluated, key, value);
    if (node->names) {
        AUTO_JSON json_object *name = json_object_new_string(key);
        if (name)
            check(checker, node->names, name);
    }
    checker->words = words;
    leave(checker, length);
}

static void check_required(struct checker *checker, const struct node *node, json_object *object)
{
    for (size_t i = 0; i < json_count(node->required); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(node->required, i));
        if (json_object_object_get_ex(object, name, NULL) || !wants_message(checker))
            continue;
        struct text message = TEXT_INIT;
        const struct node *property = node_property(node, name);
        text_printf(&message, "the key `%s` is missing", name);
        add_problem(checker, object, &message, property ? hint_of(property) : NULL);
    }
}

static void check_dependent(struct checker *checker, const struct node *node, json_object *object)
{
    json_object_object_foreach(node->dependent_required, key, needed) {
        for (size_t i = 0; json_object_object_get_ex(object, key, NULL) && i < json_count(needed); i++) {
            const char *name = json_object_get_string(json_object_array_get_idx(needed, i));
            if (!json_object_object_get_ex(object, name, NULL))
                report(checker, object, "the key `%s` is missing, which `%s` needs", name, key);
        }
    }
}

static void check_object(struct checker *checker, const struct node *node, json_object *object)
{
    long count = json_object_object_length(object);
    check_required(checker, node, object);
    if (node->dependent_required)
        check_dependent(checker, node, object);
    if (node->min_properties >= 0 && count < node->min_properties)
        report(checker, object, "must have at least %ld key%s, found %ld", node->min_properties,
               plural(node->min_properties), count);
    if (node->max_properties >= 0 && count > node->max_properties)
        report(checker, object, "must have at most %ld key%s, found %ld", node->max_properties,
               plural(node->max_properties), count);
    if (!node->properties.count && !node->patterns.count && !node->additional && !node->unevaluated && !node->names)
        return;
    json_object_object_foreach(object, key, value) {
        if (finished(checker))
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
    uint64_t hash = 0xCBF29CE484222325u ^ (uint64_t)(is_number(value) ? json_type_int : json_object_get_type(value));
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
    size_t length = enter_item(checker, again);
    json_object *item = json_object_array_get_idx(array, again);
    if (wants_message(checker)) {
        AUTO_FREE char *what = text_format("stands in the list already, at [%zu]", first);
        report_value(checker, item, what ? what : "", NULL);
    }
    leave(checker, length);
}

static void check_unique(struct checker *checker, json_object *array)
{
    size_t count = json_object_array_length(array);
    AUTO_FREE struct hashed_item *items = calloc(count ? count : 1, sizeof *items);
    if (!items) {
        report(checker, array, "there is not enough memory to check it");
        return;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct hashed_item){ hash_value(json_object_array_get_idx(array, i)), i };
    qsort(items, count, sizeof *items, compare_hashed);
    for (size_t i = 1, first = 0; i < count; i++) {
        if (items[i].hash != items[first].hash ||
            !json_equal(json_object_array_get_idx(array, items[i].index),
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
        found += fits(checker, node->contains, json_object_array_get_idx(array, i));
    const char *what = node->contains->title ? node->contains->title : "item of the kind that is asked for";
    if (found < least)
        report(checker, array, "must have at least %ld %s, found %ld", least, what, found);
    if (node->max_contains >= 0 && found > node->max_contains)
        report(checker, array, "must have at most %ld %s, found %ld", node->max_contains, what, found);
}

static void check_items(struct checker *checker, const struct node *node, json_object *array)
{
    struct words words = checker->words;
    checker->words = (struct words){ 0 };
    for (size_t i = 0; i < json_object_array_length(array) && !finished(checker); i++) {
        const struct node *item = i < node->prefix.count ? node->prefix.items[i] : node->items;
        if (!item)
            break;
        size_t length = enter_item(checker, i);
        check(checker, item, json_object_array_get_idx(array, i));
        leave(checker, length);
    }
    checker->words = words;
}

static void check_array(struct checker *checker, const struct node *node, json_object *array)
{
    long count = (long)json_object_array_length(array);
    if (node->min_items >= 0 && count < node->min_items)
        report(checker, array, "must have at least %ld item%s, found %ld", node->min_items, plural(node->min_items),
               count);
    if (node->max_items >= 0 && count > node->max_items)
        report(checker, array, "must have at most %ld item%s, found %ld", node->max_items, plural(node->max_items),
               count);
    if (node->unique_items)
        check_unique(checker, array);
    if (node->contains)
        check_contains(checker, node, array);
    check_items(checker, node, array);
}

/* ---- Alternatives ------------------------------------------------------------------------------------------------ */

/* What one alternative has against the value, and how near it comes. */
struct attempt {
    struct problem_list problems;
    bool wrong_kind;   /* the value is of another kind altogether */
    bool other_tag;    /* a member that tells alternatives apart ({"type": "…"}) has another value */
    size_t depth;      /* length of the first problem's path: the further in, the more fitted */
};

static void judge(const struct checker *checker, struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->problems.count; i++) {
        const struct problem *problem = &attempt->problems.items[i];
        const char *below = problem->path + checker->path.length;
        if (problem->expected && !*below)
            attempt->wrong_kind = true;
        else if (problem->of_choice && *below == '.' && !strpbrk(below + 1, ".["))
            attempt->other_tag = true;
    }
    attempt->depth = attempt->problems.count ? strlen(attempt->problems.items[0].path) : 0;
}

/* True when `a` comes nearer than `b`. */
static bool is_nearer(const struct attempt *a, const struct attempt *b)
{
    if (a->wrong_kind != b->wrong_kind)
        return b->wrong_kind;
    if (a->other_tag != b->other_tag)
        return b->other_tag;
    if (a->problems.count != b->problems.count)
        return a->problems.count < b->problems.count;
    return a->depth > b->depth;
}

/* All expect something else in the same place: "expected a string or a list, found 5". */
static void report_kinds(struct checker *checker, struct attempt *attempts, size_t count)
{
    struct problem *first = &attempts[0].problems.items[0];
    struct text expected = TEXT_INIT;
    char *hint = NULL;
    for (size_t i = 0; i < count; i++) {
        struct problem *problem = &attempts[i].problems.items[0];
        text_printf(&expected, "%s%s", i ? " or " : "", problem->expected);
        if (!hint)
            hint = STEAL(problem->hint);
    }
    report_expected_at(checker, STEAL(first->path), first->value, &expected, first->of_choice, hint);
}

/* Each alternative misses one thing at this very place: "the key `a` is missing, or: the key `b` is missing". */
static void report_each(struct checker *checker, json_object *value, struct attempt *attempts, size_t count)
{
    struct text message = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&message, "%s%s", i ? ", or: " : "", attempts[i].problems.items[0].message);
    add_problem(checker, value, &message, NULL);
}

static bool all_at_this_place(const struct checker *checker, const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (attempts[i].wrong_kind || attempts[i].problems.count != 1 ||
            strlen(attempts[i].problems.items[0].path) != checker->path.length)
            return false;
    return true;
}

static bool all_expect_other(const struct attempt *attempts, size_t count)
{
    const char *path = attempts[0].problems.count ? attempts[0].problems.items[0].path : NULL;
    for (size_t i = 0; i < count; i++) {
        const struct problem *first = &attempts[i].problems.items[0];
        if (!attempts[i].problems.count || !(attempts[i].wrong_kind || attempts[i].other_tag) || !first->expected ||
            strcmp(first->path, path))
            return false;
    }
    return true;
}

static void report_attempts(struct checker *checker, json_object *value, struct attempt *attempts, size_t count)
{
    struct attempt *nearest = &attempts[0];
    for (size_t i = 1; i < count; i++)
        if (is_nearer(&attempts[i], nearest))
            nearest = &attempts[i];
    if (all_expect_other(attempts, count))
        report_kinds(checker, attempts, count);
    else if (all_at_this_place(checker, attempts, count))
        report_each(checker, value, attempts, count);
    else
        problem_move_all(checker->problems, &nearest->problems);
}

/* No alternative fits: tells what is wrong with the one that was probably meant. */
static void explain_alternatives(struct checker *checker, const struct node_list *list, json_object *value)
{
    struct problem_list *problems = checker->problems;
    struct attempt *attempts = calloc(list->count, sizeof *attempts);
    if (!attempts) {
        problems->failed = true;
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        checker->problems = &attempts[i].problems;
        check(checker, list->items[i], value);
        judge(checker, &attempts[i]);
    }
    checker->problems = problems;
    if (checker->steps < STEPS_MAX)
        report_attempts(checker, value, attempts, list->count);
    for (size_t i = 0; i < list->count; i++) {
        problems->failed |= attempts[i].problems.failed;
        problem_clear(&attempts[i].problems);
    }
    free(attempts);
}

static size_t count_fitting(struct checker *checker, const struct node_list *list, json_object *value, size_t enough)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count && count < enough; i++)
        count += fits(checker, list->items[i], value);
    return count;
}

static void check_any(struct checker *checker, const struct node *node, json_object *value)
{
    if (count_fitting(checker, &node->any_of, value, 1) == 0 && wants_message(checker))
        explain_alternatives(checker, &node->any_of, value);
}

static void report_ambiguous(struct checker *checker, const struct node *node, json_object *value)
{
    struct text message = TEXT_INIT;
    text_append(&message, "fits more than one of the allowed forms");
    for (size_t i = 0, shown = 0; i < node->one_of.count; i++) {
        const struct node *form = node->one_of.items[i];
        if (form->title && fits(checker, form, value))
            text_printf(&message, "%s%s", shown++ ? ", " : ": ", form->title);
    }
    add_problem(checker, value, &message, strdup("it must fit exactly one"));
}

static void check_one(struct checker *checker, const struct node *node, json_object *value)
{
    size_t count = count_fitting(checker, &node->one_of, value, 2);
    if (count == 1 || !wants_message(checker))
        return;
    if (count == 0)
        explain_alternatives(checker, &node->one_of, value);
    else
        report_ambiguous(checker, node, value);
}

static void report_not(struct checker *checker, const struct node *node, json_object *value)
{
    const struct node *refused = node->not_schema;
    struct text message = TEXT_INIT;
    if (!wants_message(checker))
        return;
    if (refused->title) {
        text_printf(&message, "must not be %s", refused->title);
    } else if (refused->has_constant) {
        text_append(&message, "must not be ");
        describe_value(&message, refused->constant);
    } else if (json_count(refused->required) == 1) {
        text_printf(&message, "must not have the key `%s`",
                    json_object_get_string(json_object_array_get_idx(refused->required, 0)));
    } else {
        describe_value(&message, value);
        text_append(&message, " is not allowed here");
    }
    add_problem(checker, value, &message, hint_of(refused));
}

static void check_in_place(struct checker *checker, const struct node *node, json_object *value)
{
    if (node->reference)
        check(checker, node->reference, value);
    for (size_t i = 0; i < node->all_of.count; i++)
        check(checker, node->all_of.items[i], value);
    if (node->any_of.count)
        check_any(checker, node, value);
    if (node->one_of.count)
        check_one(checker, node, value);
    if (node->not_schema && fits(checker, node->not_schema, value))
        report_not(checker, node, value);
    if (node->if_schema) {
        const struct node *next = fits(checker, node->if_schema, value) ? node->then_schema : node->else_schema;
        if (next)
            check(checker, next, value);
    }
}

/* ---- Entry ------------------------------------------------------------------------------------------------------- */

/* A value of the wrong kind is told once: what else the schema says about it would only repeat that. */
static void check_rules(struct checker *checker, const struct node *node, json_object *value)
{
    if (!check_type(checker, node, value) || (node->choices && !check_choices(checker, node, value)) ||
        (node->has_constant && !check_constant(checker, node, value)))
        return;
    if (is_number(value))
        check_number(checker, node, value);
    else if (json_object_is_type(value, json_type_string))
        check_string(checker, node, value);
    else if (json_object_is_type(value, json_type_object))
        check_object(checker, node, value);
    else if (json_object_is_type(value, json_type_array))
        check_array(checker, node, value);
    check_in_place(checker, node, value);
}

static void check(struct checker *checker, const struct node *node, json_object *value)
{
    if (finished(checker) || ++checker->steps >= STEPS_MAX)
        return;
    if (node->never) {
        report(checker, value, "is not allowed here");
        return;
    }
    struct words words = checker->words;
    checker->words = add_words(words, node);
    check_rules(checker, node, value);
    checker->words = words;
}

unsigned schema_check(const struct schema *schema, json_object *value, const char *root, schema_problem_fn *on_problem,
                      void *user_data)
{
    struct problem_list *problems = calloc(1, sizeof *problems);
    if (!problems) {
        on_problem(root, value, "there is not enough memory to check it", NULL, user_data);
        return 1;
    }
    struct checker checker = { .problems = problems, .fits = true };
    text_append(&checker.path, root);
    if (!checker.path.failed)
        check(&checker, schema->root, value);
    unsigned count = 0;
    for (; count < problems->count; count++)
        on_problem(problems->items[count].path, problems->items[count].value, problems->items[count].message,
                   problems->items[count].hint, user_data);
    /* Whatever went unchecked must not pass for right. */
    if (checker.path.failed || problems->failed) {
        on_problem(root, value, "there is not enough memory to check it", NULL, user_data);
        count++;
    } else if (checker.steps >= STEPS_MAX) {
        on_problem(root, value, "is too complex to be checked", NULL, user_data);
        count++;
    }
    problem_clear(problems);
    free(problems);
    text_clear(&checker.path);
    return count;
}

struct first_problem {
    memories_error **error;
};

static void keep_first(const char *path, json_object *value, const char *message, const char *hint, void *user_data)
{
    memories_error **error = ((struct first_problem *)user_data)->error;
    (void)value;
    if (!error || *error)
        return;
    error_set(error, MEMORIES_INVALID, "%s", message);
    error_where(error, "%s", path);
    if (hint)
        error_hint(error, "%s", hint);
}

int schema_require(const struct schema *schema, json_object *value, const char *root, memories_error **error)
{
    struct first_problem first = { error };
    return schema_check(schema, value, root, keep_first, &first) ? MEMORIES_INVALID : 0;
}
