/* ask.c - what a case says, and how it calls the plugin's slots */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema.h"
#include "sdk/check/check.h"

/* ---- Saying ------------------------------------------------------------------------------------------------------ */

void check_report(int report, const char *format, ...)
{
    struct text line = TEXT_INIT;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&line, format, arguments);
    va_end(arguments);
    text_append(&line, "\n");
    size_t length = line.length;
    AUTO_FREE char *text = text_take(&line);
    for (const char *at = text; text && length;) {
        ssize_t written = write(report, at, length);
        if (written < 0)
            break; /* the parent is gone */
        at += written;
        length -= (size_t)written;
    }
}

static void say(struct check *check, json_object *line)
{
    AUTO_FREE char *text = line ? json_text(line) : NULL;
    check_report(check->report, "%s", text ? text : "{\"no_memory\":true}");
}

PRINTF_LIKE(5, 0)
static void say_finding(struct check *check, const char *severity, const char *slot, const char *hint,
                        const char *format, va_list arguments)
{
    struct text message = TEXT_INIT;
    text_vprintf(&message, format, arguments);
    AUTO_FREE char *text = text_take(&message);
    AUTO_JSON json_object *line = json_object_new_object();
    json_object *finding = json_object_new_object();
    int failed = json_set_string(finding, "severity", severity) || json_set_string(finding, "slot", slot) ||
                 json_set_string(finding, "message", text) || json_set_string(finding, "hint", hint);
    failed |= json_set(line, "finding", finding);
    say(check, failed ? NULL : line);
}

void check_fail(struct check *check, const char *slot, const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_finding(check, "failure", slot, hint, format, arguments);
    va_end(arguments);
    check->failed = true;
}

void check_advise(struct check *check, const char *slot, const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_finding(check, "advice", slot, hint, format, arguments);
    va_end(arguments);
}

void check_skip(struct check *check, const char *format, ...)
{
    struct text reason = TEXT_INIT;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&reason, format, arguments);
    va_end(arguments);
    AUTO_FREE char *text = text_take(&reason);
    AUTO_JSON json_object *line = json_object_new_object();
    say(check, json_set_string(line, "skip", text) ? NULL : line);
}

void check_not_applicable(struct check *check, const char *reason)
{
    AUTO_JSON json_object *line = json_object_new_object();
    say(check, json_set_string(line, "inapplicable", reason) ? NULL : line);
}

static char *error_words(const memories_error *error)
{
    const char *where = memories_error_where(error), *cause = memories_error_cause(error);
    return text_format("%s%s%s%s%s", where ? where : "", where ? ": " : "", memories_error_message(error),
                       cause ? ": " : "", cause ? cause : "");
}

/* What the core advises its users, with the plugin's author in mind, is nothing for the author. */
static const char *hint_for_author(const memories_error *error)
{
    const char *hint = memories_error_hint(error);
    return memories_error_code(error) == MEMORIES_INTERNAL && hint && strstr(hint, "plugin's author") ? NULL : hint;
}

void check_fail_error(struct check *check, const char *slot, memories_error *error)
{
    AUTO_FREE char *words = error_words(error);
    check_fail(check, slot, hint_for_author(error), "%s", words ? words : memories_error_message(error));
    memories_error_free(error);
}

void check_judge_error(struct check *check, const char *slot, memories_error *error)
{
    switch (memories_error_code(error)) {
    case MEMORIES_DENIED:
    case MEMORIES_TRANSIENT:
    case MEMORIES_TIMEOUT:
    case MEMORIES_THROTTLED:
    case MEMORIES_QUOTA:
    case MEMORIES_CAPACITY: {
        AUTO_FREE char *words = error_words(error);
        check_skip(check, "%s: %s", slot, words ? words : "");
        memories_error_free(error);
        break;
    }
    default:
        check_fail_error(check, slot, error);
    }
}

void check_told_error(struct check *check, const char *slot, const memories_error *error)
{
    const char *message = memories_error_message(error), *end = message + strlen(message);
    if (memories_error_code(error) == MEMORIES_NO_MEMORY)
        return;
    if (!error->message || !*message)
        check_fail(check, slot, "say what failed, and why", "it told an error (%s) without a message",
                   memories_code_name(memories_error_code(error)));
    else if (end[-1] == '.' || strchr(message, '\n'))
        check_fail(check, slot, "one sentence, without a final dot: what is around it comes from the core",
                   "the message of an error is no plain sentence: \"%s\"", message);
    else if (end - message > 500)
        check_fail(check, slot, "put the service's own words into `cause`",
                   "the message of an error has %zu characters", (size_t)(end - message));
}

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

#define PROVIDER(slot) #slot, offsetof(struct memories_provider_ops, slot), MEMORIES_PLUGIN_PROVIDER, true
#define TOPOLOGY(slot) #slot, offsetof(struct memories_topology_ops, slot), MEMORIES_PLUGIN_TOPOLOGY, false

const struct check_document_slot check_document_slots[] = {
    { PROVIDER(prepare), false, false },  { PROVIDER(lower), true, false },   { PROVIDER(discover), false, false },
    { PROVIDER(metrics), false, false },  { PROVIDER(logs), false, true },    { PROVIDER(doctor), false, false },
    { PROVIDER(estimate), false, false }, { TOPOLOGY(plan), true, false },
    { TOPOLOGY(converge), false, false }, { TOPOLOGY(status), false, false }, { TOPOLOGY(release), false, true },
};
const size_t check_document_slot_count = ARRAY_COUNT(check_document_slots);

const struct check_document_slot *check_slot(const char *name)
{
    for (size_t i = 0; i < check_document_slot_count; i++)
        if (!strcmp(check_document_slots[i].name, name))
            return &check_document_slots[i];
    return NULL;
}

json_object *check_call(struct check *check, const struct check_document_slot *slot, void *instance,
                        json_object *request, memories_error **error)
{
    const char *at = (const char *)&check->plugin->ops + slot->offset;
    json_object *result = NULL;
    int failed;
    if (slot->instance) {
        instance_document_slot *function;
        memcpy(&function, at, sizeof function);
        failed = call_instance_document(check->plugin, &check->environment, slot->name, function, instance, request,
                                        &result, error);
    } else {
        document_slot *function;
        memcpy(&function, at, sizeof function);
        failed = call_document(check->plugin, &check->environment, slot->name, function, request, &result, error);
    }
    if (failed)
        return NULL;
    if (!result && !(result = json_object_new_object()))
        error_no_memory(error);
    return result;
}

json_object *check_ask(struct check *check, const char *slot, void *instance, json_object *request)
{
    const struct check_document_slot *known = check_slot(slot);
    memories_error *error = NULL;
    json_object *result = check_call(check, known, instance, request, &error);
    if (result)
        return result;
    if (!known->may_refuse || memories_error_code(error) == MEMORIES_INTERNAL) {
        check_judge_error(check, slot, error);
        return NULL;
    }
    check_told_error(check, slot, error);
    memories_error_free(error);
    return json_object_new_object();
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

json_object *check_request(struct check *check, const char *deployment)
{
    (void)check;
    AUTO_JSON json_object *request = json_object_new_object();
    if (json_set_int(request, "version", 1) || json_set_string(request, "deployment", deployment))
        return NULL;
    return STEAL(request);
}

json_object *check_plan_request(struct check *check, const char *deployment)
{
    AUTO_JSON json_object *request = check_request(check, deployment);
    return json_set(request, "config", json_ref(check->subject->config)) ? NULL : STEAL(request);
}

bool check_open(struct check *check, const char *deployment, void **instance)
{
    AUTO_JSON json_object *request = check_request(check, deployment);
    memories_error *error = NULL;
    if (json_set_string(request, "state_dir", check->subject->state_dir) ||
        json_set(request, "config", json_ref(check->subject->config)))
        error_no_memory(&error);
    else if (!call_open(check->plugin, &check->environment, request, instance, &error))
        return true;
    check_judge_error(check, "open", error);
    return false;
}

void check_close(struct check *check, void *instance)
{
    call_close(check->plugin, instance);
}

/* ---- Documents --------------------------------------------------------------------------------------------------- */

struct problems {
    struct check *check;
    const char *slot;
};

static void on_problem(const char *path, json_object *value, const char *message, const char *hint, void *user_data)
{
    const struct problems *problems = user_data;
    (void)value;
    check_fail(problems->check, problems->slot, hint ? hint : "docs/documents.md describes the document", "%s: %s",
               path, message);
}

bool check_schema(struct check *check, const char *slot, const char *schema_text, const char *name,
                  json_object *document)
{
    memories_error *error = NULL;
    AUTO_JSON json_object *parsed = json_parse(schema_text, name, &error);
    struct schema *schema = parsed ? schema_compile(parsed, name, &error) : NULL;
    if (!schema) {
        check_fail_error(check, slot, error);
        return false;
    }
    struct problems problems = { check, slot };
    unsigned count = schema_check(schema, document, name, on_problem, &problems);
    schema_free(schema);
    return count == 0;
}
