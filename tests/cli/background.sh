# background.sh - what --no-wait leaves goes on in a process of its own
. "$srcdir/tests/env.sh"
m=$builddir/tests/cli/memories-fake
FAKE_TRACE=$test_dir/trace
export FAKE_TRACE
traced() { [ -e "$FAKE_TRACE" ]; }

# A session of its own, with nothing of ours: no terminal, no stream, no descriptor; the same directories.
# `expect` reads to the end of both streams: it would hang if the process still held them.
exec 7>"$test_dir/seven"
expect 0 "$m" --state-dir "$test_dir/a b" --plugin-path /x:/y scale x --worker-nodes 8 --no-wait
equal "$out" "New Worker Count: 8
Scaling Status: scaling"
contains "$err" "goes on in the background"
contains "$err" "memories show x --audit"
traced || fail "it returned before the work was taken over"
equal "$(cat "$FAKE_TRACE")" "resume x --state-dir $test_dir/a b --plugin-path /x:/y
session its own, streams /dev/null /dev/null /dev/null, descriptor 7 closed"
exec 7>&-

# Every command that can leave something does so; the id is the deployment's own, whatever was given.
background() {
    id=$1
    shift
    rm -f "$FAKE_TRACE"
    expect 0 "$m" "$@"
    traced || fail "it returned before the work was taken over"
    contains "$(cat "$FAKE_TRACE")" "resume $id --state-dir - --plugin-path -"
}
background consensus-local-20260225-123456 start x --no-wait
background consensus-local-20260225-123456 update x x --no-wait
background consensus-local-20260225-123456 deploy x --no-wait
background consensus-local-20260225-123456 resume x --no-wait
background swarmed-local-20260225-123456 heal x --no-wait
background consensus-local-20260225-123456 stop x --no-wait
equal "$out" "Deployment consensus-local-20260225-123456: stopping"
background consensus-local-20260225-123456 delete x --no-wait
background x scale x --worker-nodes 8 --no-wait --quiet
equal "$err" ""
background x scale x --worker-nodes 8 --no-wait --json
equal "$err" ""

# Nothing is left when the command has waited.
rm -f "$FAKE_TRACE"
expect 0 "$m" scale x --worker-nodes 8
traced && fail "it has waited, and yet left something"

# When the background fails before it has taken over, that is told, and nothing is printed as if it went on.
expect 6 "$m" scale lost --worker-nodes 8 --no-wait
equal "$out" ""
contains "$err" "the work in the background ended at once, with exit code 1"
contains "$err" "memories resume lost"
