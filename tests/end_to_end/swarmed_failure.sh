#!/bin/sh
# swarmed_failure.sh - a swarm of real Docker Engines that is killed in parts and as a whole, and comes back
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"
. "$srcdir/tests/end_to_end/swarm.sh"
need_swarm

began=$(date +%s)
say() { echo "$(($(date +%s) - began)) s: $*"; }

cat >"$test_dir/swarm.yaml" <<'END'
topology: swarmed
provider: local
config:
  swarm: {manager_nodes: 3, worker_nodes: 2, min_nodes: 1, max_nodes: 4}
  logging: {level: debug}
END
expect 0 memories deploy "$test_dir/swarm.yaml" --name swarm
id=$(id_in "$out")
secrets=$MEMORIES_STATE_DIR/secrets/$id
machine_names swarm >"$test_dir/names"
machine_has "$test_dir/names" process mount namespace interface route cgroup file
say "3 managers and 2 workers run $id"

# Not even engines that tell everything tell the way into the swarm.
memories logs swarm --lines all | grep -q level=debug || fail "the engines log no details"
if grep -rlaF SWMTKN "$MEMORIES_STATE_DIR"; then fail "a join token is on disk"; fi

swarm_id() { engine manager-1 /info | python3 -c 'import json, sys; print(json.load(sys.stdin)["Swarm"]["Cluster"]["ID"])'; }
swarm=$(swarm_id)
nodes=$(members)
first=${nodes%% *}
is_whole() { is_running && all_run; }

# ---- The leader's engine dies ----

leader=$(pick 'd["leader"]' "$(status)")
kill -9 "$(engine_pid "$leader")"
killed=$(date +%s)
wait_until 20 holds "not $(member_of "$leader")['healthy'] and d['status'] == 'degraded'" status
pick 'd["message"]' "$document" | grep -q -e "$leader" -e electing || fail "status names nobody: $document"
# Its supervisor brings it back, as who it was; meanwhile, or with it, somebody leads.
wait_until 90 is_whole
wait_until 60 holds 'd["leader"] is not None' status
equal "$(members)" "$nodes"
say "$leader killed; all is well again after $(($(date +%s) - killed)) s, $(pick 'd["leader"]' "$(status)") leads"

# ---- A worker is lost for a while ----

node_is() { holds "next(r['state'] for r in d['resources'] if r.get('node') == '$1') == '$2'" memories show swarm --json; }
kill -9 "$(supervisor_pid worker-2)"
wait_until 20 node_is worker-2 stopped
wait_until 20 holds "d['status'] == 'degraded' and 'worker-2' in d['message']" status
# What ran there runs elsewhere: three tasks of the API on the four nodes that are left.
lost=$(pick "$(member_of worker-2)['address']" "$(status)")
lost=${lost#https://}
api_moved() {
    holds "next(s['running'] for s in d if s['name'] == 'memories-api') == 3" services &&
        case " $(addresses memories-api) " in *" ${lost%:*}:"*) false ;; esac
}
wait_until 90 api_moved
expect 0 memories start swarm
wait_until 60 is_whole
equal "$(members)" "$nodes"
say "worker-2 was lost, and is back"

# ---- All of it stops ----

expect 0 memories stop swarm
if pgrep -f "dockerd .*$test_dir.*$id/" >/dev/null; then fail "an engine still runs after stop"; fi
holds 'd["status"] == "stopped"' status || fail "it is stopped, and status says $(status)"
expect 0 memories start swarm
wait_until 60 is_whole
equal "$(members)" "$nodes"
equal "$(swarm_id)" "$swarm"
all_answer() {
    api=$(addresses memories-api)
    # shellcheck disable=SC2086 # a list
    [ -n "$api" ] && answers $api
}
wait_until 30 all_answer
say "stopped and started: the same swarm"

# ---- The program dies while it scales ----

memories scale swarm --worker-nodes 3 >"$test_dir/scale" 2>&1 &
scale=$!
has_third() { [ -n "$(supervisor_pid worker-3)" ]; }
wait_until 30 has_third
kill -9 "$scale"
wait "$scale" 2>/dev/null || true
holds '[e["status"] for e in d] == ["interrupted"]' memories list --json || fail "it was not interrupted: $(memories list)"
expect 0 memories resume swarm
wait_until 60 is_whole
equal "$(pick '[m["name"] for m in d["members"]]' "$(status)")" \
    "['manager-1', 'manager-2', 'manager-3', 'worker-1', 'worker-2', 'worker-3']"
say "scaling was killed, and resumed"

# ---- Nodes are lost for ever ----

# lose NODE - its machine ends and its disk is gone
lose() {
    kill -9 "$(supervisor_pid "$1")"
    wait_until 20 node_is "$1" stopped
    grep -F "/$id/nodes/$1/" /proc/self/mounts | cut -d' ' -f 2 | sort -r | xargs -r -n 1 umount -l
    rm -rf "$MEMORIES_STATE_DIR/local/$id/nodes/$1"
}
lose worker-3
expect 0 memories heal swarm
wait_until 60 is_whole
equal "$(members | tr ' ' '\n' | grep -v worker-3 | paste -sd' ')" "$nodes"
say "a lost worker was replaced"

# One that is asked for by name is made anew though it lives.
id_of() { members | tr ' ' '\n' | grep "^$1="; }
before=$(id_of worker-2)
expect 0 memories heal swarm --node worker-2
wait_until 60 is_whole
[ "$(id_of worker-2)" != "$before" ] || fail "worker-2 is the same as before"
equal "$(pick '[n["Description"]["Hostname"] for n in d].count("worker-2")' "$(engine manager-1 /nodes)")" 1
equal "$(id_of manager-1)" "$first"
say "worker-2 was replaced by name"

# Nobody is listed twice, nor anybody whose joining broke off.
listed='" ".join(sorted(n["Description"].get("Hostname", n["ID"]) + "=" + n["Spec"]["Role"] for n in d))'
all_of_them="manager-1=manager manager-2=manager manager-3=manager worker-1=worker worker-2=worker worker-3=worker"

# Joining breaks off as long as the other managers do not reach the new one.
way_to_third() {
    for name in manager-1 manager-2; do
        nsenter --net -t "$(engine_pid "$name")" iptables "$1" OUTPUT -p tcp -d "$third" --dport 2377 -j DROP
    done
}
third=$(pick 'next(r["outputs"]["private_address"] for r in d["resources"] if r.get("node") == "manager-3")' \
    "$(memories show swarm --json)")
lose manager-3
way_to_third -I
memories heal swarm >"$test_dir/heal" 2>&1 &
heal=$!
breaks_off() { [ "$(pick "$listed.count('manager-3=')" "$(engine manager-1 /nodes)")" -ge 2 ]; }
wait_until 60 breaks_off
way_to_third -D
wait "$heal" || fail "heal: $(cat "$test_dir/heal")"
contains "$(cat "$test_dir/heal")" "waiting for manager-3: HTTP status 500: "
wait_until 60 is_whole
equal "$(pick "$listed" "$(engine manager-1 /nodes)")" "$all_of_them"
equal "$(id_of manager-1)" "$first"
say "a manager whose joining broke off is in, and leaves no other entry"

# Without a majority nothing can be changed, and status says so, and what can be done.
wait_until 30 all_answer
addresses_of() {
    for name in "$@"; do pick "$(member_of "$name")['address'].split('//')[1].split(':')[0]" "$now"; done | paste -sd' '
}
wait_until 60 is_running
now=$document
elsewhere=$(for at in $api; do
    case " $(addresses_of manager-2 manager-3) " in *" ${at%:*} "*) ;; *) echo "$at" ;; esac
done)
lose manager-2
lose manager-3
wait_until 40 holds 'd["status"] == "unavailable" and "1 of 3" in d["message"]' status
now=$document
contains "$now" "1 of 3 managers answer and 2 are needed: nothing can be changed"
contains "$now" "memories heal $id --force-new-cluster MANAGER"
expect 1 memories heal swarm
contains "$err" "1 of 3 managers answer and 2 are needed: nobody can let nodes go"
contains "$err" "memories heal $id --force-new-cluster MANAGER"
expect 1 memories scale swarm --worker-nodes 2
contains "$err" "make it anew with: memories heal $id"
# What runs on the other nodes goes on running. (Three tasks on six nodes: one at least is not on the two that are lost.)
[ -n "$elsewhere" ] || fail "all of $api are on managers that are lost"
# shellcheck disable=SC2086 # a list
answers $elsewhere || fail "what ran elsewhere does not answer: $(cat "$test_dir/curl")"
expect 0 memories heal swarm --force-new-cluster manager-1
wait_until 90 is_whole
equal "$(swarm_id)" "$swarm"
equal "$(id_of manager-1)" "$first"
equal "$(pick "$listed" "$(engine manager-1 /nodes)")" "$all_of_them"
wait_until 30 all_answer
say "one manager has begun anew, with what all knew"

# ---- The end, with an engine that was killed just before ----

kill -9 "$(engine_pid worker-1)"
expect 0 memories delete swarm
machine_is_clean "$test_dir/names"
say "nothing is left"
