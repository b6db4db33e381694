/*
 * memories/memories.h - deploy and manage services from C
 *
 * A program makes a context, loads a configuration, deploys it, and manages what it deployed:
 *
 *     memories_error *error = NULL;
 *     memories_context *context = memories_context_new(NULL, &error);
 *     memories_config *config = memories_config_load(context, "consensus.yaml", &error);
 *     memories_deployment *deployment = memories_deploy(context, config, NULL, &error);
 *     puts(memories_deployment_leader_node(deployment));
 *
 * Errors. Functions that make an object return NULL on failure; the others return 0 or a negative code of
 * memories/plugin.h. Both fill *error when `error` is not NULL; the caller frees it with memories_error_free. A pointer
 * that already holds an error is not overwritten: pass one that is NULL.
 *
 * Ownership. What memories_…_new, _load, _deploy and the other makers return belongs to the caller, who frees it with the
 * type's _free function; every _free accepts NULL. Strings returned by accessors belong to the object asked and live as
 * long as it does. Strings to be freed by the caller are `char *` (not const) and go to memories_free.
 *
 * Threads. One context is used by one thread at a time; different contexts are independent and may be used at the same
 * time. memories_cancel may be called from any thread and from a signal handler. Objects other than a context may be
 * read from several threads. Event and log callbacks run on the context's thread or one of its workers, one at a time.
 *
 * Several processes may work with the same state directory: each deployment is worked on by one process at a time, and
 * the others get MEMORIES_BUSY.
 *
 * Every function here exists since 1.0 unless it says otherwise.
 */
#ifndef MEMORIES_MEMORIES_H
#define MEMORIES_MEMORIES_H

#include <stddef.h>
#include <stdint.h>

#include <memories/plugin.h> /* the return codes */
#include <memories/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MEMORIES_API __attribute__((visibility("default")))
#else
#define MEMORIES_API
#endif

typedef struct memories_error memories_error;
typedef struct memories_context memories_context;
typedef struct memories_config memories_config;
typedef struct memories_deployment memories_deployment;
typedef struct memories_deployment_list memories_deployment_list;
typedef struct memories_cluster_status memories_cluster_status;
typedef struct memories_metrics memories_metrics;

/* ---- Version ----------------------------------------------------------------------------------------------------- */

/* The library's version, "1.0.0", which may differ from the header's MEMORIES_VERSION. */
MEMORIES_API const char *memories_version(void);

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* The code, one of memories/plugin.h; 0 for NULL. */
MEMORIES_API int memories_error_code(const memories_error *error);
/* What failed and why, one sentence. Never NULL. */
MEMORIES_API const char *memories_error_message(const memories_error *error);
/* Where: a config path, file and line, resource key, node. NULL when it has no place. */
MEMORIES_API const char *memories_error_where(const memories_error *error);
/* The system's or service's own words; the service's request id; what to do next. NULL when unknown. */
MEMORIES_API const char *memories_error_cause(const memories_error *error);
MEMORIES_API const char *memories_error_request_id(const memories_error *error);
MEMORIES_API const char *memories_error_hint(const memories_error *error);
/* The service's HTTP status, or 0. */
MEMORIES_API int memories_error_http_status(const memories_error *error);
/* 1 when the same call is expected to work later. */
MEMORIES_API int memories_error_retryable(const memories_error *error);
/* The deployment that was being worked on, when it still exists (memories_resume or memories_delete finish it); NULL
 * when nothing is left. */
MEMORIES_API const char *memories_error_deployment_id(const memories_error *error);
/* Everything above as lines for a person, or as one JSON object; both to memories_free. */
MEMORIES_API char *memories_error_text(const memories_error *error);
MEMORIES_API char *memories_error_json(const memories_error *error);
/* Further errors found together with this one (a configuration usually has more than one): the next one, or NULL. It
 * belongs to `error`. */
MEMORIES_API const memories_error *memories_error_next(const memories_error *error);
/* The name of a code: "invalid", "busy". */
MEMORIES_API const char *memories_code_name(int code);
MEMORIES_API void memories_error_free(memories_error *error);

/* Frees a `char *` that this library returned. */
MEMORIES_API void memories_free(void *pointer);

/* ---- Context ----------------------------------------------------------------------------------------------------- */

/* What the engine is doing. All strings live for the call only. */
struct memories_event {
    uint32_t size;
    uint32_t kind;          /* MEMORIES_EVENT_… */
    const char *deployment; /* id, or NULL */
    const char *operation;  /* "create", "update", "delete", "stop", "start", "read", "converge", … or NULL */
    const char *key;        /* resource key, or NULL */
    const char *type;       /* resource type, or NULL */
    const char *text;       /* one line for a person */
    uint32_t done;          /* operations finished of this run */
    uint32_t total;         /* operations of this run; 0 while unknown */
    int64_t elapsed_ms;     /* since the run began */
    const char *json;       /* the event as one JSON object */
};
#define MEMORIES_EVENT_PHASE 1u    /* a new phase: "plan", "create", "converge", "roll back", … */
#define MEMORIES_EVENT_STARTED 2u  /* an operation began */
#define MEMORIES_EVENT_PROGRESS 3u /* an operation goes on */
#define MEMORIES_EVENT_DONE 4u     /* an operation ended well */
#define MEMORIES_EVENT_FAILED 5u   /* an operation failed */
#define MEMORIES_EVENT_RETRY 6u    /* an operation will be tried again */
#define MEMORIES_EVENT_WARNING 7u  /* something the operator should know */
#define MEMORIES_EVENT_LOG 8u      /* a line of a plugin's log */

/* Called from the threads that do the work, one call at a time. Of this library it may call memories_cancel only. */
typedef void memories_event_fn(const struct memories_event *event, void *user_data);

/* All may be NULL or 0: the default. Start from MEMORIES_CONTEXT_OPTIONS_INIT. */
struct memories_context_options {
    uint32_t size;           /* sizeof(struct memories_context_options) */
    uint32_t flags;          /* 0 */
    const char *state_dir;   /* default: $MEMORIES_STATE_DIR, else $XDG_STATE_HOME/memories, else
                                ~/.local/state/memories */
    const char *plugin_path; /* directories, colon-separated; default: $MEMORIES_PLUGIN_PATH, then the compiled-in one */
    memories_event_fn *on_event;
    void *user_data;
};
#define MEMORIES_CONTEXT_OPTIONS_INIT { (uint32_t)sizeof(struct memories_context_options), 0, NULL, NULL, NULL, NULL }

/* Opens the state directory's store lazily and loads plugins when they are first needed. options may be NULL. */
MEMORIES_API memories_context *memories_context_new(const struct memories_context_options *options,
                                                    memories_error **error);
MEMORIES_API void memories_context_free(memories_context *context);

/* Asks the call in progress to stop at the next safe point; it returns MEMORIES_CANCELLED, and the deployment can be
 * resumed. Async-signal-safe. The next call begins uncancelled. */
MEMORIES_API void memories_cancel(memories_context *context);

/* ---- Configuration ----------------------------------------------------------------------------------------------- */

/* Reads a YAML or JSON file: either {topology, provider, name, config} or the bare config ("-": standard input). The
 * file's syntax is checked here, its meaning when it is used. */
MEMORIES_API memories_config *memories_config_load(memories_context *context, const char *path, memories_error **error);
/* The same from memory; `name` is used in errors. */
MEMORIES_API memories_config *memories_config_parse(memories_context *context, const char *text, size_t bytes,
                                                    const char *name, memories_error **error);
/* Override parts. value of _set: "path=value" as on the command line (config.network.cidr=10.1.0.0/16; "config." may be
 * left out), the value read as YAML. */
MEMORIES_API int memories_config_set_topology(memories_config *config, const char *topology, memories_error **error);
MEMORIES_API int memories_config_set_provider(memories_config *config, const char *provider, memories_error **error);
MEMORIES_API int memories_config_set_name(memories_config *config, const char *name, memories_error **error);
MEMORIES_API int memories_config_set(memories_config *config, const char *assignment, memories_error **error);
/* NULL while unknown. */
MEMORIES_API const char *memories_config_topology(const memories_config *config);
MEMORIES_API const char *memories_config_provider(const memories_config *config);
MEMORIES_API const char *memories_config_name(const memories_config *config);
MEMORIES_API char *memories_config_json(const memories_config *config);
MEMORIES_API void memories_config_free(memories_config *config);

/* Checks the configuration against the schema and the rules of its topology and provider; touches nothing. 0, or
 * MEMORIES_INVALID with all errors chained (memories_error_next). *json, when not NULL: {"valid": true, "topology",
 * "provider", "notes": [what will be recorded but not honoured]}. */
MEMORIES_API int memories_validate(memories_context *context, const memories_config *config, char **json,
                                   memories_error **error);

/* The JSON Schema of a configuration file for this pair. To memories_free. */
MEMORIES_API char *memories_schema(memories_context *context, const char *topology, const char *provider,
                                   memories_error **error);

/* What deploy would do: {"deployment_id", "spec", "resources", "operations", "notes"}. To memories_free. */
MEMORIES_API char *memories_plan(memories_context *context, const memories_config *config, memories_error **error);

/* ---- Deploying and managing -------------------------------------------------------------------------------------- */

#define MEMORIES_KEEP_ON_FAILURE 1u /* deploy: leave what was made when it fails, for looking at and resuming */
#define MEMORIES_NO_WAIT 2u         /* return when the work is under way where the provider allows */

/* Deploys and waits until the topology says that it works. When it fails, what was made is removed again unless
 * MEMORIES_KEEP_ON_FAILURE; when that fails too, the error says what is left. */
MEMORIES_API memories_deployment *memories_deploy(memories_context *context, const memories_config *config,
                                                  uint32_t flags, memories_error **error);

/* Changes an existing deployment to a new configuration, node by node where the topology asks for that. */
MEMORIES_API memories_deployment *memories_update(memories_context *context, const char *id,
                                                  const memories_config *config, uint32_t flags,
                                                  memories_error **error);

/* In all calls below, `id` is a deployment's id, its name, or an unambiguous beginning of its id. */

/* Switches all nodes off, keeping data and identity; on again; removes everything. The deployment returned is the state
 * after the work. Deleting what is already gone is MEMORIES_NOT_FOUND. */
MEMORIES_API memories_deployment *memories_stop(memories_context *context, const char *id, uint32_t flags,
                                                memories_error **error);
MEMORIES_API memories_deployment *memories_start(memories_context *context, const char *id, uint32_t flags,
                                                 memories_error **error);
MEMORIES_API memories_deployment *memories_delete(memories_context *context, const char *id, uint32_t flags,
                                                  memories_error **error);

/* Finishes what an interrupted process began: the deployment ends in the state that was last asked for. Nothing to do
 * is no error. */
MEMORIES_API memories_deployment *memories_resume(memories_context *context, const char *id, uint32_t flags,
                                                  memories_error **error);

/* One deployment as it is. */
MEMORIES_API memories_deployment *memories_show(memories_context *context, const char *id, memories_error **error);

/* All deployments, oldest first. */
MEMORIES_API memories_deployment_list *memories_list(memories_context *context, memories_error **error);
MEMORIES_API size_t memories_deployment_list_count(const memories_deployment_list *list);
/* Belongs to the list; NULL past its end. */
MEMORIES_API const memories_deployment *memories_deployment_list_at(const memories_deployment_list *list, size_t index);
MEMORIES_API const char *memories_deployment_list_json(const memories_deployment_list *list);
MEMORIES_API void memories_deployment_list_free(memories_deployment_list *list);

/* Fields of a deployment. Those that a topology does not have are NULL or 0. */
MEMORIES_API const char *memories_deployment_id(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_name(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_type(const memories_deployment *deployment); /* the topology */
MEMORIES_API const char *memories_deployment_provider(const memories_deployment *deployment);
/* deploying, running, degraded, updating, stopping, stopped, starting, deleting, deleted, failed, interrupted */
MEMORIES_API const char *memories_deployment_status(const memories_deployment *deployment);
/* RFC 3339, UTC: 2026-02-25T12:34:56Z */
MEMORIES_API const char *memories_deployment_created_at(const memories_deployment *deployment);
MEMORIES_API size_t memories_deployment_resource_count(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_resource_key(const memories_deployment *deployment, size_t index);
MEMORIES_API const char *memories_deployment_resource_type(const memories_deployment *deployment, size_t index);
MEMORIES_API const char *memories_deployment_resource_state(const memories_deployment *deployment, size_t index);
/* standalone */
MEMORIES_API const char *memories_deployment_instance_id(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_public_ip(const memories_deployment *deployment);
/* consensus */
MEMORIES_API const char *memories_deployment_leader_node(const memories_deployment *deployment);
MEMORIES_API size_t memories_deployment_follower_node_count(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_follower_node(const memories_deployment *deployment, size_t index);
/* swarmed */
MEMORIES_API size_t memories_deployment_manager_node_count(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_manager_node(const memories_deployment *deployment, size_t index);
MEMORIES_API size_t memories_deployment_worker_node_count(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_worker_node(const memories_deployment *deployment, size_t index);
/* Everything, with the guide's names. */
MEMORIES_API const char *memories_deployment_json(const memories_deployment *deployment);
MEMORIES_API void memories_deployment_free(memories_deployment *deployment);

/* What was done to a deployment, oldest first: [{"at", "event", "actor", "detail"}]. To memories_free. */
MEMORIES_API char *memories_audit(memories_context *context, const char *id, memories_error **error);

/* ---- Looking inside ---------------------------------------------------------------------------------------------- */

/* The cluster as it is now, asked of its members. Stopped and unreachable clusters are no error: status says so. */
MEMORIES_API memories_cluster_status *memories_status(memories_context *context, const char *id, memories_error **error);
MEMORIES_API const char *memories_cluster_status_deployment_id(const memories_cluster_status *status);
/* running, degraded (some members are not healthy), unavailable (no majority), stopped, … */
MEMORIES_API const char *memories_cluster_status_status(const memories_cluster_status *status);
/* The leader's node id, or NULL while there is none. */
MEMORIES_API const char *memories_cluster_status_leader(const memories_cluster_status *status);
MEMORIES_API uint64_t memories_cluster_status_term(const memories_cluster_status *status);
MEMORIES_API uint64_t memories_cluster_status_committed_index(const memories_cluster_status *status);
MEMORIES_API uint64_t memories_cluster_status_applied_index(const memories_cluster_status *status);
MEMORIES_API size_t memories_cluster_status_member_count(const memories_cluster_status *status);
MEMORIES_API const char *memories_cluster_status_member_name(const memories_cluster_status *status, size_t index);
MEMORIES_API const char *memories_cluster_status_member_role(const memories_cluster_status *status, size_t index);
MEMORIES_API const char *memories_cluster_status_member_address(const memories_cluster_status *status, size_t index);
MEMORIES_API int memories_cluster_status_member_healthy(const memories_cluster_status *status, size_t index);
MEMORIES_API const char *memories_cluster_status_json(const memories_cluster_status *status);
MEMORIES_API void memories_cluster_status_free(memories_cluster_status *status);

/* Metrics of a deployment: the mean over its nodes for cpu_utilization (Percent), the sum for the others. names: NULL or
 * a NULL-terminated list (NULL: all). start_time, end_time: RFC 3339, or NULL for one hour ago and now. period_seconds: length of
 * one point; 0: 300. */
MEMORIES_API memories_metrics *memories_metrics_get(memories_context *context, const char *id, const char *const *names,
                                                    const char *start_time, const char *end_time,
                                                    uint32_t period_seconds, memories_error **error);
MEMORIES_API size_t memories_metrics_count(const memories_metrics *metrics);
MEMORIES_API const char *memories_metrics_name(const memories_metrics *metrics, size_t metric);
MEMORIES_API size_t memories_metrics_point_count(const memories_metrics *metrics, size_t metric);
MEMORIES_API const char *memories_metrics_timestamp(const memories_metrics *metrics, size_t metric, size_t point);
MEMORIES_API double memories_metrics_value(const memories_metrics *metrics, size_t metric, size_t point);
MEMORIES_API const char *memories_metrics_unit(const memories_metrics *metrics, size_t metric, size_t point);
MEMORIES_API const char *memories_metrics_json(const memories_metrics *metrics);
MEMORIES_API void memories_metrics_free(memories_metrics *metrics);

/* Receives log text of one node as it comes; a non-zero return ends the stream. */
typedef int memories_log_fn(const char *node, const char *bytes, size_t count, void *user_data);
/* node: NULL for all. lines: the last so many of each node; 0: all. follow: goes on until memories_cancel. */
MEMORIES_API int memories_logs(memories_context *context, const char *id, const char *node, uint32_t lines, int follow,
                               memories_log_fn *on_log, void *user_data, memories_error **error);

/* ---- Plugins ----------------------------------------------------------------------------------------------------- */

/* What is found, and what was refused and why: [{"kind", "name", "version", "abi", "path", "licence", "status": "ok" |
 * "failed", "error", …}]. To memories_free. */
MEMORIES_API char *memories_plugins(memories_context *context, memories_error **error);

#ifdef __cplusplus
}
#endif

#endif
