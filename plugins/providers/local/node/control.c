/* control.c - the supervisor's control socket */
#include "plugins/providers/local/node/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "plugins/providers/local/node/base.h"

/* A path through /proc, because a socket address has room for 107 bytes and the node's directory may need more. */
static struct sockaddr_un address_in(int directory)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NODE_SOCKET_FILE, directory);
    return address;
}

int32_t control_open(struct control *control, int directory, const char *path, struct node_error *error)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        control->clients[i].fd = -1;
    struct sockaddr_un address = address_in(directory);
    unlinkat(directory, NODE_SOCKET_FILE, 0);
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    int failed = control->listener < 0 || bind(control->listener, (struct sockaddr *)&address, sizeof address) ||
                 listen(control->listener, 64);
    umask(mask);
    return failed ? node_fail_errno(error, errno, "can't make the control socket %s/" NODE_SOCKET_FILE, path)
                  : MEMORIES_OK;
}

static void drop(struct control_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->answer);
    client->fd = -1;
    client->answer = NULL;
}

void control_close(struct control *control, int directory)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        drop(&control->clients[i]);
    if (control->listener >= 0)
        close(control->listener);
    control->listener = -1;
    unlinkat(directory, NODE_SOCKET_FILE, 0);
}

size_t control_poll(const struct control *control, struct pollfd *polled)
{
    size_t count = 0;
    polled[count++] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i].fd >= 0)
            polled[count++] = (struct pollfd){ .fd = control->clients[i].fd,
                                               .events = control->clients[i].answer ? POLLOUT : POLLIN };
    return count;
}

static bool may_command(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && (peer.uid == geteuid() || !peer.uid);
}

/* A free place, or that of whoever has it longest. */
static struct control_client *make_room(struct control *control)
{
    struct control_client *oldest = &control->clients[0];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct control_client *client = &control->clients[i];
        if (client->fd < 0)
            return client;
        if (client->since_ms < oldest->since_ms)
            oldest = client;
    }
    drop(oldest);
    return oldest;
}

static void accept_clients(struct control *control)
{
    for (int fd; (fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
        if (!may_command(fd)) {
            close(fd);
            continue;
        }
        struct control_client *client = make_room(control);
        *client = (struct control_client){ .fd = fd, .since_ms = node_monotonic_ms() };
    }
}

static void send_answer(struct control_client *client)
{
    while (client->answer_sent < client->answer_length) {
        ssize_t sent = send(client->fd, client->answer + client->answer_sent,
                            client->answer_length - client->answer_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            drop(client);
            return;
        }
        client->answer_sent += (size_t)sent;
    }
    free(client->answer);
    client->answer = NULL;
}

static char *answer_line(const char *line, control_fn *answer, void *context)
{
    AUTO_JSON json_object *request = json_tokener_parse(line);
    const char *command = json_object_get_string(json_object_object_get(request, "command"));
    AUTO_FREE char *text = answer(context, command ? command : "");
    char *whole;
    return text && asprintf(&whole, "%s\n", text) >= 0 ? whole : NULL;
}

/* True when more of a line has come. */
static bool receive(struct control_client *client)
{
    size_t room = sizeof client->line - 1 - client->length;
    ssize_t got = room ? recv(client->fd, client->line + client->length, room, 0) : 0;
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        drop(client);
        return false;
    }
    client->length += (size_t)got;
    return true;
}

static void answer_first_line(struct control_client *client, char *end, control_fn *answer, void *context)
{
    *end = '\0';
    client->answer = answer_line(client->line, answer, context);
    client->answer_length = client->answer ? strlen(client->answer) : 0;
    client->answer_sent = 0;
    client->length -= (size_t)(end + 1 - client->line);
    memmove(client->line, end + 1, client->length);
    if (!client->answer)
        drop(client);
}

/* The next line is read when the answer to this one is on its way. */
static void serve(struct control_client *client, control_fn *answer, void *context)
{
    for (;;) {
        if (client->answer)
            send_answer(client);
        if (client->fd < 0 || client->answer)
            return;
        char *end = memchr(client->line, '\n', client->length);
        if (end)
            answer_first_line(client, end, answer, context);
        else if (!receive(client))
            return;
    }
}

void control_run(struct control *control, control_fn *answer, void *context)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i].fd >= 0)
            serve(&control->clients[i], answer, context);
    accept_clients(control);
}
