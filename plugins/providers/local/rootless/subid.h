/* subid.h - the ranges of ids that an ordinary user may map into a user namespace (subuid(5), subgid(5)) */
#ifndef LOCAL_ROOTLESS_SUBID_H
#define LOCAL_ROOTLESS_SUBID_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* What a container's image may use: ids 0 to 65535, of which 0 is the user himself. */
#define SUBID_COUNT 65536

struct subid_range {
    uint32_t start;
    uint32_t count;
};

/* The largest range of the user, who may be named by name or by number in `lines`; `name` may be NULL. False: none. */
bool subid_find(FILE *lines, const char *name, uid_t uid, struct subid_range *range);

/* The same from a file, which may be missing. */
bool subid_read(const char *path, const char *name, uid_t uid, struct subid_range *range);

#endif
