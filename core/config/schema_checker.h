/* schema_checker.h - one check in progress: shared by the files that walk a value (schema_check.c, _containers.c,
 * _alternatives.c) */
#ifndef CORE_CONFIG_SCHEMA_CHECKER_H
#define CORE_CONFIG_SCHEMA_CHECKER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/config/schema_node.h"
#include "core/config/schema_problem.h"

/* Subschemas applied in one check. A thousand nodes need some ten thousand; a schema whose alternatives multiply would
 * otherwise never end. */
#define SCHEMA_STEPS_MAX 10000000u

/* What the author says about a value. Where one schema refers to another, the first has the word. */
struct words {
    const char *title, *description;
    json_object *examples;
};

struct checker {
    struct text path;
    struct words words;            /* of the schemas in whose place the present one stands */
    struct problem_list *problems; /* NULL: only whether the value fits is asked */
    bool fits;                     /* false once a problem was found, while problems is NULL */
    unsigned steps;
    bool no_memory; /* something went unchecked */
};

/* ---- schema_check.c ---------------------------------------------------------------------------------------------- */

/* Applies a schema to a value; reports what does not fit. */
void schema_apply(struct checker *checker, const struct node *node, json_object *value);
/* Does the value fit? Nothing is reported. */
bool schema_fits(struct checker *checker, const struct node *node, json_object *value);

/* Does a pattern match? */
bool schema_matches(struct checker *checker, const regex_t *pattern, const char *text);

/* ---- schema_containers.c ----------------------------------------------------------------------------------------- */

void schema_check_object(struct checker *checker, const struct node *node, json_object *object);
void schema_check_array(struct checker *checker, const struct node *node, json_object *array);

/* ---- schema_alternatives.c --------------------------------------------------------------------------------------- */

void schema_check_any(struct checker *checker, const struct node *node, json_object *value);
void schema_check_one(struct checker *checker, const struct node *node, json_object *value);
void schema_check_not(struct checker *checker, const struct node *node, json_object *value);

/* ---- schema_report.c --------------------------------------------------------------------------------------------- */

/* True when going on is of no use. */
bool checker_finished(const struct checker *checker);
/* True when messages are wanted; otherwise only notes that the value doesn't fit. */
bool checker_wants_message(struct checker *checker);

/* A problem at the present path. For those without a format, checker_wants_message has been asked; message, expected
 * and hint (may be NULL) are taken over. */
void checker_report(struct checker *checker, json_object *value, const char *format, ...) PRINTF_LIKE(3, 4);
void checker_add(struct checker *checker, json_object *value, struct text *message, char *hint);
/* `"x" WHAT`; no memory for WHAT: NULL. */
void checker_report_value(struct checker *checker, json_object *value, const char *what, char *hint);
/* "expected a string, found 5"; of_choice: it is enum or const that says so. */
void checker_report_expected(struct checker *checker, json_object *value, struct text *expected, bool of_choice,
                             char *hint);
/* The same at another path, which is taken over. */
void checker_report_expected_at(struct checker *checker, char *path, json_object *value, struct text *expected,
                                bool of_choice, char *hint);

/* The path grows by a step, and goes back to the length that it had. */
size_t checker_enter_key(struct checker *checker, const char *key);
size_t checker_enter_item(struct checker *checker, size_t index);
void checker_leave(struct checker *checker, size_t length);

struct words words_add(struct words words, const struct node *node);
/* The author's words as a hint; NULL when there are none. */
char *words_hint(const struct words *words);
/* The same of a schema that is not the present one. */
char *schema_hint(const struct node *node);

static inline bool value_is_number(json_object *value)
{
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

static inline const char *plural(long count)
{
    return count == 1 ? "" : "s";
}

#endif
