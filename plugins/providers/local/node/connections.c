/* connections.c - network traffic of a node that shares the machine's network */
#include "plugins/providers/local/node/connections.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "plugins/providers/local/node/base.h"

/* States with data: all but LISTEN, TIME_WAIT and CLOSE, numbered as in the kernel's include/net/tcp_states.h. */
enum { STATE_ESTABLISHED = 1, STATE_TIME_WAIT = 6, STATE_CLOSE = 7, STATE_LISTEN = 10, STATE_CLOSING = 11 };
#define STATES_WITH_DATA \
    (((1u << (STATE_CLOSING + 1)) - 2) & ~((1u << STATE_TIME_WAIT) | (1u << STATE_CLOSE) | (1u << STATE_LISTEN)))

struct connection {
    uint64_t cookie; /* the kernel's name for the socket, never used twice */
    uint64_t received;
    uint64_t sent;
};

struct connection_list {
    struct connection *items;
    size_t count;
    size_t capacity;
};

struct inode_list {
    uint64_t *items;
    size_t count;
    size_t capacity;
};

struct connections {
    int requests;      /* netlink socket for questions */
    int announcements; /* netlink socket that hears of closed connections, or -1 */
    uint32_t address;  /* the node's, network byte order; 0: unknown */
    uint32_t sequence;
    struct connection_list known;  /* sorted by cookie: what each had carried at the last sample */
    struct connection_list former; /* the same of the sample before; filled anew by the next one */
    struct inode_list inodes;      /* sorted: sockets that the node's processes hold */
    uint64_t received;
    uint64_t sent;
};

static int open_netlink(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 1 << 20 }, sizeof(int));
    return fd;
}

/*
 * Lets only connections with the node's address as their own wake the supervisor. An announcement is a netlink header
 * (16 bytes) and struct inet_diag_msg, whose id.idiag_src stands 8 bytes behind its begin. BPF loads words in network
 * order.
 */
static void filter_by_address(int fd, uint32_t address)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 NLMSG_HDRLEN + offsetof(struct inet_diag_msg, id) + offsetof(struct inet_diag_sockid, idiag_src)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(address), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = { ARRAY_COUNT(code), code };
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static int open_announcements(uint32_t address)
{
    int fd = address ? open_netlink() : -1;
    if (fd < 0)
        return -1;
    filter_by_address(fd, address);
    struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1u << (SKNLGRP_INET_TCP_DESTROY - 1) };
    if (!bind(fd, (struct sockaddr *)&group, sizeof group))
        return fd;
    close(fd);
    return -1;
}

struct connections *connections_open(const char *address)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (!connections)
        return NULL;
    if (address && inet_pton(AF_INET, address, &connections->address) != 1)
        connections->address = 0;
    connections->announcements = -1;
    connections->requests = open_netlink();
    if (connections->requests < 0) {
        connections_free(connections);
        return NULL;
    }
    connections->announcements = open_announcements(connections->address);
    return connections;
}

void connections_free(struct connections *connections)
{
    if (!connections)
        return;
    if (connections->requests >= 0)
        close(connections->requests);
    if (connections->announcements >= 0)
        close(connections->announcements);
    free(connections->known.items);
    free(connections->former.items);
    free(connections->inodes.items);
    free(connections);
}

int connections_descriptor(const struct connections *connections)
{
    return connections ? connections->announcements : -1;
}

static int compare_cookies(const void *left, const void *right)
{
    uint64_t a = ((const struct connection *)left)->cookie, b = ((const struct connection *)right)->cookie;
    return (a > b) - (a < b);
}

static int compare_inodes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The counters in an answer; false when it has none. */
static bool read_counters(const struct nlmsghdr *header, const struct inet_diag_msg *message,
                          struct connection *connection)
{
    int left = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof *message);
    const struct rtattr *attribute = (const struct rtattr *)(const void *)(message + 1);
    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
        struct tcp_info info;
        if (attribute->rta_type != INET_DIAG_INFO ||
            RTA_PAYLOAD(attribute) < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
            continue;
        memset(&info, 0, sizeof info);
        memcpy(&info, RTA_DATA(attribute), RTA_PAYLOAD(attribute) < sizeof info ? RTA_PAYLOAD(attribute) : sizeof info);
        connection->cookie = message->id.idiag_cookie[0] | (uint64_t)message->id.idiag_cookie[1] << 32;
        connection->received = info.tcpi_bytes_received;
        connection->sent = info.tcpi_bytes_acked;
        return true;
    }
    return false;
}

static struct connection *find(const struct connection_list *list, uint64_t cookie)
{
    struct connection key = { .cookie = cookie };
    return list->count ? bsearch(&key, list->items, list->count, sizeof *list->items, compare_cookies) : NULL;
}

static bool at_address(const struct connections *connections, const struct inet_diag_msg *message)
{
    return connections->address && message->idiag_family == AF_INET && message->id.idiag_src[0] == connections->address;
}

/* Adds what the connection has carried since it was looked at last. */
static void add_traffic(struct connections *connections, const struct connection *now, struct connection *before)
{
    connections->received += now->received - (before ? before->received : 0);
    connections->sent += now->sent - (before ? before->sent : 0);
    if (before)
        *before = *now;
}

static void note_closed(struct connections *connections, const struct nlmsghdr *header)
{
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    struct connection now;
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof *message) || !at_address(connections, message) ||
        !read_counters(header, message, &now))
        return;
    /* One that closed just before the last sample is not in its list, and its announcement is read only now. */
    struct connection *before = find(&connections->known, now.cookie);
    add_traffic(connections, &now, before ? before : find(&connections->former, now.cookie));
}

void connections_closed(struct connections *connections)
{
    union {
        struct nlmsghdr header;
        char bytes[8192];
    } buffer;
    for (;;) {
        ssize_t got = recv(connections->announcements, &buffer, sizeof buffer, MSG_DONTWAIT);
        if (got < 0 && errno == ENOBUFS)
            continue;
        if (got <= 0)
            return;
        size_t left = (size_t)got;
        for (const struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
            if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
                note_closed(connections, header);
    }
}

static bool remember(struct connection_list *list, const struct connection *connection)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 32;
        struct connection *items = reallocarray(list->items, capacity, sizeof *items);
        if (!items)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *connection;
    return true;
}

static void note_open(struct connections *connections, const struct nlmsghdr *header)
{
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    struct connection now;
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof *message) || !read_counters(header, message, &now))
        return;
    uint64_t inode = message->idiag_inode;
    struct connection *before = find(&connections->known, now.cookie);
    bool held = connections->inodes.count &&
                bsearch(&inode, connections->inodes.items, connections->inodes.count, sizeof inode, compare_inodes);
    if ((before || held || at_address(connections, message)) && remember(&connections->former, &now))
        add_traffic(connections, &now, before);
}

static int request_dump(struct connections *connections, uint8_t family)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request = {
        .header = {
            .nlmsg_len = sizeof request,
            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
            .nlmsg_seq = ++connections->sequence,
        },
        .body = {
            .sdiag_family = family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_ext = 1 << (INET_DIAG_INFO - 1),
            .idiag_states = STATES_WITH_DATA,
        },
    };
    return send(connections->requests, &request, sizeof request, 0) == (ssize_t)sizeof request ? 0 : -1;
}

static void dump(struct connections *connections, uint8_t family)
{
    if (request_dump(connections, family))
        return;
    union {
        struct nlmsghdr header;
        char bytes[32768];
    } buffer;
    for (;;) {
        ssize_t got = recv(connections->requests, &buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        size_t left = (size_t)got;
        for (const struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            if (header->nlmsg_seq != connections->sequence)
                continue;
            if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
                return; /* NLMSG_DONE or NLMSG_ERROR */
            note_open(connections, header);
        }
    }
}

static void add_inode(struct inode_list *list, uint64_t inode)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        uint64_t *items = reallocarray(list->items, capacity, sizeof *items);
        if (!items)
            return;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = inode;
}

/* The sockets among a process' descriptors: links to "socket:[INODE]". */
static void add_sockets_of(struct inode_list *list, pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *descriptors = opendir(path);
    if (!descriptors)
        return;
    for (struct dirent *entry; (entry = readdir(descriptors));) {
        char link[64];
        ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link - 1);
        unsigned long long inode;
        if (length <= 0)
            continue;
        link[length] = '\0';
        if (sscanf(link, "socket:[%llu]", &inode) == 1)
            add_inode(list, inode);
    }
    closedir(descriptors);
}

void connections_sample(struct connections *connections, const struct process_list *processes, int64_t *received_bytes,
                        int64_t *sent_bytes)
{
    connections->inodes.count = 0;
    for (size_t i = 0; i < processes->count; i++)
        add_sockets_of(&connections->inodes, processes->pids[i]);
    if (connections->inodes.count)
        qsort(connections->inodes.items, connections->inodes.count, sizeof *connections->inodes.items, compare_inodes);
    if (connections->announcements >= 0)
        connections_closed(connections);
    connections->former.count = 0;
    dump(connections, AF_INET);
    dump(connections, AF_INET6);
    if (connections->former.count)
        qsort(connections->former.items, connections->former.count, sizeof *connections->former.items, compare_cookies);
    struct connection_list present = connections->former;
    connections->former = connections->known;
    connections->known = present;
    *received_bytes = (int64_t)connections->received;
    *sent_bytes = (int64_t)connections->sent;
}
