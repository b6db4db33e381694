#!/bin/sh
# aws.sh - deployments on AWS whose calls take 100 ms each: how many calls, and how long against the critical path
#
# The critical path is what nobody could do faster with these calls: one round of look-ups, and then each call that has to wait
# for the answer of another, down to the first look at the instances. Calls, and the depth of what is created, are those that
# `memories plan` tells. What runs on the nodes is not waited for; the simulator answers each call LATENCY ms late, and shares
# this machine's processors.
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"
runs=${RUNS:-5}
latency=${LATENCY:-100}
# The program without processes in the background.
program=$builddir/tests/end_to_end/memories-crash
[ -x "$program" ] || skip "$program is not built: make check TESTS="

start_aws --latency "$latency"

now_ms() { date +%s%3N; }
config() { printf '{topology: %s, provider: aws, config: {region: us-west-2, %s}}' "$2" "$3" >"$test_dir/$1.yaml"; }

# depth FILE: look-ups, the longest row of operations that wait for each other, and one look at the instances
depth() {
    memories plan --json "$1" 2>/dev/null | python3 -c '
import json, sys
levels = {}
for operation in json.load(sys.stdin)["operations"]:
    levels[operation["key"]] = 1 + max((levels[key] for key in operation["depends_on"]), default=0)
print(1 + max(level for key, level in levels.items() if key.startswith("node/")) + 1)'
}

# timed COMMAND...: the least of its milliseconds goes to $least; its calls to $calls
timed() {
    aws_forget
    began=$(now_ms)
    "$@" >"$test_dir/out" 2>&1 || fail "$*: $(cat "$test_dir/out")"
    took=$(($(now_ms) - began))
    calls=$(aws_ask 'len(calls)')
}
less() { if [ -z "$1" ] || [ "$2" -lt "$1" ]; then echo "$2"; else echo "$1"; fi; }

printf '%-14s %6s %6s %9s %9s %6s   %6s %9s\n' deployment calls depth 'path ms' 'wall ms' ratio calls 'look ms'
measure() {
    wall= look=
    path=$(($(depth "$test_dir/$1.yaml") * latency))
    for _ in $(seq "$runs"); do
        timed "$program" --quiet deploy --no-wait --name bench "$test_dir/$1.yaml"
        wall=$(less "$wall" "$took")
        made=$calls
        timed memories show bench
        look=$(less "$look" "$took")
        memories --quiet delete bench >/dev/null 2>&1 || fail "delete failed"
    done
    awk -v n="$1" -v c="$made" -v d="$((path / latency))" -v p="$path" -v w="$wall" -v l="$calls" -v k="$look" \
        'BEGIN { printf "%-14s %6d %6d %9d %9d %6.2f   %6d %9d\n", n, c, d, p, w, w / p, l, k }'
}

config standalone standalone ''
config consensus3 consensus 'consensus: {algorithm: raft, min_nodes: 3}'
config swarmed3+5 swarmed 'swarm: {manager_nodes: 3, worker_nodes: 5}'
config swarmed3+97 swarmed 'swarm: {manager_nodes: 3, worker_nodes: 97}'
for name in standalone consensus3 swarmed3+5 swarmed3+97; do measure "$name"; done
echo "least of $runs runs, $latency ms a call; ratio: wall / path; look: what memories show takes"
