#!/bin/sh
# aws_fault.sh - what AWS refuses, and what goes wrong there: what may pass is tried again, what can't be is told
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws
aws_config plain ''
tokens='len({launch["parameters"]["ClientToken"] for launch in launches})'

# ---- What may pass: asked again, under the same token ----

aws_deploy 0 plain '{"action": "RunInstances", "kind": "throttle", "count": 2}, {"action": "CreateVpc", "kind": "error"},
    {"action": "CreateSecurityGroup", "kind": "error", "status": 400, "code": "ServiceUnavailable"}'
aws_is 'len(launches), '"$tokens" '(3, 1)'
aws_is 'calls.count("CreateVpc"), len(state["vpc"])' '(2, 1)'
aws_gone plain

# A fresh id may be unknown to other calls for longer than a few tries take.
aws_steer settings '{"shown_ms": 2500}'
aws_deploy 0 plain
aws_steer settings '{"shown_ms": 0}'
aws_gone plain

# ---- What can't be: told at once, in AWS's words, and taken back ----

told() { # told EXIT_CODE ACTION CODE STATUS HINT
    aws_deploy "$1" plain "{\"action\": \"$2\", \"kind\": \"error\", \"code\": \"$3\", \"status\": $4, \"message\": \"words of AWS\", \"count\": 0}"
    contains "$err" "$2 was refused: $3: words of AWS (HTTP $4) (request id request-"
    contains "$err" "$5"
    aws_is "calls.count('$2')" 1
    aws_is state '{}'
}
told 1 RunInstances VcpuLimitExceeded 400 "delete what is not needed, or ask AWS for a higher quota"
told 1 CreateVpc VpcLimitExceeded 400 "delete what is not needed, or ask AWS for a higher quota"
told 1 CreateSubnet UnauthorizedOperation 403 "docs/providers/aws.md lists the permissions"
told 3 RunInstances InvalidParameterValue 400 "RunInstances"
# The code counts, not the status.
told 1 CreateSecurityGroup SecurityGroupLimitExceeded 503 "delete what is not needed"

# ---- The clock, and credentials that end in the middle ----

aws_steer settings '{"clock_offset_s": 900}'
aws_deploy 0 plain
equal "$(printf '%s\n' "$err" | grep -c "this machine's clock is -[0-9]* s off; requests to AWS are dated by AWS's")" 1
aws_steer settings '{"clock_offset_s": 0}'
aws_gone plain

mkdir "$HOME/.aws"
cat >"$HOME/.aws/config" <<'END_OF_CONFIG'
[profile operator]
role_arn = arn:aws:iam::123456789012:role/operator
source_profile = user
[profile user]
aws_access_key_id = AKIASIMULATOR
aws_secret_access_key = simulated secret
END_OF_CONFIG
key=$AWS_ACCESS_KEY_ID secret=$AWS_SECRET_ACCESS_KEY
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
aws_steer settings '{"session_ms": 1500, "launch_ms": 4000}'
AWS_PROFILE=operator aws_deploy 0 plain
aws_is 'calls.count("AssumeRole") >= 3, len(launches), len(state["instance"])' '(True, 1, 1)'
aws_steer settings '{"session_ms": 0, "launch_ms": 0}'
export AWS_ACCESS_KEY_ID="$key" AWS_SECRET_ACCESS_KEY="$secret"
aws_gone plain

# ---- What others hold is waited for, and named ----

aws_deploy 0 plain
subnet=$(aws_ask 'state["subnet"][0]["id"]')
group=$(aws_ask 'next(one["id"] for one in state["securityGroup"] if one["name"] != "default")')
aws_config guest "subnet_ids: [$subnet], security_group_ids: [$group]"
aws_deploy 0 guest
instance=$(aws_ask 'next(one["id"] for one in state["instance"] if one["tags"]["memories-deployment"] in one["tags"]["Name"] and one["address"].endswith(".5"))')
on_record() { "$aws_program" show "$1" --audit | grep -q "$2"; }
"$aws_program" delete plain >"$test_dir/host.out" 2>&1 &
host=$!
wait_until 30 on_record plain "subnet/[a-z0-9/-]*: it is still in use by eni-[0-9a-f]* ($instance)"
wait_until 30 on_record plain "firewall: it is still in use by eni-[0-9a-f]* ($instance)"
expect 0 "$aws_program" delete guest
wait $host || fail "$(cat "$test_dir/host.out")"
aws_is state '{}'

# Something in the VPC that is nobody's of ours.
aws_deploy 0 plain
vpc=$(aws_ask 'state["vpc"][0]["id"]')
aws_steer stranger "{\"vpc\": \"$vpc\"}"
"$aws_program" delete plain >"$test_dir/host.out" 2>&1 &
host=$!
wait_until 30 on_record plain "network: it is still in use by sg-00000000000000bad:"
aws_steer stranger '{}'
wait $host || fail "$(cat "$test_dir/host.out")"
aws_is state '{}'

# ---- Addresses: the private one stays, the public one does not ----

aws_deploy 0 plain
was=$(aws_ask 'state["instance"][0]["id"], state["instance"][0]["address"]')
expect 0 "$aws_program" stop plain
aws_is 'state["instance"][0]["public"]' None
expect 0 "$aws_program" start plain --no-wait
aws_is 'state["instance"][0]["id"], state["instance"][0]["address"]' "$was"
aws_gone plain
