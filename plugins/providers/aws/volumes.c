/* volumes.c - disks: EBS volumes, see volumes.h */
#include "plugins/providers/aws/volumes.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/prepare.h"

#define DEFAULT_TYPE "gp3"
#define DEFAULT_ROOT_GB 20
#define DEFAULT_DATA_GB 100

/* docs.aws.amazon.com/ebs: "Amazon EBS volume types". iops 0: the type takes none. */
static const struct volume_type {
    const char *name;
    int64_t size_least, size_most, iops_least, iops_most, throughput_least, throughput_most;
    bool boots;
} types[] = {
    { "gp3", 1, 65536, 3000, 80000, 125, 2000, true }, { "gp2", 1, 16384, 0, 0, 0, 0, true },
    { "io1", 4, 16384, 100, 64000, 0, 0, true },       { "io2", 4, 65536, 100, 256000, 0, 0, true },
    { "st1", 125, 16384, 0, 0, 0, 0, false },          { "sc1", 125, 16384, 0, 0, 0, 0, false },
    { "standard", 1, 1024, 0, 0, 0, 0, true },
};

static const struct volume_type *find_type(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_COUNT(types); i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return NULL;
}

/* A type of another cloud's is taken for the usual one. */
static const struct volume_type *type_of(json_object *asked)
{
    const struct volume_type *type = find_type(json_get_string(asked, "type"));
    return type ? type : &types[0];
}

/* The disks of a node as they are asked for: hardware's words before the machine's. */
static json_object *asked_root(json_object *node)
{
    json_object *root = json_get_object(json_get_object(json_get_object(node, "hardware"), "storage"), "root_volume");
    return root ? root : json_get_object(json_get_object(node, "machine"), "storage");
}

static json_object *asked_data(json_object *node)
{
    return json_get_object(json_get_object(json_get_object(node, "hardware"), "storage"), "data_volume");
}

/* ---- Checking ---- */

static int32_t check_number(struct preparation *preparation, const char *where, json_object *asked, const char *key,
                            const struct volume_type *type, int64_t least, int64_t most)
{
    int64_t value = json_get_int(asked, key, 0);
    if (!value)
        return MEMORIES_OK;
    if (!most)
        return plugin_fail(preparation->call, MEMORIES_INVALID, where, "leave it out, or choose the type gp3",
                           "a disk of type %s takes no %s", type->name, key);
    if (value <= most)
        return MEMORIES_OK;
    return plugin_fail(preparation->call, MEMORIES_INVALID, where, "ask for less, or choose another type",
                       "a disk of type %s has a %s of %lld to %lld, not %lld", type->name, key, (long long)least,
                       (long long)most, (long long)value);
}

static int32_t check_volume(struct preparation *preparation, const char *where, json_object *asked, bool boots)
{
    const struct volume_type *type = type_of(asked);
    const char *name = json_get_string(asked, "type");
    if (name && !find_type(name))
        preparation_note(preparation, where, "the disk type %s is recorded, not honoured: on AWS it is " DEFAULT_TYPE,
                         name);
    if (boots && !type->boots)
        return plugin_fail(preparation->call, MEMORIES_INVALID, where, "choose gp3 for the first disk",
                           "a machine can't boot from a disk of type %s", type->name);
    int32_t code = check_number(preparation, where, asked, "size", type, type->size_least, type->size_most);
    if (!code)
        code = check_number(preparation, where, asked, "iops", type, type->iops_least, type->iops_most);
    if (!code)
        code =
            check_number(preparation, where, asked, "throughput", type, type->throughput_least, type->throughput_most);
    return code;
}

int32_t volumes_check(struct preparation *preparation)
{
    int32_t code = MEMORIES_OK;
    for (size_t i = 0; !code && i < preparation->count; i++) {
        const struct demand *demand = &preparation->demands[i];
        code = check_volume(preparation, plugin_format(preparation->call, "node %s: first disk", demand->name),
                            asked_root(demand->node), true);
        if (!code)
            code = check_volume(preparation, plugin_format(preparation->call, "node %s: data disk", demand->name),
                                asked_data(demand->node), false);
    }
    return code;
}

/* ---- Lowering ---- */

static int64_t at_least(int64_t value, int64_t least)
{
    return value > least ? value : least;
}

static json_object *volume(json_object *asked, int64_t size, int64_t least)
{
    const struct volume_type *type = type_of(asked);
    AUTO_JSON json_object *made = json_object_new_object();
    int64_t iops = json_get_int(asked, "iops", 0), throughput = json_get_int(asked, "throughput", 0);
    int failed =
        json_set_int(made, "size", at_least(at_least(json_get_int(asked, "size", size), least), type->size_least));
    failed |= json_set_string(made, "type", type->name);
    /* io1 and io2 must be told; for the others what they have by themselves is no wish. */
    bool must = !strcmp(type->name, "io1") || !strcmp(type->name, "io2");
    if (type->iops_most && (iops || must))
        failed |= json_set_int(made, "iops", at_least(iops, type->iops_least));
    if (type->throughput_most && throughput)
        failed |= json_set_int(made, "throughput", at_least(throughput, type->throughput_least));
    return failed ? NULL : STEAL(made);
}

json_object *volumes_of(json_object *node, int64_t least_root_gb)
{
    AUTO_JSON json_object *volumes = json_object_new_object();
    json_object *root = asked_root(node), *data = asked_data(node);
    int64_t size = json_get_int(json_get_object(node, "machine"), "storage_size", DEFAULT_ROOT_GB);
    int failed = json_set_new(volumes, "root", volume(root, size, least_root_gb));
    if (data)
        failed |= json_set_new(volumes, "data", volume(data, DEFAULT_DATA_GB, 1));
    return failed ? NULL : STEAL(volumes);
}
