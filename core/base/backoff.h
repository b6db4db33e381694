/* backoff.h - how long to wait before something is tried again */
#ifndef CORE_BASE_BACKOFF_H
#define CORE_BASE_BACKOFF_H

#include <stdatomic.h>
#include <stdint.h>

/* Before try n + 1: what the other side asked for (told_ms), or without that (0) random up to min(cap, base * 2^(n-1)).
 * `chance` is a random number, the caller's: things that share it wait together. */
uint32_t backoff_ms(uint32_t attempt, uint32_t told_ms, uint32_t chance);

/* Waits, unless *cancel (may be NULL) is or becomes non-zero, which is seen within 50 ms: it comes from a signal handler,
 * which wakes nobody. */
void backoff_wait(int64_t ms, const atomic_int *cancel);

#endif
