/*
 * local_fixture.h - driving the local provider's slots for a test: deployments in a state directory of the test's own
 *
 * The test program itself is what the nodes run: `serve` listens and tells who it is, `connect` asks.
 */
#ifndef TESTS_UNIT_LOCAL_FIXTURE_H
#define TESTS_UNIT_LOCAL_FIXTURE_H

#include <check.h>
#include <json-c/json.h>
#include <stdbool.h>

#include "plugins/providers/local/local.h"
#include "tests/unit/fake_host.h"

/* main of a test begins with it: does what a node or a child of the test was started for and ends the process. */
void local_fixture_helper(int argc, char **argv);

extern char local_state_dir[64];  /* the test's own; set up and torn down by the checked fixture below */
extern const char *local_program; /* this program, absolute */
void local_fixture_set_up(void);
void local_fixture_tear_down(void);

/* One deployment under test. */
struct deployed {
    char id[64];
    void *instance;
    json_object *spec; /* addresses resolved */
    json_object *choices;
    json_object *notes;
    json_object *resources;
    uint32_t generation;
};

const struct memories_provider_ops *local_ops(void);

/* `config`: JSON with ' for ", may be NULL. */
void deployed_open(struct deployed *deployed, const char *id, const char *config);
/* prepare and lower, as the core does it; earlier choices are passed on. `spec`: JSON with ' for ". */
void deployed_plan(struct deployed *deployed, const char *spec);
/* prepare, which must fail so. The message is the caller's to look at until the next call. */
const struct memories_error_detail *deployed_must_not_plan(struct deployed *deployed, const char *spec, int32_t code);
void deployed_close(struct deployed *deployed);

/* Operations on all resources of a type; each must end in this state (CREATE and UPDATE are polled while pending).
 * FAILS: each must fail; the first one's error is left in deployed_error. */
enum slot { SLOT_CREATE, SLOT_READ, SLOT_UPDATE, SLOT_DESTROY, SLOT_START, SLOT_STOP };
#define FAILS 100u
void deployed_batch(struct deployed *deployed, enum slot slot, const char *type, uint32_t expected);
extern struct memories_error_detail deployed_error;

/* Network and nodes. */
void deployed_create(struct deployed *deployed);
void deployed_destroy(struct deployed *deployed);

/* An output of a node as read gives it now; "" for null. Valid until the next call. */
const char *deployed_output(struct deployed *deployed, const char *node, const char *name);
/* The node's directory, or a file in it. Valid until the next call. */
const char *deployed_path(const struct deployed *deployed, const char *node, const char *file);

/* Runs a document slot; the parsed result is the caller's. */
typedef int32_t instance_slot(void *instance, struct memories_call *call, const char *request);
json_object *deployed_call(struct deployed *deployed, instance_slot *slot, const char *request);

/* The spec of `count` nodes node1 … that serve `ports` ("8000, 9000") and have `rules`, JSON with ' for " or NULL. */
char *spec_of(size_t count, const char *ports, const char *network);

/* Who answers at address:port, from network namespace `space` (NULL: here); "" when refused, NULL when nothing comes
 * back at all. */
const char *ask(const char *space, const char *address, int port);

/* Replaces ' by "; the caller's. */
char *quoted(const char *text);
char *read_whole(const char *path);
bool file_exists(const char *path);
/* Everything below the state directory that is not a directory of the test itself; 0 after everything is destroyed. */
size_t count_left_files(void);
/* Processes whose environment names the state directory as their node's. */
size_t count_left_processes(void);

#define wait_until(condition)                                                  \
    do {                                                                       \
        for (int waited_ = 0; !(condition); waited_++) {                       \
            ck_assert_msg(waited_ < 12000, "never came true: %s", #condition);  \
            pause_ms(5);                                                       \
        }                                                                      \
    } while (0)
void pause_ms(int ms);

#endif
