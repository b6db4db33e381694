# tests/end_to_end/machine.sh - what of this machine a deployment may touch, before and after; sourced
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

# Everything that a deployment of this state directory could leave: processes (other tests run at the same time, so only
# those that name our directory), mounts, namespaces, interfaces, routes, cgroups, files, listening ports of our programs.
machine_state() {
    echo "# processes"
    for environ in /proc/[0-9]*/environ; do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        if [ "$pid" != "$$" ] && { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q "$MEMORIES_STATE_DIR/"; then
            tr '\0' ' ' <"/proc/$pid/cmdline"
            echo
        fi
    done
    echo "# mounts"
    grep -F "$MEMORIES_STATE_DIR" /proc/self/mounts
    echo "# files"
    find "$MEMORIES_STATE_DIR" -mindepth 1 ! -name "memories.db*" ! -path "$MEMORIES_STATE_DIR/secrets" 2>/dev/null | sort
    echo "# cgroups"
    for id in $1; do find /sys/fs/cgroup -maxdepth 4 -name "*$id*" 2>/dev/null; done
}

machine_before() {
    machine_state "" >"$1"
}

# machine_unchanged FILE - fails the test when anything of ours is left
machine_unchanged() {
    machine_state "${id:-}" >"$test_dir/after"
    # what the state directory itself holds for good
    diff "$1" "$test_dir/after" >"$test_dir/left" || fail "left behind:
$(cat "$test_dir/left")"
}
