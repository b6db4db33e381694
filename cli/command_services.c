/* command_services.c - services: what runs on a deployment's nodes */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/services.h"
#include "cli/table.h"

static void add_number(struct table *table, json_object *service, const char *key)
{
    json_object *number;
    table_add(table, json_object_object_get_ex(service, key, &number) ? json_object_get_string(number) : NULL);
}

/* "10.0.0.4:8000 +2": the first address, and how many more there are. */
static void add_addresses(struct table *table, json_object *service)
{
    json_object *addresses = document_array(service, "addresses");
    size_t count = addresses ? json_object_array_length(addresses) : 0;
    const char *first = count ? json_object_get_string(json_object_array_get_idx(addresses, 0)) : NULL;
    char text[300];
    if (first && count > 1)
        snprintf(text, sizeof text, "%s +%zu", first, count - 1);
    table_add(table, first && count > 1 ? text : first);
}

int services_print(const struct session *session, json_object *services)
{
    static const char *const headings[] = { "NAME", "REPLICAS", "RUNNING", "STATUS", "ADDRESSES", "MESSAGE", NULL };
    struct table *table = table_new(headings);
    for (size_t i = 0; i < json_object_array_length(services); i++) {
        json_object *service = json_object_array_get_idx(services, i);
        table_add(table, document_string(service, "name"));
        add_number(table, service, "replicas");
        add_number(table, service, "running");
        table_add(table, document_string(service, "status"));
        add_addresses(table, service);
        table_add(table, document_string(service, "message"));
    }
    return table_print(table, 3) == 0 ? EXIT_OK : report_no_memory(session);
}

static int print_services(struct session *session, const memories_services *services)
{
    if (session_has(session, OPTION_JSON))
        return print_json(session, memories_services_json(services));
    json_object *list = document_read(session, memories_services_json(services));
    if (!list)
        return EXIT_FAILED;
    int code = EXIT_OK;
    if (json_object_array_length(list))
        code = services_print(session, list);
    else
        report_advice(session, "No services run on it.");
    json_object_put(list);
    return code;
}

int run_services(struct session *session)
{
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    memories_services *services = memories_services_get(context, session->settings.arguments[0], &error);
    if (!services)
        return report_error(session, error);
    int code = print_services(session, services);
    memories_services_free(services);
    return code;
}
