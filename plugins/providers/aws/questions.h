/* questions.h - what the preflight asks AWS for, all of it at once */
#ifndef AWS_QUESTIONS_H
#define AWS_QUESTIONS_H

#include "plugins/providers/aws/aws.h"

enum question {
    ASK_CALLER, /* whose credentials these are */
    ASK_ZONES,
    ASK_TYPES,      /* those that are named */
    ASK_CANDIDATES, /* those with enough processors */
    ASK_OFFERS,     /* which of the named are sold in which zone */
    ASK_PARAMETERS, /* the images that Canonical recommends */
    ASK_IMAGE,      /* the one that is named */
    ASK_RUNNING,    /* what runs in the account and counts to its quotas */
    ASK_MARKS,      /* whether something has this deployment's id already */
    ASK_SUBNETS,    /* existing ones that are named, and */
    ASK_INTERFACES, /* which of their addresses are taken */
    ASK_GROUPS,
    ASK_QUOTA, /* the first; further ones follow */
    ASK_COUNT = ASK_QUOTA + 8
};

struct questions {
    struct aws_list lists[ASK_COUNT];
    bool asked[ASK_COUNT];
    const char *quotas[ASK_COUNT - ASK_QUOTA]; /* their codes */
    size_t quota_count;
};

/* Each adds a question with its parameters; 0, or MEMORIES_NO_MEMORY. */
int questions_add(struct questions *questions, enum question question, json_object *parameters);
/* Filters: {"Filter": [{"Name", "Value": [values]}]}; `values` is taken over. */
int questions_filter(json_object *parameters, const char *name, json_object *values);
/* Once a code, and as many as there is room for. */
int questions_add_quota(struct questions *questions, const char *code);

/* Asks what was added and has not been asked. A code is returned, and the reason reported, when nothing could be asked.
 */
int32_t questions_ask(struct questions *questions, struct aws *aws, struct memories_call *call, const char *region);
void questions_clear(struct questions *questions);

/* The answers. An error of a question is the caller's to judge: questions_error gives it, NULL when there is none. */
json_object *questions_items(const struct questions *questions, enum question question);
const struct aws_list *questions_error(const struct questions *questions, enum question question);

#endif
