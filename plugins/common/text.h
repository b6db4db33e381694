/*
 * text.h - text that grows, in the memory of a call
 *
 * Nothing is to be freed: the host does that when the slot returns, and wipes it. A failed allocation is remembered, so
 * that building reads straight on and is looked at once, by plugin_text_take.
 */
#ifndef PLUGINS_COMMON_TEXT_H
#define PLUGINS_COMMON_TEXT_H

#include <stdarg.h>
#include <stdbool.h>

#include "plugins/common/plugin.h"

struct plugin_text {
    struct memories_call *call;
    char *bytes; /* NUL-terminated; NULL as long as nothing was added */
    size_t length;
    size_t capacity;
    bool failed;
};

#define PLUGIN_TEXT(call_) ((struct plugin_text){ .call = (call_) })

void plugin_text_append_bytes(struct plugin_text *text, const char *bytes, size_t count);
void plugin_text_append(struct plugin_text *text, const char *string);
void plugin_text_printf(struct plugin_text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Percent-encodes every byte but A-Z a-z 0-9 - . _ ~ (RFC 3986, 2.3) and those in `kept`. */
void plugin_text_append_encoded(struct plugin_text *text, const char *bytes, size_t count, const char *kept);

/* The text; "" when nothing was added; NULL when memory ran out. */
char *plugin_text_take(struct plugin_text *text);

#endif
