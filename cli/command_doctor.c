/* command_doctor.c - doctor: whether a provider can work from here */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/report.h"
#include "cli/screen.h"

static bool is_well(json_object *report)
{
    json_object *well;
    return json_object_object_get_ex(report, "well", &well) && json_object_get_boolean(well);
}

/* "Name: text", with what to do about it below. */
static void print_check(json_object *check)
{
    const char *status = document_string(check, "status"), *hint = document_string(check, "hint");
    const char *name = document_string(check, "name"), *text = document_string(check, "text");
    bool is_bad = !status || strcmp(status, "ok") != 0;
    if (is_bad)
        printf("%s%s:%s ", screen_colour(stdout, COLOUR_YELLOW), status ? status : "unknown",
               screen_colour(stdout, COLOUR_NONE));
    text_put(stdout, name ? name : "-");
    fputs(": ", stdout);
    text_put(stdout, text ? text : "-");
    putchar('\n');
    if (!hint)
        return;
    fputs("  ", stdout);
    text_put(stdout, hint);
    putchar('\n');
}

static void print_report(json_object *report)
{
    json_object *checks = document_array(report, "checks");
    for (size_t i = 0; checks && i < json_object_array_length(checks); i++)
        print_check(json_object_array_get_idx(checks, i));
}

int run_doctor(struct session *session)
{
    memories_error *error = NULL;
    memories_config *config;
    session->settings.provider = session->settings.arguments[0];
    int code = configuration_empty(session, &config);
    if (code != EXIT_OK)
        return code;
    char *text = memories_doctor(session->context, config, &error);
    memories_config_free(config);
    if (!text)
        return report_error(session, error);
    json_object *report = document_read(session, text);
    memories_free(text);
    if (!report)
        return EXIT_FAILED;
    if (session_has(session, OPTION_JSON))
        code = print_json_object(session, report);
    else
        print_report(report);
    if (code == EXIT_OK && !is_well(report))
        code = EXIT_FAILED;
    json_object_put(report);
    return code;
}
