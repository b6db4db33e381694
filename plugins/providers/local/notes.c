/* notes.c - what is recorded but not honoured */
#include "plugins/providers/local/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/providers/local/files.h"

#define BYTES_PER_GB 1e9

int notes_add(json_object *notes, const char *where, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_object *note = json_add_new_object(notes);
    return json_set_string(note, "where", where) | json_set_string(note, "text", text);
}

/* The disk that a directory is on, or will be: it may not be there before the first deployment. */
static void look_at_disk(const char *directory, struct statvfs *disk)
{
    AUTO_FREE char *path = strdup(directory);
    while (path && *path && statvfs(path, disk)) {
        char *slash = strrchr(path, '/');
        *(slash ? slash : path) = '\0';
    }
    if (!path || !*path)
        statvfs("/", disk);
}

void machine_describe(struct machine *machine, const char *state_dir, bool has_namespaces)
{
    static struct utsname system; /* the same in every call */
    uname(&system);
    struct sysinfo memory = { 0 };
    struct statvfs disk = { 0 };
    sysinfo(&memory);
    look_at_disk(state_dir, &disk);
    *machine = (struct machine){
        .processors = sysconf(_SC_NPROCESSORS_ONLN),
        .memory_gb = (double)memory.totalram * memory.mem_unit / BYTES_PER_GB,
        .disk_free_gb = (double)disk.f_bavail * (double)disk.f_frsize / BYTES_PER_GB,
        .architecture = system.machine,
        .has_namespaces = has_namespaces,
        .limits_processors = geteuid() == 0,
    };
}

typedef int note_fn(json_object *notes, const char *where, json_object *value, const struct machine *machine);

static int note_size(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    return notes_add(notes, where,
                     "%s is recorded, not honoured: the nodes share this machine's %ld processors and %.1f GB of memory",
                     json_object_get_string(value), machine->processors, machine->memory_gb);
}

/* Without the value, so that one note does for nodes in different zones. */
static int note_place(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    (void)value;
    (void)machine;
    return notes_add(notes, where, "it is recorded, not honoured: every node is on this machine");
}

static int note_processors(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    int64_t wanted = json_object_get_int64(value);
    if (wanted > machine->processors)
        return notes_add(notes, where, "%lld processors are recorded, not honoured: this machine has %ld",
                         (long long)wanted, machine->processors);
    if (machine->limits_processors)
        return 0;
    return notes_add(notes, where,
                     "%lld processors are recorded, not honoured: limits need root; each node may use all %ld",
                     (long long)wanted, machine->processors);
}

static int note_memory(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    return notes_add(notes, where, "%s GB are recorded, not honoured: the nodes share this machine's %.1f GB of memory",
                     json_object_get_string(value), machine->memory_gb);
}

static int note_architecture(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    if (!strcmp(json_object_get_string(value), machine->architecture))
        return 0;
    return notes_add(notes, where, "%s is recorded, not honoured: this machine is %s", json_object_get_string(value),
                     machine->architecture);
}

static int note_disk(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    (void)value;
    return notes_add(notes, where,
                     "the disk is recorded, not honoured: nodes keep their data in the state directory, %.1f GB are free",
                     machine->disk_free_gb);
}

static int note_gpu(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    (void)value;
    (void)machine;
    return notes_add(notes, where, "GPUs are recorded, not honoured: nodes see the devices of this machine");
}

static int note_addresses(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    if (machine->has_namespaces)
        return 0;
    return notes_add(notes, where,
                     "%s is recorded, not honoured: without namespaces the nodes have loopback addresses",
                     json_object_get_string(value));
}

static int note_rules(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    if (machine->has_namespaces || !json_count(value))
        return 0;
    return notes_add(notes, where,
                     "firewall rules are recorded, not honoured: without namespaces every process of this machine "
                     "reaches the nodes, and nothing else does");
}

static int note_nat(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    if (!machine->has_namespaces || !json_object_get_boolean(value))
        return 0;
    return notes_add(
        notes, where,
        "it is recorded, not honoured: nodes with namespaces reach each other and this machine, and nothing else");
}

static int note_scaling(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    (void)value;
    if (machine->has_growing_nodes)
        return 0;
    return notes_add(notes, where, "it is recorded, not honoured: this topology adds and removes no nodes by their load");
}

static int note_alerts(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    (void)machine;
    if (!json_count(value))
        return 0;
    return notes_add(notes, where, "alerts are recorded, not honoured: nobody watches local nodes");
}

static int note_retention(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    (void)machine;
    return notes_add(notes, where,
                     "%s days are recorded, not honoured: of each log the last 3 files of 10 MiB are kept",
                     json_object_get_string(value));
}

static int note_log_service(json_object *notes, const char *where, json_object *value, const struct machine *machine)
{
    (void)machine;
    if (!json_get_bool(value, "enabled", true))
        return 0;
    return notes_add(notes, where, "it is recorded, not honoured: logs stay in each node's directory (memories logs)");
}

/* By key, wherever in the configuration it stands: topologies nest these keys in their own ways. `parent`: only there. */
static const struct {
    const char *parent, *key;
    note_fn *note;
} rules[] = {
    { NULL, "instance_type", note_size },
    { NULL, "machine_type", note_size },
    { NULL, "vm_size", note_size },
    { NULL, "region", note_place },
    { NULL, "zone", note_place },
    { NULL, "location", note_place },
    { NULL, "project_id", note_place },
    { NULL, "resource_group", note_place },
    { "cpu", "vcpus", note_processors },
    { "cpu", "architecture", note_architecture },
    { "memory", "ram", note_memory },
    { "memory", "swap", note_memory },
    { NULL, "storage", note_disk },
    { NULL, "storage_size", note_disk },
    { NULL, "gpu", note_gpu },
    { NULL, "cidr", note_addresses },
    { "security", "rules", note_rules },
    { "network", "nat", note_nat },
    { NULL, "scaling", note_scaling },
    { "monitoring", "alerts", note_alerts },
    { "logging", "retention_days", note_retention },
    { "logging", "cloudwatch", note_log_service },
    { "logging", "cloud_logging", note_log_service },
    { "logging", "log_analytics", note_log_service },
};

static note_fn *find_rule(const char *parent, const char *key)
{
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++)
        if (!strcmp(rules[i].key, key) && (!rules[i].parent || !strcmp(rules[i].parent, parent)))
            return rules[i].note;
    return NULL;
}

struct walk {
    json_object *notes;
    const struct machine *machine;
};

static int walk(const struct walk *walk, json_object *value, const char *key, const char *where);

static int walk_members(const struct walk *all, json_object *object, const char *parent, const char *where)
{
    int failed = 0;
    json_object_object_foreach(object, key, value)
    {
        AUTO_FREE char *path = local_format("%s.%s", where, key);
        note_fn *note = value ? find_rule(parent, key) : NULL;
        if (!path)
            return MEMORIES_NO_MEMORY;
        failed |= note ? note(all->notes, path, value, all->machine) : walk(all, value, key, path);
    }
    return failed;
}

static int walk(const struct walk *all, json_object *value, const char *key, const char *where)
{
    if (json_object_is_type(value, json_type_object))
        return walk_members(all, value, key, where);
    int failed = 0;
    for (size_t i = 0; i < json_count(value); i++) {
        AUTO_FREE char *path = local_format("%s[%zu]", where, i);
        failed |= path ? walk(all, json_at(value, i), key, path) : MEMORIES_NO_MEMORY;
    }
    return failed;
}

/* "config.node_specs[12].zone" -> "config.node_specs[*].zone", in place. */
static void generalise(char *where)
{
    char *to = where;
    for (const char *from = where; *from; from++) {
        *to++ = *from;
        if (*from != '[')
            continue;
        *to++ = '*';
        from += strcspn(from, "]") - 1;
    }
    *to = '\0';
}

/* A note that says the same of another element of an array is left out, and its likes say [*]. */
static int add_distinct(json_object *notes, json_object *found)
{
    AUTO_JSON json_object *seen = json_object_new_object(); /* place and text -> note */
    int failed = seen ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; i < json_count(found) && !failed; i++) {
        json_object *note = json_at(found, i);
        AUTO_FREE char *where = strdup(json_get_string(note, "where"));
        if (!where)
            return MEMORIES_NO_MEMORY;
        generalise(where);
        AUTO_FREE char *identity = local_format("%s %s", where, json_get_string(note, "text"));
        json_object *same = identity ? json_get(seen, identity) : NULL;
        if (same)
            failed = json_set_string(same, "where", where);
        else
            failed = identity ? json_add(notes, json_ref(note)) | json_set(seen, identity, json_ref(note))
                              : MEMORIES_NO_MEMORY;
    }
    return failed;
}

int notes_of_config(json_object *notes, json_object *config, const struct machine *machine)
{
    AUTO_JSON json_object *found = json_object_new_array();
    struct walk all = { .notes = found, .machine = machine };
    return walk(&all, config, "config", "config") | add_distinct(notes, found);
}
