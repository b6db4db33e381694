#!/bin/sh
# startup.sh - time and memory of the smallest commands, as ratios to the budget of 10 ms and 10 MB
#
#     cd build && ../bench/startup.sh [RUNS]
srcdir=${srcdir:-$(dirname "$0")/..}
. "$srcdir/tests/env.sh"
runs=${1:-200}
make -s -C "$builddir" bench/measure

# Libtool's wrapper script is not what is measured: the program it runs is.
program=$builddir/cli/.libs/memories
[ -x "$program" ] || program=$builddir/cli/memories
memories list >/dev/null 2>&1 # makes the state directory

cat <<END
$runs runs of the dynamically linked program, from its start until its end has been waited for, output to /dev/null:
  min, median   wall time; on a busy machine the median says more about the machine
  cpu           median processor time, user and system
  peak          largest resident memory of one run, shared library pages included
  /budget       min / 10 ms, peak / 10 MB

END

row() { # row NAME ARGUMENT...
    name=$1
    shift
    figures=$(LD_LIBRARY_PATH=$builddir/core/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
        "$builddir/bench/measure" "$runs" "$program" "$@" 2>/dev/null) || fail "memories $* cannot be measured"
    # shellcheck disable=SC2086 # words on purpose
    printf '%s %s\n' "$figures" "$name" | awk '{
        command = $5; for (i = 6; i <= NF; i++) command = command " " $i
        printf "%-26s %8.2f %10.2f %8.2f %12.2f %8.2f %12.2f\n", command, $1, $2, $3, $1 / 10, $4, $4 / 10 }'
}
printf '%-26s %8s %10s %8s %12s %8s %12s\n' command 'min ms' 'median ms' 'cpu ms' 'min/budget' 'peak MB' 'peak/budget'
row --version --version
row 'deploy --help' deploy --help
row 'list, none deployed' list --quiet
# `list` looks at what is really there: the provider plugin is loaded, and asked.
memories --quiet deploy "$srcdir/examples/consensus.yaml" --provider local --set isolation=process >/dev/null
row 'list, 3 nodes deployed' list --quiet
row 'list --json, 3 nodes' list --json
