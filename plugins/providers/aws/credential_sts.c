/* credential_sts.c - credentials of a role, assumed by somebody who may, or with a token of an identity provider */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/credential_sources.h"
#include "plugins/providers/aws/files.h"

static const struct credential_names sts_names = { "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration" };

/* `parameters` is taken over; `what`: for messages. */
static int32_t ask(const struct credential_search *search, const struct aws_identity *identity, const char *action,
                   json_object *parameters, const char *what, struct credentials *found)
{
    AUTO_JSON json_object *owned = parameters;
    struct aws_setting setting = *search->setting;
    const struct aws_request request = { &aws_sts, action, parameters };
    struct aws_reply reply = { 0 };
    setting.identity = identity;
    if (!what)
        return plugin_no_memory(search->call);
    int32_t code = aws_exchange(search->call, &setting, &request, 1, &reply);
    if (!code && reply.error.code) {
        struct memories_error_detail error = aws_reply_error(search->call, &reply, what);
        code = plugin_host->fail(search->call, &error);
    } else if (!code &&
               !credentials_take(search->call, json_get_object(reply.document, "Credentials"), &sts_names, found)) {
        code = plugin_fail(search->call, MEMORIES_TRANSIENT, what, NULL, "%s gave no credentials", action);
    }
    aws_replies_clear(&reply, 1);
    found->source = what;
    return code;
}

/* Names the session in the trail of the account: by whom a call was made. */
static const char *session_name(const struct credential_search *search, const char *configured)
{
    return configured
               ? configured
               : plugin_format(search->call, "memories-%lld", (long long)plugin_host->now_ms(search->call) / 1000);
}

static int set_optional(json_object *parameters, const char *key, const char *value)
{
    return value ? json_set_string(parameters, key, value) : 0;
}

int32_t credentials_from_role(const struct credential_search *search, const struct credentials *source,
                              struct credentials *found)
{
    const char *role = credential_setting(search, "role_arn"), *mfa = credential_setting(search, "mfa_serial");
    const char *name = session_name(search, credential_setting(search, "role_session_name"));
    const char *what =
        plugin_format(search->call, "role %s (profile %s), assumed with %s", role, search->profile, source->source);
    if (mfa)
        return plugin_fail(search->call, MEMORIES_UNSUPPORTED,
                           plugin_format(search->call, "profile %s", search->profile),
                           "run: eval \"$(aws configure export-credentials --format env)\", which asks for it",
                           "the profile %s wants a one-time password (mfa_serial = %s)", search->profile, mfa);
    json_object *parameters = json_object_new_object();
    int failed = json_set_string(parameters, "RoleArn", role) | json_set_string(parameters, "RoleSessionName", name) |
                 set_optional(parameters, "ExternalId", credential_setting(search, "external_id")) |
                 set_optional(parameters, "DurationSeconds", credential_setting(search, "duration_seconds"));
    if (!failed && name)
        return ask(search, &source->identity, "AssumeRole", parameters, what, found);
    json_object_put(parameters);
    return plugin_no_memory(search->call);
}

/* The environment's, unless the program named a profile, else the profile's. */
static const char *web_setting(const struct credential_search *search, const char *variable, const char *key)
{
    const char *value = search->from_program ? NULL : settings_environment(variable);
    return value ? value : credential_setting(search, key);
}

int32_t credentials_from_web_identity(const struct credential_search *search, struct credentials *found)
{
    const char *file = web_setting(search, "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
    const char *role = web_setting(search, "AWS_ROLE_ARN", "role_arn");
    const char *name = session_name(search, web_setting(search, "AWS_ROLE_SESSION_NAME", "role_session_name"));
    AUTO_FREE char *token = NULL;
    if (!file)
        return MEMORIES_OK;
    if (!role)
        return plugin_fail(search->call, MEMORIES_DENIED, "AWS_ROLE_ARN", "name the role: AWS_ROLE_ARN, or role_arn",
                           "a web identity token is given (%s), but no role", file);
    int number = files_read(file, &token);
    if (number)
        return plugin_fail_errno(search->call, number, file, NULL, "can't read the web identity token %s", file);
    token[strcspn(token, "\r\n")] = '\0';
    json_object *parameters = json_object_new_object();
    int failed = json_set_string(parameters, "RoleArn", role) | json_set_string(parameters, "RoleSessionName", name) |
                 json_set_string(parameters, "WebIdentityToken", token);
    if (!failed && name)
        return ask(search, NULL, "AssumeRoleWithWebIdentity", parameters,
                   plugin_format(search->call, "role %s, assumed with the web identity token %s", role, file), found);
    json_object_put(parameters);
    return plugin_no_memory(search->call);
}
