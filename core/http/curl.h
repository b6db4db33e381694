/*
 * curl.h - libcurl, loaded at the first request
 *
 * Linked, libcurl and the 25 libraries that it brings along would cost every start 5 MB and a third of its time
 * (bench/startup.sh), and most commands send nothing.
 */
#ifndef CORE_HTTP_CURL_H
#define CORE_HTTP_CURL_H

#include <curl/curl.h>

#include <memories/memories.h>

/* Every function of libcurl that the core calls, without its "curl_". */
#define CURL_FUNCTIONS(FUNCTION) \
    FUNCTION(easy_cleanup) \
    FUNCTION(easy_getinfo) \
    FUNCTION(easy_init) \
    FUNCTION(easy_setopt) \
    FUNCTION(easy_strerror) \
    FUNCTION(free) \
    FUNCTION(global_init) \
    FUNCTION(multi_add_handle) \
    FUNCTION(multi_cleanup) \
    FUNCTION(multi_info_read) \
    FUNCTION(multi_init) \
    FUNCTION(multi_perform) \
    FUNCTION(multi_poll) \
    FUNCTION(multi_remove_handle) \
    FUNCTION(multi_setopt) \
    FUNCTION(multi_wakeup) \
    FUNCTION(slist_append) \
    FUNCTION(slist_free_all) \
    FUNCTION(url) \
    FUNCTION(url_cleanup) \
    FUNCTION(url_get) \
    FUNCTION(url_set)

#define CURL_FUNCTION_MEMBER(name) __typeof__(curl_##name) *name;
struct curl_functions {
    CURL_FUNCTIONS(CURL_FUNCTION_MEMBER)
};
#undef CURL_FUNCTION_MEMBER

/* curl.easy_init() is curl_easy_init(); all are NULL before curl_load. */
extern struct curl_functions curl;

/* Loads libcurl unless that is done; any thread may call it. */
int curl_load(memories_error **error);

#endif
