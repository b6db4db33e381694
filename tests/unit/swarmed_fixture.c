/* swarmed_fixture.c - driving the swarmed topology's slots, see swarmed_fixture.h */
#include "tests/unit/swarmed_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "tests/unit/topology.h"

#define DEPLOYMENT "swarmed-local-20260225-123456"
#define TAR_BLOCK 512

const struct memories_topology_ops *swarmed;
int swarmed_elapsed_ms, swarmed_waiting_ms;
const char *swarmed_reason;

static char directory[] = "/tmp/memories-swarmed.XXXXXX";
static struct memories_call *call;
static json_object *spec, *states, *members;
static char *request, *last_message;

void swarmed_set_up(void)
{
    memset(directory + strlen(directory) - 6, 'X', 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    setenv("MEMORIES_IMAGE_DIR", directory, 1);
    swarmed_archive("memories-server", BUILTIN_DIGIT);
    fake_host_reset();
    swarmed = open_topology("swarmed");
    states = json_object_new_object();
    swarmed_elapsed_ms = swarmed_waiting_ms = 0;
    swarmed_reason = "deploy";
}

void swarmed_tear_down(void)
{
    char command[128];
    if (call)
        fake_call_free(call);
    call = NULL;
    json_object_put(spec);
    json_object_put(states);
    json_object_put(members);
    spec = states = members = NULL;
    free(request);
    free(last_message);
    request = last_message = NULL;
    fake_swarm_close();
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
}

static json_object *parse_quoted(const char *text)
{
    AUTO_FREE char *copy = strdup(text);
    for (char *at = copy; (at = strchr(at, '\''));)
        *at = '"';
    json_object *parsed = json_tokener_parse(copy);
    ck_assert_msg(parsed, "no JSON: %s", text);
    return parsed;
}

/* ---- Archives ---- */

static void write_member(FILE *file, const char *name, const char *content)
{
    char header[TAR_BLOCK] = { 0 }, block[TAR_BLOCK];
    size_t length = strlen(content);
    snprintf(header, 100, "%s", name);
    snprintf(header + 100, 8, "0000644");
    snprintf(header + 124, 12, "%011o", (unsigned)length & 0777777777);
    header[156] = '0';
    memcpy(header + 257, "ustar", 6);
    ck_assert_uint_eq(fwrite(header, sizeof header, 1, file), 1);
    for (size_t at = 0; at < length; at += TAR_BLOCK) {
        memset(block, 0, sizeof block);
        memcpy(block, content + at, length - at < TAR_BLOCK ? length - at : TAR_BLOCK);
        ck_assert_uint_eq(fwrite(block, sizeof block, 1, file), 1);
    }
}

const char *swarmed_image(char digit)
{
    static char id[72];
    memset(id, digit, sizeof id);
    memcpy(id, "sha256:", 7);
    id[7 + 64] = '\0';
    return id;
}

const char *swarmed_archive(const char *name, char digit)
{
    static char path[160];
    char manifest[160];
    snprintf(path, sizeof path, "%s/%s.tar", directory, name);
    snprintf(manifest, sizeof manifest, "[{\"Config\":\"%s.json\",\"RepoTags\":[\"x:1\"],\"Layers\":[]}]",
             swarmed_image(digit) + 7);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    write_member(file, "./layer", "what is in front of the manifest is passed over");
    write_member(file, "./manifest.json", manifest);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

/* ---- Specs ---- */

static json_object *planned(size_t managers, size_t workers, const char *config)
{
    char text[4096];
    snprintf(text, sizeof text,
             "{'version':1,'deployment':'" DEPLOYMENT "','config':{'swarm':{'manager_nodes':%zu,'worker_nodes':%zu,"
             "'max_nodes':1000}%s%s}}",
             managers, workers, *config ? "," : "", config);
    AUTO_JSON json_object *document = parse_quoted(text);
    struct memories_call *planning = fake_call_new();
    int32_t code = swarmed->plan(planning, json_object_to_json_string(document));
    const struct memories_error_detail *error = fake_call_error(planning);
    ck_assert_msg(code == MEMORIES_OK, "plan: %s", error ? error->message : "no reason");
    json_object *result = json_ref(fake_call_result(planning));
    fake_call_free(planning);
    return result;
}

void swarmed_plan(size_t managers, size_t workers, const char *config)
{
    json_object_put(spec);
    spec = planned(managers, workers, config);
}

void swarmed_open(size_t managers, size_t workers, const char *config)
{
    fake_swarm_open(managers, workers);
    swarmed_plan(managers, workers, config);
}

void swarmed_open_formed(size_t managers, size_t workers, const char *config)
{
    swarmed_open(managers, workers, config);
    swarmed_until_done(swarmed->converge, 30);
    fake_swarm_log();
}

/* ---- Requests ---- */

void swarmed_set_state(const char *name, const char *state)
{
    ck_assert(!json_set_string(states, name, state));
}

void swarmed_set_request(const char *text)
{
    json_object_put(members);
    members = parse_quoted(text);
}

static json_object *roles_by_name(void)
{
    json_object *roles = json_object_new_object(), *nodes = json_get_array(spec, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        ck_assert(!json_set(roles, json_get_string(json_at(nodes, i), "name"),
                            json_ref(json_get(json_at(nodes, i), "role"))));
    return roles;
}

/* While a change is checked, the nodes have their roles of before it. */
static const char *role_of(const struct fake_engine *engine, json_object *roles)
{
    if (json_get_bool(members, "check", false))
        return !strncmp(engine->name, "manager", strlen("manager")) ? "manager" : "worker";
    return json_get_string(roles, engine->name);
}

static void add_node(json_object *nodes, const struct fake_engine *engine, json_object *roles)
{
    const char *state = json_get_string(states, engine->name);
    json_object *node = json_add_new_object(nodes), *outputs = json_set_new_object(node, "outputs");
    ck_assert(!json_set_string(node, "name", engine->name));
    ck_assert(!json_set_string(node, "role", role_of(engine, roles)));
    ck_assert(!json_set_string(node, "state", state ? state : "ready"));
    if (state && !strcmp(state, "absent"))
        return;
    ck_assert(!json_set_string(outputs, "address", engine->address));
    ck_assert(!json_set_string(outputs, "private_address", engine->address));
}

const char *swarmed_request(void)
{
    AUTO_JSON json_object *document = json_object_new_object();
    AUTO_JSON json_object *roles = roles_by_name();
    ck_assert(!json_set_int(document, "version", 1) && !json_set_string(document, "deployment", DEPLOYMENT));
    ck_assert(!json_set_string(document, "reason", swarmed_reason));
    ck_assert(!json_set_int(document, "elapsed_ms", swarmed_elapsed_ms));
    ck_assert(!json_set_string(document, "waiting_for", last_message));
    ck_assert(!json_set_int(document, "waiting_ms", swarmed_waiting_ms));
    ck_assert(!json_set(document, "spec", json_ref(spec)));
    json_object *nodes = json_set_new_array(document, "nodes");
    for (size_t i = 0; i < fake_swarm.count; i++)
        if (!fake_swarm.engines[i].is_stranger)
            add_node(nodes, &fake_swarm.engines[i], roles);
    if (members) {
        json_object_object_foreach(members, key, value) {
            ck_assert(!json_set(document, key, json_ref(value)));
        }
    }
    free(request);
    request = strdup(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
    return request;
}

/* ---- Calls ---- */

/* The way into the swarm is nobody's to see. */
static void expect_no_token(void)
{
    const struct memories_error_detail *error = fake_call_error(call);
    const char *const texts[] = { fake_call_result_text(call), fake_call_log(call), error ? error->message : NULL,
                                  error ? error->hint : NULL };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        ck_assert_msg(!texts[i] || !strstr(texts[i], FAKE_TOKEN_PREFIX), "a token is told: %s", texts[i]);
}

static int32_t call_slot(swarmed_slot *slot)
{
    if (call)
        fake_call_free(call);
    call = fake_call_new();
    int32_t code = slot(call, swarmed_request());
    expect_no_token();
    return code;
}

json_object *swarmed_call(swarmed_slot *slot)
{
    int32_t code = call_slot(slot);
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_msg(code == MEMORIES_OK, "code %d: %s", code, error ? error->message : "no reason");
    ck_assert_ptr_nonnull(fake_call_result(call));
    const char *message = json_get_string(fake_call_result(call), "message");
    free(last_message);
    last_message = message ? strdup(message) : NULL;
    return fake_call_result(call);
}

const struct memories_error_detail *swarmed_fails(swarmed_slot *slot, int32_t code)
{
    int32_t found = call_slot(slot);
    ck_assert_msg(found == code, "code %d, result %s", found,
                  fake_call_result_text(call) ? fake_call_result_text(call) : "none");
    ck_assert_int_eq(fake_call_error(call)->code, code);
    return fake_call_error(call);
}

const char *swarmed_waits(swarmed_slot *slot)
{
    json_object *result = swarmed_call(slot);
    ck_assert_msg(!json_get_bool(result, "done", true), "it is done: %s", fake_call_result_text(call));
    ck_assert_int_gt(json_get_int(result, "poll_after_ms", 0), 0);
    return json_get_string(result, "message");
}

int swarmed_until_done(swarmed_slot *slot, int most)
{
    for (int calls = 1;; calls++) {
        json_object *result = swarmed_call(slot);
        if (json_get_bool(result, "done", false))
            return calls;
        ck_assert_msg(calls < most, "not done after %d calls: %s; changed last: %s", calls,
                      json_get_string(result, "message"), fake_swarm_log());
        fake_swarm_pass();
    }
}
