/*
 * prepare.c - the preflight: can this machine do it, and with which addresses
 *
 * Reads only: the addresses are claimed when the network is made. Choices made earlier stay, so that a run that goes on
 * after a crash, or adds a node, finds the others where they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/definition.h"
#include "plugins/providers/local/fabric.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/local.h"
#include "plugins/providers/local/node/search_path.h"
#include "plugins/providers/local/notes.h"
#include "plugins/providers/local/nspawn.h"
#include "plugins/providers/local/prepare.h"
#include "plugins/providers/local/program.h"
#include "plugins/providers/local/rootless.h"

/* ---- isolation ---- */

/* A topology whose nodes can't be mere processes says so in its spec. */
static int32_t refuse_process(struct preparation *preparation)
{
    const char *topology = json_get_string(preparation->spec, "topology");
    problem_set(&preparation->problem, MEMORIES_INVALID,
                "expected auto, namespace or machine, found process: the nodes of %s need a network, mounts and "
                "processes of their own",
                topology ? topology : "this topology");
    problem_where(&preparation->problem, "config.isolation");
    problem_hint(&preparation->problem, "leave isolation out");
    return preparation->problem.code;
}

/* What was chosen stays; NULL: there is nothing to go by. */
static const char *wanted_isolation(const struct preparation *preparation)
{
    const char *configured = json_get_string(preparation->local->config, "isolation");
    return !configured || !strcmp(configured, "auto") ? json_get_string(preparation->earlier, "isolation") : configured;
}

/* The root file system stays too: it is below what the machines have written. */
static int32_t choose_machine_root(struct preparation *preparation)
{
    const char *earlier = json_get_string(preparation->earlier, "machine_root");
    AUTO_FREE char *root = earlier && local_exists(earlier) ? strdup(earlier) : nspawn_root(&preparation->problem);
    if (!root)
        return preparation->problem.code ? preparation->problem.code : problem_no_memory(&preparation->problem);
    return json_set_string(preparation->choices, "machine_root", root) ? problem_no_memory(&preparation->problem) : 0;
}

static int32_t choose_machine(struct preparation *preparation)
{
    if (nspawn_check(&preparation->problem) || choose_machine_root(preparation)) {
        problem_where(&preparation->problem, "config.isolation");
        return preparation->problem.code;
    }
    preparation->has_namespaces = true;
    return 0;
}

static int32_t choose_isolation(struct preparation *preparation)
{
    const char *earlier = json_get_string(preparation->earlier, "isolation"), *wanted = wanted_isolation(preparation);
    bool isolated = json_get_bool(preparation->spec, "isolated", false), is_machine = local_is_machine(wanted);
    struct problem reason = { 0 };
    if (isolated && wanted && !local_has_namespaces(wanted))
        return refuse_process(preparation);
    if (is_machine && choose_machine(preparation))
        return preparation->problem.code;
    if (isolated && !is_machine)
        wanted = "namespace";
    /* An ordinary user gets what costs nothing, unless he asks for more. */
    if (!wanted && rootless())
        wanted = "process";
    if (!wanted || !strcmp(wanted, "namespace")) {
        fabric_probe(isolated, &reason);
        preparation->has_namespaces = reason.code == 0;
    }
    if (wanted && !strcmp(wanted, "namespace") && !preparation->has_namespaces) {
        preparation->problem = reason;
        problem_where(&preparation->problem, "config.isolation");
        if (isolated && !rootless())
            problem_hint(&preparation->problem, "run as root on a machine where namespaces can be made: the nodes of "
                                                "this topology can't do without");
        return reason.code;
    }
    if (!wanted && reason.code &&
        notes_add(preparation->notes, "config.isolation", "auto chose process: %s: %s", reason.message, reason.cause))
        return problem_no_memory(&preparation->problem);
    const char *isolation = is_machine ? wanted : preparation->has_namespaces ? "namespace" : "process";
    /* Addresses of the other kind are of no use. */
    if (earlier && strcmp(earlier, isolation) != 0)
        preparation->earlier = NULL;
    int failed = json_set_string(preparation->choices, "isolation", isolation);
    preparation->has_relays = preparation->has_namespaces && rootless();
    if (preparation->has_relays)
        failed |=
            notes_add(preparation->notes, "config.isolation",
                      "namespaces without root: nothing limits what nodes and their containers use, and this machine "
                      "reaches their TCP ports only");
    return failed ? problem_no_memory(&preparation->problem) : 0;
}

/* ---- what must be installed ---- */

static void add_word(char *text, size_t size, const char *separator, const char *word)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length ? separator : "", word);
}

struct missing {
    json_object *checked; /* programs looked for, true: found */
    char *search_path;
    char programs[512];
    char packages[512];
};

static bool is_installed(struct missing *missing, const char *program)
{
    json_object *known = json_get(missing->checked, program);
    if (known)
        return json_object_get_boolean(known);
    AUTO_FREE char *path = local_program_find(program, missing->search_path);
    json_set_bool(missing->checked, program, path != NULL);
    if (!path)
        add_word(missing->programs, sizeof missing->programs, ", ", program);
    return path != NULL;
}

static void check_packages(struct missing *missing, json_object *bootstrap)
{
    json_object *packages = json_get_array(bootstrap, "packages");
    for (size_t i = 0; i < json_count(packages); i++) {
        json_object *commands = json_get_array(json_at(packages, i), "commands");
        const char *name = json_get_string(json_at(packages, i), "name");
        bool is_missing = false;
        for (size_t c = 0; c < json_count(commands); c++) {
            const char *program = json_object_get_string(json_at(commands, c));
            bool is_news = !json_get(missing->checked, program);
            is_missing |= !is_installed(missing, program) && is_news;
        }
        if (is_missing && name)
            add_word(missing->packages, sizeof missing->packages, " ", name);
    }
}

/* What neither comes from a package nor may be made by the bootstrap's own commands must be there already. */
static void check_services(struct missing *missing, json_object *bootstrap)
{
    json_object *services = json_get_array(bootstrap, "services");
    for (size_t i = 0; !json_count(json_get_array(bootstrap, "commands")) && i < json_count(services); i++) {
        json_object *program = json_at(json_get_array(json_at(services, i), "command"), 0);
        const char *name = program ? json_object_get_string(program) : NULL;
        if (name && !strchr(name, '%') && (name[0] == '/' || !strchr(name, '/')))
            is_installed(missing, name);
    }
}

static int32_t check_supervisor(struct preparation *preparation)
{
    AUTO_FREE char *supervisor = local_supervisor(&preparation->problem);
    return preparation->problem.code;
}

static int32_t check_programs(struct preparation *preparation)
{
    AUTO_JSON json_object *checked = json_object_new_object();
    AUTO_FREE char *search_path = node_search_path();
    struct missing missing = { .checked = checked, .search_path = search_path };
    if (!checked || !search_path)
        return problem_no_memory(&preparation->problem);
    json_object *nodes = json_get_array(preparation->spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        check_packages(&missing, json_get_object(json_at(nodes, i), "bootstrap"));
    for (size_t i = 0; i < json_count(nodes); i++)
        check_services(&missing, json_get_object(json_at(nodes, i), "bootstrap"));
    if (!missing.programs[0])
        return 0;
    problem_set(&preparation->problem, MEMORIES_UNSUPPORTED, "not installed on this machine: %s", missing.programs);
    problem_cause(&preparation->problem, "looked for in %s", search_path);
    if (missing.packages[0])
        problem_hint(&preparation->problem, "install what is missing: apt-get install %s", missing.packages);
    else
        problem_hint(&preparation->problem, "install it, or name it by its whole path");
    return preparation->problem.code;
}

/* A machine installs its packages itself, out of those that its root file system brings. */
static int32_t check_machine_packages(struct preparation *preparation)
{
    const char *root = json_get_string(preparation->choices, "machine_root");
    AUTO_JSON json_object *checked = json_object_new_object();
    char missing[512] = "", options[512] = "";
    json_object *nodes = json_get_array(preparation->spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        json_object *packages = json_get_array(json_get_object(json_at(nodes, i), "bootstrap"), "packages");
        for (size_t k = 0; k < json_count(packages); k++) {
            const char *name = json_get_string(json_at(packages, k), "name");
            if (!name || json_get(checked, name))
                continue;
            if (json_set_bool(checked, name, true))
                return problem_no_memory(&preparation->problem);
            if (nspawn_has_package(root, name))
                continue;
            add_word(missing, sizeof missing, ", ", name);
            add_word(options, sizeof options, " ", "--package");
            add_word(options, sizeof options, " ", name);
        }
    }
    if (!missing[0])
        return 0;
    problem_set(&preparation->problem, MEMORIES_UNSUPPORTED, "no packages for machines: %s", missing);
    problem_cause(&preparation->problem, "they are not in %s, and machines reach no other place", root);
    nspawn_hint(&preparation->problem, options);
    return preparation->problem.code;
}

static int32_t check_files(struct preparation *preparation, json_object *node)
{
    json_object *files = json_get_array(json_get_object(node, "bootstrap"), "files");
    for (size_t i = 0; i < json_count(files); i++) {
        const char *path = json_get_string(json_at(files, i), "path");
        if (path && definition_file_allowed(path))
            continue;
        problem_set(&preparation->problem, MEMORIES_INVALID, "the file %s is outside the node's directories",
                    path ? path : "without a path");
        problem_where(&preparation->problem, "node %s", json_get_string(node, "name"));
        problem_hint(&preparation->problem, "a local node's files begin with %%c/, %%d/ or %%l/");
        return preparation->problem.code;
    }
    return 0;
}

static int32_t check_nodes(struct preparation *preparation, bool is_machine)
{
    json_object *nodes = json_get_array(preparation->spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *name = json_get_string(json_at(nodes, i), "name");
        if (!name || !local_node_name_allowed(name)) {
            problem_set(&preparation->problem, MEMORIES_INVALID, "\"%s\" can't be a node's name", name ? name : "");
            problem_hint(&preparation->problem, "use up to %d letters, digits, dots, dashes and underscores",
                         LOCAL_NODE_NAME_MAX);
            return preparation->problem.code;
        }
        if (!is_machine && check_files(preparation, json_at(nodes, i)))
            return preparation->problem.code;
    }
    return 0;
}

/* ---- the slot ---- */

static int32_t add_notes(struct preparation *preparation)
{
    struct machine machine;
    json_object *scaling = json_get_object(preparation->spec, "scaling");
    machine_describe(&machine, preparation->local->state, preparation->has_namespaces);
    machine.has_growing_nodes = json_get_string(scaling, "automatic");
    return notes_of_config(preparation->notes, preparation->local->config, &machine)
               ? problem_no_memory(&preparation->problem)
               : 0;
}

static int32_t make_choices(struct preparation *preparation)
{
    bool is_machine = local_is_machine(wanted_isolation(preparation));
    if (check_nodes(preparation, is_machine) || check_supervisor(preparation) ||
        (!is_machine && check_programs(preparation)) || choose_isolation(preparation) ||
        (is_machine && check_machine_packages(preparation)))
        return preparation->problem.code;
    return addresses_choose(preparation) ? preparation->problem.code : add_notes(preparation);
}

int32_t local_prepare(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of prepare");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    struct preparation preparation = {
        .local = instance,
        .spec = json_get_object(document, "spec"),
        .earlier = json_get_object(document, "choices"),
        .choices = json_set_new_object(result, "choices"),
        .notes = json_set_new_array(result, "notes"),
    };
    int32_t failed = preparation.choices && preparation.notes ? make_choices(&preparation)
                                                              : problem_no_memory(&preparation.problem);
    return failed ? problem_fail(call, &preparation.problem) : plugin_result(call, STEAL(result));
}
