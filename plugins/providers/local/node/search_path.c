/*
 * search_path.c - where a node's programs are looked for
 *
 * The variables are for those who run an uninstalled tree, or keep programs in their home; a set-id program obeys
 * neither.
 */
#include "plugins/providers/local/node/search_path.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *node_libexec_directory(void)
{
    const char *directory = secure_getenv("MEMORIES_LIBEXEC_DIR");
    return directory && directory[0] == '/' ? directory : LIBEXEC_DIRECTORY;
}

static bool has_directory(const char *list, const char *directory, size_t length)
{
    for (const char *at = list; *at; at += strcspn(at, ":"), at += *at == ':')
        if (strcspn(at, ":") == length && !strncmp(at, directory, length))
            return true;
    return false;
}

/* Appends the absolute directories of `from` that are not in `list` yet. */
static void add_directories(char *list, const char *from)
{
    for (; *from; from += strcspn(from, ":"), from += *from == ':') {
        size_t length = strcspn(from, ":");
        if (*from != '/' || has_directory(list, from, length))
            continue;
        if (*list)
            strcat(list, ":");
        strncat(list, from, length);
    }
}

char *node_search_path(void)
{
    const char *libexec = node_libexec_directory(), *path = secure_getenv("PATH");
    path = path ? path : "";
    char *list = calloc(1, strlen(libexec) + strlen(path) + sizeof NODE_SYSTEM_PATH + 3);
    if (!list)
        return NULL;
    add_directories(list, libexec);
    add_directories(list, path);
    add_directories(list, NODE_SYSTEM_PATH);
    return list;
}
