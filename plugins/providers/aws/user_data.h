/* user_data.h - what an instance is given to do at its first boot */
#ifndef AWS_USER_DATA_H
#define AWS_USER_DATA_H

#include <json-c/json.h>

#include <memories/plugin.h>

/* Under which name a second volume is attached. What the machine itself calls it depends on the machine. */
#define USER_DATA_DEVICE "/dev/sdf"

/* The bootstrap of a node's inputs with its secrets, as RunInstances takes it: base64 of at most 16,384 bytes,
 * compressed when it has to be; for one node, or for several alike in the order of their launch. In the call's memory.
 * Failures are reported. */
int32_t user_data_render(struct memories_call *call, json_object *inputs, const char *const *nodes, size_t count,
                         const char **data);

/* Whether it will be small enough, before there are secrets. Failures are reported. */
int32_t user_data_check(struct memories_call *call, json_object *inputs, const char *node);

/* Puts the secrets that an instance was given into {reference: text}: `data` is its user data as EC2 tells it. What
 * is none of ours has none. 0, or MEMORIES_NO_MEMORY. */
int user_data_secrets(struct memories_call *call, const char *data, json_object *inputs, json_object *secrets);

/* A fingerprint of what a node's inputs tell it to run, for the mark by which a change is seen. NULL: no memory. */
const char *user_data_fingerprint(struct memories_call *call, json_object *inputs);

#endif
