/*
 * fake_cloud.h - a provider inside the test, whose objects live in shared memory
 *
 * What a killed process had made is therefore still there for the next one. The cloud itself holds the engine to its
 * rules: a node in a network that is not there is refused, so is deleting a network that has nodes, and a second object
 * for a key that has one is counted.
 *
 * Types: t.net {cidr (replaces), label} gives id, revision (counts updates); t.fw {network, revision}; t.node {network
 * (replaces), size}, which has power and is a node.
 */
#ifndef TESTS_UNIT_FAKE_CLOUD_H
#define TESTS_UNIT_FAKE_CLOUD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/loader/loader.h"

struct cloud_object {
    bool there;
    char key[32], type[16], token[48], id[48], network[48];
    char inputs[256];
    uint32_t state;
    int size, revision, polls_left;
};

enum fault_kind {
    FAULT_NONE,
    FAULT_REFUSE, /* nothing is done */
    FAULT_LOSE,   /* it is done, but the answer is the error */
    FAULT_WHOLE,  /* the slot as a whole fails, before anything is done */
    FAULT_IGNORE, /* nothing is done, and the answer is what is there */
    FAULT_BREAK,  /* it is done, but the object is broken */
    FAULT_HIDE,   /* the answer is that nothing is there */
};

/* What goes wrong in the next `times` operations of `slot` on keys that begin with `key` (NULL: on any). */
struct cloud_fault {
    enum fault_kind kind;
    const char *slot;
    const char *key;
    int times;
    int32_t code;
    uint32_t retry_after_ms;
};

#define CLOUD_OBJECTS 2048
#define CLOUD_FAULTS 4

struct cloud {
    pthread_mutex_t lock; /* robust: its holder may be killed */
    struct cloud_object objects[CLOUD_OBJECTS];
    int made;       /* objects ever made */
    int doubles;    /* objects made while the key had one */
    int polls;      /* how often a new or changed object is pending */
    char log[32768]; /* calls: slot, type, number of operations: "create t.net 1; create t.node 3; " */
    char tokens[4096]; /* "node/a#1:0123abcd " for each create of a node: key, attempt, beginning of the token */
    struct cloud_fault faults[CLOUD_FAULTS];
    void (*hook)(const char *slot, const char *key); /* called for each operation, before it is done */
    int step; /* for a test that is killed: how far it was */
};

extern struct cloud *cloud;

void cloud_open(void);
void cloud_close(void);
/* A plugin of this provider; batch_max and timeout_s are those of t.node. To cloud_plugin_free. */
struct plugin *cloud_plugin(int batch_max, int timeout_s, uint32_t thread_model);
void cloud_plugin_free(struct plugin *plugin);
void cloud_fault(enum fault_kind kind, const char *slot, const char *key, int times, int32_t code);
struct cloud_object *cloud_find(const char *key); /* NULL when it is not there */
size_t cloud_count(void);

#endif
