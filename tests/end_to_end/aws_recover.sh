#!/bin/sh
# aws_recover.sh - deployments whose record is lost: found on AWS by their marks, put on record again, and managed on
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

aws_machines
start_aws

identity() { printf '%s\n' "$out" | sed -n 's/^Deployment ID: //p'; }
# The next command knows nothing of what was done before.
forget_everything() {
    lost=$((${lost:-0} + 1))
    MEMORIES_STATE_DIR=$test_dir/state-$lost
    export MEMORIES_STATE_DIR
}
# unchanged ID FILE: there is nothing that an update would do.
unchanged() {
    expect 0 memories plan --deployment "$1" "$2"
    contains "$out" "Plan for $1: 0 operations"
    aws_forget
    expect 0 memories update "$1" "$2"
    aws_is '[call for call in calls if not call.startswith(("Describe", "Get", "List"))]' "[]"
}

# ---- One node, with everything that AWS can watch of it ----

cat >"$test_dir/watched.yaml" <<'END'
topology: standalone
provider: aws
config:
  region: us-west-2
  workload: {command: [sleep, infinity]}
  network: {security: {rules: [{name: web, protocol: tcp, ports: ["80", "8000-8010"], source_ranges: [0.0.0.0/0, "::/0"]}]}}
  monitoring: {enabled: true, metrics: [cpu_utilization, memory_usage], alerts: [{type: cpu, threshold: 80, duration: 300, notify: [ops@example.com]}]}
  logging: {cloudwatch: {enabled: true, log_group: /ours/logs}, retention_days: 30}
END
expect 0 memories deploy "$test_dir/watched.yaml"
id=$(identity)
before=$(aws_ask state)
instance=$(aws_ask 'state["instance"][0]["id"]')

forget_everything
expect 0 memories list
equal "$out" ""
expect 4 memories show "$id"
aws_forget
expect 0 memories recover --provider aws --region us-west-2
contains "$out" "$id"
contains "$out" "node1 ready"
contains "$err" "memories recover DEPLOYMENT FILE"
aws_is 'len(calls)' 9
expect 0 memories recover --provider aws --region eu-central-1
contains "$out" "Nothing is there that memories has made in eu-central-1."
expect 4 memories show "$id"

expect 0 memories recover "$id" "$test_dir/watched.yaml"
equal "$out" "Recovered deployment $id: running"
case $err in *"not what the configuration says"* | *"not there"*) fail "differs: $err" ;; esac
aws_is 'state' "$before"
expect 0 memories show "$id" --audit --json
contains "$out" "$instance"
contains "$out" "\"status\":\"running\""
contains "$out" "\"event\":\"recover\""
expect 1 memories recover "$id" "$test_dir/watched.yaml"
contains "$err" "is on record already"
expect 0 memories recover --provider aws --region us-west-2 --json
contains "$out" '"recorded":true'
unchanged "$id" "$test_dir/watched.yaml"

expect 0 memories stop "$id"
aws_is 'state["instance"][0]["state"]' stopped
forget_everything
expect 0 memories recover "$id" "$test_dir/watched.yaml"
equal "$out" "Recovered deployment $id: stopped"
expect 0 memories start "$id"
aws_is '[(one["id"], one["state"]) for one in state["instance"]]' "[('$instance', 'running')]"
expect 0 memories status "$id"

# What is not as the configuration says is told, and shows in the plan; what is gone, too.
forget_everything
sed 's/infinity/1d/; s/8000-8010/8443/; s/threshold: 80/threshold: 90/; s/days: 30}/days: 90}/' "$test_dir/watched.yaml" >"$test_dir/other.yaml"
expect 0 memories recover "$id" "$test_dir/other.yaml"
for told in "node/node1: bootstrap is not" "firewall/rules: rules is not" "threshold is not" "retention_days is not"; do contains "$err" "$told"; done
expect 0 memories plan --deployment "$id" "$test_dir/other.yaml"
contains "$out" "4 operations"
contains "$out" "update node/node1 (aws.instance)"
expect 0 memories update "$id" "$test_dir/other.yaml"
unchanged "$id" "$test_dir/other.yaml"
expect 0 memories delete "$id"
aws_is state '{}'

# ---- Wrong ones ----

expect 4 memories recover standalone-aws-20260225-123456 "$test_dir/watched.yaml"
contains "$err" "provider aws has nothing of standalone-aws-20260225-123456 in us-west-2 of the account 123456789012"
expect 3 memories recover consensus-aws-20260225-123456 "$test_dir/watched.yaml"
contains "$err" "is no deployment of topology standalone on provider aws"
expect 2 memories recover standalone-aws-20260225-123456
contains "$err" "needs FILE"

# ---- Cut off while it was made: what is there goes on record, and the rest is made ----

aws_config plain ''
last() { memories __complete delete '' | cut -f 1 | tail -n 1; }
expect 137 env MEMORIES_CRASH_AT=20 "$aws_program" deploy --no-wait "$test_dir/plain.yaml"
aws_is '"vpc" in state, "instance" in state' '(True, False)'
id=$(last)
forget_everything
expect 0 memories recover "$id" "$test_dir/plain.yaml"
contains "$err" "node/node1: is not there: memories resume $id makes it"
equal "$out" "Recovered deployment $id: interrupted"
expect 0 memories list
contains "$out" "interrupted"
expect 0 "$aws_program" resume "$id" --no-wait
aws_is 'sorted((kind, len(things)) for kind, things in state.items())' "[('instance', 1), ('internetGateway', 1), ('securityGroup', 1), ('subnet', 1), ('vpc', 1)]"
unchanged "$id" "$test_dir/plain.yaml"

# ---- Two in a region: each is its own ----

expect 0 "$aws_program" deploy --no-wait "$test_dir/plain.yaml"
other=$(memories __complete delete '' | cut -f 1 | grep -vx "$id")
forget_everything
expect 0 memories recover --provider aws
for one in "$id" "$other"; do printf '%s\n' "$out" | grep -q "^$one  *standalone  *5  *no  *node1 ready$" || fail "no $one in $out"; done
sed 's/us-west-2/eu-central-1/' "$test_dir/plain.yaml" >"$test_dir/elsewhere.yaml"
expect 4 memories recover "$other" "$test_dir/elsewhere.yaml"
contains "$err" "provider aws has nothing of $other in eu-central-1 of the account 123456789012"
contains "$err" "look elsewhere"
for one in "$other" "$id"; do
    expect 0 memories recover "$one" "$test_dir/plain.yaml"
    equal "$out" "Recovered deployment $one: running"
done
expect 0 memories delete "$other"
aws_is '{thing["tags"]["memories-deployment"] for kind in ("vpc", "instance") for thing in state[kind]}' "{'$id'}"
expect 0 memories delete "$id"
aws_is state '{}'

# ---- Nodes without public addresses, behind a NAT gateway ----

expect 0 memories deploy "$srcdir/tests/golden/aws/private.yaml"
id=$(identity)
forget_everything
expect 0 memories recover "$id" "$srcdir/tests/golden/aws/private.yaml"
case $err in *"not what the configuration says"* | *"not there"*) fail "differs: $err" ;; esac
expect 0 memories plan --deployment "$id" "$srcdir/tests/golden/aws/private.yaml"
contains "$out" "0 operations"
expect 0 memories delete "$id"
AWS_REGION=eu-central-1 aws_is state '{}'

# ---- A cluster: its members' certificates are found on them, its authority's key is not ----

cat >"$test_dir/consensus.yaml" <<'END'
{topology: consensus, provider: aws, config: {region: us-west-2, consensus: {algorithm: raft, min_nodes: 3}}}
END
# Before any node had one, none are lost.
aws_steer faults '[{"action": "RunInstances", "kind": "refuse", "count": 0}]'
expect 1 "$aws_program" deploy --no-wait --keep-on-failure "$test_dir/consensus.yaml"
aws_steer faults '[]'
id=$(last)
forget_everything
expect 0 memories recover "$id" "$test_dir/consensus.yaml"
case $err in *certificates*) fail "none were made: $err" ;; esac
expect 0 "$aws_program" resume "$id" --no-wait
aws_is 'len(state["instance"])' 3
expect 0 memories delete "$id"
aws_is state '{}'

if command -v etcd >/dev/null; then
    expect 0 memories deploy "$test_dir/consensus.yaml"
    id=$(identity)
    original=$MEMORIES_STATE_DIR
    forget_everything
    expect 0 memories recover "$id" "$test_dir/consensus.yaml"
    contains "$err" "certificates: were found on the nodes, and the key of their authority is lost"
    expect 0 memories status "$id"
    contains "$out" "3 of 3 members are healthy"
    unchanged "$id" "$test_dir/consensus.yaml"
    expect 0 memories stop "$id"
    expect 0 memories start "$id"
    sed 's/min_nodes: 3/min_nodes: 5/' "$test_dir/consensus.yaml" >"$test_dir/larger.yaml"
    aws_forget
    expect 1 memories update "$id" "$test_dir/larger.yaml"
    contains "$err" "the key to sign one is not on this machine"
    expect 0 memories status "$id"
    unchanged "$id" "$test_dir/consensus.yaml"
    aws_is '[call for call in calls if not call.startswith(("Describe", "Get", "List"))]' "[]"

    # With the key from where it was deployed nothing is lost.
    cp "$original/secrets/$id/ca.key" "$MEMORIES_STATE_DIR/secrets/$id/ca.key"
    expect 0 memories update "$id" "$test_dir/larger.yaml"
    expect 0 memories status "$id"
    contains "$out" "5 of 5 members are healthy"
    expect 0 memories delete "$id"
    aws_is state '{}'

    # Who may not see what the nodes were given can't speak with them, and is told so.
    expect 0 memories deploy "$test_dir/consensus.yaml"
    id=$(identity)
    forget_everything
    aws_steer faults '[{"action": "DescribeInstanceAttribute", "kind": "refuse", "count": 0}]'
    expect 0 memories recover "$id" "$test_dir/consensus.yaml"
    contains "$err" "certificates: are lost"
    aws_steer faults '[]'
    expect 0 memories show "$id"
    expect 0 memories stop "$id"
    expect 1 memories start "$id"
    contains "$err" "the certificates of $id are lost"
    expect 0 memories delete "$id"
    aws_is state '{}'
else
    echo "skipped: etcd is not installed"
fi
