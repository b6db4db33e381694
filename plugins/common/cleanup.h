/* cleanup.h - variables that release what they hold at the end of their scope (gcc and clang) */
#ifndef PLUGINS_COMMON_CLEANUP_H
#define PLUGINS_COMMON_CLEANUP_H

#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_json(json_object **json)
{
    json_object_put(*json);
}

/* "unused": to clang, a variable that is only there to be cleaned up is unused. */
#define AUTO_FREE __attribute__((cleanup(cleanup_free), unused))
#define AUTO_FD __attribute__((cleanup(cleanup_fd), unused))
#define AUTO_JSON __attribute__((cleanup(cleanup_json), unused))

/* Hands a variable's value out of its scope: `return STEAL(result);` */
#define STEAL(variable)                          \
    __extension__({                              \
        __typeof__(variable) stolen_ = variable; \
        (variable) = NULL;                       \
        stolen_;                                 \
    })

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
