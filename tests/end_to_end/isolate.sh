#!/bin/sh
# isolate.sh - a plugin in a process of its own: everything works as before, and its crash is an error like others
. "${srcdir:-.}/tests/env.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
ulimit -c 0

# Plugins of this test alone, so that their processes can be told from those of others.
mkdir -m 700 "$test_dir/plugins"
cp "$builddir/tests/plugins/.libs/provider-fake.so" "$builddir/tests/plugins/.libs/topology-fake.so" "$test_dir/plugins"
ours=$MEMORIES_PLUGIN_PATH
MEMORIES_PLUGIN_PATH=$test_dir/plugins
# Processes named memories-plugin-host that run plugins of this directory.
hosts() {
    for cmdline in /proc/[0-9]*/cmdline; do
        { tr '\0' ' ' <"$cmdline"; } 2>/dev/null | grep "memories-plugin-host $test_dir/plugins/" || :
    done
}
no_hosts() { [ -z "$(hosts)" ]; }
objects() { python3 -c 'import json, sys; print(" ".join(sorted(o["key"] for o in json.load(open(sys.argv[1]))["objects"].values())))' \
    "$MEMORIES_STATE_DIR"/fake/*.json; }

cat >"$test_dir/three.yaml" <<END
topology: fake
provider: fake
config:
  fake_nodes: 3
END
three=$test_dir/three.yaml

# A life, both plugins isolated; with a trace and a fault round them.
expect 0 memories deploy "$three" --name box --isolate fake --trace-plugin fake --trace-file "$test_dir/trace" \
    --fault provider-fake:create:2:transient
contains "$out" 'Status: running'
contains "$(cat "$test_dir/trace")" '"plugin":"topology-fake","call":1,"slot":"init","event":"leave"'
contains "$(cat "$test_dir/trace")" '"service":"progress","index":2,"text":"create"'
contains "$(cat "$test_dir/trace")" 'was made to fail (transient)'
wait_until 10 no_hosts
for command in 'status box' 'update box '"$three"' --set fake_content=new' 'stop box' 'start box' 'logs box --lines 2' \
    'metrics box' 'list' 'delete box'; do
    # shellcheck disable=SC2086 # words on purpose
    expect 0 memories $command --isolate provider-fake --isolate topology-fake
done
expect 0 memories validate "$three" --set isolate=true
expect 3 memories validate "$three" --set isolate=never
expect 3 memories deploy "$three" --set fake_nodes=many --isolate fake
contains "$err" 'config.fake_nodes: expected a whole number'
expect 1 memories deploy "$three" --isolate fake --set 'fake.fail=[{operation: create, key: node/node2, code: denied}]'
contains "$err" 'memories: node/node2: the fake provider was told to fail (denied)'
contains "$err" 'take it out of config.fake.fail'

# In-process, a crash ends the program.
code=0
MEMORIES_FAKE_CRASH='create node/node2' memories deploy "$three" --name crashed >"$test_dir/out" 2>&1 || code=$?
equal "$code" 134
expect 0 memories delete crashed

# Isolated it is an error; what was made is removed by the next process.
expect 1 env MEMORIES_FAKE_CRASH='create node/node2' memories deploy "$three" --name crashed --isolate fake
contains "$err" 'the process of provider fake ended in the slot create: it was killed by signal 6 (Aborted)'
contains "$err" 'deploy with --keep-on-failure'
equal "$(printf '%s\n' "$err" | grep -c '^memories: .*ended in the slot create')" 1 # three nodes, one reason
case $err in *'memories resume'*) fail "it advises to go on with what is gone: $err" ;; esac
expect 4 memories show crashed
equal "$(find "$MEMORIES_STATE_DIR/fake" -name '*.json')" ''

# Kept: the journal knows what happened, also of the object that was made before the crash; the deployment is resumed.
expect 1 env MEMORIES_FAKE_CRASH='create node/node2 after' memories deploy "$three" --name kept --keep-on-failure --set isolate=provider
contains "$err" 'ended in the slot create'
expect 0 memories show kept --audit
contains "$out" 'Status: failed'
contains "$(objects)" 'node/node2'
expect 0 memories resume kept
contains "$out" 'running'
equal "$(objects)" 'network node/node1 node/node2 node/node3'
expect 0 memories delete kept

# A crash while it looks, and while it deletes.
expect 0 memories deploy "$three" --name watched
expect 1 env MEMORIES_FAKE_CRASH='read node/node1' memories show watched --isolate provider-fake
contains "$err" 'ended in the slot read'
expect 1 env MEMORIES_FAKE_CRASH='destroy node/node1 after' memories delete watched --isolate provider-fake
contains "$err" 'ended in the slot destroy'
expect 0 memories delete watched
equal "$(find "$MEMORIES_STATE_DIR/fake" -name '*.json')" ''

# Cancelled from outside: the plugin hears of it. The program killed: its plugins' processes end too.
for signal in TERM KILL; do
    memories deploy "$three" --name slow --isolate fake --set fake.delay_ms=10000 >"$test_dir/slow" 2>&1 &
    pid=$!
    is_creating() { memories show slow --json 2>/dev/null | grep -q deploying && [ "$(hosts | wc -l)" = 2 ]; }
    wait_until 30 is_creating
    kill -$signal "$pid"
    code=0
    wait "$pid" 2>/dev/null || code=$?
    case $signal in
    TERM) equal "$code" 6; contains "$(cat "$test_dir/slow")" 'memories resume' ;;
    *) equal "$code" 137 ;;
    esac
    wait_until 30 no_hosts
    expect 0 memories delete slow
done

# What can't be loaded.
cat >"$test_dir/killer.c" <<'END'
#include <memories/plugin.h>
#include <stdlib.h>
__attribute__((constructor)) static void run(void) { exit(3); }
static const struct memories_provider_ops ops = { .size = sizeof ops };
MEMORIES_PLUGIN(provider, killer, "1", "MIT", NULL, MEMORIES_THREADS_SERIALISED, 0, &ops, sizeof ops)
END
${CC:-cc} -shared -fPIC -I"$srcdir/include" "$test_dir/killer.c" -o "$test_dir/plugins/provider-killer.so"
expect 1 memories plan "$three" --provider killer --isolate killer
contains "$err" 'ended while it was loaded: it ended with exit code 3'
rm "$test_dir/plugins/provider-killer.so"
for variant in undefined_symbol without_create describe_gives_rubbish init_fails wrong_magic; do
    cp "$builddir/tests/plugins/variants/$variant/provider-broken.so" "$test_dir/plugins"
    expect 1 memories plan "$three" --provider broken
    in_process=$err
    expect 1 memories plan "$three" --provider broken --isolate broken
    equal "$err" "$in_process"
    rm "$test_dir/plugins/provider-broken.so"
done
mkdir "$test_dir/empty"
expect 1 env MEMORIES_LIBEXEC_DIR="$test_dir/empty" memories plan "$three" --isolate fake
contains "$err" "can't start $test_dir/empty/memories-plugin-host"
expect 4 memories list --isolate nobody

# Secrets and HTTP go over too: real members of a real cluster.
if command -v etcd >/dev/null; then
    MEMORIES_PLUGIN_PATH=$ours
    expect 0 memories deploy "$srcdir/examples/consensus.yaml" --provider local --set isolate=true --name real
    contains "$out" 'Leader Node: '
    expect 0 memories status real
    contains "$out" 'Term: '
    expect 0 memories delete real
else
    echo "skipped: a real cluster (etcd is not installed)"
fi
