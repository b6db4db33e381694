/* suggest.h - which known name was probably meant */
#ifndef CORE_CONFIG_SUGGEST_H
#define CORE_CONFIG_SUGGEST_H

#include <stddef.h>

/* The name nearest to `word` if it is near enough to be a slip of the keyboard, else NULL. Case doesn't count; letters
 * inserted, left out, replaced or swapped with their neighbour do. */
const char *suggest_name(const char *word, const char *const *names, size_t count);

#endif
