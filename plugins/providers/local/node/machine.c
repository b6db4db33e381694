/* machine.c - the file system of a node that is a machine, see machine.h */
#include "plugins/providers/local/node/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/node/namespace.h"

/* Directories of the node, and where the machine has them: as plugins/common/cloud_config.h says, and for config as
 * cloud-init's data source NoCloud does. */
static const struct {
    const char *directory, *place;
    mode_t mode;
} shares[] = {
    { "data", NODE_MACHINE_ROOT "/var/lib/memories", 0755 },
    { "log", NODE_MACHINE_ROOT "/var/log/memories", 0755 },
    { "config", NODE_MACHINE_ROOT "/var/lib/cloud/seed/nocloud", 0700 },
};

static int32_t mount_root(const struct node_definition *definition, int directory, const char *path,
                          struct node_error *error)
{
    AUTO_FD int root = open(definition->machine_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char options[256];
    if (root < 0) {
        int32_t code =
            node_fail_errno(error, errno, "can't use the machine's root file system %s", definition->machine_root);
        node_hint(error, "what the machine has written needs that very tree: put it back, or make the node anew");
        return code;
    }
    if ((mkdirat(directory, "machine", 0700) && errno != EEXIST) ||
        (mkdirat(directory, "machine/work", 0700) && errno != EEXIST) ||
        (mkdirat(directory, "machine/changes", 0755) && errno != EEXIST) ||
        fchmodat(directory, "machine/changes", 0755, 0) || mkdir(NODE_MACHINE_ROOT, 0755))
        return node_fail_errno(error, errno, "can't make the directories of the machine in %s", path);
    snprintf(
        options, sizeof options,
        "lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d/machine/changes,workdir=/proc/self/fd/%d/machine/work",
        root, directory, directory);
    if (!mount("overlay", NODE_MACHINE_ROOT, "overlay", 0, options))
        return MEMORIES_OK;
    int32_t code = node_fail_errno(error, errno, "can't lay the machine's own files in %s over %s", path,
                                   definition->machine_root);
    node_hint(error,
              "the state directory must be on a disk whose file system an overlay can write to, such as ext4 or xfs");
    return code;
}

int32_t machine_furnish(const struct node_definition *definition, int directory, const char *path,
                        struct node_error *error)
{
    int32_t failed = mount_root(definition, directory, path, error);
    for (size_t i = 0; i < ARRAY_COUNT(shares) && !failed; i++) {
        char source[64];
        snprintf(source, sizeof source, "/proc/self/fd/%d/%s", directory, shares[i].directory);
        if (namespace_make_directories(shares[i].place) || chmod(source, shares[i].mode) ||
            mount(source, shares[i].place, "none", MS_BIND, NULL))
            failed =
                node_fail_errno(error, errno, "can't give the machine the directory %s/%s", path, shares[i].directory);
    }
    /* What the last boot said must not be taken for what this one says. */
    if (!failed && renameat(directory, "log/" NODE_BOOT_LOG, directory, "log/" NODE_BOOT_LOG ".1") && errno != ENOENT)
        failed = node_fail_errno(error, errno, "can't rename %s/log/" NODE_BOOT_LOG, path);
    return failed;
}
