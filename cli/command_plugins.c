/* command_plugins.c - plugins, version: what this program consists of */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/table.h"

static int print_plugins(const struct session *session, json_object *plugins)
{
    static const char *const headings[] = { "KIND", "NAME", "VERSION", "ABI", "STATUS", "PATH", NULL };
    struct table *table = table_new(headings);
    for (size_t i = 0; i < json_object_array_length(plugins); i++) {
        json_object *plugin = json_object_array_get_idx(plugins, i);
        table_add(table, document_string(plugin, "kind"));
        table_add(table, document_string(plugin, "name"));
        table_add(table, document_string(plugin, "version"));
        table_add(table, document_string(plugin, "abi"));
        table_add(table, document_string(plugin, "status"));
        table_add(table, document_string(plugin, "path"));
    }
    return table_print(table, 4) == 0 ? EXIT_OK : report_no_memory(session);
}

/* The reasons are too long for a column. */
static void print_refusals(json_object *plugins)
{
    for (size_t i = 0; i < json_object_array_length(plugins); i++) {
        json_object *plugin = json_object_array_get_idx(plugins, i), *error = NULL;
        const char *path = document_string(plugin, "path");
        if (!json_object_object_get_ex(plugin, "error", &error) || !error)
            continue;
        const char *message = document_string(error, "message"), *cause = document_string(error, "cause");
        const char *hint = document_string(error, "hint");
        if (!message)
            message = json_object_get_string(error);
        putchar('\n');
        text_put(stdout, path ? path : "-");
        fputs(": ", stdout);
        text_put(stdout, message);
        if (cause) {
            fputs(": ", stdout);
            text_put(stdout, cause);
        }
        putchar('\n');
        if (hint) {
            fputs("  ", stdout);
            text_put(stdout, hint);
            putchar('\n');
        }
    }
}

int run_plugins(struct session *session)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    char *text = memories_plugins(context, &error);
    if (!text)
        return report_error(session, error);
    json_object *plugins = document_read(session, text);
    memories_free(text);
    if (!plugins)
        return EXIT_FAILED;
    int code = EXIT_OK;
    if (session_has(session, OPTION_JSON)) {
        code = print_json_object(session, plugins);
    } else if (json_object_array_length(plugins) == 0) {
        report_advice(session, "No plugins are found; see --plugin-path in memories(1).");
    } else {
        code = print_plugins(session, plugins);
        print_refusals(plugins);
    }
    json_object_put(plugins);
    return code;
}

int run_version(struct session *session)
{
    if (!session_has(session, OPTION_JSON)) {
        printf("memories %s\nlibmemories-core %s\nplugin ABI %u.%u\n", MEMORIES_VERSION, memories_version(),
               MEMORIES_ABI_MAJOR, MEMORIES_ABI_MINOR);
        return EXIT_OK;
    }
    char abi[32];
    snprintf(abi, sizeof abi, "%u.%u", MEMORIES_ABI_MAJOR, MEMORIES_ABI_MINOR);
    json_object *json = json_object_new_object();
    json_object_object_add(json, "version", json_object_new_string(MEMORIES_VERSION));
    json_object_object_add(json, "library_version", json_object_new_string(memories_version()));
    json_object_object_add(json, "abi", json_object_new_string(abi));
    int code = print_json_object(session, json);
    json_object_put(json);
    return code;
}
