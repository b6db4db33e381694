/*
 * scalar.c - what a plain scalar means: the core schema of YAML 1.2
 *
 * true, false, null and numbers; everything else is text, yes, no, on and off too.
 */
#include "core/config/scalar.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+; gives the base, or 0. */
static int integer_base(const char *text)
{
    if (!strncmp(text, "0o", 2) && text[2] && !text[2 + strspn(text + 2, "01234567")])
        return 8;
    if (!strncmp(text, "0x", 2) && text[2] && !text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
        return 16;
    text += *text == '-' || *text == '+';
    return *text && !text[count_digits(text)] ? 10 : 0;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t whole = count_digits(text), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = count_digits(++text);
        text += fraction;
    }
    if (!whole && !fraction)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = count_digits(text);
        if (!exponent)
            return false;
        text += exponent;
    }
    return !*text;
}

static bool is_infinite_or_nan(const char *text)
{
    static const char *const words[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL };
    return is_one_of(text + (*text == '-' || *text == '+'), words);
}

/* strtod as in the C locale, whatever the host program has chosen. */
static double parse_double(const char *text)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return NAN;
    double number = strtod_l(text, NULL, plain);
    freelocale(plain);
    return number;
}

static enum scalar_fault read_integer(const char *text, int base, json_object **value)
{
    errno = 0;
    long long number = strtoll(base == 10 ? text : text + 2, NULL, base);
    if (errno)
        return SCALAR_TOO_LARGE;
    *value = json_object_new_int64(number);
    return *value ? SCALAR_OK : SCALAR_NO_MEMORY;
}

static enum scalar_fault read_float(const char *text, json_object **value)
{
    double number = parse_double(text);
    if (!isfinite(number))
        return SCALAR_TOO_LARGE;
    *value = json_new_double(number);
    return *value ? SCALAR_OK : SCALAR_NO_MEMORY;
}

enum scalar_fault scalar_read(const char *text, json_object **value)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const yes[] = { "true", "True", "TRUE", NULL };
    static const char *const no[] = { "false", "False", "FALSE", NULL };
    *value = NULL;
    if (is_one_of(text, nulls))
        return SCALAR_OK;
    int base = integer_base(text);
    if (base)
        return read_integer(text, base, value);
    if (is_float(text))
        return read_float(text, value);
    if (is_infinite_or_nan(text))
        return SCALAR_NOT_FINITE;
    bool is_yes = is_one_of(text, yes);
    *value = is_yes || is_one_of(text, no) ? json_object_new_boolean(is_yes) : json_object_new_string(text);
    return *value ? SCALAR_OK : SCALAR_NO_MEMORY;
}
