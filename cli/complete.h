/* complete.h - completion for all shells: `memories __complete WORD...` */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli/command.h"

/* Prints what may stand in place of the last of the words (those behind `memories`), a line each: the word, a tab, a
 * description. A first line ":files" or ":directories" leaves it to the shell. */
int complete(struct session *session, int count, char **words);

#endif
