/* clock.h - time, and its text form (RFC 3339, UTC) */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT_BYTES 32

int64_t clock_now_ms(void);       /* since 1970 */
int64_t clock_monotonic_ms(void); /* never jumps */
/* "2026-02-25T12:34:56Z"; with_ms: "2026-02-25T12:34:56.789Z" */
void clock_format(int64_t now_ms, int with_ms, char text[CLOCK_TEXT_BYTES]);
/* 0, or -1 when it is no RFC 3339 time ("Z" or an offset is required; a date alone is midnight UTC). */
int clock_parse(const char *text, int64_t *ms);

#endif
