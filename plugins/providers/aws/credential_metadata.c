/* credential_metadata.c - credentials of the container or of the instance that this runs in */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/credential_sources.h"
#include "plugins/providers/aws/files.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define CONTAINER_TIMEOUT_MS 2000
#define INSTANCE_HOST "http://169.254.169.254"
#define INSTANCE_HOST_IPV6 "http://[fd00:ec2::254]"
/* Away from AWS nobody answers at that address, and the user waits for this. */
#define INSTANCE_TIMEOUT_MS 1000
#define TOKEN_TTL "21600"

static const struct credential_names metadata_names = { "AccessKeyId", "SecretAccessKey", "Token", "Expiration" };

static int32_t get(struct memories_call *call, const char *method, const char *url, const char *header,
                   uint32_t timeout_ms, const struct memories_http_response **response)
{
    const char *const headers[] = { header, NULL };
    const struct memories_http_request request = {
        .size = sizeof request, .timeout_ms = timeout_ms, .method = method, .url = url, .headers = headers
    };
    const struct memories_http_request *list[] = { &request };
    return url ? plugin_host->http(call, list, 1, response) : plugin_no_memory(call);
}

static int32_t no_answer(struct memories_call *call, const char *who, const char *url,
                         const struct memories_http_response *response)
{
    struct memories_error_detail error = {
        .size = sizeof error,
        .code = !response->status         ? response->error_code
                : response->status >= 500 ? MEMORIES_TRANSIENT
                                          : MEMORIES_DENIED,
        .http_status = response->status,
        .where = url,
        .message = plugin_format(call, "the %s gave no credentials", who),
        .cause = response->status ? plugin_format(call, "HTTP status %d", response->status) : response->error,
    };
    return error.message ? plugin_host->fail(call, &error) : plugin_no_memory(call);
}

/* ---- Container (ECS, EKS Pod Identity) ---- */

/* Without TLS only to places that no network can pretend to be. */
static bool is_trusted(const char *url)
{
    static const char *const hosts[] = { "localhost", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "[::1]" };
    if (!strncmp(url, "https://", 8))
        return true;
    if (strncmp(url, "http://", 7))
        return false;
    const char *host = url + 7;
    size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#@");
    if (host[length] == '@')
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(hosts); i++)
        if (length == strlen(hosts[i]) && !strncmp(host, hosts[i], length))
            return true;
    return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == length;
}

/* "Authorization: …" or NULL in *header. */
static int32_t authorization(struct memories_call *call, const char **header)
{
    const char *file = settings_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = settings_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    AUTO_FREE char *text = NULL;
    int number = file ? files_read(file, &text) : 0;
    *header = NULL;
    if (number)
        return plugin_fail_errno(call, number, file, NULL, "can't read the container's token %s", file);
    token = file ? text : token;
    if (!token)
        return MEMORIES_OK;
    if (strpbrk(token, "\r\n"))
        return plugin_fail(call, MEMORIES_DENIED, file ? file : "AWS_CONTAINER_AUTHORIZATION_TOKEN", NULL,
                           "the container's token has more than one line");
    *header = plugin_format(call, "Authorization: %s", token);
    return *header ? MEMORIES_OK : plugin_no_memory(call);
}

int32_t credentials_from_container(const struct credential_search *search, struct credentials *found)
{
    struct memories_call *call = search->call;
    const char *relative = settings_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *url = settings_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI"), *header = NULL;
    const struct memories_http_response *response = NULL;
    if (relative)
        url = plugin_format(call, CONTAINER_HOST "%s", relative);
    if (!url)
        return MEMORIES_OK;
    if (!is_trusted(url))
        return plugin_fail(call, MEMORIES_DENIED, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "use https, or a local address",
                           "credentials are not fetched from %s without TLS", url);
    int32_t code = authorization(call, &header);
    if (!code)
        code = get(call, "GET", url, header, CONTAINER_TIMEOUT_MS, &response);
    if (code)
        return code;
    AUTO_JSON json_object *document = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    found->source = plugin_format(call, "the container (%s)", url);
    return credentials_take(call, document, &metadata_names, found) ? MEMORIES_OK
                                                                    : no_answer(call, "container", url, response);
}

/* ---- Instance (IMDSv2) ---- */

static const char *instance_host(const struct credential_search *search)
{
    const struct settings *settings = search->setting->settings;
    const char *host = settings_value(settings, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
    const char *mode =
        settings_value(settings, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
    if (host)
        return plugin_format(search->call, "%.*s", (int)(strlen(host) - (host[strlen(host) - 1] == '/')), host);
    return mode && !strcasecmp(mode, "ipv6") ? INSTANCE_HOST_IPV6 : INSTANCE_HOST;
}

static bool is_disabled(void)
{
    const char *value = settings_environment("AWS_EC2_METADATA_DISABLED");
    return value && !strcasecmp(value, "true");
}

/* Not on an instance, or one without a role: that is no failure of the chain. */
static bool is_nothing(const struct memories_http_response *response)
{
    return response->status == 0 || response->status == 404 || response->status == 403 || response->status == 405;
}

int32_t credentials_from_instance(const struct credential_search *search, struct credentials *found)
{
    struct memories_call *call = search->call;
    const struct memories_http_response *response = NULL;
    if (is_disabled())
        return MEMORIES_OK;
    const char *host = instance_host(search), *ttl = "X-aws-ec2-metadata-token-ttl-seconds: " TOKEN_TTL;
    const char *base = host ? plugin_format(call, "%s/latest/meta-data/iam/security-credentials/", host) : NULL;
    int32_t code = get(call, "PUT", host ? plugin_format(call, "%s/latest/api/token", host) : NULL, ttl,
                       INSTANCE_TIMEOUT_MS, &response);
    if (code || is_nothing(response))
        return code;
    if (response->status != 200)
        return no_answer(call, "instance", host, response);
    const char *token = plugin_format(call, "X-aws-ec2-metadata-token: %s", response->body);
    code = token ? get(call, "GET", base, token, INSTANCE_TIMEOUT_MS, &response) : plugin_no_memory(call);
    if (code || is_nothing(response))
        return code;
    if (response->status != 200)
        return no_answer(call, "instance", base, response);
    const char *role = plugin_format(call, "%.*s", (int)strcspn(response->body, "\r\n"), response->body);
    const char *url = role ? plugin_format(call, "%s%s", base, role) : NULL;
    code = get(call, "GET", url, token, INSTANCE_TIMEOUT_MS, &response);
    if (code)
        return code;
    AUTO_JSON json_object *document = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    found->source = plugin_format(call, "the instance's role %s", role);
    return credentials_take(call, document, &metadata_names, found) ? MEMORIES_OK
                                                                    : no_answer(call, "instance", url, response);
}
