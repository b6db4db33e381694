/*
 * layout.c - where every field of a public struct lies, for 64 and for 32 bits
 *
 * A file that compiles is the test. Nothing here may ever change; a later version only adds lines behind a struct's last
 * field, and then sizes of the core's own structs grow (plugins say theirs).
 */
#include <stddef.h>

#include <memories/memories.h>

#define BITS(at64, at32) (sizeof(void *) == 8 ? (at64) : (at32))
#define FIELD(type, field, at64, at32) \
    _Static_assert(offsetof(struct type, field) == BITS(at64, at32), #type "." #field " has moved")
#define SIZE(type, bytes64, bytes32) _Static_assert(sizeof(struct type) == BITS(bytes64, bytes32), #type " has another size")

/* A file must not be empty of declarations. */
extern int layout_is_as_released;
int layout_is_as_released = 1;

FIELD(memories_error_detail, size, 0, 0);
FIELD(memories_error_detail, code, 4, 4);
FIELD(memories_error_detail, http_status, 8, 8);
FIELD(memories_error_detail, retry_after_ms, 12, 12);
FIELD(memories_error_detail, message, 16, 16);
FIELD(memories_error_detail, where, 24, 20);
FIELD(memories_error_detail, cause, 32, 24);
FIELD(memories_error_detail, request_id, 40, 28);
FIELD(memories_error_detail, hint, 48, 32);
SIZE(memories_error_detail, 56, 36);

FIELD(memories_operation, size, 0, 0);
FIELD(memories_operation, generation, 4, 4);
FIELD(memories_operation, attempt, 8, 8);
FIELD(memories_operation, power_on, 12, 12);
FIELD(memories_operation, key, 16, 16);
FIELD(memories_operation, type, 24, 20);
FIELD(memories_operation, token, 32, 24);
FIELD(memories_operation, inputs, 40, 28);
FIELD(memories_operation, outputs, 48, 32);
SIZE(memories_operation, 56, 36);

FIELD(memories_http_request, size, 0, 0);
FIELD(memories_http_request, timeout_ms, 4, 4);
FIELD(memories_http_request, max_response_bytes, 8, 8);
FIELD(memories_http_request, body_bytes, 12, 12);
FIELD(memories_http_request, method, 16, 16);
FIELD(memories_http_request, url, 24, 20);
FIELD(memories_http_request, headers, 32, 24);
FIELD(memories_http_request, body, 40, 28);
FIELD(memories_http_request, connect_to, 48, 32);
FIELD(memories_http_request, identity, 56, 36);
FIELD(memories_http_request, unix_socket, 64, 40);
SIZE(memories_http_request, 72, 44);

FIELD(memories_http_response, size, 0, 0);
FIELD(memories_http_response, status, 4, 4);
FIELD(memories_http_response, body_bytes, 8, 8);
FIELD(memories_http_response, error_code, 12, 12);
FIELD(memories_http_response, body, 16, 16);
FIELD(memories_http_response, error, 24, 20);
FIELD(memories_http_response, request_id, 32, 24);
FIELD(memories_http_response, headers, 40, 28);
SIZE(memories_http_response, 48, 32);

FIELD(memories_host, size, 0, 0);
FIELD(memories_host, abi_minor, 4, 4);
FIELD(memories_host, allocate, 8, 8);
FIELD(memories_host, log, 16, 12);
FIELD(memories_host, fail, 24, 16);
FIELD(memories_host, cancelled, 32, 20);
FIELD(memories_host, now_ms, 40, 24);
FIELD(memories_host, monotonic_ms, 48, 28);
FIELD(memories_host, secret, 56, 32);
FIELD(memories_host, http, 64, 36);
FIELD(memories_host, result, 72, 40);
FIELD(memories_host, stream, 80, 44);
FIELD(memories_host, operation_result, 88, 48);
FIELD(memories_host, operation_failed, 96, 52);
FIELD(memories_host, progress, 104, 56);
SIZE(memories_host, 112, 60);

FIELD(memories_provider_ops, size, 0, 0);
FIELD(memories_provider_ops, reserved, 4, 4);
FIELD(memories_provider_ops, init, 8, 8);
FIELD(memories_provider_ops, describe, 16, 12);
FIELD(memories_provider_ops, open, 24, 16);
FIELD(memories_provider_ops, close, 32, 20);
FIELD(memories_provider_ops, prepare, 40, 24);
FIELD(memories_provider_ops, lower, 48, 28);
FIELD(memories_provider_ops, create, 56, 32);
FIELD(memories_provider_ops, read, 64, 36);
FIELD(memories_provider_ops, update, 72, 40);
FIELD(memories_provider_ops, destroy, 80, 44);
FIELD(memories_provider_ops, power, 88, 48);
FIELD(memories_provider_ops, discover, 96, 52);
FIELD(memories_provider_ops, metrics, 104, 56);
FIELD(memories_provider_ops, logs, 112, 60);
FIELD(memories_provider_ops, doctor, 120, 64);
FIELD(memories_provider_ops, estimate, 128, 68);
SIZE(memories_provider_ops, 136, 72);

FIELD(memories_topology_ops, size, 0, 0);
FIELD(memories_topology_ops, reserved, 4, 4);
FIELD(memories_topology_ops, init, 8, 8);
FIELD(memories_topology_ops, describe, 16, 12);
FIELD(memories_topology_ops, plan, 24, 16);
FIELD(memories_topology_ops, converge, 32, 20);
FIELD(memories_topology_ops, status, 40, 24);
/* since 1.1 */
FIELD(memories_topology_ops, release, 48, 28);
SIZE(memories_topology_ops, 56, 32);

FIELD(memories_plugin_descriptor, magic, 0, 0);
FIELD(memories_plugin_descriptor, abi_major, 4, 4);
FIELD(memories_plugin_descriptor, abi_minor, 8, 8);
FIELD(memories_plugin_descriptor, abi_minor_needed, 12, 12);
FIELD(memories_plugin_descriptor, kind, 16, 16);
FIELD(memories_plugin_descriptor, descriptor_size, 20, 20);
FIELD(memories_plugin_descriptor, ops_size, 24, 24);
FIELD(memories_plugin_descriptor, reserved, 28, 28);
FIELD(memories_plugin_descriptor, name, 32, 32);
FIELD(memories_plugin_descriptor, version, 40, 36);
FIELD(memories_plugin_descriptor, licence, 48, 40);
FIELD(memories_plugin_descriptor, homepage, 56, 44);
FIELD(memories_plugin_descriptor, thread_model, 64, 48);
FIELD(memories_plugin_descriptor, flags, 68, 52);
FIELD(memories_plugin_descriptor, ops, 72, 56);
SIZE(memories_plugin_descriptor, 80, 60);

FIELD(memories_event, size, 0, 0);
FIELD(memories_event, kind, 4, 4);
FIELD(memories_event, deployment, 8, 8);
FIELD(memories_event, operation, 16, 12);
FIELD(memories_event, key, 24, 16);
FIELD(memories_event, type, 32, 20);
FIELD(memories_event, text, 40, 24);
FIELD(memories_event, done, 48, 28);
FIELD(memories_event, total, 52, 32);
FIELD(memories_event, elapsed_ms, 56, 36);
FIELD(memories_event, json, 64, 44);
SIZE(memories_event, 72, 48);

FIELD(memories_context_options, size, 0, 0);
FIELD(memories_context_options, flags, 4, 4);
FIELD(memories_context_options, state_dir, 8, 8);
FIELD(memories_context_options, plugin_path, 16, 12);
FIELD(memories_context_options, on_event, 24, 16);
FIELD(memories_context_options, user_data, 32, 20);
SIZE(memories_context_options, 40, 24);

/* Numbers that plugins were built with. */
#define VALUE(name, value) _Static_assert(name == value, #name " has another value")
VALUE(MEMORIES_ABI_MAJOR, 1);
VALUE(MEMORIES_PLUGIN_MAGIC, 0x4d454d50u);
VALUE(MEMORIES_PLUGIN_PROVIDER, 1);
VALUE(MEMORIES_PLUGIN_TOPOLOGY, 2);
VALUE(MEMORIES_THREADS_SERIALISED, 0);
VALUE(MEMORIES_THREADS_CONCURRENT, 1);
VALUE(MEMORIES_OK, 0);
VALUE(MEMORIES_FAILED, -1);
VALUE(MEMORIES_INVALID, -2);
VALUE(MEMORIES_NOT_FOUND, -3);
VALUE(MEMORIES_BUSY, -4);
VALUE(MEMORIES_CANCELLED, -5);
VALUE(MEMORIES_CONFLICT, -6);
VALUE(MEMORIES_DENIED, -7);
VALUE(MEMORIES_QUOTA, -8);
VALUE(MEMORIES_CAPACITY, -9);
VALUE(MEMORIES_THROTTLED, -10);
VALUE(MEMORIES_TRANSIENT, -11);
VALUE(MEMORIES_TIMEOUT, -12);
VALUE(MEMORIES_UNSUPPORTED, -13);
VALUE(MEMORIES_NO_MEMORY, -14);
VALUE(MEMORIES_INTERNAL, -15);
VALUE(MEMORIES_STATE_ABSENT, 0);
VALUE(MEMORIES_STATE_PENDING, 1);
VALUE(MEMORIES_STATE_READY, 2);
VALUE(MEMORIES_STATE_STOPPED, 3);
VALUE(MEMORIES_STATE_BROKEN, 4);
VALUE(MEMORIES_LOG_ERROR, 3);
VALUE(MEMORIES_LOG_WARNING, 4);
VALUE(MEMORIES_LOG_INFO, 6);
VALUE(MEMORIES_LOG_DEBUG, 7);
