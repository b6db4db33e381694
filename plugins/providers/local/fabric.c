/* fabric.c - a deployment's network in namespace isolation, see fabric.h */
#include "plugins/providers/local/fabric.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/node/search_path.h"
#include "plugins/providers/local/program.h"
#include "plugins/providers/local/rootless.h"
#include "plugins/providers/local/rootless/holder.h"
#include "plugins/providers/local/rootless/relay.h"
#include "plugins/providers/local/run.h"

#define SPACES "/run/netns"

/* The fabric's end of the way to this machine. */
#define HOST_PORT "host"

/* Access addresses to the network's own and back, element by element as nodes come and go. The last rule is for a node
 * that calls another one by its access address: the answer must come back through the fabric. */
static const char fabric_rules[] = "table ip memories {\n"
                                   "    map inside { type ipv4_addr : ipv4_addr; }\n"
                                   "    map outside { type ipv4_addr : ipv4_addr; }\n"
                                   "    chain prerouting {\n"
                                   "        type nat hook prerouting priority dstnat; policy accept;\n"
                                   "        dnat to ip daddr map @inside\n"
                                   "    }\n"
                                   "    chain postrouting {\n"
                                   "        type nat hook postrouting priority srcnat; policy accept;\n"
                                   "        oifname \"" HOST_PORT "\" snat to ip saddr map @outside\n"
                                   "        ct status dnat snat to ip saddr map @outside\n"
                                   "    }\n"
                                   "}\n";

/* A script in the making; `text` belongs to it once finished. */
struct script {
    FILE *out;
    char *text;
    size_t length;
};

static int script_begin(struct script *script)
{
    *script = (struct script){ 0 };
    script->out = open_memstream(&script->text, &script->length);
    return script->out ? 0 : -1;
}

static int script_finish(struct script *script)
{
    int failed = ferror(script->out) | fclose(script->out);
    script->out = NULL;
    return failed ? -1 : 0;
}

static void script_clear(struct script *script)
{
    if (script->out)
        fclose(script->out);
    free(script->text);
}
#define AUTO_SCRIPT __attribute__((cleanup(script_clear)))

/* One piece of work on a deployment's network. */
struct fabric {
    struct fabric_names names;
    char *directory; /* the deployment's; where the scripts run */
    int lock;        /* 0: there is no directory, so nobody works on it */
    char *holder;    /* directory of the holder of the namespaces; NULL: they are this machine's own */
    char spaces[64]; /* where the namespaces' names are, as seen from here; "": there are none */
};

/* The names are in the holder's /run, if there is a holder. */
static void find_spaces(struct fabric *fabric)
{
    pid_t pid = fabric->holder ? holder_pid(fabric->holder) : 0;
    snprintf(fabric->spaces, sizeof fabric->spaces, SPACES);
    if (fabric->holder && !pid)
        fabric->spaces[0] = '\0';
    else if (pid)
        snprintf(fabric->spaces, sizeof fabric->spaces, "/proc/%d/root" SPACES, pid);
}

static int32_t fabric_begin(const struct local *local, struct fabric *fabric, struct problem *problem)
{
    *fabric = (struct fabric){ .directory = local_deployment_directory(local) };
    fabric_names(local, &fabric->names);
    fabric->holder = rootless() ? rootless_directory(local) : NULL;
    find_spaces(fabric);
    if (rootless() && !fabric->holder)
        return problem_no_memory(problem);
    AUTO_FREE char *path = fabric->directory ? local_format("%s/fabric.lock", fabric->directory) : NULL;
    if (!path)
        return problem_no_memory(problem);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOENT ? 0 : problem_set_errno(problem, errno, "can't open %s", path);
    fabric->lock = fd;
    while (flock(fd, LOCK_EX))
        if (errno != EINTR)
            return problem_set_errno(problem, errno, "can't lock %s", path);
    return 0;
}

static void fabric_end(struct fabric *fabric)
{
    if (fabric->lock)
        close(fabric->lock);
    free(fabric->holder);
    free(fabric->directory);
}
#define AUTO_FABRIC __attribute__((cleanup(fabric_end)))

/* FNV-1a: short names, nothing secret. */
static uint64_t digest(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

void fabric_names(const struct local *local, struct fabric_names *names)
{
    uint64_t hash = digest(digest(0xcbf29ce484222325u, local->state) ^ '/', local->deployment);
    /* Ids that differ at the end only would have names that begin alike: the finish of MurmurHash3. */
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 33;
    hash &= ((uint64_t)1 << (4 * FABRIC_ID_DIGITS)) - 1;
    snprintf(names->space, sizeof names->space, "mem-%010llx", (unsigned long long)hash);
    snprintf(names->link, sizeof names->link, "mem%010llx", (unsigned long long)hash);
}

char *fabric_node_space(const struct fabric_names *names, const char *node)
{
    return local_format("%s-%s", names->space, node);
}

static bool space_exists(const struct fabric *fabric, const char *space)
{
    AUTO_FREE char *path = *fabric->spaces ? local_format("%s/%s", fabric->spaces, space) : NULL;
    struct statfs info;
    return path && statfs(path, &info) == 0 && info.f_type == NSFS_MAGIC;
}

static bool space_file_exists(const struct fabric *fabric, const char *space)
{
    AUTO_FREE char *path = *fabric->spaces ? local_format("%s/%s", fabric->spaces, space) : NULL;
    return path && local_exists(path);
}

bool fabric_exists(const struct local *local)
{
    struct fabric fabric = { .holder = rootless() ? rootless_directory(local) : NULL };
    fabric_names(local, &fabric.names);
    find_spaces(&fabric);
    bool exists = (fabric.holder || !rootless()) && space_exists(&fabric, fabric.names.space);
    free(fabric.holder);
    return exists;
}

bool fabric_may_exist(const struct local *local)
{
    AUTO_FREE char *holder = rootless_directory(local);
    return !rootless() || (holder && local_exists(holder));
}

/* ip says "Command failed -:12"; people want to read line 12. */
static void quote_failed_line(struct problem *problem, const char *script)
{
    const char *at = strstr(problem->cause, "Command failed -:");
    unsigned long line = at ? strtoul(at + strlen("Command failed -:"), NULL, 10) : 0;
    if (!line)
        return;
    for (; line > 1 && *script; line--)
        script += strcspn(script, "\n") + (script[strcspn(script, "\n")] == '\n');
    char said[PROBLEM_TEXT_BYTES];
    snprintf(said, sizeof said, "%.*s", (int)(at - problem->cause), problem->cause);
    said[strcspn(said, "\n")] = '\0';
    problem_cause(problem, "%s: ip %.*s", said, (int)strcspn(script, "\n"), script);
}

/* Runs a script of ip commands, in the fabric's namespace or here. */
static int32_t run_ip(const struct fabric *fabric, bool inside, struct script *script, const char *purpose,
                      struct problem *problem)
{
    if (script_finish(script))
        return problem_no_memory(problem);
    if (!script->length)
        return 0;
    const char *here[] = { "ip", "-batch", "-", NULL };
    const char *there[] = { "ip", "-n", fabric->names.space, "-batch", "-", NULL };
    struct local_run run = { .arguments = inside ? there : here,
                             .input = script->text,
                             .directory = fabric->lock ? fabric->directory : NULL,
                             .holder = fabric->holder,
                             .held = fabric->lock };
    int32_t failed = local_run(&run, purpose, problem);
    if (failed)
        quote_failed_line(problem, script->text);
    return failed;
}

static int32_t run_nft(const struct fabric *fabric, struct script *script, const char *purpose,
                       struct problem *problem)
{
    if (script_finish(script))
        return problem_no_memory(problem);
    if (!script->length)
        return 0;
    const char *arguments[] = { "ip", "netns", "exec", fabric->names.space, "nft", "-f", "-", NULL };
    struct local_run run = {
        .arguments = arguments, .input = script->text, .holder = fabric->holder, .held = fabric->lock
    };
    return local_run(&run, purpose, problem);
}

#define TRIED_NETWORK                                                               \
    "ip link add mem0 type bridge && ip link add mem1 type veth peer name mem2 && " \
    "ip link set mem2 master mem0 && exec nft -f -"

/* A network and a node, and what containers are put together from. */
static const char rootless_trial[] = "mount -t tmpfs tmpfs /run && ip netns add mem3 && "
                                     "unshare --mount --uts --ipc --pid --fork sh -c "
                                     "'mount -t proc proc /proc && mount -t sysfs sysfs /sys' && " TRIED_NETWORK;
static const char overlay_trial[] = "mount -t tmpfs tmpfs /run && cd /run && mkdir a b c d && "
                                    "mount -t overlay overlay -o lowerdir=a,upperdir=b,workdir=c d";

static int32_t try_rootless(const char *script, const char *rules, const char *purpose, bool isolated,
                            struct problem *problem)
{
    AUTO_FREE char *program = local_helper("memories-rootless", problem);
    if (!program)
        return problem->code;
    const char *const trial[] = { program, "run", "sh", "-c", script, NULL };
    struct local_run run = { .arguments = trial, .input = rules };
    if (local_run(&run, purpose, problem) == 0)
        return 0;
    problem->code = MEMORIES_UNSUPPORTED;
    rootless_hint(problem, rootless_remedy(""), isolated);
    return problem->code;
}

static int32_t probe_rootless(const char *rules, bool isolated, struct problem *problem)
{
    const struct passwd *user = getpwuid(getuid());
    if (rootless_check("", user ? user->pw_name : NULL, getuid(), isolated, problem) ||
        try_rootless(rootless_trial, rules, "make namespaces with a bridge, a veth pair and nft rules without root",
                     isolated, problem))
        return problem->code;
    return isolated ? try_rootless(overlay_trial, NULL, "mount an overlay in a user namespace", true, problem) : 0;
}

int32_t fabric_probe(bool isolated, struct problem *problem)
{
    static const char *const programs[] = { "ip", "nft", "unshare" };
    static const char *const packages[] = { "iproute2", "nftables", "util-linux" };
    for (size_t i = 0; i < ARRAY_COUNT(programs); i++) {
        AUTO_FREE char *path = local_program_find(programs[i], NODE_SYSTEM_PATH);
        if (path)
            continue;
        problem_set(problem, MEMORIES_UNSUPPORTED, "namespaces need the program %s", programs[i]);
        problem_hint(problem, "install it: apt-get install %s", packages[i]);
        return problem->code;
    }
    static const char *const trial[] = { "unshare", "--net", "--mount", "--uts",       "--ipc", "--pid",
                                         "--fork",  "sh",    "-c",      TRIED_NETWORK, NULL };
    AUTO_SCRIPT struct script rules = { 0 };
    if (script_begin(&rules))
        return problem_no_memory(problem);
    fputs(fabric_rules, rules.out);
    json_object *nothing = NULL;
    AUTO_JSON json_object *firewall = json_object_new_object();
    firewall_write(rules.out, nothing, "10.0.0.0/8", problem);
    firewall_write(rules.out, firewall, "10.0.0.0/8", problem);
    if (script_finish(&rules))
        return problem_no_memory(problem);
    if (rootless())
        return probe_rootless(rules.text, isolated, problem);
    struct local_run run = { .arguments = trial, .input = rules.text };
    if (local_run(&run, "make a network namespace with a bridge, a veth pair and nft rules", problem) == 0)
        return 0;
    problem->code = MEMORIES_UNSUPPORTED;
    problem_hint(problem, "the kernel (or the container that this runs in) doesn't allow it: use isolation: process");
    return problem->code;
}

/* ---- the fabric itself ---- */

/* With the prefix: a subnet that becomes larger or smaller gets another bridge. */
static void bridge_name(struct block subnet, char name[BLOCK_TEXT_BYTES])
{
    snprintf(name, BLOCK_TEXT_BYTES, "b%08x-%u", subnet.address, subnet.prefix);
}

/* The two ends of the way between this machine and the fabric: .1 and .2 of the first block. */
static bool host_ends(json_object *network, char here[BLOCK_TEXT_BYTES], char there[BLOCK_TEXT_BYTES])
{
    struct block block;
    if (!block_parse(json_object_get_string(json_at(json_get_array(network, "blocks"), 0)), &block))
        return false;
    block_address_format(block.address + 1, here);
    block_address_format(block.address + 2, there);
    return true;
}

/* What this machine gets: one end of a veth pair and a route to each block of access addresses. Without root it gets
 * nothing, and the holder's own namespace is the fabric. */
static void write_host_side(FILE *out, const struct fabric *fabric, json_object *network, bool whole, const char *here,
                            const char *there)
{
    const struct fabric_names *names = &fabric->names;
    if (fabric->holder) {
        if (!whole)
            fprintf(out, "netns attach %s %d\n", names->space, holder_pid(fabric->holder));
        return;
    }
    if (!whole) {
        fprintf(out, "netns add %s\n", names->space);
        fprintf(out, "link add %s type veth peer name " HOST_PORT " netns %s\n", names->link, names->space);
        fprintf(out, "addr add %s peer %s/32 dev %s\n", here, there, names->link);
        fprintf(out, "link set %s up\n", names->link);
    }
    /* The first time, a route of somebody else to these addresses must not be replaced. */
    json_object *blocks = json_get_array(network, "blocks");
    for (size_t i = 0; i < json_count(blocks); i++)
        fprintf(out, "route %s %s via %s dev %s\n", whole ? "replace" : "add",
                json_object_get_string(json_at(blocks, i)), there, names->link);
}

/* The links that are there, by name: {"n11": {"master": "b0a000100-24", "up": true}}. */
static json_object *list_links(const struct fabric *fabric, struct problem *problem)
{
    const char *arguments[] = { "ip", "-n", fabric->names.space, "-j", "link", "show", NULL };
    struct local_run run = { .arguments = arguments, .holder = fabric->holder, .wants_output = true };
    if (local_run(&run, "list the links of the network's namespace", problem))
        return NULL;
    AUTO_FREE char *text = run.output;
    AUTO_JSON json_object *listed = json_tokener_parse(text);
    AUTO_JSON json_object *links = json_object_new_object();
    int failed = links ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; i < json_count(listed); i++) {
        json_object *link = json_at(listed, i);
        const char *name = json_get_string(link, "ifname");
        json_object *known = name ? json_set_new_object(links, name) : NULL;
        json_object *flags = json_get_array(link, "flags");
        bool is_up = false;
        for (size_t f = 0; f < json_count(flags); f++)
            is_up |= !strcmp(json_object_get_string(json_at(flags, f)), "UP");
        failed |= json_set_string(known, "master", json_get_string(link, "master"));
        failed |= json_set_bool(known, "up", is_up);
    }
    if (!failed)
        return STEAL(links);
    problem_no_memory(problem);
    return NULL;
}

static void write_bridge(FILE *out, struct block subnet, const char *gateway)
{
    char name[BLOCK_TEXT_BYTES];
    bridge_name(subnet, name);
    uint32_t address = subnet.address;
    /* A hardware address of its own: else it would change with each node that comes. */
    fprintf(out, "link add %s address 02:6d:%02x:%02x:%02x:%02x type bridge\n", name, address >> 24,
            address >> 16 & 255, address >> 8 & 255, address & 255);
    fprintf(out, "addr add %s/%u dev %s\n", gateway, subnet.prefix, name);
    fprintf(out, "link set %s up\n", name);
}

static int32_t write_fabric_side(FILE *out, const struct fabric *fabric, json_object *network, json_object *links,
                                 const char *here, const char *there, struct problem *problem)
{
    json_object *subnets = json_get_array(network, "subnets");
    if (!links && fabric->holder)
        fprintf(out, "link set lo up\naddr add " RELAY_ADDRESS "/32 dev lo\n");
    else if (!links)
        fprintf(out, "link set lo up\naddr add %s peer %s/32 dev " HOST_PORT "\nlink set " HOST_PORT " up\n", there,
                here);
    AUTO_JSON json_object *wanted = json_object_new_object();
    for (size_t i = 0; i < json_count(subnets); i++) {
        struct block subnet;
        char name[BLOCK_TEXT_BYTES];
        json_object *one = json_at(subnets, i);
        if (!block_parse(json_get_string(one, "cidr"), &subnet))
            return problem_set(problem, MEMORIES_INTERNAL, "the network has a subnet without a CIDR block");
        bridge_name(subnet, name);
        if (json_set_bool(wanted, name, true))
            return problem_no_memory(problem);
        if (!json_get(links, name))
            write_bridge(out, subnet, json_get_string(one, "gateway"));
    }
    if (!links)
        return 0;
    json_object_object_foreach(links, name, state)
    {
        (void)state;
        if (name[0] == 'b' && !json_get(wanted, name))
            fprintf(out, "link del %s\n", name);
    }
    return 0;
}

static int32_t start_routing(const struct fabric *fabric, struct problem *problem)
{
    const char *arguments[] = { "ip", "netns", "exec", fabric->names.space, "sh", "-c",
                                "echo 1 >/proc/sys/net/ipv4/ip_forward && exec nft -f -", NULL };
    struct local_run run = {
        .arguments = arguments, .input = fabric_rules, .holder = fabric->holder, .held = fabric->lock
    };
    return local_run(&run, "route between the network's subnets", problem);
}

static int32_t write_firewall(const struct local *local, json_object *network, struct problem *problem)
{
    AUTO_SCRIPT struct script rules = { 0 };
    AUTO_FREE char *path = local_format("%s/%s/firewall.nft", local->state, local->deployment);
    if (!path || script_begin(&rules))
        return problem_no_memory(problem);
    int32_t failed =
        firewall_write(rules.out, json_get_object(network, "firewall"), json_get_string(network, "cidr"), problem);
    if (failed)
        return failed;
    if (script_finish(&rules))
        return problem_no_memory(problem);
    return local_file_write(path, rules.text, rules.length, 0600, true, problem);
}

/* The links of a namespace that somebody deleted go some time later, and so may do between the look and the deletion:
 * that often it is looked again. */
#define LOOK_TRIES 10

static int32_t try_to_remove_fabric(const struct fabric *fabric, struct problem *problem)
{
    AUTO_SCRIPT struct script script = { 0 };
    if (script_begin(&script))
        return problem_no_memory(problem);
    /* Deleting the link comes first: it is gone when ip returns, while a namespace's links go some time later. */
    if (if_nametoindex(fabric->names.link))
        fprintf(script.out, "link del %s\n", fabric->names.link);
    if (space_file_exists(fabric, fabric->names.space))
        fprintf(script.out, "netns del %s\n", fabric->names.space);
    return run_ip(fabric, false, &script, "remove the network's namespace", problem);
}

/* Takes away the fabric and this machine's end, half-made ones too. All that a holder keeps goes with it. */
static int32_t remove_fabric(const struct fabric *fabric, struct problem *problem)
{
    if (fabric->holder)
        return rootless_release(fabric->holder, problem);
    for (int tries = 0; try_to_remove_fabric(fabric, problem); tries++) {
        if (tries == LOOK_TRIES)
            return problem->code;
        *problem = (struct problem){ 0 };
    }
    return 0;
}

int32_t fabric_make(const struct local *local, json_object *network, bool whole, struct problem *problem)
{
    AUTO_FABRIC struct fabric fabric = { 0 };
    char here[BLOCK_TEXT_BYTES], there[BLOCK_TEXT_BYTES];
    if (!host_ends(network, here, there))
        return problem_set(problem, MEMORIES_INTERNAL, "the network has no block of access addresses");
    AUTO_SCRIPT struct script host_side = { 0 }, fabric_side = { 0 };
    if (script_begin(&host_side) || script_begin(&fabric_side))
        return problem_no_memory(problem);
    if (fabric_begin(local, &fabric, problem) || write_firewall(local, network, problem) ||
        (!whole && remove_fabric(&fabric, problem)) || (fabric.holder && rootless_hold(fabric.holder, problem)))
        return problem->code;
    find_spaces(&fabric);
    write_host_side(host_side.out, &fabric, network, whole, here, there);
    if (run_ip(&fabric, false, &host_side, "make the network's namespace and the route to it", problem))
        return problem->code;
    AUTO_JSON json_object *links = whole ? list_links(&fabric, problem) : NULL;
    if ((whole && !links) || write_fabric_side(fabric_side.out, &fabric, network, links, here, there, problem) ||
        run_ip(&fabric, true, &fabric_side, "make the network's bridges", problem))
        return problem->code;
    return whole ? 0 : start_routing(&fabric, problem);
}

/* Namespaces of nodes whose directories are gone, which only a crash or another hand can leave. */
static int32_t remove_stray_spaces(const struct fabric *fabric, struct problem *problem)
{
    struct local_names spaces;
    AUTO_SCRIPT struct script script = { 0 };
    if (fabric->holder)
        return 0;
    if (script_begin(&script))
        return problem_no_memory(problem);
    if (local_directory_list(fabric->spaces, &spaces, problem))
        return problem->code;
    size_t length = strlen(fabric->names.space);
    for (size_t i = 0; i < spaces.count; i++)
        if (!strncmp(spaces.names[i], fabric->names.space, length) && spaces.names[i][length] == '-')
            fprintf(script.out, "netns del %s\n", spaces.names[i]);
    local_names_clear(&spaces);
    return run_ip(fabric, false, &script, "remove the nodes' namespaces", problem);
}

int32_t fabric_remove(const struct local *local, struct problem *problem)
{
    AUTO_FABRIC struct fabric fabric = { 0 };
    if (fabric_begin(local, &fabric, problem) || remove_stray_spaces(&fabric, problem))
        return problem->code;
    return remove_fabric(&fabric, problem);
}

/* ---- the nodes' connections ---- */

static void port_name(unsigned port, char name[BLOCK_TEXT_BYTES])
{
    snprintf(name, BLOCK_TEXT_BYTES, "n%u", port);
}

/* Setting the port's master and switching it on are the last steps: such a port tells that all is done. */
static bool is_connected(const struct fabric *fabric, const struct fabric_plug *plug, json_object *links)
{
    char name[BLOCK_TEXT_BYTES], bridge[BLOCK_TEXT_BYTES];
    port_name(plug->port, name);
    bridge_name(plug->subnet, bridge);
    json_object *link = json_get(links, name);
    const char *master = json_get_string(link, "master");
    return master && !strcmp(master, bridge) && json_get_bool(link, "up", false) && space_exists(fabric, plug->space);
}

/* A node's own namespace, from nothing or from what a crash left of it. */
static void write_node_side(FILE *out, const struct fabric *fabric, const struct fabric_plug *plug)
{
    char address[BLOCK_TEXT_BYTES], port[BLOCK_TEXT_BYTES];
    block_address_format(plug->address, address);
    port_name(plug->port, port);
    if (space_exists(fabric, plug->space)) {
        fprintf(out, "netns exec %s sh -c 'ip link del eth0 2>/dev/null || true'\n", plug->space);
    } else {
        if (space_file_exists(fabric, plug->space))
            fprintf(out, "netns del %s\n", plug->space);
        fprintf(out, "netns add %s\n", plug->space);
    }
    /* The hardware address follows from the network's: a node that gets the address of one that has gone is found at once,
     * and not only when its neighbours have forgotten the other one. */
    fprintf(out, "link add eth0 address 02:6e:%02x:%02x:%02x:%02x netns %s type veth peer name %s netns %s\n",
            plug->address >> 24, plug->address >> 16 & 255, plug->address >> 8 & 255, plug->address & 255, plug->space,
            port, fabric->names.space);
    fprintf(out,
            "netns exec %s sh -c 'nft -f firewall.nft && ip link set lo up && ip addr add %s/%u dev eth0 && "
            "ip link set eth0 up && ip route add default via %s'\n",
            plug->space, address, plug->subnet.prefix, plug->gateway);
}

static void write_port(FILE *out, const struct fabric_plug *plug)
{
    char port[BLOCK_TEXT_BYTES], bridge[BLOCK_TEXT_BYTES];
    port_name(plug->port, port);
    bridge_name(plug->subnet, bridge);
    fprintf(out, "link set %s master %s\nlink set %s up\n", port, bridge, port);
}

/* Adding what is there already is no error to nft, so that what is not there can be deleted as well: added first. */
static void write_translation(FILE *out, const struct fabric_plug *plug, const char *const *verbs)
{
    char address[BLOCK_TEXT_BYTES], access_address[BLOCK_TEXT_BYTES];
    block_address_format(plug->address, address);
    block_address_format(plug->access, access_address);
    for (; *verbs; verbs++) {
        fprintf(out, "%s element ip memories inside { %s : %s }\n", *verbs, access_address, address);
        fprintf(out, "%s element ip memories outside { %s : %s }\n", *verbs, address, access_address);
    }
}

/* Without root: what may come to the nodes from anywhere is relayed. */
static int32_t relay(const struct local *local, const struct fabric *fabric, const struct fabric_plug *plugs,
                     size_t count, struct problem *problem)
{
    AUTO_FREE char *path = local_format("%s/%s/network.json", local->state, local->deployment);
    AUTO_JSON json_object *network = path && fabric->holder ? local_json_read(path, problem) : NULL;
    for (size_t i = 0; network && !problem->code && i < count; i++) {
        AUTO_JSON json_object *ports = relay_ports(json_get_object(network, "firewall"), plugs[i].ports);
        const struct relayed_node node = { plugs[i].node, plugs[i].address, plugs[i].access };
        if (!ports || relays_set(fabric->holder, &node, ports, problem))
            return ports ? problem->code : problem_no_memory(problem);
    }
    return path ? problem->code : problem_no_memory(problem);
}

static int32_t try_to_remove_ports(const struct fabric *fabric, const struct fabric_plug *plugs, size_t count,
                                   bool connected_too, json_object *links, struct problem *problem)
{
    AUTO_SCRIPT struct script script = { 0 };
    if (script_begin(&script))
        return problem_no_memory(problem);
    for (size_t i = 0; i < count; i++) {
        char name[BLOCK_TEXT_BYTES];
        port_name(plugs[i].port, name);
        if (plugs[i].port && json_get(links, name) && (connected_too || !is_connected(fabric, &plugs[i], links)))
            fprintf(script.out, "link del %s\n", name);
    }
    return run_ip(fabric, true, &script, "disconnect the nodes", problem);
}

/* Deletes ports of these nodes: all, or those that are not wholly connected. Returns the links that there were, or
 * NULL. */
static json_object *remove_ports(const struct fabric *fabric, const struct fabric_plug *plugs, size_t count,
                                 bool connected_too, struct problem *problem)
{
    json_object *links = list_links(fabric, problem);
    for (int tries = 0; links && try_to_remove_ports(fabric, plugs, count, connected_too, links, problem); tries++) {
        json_object_put(links);
        if (tries == LOOK_TRIES)
            return NULL;
        *problem = (struct problem){ 0 };
        links = list_links(fabric, problem);
    }
    return links;
}

int32_t fabric_plug(const struct local *local, const struct fabric_plug *plugs, size_t count, struct problem *problem)
{
    static const char *const add[] = { "add", NULL };
    AUTO_FABRIC struct fabric fabric = { 0 };
    if (!count)
        return 0;
    if (fabric_begin(local, &fabric, problem))
        return problem->code;
    AUTO_JSON json_object *links = remove_ports(&fabric, plugs, count, false, problem);
    AUTO_SCRIPT struct script spaces = { 0 }, translations = { 0 }, ports = { 0 };
    if (!links)
        return problem->code;
    if (script_begin(&spaces) || script_begin(&translations) || script_begin(&ports))
        return problem_no_memory(problem);
    for (size_t i = 0; i < count; i++) {
        if (is_connected(&fabric, &plugs[i], links))
            continue;
        write_node_side(spaces.out, &fabric, &plugs[i]);
        write_translation(translations.out, &plugs[i], add);
        write_port(ports.out, &plugs[i]);
    }
    if (run_ip(&fabric, false, &spaces, "make the nodes' network namespaces", problem) ||
        run_nft(&fabric, &translations, "translate the nodes' access addresses", problem))
        return problem->code;
    if (run_ip(&fabric, true, &ports, "connect the nodes to their subnets", problem))
        return problem->code;
    return relay(local, &fabric, plugs, count, problem);
}

static int32_t unrelay(const struct fabric *fabric, const struct fabric_plug *plug, struct problem *problem)
{
    AUTO_JSON json_object *none = json_object_new_array();
    const struct relayed_node node = { .name = plug->node };
    return none ? relays_set(fabric->holder, &node, none, problem) : problem_no_memory(problem);
}

int32_t fabric_unplug(const struct local *local, const struct fabric_plug *plugs, size_t count,
                      struct problem *problem)
{
    static const char *const add_and_delete[] = { "add", "delete", NULL };
    AUTO_FABRIC struct fabric fabric = { 0 };
    if (fabric_begin(local, &fabric, problem))
        return problem->code;
    bool has_fabric = space_exists(&fabric, fabric.names.space);
    AUTO_JSON json_object *links = has_fabric ? remove_ports(&fabric, plugs, count, true, problem) : NULL;
    AUTO_SCRIPT struct script spaces = { 0 }, translations = { 0 };
    if (has_fabric && !links)
        return problem->code;
    if (script_begin(&spaces) || script_begin(&translations))
        return problem_no_memory(problem);
    for (size_t i = 0; i < count; i++) {
        if (plugs[i].port && has_fabric)
            write_translation(translations.out, &plugs[i], add_and_delete);
        if (fabric.holder && has_fabric && unrelay(&fabric, &plugs[i], problem))
            return problem->code;
        if (space_file_exists(&fabric, plugs[i].space))
            fprintf(spaces.out, "netns del %s\n", plugs[i].space);
    }
    if (run_nft(&fabric, &translations, "remove the nodes' access addresses", problem))
        return problem->code;
    return run_ip(&fabric, false, &spaces, "remove the nodes' network namespaces", problem);
}

int32_t fabric_filter(const struct local *local, const struct fabric_plug *plugs, size_t count,
                      struct problem *problem)
{
    AUTO_FABRIC struct fabric fabric = { 0 };
    AUTO_SCRIPT struct script script = { 0 };
    if (script_begin(&script))
        return problem_no_memory(problem);
    if (fabric_begin(local, &fabric, problem))
        return problem->code;
    for (size_t i = 0; i < count; i++)
        if (space_exists(&fabric, plugs[i].space))
            fprintf(script.out, "netns exec %s nft -f firewall.nft\n", plugs[i].space);
    if (run_ip(&fabric, false, &script, "load the firewall rules", problem))
        return problem->code;
    return relay(local, &fabric, plugs, count, problem);
}
