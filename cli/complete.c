/* complete.c - completion for all shells: `memories __complete WORD...` */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "cli/report.h"

static void offer(const char *prefix, const char *typed, const char *word, const char *description)
{
    if (strncmp(word, typed, strlen(typed)) == 0)
        printf("%s%s\t%s\n", prefix, word, description ? description : "");
}

static void offer_commands(const char *typed)
{
    for (size_t i = 0; i < command_count; i++)
        offer("", typed, commands[i].name, commands[i].summary);
}

static void offer_options(const char *typed, uint64_t options)
{
    for (int id = 0; id < OPTION_COUNT; id++)
        if (options >> id & 1)
            offer("--", typed, option_descriptions[id].name, option_descriptions[id].help);
}

static memories_context *quiet_context(struct session *session)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = session->settings.state_dir;
    options.plugin_path = session->settings.plugin_path;
    return memories_context_new(&options, NULL);
}

static void offer_deployments(memories_context *context, const char *prefix, const char *typed)
{
    memories_deployment_list *list = memories_list(context, NULL);
    for (size_t i = 0; list && i < memories_deployment_list_count(list); i++) {
        const memories_deployment *one = memories_deployment_list_at(list, i);
        const char *name = memories_deployment_name(one);
        char about[160];
        snprintf(about, sizeof about, "%s%s%s on %s, %s", name ? name : "", name ? ": " : "",
                 memories_deployment_type(one), memories_deployment_provider(one), memories_deployment_status(one));
        offer(prefix, typed, memories_deployment_id(one), about);
    }
    memories_deployment_list_free(list);
}

static void offer_plugins(memories_context *context, const char *prefix, const char *typed, const char *kind)
{
    char *text = memories_plugins(context, NULL);
    json_object *list = text ? json_tokener_parse(text) : NULL;
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        json_object *plugin = json_object_array_get_idx(list, i);
        const char *its_kind = document_string(plugin, "kind"), *status = document_string(plugin, "status");
        const char *name = document_string(plugin, "name");
        if (its_kind && status && name && strcmp(its_kind, kind) == 0 && strcmp(status, "ok") == 0)
            offer(prefix, typed, name, kind);
    }
    json_object_put(list);
    memories_free(text);
}

static void offer_nodes(memories_context *context, const char *prefix, const char *typed, const char *id)
{
    memories_deployment *deployment = id ? memories_show(context, id, NULL) : NULL;
    json_object *json = deployment ? json_tokener_parse(memories_deployment_json(deployment)) : NULL;
    json_object *resources = document_array(json, "resources");
    for (size_t i = 0; resources && i < json_object_array_length(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *node = document_string(resource, "node");
        if (node)
            offer(prefix, typed, node, document_string(resource, "state"));
    }
    json_object_put(json);
    memories_deployment_free(deployment);
}

static void offer_words(struct session *session, enum words kind, const char *prefix, const char *typed)
{
    static const char *const metrics[] = { "cpu_utilization", "memory_usage", "disk_io", "network_traffic" };
    memories_context *context = NULL;
    switch (kind) {
    case WORDS_FILE:
        puts(":files");
        return;
    case WORDS_DIRECTORY:
        puts(":directories");
        return;
    case WORDS_COMMAND:
        offer_commands(typed);
        return;
    case WORDS_METRIC:
        for (size_t i = 0; i < ARRAY_COUNT(metrics); i++)
            offer(prefix, typed, metrics[i], NULL);
        return;
    case WORDS_NONE:
        return;
    default:
        context = quiet_context(session);
        break;
    }
    if (!context)
        return;
    if (kind == WORDS_DEPLOYMENT)
        offer_deployments(context, prefix, typed);
    else if (kind == WORDS_NODE)
        offer_nodes(context, prefix, typed, session->settings.argument_count ? session->settings.arguments[0] : NULL);
    else
        offer_plugins(context, prefix, typed, kind == WORDS_TOPOLOGY ? "topology" : "provider");
    memories_context_free(context);
}

/* The option that a word is, with its value behind "=" if it has one; OPTION_COUNT: none. */
static int option_in(const char *word, uint64_t options, const char **value)
{
    bool is_long = strncmp(word, "--", 2) == 0;
    size_t count = strcspn(word, "=");
    *value = is_long && word[count] == '=' ? word + count + 1 : NULL;
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_description *option = &option_descriptions[id];
        if (!(options >> id & 1))
            continue;
        if (is_long && strlen(option->name) == count - 2 && strncmp(option->name, word + 2, count - 2) == 0)
            return id;
        if (!is_long && word[0] == '-' && option->letter && word[1] == option->letter && !word[2])
            return id;
    }
    return OPTION_COUNT;
}

static void keep(struct session *session, int option, const char *value)
{
    if (option == OPTION_STATE_DIR)
        session->settings.state_dir = value;
    if (option == OPTION_PLUGIN_PATH)
        session->settings.plugin_path = value;
}

/* Bash takes --option=value apart into three words. */
static bool is_equals(const char *word)
{
    return strcmp(word, "=") == 0;
}

static uint64_t options_of(const struct session *session)
{
    return session->command ? session->command->options | common_options : program_options;
}

/* Reads the words before the one to complete. *pending becomes the option whose value comes next, or OPTION_COUNT.
 * Returns false when nothing can be offered. */
static bool read_words(struct session *session, int count, char **words, int *pending)
{
    *pending = OPTION_COUNT;
    for (int i = 0; i < count; i++) {
        const char *value;
        if (*pending != OPTION_COUNT) {
            if (is_equals(words[i]))
                continue;
            keep(session, *pending, words[i]);
            *pending = OPTION_COUNT;
        } else if (words[i][0] == '-') {
            int option = option_in(words[i], options_of(session), &value);
            if (value)
                keep(session, option, value);
            else if (option != OPTION_COUNT && option_descriptions[option].argument)
                *pending = option;
        } else if (!session->command) {
            session->command = command_find(words[i]);
            if (!session->command)
                return false;
        } else if (session->settings.argument_count < session->command->arguments_max) {
            session->settings.arguments[session->settings.argument_count++] = words[i];
        }
    }
    return true;
}

static void offer_value(struct session *session, int option, const char *value)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "--%s=", option_descriptions[option].name);
    offer_words(session, option_descriptions[option].words, prefix, value);
}

int complete(struct session *session, int count, char **words)
{
    static char *arguments[ARRAY_COUNT(((struct command *)NULL)->words)]; /* outlives this call, as the settings do */
    const char *value;
    int pending;
    session->settings.arguments = arguments;
    if (count < 1 || !read_words(session, count - 1, words, &pending))
        return EXIT_OK;
    const char *typed = is_equals(words[count - 1]) ? "" : words[count - 1];
    const struct command *command = session->command;
    int option = option_in(typed, options_of(session), &value);
    if (pending != OPTION_COUNT)
        offer_words(session, option_descriptions[pending].words, "", typed);
    else if (option != OPTION_COUNT && value)
        offer_value(session, option, value);
    else if (typed[0] == '-')
        offer_options(typed + strspn(typed, "-"), options_of(session));
    else if (!command)
        offer_commands(typed);
    else if (session->settings.argument_count < command->arguments_max)
        offer_words(session, command->words[session->settings.argument_count], "", typed);
    return EXIT_OK;
}
