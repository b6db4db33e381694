# output.sh - what commands print: for people word by word, with --json one document and nothing else
. "$srcdir/tests/env.sh"
m=$builddir/tests/cli/memories-fake
LC_ALL=C.UTF-8
export LC_ALL

expect 0 "$m" deploy x
equal "$out" "Deployment ID: consensus-local-20260225-123456
Leader Node: node1
Follower Nodes: node2, node3
Status: running"

expect 0 "$m" deploy alone
equal "$out" "Deployment ID: standalone-local-20260225-123456
Instance ID: i-1
Public IP: 127.1.2.3
Status: running"

expect 0 "$m" stop x
equal "$out" "Stopped deployment consensus-local-20260225-123456: stopped"
expect 0 "$m" start x
equal "$out" "Started deployment consensus-local-20260225-123456: running"
expect 0 "$m" resume x
equal "$out" "Resumed deployment consensus-local-20260225-123456: running"
expect 0 "$m" delete x
equal "$out" "Deleted deployment consensus-local-20260225-123456: deleted"

expect 0 "$m" list
equal "$out" "ID                                NAME   TYPE        PROVIDER  STATUS   CREATED
standalone-local-20260224-080000  -      standalone  local     stopped  2026-02-24T08:00:00Z
consensus-local-20260225-123456   größe  consensus   local     running  2026-02-25T12:34:56Z"
expect 0 "$m" list --state-dir /empty
equal "$out" ""
contains "$err" "There are no deployments"
expect 0 "$m" list --state-dir /empty --quiet
equal "$err" ""

expect 0 "$m" show x
equal "$out" "Deployment Details for consensus-local-20260225-123456:
Name: quickstart
Type: consensus
Provider: local
Created: 2026-02-25T12:34:56Z
Status: running
Resources: 3 resources

RESOURCE     TYPE           STATE
network      local.network  ready
node/node1   local.node     ready
node/node10  local.node     stopped"
expect 0 "$m" show x --audit
contains "$out" '2026-02-25T12:34:56Z  deploy   root   {"a":1}'
expect 4 "$m" show missing
expect 0 "$m" show missing --audit # the trail outlives the deployment
contains "$out" "Deployment missing is gone."

expect 0 "$m" status x
equal "$out" "Cluster Status:
Leader: node1
Term: 2
Committed Index: 42
Applied Index: 41
Status: degraded

MEMBER  ROLE      HEALTHY  ADDRESS    MESSAGE
node1   leader    yes      127.9.0.1  -
node2   follower  no       -          no answer"
expect 0 "$m" status alone
equal "$out" "Cluster Status:
Status: running"
expect 0 "$m" status stopped
equal "$out" "Cluster Status:
Leader: none
Status: stopped"

expect 0 "$m" status swarm
equal "$out" "Cluster Status:
Leader: manager-1
Status: degraded
Message: service memories-worker is degraded (4 of 5)
Address: 100.64.0.12:8000

MEMBER     ROLE    HEALTHY  ADDRESS
manager-1  leader  yes      https://100.64.0.11:2376

NAME             REPLICAS  RUNNING  STATUS             ADDRESSES            MESSAGE
memories-api     3         3        running            100.64.0.12:8000 +2  -
memories-db      1         0        starting           -                    no suitable node
memories-worker  5         4        degraded (4 of 5)  100.64.0.12:8001     -"
expect 0 "$m" services swarm
equal "$out" "NAME             REPLICAS  RUNNING  STATUS             ADDRESSES            MESSAGE
memories-api     3         3        running            100.64.0.12:8000 +2  -
memories-db      1         0        starting           -                    no suitable node
memories-worker  5         4        degraded (4 of 5)  100.64.0.12:8001     -"
expect 0 "$m" services bare
equal "$out" ""
contains "$err" "No services run on it."

expect 0 "$m" scale x --worker-nodes 8
equal "$out" "New Worker Count: 8
Scaling Status: running"
expect 0 "$m" scale x --worker-nodes 8 --no-wait
equal "$out" "New Worker Count: 8
Scaling Status: scaling"
expect 0 "$m" scale x --manager-nodes 5 --group spare=2
equal "$out" "New Manager Count: 5
New Spare Count: 2
Scaling Status: running"
expect 0 "$m" heal x
equal "$out" "Healed deployment swarmed-local-20260225-123456: running"

# Decisions: one line each, none for one that is like the one before; a signal that comes in between is no failure.
# autoscale NAME OPTION…: until what is expected last has been printed.
autoscale() {
    scenario=$1 last=$2
    shift 2
    rm -f "$test_dir/out" # what stands in it already is not of this one
    "$m" autoscale "$scenario" "$@" >"$test_dir/out" 2>"$test_dir/err" &
    pid=$!
    wait_until 10 grep -q -e "$last" "$test_dir/out"
    kill -TERM "$pid"
    code=0
    wait "$pid" || code=$?
    equal "$code" 0
    out=$(cat "$test_dir/out")
}
autoscale x something
equal "$out" "2026-02-25T12:34:56Z  cpu 91.3 % (target 70 %)  worker 5 -> 7  up: the load is above the target
2026-02-25T12:34:56Z  cpu - (target 70 %)  worker 7  none: nothing is measured yet
2026-02-25T12:34:56Z  cpu 68.9 % (target 70 %)  worker 7  none: the load is near the target
2026-02-25T12:34:56Z  cpu 50 % (target 70 %)  worker 7 -> 6  down: the load is below the target
2026-02-25T12:34:56Z  cpu 50 % (target 70 %)  worker 7 -> 6  down: the load is below the target
2026-02-25T12:34:56Z  cpu - (target 70 %)  worker 6  none: something else is being done to the deployment"
autoscale x something --dry-run
equal "$(printf '%s\n' "$out" | wc -l)" 5
contains "$out" "worker 5 -> 7  up (dry run): the load is above the target"
autoscale x something --verbose
equal "$(printf '%s\n' "$out" | wc -l)" 7
autoscale x something --json
equal "$(printf '%s\n' "$out" | wc -l)" 7
contains "$out" '"utilization"'
expect 0 "$m" autoscale x --once
equal "$out" "2026-02-25T12:34:56Z  cpu 91.3 % (target 70 %)  worker 5 -> 7  up: the load is above the target"

expect 0 "$m" plan x
equal "$out" "Plan for consensus-local-20260225-123456: 5 operations
├─ create network (local.network)
│  └─ create subnet (local.subnet)
│     ├─ create node/node1 (local.node)
│     └─ create node/node2 (local.node)
└─ create key (local.key)"
equal "$err" "memories: note: config.region: is recorded"
LC_ALL=C expect 0 "$m" plan x
contains "$out" "|     \`- create node/node2 (local.node)"

expect 0 "$m" validate x
equal "$out" "x: valid (consensus on local)"

expect 0 "$m" metrics x --metric cpu_utilization --start 2026-02-24T00:00:00Z --end 2026-02-24T00:10:00Z
equal "$out" "Monitoring Metrics:

cpu_utilization:
  2026-02-24T00:00:00Z: 10.5 Percent
  2026-02-24T00:05:00Z: 11.8 Percent
  2026-02-24T00:10:00Z: 13 Percent"
expect 0 "$m" metrics x --plot --start 2026-02-24T00:00:00Z --end 2026-02-24T01:00:00Z --period 1m
contains "$out" "┤"
contains "$out" "lowest 10.5"
contains "$out" "nothing was measured in this time"
LC_ALL=C expect 0 "$m" metrics x --plot --start 2026-02-24T00:00:00Z --end 2026-02-24T01:00:00Z --period 1m
equal "$(printf %s "$out" | LC_ALL=C tr -d '\n -~')" ""

expect 0 "$m" logs x
equal "$out" "node10 | zehn
node1  | first line
node1  | second line
node1  | unfinished"
expect 0 "$m" logs x --node node1
equal "$out" "first line
second line
unfinished"

expect 0 "$m" plugins
contains "$out" "/tmp/provider-bad.so: /tmp can be written by others
  chmod o-w /tmp"

# What is there and not on record.
expect 0 "$m" recover --provider local
equal "$out" "DEPLOYMENT                       TYPE       RESOURCES  ON RECORD  NODES
consensus-local-20260225-123456  consensus  3          no         node1 ready, node2 stopped"
contains "$err" "put one on record with: memories recover DEPLOYMENT FILE"
expect 0 "$m" recover --provider local --set empty=1
equal "$out" "Nothing is there that memories has made."
expect 0 "$m" recover x x
equal "$out" "Recovered deployment consensus-local-20260225-123456: running"
expect 0 "$m" plan x --deployment x
contains "$out" "0 operations"

# What a provider says of itself: what is wrong has its hint, and shows in the exit code.
expect 0 "$m" doctor local
equal "$out" "plugin: it"
expect 1 "$m" doctor ill
equal "$out" "plugin: it
failed: credentials: none
  get some"

expect 0 "$m" plan x --calls
equal "$out" "STEP    ACTION        CALLS
create  CreateSubnet  3

Calls: 3, and more"

# Errors: all of them, each with its place; what a service sent can't reach the terminal as it is.
expect 3 "$m" deploy several
equal "$err" "memories: config.network.subnets.public.cidr: \"10.0.1.0/33\" is not a CIDR block
memories: config.node_spec: unknown key
  did you mean node_specs?
memories: config.region: expected a string, found 5"
expect 1 "$m" deploy refused
equal "$err" "memories: network: cannot create network: UnauthorizedOperation?]0;title?
  memories resume consensus-local-20260225-123456    finishes it
  memories delete consensus-local-20260225-123456    removes it"

# Progress without a terminal: lines; --quiet leaves the warning only; --verbose tells everything.
expect 0 "$m" deploy loud
contains "$err" "memories: note: an even number of members"
contains "$err" "failed: node/node2: no ?[31mroom? (1 of 3"
expect 0 "$m" deploy loud --quiet
equal "$err" "memories: note: an even number of members"
expect 0 "$m" deploy loud --verbose
contains "$err" "plugin says something"

# --json: one document on standard output, only lines of JSON on standard error.
type python3 >/dev/null 2>&1 || skip "the rest: python3 is not here to read JSON"
json() { python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$test_dir/out" || fail "not one JSON document: $out"; }
json_lines() {
    python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' "$test_dir/err" ||
        fail "not lines of JSON: $err"
}
while read -r arguments; do
    # shellcheck disable=SC2086 # words on purpose
    expect 0 "$m" $arguments --json
    json
    json_lines
done <<END
deploy x
deploy loud
deploy loud --events
deploy loud --verbose
update x x
stop x
start x
resume x
delete x
list
list --state-dir /empty
show x
show x --audit
show missing --audit
status x
status swarm
services swarm
services bare
scale x --worker-nodes 8
scale x --worker-nodes 8 --no-wait
heal x
autoscale x --once
plan x
plan x --spec
plan x --resources
plan x --deployment x
plan x --calls
recover --provider local
recover x x
doctor local
validate x
schema consensus local
metrics x
logs x
logs missing-nothing --node nobody
plugins
version
help
help deploy
END
expect 3 "$m" deploy several --json
equal "$out" ""
json_lines
contains "$err" '"others":['
while read -r arguments; do # the option may stand behind what is wrong
    # shellcheck disable=SC2086 # words on purpose
    expect 2 "$m" $arguments --json
    equal "$out" ""
    json_lines
    contains "$err" '"code":"usage"'
done <<END
deploy
nonsense
--bogus
list --bogus
metrics x --start tomorrow
scale x --worker-nodes many
END
