/* run.h - running a system program (ip, nft) and learning what it said */
#ifndef LOCAL_RUN_H
#define LOCAL_RUN_H

#include "plugins/providers/local/problem.h"

struct local_run {
    const char *const *arguments; /* program first, last element NULL; looked up in NODE_SYSTEM_PATH */
    const char *input;            /* its standard input, NULL: none */
    const char *directory;        /* working directory, NULL: the caller's */
    const char *holder;           /* directory of the holder in whose namespaces it runs, NULL: the caller's */
    int held;                     /* a descriptor that it holds until it ends, 0: none */
    char *output;                 /* out: what it printed, the caller's (free); NULL when not wanted */
    int wants_output;
};

/* Waits until it has ended. Not status 0: MEMORIES_FAILED, with what it wrote to standard error as the cause. `purpose`
 * completes "can't …". */
int32_t local_run(struct local_run *run, const char *purpose, struct problem *problem);

#endif
