/* prepare.c - the preflight, see prepare.h */
#include "plugins/providers/aws/prepare.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"

/* What Canonical publishes for each region (ubuntu.com/aws). */
#define IMAGE_PARAMETER "/aws/service/canonical/ubuntu/server/24.04/stable/current/%s/hvm/ebs-gp3/ami-id"
#define UBUNTU_ROOT_DEVICE "/dev/sda1"
/* With nothing said about the machine. */
#define DEFAULT_TYPE "t3.medium"
#define UBUNTU_ROOT_GB 8

static const struct {
    const char *architecture, *debian;
} architectures[] = { { "x86_64", "amd64" }, { "arm64", "arm64" } };

void preparation_note(struct preparation *preparation, const char *where, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_object *note = json_add_new_object(preparation->notes);
    preparation->failed |= json_set_string(note, "where", where) | json_set_string(note, "text", text);
}

/* ---- Where ---- */

/* "us-west-2a" is in us-west-2. */
const char *aws_region_of_zone(struct memories_call *call, const char *zone)
{
    size_t length = zone ? strlen(zone) : 0;
    bool fits = length > 2 && zone[length - 1] >= 'a' && zone[length - 1] <= 'z' && zone[length - 2] >= '0' &&
                zone[length - 2] <= '9';
    return fits ? plugin_format(call, "%.*s", (int)length - 1, zone) : NULL;
}

static const char *asked_region(struct preparation *preparation)
{
    json_object *placement = json_get_object(json_get_object(preparation->spec, "network"), "placement");
    json_object *nodes = json_get_array(preparation->spec, "nodes");
    const char *region = json_get_string(placement, "region");
    for (size_t i = 0; !region && i < json_count(nodes); i++) {
        json_object *machine = json_get_object(json_at(nodes, i), "machine");
        region = json_get_string(machine, "region");
        region = region ? region : aws_region_of_zone(preparation->call, json_get_string(machine, "zone"));
    }
    return region;
}

static int32_t choose_region(struct preparation *preparation)
{
    const char *asked = asked_region(preparation), *earlier = aws_region_of(preparation->earlier);
    if (earlier && asked && strcmp(asked, earlier) != 0)
        return plugin_fail(preparation->call, MEMORIES_INVALID, "config.region", "deploy it as a new deployment",
                           "the deployment is in %s and can't move to %s", earlier, asked);
    preparation->region = earlier ? earlier : asked;
    if (!preparation->region) {
        const struct settings *settings = aws_client_settings(&preparation->aws->client, preparation->call);
        if (!settings)
            return MEMORIES_INVALID;
        preparation->region = settings_region(settings);
    }
    if (preparation->region)
        return MEMORIES_OK;
    return plugin_fail(preparation->call, MEMORIES_INVALID, "config.region",
                       "add `region: us-west-2` or another to the configuration, or set AWS_REGION",
                       "no region is given: neither in the configuration, nor as AWS_REGION, nor in the profile");
}

/* ---- Demands ---- */

/* The nodes whose addresses a text has: %a is its own node's, %{NAME} another's. */
static void note_addressed(struct preparation *preparation, const char *text, const char *node)
{
    for (const char *at = strchr(text, '%'); at && at[1]; at = strchr(at + 2, '%')) {
        size_t length = at[1] == '{' ? strcspn(at + 2, "}") : 0;
        const char *other = at[1] == '{' ? plugin_format(preparation->call, "%.*s", (int)length, at + 2) : NULL;
        preparation->failed |= at[1] == '{' && !other;
        if (other || at[1] == 'a')
            preparation->failed |= json_set_bool(preparation->addressed, other ? other : node, true);
    }
}

static void find_addressed(struct preparation *preparation, json_object *value, const char *node)
{
    if (json_object_is_type(value, json_type_string))
        note_addressed(preparation, json_object_get_string(value), node);
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner) {
            (void)name;
            find_addressed(preparation, inner, node);
        }
    }
    for (size_t i = 0; i < json_count(value); i++)
        find_addressed(preparation, json_at(value, i), node);
}

/* Sizes in the words of another cloud are recorded, as every provider does with what is not its own. */
static void note_foreign_type(struct preparation *preparation, const struct demand *demand, json_object *machine)
{
    static const char *const keys[] = { "machine_type", "vm_size" };
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
        if (json_get_string(machine, keys[i]))
            preparation_note(preparation, plugin_format(preparation->call, "node %s", demand->name),
                             "%s %s is recorded, not honoured: on AWS say instance_type or hardware", keys[i],
                             json_get_string(machine, keys[i]));
}

static void read_demand(struct preparation *preparation, struct demand *demand, json_object *node)
{
    json_object *machine = json_get_object(node, "machine"), *hardware = json_get_object(node, "hardware");
    const char *type = json_get_string(machine, "instance_type"), *zone = json_get_string(machine, "zone");
    bool sized = json_get_object(hardware, "cpu") || json_get_object(hardware, "gpu") ||
                 json_get(json_get_object(hardware, "memory"), "ram");
    demand->name = json_get_string(node, "name");
    demand->node = node;
    demand->hardware = hardware;
    demand->earlier = json_get_object(json_get_object(preparation->earlier, "nodes"), demand->name);
    /* What was chosen stays; what is asked for may change. */
    demand->type = type ? type : json_get_string(demand->earlier, "instance_type");
    if (!demand->type && !sized)
        demand->type = DEFAULT_TYPE;
    demand->zone = zone ? zone : json_get_string(demand->earlier, "zone");
    /* Of a node that was found without a record only that it has an address is known. */
    demand->has_address = demand->earlier && !json_get_string(demand->earlier, "present")
                              ? json_get_string(demand->earlier, "address") != NULL
                              : json_get(preparation->addressed, demand->name) != NULL;
    demand->displaced = !zone && demand->earlier && aws_is_displaced(preparation->aws, demand->name);
    if (!type)
        note_foreign_type(preparation, demand, machine);
}

/* Of nodes whose addresses are known to others, a whole subnet moves to another zone, and takes the addresses along:
 * all of its nodes or none. An existing subnet does not move. */
static bool can_move(const struct preparation *preparation, const struct demand *demand)
{
    const char *subnet = json_get_string(demand->earlier, "subnet");
    if (!demand->displaced || !demand->has_address)
        return demand->displaced;
    for (size_t i = 0; i < preparation->count; i++) {
        const struct demand *other = &preparation->demands[i];
        const char *others = json_get_string(other->earlier, "subnet");
        if (others && subnet && !strcmp(others, subnet) && !aws_is_displaced(preparation->aws, other->name))
            return false;
    }
    return subnet && !json_get_array(preparation->aws->config, "subnet_ids");
}

static void settle_displaced(struct preparation *preparation)
{
    for (size_t i = 0; i < preparation->count; i++) {
        struct demand *demand = &preparation->demands[i];
        demand->displaced = can_move(preparation, demand);
        if (demand->displaced)
            demand->zone = NULL;
    }
}

static int32_t read_demands(struct preparation *preparation)
{
    json_object *nodes = json_get_array(preparation->spec, "nodes");
    preparation->count = json_count(nodes);
    preparation->demands =
        plugin_host->allocate(preparation->call, (preparation->count + 1) * sizeof *preparation->demands);
    if (!preparation->demands)
        return plugin_no_memory(preparation->call);
    for (size_t i = 0; i < preparation->count; i++) {
        const char *name = json_get_string(json_at(nodes, i), "name");
        find_addressed(preparation, json_get(json_at(nodes, i), "bootstrap"), name);
    }
    for (size_t i = 0; i < preparation->count; i++)
        read_demand(preparation, &preparation->demands[i], json_at(nodes, i));
    settle_displaced(preparation);
    return MEMORIES_OK;
}

/* ---- Questions of the first round ---- */

static json_object *one_value(const char *value)
{
    json_object *values = json_object_new_array();
    if (!values || json_add_string(values, value)) {
        json_object_put(values);
        return NULL;
    }
    return values;
}

static int ask_images(struct preparation *preparation)
{
    const char *image = json_get_string(preparation->aws->config, "image");
    json_object *parameters = json_object_new_object();
    if (image)
        return json_set_new(parameters, "ImageId", one_value(image)) |
               questions_add(&preparation->questions, ASK_IMAGE, parameters);
    json_object *names = json_set_new_array(parameters, "Names");
    int failed = 0;
    for (size_t i = 0; i < ARRAY_COUNT(architectures); i++) {
        const char *name = plugin_format(preparation->call, IMAGE_PARAMETER, architectures[i].debian);
        failed |= name ? json_add_string(names, name) : MEMORIES_NO_MEMORY;
    }
    return failed | questions_add(&preparation->questions, ASK_PARAMETERS, parameters);
}

/* An id that somebody else uses at this moment, from another machine: it shows by its marks. */
static int ask_marks(struct preparation *preparation)
{
    json_object *parameters = json_object_new_object();
    return questions_filter(parameters, "key", one_value(TAG_DEPLOYMENT)) |
           questions_filter(parameters, "value", one_value(preparation->aws->deployment)) |
           questions_add(&preparation->questions, ASK_MARKS, parameters);
}

static int ask_existing(struct preparation *preparation)
{
    json_object *subnets = json_get_array(preparation->aws->config, "subnet_ids");
    json_object *groups = json_get_array(preparation->aws->config, "security_group_ids");
    int failed = 0;
    if (subnets) {
        json_object *by_id = json_object_new_object(), *by_subnet = json_object_new_object();
        failed |= json_set_new(by_id, "SubnetId", json_ref(subnets)) |
                  questions_add(&preparation->questions, ASK_SUBNETS, by_id) |
                  questions_filter(by_subnet, "subnet-id", json_ref(subnets)) |
                  questions_add(&preparation->questions, ASK_INTERFACES, by_subnet);
    }
    if (groups) {
        json_object *by_id = json_object_new_object();
        failed |= json_set_new(by_id, "GroupId", json_ref(groups)) |
                  questions_add(&preparation->questions, ASK_GROUPS, by_id);
    }
    return failed;
}

static int ask_zones(struct preparation *preparation)
{
    json_object *parameters = json_object_new_object();
    return questions_filter(parameters, "zone-type", one_value("availability-zone")) |
           questions_filter(parameters, "state", one_value("available")) |
           questions_add(&preparation->questions, ASK_ZONES, parameters);
}

static int ask_place(struct preparation *preparation)
{
    return questions_add(&preparation->questions, ASK_CALLER, json_object_new_object()) | ask_zones(preparation) |
           (json_get_object(preparation->earlier, "images") ? 0 : ask_images(preparation)) |
           (preparation->earlier ? 0 : ask_marks(preparation)) | ask_existing(preparation);
}

/* ---- Judging them ---- */

static int32_t question_failed(struct preparation *preparation, enum question question, const char *where)
{
    const struct aws_list *list = questions_error(&preparation->questions, question);
    if (!list)
        return MEMORIES_OK;
    struct memories_error_detail error = list->error;
    error.where = where;
    return plugin_host->fail(preparation->call, &error);
}

static int32_t judge_caller(struct preparation *preparation)
{
    int32_t code = question_failed(preparation, ASK_CALLER, "AWS credentials");
    if (code)
        return code;
    json_object *caller = json_at(questions_items(&preparation->questions, ASK_CALLER), 0);
    json_object *known = json_get_object(preparation->earlier, "home");
    const char *account = json_get_string(caller, "Account"), *before = json_get_string(known, "account");
    if (before && account && strcmp(before, account) != 0)
        return plugin_fail(preparation->call, MEMORIES_DENIED, "AWS credentials",
                           "use credentials of that account (AWS_PROFILE); who these are: memories doctor aws",
                           "the deployment is in the account %s, and the credentials are of %s", before, account);
    if (account)
        aws_note_account(preparation->aws, account);
    json_object *home = json_set_new_object(preparation->choices, "home");
    preparation->failed |= json_set_string(home, "account", account) |
                           json_set_string(home, "region", preparation->region) |
                           json_set_string(home, "partition", aws_partition_of(preparation->region)->id);
    return MEMORIES_OK;
}

static int32_t judge_marks(struct preparation *preparation)
{
    int32_t code = question_failed(preparation, ASK_MARKS, NULL);
    json_object *marked = json_at(questions_items(&preparation->questions, ASK_MARKS), 0);
    if (code || !marked)
        return code;
    return plugin_fail(preparation->call, MEMORIES_CONFLICT, preparation->aws->deployment,
                       "run the command again: the new deployment gets another id",
                       "there is a deployment %s in this account already, made elsewhere: %s %s has its mark",
                       preparation->aws->deployment, json_get_string(marked, "resourceType"),
                       json_get_string(marked, "resourceId"));
}

/* The image that is named: what it is for, and what its disk needs. */
static int32_t judge_image(struct preparation *preparation)
{
    int32_t code = question_failed(preparation, ASK_IMAGE, "config.image");
    json_object *image = json_at(questions_items(&preparation->questions, ASK_IMAGE), 0);
    if (code || !image)
        return code;
    const char *root = json_get_string(image, "rootDeviceName"), *architecture = json_get_string(image, "architecture");
    json_object *mappings = json_get_array(image, "blockDeviceMapping");
    int64_t size = 1;
    for (size_t i = 0; i < json_count(mappings); i++) {
        const char *device = json_get_string(json_at(mappings, i), "deviceName");
        const char *needs = json_get_string(json_get_object(json_at(mappings, i), "ebs"), "volumeSize");
        if (device && root && needs && !strcmp(device, root) && strtoll(needs, NULL, 10) > size)
            size = strtoll(needs, NULL, 10);
    }
    if (!root || !architecture)
        return plugin_fail(preparation->call, MEMORIES_INVALID, "config.image", "choose one with an EBS root volume",
                           "the image %s has no root device", json_get_string(image, "imageId"));
    json_object *images = json_set_new_object(preparation->choices, "images");
    json_object *choice = json_set_new_object(images, architecture);
    preparation->failed |= json_set_string(choice, "id", json_get_string(image, "imageId")) |
                           json_set_string(choice, "root_device", root) | json_set_int(choice, "size", size);
    return MEMORIES_OK;
}

static int32_t judge_parameters(struct preparation *preparation)
{
    int32_t code = question_failed(preparation, ASK_PARAMETERS, NULL);
    json_object *found = questions_items(&preparation->questions, ASK_PARAMETERS);
    json_object *images = code ? NULL : json_set_new_object(preparation->choices, "images");
    for (size_t i = 0; !code && i < json_count(found); i++) {
        const char *name = json_get_string(json_at(found, i), "Name");
        for (size_t k = 0; name && k < ARRAY_COUNT(architectures); k++) {
            if (!strstr(name, architectures[k].debian))
                continue;
            json_object *choice = json_set_new_object(images, architectures[k].architecture);
            preparation->failed |= json_set_string(choice, "id", json_get_string(json_at(found, i), "Value")) |
                                   json_set_string(choice, "root_device", UBUNTU_ROOT_DEVICE) |
                                   json_set_int(choice, "size", UBUNTU_ROOT_GB);
        }
    }
    return code;
}

/* Of a deployment that was found without a record: its instances' images, of which newer ones may be published since.
 */
static int32_t keep_present_images(struct preparation *preparation)
{
    json_object *images = json_get_object(preparation->choices, "images");
    json_object *present = json_get_object(preparation->earlier, "images_present");
    if (present) {
        json_object_object_foreach(present, architecture, id) {
            json_object *choice = json_get_object(images, architecture);
            if (choice && json_object_is_type(id, json_type_string))
                preparation->failed |= json_set(choice, "id", json_ref(id));
        }
    }
    return MEMORIES_OK;
}

/* The image stays the same for the life of a deployment: nodes that come later are like the first ones. */
static int32_t judge_images(struct preparation *preparation)
{
    json_object *earlier = json_get_object(preparation->earlier, "images");
    const char *image = json_get_string(preparation->aws->config, "image");
    if (earlier) {
        preparation->failed |= json_set(preparation->choices, "images", json_ref(earlier));
        return MEMORIES_OK;
    }
    int32_t code = image ? judge_image(preparation) : judge_parameters(preparation);
    return code ? code : keep_present_images(preparation);
}

static int32_t check_images(struct preparation *preparation)
{
    json_object *images = json_get_object(preparation->choices, "images");
    const char *image = json_get_string(preparation->aws->config, "image");
    for (size_t i = 0; i < preparation->count; i++) {
        const struct demand *demand = &preparation->demands[i];
        if (json_get_object(images, demand->architecture))
            continue;
        if (image)
            return plugin_fail(preparation->call, MEMORIES_INVALID, "config.image",
                               "choose an image of that architecture, or another instance_type",
                               "the image %s is not for %s, which the %s of %s is", image, demand->architecture,
                               demand->chosen_type, demand->name);
        return plugin_fail(preparation->call, MEMORIES_NOT_FOUND, "config.image", "name an image: `image: ami-…`",
                           "Canonical publishes no Ubuntu 24.04 for %s in %s", demand->architecture,
                           preparation->region);
    }
    return MEMORIES_OK;
}

/* ---- The slot ---- */

static int32_t check_existing(struct preparation *preparation)
{
    json_object *config = preparation->aws->config;
    if (json_get_string(config, "vpc_id") && !json_get_array(config, "subnet_ids"))
        return plugin_fail(preparation->call, MEMORIES_UNSUPPORTED, "config.vpc_id", "add subnet_ids",
                           "vpc_id alone is not enough: in a VPC that is not its own, memories makes no subnets");
    if (json_get_array(config, "security_group_ids") && !json_get_array(config, "subnet_ids"))
        return plugin_fail(preparation->call, MEMORIES_INVALID, "config.security_group_ids",
                           "add subnet_ids of that VPC",
                           "existing security groups belong to an existing VPC, and the nodes are to get a new one");
    return MEMORIES_OK;
}

/* The calls of an earlier preflight don't count. */
static int forget_asked(struct aws *aws)
{
    json_object *none = json_object_new_object();
    pthread_mutex_lock(&aws->lock);
    if (none) {
        json_object_put(aws->asked);
        aws->asked = none;
    }
    pthread_mutex_unlock(&aws->lock);
    return none ? 0 : MEMORIES_NO_MEMORY;
}

static int32_t ask(struct preparation *preparation)
{
    if (forget_asked(preparation->aws) | ask_place(preparation) | machines_ask(preparation))
        return plugin_no_memory(preparation->call);
    return questions_ask(&preparation->questions, preparation->aws, preparation->call, preparation->region);
}

static int32_t choose(struct preparation *preparation)
{
    static int32_t (*const steps[])(struct preparation *) = { check_existing, choose_region, read_demands,
                                                              volumes_check,  ask,           judge_caller,
                                                              judge_marks,    judge_images,  machines_choose,
                                                              check_images,   network_choose };
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        int32_t code = steps[i](preparation);
        if (code || preparation->failed)
            return code ? code : plugin_no_memory(preparation->call);
    }
    return MEMORIES_OK;
}

int32_t aws_prepare(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of prepare");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    struct preparation *preparation = plugin_host->allocate(call, sizeof *preparation);
    if (!preparation)
        return plugin_no_memory(call);
    *preparation = (struct preparation){
        .aws = instance,
        .call = call,
        .spec = json_get_object(document, "spec"),
        .earlier = json_get_object(document, "choices"),
        .choices = json_set_new_object(result, "choices"),
        .notes = json_set_new_array(result, "notes"),
        .addressed = json_object_new_object(),
    };
    bool can_begin = preparation->choices && preparation->notes && preparation->addressed;
    int32_t code = can_begin ? choose(preparation) : plugin_no_memory(call);
    questions_clear(&preparation->questions);
    json_object_put(preparation->addressed);
    return code ? code : plugin_result(call, STEAL(result));
}
