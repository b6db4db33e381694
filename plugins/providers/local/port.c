/*
 * port.c - free ports
 *
 * Binding is the test that counts. /proc/net/tcp only explains a failure; its format is that of proc(5): local address,
 * remote address, state (0A: listening), …, uid at the 8th field, inode at the 10th.
 */
#include "plugins/providers/local/port.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "plugins/common/cleanup.h"
#include "plugins/providers/local/files.h"

#define LISTENING 0x0a

struct listener {
    unsigned uid;
    unsigned long inode;
};

/* 0, or the errno of bind. */
static int try_bind(uint32_t address, uint16_t port)
{
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    /* As servers do it: connections of an earlier server that are still winding down are no hindrance. */
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address) };
    return bind(fd, (struct sockaddr *)&name, sizeof name) ? errno : 0;
}

/* The socket that listens on `port` of every address, if there is one. */
static bool find_listener_everywhere(const char *table, uint16_t port, struct listener *listener)
{
    FILE *lines = fopen(table, "re");
    if (!lines)
        return false;
    char line[512], address[40];
    bool found = false;
    while (!found && fgets(line, sizeof line, lines)) {
        unsigned line_port, state;
        if (sscanf(line, " %*d: %39[0-9A-F]:%x %*s %x %*s %*s %*s %u %*d %lu", address, &line_port, &state,
                   &listener->uid, &listener->inode) == 5)
            found = state == LISTENING && line_port == port && !address[strspn(address, "0")];
    }
    fclose(lines);
    return found;
}

static bool listener_everywhere(uint16_t port, struct listener *listener)
{
    return find_listener_everywhere("/proc/net/tcp", port, listener) ||
           find_listener_everywhere("/proc/net/tcp6", port, listener);
}

enum port_state port_state(uint32_t address, uint16_t port)
{
    struct listener listener;
    switch (try_bind(address, port)) {
    case 0:
        return PORT_FREE;
    case EACCES:
        return PORT_DENIED;
    default:
        return listener_everywhere(port, &listener) ? PORT_TAKEN_EVERYWHERE : PORT_TAKEN;
    }
}

static bool process_has_socket(const char *pid, unsigned long inode)
{
    char path[300], target[64], wanted[64];
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *entries = opendir(path);
    if (!entries)
        return false;
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(entries));) {
        ssize_t length = readlinkat(dirfd(entries), entry->d_name, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = '\0';
        found = !strcmp(target, wanted);
    }
    closedir(entries);
    return found;
}

/* "sshd (process 812)"; processes of other users don't show their sockets to us. */
static void describe_holder(const struct listener *listener, char *text, size_t size)
{
    snprintf(text, size, "a process of the user with id %u", listener->uid);
    DIR *processes = opendir("/proc");
    if (!processes)
        return;
    for (struct dirent *entry; (entry = readdir(processes));) {
        if (!strspn(entry->d_name, "0123456789") || !process_has_socket(entry->d_name, listener->inode))
            continue;
        char path[300];
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        struct problem ignored;
        AUTO_FREE char *name = local_file_read(path, NULL, &ignored);
        snprintf(text, size, "%.*s (process %.20s)", name ? (int)strcspn(name, "\n") : 0,
                 name ? name : "", entry->d_name);
        break;
    }
    closedir(processes);
}

int32_t port_problem(struct problem *problem, enum port_state state, uint16_t port)
{
    if (state == PORT_DENIED) {
        problem_set(problem, MEMORIES_DENIED, "port %u can be listened on by root only", port);
        problem_hint(problem, "use a port above 1023, or run as root");
        return problem->code;
    }
    problem_set(problem, MEMORIES_CONFLICT, "port %u is taken on every address of this machine", port);
    struct listener listener;
    char holder[256];
    if (listener_everywhere(port, &listener)) {
        describe_holder(&listener, holder, sizeof holder);
        problem_cause(problem, "%s listens on it", holder);
    }
    problem_hint(problem, "stop that program or let it listen on 127.0.0.1 only; or, as root, use isolation: namespace");
    return problem->code;
}
