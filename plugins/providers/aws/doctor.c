/* doctor.c - who we are to AWS from here, and where it is: settings, region, endpoints, credentials, and what STS says
 */
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/aws.h"

/* STS answers everywhere; without a region this one is asked. */
#define ANY_REGION "us-east-1"

struct examination {
    struct aws *aws;
    struct memories_call *call;
    const struct settings *settings;
    const char *region; /* NULL: none is given */
    json_object *result, *checks;
    int failed;
};

static void add(struct examination *examination, const char *name, const char *status, const char *text,
                const char *hint)
{
    json_object *check = json_add_new_object(examination->checks);
    examination->failed |= json_set_string(check, "name", name) | json_set_string(check, "status", status) |
                           (text ? json_set_string(check, "text", text) : MEMORIES_NO_MEMORY) |
                           (hint ? json_set_string(check, "hint", hint) : 0);
}

/* What follows may end the look: what is known by then is told before. */
static int32_t tell(struct examination *examination)
{
    return examination->failed ? plugin_no_memory(examination->call)
                               : plugin_result(examination->call, json_ref(examination->result));
}

/* ---- Settings ---- */

static const char *source_of_profile(const struct settings *settings)
{
    if (settings->profile_is_explicit)
        return "of the configuration";
    if (!settings->profile_is_given)
        return "since nothing names another";
    return settings_environment("AWS_PROFILE") ? "of AWS_PROFILE" : "of AWS_DEFAULT_PROFILE";
}

static void check_profile(struct examination *examination)
{
    const struct settings *settings = examination->settings;
    bool is_there = settings_has_profile(settings, settings->profile);
    add(examination, "profile", "ok",
        plugin_format(examination->call, "%s, %s%s", settings->profile, source_of_profile(settings),
                      is_there ? "" : "; it is in no file"),
        NULL);
}

static void check_files(struct examination *examination)
{
    const struct settings *settings = examination->settings;
    const char *const files[] = { settings->config_file, settings->credentials_file };
    for (size_t i = 0; i < ARRAY_COUNT(files); i++)
        add(examination, i ? "credentials file" : "config file", "ok",
            plugin_format(examination->call, "%s%s", files[i], access(files[i], F_OK) ? " is not there" : ""), NULL);
}

static void check_region(struct examination *examination)
{
    const char *given = json_get_string(examination->aws->config, "region");
    const struct settings *settings = examination->settings;
    const char *source = given                                        ? "of the configuration"
                         : settings_environment("AWS_REGION")         ? "of AWS_REGION"
                         : settings_environment("AWS_DEFAULT_REGION") ? "of AWS_DEFAULT_REGION"
                                                                      : "of the profile";
    examination->region = given ? given : settings_region(settings);
    if (examination->region)
        add(examination, "region", "ok", plugin_format(examination->call, "%s, %s", examination->region, source), NULL);
    else
        add(examination, "region", "warning", "none is given: a configuration has to name one",
            "add `region: us-west-2` or another to the configuration, or set AWS_REGION");
}

static int32_t check_endpoints(struct examination *examination)
{
    static const struct aws_service *const services[] = { &aws_ec2,        &aws_sts,  &aws_iam, &aws_ssm,
                                                          &aws_cloudwatch, &aws_logs, &aws_sns, &aws_service_quotas };
    const char *region = examination->region ? examination->region : ANY_REGION;
    for (size_t i = 0; i < ARRAY_COUNT(services); i++) {
        struct aws_endpoint endpoint;
        if (!examination->region && services[i] != &aws_sts)
            continue;
        int32_t code = aws_endpoint_find(examination->call, examination->settings, services[i], region, &endpoint);
        if (code)
            return code;
        add(examination, plugin_format(examination->call, "endpoint %s", services[i]->name), "ok", endpoint.url, NULL);
    }
    return MEMORIES_OK;
}

/* ---- Who ---- */

static int32_t check_credentials(struct examination *examination)
{
    const char *region = examination->region ? examination->region : ANY_REGION;
    const char *source = aws_client_source(&examination->aws->client, examination->call, region);
    if (!source) /* the host has been told why, which names the code: any does here */
        return MEMORIES_DENIED;
    add(examination, "credentials", "ok", plugin_format(examination->call, "of %s", source), NULL);
    return MEMORIES_OK;
}

static int32_t check_identity(struct examination *examination)
{
    AUTO_JSON json_object *parameters = json_object_new_object();
    const struct aws_request request = { &aws_sts, "GetCallerIdentity", parameters };
    struct aws_reply reply = { 0 };
    const char *region = examination->region ? examination->region : ANY_REGION;
    int32_t code = aws_send(&examination->aws->client, examination->call, region, &request, 1, &reply);
    if (code)
        return code;
    const char *arn = json_get_string(reply.document, "Arn"), *account = json_get_string(reply.document, "Account");
    if (reply.error.code)
        add(examination, "identity", "failed",
            plugin_format(examination->call, "STS refuses: %s%s%s", reply.error.message, reply.error.cause ? ": " : "",
                          reply.error.cause ? reply.error.cause : ""),
            reply.error.hint);
    else
        add(examination, "identity", "ok",
            plugin_format(examination->call, "%s in the account %s", arn ? arn : "?", account ? account : "?"), NULL);
    aws_replies_clear(&reply, 1);
    return MEMORIES_OK;
}

/* ---- The slot ---- */

static int32_t examine(struct examination *examination)
{
    examination->settings = aws_client_settings(&examination->aws->client, examination->call);
    if (!examination->settings)
        return MEMORIES_INVALID; /* as above */
    check_profile(examination);
    check_files(examination);
    check_region(examination);
    int32_t code = check_endpoints(examination);
    int32_t told = tell(examination);
    code = code ? code : told;
    if (!code)
        code = check_credentials(examination);
    if (!code)
        code = tell(examination);
    if (!code)
        code = check_identity(examination);
    return code ? code : tell(examination);
}

int32_t aws_doctor(void *instance, struct memories_call *call, const char *request)
{
    AUTO_JSON json_object *document = plugin_parse(call, request, "request of doctor");
    if (!document)
        return MEMORIES_INTERNAL;
    AUTO_JSON json_object *result = json_object_new_object();
    struct examination examination = { .aws = instance, .call = call, .result = result };
    examination.checks = json_set_new_array(result, "checks");
    if (!examination.checks)
        return plugin_no_memory(call);
    return examine(&examination);
}
