/*
 * run.c - runs the cases, each in a child process, and collects what they say
 *
 * A child writes lines of JSON: {"finding": …}, {"skip": reason}, {"inapplicable": reason}, {"deployment": id} when
 * something may be there from now on, {"removed": id} when it is gone again, {"crash": …}, and {"end": true} at last.
 * What a child leaves behind is removed by another one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/api/blueprint.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/http/http.h"
#include "core/loader/name.h"
#include "sdk/check/check.h"
#include "sdk/check/guard.h"
#include "sdk/check/probe.h"
#include "sdk/tool/child.h"

/* One whole check. */
struct run {
    struct check_subject subject;
    const struct check_options *options;
    char *directory; /* of this run: state, deleted at the end */
    json_object *document;
    json_object *cases; /* in it */
    json_object *facts; /* of the plugin, as its loading child told them */
    memories_error **error;
};

/* ---- In the child ------------------------------------------------------------------------------------------------ */

static int on_stream(const char *node, const char *bytes, size_t count, void *user_data)
{
    struct check *check = user_data;
    (void)bytes, (void)count;
    if (check->stream_nodes && !check->streamed_node && !json_get(check->stream_nodes, node ? node : ""))
        check->streamed_node = strdup(node ? node : "");
    return check->stream_end && ++check->streamed >= check->stream_end;
}

/* A slot that broke a rule after it had answered for everything: the core goes by the answers, and logs the rest. */
static void on_log(const char *plugin, int level, const char *text, void *user_data)
{
    (void)plugin;
    if (level == MEMORIES_LOG_ERROR && strstr(text, "is defective: slot"))
        check_fail(user_data, NULL, NULL, "%s", text);
}

/* In the child, where nothing has been loaded so far. NULL: reported. */
static const struct plugin *load(struct check *check)
{
    memories_error *error = NULL;
    const struct plugin *plugin = probe_install(&error) ? NULL : loader_open_file(check->subject->file, NULL, &error);
    if (!plugin)
        check_fail_error(check, NULL, error);
    return plugin;
}

static bool begin(struct check *check, const struct check_subject *subject, int report)
{
    *check = (struct check){ .subject = subject, .report = report };
    guard_catch_crashes(report);
    check->plugin = load(check);
    check->http = check->plugin ? http_client_new(NULL) : NULL;
    check->environment = (struct call_environment){
        .cancel = &check->cancel, .http = check->http, .on_stream = on_stream, .on_log = on_log, .user_data = check
    };
    return check->plugin;
}

struct case_work {
    const struct check_subject *subject;
    const struct check_case *check_case;
};

static int run_case(int report, void *data)
{
    const struct case_work *work = data;
    static struct check check;
    check = (struct check){ .subject = work->subject, .report = report };
    if (work->check_case->setup)
        work->check_case->setup();
    if (work->check_case->before_load || begin(&check, work->subject, report))
        work->check_case->run(&check);
    check_report(report, "{\"end\":true}");
    return 0;
}

static json_object *describe_plugin(const struct plugin *plugin)
{
    AUTO_JSON json_object *facts = json_object_new_object();
    char abi[32], needs[32];
    snprintf(abi, sizeof abi, "%u.%u", plugin->abi_major, plugin->abi_minor);
    snprintf(needs, sizeof needs, "%u.%u", plugin->abi_major, plugin->abi_minor_needed);
    if (json_set_string(facts, "kind", plugin_kind_name(plugin->kind)) ||
        json_set_string(facts, "name", plugin->name) || json_set_string(facts, "version", plugin->version) ||
        json_set_string(facts, "abi", abi) || json_set_string(facts, "needs", needs) ||
        json_set_string(facts, "threads",
                        plugin->thread_model == MEMORIES_THREADS_CONCURRENT ? "concurrent" : "serialised") ||
        json_set(facts, "slots", check_slots(plugin)))
        return NULL;
    return STEAL(facts);
}

/* The first case: it loads. Tells what the plugin is. */
static int run_load(int report, void *data)
{
    static struct check check;
    if (begin(&check, data, report)) {
        AUTO_JSON json_object *line = json_object_new_object();
        AUTO_FREE char *text = json_set(line, "plugin", describe_plugin(check.plugin)) ? NULL : json_text(line);
        check_report(report, "%s", text ? text : "");
    }
    check_report(report, "{\"end\":true}");
    return 0;
}

/* ---- What a child said ------------------------------------------------------------------------------------------- */

struct outcome {
    json_object *findings;
    json_object *plugin;
    char *skip;
    char *inapplicable;
    char *crash; /* what is known of it, or NULL */
    char *crash_slot;
    char *waits; /* the resource that was waited for at the end, or NULL */
    json_object *left; /* deployments that may still be there */
    bool ended;
};

static void outcome_clear(struct outcome *outcome)
{
    json_object_put(outcome->findings);
    json_object_put(outcome->plugin);
    json_object_put(outcome->left);
    free(outcome->skip);
    free(outcome->inapplicable);
    free(outcome->crash);
    free(outcome->crash_slot);
    free(outcome->waits);
}

static char *crash_text(json_object *crash)
{
    int number = (int)json_get_int(crash, "signal", 0);
    const char *memory = json_get_string(crash, "memory"), *how = json_get_string(crash, "how");
    const char *call = json_get_string(crash, "call");
    if (call)
        return text_format("it called %s: a pure slot looks at nothing but its request", call);
    if (memory && !strcmp(how, "expired"))
        return text_format("it used %s after the slot had returned", memory);
    if (memory)
        return text_format("it read behind the end of %s", memory);
    return text_format("it crashed: signal %d (%s)", number, strsignal(number));
}

static void take_crash(struct outcome *outcome, json_object *crash)
{
    const char *slot = json_get_string(crash, "slot"), *waits = json_get_string(crash, "waits");
    if (outcome->crash)
        return;
    outcome->waits = waits ? strdup(waits) : NULL;
    outcome->crash = crash_text(crash);
    outcome->crash_slot = slot ? strdup(slot) : NULL;
}

static void take_line(struct outcome *outcome, json_object *line)
{
    const char *skip = json_get_string(line, "skip"), *deployment = json_get_string(line, "deployment");
    const char *removed = json_get_string(line, "removed"), *inapplicable = json_get_string(line, "inapplicable");
    if (json_get(line, "finding"))
        json_add(outcome->findings, json_ref(json_get(line, "finding")));
    if (skip && !outcome->skip)
        outcome->skip = strdup(skip);
    if (inapplicable && !outcome->inapplicable)
        outcome->inapplicable = strdup(inapplicable);
    if (deployment)
        json_set_bool(outcome->left, deployment, true);
    if (removed)
        json_object_object_del(outcome->left, removed);
    if (json_get(line, "crash"))
        take_crash(outcome, json_get(line, "crash"));
    if (json_get(line, "plugin"))
        outcome->plugin = json_ref(json_get(line, "plugin"));
    outcome->ended |= json_get_bool(line, "end", false);
}

static struct outcome outcome_read(char *report)
{
    struct outcome outcome = { .findings = json_object_new_array(), .left = json_object_new_object() };
    for (char *line = report, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        AUTO_JSON json_object *json = json_parse(line, "a report", NULL);
        if (json)
            take_line(&outcome, json);
    }
    return outcome;
}

static int add_finding(json_object *findings, const char *slot, const char *message, const char *hint)
{
    json_object *finding = json_object_new_object();
    return json_add(findings, finding) || json_set_string(finding, "severity", "failure") ||
           json_set_string(finding, "slot", slot) || json_set_string(finding, "message", message) ||
           json_set_string(finding, "hint", hint);
}

/* The last words that were printed help to find a crash. */
static char *last_words(const char *output)
{
    size_t length = strlen(output);
    while (length && output[length - 1] == '\n')
        length--;
    size_t from = length;
    while (from && output[from - 1] != '\n' && length - from < 300)
        from--;
    return length > from ? text_format("it printed: %.*s", (int)(length - from), output + from) : NULL;
}

/* A child that did not come to its end: a finding of its own. */
static int add_ending(struct run *run, struct outcome *outcome, const struct child_end *end)
{
    AUTO_FREE char *ending = child_end_text(end, run->options->timeout_ms);
    AUTO_FREE char *words = last_words(end->output);
    AUTO_FREE char *pending =
        end->timed_out && outcome->waits ? text_format("%s: %s was still pending", ending, outcome->waits) : NULL;
    const char *message = outcome->crash && !end->timed_out ? outcome->crash : pending ? pending : ending;
    return message ? add_finding(outcome->findings, outcome->crash_slot, message, words) : MEMORIES_NO_MEMORY;
}

/* Standard output is the program's own, which may be read by another one. */
static int add_printed(struct outcome *outcome, const struct child_end *end)
{
    if (!*end->printed)
        return 0;
    AUTO_FREE char *words = last_words(end->printed);
    AUTO_FREE char *message = text_format("it wrote to standard output%s%s", words ? "; " : "", words ? words : "");
    return message ? add_finding(outcome->findings, NULL, message, "tell the operator with host->log")
                   : MEMORIES_NO_MEMORY;
}

static bool has_failure(json_object *findings)
{
    for (size_t i = 0; i < json_count(findings); i++)
        if (!strcmp(json_get_string(json_object_array_get_idx(findings, i), "severity"), "failure"))
            return true;
    return false;
}

/* ---- What a child leaves ----------------------------------------------------------------------------------------- */

struct removal {
    const struct check_subject *subject;
    json_object *deployments;
};

/* Everything that discover finds of these deployments is destroyed, in the order that works: what refuses because
 * something depends on it is tried again. */
static bool remove_round(struct check *check, void *instance, const char *deployment, size_t *left)
{
    AUTO_JSON json_object *request = check_request(check, deployment);
    AUTO_JSON json_object *answer = request ? check_ask(check, "discover", instance, request) : NULL;
    json_object *resources = json_get_array(answer, "resources");
    *left = json_count(resources);
    for (size_t i = 0; i < json_count(resources); i++) {
        json_object *resource = json_object_array_get_idx(resources, i);
        AUTO_FREE char *outputs = json_text(json_get(resource, "outputs"));
        struct memories_operation operation = { .size = sizeof operation,
                                                .generation = 1,
                                                .attempt = 1,
                                                .key = json_get_string(resource, "key"),
                                                .type = json_get_string(resource, "type"),
                                                .outputs = outputs };
        const struct memories_operation *operations[] = { &operation };
        struct operation_answer one;
        call_batch(check->plugin, &check->environment, "destroy", check->plugin->ops.provider.destroy, instance,
                   operations, 1, &one, NULL);
        operation_answer_clear(&one);
    }
    return answer != NULL;
}

static int remove_left(int report, void *data)
{
    const struct removal *removal = data;
    static struct check check;
    if (!begin(&check, removal->subject, report) || !check.plugin->ops.provider.discover)
        return 1;
    json_object_object_foreach(removal->deployments, deployment, value) {
        (void)value;
        void *instance;
        size_t left = 1;
        check.environment.deployment = deployment;
        if (!check_open(&check, deployment, &instance))
            continue;
        for (int round = 0; left && round < 20 && remove_round(&check, instance, deployment, &left); round++) {
        }
        check_close(&check, instance);
        if (!left)
            check_report(report, "{\"removed\":\"%s\"}", deployment);
    }
    return 0;
}

/* Takes what was removed out of `left`. */
static void strike_removed(json_object *left, char *report)
{
    for (char *line = report, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        AUTO_JSON json_object *json = json_parse(line, "a report", NULL);
        if (json_get_string(json, "removed"))
            json_object_object_del(left, json_get_string(json, "removed"));
    }
}

/* Names those that could not be removed: they may cost money. */
static int remove_leavings(struct run *run, json_object *left, json_object *findings)
{
    struct removal removal = { &run->subject, left };
    struct child_end end;
    if (!json_object_object_length(left))
        return 0;
    int failed = child_run(remove_left, &removal, run->options->timeout_ms, &end, run->error);
    if (failed)
        return failed;
    strike_removed(left, end.report);
    json_object_object_foreach(left, id, nothing) {
        (void)nothing;
        AUTO_FREE char *message = text_format("objects of the deployment %s may be left", id);
        if (!message || add_finding(findings, NULL, message, "find and delete them with the service's own tools"))
            failed = error_no_memory(run->error);
    }
    child_end_clear(&end);
    return failed;
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

/* The word for it, and the reason where there is one. */
static const char *judge_outcome(const struct outcome *outcome, const char **reason)
{
    *reason = NULL;
    if (has_failure(outcome->findings))
        return "failed";
    *reason = outcome->skip ? outcome->skip : outcome->inapplicable;
    return outcome->skip ? "skipped" : outcome->inapplicable ? "inapplicable" : "passed";
}

static int add_case(struct run *run, const char *name, const char *title, const struct outcome *outcome)
{
    json_object *entry = json_object_new_object();
    const char *reason, *word = judge_outcome(outcome, &reason);
    if (json_add(run->cases, entry) || json_set_string(entry, "name", name) || json_set_string(entry, "title", title) ||
        json_set_string(entry, "outcome", word) || json_set_string(entry, "reason", reason) ||
        json_set(entry, "findings", json_ref(outcome->findings)) ||
        json_set_int(run->document, word, json_get_int(run->document, word, 0) + 1))
        return error_no_memory(run->error);
    return 0;
}

/* Runs `work` in a child as the case `name`. *plugin: what it told of the plugin; NULL: not wanted. */
static int run_child(struct run *run, const char *name, const char *title, child_work *work, void *data,
                     json_object **plugin)
{
    struct child_end end;
    int failed = child_run(work, data, run->options->timeout_ms, &end, run->error);
    if (failed)
        return failed;
    struct outcome outcome = outcome_read(end.report);
    if (!outcome.ended && !end.interrupted)
        failed = add_ending(run, &outcome, &end);
    if (!failed)
        failed = add_printed(&outcome, &end);
    if (!failed)
        failed = remove_leavings(run, outcome.left, outcome.findings);
    if (!failed && end.interrupted)
        failed = error_set(run->error, MEMORIES_CANCELLED, "the check was interrupted in the case %s", name);
    if (!failed)
        failed = add_case(run, name, title, &outcome);
    if (!failed && plugin)
        *plugin = json_ref(outcome.plugin);
    outcome_clear(&outcome);
    child_end_clear(&end);
    return failed;
}

/* "a,b" names b. */
static bool is_among(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = names; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, name, length) && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

static int check_names(const char *names, memories_error **error)
{
    for (const char *at = names; at && *at;) {
        size_t length = strcspn(at, ",");
        AUTO_FREE char *name = strndup(at, length);
        bool known = name && !strcmp(name, "load");
        for (size_t i = 0; name && !known && i < check_case_count; i++)
            known = !strcmp(name, check_cases[i].name);
        if (!known) {
            error_set(error, MEMORIES_INVALID, "there is no case \"%s\"", name ? name : "");
            error_hint(error, "memories-plugin(1) lists them");
            return MEMORIES_INVALID;
        }
        at += length + (at[length] == ',');
    }
    return 0;
}

static int run_cases(struct run *run, check_progress_fn *on_case, void *user_data)
{
    AUTO_JSON json_object *plugin = NULL;
    on_case("load", user_data);
    int failed = run_child(run, "load", "it loads", run_load, &run->subject, &plugin);
    if (failed || !plugin)
        return failed;
    json_object *slots = json_ref(json_get(plugin, "slots"));
    json_object_object_del(plugin, "slots");
    if (json_set(run->document, "plugin", json_ref(plugin)) || json_set(run->document, "slots", slots))
        return error_no_memory(run->error);
    uint32_t kind = plugin_kind_of(json_get_string(plugin, "kind"));
    for (size_t i = 0; !failed && i < check_case_count; i++) {
        const struct check_case *check_case = &check_cases[i];
        struct case_work work = { &run->subject, check_case };
        if ((check_case->kind && check_case->kind != kind) ||
            (run->options->only && !is_among(run->options->only, check_case->name)))
            continue;
        on_case(check_case->name, user_data);
        failed = run_child(run, check_case->name, check_case->title, run_case, &work, NULL);
    }
    return failed;
}

/* ---- What a provider is asked to make ---------------------------------------------------------------------------- */

#define IDLE_NODE(name) \
    "{\"name\": \"" name "\", \"role\": \"member\", \"machine\": {}, \"hardware\": {}, \"subnet\": \"check-nodes\"," \
    " \"public_ip\": true, \"bootstrap\": {\"services\": [{\"name\": \"idle\", \"command\": [\"sleep\", \"infinity\"]," \
    " \"restart\": \"always\"}]}}"

/* Nodes that do nothing, in one network. Three: some mistakes with batches don't show with two. */
static const char default_spec[] =
    "{\"version\": 1, \"topology\": \"check\","
    " \"network\": {\"name\": \"check\", \"cidr\": null, \"nat\": false,"
    "   \"subnets\": [{\"name\": \"check-nodes\", \"cidr\": null, \"public\": true, \"zone\": null}],"
    "   \"firewall\": {\"name\": \"check-firewall\", \"rules\": [{\"name\": \"allow-ssh\", \"protocol\": \"tcp\","
    "     \"ports\": [\"22\"], \"source_ranges\": [\"0.0.0.0/0\"]}]}},"
    " \"nodes\": [" IDLE_NODE("node1") "," IDLE_NODE("node2") "," IDLE_NODE("node3") "],"
    " \"monitoring\": {\"enabled\": true}}";

struct planning {
    struct run *run;
    const memories_config *config;
};

/* In a child, as a topology is a plugin too: the spec, or the errors, as one line. */
static int plan_in_child(int report, void *data)
{
    struct planning *planning = data;
    memories_error *error = NULL;
    const char *path = planning->run->options->plugin_path;
    struct blueprint blueprint = { 0 };
    struct call_environment environment = { .deployment = "check-plan-20260225-123456" };
    const struct plugin *topology =
        loader_open(MEMORIES_PLUGIN_TOPOLOGY, planning->config->topology, path, NULL, &error);
    const struct plugin *provider = topology ? loader_open_file(planning->run->subject.file, NULL, &error) : NULL;
    bool good =
        provider && !blueprint_plan(topology, provider, &environment, planning->config, NULL, &blueprint, &error);
    AUTO_FREE char *text = good ? json_text(blueprint.spec) : memories_error_text(error);
    dprintf(report, "%s", text ? text : "");
    return good ? 0 : 1;
}

static int plan_spec(struct run *run, const memories_config *config)
{
    struct planning planning = { run, config };
    struct child_end end;
    int failed = child_run(plan_in_child, &planning, run->options->timeout_ms, &end, run->error);
    if (failed)
        return failed;
    if (end.exit_code)
        failed = error_set(run->error, MEMORIES_INVALID, "topology %s can't plan %s: %s", config->topology,
                           config->file, *end.report ? end.report : "its process ended");
    else if (!(run->subject.spec = json_parse(end.report, "the spec", run->error)))
        failed = MEMORIES_INTERNAL;
    child_end_clear(&end);
    return failed;
}

static int read_config(struct run *run)
{
    memories_config *config = NULL;
    if (!run->options->config_file)
        run->subject.config = json_object_new_object();
    else if ((config = memories_config_load(NULL, run->options->config_file, run->error)))
        run->subject.config = json_ref(config->config);
    if (!run->subject.config) {
        memories_config_free(config);
        return run->options->config_file ? MEMORIES_INVALID : error_no_memory(run->error);
    }
    int failed = 0;
    struct plugin_file_name file;
    bool is_provider = plugin_file_name_parse(run->subject.file, &file) && file.kind == MEMORIES_PLUGIN_PROVIDER;
    if (is_provider && config && config->topology)
        failed = plan_spec(run, config);
    else if (!(run->subject.spec = json_parse(default_spec, "the spec", run->error)))
        failed = MEMORIES_INTERNAL;
    memories_config_free(config);
    return failed;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static int make_directory(struct run *run)
{
    const char *temporary = secure_getenv("TMPDIR");
    run->directory = text_format("%s/memories-check-XXXXXX", temporary && *temporary == '/' ? temporary : "/tmp");
    if (!run->directory)
        return error_no_memory(run->error);
    if (!mkdtemp(run->directory))
        return error_set_errno(run->error, errno, "can't make a directory like %s", run->directory);
    run->subject.state_dir = run->directory;
    return 0;
}

static int begin_document(struct run *run)
{
    run->document = json_object_new_object();
    run->cases = json_object_new_array();
    json_object_get(run->cases);
    if (!run->document || json_set_string(run->document, "file", run->subject.file) ||
        json_set(run->document, "plugin", NULL) || json_set(run->document, "slots", NULL) ||
        json_set(run->document, "cases", run->cases) || json_set_int(run->document, "passed", 0) ||
        json_set_int(run->document, "failed", 0) || json_set_int(run->document, "skipped", 0) ||
        json_set_int(run->document, "inapplicable", 0))
        return error_no_memory(run->error);
    return 0;
}

json_object *check_run(const char *file, const struct check_options *options, check_progress_fn *on_case,
                       void *user_data, memories_error **error)
{
    AUTO_FREE char *absolute = realpath(file, NULL);
    struct run run = { .subject = { .file = absolute ? absolute : file }, .options = options, .error = error };
    int failed = check_names(options->only, error);
    if (!failed && !absolute) {
        failed = error_set_errno(error, errno, "can't check %s", file);
        if (!strchr(file, '/'))
            error_hint(error, "check takes a file; `memories-plugin doctor %s` tells where a plugin is", file);
    }
    if (!failed)
        failed = read_config(&run);
    if (!failed)
        failed = make_directory(&run);
    if (!failed)
        failed = begin_document(&run);
    if (!failed)
        failed = run_cases(&run, on_case, user_data);
    if (run.subject.state_dir)
        directory_remove(run.directory, NULL);
    free(run.directory);
    json_object_put(run.subject.config);
    json_object_put(run.subject.spec);
    json_object_put(run.cases);
    if (!failed)
        return run.document;
    json_object_put(run.document);
    return NULL;
}
