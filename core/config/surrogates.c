/* surrogates.c - the one thing of JSON that YAML 1.2 does not know: characters beyond U+FFFF as two escapes */
#include "core/config/surrogates.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

/* The four hex digits of "\uXXXX", or -1. */
static long escaped_unit(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    char digits[5] = { at[2], at[3], at[4], at[5], '\0' };
    return digits[strspn(digits, "0123456789abcdefABCDEF")] ? -1 : strtol(digits, NULL, 16);
}

static void append_code_point(struct text *out, unsigned long code)
{
    char bytes[4] = { (char)(0xF0 | code >> 18), (char)(0x80 | (code >> 12 & 0x3F)), (char)(0x80 | (code >> 6 & 0x3F)),
                      (char)(0x80 | (code & 0x3F)) };
    text_append_bytes(out, bytes, sizeof bytes);
}

char *surrogates_join(const char *text, size_t *bytes)
{
    struct text out = TEXT_INIT;
    const char *end = text + *bytes, *copied = text;
    for (const char *at = text; at < end; at++) {
        if (*at != '\\')
            continue;
        long high = escaped_unit(at, end);
        long low = high >= 0xD800 && high <= 0xDBFF ? escaped_unit(at + 6, end) : -1;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            text_append_bytes(&out, copied, (size_t)(at - copied));
            append_code_point(&out, 0x10000 + ((unsigned long)(high - 0xD800) << 10) + (unsigned long)(low - 0xDC00));
            at += 11;
            copied = at + 1;
        } else {
            at++; /* the escaped character, which may be a backslash */
        }
    }
    text_append_bytes(&out, copied, copied < end ? (size_t)(end - copied) : 0);
    *bytes = out.length;
    return text_take(&out);
}
