/* program.h - finding programs: the system's own, the services' and our supervisor */
#ifndef LOCAL_PROGRAM_H
#define LOCAL_PROGRAM_H

#include "plugins/providers/local/problem.h"

/* Where Debian keeps system programs; a user's PATH often lacks the sbin directories. */
#define LOCAL_SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The directory of our helper programs. */
const char *local_libexec_directory(void);

/* Where services are looked up, as the supervisor does it (node_client.h). The caller's (free). */
char *local_service_path(void);

/* The path of program `name` in the absolute directories of `search_path`, the caller's (free); NULL when there is none
 * (or no memory). A name with a slash stands for itself. */
char *local_program_find(const char *name, const char *search_path);

/* The path of memories-node, the caller's (free). */
char *local_supervisor(struct problem *problem);

#endif
