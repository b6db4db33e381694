/* commands.c - the one description of every command and option */
#include "cli/command.h"

#include <string.h>

const struct option_description option_descriptions[OPTION_COUNT] = {
    [OPTION_TOPOLOGY] = { "topology", "NAME", "use this topology, whatever the file says", WORDS_TOPOLOGY, 't' },
    [OPTION_PROVIDER] = { "provider", "NAME", "use this provider, whatever the file says", WORDS_PROVIDER, 'p' },
    [OPTION_NAME] = { "name", "NAME", "a name for the deployment, usable instead of its id", WORDS_NONE, 'n' },
    [OPTION_SET] = { "set", "PATH=VALUE", "change one value of the configuration (repeatable)", WORDS_NONE, 's' },
    [OPTION_KEEP_ON_FAILURE] = { "keep-on-failure", NULL, "when it fails, keep what was made for looking at it",
                                 WORDS_NONE, 'k' },
    [OPTION_WAIT] = { "wait", NULL, "return when the work is done (the default)", WORDS_NONE, 0 },
    [OPTION_NO_WAIT] = { "no-wait", NULL, "return early; the rest of the work goes on in the background", WORDS_NONE, 0 },
    [OPTION_EVENTS] = { "events", NULL, "report progress on standard error as lines of JSON", WORDS_NONE, 0 },
    [OPTION_SPEC] = { "spec", NULL, "print the spec: the provider-neutral form, as JSON", WORDS_NONE, 0 },
    [OPTION_RESOURCES] = { "resources", NULL, "print the resources: the provider's form, as JSON", WORDS_NONE, 0 },
    [OPTION_CALLS] = { "calls", NULL, "print how many calls of the provider's API it takes", WORDS_NONE, 0 },
    [OPTION_DEPLOYMENT] = { "deployment", "ID", "show what update would do to this one", WORDS_DEPLOYMENT, 'd' },
    [OPTION_REGION] = { "region", "NAME", "look in this region", WORDS_NONE, 0 },
    [OPTION_AUDIT] = { "audit", NULL, "also print what was done to it, when and by whom", WORDS_NONE, 'a' },
    [OPTION_METRIC] = { "metric", "NAME", "show this metric only (repeatable)", WORDS_METRIC, 'm' },
    [OPTION_START] = { "start", "TIME", "from this time on: RFC 3339, or relative like -1h (default: -1h)", WORDS_NONE,
                       0 },
    [OPTION_END] = { "end", "TIME", "up to this time (default: now)", WORDS_NONE, 0 },
    [OPTION_PERIOD] = { "period", "SECONDS", "length of one point, also like 5m (default: 300)", WORDS_NONE, 0 },
    [OPTION_PLOT] = { "plot", NULL, "draw a chart of each metric", WORDS_NONE, 0 },
    [OPTION_NODE] = { "node", "NAME", "of this node only", WORDS_NODE, 0 },
    [OPTION_LINES] = { "lines", "N", "begin with the last N lines of each log, or \"all\" (default: 100)", WORDS_NONE,
                       'n' },
    [OPTION_FOLLOW] = { "follow", NULL, "go on with new lines until Ctrl-C", WORDS_NONE, 'f' },
    [OPTION_WORKER_NODES] = { "worker-nodes", "N", "how many workers there shall be", WORDS_NONE, 0 },
    [OPTION_MANAGER_NODES] = { "manager-nodes", "N", "how many managers there shall be", WORDS_NONE, 0 },
    [OPTION_GROUP] = { "group", "NAME=N", "how many nodes of this kind there shall be (repeatable)", WORDS_NONE, 0 },
    [OPTION_ONCE] = { "once", NULL, "end after one decision", WORDS_NONE, 0 },
    [OPTION_DRY_RUN] = { "dry-run", NULL, "tell what would be done, and why, and do nothing", WORDS_NONE, 0 },
    [OPTION_INTERVAL] = { "interval", "SECONDS", "time between two decisions, also like 1m (default: 15)", WORDS_NONE,
                          0 },
    [OPTION_LOAD_PERIOD] = { "period", "SECONDS", "the load is the mean of this time, also like 5m (default: 60)",
                             WORDS_NONE, 0 },
    [OPTION_LOST_NODE] = { "node", "NAME", "replace this node, whatever its state (repeatable)", WORDS_NODE, 0 },
    [OPTION_FORCE_NEW_CLUSTER] = { "force-new-cluster", "NODE",
                                   "begin the cluster anew with what this node knows; the rest is lost", WORDS_NODE,
                                   0 },
    [OPTION_JSON] = { "json", NULL, "print the result as one JSON document", WORDS_NONE, 'j' },
    [OPTION_QUIET] = { "quiet", NULL, "no progress, only results, notes and errors", WORDS_NONE, 'q' },
    [OPTION_VERBOSE] = { "verbose", NULL, "report every step and what plugins log", WORDS_NONE, 'v' },
    [OPTION_STATE_DIR] = { "state-dir", "DIR", "where deployments are recorded", WORDS_DIRECTORY, 0 },
    [OPTION_PLUGIN_PATH] = { "plugin-path", "DIR[:DIR...]", "where plugins are looked for", WORDS_DIRECTORY, 0 },
    [OPTION_ISOLATE] = { "isolate", "PLUGIN", "run this plugin in a process of its own (repeatable)", WORDS_PROVIDER, 0 },
    [OPTION_TRACE_PLUGIN] = { "trace-plugin", "PLUGIN", "write each call of this plugin as a line of JSON (repeatable)",
                              WORDS_PROVIDER, 0 },
    [OPTION_TRACE_FILE] = { "trace-file", "FILE", "append them to this file, not to standard error", WORDS_FILE, 0 },
    [OPTION_FAULT] = { "fault", "PLUGIN:SLOT:N:ERROR", "make the Nth call of a plugin's slot fail (repeatable)", WORDS_NONE, 0 },
    [OPTION_HELP] = { "help", NULL, "print this help", WORDS_NONE, 'h' },
    [OPTION_VERSION] = { "version", NULL, "print the version", WORDS_NONE, 'V' },
};

#define EVERYWHERE                                                                                                     \
    (OPTION(JSON) | OPTION(QUIET) | OPTION(VERBOSE) | OPTION(STATE_DIR) | OPTION(PLUGIN_PATH) | OPTION(ISOLATE) |       \
     OPTION(TRACE_PLUGIN) | OPTION(TRACE_FILE) | OPTION(FAULT) | OPTION(HELP))
const uint64_t common_options = EVERYWHERE;
const uint64_t program_options = EVERYWHERE | OPTION(VERSION);

#define CONFIG_OPTIONS (OPTION(TOPOLOGY) | OPTION(PROVIDER) | OPTION(NAME) | OPTION(SET))
#define WORK_OPTIONS (OPTION(WAIT) | OPTION(NO_WAIT) | OPTION(EVENTS))

const struct command commands[] = {
    {
        .name = "deploy",
        .arguments = "FILE",
        .summary = "Deploy what a configuration file describes",
        .details =
            "FILE is YAML or JSON, - for standard input. When a deployment fails, what was made is removed again.",
        .options = CONFIG_OPTIONS | OPTION(KEEP_ON_FAILURE) | WORK_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_FILE },
        .reads_config = true,
        .run = run_deploy,
    },
    {
        .name = "plan",
        .arguments = "FILE",
        .summary = "Show what deploy or update would do, and change nothing",
        .details = "",
        .options = CONFIG_OPTIONS | OPTION(CALLS) | OPTION(DEPLOYMENT) | OPTION(SPEC) | OPTION(RESOURCES),
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_FILE },
        .reads_config = true,
        .run = run_plan,
    },
    {
        .name = "validate",
        .arguments = "FILE",
        .summary = "Check a configuration file, and touch nothing else",
        .details = "Everything wrong with it is told at once.",
        .options = CONFIG_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_FILE },
        .reads_config = true,
        .run = run_validate,
    },
    {
        .name = "schema",
        .arguments = "TOPOLOGY PROVIDER",
        .summary = "Print the JSON Schema of a configuration file",
        .details = "Editors use it to check and complete configuration files.",
        .arguments_min = 2,
        .arguments_max = 2,
        .words = { WORDS_TOPOLOGY, WORDS_PROVIDER },
        .run = run_schema,
    },
    {
        .name = "list",
        .arguments = "",
        .summary = "List all deployments",
        .details = "",
        .run = run_list,
    },
    {
        .name = "show",
        .arguments = "ID",
        .summary = "Show one deployment and its resources",
        .details = "",
        .options = OPTION(AUDIT),
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_show,
    },
    {
        .name = "status",
        .arguments = "ID",
        .summary = "Ask a deployment's members how they are",
        .details = "",
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_status,
    },
    {
        .name = "services",
        .arguments = "ID",
        .summary = "List the services that run on a deployment's nodes",
        .details = "",
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_services,
    },
    {
        .name = "metrics",
        .arguments = "ID",
        .summary = "Show what a deployment's nodes have measured",
        .details = "",
        .options = OPTION(METRIC) | OPTION(START) | OPTION(END) | OPTION(PERIOD) | OPTION(PLOT),
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_metrics,
    },
    {
        .name = "logs",
        .arguments = "ID",
        .summary = "Print what a deployment's nodes have logged",
        .details = "",
        .options = OPTION(NODE) | OPTION(LINES) | OPTION(FOLLOW),
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_logs,
    },
    {
        .name = "update",
        .arguments = "ID FILE",
        .summary = "Change a deployment to what a configuration file describes",
        .details = "What the change does not concern goes on undisturbed.",
        .options = (CONFIG_OPTIONS & ~OPTION(NAME)) | WORK_OPTIONS,
        .arguments_min = 2,
        .arguments_max = 2,
        .words = { WORDS_DEPLOYMENT, WORDS_FILE },
        .reads_config = true,
        .run = run_update,
    },
    {
        .name = "scale",
        .arguments = "ID",
        .summary = "Change how many nodes a deployment has",
        .details = "Nodes that go are emptied first, while others take over what runs on them.",
        .options = OPTION(WORKER_NODES) | OPTION(MANAGER_NODES) | OPTION(GROUP) | WORK_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_scale,
    },
    {
        .name = "autoscale",
        .arguments = "ID",
        .summary = "Let a deployment's load decide how many nodes it has",
        .details = "Goes on until Ctrl-C. Target and bounds are those of its configuration.",
        .options = OPTION(ONCE) | OPTION(DRY_RUN) | OPTION(INTERVAL) | OPTION(LOAD_PERIOD),
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .reads_config = true,
        .run = run_autoscale,
    },
    {
        .name = "heal",
        .arguments = "ID",
        .summary = "Replace a deployment's lost nodes, and switch on those that are off",
        .details = "",
        .options = OPTION(LOST_NODE) | OPTION(FORCE_NEW_CLUSTER) | WORK_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_heal,
    },
    {
        .name = "stop",
        .arguments = "ID",
        .summary = "Switch a deployment off, keeping its data and identity",
        .details = "",
        .options = WORK_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_stop,
    },
    {
        .name = "start",
        .arguments = "ID",
        .summary = "Switch a stopped deployment on again",
        .details = "",
        .options = WORK_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_start,
    },
    {
        .name = "resume",
        .arguments = "ID",
        .summary = "Finish what an interrupted command began",
        .details = "The deployment ends in the state that was last asked for.",
        .options = WORK_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_resume,
    },
    {
        .name = "delete",
        .arguments = "ID",
        .summary = "Remove a deployment with everything it consists of, its data too",
        .details = "",
        .options = WORK_OPTIONS,
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_DEPLOYMENT },
        .run = run_delete,
    },
    {
        .name = "recover",
        .arguments = "[ID FILE]",
        .summary = "Find deployments that are not on record here, and put one on record",
        .details = "Without arguments it lists what is there; FILE is the configuration that ID was deployed with.",
        .options = CONFIG_OPTIONS | OPTION(REGION),
        .arguments_max = 2,
        .words = { WORDS_NONE, WORDS_FILE },
        .reads_config = true,
        .run = run_recover,
    },
    {
        .name = "doctor",
        .arguments = "PROVIDER",
        .summary = "Tell whether a provider can work from here, and what is missing",
        .details = "",
        .options = OPTION(SET) | OPTION(REGION),
        .arguments_min = 1,
        .arguments_max = 1,
        .words = { WORDS_PROVIDER },
        .run = run_doctor,
    },
    {
        .name = "plugins",
        .arguments = "",
        .summary = "List the plugins that are found, and why others are refused",
        .details = "",
        .run = run_plugins,
    },
    {
        .name = "version",
        .arguments = "",
        .summary = "Print the versions of program, library and plugin ABI",
        .details = "",
        .run = run_version,
    },
    {
        .name = "help",
        .arguments = "[COMMAND]",
        .summary = "Explain the commands, or one of them",
        .details = "",
        .arguments_max = 1,
        .words = { WORDS_COMMAND },
        .run = run_help,
    },
};
const size_t command_count = ARRAY_COUNT(commands);

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Levenshtein's distance, for words shorter than `limit` letters; `limit` for longer ones. */
static unsigned distance(const char *a, const char *b)
{
    enum { limit = 16 };
    unsigned row[limit];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length >= limit || b_length >= limit)
        return limit;
    for (unsigned j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_length];
}

const struct command *command_suggest(const char *name)
{
    const struct command *nearest = NULL;
    unsigned nearest_distance = 3;
    for (size_t i = 0; i < command_count; i++) {
        unsigned d = distance(name, commands[i].name);
        if (d < nearest_distance) {
            nearest = &commands[i];
            nearest_distance = d;
        }
    }
    return nearest;
}
