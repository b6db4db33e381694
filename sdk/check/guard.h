/*
 * guard.h - memory that is taken away when it has been lent long enough, and a report of who touched it afterwards
 *
 * Each piece lies at the end of pages of its own, with an unreadable page behind: reading past its end is noticed too.
 * Pieces are never reused, so that a late access is always a fault, and the fault's address names the piece.
 */
#ifndef SDK_CHECK_GUARD_H
#define SDK_CHECK_GUARD_H

#include <stddef.h>

/* Zeroed memory for `bytes`; what: what it is, as in "the request" (a literal). Accesses up to align - 1 bytes behind
 * its end may go unnoticed. NULL when there is none. May be called from several threads. */
void *guard_new(size_t bytes, size_t align, const char *what);
/* A copy of a string; NULL for NULL and when there is no memory. */
char *guard_copy(const char *text, const char *what);
/* From here on each access to it is a fault. NULL is ignored. */
void guard_expire(void *pointer);

/* From here on a fatal signal is reported to `report`, as one line of JSON, before it ends the process:
 * {"crash": {"signal": 11, "slot": "create", "memory": "the request", "how": "expired" | "overrun"}}; for SIGSYS, with
 * "call": "openat", the system call that purity.c forbids. */
void guard_catch_crashes(int report);
/* The slot that this thread is in, for that report; NULL: none. */
void guard_enter(const char *slot);
/* What is waited for, as in "node/node1", until it is called with NULL. For that report, as "waits"; not copied. */
void guard_await(const char *what);

#endif
