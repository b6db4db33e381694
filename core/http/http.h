/*
 * http.h - HTTP for the core and, through the host table, for plugins
 *
 * One client has one thread with a curl multi handle: connections are kept and shared by all callers, who wait for their
 * own answers. TLS is always verified. Replies are bounded.
 */
#ifndef CORE_HTTP_HTTP_H
#define CORE_HTTP_HTTP_H

#include <stdatomic.h>

#include <memories/memories.h>

struct http_client;

/* What stands behind identity "deployment": PEM texts, borrowed until http_client_free. */
struct http_identity {
    const char *ca_certificate;
    const char *certificate;
    const char *key;
};

struct http_client *http_client_new(memories_error **error);
void http_client_free(struct http_client *client);

/* The answers, allocated; free with http_responses_free. */
struct http_responses {
    struct memories_http_response *items;
    size_t count;
};

/* Sends all at once and waits until every one is answered, failed, or *cancel became non-zero (MEMORIES_CANCELLED).
 * identity: NULL unless a request asks for it. */
int http_send(struct http_client *client, const struct memories_http_request *const *requests, size_t count,
              const struct http_identity *identity, const atomic_int *cancel, struct http_responses *responses,
              memories_error **error);
void http_responses_free(struct http_responses *responses);

#endif
