/* test_loader.c - plugins that must not load, with their exact reasons; and those that must, in spite of libltdl */
#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/loader/call.h"
#include "core/loader/loader.h"
#include "core/loader/open.h"

#define FILE_BYTES_MAX (64u << 20)

/* ---- A plugin that is part of this program ----------------------------------------------------------------------- */

static const struct memories_host *builtin_host;

static int32_t builtin_init(const struct memories_host *host, struct memories_call *call)
{
    builtin_host = host;
    return 0;
}

static int32_t builtin_describe(struct memories_call *call)
{
    return builtin_host->result(call, "{\"version\": 1, \"summary\": \"built in\"}");
}

static int32_t builtin_plan(struct memories_call *call, const char *request)
{
    return builtin_host->result(call, request);
}

static const struct memories_topology_ops builtin_ops = {
    .size = sizeof builtin_ops, .init = builtin_init, .describe = builtin_describe, .plan = builtin_plan
};
MEMORIES_PLUGIN(topology, within, "3.2.1", "MIT", NULL, MEMORIES_THREADS_SERIALISED, 0, &builtin_ops,
                sizeof builtin_ops)

const struct builtin_plugin builtin_plugins[] = {
    { MEMORIES_PLUGIN_TOPOLOGY, "within", topology_within_LTX_memories_plugin_query }, { 0, NULL, NULL }
};

/* ---- A directory of plugins -------------------------------------------------------------------------------------- */

static char root[PATH_MAX]; /* of this test; closed to others */

static void setup(void)
{
    const char *temporary = getenv("TMPDIR");
    AUTO_FREE char *real = realpath(temporary ? temporary : "/tmp", NULL);
    snprintf(root, sizeof root, "%s/memories-loader-XXXXXX", real);
    ck_assert_ptr_nonnull(mkdtemp(root));
    unsetenv("MEMORIES_PLUGIN_PATH");
}

static void teardown(void)
{
    directory_remove(root, NULL);
}

/* A path below root. */
PRINTF_LIKE(1, 2)
static char *below(const char *format, ...)
{
    struct text text = TEXT_INIT;
    va_list arguments;
    text_printf(&text, "%s/", root);
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    return text_take(&text);
}

static void write_file(const char *path, const void *content, size_t bytes)
{
    memories_error *error = NULL;
    int failed = file_write(path, content, bytes, 0644, false, &error);
    ck_assert_msg(!failed, "%s", memories_error_message(error));
}

static char *read_variant(const char *variant, const char *file, size_t *bytes)
{
    memories_error *error = NULL;
    const char *builddir = getenv("builddir");
    AUTO_FREE char *path =
        text_format("%s/tests/plugins/variants/%s/%s", builddir ? builddir : ".", variant, file);
    char *content = file_read(path, FILE_BYTES_MAX, bytes, &error);
    ck_assert_msg(content != NULL, "%s", memories_error_message(error));
    return content;
}

/* Copies a variant to root/`name`; new path. */
static char *install_as(const char *variant, const char *name)
{
    size_t bytes;
    const char *file = strncmp(variant, "topology_", 9) ? "provider-broken.so" : "topology-broken.so";
    AUTO_FREE char *content = read_variant(variant, file, &bytes);
    char *path = below("%s", name);
    write_file(path, content, bytes);
    return path;
}

static char *install(const char *variant)
{
    return install_as(variant, strncmp(variant, "topology_", 9) ? "provider-broken.so" : "topology-broken.so");
}

static char *make_directory(const char *name, mode_t mode)
{
    char *path = below("%s", name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static const struct plugin *open_good(const char *path)
{
    AUTO_ERROR memories_error *error = NULL;
    enum load_failure failure = LOAD_LINK;
    const struct plugin *plugin = loader_open_file(path, &failure, &error);
    ck_assert_msg(plugin != NULL, "%s", memories_error_message(error));
    ck_assert_int_eq(failure, LOAD_OK);
    return plugin;
}

static void assert_refused(const struct plugin *plugin, enum load_failure found, const memories_error *error,
                           enum load_failure failure, const char *where, const char *message)
{
    ck_assert_ptr_null(plugin);
    ck_assert_str_eq(memories_error_message(error), message);
    ck_assert_str_eq(load_failure_name(found), load_failure_name(failure));
    if (where)
        ck_assert_str_eq(memories_error_where(error), where);
    ck_assert_msg(memories_error_hint(error) != NULL, "no next step is told");
    ck_assert_int_lt(memories_error_code(error), 0);
}

static void refuse_file(const char *path, enum load_failure failure, const char *message)
{
    AUTO_ERROR memories_error *error = NULL;
    enum load_failure found = LOAD_OK;
    const struct plugin *plugin = loader_open_file(path, &found, &error);
    assert_refused(plugin, found, error, failure, path, message);
}

/* ---- One defect each --------------------------------------------------------------------------------------------- */

static const struct {
    const char *variant;
    enum load_failure failure;
    const char *message;
} broken[] = {
    { "metadata_other_name", LOAD_NAME_MISMATCH,
      "it calls itself provider \"other\", but its file says provider \"broken\"" },
    { "metadata_other_kind", LOAD_NAME_MISMATCH,
      "it calls itself topology \"broken\", but its file says provider \"broken\"" },
    { "metadata_other_major", LOAD_OTHER_MAJOR, "it was built for plugin ABI 2.0, expected 1.x" },
    { "metadata_too_new", LOAD_NEEDS_NEWER_CORE, "it needs plugin ABI 1.99 or later, this memories has 1.1" },
    { "undefined_symbol", LOAD_LINK,
      "it can't be linked: undefined symbol: memories_test_function_of_nowhere" },
    { "missing_library", LOAD_LINK,
      "it can't be linked: libmemories_test_gone.so: cannot open shared object file: No such file or directory" },
    { "without_entry_point", LOAD_NOT_A_PLUGIN,
      "it has no function provider_broken_LTX_memories_plugin_query or memories_plugin_query" },
    { "null_descriptor", LOAD_NOT_A_PLUGIN, "its function memories_plugin_query returned no descriptor" },
    { "wrong_magic", LOAD_NOT_A_PLUGIN, "its descriptor begins with 0x12345678, expected 0x4d454d50" },
    { "other_major", LOAD_OTHER_MAJOR, "it was built for plugin ABI 2.0, expected 1.x" },
    { "too_new", LOAD_NEEDS_NEWER_CORE, "it needs plugin ABI 1.99 or later, this memories has 1.1" },
    { "unknown_kind", LOAD_NOT_A_PLUGIN, "its descriptor is of kind 7, expected 1 (provider) or 2 (topology)" },
    { "short_descriptor", LOAD_TRUNCATED, "its descriptor has 40 bytes, expected at least 80" },
    { "without_name", LOAD_TRUNCATED, "its descriptor has no name" },
    { "without_version", LOAD_TRUNCATED, "its descriptor has no version" },
    { "without_licence", LOAD_TRUNCATED, "its descriptor has no licence" },
    { "without_ops", LOAD_TRUNCATED, "its descriptor has no operations" },
    { "short_ops", LOAD_TRUNCATED,
      "its descriptor says that the operations have 32 bytes, expected at least 120" },
    { "short_table", LOAD_TRUNCATED, "its operations have 24 bytes, expected at least 120" },
    { "without_describe", LOAD_MISSING_SLOT, "it lacks operations that every provider has: describe" },
    { "without_open", LOAD_MISSING_SLOT, "it lacks operations that every provider has: open" },
    { "without_close", LOAD_MISSING_SLOT, "it lacks operations that every provider has: close" },
    { "without_lower", LOAD_MISSING_SLOT, "it lacks operations that every provider has: lower" },
    { "without_create", LOAD_MISSING_SLOT, "it lacks operations that every provider has: create" },
    { "without_read", LOAD_MISSING_SLOT, "it lacks operations that every provider has: read" },
    { "without_destroy", LOAD_MISSING_SLOT, "it lacks operations that every provider has: destroy" },
    { "without_slots", LOAD_MISSING_SLOT,
      "it lacks operations that every provider has: describe, open, close, lower, create, read, destroy" },
    { "topology_without_slots", LOAD_MISSING_SLOT, "it lacks operations that every topology has: describe, plan" },
    { "other_kind", LOAD_NAME_MISMATCH,
      "it calls itself topology \"broken\", but its file says provider \"broken\"" },
    { "other_name", LOAD_NAME_MISMATCH,
      "it calls itself provider \"other\", but its file says provider \"broken\"" },
    { "bad_name", LOAD_NAME_MISMATCH,
      "it calls itself provider \"Not A Name\", but its file says provider \"broken\"" },
    { "init_fails", LOAD_INIT_FAILED,
      "it could not be initialised: /etc/credentials: no credentials: permission denied" },
    { "init_fails_silently", LOAD_INIT_FAILED,
      "it could not be initialised: the plugin provider broken is defective: slot init returned -1 (failed) and didn't "
      "report why" },
    { "describe_fails", LOAD_INIT_FAILED, "it describes itself wrongly: words fail me" },
    { "describe_gives_nothing", LOAD_INIT_FAILED, "it describes itself wrongly: slot describe gave no result" },
    { "describe_gives_rubbish", LOAD_INIT_FAILED,
      "it describes itself wrongly: the plugin provider broken is defective: slot describe gave a bad result: it is not "
      "JSON: unexpected end of data at byte 14" },
    { "describe_gives_no_types", LOAD_INIT_FAILED,
      "it describes itself wrongly: description.resource_types: must have at least 1 key, found 0" },
    { "describe_is_too_new", LOAD_INIT_FAILED,
      "it describes itself wrongly: description.version: expected 1, found 2" },
    { "thread_key", LOAD_INIT_FAILED,
      "it describes itself wrongly: description.resource_types: must have at least 1 key, found 0" },
};

START_TEST(broken_plugins)
{
    AUTO_FREE char *path = install(broken[_i].variant);
    refuse_file(path, broken[_i].failure, broken[_i].message);
    /* The same again says the same: nothing of the first try stays behind. */
    refuse_file(path, broken[_i].failure, broken[_i].message);
}
END_TEST

/* What metadata tells is told before any code of the file runs. */
START_TEST(metadata_comes_before_code)
{
    static const char *const variants[] = { "metadata_other_name", "metadata_other_kind", "metadata_other_major",
                                            "metadata_too_new" };
    for (size_t i = 0; i < ARRAY_COUNT(variants); i++) {
        AUTO_FREE char *path = install(variants[i]);
        ck_assert_ptr_null(loader_open_file(path, NULL, NULL));
        ck_assert_ptr_null(getenv("MEMORIES_TEST_CODE_RAN"));
    }
    AUTO_FREE char *path = install("constructor");
    open_good(path);
    ck_assert_ptr_nonnull(getenv("MEMORIES_TEST_CODE_RAN"));
}
END_TEST

START_TEST(init_runs_once)
{
    AUTO_FREE char *path = install("describe_gives_nothing");
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_null(loader_open_file(path, NULL, NULL));
    ck_assert_str_eq(getenv("MEMORIES_TEST_INITS"), "once");
}
END_TEST

START_TEST(good_plugins)
{
    static const char *const variants[] = { "good", "plain", "metadata_malformed", "from_the_future", "topology_good" };
    AUTO_FREE char *path = install(variants[_i]);
    const struct plugin *plugin = open_good(path);
    ck_assert_str_eq(plugin->name, "broken");
    ck_assert_str_eq(plugin->version, "1.2.3");
    ck_assert_str_eq(plugin->licence, "MIT");
    ck_assert_str_eq(plugin->path, path);
    ck_assert_str_eq(json_get_string(plugin->description, "summary"), "for tests");
    ck_assert_ptr_nonnull(plugin->lock);
    ck_assert_ptr_eq(open_good(path), plugin);
    ck_assert_str_eq(getenv("MEMORIES_TEST_INITS"), "once");
    if (plugin->kind == MEMORIES_PLUGIN_PROVIDER)
        ck_assert_ptr_null(plugin->ops.provider.logs);
    /* Its symbols are nobody else's. */
    ck_assert_ptr_null(dlsym(RTLD_DEFAULT, "provider_broken_LTX_memories_plugin_query"));
}
END_TEST

/* ---- Files that are no plugins ----------------------------------------------------------------------------------- */

static void refuse_content(const void *content, size_t bytes, enum load_failure failure, const char *message)
{
    AUTO_FREE char *path = below("provider-broken.so");
    write_file(path, content, bytes);
    refuse_file(path, failure, message);
}

START_TEST(files_that_are_no_objects)
{
    static const char script[] = "#!/bin/sh\necho this is a shell script, and longer than the header of an object is\n";
    refuse_content("", 0, LOAD_LINK, "it is no shared object: it has 0 bytes");
    refuse_content("text\n", 5, LOAD_LINK, "it is no shared object: it doesn't begin with an ELF header");
    refuse_content(script, sizeof script - 1, LOAD_LINK, "it is no shared object: it doesn't begin with an ELF header");
    refuse_content("\177ELF", 4, LOAD_LINK, "it is cut short: 4 bytes, expected at least 64");
}
END_TEST

/* Cut anywhere: no length may crash the process, as the system's linker would at most of them. */
START_TEST(truncated_objects)
{
    size_t bytes;
    AUTO_FREE char *content = read_variant("plain", "provider-broken.so", &bytes);
    AUTO_FREE char *path = below("provider-broken.so");
    unsigned cut_short = 0;
    for (size_t length = 64; length < bytes; length += 509) {
        AUTO_ERROR memories_error *error = NULL;
        enum load_failure failure = LOAD_OK;
        write_file(path, content, length);
        if (loader_open_file(path, &failure, &error))
            break; /* only section headers are missing: nothing that is loaded */
        ck_assert_int_eq(failure, LOAD_LINK);
        cut_short += !strncmp(memories_error_message(error), "it is cut short: ", 17);
    }
    ck_assert_uint_gt(cut_short, 10);
    write_file(path, content, 4096);
    AUTO_FREE char *another = install_as("plain", "provider-another.so");
    ck_assert_int_eq(truncate(another, 1000), 0);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(loader_open_file(another, NULL, &error));
    ck_assert_ptr_nonnull(strstr(memories_error_message(error), "it is cut short: 1000 bytes, expected at least "));
}
END_TEST

START_TEST(objects_for_other_machines)
{
    size_t bytes;
    AUTO_FREE char *content = read_variant("plain", "provider-broken.so", &bytes);
    Elf64_Ehdr header;
    memcpy(&header, content, sizeof header);
    if (header.e_machine != EM_X86_64)
        return; /* the messages below name this machine */
    Elf64_Ehdr other = header;
    other.e_machine = EM_AARCH64;
    memcpy(content, &other, sizeof other);
    refuse_content(content, bytes, LOAD_LINK,
                   "it is made for another machine: aarch64 (ELF machine 183, class 2), expected x86-64 (62, 2)");
    other = header;
    other.e_machine = EM_386;
    other.e_ident[EI_CLASS] = ELFCLASS32;
    memcpy(content, &other, sizeof other);
    refuse_content(content, bytes, LOAD_LINK,
                   "it is made for another machine: i386 (ELF machine 3, class 1), expected x86-64 (62, 2)");
    other = header;
    other.e_type = ET_EXEC;
    memcpy(content, &other, sizeof other);
    refuse_content(content, bytes, LOAD_LINK, "it is no shared object: ELF type 2, expected 3");
}
END_TEST

START_TEST(things_that_are_no_files)
{
    AUTO_FREE char *directory = make_directory("provider-directory.so", 0755);
    refuse_file(directory, LOAD_NOT_A_PLUGIN, "it is not a regular file");
    AUTO_FREE char *fifo = below("provider-fifo.so");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    refuse_file(fifo, LOAD_NOT_A_PLUGIN, "it is not a regular file");
    AUTO_FREE char *missing = below("provider-missing.so");
    refuse_file(missing, LOAD_NOT_FOUND, "there is no such file");
    AUTO_FREE char *dangling = below("provider-dangling.so");
    ck_assert_int_eq(symlink("nowhere", dangling), 0);
    refuse_file(dangling, LOAD_NOT_FOUND, "there is no such file");
}
END_TEST

START_TEST(names_that_are_no_plugins)
{
    static const char *const names[] = { "broken.so",          "provider-broken",      "provider-broken.la",
                                         "provider-Broken.so", "provider-broken.so.1", "plugin-broken.so",
                                         "provider-.so",       "provider-a-b.so" };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        AUTO_FREE char *path = install_as("plain", names[i]);
        refuse_file(path, LOAD_NAME_MISMATCH, "its file is not called provider-NAME.so or topology-NAME.so");
    }
}
END_TEST

/* ---- Trust ------------------------------------------------------------------------------------------------------- */

static void refuse_untrusted(const char *path, const char *format, ...) PRINTF_LIKE(2, 3);
static void refuse_untrusted(const char *path, const char *format, ...)
{
    struct text text = TEXT_INIT;
    va_list arguments;
    text_append(&text, "it is not safe to load: ");
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    AUTO_FREE char *message = text_take(&text);
    refuse_file(path, LOAD_UNTRUSTED_PATH, message);
    ck_assert_ptr_null(getenv("MEMORIES_TEST_CODE_RAN"));
}

/* A group that is not this user's own is root's to give. */
static void give_to_another_group(const char *path)
{
    ck_assert_int_eq(chown(path, (uid_t)-1, 4321), 0);
}

START_TEST(files_that_others_may_write)
{
    AUTO_FREE char *path = install("constructor");
    static const mode_t modes[] = { 0646, 0666, 0777, 0664 };
    if (geteuid() == 0)
        give_to_another_group(path);
    for (size_t i = 0; i < ARRAY_COUNT(modes) - (geteuid() == 0 ? 0 : 1); i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        refuse_untrusted(path, "%s can be written by others (mode %04o), expected only by its owner", path, modes[i]);
    }
    ck_assert_int_eq(chmod(path, 0755), 0);
    open_good(path);
}
END_TEST

START_TEST(directories_that_others_may_write)
{
    AUTO_FREE char *open_directory = make_directory("open", 0777);
    AUTO_FREE char *inner = make_directory("open/inner", 0755);
    AUTO_FREE char *path = install_as("constructor", "open/inner/provider-broken.so");
    refuse_untrusted(path, "%s can be written by others (mode 0777), expected only by its owner", open_directory);
    if (geteuid() == 0) {
        give_to_another_group(open_directory);
        ck_assert_int_eq(chmod(open_directory, 0770), 0);
        refuse_untrusted(path, "%s can be written by others (mode 0770), expected only by its owner", open_directory);
    }
    ck_assert_int_eq(chmod(open_directory, 0755), 0);
    open_good(path);
}
END_TEST

static const struct group_case {
    gid_t id;
    const char *name, *members[3];
    bool is_private;
} group_cases[] = {
    { 1000, "dev", { NULL }, true },
    { 1000, "dev", { "dev" }, true },
    { 1000, "dev", { "dev", "eve" }, false },
    { 1000, "dev", { "eve" }, false },
    { 1000, "users", { NULL }, false }, /* named otherwise: a group for several */
    { 100, "dev", { NULL }, false },    /* only named like the user */
};

START_TEST(private_groups)
{
    const struct group_case *one = &group_cases[_i];
    char *members[] = { (char *)(uintptr_t)one->members[0], (char *)(uintptr_t)one->members[1], NULL };
    struct group group = { .gr_gid = one->id, .gr_name = (char *)(uintptr_t)one->name, .gr_mem = members };
    struct passwd user = { .pw_name = (char *)(uintptr_t)"dev", .pw_uid = 1000, .pw_gid = 1000 };
    ck_assert_int_eq(trust_is_private_group(&group, &user), one->is_private);
}
END_TEST

/* As umask 002 makes files where each user has a group of their own; root's always is one. */
START_TEST(what_the_own_private_group_may_write)
{
    struct passwd *user = getpwuid(geteuid());
    struct group *group = user ? getgrgid(user->pw_gid) : NULL;
    if (!group || !trust_is_private_group(group, user)) {
        printf("skipped: what_the_own_private_group_may_write: this user has no private group\n");
        return;
    }
    AUTO_FREE char *directory = make_directory("group", 0777);
    AUTO_FREE char *path = install_as("constructor", "group/provider-broken.so");
    ck_assert_int_eq(chown(directory, (uid_t)-1, group->gr_gid) || chown(path, (uid_t)-1, group->gr_gid), 0);
    ck_assert_int_eq(chmod(path, 0775), 0);
    refuse_untrusted(path, "%s can be written by others (mode 0777), expected only by its owner", directory);
    ck_assert_int_eq(chmod(directory, 0775), 0);
    open_good(path);
}
END_TEST

/* Like /tmp: everybody may add to it, but nobody can touch what is another's. It has to be root's. */
START_TEST(sticky_directories)
{
    AUTO_FREE char *sticky = make_directory("sticky", 01777);
    AUTO_FREE char *path = install_as("constructor", "sticky/provider-broken.so");
    if (geteuid() == 0)
        open_good(path);
    else
        refuse_untrusted(path, "%s can be written by others (mode 1777), expected only by its owner", sticky);
}
END_TEST

/* A link is walked to its end: where it stands and where it leads are both looked at. */
START_TEST(links_to_untrusted_places)
{
    AUTO_FREE char *open_directory = make_directory("open", 0777);
    AUTO_FREE char *target = install_as("constructor", "open/provider-broken.so");
    AUTO_FREE char *closed = make_directory("closed", 0755);
    AUTO_FREE char *to_file = below("closed/provider-broken.so");
    AUTO_FREE char *to_directory = below("link");
    AUTO_FREE char *through = below("link/provider-broken.so");
    AUTO_FREE char *upwards = below("closed/../open/provider-broken.so");
    ck_assert_int_eq(symlink("../open/provider-broken.so", to_file), 0);
    ck_assert_int_eq(symlink(open_directory, to_directory), 0);
    static const char expected[] = "%s can be written by others (mode 0777), expected only by its owner";
    refuse_untrusted(to_file, expected, open_directory);
    refuse_untrusted(through, expected, open_directory);
    refuse_untrusted(upwards, expected, open_directory);
    /* And a link that stands in an open place but leads to a closed one. */
    AUTO_FREE char *good = install_as("constructor", "closed/provider-good.so");
    AUTO_FREE char *link_in_open = below("open/provider-good.so");
    ck_assert_int_eq(symlink(good, link_in_open), 0);
    refuse_untrusted(link_in_open, expected, open_directory);
}
END_TEST

START_TEST(endless_links)
{
    AUTO_FREE char *path = below("provider-broken.so");
    ck_assert_int_eq(symlink("provider-broken.so", path), 0);
    refuse_untrusted(path, "%s has more than 40 symbolic links on its way", path);
}
END_TEST

START_TEST(files_of_others)
{
    if (geteuid() != 0)
        return; /* only root can give a file away */
    AUTO_FREE char *path = install("constructor");
    ck_assert_int_eq(chown(path, 4321, (gid_t)-1), 0);
    refuse_untrusted(path, "%s belongs to user 4321, expected root or user 0", path);
}
END_TEST

START_TEST(relative_paths)
{
    AUTO_FREE char *path = install("constructor");
    ck_assert_int_eq(chdir(root), 0);
    refuse_untrusted("provider-broken.so", "\"provider-broken.so\" is a relative path, expected an absolute one");
    refuse_untrusted("./provider-broken.so", "\"./provider-broken.so\" is a relative path, expected an absolute one");
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* ---- Duplicates -------------------------------------------------------------------------------------------------- */

START_TEST(links_give_the_same_plugin)
{
    AUTO_FREE char *path = install("good");
    AUTO_FREE char *directory = make_directory("links", 0755);
    AUTO_FREE char *symbolic = below("links/provider-broken.so");
    ck_assert_int_eq(symlink(path, symbolic), 0);
    ck_assert_ptr_eq(open_good(symbolic), open_good(path));
    ck_assert_int_eq(unlink(symbolic), 0);
    ck_assert_int_eq(link(path, symbolic), 0);
    ck_assert_ptr_eq(open_good(symbolic), open_good(path));
    /* Under another name it would be another plugin. */
    AUTO_FREE char *renamed = below("links/provider-renamed.so");
    ck_assert_int_eq(symlink(path, renamed), 0);
    refuse_file(renamed, LOAD_NAME_MISMATCH,
                "it calls itself provider \"broken\", but its file says provider \"renamed\"");
}
END_TEST

START_TEST(copies_are_duplicates)
{
    AUTO_FREE char *path = install("good");
    AUTO_FREE char *directory = make_directory("copies", 0755);
    AUTO_FREE char *copy = install_as("good", "copies/provider-broken.so");
    const struct plugin *plugin = open_good(path);
    AUTO_FREE char *message = text_format("provider \"broken\" was loaded from %s already", path);
    refuse_file(copy, LOAD_DUPLICATE, message);
    ck_assert_ptr_eq(open_good(path), plugin);
    /* A topology of the same name is something else. */
    AUTO_FREE char *topology = install("topology_good");
    ck_assert_ptr_ne(open_good(topology), plugin);
}
END_TEST

/* An upgrade puts another file at the same path: who runs goes on with what is mapped. */
START_TEST(a_replaced_file_is_the_same_plugin)
{
    AUTO_FREE char *path = install("good");
    const struct plugin *plugin = open_good(path);
    AUTO_FREE char *again = install("plain");
    ck_assert_str_eq(path, again);
    ck_assert_ptr_eq(open_good(path), plugin);
}
END_TEST

/* ---- Search ------------------------------------------------------------------------------------------------------ */

static const struct plugin *search(const char *name, const char *path, enum load_failure failure, const char *message)
{
    AUTO_ERROR memories_error *error = NULL;
    enum load_failure found = LOAD_LINK;
    const struct plugin *plugin = loader_open(MEMORIES_PLUGIN_PROVIDER, name, path, &found, &error);
    if (failure)
        assert_refused(plugin, found, error, failure, NULL, message);
    else
        ck_assert_msg(plugin != NULL, "%s", memories_error_message(error));
    return plugin;
}

START_TEST(the_first_file_decides)
{
    AUTO_FREE char *first = make_directory("first", 0755), *second = make_directory("second", 0755);
    AUTO_FREE char *missing = below("missing"), *empty = make_directory("empty", 0755);
    AUTO_FREE char *good = install_as("good", "second/provider-broken.so");
    AUTO_FREE char *path = text_format("%s:%s::%s:%s", missing, empty, first, second);
    ck_assert_str_eq(search("broken", path, LOAD_OK, NULL)->path, good);
    AUTO_FREE char *bad = install_as("wrong_magic", "first/provider-broken.so");
    search("broken", path, LOAD_NOT_A_PLUGIN, "its descriptor begins with 0x12345678, expected 0x4d454d50");
}
END_TEST

START_TEST(a_plugin_that_is_nowhere)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_FREE char *good = install_as("good", "provider-broken.so"), *more = install_as("good", "provider-more.so");
    AUTO_FREE char *other_kind = install("topology_good");
    AUTO_FREE char *message = text_format("there is no provider \"nope\": looked for provider-nope.so in %s", root);
    search("nope", root, LOAD_NOT_FOUND, message);
    ck_assert_ptr_null(loader_open(MEMORIES_PLUGIN_PROVIDER, "nope", root, NULL, &error));
    ck_assert_str_eq(memories_error_hint(error), "there are: broken, more");
    AUTO_FREE char *empty = make_directory("empty", 0755);
    AUTO_ERROR memories_error *none = NULL;
    ck_assert_ptr_null(loader_open(MEMORIES_PLUGIN_PROVIDER, "nope", empty, NULL, &none));
    ck_assert_str_eq(memories_error_hint(none),
                     "there is none at all; set MEMORIES_PLUGIN_PATH to the directory of the plugins");
    /* A name is no path. */
    AUTO_FREE char *outside = text_format("there is no provider \"../x\": looked for provider-../x.so in %s", root);
    search("../x", root, LOAD_NOT_FOUND, outside);
}
END_TEST

START_TEST(relative_search_paths)
{
    AUTO_FREE char *good = install("good");
    AUTO_FREE char *path = text_format("%s:plugins", root);
    static const char message[] = "the plugin search path has a relative directory, expected an absolute one";
    search("broken", path, LOAD_UNTRUSTED_PATH, message);
    search("broken", ".", LOAD_UNTRUSTED_PATH, message);
}
END_TEST

START_TEST(the_environment_gives_the_path)
{
    AUTO_FREE char *good = install("good");
    setenv("MEMORIES_PLUGIN_PATH", root, 1);
    ck_assert_str_eq(search("broken", NULL, LOAD_OK, NULL)->path, good);
    /* What the caller says goes before it; what is empty says nothing. */
    setenv("MEMORIES_PLUGIN_PATH", "/nonexistent", 1);
    ck_assert_str_eq(search("broken", root, LOAD_OK, NULL)->path, good);
    setenv("MEMORIES_PLUGIN_PATH", "", 1);
    search("unknown", NULL, LOAD_NOT_FOUND,
           "there is no provider \"unknown\": looked for provider-unknown.so in " PLUGIN_DIRECTORY);
}
END_TEST

/* ---- The list ---------------------------------------------------------------------------------------------------- */

static json_object *entry_of(json_object *list, const char *path)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (!strcmp(json_get_string(json_object_array_get_idx(list, i), "path"), path))
            return json_object_array_get_idx(list, i);
    ck_abort_msg("%s is not listed", path);
}

static void assert_entry(json_object *list, const char *path, const char *expected)
{
    AUTO_JSON json_object *wanted = json_parse(expected, "expected entry", NULL);
    json_object *found = entry_of(list, path);
    json_object_object_foreach(wanted, key, value) {
        ck_assert_msg(json_equal(json_get(found, key), value), "%s: %s is %s", path, key,
                      json_object_to_json_string(json_get(found, key)));
    }
}

START_TEST(the_list)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_FREE char *first = make_directory("first", 0755), *second = make_directory("second", 0755);
    AUTO_FREE char *good = install_as("good", "first/provider-broken.so");
    AUTO_FREE char *shadowed = install_as("good", "second/provider-broken.so");
    AUTO_FREE char *too_new = install_as("metadata_too_new", "second/provider-zero.so");
    AUTO_FREE char *ignored = install_as("good", "second/README");
    AUTO_FREE char *within = install_as("topology_good", "second/topology-within.so");
    AUTO_FREE char *path = text_format("%s:relative:/nonexistent:%s", first, second);
    AUTO_JSON json_object *list = loader_list(path, &error);
    ck_assert_msg(list != NULL, "%s", memories_error_message(error));
    ck_assert_uint_eq(json_count(list), 6);
    assert_entry(list, "(built in)",
                 "{\"kind\": \"topology\", \"name\": \"within\", \"version\": \"3.2.1\", \"abi\": \"1.1\","
                 " \"needs\": \"1.0\", \"licence\": \"MIT\", \"homepage\": null, \"summary\": \"built in\","
                 " \"status\": \"ok\", \"failure\": null, \"error\": null, \"hint\": null}");
    assert_entry(list, good,
                 "{\"kind\": \"provider\", \"name\": \"broken\", \"version\": \"1.2.3\", \"abi\": \"1.1\","
                 " \"needs\": \"1.0\", \"licence\": \"MIT\", \"homepage\": \"https://example.org/\","
                 " \"summary\": \"for tests\", \"status\": \"ok\", \"failure\": null, \"error\": null}");
    AUTO_FREE char *duplicate = text_format(
        "{\"kind\": \"provider\", \"name\": \"broken\", \"version\": \"1.2.3\", \"status\": \"failed\","
        " \"failure\": \"duplicate\", \"error\": \"%s comes first and is used\"}", good);
    assert_entry(list, shadowed, duplicate);
    assert_entry(list, within, "{\"kind\": \"topology\", \"name\": \"within\", \"failure\": \"duplicate\","
                               " \"error\": \"the built-in plugin comes first and is used\"}");
    assert_entry(list, too_new,
                 "{\"kind\": \"provider\", \"name\": \"zero\", \"abi\": \"1.99\", \"status\": \"failed\","
                 " \"failure\": \"needs-newer-core\","
                 " \"error\": \"it needs plugin ABI 1.99 or later, this memories has 1.1\","
                 " \"hint\": \"upgrade memories, or use an older version of this plugin\"}");
    assert_entry(list, "relative", "{\"kind\": null, \"name\": null, \"failure\": \"untrusted-path\","
                                   " \"error\": \"the plugin search path has a relative directory, expected an "
                                   "absolute one\"}");
}
END_TEST

START_TEST(built_in_plugins)
{
    AUTO_FREE char *file = install_as("topology_good", "topology-within.so");
    AUTO_ERROR memories_error *error = NULL;
    const struct plugin *plugin = loader_open(MEMORIES_PLUGIN_TOPOLOGY, "within", "/nonexistent", NULL, &error);
    ck_assert_msg(plugin != NULL, "%s", memories_error_message(error));
    ck_assert_str_eq(plugin->path, "(built in)");
    ck_assert_str_eq(plugin->version, "3.2.1");
    ck_assert_ptr_eq(loader_open(MEMORIES_PLUGIN_TOPOLOGY, "within", root, NULL, NULL), plugin);
    ck_assert_ptr_null(loader_open(MEMORIES_PLUGIN_PROVIDER, "within", root, NULL, NULL));
}
END_TEST

/* ---- What libltdl does to the unwary ----------------------------------------------------------------------------- */

static bool is_mapped(const char *path)
{
    AUTO_FREE char *maps = file_read("/proc/self/maps", FILE_BYTES_MAX, NULL, NULL);
    return maps && strstr(maps, path);
}

/* LTDL_LIBRARY_PATH and its like send a bare name anywhere: we never give one. */
START_TEST(library_paths_do_not_hijack)
{
    AUTO_FREE char *hijack = make_directory("hijack", 0755);
    AUTO_FREE char *bait = install_as("constructor", "hijack/provider-broken.so");
    AUTO_FREE char *path = install("good");
    setenv("LTDL_LIBRARY_PATH", hijack, 1);
    setenv("LD_LIBRARY_PATH", hijack, 1);
    open_good(path);
    ck_assert(is_mapped(path) && !is_mapped(bait));
    ck_assert_ptr_null(getenv("MEMORIES_TEST_CODE_RAN"));
}
END_TEST

/* A .la file beside the plugin sends lt_dlopenext elsewhere: we name the .so. */
START_TEST(la_files_do_not_redirect)
{
    AUTO_FREE char *hijack = make_directory("hijack", 0755);
    AUTO_FREE char *bait = install_as("constructor", "hijack/provider-broken.so");
    AUTO_FREE char *path = install("good");
    AUTO_FREE char *la = below("provider-broken.la");
    AUTO_FREE char *content =
        text_format("# libtool library file\ndlname='provider-broken.so'\nlibrary_names='provider-broken.so'\n"
                    "old_library=''\ndependency_libs=''\ninstalled=yes\nshouldnotlink=yes\nlibdir='%s'\n", hijack);
    write_file(la, content, strlen(content));
    open_good(path);
    ck_assert(is_mapped(path) && !is_mapped(bait));
    refuse_file(la, LOAD_NAME_MISMATCH, "its file is not called provider-NAME.so or topology-NAME.so");
}
END_TEST

/* lt_dlerror speaks of something else after a success. */
START_TEST(reasons_are_not_stale)
{
    AUTO_FREE char *bad = install_as("undefined_symbol", "provider-bad.so");
    AUTO_FREE char *good = install("good");
    AUTO_FREE char *worse = install_as("missing_library", "provider-worse.so");
    refuse_file(bad, LOAD_LINK, "it can't be linked: undefined symbol: memories_test_function_of_nowhere");
    open_good(good);
    refuse_file(worse, LOAD_LINK, "it can't be linked: libmemories_test_gone.so: cannot open shared object file: No such "
                                  "file or directory");
    refuse_file(bad, LOAD_LINK, "it can't be linked: undefined symbol: memories_test_function_of_nowhere");
}
END_TEST

enum { THREADS = 16 };
static pthread_barrier_t start;

static void *open_in_thread(void *path)
{
    pthread_barrier_wait(&start);
    return (void *)loader_open_file(path, NULL, NULL);
}

static const struct plugin *open_with_thread(char *path)
{
    pthread_t thread;
    void *plugin;
    pthread_barrier_init(&start, NULL, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, open_in_thread, path), 0);
    pthread_join(thread, &plugin);
    return plugin;
}

/* Two threads opening at once crash libltdl. */
START_TEST(threads_open_at_once)
{
    AUTO_FREE char *provider = install("good");
    AUTO_FREE char *topology = install("topology_good"), *bad = install_as("wrong_magic", "provider-bad.so");
    char *const all[] = { provider, topology, bad };
    pthread_t threads[THREADS];
    void *opened[THREADS];
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, open_in_thread, all[i % 3]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], &opened[i]);
    for (int i = 0; i < THREADS; i++)
        ck_assert_ptr_eq(opened[i], i % 3 == 2 ? NULL : opened[i % 3]);
    ck_assert_ptr_nonnull(opened[0]);
    ck_assert_ptr_nonnull(opened[1]);
}
END_TEST

/* Closing a plugin crashes a thread that ends with one of its keys: not even a refused one is closed. */
START_TEST(threads_may_hold_keys_of_plugins)
{
    AUTO_FREE char *path = install("thread_key");
    ck_assert_ptr_null(open_with_thread(path));
    ck_assert_str_eq(getenv("MEMORIES_TEST_KEY"), "destroyed");
    ck_assert(is_mapped(path));
}
END_TEST

/* Unprefixed entry points of two plugins are not mixed up. */
START_TEST(plain_entry_points_are_their_own)
{
    AUTO_FREE char *plain = install("plain"), *topology = install("topology_good");
    ck_assert_uint_eq(open_good(plain)->kind, MEMORIES_PLUGIN_PROVIDER);
    ck_assert_uint_eq(open_good(topology)->kind, MEMORIES_PLUGIN_TOPOLOGY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader");
    TCase *tests = tcase_create("loader");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, broken_plugins, 0, (int)ARRAY_COUNT(broken));
    tcase_add_test(tests, metadata_comes_before_code);
    tcase_add_test(tests, init_runs_once);
    tcase_add_loop_test(tests, good_plugins, 0, 5);
    tcase_add_test(tests, files_that_are_no_objects);
    tcase_add_test(tests, truncated_objects);
    tcase_add_test(tests, objects_for_other_machines);
    tcase_add_test(tests, things_that_are_no_files);
    tcase_add_test(tests, names_that_are_no_plugins);
    tcase_add_test(tests, files_that_others_may_write);
    tcase_add_test(tests, directories_that_others_may_write);
    tcase_add_loop_test(tests, private_groups, 0, (int)ARRAY_COUNT(group_cases));
    tcase_add_test(tests, what_the_own_private_group_may_write);
    tcase_add_test(tests, sticky_directories);
    tcase_add_test(tests, links_to_untrusted_places);
    tcase_add_test(tests, endless_links);
    tcase_add_test(tests, files_of_others);
    tcase_add_test(tests, relative_paths);
    tcase_add_test(tests, links_give_the_same_plugin);
    tcase_add_test(tests, copies_are_duplicates);
    tcase_add_test(tests, a_replaced_file_is_the_same_plugin);
    tcase_add_test(tests, the_first_file_decides);
    tcase_add_test(tests, a_plugin_that_is_nowhere);
    tcase_add_test(tests, relative_search_paths);
    tcase_add_test(tests, the_environment_gives_the_path);
    tcase_add_test(tests, the_list);
    tcase_add_test(tests, built_in_plugins);
    tcase_add_test(tests, library_paths_do_not_hijack);
    tcase_add_test(tests, la_files_do_not_redirect);
    tcase_add_test(tests, reasons_are_not_stale);
    tcase_add_test(tests, threads_open_at_once);
    tcase_add_test(tests, threads_may_hold_keys_of_plugins);
    tcase_add_test(tests, plain_entry_points_are_their_own);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
