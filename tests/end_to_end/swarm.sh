# tests/end_to_end/swarm.sh - a deployment of topology swarmed, seen from outside; sourced
# shellcheck shell=sh disable=SC2034,SC2154 # $id and $why_not are shared with the test that sources this

# need_swarm - skips the test where nodes with Docker Engines are not possible
need_swarm() {
    for program in dockerd containerd runc iptables curl python3; do
        command -v "$program" >/dev/null || skip "$program is not installed (apt-get install docker.io iptables curl python3)"
    done
    can_isolate || skip "nodes can't have namespaces here: $why_not"
    grep -qw overlay /proc/filesystems || skip "the kernel has no overlay file system"
    plain_build_only # what takes its time is Docker, which has no sanitizers
    [ -f "$MEMORIES_IMAGE_DIR/memories-server.tar" ] || skip "the image of memories-server is not built (make image says why)"
}

# pick EXPRESSION JSON - a Python expression on d, a document: pick 'd["leader"]' "$(status)"
pick() {
    printf '%s' "$2" | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$1"
}

status() { memories status "$id" --json; }
services() { memories services "$id" --json; }
# holds EXPRESSION COMMAND… - whether the expression is true of what the command prints
holds() {
    expression=$1
    shift
    document=$("$@" 2>"$test_dir/holds") || return 1
    [ "$(pick "$expression" "$document")" = True ]
}
is_running() { holds 'd["status"] == "running"' status; }
member_of() { printf '%s' "next(m for m in d['members'] if m['name'] == '$1')"; }
# who is who, as one line, when each node has told
members() {
    wait_until 60 holds 'all(m["node_id"] for m in d["members"])' status
    pick '" ".join(m["name"] + "=" + m["node_id"] for m in d["members"])' "$document"
}

# engine NODE PATH [CURL_OPTION…] - asks a node's engine as the deployment's client
engine() {
    node=$1 path=$2
    shift 2
    connect=$(pick "next(r['outputs']['address'] for r in d['resources'] if r.get('node') == '$node')" \
        "$(memories show "$id" --json)")
    case $node in worker-*) node=worker ;; esac # workers share a certificate
    curl -sS --max-time 60 --cacert "$secrets/ca.crt" --cert "$secrets/client.crt" --key "$secrets/client.key" \
        --connect-to "$node:2376:$connect:2376" "$@" "https://$node:2376$path"
}
engine_pid() { pgrep -f "dockerd --config-file [^ ]*$test_dir[^ ]*$id/nodes/$1/"; }
supervisor_pid() { pgrep -f "memories-node [^ ]*$test_dir[^ ]*$id/nodes/$1"; }

# answers ADDRESS… - whether each serves HTTP
answers() {
    for address in "$@"; do
        curl -sS --max-time 20 -o /dev/null "http://$address/" 2>"$test_dir/curl" || return 1
    done
}
# addresses SERVICE - where it is published
addresses() { pick "' '.join(next(s['addresses'] for s in d if s['name'] == '$1'))" "$(services)"; }
all_run() { holds 'all(s["status"] == "running" for s in d)' services; }
