/*
 * new.c - a new plugin's project, out of the templates
 *
 * A template is a directory of files. In them, and in their names, stand words to be replaced: @NAME@ (in names: NAME),
 * @KIND@, @DATE@. A file name that begins with "dot-" gets a dot instead. What both kinds share is in `common`.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/loader/name.h"
#include "sdk/tool/tool.h"

#define TEMPLATE_BYTES_MAX (1u << 20)

struct project {
    const char *kind;
    const char *name;
    const char *directory;
    const char *templates;
    char date[CLOCK_TEXT_BYTES];
};

/* `text` with each word of the project put in; new string, NULL when memory ran out. */
static char *fill_in(const struct project *project, const char *text)
{
    const struct {
        const char *word, *value;
    } words[] = { { "@NAME@", project->name }, { "@KIND@", project->kind }, { "@DATE@", project->date } };
    struct text filled = TEXT_INIT;
    while (*text) {
        size_t plain = strcspn(text, "@"), i = 0;
        text_append_bytes(&filled, text, plain);
        text += plain;
        while (*text && i < ARRAY_COUNT(words) && strncmp(text, words[i].word, strlen(words[i].word)))
            i++;
        if (!*text)
            break;
        text_append(&filled, i < ARRAY_COUNT(words) ? words[i].value : "@");
        text += i < ARRAY_COUNT(words) ? strlen(words[i].word) : 1;
    }
    return text_take(&filled);
}

/* "dot-gitignore" -> ".gitignore", "memories-provider-NAME.7" -> "memories-provider-cloudlet.7" */
static char *file_name(const struct project *project, const char *template_name)
{
    const char *word = strstr(template_name, "NAME");
    if (!strncmp(template_name, "dot-", 4))
        return text_format(".%s", template_name + 4);
    if (!word)
        return strdup(template_name);
    return text_format("%.*s%s%s", (int)(word - template_name), template_name, project->name, word + 4);
}

static int copy_file(const struct project *project, const char *from, const char *to, memories_error **error)
{
    AUTO_FREE char *template = file_read(from, TEMPLATE_BYTES_MAX, NULL, error);
    if (!template)
        return MEMORIES_FAILED;
    AUTO_FREE char *content = fill_in(project, template);
    const char *dot = strrchr(to, '.');
    mode_t mode = dot && !strcmp(dot, ".sh") ? 0755 : 0644;
    return content ? file_write(to, content, strlen(content), mode, false, error) : error_no_memory(error);
}

static int copy_directory(const struct project *project, const char *from, const char *to, memories_error **error);

static int copy_entry(const struct project *project, const char *from, const char *to, memories_error **error)
{
    struct stat info;
    if (stat(from, &info))
        return error_set_errno(error, errno, "can't look at %s", from);
    if (!S_ISDIR(info.st_mode))
        return copy_file(project, from, to, error);
    if (mkdir(to, 0755) && errno != EEXIST)
        return error_set_errno(error, errno, "can't make the directory %s", to);
    return copy_directory(project, from, to, error);
}

static int copy_directory(const struct project *project, const char *from, const char *to, memories_error **error)
{
    struct dirent **entries = NULL;
    int count = scandir(from, &entries, NULL, alphasort), failed = 0;
    if (count < 0)
        return error_set_errno(error, errno, "can't read the templates in %s", from);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (!failed && strcmp(name, ".") && strcmp(name, "..")) {
            AUTO_FREE char *new_name = file_name(project, name);
            AUTO_FREE char *source = text_format("%s/%s", from, name);
            AUTO_FREE char *target = new_name ? text_format("%s/%s", to, new_name) : NULL;
            failed = source && target ? copy_entry(project, source, target, error) : error_no_memory(error);
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

static int copy_templates(const struct project *project, memories_error **error)
{
    AUTO_FREE char *common = text_format("%s/common", project->templates);
    AUTO_FREE char *own = text_format("%s/%s", project->templates, project->kind);
    if (!common || !own)
        return error_no_memory(error);
    int failed = copy_directory(project, common, project->directory, error);
    return failed ? failed : copy_directory(project, own, project->directory, error);
}

/* The directory is new, so that nothing of anybody's is overwritten, and so that it can be removed again on failure. */
static int make_project(const struct project *project, memories_error **error)
{
    if (mkdir(project->directory, 0755)) {
        error_set_errno(error, errno, "can't make the directory %s", project->directory);
        error_hint(error, errno == EEXIST ? "choose another with --directory, or remove it"
                                          : "choose another with --directory");
        return MEMORIES_FAILED;
    }
    int failed = copy_templates(project, error);
    if (failed) {
        error_hint(error, "the templates come with memories; MEMORIES_TEMPLATE_DIR can name another place of them");
        directory_remove(project->directory, NULL);
    }
    return failed;
}

static const char *template_directory(void)
{
    const char *from_environment = secure_getenv("MEMORIES_TEMPLATE_DIR");
    return from_environment && *from_environment ? from_environment : TEMPLATE_DIRECTORY;
}

int tool_new(const struct tool_request *request)
{
    struct project project = { .kind = request->arguments[0],
                               .name = request->arguments[1],
                               .directory = request->values[TOOL_OPTION_DIRECTORY],
                               .templates = template_directory() };
    if (!plugin_kind_of(project.kind))
        return tool_report_usage(request, "\"%s\" is neither provider nor topology", project.kind);
    if (!plugin_name_is_valid(project.name))
        return tool_report_usage(request,
                                 "\"%s\" can't be a plugin's name: it takes lower-case letters, digits and _, up "
                                 "to 31, the first a letter",
                                 project.name);
    AUTO_FREE char *directory = text_format("%s-%s", project.kind, project.name);
    if (!directory)
        return tool_report_no_memory(request);
    if (!project.directory)
        project.directory = directory;
    clock_format(clock_now_ms(), 0, project.date);
    project.date[strcspn(project.date, "T")] = '\0';
    memories_error *error = NULL;
    if (make_project(&project, &error))
        return tool_report(request, error);
    printf("%s holds the %s %s; README.md says more\n  cd %s && make -f plain.mk check\n", project.directory,
           project.kind, project.name, project.directory);
    return TOOL_OK;
}
