/* plan.c - a standalone configuration to its spec */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/spec.h"
#include "plugins/topologies/standalone/standalone.h"

#define NODE "node1"
#define SERVER_PORT 8000
#define PORTS_MAX 64

struct wish {
    struct spec *spec;
    json_object *workload; /* NULL: the built-in server */
    const char *health_path;
    int health_port; /* 0: no health check */
    int ports[PORTS_MAX];
    size_t port_count;
};

static int32_t add_port(struct wish *wish, int port)
{
    for (size_t i = 0; i < wish->port_count; i++)
        if (wish->ports[i] == port)
            return MEMORIES_OK;
    if (wish->port_count == PORTS_MAX)
        return plugin_fail(wish->spec->call, MEMORIES_INVALID, "config.workload.ports", "leave some out",
                           "expected at most %d ports", PORTS_MAX);
    wish->ports[wish->port_count++] = port;
    return MEMORIES_OK;
}

static int32_t read_ports(struct wish *wish)
{
    json_object *ports = json_get_array(wish->workload, "ports");
    for (size_t i = 0; i < json_count(ports); i++) {
        int32_t code = add_port(wish, json_object_get_int(json_at(ports, i)));
        if (code)
            return code;
    }
    return MEMORIES_OK;
}

static int32_t read_health(struct wish *wish)
{
    json_object *health = json_get_object(wish->workload, "health");
    if (!health)
        return MEMORIES_OK;
    wish->health_path = json_get_string(health, "path");
    wish->health_port = (int)json_get_int(health, "port", wish->port_count ? wish->ports[0] : 0);
    if (!wish->health_port)
        return plugin_fail(wish->spec->call, MEMORIES_INVALID, "config.workload.health",
                           "add port, or list the workload's ports in config.workload.ports",
                           "expected a port to ask, found none");
    return add_port(wish, wish->health_port);
}

static int32_t check_workload(const struct wish *wish)
{
    struct memories_call *call = wish->spec->call;
    json_object *services = json_get_array(wish->workload, "services");
    bool has_command = json_get(wish->workload, "command");
    if (has_command && services)
        return plugin_fail(call, MEMORIES_INVALID, "config.workload", "make the command one of the services",
                           "expected either command or services, found both");
    if (!has_command && !services)
        return plugin_fail(call, MEMORIES_INVALID, "config.workload",
                           "add command, or leave config.workload out to run memories-server",
                           "expected command or services, found neither");
    AUTO_JSON json_object *names = json_object_new_object();
    for (size_t i = 0; i < json_count(services); i++) {
        const char *name = json_get_string(json_at(services, i), "name");
        json_object *earlier = json_get(names, name);
        if (earlier)
            return plugin_fail(call, MEMORIES_INVALID, plugin_format(call, "config.workload.services[%zu].name", i),
                               "give each service a name of its own",
                               "\"%s\" is the name of config.workload.services[%d] too", name,
                               json_object_get_int(earlier));
        wish->spec->failed |= json_set_int(names, name, (int64_t)i);
    }
    return MEMORIES_OK;
}

static int32_t read_wish(struct wish *wish, struct spec *spec)
{
    *wish = (struct wish){ .spec = spec, .workload = json_get_object(spec->config, "workload") };
    if (!wish->workload) {
        wish->health_path = "/healthz";
        wish->health_port = SERVER_PORT;
        return add_port(wish, SERVER_PORT);
    }
    int32_t code = check_workload(wish);
    if (!code)
        code = read_ports(wish);
    return code ? code : read_health(wish);
}

static void copy(struct wish *wish, json_object *from, json_object *to, const char *key)
{
    json_object *value = json_get(from, key);
    if (value)
        wish->spec->failed |= json_set(to, key, json_ref(value));
}

static void add_service(struct wish *wish, json_object *services, json_object *from, const char *name)
{
    const char *restart = json_get_string(from, "restart");
    json_object *service = json_add_new_object(services);
    wish->spec->failed |= json_set_string(service, "name", name);
    copy(wish, from, service, "command");
    copy(wish, from, service, "environment");
    wish->spec->failed |= json_set_string(service, "restart", restart ? restart : "always");
    copy(wish, from, service, "start_delay_ms");
    copy(wish, from, service, "stop_timeout_ms");
}

/* memories-server comes with memories: a provider that can't install only looks whether it is there. */
static void add_server(struct wish *wish, json_object *bootstrap)
{
    const char *const command[] = {
        "memories-server",
        "--listen",
        "%a",
        "--port",
        MEMORIES_STRINGIFY(SERVER_PORT),
        "--deployment",
        wish->spec->deployment,
        "--node",
        "%n",
        "--role",
        "standalone",
        "--data",
        "%d",
    };
    json_object *package = json_add_new_object(json_set_new_array(bootstrap, "packages"));
    wish->spec->failed |= json_set_string(package, "name", "memories-server");
    wish->spec->failed |= json_add_string(json_set_new_array(package, "commands"), "memories-server");
    json_object *service = json_add_new_object(json_set_new_array(bootstrap, "services"));
    wish->spec->failed |= json_set_string(service, "name", "memories-server");
    json_object *arguments = json_set_new_array(service, "command");
    for (size_t i = 0; i < ARRAY_COUNT(command); i++)
        wish->spec->failed |= json_add_string(arguments, command[i]);
    wish->spec->failed |= json_set_string(service, "restart", "always");
}

static void add_workload(struct wish *wish, json_object *bootstrap)
{
    static const char *const keys[] = { "packages", "files", "commands" };
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        copy(wish, wish->workload, bootstrap, keys[i]);
    json_object *asked = json_get_array(wish->workload, "services");
    json_object *services = json_set_new_array(bootstrap, "services");
    if (!asked)
        add_service(wish, services, wish->workload, "workload");
    for (size_t i = 0; i < json_count(asked); i++)
        add_service(wish, services, json_at(asked, i), json_get_string(json_at(asked, i), "name"));
}

static void add_node(struct wish *wish)
{
    json_object *bootstrap = spec_add_node(wish->spec, NODE, "standalone", NULL);
    if (wish->workload)
        add_workload(wish, bootstrap);
    else
        add_server(wish, bootstrap);
    json_object *ports = json_set_new_array(bootstrap, "ports");
    for (size_t i = 0; i < wish->port_count; i++)
        wish->spec->failed |= json_add(ports, json_object_new_int(wish->ports[i]));
}

/* For status.c, which gets the spec again. */
static void add_health(struct wish *wish)
{
    if (!wish->health_port)
        return;
    json_object *health = json_set_new_object(wish->spec->document, "health");
    wish->spec->failed |= json_set_string(health, "path", wish->health_path);
    wish->spec->failed |= json_set_int(health, "port", wish->health_port);
}

int32_t standalone_plan(struct memories_call *call, const char *request)
{
    AUTO_SPEC struct spec spec;
    struct wish wish;
    int32_t code = spec_begin(&spec, call, request, "standalone");
    if (!code)
        code = read_wish(&wish, &spec);
    if (code)
        return code;
    const struct spec_opening opening = { "memories-workload", "tcp", SPEC_ANYWHERE, wish.ports, wish.port_count };
    code = spec_network(&spec, &opening, 1);
    if (code)
        return code;
    add_node(&wish);
    add_health(&wish);
    return spec_finish(&spec);
}
