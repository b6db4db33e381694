/* name.c - kinds and names of plugins and their files */
#include "core/loader/name.h"

#include <string.h>

#include <memories/plugin.h>

#include "core/base/cleanup.h"

static const struct {
    uint32_t kind;
    const char *name;
} kinds[] = { { MEMORIES_PLUGIN_PROVIDER, "provider" }, { MEMORIES_PLUGIN_TOPOLOGY, "topology" } };

const char *plugin_kind_name(uint32_t kind)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "plugin";
}

uint32_t plugin_kind_of(const char *text)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        if (!strcmp(kinds[i].name, text))
            return kinds[i].kind;
    return 0;
}

bool plugin_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    return name[0] >= 'a' && name[0] <= 'z' && length < PLUGIN_NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

bool plugin_file_name_parse(const char *path, struct plugin_file_name *file)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dash = strchr(base, '-');
    const char *dot = dash ? strchr(dash, '.') : NULL;
    char kind[16];
    if (!dot || strcmp(dot, ".so") || (size_t)(dash - base) >= sizeof kind ||
        (size_t)(dot - dash - 1) >= sizeof file->name)
        return false;
    memcpy(kind, base, (size_t)(dash - base));
    kind[dash - base] = '\0';
    memcpy(file->name, dash + 1, (size_t)(dot - dash - 1));
    file->name[dot - dash - 1] = '\0';
    file->kind = plugin_kind_of(kind);
    return file->kind && plugin_name_is_valid(file->name);
}
