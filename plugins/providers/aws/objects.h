/*
 * objects.h - how objects of AWS are made, looked at, changed and removed: what all kinds have in common
 *
 * A kind is a row of kinds.h. Those whose creating request takes a client token are safe to ask for twice. Of the
 * others, a request without an answer may have made one: before the next try it is looked for by its marks, for as long
 * as AWS may need to show it.
 */
#ifndef AWS_OBJECTS_H
#define AWS_OBJECTS_H

#include "plugins/common/plugin.h"
#include "plugins/providers/aws/snapshot.h"

struct kind;

/* One operation of a batch. */
struct object {
    const struct memories_operation *operation;
    size_t index; /* in the batch */
    const struct kind *kind;
    json_object *inputs; /* owned; NULL: none given */
    json_object *outputs;
    bool answered;
};

struct objects {
    struct aws *aws;
    struct memories_call *call;
    struct object *items;
    size_t count;
    const char *region; /* of all of them */
    json_object *home;  /* borrowed from the first that has one */
};

/* What a look found. */
struct sight {
    uint32_t state;          /* MEMORIES_STATE_… */
    json_object *outputs;    /* owned; NULL: those on record hold */
    bool unfinished;         /* a creation of several requests was cut off: it is to be done again */
    uint32_t poll_ms;        /* when to look again; 0: in a second */
    const char *reason_code; /* AWS's, of an object that is shown to be gone */
    const char *reason;
};

struct kind {
    const char *type;
    const char *tag_type; /* of the marks in the creating request; NULL: it takes none, or in its own way */
    bool has_token;       /* the creating request takes a client token */
    enum snapshot_list list;
    const struct aws_service *service;
    const char *create;  /* actions; */
    const char *destroy; /* NULL: it goes with something else */
    /* The parameters of the creating request, without marks and token, and of the removing one. */
    int (*fill)(const struct objects *objects, const struct object *object, json_object *parameters);
    int (*fill_destroy)(const struct object *object, json_object *parameters);
    /* The outputs, out of the reply to the creating request (NULL: it has been there already). NULL: no memory. */
    json_object *(*made)(const struct object *object, json_object *reply);
    uint32_t made_state; /* READY, or PENDING: it takes its time */
    /* What the snapshot has of it. */
    void (*look)(const struct snapshot *snapshot, const struct object *object, struct sight *sight);
    /* The next step of a change that takes several, found due by a look; changes the sight. NULL: there are none. */
    int32_t (*advance)(struct objects *objects, struct object *object, struct sight *sight);
    /* In place of all that; NULL: the common way. */
    int32_t (*create_all)(struct objects *objects);
    int32_t (*destroy_all)(struct objects *objects);
    int32_t (*update_all)(struct objects *objects);
    int32_t (*power_all)(struct objects *objects);
};

/* kinds.c: NULL for a type that is none of ours. */
const struct kind *kind_of(const char *type);
const struct kind *const *kinds_all(size_t *count);

/* ---- Batches ---- */

/* Parses the operations. objects_clear is due in any case. */
int32_t objects_open(struct objects *objects, struct aws *aws, struct memories_call *call,
                     const struct memories_operation *const *operations, size_t count);
void objects_clear(struct objects *objects);

int32_t objects_create(struct objects *objects);
int32_t objects_read(struct objects *objects);
int32_t objects_update(struct objects *objects);
int32_t objects_destroy(struct objects *objects);
int32_t objects_power(struct objects *objects);

/* ---- For kinds with ways of their own ---- */

/* Answers; outputs are taken over, and get home and time of creation when they are new. */
void object_answer(const struct objects *objects, struct object *object, uint32_t state, json_object *outputs,
                   uint32_t poll_after_ms);
void object_fail(const struct objects *objects, struct object *object, const struct memories_error_detail *error);
void object_fail_with(const struct objects *objects, struct object *object, int32_t code, const char *hint,
                      const char *format, ...) PRINTF_LIKE(5, 6);

/* The first of inputs and outputs that has it. */
const char *object_text(const struct object *object, const char *member);

/* Puts what is to be marked: TagSpecification.N of EC2, or {"Key", "Value"} pairs into `tags`. */
int object_add_tag_specification(const struct objects *objects, const struct object *object, json_object *parameters,
                                 const char *resource_type);
int object_add_tags(const struct objects *objects, const struct object *object, json_object *tags, const char *key_name,
                    const char *value_name);
/* Whether these are the marks of this object; one without a token is any that has its key. */
bool object_is_marked(const struct object *object, json_object *tags);

/* A request about each object, and what is done with the reply. */
struct errand {
    /* False: nothing is asked about this one. A request without parameters: memory has run out. */
    bool (*compose)(struct objects *objects, struct object *object, void *user_data, struct aws_request *request);
    /* `code`: of the call so far; there is a reply only without one. */
    int32_t (*take)(struct objects *objects, struct object *object, void *user_data, int32_t code,
                    const struct aws_reply *reply);
};
/* Sends the requests about all that has not been answered together. */
int32_t objects_ask(struct objects *objects, const struct errand *errand, void *user_data);
/* Looks for those that are sought, if any are; take owns the sight's outputs. */
int32_t objects_look_for(struct objects *objects,
                         bool (*is_sought)(const struct objects *objects, const struct object *object),
                         void (*take)(struct objects *objects, struct object *object, struct sight *sight));

/* Sends a request for each of them, and answers READY where it succeeds. */
int32_t objects_change(struct objects *objects, const struct aws_service *service, const char *action,
                       int (*fill)(const struct objects *objects, const struct object *object,
                                   json_object *parameters));

/* Whether an earlier try may have made it: one of another process, or one that got no answer. */
bool object_is_in_doubt(const struct objects *objects, const struct object *object);
/* A try may have made it, or surely has not. */
void object_note_effect(const struct objects *objects, const struct object *object, bool may_be_made);
/* Before the first try: as long as nothing was sent, nothing is made. */
void operations_note_unsent(struct aws *aws, const struct memories_operation *const *operations, size_t count);
/* Something was refused for what may come of something done a moment ago: an id is not known yet, an address is not
 * free yet. For a minute that is tried again. */
void object_fail_unsettled(const struct objects *objects, struct object *object,
                           const struct memories_error_detail *error);
/* Of what is to be removed and was not found at the first try: as long as that may be because it was made a moment ago,
 * it fails for now, and this is true. */
bool object_may_be_hidden(const struct objects *objects, struct object *object);
/* Of what is not seen: as long as AWS may not show it yet, it fails for now, to be looked for again, and this is true.
 */
bool object_waits_for_doubt(const struct objects *objects, struct object *object);

/* Sees what is there of all of them. */
int32_t objects_snapshot(struct objects *objects, struct snapshot *snapshot);

#endif
