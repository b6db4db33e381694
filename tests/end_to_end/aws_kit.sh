#!/bin/sh
# aws_kit.sh - the AWS provider passes what `memories-plugin check` asks of every plugin, and leaves nothing
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws

# As created and removed again and again, several deployments at a time.
aws_steer settings '{"vpc_limit": 50}'
for config in "" "$srcdir/examples/monitoring.yaml" "$srcdir/tests/golden/aws/private.yaml" "$srcdir/tests/golden/aws/consensus.yaml"; do
    # One case is skipped: an older core's host table gives no HTTP.
    expect 0 "$builddir/sdk/memories-plugin" check --skips-ok ${config:+--config "$config"} \
        "$builddir/plugins/providers/aws/.libs/provider-aws.so"
    contains "$out" "25 passed, 0 failed, 1 skipped"
    equal "$(aws_look state)" '{}'
done
