/* configuration.c - a configuration file with what the command line changes in it */
#include "cli/configuration.h"

#include "cli/report.h"

static int apply_options(const struct settings *settings, memories_config *config, memories_error **error)
{
    int failed = 0;
    if (settings->topology)
        failed = memories_config_set_topology(config, settings->topology, error);
    if (!failed && settings->provider)
        failed = memories_config_set_provider(config, settings->provider, error);
    if (!failed && settings->name)
        failed = memories_config_set_name(config, settings->name, error);
    for (const char **set = settings->sets; !failed && set && *set; set++)
        failed = memories_config_set(config, *set, error);
    return failed;
}

int configuration_open(struct session *session, const char *path, memories_config **config)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    *config = NULL;
    if (!context)
        return EXIT_FAILED;
    *config = memories_config_load(context, path, &error);
    if (*config && apply_options(&session->settings, *config, &error) == 0)
        return EXIT_OK;
    memories_config_free(*config);
    *config = NULL;
    return report_error(session, error);
}
