/* command_work.c - deploy, update, heal, stop, start, resume, delete: what changes a deployment as a whole */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/report.h"
#include "cli/work.h"

typedef const char *node_fn(const memories_deployment *deployment, size_t index);

/* "Label: a, b, c"; nothing when there are none. */
static void print_nodes(const char *label, const memories_deployment *deployment, size_t count, node_fn *node)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = node(deployment, i);
        printf("%s%s%s", i ? ", " : label, i ? "" : ": ", name ? name : "-");
    }
    if (count)
        putchar('\n');
}

/* The lines of the guide's deployment results, in its order; a topology has some of them. */
static void print_deployment(const memories_deployment *deployment)
{
    print_field("Deployment ID", memories_deployment_id(deployment));
    print_field("Instance ID", memories_deployment_instance_id(deployment));
    print_field("Public IP", memories_deployment_public_ip(deployment));
    print_field("Leader Node", memories_deployment_leader_node(deployment));
    print_nodes("Follower Nodes", deployment, memories_deployment_follower_node_count(deployment),
                memories_deployment_follower_node);
    print_nodes("Manager Nodes", deployment, memories_deployment_manager_node_count(deployment),
                memories_deployment_manager_node);
    print_nodes("Worker Nodes", deployment, memories_deployment_worker_node_count(deployment),
                memories_deployment_worker_node);
    print_field("Status", memories_deployment_status(deployment));
}

/* done: "Stopped", for one line; NULL: all fields. */
static int print_outcome(struct session *session, const memories_deployment *deployment, const char *done)
{
    if (session_has(session, OPTION_JSON))
        return print_json(session, memories_deployment_json(deployment));
    if (!done)
        print_deployment(deployment);
    else if (work_is_over(deployment))
        printf("%s deployment %s: %s\n", done, memories_deployment_id(deployment),
               memories_deployment_status(deployment));
    else
        printf("Deployment %s: %s\n", memories_deployment_id(deployment), memories_deployment_status(deployment));
    return EXIT_OK;
}

/* Prints and frees what became of it. */
static int finish(struct session *session, memories_deployment *deployment, const char *done, memories_error *error)
{
    int code = work_end(session, deployment, error);
    if (code == EXIT_OK)
        code = print_outcome(session, deployment, done);
    memories_deployment_free(deployment);
    return code;
}

int run_deploy(struct session *session)
{
    memories_error *error = NULL;
    memories_config *config;
    int code = configuration_open(session, session->settings.arguments[0], &config);
    if (code != EXIT_OK)
        return code;
    work_begin(session);
    memories_deployment *deployment = memories_deploy(session->context, config, work_flags(session), &error);
    memories_config_free(config);
    return finish(session, deployment, NULL, error);
}

int run_update(struct session *session)
{
    memories_error *error = NULL;
    memories_config *config;
    int code = configuration_open(session, session->settings.arguments[1], &config);
    if (code != EXIT_OK)
        return code;
    work_begin(session);
    memories_deployment *deployment =
        memories_update(session->context, session->settings.arguments[0], config, work_flags(session), &error);
    memories_config_free(config);
    return finish(session, deployment, NULL, error);
}

int run_heal(struct session *session)
{
    const struct settings *settings = &session->settings;
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    struct memories_heal_options options = MEMORIES_HEAL_OPTIONS_INIT;
    options.nodes = settings->lost_nodes;
    options.force_new_cluster = settings->force_new_cluster;
    work_begin(session);
    memories_deployment *deployment =
        memories_heal(context, settings->arguments[0], &options, work_flags(session), &error);
    return finish(session, deployment, "Healed", error);
}

typedef memories_deployment *change_fn(memories_context *context, const char *id, uint32_t flags,
                                       memories_error **error);

static int change(struct session *session, change_fn *function, const char *done)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    work_begin(session);
    memories_deployment *deployment = function(context, session->settings.arguments[0], work_flags(session), &error);
    return finish(session, deployment, done, error);
}

int run_stop(struct session *session)
{
    return change(session, memories_stop, "Stopped");
}

int run_start(struct session *session)
{
    return change(session, memories_start, "Started");
}

int run_resume(struct session *session)
{
    return change(session, memories_resume, "Resumed");
}

int run_delete(struct session *session)
{
    return change(session, memories_delete, "Deleted");
}
