/* scalar.h - what a plain scalar means: the core schema of YAML 1.2 */
#ifndef CORE_CONFIG_SCALAR_H
#define CORE_CONFIG_SCALAR_H

#include <json-c/json.h>

enum scalar_fault {
    SCALAR_OK,
    SCALAR_TOO_LARGE,  /* a number beyond 64 bits, or beyond the range of double */
    SCALAR_NOT_FINITE, /* .inf, .nan: JSON has no such numbers */
    SCALAR_NO_MEMORY,
};

/* *value: null is NULL. */
enum scalar_fault scalar_read(const char *text, json_object **value);

#endif
