#!/bin/sh
# formation.sh - forming a consensus group: `memories deploy` against the same etcd processes started by hand
#
# Both begin with nothing and end with the first write answered. By hand: certificates made beforehand (openssl would cost
# more than etcd), starts 75 ms apart, as docs/topologies/consensus.md explains.
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

# by_hand MEMBERS SECRETS - etcd as the deployment runs it, with its certificates; those name 127.0.0.1, so ports differ
by_hand() {
    base=$((20000 + ($$ + round * 32) % 20000))
    cluster=$(for member in $(seq "$1"); do printf 'node%s=https://127.0.0.1:%s,' "$member" $((base + 16 + member)); done)
    work=$test_dir/hand
    pids=
    began=$(now_ms)
    for member in $(seq "$1"); do
        [ "$member" = 1 ] || sleep 0.075
        client=https://127.0.0.1:$((base + member)) peer=https://127.0.0.1:$((base + 16 + member))
        etcd --name "node$member" --data-dir "$work/node$member" --listen-client-urls "$client" \
            --advertise-client-urls "$client" --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
            --initial-cluster "${cluster%,}" --initial-cluster-state new --initial-cluster-token "hand-$base" \
            --client-cert-auth --peer-client-cert-auth --trusted-ca-file "$2/ca.crt" --peer-trusted-ca-file "$2/ca.crt" \
            --cert-file "$2/nodes/node$member.crt" --key-file "$2/nodes/node$member.key" \
            --peer-cert-file "$2/nodes/node$member.crt" --peer-key-file "$2/nodes/node$member.key" \
            --logger zap --log-outputs stderr >"$test_dir/hand.log" 2>&1 &
        pids="$pids $!"
    done
    until curl -s --max-time 8 --cacert "$2/ca.crt" --cert "$2/client.crt" --key "$2/client.key" \
        "https://127.0.0.1:$((base + 1))/v3/kv/put" -d '{"key":"YQ==","value":"YQ=="}' | grep -q revision; do
        sleep 0.01
    done
    echo $(($(now_ms) - began))
    # shellcheck disable=SC2086 # words on purpose
    kill -9 $pids
    # shellcheck disable=SC2086
    wait $pids 2>/dev/null
    rm -rf "$work"
}

round=0
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
    ours=$(median <"$test_dir/ours") floor=$(median <"$test_dir/floor")
    awk -v m="$members" -v o="$ours" -v f="$floor" -v n="$runs" \
        'BEGIN { printf "%d members: memories deploy %d ms, by hand %d ms, ratio %.2f (medians of %d)\n", m, o, f, o / f, n }'
done
