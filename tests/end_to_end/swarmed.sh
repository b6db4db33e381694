#!/bin/sh
# swarmed.sh - the guide's swarmed example on this machine, with real Docker Engines: form, reach, protect, scale by hand and
# by load, delete
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"
. "$srcdir/tests/end_to_end/swarm.sh"
need_swarm

example=$srcdir/examples/swarmed.yaml
began=$(date +%s)
say() { echo "$(($(date +%s) - began)) s: $*"; }

# ---- A service that can't run ----

# A deployment beside the other one; it takes its 30 s while that one forms.
memories deploy "$example" --provider local --name failing --set swarm.manager_nodes=1 --set swarm.min_nodes=1 \
    --set swarm.worker_nodes=1 --set 'config.services=[{name: web, image: "localhost:1/there-is-none:1"}]' \
    >"$test_dir/failing.out" 2>"$test_dir/failing.err" &
failing=$!
trap 'kill "$failing" 2>/dev/null; wait "$failing"; false; end_test' EXIT
has_names() { machine_names failing >"$test_dir/failing.names" 2>"$test_dir/holds" && [ -s "$test_dir/failing.names" ]; }
wait_until 30 has_names

# ---- Formation ----

expect 0 memories deploy "$example" --provider local --name guide --json
id=$(pick 'd["deployment_id"]' "$out")
say "3 managers and 5 workers run $id"
case $id in swarmed-local-[0-9]*) ;; *) fail "no deployment id in: $out" ;; esac
secrets=$MEMORIES_STATE_DIR/secrets/$id
equal "$(pick 'd["manager_nodes"]' "$out")" "['manager-1', 'manager-2', 'manager-3']"
equal "$(pick 'd["worker_nodes"]' "$out")" "['worker-1', 'worker-2', 'worker-3', 'worker-4', 'worker-5']"
equal "$(pick '(d["status"], d["worker_count"], d["manager_count"])' "$out")" "('running', 5, 3)"
machine_names guide >"$test_dir/names"
machine_has "$test_dir/names" process mount namespace interface route cgroup file

wait_until 60 holds 'd["message"] == "8 of 8 nodes are healthy"' status # a busy machine may be slow to answer
now=$document
equal "$(pick '(d["status"], d["leader"])' "$now")" "('running', 'manager-1')"
equal "$(pick '[m["role"] for m in d["members"]].count("worker")' "$now")" 5
equal "$(services | python3 -c 'import json, sys
print(*((s["name"], s["replicas"], s["running"], s["status"]) for s in json.load(sys.stdin)), sep="\n")')" \
    "('memories-api', 3, 3, 'running')
('memories-db', 1, 1, 'running')
('memories-worker', 5, 5, 'running')"
expect 0 memories services guide
contains "$out" "memories-worker  5         5        running"

# ---- Reaching and protecting ----

# The address that status prints answers, and so does each of the three.
address=$(pick 'd["address"]' "$now")
answers "$address" || fail "$address, which status prints, does not answer: $(cat "$test_dir/curl")"
api=$(addresses memories-api)
# shellcheck disable=SC2086 # a list
answers $api || fail "one of $api does not answer: $(cat "$test_dir/curl")"
contains "$(curl -sS --max-time 20 "http://$address/v1/info")" '"role":"api"'

# Only the deployment's own client may talk to an engine: a client without a certificate, or with one that the engine's
# CA did not sign, is hung up on in the handshake or behind it.
expect_refused() {
    code=0
    curl -sS --max-time 60 -k "$@" -o /dev/null "$(pick "$(member_of manager-1)['address']" "$now")/info" \
        2>/dev/null || code=$?
    case $code in
    35 | 55 | 56) ;;
    *) fail "a client with '$*' is not refused: curl ended with $code" ;;
    esac
}
expect_refused
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=stranger -days 1 \
    -keyout "$test_dir/stranger.key" -out "$test_dir/stranger.crt" 2>/dev/null
expect_refused --cert "$test_dir/stranger.crt" --key "$test_dir/stranger.key"
contains "$(engine worker-3 /info)" '"ServerVersion"'

# The ways into the swarm are nowhere: in no file, no log, no argument. (Docker keeps its own encrypted.)
engine manager-1 /swarm | python3 -c 'import json, sys
print(*json.load(sys.stdin)["JoinTokens"].values(), sep="\n")' >"$test_dir/tokens"
contains "$(cat "$test_dir/tokens")" SWMTKN-1-
memories logs guide --lines all >"$test_dir/logs"
[ -s "$test_dir/logs" ] || fail "the nodes have no logs"
if grep -rlaF -f "$test_dir/tokens" "$MEMORIES_STATE_DIR" "$test_dir/logs" "$test_dir/out" "$test_dir/err"; then
    fail "a join token is on disk"
fi
if grep -laF -f "$test_dir/tokens" /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; then
    fail "a join token is an argument"
fi
say "protected"

# A published port is as open as the configuration's own rule for it, from the next moment on.
expect 0 memories update guide "$example" --provider local --set \
    'config.network.security.rules=[{name: inside, protocol: tcp, ports: ["8000"], source_ranges: ["192.0.2.0/24"]}]'
for closed in $api; do
    if curl -sS --max-time 3 -o /dev/null "http://$closed/" 2>/dev/null; then fail "$closed answers in spite of the firewall"; fi
done
contains "$(engine worker-3 /info)" '"ServerVersion"'
expect 0 memories update guide "$example" --provider local
# shellcheck disable=SC2086
answers $api || fail "one of $api does not answer any more: $(cat "$test_dir/curl")"
equal "$(addresses memories-api)" "$api" # nothing was moved for that
say "the firewall follows the configuration"

# ---- A service that can't run: what has become of it ----

code=0
wait "$failing" || code=$?
trap end_test EXIT
equal "$code" 1
contains "$(cat "$test_dir/failing.err")" "0 of 1 tasks of service web run: "
expect 4 memories show failing
machine_is_clean "$test_dir/failing.names"
say "what can't run has failed, and left nothing"

# ---- Scaling by hand ----

for wrong in 11:"expected at most 10 workers (config.swarm.max_nodes), found 11" \
    2:"expected at least 3 workers (config.swarm.min_nodes), found 2"; do
    expect 2 memories scale guide --worker-nodes "${wrong%%:*}"
    contains "$err" "${wrong#*:}"
done

# Workers that come get what every worker has.
expect 0 memories scale guide --worker-nodes 6
equal "$out" "New Worker Count: 6
Scaling Status: running"
wait_until 60 holds 'next(s["running"] for s in d if s["name"] == "memories-worker") == 6' services
say "6 workers"

# update_services WORKERS SERVICES [OPTION…] - the deployment as it is, with other services
update_services() {
    number=$1 list=$2
    shift 2
    expect 0 memories --quiet update guide "$example" --provider local --set swarm.worker_nodes="$number" \
        --set "config.services=$list" "$@"
}
# set_availability NODE WORD - as an operator may with Docker's own tools; fails when somebody else has changed it meanwhile
set_availability() {
    listed=$(engine manager-1 "/nodes/$1")
    body=$(pick "json.dumps({**d['Spec'], 'Availability': '$2'})" "$listed")
    answer=$(engine manager-1 "/nodes/$1/update?version=$(pick 'd["Version"]["Index"]' "$listed")" -d "$body" \
        -H 'Content-Type: application/json')
    [ -z "$answer" ]
}

# Three tasks of one service, all on workers 4 to 6. Two of these go: others take over before that, so that three tasks
# answer at any time, and the one that stays never fails.
update_services 6 '[{name: web, image: memories-server, replicas: 3, command: [/memories-server, --listen, 0.0.0.0,
    --port, "8001", --role, web], ports: [{published: 8001}], placement: {role: worker}}]'
for node in 1 2 3; do wait_until 20 set_availability worker-$node drain; done
workers=$(pick "' '.join(m['address'].split('//')[1].split(':')[0] + ':8001' for m in d['members']
    if m['role'] == 'worker')" "$(status)")
# shellcheck disable=SC2086 # a list
has_moved() { [ "$(addresses web | tr ' ' '\n' | sort)" = "$(printf '%s\n' $workers | tail -n 3 | sort)" ]; }
wait_until 60 has_moved
for node in 1 2 3; do wait_until 20 set_availability worker-$node active; done
all_answer() {
    web=$(addresses web)
    # shellcheck disable=SC2086 # a list
    [ -n "$web" ] && answers $web
}
wait_until 30 all_answer
# shellcheck disable=SC2086 # a list
stays=$(printf '%s\n' $workers | sed -n 4p)
# shellcheck disable=SC2086 # a list
python3 "$srcdir/tests/end_to_end/watch_http.py" "$test_dir/watched" $(printf '%s\n' $workers | tac) &
watch=$!
begun() { [ -s "$test_dir/watched" ]; }
wait_until 10 begun
expect 0 memories scale guide --worker-nodes 4
kill -TERM "$watch"
wait "$watch" || true
equal "$(pick 'd["fewest"]' "$(cat "$test_dir/watched")")" 3
equal "$(pick "d['failures']['$stays']" "$(cat "$test_dir/watched")")" 0
equal "$(pick '[m["name"] for m in d["members"]][-1]' "$(status)")" worker-4
equal "$(pick '[n["Description"]["Hostname"] for n in d].count("worker-5")' "$(engine manager-1 /nodes)")" 0
say "4 workers; at least 3 tasks answered $(pick 'd["rounds"]' "$(cat "$test_dir/watched")") times out of as many"

# ---- Scaling by load ----

# An image with one program that works for nothing when it is told to, or does not end when it is told to.
cat >"$test_dir/burn.c" <<'END'
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    const char *burn = getenv("BURN");
    if (!getenv("STUBBORN"))
        signal(SIGTERM, _exit); /* the first process of a container has no default action */
    for (volatile unsigned long turns = 0;; turns++)
        if (!burn || strcmp(burn, "1"))
            pause();
}
END
# shellcheck disable=SC2086 # the compiler may be several words
$CC -O1 -static -o "$test_dir/burn" "$test_dir/burn.c"
sh "$srcdir/server/image.sh" "$test_dir/burn" "$test_dir/burn.tar" burn:1
from_archive="image: burn, image_archive: $test_dir/burn.tar"
# burn WORKERS BURN - a service under a name of its own, so that the one before does not hold it up
burn() {
    update_services "$1" "[{name: burn-$2, $from_archive, mode: global, placement: {role: worker}, env: {BURN: '$2'}}]" \
        --set swarm.min_nodes=4 --set swarm.max_nodes=5 --set scaling.target_cpu_utilization=2 \
        --set scaling.scale_up_cooldown=1 --set scaling.scale_down_cooldown=1
}
# decides WORD - one look at the load, and what was done about it
decides() {
    memories autoscale guide --once --period 10 --json >>"$test_dir/decisions" 2>"$test_dir/autoscale" &&
        grep -q "\"action\":\"$1\"" "$test_dir/decisions"
}
expect_workers() { equal "$(pick 'd["worker_count"]' "$(memories show guide --json)")" "$1"; }

burn 4 1
expect 0 memories autoscale guide --once --dry-run --period 10 --json
equal "$(pick '(d["dry_run"], d["count"], d["target"])' "$out")" "(True, 4, 2.0)"
wait_until 120 decides up
expect_workers 5
say "5 workers by load: $(tail -n 1 "$test_dir/decisions")"
burn 5 0
wait_until 120 decides down
expect_workers 4
say "4 workers by load: $(tail -n 1 "$test_dir/decisions")"
# By itself it goes on, until it is asked to end.
memories autoscale guide --interval 1 --dry-run --json >"$test_dir/loop" &
loop=$!
has_looked_twice() { [ "$(wc -l <"$test_dir/loop")" -ge 2 ]; }
wait_until 30 has_looked_twice
kill -TERM "$loop"
wait "$loop" || fail "autoscale ended with $?"
audited=$(memories --quiet show guide --audit --json)
for action in up down; do
    equal "$(pick "[e['detail']['wanted'] for e in d['audit'] if e['event'] == 'autoscale'
        and e['detail']['action'] == '$action']" "$audited")" "[$([ $action = up ] && echo 5 || echo 4)]"
done

# ---- A drain that takes its time, and is called off ----

# On worker-6 runs what ends only when Docker kills it, which it has been told (with Docker's own tools) to do after five
# minutes. worker-5 does not wait for that.
update_services 6 "[{name: stubborn, $from_archive, placement: {constraints: [node.hostname==worker-6]}}]"
listed=$(engine manager-1 /services/stubborn)
engine manager-1 "/services/stubborn/update?version=$(pick 'd["Version"]["Index"]' "$listed")" \
    -H 'Content-Type: application/json' -d "$(pick '[d["Spec"]["TaskTemplate"]["ContainerSpec"].update(
    Env=["STUBBORN=yes"], StopGracePeriod=300 * 10 ** 9), json.dumps(d["Spec"])][1]' "$listed")" >"$test_dir/stubborn"
wait_until 60 holds 'any(t["Status"]["State"] == "running" and "StopGracePeriod" in t["Spec"]["ContainerSpec"] for t in d)' \
    engine manager-1 /tasks
wait_until 60 is_running
before=$(pick "$(member_of worker-6)['node_id']" "$document")
memories scale guide --worker-nodes 4 >"$test_dir/scale" 2>&1 &
scale=$!
only_slow_one_is_left() {
    holds '[n for n in ("worker-5", "worker-6") if n in (m["Description"]["Hostname"] for m in d)] == ["worker-6"]' \
        engine manager-1 /nodes
}
wait_until 60 only_slow_one_is_left
kill -TERM "$scale"
code=0
wait "$scale" || code=$?
equal "$code" 6
equal "$(memories list --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["status"])')" interrupted
# Wanted again, the one that had not gone yet is the same as before, and the other one is made anew.
engine worker-6 "/containers/$(pick 'next(c["Id"] for c in d if c["Labels"]["com.docker.swarm.service.name"] == "stubborn")' \
    "$(engine worker-6 /containers/json)")/kill" -X POST
expect 0 memories --quiet scale guide --worker-nodes 6
wait_until 60 all_run
wait_until 60 is_running
equal "$(pick "$(member_of worker-6)['node_id']" "$document")" "$before"
equal "$(pick 'd["worker_count"]' "$document")" 6
say "a drain was called off"

# ---- The end ----

expect 0 memories delete guide
machine_is_clean "$test_dir/names"
say "nothing is left"
