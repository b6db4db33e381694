/*
 * fake_core.c - a libmemories-core that answers from a script, for testing the program `memories` alone
 *
 * The deployment's id (or the configuration's file name) says what happens:
 *
 *     missing, busy, refused   the call fails so
 *     several                  the configuration has three errors
 *     slow                     100 operations in 1.5 seconds, or until the call is cancelled
 *     stubborn                 goes on for 1.5 seconds whatever happens
 *                              (both: or longer, see FAKE_HOLD)
 *     loud                     warnings, retries, log lines, a failed operation, text with control characters
 *     alone                    a standalone deployment
 *     stopped                  one whose members are switched off
 *     swarm                    a swarmed deployment with services; some of them do not run
 *     bare                     one without services
 *     full                     a swarm that can't be made smaller
 *     lost                     what --no-wait leaves can't be resumed
 *     anything else            a consensus deployment that works
 *
 * Results and errors are the real ones (core/api/result.c, core/base/error.c).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/api/result.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "tests/cli/fake_core.h"

struct memories_config {
    char *scenario, *topology, *provider, *name;
    char *sets;
};

const char *memories_version(void)
{
    return "1.0.0";
}

memories_context *memories_context_new(const struct memories_context_options *options, memories_error **error)
{
    memories_context *context = calloc(1, sizeof *context);
    context->options = *options;
    if (options->state_dir && !strcmp(options->state_dir, "/refused")) {
        free(context);
        error_set(error, MEMORIES_FAILED, "cannot make the directory /refused");
        return NULL;
    }
    return context;
}

void memories_context_free(memories_context *context)
{
    free(context);
}

void memories_cancel(memories_context *context)
{
    atomic_store(&context->cancelled, 1);
}

/* ---- Scenarios ---- */

void fake_emit(memories_context *context, struct memories_event event)
{
    AUTO_FREE char *json = text_format("{\"event\":%u,\"text\":\"%s\"}", event.kind, event.text ? "text" : "");
    event.size = sizeof event;
    event.json = json;
    event.elapsed_ms = clock_monotonic_ms() - context->began_ms;
    if (context->options.on_event)
        context->options.on_event(&event, context->options.user_data);
}

void fake_echo(memories_context *context, char *text)
{
    fake_emit(context, (struct memories_event){ .kind = MEMORIES_EVENT_WARNING, .text = text });
    free(text);
}

static void phase(memories_context *context, const char *operation, const char *text)
{
    fake_emit(context, (struct memories_event){ .kind = MEMORIES_EVENT_PHASE, .operation = operation, .text = text });
}

void fake_nap_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static unsigned terminal_columns(void)
{
    struct winsize size = { .ws_col = 0 };
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) ? 0 : size.ws_col;
}

/* With FAKE_HOLD it does not get beyond its midst until what the test does has arrived, however late that is: the call is
 * cancelled, or the terminal has another width. */
static bool is_held(memories_context *context, int heed_cancel, unsigned columns)
{
    bool is_cancelled = heed_cancel && atomic_load(&context->cancelled);
    return getenv("FAKE_HOLD") && !is_cancelled && terminal_columns() == columns;
}

int fake_work(memories_context *context, int heed_cancel, memories_error **error)
{
    enum { TOTAL = 100, MIDST = 40 };
    unsigned columns = terminal_columns();
    phase(context, "create", "creating");
    for (uint32_t i = 0; i < TOTAL; i += i != MIDST || !is_held(context, heed_cancel, columns)) {
        char key[32];
        snprintf(key, sizeof key, "node/node%u", i + 1);
        struct memories_event event = { .kind = MEMORIES_EVENT_STARTED,
                                        .operation = "create",
                                        .key = key,
                                        .type = "local.node",
                                        .text = "starting etcd, größer als vorher – ja",
                                        .done = i,
                                        .total = TOTAL };
        fake_emit(context, event);
        fake_nap_ms(15);
        event.kind = MEMORIES_EVENT_DONE;
        event.text = "is ready";
        event.done = i + 1;
        fake_emit(context, event);
        if (!heed_cancel || !atomic_load(&context->cancelled))
            continue;
        error_set(error, MEMORIES_CANCELLED, "stopped on request");
        error_deployment(error, ID);
        return MEMORIES_CANCELLED;
    }
    return 0;
}

static int several(memories_error **error)
{
    memories_error *second = NULL, *third = NULL;
    error_set(error, MEMORIES_INVALID, "\"10.0.1.0/33\" is not a CIDR block");
    error_where(error, "config.network.subnets.public.cidr");
    error_set(&second, MEMORIES_INVALID, "unknown key");
    error_where(&second, "config.node_spec");
    error_hint(&second, "did you mean node_specs?");
    error_set(&third, MEMORIES_INVALID, "expected a string, found 5");
    error_where(&third, "config.region");
    error_chain(error, second);
    error_chain(error, third);
    return MEMORIES_INVALID;
}

static void loud(memories_context *context)
{
    fake_emit(context, (struct memories_event){ .kind = MEMORIES_EVENT_WARNING, .text = "an even number of members" });
    fake_emit(context, (struct memories_event){ .kind = MEMORIES_EVENT_LOG, .text = "plugin says something" });
    fake_emit(context, (struct memories_event){
                           .kind = MEMORIES_EVENT_RETRY, .key = "node/node1", .text = "again", .done = 1, .total = 3 });
    fake_emit(
        context,
        (struct memories_event){
            .kind = MEMORIES_EVENT_FAILED, .key = "node/node2", .text = "no \033[31mroom\a", .done = 1, .total = 3 });
}

int fake_play(memories_context *context, const char *scenario, memories_error **error)
{
    context->began_ms = clock_monotonic_ms();
    atomic_store(&context->cancelled, 0);
    if (!strcmp(scenario, "missing")) {
        error_set(error, MEMORIES_NOT_FOUND, "there is no deployment \"missing\"");
        error_hint(error, "memories list shows all");
        return MEMORIES_NOT_FOUND;
    }
    if (!strcmp(scenario, "busy"))
        return error_set(error, MEMORIES_BUSY, "process 4711 has been working on it since 12:34:56");
    if (!strcmp(scenario, "refused")) {
        error_set(error, MEMORIES_DENIED, "cannot create network");
        error_where(error, "network");
        error_cause(error, "UnauthorizedOperation\033]0;title\a");
        error_deployment(error, ID);
        return MEMORIES_DENIED;
    }
    if (!strcmp(scenario, "several"))
        return several(error);
    if (!strcmp(scenario, "slow") || !strcmp(scenario, "stubborn"))
        return fake_work(context, !strcmp(scenario, "slow"), error);
    if (!strcmp(scenario, "loud"))
        loud(context);
    return 0;
}

static memories_deployment *made(const char *scenario, const char *status, memories_error **error)
{
    int alone = !strcmp(scenario, "alone");
    AUTO_FREE char *text = alone ? text_format("{\"deployment_id\":\"standalone-local-20260225-123456\","
                                               "\"instance_id\":\"i-1\",\"public_ip\":\"127.1.2.3\",\"status\":\"%s\"}",
                                               status)
                                 : text_format("{\"deployment_id\":\"" ID "\",\"leader_node\":\"node1\","
                                               "\"follower_nodes\":[\"node2\",\"node3\"],\"status\":\"%s\"}",
                                               status);
    return deployment_new(json_tokener_parse(text), error);
}

static memories_deployment *change(memories_context *context, const char *id, const char *status,
                                   memories_error **error)
{
    return fake_play(context, id, error) ? NULL : made(id, status, error);
}

/* ---- Configuration ---- */

memories_config *memories_config_load(memories_context *context, const char *path, memories_error **error)
{
    (void)context;
    if (!strcmp(path, "unreadable")) {
        error_set(error, MEMORIES_NOT_FOUND, "cannot read the file");
        error_where(error, "unreadable");
        return NULL;
    }
    memories_config *config = calloc(1, sizeof *config);
    config->scenario = strdup(path);
    config->topology = strdup("consensus");
    config->provider = strdup("local");
    return config;
}

memories_config *memories_config_parse(memories_context *context, const char *text, size_t length, const char *name,
                                       memories_error **error)
{
    (void)text, (void)length, (void)name;
    return memories_config_load(context, "", error);
}

static int replace(char **text, const char *with)
{
    free(*text);
    *text = strdup(with);
    return 0;
}

int memories_config_set_topology(memories_config *config, const char *topology, memories_error **error)
{
    (void)error;
    return replace(&config->topology, topology);
}

int memories_config_set_provider(memories_config *config, const char *provider, memories_error **error)
{
    (void)error;
    return replace(&config->provider, provider);
}

int memories_config_set_name(memories_config *config, const char *name, memories_error **error)
{
    (void)error;
    return replace(&config->name, name);
}

int memories_config_set(memories_config *config, const char *assignment, memories_error **error)
{
    if (!strchr(assignment, '='))
        return error_set(error, MEMORIES_INVALID, "--set %s: expected path=value", assignment);
    AUTO_FREE char *before = config->sets;
    config->sets = text_format("%s %s", before ? before : "", assignment);
    return 0;
}

const char *memories_config_topology(const memories_config *config)
{
    return config->topology;
}

const char *memories_config_provider(const memories_config *config)
{
    return config->provider;
}

void memories_config_free(memories_config *config)
{
    if (!config)
        return;
    free(config->scenario);
    free(config->topology);
    free(config->provider);
    free(config->name);
    free(config->sets);
    free(config);
}

int memories_validate(memories_context *context, const memories_config *config, char **json, memories_error **error)
{
    int failed = fake_play(context, config->scenario, error);
    if (!failed)
        *json = strdup("{\"valid\":true,\"topology\":\"consensus\",\"provider\":\"local\","
                       "\"notes\":[{\"where\":\"config.node_specs[0].machine_type\",\"text\":\"is recorded\"}]}");
    return failed;
}

char *memories_schema(memories_context *context, const char *topology, const char *provider, memories_error **error)
{
    if (fake_play(context, topology, error))
        return NULL;
    return text_format("{\"title\":\"%s on %s\"}", topology, provider);
}

char *memories_plan_update(memories_context *context, const char *id, const memories_config *config,
                           memories_error **error)
{
    (void)config;
    if (fake_play(context, id, error))
        return NULL;
    return strdup("{\"deployment_id\":\"" ID "\",\"operations\":[],\"notes\":[]}");
}

char *memories_plan(memories_context *context, const memories_config *config, memories_error **error)
{
    if (fake_play(context, config->scenario, error))
        return NULL;
    return strdup(
        "{\"deployment_id\":\"" ID "\",\"spec\":{\"version\":1},\"resources\":[{\"key\":\"network\"}],"
        "\"operations\":["
        "{\"operation\":\"create\",\"key\":\"network\",\"type\":\"local.network\",\"depends_on\":[]},"
        "{\"operation\":\"create\",\"key\":\"subnet\",\"type\":\"local.subnet\",\"depends_on\":[\"network\"]},"
        "{\"operation\":\"create\",\"key\":\"node/node1\",\"type\":\"local.node\","
        "\"depends_on\":[\"network\",\"subnet\"]},"
        "{\"operation\":\"create\",\"key\":\"node/node2\",\"type\":\"local.node\",\"depends_on\":[\"subnet\"]},"
        "{\"operation\":\"create\",\"key\":\"key\",\"type\":\"local.key\",\"depends_on\":[]}],"
        "\"calls\":{\"total\":3,\"calls\":[{\"step\":\"create\",\"action\":\"CreateSubnet\",\"count\":3}],\"more\":\"more\"},"
        "\"notes\":[{\"where\":\"config.region\",\"text\":\"is recorded\"}]}");
}

/* ---- Changing ---- */

memories_deployment *memories_deploy(memories_context *context, const memories_config *config, uint32_t flags,
                                     memories_error **error)
{
    /* What the command line became, for the test of options. */
    if (!strcmp(config->scenario, "echo")) {
        fake_echo(context, text_format("%s %s %s%s flags %u", config->topology, config->provider,
                                       config->name ? config->name : "-", config->sets ? config->sets : "", flags));
    }
    return change(context, config->scenario, flags & MEMORIES_NO_WAIT ? "starting" : "running", error);
}

memories_deployment *memories_update(memories_context *context, const char *id, const memories_config *config,
                                     uint32_t flags, memories_error **error)
{
    (void)config;
    return change(context, id, flags & MEMORIES_NO_WAIT ? "updating" : "running", error);
}

memories_deployment *memories_stop(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    return change(context, id, flags & MEMORIES_NO_WAIT ? "stopping" : "stopped", error);
}

memories_deployment *memories_start(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    return change(context, id, flags & MEMORIES_NO_WAIT ? "starting" : "running", error);
}

memories_deployment *memories_delete(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    return change(context, id, flags & MEMORIES_NO_WAIT ? "deleting" : "deleted", error);
}

static const char *target_of(int fd, char *path, size_t bytes)
{
    AUTO_FREE char *link = text_format("/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, bytes - 1);
    path[length < 0 ? 0 : length] = '\0';
    return path;
}

/* Writes to $FAKE_TRACE how this process was started, at once. */
static void trace(const memories_context *context, const char *id)
{
    char paths[3][256];
    const char *name = getenv("FAKE_TRACE");
    AUTO_FREE char *draft = name ? text_format("%s.new", name) : NULL;
    FILE *file = draft ? fopen(draft, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "resume %s --state-dir %s --plugin-path %s\n", id,
            context->options.state_dir ? context->options.state_dir : "-",
            context->options.plugin_path ? context->options.plugin_path : "-");
    fprintf(file, "session %s, streams %s %s %s, descriptor 7 %s\n", getsid(0) == getpid() ? "its own" : "another's",
            target_of(0, paths[0], sizeof paths[0]), target_of(1, paths[1], sizeof paths[1]),
            target_of(2, paths[2], sizeof paths[2]), fcntl(7, F_GETFD) < 0 ? "closed" : "open");
    fclose(file);
    rename(draft, name);
}

memories_deployment *memories_resume(memories_context *context, const char *id, uint32_t flags, memories_error **error)
{
    if (!strcmp(id, "lost")) {
        error_set(error, MEMORIES_DENIED, "cannot go on");
        return NULL;
    }
    if (!(flags & MEMORIES_NO_WAIT)) {
        trace(context, id);
        fake_nap_ms(500); /* work that goes on in the background is not over when it is first seen */
    }
    return change(context, id, flags & MEMORIES_NO_WAIT ? "starting" : "running", error);
}

/* ---- Looking ---- */

memories_deployment *memories_show(memories_context *context, const char *id, memories_error **error)
{
    if (fake_play(context, id, error))
        return NULL;
    return deployment_new(
        json_tokener_parse(
            "{\"id\":\"" ID "\",\"name\":\"quickstart\",\"type\":\"consensus\",\"provider\":\"local\","
            "\"created_at\":\"2026-02-25T12:34:56Z\",\"status\":\"running\",\"resources\":["
            "{\"key\":\"network\",\"type\":\"local.network\",\"node\":null,\"state\":\"ready\"},"
            "{\"key\":\"node/node1\",\"type\":\"local.node\",\"node\":\"node1\",\"state\":\"ready\"},"
            "{\"key\":\"node/node10\",\"type\":\"local.node\",\"node\":\"node10\",\"state\":\"stopped\"}]}"),
        error);
}

char *memories_doctor(memories_context *context, const memories_config *config, memories_error **error)
{
    if (fake_play(context, config->provider, error))
        return NULL;
    return strdup(!strcmp(config->provider, "ill")
                      ? "{\"provider\":\"ill\",\"well\":false,\"checks\":[{\"name\":\"plugin\",\"status\":\"ok\",\"text\":\"it\"},"
                        "{\"name\":\"credentials\",\"status\":\"failed\",\"text\":\"none\",\"hint\":\"get some\"}]}"
                      : "{\"provider\":\"local\",\"well\":true,\"checks\":[{\"name\":\"plugin\",\"status\":\"ok\","
                        "\"text\":\"it\"}]}");
}

char *memories_discover(memories_context *context, const memories_config *config, memories_error **error)
{
    if (config->sets && strstr(config->sets, "empty"))
        return strdup("[]");
    if (fake_play(context, "", error))
        return NULL;
    return strdup("[{\"deployment_id\":\"" ID "\",\"type\":\"consensus\",\"provider\":\"local\",\"recorded\":false,"
                  "\"resources\":[{\"key\":\"network\",\"type\":\"local.network\",\"state\":\"ready\"},"
                  "{\"key\":\"node/node1\",\"type\":\"local.node\",\"state\":\"ready\"},"
                  "{\"key\":\"node/node2\",\"type\":\"local.node\",\"node\":\"node2\",\"state\":\"stopped\"}]}]");
}

memories_deployment *memories_recover(memories_context *context, const char *id, const memories_config *config,
                                      memories_error **error)
{
    (void)config;
    return change(context, id, "running", error);
}

memories_deployment_list *memories_list(memories_context *context, memories_error **error)
{
    const char *directory = context->options.state_dir;
    if (directory && !strcmp(directory, "/empty"))
        return deployment_list_new(json_object_new_array(), error);
    if (directory && !strcmp(directory, "/many")) {
        json_object *many = json_object_new_array();
        for (int i = 0; i < 5000; i++) {
            AUTO_FREE char *text = text_format("{\"id\":\"standalone-local-20260225-%06d\",\"type\":\"standalone\","
                                               "\"provider\":\"local\",\"status\":\"running\"}",
                                               i);
            json_object_array_add(many, json_tokener_parse(text));
        }
        return deployment_list_new(many, error);
    }
    return deployment_list_new(
        json_tokener_parse(
            "[{\"id\":\"standalone-local-20260224-080000\",\"type\":\"standalone\",\"provider\":\"local\","
            "\"status\":\"stopped\",\"created_at\":\"2026-02-24T08:00:00Z\"},"
            "{\"id\":\"" ID "\",\"name\":\"größe\",\"type\":\"consensus\",\"provider\":\"local\","
            "\"status\":\"running\",\"created_at\":\"2026-02-25T12:34:56Z\"}]"),
        error);
}

char *memories_audit(memories_context *context, const char *id, memories_error **error)
{
    (void)context, (void)id, (void)error;
    const char *trace_file = getenv("FAKE_TRACE");
    return text_format(
        "[{\"at\":\"2026-02-25T12:34:56Z\",\"event\":\"deploy\",\"actor\":\"root\",\"detail\":{\"a\":1}},"
        "{\"at\":\"2026-02-25T12:34:58Z\",\"event\":\"%s\",\"actor\":\"root\",\"detail\":null}]",
        trace_file && !access(trace_file, F_OK) ? "resume" : "running");
}

memories_cluster_status *memories_status(memories_context *context, const char *id, memories_error **error)
{
    if (fake_play(context, id, error))
        return NULL;
    const char *text = "{\"deployment_id\":\"" ID "\",\"status\":\"degraded\",\"leader\":\"node1\",\"term\":2,"
                       "\"committed_index\":42,\"applied_index\":41,\"members\":["
                       "{\"name\":\"node1\",\"role\":\"leader\",\"healthy\":true,\"address\":\"127.9.0.1\"},"
                       "{\"name\":\"node2\",\"role\":\"follower\",\"healthy\":false,\"message\":\"no answer\"}]}";
    if (!strcmp(id, "alone"))
        text = "{\"deployment_id\":\"" ID "\",\"status\":\"running\",\"members\":[]}";
    if (!strcmp(id, "swarm"))
        text = "{\"deployment_id\":\"" SWARM_ID "\",\"status\":\"degraded\",\"leader\":\"manager-1\","
               "\"message\":\"service memories-worker is degraded (4 of 5)\",\"address\":\"100.64.0.12:8000\","
               "\"members\":[{\"name\":\"manager-1\",\"role\":\"leader\",\"healthy\":true,"
               "\"address\":\"https://100.64.0.11:2376\"}]}";
    if (!strcmp(id, "stopped"))
        text = "{\"deployment_id\":\"" ID "\",\"status\":\"stopped\",\"leader\":null,\"term\":null,"
               "\"committed_index\":null,\"applied_index\":null,\"members\":[]}";
    json_object *json = json_tokener_parse(text);
    if (!strcmp(id, "swarm"))
        json_object_object_add(json, "services", json_tokener_parse(fake_services));
    return cluster_status_new(json, error);
}

static void add_point(json_object *points, int64_t at_ms, double value, const char *unit)
{
    char at[CLOCK_TEXT_BYTES];
    clock_format(at_ms, 0, at);
    json_object *point = json_object_new_object();
    json_object_object_add(point, "timestamp", json_object_new_string(at));
    json_object_object_add(point, "value", json_object_new_double(value));
    json_object_object_add(point, "unit", json_object_new_string(unit));
    json_object_array_add(points, point);
}

/* A sawtooth with a gap in its middle. */
memories_metrics *memories_metrics_get(memories_context *context, const char *id, const char *const *names,
                                       const char *start_time, const char *end_time, uint32_t period_seconds,
                                       memories_error **error)
{
    if (fake_play(context, id, error))
        return NULL;
    if (!strcmp(id, "echo"))
        fake_emit(context, (struct memories_event){ .kind = MEMORIES_EVENT_WARNING,
                                                    .text = start_time ? start_time : "no start" });
    int64_t start, end;
    if (!start_time || clock_parse(start_time, &start))
        start = 1771977600000;
    if (!end_time || clock_parse(end_time, &end))
        end = start + 3600000;
    int64_t period = (period_seconds ? period_seconds : 300) * INT64_C(1000);
    json_object *json = json_object_new_object(), *cpu = json_object_new_array();
    for (int64_t at = start; at <= end; at += period) {
        int64_t index = (at - start) / period, count = (end - start) / period;
        if (index * 5 / (count + 1) != 2)
            add_point(cpu, at, 10.5 + (double)(index % 7) * 1.25, "Percent");
    }
    json_object_object_add(json, "cpu_utilization", cpu);
    if (!names)
        json_object_object_add(json, "memory_usage", json_object_new_array());
    return metrics_new(json, error);
}

int memories_logs(memories_context *context, const char *id, const char *node, uint32_t lines, int follow,
                  memories_log_fn *on_log, void *user_data, memories_error **error)
{
    (void)lines;
    static const struct {
        const char *node, *text;
    } pieces[] = {
        { "node1", "first li" }, { "node10", "zehn\n" }, { "node1", "ne\nsecond line\nunfini" }, { "node1", "shed" }
    };
    int failed = fake_play(context, id, error);
    for (size_t i = 0; !failed && i < ARRAY_COUNT(pieces); i++)
        if (!node || !strcmp(node, pieces[i].node))
            failed = on_log(pieces[i].node, pieces[i].text, strlen(pieces[i].text), user_data);
    while (!failed && follow && !atomic_load(&context->cancelled)) {
        failed = on_log("node1", "more\n", 5, user_data);
        fake_nap_ms(20);
    }
    return follow ? error_set(error, MEMORIES_CANCELLED, "stopped on request") : failed;
}

char *memories_plugins(memories_context *context, memories_error **error)
{
    (void)context, (void)error;
    return strdup(
        "[{\"kind\":\"provider\",\"name\":\"local\",\"version\":\"1.0.0\",\"abi\":\"1.0\",\"status\":\"ok\","
        "\"path\":\"/usr/lib/memories/plugins-1/provider-local.so\"},"
        "{\"kind\":\"topology\",\"name\":\"consensus\",\"version\":\"1.0.0\",\"abi\":\"1.0\",\"status\":\"ok\","
        "\"path\":\"/usr/lib/memories/plugins-1/topology-consensus.so\"},"
        "{\"path\":\"/tmp/provider-bad.so\",\"status\":\"failed\",\"failure\":\"untrusted-path\","
        "\"error\":{\"message\":\"/tmp can be written by others\",\"hint\":\"chmod o-w /tmp\"}}]");
}
