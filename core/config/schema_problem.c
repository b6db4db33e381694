/* schema_problem.c - the problems found while a value is checked, and how values are named in their messages */
#include "core/config/schema_problem.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/config/schema_node.h"

#define SHOWN_BYTES_MAX 60
#define SHOWN_NAMES_MAX 40

static void free_problem(struct problem *problem)
{
    json_object_put(problem->value);
    free(problem->path);
    free(problem->message);
    free(problem->hint);
    free(problem->expected);
    *problem = (struct problem){ 0 };
}

static bool stands_already(const struct problem_list *list, const struct problem *problem)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].path, problem->path) && !strcmp(list->items[i].message, problem->message))
            return true;
    return false;
}

void problem_add(struct problem_list *list, struct problem *problem)
{
    bool complete = problem->path && problem->message;
    list->failed |= !complete;
    if (!complete || list->count == SCHEMA_PROBLEMS_MAX || stands_already(list, problem)) {
        free_problem(problem);
        return;
    }
    list->items[list->count++] = *problem;
    *problem = (struct problem){ 0 };
}

void problem_move_all(struct problem_list *list, struct problem_list *from)
{
    for (size_t i = 0; i < from->count; i++)
        problem_add(list, &from->items[i]);
    list->failed |= from->failed;
    from->count = 0;
}

void problem_clear(struct problem_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_problem(&list->items[i]);
    list->count = 0;
}

/* The length of as much of `text` as fits into `max` bytes without cutting a character. */
static size_t cut(const char *text, size_t max)
{
    size_t length = strlen(text);
    if (length <= max)
        return length;
    while (max && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

/* As JSON, cut when long. */
static void describe_scalar(struct text *out, json_object *value)
{
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (!text) {
        out->failed = true;
        return;
    }
    size_t shown = cut(text, SHOWN_BYTES_MAX);
    text_append_bytes(out, text, shown);
    if (text[shown])
        text_append(out, "…\"");
}

void describe_value(struct text *out, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
        text_append(out, json_object_object_length(value) ? "a mapping" : "an empty mapping");
        break;
    case json_type_array:
        text_append(out, json_count(value) ? "a list" : "an empty list");
        break;
    case json_type_null:
        text_append(out, "nothing (null)");
        break;
    default:
        describe_scalar(out, value);
    }
}

/* ", " between items, " or " before the last. */
static const char *separator(size_t i, size_t count)
{
    return i == 0 ? "" : i + 1 == count ? " or " : ", ";
}

void describe_choices(struct text *out, json_object *choices)
{
    size_t count = json_count(choices);
    for (size_t i = 0; i < count; i++) {
        json_object *choice = json_object_array_get_idx(choices, i);
        text_append(out, separator(i, count));
        if (choice)
            describe_value(out, choice);
        else
            text_append(out, "null");
    }
}

void describe_types(struct text *out, unsigned types)
{
    static const struct {
        unsigned bits;
        const char *noun;
    } nouns[] = {
        { TYPE_STRING, "a string" },
        { TYPE_NUMBER | TYPE_INTEGER, "a number" },
        { TYPE_INTEGER, "a whole number" },
        { TYPE_BOOLEAN, "true or false" },
        { TYPE_OBJECT, "a mapping" },
        { TYPE_ARRAY, "a list" },
        { TYPE_NULL, "null" },
    };
    const char *found[ARRAY_COUNT(nouns)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(nouns); i++) {
        if ((types & nouns[i].bits) != nouns[i].bits)
            continue;
        found[count++] = nouns[i].noun;
        types &= ~nouns[i].bits;
    }
    for (size_t i = 0; i < count; i++)
        text_printf(out, "%s%s", separator(i, count), found[i]);
}

void describe_names(struct text *out, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && i < SHOWN_NAMES_MAX; i++)
        text_printf(out, "%s`%s`", i ? ", " : "", names[i]);
    if (count > SHOWN_NAMES_MAX)
        text_append(out, ", …");
}
