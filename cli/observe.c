/* observe.c - --isolate, --trace-plugin and --fault: plugins kept apart, watched and disturbed */
#include "cli/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/report.h"

/* Where traces go; stays open as long as the process. -1 after a report. */
static int open_trace(const struct session *session)
{
    const char *path = session->settings.trace_file;
    if (!path)
        return STDERR_FILENO;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        report_problem(session, EXIT_FAILED, NULL, "%s: cannot write the trace: %s", path, strerror(errno));
    return fd;
}

int observe_plugins(struct session *session)
{
    const struct settings *settings = &session->settings;
    memories_error *error = NULL;
    if (!settings->isolated && !settings->faults && !settings->traces)
        return EXIT_OK;
    if (!session_open(session))
        return EXIT_FAILED;
    for (const char **plugin = settings->isolated; plugin && *plugin; plugin++)
        if (memories_isolate_plugin(session->context, *plugin, &error))
            return report_error(session, error);
    /* Faults first: the trace stands round them, and shows what they did. */
    for (const char **fault = settings->faults; fault && *fault; fault++)
        if (memories_fault_plugin(session->context, *fault, &error))
            return report_error(session, error);
    int fd = settings->traces ? open_trace(session) : -1;
    if (settings->traces && fd < 0)
        return EXIT_FAILED;
    for (const char **plugin = settings->traces; plugin && *plugin; plugin++)
        if (memories_trace_plugin(session->context, *plugin, fd, &error))
            return report_error(session, error);
    return EXIT_OK;
}
