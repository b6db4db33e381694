/* command_work.c - deploy, update, stop, start, resume, delete: everything that changes a deployment */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/interrupt.h"
#include "cli/report.h"

/* Progress and Ctrl-C round a long call; the library's calls stand between the two. On a terminal "^C" stands in the
 * line already, and the first notice is the painter's to write. */
static void work_begin(struct session *session)
{
    static const char first[] = INTERRUPT_NOTICE "\n";
    static const char second[] = "\nmemories: stopped at once; \"memories list\" shows what can be resumed\n";
    progress_begin(&session->progress, session->command->name);
    if (session_has(session, OPTION_JSON) || session_has(session, OPTION_EVENTS))
        interrupt_catch(session->context, NULL, NULL);
    else if (session->progress.live)
        interrupt_catch(session->context, NULL, second);
    else
        interrupt_catch(session->context, first, second + 1);
}

static void work_end(struct session *session, const memories_deployment *deployment)
{
    progress_end(&session->progress, deployment != NULL);
}

static uint32_t work_flags(const struct session *session)
{
    return (session_has(session, OPTION_NO_WAIT) ? MEMORIES_NO_WAIT : 0) |
           (session_has(session, OPTION_KEEP_ON_FAILURE) ? MEMORIES_KEEP_ON_FAILURE : 0);
}

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

/* Prints and frees what became of it. done: "Stopped", for one line; NULL: all fields. */
static int finish(struct session *session, memories_deployment *deployment, const char *done, memories_error *error)
{
    int code = EXIT_OK;
    if (!deployment)
        code = report_error(session, error);
    else if (session_has(session, OPTION_JSON))
        code = print_json(session, memories_deployment_json(deployment));
    else if (done)
        printf("%s deployment %s: %s\n", done, memories_deployment_id(deployment),
               memories_deployment_status(deployment));
    else
        print_deployment(deployment);
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
    work_end(session, deployment);
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
    work_end(session, deployment);
    memories_config_free(config);
    return finish(session, deployment, NULL, error);
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
    work_end(session, deployment);
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
