#!/bin/sh
# nodes.sh - the core's own time for deployments of 100 and 1,000 nodes: whole commands, on the fake provider of the tests
#
#     cd build && make check TESTS= && ../bench/nodes.sh
#
# The fake provider answers at once from a file, so what is seen is the core: configuration, plan, certificates, store,
# engine. Growth: 1 when ten times the nodes take ten times the time (the start of the program, 2 ms, makes it less).
srcdir=${srcdir:-$(dirname "$0")/..}
. "$srcdir/tests/env.sh"
runs=${RUNS:-3}
program=$builddir/cli/.libs/memories
[ -x "$program" ] || program=$builddir/cli/memories
LD_LIBRARY_PATH=$builddir/core/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
memories plugins | grep -q fake || skip "the tests' plugins are not built: make check TESTS="

# run_ms COMMAND ARGUMENT... - one more line "COMMAND MILLISECONDS" for this number of nodes
run_ms() {
    began=$(date +%s%N)
    "$program" "$@" >/dev/null 2>"$test_dir/err" || fail "memories $*: $(cat "$test_dir/err")"
    echo "$1 $((($(date +%s%N) - began) / 10000))" >>"$test_dir/$nodes"
}

for nodes in 100 1000; do
    config=$test_dir/$nodes.yaml
    printf 'topology: fake\nprovider: fake\nconfig:\n  fake_nodes: %s\n' "$nodes" >"$config"
    for _ in $(seq "$runs"); do
        run_ms plan "$config"
        run_ms deploy "$config" --name big --quiet
        run_ms list
        run_ms status big
        run_ms update big "$config" --set fake_content=new --quiet
        run_ms stop big --quiet
        run_ms start big --quiet
        run_ms delete big --quiet
    done
done

printf '%-10s %10s %10s %16s\n' command '100 ms' '1000 ms' '1000/(10*100)'
for command in plan deploy list status update stop start delete; do
    for nodes in 100 1000; do
        awk -v c="$command" '$1 == c { print $2 }' "$test_dir/$nodes" | sort -n | head -n 1
    done | paste -sd ' ' - | awk -v c="$command" '{ printf "%-10s %10.1f %10.1f %16.2f\n", c, $1 / 100, $2 / 100, $2 / (10 * $1) }'
done
echo "best of $runs runs"
