/* api_fixture.c - the public calls on the fake plugins, see api_fixture.h */
#include "tests/unit/api_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/store/store.h"

char api_state_dir[] = "/tmp/memories-api.XXXXXX";
memories_context *context;

static char *plugin_path;
static struct text events;
static char *shown;
static const char *cancel_at;
static json_object *last_record;
static char deployed_id[128];

void api_begin(void)
{
    const char *builddir = getenv("builddir");
    AUTO_FREE char *relative = text_format("%s/tests/plugins/.libs", builddir ? builddir : ".");
    plugin_path = realpath(relative, NULL);
    if (!plugin_path) {
        puts("skipped: the test plugins are not built");
        exit(77);
    }
}

static void note_event(const struct memories_event *event, void *user_data)
{
    size_t before = events.length;
    bool is_release = event->operation && !strcmp(event->operation, "release");
    (void)user_data;
    if (event->kind == MEMORIES_EVENT_PROGRESS && is_release)
        text_printf(&events, "release: %s\n", event->text);
    else if (event->kind == MEMORIES_EVENT_DONE || (event->kind == MEMORIES_EVENT_PHASE && !is_release))
        text_printf(&events, "%s%s%s\n", event->operation, event->key ? " " : "", event->key ? event->key : "");
    if (cancel_at && events.length > before && strstr(events.bytes + before, cancel_at)) {
        cancel_at = NULL;
        memories_cancel(context);
    }
}

memories_context *api_context(memories_event_fn *on_event, void *user_data)
{
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = api_state_dir;
    options.plugin_path = plugin_path;
    options.on_event = on_event;
    options.user_data = user_data;
    memories_error *error = NULL;
    memories_context *made = memories_context_new(&options, &error);
    ck_assert_msg(made, "%s", memories_error_message(error));
    return made;
}

void api_set_up(void)
{
    memset(api_state_dir + strlen(api_state_dir) - 6, 'X', 6);
    ck_assert_ptr_nonnull(mkdtemp(api_state_dir));
    context = api_context(note_event, NULL);
}

void api_tear_down(void)
{
    memories_context_free(context);
    context = NULL;
    json_object_put(last_record);
    last_record = NULL;
    text_clear(&events);
    free(shown);
    shown = NULL;
    cancel_at = NULL;
    ck_assert_int_eq(directory_remove(api_state_dir, NULL), 0);
}

const char *api_plugin_path(void)
{
    return plugin_path;
}

void api_lose_store(void)
{
    static const char *const files[] = { "memories.db", "memories.db-wal", "memories.db-shm" };
    memories_context_free(context);
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        AUTO_FREE char *path = text_format("%s/%s", api_state_dir, files[i]);
        ck_assert(unlink(path) == 0 || errno == ENOENT);
    }
    context = api_context(note_event, NULL);
}

const char *api_events(void)
{
    free(shown);
    shown = text_take(&events);
    if (!shown)
        shown = strdup("");
    return shown;
}

void api_cancel_at(const char *event)
{
    cancel_at = event;
}

memories_config *api_config(const char *topology, const char *body)
{
    AUTO_FREE char *text = text_format("{topology: %s, provider: fake, config: %s}", topology, body);
    memories_error *error = NULL;
    memories_config *config = memories_config_parse(context, text, strlen(text), "test.yaml", &error);
    ck_assert_msg(config, "%s", memories_error_message(error));
    return config;
}

void api_deploy_topology(const char *topology, const char *body)
{
    memories_config *config = api_config(topology, body);
    ck_assert_int_eq(memories_config_set_name(config, "one", NULL), 0);
    memories_error *error = NULL;
    memories_deployment *made = memories_deploy(context, config, 0, &error);
    memories_config_free(config);
    snprintf(deployed_id, sizeof deployed_id, "%s", made ? memories_deployment_id(made) : "");
    api_expect(made, error, "running");
    api_events();
}

const char *api_id(void)
{
    return deployed_id;
}

void api_deploy(const char *body)
{
    api_deploy_topology("fake", body);
}

void api_expect(memories_deployment *deployment, const memories_error *error, const char *status)
{
    AUTO_FREE char *text = error ? memories_error_text(error) : NULL;
    ck_assert_msg(deployment, "it failed: %s", text ? text : "without a reason");
    ck_assert_str_eq(memories_deployment_status(deployment), status);
    memories_deployment_free(deployment);
}

void api_expect_status(const char *status)
{
    memories_error *error = NULL;
    memories_deployment *seen = memories_show(context, "one", &error);
    api_expect(seen, error, status);
}

void api_expect_error(memories_deployment *deployment, memories_error *error, int code, const char *message,
                      const char *hint)
{
    ck_assert_ptr_null(deployment);
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(memories_error_code(error) == code, "%s: %s", memories_code_name(memories_error_code(error)),
                  memories_error_message(error));
    ck_assert_str_eq(memories_error_message(error), message);
    ck_assert_pstr_eq(memories_error_hint(error), hint);
    memories_error_free(error);
}

json_object *api_record(void)
{
    memories_error *error = NULL;
    struct store *store = store_open(api_state_dir, &error);
    json_object *record = store ? store_deployment_find(store, "one", &error) : NULL;
    ck_assert_msg(record, "%s", memories_error_message(error));
    store_close(store);
    return record;
}

static const char *text_of(json_object *value)
{
    return value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "";
}

const char *api_recorded(const char *member)
{
    json_object_put(last_record);
    last_record = api_record();
    return text_of(json_get(last_record, member));
}

const char *api_joined(void)
{
    api_recorded("id");
    return text_of(json_get(json_get(last_record, "membership"), "joined"));
}

/* ---- The cloud ---- */

static char *cloud_path(void)
{
    AUTO_JSON json_object *record = api_record();
    return text_format("%s/fake/%s.json", api_state_dir, json_get_string(record, "id"));
}

static json_object *read_cloud(void)
{
    AUTO_FREE char *path = cloud_path();
    json_object *cloud = json_object_from_file(path);
    ck_assert_msg(cloud, "%s can't be read", path);
    return cloud;
}

static void write_cloud(json_object *cloud)
{
    AUTO_FREE char *path = cloud_path();
    ck_assert_int_eq(json_object_to_file(path, cloud), 0);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_object_get_string(*(json_object *const *)a), json_object_get_string(*(json_object *const *)b));
}

const char *api_nodes(void)
{
    static char names[4096];
    AUTO_JSON json_object *cloud = read_cloud();
    AUTO_JSON json_object *list = json_object_new_array();
    json_object_object_foreach(json_get_object(cloud, "objects"), id, object) {
        (void)id;
        const char *key = json_get_string(object, "key");
        if (!strncmp(key, "node/", 5) && json_get_int(object, "state", -1) == MEMORIES_STATE_READY)
            ck_assert(!json_add_string(list, key + 5));
    }
    json_object_array_sort(list, by_text);
    *names = '\0';
    for (size_t i = 0; i < json_count(list); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "",
                 json_object_get_string(json_object_array_get_idx(list, i)));
    return names;
}

static const char *find_object(json_object *cloud, const char *node)
{
    AUTO_FREE char *key = text_format("node/%s", node);
    json_object_object_foreach(json_get_object(cloud, "objects"), id, object) {
        if (!strcmp(json_get_string(object, "key"), key))
            return id;
    }
    return NULL;
}

const char *api_instance(const char *node)
{
    static char found[64];
    AUTO_JSON json_object *cloud = read_cloud();
    const char *id = find_object(cloud, node);
    snprintf(found, sizeof found, "%s", id ? id : "");
    return found;
}

void api_lose(const char *node)
{
    AUTO_JSON json_object *cloud = read_cloud();
    AUTO_FREE char *id = strdup(api_instance(node));
    json_object_object_del(json_get_object(cloud, "objects"), id);
    write_cloud(cloud);
}

static void set_state(const char *node, uint32_t state)
{
    AUTO_JSON json_object *cloud = read_cloud();
    json_object *object = json_get(json_get_object(cloud, "objects"), api_instance(node));
    ck_assert(!json_set_int(object, "state", state));
    write_cloud(cloud);
}

void api_break(const char *node)
{
    set_state(node, MEMORIES_STATE_BROKEN);
}

void api_switch_off(const char *node)
{
    set_state(node, MEMORIES_STATE_STOPPED);
}

/* ---- The audit trail ---- */

const char *api_audit(const char *event)
{
    static char detail[4096];
    char *text = memories_audit(context, "one", NULL);
    AUTO_JSON json_object *trail = json_parse(text, "audit", NULL);
    memories_free(text);
    for (size_t i = json_count(trail); i > 0; i--) {
        json_object *entry = json_object_array_get_idx(trail, i - 1);
        if (strcmp(json_get_string(entry, "event"), event))
            continue;
        snprintf(detail, sizeof detail, "%s",
                 json_object_to_json_string_ext(json_get(entry, "detail"), JSON_C_TO_STRING_PLAIN));
        return detail;
    }
    return NULL;
}
