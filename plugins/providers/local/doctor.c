/* doctor.c - what this machine can do: root, namespaces, and the programs that topologies run */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/fabric.h"
#include "plugins/providers/local/local.h"
#include "plugins/providers/local/node/search_path.h"
#include "plugins/providers/local/notes.h"
#include "plugins/providers/local/nspawn.h"
#include "plugins/providers/local/program.h"
#include "plugins/providers/local/rootless.h"

__attribute__((format(printf, 5, 6))) static int add(json_object *checks, const char *name, const char *status,
                                                     const char *hint, const char *format, ...)
{
    char text[2 * PROBLEM_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_object *check = json_add_new_object(checks);
    return json_set_string(check, "name", name) | json_set_string(check, "status", status) |
           json_set_string(check, "text", text) | (hint && *hint ? json_set_string(check, "hint", hint) : 0);
}

static int add_problem(json_object *checks, const char *name, const char *status, const struct problem *problem)
{
    return add(checks, name, status, problem->hint, "%s%s%s", problem->message, problem->cause[0] ? ": " : "",
               problem->cause);
}

static int check_user(json_object *checks)
{
    if (!rootless())
        return add(checks, "user", "ok", NULL, "root: nodes get networks and limits of their own");
    return add(checks, "user", "ok", NULL, "an ordinary user: nothing limits what nodes use");
}

static int check_machine(json_object *checks, const struct local *local)
{
    struct machine machine;
    machine_describe(&machine, local->state, false);
    return add(checks, "machine", "ok", NULL, "%ld processors (%s), %.1f GB of memory, %.1f GB free on disk",
               machine.processors, machine.architecture, machine.memory_gb, machine.disk_free_gb);
}

static int check_supervisor(json_object *checks)
{
    struct problem problem = { 0 };
    AUTO_FREE char *path = local_supervisor(&problem);
    return path ? add(checks, "supervisor", "ok", NULL, "%s", path)
                : add_problem(checks, "supervisor", "failed", &problem);
}

/* Without them nodes are mere processes, which does for all but isolated topologies. */
static int check_namespaces(json_object *checks, bool isolated)
{
    struct problem problem = { 0 };
    const char *name = isolated ? "containers in nodes" : "namespaces";
    if (fabric_probe(isolated, &problem))
        return add_problem(checks, name, "warning", &problem);
    return add(checks, name, "ok", NULL, "%s", isolated ? "nodes can run containers (swarmed)" : "can be made");
}

/* Of use only to who wants nodes that are machines. */
static int check_machines(json_object *checks)
{
    struct problem problem = { 0 };
    AUTO_FREE char *root = nspawn_check(&problem) ? NULL : nspawn_root(&problem);
    return root ? add(checks, "machines", "ok", NULL, "nodes can boot %s", root)
                : add_problem(checks, "machines", "warning", &problem);
}

static int check_program(json_object *checks, const char *search_path, const char *program, const char *package,
                         const char *topology)
{
    AUTO_FREE char *path = local_program_find(program, search_path);
    char hint[128];
    snprintf(hint, sizeof hint, "install it: apt-get install %s", package);
    return path ? add(checks, program, "ok", NULL, "%s", path)
                : add(checks, program, "warning", hint, "is not installed, which topology %s needs", topology);
}

int32_t local_doctor(void *instance, struct memories_call *call, const char *request)
{
    static const struct {
        const char *program, *package, *topology;
    } programs[] = { { "etcd", "etcd-server", "consensus" }, { "dockerd", "docker.io", "swarmed" } };
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of doctor");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    AUTO_FREE char *search_path = node_search_path();
    json_object *checks = json_set_new_array(result, "checks");
    int failed = !checks || !search_path;
    if (!failed)
        failed = check_user(checks) | check_machine(checks, instance) | check_supervisor(checks) |
                 check_namespaces(checks, false) | check_namespaces(checks, true) | check_machines(checks);
    for (size_t i = 0; !failed && i < ARRAY_COUNT(programs); i++)
        failed = check_program(checks, search_path, programs[i].program, programs[i].package, programs[i].topology);
    return failed ? plugin_no_memory(call) : plugin_result(call, STEAL(result));
}
