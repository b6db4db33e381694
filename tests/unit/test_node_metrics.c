/* test_node_metrics.c - what a local node's supervisor measures, and how its samples are read back */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/node_fixture.h"

struct samples {
    struct node_sample items[1000];
    size_t count;
};

static int collect(void *context, const struct node_sample *sample)
{
    struct samples *samples = context;
    samples->items[samples->count++] = *sample;
    return samples->count == 1000;
}

static struct samples *read_samples(const char *node)
{
    static struct samples samples;
    samples.count = 0;
    struct node_error error;
    ck_assert_int_eq(node_metrics_read(node, 0, INT64_MAX, collect, &samples, &error), MEMORIES_OK);
    return &samples;
}

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

START_TEST(a_start_takes_a_sample_and_a_stop_another)
{
    int64_t begin = wall_clock_ms();
    const char *node =
        node_make("n", "'metrics_interval_ms': 3600000, 'bootstrap': {'services': [{'name': 's', 'command': "
                       "['sleep', '1000']}]}");
    node_must_start(node);
    wait_until(read_samples(node)->count == 1);
    node_must_stop(node);
    struct samples *samples = read_samples(node);
    ck_assert_uint_eq(samples->count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct node_sample *sample = &samples->items[i];
        ck_assert_int_ge(sample->time_ms, begin);
        ck_assert_int_le(sample->time_ms, wall_clock_ms());
        ck_assert_int_eq(sample->run_ms, samples->items[0].run_ms);
        ck_assert_int_gt(sample->memory_bytes, 100000);
        ck_assert_int_lt(sample->memory_bytes, 500000000);
        ck_assert_int_ge(sample->cpu_ns, 0);
    }
    node_must_start(node);
    node_must_stop(node);
    samples = read_samples(node);
    ck_assert_uint_eq(samples->count, 4);
    ck_assert_int_gt(samples->items[2].run_ms, samples->items[1].run_ms);
}
END_TEST

START_TEST(no_interval_no_samples)
{
    const char *node = node_make("n", "'metrics_interval_ms': 0, 'bootstrap': {'services': [{'name': 's', 'command': "
                                      "['sleep', '1000']}]}");
    node_must_start(node);
    node_must_stop(node);
    ck_assert_uint_eq(read_samples(node)->count, 0);
    ck_assert(!exists_below(node, "metrics"));
}
END_TEST

/* One grandchild is seen while it works, the other has ended before anybody looks: both must be in the sum. */
START_TEST(processor_time_is_that_of_all_processes)
{
    const char *node =
        node_make("n",
                  "'metrics_interval_ms': 100, 'bootstrap': {'services': [{'name': 's', 'command': ['sh', "
                  "'-c', '%s burn 250; %s burn 50; echo > ended; exec sleep 1000']}]}",
                  own_program(), own_program());
    node_must_start(node);
    wait_until(exists_below(node, "data/ended"));
    node_must_stop(node);
    struct samples *samples = read_samples(node);
    ck_assert_uint_ge(samples->count, 3);
    int64_t used_ms = (samples->items[samples->count - 1].cpu_ns - samples->items[0].cpu_ns) / 1000000;
    ck_assert_msg(used_ms >= 250 && used_ms <= 600, "%lld ms", (long long)used_ms);
    for (size_t i = 1; i < samples->count; i++)
        ck_assert_int_ge(samples->items[i].cpu_ns, samples->items[i - 1].cpu_ns);
}
END_TEST

START_TEST(memory_and_disk_follow_what_services_do)
{
    const char *node =
        node_make("n",
                  "'metrics_interval_ms': 50, 'bootstrap': {'services': [{'name': 's', 'command': ['sh', "
                  "'-c', 'head -c 50000000 /dev/zero > file; exec %s hold 30000000']}]}",
                  own_program());
    node_must_start(node);
    wait_until(exists_below(node, "data/held"));
    node_must_stop(node);
    struct samples *samples = read_samples(node);
    const struct node_sample *last = &samples->items[samples->count - 1];
    ck_assert_int_ge(last->memory_bytes, 30000000);
    if (last->disk_write_bytes >= 0)
        ck_assert_int_ge(last->disk_write_bytes, 50000000);
}
END_TEST

/* The service: needs so much memory, and stays. */
static int hold(size_t bytes)
{
    if (mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
        return 1;
    FILE *held = fopen("held", "w");
    if (!held || fclose(held))
        return 1;
    pause();
    return 0;
}

/* --- network: this program itself is the service, see exchange() ------------------------------------------------- */

#define EXCHANGED_BYTES 300000

static int64_t traffic(const char *node, bool sent)
{
    struct samples *samples = read_samples(node);
    if (!samples->count)
        return -1;
    const struct node_sample *last = &samples->items[samples->count - 1];
    return sent ? last->network_send_bytes : last->network_receive_bytes;
}

/* 127.x.y.z of this test alone. */
static const char *own_address(void)
{
    static char address[32];
    snprintf(address, sizeof address, "127.%d.%d.77", 100 + getpid() % 100, getpid() / 100 % 250);
    return address;
}

/* "open": the connection stays; "short": it is closed at once, before a sample sees it. Both ends are the node's: the
 * server's is known by its address, the client's by its owner. */
static const struct {
    const char *mode;
    bool client_counted;
} exchanges[] = { { "open", true }, { "short", false } };

START_TEST(traffic_over_loopback_is_the_nodes_own)
{
    const char *node = node_make("n",
                                 "'metrics_interval_ms': 100, 'address': '%s', 'bootstrap': {'services': [{'name': "
                                 "'s', 'command': ['%s', 'exchange', '%s', '%s'], 'restart': 'never'}]}",
                                 own_address(), own_program(), own_address(), exchanges[_i].mode);
    const char *idle =
        node_make("idle", "'metrics_interval_ms': 100, 'address': '127.0.0.3', 'bootstrap': {'services': "
                          "[{'name': 's', 'command': ['sleep', '1000']}]}");
    node_must_start(idle);
    node_must_start(node);
    wait_until(exists_below(node, "data/exchanged"));
    /* The client sends all bytes to the server, which answers with one. */
    wait_until(traffic(node, false) >= EXCHANGED_BYTES);
    node_must_stop(node);
    node_must_stop(idle);
    if (exchanges[_i].client_counted)
        ck_assert_int_ge(traffic(node, true), EXCHANGED_BYTES);
    ck_assert_int_le(traffic(node, false), EXCHANGED_BYTES + 1000);
    ck_assert_int_le(traffic(node, true), EXCHANGED_BYTES + 1000);
    ck_assert_int_eq(traffic(idle, false), 0);
    ck_assert_int_eq(traffic(idle, true), 0);
}
END_TEST

/* The service: talks to itself over TCP, then says so in a file and stays. */
static int exchange(const char *address_text, const char *mode)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    inet_pton(AF_INET, address_text, &address.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size) || connect(client, (struct sockaddr *)&address, size))
        return 1;
    int server = accept(listener, NULL, NULL);
    char bytes[10000] = { 0 };
    for (size_t done = 0; done < EXCHANGED_BYTES; done += sizeof bytes)
        if (send(client, bytes, sizeof bytes, 0) != sizeof bytes ||
            recv(server, bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes)
            return 1;
    if (send(server, "x", 1, 0) != 1 || recv(client, bytes, 1, 0) != 1)
        return 1;
    if (!strcmp(mode, "short")) { /* both ways, the client first: the server's end leaves no TIME_WAIT behind */
        close(client);
        if (recv(server, bytes, 1, 0))
            return 1;
        close(server);
    }
    FILE *done = fopen("exchanged", "w");
    if (!done || fclose(done))
        return 1;
    pause();
    return 0;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

START_TEST(samples_are_read_by_time_from_both_pieces)
{
    const char *node = node_make("n", "'bootstrap': {}");
    write_below(node, "metrics.1", "# header\n100 1 10 20 30 40 50 60\n200 1 11 20 30 40 50 60\n");
    write_below(node, "metrics",
                "# header\n300 1 12 20 30 40 -1 -1\n400 1 13 20 3\n500 1 14 20 30 40 50 60 70\n"
                "x\n600 1 15 20 30 40 50 60\n700 1 16 20 30 40 50");
    struct samples *samples = read_samples(node);
    ck_assert_uint_eq(samples->count, 4);
    ck_assert_int_eq(samples->items[0].cpu_ns, 10);
    ck_assert_int_eq(samples->items[2].network_receive_bytes, -1);
    ck_assert_int_eq(samples->items[3].time_ms, 600);
    ck_assert_int_eq(samples->items[3].network_send_bytes, 60);
    samples->count = 0;
    ck_assert_int_eq(node_metrics_read(node, 200, 600, collect, samples, NULL), MEMORIES_OK);
    ck_assert_uint_eq(samples->count, 2);
    ck_assert_int_eq(samples->items[0].time_ms, 200);
    ck_assert_int_eq(samples->items[1].time_ms, 300);
}
END_TEST

START_TEST(a_missing_node_has_no_metrics)
{
    struct node_error error;
    ck_assert_int_eq(node_metrics_read("/nowhere/at/all", 0, INT64_MAX, collect, NULL, &error), MEMORIES_NOT_FOUND);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "exchange"))
        return exchange(argv[2], argv[3]);
    if (argc == 3 && !strcmp(argv[1], "burn"))
        return fixture_burn(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "hold"))
        return hold(strtoul(argv[2], NULL, 10));
    TCase *test_case = node_fixture_case("metrics", 60);
    tcase_add_test(test_case, a_start_takes_a_sample_and_a_stop_another);
    tcase_add_test(test_case, no_interval_no_samples);
    tcase_add_test(test_case, processor_time_is_that_of_all_processes);
    tcase_add_test(test_case, memory_and_disk_follow_what_services_do);
    tcase_add_loop_test(test_case, traffic_over_loopback_is_the_nodes_own, 0, sizeof exchanges / sizeof *exchanges);
    tcase_add_test(test_case, samples_are_read_by_time_from_both_pieces);
    tcase_add_test(test_case, a_missing_node_has_no_metrics);
    Suite *suite = suite_create("node_metrics");
    suite_add_tcase(suite, test_case);
    return node_fixture_run(suite);
}
