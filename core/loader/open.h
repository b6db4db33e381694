/* open.h - what search.c asks of loader.c */
#ifndef CORE_LOADER_OPEN_H
#define CORE_LOADER_OPEN_H

#include "core/loader/loader.h"

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

#endif
