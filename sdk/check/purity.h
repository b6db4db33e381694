/*
 * purity.h - what a pure slot may not do: look at files, the network or other processes, or at the time
 *
 * Clocks: the program defines time, gettimeofday and clock_gettime, which a plugin then gets instead of the C
 * library's; purity_shift_clock moves them. Everything else is the kernel's to refuse.
 */
#ifndef SDK_CHECK_PURITY_H
#define SDK_CHECK_PURITY_H

#include <stdint.h>

/* Moves the time of day, as plugins and we see it, by so much. */
void purity_shift_clock(int64_t seconds);

/* From here on this thread and those it makes get SIGSYS for system calls that reach outside; there is no way back. 0,
 * or -1 where the kernel can't do it. */
int purity_forbid_calls(void);
/* The name of a forbidden call; safe in a signal handler. */
const char *purity_call_name(int number);

#endif
