/* trace.c - each call between the core and a plugin as lines of JSON, see trace.h */
#include "core/loader/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/call_object.h"
#include "core/loader/decorator.h"
#include "core/loader/name.h"

#define REDACTED "[redacted]"

struct trace {
    struct decorator decorator;
    char *plugin; /* "provider-local" */
    int fd;
    const struct memories_host *host; /* inside of ours */
    struct memories_host table;
};

/* What host->secret has given to traced plugins; kept as long as the process, which has it anyhow. */
struct known_secret {
    struct known_secret *next;
    char text[];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the secrets, and keeps lines whole */
static struct known_secret *known_secrets;

/* ---- Secrets ----------------------------------------------------------------------------------------------------- */

static bool is_named_like_a_secret(const char *name)
{
    static const char *const words[] = { "password",    "passwd",  "passphrase",    "secret",       "credential",
                                         "private_key", "api_key", "access_key",    "apikey",       "authorization",
                                         "auth_token",  "cookie",  "session_token", "access_token", "signature" };
    for (size_t i = 0; i < ARRAY_COUNT(words); i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

static bool holds_a_secret(const char *text)
{
    if (strstr(text, "PRIVATE KEY-----"))
        return true;
    pthread_mutex_lock(&lock);
    const struct known_secret *secret = known_secrets;
    while (secret && !strstr(text, secret->text))
        secret = secret->next;
    pthread_mutex_unlock(&lock);
    return secret;
}

/* Too short a text would be found everywhere. */
static void remember_secret(const char *text)
{
    struct known_secret *secret =
        strlen(text) < 8 || holds_a_secret(text) ? NULL : malloc(sizeof *secret + strlen(text) + 1);
    if (!secret)
        return;
    memcpy(secret->text, text, strlen(text) + 1);
    pthread_mutex_lock(&lock);
    secret->next = known_secrets;
    known_secrets = secret;
    pthread_mutex_unlock(&lock);
}

/* A reference ("secret:node/node1/key") is no secret. */
static json_object *redact_string(const char *name, json_object *string)
{
    const char *text = json_object_get_string(string);
    bool hidden = (name && is_named_like_a_secret(name) && strncmp(text, "secret:", 7)) || holds_a_secret(text);
    return hidden ? json_object_new_string(REDACTED) : json_ref(string);
}

static json_object *redact(const char *name, json_object *value);

static json_object *redact_object(json_object *object)
{
    AUTO_JSON json_object *copy = json_object_new_object();
    json_object_object_foreach(object, name, value) {
        json_object *redacted = value ? redact(name, value) : NULL;
        if ((value && !redacted) || json_set(copy, name, redacted))
            return NULL;
    }
    return STEAL(copy);
}

static json_object *redact_array(const char *name, json_object *array)
{
    AUTO_JSON json_object *copy = json_object_new_array();
    for (size_t i = 0; i < json_count(array); i++) {
        json_object *value = json_object_array_get_idx(array, i), *redacted = value ? redact(name, value) : NULL;
        if ((value && !redacted) || json_add(copy, redacted))
            return NULL;
    }
    return STEAL(copy);
}

static json_object *redact(const char *name, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
        return redact_object(value);
    case json_type_array:
        return redact_array(name, value);
    case json_type_string:
        return redact_string(name, value);
    default:
        return name && is_named_like_a_secret(name) ? json_object_new_string(REDACTED) : json_ref(value);
    }
}

json_object *trace_redact(json_object *document)
{
    return document ? redact(NULL, document) : NULL;
}

/* Without user, password and query. */
static char *redact_url(const char *url)
{
    const char *scheme = strstr(url, "://"), *rest = scheme ? scheme + 3 : url;
    size_t authority = strcspn(rest, "/?#"), query = strcspn(rest, "?#");
    const char *at = memrchr(rest, '@', authority);
    return text_format("%.*s%s%.*s%s", (int)(rest - url), url, at ? REDACTED "@" : "",
                       (int)(query - (at ? (size_t)(at + 1 - rest) : 0)), at ? at + 1 : rest,
                       rest[query] ? "?" REDACTED : "");
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void write_line(const struct trace *trace, json_object *line)
{
    AUTO_FREE char *text = json_text(line);
    AUTO_FREE char *whole = text ? text_format("%s\n", text) : NULL;
    size_t left = whole ? strlen(whole) : 0;
    pthread_mutex_lock(&lock);
    for (const char *at = whole; left;) {
        ssize_t written = write(trace->fd, at, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            break; /* the work goes on, whoever reads */
        at += written;
        left -= (size_t)written;
    }
    pthread_mutex_unlock(&lock);
}

/* What every line begins with. */
static json_object *line_new(const struct trace *trace, const struct memories_call *call, const char *event)
{
    AUTO_JSON json_object *line = json_object_new_object();
    char at[CLOCK_TEXT_BYTES];
    clock_format(clock_now_ms(), 1, at);
    if (json_set_string(line, "at", at) || json_set_string(line, "plugin", trace->plugin) ||
        json_set_int(line, "call", (int64_t)call->number) || json_set_string(line, "slot", call->slot) ||
        json_set_string(line, "event", event))
        return NULL;
    return STEAL(line);
}

static int set_redacted(json_object *line, const char *name, json_object *document)
{
    json_object *redacted = trace_redact(document);
    return document && !redacted ? MEMORIES_NO_MEMORY : json_set(line, name, redacted);
}

/* JSON text; what is none is kept as it is. */
static int set_text(json_object *line, const char *name, const char *text)
{
    if (!text)
        return json_set(line, name, NULL);
    AUTO_JSON json_object *document = json_parse(text, name, NULL);
    AUTO_JSON json_object *string = document ? NULL : json_object_new_string(text);
    return set_redacted(line, name, document ? document : string);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- Services of the host ---------------------------------------------------------------------------------------- */

static int32_t trace_call(struct decorator *decorator, const struct invocation *invocation, struct memories_call *call);

static const struct trace *trace_of(const struct plugin *plugin)
{
    const struct decorator *decorator = plugin->decorator;
    while (decorator && decorator->call != trace_call)
        decorator = decorator->inner;
    return (const struct trace *)decorator;
}

static json_object *service_line(const struct trace *trace, const struct memories_call *call, const char *service)
{
    AUTO_JSON json_object *line = line_new(trace, call, "host");
    return line && !json_set_string(line, "service", service) ? STEAL(line) : NULL;
}

static const char *trace_secret(struct memories_call *call, const char *reference, size_t *bytes)
{
    const struct trace *trace = trace_of(call->plugin);
    const char *text = trace->host->secret(call, reference, bytes);
    if (text)
        remember_secret(text);
    AUTO_JSON json_object *line = service_line(trace, call, "secret");
    if (line && !json_set_string(line, "reference", reference) && !json_set_bool(line, "found", text))
        write_line(trace, line);
    return text;
}

static int add_request(json_object *list, const struct memories_http_request *request)
{
    AUTO_FREE char *url = request->url ? redact_url(request->url) : NULL;
    json_object *entry = json_object_new_object();
    return json_add(list, entry) || json_set_string(entry, "method", request->method) ||
           json_set_string(entry, "url", url) || json_set_string(entry, "identity", request->identity) ||
           json_set_int(entry, "body_bytes", request->body_bytes);
}

static int add_response(json_object *list, const struct memories_http_response *response)
{
    json_object *entry = json_object_new_object();
    return json_add(list, entry) || json_set_int(entry, "status", response->status) ||
           json_set_int(entry, "body_bytes", response->body_bytes) ||
           json_set_string(entry, "error", response->error) ||
           json_set_string(entry, "request_id", response->request_id);
}

static int fill_http(json_object *line, const struct memories_http_request *const *requests, size_t count,
                     const struct memories_http_response **responses)
{
    json_object *asked = json_object_new_array(), *answered = json_object_new_array();
    int failed = json_set(line, "requests", asked);
    failed |= json_set(line, "responses", answered);
    for (size_t i = 0; !failed && i < count; i++)
        failed = add_request(asked, requests[i]) || (responses && add_response(answered, responses[i]));
    return failed;
}

static int32_t trace_http(struct memories_call *call, const struct memories_http_request *const *requests, size_t count,
                          const struct memories_http_response **responses)
{
    const struct trace *trace = trace_of(call->plugin);
    int64_t began_us = now_us();
    int32_t code = trace->host->http(call, requests, count, responses);
    AUTO_JSON json_object *line = service_line(trace, call, "http");
    if (line && !json_set_int(line, "duration_us", now_us() - began_us) &&
        !json_set_string(line, "code", memories_code_name(code)) &&
        (code == MEMORIES_INTERNAL || !fill_http(line, requests, count, code ? NULL : responses)))
        write_line(trace, line);
    return code;
}

static void trace_log(struct memories_call *call, int32_t level, const char *text)
{
    const struct trace *trace = trace_of(call->plugin);
    AUTO_JSON json_object *line = service_line(trace, call, "log");
    if (line && !json_set_int(line, "level", level) && !set_text(line, "text", text))
        write_line(trace, line);
    trace->host->log(call, level, text);
}

static void trace_progress(struct memories_call *call, size_t index, const char *text)
{
    const struct trace *trace = trace_of(call->plugin);
    AUTO_JSON json_object *line = service_line(trace, call, "progress");
    if (line && !json_set_int(line, "index", (int64_t)index) && !set_text(line, "text", text))
        write_line(trace, line);
    trace->host->progress(call, index, text);
}

static int32_t trace_stream(struct memories_call *call, const char *node, const char *bytes, size_t count)
{
    const struct trace *trace = trace_of(call->plugin);
    int32_t stop = trace->host->stream(call, node, bytes, count);
    AUTO_JSON json_object *line = service_line(trace, call, "stream");
    if (line && !json_set_string(line, "node", node) && !json_set_int(line, "bytes", (int64_t)count) &&
        !json_set_bool(line, "stop", stop))
        write_line(trace, line);
    return stop;
}

static const struct memories_host *traced_host(struct trace *trace, const struct memories_host *host)
{
    trace->host = host;
    trace->table = *host;
    trace->table.secret = trace_secret;
    trace->table.http = trace_http;
    trace->table.log = trace_log;
    trace->table.progress = trace_progress;
    trace->table.stream = trace_stream;
    return &trace->table;
}

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

static int add_operation(json_object *list, const struct memories_operation *operation)
{
    json_object *entry = json_object_new_object();
    return json_add(list, entry) || json_set_string(entry, "key", operation->key) ||
           json_set_string(entry, "type", operation->type) || json_set_string(entry, "token", operation->token) ||
           json_set_int(entry, "generation", operation->generation) ||
           json_set_int(entry, "attempt", operation->attempt) || json_set_int(entry, "power_on", operation->power_on) ||
           set_text(entry, "inputs", operation->inputs) || set_text(entry, "outputs", operation->outputs);
}

static void write_enter(const struct trace *trace, const struct invocation *invocation,
                        const struct memories_call *call)
{
    AUTO_JSON json_object *line = line_new(trace, call, "enter");
    int failed = !line || json_set_string(line, "deployment", call->environment->deployment);
    if (!failed && invocation->request)
        failed = set_text(line, "request", invocation->request);
    if (!failed && invocation->operations) {
        json_object *operations = json_object_new_array();
        failed = json_set(line, "operations", operations);
        for (size_t i = 0; !failed && i < invocation->count; i++)
            failed = add_operation(operations, invocation->operations[i]);
    }
    if (!failed)
        write_line(trace, line);
}

static const char *state_name(uint32_t state)
{
    static const char *const names[] = { "absent", "pending", "ready", "stopped", "broken" };
    return state < ARRAY_COUNT(names) ? names[state] : "unknown";
}

static int set_error(json_object *line, const memories_error *error)
{
    AUTO_JSON json_object *json = error ? error_to_json(error) : NULL;
    return error && !json ? MEMORIES_NO_MEMORY : set_redacted(line, "error", json);
}

static int add_answer(json_object *list, const char *key, const struct operation_answer *answer)
{
    json_object *entry = json_object_new_object();
    bool has_state = answer->answered && !answer->error;
    return json_add(list, entry) || json_set_string(entry, "key", key) ||
           json_set_string(entry, "state", has_state ? state_name(answer->state) : NULL) ||
           json_set_int(entry, "poll_after_ms", answer->poll_after_ms) ||
           set_redacted(entry, "outputs", answer->outputs) || set_error(entry, answer->error);
}

static void write_leave(const struct trace *trace, const struct invocation *invocation, struct memories_call *call,
                        int32_t code, int64_t duration_us)
{
    AUTO_JSON json_object *line = line_new(trace, call, "leave");
    int failed = !line || json_set_int(line, "duration_us", duration_us) ||
                 json_set_string(line, "code", memories_code_name(code));
    pthread_mutex_lock(&call->lock);
    if (!failed && invocation->operations) {
        json_object *answers = json_object_new_array();
        failed = json_set(line, "answers", answers);
        for (size_t i = 0; !failed && i < invocation->count; i++)
            failed = add_answer(answers, invocation->operations[i]->key, &call->answers[i]);
    } else if (!failed) {
        failed = set_redacted(line, "result", call->result);
    }
    if (!failed)
        failed = set_error(line, call->defect ? call->defect : call->failure);
    pthread_mutex_unlock(&call->lock);
    if (!failed)
        write_line(trace, line);
}

static int32_t trace_call(struct decorator *decorator, const struct invocation *invocation, struct memories_call *call)
{
    struct trace *trace = (struct trace *)decorator;
    struct invocation inner = *invocation;
    if (invocation->shape == INVOCATION_INIT)
        inner.host = traced_host(trace, invocation->host);
    write_enter(trace, invocation, call);
    int64_t began_us = now_us();
    int32_t code = decorator_pass(decorator, &inner, call);
    write_leave(trace, invocation, call, code, now_us() - began_us);
    return code;
}

static struct decorator *make_trace(const struct plugin *plugin, void *data, memories_error **error)
{
    if (trace_of(plugin)) {
        error_set(error, MEMORIES_CONFLICT, "%s %s is traced already", plugin_kind_name(plugin->kind), plugin->name);
        return NULL;
    }
    struct trace *trace = calloc(1, sizeof *trace);
    char *name = text_format("%s-%s", plugin_kind_name(plugin->kind), plugin->name);
    if (!trace || !name) {
        free(trace);
        free(name);
        error_no_memory(error);
        return NULL;
    }
    trace->decorator.call = trace_call;
    trace->plugin = name;
    trace->fd = *(int *)data;
    return &trace->decorator;
}

int trace_plugin(const char *name, int fd, memories_error **error)
{
    int *kept = malloc(sizeof *kept);
    if (!kept)
        return error_no_memory(error);
    *kept = fd;
    int failed = loader_decorate(name, make_trace, kept, error);
    if (failed)
        free(kept);
    return failed;
}
