/* configuration.c - a configuration file with what the command line changes in it */
#include "cli/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

static int set_region(memories_config *config, const char *region, memories_error **error)
{
    char *assignment = NULL;
    int failed = asprintf(&assignment, "region=%s", region) < 0 ? MEMORIES_NO_MEMORY
                                                                : memories_config_set(config, assignment, error);
    free(assignment);
    return failed;
}

static int apply_options(const struct settings *settings, memories_config *config, memories_error **error)
{
    int failed = 0;
    if (settings->topology)
        failed = memories_config_set_topology(config, settings->topology, error);
    if (!failed && settings->provider)
        failed = memories_config_set_provider(config, settings->provider, error);
    if (!failed && settings->name)
        failed = memories_config_set_name(config, settings->name, error);
    if (!failed && settings->region)
        failed = set_region(config, settings->region, error);
    for (const char **set = settings->sets; !failed && set && *set; set++)
        failed = memories_config_set(config, *set, error);
    return failed;
}

/* Takes over the configuration, or the error that there is none. */
static int finish(struct session *session, memories_config *loaded, memories_error *error, memories_config **config)
{
    if (loaded && apply_options(&session->settings, loaded, &error) == 0) {
        *config = loaded;
        return EXIT_OK;
    }
    memories_config_free(loaded);
    return error ? report_error(session, error) : report_no_memory(session);
}

int configuration_open(struct session *session, const char *path, memories_config **config)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    *config = NULL;
    if (!context)
        return EXIT_FAILED;
    memories_config *loaded = memories_config_load(context, path, &error);
    return finish(session, loaded, error, config);
}

int configuration_empty(struct session *session, memories_config **config)
{
    static const char nothing[] = "{}";
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    *config = NULL;
    if (!context)
        return EXIT_FAILED;
    memories_config *made = memories_config_parse(context, nothing, strlen(nothing), "the command line", &error);
    return finish(session, made, error, config);
}
