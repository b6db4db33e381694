/*
 * loader.h - finding and opening plugins
 *
 * The only part of the core that knows libltdl (loader.c is the only file that includes ltdl.h). Modules stay mapped for
 * the life of the process. All functions may be called from any thread.
 */
#ifndef CORE_LOADER_LOADER_H
#define CORE_LOADER_LOADER_H

#include <json-c/json.h>
#include <pthread.h>
#include <stdbool.h>

#include <memories/memories.h>

/* Why a plugin was refused: a closed list. The text form ("untrusted-path") is part of `memories plugins --json`. */
enum load_failure {
    LOAD_OK = 0,
    LOAD_NOT_FOUND,
    LOAD_UNTRUSTED_PATH,
    LOAD_LINK,
    LOAD_NOT_A_PLUGIN,
    LOAD_OTHER_MAJOR,
    LOAD_NEEDS_NEWER_CORE,
    LOAD_TRUNCATED,
    LOAD_MISSING_SLOT,
    LOAD_NAME_MISMATCH,
    LOAD_DUPLICATE,
    LOAD_INIT_FAILED,
};
const char *load_failure_name(enum load_failure failure);

struct decorator;

struct plugin {
    uint32_t kind;
    char *name;
    char *version;
    char *licence;
    char *homepage;
    char *path; /* absolute; "(built in)" for a preloaded one */
    uint32_t abi_major, abi_minor, abi_minor_needed;
    uint32_t thread_model;
    union {
        struct memories_provider_ops provider; /* copied, zero behind what the plugin knows */
        struct memories_topology_ops topology;
    } ops;
    json_object *description; /* describe()'s answer, checked; filled at load */
    pthread_mutex_t *lock;    /* held round every call; NULL when the plugin is concurrent */
    struct decorator *decorator; /* the outermost round every call, see decorator.h; NULL: none */
};

/* Finds NAME of a kind along `search_path` (colon-separated; NULL: MEMORIES_PLUGIN_PATH unless the process is set-id,
 * then the compiled-in directory) and opens it; the same again gives the same object. On failure *failure (may be NULL)
 * says which of the closed list. */
const struct plugin *loader_open(uint32_t kind, const char *name, const char *search_path, enum load_failure *failure,
                                 memories_error **error);
/* The same with the plugin's code in a process of its own (isolate.h); another object than the one in this process. */
const struct plugin *loader_open_isolated(uint32_t kind, const char *name, const char *search_path,
                                          enum load_failure *failure, memories_error **error);
/* Whether a plugin of this name, of either kind ("local") or with its kind ("provider-local"), is there; opens nothing. */
enum load_failure loader_find(const char *name, const char *search_path, memories_error **error);
/* Opens one file by absolute path. */
const struct plugin *loader_open_file(const char *path, enum load_failure *failure, memories_error **error);

/* Everything along the path: [{"kind","name","version","abi","needs","licence","homepage","path","status","failure",
 * "error"}], opened one by one. New reference. */
json_object *loader_list(const char *search_path, memories_error **error);

/* metadata.c: the marked block of a file, read without running it: {"kind","name","version","licence","abi","needs"};
 * MEMORIES_NOT_FOUND when the file has none. */
json_object *metadata_read(const char *path, memories_error **error);
/* The same from memory, for fuzzing. NULL when there is no well-formed block. */
json_object *metadata_parse(const char *bytes, size_t count);
/* The description that MEMORIES_PLUGIN_DESCRIPTION put into the file; MEMORIES_NOT_FOUND when there is none. */
json_object *metadata_description(const char *path, memories_error **error);

/* trust.c: 0 when neither the file nor a directory above it can be written by others than root and this user. */
int trust_check(const char *path, memories_error **error);
struct group;
struct passwd;
/* Whether the group is the user's own, with nobody else in it: what it may write is written by the user. */
bool trust_is_private_group(const struct group *group, const struct passwd *user);

#endif
