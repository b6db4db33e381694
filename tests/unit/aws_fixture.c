/* aws_fixture.c - tests of the AWS provider's parts, see aws_fixture.h */
#include "tests/unit/aws_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/common/text.h"
#include "plugins/providers/aws/xml.h"

extern char **environ;

struct memories_call *call;
static char home[] = "/tmp/memories-aws.XXXXXX";
static struct {
    const struct aws_step *steps;
    size_t count, taken;
} script;

static void clear_environment(void)
{
    for (char **variable = environ; *variable;) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
        if (strncmp(name, "AWS_", 4) == 0) {
            unsetenv(name);
            variable = environ;
        } else {
            variable++;
        }
    }
}

void aws_set_up(void)
{
    memset(home + strlen(home) - 6, 'X', 6);
    ck_assert_ptr_nonnull(mkdtemp(home));
    clear_environment();
    setenv("HOME", home, 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    xml_init();
    fake_host_reset();
    fake_host_set_now(AWS_TEST_NOW_MS);
    plugin_init(fake_host(), NULL);
    call = fake_call_new();
    aws_script(NULL, 0);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *buffer)
{
    (void)status;
    (void)flag;
    (void)buffer;
    return remove(path);
}

void aws_tear_down(void)
{
    fake_call_free(call);
    nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void path_of(const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s", home, name);
}

void aws_write(const char *name, const char *text)
{
    char path[4096];
    path_of(name, path);
    for (char *slash = strchr(path + strlen(home) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    ck_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

char *aws_read(const char *name)
{
    char path[4096], bytes[4096];
    path_of(name, path);
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    struct plugin_text text = PLUGIN_TEXT(call);
    for (size_t count; (count = fread(bytes, 1, sizeof bytes, file)) > 0;)
        plugin_text_append_bytes(&text, bytes, count);
    fclose(file);
    return plugin_text_take(&text);
}

/* ---- The script ---- */

static char *describe(const struct memories_http_request *request)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    fprintf(stream, "%s %s\n", request->method, request->url);
    for (const char *const *header = request->headers; header && *header; header++)
        fprintf(stream, "%s\n", *header);
    fprintf(stream, "\n%s", request->body ? request->body : "");
    fclose(stream);
    return text;
}

static struct fake_response answer(const struct memories_http_request *request, void *user_data)
{
    (void)user_data;
    char *text = describe(request);
    ck_assert_msg(script.taken < script.count, "a request that nobody expects:\n%s", text);
    const struct aws_step *step = &script.steps[script.taken++];
    ck_assert_msg(!strncmp(request->url, step->url, strlen(step->url)), "request %zu goes to %s, not to %s",
                  script.taken, request->url, step->url);
    ck_assert_msg(!step->wants || strstr(text, step->wants), "request %zu lacks \"%s\":\n%s", script.taken, step->wants,
                  text);
    ck_assert_msg(!step->lacks || !strstr(text, step->lacks), "request %zu has \"%s\":\n%s", script.taken, step->lacks,
                  text);
    free(text);
    fake_host_set_headers(step->headers);
    return (struct fake_response){ .status = step->status,
                                   .body = step->body,
                                   .error_code = step->status ? 0 : MEMORIES_TRANSIENT,
                                   .error = step->status ? NULL : "connection refused" };
}

void aws_script(const struct aws_step *steps, size_t count)
{
    script.steps = steps;
    script.count = count;
    script.taken = 0;
    fake_host_set_http(answer, NULL);
}

void aws_script_done(void)
{
    ck_assert_msg(script.taken == script.count, "only %zu of %zu requests came", script.taken, script.count);
}

const struct memories_error_detail *aws_error(void)
{
    const struct memories_error_detail *error = fake_call_error(call);
    ck_assert_msg(error != NULL, "no error was told");
    return error;
}
