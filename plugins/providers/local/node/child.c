/* child.c - finding and starting the programs of a node */
#include "plugins/providers/local/node/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/search_path.h"

int32_t child_setup_init(struct child_setup *setup, int directory, const char *path, struct node_error *error)
{
    *setup = (struct child_setup){ .mark = path, .home_directory = -1 };
    setup->search_path = node_search_path();
    if (!setup->search_path || asprintf(&setup->home, "%s/data", path) < 0) {
        setup->home = NULL;
        return node_fail(error, MEMORIES_NO_MEMORY, "out of memory");
    }
    setup->home_directory = openat(directory, "data", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return setup->home_directory < 0 ? node_fail_errno(error, errno, "can't use the directory %s", setup->home)
                                     : MEMORIES_OK;
}

void child_setup_clear(struct child_setup *setup)
{
    free(setup->search_path);
    free(setup->home);
    if (setup->home_directory >= 0)
        close(setup->home_directory);
    *setup = (struct child_setup){ .home_directory = -1 };
}

/* 0, or the errno value that says why it can't be executed. */
static int check_executable(const char *path)
{
    struct stat info;
    if (stat(path, &info))
        return errno;
    if (!S_ISREG(info.st_mode))
        return EACCES;
    return access(path, X_OK) ? errno : 0;
}

char *child_find_program(const struct child_setup *setup, const char *name, const char *what, struct node_error *error)
{
    if (strchr(name, '/')) {
        int number = check_executable(name);
        char *same = number ? NULL : strdup(name);
        if (!same)
            node_fail_errno(error, number ? number : ENOMEM, "%s: can't execute %s", what, name);
        return same;
    }
    int reason = ENOENT;
    for (const char *at = setup->search_path; *at; at += strcspn(at, ":"), at += *at == ':') {
        char *file;
        if (asprintf(&file, "%.*s/%s", (int)strcspn(at, ":"), at, name) < 0) {
            reason = ENOMEM;
            break;
        }
        int number = check_executable(file);
        if (!number)
            return file;
        /* A directory that can't be looked into says nothing; a file that can't be executed may be the one that was
         * meant. */
        if (!access(file, F_OK))
            reason = number;
        free(file);
    }
    node_fail_errno(error, reason, "%s: the program %s is not in %s", what, name, setup->search_path);
    node_hint(error, "install it, or give its full path");
    return NULL;
}

static void free_environment(char **environment)
{
    for (char **variable = environment; variable && *variable; variable++)
        free(*variable);
    free(environment);
}

static bool defines(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment && *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return true;
    return false;
}

static bool add_variable(char **environment, size_t *count, const char *name, const char *value)
{
    if (asprintf(&environment[*count], "%s=%s", name, value) < 0) {
        environment[*count] = NULL;
        return false;
    }
    ++*count;
    return true;
}

/* The mark, PATH, HOME, LANG, then the service's own, which may replace all but the mark. NULL: no memory. */
static char **make_environment(const struct child_setup *setup, char *const *own)
{
    size_t own_count = 0, count = 0;
    while (own && own[own_count])
        own_count++;
    char **environment = calloc(own_count + 5, sizeof *environment);
    bool good = environment && add_variable(environment, &count, NODE_MARK, setup->mark);
    const char *const standard[][2] = { { "PATH", setup->search_path },
                                        { "HOME", setup->home },
                                        { "LANG", "C.UTF-8" } };
    for (size_t i = 0; good && i < ARRAY_COUNT(standard); i++)
        good = defines(own, standard[i][0]) || add_variable(environment, &count, standard[i][0], standard[i][1]);
    for (size_t i = 0; good && i < own_count; i++)
        if (strncmp(own[i], NODE_MARK "=", sizeof NODE_MARK))
            good = (environment[count++] = strdup(own[i])) != NULL;
    if (good)
        return environment;
    free_environment(environment);
    return NULL;
}

/* In the child. Ignored signals and the mask would outlive the exec; the program shall start with neither. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run_child(const struct child_setup *setup, const char *program, char *const *command,
                      char *const *environment, int output, int report, pid_t parent)
{
    /* The parent may have died before the kernel knew what to do then. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(127);
    reset_signals();
    setsid();
    umask(022);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input >= 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0 && !fchdir(setup->home_directory))
        execve(program, command, environment);
    int reason = errno;
    node_write_all(report, &reason, sizeof reason);
    _exit(127);
}

pid_t child_start(const struct child_setup *setup, char *const *command, char *const *environment, int output,
                  const char *what, struct node_error *error)
{
    AUTO_FREE char *program = child_find_program(setup, command[0], what, error);
    if (!program)
        return -1;
    char **whole = make_environment(setup, environment);
    int report[2];
    if (!whole || pipe2(report, O_CLOEXEC)) {
        node_fail_errno(error, whole ? errno : ENOMEM, "%s: can't start %s", what, program);
        free_environment(whole);
        return -1;
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (!child)
        run_child(setup, program, command, whole, output, report[1], parent);
    int reason = child < 0 ? errno : 0;
    close(report[1]);
    free_environment(whole);
    /* The pipe ends without a word when the exec has closed it. */
    if (child > 0 && read(report[0], &reason, sizeof reason) == (ssize_t)sizeof reason)
        waitpid(child, NULL, 0);
    close(report[0]);
    if (!reason)
        return child;
    node_fail_errno(error, reason, "%s: can't execute %s", what, program);
    return -1;
}
