/* isolate_wire.h - the structs of plugin.h as parts of messages; for both sides of an isolated plugin */
#ifndef CORE_LOADER_ISOLATE_WIRE_H
#define CORE_LOADER_ISOLATE_WIRE_H

#include <memories/plugin.h>

#include "core/loader/channel.h"

/* More requests or headers at a time than any plugin has. */
#define WIRE_COUNT_MAX 65536

/* NULL and a short struct arrive as they were, so that the core can say that they are wrong. */
void wire_put_detail(struct message *message, const struct memories_error_detail *detail);
/* Texts belong to the message. NULL for NULL. */
const struct memories_error_detail *wire_detail(struct message *message, struct memories_error_detail *detail);

void wire_put_operation(struct message *message, const struct memories_operation *operation);
void wire_operation(struct message *message, struct memories_operation *operation);

/* allocate: memory for lists of headers, given `data`; NULL when there is none. */
typedef void *wire_allocate(void *data, size_t bytes);

void wire_put_request(struct message *message, const struct memories_http_request *request);
/* NULL for NULL; also when memory ran out, after setting message->failed. */
const struct memories_http_request *wire_request(struct message *message, struct memories_http_request *request,
                                                 wire_allocate *allocate, void *data);
void wire_put_response(struct message *message, const struct memories_http_response *response);
void wire_response(struct message *message, struct memories_http_response *response, wire_allocate *allocate,
                   void *data);

#endif
