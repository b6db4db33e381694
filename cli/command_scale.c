/* command_scale.c - scale: another number of nodes */
#include <ctype.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/work.h"

/* "New Worker Count: 8" for each number that was asked for. */
static void print_counts(const struct settings *settings, json_object *deployment)
{
    for (size_t i = 0; i < settings->size_count; i++) {
        const char *group = settings->sizes[i].group;
        char key[80];
        json_object *count;
        snprintf(key, sizeof key, "%s_count", group);
        if (json_object_object_get_ex(deployment, key, &count))
            printf("New %c%s Count: %s\n", toupper((unsigned char)*group), group + 1, json_object_get_string(count));
    }
}

static int print_scaling(struct session *session, const memories_deployment *deployment)
{
    if (session_has(session, OPTION_JSON))
        return print_json(session, memories_deployment_json(deployment));
    json_object *json = document_read(session, memories_deployment_json(deployment));
    if (!json)
        return EXIT_FAILED;
    print_counts(&session->settings, json);
    print_field("Scaling Status", memories_deployment_status(deployment));
    json_object_put(json);
    return EXIT_OK;
}

int run_scale(struct session *session)
{
    const struct settings *settings = &session->settings;
    memories_error *error = NULL;
    if (!settings->size_count)
        return report_usage(session, "scale needs a number of nodes: --worker-nodes, --manager-nodes or --group");
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    work_begin(session);
    memories_deployment *deployment = memories_scale(context, settings->arguments[0], settings->sizes,
                                                     settings->size_count, work_flags(session), &error);
    int code = work_end(session, deployment, error);
    if (code == EXIT_OK)
        code = print_scaling(session, deployment);
    memories_deployment_free(deployment);
    return code;
}
