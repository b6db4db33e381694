/* topology.h - opening an in-tree topology plugin of this build for a test, on the fake host */
#ifndef TESTS_UNIT_TOPOLOGY_H
#define TESTS_UNIT_TOPOLOGY_H

#include <memories/plugin.h>

/* The slots of the plugin file that `make` has built, after init; it stays open until the process ends. */
const struct memories_topology_ops *open_topology(const char *name);

/* Calls a slot again and again, with the first, the second, … allocation failing: each time it reports that memory ran
 * out, until none is left to fail and the result is what it is with enough memory. */
void check_out_of_memory(int32_t (*slot)(struct memories_call *call, const char *request), const char *request);

/* A whole file; free it. */
char *read_text(const char *path);

/* "$srcdir/…"; valid until the next call. */
const char *source_path(const char *path);

#endif
