/* http_server.c - a small real server for tests of the HTTP client */
#include "tests/unit/http_server.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024

struct http_server {
    int listener;
    int port;
    int stop[2]; /* a pipe: readable when the server is to end */
    SSL_CTX *tls;
    atomic_int connections;
    atomic_int requests;
    pthread_mutex_t together_lock; /* guards what follows */
    pthread_cond_t together_changed;
    int together; /* requests of that path so far */
    bool stopping;
    pthread_t acceptor;
    pthread_t threads[CONNECTIONS_MAX];
};

struct connection {
    struct http_server *server;
    int fd;
    SSL *ssl;
};

static ssize_t receive(struct connection *connection, char *bytes, size_t count)
{
    /* Data may wait inside OpenSSL. */
    if (!connection->ssl || !SSL_pending(connection->ssl)) {
        struct pollfd ready[] = { { connection->fd, POLLIN, 0 }, { connection->server->stop[0], POLLIN, 0 } };
        if (poll(ready, 2, -1) < 0 || ready[1].revents)
            return 0;
    }
    return connection->ssl ? SSL_read(connection->ssl, bytes, (int)count) : read(connection->fd, bytes, count);
}

static void transmit(struct connection *connection, const char *bytes, size_t count)
{
    while (count) {
        ssize_t sent = connection->ssl ? SSL_write(connection->ssl, bytes, (int)count)
                                       : send(connection->fd, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        count -= (size_t)sent;
    }
}

static void reply(struct connection *connection, const char *status, const char *body, size_t count)
{
    char head[256];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nX-Amzn-RequestId: id-1\r\n\r\n", status, count);
    transmit(connection, head, (size_t)length);
    transmit(connection, body, count);
}

/* The last one to come lets all of them go. */
static void reply_together(struct connection *connection, const char *query)
{
    struct http_server *server = connection->server;
    int wanted = atoi(query);
    pthread_mutex_lock(&server->together_lock);
    server->together++;
    pthread_cond_broadcast(&server->together_changed);
    while (server->together < wanted && !server->stopping)
        pthread_cond_wait(&server->together_changed, &server->together_lock);
    pthread_mutex_unlock(&server->together_lock);
    reply(connection, "200 OK", "together", 8);
}

static void send_text(struct connection *connection, const char *text)
{
    transmit(connection, text, strlen(text));
}

static void reply_large(struct connection *connection, const char *query)
{
    size_t count = strtoul(query, NULL, 10);
    char *body = malloc(count + 1);
    memset(body, 'x', count);
    reply(connection, "200 OK", body, count);
    free(body);
}

/* Answers one request; 0 when the connection is to be closed. */
static int answer(struct connection *connection, const char *head, const char *body, size_t count)
{
    char path[128] = "";
    sscanf(head, "%*s %127s", path);
    if (!strcmp(path, "/hello"))
        reply(connection, "200 OK", "hello", 5);
    else if (!strcmp(path, "/echo"))
        reply(connection, "200 OK", body, count);
    else if (!strcmp(path, "/headers"))
        reply(connection, "200 OK", head, strlen(head));
    else if (!strncmp(path, "/large?", 7))
        reply_large(connection, path + 7);
    else if (!strncmp(path, "/together?", 10))
        reply_together(connection, path + 10);
    else if (!strcmp(path, "/chunked"))
        send_text(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    else if (!strcmp(path, "/empty"))
        send_text(connection, "HTTP/1.1 204 No Content\r\n\r\n");
    else if (!strcmp(path, "/redirect"))
        send_text(connection, "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n");
    else if (!strcmp(path, "/reset")) {
        send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        return 0;
    } else if (!strcmp(path, "/close")) {
        return 0;
    } else if (!strcmp(path, "/silent")) {
        char byte;
        receive(connection, &byte, 1); /* until the other side or the test ends it */
        return 0;
    } else
        reply(connection, "404 Not Found", "", 0);
    return 1;
}

/* Reads requests one after the other from a kept connection. */
static void serve(struct connection *connection)
{
    static const size_t most = 1 << 20;
    char *buffer = malloc(most + 1);
    size_t have = 0;
    for (;;) {
        buffer[have] = '\0';
        char *end = strstr(buffer, "\r\n\r\n");
        char *length = end ? strcasestr(buffer, "\r\ncontent-length:") : NULL;
        size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
        if (end && have >= (size_t)(end + 4 - buffer) + body) {
            size_t used = (size_t)(end + 4 - buffer) + body;
            char *text = strndup(end + 4, body);
            *end = '\0';
            connection->server->requests++;
            int keep = answer(connection, buffer, text, body);
            free(text);
            if (!keep)
                break;
            memmove(buffer, buffer + used, have - used);
            have -= used;
            continue;
        }
        ssize_t got = receive(connection, buffer + have, most - have);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    free(buffer);
}

static void *handle(void *argument)
{
    struct connection *connection = argument;
    sigset_t pipe_signal; /* only this thread's: the client under test must do without */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    if (connection->server->tls) {
        connection->ssl = SSL_new(connection->server->tls);
        SSL_set_fd(connection->ssl, connection->fd);
    }
    if (!connection->ssl || SSL_accept(connection->ssl) == 1)
        serve(connection);
    if (connection->ssl) {
        SSL_shutdown(connection->ssl);
        SSL_free(connection->ssl);
        ERR_clear_error();
    }
    close(connection->fd);
    free(connection);
    return NULL;
}

static void *accept_all(void *argument)
{
    struct http_server *server = argument;
    for (;;) {
        struct pollfd ready[] = { { server->listener, POLLIN, 0 }, { server->stop[0], POLLIN, 0 } };
        if (poll(ready, 2, -1) < 0 || ready[1].revents || server->connections == CONNECTIONS_MAX)
            return NULL;
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            continue;
        struct connection *connection = calloc(1, sizeof *connection);
        *connection = (struct connection){ .server = server, .fd = fd };
        pthread_create(&server->threads[server->connections], NULL, handle, connection);
        server->connections++;
    }
}

static void *read_pem(const char *text, int is_key)
{
    BIO *memory = BIO_new_mem_buf(text, -1);
    void *object = is_key ? (void *)PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL)
                          : (void *)PEM_read_bio_X509(memory, NULL, NULL, NULL);
    BIO_free(memory);
    return object;
}

static SSL_CTX *make_tls(const struct http_server_tls *tls)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    X509 *certificate = read_pem(tls->certificate, 0);
    EVP_PKEY *key = read_pem(tls->key, 1);
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (tls->client_ca) {
        X509 *ca = read_pem(tls->client_ca, 0);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
        X509_free(ca);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

static void listen_somewhere(struct http_server *server, const char *path)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    socklen_t length = sizeof address;
    server->listener = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (path) {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", path);
        bind(server->listener, (struct sockaddr *)&local, sizeof local);
    } else {
        bind(server->listener, (struct sockaddr *)&address, sizeof address);
        getsockname(server->listener, (struct sockaddr *)&address, &length);
        server->port = ntohs(address.sin_port);
    }
    listen(server->listener, 512);
}

struct http_server *http_server_start(const struct http_server_tls *tls, const char *path)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (pipe(server->stop))
        abort();
    pthread_mutex_init(&server->together_lock, NULL);
    pthread_cond_init(&server->together_changed, NULL);
    server->tls = tls ? make_tls(tls) : NULL;
    listen_somewhere(server, path);
    pthread_create(&server->acceptor, NULL, accept_all, server);
    return server;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

int http_server_connections(const struct http_server *server)
{
    return server->connections;
}

int http_server_requests(const struct http_server *server)
{
    return server->requests;
}

void http_server_stop(struct http_server *server)
{
    if (write(server->stop[1], "", 1) != 1)
        abort();
    pthread_mutex_lock(&server->together_lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->together_changed);
    pthread_mutex_unlock(&server->together_lock);
    pthread_join(server->acceptor, NULL);
    for (int i = 0; i < server->connections; i++)
        pthread_join(server->threads[i], NULL);
    close(server->listener);
    close(server->stop[0]);
    close(server->stop[1]);
    SSL_CTX_free(server->tls);
    pthread_cond_destroy(&server->together_changed);
    pthread_mutex_destroy(&server->together_lock);
    free(server);
}
