/* when.h - times and durations as people write them */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* "now", RFC 3339 ("2026-02-25T12:34:56Z", "…+01:00"), a date ("2026-02-25", its midnight UTC), or relative to `now`:
 * "-1h", "1h30m ago". Units: s, m, h, d, w. Returns RFC 3339 in UTC, to be freed; NULL when it is none of these. */
char *when_parse(const char *text, time_t now);

/* "300", "5m", "1h30m": seconds from 1 to UINT32_MAX; 0 when it is neither. */
uint32_t duration_parse(const char *text);

/* Seconds since 1970 of RFC 3339 in UTC as the library writes it; -1 when it is not. */
time_t when_seconds(const char *rfc3339);

#endif
