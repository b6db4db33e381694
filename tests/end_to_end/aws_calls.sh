#!/bin/sh
# aws_calls.sh - how many calls deployments on AWS take: within their bounds, and as `memories plan --calls` has said
#
# Nothing runs on these nodes: what is counted ends when they are there. The program is the one of the crash tests, which
# leaves no process in the background to wait for the whole.
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws
deploys=$builddir/tests/end_to_end/memories-crash
[ -x "$deploys" ] || skip "$deploys is not built"

# counted NAME FILE MOST MOST_OF_A_LOOK
counted() {
    expect 0 memories plan --calls --json "$2"
    told=$(printf '%s' "$out" | python3 -c 'import json, sys; print({c["action"]: c["count"] for c in [{"action": a, "count": sum(c["count"] for c in d["calls"] if c["action"] == a)} for d in [json.load(sys.stdin)] for a in sorted({c["action"] for c in d["calls"]})]})')
    aws_forget
    expect 0 "$deploys" deploy --no-wait --name "$1" "$2"
    aws_is '{action: calls.count(action) for action in sorted(set(calls))}' "$told"
    calls=$(aws_ask 'len(calls)')
    [ "$calls" -le "$3" ] || fail "$1 took $calls calls, more than $3: $(aws_ask calls)"
    aws_forget
    expect 0 memories show "$1"
    look=$(aws_ask 'len(calls)')
    [ "$look" -le "$4" ] || fail "to look at $1 took $look calls, more than $4: $(aws_ask calls)"
    echo "$1: $calls calls, and $look for a look"
    expect 0 memories delete "$1"
    aws_is state '{}'
}
config() { printf '{topology: %s, provider: aws, config: {region: us-west-2, %s}}' "$2" "$3" >"$test_dir/$1.yaml"; }

config standalone standalone ''
config consensus3 consensus 'consensus: {algorithm: raft, min_nodes: 3}'
config consensus5 consensus 'consensus: {algorithm: raft, min_nodes: 5}'
config swarmed5 swarmed 'swarm: {manager_nodes: 3, worker_nodes: 5}'
config swarmed97 swarmed 'swarm: {manager_nodes: 3, worker_nodes: 97}'
counted standalone "$test_dir/standalone.yaml" 18 7
counted consensus3 "$test_dir/consensus3.yaml" 24 7
counted consensus5 "$test_dir/consensus5.yaml" 24 7
counted swarmed5 "$test_dir/swarmed5.yaml" 30 10
counted swarmed97 "$test_dir/swarmed97.yaml" 30 10
counted monitoring "$srcdir/examples/monitoring.yaml" 26 12
counted private "$srcdir/tests/golden/aws/private.yaml" 27 12

expect 1 memories plan --calls --provider local "$srcdir/examples/standalone.yaml"
contains "$err" "the provider local can't tell how many calls a plan takes"
