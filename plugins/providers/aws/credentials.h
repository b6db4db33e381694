/*
 * credentials.h - who we are to AWS: the chain of sources that the AWS CLI goes through, in its order
 *
 *   keys in the environment; a role that the profile assumes; web identity; SSO; the credentials file;
 * credential_process; keys in the config file; the container's credentials; the instance's (IMDSv2)
 *
 * The first that is configured counts: when it fails, that is the error.
 */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include "plugins/providers/aws/request.h"

/* In the call's memory. */
struct credentials {
    struct aws_identity identity; /* access_key_id NULL: none found */
    int64_t expires_ms;           /* 0: never, as far as is known */
    const char *source;           /* for people: "profile dev of ~/.aws/credentials" */
};

/* Failures are reported, also that no source has any (MEMORIES_DENIED). setting->identity is not used. */
int32_t credentials_find(struct memories_call *call, const struct aws_setting *setting, struct credentials *found);

#endif
