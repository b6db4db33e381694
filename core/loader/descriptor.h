/* descriptor.h - what a plugin's query function returned, checked and copied */
#ifndef CORE_LOADER_DESCRIPTOR_H
#define CORE_LOADER_DESCRIPTOR_H

#include "core/loader/loader.h"
#include "core/loader/name.h"

/* Checks version numbers as they stand in a descriptor or in metadata. */
enum load_failure descriptor_check_version(const char *path, unsigned major, unsigned minor, unsigned needed_minor,
                                           memories_error **error);
/* The same as metadata has them. */
enum load_failure descriptor_check_metadata(const char *path, json_object *metadata, memories_error **error);
/* kind and name against what the file's name promises. */
enum load_failure descriptor_check_name(const char *path, uint32_t kind, const char *name,
                                        const struct plugin_file_name *file, memories_error **error);

/* All checks in the ABI's order, then the copy into *plugin (whose path is set). Nothing behind the frozen head is read
 * before the head has been found good. On failure what was copied stays for descriptor_clear. */
enum load_failure descriptor_take(const struct memories_plugin_descriptor *descriptor,
                                  const struct plugin_file_name *file, struct plugin *plugin, memories_error **error);
void descriptor_clear(struct plugin *plugin);

#endif
