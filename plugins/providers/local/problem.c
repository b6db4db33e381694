/* problem.c - why something failed: filling and reporting */
#include "plugins/providers/local/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/plugin.h"

__attribute__((format(printf, 2, 0))) static void format_text(char text[PROBLEM_TEXT_BYTES], const char *format,
                                                              va_list arguments)
{
    if (vsnprintf(text, PROBLEM_TEXT_BYTES, format, arguments) < 0)
        text[0] = '\0';
}

/* Text of other programs may end in line breaks, which no message should have. */
static void trim(char text[PROBLEM_TEXT_BYTES])
{
    size_t length = strlen(text);
    while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
}

int32_t problem_set(struct problem *problem, int32_t code, const char *format, ...)
{
    *problem = (struct problem){ .code = code };
    va_list arguments;
    va_start(arguments, format);
    format_text(problem->message, format, arguments);
    va_end(arguments);
    return code;
}

static int32_t code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return MEMORIES_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return MEMORIES_DENIED;
    case ENOMEM:
        return MEMORIES_NO_MEMORY;
    default:
        return MEMORIES_FAILED;
    }
}

int32_t problem_set_errno(struct problem *problem, int number, const char *format, ...)
{
    *problem = (struct problem){ .code = code_of_errno(number) };
    va_list arguments;
    va_start(arguments, format);
    format_text(problem->message, format, arguments);
    va_end(arguments);
    problem_cause(problem, "%s", strerrordesc_np(number));
    return problem->code;
}

int32_t problem_no_memory(struct problem *problem)
{
    return problem_set(problem, MEMORIES_NO_MEMORY, "out of memory");
}

int32_t problem_from_node(struct problem *problem, const struct node_error *error)
{
    problem_set(problem, error->code, "%s", error->message);
    problem_cause(problem, "%s", error->cause);
    problem_hint(problem, "%s", error->hint);
    return problem->code;
}

#define DEFINE_PART(part)                                                  \
    void problem_##part(struct problem *problem, const char *format, ...) \
    {                                                                      \
        va_list arguments;                                                 \
        va_start(arguments, format);                                       \
        format_text(problem->part, format, arguments);                     \
        va_end(arguments);                                                 \
        trim(problem->part);                                               \
    }
DEFINE_PART(where)
DEFINE_PART(cause)
DEFINE_PART(hint)

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

static struct memories_error_detail detail_of(const struct problem *problem)
{
    return (struct memories_error_detail){
        .size = sizeof(struct memories_error_detail),
        .code = problem->code,
        .message = problem->message,
        .where = text_or_null(problem->where),
        .cause = text_or_null(problem->cause),
        .hint = text_or_null(problem->hint),
    };
}

int32_t problem_fail(struct memories_call *call, const struct problem *problem)
{
    struct memories_error_detail detail = detail_of(problem);
    return plugin_host->fail(call, &detail);
}

int32_t problem_fail_operation(struct memories_call *call, size_t index, const struct problem *problem)
{
    struct memories_error_detail detail = detail_of(problem);
    plugin_host->operation_failed(call, index, &detail);
    return problem->code;
}
