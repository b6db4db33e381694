/*
 * work.h - round every call that changes a deployment: progress, Ctrl-C, and what --no-wait leaves to the background
 *
 *     work_begin(session);
 *     deployment = memories_stop(session->context, id, work_flags(session), &error);
 *     code = work_end(session, deployment, error);
 *     if (code == EXIT_OK)
 *         print it
 */
#ifndef CLI_WORK_H
#define CLI_WORK_H

#include "cli/command.h"

void work_begin(struct session *session);

/* Ctrl-C asks the library to stop; a part of work_begin. */
void work_catch_interrupts(struct session *session);

/* MEMORIES_NO_WAIT and MEMORIES_KEEP_ON_FAILURE, as the command line says. */
uint32_t work_flags(const struct session *session);

/* Whether nothing is left to do. */
bool work_is_over(const memories_deployment *deployment);

/* Takes over and reports `error` when there is no deployment. With --no-wait, what is left to do is begun in the
 * background. Returns the exit code; when it is EXIT_OK, the deployment can be printed. */
int work_end(struct session *session, const memories_deployment *deployment, memories_error *error);

#endif
