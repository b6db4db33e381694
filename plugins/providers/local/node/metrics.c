/* metrics.c - measuring a node and keeping the samples (docs/node.md) */
#include "plugins/providers/local/node/metrics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugins/providers/local/node/base.h"

#define FILE_BYTES_MAX (16 << 20)
#define HEADER                                                                                                        \
    "# time_ms run_ms cpu_ns memory_bytes disk_read_bytes disk_write_bytes network_receive_bytes network_send_bytes " \
    "(-1: not measured)\n"

void metrics_open(struct metrics *metrics, const struct node_definition *definition, const struct cgroup_meters *meters,
                  int directory, int64_t run_ms)
{
    *metrics = (struct metrics){
        .file = { .fd = -1 },
        .definition = definition,
        .run_ms = run_ms,
        .next_ms = INT64_MAX,
        .meters = meters,
    };
    if (!definition->metrics_interval_ms)
        return;
    metrics->next_ms = node_monotonic_ms();
    log_file_open(&metrics->file, directory, NODE_METRICS_FILE, FILE_BYTES_MAX, 2, HEADER);
    if (!definition->network_namespace)
        metrics->connections = connections_open(definition->address);
}

void metrics_close(struct metrics *metrics)
{
    log_file_close(&metrics->file);
    connections_free(metrics->connections);
    processes_free(&metrics->processes);
}

/* A file of one number, or the number behind `key` in a file of lines "key number"; -1 when it isn't there. */
static int64_t group_value(int group, const char *file, const char *key)
{
    AUTO_FREE char *content = group < 0 ? NULL : node_read_file(group, file, NULL);
    const char *at = content;
    size_t length = key ? strlen(key) : 0;
    while (at && key && (strncmp(at, key, length) || at[length] != ' '))
        at = (at = strchr(at, '\n')) ? at + 1 : NULL;
    return at ? strtoll(at + length, NULL, 10) : -1;
}

static int64_t cpu_ns(const struct metrics *metrics)
{
    const struct cgroup_meters *meters = metrics->meters;
    int64_t used = meters->cpu_unified ? group_value(meters->cpu, "cpu.stat", "usage_usec")
                                       : group_value(meters->cpu, "cpuacct.usage", NULL);
    if (used < 0)
        return processes_cpu_ns(&metrics->processes);
    return meters->cpu_unified ? used * 1000 : used;
}

/* File cache that nobody uses now is no need of the node's: the kernel would give it away at once. */
static int64_t memory_bytes(const struct metrics *metrics)
{
    bool unified = metrics->meters->memory_unified;
    int group = metrics->meters->memory;
    int64_t usage = group_value(group, unified ? "memory.current" : "memory.usage_in_bytes", NULL);
    int64_t idle = group_value(group, "memory.stat", unified ? "inactive_file" : "total_inactive_file");
    if (usage < 0)
        return processes_memory_bytes(&metrics->processes);
    return usage > idle && idle > 0 ? usage - idle : usage;
}

/* Sums the lines of /proc/net/dev: "  eth0: RX_BYTES packets errs drop fifo frame compressed multicast TX_BYTES …". */
static void interface_bytes(const char *wanted, int64_t *received, int64_t *sent)
{
    *received = *sent = -1;
    AUTO_FREE char *table = node_read_file(AT_FDCWD, "/proc/self/net/dev", NULL);
    for (char *state, *line = table ? strtok_r(table, "\n", &state) : NULL; line; line = strtok_r(NULL, "\n", &state)) {
        char *colon = strchr(line, ':');
        int64_t in, out;
        if (!colon || sscanf(colon, ": %" SCNd64 " %*u %*u %*u %*u %*u %*u %*u %" SCNd64, &in, &out) != 2)
            continue;
        *colon = '\0';
        const char *name = line + strspn(line, " ");
        if (wanted ? strcmp(name, wanted) != 0 : !strcmp(name, "lo"))
            continue;
        *received = (*received < 0 ? 0 : *received) + in;
        *sent = (*sent < 0 ? 0 : *sent) + out;
    }
}

/* Sums over processes can lose the share of one that nobody waited for; a counter must not run backwards. */
static int64_t at_least(int64_t value, int64_t last)
{
    return value < 0 || value > last ? value : last;
}

void metrics_sample(struct metrics *metrics)
{
    struct node_sample sample = {
        .time_ms = node_now_ms(), .run_ms = metrics->run_ms, .network_receive_bytes = -1, .network_send_bytes = -1
    };
    metrics->next_ms = node_monotonic_ms() + metrics->definition->metrics_interval_ms;
    if (processes_list(&metrics->processes))
        return;
    sample.cpu_ns = cpu_ns(metrics);
    sample.memory_bytes = memory_bytes(metrics);
    processes_disk_bytes(&metrics->processes, &sample.disk_read_bytes, &sample.disk_write_bytes);
    if (metrics->connections)
        connections_sample(metrics->connections, &metrics->processes, &sample.network_receive_bytes,
                           &sample.network_send_bytes);
    if (metrics->definition->network_namespace)
        interface_bytes(metrics->definition->interface, &sample.network_receive_bytes, &sample.network_send_bytes);
    const struct node_sample *last = &metrics->last;
    sample.cpu_ns = at_least(sample.cpu_ns, last->cpu_ns);
    sample.disk_read_bytes = at_least(sample.disk_read_bytes, last->disk_read_bytes);
    sample.disk_write_bytes = at_least(sample.disk_write_bytes, last->disk_write_bytes);
    metrics->last = sample;
    char line[256];
    int length =
        snprintf(line, sizeof line,
                 "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
                 sample.time_ms, sample.run_ms, sample.cpu_ns, sample.memory_bytes, sample.disk_read_bytes,
                 sample.disk_write_bytes, sample.network_receive_bytes, sample.network_send_bytes);
    log_file_write(&metrics->file, line, (size_t)length);
}

void metrics_finish(struct metrics *metrics)
{
    if (metrics->next_ms == INT64_MAX)
        return;
    metrics_sample(metrics);
    metrics->next_ms = INT64_MAX;
}
