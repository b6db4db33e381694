/* spec.c - the frame of a spec, its nodes and their machines, see spec.h; the network is in spec_network.c */
#include "plugins/common/spec.h"

#include <stdarg.h>
#include <stdio.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

/* What a configuration says about a machine, each cloud in its own words; providers know which are theirs. */
static const char *const machine_keys[] = {
    "instance_type", "machine_type", "vm_size", "region", "location", "zone", "storage", "storage_size",
};

int32_t spec_begin(struct spec *spec, struct memories_call *call, const char *request, const char *topology)
{
    *spec = (struct spec){ .call = call };
    spec->request = plugin_parse(call, request, "request of plan");
    if (!spec->request)
        return MEMORIES_INTERNAL;
    spec->config = json_get_object(spec->request, "config");
    spec->deployment = json_get_string(spec->request, "deployment");
    if (!spec->deployment)
        return plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the request of plan names no deployment");
    spec->document = json_object_new_object();
    spec->failed |= json_set_int(spec->document, "version", DOCUMENT_VERSION);
    spec->failed |= json_set_string(spec->document, "topology", topology);
    spec->failed |= json_set(spec->document, "network", NULL); /* keeps the place: documents are read by people too */
    spec->nodes = json_set_new_array(spec->document, "nodes");
    spec->warnings = json_object_new_array();
    return MEMORIES_OK;
}

void spec_release(struct spec *spec)
{
    json_object_put(spec->request);
    json_object_put(spec->document);
    json_object_put(spec->warnings);
}

static int copy_member(json_object *to, const char *key, json_object *first, json_object *second)
{
    json_object *value = json_get(first, key);
    if (!value)
        value = json_get(second, key);
    return value ? json_set(to, key, json_ref(value)) : 0;
}

json_object *spec_add_node(struct spec *spec, const char *name, const char *role, json_object *node_spec)
{
    json_object *node = json_add_new_object(spec->nodes);
    spec->failed |= name ? json_set_string(node, "name", name) : MEMORIES_NO_MEMORY;
    spec->failed |= json_set_string(node, "role", role);
    json_object *machine = json_set_new_object(node, "machine");
    for (size_t i = 0; i < ARRAY_COUNT(machine_keys); i++)
        spec->failed |= copy_member(machine, machine_keys[i], node_spec, spec->config);
    spec->failed |= copy_member(node, "hardware", node_spec, spec->config);
    spec->failed |= json_set_string(node, "subnet", spec->subnet);
    spec->failed |= json_set_bool(node, "public_ip", spec->public_ip);
    return json_set_new_object(node, "bootstrap");
}

void spec_require_isolation(struct spec *spec)
{
    spec->failed |= json_set_bool(spec->document, "isolated", true);
}

void spec_warn(struct spec *spec, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    spec->failed |= json_add_string(spec->warnings, text);
}

int32_t spec_finish(struct spec *spec)
{
    spec->failed |= copy_member(spec->document, "monitoring", spec->config, NULL);
    spec->failed |= copy_member(spec->document, "logging", spec->config, NULL);
    spec->failed |= json_set(spec->document, "warnings", json_ref(spec->warnings));
    return plugin_result(spec->call, spec->failed ? NULL : STEAL(spec->document));
}
