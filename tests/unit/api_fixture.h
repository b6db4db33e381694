/*
 * api_fixture.h - the public calls on a state directory of the test's own, with provider fake and topology fake
 *
 * tests/plugins says what those can be told in a configuration.
 */
#ifndef TESTS_UNIT_API_FIXTURE_H
#define TESTS_UNIT_API_FIXTURE_H

#include <check.h>
#include <json-c/json.h>
#include <stdbool.h>

#include <memories/memories.h>

extern char api_state_dir[];
extern memories_context *context;

/* Looks for the plugins; ends the program with "skipped" when they are not built. main begins with it. */
void api_begin(void);
/* A checked fixture: an empty state directory and a context on it. */
void api_set_up(void);
void api_tear_down(void);

/* Where the plugins are. */
const char *api_plugin_path(void);

/* The store loses everything; secrets and cloud stay. */
void api_lose_store(void);

memories_context *api_context(memories_event_fn *on_event, void *user_data);

/* What has been done since the last look: phases and operations that ended, "create node/node1\n", and what release says,
 * "release: …\n". Valid until the next look. */
const char *api_events(void);
/* Cancels the call in progress when this line comes, once. NULL: never. */
void api_cancel_at(const char *event);

/* {topology, provider: fake, config: BODY}, BODY in YAML. */
memories_config *api_config(const char *topology, const char *body);
/* A deployment named "one". */
void api_deploy(const char *body);
void api_deploy_topology(const char *topology, const char *body);
/* Its id; until the test ends. */
const char *api_id(void);

/* Fails the test unless it came out with this status; frees it. */
void api_expect(memories_deployment *deployment, const memories_error *error, const char *status);
/* The same of "one" as it is now. */
void api_expect_status(const char *status);
void api_expect_error(memories_deployment *deployment, memories_error *error, int code, const char *message,
                      const char *hint);

/* The record of "one" in the store; to json_object_put. */
json_object *api_record(void);
/* A member of it, as text: "spec", "membership"; valid until the next call. */
const char *api_recorded(const char *member);
/* membership.joined of the record. */
const char *api_joined(void);
/* "node1 node2": the nodes in the cloud that are ready, in order of their names; valid until the next call. */
const char *api_nodes(void);
/* The cloud's id of a node; "" when there is none. Valid until the next call. */
const char *api_instance(const char *node);
/* The cloud loses a node's machine, or it breaks, or is switched off. */
void api_lose(const char *node);
void api_break(const char *node);
void api_switch_off(const char *node);
/* The detail of the last entry of this event in the audit trail, as text; valid until the next call. NULL: there is none. */
const char *api_audit(const char *event);

#endif
