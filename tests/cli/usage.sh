# usage.sh - wrong command lines, --help of every command, exit codes
. "$srcdir/tests/env.sh"
m=$builddir/tests/cli/memories-fake

commands=$("$m" __complete '' | cut -f 1)
[ "$(echo "$commands" | wc -l)" -ge 23 ] || fail "only these commands: $commands"

# A wrong command line exits with 2, prints nothing on standard output, and says where help is.
wrong() {
    message=$1
    shift
    expect 2 "$m" "$@"
    equal "$out" ""
    contains "$err" "memories: $message"
    contains "$err" "--help"
}
wrong 'a command is needed'
wrong 'unknown command "depoly": did you mean "deploy"?' depoly x
wrong 'unknown command "frobnicate"' frobnicate
wrong 'unknown option --bogus' --bogus list
wrong 'unknown option --bogus' list --bogus
wrong 'unknown option -Z' list -Z
wrong 'option --set needs a value' deploy x --set
wrong 'option -s needs a value' deploy x -s
wrong 'option --json takes no value' list --json=yes
wrong 'option --p may mean --provider or --plugin-path' deploy --p local x
wrong 'deploy needs FILE' deploy
wrong 'update needs ID FILE' update x
wrong 'recover x needs FILE, the configuration' recover x
wrong 'list: unexpected argument "x"' list x
wrong 'deploy: unexpected argument "y"' deploy x y
wrong 'schema needs TOPOLOGY PROVIDER' schema consensus
wrong 'unknown option --follow' stop x --follow
wrong 'there is no command "nothing"' help nothing
wrong '--start: "tomorrow" is no time' metrics x --start tomorrow
wrong '--end: "2026-02-30" is no time' metrics x --end 2026-02-30
wrong '--period: "0" is no number of seconds' metrics x --period 0
wrong '--lines: "-1"' logs x --lines -1
wrong '--lines: "0"' logs x -n 0
wrong 'scale needs a number of nodes: --worker-nodes, --manager-nodes or --group' scale x
wrong '--worker-nodes: "many" is no number of nodes' scale x --worker-nodes many
wrong '--worker-nodes: "-1" is no number of nodes' scale x --worker-nodes -1
wrong '--manager-nodes: "4294967296" is no number of nodes' scale x --manager-nodes 4294967296
wrong '--group: "worker" is not like worker=8' scale x --group worker
wrong '--group: "=8" is not like worker=8' scale x --group =8
wrong '--group: "worker=" is not like worker=8' scale x --group worker=
wrong '--interval: "0" is no number of seconds' autoscale x --interval 0
wrong '--period: "x" is no number of seconds' autoscale x --period x
wrong 'unknown option --no-wait' autoscale x --no-wait
expect 2 "$m" metrics x --plot --json
contains "$err" '--plot and --json exclude each other'
wrong '--spec and --resources exclude each other' plan x --spec --resources
wrong '--deployment and --calls exclude each other' plan x --deployment x --calls
wrong '--quiet and --events exclude each other' deploy x --events -q

# Every command explains itself, in three ways that agree.
for command in $commands; do
    expect 0 "$m" "$command" --help
    help=$out
    contains "$help" "Usage: memories $command [OPTION]..."
    equal "$err" ""
    expect 0 "$m" "$command" -h
    equal "$out" "$help"
    expect 0 "$m" help "$command"
    equal "$out" "$help"
    for option in $("$m" __complete "$command" -- | cut -f 1); do
        contains "$help" "$option"
    done
done
expect 0 "$m" --help
for command in $commands; do
    contains "$out" "  $command "
done
expect 0 "$m" --version
contains "$out" "memories 1."

# What becomes of the library's errors.
expect 3 "$m" deploy several
expect 3 "$m" validate several
expect 3 "$m" update several several
expect 4 "$m" stop missing
expect 4 "$m" deploy unreadable
expect 5 "$m" delete busy
expect 1 "$m" deploy refused
expect 2 "$m" show several # the library finds the id wrong, not a configuration
expect 3 "$m" deploy x --set nonsense
expect 2 "$m" scale x --worker-nodes 11 # the number comes from the command line
contains "$err" "memories: config.swarm.worker_nodes: expected at most 10 workers"
expect 1 "$m" scale full --worker-nodes 2
contains "$err" "memories: the tasks of memories-api need 3 nodes, and 2 would be left"
expect 3 "$m" autoscale alone # it is the configuration that has no target
expect 4 "$m" heal missing
expect 5 "$m" scale busy --worker-nodes 2
expect 1 "$m" services alone
expect 1 "$m" --state-dir /refused list

# Options reach the library; "--" ends them; the last of --wait and --no-wait counts.
expect 0 "$m" deploy -t standalone --provider aws -n box --set a=1 -s b=2 -k --no-wait echo
contains "$err" "standalone aws box a=1 b=2 flags 3"
expect 0 "$m" deploy --no-wait --wait -- echo
contains "$err" "consensus local - flags 0"
expect 0 "$m" start x --no-wait
contains "$out" "starting"
expect 0 "$m" scale echo --worker-nodes 3 --group manager=5 --worker-nodes 8 --group spare=0 --no-wait
contains "$err" "worker=8 manager=5 spare=0 flags 2"
expect 0 "$m" heal echo --node manager-1 --node worker-2 --force-new-cluster manager-3
contains "$err" "manager-1 worker-2 force manager-3 flags 0"
expect 0 "$m" heal echo --no-wait
contains "$err" "force - flags 2"
expect 0 "$m" autoscale echo --once --dry-run --interval 1m --period 5m
contains "$err" "interval 60 period 300 flags 3"
expect 0 "$m" autoscale echo --once
contains "$err" "interval 0 period 0 flags 1"
expect 0 "$m" metrics echo --start 2026-02-25T01:00:00+01:00
contains "$err" "2026-02-25T00:00:00Z"
expect 0 "$m" --state-dir /empty list --json
equal "$(echo "$out" | tr -d ' \n')" "[]"
