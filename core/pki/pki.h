/*
 * pki.h - the certificate authority of a deployment, and its secrets
 *
 * EC P-256. The authority, the client identity and the nodes' certificates are files below `directory` (0700, files
 * 0600): they never leave the operator's machine except for a node's own pair, and are never in the store.
 */
#ifndef CORE_PKI_PKI_H
#define CORE_PKI_PKI_H

#include <json-c/json.h>
#include <stdbool.h>

#include <memories/memories.h>

struct secrets;

/* Opens (does not create) the secrets kept in `directory`. */
struct secrets *secrets_open(const char *directory, const char *deployment, memories_error **error);
void secrets_free(struct secrets *secrets);

/* Makes what is missing: the CA, the client pair, and a pair for each holder: "node/NAME", or "group/NAME", which several
 * nodes share. holders[i] has the comma-separated addresses[i] (a group has none); a holder whose addresses changed gets
 * a new certificate with its old key. What exists and fits stays. Without the CA's key (below) nothing can be made:
 * MEMORIES_UNSUPPORTED names what is missing. */
int secrets_prepare(struct secrets *secrets, const char *const *holders, const char *const *addresses, size_t count,
                    memories_error **error);

/* For all nodes of a spec, and for the groups that the files of nodes name; addresses are those of choices.nodes. */
int secrets_prepare_for(struct secrets *secrets, json_object *spec, json_object *choices, memories_error **error);

/* The text behind "secret:node/node1/key" and its like (docs/documents.md); belongs to `secrets`, which caches it. Safe
 * from several threads. NULL and an error when there is none. */
const char *secrets_get(struct secrets *secrets, const char *reference, size_t *bytes, memories_error **error);

/* Keeps what was found elsewhere (recovery); what is kept already stays as it is. */
int secrets_put(struct secrets *secrets, const char *reference, const char *text, memories_error **error);

/* Whether the CA is known by its certificate alone: its key has been lost. */
bool secrets_lack_authority(const struct secrets *secrets);

/* Overwrites nothing, removes the directory. */
int secrets_remove(struct secrets *secrets, memories_error **error);

#endif
