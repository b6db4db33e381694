/* program.c - finding programs */
#include "plugins/providers/local/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plugins/common/cleanup.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/node/search_path.h"

static char *executable(char *path)
{
    struct stat info;
    if (path && stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

char *local_program_find(const char *name, const char *search_path)
{
    if (strchr(name, '/'))
        return executable(strdup(name));
    for (const char *element = search_path; *element;) {
        size_t length = strcspn(element, ":");
        char *path = *element == '/' ? executable(local_format("%.*s/%s", (int)length, element, name)) : NULL;
        if (path)
            return path;
        element += length + (element[length] == ':');
    }
    return NULL;
}

char *local_helper(const char *name, struct problem *problem)
{
    AUTO_FREE char *path = local_format("%s/%s", node_libexec_directory(), name);
    if (!path) {
        problem_no_memory(problem);
        return NULL;
    }
    if (access(path, X_OK) == 0)
        return STEAL(path);
    problem_set_errno(problem, errno, "can't execute %s, which runs local nodes", path);
    problem_hint(problem, "install memories again (make install), or point MEMORIES_LIBEXEC_DIR at its directory");
    return NULL;
}

char *local_supervisor(struct problem *problem)
{
    return local_helper("memories-node", problem);
}
