/*
 * session.h - one deployment being worked on or looked at
 *
 * A session holds the record, the plugins, an open provider instance and, while it works, the lease with a thread that
 * renews it. All work is session_realize: it makes what is there equal to the record's goal.
 */
#ifndef CORE_API_SESSION_H
#define CORE_API_SESSION_H

#include <pthread.h>

#include "core/api/blueprint.h"
#include "core/engine/engine.h"
#include "core/pki/pki.h"

struct session {
    memories_context *context;
    char *id;
    json_object *record; /* as in store.h; NULL until the deployment is recorded */
    const struct plugin *topology;
    const struct plugin *provider;
    void *instance;
    struct store *store;
    struct secrets *secrets;
    struct call_environment environment;
    struct lease *lease; /* NULL when only looking */
    struct engine engine;
    json_object *left_alone; /* as in engine.h; owned */
    bool refused_remake; /* a node would have had to be made anew that is lost or broken, and must not */
    const char *reason; /* for the topology: "deploy", "start", … */
    int64_t began_ms;
    /* the thread that renews the lease */
    pthread_t renewer;
    pthread_mutex_t renewer_lock;
    pthread_cond_t renewer_wake;
    bool renewing;
    bool stop_renewing;
    atomic_int lease_lost;
};

/* A session for a new deployment (record not there yet) or an existing one, found by id, name or beginning. */
struct session *session_new(memories_context *context, const char *id, const char *topology, const char *provider,
                            json_object *config, memories_error **error);
struct session *session_find(memories_context *context, const char *id, memories_error **error);
void session_free(struct session *session);

/* Takes the lease and reads the record again if it may have changed meanwhile. */
int session_lock(struct session *session, memories_error **error);

/* Sets members of the record, in the store and here. Takes `changes` over. */
int session_update(struct session *session, json_object *changes, memories_error **error);
/* Status and goal together. */
int session_set_goal(struct session *session, const char *goal, const char *status, memories_error **error);

void session_audit(struct session *session, const char *event, json_object *detail);
/* An event of this session. */
void session_say(struct session *session, uint32_t kind, const char *operation, const char *text);

/* Of a deployment that was recovered without its certificates: refuses what needs them. */
int session_refuse_lost_secrets(struct session *session, memories_error **error);
/* Certificates for all nodes of the recorded spec, made where missing. */
int session_prepare_secrets(struct session *session, memories_error **error);

/* Warnings of a blueprint, as events. */
void session_say_notes(struct session *session, json_object *notes);

/* ---- Steps of the work, for the files that share it ---- */

/* Waits until `ms` have passed or the call is cancelled; a cancellation is seen within 50 ms. */
void session_wait(struct session *session, int64_t ms);
/* A slot of the topology that is called until its answer is "done": see session_repeat. */
struct session_steps {
    const char *slot_name;
    document_slot *slot;
    json_object *request; /* gets "elapsed_ms", "waiting_for" and "waiting_ms" each time */
    const char *doing;    /* for the operator */
    const char *too_late; /* "did not work": what has not come to pass when the time is over */
    int (*on_answer)(json_object *answer, void *user_data, memories_error **error); /* each answer; may be NULL */
    void *user_data;
};
/* *final: the answer that was "done". New reference. */
int session_repeat(struct session *session, const struct session_steps *steps, json_object **final,
                   memories_error **error);
int session_run_engine(struct session *session, json_object *desired, bool stopped, memories_error **error);
/* release.c: refuses a plan that would make a node anew where `spec` says that nodes keep their data. */
int session_refuse_remakes(struct session *session, json_object *spec, const struct plan *plan, memories_error **error);
/* The same for the recorded spec: an engine's inspect. */
int session_inspect(const struct plan *plan, void *user_data, memories_error **error);
/* release.c: lets the nodes go that are not wanted any more or are to be replaced, and destroys them. */
int session_release(struct session *session, memories_error **error);
/* release.c: whether there are such nodes. */
int session_has_leaving(struct session *session, bool *has, memories_error **error);
/* release.c: asks the topology whether the recorded nodes that `spec` does not have, and those in `replaced` (array of
 * names, or NULL), can go, with force_new_cluster (or NULL) as memories_heal has it. Changes nothing. */
int session_release_check(struct session *session, json_object *spec, json_object *replaced,
                          const char *force_new_cluster, memories_error **error);

/* Makes what is there equal to the record's goal: running (converged), stopped or deleted (record gone; session->record
 * stays readable). wait: false returns before the topology has converged. */
int session_realize(struct session *session, bool wait, memories_error **error);

/* What `status`, `converge` and `release` of a topology get: nodes with their states out of `resources`. New reference. */
json_object *session_topology_request(struct session *session, const char *reason, json_object *resources,
                                      memories_error **error);

/* plan_text.c: what leads from the recorded resources (array, states as they are now; NULL: none) to the blueprint, as
 * memories_plan has it. New string. */
char *session_plan_text(struct session *session, const struct blueprint *blueprint, json_object *recorded,
                        memories_error **error);

/* recover.c: those of `desired` that are there although nobody has a record of them, see core/engine/adopt.h. */
json_object *session_adopt(struct session *session, json_object *desired, json_object *discovered,
                           memories_error **error);

/* The resources as they are now, read without a lease and without writing. */
json_object *session_observe(struct session *session, memories_error **error);

#endif
