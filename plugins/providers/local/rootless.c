/* rootless.c - namespace isolation for an ordinary user, see rootless.h */
#include "plugins/providers/local/rootless.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/local/files.h"
#include "plugins/providers/local/node/search_path.h"
#include "plugins/providers/local/program.h"
#include "plugins/providers/local/rootless/subid.h"
#include "plugins/providers/local/run.h"

/* What the holder gets to end in: it does nothing on the way. */
#define RELEASE_TIMEOUT_MS 5000

bool rootless(void)
{
    return geteuid() != 0;
}

char *rootless_directory(const struct local *local)
{
    return local_format("%s/%s/rootless", local->state, local->deployment);
}

/* ---- can it be done? ---- */

void rootless_hint(struct problem *problem, const char *first, bool isolated)
{
    problem_hint(problem, "%s%s%s", first ? first : "", first ? "; or " : "",
                 isolated ? "run as root" : "run as root, or use isolation: process");
}

static int64_t read_number(const char *root, const char *path, int64_t otherwise)
{
    struct problem ignored;
    AUTO_FREE char *whole = local_format("%s%s", root, path);
    AUTO_FREE char *text = whole ? local_file_read(whole, NULL, &ignored) : NULL;
    return text ? strtoll(text, NULL, 10) : otherwise;
}

static int32_t check_programs(const char *root, bool isolated, struct problem *problem)
{
    static const char *const programs[] = { "newuidmap", "newgidmap" };
    AUTO_FREE char *search_path = local_format("%s/usr/bin:%s/usr/sbin:%s/usr/local/bin", root, root, root);
    for (size_t i = 0; i < ARRAY_COUNT(programs); i++) {
        AUTO_FREE char *path = search_path ? local_program_find(programs[i], search_path) : NULL;
        if (path)
            continue;
        problem_set(problem, MEMORIES_UNSUPPORTED, "namespaces without root need the program %s", programs[i]);
        rootless_hint(problem, "have it installed: apt-get install uidmap", isolated);
        return problem->code;
    }
    return 0;
}

static int32_t check_range(const char *root, const char *file, const char *option, const char *name, uid_t uid,
                           bool isolated, struct problem *problem)
{
    struct subid_range range;
    AUTO_FREE char *path = local_format("%s%s", root, file);
    if (!path)
        return problem_no_memory(problem);
    bool found = subid_read(path, name, uid, &range);
    if (range.count >= SUBID_COUNT)
        return 0;
    char number[16];
    snprintf(number, sizeof number, "%u", uid);
    problem_set(problem, MEMORIES_UNSUPPORTED,
                "namespaces without root need a range of %d subordinate ids for %s in %s", SUBID_COUNT,
                name ? name : number, file);
    if (found)
        problem_cause(problem, "the largest range has %u", range.count);
    else
        problem_cause(problem, "there is none");
    AUTO_FREE char *remedy = local_format(
        "have root give one that no other user has, such as usermod %s 100000-165535 %s", option, name ? name : number);
    rootless_hint(problem, remedy, isolated);
    return problem->code;
}

static int32_t check_kernel(const char *root, bool isolated, struct problem *problem)
{
    if (!read_number(root, "/proc/sys/kernel/unprivileged_userns_clone", 1)) {
        problem_set(problem, MEMORIES_UNSUPPORTED, "ordinary users may not make user namespaces on this machine");
        problem_cause(problem, "kernel.unprivileged_userns_clone is 0");
        rootless_hint(problem, "have root allow it: sysctl -w kernel.unprivileged_userns_clone=1", isolated);
        return problem->code;
    }
    if (read_number(root, "/proc/sys/user/max_user_namespaces", 1) > 0)
        return 0;
    problem_set(problem, MEMORIES_UNSUPPORTED, "no user namespaces can be made on this machine");
    problem_cause(problem, "user.max_user_namespaces is 0");
    rootless_hint(problem, "have root allow them: sysctl -w user.max_user_namespaces=10000", isolated);
    return problem->code;
}

int32_t rootless_check(const char *root, const char *name, uid_t uid, bool isolated, struct problem *problem)
{
    if (check_programs(root, isolated, problem) || check_kernel(root, isolated, problem) ||
        check_range(root, "/etc/subuid", "--add-subuids", name, uid, isolated, problem) ||
        check_range(root, "/etc/subgid", "--add-subgids", name, uid, isolated, problem))
        return problem->code;
    return 0;
}

const char *rootless_remedy(const char *root)
{
    if (read_number(root, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0))
        return "AppArmor takes the rights in user namespaces away: have root allow them, sysctl -w "
               "kernel.apparmor_restrict_unprivileged_userns=0";
    return NULL;
}

/* ---- the holder ---- */

int32_t rootless_hold(const char *directory, struct problem *problem)
{
    AUTO_FREE char *program = local_helper("memories-rootless", problem);
    if (!program || local_directory_make(directory, problem))
        return problem->code;
    const char *arguments[] = { program, "hold", directory, NULL };
    struct local_run run = { .arguments = arguments };
    return local_run(&run, "make the namespaces of the network", problem);
}

int32_t rootless_release(const char *directory, struct problem *problem)
{
    struct node_error error = { 0 };
    return node_stop(directory, RELEASE_TIMEOUT_MS, &error) ? problem_from_node(problem, &error) : 0;
}

int32_t rootless_directory_remove(const char *path, struct problem *problem)
{
    struct problem first = { 0 };
    if (!local_directory_remove(path, &first))
        return 0;
    AUTO_FREE char *program =
        first.code == MEMORIES_DENIED && rootless() ? local_helper("memories-rootless", problem) : NULL;
    if (!program) {
        *problem = first;
        return problem->code;
    }
    const char *arguments[] = { program, "run", "rm", "-rf", "--one-file-system", "--", path, NULL };
    struct local_run run = { .arguments = arguments };
    AUTO_FREE char *purpose = local_format("remove %s", path);
    return local_run(&run, purpose ? purpose : "remove a directory", problem) ? problem->code
                                                                              : local_directory_remove(path, problem);
}
