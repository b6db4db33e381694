#!/bin/sh
# cli.sh - the program on the real library, with the fake provider: the life of a deployment, interrupted and crowded
. "${srcdir:-.}/tests/env.sh"

cat >"$test_dir/three.yaml" <<END
topology: fake
provider: fake
config:
  fake_nodes: 3
END
three=$test_dir/three.yaml
id_of() { printf '%s\n' "$1" | sed -n 's/^Deployment ID: //p'; }

expect 0 memories validate "$three"
expect 0 memories plan "$three"
contains "$out" "4 operations"
expect 0 memories list
equal "$out" ""

# A life.
expect 0 memories deploy "$three" --name box
id=$(id_of "$out")
equal "$out" "Deployment ID: $id
Leader Node: node1
Follower Nodes: node2, node3
Status: running"
expect 0 memories show box
contains "$out" "Resources: 4 resources"
expect 0 memories status "${id%???}" # ids may be shortened
contains "$out" "Leader: node1"
expect 0 memories update box "$three" --set fake_content=new
contains "$out" "Status: running"
expect 0 memories stop box
equal "$out" "Stopped deployment $id: stopped"
expect 0 memories start box
equal "$out" "Started deployment $id: running"
expect 0 memories logs box --lines 2 --node node2
equal "$(printf '%s\n' "$out" | wc -l)" 2
expect 0 memories metrics box --metric cpu_utilization --plot
contains "$out" "cpu_utilization (Percent)"
expect 0 memories resume box # nothing to do is no error
expect 0 memories __complete stop ''
contains "$out" "$id	box: fake on fake, running"
expect 0 memories __complete logs box --node ''
contains "$out" node3

# What goes wrong.
expect 1 memories deploy "$three" --name box
expect 3 memories deploy "$three" --set fake_nodes=many --set bogus=1
contains "$err" 'config.fake_nodes: expected a whole number, found "many"'
contains "$err" 'config.bogus'
expect 3 memories deploy "$three" --topology ''
expect 4 memories deploy "$test_dir/nothing.yaml"
for directory in /proc/nowhere /etc/passwd /etc/passwd/below; do
    expect 1 memories list --state-dir $directory
    contains "$err" "$directory"
    contains "$err" "name another directory for what is on record: --state-dir, or MEMORIES_STATE_DIR"
done
expect 2 memories metrics box --start 2126-02-25T12:00:00Z --end 2126-02-25T11:00:00Z
contains "$err" "the start, 2126-02-25T12:00:00Z, is not before the end, 2126-02-25T11:00:00Z"
expect 4 memories stop nothing
expect 1 memories deploy "$three" --set 'fake.fail=[{operation: create, key: node/node2, code: denied}]'
contains "$err" "memories: node/node2: the fake provider was told to fail (denied)"
expect 0 memories list --json
equal "$(printf %s "$out" | grep -o '"id"' | wc -l)" 1 # the failed one is gone
expect 1 memories deploy "$three" --name kept --keep-on-failure \
    --set 'fake.fail=[{operation: create, key: node/node2, code: denied}]'
contains "$err" "memories resume fake-fake-"
expect 0 memories show kept
contains "$out" "Status: failed"
expect 0 memories delete kept

# Interrupted: exit code 6, and resume finishes it.
memories deploy "$three" --name slow --set fake_converge_ms=60000 2>"$test_dir/slow" &
pid=$!
is_deploying() { memories status slow >/dev/null 2>&1 && grep -q waiting "$test_dir/slow"; }
wait_until 60 is_deploying
tells_why() { grep -q '^waiting for the nodes$' "$test_dir/slow"; } # though it came at once after another line
wait_until 10 tells_why
expect 5 memories stop slow # somebody else works on it
contains "$err" "$pid"
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
equal "$code" 6
contains "$(cat "$test_dir/slow")" "memories resume"
expect 0 memories list
contains "$out" interrupted
expect 0 memories update slow "$three" --set fake_converge_ms=0
expect 0 memories resume slow
equal "$(printf %s "$out" | sed 's/.*: //')" running
expect 0 memories delete slow

# Not waited for: a process in the background has taken it over, keeps others out, and can be interrupted like any other.
status_is() { memories show box | grep -q "^Status: $1\$"; }
expect 0 memories update box "$three" --set fake_content=newer --set fake_converge_ms=60000 --no-wait
contains "$out" "Status: starting"
pid=$(printf '%s\n' "$err" | sed -n 's/^Process \([0-9]*\) goes on in the background.*/\1/p')
expect 5 memories stop box
contains "$err" "$pid"
kill -TERM "$pid"
wait_until 20 status_is interrupted
expect 0 memories update box "$three" --set fake_content=newer --no-wait
wait_until 20 status_is running
expect 0 memories stop box --no-wait --json
contains "$out" '"status":"stopping"'
wait_until 20 status_is stopped
expect 0 memories start box --no-wait
wait_until 20 status_is running

# A topology that neither scales nor has services says so.
expect 2 memories scale box --worker-nodes 2
contains "$err" 'no group of nodes "worker"'
expect 3 memories autoscale box --once
expect 1 memories services box

expect 0 memories delete box --no-wait
equal "$out" "Deployment $id: deleting"
is_gone() { ! memories show box >/dev/null 2>&1; }
wait_until 20 is_gone
expect 4 memories delete box
expect 0 memories show "$id" --audit
contains "$out" "is gone"
