#!/bin/sh
# consensus.sh - the guide's consensus example on this machine, with real etcd: form, look, break, stop, start, delete
#
# Runs in process isolation, and in namespace isolation where that is possible.
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"

command -v etcd >/dev/null || skip "etcd is not installed (apt-get install etcd-server)"
command -v curl >/dev/null || skip "curl is not installed (apt-get install curl)"
command -v python3 >/dev/null || skip "python3 is not here to read JSON"

# field NAME JSON - the value of a top-level string or number
field() { printf '%s' "$2" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
# member NODE FIELD JSON
member() {
    printf '%s' "$3" | python3 -c 'import json, sys
print(next(m for m in json.load(sys.stdin)["members"] if m["name"] == sys.argv[1])[sys.argv[2]])' "$1" "$2"
}
# member_ids JSON - by which etcd tells its members apart
member_ids() {
    printf '%s' "$1" | python3 -c 'import json, sys
print(*sorted(m["name"] + "=" + m["member_id"] for m in json.load(sys.stdin)["members"]))'
}
status() { memories status "$1" --json; }

# ask NODE PATH BODY - asks a member as the deployment's client
ask() {
    url=$(member "$1" address "$(status "$id")")
    address=${url#https://}
    curl -sS --max-time 60 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" \
        --connect-to "$1:${address##*:}:$address" "https://$1:${address##*:}$2" -d "$3"
}
b64() { printf '%s' "$1" | base64; }

# Elected anew. On a busy machine the old leader may be back before that, and win.
has_new_leader() {
    now=$(status "$id") || return 1
    [ "$(field leader "$now")" != None ] && [ "$(field term "$now")" -gt "$term" ]
}
is_running() { [ "$(field status "$(status "$1")")" = running ]; }
node_is_stopped() {
    memories show "$id" --json | python3 -c 'import json, sys
sys.exit(next(r for r in json.load(sys.stdin)["resources"] if r.get("node") == sys.argv[1])["state"] != "stopped")' "$1"
}

walk() {
    isolation=$1
    expect 0 memories deploy "$srcdir/examples/consensus.yaml" --provider local --set isolation="$isolation" \
        --name "walk-$isolation"
    id=$(id_in "$out")
    case $id in consensus-local-[0-9]*) ;; *) fail "no deployment id in: $out" ;; esac
    contains "$out" "Leader Node: node"
    contains "$out" "Follower Nodes: node"
    contains "$out" "Status: running"
    secrets=$MEMORIES_STATE_DIR/secrets/$id

    wait_until 60 is_running "$id"
    now=$(status "$id")
    leader=$(field leader "$now")
    term=$(field term "$now")
    equal "$(field status "$now")" running
    for node in node1 node2 node3; do equal "$(member $node healthy "$now")" True; done
    [ "$(field committed_index "$now")" -ge "$(field applied_index "$now")" ] || fail "applied is ahead: $now"
    ids=$(member_ids "$now")

    # only the deployment's own client may talk to a member
    contains "$(ask node1 /v3/kv/put "{\"key\":\"$(b64 colour)\",\"value\":\"$(b64 green)\"}")" revision
    url=$(member node1 address "$now")
    code=0
    curl -sS --max-time 60 -k "$url/health" >/dev/null 2>&1 || code=$?
    case $code in
    35 | 55 | 56) ;; # connected, and hung up on during the handshake or after it
    *) fail "a client without certificate: curl ended with $code" ;;
    esac

    # the leader dies: a leader of a higher term is seen, and the supervisor brings the old one back
    victim=$(pgrep -f "etcd --name $leader .*$test_dir.*$id") || fail "no etcd process of $leader"
    killed=$(date +%s%3N)
    kill -9 "$victim"
    wait_until 60 has_new_leader
    echo "$isolation: $leader killed; $(field leader "$now") seen as leader after $(($(date +%s%3N) - killed)) ms"
    wait_until 60 is_running "$id"
    contains "$(ask "$leader" /v3/kv/range "{\"key\":\"$(b64 colour)\"}")" "$(b64 green)"

    # stop and start keep data and identity
    expect 0 memories stop "$id"
    contains "$out" stopped
    if pgrep -f "etcd .*$test_dir.*$id" >/dev/null; then fail "etcd still runs after stop"; fi
    equal "$(field status "$(status "$id")")" stopped
    expect 0 memories list --json
    contains "$out" '"status":"stopped"'
    expect 0 memories start "$id"
    wait_until 60 is_running "$id"
    contains "$(ask node2 /v3/kv/range "{\"key\":\"$(b64 colour)\"}")" "$(b64 green)"
    equal "$(member_ids "$(status "$id")")" "$ids"

    # a killed supervisor is a stopped node, not a running one
    supervisor=$(pgrep -f "memories-node .*$test_dir.*$id/nodes/node1") || fail "no supervisor of node1"
    kill -9 "$supervisor"
    wait_until 60 node_is_stopped node1
    expect 0 memories list
    contains "$out" degraded
    expect 0 memories start "$id"
    wait_until 60 is_running "$id"

    # a second one at the same time, which has the same addresses inside
    expect 0 memories deploy "$srcdir/examples/consensus.yaml" --provider local --set isolation="$isolation"
    other=$(id_in "$out")
    wait_until 60 is_running "$other"
    expect 0 memories delete "$other"
    wait_until 60 is_running "$id"
}

# removed KIND… - delete leaves nothing of what there was of each kind
removed() {
    machine_names "$id" >"$test_dir/names"
    machine_has "$test_dir/names" "$@"
    expect 0 memories delete "$id"
    expect 4 memories status "$id"
    machine_is_clean "$test_dir/names"
}

walk process
removed process port file

if can_isolate; then
    walk namespace
    # as after a reboot: nothing is left but the files
    network=$(memories show "$id" --json | python3 -c 'import json, sys
print(next(r["outputs"]["id"] for r in json.load(sys.stdin)["resources"] if r["key"] == "network"))')
    ip netns del "$network"
    expect 0 memories list
    contains "$out" degraded
    for pid in $(pgrep -f "memories-node .*$test_dir.*$id/nodes/"); do kill -9 "$pid"; done
    for node in node1 node2 node3; do
        wait_until 60 node_is_stopped "$node"
        ip netns del "$network-$node"
    done
    equal "$(field status "$(status "$id")")" stopped
    expect 0 memories start "$id"
    wait_until 60 is_running "$id"
    contains "$(ask node2 /v3/kv/range "{\"key\":\"$(b64 colour)\"}")" "$(b64 green)"
    removed process file namespace interface route
else
    echo "namespace isolation: not possible here ($why_not)"
fi

# from 1 to 7 members; an even number is allowed, with the reason why odd ones are better
printf 'consensus: {algorithm: raft}\n' >"$test_dir/bare.yaml"
bare() {
    expect "$1" memories "$2" "$test_dir/bare.yaml" --topology consensus --provider local --set isolation=process \
        --set "consensus.min_nodes=$3"
}
bare 0 deploy 1
equal "$(printf '%s\n' "$out" | grep -c 'Follower')" 0
contains "$out" "Leader Node: node1"
bare 0 deploy 2
contains "$err" "an odd number is better"
bare 0 validate 7
bare 3 validate 8
contains "$err" "config.consensus.min_nodes"
