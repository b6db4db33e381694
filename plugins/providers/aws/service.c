/* service.c - the services that the provider speaks to, and where they are, see service.h */
#include "plugins/providers/aws/service.h"

#include <ctype.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"

#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define JSON_1_0 "application/x-amz-json-1.0"
#define JSON_1_1 "application/x-amz-json-1.1"

const struct aws_service aws_ec2 = { "ec2", "ec2", "ec2", "2016-11-15", NULL, FORM, AWS_PROTOCOL_EC2 };
const struct aws_service aws_sts = { "sts", "sts", "sts", "2011-06-15", NULL, FORM, AWS_PROTOCOL_QUERY };
const struct aws_service aws_iam = { "iam", "iam", "iam", "2010-05-08", NULL, FORM, AWS_PROTOCOL_QUERY };
const struct aws_service aws_sns = { "sns", "sns", "sns", "2010-03-31", NULL, FORM, AWS_PROTOCOL_QUERY };
const struct aws_service aws_cloudwatch = {
    "cloudwatch", "monitoring", "monitoring", "2010-08-01", "GraniteServiceVersion20100801", JSON_1_0, AWS_PROTOCOL_JSON
};
const struct aws_service aws_logs = { "cloudwatch_logs", "logs",   "logs",           "2014-03-28",
                                      "Logs_20140328",   JSON_1_1, AWS_PROTOCOL_JSON };
const struct aws_service aws_ssm = { "ssm", "ssm", "ssm", "2014-11-06", "AmazonSSM", JSON_1_1, AWS_PROTOCOL_JSON };
const struct aws_service aws_service_quotas = { "service_quotas", "servicequotas",          "servicequotas",
                                                "2019-06-24",     "ServiceQuotasV20190624", JSON_1_1,
                                                AWS_PROTOCOL_JSON };
/* REST without signatures: only their places are asked for here. */
const struct aws_service aws_sso = { "sso", "portal.sso", "awsssoportal", "2019-06-10", NULL, NULL, AWS_PROTOCOL_JSON };
const struct aws_service aws_sso_oidc = {
    "sso_oidc", "oidc", "sso-oauth", "2019-06-10", NULL, NULL, AWS_PROTOCOL_JSON
};

/* ---- Partitions ---- */

/* The first whose prefix fits; the last one fits all. */
static const struct aws_partition partitions[] = {
    { "aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-north-1",
      "iam.cn-north-1.amazonaws.com.cn", "iam.global.api.amazonwebservices.com.cn", NULL, true },
    { "aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", "us-gov-west-1", "iam.us-gov.amazonaws.com",
      "iam.us-gov.api.aws", "iam.us-gov.amazonaws.com", false },
    { "aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1", "iam.us-iso-east-1.c2s.ic.gov",
      "iam.api.aws.ic.gov", NULL, true },
    { "aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1", "iam.us-isob-east-1.sc2s.sgov.gov",
      "iam.api.aws.scloud", NULL, true },
    { "aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1",
      "iam.eu-isoe-west-1.cloud.adc-e.uk", "iam.api.cloud-aws.adc-e.uk", NULL, true },
    { "aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1",
      "iam.us-isof-south-1.csp.hci.ic.gov", "iam.api.aws.hci.ic.gov", NULL, true },
    { "aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1",
      "iam.eusc-de-east-1.amazonaws.eu", "iam.api.amazonwebservices.eu", NULL, true },
    { "aws", "", "amazonaws.com", "api.aws", "us-east-1", "iam.amazonaws.com", "iam.global.api.aws",
      "iam-fips.amazonaws.com", true },
};

const struct aws_partition *aws_partition_of(const char *region)
{
    const struct aws_partition *partition = partitions;
    while (strncmp(region, partition->region_prefix, strlen(partition->region_prefix)))
        partition++;
    return partition;
}

/* ---- Endpoints that somebody asked for ---- */

/* AWS_ENDPOINT_URL_CLOUDWATCH_LOGS */
static const char *service_variable(struct memories_call *call, const struct aws_service *service)
{
    char *name = plugin_format(call, "AWS_ENDPOINT_URL_%s", service->name);
    for (char *at = name; at && *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return name;
}

/* The profile names a section [services NAME] with a place for each service. */
static const char *services_section_url(const struct settings *settings, const struct aws_service *service)
{
    const char *name = settings_of_profile(settings, settings->profile, "services");
    json_object *section = name ? json_get_object(settings->services, name) : NULL;
    return json_get_string(json_get_object(section, service->name), "endpoint_url");
}

static const char *configured_url(struct memories_call *call, const struct settings *settings,
                                  const struct aws_service *service)
{
    if (settings_flag(settings, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"))
        return NULL;
    const char *variable = service_variable(call, service);
    const char *url = variable ? settings_environment(variable) : NULL;
    url = url ? url : settings_environment("AWS_ENDPOINT_URL");
    url = url ? url : services_section_url(settings, service);
    return url ? url : settings_of_profile(settings, settings->profile, "endpoint_url");
}

static bool is_port_of_scheme(const char *url, const char *authority)
{
    const char *port = strrchr(authority, ':');
    return port && (!strcmp(port, ":80") || !strcmp(port, ":443")) && !strchr(port, ']') &&
           !strncmp(url, "https", 5) == !strcmp(port, ":443");
}

static int32_t use_url(struct memories_call *call, const char *url, struct aws_endpoint *endpoint)
{
    const char *rest = strstr(url, "://");
    if (!rest || (strncmp(url, "http://", 7) && strncmp(url, "https://", 8)) || !rest[3] || strpbrk(url, "?#@ "))
        return plugin_fail(call, MEMORIES_INVALID, "AWS_ENDPOINT_URL", "give it as https://host[:port][/path]",
                           "the endpoint \"%s\" is no URL of a service", url);
    size_t length = strcspn(rest + 3, "/");
    char *authority = plugin_format(call, "%.*s", (int)length, rest + 3);
    const char *path = rest[3 + length] ? rest + 3 + length : "/";
    if (!authority)
        return plugin_no_memory(call);
    if (is_port_of_scheme(url, authority))
        *strrchr(authority, ':') = '\0';
    endpoint->authority = authority;
    endpoint->path = path;
    endpoint->url = plugin_format(call, "%.*s%s", (int)(rest + 3 + length - url), url, path);
    return endpoint->url ? MEMORIES_OK : plugin_no_memory(call);
}

/* ---- AWS's own endpoints ---- */

static const char *iam_host(const struct aws_partition *partition, bool fips, bool dual_stack)
{
    if (fips)
        return dual_stack ? NULL : partition->iam_fips_host;
    return dual_stack ? partition->iam_dual_stack_host : partition->iam_host;
}

static const char *regional_host(struct memories_call *call, const struct aws_partition *partition,
                                 const struct aws_service *service, const char *region, bool fips, bool dual_stack)
{
    /* In GovCloud the plain hosts meet FIPS 140; those with two stacks have names of their own but for CloudWatch. */
    bool prefixed = fips && (partition->has_fips_prefix || (dual_stack && service != &aws_cloudwatch));
    return plugin_format(call, "%s%s.%s.%s", service->prefix, prefixed ? "-fips" : "", region,
                         dual_stack ? partition->dual_stack_dns_suffix : partition->dns_suffix);
}

static int32_t check_region(struct memories_call *call, const char *region)
{
    if (*region && !region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return MEMORIES_OK;
    return plugin_fail(call, MEMORIES_INVALID, "config.region", "name it as AWS does, for example us-west-2",
                       "\"%s\" is no name of an AWS region", region);
}

int32_t aws_endpoint_find(struct memories_call *call, const struct settings *settings,
                          const struct aws_service *service, const char *region, struct aws_endpoint *endpoint)
{
    int32_t code = check_region(call, region);
    if (code)
        return code;
    const struct aws_partition *partition = aws_partition_of(region);
    bool fips = settings_flag(settings, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
    bool dual_stack = settings_flag(settings, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
    const char *url = configured_url(call, settings, service);
    *endpoint = (struct aws_endpoint){ .path = "/", .signing_region = region };
    if (service == &aws_iam)
        endpoint->signing_region = partition->iam_region;
    if (url && (fips || dual_stack))
        return plugin_fail(call, MEMORIES_INVALID, "AWS_ENDPOINT_URL",
                           "unset the endpoint, or AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT",
                           "the endpoint %s is configured, and so is the use of %s endpoints", url,
                           fips ? "FIPS" : "dual-stack");
    if (url)
        return use_url(call, url, endpoint);
    const char *host = service == &aws_iam ? iam_host(partition, fips, dual_stack)
                                           : regional_host(call, partition, service, region, fips, dual_stack);
    if (!host && service == &aws_iam)
        return plugin_fail(call, MEMORIES_UNSUPPORTED, "AWS_USE_FIPS_ENDPOINT",
                           "set AWS_ENDPOINT_URL_IAM, or do without AWS_USE_FIPS_ENDPOINT for this deployment",
                           "no FIPS endpoint of IAM is known in %s", partition->id);
    endpoint->authority = host;
    endpoint->url = host ? plugin_format(call, "https://%s/", host) : NULL;
    return endpoint->url ? MEMORIES_OK : plugin_no_memory(call);
}
