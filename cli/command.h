/*
 * command.h - what a command is
 *
 * commands.c describes every command and option once; parsing, --help, `memories help --json`, completion and the test
 * that the man pages are complete all read that description.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memories/memories.h>

#include "cli/progress.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The exit codes of memories(1). Death by a signal adds 128 + its number. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_INVALID_CONFIG = 3,
    EXIT_NOT_FOUND = 4,
    EXIT_BUSY = 5,
    EXIT_RESUMABLE = 6,
};

/* What may stand in an argument's place; for completion. */
enum words {
    WORDS_NONE,
    WORDS_FILE,
    WORDS_DIRECTORY,
    WORDS_DEPLOYMENT,
    WORDS_NODE,
    WORDS_TOPOLOGY,
    WORDS_PROVIDER,
    WORDS_METRIC,
    WORDS_COMMAND,
};

enum option_id {
    OPTION_TOPOLOGY,
    OPTION_PROVIDER,
    OPTION_NAME,
    OPTION_SET,
    OPTION_KEEP_ON_FAILURE,
    OPTION_WAIT,
    OPTION_NO_WAIT,
    OPTION_EVENTS,
    OPTION_SPEC,
    OPTION_RESOURCES,
    OPTION_CALLS,
    OPTION_DEPLOYMENT,
    OPTION_REGION,
    OPTION_AUDIT,
    OPTION_METRIC,
    OPTION_START,
    OPTION_END,
    OPTION_PERIOD,
    OPTION_PLOT,
    OPTION_NODE,
    OPTION_LINES,
    OPTION_FOLLOW,
    OPTION_WORKER_NODES,
    OPTION_MANAGER_NODES,
    OPTION_GROUP,
    OPTION_ONCE,
    OPTION_DRY_RUN,
    OPTION_INTERVAL,
    OPTION_LOAD_PERIOD,
    OPTION_LOST_NODE,
    OPTION_FORCE_NEW_CLUSTER,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_STATE_DIR,
    OPTION_PLUGIN_PATH,
    OPTION_ISOLATE,
    OPTION_TRACE_PLUGIN,
    OPTION_TRACE_FILE,
    OPTION_FAULT,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT
};

struct option_description {
    const char *name;     /* "state-dir" */
    const char *argument; /* "DIR"; NULL when it takes none */
    const char *help;     /* one sentence without its final dot */
    enum words words;     /* what the argument may be */
    char letter;          /* 0: no short form */
};

struct session;

struct command {
    const char *name;
    const char *arguments; /* "ID FILE"; "" when it takes none */
    const char *summary;   /* one sentence without its final dot */
    const char *details;   /* further sentences for --help, or "" */
    uint64_t options;      /* of this command alone, a bit for each enum option_id */
    unsigned arguments_min, arguments_max;
    enum words words[2];
    bool reads_config; /* MEMORIES_INVALID means the configuration, not the command line */
    int (*run)(struct session *session);
};

extern const struct option_description option_descriptions[OPTION_COUNT];
extern const struct command commands[];
extern const size_t command_count;
/* Taken by every command; and before the command. */
extern const uint64_t common_options, program_options;

#define OPTION(id) (UINT64_C(1) << OPTION_##id)

/* NULL when there is no such command. */
const struct command *command_find(const char *name);
/* The command that was probably meant, or NULL. */
const struct command *command_suggest(const char *name);

/* What the command line says. Strings are the command line's own. */
struct settings {
    const char *topology, *provider, *name, *node, *deployment, *region;
    const char *state_dir, *plugin_path;
    const char **sets;       /* --set, in order; NULL-terminated */
    const char **metrics;    /* --metric, in order; NULL-terminated */
    const char **isolated; /* --isolate, in order; NULL-terminated */
    const char **traces; /* --trace-plugin, in order; NULL-terminated */
    const char **faults; /* --fault, in order; NULL-terminated */
    const char *trace_file;
    const char **lost_nodes; /* --node of heal, in order; NULL-terminated */
    const char *force_new_cluster;
    struct memories_group_size *sizes; /* of scale; names are owned */
    size_t size_count;
    char *start_time, *end_time; /* RFC 3339, or NULL */
    uint32_t period_seconds, interval_seconds, lines;
    uint64_t given; /* options, a bit for each enum option_id */
    bool json_seen; /* --json stands somewhere, read or not: what is wrong in front of it is told in its form too */
    char **arguments;
    unsigned argument_count;
};

/* One run of the program. */
struct session {
    const struct command *command;
    struct settings settings;
    memories_context *context; /* NULL until session_open */
    struct progress progress;
};

static inline bool session_has(const struct session *session, enum option_id option)
{
    return session->settings.given >> option & 1;
}

/* The context, made at the first call; NULL after reporting why not. */
memories_context *session_open(struct session *session);

/* Each runs one command and returns the exit code; errors have been reported. */
int run_deploy(struct session *session);
int run_update(struct session *session);
int run_stop(struct session *session);
int run_start(struct session *session);
int run_scale(struct session *session);
int run_heal(struct session *session);
int run_autoscale(struct session *session);
int run_delete(struct session *session);
int run_resume(struct session *session);
int run_recover(struct session *session);
int run_doctor(struct session *session);
int run_plan(struct session *session);
int run_validate(struct session *session);
int run_schema(struct session *session);
int run_list(struct session *session);
int run_show(struct session *session);
int run_status(struct session *session);
int run_services(struct session *session);
int run_metrics(struct session *session);
int run_logs(struct session *session);
int run_plugins(struct session *session);
int run_version(struct session *session);
int run_help(struct session *session);

#endif
