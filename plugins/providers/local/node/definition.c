/* definition.c - node.json as the supervisor uses it (docs/node.md) */
#include "plugins/providers/local/node/definition.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/cgroup.h"

#define DEFINITION_VERSION 1

/* What is being read, for the readers of single members: the first thing wrong fills the error, the rest does nothing.
 */
struct reader {
    const char *path;
    struct node_error *error;
    int32_t failed;
};

static void wrong(struct reader *reader, const char *where, const char *key, const char *expected)
{
    if (reader->failed)
        return;
    reader->failed = node_fail(reader->error, MEMORIES_INVALID, "%s/" NODE_DEFINITION_FILE ": %s%s%s is not %s",
                               reader->path, where, *where ? "." : "", key, expected);
}

static void no_memory(struct reader *reader)
{
    if (!reader->failed)
        reader->failed = node_fail(reader->error, MEMORIES_NO_MEMORY, "out of memory reading %s/" NODE_DEFINITION_FILE,
                                   reader->path);
}

static char *copy(struct reader *reader, const char *text)
{
    char *result = strdup(text);
    if (!result)
        no_memory(reader);
    return result;
}

/* A text member; NULL when it is absent or null. */
static char *read_text(struct reader *reader, json_object *from, const char *where, const char *key)
{
    json_object *value = json_object_object_get(from, key);
    if (!value)
        return NULL;
    if (json_object_is_type(value, json_type_string) &&
        strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value))
        return copy(reader, json_object_get_string(value));
    wrong(reader, where, key, "a text");
    return NULL;
}

static int64_t read_number(struct reader *reader, json_object *from, const char *where, const char *key,
                           int64_t otherwise, int64_t maximum)
{
    json_object *value = json_object_object_get(from, key);
    if (!value)
        return otherwise;
    int64_t number = json_object_get_int64(value);
    if (json_object_is_type(value, json_type_int) && number >= 0 && number <= maximum)
        return number;
    char expected[64];
    snprintf(expected, sizeof expected, "a number from 0 to %" PRId64, maximum);
    wrong(reader, where, key, expected);
    return otherwise;
}

/* A member that must be there, of a type. */
static json_object *read_part(struct reader *reader, json_object *from, const char *where, const char *key,
                              json_type type)
{
    json_object *value = json_object_object_get(from, key);
    if (value && json_object_is_type(value, type))
        return value;
    wrong(reader, where, key, type == json_type_array ? "a list" : "an object");
    return NULL;
}

static void free_list(char **list)
{
    for (char **item = list; item && *item; item++)
        free(*item);
    free(list);
}

static char **read_command(struct reader *reader, json_object *from, const char *where, const char *key)
{
    size_t count = json_object_is_type(from, json_type_array) ? json_object_array_length(from) : 0;
    char **command = calloc(count + 1, sizeof *command);
    if (!command) {
        no_memory(reader);
        return NULL;
    }
    for (size_t i = 0; i < count && !reader->failed; i++) {
        json_object *word = json_object_array_get_idx(from, i);
        if (json_object_is_type(word, json_type_string))
            command[i] = copy(reader, json_object_get_string(word));
        else
            wrong(reader, where, key, "a list of texts");
    }
    if (!count || (command[0] && !*command[0]))
        wrong(reader, where, key, "a program and its arguments");
    return command;
}

/* Directories of the machine's in whose place the node has its own. */
static char **read_directories(struct reader *reader, json_object *from, const char *key)
{
    json_object *list = json_object_object_get(from, key);
    if (!list)
        return NULL;
    char **directories = read_command(reader, list, "bootstrap", key);
    for (char **one = directories; one && *one && !reader->failed; one++)
        if (**one != '/' || !strcmp(*one, "/") || strstr(*one, "/.."))
            wrong(reader, "bootstrap", key, "a list of absolute paths");
    return directories;
}

static char **read_environment(struct reader *reader, json_object *from, const char *where)
{
    json_object *variables = json_object_object_get(from, "environment");
    if (variables && !json_object_is_type(variables, json_type_object)) {
        wrong(reader, where, "environment", "an object");
        return NULL;
    }
    char **environment = calloc(variables ? (size_t)json_object_object_length(variables) + 1 : 1, sizeof *environment);
    if (!environment) {
        no_memory(reader);
        return NULL;
    }
    if (!variables)
        return environment;
    size_t count = 0;
    json_object_object_foreach (variables, name, value) {
        if (!*name || strchr(name, '=') || !json_object_is_type(value, json_type_string))
            wrong(reader, where, "environment", "an object of variables and their texts");
        else if (asprintf(&environment[count], "%s=%s", name, json_object_get_string(value)) >= 0)
            count++;
        else
            no_memory(reader);
        if (reader->failed)
            break;
    }
    environment[count] = NULL;
    return environment;
}

/* Service names are file names too. */
static bool service_name_valid(const char *name)
{
    if (!*name || *name == '.' || strlen(name) > 100 || !strcmp(name, "commands") || !strcmp(name, "supervisor"))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
            return false;
    return true;
}

static enum restart_policy read_restart(struct reader *reader, json_object *from, const char *where)
{
    static const char *const names[] = { "always", "on-failure", "never" };
    AUTO_FREE char *name = read_text(reader, from, where, "restart");
    for (size_t i = 0; name && i < ARRAY_COUNT(names); i++)
        if (!strcmp(name, names[i]))
            return (enum restart_policy)i;
    if (name)
        wrong(reader, where, "restart", "always, on-failure or never");
    return RESTART_ALWAYS;
}

static void read_service(struct reader *reader, json_object *from, size_t index, struct node_definition *definition)
{
    struct service_definition *service = &definition->services[index];
    char where[64];
    snprintf(where, sizeof where, "bootstrap.services[%zu]", index);
    service->name = read_text(reader, from, where, "name");
    if (!service->name || !service_name_valid(service->name))
        wrong(reader, where, "name", "a name of letters, digits, '.', '_' and '-'");
    for (size_t i = 0; i < index && !reader->failed; i++)
        if (!strcmp(service->name, definition->services[i].name))
            wrong(reader, where, "name", "different from the other services' names");
    service->command = read_command(reader, json_object_object_get(from, "command"), where, "command");
    service->environment = read_environment(reader, from, where);
    service->restart = read_restart(reader, from, where);
    service->start_delay_ms = (uint32_t)read_number(reader, from, where, "start_delay_ms", 0, 86400000);
    service->restart_delay_ms = (uint32_t)read_number(reader, from, where, "restart_delay_ms", 100, 86400000);
    service->stop_timeout_ms = (uint32_t)read_number(reader, from, where, "stop_timeout_ms", 5000, 86400000);
}

static void read_services(struct reader *reader, json_object *bootstrap, struct node_definition *definition)
{
    json_object *list = json_object_object_get(bootstrap, "services");
    if (!list)
        return;
    list = read_part(reader, bootstrap, "bootstrap", "services", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    definition->services = calloc(count + 1, sizeof *definition->services);
    if (!definition->services) {
        no_memory(reader);
        return;
    }
    definition->service_count = count;
    for (size_t i = 0; i < count && !reader->failed; i++)
        read_service(reader, json_object_array_get_idx(list, i), i, definition);
}

static void read_commands(struct reader *reader, json_object *bootstrap, struct node_definition *definition)
{
    json_object *list = json_object_object_get(bootstrap, "commands");
    if (!list)
        return;
    list = read_part(reader, bootstrap, "bootstrap", "commands", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    definition->commands = calloc(count + 1, sizeof *definition->commands);
    if (!definition->commands) {
        no_memory(reader);
        return;
    }
    definition->command_count = count;
    for (size_t i = 0; i < count && !reader->failed; i++) {
        char key[32];
        snprintf(key, sizeof key, "commands[%zu]", i);
        definition->commands[i] = read_command(reader, json_object_array_get_idx(list, i), "bootstrap", key);
    }
}

static void read_hosts(struct reader *reader, json_object *from, struct node_definition *definition)
{
    json_object *hosts = json_object_object_get(from, "hosts");
    if (!hosts)
        return;
    hosts = read_part(reader, from, "", "hosts", json_type_object);
    definition->hosts = calloc(hosts ? (size_t)json_object_object_length(hosts) + 1 : 1, sizeof *definition->hosts);
    if (!hosts || !definition->hosts) {
        no_memory(reader);
        return;
    }
    json_object_object_foreach (hosts, name, address) {
        if (!json_object_is_type(address, json_type_string)) {
            wrong(reader, "hosts", name, "an address");
            return;
        }
        struct host_name *host = &definition->hosts[definition->host_count++];
        host->name = copy(reader, name);
        host->address = copy(reader, json_object_get_string(address));
    }
}

static void read_machine(struct reader *reader, json_object *from, struct node_definition *definition)
{
    json_object *machine = read_part(reader, from, "", "machine", json_type_object);
    definition->machine_root = machine ? read_text(reader, machine, "machine", "root") : NULL;
    if (!definition->machine_root || *definition->machine_root != '/')
        wrong(reader, "machine", "root", "an absolute path");
}

static void read_isolation(struct reader *reader, json_object *from, struct node_definition *definition)
{
    AUTO_FREE char *isolation = read_text(reader, from, "", "isolation");
    bool is_machine = isolation && !strcmp(isolation, "machine");
    definition->namespaces = is_machine || (isolation && !strcmp(isolation, "namespace"));
    if (isolation && !definition->namespaces && strcmp(isolation, "process"))
        wrong(reader, "", "isolation", "process, namespace or machine");
    if (is_machine)
        read_machine(reader, from, definition);
    definition->network_namespace = read_text(reader, from, "", "network_namespace");
    if (definition->network_namespace &&
        (!definition->namespaces || !*definition->network_namespace || *definition->network_namespace == '.' ||
         strchr(definition->network_namespace, '/')))
        wrong(reader, "", "network_namespace", "a name in /run/netns, with namespace isolation");
    definition->holder = read_text(reader, from, "", "holder");
    if (definition->holder && (!definition->namespaces || *definition->holder != '/'))
        wrong(reader, "", "holder", "an absolute path, with namespace isolation");
    definition->hostname = read_text(reader, from, "", "hostname");
    if (!definition->hostname && definition->name)
        definition->hostname = copy(reader, definition->name);
    if (definition->hostname && (!*definition->hostname || strlen(definition->hostname) > 64))
        wrong(reader, "", "hostname", "a host name");
}

static void read_definition(struct reader *reader, json_object *from, struct node_definition *definition)
{
    if (read_number(reader, from, "", "version", 0, INT32_MAX) != DEFINITION_VERSION)
        wrong(reader, "", "version", "1, the only one that this memories-node knows");
    definition->deployment = read_text(reader, from, "", "deployment");
    definition->key = read_text(reader, from, "", "key");
    definition->name = read_text(reader, from, "", "name");
    if (!definition->name)
        wrong(reader, "", "name", "a text");
    definition->token = read_text(reader, from, "", "token");
    definition->generation = read_number(reader, from, "", "generation", 0, INT64_MAX);
    read_isolation(reader, from, definition);
    read_hosts(reader, from, definition);
    definition->address = read_text(reader, from, "", "address");
    definition->interface = read_text(reader, from, "", "interface");
    definition->vcpus = (uint32_t)read_number(reader, from, "", "vcpus", 0, 4096);
    definition->cgroup = read_text(reader, from, "", "cgroup");
    if (definition->cgroup && !cgroup_path_valid(definition->cgroup))
        wrong(reader, "", "cgroup", "a relative path");
    definition->metrics_interval_ms = (uint32_t)read_number(reader, from, "", "metrics_interval_ms", 5000, 86400000);
    definition->log_bytes_max = read_number(reader, from, "", "log_bytes_max", 10 << 20, INT64_MAX / 2);
    definition->log_files = (uint32_t)read_number(reader, from, "", "log_files", 3, 100);
    json_object *bootstrap = read_part(reader, from, "", "bootstrap", json_type_object);
    read_commands(reader, bootstrap, definition);
    read_services(reader, bootstrap, definition);
    definition->private_directories = read_directories(reader, bootstrap, "private_directories");
}

/* What the file says is run as this user: it must be this user's. */
static char *read_own_file(int directory, const char *path, struct node_error *error)
{
    struct stat info;
    if (fstatat(directory, NODE_DEFINITION_FILE, &info, AT_SYMLINK_NOFOLLOW)) {
        node_fail_errno(error, errno, "can't use %s/" NODE_DEFINITION_FILE, path);
        return NULL;
    }
    if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH))) {
        node_fail(error, MEMORIES_DENIED, "%s/" NODE_DEFINITION_FILE " can be written by others", path);
        node_hint(error, "it must be a file of your own with mode 0600");
        return NULL;
    }
    char *content = node_read_file(directory, NODE_DEFINITION_FILE, NULL);
    if (!content)
        node_fail_errno(error, errno, "can't read %s/" NODE_DEFINITION_FILE, path);
    return content;
}

int32_t definition_read(int directory, const char *path, struct node_definition *definition, struct node_error *error)
{
    *definition = (struct node_definition){ 0 };
    AUTO_FREE char *content = read_own_file(directory, path, error);
    if (!content)
        return error->code;
    enum json_tokener_error parsed;
    AUTO_JSON json_object *from = json_tokener_parse_verbose(content, &parsed);
    if (!json_object_is_type(from, json_type_object)) {
        node_fail(error, MEMORIES_INVALID, "%s/" NODE_DEFINITION_FILE " is not a JSON object", path);
        if (parsed != json_tokener_success)
            node_cause(error, "%s", json_tokener_error_desc(parsed));
        return MEMORIES_INVALID;
    }
    struct reader reader = { path, error, MEMORIES_OK };
    read_definition(&reader, from, definition);
    if (reader.failed)
        definition_free(definition);
    return reader.failed;
}

void definition_free(struct node_definition *definition)
{
    char *texts[] = { definition->deployment,        definition->key,     definition->name,        definition->token,
                      definition->hostname,          definition->address, definition->interface,   definition->cgroup,
                      definition->network_namespace, definition->holder,  definition->machine_root };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < definition->host_count; i++) {
        free(definition->hosts[i].name);
        free(definition->hosts[i].address);
    }
    free(definition->hosts);
    for (size_t i = 0; i < definition->command_count; i++)
        free_list(definition->commands[i]);
    free(definition->commands);
    free_list(definition->private_directories);
    for (size_t i = 0; i < definition->service_count; i++) {
        free(definition->services[i].name);
        free_list(definition->services[i].command);
        free_list(definition->services[i].environment);
    }
    free(definition->services);
    *definition = (struct node_definition){ 0 };
}
