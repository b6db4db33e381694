/* plugin.c - reports and results of in-tree plugins, see plugin.h */
#include "plugins/common/plugin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

const struct memories_host *plugin_host;

int32_t plugin_init(const struct memories_host *host, struct memories_call *call)
{
    (void)call;
    plugin_host = host;
    return MEMORIES_OK;
}

static char *format_arguments(struct memories_call *call, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
static char *format_arguments(struct memories_call *call, const char *format, va_list arguments)
{
    va_list measured;
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    char *text = length < 0 ? NULL : plugin_host->allocate(call, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

char *plugin_format(struct memories_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_arguments(call, format, arguments);
    va_end(arguments);
    return text;
}

/* A report whose message can't be made for want of memory is still a report: of that. */
static void set_message(struct memories_call *call, struct memories_error_detail *detail, const char *format,
                        va_list arguments) PRINTF_LIKE(3, 0);
static void set_message(struct memories_call *call, struct memories_error_detail *detail, const char *format,
                        va_list arguments)
{
    detail->message = format_arguments(call, format, arguments);
    if (detail->message)
        return;
    detail->code = MEMORIES_NO_MEMORY;
    detail->message = "memory ran out";
}

static struct memories_error_detail make_detail(int32_t code, const char *where, const char *hint)
{
    return (struct memories_error_detail){
        .size = sizeof(struct memories_error_detail),
        .code = code,
        .where = where,
        .hint = hint,
    };
}

static struct memories_error_detail make_errno_detail(int number, const char *where, const char *hint)
{
    int32_t code = number == ENOMEM                      ? MEMORIES_NO_MEMORY
                   : number == EACCES || number == EPERM ? MEMORIES_DENIED
                                                         : MEMORIES_FAILED;
    struct memories_error_detail detail = make_detail(code, where, hint);
    /* Not strerror: its buffer is shared by all threads. */
    detail.cause = strerrordesc_np(number);
    return detail;
}

int32_t plugin_fail(struct memories_call *call, int32_t code, const char *where, const char *hint, const char *format,
                    ...)
{
    struct memories_error_detail detail = make_detail(code, where, hint);
    va_list arguments;
    va_start(arguments, format);
    set_message(call, &detail, format, arguments);
    va_end(arguments);
    return plugin_host->fail(call, &detail);
}

int32_t plugin_fail_errno(struct memories_call *call, int number, const char *where, const char *hint,
                          const char *format, ...)
{
    struct memories_error_detail detail = make_errno_detail(number, where, hint);
    va_list arguments;
    va_start(arguments, format);
    set_message(call, &detail, format, arguments);
    va_end(arguments);
    return plugin_host->fail(call, &detail);
}

int32_t plugin_no_memory(struct memories_call *call)
{
    return plugin_fail(call, MEMORIES_NO_MEMORY, NULL, NULL, "memory ran out");
}

int32_t plugin_operation_fail(struct memories_call *call, size_t index, int32_t code, const char *where,
                              const char *hint, const char *format, ...)
{
    struct memories_error_detail detail = make_detail(code, where, hint);
    va_list arguments;
    va_start(arguments, format);
    set_message(call, &detail, format, arguments);
    va_end(arguments);
    return plugin_host->operation_failed(call, index, &detail);
}

int32_t plugin_operation_fail_errno(struct memories_call *call, size_t index, int number, const char *where,
                                    const char *hint, const char *format, ...)
{
    struct memories_error_detail detail = make_errno_detail(number, where, hint);
    va_list arguments;
    va_start(arguments, format);
    set_message(call, &detail, format, arguments);
    va_end(arguments);
    return plugin_host->operation_failed(call, index, &detail);
}

void plugin_log(struct memories_call *call, int32_t level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = format_arguments(call, format, arguments);
    va_end(arguments);
    if (text)
        plugin_host->log(call, level, text);
}

json_object *plugin_parse(struct memories_call *call, const char *text, const char *name)
{
    struct json_tokener *tokener = json_tokener_new_ex(64);
    if (!tokener) {
        plugin_no_memory(call);
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* The terminating NUL is passed too: it ends a bare number. */
    AUTO_JSON json_object *document = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
    enum json_tokener_error reason = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (reason != json_tokener_success) {
        plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the %s is not JSON: %s", name,
                    json_tokener_error_desc(reason));
        return NULL;
    }
    if (!json_object_is_type(document, json_type_object)) {
        plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the %s is not a JSON object", name);
        return NULL;
    }
    int64_t version = json_get_int(document, "version", DOCUMENT_VERSION);
    if (version > DOCUMENT_VERSION) {
        plugin_fail(call, MEMORIES_UNSUPPORTED, NULL, "use a newer version of this plugin",
                    "the %s has version %lld, this plugin knows up to %d", name, (long long)version, DOCUMENT_VERSION);
        return NULL;
    }
    return STEAL(document);
}

static const char *to_text(json_object *document)
{
    return json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

int32_t plugin_result(struct memories_call *call, json_object *document)
{
    AUTO_JSON json_object *owned = document;
    const char *text = owned ? to_text(owned) : NULL;
    return text ? plugin_host->result(call, text) : plugin_no_memory(call);
}

int32_t plugin_operation_result(struct memories_call *call, size_t index, uint32_t state, json_object *outputs,
                                uint32_t poll_after_ms)
{
    AUTO_JSON json_object *owned = outputs;
    const char *text = owned ? to_text(owned) : NULL;
    if (owned && !text)
        return plugin_operation_fail(call, index, MEMORIES_NO_MEMORY, NULL, NULL, "memory ran out");
    return plugin_host->operation_result(call, index, state, text, poll_after_ms);
}
