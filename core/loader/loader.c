/*
 * loader.c - opening one plugin, from its path to a table that can be called
 *
 * The order of the checks is part of the ABI: nothing of a file is believed, and none of its code runs, before the checks
 * in front have passed. libltdl is known here only. Its habits, and what is done about them:
 *   - its state is global and unguarded: one mutex is held round all of it;
 *   - it turns most errors into "file not found": dlopen goes first, and its words are kept;
 *   - it binds lazily: that first dlopen binds everything at once;
 *   - it searches, and follows .la files: it is only ever given an absolute path that ends in .so;
 *   - closing a module crashes threads that still hold a key of it: modules stay for the life of the process.
 */
#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/schema.h"
#include "core/loader/decorator.h"
#include "core/loader/descriptor.h"
#include "core/loader/isolate.h"
#include "core/loader/object.h"
#include "core/loader/open.h"
#include "core/loader/refuse.h"

#define ENTRY_POINT "memories_plugin_query"
#define BUILT_IN_PATH "(built in)"

/* A file whose code is in the process; never freed. One that was refused after that is kept too, so that a second try
 * neither maps it nor initialises it again. */
struct module {
    struct module *next;
    dev_t device;
    ino_t inode;
    memories_plugin_query_fn *query; /* NULL: it has none */
    struct plugin plugin;
    bool isolated;               /* its code is in another process */
    struct decorator *innermost; /* of an isolated one: carries calls over */
    pthread_mutex_t lock;
    bool decorated;
    bool initialised;
    bool ready;
};

/* A decorator to be put round plugins that will be loaded. */
struct decoration {
    struct decoration *next;
    char *name; /* NULL: every plugin */
    decorator_maker *make;
    void *data;
};

static pthread_mutex_t loader_lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below, and libltdl */
static struct module *modules;
static struct decoration *decorations; /* the innermost first */

extern const char schema_provider_description[];
extern const char schema_topology_description[];

static struct module *module_new(const char *path, memories_error **error)
{
    struct module *module = calloc(1, sizeof *module);
    if (!module || !(module->plugin.path = strdup(path)) || pthread_mutex_init(&module->lock, NULL)) {
        if (module)
            free(module->plugin.path);
        free(module);
        error_no_memory(error);
        return NULL;
    }
    module->next = modules;
    modules = module;
    return module;
}

/* ---- From path to code ------------------------------------------------------------------------------------------- */

enum load_failure loader_check_path(const char *path, struct stat *info, memories_error **error)
{
    static const char hint[] = "memories plugins lists the plugins that were found";
    AUTO_ERROR memories_error *problem = NULL;
    int code = trust_check(path, &problem);
    if (code == MEMORIES_NOT_FOUND || (!code && stat(path, info)))
        return refuse(LOAD_NOT_FOUND, path, hint, error, "there is no such file");
    if (code) {
        const char *next_step = memories_error_hint(problem), *cause = memories_error_cause(problem);
        return refuse(LOAD_UNTRUSTED_PATH, path,
                      next_step ? next_step : "use a plain path whose every part you can read", error,
                      "it is not safe to load: %s%s%s", memories_error_message(problem), cause ? ": " : "",
                      cause ? cause : "");
    }
    if (!S_ISREG(info->st_mode))
        return refuse(LOAD_NOT_A_PLUGIN, path, "remove it from the plugin directory", error, "it is not a regular file");
    return LOAD_OK;
}

/* A file without metadata is let through: what it says is then only known from its code. */
enum load_failure loader_check_metadata(const char *path, const struct plugin_file_name *file, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    AUTO_JSON json_object *metadata = metadata_read(path, &problem);
    if (!metadata && memories_error_code(problem) == MEMORIES_NOT_FOUND)
        return LOAD_OK;
    if (!metadata)
        return refuse(LOAD_LINK, path, "make the file readable", error, "it can't be read: %s",
                      memories_error_cause(problem) ? memories_error_cause(problem) : memories_error_message(problem));
    enum load_failure failure = descriptor_check_metadata(path, metadata, error);
    return failure ? failure
                   : descriptor_check_name(path, plugin_kind_of(json_get_string(metadata, "kind")),
                                           json_get_string(metadata, "name"), file, error);
}

/* dlerror's text begins with the path, which the error has already. */
static const char *without_path(const char *text, const char *path)
{
    size_t length = strlen(path);
    return !strncmp(text, path, length) && !strncmp(text + length, ": ", 2) ? text + length + 2 : text;
}

static enum load_failure refuse_link(const char *path, const char *cause, memories_error **error)
{
    AUTO_FREE char *hint = text_format("ldd -r %s shows the libraries and functions that it misses", path);
    refuse(LOAD_LINK, path, hint, error, "it can't be linked: %s", cause);
    return LOAD_LINK;
}

enum load_failure loader_check_object(const char *path, memories_error **error)
{
    AUTO_ERROR memories_error *problem = NULL;
    if (!object_check(path, &problem))
        return LOAD_OK;
    const char *cause = memories_error_cause(problem);
    return refuse(LOAD_LINK, path, "install or build the plugin anew, for this machine", error, "it is %s%s%s",
                  memories_error_message(problem), cause ? ": " : "", cause ? cause : "");
}

static lt_dlhandle open_with_libltdl(const char *path)
{
    static bool started;
    if (!started && lt_dlinit())
        return NULL;
    started = true;
    lt_dladvise advise;
    if (lt_dladvise_init(&advise))
        return NULL;
    lt_dlhandle handle = NULL;
    if (!lt_dladvise_local(&advise) && !lt_dladvise_resident(&advise))
        handle = lt_dlopenadvise(path, advise);
    lt_dladvise_destroy(&advise);
    return handle;
}

static enum load_failure load_code(const char *path, memories_plugin_query_fn **query, memories_error **error)
{
    void *preflight = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!preflight)
        return refuse_link(path, without_path(dlerror(), path), error);
    lt_dlhandle handle = open_with_libltdl(path);
    if (!handle) {
        const char *cause = lt_dlerror();
        return refuse_link(path, cause ? cause : "libltdl gave no reason", error);
    }
    dlclose(preflight);
    /* Tries provider_NAME_LTX_memories_plugin_query first. */
    *query = (memories_plugin_query_fn *)lt_dlsym(handle, ENTRY_POINT);
    return LOAD_OK;
}

/* ---- From code to plugin ----------------------------------------------------------------------------------------- */

static enum load_failure query_module(struct module *module, const struct plugin_file_name *file,
                                      memories_error **error)
{
    const char *path = module->plugin.path;
    static const char hint[] = "MEMORIES_PLUGIN in memories/plugin.h makes one; if this is no plugin, remove it from here";
    if (!module->query)
        return refuse(LOAD_NOT_A_PLUGIN, path, hint, error, "it has no function %s_%s_LTX_" ENTRY_POINT " or " ENTRY_POINT,
                      plugin_kind_name(file->kind), file->name);
    const struct memories_plugin_descriptor *descriptor = module->query();
    if (!descriptor)
        return refuse(LOAD_NOT_A_PLUGIN, path, hint, error, "its function " ENTRY_POINT " returned no descriptor");
    descriptor_clear(&module->plugin);
    return descriptor_take(descriptor, file, &module->plugin, error);
}

static enum load_failure check_duplicate(const struct module *module, memories_error **error)
{
    const struct plugin *plugin = &module->plugin;
    for (const struct module *other = modules; other; other = other->next)
        if (other->ready && other->isolated == module->isolated && other->plugin.kind == plugin->kind &&
            !strcmp(other->plugin.name, plugin->name))
            return refuse(LOAD_DUPLICATE, plugin->path, "remove one of the two files", error,
                          "%s \"%s\" was loaded from %s already", plugin_kind_name(plugin->kind), plugin->name,
                          other->plugin.path);
    return LOAD_OK;
}

static enum load_failure refuse_init(const struct plugin *plugin, const char *what, const memories_error *reason,
                                     memories_error **error)
{
    const char *place = memories_error_where(reason), *cause = memories_error_cause(reason);
    bool elsewhere = place && strcmp(place, plugin->path);
    const char *hint = memories_error_hint(reason);
    return refuse(LOAD_INIT_FAILED, plugin->path, hint ? hint : "see the plugin's documentation for what it needs", error,
                  "%s: %s%s%s%s%s", what, elsewhere ? place : "", elsewhere ? ": " : "", memories_error_message(reason),
                  cause ? ": " : "", cause ? cause : "");
}

static int check_description(const struct plugin *plugin, json_object *description, memories_error **error)
{
    const char *text =
        plugin->kind == MEMORIES_PLUGIN_PROVIDER ? schema_provider_description : schema_topology_description;
    if (!description)
        return error_set(error, MEMORIES_INTERNAL, "slot describe gave no result");
    AUTO_JSON json_object *document = json_parse(text, "the schema of descriptions", error);
    struct schema *schema = document ? schema_compile(document, "the schema of descriptions", error) : NULL;
    if (!schema)
        return MEMORIES_INTERNAL;
    int failed = schema_require(schema, description, "description", error);
    schema_free(schema);
    return failed;
}

/* "local", "provider-local" */
static bool is_called(const struct plugin *plugin, const char *name)
{
    const char *kind = plugin_kind_name(plugin->kind);
    size_t length = strlen(kind);
    return !strcmp(name, plugin->name) ||
           (!strncmp(name, kind, length) && name[length] == '-' && !strcmp(name + length + 1, plugin->name));
}

static int decorate(struct module *module, memories_error **error)
{
    struct plugin *plugin = &module->plugin;
    plugin->decorator = module->innermost;
    for (const struct decoration *decoration = decorations; decoration; decoration = decoration->next) {
        if (decoration->name && !is_called(plugin, decoration->name))
            continue;
        struct decorator *decorator = decoration->make(plugin, decoration->data, error);
        if (!decorator)
            return MEMORIES_FAILED;
        decorator->inner = plugin->decorator;
        plugin->decorator = decorator;
    }
    return 0;
}

static enum load_failure start_plugin(struct module *module, memories_error **error)
{
    struct plugin *plugin = &module->plugin;
    AUTO_ERROR memories_error *reason = NULL;
    plugin->lock = plugin->thread_model == MEMORIES_THREADS_CONCURRENT ? NULL : &module->lock;
    if (!module->decorated && decorate(module, &reason))
        return refuse_init(plugin, "it could not be decorated", reason, error);
    module->decorated = true;
    if (!module->initialised && call_init(plugin, &reason))
        return refuse_init(plugin, "it could not be initialised", reason, error);
    module->initialised = true;
    AUTO_JSON json_object *description = NULL;
    if (call_describe(plugin, &description, &reason) || check_description(plugin, description, &reason))
        return refuse_init(plugin, "it describes itself wrongly", reason, error);
    plugin->description = STEAL(description);
    module->ready = true;
    return LOAD_OK;
}

static enum load_failure make_ready(struct module *module, const struct plugin_file_name *file, memories_error **error)
{
    const struct plugin *plugin = &module->plugin;
    enum load_failure failure = module->isolated
                                    ? descriptor_check_name(plugin->path, plugin->kind, plugin->name, file, error)
                                    : query_module(module, file, error);
    if (!failure)
        failure = check_duplicate(module, error);
    return failure ? failure : start_plugin(module, error);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static struct module *module_of_file(const struct stat *info, bool isolated)
{
    for (struct module *module = modules; module; module = module->next)
        if (module->inode == info->st_ino && module->device == info->st_dev && module->inode &&
            module->isolated == isolated)
            return module;
    return NULL;
}

/* The plugin that came from this path, though another file may be there now: what is mapped stays. */
static struct module *module_of_path(const char *path, bool isolated)
{
    for (struct module *module = modules; module; module = module->next)
        if (module->ready && module->isolated == isolated && !strcmp(module->plugin.path, path))
            return module;
    return NULL;
}

/* In another process: when that fails, nothing is left of it, and the next time another one is tried. */
static enum load_failure load_isolated(const char *path, const struct stat *info, struct module **module,
                                       memories_error **error)
{
    struct module *known = module_new(path, error);
    if (!known)
        return LOAD_LINK;
    known->isolated = true;
    enum load_failure failure = isolate_start(&known->plugin, &known->innermost, error);
    if (failure) {
        descriptor_clear(&known->plugin);
        return failure;
    }
    known->device = info->st_dev;
    known->inode = info->st_ino;
    *module = known;
    return LOAD_OK;
}

static enum load_failure load_module(const char *path, const struct plugin_file_name *file, const struct stat *info,
                                     bool isolated, struct module **module, memories_error **error)
{
    memories_plugin_query_fn *query = NULL;
    enum load_failure failure = loader_check_metadata(path, file, error);
    if (!failure)
        failure = loader_check_object(path, error);
    if (!failure && isolated)
        return load_isolated(path, info, module, error);
    if (!failure)
        failure = load_code(path, &query, error);
    if (failure)
        return failure;
    *module = module_new(path, error);
    if (!*module)
        return LOAD_LINK;
    (*module)->device = info->st_dev;
    (*module)->inode = info->st_ino;
    (*module)->query = query;
    return LOAD_OK;
}

/* How far a file is opened. */
enum opening { OPEN_MAPPED, OPEN_READY, OPEN_ISOLATED };

static enum load_failure open_file(const char *path, enum opening opening, struct module **module, memories_error **error)
{
    struct stat info;
    struct plugin_file_name file;
    enum load_failure failure = loader_check_path(path, &info, error);
    if (failure)
        return failure;
    if (!plugin_file_name_parse(path, &file))
        return refuse(LOAD_NAME_MISMATCH, path, "rename it to what it is", error,
                      "its file is not called provider-NAME.so or topology-NAME.so");
    bool isolated = opening == OPEN_ISOLATED;
    *module = module_of_file(&info, isolated);
    if (!*module)
        *module = module_of_path(path, isolated);
    if (!*module) {
        failure = load_module(path, &file, &info, isolated, module, error);
        if (failure)
            return failure;
    }
    if (opening == OPEN_MAPPED)
        return query_module(*module, &file, error);
    if (!(*module)->ready)
        return make_ready(*module, &file, error);
    return descriptor_check_name(path, (*module)->plugin.kind, (*module)->plugin.name, &file, error);
}

static const struct plugin *opened(const struct module *module, enum load_failure result, enum load_failure *failure)
{
    if (failure)
        *failure = result;
    return result ? NULL : &module->plugin;
}

static const struct plugin *open_as(const char *path, enum opening opening, enum load_failure *failure,
                                    memories_error **error)
{
    struct module *module = NULL;
    pthread_mutex_lock(&loader_lock);
    enum load_failure result = open_file(path, opening, &module, error);
    pthread_mutex_unlock(&loader_lock);
    return opened(module, result, failure);
}

const struct plugin *loader_open_file(const char *path, enum load_failure *failure, memories_error **error)
{
    return open_as(path, OPEN_READY, failure, error);
}

const struct plugin *loader_open_isolated_file(const char *path, enum load_failure *failure, memories_error **error)
{
    return open_as(path, OPEN_ISOLATED, failure, error);
}

const struct plugin *loader_map_file(const char *path, enum load_failure *failure, memories_error **error)
{
    return open_as(path, OPEN_MAPPED, failure, error);
}

const struct builtin_plugin *loader_builtins(void)
{
    static const struct builtin_plugin none[] = { { 0, NULL, NULL } };
    return builtin_plugins ? builtin_plugins : none;
}

static enum load_failure open_builtin(const struct builtin_plugin *builtin, struct module **module,
                                      memories_error **error)
{
    struct plugin_file_name name = { .kind = builtin->kind };
    snprintf(name.name, sizeof name.name, "%s", builtin->name);
    for (*module = modules; *module; *module = (*module)->next)
        if ((*module)->query == builtin->query)
            break;
    if (!*module) {
        *module = module_new(BUILT_IN_PATH, error);
        if (!*module)
            return LOAD_LINK;
        (*module)->query = builtin->query;
    }
    return (*module)->ready ? LOAD_OK : make_ready(*module, &name, error);
}

const struct plugin *loader_open_builtin(const struct builtin_plugin *builtin, enum load_failure *failure,
                                         memories_error **error)
{
    struct module *module = NULL;
    pthread_mutex_lock(&loader_lock);
    enum load_failure result = open_builtin(builtin, &module, error);
    pthread_mutex_unlock(&loader_lock);
    return opened(module, result, failure);
}

/* ---- Decorators -------------------------------------------------------------------------------------------------- */

static int check_not_loaded(const char *name, memories_error **error)
{
    for (const struct module *module = modules; module; module = module->next)
        if (module->decorated && (!name || is_called(&module->plugin, name))) {
            error_set(error, MEMORIES_CONFLICT, "%s %s is in use already", plugin_kind_name(module->plugin.kind),
                      module->plugin.name);
            error_hint(error, "ask for it before the first call that needs the plugin");
            return MEMORIES_CONFLICT;
        }
    return 0;
}

static int append_decoration(const char *name, decorator_maker *make, void *data, memories_error **error)
{
    struct decoration *decoration = calloc(1, sizeof *decoration);
    char *copy = name ? strdup(name) : NULL;
    if (!decoration || (name && !copy)) {
        free(decoration);
        return error_no_memory(error);
    }
    *decoration = (struct decoration){ NULL, copy, make, data };
    struct decoration **end = &decorations;
    while (*end)
        end = &(*end)->next;
    *end = decoration;
    return 0;
}

int loader_decorate(const char *name, decorator_maker *make, void *data, memories_error **error)
{
    pthread_mutex_lock(&loader_lock);
    int failed = check_not_loaded(name, error);
    if (!failed)
        failed = append_decoration(name, make, data, error);
    pthread_mutex_unlock(&loader_lock);
    return failed;
}
