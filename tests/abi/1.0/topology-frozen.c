/*
 * topology-frozen.c - a topology as it was written for plugin ABI 1.0; it is compiled against that release's headers, which
 * lie here, and never changes. It uses every slot and every service of the host that topologies had.
 */
#include <memories/plugin.h>
#include <stdio.h>
#include <string.h>

static const struct memories_host *host;

static int32_t init(const struct memories_host *given, struct memories_call *call)
{
    (void)call;
    if (given->size < sizeof *given)
        return MEMORIES_INTERNAL;
    host = given;
    return MEMORIES_OK;
}

static int32_t describe(struct memories_call *call)
{
    return host->result(call, "{\"version\": 1, \"summary\": \"of 1.0\", \"schema\": {\"properties\": {"
                              "\"words\": {\"type\": \"string\"}}}}");
}

/* The string behind "name":" in a document; NULL when it isn't there. */
static char *member(struct memories_call *call, const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = json ? strstr(json, key) : NULL;
    if (!at)
        return NULL;
    at += strlen(key);
    size_t length = strcspn(at, "\"");
    char *value = host->allocate(call, length + 1);
    return value ? memcpy(value, at, length) : NULL;
}

static int32_t plan(struct memories_call *call, const char *request)
{
    const char *words = member(call, request, "words");
    size_t bytes = 4096 + (words ? strlen(words) : 0);
    char *spec = host->allocate(call, bytes);
    if (!spec)
        return MEMORIES_NO_MEMORY;
    if (words && !strcmp(words, "wrong")) {
        struct memories_error_detail detail = { sizeof detail, MEMORIES_INVALID, 0, 0, "these words are wrong",
                                                "config.words", "the dictionary", NULL, "choose others" };
        return host->fail(call, &detail);
    }
    snprintf(spec, bytes, "{\"version\": 1, \"topology\": \"frozen\", \"network\": {\"name\": \"frozen\", \"cidr\": null}, "
             "\"nodes\": ["
             "{\"name\": \"one\", \"role\": \"member\", \"bootstrap\": {\"files\": [{\"path\": \"%%c/words\", "
             "\"content\": \"%s\"}]}}, "
             "{\"name\": \"two\", \"role\": \"member\", \"bootstrap\": {}}]}", words ? words : "");
    return host->result(call, spec);
}

/* Asks an address where nobody listens: an answer must come all the same. */
static int32_t converge(struct memories_call *call, const char *request)
{
    struct memories_http_request asked = { sizeof asked, 2000, 1000, 0, "GET", "http://127.0.0.1:1/", NULL, NULL, NULL,
                                           NULL, NULL };
    const struct memories_http_request *requests[] = { &asked };
    const struct memories_http_response *responses[1];
    int32_t code = host->http(call, requests, 1, responses);
    if (code)
        return code;
    if (host->cancelled(call))
        return MEMORIES_CANCELLED;
    if (responses[0]->status != 0 || !responses[0]->error || !strstr(request, "\"state\":\"ready\""))
        return host->result(call, "{\"done\": false, \"message\": \"waiting\", \"poll_after_ms\": 10}");
    return host->result(call, "{\"done\": true, \"result\": {\"leader_node\": \"one\", \"follower_nodes\": [\"two\"]}}");
}

static int32_t status(struct memories_call *call, const char *request)
{
    char text[300];
    snprintf(text, sizeof text, "{\"status\": \"%s\", \"leader\": \"one\", \"members\": [{\"name\": \"one\", \"role\": "
             "\"member\", \"healthy\": true}, {\"name\": \"two\", \"role\": \"member\", \"healthy\": true}]}",
             strstr(request, "\"state\":\"ready\"") ? "running" : "stopped");
    return host->result(call, text);
}

static const struct memories_topology_ops ops = { sizeof ops, 0, init, describe, plan, converge, status };

MEMORIES_PLUGIN(topology, frozen, "1.0.0", "Apache-2.0", NULL, MEMORIES_THREADS_CONCURRENT, 0, &ops, sizeof ops)
