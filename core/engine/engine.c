/*
 * engine.c - runs a plan: batches, journal, polling, retries
 *
 * The caller's thread coordinates and owns all state. Each batch of operations that can be answered by one call of the
 * provider is a job on a thread of its own, which writes the intents, calls, and writes the outcomes; the coordinator
 * then reads the answers. At most JOBS_MAX jobs run at the same time.
 */
#include "core/engine/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "core/base/backoff.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/engine/plan.h"
#include "core/engine/reference.h"

#define JOBS_MAX 8
#define ATTEMPTS 6
#define ROUNDS_MAX 3
#define TOKEN_GROUPS_MAX 1000
#define OPERATION_TIMEOUT_S 300
#define POLL_AFTER_MS 1000
/* Cancellation comes from a signal handler, which can't wake anybody: it is looked for this often. */
#define CANCEL_LOOK_MS 50

void engine_token(const char *deployment, const char *key, uint32_t generation, uint32_t group, char token[41])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE] = { 0 };
    AUTO_FREE char *text = text_format("%s\n%s\n%u\n%u", deployment, key, generation, group);
    if (text)
        EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 20; i++) {
        token[2 * i] = digits[hash[i] >> 4];
        token[2 * i + 1] = digits[hash[i] & 15];
    }
    token[40] = '\0';
}

/* The time and a random number, the same for all tasks of a call: what has to wait waits together, for one next call.
 */
struct moment {
    int64_t now_ms;
    uint32_t chance;
};

static struct moment this_moment(void)
{
    return (struct moment){ clock_monotonic_ms(), arc4random() };
}

/* What the ABI promises to repeat (memories/plugin.h); everything else fails at once. */
static bool may_pass(const memories_error *error)
{
    switch (memories_error_code(error)) {
    case MEMORIES_THROTTLED:
    case MEMORIES_TRANSIENT:
    case MEMORIES_TIMEOUT:
    case MEMORIES_CAPACITY:
        return true;
    default:
        return false;
    }
}

static bool is_cancelled(const struct engine *engine)
{
    return engine->environment->cancel && atomic_load(engine->environment->cancel);
}

static json_object *type_description(const struct engine *engine, const char *type)
{
    return json_get_object(json_get_object(engine->provider->description, "resource_types"), type);
}

static int64_t timeout_ms(const struct engine *engine, const char *type)
{
    return engine->timeout_ms ? engine->timeout_ms
                              : json_get_int(type_description(engine, type), "timeout_s", OPERATION_TIMEOUT_S) * 1000;
}

/* ---- Tasks: what the coordinator knows of one operation, or of one resource to be read ---- */

enum task_state { TASK_WAITING, TASK_READY, TASK_RUNNING, TASK_POLLING, TASK_DONE, TASK_FAILED };

struct task {
    const struct plan_operation *operation; /* NULL in a refresh */
    const char *key;
    const char *type;
    enum task_state state;
    uint32_t attempt; /* tries so far of the present call */
    uint32_t group;   /* of the token: a new one after CAPACITY */
    uint32_t no_room; /* answers CAPACITY so far */
    size_t waits_for; /* operations not done yet */
    bool held;        /* its unit has not been released */
    bool awaited;     /* refresh: it is wanted, so that it is asked for again while it is pending */
    bool begun;       /* its start was reported */
    int64_t due_ms;   /* not before (retry, poll) */
    int64_t deadline_ms;
    int64_t sequence;     /* of its journal line */
    json_object *inputs;  /* references resolved; own reference */
    json_object *sought;  /* what is looked for, or to be deleted, and gave no outputs yet: its inputs; borrowed */
    json_object *outputs; /* known so far; own reference */
    char token[41];
    char *inputs_text;
    char *outputs_text;
};

static void task_clear(struct task *task)
{
    json_object_put(task->inputs);
    json_object_put(task->outputs);
    free(task->inputs_text);
    free(task->outputs_text);
}

static void task_set_outputs(struct task *task, json_object *outputs)
{
    if (!outputs)
        return;
    json_object_put(task->outputs);
    task->outputs = json_ref(outputs);
    free(task->outputs_text);
    task->outputs_text = NULL;
}

/* ---- Jobs: one call of the provider ---- */

struct executor;

struct job {
    struct executor *executor;
    struct task **tasks;
    size_t count;
    struct operation_answer *answers;
    bool poll; /* reads what is under way, instead of beginning it */
    int failed;
    memories_error *error; /* the journal could not be written: nothing was called */
    pthread_t thread;
    struct job *next;
};

struct executor {
    struct engine *engine;
    struct plan *plan; /* NULL in a refresh */
    struct task *tasks;
    size_t count;
    bool stopped;            /* the wanted power state */
    json_object *outputs;    /* {key: outputs} of everything that is there */
    size_t running;          /* jobs */
    _Atomic size_t finished; /* operations */
    uint32_t units_released;
    uint32_t *unit_left; /* operations not done, by unit */
    bool adds_nodes;
    bool failing;
    memories_error *error;
    pthread_mutex_t lock; /* guards `completed` */
    pthread_cond_t completion;
    struct job *completed;
};

static const struct memories_operation *const *operations_of(struct job *job, struct memories_operation *storage,
                                                             const struct memories_operation **pointers)
{
    for (size_t i = 0; i < job->count; i++) {
        struct task *task = job->tasks[i];
        const struct plan_operation *planned = task->operation;
        bool power_on = planned && (planned->kind == OPERATION_START ||
                                    (planned->kind != OPERATION_STOP && !job->executor->stopped));
        storage[i] = (struct memories_operation){ .size = sizeof storage[i],
                                                  .generation = planned ? planned->generation : 0,
                                                  .attempt = task->attempt,
                                                  .power_on = power_on,
                                                  .key = task->key,
                                                  .type = task->type,
                                                  .token = task->token,
                                                  .inputs = task->inputs_text,
                                                  .outputs = task->outputs_text };
        pointers[i] = &storage[i];
    }
    return pointers;
}

static batch_slot *slot_of(const struct engine *engine, const struct job *job, const char **name)
{
    const struct memories_provider_ops *ops = &engine->provider->ops.provider;
    if (job->poll) {
        *name = "read";
        return ops->read;
    }
    switch (job->tasks[0]->operation->kind) {
    case OPERATION_CREATE:
        *name = "create";
        return ops->create;
    case OPERATION_UPDATE:
        *name = "update";
        return ops->update;
    case OPERATION_DELETE:
        *name = "destroy";
        return ops->destroy;
    default:
        *name = "power";
        return ops->power;
    }
}

static void report(struct executor *executor, uint32_t kind, const struct task *task, const memories_error *error,
                   const char *text);

static void forward_log(const char *plugin, int32_t level, const char *text, void *user_data)
{
    const struct job *job = user_data;
    const struct call_environment *environment = job->executor->engine->environment;
    if (environment->on_log)
        environment->on_log(plugin, level, text, environment->user_data);
}

static void forward_progress(size_t index, const char *text, void *user_data)
{
    const struct job *job = user_data;
    if (index < job->count)
        report(job->executor, MEMORIES_EVENT_PROGRESS, job->tasks[index], NULL, text);
}

static int call_provider(struct job *job, memories_error **error)
{
    const struct engine *engine = job->executor->engine;
    struct call_environment environment = *engine->environment;
    environment.on_log = forward_log;
    environment.on_progress = forward_progress;
    environment.user_data = job;
    AUTO_FREE struct memories_operation *storage = calloc(job->count, sizeof *storage);
    AUTO_FREE const struct memories_operation **pointers = calloc(job->count, sizeof *pointers);
    if (!storage || !pointers)
        return error_no_memory(error);
    const char *name;
    batch_slot *slot = slot_of(engine, job, &name);
    return call_batch(engine->provider, &environment, name, slot, engine->instance,
                      operations_of(job, storage, pointers), job->count, job->answers, error);
}

static int write_intents(struct job *job, memories_error **error)
{
    const struct engine *engine = job->executor->engine;
    AUTO_FREE struct journal_entry *entries = calloc(job->count, sizeof *entries);
    if (!entries)
        return error_no_memory(error);
    for (size_t i = 0; i < job->count; i++) {
        const struct task *task = job->tasks[i];
        entries[i] = (struct journal_entry){ .key = task->key,
                                             .type = task->type,
                                             .node = task->operation->node,
                                             .operation = operation_name(task->operation->kind),
                                             .token = task->token,
                                             .generation = task->operation->generation,
                                             .attempt = task->attempt,
                                             .inputs = task->inputs,
                                             .depends_on = task->operation->depends_on_keys };
    }
    int failed = store_journal_intent(engine->store, engine->deployment, engine->fence, entries, job->count, error);
    for (size_t i = 0; !failed && i < job->count; i++)
        job->tasks[i]->sequence = entries[i].sequence;
    return failed;
}

const char *engine_state_name(uint32_t state)
{
    static const char *const names[] = { "absent", "pending", "ready", "stopped", "broken" };
    return state < ARRAY_COUNT(names) ? names[state] : "broken";
}

/* Whether `state` is where an operation of this kind ends well. */
static bool is_settled(enum operation_kind kind, uint32_t state)
{
    switch (kind) {
    case OPERATION_DELETE:
        return state == MEMORIES_STATE_ABSENT;
    case OPERATION_STOP:
        return state == MEMORIES_STATE_STOPPED;
    case OPERATION_START:
        return state == MEMORIES_STATE_READY;
    default:
        return state == MEMORIES_STATE_READY || state == MEMORIES_STATE_STOPPED;
    }
}

/* Whether asking again may still find the operation settled. Something just made may be invisible for a while, and
 * something just deleted or switched may show its old state. */
static bool is_under_way(enum operation_kind kind, uint32_t state, bool polled)
{
    switch (state) {
    case MEMORIES_STATE_PENDING:
        return true;
    case MEMORIES_STATE_ABSENT:
        return polled && kind == OPERATION_CREATE;
    case MEMORIES_STATE_READY:
    case MEMORIES_STATE_STOPPED:
        return polled;
    default:
        return polled && kind == OPERATION_DELETE;
    }
}

static memories_error *wrong_state(const struct task *task, uint32_t state)
{
    memories_error *error = NULL;
    error_set(&error, MEMORIES_FAILED, "%s of %s ended with it being %s", operation_name(task->operation->kind),
              task->key, engine_state_name(state));
    error_where(&error, "%s", task->key);
    error_hint(&error, "look with: memories logs; run the command again to go on");
    return error;
}

static memories_error *too_late(const struct engine *engine, const struct task *task)
{
    memories_error *error = NULL;
    error_set(&error, MEMORIES_TIMEOUT, "%s of %s was not done after %lld s", operation_name(task->operation->kind),
              task->key, (long long)(timeout_ms(engine, task->type) / 1000));
    error_where(&error, "%s", task->key);
    error_hint(&error, "it may still come to its end; run the command again to go on");
    return error;
}

/* Turns answers that are no proper end into errors, so that the journal and the coordinator read the same. */
static void judge_answers(struct job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        struct operation_answer *answer = &job->answers[i];
        struct task *task = job->tasks[i];
        enum operation_kind kind = task->operation->kind;
        if (answer->error || is_settled(kind, answer->state))
            continue;
        if (!is_under_way(kind, answer->state, job->poll))
            answer->error = wrong_state(task, answer->state);
        else if (clock_monotonic_ms() > task->deadline_ms)
            answer->error = too_late(job->executor->engine, task);
    }
}

/* Whether nothing can have come of a creation: where there was no room nothing did, and what was refused at the first try
 * under its token was never begun. */
static bool is_refused(const struct task *task, const memories_error *error)
{
    if (task->operation->kind != OPERATION_CREATE)
        return false;
    switch (memories_error_code(error)) {
    case MEMORIES_CAPACITY:
        return true;
    case MEMORIES_INVALID:
    case MEMORIES_DENIED:
    case MEMORIES_QUOTA:
    case MEMORIES_UNSUPPORTED:
        return task->attempt == 1;
    default:
        return false;
    }
}

static int write_outcomes(struct job *job, memories_error **error)
{
    const struct engine *engine = job->executor->engine;
    AUTO_FREE struct journal_outcome *outcomes = calloc(job->count, sizeof *outcomes);
    if (!outcomes)
        return error_no_memory(error);
    size_t count = 0;
    for (size_t i = 0; i < job->count; i++) {
        const struct operation_answer *answer = &job->answers[i];
        const struct task *task = job->tasks[i];
        bool settled = !answer->error && is_settled(task->operation->kind, answer->state);
        bool refused = answer->error && !job->poll && is_refused(task, answer->error);
        if (job->poll && !answer->error && !settled)
            continue; /* nothing new */
        if (job->poll && answer->error && may_pass(answer->error) && clock_monotonic_ms() <= task->deadline_ms)
            continue; /* the operation itself has not failed */
        outcomes[count++] = (struct journal_outcome){ .sequence = task->sequence,
                                                      .key = task->key,
                                                      .state = refused         ? "planned"
                                                               : answer->error ? NULL
                                                               : settled       ? engine_state_name(answer->state)
                                                                               : "pending",
                                                      .outputs = answer->outputs,
                                                      .error = answer->error,
                                                      .keep_doubt = !answer->error && !settled };
    }
    return count ? store_journal_outcome(engine->store, engine->deployment, engine->fence, outcomes, count, error) : 0;
}

static void complete(struct job *job)
{
    struct executor *executor = job->executor;
    pthread_mutex_lock(&executor->lock);
    job->next = executor->completed;
    executor->completed = job;
    pthread_cond_signal(&executor->completion);
    pthread_mutex_unlock(&executor->lock);
}

/* A refresh reads only: no journal. */
static void *run_job(void *argument)
{
    struct job *job = argument;
    bool journalled = job->executor->plan != NULL;
    if (journalled && !job->poll)
        job->failed = write_intents(job, &job->error);
    if (!job->failed)
        job->failed = call_provider(job, &job->error);
    if (!job->failed && journalled) {
        judge_answers(job);
        job->failed = write_outcomes(job, &job->error);
    }
    complete(job);
    return NULL;
}

static void job_free(struct job *job)
{
    for (size_t i = 0; job->answers && i < job->count; i++)
        operation_answer_clear(&job->answers[i]);
    memories_error_free(job->error);
    free(job->answers);
    free(job->tasks);
    free(job);
}

/* ---- Events ---- */

static void report(struct executor *executor, uint32_t kind, const struct task *task, const memories_error *error,
                   const char *text)
{
    if (!executor->engine->on_event || !executor->plan)
        return;
    struct engine_event event = { .kind = kind,
                                  .operation = operation_name(task->operation->kind),
                                  .key = task->key,
                                  .type = task->type,
                                  .text = text,
                                  .done = (uint32_t)executor->finished,
                                  .total = (uint32_t)executor->count,
                                  .error = error };
    executor->engine->on_event(&event, executor->engine->user_data);
}

static void report_started(struct executor *executor, struct task *task)
{
    if (task->begun)
        return;
    task->begun = true;
    AUTO_FREE char *text = text_format("%s %s", operation_name(task->operation->kind), task->key);
    report(executor, MEMORIES_EVENT_STARTED, task, NULL, text);
}

static void report_done(struct executor *executor, struct task *task)
{
    AUTO_FREE char *text = text_format("%s %s: done", operation_name(task->operation->kind), task->key);
    report(executor, MEMORIES_EVENT_DONE, task, NULL, text);
}

static void report_problem(struct executor *executor, uint32_t kind, struct task *task, const memories_error *error)
{
    const char *cause = memories_error_cause(error);
    AUTO_FREE char *text =
        text_format("%s %s: %s%s%s%s", operation_name(task->operation->kind), task->key, memories_error_message(error),
                    cause ? ": " : "", cause ? cause : "", kind == MEMORIES_EVENT_RETRY ? " (trying again)" : "");
    report(executor, kind, task, error, text);
}

/* ---- Starting jobs ---- */

static json_object *outputs_of(const char *key, void *user_data)
{
    const struct executor *executor = user_data;
    return json_get_object(executor->outputs, key);
}

static int resolve_inputs(struct executor *executor, struct task *task, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    if (reference_resolve(task->operation->inputs, outputs_of, executor, &task->inputs, &problem)) {
        error_where(&problem, "%s", task->key);
        error_hint(&problem, "this is a defect of the provider %s", executor->engine->provider->name);
        return error_move(error, STEAL(problem));
    }
    task->inputs_text = json_text(task->inputs);
    return task->inputs_text ? 0 : error_no_memory(error);
}

/* Everything of a task that its next call needs. */
static int make_ready(struct executor *executor, struct task *task, memories_error **error)
{
    if (task->sought && !task->inputs_text) {
        task->inputs_text = json_text(task->sought);
        if (!task->inputs_text)
            return error_no_memory(error);
    }
    if (task->operation && task->operation->inputs && !task->inputs_text) {
        int failed = resolve_inputs(executor, task, error);
        if (failed)
            return failed;
    }
    if (task->outputs && !task->outputs_text) {
        task->outputs_text = json_text(task->outputs);
        if (!task->outputs_text)
            return error_no_memory(error);
    }
    if (task->operation)
        engine_token(executor->engine->deployment, task->key, task->operation->generation, task->group, task->token);
    return 0;
}

static void fail_run(struct executor *executor, memories_error *error)
{
    executor->failing = true;
    error_chain(&executor->error, error);
}

static void fail_task(struct executor *executor, struct task *task, memories_error *error)
{
    task->state = TASK_FAILED;
    executor->finished++;
    error_where(&error, "%s", task->key);
    report_problem(executor, MEMORIES_EVENT_FAILED, task, error);
    fail_run(executor, error);
}

/* A job for `tasks` (taken over). */
static int start_job(struct executor *executor, struct task **tasks, size_t count, bool poll)
{
    struct job *job = calloc(1, sizeof *job);
    struct operation_answer *answers = calloc(count, sizeof *answers);
    if (!job || !answers) {
        free(job);
        free(answers);
        free(tasks);
        return MEMORIES_NO_MEMORY;
    }
    *job = (struct job){ .executor = executor, .tasks = tasks, .count = count, .answers = answers, .poll = poll };
    for (size_t i = 0; i < count; i++)
        tasks[i]->state = TASK_RUNNING;
    executor->running++;
    if (pthread_create(&job->thread, NULL, run_job, job) == 0)
        return 0;
    executor->running--;
    job_free(job);
    return MEMORIES_NO_MEMORY;
}

/* Whether two tasks can go into one call. A provider may ask for all types at once when it reads. */
static bool same_call(const struct executor *executor, const struct task *a, const struct task *b)
{
    bool reads = !executor->plan || a->state == TASK_POLLING;
    if (a->state != b->state)
        return false;
    if (reads && json_get_bool(executor->engine->provider->description, "read_together", false))
        return true;
    return (a->operation ? a->operation->kind : 0) == (b->operation ? b->operation->kind : 0) &&
           !strcmp(a->type, b->type);
}

static bool is_due(const struct executor *executor, const struct task *task, int64_t now)
{
    if (task->due_ms > now)
        return false;
    if (task->state == TASK_POLLING)
        return true;
    return task->state == TASK_READY && !task->held && !executor->failing;
}

/* Gathers all due tasks that fit with the first one, up to the type's limit, and starts their job. */
static int start_batch(struct executor *executor, size_t first, int64_t now)
{
    struct task *leader = &executor->tasks[first];
    int64_t limit = json_get_int(type_description(executor->engine, leader->type), "batch_max", 0);
    bool poll = leader->state == TASK_POLLING || !executor->plan;
    struct task **batch = calloc(executor->count - first, sizeof *batch);
    size_t count = 0;
    if (!batch)
        return MEMORIES_NO_MEMORY;
    for (size_t i = first; i < executor->count && (!limit || count < (size_t)limit); i++) {
        struct task *task = &executor->tasks[i];
        if (!is_due(executor, task, now) || !same_call(executor, leader, task))
            continue;
        memories_error *problem = NULL;
        if (make_ready(executor, task, &problem)) {
            fail_task(executor, task, problem);
            continue;
        }
        if (!poll && !task->deadline_ms)
            task->deadline_ms = now + timeout_ms(executor->engine, task->type);
        task->attempt++;
        if (executor->plan)
            report_started(executor, task);
        batch[count++] = task;
    }
    if (count)
        return start_job(executor, batch, count, poll);
    free(batch);
    return 0;
}

static int start_due(struct executor *executor)
{
    int64_t now = clock_monotonic_ms();
    bool cancelled = is_cancelled(executor->engine);
    for (size_t i = 0; i < executor->count && executor->running < JOBS_MAX && !cancelled; i++)
        if (is_due(executor, &executor->tasks[i], now) && start_batch(executor, i, now))
            return MEMORIES_NO_MEMORY;
    return 0;
}

/* ---- Finishing jobs ---- */

static void remember_outputs(struct executor *executor, const struct task *task)
{
    if (task->operation->kind == OPERATION_DELETE)
        json_object_object_del(executor->outputs, task->key);
    else if (task->outputs && json_set(executor->outputs, task->key, json_ref(task->outputs)))
        fail_run(executor, NULL);
}

static void finish_task(struct executor *executor, struct task *task)
{
    task->state = TASK_DONE;
    executor->finished++;
    remember_outputs(executor, task);
    report_done(executor, task);
    if (task->operation->unit)
        executor->unit_left[task->operation->unit]--;
    for (size_t i = 0; i < task->operation->successor_count; i++) {
        struct task *next = &executor->tasks[task->operation->successors[i]];
        if (--next->waits_for == 0)
            next->state = TASK_READY;
    }
}

static uint32_t attempts_of(const struct executor *executor)
{
    return executor->engine->attempts ? executor->engine->attempts : ATTEMPTS;
}

static void poll_later(struct task *task, const struct operation_answer *answer, struct moment moment)
{
    task->state = TASK_POLLING;
    task->due_ms = moment.now_ms + (answer->poll_after_ms ? answer->poll_after_ms : POLL_AFTER_MS);
}

/* An error that may pass: again later, with the same token, a few times; as long as the deadline allows when the
 * provider says when to come again. Where it had no room nothing came into being, even when that shows late: it is
 * begun anew, as often, with a new token, under which nobody has tried yet. */
static bool retry_task(struct executor *executor, struct task *task, const memories_error *error, bool poll,
                       struct moment moment)
{
    bool late = moment.now_ms > task->deadline_ms;
    bool no_room = task->operation && memories_error_code(error) == MEMORIES_CAPACITY;
    uint32_t tries = no_room ? ++task->no_room : task->attempt;
    if (!may_pass(error) || executor->failing || (poll && late) ||
        (tries >= attempts_of(executor) && (late || !error->retry_after_ms)))
        return false;
    if (no_room) {
        task->group++;
        task->attempt = 0;
    }
    task->state = poll && !no_room ? TASK_POLLING : TASK_READY;
    task->due_ms = moment.now_ms + backoff_ms(tries, error->retry_after_ms, moment.chance);
    if (executor->plan)
        report_problem(executor, MEMORIES_EVENT_RETRY, task, error);
    return true;
}

static void settle_task(struct executor *executor, struct task *task, struct operation_answer *answer, bool poll,
                        struct moment moment)
{
    if (answer->error) {
        if (!retry_task(executor, task, answer->error, poll, moment))
            fail_task(executor, task, STEAL(answer->error));
        return;
    }
    task_set_outputs(task, answer->outputs);
    task->attempt = 0;
    if (is_settled(task->operation->kind, answer->state)) {
        finish_task(executor, task);
        return;
    }
    poll_later(task, answer, moment);
}

/* The provider was not asked, or the answer is not on record: nothing more can be done safely. */
static void fail_job(struct executor *executor, struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        job->tasks[i]->state = TASK_FAILED;
    fail_run(executor, STEAL(job->error));
}

static struct job *next_completed(struct executor *executor, int64_t until_ms)
{
    struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
    pthread_mutex_lock(&executor->lock);
    int woken = 0;
    while (!executor->completed && woken != ETIMEDOUT)
        woken = pthread_cond_timedwait(&executor->completion, &executor->lock, &until);
    struct job *job = executor->completed;
    if (job)
        executor->completed = job->next;
    pthread_mutex_unlock(&executor->lock);
    if (job) {
        pthread_join(job->thread, NULL);
        executor->running--;
    }
    return job;
}

static bool has_open_tasks(const struct executor *executor)
{
    for (size_t i = 0; i < executor->count; i++) {
        enum task_state state = executor->tasks[i].state;
        if (state == TASK_POLLING || (state == TASK_READY && !executor->tasks[i].held && !executor->failing))
            return true;
    }
    return false;
}

/* When the coordinator has to look again although no job ended. */
static int64_t next_look(const struct executor *executor)
{
    int64_t now = clock_monotonic_ms(), next = now + CANCEL_LOOK_MS;
    bool starts = executor->running < JOBS_MAX && !is_cancelled(executor->engine);
    for (size_t i = 0; starts && i < executor->count; i++) {
        const struct task *task = &executor->tasks[i];
        bool waits = task->state == TASK_POLLING || (task->state == TASK_READY && !task->held && !executor->failing);
        if (waits && task->due_ms < next)
            next = task->due_ms > now ? task->due_ms : now;
    }
    return next;
}

static int executor_init(struct executor *executor, struct engine *engine, size_t count, memories_error **error)
{
    *executor = (struct executor){ .engine = engine, .count = count };
    executor->tasks = calloc(count + 1, sizeof *executor->tasks);
    executor->outputs = json_object_new_object();
    pthread_mutex_init(&executor->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&executor->completion, &attributes);
    pthread_condattr_destroy(&attributes);
    return executor->tasks && executor->outputs ? 0 : error_no_memory(error);
}

static void executor_clear(struct executor *executor)
{
    for (size_t i = 0; executor->tasks && i < executor->count; i++)
        task_clear(&executor->tasks[i]);
    free(executor->tasks);
    free(executor->unit_left);
    json_object_put(executor->outputs);
    memories_error_free(executor->error);
    pthread_cond_destroy(&executor->completion);
    pthread_mutex_destroy(&executor->lock);
}

static int cancelled(const struct engine *engine, memories_error **error)
{
    error_set(error, MEMORIES_CANCELLED, "stopped on request");
    error_hint(error, "continue with: memories resume %s", engine->deployment);
    return MEMORIES_CANCELLED;
}

/* ---- Refresh ---- */

static bool in_doubt(json_object *resource, enum operation_kind kind)
{
    const char *doubt = json_get_string(resource, "doubt");
    return doubt && !strcmp(doubt, operation_name(kind));
}

/* Whether a resource has never been seen; one that is not in doubt either was refused, so that it is not there. */
static bool is_unmade(json_object *resource)
{
    return !strcmp(json_get_string(resource, "state"), "planned");
}

static bool was_refused(json_object *resource)
{
    return is_unmade(resource) && !json_get_string(resource, "doubt");
}

/* What a read found, in the store's words. An update of unknown result stays in doubt: reading can't tell. So does a
 * creation of unknown result that can't be seen, for it may be invisible for a while. */
static const char *found_state(json_object *resource, uint32_t state, bool wanted, bool *keep_doubt)
{
    bool gone = state == MEMORIES_STATE_ABSENT, unseen = is_unmade(resource) || in_doubt(resource, OPERATION_CREATE);
    *keep_doubt =
        gone ? unseen : state == MEMORIES_STATE_PENDING || in_doubt(resource, OPERATION_UPDATE);
    if (!gone)
        return engine_state_name(state);
    if (unseen)
        return wanted || !was_refused(resource) ? "planned" : "absent";
    return in_doubt(resource, OPERATION_DELETE) ? "absent" : "lost";
}

struct refresh {
    struct executor executor;
    json_object *resources;
    struct journal_outcome *changes;
    size_t change_count;
    memories_error **error;
};

static json_object *resource_of(const struct refresh *refresh, const struct task *task)
{
    return json_object_array_get_idx(refresh->resources, (size_t)(task - refresh->executor.tasks));
}

static int note_found(struct refresh *refresh, struct task *task, const struct operation_answer *answer)
{
    json_object *resource = resource_of(refresh, task);
    bool keep_doubt;
    const char *state = found_state(resource, answer->state, task->awaited, &keep_doubt);
    json_object *outputs = json_get(resource, "outputs");
    bool same = !strcmp(state, json_get_string(resource, "state")) &&
                (!answer->outputs || json_equal(answer->outputs, outputs)) &&
                (keep_doubt || !json_get_string(resource, "doubt"));
    if (same)
        return 0;
    if (json_set_string(resource, "state", state) ||
        (answer->outputs && json_set(resource, "outputs", json_ref(answer->outputs))) ||
        (!keep_doubt && json_set(resource, "doubt", NULL)))
        return error_no_memory(refresh->error);
    refresh->changes[refresh->change_count++] = (struct journal_outcome){
        .key = task->key, .state = state, .outputs = json_get(resource, "outputs"), .keep_doubt = keep_doubt
    };
    return 0;
}

static memories_error *still_pending(const struct engine *engine, const struct task *task)
{
    memories_error *error = NULL;
    error_set(&error, MEMORIES_TIMEOUT, "%s was still not ready after %lld s", task->key,
              (long long)(timeout_ms(engine, task->type) / 1000));
    error_hint(&error, "run the command again to wait longer, or remove everything with: memories delete %s",
               engine->deployment);
    return error;
}

/* False: it is looked at again, for it is awaited and not ready yet. */
static bool settle_read(struct refresh *refresh, struct task *task, struct operation_answer *answer,
                        struct moment moment)
{
    struct executor *executor = &refresh->executor;
    /* Who may not make something may often not look for it either. */
    if (memories_error_code(answer->error) == MEMORIES_DENIED && was_refused(resource_of(refresh, task)))
        operation_answer_clear(answer);
    bool waits = !answer->error && answer->state == MEMORIES_STATE_PENDING && task->awaited;
    if (waits && moment.now_ms > task->deadline_ms)
        answer->error = still_pending(executor->engine, task);
    if (answer->error) {
        if (retry_task(executor, task, answer->error, true, moment))
            return true;
        task->state = TASK_FAILED;
        error_where(&answer->error, "%s", task->key);
        fail_run(executor, STEAL(answer->error));
        return true;
    }
    if (waits) {
        task_set_outputs(task, answer->outputs);
        task->attempt = 0;
        poll_later(task, answer, moment);
        return false;
    }
    task->state = TASK_DONE;
    if (note_found(refresh, task, answer))
        fail_run(executor, NULL);
    return true;
}

/* Of many, the first will do. */
static void report_awaited(const struct engine *engine, const struct task *task)
{
    AUTO_FREE char *text = text_format("waiting for %s, which is not ready yet", task->key);
    const struct engine_event event = { .kind = MEMORIES_EVENT_PROGRESS, .operation = "read", .text = text };
    if (engine->on_event && text)
        engine->on_event(&event, engine->user_data);
}

static int read_all(struct refresh *refresh)
{
    struct executor *executor = &refresh->executor;
    while (executor->running || (has_open_tasks(executor) && !is_cancelled(executor->engine) && !executor->failing)) {
        if (!executor->failing && start_due(executor))
            fail_run(executor, NULL);
        struct job *job = next_completed(executor, next_look(executor));
        if (!job)
            continue;
        if (job->failed)
            fail_job(executor, job);
        struct moment moment = this_moment();
        const struct task *awaited = NULL;
        for (size_t i = 0; !job->failed && i < job->count; i++)
            if (!settle_read(refresh, job->tasks[i], &job->answers[i], moment) && !awaited)
                awaited = job->tasks[i];
        job_free(job);
        if (awaited)
            report_awaited(executor->engine, awaited);
    }
    if (executor->error)
        return error_move(refresh->error, STEAL(executor->error));
    if (is_cancelled(executor->engine))
        return cancelled(executor->engine, refresh->error);
    return executor->failing ? error_no_memory(refresh->error) : 0;
}

static void prepare_read(struct refresh *refresh, size_t at, json_object *wanted_keys)
{
    json_object *resource = json_object_array_get_idx(refresh->resources, at);
    struct task *task = &refresh->executor.tasks[at];
    const char *token = json_get_string(resource, "token");
    task->key = json_get_string(resource, "key");
    task->type = json_get_string(resource, "type");
    task->state = TASK_READY;
    task->outputs = json_ref(json_get_object(resource, "outputs"));
    task->sought = task->outputs ? NULL : json_get_object(resource, "inputs");
    task->deadline_ms = clock_monotonic_ms() + timeout_ms(refresh->executor.engine, task->type);
    task->awaited = wanted_keys && json_object_object_get_ex(wanted_keys, task->key, NULL);
    if (token)
        strncpy(task->token, token, sizeof task->token - 1);
}

/* Those whose record is gone leave the list. */
static json_object *without_absent(json_object *resources)
{
    AUTO_JSON json_object *left = json_object_new_array();
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        if (strcmp(json_get_string(resource, "state"), "absent") != 0 && json_add(left, json_ref(resource)))
            return NULL;
    }
    return STEAL(left);
}

static json_object *key_set(json_object *resources)
{
    AUTO_JSON json_object *set = json_object_new_object();
    for (size_t i = 0; i < json_count(resources); i++)
        if (json_set(set, json_get_string(json_object_array_get_idx(resources, i), "key"), NULL))
            return NULL;
    return STEAL(set);
}

/* Waits for what is wanted (an array of resources) and pending; the others are taken as they are. */
static json_object *refresh_awaiting(struct engine *engine, json_object *wanted, memories_error **error)
{
    AUTO_JSON json_object *resources = store_resource_list(engine->store, engine->deployment, error);
    if (!resources)
        return NULL;
    AUTO_JSON json_object *wanted_keys = key_set(wanted);
    if (!wanted_keys) {
        error_no_memory(error);
        return NULL;
    }
    struct refresh refresh = { .resources = resources, .error = error };
    size_t count = json_count(resources);
    int failed = executor_init(&refresh.executor, engine, count, error);
    refresh.changes = calloc(count + 1, sizeof *refresh.changes);
    if (!failed && !refresh.changes)
        failed = error_no_memory(error);
    for (size_t i = 0; !failed && i < count; i++)
        prepare_read(&refresh, i, wanted_keys);
    if (!failed)
        failed = read_all(&refresh);
    if (!failed && engine->fence && refresh.change_count)
        failed = store_journal_outcome(engine->store, engine->deployment, engine->fence, refresh.changes,
                                       refresh.change_count, error);
    json_object *fresh = failed ? NULL : without_absent(resources);
    if (!failed && !fresh)
        error_no_memory(error);
    free(refresh.changes);
    executor_clear(&refresh.executor);
    return fresh;
}

json_object *engine_refresh(struct engine *engine, memories_error **error)
{
    return refresh_awaiting(engine, NULL, error);
}

/* ---- Running a plan ---- */

static bool units_are_done(const struct executor *executor)
{
    for (uint32_t unit = 1; unit <= executor->units_released; unit++)
        if (executor->unit_left[unit])
            return false;
    return true;
}

/* Lets the next nodes have their turn, once the whole works again with those that had theirs. */
static int release_units(struct executor *executor)
{
    struct engine *engine = executor->engine;
    if (executor->units_released == executor->plan->unit_count || executor->failing || is_cancelled(engine) ||
        !units_are_done(executor))
        return 0;
    /* A node that is added finds the others at rest: they take it in first. */
    bool is_gated = executor->units_released || executor->adds_nodes;
    /* What else is under way could not become ready while the gate looks at the whole. */
    if (is_gated && (executor->running || has_open_tasks(executor)))
        return 0;
    if (is_gated && engine->gate && engine->gate(engine->user_data, &executor->error)) {
        executor->failing = true;
        return 0;
    }
    executor->units_released += engine->max_unavailable;
    if (executor->units_released > executor->plan->unit_count)
        executor->units_released = executor->plan->unit_count;
    for (size_t i = 0; i < executor->count; i++)
        executor->tasks[i].held = executor->tasks[i].operation->unit > executor->units_released;
    return 0;
}

/* When a turn can't end because what it needs waits for nodes that have not had theirs (a network under all of them is
 * made anew, say), taking turns is impossible. */
static bool release_all_units(struct executor *executor)
{
    struct engine *engine = executor->engine;
    if (executor->units_released == executor->plan->unit_count || executor->failing)
        return false;
    executor->units_released = executor->plan->unit_count;
    for (size_t i = 0; i < executor->count; i++)
        executor->tasks[i].held = false;
    struct engine_event event = { .kind = MEMORIES_EVENT_WARNING,
                                  .text = "the nodes are changed all at once: what they stand on changes too" };
    if (engine->on_event)
        engine->on_event(&event, engine->user_data);
    return true;
}

/* The group whose token is on record, so that a token after that one is new. */
static uint32_t recorded_group(const struct engine *engine, const struct plan_operation *operation)
{
    char token[41];
    for (uint32_t group = 0; operation->token && group < TOKEN_GROUPS_MAX; group++) {
        engine_token(engine->deployment, operation->key, operation->generation, group, token);
        if (!strcmp(token, operation->token))
            return group;
    }
    return 0;
}

static int prepare_tasks(struct executor *executor, json_object *recorded, memories_error **error)
{
    const struct plan *plan = executor->plan;
    executor->unit_left = calloc(plan->unit_count + 1, sizeof *executor->unit_left);
    if (!executor->unit_left)
        return error_no_memory(error);
    if (!executor->engine->max_unavailable)
        executor->units_released = plan->unit_count;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_operation *operation = &plan->operations[i];
        struct task *task = &executor->tasks[i];
        task->operation = operation;
        task->key = operation->key;
        task->type = operation->type;
        task->waits_for = operation->wait_count;
        task->state = operation->wait_count ? TASK_WAITING : TASK_READY;
        task->held = operation->unit > executor->units_released;
        executor->adds_nodes |= operation->kind == OPERATION_CREATE && operation->node && !operation->remakes;
        task->outputs = json_ref(operation->outputs);
        task->sought = task->outputs ? NULL : operation->made_of;
        task->group = recorded_group(executor->engine, operation);
        /* What was begun before, by a process that has died perhaps, has had its first try. */
        task->attempt = operation->kind == OPERATION_CREATE && operation->token ? 1 : 0;
        executor->unit_left[operation->unit]++;
    }
    for (size_t i = 0; i < json_count(recorded); i++) {
        json_object *resource = json_object_array_get_idx(recorded, i);
        json_object *outputs = json_get_object(resource, "outputs");
        if (outputs && json_set(executor->outputs, json_get_string(resource, "key"), json_ref(outputs)))
            return error_no_memory(error);
    }
    return 0;
}

/* Nothing runs, nothing is due, and yet it is not done: waiting would never end. */
static bool is_stuck(const struct executor *executor)
{
    return !executor->running && !has_open_tasks(executor);
}

static void take_job(struct executor *executor, struct job *job)
{
    if (job->failed)
        fail_job(executor, job);
    struct moment moment = this_moment();
    for (size_t i = 0; !job->failed && i < job->count; i++)
        settle_task(executor, job->tasks[i], &job->answers[i], job->poll, moment);
    job_free(job);
}

static void run_to_end(struct executor *executor)
{
    const struct engine *engine = executor->engine;
    while (executor->finished < executor->count || executor->running) {
        release_units(executor);
        if (!is_cancelled(engine) && start_due(executor))
            fail_run(executor, NULL);
        if (!executor->running && is_cancelled(engine))
            break;
        if (is_stuck(executor) && !release_all_units(executor))
            break;
        struct job *job = next_completed(executor, next_look(executor));
        if (job)
            take_job(executor, job);
    }
}

static int execute(struct executor *executor, memories_error **error)
{
    const struct engine *engine = executor->engine;
    run_to_end(executor);
    /* Whoever asks to stop gets that answer, with what went wrong on the way behind it. */
    if (is_cancelled(engine) && (executor->failing || executor->finished < executor->count)) {
        cancelled(engine, error);
        error_chain(error, STEAL(executor->error));
        return MEMORIES_CANCELLED;
    }
    if (executor->error)
        return error_move(error, STEAL(executor->error));
    if (executor->failing)
        return error_no_memory(error);
    if (executor->finished == executor->count)
        return 0;
    return error_set(error, MEMORIES_INTERNAL, "the plan of %s can't go on", engine->deployment);
}

static int execute_plan(struct engine *engine, struct plan *plan, json_object *recorded, bool stopped,
                        memories_error **error)
{
    struct executor executor;
    int failed = executor_init(&executor, engine, plan->count, error);
    executor.plan = plan;
    executor.stopped = stopped;
    if (!failed)
        failed = prepare_tasks(&executor, recorded, error);
    if (!failed)
        failed = execute(&executor, error);
    executor_clear(&executor);
    return failed;
}

static bool is_left_alone(const struct engine *engine, json_object *resource, json_object *keys)
{
    const char *node = json_get_string(resource, "node");
    json_object *needed = json_get_array(resource, "depends_on");
    bool is = node && json_get(engine->left_alone, node);
    for (size_t i = 0; !is && i < json_count(needed); i++)
        is = json_get(keys, json_object_get_string(json_object_array_get_idx(needed, i)));
    return is;
}

/* The resources that the engine may touch. `keys` gets those of the others. New reference. */
static json_object *touchable(const struct engine *engine, json_object *resources, json_object *keys)
{
    json_object *left = json_ref(resources);
    for (size_t before = SIZE_MAX; left && json_count(left) != before;) {
        json_object *fewer = json_object_new_array();
        before = json_count(left);
        for (size_t i = 0; fewer && i < before; i++) {
            json_object *resource = json_object_array_get_idx(left, i);
            bool is_out = is_left_alone(engine, resource, keys);
            if (is_out ? json_set_bool(keys, json_get_string(resource, "key"), true) : json_add(fewer, json_ref(resource))) {
                json_object_put(fewer);
                fewer = NULL;
            }
        }
        json_object_put(left);
        left = fewer;
    }
    return left;
}

static struct plan *make_plan(struct engine *engine, json_object *desired, json_object *recorded, bool stopped,
                              memories_error **error)
{
    AUTO_JSON json_object *generations = store_generation_map(engine->store, engine->deployment, error);
    AUTO_JSON json_object *keys = json_object_new_object();
    AUTO_JSON json_object *wanted = engine->left_alone ? touchable(engine, desired, keys) : json_ref(desired);
    AUTO_JSON json_object *there = engine->left_alone ? touchable(engine, recorded, keys) : json_ref(recorded);
    if (!generations)
        return NULL;
    if (!keys || (desired && !wanted) || !there) {
        error_no_memory(error);
        return NULL;
    }
    struct plan_request request = { .desired = wanted,
                                    .recorded = there,
                                    .generations = generations,
                                    .generation_floor = engine->generation_floor,
                                    .resource_types = json_get(engine->provider->description, "resource_types"),
                                    .stopped = stopped,
                                    .can_update = engine->provider->ops.provider.update != NULL };
    return plan_make(&request, error);
}

static int does_not_settle(const struct engine *engine, const struct plan_operation *operation, memories_error **error)
{
    error_set(error, MEMORIES_INTERNAL, "%s does not settle: after %d rounds, %s of %s is still to be done (%s)",
              engine->deployment, ROUNDS_MAX, operation_name(operation->kind), operation->key, operation->reason);
    error_hint(error, "this is a defect of the provider %s", engine->provider->name);
    return MEMORIES_INTERNAL;
}

static int inspect(struct engine *engine, const struct plan *plan, memories_error **error)
{
    return engine->inspect ? engine->inspect(plan, engine->user_data, error) : 0;
}

/* One plan is enough unless an operation changed outputs that others take: they show in the next one. */
int engine_run(struct engine *engine, json_object *desired, bool stopped, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    AUTO_JSON json_object *recorded = refresh_awaiting(engine, desired, &problem);
    bool settled = false;
    for (int round = 0; recorded && !settled && !problem; round++) {
        struct plan *plan = make_plan(engine, desired, recorded, stopped, &problem);
        settled = plan && !plan->count;
        if (plan && !settled && round == ROUNDS_MAX)
            does_not_settle(engine, &plan->operations[0], &problem);
        else if (plan && !settled && !inspect(engine, plan, &problem) &&
                 !execute_plan(engine, plan, recorded, stopped, &problem)) {
            /* Made from nothing: there was nothing that could take other outputs now. */
            settled = !json_count(recorded);
            json_object_put(recorded);
            recorded = settled ? NULL : store_resource_list(engine->store, engine->deployment, &problem);
        }
        plan_free(plan);
    }
    return settled ? 0 : error_move(error, STEAL(problem));
}
