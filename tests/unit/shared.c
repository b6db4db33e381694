/* shared.c - files that lie beside the checkout, see shared.h */
#include "tests/unit/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *shared_path(const char *name)
{
    const char *given = getenv("MEMORIES_SHARED_DIR"), *srcdir = getenv("srcdir");
    char *path = NULL;
    for (int i = 0; i < 3; i++) {
        static const char *const beside[] = { "", "/../shared", "/../../shared" };
        const char *base = i ? (srcdir ? srcdir : ".") : given;
        if (!base || asprintf(&path, "%s%s/%s", base, beside[i], name) < 0)
            continue;
        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}
