/* fault.c - calls of a plugin that are made to fail, see fault.h */
#include "core/loader/fault.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/loader/call_object.h"
#include "core/loader/decorator.h"
#include "core/loader/name.h"
#include "core/loader/slot.h"

/* ---- What is asked for ------------------------------------------------------------------------------------------- */

static const char form_hint[] = "write PLUGIN:SLOT:N:ERROR, as in provider-local:create:2:transient";

static int refuse_form(const char *text, memories_error **error, const char *what)
{
    error_set(error, MEMORIES_INVALID, "%s", what);
    error_where(error, "%s", text);
    error_hint(error, "%s", form_hint);
    return MEMORIES_INVALID;
}

/* 0: no code is called so. */
static int32_t code_of(const char *name)
{
    for (int32_t code = MEMORIES_FAILED; code >= MEMORIES_INTERNAL; code--)
        if (!strcmp(memories_code_name(code), name))
            return code;
    return 0;
}

static int take_error(struct fault_request *request, char *name, memories_error **error)
{
    char *after = strchr(name, ':');
    if (after)
        *after++ = '\0';
    const struct slot *slot = slot_find(0, request->slot);
    request->after = after;
    request->code = code_of(name);
    if (!request->code)
        return refuse_form(request->text, error,
                           "the last part is no error: failed, denied, transient, … (memories/plugin.h)");
    if (after && strcmp(after, "after"))
        return refuse_form(request->text, error, "behind the error there can only be \":after\"");
    if (after && slot->shape != INVOCATION_BATCH)
        return refuse_form(request->text, error, "\":after\" is for slots that get batches");
    return 0;
}

static int take_parts(struct fault_request *request, memories_error **error)
{
    AUTO_FREE char *copy = strdup(request->text);
    char *slot = copy ? strchr(copy, ':') : NULL, *number = slot ? strchr(slot + 1, ':') : NULL;
    char *name = number ? strchr(number + 1, ':') : NULL;
    if (!name)
        return copy ? refuse_form(request->text, error, "a fault has four parts, separated by colons")
                    : error_no_memory(error);
    *slot++ = *number++ = *name++ = '\0';
    request->plugin = strdup(copy);
    request->slot = strdup(slot);
    if (!request->plugin || !request->slot)
        return error_no_memory(error);
    if (!slot_find(0, slot) || !strcmp(slot, "close"))
        return refuse_form(request->text, error,
                           "the second part is no slot that can fail: create, read, plan, … (memories/plugin.h)");
    char *end;
    request->number = strtoul(number, &end, 10);
    if (*number < '0' || *number > '9' || *end || !request->number)
        return refuse_form(request->text, error, "the third part is no number from 1 on");
    return take_error(request, name, error);
}

void fault_request_free(struct fault_request *request)
{
    if (!request)
        return;
    free(request->plugin);
    free(request->slot);
    free(request->text);
    free(request);
}

struct fault_request *fault_parse(const char *text, memories_error **error)
{
    struct fault_request *request = calloc(1, sizeof *request);
    if (request)
        request->text = strdup(text);
    if (request && request->text) {
        if (!take_parts(request, error))
            return request;
    } else {
        error_no_memory(error);
    }
    fault_request_free(request);
    return NULL;
}

/* ---- The decorator ----------------------------------------------------------------------------------------------- */

struct fault {
    struct decorator decorator;
    const struct fault_request *request;
    atomic_ulong calls; /* of the slot */
};

/* The plugin has answered, and nobody has heard it. */
static void lose_answers(struct memories_call *call)
{
    pthread_mutex_lock(&call->lock);
    for (size_t i = 0; i < call->count; i++)
        operation_answer_clear(&call->answers[i]);
    pthread_mutex_unlock(&call->lock);
}

static int32_t fail_call(const struct fault_request *request, struct memories_call *call)
{
    AUTO_FREE char *message =
        text_format("%s number %lu of %s %s was made to fail (%s)", request->slot, request->number,
                    plugin_kind_name(call->plugin->kind), call->plugin->name, memories_code_name(request->code));
    AUTO_FREE char *hint = text_format("the fault %s was asked for", request->text);
    const struct memories_error_detail detail = {
        .size = sizeof detail, .code = request->code, .message = message, .hint = hint
    };
    return call_host()->fail(call, &detail);
}

static int32_t fault_call(struct decorator *decorator, const struct invocation *invocation, struct memories_call *call)
{
    struct fault *fault = (struct fault *)decorator;
    const struct fault_request *request = fault->request;
    bool now =
        !strcmp(invocation->slot_name, request->slot) && atomic_fetch_add(&fault->calls, 1) + 1 == request->number;
    if (!now)
        return decorator_pass(decorator, invocation, call);
    if (request->after) {
        decorator_pass(decorator, invocation, call);
        lose_answers(call);
    }
    return fail_call(request, call);
}

static struct decorator *make_fault(const struct plugin *plugin, void *data, memories_error **error)
{
    (void)plugin;
    struct fault *fault = calloc(1, sizeof *fault);
    if (!fault) {
        error_no_memory(error);
        return NULL;
    }
    fault->decorator.call = fault_call;
    fault->request = data;
    return &fault->decorator;
}

int fault_plugin(struct fault_request *request, memories_error **error)
{
    return loader_decorate(request->plugin, make_fault, request, error);
}
