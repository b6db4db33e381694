#!/bin/sh
# local_machine.sh - isolation: machine: nodes on this machine that boot real systemds and cloud-inits with a cloud's user data
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"
. "$srcdir/tests/end_to_end/swarm.sh"

[ "$(id -u)" -eq 0 ] || skip "not root"
command -v systemd-nspawn >/dev/null || skip "systemd-nspawn is not installed (apt-get install systemd-container)"
command -v python3 >/dev/null || skip "python3 is not here to read JSON"
command -v curl >/dev/null || skip "curl is not installed (apt-get install curl)"
can_isolate || skip "nodes can't have namespaces here: $why_not"
plain_build_only

began=$(date +%s)
say() { echo "$(($(date +%s) - began)) s: $*"; }

# standalone NAME KEYS - a configuration of one machine
standalone() {
    printf '{topology: standalone, provider: local, config: {isolation: machine, workload: {%s}}}' "$2" >"$test_dir/$1.yaml"
}

# ---- What must be there is told before anything is made ----

standalone sleeper 'command: [sleep, infinity]'
expect 1 env "MEMORIES_MACHINE_ROOT=$test_dir/nothing" memories deploy "$test_dir/sleeper.yaml"
contains "$err" "config.isolation: there is no root file system for machines: $test_dir/nothing is none"
contains "$err" "make it, as root: $libexec/memories-machine-root $test_dir/nothing"
mkdir -p "$test_dir/old/etc"
echo 0 >"$test_dir/old/etc/memories-machine-root"
expect 0 env "MEMORIES_MACHINE_ROOT=$test_dir/nothing" memories doctor local
contains "$out" "there is no root file system for machines: $test_dir/nothing is none"
[ ! -e "$MEMORIES_STATE_DIR/local" ] || fail "something was made: $(find "$MEMORIES_STATE_DIR")"
expect 1 "$libexec/memories-machine-root" "$test_dir/old"
contains "$err" "$test_dir/old is there, and nothing that this program has made"

machine_root
expect 0 memories doctor local
contains "$out" "nodes can boot $(realpath "$MEMORIES_MACHINE_ROOT")"
standalone packages 'command: [sleep, infinity], packages: [{name: nginx}, {name: etcd-server}]'
expect 1 memories deploy "$test_dir/packages.yaml"
contains "$err" "no packages for machines: nginx"
contains "$err" "make it, as root: $libexec/memories-machine-root --package nginx $MEMORIES_MACHINE_ROOT"
[ ! -e "$MEMORIES_STATE_DIR/local" ] || fail "something was made: $(find "$MEMORIES_STATE_DIR")"

# ---- Looking into machines ----

id_of() { pick 'd["id"]' "$(memories show "$1" --json)"; }
node_directory() { echo "$MEMORIES_STATE_DIR/local/$id/nodes/$1"; }
# in_machine NODE COMMAND…: as root there
in_machine() {
    first=$(pgrep -P "$(pgrep -P "$(pgrep -P "$(supervisor_pid "$1")")")")
    shift
    nsenter --target "$first" --all "$@"
}

addresses_of_nodes() { pick '[(r["node"], r["outputs"]["address"], r["outputs"]["private_address"]) for r in d["resources"] if r.get("node")]' "$(memories show "$id" --json)"; }
state_of() { pick "next(r['state'] for r in d['resources'] if r.get('node') == '$1')" "$(memories show "$id" --json)"; }
is_stopped() { [ "$(state_of "$1")" = stopped ]; }

# ---- A consensus: etcd is installed, finds the others, keeps what it has ----

expect 0 memories deploy "$srcdir/examples/consensus.yaml" --provider local --set isolation=machine --name group
id=$(id_of group)
secrets=$MEMORIES_STATE_DIR/secrets/$id
machine_names "$id" >"$test_dir/group.names"
say "a consensus of 3"
booted_well node1 node2 node3
contains "$(in_machine node2 dpkg-query -W -f '${db:Status-Status}' etcd-server)" installed
equal "$(in_machine node2 sh -c 'systemctl is-enabled etcd.service || true')" disabled # ours runs instead
equal "$(in_machine node2 systemctl is-active memories-etcd.service)" active
equal "$(in_machine node2 cat /run/cloud-init/cloud-id)" nocloud
machine_has "$test_dir/group.names" process namespace interface route cgroup file

# ask BODY PATH: node1's etcd, as the deployment's client
ask() {
    url=$(pick "$(member_of node1)['address']" "$(status)")
    curl -sS --max-time 8 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" \
        --connect-to "node1:2379:${url#https://}" "https://node1:2379$2" -d "$1"
}
colour=Y29sb3Vy green=Z3JlZW4= # in base64
is_well() { holds 'd["status"] == "running" and d["leader"] and d["message"].startswith("3 of 3")' status; }
keeps_colour() { ask "{\"key\":\"$colour\"}" /v3/kv/range 2>"$test_dir/curl" | grep -q "$green"; }
members_are() { pick 'sorted(m["name"] + m["member_id"] for m in d["members"])' "$(status)"; }
is_well || fail "not well: $(status)"
contains "$(ask "{\"key\":\"$colour\",\"value\":\"$green\"}" /v3/kv/put)" revision
before=$(members_are)
places=$(addresses_of_nodes)

expect 0 memories logs group --node node1 --lines 1000
for part in '==> bootstrap <==' 'memories: done' '==> console <==' 'cloud-init.target' '==> etcd <==' '==> supervisor <=='; do
    contains "$out" "$part"
done
measured() { holds 'all(d[name] for name in ("cpu_utilization", "memory_usage", "disk_io", "network_traffic"))' memories metrics group --json; }
wait_until 60 measured

expect 0 memories stop group
for node in node1 node2 node3; do equal "$(state_of $node)" stopped; done
contains "$(cat "$(node_directory node1)/log/supervisor.log")" "service console ended: exit 0" # it was switched off, not killed
expect 0 memories start group
is_well || fail "not well: $(status)"
equal "$(members_are)" "$before"
equal "$(addresses_of_nodes)" "$places"
keeps_colour || fail "it has forgotten: $(cat "$test_dir/curl")"
booted_well node1 node2 node3
say "it came back from being switched off with what it had"

# Told something else: the files are written anew and the services started with them.
instance=$(cat "$(node_directory node1)/config/meta-data")
sed 's/^provider: .*/provider: local/' "$srcdir/examples/consensus.yaml" >"$test_dir/group.yaml"
expect 0 memories update group "$test_dir/group.yaml" --set isolation=machine --set logging.level=debug
wait_until 180 is_well
for node in node1 node2 node3; do contains "$(in_machine $node pgrep -a etcd)" "--log-level debug"; done
equal "$(members_are)" "$before"
equal "$(cat "$(node_directory node1)/config/meta-data")" "$instance"
keeps_colour || fail "it has forgotten: $(cat "$test_dir/curl")"
say "it was told something else"

# A power cut, and one that switches itself off. The third can't do without them.
kill -9 "$(supervisor_pid node1)"
in_machine node2 systemctl poweroff
wait_until 180 is_stopped node1
wait_until 180 is_stopped node2
expect 0 memories start group
wait_until 180 is_well
equal "$(members_are)" "$before"
keeps_colour || fail "it has forgotten: $(cat "$test_dir/curl")"
booted_well node1 node2
say "it came back from a power cut"

expect 0 memories delete group
machine_is_clean "$test_dir/group.names"

# ---- One machine: commands, a restart from inside, a deploy that is cut short ----

standalone failing 'command: [sleep, infinity], commands: [["true"], [sh, -c, "echo no disk here; false"]]'
expect 1 memories deploy "$test_dir/failing.yaml" --name failing
contains "$err" "the node's bootstrap failed"
contains "$err" "command 2 failed"
expect 4 memories status failing # nothing is left of it
say "a bootstrap that fails"

standalone short 'command: [sh, -c, "echo begun >>%d/begun; exec sleep infinity"], commands: [[sh, -c, "echo once >>%d/commands"]]'
memories deploy "$test_dir/short.yaml" --name short >"$test_dir/out" 2>"$test_dir/err" &
deploy=$!
boots() { find "$MEMORIES_STATE_DIR/local" -path '*/node1/log/console.log' -size +0 2>"$test_dir/find" | grep -q .; }
wait_until 180 boots
pgrep -f "memories-node [^ ]*${test_dir}[^ ]*/nodes/node1" >"$test_dir/pid"
kill -9 $deploy
wait $deploy 2>/dev/null || true
expect 0 memories resume short
id=$(id_of short)
machine_names "$id" >"$test_dir/short.names"
equal "$(supervisor_pid node1)" "$(cat "$test_dir/pid")"
has_begun() { [ "$(wc -l <"$(node_directory node1)/data/begun")" -eq "$1" ]; } 2>"$test_dir/err"
wait_until 180 has_begun 1
in_machine node1 systemctl reboot
wait_until 180 has_begun 2
equal "$(cat "$(node_directory node1)/data/commands")" once
equal "$(state_of node1)" ready
mv "$MEMORIES_STATE_DIR"/memories.db* "$test_dir/"
expect 0 memories recover "$id" "$test_dir/short.yaml"
expect 0 memories plan --deployment "$id" "$test_dir/short.yaml"
contains "$out" "Plan for $id: 0 operations"
expect 0 memories delete "$id"
machine_is_clean "$test_dir/short.names"
say "a deploy that was cut short, a restart from inside, and records that were lost"

# ---- A swarm ----

if why=$(need_swarm 2>&1); then
    sed 's/worker_nodes: 5/worker_nodes: 1/; s/min_nodes: 3/min_nodes: 1/' "$srcdir/examples/swarmed.yaml" >"$test_dir/swarmed.yaml"
    expect 0 memories deploy "$test_dir/swarmed.yaml" --provider local --set isolation=machine --name swarm
    id=$(id_of swarm)
    machine_names "$id" >"$test_dir/swarm.names"
    say "a swarm of 3 managers and a worker"
    booted_well manager-1 manager-2 manager-3 worker-1
    all_well() { holds 'd["status"] == "running" and d["message"].startswith("4 of 4")' status && all_run; }
    wait_until 180 all_well
    # shellcheck disable=SC2046 # a list
    answers $(addresses memories-api) || fail "one of $(addresses memories-api) does not answer: $(cat "$test_dir/curl")"
    expect 0 memories stop swarm
    expect 0 memories start swarm
    wait_until 180 all_well
    expect 0 memories delete swarm
    machine_is_clean "$test_dir/swarm.names"
    say "the swarm came back, too"
else
    echo "$why"
fi
