/* namespace.c - the namespaces of a node in namespace isolation */
#include "plugins/providers/local/node/namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "plugins/common/json.h"
#include "plugins/providers/local/node/base.h"
#include "plugins/providers/local/rootless/holder.h"

#define PLAIN_MOUNT (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define CGROUP_ROOT "/sys/fs/cgroup"

static void add_note(json_object *notes, int number, const char *what, const char *where)
{
    char text[PATH_MAX + 256];
    snprintf(text, sizeof text, "%s %s: %s", what, where, strerror(number));
    json_add_string(notes, text);
}

int32_t namespaces_enter(const struct node_definition *definition, struct node_error *error)
{
    int32_t failed = definition->holder ? holder_enter(definition->holder, error) : MEMORIES_OK;
    if (failed)
        return failed;
    if (definition->network_namespace) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "/run/netns/%s", definition->network_namespace);
        AUTO_FD int network = open(path, O_RDONLY | O_CLOEXEC);
        if (network < 0 || setns(network, CLONE_NEWNET))
            return node_fail_errno(error, errno, "can't enter the network namespace %s", path);
    }
    if (!unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWCGROUP))
        return MEMORIES_OK;
    int32_t code = node_fail_errno(error, errno, "can't make the node's namespaces");
    node_hint(error, "namespace isolation needs root, or a holder's user namespace; process isolation does not");
    return code;
}

int namespace_make_directories(const char *path)
{
    char partial[PATH_MAX];
    snprintf(partial, sizeof partial, "%s", path);
    for (char *slash = partial; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (mkdir(partial, 0755) && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(partial, 0755) && errno != EEXIST ? -1 : 0;
}

int32_t namespace_mount_run(int directory, const char *path, struct node_error *error)
{
    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"))
        return node_fail_errno(error, errno, "can't mount the node's /run");
    if (strncmp(path, "/run/", 5))
        return MEMORIES_OK;
    char source[64];
    snprintf(source, sizeof source, "/proc/self/fd/%d", directory);
    if (namespace_make_directories(path) || mount(source, path, "none", MS_BIND, NULL))
        return node_fail_errno(error, errno, "can't keep %s in the node's /run", path);
    return MEMORIES_OK;
}

/* systemd-resolved and others make /etc/resolv.conf a link into /run, which is empty now. */
static void make_link_target(const char *path)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return;
    target[length] = '\0';
    const char *below_run = strstr(target, "run/");
    if (!below_run || (below_run != target && below_run[-1] != '/'))
        return;
    char directory[PATH_MAX + 8];
    snprintf(directory, sizeof directory, "/%s", below_run);
    *strrchr(directory, '/') = '\0';
    if (namespace_make_directories(directory))
        return;
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file >= 0)
        close(file);
}

/* An /etc of its own: what the node's programs write there is neither seen nor left on the machine. Where the kernel can't
 * lay one directory over another the node writes into the machine's. */
static void mount_etc(int directory, json_object *notes)
{
    static const char *const parts[] = { "run/etc", "run/etc/changes", "run/etc/work" };
    char options[256];
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        /* The mode becomes that of /etc itself, whatever the umask. */
        if ((mkdirat(directory, parts[i], 0755) && errno != EEXIST) || fchmodat(directory, parts[i], 0755, 0)) {
            add_note(notes, errno, "the node has no /etc of its own: can't make", parts[i]);
            return;
        }
    snprintf(options, sizeof options,
             "lowerdir=/etc,upperdir=/proc/self/fd/%d/run/etc/changes,workdir=/proc/self/fd/%d/run/etc/work", directory,
             directory);
    if (mount("overlay", "/etc", "overlay", MS_NOSUID | MS_NODEV, options))
        add_note(notes, errno, "the node has no", "/etc of its own");
}

#define LAYER "/proc/self/fd/%d/run/private.layer%s"
#define LAYER_WORK "/proc/self/fd/%d/run/private.work%s"

/* Lets the node have `path`, which the machine has not and does not get: over its parent directory lies a layer with
 * it. Where the kernel can't do that, the machine gets an empty directory, if this user may make one. */
static int add_mount_point(int directory, const char *node_path, const char *path)
{
    char parent[PATH_MAX], layer[PATH_MAX + 64], work[PATH_MAX + 64], options[3 * PATH_MAX + 256];
    snprintf(parent, sizeof parent, "%s", path);
    *strrchr(parent, '/') = '\0';
    size_t length = strlen(parent);
    /* The node's /etc is of that kind already; and over the node's own directory nothing may lie. */
    if (!strcmp(parent, "/etc") || (!strncmp(node_path, parent, length) && node_path[length] == '/'))
        return mkdir(path, 0755);
    struct stat info;
    snprintf(layer, sizeof layer, LAYER, directory, parent);
    snprintf(work, sizeof work, LAYER_WORK, directory, parent);
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", parent, layer, work);
    /* The layer's mode is what the directory has from now on. */
    if (namespace_make_directories(work) || stat(parent, &info) || chmod(layer, info.st_mode & 07777))
        return -1;
    return mount("overlay", parent, "overlay", MS_NOSUID | MS_NODEV, options) ? mkdir(path, 0755) : 0;
}

/* All layers before any mount: what is mounted below a directory would be hidden by a layer over that directory. */
static int add_mount_points(char *const *paths, int directory, const char *node_path)
{
    char layer[PATH_MAX + 64];
    for (size_t i = 0; paths[i]; i++) {
        snprintf(layer, sizeof layer, LAYER, directory, paths[i]);
        if (access(paths[i], F_OK) && namespace_make_directories(layer))
            return -1;
    }
    for (size_t i = 0; paths[i]; i++)
        if (access(paths[i], F_OK) && add_mount_point(directory, node_path, paths[i]))
            return -1;
    return 0;
}

/* The node's own directories in the place of the machine's. */
static int32_t mount_private(char *const *paths, int directory, const char *node_path, struct node_error *error)
{
    if (paths && add_mount_points(paths, directory, node_path))
        return node_fail_errno(error, errno, "can't make the places of the node's own directories");
    for (; paths && *paths; paths++) {
        char source[PATH_MAX + 64];
        snprintf(source, sizeof source, "/proc/self/fd/%d/run/private%s", directory, *paths);
        if (namespace_make_directories(source) || mount(source, *paths, "none", MS_BIND, NULL))
            return node_fail_errno(error, errno, "can't give the node a %s of its own", *paths);
    }
    return MEMORIES_OK;
}

/* Puts a file of the node's in the place of one in /etc. */
static int32_t replace_file(int directory, const char *name, const char *target, const char *content,
                            json_object *notes, struct node_error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "run/%s", name);
    AUTO_FD int file = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0 || node_write_all(file, content, strlen(content)))
        return node_fail_errno(error, errno, "can't write the node's %s", target);
    snprintf(path, sizeof path, "/proc/self/fd/%d/run/%s", directory, name);
    make_link_target(target);
    if (!mount(path, target, "none", MS_BIND, NULL))
        return MEMORIES_OK;
    /* A machine without that file has nothing that the node should not see. */
    if (errno != ENOENT)
        return node_fail_errno(error, errno, "can't mount the node's %s", target);
    add_note(notes, errno, "the node has no", target);
    return MEMORIES_OK;
}

static char *hosts_text(const struct node_definition *definition)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    bool own = false;
    fputs("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n", stream);
    for (size_t i = 0; i < definition->host_count; i++) {
        fprintf(stream, "%s %s\n", definition->hosts[i].address, definition->hosts[i].name);
        own = own || !strcmp(definition->hosts[i].name, definition->hostname);
    }
    if (!own)
        fprintf(stream, "%s %s\n", definition->address ? definition->address : "127.0.1.1", definition->hostname);
    if (fclose(stream)) {
        free(text);
        return NULL;
    }
    return text;
}

static int32_t replace_files(const struct node_definition *definition, int directory, json_object *notes,
                             struct node_error *error)
{
    char hostname[80];
    snprintf(hostname, sizeof hostname, "%s\n", definition->hostname);
    AUTO_FREE char *hosts = hosts_text(definition);
    if (!hosts)
        return node_fail(error, MEMORIES_NO_MEMORY, "out of memory");
    int32_t failed = replace_file(directory, "hostname", "/etc/hostname", hostname, notes, error);
    if (!failed)
        failed = replace_file(directory, "hosts", "/etc/hosts", hosts, notes, error);
    if (!failed)
        failed = replace_file(directory, "resolv.conf", "/etc/resolv.conf", "", notes, error);
    return failed;
}

/* One v1 hierarchy, or v2, where the machine has it. Inside the cgroup namespace its root is the node's cgroup. */
static void mount_hierarchy(const struct cgroup_hierarchy *hierarchy, json_object *notes)
{
    char options[1100];
    const char *named = strncmp(hierarchy->controllers, "name=", 5) ? "" : "none,";
    snprintf(options, sizeof options, "%s%s", named, hierarchy->controllers);
    const char *type = hierarchy->unified ? "cgroup2" : "cgroup";
    if (namespace_make_directories(hierarchy->mount) ||
        mount(type, hierarchy->mount, type, PLAIN_MOUNT, hierarchy->unified ? NULL : options))
        add_note(notes, errno, "the node has no", hierarchy->mount);
}

/* Links such as cpu -> cpu,cpuacct, by which programs find a hierarchy that is mounted under another name. */
static void copy_links(DIR *from)
{
    for (struct dirent *entry; (entry = readdir(from));) {
        char target[PATH_MAX], link[PATH_MAX];
        ssize_t length = readlinkat(dirfd(from), entry->d_name, target, sizeof target - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        snprintf(link, sizeof link, CGROUP_ROOT "/%s", entry->d_name);
        if (symlink(target, link))
            continue; /* taken by a hierarchy of that name */
    }
}

/* Without root the machine's mounts stay in the list of mounts, whatever covers them. Container runtimes go by the
 * list, and take it for an error when a hierarchy is not where it says; that they may not write there they do not mind.
 */
static void keep_cgroups(int former, json_object *notes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", former);
    if (mount(path, CGROUP_ROOT, "none", MS_BIND | MS_REC, NULL))
        add_note(notes, errno, "the node has no", CGROUP_ROOT);
}

/* Only hierarchies in which the node has its cgroup: in the others, the node would see and change the machine's. */
static int32_t mount_sys(const struct cgroups *groups, bool rootless, json_object *notes, struct node_error *error)
{
    DIR *former = opendir(CGROUP_ROOT);
    umount2("/sys", MNT_DETACH);
    if (mount("sysfs", "/sys", "sysfs", PLAIN_MOUNT, NULL)) {
        int number = errno;
        if (former)
            closedir(former);
        return node_fail_errno(error, number, "can't mount the node's /sys");
    }
    if (rootless && former)
        keep_cgroups(dirfd(former), notes);
    bool covered = false;
    for (size_t i = 0; i < groups->count; i++) {
        const struct cgroup_hierarchy *hierarchy = &groups->items[i];
        if (!hierarchy->joined || strncmp(hierarchy->mount, CGROUP_ROOT, sizeof CGROUP_ROOT - 1))
            continue;
        /* Several hierarchies are mounted in directories, which something must hold; v2 alone is mounted on the root.
         */
        if (!covered && strcmp(hierarchy->mount, CGROUP_ROOT) &&
            mount("tmpfs", CGROUP_ROOT, "tmpfs", PLAIN_MOUNT, "mode=755"))
            add_note(notes, errno, "the node has no", CGROUP_ROOT);
        covered = true;
        mount_hierarchy(hierarchy, notes);
    }
    if (former && covered)
        copy_links(former);
    if (former)
        closedir(former);
    return MEMORIES_OK;
}

int32_t namespaces_furnish(const struct node_definition *definition, const struct cgroups *groups, int directory,
                           const char *path, json_object *notes, struct node_error *error)
{
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
        return node_fail_errno(error, errno, "can't part the node's mounts from the machine's");
    int32_t failed = namespace_mount_run(directory, path, error);
    mount_etc(directory, notes);
    if (!failed)
        failed = replace_files(definition, directory, notes, error);
    if (!failed)
        failed = mount_private(definition->private_directories, directory, path, error);
    if (!failed && mount("proc", "/proc", "proc", PLAIN_MOUNT, NULL))
        failed = node_fail_errno(error, errno, "can't mount the node's /proc");
    if (!failed)
        failed = mount_sys(groups, definition->holder != NULL, notes, error);
    if (!failed && sethostname(definition->hostname, strlen(definition->hostname)))
        failed = node_fail_errno(error, errno, "can't set the host name %s", definition->hostname);
    return failed;
}
