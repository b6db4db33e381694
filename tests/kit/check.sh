#!/bin/sh
# check.sh - our own plugins pass memories-plugin check; what it prints and how it ends
. "$srcdir/tests/env.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
cd "$test_dir"

# Every plugin of ours. What can't be found out without an account is skipped.
printf 'config: {isolation: process}\n' >local.yaml
for plugin in $(find "$builddir/plugins" "$builddir/tests/plugins" -path '*/.libs/*' \
    \( -name 'provider-*.so' -o -name 'topology-*.so' \)); do
    case $plugin in
    */provider-aws.so) continue ;; # with an account: tests/end_to_end/aws_kit.sh
    */provider-local.so) expect 0 memories-plugin check --config local.yaml "$plugin" ;;
    */topology-consensus.so) expect 0 memories-plugin check --config "$srcdir/examples/consensus.yaml" "$plugin" ;;
    *) expect 0 memories-plugin check --skips-ok "$plugin" ;;
    esac
    echo "$plugin: $(printf '%s\n' "$out" | tail -n 1)"
done
# A provider on the spec of a real topology, with its secrets.
fake=$builddir/tests/plugins/.libs/provider-fake.so
expect 0 memories-plugin check --config "$srcdir/examples/consensus.yaml" "$fake"
expect 2 memories-plugin check --config "$srcdir/examples/swarmed.yaml" --plugin-path /nowhere "$fake"
contains "$err" 'there is no topology "swarmed"'

# For people.
expect 0 memories-plugin check "$fake"
contains "$out" "$fake: provider fake 1.0.0, plugin ABI 1."
contains "$out" 'SLOT      NEED         THERE'
contains "$out" 'create-again  ok       the same token again gives the same object'
contains "$out" 'advice metadata: describe: the file carries no description'
equal "$err" ""

# As JSON, as TAP; some cases only.
expect 0 memories-plugin check --json --only describe,pure "$fake"
printf '%s' "$out" | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["plugin"] == {"kind": "provider", "name": "fake", "version": "1.0.0", "abi": d["plugin"]["abi"], "needs": "1.0",
                       "threads": "concurrent"}, d["plugin"]
assert [c["name"] for c in d["cases"]] == ["load", "describe", "pure"], d["cases"]
assert all(c["outcome"] == "passed" and c["reason"] is None for c in d["cases"])
assert (d["passed"], d["failed"], d["skipped"], d["inapplicable"]) == (3, 0, 0, 0)
assert d["cases"][1]["findings"][0]["severity"] == "advice"
create = [s for s in d["slots"] if s["name"] == "create"][0]
assert create == {"name": "create", "need": "required", "present": True, "without": None}, create
' || fail "the JSON is not as described: $out"
expect 0 memories-plugin check --tap --only describe,pure "$fake"
equal "$(printf '%s\n' "$out" | grep -v '^  ')" "TAP version 13
1..3
ok 1 - load: it loads
ok 2 - describe: its description is the same each time, and its schema joins with the core's
ok 3 - pure: the same question gets the same answer, and nothing outside is looked at"

# Every slot of plugin.h is in the list.
slots() { sed -n "/^struct memories_$1_ops {/,/^};/s/.*(\*\([a-z_]*\))(.*/\1/p" "$srcdir/include/memories/plugin.h"; }
listed() { python3 -c 'import json, sys; [print(s["name"]) for s in json.load(sys.stdin)["slots"]]'; }
for kind in provider topology; do
    expect 0 memories-plugin check --json --only load "$builddir/tests/plugins/.libs/$kind-fake.so"
    equal "$(printf '%s' "$out" | listed)" "$(slots $kind)"
done

# The man page lists every case.
page=$(sed -e 's/\\-/-/g' "$srcdir/docs/man/memories-plugin.1")
for kind in provider topology; do
    expect 0 memories-plugin check --json --skips-ok "$builddir/tests/plugins/.libs/$kind-fake.so"
    for name in $(printf '%s' "$out" | python3 -c 'import json, sys; [print(c["name"]) for c in json.load(sys.stdin)["cases"]]'); do
        contains "$page" ".B $name
"
    done
done

# Wrong command lines and files.
expect 2 memories-plugin check --only describe,nothing "$fake"
contains "$err" 'there is no case "nothing"'
expect 2 memories-plugin check --timeout 0 "$fake"
expect 2 memories-plugin check --json --tap "$fake"
expect 1 memories-plugin check --config "$test_dir/nothing.yaml" "$fake"
contains "$err" "nothing.yaml: No such file or directory"
expect 1 memories-plugin check ./nothing.so
contains "$err" "can't check ./nothing.so: No such file or directory"
expect 1 memories-plugin check fake
contains "$err" "memories-plugin doctor fake"
expect 1 memories-plugin check "$srcdir/LICENSE"
contains "$out" 'failed load:'
expect 1 memories-plugin check --tap "$builddir/tests/plugins/variants/undefined_symbol/provider-broken.so"
contains "$out" 'not ok 1 - load'
contains "$out" 'message: "'
contains "$out" 'undefined symbol: memories_test_function_of_nowhere'

# A case that doesn't end is ended, and what it has made is removed.
cat >pending.yaml <<'END'
config: {fake: {pending_reads: 1000000}}
END
expect 1 memories-plugin check --config pending.yaml --only create --timeout 2 "$fake"
contains "$out" 'failed create: '
contains "$out" 'did not end within 2 seconds'
case $out in *'may be left'*) fail "what was made was not removed: $out" ;; esac
{
    echo 'config:'
    echo '  fake:'
    echo '    fail:'
    for n in $(seq 40); do echo "      - {operation: destroy, key: node/node1, nth: $n, code: denied}"; done
} >stuck.yaml
expect 1 memories-plugin check --config stuck.yaml --only create "$fake"
contains "$out" 'objects of the deployment check-create-'
contains "$out" "find and delete them with the service's own tools"

# Interrupted: it ends by the signal's code, and leaves nothing.
mkdir temporary
TMPDIR=$test_dir/temporary memories-plugin check --config pending.yaml --only create "$fake" >out 2>err &
pid=$!
is_making() { ls "$test_dir"/temporary/memories-check-*/fake/check-create-*.json >/dev/null 2>&1; }
wait_until 20 is_making
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
equal "$code" 143
contains "$(cat err)" 'the check was interrupted in the case create'
equal "$(ls temporary)" ""

# Without an account: skipped, which is told by the exit code.
command -v pkg-config >/dev/null || skip "the rest: pkg-config is not installed"
MEMORIES_TEMPLATE_DIR=$srcdir/sdk/templates PKG_CONFIG_PATH=$builddir/core
export MEMORIES_TEMPLATE_DIR PKG_CONFIG_PATH
memories-plugin new provider far >/dev/null
sed -i '/^static int32_t prepare(/,/^}/s/^    json_object \*document/    if (!getenv("FAR_KEY")) return fail(call, MEMORIES_DENIED, NULL, "set FAR_KEY", "no key");\n&/' provider-far/provider.c
make -s -C provider-far -f plain.mk CC="${CC:-cc}" >/dev/null
far=$test_dir/provider-far/provider-far.so
expect 3 memories-plugin check "$far"
contains "$out" 'skipped create: prepare: no key'
contains "$out" ' 0 failed, '
expect 0 memories-plugin check --skips-ok "$far"
expect 0 env FAR_KEY=1 memories-plugin check "$far"
expect 0 memories-plugin check --tap --skips-ok "$far"
contains "$out" '# SKIP prepare: no key'
