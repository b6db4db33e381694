/*
 * deploy.c - the guide's consensus example in C: deploy three nodes, print who leads, ask the cluster, remove it again
 *
 *     cc deploy.c $(pkg-config --cflags --libs memories-core) -o deploy
 *     ./deploy consensus.yaml local
 *
 * With a third argument "keep" the deployment stays.
 */
#include <inttypes.h>
#include <memories/memories.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static memories_context *context;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    memories_cancel(context); /* memories_deploy returns MEMORIES_CANCELLED, and the deployment can be resumed */
}

static void on_event(const struct memories_event *event, void *user_data)
{
    (void)user_data;
    if (event->text)
        fprintf(stderr, "%6" PRId64 " ms  %s\n", event->elapsed_ms, event->text);
}

static int give_up(memories_error *error)
{
    char *text = memories_error_text(error);
    fprintf(stderr, "deploy: %s\n", text ? text : "out of memory");
    memories_free(text);
    memories_error_free(error);
    memories_context_free(context);
    return EXIT_FAILURE;
}

static void print_deployment(const memories_deployment *deployment)
{
    printf("Deployment ID: %s\n", memories_deployment_id(deployment));
    printf("Leader Node: %s\n", memories_deployment_leader_node(deployment));
    printf("Follower Nodes: ");
    for (size_t i = 0; i < memories_deployment_follower_node_count(deployment); i++)
        printf("%s%s", i ? ", " : "", memories_deployment_follower_node(deployment, i));
    printf("\nStatus: %s\n", memories_deployment_status(deployment));
}

static void print_status(const memories_cluster_status *status)
{
    const char *leader = memories_cluster_status_leader(status);
    printf("\nCluster Status:\nLeader: %s\n", leader ? leader : "none");
    printf("Term: %" PRIu64 "\n", memories_cluster_status_term(status));
    printf("Committed Index: %" PRIu64 "\n", memories_cluster_status_committed_index(status));
    printf("Applied Index: %" PRIu64 "\n", memories_cluster_status_applied_index(status));
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s FILE PROVIDER [keep]\n", argv[0]);
        return EXIT_FAILURE;
    }
    memories_error *error = NULL;
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.on_event = on_event;
    context = memories_context_new(&options, &error);
    if (!context)
        return give_up(error);
    signal(SIGINT, on_interrupt);

    memories_config *config = memories_config_load(context, argv[1], &error);
    if (!config || memories_config_set_provider(config, argv[2], &error)) {
        memories_config_free(config);
        return give_up(error);
    }
    memories_deployment *deployment = memories_deploy(context, config, 0, &error);
    memories_config_free(config);
    if (!deployment)
        return give_up(error);
    print_deployment(deployment);

    memories_cluster_status *status = memories_status(context, memories_deployment_id(deployment), &error);
    if (status)
        print_status(status);
    memories_cluster_status_free(status);

    if (status && !(argc > 3 && !strcmp(argv[3], "keep"))) {
        memories_deployment *deleted = memories_delete(context, memories_deployment_id(deployment), 0, &error);
        if (deleted)
            printf("\nDeleted deployment %s: %s\n", memories_deployment_id(deleted),
                   memories_deployment_status(deleted));
        memories_deployment_free(deleted);
    }
    memories_deployment_free(deployment);
    if (error)
        return give_up(error);
    memories_context_free(context);
    return EXIT_SUCCESS;
}
