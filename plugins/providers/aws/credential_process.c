/* credential_process.c - credentials that a program of the user's prints (credential_process of a profile) */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/credential_sources.h"

extern char **environ;

/* Somebody may have to touch a key or to answer a push message. */
#define TIMEOUT_MS 120000
#define OUTPUT_BYTES_MAX 65536
#define CANCEL_LOOK_MS 50

struct program {
    struct memories_call *call;
    const char *command;
    const char *where;
    pid_t pid;
    int output;
    char text[OUTPUT_BYTES_MAX + 1];
    size_t length;
};

/* Input and standard error stay the user's, and so does the process group: it may ask for something on the terminal. */
static int start(struct program *program)
{
    char shell[] = "/bin/sh", option[] = "-c";
    char *const arguments[] = { shell, option, (char *)(uintptr_t)program->command, NULL };
    int ends[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    if (pipe2(ends, O_CLOEXEC))
        return errno;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int number = posix_spawn(&program->pid, shell, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    program->output = ends[0];
    return number;
}

/* Reads until the program closes its output. A code: it must be ended. */
static int32_t read_output(struct program *program)
{
    int64_t until = plugin_host->monotonic_ms(program->call) + TIMEOUT_MS;
    for (;;) {
        struct pollfd ready = { .fd = program->output, .events = POLLIN };
        if (plugin_host->cancelled(program->call))
            return plugin_fail(program->call, MEMORIES_CANCELLED, program->where, NULL, "stopped on request");
        if (plugin_host->monotonic_ms(program->call) > until)
            return plugin_fail(program->call, MEMORIES_TIMEOUT, program->where, NULL,
                               "credential_process printed nothing in %d s: %s", TIMEOUT_MS / 1000, program->command);
        if (poll(&ready, 1, CANCEL_LOOK_MS) <= 0)
            continue;
        ssize_t got = read(program->output, program->text + program->length, OUTPUT_BYTES_MAX - program->length);
        if (got == 0 || (got < 0 && errno != EINTR))
            return MEMORIES_OK;
        program->length += got > 0 ? (size_t)got : 0;
        if (program->length == OUTPUT_BYTES_MAX)
            return plugin_fail(program->call, MEMORIES_DENIED, program->where, NULL,
                               "credential_process prints more than credentials: %s", program->command);
    }
}

static int end(const struct program *program, bool by_force)
{
    int status = -1;
    if (by_force)
        kill(program->pid, SIGTERM);
    while (waitpid(program->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(program->output);
    return status;
}

static int32_t run(struct program *program)
{
    int number = start(program);
    if (number)
        return plugin_fail_errno(program->call, number, program->where, NULL, "can't run credential_process: %s",
                                 program->command);
    int32_t code = read_output(program);
    int status = end(program, code != MEMORIES_OK);
    if (code || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return code;
    return plugin_fail(program->call, MEMORIES_DENIED, program->where, "run it by hand: it says why",
                       "credential_process failed with status %d: %s",
                       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), program->command);
}

int32_t credentials_from_process(const struct credential_search *search, struct credentials *found)
{
    static const struct credential_names names = { "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration" };
    const char *command = credential_setting(search, "credential_process");
    if (!command)
        return MEMORIES_OK;
    struct program *program = plugin_host->allocate(search->call, sizeof *program);
    if (!program)
        return plugin_no_memory(search->call);
    *program = (struct program){ .call = search->call,
                                 .command = command,
                                 .where = plugin_format(search->call, "profile %s", search->profile) };
    int32_t code = run(program);
    if (code)
        return code;
    AUTO_JSON json_object *document = json_tokener_parse(program->text);
    int64_t version = json_get_int(document, "Version", 0);
    if (version != 1 || !credentials_take(search->call, document, &names, found))
        return plugin_fail(search->call, MEMORIES_DENIED, program->where,
                           "it must print {\"Version\": 1, \"AccessKeyId\": …, \"SecretAccessKey\": …}",
                           "credential_process prints no credentials: %s", command);
    found->source = plugin_format(search->call, "credential_process of profile %s", search->profile);
    return MEMORIES_OK;
}
