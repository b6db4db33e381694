#!/bin/sh
# members.sh - members of a real etcd cluster come, go, and are replaced, and its data stays
. "${srcdir:-.}/tests/env.sh"

command -v etcd >/dev/null || skip "etcd is not installed"
command -v python3 >/dev/null || skip "python3 is not here to read the answers"

config() { printf 'topology: consensus\nprovider: local\nconfig: {isolation: process, node_specs: [%s]}\n' "$1"; }
field() { printf '%s' "$out" | python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
names() { expect 0 memories status members --json; field '["members"]' | tr ',' '\n' | sed -n "s/.*'name': '\([^']*\)'.*/\1/p" | paste -sd' '; }
id_of() { expect 0 memories status members --json; printf '%s' "$out" | python3 -c "import json, sys
print(next(m['member_id'] for m in json.load(sys.stdin)['members'] if m['name'] == '$1'))"; }
key='{"key":"Y29sb3Vy","value":"Z3JlZW4="}'
ask() { # NODE PATH BODY
    expect 0 memories show members --json
    id=$(field '["id"]')
    address=$(field "['resources']" | python3 -c "import ast, sys
print(next(r['outputs']['address'] for r in ast.literal_eval(sys.stdin.read()) if r.get('node') == '$1'))")
    secrets=$MEMORIES_STATE_DIR/secrets/$id
    curl -sS --max-time 60 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" \
        --connect-to "$1:2379:$address:2379" "https://$1:2379$2" -d "$3"
}

config '{id: node1}, {id: node2}, {id: node3}' >"$test_dir/config.yaml"
expect 0 memories deploy "$test_dir/config.yaml" --name members
contains "$(ask node1 /v3/kv/put "$key")" revision

# two more come, one after the other
config '{id: node1}, {id: node2}, {id: node3}, {id: node4}, {id: node5}' >"$test_dir/config.yaml"
expect 0 memories update members "$test_dir/config.yaml"
equal "$(names)" "node1 node2 node3 node4 node5"
contains "$(ask node5 /v3/kv/range '{"key":"Y29sb3Vy"}')" Z3JlZW4=

# two go, a founder among them; nothing of them is left
config '{id: node2}, {id: node3}, {id: node4}' >"$test_dir/config.yaml"
expect 0 memories update members "$test_dir/config.yaml"
equal "$(names)" "node2 node3 node4"
contains "$(ask node4 /v3/kv/range '{"key":"Y29sb3Vy"}')" Z3JlZW4=
if pgrep -f "$test_dir.*nodes/(node1|node5)(/|$)" >/dev/null; then fail "a removed node still runs"; fi

# one is replaced: another member under the same name, with the data of the others
before=$(id_of node3)
expect 0 memories heal members --node node3
[ "$(id_of node3)" != "$before" ] || fail "node3 is the member that it was"
contains "$(ask node3 /v3/kv/range '{"key":"Y29sb3Vy"}')" Z3JlZW4=

# one whose machine is lost does not come back empty by itself, but by heal
expect 0 memories show members --json
directory=$MEMORIES_STATE_DIR/local/$(field '["id"]')/nodes/node4
kill -9 "$(cut -d' ' -f1 "$directory/lock")"
is_gone() { ! pgrep -f "etcd --name node4 .*$directory" >/dev/null; }
wait_until 20 is_gone
rm -rf "$directory"
expect 1 memories start members
contains "$err" "memories heal"
expect 0 memories heal members
equal "$(names)" "node2 node3 node4"
contains "$(ask node4 /v3/kv/range '{"key":"Y29sb3Vy"}')" Z3JlZW4=

# a majority is not given away
expect 0 memories show members --json
for node in node2 node3; do kill -9 "$(cut -d' ' -f1 "$MEMORIES_STATE_DIR/local/$(field '["id"]')/nodes/$node/lock")"; done
expect 1 memories heal members --node node2
contains "$err" "no majority"
expect 0 memories heal members
equal "$(names)" "node2 node3 node4"
expect 0 memories delete members
