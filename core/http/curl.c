/* curl.c - loads libcurl once and keeps it */
#include "core/http/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/base/error.h"

/* Its ABI since 2006: https://curl.se/libcurl/abi.html */
#define LIBRARY "libcurl.so.4"

struct curl_functions curl;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded; /* guarded by `lock` */

static int load_failed(memories_error **error)
{
    const char *reason = dlerror();
    error_set(error, MEMORIES_FAILED, "can't load libcurl, which every request over HTTP needs");
    error_cause(error, "%s", reason ? reason : "unknown");
    error_hint(error, "install it: apt-get install libcurl4");
    return MEMORIES_FAILED;
}

static int load(memories_error **error)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return load_failed(error);
#define FIND(name) \
    if (!(curl.name = (__typeof__(curl.name))dlsym(library, "curl_" #name))) \
        return load_failed(error);
    CURL_FUNCTIONS(FIND)
#undef FIND
    CURLcode failed = curl.global_init(CURL_GLOBAL_DEFAULT);
    return failed ? error_set(error, MEMORIES_FAILED, "libcurl can't start: %s", curl.easy_strerror(failed)) : 0;
}

int curl_load(memories_error **error)
{
    pthread_mutex_lock(&lock);
    int failed = loaded ? 0 : load(error);
    loaded = !failed;
    pthread_mutex_unlock(&lock);
    return failed;
}
