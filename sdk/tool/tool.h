/*
 * tool.h - what a command of memories-plugin is
 *
 * commands.c describes every command and option once; parsing, --help and the test that the man page is complete read
 * that description.
 */
#ifndef SDK_TOOL_TOOL_H
#define SDK_TOOL_TOOL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include <memories/memories.h>

/* The exit codes of memories-plugin(1). */
enum tool_exit {
    TOOL_OK = 0,
    TOOL_PROBLEM = 1,    /* the plugin has a problem, or the command failed */
    TOOL_USAGE = 2,      /* the command line is wrong */
    TOOL_INCOMPLETE = 3, /* nothing wrong was found, but not everything could be checked */
};

enum tool_option_id {
    TOOL_OPTION_DIRECTORY,
    TOOL_OPTION_CONFIG,
    TOOL_OPTION_ONLY,
    TOOL_OPTION_TIMEOUT,
    TOOL_OPTION_SKIPS_OK,
    TOOL_OPTION_TAP,
    TOOL_OPTION_DEPS,
    TOOL_OPTION_SCHEMA,
    TOOL_OPTION_PLUGIN_PATH,
    TOOL_OPTION_JSON,
    TOOL_OPTION_HELP,
    TOOL_OPTION_VERSION,
    TOOL_OPTION_COUNT
};
#define TOOL_OPTION(id) (UINT64_C(1) << TOOL_OPTION_##id)

struct tool_option {
    const char *name;     /* "plugin-path" */
    const char *argument; /* "DIR"; NULL when it takes none; "[=KIND]": it may be left out */
    const char *help;     /* one sentence without its final dot */
    char letter;          /* 0: no short form */
};
extern const struct tool_option tool_options[TOOL_OPTION_COUNT];

struct tool_request;

struct tool_command {
    const char *name;
    const char *arguments; /* "FILE" */
    const char *summary;   /* one sentence without its final dot */
    const char *details;   /* further sentences for --help, or "" */
    uint64_t options;      /* besides --help */
    unsigned arguments_min, arguments_max;
    int (*run)(const struct tool_request *request);
};
extern const struct tool_command tool_commands[];
extern const size_t tool_command_count;

/* One command line. Strings are the command line's own. */
struct tool_request {
    const struct tool_command *command; /* NULL before it is known */
    uint64_t given;
    const char *values[TOOL_OPTION_COUNT]; /* NULL: not given, or without its argument */
    char **arguments;
    unsigned argument_count;
};

static inline bool tool_has(const struct tool_request *request, enum tool_option_id option)
{
    return request->given >> option & 1;
}

/* Reads the command line. Returns -1 to go on, or the exit code when everything is said already. */
int tool_read(struct tool_request *request, int argc, char **argv);

/* Each runs one command and returns the exit code; errors have been reported. */
int tool_new(const struct tool_request *request);
int tool_check(const struct tool_request *request);
int tool_dump(const struct tool_request *request);
int tool_doctor(const struct tool_request *request);

/* ---- Output (output.c) ---- */

/* Reports an error (all of it) on standard error, with --json as one line {"error": {…}}; frees it; TOOL_PROBLEM. */
int tool_report(const struct tool_request *request, memories_error *error);
int tool_report_no_memory(const struct tool_request *request);
/* A wrong command line; TOOL_USAGE. */
int tool_report_usage(const struct tool_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "Label: value" on standard output; nothing when value is NULL or empty. */
void tool_print_field(const char *label, const char *value);
/* A document on standard output: indented on a terminal, in one line elsewhere. TOOL_OK. */
int tool_print_json(const struct tool_request *request, json_object *json);

#endif
