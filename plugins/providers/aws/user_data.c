/* user_data.c - what an instance is given to do at its first boot, see user_data.h */
#include "plugins/providers/aws/user_data.h"

#include <string.h>
#include <zlib.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/cloud_config.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/hash.h"
#include "plugins/providers/aws/service.h"

#define BYTES_MAX 16384
/* More than any text that is that small when it is compressed. */
#define TEXT_MAX (1024 * 1024)
/* Of the least that PEM of an EC P-256 pair holds. */
#define KEY_BYTES 138
#define CERTIFICATE_BYTES 500
#define BYTES_PER_GB 1000000000.0
#define AGENT_CONFIGURATION "/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json"

/* On Nitro machines every volume is an NVMe disk, in no certain order, and so are the disks that come with some
 * machines: the model tells them apart. Elsewhere the device has the name that was asked for, or Xen's. */
static const char find_data_disk[] =
    "find_data_disk() {\n"
    "    root=$(lsblk -no PKNAME \"$(findmnt -no SOURCE /)\" | head -n 1)\n"
    "    for disk in /sys/block/nvme*; do\n"
    "        [ \"${disk##*/}\" != \"$root\" ] || continue\n"
    "        grep -q 'Amazon Elastic Block Store' \"$disk/device/model\" 2>/dev/null || continue\n"
    "        echo \"/dev/${disk##*/}\"\n"
    "        return\n"
    "    done\n"
    "    for disk in /dev/sdf /dev/xvdf; do\n"
    "        if [ -b \"$disk\" ]; then echo \"$disk\"; return; fi\n"
    "    done\n"
    "}";

/* The place of an instance among those that one request has launched. */
static const char find_place[] = "find_place() { cloud-init query ds.meta_data.ami-launch-index; }";

/* ---- The CloudWatch agent: memory, and logs ---- */

/* In the agent's configuration, where the node's name is to be: several nodes are told the same. */
#define NAME_HERE "@node@"

/* InstanceId alone, so that metrics can be asked for by it. */
static json_object *agent_metrics(void)
{
    return json_tokener_parse("{\"namespace\":\"CWAgent\",\"append_dimensions\":{\"InstanceId\":\"${aws:InstanceId}\"},"
                              "\"aggregation_dimensions\":[[\"InstanceId\"]],\"metrics_collected\":{"
                              "\"mem\":{\"measurement\":[\"mem_used\",\"mem_used_percent\"]}}}");
}

static int add_log_file(json_object *list, const char *path, const char *log_group, const char *stream)
{
    json_object *entry = json_add_new_object(list);
    return json_set_string(entry, "file_path", path) | json_set_string(entry, "log_group_name", log_group) |
           (stream ? json_set_string(entry, "log_stream_name", stream) : MEMORIES_NO_MEMORY);
}

/* One stream a file, all beginning with the node's name: `memories logs --node` asks by that. */
static int add_agent_logs(struct memories_call *call, json_object *document, json_object *inputs)
{
    const char *log_group = json_get_string(json_get_object(inputs, "agent"), "log_group");
    json_object *services = json_get_array(json_get_object(inputs, "bootstrap"), "services");
    if (!log_group)
        return 0;
    json_object *collected = json_set_new_object(json_set_new_object(document, "logs"), "logs_collected");
    json_object *list = json_set_new_array(json_set_new_object(collected, "files"), "collect_list");
    int failed = add_log_file(list, CLOUD_LOG_DIRECTORY "/bootstrap.log", log_group, NAME_HERE "/bootstrap");
    for (size_t i = 0; i < json_count(services); i++) {
        const char *name = json_get_string(json_at(services, i), "name");
        const char *path = plugin_format(call, CLOUD_LOG_DIRECTORY "/%s.log", name);
        failed |=
            path ? add_log_file(list, path, log_group, plugin_format(call, NAME_HERE "/%s", name)) : MEMORIES_NO_MEMORY;
    }
    return failed;
}

static const char *agent_configuration(struct memories_call *call, json_object *inputs)
{
    json_object *document = json_object_new_object();
    int failed = json_set_int(json_set_new_object(document, "agent"), "metrics_collection_interval", 60);
    if (json_get_bool(json_get_object(inputs, "agent"), "memory", false))
        failed |= json_set_new(document, "metrics", agent_metrics());
    failed |= add_agent_logs(call, document, inputs);
    const char *text =
        failed ? NULL
               : json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    const char *kept = text ? plugin_format(call, "%s\n", text) : NULL;
    json_object_put(document);
    return kept;
}

/* Each region has the agent in a bucket of its own, which is there in all partitions. */
static const char *agent_installation(struct memories_call *call, json_object *inputs)
{
    const char *region = json_get_string(json_get_object(inputs, "home"), "region");
    const char *architecture = json_get_string(inputs, "architecture");
    bool is_arm = architecture && !strcmp(architecture, "arm64");
    return plugin_format(call,
                         "sed -i \"s/" NAME_HERE "/$(hostname)/g\" " AGENT_CONFIGURATION "\n"
                         "agent=/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl\n"
                         "if [ ! -x $agent ]; then\n"
                         "    deb=$(mktemp)\n"
                         "    curl -sSf --retry 20 --retry-all-errors --retry-delay 5 -o \"$deb\" "
                         "https://amazoncloudwatch-agent-%s.s3.%s.%s/ubuntu/%s/latest/amazon-cloudwatch-agent.deb\n"
                         "    dpkg -i -E \"$deb\"\n"
                         "    rm -f \"$deb\"\n"
                         "fi\n"
                         "$agent -a fetch-config -m ec2 -s -c file:" AGENT_CONFIGURATION,
                         region, region, aws_partition_of(region)->dns_suffix, is_arm ? "arm64" : "amd64");
}

/* ---- Size ---- */

/* gzip, which cloud-init unpacks. NULL: no memory. */
static const char *compress_text(struct memories_call *call, const char *text, size_t *bytes)
{
    z_stream stream = { 0 };
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    uLong most = deflateBound(&stream, *bytes);
    unsigned char *packed = plugin_host->allocate(call, most);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)*bytes;
    stream.next_out = packed;
    stream.avail_out = (uInt)most;
    int result = packed ? deflate(&stream, Z_FINISH) : Z_MEM_ERROR;
    *bytes = stream.total_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? (const char *)packed : NULL;
}

static int32_t too_large(struct memories_call *call, const struct cloud_config *config, const char *node, size_t bytes)
{
    const char *key = plugin_format(call, "node/%s", node);
    const char *parts = cloud_config_large_parts(call, config);
    return plugin_fail(call, MEMORIES_INVALID, key, "shorten it, or let a command of the bootstrap fetch it",
                       "what the node is to do at its first boot takes %zu bytes compressed, and AWS takes %d%s%s",
                       bytes, BYTES_MAX, parts && *parts ? "; large are: " : "", parts ? parts : "");
}

/* *data: compressed when it has to be; *bytes: how many. */
static int32_t render(struct memories_call *call, json_object *inputs, const char *const *nodes, size_t count,
                      const char *(*stand_in)(struct memories_call *call, const char *reference), const char **data,
                      size_t *bytes)
{
    const char *text;
    json_object *volumes = json_get_object(inputs, "volumes"), *swap = json_get(inputs, "swap_gb");
    struct cloud_config_file agent = { AGENT_CONFIGURATION, NULL, "0644" };
    struct cloud_config config = {
        .hostname = nodes[0],
        .names = count > 1 ? nodes : NULL,
        .name_count = count,
        .find_place = find_place,
        .bootstrap = json_get_object(inputs, "bootstrap"),
        .stand_in = stand_in,
        .swap_bytes = swap ? (int64_t)(json_object_get_double(swap) * BYTES_PER_GB) : 0,
        .find_data_disk = json_get_object(volumes, "data") ? find_data_disk : NULL,
    };
    if (json_get_object(inputs, "agent")) {
        agent.content = agent_configuration(call, inputs);
        config.files = &agent;
        config.file_count = 1;
        config.finally = agent_installation(call, inputs);
        if (!agent.content || !config.finally)
            return plugin_no_memory(call);
    }
    int32_t code = cloud_config_render(call, &config, &text);
    if (code)
        return code;
    *bytes = strlen(text);
    *data = *bytes > BYTES_MAX ? compress_text(call, text, bytes) : text;
    if (*data && *bytes > BYTES_MAX)
        return too_large(call, &config, nodes[0], *bytes);
    return *data ? MEMORIES_OK : plugin_no_memory(call);
}

int32_t user_data_render(struct memories_call *call, json_object *inputs, const char *const *nodes, size_t count,
                         const char **data)
{
    size_t bytes;
    int32_t code = render(call, inputs, nodes, count, NULL, data, &bytes);
    if (!code)
        *data = hash_base64(call, *data, bytes);
    return code || *data ? code : plugin_no_memory(call);
}

/* As long as a key or certificate of the deployment is at least, and as hard to compress. */
static const char *stand_in(struct memories_call *call, const char *reference)
{
    unsigned char bytes[CERTIFICATE_BYTES];
    const char *slash = strrchr(reference, '/');
    size_t count = slash && !strcmp(slash, "/key") ? KEY_BYTES : CERTIFICATE_BYTES;
    for (size_t at = 0; at < count; at += SHA256_BYTES) {
        unsigned char part[SHA256_BYTES];
        if (!hash_hmac(&at, sizeof at, reference, part))
            return NULL;
        memcpy(bytes + at, part, at + SHA256_BYTES < count ? SHA256_BYTES : count - at);
    }
    return hash_base64(call, bytes, count);
}

int32_t user_data_check(struct memories_call *call, json_object *inputs, const char *node)
{
    const char *data;
    size_t bytes;
    return render(call, inputs, &node, 1, stand_in, &data, &bytes);
}

const char *user_data_fingerprint(struct memories_call *call, json_object *inputs)
{
    static const char *const members[] = { "bootstrap", "agent", "swap_gb" };
    struct plugin_text text = PLUGIN_TEXT(call);
    char hash[SHA256_HEX];
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        json_object *value = json_get(inputs, members[i]);
        const char *part = value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "";
        plugin_text_printf(&text, "%s\n", part ? part : "");
    }
    const char *all = plugin_text_take(&text);
    return all && hash_sha256_hex(all, strlen(all), hash) ? plugin_format(call, "%.16s", hash) : NULL;
}

/* ---- Back ---- */

static const char *decompress_text(struct memories_call *call, unsigned char *bytes, size_t count)
{
    z_stream stream = { .next_in = bytes, .avail_in = (uInt)count };
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return NULL;
    char *text = plugin_host->allocate(call, TEXT_MAX + 1);
    stream.next_out = (unsigned char *)text;
    stream.avail_out = TEXT_MAX;
    int result = text ? inflate(&stream, Z_FINISH) : Z_MEM_ERROR;
    inflateEnd(&stream);
    return result == Z_STREAM_END ? text : NULL;
}

int user_data_secrets(struct memories_call *call, const char *data, json_object *inputs, json_object *secrets)
{
    size_t count = 0;
    unsigned char *bytes = hash_base64_decode(call, data, &count);
    bool packed = bytes && count > 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
    const char *text = packed ? decompress_text(call, bytes, count) : (const char *)bytes;
    return text ? cloud_config_secrets(call, text, json_get_object(inputs, "bootstrap"), secrets) : 0;
}
