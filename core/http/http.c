/*
 * http.c - one thread drives all transfers of a client
 *
 * Callers put their transfers into a queue and wait for their batch. The thread owns the curl multi handle and
 * everything that is under way, so that connections are shared and kept. It starts with the first request.
 */
#include "core/http/http.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/http/curl.h"

#define TIMEOUT_MS 30000
#define CONNECT_TIMEOUT_MS 10000
#define RESPONSE_MAX_BYTES (16u << 20)
#define HEADERS_MAX_BYTES (64u << 10)
/* Connections under way or kept at one time: enough for a poll of 1,000 nodes in a few rounds. */
#define CONNECTIONS_MAX 256
/* Cancellation may come from a signal handler, which wakes nobody. */
#define CANCEL_LOOK_MS 50

/* The transfers of one http_send; guarded by the client's lock. */
struct batch {
    size_t left;
    bool cancelled;
};

struct transfer {
    CURL *easy;
    struct batch *batch;
    struct memories_http_response *response;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    const struct memories_http_request *request; /* borrowed: its caller waits */
    size_t sent_bytes;                           /* of the request's body */
    struct text body;
    struct text header_lines; /* NUL-separated */
    size_t header_count;
    size_t max_bytes;
    bool too_large;
    long timeout_ms;
    char words[CURL_ERROR_SIZE];
    struct transfer *next, *previous; /* previous: in `active` only */
};

struct http_client {
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t completion;
    bool started;
    bool stopping;
    struct transfer *queued; /* new ones, guarded by the lock */
    struct transfer *active; /* the thread's own */
};

/* ---- Sending ---- */

static size_t on_send(char *buffer, size_t size, size_t count, void *user_data)
{
    struct transfer *transfer = user_data;
    size_t left = transfer->request->body_bytes - transfer->sent_bytes, room = size * count;
    size_t length = left < room ? left : room;
    memcpy(buffer, transfer->request->body + transfer->sent_bytes, length);
    transfer->sent_bytes += length;
    return length;
}

/* On a kept connection that ends without an answer, curl would send the request once more by itself. Whoever asks to
 * make something must hear instead that nobody knows whether it was made. */
static int on_send_again(void *user_data, curl_off_t offset, int origin)
{
    (void)user_data;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

/* ---- Receiving ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *user_data)
{
    struct transfer *transfer = user_data;
    size_t length = size * count;
    if (transfer->body.length + length > transfer->max_bytes) {
        transfer->too_large = true;
        return 0;
    }
    text_append_bytes(&transfer->body, bytes, length);
    return transfer->body.failed ? 0 : length;
}

/* Header fields of the last reply (an interim one, 1xx, is forgotten), names in lower case. */
static size_t on_header(char *bytes, size_t size, size_t count, void *user_data)
{
    struct transfer *transfer = user_data;
    size_t length = size * count, kept = length;
    if (length > 5 && !strncmp(bytes, "HTTP/", 5)) {
        text_clear(&transfer->header_lines);
        transfer->header_count = 0;
        return length;
    }
    while (kept && isspace((unsigned char)bytes[kept - 1]))
        kept--;
    const char *colon = memchr(bytes, ':', kept);
    if (!colon)
        return length;
    if (transfer->header_lines.length + kept + 1 > HEADERS_MAX_BYTES) {
        transfer->too_large = true;
        return 0;
    }
    size_t at = transfer->header_lines.length;
    text_append_bytes(&transfer->header_lines, bytes, kept);
    text_append_bytes(&transfer->header_lines, "", 1);
    if (transfer->header_lines.failed)
        return 0;
    for (size_t i = 0; i < (size_t)(colon - bytes); i++)
        transfer->header_lines.bytes[at + i] = (char)tolower((unsigned char)bytes[i]);
    transfer->header_count++;
    return length;
}

/* ---- Setting up ---- */

/* Addresses for which a proxy makes no sense: this machine, and the clouds' metadata services. */
static bool is_local_host(const char *url)
{
    CURLU *parsed = curl.url();
    char *host = NULL;
    bool local = false;
    if (parsed && !curl.url_set(parsed, CURLUPART_URL, url, 0) && !curl.url_get(parsed, CURLUPART_HOST, &host, 0))
        local = !strcasecmp(host, "localhost") || !strncmp(host, "127.", 4) || !strncmp(host, "169.254.", 8) ||
                !strcmp(host, "[::1]") || !strncasecmp(host, "[fe80:", 6) || !strcasecmp(host, "[fd00:ec2::254]");
    curl.free(host);
    curl.url_cleanup(parsed);
    return local;
}

/* "10.0.0.1", "10.0.0.1:2379", "fd00::1", "[fd00::1]:2379" -> "::HOST:PORT" as CURLOPT_CONNECT_TO wants it */
static char *connect_rule(const char *target)
{
    const char *first = strchr(target, ':'), *last = strrchr(target, ':');
    if (*target == '[')
        return text_format("::%s%s", target, strstr(target, "]:") ? "" : ":");
    if (first && first != last)
        return text_format("::[%s]:", target);
    return text_format("::%s%s", target, first ? "" : ":");
}

static void set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = { .data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY };
    curl.easy_setopt(easy, option, &blob);
}

static int set_identity(struct transfer *transfer, const struct memories_http_request *request,
                        const struct http_identity *identity, memories_error **error)
{
    CURL *easy = transfer->easy;
    if (!request->identity)
        return 0;
    if (strcmp(request->identity, "deployment") != 0 || !identity)
        return error_set(error, MEMORIES_INVALID, "there is no TLS identity \"%s\" here", request->identity);
    set_blob(easy, CURLOPT_CAINFO_BLOB, identity->ca_certificate);
    set_blob(easy, CURLOPT_SSLCERT_BLOB, identity->certificate);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, identity->key);
    curl.easy_setopt(easy, CURLOPT_CAPATH, NULL); /* only the deployment's own CA counts */
    return 0;
}

static void set_safety(CURL *easy)
{
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static int set_headers(struct transfer *transfer, const struct memories_http_request *request)
{
    /* curl would send "Expect: 100-continue" with large bodies, and wait a second where nobody answers it */
    transfer->headers = curl.slist_append(NULL, "Expect:");
    for (const char *const *header = request->headers; transfer->headers && header && *header; header++) {
        struct curl_slist *longer = curl.slist_append(transfer->headers, *header);
        if (!longer)
            return MEMORIES_NO_MEMORY;
        transfer->headers = longer;
    }
    if (!transfer->headers)
        return MEMORIES_NO_MEMORY;
    curl.easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    return 0;
}

static int set_target(struct transfer *transfer, const struct memories_http_request *request)
{
    CURL *easy = transfer->easy;
    curl.easy_setopt(easy, CURLOPT_URL, request->url);
    if (request->connect_to) {
        AUTO_FREE char *rule = connect_rule(request->connect_to);
        transfer->connect_to = rule ? curl.slist_append(NULL, rule) : NULL;
        if (!transfer->connect_to)
            return MEMORIES_NO_MEMORY;
        curl.easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
    }
    if (request->unix_socket)
        curl.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    if (request->connect_to || request->unix_socket || request->identity || is_local_host(request->url))
        curl.easy_setopt(easy, CURLOPT_PROXY, "");
    return 0;
}

static void set_body(struct transfer *transfer, const struct memories_http_request *request)
{
    CURL *easy = transfer->easy;
    const char *method = request->method ? request->method : "GET";
    if (request->body || !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH")) {
        curl.easy_setopt(easy, CURLOPT_POST, 1L);
        curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl.easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        curl.easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_send_again);
        /* Without a body nothing has to be sought, and only a new connection keeps curl from sending it twice. */
        curl.easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->body_bytes ? 0L : 1L);
    }
    if (!strcmp(method, "HEAD"))
        curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static int set_up(struct transfer *transfer, const struct memories_http_request *request,
                  const struct http_identity *identity, memories_error **error)
{
    CURL *easy = transfer->easy = curl.easy_init();
    transfer->request = request;
    if (!easy || set_headers(transfer, request) || set_target(transfer, request))
        return error_no_memory(error);
    set_safety(easy);
    set_body(transfer, request);
    long timeout = transfer->timeout_ms = request->timeout_ms ? (long)request->timeout_ms : TIMEOUT_MS;
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout);
    curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout < CONNECT_TIMEOUT_MS ? timeout : CONNECT_TIMEOUT_MS);
    /* One connection carries all requests to a host that speaks HTTP/2, which shows with TLS only: without it, requests
     * that wait for that would wait for the first one's answer. */
    curl.easy_setopt(easy, CURLOPT_PIPEWAIT, strncmp(request->url, "https:", 6) ? 0L : 1L);
    curl.easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl.easy_setopt(easy, CURLOPT_USERAGENT, "memories/" PACKAGE_VERSION);
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl.easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    transfer->max_bytes = request->max_response_bytes ? request->max_response_bytes : RESPONSE_MAX_BYTES;
    return set_identity(transfer, request, identity, error);
}

static void transfer_clear(struct transfer *transfer)
{
    curl.easy_cleanup(transfer->easy);
    curl.slist_free_all(transfer->headers);
    curl.slist_free_all(transfer->connect_to);
    text_clear(&transfer->body);
    text_clear(&transfer->header_lines);
}

/* ---- Answering ---- */

static int32_t code_of(const struct transfer *transfer, CURLcode result)
{
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return MEMORIES_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CACERT_BADFILE:
        return MEMORIES_DENIED;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        /* With TLS 1.3 a server refuses a client's certificate only after the handshake (RFC 8446, 4.4.2.4). */
        return strstr(transfer->words, "alert") ? MEMORIES_DENIED : MEMORIES_TRANSIENT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return MEMORIES_INVALID;
    case CURLE_OUT_OF_MEMORY:
        return MEMORIES_NO_MEMORY;
    case CURLE_WRITE_ERROR:
        return transfer->too_large ? MEMORIES_FAILED : MEMORIES_NO_MEMORY;
    default:
        return MEMORIES_TRANSIENT;
    }
}

static const char *const *header_array(struct transfer *transfer)
{
    char **headers = calloc(transfer->header_count + 1, sizeof *headers);
    const char *at = transfer->header_lines.bytes;
    for (size_t i = 0; headers && i < transfer->header_count; i++) {
        headers[i] = strdup(at);
        at += strlen(at) + 1;
    }
    return (const char *const *)headers;
}

static const char *find_request_id(const char *const *headers)
{
    static const char *const names[] = { "x-amzn-requestid:", "x-amz-request-id:", "x-ms-request-id:",
                                         "x-ms-correlation-request-id:", "x-goog-request-id:" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        for (const char *const *header = headers; header && *header; header++)
            if (!strncmp(*header, names[i], strlen(names[i])))
                return *header + strlen(names[i]) + strspn(*header + strlen(names[i]), " ");
    return NULL;
}

/* curl's own words have the time that has passed in them, or tell of a name that it did not get round to looking up. */
static void tell_timeout(struct transfer *transfer)
{
    curl_off_t connected_us = 0;
    curl.easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    long connect_ms = transfer->timeout_ms < CONNECT_TIMEOUT_MS ? transfer->timeout_ms : CONNECT_TIMEOUT_MS;
    snprintf(transfer->words, sizeof transfer->words, "no %s within %ld ms", connected_us ? "answer" : "connection",
             connected_us ? transfer->timeout_ms : connect_ms);
}

/* "Failed to connect to HOST port 1 after 3 ms: …": with a time in it the same failure would be news each time. */
static void leave_out_time(char *words)
{
    char *after = strstr(words, " after ");
    char *digits = after ? after + strlen(" after ") : NULL;
    size_t length = digits ? strspn(digits, "0123456789") : 0;
    if (length && !strncmp(digits + length, " ms:", 4))
        memmove(after, digits + length + 3, strlen(digits + length + 3) + 1);
}

static void fill_failure(struct transfer *transfer, CURLcode result)
{
    struct memories_http_response *response = transfer->response;
    response->error_code = code_of(transfer, result);
    if (result == CURLE_OPERATION_TIMEDOUT)
        tell_timeout(transfer);
    else
        leave_out_time(transfer->words);
    const char *words = transfer->too_large                ? "the reply is larger than allowed"
                        : result == CURLE_SEND_FAIL_REWIND ? "the connection was closed before an answer came"
                        : *transfer->words                 ? transfer->words
                                                           : curl.easy_strerror(result);
    response->error = strdup(words);
}

static void fill_answer(struct transfer *transfer)
{
    struct memories_http_response *response = transfer->response;
    long status = 0;
    curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int32_t)status;
    response->body_bytes = (uint32_t)transfer->body.length;
    response->body = text_take(&transfer->body);
    response->headers = header_array(transfer);
    response->request_id = find_request_id(response->headers);
}

/* ---- The thread ---- */

static void activate(struct http_client *client, struct transfer *transfer)
{
    transfer->previous = NULL;
    transfer->next = client->active;
    if (client->active)
        client->active->previous = transfer;
    client->active = transfer;
}

static void deactivate(struct http_client *client, struct transfer *transfer)
{
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        client->active = transfer->next;
}

/* Takes a transfer out of curl's hands and tells its caller, who may free it at once. */
static void finish(struct http_client *client, struct transfer *transfer, CURLcode result, bool cancelled)
{
    deactivate(client, transfer);
    if (cancelled) {
        transfer->response->error_code = MEMORIES_CANCELLED;
        transfer->response->error = strdup("cancelled");
    } else if (result == CURLE_OK)
        fill_answer(transfer);
    else
        fill_failure(transfer, result);
    curl.multi_remove_handle(client->multi, transfer->easy);
    pthread_mutex_lock(&client->lock);
    if (--transfer->batch->left == 0)
        pthread_cond_broadcast(&client->completion);
    pthread_mutex_unlock(&client->lock);
}

static void finish_completed(struct http_client *client)
{
    int left;
    for (CURLMsg *message; (message = curl.multi_info_read(client->multi, &left));) {
        char *private = NULL;
        if (message->msg == CURLMSG_DONE && !curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private))
            finish(client, (struct transfer *)(void *)private, message->data.result, false);
    }
}

static void finish_cancelled(struct http_client *client)
{
    for (struct transfer *transfer = client->active, *next; transfer; transfer = next) {
        next = transfer->next;
        pthread_mutex_lock(&client->lock);
        bool cancelled = transfer->batch->cancelled || client->stopping;
        pthread_mutex_unlock(&client->lock);
        if (cancelled)
            finish(client, transfer, CURLE_OK, true);
    }
}

static void take_queued(struct http_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct transfer *queued = client->queued;
    client->queued = NULL;
    pthread_mutex_unlock(&client->lock);
    while (queued) {
        struct transfer *transfer = queued;
        queued = transfer->next;
        activate(client, transfer);
        if (curl.multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
            finish(client, transfer, CURLE_OUT_OF_MEMORY, false);
    }
}

static bool is_stopping(struct http_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool stopping = client->stopping;
    pthread_mutex_unlock(&client->lock);
    return stopping;
}

static void *drive(void *argument)
{
    struct http_client *client = argument;
    /* Signals are the program's own. SIGPIPE above all: OpenSSL writes to sockets that the other side has closed, and
     * curl leaves the signal to us (CURLOPT_NOSIGNAL). */
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!is_stopping(client)) {
        int running = 0;
        take_queued(client);
        finish_cancelled(client);
        curl.multi_perform(client->multi, &running);
        finish_completed(client);
        curl.multi_poll(client->multi, NULL, 0, 60000, NULL);
    }
    take_queued(client);
    finish_cancelled(client);
    return NULL;
}

/* ---- The client ---- */

struct http_client *http_client_new(memories_error **error)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (!client) {
        error_no_memory(error);
        return NULL;
    }
    pthread_mutex_init(&client->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->completion, &attributes);
    pthread_condattr_destroy(&attributes);
    return client;
}

static int start(struct http_client *client, memories_error **error)
{
    int failed = curl_load(error);
    if (failed)
        return failed;
    pthread_mutex_lock(&client->lock);
    if (!client->started) {
        client->multi = curl.multi_init();
        if (client->multi) {
            curl.multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
            curl.multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
        }
        client->started = client->multi && pthread_create(&client->thread, NULL, drive, client) == 0;
        failed = client->started ? 0 : error_no_memory(error);
    }
    pthread_mutex_unlock(&client->lock);
    return failed;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    if (client->started) {
        pthread_mutex_lock(&client->lock);
        client->stopping = true;
        pthread_mutex_unlock(&client->lock);
        curl.multi_wakeup(client->multi);
        pthread_join(client->thread, NULL);
    }
    if (client->multi)
        curl.multi_cleanup(client->multi);
    pthread_cond_destroy(&client->completion);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

static void queue_all(struct http_client *client, struct transfer *transfers, size_t count)
{
    pthread_mutex_lock(&client->lock);
    for (size_t i = 0; i < count; i++) {
        transfers[i].next = client->queued;
        client->queued = &transfers[i];
    }
    pthread_mutex_unlock(&client->lock);
    curl.multi_wakeup(client->multi);
}

static bool wait_for(struct http_client *client, struct batch *batch, const atomic_int *cancel)
{
    pthread_mutex_lock(&client->lock);
    while (batch->left) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += CANCEL_LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&client->completion, &client->lock, &until);
        if (!batch->cancelled && cancel && atomic_load(cancel)) {
            batch->cancelled = true;
            curl.multi_wakeup(client->multi);
        }
    }
    bool cancelled = batch->cancelled;
    pthread_mutex_unlock(&client->lock);
    return cancelled;
}

int http_send(struct http_client *client, const struct memories_http_request *const *requests, size_t count,
              const struct http_identity *identity, const atomic_int *cancel, struct http_responses *responses,
              memories_error **error)
{
    *responses = (struct http_responses){ 0 };
    int failed = start(client, error);
    if (failed)
        return failed;
    struct batch batch = { .left = count };
    struct transfer *transfers = calloc(count + 1, sizeof *transfers);
    responses->items = calloc(count + 1, sizeof *responses->items);
    responses->count = count;
    failed = transfers && responses->items ? 0 : error_no_memory(error);
    for (size_t i = 0; !failed && i < count; i++) {
        responses->items[i].size = sizeof responses->items[i];
        transfers[i].batch = &batch;
        transfers[i].response = &responses->items[i];
        failed = set_up(&transfers[i], requests[i], identity, error);
    }
    if (!failed) {
        queue_all(client, transfers, count);
        if (wait_for(client, &batch, cancel))
            failed = error_set(error, MEMORIES_CANCELLED, "stopped on request");
    }
    for (size_t i = 0; transfers && i < count; i++)
        transfer_clear(&transfers[i]);
    free(transfers);
    if (failed)
        http_responses_free(responses);
    return failed;
}

void http_responses_free(struct http_responses *responses)
{
    for (size_t i = 0; responses->items && i < responses->count; i++) {
        struct memories_http_response *response = &responses->items[i];
        for (const char *const *header = response->headers; header && *header; header++)
            free((void *)(uintptr_t)*header);
        free((void *)(uintptr_t)response->headers);
        free((void *)(uintptr_t)response->body);
        free((void *)(uintptr_t)response->error);
    }
    free(responses->items);
    *responses = (struct http_responses){ 0 };
}
