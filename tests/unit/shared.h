/*
 * shared.h - files that lie beside the checkout: the vendors' descriptions of their APIs, and test vectors
 *
 * They are not part of the project: a test that wants them skips, and says so, where they are not.
 */
#ifndef TESTS_UNIT_SHARED_H
#define TESTS_UNIT_SHARED_H

/* "specs/sigv4" -> its path below MEMORIES_SHARED_DIR, or below shared/ beside the source tree or its parent. NULL when
 * there is no such thing. free it. */
char *shared_path(const char *name);

#endif
