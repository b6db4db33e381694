#!/bin/sh
# aws_booted.sh - what nodes on AWS are told is run by real systemds and cloud-inits: the simulator's instances boot
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"
. "$srcdir/tests/end_to_end/machine.sh"
. "$srcdir/tests/end_to_end/swarm.sh"

aws_booted_machines
start_aws

began=$(date +%s)
say() { echo "$(($(date +%s) - began)) s: $*"; }

# in_machine NODE COMMAND…: as root there
in_machine() {
    directory=$MEMORIES_TEST_MACHINES/$(aws_ask "next(one['id'] for one in state['instance']
        if '$1:' in one['tags'].get('memories-members', '').split(',')[one['index']] or one['tags']['Name'].endswith('-$1'))")
    shift
    first=$(pgrep -f "^systemd-nspawn .*--directory=$directory/root ")
    nsenter --target "$(pgrep -P "$first")" --all "$@"
}

# ---- A consensus: etcd is installed, finds the others, keeps what it has ----

sed 's/^provider: .*/provider: aws/; s/machine_type: .*/instance_type: m7i.large/; s/us-west1-/us-west-2/' \
    "$srcdir/examples/consensus.yaml" >"$test_dir/consensus.yaml"
expect 0 memories deploy "$test_dir/consensus.yaml" --name group --json
id=$(pick 'd["deployment_id"]' "$out")
secrets=$MEMORIES_STATE_DIR/secrets/$id
say "a consensus of 3"
booted_well node1 node2 node3
contains "$(in_machine node2 dpkg-query -W -f '${db:Status-Status}' etcd-server)" installed
equal "$(in_machine node2 sh -c 'systemctl is-enabled etcd.service || true')" disabled # ours runs instead

# ask BODY PATH: node1's etcd, as the deployment's client
ask() {
    url=$(pick "$(member_of node1)['address']" "$(status)")
    curl -sS --max-time 60 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" \
        --connect-to "node1:2379:${url#https://}" "https://node1:2379$2" -d "$1"
}
is_well() { holds 'd["status"] == "running" and d["leader"] and d["message"].startswith("3 of 3")' status; }
is_well || fail "not well: $(status)"
colour=Y29sb3Vy green=Z3JlZW4= # in base64
contains "$(ask "{\"key\":\"$colour\",\"value\":\"$green\"}" /v3/kv/put)" revision
code=0
curl -sS --max-time 60 -k "$(pick "$(member_of node1)['address']" "$(status)")/health" >/dev/null 2>&1 || code=$?
case $code in
35 | 55 | 56) ;; # hung up on
*) fail "a client without certificate: curl ended with $code" ;;
esac
before=$(pick 'sorted(m["name"] + m["member_id"] for m in d["members"])' "$(status)")
expect 0 memories stop group
expect 0 memories start group
is_well || fail "not well: $(status)"
equal "$(pick 'sorted(m["name"] + m["member_id"] for m in d["members"])' "$(status)")" "$before"
contains "$(ask "{\"key\":\"$colour\"}" /v3/kv/range)" "$green"
booted_well node1 node2 node3
expect 0 memories delete group
aws_is state '{}'
say "it came back from being switched off with what it had"

# ---- A data volume, a swap file; told so much that it is compressed, and something else while it is off ----

large=$(seq 5000 | tr '\n' ' ')
cat >"$test_dir/disks.yaml" <<END_OF_CONFIG
topology: standalone
provider: aws
config:
  region: us-west-2
  hardware: {cpu: {vcpus: 2}, memory: {ram: 4, swap: 1}, storage: {data_volume: {size: 30}}}
  workload:
    files: [{path: "%d/large", content: "$large"}]
    command: [sh, -c, "echo \$WORD >>%d/words; exec sleep infinity"]
    environment: {WORD: one}
END_OF_CONFIG
expect 0 memories deploy "$test_dir/disks.yaml" --name disks
words() { in_machine node1 cat /var/lib/memories/words 2>"$test_dir/err"; }
said() { [ "$(words)" = "$1" ]; }
wait_until 60 said one
equal "$(in_machine node1 cat /var/lib/memories/large)" "$large"
contains "$(in_machine node1 findmnt -no FSTYPE,LABEL /var/lib/memories)" "ext4   memories-data"
[ "$(in_machine node1 df --output=size -BG /var/lib/memories | tail -n 1 | tr -dc 0-9)" -ge 28 ] || fail "not the disk"
equal "$(($(in_machine node1 stat -c %s /swapfile) >> 20))" 953 # of 10^9 bytes; it can't be used in a container
sed 's/WORD: one/WORD: two/; s/^    command:/    services:\n      - name: other\n        command:/; s/^    environment:/    &/' \
    "$test_dir/disks.yaml" >"$test_dir/told.yaml"
expect 0 memories update disks "$test_dir/told.yaml"
wait_until 60 said "one
two"
equal "$(in_machine node1 systemctl list-unit-files --no-legend 'memories-*' | tr -s ' ')" \
    "memories-bootstrap.service enabled enabled
memories-other.service enabled enabled"
expect 0 memories delete disks
aws_is state '{}'
say "disks, and what was told anew"

# ---- A swarm ----

if why=$(need_swarm 2>&1); then
    sed '/^  network:/,/location:/d; s/^provider: .*/provider: aws/; s/^  swarm:/  region: us-west-2\n&/
        s/vm_size: Standard_D2s_v3/instance_type: m7i.large/; s/vm_size: Standard_D4s_v3/instance_type: m7i.xlarge/
        s/worker_nodes: 5/worker_nodes: 2/; s/min_nodes: 3/min_nodes: 2/' "$srcdir/examples/swarmed.yaml" >"$test_dir/swarmed.yaml"
    # Workers in one zone are launched together, told the same, and each finds its own name.
    aws_forget
    expect 0 memories deploy "$test_dir/swarmed.yaml" --name swarm --set node_specs.worker_specs.zone=us-west-2a --json
    aws_is 'calls.count("RunInstances")' 4
    id=$(pick 'd["deployment_id"]' "$out")
    say "a swarm of 3 managers and 2 workers"
    booted_well manager-1 manager-2 manager-3 worker-1 worker-2
    all_well() { holds 'd["status"] == "running" and d["message"].startswith("5 of 5")' status && all_run; }
    all_well || fail "not well: $(status) $(services)"
    # shellcheck disable=SC2046 # a list
    answers $(addresses memories-api) || fail "one of $(addresses memories-api) does not answer: $(cat "$test_dir/curl")"
    expect 0 memories stop swarm
    expect 0 memories start swarm
    wait_until 60 all_well
    expect 0 memories delete swarm
    aws_is state '{}'
    say "the swarm came back, too"
else
    echo "$why"
fi
