/* descriptor.c - what a plugin's query function returned, checked and copied */
#include "core/loader/descriptor.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/refuse.h"
#include "core/loader/slot.h"

/* What the structs of ABI 1.0 measured; later fields are optional for ever. */
#define END_OF(type, field) (offsetof(struct type, field) + sizeof(((struct type *)0)->field))
#define DESCRIPTOR_BYTES_1_0 END_OF(memories_plugin_descriptor, ops)
#define PROVIDER_BYTES_1_0 END_OF(memories_provider_ops, logs)
#define TOPOLOGY_BYTES_1_0 END_OF(memories_topology_ops, status)

static const char defect_hint[] = "the file is damaged or was built wrongly: install or build the plugin anew";

enum load_failure descriptor_check_version(const char *path, unsigned major, unsigned minor, unsigned needed_minor,
                                           memories_error **error)
{
    if (major != MEMORIES_ABI_MAJOR)
        return refuse(LOAD_OTHER_MAJOR, path, "use a build of this plugin for the ABI of this memories", error,
                      "it was built for plugin ABI %u.%u, expected %u.x", major, minor, MEMORIES_ABI_MAJOR);
    if (needed_minor > MEMORIES_ABI_MINOR)
        return refuse(LOAD_NEEDS_NEWER_CORE, path, "upgrade memories, or use an older version of this plugin", error,
                      "it needs plugin ABI %u.%u or later, this memories has %u.%u", major, needed_minor,
                      MEMORIES_ABI_MAJOR, MEMORIES_ABI_MINOR);
    return LOAD_OK;
}

static unsigned minor_of(const char *version)
{
    return (unsigned)strtoul(strchr(version, '.') + 1, NULL, 10);
}

enum load_failure descriptor_check_metadata(const char *path, json_object *metadata, memories_error **error)
{
    const char *abi = json_get_string(metadata, "abi"), *needs = json_get_string(metadata, "needs");
    return descriptor_check_version(path, (unsigned)strtoul(abi, NULL, 10), minor_of(abi), minor_of(needs), error);
}

enum load_failure descriptor_check_name(const char *path, uint32_t kind, const char *name,
                                        const struct plugin_file_name *file, memories_error **error)
{
    if (kind == file->kind && !strcmp(name, file->name))
        return LOAD_OK;
    AUTO_FREE char *hint = plugin_name_is_valid(name)
                               ? text_format("a file that holds it is called %s-%s.so", plugin_kind_name(kind), name)
                               : NULL;
    return refuse(LOAD_NAME_MISMATCH, path, hint ? hint : defect_hint, error,
                  "it calls itself %s \"%.40s\", but its file says %s \"%s\"", plugin_kind_name(kind), name,
                  plugin_kind_name(file->kind), file->name);
}

static enum load_failure check_head(const char *path, const struct memories_plugin_descriptor *descriptor,
                                    memories_error **error)
{
    if (descriptor->magic != MEMORIES_PLUGIN_MAGIC)
        return refuse(LOAD_NOT_A_PLUGIN, path, defect_hint, error, "its descriptor begins with 0x%08x, expected 0x%08x",
                      descriptor->magic, MEMORIES_PLUGIN_MAGIC);
    enum load_failure failure = descriptor_check_version(path, descriptor->abi_major, descriptor->abi_minor,
                                                         descriptor->abi_minor_needed, error);
    if (failure)
        return failure;
    if (descriptor->kind != MEMORIES_PLUGIN_PROVIDER && descriptor->kind != MEMORIES_PLUGIN_TOPOLOGY)
        return refuse(LOAD_NOT_A_PLUGIN, path, defect_hint, error,
                      "its descriptor is of kind %u, expected %u (provider) or %u (topology)", descriptor->kind,
                      MEMORIES_PLUGIN_PROVIDER, MEMORIES_PLUGIN_TOPOLOGY);
    if (descriptor->descriptor_size < DESCRIPTOR_BYTES_1_0)
        return refuse(LOAD_TRUNCATED, path, defect_hint, error, "its descriptor has %u bytes, expected at least %zu",
                      descriptor->descriptor_size, DESCRIPTOR_BYTES_1_0);
    return LOAD_OK;
}

static enum load_failure check_texts(const char *path, const struct memories_plugin_descriptor *descriptor,
                                     memories_error **error)
{
    const char *missing = !descriptor->name      ? "name"
                          : !descriptor->version ? "version"
                          : !descriptor->licence ? "licence"
                                                 : NULL;
    return missing ? refuse(LOAD_TRUNCATED, path, defect_hint, error, "its descriptor has no %s", missing) : LOAD_OK;
}

/* The plugin's table, as much of it as both sides know, into the zeroed copy. */
static enum load_failure copy_ops(const char *path, const struct memories_plugin_descriptor *descriptor,
                                  struct plugin *plugin, memories_error **error)
{
    bool provider = descriptor->kind == MEMORIES_PLUGIN_PROVIDER;
    size_t least = provider ? PROVIDER_BYTES_1_0 : TOPOLOGY_BYTES_1_0;
    size_t known = provider ? sizeof plugin->ops.provider : sizeof plugin->ops.topology;
    if (!descriptor->ops)
        return refuse(LOAD_TRUNCATED, path, defect_hint, error, "its descriptor has no operations");
    if (descriptor->ops_size < least)
        return refuse(LOAD_TRUNCATED, path, defect_hint, error,
                      "its descriptor says that the operations have %u bytes, expected at least %zu",
                      descriptor->ops_size, least);
    uint32_t size;
    memcpy(&size, descriptor->ops, sizeof size);
    if (size < least)
        return refuse(LOAD_TRUNCATED, path, defect_hint, error, "its operations have %u bytes, expected at least %zu",
                      size, least);
    if (size > descriptor->ops_size)
        size = descriptor->ops_size;
    memset(&plugin->ops, 0, sizeof plugin->ops);
    memcpy(&plugin->ops, descriptor->ops, size < known ? size : known);
    return LOAD_OK;
}

static enum load_failure check_slots(const char *path, const struct plugin *plugin, memories_error **error)
{
    struct text missing = TEXT_INIT;
    for (size_t i = 0; i < loader_slot_count; i++) {
        const struct slot *slot = &loader_slots[i];
        if (slot->kind == plugin->kind && slot->required && !slot_is_filled(plugin, slot))
            text_printf(&missing, "%s%s", missing.length ? ", " : "", slot->name);
    }
    AUTO_FREE char *names = text_take(&missing);
    if (names && !*names)
        return LOAD_OK;
    return refuse(LOAD_MISSING_SLOT, path, "the plugin's author must add what plugin.h marks as required (R)", error,
                  "it lacks operations that every %s has: %s", plugin_kind_name(plugin->kind), names ? names : "");
}

static int copy_text(char **copy, const char *text)
{
    *copy = text ? strdup(text) : NULL;
    return text && !*copy ? MEMORIES_NO_MEMORY : 0;
}

enum load_failure descriptor_take(const struct memories_plugin_descriptor *descriptor,
                                  const struct plugin_file_name *file, struct plugin *plugin, memories_error **error)
{
    const char *path = plugin->path;
    enum load_failure failure = check_head(path, descriptor, error);
    if (!failure)
        failure = check_texts(path, descriptor, error);
    if (!failure)
        failure = copy_ops(path, descriptor, plugin, error);
    if (failure)
        return failure;
    plugin->kind = descriptor->kind;
    plugin->abi_major = descriptor->abi_major;
    plugin->abi_minor = descriptor->abi_minor;
    plugin->abi_minor_needed = descriptor->abi_minor_needed;
    plugin->thread_model = descriptor->thread_model;
    failure = check_slots(path, plugin, error);
    if (!failure)
        failure = descriptor_check_name(path, descriptor->kind, descriptor->name, file, error);
    if (failure)
        return failure;
    if (copy_text(&plugin->name, descriptor->name) || copy_text(&plugin->version, descriptor->version) ||
        copy_text(&plugin->licence, descriptor->licence) || copy_text(&plugin->homepage, descriptor->homepage)) {
        error_no_memory(error);
        return LOAD_LINK;
    }
    return LOAD_OK;
}

void descriptor_clear(struct plugin *plugin)
{
    free(plugin->name);
    free(plugin->version);
    free(plugin->licence);
    free(plugin->homepage);
    plugin->name = plugin->version = plugin->licence = plugin->homepage = NULL;
}
