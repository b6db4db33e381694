/*
 * credential_sources.h - the sources of credentials, each in a file of its own
 *
 * A source that is not configured leaves found->identity.access_key_id NULL and returns 0; one that is configured and
 * fails reports why.
 */
#ifndef AWS_CREDENTIAL_SOURCES_H
#define AWS_CREDENTIAL_SOURCES_H

#include "plugins/providers/aws/credentials.h"

struct credential_search {
    struct memories_call *call;
    const struct aws_setting *setting;
    const char *profile; /* whose settings count: a role's source profile is another one than that in force */
    bool from_program;   /* the profile was named: the environment is not asked */
};

/* credential_sts.c: `source` signs the request of an assumed role. */
int32_t credentials_from_role(const struct credential_search *search, const struct credentials *source,
                              struct credentials *found);
int32_t credentials_from_web_identity(const struct credential_search *search, struct credentials *found);

/* credential_sso.c, credential_process.c */
int32_t credentials_from_sso(const struct credential_search *search, struct credentials *found);
int32_t credentials_from_process(const struct credential_search *search, struct credentials *found);

/* credential_metadata.c */
int32_t credentials_from_container(const struct credential_search *search, struct credentials *found);
int32_t credentials_from_instance(const struct credential_search *search, struct credentials *found);

/* What the sources have in common. */
const char *credential_setting(const struct credential_search *search, const char *key);
/* {"AccessKeyId": …} under the names that a source uses, copied; false: one of the two keys is not there. */
struct credential_names {
    const char *access_key_id, *secret_access_key, *session_token, *expiration;
};
bool credentials_take(struct memories_call *call, json_object *document, const struct credential_names *names,
                      struct credentials *found);

#endif
