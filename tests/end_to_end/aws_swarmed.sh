#!/bin/sh
# aws_swarmed.sh - a swarm on AWS, with real Docker Engines: its instances are machines that run what they were told
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
  swarm: {manager_nodes: 3, worker_nodes: 2, min_nodes: 1, max_nodes: 4}
  node_specs:
    manager_specs: {instance_type: t3.medium}
    worker_specs: {instance_type: m7i.large, storage_size: 50, zone: us-west-2a}
END_OF_CONFIG
began=$(date +%s)
say() { echo "$(($(date +%s) - began)) s: $*"; }

# ---- Formation ----

expect 0 memories deploy "$test_dir/swarmed.yaml" --name swarm --json
id=$(pick 'd["deployment_id"]' "$out")
secrets=$MEMORIES_STATE_DIR/secrets/$id
aws_is 'len(calls)' 24
say "3 managers and 2 workers"
equal "$(pick '(d["status"], d["manager_nodes"], d["worker_nodes"])' "$out")" \
    "('running', ['manager-1', 'manager-2', 'manager-3'], ['worker-1', 'worker-2'])"
# Workers of one zone come by one request, and all bear the deployment's name; which is which, each knows by its place.
equal "$(aws_ask '"\n".join(sorted(" ".join((one["tags"]["Name"].removeprefix("'"$id"'").removeprefix("-") or "worker", one["type"], one["zone"],
    one["volumes"][0]["Ebs"]["VolumeSize"])) for one in state["instance"]))')" \
    "manager-1 t3.medium us-west-2a 20
manager-2 t3.medium us-west-2b 20
manager-3 t3.medium us-west-2c 20
worker m7i.large us-west-2a 50
worker m7i.large us-west-2a 50"
aws_is 'calls.count("RunInstances")' 4
all_well() { holds 'd["status"] == "running" and d["message"].startswith("'"$1 of $1"'")' status && all_run; }
wait_until 60 all_well 5
equal "$(pick 'd["leader"]' "$(status)")" manager-1
equal "$(pick 'sorted(n["Description"]["Hostname"] for n in d if n["Spec"]["Role"] == "worker")' "$(engine manager-1 /nodes)")" \
    "['worker-1', 'worker-2']"

# The services' image has come over the engines' API; their ports are reached at the nodes' public addresses, as far as the
# security group lets them.
reached() {
    api=$(addresses memories-api)
    case $api in 198.51.100.*) ;; *) fail "not at public addresses: $api" ;; esac
    # shellcheck disable=SC2086 # a list
    answers $api || fail "one of $api does not answer: $(cat "$test_dir/curl")"
}
reached
open_ports() { aws_ask 'sorted(rule[1] for rule in state["securityGroup"][0]["rules"] if rule[3] == "0.0.0.0/0")'; }
equal "$(open_ports)" "['2376', '8000']"

# ---- By one worker more, and back ----

scaled() { # scaled WORKERS: the swarm knows these and no others, and the account pays for no others
    expect 0 memories scale swarm --worker-nodes "$1"
    wait_until 60 all_well $((3 + $1))
    equal "$(pick 'sum(n["Spec"]["Role"] == "worker" for n in d)' "$(engine manager-1 /nodes)")" "$1"
    aws_is 'len(state["instance"])' $((3 + $1))
    say "$1 workers"
}
members >"$test_dir/before"
scaled 3
scaled 2
equal "$(members)" "$(cat "$test_dir/before")"

# ---- Switched off and on: the same swarm, at other public addresses ----

expect 0 memories stop swarm
aws_is '{one["state"] for one in state["instance"]}' "{'stopped'}"
holds 'd["status"] == "stopped"' status || fail "not stopped: $(status)"
say "stopped"
expect 0 memories start swarm
wait_until 60 all_well 5
equal "$(members)" "$(cat "$test_dir/before")"
reached
say "started"

expect 0 memories delete swarm
aws_is state '{}'
