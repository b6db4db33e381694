/* child.c - work in a process of its own */
#include "sdk/tool/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/text.h"

/* A plugin that prints without end must not fill our memory. */
#define OUTPUT_BYTES_MAX (16u << 10)
#define REPORT_BYTES_MAX (64u << 20)

/* What a child that took too long gets to say where it is. */
#define LAST_WORDS_MS 1000

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

void child_catch_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal }; /* without SA_RESTART: poll shall wake up */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
        struct sigaction before;
        if (!sigaction(signals[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

int child_interrupted(void)
{
    return caught;
}

/* ---- The child --------------------------------------------------------------------------------------------------- */

static void be_child(pid_t parent, child_work *work, void *data, int report, int output, int printed)
{
    setpgid(0, 0); /* a terminal's Ctrl-C is for the parent, who ends us */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
        signal(signals[i], SIG_DFL);
    AUTO_FD int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(printed, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    int code = work(report, data);
    fflush(NULL); /* what the plugin printed is of interest */
    _exit(code);
}

/* ---- The parent -------------------------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int pidfd;
    int report; /* reading ends */
    int output;
    int printed;
    struct text report_text;
    struct text output_text;
    struct text printed_text;
};

/* False at the pipe's end. What is beyond the limit is read and forgotten. */
static bool read_some(int fd, struct text *text, size_t bytes_max)
{
    char chunk[4096];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0)
        return errno == EINTR;
    size_t wanted = text->length < bytes_max ? bytes_max - text->length : 0;
    text_append_bytes(text, chunk, (size_t)got < wanted ? (size_t)got : wanted);
    return got > 0;
}

static void drain(struct child *child)
{
    fcntl(child->report, F_SETFL, O_NONBLOCK);
    fcntl(child->output, F_SETFL, O_NONBLOCK);
    fcntl(child->printed, F_SETFL, O_NONBLOCK);
    while (read_some(child->report, &child->report_text, REPORT_BYTES_MAX)) {
    }
    while (read_some(child->output, &child->output_text, OUTPUT_BYTES_MAX)) {
    }
    while (read_some(child->printed, &child->printed_text, OUTPUT_BYTES_MAX)) {
    }
}

/* SIGABRT first: who handles it can tell what it was doing. */
static void end_child(const struct child *child)
{
    struct pollfd fd = { .fd = child->pidfd, .events = POLLIN };
    kill(child->pid, SIGABRT);
    poll(&fd, 1, LAST_WORDS_MS);
    kill(-child->pid, SIGKILL);
    kill(child->pid, SIGKILL);
}

/* Until the child ends; programs that it leaves behind may keep the pipes open. */
static void listen_to(struct child *child, uint32_t timeout_ms, struct child_end *end)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    struct pollfd fds[] = { { .fd = child->pidfd, .events = POLLIN },
                            { .fd = child->report, .events = POLLIN },
                            { .fd = child->output, .events = POLLIN },
                            { .fd = child->printed, .events = POLLIN } };
    while (!(fds[0].revents & POLLIN)) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        end->interrupted = caught != 0;
        end->timed_out = left_ms <= 0;
        if (end->interrupted || end->timed_out) {
            end_child(child);
            break;
        }
        if (poll(fds, ARRAY_COUNT(fds), (int)left_ms) < 0)
            continue;
        if (fds[1].revents && !read_some(child->report, &child->report_text, REPORT_BYTES_MAX))
            fds[1].fd = -1;
        if (fds[2].revents && !read_some(child->output, &child->output_text, OUTPUT_BYTES_MAX))
            fds[2].fd = -1;
        if (fds[3].revents && !read_some(child->printed, &child->printed_text, OUTPUT_BYTES_MAX))
            fds[3].fd = -1;
    }
}

static int collect(struct child *child, struct child_end *end, memories_error **error)
{
    int status;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    drain(child);
    end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end->report = text_take(&child->report_text);
    end->output = text_take(&child->output_text);
    end->printed = text_take(&child->printed_text);
    return end->report && end->output && end->printed ? 0 : error_no_memory(error);
}

int child_run(child_work *work, void *data, uint32_t timeout_ms, struct child_end *end, memories_error **error)
{
    *end = (struct child_end){ 0 };
    int report[2] = { -1, -1 }, output[2] = { -1, -1 }, printed[2] = { -1, -1 };
    pid_t parent = getpid();
    struct child child = {
        .pid = -1, .report_text = TEXT_INIT, .output_text = TEXT_INIT, .printed_text = TEXT_INIT
    };
    if (!pipe2(report, O_CLOEXEC) && !pipe2(output, O_CLOEXEC) && !pipe2(printed, O_CLOEXEC))
        child.pid = fork();
    if (child.pid == 0)
        be_child(parent, work, data, report[1], output[1], printed[1]);
    int number = errno;
    AUTO_FD int report_end = report[0];
    AUTO_FD int output_end = output[0];
    AUTO_FD int printed_end = printed[0];
    cleanup_fd(&report[1]);
    cleanup_fd(&output[1]);
    cleanup_fd(&printed[1]);
    if (child.pid < 0)
        return error_set_errno(error, number, "can't make a child process");
    AUTO_FD int pidfd = pidfd_open(child.pid, 0);
    if (pidfd < 0) {
        number = errno;
        kill(child.pid, SIGKILL);
        waitpid(child.pid, NULL, 0);
        return error_set_errno(error, number, "can't watch a child process");
    }
    child.pidfd = pidfd;
    child.report = report_end;
    child.output = output_end;
    child.printed = printed_end;
    listen_to(&child, timeout_ms, end);
    return collect(&child, end, error);
}

void child_end_clear(struct child_end *end)
{
    free(end->report);
    free(end->output);
    free(end->printed);
    *end = (struct child_end){ 0 };
}

char *child_end_text(const struct child_end *end, uint32_t timeout_ms)
{
    if (end->interrupted)
        return text_format("it was interrupted");
    if (end->timed_out)
        return text_format("it did not end within %u seconds", timeout_ms / 1000);
    if (end->signal)
        return text_format("it was killed by signal %d (%s)", end->signal, strsignal(end->signal));
    return text_format("it ended the process with exit code %d", end->exit_code);
}
