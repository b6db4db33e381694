/* refuse.h - the closed list of reasons for not loading a plugin, as errors: file, what was found and expected, next step */
#ifndef CORE_LOADER_REFUSE_H
#define CORE_LOADER_REFUSE_H

#include "core/base/error.h"
#include "core/loader/loader.h"

/* Fills *error with the message, the file and the hint, and returns `failure`. */
enum load_failure refuse(enum load_failure failure, const char *path, const char *hint, memories_error **error,
                         const char *format, ...) PRINTF_LIKE(5, 6);

#endif
