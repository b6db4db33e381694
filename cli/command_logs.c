/* command_logs.c - logs: what nodes have logged, line by line, each with its node's name */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/screen.h"

/* The unfinished last line of one node: text comes in pieces that end anywhere. */
struct source {
    char *node;
    char *bytes;
    size_t count, capacity;
    enum colour colour;
};

struct printer {
    bool prefixed, json, follow, failed;
    unsigned width; /* of the longest node name so far */
    bool first;     /* nothing printed yet */
    struct source *sources;
    size_t source_count, last; /* pieces of one node often come one after the other */
};

/* A longer line is printed in parts: a node can't fill this process's memory. */
enum { LINE_MAX_BYTES = 64 * 1024 };

static struct source *source_of(struct printer *printer, const char *node)
{
    static const enum colour colours[] = { COLOUR_CYAN, COLOUR_YELLOW, COLOUR_GREEN, COLOUR_MAGENTA, COLOUR_BLUE };
    if (printer->last < printer->source_count && strcmp(printer->sources[printer->last].node, node) == 0)
        return &printer->sources[printer->last];
    for (size_t i = 0; i < printer->source_count; i++) {
        if (strcmp(printer->sources[i].node, node) != 0)
            continue;
        printer->last = i;
        return &printer->sources[i];
    }
    struct source *more = reallocarray(printer->sources, printer->source_count + 1, sizeof *more);
    if (!more)
        return NULL;
    printer->sources = more;
    struct source *source = &more[printer->source_count];
    *source = (struct source){ .node = strdup(node), .colour = colours[printer->source_count % ARRAY_COUNT(colours)] };
    if (!source->node)
        return NULL;
    printer->last = printer->source_count++;
    unsigned width = text_columns(node);
    printer->width = width > printer->width ? width : printer->width;
    return source;
}

static void print_json_line(struct printer *printer, const char *node, const char *bytes, size_t count)
{
    json_object *json = json_object_new_object();
    json_object_object_add(json, "node", json_object_new_string(node));
    json_object_object_add(json, "line", json_object_new_string_len(bytes, (int)count));
    const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE);
    if (printer->follow)
        printf("%s\n", text);
    else
        printf("%s%s", printer->first ? "[\n  " : ",\n  ", text);
    json_object_put(json);
    printer->first = false;
}

static void print_line(struct printer *printer, const struct source *source, const char *bytes, size_t count)
{
    if (printer->json) {
        print_json_line(printer, source->node, bytes, count);
        return;
    }
    if (printer->prefixed) {
        fputs(screen_colour(stdout, source->colour), stdout);
        text_put(stdout, source->node);
        text_pad(stdout, printer->width - text_columns(source->node));
        printf(" |%s ", screen_colour(stdout, COLOUR_NONE));
    }
    fwrite(bytes, 1, count, stdout);
    putchar('\n');
}

static bool hold(struct source *source, const char *bytes, size_t count)
{
    if (source->count + count > source->capacity) {
        size_t capacity = (source->count + count) * 2;
        char *more = realloc(source->bytes, capacity);
        if (!more)
            return false;
        source->bytes = more;
        source->capacity = capacity;
    }
    memcpy(source->bytes + source->count, bytes, count);
    source->count += count;
    return true;
}

static void release(struct printer *printer, struct source *source)
{
    print_line(printer, source, source->bytes ? source->bytes : "", source->count);
    source->count = 0;
}

static int on_log(const char *node, const char *bytes, size_t count, void *user_data)
{
    struct printer *printer = user_data;
    interrupt_repeat();
    struct source *source = source_of(printer, node ? node : "");
    while (source && count) {
        const char *end = memchr(bytes, '\n', count);
        size_t part = end ? (size_t)(end - bytes) : count;
        if (!hold(source, bytes, part)) {
            source = NULL;
            break;
        }
        if (end || source->count >= LINE_MAX_BYTES)
            release(printer, source);
        part += end != NULL;
        bytes += part;
        count -= part;
    }
    if (printer->follow)
        fflush(stdout);
    printer->failed = !source || ferror(stdout);
    return printer->failed; /* non-zero: nobody reads any more */
}

/* complete: the document is whole even when there was nothing to print. */
static void printer_finish(struct printer *printer, bool complete)
{
    for (size_t i = 0; i < printer->source_count; i++) {
        if (printer->sources[i].count)
            release(printer, &printer->sources[i]);
        free(printer->sources[i].node);
        free(printer->sources[i].bytes);
    }
    free(printer->sources);
    if (!printer->json || printer->follow)
        return;
    if (!printer->first)
        puts("\n]");
    else if (complete)
        puts("[]");
}

/* All names before the first line, so that the prefixes are aligned from the beginning; without them (they are no
 * reason to fail) the column grows as nodes appear. */
static void learn_nodes(struct printer *printer, memories_context *context, const char *id)
{
    memories_deployment *deployment = memories_show(context, id, NULL);
    json_object *json = deployment ? json_tokener_parse(memories_deployment_json(deployment)) : NULL;
    json_object *resources = document_array(json, "resources");
    for (size_t i = 0; resources && i < json_object_array_length(resources); i++) {
        const char *node = document_string(json_object_array_get_idx(resources, i), "node");
        if (node)
            source_of(printer, node);
    }
    json_object_put(json);
    memories_deployment_free(deployment);
}

int run_logs(struct session *session)
{
    const struct settings *settings = &session->settings;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    struct printer printer = { .prefixed = settings->node == NULL,
                               .json = session_has(session, OPTION_JSON),
                               .follow = session_has(session, OPTION_FOLLOW),
                               .first = true };
    if (printer.prefixed && !printer.json)
        learn_nodes(&printer, context, settings->arguments[0]);
    if (printer.follow)
        interrupt_catch(context, NULL, NULL);
    memories_error *error = NULL;
    int failed = memories_logs(context, settings->arguments[0], settings->node, settings->lines, printer.follow, on_log,
                               &printer, &error);
    bool wanted = printer.failed || (printer.follow && interrupt_signal()); /* the end was asked for here */
    printer_finish(&printer, !failed || wanted);
    if (failed && !wanted)
        return report_error(session, error);
    memories_error_free(error);
    return EXIT_OK;
}
