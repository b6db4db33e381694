/*
 * schema_check.c - a value against compiled nodes: types, scalars, and the order of it all
 *
 * Problems are gathered with the path of the value and, where a slip is likely, a hint.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema.h"
#include "core/config/schema_checker.h"
#include "core/config/suggest.h"

/* ---- Types, constants -------------------------------------------------------------------------------------------- */

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
    if (checker_wants_message(checker)) {
        struct text expected = TEXT_INIT;
        describe_types(&expected, node->types);
        char *hint = advise_type(node->types, value);
        checker_report_expected(checker, value, &expected, false, hint ? hint : words_hint(&checker->words));
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
    if (checker_wants_message(checker)) {
        struct text expected = TEXT_INIT;
        describe_choices(&expected, node->choices);
        checker_report_expected(checker, value, &expected, true, advise_choice(node, value));
    }
    return false;
}

static bool check_constant(struct checker *checker, const struct node *node, json_object *value)
{
    if (json_equal(value, node->constant))
        return true;
    if (checker_wants_message(checker)) {
        struct text expected = TEXT_INIT;
        describe_value(&expected, node->constant);
        checker_report_expected(checker, value, &expected, true, NULL);
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
    if (!checker_wants_message(checker))
        return;
    text_printf(&message, "must be %s ", relation);
    describe_value(&message, bound);
    text_append(&message, ", found ");
    describe_value(&message, value);
    checker_add(checker, value, &message, words_hint(&checker->words));
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

static void check_length(struct checker *checker, const struct node *node, json_object *value, const char *text)
{
    long length = node->min_length >= 0 || node->max_length >= 0 ? count_characters(text) : 0;
    if (node->min_length >= 0 && length < node->min_length)
        checker_report(checker, value, "must have at least %ld character%s, found %ld", node->min_length,
                       plural(node->min_length), length);
    if (node->max_length >= 0 && length > node->max_length)
        checker_report(checker, value, "must have at most %ld character%s, found %ld", node->max_length,
                       plural(node->max_length), length);
}

bool schema_matches(struct checker *checker, const regex_t *pattern, const char *text)
{
    errno = 0;
    bool matches = regexec(pattern, text, 0, NULL, 0) == 0;
    /* glibc says REG_NOMATCH when its memory runs out, too. */
    checker->no_memory |= !matches && errno == ENOMEM;
    return matches;
}

static void check_pattern(struct checker *checker, const struct node *node, json_object *value, const char *text)
{
    if (!node->has_pattern || schema_matches(checker, &node->pattern, text) || !checker_wants_message(checker))
        return;
    const char *title = checker->words.title;
    AUTO_FREE char *what =
        title ? text_format("can't be the %s", title) : text_format("does not match %s", node->pattern_text);
    char *hint = words_hint(&checker->words);
    if (!hint && title)
        hint = text_format("it must match %s", node->pattern_text);
    checker_report_value(checker, value, what, hint);
}

static void check_format(struct checker *checker, const struct node *node, json_object *value, const char *text)
{
    if (!node->format || node->format->fits(text) || !checker_wants_message(checker))
        return;
    AUTO_FREE char *what = text_format("is not %s", node->format->noun);
    char *hint = node->format->advise ? node->format->advise(text) : NULL;
    checker_report_value(checker, value, what, hint ? hint : strdup(node->format->usage));
}

static void check_string(struct checker *checker, const struct node *node, json_object *value)
{
    const char *text = json_object_get_string(value);
    /* Patterns and formats would see its beginning only. */
    if ((node->has_pattern || node->format) && strlen(text) != (size_t)json_object_get_string_len(value)) {
        checker_report(checker, value, "must not hold a NUL character");
        return;
    }
    check_length(checker, node, value, text);
    check_pattern(checker, node, value, text);
    check_format(checker, node, value, text);
}

/* ---- Entry ------------------------------------------------------------------------------------------------------- */

static void check_in_place(struct checker *checker, const struct node *node, json_object *value)
{
    if (node->reference)
        schema_apply(checker, node->reference, value);
    for (size_t i = 0; i < node->all_of.count; i++)
        schema_apply(checker, node->all_of.items[i], value);
    if (node->any_of.count)
        schema_check_any(checker, node, value);
    if (node->one_of.count)
        schema_check_one(checker, node, value);
    if (node->not_schema)
        schema_check_not(checker, node, value);
    if (node->if_schema) {
        const struct node *next = schema_fits(checker, node->if_schema, value) ? node->then_schema : node->else_schema;
        if (next)
            schema_apply(checker, next, value);
    }
}

/* A value of the wrong kind is told once: what else the schema says about it would only repeat that. */
static void check_rules(struct checker *checker, const struct node *node, json_object *value)
{
    if (!check_type(checker, node, value) || (node->choices && !check_choices(checker, node, value)) ||
        (node->has_constant && !check_constant(checker, node, value)))
        return;
    if (value_is_number(value))
        check_number(checker, node, value);
    else if (json_object_is_type(value, json_type_string))
        check_string(checker, node, value);
    else if (json_object_is_type(value, json_type_object))
        schema_check_object(checker, node, value);
    else if (json_object_is_type(value, json_type_array))
        schema_check_array(checker, node, value);
    check_in_place(checker, node, value);
}

void schema_apply(struct checker *checker, const struct node *node, json_object *value)
{
    if (checker_finished(checker) || ++checker->steps >= SCHEMA_STEPS_MAX)
        return;
    if (node->never) {
        checker_report(checker, value, "is not allowed here");
        return;
    }
    struct words words = checker->words;
    checker->words = words_add(words, node);
    check_rules(checker, node, value);
    checker->words = words;
}

bool schema_fits(struct checker *checker, const struct node *node, json_object *value)
{
    struct problem_list *problems = checker->problems;
    bool before = checker->fits;
    checker->problems = NULL;
    checker->fits = true;
    schema_apply(checker, node, value);
    bool answer = checker->fits;
    checker->problems = problems;
    checker->fits = before;
    return answer;
}

unsigned schema_check(const struct schema *schema, json_object *value, const char *root, schema_problem_fn *on_problem,
                      void *user_data)
{
    struct problem_list *problems = calloc(1, sizeof *problems);
    struct checker checker = { .problems = problems, .fits = true };
    text_append(&checker.path, root);
    if (!problems || checker.path.failed) {
        text_clear(&checker.path);
        free(problems);
        return SCHEMA_UNCHECKED;
    }
    schema_apply(&checker, schema->root, value);
    bool unchecked = checker.path.failed || checker.no_memory || problems->failed;
    unsigned count = 0;
    for (; !unchecked && count < problems->count; count++)
        on_problem(problems->items[count].path, problems->items[count].value, problems->items[count].message,
                   problems->items[count].hint, user_data);
    if (!unchecked && checker.steps >= SCHEMA_STEPS_MAX) {
        on_problem(root, value, "is too complex to be checked", NULL, user_data);
        count++;
    }
    problem_clear(problems);
    free(problems);
    text_clear(&checker.path);
    return unchecked ? SCHEMA_UNCHECKED : count;
}

static void keep_first(const char *path, json_object *value, const char *message, const char *hint, void *user_data)
{
    memories_error **first = user_data;
    (void)value;
    if (*first)
        return;
    error_set(first, MEMORIES_INVALID, "%s", message);
    error_where(first, "%s", path);
    if (hint)
        error_hint(first, "%s", hint);
}

int schema_require(const struct schema *schema, json_object *value, const char *root, memories_error **error)
{
    memories_error *first = NULL;
    unsigned count = schema_check(schema, value, root, keep_first, &first);
    if (count == SCHEMA_UNCHECKED)
        return error_no_memory(error);
    return count ? error_move(error, first) : 0;
}
