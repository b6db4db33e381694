/* check.c - the conformance suite's command: runs it, and tells what it found to people, as JSON or as TAP */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "cli/table.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "sdk/check/check.h"
#include "sdk/tool/child.h"
#include "sdk/tool/tool.h"

#define TIMEOUT_S 60

/* ---- For people -------------------------------------------------------------------------------------------------- */

static void put(const char *text)
{
    if (text)
        text_put(stdout, text);
}

static void print_heading(json_object *document)
{
    json_object *plugin = json_get_object(document, "plugin");
    put(json_get_string(document, "file"));
    if (plugin) {
        printf(": %s ", json_get_string(plugin, "kind"));
        put(json_get_string(plugin, "name"));
        putchar(' ');
        put(json_get_string(plugin, "version"));
        printf(", plugin ABI %s (needs %s), %s\n\n", json_get_string(plugin, "abi"), json_get_string(plugin, "needs"),
               json_get_string(plugin, "threads"));
    } else {
        puts("\n");
    }
}

static int print_slots(json_object *slots)
{
    static const char *const headings[] = { "SLOT", "NEED", "THERE", "WITHOUT IT", NULL };
    struct table *table = table_new(headings);
    if (!json_count(slots)) {
        table_print(table, -1);
        return 0;
    }
    for (size_t i = 0; i < json_count(slots); i++) {
        json_object *slot = json_object_array_get_idx(slots, i);
        bool present = json_get_bool(slot, "present", false);
        table_add(table, json_get_string(slot, "name"));
        table_add(table, json_get_string(slot, "need"));
        table_add(table, present ? "yes" : "no");
        table_add(table, present ? NULL : json_get_string(slot, "without"));
    }
    int failed = table_print(table, 2);
    putchar('\n');
    return failed;
}

static int print_cases(json_object *cases)
{
    static const char *const headings[] = { "CASE", "OUTCOME", "WHAT IT MUST DO", NULL };
    struct table *table = table_new(headings);
    for (size_t i = 0; i < json_count(cases); i++) {
        json_object *one = json_object_array_get_idx(cases, i);
        const char *outcome = json_get_string(one, "outcome");
        table_add(table, json_get_string(one, "name"));
        table_add(table, !strcmp(outcome, "passed") ? "ok" : !strcmp(outcome, "inapplicable") ? "n/a" : outcome);
        table_add(table, json_get_string(one, "title"));
    }
    return table_print(table, 1);
}

static void print_finding(const char *case_name, json_object *finding)
{
    bool failure = !strcmp(json_get_string(finding, "severity"), "failure");
    const char *slot = json_get_string(finding, "slot"), *hint = json_get_string(finding, "hint");
    printf("\n%s%s%s %s: ", screen_colour(stdout, failure ? COLOUR_RED : COLOUR_YELLOW), failure ? "failed" : "advice",
           screen_colour(stdout, COLOUR_NONE), case_name);
    if (slot) {
        put(slot);
        fputs(": ", stdout);
    }
    put(json_get_string(finding, "message"));
    putchar('\n');
    if (hint) {
        fputs("  ", stdout);
        put(hint);
        putchar('\n');
    }
}

static void print_findings(json_object *cases)
{
    for (size_t i = 0; i < json_count(cases); i++) {
        json_object *one = json_object_array_get_idx(cases, i), *findings = json_get_array(one, "findings");
        const char *reason = json_get_string(one, "reason");
        for (size_t n = 0; n < json_count(findings); n++)
            print_finding(json_get_string(one, "name"), json_object_array_get_idx(findings, n));
        if (reason && !strcmp(json_get_string(one, "outcome"), "skipped")) {
            printf("\nskipped %s: ", json_get_string(one, "name"));
            put(reason);
            putchar('\n');
        }
    }
}

static int print_people(const struct tool_request *request, json_object *document)
{
    json_object *cases = json_get_array(document, "cases");
    print_heading(document);
    if (print_slots(json_get_array(document, "slots")) || print_cases(cases))
        return tool_report_no_memory(request);
    print_findings(cases);
    printf("\n%d passed, %d failed, %d skipped, %d not applicable\n", (int)json_get_int(document, "passed", 0),
           (int)json_get_int(document, "failed", 0), (int)json_get_int(document, "skipped", 0),
           (int)json_get_int(document, "inapplicable", 0));
    return TOOL_OK;
}

/* ---- TAP 13: https://testanything.org/tap-version-13-specification.html -------------------------------------------
 */

/* A JSON string is a YAML string. */
static void print_yaml(const char *key, json_object *value)
{
    if (value)
        printf("%s: %s\n", key, json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void print_diagnostics(json_object *findings)
{
    if (!json_count(findings))
        return;
    puts("  ---");
    puts("  findings:");
    for (size_t i = 0; i < json_count(findings); i++) {
        json_object *finding = json_object_array_get_idx(findings, i);
        print_yaml("    - severity", json_get(finding, "severity"));
        print_yaml("      slot", json_get(finding, "slot"));
        print_yaml("      message", json_get(finding, "message"));
        print_yaml("      hint", json_get(finding, "hint"));
    }
    puts("  ...");
}

static void print_tap(json_object *document)
{
    json_object *cases = json_get_array(document, "cases");
    printf("TAP version 13\n1..%zu\n", json_count(cases));
    for (size_t i = 0; i < json_count(cases); i++) {
        json_object *one = json_object_array_get_idx(cases, i);
        const char *outcome = json_get_string(one, "outcome"), *reason = json_get_string(one, "reason");
        printf("%s %zu - %s: %s", strcmp(outcome, "failed") ? "ok" : "not ok", i + 1, json_get_string(one, "name"),
               json_get_string(one, "title"));
        if (reason) {
            fputs(" # SKIP ", stdout);
            put(reason); /* without line ends */
        }
        putchar('\n');
        print_diagnostics(json_get_array(one, "findings"));
    }
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

/* What is being done, on a terminal; erased by the next. */
static void on_case(const char *case_name, void *user_data)
{
    (void)user_data;
    if (screen_is_terminal(stderr))
        fprintf(stderr, "\r\033[K%s", case_name ? case_name : "");
}

static int read_timeout(const struct tool_request *request, uint32_t *timeout_ms)
{
    const char *text = request->values[TOOL_OPTION_TIMEOUT];
    char *end = NULL;
    unsigned long seconds = text ? strtoul(text, &end, 10) : TIMEOUT_S;
    if (text && (*text < '0' || *text > '9' || *end || !seconds || seconds > 86400))
        return tool_report_usage(request, "--timeout: \"%s\" is no number of seconds from 1 to 86400", text);
    *timeout_ms = (uint32_t)seconds * 1000;
    return TOOL_OK;
}

static int tell(const struct tool_request *request, json_object *document)
{
    int code = TOOL_OK;
    if (tool_has(request, TOOL_OPTION_JSON))
        code = tool_print_json(request, document);
    else if (tool_has(request, TOOL_OPTION_TAP))
        print_tap(document);
    else
        code = print_people(request, document);
    if (code)
        return code;
    if (json_get_int(document, "failed", 0))
        return TOOL_PROBLEM;
    return json_get_int(document, "skipped", 0) && !tool_has(request, TOOL_OPTION_SKIPS_OK) ? TOOL_INCOMPLETE : TOOL_OK;
}

int tool_check(const struct tool_request *request)
{
    struct check_options options = { .config_file = request->values[TOOL_OPTION_CONFIG],
                                     .plugin_path = request->values[TOOL_OPTION_PLUGIN_PATH],
                                     .only = request->values[TOOL_OPTION_ONLY] };
    if (tool_has(request, TOOL_OPTION_JSON) && tool_has(request, TOOL_OPTION_TAP))
        return tool_report_usage(request, "--json and --tap exclude each other");
    int code = read_timeout(request, &options.timeout_ms);
    if (code)
        return code;
    memories_error *error = NULL;
    child_catch_signals();
    AUTO_JSON json_object *document = check_run(request->arguments[0], &options, on_case, NULL, &error);
    on_case(NULL, NULL);
    if (document)
        return tell(request, document);
    code = memories_error_code(error) == MEMORIES_INVALID ? TOOL_USAGE : TOOL_PROBLEM;
    tool_report(request, error);
    return child_interrupted() ? 128 + child_interrupted() : code;
}
