/* child.h - finding and starting the programs of a node */
#ifndef LOCAL_NODE_CHILD_H
#define LOCAL_NODE_CHILD_H

#include <sys/types.h>

#include "plugins/providers/local/node/node_client.h"

/* What all children of one node have in common. */
struct child_setup {
    char *search_path;  /* absolute directories, separated by colons */
    const char *mark;   /* the node's directory, without symbolic links; borrowed */
    char *home;         /* its data directory: HOME and working directory */
    int home_directory; /* the same as a descriptor */
};

int32_t child_setup_init(struct child_setup *setup, int directory, const char *path, struct node_error *error);
void child_setup_clear(struct child_setup *setup);

/* The file that `name` stands for: itself when it has a slash, else the first executable in the search path. NULL with
 * the reason in `error`; `what` says there who wants it. */
char *child_find_program(const struct child_setup *setup, const char *name, const char *what, struct node_error *error);

/*
 * Starts a program in a new session with `output` as its standard output and error; it is killed when this process
 * dies. `environment` comes on top of what every child gets. Returns when the program is being executed: -1 with the
 * reason in `error` when it can't.
 */
pid_t child_start(const struct child_setup *setup, char *const *command, char *const *environment, int output,
                  const char *what, struct node_error *error);

#endif
