/*
 * http_server.h - a small real server for tests of the HTTP client: plain or TLS, one thread a connection
 *
 * Paths: /hello answers "hello"; /echo the request's body; /headers its header fields; /large as many bytes as the query
 * says; /together when as many requests as the query says wait for it at the same time; /chunked in chunks; /empty 204; /reset closes in the middle of a body; /close before an
 * answer; /silent never answers.
 */
#ifndef TESTS_UNIT_HTTP_SERVER_H
#define TESTS_UNIT_HTTP_SERVER_H

struct http_server;

struct http_server_tls {
    const char *certificate; /* PEM */
    const char *key;
    const char *client_ca; /* NULL: clients need no certificate */
};

/* Listens on a free port of 127.0.0.1, or on a unix socket when `path` is not NULL; tls may be NULL. */
struct http_server *http_server_start(const struct http_server_tls *tls, const char *path);
int http_server_port(const struct http_server *server);
/* Connections accepted so far. */
int http_server_connections(const struct http_server *server);
/* Requests read so far. */
int http_server_requests(const struct http_server *server);
void http_server_stop(struct http_server *server);

#endif
