/* report.c - errors and results, for people or as JSON */
#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/screen.h"

enum { JSON_FORM = JSON_C_TO_STRING_NOSLASHESCAPE, DEPTH_MAX = 128 };

/* ---- Errors ---- */

static int exit_code_of(const struct session *session, const memories_error *error)
{
    switch (memories_error_code(error)) {
    case MEMORIES_INVALID:
        return session->command && session->command->reads_config ? EXIT_INVALID_CONFIG : EXIT_USAGE;
    case MEMORIES_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case MEMORIES_BUSY:
        return EXIT_BUSY;
    case MEMORIES_CANCELLED:
        if (memories_error_deployment_id(error) || !interrupt_signal())
            return EXIT_RESUMABLE;
        return 128 + interrupt_signal();
    default:
        return EXIT_FAILED;
    }
}

static void begin_line(void)
{
    fprintf(stderr, "%smemories:%s ", screen_colour(stderr, COLOUR_RED), screen_colour(stderr, COLOUR_NONE));
}

static void print_hint(const char *hint)
{
    fputs("  ", stderr);
    text_put(stderr, hint);
    fputc('\n', stderr);
}

static void print_one(const memories_error *error)
{
    const char *where = memories_error_where(error), *cause = memories_error_cause(error);
    const char *request = memories_error_request_id(error), *hint = memories_error_hint(error);
    begin_line();
    if (where) {
        fputs(screen_colour(stderr, COLOUR_BOLD), stderr);
        text_put(stderr, where);
        fprintf(stderr, ":%s ", screen_colour(stderr, COLOUR_NONE));
    }
    text_put(stderr, memories_error_message(error));
    if (cause) {
        fputs(": ", stderr);
        text_put(stderr, cause);
    }
    if (memories_error_http_status(error))
        fprintf(stderr, " (HTTP %d)", memories_error_http_status(error));
    if (request) {
        fputs(" (request id ", stderr);
        text_put(stderr, request);
        fputc(')', stderr);
    }
    fputc('\n', stderr);
    if (hint)
        print_hint(hint);
}

/* How to go on with a deployment that an error has left behind, unless the error says so itself. */
static void print_way_on(const memories_error *error)
{
    const char *id = memories_error_deployment_id(error), *hint = memories_error_hint(error);
    if (!id || (hint && (strstr(hint, "memories resume") || strstr(hint, "memories delete"))))
        return;
    fprintf(stderr, "  memories resume %s    finishes it\n  memories delete %s    removes it\n", id, id);
}

static int print_error_json(json_object *error)
{
    json_object *line = json_object_new_object();
    json_object_object_add(line, "error", error);
    fprintf(stderr, "%s\n", json_object_to_json_string_ext(line, JSON_FORM));
    json_object_put(line);
    return 0;
}

int report_error(const struct session *session, memories_error *error)
{
    int code = exit_code_of(session, error);
    if (session_has(session, OPTION_JSON)) {
        char *text = memories_error_json(error);
        json_object *json = text ? json_tokener_parse(text) : NULL;
        memories_free(text);
        if (json)
            print_error_json(json);
    } else {
        flockfile(stderr);
        for (const memories_error *one = error; one; one = memories_error_next(one))
            print_one(one);
        print_way_on(error);
        funlockfile(stderr);
    }
    memories_error_free(error);
    return code;
}

static int report_formatted(const struct session *session, int exit_code, const char *hint, const char *format,
                            va_list arguments) PRINTF_LIKE(4, 0);
static int report_formatted(const struct session *session, int exit_code, const char *hint, const char *format,
                            va_list arguments)
{
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    const char *text = message ? message : "out of memory";
    if (session_has(session, OPTION_JSON) || session->settings.json_seen) {
        json_object *json = json_object_new_object();
        json_object_object_add(json, "code", json_object_new_string(exit_code == EXIT_USAGE ? "usage" : "failed"));
        json_object_object_add(json, "message", json_object_new_string(text));
        if (hint)
            json_object_object_add(json, "hint", json_object_new_string(hint));
        print_error_json(json);
    } else {
        begin_line();
        text_put(stderr, text);
        fputc('\n', stderr);
        if (hint)
            print_hint(hint);
    }
    free(message);
    return exit_code;
}

int report_problem(const struct session *session, int exit_code, const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int code = report_formatted(session, exit_code, hint, format, arguments);
    va_end(arguments);
    return code;
}

int report_usage(const struct session *session, const char *format, ...)
{
    char hint[80];
    if (session->command)
        snprintf(hint, sizeof hint, "memories %s --help says how it is used", session->command->name);
    else
        snprintf(hint, sizeof hint, "memories --help lists the commands");
    va_list arguments;
    va_start(arguments, format);
    int code = report_formatted(session, EXIT_USAGE, hint, format, arguments);
    va_end(arguments);
    return code;
}

int report_no_memory(const struct session *session)
{
    return report_problem(session, EXIT_FAILED, NULL, "out of memory");
}

void report_advice(const struct session *session, const char *format, ...)
{
    if (session_has(session, OPTION_QUIET) || session_has(session, OPTION_JSON))
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- Results ---- */

void print_field(const char *label, const char *value)
{
    if (!value)
        return;
    printf("%s: ", label);
    text_put(stdout, value);
    putchar('\n');
}

void print_count(const char *label, uint64_t value)
{
    printf("%s: %" PRIu64 "\n", label, value);
}

static int print_json_form(const struct session *session, json_object *json, int form)
{
    const char *text = json_object_to_json_string_ext(json, form);
    if (!text)
        return report_no_memory(session);
    puts(text);
    return EXIT_OK;
}

int print_json_indented(const struct session *session, json_object *json)
{
    return print_json_form(session, json, JSON_FORM | JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

int print_json_object(const struct session *session, json_object *json)
{
    return isatty(STDOUT_FILENO) ? print_json_indented(session, json) : print_json_form(session, json, JSON_FORM);
}

int print_json(const struct session *session, const char *text)
{
    json_object *json = document_read(session, text);
    if (!json)
        return EXIT_FAILED;
    int code = print_json_object(session, json);
    json_object_put(json);
    return code;
}

static volatile sig_atomic_t pipe_broken;

static void on_broken_pipe(int number)
{
    (void)number;
    pipe_broken = 1;
}

void print_setup(void)
{
    /* A handler and not SIG_IGN, which the programs that plugins start would inherit. */
    struct sigaction action = { .sa_handler = on_broken_pipe, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
}

int print_finish(const struct session *session, int exit_code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_code;
    if (pipe_broken) { /* the reader has seen enough: end as every filter does */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    report_problem(session, EXIT_FAILED, NULL, "standard output: cannot write: %s",
                   errno ? strerror(errno) : "an earlier write failed");
    return exit_code == EXIT_OK ? EXIT_FAILED : exit_code;
}

/* ---- Documents ---- */

json_object *document_read(const struct session *session, const char *text)
{
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    json_object *json = tokener && text ? json_tokener_parse_ex(tokener, text, -1) : NULL;
    if (tokener)
        json_tokener_free(tokener);
    if (!json)
        report_problem(session, EXIT_FAILED, NULL, "cannot read the library's answer");
    return json;
}

const char *document_string(json_object *object, const char *key)
{
    json_object *value;
    if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
}

json_object *document_array(json_object *object, const char *key)
{
    json_object *value;
    if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_array))
        return NULL;
    return value;
}
