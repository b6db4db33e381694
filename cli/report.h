/*
 * report.h - errors and results, for people or as JSON
 *
 * Results go to standard output, errors to standard error. With --json an error is one line: {"error": {…}}.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "cli/command.h"

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* Reports what the library says went wrong (all of it), frees it, and returns the exit code. */
int report_error(const struct session *session, memories_error *error);
/* Reports what the program itself found wrong and returns `exit_code`. hint may be NULL. */
int report_problem(const struct session *session, int exit_code, const char *hint, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* The same for a wrong command line; the hint is the command's --help. */
int report_usage(const struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);
int report_no_memory(const struct session *session);
/* One line of advice on standard error, not with --quiet and --json. */
void report_advice(const struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);

/* "Label: value" on standard output; nothing when value is NULL. */
void print_field(const char *label, const char *value);
void print_count(const char *label, uint64_t value);

/* A whole document on standard output: indented on a terminal, in one line elsewhere. Returns the exit code. */
int print_json(const struct session *session, const char *text);
int print_json_object(const struct session *session, json_object *json);
/* The same, always indented: for documents that are asked for to be read. */
int print_json_indented(const struct session *session, json_object *json);

/* Once, before anything is printed: from here on a reader that goes away ends the program when its work is done, not
 * in the middle of it. */
void print_setup(void);
/* Writes out what is buffered. Returns `exit_code`, or EXIT_FAILED (reported) when not everything could be written. */
int print_finish(const struct session *session, int exit_code);

/* A library document as an object; NULL (reported) when it can't be read. */
json_object *document_read(const struct session *session, const char *text);
/* Members; NULL when missing or of another type. Borrowed. */
const char *document_string(json_object *object, const char *key);
json_object *document_array(json_object *object, const char *key);

#endif
