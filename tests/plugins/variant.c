/*
 * variant.c - one plugin in many variants, each with one defect (or one oddity that must not matter)
 *
 * Built once for each variant in plugins.mk with -DVARIANT_NAME, by the bare compiler: a plugin needs nothing else. The
 * defects are in the descriptor, which is written out here; only `good` and `constructor` use MEMORIES_PLUGIN.
 */
#include <pthread.h>
#include <stdlib.h>

#include <memories/plugin.h>

static const struct memories_host *host;

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

static int32_t do_init(const struct memories_host *given, struct memories_call *call)
{
    host = given;
#if defined(VARIANT_init_fails)
    static const struct memories_error_detail detail = { .size = sizeof detail,
                                                         .code = MEMORIES_DENIED,
                                                         .message = "no credentials",
                                                         .where = "/etc/credentials",
                                                         .cause = "permission denied",
                                                         .hint = "log in first" };
    return host->fail(call, &detail);
#elif defined(VARIANT_init_fails_silently)
    return MEMORIES_FAILED;
#else
    /* Counts its calls where the test sees it: init may run once only. */
    const char *before = getenv("MEMORIES_TEST_INITS");
    setenv("MEMORIES_TEST_INITS", before && *before ? "more than once" : "once", 1);
    return MEMORIES_OK;
#endif
}

#if defined(VARIANT_thread_key)
/* Leaves something behind in the calling thread, and is refused then. */
static pthread_key_t key;
static void forget(void *value)
{
    (void)value;
    setenv("MEMORIES_TEST_KEY", "destroyed", 1);
}
#endif

#if defined(VARIANT_undefined_symbol)
void memories_test_function_of_nowhere(void);
#endif
#if defined(VARIANT_missing_library)
void memories_test_gone(void);
#endif

static int32_t do_describe(struct memories_call *call)
{
#if defined(VARIANT_describe_fails)
    static const struct memories_error_detail detail = { .size = sizeof detail,
                                                         .code = MEMORIES_FAILED,
                                                         .message = "words fail me" };
    return host->fail(call, &detail);
#elif defined(VARIANT_describe_gives_nothing)
    (void)call;
    return MEMORIES_OK;
#elif defined(VARIANT_describe_gives_rubbish)
    host->result(call, "{\"version\": 1,");
    return MEMORIES_OK;
#elif defined(VARIANT_thread_key)
    pthread_key_create(&key, forget);
    pthread_setspecific(key, &key);
    return host->result(call, "{\"version\": 1, \"resource_types\": {}}");
#elif defined(VARIANT_describe_gives_no_types)
    return host->result(call, "{\"version\": 1, \"resource_types\": {}}");
#elif defined(VARIANT_describe_is_too_new)
    return host->result(call, "{\"version\": 2, \"resource_types\": {\"broken.node\": {}}}");
#elif defined(VARIANT_undefined_symbol)
    memories_test_function_of_nowhere();
#elif defined(VARIANT_missing_library)
    memories_test_gone();
#endif
    return host->result(call, "{\"version\": 1, \"summary\": \"for tests\","
                              " \"resource_types\": {\"broken.node\": {\"is_node\": true}}}");
}

#if defined(TOPOLOGY)

static int32_t do_plan(struct memories_call *call, const char *request)
{
    return host->result(call, request);
}

static const struct memories_topology_ops table = {
    .size = sizeof table,
    .init = do_init,
#if !defined(VARIANT_topology_without_slots)
    .describe = do_describe,
    .plan = do_plan,
#endif
};

#else

static int32_t do_open(struct memories_call *call, const char *request, void **instance)
{
    (void)call, (void)request;
    *instance = NULL;
    return MEMORIES_OK;
}

static void do_close(void *instance)
{
    (void)instance;
}

static int32_t do_lower(void *instance, struct memories_call *call, const char *request)
{
    (void)instance, (void)request;
    return host->result(call, "{\"version\": 1, \"resources\": []}");
}

static int32_t do_batch(void *instance, struct memories_call *call, const struct memories_operation *const *operations,
                        size_t count)
{
    (void)instance, (void)operations;
    for (size_t i = 0; i < count; i++)
        host->operation_result(call, i, MEMORIES_STATE_ABSENT, NULL, 0);
    return MEMORIES_OK;
}

static const struct {
    struct memories_provider_ops ops;
    void (*slot_of_the_future)(void);
} whole_table = {
    .ops = {
#if defined(VARIANT_short_table)
        .size = 24,
#elif defined(VARIANT_from_the_future)
        .size = sizeof whole_table,
#else
        .size = sizeof(struct memories_provider_ops),
#endif
        .init = do_init,
#if !defined(VARIANT_without_describe) && !defined(VARIANT_without_slots)
        .describe = do_describe,
#endif
#if !defined(VARIANT_without_open) && !defined(VARIANT_without_slots)
        .open = do_open,
#endif
#if !defined(VARIANT_without_close) && !defined(VARIANT_without_slots)
        .close = do_close,
#endif
#if !defined(VARIANT_without_lower) && !defined(VARIANT_without_slots)
        .lower = do_lower,
#endif
#if !defined(VARIANT_without_create) && !defined(VARIANT_without_slots)
        .create = do_batch,
#endif
#if !defined(VARIANT_without_read) && !defined(VARIANT_without_slots)
        .read = do_batch,
#endif
#if !defined(VARIANT_without_destroy) && !defined(VARIANT_without_slots)
        .destroy = do_batch,
#endif
    },
#if defined(VARIANT_from_the_future)
    .slot_of_the_future = abort,
#endif
};
#define table whole_table.ops

#endif

/* ---- Metadata ---------------------------------------------------------------------------------------------------- */

#if defined(VARIANT_metadata_other_name)
#define METADATA "kind=provider\nname=other\nabi=1.0\nneeds=1.0\n\n"
#elif defined(VARIANT_metadata_other_kind)
#define METADATA "kind=topology\nname=broken\nabi=1.0\nneeds=1.0\n\n"
#elif defined(VARIANT_metadata_other_major)
#define METADATA "kind=provider\nname=broken\nabi=2.0\nneeds=2.0\n\n"
#elif defined(VARIANT_metadata_too_new)
#define METADATA "kind=provider\nname=broken\nabi=1.99\nneeds=1.99\n\n"
#elif defined(VARIANT_metadata_malformed)
#define METADATA "kind=provider\nname=Broken\n\n"
#endif
#if defined(METADATA)
MEMORIES_PLUGIN_SECTION static const char metadata[] = MEMORIES_PLUGIN_MARKER METADATA;
#endif

/* Tells that code of this file has run. */
#if defined(METADATA) || defined(VARIANT_constructor)
__attribute__((constructor)) static void construct(void)
{
    setenv("MEMORIES_TEST_CODE_RAN", "yes", 1);
}
#endif

/* ---- Descriptor -------------------------------------------------------------------------------------------------- */

#if defined(VARIANT_good) || defined(VARIANT_constructor)

MEMORIES_PLUGIN(provider, broken, "1.2.3", "MIT", "https://example.org/", MEMORIES_THREADS_SERIALISED, 0, &table,
                sizeof table)

#elif !defined(VARIANT_without_entry_point)

static const struct memories_plugin_descriptor descriptor = {
#if defined(VARIANT_wrong_magic)
    .magic = 0x12345678u,
#else
    .magic = MEMORIES_PLUGIN_MAGIC,
#endif
#if defined(VARIANT_other_major)
    .abi_major = 2,
#else
    .abi_major = MEMORIES_ABI_MAJOR,
#endif
#if defined(VARIANT_from_the_future)
    .abi_minor = 99,
#endif
#if defined(VARIANT_too_new)
    .abi_minor = 99,
    .abi_minor_needed = 99,
#endif
#if defined(VARIANT_unknown_kind)
    .kind = 7,
#elif defined(VARIANT_other_kind) || defined(TOPOLOGY)
    .kind = MEMORIES_PLUGIN_TOPOLOGY,
#else
    .kind = MEMORIES_PLUGIN_PROVIDER,
#endif
#if defined(VARIANT_short_descriptor)
    .descriptor_size = 40,
#elif defined(VARIANT_from_the_future)
    .descriptor_size = 4096,
#else
    .descriptor_size = sizeof descriptor,
#endif
#if defined(VARIANT_short_ops)
    .ops_size = 32,
#elif defined(VARIANT_from_the_future)
    .ops_size = sizeof whole_table,
#else
    .ops_size = sizeof table,
#endif
#if defined(VARIANT_other_name)
    .name = "other",
#elif defined(VARIANT_bad_name)
    .name = "Not A Name",
#elif !defined(VARIANT_without_name)
    .name = "broken",
#endif
#if !defined(VARIANT_without_version)
    .version = "1.2.3",
#endif
#if !defined(VARIANT_without_licence)
    .licence = "MIT",
#endif
#if !defined(VARIANT_without_ops)
    .ops = &table,
#endif
};

#if defined(TOPOLOGY)
#define ENTRY_POINT topology_broken_LTX_memories_plugin_query
#elif defined(VARIANT_plain)
#define ENTRY_POINT memories_plugin_query
#else
#define ENTRY_POINT provider_broken_LTX_memories_plugin_query
#endif
MEMORIES_PLUGIN_EXPORT const struct memories_plugin_descriptor *ENTRY_POINT(void);
const struct memories_plugin_descriptor *ENTRY_POINT(void)
{
#if defined(VARIANT_null_descriptor)
    return NULL;
#else
    return &descriptor;
#endif
}

#else

/* Something, so that the file is not empty. */
extern const void *const memories_test_unused;
const void *const memories_test_unused = &table;

#endif
