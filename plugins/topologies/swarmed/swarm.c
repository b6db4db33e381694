/* swarm.c - asking the nodes' Docker Engines, see swarmed.h */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/topologies/swarmed/swarmed.h"

/* The newest API whose documents are as they are read here. An engine with an older one is asked in that. */
#define API_MINOR_MAX 52
#define API_MINOR_MIN 41
/* While managers elect, a follower takes up to 20 s to say that there is no leader. */
#define MANAGER_TIMEOUT_MS 25000
#define LISTS_BYTES_MAX (64u << 20)

const char *swarm_keep(struct swarm *swarm, const char *text)
{
    swarm->out_of_memory |= !text;
    return text ? text : "";
}

void swarm_wait(struct swarm *swarm, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    swarm->waiting = swarm_keep(swarm, plugin_format(swarm->call, "%s", text));
}

int64_t swarm_waits_for_ms(const struct swarm *swarm)
{
    const char *before = json_get_string(swarm->request, "waiting_for");
    bool is_same = before && swarm->waiting && !strcmp(before, swarm->waiting);
    return is_same ? json_get_int(swarm->request, "waiting_ms", 0) : 0;
}

bool swarm_comes_back(const struct swarm *swarm)
{
    return swarm->reason && !strcmp(swarm->reason, "start");
}

bool swarm_accepted(const struct memories_http_response *response)
{
    return response->status >= 200 && response->status <= 299;
}

struct swarm_node *swarm_find(struct swarm *swarm, const char *name)
{
    for (size_t i = 0; name && i < swarm->count; i++)
        if (!strcmp(swarm->nodes[i].name, name))
            return &swarm->nodes[i];
    return NULL;
}

struct managers swarm_count_managers(const struct swarm *swarm)
{
    struct managers managers = { 0 };
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!node->role || strcmp(node->role, "manager"))
            continue;
        managers.count++;
        managers.answering += node->is_manager || node->is_late;
    }
    managers.needed = managers.count / 2 + 1;
    return managers;
}

bool swarm_is_absent(const struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++)
        if (swarm->nodes[i].swarm_state ? strcmp(swarm->nodes[i].swarm_state, "inactive") != 0
                                        : !strcmp(swarm->nodes[i].state, "ready"))
            return false;
    return true;
}

/* ---- requests ---- */

struct memories_http_request swarm_request(struct swarm *swarm, const struct swarm_node *node, const char *method,
                                           const char *path, const char *body)
{
    const char *url = plugin_format(swarm->call, "%s%s%s", node->base, swarm->version ? swarm->version : "", path);
    struct memories_http_request request = http_node_request(url, node->connect, body);
    request.method = method;
    request.timeout_ms = swarm->timeout_ms ? swarm->timeout_ms : MANAGER_TIMEOUT_MS;
    request.max_response_bytes = LISTS_BYTES_MAX;
    return request;
}

struct memories_http_request swarm_post(struct swarm *swarm, const struct swarm_node *node, const char *path,
                                        json_object *body)
{
    const char *text = body ? json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN) : NULL;
    struct memories_http_request request = swarm_request(swarm, node, "POST", path, text ? text : "{}");
    if (!text)
        request.url = NULL; /* http_send_all reports it */
    return request;
}

struct memories_http_request swarm_leave(struct swarm *swarm, const struct swarm_node *node)
{
    return swarm_request(swarm, node, "POST", "/swarm/leave?force=true", "{}");
}

int32_t swarm_send(struct swarm *swarm, const struct memories_http_request *request,
                   const struct memories_http_response **response)
{
    return http_send_all(swarm->call, request, 1, response);
}

/* ---- the engines ---- */

static const char *response_header(const struct memories_http_response *response, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; response->headers && response->headers[i]; i++)
        if (!strncmp(response->headers[i], name, length) && response->headers[i][length] == ':')
            return response->headers[i] + length + 1 + strspn(response->headers[i] + length + 1, " ");
    return NULL;
}

/* All engines of one swarm may differ in age: the oldest sets the version. */
static void take_version(struct swarm *swarm, struct swarm_node *node, const struct memories_http_response *response)
{
    const char *header = response_header(response, "api-version");
    unsigned major = 0, minor = 0, known = 0;
    if (!header || sscanf(header, "%u.%u", &major, &minor) != 2 || major != 1 || minor < API_MINOR_MIN) {
        node->is_too_old = true;
        node->problem = swarm_keep(swarm, plugin_format(swarm->call, "its engine speaks API %s, and 1.%d is needed",
                                                        header ? header : "of no version", API_MINOR_MIN));
        return;
    }
    if (minor > API_MINOR_MAX)
        minor = API_MINOR_MAX;
    if (!swarm->version || (sscanf(swarm->version, "/v1.%u", &known) == 1 && minor < known))
        swarm->version = swarm_keep(swarm, plugin_format(swarm->call, "/v1.%u", minor));
}

static void take_info(struct swarm *swarm, struct swarm_node *node, const struct memories_http_response *response)
{
    node->info = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    json_object *state = json_get_object(node->info, "Swarm");
    node->swarm_state = json_get_string(state, "LocalNodeState");
    node->is_late = response->error_code == MEMORIES_TIMEOUT;
    if (!node->swarm_state) {
        node->problem = response->status == 200 ? "it answers, but not as a Docker Engine does"
                                                : swarm_keep(swarm, http_problem(swarm->call, response));
        return;
    }
    take_version(swarm, node, response);
    node->node_id = json_get_string(state, "NodeID");
    node->is_manager = json_get_bool(state, "ControlAvailable", false);
    const char *complaint = json_get_string(state, "Error");
    if (complaint && *complaint && !node->problem)
        node->problem = complaint;
}

static bool can_ask(const struct swarm_node *node)
{
    return node->connect && !strcmp(node->state, "ready");
}

static int32_t ask_all(struct swarm *swarm)
{
    size_t asked = 0;
    struct memories_http_request *requests = plugin_host->allocate(swarm->call, (swarm->count + 1) * sizeof *requests);
    const struct memories_http_response **responses =
        plugin_host->allocate(swarm->call, (swarm->count + 1) * sizeof *responses);
    if (!requests || !responses)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < swarm->count; i++) {
        struct swarm_node *node = &swarm->nodes[i];
        if (!can_ask(node)) {
            const char *state = node->connect ? node->state : "not there";
            node->problem = swarm_keep(swarm, plugin_format(swarm->call, "the node is %s", state));
            continue;
        }
        requests[asked++] = http_node_request(plugin_format(swarm->call, "%s/info", node->base), node->connect, NULL);
    }
    int32_t code = http_send_all(swarm->call, requests, asked, responses);
    if (code)
        return code;
    asked = 0;
    for (size_t i = 0; i < swarm->count; i++)
        if (can_ask(&swarm->nodes[i]))
            take_info(swarm, &swarm->nodes[i], responses[asked++]);
    return MEMORIES_OK;
}

/* A manager without complaint; else one that has a complaint, so that somebody can say what is wrong. */
static void find_manager(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++) {
        const struct swarm_node *node = &swarm->nodes[i];
        if (!node->is_manager || strcmp(node->swarm_state, "active"))
            continue;
        if (!swarm->manager || (swarm->manager->problem && !node->problem))
            swarm->manager = node;
    }
}

/* ---- the request ---- */

/* Workers share a certificate (plan.c). */
static const char *certificate_name(const char *node)
{
    return strncmp(node, WORKERS "-", strlen(WORKERS "-")) ? node : WORKERS;
}

static int32_t read_node(struct swarm *swarm, struct swarm_node *node, json_object *from, int port)
{
    struct memories_call *call = swarm->call;
    json_object *outputs = json_get_object(from, "outputs");
    const char *address = json_get_string(outputs, "address");
    node->name = json_get_string(from, "name");
    node->role = json_get_string(from, "role");
    node->state = json_get_string(from, "state");
    if (!node->name || !node->state)
        return plugin_fail(call, MEMORIES_INTERNAL, NULL, NULL, "the request has a node without name or state");
    node->private_address = json_get_string(outputs, "private_address");
    node->private_address = node->private_address ? node->private_address : address;
    if (!address)
        return MEMORIES_OK;
    node->connect = http_authority(call, address, port);
    node->base = plugin_format(call, "https://%s:%d", certificate_name(node->name), port);
    return node->connect && node->base ? MEMORIES_OK : plugin_no_memory(call);
}

static int32_t read_request(struct swarm *swarm)
{
    json_object *nodes = json_get_array(swarm->request, "nodes");
    swarm->spec = json_get_object(swarm->request, "spec");
    swarm->deployment = json_get_string(swarm->request, "deployment");
    swarm->reason = json_get_string(swarm->request, "reason");
    swarm->elapsed_ms = json_get_int(swarm->request, "elapsed_ms", 0);
    if (!swarm->deployment || !json_count(nodes))
        return plugin_fail(swarm->call, MEMORIES_INTERNAL, NULL, NULL, "the request has no deployment or no nodes");
    int port = (int)json_get_int(json_get_object(swarm->spec, "swarm"), "engine_port", ENGINE_PORT);
    struct swarm_node *list = plugin_host->allocate(swarm->call, json_count(nodes) * sizeof *list);
    if (!list)
        return plugin_no_memory(swarm->call);
    swarm->nodes = list;
    swarm->count = json_count(nodes);
    for (size_t i = 0; i < swarm->count; i++) {
        int32_t code = read_node(swarm, &swarm->nodes[i], json_at(nodes, i), port);
        if (code)
            return code;
    }
    return MEMORIES_OK;
}

int32_t swarm_open(struct swarm *swarm, struct memories_call *call, const char *request)
{
    *swarm = (struct swarm){ .call = call };
    swarm->request = plugin_parse(call, request, "request");
    if (!swarm->request)
        return MEMORIES_INTERNAL;
    int32_t code = read_request(swarm);
    if (!code)
        code = ask_all(swarm);
    if (!code)
        find_manager(swarm);
    return code;
}

void swarm_close(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++)
        json_object_put(swarm->nodes[i].info);
    json_object_put(swarm->nodes_listed);
    json_object_put(swarm->services_listed);
    json_object_put(swarm->tasks_listed);
    json_object_put(swarm->request);
}

/* ---- what the manager knows ---- */

const char *listed_hostname(json_object *listed)
{
    const char *name = json_get_string(json_get_object(listed, "Description"), "Hostname");
    return name ? name : "";
}

const char *listed_role(json_object *listed)
{
    const char *role = json_get_string(json_get_object(listed, "Spec"), "Role");
    return role ? role : "";
}

const char *listed_state(json_object *listed)
{
    const char *state = json_get_string(json_get_object(listed, "Status"), "State");
    return state ? state : "unknown";
}

const char *listed_availability(json_object *listed)
{
    const char *availability = json_get_string(json_get_object(listed, "Spec"), "Availability");
    return availability ? availability : "active";
}

bool listed_is_member(json_object *listed)
{
    return json_get(listed, "ManagerStatus");
}

bool listed_is_leader(json_object *listed)
{
    return json_get_bool(json_get_object(listed, "ManagerStatus"), "Leader", false);
}

bool listed_is_leaving(json_object *listed)
{
    return json_get(json_get_object(json_get_object(listed, "Spec"), "Labels"), LABEL_LEAVING);
}

/* A node that came back under its old name is listed twice: its engine knows which entry is its own. Without its word,
 * the entry that is not down. */
static bool is_entry_of(const struct swarm_node *node, json_object *listed)
{
    const char *id = json_get_string(listed, "ID");
    if (node->node_id && *node->node_id)
        return id && !strcmp(id, node->node_id);
    return !node->listed || strcmp(listed_state(listed), "down") != 0;
}

/* One that has just joined has no name in the list yet, but its id. */
static json_object *positions_of(const struct swarm *swarm)
{
    AUTO_JSON json_object *positions = json_object_new_object();
    int failed = positions ? 0 : MEMORIES_NO_MEMORY;
    for (size_t i = 0; i < swarm->count; i++) {
        const char *id = swarm->nodes[i].node_id;
        failed |= json_set_int(positions, swarm->nodes[i].name, (int64_t)i);
        failed |= id && *id ? json_set_int(positions, id, (int64_t)i) : 0;
    }
    return failed ? NULL : STEAL(positions);
}

static int32_t match_nodes(struct swarm *swarm)
{
    AUTO_JSON json_object *positions = positions_of(swarm);
    size_t count = json_count(swarm->nodes_listed);
    swarm->namesakes = plugin_host->allocate(swarm->call, (count + 1) * sizeof *swarm->namesakes);
    if (!positions || !swarm->namesakes)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < count; i++) {
        json_object *listed = json_at(swarm->nodes_listed, i);
        const char *name = listed_hostname(listed), *id = json_get_string(listed, "ID");
        int64_t at = *name || !id ? json_get_int(positions, name, -1) : json_get_int(positions, id, -1);
        struct swarm_node *node = swarm->namesakes[i] = at < 0 ? NULL : &swarm->nodes[at];
        if (node && is_entry_of(node, listed))
            node->listed = listed;
    }
    return MEMORIES_OK;
}

static json_object *take_list(struct swarm *swarm, const struct memories_http_response *response)
{
    json_object *list = response->status == 200 ? json_tokener_parse(response->body) : NULL;
    if (json_object_is_type(list, json_type_array))
        return list;
    json_object_put(list);
    swarm->problem = swarm_keep(swarm, http_problem(swarm->call, response));
    return NULL;
}

int32_t swarm_read(struct swarm *swarm)
{
    const struct memories_http_request requests[] = {
        swarm_request(swarm, swarm->manager, "GET", "/nodes", NULL),
        swarm_request(swarm, swarm->manager, "GET", "/services?status=true", NULL),
        swarm_request(swarm, swarm->manager, "GET", "/tasks", NULL),
    };
    const struct memories_http_response *responses[ARRAY_COUNT(requests)];
    json_object **const lists[] = { &swarm->nodes_listed, &swarm->services_listed, &swarm->tasks_listed };
    int32_t code = http_send_all(swarm->call, requests, ARRAY_COUNT(requests), responses);
    swarm->problem = NULL;
    for (size_t i = 0; !code && i < ARRAY_COUNT(lists); i++) {
        json_object_put(*lists[i]);
        *lists[i] = take_list(swarm, responses[i]);
    }
    return code ? code : match_nodes(swarm);
}

/* ---- changing a node ---- */

static json_object *node_spec(const struct node_change *change)
{
    json_object *spec = NULL;
    if (json_object_deep_copy(json_get_object(change->listed, "Spec"), &spec, NULL))
        return NULL;
    json_object *labels = json_get_object(spec, "Labels");
    int failed = change->role ? json_set_string(spec, "Role", change->role) : 0;
    failed |= change->availability ? json_set_string(spec, "Availability", change->availability) : 0;
    if (!labels)
        labels = json_set_new_object(spec, "Labels");
    if (change->leaving)
        failed |= json_set_string(labels, LABEL_LEAVING, "true");
    else if (labels)
        json_object_object_del(labels, LABEL_LEAVING);
    if (labels && !failed)
        return spec;
    json_object_put(spec);
    return NULL;
}

static const char *node_update_path(struct swarm *swarm, json_object *listed)
{
    int64_t version = json_get_int(json_get_object(listed, "Version"), "Index", 0);
    return plugin_format(swarm->call, "/nodes/%s/update?version=%lld", json_get_string(listed, "ID"),
                         (long long)version);
}

/* A change that somebody else made in between is refused by Docker; then the next step sees it and tries again. */
int32_t swarm_update_nodes(struct swarm *swarm, const struct node_change *changes, size_t count)
{
    struct memories_http_request *requests = plugin_host->allocate(swarm->call, (count + 1) * sizeof *requests);
    const struct memories_http_response **responses =
        plugin_host->allocate(swarm->call, (count + 1) * sizeof *responses);
    json_object **specs = plugin_host->allocate(swarm->call, (count + 1) * sizeof *specs);
    if (!requests || !responses || !specs)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < count; i++) {
        specs[i] = node_spec(&changes[i]);
        requests[i] = swarm_post(swarm, swarm->manager, swarm_keep(swarm, node_update_path(swarm, changes[i].listed)),
                                 specs[i]);
    }
    int32_t code = http_send_all(swarm->call, requests, count, responses);
    for (size_t i = 0; i < count; i++)
        json_object_put(specs[i]);
    for (size_t i = 0; !code && i < count; i++)
        if (!swarm_accepted(responses[i]))
            swarm_wait(swarm, "changing %s: %s", listed_hostname(changes[i].listed),
                       http_problem(swarm->call, responses[i]));
    return code;
}
