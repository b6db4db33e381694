/* answers.c - what memories-server answers: /healthz and /v1/info, as JSON, to GET and HEAD */
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include <memories/version.h>

#include "server/server.h"

/* {key: value}; value NULL: JSON null. NULL when memory ran out. */
static json_object *document_of(const char *key, const char *value)
{
    json_object *document = json_object_new_object();
    if (document)
        json_object_object_add(document, key, value ? json_object_new_string(value) : NULL);
    return document;
}

/* A server that can't write to its data directory is no good to anybody. */
static json_object *health(const struct server *server, unsigned *status)
{
    int usable = !server->data || access(server->data, R_OK | W_OK | X_OK) == 0;
    *status = usable ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    return document_of("status", usable ? "ok" : "data directory not writable");
}

static json_object *info(const struct server *server, unsigned *status)
{
    const struct {
        const char *key, *value;
    } texts[] = { { "node", server->node }, { "role", server->role }, { "version", MEMORIES_VERSION } };
    json_object *document = document_of("deployment", server->deployment);
    *status = MHD_HTTP_OK;
    for (size_t i = 0; document && i < sizeof texts / sizeof texts[0]; i++)
        json_object_object_add(document, texts[i].key, texts[i].value ? json_object_new_string(texts[i].value) : NULL);
    if (document)
        json_object_object_add(document, "uptime_s",
                               json_object_new_int64((server_monotonic_ms() - server->started_ms) / 1000));
    return document;
}

static json_object *route(const struct server *server, const char *url, unsigned *status)
{
    if (!strcmp(url, "/healthz"))
        return health(server, status);
    if (!strcmp(url, "/v1/info"))
        return info(server, status);
    *status = MHD_HTTP_NOT_FOUND;
    return document_of("error", "not found");
}

static enum MHD_Result send_document(struct MHD_Connection *connection, unsigned status, json_object *document)
{
    size_t length = 0;
    const char *text = document ? json_object_to_json_string_length(document, JSON_C_TO_STRING_PLAIN, &length) : NULL;
    struct MHD_Response *response =
        text ? MHD_create_response_from_buffer(length, (void *)text, MHD_RESPMEM_MUST_COPY) : NULL;
    json_object_put(document);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result server_answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *body, size_t *body_bytes, void **state)
{
    static int seen;
    unsigned status = MHD_HTTP_METHOD_NOT_ALLOWED;
    /* Nobody reads the body of such a request: the answer comes first, and the connection is closed behind it. */
    if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
        return send_document(connection, status, document_of("error", "method not allowed"));
    /* The first call only announces the request; then comes its body, if it has one, and then the answer is due. */
    if (*state != &seen || *body_bytes) {
        *state = &seen;
        *body_bytes = 0;
        return MHD_YES;
    }
    json_object *document = route(context, url, &status);
    return send_document(connection, status, document);
}
