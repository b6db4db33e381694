/* ini.h - the format of the files that the AWS tools share: ~/.aws/config and ~/.aws/credentials */
#ifndef AWS_INI_H
#define AWS_INI_H

#include <json-c/json.h>
#include <stddef.h>

/*
 * {"section": {"key": "value", "nested": {"key": "value"}}}, keys in lower case, as botocore reads it: `=` or `:`
 * between key and value; a line that begins with white space goes on with the value before it, and an empty value
 * followed by such lines is a nested section; lines that begin with # or ; are comments. A section that comes twice is
 * one. NULL: *line is the one at fault, counted from 1, or 0 when memory ran out.
 */
json_object *ini_parse(const char *text, size_t *line);

#endif
