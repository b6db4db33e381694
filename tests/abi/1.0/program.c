/* program.c - a program as it was written for memories 1.0; it is compiled against that release's headers and never changes */
#include <memories/memories.h>
#include <stdio.h>
#include <string.h>

static unsigned events;

static void on_event(const struct memories_event *event, void *user_data)
{
    if (event->size >= sizeof *event && event->json && event->text && user_data == &events)
        events++;
}

static int fail(memories_error *error)
{
    char *text = memories_error_text(error);
    fprintf(stderr, "%s\n", text);
    memories_free(text);
    memories_error_free(error);
    return 1;
}

int main(int argc, char **argv)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    memories_error *error = NULL;
    (void)argc;
    options.on_event = on_event;
    options.user_data = &events;
    memories_context *context = memories_context_new(&options, &error);
    memories_config *config = context ? memories_config_load(context, argv[1], &error) : NULL;
    if (!config || memories_config_set_name(config, "by-program", &error))
        return fail(error);
    memories_deployment *deployment = memories_deploy(context, config, 0, &error);
    if (!deployment)
        return fail(error);
    printf("%s %s %s\n", memories_deployment_name(deployment), memories_deployment_status(deployment),
           memories_deployment_leader_node(deployment));
    memories_deployment *shown = memories_show(context, "by-program", &error);
    if (!shown)
        return fail(error);
    printf("%zu %s\n", memories_deployment_resource_count(shown), memories_deployment_resource_state(shown, 0));
    memories_cluster_status *status = memories_status(context, "by-program", &error);
    if (!status)
        return fail(error);
    printf("%s %zu\n", memories_cluster_status_status(status), memories_cluster_status_member_count(status));
    memories_deployment *deleted = memories_delete(context, "by-program", 0, &error);
    if (!deleted)
        return fail(error);
    printf("%s %s\n", memories_deployment_status(deleted), events > 3 ? "with events" : "without events");
    memories_cluster_status_free(status);
    memories_deployment_free(deleted);
    memories_deployment_free(shown);
    memories_deployment_free(deployment);
    memories_config_free(config);
    memories_context_free(context);
    return 0;
}
