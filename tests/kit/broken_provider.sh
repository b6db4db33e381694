#!/bin/sh
# broken_provider.sh - each of these defects of a provider is found by memories-plugin check, in the right case
. "$srcdir/tests/kit/broken.sh"
template provider
p=provider.c

# Loading
broken load 'it lacks operations that every provider has: create' $p 's/^    \.create = create,$//'
broken load 'ended the process with exit code 3' $p 's/^    return host->result(call, description);/    exit(3);/'
broken load 'signal 11' $p 's/^    host = given;/    *(volatile int *)NULL = 1;/'
broken load 'returned -1 (failed) and didn.t report why' $p '/^static int32_t init/,/^}/s/return MEMORIES_OK;/return MEMORIES_FAILED;/'

# What it says of itself
broken metadata 'carries another description than describe gives' $p \
    's/^    return host->result(call, description);/    return host->result(call, "{\\"version\\": 1, \\"resource_types\\": {\\"broken.x\\": {}}}");/'
broken describe 'another description the second time' $p \
    's/^    return host->result(call, description);/    static int n; char text[90]; snprintf(text, 90, "{\\"version\\": 1, \\"summary\\": \\"%d\\", \\"resource_types\\": {\\"a.b\\": {}}}", n++); return host->result(call, text);/'
broken describe 'a regular expression\|pattern' $p 's/\\"minimum\\": 1, /\\"minimum\\": 1, \\"pattern\\": \\"(\\", /'
broken describe 'defines #/$defs/cidr, which is defined already' $p 's/\\"schema\\": {/\\"schema\\": {\\"$defs\\": {\\"cidr\\": {}}, /'
broken describe 'the configuration key network is the core.s, of type "object"' $p 's/\\"properties\\": {/&\\"network\\": {\\"type\\": \\"string\\"}, /'
extra_ldflags="-L$builddir/core/.libs -Wl,--no-as-needed -lmemories-core -Wl,-rpath,$builddir/core/.libs"
broken linking 'linked with libmemories-core' $p 's/^static const struct memories_host \*host;/&\n/'
extra_ldflags=''

# Versions
broken old-core 'it read behind the end of the host table of the oldest core that it runs on' $p \
    's/^    host = given;/&\n    if (*(void *volatile const *)((const char *)given + given->size)) host = given;/'
broken versions 'prepare: it took a request of version 99' $p 's/if (version <= DOCUMENT_VERSION)/if (version)/'
broken versions 'with the code internal' $p 's/fail(call, MEMORIES_UNSUPPORTED, NULL, "use/fail(call, MEMORIES_INTERNAL, NULL, "use/'
broken bad-requests 'is no plain sentence' $p 's/the %s is no JSON object"/the %s is no JSON object."/'
broken bad-requests 'it crashed: signal 6' $p '/^static int32_t logs/,/^}/s/json_length(resources)/json_object_array_length(resources)/'
broken bad-requests 'did not end within 5 seconds' $p 's/if (json_member_int(document, "period_s", 300) <= 0)/while (json_member_int(document, "period_s", 300) <= 0)/;' \
    '/while (json_member_int/,/^    }/{/json_object_put/d;s/return fail.*/continue;/}'

# Instances, prepare, lower
broken instances 'open: .*one at a time' $p 's/^static int32_t open_instance.*/static int opened_before;\n&/' \
    '/^static int32_t open_instance/,/^}/s/^    json_object \*document/    if (opened_before++ == 1) return fail(call, MEMORIES_CONFLICT, NULL, NULL, "one at a time");\n&/'
broken instances 'open: .*no deployment' $p \
    '/^static int32_t open_instance/,/^}/s/^    struct instance \*instance/    if (!deployment) return fail(call, MEMORIES_INVALID, NULL, NULL, "no deployment");\n&/'
broken prepare 'node node2 got no address' $p 's/failed |= choose(chosen, name, address);/if (i == 0) &/'
broken prepare 'got the same address' $p 's/range->next++/range->next/' 's/if (!is_taken(chosen, address))/if (true)/'
broken prepare 'and got .* when asked again' $p 's/earlier ? json_object_get(earlier)/0 ? NULL/' \
    's/struct range range = { 0, 0, FIRST_HOST };/static int n; struct range range = { 0, 0, FIRST_HOST + n++ };/'
broken prepare 'it made 1 objects' $p \
    's/^    return choose_all(/    struct cloud_order order = { instance->deployment, "early", NETWORK_TYPE, "early", NULL, true, 0 };\n    cloud_create(\&order);\n&/'
broken lower 'node node1 became 0 resources' $p '/^static int32_t lower/,/^}/s/size_t i = 0; !failed/size_t i = 1; !failed/'
broken lower 'has the type broken.other' $p '/^static int add_network/,/^}/s/NETWORK_TYPE/"broken.other"/'
broken lower 'the key .type. is missing' $p '/^static json_object \*add_resource/,/^}/s/failed |= json_put_string(resource, "type", type);//'
broken lower 'hold a private key' $p '/^static int add_machine/,/^}/s/^    return failed;/    return json_put_string(inputs, "k", "-----BEGIN PRIVATE KEY-----");/'

broken lower 'it wrote to standard output; it printed: lowering' $p '/^static int32_t lower/,/^}/s/^    (void)opened;/    puts("lowering");\n&/'

# Purity
broken pure 'the same request got another answer the second time' $p \
    '/^static int add_machine/,/^}/s/^    return failed;/    static int n; return json_put_int(inputs, "n", n++);/'
broken pure 'another answer after another request' $p '/^static int32_t lower/,/^}/s/^    json_object_put(document);/    static char last[99]; json_put_string(result, "last", last); snprintf(last, 99, "%s", json_member_string(document, "deployment"));\n&/'
broken pure 'another answer at another time' $p 's/#include <string.h>/&\n#include <time.h>/' \
    '/^static int add_machine/,/^}/s/^    return failed;/    return json_put_int(inputs, "t", time(NULL) \/ 60);/'
broken pure 'another answer at another time' $p \
    '/^static int add_machine/,/^}/s/^    return failed;/    return json_put_string(inputs, "h", getenv("HOME"));/'
broken pure 'it called openat' $p \
    '/^static int add_machine/,/^}/s/^    return failed;/    FILE *f = fopen("\/etc\/passwd", "r"); if (f) fclose(f);\n&/'
broken pure 'asked the host for the time' $p '/^static int32_t lower/,/^}/s/^    json_object_put(document);/    host->now_ms(call);\n&/'

# Batches
broken read-unknown 'read: .*not there' $p '/^static int32_t read_one/,/^}/s/^    return/    if (!find(work)) return fail_operation(work, MEMORIES_NOT_FOUND, NULL, "not there");\n&/'
broken read-unknown 'slot read returned 1, expected 0 or a negative code' $p '/^static int32_t read_batch(/,/^}/s/return each(.*/each(opened, call, operations, count, read_one); return 1;/'
broken create 'gave no answer for operation 1' $p '/^static int32_t create(/,/^}/s/count, create_one/1, create_one/'
broken create 'answered for operation 3 of 3' $p '/^static int32_t answer(/,/^}/s/host->operation_result(work->call, work->index, state/host->operation_result(work->call, work->index + (state == MEMORIES_STATE_PENDING), state/'
broken create 'has the private address' $p '/^static int32_t create_machine/,/^}/s/return answer(work, machine);/{ struct work w = *work; w.index = 2 - w.index; return answer(\&w, machine); }/'
broken create 'unknown state 9' $p '/^static uint32_t state_of/,/^}/s/MEMORIES_STATE_PENDING/9/'
broken create 'gave bad outputs' $p '/^static int32_t answer(/,/^}/s/json_object_to_json_string_ext(outputs, JSON_C_TO_STRING_PLAIN)/"[]"/'
broken create 'still pending after the 1 s' $p 's/\\"timeout_s\\": 60/\\"timeout_s\\": 1/' 's/return now_ms < object->ready_ms ?/return now_ms ?/'
broken create 'has no output address' $p 's/failed |= json_put_string(outputs, "address", object->address);//'
broken create 'have the same instance_id' $p 's/failed |= json_put_string(outputs, "instance_id", object->id);/failed |= json_put_string(outputs, "instance_id", "machine");/'
broken create-again 'objects are found' cloud.c '/^struct cloud_object \*cloud_create/,/^}/s/if (known)/if (0)/'
broken create-again 'objects are found after creating with the same tokens from another instance' $p \
    's/^static void close_instance/static int closed;\n&/' '/^static void close_instance/,/^}/s/^    free(instance);/&\n    closed = 1;/' \
    '/^static struct cloud_object \*order_object/,/^}/s/order.token = operation->token;/char token[99]; snprintf(token, 99, "%s%s", operation->token, closed ? "x" : ""); order.token = token;/'
broken found-again 'is absent, expected ready' $p '/^static struct cloud_object \*find(/,/^}/s/if (!id/if (0 \&\& !id/g'
broken update 'had the outputs' $p '/^static int32_t update_one/,/^}/s/^    if (object)/    if (object) { cloud_delete(object); object = order_object(work, "192.0.2.9"); object->id[0] = 120; }\n&/'
broken power 'is ready, expected stopped' $p '/^static int32_t power_one/,/^}/s/work->operation->power_on != 0/true/'
broken power 'already' $p '/^static int32_t power_one/,/^}/s/^    if (object)$/    if (object \&\& object->on == (work->operation->power_on != 0)) return fail_operation(work, MEMORIES_CONFLICT, NULL, "already so");\n&/'
broken power 'after a stop and start' cloud.c '/^void cloud_switch/,/^}/s/^    machine->on = on;/&\n    if (on) machine->id[0]++;/' \
    '/^struct cloud_object \*cloud_find_id/,/^}/s/strcmp(object->id, id)/strcmp(object->id + 1, id + 1)/'
broken power 'is ready, expected stopped' $p 's/order.on = operation->power_on != 0;/order.on = true;/'
broken power 'says that it can be switched' $p 's/\\"power\\": true,//'
broken destroy 'not there' $p '/^static int32_t destroy_one/,/^}/s/^    if (object)/    if (!object) return fail_operation(work, MEMORIES_NOT_FOUND, NULL, "not there");\n&/'
broken destroy 'is ready, expected absent' $p '/^static int32_t destroy_one/,/^}/s/cloud_delete(object);/(void)object;/'
broken discover 'was made and is not found' $p '/^static int32_t discover/,/^}/s/if (!deployment || /if (object->address) if (!deployment || /'
broken discover 'it gave something of' $p '/^static int32_t discover/,/^}/s/if (!deployment || !strcmp(deployment, object->deployment))/if (object)/'
broken discover 'asked for all deployments it found 0 objects' $p '/^static int32_t discover/,/^}/s/if (!deployment || /if (deployment \&\& /'
broken discover 'and read says ready' $p '/^static int add_discovered/,/^}/s/states\[state_of(object, now_ms)\]/"pending"/'
broken discover 'is found without outputs' $p 's/failed |= json_put(resource, "outputs", outputs_of(object));//'
broken apart 'of one deployment is absent after another was deleted' cloud.c '/^struct cloud_object \*cloud_find_id/,/^}/s/^    return object;/    if (!object) return NULL; for (struct cloud_object *o = objects; o; o = o->next) if (!strcmp(o->key, object->key)) object = o;\n    return object;/'

broken apart 'after another was deleted of which nothing was there' cloud.c '/^struct cloud_object \*cloud_find_key/,/^}/s/ || strcmp(object->deployment, deployment)//'
broken destroy 'is ready, expected absent' $p '/^static int32_t destroy_one/,/^}/s/^    if (object)/    if (object \&\& work->operation->outputs)/'

# Looking
broken metrics 'stands at' $p 's/json_put_int(point, "timestamp_ms", at_ms)/json_put_int(point, "timestamp_ms", at_ms + 1)/'
broken metrics 'cpu_utilization is 250 per cent' $p 's/strcmp(metric, "memory_usage") ? 0.0/strcmp(metric, "memory_usage") ? 250.0/'
broken metrics 'has no list metrics.disk_io' $p 's/failed = add_metric(call, json_put_array(metrics_found, metric)/if (!strcmp(metric, "disk_io")) continue;\n        &/'
broken metrics 'is for no node of the deployment' $p 's/failed = json_put_string(series, "node", json_member_string(resource, "node"));/failed = json_put_string(series, "node", "nobody");/'
broken logs 'which is no node of the deployment' $p 's/host->stream(call, node, line/host->stream(call, "nobody", line/'
broken logs 'asked for node node3 it sent text of' $p '/^static int32_t logs/,/^}/s/(!wanted || !strcmp(wanted, node))/true/'
broken logs 'nobody listened after the first piece' $p '/^static int32_t send_log/,/^}/s/if (host->stream(call, node, line, (size_t)length))/for (int n = 0; n < 9; n++) if (host->stream(call, node, line, (size_t)length) \&\& n > 9)/'
broken logs 'did not end within 5 seconds' $p 's/^    const char \*wanted = json_member_string(document, "node");/&\n    while (json_object_get_boolean(json_object_object_get(document, "follow")));/'

# What a call lends
broken borrowed 'it used the request after the slot had returned' $p \
    '/^static int32_t lower/,/^}/s/^    (void)opened;/    static const char *kept; if (kept \&\& *kept) kept = request; kept = request;/'
broken borrowed 'it used an operation of a batch after the slot had returned' cloud.c 's/object->key = copy(order->key);/object->key = (char *)order->key;/' \
    's/^    free(object->key);//'
broken borrowed 'it used its struct memories_call after the slot had returned' $p \
    '/^static int32_t lower/,/^}/s/^    (void)opened;/    static struct memories_call *kept; if (kept) host->log(kept, 6, "x"); kept = call;/'
broken borrowed 'it used memory that host->allocate had given after the slot had returned' $p \
    '/^static int32_t lower/,/^}/s/^    (void)opened;/    static char *kept; if (kept) *kept = 1; kept = (char *)host->allocate(call, 9);/'

# Memory, stopping, threads
broken no-memory 'lower: it crashed: signal 11' $p \
    '/^static int32_t lower/,/^}/s/^    (void)opened;/    char *text = (char *)host->allocate(call, 9); text[0] = 1;/'
broken no-memory 'with allocation 1 failing it failed with failed' $p \
    '/^static int32_t lower/,/^}/s/^    (void)opened;/    if (!host->allocate(call, 9)) return fail(call, MEMORIES_FAILED, NULL, NULL, "something");/'
broken no-memory 'with allocation 1 failing it gave another answer' $p \
    '/^static int32_t lower/,/^}/s/^    json_object_put(document);/    if (host->allocate(call, 9)) json_put_int(result, "whole", 1);\n&/'
broken no-memory 'create: without memory of the host, it failed with capacity' $p \
    '/^static int32_t create_machine/,/^}/s/^    bool known/    if (!host->allocate(work->call, 9)) return fail_operation(work, MEMORIES_CAPACITY, NULL, "none");\n&/'
broken cancel 'asked to stop, it failed with failed' $p 's/return fail(call, MEMORIES_CANCELLED, NULL, NULL, "stopped on request");/return fail(call, MEMORIES_FAILED, NULL, NULL, "stopped on request");/'
broken create 'stopped' $p 's/if (host->cancelled(call))/if (1)/'
broken threads 'signal 11' $p 's/^static const struct memories_host \*host;/&\nstatic __thread const char *of_this_thread;/' \
    's/^    \*opened = instance;/&\n    of_this_thread = "set";/' '/^static int32_t lower/,/^}/s/^    (void)opened;/    if (strlen(of_this_thread) > 99) return 0;/'
broken threads 'while other threads asked other things' $p 's/MEMORIES_THREADS_SERIALISED/MEMORIES_THREADS_CONCURRENT/' \
    '/^static int32_t give(/,/^}/s/^    int32_t code = text ? host->result(call, text)/    static char shared[65536]; if (text) strcpy(shared, text);\n    int32_t code = text ? (host->allocate(call, 1), host->result(call, shared))/'

echo "$found defects were found"
