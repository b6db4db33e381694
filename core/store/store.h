/*
 * store.h - where deployments, resources, the journal and the audit trail live
 *
 * The files of this folder implement it on one SQLite file (0600, WAL, synchronous=FULL). Nothing outside knows that: a
 * shared store would be another implementation of this header.
 *
 * Several processes may use a store at once. Work on one deployment needs its lease; every write on behalf of that work
 * carries the lease's fencing number and fails with MEMORIES_BUSY once somebody else has taken the lease over.
 */
#ifndef CORE_STORE_STORE_H
#define CORE_STORE_STORE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include <memories/memories.h>

struct store;

/* Opens or creates DIRECTORY/memories.db. A file written by a newer memories is refused. Usable from several threads. */
struct store *store_open(const char *directory, memories_error **error);
void store_close(struct store *store);

/* ---- Deployments: a record is one JSON object ----
 * {"id", "name" or null, "topology", "provider", "status", "goal": "running"|"stopped"|"deleted",
 *  "created_at_ms", "updated_at_ms", "generation", "config", "spec", "choices", "resources" (as lowered), "result",
 *  "notes",
 *  "membership": nodes that came after the others, and those that are being replaced (core/api/release.c),
 *  "scaled": {"up_ms", "down_ms"}: when nodes were added and taken away last,
 *  "recovered": what is known of a deployment that was found without a record (core/api/recover.c), or null};
 * what is read has "leased" besides: whether a living process works on it */

/* Makes the record; MEMORIES_CONFLICT when the id or the name is taken. */
int store_deployment_insert(struct store *store, json_object *record, memories_error **error);
/* The same with its resources, which are there: all of it or nothing. */
int store_deployment_adopt(struct store *store, json_object *record, json_object *resources, memories_error **error);
/* By id, name or unambiguous beginning of an id. MEMORIES_NOT_FOUND, or MEMORIES_INVALID naming the candidates. */
json_object *store_deployment_find(struct store *store, const char *id, memories_error **error);
/* All, oldest first. Array; only id, name, topology, provider, status, goal, created_at_ms when `brief`. */
json_object *store_deployment_list(struct store *store, bool brief, memories_error **error);
/* Sets the members given in `changes`. */
int store_deployment_update(struct store *store, const char *id, int64_t fence, json_object *changes,
                            memories_error **error);
/* Removes the record with its resources and journal; the audit trail stays. */
int store_deployment_delete(struct store *store, const char *id, int64_t fence, memories_error **error);

/* ---- Leases ---- */

struct lease {
    char *deployment;
    int64_t fence; /* grows with every change of owner */
};
/* Takes the lease for `ttl_ms`. An owner on this machine that is dead (process and its start time are part of the
 * owner) is replaced at once, another one when its time has passed. MEMORIES_BUSY names the owner and since when. */
int store_lease_take(struct store *store, const char *deployment, int64_t ttl_ms, struct lease **lease,
                     memories_error **error);
int store_lease_renew(struct store *store, const struct lease *lease, int64_t ttl_ms, memories_error **error);
/* Gives it back and frees it. */
void store_lease_release(struct store *store, struct lease *lease);
/* The last change of the work that it was taken for, and that: whoever sees the change finds the lease free. */
int store_deployment_settle(struct store *store, struct lease *lease, json_object *changes, memories_error **error);

/* ---- Resources and journal ----
 * A resource: {"key", "type", "node" or null, "state": "planned"|"pending"|"ready"|"stopped"|"broken"|
 *  "lost" (recorded, but gone),
 *  "generation", "token", "inputs" (as the provider got them: outputs of others put in), "outputs", "depends_on",
 *  "doubt": operation whose result is not known, or null} */

/* Array, in the order they were made. */
json_object *store_resource_list(struct store *store, const char *deployment, memories_error **error);
/* {key: the last generation that was ever begun}: what is made again under a key must not get an old token. */
json_object *store_generation_map(struct store *store, const char *deployment, memories_error **error);

/* One intended operation. */
struct journal_entry {
    const char *key;
    const char *type;
    const char *node; /* NULL unless a node's */
    const char *operation; /* "create", "update", "delete", "stop", "start" */
    const char *token;
    uint32_t generation;
    uint32_t attempt;
    json_object *inputs; /* create and update: as the provider gets them; else NULL */
    json_object *depends_on; /* create and update: array of keys, for deleting in order */
    int64_t sequence; /* set by store_journal_intent */
};
/* Puts more of them on record, which are there. */
int store_resource_adopt(struct store *store, const char *deployment, int64_t fence, json_object *resources,
                         memories_error **error);

/* Writes all intents in one transaction, on disk when it returns; marks the resources in doubt (and records a created
 * one). */
int store_journal_intent(struct store *store, const char *deployment, int64_t fence, struct journal_entry *entries,
                         size_t count, memories_error **error);

struct journal_outcome {
    int64_t sequence;
    const char *key;
    const char *state; /* the resource's state now; "absent" removes its record; NULL: unknown, the record stays */
    json_object *outputs; /* NULL: as recorded */
    const memories_error *error; /* NULL: the operation ended well */
    bool keep_doubt; /* the operation is still going on (pending) or its result is unknown */
};
/* Writes all outcomes in one transaction, on disk when it returns. sequence 0: a refresh found this out; no journal
 * line. */
int store_journal_outcome(struct store *store, const char *deployment, int64_t fence,
                          const struct journal_outcome *outcomes, size_t count, memories_error **error);

/* The journal of a deployment, oldest first: array of {"sequence","key","operation","token","generation","attempt",
 * "state":"intent"|"done"|"failed","error","at_ms","finished_at_ms"}. */
json_object *store_journal_list(struct store *store, const char *deployment, memories_error **error);
/* Whether a creation was begun of which nobody has noted the end. */
int store_journal_is_cut_off(struct store *store, const char *deployment, bool *is_cut_off, memories_error **error);

/* ---- Audit trail ---- */
int store_audit_add(struct store *store, const char *deployment, const char *event, json_object *detail,
                    memories_error **error);
/* Array of {"at","event","actor","detail"}; also for a deployment that is gone (full id only). */
json_object *store_audit_list(struct store *store, const char *deployment, memories_error **error);

/* ---- Crash tests ----
 * Test builds (database.c compiled with -DMEMORIES_CRASH_POINTS, see tests/tests.mk) kill themselves with SIGKILL at the
 * point MEMORIES_CRASH_AT: odd points stand just before a commit, even ones just after it. */

#endif
