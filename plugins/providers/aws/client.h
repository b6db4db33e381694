/*
 * client.h - how the provider's slots speak to AWS
 *
 * Over aws_exchange it has the credentials, which it renews before they expire, and what is put right at once and once:
 * a clock that goes wrong, and credentials that AWS says have expired. Any number of threads may use one client.
 */
#ifndef AWS_CLIENT_H
#define AWS_CLIENT_H

#include <pthread.h>

#include "plugins/providers/aws/credentials.h"

struct aws_client {
    pthread_mutex_t lock; /* guards all of it */
    char *profile;        /* that the configuration names, or NULL */
    bool loaded;
    struct settings settings;
    char *access_key_id; /* NULL: not looked for yet */
    char *secret_access_key;
    char *session_token;
    char *source;
    int64_t expires_ms;
    int64_t clock_offset_ms;
};

int aws_client_init(struct aws_client *client, const char *profile);
void aws_client_clear(struct aws_client *client);

/* The settings, read at the first call. NULL: reported. They stay the same for the life of the client. */
const struct settings *aws_client_settings(struct aws_client *client, struct memories_call *call);
/* Where the credentials in use come from; NULL: reported. In the call's memory. */
const char *aws_client_source(struct aws_client *client, struct memories_call *call, const char *region);

/* As aws_exchange. */
int32_t aws_send(struct aws_client *client, struct memories_call *call, const char *region,
                 const struct aws_request *requests, size_t count, struct aws_reply *replies);

/* A list that is read to its end, page by page. */
struct aws_list {
    const struct aws_service *service;
    const char *action;
    json_object *parameters;     /* owned; NULL: none */
    const char *member;          /* of the reply, that holds the list */
    const char *token_parameter; /* "NextToken" */
    const char *token_member;    /* "nextToken" */
    json_object *items;          /* out, owned: all of them; NULL when there was an error */
    size_t pages;                /* out: how many there were, which is how many calls it took */
    const char *code;            /* out, as in struct aws_reply */
    struct memories_error_detail error;
};

/* Reads all lists, each round of pages at once. aws_lists_clear is due in any case. */
int32_t aws_collect(struct aws_client *client, struct memories_call *call, const char *region, struct aws_list *lists,
                    size_t count);
void aws_lists_clear(struct aws_list *lists, size_t count);

#endif
