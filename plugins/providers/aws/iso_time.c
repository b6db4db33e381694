/* iso_time.c - times as AWS writes them, see iso_time.h */
#include "plugins/providers/aws/iso_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plugins/common/plugin.h"

int64_t iso_time_parse(const char *text)
{
    struct tm parts = { 0 };
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    int hours = 0, minutes = 0;
    char sign = '+';
    if (!rest)
        return 0;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (strcmp(rest, "Z") && strcmp(rest, "UTC") && sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3)
        return 0;
    int64_t offset_s = (hours * 60 + minutes) * 60;
    return ((int64_t)timegm(&parts) - (sign == '-' ? -offset_s : offset_s)) * 1000;
}

const char *iso_time_format(struct memories_call *call, int64_t time_ms)
{
    char text[32];
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return plugin_format(call, "%s", text);
}
