/* sign.c - AWS Signature Version 4, see sign.h */
#include "plugins/providers/aws/sign.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/common/plugin.h"
#include "plugins/common/text.h"
#include "plugins/providers/aws/hash.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

void sign_timestamp(int64_t time_ms, char timestamp[SIGN_TIMESTAMP_BYTES])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(timestamp, SIGN_TIMESTAMP_BYTES, "%Y%m%dT%H%M%SZ", &parts);
}

/* ---- Path ---- */

static bool is_segment(const char *segment, size_t length, const char *name)
{
    return length == strlen(name) && !memcmp(segment, name, length);
}

/* Resolves "." and ".." and double slashes (RFC 3986, 5.2.4); what ends in a slash goes on doing so. */
static const char *normal_path(struct memories_call *call, const char *path)
{
    char *normal = plugin_host->allocate(call, strlen(path) + 2), *end = normal;
    if (!normal)
        return NULL;
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (is_segment(at, length, "..")) {
            while (end > normal && *--end != '/')
                ;
        } else if (length && !is_segment(at, length, ".")) {
            *end++ = '/';
            memcpy(end, at, length);
            end += length;
        }
        at += length;
    }
    bool is_directory = *path && (path[strlen(path) - 1] == '/');
    if (end == normal || is_directory)
        *end++ = '/';
    *end = '\0';
    return normal;
}

static const char *canonical_path(struct memories_call *call, const struct sign_request *request)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    const char *path = request->keep_path ? request->path : normal_path(call, request->path);
    if (!path)
        return NULL;
    plugin_text_append_encoded(&text, path, strlen(path), "/");
    return plugin_text_take(&text);
}

/* ---- Query ---- */

/* Encodes what is not encoded yet: a query comes as it is sent. */
static void append_query_part(struct plugin_text *text, const char *part, size_t length)
{
    plugin_text_append_encoded(text, part, length, "%");
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "name\1value": sorts by name, then by value, for no encoded byte is below \1. */
static const char *query_pair(struct memories_call *call, const char *pair, size_t length)
{
    struct plugin_text text = PLUGIN_TEXT(call);
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals ? (size_t)(equals - pair) : length;
    append_query_part(&text, pair, name_length);
    plugin_text_append(&text, "\1");
    if (equals)
        append_query_part(&text, equals + 1, length - name_length - 1);
    return plugin_text_take(&text);
}

static const char *canonical_query(struct memories_call *call, const char *query)
{
    size_t count = 0;
    const char **pairs = plugin_host->allocate(call, (strlen(query) + 1) * sizeof *pairs);
    if (!pairs)
        return NULL;
    for (const char *at = query; *at; at += *at == '&') {
        size_t length = strcspn(at, "&");
        if (length && !(pairs[count++] = query_pair(call, at, length)))
            return NULL;
        at += length;
    }
    qsort(pairs, count, sizeof *pairs, compare_texts);
    struct plugin_text text = PLUGIN_TEXT(call);
    for (size_t i = 0; i < count; i++) {
        size_t name_length = strcspn(pairs[i], "\1");
        plugin_text_printf(&text, "%s%.*s=%s", i ? "&" : "", (int)name_length, pairs[i], pairs[i] + name_length + 1);
    }
    return plugin_text_take(&text);
}

/* ---- Headers ---- */

struct header {
    char *name;  /* lower case */
    char *value; /* trimmed, runs of white space folded into one space */
    size_t position;
};

static bool parse_header(struct memories_call *call, const char *line, size_t position, struct header *header)
{
    size_t length = strcspn(line, ":");
    header->name = plugin_host->allocate(call, length + 1);
    header->value = plugin_host->allocate(call, strlen(line) - length + 1);
    header->position = position;
    if (!header->name || !header->value)
        return false;
    for (size_t i = 0; i < length; i++)
        header->name[i] = (char)tolower((unsigned char)line[i]);
    char *end = header->value;
    for (const char *at = line + length + (line[length] == ':'); *at;) {
        size_t spaces = strspn(at, " \t\r\n"), word = strcspn(at + spaces, " \t\r\n");
        if (spaces && word && end != header->value)
            *end++ = ' ';
        memcpy(end, at + spaces, word);
        end += word;
        at += spaces + word;
    }
    return true;
}

static int compare_headers(const void *a, const void *b)
{
    const struct header *one = a, *other = b;
    int order = strcmp(one->name, other->name);
    return order ? order : one->position < other->position ? -1 : 1;
}

/* Equal names become one line, their values joined in the order given. */
static const char *canonical_headers(struct memories_call *call, const struct sign_request *request,
                                     const char **signed_headers)
{
    size_t count = 0;
    while (request->headers[count])
        count++;
    struct header *headers = plugin_host->allocate(call, (count + 1) * sizeof *headers);
    if (!headers)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!parse_header(call, request->headers[i], i, &headers[i]))
            return NULL;
    qsort(headers, count, sizeof *headers, compare_headers);
    struct plugin_text lines = PLUGIN_TEXT(call), names = PLUGIN_TEXT(call);
    for (size_t i = 0; i < count; i++) {
        bool repeated = i && !strcmp(headers[i].name, headers[i - 1].name);
        bool continued = i + 1 < count && !strcmp(headers[i].name, headers[i + 1].name);
        if (!repeated) {
            plugin_text_printf(&names, "%s%s", i ? ";" : "", headers[i].name);
            plugin_text_printf(&lines, "%s:", headers[i].name);
        }
        plugin_text_printf(&lines, "%s%s", headers[i].value, continued ? "," : "\n");
    }
    *signed_headers = plugin_text_take(&names);
    return plugin_text_take(&lines);
}

/* ---- All of it ---- */

const char *sign_canonical_request(struct memories_call *call, const struct sign_request *request,
                                   const char **signed_headers)
{
    char body_hash[SHA256_HEX];
    const char *path = canonical_path(call, request);
    const char *query = canonical_query(call, request->query);
    const char *headers = canonical_headers(call, request, signed_headers);
    if (!path || !query || !headers || !*signed_headers ||
        !hash_sha256_hex(request->body, request->body_bytes, body_hash))
        return NULL;
    return plugin_format(call, "%s\n%s\n%s\n%s\n%s\n%s", request->method, path, query, headers, *signed_headers,
                         body_hash);
}

/* "20150830/us-east-1/ec2/aws4_request" */
static const char *scope_text(struct memories_call *call, const struct sign_scope *scope)
{
    return plugin_format(call, "%.8s/%s/%s/aws4_request", scope->timestamp, scope->region, scope->service);
}

const char *sign_string_to_sign(struct memories_call *call, const struct sign_scope *scope,
                                const char *canonical_request)
{
    char hash[SHA256_HEX];
    const char *scope_line = scope_text(call, scope);
    if (!scope_line || !hash_sha256_hex(canonical_request, strlen(canonical_request), hash))
        return NULL;
    return plugin_format(call, ALGORITHM "\n%s\n%s\n%s", scope->timestamp, scope_line, hash);
}

const char *sign_signature(struct memories_call *call, const struct sign_scope *scope, const char *secret_access_key,
                           const char *string_to_sign)
{
    const char *date = plugin_format(call, "%.8s", scope->timestamp);
    const char *secret = plugin_format(call, "AWS4%s", secret_access_key);
    unsigned char *key = plugin_host->allocate(call, 2 * SHA256_BYTES), *next = key ? key + SHA256_BYTES : NULL;
    char *hex = plugin_host->allocate(call, SHA256_HEX);
    if (!date || !secret || !key || !hex)
        return NULL;
    bool done = hash_hmac(secret, strlen(secret), date, key) && hash_hmac(key, SHA256_BYTES, scope->region, next) &&
                hash_hmac(next, SHA256_BYTES, scope->service, key) &&
                hash_hmac(key, SHA256_BYTES, "aws4_request", next) &&
                hash_hmac(next, SHA256_BYTES, string_to_sign, key);
    if (!done)
        return NULL;
    hash_hex(key, SHA256_BYTES, hex);
    return hex;
}

const char *sign_credential(struct memories_call *call, const struct sign_scope *scope, const char *access_key_id)
{
    const char *scope_line = scope_text(call, scope);
    return scope_line ? plugin_format(call, "%s/%s", access_key_id, scope_line) : NULL;
}

const char *sign_authorization(struct memories_call *call, const struct sign_scope *scope, const char *access_key_id,
                               const char *secret_access_key, const struct sign_request *request)
{
    const char *signed_headers = NULL;
    const char *canonical = sign_canonical_request(call, request, &signed_headers);
    const char *string = canonical ? sign_string_to_sign(call, scope, canonical) : NULL;
    const char *signature = string ? sign_signature(call, scope, secret_access_key, string) : NULL;
    const char *credential = signature ? sign_credential(call, scope, access_key_id) : NULL;
    if (!credential)
        return NULL;
    return plugin_format(call, ALGORITHM " Credential=%s, SignedHeaders=%s, Signature=%s", credential, signed_headers,
                         signature);
}
