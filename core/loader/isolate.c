/* isolate.c - a plugin in a process of its own, the core's side; see isolate.h */
#include "core/loader/isolate.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/loader/call_object.h"
#include "core/loader/channel.h"
#include "core/loader/decorator.h"
#include "core/loader/isolate_wire.h"
#include "core/loader/name.h"
#include "core/loader/refuse.h"
#include "core/loader/slot.h"

struct remote {
    struct decorator decorator;
    const struct plugin *plugin;
    const struct memories_host *host; /* the table that init was given */
    pthread_mutex_t start_lock;       /* held while a process is started and instances are opened in it */
    pthread_mutex_t lock;             /* guards all below */
    pid_t pid;                        /* 0: there is no process */
    int control;                      /* its first socket */
    uint64_t generation;              /* counts the processes */
    bool initialised;                 /* in this process */
    char *ending;                     /* how the process before this one ended */
};

/* An instance in the process; it is opened anew in the next one. */
struct remote_instance {
    uint64_t generation;
    int64_t number;
    char *request;
};

/* ---- The process ------------------------------------------------------------------------------------------------- */

static char *program_path(void)
{
    const char *directory = secure_getenv("MEMORIES_LIBEXEC_DIR");
    return text_format("%s/memories-plugin-host", directory && *directory ? directory : LIBEXEC_DIRECTORY);
}

/* A process group of its own: Ctrl-C is for the program, which ends calls in its own way. */
static int spawn(const char *program, const char *path, int socket, pid_t *pid)
{
    extern char **environ;
    char *const arguments[] = { (char *)program, (char *)path, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, socket, ISOLATE_DESCRIPTOR);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int number = posix_spawn(pid, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

/* Under the lock. Sockets of ours have numbers above ISOLATE_DESCRIPTOR, which dup2 makes inheritable. */
static int start_process(struct remote *remote, memories_error **error)
{
    int pair[2];
    AUTO_FREE char *program = program_path();
    if (!program)
        return error_no_memory(error);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return error_set_errno(error, errno, "can't make a socket for %s", program);
    int number = spawn(program, remote->plugin->path, pair[1], &remote->pid);
    close(pair[1]);
    if (number) {
        close(pair[0]);
        remote->pid = 0;
        error_set(error, MEMORIES_FAILED, "can't start %s, which runs isolated plugins", program);
        error_cause(error, "%s", strerror(number));
        error_hint(error, "install memories again (make install), or point MEMORIES_LIBEXEC_DIR at its directory");
        return MEMORIES_FAILED;
    }
    remote->control = pair[0];
    remote->generation++;
    remote->initialised = false;
    return 0;
}

static char *ending_of(int status)
{
    if (WIFSIGNALED(status))
        return text_format("it was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return text_format("it ended with exit code %d", WEXITSTATUS(status));
}

/* Under the lock. */
static void bury_process(struct remote *remote)
{
    int status = 0;
    close(remote->control);
    kill(remote->pid, SIGKILL); /* it is dead already, or has closed its socket, which is as bad */
    while (waitpid(remote->pid, &status, 0) < 0 && errno == EINTR) {
    }
    remote->pid = 0;
    free(remote->ending);
    remote->ending = ending_of(status);
}

/* ---- Services of the host ---------------------------------------------------------------------------------------- */

/* What serving one message needs: memory that lives as long. */
struct served {
    struct served *next;
    max_align_t memory[];
};

static void *keep(void *data, size_t bytes)
{
    struct served **list = data;
    struct served *served = calloc(1, sizeof *served + bytes);
    if (!served)
        return NULL;
    served->next = *list;
    *list = served;
    return served->memory;
}

static void free_served(struct served *served)
{
    while (served) {
        struct served *next = served->next;
        free(served);
        served = next;
    }
}

static void serve_http(const struct memories_host *host, struct memories_call *call, struct message *question,
                       struct message *answer)
{
    struct served *kept = NULL;
    int64_t count = message_number(question);
    size_t room = count >= 0 && count <= WIRE_COUNT_MAX ? (size_t)count : 0;
    struct memories_http_request *requests = keep(&kept, (room + 1) * sizeof *requests);
    const struct memories_http_request **pointers = keep(&kept, (room + 1) * sizeof *pointers);
    const struct memories_http_response **responses = keep(&kept, (room + 1) * sizeof *responses);
    bool good = requests && pointers && responses && room == (size_t)count;
    for (size_t i = 0; good && i < room; i++)
        pointers[i] = wire_request(question, &requests[i], keep, &kept);
    int32_t code = good && !question->failed ? host->http(call, pointers, room, responses) : MEMORIES_NO_MEMORY;
    message_put_number(answer, code);
    for (size_t i = 0; !code && i < room; i++)
        wire_put_response(answer, responses[i]);
    free_served(kept);
}

static void serve(const struct memories_host *host, struct memories_call *call, enum isolate_service service,
                  struct message *question, struct message *answer)
{
    struct memories_error_detail detail;
    size_t bytes = 0;
    switch (service) {
    case SERVICE_LOG: {
        int32_t level = (int32_t)message_number(question);
        host->log(call, level, message_text(question));
        break;
    }
    case SERVICE_FAIL:
        message_put_number(answer, host->fail(call, wire_detail(question, &detail)));
        break;
    case SERVICE_CANCELLED:
        message_put_number(answer, host->cancelled(call));
        break;
    case SERVICE_SECRET: {
        const char *secret = host->secret(call, message_text(question), &bytes);
        message_put_bytes(answer, secret, bytes);
        break;
    }
    case SERVICE_HTTP:
        serve_http(host, call, question, answer);
        break;
    case SERVICE_RESULT:
        message_put_number(answer, host->result(call, message_text(question)));
        break;
    case SERVICE_STREAM: {
        const char *node = message_text(question), *text = message_bytes(question, &bytes);
        message_put_number(answer, host->stream(call, node, text, bytes));
        break;
    }
    case SERVICE_OPERATION_RESULT: {
        size_t index = (size_t)message_number(question);
        uint32_t state = (uint32_t)message_number(question);
        const char *outputs = message_text(question);
        message_put_number(answer,
                           host->operation_result(call, index, state, outputs, (uint32_t)message_number(question)));
        break;
    }
    case SERVICE_OPERATION_FAILED: {
        size_t index = (size_t)message_number(question);
        message_put_number(answer, host->operation_failed(call, index, wire_detail(question, &detail)));
        break;
    }
    case SERVICE_PROGRESS: {
        size_t index = (size_t)message_number(question);
        host->progress(call, index, message_text(question));
        break;
    }
    case SERVICE_RETURN:
        break;
    }
    message_put_number(answer, 0); /* so that no answer is empty */
}

/* ---- One call ---------------------------------------------------------------------------------------------------- */

static const struct memories_host *host_of(const struct remote *remote)
{
    return remote->host ? remote->host : call_host();
}

/* The process is gone: the call fails, and says so. */
static int32_t fail_crashed(struct remote *remote, uint64_t generation, struct memories_call *call)
{
    const struct plugin *plugin = remote->plugin;
    pthread_mutex_lock(&remote->lock);
    if (remote->pid && remote->generation == generation)
        bury_process(remote);
    AUTO_FREE char *message =
        text_format("the process of %s %s ended in the slot %s: %s", plugin_kind_name(plugin->kind), plugin->name,
                    call->slot, remote->ending ? remote->ending : "nobody knows how");
    pthread_mutex_unlock(&remote->lock);
    AUTO_FREE char *hint =
        text_format("what was begun is on record: memories resume goes on, memories delete removes it; "
                    "tell the plugin's author%s%s",
                    plugin->homepage ? ": " : "", plugin->homepage ? plugin->homepage : "");
    const struct memories_error_detail detail = {
        .size = sizeof detail, .code = MEMORIES_FAILED, .message = message, .where = plugin->path, .hint = hint
    };
    return host_of(remote)->fail(call, &detail);
}

/* The socket of a new call, and the process that it goes to; -1: there is none any more. */
static int begin_call(struct remote *remote, uint64_t *generation)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -1;
    pthread_mutex_lock(&remote->lock);
    *generation = remote->generation;
    bool sent = remote->pid && channel_send_descriptor(remote->control, pair[1]) == 0;
    pthread_mutex_unlock(&remote->lock);
    close(pair[1]);
    if (sent)
        return pair[0];
    close(pair[0]);
    return -1;
}

static void put_invocation(struct message *message, const struct invocation *invocation, int64_t instance)
{
    message_put_text(message, invocation->slot_name);
    message_put_number(message, instance);
    message_put_text(message, invocation->request);
    message_put_number(message, (int64_t)invocation->count);
    for (size_t i = 0; i < invocation->count; i++)
        wire_put_operation(message, invocation->operations[i]);
}

/* Carries one call over and serves it until it returns. *opened: the instance's number, of `open`. */
static int32_t carry(struct remote *remote, const struct invocation *invocation, int64_t instance,
                     struct memories_call *call, int64_t *opened)
{
    uint64_t generation = 0;
    AUTO_FD int fd = begin_call(remote, &generation);
    AUTO_MESSAGE struct message request = { 0 };
    put_invocation(&request, invocation, instance);
    if (request.failed)
        return MEMORIES_NO_MEMORY;
    bool alive = fd >= 0 && channel_send(fd, &request) == 0;
    while (alive) {
        AUTO_MESSAGE struct message question = { 0 };
        AUTO_MESSAGE struct message answer = { 0 };
        if (channel_receive(fd, &question))
            break;
        enum isolate_service service = (enum isolate_service)message_number(&question);
        if (service == SERVICE_RETURN) {
            int32_t code = (int32_t)message_number(&question);
            *opened = message_number(&question);
            return code;
        }
        serve(host_of(remote), call, service, &question, &answer);
        alive = channel_send(fd, &answer) == 0;
    }
    return fail_crashed(remote, generation, call);
}

/* ---- Processes and instances that are there ---------------------------------------------------------------------- */

static int read_hello(struct remote *remote, struct message *hello, memories_error **error)
{
    if (channel_receive(remote->control, hello) == 0)
        return 0;
    bury_process(remote);
    return error_set(error, MEMORIES_FAILED, "the process of the isolated plugin %s ended while it was loaded: %s",
                     remote->plugin->path, remote->ending ? remote->ending : "nobody knows how");
}

/* Another process after one that died; what it says of the plugin is known already. */
static int restart(struct remote *remote, memories_error **error)
{
    AUTO_MESSAGE struct message hello = { 0 };
    int failed = start_process(remote, error);
    if (!failed)
        failed = read_hello(remote, &hello, error);
    if (!failed && message_number(&hello) != LOAD_OK) {
        const char *message = message_text(&hello);
        failed = error_set(error, MEMORIES_FAILED, "the plugin can't be loaded again: %s", message ? message : "");
        bury_process(remote);
    }
    return failed;
}

static int32_t fail_with(struct remote *remote, struct memories_call *call, const memories_error *error)
{
    const struct memories_error_detail detail = { .size = sizeof detail,
                                                  .code = memories_error_code(error),
                                                  .message = memories_error_message(error),
                                                  .where = memories_error_where(error),
                                                  .cause = memories_error_cause(error),
                                                  .hint = memories_error_hint(error) };
    return host_of(remote)->fail(call, &detail);
}

/* In a new process, init goes before anything else. Its services are those of the call that needs it. */
static int32_t initialise(struct remote *remote, struct memories_call *call)
{
    struct invocation invocation = { .shape = INVOCATION_INIT, .slot_name = "init" };
    int64_t unused;
    bool has_init = slot_is_filled(remote->plugin, slot_find(remote->plugin->kind, "init"));
    return has_init ? carry(remote, &invocation, 0, call, &unused) : MEMORIES_OK;
}

static int32_t ensure_started(struct remote *remote, bool is_init, struct memories_call *call)
{
    AUTO_ERROR memories_error *error = NULL;
    pthread_mutex_lock(&remote->lock);
    int failed = remote->pid ? 0 : restart(remote, &error);
    bool needs_init = !failed && !remote->initialised && !is_init;
    uint64_t generation = remote->generation;
    pthread_mutex_unlock(&remote->lock);
    if (failed)
        return fail_with(remote, call, error);
    int32_t code = needs_init ? initialise(remote, call) : MEMORIES_OK;
    pthread_mutex_lock(&remote->lock);
    if (!code && remote->generation == generation)
        remote->initialised = true;
    pthread_mutex_unlock(&remote->lock);
    return code;
}

static int32_t ensure_instance(struct remote *remote, struct remote_instance *instance, struct memories_call *call)
{
    pthread_mutex_lock(&remote->lock);
    uint64_t generation = remote->generation;
    pthread_mutex_unlock(&remote->lock);
    if (instance->generation == generation)
        return MEMORIES_OK;
    struct invocation open = { .shape = INVOCATION_OPEN, .slot_name = "open", .request = instance->request };
    int32_t code = carry(remote, &open, 0, call, &instance->number);
    if (!code)
        instance->generation = generation;
    return code;
}

/* A process in which the plugin is initialised and the instance (NULL: none) open, and the instance's number there. */
static int32_t ensure(struct remote *remote, const struct invocation *invocation, struct memories_call *call,
                      int64_t *number)
{
    struct remote_instance *instance = invocation->instance;
    pthread_mutex_lock(&remote->start_lock);
    int32_t code = ensure_started(remote, invocation->shape == INVOCATION_INIT, call);
    if (!code && instance)
        code = ensure_instance(remote, instance, call);
    *number = instance ? instance->number : 0;
    pthread_mutex_unlock(&remote->start_lock);
    return code;
}

static int32_t open_remote(struct remote *remote, const struct invocation *invocation, struct memories_call *call)
{
    struct remote_instance *instance = calloc(1, sizeof *instance);
    if (!instance || !(instance->request = strdup(invocation->request))) {
        free(instance);
        return MEMORIES_NO_MEMORY;
    }
    pthread_mutex_lock(&remote->lock);
    instance->generation = remote->generation;
    pthread_mutex_unlock(&remote->lock);
    int32_t code = carry(remote, invocation, 0, call, &instance->number);
    if (!code) {
        *invocation->opened = instance;
        return code;
    }
    free(instance->request);
    free(instance);
    return code;
}

/* An instance whose process is gone needs no closing. */
static int32_t close_remote(struct remote *remote, const struct invocation *invocation, struct memories_call *call)
{
    struct remote_instance *instance = invocation->instance;
    int64_t unused;
    pthread_mutex_lock(&remote->lock);
    bool there = remote->pid && instance->generation == remote->generation;
    pthread_mutex_unlock(&remote->lock);
    if (there)
        carry(remote, invocation, instance->number, call, &unused);
    free(instance->request);
    free(instance);
    return MEMORIES_OK;
}

static int32_t remote_call(struct decorator *decorator, const struct invocation *invocation, struct memories_call *call)
{
    struct remote *remote = (struct remote *)decorator;
    int64_t instance, unused;
    if (invocation->shape == INVOCATION_CLOSE)
        return close_remote(remote, invocation, call);
    if (invocation->shape == INVOCATION_INIT)
        remote->host = invocation->host;
    int32_t code = ensure(remote, invocation, call, &instance);
    if (code)
        return code;
    if (invocation->shape == INVOCATION_OPEN)
        return open_remote(remote, invocation, call);
    return carry(remote, invocation, instance, call, &unused);
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

/* Stands in a slot that the plugin fills in its own process. Nothing calls it: calls go through the decorator. */
static void in_another_process(void)
{
    abort();
}

static int copy_text(char **copy, const char *text)
{
    *copy = text ? strdup(text) : NULL;
    return text && !*copy ? MEMORIES_NO_MEMORY : 0;
}

static int take_slots(struct plugin *plugin, struct message *hello)
{
    void (*filled)(void) = in_another_process;
    for (int64_t count = message_number(hello); count > 0 && !hello->failed; count--) {
        const char *name = message_text(hello);
        const struct slot *slot = name ? slot_find(plugin->kind, name) : NULL;
        if (slot)
            memcpy((char *)&plugin->ops + slot->offset, &filled, sizeof filled);
    }
    return hello->failed ? MEMORIES_INTERNAL : 0;
}

static int take_plugin(struct plugin *plugin, struct message *hello, memories_error **error)
{
    memset(&plugin->ops, 0, sizeof plugin->ops);
    plugin->kind = (uint32_t)message_number(hello);
    plugin->abi_major = (uint32_t)message_number(hello);
    plugin->abi_minor = (uint32_t)message_number(hello);
    plugin->abi_minor_needed = (uint32_t)message_number(hello);
    plugin->thread_model = (uint32_t)message_number(hello);
    if (copy_text(&plugin->name, message_text(hello)) || copy_text(&plugin->version, message_text(hello)) ||
        copy_text(&plugin->licence, message_text(hello)) || copy_text(&plugin->homepage, message_text(hello)))
        return error_no_memory(error);
    if (take_slots(plugin, hello) || !plugin->name || !plugin->version || !plugin->licence)
        return error_set(error, MEMORIES_INTERNAL, "the process of the isolated plugin does not say what it is");
    return 0;
}

static enum load_failure read_plugin(struct remote *remote, struct plugin *plugin, memories_error **error)
{
    AUTO_MESSAGE struct message hello = { 0 };
    if (read_hello(remote, &hello, error))
        return LOAD_LINK;
    enum load_failure failure = (enum load_failure)message_number(&hello);
    if (!failure)
        return take_plugin(plugin, &hello, error) ? LOAD_LINK : LOAD_OK;
    const char *message = message_text(&hello), *hint = message_text(&hello);
    bury_process(remote);
    return refuse(failure, plugin->path, hint, error, "%s", message ? message : "it can't be loaded");
}

enum load_failure isolate_start(struct plugin *plugin, struct decorator **innermost, memories_error **error)
{
    struct remote *remote = calloc(1, sizeof *remote);
    if (!remote || pthread_mutex_init(&remote->lock, NULL) || pthread_mutex_init(&remote->start_lock, NULL)) {
        free(remote);
        error_no_memory(error);
        return LOAD_LINK;
    }
    remote->decorator.call = remote_call;
    remote->plugin = plugin;
    enum load_failure failure = start_process(remote, error) ? LOAD_LINK : read_plugin(remote, plugin, error);
    if (!failure) {
        *innermost = &remote->decorator;
        return LOAD_OK;
    }
    if (remote->pid)
        bury_process(remote);
    pthread_mutex_destroy(&remote->start_lock);
    pthread_mutex_destroy(&remote->lock);
    free(remote->ending);
    free(remote);
    return failure;
}
