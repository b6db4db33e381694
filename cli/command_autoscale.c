/* command_autoscale.c - autoscale: the load decides how many nodes there are, and each decision is told */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/work.h"

struct listener {
    struct session *session;
    char *last;  /* what the last decision was, in words that are the same as long as nothing changes; or NULL */
    bool acting; /* nodes come or go since the last decision */
};

static int64_t member_int(json_object *decision, const char *key)
{
    json_object *value;
    return json_object_object_get_ex(decision, key, &value) ? json_object_get_int64(value) : 0;
}

static void print_percent(json_object *decision, const char *key)
{
    json_object *value;
    if (json_object_object_get_ex(decision, key, &value) && value)
        printf("%.4g %%", json_object_get_double(value));
    else
        putchar('-');
}

/* "2026-02-25T12:34:56Z  cpu 91.3 % (target 70 %)  worker 5 -> 7  up: the load is above the target" */
static void print_decision(json_object *decision, const char *action)
{
    const char *at = document_string(decision, "at"), *group = document_string(decision, "group");
    const char *reason = document_string(decision, "reason");
    int64_t count = member_int(decision, "count"), wanted = member_int(decision, "wanted");
    printf("%s  cpu ", at ? at : "-");
    print_percent(decision, "utilization");
    fputs(" (target ", stdout);
    print_percent(decision, "target");
    fputs(")  ", stdout);
    text_put(stdout, group ? group : "nodes");
    printf(" %lld", (long long)count);
    if (wanted != count)
        printf(" -> %lld", (long long)wanted);
    printf("  %s%s: ", action, member_int(decision, "dry_run") ? " (dry run)" : "");
    text_put(stdout, reason ? reason : "-");
    putchar('\n');
}

/* Whether the decision is another one than before: other numbers of nodes, or another reason. */
static bool is_new(struct listener *listener, json_object *decision, const char *action)
{
    const char *reason = document_string(decision, "reason");
    char *now = NULL;
    if (asprintf(&now, "%s %lld %lld %s", action, (long long)member_int(decision, "count"),
                 (long long)member_int(decision, "wanted"), reason ? reason : "") < 0)
        now = NULL;
    bool is_same = now && listener->last && strcmp(now, listener->last) == 0;
    free(listener->last);
    listener->last = now;
    return !is_same;
}

/* The progress of scaling has its own beginning and end, between two decisions. */
static void follow_action(struct listener *listener, bool acts)
{
    if (listener->acting)
        progress_end(&listener->session->progress, true);
    listener->acting = acts;
    if (acts)
        progress_begin(&listener->session->progress, "scale");
}

static int on_decision(const char *text, void *user_data)
{
    struct listener *listener = user_data;
    const struct session *session = listener->session;
    interrupt_repeat(); /* what came before the library began was forgotten */
    json_object *decision = document_read(session, text);
    const char *action = decision ? document_string(decision, "action") : NULL;
    if (!action) {
        json_object_put(decision);
        return -1;
    }
    bool acts = strcmp(action, "none") != 0 && !member_int(decision, "dry_run");
    if (session_has(session, OPTION_JSON))
        puts(text);
    else if (is_new(listener, decision, action) || acts || session_has(session, OPTION_VERBOSE))
        print_decision(decision, action);
    fflush(stdout);
    follow_action(listener, acts);
    json_object_put(decision);
    return ferror(stdout) ? -1 : 0;
}

/* Ctrl-C between two decisions, or while one is made, is how the loop ends; one that cut a scaling left something to
 * do. */
static bool is_wanted_end(const memories_error *error)
{
    return memories_error_code(error) == MEMORIES_CANCELLED && interrupt_signal() &&
           !memories_error_deployment_id(error);
}

int run_autoscale(struct session *session)
{
    const struct settings *settings = &session->settings;
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    struct listener listener = { .session = session };
    struct memories_autoscale_options options = MEMORIES_AUTOSCALE_OPTIONS_INIT;
    options.flags = (session_has(session, OPTION_ONCE) ? MEMORIES_AUTOSCALE_ONCE : 0) |
                    (session_has(session, OPTION_DRY_RUN) ? MEMORIES_AUTOSCALE_DRY_RUN : 0);
    options.interval_s = settings->interval_seconds;
    options.period_s = settings->period_seconds;
    options.on_decision = on_decision;
    options.user_data = &listener;
    progress_lines(&session->progress);
    work_catch_interrupts(session);
    int failed = memories_autoscale(context, settings->arguments[0], &options, &error);
    if (listener.acting)
        progress_end(&session->progress, !failed);
    free(listener.last);
    if (failed && !is_wanted_end(error))
        return report_error(session, error);
    memories_error_free(error);
    return EXIT_OK;
}
