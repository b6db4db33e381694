/*
 * rehearsal.h - a deployment on the provider that is checked: planned and lowered as the core does, then made, looked
 * at and removed by cases, step by step
 *
 * Functions that return bool have reported what went wrong when they return false. What was made is removed by
 * rehearsal_end, whatever happened before.
 */
#ifndef SDK_CHECK_REHEARSAL_H
#define SDK_CHECK_REHEARSAL_H

#include "sdk/check/check.h"

struct object {
    const char *key; /* strings belong to the resources */
    const char *type;
    const char *node;
    json_object *lowered; /* its inputs as lowered */
    size_t level;         /* 0: depends on nothing */
    bool is_node;
    bool power;
    char token[41];
    uint32_t generation;
    uint32_t tries; /* of create */
    bool is_making; /* create or update was asked for last */
    bool power_on;  /* as last asked for */
    uint32_t state;
    uint32_t poll_after_ms;
    json_object *inputs;  /* with references resolved, as last given; NULL: not yet */
    json_object *outputs; /* recorded ones, or NULL */
};

struct rehearsal {
    struct check *check;
    char *deployment;
    void *instance;
    bool is_open;
    bool made;         /* something may be there */
    json_object *spec; /* addresses resolved */
    json_object *choices;
    json_object *resources;
    struct object *objects;
    size_t count;
    size_t levels;
    bool power_on;    /* what create is asked for */
    bool every_twice; /* create sends each batch twice, as if the first answer had been lost */
    struct secrets *secrets;
};

/* Opens an instance for a deployment of this name (made unique), prepares and lowers. */
bool rehearsal_begin(struct rehearsal *rehearsal, struct check *check, const char *name);
/* Removes what is there, and closes. */
void rehearsal_end(struct rehearsal *rehearsal);

/* Another instance for the same deployment, as another process would have one. */
bool rehearsal_reopen(struct rehearsal *rehearsal);

/* One batch slot for objects [first, first + count) of `objects`, which have one type; answers are taken over into the
 * objects when `record` is set, and are given in *answers (count, to be cleared by operation_answer_clear) when that is
 * not NULL. `known`: outputs are passed, else only key and token. */
struct batch_request {
    const char *slot;  /* "create" */
    const char *token; /* instead of the objects' own; NULL: their own */
    bool known;
    bool under_way; /* read: of what was begun, whose inputs (in create and update) and wanted power state come again */
    bool record;
    bool power_on;
};
bool rehearsal_batch(struct rehearsal *rehearsal, const struct batch_request *request, struct object *const *objects,
                     size_t count, struct operation_answer *answers);

/* The largest batch of objects of one level and type that have not been taken; marks them. taken: count booleans;
 * objects: room for count. Returns how many. */
size_t rehearsal_gather(struct rehearsal *rehearsal, size_t level, bool *taken, struct object **objects);

/* The slot for all objects, level by level (upwards, or with `down` downwards), in batches of one type. */
bool rehearsal_all(struct rehearsal *rehearsal, const struct batch_request *request, bool down);

/* Makes all of it, waiting until each level is there. */
bool rehearsal_create(struct rehearsal *rehearsal);
/* Reads until nothing is pending; false also when that takes longer than the types allow. */
bool rehearsal_wait(struct rehearsal *rehearsal);
bool rehearsal_destroy(struct rehearsal *rehearsal);

/* Whether every object (with nodes_only: that can be switched) is in a state; reports those that aren't, as found by
 * `slot`. */
bool rehearsal_expect(struct rehearsal *rehearsal, const char *slot, uint32_t state, bool nodes_only);
const char *state_name(uint32_t state);

/* What discover finds of this deployment, and read of what it does not; {key: resource} with its number in *count. NULL: no
 * such slot, or reported. */
json_object *rehearsal_discover(struct rehearsal *rehearsal, const char *deployment, size_t *count);

/* Requests about it. New references. */
json_object *rehearsal_lower_request(struct rehearsal *rehearsal);
json_object *rehearsal_prepare_request(struct rehearsal *rehearsal, json_object *choices);
json_object *rehearsal_resources(struct rehearsal *rehearsal); /* as metrics and logs get them */

#endif
