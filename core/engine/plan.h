/*
 * plan.h - what must be done so that actual equals desired; pure
 *
 * Resources, states and operations are as in store.h and docs/documents.md. What follows from what:
 *
 *   not recorded, or recorded but never finished ("planned")    create
 *   recorded but gone ("lost")                                  create, a new generation
 *   there, but "broken"; an input of replace_on changed; the
 *   type changed; no update slot                                delete, then create, a new generation
 *   another input changed; an update of unknown result          update
 *   an input takes an output of a resource that is made anew    as if that input had changed
 *   an input takes an output that is not what it was            as if that input had changed
 *   switched on or off against the goal                         stop or start
 *   recorded, not wanted                                        delete
 *
 * A resource is created, updated and started after what it depends on, and stopped and deleted before it. A record holds
 * inputs as the provider got them, with outputs put in, so that a change is seen even when an earlier run ended between
 * the two resources.
 */
#ifndef CORE_ENGINE_PLAN_H
#define CORE_ENGINE_PLAN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include <memories/memories.h>

enum operation_kind { OPERATION_CREATE, OPERATION_UPDATE, OPERATION_DELETE, OPERATION_STOP, OPERATION_START };
const char *operation_name(enum operation_kind kind);

struct plan_operation {
    enum operation_kind kind;
    const char *key; /* strings belong to the plan */
    const char *type;
    const char *node;
    const char *reason; /* "is not there", "cidr changed", … */
    json_object *inputs; /* as lowered */
    json_object *depends_on_keys; /* create and update: all that it depends on */
    json_object *outputs; /* recorded ones, or NULL */
    json_object *made_of; /* delete: the inputs on record */
    const char *token;    /* recorded one of this generation, or NULL */
    uint32_t generation;
    bool remakes; /* create: there was one that had been finished, and it is lost or is destroyed for this */
    uint32_t unit; /* running nodes that change are taken in turns: 1, 2, … for each such node; 0: no need to */
    size_t *successors; /* operations that wait for this one */
    size_t successor_count;
    size_t wait_count; /* operations this one waits for */
};

struct plan {
    struct plan_operation *operations;
    size_t count;
    uint32_t unit_count;
    json_object *kept; /* references that the strings above point into */
};

struct plan_request {
    json_object *desired;        /* array of lowered resources; empty or NULL: nothing is wanted */
    json_object *recorded;       /* array of store resources, states as refreshed */
    json_object *generations;    /* {key: the last generation that was made}, or NULL */
    uint32_t generation_floor;   /* of a recovered deployment: generations up to this one may have been made */
    json_object *resource_types; /* of the provider's description */
    bool stopped;                /* types with power are wanted switched off */
    bool can_update;             /* the provider has an update slot */
};

/* MEMORIES_INVALID for a cycle, a duplicate key or a dependency on nothing; MEMORIES_UNSUPPORTED when the changes can't be
 * made in one go. O(resources + dependencies). */
struct plan *plan_make(const struct plan_request *request, memories_error **error);
void plan_free(struct plan *plan);

/* [{"operation","key","type","node","reason","depends_on"}], in an order that can be executed. New reference. */
json_object *plan_json(const struct plan *plan);

/* Whether lowered resources are a graph that can be made: known types, keys once, dependencies that are there, no circle. */
int graph_check(json_object *resources, json_object *resource_types, memories_error **error);

#endif
