/* text.c - text that grows, in the memory of a call, see text.h */
#include "plugins/common/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAPACITY 256

/* Makes room for `more` bytes and the NUL. */
static bool reserve(struct plugin_text *text, size_t more)
{
    size_t needed = text->length + more + 1, capacity = text->capacity ? text->capacity : FIRST_CAPACITY;
    if (text->failed || needed <= text->capacity)
        return !text->failed;
    while (capacity < needed)
        capacity *= 2;
    char *bytes = plugin_host->allocate(text->call, capacity);
    text->failed = !bytes;
    if (!bytes)
        return false;
    if (text->bytes)
        memcpy(bytes, text->bytes, text->length);
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void plugin_text_append_bytes(struct plugin_text *text, const char *bytes, size_t count)
{
    if (!reserve(text, count))
        return;
    memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = '\0';
}

void plugin_text_append(struct plugin_text *text, const char *string)
{
    plugin_text_append_bytes(text, string, strlen(string));
}

void plugin_text_printf(struct plugin_text *text, const char *format, ...)
{
    va_list arguments, measured;
    va_start(arguments, format);
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (length < 0)
        text->failed = true;
    else if (reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
        text->length += (size_t)length;
    }
    va_end(arguments);
}

void plugin_text_append_encoded(struct plugin_text *text, const char *bytes, size_t count, const char *kept)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        const char encoded[] = { '%', digits[byte >> 4], digits[byte & 15] };
        bool plain = byte && byte < 0x80 && (isalnum(byte) || strchr("-._~", byte) || strchr(kept, byte));
        if (plain)
            plugin_text_append_bytes(text, (const char *)&byte, 1);
        else
            plugin_text_append_bytes(text, encoded, sizeof encoded);
    }
}

char *plugin_text_take(struct plugin_text *text)
{
    if (!text->bytes)
        reserve(text, 0);
    return text->failed ? NULL : text->bytes;
}
