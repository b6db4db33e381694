# tests/end_to_end/machine.sh - what this machine has of a deployment, outside of the store; sourced
# shellcheck shell=sh disable=SC2034,SC2154 # $test_dir and $why_not are shared with the test that sources this

# can_isolate - whether nodes can get namespaces here; else says why in $why_not
can_isolate() {
    why_not=
    if [ "$(id -u)" -ne 0 ]; then why_not="not root"; return 1; fi
    if ! command -v nft >/dev/null || ! command -v ip >/dev/null; then why_not="ip or nft is missing"; return 1; fi
    probe=memprobe$$
    if ! ip netns add "$probe" 2>/dev/null; then why_not="no network namespaces"; return 1; fi
    ip netns exec "$probe" nft list ruleset >/dev/null 2>&1 || why_not="no nftables in the kernel"
    ip netns del "$probe"
    [ -z "$why_not" ]
}

# id_in OUTPUT - the id that deploy has printed
id_in() { printf '%s\n' "$1" | sed -n 's/^Deployment ID: //p'; }

# machine_names ID - what everything of a deployment on local bears in its name, an expression each: its directory, its
# secrets, its network, its blocks of addresses (127.84.12.). The deployment that was made in the same second has the same
# id with a number behind it, and is another one.
machine_names() {
    memories show "$1" --json | python3 -c '
import json, os, sys
deployment, state = json.load(sys.stdin), os.path.realpath(sys.argv[1])
network = next(resource["outputs"] for resource in deployment["resources"] if resource["key"] == "network")
names = [state + "/local/" + deployment["id"], state + "/secrets/" + deployment["id"]]
for name in names:
    print(name.replace(".", "[.]") + "([^-]|$)")
print(network["id"].removeprefix("mem-"))
for block in network["addresses"]:
    print((block.rpartition(".")[0] + ".").replace(".", "[.]"))' "$MEMORIES_STATE_DIR"
}

# machine_traces FILE - everything on this machine that bears one of the names in FILE, of machine_names: its kind, then what it is
machine_traces() {
    for directory in $(grep -lsaE -f "$1" /proc/[0-9]*/cmdline /proc/[0-9]*/environ | sed 's|/[^/]*$||' | sort -u); do
        echo "process $(tr '\0' ' ' <"$directory/cmdline" 2>/dev/null)"
    done
    grep -E -f "$1" /proc/self/mounts | sed 's/^/mount /'
    { ls /run/netns 2>/dev/null || true; } | grep -E -f "$1" | sed 's/^/namespace /'
    { ls /sys/class/net 2>/dev/null || true; } | grep -E -f "$1" | sed 's/^/interface /'
    { ip route show table all 2>/dev/null || true; } | grep -E -f "$1" | sed 's/^/route /'
    { find /sys/fs/cgroup -type d 2>/dev/null || true; } | grep -E -f "$1" | sed 's/^/cgroup /'
    { ss -Hltun 2>/dev/null || true; } | grep -E -f "$1" | sed 's/^/port /'
    find "$(realpath "$MEMORIES_STATE_DIR")" -mindepth 1 2>/dev/null | grep -E -f "$1" | sed 's/^/file /'
}

# machine_has FILE KIND… - fails the test unless there are traces of each kind: what can be found now can be missed later
machine_has() {
    machine_traces "$1" >"$test_dir/traces"
    shift
    for kind in "$@"; do
        grep -q "^$kind " "$test_dir/traces" || fail "no $kind of a running deployment was found in
$(cat "$test_dir/traces")"
    done
}

# machine_is_clean FILE - fails the test when anything is left
machine_is_clean() {
    machine_traces "$1" >"$test_dir/traces"
    [ ! -s "$test_dir/traces" ] || fail "left behind, $(wc -l <"$test_dir/traces") in all:
$(head -n 40 "$test_dir/traces")"
}

# booted_well NODE… - fails the test unless these say so of their boot: machines that cloud-init has made into nodes. The test
# has an in_machine NODE COMMAND…, which runs the command there.
booted_well() {
    for node in "$@"; do
        equal "$(in_machine "$node" cloud-init status --wait | tr -d '.')" "
status: done"
        equal "$(in_machine "$node" systemctl is-system-running)" running
        equal "$(in_machine "$node" hostname)" "$node"
        contains "$(in_machine "$node" tail -n 1 /var/log/memories/bootstrap.log)" "memories: done"
        if in_machine "$node" grep -E 'WARNING|Traceback' /var/log/cloud-init.log; then fail "$node's cloud-init warns"; fi
    done
}
