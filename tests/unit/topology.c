/* topology.c - opening an in-tree topology plugin of this build, see topology.h */
#include "tests/unit/topology.h"

#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/fake_host.h"

static const char *directory(const char *variable)
{
    const char *value = getenv(variable);
    return value ? value : ".";
}

const struct memories_topology_ops *open_topology(const char *name)
{
    char path[4096], symbol[128];
    snprintf(path, sizeof path, "%s/plugins/topologies/%s/.libs/topology-%s.so", directory("builddir"), name, name);
    snprintf(symbol, sizeof symbol, "topology_%s_LTX_memories_plugin_query", name);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(module, "%s", dlerror());
    memories_plugin_query_fn *query;
    *(void **)&query = dlsym(module, symbol);
    ck_assert_msg(query, "%s", dlerror());
    const struct memories_topology_ops *ops = query()->ops;
    struct memories_call *call = fake_call_new();
    ck_assert_int_eq(ops->init(fake_host(), call), MEMORIES_OK);
    fake_call_free(call);
    return ops;
}

void check_out_of_memory(int32_t (*slot)(struct memories_call *call, const char *request), const char *request)
{
    struct memories_call *enough = fake_call_new();
    ck_assert_int_eq(slot(enough, request), MEMORIES_OK);
    bool failed = true;
    for (size_t nth = 1; failed; nth++) {
        struct memories_call *call = fake_call_new();
        fake_host_fail_allocation(nth);
        int32_t code = slot(call, request);
        failed = fake_host_fail_allocation(0);
        ck_assert_msg(code == (failed ? MEMORIES_NO_MEMORY : MEMORIES_OK), "allocation %zu: code %d", nth, code);
        if (failed)
            ck_assert_int_eq(fake_call_error(call)->code, MEMORIES_NO_MEMORY);
        else
            ck_assert_str_eq(fake_call_result_text(call), fake_call_result_text(enough));
        fake_call_free(call);
    }
    fake_call_free(enough);
}

char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char *text = NULL;
    size_t capacity = 0;
    if (getdelim(&text, &capacity, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

const char *source_path(const char *path)
{
    static char full[4096];
    snprintf(full, sizeof full, "%s/%s", directory("srcdir"), path);
    return full;
}
