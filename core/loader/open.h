/* open.h - what search.c, and tools that look closer, ask of loader.c */
#ifndef CORE_LOADER_OPEN_H
#define CORE_LOADER_OPEN_H

#include <sys/stat.h>

#include "core/loader/loader.h"
#include "core/loader/name.h"

/* A plugin that is part of the program. */
struct builtin_plugin {
    uint32_t kind;
    const char *name;
    memories_plugin_query_fn *query;
};

/* The list, ended by name NULL; made by plugins/builtin.sh with --enable-static-plugins, absent (weak) without. */
extern const struct builtin_plugin builtin_plugins[] __attribute__((weak, visibility("hidden")));

/* The built-in plugins' list, or an empty one. */
const struct builtin_plugin *loader_builtins(void);
const struct plugin *loader_open_builtin(const struct builtin_plugin *builtin, enum load_failure *failure,
                                         memories_error **error);

/* As loader_open_file, with the plugin's code in another process. */
const struct plugin *loader_open_isolated_file(const char *path, enum load_failure *failure, memories_error **error);
/* Checked and mapped, but not initialised: for the process of an isolated plugin. */
const struct plugin *loader_map_file(const char *path, enum load_failure *failure, memories_error **error);

/* The checks of a file before its code is mapped, in their order. *info is filled when it is a plain file that may be
 * opened. */
enum load_failure loader_check_path(const char *path, struct stat *info, memories_error **error);
enum load_failure loader_check_metadata(const char *path, const struct plugin_file_name *file, memories_error **error);
enum load_failure loader_check_object(const char *path, memories_error **error);

#endif
