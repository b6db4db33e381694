#!/bin/sh
# aws_kit.sh - the AWS provider passes what `memories-plugin check` asks of every plugin, and leaves nothing
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws

# As created and removed again and again, several deployments at a time; side by side, as most of the time is waited for what
# AWS may show late.
aws_steer settings '{"vpc_limit": 50}'
check() { # check NAME [OPTION…]
    name=$1
    shift
    # One case is skipped: an older core's host table gives no HTTP.
    "$builddir/sdk/memories-plugin" check --skips-ok "$@" "$builddir/plugins/providers/aws/.libs/provider-aws.so" \
        >"$test_dir/$name.out" 2>&1 &
    eval "${name}_pid=\$!"
}
check plain
check monitoring --config "$srcdir/examples/monitoring.yaml"
check private --config "$srcdir/tests/golden/aws/private.yaml"
check consensus --config "$srcdir/tests/golden/aws/consensus.yaml"
for name in plain monitoring private consensus; do
    eval "wait \$${name}_pid" || fail "$name: $(cat "$test_dir/$name.out")"
    contains "$(cat "$test_dir/$name.out")" "25 passed, 0 failed, 1 skipped"
done
equal "$(aws_look state)" '{}'
