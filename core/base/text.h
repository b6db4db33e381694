/* text.h - a growing string; a failed allocation is remembered and told once, by text_take */
#ifndef CORE_BASE_TEXT_H
#define CORE_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *bytes; /* NUL-terminated once anything was appended */
    size_t length;
    size_t capacity;
    bool failed;
};
#define TEXT_INIT { NULL, 0, 0, false }

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t count);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
/* The string, now the caller's (free); "" when nothing was appended; NULL when memory ran out. Resets `text`. */
char *text_take(struct text *text);
void text_clear(struct text *text);
/* Back to an earlier length. */
void text_truncate(struct text *text, size_t length);

/* asprintf that returns the string or NULL. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
