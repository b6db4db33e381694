/* command_recover.c - recover: deployments that are there and not on record */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/work.h"

/* ---- What is there ---- */

/* "node1 ready, node2 stopped"; NULL: none, or no memory. */
static char *nodes_text(json_object *resources)
{
    char *text = NULL;
    for (size_t i = 0; resources && i < json_object_array_length(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        const char *node = document_string(resource, "node"), *state = document_string(resource, "state");
        const char *key = document_string(resource, "key");
        if (!node && key && strncmp(key, "node/", strlen("node/")) == 0)
            node = key + strlen("node/");
        char *longer = NULL;
        if (!node || asprintf(&longer, "%s%s%s %s", text ? text : "", text ? ", " : "", node, state ? state : "-") < 0)
            continue;
        free(text);
        text = longer;
    }
    return text;
}

static bool is_recorded(json_object *entry)
{
    json_object *recorded;
    return json_object_object_get_ex(entry, "recorded", &recorded) && json_object_get_boolean(recorded);
}

static int print_found(struct session *session, json_object *list)
{
    static const char *const headings[] = { "DEPLOYMENT", "TYPE", "RESOURCES", "ON RECORD", "NODES", NULL };
    size_t count = json_object_array_length(list), unknown = 0;
    if (!count) {
        const char *region = session->settings.region;
        printf("Nothing is there that memories has made%s%s.\n", region ? " in " : "", region ? region : "");
        return EXIT_OK;
    }
    struct table *table = table_new(headings);
    if (!table)
        return report_no_memory(session);
    for (size_t i = 0; i < count; i++) {
        json_object *entry = json_object_array_get_idx(list, i), *resources = document_array(entry, "resources");
        char number[32], *nodes = nodes_text(resources);
        snprintf(number, sizeof number, "%zu", resources ? json_object_array_length(resources) : 0);
        unknown += !is_recorded(entry);
        table_add(table, document_string(entry, "deployment_id"));
        table_add(table, document_string(entry, "type"));
        table_add(table, number);
        table_add(table, is_recorded(entry) ? "yes" : "no");
        table_add(table, nodes);
        free(nodes);
    }
    if (table_print(table, -1))
        return report_no_memory(session);
    if (unknown)
        report_advice(session, "put one on record with: memories recover DEPLOYMENT FILE");
    return EXIT_OK;
}

static int list_found(struct session *session)
{
    memories_error *error = NULL;
    memories_config *config;
    int code = configuration_empty(session, &config);
    if (code != EXIT_OK)
        return code;
    char *text = memories_discover(session->context, config, &error);
    memories_config_free(config);
    if (!text)
        return report_error(session, error);
    json_object *list = json_tokener_parse(text);
    if (!list)
        code = report_no_memory(session);
    else if (session_has(session, OPTION_JSON))
        code = print_json_object(session, list);
    else
        code = print_found(session, list);
    json_object_put(list);
    memories_free(text);
    return code;
}

/* ---- On record ---- */

int run_recover(struct session *session)
{
    const struct settings *settings = &session->settings;
    memories_error *error = NULL;
    memories_config *config;
    if (settings->argument_count == 0)
        return list_found(session);
    if (settings->argument_count == 1)
        return report_usage(session, "recover %s needs FILE, the configuration that it was deployed with",
                            settings->arguments[0]);
    int code = configuration_open(session, settings->arguments[1], &config);
    if (code != EXIT_OK)
        return code;
    work_begin(session);
    memories_deployment *deployment = memories_recover(session->context, settings->arguments[0], config, &error);
    memories_config_free(config);
    code = work_end(session, deployment, error);
    if (code == EXIT_OK && session_has(session, OPTION_JSON))
        code = print_json(session, memories_deployment_json(deployment));
    else if (code == EXIT_OK)
        printf("Recovered deployment %s: %s\n", memories_deployment_id(deployment),
               memories_deployment_status(deployment));
    memories_deployment_free(deployment);
    return code;
}
