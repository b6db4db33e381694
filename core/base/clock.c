/* clock.c - time and its text form */
#include "core/base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_format(int64_t now_ms, int with_ms, char text[CLOCK_TEXT_BYTES])
{
    int64_t ms = now_ms % 1000;
    time_t seconds = (time_t)(now_ms / 1000);
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    if (with_ms)
        snprintf(text + length, CLOCK_TEXT_BYTES - length, ".%03dZ", (int)ms);
    else
        snprintf(text + length, CLOCK_TEXT_BYTES - length, "Z");
}

/* ".25" -> 250; moves *at behind it. */
static int parse_fraction(const char **at)
{
    int ms = 0, weight = 100;
    if (**at != '.')
        return 0;
    for (++*at; isdigit((unsigned char)**at); ++*at, weight /= 10)
        ms += (**at - '0') * weight;
    return ms;
}

/* "Z" or "+01:30" -> minutes east; -1 when neither. */
static int parse_offset(const char *at, int *minutes)
{
    int hours, rest, used = 0;
    *minutes = 0;
    if (!strcmp(at, "Z") || !strcmp(at, "z"))
        return 0;
    if ((*at != '+' && *at != '-') || sscanf(at + 1, "%2d:%2d%n", &hours, &rest, &used) != 2 || used != 5 || at[6] ||
        hours > 23 || rest > 59)
        return -1;
    *minutes = (hours * 60 + rest) * (*at == '-' ? -1 : 1);
    return 0;
}

int clock_parse(const char *text, int64_t *ms)
{
    struct tm parts = { 0 };
    int used = 0, fraction = 0, offset = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &used) != 3 || used != 10)
        return -1;
    const char *at = text + used;
    if (*at) {
        used = 0;
        if ((*at != 'T' && *at != 't' && *at != ' ') ||
            sscanf(at + 1, "%2d:%2d:%2d%n", &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 3 || used != 8)
            return -1;
        at += 1 + used;
        fraction = parse_fraction(&at);
        if (parse_offset(at, &offset))
            return -1;
    }
    struct tm given = parts;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    time_t seconds = timegm(&parts);
    /* timegm carries over what is out of range: 31 February is no date. */
    if (parts.tm_mon != given.tm_mon - 1 || parts.tm_mday != given.tm_mday || parts.tm_hour != given.tm_hour ||
        parts.tm_min != given.tm_min || (parts.tm_sec != given.tm_sec && given.tm_sec != 60))
        return -1;
    *ms = ((int64_t)seconds - offset * 60) * 1000 + fraction;
    return 0;
}
