/* supervisor.c - the life of a node from its first service's start to its last process' end */
#include "plugins/providers/local/node/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "plugins/common/json.h"
#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/child.h"
#include "plugins/providers/local/node/control.h"
#include "plugins/providers/local/node/metrics.h"
#include "plugins/providers/local/node/processes.h"
#include "plugins/providers/local/node/service.h"

#define COMMAND_STOP_MS 2000
#define OWN_LOG_BYTES_MAX (1 << 20)

enum commands_state {
    COMMANDS_NONE,
    COMMANDS_RUNNING,
    COMMANDS_DONE,
    COMMANDS_FAILED,
};

/* The commands that run once, before the services. */
struct commands {
    enum commands_state state;
    size_t next;        /* index of the running one */
    pid_t pid;          /* of the running one, or 0 */
    int64_t kill_at_ms; /* when asked to stop; else INT64_MAX */
    struct output output;
    char error[512];
};

struct supervisor {
    struct supervisor_setup setup;
    const struct node_definition *definition;
    int log_directory;
    int signals;
    struct child_setup children;
    struct log_file log;
    struct control control;
    struct metrics metrics;
    struct commands commands;
    struct service *services;
    size_t service_count;
    struct pollfd *polled;
    bool stopping;
};

static void join_words(char *const *words, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (; *words && length < size; words++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", length ? " " : "", *words);
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static void begin_services(struct supervisor *supervisor)
{
    int64_t now = node_monotonic_ms();
    for (size_t i = 0; i < supervisor->service_count; i++)
        supervisor->services[i].start_at_ms = now + supervisor->services[i].definition->start_delay_ms;
}

static void fail_commands(struct supervisor *supervisor, const char *why)
{
    struct commands *commands = &supervisor->commands;
    char text[256];
    join_words(supervisor->definition->commands[commands->next], text, sizeof text);
    snprintf(commands->error, sizeof commands->error, "%s: %s", text, why);
    commands->state = COMMANDS_FAILED;
    log_file_printf(&supervisor->log, "command failed, the services are not started: %s", commands->error);
}

static void finish_commands(struct supervisor *supervisor)
{
    supervisor->commands.state = COMMANDS_DONE;
    AUTO_FD int mark = openat(supervisor->setup.directory, NODE_COMMANDS_MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (mark < 0 || fsync(mark))
        log_file_printf(&supervisor->log,
                        "can't make " NODE_COMMANDS_MARK ", the commands will run again at the next start: %s",
                        strerror(errno));
    begin_services(supervisor);
}

static void run_next_command(struct supervisor *supervisor)
{
    struct commands *commands = &supervisor->commands;
    if (commands->next == supervisor->definition->command_count) {
        finish_commands(supervisor);
        return;
    }
    struct node_error error;
    char *const *command = supervisor->definition->commands[commands->next];
    commands->pid = child_start(&supervisor->children, command, NULL, commands->output.write_end, "command", &error);
    if (commands->pid > 0)
        return;
    commands->pid = 0;
    log_file_printf(&commands->output.log, "%s: %s", error.message, error.cause);
    fail_commands(supervisor, error.cause);
}

static void command_ended(struct supervisor *supervisor, int status)
{
    struct commands *commands = &supervisor->commands;
    commands->pid = 0;
    commands->kill_at_ms = INT64_MAX;
    output_drain(&commands->output, true); /* so that its last words are in the log when its end is known */
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        char why[64];
        describe_status(status, why, sizeof why);
        fail_commands(supervisor, why);
        return;
    }
    commands->next++;
    if (!supervisor->stopping)
        run_next_command(supervisor);
}

/* --- processes -------------------------------------------------------------------------------------------------- */

static struct service *service_of(struct supervisor *supervisor, pid_t pid)
{
    for (size_t i = 0; i < supervisor->service_count; i++)
        if (supervisor->services[i].pid == pid)
            return &supervisor->services[i];
    return NULL;
}

static void process_ended(struct supervisor *supervisor, pid_t pid, int status)
{
    if (pid == supervisor->commands.pid) {
        command_ended(supervisor, status);
        return;
    }
    struct service *service = service_of(supervisor, pid);
    if (!service)
        return; /* an orphan that was adopted */
    service_ended(service, status, supervisor->stopping);
    log_file_printf(&supervisor->log, "service %s ended: %s; it is %s now", service->definition->name, service->exit,
                    service_state_name(service->state));
}

static void reap(struct supervisor *supervisor)
{
    for (;;) {
        siginfo_t info = { .si_pid = 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
            return;
        /* What a service leaves in its process group ends with it, so that a restart finds its ports free. Before the
         * wait, while the number can't mean anything else. */
        pid_t pid = info.si_pid;
        if (pid == supervisor->commands.pid || service_of(supervisor, pid))
            kill(-pid, SIGKILL);
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid)
            process_ended(supervisor, pid, status);
    }
}

/* Ends everything that is left of the node: what services have left behind, and its offspring. Children of the killed
 * become ours, until there are none. */
static void kill_the_rest(void)
{
    struct process_list list = { NULL, 0, 0 };
    for (;;) {
        if (processes_list_children(&list) || !list.count)
            break;
        for (size_t i = 0; i < list.count; i++)
            kill(list.pids[i], SIGKILL);
        waitpid(-1, NULL, 0);
    }
    processes_free(&list);
}

/* --- services --------------------------------------------------------------------------------------------------- */

static int32_t start_service(struct supervisor *supervisor, struct service *service, struct node_error *error)
{
    int32_t failed = service_start(service, &supervisor->children, error);
    if (failed)
        log_file_printf(&supervisor->log, "%s: %s", error->message, error->cause);
    else
        log_file_printf(&supervisor->log, "service %s runs as process %d", service->definition->name, service->pid);
    return failed;
}

/* The reason for an early error is clearer than that for a late one: all programs must be there before any is started.
 */
static int32_t check_programs(struct supervisor *supervisor, struct node_error *error)
{
    for (size_t i = 0; i < supervisor->service_count; i++) {
        const struct service_definition *service = supervisor->services[i].definition;
        char what[160];
        snprintf(what, sizeof what, "service %s", service->name);
        AUTO_FREE char *program = child_find_program(&supervisor->children, service->command[0], what, error);
        if (!program)
            return error->code;
    }
    return MEMORIES_OK;
}

static int32_t start_first_services(struct supervisor *supervisor, struct node_error *error)
{
    int32_t failed = check_programs(supervisor, error);
    if (failed)
        return failed;
    begin_services(supervisor);
    for (size_t i = 0; i < supervisor->service_count && !failed; i++) {
        struct service *service = &supervisor->services[i];
        if (!service->definition->start_delay_ms)
            failed = start_service(supervisor, service, error);
    }
    return failed;
}

/* --- time ------------------------------------------------------------------------------------------------------- */

static void run_timers(struct supervisor *supervisor)
{
    int64_t now = node_monotonic_ms();
    struct commands *commands = &supervisor->commands;
    if (commands->pid && commands->kill_at_ms <= now) {
        commands->kill_at_ms = INT64_MAX;
        kill(-commands->pid, SIGKILL);
    }
    for (size_t i = 0; i < supervisor->service_count; i++) {
        struct service *service = &supervisor->services[i];
        struct node_error error;
        if (service->kill_at_ms <= now)
            service_kill(service);
        if (!supervisor->stopping && service->state == SERVICE_WAITING && service->start_at_ms <= now)
            start_service(supervisor, service, &error);
    }
    if (supervisor->metrics.next_ms <= now)
        metrics_sample(&supervisor->metrics);
}

/* Until the next thing to do, for poll. */
static int time_left(const struct supervisor *supervisor)
{
    int64_t next = supervisor->metrics.next_ms;
    if (supervisor->commands.kill_at_ms < next)
        next = supervisor->commands.kill_at_ms;
    for (size_t i = 0; i < supervisor->service_count; i++) {
        const struct service *service = &supervisor->services[i];
        if (service->kill_at_ms < next)
            next = service->kill_at_ms;
        if (!supervisor->stopping && service->state == SERVICE_WAITING && service->start_at_ms < next)
            next = service->start_at_ms;
    }
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - node_monotonic_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* --- control ---------------------------------------------------------------------------------------------------- */

static void begin_stop(struct supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    supervisor->stopping = true;
    log_file_printf(&supervisor->log, "stopping");
    metrics_finish(&supervisor->metrics);
    struct commands *commands = &supervisor->commands;
    if (commands->pid) {
        commands->kill_at_ms = node_monotonic_ms() + COMMAND_STOP_MS;
        kill(-commands->pid, SIGTERM);
    }
    for (size_t i = 0; i < supervisor->service_count; i++)
        service_stop(&supervisor->services[i]);
}

static const char *text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

static int add_service_status(json_object *services, const struct service *service)
{
    json_object *status = json_add_new_object(services);
    int failed = json_set_string(status, "name", service->definition->name);
    failed |= json_set_string(status, "state", service_state_name(service->state));
    failed |= service->pid ? json_set_int(status, "pid", service->pid) : json_set(status, "pid", NULL);
    failed |= json_set_int(status, "restarts", service->restarts);
    return failed | json_set_string(status, "exit", text_or_null(service->exit));
}

/* NULL when memory is short. */
static char *status_text(const struct supervisor *supervisor)
{
    static const char *const commands_names[] = { "none", "running", "done", "failed" };
    const struct node_definition *definition = supervisor->definition;
    AUTO_JSON json_object *status = json_object_new_object();
    int failed = json_set_int(status, "version", 1);
    failed |= json_set_string(status, "deployment", definition->deployment);
    failed |= json_set_string(status, "key", definition->key);
    failed |= json_set_string(status, "name", definition->name);
    failed |= json_set_string(status, "token", definition->token);
    failed |= json_set_int(status, "generation", definition->generation);
    failed |= json_set_string(status, "isolation",
                              definition->machine_root ? "machine"
                              : definition->namespaces ? "namespace"
                                                       : "process");
    failed |= json_set_int(status, "pid", supervisor->setup.host_pid);
    failed |= json_set_int(status, "started_at_ms", supervisor->setup.run_ms);
    failed |= json_set_bool(status, "stopping", supervisor->stopping);
    failed |= json_set_string(status, "commands", commands_names[supervisor->commands.state]);
    failed |= json_set_string(status, "commands_error", text_or_null(supervisor->commands.error));
    json_object *services = json_set_new_array(status, "services");
    for (size_t i = 0; i < supervisor->service_count; i++)
        failed |= add_service_status(services, &supervisor->services[i]);
    failed |= !services;
    failed |= json_set(status, "notes", json_ref(supervisor->setup.notes));
    const char *text = failed ? NULL : json_object_to_json_string_ext(status, NODE_JSON_FLAGS);
    return text ? strdup(text) : NULL;
}

static char *answer(void *context, const char *command)
{
    struct supervisor *supervisor = context;
    if (!strcmp(command, "status"))
        return status_text(supervisor);
    if (strcmp(command, "stop"))
        return strdup("{\"error\": \"the commands are status and stop\"}");
    begin_stop(supervisor);
    return strdup("{\"stopping\": true}");
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

static void read_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo signal_info;
    while (read(supervisor->signals, &signal_info, sizeof signal_info) == (ssize_t)sizeof signal_info)
        if (signal_info.ssi_signo != SIGCHLD)
            begin_stop(supervisor);
    reap(supervisor);
}

static bool has_ended(const struct supervisor *supervisor)
{
    if (supervisor->commands.pid)
        return false;
    for (size_t i = 0; i < supervisor->service_count; i++)
        if (supervisor->services[i].state == SERVICE_RUNNING)
            return false;
    /* A machine may have switched itself off. */
    return supervisor->stopping || supervisor->definition->machine_root;
}

/* Waits until there is something to do, and does it. Nothing here needs to know which descriptor woke it but the
 * services' pipes, of which there may be many. */
static void turn(struct supervisor *supervisor)
{
    struct pollfd *polled = supervisor->polled;
    size_t count = 0;
    polled[count++] = (struct pollfd){ .fd = supervisor->signals, .events = POLLIN };
    polled[count++] =
        (struct pollfd){ .fd = connections_descriptor(supervisor->metrics.connections), .events = POLLIN };
    polled[count++] = (struct pollfd){ .fd = supervisor->commands.output.read_end, .events = POLLIN };
    polled[count++] = (struct pollfd){ .fd = supervisor->stopping ? -1 : supervisor->setup.guard, .events = POLLIN };
    size_t first_service = count;
    for (size_t i = 0; i < supervisor->service_count; i++)
        polled[count++] = (struct pollfd){ .fd = supervisor->services[i].output.read_end, .events = POLLIN };
    count += control_poll(&supervisor->control, polled + count);
    if (poll(polled, count, time_left(supervisor)) < 0 && errno != EINTR)
        log_file_printf(&supervisor->log, "can't wait for events: %s", strerror(errno));
    if (polled[0].revents)
        read_signals(supervisor);
    if (polled[1].revents)
        connections_closed(supervisor->metrics.connections);
    if (polled[2].revents)
        output_drain(&supervisor->commands.output, false);
    if (polled[3].revents) {
        log_file_printf(&supervisor->log, "the network is gone: its holder has ended");
        begin_stop(supervisor);
    }
    for (size_t i = 0; i < supervisor->service_count; i++)
        if (polled[first_service + i].revents)
            output_drain(&supervisor->services[i].output, false);
    control_run(&supervisor->control, answer, supervisor);
    run_timers(supervisor);
}

static void release(struct supervisor *supervisor)
{
    control_close(&supervisor->control, supervisor->setup.directory);
    metrics_close(&supervisor->metrics);
    for (size_t i = 0; i < supervisor->service_count; i++)
        service_clear(&supervisor->services[i]);
    free(supervisor->services);
    output_close(&supervisor->commands.output);
    child_setup_clear(&supervisor->children);
    log_file_close(&supervisor->log);
    if (supervisor->signals >= 0)
        close(supervisor->signals);
    if (supervisor->log_directory >= 0)
        close(supervisor->log_directory);
    free(supervisor->polled);
    free(supervisor);
}

void supervisor_run(struct supervisor *supervisor)
{
    while (!has_ended(supervisor))
        turn(supervisor);
    kill_the_rest();
    output_drain(&supervisor->commands.output, true);
    for (size_t i = 0; i < supervisor->service_count; i++)
        output_drain(&supervisor->services[i].output, true);
    log_file_printf(&supervisor->log, "stopped");
    release(supervisor);
}

/* --- the start -------------------------------------------------------------------------------------------------- */

/* Blocked, so that they wait for the loop; a node's process 1 would not even hear them otherwise. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int32_t open_services(struct supervisor *supervisor, struct node_error *error)
{
    const struct node_definition *definition = supervisor->definition;
    supervisor->services = calloc(definition->service_count + 1, sizeof *supervisor->services);
    supervisor->polled = calloc(definition->service_count + CONTROL_CLIENTS_MAX + 5, sizeof *supervisor->polled);
    if (!supervisor->services || !supervisor->polled)
        return node_fail(error, MEMORIES_NO_MEMORY, "out of memory");
    int32_t failed = MEMORIES_OK;
    for (size_t i = 0; i < definition->service_count && !failed; i++) {
        supervisor->service_count++;
        failed = service_init(&supervisor->services[i], &definition->services[i], supervisor->log_directory, definition,
                              error);
    }
    return failed;
}

static int32_t open_all(struct supervisor *supervisor, struct node_error *error)
{
    const struct supervisor_setup *setup = &supervisor->setup;
    supervisor->log_directory = openat(setup->directory, "log", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (supervisor->log_directory < 0)
        return node_fail_errno(error, errno, "can't use the directory %s/log", setup->path);
    log_file_open(&supervisor->log, supervisor->log_directory, "supervisor.log", OWN_LOG_BYTES_MAX, 2, NULL);
    supervisor->signals = open_signals();
    if (supervisor->signals < 0)
        return node_fail_errno(error, errno, "can't receive signals");
    int32_t failed = child_setup_init(&supervisor->children, setup->directory, setup->path, error);
    if (!failed)
        failed = control_open(&supervisor->control, setup->directory, setup->path, error);
    if (!failed && supervisor->commands.state == COMMANDS_RUNNING)
        failed = output_open(&supervisor->commands.output, supervisor->log_directory, "commands",
                             supervisor->definition, error);
    return failed ? failed : open_services(supervisor, error);
}

static struct supervisor *make_supervisor(const struct supervisor_setup *setup)
{
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (!supervisor)
        return NULL;
    supervisor->setup = *setup;
    supervisor->definition = setup->definition;
    supervisor->log_directory = supervisor->signals = supervisor->control.listener = -1;
    supervisor->children.home_directory = -1;
    supervisor->log.fd = -1;
    supervisor->commands.kill_at_ms = INT64_MAX;
    supervisor->commands.output = (struct output){ .read_end = -1, .write_end = -1, .log = { .fd = -1 } };
    if (setup->definition->command_count)
        supervisor->commands.state =
            faccessat(setup->directory, NODE_COMMANDS_MARK, F_OK, 0) ? COMMANDS_RUNNING : COMMANDS_DONE;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        supervisor->control.clients[i].fd = -1;
    return supervisor;
}

struct supervisor *supervisor_start(const struct supervisor_setup *setup, struct node_error *error)
{
    struct supervisor *supervisor = make_supervisor(setup);
    if (!supervisor) {
        node_fail(error, MEMORIES_NO_MEMORY, "out of memory");
        return NULL;
    }
    metrics_open(&supervisor->metrics, setup->definition, setup->meters, setup->directory, setup->run_ms);
    int32_t failed = open_all(supervisor, error);
    log_file_printf(&supervisor->log, "starting node %s as process %d", setup->definition->name, setup->host_pid);
    if (!failed && supervisor->commands.state == COMMANDS_RUNNING)
        run_next_command(supervisor);
    else if (!failed)
        failed = start_first_services(supervisor, error);
    if (!failed)
        return supervisor;
    log_file_printf(&supervisor->log, "not started: %s%s%s", error->message, *error->cause ? ": " : "", error->cause);
    kill_the_rest();
    release(supervisor);
    return NULL;
}
