/* arguments.c - from the command line to settings */
#include "cli/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/help.h"
#include "cli/report.h"
#include "cli/when.h"

enum { GO_ON = -1, LONG_BASE = 1000, DEFAULT_LINES = 100 };

/* What getopt_long wants to know about a set of options. */
struct getopt_tables {
    char letters[2 * OPTION_COUNT + 3];
    struct option longs[OPTION_COUNT + 1];
};

/* "+" or not: whether reading ends at the first argument, which is the command's name. */
static void tables_fill(struct getopt_tables *tables, uint64_t options, bool stop_at_argument)
{
    char *letter = tables->letters;
    struct option *option = tables->longs;
    if (stop_at_argument)
        *letter++ = '+';
    *letter++ = ':'; /* a missing argument is told apart */
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_description *description = &option_descriptions[id];
        if (!(options >> id & 1))
            continue;
        int argument = description->argument ? required_argument : no_argument;
        *option++ = (struct option){ description->name, argument, NULL, LONG_BASE + id };
        if (description->letter)
            *letter++ = description->letter;
        if (description->letter && description->argument)
            *letter++ = ':';
    }
    *letter = '\0';
    *option = (struct option){ NULL, 0, NULL, 0 };
}

static int option_of(int value, uint64_t options)
{
    if (value >= LONG_BASE)
        return value - LONG_BASE;
    for (int id = 0; id < OPTION_COUNT; id++)
        if (options >> id & 1 && option_descriptions[id].letter == value)
            return id;
    return OPTION_COUNT;
}

/* getopt_long tells no more than that something is wrong with argv[optind - 1]. */
static int report_bad_option(const struct session *session, int result, const struct getopt_tables *tables, char **argv)
{
    const char *text = argv[optind - 1];
    if (result == ':') {
        if (optopt >= LONG_BASE)
            return report_usage(session, "option --%s needs a value", option_descriptions[optopt - LONG_BASE].name);
        return report_usage(session, "option -%c needs a value", optopt);
    }
    if (optopt >= LONG_BASE)
        return report_usage(session, "option --%s takes no value", option_descriptions[optopt - LONG_BASE].name);
    if (optopt)
        return report_usage(session, "unknown option -%c", optopt);
    const char *name = text + 2, *first = NULL, *second = NULL;
    size_t count = strcspn(name, "=");
    for (const struct option *option = tables->longs; option->name; option++) {
        if (strncmp(option->name, name, count) != 0)
            continue;
        second = first ? option->name : NULL;
        first = first ? first : option->name;
        if (second)
            return report_usage(session, "option %.*s may mean --%s or --%s", (int)count + 2, text, first, second);
    }
    return report_usage(session, "unknown option %.*s", (int)count + 2, text);
}

/* Appends to a NULL-terminated list. */
static bool append(const char ***list, const char *text)
{
    size_t count = 0;
    while (*list && (*list)[count])
        count++;
    const char **longer = reallocarray(*list, count + 2, sizeof *longer);
    if (!longer)
        return false;
    longer[count] = text;
    longer[count + 1] = NULL;
    *list = longer;
    return true;
}

static int set_time(const struct session *session, char **time_text, const char *name, const char *value)
{
    free(*time_text);
    *time_text = when_parse(value, time(NULL));
    if (!*time_text)
        return report_usage(session,
                            "--%s: \"%s\" is no time: write 2026-02-25T12:00:00Z, 2026-02-25, now, -1h or \"30m ago\"",
                            name, value);
    return GO_ON;
}

/* Digits only: strtoul takes spaces and signs. */
static bool read_count(const char *value, uint32_t *count)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    *count = (uint32_t)number;
    return *value >= '0' && *value <= '9' && !*end && !errno && number <= UINT32_MAX;
}

static int set_lines(struct session *session, const char *value)
{
    session->settings.lines = 0;
    if (strcmp(value, "all") == 0)
        return GO_ON;
    if (!read_count(value, &session->settings.lines) || session->settings.lines == 0)
        return report_usage(session, "--lines: \"%s\" is neither a number from 1 on nor \"all\"", value);
    return GO_ON;
}

static int set_seconds(const struct session *session, uint32_t *seconds, const char *name, const char *value)
{
    *seconds = duration_parse(value);
    if (!*seconds)
        return report_usage(session, "--%s: \"%s\" is no number of seconds from 1 on", name, value);
    return GO_ON;
}

/* The last number of a group counts. group is not terminated. */
static int set_size(struct session *session, const char *group, size_t group_length, uint32_t count)
{
    struct settings *settings = &session->settings;
    for (size_t i = 0; i < settings->size_count; i++) {
        struct memories_group_size *size = &settings->sizes[i];
        if (strlen(size->group) == group_length && strncmp(size->group, group, group_length) == 0) {
            size->count = count;
            return GO_ON;
        }
    }
    struct memories_group_size *more = reallocarray(settings->sizes, settings->size_count + 1, sizeof *more);
    char *name = strndup(group, group_length);
    settings->sizes = more ? more : settings->sizes;
    if (!more || !name) {
        free(name);
        return report_no_memory(session);
    }
    more[settings->size_count++] = (struct memories_group_size){ name, count };
    return GO_ON;
}

static int set_node_count(struct session *session, const char *option, const char *group, const char *value)
{
    uint32_t count;
    if (!read_count(value, &count))
        return report_usage(session, "--%s: \"%s\" is no number of nodes", option, value);
    return set_size(session, group, strlen(group), count);
}

static int set_group(struct session *session, const char *value)
{
    const char *equals = strchr(value, '=');
    uint32_t count;
    if (!equals || equals == value || !read_count(equals + 1, &count))
        return report_usage(session, "--group: \"%s\" is not like worker=8", value);
    return set_size(session, value, (size_t)(equals - value), count);
}

static int set_option(struct session *session, enum option_id id, const char *value)
{
    struct settings *settings = &session->settings;
    settings->given |= UINT64_C(1) << id;
    switch (id) {
    case OPTION_TOPOLOGY:
        settings->topology = value;
        break;
    case OPTION_PROVIDER:
        settings->provider = value;
        break;
    case OPTION_NAME:
        settings->name = value;
        break;
    case OPTION_NODE:
        settings->node = value;
        break;
    case OPTION_DEPLOYMENT:
        settings->deployment = value;
        break;
    case OPTION_REGION:
        settings->region = value;
        break;
    case OPTION_STATE_DIR:
        settings->state_dir = value;
        break;
    case OPTION_PLUGIN_PATH:
        settings->plugin_path = value;
        break;
    case OPTION_SET:
        return append(&settings->sets, value) ? GO_ON : report_no_memory(session);
    case OPTION_ISOLATE:
        return append(&settings->isolated, value) ? GO_ON : report_no_memory(session);
    case OPTION_TRACE_PLUGIN:
        return append(&settings->traces, value) ? GO_ON : report_no_memory(session);
    case OPTION_TRACE_FILE:
        settings->trace_file = value;
        break;
    case OPTION_FAULT:
        return append(&settings->faults, value) ? GO_ON : report_no_memory(session);
    case OPTION_METRIC:
        return append(&settings->metrics, value) ? GO_ON : report_no_memory(session);
    case OPTION_START:
        return set_time(session, &settings->start_time, "start", value);
    case OPTION_END:
        return set_time(session, &settings->end_time, "end", value);
    case OPTION_PERIOD:
    case OPTION_LOAD_PERIOD:
        return set_seconds(session, &settings->period_seconds, "period", value);
    case OPTION_INTERVAL:
        return set_seconds(session, &settings->interval_seconds, "interval", value);
    case OPTION_WORKER_NODES:
        return set_node_count(session, "worker-nodes", "worker", value);
    case OPTION_MANAGER_NODES:
        return set_node_count(session, "manager-nodes", "manager", value);
    case OPTION_GROUP:
        return set_group(session, value);
    case OPTION_LOST_NODE:
        return append(&settings->lost_nodes, value) ? GO_ON : report_no_memory(session);
    case OPTION_FORCE_NEW_CLUSTER:
        settings->force_new_cluster = value;
        break;
    case OPTION_LINES:
        return set_lines(session, value);
    case OPTION_WAIT: /* the last of the two counts */
        settings->given &= ~OPTION(NO_WAIT);
        break;
    default:
        break;
    }
    return GO_ON;
}

/* Reads options until the end, or the first argument. */
static int read_options(struct session *session, uint64_t options, bool stop_at_argument, int argc, char **argv)
{
    struct getopt_tables tables;
    tables_fill(&tables, options, stop_at_argument);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    int value, first_problem = GO_ON;
    while ((value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        int code;
        if (value == '?' || value == ':')
            code = report_bad_option(session, value, &tables, argv);
        else
            code = set_option(session, (enum option_id)option_of(value, options), optarg);
        if (code != GO_ON)
            return code;
    }
    return first_problem;
}

static int check_combinations(const struct session *session)
{
    static const struct {
        enum option_id one, other;
    } exclusive[] = {
        { OPTION_PLOT, OPTION_JSON },
        { OPTION_SPEC, OPTION_RESOURCES },
        { OPTION_SPEC, OPTION_CALLS },
        { OPTION_RESOURCES, OPTION_CALLS },
        { OPTION_DEPLOYMENT, OPTION_CALLS },
        { OPTION_QUIET, OPTION_EVENTS },
    };
    for (size_t i = 0; i < ARRAY_COUNT(exclusive); i++)
        if (session_has(session, exclusive[i].one) && session_has(session, exclusive[i].other))
            return report_usage(session, "--%s and --%s exclude each other", option_descriptions[exclusive[i].one].name,
                                option_descriptions[exclusive[i].other].name);
    return GO_ON;
}

static int read_command(struct session *session, int argc, char **argv)
{
    const struct command *command = session->command;
    int code = read_options(session, command->options | common_options, false, argc, argv);
    if (code != GO_ON)
        return code;
    if (session_has(session, OPTION_HELP)) {
        help_command(command);
        return EXIT_OK;
    }
    session->settings.arguments = argv + optind;
    session->settings.argument_count = (unsigned)(argc - optind);
    if (session->settings.argument_count < command->arguments_min)
        return report_usage(session, "%s needs %s", command->name, command->arguments);
    if (session->settings.argument_count > command->arguments_max)
        return report_usage(session, "%s: unexpected argument \"%s\"", command->name,
                            argv[optind + (int)command->arguments_max]);
    return check_combinations(session);
}

static bool has_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!strcmp(argv[i], "--json"))
            return true;
    return false;
}

int arguments_read(struct session *session, int argc, char **argv)
{
    session->settings.lines = DEFAULT_LINES;
    session->settings.json_seen = has_json(argc, argv);
    int code = read_options(session, program_options, true, argc, argv);
    if (code != GO_ON)
        return code;
    if (session_has(session, OPTION_VERSION)) {
        session->command = command_find("version");
        return session->command->run(session);
    }
    if (session_has(session, OPTION_HELP)) {
        help_program();
        return EXIT_OK;
    }
    int first = optind;
    if (first >= argc)
        return report_usage(session, "a command is needed");
    session->command = command_find(argv[first]);
    if (!session->command) {
        const struct command *meant = command_suggest(argv[first]);
        if (meant)
            return report_usage(session, "unknown command \"%s\": did you mean \"%s\"?", argv[first], meant->name);
        return report_usage(session, "unknown command \"%s\"", argv[first]);
    }
    return read_command(session, argc - first, argv + first);
}

void settings_free(struct settings *settings)
{
    free(settings->sets);
    free(settings->metrics);
    free(settings->isolated);
    free(settings->traces);
    free(settings->faults);
    free(settings->lost_nodes);
    for (size_t i = 0; i < settings->size_count; i++)
        free((char *)settings->sizes[i].group);
    free(settings->sizes);
    free(settings->start_time);
    free(settings->end_time);
}
