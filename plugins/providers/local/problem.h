/*
 * problem.h - why something failed, while it travels up to the slot that reports it
 *
 * In a batch each operation has its own problem, so a plain struct is filled rather than the call's one error. Functions
 * that can fail return 0 or the code that they have put into the problem.
 */
#ifndef LOCAL_PROBLEM_H
#define LOCAL_PROBLEM_H

#include <memories/plugin.h>

#include "plugins/providers/local/node/node_client.h"

/* Room for a message with two file names. Longer text is cut: it is for people. */
#define PROBLEM_TEXT_BYTES 1024

struct problem {
    int32_t code;
    char message[PROBLEM_TEXT_BYTES];
    char where[PROBLEM_TEXT_BYTES];
    char cause[PROBLEM_TEXT_BYTES];
    char hint[PROBLEM_TEXT_BYTES];
};

#define PROBLEM_PRINTF __attribute__((format(printf, 2, 3)))

/* Starts a new problem; returns `code`. */
int32_t problem_set(struct problem *problem, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a failed system call: the cause and the code come from `number` (an errno value). */
int32_t problem_set_errno(struct problem *problem, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int32_t problem_no_memory(struct problem *problem);
int32_t problem_from_node(struct problem *problem, const struct node_error *error);

void problem_where(struct problem *problem, const char *format, ...) PROBLEM_PRINTF;
void problem_cause(struct problem *problem, const char *format, ...) PROBLEM_PRINTF;
void problem_hint(struct problem *problem, const char *format, ...) PROBLEM_PRINTF;

/* Report it for the whole call, or for operation `index`; return its code. */
int32_t problem_fail(struct memories_call *call, const struct problem *problem);
int32_t problem_fail_operation(struct memories_call *call, size_t index, const struct problem *problem);

#endif
