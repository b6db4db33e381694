/*
 * cgroup.h - a node's cgroup: the same path in every hierarchy that is mounted, v1 and v2 alike
 *
 * Machines have v1 hierarchies (one for each controller or a few), one v2 hierarchy, or both ("hybrid": the controllers
 * sit in v1 and v2 only groups processes).
 */
#ifndef LOCAL_NODE_CGROUP_H
#define LOCAL_NODE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/providers/local/node/node_client.h"

struct cgroup_hierarchy {
    char *mount;  /* where it is mounted: /sys/fs/cgroup/memory */
    bool unified; /* v2 */
    char
        *controllers; /* v1: "cpu,cpuacct" or "name=systemd"; v2: "" or as in cgroup.controllers, separated by blanks */
    bool joined;      /* this process was moved into the node's cgroup here */
};

struct cgroups {
    struct cgroup_hierarchy *items;
    size_t count;
};

/* The hierarchies that this process sees. An empty list is fine. */
int cgroups_read(struct cgroups *groups);
void cgroups_free(struct cgroups *groups);

/*
 * Makes cgroup `path` in each hierarchy and moves this process there. Where that isn't possible, `note` tells the first
 * reason; the others are still tried. `vcpus`: at most so many processors' time, 0 for no limit.
 */
void cgroups_join(struct cgroups *groups, const char *path, uint32_t vcpus, struct node_error *note);
/*
 * In a v2 hierarchy with controllers, a cgroup with processes can't have children with controllers: moves this process
 * one step down, so that an engine in the node can make cgroups beside it. Called after the cgroup namespace was made,
 * which takes the present cgroup as its root.
 */
void cgroups_step_down(const struct cgroups *groups, const char *path);

/* The directories of a node's cgroup where the kernel counts what it uses; -1 where there is none. */
struct cgroup_meters {
    int cpu;
    int memory;
    bool cpu_unified; /* v2 */
    bool memory_unified;
};

/* `path` may be NULL. Open them before other file systems are mounted over the hierarchies: they stay usable. */
void cgroup_meters_open(const struct cgroups *groups, const char *path, struct cgroup_meters *meters);
void cgroup_meters_close(struct cgroup_meters *meters);

/* Kills all that is in cgroup `path`, removes it with what is below, then each parent that this leaves empty. */
int32_t cgroups_remove(const struct cgroups *groups, const char *path, int64_t deadline_ms, struct node_error *error);

/* A cgroup path as node.json may name it: relative, printable, without "." and "..". */
bool cgroup_path_valid(const char *path);

#endif
