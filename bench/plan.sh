#!/bin/sh
# plan.sh - the plan for 1,000 nodes: milliseconds, growth from 100 nodes (1 is linear), share of the budget of 100 ms
#
#     cd build && ../bench/plan.sh
srcdir=${srcdir:-$(dirname "$0")/..}
. "$srcdir/tests/env.sh"
make -s -C "$builddir" bench/plan
"$builddir/bench/plan"
