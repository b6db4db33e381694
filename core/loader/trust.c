/*
 * trust.c - is a plugin's file safe from others?
 *
 * A plugin runs with all the rights of its user. Whoever can write the file, or rename a directory or symbolic link on
 * the way to it, can run code as that user. So the path is walked from the root as the kernel would, links included, and
 * each thing on the way must belong to root or to this user and be closed to writing by others. There are two exceptions.
 * A directory like /tmp: sticky and root's, so that nobody renames what is another's. And the user's private group, which
 * has nobody else in it: where every user has one, files are often made with umask 002.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/loader/loader.h"

#define LINKS_MAX 40
/* A private group's entry is small; one that does not fit is none. */
#define NAMES_BYTES_MAX 4096

static int check_owner(const char *path, const struct stat *info, memories_error **error)
{
    if (info->st_uid == 0 || info->st_uid == geteuid())
        return 0;
    error_set(error, MEMORIES_DENIED, "%s belongs to user %u, expected root or user %u", path, (unsigned)info->st_uid,
              (unsigned)geteuid());
    error_hint(error, "use a plugin that you or root installed, or take it over: chown %u %s", (unsigned)geteuid(), path);
    return MEMORIES_DENIED;
}

bool trust_is_private_group(const struct group *group, const struct passwd *user)
{
    if (group->gr_gid != user->pw_gid || strcmp(group->gr_name, user->pw_name) != 0)
        return false;
    for (char **member = group->gr_mem; *member; member++)
        if (strcmp(*member, user->pw_name) != 0)
            return false;
    return true;
}

static bool is_own_private_group(gid_t id)
{
    struct passwd user, *found_user;
    struct group group, *found_group;
    AUTO_FREE char *user_text = malloc(NAMES_BYTES_MAX), *group_text = malloc(NAMES_BYTES_MAX);
    return user_text && group_text && getpwuid_r(geteuid(), &user, user_text, NAMES_BYTES_MAX, &found_user) == 0 &&
           found_user && getgrgid_r(id, &group, group_text, NAMES_BYTES_MAX, &found_group) == 0 && found_group &&
           trust_is_private_group(found_group, found_user);
}

static int check_mode(const char *path, const struct stat *info, memories_error **error)
{
    if (!(info->st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    if (S_ISDIR(info->st_mode) && (info->st_mode & S_ISVTX) && info->st_uid == 0)
        return 0;
    if (!(info->st_mode & S_IWOTH) && is_own_private_group(info->st_gid))
        return 0;
    error_set(error, MEMORIES_DENIED, "%s can be written by others (mode %04o), expected only by its owner", path,
              (unsigned)info->st_mode & 07777);
    error_hint(error, "close it: chmod go-w %s", path);
    return MEMORIES_DENIED;
}

/* `walked` is the checked directory so far ("" for the root), `rest` what is still to walk. A link's target is put in
 * front of the rest. */
struct walk {
    char *walked;
    char *rest;
    int links;
};

static void replace(char **string, char *with)
{
    free(*string);
    *string = with;
}

static int follow(struct walk *walk, const char *link, memories_error **error)
{
    char target[PATH_MAX];
    ssize_t bytes = readlink(link, target, sizeof target - 1);
    if (bytes < 0)
        return error_set_errno(error, errno, "can't read the link %s", link);
    target[bytes] = '\0';
    if (++walk->links > LINKS_MAX)
        return error_set(error, MEMORIES_DENIED, "%s has more than %d symbolic links on its way", link, LINKS_MAX);
    replace(&walk->rest, text_format("%s/%s", target, walk->rest));
    if (target[0] == '/')
        replace(&walk->walked, strdup(""));
    return walk->rest && walk->walked ? 0 : error_no_memory(error);
}

static void step_up(struct walk *walk)
{
    char *slash = strrchr(walk->walked, '/');
    if (slash)
        *slash = '\0';
}

static int step_into(struct walk *walk, const char *name, memories_error **error)
{
    AUTO_FREE char *path = text_format("%s/%s", walk->walked, name);
    struct stat info;
    if (!path)
        return error_no_memory(error);
    if (lstat(path, &info))
        return error_set_errno(error, errno, "can't look at %s", path);
    int failed = check_owner(path, &info, error);
    if (failed)
        return failed;
    if (S_ISLNK(info.st_mode))
        return follow(walk, path, error);
    failed = check_mode(path, &info, error);
    if (!failed)
        replace(&walk->walked, STEAL(path));
    return failed;
}

static int walk_all(struct walk *walk, memories_error **error)
{
    while (walk->rest[strspn(walk->rest, "/")]) {
        char *start = walk->rest + strspn(walk->rest, "/");
        size_t length = strcspn(start, "/");
        AUTO_FREE char *name = strndup(start, length);
        char *rest = strdup(start + length);
        if (!name || !rest) {
            free(rest);
            return error_no_memory(error);
        }
        replace(&walk->rest, rest);
        if (!strcmp(name, ".."))
            step_up(walk);
        else if (strcmp(name, ".")) {
            int failed = step_into(walk, name, error);
            if (failed)
                return failed;
        }
    }
    return 0;
}

static int check_root(memories_error **error)
{
    struct stat info;
    if (stat("/", &info))
        return error_set_errno(error, errno, "can't look at /");
    int failed = check_owner("/", &info, error);
    return failed ? failed : check_mode("/", &info, error);
}

int trust_check(const char *path, memories_error **error)
{
    if (path[0] != '/') {
        error_set(error, MEMORIES_DENIED, "\"%s\" is a relative path, expected an absolute one", path);
        error_hint(error, "what a relative path means changes with the working directory: write it from / on");
        return MEMORIES_DENIED;
    }
    int failed = check_root(error);
    if (failed)
        return failed;
    struct walk walk = { strdup(""), strdup(path), 0 };
    failed = walk.walked && walk.rest ? walk_all(&walk, error) : error_no_memory(error);
    free(walk.walked);
    free(walk.rest);
    return failed;
}
