/* observe.c - plugins watched, disturbed and kept apart: traces, faults, isolation */
#include "core/api/context.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/loader/fault.h"
#include "core/loader/trace.h"

/* A name that is nobody's would be obeyed by watching nothing. */
static int check_name(const memories_context *context, const char *plugin, memories_error **error)
{
    return loader_find(plugin, context->plugin_path, error) ? MEMORIES_NOT_FOUND : 0;
}

int memories_trace_plugin(memories_context *context, const char *plugin, int fd, memories_error **error)
{
    int failed = check_name(context, plugin, error);
    return failed ? failed : trace_plugin(plugin, fd, error);
}

int memories_fault_plugin(memories_context *context, const char *fault, memories_error **error)
{
    struct fault_request *request = fault_parse(fault, error);
    if (!request)
        return MEMORIES_INVALID;
    int failed = check_name(context, request->plugin, error);
    if (!failed)
        failed = fault_plugin(request, error);
    if (failed)
        fault_request_free(request);
    return failed;
}

int memories_isolate_plugin(memories_context *context, const char *plugin, memories_error **error)
{
    int failed = check_name(context, plugin, error);
    if (failed)
        return failed;
    if (!context->isolated)
        context->isolated = json_object_new_object();
    return json_set_bool(context->isolated, plugin, true) ? error_no_memory(error) : 0;
}
