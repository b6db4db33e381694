/* subid.c - the ranges of ids that an ordinary user may map into a user namespace */
#include "plugins/providers/local/rootless/subid.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "user:100000:65536". What is not of that form is not there: newuidmap, which has the last word, does the same. */
static bool parse_line(char *line, const char **owner, struct subid_range *range)
{
    char *start = strchr(line, ':'), *count = start ? strchr(start + 1, ':') : NULL, *end;
    if (!count || start == line)
        return false;
    *start++ = *count++ = '\0';
    *owner = line;
    unsigned long long first = strtoull(start, &end, 10);
    if (end == start || *end || *start == '-' || first > UINT32_MAX)
        return false;
    unsigned long long number = strtoull(count, &end, 10);
    if (end == count || (*end && *end != '\n') || *count == '-' || number > UINT32_MAX - first)
        return false;
    *range = (struct subid_range){ (uint32_t)first, (uint32_t)number };
    return true;
}

bool subid_find(FILE *lines, const char *name, uid_t uid, struct subid_range *range)
{
    char number[16], *line = NULL;
    size_t size = 0;
    snprintf(number, sizeof number, "%" PRIu32, (uint32_t)uid);
    *range = (struct subid_range){ 0, 0 };
    while (getline(&line, &size, lines) > 0) {
        const char *owner;
        struct subid_range one;
        if (!parse_line(line, &owner, &one) || one.count <= range->count)
            continue;
        if (!strcmp(owner, number) || (name && !strcmp(owner, name)))
            *range = one;
    }
    free(line);
    return range->count > 0;
}

bool subid_read(const char *path, const char *name, uid_t uid, struct subid_range *range)
{
    FILE *lines = fopen(path, "re");
    *range = (struct subid_range){ 0, 0 };
    if (!lines)
        return false;
    bool found = subid_find(lines, name, uid, range);
    fclose(lines);
    return found;
}
