/* relays.c - which ports of a node are relayed, and telling the holder so (rootless/relay.h) */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/providers/local/port.h"
#include "plugins/providers/local/rootless.h"
#include "plugins/providers/local/rootless/holder.h"
#include "plugins/providers/local/rootless/relay.h"

/* Of a longer range only the bootstrap's ports are relayed: nobody listens on all of them. */
#define RANGE_MAX 64
#define ANSWER_TIMEOUT_MS 5000

/* ---- which ports ---- */

static int add_port(json_object *ports, int port)
{
    for (size_t i = 0; i < json_count(ports); i++)
        if (json_object_get_int(json_at(ports, i)) == port)
            return 0;
    return json_add(ports, json_object_new_int(port));
}

static bool is_from_anywhere(json_object *rule)
{
    json_object *sources = json_get_array(rule, "source_ranges");
    for (size_t i = 0; i < json_count(sources); i++) {
        const char *range = json_object_get_string(json_at(sources, i));
        size_t length = range ? strlen(range) : 0;
        if (length > 2 && !strcmp(range + length - 2, "/0"))
            return true;
    }
    return !json_count(sources);
}

/* Those of the bootstrap's ports that lie in the range, or all of a short range. */
static int add_range(json_object *relayed, json_object *ports, int first, int last)
{
    int failed = 0;
    for (int port = first; last - first < RANGE_MAX && port <= last; port++)
        failed |= add_port(relayed, port);
    for (size_t i = 0; i < json_count(ports); i++) {
        int port = json_object_get_int(json_at(ports, i));
        if (port >= first && port <= last)
            failed |= add_port(relayed, port);
    }
    return failed;
}

static int add_rule(json_object *relayed, json_object *rule, json_object *ports)
{
    const char *protocol = json_get_string(rule, "protocol");
    json_object *opened = json_get_array(rule, "ports");
    if ((protocol && strcmp(protocol, "tcp") && strcmp(protocol, "all")) || !is_from_anywhere(rule))
        return 0;
    if (!json_count(opened))
        return add_range(relayed, ports, 1, UINT16_MAX);
    int failed = 0;
    for (size_t i = 0; i < json_count(opened); i++) {
        int first = 0, last = 0;
        int fields = sscanf(json_object_get_string(json_at(opened, i)), "%5d-%5d", &first, &last);
        if (fields >= 1)
            failed |= add_range(relayed, ports, first, fields == 2 ? last : first);
    }
    return failed;
}

json_object *relay_ports(json_object *firewall, json_object *ports)
{
    AUTO_JSON json_object *relayed = json_object_new_array();
    json_object *rules = json_get_array(firewall, "rules");
    int failed = firewall ? 0 : add_range(relayed, ports, 1, UINT16_MAX);
    for (size_t i = 0; firewall && i < json_count(rules); i++)
        failed |= add_rule(relayed, json_at(rules, i), ports);
    return failed ? NULL : STEAL(relayed);
}

/* ---- telling the holder ---- */

static int send_request(int holder, const char *text, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(RELAY_PORTS_MAX * sizeof(int))];
    } control = { 0 };
    struct iovec part = { (char *)text, strlen(text) };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                    .cmsg_type = SCM_RIGHTS,
                                    .cmsg_len = CMSG_LEN(count * sizeof(int)) };
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    return sendmsg(holder, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* One question and its answer: which of the ports are not relayed. NULL with errno. */
static json_object *ask(int holder, const struct relayed_node *node, json_object *ports, const int *fds, size_t count)
{
    char address[BLOCK_TEXT_BYTES], answer[RELAY_MESSAGE_BYTES];
    block_address_format(node->address, address);
    AUTO_JSON json_object *request = json_object_new_object();
    int failed = json_set_string(request, "node", node->name);
    failed |= json_set_string(request, "address", address);
    failed |= json_set(request, "ports", json_ref(ports));
    const char *text = failed ? NULL : json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
    if (!text || strlen(text) >= RELAY_MESSAGE_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    struct pollfd answered = { .fd = holder, .events = POLLIN };
    if (send_request(holder, text, fds, count))
        return NULL;
    if (poll(&answered, 1, ANSWER_TIMEOUT_MS) == 0) {
        errno = ETIMEDOUT;
        return NULL;
    }
    ssize_t length = recv(holder, answer, sizeof answer - 1, 0);
    if (length <= 0) {
        errno = length ? errno : ECONNRESET;
        return NULL;
    }
    answer[length] = '\0';
    AUTO_JSON json_object *reply = json_tokener_parse(answer);
    json_object *missing = json_ref(json_get_array(reply, "missing"));
    errno = EPROTO;
    return missing;
}

static int listen_on(uint32_t address, uint16_t port)
{
    const struct sockaddr_in name = { .sin_family = AF_INET,
                                      .sin_port = htons(port),
                                      .sin_addr.s_addr = htonl(address) };
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
        bind(fd, (const struct sockaddr *)&name, sizeof name) || listen(fd, SOMAXCONN))
        return -1;
    int listening = fd;
    fd = -1;
    return listening;
}

static int32_t cannot_listen(const struct relayed_node *node, uint16_t port, int number, struct problem *problem)
{
    char address[BLOCK_TEXT_BYTES];
    block_address_format(node->access, address);
    if (number == EACCES)
        return port_problem(problem, PORT_DENIED, port);
    problem_set_errno(problem, number, "can't listen on %s:%u, by which %s is reached", address, port, node->name);
    problem_hint(problem, "stop the program that listens there, and try again");
    return problem->code;
}

static int32_t add_relays(int holder, const struct relayed_node *node, json_object *ports, struct problem *problem)
{
    int fds[RELAY_PORTS_MAX];
    size_t count = 0;
    for (; count < json_count(ports); count++) {
        uint16_t port = (uint16_t)json_object_get_int(json_at(ports, count));
        fds[count] = listen_on(node->access, port);
        if (fds[count] >= 0)
            continue;
        cannot_listen(node, port, errno, problem);
        break;
    }
    if (!problem->code) {
        AUTO_JSON json_object *missing = ask(holder, node, ports, fds, count);
        if (!missing || json_count(missing))
            problem_set_errno(problem, missing ? ENOMEM : errno, "can't relay the ports of %s", node->name);
    }
    while (count)
        close(fds[--count]);
    return problem->code;
}

int32_t relays_set(const char *directory, const struct relayed_node *node, json_object *ports, struct problem *problem)
{
    if (json_count(ports) > RELAY_PORTS_MAX) {
        problem_set(problem, MEMORIES_UNSUPPORTED, "without root at most %d ports of a node can be reached, %s has %zu",
                    RELAY_PORTS_MAX, node->name, json_count(ports));
        problem_hint(problem, "open fewer ports in network.security.rules, or run as root");
        return problem->code;
    }
    AUTO_FD int holder = holder_connect(directory);
    AUTO_JSON json_object *missing = holder < 0 ? NULL : ask(holder, node, ports, NULL, 0);
    if (!missing)
        return problem_set_errno(problem, errno, "can't reach the holder of the network's namespaces");
    return json_count(missing) ? add_relays(holder, node, missing, problem) : 0;
}
