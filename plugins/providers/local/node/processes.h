/* processes.h - the processes of a node: this one and all that descend from it */
#ifndef LOCAL_NODE_PROCESSES_H
#define LOCAL_NODE_PROCESSES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_list {
    pid_t *pids; /* this process first */
    size_t count;
    size_t capacity;
};

/* Fills the list anew; 0, or -1 when memory is short. As the supervisor adopts orphans, none can be missing but those
 * that appear right now. */
int processes_list(struct process_list *list);
void processes_free(struct process_list *list);

/* The direct children of this process. */
int processes_list_children(struct process_list *list);

/* Sums over the processes of `list`. Times and transfers of ended processes are in them: the kernel adds those to the
 * process that waited for them. */
int64_t processes_cpu_ns(const struct process_list *list);
int64_t processes_memory_bytes(const struct process_list *list);
void processes_disk_bytes(const struct process_list *list, int64_t *read_bytes, int64_t *write_bytes);

#endif
