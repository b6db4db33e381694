#!/bin/sh
# formation.sh - forming a consensus group: `memories deploy` against the same etcd processes started by hand
#
# Both begin with nothing and end when every member is healthy and a write has been answered: what deploy waits for. By hand:
# certificates made beforehand (openssl would cost more than etcd), starts 75 ms apart, as docs/topologies/consensus.md
# explains. A group that only just has its majority takes writes before its last members are there: that is shown too.
. "${srcdir:-.}/tests/env.sh"
command -v etcd >/dev/null || skip "etcd is not installed"
command -v curl >/dev/null || skip "curl is not installed"
runs=${RUNS:-5}

now_ms() { date +%s%3N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

config() { # config MEMBERS
    printf 'topology: consensus\nprovider: local\nconfig:\n  isolation: process\n  consensus: {algorithm: raft, min_nodes: 1, max_nodes: 7}\n  node_specs:\n'
    for member in $(seq "$1"); do printf '    - {id: node%s}\n' "$member"; done
}

# The members' certificates of the deployment name 127.0.0.1 too, so by hand all of them live there, on ports of their own.
client_url() { echo "https://127.0.0.1:$((base + $1))"; }
peer_url() { echo "https://127.0.0.1:$((base + 16 + $1))"; }

start_member() { # start_member NUMBER CLUSTER SECRETS
    etcd --name "node$1" --data-dir "$test_dir/hand/node$1" --listen-client-urls "$(client_url "$1")" \
        --advertise-client-urls "$(client_url "$1")" --listen-peer-urls "$(peer_url "$1")" \
        --initial-advertise-peer-urls "$(peer_url "$1")" --initial-cluster "$2" --initial-cluster-state new \
        --initial-cluster-token "hand-$base" --client-cert-auth --peer-client-cert-auth \
        --trusted-ca-file "$3/ca.crt" --peer-trusted-ca-file "$3/ca.crt" \
        --cert-file "$3/nodes/node$1.crt" --key-file "$3/nodes/node$1.key" \
        --peer-cert-file "$3/nodes/node$1.crt" --peer-key-file "$3/nodes/node$1.key" \
        --logger zap --log-outputs stderr >>"$test_dir/hand.log" 2>&1 &
    pids="$pids $!"
}

# ask SECRETS ARGUMENT... - all requests at once, by one curl
ask() {
    secrets=$1
    shift
    curl -Z --max-time 8 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" "$@" 2>/dev/null
}

is_writable() { ask "$1" "$(client_url 1)/v3/kv/put" -d '{"key":"YQ==","value":"YQ=="}' | grep -q revision; }

look_again() {
    # shellcheck disable=SC2086 # words on purpose
    [ $(($(now_ms) - began)) -lt 30000 ] || { kill -9 $pids; fail "etcd by hand: $(tail -n 1 "$test_dir/hand.log")"; }
    sleep 0.01
}

# by_hand MEMBERS SECRETS - prints the milliseconds to the first write, and to all members healthy
by_hand() {
    numbers=$(seq "$1")
    base=$((20000 + ($$ + round * 32) % 12000)) # below the ports that the kernel gives to connections
    cluster=$(for member in $numbers; do printf 'node%s=%s,' "$member" "$(peer_url "$member")"; done)
    # shellcheck disable=SC2046 # words on purpose
    set -- "$1" "$2" $(for member in $numbers; do echo "$(client_url "$member")/health"; done)
    count=$1 pki=$2 pids=
    shift 2
    began=$(now_ms)
    for member in $numbers; do
        [ "$member" = 1 ] || sleep 0.075
        start_member "$member" "${cluster%,}" "$pki"
    done
    until is_writable "$pki"; do look_again; done
    first_write=$(now_ms)
    until [ "$(ask "$pki" "$@" | grep -o '"health":"true"' | wc -l)" = "$count" ]; do look_again; done
    echo $((first_write - began)) $(($(now_ms) - began))
    # shellcheck disable=SC2086 # words on purpose
    kill -9 $pids
    # shellcheck disable=SC2086
    wait $pids 2>/dev/null
    rm -rf "$test_dir/hand"
}

round=0
printf '%-8s %16s %20s %24s %8s\n' members 'deploy ms' 'hand: healthy ms' 'hand: first write ms' ratio
for members in 3 5; do
    config "$members" >"$test_dir/config.yaml"
    : >"$test_dir/ours" && : >"$test_dir/floor"
    for _ in $(seq "$runs"); do
        began=$(now_ms)
        memories --quiet deploy "$test_dir/config.yaml" --name bench --json >"$test_dir/result" || fail "deploy failed"
        echo $(($(now_ms) - began)) >>"$test_dir/ours"
        secrets=$(find "$MEMORIES_STATE_DIR/secrets" -mindepth 1 -maxdepth 1)
        cp -r "$secrets" "$test_dir/pki"
        memories --quiet delete bench >/dev/null
        round=$((round + 1))
        by_hand "$members" "$test_dir/pki" >>"$test_dir/floor"
        rm -rf "$test_dir/pki"
    done
    ours=$(median <"$test_dir/ours")
    healthy=$(cut -d ' ' -f 2 "$test_dir/floor" | median)
    first_write=$(cut -d ' ' -f 1 "$test_dir/floor" | median)
    awk -v m="$members" -v o="$ours" -v h="$healthy" -v w="$first_write" \
        'BEGIN { printf "%-8d %16d %20d %24d %8.2f\n", m, o, h, w, o / h }'
done
echo "medians of $runs runs; ratio: deploy / hand: healthy"
