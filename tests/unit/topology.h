/* topology.h - opening an in-tree topology plugin of this build for a test, on the fake host */
#ifndef TESTS_UNIT_TOPOLOGY_H
#define TESTS_UNIT_TOPOLOGY_H

#include <memories/plugin.h>

/* The slots of the plugin file that `make` has built, after init. Stays open until the process ends. */
const struct memories_topology_ops *open_topology(const char *name);

/* A whole file; free it. */
char *read_text(const char *path);

/* "$srcdir/…"; valid until the next call. */
const char *source_path(const char *path);

#endif
