/* error.c - error objects: making, chaining, showing */
#include "core/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"

/* What is left to say when there is no memory to say it with; never freed. */
static memories_error out_of_memory = { .code = MEMORIES_NO_MEMORY };

static memories_error *error_new(int code)
{
    memories_error *error = calloc(1, sizeof *error);
    if (!error)
        return &out_of_memory;
    error->code = code;
    return error;
}

PRINTF_LIKE(1, 0)
static char *format_arguments(const char *format, va_list arguments)
{
    struct text text = TEXT_INIT;
    text_vprintf(&text, format, arguments);
    return text_take(&text);
}

int error_set(memories_error **error, int code, const char *format, ...)
{
    if (!error || *error)
        return code;
    *error = error_new(code);
    if (*error == &out_of_memory)
        return code;
    va_list arguments;
    va_start(arguments, format);
    (*error)->message = format_arguments(format, arguments);
    va_end(arguments);
    return code;
}

static int code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return MEMORIES_NOT_FOUND;
    case EACCES:
    case EPERM:
        return MEMORIES_DENIED;
    case ENOMEM:
        return MEMORIES_NO_MEMORY;
    default:
        return MEMORIES_FAILED;
    }
}

int error_set_errno(memories_error **error, int number, const char *format, ...)
{
    int code = code_of_errno(number);
    if (!error || *error)
        return code;
    *error = error_new(code);
    if (*error == &out_of_memory)
        return code;
    va_list arguments;
    va_start(arguments, format);
    (*error)->message = format_arguments(format, arguments);
    va_end(arguments);
    error_cause(error, "%s", strerror(number));
    return code;
}

int error_no_memory(memories_error **error)
{
    if (error && !*error)
        *error = &out_of_memory;
    return MEMORIES_NO_MEMORY;
}

PRINTF_LIKE(3, 0)
static void add_part(memories_error **error, size_t offset, const char *format, va_list arguments)
{
    if (!error || !*error || *error == &out_of_memory)
        return;
    char **part = (char **)((char *)*error + offset);
    if (!*part)
        *part = format_arguments(format, arguments);
}

#define DEFINE_PART(name)                                                                   \
    void error_##name(memories_error **error, const char *format, ...)                      \
    {                                                                                       \
        va_list arguments;                                                                  \
        va_start(arguments, format);                                                        \
        add_part(error, offsetof(struct memories_error, name), format, arguments);          \
        va_end(arguments);                                                                  \
    }
DEFINE_PART(where)
DEFINE_PART(cause)
DEFINE_PART(hint)

void error_deployment(memories_error **error, const char *id)
{
    if (error && *error && *error != &out_of_memory && !(*error)->deployment_id)
        (*error)->deployment_id = strdup(id);
}

static bool same_text(const char *one, const char *other)
{
    return one == other || (one && other && !strcmp(one, other));
}

static bool says_the_same(const memories_error *one, const memories_error *other)
{
    return same_text(one->message, other->message) && same_text(one->where, other->where) &&
           same_text(one->cause, other->cause);
}

void error_chain(memories_error **error, memories_error *more)
{
    if (!more)
        return;
    if (!error || *error == &out_of_memory || more == &out_of_memory) {
        if (error && !*error)
            *error = more;
        else
            memories_error_free(more);
        return;
    }
    memories_error **last = error;
    for (; *last; last = &(*last)->next)
        if (says_the_same(*last, more)) {
            memories_error_free(more);
            return;
        }
    *last = more;
}

int error_move(memories_error **error, memories_error *from)
{
    int code = memories_error_code(from);
    if (error && !*error)
        *error = from;
    else
        memories_error_free(from);
    return code;
}

static char *copy_or_null(const char *string)
{
    return string && *string ? strdup(string) : NULL;
}

memories_error *error_from_detail(const struct memories_error_detail *detail)
{
    memories_error *error = error_new(detail->code < 0 ? detail->code : MEMORIES_INTERNAL);
    if (error == &out_of_memory)
        return error;
    error->http_status = detail->http_status;
    error->retry_after_ms = detail->retry_after_ms;
    error->message = copy_or_null(detail->message);
    error->where = copy_or_null(detail->where);
    error->cause = copy_or_null(detail->cause);
    error->request_id = copy_or_null(detail->request_id);
    error->hint = copy_or_null(detail->hint);
    return error;
}

memories_error *error_copy(const memories_error *error)
{
    if (error == &out_of_memory)
        return &out_of_memory;
    memories_error *copy = error_new(error->code);
    if (copy == &out_of_memory)
        return copy;
    copy->http_status = error->http_status;
    copy->retry_after_ms = error->retry_after_ms;
    copy->message = copy_or_null(error->message);
    copy->where = copy_or_null(error->where);
    copy->cause = copy_or_null(error->cause);
    copy->request_id = copy_or_null(error->request_id);
    copy->hint = copy_or_null(error->hint);
    copy->deployment_id = copy_or_null(error->deployment_id);
    return copy;
}

void memories_error_free(memories_error *error)
{
    while (error && error != &out_of_memory) {
        memories_error *next = error->next;
        free(error->message);
        free(error->where);
        free(error->cause);
        free(error->request_id);
        free(error->hint);
        free(error->deployment_id);
        free(error);
        error = next;
    }
}

int memories_error_code(const memories_error *error)
{
    return error ? error->code : 0;
}

const char *memories_error_message(const memories_error *error)
{
    if (!error)
        return "no error";
    return error->message ? error->message : error->code == MEMORIES_NO_MEMORY ? "out of memory" : "failed";
}

const char *memories_error_where(const memories_error *error)
{
    return error ? error->where : NULL;
}

const char *memories_error_cause(const memories_error *error)
{
    return error ? error->cause : NULL;
}

const char *memories_error_request_id(const memories_error *error)
{
    return error ? error->request_id : NULL;
}

const char *memories_error_hint(const memories_error *error)
{
    return error ? error->hint : NULL;
}

int memories_error_http_status(const memories_error *error)
{
    return error ? error->http_status : 0;
}

int memories_error_retryable(const memories_error *error)
{
    int code = memories_error_code(error);
    return code == MEMORIES_THROTTLED || code == MEMORIES_TRANSIENT || code == MEMORIES_TIMEOUT ||
           code == MEMORIES_BUSY || code == MEMORIES_CAPACITY;
}

const char *memories_error_deployment_id(const memories_error *error)
{
    return error ? error->deployment_id : NULL;
}

const memories_error *memories_error_next(const memories_error *error)
{
    return error ? error->next : NULL;
}

const char *memories_code_name(int code)
{
    static const char *const names[] = { "ok",       "failed", "invalid",  "not-found", "busy",      "cancelled",
                                         "conflict", "denied", "quota",    "capacity",  "throttled", "transient",
                                         "timeout",  "unsupported", "no-memory", "internal" };
    return code <= 0 && -code < (int)ARRAY_COUNT(names) ? names[-code] : "unknown";
}

char *memories_error_text(const memories_error *error)
{
    struct text text = TEXT_INIT;
    for (const memories_error *one = error; one; one = one->next) {
        if (one != error)
            text_append(&text, "\n");
        if (one->where)
            text_printf(&text, "%s: ", one->where);
        text_append(&text, memories_error_message(one));
        if (one->cause)
            text_printf(&text, ": %s", one->cause);
        if (one->http_status)
            text_printf(&text, " (HTTP %d)", one->http_status);
        if (one->request_id)
            text_printf(&text, " (request id %s)", one->request_id);
        if (one->hint)
            text_printf(&text, "\n  %s", one->hint);
    }
    return text_take(&text);
}

json_object *error_to_json(const memories_error *error)
{
    AUTO_JSON json_object *json = json_object_new_object();
    if (!json || json_set_string(json, "code", memories_code_name(error->code)) ||
        json_set_string(json, "message", memories_error_message(error)))
        return NULL;
    const struct {
        const char *name, *value;
    } parts[] = { { "where", error->where },           { "cause", error->cause },
                  { "request_id", error->request_id }, { "hint", error->hint },
                  { "deployment_id", error->deployment_id } };
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        if (parts[i].value && json_set_string(json, parts[i].name, parts[i].value))
            return NULL;
    if (error->http_status && json_set_int(json, "http_status", error->http_status))
        return NULL;
    if (json_set_bool(json, "retryable", memories_error_retryable(error)))
        return NULL;
    return STEAL(json);
}

char *memories_error_json(const memories_error *error)
{
    AUTO_JSON json_object *json = error ? error_to_json(error) : json_object_new_object();
    if (!json)
        return NULL;
    if (error && error->next) {
        json_object *others = json_object_new_array();
        for (const memories_error *one = error->next; one; one = one->next)
            json_add(others, error_to_json(one));
        json_set(json, "others", others);
    }
    return json_text(json);
}

void memories_free(void *pointer)
{
    free(pointer);
}
