/*
 * doctor.c - why a plugin isn't found or doesn't load, and what to do about it
 *
 * The loader stops at the first reason; the doctor looks for all of them, with the loader's own checks. Code of the
 * plugin is run last, in a child, and only when everything else is well.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/suggest.h"
#include "core/loader/loader.h"
#include "core/loader/open.h"
#include "core/loader/refuse.h"
#include "core/loader/search.h"
#include "sdk/tool/child.h"
#include "sdk/tool/elf.h"
#include "sdk/tool/tool.h"

#define LOAD_TIMEOUT_MS 30000

/* What is found out about one plugin; also the document that --json prints. */
struct diagnosis {
    const char *search_path;
    struct plugin_file_name wanted; /* kind 0: a file whose name is no plugin's */
    char *file;                     /* the one that is used, or was asked about */
    bool given;                     /* the file was asked about, by its path */
    bool loads;
    json_object *directories; /* [{"path", "state", "file"}] */
    json_object *problems;    /* [{"failure", "message", "hint"}] */
    bool no_memory;
};

static void diagnosis_clear(struct diagnosis *diagnosis)
{
    free(diagnosis->file);
    json_object_put(diagnosis->directories);
    json_object_put(diagnosis->problems);
}

static void add_problem(struct diagnosis *diagnosis, const char *failure, const char *message, const char *hint)
{
    AUTO_JSON json_object *problem = json_object_new_object();
    if (!problem || json_set_string(problem, "failure", failure) || json_set_string(problem, "message", message) ||
        json_set_string(problem, "hint", hint) || json_add(diagnosis->problems, STEAL(problem)))
        diagnosis->no_memory = true;
}

/* What one of the loader's checks said; nothing when it passed. Frees the error. */
static bool add_refusal(struct diagnosis *diagnosis, enum load_failure failure, memories_error *error)
{
    const char *cause = memories_error_cause(error);
    AUTO_FREE char *message =
        text_format("%s%s%s", memories_error_message(error), cause ? ": " : "", cause ? cause : "");
    if (failure)
        add_problem(diagnosis, load_failure_name(failure), message, memories_error_hint(error));
    memories_error_free(error);
    return failure != LOAD_OK;
}

static bool healthy(const struct diagnosis *diagnosis)
{
    return json_count(diagnosis->problems) == 0;
}

/* ---- Libraries and symbols --------------------------------------------------------------------------------------- */

/* Opens a library as the linker would for this plugin: where the plugin's own search path says, then as always. */
static void *open_library(const struct elf *elf, const char *plugin, const char *library)
{
    const char *slash = strrchr(plugin, '/');
    const char *at = elf->search_path ? elf->search_path : "";
    for (char *directory; (directory = search_path_next(&at)); free(directory)) {
        bool beside = !strncmp(directory, "$ORIGIN", 7);
        AUTO_FREE char *path =
            text_format("%.*s%s/%s", beside ? (int)(slash - plugin) : 0, plugin, directory + (beside ? 7 : 0), library);
        void *handle = path ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : NULL;
        if (handle) {
            free(directory);
            return handle;
        }
    }
    return dlopen(library, RTLD_LAZY | RTLD_LOCAL);
}

static void add_missing_library(struct diagnosis *diagnosis, const char *library)
{
    const char *reason = dlerror();
    AUTO_FREE char *message =
        text_format("library %s can't be loaded: %s", library, reason ? reason : "no reason given");
    AUTO_FREE char *hint =
        text_format("install the package that has it (on Debian, `apt-file search %s` tells its name), "
                    "or build the plugin anew with the library that is here",
                    library);
    add_problem(diagnosis, "link", message, hint);
}

static void add_missing_symbol(struct diagnosis *diagnosis, const char *symbol)
{
    bool ours = !strncmp(symbol, "memories_", 9);
    AUTO_FREE char *message = text_format("symbol %s is in none of the libraries that it names", symbol);
    add_problem(diagnosis, "link", message,
                ours ? "a plugin doesn't call the library: what it needs from the core is in struct memories_host"
                     : "link the plugin with the library that has it; with -Wl,-z,defs the linker tells this at once");
}

static void look_up_symbols(struct diagnosis *diagnosis, const struct elf *elf)
{
    AUTO_FREE void **handles = calloc(elf->needed_count + 1, sizeof *handles);
    bool complete = handles != NULL;
    diagnosis->no_memory |= !handles;
    for (size_t i = 0; handles && i < elf->needed_count; i++) {
        handles[i] = open_library(elf, diagnosis->file, elf->needed[i]);
        complete = complete && handles[i];
        if (!handles[i])
            add_missing_library(diagnosis, elf->needed[i]);
    }
    /* What a missing library would have had is not known. */
    for (size_t i = 0; complete && i < elf->undefined_count; i++) {
        bool found = dlsym(RTLD_DEFAULT, elf->undefined[i]) != NULL;
        for (size_t n = 0; !found && n < elf->needed_count; n++)
            found = dlsym(handles[n], elf->undefined[i]) != NULL;
        if (!found)
            add_missing_symbol(diagnosis, elf->undefined[i]);
    }
}

struct linking {
    struct diagnosis *diagnosis;
    const struct elf *elf;
};

static int link_in_child(int report, void *data)
{
    const struct linking *linking = data;
    look_up_symbols(linking->diagnosis, linking->elf);
    AUTO_FREE char *text = linking->diagnosis->no_memory ? NULL : json_text(linking->diagnosis->problems);
    return text && dprintf(report, "%s", text) > 0 ? 0 : 1;
}

/* In a child: the libraries' constructors are code like the plugin's own. */
static void examine_linking(struct diagnosis *diagnosis, const struct elf *elf)
{
    struct child_end end;
    memories_error *error = NULL;
    struct linking linking = { diagnosis, elf };
    if (child_run(link_in_child, &linking, LOAD_TIMEOUT_MS, &end, &error)) {
        add_refusal(diagnosis, LOAD_LINK, error);
        return;
    }
    json_object *problems = end.exit_code ? NULL : json_parse(end.report, "the child's report", NULL);
    AUTO_FREE char *ending = problems ? NULL : child_end_text(&end, LOAD_TIMEOUT_MS);
    AUTO_FREE char *text =
        problems ? NULL : text_format("a library that it needs does not survive being loaded: %s", ending ? ending : "");
    if (problems) {
        json_object_put(diagnosis->problems);
        diagnosis->problems = problems;
    } else {
        add_problem(diagnosis, "crash", text, "its constructor has run; `ldd FILE` lists the libraries");
    }
    child_end_clear(&end);
}

static bool exports(const struct elf *elf, const char *symbol)
{
    for (size_t i = 0; i < elf->exported_count; i++)
        if (!strcmp(elf->exported[i], symbol))
            return true;
    return false;
}

static void examine_entry_point(struct diagnosis *diagnosis, const struct elf *elf)
{
    const struct plugin_file_name *wanted = &diagnosis->wanted;
    AUTO_FREE char *entry =
        text_format("%s_%s_LTX_memories_plugin_query", plugin_kind_name(wanted->kind), wanted->name);
    if (!entry || exports(elf, entry) || exports(elf, "memories_plugin_query"))
        return;
    AUTO_FREE char *message = text_format("it exports neither %s nor memories_plugin_query", entry);
    add_problem(diagnosis, load_failure_name(LOAD_NOT_A_PLUGIN), message,
                "MEMORIES_PLUGIN of memories/plugin.h makes the first; the file's name must be the plugin's");
}

/* ---- One file ---------------------------------------------------------------------------------------------------- */

static int load_in_child(int report, void *data)
{
    const struct diagnosis *diagnosis = data;
    AUTO_ERROR memories_error *error = NULL;
    enum load_failure failure = LOAD_OK;
    loader_open_file(diagnosis->file, &failure, &error);
    const char *cause = memories_error_cause(error), *hint = memories_error_hint(error);
    dprintf(report, "%s\n%s%s%s\n%s\n", load_failure_name(failure), memories_error_message(error), cause ? ": " : "",
            cause ? cause : "", hint ? hint : "");
    return failure ? 1 : 0;
}

static void examine_load(struct diagnosis *diagnosis)
{
    struct child_end end;
    memories_error *error = NULL;
    if (child_run(load_in_child, diagnosis, LOAD_TIMEOUT_MS, &end, &error)) {
        add_refusal(diagnosis, LOAD_LINK, error);
        return;
    }
    char *line = end.report, *message = strchr(line, '\n'), *hint = message ? strchr(message + 1, '\n') : NULL;
    if (!hint) {
        AUTO_FREE char *ending = child_end_text(&end, LOAD_TIMEOUT_MS);
        AUTO_FREE char *text = text_format("its code does not survive being loaded: %s", ending ? ending : "");
        add_problem(diagnosis, "crash", text,
                    "its constructors, its query function, init and describe have run; "
                    "`gdb -ex 'set follow-fork-mode child' --args memories-plugin doctor FILE` "
                    "shows where");
    } else if (end.exit_code) {
        *message++ = *hint++ = '\0';
        hint[strcspn(hint, "\n")] = '\0';
        add_problem(diagnosis, line, message, *hint ? hint : NULL);
    } else {
        diagnosis->loads = true;
    }
    child_end_clear(&end);
}

static void examine_name(struct diagnosis *diagnosis)
{
    AUTO_JSON json_object *metadata = metadata_read(diagnosis->file, NULL);
    AUTO_FREE char *hint = metadata ? text_format("rename it to %s-%s.so", json_get_string(metadata, "kind"),
                                                  json_get_string(metadata, "name"))
                                    : text_format("rename it to what it is");
    add_problem(diagnosis, load_failure_name(LOAD_NAME_MISMATCH),
                "its file is not called provider-NAME.so or topology-NAME.so", hint);
}

static void examine_file(struct diagnosis *diagnosis)
{
    memories_error *error = NULL;
    struct stat info;
    enum load_failure failure = loader_check_path(diagnosis->file, &info, &error);
    bool readable = failure == LOAD_OK || failure == LOAD_UNTRUSTED_PATH;
    add_refusal(diagnosis, failure, error);
    if (!readable)
        return;
    error = NULL;
    failure = LOAD_OK;
    if (!diagnosis->wanted.kind)
        examine_name(diagnosis);
    else
        failure = loader_check_metadata(diagnosis->file, &diagnosis->wanted, &error);
    add_refusal(diagnosis, failure, error);
    error = NULL;
    failure = loader_check_object(diagnosis->file, &error);
    if (add_refusal(diagnosis, failure, error))
        return;
    error = NULL;
    struct elf *elf = elf_read(diagnosis->file, &error);
    if (!elf) {
        add_refusal(diagnosis, LOAD_LINK, error);
        return;
    }
    examine_linking(diagnosis, elf);
    if (diagnosis->wanted.kind)
        examine_entry_point(diagnosis, elf);
    elf_free(elf);
    if (healthy(diagnosis))
        examine_load(diagnosis);
}

/* ---- The search -------------------------------------------------------------------------------------------------- */

static void add_directory(struct diagnosis *diagnosis, const char *directory, const char *state, const char *file)
{
    AUTO_JSON json_object *entry = json_object_new_object();
    if (!entry || json_set_string(entry, "path", directory) || json_set_string(entry, "state", state) ||
        json_set_string(entry, "file", file) || json_add(diagnosis->directories, STEAL(entry)))
        diagnosis->no_memory = true;
}

static void search_directory(struct diagnosis *diagnosis, const char *directory)
{
    const struct plugin_file_name *wanted = &diagnosis->wanted;
    AUTO_FREE char *path = text_format("%s/%s-%s.so", directory, plugin_kind_name(wanted->kind), wanted->name);
    struct stat info;
    DIR *entries = directory[0] == '/' ? opendir(directory) : NULL;
    int number = errno;
    if (entries)
        closedir(entries);
    if (!path)
        diagnosis->no_memory = true;
    else if (directory[0] != '/')
        add_directory(diagnosis, directory, "relative", NULL);
    else if (!lstat(path, &info)) {
        add_directory(diagnosis, directory, diagnosis->file ? "shadowed" : "used", path);
        diagnosis->file = diagnosis->file ? diagnosis->file : STEAL(path);
    } else if (!entries)
        add_directory(diagnosis, directory, number == ENOENT ? "missing" : strerror(number), NULL);
    else
        add_directory(diagnosis, directory, "without", NULL);
}

static void search_all(struct diagnosis *diagnosis)
{
    const char *at = diagnosis->search_path;
    for (char *directory; (directory = search_path_next(&at)); free(directory))
        search_directory(diagnosis, directory);
    for (at = diagnosis->search_path; *at;) {
        AUTO_FREE char *directory = search_path_next(&at);
        if (directory && directory[0] != '/')
            add_problem(diagnosis, load_failure_name(LOAD_UNTRUSTED_PATH),
                        "the plugin path has a relative directory, and so is refused as a whole",
                        "write every directory of MEMORIES_PLUGIN_PATH or --plugin-path from / on");
    }
}

/* A file of another name that holds the wanted plugin. */
static void look_for_misnamed(struct diagnosis *diagnosis, const char *directory, const char *file_name)
{
    const struct plugin_file_name *wanted = &diagnosis->wanted;
    const char *dot = strrchr(file_name, '.');
    AUTO_FREE char *path = dot && !strcmp(dot, ".so") ? text_format("%s/%s", directory, file_name) : NULL;
    AUTO_JSON json_object *metadata = path ? metadata_read(path, NULL) : NULL;
    if (!metadata || strcmp(json_get_string(metadata, "name"), wanted->name) ||
        strcmp(json_get_string(metadata, "kind"), plugin_kind_name(wanted->kind)))
        return;
    AUTO_FREE char *message = text_format("%s holds it, under a name by which it isn't found", path);
    AUTO_FREE char *hint =
        text_format("rename it: mv %s %s/%s-%s.so", path, directory, plugin_kind_name(wanted->kind), wanted->name);
    add_problem(diagnosis, load_failure_name(LOAD_NAME_MISMATCH), message, hint);
}

/* Fills names[] with the plugins of the wanted kind along the path, as new strings. */
static size_t known_names(struct diagnosis *diagnosis, char **names, size_t names_max)
{
    size_t count = 0;
    const char *at = diagnosis->search_path;
    for (char *directory; (directory = search_path_next(&at)); free(directory)) {
        struct dirent **entries = NULL;
        int found = directory[0] == '/' ? scandir(directory, &entries, NULL, alphasort) : 0;
        for (int i = 0; i < found; i++) {
            struct plugin_file_name file;
            look_for_misnamed(diagnosis, directory, entries[i]->d_name);
            if (count < names_max && plugin_file_name_parse(entries[i]->d_name, &file) &&
                file.kind == diagnosis->wanted.kind && (names[count] = strdup(file.name)))
                count++;
            free(entries[i]);
        }
        free(entries);
    }
    return count;
}

static void explain_absence(struct diagnosis *diagnosis)
{
    const struct plugin_file_name *wanted = &diagnosis->wanted;
    char *names[64];
    size_t count = known_names(diagnosis, names, ARRAY_COUNT(names));
    const char *meant = suggest_name(wanted->name, (const char *const *)names, count);
    if (healthy(diagnosis)) {
        AUTO_FREE char *message =
            text_format("no directory has a file %s-%s.so", plugin_kind_name(wanted->kind), wanted->name);
        AUTO_FREE char *hint =
            meant ? text_format("did you mean \"%s\"?", meant)
                  : text_format("install it there, or name its directory: export MEMORIES_PLUGIN_PATH=DIR:%s",
                                diagnosis->search_path);
        add_problem(diagnosis, load_failure_name(LOAD_NOT_FOUND), message, hint);
    }
    for (size_t i = 0; i < count; i++)
        free(names[i]);
}

static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;
    return !stat(one, &a) && !stat(other, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* A file that was named by its path: would its name find it? */
static void explain_shadow(struct diagnosis *diagnosis, const char *found)
{
    const char *slash = strrchr(diagnosis->file, '/');
    if (found && is_same_file(found, diagnosis->file))
        return;
    AUTO_FREE char *message = found ? text_format("by its name %s is found and used, not this file", found)
                                    : text_format("its name doesn't find it: its directory is not in the plugin path");
    AUTO_FREE char *hint =
        text_format("put its directory in front: export MEMORIES_PLUGIN_PATH=%.*s:%s",
                    (int)(slash - diagnosis->file), diagnosis->file, diagnosis->search_path);
    add_problem(diagnosis, found ? load_failure_name(LOAD_DUPLICATE) : load_failure_name(LOAD_NOT_FOUND), message,
                hint);
}

static bool is_built_in(const struct plugin_file_name *wanted)
{
    for (const struct builtin_plugin *builtin = loader_builtins(); builtin->name; builtin++)
        if (builtin->kind == wanted->kind && !strcmp(builtin->name, wanted->name))
            return true;
    return false;
}

static void diagnose_name(struct diagnosis *diagnosis)
{
    if (is_built_in(&diagnosis->wanted)) {
        diagnosis->loads = true;
        diagnosis->file = strdup("(built in)");
        return;
    }
    search_all(diagnosis);
    if (diagnosis->file)
        examine_file(diagnosis);
    else
        explain_absence(diagnosis);
}

static void diagnose_file(struct diagnosis *diagnosis)
{
    char *file = STEAL(diagnosis->file);
    diagnosis->given = true;
    if (plugin_file_name_parse(file, &diagnosis->wanted))
        search_all(diagnosis);
    else
        diagnosis->wanted.kind = 0;
    AUTO_FREE char *found = diagnosis->file;
    diagnosis->file = file;
    examine_file(diagnosis);
    if (diagnosis->loads)
        explain_shadow(diagnosis, found);
}

/* ---- Telling it -------------------------------------------------------------------------------------------------- */

static const char *state_text(const char *state)
{
    static const struct {
        const char *state, *text;
    } texts[] = { { "used", "has it, and comes first: this file is used" },
                  { "shadowed", "has it too, but an earlier directory comes first" },
                  { "without", "has no such file" },
                  { "missing", "does not exist" },
                  { "relative", "is relative: refused" } };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        if (!strcmp(texts[i].state, state))
            return texts[i].text;
    return state;
}

static void print_problems(json_object *problems)
{
    for (size_t i = 0; i < json_count(problems); i++) {
        json_object *problem = json_object_array_get_idx(problems, i);
        printf("  %s%s%s: ", screen_colour(stdout, COLOUR_RED), json_get_string(problem, "failure"),
               screen_colour(stdout, COLOUR_NONE));
        text_put(stdout, json_get_string(problem, "message"));
        putchar('\n');
        if (json_get_string(problem, "hint")) {
            fputs("    ", stdout);
            text_put(stdout, json_get_string(problem, "hint"));
            putchar('\n');
        }
    }
}

static void print_diagnosis(const struct diagnosis *diagnosis)
{
    const struct plugin_file_name *wanted = &diagnosis->wanted;
    if (wanted->kind)
        printf("%s%s \"%s\"%s\n", screen_colour(stdout, COLOUR_BOLD), plugin_kind_name(wanted->kind), wanted->name,
               screen_colour(stdout, COLOUR_NONE));
    for (size_t i = 0; i < json_count(diagnosis->directories); i++) {
        json_object *directory = json_object_array_get_idx(diagnosis->directories, i);
        printf("  %s %s\n", json_get_string(directory, "path"), state_text(json_get_string(directory, "state")));
    }
    if (diagnosis->file)
        printf("%s: %s\n", diagnosis->file, diagnosis->loads ? "loads" : "does not load");
    print_problems(diagnosis->problems);
}

static json_object *diagnosis_json(const struct diagnosis *diagnosis)
{
    const struct plugin_file_name *wanted = &diagnosis->wanted;
    AUTO_JSON json_object *document = json_object_new_object();
    if (!document || json_set_string(document, "kind", wanted->kind ? plugin_kind_name(wanted->kind) : NULL) ||
        json_set_string(document, "name", wanted->kind ? wanted->name : NULL) ||
        json_set_string(document, "file", diagnosis->file) || json_set_bool(document, "loads", diagnosis->loads) ||
        json_set(document, "directories", json_ref(diagnosis->directories)) ||
        json_set(document, "problems", json_ref(diagnosis->problems)))
        return NULL;
    return STEAL(document);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

/* Adds what was found to `documents`, or prints it; returns the exit code. */
static int tell(const struct tool_request *request, const struct diagnosis *diagnosis, json_object *documents)
{
    if (diagnosis->no_memory)
        return tool_report_no_memory(request);
    if (!tool_has(request, TOOL_OPTION_JSON))
        print_diagnosis(diagnosis);
    else if (json_add(documents, diagnosis_json(diagnosis)))
        return tool_report_no_memory(request);
    return healthy(diagnosis) ? TOOL_OK : TOOL_PROBLEM;
}

static struct diagnosis diagnosis_new(const struct tool_request *request)
{
    struct diagnosis diagnosis = { .search_path = search_path_or_default(request->values[TOOL_OPTION_PLUGIN_PATH]),
                                   .directories = json_object_new_array(),
                                   .problems = json_object_new_array() };
    diagnosis.no_memory = !diagnosis.directories || !diagnosis.problems;
    return diagnosis;
}

static int doctor_file(const struct tool_request *request, const char *path, json_object *documents)
{
    struct diagnosis diagnosis = diagnosis_new(request);
    diagnosis.file = realpath(path, NULL);
    if (diagnosis.file) {
        diagnose_file(&diagnosis);
    } else {
        AUTO_FREE char *message = text_format("%s: %s", path, strerror(errno));
        add_problem(&diagnosis, load_failure_name(LOAD_NOT_FOUND), message, NULL);
    }
    int code = tell(request, &diagnosis, documents);
    diagnosis_clear(&diagnosis);
    return code;
}

/* A name of either kind. When only one kind is there, that one is meant. */
static int doctor_name(const struct tool_request *request, uint32_t kind, const char *name, json_object *documents)
{
    static const uint32_t kinds[] = { MEMORIES_PLUGIN_PROVIDER, MEMORIES_PLUGIN_TOPOLOGY };
    struct diagnosis diagnoses[ARRAY_COUNT(kinds)];
    int code = TOOL_OK;
    bool found = false;
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        diagnoses[i] = diagnosis_new(request);
        diagnoses[i].wanted.kind = kinds[i];
        snprintf(diagnoses[i].wanted.name, sizeof diagnoses[i].wanted.name, "%s", name);
        if (!kind || kind == kinds[i])
            diagnose_name(&diagnoses[i]);
        found |= diagnoses[i].file != NULL;
    }
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        bool asked = (!kind || kind == kinds[i]) && (!found || diagnoses[i].file);
        int one = asked ? tell(request, &diagnoses[i], documents) : TOOL_OK;
        code = one > code ? one : code;
        diagnosis_clear(&diagnoses[i]);
    }
    return code;
}

static bool is_path(const char *text)
{
    return strchr(text, '/') || strchr(text, '.');
}

/* "provider-local" and "topology-pair" name a kind too. */
static const char *split_name(const char *text, uint32_t *kind)
{
    AUTO_FREE char *file_name = text_format("%s.so", text);
    struct plugin_file_name file;
    *kind = 0;
    if (!file_name || !plugin_file_name_parse(file_name, &file))
        return text;
    *kind = file.kind;
    return strchr(text, '-') + 1;
}

int tool_doctor(const struct tool_request *request)
{
    const char *subject = request->arguments[0];
    AUTO_JSON json_object *documents = json_object_new_array();
    if (!documents)
        return tool_report_no_memory(request);
    uint32_t kind;
    const char *name = split_name(subject, &kind);
    int code;
    if (is_path(subject))
        code = doctor_file(request, subject, documents);
    else if (!plugin_name_is_valid(name))
        return tool_report_usage(request,
                                 "\"%s\" can't be a plugin's name: those are of lower-case letters, digits and _, "
                                 "and begin with a letter",
                                 subject);
    else
        code = doctor_name(request, kind, name, documents);
    if (tool_has(request, TOOL_OPTION_JSON))
        tool_print_json(request, documents);
    return code;
}
