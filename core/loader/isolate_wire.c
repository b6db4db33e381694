/* isolate_wire.c - the structs of plugin.h as parts of messages, see isolate_wire.h */
#include "core/loader/isolate_wire.h"

#define END_OF(type, field) (offsetof(struct type, field) + sizeof(((struct type *)0)->field))

void wire_put_detail(struct message *message, const struct memories_error_detail *detail)
{
    message_put_number(message, detail ? (int64_t)detail->size : -1);
    if (!detail || detail->size < END_OF(memories_error_detail, hint))
        return;
    message_put_number(message, detail->code);
    message_put_number(message, detail->http_status);
    message_put_number(message, detail->retry_after_ms);
    message_put_text(message, detail->message);
    message_put_text(message, detail->where);
    message_put_text(message, detail->cause);
    message_put_text(message, detail->request_id);
    message_put_text(message, detail->hint);
}

const struct memories_error_detail *wire_detail(struct message *message, struct memories_error_detail *detail)
{
    int64_t size = message_number(message);
    *detail = (struct memories_error_detail){ .size = (uint32_t)size };
    if (size < 0)
        return NULL;
    if ((size_t)size < END_OF(memories_error_detail, hint))
        return detail;
    detail->size = sizeof *detail;
    detail->code = (int32_t)message_number(message);
    detail->http_status = (int32_t)message_number(message);
    detail->retry_after_ms = (uint32_t)message_number(message);
    detail->message = message_text(message);
    detail->where = message_text(message);
    detail->cause = message_text(message);
    detail->request_id = message_text(message);
    detail->hint = message_text(message);
    return detail;
}

void wire_put_operation(struct message *message, const struct memories_operation *operation)
{
    message_put_number(message, operation->generation);
    message_put_number(message, operation->attempt);
    message_put_number(message, operation->power_on);
    message_put_text(message, operation->key);
    message_put_text(message, operation->type);
    message_put_text(message, operation->token);
    message_put_text(message, operation->inputs);
    message_put_text(message, operation->outputs);
}

void wire_operation(struct message *message, struct memories_operation *operation)
{
    *operation = (struct memories_operation){ .size = sizeof *operation };
    operation->generation = (uint32_t)message_number(message);
    operation->attempt = (uint32_t)message_number(message);
    operation->power_on = (uint32_t)message_number(message);
    operation->key = message_text(message);
    operation->type = message_text(message);
    operation->token = message_text(message);
    operation->inputs = message_text(message);
    operation->outputs = message_text(message);
}

static void put_headers(struct message *message, const char *const *headers)
{
    int64_t count = 0;
    while (headers && headers[count])
        count++;
    message_put_number(message, headers ? count : -1);
    for (int64_t i = 0; i < count; i++)
        message_put_text(message, headers[i]);
}

static const char *const *take_headers(struct message *message, wire_allocate *allocate, void *data)
{
    int64_t count = message_number(message);
    if (count < 0)
        return NULL;
    const char **headers = count <= WIRE_COUNT_MAX ? allocate(data, ((size_t)count + 1) * sizeof *headers) : NULL;
    if (!headers) {
        message->failed = true;
        return NULL;
    }
    for (int64_t i = 0; i < count; i++)
        headers[i] = message_text(message);
    headers[count] = NULL;
    return headers;
}

void wire_put_request(struct message *message, const struct memories_http_request *request)
{
    message_put_number(message, request ? (int64_t)request->size : -1);
    if (!request || request->size < END_OF(memories_http_request, unix_socket))
        return;
    message_put_number(message, request->timeout_ms);
    message_put_number(message, request->max_response_bytes);
    message_put_text(message, request->method);
    message_put_text(message, request->url);
    put_headers(message, request->headers);
    message_put_bytes(message, request->body, request->body_bytes);
    message_put_text(message, request->connect_to);
    message_put_text(message, request->identity);
    message_put_text(message, request->unix_socket);
}

const struct memories_http_request *wire_request(struct message *message, struct memories_http_request *request,
                                                 wire_allocate *allocate, void *data)
{
    int64_t size = message_number(message);
    size_t body_bytes;
    *request = (struct memories_http_request){ .size = (uint32_t)size };
    if (size < 0)
        return NULL;
    if ((size_t)size < END_OF(memories_http_request, unix_socket))
        return request;
    request->size = sizeof *request;
    request->timeout_ms = (uint32_t)message_number(message);
    request->max_response_bytes = (uint32_t)message_number(message);
    request->method = message_text(message);
    request->url = message_text(message);
    request->headers = take_headers(message, allocate, data);
    request->body = message_bytes(message, &body_bytes);
    request->body_bytes = (uint32_t)body_bytes;
    request->connect_to = message_text(message);
    request->identity = message_text(message);
    request->unix_socket = message_text(message);
    return request;
}

void wire_put_response(struct message *message, const struct memories_http_response *response)
{
    message_put_number(message, response->status);
    message_put_number(message, response->error_code);
    message_put_bytes(message, response->body, response->body_bytes);
    message_put_text(message, response->error);
    message_put_text(message, response->request_id);
    put_headers(message, response->headers);
}

void wire_response(struct message *message, struct memories_http_response *response, wire_allocate *allocate,
                   void *data)
{
    size_t body_bytes;
    *response = (struct memories_http_response){ .size = sizeof *response };
    response->status = (int32_t)message_number(message);
    response->error_code = (int32_t)message_number(message);
    response->body = message_bytes(message, &body_bytes);
    response->body_bytes = (uint32_t)body_bytes;
    response->error = message_text(message);
    response->request_id = message_text(message);
    response->headers = take_headers(message, allocate, data);
}
