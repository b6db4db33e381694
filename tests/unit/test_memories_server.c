/* test_memories_server.c - memories-server over real HTTP on a loopback port, its options and its end */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16

struct process {
    pid_t pid;
    FILE *output; /* both of its streams */
};

static struct process server;
static bool as_script; /* the one for nodes whose distribution has no package of memories-server */
static int port;
static char data[256];

static struct process start(const char *const *arguments)
{
    char program[4096];
    const char *directory = getenv("builddir");
    const char *argv[ARGUMENTS_MAX + 2] = { "memories-server" };
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    snprintf(program, sizeof program, "%s/server/memories-server", directory ? directory : ".");
    if (as_script) {
        directory = getenv("srcdir");
        snprintf(program, sizeof program, "%s/plugins/common/memories_server.py", directory ? directory : ".");
    }
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        if (as_script) {
            const char *script_argv[ARGUMENTS_MAX + 3] = { "python3", program };
            memcpy(script_argv + 2, argv + 1, sizeof argv - sizeof argv[0]);
            execvp("python3", (char *const *)script_argv);
        }
        execv(program, (char *const *)argv);
        _exit(127);
    }
    close(ends[1]);
    return (struct process){ pid, fdopen(ends[0], "r") };
}

/* Everything it still says, and how it ended. */
static int finish(struct process *process, char *said, size_t size)
{
    int status = 0;
    size_t length = fread(said, 1, size - 1, process->output);
    said[length] = '\0';
    fclose(process->output);
    ck_assert_int_eq(waitpid(process->pid, &status, 0), process->pid);
    process->pid = 0;
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Waits until it listens, on the port that `port` becomes. */
static void await_listening(const struct process *process)
{
    char line[512];
    ck_assert_ptr_nonnull(fgets(line, sizeof line, process->output));
    ck_assert_msg(sscanf(line, "memories-server %*s listens on 127.0.0.1 port %d", &port) == 1, "%s", line);
}

static void setup(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(data, sizeof data, "%s/memories-server.XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(data));
    const char *const arguments[] = { "--port", "0",      "--deployment", "standalone-\"x\"", "--node",
                                      "node1",  "--role", "standalone",   "--data",           data,
                                      NULL };
    server = start(arguments);
    await_listening(&server);
}

static void teardown(void)
{
    char said[512];
    if (server.pid) {
        kill(server.pid, SIGTERM);
        finish(&server, said, sizeof said);
    }
    rmdir(data);
}

static void setup_script(void)
{
    as_script = true;
    setup();
}

/* Sends bytes and reads until the server closes. */
static void exchange(const char *request, char *answer, size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    size_t length = 0;
    for (ssize_t count; (count = recv(fd, answer + length, size - 1 - length, 0)) > 0;)
        length += (size_t)count;
    answer[length] = '\0';
    close(fd);
}

#define END "Host: x\r\nConnection: close\r\n\r\n"

static const struct {
    const char *request;
    const char *status;
    const char *header; /* NULL: none in particular */
    const char *body;   /* without uptime; NULL: none */
} exchanges[] = {
    { "GET /healthz HTTP/1.1\r\n" END, "HTTP/1.1 200 ", "Content-Type: application/json", "{\"status\":\"ok\"}" },
    { "GET /healthz?x=y HTTP/1.1\r\n" END, "HTTP/1.1 200 ", NULL, "{\"status\":\"ok\"}" },
    { "HEAD /healthz HTTP/1.1\r\n" END, "HTTP/1.1 200 ", "Content-Length: 15", NULL },
    { "GET /v1/info HTTP/1.1\r\n" END, "HTTP/1.1 200 ", "Cache-Control: no-store",
      "{\"deployment\":\"standalone-\\\"x\\\"\",\"node\":\"node1\",\"role\":\"standalone\",\"version\":" },
    { "GET / HTTP/1.1\r\n" END, "HTTP/1.1 404 ", NULL, "{\"error\":\"not found\"}" },
    { "GET /healthz/ HTTP/1.1\r\n" END, "HTTP/1.1 404 ", NULL, "{\"error\":\"not found\"}" },
    { "POST /healthz HTTP/1.1\r\nContent-Length: 2\r\n" END "hi", "HTTP/1.1 405 ", "Allow: GET, HEAD",
      "{\"error\":\"method not allowed\"}" },
    { "DELETE /nowhere HTTP/1.1\r\n" END, "HTTP/1.1 405 ", "Allow: GET, HEAD", "{\"error\":\"method not allowed\"}" },
    { "GET /healthz HTTP/1.1\r\nContent-Length: 2\r\n" END "hi", "HTTP/1.1 200 ", NULL, "{\"status\":\"ok\"}" },
};

START_TEST(requests_are_answered)
{
    char answer[4096];
    exchange(exchanges[_i].request, answer, sizeof answer);
    ck_assert_msg(!strncmp(answer, exchanges[_i].status, strlen(exchanges[_i].status)), "%s", answer);
    ck_assert_msg(!exchanges[_i].header || strstr(answer, exchanges[_i].header), "%s", answer);
    const char *body = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    if (exchanges[_i].body)
        ck_assert_msg(!strncmp(body + 4, exchanges[_i].body, strlen(exchanges[_i].body)), "%s", answer);
    else if (!strncmp(exchanges[_i].request, "HEAD", 4))
        ck_assert_str_eq(body, "\r\n\r\n");
}
END_TEST

START_TEST(nonsense_does_no_harm)
{
    char answer[4096];
    exchange("nonsense\r\n\r\n", answer, sizeof answer);
    exchange("GET /healthz HTTP/1.1\r\n" END, answer, sizeof answer);
    ck_assert_msg(!strncmp(answer, "HTTP/1.1 200 ", 13), "%s", answer);
}
END_TEST

START_TEST(a_lost_data_directory_is_unhealthy)
{
    char answer[4096];
    ck_assert_int_eq(rmdir(data), 0);
    exchange("GET /healthz HTTP/1.1\r\n" END, answer, sizeof answer);
    ck_assert_msg(!strncmp(answer, "HTTP/1.1 503 ", 13), "%s", answer);
    ck_assert_ptr_nonnull(strstr(answer, "{\"status\":\"data directory not writable\"}"));
}
END_TEST

/* --check of the port that the tests' server has, or had: how it ends, and all it says. */
static int check(char *said, size_t size)
{
    char text[16];
    snprintf(text, sizeof text, "%d", port);
    const char *const arguments[] = { "--check", "--port", text, NULL };
    struct process process = start(arguments);
    return finish(&process, said, size);
}

START_TEST(a_check_tells_how_the_server_is)
{
    char said[512], expected[128];
    ck_assert_int_eq(check(said, sizeof said), 0);
    ck_assert_str_eq(said, "");

    ck_assert_int_eq(rmdir(data), 0);
    ck_assert_int_eq(check(said, sizeof said), 1);
    snprintf(expected, sizeof expected, "memories-server: 127.0.0.1 port %d is not well: HTTP/1.", port);
    ck_assert_msg(!strncmp(said, expected, strlen(expected)), "%s", said);
    ck_assert_ptr_nonnull(strstr(said, " 503 "));

    kill(server.pid, SIGTERM);
    finish(&server, said, sizeof said);
    ck_assert_int_eq(check(said, sizeof said), 1);
    snprintf(expected, sizeof expected, "memories-server: no answer from 127.0.0.1 port %d: Connection refused\n",
             port);
    ck_assert_str_eq(said, expected);
}
END_TEST

/* One that listens and says nothing, as a server that hangs does. */
START_TEST(a_check_does_not_wait_for_ever)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    char said[512];
    ck_assert_int_eq(check(said, sizeof said), 1);
    ck_assert_msg(!strncmp(said, "memories-server: no answer from 127.0.0.1 port ", 47), "%s", said);
    close(fd);
}
END_TEST

/* The node a container runs on is known to its environment only; an option wins. */
START_TEST(the_environment_names_the_node)
{
    static const char *const arguments[][5] = { { "--port", "0", NULL }, { "--port", "0", "--node", "node9", NULL } };
    char answer[4096], said[512];
    ck_assert_int_eq(setenv("MEMORIES_NODE_NAME", "worker-7", 1), 0);
    struct process named = start(arguments[_i]);
    await_listening(&named);
    exchange("GET /v1/info HTTP/1.1\r\n" END, answer, sizeof answer);
    ck_assert_msg(strstr(answer, _i ? "\"node\":\"node9\"" : "\"node\":\"worker-7\""), "%s", answer);
    kill(named.pid, SIGTERM);
    ck_assert_int_eq(finish(&named, said, sizeof said), 0);
}
END_TEST

START_TEST(a_signal_ends_it_cleanly)
{
    char said[512];
    kill(server.pid, _i ? SIGINT : SIGTERM);
    ck_assert_int_eq(finish(&server, said, sizeof said), 0);
    ck_assert_msg(strstr(said, _i ? "ended by SIGINT" : "ended by SIGTERM"), "%s", said);
}
END_TEST

START_TEST(a_taken_port_is_an_error)
{
    char text[16], said[512], expected[128];
    snprintf(text, sizeof text, "%d", port);
    const char *const arguments[] = { "--port", text, NULL };
    struct process second = start(arguments);
    ck_assert_int_eq(finish(&second, said, sizeof said), 1);
    snprintf(expected, sizeof expected, "memories-server: can't listen on 127.0.0.1 port %d: Address already in use\n",
             port);
    ck_assert_str_eq(said, expected);
}
END_TEST

static const struct {
    const char *arguments[4];
    int code;
    const char *said;
} options[] = {
    { { "--help" }, 0, "Usage: memories-server [OPTION]" },
    { { "--version" }, 0, "memories-server 1" },
    { { "--port", "65536" }, 2, "memories-server: --port: expected 0 to 65535, found: 65536\n" },
    { { "--port", "8x" }, 2, "memories-server: --port: expected 0 to 65535, found: 8x\n" },
    { { "--listen", "localhost" }, 2, "memories-server: --listen: expected an IP address, found: localhost\n" },
    { { "--check", "--listen", "localhost" },
      2,
      "memories-server: --listen: expected an IP address, found: localhost\n" },
    { { "extra" }, 2, "memories-server: unexpected argument: extra\n" },
    { { "--nonsense" }, 2, "memories-server: unrecognized option '--nonsense'\n" },
    { { "--data", "/nowhere/at/all" }, 1, "memories-server: --data /nowhere/at/all: No such file or directory\n" },
};

START_TEST(options_are_checked)
{
    char said[2048];
    struct process process = start(options[_i].arguments);
    ck_assert_int_eq(finish(&process, said, sizeof said), options[_i].code);
    ck_assert_msg(!strncmp(said, options[_i].said, strlen(options[_i].said)), "%s", said);
}
END_TEST

int main(void)
{
    TCase *running = tcase_create("running");
    tcase_set_timeout(running, 60);
    tcase_add_checked_fixture(running, setup, teardown);
    tcase_add_loop_test(running, requests_are_answered, 0, (int)(sizeof exchanges / sizeof exchanges[0]));
    tcase_add_test(running, nonsense_does_no_harm);
    tcase_add_test(running, a_lost_data_directory_is_unhealthy);
    tcase_add_test(running, a_check_tells_how_the_server_is);
    tcase_add_loop_test(running, a_signal_ends_it_cleanly, 0, 2);
    tcase_add_test(running, a_taken_port_is_an_error);
    TCase *script = tcase_create("script");
    tcase_set_timeout(script, 60); /* Python takes its time to start on a busy machine */
    tcase_add_checked_fixture(script, setup_script, teardown);
    tcase_add_loop_test(script, requests_are_answered, 0, (int)(sizeof exchanges / sizeof exchanges[0]));
    tcase_add_test(script, a_lost_data_directory_is_unhealthy);
    TCase *alone = tcase_create("options");
    tcase_set_timeout(alone, 60); /* a check waits 3 seconds */
    tcase_add_loop_test(alone, options_are_checked, 0, (int)(sizeof options / sizeof options[0]));
    tcase_add_test(alone, a_check_does_not_wait_for_ever);
    tcase_add_loop_test(alone, the_environment_names_the_node, 0, 2);
    Suite *suite = suite_create("memories_server");
    suite_add_tcase(suite, running);
    if (system("python3 -c '' 2>/dev/null") == 0)
        suite_add_tcase(suite, script);
    else
        puts("skipped: python3 is not installed");
    suite_add_tcase(suite, alone);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
