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

/* What each is: at the functions that make it. */
typedef struct memories_error memories_error;
typedef struct memories_context memories_context;
typedef struct memories_config memories_config;
typedef struct memories_deployment memories_deployment;
typedef struct memories_deployment_list memories_deployment_list;
typedef struct memories_cluster_status memories_cluster_status;
typedef struct memories_metrics memories_metrics;
typedef struct memories_services memories_services;

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
/* Frees it. */
MEMORIES_API void memories_error_free(memories_error *error);

/* Frees a `char *` that this library returned. */
MEMORIES_API void memories_free(void *pointer);

/* ---- Context ----------------------------------------------------------------------------------------------------- */

/* What the engine is doing. All strings live for the call only. */
struct memories_event {
    uint32_t size;          /* sizeof(struct memories_event) */
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
    const char *plugin_path; /* directories, colon-separated; default: $MEMORIES_PLUGIN_PATH, else the compiled-in one */
    memories_event_fn *on_event; /* told what is being done */
    void *user_data;             /* handed to on_event */
};
/* The defaults. */
#define MEMORIES_CONTEXT_OPTIONS_INIT { (uint32_t)sizeof(struct memories_context_options), 0, NULL, NULL, NULL, NULL }

/* Opens the state directory's store lazily and loads plugins when they are first needed. options may be NULL. */
MEMORIES_API memories_context *memories_context_new(const struct memories_context_options *options,
                                                    memories_error **error);
/* Frees it. */
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
/* All of it. To memories_free. */
MEMORIES_API char *memories_config_json(const memories_config *config);
/* Frees it. */
MEMORIES_API void memories_config_free(memories_config *config);

/* Checks the configuration against the schema and the rules of its topology and provider; touches nothing. 0, or
 * MEMORIES_INVALID with all errors chained (memories_error_next). *json, when not NULL: {"valid": true, "topology",
 * "provider", "notes": [what will be recorded but not honoured]}. */
MEMORIES_API int memories_validate(memories_context *context, const memories_config *config, char **json,
                                   memories_error **error);

/* The JSON Schema of a configuration file for this pair. To memories_free. */
MEMORIES_API char *memories_schema(memories_context *context, const char *topology, const char *provider,
                                   memories_error **error);

/* What deploy would do: {"deployment_id", "spec", "resources", "operations", "notes"}, and from a provider that can
 * tell "calls": {"total", "calls": [{"step", "action", "count"}], "more"}: how many calls of its API that takes when
 * all goes well, and when it will be more. To memories_free. */
MEMORIES_API char *memories_plan(memories_context *context, const memories_config *config, memories_error **error);

/* What memories_update would do to a deployment: the same document, its "operations" starting from what is there
 * now. Since 1.1. */
MEMORIES_API char *memories_plan_update(memories_context *context, const char *id, const memories_config *config,
                                        memories_error **error);

/* ---- Deploying and managing -------------------------------------------------------------------------------------- */

#define MEMORIES_KEEP_ON_FAILURE 1u /* deploy: leave what was made when it fails, for looking at and resuming */
/* Return when everything is made and switched on. Whether it works as a whole is not waited for: the status stays "starting"
 * ("scaling", "healing") until memories_resume has done that. When nodes have to be let go first (update, scale, heal), and
 * for stop and delete ("stopping", "deleting"), return when the change is checked and on record, and leave all of it to
 * memories_resume. */
#define MEMORIES_NO_WAIT 2u

/* Deploys and waits until the topology says that it works. When it fails, what was made is removed again unless
 * MEMORIES_KEEP_ON_FAILURE; when that fails too, the error says what is left. */
MEMORIES_API memories_deployment *memories_deploy(memories_context *context, const memories_config *config,
                                                  uint32_t flags, memories_error **error);

/* Changes an existing deployment to a new configuration, node by node where the topology asks for that. */
MEMORIES_API memories_deployment *memories_update(memories_context *context, const char *id,
                                                  const memories_config *config, uint32_t flags,
                                                  memories_error **error);

/* In all calls below, `id` is a deployment's id, its name, or an unambiguous beginning of its id. */

/* How many nodes of one kind there shall be: "worker" or "manager" of a swarm. */
struct memories_group_size {
    const char *group; /* the nodes' role */
    uint32_t count;    /* wanted */
};

/* Adds or takes away nodes. What goes is checked first (bounds, majority, room for what runs), then emptied while others
 * take over, one node not waiting for another; MEMORIES_CONFLICT says why it can't be. Cancelled in between, it goes on with
 * memories_resume, or goes back with another memories_scale. MEMORIES_INVALID: no such group, or a number out of its bounds.
 * */
MEMORIES_API memories_deployment *memories_scale(memories_context *context, const char *id,
                                                 const struct memories_group_size *sizes, size_t size_count,
                                                 uint32_t flags, memories_error **error);

/* Start from MEMORIES_HEAL_OPTIONS_INIT. */
struct memories_heal_options {
    uint32_t size;  /* sizeof(struct memories_heal_options) */
    uint32_t flags; /* 0 */
    const char *const *nodes; /* names, last element NULL: made anew, whatever their state; NULL: those that are lost */
    const char *force_new_cluster; /* a node of a cluster that has lost its majority for ever: it begins the cluster anew
                                      with what it knows, and the others of its role are made anew. What only they knew is
                                      lost. NULL: don't */
};
/* The defaults. */
#define MEMORIES_HEAL_OPTIONS_INIT { (uint32_t)sizeof(struct memories_heal_options), 0, NULL, NULL }

/* Replaces nodes whose machines are lost or broken, switches on those that are off, and waits until all works. options
 * may be NULL. */
MEMORIES_API memories_deployment *memories_heal(memories_context *context, const char *id,
                                                const struct memories_heal_options *options, uint32_t flags,
                                                memories_error **error);

/* Switches all nodes off, keeping data and identity; on again; removes everything. The deployment returned is the state
 * after the work, or with MEMORIES_NO_WAIT before it. Deleting what is already gone is MEMORIES_NOT_FOUND. */
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

/* Whether a provider can work from here, as it says itself: {"provider", "well", "checks": [{"name", "status": "ok"
 * | "warning" | "failed", "text", "hint"}]}, without secrets. config: names the provider, and region, profile and so
 * on where it is to look. Nothing is changed. MEMORIES_UNSUPPORTED: the provider can't tell. To memories_free. Since
 * 1.1. */
MEMORIES_API char *memories_doctor(memories_context *context, const memories_config *config, memories_error **error);

/* What is there of deployments, as their provider finds it by its marks, whether it is on record here or not:
 * [{"deployment_id", "type", "provider", "recorded", "resources": [{"key", "type", "state", "outputs"}]}]. config:
 * its provider is asked, in the region, account and so on that it names; no topology is needed.
 * MEMORIES_UNSUPPORTED: the provider can't. To memories_free. Since 1.1. */
MEMORIES_API char *memories_discover(memories_context *context, const memories_config *config, memories_error **error);

/* Puts a deployment on record that is there and has no record here: that of a lost state directory, or one that was
 * deployed elsewhere. id: the whole id, of memories_discover; config: that it was deployed with. Nothing is made or
 * changed. Afterwards every call works on it; what the configuration would change is in the notes, and a plan shows
 * it. The key of its certificate authority can't be found anywhere else: without it in the state directory nodes
 * can't be added, which the notes say too. MEMORIES_NOT_FOUND: nothing of it is there; MEMORIES_CONFLICT: it is on
 * record; MEMORIES_UNSUPPORTED: the provider can't. Since 1.1. */
MEMORIES_API memories_deployment *memories_recover(memories_context *context, const char *id,
                                                   const memories_config *config, memories_error **error);

/* One deployment as it is. */
MEMORIES_API memories_deployment *memories_show(memories_context *context, const char *id, memories_error **error);

/* All deployments, oldest first. */
MEMORIES_API memories_deployment_list *memories_list(memories_context *context, memories_error **error);
/* How many there are. */
MEMORIES_API size_t memories_deployment_list_count(const memories_deployment_list *list);
/* Belongs to the list; NULL past its end. */
MEMORIES_API const memories_deployment *memories_deployment_list_at(const memories_deployment_list *list, size_t index);
/* All of them. */
MEMORIES_API const char *memories_deployment_list_json(const memories_deployment_list *list);
/* Frees it. */
MEMORIES_API void memories_deployment_list_free(memories_deployment_list *list);

/* Fields of a deployment. Those that a topology does not have are NULL or 0. */
MEMORIES_API const char *memories_deployment_id(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_name(const memories_deployment *deployment);
MEMORIES_API const char *memories_deployment_type(const memories_deployment *deployment); /* the topology */
MEMORIES_API const char *memories_deployment_provider(const memories_deployment *deployment);
/* deploying, running, degraded, updating, scaling, healing, resuming, stopping, stopped, starting, deleting, deleted, failed,
 * interrupted */
MEMORIES_API const char *memories_deployment_status(const memories_deployment *deployment);
/* RFC 3339, UTC: 2026-02-25T12:34:56Z */
MEMORIES_API const char *memories_deployment_created_at(const memories_deployment *deployment);
/* Its resources, as recorded; NULL past the end. */
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
/* After memories_scale; 0 where unknown. */
MEMORIES_API uint64_t memories_deployment_worker_count(const memories_deployment *deployment);
MEMORIES_API uint64_t memories_deployment_manager_count(const memories_deployment *deployment);
/* Everything, with the guide's names. */
MEMORIES_API const char *memories_deployment_json(const memories_deployment *deployment);
/* Frees it. */
MEMORIES_API void memories_deployment_free(memories_deployment *deployment);

/* What was done to a deployment, oldest first: [{"at", "event", "actor", "detail"}]. To memories_free. */
MEMORIES_API char *memories_audit(memories_context *context, const char *id, memories_error **error);

/* ---- Looking inside ---------------------------------------------------------------------------------------------- */

/* The cluster as it is now, asked of its members. Stopped and unreachable clusters are no error: status says so. */
MEMORIES_API memories_cluster_status *memories_status(memories_context *context, const char *id, memories_error **error);
/* The deployment that was asked. */
MEMORIES_API const char *memories_cluster_status_deployment_id(const memories_cluster_status *status);
/* running, degraded (some members are not healthy), unavailable (no majority), stopped, … */
MEMORIES_API const char *memories_cluster_status_status(const memories_cluster_status *status);
/* The leader's node id, or NULL while there is none. */
MEMORIES_API const char *memories_cluster_status_leader(const memories_cluster_status *status);
/* Of Raft; 0 where there is none. */
MEMORIES_API uint64_t memories_cluster_status_term(const memories_cluster_status *status);
MEMORIES_API uint64_t memories_cluster_status_committed_index(const memories_cluster_status *status);
MEMORIES_API uint64_t memories_cluster_status_applied_index(const memories_cluster_status *status);
/* Its members; NULL (healthy: 0) past the end. */
MEMORIES_API size_t memories_cluster_status_member_count(const memories_cluster_status *status);
MEMORIES_API const char *memories_cluster_status_member_name(const memories_cluster_status *status, size_t index);
MEMORIES_API const char *memories_cluster_status_member_role(const memories_cluster_status *status, size_t index);
MEMORIES_API const char *memories_cluster_status_member_address(const memories_cluster_status *status, size_t index);
MEMORIES_API int memories_cluster_status_member_healthy(const memories_cluster_status *status, size_t index);
/* Everything. */
MEMORIES_API const char *memories_cluster_status_json(const memories_cluster_status *status);
/* Frees it. */
MEMORIES_API void memories_cluster_status_free(memories_cluster_status *status);

/* The services that a topology runs on its nodes, as their tasks are now. MEMORIES_UNSUPPORTED for a topology without.
 * */
MEMORIES_API memories_services *memories_services_get(memories_context *context, const char *id, memories_error **error);
/* How many there are, and their names. */
MEMORIES_API size_t memories_services_count(const memories_services *services);
MEMORIES_API const char *memories_services_name(const memories_services *services, size_t index);
/* Wanted tasks, and those that run. */
MEMORIES_API uint64_t memories_services_replicas(const memories_services *services, size_t index);
MEMORIES_API uint64_t memories_services_running(const memories_services *services, size_t index);
/* running, starting, stopped, "degraded (2 of 3)" */
MEMORIES_API const char *memories_services_status(const memories_services *services, size_t index);
/* Why it is not running, or NULL. */
MEMORIES_API const char *memories_services_message(const memories_services *services, size_t index);
/* "address:port" at which the service can be reached from this machine. */
MEMORIES_API size_t memories_services_address_count(const memories_services *services, size_t index);
MEMORIES_API const char *memories_services_address(const memories_services *services, size_t index, size_t address);
/* All of them. */
MEMORIES_API const char *memories_services_json(const memories_services *services);
/* Frees it. */
MEMORIES_API void memories_services_free(memories_services *services);

/* One look at the load, and what was done about it: {"at", "action": "none" | "up" | "down", "reason", "group", "count",
 * "wanted", "min", "max", "utilization", "target", "nodes", "period_s", "dry_run"}. A non-zero return ends the loop. */
typedef int memories_autoscale_fn(const char *decision, void *user_data);

#define MEMORIES_AUTOSCALE_ONCE 1u    /* one decision */
#define MEMORIES_AUTOSCALE_DRY_RUN 2u /* decide, and do nothing */

/* Start from MEMORIES_AUTOSCALE_OPTIONS_INIT. */
struct memories_autoscale_options {
    uint32_t size;       /* sizeof(struct memories_autoscale_options) */
    uint32_t flags;      /* MEMORIES_AUTOSCALE_… */
    uint32_t interval_s; /* between two decisions; 0: 15 */
    uint32_t period_s;   /* the load is the mean of so many seconds; 0: 60 */
    memories_autoscale_fn *on_decision; /* may be NULL */
    void *user_data;                    /* handed to on_decision */
};
/* The defaults. */
#define MEMORIES_AUTOSCALE_OPTIONS_INIT { (uint32_t)sizeof(struct memories_autoscale_options), 0, 0, 0, NULL, NULL }

/* Keeps the load of a deployment's nodes near config.scaling.target_cpu_utilization by memories_scale, until it is cancelled
 * (which is no error). Never while something else is being done to the deployment, nor within the cooldowns, nor for a load
 * within a tenth of the target. What is decided is in the audit trail with its numbers. options may be NULL. */
MEMORIES_API int memories_autoscale(memories_context *context, const char *id,
                                    const struct memories_autoscale_options *options, memories_error **error);

/* Metrics of a deployment: the mean over its nodes for cpu_utilization (Percent), the sum for the others. names: NULL or
 * a NULL-terminated list (NULL: all). start_time, end_time: RFC 3339, or NULL for one hour ago and now. period_seconds: length of
 * one point; 0: 300. */
MEMORIES_API memories_metrics *memories_metrics_get(memories_context *context, const char *id, const char *const *names,
                                                    const char *start_time, const char *end_time,
                                                    uint32_t period_seconds, memories_error **error);
/* How many there are; the name, unit and points of each. Timestamps: RFC 3339. */
MEMORIES_API size_t memories_metrics_count(const memories_metrics *metrics);
MEMORIES_API const char *memories_metrics_name(const memories_metrics *metrics, size_t metric);
MEMORIES_API size_t memories_metrics_point_count(const memories_metrics *metrics, size_t metric);
MEMORIES_API const char *memories_metrics_timestamp(const memories_metrics *metrics, size_t metric, size_t point);
MEMORIES_API double memories_metrics_value(const memories_metrics *metrics, size_t metric, size_t point);
MEMORIES_API const char *memories_metrics_unit(const memories_metrics *metrics, size_t metric, size_t point);
/* All of them. */
MEMORIES_API const char *memories_metrics_json(const memories_metrics *metrics);
/* Frees it. */
MEMORIES_API void memories_metrics_free(memories_metrics *metrics);

/* Receives log text of one node as it comes; a non-zero return ends the stream. */
typedef int memories_log_fn(const char *node, const char *bytes, size_t count, void *user_data);
/* node: NULL for all. lines: the last so many of each log; 0: all. follow: goes on until memories_cancel. */
MEMORIES_API int memories_logs(memories_context *context, const char *id, const char *node, uint32_t lines, int follow,
                               memories_log_fn *on_log, void *user_data, memories_error **error);

/* ---- Plugins ----------------------------------------------------------------------------------------------------- */

/* What is found, and what was refused and why: [{"kind", "name", "version", "abi", "path", "licence", "status": "ok" |
 * "failed", "error", …}]. To memories_free. */
MEMORIES_API char *memories_plugins(memories_context *context, memories_error **error);

/* From here on this context uses the plugin in a process of its own: a crash of it there fails the call, and the deployment
 * can be resumed. Slower, and no sandbox. A configuration can ask for it too (`isolate`, memories.yaml(5)). plugin: its name
 * ("local"), or with its kind ("provider-local"). */
MEMORIES_API int memories_isolate_plugin(memories_context *context, const char *plugin, memories_error **error);

/* The two below are for finding and provoking mistakes. They concern the whole process, as plugins do, and plugins that have
 * not been used yet: MEMORIES_CONFLICT otherwise. */

/* Writes each call between the core and a plugin to `fd`, as lines of JSON without secrets (docs/plugins.md describes
 * them). fd stays the caller's, and must stay open as long as the process. */
MEMORIES_API int memories_trace_plugin(memories_context *context, const char *plugin, int fd, memories_error **error);
/* Makes a call fail: "PLUGIN:SLOT:N:ERROR", as in "provider-local:create:2:transient". The Nth call of that slot, from 1,
 * fails with ERROR (memories_code_name) without reaching the plugin; with ":after" behind it, for slots that get batches,
 * the plugin does its work and its answers are lost. */
MEMORIES_API int memories_fault_plugin(memories_context *context, const char *fault, memories_error **error);

#ifdef __cplusplus
}
#endif

#endif
