/* status.c - does the workload answer: converge waits for it, status tells */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/topologies/standalone/standalone.h"

struct probe {
    struct memories_call *call;
    json_object *request; /* owned */
    const char *name;
    const char *state;
    json_object *outputs;
    const char *address; /* where people find the workload: a URL, "address:port", or an address */
    const char *problem; /* NULL: it works */
    int64_t elapsed_ms;
};

static void probe_release(struct probe *probe)
{
    json_object_put(probe->request);
}
#define AUTO_PROBE __attribute__((cleanup(probe_release)))

static int32_t set_problem(struct probe *probe, const char *problem)
{
    probe->problem = problem;
    return problem ? MEMORIES_OK : plugin_no_memory(probe->call);
}

static int32_t probe_http(struct probe *probe, const char *authority, const char *path)
{
    struct memories_call *call = probe->call;
    struct memories_http_request request =
        http_node_request(plugin_format(call, "http://%s%s", authority, path), authority, NULL);
    const struct memories_http_response *response = NULL;
    int32_t code = http_send_all(call, &request, 1, &response);
    if (code)
        return code;
    if (response->status >= 200 && response->status <= 299)
        return MEMORIES_OK;
    const char *reason = http_problem(call, response);
    return set_problem(probe, reason ? plugin_format(call, "%s: %s", request.url, reason) : NULL);
}

static int32_t probe_workload(struct probe *probe)
{
    json_object *health = json_get_object(json_get_object(probe->request, "spec"), "health");
    const char *address = json_get_string(probe->outputs, "address");
    const char *path = json_get_string(health, "path");
    int port = (int)json_get_int(health, "port", 0);
    probe->address = address;
    if (strcmp(probe->state, "ready"))
        return set_problem(probe, plugin_format(probe->call, "the node is %s", probe->state));
    if (!port)
        return MEMORIES_OK;
    if (!address)
        return set_problem(probe, "the node has no address");
    const char *authority = http_authority(probe->call, address, port);
    probe->address = path ? plugin_format(probe->call, "http://%s", authority ? authority : "") : authority;
    if (!authority || !probe->address)
        return plugin_no_memory(probe->call);
    if (path)
        return probe_http(probe, authority, path);
    const char *reason = tcp_problem(address, port, NODE_TIMEOUT_MS);
    return reason ? set_problem(probe, plugin_format(probe->call, "%s: %s", authority, reason)) : MEMORIES_OK;
}

static int32_t probe_node(struct probe *probe, struct memories_call *call, const char *request)
{
    *probe = (struct probe){ .call = call };
    probe->request = plugin_parse(call, request, "request");
    if (!probe->request)
        return MEMORIES_INTERNAL;
    json_object *node = json_at(json_get_array(probe->request, "nodes"), 0);
    probe->name = json_get_string(node, "name");
    probe->state = json_get_string(node, "state");
    probe->outputs = json_get_object(node, "outputs");
    probe->elapsed_ms = json_get_int(probe->request, "elapsed_ms", 0);
    if (!probe->name || !probe->state)
        return plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the request has no node with name and state");
    return probe_workload(probe);
}

static int32_t wait_on(const struct probe *probe)
{
    AUTO_JSON json_object *result = json_object_new_object();
    const char *message = plugin_format(probe->call, "waiting for %s: %s", probe->name, probe->problem);
    int failed = message ? 0 : MEMORIES_NO_MEMORY;
    failed |= json_set_bool(result, "done", false);
    failed |= json_set_string(result, "message", message);
    failed |= json_set_int(result, "poll_after_ms", probe->elapsed_ms < 5000 ? 20 : 250);
    return plugin_result(probe->call, failed ? NULL : STEAL(result));
}

int32_t standalone_converge(struct memories_call *call, const char *request)
{
    AUTO_PROBE struct probe probe;
    int32_t code = probe_node(&probe, call, request);
    if (code)
        return code;
    if (probe.problem)
        return wait_on(&probe);
    AUTO_JSON json_object *document = json_object_new_object();
    int failed = json_set_bool(document, "done", true);
    json_object *result = json_set_new_object(document, "result");
    failed |= json_set_string(result, "instance_id", json_get_string(probe.outputs, "instance_id"));
    failed |= json_set_string(result, "public_ip", json_get_string(probe.outputs, "public_ip"));
    return plugin_result(call, failed ? NULL : STEAL(document));
}

/* A node that runs with a workload that does not answer is degraded: it may be coming up. */
static const char *judge(const struct probe *probe)
{
    if (!strcmp(probe->state, "stopped"))
        return "stopped";
    if (strcmp(probe->state, "ready"))
        return "unavailable";
    return probe->problem ? "degraded" : "running";
}

int32_t standalone_status(struct memories_call *call, const char *request)
{
    AUTO_PROBE struct probe probe;
    int32_t code = probe_node(&probe, call, request);
    if (code)
        return code;
    AUTO_JSON json_object *document = json_object_new_object();
    int failed = json_set_string(document, "status", judge(&probe));
    failed |= json_set_string(document, "message", probe.problem ? probe.problem : "the workload runs");
    json_object *member = json_add_new_object(json_set_new_array(document, "members"));
    failed |= json_set_string(member, "name", probe.name);
    failed |= json_set_string(member, "role", "standalone");
    failed |= json_set_bool(member, "healthy", !probe.problem);
    failed |= json_set_string(member, "address", probe.address);
    failed |= json_set_string(member, "message", probe.problem);
    return plugin_result(call, failed ? NULL : STEAL(document));
}
