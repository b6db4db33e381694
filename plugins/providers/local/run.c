/*
 * run.c - running a system program
 *
 * Input and output are files in memory rather than pipes: nobody has to feed and drain them while the program runs.
 */
#include "plugins/providers/local/run.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "plugins/common/cleanup.h"
#include "plugins/providers/local/node/search_path.h"
#include "plugins/providers/local/program.h"

static int memory_file(const char *content)
{
    int fd = memfd_create("memories", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    for (size_t left = strlen(content); left;) {
        ssize_t written = write(fd, content, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            close(fd);
            return -1;
        }
        content += written;
        left -= (size_t)written;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static char *memory_file_text(int fd)
{
    struct stat info;
    if (fstat(fd, &info))
        return NULL;
    char *text = malloc((size_t)info.st_size + 1);
    if (!text)
        return NULL;
    ssize_t got = pread(fd, text, (size_t)info.st_size, 0);
    text[got < 0 ? 0 : got] = '\0';
    return text;
}

/* A session of its own: an interrupt from the terminal must not stop it half-way. */
static int spawn(pid_t *pid, const char *path, const char **words, const struct local_run *run, int input, int output,
                 int errors)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions))
        return ENOMEM;
    if (posix_spawnattr_init(&attributes)) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    static char *environment[] = { (char *)"PATH=" NODE_SYSTEM_PATH, (char *)"LC_ALL=C", NULL };
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    if (!failed && run->held)
        failed = posix_spawn_file_actions_adddup2(&actions, run->held, STDERR_FILENO + 1);
    if (!failed && run->directory)
        failed = posix_spawn_file_actions_addchdir_np(&actions, run->directory);
    if (!failed) {
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        failed = posix_spawn(pid, path, &actions, &attributes, (char *const *)words, environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static int32_t ended_badly(struct problem *problem, const char *program, int status, int errors, const char *purpose)
{
    problem_set(problem, MEMORIES_FAILED, "can't %s: %s %s %d", purpose, program,
                WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    AUTO_FREE char *said = memory_file_text(errors);
    if (said)
        problem_cause(problem, "%s", said);
    return problem->code;
}

/* The words of the command line, for a program in a holder's namespaces with what takes it there; the caller's (free).
 */
static const char **command_line(const struct local_run *run, const char *entrance, const char *path)
{
    size_t count = 0, used = 0;
    while (run->arguments[count])
        count++;
    const char **words = calloc(count + 4, sizeof *words);
    if (!words)
        return NULL;
    if (run->holder) {
        words[used++] = entrance;
        words[used++] = "enter";
        words[used++] = run->holder;
    }
    words[used++] = run->holder ? path : run->arguments[0];
    for (size_t i = 1; i < count; i++)
        words[used++] = run->arguments[i];
    return words;
}

int32_t local_run(struct local_run *run, const char *purpose, struct problem *problem)
{
    AUTO_FD int input = memory_file(run->input ? run->input : "");
    AUTO_FD int output = memory_file("");
    AUTO_FD int errors = memory_file("");
    if (input < 0 || output < 0 || errors < 0)
        return problem_set_errno(problem, errno, "can't %s", purpose);
    AUTO_FREE char *path = local_program_find(run->arguments[0], NODE_SYSTEM_PATH);
    if (!path)
        return problem_set(problem, MEMORIES_NOT_FOUND, "can't %s: %s is not installed", purpose, run->arguments[0]);
    AUTO_FREE char *entrance = run->holder ? local_helper("memories-rootless", problem) : NULL;
    if (run->holder && !entrance)
        return problem->code;
    AUTO_FREE const char **words = command_line(run, entrance, path);
    if (!words)
        return problem_no_memory(problem);
    pid_t pid;
    int failed = spawn(&pid, entrance ? entrance : path, words, run, input, output, errors);
    if (failed)
        return problem_set_errno(problem, failed, "can't %s: can't execute %s", purpose, path);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return problem_set_errno(problem, errno, "can't %s: %s was not waited for", purpose, run->arguments[0]);
    if (status)
        return ended_badly(problem, run->arguments[0], status, errors, purpose);
    if (!run->wants_output)
        return 0;
    run->output = memory_file_text(output);
    return run->output ? 0 : problem_no_memory(problem);
}
