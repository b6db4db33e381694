/* settings.c - what the AWS tools are told by environment and shared files, see settings.h */
#include "plugins/providers/aws/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/files.h"
#include "plugins/providers/aws/ini.h"

const char *settings_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* ---- Sections ---- */

/* "profile dev", with or without quotes, gives "dev" for the kind "profile"; NULL for another kind. free it. */
static char *name_of(const char *section, const char *kind)
{
    size_t length = strlen(kind);
    if (strncmp(section, kind, length) || !strchr(" \t", section[length]) || !section[length])
        return NULL;
    const char *name = section + length + strspn(section + length, " \t");
    size_t name_length = strlen(name);
    if (name_length >= 2 && (*name == '"' || *name == '\'') && name[name_length - 1] == *name)
        return strndup(name + 1, name_length - 2);
    return strdup(name);
}

/* Adds the members of `from` to {name: {}} of `to`. */
static int merge(json_object *to, const char *name, json_object *from)
{
    json_object *section = json_get_object(to, name);
    if (!section)
        section = json_set_new_object(to, name);
    int failed = section ? 0 : MEMORIES_NO_MEMORY;
    json_object_object_foreach(from, key, value)
        failed |= json_set(section, key, json_ref(value));
    return failed;
}

/* Sections of another kind are none of our business. */
static int add_config_section(struct settings *settings, const char *section, json_object *members)
{
    const struct {
        const char *kind;
        json_object *to;
    } kinds[] = { { "profile", settings->profiles },
                  { "sso-session", settings->sso_sessions },
                  { "services", settings->services } };
    if (!strcmp(section, "default"))
        return merge(settings->profiles, section, members);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        AUTO_FREE char *name = name_of(section, kinds[i].kind);
        if (name)
            return merge(kinds[i].to, name, members);
    }
    return 0;
}

/* ---- Files ---- */

/* The path that `variable` gives, or ~/.aws/NAME. NULL: no memory. */
static char *path_of(const char *variable, const char *name)
{
    const char *given = settings_environment(variable), *home = settings_environment("HOME");
    char *path = NULL;
    if (given && strncmp(given, "~/", 2) != 0)
        return strdup(given);
    int length = given ? asprintf(&path, "%s%s", home ? home : "", given + 1)
                       : asprintf(&path, "%s/.aws/%s", home ? home : "", name);
    return length < 0 ? NULL : path;
}

/* NULL in *sections: there is no such file. */
static int32_t read_sections(struct memories_call *call, const char *path, json_object **sections)
{
    AUTO_FREE char *text = NULL;
    int number = files_read(path, &text);
    *sections = NULL;
    if (number == ENOENT || number == ENOTDIR)
        return MEMORIES_OK;
    if (number)
        return plugin_fail_errno(call, number, path, NULL, "can't read %s", path);
    size_t line;
    *sections = ini_parse(text, &line);
    if (*sections)
        return MEMORIES_OK;
    if (!line)
        return plugin_no_memory(call);
    return plugin_fail(call, MEMORIES_INVALID, path, "correct the file: [profile NAME], then lines of key = value",
                       "line %zu of %s is neither a section nor key = value", line, path);
}

static int32_t load_config(struct settings *settings, struct memories_call *call)
{
    AUTO_JSON json_object *sections = NULL;
    int32_t code = read_sections(call, settings->config_file, &sections);
    int failed = 0;
    if (code || !sections)
        return code;
    json_object_object_foreach(sections, section, members)
        failed |= add_config_section(settings, section, members);
    return failed ? plugin_no_memory(call) : MEMORIES_OK;
}

int32_t settings_load(struct settings *settings, struct memories_call *call, const char *profile)
{
    const char *chosen = settings_environment("AWS_PROFILE");
    chosen = chosen ? chosen : settings_environment("AWS_DEFAULT_PROFILE");
    *settings = (struct settings){
        .profiles = json_object_new_object(),
        .sso_sessions = json_object_new_object(),
        .services = json_object_new_object(),
        .profile = strdup(profile  ? profile
                          : chosen ? chosen
                                   : "default"),
        .profile_is_given = profile || chosen,
        .profile_is_explicit = profile,
        .config_file = path_of("AWS_CONFIG_FILE", "config"),
        .credentials_file = path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    };
    if (!settings->profiles || !settings->sso_sessions || !settings->services || !settings->profile ||
        !settings->config_file || !settings->credentials_file)
        return plugin_no_memory(call);
    int32_t code = load_config(settings, call);
    if (!code)
        code = read_sections(call, settings->credentials_file, &settings->credentials);
    if (code || !settings->profile_is_given || settings_has_profile(settings, settings->profile))
        return code;
    return plugin_fail(call, MEMORIES_NOT_FOUND, profile ? "config.profile" : "AWS_PROFILE",
                       "name a profile that is there, or add it with: aws configure --profile NAME",
                       "there is no profile \"%s\" in %s or %s", settings->profile, settings->config_file,
                       settings->credentials_file);
}

void settings_clear(struct settings *settings)
{
    json_object_put(settings->credentials);
    json_object_put(settings->profiles);
    json_object_put(settings->sso_sessions);
    json_object_put(settings->services);
    free(settings->profile);
    free(settings->config_file);
    free(settings->credentials_file);
    *settings = (struct settings){ 0 };
}

/* ---- Values ---- */

bool settings_has_profile(const struct settings *settings, const char *profile)
{
    return json_get_object(settings->profiles, profile) || json_get_object(settings->credentials, profile);
}

const char *settings_of_profile(const struct settings *settings, const char *profile, const char *key)
{
    const char *value = json_get_string(json_get_object(settings->credentials, profile), key);
    return value ? value : json_get_string(json_get_object(settings->profiles, profile), key);
}

const char *settings_value(const struct settings *settings, const char *variable, const char *key)
{
    const char *value = settings_environment(variable);
    return value ? value : settings_of_profile(settings, settings->profile, key);
}

bool settings_flag(const struct settings *settings, const char *variable, const char *key)
{
    const char *value = settings_value(settings, variable, key);
    return value && !strcasecmp(value, "true");
}

const char *settings_region(const struct settings *settings)
{
    const char *region = settings_environment("AWS_REGION");
    return region ? region : settings_value(settings, "AWS_DEFAULT_REGION", "region");
}
