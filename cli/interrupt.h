/*
 * interrupt.h - Ctrl-C during work
 *
 * The first SIGINT, SIGTERM or SIGHUP asks the library to stop at the next safe point; the second ends the process at
 * once, which is safe too: the journal knows what was under way.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <memories/memories.h>

#define INTERRUPT_NOTICE "stopping after the operations under way (once more: at once)"

/* From here on. The texts are constants with their newline, written to standard error at the first and second signal;
 * NULL: nothing is written. A signal that is ignored (under nohup, in the background of a script) stays so. */
void interrupt_catch(memories_context *context, const char *first_notice, const char *second_notice);

/* The signal that came, or 0. */
int interrupt_signal(void);

/* Cancels again if a signal came: one that arrives just before a call into the library begins is forgotten by that
 * call. */
void interrupt_repeat(void);

#endif
