#!/bin/sh
# broken_topology.sh - each of these defects of a topology is found by memories-plugin check, in the right case
. "$srcdir/tests/kit/broken.sh"
template topology
t=topology.c

broken load 'it lacks operations that every topology has: plan' $t 's/^    \.plan = plan,$//'
broken versions 'plan: it took a request of version 99' $t 's/if (version <= DOCUMENT_VERSION)/if (version)/'
broken plan 'nodes' $t '/^static int32_t plan/,/^}/s/i < NODES/i < 0/'
broken plan 'two nodes are called primary' $t 's/failed |= add_node(nodes, config, roles\[i\]);/failed |= add_node(nodes, config, roles[0]);/'
broken plan 'which is not there' $t '/^static int add_node(/,/^}/s/"broken-nodes"/"elsewhere"/'
broken plan 'is of the topology "other"' $t '/^static int32_t plan/,/^}/s/"topology", "broken"/"topology", "other"/'
broken plan '%z' $t 's/json_object_new_string("infinity")/json_object_new_string("%z")/'
broken plan 'expected\|restart' $t 's/"restart", "always"/"restart", "sometimes"/'
broken pure 'the same request got another answer the second time' $t \
    '/^static int32_t plan/,/^}/s/^    json_object_put(document);/    static int n; json_put_int(spec, "n", n++);\n&/'
broken pure 'another answer after another request' $t \
    '/^static int32_t plan/,/^}/s/^    json_object_put(document);/    static char last[99]; json_put_string(spec, "last", last); snprintf(last, 99, "%s", json_member_string(document, "deployment"));\n&/'
broken pure 'another answer at another time' $t 's/#include <string.h>/&\n#include <stdlib.h>/' \
    '/^static int32_t plan/,/^}/s/^    json_object_put(document);/    json_put_string(spec, "home", getenv("HOME"));\n&/'
broken pure 'it called socket' $t 's/#include <string.h>/&\n#include <sys\/socket.h>/' \
    '/^static int32_t plan/,/^}/s/^    json_object_put(document);/    socket(AF_INET, SOCK_STREAM, 0);\n&/'
broken converge 'its result has no boolean .done.' $t \
    '/^static int32_t converge(/,/^}/s/^    json_object_put(document);/    host->result(call, "{}");\n&/'
broken converge 'it is not done and has no message' $t 's/failed |= json_put_string(document, "message", message);//'
broken converge 'signal 11' $t 's/members\[i\].problem = strcmp(members\[i\].state, "ready") ? members\[i\].state : NULL;/&\n        if (members[i].address[0]) members[i].problem = NULL;/'
broken status 'its status is "fine"' $t 's/working == count ? "running"/working == count ? "fine"/'
broken status 'its status is "running"' $t \
    '/^static const char \*judge(/,/^}/s/return "stopped";/return "running";/'
broken status 'is called "nobody", like no node' $t '/^static int add_member(/,/^}/s/"name", member->name/"name", "nobody"/'
broken status 'it doesn.t tell of node' $t '/^static int32_t status(/,/^}/s/i < count/i + 1 < count/'
broken status 'has no array .members.' $t '/^static int32_t status(/,/^}/s/json_put_array(result, "members")/json_put_array(result, "people")/'
broken http 'makes it fail for good' $t 's/return health ? ask(call, health, members, \*count) : MEMORIES_OK;/return ask(call, health, members, *count);/' \
    '/^static int32_t ask(/,/^}/s/snprintf(problem, sizeof problem,/return fail(call, MEMORIES_FAILED, NULL, NULL, "a node does not answer");\n        &/'
broken http 'status: a node that answers strangely or not at all makes it fail' $t 's/return health ? ask(call, health, members, \*count) : MEMORIES_OK;/return ask(call, health, members, *count);/' \
    '/^static int32_t ask(/,/^}/s/snprintf(problem, sizeof problem,/return fail(call, MEMORIES_TRANSIENT, NULL, NULL, "a node does not answer");\n        &/'
broken http 'signal 11' $t 's/return health ? ask(call, health, members, \*count) : MEMORIES_OK;/return ask(call, health, members, *count);/' \
    '/^static int32_t ask(/,/^}/s/^        char problem\[64\];/&\n        if (strlen(responses[i]->body + 0) == 0) responses[i] = NULL;/'
broken borrowed 'it used the request after the slot had returned' $t \
    '/^static int32_t plan/,/^}/s/^    json_object \*document/    static const char *kept; if (kept \&\& *kept == 9) return 0; kept = request;\n&/'
broken borrowed 'it used an HTTP response that host->http had given' $t \
    's/return health ? ask(call, health, members, \*count) : MEMORIES_OK;/return ask(call, health, members, *count);/' \
    '/^static int32_t ask(/,/^}/s/^        char problem\[64\];/&\n        static const char *kept; if (kept \&\& *kept == 9) return 0; kept = responses[i]->body;/'
broken no-memory 'converge: it crashed: signal 11' $t \
    's/return health ? ask(call, health, members, \*count) : MEMORIES_OK;/((char *)host->allocate(call, 9))[0] = 1; return MEMORIES_OK;/'
broken cancel 'asked to stop, it failed with' $t \
    '/^static int32_t converge(/,/^}/s/^    struct member/    if (host->cancelled(call)) return fail(call, MEMORIES_TRANSIENT, NULL, NULL, "later");\n&/'
broken threads 'while other threads asked other things' $t \
    '/^static int32_t plan/,/^}/s/^    json_object_put(document);/    json_put_string(spec, "of", json_member_string(document, "deployment"));\n&/' \
    '/^static int32_t give(/,/^}/s/^    int32_t code = text ? host->result(call, text)/    static char shared[65536]; if (text) strcpy(shared, text);\n    int32_t code = text ? (host->allocate(call, 1), host->result(call, shared))/'

echo "$found defects were found"
