/* command_plan.c - plan, validate, schema: what would be, without changing anything */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/table.h"

/* Notes of a document on standard error: what is recorded but not honoured, and what is unwise. */
static void print_notes(json_object *document)
{
    json_object *notes = document_array(document, "notes");
    for (size_t i = 0; notes && i < json_object_array_length(notes); i++) {
        json_object *note = json_object_array_get_idx(notes, i);
        const char *where = document_string(note, "where"), *text = document_string(note, "text");
        fprintf(stderr, "memories: %snote:%s ", screen_colour(stderr, COLOUR_YELLOW),
                screen_colour(stderr, COLOUR_NONE));
        if (where) {
            text_put(stderr, where);
            fputs(": ", stderr);
        }
        text_put(stderr, text ? text : "");
        fputc('\n', stderr);
    }
}

/* ---- The tree ----
 * Each operation stands below the last of those it waits for; that is the one that finishes last, since the plan lists
 * operations in an order that can be executed. */

struct node {
    const char *key, *type, *operation, *reason;
    size_t first_child, last_child, next; /* indexes; NONE: there is none */
};
#define NONE ((size_t)-1)

struct tree {
    struct node *nodes;
    size_t count;
    size_t first_root, last_root;
};

static void append_child(struct tree *tree, size_t parent, size_t child)
{
    size_t *first = parent == NONE ? &tree->first_root : &tree->nodes[parent].first_child;
    size_t *last = parent == NONE ? &tree->last_root : &tree->nodes[parent].last_child;
    if (*first == NONE)
        *first = child;
    else
        tree->nodes[*last].next = child;
    *last = child;
}

/* The index of the last operation that this one waits for. `places`: key to index. */
static size_t parent_of(json_object *operation, json_object *places)
{
    json_object *depends = document_array(operation, "depends_on"), *place;
    size_t parent = NONE;
    for (size_t i = 0; depends && i < json_object_array_length(depends); i++) {
        const char *key = json_object_get_string(json_object_array_get_idx(depends, i));
        if (!key || !json_object_object_get_ex(places, key, &place))
            continue;
        size_t index = (size_t)json_object_get_int64(place);
        if (parent == NONE || index > parent)
            parent = index;
    }
    return parent;
}

static bool tree_build(struct tree *tree, json_object *operations)
{
    tree->count = json_object_array_length(operations);
    tree->nodes = calloc(tree->count + 1, sizeof *tree->nodes);
    tree->first_root = tree->last_root = NONE;
    json_object *places = json_object_new_object();
    for (size_t i = 0; tree->nodes && places && i < tree->count; i++) {
        json_object *operation = json_object_array_get_idx(operations, i);
        struct node *node = &tree->nodes[i];
        *node = (struct node){ .key = document_string(operation, "key"),
                               .type = document_string(operation, "type"),
                               .operation = document_string(operation, "operation"),
                               .reason = document_string(operation, "reason"),
                               .first_child = NONE,
                               .last_child = NONE,
                               .next = NONE };
        append_child(tree, parent_of(operation, places), i);
        if (node->key)
            json_object_object_add(places, node->key, json_object_new_int64((int64_t)i));
    }
    bool built = tree->nodes && places;
    json_object_put(places);
    return built;
}

struct branches {
    const char *middle, *last, *bar, *space;
};

static void tree_print_below(const struct tree *tree, size_t first, const char *indent, const struct branches *branches)
{
    for (size_t i = first; i != NONE; i = tree->nodes[i].next) {
        const struct node *node = &tree->nodes[i];
        bool last = node->next == NONE;
        printf("%s%s%s %s%s%s (%s)\n", indent, last ? branches->last : branches->middle,
               node->operation ? node->operation : "-", screen_colour(stdout, COLOUR_BOLD), node->key ? node->key : "-",
               screen_colour(stdout, COLOUR_NONE), node->type ? node->type : "-");
        if (node->first_child == NONE)
            continue;
        char *deeper = NULL;
        if (asprintf(&deeper, "%s%s", indent, last ? branches->space : branches->bar) < 0)
            return;
        tree_print_below(tree, node->first_child, deeper, branches);
        free(deeper);
    }
}

static int print_plan(struct session *session, json_object *plan)
{
    static const struct branches unicode = { "├─ ", "└─ ", "│  ", "   " }, ascii = { "|- ", "`- ", "|  ", "   " };
    json_object *operations = document_array(plan, "operations");
    const char *id = document_string(plan, "deployment_id");
    size_t count = operations ? json_object_array_length(operations) : 0;
    printf("Plan for %s: %zu operation%s\n", id ? id : "-", count, count == 1 ? "" : "s");
    struct tree tree = { 0 };
    int code = EXIT_OK;
    if (operations && tree_build(&tree, operations))
        tree_print_below(&tree, tree.first_root, "", screen_unicode() ? &unicode : &ascii);
    else if (operations)
        code = report_no_memory(session);
    free(tree.nodes);
    print_notes(plan);
    return code;
}

static int print_part(struct session *session, json_object *plan, const char *part)
{
    json_object *value;
    if (!json_object_object_get_ex(plan, part, &value))
        return report_problem(session, EXIT_FAILED, NULL, "the plan has no %s", part);
    return print_json_indented(session, value);
}

static void add_call(struct table *table, json_object *line)
{
    json_object *count;
    char number[32] = "-";
    if (json_object_object_get_ex(line, "count", &count))
        snprintf(number, sizeof number, "%lld", (long long)json_object_get_int64(count));
    table_add(table, document_string(line, "step"));
    table_add(table, document_string(line, "action"));
    table_add(table, number);
}

static int print_calls(struct session *session, json_object *plan)
{
    static const char *const headings[] = { "STEP", "ACTION", "CALLS", NULL };
    json_object *estimate = NULL, *total = NULL;
    json_object_object_get_ex(plan, "calls", &estimate);
    json_object *calls = document_array(estimate, "calls");
    if (!calls || !json_object_object_get_ex(estimate, "total", &total))
        return report_problem(session, EXIT_FAILED, NULL, "the provider %s can't tell how many calls a plan takes",
                              document_string(plan, "provider"));
    if (session_has(session, OPTION_JSON))
        return print_json_object(session, estimate);
    struct table *table = table_new(headings);
    if (!table)
        return report_no_memory(session);
    for (size_t i = 0; i < json_object_array_length(calls); i++)
        add_call(table, json_object_array_get_idx(calls, i));
    if (table_print(table, -1))
        return report_no_memory(session);
    const char *more = document_string(estimate, "more");
    printf("\nCalls: %lld%s%s\n", (long long)json_object_get_int64(total), more ? ", and " : "", more ? more : "");
    return EXIT_OK;
}

int run_plan(struct session *session)
{
    memories_error *error = NULL;
    memories_config *config;
    int code = configuration_open(session, session->settings.arguments[0], &config);
    if (code != EXIT_OK)
        return code;
    const char *id = session->settings.deployment;
    char *text = id ? memories_plan_update(session->context, id, config, &error)
                    : memories_plan(session->context, config, &error);
    memories_config_free(config);
    if (!text)
        return report_error(session, error);
    json_object *plan = document_read(session, text);
    memories_free(text);
    if (!plan)
        code = EXIT_FAILED;
    else if (session_has(session, OPTION_SPEC))
        code = print_part(session, plan, "spec");
    else if (session_has(session, OPTION_RESOURCES))
        code = print_part(session, plan, "resources");
    else if (session_has(session, OPTION_CALLS))
        code = print_calls(session, plan);
    else if (session_has(session, OPTION_JSON))
        code = print_json_object(session, plan);
    else
        code = print_plan(session, plan);
    json_object_put(plan);
    return code;
}

/* ---- validate, schema ---- */

int run_validate(struct session *session)
{
    memories_error *error = NULL;
    memories_config *config;
    char *text = NULL;
    int code = configuration_open(session, session->settings.arguments[0], &config);
    if (code != EXIT_OK)
        return code;
    if (memories_validate(session->context, config, &text, &error) != 0) {
        code = report_error(session, error);
    } else if (session_has(session, OPTION_JSON)) {
        code = print_json(session, text);
    } else {
        json_object *answer = document_read(session, text);
        print_notes(answer);
        printf("%s: valid (%s on %s)\n", session->settings.arguments[0], memories_config_topology(config),
               memories_config_provider(config));
        json_object_put(answer);
    }
    memories_free(text);
    memories_config_free(config);
    return code;
}

int run_schema(struct session *session)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    char *text = memories_schema(context, session->settings.arguments[0], session->settings.arguments[1], &error);
    if (!text)
        return report_error(session, error);
    json_object *schema = document_read(session, text);
    memories_free(text);
    int code = schema ? print_json_indented(session, schema) : EXIT_FAILED;
    json_object_put(schema);
    return code;
}
