/* doctor.c - whether a provider can work from here, in its own words */
#include <string.h>

#include "core/api/context.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/loader/call.h"

static int add_check(json_object *checks, const char *name, const char *status, const char *text, const char *hint)
{
    json_object *check = json_object_new_object();
    return json_add(checks, check) || json_set_string(check, "name", name) ||
           json_set_string(check, "status", status) || json_set_string(check, "text", text) ||
           (hint && json_set_string(check, "hint", hint));
}

/* What ended the look is the last of its checks. */
static int add_failure(json_object *checks, const char *provider, const memories_error *error)
{
    const char *where = memories_error_where(error), *cause = memories_error_cause(error);
    AUTO_FREE char *text = text_format("%s%s%s", memories_error_message(error), cause ? ": " : "", cause ? cause : "");
    return !text || add_check(checks, where ? where : provider, "failed", text, memories_error_hint(error))
               ? MEMORIES_NO_MEMORY
               : 0;
}

static int add_checks(json_object *checks, json_object *report)
{
    json_object *given = json_get_array(report, "checks");
    for (size_t i = 0; i < json_count(given); i++)
        if (json_add(checks, json_ref(json_object_array_get_idx(given, i))))
            return MEMORIES_NO_MEMORY;
    return 0;
}

static bool is_well(json_object *checks)
{
    for (size_t i = 0; i < json_count(checks); i++) {
        const char *status = json_get_string(json_object_array_get_idx(checks, i), "status");
        if (status && !strcmp(status, "failed"))
            return false;
    }
    return true;
}

/* {"provider", "well", "checks"}; new reference. */
static json_object *examine(struct provider_questions *questions, memories_error **error)
{
    const struct plugin *provider = questions->provider;
    AUTO_JSON json_object *request = json_object_new_object();
    AUTO_JSON json_object *report = NULL;
    AUTO_JSON json_object *result = json_object_new_object();
    AUTO_ERROR memories_error *problem = NULL;
    json_object *checks = json_object_new_array();
    AUTO_FREE char *file = text_format("provider %s %s, %s", provider->name, provider->version, provider->path);
    if (json_set(result, "checks", checks) || json_set_string(result, "provider", provider->name) ||
        json_set_int(request, "version", 1) || !file || add_check(checks, "plugin", "ok", file, NULL)) {
        error_no_memory(error);
        return NULL;
    }
    call_instance_report(provider, &questions->environment, "doctor", provider->ops.provider.doctor,
                         questions->instance, request, &report, &problem);
    if (add_checks(checks, report) || (problem && add_failure(checks, provider->name, problem)) ||
        json_set_bool(result, "well", is_well(checks))) {
        error_no_memory(error);
        return NULL;
    }
    return STEAL(result);
}

char *memories_doctor(memories_context *context, const memories_config *config, memories_error **error)
{
    context_begin(context);
    struct provider_questions questions;
    if (context_open_provider(context, config, &questions, error))
        return NULL;
    AUTO_JSON json_object *result = NULL;
    if (questions.provider->ops.provider.doctor) {
        result = examine(&questions, error);
    } else {
        error_set(error, MEMORIES_UNSUPPORTED, "provider %s tells nothing about itself", questions.provider->name);
        error_hint(error, "`memories plan FILE` says what it misses for a deployment");
    }
    context_close_provider(&questions);
    char *text = result ? json_text(result) : NULL;
    if (result && !text)
        error_no_memory(error);
    return text;
}
