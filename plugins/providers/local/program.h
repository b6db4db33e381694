/* program.h - finding programs: the system's own, the services' and our supervisor */
#ifndef LOCAL_PROGRAM_H
#define LOCAL_PROGRAM_H

#include "plugins/providers/local/problem.h"

/* The path of program `name` in the absolute directories of `search_path`, the caller's (free); NULL when there is none
 * (or no memory). A name with a slash stands for itself. */
char *local_program_find(const char *name, const char *search_path);

/* The path of one of memories' own programs, the caller's (free). */
char *local_helper(const char *name, struct problem *problem);
/* That of memories-node. */
char *local_supervisor(struct problem *problem);

#endif
