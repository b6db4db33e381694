#!/bin/sh
# recover.sh - deployments on this machine whose record is lost
. "$srcdir/tests/env.sh"
command -v etcd >/dev/null || skip "etcd is not installed"

identity() { printf '%s\n' "$out" | sed -n 's/^Deployment ID: //p'; }
lose_records() { rm -f "$MEMORIES_STATE_DIR"/memories.db*; }
unchanged() {
    case $err in *"not what the configuration says"* | *"is not there"* | *certificates*) fail "differs: $err" ;; esac
    expect 0 memories plan --deployment "$1" "$2"
    contains "$out" "Plan for $1: 0 operations"
}

for isolation in process auto; do
    printf '{topology: consensus, provider: local, config: {isolation: %s, consensus: {algorithm: raft, min_nodes: 3}}}' $isolation >"$test_dir/consensus.yaml"
    expect 0 memories deploy "$test_dir/consensus.yaml"
    id=$(identity)
    expect 0 memories recover --provider local
    contains "$out" "node1 ready, node2 ready, node3 ready"
    lose_records
    expect 4 memories status "$id"
    expect 0 memories recover "$id" "$test_dir/consensus.yaml"
    equal "$out" "Recovered deployment $id: running"
    unchanged "$id" "$test_dir/consensus.yaml"
    expect 0 memories status "$id"
    contains "$out" "3 of 3 members are healthy"
    # The authority's key was beside the records, not in them: nodes can come.
    sed 's/min_nodes: 3/min_nodes: 4/' "$test_dir/consensus.yaml" >"$test_dir/larger.yaml"
    expect 0 memories update "$id" "$test_dir/larger.yaml"
    expect 0 memories stop "$id"
    lose_records
    expect 0 memories recover "$id" "$test_dir/consensus.yaml"
    equal "$out" "Recovered deployment $id: stopped"
    expect 0 memories plan --deployment "$id" "$test_dir/consensus.yaml"
    contains "$out" "delete node/node4"
    expect 0 memories delete "$id"
    left=$(find "$MEMORIES_STATE_DIR/local" -name 'consensus-*' 2>/dev/null || true)
    equal "$left" ""
done
