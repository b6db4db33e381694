/* http.h - requests to a deployment's own nodes */
#ifndef PLUGINS_COMMON_HTTP_H
#define PLUGINS_COMMON_HTTP_H

#include <stdbool.h>

#include "plugins/common/plugin.h"

/* No answer within this time is an answer: `converge` and `status` must not hang on a dead node. */
#define NODE_TIMEOUT_MS 2000
#define NODE_RESPONSE_BYTES_MAX (1u << 20)

/* "address:port", with brackets round an IPv6 address; NULL for no address or no memory. */
const char *http_authority(struct memories_call *call, const char *address, int port);

/* GET without a body, POST of JSON with one. Over https the deployment's own identity is used. url and connect may be
 * NULL after a failed allocation: http_send_all reports that. */
struct memories_http_request http_node_request(const char *url, const char *connect, const char *body);

/* Sends all at once. */
int32_t http_send_all(struct memories_call *call, const struct memories_http_request *requests, size_t count,
                      const struct memories_http_response **responses);

/* Why there is no usable answer: the transport's reason, or the status with what the body says. */
const char *http_problem(struct memories_call *call, const struct memories_http_response *response);

#endif
