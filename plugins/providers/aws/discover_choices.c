/* discover_choices.c - from what is there back to what was chosen, see discover.h */
#include "plugins/providers/aws/discover.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/block.h"
#include "plugins/providers/aws/kinds.h"

#define SUBNET_PREFIX "subnet/"

static bool is_marked(json_object *item, const char *deployment)
{
    const char *mark = tag_of(json_get_array(item, "tagSet"), TAG_DEPLOYMENT);
    return mark && !strcmp(mark, deployment);
}

static int add_network(const struct snapshot *snapshot, const char *deployment, json_object *choices)
{
    json_object *vpcs = snapshot->lists[LIST_VPCS].items;
    for (size_t i = 0; i < json_count(vpcs); i++)
        if (is_marked(json_at(vpcs, i), deployment))
            return json_set_string(json_set_new_object(choices, "network"), "cidr",
                                   json_get_string(json_at(vpcs, i), "cidrBlock"));
    return 0;
}

/* ---- Subnets ---- */

static int by_block(const void *one, const void *other)
{
    struct block blocks[2] = { { 0 }, { 0 } };
    block_parse(json_get_string(*(json_object *const *)one, "cidr"), &blocks[0]);
    block_parse(json_get_string(*(json_object *const *)other, "cidr"), &blocks[1]);
    return (blocks[0].address > blocks[1].address) - (blocks[0].address < blocks[1].address);
}

/* The key is subnet/NAME/ZONE, with /pool behind it for one whose addresses AWS gives. */
static int add_subnet(struct memories_call *call, json_object *subnets, json_object *item)
{
    const char *key = tag_of(json_get_array(item, "tagSet"), TAG_KEY);
    const char *zone = json_get_string(item, "availabilityZone");
    if (!key || !zone || strncmp(key, SUBNET_PREFIX, strlen(SUBNET_PREFIX)) != 0)
        return 0;
    const char *name = key + strlen(SUBNET_PREFIX), *end = strchr(name, '/');
    const char *cut = end ? plugin_format(call, "%.*s", (int)(end - name), name) : NULL;
    json_object *piece = json_add_new_object(subnets);
    return (cut ? json_set_string(piece, "name", cut) : MEMORIES_NO_MEMORY) | json_set_string(piece, "key", key) |
           json_set_string(piece, "zone", zone) | json_set_string(piece, "cidr", json_get_string(item, "cidrBlock"));
}

/* In the order in which they were cut. */
static int add_subnets(struct memories_call *call, const struct snapshot *snapshot, const char *deployment,
                       json_object *choices)
{
    json_object *items = snapshot->lists[LIST_SUBNETS].items, *subnets = json_set_new_array(choices, "subnets");
    int failed = !subnets;
    for (size_t i = 0; i < json_count(items); i++)
        if (is_marked(json_at(items, i), deployment))
            failed |= add_subnet(call, subnets, json_at(items, i));
    if (subnets)
        json_object_array_sort(subnets, by_block);
    return failed;
}

/* ---- Nodes ---- */

/* Its key; an existing one's is its id. */
static const char *subnet_key(struct memories_call *call, const struct snapshot *snapshot, const char *id)
{
    json_object *subnet = snapshot_find(snapshot, LIST_SUBNETS, "subnetId", id);
    const char *key = tag_of(json_get_array(subnet, "tagSet"), TAG_KEY);
    return key ? key : plugin_format(call, SUBNET_PREFIX "%s", id);
}

static int add_node(struct memories_call *call, const struct snapshot *snapshot, json_object *choices,
                    json_object *instance)
{
    json_object *nodes = json_get_object(choices, "nodes"), *images = json_get_object(choices, "images_present");
    const char *token, *name = instance_node(call, instance, &token);
    const char *id = json_get_string(instance, "subnetId"), *key = id ? subnet_key(call, snapshot, id) : NULL;
    const char *architecture = json_get_string(instance, "architecture");
    if (!name || !key || !architecture)
        return 0;
    json_object *node = json_set_new_object(nodes, name);
    return json_set_string(node, "present", json_get_string(instance, "privateIpAddress")) |
           json_set_string(node, "zone", json_get_string(json_get_object(instance, "placement"), "availabilityZone")) |
           json_set_string(node, "subnet", key) |
           json_set_string(node, "instance_type", json_get_string(instance, "instanceType")) |
           json_set_string(node, "architecture", architecture) |
           json_set_string(images, architecture, json_get_string(instance, "imageId"));
}

json_object *discover_choices(struct memories_call *call, const struct snapshot *snapshot, const char *deployment,
                              json_object *home)
{
    json_object *instances = snapshot->lists[LIST_INSTANCES].items;
    AUTO_JSON json_object *choices = json_object_new_object();
    int failed = json_set(choices, "home", json_ref(home)) | add_network(snapshot, deployment, choices) |
                 add_subnets(call, snapshot, deployment, choices);
    failed |= !json_set_new_object(choices, "images_present") | !json_set_new_object(choices, "nodes");
    for (size_t i = 0; i < json_count(instances); i++)
        if (is_marked(json_at(instances, i), deployment) && !instance_is_gone(json_at(instances, i)))
            failed |= add_node(call, snapshot, choices, json_at(instances, i));
    return failed ? NULL : STEAL(choices);
}
