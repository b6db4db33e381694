#!/bin/sh
# aws_recover_swarmed.sh - a swarm on AWS, with real Docker Engines, whose record is lost: alone, and with its secrets
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"
. "$srcdir/tests/end_to_end/machine.sh"
. "$srcdir/tests/end_to_end/swarm.sh"

need_swarm
aws_machines
start_aws

cat >"$test_dir/swarmed.yaml" <<'END_OF_CONFIG'
topology: swarmed
provider: aws
config:
  region: us-west-2
  swarm: {manager_nodes: 1, worker_nodes: 1, min_nodes: 1, max_nodes: 4}
END_OF_CONFIG
expect 0 memories deploy "$test_dir/swarmed.yaml" --json
id=$(pick 'd["deployment_id"]' "$out")
original=$MEMORIES_STATE_DIR
members >"$test_dir/before"

all_well() { holds 'd["status"] == "running" and d["message"].startswith("'"$1 of $1"'")' status && all_run; }
unchanged() {
    expect 0 memories plan --deployment "$id" "$test_dir/swarmed.yaml"
    contains "$out" "Plan for $id: 0 operations"
}
# recovered STATUS: put on record as what it is; what was said of it is in $said
recovered() {
    expect 4 memories status "$id"
    expect 0 memories recover "$id" "$test_dir/swarmed.yaml"
    equal "$out" "Recovered deployment $id: $1"
    case $err in *"not what the configuration says"* | *"not there"*) fail "differs: $err" ;; esac
    said=$err
    unchanged
}

# ---- The record alone: nothing is lost ----

rm -f "$MEMORIES_STATE_DIR"/memories.db*
recovered running
case $said in *certificates*) fail "they are not lost: $said" ;; esac
wait_until 60 all_well 2
equal "$(members)" "$(cat "$test_dir/before")"
expect 0 memories scale "$id" --worker-nodes 2
wait_until 60 all_well 3
expect 0 memories scale "$id" --worker-nodes 1

# ---- Switched off ----

expect 0 memories stop "$id"
rm -f "$MEMORIES_STATE_DIR"/memories.db*
recovered stopped
expect 0 memories start "$id"
wait_until 60 all_well 2

# ---- The secrets too: all goes on but what needs a new certificate, which says so and leaves everything as it is ----

MEMORIES_STATE_DIR=$test_dir/bare
export MEMORIES_STATE_DIR
expect 0 memories recover --provider aws
contains "$out" "manager-1 ready, worker-1 ready"
recovered running
contains "$said" "certificates: were found on the nodes, and the key of their authority is lost"
wait_until 60 all_well 2
equal "$(members)" "$(cat "$test_dir/before")"
expect 0 memories services "$id"
expect 0 memories heal "$id"
expect 0 memories scale "$id" --worker-nodes 2 # workers share the certificate that is there
wait_until 60 all_well 3
sed 's/manager_nodes: 1/manager_nodes: 2/; s/worker_nodes: 1/worker_nodes: 2/' "$test_dir/swarmed.yaml" >"$test_dir/larger.yaml"
aws_forget
expect 1 memories update "$id" "$test_dir/larger.yaml"
contains "$err" "the key to sign one is not on this machine"
contains "$err" "copy ca.key to that directory from the machine that deployed $id"
aws_is '[call for call in calls if not call.startswith(("Describe", "Get", "List"))]' "[]"
sed -i 's/worker_nodes: 1/worker_nodes: 2/' "$test_dir/swarmed.yaml"
unchanged
holds 'd["status"] == "running"' memories show "$id" --json || fail "the refusal has left its trace: $document"

cp "$original/secrets/$id/ca.key" "$MEMORIES_STATE_DIR/secrets/$id/"
expect 0 memories update "$id" "$test_dir/larger.yaml"
wait_until 120 all_well 4

# ---- Not even the nodes' certificates: what can't be done says why ----

MEMORIES_STATE_DIR=$test_dir/barer
aws_steer faults '[{"action": "DescribeInstanceAttribute", "kind": "refuse", "count": 0}]'
expect 0 memories recover "$id" "$test_dir/swarmed.yaml"
contains "$err" "certificates: are lost"
contains "$err" "node/manager-2: is not in the configuration: memories update $id FILE would remove it"
aws_steer faults '[]'
expect 0 memories show "$id"
for command in "status $id" "services $id" "scale $id --worker-nodes 2" "heal $id" "start $id"; do
    # shellcheck disable=SC2086 # words
    expect 1 memories $command
    contains "$err" "the certificates of $id are lost"
    contains "$err" "copy $MEMORIES_STATE_DIR/secrets/$id from the machine that deployed it"
done
expect 0 memories delete "$id"
aws_is state '{}'
MEMORIES_STATE_DIR=$original
expect 0 memories delete "$id"
