/* command_look.c - list, show, status: deployments as they are */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/services.h"
#include "cli/table.h"

static int print_table(const struct session *session, struct table *table, int status)
{
    return table_print(table, status) == 0 ? EXIT_OK : report_no_memory(session);
}

/* ---- list ---- */

static int print_list(const struct session *session, const memories_deployment_list *list)
{
    static const char *const headings[] = { "ID", "NAME", "TYPE", "PROVIDER", "STATUS", "CREATED", NULL };
    size_t count = memories_deployment_list_count(list);
    if (count == 0) {
        report_advice(session, "There are no deployments; \"memories deploy FILE\" makes one.");
        return EXIT_OK;
    }
    struct table *table = table_new(headings);
    for (size_t i = 0; i < count; i++) {
        const memories_deployment *one = memories_deployment_list_at(list, i);
        table_add(table, memories_deployment_id(one));
        table_add(table, memories_deployment_name(one));
        table_add(table, memories_deployment_type(one));
        table_add(table, memories_deployment_provider(one));
        table_add(table, memories_deployment_status(one));
        table_add(table, memories_deployment_created_at(one));
    }
    return print_table(session, table, 4);
}

int run_list(struct session *session)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    memories_deployment_list *list = memories_list(context, &error);
    if (!list)
        return report_error(session, error);
    int code = session_has(session, OPTION_JSON) ? print_json(session, memories_deployment_list_json(list))
                                                 : print_list(session, list);
    memories_deployment_list_free(list);
    return code;
}

/* ---- show ---- */

static int print_audit(const struct session *session, json_object *audit)
{
    static const char *const headings[] = { "AT", "EVENT", "ACTOR", "DETAIL", NULL };
    struct table *table = table_new(headings);
    for (size_t i = 0; i < json_object_array_length(audit); i++) {
        json_object *entry = json_object_array_get_idx(audit, i), *detail = NULL;
        json_object_object_get_ex(entry, "detail", &detail);
        table_add(table, document_string(entry, "at"));
        table_add(table, document_string(entry, "event"));
        table_add(table, document_string(entry, "actor"));
        table_add(table, detail ? json_object_to_json_string_ext(detail, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL);
    }
    printf("\nAudit trail:\n");
    return print_table(session, table, -1);
}

static int print_details(const struct session *session, const memories_deployment *deployment)
{
    static const char *const headings[] = { "RESOURCE", "TYPE", "STATE", "ADDRESS", NULL };
    size_t count = memories_deployment_resource_count(deployment);
    printf("Deployment Details for %s:\n", memories_deployment_id(deployment));
    print_field("Name", memories_deployment_name(deployment));
    print_field("Type", memories_deployment_type(deployment));
    print_field("Provider", memories_deployment_provider(deployment));
    print_field("Created", memories_deployment_created_at(deployment));
    print_field("Status", memories_deployment_status(deployment));
    printf("Resources: %zu resource%s\n", count, count == 1 ? "" : "s");
    if (!count)
        return EXIT_OK;
    json_object *json = document_read(session, memories_deployment_json(deployment));
    json_object *resources = document_array(json, "resources");
    struct table *table = table_new(headings);
    for (size_t i = 0; i < count; i++) {
        json_object *outputs = NULL;
        json_object_object_get_ex(json_object_array_get_idx(resources, i), "outputs", &outputs);
        table_add(table, memories_deployment_resource_key(deployment, i));
        table_add(table, memories_deployment_resource_type(deployment, i));
        table_add(table, memories_deployment_resource_state(deployment, i));
        table_add(table, document_string(outputs, "address"));
    }
    json_object_put(json);
    putchar('\n');
    return print_table(session, table, 2);
}

/* Both are given, or only the audit trail when the deployment is gone. audit is taken over. */
static int print_show_json(const struct session *session, const memories_deployment *deployment, json_object *audit)
{
    json_object *json =
        deployment ? document_read(session, memories_deployment_json(deployment)) : json_object_new_object();
    if (!json) {
        json_object_put(audit);
        return EXIT_FAILED;
    }
    if (!deployment)
        json_object_object_add(json, "id", json_object_new_string(session->settings.arguments[0]));
    if (audit)
        json_object_object_add(json, "audit", audit);
    int code = print_json_object(session, json);
    json_object_put(json);
    return code;
}

/* NULL with *error: there is none, not even of a deployment that is gone. */
static json_object *read_audit(struct session *session, memories_error **error)
{
    char *text = memories_audit(session->context, session->settings.arguments[0], error);
    json_object *audit = text ? document_read(session, text) : NULL;
    memories_free(text);
    return audit;
}

int run_show(struct session *session)
{
    memories_error *error = NULL;
    json_object *audit = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    memories_deployment *deployment = memories_show(context, session->settings.arguments[0], &error);
    bool gone = !deployment && memories_error_code(error) == MEMORIES_NOT_FOUND;
    if (session_has(session, OPTION_AUDIT) && (deployment || gone))
        audit = read_audit(session, deployment ? &error : NULL);
    if (error && !(gone && audit && json_object_array_length(audit))) {
        memories_deployment_free(deployment);
        json_object_put(audit);
        return report_error(session, error);
    }
    memories_error_free(error);
    int code = EXIT_OK;
    if (session_has(session, OPTION_JSON)) {
        code = print_show_json(session, deployment, audit);
    } else {
        if (deployment)
            code = print_details(session, deployment);
        else
            printf("Deployment %s is gone.\n", session->settings.arguments[0]);
        if (audit && code == EXIT_OK)
            code = print_audit(session, audit);
        json_object_put(audit);
    }
    memories_deployment_free(deployment);
    return code;
}

/* ---- status ---- */

static int print_members(const struct session *session, json_object *members)
{
    static const char *const headings[] = { "MEMBER", "ROLE", "HEALTHY", "ADDRESS", "MESSAGE", NULL };
    struct table *table = table_new(headings);
    for (size_t i = 0; i < json_object_array_length(members); i++) {
        json_object *member = json_object_array_get_idx(members, i), *healthy;
        bool known = json_object_object_get_ex(member, "healthy", &healthy) && healthy;
        table_add(table, document_string(member, "name"));
        table_add(table, document_string(member, "role"));
        table_add(table, !known ? NULL : json_object_get_boolean(healthy) ? "yes" : "no");
        table_add(table, document_string(member, "address"));
        table_add(table, document_string(member, "message"));
    }
    putchar('\n');
    return print_table(session, table, 2);
}

/* A number that is left out while nobody knows it. */
static void print_known(json_object *json, const char *label, const char *key, uint64_t value)
{
    json_object *known;
    if (json_object_object_get_ex(json, key, &known) && known)
        print_count(label, value);
}

static int print_status(const struct session *session, const memories_cluster_status *status)
{
    json_object *json = document_read(session, memories_cluster_status_json(status));
    if (!json)
        return EXIT_FAILED;
    const char *leader = memories_cluster_status_leader(status);
    puts("Cluster Status:");
    if (json_object_object_get_ex(json, "leader", NULL)) /* only a consensus has one, at times none */
        print_field("Leader", leader ? leader : "none");
    print_known(json, "Term", "term", memories_cluster_status_term(status));
    print_known(json, "Committed Index", "committed_index", memories_cluster_status_committed_index(status));
    print_known(json, "Applied Index", "applied_index", memories_cluster_status_applied_index(status));
    print_field("Status", memories_cluster_status_status(status));
    print_field("Message", document_string(json, "message"));
    print_field("Address", document_string(json, "address"));
    json_object *members = document_array(json, "members"), *services = document_array(json, "services");
    int code = members && json_object_array_length(members) ? print_members(session, members) : EXIT_OK;
    if (code == EXIT_OK && services && json_object_array_length(services)) {
        putchar('\n');
        code = services_print(session, services);
    }
    json_object_put(json);
    return code;
}

int run_status(struct session *session)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    memories_cluster_status *status = memories_status(context, session->settings.arguments[0], &error);
    if (!status)
        return report_error(session, error);
    int code = session_has(session, OPTION_JSON) ? print_json(session, memories_cluster_status_json(status))
                                                 : print_status(session, status);
    memories_cluster_status_free(status);
    return code;
}
