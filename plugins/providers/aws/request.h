/*
 * request.h - requests to AWS: put into words, signed, sent all at once, and the replies read
 *
 * One round trip, no retries: those are the core's. client.h has what the provider's slots use.
 */
#ifndef AWS_REQUEST_H
#define AWS_REQUEST_H

#include <json-c/json.h>
#include <stdbool.h>

#include "plugins/providers/aws/service.h"

struct aws_request {
    const struct aws_service *service;
    const char *action;
    json_object *parameters; /* as the wire has them: {"Filter": [{"Name": …}]}; borrowed; NULL: none */
};

struct aws_reply {
    json_object *document;              /* what stands in it, {} at least; owned; NULL when there was an error */
    const char *code;                   /* AWS's own code of the error; NULL when it named none */
    int64_t date_ms;                    /* the service's clock; 0: it did not tell */
    struct memories_error_detail error; /* code 0: none */
};

/* Who asks. */
struct aws_identity {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* or NULL */
};

struct aws_setting {
    const struct settings *settings;
    const char *region;
    int64_t clock_offset_ms;             /* what our clock lacks */
    const struct aws_identity *identity; /* NULL: nothing is signed */
};

/* Sends all, and returns when each reply has its document or its error. A code is returned, and the reason reported,
 * only when nothing could be sent. aws_replies_clear is due in any case. */
int32_t aws_exchange(struct memories_call *call, const struct aws_setting *setting, const struct aws_request *requests,
                     size_t count, struct aws_reply *replies);
void aws_replies_clear(struct aws_reply *replies, size_t count);

/* Whether the request may have done what it asks for: it has, or nobody knows. */
bool aws_reply_may_have_effect(const struct aws_reply *reply);

/* The error of a reply, with the place where it happened (a resource key, a config path). */
struct memories_error_detail aws_reply_error(struct memories_call *call, const struct aws_reply *reply,
                                             const char *where);

#endif
