/*
 * life.c - a program for authors' tests: the life of a deployment within one process, for providers whose machines last no
 * longer than that
 *
 *     life CONFIG PROVIDER NODES
 *
 * Nothing waits for the topology: its nodes exist, but don't run.
 */
#include <memories/memories.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static memories_context *context;

static void give_up(const char *what, memories_error *error)
{
    char *text = error ? memories_error_text(error) : NULL;
    fprintf(stderr, "%s: %s\n", what, text ? text : "not as expected");
    exit(EXIT_FAILURE);
}

/* Every resource of the deployment is in a state, and there are so many nodes. */
static void expect(const char *id, const char *what, const char *node_state, size_t nodes)
{
    memories_error *error = NULL;
    memories_deployment *deployment = memories_show(context, id, &error);
    size_t found = 0;
    if (!deployment)
        give_up(what, error);
    for (size_t i = 0; i < memories_deployment_resource_count(deployment); i++) {
        int is_node = strncmp(memories_deployment_resource_key(deployment, i), "node/", 5) == 0;
        const char *state = memories_deployment_resource_state(deployment, i);
        printf("%s: %s is %s\n", what, memories_deployment_resource_key(deployment, i), state);
        if (strcmp(state, is_node ? node_state : "ready") != 0)
            give_up(what, NULL);
        found += is_node;
    }
    if (found != nodes)
        give_up(what, NULL);
    memories_deployment_free(deployment);
}

static void look(const char *id)
{
    memories_error *error = NULL;
    memories_metrics *metrics = memories_metrics_get(context, id, NULL, NULL, NULL, 1, &error);
    if (!metrics)
        give_up("metrics", error);
    printf("metrics: %zu\n", memories_metrics_count(metrics));
    memories_metrics_free(metrics);
}

int main(int argc, char **argv)
{
    memories_error *error = NULL;
    if (argc != 4)
        give_up("usage: life CONFIG PROVIDER NODES", NULL);
    size_t nodes = (size_t)atoi(argv[3]);
    context = memories_context_new(NULL, &error);
    memories_config *config = context ? memories_config_load(context, argv[1], &error) : NULL;
    if (!config || memories_config_set_provider(config, argv[2], &error))
        give_up("configuration", error);
    memories_deployment *deployment = memories_deploy(context, config, MEMORIES_NO_WAIT, &error);
    if (!deployment)
        give_up("deploy", error);
    char *id = strdup(memories_deployment_id(deployment));
    memories_deployment_free(deployment);
    expect(id, "deployed", "ready", nodes);
    look(id);

    deployment = memories_stop(context, id, 0, &error);
    if (!deployment)
        give_up("stop", error);
    memories_deployment_free(deployment);
    expect(id, "stopped", "stopped", nodes);

    deployment = memories_start(context, id, MEMORIES_NO_WAIT, &error);
    if (!deployment)
        give_up("start", error);
    memories_deployment_free(deployment);
    expect(id, "started", "ready", nodes);

    deployment = memories_delete(context, id, 0, &error);
    if (!deployment || strcmp(memories_deployment_status(deployment), "deleted") != 0)
        give_up("delete", error);
    printf("%s: deleted\n", id);
    memories_deployment_free(deployment);
    memories_config_free(config);
    memories_context_free(context);
    free(id);
    return EXIT_SUCCESS;
}
