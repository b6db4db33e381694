/* nspawn.c - isolation: machine, see nspawn.h */
#include "plugins/providers/local/nspawn.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/cloud_config.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/definition.h"
#include "plugins/providers/local/fabric.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/node/search_path.h"
#include "plugins/providers/local/program.h"
#include "plugins/providers/local/rootless.h"

#define ROOT "/var/lib/memories/machine-root"
#define ROOT_MAKER "memories-machine-root"
/* Of the root file system, as its maker counts. */
#define ROOT_VERSION 1
#define ROOT_VERSION_FILE "etc/memories-machine-root"
/* What systemd gets on top of the services' own time, to switch a machine off. */
#define SHUTDOWN_MS 20000

/* The end of the bootstrap's log: plugins/common/cloud_config.c writes it. */
#define SAID "memories: "
#define DONE SAID "done"

/* ---- what there must be ---- */

static const char *wanted_root(void)
{
    const char *directory = secure_getenv("MEMORIES_MACHINE_ROOT");
    return directory && *directory ? directory : NULL;
}

void nspawn_hint(struct problem *problem, const char *options)
{
    struct problem ignored = { 0 };
    AUTO_FREE char *maker = local_helper(ROOT_MAKER, &ignored);
    const char *directory = wanted_root();
    problem_hint(problem, "make it, as root: %s%s%s%s%s", maker ? maker : ROOT_MAKER, *options ? " " : "", options,
                 directory ? " " : "", directory ? directory : "");
}

char *nspawn_root(struct problem *problem)
{
    const char *directory = wanted_root() ? wanted_root() : ROOT;
    AUTO_FREE char *root = realpath(directory, NULL);
    AUTO_FREE char *path = root ? local_format("%s/" ROOT_VERSION_FILE, root) : NULL;
    struct problem ignored = { 0 };
    AUTO_FREE char *version = path ? local_file_read(path, NULL, &ignored) : NULL;
    int number = version ? atoi(version) : 0;
    if (number == ROOT_VERSION)
        return STEAL(root);
    if (!number)
        problem_set(problem, MEMORIES_UNSUPPORTED, "there is no root file system for machines: %s is none", directory);
    else
        problem_set(problem, MEMORIES_UNSUPPORTED,
                    "the root file system for machines, %s, is too %s: version %d, and not %d", directory,
                    number < ROOT_VERSION ? "old" : "new", number, ROOT_VERSION);
    nspawn_hint(problem, "");
    return NULL;
}

int32_t nspawn_check(struct problem *problem)
{
    AUTO_FREE char *search_path = node_search_path();
    if (!search_path)
        return problem_no_memory(problem);
    if (rootless()) {
        problem_set(problem, MEMORIES_UNSUPPORTED, "machines need root");
        problem_hint(problem, "run as root, or leave isolation out");
        return problem->code;
    }
    AUTO_FREE char *program = local_program_find("systemd-nspawn", search_path);
    if (!program) {
        problem_set(problem, MEMORIES_UNSUPPORTED, "machines need the program systemd-nspawn");
        problem_hint(problem, "install it: apt-get install systemd-container");
        return problem->code;
    }
    return fabric_probe(true, problem);
}

/* In a list as dpkg and apt have them, of paragraphs that begin with the package's name. */
static bool lists_package(const char *root, const char *list, const char *package)
{
    struct problem ignored = { 0 };
    AUTO_FREE char *path = local_format("%s/%s", root, list);
    AUTO_FREE char *line = local_format("\nPackage: %s\n", package);
    AUTO_FREE char *text = path ? local_file_read(path, NULL, &ignored) : NULL;
    return text && line && (strstr(text, line) || !strncmp(text, line + 1, strlen(line) - 1));
}

bool nspawn_has_package(const char *root, const char *package)
{
    return cloud_config_brings(package) || lists_package(root, "srv/packages/Packages", package) ||
           lists_package(root, "var/lib/dpkg/status", package);
}

/* ---- node.json ---- */

/* Again when the machine restarts itself, which systemd-nspawn tells by its status. When asked to end, it gets time to.
 * In cgroups of version 2 only those without processes have controllers for those below: systemd-nspawn makes the
 * machine's beside its own, in one where nobody else is. */
#define GROUP "/sys/fs/cgroup/machine"
static const char boot_script[] = "trap : TERM\n"
                                  "until (\n"
                                  "    [ ! -e /sys/fs/cgroup/cgroup.controllers ] ||\n"
                                  "        { mkdir -p " GROUP " && echo 0 >" GROUP "/cgroup.procs; }\n"
                                  "    exec systemd-nspawn \"$@\"\n"
                                  "); status=$?; [ $status -ne 133 ]; do :; done\n"
                                  "exit $status";

/* As root of the host, but for its clock; containers need the key ring and BPF. The network is the supervisor's. What
 * systemd is told by the last words: to say on the console what it does, and not to call up the host's devices. */
static int add_command(json_object *service, const char *machine)
{
    static const char *const words[] = { "sh",
                                         "-c",
                                         boot_script,
                                         "sh",
                                         NULL, /* its name */
                                         "--quiet",
                                         "--boot",
                                         "--register=no",
                                         "--keep-unit",
                                         "--directory=" NODE_MACHINE_ROOT,
                                         "--network-namespace-path=/proc/self/ns/net",
                                         "--resolv-conf=off",
                                         "--timezone=off",
                                         "--link-journal=no",
                                         "--capability=all",
                                         "--drop-capability=CAP_SYS_TIME",
                                         "--system-call-filter=add_key keyctl bpf",
                                         "--console=read-only",
                                         "--kill-signal=SIGRTMIN+3",
                                         "systemd.show_status=1",
                                         "systemd.mask=systemd-udev-trigger.service" };
    json_object *command = json_set_new_array(service, "command");
    int failed = 0;
    for (size_t i = 0; i < ARRAY_COUNT(words); i++)
        failed |= json_add_string(command, words[i] ? words[i] : machine);
    return failed |
           json_set_string(json_set_new_object(service, "environment"), "SYSTEMD_NSPAWN_API_VFS_WRITABLE", "yes");
}

int nspawn_define(json_object *definition, json_object *inputs, const char *space)
{
    /* A node's name may have what a host's may not; this one is until cloud-init sets it. */
    AUTO_FREE char *option = local_format("--machine=%s-%lld", space, (long long)json_get_int(inputs, "port", 0));
    if (!option)
        return MEMORIES_NO_MEMORY;
    json_object *bootstrap = json_get_object(inputs, "bootstrap");
    json_object *machine = json_set_new_object(definition, "machine");
    int failed = json_set_string(machine, "root", json_get_string(inputs, "machine_root"));
    failed |= json_set(machine, "bootstrap", json_ref(bootstrap));
    uint32_t stop_timeout_ms = definition_stop_timeout_ms(machine);
    json_object *supervised = json_set_new_object(definition, "bootstrap");
    json_object *service = json_add_new_object(json_set_new_array(supervised, "services"));
    failed |= json_set_string(service, "name", "console");
    failed |= add_command(service, option);
    failed |= json_set_string(service, "restart", "never");
    failed |= json_set_int(service, "stop_timeout_ms", (int64_t)stop_timeout_ms + SHUTDOWN_MS);
    return failed | json_set(supervised, "ports", json_ref(json_get_array(bootstrap, "ports")));
}

/* ---- what the machine is told ---- */

/* The id stays as long as the node does: by another one cloud-init would take the node for a new one. */
static int32_t write_meta_data(json_object *definition, const char *node_directory, struct problem *problem)
{
    AUTO_FREE char *path = local_format("%s/config/meta-data", node_directory);
    AUTO_FREE char *text =
        local_format("instance-id: %s-%lld\nlocal-hostname: %s\n", json_get_string(definition, "instance_id"),
                     (long long)json_get_int(definition, "generation", 0), json_get_string(definition, "name"));
    if (!path || !text)
        return problem_no_memory(problem);
    return local_exists(path) ? 0 : local_file_write(path, text, strlen(text), 0600, false, problem);
}

int32_t nspawn_write_seed(struct memories_call *call, json_object *definition, const char *node_directory,
                          bool *changed, struct problem *problem)
{
    const char *name = json_get_string(definition, "name"), *text = NULL;
    const struct cloud_config config = {
        .hostname = name,
        .bootstrap = json_get_object(json_get_object(definition, "machine"), "bootstrap"),
    };
    if (cloud_config_render(call, &config, &text))
        return problem_set(problem, MEMORIES_FAILED, "can't put together what %s is told at its boot", name);
    struct problem ignored = { 0 };
    AUTO_FREE char *path = local_format("%s/config/user-data", node_directory);
    AUTO_FREE char *present = path ? local_file_read(path, NULL, &ignored) : NULL;
    if (!path)
        return problem_no_memory(problem);
    *changed |= !present || strcmp(present, text) != 0;
    if (local_file_write(path, text, strlen(text), 0600, false, problem))
        return problem->code;
    return write_meta_data(definition, node_directory, problem);
}

/* ---- how far it is ---- */

uint32_t nspawn_state(const char *node_directory, struct problem *problem)
{
    AUTO_FREE char *log = local_format("%s/log/" NODE_BOOT_LOG, node_directory);
    AUTO_FREE char *said = log ? local_file_last_line(log) : NULL;
    if (said && !strcmp(said, DONE))
        return MEMORIES_STATE_READY;
    if (!said || strncmp(said, SAID, strlen(SAID)) != 0)
        return MEMORIES_STATE_PENDING;
    problem_set(problem, MEMORIES_FAILED, "the node's bootstrap failed");
    problem_cause(problem, "%s", said + strlen(SAID));
    problem_hint(problem, "all that it said is in %s, if --keep-on-failure keeps the node", log);
    return MEMORIES_STATE_BROKEN;
}
