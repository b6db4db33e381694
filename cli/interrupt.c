/* interrupt.c - Ctrl-C during work */
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static memories_context *volatile working;
static const char *volatile notices[2];

static void tell(const char *text)
{
    ssize_t ignored = text ? write(STDERR_FILENO, text, strlen(text)) : 0;
    (void)ignored; /* nobody left to tell */
}

static void on_signal(int number)
{
    int saved = errno;
    if (caught) {
        tell(notices[1]);
        _exit(128 + number);
    }
    caught = number;
    memories_cancel(working);
    tell(notices[0]);
    errno = saved;
}

void interrupt_catch(memories_context *context, const char *first_notice, const char *second_notice)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    working = context;
    notices[0] = first_notice;
    notices[1] = second_notice;
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&action.sa_mask, numbers[i]); /* one after the other */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

int interrupt_signal(void)
{
    return caught;
}

void interrupt_repeat(void)
{
    if (caught)
        memories_cancel(working);
}
