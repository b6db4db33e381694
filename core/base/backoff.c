/* backoff.c - how long to wait before something is tried again, see backoff.h */
#include "core/base/backoff.h"

#include <stddef.h>
#include <time.h>

#include "core/base/clock.h"

#define BASE_MS 200
#define CAP_MS 20000
#define CANCEL_LOOK_MS 50

uint32_t backoff_ms(uint32_t attempt, uint32_t told_ms, uint32_t chance)
{
    uint64_t most = CAP_MS;
    if (attempt < 7 && (BASE_MS << (attempt - 1)) < CAP_MS)
        most = BASE_MS << (attempt - 1);
    return told_ms ? told_ms : (uint32_t)((most + 1) * chance >> 32);
}

void backoff_wait(int64_t ms, const atomic_int *cancel)
{
    int64_t until = clock_monotonic_ms() + ms;
    for (int64_t left = ms; left > 0 && !(cancel && atomic_load(cancel)); left = until - clock_monotonic_ms()) {
        int64_t step = left < CANCEL_LOOK_MS ? left : CANCEL_LOOK_MS;
        nanosleep(&(struct timespec){ .tv_sec = step / 1000, .tv_nsec = step % 1000 * 1000000 }, NULL);
    }
}
