/*
 * prepare_machines.c - a type for each node, held against what AWS has and allows
 *
 * A type that is named is checked against the hardware; without one the smallest of the current generation that
 * satisfies the hardware is taken. Then: is it sold in the zone, and may the account run so many?
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/prepare.h"

#define BYTES_PER_GB 1e9
#define BYTES_PER_MIB 1048576.0
/* No type has more memory than this for each of its processors. */
#define GB_PER_PROCESSOR_MAX 33
/* Types that would do and whose zones are asked for. */
#define CANDIDATES_MAX 50
#define DEFAULT_VCPUS 2

/* ---- What a type has; the numbers are text in AWS's replies ---- */

static double number(json_object *object, const char *key)
{
    const char *text = json_get_string(object, key);
    return text ? strtod(text, NULL) : 0;
}

static double processors_of(json_object *type)
{
    return number(json_get_object(type, "vCpuInfo"), "defaultVCpus");
}

static double memory_mib_of(json_object *type)
{
    return number(json_get_object(type, "memoryInfo"), "sizeInMiB");
}

static const char *name_of(json_object *type)
{
    const char *name = json_get_string(type, "instanceType");
    return name ? name : "";
}

static bool is_true(json_object *type, const char *key)
{
    const char *text = json_get_string(type, key);
    return text && !strcmp(text, "true");
}

static bool has_architecture(json_object *type, const char *architecture)
{
    json_object *list = json_get_array(json_get_object(type, "processorInfo"), "supportedArchitectures");
    for (size_t i = 0; i < json_count(list); i++)
        if (!strcmp(json_object_get_string(json_at(list, i)), architecture))
            return true;
    return false;
}

static const char *architecture_of(json_object *type)
{
    return has_architecture(type, "arm64") ? "arm64" : "x86_64";
}

static json_object *gpus_of(json_object *type)
{
    return json_get_array(json_get_object(type, "gpuInfo"), "gpus");
}

/* ---- Shortcomings ---- */

/* "nvidia_tesla_t4" and "T4" are one: the last word of the one is in the other. */
static bool same_gpu(const char *wanted, const char *name)
{
    const char *word = wanted;
    for (const char *at = wanted; *at; at++)
        if (*at == '_' || *at == '-' || *at == ' ')
            word = at + 1;
    return strcasestr(name, word) != NULL || strcasestr(wanted, name) != NULL;
}

static const char *gpu_shortcoming(struct memories_call *call, json_object *type, json_object *wanted)
{
    const char *model = json_get_string(wanted, "type"), *found = NULL;
    double count = 0, memory_mib = 0;
    json_object *gpus = gpus_of(type);
    int64_t wanted_count = json_get_int(wanted, "count", 1);
    if (wanted_count == 0)
        return NULL;
    for (size_t i = 0; i < json_count(gpus); i++) {
        const char *name = json_get_string(json_at(gpus, i), "name");
        if (!name || (model && !same_gpu(model, name)))
            continue;
        found = name;
        count += number(json_at(gpus, i), "count");
        memory_mib = number(json_get_object(json_at(gpus, i), "memoryInfo"), "sizeInMiB");
    }
    double wanted_gb = json_object_get_double(json_get(wanted, "memory"));
    if (!found)
        return plugin_format(call, "it has no %s GPU", model ? model : "");
    if (count < (double)wanted_count)
        return plugin_format(call, "it has %.0f %s GPUs, fewer than %lld", count, found, (long long)wanted_count);
    if (memory_mib * BYTES_PER_MIB < wanted_gb * BYTES_PER_GB)
        return plugin_format(call, "its GPUs have %.0f MiB of memory, less than %g GB", memory_mib, wanted_gb);
    return NULL;
}

const char *machine_shortcoming(struct memories_call *call, json_object *type, json_object *hardware)
{
    json_object *cpu = json_get_object(hardware, "cpu"), *gpu = json_get_object(hardware, "gpu");
    int64_t vcpus = json_get_int(cpu, "vcpus", 0);
    const char *architecture = json_get_string(cpu, "architecture");
    double ram_gb = json_object_get_double(json_get(json_get_object(hardware, "memory"), "ram"));
    if (processors_of(type) < (double)vcpus)
        return plugin_format(call, "it has %.0f virtual processors, fewer than %lld", processors_of(type),
                             (long long)vcpus);
    if (memory_mib_of(type) * BYTES_PER_MIB < ram_gb * BYTES_PER_GB)
        return plugin_format(call, "it has %.0f MiB of memory, less than %g GB", memory_mib_of(type), ram_gb);
    if (architecture && !has_architecture(type, architecture))
        return plugin_format(call, "it is %s, not %s", architecture_of(type), architecture);
    return gpu ? gpu_shortcoming(call, type, gpu) : NULL;
}

/* ---- Order of types that would do ---- */

/* "m7i.large" is of generation 7, "x1e.xlarge" of 1. */
static int generation_of(json_object *type)
{
    const char *name = name_of(type);
    return atoi(name + strcspn(name, "0123456789"));
}

/* Letters behind the generation stand for extras: disks, network, other makers' processors. */
static size_t extras_of(json_object *type)
{
    const char *name = name_of(type);
    const char *digits = name + strcspn(name, "0123456789");
    return strcspn(digits + strspn(digits, "0123456789"), ".");
}

static int compare(double one, double other)
{
    return one < other ? -1 : one > other;
}

/* Fewest processors, least memory, no GPUs that nobody asked for, whole processors before shares of some, no disks that
 * are lost at a stop, the newest generation, the plainest name. */
int machine_order(json_object *one, json_object *other)
{
    const int orders[] = {
        compare(processors_of(one), processors_of(other)),
        compare(memory_mib_of(one), memory_mib_of(other)),
        compare((double)json_count(gpus_of(one)), (double)json_count(gpus_of(other))),
        compare(is_true(one, "burstablePerformanceSupported"), is_true(other, "burstablePerformanceSupported")),
        compare(is_true(one, "instanceStorageSupported"), is_true(other, "instanceStorageSupported")),
        compare(generation_of(other), generation_of(one)),
        compare((double)extras_of(one), (double)extras_of(other)),
    };
    for (size_t i = 0; i < ARRAY_COUNT(orders); i++)
        if (orders[i])
            return orders[i];
    int names = strcmp(name_of(one), name_of(other));
    return names < 0 ? -1 : names > 0;
}

static int order_elements(const void *one, const void *other)
{
    return machine_order(*(json_object *const *)one, *(json_object *const *)other);
}

/* ---- Quotas (docs.aws.amazon.com/ec2: "Amazon EC2 instance type quotas") ---- */

const char *machine_quota(const char *type)
{
    static const struct {
        const char *families, *code;
    } quotas[] = { { " a c d h i im is m r t z ", "L-1216C47A" },
                   { " g gr vt ", "L-DB2E81BA" },
                   { " p ", "L-417A185B" },
                   { " x ", "L-7295265B" },
                   { " f ", "L-74FC7D96" },
                   { " inf ", "L-1945791B" },
                   { " trn ", "L-2C3B7624" } };
    char family[16] = " ";
    size_t length = strcspn(type, "0123456789");
    if (length == 0 || length + 3 > sizeof family)
        return NULL;
    memcpy(family + 1, type, length);
    memcpy(family + 1 + length, " ", 2);
    for (size_t i = 0; i < ARRAY_COUNT(quotas); i++)
        if (strstr(quotas[i].families, family))
            return quotas[i].code;
    return NULL;
}

/* ---- Questions ---- */

static bool has_text(json_object *array, const char *text)
{
    for (size_t i = 0; i < json_count(array); i++)
        if (!strcmp(json_object_get_string(json_at(array, i)), text))
            return true;
    return false;
}

/* Which of them are sold in which zone, and what their quotas are. */
static int ask_about(struct preparation *preparation, json_object *names)
{
    json_object *offers = json_object_new_object();
    int failed = json_set_string(offers, "LocationType", "availability-zone");
    failed |= questions_filter(offers, "instance-type", json_ref(names));
    failed |= questions_add(&preparation->questions, ASK_OFFERS, offers);
    for (size_t i = 0; i < json_count(names); i++)
        failed |=
            questions_add_quota(&preparation->questions, machine_quota(json_object_get_string(json_at(names, i))));
    return failed;
}

static int ask_named(struct preparation *preparation)
{
    AUTO_JSON json_object *names = json_object_new_array();
    int failed = 0;
    for (size_t i = 0; i < preparation->count; i++)
        if (preparation->demands[i].type && !has_text(names, preparation->demands[i].type))
            failed |= json_add_string(names, preparation->demands[i].type);
    if (!json_count(names))
        return failed | !names;
    json_object *types = json_object_new_object();
    failed |= json_set_new(types, "InstanceType", json_ref(names));
    failed |= questions_add(&preparation->questions, ASK_TYPES, types);
    return failed | ask_about(preparation, names);
}

static int64_t least_processors(json_object *hardware)
{
    int64_t vcpus = json_get_int(json_get_object(hardware, "cpu"), "vcpus", DEFAULT_VCPUS);
    double ram_gb = json_object_get_double(json_get(json_get_object(hardware, "memory"), "ram"));
    int64_t for_memory = (int64_t)(ram_gb / GB_PER_PROCESSOR_MAX);
    return vcpus > for_memory ? vcpus : for_memory;
}

/* AWS filters by equality only: the sizes that types come in, from what is wanted to four times that (a type with GPUs
 * may have many more processors than were asked for). */
static int ask_candidates(struct preparation *preparation)
{
    static const int64_t sizes[] = { 1,  2,  4,   8,   12,  16,  24,  32,  36,  48, 64,
                                     72, 96, 112, 128, 192, 224, 256, 384, 448, 896 };
    json_object *values = json_object_new_array(), *parameters = json_object_new_object();
    int failed = 0;
    bool any = false;
    for (size_t s = 0; s < ARRAY_COUNT(sizes); s++) {
        bool wanted = false;
        for (size_t i = 0; i < preparation->count; i++) {
            json_object *hardware = preparation->demands[i].hardware;
            int64_t least = least_processors(hardware), most = least * (json_get_object(hardware, "gpu") ? 16 : 4);
            wanted |= !preparation->demands[i].type && sizes[s] >= least && sizes[s] <= most;
        }
        any |= wanted;
        failed |= wanted ? json_add_string(values, plugin_format(preparation->call, "%lld", (long long)sizes[s])) : 0;
    }
    json_object *current = json_object_new_array(), *metal = json_object_new_array();
    failed |= json_add_string(current, "true") | json_add_string(metal, "false");
    failed |= questions_filter(parameters, "vcpu-info.default-vcpus", values);
    failed |= questions_filter(parameters, "current-generation", current);
    failed |= questions_filter(parameters, "bare-metal", metal);
    failed |= json_set_int(parameters, "MaxResults", 100);
    if (any)
        return failed | questions_add(&preparation->questions, ASK_CANDIDATES, parameters);
    json_object_put(parameters);
    return failed;
}

static int ask_running(struct preparation *preparation)
{
    json_object *states = json_object_new_array(), *parameters = json_object_new_object();
    int failed = json_add_string(states, "pending") | json_add_string(states, "running");
    failed |= questions_filter(parameters, "instance-state-name", states);
    failed |= json_set_int(parameters, "MaxResults", 1000);
    return failed | questions_add(&preparation->questions, ASK_RUNNING, parameters);
}

int machines_ask(struct preparation *preparation)
{
    bool any_new = false;
    for (size_t i = 0; i < preparation->count; i++)
        any_new |= !preparation->demands[i].earlier;
    return ask_named(preparation) | ask_candidates(preparation) | (any_new ? ask_running(preparation) : 0);
}

/* ---- Choosing ---- */

static int32_t failed_question(struct preparation *preparation, enum question question, const char *where)
{
    const struct aws_list *list = questions_error(&preparation->questions, question);
    if (!list)
        return MEMORIES_OK;
    struct memories_error_detail error = list->error;
    error.where = where;
    if (list->code && !strcmp(list->code, "InvalidInstanceType"))
        error.hint = "choose another instance_type, or give hardware instead";
    return plugin_host->fail(preparation->call, &error);
}

static json_object *find_type(struct preparation *preparation, const char *name)
{
    static const enum question lists[] = { ASK_TYPES, ASK_CANDIDATES };
    for (size_t k = 0; k < ARRAY_COUNT(lists); k++) {
        json_object *types = questions_items(&preparation->questions, lists[k]);
        for (size_t i = 0; i < json_count(types); i++)
            if (!strcmp(name_of(json_at(types, i)), name))
                return json_at(types, i);
    }
    return NULL;
}

static bool is_offered(struct preparation *preparation, const char *type, const char *zone)
{
    json_object *offers = questions_items(&preparation->questions, ASK_OFFERS);
    for (size_t i = 0; i < json_count(offers); i++) {
        const char *name = json_get_string(json_at(offers, i), "instanceType");
        const char *place = json_get_string(json_at(offers, i), "location");
        if (name && place && !strcmp(name, type) && (!zone || !strcmp(place, zone)))
            return true;
    }
    return false;
}

/* "us-west-2a, us-west-2b" */
static const char *zones_of(struct preparation *preparation, const char *type)
{
    struct plugin_text text = PLUGIN_TEXT(preparation->call);
    json_object *offers = questions_items(&preparation->questions, ASK_OFFERS);
    for (size_t i = 0; i < json_count(offers); i++) {
        const char *name = json_get_string(json_at(offers, i), "instanceType");
        if (name && !strcmp(name, type))
            plugin_text_printf(&text, "%s%s", text.length ? ", " : "", json_get_string(json_at(offers, i), "location"));
    }
    return plugin_text_take(&text);
}

static const char *where_of(struct preparation *preparation, const struct demand *demand)
{
    return plugin_format(preparation->call, "node %s", demand->name);
}

/* Programs are for x86_64 unless somebody says otherwise. */
static bool is_usual(json_object *type, json_object *hardware)
{
    return json_get_string(json_get_object(hardware, "cpu"), "architecture") || has_architecture(type, "x86_64");
}

/* All that satisfy the hardware, the best first. In the call's memory. */
static json_object **fitting(struct preparation *preparation, json_object *hardware, size_t *count)
{
    json_object *types = questions_items(&preparation->questions, ASK_CANDIDATES);
    json_object **found = plugin_host->allocate(preparation->call, (json_count(types) + 1) * sizeof(json_object *));
    *count = 0;
    for (size_t i = 0; found && i < json_count(types); i++)
        if (is_usual(json_at(types, i), hardware) &&
            !machine_shortcoming(preparation->call, json_at(types, i), hardware))
            found[(*count)++] = json_at(types, i);
    if (found)
        qsort(found, *count, sizeof *found, order_elements);
    return found;
}

/* The second round: where those that would do are sold. Named types are in it again, for there is one list of offers.
 */
static int32_t ask_about_fitting(struct preparation *preparation)
{
    AUTO_JSON json_object *names = json_object_new_array();
    bool any = false;
    int failed = 0;
    for (size_t i = 0; i < preparation->count; i++) {
        const struct demand *demand = &preparation->demands[i];
        size_t count = 0;
        if (demand->type) {
            failed |= has_text(names, demand->type) ? 0 : json_add_string(names, demand->type);
            continue;
        }
        json_object **types = fitting(preparation, demand->hardware, &count);
        failed |= !types;
        any = true;
        for (size_t k = 0; k < count && k < CANDIDATES_MAX; k++)
            failed |= has_text(names, name_of(types[k])) ? 0 : json_add_string(names, name_of(types[k]));
    }
    if (!any || !json_count(names))
        return failed ? plugin_no_memory(preparation->call) : MEMORIES_OK;
    failed |= ask_about(preparation, names);
    if (failed)
        return plugin_no_memory(preparation->call);
    return questions_ask(&preparation->questions, preparation->aws, preparation->call, preparation->region);
}

static int32_t choose_by_hardware(struct preparation *preparation, struct demand *demand)
{
    size_t count;
    json_object **types = fitting(preparation, demand->hardware, &count);
    for (size_t i = 0; types && i < count; i++) {
        if (!is_offered(preparation, name_of(types[i]), demand->zone))
            continue;
        demand->chosen_type = name_of(types[i]);
        preparation_note(preparation, where_of(preparation, demand),
                         "%s is taken: the smallest type of the current generation with what the hardware asks for "
                         "(it has %.0f virtual processors, %.0f MiB of memory%s)",
                         demand->chosen_type, processors_of(types[i]), memory_mib_of(types[i]),
                         json_count(gpus_of(types[i])) ? ", GPUs" : "");
        return MEMORIES_OK;
    }
    if (!types)
        return plugin_no_memory(preparation->call);
    return plugin_fail(preparation->call, MEMORIES_INVALID, where_of(preparation, demand),
                       "ask for less, or name an instance_type",
                       "no type of the current generation in %s has the hardware "
                       "that is asked for",
                       demand->zone ? demand->zone : preparation->region);
}

static int32_t check_type(struct preparation *preparation, struct demand *demand)
{
    json_object *type = find_type(preparation, demand->type);
    const char *where = where_of(preparation, demand);
    if (!type)
        return plugin_fail(preparation->call, MEMORIES_INVALID, where, "choose another instance_type",
                           "there is no instance type %s in %s", demand->type, preparation->region);
    const char *shortcoming = machine_shortcoming(preparation->call, type, demand->hardware);
    if (shortcoming)
        return plugin_fail(preparation->call, MEMORIES_INVALID, where,
                           "choose a larger instance_type, ask for less hardware, or leave instance_type out",
                           "%s is not what the hardware asks for: %s", demand->type, shortcoming);
    demand->chosen_type = demand->type;
    if (is_offered(preparation, demand->type, demand->zone))
        return MEMORIES_OK;
    const char *zones = zones_of(preparation, demand->type);
    return plugin_fail(preparation->call, MEMORIES_INVALID, where, "choose another zone or instance_type",
                       "%s is not offered in %s%s%s", demand->type, demand->zone ? demand->zone : preparation->region,
                       zones && *zones ? ", but in " : "", zones ? zones : "");
}

/* ---- Quotas ---- */

static double processors_needed(struct preparation *preparation, const char *quota)
{
    double needed = 0;
    for (size_t i = 0; i < preparation->count; i++) {
        const struct demand *demand = &preparation->demands[i];
        const char *code = machine_quota(demand->chosen_type);
        if (!demand->earlier && code && !strcmp(code, quota))
            needed += processors_of(find_type(preparation, demand->chosen_type));
    }
    return needed;
}

/* Spot instances have quotas of their own. */
static double processors_running(struct preparation *preparation, const char *quota)
{
    json_object *reservations = questions_items(&preparation->questions, ASK_RUNNING);
    double running = 0;
    for (size_t i = 0; i < json_count(reservations); i++) {
        json_object *instances = json_get_array(json_at(reservations, i), "instancesSet");
        for (size_t k = 0; k < json_count(instances); k++) {
            json_object *instance = json_at(instances, k), *cpu = json_get_object(instance, "cpuOptions");
            const char *code = machine_quota(name_of(instance));
            if (code && !strcmp(code, quota) && !json_get_string(instance, "instanceLifecycle"))
                running += number(cpu, "coreCount") * number(cpu, "threadsPerCore");
        }
    }
    return running;
}

/* Who may not look at the quotas finds out at the launch. */
static int32_t check_quota(struct preparation *preparation, size_t which)
{
    const char *quota = preparation->questions.quotas[which];
    const struct aws_list *failed = questions_error(&preparation->questions, ASK_QUOTA + which);
    double needed = processors_needed(preparation, quota);
    if (!needed)
        return MEMORIES_OK;
    if (failed && failure_may_pass(failed->error.code))
        return plugin_host->fail(preparation->call, &failed->error);
    if (failed) {
        preparation_note(preparation, "quota",
                         "the quota %s could not be looked at (%s): whether it is enough shows when "
                         "the nodes are launched",
                         quota, failed->code ? failed->code : failed->error.message);
        return MEMORIES_OK;
    }
    json_object *answer = json_at(questions_items(&preparation->questions, ASK_QUOTA + which), 0);
    json_object *value = json_get(json_get_object(answer, "Quota"), "Value");
    double allowed = json_object_get_double(value), running = processors_running(preparation, quota);
    if (!value || running + needed <= allowed)
        return MEMORIES_OK;
    return plugin_fail(preparation->call, MEMORIES_QUOTA, "quota",
                       plugin_format(preparation->call,
                                     "stop something, or ask for more: aws service-quotas "
                                     "request-service-quota-increase --service-code ec2 --quota-code %s "
                                     "--desired-value %.0f",
                                     quota, running + needed),
                       "the account may run %.0f virtual processors of these types in %s (quota %s), %.0f run, and the "
                       "nodes need %.0f more",
                       allowed, preparation->region, quota, running, needed);
}

static int32_t check_quotas(struct preparation *preparation)
{
    int32_t code = failed_question(preparation, ASK_RUNNING, NULL);
    for (size_t i = 0; !code && i < preparation->questions.quota_count; i++)
        code = check_quota(preparation, i);
    return code;
}

int32_t machines_choose(struct preparation *preparation)
{
    int32_t code = failed_question(preparation, ASK_TYPES, "config.instance_type");
    if (!code)
        code = failed_question(preparation, ASK_CANDIDATES, NULL);
    if (!code)
        code = ask_about_fitting(preparation);
    if (!code)
        code = failed_question(preparation, ASK_OFFERS, NULL);
    for (size_t i = 0; !code && i < preparation->count; i++) {
        struct demand *demand = &preparation->demands[i];
        code = demand->type ? check_type(preparation, demand) : choose_by_hardware(preparation, demand);
        if (!code)
            demand->architecture = architecture_of(find_type(preparation, demand->chosen_type));
    }
    return code ? code : check_quotas(preparation);
}
