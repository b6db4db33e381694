/* relay.c - connects sockets of this machine's with nodes of a network made without root, see relay.h */
#include "plugins/providers/local/rootless/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

#define BUFFER_BYTES 32768
/* A node that does not answer is given up after about half a minute. */
#define CONNECT_TRIES 4

enum source_kind { SOURCE_SERVER, SOURCE_CLIENT, SOURCE_LISTENER, SOURCE_END };

/* What a descriptor in the epoll set belongs to; the first member of the following. */
struct source {
    enum source_kind kind;
    int fd;
};

/* A listening socket of this machine's, for one port of one node. */
struct listener {
    struct source source;
    char *node;
    struct sockaddr_in target;
    struct listener *next;
};

/* One side of a relayed connection. The buffer holds what came from here and has to go to the other side. */
struct end {
    struct source source;
    struct connection *connection;
    struct end *other;
    size_t first, last;
    bool finished; /* nothing more will come */
    bool told;     /* the other side has been told so */
    bool watched;
    char buffer[BUFFER_BYTES];
};

struct connection {
    struct end outside, inside;
    bool connecting;
};

struct relay {
    int epoll;
    struct listener *listeners;
};

static int watch(struct relay *relay, struct source *source, uint32_t events, int operation)
{
    struct epoll_event event = { .events = events, .data.ptr = source };
    return epoll_ctl(relay->epoll, operation, source->fd, &event);
}

/* ---- connections ---- */

static void connection_free(struct connection *connection, bool reset)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    if (reset && connection->outside.source.fd >= 0)
        setsockopt(connection->outside.source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connection->outside.source.fd >= 0)
        close(connection->outside.source.fd);
    if (connection->inside.source.fd >= 0)
        close(connection->inside.source.fd);
    free(connection);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Moves what there is from one end to the other. -1: the connection is broken. */
static int pump(struct end *from)
{
    struct end *to = from->other;
    if (from->first == from->last && !from->finished) {
        ssize_t got = recv(from->source.fd, from->buffer, sizeof from->buffer, MSG_DONTWAIT);
        if (got < 0 && !would_block())
            return -1;
        from->finished = got == 0;
        from->first = 0;
        from->last = got > 0 ? (size_t)got : 0;
    }
    if (from->first < from->last) {
        ssize_t sent =
            send(to->source.fd, from->buffer + from->first, from->last - from->first, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && !would_block())
            return -1;
        from->first += sent > 0 ? (size_t)sent : 0;
    }
    if (from->finished && from->first == from->last && !from->told) {
        from->told = true;
        shutdown(to->source.fd, SHUT_WR);
    }
    return 0;
}

/* An end from which nothing is wanted leaves the set: a hang-up would be told over and over. */
static int watch_end(struct relay *relay, struct end *end)
{
    uint32_t wanted = 0;
    if (end->connection->connecting)
        wanted = end == &end->connection->inside ? EPOLLOUT : 0;
    else
        wanted = (end->first == end->last && !end->finished ? EPOLLIN : 0u) |
                 (end->other->first < end->other->last ? EPOLLOUT : 0u);
    if (!wanted && !end->watched)
        return 0;
    int operation = !wanted ? EPOLL_CTL_DEL : end->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    end->watched = wanted != 0;
    return watch(relay, &end->source, wanted, operation);
}

static bool is_connected(struct connection *connection)
{
    int number = 0;
    socklen_t size = sizeof number;
    getsockopt(connection->inside.source.fd, SOL_SOCKET, SO_ERROR, &number, &size);
    connection->connecting = false;
    return !number;
}

static void serve_connection(struct relay *relay, struct connection *connection)
{
    struct end *outside = &connection->outside, *inside = &connection->inside;
    if ((connection->connecting && !is_connected(connection)) || pump(outside) || pump(inside)) {
        connection_free(connection, true);
        return;
    }
    bool is_over = outside->told && inside->told;
    if (is_over || watch_end(relay, outside) || watch_end(relay, inside))
        connection_free(connection, !is_over);
}

/* Not the network's own addresses: see RELAY_ADDRESS. */
static int connect_inside(const struct sockaddr_in *target)
{
    const struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(RELAY_ADDRESS) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &(int){ CONNECT_TRIES }, sizeof(int));
    if (fd >= 0 && !bind(fd, (const struct sockaddr *)&own, sizeof own) &&
        (!connect(fd, (const struct sockaddr *)target, sizeof *target) || errno == EINPROGRESS))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void accept_connection(struct relay *relay, const struct listener *listener)
{
    int accepted = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0)
        return;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(accepted);
        return;
    }
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    struct end *outside = &connection->outside, *inside = &connection->inside;
    outside->source = (struct source){ SOURCE_END, accepted };
    inside->source = (struct source){ SOURCE_END, connect_inside(&listener->target) };
    outside->connection = inside->connection = connection;
    outside->other = inside;
    inside->other = outside;
    connection->connecting = true;
    if (inside->source.fd < 0 || watch_end(relay, inside))
        connection_free(connection, true);
}

/* ---- listeners ---- */

static void listener_free(struct listener *listener)
{
    close(listener->source.fd);
    free(listener->node);
    free(listener);
}

static bool has_port(json_object *ports, in_port_t port)
{
    for (size_t i = 0; i < json_count(ports); i++)
        if (json_object_get_int(json_at(ports, i)) == port)
            return true;
    return false;
}

static bool is_of(const struct listener *listener, const char *node, in_port_t port)
{
    return !strcmp(listener->node, node) && ntohs(listener->target.sin_port) == port;
}

/* Closes what the node shall not have any more, and what leads elsewhere. */
static void keep_listeners(struct relay *relay, const char *node, in_addr_t address, json_object *ports)
{
    for (struct listener **at = &relay->listeners; *at;) {
        struct listener *one = *at;
        if (strcmp(one->node, node) != 0 ||
            (one->target.sin_addr.s_addr == address && has_port(ports, ntohs(one->target.sin_port)))) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        listener_free(one);
    }
}

/* Owns the socket from here on. */
static void add_listener(struct relay *relay, const char *node, in_addr_t address, in_port_t port, int fd)
{
    struct listener *listener = calloc(1, sizeof *listener);
    char *name = strdup(node);
    if (listener && name) {
        *listener = (struct listener){ .source = { SOURCE_LISTENER, fd }, .node = name, .next = relay->listeners };
        listener->target =
            (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address };
        if (!watch(relay, &listener->source, EPOLLIN, EPOLL_CTL_ADD)) {
            relay->listeners = listener;
            return;
        }
    }
    free(name);
    free(listener);
    close(fd);
}

static json_object *missing_ports(const struct relay *relay, const char *node, json_object *ports)
{
    json_object *missing = json_object_new_array();
    for (size_t i = 0; i < json_count(ports); i++) {
        const struct listener *one = relay->listeners;
        while (one && !is_of(one, node, (in_port_t)json_object_get_int(json_at(ports, i))))
            one = one->next;
        if (!one)
            json_add(missing, json_ref(json_at(ports, i)));
    }
    return missing;
}

/* ---- messages ---- */

/* Reads one message and the sockets that came along; the number of these, or -1: no more messages. */
static ssize_t receive(int client, char text[RELAY_MESSAGE_BYTES], int fds[RELAY_PORTS_MAX])
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(RELAY_PORTS_MAX * sizeof(int))];
    } control;
    struct iovec part = { text, RELAY_MESSAGE_BYTES - 1 };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t length = recvmsg(client, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (length <= 0)
        return length < 0 && would_block() ? 0 : -1;
    text[length] = '\0';
    ssize_t count = 0;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = one->cmsg_len - CMSG_LEN(0);
        memcpy(fds + count, CMSG_DATA(one), bytes);
        count += (ssize_t)(bytes / sizeof(int));
    }
    return count;
}

static void answer(struct relay *relay, int client, const char *text, const int *fds, size_t count)
{
    AUTO_JSON json_object *request = json_tokener_parse(text);
    AUTO_JSON json_object *reply = json_object_new_object();
    const char *node = json_get_string(request, "node");
    const char *target = json_get_string(request, "address");
    json_object *ports = json_get_array(request, "ports");
    struct in_addr address;
    bool good =
        node && target && ports && inet_pton(AF_INET, target, &address) == 1 && (!count || count == json_count(ports));
    for (size_t i = 0; i < count; i++) {
        if (good)
            add_listener(relay, node, address.s_addr, (in_port_t)json_object_get_int(json_at(ports, i)), fds[i]);
        else
            close(fds[i]);
    }
    if (good && !count)
        keep_listeners(relay, node, address.s_addr, ports);
    if (good)
        json_set_new(reply, "missing", missing_ports(relay, node, ports));
    const char *line = json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN);
    send(client, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void serve_client(struct relay *relay, struct source *client)
{
    char text[RELAY_MESSAGE_BYTES] = "";
    int fds[RELAY_PORTS_MAX];
    ssize_t count = receive(client->fd, text, fds);
    if (count >= 0 && *text)
        answer(relay, client->fd, text, fds, (size_t)count);
    if (count >= 0)
        return;
    close(client->fd);
    free(client);
}

/* Nodes' supervisors connect too, and never say anything: they want to learn when this process ends. */
static void accept_client(struct relay *relay, int server)
{
    struct source *client = calloc(1, sizeof *client);
    int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client)
        *client = (struct source){ SOURCE_CLIENT, fd };
    if (fd >= 0 && client && !watch(relay, client, EPOLLIN, EPOLL_CTL_ADD))
        return;
    if (fd >= 0)
        close(fd);
    free(client);
}

static void serve(struct relay *relay, struct source *source)
{
    switch (source->kind) {
    case SOURCE_SERVER:
        accept_client(relay, source->fd);
        break;
    case SOURCE_CLIENT:
        serve_client(relay, source);
        break;
    case SOURCE_LISTENER:
        accept_connection(relay, (struct listener *)source);
        break;
    case SOURCE_END:
        serve_connection(relay, ((struct end *)source)->connection);
        break;
    }
}

int relay_run(int server)
{
    struct relay relay = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
    struct source source = { SOURCE_SERVER, server };
    if (relay.epoll < 0 || watch(&relay, &source, EPOLLIN, EPOLL_CTL_ADD))
        return -1;
    for (;;) {
        /* One at a time: what it belongs to may end whatever else was ready. */
        struct epoll_event event;
        int count = epoll_wait(relay.epoll, &event, 1, -1);
        if (count < 0 && errno != EINTR)
            return -1;
        if (count > 0)
            serve(&relay, event.data.ptr);
    }
}
