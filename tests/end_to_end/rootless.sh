#!/bin/sh
# rootless.sh - namespace isolation for an ordinary user: a consensus and a swarm, from deploy to delete
#
# As root it makes a user for that, with ranges of ids, and removes it in the end.
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"
plain_build_only

for program in etcd dockerd iptables ip nft newuidmap setpriv curl python3; do
    command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null ||
        skip "$program is not installed (apt-get install etcd-server docker.io iptables iproute2 nftables uidmap util-linux curl python3)"
done

user=
clean_up() {
    code=$?
    trap - EXIT
    (exit "$code") || true
    (trap - EXIT; (exit "$code"); end_test) || code=$?
    [ -z "$user" ] || userdel "$user" 2>/dev/null || echo "left behind: the user $user" >&2
    exit "$code"
}

# What a user who may not read the build tree needs of it.
copy_programs() {
    tree=$test_dir/tree
    mkdir -p "$tree/plugins" "$tree/libexec"
    cp "$builddir/cli/.libs/memories" "$tree/" 2>/dev/null || cp "$builddir/cli/memories" "$tree/"
    cp "$builddir"/core/.libs/libmemories-core.so* "$tree/" 2>/dev/null || true
    cp -L "$libexec"/* "$tree/libexec/"
    find "$builddir/plugins" -path '*/.libs/*' \( -name 'provider-*.so' -o -name 'topology-*.so' \) \
        -exec cp {} "$tree/plugins/" \;
    cp -R "$MEMORIES_IMAGE_DIR" "$tree/image"
    chmod -R a+rX "$tree"
}

become_a_user() {
    user=memories$$
    command -v useradd >/dev/null || skip "root without useradd"
    trap clean_up EXIT
    useradd -M -d "$test_dir/home" -s /bin/sh "$user" || { user=; skip "useradd has made no user"; }
    copy_programs
    chmod 711 "$test_dir"
    install -d -o "$user" -m 700 "$test_dir/home"
    MEMORIES_STATE_DIR=$test_dir/home/state
    as_user() {
        setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups env HOME="$test_dir/home" \
            LD_LIBRARY_PATH="$tree" MEMORIES_PLUGIN_PATH="$tree/plugins" MEMORIES_LIBEXEC_DIR="$tree/libexec" \
            MEMORIES_IMAGE_DIR="$tree/image" "$@"
    }
    memories() { as_user "$tree/memories" "$@"; }
}

# field JSON EXPRESSION - of a document d
field() { printf '%s' "$1" | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"; }
status() { memories status "$1" --json; }
is_running() { [ "$(field "$(status "$1")" "d['status']")" = running ]; }
is_stopped() { [ "$(field "$(status "$1")" "d['status']")" = stopped ]; }
holder_of() { cut -d ' ' -f 1 "$MEMORIES_STATE_DIR/local/$1/rootless/lock"; }
api_answers() { curl -fsS --max-time 20 -o /dev/null "http://$1/healthz" 2>/dev/null; }

# lose_namespaces ID - as a restart of the machine does it: the process that keeps them is killed
lose_namespaces() {
    kill -9 "$(holder_of "$1")"
    wait_until 30 is_stopped "$1"
    expect 0 memories start "$1"
    is_running "$1" || fail "$1 does not run: $(status "$1")"
}

delete_all_of() {
    machine_names "$1" >"$test_dir/names"
    machine_has "$test_dir/names" process port file
    expect 0 memories delete "$1"
    wait_until 30 no_process_of "$test_dir/names"
    machine_is_clean "$test_dir/names"
}
no_process_of() { ! machine_traces "$1" | grep -q '^process '; }

walk_consensus() {
    expect 0 memories deploy "$srcdir/examples/consensus.yaml" --provider local --set isolation=namespace
    id=$(id_in "$out")
    now=$(status "$id")
    equal "$(field "$now" "d['status']")" running
    # By the loopback address that status tells, with the deployment's certificate and not without.
    address=$(field "$now" "d['members'][0]['address']")
    secrets=$MEMORIES_STATE_DIR/secrets/$id
    health=$(curl -sS --max-time 60 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" \
        "$address/health")
    contains "$health" '"health":"true"'
    ! curl -sS --max-time 60 -k "$address/health" 2>/dev/null || fail "$address answers without a certificate"
    lose_namespaces "$id"
    delete_all_of "$id"
}

walk_swarm() {
    cat >"$test_dir/swarm.yaml" <<'YAML'
topology: swarmed
provider: local
config:
  swarm: {manager_nodes: 1, worker_nodes: 2, min_nodes: 1}
YAML
    chmod 644 "$test_dir/swarm.yaml"
    expect 0 memories deploy "$test_dir/swarm.yaml"
    id=$(id_in "$out")
    now=$(status "$id")
    equal "$(field "$now" "d['status']")" running
    equal "$(field "$now" "sorted(s['running'] for s in d['services'])")" "[1, 2, 3]"
    for address in $(field "$now" "' '.join(next(s for s in d['services'] if s['name'] == 'memories-api')['addresses'])"); do
        wait_until 20 api_answers "$address"
    done
    expect 0 memories scale "$id" --worker-nodes 3
    equal "$(field "$(status "$id")" "d['worker_count']")" 3
    expect 0 memories scale "$id" --worker-nodes 2
    equal "$(field "$(status "$id")" "d['worker_count']")" 2
    expect 0 memories stop "$id"
    is_stopped "$id" || fail "not stopped: $(status "$id")"
    expect 0 memories start "$id"
    is_running "$id" || fail "not running: $(status "$id")"
    lose_namespaces "$id"
    delete_all_of "$id"
}

# What is missing is told before anything is there.
refuse_without_ranges() {
    usermod --del-subuids 0-4294967294 "$user"
    expect 1 memories deploy "$srcdir/examples/consensus.yaml" --provider local --set isolation=namespace
    contains "$err" "a range of 65536 subordinate ids for $user in /etc/subuid"
    contains "$err" "usermod --add-subuids"
    [ ! -e "$MEMORIES_STATE_DIR/local" ] || fail "something was made: $(find "$MEMORIES_STATE_DIR/local")"
}

[ "$(id -u)" -ne 0 ] || become_a_user
memories plan "$srcdir/examples/consensus.yaml" --provider local --set isolation=namespace >"$test_dir/out" \
    2>"$test_dir/err" || skip "$(sed -n 's/^memories: //p' "$test_dir/err" | head -n 1)"
walk_consensus
walk_swarm
[ -z "$user" ] || refuse_without_ranges
