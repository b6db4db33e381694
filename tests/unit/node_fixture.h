/* node_fixture.h - what the tests of the local node's supervisor share: nodes in a temporary directory */
#ifndef TESTS_NODE_FIXTURE_H
#define TESTS_NODE_FIXTURE_H

#include <check.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>

#include "plugins/providers/local/node/node_client.h"

/* Set up and torn down for each test by node_fixture_case. */
extern char *fixture_directory; /* the test's own, absolute */
extern char *fixture_program;   /* memories-node; MEMORIES_NODE_PROGRAM replaces it, by a wrapper for example */

/* A test case with the fixture; its tests may run for `seconds`. */
TCase *node_fixture_case(const char *name, double seconds);
/* Runs the suite; what main returns. */
int node_fixture_run(Suite *suite);
/* Ends a program whose tests can't run here: automake's "skipped". */
int node_fixture_skip(const char *reason);

/* Makes directory NAME below the fixture's with all that a node needs, and its node.json: `members` are JSON members,
 * with ' for ", that come behind the usual ones. The node is stopped at the test's end. */
const char *node_make(const char *name, const char *members, ...) __attribute__((format(printf, 2, 3)));

void node_must_start(const char *node);
void node_must_stop(const char *node);
/* The reason why it does not start. */
struct node_error node_must_not_start(const char *node);

/* The status, parsed; the test fails when there is none. */
json_object *status_of(const char *node);
/* A member of service number `index`, as text; "" for null. Valid until the next call. */
const char *service_member(const char *node, size_t index, const char *key);
pid_t supervisor_pid(const char *node);
pid_t service_pid(const char *node, size_t index);

/* The whole file below a node as text, "" if there is none; the caller's. */
char *read_below(const char *node, const char *path);
void write_below(const char *node, const char *path, const char *content);
bool exists_below(const char *node, const char *path);

bool process_lives(pid_t pid);
/* How many processes carry the node's mark in their environment. */
size_t count_marked(const char *node);
/* The first number that a service has written into a file below its node. */
pid_t pid_in(const char *node, const char *path);

/* The path of this program, which services the tests: when it is run as `PROGRAM burn MS`, main calls fixture_burn,
 * which uses MS milliseconds of processor time. */
const char *own_program(void);
int fixture_burn(const char *ms);

/* Waits until the condition holds; the test fails after a minute or more. */
#define wait_until(condition)                                                 \
    do {                                                                      \
        for (int waited_ = 0; !(condition); waited_++) {                      \
            ck_assert_msg(waited_ < 12000, "never came true: %s", #condition); \
            pause_ms(5);                                                      \
        }                                                                     \
    } while (0)
void pause_ms(int ms);
int64_t now_ms(void);

#endif
