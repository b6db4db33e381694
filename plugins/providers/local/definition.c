/* definition.c - node.json */
#include "plugins/providers/local/definition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/nspawn.h"
#include "plugins/providers/local/rootless.h"

#define METRICS_INTERVAL_MS 5000
#define LOG_BYTES_MAX (10 << 20)
#define LOG_FILES 3
/* What the supervisor takes for a service that says nothing. */
#define STOP_TIMEOUT_MS 5000

static const struct {
    char specifier;
    const char *directory;
} directories[] = { { 'c', "config" }, { 'd', "data" }, { 'l', "log" } };

#define DEFINITION_FILE "node.json"
#define RETIRED_FILE "removed.json"

static char *file_path(const struct local *local, const char *node, const char *file)
{
    return local_format("%s/%s/nodes/%s/%s", local->state, local->deployment, node, file);
}

static json_object *read_file(const struct local *local, const char *node, const char *file, struct problem *problem)
{
    AUTO_FREE char *path = file_path(local, node, file);
    if (path)
        return local_json_read(path, problem);
    problem_no_memory(problem);
    return NULL;
}

json_object *definition_read(const struct local *local, const char *node, struct problem *problem)
{
    return read_file(local, node, DEFINITION_FILE, problem);
}

json_object *definition_read_retired(const struct local *local, const char *node, struct problem *problem)
{
    return read_file(local, node, RETIRED_FILE, problem);
}

int32_t definition_retire(const struct local *local, const char *node, struct problem *problem)
{
    AUTO_FREE char *definition = file_path(local, node, DEFINITION_FILE);
    AUTO_FREE char *retired = file_path(local, node, RETIRED_FILE);
    if (!definition || !retired)
        return problem_no_memory(problem);
    if (rename(definition, retired) && errno != ENOENT)
        return problem_set_errno(problem, errno, "can't rename %s", definition);
    return 0;
}

/* ---- specifiers ---- */

static const char *directory_of(char specifier)
{
    for (size_t i = 0; i < ARRAY_COUNT(directories); i++)
        if (directories[i].specifier == specifier)
            return directories[i].directory;
    return NULL;
}

static json_object *expand_string(const char *text, const char *node_directory, struct problem *problem)
{
    AUTO_FREE char *expanded = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&expanded, &length);
    if (!out) {
        problem_no_memory(problem);
        return NULL;
    }
    for (const char *at = text; *at && !problem->code; at++) {
        if (*at != '%')
            fputc(*at, out);
        else if (*++at == '%')
            fputc('%', out);
        else if (directory_of(*at))
            fprintf(out, "%s/%s", node_directory, directory_of(*at));
        else
            problem_set(problem, MEMORIES_INVALID, "\"%s\" has an unknown specifier", text);
        if (!*at)
            break;
    }
    if (fclose(out) && !problem->code)
        problem_no_memory(problem);
    if (problem->code)
        return NULL;
    json_object *string = json_object_new_string_len(expanded, (int)length);
    if (!string)
        problem_no_memory(problem);
    return string;
}

static json_object *expand(json_object *json, const char *node_directory, struct problem *problem);

static json_object *expand_array(json_object *array, const char *node_directory, struct problem *problem)
{
    AUTO_JSON json_object *expanded = json_object_new_array();
    for (size_t i = 0; i < json_count(array); i++) {
        json_object *element = expand(json_at(array, i), node_directory, problem);
        if (problem->code || json_add(expanded, element)) {
            problem->code ? 0 : problem_no_memory(problem);
            return NULL;
        }
    }
    return STEAL(expanded);
}

static json_object *expand_object(json_object *object, const char *node_directory, struct problem *problem)
{
    AUTO_JSON json_object *expanded = json_object_new_object();
    json_object_object_foreach(object, key, value)
    {
        json_object *member = expand(value, node_directory, problem);
        if (problem->code || json_set(expanded, key, member)) {
            problem->code ? 0 : problem_no_memory(problem);
            return NULL;
        }
    }
    return STEAL(expanded);
}

/* A copy in which each string's specifiers are replaced. */
static json_object *expand(json_object *json, const char *node_directory, struct problem *problem)
{
    switch (json_object_get_type(json)) {
    case json_type_string:
        return expand_string(json_object_get_string(json), node_directory, problem);
    case json_type_array:
        return expand_array(json, node_directory, problem);
    case json_type_object:
        return expand_object(json, node_directory, problem);
    default:
        return json_ref(json);
    }
}

/* ---- making ---- */

static int copy_member(json_object *to, json_object *from, const char *key)
{
    return json_set(to, key, json_ref(json_get(from, key)));
}

static json_object *provider_inputs(json_object *inputs)
{
    static const char *const keys[] = { "access_address", "subnet", "port", "public_ip", "zone", "machine_type" };
    AUTO_JSON json_object *kept = json_object_new_object();
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (copy_member(kept, inputs, keys[i]))
            return NULL;
    return STEAL(kept);
}

static int64_t processors(json_object *inputs)
{
    int64_t wanted = json_get_int(inputs, "vcpus", 0), present = sysconf(_SC_NPROCESSORS_ONLN);
    return wanted > present ? present : wanted;
}

static int set_isolation(const struct local *local, json_object *definition, const struct fabric_names *names,
                         const char *node, bool has_namespaces)
{
    AUTO_FREE char *space = fabric_node_space(names, node);
    AUTO_FREE char *cgroup = local_format("memories/%s/%s", names->space, node);
    AUTO_FREE char *holder = rootless_directory(local);
    if (!space || !cgroup || !holder)
        return MEMORIES_NO_MEMORY;
    int failed = json_set_string(definition, "instance_id", space);
    failed |= json_set_string(definition, "network_namespace", has_namespaces ? space : NULL);
    failed |= json_set_string(definition, "interface", has_namespaces ? "eth0" : NULL);
    failed |= json_set_string(definition, "holder", has_namespaces && rootless() ? holder : NULL);
    /* Without root there is no cgroup to put it in, and no use in a note about it for each node. */
    failed |= json_set_string(definition, "cgroup", rootless() ? NULL : cgroup);
    return failed;
}

/* What a service wants where it is not root: more arguments and environment. */
static int make_rootless(json_object *service)
{
    json_object *wish = json_get_object(service, "rootless");
    json_object *arguments = json_get_array(wish, "arguments");
    json_object *variables = json_get_object(wish, "environment");
    json_object *environment = json_get_object(service, "environment");
    int failed = 0;
    for (size_t i = 0; i < json_count(arguments); i++)
        failed |= json_add(json_get_array(service, "command"), json_ref(json_at(arguments, i)));
    if (variables && !environment)
        environment = json_set_new_object(service, "environment");
    if (variables) {
        json_object_object_foreach(variables, name, value)
            failed |= json_set(environment, name, json_ref(value));
    }
    return failed;
}

static int settle_rootless(json_object *bootstrap, bool applies)
{
    json_object *services = json_get_array(bootstrap, "services");
    int failed = 0;
    for (size_t i = 0; i < json_count(services); i++) {
        failed |= applies ? make_rootless(json_at(services, i)) : 0;
        json_object_object_del(json_at(services, i), "rootless");
    }
    return failed;
}

static json_object *assemble(const struct local *local, const struct memories_operation *operation,
                             json_object *inputs, json_object *bootstrap)
{
    const char *isolation = json_get_string(inputs, "isolation");
    const char *node = local_node_of_key(operation->key);
    struct fabric_names names;
    fabric_names(local, &names);
    AUTO_JSON json_object *definition = json_object_new_object();
    int failed = json_set_int(definition, "version", DOCUMENT_VERSION);
    failed |= json_set_string(definition, "deployment", local->deployment);
    failed |= json_set_string(definition, "key", operation->key);
    failed |= json_set_string(definition, "name", node);
    failed |= json_set_string(definition, "hostname", node);
    failed |= json_set_string(definition, "token", operation->token);
    failed |= json_set_int(definition, "generation", operation->generation);
    bool has_namespaces = local_has_namespaces(isolation);
    failed |= json_set_string(definition, "isolation", isolation);
    failed |= set_isolation(local, definition, &names, node, has_namespaces);
    failed |= copy_member(definition, inputs, "address");
    failed |= json_set_int(definition, "vcpus", processors(inputs));
    if (local_is_machine(isolation))
        failed |= nspawn_define(definition, inputs, names.space);
    else
        failed |= settle_rootless(bootstrap, has_namespaces && rootless()) |
                  json_set(definition, "bootstrap", json_ref(bootstrap));
    failed |= json_set_int(definition, "metrics_interval_ms", METRICS_INTERVAL_MS);
    failed |= json_set_int(definition, "log_bytes_max", LOG_BYTES_MAX);
    failed |= json_set_int(definition, "log_files", LOG_FILES);
    failed |= json_set_new(definition, "inputs", provider_inputs(inputs));
    return failed ? NULL : STEAL(definition);
}

json_object *definition_make(const struct local *local, const struct memories_operation *operation,
                             struct problem *problem)
{
    const char *node = local_node_of_key(operation->key);
    AUTO_JSON json_object *inputs = json_tokener_parse(operation->inputs ? operation->inputs : "");
    if (!node || !json_object_is_type(inputs, json_type_object)) {
        problem_set(problem, MEMORIES_INTERNAL, "\"%s\" has no inputs of a node", operation->key);
        return NULL;
    }
    AUTO_FREE char *directory = local_node_directory(local, node);
    AUTO_JSON json_object *none = json_object_new_object();
    json_object *wanted = json_get_object(inputs, "bootstrap");
    AUTO_JSON json_object *bootstrap = directory && none ? expand(wanted ? wanted : none, directory, problem) : NULL;
    if (problem->code)
        return NULL;
    AUTO_JSON json_object *definition = bootstrap ? assemble(local, operation, inputs, bootstrap) : NULL;
    if (!definition)
        problem_no_memory(problem);
    else
        definition_set_hosts(local, definition, problem);
    return problem->code ? NULL : STEAL(definition);
}

int32_t definition_set_hosts(const struct local *local, json_object *definition, struct problem *problem)
{
    AUTO_FREE char *path = local_format("%s/%s/network.json", local->state, local->deployment);
    if (!path)
        return problem_no_memory(problem);
    struct problem ignored;
    AUTO_JSON json_object *network = local_json_read(path, &ignored);
    json_object *hosts = json_get_object(network, "hosts");
    json_object *value = hosts ? json_ref(hosts) : json_object_new_object();
    return json_set_new(definition, "hosts", value) ? problem_no_memory(problem) : 0;
}

/* ---- writing ---- */

bool definition_file_allowed(const char *path)
{
    if (path[0] != '%' || !directory_of(path[1]) || path[2] != '/' || !path[3])
        return false;
    for (const char *part = path + 2; (part = strstr(part, "/..")); part += 3)
        if (part[3] == '/' || !part[3])
            return false;
    return true;
}

/* node.json may be of an older version, or changed by hand: looked at again before anything is written. */
static bool stays_inside(const char *path, const char *node_directory)
{
    size_t length = strlen(node_directory);
    if (strncmp(path, node_directory, length) || path[length] != '/')
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(directories); i++) {
        size_t name = strlen(directories[i].directory);
        if (!strncmp(path + length + 1, directories[i].directory, name) && path[length + 1 + name] == '/')
            return !strstr(path + length, "/../");
    }
    return false;
}

static bool has_content(const char *path, const char *content, size_t bytes)
{
    struct problem ignored;
    size_t present_bytes;
    AUTO_FREE char *present = local_file_read(path, &present_bytes, &ignored);
    return present && present_bytes == bytes && !memcmp(present, content, bytes);
}

static int32_t make_parent(const char *path, struct problem *problem)
{
    AUTO_FREE char *parent = strdup(path);
    if (!parent)
        return problem_no_memory(problem);
    *strrchr(parent, '/') = '\0';
    return local_directory_make(parent, problem);
}

static int32_t write_file(struct memories_call *call, json_object *file, const char *node_directory, bool *changed,
                          struct problem *problem)
{
    const char *path = json_get_string(file, "path");
    const char *secret = json_get_string(file, "secret");
    const char *content = json_get_string(file, "content");
    const char *mode = json_get_string(file, "mode");
    if (!path || !stays_inside(path, node_directory)) {
        problem_set(problem, MEMORIES_INVALID, "the file %s is outside the node's directories", path ? path : "");
        problem_hint(problem, "a file of a bootstrap begins with %%c/, %%d/ or %%l/");
        return problem->code;
    }
    size_t bytes = content ? strlen(content) : 0;
    if (secret)
        content = plugin_host->secret(call, secret, &bytes);
    if (secret && !content)
        return problem_set(problem, MEMORIES_NOT_FOUND, "there is no secret %s for %s", secret, path);
    mode_t bits = mode ? (mode_t)strtoul(mode, NULL, 8) & 0777 : 0600;
    *changed |= !has_content(path, content ? content : "", bytes);
    /* Written again at each start, so a crash of the machine can't leave it half. */
    if (make_parent(path, problem) || local_file_write(path, content ? content : "", bytes, bits, false, problem))
        return problem->code;
    return 0;
}

static int32_t make_directories(const char *node_directory, struct problem *problem)
{
    static const char *const names[] = { "config", "data", "log", "run" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        AUTO_FREE char *path = local_format("%s/%s", node_directory, names[i]);
        if (!path)
            return problem_no_memory(problem);
        if (local_directory_make(path, problem))
            return problem->code;
    }
    return 0;
}

int32_t definition_write(const struct local *local, struct memories_call *call, json_object *definition, bool *changed,
                         struct problem *problem)
{
    const char *node = json_get_string(definition, "name");
    AUTO_FREE char *directory = local_node_directory(local, node);
    AUTO_FREE char *path = file_path(local, node, DEFINITION_FILE);
    if (!directory || !path)
        return problem_no_memory(problem);
    if (make_directories(directory, problem))
        return problem->code;
    if (json_get(definition, "machine") && nspawn_write_seed(call, definition, directory, changed, problem))
        return problem->code;
    json_object *files = json_get_array(json_get_object(definition, "bootstrap"), "files");
    for (size_t i = 0; i < json_count(files); i++)
        if (write_file(call, json_at(files, i), directory, changed, problem))
            return problem->code;
    return local_json_write(path, definition, problem);
}

/* ---- reading ---- */

bool definition_runs_alike(json_object *a, json_object *b)
{
    static const char *const keys[] = {
        "isolation", "network_namespace",   "address",       "vcpus",    "cgroup", "holder",
        "bootstrap", "metrics_interval_ms", "log_bytes_max", "log_files"
    };
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (!json_object_equal(json_get(a, keys[i]), json_get(b, keys[i])))
            return false;
    return true;
}

bool definition_plug(json_object *definition, struct fabric_plug *plug)
{
    json_object *inputs = json_get_object(definition, "inputs");
    json_object *subnet = json_get_object(inputs, "subnet");
    *plug = (struct fabric_plug){
        .node = json_get_string(definition, "name"),
        .space = json_get_string(definition, "network_namespace"),
        .gateway = json_get_string(subnet, "gateway"),
        .port = (unsigned)json_get_int(inputs, "port", 0),
        .ports = json_get_array(json_get_object(definition, "bootstrap"), "ports"),
    };
    return plug->space && plug->gateway && block_parse(json_get_string(subnet, "cidr"), &plug->subnet) &&
           block_address_parse(json_get_string(definition, "address"), &plug->address) &&
           block_address_parse(json_get_string(inputs, "access_address"), &plug->access);
}

uint32_t definition_stop_timeout_ms(json_object *definition)
{
    json_object *services = json_get_array(json_get_object(definition, "bootstrap"), "services");
    int64_t longest = 0;
    for (size_t i = 0; i < json_count(services); i++) {
        int64_t one = json_get_int(json_at(services, i), "stop_timeout_ms", STOP_TIMEOUT_MS);
        longest = one > longest ? one : longest;
    }
    return (uint32_t)longest;
}
