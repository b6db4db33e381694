/* help.h - --help, made from the descriptions in commands.c */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

void help_program(void);
void help_command(const struct command *command);

#endif
