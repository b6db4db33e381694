/*
 * settings.h - what the AWS tools are told by environment and shared files
 *
 * Read once for an instance, then constant; any thread may read it.
 */
#ifndef AWS_SETTINGS_H
#define AWS_SETTINGS_H

#include <json-c/json.h>
#include <stdbool.h>

#include <memories/plugin.h>

struct settings {
    json_object *credentials;  /* {profile: {key: value}} of the credentials file */
    json_object *profiles;     /* the same of the config file */
    json_object *sso_sessions; /* {name: {key: value}} */
    json_object *services;     /* {name: {service: {key: value}}} */
    char *profile;             /* the name of the profile in force */
    bool profile_is_given;     /* by the configuration of the deployment, or AWS_PROFILE: it has to exist */
    bool profile_is_explicit;  /* by the configuration: keys in the environment are not for it */
    char *config_file;         /* for messages */
    char *credentials_file;
};

/* profile: the configuration's, or NULL. Failures are reported. */
int32_t settings_load(struct settings *settings, struct memories_call *call, const char *profile);
void settings_clear(struct settings *settings);

/* A variable of the environment; NULL when it is empty too. */
const char *settings_environment(const char *name);

/* Whether one of the files has it, and a value of it, the credentials file's before the config file's: NULL when there
 * is none. */
bool settings_has_profile(const struct settings *settings, const char *profile);
const char *settings_of_profile(const struct settings *settings, const char *profile, const char *key);

/* The environment's, else that of the profile in force. */
const char *settings_value(const struct settings *settings, const char *variable, const char *key);
bool settings_flag(const struct settings *settings, const char *variable, const char *key);

/* AWS_REGION, AWS_DEFAULT_REGION, the profile's region; NULL. */
const char *settings_region(const struct settings *settings);

#endif
