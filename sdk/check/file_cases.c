/* file_cases.c - what can be seen of a plugin's file */
#include <stdio.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/name.h"
#include "sdk/check/check.h"
#include "sdk/tool/elf.h"

/* ---- metadata ---------------------------------------------------------------------------------------------------- */

static void compare(struct check *check, json_object *metadata, const char *key, const char *code_says)
{
    const char *file_says = json_get_string(metadata, key);
    if (!file_says || strcmp(file_says, code_says))
        check_fail(check, NULL, "MEMORIES_PLUGIN writes both from the same words",
                   "the file says %s=%s, and its descriptor %s", key, file_says ? file_says : "(nothing)", code_says);
}

static void compare_version(struct check *check, json_object *metadata, const char *key, unsigned major, unsigned minor)
{
    char text[32];
    snprintf(text, sizeof text, "%u.%u", major, minor);
    compare(check, metadata, key, text);
}

static void compare_description(struct check *check)
{
    AUTO_JSON json_object *description = metadata_description(check->subject->file, NULL);
    if (!description)
        check_advise(check, "describe", "put it there with MEMORIES_PLUGIN_DESCRIPTION",
                     "the file carries no description: tools can't show its configuration without running it");
    else if (!json_equal(description, check->plugin->description))
        check_fail(check, "describe", "give the text of MEMORIES_PLUGIN_DESCRIPTION as the result of describe",
                   "the file carries another description than describe gives");
}

void case_metadata(struct check *check)
{
    const struct plugin *plugin = check->plugin;
    AUTO_JSON json_object *metadata = metadata_read(check->subject->file, NULL);
    if (!metadata) {
        check_advise(check, NULL, "MEMORIES_PLUGIN of memories/plugin.h writes one",
                     "the file has no metadata: what it is can't be told without running it");
        return;
    }
    compare(check, metadata, "kind", plugin_kind_name(plugin->kind));
    compare(check, metadata, "name", plugin->name);
    compare(check, metadata, "version", plugin->version);
    compare(check, metadata, "licence", plugin->licence);
    compare_version(check, metadata, "abi", plugin->abi_major, plugin->abi_minor);
    compare_version(check, metadata, "needs", plugin->abi_major, plugin->abi_minor_needed);
    compare_description(check);
}

/* ---- linking ----------------------------------------------------------------------------------------------------- */

/* Libraries that only the core may use: what a plugin needs of them comes in the host table. */
static bool is_of_the_core(const char *library)
{
    return !strncmp(library, "libmemories-core", 16) || !strncmp(library, "libltdl", 7);
}

static void check_exports(struct check *check, const struct elf *elf)
{
    struct text others = TEXT_INIT;
    size_t count = 0;
    for (size_t i = 0; i < elf->exported_count; i++)
        if (!strstr(elf->exported[i], "memories_plugin_query") && count++ < 5)
            text_printf(&others, "%s%s", count > 1 ? ", " : "", elf->exported[i]);
    AUTO_FREE char *names = text_take(&others);
    if (count)
        check_advise(check, NULL, "compile with -fvisibility=hidden: two plugins may use one name for different things",
                     "it exports %zu symbols besides its entry point: %s%s", count, names ? names : "",
                     count > 5 ? ", …" : "");
}

void case_linking(struct check *check)
{
    memories_error *error = NULL;
    struct elf *elf = elf_read(check->subject->file, &error);
    if (!elf) {
        check_fail_error(check, NULL, error);
        return;
    }
    for (size_t i = 0; i < elf->needed_count; i++)
        if (is_of_the_core(elf->needed[i]))
            check_fail(check, NULL, "leave it out of the link: services of the core come in struct memories_host",
                       "it is linked with %s", elf->needed[i]);
    check_exports(check, elf);
    if (!elf->bind_now)
        check_advise(check, NULL, "link with -Wl,-z,now (and -Wl,-z,defs)",
                     "its functions are looked up when they are first called: a missing one ends the program then");
    if (!elf->no_delete)
        check_advise(check, NULL, "link with -Wl,-z,nodelete",
                     "it may be unmapped while a thread still has something of it");
    elf_free(elf);
}
