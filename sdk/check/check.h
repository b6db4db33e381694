/*
 * check.h - the conformance suite: what a plugin must do, as cases that are run one by one
 *
 * Each case runs in a child process of its own (run.c) on a freshly loaded plugin, and says what it found; a crash, a
 * hang or an exit is a finding too. Everything here, except the table of cases, is used inside of such a child.
 */
#ifndef SDK_CHECK_CHECK_H
#define SDK_CHECK_CHECK_H

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/loader/call.h"
#include "core/loader/loader.h"

/* What is checked, and with what. */
struct check_subject {
    const char *file;      /* absolute */
    json_object *config;   /* for `open` and `plan`; never NULL */
    json_object *spec;     /* what a provider is asked to make */
    const char *state_dir; /* of this check alone */
};

struct check {
    const struct check_subject *subject;
    const struct plugin *plugin;
    struct call_environment environment; /* whose user_data is this */
    atomic_int cancel;
    struct http_client *http;
    int report;
    bool failed;
    /* What a logs slot streamed. */
    size_t streamed;
    size_t stream_end;         /* from the nth piece on nobody listens; 0: somebody does */
    char *streamed_node;       /* a node that was named and is none of the deployment's, or NULL */
    json_object *stream_nodes; /* names that may be named */
};

struct check_case {
    const char *name;    /* "create-again" */
    const char *title;   /* what the plugin must do: "the same token again gives the same object" */
    uint32_t kind;       /* of plugins that it is for; 0: both */
    bool before_load;    /* looks at the file only, and loads nothing: check->plugin is NULL */
    void (*setup)(void); /* before the plugin is loaded; NULL: nothing to do */
    void (*run)(struct check *check);
};
extern const struct check_case check_cases[];
extern const size_t check_case_count;

/* Writes a line into a report, at once and in one piece, without stdio (which asks the kernel about the descriptor: a
 * pure slot's process may not). */
void check_report(int report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a case has to say. slot and hint may be NULL. A failure is a rule broken; advice is a good habit missed; a skip
 * says why nothing could be found out; what is not applicable doesn't concern this plugin. */
void check_fail(struct check *check, const char *slot, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void check_advise(struct check *check, const char *slot, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void check_skip(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_not_applicable(struct check *check, const char *reason);
/* A slot failed that should not have: its own words become the failure. Frees the error. */
void check_fail_error(struct check *check, const char *slot, memories_error *error);
/* The same for an error that may be no fault of the plugin's: without an account or a network, the case is skipped. */
void check_judge_error(struct check *check, const char *slot, memories_error *error);
/* An error that was asked for: is it complete? Doesn't free it. */
void check_told_error(struct check *check, const char *slot, const memories_error *error);

/* ---- Calling (ask.c) --------------------------------------------------------------------------------------------- */

/* Slots that take a document, by number, so that cases can go over all of them. */
struct check_document_slot {
    const char *name;
    size_t offset; /* in the table */
    uint32_t kind;
    bool instance; /* of a provider: called on an instance */
    bool pure;
    bool may_refuse; /* an error that is told completely is an answer like others */
};
extern const struct check_document_slot check_document_slots[];
extern const size_t check_document_slot_count;

/* Calls a slot with a document. NULL: it failed, *error says why. instance: NULL for a topology. A slot that gives no
 * result gives an empty object. */
json_object *check_call(struct check *check, const struct check_document_slot *slot, void *instance,
                        json_object *request, memories_error **error);
/* By name. */
const struct check_document_slot *check_slot(const char *name);
/* The two together, with failures reported: NULL after check_fail. A slot that may refuse and does gives an empty
 * object. */
json_object *check_ask(struct check *check, const char *slot, void *instance, json_object *request);

/* New instance for a deployment (NULL: none); NULL and *failed after a report. */
bool check_open(struct check *check, const char *deployment, void **instance);
void check_close(struct check *check, void *instance);

/* Requests, as docs/documents.md describes them; new references. */
json_object *check_request(struct check *check, const char *deployment);
json_object *check_plan_request(struct check *check, const char *deployment);

/* Whether `document` keeps a schema of the core; reports what it breaks. */
bool check_schema(struct check *check, const char *slot, const char *schema, const char *name, json_object *document);

/* ---- The cases' files -------------------------------------------------------------------------------------------- */

/* file_cases.c */
void case_metadata(struct check *check);
void case_linking(struct check *check);
/* common_cases.c */
void setup_old_core(void);
void case_old_core(struct check *check);
void case_describe(struct check *check);
void case_pure(struct check *check);
void case_versions(struct check *check);
void case_bad_requests(struct check *check);
void case_no_memory(struct check *check);
void case_borrowed(struct check *check);
void case_threads(struct check *check);
void case_cancel(struct check *check);
/* provider_cases.c */
void case_instances(struct check *check);
void case_prepare(struct check *check);
void case_lower(struct check *check);
void case_read_unknown(struct check *check);
void case_create(struct check *check);
void case_create_again(struct check *check);
void case_found_again(struct check *check);
void case_update(struct check *check);
void case_power(struct check *check);
void case_destroy(struct check *check);
void case_discover(struct check *check);
void case_apart(struct check *check);
void case_metrics(struct check *check);
void case_logs(struct check *check);
/* topology_cases.c */
void case_plan(struct check *check);
void case_converge(struct check *check);
void case_status(struct check *check);
void case_release(struct check *check);
void case_http(struct check *check);

/* ---- Running (run.c) --------------------------------------------------------------------------------------------- */

struct check_options {
    const char *config_file; /* NULL: none */
    const char *plugin_path; /* for the topology that a configuration names */
    const char *only;        /* names of cases, separated by commas; NULL: all */
    uint32_t timeout_ms;     /* of one case */
};

/* Runs the suite. The document that --json prints: {"file", "plugin", "slots", "cases": [{"name", "title", "outcome",
 * "reason", "findings": [{"severity", "slot", "message", "hint"}]}], "passed", "failed", "skipped", "inapplicable"}.
 * NULL: an error, or interrupted. */
typedef void check_progress_fn(const char *case_name, void *user_data);
json_object *check_run(const char *file, const struct check_options *options, check_progress_fn *on_case,
                       void *user_data, memories_error **error);

/* slots.c: [{"name", "need": "required" | "recommended" | "optional", "present", "without": what is lost}]. */
json_object *check_slots(const struct plugin *plugin);

#endif
