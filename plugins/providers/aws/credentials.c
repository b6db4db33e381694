/* credentials.c - the chain of sources of credentials, see credentials.h */
#include "plugins/providers/aws/credentials.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/credential_sources.h"
#include "plugins/providers/aws/iso_time.h"

/* A chain of roles that is longer has a mistake in it. */
#define ROLES_MAX 10

typedef int32_t source_fn(const struct credential_search *search, struct credentials *found);

/* ---- In common ---- */

const char *credential_setting(const struct credential_search *search, const char *key)
{
    return settings_of_profile(search->setting->settings, search->profile, key);
}

static const char *copy(struct memories_call *call, const char *text)
{
    return text ? plugin_format(call, "%s", text) : NULL;
}

bool credentials_take(struct memories_call *call, json_object *document, const struct credential_names *names,
                      struct credentials *found)
{
    found->identity = (struct aws_identity){
        .access_key_id = copy(call, json_get_string(document, names->access_key_id)),
        .secret_access_key = copy(call, json_get_string(document, names->secret_access_key)),
        .session_token = copy(call, json_get_string(document, names->session_token)),
    };
    found->expires_ms = iso_time_parse(json_get_string(document, names->expiration));
    return found->identity.access_key_id && found->identity.secret_access_key;
}

/* ---- Keys that stand somewhere ---- */

static int32_t half_a_pair(struct memories_call *call, const char *where, const char *there, const char *missing)
{
    return plugin_fail(call, MEMORIES_DENIED, where, "give both, or neither", "%s is given without %s", there, missing);
}

static int32_t from_environment(const struct credential_search *search, struct credentials *found)
{
    const char *id = settings_environment("AWS_ACCESS_KEY_ID"), *secret = settings_environment("AWS_SECRET_ACCESS_KEY");
    const char *token = settings_environment("AWS_SESSION_TOKEN");
    const char *expiration = settings_environment("AWS_CREDENTIAL_EXPIRATION");
    if (search->from_program || (!id && !secret))
        return MEMORIES_OK;
    if (!id || !secret)
        return half_a_pair(search->call, "environment", id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                           id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    found->identity =
        (struct aws_identity){ copy(search->call, id), copy(search->call, secret), copy(search->call, token) };
    found->expires_ms = iso_time_parse(expiration);
    found->source = "the environment (AWS_ACCESS_KEY_ID)";
    return MEMORIES_OK;
}

static int32_t from_sections(const struct credential_search *search, json_object *profiles, const char *file,
                             struct credentials *found)
{
    static const struct credential_names names = { "aws_access_key_id", "aws_secret_access_key", "aws_session_token",
                                                   "expiration" };
    json_object *profile = json_get_object(profiles, search->profile);
    bool id = json_get_string(profile, names.access_key_id), secret = json_get_string(profile, names.secret_access_key);
    if (!id && !secret)
        return MEMORIES_OK;
    if (!id || !secret)
        return half_a_pair(search->call, plugin_format(search->call, "profile %s of %s", search->profile, file),
                           id ? names.access_key_id : names.secret_access_key,
                           id ? names.secret_access_key : names.access_key_id);
    credentials_take(search->call, profile, &names, found);
    found->expires_ms = 0;
    found->source = plugin_format(search->call, "profile %s of %s", search->profile, file);
    return MEMORIES_OK;
}

static int32_t from_credentials_file(const struct credential_search *search, struct credentials *found)
{
    const struct settings *settings = search->setting->settings;
    return from_sections(search, settings->credentials, settings->credentials_file, found);
}

static int32_t from_config_file(const struct credential_search *search, struct credentials *found)
{
    const struct settings *settings = search->setting->settings;
    return from_sections(search, settings->profiles, settings->config_file, found);
}

/* The session of `aws login` needs keys and proofs that only the AWS CLI keeps. */
static int32_t from_login(const struct credential_search *search, struct credentials *found)
{
    (void)found;
    if (!credential_setting(search, "login_session"))
        return MEMORIES_OK;
    return plugin_fail(search->call, MEMORIES_UNSUPPORTED, plugin_format(search->call, "profile %s", search->profile),
                       "add to the profile: credential_process = aws configure export-credentials --format process",
                       "the profile %s uses a session of `aws login`, which only the AWS CLI can use", search->profile);
}

/* ---- Roles ---- */

static int32_t first_of(const struct credential_search *search, source_fn *const *sources, size_t count,
                        struct credentials *found)
{
    int32_t code = MEMORIES_OK;
    for (size_t i = 0; !code && !found->identity.access_key_id && i < count; i++)
        code = sources[i](search, found);
    return code;
}

static source_fn *const profile_sources[] = {
    credentials_from_web_identity, credentials_from_sso, from_credentials_file, from_login,
    credentials_from_process,      from_config_file,
};

static bool assumes_role(const struct credential_search *search)
{
    return credential_setting(search, "role_arn") && !credential_setting(search, "web_identity_token_file");
}

static bool has_keys(const struct credential_search *search)
{
    return credential_setting(search, "aws_access_key_id");
}

static int32_t wrong_profile(const struct credential_search *search, const char *profile, const char *hint,
                             const char *what)
{
    return plugin_fail(search->call, MEMORIES_DENIED, plugin_format(search->call, "profile %s", profile), hint,
                       "the profile %s %s", profile, what);
}

static int32_t from_named_source(const struct credential_search *search, const char *name, struct credentials *found)
{
    static const struct {
        const char *name;
        source_fn *source;
    } named[] = { { "Environment", from_environment },
                  { "EcsContainer", credentials_from_container },
                  { "Ec2InstanceMetadata", credentials_from_instance } };
    for (size_t i = 0; i < ARRAY_COUNT(named); i++) {
        if (strcmp(named[i].name, name))
            continue;
        struct credential_search anyhow = *search;
        anyhow.from_program = false;
        int32_t code = named[i].source(&anyhow, found);
        if (code || found->identity.access_key_id)
            return code;
        return wrong_profile(
            search, search->profile, "name another credential_source, or a source_profile",
            plugin_format(search->call, "says credential_source = %s, which has no credentials", name));
    }
    return wrong_profile(search, search->profile, "Environment, EcsContainer and Ec2InstanceMetadata are known",
                         plugin_format(search->call, "says credential_source = %s, which is not known", name));
}

/* Walks from the profile down to the one with credentials of its own: chain[] names them, that one last. */
static int32_t find_source_profiles(struct credential_search *search, const char *chain[ROLES_MAX + 1], size_t *count)
{
    const char *next = search->profile;
    *count = 0;
    for (;;) {
        chain[(*count)++] = next;
        search->profile = next;
        bool again = false;
        for (size_t i = 0; i + 1 < *count; i++)
            again |= !strcmp(chain[i], next);
        /* Keys of a source profile count before its role: so may a profile name itself. */
        if ((*count > 1 && has_keys(search)) || !assumes_role(search))
            return MEMORIES_OK;
        if (again || *count > ROLES_MAX)
            return wrong_profile(search, chain[0], "let the last source_profile be one with credentials",
                                 "comes back to itself by its source_profile");
        bool other = credential_setting(search, "credential_source");
        next = credential_setting(search, "source_profile");
        if (!next == !other)
            return wrong_profile(search, search->profile,
                                 "the credentials that may assume the role come from one of them",
                                 next ? "has both source_profile and credential_source"
                                      : "has role_arn and neither source_profile nor credential_source");
        if (other)
            return MEMORIES_OK;
        if (!settings_has_profile(search->setting->settings, next))
            return wrong_profile(search, search->profile, "correct source_profile, or add the profile",
                                 plugin_format(search->call, "says source_profile = %s, which is not there", next));
    }
}

static int32_t from_assumed_role(const struct credential_search *search, struct credentials *found)
{
    struct credential_search at = *search;
    const char *chain[ROLES_MAX + 1];
    size_t count;
    if (!assumes_role(search))
        return MEMORIES_OK;
    int32_t code = find_source_profiles(&at, chain, &count);
    if (code)
        return code;
    struct credentials source = { 0 };
    const char *named = credential_setting(&at, "credential_source");
    bool role_is_last = named && assumes_role(&at) && (count == 1 || !has_keys(&at));
    at.from_program = true;
    code = role_is_last ? from_named_source(&at, named, &source)
                        : first_of(&at, profile_sources, ARRAY_COUNT(profile_sources), &source);
    if (!code && !source.identity.access_key_id)
        code = wrong_profile(&at, at.profile, "give it keys, SSO, web identity or credential_process",
                             "is a source_profile and has no credentials");
    for (size_t roles = count - !role_is_last; !code && roles; roles--) {
        at.profile = chain[roles - 1];
        *found = (struct credentials){ 0 };
        code = credentials_from_role(&at, &source, found);
        source = *found;
    }
    return code;
}

/* ---- All of it ---- */

int32_t credentials_find(struct memories_call *call, const struct aws_setting *setting, struct credentials *found)
{
    static source_fn *const sources[] = {
        from_environment,          from_assumed_role,     credentials_from_web_identity,
        credentials_from_sso,      from_credentials_file, from_login,
        credentials_from_process,  from_config_file,      credentials_from_container,
        credentials_from_instance,
    };
    const struct settings *settings = setting->settings;
    const struct credential_search search = {
        .call = call,
        .setting = setting,
        .profile = settings->profile,
        .from_program = settings->profile_is_explicit,
    };
    *found = (struct credentials){ 0 };
    int32_t code = first_of(&search, sources, ARRAY_COUNT(sources), found);
    if (code)
        return code;
    if (!found->identity.access_key_id)
        return plugin_fail(
            call, MEMORIES_DENIED, "AWS credentials",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run: aws configure",
            "no AWS credentials were found: not in the environment, in the profile %s of %s and %s, in a "
            "container or of an instance",
            settings->profile, settings->credentials_file, settings->config_file);
    return found->identity.secret_access_key && found->source ? MEMORIES_OK : plugin_no_memory(call);
}
