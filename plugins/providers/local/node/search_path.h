/* search_path.h - where a node's programs are looked for: by the provider before anything is made, then by its
 * supervisor */
#ifndef LOCAL_NODE_SEARCH_PATH_H
#define LOCAL_NODE_SEARCH_PATH_H

/* Where Debian keeps system programs; a user's PATH often lacks the sbin directories. */
#define NODE_SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The directory of our own helper programs: $MEMORIES_LIBEXEC_DIR, else the installed one. */
const char *node_libexec_directory(void);

/* That directory, the absolute ones of PATH, and NODE_SYSTEM_PATH, each once. The caller's (free); NULL: no memory. */
char *node_search_path(void);

#endif
