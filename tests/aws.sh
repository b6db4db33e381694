# shellcheck shell=sh disable=SC2154 # srcdir, test_dir: of tests/env.sh
# tests/aws.sh - the simulator of AWS (tests/simulators/aws), for tests and benchmarks; sourced after tests/env.sh
#
#     aws_machines            first of all: instances are to be machines (machines.py)
#     aws_booted_machines     first of all: they are to boot a systemd and a cloud-init of their own
#     start_aws [OPTION…]     starts it, and points the environment at it
#     start_moto              instead: an emulator that others wrote, where it is installed; nothing of the following
#     aws_steer faults '[…]'  what goes wrong (faults.py); settings '{…}' (world.py)
#     aws_look calls          what was called; requests; state: the objects that are there
#     aws_forget              forgets the calls so far
#     aws_config NAME KEYS    writes a configuration: one node that runs nothing that could be waited for
#     aws_deploy CODE NAME [FAULT…]   deploys it, under a fault plan; nothing goes on in the background
#     aws_gone NAME           deletes it, and all of it

command -v python3 >/dev/null || skip "python3 is not installed"

# The models of the vendor lie beside the checkout, if at all.
shared_directory() {
    for directory in "${MEMORIES_SHARED_DIR:-}" "$srcdir/../shared" "$srcdir/../../shared"; do
        [ -n "$directory" ] && [ -d "$directory/specs/aws" ] && echo "$directory" && return
    done
}

# Runs the script again, in namespaces where private and public addresses can be had; skips where there are none.
aws_machines() {
    [ -n "${MEMORIES_TEST_MACHINES:-}" ] && return
    for program in ip nft unshare; do command -v $program >/dev/null || skip "$program is not installed"; done
    MEMORIES_TEST_MACHINES=$test_dir/machines
    mkdir "$MEMORIES_TEST_MACHINES"
    export MEMORIES_TEST_MACHINES
    if [ "$(id -u)" -eq 0 ]; then namespaces=-nm; else namespaces=-Urnm; fi
    # shellcheck disable=SC2016 # for the inner shell
    made='ip link set lo up && ip address add 203.0.113.1/32 dev lo && ip address add 169.254.169.254/32 dev lo &&
        ip route add 198.51.100.0/24 dev lo src 203.0.113.1 && echo 1 >/proc/sys/net/ipv4/ip_forward &&
        nft add table ip aws && mount -t tmpfs memories "$MEMORIES_TEST_MACHINES"'
    unshare $namespaces sh -c "$made" 2>"$test_dir/err" || skip "no namespaces with a network of their own: $(cat "$test_dir/err")"
    unshare $namespaces sh -c "$made"' && exec "$@"' sh /bin/sh "$0"
    exit $?
}

aws_booted_machines() {
    [ "$(id -u)" -eq 0 ] || skip "not root"
    command -v systemd-nspawn >/dev/null || skip "systemd-nspawn is not installed (apt-get install systemd-container)"
    machine_root
    aws_machine_root=$MEMORIES_MACHINE_ROOT
    aws_machines
}

start_aws() {
    models=$(shared_directory)
    mkfifo "$test_dir/aws.input"
    python3 "$srcdir/tests/simulators/aws/simulator.py" --port-file "$test_dir/aws.port" \
        --policy "$srcdir/docs/providers/aws-policy.json" ${models:+--models "$models/specs/aws"} ${MEMORIES_TEST_MACHINES:+--machines "$MEMORIES_TEST_MACHINES"} \
        ${aws_machine_root:+--machine-root "$aws_machine_root"} "$@" <"$test_dir/aws.input" >"$test_dir/aws.log" 2>&1 &
    # It ends when the last one that holds this closes it: this shell.
    exec 7>"$test_dir/aws.input"
    wait_until 20 test -s "$test_dir/aws.port"
    use_aws "http://127.0.0.1:$(cat "$test_dir/aws.port")"
}

start_moto() {
    command -v moto_server >/dev/null || skip "moto_server is not installed (pip install 'moto[server]')"
    moto_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    # It ends with this shell, when all that was deployed has been deleted.
    MOTO_IAM_LOAD_MANAGED_POLICIES=true python3 -c 'import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
os.execvp(sys.argv[1], sys.argv[1:])' moto_server -H 127.0.0.1 -p "$moto_port" >"$test_dir/moto.log" 2>&1 &
    moto_answers() { python3 -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1])' "http://127.0.0.1:$moto_port/moto-api/" 2>/dev/null; }
    wait_until 60 moto_answers
    use_aws "http://127.0.0.1:$moto_port"
}

# use_aws URL: the environment points there, and only there
use_aws() {
    aws_url=$1
    clear_aws_environment
    export AWS_ENDPOINT_URL="$aws_url" AWS_REGION=us-west-2 AWS_DEFAULT_REGION=us-west-2 \
        AWS_ACCESS_KEY_ID=AKIASIMULATOR AWS_SECRET_ACCESS_KEY='simulated secret'
}

# What the user who runs the tests has set is none of the tests' business.
clear_aws_environment() {
    for variable in $(env | sed -n 's/^\(AWS_[A-Z0-9_]*\)=.*/\1/p'); do unset "$variable"; done
    HOME=$test_dir/home
    mkdir -p "$HOME"
    export HOME AWS_EC2_METADATA_DISABLED=true
}

aws_steer() {
    python3 -c 'import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], sys.argv[2].encode(), method="PUT"))' \
        "$aws_url/simulator/$1" "$2"
}

aws_look() {
    python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())' "$aws_url/simulator/$1"
}

aws_forget() {
    python3 -c 'import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], method="DELETE"))' \
        "$aws_url/simulator/calls"
}

# aws_count ACTION: how often it was called since the last aws_forget.
aws_count() {
    aws_look calls | python3 -c 'import json, sys; print(sum(c["action"] == sys.argv[1] for c in json.load(sys.stdin)))' "$1"
}

# aws_ask EXPRESSION: a Python expression over `state` (kind: objects), `calls` (actions in order) and `requests`
aws_ask() {
    python3 - "$aws_url" "$1" <<'END'
import base64, gzip, json, sys, urllib.request

def look(what):
    return json.load(urllib.request.urlopen(f"{sys.argv[1]}/simulator/{what}"))

def user_data_text(request):
    data = base64.b64decode(request["parameters"]["UserData"])
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()

def user_data(request):
    return json.loads(user_data_text(request).removeprefix("#cloud-config\n"))

state, requests = look("state"), look("requests")
calls = [call["action"] for call in look("calls")]
launches = [request for request in requests if request["action"] == "RunInstances"]
print(eval(sys.argv[2]))
END
}

# aws_is EXPRESSION VALUE
aws_is() { equal "$(aws_ask "$1")" "$2"; }

aws_program=$builddir/tests/end_to_end/memories-crash

aws_config() {
    printf '{topology: standalone, provider: aws, config: {region: us-west-2, workload: {command: [sleep, infinity]}, %s}}' "$2" >"$test_dir/$1.yaml"
}

aws_deploy() {
    expected_code=$1
    name=$2
    shift 2
    aws_forget
    aws_steer faults "[$*]"
    expect "$expected_code" "$aws_program" deploy --no-wait --name "$name" "$test_dir/$name.yaml"
    aws_steer faults '[]'
}

aws_gone() {
    expect 0 "$aws_program" delete "$1"
    aws_is state '{}'
}
