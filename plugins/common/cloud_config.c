/* cloud_config.c - a node's bootstrap as "#cloud-config", see cloud_config.h */
#include "plugins/common/cloud_config.h"

#include <stdio.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

#define SCRIPT "/usr/local/lib/memories/bootstrap"
#define SCRIPT_UNIT "memories-bootstrap.service"
#define UNIT_DIRECTORY "/etc/systemd/system"
#define RESTART_DELAY_MS 100

/* memories_server.py: packages that no distribution has come as a file. */
extern const char script_memories_server[];
static const struct {
    const char *package, *path, *content;
} own_packages[] = { { "memories-server", "/usr/local/bin/memories-server", script_memories_server } };

/* ---- Text in other text ---- */

static void append_json(struct plugin_text *text, const char *string)
{
    plugin_text_append(text, "\"");
    for (const char *at = string; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            plugin_text_printf(text, "\\%c", byte);
        else if (byte < 0x20)
            plugin_text_printf(text, "\\u%04x", byte);
        else
            plugin_text_append_bytes(text, at, 1);
    }
    plugin_text_append(text, "\"");
}

/* 'it'\''s' */
static void append_shell(struct plugin_text *text, const char *string)
{
    plugin_text_append(text, "'");
    for (const char *at = string; *at; at++) {
        if (*at == '\'')
            plugin_text_append(text, "'\\''");
        else
            plugin_text_append_bytes(text, at, 1);
    }
    plugin_text_append(text, "'");
}

/* A word of a unit's command line or environment: systemd gives $ and % and backslashes a meaning (systemd.service(5)).
 */
static void append_unit_word(struct plugin_text *text, const char *string)
{
    plugin_text_append(text, "\"");
    for (const char *at = string; *at; at++) {
        if (*at == '$' || *at == '%')
            plugin_text_printf(text, "%c%c", *at, *at);
        else if (*at == '"' || *at == '\\')
            plugin_text_printf(text, "\\%c", *at);
        else if (*at == '\n')
            plugin_text_append(text, "\\n");
        else
            plugin_text_append_bytes(text, at, 1);
    }
    plugin_text_append(text, "\"");
}

/* Puts the directories in; the core has left no other specifiers. */
static const char *expand(struct memories_call *call, const char *string)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    for (const char *at = string; *at; at++) {
        const char *directory = *at != '%'     ? NULL
                                : at[1] == 'c' ? CLOUD_CONFIGURATION_DIRECTORY
                                : at[1] == 'd' ? CLOUD_DATA_DIRECTORY
                                : at[1] == 'l' ? CLOUD_LOG_DIRECTORY
                                : at[1] == '%' ? "%"
                                               : NULL;
        if (directory)
            plugin_text_append(&text, directory);
        else
            plugin_text_append_bytes(&text, at, 1);
        at += directory != NULL;
    }
    return plugin_text_take(&text);
}

static const char *string_at(json_object *array, size_t index)
{
    return json_object_get_string(json_at(array, index));
}

/* The spec's schema sees to it that there is one. */
static const char *name_of(json_object *element)
{
    const char *name = json_get_string(element, "name");
    return name ? name : "";
}

/* ---- Units ---- */

static const char *restart_word(json_object *service)
{
    const char *restart = json_get_string(service, "restart");
    return !restart ? "always" : !strcmp(restart, "never") ? "no" : restart;
}

static void append_environment(struct plugin_text *text, json_object *environment)
{
    if (!environment)
        return;
    json_object_object_foreach(environment, name, value) {
        const char *expanded = expand(text->call, json_object_get_string(value));
        const char *pair = expanded ? plugin_format(text->call, "%s=%s", name, expanded) : NULL;
        text->failed |= !pair;
        plugin_text_append(text, "Environment=");
        append_unit_word(text, pair ? pair : "");
        plugin_text_append(text, "\n");
    }
}

static const char *unit_of(struct memories_call *call, json_object *service)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    const char *name = name_of(service);
    json_object *command = json_get_array(service, "command");
    int64_t start_delay_ms = json_get_int(service, "start_delay_ms", 0);
    plugin_text_printf(&text,
                       "[Unit]\nDescription=memories: %s\nWants=network-online.target\nAfter=network-online.target\n"
                       "StartLimitIntervalSec=0\n\n[Service]\nWorkingDirectory=" CLOUD_DATA_DIRECTORY
                       "\nEnvironment=HOME=" CLOUD_DATA_DIRECTORY " LANG=C.UTF-8\n",
                       name);
    append_environment(&text, json_get_object(service, "environment"));
    if (start_delay_ms)
        plugin_text_printf(&text, "ExecStartPre=/bin/sleep %lld.%03lld\n", (long long)start_delay_ms / 1000,
                           (long long)start_delay_ms % 1000);
    plugin_text_append(&text, "ExecStart=");
    for (size_t i = 0; i < json_count(command); i++) {
        const char *word = expand(call, string_at(command, i));
        text.failed |= !word;
        plugin_text_append(&text, i ? " " : "");
        append_unit_word(&text, word ? word : "");
    }
    plugin_text_printf(&text,
                       "\nRestart=%s\nRestartSec=%lldms\nTimeoutStopSec=%lldms\nLimitNOFILE=65536\n"
                       "StandardOutput=append:" CLOUD_LOG_DIRECTORY "/%s.log\nStandardError=inherit\n\n"
                       "[Install]\nWantedBy=multi-user.target\n",
                       restart_word(service), (long long)json_get_int(service, "restart_delay_ms", RESTART_DELAY_MS),
                       (long long)json_get_int(service, "stop_timeout_ms", 90000), name);
    return plugin_text_take(&text);
}

/* ---- The script ---- */

bool cloud_config_brings(const char *package)
{
    for (size_t i = 0; i < ARRAY_COUNT(own_packages); i++)
        if (!strcmp(own_packages[i].package, package))
            return true;
    return false;
}

/* Services that packages bring are not wanted as they come, even when the image has them: ours run instead. */
static const char install_part[] =
    "missing() {\n"
    "    for command in $commands; do\n"
    "        eval \"command -v $command\" >/dev/null || return 0\n"
    "    done\n"
    "    for package in $packages; do\n"
    "        eval \"dpkg-query -W $package\" >/dev/null 2>&1 || return 0\n"
    "    done\n"
    "    return 1\n"
    "}\n"
    "if missing; then\n"
    "    printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\n"
    "    chmod 0755 /usr/sbin/policy-rc.d\n"
    "    tries=0\n"
    "    until apt-get -q update && eval \"apt-get -q -y --no-install-recommends install $packages\" && ! missing; do\n"
    "        tries=$((tries + 1))\n"
    "        [ $tries -lt 100 ] || fail \"these packages can't be installed:$packages\"\n"
    "        sleep 5\n"
    "    done\n"
    "    rm -f /usr/sbin/policy-rc.d\n"
    "fi\n"
    "for unit in $(eval \"dpkg -L $packages\" |\n"
    "    sed -n 's#^\\(/usr\\)\\{0,1\\}/lib/systemd/system/\\([^/@]*\\.\\(service\\|socket\\)\\)$#\\2#p'); do\n"
    "    systemctl disable --now \"$unit\" || true\n"
    "done\n";

static void append_packages(struct plugin_text *script, json_object *packages)
{
    struct plugin_text names = PLUGIN_TEXT(script->call), commands = PLUGIN_TEXT(script->call);
    for (size_t i = 0; i < json_count(packages); i++) {
        const char *name = name_of(json_at(packages, i));
        json_object *wanted = json_get_array(json_at(packages, i), "commands");
        if (cloud_config_brings(name))
            continue;
        plugin_text_append(&names, " ");
        append_shell(&names, name);
        for (size_t c = 0; c < json_count(wanted); c++) {
            plugin_text_append(&commands, " ");
            append_shell(&commands, string_at(wanted, c));
        }
    }
    if (!names.length && !names.failed)
        return;
    const char *name_list = plugin_text_take(&names), *command_list = plugin_text_take(&commands);
    script->failed |= !name_list || !command_list;
    if (!script->failed)
        plugin_text_printf(script, "packages=\"%s\"\ncommands=\"%s\"\n%s", name_list, command_list, install_part);
}

/* Once in the life of the node: what a command began is not begun again at the next boot. */
static void append_commands(struct plugin_text *script, json_object *commands)
{
    if (!json_count(commands))
        return;
    plugin_text_append(script,
                       "if [ ! -e " CLOUD_DATA_DIRECTORY "/.commands-done ]; then\n    cd " CLOUD_DATA_DIRECTORY "\n");
    for (size_t i = 0; i < json_count(commands); i++) {
        json_object *command = json_at(commands, i);
        plugin_text_append(script, "   ");
        for (size_t k = 0; k < json_count(command); k++) {
            const char *word = expand(script->call, string_at(command, k));
            script->failed |= !word;
            plugin_text_append(script, " ");
            append_shell(script, word ? word : "");
        }
        plugin_text_printf(script, " || fail \"command %zu failed\"\n", i + 1);
    }
    plugin_text_append(script, "    touch " CLOUD_DATA_DIRECTORY "/.commands-done\nfi\n");
}

static void append_units(struct plugin_text *text, json_object *services)
{
    for (size_t i = 0; i < json_count(services); i++)
        plugin_text_printf(text, "%smemories-%s.service", i ? " " : "", name_of(json_at(services, i)));
}

/* Those that run go on. Not waited for: one may need another node's. */
static void append_services(struct plugin_text *script, json_object *services)
{
    plugin_text_append(script, "units=\"");
    append_units(script, services);
    plugin_text_append(script, "\"\n"
                               "systemctl daemon-reload\n"
                               "for unit in $units; do systemctl enable \"$unit\"; done\n"
                               "for unit in $units; do systemctl start --no-block \"$unit\"; done\n");
}

static const char *script_of(struct memories_call *call, const struct cloud_config *config)
{
    struct plugin_text script = PLUGIN_TEXT(call);
    plugin_text_append(&script, "#!/bin/sh\n"
                                "# Made by memories: installs, prepares and starts what this node runs.\n"
                                "set -u\n"
                                "export DEBIAN_FRONTEND=noninteractive\n"
                                "mkdir -p " CLOUD_DATA_DIRECTORY " " CLOUD_LOG_DIRECTORY "\n"
                                "exec >>" CLOUD_LOG_DIRECTORY "/bootstrap.log 2>&1\n"
                                "fail() { echo \"memories: $*\"; exit 1; }\n");
    append_packages(&script, json_get_array(config->bootstrap, "packages"));
    append_commands(&script, json_get_array(config->bootstrap, "commands"));
    append_services(&script, json_get_array(config->bootstrap, "services"));
    if (config->finally)
        plugin_text_printf(&script, "(\n%s\n) || echo 'memories: what comes last failed'\n", config->finally);
    plugin_text_append(&script, "echo 'memories: done'\n");
    return plugin_text_take(&script);
}

/* At every boot, before anything is started that asks for its name. What cloud-init keeps of this machine and no copy of
 * it remembers the name, whatever the machine is told later. */
static const char *name_part(struct memories_call *call, const struct cloud_config *config)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    plugin_text_printf(&text, "%s\nkept=/var/lib/cloud/instance/memories-name\nif [ ! -s $kept ]; then\n    set --",
                       config->find_place);
    for (size_t i = 0; i < config->name_count; i++) {
        plugin_text_append(&text, " ");
        append_shell(&text, config->names[i]);
    }
    plugin_text_append(&text, "\n"
                              "    tries=0\n"
                              "    until place=$(find_place) && [ \"$place\" -ge 0 ]; do\n"
                              "        tries=$((tries + 1)); [ $tries -lt 60 ] || exit 1; sleep 1\n"
                              "    done\n"
                              "    shift \"$place\" && [ $# -gt 0 ] && echo \"$1\" >$kept || exit 1\n"
                              "fi\n"
                              "cp $kept /etc/hostname\n"
                              "hostname -F /etc/hostname\n"
                              "sed -i '/^127\\.0\\.1\\.1[[:blank:]]/d' /etc/hosts\n"
                              "echo \"127.0.1.1 $(cat $kept)\" >>/etc/hosts\n");
    return plugin_text_take(&text);
}

/* At every boot, before files are written: some of them may belong onto that disk. */
static void append_mount(struct plugin_text *text, const char *find_data_disk)
{
    plugin_text_printf(text,
                       "%s\n"
                       "tries=0\n"
                       "until disk=$(find_data_disk) && [ -b \"$disk\" ]; do\n"
                       "    tries=$((tries + 1)); [ $tries -lt 60 ] || exit 1; sleep 1\n"
                       "done\n"
                       "blkid \"$disk\" >/dev/null || mkfs.ext4 -q -L memories-data \"$disk\"\n"
                       "mkdir -p " CLOUD_DATA_DIRECTORY "\n"
                       "grep -q LABEL=memories-data /etc/fstab || echo 'LABEL=memories-data " CLOUD_DATA_DIRECTORY
                       " ext4 defaults,nofail 0 2' >>/etc/fstab\n"
                       "mountpoint -q " CLOUD_DATA_DIRECTORY " || mount " CLOUD_DATA_DIRECTORY "\n",
                       find_data_disk);
}

/* cloud-init writes files at the first boot only. At the next ones it is asked to, before the services start: the
 * machine may have been told something else meanwhile. Services that are not wanted any more do not start again. */
static void append_rewrite(struct plugin_text *text, json_object *services)
{
    plugin_text_append(text, "if [ -e " SCRIPT " ]; then\n"
                             "    cloud-init single --name write_files --frequency always\n"
                             "    for unit in " UNIT_DIRECTORY "/memories-*.service; do\n"
                             "        case \" " SCRIPT_UNIT " ");
    append_units(text, services);
    plugin_text_append(text, " \" in *\" ${unit##*/} \"*) continue ;; esac\n"
                             "        systemctl disable \"${unit##*/}\"\n"
                             "        systemctl stop --no-block \"${unit##*/}\"\n"
                             "        rm -f \"$unit\"\n"
                             "    done\n"
                             "    systemctl daemon-reload\n"
                             "fi\n");
}

static const char *boot_part(struct memories_call *call, const struct cloud_config *config)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    if (config->find_data_disk)
        append_mount(&text, config->find_data_disk);
    append_rewrite(&text, json_get_array(config->bootstrap, "services"));
    return plugin_text_take(&text);
}

static const char script_unit[] = "[Unit]\nDescription=memories: what this node runs\nWants=network-online.target\n"
                                  "After=network-online.target\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                                  "ExecStart=" SCRIPT "\nTimeoutStartSec=infinity\n\n"
                                  "[Install]\nWantedBy=multi-user.target\n";

/* What grows for ever fills the disk. */
static const char logrotate[] = CLOUD_LOG_DIRECTORY "/*.log {\n    size 10M\n    rotate 3\n    copytruncate\n"
                                                    "    missingok\n    notifempty\n}\n";

/* ---- All of it ---- */

struct rendering {
    struct memories_call *call;
    const struct cloud_config *config;
    struct plugin_text text;
    size_t file_count;
    int32_t code;
};

static void add_file(struct rendering *rendering, const char *path, const char *content, const char *mode)
{
    struct plugin_text *text = &rendering->text;
    text->failed |= !path || !content;
    if (text->failed)
        return;
    plugin_text_append(text, rendering->file_count++ ? ", {\"path\": " : "{\"path\": ");
    append_json(text, path);
    plugin_text_append(text, ", \"permissions\": ");
    append_json(text, mode);
    plugin_text_append(text, ", \"content\": ");
    append_json(text, content);
    plugin_text_append(text, "}");
}

static const char *secret_of(const struct rendering *rendering, const char *reference)
{
    const struct cloud_config *config = rendering->config;
    return config->stand_in ? config->stand_in(rendering->call, reference)
                            : plugin_host->secret(rendering->call, reference, NULL);
}

/* The content stands there, or is a secret, which is asked for now. */
static void add_asked_file(struct rendering *rendering, json_object *file)
{
    const char *secret = json_get_string(file, "secret"), *mode = json_get_string(file, "mode");
    const char *given = json_get_string(file, "content");
    const char *content = secret ? secret_of(rendering, secret) : expand(rendering->call, given ? given : "");
    if (secret && !content)
        rendering->code = rendering->config->stand_in ? plugin_no_memory(rendering->call)
                                                      : MEMORIES_NOT_FOUND; /* the host has told why */
    else
        add_file(rendering, expand(rendering->call, json_get_string(file, "path")), content,
                 mode     ? mode
                 : secret ? "0600"
                          : "0644");
}

static void add_files(struct rendering *rendering)
{
    struct memories_call *call = rendering->call;
    json_object *bootstrap = rendering->config->bootstrap;
    json_object *files = json_get_array(bootstrap, "files"), *services = json_get_array(bootstrap, "services");
    json_object *packages = json_get_array(bootstrap, "packages");
    for (size_t i = 0; !rendering->code && i < json_count(files); i++)
        add_asked_file(rendering, json_at(files, i));
    for (size_t i = 0; i < json_count(services); i++)
        add_file(rendering, plugin_format(call, UNIT_DIRECTORY "/memories-%s.service", name_of(json_at(services, i))),
                 unit_of(call, json_at(services, i)), "0644");
    for (size_t i = 0; i < json_count(packages); i++)
        for (size_t k = 0; k < ARRAY_COUNT(own_packages); k++)
            if (!strcmp(name_of(json_at(packages, i)), own_packages[k].package))
                add_file(rendering, own_packages[k].path, own_packages[k].content, "0755");
    for (size_t i = 0; i < rendering->config->file_count; i++)
        add_file(rendering, rendering->config->files[i].path, rendering->config->files[i].content,
                 rendering->config->files[i].mode);
    add_file(rendering, "/etc/logrotate.d/memories", logrotate, "0644");
    add_file(rendering, UNIT_DIRECTORY "/" SCRIPT_UNIT, script_unit, "0644");
    add_file(rendering, SCRIPT, script_of(call, rendering->config), "0755");
}

static void add_boot_command(struct plugin_text *text, const char *script)
{
    text->failed |= !script;
    plugin_text_append(text, "[\"sh\", \"-c\", ");
    append_json(text, script ? script : "");
    plugin_text_append(text, "]");
}

int32_t cloud_config_render(struct memories_call *call, const struct cloud_config *config, const char **text)
{
    struct rendering rendering = { .call = call, .config = config, .text = PLUGIN_TEXT(call) };
    plugin_text_append(&rendering.text, "#cloud-config\n{");
    if (config->names) {
        plugin_text_append(&rendering.text, "\"preserve_hostname\": true");
    } else {
        plugin_text_append(&rendering.text, "\"hostname\": ");
        append_json(&rendering.text, config->hostname);
        plugin_text_append(&rendering.text, ", \"manage_etc_hosts\": \"localhost\"");
    }
    if (config->swap_bytes)
        plugin_text_printf(&rendering.text,
                           ", \"swap\": {\"filename\": \"/swapfile\", \"size\": %lld, \"maxsize\": %lld}",
                           (long long)config->swap_bytes, (long long)config->swap_bytes);
    plugin_text_append(&rendering.text, ", \"bootcmd\": [");
    if (config->names) {
        add_boot_command(&rendering.text, name_part(call, config));
        plugin_text_append(&rendering.text, ", ");
    }
    add_boot_command(&rendering.text, boot_part(call, config));
    plugin_text_append(&rendering.text, "], \"write_files\": [");
    add_files(&rendering);
    plugin_text_append(&rendering.text,
                       "], \"runcmd\": [[\"systemctl\", \"daemon-reload\"], [\"systemctl\", \"enable\", "
                       "\"" SCRIPT_UNIT "\"], [\"systemctl\", \"start\", \"--no-block\", \"" SCRIPT_UNIT "\"]]}\n");
    *text = plugin_text_take(&rendering.text);
    if (rendering.code)
        return rendering.code;
    return *text ? MEMORIES_OK : plugin_no_memory(call);
}

/* A part of the bootstrap that may well be what is too large. */
static void tell_large(struct plugin_text *text, const char *kind, const char *name, size_t bytes)
{
    if (bytes >= 512)
        plugin_text_printf(text, "%s%s%s (%zu bytes)", text->length ? ", " : "", kind, name ? name : "?", bytes);
}

const char *cloud_config_large_parts(struct memories_call *call, const struct cloud_config *config)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    json_object *files = json_get_array(config->bootstrap, "files");
    json_object *commands = json_get_array(config->bootstrap, "commands");
    json_object *services = json_get_array(config->bootstrap, "services");
    for (size_t i = 0; i < json_count(files); i++) {
        const char *content = json_get_string(json_at(files, i), "content");
        tell_large(&text, "", json_get_string(json_at(files, i), "path"), content ? strlen(content) : 0);
    }
    for (size_t i = 0; i < json_count(commands); i++) {
        char number[32];
        snprintf(number, sizeof number, "%zu", i + 1);
        tell_large(&text, "command ", number, strlen(json_object_to_json_string(json_at(commands, i))));
    }
    for (size_t i = 0; i < json_count(services); i++)
        tell_large(&text, "service ", name_of(json_at(services, i)),
                   strlen(json_object_to_json_string(json_at(services, i))));
    for (size_t i = 0; i < config->file_count; i++)
        tell_large(&text, "", config->files[i].path, strlen(config->files[i].content));
    return plugin_text_take(&text);
}

/* ---- Back ---- */

static const char *content_of(json_object *written, const char *path)
{
    for (size_t i = 0; path && i < json_count(written); i++) {
        const char *there = json_get_string(json_at(written, i), "path");
        if (there && !strcmp(there, path))
            return json_get_string(json_at(written, i), "content");
    }
    return NULL;
}

int cloud_config_secrets(struct memories_call *call, const char *text, json_object *bootstrap, json_object *secrets)
{
    static const char head[] = "#cloud-config\n";
    json_object *files = json_get_array(bootstrap, "files");
    if (strncmp(text, head, strlen(head)) != 0)
        return 0;
    AUTO_JSON json_object *document = json_tokener_parse(text + strlen(head));
    json_object *written = json_get_array(document, "write_files");
    int failed = 0;
    for (size_t i = 0; i < json_count(files); i++) {
        const char *secret = json_get_string(json_at(files, i), "secret");
        const char *path = secret ? expand(call, json_get_string(json_at(files, i), "path")) : NULL;
        const char *content = content_of(written, path);
        failed |= secret && !path;
        if (content)
            failed |= json_set_string(secrets, secret, content);
    }
    return failed;
}
