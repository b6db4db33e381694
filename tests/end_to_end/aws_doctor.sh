#!/bin/sh
# aws_doctor.sh - what `memories doctor aws` says of credentials, region and endpoints, and that it says no secrets
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws

expect 0 memories doctor aws
contains "$out" "profile: default, since nothing names another"
contains "$out" "region: us-west-2, of AWS_REGION"
contains "$out" "endpoint ec2: $aws_url/"
contains "$out" "credentials: of the environment (AWS_ACCESS_KEY_ID)"
contains "$out" "identity: arn:aws:iam::123456789012:user/tester in the account 123456789012"
aws_is calls "['GetCallerIdentity']"
case $out in *"simulated secret"*) fail "a secret is told: $out" ;; esac

expect 0 memories doctor aws --json --region eu-central-1
contains "$out" '"well":true'
contains "$out" '"text":"eu-central-1, of the configuration"'
case $out in *"simulated secret"*) fail "a secret is told: $out" ;; esac

# A profile of the files, and what stands there.
mkdir "$HOME/.aws"
printf '[dev]\naws_access_key_id = AKIASIMULATOR\naws_secret_access_key = simulated secret\n' >"$HOME/.aws/credentials"
printf '[profile dev]\nregion = us-east-1\nendpoint_url = %s\n' "$aws_url" >"$HOME/.aws/config"
(
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL
    AWS_PROFILE=dev
    export AWS_PROFILE
    expect 0 memories doctor aws
    contains "$out" "profile: dev, of AWS_PROFILE"
    contains "$out" "region: us-east-1, of the profile"
    contains "$out" "endpoint sts: $aws_url/"
    contains "$out" "credentials: of profile dev of $HOME/.aws/credentials"
) || exit 1
expect 0 memories doctor aws --set profile=dev
contains "$out" "profile: dev, of the configuration"
expect 1 memories doctor aws --set profile=nobody
contains "$out" "failed: config.profile: there is no profile \"nobody\""

# What is missing, and what to do.
(
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION
    expect 1 memories doctor aws
    contains "$out" "warning: region: none is given"
    contains "$out" "failed: AWS credentials: no AWS credentials were found"
    contains "$out" "aws configure"
    expect 1 memories doctor aws --json
    contains "$out" '"well":false'
    # What was found before the end is told by a plugin in a process of its own, too.
    expect 1 memories --isolate aws doctor aws
    contains "$out" "profile: default"
    contains "$out" "failed: AWS credentials: no AWS credentials were found"
) || exit 1
AWS_SECRET_ACCESS_KEY=wrong
export AWS_SECRET_ACCESS_KEY
expect 1 memories doctor aws
contains "$out" "failed: identity: STS refuses"
contains "$out" "credentials: of the environment"
AWS_SECRET_ACCESS_KEY='simulated secret'
AWS_ENDPOINT_URL_STS=http://127.0.0.1:1
export AWS_ENDPOINT_URL_STS AWS_SECRET_ACCESS_KEY
expect 1 memories doctor aws
contains "$out" "failed: identity:"
contains "$out" "endpoint sts: http://127.0.0.1:1/"

# This machine, and providers that can't tell.
expect 0 memories doctor local
contains "$out" "supervisor: $MEMORIES_LIBEXEC_DIR/memories-node"
contains "$out" "namespaces: "
contains "$out" "etcd: "
expect 1 memories doctor fake
contains "$err" "provider fake tells nothing about itself"
