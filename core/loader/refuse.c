/* refuse.c - the closed list of reasons for not loading a plugin */
#include "core/loader/refuse.h"

#include <stdarg.h>

#include "core/base/cleanup.h"
#include "core/base/text.h"

static const struct {
    const char *name;
    int code;
} failures[] = {
    [LOAD_OK] = { "ok", MEMORIES_OK },
    [LOAD_NOT_FOUND] = { "not-found", MEMORIES_NOT_FOUND },
    [LOAD_UNTRUSTED_PATH] = { "untrusted-path", MEMORIES_DENIED },
    [LOAD_LINK] = { "link", MEMORIES_FAILED },
    [LOAD_NOT_A_PLUGIN] = { "not-a-plugin", MEMORIES_FAILED },
    [LOAD_OTHER_MAJOR] = { "other-major", MEMORIES_UNSUPPORTED },
    [LOAD_NEEDS_NEWER_CORE] = { "needs-newer-core", MEMORIES_UNSUPPORTED },
    [LOAD_TRUNCATED] = { "truncated", MEMORIES_INTERNAL },
    [LOAD_MISSING_SLOT] = { "missing-slot", MEMORIES_INTERNAL },
    [LOAD_NAME_MISMATCH] = { "name-mismatch", MEMORIES_FAILED },
    [LOAD_DUPLICATE] = { "duplicate", MEMORIES_CONFLICT },
    [LOAD_INIT_FAILED] = { "init-failed", MEMORIES_FAILED },
};

const char *load_failure_name(enum load_failure failure)
{
    return (size_t)failure < ARRAY_COUNT(failures) ? failures[failure].name : "unknown";
}

enum load_failure refuse(enum load_failure failure, const char *path, const char *hint, memories_error **error,
                         const char *format, ...)
{
    struct text message = TEXT_INIT;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    AUTO_FREE char *text = text_take(&message);
    error_set(error, failures[failure].code, "%s", text ? text : "can't be loaded");
    if (path)
        error_where(error, "%s", path);
    if (hint)
        error_hint(error, "%s", hint);
    return failure;
}
