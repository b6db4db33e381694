/*
 * scene.h - what a case needs around the plugin, whatever its kind: for a provider a deployment (rehearsal.h), for a
 * topology a plan and the nodes that it would get
 */
#ifndef SDK_CHECK_SCENE_H
#define SDK_CHECK_SCENE_H

#include "sdk/check/rehearsal.h"

struct scene {
    struct check *check;        /* NULL before scene_begin */
    struct rehearsal rehearsal; /* of a provider */
    char *deployment;
    json_object *spec; /* of a topology: planned, addresses resolved */
};

/* Something else to ask for: a subject like check's own, but with another spec (of a provider) or configuration (of a
 * topology) for each number. Lives as long as the process; NULL when memory ran out. */
const struct check_subject *scene_other_subject(const struct check *check, unsigned number);

/* False after a report; scene_end is due in any case. */
bool scene_begin(struct scene *scene, struct check *check, const char *name);
bool scene_begin_again(struct scene *scene, struct check *check);
void scene_end(struct scene *scene);

/* The right request for a slot, as the core would send it now. NULL: out of memory, reported. */
json_object *scene_request(struct scene *scene, const char *slot);

/* For a topology: the request of converge and status, with every node in one state, or (NULL) each in another one; and
 * that of release, where the last node is to go. */
json_object *scene_nodes_request(struct scene *scene, const char *state);
json_object *scene_release_request(struct scene *scene, const char *state);

/* Plans or lowers for another deployment. False after a report. */
bool scene_ask_something_else(struct scene *scene);

/* For a provider, from create to destroy, with `meanwhile` (may be NULL) called while everything is there; for a
 * topology `meanwhile` only. */
typedef void scene_fn(struct check *check, struct scene *scene);
bool scene_live(struct scene *scene, scene_fn *meanwhile);
/* The same, leaving it there, while the host's memory fails at each place once; while it is asked to stop. */
bool scene_starve_life(struct scene *scene);
bool scene_cancel_life(struct scene *scene);

#endif
