/* plan_services.c - config.services, or what runs by default, to spec.services with every default written out */
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/topologies/swarmed/swarmed.h"

#define API_PORT 8000
#define API_REPLICAS 3

#define HEALTH_INTERVAL_S 5
#define HEALTH_TIMEOUT_S 3
#define HEALTH_RETRIES 3

struct services {
    struct spec *spec;
    json_object *list; /* spec.services */
    int managers;
    int workers;
    int engine_port;
};

static void copy(struct services *services, json_object *from, json_object *to, const char *key)
{
    json_object *value = json_get(from, key);
    if (value)
        services->spec->failed |= json_set(to, key, json_ref(value));
}

/* ---- what is there without config.services ---- */

static json_object *add_server(struct services *services, const char *name, const char *role)
{
    const char *const command[] = {
        "/memories-server", "--listen", "0.0.0.0", "--port",  MEMORIES_STRINGIFY(API_PORT), "--deployment",
        services->spec->deployment, "--role", role,
    };
    json_object *service = json_add_new_object(services->list);
    services->spec->failed |= json_set_string(service, "name", name);
    services->spec->failed |= json_set_string(service, "image", BUILTIN_IMAGE);
    json_object *words = json_set_new_array(service, "command");
    for (size_t i = 0; i < ARRAY_COUNT(command); i++)
        services->spec->failed |= json_add_string(words, command[i]);
    return service;
}

/* The API on as many nodes as it has replicas: each publishes its node's port. One worker everywhere, so that new nodes
 * get theirs. The database stays with its volume. */
static void add_defaults(struct services *services)
{
    int nodes = services->managers + services->workers;
    json_object *api = add_server(services, "memories-api", "api");
    services->spec->failed |= json_set_string(api, "mode", "replicated");
    services->spec->failed |= json_set_int(api, "replicas", nodes < API_REPLICAS ? nodes : API_REPLICAS);
    json_object *port = json_add_new_object(json_set_new_array(api, "ports"));
    services->spec->failed |= json_set_int(port, "published", API_PORT) | json_set_int(port, "target", API_PORT);
    services->spec->failed |= json_set_string(port, "protocol", "tcp");

    json_object *worker = add_server(services, "memories-worker", "worker");
    services->spec->failed |= json_set_string(worker, "mode", "global");
    services->spec->failed |= json_set_string(json_set_new_object(worker, "placement"), "role", "worker");

    json_object *database = add_server(services, "memories-db", "db");
    json_object *words = json_get_array(database, "command");
    services->spec->failed |= json_add_string(words, "--data") | json_add_string(words, "/data");
    services->spec->failed |= json_set_string(database, "mode", "replicated");
    services->spec->failed |= json_set_int(database, "replicas", 1);
    services->spec->failed |= json_set_string(json_set_new_object(database, "placement"), "node", "worker-1");
    json_object *volume = json_add_new_object(json_set_new_array(database, "volumes"));
    services->spec->failed |= json_set_string(volume, "name", "memories-db");
    services->spec->failed |= json_set_string(volume, "path", "/data");
}

/* ---- what the configuration says ---- */

static const char *where(struct services *services, size_t index, const char *key)
{
    return plugin_format(services->spec->call, "config.services[%zu].%s", index, key);
}

static int32_t check_name(struct services *services, json_object *asked, size_t index, json_object *names)
{
    const char *name = json_get_string(asked, "name");
    json_object *earlier = json_get(names, name);
    if (earlier)
        return plugin_fail(services->spec->call, MEMORIES_INVALID, where(services, index, "name"),
                           "give each service a name of its own", "\"%s\" is the name of config.services[%d] too", name,
                           json_object_get_int(earlier));
    services->spec->failed |= json_set_int(names, name, (int64_t)index);
    return MEMORIES_OK;
}

/* "worker-3" of a swarm that has it. */
static bool has_node(const struct services *services, const char *name)
{
    int number = 0, length = 0;
    if (sscanf(name, "manager-%d%n", &number, &length) == 1 && !name[length])
        return number >= 1 && number <= services->managers;
    if (sscanf(name, "worker-%d%n", &number, &length) == 1 && !name[length])
        return number >= 1 && number <= services->workers;
    return false;
}

static int32_t check_placement(struct services *services, json_object *asked, size_t index)
{
    const char *node = json_get_string(json_get_object(asked, "placement"), "node");
    if (!node || has_node(services, node))
        return MEMORIES_OK;
    return plugin_fail(services->spec->call, MEMORIES_INVALID, where(services, index, "placement.node"),
                       "name a node that stays, or leave it out",
                       "service %s is bound to %s, and the nodes are manager-1 to manager-%d and worker-1 to worker-%d",
                       json_get_string(asked, "name"), node, services->managers, services->workers);
}

/* Every task publishes the ports of its node, so that two tasks with one port can't share a node. */
static int32_t check_room(struct services *services, json_object *asked, size_t index)
{
    json_object *placement = json_get_object(asked, "placement");
    const char *role = json_get_string(placement, "role");
    int room = json_get(placement, "node")        ? 1
               : !role                            ? services->managers + services->workers
               : !strcmp(role, "manager")         ? services->managers
                                                  : services->workers;
    int64_t replicas = json_get_int(asked, "replicas", 1);
    if (!json_count(json_get_array(asked, "ports")) || replicas <= room)
        return MEMORIES_OK;
    return plugin_fail(services->spec->call, MEMORIES_INVALID, where(services, index, "replicas"),
                       "add nodes, or lower replicas, or publish no port",
                       "service %s publishes a port, so that each node has room for one of its tasks: expected at most "
                       "%d replicas, found %lld",
                       json_get_string(asked, "name"), room, (long long)replicas);
}

/* What the engines listen on, at all addresses of their nodes. */
static bool is_the_engines_own(const struct services *services, int64_t port, const char *protocol)
{
    if (!strcmp(protocol, "udp"))
        return port == GOSSIP_PORT || port == VXLAN_PORT;
    return port == services->engine_port || port == SWARM_PORT || port == GOSSIP_PORT;
}

static int32_t check_ports(struct services *services, json_object *asked, size_t index, json_object *owners)
{
    json_object *ports = json_get_array(asked, "ports");
    for (size_t i = 0; i < json_count(ports); i++) {
        const char *protocol = json_get_string(json_at(ports, i), "protocol");
        int64_t port = json_get_int(json_at(ports, i), "published", 0);
        protocol = protocol ? protocol : "tcp";
        const char *key = plugin_format(services->spec->call, "%lld/%s", (long long)port, protocol);
        const char *place =
            plugin_format(services->spec->call, "config.services[%zu].ports[%zu].published", index, i);
        if (!key || !place)
            return plugin_no_memory(services->spec->call);
        if (is_the_engines_own(services, port, protocol))
            return plugin_fail(services->spec->call, MEMORIES_INVALID, place, "publish another port",
                               "port %s is what the engines themselves listen on", key);
        const char *owner = json_get_string(owners, key);
        if (owner)
            return plugin_fail(services->spec->call, MEMORIES_INVALID, place, "publish another port",
                               "port %s is published by service %s already", key, owner);
        services->spec->failed |= json_set_string(owners, key, json_get_string(asked, "name"));
    }
    return MEMORIES_OK;
}

static void add_ports(struct services *services, json_object *service, json_object *asked)
{
    json_object *ports = json_get_array(asked, "ports");
    json_object *list = json_count(ports) ? json_set_new_array(service, "ports") : NULL;
    for (size_t i = 0; i < json_count(ports); i++) {
        json_object *from = json_at(ports, i), *port = json_add_new_object(list);
        const char *protocol = json_get_string(from, "protocol");
        int64_t published = json_get_int(from, "published", 0);
        services->spec->failed |= json_set_int(port, "published", published);
        services->spec->failed |= json_set_int(port, "target", json_get_int(from, "target", published));
        services->spec->failed |= json_set_string(port, "protocol", protocol ? protocol : "tcp");
    }
}

static void add_health(struct services *services, json_object *service, json_object *asked)
{
    json_object *from = json_get_object(asked, "health");
    if (!from)
        return;
    json_object *health = json_set_new_object(service, "health");
    copy(services, from, health, "command");
    services->spec->failed |= json_set_int(health, "interval_s", json_get_int(from, "interval_s", HEALTH_INTERVAL_S));
    services->spec->failed |= json_set_int(health, "timeout_s", json_get_int(from, "timeout_s", HEALTH_TIMEOUT_S));
    services->spec->failed |= json_set_int(health, "retries", json_get_int(from, "retries", HEALTH_RETRIES));
}

static void add_asked(struct services *services, json_object *asked)
{
    static const char *const keys[] = { "name", "image", "image_archive", "command", "env" };
    static const char *const more[] = { "placement", "resources", "volumes" };
    const char *mode = json_get_string(asked, "mode");
    json_object *service = json_add_new_object(services->list);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        copy(services, asked, service, keys[i]);
    add_health(services, service, asked);
    services->spec->failed |= json_set_string(service, "mode", mode ? mode : "replicated");
    if (!mode || strcmp(mode, "global"))
        services->spec->failed |= json_set_int(service, "replicas", json_get_int(asked, "replicas", 1));
    add_ports(services, service, asked);
    for (size_t i = 0; i < ARRAY_COUNT(more); i++)
        copy(services, asked, service, more[i]);
}

static int32_t check_mode(struct services *services, json_object *asked, size_t index)
{
    const char *mode = json_get_string(asked, "mode");
    if (!mode || strcmp(mode, "global") || !json_get(asked, "replicas"))
        return MEMORIES_OK;
    return plugin_fail(services->spec->call, MEMORIES_INVALID, where(services, index, "replicas"),
                       "leave replicas out, or set mode to replicated",
                       "service %s is global: it has one task on every node, and no number of replicas",
                       json_get_string(asked, "name"));
}

static int32_t add_all_asked(struct services *services, json_object *asked)
{
    AUTO_JSON json_object *names = json_object_new_object();
    AUTO_JSON json_object *owners = json_object_new_object();
    if (!names || !owners)
        return plugin_no_memory(services->spec->call);
    for (size_t i = 0; i < json_count(asked); i++) {
        json_object *one = json_at(asked, i);
        int32_t code = check_name(services, one, i, names);
        if (!code)
            code = check_mode(services, one, i);
        if (!code)
            code = check_placement(services, one, i);
        if (!code)
            code = check_room(services, one, i);
        if (!code)
            code = check_ports(services, one, i, owners);
        if (code)
            return code;
        add_asked(services, one);
    }
    return MEMORIES_OK;
}

int32_t plan_services(struct spec *spec, int managers, int workers, int engine_port)
{
    json_object *asked = json_get_array(spec->config, "services");
    struct services services = {
        .spec = spec,
        .list = json_set_new_array(spec->document, "services"),
        .managers = managers,
        .workers = workers,
        .engine_port = engine_port,
    };
    if (!services.list)
        return plugin_no_memory(spec->call);
    if (asked)
        return add_all_asked(&services, asked);
    add_defaults(&services);
    return MEMORIES_OK;
}

int32_t plan_published_ports(struct spec *spec, const char *protocol, const int **ports, size_t *count)
{
    json_object *services = json_get_array(spec->document, "services");
    size_t most = 0;
    for (size_t i = 0; i < json_count(services); i++)
        most += json_count(json_get_array(json_at(services, i), "ports"));
    int *list = plugin_host->allocate(spec->call, (most + 1) * sizeof *list);
    if (!list)
        return plugin_no_memory(spec->call);
    *count = 0;
    for (size_t i = 0; i < json_count(services); i++) {
        json_object *published = json_get_array(json_at(services, i), "ports");
        for (size_t k = 0; k < json_count(published); k++)
            if (!strcmp(json_get_string(json_at(published, k), "protocol"), protocol))
                list[(*count)++] = (int)json_get_int(json_at(published, k), "published", 0);
    }
    *ports = list;
    return MEMORIES_OK;
}
