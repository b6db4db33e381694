/*
 * probe.h - what stands between the core and the plugin while it is checked: a decorator, and a host table of its own
 *
 * One for the process, since a checking process has one plugin. Settings are changed between calls.
 */
#ifndef SDK_CHECK_PROBE_H
#define SDK_CHECK_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memories/memories.h>

/* How HTTP requests of the plugin end. */
enum probe_http {
    PROBE_HTTP_REAL,
    PROBE_HTTP_UNREACHABLE,
    PROBE_HTTP_EMPTY,   /* 200, without a body */
    PROBE_HTTP_RUBBISH, /* 200, with a body that is cut off in the middle */
    PROBE_HTTP_ERROR,   /* 500 */
};

struct probe {
    bool lend;       /* what a call is given, and what the host gives it, is taken away when it is over */
    bool old_core;   /* before loading: the host table is the oldest that the plugin knows, and ends in nothing */
    bool new_thread; /* each call comes from a thread of its own */
    unsigned meet;   /* so many threads wait for each other (for a moment) in each host function; 0: none */
    size_t fail_allocation; /* which allocation of a call fails, from 1; 0: none */
    size_t cancel_at;       /* at which question whether to stop *cancel is set, from 1; 0: at none */
    atomic_int *cancel;
    enum probe_http http;
};
extern struct probe probe;

/* What the plugin did since probe_count_anew. */
struct probe_counts {
    size_t allocations; /* of the last call */
    size_t questions;   /* whether to stop */
    size_t clock_reads;
    size_t http_requests;
};
struct probe_counts probe_counts(void);
void probe_count_anew(void);

/* To be called once, before the plugin is loaded. */
int probe_install(memories_error **error);

#endif
