/* main.c - the program `memories`: a thin user of <memories/memories.h> */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/complete.h"
#include "cli/observe.h"
#include "cli/report.h"
#include "cli/screen.h"

/* A file opened later must not take the number of a closed standard stream: messages would be written into it. */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* so that using it is an error, as it was */
}

memories_context *session_open(struct session *session)
{
    if (session->context)
        return session->context;
    struct memories_context_options options = MEMORIES_CONTEXT_OPTIONS_INIT;
    options.state_dir = session->settings.state_dir;
    options.plugin_path = session->settings.plugin_path;
    options.on_event = progress_event;
    options.user_data = &session->progress;
    memories_error *error = NULL;
    session->context = memories_context_new(&options, &error);
    if (!session->context)
        report_error(session, error);
    return session->context;
}

static int run(struct session *session)
{
    progress_setup(&session->progress, (struct progress_wishes){
                                           .quiet = session_has(session, OPTION_QUIET),
                                           .verbose = session_has(session, OPTION_VERBOSE),
                                           .json = session_has(session, OPTION_JSON),
                                           .events = session_has(session, OPTION_EVENTS),
                                       });
    int code = observe_plugins(session);
    if (code == EXIT_OK)
        code = session->command->run(session);
    memories_context_free(session->context);
    progress_free(&session->progress);
    return code;
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    screen_setup();
    print_setup();
    struct session session = { 0 };
    int code;
    if (argc > 1 && strcmp(argv[1], "__complete") == 0) {
        code = complete(&session, argc - 2, argv + 2);
    } else {
        code = arguments_read(&session, argc, argv);
        if (code < 0)
            code = run(&session);
    }
    settings_free(&session.settings);
    return print_finish(&session, code);
}
