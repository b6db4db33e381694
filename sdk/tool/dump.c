/* dump.c - what a plugin's file is, told without running its code */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/descriptor.h"
#include "core/loader/loader.h"
#include "core/loader/object.h"
#include "sdk/tool/elf.h"
#include "sdk/tool/tool.h"

/* All that is said of one file. */
struct dump {
    const char *path;
    json_object *metadata;
    json_object *description; /* NULL: the file carries none */
    struct elf *elf;          /* NULL: an object for another machine, or none at all */
    memories_error *unfit;    /* why this core can't run it; NULL: it can, as far as version numbers tell */
};

static void dump_clear(struct dump *dump)
{
    json_object_put(dump->metadata);
    json_object_put(dump->description);
    elf_free(dump->elf);
    memories_error_free(dump->unfit);
}

static int dump_read(struct dump *dump, memories_error **error)
{
    dump->metadata = metadata_read(dump->path, error);
    if (!dump->metadata) {
        if (error && memories_error_code(*error) == MEMORIES_NOT_FOUND && !memories_error_cause(*error))
            error_hint(error, "it is no plugin, or was built without MEMORIES_PLUGIN of memories/plugin.h");
        return MEMORIES_FAILED;
    }
    dump->description = metadata_description(dump->path, NULL);
    if (!object_check(dump->path, NULL))
        dump->elf = elf_read(dump->path, NULL);
    descriptor_check_metadata(dump->path, dump->metadata, &dump->unfit);
    return 0;
}

/* ---- --deps ------------------------------------------------------------------------------------------------------ */

/* The package that holds the core provides the virtual package memories-plugin-abi-MAJOR in version MAJOR.MINOR. */
static int print_dependency(const struct tool_request *request, const struct dump *dump)
{
    const char *form = request->values[TOOL_OPTION_DEPS] ? request->values[TOOL_OPTION_DEPS] : "deb";
    const char *needs = json_get_string(dump->metadata, "needs");
    int major = (int)strcspn(needs, ".");
    if (!strcmp(form, "deb"))
        printf("memories-plugin-abi-%.*s (>= %s)\n", major, needs, needs);
    else if (!strcmp(form, "rpm"))
        printf("memories-plugin-abi-%.*s >= %s\n", major, needs, needs);
    else
        return tool_report_usage(request, "--deps: \"%s\" is neither deb nor rpm", form);
    return TOOL_OK;
}

static int print_schema(const struct tool_request *request, const struct dump *dump)
{
    json_object *schema = json_get_object(dump->description, "schema");
    if (schema)
        return tool_print_json(request, schema);
    memories_error *error = NULL;
    error_set(&error, MEMORIES_NOT_FOUND, "%s carries no schema", dump->path);
    error_hint(&error,
               "its author can put it there with MEMORIES_PLUGIN_DESCRIPTION; `memories plugins` asks its code");
    return tool_report(request, error);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_object *name_list(const char *const *names, size_t count)
{
    AUTO_JSON json_object *list = json_object_new_array();
    for (size_t i = 0; i < count; i++)
        if (json_add_string(list, names[i]))
            return NULL;
    return STEAL(list);
}

static int copy_metadata(json_object *document, json_object *metadata)
{
    static const char *const keys[] = { "kind", "name", "version", "licence", "abi", "needs" };
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (json_set_string(document, keys[i], json_get_string(metadata, keys[i])))
            return MEMORIES_NO_MEMORY;
    return 0;
}

static int print_document(const struct tool_request *request, const struct dump *dump)
{
    AUTO_JSON json_object *document = json_object_new_object();
    json_object *libraries = dump->elf ? name_list(dump->elf->needed, dump->elf->needed_count) : NULL;
    if (!document || (dump->elf && !libraries) || json_set_string(document, "file", dump->path) ||
        copy_metadata(document, dump->metadata) || json_set_bool(document, "fits", !dump->unfit) ||
        json_set(document, "libraries", libraries) || json_set(document, "description", json_ref(dump->description)))
        return tool_report_no_memory(request);
    return tool_print_json(request, document);
}

/* ---- For people -------------------------------------------------------------------------------------------------- */

static char *join(const char *const *names, size_t count)
{
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&text, "%s%s", i ? ", " : "", names[i]);
    return text_take(&text);
}

static char *resource_types(json_object *description)
{
    struct text text = TEXT_INIT;
    json_object *types = json_get_object(description, "resource_types");
    if (types) {
        json_object_object_foreach(types, name, type)
            text_printf(&text, "%s%s%s", text.length ? ", " : "", name,
                        json_get_bool(type, "is_node", false) ? " (a node)" : "");
    }
    return text_take(&text);
}

/* "string: auto, process, namespace" */
static char *what_it_takes(json_object *property)
{
    struct text text = TEXT_INIT;
    const char *type = json_get_string(property, "type");
    json_object *choices = json_get_array(property, "enum");
    text_append(&text, type ? type : "see --schema");
    for (size_t i = 0; i < json_count(choices); i++)
        text_printf(&text, "%s%s", i ? ", " : ": ", json_object_get_string(json_object_array_get_idx(choices, i)));
    return text_take(&text);
}

static void print_configuration(json_object *description)
{
    json_object *properties = json_get_object(json_get_object(description, "schema"), "properties");
    if (!properties || json_object_object_length(properties) == 0)
        return;
    puts("Configuration:");
    json_object_object_foreach(properties, name, property) {
        AUTO_FREE char *takes = what_it_takes(property);
        const char *says = json_get_string(property, "description");
        printf("  %s (%s)", name, takes ? takes : "");
        if (says) {
            fputs(": ", stdout);
            text_put(stdout, says);
        }
        putchar('\n');
    }
}

static int print_people(const struct dump *dump)
{
    AUTO_FREE char *libraries = dump->elf ? join(dump->elf->needed, dump->elf->needed_count) : NULL;
    AUTO_FREE char *types = resource_types(dump->description);
    tool_print_field("File", dump->path);
    tool_print_field("Kind", json_get_string(dump->metadata, "kind"));
    tool_print_field("Name", json_get_string(dump->metadata, "name"));
    tool_print_field("Version", json_get_string(dump->metadata, "version"));
    tool_print_field("Licence", json_get_string(dump->metadata, "licence"));
    tool_print_field("Summary", json_get_string(dump->description, "summary"));
    tool_print_field("Built for plugin ABI", json_get_string(dump->metadata, "abi"));
    tool_print_field("Needs plugin ABI", json_get_string(dump->metadata, "needs"));
    printf("This memories: plugin ABI %u.%u, ", MEMORIES_ABI_MAJOR, MEMORIES_ABI_MINOR);
    puts(dump->unfit ? memories_error_message(dump->unfit) : "which fits");
    tool_print_field("Libraries", libraries);
    tool_print_field("Resource types", types);
    print_configuration(dump->description);
    return TOOL_OK;
}

int tool_dump(const struct tool_request *request)
{
    struct dump dump = { .path = request->arguments[0] };
    memories_error *error = NULL;
    int code;
    if (dump_read(&dump, &error))
        code = tool_report(request, error);
    else if (tool_has(request, TOOL_OPTION_DEPS))
        code = print_dependency(request, &dump);
    else if (tool_has(request, TOOL_OPTION_SCHEMA))
        code = print_schema(request, &dump);
    else if (tool_has(request, TOOL_OPTION_JSON))
        code = print_document(request, &dump);
    else
        code = print_people(&dump);
    dump_clear(&dump);
    return code;
}
