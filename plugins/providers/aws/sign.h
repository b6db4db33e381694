/*
 * sign.h - AWS Signature Version 4 (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html)
 *
 * Pure: what is signed, when, and with what is all given. Texts are in the call's memory; NULL when there is none.
 */
#ifndef AWS_SIGN_H
#define AWS_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memories/plugin.h>

/* "20150830T123600Z" */
#define SIGN_TIMESTAMP_BYTES 17
void sign_timestamp(int64_t time_ms, char timestamp[SIGN_TIMESTAMP_BYTES]);

struct sign_scope {
    const char *timestamp;
    const char *region;
    const char *service;
};

struct sign_request {
    const char *method;
    const char *path;
    const char *query; /* without the question mark, as sent; "" for none */
    /* "Name: value", ended by NULL: all of them are signed, so only those that arrive as they are sent. */
    const char *const *headers;
    const char *body;
    size_t body_bytes;
    bool keep_path; /* the path is taken as it is: no dot segments and double slashes are resolved */
};

/* *signed_headers: "host;x-amz-date" */
const char *sign_canonical_request(struct memories_call *call, const struct sign_request *request,
                                   const char **signed_headers);
const char *sign_string_to_sign(struct memories_call *call, const struct sign_scope *scope,
                                const char *canonical_request);
const char *sign_signature(struct memories_call *call, const struct sign_scope *scope, const char *secret_access_key,
                           const char *string_to_sign);

/* The value of the header Authorization. */
const char *sign_authorization(struct memories_call *call, const struct sign_scope *scope, const char *access_key_id,
                               const char *secret_access_key, const struct sign_request *request);

/* "AKID/20150830/us-east-1/ec2/aws4_request" */
const char *sign_credential(struct memories_call *call, const struct sign_scope *scope, const char *access_key_id);

#endif
