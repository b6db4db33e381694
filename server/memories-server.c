/* memories-server.c - a small HTTP server that says that it lives and what it is: options, listening, ending */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <memories/version.h>

#include "server/server.h"

#define CONNECTIONS_MAX 256u
#define CONNECTION_TIMEOUT_S 30u
#define CHECK_TIMEOUT_S 3
#define CONNECTION_MEMORY_BYTES ((size_t)32 << 10)

#define EXIT_USAGE 2

static const char usage[] = "Usage: memories-server [OPTION]…\n"
                            "Answer GET /healthz and GET /v1/info over HTTP until SIGTERM or SIGINT.\n"
                            "\n"
                            "  --listen ADDRESS   IP address to listen on (default: 127.0.0.1)\n"
                            "  --port N           TCP port, 0 for any free one (default: 8000)\n"
                            "  --deployment ID    the deployment this server belongs to\n"
                            "  --node NAME        the node it runs on (default: $MEMORIES_NODE_NAME)\n"
                            "  --role ROLE        the node's role\n"
                            "  --data DIRECTORY   its data directory; /healthz fails while it can't be written\n"
                            "  --check            ask the server at --listen and --port for /healthz, and end with\n"
                            "                     0 if it is well: for a container's health check\n"
                            "  --help             print this text\n"
                            "  --version          print the version\n";

struct options {
    const char *address;
    long port;
    bool check;
    struct server server;
};

/* Large enough for either family. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

int64_t server_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wrong_usage(const char *text, const char *value)
{
    fprintf(stderr, "memories-server: %s%s%s\nTry 'memories-server --help'.\n", text, value ? ": " : "",
            value ? value : "");
    exit(EXIT_USAGE);
}

static long parse_port(const char *text)
{
    char *end = NULL;
    errno = 0;
    long port = strtol(text, &end, 10);
    if (errno || end == text || *end || port < 0 || port > 65535)
        wrong_usage("--port: expected 0 to 65535, found", text);
    return port;
}

static void parse_options(int count, char **arguments, struct options *options)
{
    static const struct option known[] = {
        { "listen", required_argument, NULL, 'l' },
        { "port", required_argument, NULL, 'p' },
        { "deployment", required_argument, NULL, 'd' },
        { "node", required_argument, NULL, 'n' },
        { "role", required_argument, NULL, 'r' },
        { "data", required_argument, NULL, 'D' },
        { "check", no_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case 'l':
            options->address = optarg;
            break;
        case 'p':
            options->port = parse_port(optarg);
            break;
        case 'd':
            options->server.deployment = optarg;
            break;
        case 'n':
            options->server.node = optarg;
            break;
        case 'r':
            options->server.role = optarg;
            break;
        case 'D':
            options->server.data = optarg;
            break;
        case 'c':
            options->check = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        case 'V':
            puts("memories-server " MEMORIES_VERSION);
            exit(EXIT_SUCCESS);
        default: /* getopt_long has said what is wrong */
            fputs("Try 'memories-server --help'.\n", stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind < count)
        wrong_usage("unexpected argument", arguments[optind]);
}

static socklen_t make_address(const char *text, long port, union address *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((uint16_t)port);
        return sizeof address->v4;
    }
    if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((uint16_t)port);
        return sizeof address->v6;
    }
    return 0;
}

/* The socket that listens, and in *port the port that it really has; -1 with the reason on stderr. */
static int listen_on(const char *text, long *port)
{
    union address address;
    socklen_t size = make_address(text, *port, &address);
    if (!size)
        wrong_usage("--listen: expected an IP address, found", text);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) || bind(fd, &address.any, size) ||
        listen(fd, SOMAXCONN) || getsockname(fd, &address.any, &size)) {
        fprintf(stderr, "memories-server: can't listen on %s port %ld: %s\n", text, *port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return fd;
}

/* --check: one request to a server that runs; what it answers is told by the first line alone. */
static int check_server(const char *text, long port)
{
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    static const struct timeval patience = { .tv_sec = CHECK_TIMEOUT_S };
    union address address;
    char answer[64] = "";
    socklen_t size = make_address(text, port, &address);
    if (!size)
        wrong_usage("--listen: expected an IP address, found", text);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        connect(fd, &address.any, size) || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof answer - 1, MSG_WAITALL) < 0) {
        fprintf(stderr, "memories-server: no answer from %s port %ld: %s\n", text, port, strerror(errno));
        return EXIT_FAILURE;
    }
    close(fd);
    int status = 0;
    if (sscanf(answer, "HTTP/%*d.%*d %d", &status) == 1 && status == 200)
        return EXIT_SUCCESS;
    fprintf(stderr, "memories-server: %s port %ld is not well: %.*s\n", text, port, (int)strcspn(answer, "\r\n"),
            answer);
    return EXIT_FAILURE;
}

/* Blocked here, before any thread exists, so that only sigwait sees them. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

int main(int count, char **arguments)
{
    struct options options = { .address = "127.0.0.1", .port = 8000 };
    options.server.node = getenv("MEMORIES_NODE_NAME");
    parse_options(count, arguments, &options);
    if (options.check)
        return check_server(options.address, options.port);
    const struct server *server = &options.server;
    if (server->data && access(server->data, R_OK | W_OK | X_OK)) {
        fprintf(stderr, "memories-server: --data %s: %s\n", server->data, strerror(errno));
        return EXIT_FAILURE;
    }
    sigset_t signals;
    block_signals(&signals);
    int fd = listen_on(options.address, &options.port);
    if (fd < 0)
        return EXIT_FAILURE;
    options.server.started_ms = server_monotonic_ms();
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, server_answer, &options.server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "memories-server: can't serve: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    fprintf(stderr, "memories-server %s listens on %s port %ld (deployment %s, node %s)\n", MEMORIES_VERSION,
            options.address, options.port, server->deployment ? server->deployment : "-",
            server->node ? server->node : "-");
    int received = 0;
    sigwait(&signals, &received);
    MHD_stop_daemon(daemon); /* closes the socket too */
    fprintf(stderr, "memories-server: ended by SIG%s after %lld s\n", sigabbrev_np(received),
            (long long)(server_monotonic_ms() - server->started_ms) / 1000);
    return EXIT_SUCCESS;
}
