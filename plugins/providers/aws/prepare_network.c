/*
 * prepare_network.c - zones, subnets, addresses
 *
 * A subnet of AWS is in one zone. A subnet of the spec is therefore a block of addresses that is cut into pieces, one
 * for each zone in which it has nodes. Nodes whose address must be known beforehand and nodes that get theirs from AWS
 * are in pieces of their own, so that AWS gives nobody's address away.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/block.h"
#include "plugins/providers/aws/prepare.h"

/* Nodes without a wish are spread over so many zones: a majority survives the loss of one. */
#define ZONES_USED 3
#define DEFAULT_CIDR "10.0.0.0/16"
/* AWS keeps the first four addresses of a subnet and the last one, and makes subnets of /16 to /28. */
#define FIRST_HOST 4
#define HOSTS_KEPT 5
#define BITS_LEAST 16
#define BITS_MOST 28
/* A VPC's block holds 4 of the spec's subnets, and each of those 8 pieces where there is room: for nodes with and without
 * an address of their own, in each of the zones. */
#define SUBNET_BITS 2
#define PIECE_BITS 3

static const char *where_of(struct preparation *preparation, const struct demand *demand)
{
    return plugin_format(preparation->call, "node %s", demand->name);
}

static const char *role_of(const struct demand *demand)
{
    const char *role = json_get_string(demand->node, "role");
    return role ? role : "";
}

/* ---- Zones ---- */

/* What has been given out: the choice of a node that was placed, by its position; NULL: not yet. */
struct placing {
    struct preparation *preparation;
    const char **zones;     /* of each demand */
    const char **available; /* all of the region, or those of existing subnets */
    size_t available_count;
};

static bool is_available(const struct placing *placing, const char *zone)
{
    for (size_t i = 0; i < placing->available_count; i++)
        if (!strcmp(placing->available[i], zone))
            return true;
    return false;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* The zones of the region, or of the subnets that are to be used, in the order of their names. */
static int32_t list_zones(struct placing *placing)
{
    struct preparation *preparation = placing->preparation;
    bool existing = json_get_array(preparation->aws->config, "subnet_ids");
    enum question question = existing ? ASK_SUBNETS : ASK_ZONES;
    const struct aws_list *failed = questions_error(&preparation->questions, question);
    if (failed)
        return plugin_host->fail(preparation->call, &failed->error);
    json_object *items = questions_items(&preparation->questions, question);
    placing->available = plugin_host->allocate(preparation->call, (json_count(items) + 1) * sizeof(const char *));
    if (!placing->available)
        return plugin_no_memory(preparation->call);
    for (size_t i = 0; i < json_count(items); i++) {
        const char *zone = json_get_string(json_at(items, i), existing ? "availabilityZone" : "zoneName");
        if (zone && !is_available(placing, zone))
            placing->available[placing->available_count++] = zone;
    }
    qsort(placing->available, placing->available_count, sizeof *placing->available, compare_names);
    return MEMORIES_OK;
}

static bool can_have(struct placing *placing, const struct demand *demand, const char *zone)
{
    struct preparation *preparation = placing->preparation;
    json_object *offers = questions_items(&preparation->questions, ASK_OFFERS);
    if (aws_is_refused(preparation->aws, zone, demand->chosen_type))
        return false;
    for (size_t i = 0; i < json_count(offers); i++) {
        const char *type = json_get_string(json_at(offers, i), "instanceType");
        const char *place = json_get_string(json_at(offers, i), "location");
        if (type && place && !strcmp(type, demand->chosen_type) && !strcmp(place, zone))
            return true;
    }
    return false;
}

static size_t alike_in(const struct placing *placing, const struct demand *demand, const char *zone)
{
    size_t count = 0;
    for (size_t i = 0; i < placing->preparation->count; i++)
        count += placing->zones[i] && !strcmp(placing->zones[i], zone) &&
                 !strcmp(role_of(&placing->preparation->demands[i]), role_of(demand));
    return count;
}

/* The one of the first few that can be had which has the fewest nodes of the same role: so no zone has a majority of a
 * group where three zones are to be had. */
static const char *emptiest_zone(struct placing *placing, const struct demand *demand)
{
    const char *best = NULL;
    size_t least = 0, seen = 0;
    for (size_t i = 0; i < placing->available_count && seen < ZONES_USED; i++) {
        const char *zone = placing->available[i];
        if (!can_have(placing, demand, zone))
            continue;
        size_t count = alike_in(placing, demand, zone);
        if (!best || count < least) {
            best = zone;
            least = count;
        }
        seen++;
    }
    return best;
}

static int32_t place_where_wanted(struct placing *placing)
{
    struct preparation *preparation = placing->preparation;
    for (size_t i = 0; i < preparation->count; i++) {
        const struct demand *demand = &preparation->demands[i];
        if (!demand->zone)
            continue;
        if (!is_available(placing, demand->zone))
            return plugin_fail(preparation->call, MEMORIES_INVALID, where_of(preparation, demand),
                               "choose another zone, or leave zone out",
                               json_get_array(preparation->aws->config, "subnet_ids")
                                   ? "none of config.subnet_ids is in the zone %s"
                                   : "%s is no zone of the region that this account can use",
                               demand->zone);
        placing->zones[i] = demand->zone;
    }
    return MEMORIES_OK;
}

/* Where those went that share its subnet, and its fate; NULL: they have not been placed yet. */
static const char *zone_of_companions(const struct placing *placing, const struct demand *demand)
{
    const struct preparation *preparation = placing->preparation;
    const char *subnet = json_get_string(demand->earlier, "subnet");
    for (size_t i = 0; demand->displaced && demand->has_address && i < preparation->count; i++) {
        const char *others = json_get_string(preparation->demands[i].earlier, "subnet");
        if (placing->zones[i] && others && !strcmp(others, subnet))
            return placing->zones[i];
    }
    return NULL;
}

static void note_move(struct placing *placing, const struct demand *demand, const char *zone)
{
    struct preparation *preparation = placing->preparation;
    if (demand->displaced)
        preparation_note(preparation, where_of(preparation, demand),
                         "there is no %s to be had in %s now: it goes to %s", demand->chosen_type,
                         json_get_string(demand->earlier, "zone"), zone);
}

static int32_t place_nodes(struct placing *placing)
{
    struct preparation *preparation = placing->preparation;
    int32_t code = place_where_wanted(placing);
    for (size_t i = 0; !code && i < preparation->count; i++) {
        const struct demand *demand = &preparation->demands[i];
        if (placing->zones[i])
            continue;
        const char *with_others = zone_of_companions(placing, demand);
        placing->zones[i] = with_others ? with_others : emptiest_zone(placing, demand);
        if (placing->zones[i])
            note_move(placing, demand, placing->zones[i]);
        else
            code = plugin_fail(preparation->call, MEMORIES_CAPACITY, where_of(preparation, demand),
                               "choose another instance_type or region, or try again later",
                               "there is no zone with a %s to be had", demand->chosen_type);
    }
    return code;
}

/* ---- The VPC's block, and those of the spec's subnets ---- */

static json_object *spec_network(const struct preparation *preparation)
{
    return json_get_object(preparation->spec, "network");
}

static int32_t wrong_block(struct preparation *preparation, const char *where, const char *hint, const char *what)
{
    return plugin_fail(preparation->call, MEMORIES_INVALID, where, hint, "%s", what);
}

/* With blocks of subnets given and none for the whole, the /16 round the first: it holds what people write. */
static bool block_round(json_object *subnets, struct block *block)
{
    for (size_t i = 0; i < json_count(subnets); i++) {
        struct block given;
        if (!block_parse(json_get_string(json_at(subnets, i), "cidr"), &given) || given.bits < BITS_LEAST)
            continue;
        *block = (struct block){ given.address & 0xffff0000u, BITS_LEAST };
        return true;
    }
    return false;
}

static int32_t choose_block(struct preparation *preparation, struct block *block)
{
    json_object *network = spec_network(preparation);
    const char *asked = json_get_string(network, "cidr");
    const char *earlier = json_get_string(json_get_object(preparation->earlier, "network"), "cidr");
    char text[BLOCK_TEXT_BYTES];
    if (!asked && earlier)
        asked = earlier;
    if (asked && !block_parse(asked, block))
        return wrong_block(preparation, "config.network.cidr", "give a block such as 10.0.0.0/16",
                           "AWS needs an IPv4 block for a VPC");
    if (!asked && !block_round(json_get_array(network, "subnets"), block))
        block_parse(DEFAULT_CIDR, block);
    if (block->bits < BITS_LEAST || block->bits > BITS_MOST)
        return wrong_block(preparation, "config.network.cidr", "choose one between /16 and /28",
                           plugin_format(preparation->call, "AWS makes no VPC of /%d", block->bits));
    block_format(block, text);
    preparation->failed |= json_set_string(json_set_new_object(preparation->choices, "network"), "cidr", text);
    return MEMORIES_OK;
}

/* One of the spec's subnets, and how its block is cut. */
struct area {
    const char *name;
    bool is_public;
    struct block block;
    int piece_bits;
    uint32_t next; /* piece not given out yet */
};

struct areas {
    struct area *items;
    size_t count;
};

static const char *subnet_path(struct preparation *preparation, json_object *subnet)
{
    return plugin_format(preparation->call, "config.network.subnets.%s.cidr",
                         json_get_bool(subnet, "public", false) ? "public" : "private");
}

static int32_t choose_area(struct preparation *preparation, const struct block *vpc, json_object *subnet, size_t index,
                           struct area *area)
{
    const char *asked = json_get_string(subnet, "cidr");
    *area =
        (struct area){ .name = json_get_string(subnet, "name"), .is_public = json_get_bool(subnet, "public", false) };
    if (asked && !block_parse(asked, &area->block))
        return wrong_block(preparation, subnet_path(preparation, subnet), "give a block such as 10.0.1.0/24",
                           "AWS needs an IPv4 block for a subnet");
    if (!asked && !block_piece(vpc, vpc->bits + SUBNET_BITS, (uint32_t)index, &area->block))
        return wrong_block(preparation, "config.network.cidr", "choose a larger one",
                           "the network's block is too small");
    if (!block_holds(vpc, &area->block))
        return wrong_block(preparation, subnet_path(preparation, subnet),
                           "choose a block within the network's, or give config.network.cidr",
                           plugin_format(preparation->call, "%s is not within the network's block", asked));
    return MEMORIES_OK;
}

static bool overlaps(const struct areas *areas, const struct block *block)
{
    for (size_t i = 0; i < areas->count; i++)
        if (block_holds(&areas->items[i].block, block) || block_holds(block, &areas->items[i].block))
            return true;
    return false;
}

/* Without public addresses the way out is a NAT gateway, and that stands in a subnet with a way out of its own. */
static int32_t add_nat_area(struct preparation *preparation, const struct block *vpc, struct areas *areas)
{
    struct area *area = &areas->items[areas->count];
    bool any_public = false;
    for (size_t i = 0; i < areas->count; i++)
        any_public |= areas->items[i].is_public;
    if (any_public || !json_get_bool(spec_network(preparation), "nat", false))
        return MEMORIES_OK;
    *area = (struct area){
        .name = plugin_format(preparation->call, "%.59s-nat", json_get_string(spec_network(preparation), "name")),
        .is_public = true,
    };
    for (uint32_t number = 0; block_piece(vpc, vpc->bits + SUBNET_BITS, number, &area->block); number++) {
        if (overlaps(areas, &area->block))
            continue;
        areas->count++;
        return area->name ? MEMORIES_OK : plugin_no_memory(preparation->call);
    }
    return wrong_block(preparation, "config.network.nat",
                       "enable config.network.subnets.public, give a larger config.network.cidr, or say nat: false",
                       "there is no room in the network for the subnet of the NAT gateway");
}

/* Nodes without public addresses reach nothing through an internet gateway: their subnet counts as a private one. */
static void judge_publicness(struct preparation *preparation, struct areas *areas)
{
    for (size_t i = 0; i < areas->count; i++)
        for (size_t k = 0; k < preparation->count; k++) {
            const char *subnet = json_get_string(preparation->demands[k].node, "subnet");
            if (subnet && !strcmp(subnet, areas->items[i].name) &&
                !json_get_bool(preparation->demands[k].node, "public_ip", false))
                areas->items[i].is_public = false;
        }
}

static int32_t choose_areas(struct preparation *preparation, struct areas *areas)
{
    json_object *subnets = json_get_array(spec_network(preparation), "subnets");
    struct block vpc;
    int32_t code = choose_block(preparation, &vpc);
    areas->count = json_count(subnets);
    areas->items = plugin_host->allocate(preparation->call, (areas->count + 2) * sizeof *areas->items);
    if (!areas->items)
        return plugin_no_memory(preparation->call);
    for (size_t i = 0; !code && i < areas->count; i++)
        code = choose_area(preparation, &vpc, json_at(subnets, i), i, &areas->items[i]);
    for (size_t i = 0; !code && i < areas->count; i++)
        for (size_t k = 0; k < i; k++)
            if (block_holds(&areas->items[i].block, &areas->items[k].block) ||
                block_holds(&areas->items[k].block, &areas->items[i].block))
                code = wrong_block(preparation, "config.network.subnets", "give blocks that don't overlap",
                                   "the blocks of the subnets overlap");
    if (code)
        return code;
    judge_publicness(preparation, areas);
    return add_nat_area(preparation, &vpc, areas);
}

/* ---- Pieces ---- */

static json_object *chosen_subnets(const struct preparation *preparation)
{
    return json_get_array(preparation->choices, "subnets");
}

static const char *piece_key(struct preparation *preparation, const char *name, const char *zone, bool pool)
{
    return plugin_format(preparation->call, "subnet/%s/%s%s", name, zone, pool ? "/pool" : "");
}

static bool is_pool(json_object *piece)
{
    return strstr(json_get_string(piece, "key"), "/pool");
}

static json_object *find_piece(json_object *subnets, const char *name, const char *zone, bool pool)
{
    for (size_t i = 0; i < json_count(subnets); i++) {
        json_object *piece = json_at(subnets, i);
        const char *of = json_get_string(piece, "name");
        if (of && !strcmp(of, name) && !strcmp(json_get_string(piece, "zone"), zone) && is_pool(piece) == pool)
            return piece;
    }
    return NULL;
}

static json_object *piece_with_key(json_object *subnets, const char *key)
{
    for (size_t i = 0; key && i < json_count(subnets); i++)
        if (!strcmp(json_get_string(json_at(subnets, i), "key"), key))
            return json_at(subnets, i);
    return NULL;
}

/* The key of a piece that has moved to another zone is taken. */
static const char *free_key(struct preparation *preparation, const char *name, const char *zone, bool pool)
{
    const char *key = piece_key(preparation, name, zone, pool), *free = key;
    for (int number = 2; free && piece_with_key(chosen_subnets(preparation), free); number++)
        free = plugin_format(preparation->call, "%s/%d", key, number);
    return free;
}

/* Where a piece has to move with its nodes; NULL: it stays. */
static const char *new_zone_of(const struct placing *placing, const char *key)
{
    const struct preparation *preparation = placing->preparation;
    for (size_t i = 0; i < preparation->count; i++) {
        const struct demand *demand = &preparation->demands[i];
        const char *subnet = json_get_string(demand->earlier, "subnet");
        if (demand->displaced && demand->has_address && subnet && !strcmp(subnet, key))
            return placing->zones[i];
    }
    return NULL;
}

static int take_earlier_piece(const struct placing *placing, const struct area *area, json_object *piece)
{
    const char *zone = new_zone_of(placing, json_get_string(piece, "key"));
    AUTO_JSON json_object *taken = NULL;
    if (json_object_deep_copy(piece, &taken, NULL) || json_set_string(taken, "name", area->name) ||
        (zone && json_set_string(taken, "zone", zone)))
        return MEMORIES_NO_MEMORY;
    return json_add(chosen_subnets(placing->preparation), STEAL(taken));
}

/* Earlier pieces keep their addresses, whatever the subnet is called now; the next one is behind them. */
static void take_earlier_pieces(const struct placing *placing, struct area *area)
{
    struct preparation *preparation = placing->preparation;
    json_object *earlier = json_get_array(preparation->earlier, "subnets");
    for (size_t i = 0; i < json_count(earlier); i++) {
        json_object *piece = json_at(earlier, i);
        struct block block;
        if (!block_parse(json_get_string(piece, "cidr"), &block) || !block_holds(&area->block, &block))
            continue;
        uint32_t number = (block.address - area->block.address) / block_size(&block);
        area->piece_bits = block.bits;
        area->next = number + 1 > area->next ? number + 1 : area->next;
        if (!json_get(piece, "public"))
            preparation->failed |= json_set_bool(piece, "public", area->is_public);
        preparation->failed |= take_earlier_piece(placing, area, piece);
    }
}

/* Into as many pieces as the nodes need now, and more for zones and kinds of nodes that come later, as long as a piece
 * holds what it must and is not smaller than AWS makes any. */
static int piece_bits(const struct area *area, size_t pieces, size_t nodes_in_one)
{
    int bits = 0;
    while ((size_t)1 << bits < pieces)
        bits++;
    while (bits < PIECE_BITS && area->block.bits + bits < BITS_MOST &&
           (size_t)1 << (31 - area->block.bits - bits) >= nodes_in_one + HOSTS_KEPT)
        bits++;
    return area->block.bits + bits;
}

static void choose_piece_bits(struct preparation *preparation, const struct placing *placing, struct area *area)
{
    AUTO_JSON json_object *nodes = json_object_new_object(); /* how many in each piece */
    size_t most = 0;
    for (size_t i = 0; i < preparation->count; i++) {
        const char *subnet = json_get_string(preparation->demands[i].node, "subnet");
        if (!subnet || strcmp(subnet, area->name) != 0)
            continue;
        const char *key = piece_key(preparation, area->name, placing->zones[i], !preparation->demands[i].has_address);
        int64_t count = key ? json_get_int(nodes, key, 0) + 1 : 0;
        preparation->failed |= key ? json_set_int(nodes, key, count) : MEMORIES_NO_MEMORY;
        most = (size_t)count > most ? (size_t)count : most;
    }
    area->piece_bits = piece_bits(area, nodes ? (size_t)json_object_object_length(nodes) : 0, most);
}

static int32_t add_piece(struct preparation *preparation, struct area *area, const char *zone, bool pool)
{
    const char *key = free_key(preparation, area->name, zone, pool);
    char text[BLOCK_TEXT_BYTES];
    struct block block;
    if (find_piece(chosen_subnets(preparation), area->name, zone, pool))
        return MEMORIES_OK;
    if (area->piece_bits > BITS_MOST || !block_piece(&area->block, area->piece_bits, area->next, &block))
        return plugin_fail(preparation->call, MEMORIES_INVALID, "config.network.subnets",
                           "give it a larger block, or name fewer zones",
                           "the block of the subnet %s has no room for one more zone (%s)", area->name, zone);
    area->next++;
    block_format(&block, text);
    json_object *piece = json_add_new_object(chosen_subnets(preparation));
    preparation->failed |= json_set_string(piece, "key", key);
    preparation->failed |= json_set_string(piece, "name", area->name);
    preparation->failed |= json_set_string(piece, "zone", zone);
    preparation->failed |= json_set_string(piece, "cidr", text);
    preparation->failed |= json_set_bool(piece, "public", area->is_public);
    return MEMORIES_OK;
}

/* The subnet of the nodes is cut for them; another one that was asked for gets one piece: the NAT gateway may be there.
 */
static int32_t cut_area(struct preparation *preparation, const struct placing *placing, struct area *area)
{
    int32_t code = MEMORIES_OK;
    take_earlier_pieces(placing, area);
    if (!area->piece_bits)
        choose_piece_bits(preparation, placing, area);
    bool used = false;
    for (size_t i = 0; !code && i < preparation->count; i++) {
        const char *subnet = json_get_string(preparation->demands[i].node, "subnet");
        if (!subnet || strcmp(subnet, area->name) != 0)
            continue;
        used = true;
        code = add_piece(preparation, area, placing->zones[i], !preparation->demands[i].has_address);
    }
    if (!code && !used && preparation->count)
        code = add_piece(preparation, area, placing->zones[0], false);
    return code;
}

/* Existing subnets are pieces that need no cutting. */
static void take_existing(struct preparation *preparation)
{
    json_object *subnets = questions_items(&preparation->questions, ASK_SUBNETS);
    json_object *network = json_set_new_object(preparation->choices, "network");
    preparation->failed |= json_set_bool(network, "existing", true);
    preparation->failed |= json_set_string(network, "vpc", json_get_string(json_at(subnets, 0), "vpcId"));
    for (size_t i = 0; i < json_count(subnets); i++) {
        json_object *piece = json_add_new_object(chosen_subnets(preparation));
        const char *id = json_get_string(json_at(subnets, i), "subnetId");
        const char *key = id ? plugin_format(preparation->call, "subnet/%s", id) : NULL;
        preparation->failed |= key ? json_set_string(piece, "key", key) : MEMORIES_NO_MEMORY;
        preparation->failed |= json_set_string(piece, "id", id);
        preparation->failed |= json_set_string(piece, "zone", json_get_string(json_at(subnets, i), "availabilityZone"));
        preparation->failed |= json_set_string(piece, "cidr", json_get_string(json_at(subnets, i), "cidrBlock"));
    }
}

static int32_t check_existing(struct preparation *preparation)
{
    json_object *subnets = questions_items(&preparation->questions, ASK_SUBNETS);
    json_object *groups = questions_items(&preparation->questions, ASK_GROUPS);
    const char *vpc = json_get_string(json_at(subnets, 0), "vpcId");
    const char *wanted = json_get_string(preparation->aws->config, "vpc_id");
    const struct aws_list *failed = questions_error(&preparation->questions, ASK_GROUPS);
    failed = failed ? failed : questions_error(&preparation->questions, ASK_INTERFACES);
    if (failed)
        return plugin_host->fail(preparation->call, &failed->error);
    for (size_t i = 0; vpc && i < json_count(subnets); i++)
        if (strcmp(json_get_string(json_at(subnets, i), "vpcId"), vpc) != 0)
            return plugin_fail(preparation->call, MEMORIES_INVALID, "config.subnet_ids", "choose subnets of one VPC",
                               "the subnets are not all in one VPC");
    if (wanted && vpc && strcmp(wanted, vpc) != 0)
        return plugin_fail(preparation->call, MEMORIES_INVALID, "config.vpc_id", "correct it, or leave it out",
                           "the subnets are in %s", vpc);
    for (size_t i = 0; vpc && i < json_count(groups); i++)
        if (strcmp(json_get_string(json_at(groups, i), "vpcId"), vpc) != 0)
            return plugin_fail(preparation->call, MEMORIES_INVALID, "config.security_group_ids",
                               "choose security groups of that VPC", "%s is not in %s, which the subnets are in",
                               json_get_string(json_at(groups, i), "groupId"), vpc);
    return MEMORIES_OK;
}

/* ---- Addresses ---- */

/* Its own as before, if that is in the zone: two that have moved may be in the same one. */
static json_object *piece_of(const struct preparation *preparation, const struct demand *demand, const char *zone)
{
    json_object *subnets = chosen_subnets(preparation);
    const char *name = json_get_string(demand->node, "subnet");
    json_object *piece = piece_with_key(subnets, json_get_string(demand->earlier, "subnet"));
    if (piece && !strcmp(json_get_string(piece, "zone"), zone))
        return piece;
    piece = find_piece(subnets, name, zone, !demand->has_address);
    for (size_t i = 0; !piece && i < json_count(subnets); i++)
        if (json_get_string(json_at(subnets, i), "id") && !strcmp(json_get_string(json_at(subnets, i), "zone"), zone))
            piece = json_at(subnets, i);
    return piece;
}

static const char *earlier_address(const struct demand *demand)
{
    const char *address = json_get_string(demand->earlier, "address");
    return address ? address : demand->has_address ? json_get_string(demand->earlier, "present") : NULL;
}

/* {address: true} of nodes that have one already, and in existing subnets of anybody. */
static json_object *taken_addresses(struct preparation *preparation)
{
    json_object *taken = json_object_new_object();
    json_object *interfaces = questions_items(&preparation->questions, ASK_INTERFACES);
    for (size_t i = 0; i < preparation->count; i++) {
        const char *address = earlier_address(&preparation->demands[i]);
        if (address)
            preparation->failed |= json_set_bool(taken, address, true);
    }
    for (size_t i = 0; i < json_count(interfaces); i++) {
        const char *address = json_get_string(json_at(interfaces, i), "privateIpAddress");
        if (address)
            preparation->failed |= json_set_bool(taken, address, true);
    }
    return taken;
}

/* In an existing subnet from its end: AWS itself gives from anywhere, and people from the beginning. */
static const char *free_address(struct preparation *preparation, json_object *piece, json_object *taken)
{
    struct block block;
    bool existing = json_get_string(piece, "id");
    if (!block_parse(json_get_string(piece, "cidr"), &block))
        return NULL;
    uint32_t size = block_size(&block);
    for (uint32_t i = FIRST_HOST; i + 1 < size; i++) {
        char text[BLOCK_TEXT_BYTES];
        block_format_address(block.address + (existing ? size - 2 - (i - FIRST_HOST) : i), text);
        if (json_get(taken, text))
            continue;
        preparation->failed |= json_set_bool(taken, text, true);
        return plugin_format(preparation->call, "%s", text);
    }
    return NULL;
}

static int32_t add_node(struct preparation *preparation, json_object *nodes, const struct demand *demand,
                        const char *zone, json_object *taken)
{
    json_object *piece = piece_of(preparation, demand, zone);
    const char *before = json_get_string(demand->earlier, "zone");
    /* Addresses belong to zones, unless their subnet moves. */
    bool stays = before && (!strcmp(before, zone) || demand->displaced);
    const char *address = stays ? earlier_address(demand) : NULL;
    if (!piece)
        return plugin_fail(preparation->call, MEMORIES_INTERNAL, where_of(preparation, demand), NULL,
                           "there is no subnet for the node %s in %s", demand->name, zone);
    if (!address && demand->has_address)
        address = free_address(preparation, piece, taken);
    if (!address && demand->has_address)
        return plugin_fail(preparation->call, MEMORIES_INVALID, "config.network.subnets",
                           "give the subnet a larger block, or spread the nodes over more zones",
                           "the addresses in %s (%s) are not enough for the nodes", zone,
                           json_get_string(piece, "cidr"));
    json_object *choice = json_set_new_object(nodes, demand->name);
    preparation->failed |= json_set_string(choice, "address", address);
    json_object *addresses = json_set_new_array(choice, "addresses");
    preparation->failed |= address ? json_add_string(addresses, address) : !addresses;
    preparation->failed |= json_set_string(choice, "zone", zone);
    preparation->failed |= json_set_string(choice, "subnet", json_get_string(piece, "key"));
    preparation->failed |= json_set_string(choice, "instance_type", demand->chosen_type);
    preparation->failed |= json_set_string(choice, "architecture", demand->architecture);
    return MEMORIES_OK;
}

/* A pool must have room for all that come into it; AWS would say so when they are launched, which is late. */
static int32_t check_room(struct preparation *preparation)
{
    json_object *subnets = chosen_subnets(preparation), *nodes = json_get_object(preparation->choices, "nodes");
    for (size_t i = 0; i < json_count(subnets); i++) {
        json_object *piece = json_at(subnets, i);
        const char *key = json_get_string(piece, "key");
        struct block block;
        uint32_t count = 0;
        json_object_object_foreach(nodes, name, node) {
            (void)name;
            count += !strcmp(json_get_string(node, "subnet"), key);
        }
        if (!block_parse(json_get_string(piece, "cidr"), &block) || count + HOSTS_KEPT <= block_size(&block))
            continue;
        return plugin_fail(preparation->call, MEMORIES_INVALID, "config.network.subnets",
                           "give the subnet a larger block, or spread the nodes over more zones",
                           "%u nodes are to be in %s (%s), which has room for %u", count,
                           json_get_string(piece, "zone"), json_get_string(piece, "cidr"),
                           block_size(&block) - HOSTS_KEPT);
    }
    return MEMORIES_OK;
}

int32_t network_choose(struct preparation *preparation)
{
    struct placing placing = { .preparation = preparation };
    struct areas areas = { 0 };
    bool existing = json_get_array(preparation->aws->config, "subnet_ids");
    placing.zones = plugin_host->allocate(preparation->call, (preparation->count + 1) * sizeof(const char *));
    if (!placing.zones || !json_set_new_array(preparation->choices, "subnets"))
        return plugin_no_memory(preparation->call);
    int32_t code = list_zones(&placing);
    if (!code)
        code = place_nodes(&placing);
    if (!code && existing) {
        code = check_existing(preparation);
        take_existing(preparation);
    } else if (!code) {
        code = choose_areas(preparation, &areas);
    }
    for (size_t i = 0; !code && i < areas.count; i++)
        code = cut_area(preparation, &placing, &areas.items[i]);
    json_object *nodes = code ? NULL : json_set_new_object(preparation->choices, "nodes");
    AUTO_JSON json_object *taken = taken_addresses(preparation);
    for (size_t i = 0; !code && i < preparation->count; i++)
        code = add_node(preparation, nodes, &preparation->demands[i], placing.zones[i], taken);
    return code ? code : check_room(preparation);
}
