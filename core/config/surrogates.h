/* surrogates.h - the one thing of JSON that YAML 1.2 does not know: characters beyond U+FFFF as two escapes */
#ifndef CORE_CONFIG_SURROGATES_H
#define CORE_CONFIG_SURROGATES_H

#include <stddef.h>

/* A copy of a JSON text in which such escapes are the character itself; *bytes becomes its length. NULL: no memory. */
char *surrogates_join(const char *text, size_t *bytes);

#endif
