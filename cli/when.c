/* when.c - times and durations as people write them */
#include "cli/when.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decimal digits only (strtoul takes spaces and signs). Returns the end, or NULL when there is none or too much. */
static const char *read_number(const char *text, uint32_t *number)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (uint64_t)(*at - '0');
        if (value > UINT32_MAX)
            return NULL;
    }
    *number = (uint32_t)value;
    return at == text ? NULL : at;
}

static uint32_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

/* "1h30m" up to the first character that can't belong to it, which becomes *end. 0 when there is no duration. */
static uint32_t read_duration(const char *text, const char **end)
{
    uint64_t total = 0;
    uint32_t number;
    const char *at;
    while ((at = read_number(text, &number)) && unit_seconds(*at)) {
        total += (uint64_t)number * unit_seconds(*at);
        if (total > UINT32_MAX)
            return 0;
        text = at + 1;
    }
    *end = text;
    return (uint32_t)total;
}

uint32_t duration_parse(const char *text)
{
    const char *end;
    uint32_t seconds;
    end = read_number(text, &seconds);
    if (end && !*end)
        return seconds;
    seconds = read_duration(text, &end);
    return seconds && !*end ? seconds : 0;
}

/* Exactly `count` digits. */
static const char *read_digits(const char *text, int count, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++, text++) {
        if (*text < '0' || *text > '9')
            return NULL;
        *number = *number * 10 + (*text - '0');
    }
    return text;
}

static const char *read_expected(const char *text, char expected)
{
    return text && *text == expected ? text + 1 : NULL;
}

static const char *read_date(const char *at, struct tm *tm)
{
    at = read_digits(at, 4, &tm->tm_year);
    at = read_expected(at, '-');
    at = at ? read_digits(at, 2, &tm->tm_mon) : NULL;
    at = read_expected(at, '-');
    at = at ? read_digits(at, 2, &tm->tm_mday) : NULL;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return at;
}

static const char *read_clock(const char *at, struct tm *tm)
{
    at = read_digits(at, 2, &tm->tm_hour);
    at = read_expected(at, ':');
    at = at ? read_digits(at, 2, &tm->tm_min) : NULL;
    at = read_expected(at, ':');
    at = at ? read_digits(at, 2, &tm->tm_sec) : NULL;
    if (!at || *at != '.')
        return at;
    do /* fractions of a second are more than any metric has */
        at++;
    while (*at >= '0' && *at <= '9');
    return at;
}

/* "Z" or "+01:00". */
static const char *read_offset(const char *at, int *seconds)
{
    *seconds = 0;
    if (*at == 'Z' || *at == 'z')
        return at + 1;
    if (*at != '+' && *at != '-')
        return NULL;
    int sign = *at == '-' ? -1 : 1, hours, minutes;
    at = read_digits(at + 1, 2, &hours);
    at = read_expected(at, ':');
    at = at ? read_digits(at, 2, &minutes) : NULL;
    if (!at || hours > 23 || minutes > 59)
        return NULL;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return at;
}

/* timegm carries 31 April over into May: what comes back must be what went in. */
static bool real_date(struct tm tm, time_t *seconds)
{
    struct tm normal = tm;
    *seconds = timegm(&normal);
    return normal.tm_mon == tm.tm_mon && normal.tm_mday == tm.tm_mday && normal.tm_hour == tm.tm_hour &&
           normal.tm_min == tm.tm_min && normal.tm_sec == tm.tm_sec;
}

static bool read_absolute(const char *text, time_t *seconds)
{
    struct tm tm = { 0 };
    int offset = 0;
    const char *at = read_date(text, &tm);
    if (at && (*at == 'T' || *at == 't' || *at == ' ')) {
        at = read_clock(at + 1, &tm);
        at = at ? read_offset(at, &offset) : NULL;
    }
    if (!at || *at || !real_date(tm, seconds))
        return false;
    *seconds -= offset;
    return true;
}

static bool read_relative(const char *text, time_t now, time_t *seconds)
{
    bool minus = *text == '-';
    const char *end;
    uint32_t back = read_duration(text + minus, &end);
    if (!back || (minus ? *end != '\0' : strcmp(end, " ago") != 0))
        return false;
    *seconds = now - (time_t)back;
    return true;
}

char *when_parse(const char *text, time_t now)
{
    time_t seconds = now;
    if (strcmp(text, "now") != 0 && !read_relative(text, now, &seconds) && !read_absolute(text, &seconds))
        return NULL;
    struct tm tm;
    char *result = malloc(sizeof "2026-02-25T12:34:56Z");
    if (!result || !gmtime_r(&seconds, &tm) ||
        strftime(result, sizeof "2026-02-25T12:34:56Z", "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        free(result);
        return NULL;
    }
    return result;
}

time_t when_seconds(const char *rfc3339)
{
    time_t seconds;
    return read_absolute(rfc3339, &seconds) ? seconds : -1;
}
