/* plan.c - a swarmed configuration to its spec: the checks that no schema can say, and the engines' bootstrap */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/spec.h"
#include "plugins/topologies/swarmed/swarmed.h"

#define MANAGERS_DEFAULT 3
#define MANAGERS_MAX 7
#define WORKERS_DEFAULT 3
#define WORKERS_MAX 1000
#define HEARTBEAT_PERIOD_S 2
#define ADDRESS_POOL "172.30.0.0/15"
/* Addresses of one network of services: each task takes one, and each node with such a task. */
#define POOL_SUBNET_PREFIX 20

/* dockerd stops its containers one after the other when they don't end by themselves. */
#define STOP_TIMEOUT_MS 5000
/* Long enough for the kernel to have ended what hung on the engine that died. */
#define RESTART_DELAY_MS 500

struct wish {
    struct spec *spec;
    json_object *swarm; /* config.swarm */
    int managers;
    int workers;
    int min_workers;
    int max_workers;
    bool has_max;
    int engine_port;
    const char *address_pool;
};

static void read_wish(struct wish *wish, struct spec *spec)
{
    json_object *swarm = json_get_object(spec->config, "swarm");
    int min_workers = (int)json_get_int(swarm, "min_nodes", 1);
    int max_workers = (int)json_get_int(swarm, "max_nodes", WORKERS_MAX);
    int workers = json_get(swarm, "min_nodes") ? min_workers : WORKERS_DEFAULT;
    /* A small max_nodes alone asks for a small swarm. */
    if (workers > max_workers)
        workers = max_workers;
    const char *pool = json_get_string(swarm, "address_pool");
    *wish = (struct wish){
        .spec = spec,
        .swarm = swarm,
        .managers = (int)json_get_int(swarm, "manager_nodes", MANAGERS_DEFAULT),
        .workers = (int)json_get_int(swarm, "worker_nodes", workers),
        .min_workers = min_workers,
        .max_workers = max_workers,
        .has_max = json_get(swarm, "max_nodes"),
        .engine_port = (int)json_get_int(swarm, "engine_port", ENGINE_PORT),
        .address_pool = pool ? pool : ADDRESS_POOL,
    };
}

static int32_t check_bounds(const struct wish *wish)
{
    struct memories_call *call = wish->spec->call;
    if (wish->min_workers > wish->max_workers)
        return plugin_fail(call, MEMORIES_INVALID, "config.swarm.min_nodes", "lower min_nodes or raise max_nodes",
                           "min_nodes is %d, which is more than max_nodes, %d", wish->min_workers, wish->max_workers);
    if (wish->workers < wish->min_workers)
        return plugin_fail(call, MEMORIES_INVALID, "config.swarm.worker_nodes",
                           "raise worker_nodes, or lower config.swarm.min_nodes",
                           "expected at least %d workers (config.swarm.min_nodes), found %d", wish->min_workers,
                           wish->workers);
    if (wish->workers > wish->max_workers)
        return plugin_fail(call, MEMORIES_INVALID, "config.swarm.worker_nodes",
                           "lower worker_nodes, or raise config.swarm.max_nodes",
                           "expected at most %d workers (config.swarm.max_nodes), found %d", wish->max_workers,
                           wish->workers);
    return MEMORIES_OK;
}

/* One block's first address and the bits of its prefix. */
static bool read_block(const char *text, uint32_t *address, uint32_t *mask)
{
    char network[INET_ADDRSTRLEN];
    size_t length = text ? strcspn(text, "/") : sizeof network;
    struct in_addr parsed;
    if (length >= sizeof network || text[length] != '/')
        return false;
    memcpy(network, text, length);
    network[length] = '\0';
    if (inet_pton(AF_INET, network, &parsed) != 1)
        return false;
    long prefix = strtol(text + length + 1, NULL, 10);
    *address = ntohl(parsed.s_addr);
    *mask = prefix <= 0 ? 0 : 0xffffffffu << (32 - prefix);
    return true;
}

static int32_t check_address_pool(const struct wish *wish)
{
    struct memories_call *call = wish->spec->call;
    const char *cidr = json_get_string(json_get_object(wish->spec->config, "network"), "cidr");
    uint32_t pool, pool_mask, network, network_mask;
    if (!read_block(wish->address_pool, &pool, &pool_mask) || (pool_mask & ~(0xffffffffu << (32 - POOL_SUBNET_PREFIX))))
        return plugin_fail(call, MEMORIES_INVALID, "config.swarm.address_pool", "choose a private block such as " ADDRESS_POOL,
                           "expected a block of IPv4 addresses of /%d or larger, found \"%s\"", POOL_SUBNET_PREFIX,
                           wish->address_pool);
    if (!read_block(cidr, &network, &network_mask) || (pool ^ network) & pool_mask & network_mask)
        return MEMORIES_OK;
    return plugin_fail(call, MEMORIES_INVALID, "config.swarm.address_pool",
                       "choose another address_pool, or another network.cidr",
                       "the containers' addresses, %s, overlap the nodes' network, %s", wish->address_pool, cidr);
}

static void warn(const struct wish *wish)
{
    int tolerated = (wish->managers - 1) / 2;
    if (wish->managers % 2 == 0)
        spec_warn(wish->spec,
                  "%d managers survive the loss of %d, just like %d: an odd number is better; %d would survive %d",
                  wish->managers, tolerated, wish->managers - 1, wish->managers + 1, tolerated + 1);
    else if (wish->managers == 1)
        spec_warn(wish->spec, "one manager: when it is lost, nobody decides for the swarm any more; 3 survive the loss "
                              "of one");
}

static void add_file(struct wish *wish, json_object *files, const char *path, const char *secret)
{
    json_object *file = json_add_new_object(files);
    wish->spec->failed |= json_set_string(file, "path", path);
    wish->spec->failed |= secret ? json_set_string(file, "secret", secret) : MEMORIES_NO_MEMORY;
    wish->spec->failed |= json_set_string(file, "mode", "0600");
}

static const char *log_level(const struct wish *wish)
{
    const char *level = json_get_string(json_get_object(wish->spec->config, "logging"), "level");
    if (!level)
        return "info";
    return !strcmp(level, "warning") ? "warn" : level;
}

/* Where the node is not root it can't limit what its containers use, and dockerd must not try. Its launcher of rootless
 * daemons is not needed, for the node has a network already. */
static void add_rootless(struct wish *wish, json_object *service)
{
    json_object *rootless = json_set_new_object(service, "rootless");
    wish->spec->failed |= json_add_string(json_set_new_array(rootless, "arguments"), "--rootless");
}

/* dockerd's options go on its command line: they would clash with those in a file, and a file of the machine's own
 * (/etc/docker/daemon.json) must not speak here. */
static void add_service(struct wish *wish, json_object *bootstrap, bool manager)
{
    const char *const command[] = {
        "dockerd",
        "--config-file",
        "%c/daemon.json",
        "--data-root",
        "%d/docker",
        "--exec-root",
        "/run/docker",
        "--pidfile",
        "/run/docker.pid",
        "--host",
        "unix:///run/docker.sock",
        "--host",
        plugin_format(wish->spec->call, manager ? "tcp://%%a:%d" : "tcp://0.0.0.0:%d", wish->engine_port),
        "--tlsverify",
        "--tlscacert",
        "%c/tls/ca.crt",
        "--tlscert",
        "%c/tls/node.crt",
        "--tlskey",
        "%c/tls/node.key",
        "--storage-driver",
        "overlay2",
        "--log-level",
        log_level(wish),
    };
    json_object *service = json_add_new_object(json_set_new_array(bootstrap, "services"));
    wish->spec->failed |= json_set_string(service, "name", "dockerd");
    json_object *words = json_set_new_array(service, "command");
    for (size_t i = 0; i < ARRAY_COUNT(command); i++)
        wish->spec->failed |= json_add_string(words, command[i]);
    wish->spec->failed |= json_set_string(service, "restart", "always");
    wish->spec->failed |= json_set_int(service, "restart_delay_ms", RESTART_DELAY_MS);
    wish->spec->failed |= json_set_int(service, "stop_timeout_ms", STOP_TIMEOUT_MS);
    add_rootless(wish, service);
}

/* Workers are alike to the last byte, so that a cloud makes many of them by one request: none knows its name or address
 * beforehand, and all share one certificate, which opens no engine (a manager's would: it proves a client, too). */
static void add_node(struct wish *wish, const char *role, int number, json_object *machine)
{
    struct spec *spec = wish->spec;
    bool manager = !strcmp(role, "manager");
    const char *name = plugin_format(spec->call, "%s-%d", role, number);
    json_object *bootstrap = spec_add_node(spec, name, role, machine);
    spec->failed |= name ? MEMORIES_OK : MEMORIES_NO_MEMORY;
    json_object *package = json_add_new_object(json_set_new_array(bootstrap, "packages"));
    spec->failed |= json_set_string(package, "name", "docker.io");
    json_object *commands = json_set_new_array(package, "commands");
    spec->failed |= json_add_string(commands, "dockerd");
    spec->failed |= json_add_string(commands, "iptables");

    json_object *files = json_set_new_array(bootstrap, "files");
    add_file(wish, files, "%c/tls/ca.crt", "secret:ca/certificate");
    const char *holder = manager ? plugin_format(spec->call, "node/%s", name) : "group/" WORKERS;
    add_file(wish, files, "%c/tls/node.crt", holder ? plugin_format(spec->call, "secret:%s/certificate", holder) : NULL);
    add_file(wish, files, "%c/tls/node.key", holder ? plugin_format(spec->call, "secret:%s/key", holder) : NULL);
    json_object *file = json_add_new_object(files);
    spec->failed |= json_set_string(file, "path", "%c/daemon.json");
    spec->failed |= json_set_string(file, "content", "{}\n");
    spec->failed |= json_set_string(file, "mode", "0644");
    add_service(wish, bootstrap, manager);

    json_object *ports = json_set_new_array(bootstrap, "ports");
    spec->failed |= json_add(ports, json_object_new_int(wish->engine_port));

    /* What dockerd keeps at fixed places, whatever its options say. */
    json_object *directories = json_set_new_array(bootstrap, "private_directories");
    spec->failed |= json_add_string(directories, "/etc/docker");
    spec->failed |= json_add_string(directories, "/var/lib/docker");
}

static void add_nodes(struct wish *wish)
{
    json_object *specs = json_get_object(wish->spec->config, "node_specs");
    for (int i = 1; i <= wish->managers; i++)
        add_node(wish, "manager", i, json_get_object(specs, "manager_specs"));
    for (int i = 1; i <= wish->workers; i++)
        add_node(wish, WORKERS, i, json_get_object(specs, "worker_specs"));
}

/* Mutual TLS guards the engines. What they say among themselves stays inside of the network. */
static int32_t add_network(struct wish *wish)
{
    const int engine[] = { wish->engine_port }, swarm[] = { SWARM_PORT, GOSSIP_PORT };
    const int datagrams[] = { GOSSIP_PORT, VXLAN_PORT };
    struct spec_opening openings[] = {
        { "memories-engines", "tcp", SPEC_ANYWHERE, engine, 1 },
        { "memories-swarm", "tcp", "network", swarm, 2 },
        { "memories-swarm-udp", "udp", "network", datagrams, 2 },
        { "memories-services", "tcp", SPEC_ANYWHERE, NULL, 0 },
        { "memories-services-udp", "udp", SPEC_ANYWHERE, NULL, 0 },
    };
    int32_t code = plan_published_ports(wish->spec, "tcp", &openings[3].ports, &openings[3].port_count);
    if (!code)
        code = plan_published_ports(wish->spec, "udp", &openings[4].ports, &openings[4].port_count);
    return code ? code : spec_network(wish->spec, openings, ARRAY_COUNT(openings));
}

/* For converge: what the swarm is made with. */
static void add_swarm(struct wish *wish)
{
    json_object *swarm = json_set_new_object(wish->spec->document, "swarm");
    wish->spec->failed |= json_set_int(swarm, "engine_port", wish->engine_port);
    wish->spec->failed |= json_set_string(swarm, "address_pool", wish->address_pool);
    wish->spec->failed |= json_set_int(swarm, "subnet_prefix", POOL_SUBNET_PREFIX);
    wish->spec->failed |= json_set_int(swarm, "heartbeat_period_s",
                                       json_get_int(wish->swarm, "heartbeat_period_s", HEARTBEAT_PERIOD_S));
}

static json_object *add_group(struct wish *wish, json_object *groups, const char *role, const char *key, int count)
{
    json_object *group = json_set_new_object(groups, role);
    wish->spec->failed |= json_set_string(group, "config", key);
    wish->spec->failed |= json_set_int(group, "count", count);
    return group;
}

/* For the core, which scales: which key holds which number, and how far it may go by itself. */
static void add_scaling(struct wish *wish)
{
    static const char *const keys[] = { "target_cpu_utilization", "scale_up_cooldown", "scale_down_cooldown" };
    json_object *scaling = json_set_new_object(wish->spec->document, "scaling");
    json_object *groups = json_set_new_object(scaling, "groups");
    json_object *managers = add_group(wish, groups, "manager", "swarm.manager_nodes", wish->managers);
    wish->spec->failed |= json_set_int(managers, "min", 1) | json_set_int(managers, "max", MANAGERS_MAX);
    json_object *workers = add_group(wish, groups, "worker", "swarm.worker_nodes", wish->workers);
    wish->spec->failed |= json_set_int(workers, "min", wish->min_workers);
    if (wish->has_max)
        wish->spec->failed |= json_set_int(workers, "max", wish->max_workers);
    wish->spec->failed |= json_set_string(scaling, "automatic", "worker");
    json_object *asked = json_get_object(wish->spec->config, "scaling");
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (json_get(asked, keys[i]))
            wish->spec->failed |= json_set(scaling, keys[i], json_ref(json_get(asked, keys[i])));
}

int32_t swarmed_plan(struct memories_call *call, const char *request)
{
    AUTO_SPEC struct spec spec;
    struct wish wish;
    int32_t code = spec_begin(&spec, call, request, "swarmed");
    if (code)
        return code;
    read_wish(&wish, &spec);
    code = check_bounds(&wish);
    if (!code)
        code = check_address_pool(&wish);
    if (!code)
        code = plan_services(&spec, wish.managers, wish.workers, wish.engine_port);
    if (!code)
        code = add_network(&wish);
    if (code)
        return code;
    spec_require_isolation(&spec);
    add_nodes(&wish);
    add_swarm(&wish);
    add_scaling(&wish);
    /* One at a time, so that a majority of the managers always runs. */
    json_object *rollout = json_set_new_object(spec.document, "rollout");
    spec.failed |= json_set_int(rollout, "max_unavailable", 1) | json_set_bool(rollout, "replace", false);
    warn(&wish);
    return spec_finish(&spec);
}
