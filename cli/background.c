/* background.c - work that goes on when the program has ended */
#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/report.h"

enum { ARGUMENTS_MAX = 9, LOOK_AGAIN_MS = 20 };

extern char **environ;

/* The program itself, whatever PATH finds now. A session of its own keeps the terminal's signals away, and nothing that
 * is open here stays open there: whoever reads our output sees its end when we end. Returns 0 or errno. */
static int start(pid_t *pid, char *const *arguments)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&files);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed) {
        posix_spawn_file_actions_destroy(&files);
        return failed;
    }
    for (int fd = STDIN_FILENO; !failed && fd <= STDERR_FILENO; fd++)
        failed = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    if (!failed)
        failed = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    if (!failed)
        failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    if (!failed)
        failed = posix_spawn(pid, "/proc/self/exe", &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

static int start_resume(const struct settings *settings, const char *id, pid_t *pid)
{
    const char *arguments[ARGUMENTS_MAX] = { "memories", "--quiet" };
    size_t count = 2;
    if (settings->state_dir) {
        arguments[count++] = "--state-dir";
        arguments[count++] = settings->state_dir;
    }
    if (settings->plugin_path) {
        arguments[count++] = "--plugin-path";
        arguments[count++] = settings->plugin_path;
    }
    arguments[count++] = "resume";
    arguments[count++] = id;
    return start(pid, (char *const *)arguments);
}

/* How often the work has been taken over: that is the first thing the audit trail tells of it. */
static size_t count_resumes(struct session *session, const char *id)
{
    char *text = memories_audit(session->context, id, NULL);
    json_object *audit = text ? json_tokener_parse(text) : NULL;
    size_t count = 0;
    for (size_t i = 0; audit && i < json_object_array_length(audit); i++) {
        const char *event = document_string(json_object_array_get_idx(audit, i), "event");
        count += event && strcmp(event, "resume") == 0;
    }
    json_object_put(audit);
    memories_free(text);
    return count;
}

/* Waits until the process has taken the work over, or has ended: then *ended is its exit code, else -1. */
static void await(struct session *session, const char *id, size_t resumes_before, pid_t pid, int *ended)
{
    int status = 0;
    *ended = -1;
    while (count_resumes(session, id) == resumes_before && !interrupt_signal()) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            *ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            return;
        }
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_AGAIN_MS * 1000000L }, NULL);
    }
}

int background_resume(struct session *session, const char *id)
{
    pid_t pid;
    size_t resumes_before = count_resumes(session, id);
    int ended, failed = start_resume(&session->settings, id, &pid);
    char hint[256];
    snprintf(hint, sizeof hint, "what is left to do is on record; go on with: memories resume %s", id);
    if (failed)
        return report_problem(session, EXIT_RESUMABLE, hint, "cannot go on in the background: %s", strerror(failed));
    await(session, id, resumes_before, pid, &ended);
    if (ended > EXIT_OK && ended != EXIT_BUSY)
        return report_problem(session, EXIT_RESUMABLE, hint,
                              "the work in the background ended at once, with exit code %d", ended);
    if (ended < 0)
        report_advice(session, "Process %ld goes on in the background. How far it is: memories show %s --audit",
                      (long)pid, id);
    return EXIT_OK;
}
