/* format.h - the values of JSON Schema's `format` keyword that memories knows; docs/schema.md lists them */
#ifndef CORE_CONFIG_FORMAT_H
#define CORE_CONFIG_FORMAT_H

#include <stdbool.h>

struct format {
    const char *name;
    const char *noun;  /* "a CIDR block" */
    const char *usage; /* what it looks like, for a hint */
    bool (*fits)(const char *text);
    /* A hint for this very text, better than `usage`; may be NULL or give NULL. To be freed. */
    char *(*advise)(const char *text);
};

/* NULL when there is none of this name. */
const struct format *format_find(const char *name);
/* Names of all formats in one line, for errors. */
const char *format_names(void);

#endif
