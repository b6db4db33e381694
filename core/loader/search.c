/*
 * search.c - finding plugins by name, and listing them
 *
 * What is built in comes first, then the directories of the path in their order. The first file with the right name is
 * the one meant, good or bad: falling through to a later directory would hide what is wrong with the first.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/name.h"
#include "core/loader/open.h"
#include "core/loader/refuse.h"
#include "core/loader/search.h"

#define PATH_HINT "the path is MEMORIES_PLUGIN_PATH, or the plugin path that the program gave"

const char *search_path_or_default(const char *search_path)
{
    if (search_path)
        return search_path;
    const char *from_environment = secure_getenv("MEMORIES_PLUGIN_PATH");
    return from_environment && *from_environment ? from_environment : PLUGIN_DIRECTORY;
}

char *search_path_next(const char **at)
{
    *at += strspn(*at, ":");
    if (!**at)
        return NULL;
    const char *start = *at;
    *at += strcspn(*at, ":");
    return strndup(start, (size_t)(*at - start));
}

static enum load_failure refuse_relative(const char *directory, memories_error **error)
{
    return refuse(LOAD_UNTRUSTED_PATH, directory, PATH_HINT "; write every directory from / on", error,
                  "the plugin search path has a relative directory, expected an absolute one");
}

static enum load_failure check_search_path(const char *search_path, memories_error **error)
{
    for (char *directory; (directory = search_path_next(&search_path));) {
        enum load_failure failure = directory[0] == '/' ? LOAD_OK : refuse_relative(directory, error);
        free(directory);
        if (failure)
            return failure;
    }
    return LOAD_OK;
}

/* ---- One plugin by name ------------------------------------------------------------------------------------------ */

/* New string, or NULL when no directory has such a file. */
static char *find_file(uint32_t kind, const char *name, const char *search_path)
{
    for (char *directory; (directory = search_path_next(&search_path));) {
        char *path = text_format("%s/%s-%s.so", directory, plugin_kind_name(kind), name);
        struct stat info;
        free(directory);
        if (path && (!lstat(path, &info) || (errno != ENOENT && errno != ENOTDIR)))
            return path;
        free(path);
    }
    return NULL;
}

static const struct builtin_plugin *find_builtin(uint32_t kind, const char *name)
{
    for (const struct builtin_plugin *builtin = loader_builtins(); builtin->name; builtin++)
        if (builtin->kind == kind && !strcmp(builtin->name, name))
            return builtin;
    return NULL;
}

static void append_name(struct text *names, const char *name)
{
    text_printf(names, "%s%s", names->length ? ", " : "", name);
}

static void append_directory(struct text *names, const char *directory, uint32_t kind)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        struct plugin_file_name file;
        if (plugin_file_name_parse(entries[i]->d_name, &file) && file.kind == kind)
            append_name(names, file.name);
        free(entries[i]);
    }
    free(entries);
}

static bool is_searched(const char *wanted, const char *search_path)
{
    bool found = false;
    for (char *directory; (directory = search_path_next(&search_path)); free(directory))
        found |= !strcmp(directory, wanted);
    return found;
}

/* A path given for one's own plugins takes the place of the directory where memories' own are: those may be what is
 * missing then. NULL when that is not so. */
static char *what_is_left_out(uint32_t kind, const char *name, const char *search_path)
{
    AUTO_FREE char *file = text_format("%s/%s-%.64s.so", PLUGIN_DIRECTORY, plugin_kind_name(kind), name);
    struct stat info;
    if (!file || is_searched(PLUGIN_DIRECTORY, search_path) || !plugin_name_is_valid(name) || lstat(file, &info))
        return NULL;
    return text_format("it is in %s, which the path leaves out: export MEMORIES_PLUGIN_PATH=%s:%s", PLUGIN_DIRECTORY,
                       search_path, PLUGIN_DIRECTORY);
}

/* "found there: fake, local" */
static char *what_there_is(uint32_t kind, const char *search_path)
{
    struct text names = TEXT_INIT;
    for (const struct builtin_plugin *builtin = loader_builtins(); builtin->name; builtin++)
        if (builtin->kind == kind)
            append_name(&names, builtin->name);
    for (char *directory; (directory = search_path_next(&search_path)); free(directory))
        append_directory(&names, directory, kind);
    AUTO_FREE char *list = text_take(&names);
    if (list && *list)
        return text_format("there are: %s", list);
    return text_format("there is none at all; set MEMORIES_PLUGIN_PATH to the directory of the plugins");
}

static enum load_failure refuse_unknown(uint32_t kind, const char *name, const char *search_path,
                                        memories_error **error)
{
    AUTO_FREE char *left_out = what_is_left_out(kind, name, search_path);
    AUTO_FREE char *there = left_out ? NULL : what_there_is(kind, search_path);
    const char *hint = left_out ? left_out : there;
    return refuse(LOAD_NOT_FOUND, NULL, hint, error, "there is no %s \"%.64s\": looked for %s-%.64s.so in %s",
                  plugin_kind_name(kind), name, plugin_kind_name(kind), name, search_path);
}

static enum load_failure find(uint32_t kind, const char *name, const char *search_path, char **path,
                              memories_error **error)
{
    enum load_failure failure = check_search_path(search_path, error);
    if (failure)
        return failure;
    *path = plugin_name_is_valid(name) ? find_file(kind, name, search_path) : NULL;
    return *path ? LOAD_OK : refuse_unknown(kind, name, search_path, error);
}

/* "local" of either kind, "provider-local" */
enum load_failure loader_find(const char *name, const char *search_path, memories_error **error)
{
    static const uint32_t kinds[] = { MEMORIES_PLUGIN_PROVIDER, MEMORIES_PLUGIN_TOPOLOGY };
    AUTO_FREE char *file_name = text_format("%s.so", name);
    struct plugin_file_name file;
    bool has_kind = file_name && plugin_file_name_parse(file_name, &file);
    AUTO_ERROR memories_error *problem = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        const char *bare = has_kind ? file.name : name;
        AUTO_FREE char *path = NULL;
        if (has_kind && file.kind != kinds[i])
            continue;
        if (find_builtin(kinds[i], bare) || !find(kinds[i], bare, search_path_or_default(search_path), &path, &problem))
            return LOAD_OK;
    }
    error_move(error, STEAL(problem));
    return LOAD_NOT_FOUND;
}

const struct plugin *loader_open(uint32_t kind, const char *name, const char *search_path, enum load_failure *failure,
                                 memories_error **error)
{
    const struct builtin_plugin *builtin = find_builtin(kind, name);
    if (builtin)
        return loader_open_builtin(builtin, failure, error);
    AUTO_FREE char *path = NULL;
    enum load_failure result = find(kind, name, search_path_or_default(search_path), &path, error);
    if (!result)
        return loader_open_file(path, failure, error);
    if (failure)
        *failure = result;
    return NULL;
}

const struct plugin *loader_open_isolated(uint32_t kind, const char *name, const char *search_path,
                                          enum load_failure *failure, memories_error **error)
{
    AUTO_FREE char *path = NULL;
    enum load_failure result = LOAD_NOT_FOUND;
    if (find_builtin(kind, name))
        result = refuse(LOAD_NOT_FOUND, NULL, "use a build of memories with plugins in files of their own", error,
                        "%s %s is part of the library, and can't be isolated", plugin_kind_name(kind), name);
    else
        result = find(kind, name, search_path_or_default(search_path), &path, error);
    if (!result)
        return loader_open_isolated_file(path, failure, error);
    if (failure)
        *failure = result;
    return NULL;
}

/* ---- All plugins ------------------------------------------------------------------------------------------------- */

struct listing {
    json_object *entries;
    json_object *first; /* "provider-local": the path that comes first */
};

static char *module_name(uint32_t kind, const char *name)
{
    return text_format("%s-%s", plugin_kind_name(kind), name);
}

static json_object *new_entry(const char *path, enum load_failure failure, const memories_error *error)
{
    AUTO_JSON json_object *entry = json_object_new_object();
    const char *cause = memories_error_cause(error);
    AUTO_FREE char *text = error ? text_format("%s%s%s", memories_error_message(error), cause ? ": " : "",
                                               cause ? cause : "")
                                 : NULL;
    if (!entry || (error && !text) || json_set_string(entry, "path", path) ||
        json_set_string(entry, "status", failure ? "failed" : "ok") ||
        json_set_string(entry, "failure", failure ? load_failure_name(failure) : NULL) ||
        json_set_string(entry, "error", text) || json_set_string(entry, "hint", memories_error_hint(error)))
        return NULL;
    return STEAL(entry);
}

static int set_abi(json_object *entry, const char *key, unsigned major, unsigned minor)
{
    AUTO_FREE char *text = text_format("%u.%u", major, minor);
    return text ? json_set_string(entry, key, text) : MEMORIES_NO_MEMORY;
}

static int describe_plugin(json_object *entry, const struct plugin *plugin)
{
    const char *summary = json_get_string(plugin->description, "summary");
    return json_set_string(entry, "kind", plugin_kind_name(plugin->kind)) ||
           json_set_string(entry, "name", plugin->name) || json_set_string(entry, "version", plugin->version) ||
           json_set_string(entry, "licence", plugin->licence) ||
           json_set_string(entry, "homepage", plugin->homepage) || json_set_string(entry, "summary", summary) ||
           set_abi(entry, "abi", plugin->abi_major, plugin->abi_minor) ||
           set_abi(entry, "needs", plugin->abi_major, plugin->abi_minor_needed);
}

/* A file that was not loaded is described by its name and its metadata. */
static int describe_file(json_object *entry, const char *path)
{
    static const char *const from_metadata[] = { "version", "licence", "abi", "needs" };
    struct plugin_file_name file = { 0 };
    bool named = plugin_file_name_parse(path, &file);
    AUTO_JSON json_object *metadata = named ? metadata_read(path, NULL) : NULL;
    int failed = json_set_string(entry, "kind", named ? plugin_kind_name(file.kind) : NULL) ||
                 json_set_string(entry, "name", named ? file.name : NULL) || json_set_string(entry, "homepage", NULL) ||
                 json_set_string(entry, "summary", NULL);
    for (size_t i = 0; !failed && i < ARRAY_COUNT(from_metadata); i++)
        failed = json_set_string(entry, from_metadata[i], json_get_string(metadata, from_metadata[i]));
    return failed;
}

static int add_entry(struct listing *listing, const char *path, const struct plugin *plugin,
                     enum load_failure failure, const memories_error *error)
{
    AUTO_JSON json_object *entry = new_entry(path, failure, error);
    if (!entry || (plugin ? describe_plugin(entry, plugin) : describe_file(entry, path)))
        return MEMORIES_NO_MEMORY;
    return json_add(listing->entries, STEAL(entry));
}

static int list_file(struct listing *listing, const char *path, const char *module)
{
    AUTO_ERROR memories_error *error = NULL;
    enum load_failure failure = LOAD_OK;
    const char *first = json_get_string(listing->first, module);
    if (first) {
        failure = refuse(LOAD_DUPLICATE, path, "remove one of the two, or change the order of the path", &error,
                         "%s comes first and is used", first);
        return add_entry(listing, path, NULL, failure, error);
    }
    if (json_set_string(listing->first, module, path))
        return MEMORIES_NO_MEMORY;
    const struct plugin *plugin = loader_open_file(path, &failure, &error);
    return add_entry(listing, path, plugin, failure, error);
}

static int list_entry(struct listing *listing, const char *directory, const char *file_name)
{
    struct plugin_file_name file;
    if (!plugin_file_name_parse(file_name, &file))
        return 0;
    AUTO_FREE char *path = text_format("%s/%s", directory, file_name);
    AUTO_FREE char *module = module_name(file.kind, file.name);
    return path && module ? list_file(listing, path, module) : MEMORIES_NO_MEMORY;
}

static int list_refused_directory(struct listing *listing, const char *directory, int number)
{
    AUTO_ERROR memories_error *error = NULL;
    enum load_failure failure = LOAD_NOT_FOUND;
    if (directory[0] != '/')
        failure = refuse_relative(directory, &error);
    else
        refuse(failure, directory, PATH_HINT, &error, "the directory can't be read: %s", strerror(number));
    return add_entry(listing, directory, NULL, failure, error);
}

static int list_directory(struct listing *listing, const char *directory)
{
    struct dirent **entries = NULL;
    if (directory[0] != '/')
        return list_refused_directory(listing, directory, 0);
    int count = scandir(directory, &entries, NULL, alphasort);
    if (count < 0)
        return errno == ENOENT ? 0 : list_refused_directory(listing, directory, errno);
    int failed = 0;
    for (int i = 0; i < count; i++) {
        if (!failed)
            failed = list_entry(listing, directory, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

static int list_builtins(struct listing *listing)
{
    int failed = 0;
    for (const struct builtin_plugin *builtin = loader_builtins(); !failed && builtin->name; builtin++) {
        AUTO_ERROR memories_error *error = NULL;
        enum load_failure failure = LOAD_OK;
        const struct plugin *plugin = loader_open_builtin(builtin, &failure, &error);
        AUTO_FREE char *module = module_name(builtin->kind, builtin->name);
        failed = !module || json_set_string(listing->first, module, "the built-in plugin") ||
                 add_entry(listing, plugin ? plugin->path : module, plugin, failure, error);
    }
    return failed;
}

json_object *loader_list(const char *search_path, memories_error **error)
{
    AUTO_JSON json_object *entries = json_object_new_array();
    AUTO_JSON json_object *first = json_object_new_object();
    struct listing listing = { entries, first };
    int failed = !entries || !first || list_builtins(&listing);
    search_path = search_path_or_default(search_path);
    for (char *directory; !failed && (directory = search_path_next(&search_path)); free(directory))
        failed = list_directory(&listing, directory);
    if (!failed)
        return STEAL(entries);
    error_no_memory(error);
    return NULL;
}
