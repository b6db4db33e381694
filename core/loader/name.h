/* name.h - kinds and names of plugins, and the names of their files: provider-NAME.so, topology-NAME.so */
#ifndef CORE_LOADER_NAME_H
#define CORE_LOADER_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define PLUGIN_NAME_BYTES 32 /* with the NUL */

/* "provider" or "topology"; "plugin" for any other kind. */
const char *plugin_kind_name(uint32_t kind);
/* 0 when the text names no kind. */
uint32_t plugin_kind_of(const char *text);
/* [a-z][a-z0-9_]{0,30} */
bool plugin_name_is_valid(const char *name);

struct plugin_file_name {
    uint32_t kind;
    char name[PLUGIN_NAME_BYTES];
};
/* From the last part of `path`; false when it is not named like a plugin. */
bool plugin_file_name_parse(const char *path, struct plugin_file_name *file);

#endif
