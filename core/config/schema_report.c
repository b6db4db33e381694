/* schema_report.c - problems at the path that a check has come to, and the words of a schema's author */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema_checker.h"

bool checker_finished(const struct checker *checker)
{
    return checker->steps >= SCHEMA_STEPS_MAX ||
           (checker->problems ? checker->problems->count == SCHEMA_PROBLEMS_MAX : !checker->fits);
}

void checker_add(struct checker *checker, json_object *value, struct text *message, char *hint)
{
    struct problem problem = { .value = json_ref(value), .hint = hint };
    problem.message = text_take(message);
    problem.path = checker->path.failed ? NULL : strdup(checker->path.bytes);
    problem_add(checker->problems, &problem);
}

bool checker_wants_message(struct checker *checker)
{
    checker->fits = false;
    return checker->problems != NULL;
}

void checker_report(struct checker *checker, json_object *value, const char *format, ...)
{
    struct text message = TEXT_INIT;
    if (!checker_wants_message(checker))
        return;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    checker_add(checker, value, &message, NULL);
}

void checker_report_value(struct checker *checker, json_object *value, const char *what, char *hint)
{
    struct text message = TEXT_INIT;
    describe_value(&message, value);
    text_printf(&message, " %s", what ? what : "");
    message.failed |= !what;
    checker_add(checker, value, &message, hint);
}

void checker_report_expected_at(struct checker *checker, char *path, json_object *value, struct text *expected,
                                bool of_choice, char *hint)
{
    struct problem problem = { .path = path, .value = json_ref(value), .hint = hint, .of_choice = of_choice };
    struct text message = TEXT_INIT;
    problem.expected = text_take(expected);
    text_printf(&message, "expected %s, found ", problem.expected ? problem.expected : "");
    describe_value(&message, value);
    message.failed |= !problem.expected;
    problem.message = text_take(&message);
    problem_add(checker->problems, &problem);
}

void checker_report_expected(struct checker *checker, json_object *value, struct text *expected, bool of_choice,
                             char *hint)
{
    char *path = checker->path.failed ? NULL : strdup(checker->path.bytes);
    checker_report_expected_at(checker, path, value, expected, of_choice, hint);
}

struct words words_add(struct words words, const struct node *node)
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
        text_append(out,
                    json_object_to_json_string_ext(example, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        describe_value(out, example);
}

char *words_hint(const struct words *words)
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

char *schema_hint(const struct node *node)
{
    struct words words = { 0 };
    for (; node; node = node->reference)
        words = words_add(words, node);
    return words_hint(&words);
}

size_t checker_enter_key(struct checker *checker, const char *key)
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

size_t checker_enter_item(struct checker *checker, size_t index)
{
    size_t length = checker->path.length;
    text_printf(&checker->path, "[%zu]", index);
    return length;
}

void checker_leave(struct checker *checker, size_t length)
{
    text_truncate(&checker->path, length);
}
