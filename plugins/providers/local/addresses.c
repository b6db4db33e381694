/*
 * addresses.c - which addresses the nodes get
 *
 * Without namespaces a node has one, of a block of loopback addresses that is the deployment's alone. With them it has
 * a private one in its subnet, which other deployments may use as well, and an access address out of such a block: of
 * loopback addresses without root, for then nothing else of this machine can lead to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/port.h"
#include "plugins/providers/local/prepare.h"
#include "plugins/providers/local/rootless.h"

/* The network's own addresses when the configuration gives none: nobody outside ever sees them. */
#define DEFAULT_CIDR "10.88.0.0/16"
#define DEFAULT_SUBNET "default"
/* Of a small subnet nothing can be left free before the nodes. */
#define SMALL_SUBNET_PREFIX 27
#define SMALL_SUBNET_FIRST_HOST 2
/* A smaller network has no room for a gateway and nodes. */
#define NETWORK_PREFIX_MAX 28

/* 127.64.0.0 - 127.127.255.255: away from what people use by hand. */
static const struct block loopback_pool = { 0x7f400000, 10 };
/* 100.64.0.0/10: meant for networks behind address translation (RFC 6598), which is what this is. */
static const struct block access_pool = { 0x64400000, 10 };

/* A port that somebody holds on so many addresses in a row is taken everywhere. */
#define PORT_TRIES 64

struct address_block {
    struct block block;
    uint32_t next; /* host number to try */
    bool used[256];
};

struct chooser {
    struct preparation *preparation;
    struct block network; /* with namespaces */
    struct address_block *blocks;
    size_t block_count;
    struct local_names claims;
    struct block *routes;
    size_t route_count;
};

/* ---- the network's own addresses (namespaces) ---- */

static int32_t bad_cidr(struct chooser *chooser, const char *what, const char *text)
{
    problem_set(&chooser->preparation->problem, MEMORIES_INVALID, "%s: \"%s\" is not an IPv4 CIDR block", what, text);
    problem_where(&chooser->preparation->problem, "config.network");
    problem_hint(&chooser->preparation->problem, "such as 10.0.0.0/16; no bits may be set behind the prefix");
    return chooser->preparation->problem.code;
}

static json_object *find_subnet(json_object *subnets, const char *name)
{
    for (size_t i = 0; i < json_count(subnets); i++) {
        const char *candidate = json_get_string(json_at(subnets, i), "name");
        if (candidate && !strcmp(candidate, name))
            return json_at(subnets, i);
    }
    return NULL;
}

static bool overlaps_chosen(json_object *subnets, struct block block)
{
    for (size_t i = 0; i < json_count(subnets); i++) {
        struct block other;
        if (block_parse(json_get_string(json_at(subnets, i), "cidr"), &other) && block_overlaps(block, other))
            return true;
    }
    return false;
}

/* The first part of the network that is free and large enough for all nodes, whichever subnet they are in. */
static bool carve(struct chooser *chooser, json_object *subnets, struct block *block)
{
    unsigned prefix = LOCAL_BLOCK_PREFIX;
    while (prefix > 1 && ((uint32_t)1 << (32 - prefix)) - LOCAL_FIRST_HOST - 1 <
                             json_count(json_get_array(chooser->preparation->spec, "nodes")))
        prefix--;
    if (prefix < chooser->network.prefix)
        prefix = chooser->network.prefix;
    uint64_t end = (uint64_t)chooser->network.address + block_size(chooser->network);
    for (uint64_t at = chooser->network.address; at < end; at += (uint64_t)1 << (32 - prefix)) {
        *block = (struct block){ (uint32_t)at, prefix };
        if (!overlaps_chosen(subnets, *block))
            return true;
    }
    return false;
}

static int32_t add_subnet(struct chooser *chooser, json_object *subnets, const char *name, struct block block)
{
    char text[BLOCK_TEXT_BYTES];
    block_format(block, text);
    if (overlaps_chosen(subnets, block) || !block_contains(chooser->network, block.address) ||
        block.prefix < chooser->network.prefix) {
        char network[BLOCK_TEXT_BYTES];
        block_format(chooser->network, network);
        problem_set(&chooser->preparation->problem, MEMORIES_INVALID,
                    "subnet %s: %s is not within %s, or overlaps another subnet", name, text, network);
        problem_where(&chooser->preparation->problem, "config.network");
        return chooser->preparation->problem.code;
    }
    json_object *subnet = json_add_new_object(subnets);
    return json_set_string(subnet, "name", name) | json_set_string(subnet, "cidr", text)
               ? problem_no_memory(&chooser->preparation->problem)
               : 0;
}

static const char *subnet_name(json_object *subnet)
{
    const char *name = json_get_string(subnet, "name");
    return name ? name : DEFAULT_SUBNET;
}

/* Subnets with a block of their own first; the others take what is left. */
static int32_t choose_subnets(struct chooser *chooser, json_object *subnets)
{
    json_object *wanted = json_get_array(json_get_object(chooser->preparation->spec, "network"), "subnets");
    json_object *earlier = json_get_array(json_get_object(chooser->preparation->earlier, "network"), "subnets");
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < json_count(wanted); i++) {
            const char *name = subnet_name(json_at(wanted, i));
            const char *cidr = json_get_string(json_at(wanted, i), "cidr");
            struct block block;
            if (!cidr)
                cidr = json_get_string(find_subnet(earlier, name), "cidr");
            if ((cidr != NULL) != (pass == 0))
                continue;
            if (cidr && !block_parse(cidr, &block))
                return bad_cidr(chooser, name, cidr);
            if (!cidr && !carve(chooser, subnets, &block))
                return problem_set(&chooser->preparation->problem, MEMORIES_INVALID, "the network has no room for the subnet %s",
                                   name);
            if (add_subnet(chooser, subnets, name, block))
                return chooser->preparation->problem.code;
        }
    }
    struct block block;
    if (json_count(subnets) || !carve(chooser, subnets, &block))
        return 0;
    return add_subnet(chooser, subnets, DEFAULT_SUBNET, block);
}

/* Of a network without a block: the one that holds the subnets with theirs, and some more for those without. */
static bool cover_subnets(json_object *subnets, char cidr[BLOCK_TEXT_BYTES])
{
    struct block cover = { 0 }, subnet;
    for (size_t i = 0; i < json_count(subnets); i++) {
        if (!block_parse(json_get_string(json_at(subnets, i), "cidr"), &subnet))
            continue;
        cover = cover.prefix ? block_join(cover, subnet) : block_join(subnet, (struct block){ subnet.address, 16 });
    }
    block_format(cover, cidr);
    return cover.prefix > 0;
}

static int32_t choose_network(struct chooser *chooser)
{
    json_object *asked = json_get_object(chooser->preparation->spec, "network");
    const char *cidr = json_get_string(asked, "cidr");
    char cover[BLOCK_TEXT_BYTES];
    if (!cidr && cover_subnets(json_get_array(asked, "subnets"), cover))
        cidr = cover;
    if (!cidr)
        cidr = json_get_string(json_get_object(chooser->preparation->earlier, "network"), "cidr");
    if (!cidr)
        cidr = DEFAULT_CIDR;
    if (!block_parse(cidr, &chooser->network))
        return bad_cidr(chooser, "the network", cidr);
    if (chooser->network.prefix > NETWORK_PREFIX_MAX) {
        problem_set(&chooser->preparation->problem, MEMORIES_INVALID, "the network %s is too small", cidr);
        problem_where(&chooser->preparation->problem, "config.network.cidr");
        problem_hint(&chooser->preparation->problem, "it needs room for 16 addresses at least, as /%d has",
                     NETWORK_PREFIX_MAX);
        return chooser->preparation->problem.code;
    }
    json_object *network = json_set_new_object(chooser->preparation->choices, "network");
    json_object *subnets = json_set_new_array(network, "subnets");
    if (json_set_string(network, "cidr", cidr) || !subnets)
        return problem_no_memory(&chooser->preparation->problem);
    return choose_subnets(chooser, subnets);
}

/* The next free addresses of one subnet. */
struct subnet_cursor {
    struct block block;
    const char *name;
    uint32_t next;
    json_object *used; /* addresses as keys */
};

static void cursors_free(struct subnet_cursor *cursors, size_t count)
{
    for (size_t i = 0; cursors && i < count; i++)
        json_object_put(cursors[i].used);
    free(cursors);
}

static struct subnet_cursor *cursors_new(json_object *subnets)
{
    size_t count = json_count(subnets);
    struct subnet_cursor *cursors = calloc(count + 1, sizeof *cursors);
    for (size_t i = 0; cursors && i < count; i++) {
        cursors[i].name = json_get_string(json_at(subnets, i), "name");
        cursors[i].used = json_object_new_object();
        block_parse(json_get_string(json_at(subnets, i), "cidr"), &cursors[i].block);
        cursors[i].next = cursors[i].block.prefix >= SMALL_SUBNET_PREFIX ? SMALL_SUBNET_FIRST_HOST : LOCAL_FIRST_HOST;
        if (!cursors[i].used) {
            cursors_free(cursors, i);
            return NULL;
        }
    }
    return cursors;
}

static struct subnet_cursor *cursor_of(struct chooser *chooser, struct subnet_cursor *cursors, size_t count,
                                       json_object *node)
{
    const char *wanted = json_get_string(node, "subnet");
    for (size_t i = 0; i < count; i++)
        if (!wanted || !strcmp(cursors[i].name, wanted))
            return &cursors[i];
    problem_set(&chooser->preparation->problem, MEMORIES_INVALID, "the network has no subnet %s",
                wanted ? wanted : "at all");
    problem_where(&chooser->preparation->problem, "node %s", json_get_string(node, "name"));
    return NULL;
}

static json_object *earlier_choice(struct chooser *chooser, const char *node)
{
    return json_get_object(json_get_object(chooser->preparation->earlier, "nodes"), node);
}

static int set_private_address(json_object *choice, struct subnet_cursor *cursor, const char *address)
{
    int failed = json_set_string(choice, "address", address) | json_set_string(choice, "subnet", cursor->name);
    return failed | json_set_bool(cursor->used, address, true);
}

/* An address that still lies in the node's subnet stays. */
static int keep_private_address(struct chooser *chooser, struct subnet_cursor *cursor, json_object *node)
{
    const char *name = json_get_string(node, "name");
    const char *address = json_get_string(earlier_choice(chooser, name), "address");
    uint32_t parsed;
    if (!block_address_parse(address, &parsed) || !block_contains(cursor->block, parsed))
        return 0;
    return set_private_address(json_get_object(json_get_object(chooser->preparation->choices, "nodes"), name), cursor, address);
}

static int32_t give_private_address(struct chooser *chooser, struct subnet_cursor *cursor, json_object *node)
{
    json_object *choice =
        json_get_object(json_get_object(chooser->preparation->choices, "nodes"), json_get_string(node, "name"));
    char address[BLOCK_TEXT_BYTES];
    if (json_get(choice, "address"))
        return 0;
    for (; cursor->next < block_size(cursor->block) - 1; cursor->next++) {
        block_address_format(cursor->block.address + cursor->next, address);
        if (!json_get(cursor->used, address))
            return set_private_address(choice, cursor, address) ? problem_no_memory(&chooser->preparation->problem) : 0;
    }
    block_format(cursor->block, address);
    problem_set(&chooser->preparation->problem, MEMORIES_INVALID, "the subnet %s (%s) has no room for another node",
                cursor->name, address);
    problem_where(&chooser->preparation->problem, "node %s", json_get_string(node, "name"));
    return chooser->preparation->problem.code;
}

static int32_t choose_private_addresses(struct chooser *chooser)
{
    json_object *subnets = json_get_array(json_get_object(chooser->preparation->choices, "network"), "subnets");
    json_object *nodes = json_get_array(chooser->preparation->spec, "nodes");
    size_t count = json_count(subnets);
    struct subnet_cursor *cursors = cursors_new(subnets);
    if (!cursors)
        return problem_no_memory(&chooser->preparation->problem);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < json_count(nodes) && !chooser->preparation->problem.code; i++) {
            struct subnet_cursor *cursor = cursor_of(chooser, cursors, count, json_at(nodes, i));
            if (cursor && pass == 0 && keep_private_address(chooser, cursor, json_at(nodes, i)))
                problem_no_memory(&chooser->preparation->problem);
            else if (cursor && pass == 1)
                give_private_address(chooser, cursor, json_at(nodes, i));
        }
    }
    cursors_free(cursors, count);
    return chooser->preparation->problem.code;
}

/* ---- blocks of addresses that are this deployment's alone ---- */

/* This machine's routes but the default one: access addresses must not hide anything. proc(5) gives them in network
 * byte order. */
static int32_t read_routes(struct chooser *chooser)
{
    FILE *lines = fopen("/proc/net/route", "re");
    char line[256];
    size_t capacity = 0;
    while (lines && fgets(line, sizeof line, lines)) {
        unsigned destination, mask;
        if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &destination, &mask) != 2 || !mask)
            continue;
        if (chooser->route_count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            struct block *grown = realloc(chooser->routes, capacity * sizeof *grown);
            if (!grown) {
                fclose(lines);
                return problem_no_memory(&chooser->preparation->problem);
            }
            chooser->routes = grown;
        }
        chooser->routes[chooser->route_count++] =
            (struct block){ __builtin_bswap32(destination), (unsigned)__builtin_popcount(mask) };
    }
    if (lines)
        fclose(lines);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_taken(void *context, struct block block)
{
    struct chooser *chooser = context;
    char name[BLOCK_TEXT_BYTES];
    const char *key = name;
    block_claim_name(block, name);
    if (chooser->claims.count && bsearch(&key, chooser->claims.names, chooser->claims.count,
                                             sizeof *chooser->claims.names, compare_names))
        return true;
    for (size_t i = 0; i < chooser->block_count; i++)
        if (block_overlaps(chooser->blocks[i].block, block))
            return true;
    if (!chooser->preparation->has_namespaces)
        return false;
    for (size_t i = 0; i < chooser->route_count; i++)
        if (block_overlaps(chooser->routes[i], block))
            return true;
    return block_overlaps(chooser->network, block);
}

static struct address_block *append_block(struct chooser *chooser, struct block block)
{
    struct address_block *grown =
        realloc(chooser->blocks, (chooser->block_count + 1) * sizeof *chooser->blocks);
    if (!grown)
        return NULL;
    chooser->blocks = grown;
    struct address_block *added = &grown[chooser->block_count++];
    *added = (struct address_block){ .block = block, .next = LOCAL_FIRST_HOST };
    return added;
}

static int32_t new_block(struct chooser *chooser)
{
    const struct preparation *preparation = chooser->preparation;
    struct block pool = preparation->has_namespaces && !preparation->has_relays ? access_pool : loopback_pool, block;
    if (!block_pick(pool, LOCAL_BLOCK_PREFIX, is_taken, chooser, &block))
        return problem_set(&chooser->preparation->problem, MEMORIES_QUOTA, "every block of local addresses is taken");
    return append_block(chooser, block) ? 0 : problem_no_memory(&chooser->preparation->problem);
}

static int32_t read_earlier_blocks(struct chooser *chooser)
{
    json_object *blocks = json_get_array(chooser->preparation->earlier, "blocks");
    for (size_t i = 0; i < json_count(blocks); i++) {
        struct block block;
        if (block_parse(json_object_get_string(json_at(blocks, i)), &block) && !append_block(chooser, block))
            return problem_no_memory(&chooser->preparation->problem);
    }
    return 0;
}

/* The member of a node's choice that comes out of the blocks. */
static const char *member_name(const struct chooser *chooser)
{
    return chooser->preparation->has_namespaces ? "access_address" : "address";
}

static int32_t keep_address(struct chooser *chooser, const char *node)
{
    const char *address = json_get_string(earlier_choice(chooser, node), member_name(chooser));
    uint32_t parsed;
    if (!block_address_parse(address, &parsed))
        return 0;
    for (size_t i = 0; i < chooser->block_count; i++) {
        if (!block_contains(chooser->blocks[i].block, parsed))
            continue;
        chooser->blocks[i].used[parsed & 255] = true;
        json_object *choice = json_get_object(json_get_object(chooser->preparation->choices, "nodes"), node);
        return json_set_string(choice, member_name(chooser), address) ? problem_no_memory(&chooser->preparation->problem)
                                                                         : 0;
    }
    return 0;
}

/* Without namespaces the node's ports must be free on the address, without root those that are relayed. */
static enum port_state ports_state(struct chooser *chooser, json_object *node, uint32_t address, uint16_t *port)
{
    const struct preparation *preparation = chooser->preparation;
    json_object *ports = json_get_array(json_get_object(node, "bootstrap"), "ports");
    json_object *firewall = json_get_object(json_get_object(preparation->spec, "network"), "firewall");
    AUTO_JSON json_object *relayed = preparation->has_relays ? relay_ports(firewall, ports) : NULL;
    if (preparation->has_relays)
        ports = relayed;
    else if (preparation->has_namespaces)
        return PORT_FREE;
    for (size_t i = 0; i < json_count(ports); i++) {
        *port = (uint16_t)json_object_get_int64(json_at(ports, i));
        enum port_state state = port_state(address, *port);
        if (state != PORT_FREE)
            return state;
    }
    return PORT_FREE;
}

static bool next_candidate(struct chooser *chooser, uint32_t *address)
{
    for (size_t i = 0; i < chooser->block_count; i++) {
        struct address_block *one = &chooser->blocks[i];
        for (; one->next <= LOCAL_LAST_HOST; one->next++) {
            if (one->used[one->next])
                continue;
            *address = one->block.address + one->next++;
            return true;
        }
    }
    return false;
}

static int32_t give_address(struct chooser *chooser, json_object *node)
{
    const char *name = json_get_string(node, "name");
    json_object *choice = json_get_object(json_get_object(chooser->preparation->choices, "nodes"), name);
    int tries = 0;
    while (!json_get(choice, member_name(chooser))) {
        uint32_t address;
        uint16_t port = 0;
        if (!next_candidate(chooser, &address)) {
            if (new_block(chooser))
                return chooser->preparation->problem.code;
            continue;
        }
        enum port_state state = ports_state(chooser, node, address, &port);
        if (state == PORT_TAKEN && ++tries < PORT_TRIES)
            continue;
        if (state != PORT_FREE) {
            port_problem(&chooser->preparation->problem, state, port);
            problem_where(&chooser->preparation->problem, "node %s", name);
            return chooser->preparation->problem.code;
        }
        char text[BLOCK_TEXT_BYTES];
        block_address_format(address, text);
        if (json_set_string(choice, member_name(chooser), text))
            return problem_no_memory(&chooser->preparation->problem);
    }
    return 0;
}

static int32_t record_blocks(struct chooser *chooser)
{
    json_object *blocks = json_set_new_array(chooser->preparation->choices, "blocks");
    int failed = 0;
    for (size_t i = 0; i < chooser->block_count; i++) {
        char text[BLOCK_TEXT_BYTES];
        block_format(chooser->blocks[i].block, text);
        failed |= json_add_string(blocks, text);
    }
    return failed || !blocks ? problem_no_memory(&chooser->preparation->problem) : 0;
}

static int32_t read_what_is_taken(struct chooser *chooser)
{
    AUTO_FREE char *claims = local_claims_directory(chooser->preparation->local);
    if (!claims)
        return problem_no_memory(&chooser->preparation->problem);
    if (local_directory_list(claims, &chooser->claims, &chooser->preparation->problem))
        return chooser->preparation->problem.code;
    return chooser->preparation->has_namespaces ? read_routes(chooser) : 0;
}

static int32_t choose_addresses(struct chooser *chooser)
{
    json_object *nodes = json_get_array(chooser->preparation->spec, "nodes");
    if (read_what_is_taken(chooser) || read_earlier_blocks(chooser))
        return chooser->preparation->problem.code;
    for (size_t i = 0; i < json_count(nodes); i++)
        if (keep_address(chooser, json_get_string(json_at(nodes, i), "name")))
            return chooser->preparation->problem.code;
    for (size_t i = 0; i < json_count(nodes); i++)
        if (give_address(chooser, json_at(nodes, i)))
            return chooser->preparation->problem.code;
    /* Even a network without nodes needs its way out. */
    if (!chooser->block_count && new_block(chooser))
        return chooser->preparation->problem.code;
    return record_blocks(chooser);
}

/* Every address that must stand in a node's certificate. */
static int32_t list_addresses(struct chooser *chooser)
{
    json_object *nodes = json_get_object(chooser->preparation->choices, "nodes");
    json_object_object_foreach(nodes, name, choice)
    {
        (void)name;
        const char *access_address = json_get_string(choice, "access_address");
        json_object *addresses = json_set_new_array(choice, "addresses");
        if (json_add_string(addresses, json_get_string(choice, "address")) ||
            (access_address && json_add_string(addresses, access_address)))
            return problem_no_memory(&chooser->preparation->problem);
    }
    return 0;
}

static int32_t choose_all(struct chooser *chooser)
{
    json_object *nodes = json_get_array(chooser->preparation->spec, "nodes");
    json_object *chosen = json_set_new_object(chooser->preparation->choices, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        if (!json_set_new_object(chosen, json_get_string(json_at(nodes, i), "name")))
            return problem_no_memory(&chooser->preparation->problem);
    if (chooser->preparation->has_namespaces && (choose_network(chooser) || choose_private_addresses(chooser)))
        return chooser->preparation->problem.code;
    return choose_addresses(chooser) ? chooser->preparation->problem.code : list_addresses(chooser);
}

int32_t addresses_choose(struct preparation *preparation)
{
    struct chooser chooser = { .preparation = preparation };
    int32_t failed = choose_all(&chooser);
    local_names_clear(&chooser.claims);
    free(chooser.blocks);
    free(chooser.routes);
    return failed;
}
