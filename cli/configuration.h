/* configuration.h - a configuration file with what the command line changes in it */
#ifndef CLI_CONFIGURATION_H
#define CLI_CONFIGURATION_H

#include "cli/command.h"

/* Opens the session and loads the file; *config is the caller's. Returns the exit code; errors have been reported. */
int configuration_open(struct session *session, const char *path, memories_config **config);
/* One that says nothing but what the command line does. */
int configuration_empty(struct session *session, memories_config **config);

#endif
