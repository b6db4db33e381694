#!/bin/sh
# observe.sh - --trace-plugin writes each call without secrets, --fault makes calls fail, on any plugin
. "${srcdir:-.}/tests/env.sh"
command -v python3 >/dev/null || skip "python3 is not installed"

cat >"$test_dir/two.yaml" <<'END'
topology: fake
provider: fake
config:
  fake_nodes: 2
  fake_content: "-----BEGIN PRIVATE KEY-----\nof mine"
END
two=$test_dir/two.yaml
trace=$test_dir/trace

# A trace: every call begins and ends, in order, with its time; what is secret is left out.
expect 0 memories deploy "$two" --name traced --quiet --trace-plugin provider-fake --trace-plugin topology-fake --trace-file "$trace"
python3 - "$trace" <<'END' || fail "the trace is not as described: $(cat "$trace")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
begun = {}
for line in lines:
    assert list(line)[:5] == ["at", "plugin", "call", "slot", "event"], line
    if line["event"] == "enter":
        begun[line["call"]] = line
    elif line["event"] == "leave":
        entered = begun.pop(line["call"])
        assert (entered["slot"], entered["plugin"]) == (line["slot"], line["plugin"])
        assert line["duration_us"] >= 0 and line["code"] == "ok" and line["error"] is None, line
    else:
        assert line["event"] == "host" and line["call"] in begun, line
assert not begun, begun
order = [(line["plugin"], line["slot"]) for line in lines if line["event"] == "enter"]
assert order[0] == ("topology-fake", "init") and order[1] == ("topology-fake", "describe"), order
for call in [("topology-fake", "plan"), ("provider-fake", "open"), ("provider-fake", "prepare"), ("provider-fake", "lower"),
             ("provider-fake", "create"), ("topology-fake", "converge"), ("provider-fake", "close")]:
    assert call in order, call
create = [line for line in lines if line["slot"] == "create" and line["event"] == "enter"][1]
assert [o["key"] for o in create["operations"]] == ["node/node1", "node/node2"], create
assert len(create["operations"][0]["token"]) == 40 and create["deployment"].startswith("fake-fake-"), create
assert create["operations"][0]["inputs"]["bootstrap"]["files"][0]["content"] == "[redacted]", create
left = [line for line in lines if line["call"] == create["call"] and line["event"] == "leave"][0]
assert [(a["key"], a["state"]) for a in left["answers"]] == [("node/node1", "ready"), ("node/node2", "ready")], left
assert any(line["event"] == "host" and line["service"] == "progress" for line in lines)
END
grep -q 'PRIVATE KEY' "$trace" && fail "a private key is in the trace"
[ "$(stat -c %a "$trace")" = 600 ] || fail "others can read the trace"

# On standard error, and for one plugin only.
expect 0 memories status traced --json --trace-plugin topology-fake
[ "$(printf '%s\n' "$err" | grep -c '"plugin":"topology-fake"')" -ge 4 ] || fail "no trace: $err"
case $err in *provider-fake*) fail "another plugin is traced too: $err" ;; esac

# Faults that are tried again do no harm; "after", the work is not done twice.
count() { python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["objects"]))' "$MEMORIES_STATE_DIR"/fake/"$1"*.json; }
for fault in fake:create:1:transient provider-fake:create:2:throttled fake:create:2:transient:after fake:create:2:capacity \
    topology-fake:converge:1:transient; do
    expect 0 memories deploy "$two" --name "fault" --fault "$fault" --trace-plugin fake --trace-file "$trace.2"
    contains "$(cat "$trace.2")" 'was made to fail ('
    id=$(memories show fault --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
    equal "$(count "$id")" 3
    expect 0 memories delete fault
    rm "$trace.2"
done

# Faults that are not: the words say who wanted it, and nothing is left.
expect 1 memories deploy "$two" --name fault --fault provider-fake:create:2:denied
contains "$err" 'create number 2 of provider fake was made to fail (denied)'
contains "$err" 'the fault provider-fake:create:2:denied was asked for'
expect 4 memories show fault
expect 1 memories deploy "$two" --fault fake:describe:1:failed
contains "$err" 'it describes itself wrongly'
expect 3 memories deploy "$two" --fault topology-fake:plan:1:invalid --fault fake:lower:9:failed
contains "$err" 'plan number 1 of topology fake was made to fail (invalid)'

# On a plugin that knows nothing of it: an answer of this machine is lost, and there is one node all the same.
if [ -x "$builddir/server/memories-server" ]; then
    expect 0 memories deploy "$srcdir/examples/standalone.yaml" --provider local --set isolation=process --name real \
        --fault local:create:2:transient:after --trace-plugin local --trace-file "$trace.3"
    contains "$(cat "$trace.3")" 'was made to fail (transient)'
    equal "$(find "$MEMORIES_STATE_DIR/local" -name node.json | wc -l)" 1
    expect 0 memories delete real
    grep -q 'PRIVATE KEY' "$trace.3" && fail "a private key is in the trace"
fi

# Wrong ones.
wrong() { # FAULT WORDS
    expect 2 memories list --fault "$1"
    contains "$err" "memories: $1: $2"
    contains "$err" 'write PLUGIN:SLOT:N:ERROR'
}
wrong fake 'a fault has four parts, separated by colons'
wrong fake:crate:1:denied 'the second part is no slot that can fail'
wrong fake:close:1:denied 'the second part is no slot that can fail'
wrong fake:create:0:denied 'the third part is no number from 1 on'
wrong fake:create:x:denied 'the third part is no number from 1 on'
wrong fake:create:1:sad 'the last part is no error'
wrong fake:create:1:denied:before 'behind the error there can only be ":after"'
wrong fake:plan:1:denied:after '":after" is for slots that get batches'
expect 4 memories list --fault fkae:create:1:denied
contains "$err" 'there is no provider "fkae"'
expect 4 memories list --trace-plugin topology-local
contains "$err" 'there is no topology "local"'
expect 1 memories list --trace-plugin fake --trace-file "$test_dir/nowhere/trace"
contains "$err" 'cannot write the trace'
