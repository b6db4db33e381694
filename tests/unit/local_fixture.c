/* local_fixture.c - driving the local provider's slots for a test, see local_fixture.h */
#include "tests/unit/local_fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/bootstrap/bootstrap.h"

#define CONNECT_TIMEOUT_MS 700

extern const struct memories_plugin_descriptor *provider_local_LTX_memories_plugin_query(void);

char local_state_dir[64];
const char *local_program;
struct memories_error_detail deployed_error;
static char error_texts[3][1024];

void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

char *quoted(const char *text)
{
    char *copy = strdup(text);
    ck_assert_ptr_nonnull(copy);
    for (char *at = copy; (at = strchr(at, '\''));)
        *at = '"';
    return copy;
}

/* ---- what the nodes run ---- */

static int listen_on(const char *address, int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, address, &name.sin_addr);
    if (bind(fd, (struct sockaddr *)&name, sizeof name) || listen(fd, 16)) {
        fprintf(stderr, "%s:%d: %s\n", address, port, strerror(errno));
        _exit(1);
    }
    return fd;
}

/* serve NAME ADDRESS PORT…: answers each connection with its name. */
static void serve(int argc, char **argv)
{
    struct pollfd sockets[8];
    int count = 0;
    for (int i = 4; i < argc && count < 8; i++)
        sockets[count++] = (struct pollfd){ .fd = listen_on(argv[3], atoi(argv[i])), .events = POLLIN };
    printf("%s serves\n", argv[2]);
    fflush(stdout);
    for (;;) {
        poll(sockets, (nfds_t)count, -1);
        for (int i = 0; i < count; i++) {
            int peer = sockets[i].revents ? accept(sockets[i].fd, NULL, NULL) : -1;
            if (peer < 0)
                continue;
            if (write(peer, argv[2], strlen(argv[2])) < 0)
                perror("write");
            close(peer);
        }
    }
}

/* connect ADDRESS PORT: prints what comes. 0 answered, 1 refused, 2 nothing comes back. */
static void connect_and_print(char **argv)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3])) };
    inet_pton(AF_INET, argv[2], &name.sin_addr);
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    if (connect(fd, (struct sockaddr *)&name, sizeof name) && errno == EINPROGRESS && poll(&ready, 1, CONNECT_TIMEOUT_MS) <= 0)
        _exit(2);
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    ready.events = POLLIN;
    char text[256];
    ssize_t got = !error && poll(&ready, 1, CONNECT_TIMEOUT_MS) > 0 ? read(fd, text, sizeof text - 1) : -1;
    if (got <= 0)
        _exit(error == EHOSTUNREACH ? 2 : 1);
    printf("%.*s", (int)got, text);
    fflush(stdout);
    _exit(0);
}

void local_fixture_helper(int argc, char **argv)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0)
        local_program = path;
    if (argc > 4 && !strcmp(argv[1], "serve"))
        serve(argc, argv);
    if (argc == 4 && !strcmp(argv[1], "connect"))
        connect_and_print(argv);
}

const char *ask(const char *space, const char *address, int port)
{
    static char answer[256];
    AUTO_FREE char *command =
        space ? text_format("exec ip netns exec %s %s connect %s %d", space, local_program, address, port)
              : text_format("exec %s connect %s %d", local_program, address, port);
    FILE *output = popen(command, "re");
    size_t got = fread(answer, 1, sizeof answer - 1, output);
    answer[got] = '\0';
    int status = pclose(output);
    return WIFEXITED(status) && WEXITSTATUS(status) == 2 ? NULL : answer;
}

/* ---- state directory ---- */

/* Where this build has the supervisor. */
static const char *libexec_directory(void)
{
    static char path[4096];
    const char *directory = getenv("builddir");
    AUTO_FREE char *relative = text_format("%s/plugins/providers/local/node", directory ? directory : ".");
    ck_assert_msg(realpath(relative, path), "no build directory");
    return path;
}

void local_fixture_set_up(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(local_state_dir, sizeof local_state_dir, "%.40s/local.XXXXXX", parent && *parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(local_state_dir));
    AUTO_FREE char *resolved = realpath(local_state_dir, NULL);
    snprintf(local_state_dir, sizeof local_state_dir, "%s", resolved);
    setenv("MEMORIES_LIBEXEC_DIR", libexec_directory(), 1);
    fake_host_reset();
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void local_fixture_tear_down(void)
{
    nftw(local_state_dir, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

static size_t found_files;

static int count_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    if (place->level > 0) {
        fprintf(stderr, "left: %s\n", path);
        found_files++;
    }
    return 0;
}

size_t count_left_files(void)
{
    found_files = 0;
    nftw(local_state_dir, count_entry, 32, FTW_PHYS);
    return found_files;
}

char *read_whole(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    struct text text = TEXT_INIT;
    char chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        text_append_bytes(&text, chunk, got);
    fclose(file);
    return text_take(&text);
}

bool file_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static bool is_marked(const char *pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    char variables[65536];
    size_t got = fread(variables, 1, sizeof variables - 1, file);
    fclose(file);
    variables[got] = '\0';
    for (char *at = variables; at < variables + got; at += strlen(at) + 1)
        if (!strncmp(at, "MEMORIES_NODE=", 14) && !strncmp(at + 14, local_state_dir, strlen(local_state_dir)))
            return true;
    return false;
}

size_t count_left_processes(void)
{
    size_t count = 0;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(processes));)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_marked(entry->d_name);
    closedir(processes);
    return count;
}

/* ---- deployments ---- */

const struct memories_provider_ops *local_ops(void)
{
    static const struct memories_provider_ops *ops;
    if (!ops) {
        ops = provider_local_LTX_memories_plugin_query()->ops;
        struct memories_call *call = fake_call_new();
        ck_assert_int_eq(ops->init(fake_host(), call), MEMORIES_OK);
        fake_call_free(call);
    }
    return ops;
}

static void keep_error(const struct memories_error_detail *error)
{
    deployed_error = *error;
    const char **members[] = { &deployed_error.message, &deployed_error.cause, &deployed_error.hint };
    const char *texts[] = { error->message, error->cause, error->hint };
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        snprintf(error_texts[i], sizeof error_texts[i], "%s", texts[i] ? texts[i] : "");
        *members[i] = error_texts[i];
    }
    static char where[1024];
    snprintf(where, sizeof where, "%s", error->where ? error->where : "");
    deployed_error.where = where;
}

static const char *describe_error(const struct memories_error_detail *error)
{
    static char text[4096];
    snprintf(text, sizeof text, "%s: %s (%s)", error && error->message ? error->message : "no error",
             error && error->cause ? error->cause : "", error && error->hint ? error->hint : "");
    return text;
}

void deployed_open(struct deployed *deployed, const char *id, const char *config)
{
    *deployed = (struct deployed){ .generation = 1 };
    snprintf(deployed->id, sizeof deployed->id, "%s", id);
    AUTO_FREE char *settings = quoted(config ? config : "{}");
    AUTO_FREE char *request = text_format("{\"version\": 1, \"deployment\": \"%s\", \"state_dir\": \"%s\", \"config\": %s}",
                                          id, local_state_dir, settings);
    struct memories_call *call = fake_call_new();
    ck_assert_msg(local_ops()->open(call, request, &deployed->instance) == MEMORIES_OK, "%s",
                  describe_error(fake_call_error(call)));
    fake_call_free(call);
}

static char *planning_request(struct deployed *deployed, json_object *spec)
{
    AUTO_JSON json_object *request = json_object_new_object();
    json_set_int(request, "version", 1);
    json_set_string(request, "deployment", deployed->id);
    json_set(request, "spec", json_ref(spec));
    json_set(request, "choices", json_ref(deployed->choices));
    return json_text(request);
}

static json_object *parse_quoted(const char *text)
{
    AUTO_FREE char *document = quoted(text);
    json_object *parsed = json_tokener_parse(document);
    ck_assert_msg(parsed, "no JSON: %s", document);
    return parsed;
}

void deployed_plan(struct deployed *deployed, const char *spec_text)
{
    AUTO_JSON json_object *spec = parse_quoted(spec_text);
    AUTO_FREE char *first = planning_request(deployed, spec);
    struct memories_call *call = fake_call_new();
    ck_assert_msg(local_ops()->prepare(deployed->instance, call, first) == MEMORIES_OK, "%s",
                  describe_error(fake_call_error(call)));
    json_object_put(deployed->choices);
    json_object_put(deployed->notes);
    deployed->choices = json_ref(json_get_object(fake_call_result(call), "choices"));
    deployed->notes = json_ref(json_get_array(fake_call_result(call), "notes"));
    fake_call_free(call);
    memories_error *error = NULL;
    json_object_put(deployed->spec);
    deployed->spec = bootstrap_resolve(spec, deployed->choices, &error);
    ck_assert_msg(deployed->spec, "%s", error ? memories_error_message(error) : "");
    AUTO_FREE char *second = planning_request(deployed, deployed->spec);
    call = fake_call_new();
    ck_assert_msg(local_ops()->lower(deployed->instance, call, second) == MEMORIES_OK, "%s",
                  describe_error(fake_call_error(call)));
    json_object_put(deployed->resources);
    deployed->resources = json_ref(json_get_array(fake_call_result(call), "resources"));
    fake_call_free(call);
}

const struct memories_error_detail *deployed_must_not_plan(struct deployed *deployed, const char *spec_text,
                                                           int32_t code)
{
    AUTO_JSON json_object *spec = parse_quoted(spec_text);
    AUTO_FREE char *request = planning_request(deployed, spec);
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(local_ops()->prepare(deployed->instance, call, request), code);
    ck_assert_ptr_nonnull(fake_call_error(call));
    ck_assert_ptr_null(fake_call_result(call));
    keep_error(fake_call_error(call));
    fake_call_free(call);
    return &deployed_error;
}

void deployed_close(struct deployed *deployed)
{
    local_ops()->close(deployed->instance);
    json_object_put(deployed->spec);
    json_object_put(deployed->choices);
    json_object_put(deployed->notes);
    json_object_put(deployed->resources);
    *deployed = (struct deployed){ 0 };
}

typedef int32_t operation_slot(void *instance, struct memories_call *call,
                               const struct memories_operation *const *operations, size_t count);

static operation_slot *function_of(enum slot slot)
{
    const struct memories_provider_ops *ops = local_ops();
    operation_slot *const functions[] = { ops->create, ops->read, ops->update, ops->destroy, ops->power, ops->power };
    return functions[slot];
}

struct operations {
    struct memories_operation *operations;
    const struct memories_operation **pointers;
    char (*tokens)[80];
    size_t count;
};

static void make_operations(struct operations *made, struct deployed *deployed, enum slot slot, const char *type)
{
    size_t resources = json_count(deployed->resources);
    made->operations = calloc(resources, sizeof *made->operations);
    made->pointers = calloc(resources, sizeof *made->pointers);
    made->tokens = calloc(resources, sizeof *made->tokens);
    made->count = 0;
    for (size_t i = 0; i < resources; i++) {
        json_object *resource = json_object_array_get_idx(deployed->resources, i);
        if (strcmp(json_get_string(resource, "type"), type) != 0)
            continue;
        const char *key = json_get_string(resource, "key");
        snprintf(made->tokens[made->count], sizeof *made->tokens, "token-%s-%u", key, deployed->generation);
        made->operations[made->count] = (struct memories_operation){
            .size = sizeof(struct memories_operation),
            .generation = deployed->generation,
            .attempt = 1,
            .power_on = slot == SLOT_CREATE || slot == SLOT_START,
            .key = key,
            .type = type,
            .token = made->tokens[made->count],
            .inputs = slot == SLOT_CREATE || slot == SLOT_UPDATE
                          ? json_object_to_json_string(json_get_object(resource, "inputs"))
                          : NULL,
        };
        made->pointers[made->count] = &made->operations[made->count];
        made->count++;
    }
}

static void free_operations(struct operations *made)
{
    free(made->operations);
    free(made->pointers);
    free(made->tokens);
}

static bool is_pending(struct memories_call *call, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fake_call_answer(call, i) && fake_call_answer(call, i)->state == MEMORIES_STATE_PENDING)
            return true;
    return false;
}

static void check_answers(struct memories_call *call, const struct operations *made, uint32_t expected)
{
    for (size_t i = 0; i < made->count; i++) {
        const struct fake_answer *answer = fake_call_answer(call, i);
        ck_assert_msg(answer, "%s has no answer", made->operations[i].key);
        if (expected == FAILS) {
            ck_assert_msg(answer->error.code, "%s did not fail", made->operations[i].key);
            if (i == 0)
                keep_error(&answer->error);
            continue;
        }
        ck_assert_msg(!answer->error.code, "%s: %s", made->operations[i].key, describe_error(&answer->error));
        ck_assert_msg(answer->state == expected, "%s is in state %u, not %u\n%s", made->operations[i].key, answer->state,
                      expected, fake_call_log(call));
    }
}

void deployed_batch(struct deployed *deployed, enum slot slot, const char *type, uint32_t expected)
{
    struct operations made;
    make_operations(&made, deployed, slot, type);
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(function_of(slot)(deployed->instance, call, made.pointers, made.count), MEMORIES_OK);
    for (int tries = 0; is_pending(call, made.count) && expected != MEMORIES_STATE_PENDING; tries++) {
        ck_assert_int_lt(tries, 500);
        pause_ms(10);
        fake_call_free(call);
        call = fake_call_new();
        ck_assert_int_eq(local_ops()->read(deployed->instance, call, made.pointers, made.count), MEMORIES_OK);
    }
    check_answers(call, &made, expected);
    fake_call_free(call);
    free_operations(&made);
}

void deployed_create(struct deployed *deployed)
{
    deployed_batch(deployed, SLOT_CREATE, LOCAL_NETWORK_TYPE, MEMORIES_STATE_READY);
    deployed_batch(deployed, SLOT_CREATE, LOCAL_NODE_TYPE, MEMORIES_STATE_READY);
}

void deployed_destroy(struct deployed *deployed)
{
    deployed_batch(deployed, SLOT_DESTROY, LOCAL_NODE_TYPE, MEMORIES_STATE_ABSENT);
    deployed_batch(deployed, SLOT_DESTROY, LOCAL_NETWORK_TYPE, MEMORIES_STATE_ABSENT);
}

const char *deployed_output(struct deployed *deployed, const char *node, const char *name)
{
    static char text[256];
    AUTO_FREE char *key = text_format("node/%s", node);
    struct memories_operation operation = {
        .size = sizeof operation, .key = key, .type = LOCAL_NODE_TYPE, .token = "any"
    };
    const struct memories_operation *pointer = &operation;
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(local_ops()->read(deployed->instance, call, &pointer, 1), MEMORIES_OK);
    const struct fake_answer *answer = fake_call_answer(call, 0);
    const char *value = json_get_string(answer->outputs, name);
    snprintf(text, sizeof text, "%s", value ? value : "");
    fake_call_free(call);
    return text;
}

const char *deployed_path(const struct deployed *deployed, const char *node, const char *file)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/local/%s/nodes/%s%s%s", local_state_dir, deployed->id, node, file ? "/" : "",
             file ? file : "");
    return path;
}

json_object *deployed_call(struct deployed *deployed, instance_slot *slot, const char *request)
{
    AUTO_FREE char *document = quoted(request);
    struct memories_call *call = fake_call_new();
    ck_assert_msg(slot(deployed->instance, call, document) == MEMORIES_OK, "%s", describe_error(fake_call_error(call)));
    json_object *result = json_ref(fake_call_result(call));
    fake_call_free(call);
    return result;
}

char *spec_of(size_t count, const char *ports, const char *network)
{
    struct text text = TEXT_INIT, arguments = TEXT_INIT;
    for (const char *at = ports; *at; at += strspn(at, ", ")) {
        size_t length = strcspn(at, ", ");
        text_printf(&arguments, ", '%.*s'", (int)length, at);
        at += length;
    }
    text_printf(&text, "{'version': 1, 'topology': 'test', 'network': %s, 'nodes': [", network ? network : "null");
    for (size_t i = 1; i <= count; i++) {
        text_printf(&text,
                    "%s{'name': 'node%zu', 'role': 'server', 'public_ip': %s, 'machine': {'zone': 'z-a'}, "
                    "'subnet': %s, 'bootstrap': {'files': ["
                    "{'path': '%%c/tls/key.pem', 'secret': 'secret:node/node%zu/key', 'mode': '0600'}, "
                    "{'path': '%%c/who', 'content': '100%%%% %%n\\n', 'mode': '0644'}], "
                    "'services': [{'name': 'server', 'command': ['%s', 'serve', '%%n', '%%a'%s], "
                    "'stop_timeout_ms': 1000}], 'ports': [%s]}}",
                    i > 1 ? ", " : "", i, i == 1 ? "true" : "false", network && strstr(network, "'one'") ? (i % 2 ? "'one'" : "'two'") : "null",
                    i, local_program, arguments.bytes ? arguments.bytes : "", ports);
    }
    text_append(&text, "]}");
    text_clear(&arguments);
    return text_take(&text);
}
