#!/bin/sh
# consensus.sh - the guide's consensus example on this machine, with real etcd: form, look, break, stop, start, delete
#
# Runs in process isolation, and in namespace isolation where that is possible.
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"

command -v etcd >/dev/null || skip "etcd is not installed (apt-get install etcd-server)"
command -v curl >/dev/null || skip "curl is not installed (apt-get install curl)"

# field NAME JSON - the value of a top-level string or number
field() { printf '%s' "$2" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
# member NODE FIELD JSON
member() {
    printf '%s' "$3" | python3 -c 'import json, sys
print(next(m for m in json.load(sys.stdin)["members"] if m["name"] == sys.argv[1])[sys.argv[2]])' "$1" "$2"
}
status() { memories status "$1" --json; }

# etcd NODE PATH BODY - asks a member as the deployment's client
ask() {
    url=$(member "$1" address "$(status "$id")")
    address=${url#https://}
    curl -sS --max-time 8 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" \
        --connect-to "$1:${address##*:}:$address" "https://$1:${address##*:}$2" -d "$3"
}
b64() { printf '%s' "$1" | base64; }

# Elected anew. On a busy machine the old leader may be back before that, and win.
has_new_leader() {
    now=$(status "$id") || return 1
    [ "$(field leader "$now")" != None ] && [ "$(field term "$now")" -gt "$term" ]
}
is_running() { [ "$(field status "$(status "$1")")" = running ]; }

walk() {
    isolation=$1
    machine_before "$test_dir/before"
    expect 0 memories deploy "$srcdir/examples/consensus.yaml" --provider local --set isolation="$isolation" \
        --name "walk-$isolation"
    id=$(printf '%s\n' "$out" | sed -n 's/^Deployment ID: //p')
    case $id in consensus-local-[0-9]*) ;; *) fail "no deployment id in: $out" ;; esac
    contains "$out" "Follower Nodes: node"
    contains "$out" "Status: running"
    secrets=$MEMORIES_STATE_DIR/secrets/$id

    now=$(status "$id")
    leader=$(field leader "$now")
    term=$(field term "$now")
    equal "$(field status "$now")" running
    for node in node1 node2 node3; do equal "$(member $node healthy "$now")" True; done
    [ "$(field committed_index "$now")" -ge "$(field applied_index "$now")" ] || fail "applied is ahead: $now"

    # only the deployment's own client may talk to a member
    url=$(member node1 address "$now")
    if curl -sS --max-time 8 -k "$url/health" >/dev/null 2>&1; then fail "a client without certificate was served"; fi
    contains "$(ask node1 /v3/kv/put "{\"key\":\"$(b64 colour)\",\"value\":\"$(b64 green)\"}")" revision

    # the leader dies: a leader of a higher term is seen, and the supervisor brings the old one back
    victim=$(pgrep -f "etcd --name $leader .*$id") || fail "no etcd process of $leader"
    killed=$(date +%s%3N)
    kill -9 "$victim"
    wait_until 60 has_new_leader
    echo "$isolation: $leader killed; $(field leader "$now") seen as leader after $(($(date +%s%3N) - killed)) ms"
    wait_until 60 is_running "$id"
    contains "$(ask "$leader" /v3/kv/range "{\"key\":\"$(b64 colour)\"}")" "$(b64 green)"

    # stop and start keep data and identity
    ids=$(printf '%s' "$now" | python3 -c 'import json, sys; print([m.get("id") for m in json.load(sys.stdin)["members"]])')
    expect 0 memories stop "$id"
    contains "$out" stopped
    if pgrep -f "etcd .*$id" >/dev/null; then fail "etcd still runs after stop"; fi
    equal "$(field status "$(status "$id")")" stopped
    expect 0 memories list --json
    contains "$out" '"status":"stopped"'
    expect 0 memories start "$id"
    wait_until 60 is_running "$id"
    contains "$(ask node2 /v3/kv/range "{\"key\":\"$(b64 colour)\"}")" "$(b64 green)"
    equal "$(status "$id" | python3 -c 'import json, sys; print([m.get("id") for m in json.load(sys.stdin)["members"]])')" "$ids"

    # a killed supervisor is a stopped node, not a running one
    supervisor=$(pgrep -f "memories-node .*$id/nodes/node1") || fail "no supervisor of node1"
    kill -9 "$supervisor"
    wait_until 60 node_is_stopped node1
    expect 0 memories start "$id"
    wait_until 60 is_running "$id"

    # a second one at the same time
    expect 0 memories deploy "$srcdir/examples/custom-network.yaml" --provider local --set isolation="$isolation"
    other=$(printf '%s\n' "$out" | sed -n 's/^Deployment ID: //p')
    wait_until 60 is_running "$other"
    wait_until 60 is_running "$id"
    expect 0 memories delete "$other"

    expect 0 memories delete "$id"
    expect 4 memories status "$id"
    machine_unchanged "$test_dir/before"
}
node_is_stopped() {
    memories show "$id" --json | python3 -c 'import json, sys
sys.exit(next(r for r in json.load(sys.stdin)["resources"] if r.get("node") == sys.argv[1])["state"] != "stopped")' "$1"
}

walk process
if can_isolate; then walk namespace; else echo "namespace isolation: not possible here ($why_not)"; fi
