/*
 * image.c - images that come as archives: into the nodes' engines, and what they are called there
 *
 * Such an image is named by its id, the digest of its content: no registry is asked, a name can't stand for something else,
 * and an archive that was built anew is another image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/http.h"
#include "plugins/common/json.h"
#include "plugins/topologies/swarmed/swarmed.h"

#define LOAD_TIMEOUT_MS 300000
#define ARCHIVE_BYTES_MAX ((off_t)2 << 30)
#define MANIFEST_BYTES_MAX (1 << 20)
#define TAR_BLOCK 512
#define DIGEST_LENGTH 64

/* ---- archives ---- */

/* *path: NULL for an image that the nodes pull. */
static int32_t find_archive(struct swarm *swarm, json_object *service, const char **path)
{
    *path = json_get_string(service, "image_archive");
    if (*path || strcmp(json_get_string(service, "image"), BUILTIN_IMAGE))
        return MEMORIES_OK;
    const char *directory = secure_getenv("MEMORIES_IMAGE_DIR");
    *path = plugin_format(swarm->call, "%s/" BUILTIN_IMAGE ".tar",
                          directory && directory[0] == '/' ? directory : IMAGE_DIRECTORY);
    return *path ? MEMORIES_OK : plugin_no_memory(swarm->call);
}

static int32_t fail_on_archive(struct swarm *swarm, json_object *service, const char *path, const char *why)
{
    bool builtin = !json_get(service, "image_archive");
    return plugin_fail(swarm->call, MEMORIES_NOT_FOUND, path,
                       builtin ? "build it with `make image` and install it, or name another image"
                               : "make it with `docker save`, and give its absolute path",
                       "the archive of service %s's image can't be used: %s", json_get_string(service, "name"), why);
}

static bool read_at(int file, void *bytes, size_t count, off_t offset)
{
    return pread(file, bytes, count, offset) == (ssize_t)count;
}

/* The member manifest.json of a tar file (POSIX.1 ustar); NULL when there is none. To be freed. */
static char *read_manifest(int file)
{
    char header[TAR_BLOCK];
    for (off_t offset = 0; read_at(file, header, sizeof header, offset);) {
        char size_text[13] = { 0 };
        memcpy(size_text, header + 124, 12);
        off_t size = (off_t)strtoull(size_text, NULL, 8);
        const char *name = header + (strncmp(header, "./", 2) ? 0 : 2);
        if (!strncmp(name, "manifest.json", sizeof "manifest.json") && size <= MANIFEST_BYTES_MAX) {
            char *text = calloc(1, (size_t)size + 1);
            if (text && read_at(file, text, (size_t)size, offset + TAR_BLOCK))
                return text;
            free(text);
            return NULL;
        }
        offset += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    }
    return NULL;
}

/* "blobs/sha256/0123…" or "0123….json": the digest in it. */
static const char *digest_in(const char *config)
{
    const char *slash = config ? strrchr(config, '/') : NULL;
    const char *digest = slash ? slash + 1 : config;
    return digest && strspn(digest, "0123456789abcdef") == DIGEST_LENGTH ? digest : NULL;
}

static int32_t read_id(struct swarm *swarm, json_object *service, const char *path, const char **id)
{
    AUTO_FD int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail_on_archive(swarm, service, path, strerror(errno));
    AUTO_FREE char *text = read_manifest(file);
    AUTO_JSON json_object *manifest = json_tokener_parse(text ? text : "");
    const char *digest = digest_in(json_get_string(json_at(manifest, 0), "Config"));
    if (!digest)
        return fail_on_archive(swarm, service, path, "it is no archive of an image");
    *id = plugin_format(swarm->call, "sha256:%.*s", DIGEST_LENGTH, digest);
    return *id ? MEMORIES_OK : plugin_no_memory(swarm->call);
}

int32_t image_of(struct swarm *swarm, json_object *service, const char **image)
{
    const char *path;
    *image = json_get_string(service, "image");
    int32_t code = find_archive(swarm, service, &path);
    return !code && path ? read_id(swarm, service, path, image) : code;
}

static int32_t read_archive(struct swarm *swarm, json_object *service, const char *path, char **bytes, size_t *count)
{
    AUTO_FD int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (file < 0 || fstat(file, &info))
        return fail_on_archive(swarm, service, path, strerror(errno));
    if (info.st_size > ARCHIVE_BYTES_MAX)
        return fail_on_archive(swarm, service, path, "it is larger than 2 GiB; let the nodes pull the image");
    *bytes = malloc((size_t)info.st_size + 1);
    if (!*bytes)
        return plugin_no_memory(swarm->call);
    for (*count = 0; *count < (size_t)info.st_size;) {
        ssize_t got = read(file, *bytes + *count, (size_t)info.st_size - *count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail_on_archive(swarm, service, path, got ? strerror(errno) : "it became shorter while being read");
        *count += (size_t)got;
    }
    return MEMORIES_OK;
}

/* ---- engines ---- */

/* The nodes that have no image of this id. */
static int32_t find_lacking(struct swarm *swarm, const struct swarm_node *const *nodes, size_t count, const char *id,
                            const struct swarm_node **lacking, size_t *lacking_count)
{
    struct memories_http_request *requests = plugin_host->allocate(swarm->call, count * sizeof *requests);
    const struct memories_http_response **responses = plugin_host->allocate(swarm->call, count * sizeof *responses);
    const char *path = plugin_format(swarm->call, "/images/%s/json", id);
    if (!requests || !responses || !path)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < count; i++)
        requests[i] = swarm_request(swarm, nodes[i], "GET", path, NULL);
    int32_t code = http_send_all(swarm->call, requests, count, responses);
    for (size_t i = 0; !code && i < count; i++)
        if (responses[i]->status != 200)
            lacking[(*lacking_count)++] = nodes[i];
    return code;
}

/* A failure may come inside of an answer with status 200. */
static bool was_loaded(const struct memories_http_response *response)
{
    return response->status == 200 && response->body && !strstr(response->body, "\"error\"");
}

static int32_t send_archive(struct swarm *swarm, const struct swarm_node *const *nodes, size_t count,
                            const char *bytes, size_t byte_count, const char *image)
{
    static const char *const headers[] = { "Content-Type: application/x-tar", NULL };
    struct memories_http_request *requests = plugin_host->allocate(swarm->call, count * sizeof *requests);
    const struct memories_http_response **responses = plugin_host->allocate(swarm->call, count * sizeof *responses);
    if (!requests || !responses)
        return plugin_no_memory(swarm->call);
    for (size_t i = 0; i < count; i++) {
        requests[i] = swarm_request(swarm, nodes[i], "POST", "/images/load?quiet=1", bytes);
        requests[i].body_bytes = (uint32_t)byte_count;
        requests[i].headers = headers;
        requests[i].timeout_ms = LOAD_TIMEOUT_MS;
    }
    int32_t code = http_send_all(swarm->call, requests, count, responses);
    for (size_t i = 0; !code && i < count; i++)
        if (!was_loaded(responses[i]))
            return plugin_fail(swarm->call, responses[i]->status ? MEMORIES_FAILED : MEMORIES_TRANSIENT, nodes[i]->name,
                               "look for a full disk on that node", "%s can't load the image %s: %s", nodes[i]->name,
                               image,
                               responses[i]->status == 200 ? responses[i]->body
                                                           : http_problem(swarm->call, responses[i]));
    return code;
}

static int32_t load_one(struct swarm *swarm, const struct swarm_node *const *nodes, size_t count, json_object *service,
                        json_object *seen)
{
    const char *path, *id;
    int32_t code = find_archive(swarm, service, &path);
    if (code || !path)
        return code;
    code = read_id(swarm, service, path, &id);
    if (code || json_get(seen, id))
        return code;
    const struct swarm_node **lacking = plugin_host->allocate(swarm->call, (count + 1) * sizeof *lacking);
    size_t lacking_count = 0;
    if (!lacking || json_set_bool(seen, id, true))
        return plugin_no_memory(swarm->call);
    code = find_lacking(swarm, nodes, count, id, lacking, &lacking_count);
    if (code || !lacking_count)
        return code;
    AUTO_FREE char *bytes = NULL;
    size_t byte_count = 0;
    code = read_archive(swarm, service, path, &bytes, &byte_count);
    return code ? code
                : send_archive(swarm, lacking, lacking_count, bytes, byte_count, json_get_string(service, "image"));
}

int32_t images_load(struct swarm *swarm, const struct swarm_node *const *nodes, size_t count)
{
    json_object *services = json_get_array(swarm->spec, "services");
    AUTO_JSON json_object *seen = json_object_new_object();
    int32_t code = MEMORIES_OK;
    for (size_t i = 0; !code && count && i < json_count(services); i++)
        code = load_one(swarm, nodes, count, json_at(services, i), seen);
    return code;
}
