/* fake_core.h - what the files of the scripted library share; the scenarios are in fake_core.c */
#ifndef TESTS_CLI_FAKE_CORE_H
#define TESTS_CLI_FAKE_CORE_H

#include <memories/memories.h>
#include <stdatomic.h>

struct memories_context {
    struct memories_context_options options;
    atomic_int cancelled;
    int64_t began_ms;
};

#define ID "consensus-local-20260225-123456"
#define SWARM_ID "swarmed-local-20260225-123456"

void fake_emit(memories_context *context, struct memories_event event);
/* Tells what the command line became, as a warning. Takes text over. */
void fake_echo(memories_context *context, char *text);
void fake_nap_ms(long ms);
/* 100 operations in 1.5 seconds, or until the call is cancelled. */
int fake_work(memories_context *context, int heed_cancel, memories_error **error);
/* What the scenario has in common for all calls. */
int fake_play(memories_context *context, const char *scenario, memories_error **error);

/* Of fake_swarm.c: what a swarm's status says of its services. */
extern const char *const fake_services;

#endif
