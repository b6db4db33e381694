# streams.sh - readers that go away, full disks, closed descriptors
. "$srcdir/tests/env.sh"
m=$builddir/tests/cli/memories-fake

# A reader that has seen enough: no message, and the end that every filter has.
{ code=0; "$m" list --state-dir /many 2>"$test_dir/err" || code=$?; echo "$code" >"$test_dir/code"; } | head -n 1 >"$test_dir/out"
equal "$(wc -l <"$test_dir/out")" 1
equal "$(cat "$test_dir/code")" 141
equal "$(cat "$test_dir/err")" ""

# A reader of progress that goes away does not end the work.
{ code=0; "$m" deploy slow --verbose 2>&1 >"$test_dir/out" || code=$?; echo "$code" >"$test_dir/code"; } | head -n 1 >/dev/null
equal "$(cat "$test_dir/code")" 0
contains "$(cat "$test_dir/out")" "Status: running"

if [ -c /dev/full ]; then
    code=0
    "$m" list >/dev/full 2>"$test_dir/err" || code=$?
    equal "$code" 1
    contains "$(cat "$test_dir/err")" "standard output: cannot write: No space left on device"
fi

code=0
"$m" list >&- 2>"$test_dir/err" || code=$?
equal "$code" 1
contains "$(cat "$test_dir/err")" "standard output: cannot write"

"$m" list 2>&- >"$test_dir/out" </dev/null || fail "standard error closed: exit code $?"
contains "$(cat "$test_dir/out")" "consensus-local"
