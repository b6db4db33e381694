#!/bin/sh
# commands.sh - every command on a real deployment of this machine: what it answers, as text and as JSON, and how it ends
. "${srcdir:-.}/tests/env.sh"

command -v etcd >/dev/null || skip "etcd is not installed (apt-get install etcd-server)"
command -v python3 >/dev/null || skip "python3 is not here to read JSON and to make a terminal"

# json EXPRESSION - what EXPRESSION makes of the one document that the last command has printed, `d`
json() { printf '%s' "$out" | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$1"; }
# keys: of a document, in order
keys='" ".join(d)'

# ---- configurations ----

# a bare `config`, as YAML and as JSON; with its topology and provider on the command line
echo '{"isolation": "process", "consensus": {"algorithm": "raft", "min_nodes": 3}}' >"$test_dir/bare.json"
printf 'isolation: process\nconsensus:\n  algorithm: raft\n  min_nodes: 3\n' >"$test_dir/bare.yaml"
expect 3 memories validate "$test_dir/bare.yaml"
contains "$err" "add \`topology: consensus\`"
expect 0 memories validate "$test_dir/bare.json" --topology consensus --provider local --json
equal "$(json "$keys")" "valid topology provider notes"
expect 0 memories schema consensus local --json
equal "$(json 'sorted(d["properties"])')" "['config', 'name', 'provider', 'topology']"

expect 0 memories plan "$test_dir/bare.yaml" -t consensus -p local
contains "$out" ": 4 operations"
expect 0 memories plan "$test_dir/bare.yaml" -t consensus -p local --json
equal "$(json 'd["topology"], d["provider"], [o["key"] for o in d["operations"]]')" \
    "('consensus', 'local', ['network', 'node/node1', 'node/node2', 'node/node3'])"
expect 0 memories plan "$test_dir/bare.yaml" -t consensus -p local --spec
equal "$(json 'd["topology"], len(d["nodes"])')" "('consensus', 3)"
expect 0 memories plan "$test_dir/bare.yaml" -t consensus -p local --resources
equal "$(json '[r["type"] for r in d]')" "['local.network', 'local.node', 'local.node', 'local.node']"

# wrong: the key, what was found and what is expected, a suggestion; and nothing is made
expect 3 memories deploy "$test_dir/bare.yaml" -t consensus -p local --set consensus.min_nodes=three --set netwrok.cidr=1
contains "$err" 'config.consensus.min_nodes: expected a whole number, found "three"'
contains "$err" "config.netwrok"
contains "$err" "did you mean"
expect 3 memories deploy "$test_dir/bare.yaml" -t consensus -p local --set isolation=vm --json
equal "$out" ""
equal "$(printf '%s' "$err" | python3 -c 'import json, sys; print(json.load(sys.stdin)["error"]["code"])')" invalid
expect 0 memories list --json
equal "$(json 'd')" "[]"
[ ! -e "$MEMORIES_STATE_DIR/local" ] || fail "something was made of a wrong configuration"

# ---- a deployment ----

expect 0 memories deploy "$test_dir/bare.yaml" -t consensus -p local --name one --json
equal "$(json "$keys")" "deployment_id name type provider status created_at leader_node follower_nodes notes"
equal "$(json 'd["name"], d["type"], d["provider"], d["status"], sorted([d["leader_node"]] + d["follower_nodes"])')" \
    "('one', 'consensus', 'local', 'running', ['node1', 'node2', 'node3'])"
id=$(json 'd["deployment_id"]')
expect 0 memories deploy "$test_dir/bare.yaml" -t consensus -p local --set consensus.min_nodes=1 --name two --quiet
equal "$err" ""
second=$(printf '%s\n' "$out" | sed -n 's/^Deployment ID: //p')

expect 0 memories list --json
equal "$(json '[" ".join(one) for one in d]')" \
    "['id name type provider status created_at', 'id name type provider status created_at']"
equal "$(json '[(one["id"], one["status"]) for one in d]')" "[('$id', 'running'), ('$second', 'running')]"
expect 0 memories show "$id" --json
equal "$(json "$keys")" "id name type provider status created_at resources leader_node follower_nodes notes"
equal "$(json '[" ".join(r) for r in d["resources"]][1]')" "key type node state outputs"
equal "$(json '[r["state"] for r in d["resources"]]')" "['ready', 'ready', 'ready', 'ready']"
expect 0 memories show "$id"
contains "$out" "node/node3  local.node     ready  127."
expect 0 memories show "$id" --audit --json
equal "$(json '[e["event"] for e in d["audit"]]')" "['deploy', 'create', 'create', 'create', 'create', 'running']"

# by name, by the beginning of its id; never by one that others share
expect 0 memories show one
expect 2 memories show consensus
contains "$err" "say more of it: $id, $second"
expect 4 memories show nothing
contains "$err" 'there is no deployment "nothing"'
expect 0 memories delete "$second" --json
equal "$(json 'd["deployment_id"], d["status"]')" "('$second', 'deleted')"
expect 0 memories show "${id%?}"

is_running() { expect 0 memories status "$1" --json; [ "$(json 'd["status"]')" = running ]; }
wait_until 60 is_running one # a busy machine may be slow to answer
equal "$(json "$keys")" "deployment_id status message leader term committed_index applied_index members"
equal "$(json '[(m["name"], m["healthy"], m["address"][:12]) for m in d["members"]]')" \
    "[('node1', True, 'https://127.'), ('node2', True, 'https://127.'), ('node3', True, 'https://127.')]"
equal "$(json 'd["leader"] in ("node1", "node2", "node3"), sorted(m["role"] for m in d["members"])')" \
    "(True, ['follower', 'follower', 'leader'])"
expect 0 memories status one
contains "$out" "Cluster Status:
Leader: node"

# ---- metrics: measured by each node's supervisor, and kept ----

measured() {
    memories metrics one --json --period 5 >"$test_dir/out" && python3 -c 'import json, sys
sys.exit(not all(json.load(open(sys.argv[1])).values()))' "$test_dir/out"
}
wait_until 60 measured
expect 0 memories metrics one --json --period 5 --start -5m
equal "$(json "$keys")" "cpu_utilization memory_usage disk_io network_traffic"
equal "$(json '{" ".join(point) for points in d.values() for point in points}')" "{'timestamp value unit'}"
equal "$(json '[points[-1]["unit"] for points in d.values()]')" "['Percent', 'GB', 'Bytes/Second', 'Bytes/Second']"
# three members of etcd need some 30 MB each, and talk to each other
equal "$(json '0.02 < d["memory_usage"][-1]["value"] < 1, d["network_traffic"][-1]["value"] > 100')" "(True, True)"
equal "$(json '0 < d["cpu_utilization"][-1]["value"] < 100')" True
expect 0 memories metrics one --metric memory_usage --metric disk_io --start 2020-01-01T00:00:00Z --end 2020-01-02T00:00:00Z
equal "$out" "Monitoring Metrics:

memory_usage:
  nothing was measured in this time

disk_io:
  nothing was measured in this time"
LC_ALL=C.UTF-8 expect 0 memories metrics one --metric memory_usage --plot --start -1m --period 5
contains "$out" "memory_usage (GB):"
contains "$out" "┤"
contains "$out" "lowest "
expect 2 memories metrics one --metric humidity
contains "$err" 'there is no metric "humidity"'

# ---- logs ----

expect 0 memories logs one --lines all
contains "$out" "node1 | ==> etcd <=="
contains "$out" "node3 | ==> supervisor <=="
expect 0 memories logs one --node node2 --lines 1 --json
equal "$(json '[(" ".join(line), line["node"]) for line in d][0]')" "('node line', 'node2')"
expect 4 memories logs one --node node9
contains "$err" "$id has no node node9"
# what is written later comes too, until Ctrl-C, which is no error
python3 "$srcdir/tests/end_to_end/at_terminal.py" "service etcd ended" memories logs one --node node3 --follow --lines 1 \
    >"$test_dir/followed" &
follower=$!
is_following() { grep -q "==> supervisor <==" "$test_dir/followed"; }
wait_until 60 is_following
kill -9 "$(pgrep -f "etcd --name node3 .*$test_dir.*$id")"
wait "$follower" || fail "following ended with $?: $(cat "$test_dir/followed")"
contains "$(cat "$test_dir/followed")" "service etcd ended: signal 9"

# ---- off and on ----

expect 0 memories stop one --json
equal "$(json 'd["deployment_id"], d["status"]')" "('$id', 'stopped')"
expect 0 memories status one
contains "$out" "Status: stopped"
expect 0 memories start one --no-wait --json
equal "$(json 'd["status"]')" starting
is_started() { memories show one | grep -q '^Status: running$'; }
wait_until 60 is_started # the background has waited for it, and is done with it
expect 0 memories resume one --json
equal "$(json 'd["status"]')" running
expect 0 memories update one "$test_dir/bare.json" -t consensus -p local --set logging.level=warning --json
equal "$(json 'd["deployment_id"], d["status"]')" "('$id', 'running')"
pgrep -f "etcd --name node2 .*$test_dir.*--log-level warn.*" >/dev/null || fail "the members don't run with their new setting"
expect 0 memories delete one
equal "$out" "Deleted deployment $id: deleted"

# ---- interrupted, and crowded ----

cat >"$test_dir/slow.yaml" <<END
topology: standalone
provider: local
config:
  isolation: process
  workload:
    commands: [[sh, -c, "until [ -e $test_dir/go ]; do sleep 0.05; done"]]
    command: [sleep, "1000"]
END
code=0
python3 "$srcdir/tests/end_to_end/at_terminal.py" "create node/node1" \
    memories deploy "$test_dir/slow.yaml" --name slow --verbose >"$test_dir/typed" 2>&1 || code=$?
equal "$code" 6
contains "$(cat "$test_dir/typed")" "stopping after the operations under way"
contains "$(cat "$test_dir/typed")" "memories resume standalone-local-"
expect 0 memories list
contains "$out" interrupted
memories resume slow >"$test_dir/resumed" 2>&1 &
resumed=$!
is_resuming() { memories list | grep -q resuming; }
wait_until 60 is_resuming
expect 5 memories stop slow
contains "$err" "is being worked on by process $resumed of $(id -un) on $(uname -n) since 20"
: >"$test_dir/go"
wait "$resumed" || fail "resume ended with $?: $(cat "$test_dir/resumed")"
wait_until 60 is_running slow

# ---- colours: on a terminal, unless NO_COLOR is set ----

at_terminal() { python3 "$srcdir/tests/end_to_end/at_terminal.py" "" env TERM=xterm "$@" </dev/null; }
escape=$(printf '\033')
contains "$(at_terminal memories list)" "${escape}[32mrunning"
case $(at_terminal NO_COLOR=1 memories list) in *"$escape"*) fail "colours in spite of NO_COLOR" ;; esac
expect 0 memories list
case $out in *"$escape"*) fail "colours where there is no terminal" ;; esac
expect 0 memories delete slow

# ---- the program itself ----

expect 0 memories version --json
equal "$(json "$keys")" "version library_version abi"
mkdir -m 700 "$test_dir/plugins"
echo "no object" >"$test_dir/plugins/provider-broken.so"
expect 0 memories plugins --json --plugin-path "$MEMORIES_PLUGIN_PATH:$test_dir/plugins"
equal "$(json 'sorted((p["kind"], p["name"], p["abi"], p["status"]) for p in d if p["name"] in ("local", "consensus"))')" \
    "[('provider', 'local', '1.1', 'ok'), ('topology', 'consensus', '1.1', 'ok')]"
equal "$(json '[(p["status"], p["path"]) for p in d if p["path"].endswith("provider-broken.so")]')" \
    "[('failed', '$test_dir/plugins/provider-broken.so')]"
expect 0 memories plugins --plugin-path "$test_dir/plugins"
contains "$out" "provider-broken.so: "
