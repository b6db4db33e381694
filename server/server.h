/*
 * server.h - the parts of memories-server
 *
 * memories-server.c reads the options, listens, and waits for the signal to end; answers.c is what it answers.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <microhttpd.h>
#include <stdint.h>

struct server {
    const char *deployment; /* NULL where unknown */
    const char *node;
    const char *role;
    const char *data;   /* the data directory, or NULL */
    int64_t started_ms; /* of the monotonic clock */
};

int64_t server_monotonic_ms(void);

/* answers.c: libmicrohttpd's access handler; `context` is the struct server, which no request changes. */
enum MHD_Result server_answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *body, size_t *body_bytes, void **state);

#endif
