/* commands.c - the one description of every command and option, and the command line read by it */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/screen.h"
#include "core/base/cleanup.h"
#include "core/config/suggest.h"
#include "sdk/tool/tool.h"

const struct tool_option tool_options[TOOL_OPTION_COUNT] = {
    [TOOL_OPTION_DIRECTORY] = { "directory", "DIR", "where it is written, instead of KIND-NAME", 'd' },
    [TOOL_OPTION_CONFIG] = { "config", "FILE", "check with this configuration instead of an empty one", 'c' },
    [TOOL_OPTION_ONLY] = { "only", "CASE[,CASE...]", "run only these cases", 0 },
    [TOOL_OPTION_TIMEOUT] = { "timeout", "SECONDS", "how long a case may take (default: 60)", 0 },
    [TOOL_OPTION_SKIPS_OK] = { "skips-ok", NULL, "skipped cases don't make it end with exit code 3", 0 },
    [TOOL_OPTION_TAP] = { "tap", NULL, "print the Test Anything Protocol", 0 },
    [TOOL_OPTION_DEPS] = { "deps", "[=FORM]",
                           "print only the line by which a package depends on a core that can run it; "
                           "FORM: deb (the default) or rpm",
                           0 },
    [TOOL_OPTION_SCHEMA] = { "schema", NULL, "print only the JSON Schema of its configuration", 0 },
    [TOOL_OPTION_PLUGIN_PATH] = { "plugin-path", "DIR[:DIR...]", "where plugins are looked for", 0 },
    [TOOL_OPTION_JSON] = { "json", NULL, "print one JSON document", 'j' },
    [TOOL_OPTION_HELP] = { "help", NULL, "print this help", 'h' },
    [TOOL_OPTION_VERSION] = { "version", NULL, "print the version", 'V' },
};

#define PROGRAM_OPTIONS (TOOL_OPTION(HELP) | TOOL_OPTION(VERSION))

const struct tool_command tool_commands[] = {
    {
        .name = "new",
        .arguments = "provider|topology NAME",
        .summary = "Write the project of a new plugin, which builds and works as it is",
        .details = "",
        .options = TOOL_OPTION(DIRECTORY),
        .arguments_min = 2,
        .arguments_max = 2,
        .run = tool_new,
    },
    {
        .name = "check",
        .arguments = "FILE",
        .summary = "Find out whether a plugin does what it must",
        .details = "Needs no account: a provider's cases that need one are skipped. Nothing is left behind.",
        .options = TOOL_OPTION(CONFIG) | TOOL_OPTION(ONLY) | TOOL_OPTION(TIMEOUT) | TOOL_OPTION(SKIPS_OK) |
                   TOOL_OPTION(PLUGIN_PATH) | TOOL_OPTION(JSON) | TOOL_OPTION(TAP),
        .arguments_min = 1,
        .arguments_max = 1,
        .run = tool_check,
    },
    {
        .name = "dump",
        .arguments = "FILE",
        .summary = "Tell what a plugin's file is, without running its code",
        .details = "",
        .options = TOOL_OPTION(DEPS) | TOOL_OPTION(SCHEMA) | TOOL_OPTION(JSON),
        .arguments_min = 1,
        .arguments_max = 1,
        .run = tool_dump,
    },
    {
        .name = "doctor",
        .arguments = "NAME|FILE",
        .summary = "Find out why a plugin isn't found or doesn't load",
        .details =
            "NAME is a plugin's name (local) or its file's (provider-local). FILE is a path with a slash or a dot.",
        .options = TOOL_OPTION(PLUGIN_PATH) | TOOL_OPTION(JSON),
        .arguments_min = 1,
        .arguments_max = 1,
        .run = tool_doctor,
    },
};
const size_t tool_command_count = ARRAY_COUNT(tool_commands);

/* ---- --help ------------------------------------------------------------------------------------------------------ */

enum { HELP_COLUMN = 32 };

static void print_options(uint64_t options)
{
    printf("\n%sOptions:%s\n", screen_colour(stdout, COLOUR_BOLD), screen_colour(stdout, COLOUR_NONE));
    for (int id = 0; id < TOOL_OPTION_COUNT; id++) {
        const struct tool_option *option = &tool_options[id];
        char left[64], letter[] = { '-', option->letter, ',', '\0' };
        if (!(options >> id & 1))
            continue;
        snprintf(left, sizeof left, "  %3s --%s%s%s", option->letter ? letter : "", option->name,
                 option->argument && option->argument[0] != '[' ? " " : "", option->argument ? option->argument : "");
        if (strlen(left) + 2 > HELP_COLUMN)
            printf("%s\n%*s", left, HELP_COLUMN, "");
        else
            printf("%-*s", HELP_COLUMN, left);
        printf("%s\n", option->help);
    }
}

static void help_command(const struct tool_command *command)
{
    printf("Usage: memories-plugin %s [OPTION]... %s\n%s.\n", command->name, command->arguments, command->summary);
    if (*command->details)
        printf("%s\n", command->details);
    print_options(command->options | TOOL_OPTION(HELP));
}

static void help_program(void)
{
    puts("Usage: memories-plugin COMMAND [OPTION]... ARGUMENT...\nFor authors and packagers of plugins for memories.");
    printf("\n%sCommands:%s\n", screen_colour(stdout, COLOUR_BOLD), screen_colour(stdout, COLOUR_NONE));
    for (size_t i = 0; i < tool_command_count; i++)
        printf("  %-8s %s\n", tool_commands[i].name, tool_commands[i].summary);
    print_options(PROGRAM_OPTIONS);
    puts("\n\"memories-plugin COMMAND --help\" explains a command; memories-plugin(1) explains everything.");
}

/* ---- The command line -------------------------------------------------------------------------------------------- */

enum { GO_ON = -1, LONG_BASE = 1000 };

struct getopt_tables {
    char letters[2 * TOOL_OPTION_COUNT + 3];
    struct option longs[TOOL_OPTION_COUNT + 1];
};

static void tables_fill(struct getopt_tables *tables, uint64_t options, bool stop_at_argument)
{
    char *letter = tables->letters;
    struct option *longs = tables->longs;
    if (stop_at_argument)
        *letter++ = '+';
    *letter++ = ':'; /* a missing argument is told apart */
    for (int id = 0; id < TOOL_OPTION_COUNT; id++) {
        const struct tool_option *option = &tool_options[id];
        if (!(options >> id & 1))
            continue;
        int argument = !option->argument            ? no_argument
                       : option->argument[0] == '[' ? optional_argument
                                                    : required_argument;
        *longs++ = (struct option){ option->name, argument, NULL, LONG_BASE + id };
        if (option->letter)
            *letter++ = option->letter;
        if (option->letter && argument == required_argument)
            *letter++ = ':';
    }
    *letter = '\0';
    *longs = (struct option){ NULL, 0, NULL, 0 };
}

static int id_of(int value)
{
    if (value >= LONG_BASE)
        return value - LONG_BASE;
    int id = 0;
    while (tool_options[id].letter != value)
        id++;
    return id;
}

/* getopt_long tells no more than that something is wrong with argv[optind - 1]. */
static int report_bad_option(const struct tool_request *request, int result, char **argv)
{
    const char *name = optopt >= LONG_BASE ? tool_options[optopt - LONG_BASE].name : NULL;
    if (result == ':')
        return tool_report_usage(request, "option --%s needs a value", name ? name : tool_options[id_of(optopt)].name);
    if (name)
        return tool_report_usage(request, "option --%s takes no value", name);
    if (optopt)
        return tool_report_usage(request, "unknown option -%c", optopt);
    return tool_report_usage(request, "unknown option %.*s", (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
}

static int read_options(struct tool_request *request, uint64_t options, bool stop_at_argument, int argc, char **argv)
{
    struct getopt_tables tables;
    tables_fill(&tables, options, stop_at_argument);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    int value;
    while ((value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        if (value == '?' || value == ':')
            return report_bad_option(request, value, argv);
        int id = id_of(value);
        request->given |= UINT64_C(1) << id;
        request->values[id] = optarg;
    }
    return GO_ON;
}

static const struct tool_command *find_command(const char *name)
{
    for (size_t i = 0; i < tool_command_count; i++)
        if (!strcmp(tool_commands[i].name, name))
            return &tool_commands[i];
    return NULL;
}

static int report_unknown_command(const struct tool_request *request, const char *name)
{
    const char *names[16];
    size_t count = 0;
    for (; count < tool_command_count && count < ARRAY_COUNT(names); count++)
        names[count] = tool_commands[count].name;
    const char *meant = suggest_name(name, names, count);
    return meant ? tool_report_usage(request, "unknown command \"%s\": did you mean \"%s\"?", name, meant)
                 : tool_report_usage(request, "unknown command \"%s\"", name);
}

static int read_command(struct tool_request *request, int argc, char **argv)
{
    const struct tool_command *command = request->command;
    int code = read_options(request, command->options | TOOL_OPTION(HELP), false, argc, argv);
    if (code != GO_ON)
        return code;
    if (tool_has(request, TOOL_OPTION_HELP)) {
        help_command(command);
        return TOOL_OK;
    }
    request->arguments = argv + optind;
    request->argument_count = (unsigned)(argc - optind);
    if (request->argument_count < command->arguments_min)
        return tool_report_usage(request, "%s needs %s", command->name, command->arguments);
    if (request->argument_count > command->arguments_max)
        return tool_report_usage(request, "%s: unexpected argument \"%s\"", command->name,
                                 request->arguments[command->arguments_max]);
    return GO_ON;
}

int tool_read(struct tool_request *request, int argc, char **argv)
{
    int code = read_options(request, PROGRAM_OPTIONS, true, argc, argv);
    if (code != GO_ON)
        return code;
    if (tool_has(request, TOOL_OPTION_VERSION)) {
        printf("memories-plugin %s\nplugin ABI %u.%u\n", memories_version(), MEMORIES_ABI_MAJOR, MEMORIES_ABI_MINOR);
        return TOOL_OK;
    }
    if (tool_has(request, TOOL_OPTION_HELP)) {
        help_program();
        return TOOL_OK;
    }
    int first = optind;
    if (first >= argc)
        return tool_report_usage(request, "a command is needed");
    request->command = find_command(argv[first]);
    return request->command ? read_command(request, argc - first, argv + first)
                            : report_unknown_command(request, argv[first]);
}
