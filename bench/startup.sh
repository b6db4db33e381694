#!/bin/sh
# startup.sh - time and memory of the smallest commands, as ratios to the budget of 10 ms and 10 MB
#
#     cd build && ../bench/startup.sh [RUNS]
#
# On a busy machine the median wall time says more about the machine; the processor time stays.
srcdir=${srcdir:-$(dirname "$0")/..}
. "$srcdir/tests/env.sh"
runs=${1:-200}
make -s -C "$builddir" bench/measure

# Libtool's wrapper script is not what is measured: the program it runs is.
program=$builddir/cli/.libs/memories
[ -x "$program" ] || program=$builddir/cli/memories
memories list >/dev/null 2>&1 # makes the state directory
LD_LIBRARY_PATH=$builddir/core/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

row() { # row ARGUMENT...
    figures=$("$builddir/bench/measure" "$runs" "$program" "$@" 2>/dev/null) || fail "memories $* cannot be measured"
    # shellcheck disable=SC2086 # words on purpose
    printf '%s %s\n' "$figures" "$*" | awk '{
        command = $5; for (i = 6; i <= NF; i++) command = command " " $i
        printf "%-16s %8.2f %10.2f %8.2f %12.2f %8.2f %12.2f\n", command, $1, $2, $3, $1 / 10, $4, $4 / 10 }'
}
printf '%-16s %8s %10s %8s %12s %8s %12s\n' command 'min ms' 'median ms' 'cpu ms' 'min/budget' 'peak MB' 'peak/budget'
row --version
row list --quiet
row list --json
row deploy --help
