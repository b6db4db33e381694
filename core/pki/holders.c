/* holders.c - who needs a certificate of the deployment's own: each node, or a group of nodes that share one */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/pki/pki.h"

static char *join_addresses(json_object *choice)
{
    struct text text = TEXT_INIT;
    json_object *addresses = json_get_array(choice, "addresses");
    for (size_t i = 0; i < json_count(addresses); i++)
        text_printf(&text, "%s%s", i ? "," : "", json_object_get_string(json_object_array_get_idx(addresses, i)));
    if (!json_count(addresses) && json_get_string(choice, "address"))
        text_append(&text, json_get_string(choice, "address"));
    return text_take(&text);
}

static int add_holder(json_object *holders, const char *kind, const char *name, const char *addresses)
{
    AUTO_FREE char *holder = name && addresses ? text_format("%s/%s", kind, name) : NULL;
    return holder ? json_set_string(holders, holder, addresses) : MEMORIES_NO_MEMORY;
}

/* Of "secret:group/worker/key" it is "worker"; NULL: another secret. Allocated. */
static char *group_of(const char *reference)
{
    static const char prefix[] = "secret:group/";
    const char *begin = reference && !strncmp(reference, prefix, strlen(prefix)) ? reference + strlen(prefix) : NULL;
    return begin ? strndup(begin, strcspn(begin, "/")) : NULL;
}

/* A node has a pair of its own, unless its files say that it shares one. */
static int add_node(json_object *holders, json_object *node, json_object *choices)
{
    json_object *files = json_get_array(json_get_object(node, "bootstrap"), "files");
    const char *name = json_get_string(node, "name");
    bool shares = false;
    for (size_t i = 0; i < json_count(files); i++) {
        AUTO_FREE char *group = group_of(json_get_string(json_object_array_get_idx(files, i), "secret"));
        if (group && add_holder(holders, "group", group, ""))
            return MEMORIES_NO_MEMORY;
        shares |= group != NULL;
    }
    AUTO_FREE char *addresses = join_addresses(name ? json_get(choices, name) : NULL);
    return shares ? 0 : add_holder(holders, "node", name, addresses);
}

/* {"node/manager-1": "10.0.0.1", "group/worker": ""} */
static json_object *holders_of(json_object *spec, json_object *choices)
{
    AUTO_JSON json_object *holders = json_object_new_object();
    json_object *nodes = json_get_array(spec, "nodes");
    int failed = holders ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; !failed && i < json_count(nodes); i++)
        failed = add_node(holders, json_object_array_get_idx(nodes, i), choices);
    return failed ? NULL : STEAL(holders);
}

int secrets_prepare_for(struct secrets *secrets, json_object *spec, json_object *choices, memories_error **error)
{
    AUTO_JSON json_object *holders = holders_of(spec, json_get_object(choices, "nodes"));
    size_t count = holders ? (size_t)json_object_object_length(holders) : 0, at = 0;
    AUTO_FREE const char **names = calloc(count + 1, sizeof *names);
    AUTO_FREE const char **addresses = calloc(count + 1, sizeof *addresses);
    if (!holders || !names || !addresses)
        return error_no_memory(error);
    json_object_object_foreach(holders, name, value) {
        names[at] = name;
        addresses[at++] = json_object_get_string(value);
    }
    return secrets_prepare(secrets, names, addresses, count, error);
}
