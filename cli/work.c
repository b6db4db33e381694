/* work.c - round every call that changes a deployment: progress, Ctrl-C, and what --no-wait leaves to the background */
#include "cli/work.h"

#include <string.h>

#include "cli/background.h"
#include "cli/interrupt.h"
#include "cli/report.h"

/* On a terminal "^C" stands in the line already, and the first notice is the painter's to write. */
void work_catch_interrupts(struct session *session)
{
    static const char first[] = INTERRUPT_NOTICE "\n";
    static const char second[] = "\nmemories: stopped at once; \"memories list\" shows what can be resumed\n";
    if (session_has(session, OPTION_JSON) || session_has(session, OPTION_EVENTS))
        interrupt_catch(session->context, NULL, NULL);
    else if (session->progress.live)
        interrupt_catch(session->context, NULL, second);
    else
        interrupt_catch(session->context, first, second + 1);
}

void work_begin(struct session *session)
{
    progress_begin(&session->progress, session->command->name);
    work_catch_interrupts(session);
}

uint32_t work_flags(const struct session *session)
{
    return (session_has(session, OPTION_NO_WAIT) ? MEMORIES_NO_WAIT : 0) |
           (session_has(session, OPTION_KEEP_ON_FAILURE) ? MEMORIES_KEEP_ON_FAILURE : 0);
}

bool work_is_over(const memories_deployment *deployment)
{
    static const char *const over[] = { "running", "stopped", "deleted" };
    const char *status = memories_deployment_status(deployment);
    for (size_t i = 0; i < ARRAY_COUNT(over); i++)
        if (status && strcmp(status, over[i]) == 0)
            return true;
    return false;
}

int work_end(struct session *session, const memories_deployment *deployment, memories_error *error)
{
    progress_end(&session->progress, deployment != NULL);
    if (!deployment)
        return report_error(session, error);
    if (!session_has(session, OPTION_NO_WAIT) || work_is_over(deployment))
        return EXIT_OK;
    return background_resume(session, memories_deployment_id(deployment));
}
