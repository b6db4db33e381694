/* output.c - errors and results of memories-plugin, for people or as JSON */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/screen.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "sdk/tool/tool.h"

static void print_line(const char *text)
{
    fprintf(stderr, "%smemories-plugin:%s ", screen_colour(stderr, COLOUR_RED), screen_colour(stderr, COLOUR_NONE));
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        fprintf(stderr, "%.*s\n", (int)(end - text), text);
    fprintf(stderr, "%s\n", text);
}

int tool_report(const struct tool_request *request, memories_error *error)
{
    bool json = tool_has(request, TOOL_OPTION_JSON);
    AUTO_FREE char *text = json ? memories_error_json(error) : memories_error_text(error);
    memories_error_free(error);
    if (!text)
        print_line("out of memory");
    else if (json)
        fprintf(stderr, "{\"error\":%s}\n", text);
    else
        print_line(text);
    return TOOL_PROBLEM;
}

int tool_report_no_memory(const struct tool_request *request)
{
    memories_error *error = NULL;
    error_no_memory(&error);
    return tool_report(request, error);
}

int tool_report_usage(const struct tool_request *request, const char *format, ...)
{
    struct text message = TEXT_INIT;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    AUTO_FREE char *text = text_take(&message);
    memories_error *error = NULL;
    error_set(&error, MEMORIES_INVALID, "%s", text ? text : "wrong command line");
    const char *command = request->command ? request->command->name : "";
    error_hint(&error, "memories-plugin %s%s--help says how it is used", command, *command ? " " : "");
    tool_report(request, error);
    return TOOL_USAGE;
}

void tool_print_field(const char *label, const char *value)
{
    if (!value || !*value)
        return;
    printf("%s: ", label);
    text_put(stdout, value);
    putchar('\n');
}

int tool_print_json(const struct tool_request *request, json_object *json)
{
    AUTO_FREE char *text = isatty(STDOUT_FILENO) ? json_pretty(json) : json_text(json);
    if (!text)
        return tool_report_no_memory(request);
    puts(text);
    return TOOL_OK;
}
