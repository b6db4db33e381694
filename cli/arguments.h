/* arguments.h - from the command line to settings */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "cli/command.h"

/* Reads options of the program, the command, its options and arguments into *session. Returns -1 to go on, or the exit
 * code when everything is said already (--help, --version, a wrong command line). */
int arguments_read(struct session *session, int argc, char **argv);
void settings_free(struct settings *settings);

#endif
