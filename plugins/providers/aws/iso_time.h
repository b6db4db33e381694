/* iso_time.h - times as AWS writes them: "2026-02-25T12:34:56Z" */
#ifndef AWS_ISO_TIME_H
#define AWS_ISO_TIME_H

#include <stdint.h>

#include <memories/plugin.h>

/* Milliseconds since 1970, also with a fraction or an offset; 0: it is no time, or NULL. */
int64_t iso_time_parse(const char *text);
/* In the call's memory; NULL when there is none. */
const char *iso_time_format(struct memories_call *call, int64_t time_ms);

#endif
