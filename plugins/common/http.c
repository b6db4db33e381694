/* http.c - requests to a deployment's own nodes, see http.h */
#include "plugins/common/http.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

const char *http_authority(struct memories_call *call, const char *address, int port)
{
    if (!address)
        return NULL;
    return plugin_format(call, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, port);
}

struct memories_http_request http_node_request(const char *url, const char *connect, const char *body)
{
    static const char *const json_headers[] = { "Content-Type: application/json", NULL };
    return (struct memories_http_request){
        .size = sizeof(struct memories_http_request),
        .timeout_ms = NODE_TIMEOUT_MS,
        .max_response_bytes = NODE_RESPONSE_BYTES_MAX,
        .body_bytes = body ? (uint32_t)strlen(body) : 0,
        .method = body ? "POST" : "GET",
        .url = url,
        .headers = body ? json_headers : NULL,
        .body = body,
        .connect_to = connect,
        .identity = url && !strncmp(url, "https:", strlen("https:")) ? "deployment" : NULL,
    };
}

int32_t http_send_all(struct memories_call *call, const struct memories_http_request *requests, size_t count,
                      const struct memories_http_response **responses)
{
    const struct memories_http_request **list = plugin_host->allocate(call, (count + 1) * sizeof *list);
    if (!list)
        return plugin_no_memory(call);
    for (size_t i = 0; i < count; i++) {
        if (!requests[i].url || !requests[i].connect_to)
            return plugin_no_memory(call);
        list[i] = &requests[i];
    }
    return count ? plugin_host->http(call, list, count, responses) : MEMORIES_OK;
}

const char *http_problem(struct memories_call *call, const struct memories_http_response *response)
{
    if (response->status == 0)
        return response->error ? response->error : "no answer";
    AUTO_JSON json_object *body = json_tokener_parse(response->body ? response->body : "");
    const char *said = json_get_string(body, "error");
    said = said ? said : json_get_string(body, "message"); /* as the Docker Engine words it */
    return said ? plugin_format(call, "HTTP status %d: %s", response->status, said)
                : plugin_format(call, "HTTP status %d", response->status);
}
