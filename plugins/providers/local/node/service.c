/* service.c - one service of a node: its process, its restart policy, its output */
#include "plugins/providers/local/node/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "plugins/providers/local/node/base.h"

#define BACKOFF_MAX_MS 10000
#define UPTIME_GOOD_MS 10000

int32_t output_open(struct output *output, int directory, const char *name, const struct node_definition *definition,
                    struct node_error *error)
{
    *output = (struct output){ .read_end = -1, .write_end = -1, .log = { .fd = -1 } };
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return node_fail_errno(error, errno, "can't make a pipe for the output of %s", name);
    output->read_end = ends[0];
    output->write_end = ends[1];
    fcntl(output->read_end, F_SETFL, O_NONBLOCK);
    char file[128];
    snprintf(file, sizeof file, "%s.log", name);
    log_file_open(&output->log, directory, file, definition->log_bytes_max, definition->log_files, NULL);
    return MEMORIES_OK;
}

void output_drain(struct output *output, bool all)
{
    char bytes[16384];
    for (int round = 0; all || round < 4; round++) {
        ssize_t got = read(output->read_end, bytes, sizeof bytes);
        if (got <= 0)
            return;
        log_file_write(&output->log, bytes, (size_t)got);
    }
}

void output_close(struct output *output)
{
    if (output->read_end >= 0)
        close(output->read_end);
    if (output->write_end >= 0)
        close(output->write_end);
    output->read_end = output->write_end = -1;
    log_file_close(&output->log);
}

int32_t service_init(struct service *service, const struct service_definition *definition, int log_directory,
                     const struct node_definition *node, struct node_error *error)
{
    *service = (struct service){
        .definition = definition,
        .state = SERVICE_WAITING,
        .start_at_ms = INT64_MAX,
        .kill_at_ms = INT64_MAX,
        .backoff_ms = definition->restart_delay_ms,
    };
    return output_open(&service->output, log_directory, definition->name, node, error);
}

void service_clear(struct service *service)
{
    output_close(&service->output);
}

static bool restarts(const struct service *service, bool ended_well)
{
    enum restart_policy policy = service->definition->restart;
    return policy == RESTART_ALWAYS || (policy == RESTART_ON_FAILURE && !ended_well);
}

static void next_try(struct service *service, bool ended_well)
{
    if (!restarts(service, ended_well)) {
        service->state = ended_well ? SERVICE_EXITED : SERVICE_FAILED;
        return;
    }
    service->state = SERVICE_WAITING;
    service->start_at_ms = node_monotonic_ms() + service->backoff_ms;
    if (service->backoff_ms < BACKOFF_MAX_MS)
        service->backoff_ms = service->backoff_ms * 2 < BACKOFF_MAX_MS ? service->backoff_ms * 2 : BACKOFF_MAX_MS;
}

int32_t service_start(struct service *service, const struct child_setup *setup, struct node_error *error)
{
    const struct service_definition *definition = service->definition;
    char what[160];
    snprintf(what, sizeof what, "service %s", definition->name);
    service->restarts += service->started_before;
    service->started_before = true;
    service->pid =
        child_start(setup, definition->command, definition->environment, service->output.write_end, what, error);
    if (service->pid < 0) {
        service->pid = 0;
        snprintf(service->exit, sizeof service->exit, "can't execute %.120s: %.100s", definition->command[0],
                 error->cause);
        log_file_printf(&service->output.log, "%s: %s", error->message, error->cause);
        next_try(service, false);
        return error->code;
    }
    service->state = SERVICE_RUNNING;
    service->started_at_ms = node_monotonic_ms();
    return MEMORIES_OK;
}

void service_ended(struct service *service, int status, bool stopping)
{
    bool ended_well = WIFEXITED(status) && !WEXITSTATUS(status);
    describe_status(status, service->exit, sizeof service->exit);
    service->pid = 0;
    service->kill_at_ms = INT64_MAX;
    if (stopping) {
        service->state = SERVICE_EXITED;
        return;
    }
    if (node_monotonic_ms() - service->started_at_ms >= UPTIME_GOOD_MS)
        service->backoff_ms = service->definition->restart_delay_ms;
    next_try(service, ended_well);
}

void service_stop(struct service *service)
{
    service->start_at_ms = INT64_MAX;
    if (service->state != SERVICE_RUNNING)
        return;
    service->kill_at_ms = node_monotonic_ms() + service->definition->stop_timeout_ms;
    kill(-service->pid, SIGTERM);
}

void service_kill(struct service *service)
{
    service->kill_at_ms = INT64_MAX;
    if (service->state == SERVICE_RUNNING)
        kill(-service->pid, SIGKILL);
}

const char *service_state_name(enum service_state state)
{
    static const char *const names[] = { "waiting", "running", "exited", "failed" };
    return names[state];
}

void describe_status(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "signal %d", WTERMSIG(status));
    else
        snprintf(text, size, "exit %d", WEXITSTATUS(status));
}
