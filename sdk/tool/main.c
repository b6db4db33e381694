/* main.c - the program `memories-plugin`, for authors of plugins */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/screen.h"
#include "sdk/tool/tool.h"

/* What is buffered must reach its reader, or the exit code says that it didn't. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "memories-plugin: standard output: can't write: %s\n", strerror(errno));
    return code == TOOL_OK ? TOOL_PROBLEM : code;
}

int main(int argc, char **argv)
{
    screen_setup();
    struct tool_request request = { 0 };
    int code = tool_read(&request, argc, argv);
    if (code < 0)
        code = request.command->run(&request);
    return finish(code);
}
