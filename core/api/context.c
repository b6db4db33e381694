/* context.c - the context: state directory, store, plugins, events */
#include "core/api/context.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/loader/name.h"

const char *memories_version(void)
{
    return PACKAGE_VERSION;
}

/* A variable that is set to something, and that a set-id program does not believe. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

static char *default_state_dir(memories_error **error)
{
    const char *own = environment("MEMORIES_STATE_DIR"), *state = environment("XDG_STATE_HOME");
    const char *home = environment("HOME");
    if (own)
        return strdup(own);
    if (state && *state == '/') /* the XDG base directory specification: relative paths are ignored */
        return text_format("%s/memories", state);
    if (!home) {
        struct passwd *user = getpwuid(geteuid());
        home = user ? user->pw_dir : NULL;
    }
    if (!home) {
        error_set(error, MEMORIES_FAILED, "no place for the state directory: HOME is not set");
        error_hint(error, "set MEMORIES_STATE_DIR to a directory of yours");
        return NULL;
    }
    return text_format("%s/.local/state/memories", home);
}

/* Absolute, since plugins and supervisors work in other directories. */
static char *absolute_path(const char *path)
{
    if (*path == '/')
        return strdup(path);
    AUTO_FREE char *here = getcwd(NULL, 0);
    return here ? text_format("%s/%s", here, path) : NULL;
}

#define OPERATION_TIMEOUT "MEMORIES_OPERATION_TIMEOUT_S"
#define OPERATION_TIMEOUT_MAX_S 86400

static int read_operation_timeout(int64_t *timeout_ms, memories_error **error)
{
    const char *text = environment(OPERATION_TIMEOUT);
    char *end;
    long seconds = text ? strtol(text, &end, 10) : 0;
    *timeout_ms = (int64_t)seconds * 1000;
    if (!text || (!*end && seconds > 0 && seconds <= OPERATION_TIMEOUT_MAX_S))
        return 0;
    error_set(error, MEMORIES_INVALID, "\"%s\" is no number of seconds from 1 to %d", text, OPERATION_TIMEOUT_MAX_S);
    error_where(error, OPERATION_TIMEOUT);
    error_hint(error, "unset it to wait as long as the provider thinks fit");
    return MEMORIES_INVALID;
}

memories_context *memories_context_new(const struct memories_context_options *options, memories_error **error)
{
    struct memories_context_options known = MEMORIES_CONTEXT_OPTIONS_INIT;
    if (options)
        memcpy(&known, options, options->size < sizeof known ? options->size : sizeof known);
    int64_t operation_timeout_ms;
    AUTO_FREE char *state_dir = known.state_dir ? strdup(known.state_dir) : default_state_dir(error);
    if (!state_dir || read_operation_timeout(&operation_timeout_ms, error))
        return NULL;
    memories_context *context = calloc(1, sizeof *context);
    if (context) {
        pthread_mutex_init(&context->event_lock, NULL);
        context->state_dir = absolute_path(state_dir);
        context->plugin_path = known.plugin_path ? strdup(known.plugin_path) : NULL;
        context->on_event = known.on_event;
        context->operation_timeout_ms = operation_timeout_ms;
        context->user_data = known.user_data;
    }
    if (!context || !context->state_dir || (known.plugin_path && !context->plugin_path)) {
        memories_context_free(context);
        error_no_memory(error);
        return NULL;
    }
    return context;
}

void memories_context_free(memories_context *context)
{
    if (!context)
        return;
    http_client_free(context->http);
    store_close(context->store);
    pthread_mutex_destroy(&context->event_lock);
    free(context->state_dir);
    free(context->plugin_path);
    json_object_put(context->isolated);
    free(context);
}

void memories_cancel(memories_context *context)
{
    atomic_store(&context->cancel, 1);
}

void context_begin(memories_context *context)
{
    atomic_store(&context->cancel, 0);
}

static int make_state_dir(memories_context *context, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    int failed = directory_make(context->state_dir, 0700, &problem);
    if (!failed)
        return 0;
    if (!memories_error_hint(problem))
        error_hint(&problem, "name another directory for what is on record: --state-dir, or MEMORIES_STATE_DIR");
    /* "Not found" is for what was asked for. */
    if (failed == MEMORIES_NOT_FOUND)
        failed = problem->code = MEMORIES_FAILED;
    error_move(error, STEAL(problem));
    return failed;
}

struct store *context_store(memories_context *context, memories_error **error)
{
    if (!context->store && make_state_dir(context, error) == 0)
        context->store = store_open(context->state_dir, error);
    return context->store;
}

struct http_client *context_http(memories_context *context, memories_error **error)
{
    if (!context->http)
        context->http = http_client_new(error);
    return context->http;
}

/* "isolate" of a configuration: true, or one of the two kinds. */
static bool config_isolates(json_object *config, const char *kind)
{
    const char *one = json_get_string(config, "isolate");
    return json_get_bool(config, "isolate", false) || (one && !strcmp(one, kind));
}

static bool is_isolated(const memories_context *context, uint32_t kind, const char *name, json_object *config)
{
    const char *kind_name = plugin_kind_name(kind);
    AUTO_FREE char *whole = text_format("%s-%s", kind_name, name);
    return config_isolates(config, kind_name) || json_get(context->isolated, name) ||
           (whole && json_get(context->isolated, whole));
}

static const struct plugin *open_plugin(memories_context *context, uint32_t kind, const char *name, json_object *config,
                                        memories_error **error)
{
    return is_isolated(context, kind, name, config)
               ? loader_open_isolated(kind, name, context->plugin_path, NULL, error)
               : loader_open(kind, name, context->plugin_path, NULL, error);
}

const struct plugin *context_topology(memories_context *context, const char *name, json_object *config,
                                      memories_error **error)
{
    return open_plugin(context, MEMORIES_PLUGIN_TOPOLOGY, name, config, error);
}

const struct plugin *context_provider(memories_context *context, const char *name, json_object *config,
                                      memories_error **error)
{
    return open_plugin(context, MEMORIES_PLUGIN_PROVIDER, name, config, error);
}

static int open_instance(memories_context *context, json_object *config, struct provider_questions *questions,
                         memories_error **error)
{
    AUTO_JSON json_object *request = json_object_new_object();
    if (json_set_int(request, "version", 1) || json_set_string(request, "deployment", NULL) ||
        json_set_string(request, "state_dir", context->state_dir) ||
        json_set(request, "config", config ? json_ref(config) : json_object_new_object()))
        return error_no_memory(error);
    return call_open(questions->provider, &questions->environment, request, &questions->instance, error);
}

int context_open_provider(memories_context *context, const memories_config *config,
                          struct provider_questions *questions, memories_error **error)
{
    *questions = (struct provider_questions){ 0 };
    if (!config->provider) {
        error_set(error, MEMORIES_INVALID, "the provider is not known");
        error_hint(error, "name it: --provider aws, say");
        return MEMORIES_INVALID;
    }
    int failed = make_state_dir(context, error);
    struct http_client *http = failed ? NULL : context_http(context, error);
    questions->provider = http ? context_provider(context, config->provider, config->config, error) : NULL;
    if (!questions->provider)
        return MEMORIES_FAILED;
    questions->environment = (struct call_environment){ .cancel = &context->cancel, .http = http };
    return open_instance(context, config->config, questions, error);
}

void context_close_provider(struct provider_questions *questions)
{
    if (questions->instance)
        call_close(questions->provider, questions->instance);
}

char *context_secrets_directory(const memories_context *context, const char *deployment)
{
    return text_format("%s/secrets/%s", context->state_dir, deployment);
}

static const char *event_name(uint32_t kind)
{
    static const char *const names[] = { NULL, "phase", "started", "progress", "done", "failed", "retry", "warning",
                                         "log" };
    return kind < ARRAY_COUNT(names) ? names[kind] : NULL;
}

void context_emit(memories_context *context, const struct memories_event *event, const memories_error *error)
{
    if (!context->on_event)
        return;
    AUTO_JSON json_object *json = json_object_new_object();
    json_set_string(json, "event", event_name(event->kind));
    const struct {
        const char *name, *value;
    } parts[] = { { "deployment_id", event->deployment },
                  { "operation", event->operation },
                  { "key", event->key },
                  { "type", event->type },
                  { "text", event->text } };
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        if (parts[i].value)
            json_set_string(json, parts[i].name, parts[i].value);
    if (event->total) {
        json_set_int(json, "done", event->done);
        json_set_int(json, "total", event->total);
    }
    json_set_int(json, "elapsed_ms", event->elapsed_ms);
    if (error)
        json_set(json, "error", error_to_json(error));
    AUTO_FREE char *text = json_text(json);
    if (!text)
        return; /* out of memory: an event may be lost, the work goes on */
    struct memories_event complete = *event;
    complete.size = sizeof complete;
    complete.json = text;
    pthread_mutex_lock(&context->event_lock);
    context->on_event(&complete, context->user_data);
    pthread_mutex_unlock(&context->event_lock);
}

void context_say(memories_context *context, uint32_t kind, const char *deployment, const char *operation,
                 const char *text)
{
    struct memories_event event = { .kind = kind, .deployment = deployment, .operation = operation, .text = text };
    context_emit(context, &event, NULL);
}

char *memories_plugins(memories_context *context, memories_error **error)
{
    context_begin(context);
    AUTO_JSON json_object *list = loader_list(context->plugin_path, error);
    if (!list)
        return NULL;
    char *text = json_text(list);
    if (!text)
        error_no_memory(error);
    return text;
}
