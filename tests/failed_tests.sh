#!/bin/sh
# failed_tests.sh - what run-tests.sh shows of tests that failed: all of a short log, both ends of a long one, and in brief
# the line where it failed, with its values
. "$srcdir/tests/env.sh"

ended() { # ended RESULT NAME: the test's log is on standard input
    mkdir -p "$test_dir/build/tests/kind"
    cat >"$test_dir/build/tests/kind/$2.log"
    printf ':test-result: %s\n:global-test-result: %s\n' "$1" "$1" >"$test_dir/build/tests/kind/$2.trs"
}
echo "all is well" | ended PASS good
echo "skipped: not here" | ended SKIP absent
{
    seq -f 'before %g' 400
    printf 'FAILED: expected:\n5\n--- found:\n4\n'
    seq -f 'left behind: %g' 500
} | ended FAIL long
{
    echo '50%: Checks: 2, Failures: 1, Errors: 0'
    echo "tests/unit/test_x.c:12:F:core:a_name:0: Assertion 'one == two' failed: one == 1, two == 2"
} | ended FAIL unit
seq -f 'silent %g' 90 | ended ERROR silent

expect 0 sh "$srcdir/scripts/failed_tests.sh" "$test_dir/build"
equal "$(printf '%s\n' "$out" | grep '^----' | paste -sd' ')" \
    "---- FAILED: tests/kind/long.log ---- ---- FAILED: tests/kind/silent.log ---- ---- FAILED: tests/kind/unit.log ----"
contains "$out" "before 1
"
contains "$out" "lines are left out: $test_dir/build/tests/kind/long.log"
contains "$out" "left behind: 500"
contains "$out" "silent 1
"
expect 0 sh "$srcdir/scripts/failed_tests.sh" --brief "$test_dir/build"
contains "$out" "FAILED: expected:
5
--- found:
4"
contains "$out" "one == 1, two == 2"
contains "$out" "silent 90"
[ "$(printf '%s\n' "$out" | wc -l)" -lt 60 ] || fail "this is not brief: $out"
