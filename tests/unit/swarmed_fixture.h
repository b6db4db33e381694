/*
 * swarmed_fixture.h - driving the swarmed topology's slots against the engines of fake_swarm.h
 *
 * The spec comes from the topology's own plan. Engines that it does not have (any more) stand in the requests as nodes
 * without a role, as the core gives them.
 */
#ifndef TESTS_UNIT_SWARMED_FIXTURE_H
#define TESTS_UNIT_SWARMED_FIXTURE_H

#include "tests/unit/fake_swarm.h"

/* A checked fixture: the plugin, a directory for archives with memories-server in it. */
void swarmed_set_up(void);
void swarmed_tear_down(void);

/* The engines, and the spec of a configuration with these numbers in it. `config`: JSON with ' for ", without braces;
 * "" for none. */
void swarmed_open(size_t managers, size_t workers, const char *config);
/* Another spec for the engines that are there. */
void swarmed_plan(size_t managers, size_t workers, const char *config);
/* The same, formed, its services running, with an empty log. */
void swarmed_open_formed(size_t managers, size_t workers, const char *config);

/* For the requests from now on: a machine's state (default "ready"), members of the request's own (JSON with ' for "). What
 * was waited for last, the requests know; swarmed_waiting_ms is for how long. */
void swarmed_set_state(const char *name, const char *state);
void swarmed_set_request(const char *members);
extern int swarmed_elapsed_ms, swarmed_waiting_ms;
extern const char *swarmed_reason;

typedef int32_t swarmed_slot(struct memories_call *call, const char *request);
extern const struct memories_topology_ops *swarmed;
/* Its text; valid until the next call. */
const char *swarmed_request(void);

/* One call, which must go well. Borrowed until the next. */
json_object *swarmed_call(swarmed_slot *slot);
/* One call, which must fail so. */
const struct memories_error_detail *swarmed_fails(swarmed_slot *slot, int32_t code);
/* Calls a slot, and lets time go on, until it says that it is done; fails the test after `most` calls. The number of
 * calls. */
int swarmed_until_done(swarmed_slot *slot, int most);
/* One call that does not end it: its message. */
const char *swarmed_waits(swarmed_slot *slot);

/* An archive in the test's directory, whose image has this id (one digit, repeated); its path, valid until the next
 * call. */
const char *swarmed_archive(const char *name, char digit);
/* "sha256:ddd…" */
const char *swarmed_image(char digit);
#define BUILTIN_DIGIT 'a'

#endif
