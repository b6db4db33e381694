/*
 * memories/plugin.h - the plugin ABI of memories, version 1.1
 *
 * A provider or topology plugin built against memories 1.x runs on every later 1.x core, unchanged and
 * un-recompiled. What keeps that promise:
 *   - the head of struct memories_plugin_descriptor never changes;
 *   - slots and fields are only ever appended, and each struct that crosses begins with its own size;
 *   - documents cross as JSON text, so no library's types are part of the ABI;
 *   - a plugin links neither the core nor the core's libraries: services come in struct memories_host.
 *
 * Ownership, once for all slots: what a slot receives is borrowed for the length of the call; what it gives back goes
 * through a host function, which copies. What a host function returns belongs to the host and lives until the slot
 * returns. Neither side ever frees the other's memory.
 *
 * Text is UTF-8 and NUL-terminated. Times are milliseconds. Sizes in documents carry their unit in the key's name.
 *
 * docs/plugins.md explains how to write a plugin; memories-provider(3), memories-topology(3) and memories-host(3) are
 * the reference; docs/documents.md describes every JSON document named here.
 */
#ifndef MEMORIES_PLUGIN_H
#define MEMORIES_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The plugin ABI of this header. */
#define MEMORIES_ABI_MAJOR 1u
#define MEMORIES_ABI_MINOR 1u

/* The first four bytes of every descriptor. */
#define MEMORIES_PLUGIN_MAGIC 0x4d454d50u

/* What a plugin is. */
#define MEMORIES_PLUGIN_PROVIDER 1u
#define MEMORIES_PLUGIN_TOPOLOGY 2u

/* How the core may call it. Serialised: one call at a time into this plugin, from any thread. Concurrent: any number of
 * calls at once; only init is alone. */
#define MEMORIES_THREADS_SERIALISED 0u
#define MEMORIES_THREADS_CONCURRENT 1u

/*
 * Return codes. A slot returns 0 or one of these. A slot that returns a negative code has told the reason through
 * memories_host.fail; without that, the core reports a defect of the plugin.
 * The code decides what the core does: THROTTLED, TRANSIENT and TIMEOUT are tried again with the same token, CAPACITY
 * with a new one; everything else fails at once.
 */
#define MEMORIES_OK 0
#define MEMORIES_FAILED (-1)       /* none of the below */
#define MEMORIES_INVALID (-2)      /* the configuration asks for something that cannot be */
#define MEMORIES_NOT_FOUND (-3)    /* a named thing does not exist */
#define MEMORIES_BUSY (-4)         /* another process works on it */
#define MEMORIES_CANCELLED (-5)    /* the caller asked to stop */
#define MEMORIES_CONFLICT (-6)     /* it exists already, or is in a state that does not allow this */
#define MEMORIES_DENIED (-7)       /* credentials missing or refused, permission missing */
#define MEMORIES_QUOTA (-8)        /* an account's limit */
#define MEMORIES_CAPACITY (-9)     /* the provider has no such machine here now */
#define MEMORIES_THROTTLED (-10)   /* asked to slow down */
#define MEMORIES_TRANSIENT (-11)   /* expected to work when tried again */
#define MEMORIES_TIMEOUT (-12)     /* a deadline passed */
#define MEMORIES_UNSUPPORTED (-13) /* this plugin or machine cannot do that */
#define MEMORIES_NO_MEMORY (-14)
#define MEMORIES_INTERNAL (-15)    /* a defect in memories or in a plugin */

/* The state of one resource, as a provider's answer to create, read, update, destroy and power. */
#define MEMORIES_STATE_ABSENT 0u   /* it does not exist (any more) */
#define MEMORIES_STATE_PENDING 1u  /* on its way: the core asks again through read */
#define MEMORIES_STATE_READY 2u    /* exists and, where that applies, runs */
#define MEMORIES_STATE_STOPPED 3u  /* exists, switched off */
#define MEMORIES_STATE_BROKEN 4u   /* exists but will not become ready: it is replaced */

/* Levels of memories_host.log. */
#define MEMORIES_LOG_ERROR 3
#define MEMORIES_LOG_WARNING 4
#define MEMORIES_LOG_INFO 6
#define MEMORIES_LOG_DEBUG 7

/* One call from the core into a plugin: where its errors and results go. Opaque; valid until the slot returns. It may be
 * used from other threads of the plugin as long as the slot has not returned. */
struct memories_call;

/* An error, told through memories_host.fail or memories_host.operation_failed. Unknown text is NULL, unknown numbers 0. */
struct memories_error_detail {
    uint32_t size;           /* sizeof(struct memories_error_detail) */
    int32_t code;            /* one of the return codes */
    int32_t http_status;     /* of the service's answer */
    uint32_t retry_after_ms; /* with THROTTLED, TRANSIENT or TIMEOUT: not before; tried until the type's timeout_s then */
    const char *message;     /* what failed, and why: one sentence, no final dot */
    const char *where;       /* a config path ("config.network.cidr"), resource key, node or file */
    const char *cause;       /* the service's or system's own words */
    const char *request_id;  /* the service's id of the failed request */
    const char *hint;        /* what to do next */
};

/* One resource in a batch. In create: inputs and token. In read: outputs. In update: inputs (wanted) and outputs (recorded).
 * In destroy and power: outputs. When an operation has none yet (the answer to its create was lost), read and destroy get
 * inputs and token instead; when an operation under way is asked for again, read gets its inputs as well. */
struct memories_operation {
    uint32_t size;       /* sizeof(struct memories_operation) as the core knows it */
    uint32_t generation; /* counts up each time the resource is made anew */
    uint32_t attempt;    /* counts tries at this operation, from 1; more than 1 when an earlier process may have tried */
    uint32_t power_on;   /* in power: 1 to switch on, 0 to switch off; in create: the wanted power state */
    const char *key;     /* the resource's key within its deployment: "node/node1" */
    const char *type;    /* the resource's type: "local.node" */
    const char *token;   /* idempotency token: equal tokens must not make two objects */
    const char *inputs;  /* JSON object, references resolved; NULL where none */
    const char *outputs; /* JSON object recorded from earlier answers; NULL where none */
};

/* One HTTP request, see memories_host.http. */
struct memories_http_request {
    uint32_t size;               /* sizeof(struct memories_http_request) */
    uint32_t timeout_ms;         /* for the whole request; 0: the core's default (30 s) */
    uint32_t max_response_bytes; /* a longer reply is an error; 0: 16 MiB */
    uint32_t body_bytes;         /* length of body */
    const char *method;         /* "GET", "POST", … */
    const char *url;            /* https://name:port/path */
    const char *const *headers; /* "Name: value", last element NULL; or NULL */
    const char *body;        /* NULL where none */
    const char *connect_to;  /* IP address (or "IP:port") dialled instead of the URL's host; TLS still checks the name */
    const char *identity;    /* NULL: the system's CAs, no client certificate. "deployment": the deployment's own CA
                                and its client certificate, for talking to its nodes */
    const char *unix_socket; /* path dialled instead of any address */
};

/* The answer. status 0: no HTTP answer came, error says why. */
struct memories_http_response {
    uint32_t size;       /* sizeof(struct memories_http_response) as the core knows it */
    int32_t status;      /* HTTP's, or 0 */
    uint32_t body_bytes; /* length of body */
    int32_t error_code;  /* 0 or a return code: TIMEOUT, TRANSIENT (unreachable, reset), DENIED (TLS), … */
    const char *body;    /* NUL-terminated behind body_bytes */
    const char *error;   /* with status 0: why */
    const char *request_id; /* x-amzn-requestid and its like, or NULL */
    const char *const *headers; /* "name: value", names in lower case, last element NULL */
};

/*
 * The core's services, handed to init; valid for the life of the process. Fields are only appended: a plugin that uses
 * one later than 1.0 checks `size` first (MEMORIES_HAS), or states abi_minor_needed.
 */
struct memories_host {
    uint32_t size;      /* sizeof(struct memories_host) as the core knows it */
    uint32_t abi_minor; /* of the running core */

    /* Memory that lives until the slot returns; zeroed; never freed by the plugin. NULL when there is none. */
    void *(*allocate)(struct memories_call *call, size_t bytes);

    /* One line for the operator. Secrets must not be in it. */
    void (*log)(struct memories_call *call, int32_t level, const char *text);

    /* Tells why the slot is about to fail; returns detail->code, so that `return host->fail(call, &detail);` reads
     * well. The first report of a call counts. */
    int32_t (*fail)(struct memories_call *call, const struct memories_error_detail *detail);

    /* 1 when the caller asked to stop: return MEMORIES_CANCELLED at the next safe point. */
    int32_t (*cancelled)(struct memories_call *call);

    /* Milliseconds since 1970 (UTC), and of a clock that never jumps. */
    int64_t (*now_ms)(struct memories_call *call);
    int64_t (*monotonic_ms)(struct memories_call *call);

    /* The text behind a secret reference of the spec ("secret:node/node1/key"), for the last moment before use. NULL
     * when there is no such secret (reported through fail). *bytes may be NULL. */
    const char *(*secret)(struct memories_call *call, const char *reference, size_t *bytes);

    /* Sends all requests at once and returns when each has been answered or has failed; responses[i] is never NULL
     * after 0. Returns a code only when nothing could be sent at all, or was cut off (MEMORIES_CANCELLED). No retries:
     * the core repeats the whole slot when it returns TRANSIENT or THROTTLED. */
    int32_t (*http)(struct memories_call *call, const struct memories_http_request *const *requests, size_t count,
                    const struct memories_http_response **responses);

    /* The slot's one JSON document; a second call replaces the first. */
    int32_t (*result)(struct memories_call *call, const char *json);

    /* A piece of a streamed answer (logs). Non-zero: stop, nobody listens any more. */
    int32_t (*stream)(struct memories_call *call, const char *node, const char *bytes, size_t count);

    /* Batches: the answer for operations[index]. outputs: JSON object or NULL (keeps the recorded one).
     * poll_after_ms: with PENDING, when to ask again. */
    int32_t (*operation_result)(struct memories_call *call, size_t index, uint32_t state, const char *outputs,
                                uint32_t poll_after_ms);
    /* The same when it failed. */
    int32_t (*operation_failed)(struct memories_call *call, size_t index, const struct memories_error_detail *detail);

    /* What is being done for operations[index] right now, for the progress display. */
    void (*progress)(struct memories_call *call, size_t index, const char *text);
};

/* True when struct `type` at `pointer` is new enough to have `field`. */
#define MEMORIES_HAS(pointer, type, field) \
    ((pointer)->size >= offsetof(struct type, field) + sizeof((pointer)->field))

/*
 * A provider. R required, o optional (what is lost without it).
 * An instance is opened for one deployment; its slots may be called from several threads only with
 * MEMORIES_THREADS_CONCURRENT.
 */
struct memories_provider_ops {
    uint32_t size;     /* sizeof(struct memories_provider_ops) */
    uint32_t reserved; /* 0 */

    /* o  Once, before anything else. */
    int32_t (*init)(const struct memories_host *host, struct memories_call *call);

    /* R  Result: the provider's description: config schema, resource types, capabilities. Pure. */
    int32_t (*describe)(struct memories_call *call);

    /* R  Makes an instance. request: {"version", "deployment", "state_dir", "config", …}. */
    int32_t (*open)(struct memories_call *call, const char *request, void **instance);
    /* R  Releases it. */
    void (*close)(void *instance);

    /* o  Preflight, before anything is changed: credentials, sizes, quota; picks addresses and zones where the spec
     *    gives none. request: {"spec", "choices": earlier ones or null}. Result: {"choices", "notes"}. Reads only. */
    int32_t (*prepare)(void *instance, struct memories_call *call, const char *request);

    /* R  Spec to resources. Pure: same request, same result, no I/O. request: {"spec", "choices"}. */
    int32_t (*lower)(void *instance, struct memories_call *call, const char *request);

    /* R  All operations of one batch have the same type. Each is answered by operation_result or operation_failed.
     *    The same token again gives the same object. */
    int32_t (*create)(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count);
    /* R  What is there now. An operation without outputs is looked up by deployment, key and token; with an empty
     *    token, of a deployment whose record is lost, by deployment and key. */
    int32_t (*read)(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                    size_t count);
    /* o  Changes in place; without it every change replaces. */
    int32_t (*update)(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                      size_t count);
    /* R  Deletes; what is gone already is answered with ABSENT. */
    int32_t (*destroy)(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                       size_t count);
    /* o  Switches on or off, keeping data and identity; without it: no stop and start. */
    int32_t (*power)(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                     size_t count);

    /* o  Everything of this deployment (request: {"deployment": id}) or of all (null), found without any record.
     *    Result: {"resources": […], "choices": those that prepare has made for this deployment, as far as they
     *    show}. Asked with "resources": {"changed", "secrets"} of them besides (docs/documents.md). Without it, or
     *    without choices: no recovery of a lost store. */
    int32_t (*discover)(void *instance, struct memories_call *call, const char *request);

    /* o  request: {"metrics", "start_ms", "end_ms", "period_s", "resources"}. Result: {"metrics": {name: [points]}}. */
    int32_t (*metrics)(void *instance, struct memories_call *call, const char *request);

    /* o  Streams log text. request: {"node" or null, "lines", "follow", "resources"}. */
    int32_t (*logs)(void *instance, struct memories_call *call, const char *request);

    /* o  Since 1.1. Whether it can work from here: who is it to its service, where is that, what is missing. No
     *    secrets. request: {}. Result: {"checks": [{"name", "status": "ok" | "warning" | "failed", "text",
     *    "hint"}]}, also of what was looked at before it failed as a whole. Reads only. Without it: no `memories
     *    doctor`. */
    int32_t (*doctor)(void *instance, struct memories_call *call, const char *request);

    /* o  Since 1.1. How many calls of its service's API a new deployment takes when all goes well. request:
     *    {"choices", "operations": [{"operation", "key", "type", "inputs" as lowered}]}; the instance has just
     *    answered prepare. Result: {"calls": [{"step", "action", "count"}], "more"}. Asks nobody. Without it:
     *    `memories plan --calls` is refused. */
    int32_t (*estimate)(void *instance, struct memories_call *call, const char *request);
};

/* A topology. It keeps nothing between calls: what it needs is in the request. */
struct memories_topology_ops {
    uint32_t size;     /* sizeof(struct memories_topology_ops) */
    uint32_t reserved; /* 0 */

    /* o  Once, before anything else. */
    int32_t (*init)(const struct memories_host *host, struct memories_call *call);

    /* R  Result: {"summary", "schema": …}. Pure. */
    int32_t (*describe)(struct memories_call *call);

    /* R  Config to spec. Pure: same request, same result, no I/O. request: {"deployment", "config"}. */
    int32_t (*plan)(struct memories_call *call, const char *request);

    /* o  One step towards a working whole, after its nodes run. request: {"deployment", "spec", "nodes", "reason",
     *    "elapsed_ms", and the last answer's message with its age: "waiting_for", "waiting_ms"}.
     *    Result: {"done": false, "message", "poll_after_ms"} and the core calls again, or
     *    {"done": true, "result": {the fields that deploy returns}}. Never blocks longer than one round of requests. */
    int32_t (*converge)(struct memories_call *call, const char *request);

    /* o  What it is like now. Result: {"status", "members": […], …}. */
    int32_t (*status)(struct memories_call *call, const char *request);

    /* ---- since 1.1 ---- */

    /* o  One step towards letting nodes go, before they are destroyed or replaced: what they do moves elsewhere, and
     *    the others forget them. request: as for converge, "nodes" with those that go, and "leaving": [names].
     *    Result: {"done", "released": [names that may be destroyed now], "message", "poll_after_ms"}. With "check": true
     *    nothing is changed, and only an error counts: why these nodes can't go. Without it nodes just go. */
    int32_t (*release)(struct memories_call *call, const char *request);
};

/* What a plugin's query function returns: static, never freed. */
struct memories_plugin_descriptor {
    /* Frozen head: read before anything behind it. */
    uint32_t magic;            /* MEMORIES_PLUGIN_MAGIC */
    uint32_t abi_major;        /* MEMORIES_ABI_MAJOR it was built against */
    uint32_t abi_minor;        /* MEMORIES_ABI_MINOR it was built against */
    uint32_t abi_minor_needed; /* the oldest minor of a core that it runs on */
    uint32_t kind;             /* MEMORIES_PLUGIN_PROVIDER or _TOPOLOGY */
    uint32_t descriptor_size;  /* sizeof(struct memories_plugin_descriptor) */
    uint32_t ops_size;         /* sizeof of the ops struct */
    uint32_t reserved;         /* 0 */
    /* Since 1.0. */
    const char *name;     /* [a-z][a-z0-9_]{0,30}, equal to the file's: provider-NAME.so, topology-NAME.so */
    const char *version;  /* the plugin's own */
    const char *licence;  /* SPDX expression */
    const char *homepage; /* may be NULL */
    uint32_t thread_model; /* MEMORIES_THREADS_… */
    uint32_t flags;        /* 0 */
    const void *ops;       /* struct memories_provider_ops or memories_topology_ops */
};

/* The entry point, the one symbol that a plugin shows: KIND_NAME_LTX_memories_plugin_query. */
typedef const struct memories_plugin_descriptor *memories_plugin_query_fn(void);

/* For the macros below: what is seen from outside, and what stands where tools look. */
#if defined(__GNUC__)
#define MEMORIES_PLUGIN_EXPORT __attribute__((visibility("default")))
#define MEMORIES_PLUGIN_SECTION __attribute__((used, section(".memories.plugin")))
#else
#define MEMORIES_PLUGIN_EXPORT
#define MEMORIES_PLUGIN_SECTION
#endif

/* The entry point is found by its name, which C++ must not decorate. */
#ifdef __cplusplus
#define MEMORIES_PLUGIN_LINKAGE extern "C"
#else
#define MEMORIES_PLUGIN_LINKAGE
#endif

/* Text of what a macro stands for. */
#define MEMORIES_STRINGIFY_(x) #x
#define MEMORIES_STRINGIFY(x) MEMORIES_STRINGIFY_(x)

/* The block by which a tool recognises a plugin without running it: lines of key=value behind the marker, ended by an
 * empty line. */
#define MEMORIES_PLUGIN_MARKER "@(#)memories-plugin\n"

/* The block by which a tool shows a plugin's description, its configuration schema among it, without running the plugin:
 * JSON behind the marker, up to the NUL. */
#define MEMORIES_DESCRIPTION_MARKER "@(#)memories-description\n"

/*
 * Emits that block, and `name_` as a pointer to its text, so that tools and the slot `describe` say the same. Optional.
 * At file scope, once:
 *
 *     MEMORIES_PLUGIN_DESCRIPTION(example_description, "{\"version\": 1, \"summary\": \"an example\", \"schema\": {}}")
 *
 * and then, in describe: return host->result(call, example_description);
 */
#define MEMORIES_PLUGIN_DESCRIPTION(name_, text_)                                                                      \
    MEMORIES_PLUGIN_SECTION static const char name_##_block[] = MEMORIES_DESCRIPTION_MARKER text_;                     \
    static const char *const name_ = name_##_block + sizeof MEMORIES_DESCRIPTION_MARKER - 1;

/*
 * Emits the metadata block, the descriptor and the entry point. At file scope, once:
 *
 *     MEMORIES_PLUGIN(provider, example, "1.0.0", "Apache-2.0", "https://example.org/", MEMORIES_THREADS_SERIALISED, 0,
 *                     &example_ops, sizeof example_ops)
 *
 * kind_: provider or topology; name_: the plugin's name, unquoted; needs_: the oldest core minor it runs on, digits alone
 * or a macro that stands for them.
 */
#define MEMORIES_PLUGIN(kind_, name_, version_, licence_, homepage_, threads_, needs_, ops_, ops_size_)                \
    MEMORIES_PLUGIN_SECTION static const char memories_metadata_##kind_##_##name_[] =                                  \
        MEMORIES_PLUGIN_MARKER "kind=" #kind_ "\nname=" #name_ "\nversion=" version_ "\nlicence=" licence_             \
                               "\nabi=1." MEMORIES_ABI_MINOR_TEXT "\nneeds=1." MEMORIES_STRINGIFY(needs_) "\n\n";      \
    static const struct memories_plugin_descriptor memories_descriptor_##kind_##_##name_ = {                           \
        MEMORIES_PLUGIN_MAGIC,                                                                                         \
        MEMORIES_ABI_MAJOR,                                                                                            \
        MEMORIES_ABI_MINOR,                                                                                            \
        needs_,                                                                                                        \
        MEMORIES_KIND_##kind_,                                                                                         \
        (uint32_t)sizeof(struct memories_plugin_descriptor),                                                           \
        (uint32_t)(ops_size_),                                                                                         \
        0,                                                                                                             \
        #name_,                                                                                                        \
        version_,                                                                                                      \
        licence_,                                                                                                      \
        homepage_,                                                                                                     \
        threads_,                                                                                                      \
        0,                                                                                                             \
        ops_};                                                                                                         \
    MEMORIES_PLUGIN_LINKAGE MEMORIES_PLUGIN_EXPORT const struct memories_plugin_descriptor                             \
        *kind_##_##name_##_LTX_memories_plugin_query(void);                                                            \
    MEMORIES_PLUGIN_LINKAGE MEMORIES_PLUGIN_EXPORT const struct memories_plugin_descriptor                             \
        *kind_##_##name_##_LTX_memories_plugin_query(void)                                                             \
    {                                                                                                                  \
        return &memories_descriptor_##kind_##_##name_;                                                                 \
    }

/* For MEMORIES_PLUGIN. */
#define MEMORIES_ABI_MINOR_TEXT "1"
#define MEMORIES_KIND_provider MEMORIES_PLUGIN_PROVIDER
#define MEMORIES_KIND_topology MEMORIES_PLUGIN_TOPOLOGY

#ifdef __cplusplus
}
#endif

#endif
