/*
 * credential_sso.c - credentials from IAM Identity Center, with the session that `aws sso login` has left
 *
 * The session is a file ~/.aws/sso/cache/SHA1.json. One of the newer form (sso_session) can be refreshed; the new one
 * is written back, for its refresh token is the only one that counts from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/credential_sources.h"
#include "plugins/providers/aws/files.h"
#include "plugins/providers/aws/hash.h"
#include "plugins/providers/aws/iso_time.h"

#define TIMEOUT_MS 30000
/* Before its end by this much a session is refreshed. */
#define REFRESH_MS (15 * 60 * 1000)

struct sso {
    const struct credential_search *search;
    struct memories_call *call;
    const char *where;        /* "profile dev" */
    const char *session_name; /* NULL: the older form */
    const char *start_url;
    const char *region;
    const char *account;
    const char *role;
    const char *file;
    json_object *session; /* what the file holds; owned */
};

static const char *login_hint(const struct sso *sso)
{
    return plugin_format(sso->call, "run: aws sso login --profile %s", sso->search->profile);
}

static int32_t incomplete(const struct sso *sso, const char *what)
{
    return plugin_fail(sso->call, MEMORIES_DENIED, sso->where, "run: aws configure sso",
                       "the SSO settings of the profile %s lack %s", sso->search->profile, what);
}

static int32_t read_profile(struct sso *sso)
{
    json_object *sessions = sso->search->setting->settings->sso_sessions;
    sso->session_name = credential_setting(sso->search, "sso_session");
    json_object *session = sso->session_name ? json_get_object(sessions, sso->session_name) : NULL;
    if (sso->session_name && !session)
        return incomplete(sso, plugin_format(sso->call, "the section [sso-session %s]", sso->session_name));
    sso->account = credential_setting(sso->search, "sso_account_id");
    sso->role = credential_setting(sso->search, "sso_role_name");
    sso->start_url =
        session ? json_get_string(session, "sso_start_url") : credential_setting(sso->search, "sso_start_url");
    sso->region = session ? json_get_string(session, "sso_region") : credential_setting(sso->search, "sso_region");
    const struct {
        const char *value, *name;
    } needed[] = { { sso->account, "sso_account_id" },
                   { sso->role, "sso_role_name" },
                   { sso->start_url, "sso_start_url" },
                   { sso->region, "sso_region" } };
    for (size_t i = 0; i < ARRAY_COUNT(needed); i++)
        if (!needed[i].value)
            return incomplete(sso, needed[i].name);
    return MEMORIES_OK;
}

static int32_t read_session(struct sso *sso)
{
    char hash[SHA1_HEX];
    const char *named = sso->session_name ? sso->session_name : sso->start_url, *home = settings_environment("HOME");
    AUTO_FREE char *text = NULL;
    if (!hash_sha1_hex(named, strlen(named), hash))
        return plugin_no_memory(sso->call);
    sso->file = plugin_format(sso->call, "%s/.aws/sso/cache/%s.json", home ? home : "", hash);
    int number = sso->file ? files_read(sso->file, &text) : ENOMEM;
    sso->session = text ? json_tokener_parse(text) : NULL;
    if (json_get_string(sso->session, "accessToken"))
        return MEMORIES_OK;
    return plugin_fail(sso->call, MEMORIES_DENIED, sso->where, login_hint(sso), "there is no SSO session (%s: %s)",
                       sso->file, number ? strerrordesc_np(number) : "no accessToken in it");
}

/* ---- HTTP of these two services: REST, no signatures ---- */

static int32_t send(const struct sso *sso, struct memories_http_request *request,
                    const struct memories_http_response **response)
{
    const struct memories_http_request *list[] = { request };
    request->size = sizeof *request;
    request->timeout_ms = TIMEOUT_MS;
    return plugin_host->http(sso->call, list, 1, response);
}

static int32_t refused(const struct sso *sso, const struct memories_http_response *response, const char *what)
{
    AUTO_JSON json_object *document = response->body ? json_tokener_parse(response->body) : NULL;
    const char *said = json_get_string(document, "message");
    said = said ? said : json_get_string(document, "error_description");
    struct memories_error_detail error = {
        .size = sizeof error,
        .code = !response->status         ? response->error_code
                : response->status == 429 ? MEMORIES_THROTTLED
                : response->status >= 500 ? MEMORIES_TRANSIENT
                                          : MEMORIES_DENIED,
        .http_status = response->status,
        .where = sso->where,
        .message = plugin_format(sso->call, "%s failed", what),
        .cause = response->status ? plugin_format(sso->call, "HTTP status %d%s%s", response->status, said ? ": " : "",
                                                  said ? said : "")
                                  : response->error,
        .request_id = response->request_id,
        .hint = login_hint(sso),
    };
    return error.message ? plugin_host->fail(sso->call, &error) : plugin_no_memory(sso->call);
}

/* ---- Refreshing ---- */

/* A whole file or the old one, readable by the user only. */
static int write_session(const struct sso *sso)
{
    const char *text =
        json_object_to_json_string_ext(sso->session, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    const char *draft = plugin_format(sso->call, "%s.%d", sso->file, (int)getpid());
    if (!text || !draft)
        return ENOMEM;
    AUTO_FD int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    size_t length = strlen(text);
    if (write(fd, text, length) == (ssize_t)length && fsync(fd) == 0 && rename(draft, sso->file) == 0)
        return 0;
    int number = errno;
    unlink(draft);
    return number;
}

static int32_t keep_refreshed(const struct sso *sso, json_object *answer)
{
    int64_t now = plugin_host->now_ms(sso->call);
    const char *refresh = json_get_string(answer, "refreshToken");
    int failed = json_set_string(sso->session, "accessToken", json_get_string(answer, "accessToken"));
    failed |= json_set_string(sso->session, "expiresAt",
                              iso_time_format(sso->call, now + json_get_int(answer, "expiresIn", 0) * 1000));
    if (refresh)
        failed |= json_set_string(sso->session, "refreshToken", refresh);
    int number = failed ? ENOMEM : write_session(sso);
    if (number) /* the token serves; the next command has to log in again, perhaps */
        plugin_log(sso->call, MEMORIES_LOG_WARNING, "the refreshed SSO session can't be kept: %s: %s", sso->file,
                   strerrordesc_np(number));
    return failed ? plugin_no_memory(sso->call) : MEMORIES_OK;
}

static int32_t refresh(struct sso *sso)
{
    static const char *const headers[] = { "Content-Type: application/json", NULL };
    struct aws_endpoint endpoint;
    const struct memories_http_response *response = NULL;
    int32_t code = aws_endpoint_find(sso->call, sso->search->setting->settings, &aws_sso_oidc, sso->region, &endpoint);
    AUTO_JSON json_object *body = json_object_new_object();
    int failed = json_set_string(body, "grantType", "refresh_token");
    failed |= json_set_string(body, "refreshToken", json_get_string(sso->session, "refreshToken"));
    failed |= json_set_string(body, "clientId", json_get_string(sso->session, "clientId"));
    failed |= json_set_string(body, "clientSecret", json_get_string(sso->session, "clientSecret"));
    const char *text = failed ? NULL : json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
    const char *url = code ? NULL : plugin_format(sso->call, "%stoken", endpoint.url);
    if (code)
        return code;
    if (!text || !url)
        return plugin_no_memory(sso->call);
    struct memories_http_request request = {
        .method = "POST", .url = url, .headers = headers, .body = text, .body_bytes = (uint32_t)strlen(text)
    };
    code = send(sso, &request, &response);
    if (code)
        return code;
    if (response->status != 200)
        return refused(sso, response, "refreshing the SSO session");
    AUTO_JSON json_object *answer = json_tokener_parse(response->body);
    if (!json_get_string(answer, "accessToken"))
        return refused(sso, response, "refreshing the SSO session");
    return keep_refreshed(sso, answer);
}

static bool can_refresh(const struct sso *sso, int64_t now)
{
    const char *registered = json_get_string(sso->session, "registrationExpiresAt");
    return sso->session_name && json_get_string(sso->session, "refreshToken") &&
           json_get_string(sso->session, "clientId") && json_get_string(sso->session, "clientSecret") &&
           (!registered || iso_time_parse(registered) > now);
}

static int32_t make_valid(struct sso *sso)
{
    int64_t now = plugin_host->now_ms(sso->call);
    int64_t left = iso_time_parse(json_get_string(sso->session, "expiresAt")) - now;
    if (left < REFRESH_MS && can_refresh(sso, now))
        return refresh(sso);
    if (left > 0)
        return MEMORIES_OK;
    return plugin_fail(sso->call, MEMORIES_DENIED, sso->where, login_hint(sso), "the SSO session has expired (%s)",
                       sso->file);
}

/* ---- Credentials ---- */

static const char *credentials_url(const struct sso *sso, const struct aws_endpoint *endpoint)
{
    struct plugin_text url = PLUGIN_TEXT(sso->call);
    plugin_text_printf(&url, "%sfederation/credentials?role_name=", endpoint->url);
    plugin_text_append_encoded(&url, sso->role, strlen(sso->role), "");
    plugin_text_append(&url, "&account_id=");
    plugin_text_append_encoded(&url, sso->account, strlen(sso->account), "");
    return plugin_text_take(&url);
}

static int32_t fetch(const struct sso *sso, struct credentials *found)
{
    static const struct credential_names names = { "accessKeyId", "secretAccessKey", "sessionToken", "" };
    struct aws_endpoint endpoint;
    const struct memories_http_response *response = NULL;
    int32_t code = aws_endpoint_find(sso->call, sso->search->setting->settings, &aws_sso, sso->region, &endpoint);
    if (code)
        return code;
    const char *url = credentials_url(sso, &endpoint);
    const char *header =
        plugin_format(sso->call, "x-amz-sso_bearer_token: %s", json_get_string(sso->session, "accessToken"));
    const char *const headers[] = { header, NULL };
    if (!url || !header)
        return plugin_no_memory(sso->call);
    struct memories_http_request request = { .method = "GET", .url = url, .headers = headers };
    code = send(sso, &request, &response);
    if (code)
        return code;
    AUTO_JSON json_object *answer = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    json_object *role = json_get_object(answer, "roleCredentials");
    if (!credentials_take(sso->call, role, &names, found))
        return refused(
            sso, response,
            plugin_format(sso->call, "getting the credentials of the role %s of account %s", sso->role, sso->account));
    found->expires_ms = json_get_int(role, "expiration", 0); /* in milliseconds, unlike everybody else's */
    found->source = plugin_format(sso->call, "SSO: role %s of account %s (profile %s)", sso->role, sso->account,
                                  sso->search->profile);
    return MEMORIES_OK;
}

int32_t credentials_from_sso(const struct credential_search *search, struct credentials *found)
{
    struct sso sso = { .search = search,
                       .call = search->call,
                       .where = plugin_format(search->call, "profile %s", search->profile) };
    if (!credential_setting(search, "sso_account_id") && !credential_setting(search, "sso_role_name"))
        return MEMORIES_OK;
    int32_t code = read_profile(&sso);
    if (!code)
        code = read_session(&sso);
    if (!code)
        code = make_valid(&sso);
    if (!code)
        code = fetch(&sso, found);
    json_object_put(sso.session);
    return code;
}
