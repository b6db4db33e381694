/*
 * config.c - the configuration objects of the public API: load, override, read
 *
 * A file holds either everything ({topology, provider, name, config}) or the guide's bare config. Overrides come on
 * top.
 */
#include "core/config/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema_problem.h"
#include "core/config/suggest.h"

static const char *const file_keys[] = { "topology", "provider", "name", "config" };

static void add_place(const memories_config *config, json_object *value, const char *path, memories_error **error)
{
    unsigned line = config_line(value);
    if (line)
        error_where(error, "%s:%u: %s", config->file, line, path);
    else
        error_where(error, "%s: %s", config->file, path);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static bool is_plugin_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return islower((unsigned char)name[0]) && !name[length] && length <= 31;
}

/* A deployment's name: what a host name's label may be, since providers make names of it. */
static bool is_deployment_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return islower((unsigned char)name[0]) && !name[length] && length <= 63 && name[length - 1] != '-';
}

static int replace(char **slot, const char *value, memories_error **error)
{
    char *copy = strdup(value);
    if (!copy)
        return error_no_memory(error);
    free(*slot);
    *slot = copy;
    return 0;
}

static int set_plugin_name(char **slot, const char *what, const char *value, memories_error **error)
{
    if (is_plugin_name(value))
        return replace(slot, value, error);
    error_set(error, MEMORIES_INVALID, "\"%s\" can't be the name of a %s", value, what);
    error_hint(error, "such a name has at most 31 lower-case letters, digits and underscores, a letter first");
    return MEMORIES_INVALID;
}

int memories_config_set_topology(memories_config *config, const char *topology, memories_error **error)
{
    return set_plugin_name(&config->topology, "topology", topology, error);
}

int memories_config_set_provider(memories_config *config, const char *provider, memories_error **error)
{
    return set_plugin_name(&config->provider, "provider", provider, error);
}

int memories_config_set_name(memories_config *config, const char *name, memories_error **error)
{
    if (is_deployment_name(name))
        return replace(&config->name, name, error);
    error_set(error, MEMORIES_INVALID, "\"%s\" can't be the name of a deployment", name);
    error_hint(error,
               "such a name has at most 63 lower-case letters, digits and hyphens, a letter first, no hyphen last");
    return MEMORIES_INVALID;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static int fail_unknown_key(const memories_config *config, const char *key, json_object *value, memories_error **error)
{
    error_set(error, MEMORIES_INVALID, "`%s` is not a known key", key);
    add_place(config, value, key, error);
    const char *meant = suggest_name(key, file_keys, ARRAY_COUNT(file_keys));
    if (meant)
        error_hint(error, "did you mean `%s`?", meant);
    else
        error_hint(error, "beside topology, provider and name, everything belongs under `config`");
    return MEMORIES_INVALID;
}

static int fail_type(const memories_config *config, json_object *value, const char *key, const char *expected,
                     memories_error **error)
{
    struct text found = TEXT_INIT;
    describe_value(&found, value);
    AUTO_FREE char *text = text_take(&found);
    if (!text)
        return error_no_memory(error);
    error_set(error, MEMORIES_INVALID, "expected %s, found %s", expected, text);
    add_place(config, value, key, error);
    return MEMORIES_INVALID;
}

static int take_string(memories_config *config, json_object *root, const char *key,
                       int set(memories_config *, const char *, memories_error **), memories_error **error)
{
    json_object *value = json_get(root, key);
    if (!value)
        return 0;
    if (!json_object_is_type(value, json_type_string))
        return fail_type(config, value, key, "a string", error);
    int failed = set(config, json_object_get_string(value), error);
    if (failed)
        add_place(config, value, key, error);
    return failed;
}

static int take_config(memories_config *config, json_object *root, memories_error **error)
{
    json_object *value = json_get(root, "config");
    if (value && !json_object_is_type(value, json_type_object))
        return fail_type(config, value, "config", "a mapping", error);
    config->config = value ? json_ref(value) : json_object_new_object();
    return config->config ? 0 : error_no_memory(error);
}

static int take_whole_file(memories_config *config, json_object *root, memories_error **error)
{
    json_object_object_foreach(root, key, value) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_COUNT(file_keys); i++)
            known |= !strcmp(key, file_keys[i]);
        if (!known)
            return fail_unknown_key(config, key, value, error);
    }
    int failed = take_string(config, root, "topology", memories_config_set_topology, error);
    if (!failed)
        failed = take_string(config, root, "provider", memories_config_set_provider, error);
    if (!failed)
        failed = take_string(config, root, "name", memories_config_set_name, error);
    return failed ? failed : take_config(config, root, error);
}

static bool is_whole_file(json_object *root)
{
    for (size_t i = 0; i < ARRAY_COUNT(file_keys); i++)
        if (json_object_object_get_ex(root, file_keys[i], NULL))
            return true;
    return false;
}

static int take_root(memories_config *config, json_object *root, memories_error **error)
{
    if (is_whole_file(root))
        return take_whole_file(config, root, error);
    config->config = json_ref(root);
    return 0;
}

memories_config *memories_config_parse(memories_context *context, const char *text, size_t bytes, const char *name,
                                       memories_error **error)
{
    (void)context;
    AUTO_JSON json_object *root = config_parse_text(text, bytes, name, error);
    if (!root)
        return NULL;
    memories_config *config = calloc(1, sizeof *config);
    if (!config || !(config->file = strdup(name)))
        error_no_memory(error);
    else if (take_root(config, root, error) == 0)
        return config;
    memories_config_free(config);
    return NULL;
}

memories_config *memories_config_load(memories_context *context, const char *path, memories_error **error)
{
    size_t bytes = 0;
    AUTO_FREE char *text = file_read(path, CONFIG_BYTES_MAX, &bytes, error);
    if (!text)
        return NULL;
    return memories_config_parse(context, text, bytes, strcmp(path, "-") ? path : "standard input", error);
}

void memories_config_free(memories_config *config)
{
    if (!config)
        return;
    free(config->file);
    free(config->topology);
    free(config->provider);
    free(config->name);
    json_object_put(config->config);
    free(config);
}

/* ---- path=value -------------------------------------------------------------------------------------------------- */

/* One step of "node_specs[0].zone": a key, or with key NULL an index. */
struct step {
    char *key;
    size_t index;
};

struct path {
    struct step steps[JSON_DEPTH_MAX];
    size_t count;
};

static void clear_path(struct path *path)
{
    for (size_t i = 0; i < path->count; i++)
        free(path->steps[i].key);
}

static int fail_path(const char *text, memories_error **error)
{
    error_set(error, MEMORIES_INVALID, "\"%s\" is not a path of keys", text);
    error_hint(error, "write network.cidr=10.0.0.0/16 or node_specs[0].zone=us-west1-a");
    return MEMORIES_INVALID;
}

static size_t key_length(const char *at)
{
    return strcspn(at, ".[]=");
}

/* "[12]" -> 12; the length read, or 0. */
static size_t parse_index(const char *at, size_t *index)
{
    size_t digits = strspn(at + 1, "0123456789");
    if (!digits || digits > 6 || at[1 + digits] != ']')
        return 0;
    *index = strtoul(at + 1, NULL, 10);
    return digits + 2;
}

static int parse_path(const char *text, struct path *path, memories_error **error)
{
    const char *at = text;
    while (*at) {
        if (path->count == JSON_DEPTH_MAX)
            return fail_path(text, error);
        struct step *step = &path->steps[path->count];
        *step = (struct step){ NULL, 0 };
        size_t length;
        if (*at == '[' && path->count) {
            length = parse_index(at, &step->index);
        } else {
            if (path->count && *at++ != '.')
                return fail_path(text, error);
            length = key_length(at);
            step->key = length ? strndup(at, length) : NULL;
            if (length && !step->key)
                return error_no_memory(error);
        }
        if (!length)
            return fail_path(text, error);
        path->count++;
        at += length;
    }
    return path->count ? 0 : fail_path(text, error);
}

static json_object *get_child(json_object *container, const struct step *step)
{
    return step->key ? json_get(container, step->key) : json_object_array_get_idx(container, step->index);
}

static int put_child(json_object *container, const struct step *step, json_object *child)
{
    if (step->key)
        return json_set(container, step->key, child);
    if (json_object_array_put_idx(container, step->index, child) == 0)
        return 0;
    json_object_put(child);
    return MEMORIES_NO_MEMORY;
}

/* Is `container` something that `step` can go into? */
static int check_step(json_object *container, const struct step *step, memories_error **error)
{
    if (step->key && !json_object_is_type(container, json_type_object))
        return error_set(error, MEMORIES_INVALID, "there can't be a key `%s` in what is no mapping", step->key);
    if (!step->key && !json_object_is_type(container, json_type_array))
        return error_set(error, MEMORIES_INVALID, "there can't be an item [%zu] in what is no list", step->index);
    if (!step->key && step->index > json_object_array_length(container))
        return error_set(error, MEMORIES_INVALID, "there is no item [%zu]: the list has %zu", step->index,
                         json_object_array_length(container));
    return 0;
}

/* Puts `value` (borrowed) at the end of the steps that start in `current`. Gives what now stands in the place of
 * `current`: a new reference to itself, or what had to be made there. Nothing is changed on failure. */
static int assign(json_object *current, const struct step *steps, size_t count, json_object *value,
                  json_object **result, memories_error **error)
{
    if (!count) {
        *result = json_ref(value);
        return 0;
    }
    AUTO_JSON json_object *container = current      ? json_ref(current)
                                       : steps->key ? json_object_new_object()
                                                    : json_object_new_array();
    if (!container)
        return error_no_memory(error);
    int failed = check_step(container, steps, error);
    json_object *child = NULL;
    if (!failed)
        failed = assign(get_child(container, steps), steps + 1, count - 1, value, &child, error);
    if (failed)
        return failed;
    if (put_child(container, steps, child))
        return error_no_memory(error);
    *result = STEAL(container);
    return 0;
}

static int set_path(memories_config *config, const char *path_text, const char *value_text, memories_error **error)
{
    struct path path = { .count = 0 };
    AUTO_JSON json_object *value = NULL;
    json_object *root = NULL;
    if (!strncmp(path_text, "config.", 7))
        path_text += 7;
    int failed = parse_path(path_text, &path, error);
    if (!failed)
        failed = config_parse_value(value_text, "the value", &value, error);
    if (!failed)
        failed = assign(config->config, path.steps, path.count, value, &root, error);
    json_object_put(root); /* the same as config->config, which was never NULL */
    clear_path(&path);
    return failed;
}

static int set_assignment(memories_config *config, const char *assignment, memories_error **error)
{
    const char *equals = strchr(assignment, '=');
    if (!equals)
        return fail_path(assignment, error);
    AUTO_FREE char *path = strndup(assignment, (size_t)(equals - assignment));
    return path ? set_path(config, path, equals + 1, error) : error_no_memory(error);
}

int memories_config_set(memories_config *config, const char *assignment, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    int failed = set_assignment(config, assignment, &problem);
    if (!failed)
        return 0;
    /* A place in the value ("the value:1:3") would be one in no file. */
    error_set(error, failed, "%s", memories_error_message(problem));
    error_where(error, "%s", assignment);
    if (memories_error_hint(problem))
        error_hint(error, "%s", memories_error_hint(problem));
    return failed;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

const char *memories_config_topology(const memories_config *config)
{
    return config->topology;
}

const char *memories_config_provider(const memories_config *config)
{
    return config->provider;
}

const char *memories_config_name(const memories_config *config)
{
    return config->name;
}

char *memories_config_json(const memories_config *config)
{
    AUTO_JSON json_object *json = json_object_new_object();
    if (!json || json_set_string(json, "topology", config->topology) ||
        json_set_string(json, "provider", config->provider) || json_set_string(json, "name", config->name) ||
        json_set(json, "config", json_ref(config->config)))
        return NULL;
    return json_pretty(json);
}

int config_require_pair(const memories_config *config, memories_error **error)
{
    if (config->topology && config->provider)
        return 0;
    error_set(error, MEMORIES_INVALID, "the %s is not known", config->topology ? "provider" : "topology");
    error_where(error, "%s", config->file);
    error_hint(error, config->topology ? "add `provider: local` (or aws, gcp, azure) to the file, or give --provider"
                                       : "add `topology: consensus` (or standalone, swarmed) to the file, or give --topology");
    return MEMORIES_INVALID;
}
