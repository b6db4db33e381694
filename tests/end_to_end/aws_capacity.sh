#!/bin/sh
# aws_capacity.sh - no room at AWS: nodes go to another zone, and none gets the majority of a group when it need not
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws
aws_config plain ''
printf '{topology: consensus, provider: aws, config: {region: us-west-2, consensus: {algorithm: raft, min_nodes: 3}}}' >"$test_dir/three.yaml"
printf '{topology: consensus, provider: aws, config: {region: us-west-2, consensus: {algorithm: raft, min_nodes: 5}}}' >"$test_dir/five.yaml"
zones='sorted(one["zone"] for one in state["instance"])'
tokens='len({launch["parameters"]["ClientToken"] for launch in launches})'

full() { printf '{"action": "%s", "kind": "capacity", "zone": "us-west-2%s", "count": 0}' "$1" "$2"; }

aws_deploy 0 plain "$(full RunInstances a)"
contains "$err" "there is no t3.medium to be had in us-west-2a now: InsufficientInstanceCapacity"
contains "$err" "node node1: there is no t3.medium to be had in us-west-2a now: it goes to us-west-2b"
aws_is "$zones" "['us-west-2b']"
aws_is "$tokens == len(launches)" True
aws_forget
expect 0 "$aws_program" resume plain --no-wait
aws_is '[call for call in calls if not call.startswith(("Describe", "Get"))]' '[]'
aws_gone plain

# A launch may fail after its reply: the instance says why it has ended.
aws_deploy 0 plain "$(full launch a)"
contains "$err" "Server.InsufficientInstanceCapacity: it failed to launch"
aws_is "$zones" "['us-west-2b']"
aws_gone plain
aws_deploy 0 plain '{"action": "launch", "code": "Server.InternalError", "kind": "launch"}'
aws_is 'len(launches), '"$tokens"', len(state["instance"])' '(2, 2, 1)'
aws_gone plain
aws_deploy 1 plain '{"action": "launch", "code": "Client.VolumeLimitExceeded", "kind": "launch", "count": 0}'
contains "$err" "node/node1 came to nothing: Client.VolumeLimitExceeded"
aws_is 'len(launches)' 1
aws_is state '{}'

# A zone that somebody asked for is no other one.
aws_config asked 'zone: us-west-2a'
aws_deploy 1 asked "$(full RunInstances a)"
contains "$err" "try again later, or choose another zone or instance_type"
aws_is state '{}'

# Members of a group go to another zone with their addresses, which the others know; no zone gets the majority of them.
if command -v etcd >/dev/null; then
    aws_deploy 0 three "$(full RunInstances b)"
    contains "$err" "node node2: there is no t3.medium to be had in us-west-2b now: it goes to us-west-2d"
    aws_is "$zones" "['us-west-2a', 'us-west-2c', 'us-west-2d']"
    aws_is 'sorted(one["address"] for one in state["instance"])' "['10.0.0.4', '10.0.16.4', '10.0.8.4']"
    aws_is 'len(state["subnet"])' 3
    aws_gone three
    aws_steer settings '{"interface_ms": 1500}' # for which an address stays taken
    aws_deploy 0 five "$(full RunInstances a), $(full launch c)"
    aws_is 'max(sum(one["zone"] == zone for one in state["instance"]) for zone in {one["zone"] for one in state["instance"]})' 3
    aws_is "$zones" "['us-west-2b', 'us-west-2b', 'us-west-2d', 'us-west-2d', 'us-west-2d']"
    aws_steer settings '{"interface_ms": 0}'
    aws_gone five
else
    echo "skipped: etcd is not installed"
fi
