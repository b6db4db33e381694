/* background.h - work that goes on when the program has ended */
#ifndef CLI_BACKGROUND_H
#define CLI_BACKGROUND_H

#include "cli/command.h"

/* Starts `memories --quiet resume ID`, away from this terminal and its signals, and returns when it has taken the work
 * over; people are told how to follow it. Returns the exit code; errors have been reported. The session is open. */
int background_resume(struct session *session, const char *id);

#endif
