/* observe.h - --isolate, --trace-plugin and --fault */
#ifndef CLI_OBSERVE_H
#define CLI_OBSERVE_H

#include "cli/command.h"

/* Does what the command line asks for, before the command begins. EXIT_OK, or the exit code after a report. */
int observe_plugins(struct session *session);

#endif
