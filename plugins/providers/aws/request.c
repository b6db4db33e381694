/* request.c - requests to AWS: put into words, signed, sent, and the replies read, see request.h */
#include "plugins/providers/aws/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/failure.h"
#include "plugins/providers/aws/query.h"
#include "plugins/providers/aws/sign.h"
#include "plugins/providers/aws/xml.h"

#define TIMEOUT_MS 60000
#define HEADERS_MAX 8

/* ---- Asking ---- */

/* One request on its way: what http gets, and the texts it points to. */
struct message {
    struct memories_http_request http;
    const char *headers[HEADERS_MAX];
    size_t header_count;
    bool failed; /* for want of memory */
};

static void add_header(struct message *message, const char *line)
{
    message->failed |= !line;
    if (line)
        message->headers[message->header_count++] = line;
}

static void set_body(struct message *message, struct memories_call *call, const struct aws_request *request)
{
    size_t bytes = 0;
    const char *body;
    if (request->service->protocol == AWS_PROTOCOL_JSON) {
        body = request->parameters ? json_object_to_json_string_ext(request->parameters, JSON_C_TO_STRING_PLAIN) : "{}";
        bytes = body ? strlen(body) : 0;
    } else {
        body = query_body(call, request->service, request->action, request->parameters, &bytes);
    }
    message->failed |= !body;
    message->http.body = body;
    message->http.body_bytes = (uint32_t)bytes;
}

/* Content-Type first: what follows is the same for all services. */
static void set_headers(struct message *message, struct memories_call *call, const struct aws_request *request,
                        const struct aws_endpoint *endpoint)
{
    add_header(message, plugin_format(call, "Content-Type: %s", request->service->content_type));
    add_header(message, plugin_format(call, "Host: %s", endpoint->authority));
    if (request->service->protocol == AWS_PROTOCOL_JSON)
        add_header(message, plugin_format(call, "X-Amz-Target: %s.%s", request->service->target, request->action));
    /* CloudWatch then names the errors as its query protocol does, which is how they are documented. */
    if (request->service == &aws_cloudwatch)
        add_header(message, "X-Amzn-Query-Mode: true");
}

static void set_signature(struct message *message, struct memories_call *call, const struct aws_setting *setting,
                          const struct aws_request *request, const struct aws_endpoint *endpoint)
{
    char timestamp[SIGN_TIMESTAMP_BYTES];
    const struct aws_identity *identity = setting->identity;
    sign_timestamp(plugin_host->now_ms(call) + setting->clock_offset_ms, timestamp);
    add_header(message, plugin_format(call, "X-Amz-Date: %s", timestamp));
    if (identity->session_token)
        add_header(message, plugin_format(call, "X-Amz-Security-Token: %s", identity->session_token));
    if (message->failed)
        return;
    const struct sign_scope scope = { timestamp, endpoint->signing_region, request->service->signing_name };
    const struct sign_request sign = { .method = "POST",
                                       .path = endpoint->path,
                                       .query = "",
                                       .headers = message->headers,
                                       .body = message->http.body,
                                       .body_bytes = message->http.body_bytes };
    const char *authorization =
        sign_authorization(call, &scope, identity->access_key_id, identity->secret_access_key, &sign);
    add_header(message, authorization ? plugin_format(call, "Authorization: %s", authorization) : NULL);
}

static int32_t compose(struct message *message, struct memories_call *call, const struct aws_setting *setting,
                       const struct aws_request *request)
{
    struct aws_endpoint endpoint;
    int32_t code = aws_endpoint_find(call, setting->settings, request->service, setting->region, &endpoint);
    if (code)
        return code;
    message->http = (struct memories_http_request){
        .size = sizeof message->http, .timeout_ms = TIMEOUT_MS, .method = "POST", .url = endpoint.url
    };
    set_body(message, call, request);
    set_headers(message, call, request, &endpoint);
    if (setting->identity && !message->failed)
        set_signature(message, call, setting, request, &endpoint);
    message->http.headers = message->headers;
    return message->failed ? plugin_no_memory(call) : MEMORIES_OK;
}

/* ---- Reading ---- */

static const char *header_of(const struct memories_http_response *response, const char *name)
{
    size_t length = strlen(name);
    for (const char *const *header = response->headers; header && *header; header++)
        if (!strncmp(*header, name, length) && (*header)[length] == ':')
            return *header + length + 1 + strspn(*header + length + 1, " ");
    return NULL;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7) */
static int64_t date_of(const struct memories_http_response *response)
{
    const char *date = header_of(response, "date");
    struct tm parts = { 0 };
    if (!date || !strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parts))
        return 0;
    return (int64_t)timegm(&parts) * 1000;
}

/* What a service says about an error, whatever its protocol. */
struct complaint {
    struct memories_call *call;
    const char *code;
    const char *message;
    const char *request_id;
    bool no_memory;
};

static const char *keep(struct complaint *complaint, const char *text, size_t length)
{
    const char *kept = text ? plugin_format(complaint->call, "%.*s", (int)length, text) : NULL;
    complaint->no_memory |= text && !kept;
    return kept;
}

static const char *keep_all(struct complaint *complaint, const char *text)
{
    return text ? keep(complaint, text, strlen(text)) : NULL;
}

static void read_xml_complaint(struct complaint *complaint, json_object *document)
{
    json_object *errors = json_get_object(document, "Errors"); /* EC2's has them one level deeper */
    json_object *error = json_get_object(errors ? errors : document, "Error");
    const char *request_id = json_get_string(document, "RequestId");
    complaint->code = keep_all(complaint, json_get_string(error, "Code"));
    complaint->message = keep_all(complaint, json_get_string(error, "Message"));
    if (!request_id)
        request_id = json_get_string(document, "RequestID");
    if (request_id)
        complaint->request_id = keep_all(complaint, request_id);
}

/* "com.amazonaws.logs#ResourceNotFoundException" and "Name:http://…" -> the name alone */
static const char *bare_name(struct complaint *complaint, const char *name)
{
    const char *hash = name ? strchr(name, '#') : NULL;
    name = hash ? hash + 1 : name;
    return name ? keep(complaint, name, strcspn(name, ":;")) : NULL;
}

static void read_json_complaint(struct complaint *complaint, const struct memories_http_response *response,
                                json_object *document)
{
    const char *code = header_of(response, "x-amzn-query-error");
    code = code ? code : json_get_string(document, "__type");
    code = code ? code : header_of(response, "x-amzn-errortype");
    const char *message = json_get_string(document, "message");
    complaint->code = bare_name(complaint, code);
    complaint->message = keep_all(complaint, message ? message : json_get_string(document, "Message"));
}

static json_object *parse(const struct aws_request *request, const struct memories_http_response *response,
                          bool *no_memory)
{
    *no_memory = false;
    if (request->service->protocol != AWS_PROTOCOL_JSON)
        return xml_to_json(response->body, response->body_bytes, no_memory);
    if (!response->body_bytes)
        return json_object_new_object();
    json_object *document = json_tokener_parse(response->body);
    if (!json_object_is_type(document, json_type_object)) {
        json_object_put(document);
        return NULL;
    }
    return document;
}

static struct memories_error_detail make_error(struct memories_call *call, const struct aws_request *request,
                                               int32_t code, const char *how)
{
    const char *message = plugin_format(call, "%s %s", request->action, how);
    return (struct memories_error_detail){
        .size = sizeof(struct memories_error_detail),
        .code = message ? code : MEMORIES_NO_MEMORY,
        .message = message ? message : "memory ran out",
    };
}

static void read_error(struct memories_call *call, const struct aws_request *request,
                       const struct memories_http_response *response, json_object *document, struct aws_reply *reply)
{
    struct complaint complaint = { .call = call };
    complaint.request_id = keep_all(&complaint, response->request_id);
    if (request->service->protocol == AWS_PROTOCOL_JSON)
        read_json_complaint(&complaint, response, document);
    else
        read_xml_complaint(&complaint, document);
    int32_t result = complaint.no_memory ? MEMORIES_NO_MEMORY : failure_code(complaint.code, response->status);
    const char *retry_after = header_of(response, "x-amz-retry-after"), *seconds = header_of(response, "retry-after");
    reply->code = complaint.code;
    reply->error = make_error(call, request, result, "was refused");
    reply->error.http_status = response->status;
    reply->error.request_id = complaint.request_id;
    reply->error.hint = failure_hint(result, complaint.code);
    reply->error.retry_after_ms = retry_after ? (uint32_t)strtoul(retry_after, NULL, 10)
                                  : seconds   ? (uint32_t)strtoul(seconds, NULL, 10) * 1000
                                              : 0;
    reply->error.cause = plugin_format(call, "%s%s%s", complaint.code ? complaint.code : "HTTP status",
                                       complaint.message || !complaint.code ? ": " : "",
                                       complaint.message ? complaint.message
                                       : complaint.code  ? ""
                                                         : plugin_format(call, "%d", response->status));
}

static json_object *result_of(json_object *document, const char *action)
{
    char name[64];
    snprintf(name, sizeof name, "%sResult", action);
    return json_get(document, name);
}

static void read_reply(struct memories_call *call, const struct aws_request *request,
                       const struct memories_http_response *response, struct aws_reply *reply)
{
    bool no_memory;
    if (response->status == 0) {
        reply->error = make_error(call, request, response->error_code, "got no answer");
        reply->error.cause = response->error ? plugin_format(call, "%s", response->error) : NULL;
        return;
    }
    reply->date_ms = date_of(response);
    AUTO_JSON json_object *document = parse(request, response, &no_memory);
    if (no_memory) {
        reply->error = make_error(call, request, MEMORIES_NO_MEMORY, "got an answer for which there is no memory");
    } else if (response->status < 200 || response->status > 299) {
        read_error(call, request, response, document, reply);
    } else if (!document) {
        reply->error = make_error(call, request, MEMORIES_TRANSIENT, "got an answer that can't be read");
        reply->error.cause = plugin_format(call, "%u bytes that are no %s", response->body_bytes,
                                           request->service->protocol == AWS_PROTOCOL_JSON ? "JSON object" : "XML");
    } else {
        json_object *result = NULL;
        if (request->service->protocol == AWS_PROTOCOL_QUERY) /* <XResponse><XResult>…</XResult> */
            result = result_of(document, request->action);
        reply->document = result ? json_ref(result) : STEAL(document);
    }
}

/* ---- Both ---- */

int32_t aws_exchange(struct memories_call *call, const struct aws_setting *setting, const struct aws_request *requests,
                     size_t count, struct aws_reply *replies)
{
    memset(replies, 0, count * sizeof *replies);
    struct message *messages = plugin_host->allocate(call, (count + 1) * sizeof *messages);
    const struct memories_http_request **list = plugin_host->allocate(call, (count + 1) * sizeof *list);
    const struct memories_http_response **responses = plugin_host->allocate(call, (count + 1) * sizeof *responses);
    if (!messages || !list || !responses)
        return plugin_no_memory(call);
    for (size_t i = 0; i < count; i++) {
        int32_t code = compose(&messages[i], call, setting, &requests[i]);
        if (code)
            return code;
        list[i] = &messages[i].http;
    }
    int32_t code = count ? plugin_host->http(call, list, count, responses) : MEMORIES_OK;
    for (size_t i = 0; !code && i < count; i++)
        read_reply(call, &requests[i], responses[i], &replies[i]);
    return code;
}

void aws_replies_clear(struct aws_reply *replies, size_t count)
{
    for (size_t i = 0; replies && i < count; i++) {
        json_object_put(replies[i].document);
        replies[i].document = NULL;
    }
}

bool aws_reply_may_have_effect(const struct aws_reply *reply)
{
    switch (reply->error.code) {
    case MEMORIES_OK:
        return reply->document; /* without one nothing was sent */
    case MEMORIES_TRANSIENT:
    case MEMORIES_TIMEOUT:
    case MEMORIES_CANCELLED:
    case MEMORIES_NO_MEMORY:
        return true;
    default:
        return reply->error.http_status == 0;
    }
}

struct memories_error_detail aws_reply_error(struct memories_call *call, const struct aws_reply *reply,
                                             const char *where)
{
    struct memories_error_detail error = reply->error;
    error.where = plugin_format(call, "%s", where);
    return error;
}
