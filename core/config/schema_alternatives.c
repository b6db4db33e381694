/*
 * schema_alternatives.c - anyOf, oneOf and not
 *
 * Alternatives are tried silently first; only when none fits are they tried again for their messages, of which the
 * alternative that was probably meant is reported.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema_checker.h"

/* What one alternative has against the value, and how near it comes. */
struct attempt {
    struct problem_list problems;
    bool wrong_kind; /* the value is of another kind altogether */
    bool other_tag;  /* a member that tells alternatives apart ({"type": "…"}) has another value */
    size_t depth;    /* length of the first problem's path: the further in, the more fitted */
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
    checker_report_expected_at(checker, STEAL(first->path), first->value, &expected, first->of_choice, hint);
}

/* Each alternative misses one thing at this very place: "the key `a` is missing, or: the key `b` is missing". */
static void report_each(struct checker *checker, json_object *value, struct attempt *attempts, size_t count)
{
    struct text message = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&message, "%s%s", i ? ", or: " : "", attempts[i].problems.items[0].message);
    checker_add(checker, value, &message, NULL);
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
        schema_apply(checker, list->items[i], value);
        judge(checker, &attempts[i]);
    }
    checker->problems = problems;
    if (checker->steps < SCHEMA_STEPS_MAX)
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
        count += schema_fits(checker, list->items[i], value);
    return count;
}

void schema_check_any(struct checker *checker, const struct node *node, json_object *value)
{
    if (count_fitting(checker, &node->any_of, value, 1) == 0 && checker_wants_message(checker))
        explain_alternatives(checker, &node->any_of, value);
}

static void report_ambiguous(struct checker *checker, const struct node *node, json_object *value)
{
    struct text message = TEXT_INIT;
    text_append(&message, "fits more than one of the allowed forms");
    for (size_t i = 0, shown = 0; i < node->one_of.count; i++) {
        const struct node *form = node->one_of.items[i];
        if (form->title && schema_fits(checker, form, value))
            text_printf(&message, "%s%s", shown++ ? ", " : ": ", form->title);
    }
    checker_add(checker, value, &message, strdup("it must fit exactly one"));
}

void schema_check_one(struct checker *checker, const struct node *node, json_object *value)
{
    size_t count = count_fitting(checker, &node->one_of, value, 2);
    if (count == 1 || !checker_wants_message(checker))
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
    if (!checker_wants_message(checker))
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
    checker_add(checker, value, &message, schema_hint(refused));
}

void schema_check_not(struct checker *checker, const struct node *node, json_object *value)
{
    if (schema_fits(checker, node->not_schema, value))
        report_not(checker, node, value);
}
