/* schema_problem.h - the problems found while a value is checked, and how values are named in their messages */
#ifndef CORE_CONFIG_SCHEMA_PROBLEM_H
#define CORE_CONFIG_SCHEMA_PROBLEM_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/text.h"

/* More are not reported. */
#define SCHEMA_PROBLEMS_MAX 100

struct problem {
    char *path;
    json_object *value; /* a reference */
    char *message;
    char *hint; /* or NULL */
    char
        *expected; /* the value is of another kind or none of the allowed ones: what would do ("a string"); else NULL */
    bool of_choice; /* … and it is enum or const that says so */
};

struct problem_list {
    struct problem items[SCHEMA_PROBLEMS_MAX];
    size_t count;
    bool failed; /* memory ran out: something may be missing */
};

/* Takes what `problem` holds. What stands in the list already, or does not fit in, is dropped. */
void problem_add(struct problem_list *list, struct problem *problem);
/* Moves all of `from` behind `list`. */
void problem_move_all(struct problem_list *list, struct problem_list *from);
void problem_clear(struct problem_list *list);

/* A value in a message: text in quotes, cut when long; `a mapping`, `a list`. */
void describe_value(struct text *out, json_object *value);
/* `"a", "b" or 5` */
void describe_choices(struct text *out, json_object *choices);
/* `a string or a list` for TYPE_… bits. */
void describe_types(struct text *out, unsigned types);
/* "`a`, `b`" of a list of names, cut when long. */
void describe_names(struct text *out, const char *const *names, size_t count);

#endif
