/* plan.c - a consensus configuration to its spec: the checks that no schema can say, and etcd's bootstrap */
#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/spec.h"
#include "plugins/topologies/consensus/consensus.h"

#define NODES_MAX 7
#define NODES_DEFAULT 3
#define NAME_BYTES_MAX 63
#define CLIENT_PORT 2379
#define PEER_PORT 2380
#define HEARTBEAT_INTERVAL_MS 100
#define ELECTION_TIMEOUT_MS 1000

/* A leader that dies and is back at once may win the election that its death began, or disturb it. The others elect within
 * 2.6 s (etcd's default timers): it comes back after that. A group that can't elect without it waits for nothing. */
#define RESTART_DELAY_MS 3000
#define ELECTING_MEMBERS 3
/* A last leader looks seven seconds for a successor when all are stopped. etcd's log is safe against a kill. */
#define STOP_TIMEOUT_MS 2000

struct wish {
    struct spec *spec;
    json_object *consensus;  /* config.consensus */
    json_object *node_specs; /* NULL: none given */
    int min_nodes;
    int max_nodes;
    int client_port;
    int peer_port;
    int count;
    const char *names[NODES_MAX];
    json_object *founders; /* names of the members that the cluster was formed of; NULL: all */
    json_object *joined;   /* {name: members when it came} of the members that came later; NULL: none */
};

static int majority(int count)
{
    return count / 2 + 1;
}

static json_object *node_spec(const struct wish *wish, int index)
{
    return json_at(wish->node_specs, (size_t)index);
}

static int32_t check_algorithm(const struct wish *wish)
{
    const char *algorithm = json_get_string(wish->consensus, "algorithm");
    if (!algorithm || !strcmp(algorithm, "raft"))
        return MEMORIES_OK;
    return plugin_fail(wish->spec->call, MEMORIES_INVALID, "config.consensus.algorithm",
                       "set it to raft, or leave it out", "expected raft, found \"%s\"", algorithm);
}

static bool is_dns_label(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= NAME_BYTES_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
           name[0] != '-' && name[length - 1] != '-';
}

static int32_t check_name(const struct wish *wish, int index)
{
    struct memories_call *call = wish->spec->call;
    const char *name = wish->names[index];
    const char *where = plugin_format(call, "config.node_specs[%d].id", index);
    if (!name || !is_dns_label(name))
        return plugin_fail(call, MEMORIES_INVALID, where, "choose a name such as node1",
                           "expected a DNS label (1 to 63 of a-z, 0-9 and -, no - at either end), found \"%s\"",
                           name ? name : "");
    for (int i = 0; i < index; i++)
        if (!strcmp(wish->names[i], name))
            return plugin_fail(call, MEMORIES_INVALID, where, "give each node a name of its own",
                               "\"%s\" is the id of config.node_specs[%d] too", name, i);
    return MEMORIES_OK;
}

static int32_t check_names(const struct wish *wish)
{
    for (int i = 0; wish->node_specs && i < wish->count; i++) {
        int32_t code = check_name(wish, i);
        if (code)
            return code;
    }
    return MEMORIES_OK;
}

static int32_t check_count(const struct wish *wish)
{
    struct memories_call *call = wish->spec->call;
    if (wish->min_nodes > wish->max_nodes)
        return plugin_fail(call, MEMORIES_INVALID, "config.consensus.min_nodes", "lower min_nodes or raise max_nodes",
                           "min_nodes is %d, which is more than max_nodes, %d", wish->min_nodes, wish->max_nodes);
    if (wish->count < wish->min_nodes)
        return plugin_fail(
            call, MEMORIES_INVALID, "config.node_specs", "add nodes, or lower config.consensus.min_nodes",
            "expected at least %d nodes (config.consensus.min_nodes), found %d", wish->min_nodes, wish->count);
    if (wish->count > wish->max_nodes)
        return plugin_fail(
            call, MEMORIES_INVALID, wish->node_specs ? "config.node_specs" : "config.consensus.max_nodes",
            "remove nodes, or raise config.consensus.max_nodes",
            "expected at most %d nodes (config.consensus.max_nodes), found %d", wish->max_nodes, wish->count);
    return MEMORIES_OK;
}

static int32_t check_quorum(const struct wish *wish)
{
    int needed = majority(wish->count);
    int quorum = (int)json_get_int(wish->consensus, "quorum_size", needed);
    if (quorum == needed)
        return MEMORIES_OK;
    const char *why = quorum < needed ? "with fewer, two halves of a broken network could decide differently"
                                      : "with more, fewer failures would stop the cluster, and nothing is won";
    return plugin_fail(wish->spec->call, MEMORIES_INVALID, "config.consensus.quorum_size",
                       plugin_format(wish->spec->call, "set quorum_size to %d, or leave it out", needed),
                       "expected %d, the majority of %d members, found %d: Raft decides by majority; %s", needed,
                       wish->count, quorum, why);
}

static int32_t check_ports(const struct wish *wish)
{
    if (wish->client_port != wish->peer_port)
        return MEMORIES_OK;
    return plugin_fail(wish->spec->call, MEMORIES_INVALID, "config.consensus.peer_port",
                       "choose another port for one of them", "client_port and peer_port are both %d", wish->peer_port);
}

static int heartbeat_interval_ms(const struct wish *wish)
{
    return (int)json_get_int(wish->consensus, "heartbeat_interval_ms", HEARTBEAT_INTERVAL_MS);
}

static int election_timeout_ms(const struct wish *wish)
{
    return (int)json_get_int(wish->consensus, "election_timeout_ms", ELECTION_TIMEOUT_MS);
}

/* etcd's own rule: it refuses to start otherwise. */
static int32_t check_timers(const struct wish *wish)
{
    int heartbeat = heartbeat_interval_ms(wish), election = election_timeout_ms(wish);
    if (election >= 5 * heartbeat)
        return MEMORIES_OK;
    return plugin_fail(wish->spec->call, MEMORIES_INVALID, "config.consensus.election_timeout_ms",
                       plugin_format(wish->spec->call,
                                     "set election_timeout_ms to %d or more, or lower "
                                     "heartbeat_interval_ms",
                                     5 * heartbeat),
                       "expected at least 5 heartbeats of %d ms, found %d ms", heartbeat, election);
}

static int32_t check(const struct wish *wish)
{
    static int32_t (*const checks[])(const struct wish *) = {
        check_algorithm, check_count, check_names, check_quorum, check_ports, check_timers,
    };
    for (size_t i = 0; i < ARRAY_COUNT(checks); i++) {
        int32_t code = checks[i](wish);
        if (code)
            return code;
    }
    return MEMORIES_OK;
}

static void warn_even(const struct wish *wish)
{
    if (wish->count % 2)
        return;
    int tolerated = (wish->count - 1) / 2;
    spec_warn(wish->spec,
              "%d members survive the loss of %d, just like %d: an odd number is better; %d would survive %d",
              wish->count, tolerated, wish->count - 1, wish->count + 1, tolerated + 1);
}

static const char *zone_of(const struct wish *wish, int index)
{
    const char *zone = json_get_string(node_spec(wish, index), "zone");
    return zone ? zone : json_get_string(wish->spec->config, "zone");
}

static int count_in_zone(const struct wish *wish, const char *zone, int from, int to)
{
    int count = 0;
    for (int i = from; i < to; i++)
        if (zone && zone_of(wish, i) && !strcmp(zone_of(wish, i), zone))
            count++;
    return count;
}

/* With two zones one of them always holds a majority; with three that can be avoided. */
static void warn_zones(const struct wish *wish)
{
    int zones = 0;
    for (int i = 0; i < wish->count; i++)
        if (zone_of(wish, i) && !count_in_zone(wish, zone_of(wish, i), 0, i))
            zones++;
    for (int i = 0; zones >= 3 && i < wish->count; i++) {
        int inside = count_in_zone(wish, zone_of(wish, i), 0, wish->count);
        if (inside < majority(wish->count) || count_in_zone(wish, zone_of(wish, i), 0, i))
            continue;
        spec_warn(wish->spec,
                  "zone %s holds %d of %d members: without it there is no majority; put at most %d in one zone",
                  zone_of(wish, i), inside, wish->count, majority(wish->count) - 1);
    }
}

static int32_t read_wish(struct wish *wish, struct spec *spec)
{
    json_object *consensus = json_get_object(spec->config, "consensus");
    json_object *node_specs = json_get_array(spec->config, "node_specs");
    int min_nodes = (int)json_get_int(consensus, "min_nodes", node_specs ? 1 : NODES_DEFAULT);
    int max_nodes = (int)json_get_int(consensus, "max_nodes", NODES_MAX);
    /* A small max_nodes alone asks for a small cluster. */
    if (!node_specs && !json_get(consensus, "min_nodes") && max_nodes < min_nodes)
        min_nodes = max_nodes;
    *wish = (struct wish){
        .spec = spec,
        .consensus = consensus,
        .node_specs = node_specs,
        .min_nodes = min_nodes,
        .max_nodes = max_nodes,
        .founders = json_get_array(spec->request, "founders"),
        .joined = json_get_object(spec->request, "joined"),
        .client_port = (int)json_get_int(consensus, "client_port", CLIENT_PORT),
        .peer_port = (int)json_get_int(consensus, "peer_port", PEER_PORT),
        .count = node_specs ? (int)json_count(node_specs) : min_nodes,
    };
    if (wish->count < 1 || wish->count > NODES_MAX)
        return plugin_fail(spec->call, MEMORIES_INVALID,
                           node_specs ? "config.node_specs" : "config.consensus.min_nodes",
                           "each further member makes every write slower; 3, 5 or 7 are usual",
                           "expected 1 to %d nodes, found %d", NODES_MAX, wish->count);
    for (int i = 0; i < wish->count; i++) {
        wish->names[i] =
            node_specs ? json_get_string(node_spec(wish, i), "id") : plugin_format(spec->call, "node%d", i + 1);
        if (!wish->names[i] && !node_specs)
            return plugin_no_memory(spec->call);
    }
    return MEMORIES_OK;
}

static bool is_in(json_object *names, const char *name)
{
    for (size_t i = 0; i < json_count(names); i++)
        if (!strcmp(json_object_get_string(json_at(names, i)), name))
            return true;
    return false;
}

/* "node1=https://%{node1}:2380,…": the core puts the addresses in. etcd reads this at a member's very first start only: it
 * names the members that were there then, so that it stays as it is, and no member is restarted, when others come. */
static const char *make_initial_cluster(const struct wish *wish, int index)
{
    json_object *joined = json_get_array(wish->joined, wish->names[index]);
    json_object *present = joined ? joined : wish->founders;
    const char *cluster = "";
    for (int i = 0; cluster && i < wish->count; i++) {
        if (present && !is_in(present, wish->names[i]))
            continue;
        cluster = plugin_format(wish->spec->call, "%s%s%s=https://%%{%s}:%d", cluster, *cluster ? "," : "",
                                wish->names[i], wish->names[i], wish->peer_port);
    }
    return cluster;
}

/* etcd knows debug, info, warn, error. */
static const char *log_level(const struct wish *wish)
{
    const char *level = json_get_string(json_get_object(wish->spec->config, "logging"), "level");
    if (!level)
        return "info";
    return !strcmp(level, "warning") ? "warn" : level;
}

static void add_option(struct wish *wish, json_object *command, const char *name, const char *value)
{
    wish->spec->failed |= json_add_string(command, name);
    wish->spec->failed |= json_add_string(command, value);
}

static void add_command(struct wish *wish, json_object *service, int index)
{
    struct memories_call *call = wish->spec->call;
    const char *client_url = plugin_format(call, "https://%%a:%d", wish->client_port);
    const char *peer_url = plugin_format(call, "https://%%a:%d", wish->peer_port);
    const struct {
        const char *name, *value;
    } options[] = {
        { "--name", wish->names[index] },
        { "--data-dir", "%d/etcd" },
        { "--listen-client-urls", client_url },
        { "--advertise-client-urls", client_url },
        { "--listen-peer-urls", peer_url },
        { "--initial-advertise-peer-urls", peer_url },
        { "--initial-cluster", make_initial_cluster(wish, index) },
        { "--initial-cluster-state", json_get(wish->joined, wish->names[index]) ? "existing" : "new" },
        { "--initial-cluster-token", wish->spec->deployment },
        { "--heartbeat-interval", plugin_format(call, "%d", heartbeat_interval_ms(wish)) },
        { "--election-timeout", plugin_format(call, "%d", election_timeout_ms(wish)) },
        { "--trusted-ca-file", "%c/tls/ca.crt" },
        { "--cert-file", "%c/tls/node.crt" },
        { "--key-file", "%c/tls/node.key" },
        { "--peer-trusted-ca-file", "%c/tls/ca.crt" },
        { "--peer-cert-file", "%c/tls/node.crt" },
        { "--peer-key-file", "%c/tls/node.key" },
        { "--logger", "zap" },
        { "--log-outputs", "stderr" },
        { "--log-level", log_level(wish) },
    };
    json_object *command = json_set_new_array(service, "command");
    wish->spec->failed |= json_add_string(command, "etcd");
    for (size_t i = 0; i < ARRAY_COUNT(options); i++)
        add_option(wish, command, options[i].name, options[i].value);
    wish->spec->failed |= json_add_string(command, "--client-cert-auth");
    wish->spec->failed |= json_add_string(command, "--peer-client-cert-auth");
}

static void add_file(struct wish *wish, json_object *files, const char *path, const char *secret)
{
    json_object *file = json_add_new_object(files);
    wish->spec->failed |= json_set_string(file, "path", path);
    wish->spec->failed |= secret ? json_set_string(file, "secret", secret) : MEMORIES_NO_MEMORY;
    wish->spec->failed |= json_set_string(file, "mode", "0600");
}

static void add_node(struct wish *wish, int index)
{
    struct spec *spec = wish->spec;
    const char *name = wish->names[index];
    json_object *bootstrap = spec_add_node(spec, name, "member", node_spec(wish, index));
    json_object *package = json_add_new_object(json_set_new_array(bootstrap, "packages"));
    spec->failed |= json_set_string(package, "name", "etcd-server");
    spec->failed |= json_add_string(json_set_new_array(package, "commands"), "etcd");

    json_object *files = json_set_new_array(bootstrap, "files");
    add_file(wish, files, "%c/tls/ca.crt", "secret:ca/certificate");
    add_file(wish, files, "%c/tls/node.crt", plugin_format(spec->call, "secret:node/%s/certificate", name));
    add_file(wish, files, "%c/tls/node.key", plugin_format(spec->call, "secret:node/%s/key", name));

    json_object *service = json_add_new_object(json_set_new_array(bootstrap, "services"));
    spec->failed |= json_set_string(service, "name", "etcd");
    add_command(wish, service, index);
    spec->failed |= json_set_string(service, "restart", "always");
    spec->failed |= json_set_int(service, "start_delay_ms", CONSENSUS_START_GAP_MS * index);
    if (wish->count >= ELECTING_MEMBERS)
        spec->failed |= json_set_int(service, "restart_delay_ms", RESTART_DELAY_MS);
    spec->failed |= json_set_int(service, "stop_timeout_ms", STOP_TIMEOUT_MS);

    /* The client port comes first: members.c finds it there. */
    json_object *ports = json_set_new_array(bootstrap, "ports");
    spec->failed |= json_add(ports, json_object_new_int(wish->client_port));
    spec->failed |= json_add(ports, json_object_new_int(wish->peer_port));
}

/* Mutual TLS guards the client port, so that it may be reached from anywhere unless the configuration says otherwise.
 */
static int32_t add_network(struct wish *wish)
{
    const int inside[] = { wish->client_port, wish->peer_port };
    const struct spec_opening openings[] = {
        { "memories-members", "tcp", "network", inside, 2 },
        { "memories-clients", "tcp", SPEC_ANYWHERE, inside, 1 },
    };
    return spec_network(wish->spec, openings, ARRAY_COUNT(openings));
}

int32_t consensus_plan(struct memories_call *call, const char *request)
{
    AUTO_SPEC struct spec spec;
    struct wish wish;
    int32_t code = spec_begin(&spec, call, request, "consensus");
    if (!code)
        code = read_wish(&wish, &spec);
    if (!code)
        code = check(&wish);
    if (!code)
        code = add_network(&wish);
    if (code)
        return code;
    for (int i = 0; i < wish.count; i++)
        add_node(&wish, i);
    /* One at a time, so that a majority always runs; and with its data: a member without can't come back. */
    json_object *rollout = json_set_new_object(spec.document, "rollout");
    spec.failed |= json_set_int(rollout, "max_unavailable", 1);
    spec.failed |= json_set_bool(rollout, "replace", false);
    warn_even(&wish);
    warn_zones(&wish);
    return spec_finish(&spec);
}
