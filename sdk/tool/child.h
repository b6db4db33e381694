/*
 * child.h - work that may crash, hang or print, in a process of its own
 *
 * The caller must have one thread only. What the work has to tell goes into a pipe, `report`; what it and the code it
 * runs print is caught.
 */
#ifndef SDK_TOOL_CHILD_H
#define SDK_TOOL_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include <memories/memories.h>

struct child_end {
    char *report; /* all that was written to `report`; never NULL */
    char *output;  /* the first part of what was printed to standard error; never NULL */
    char *printed; /* the same of standard output */
    int exit_code;
    int signal; /* that ended it, or 0 */
    bool timed_out;
    bool interrupted; /* this program was asked to stop, and the child was ended */
};

typedef int child_work(int report, void *data);

/* Runs work(report, data) in a child, whose exit code is what it returns; kills it after `timeout_ms`. 0, or why no
 * child could be made. */
int child_run(child_work *work, void *data, uint32_t timeout_ms, struct child_end *end, memories_error **error);
void child_end_clear(struct child_end *end);

/* How a child ended that did not end well, as in "it was killed by signal 11 (Segmentation fault)"; new string. */
char *child_end_text(const struct child_end *end, uint32_t timeout_ms);

/* From here on SIGINT, SIGTERM and SIGHUP end the running child, and not this program; child_interrupted gives the
 * signal, or 0. */
void child_catch_signals(void);
int child_interrupted(void);

#endif
