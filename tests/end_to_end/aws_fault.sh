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

# Who may not make a role may not look for it either: what was never made does not keep the rest.
aws_config watched 'monitoring: {metrics: [memory_usage]}'
denied() { for action in "$@"; do printf '{"action": "%s", "kind": "error", "code": "AccessDenied", "status": 403, "count": 0},' "$action"; done; }
faults=$(denied CreateRole GetRole ListAttachedRolePolicies CreateInstanceProfile GetInstanceProfile)
aws_deploy 1 watched "${faults%,}"
contains "$err" "CreateRole was refused: AccessDenied"
aws_is state '{}'
# Nor later, in another process.
aws_forget
aws_steer faults "[${faults%,}]"
expect 1 "$aws_program" deploy --no-wait --keep-on-failure --name watched "$test_dir/watched.yaml"
aws_is '"vpc" in state' True
expect 0 "$aws_program" delete watched
aws_steer faults '[]'
aws_is state '{}'

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
wait_until 30 on_record plain "subnet/[a-z0-9/-]*: it is still in use by the network interface eni-[0-9a-f]* of the instance $instance"
wait_until 30 on_record plain "firewall: it is still in use by the network interface eni-[0-9a-f]* of the instance $instance"
expect 0 "$aws_program" delete guest
wait $host || fail "$(cat "$test_dir/host.out")"
aws_is state '{}'

# Something in the VPC that is nobody's of ours.
aws_deploy 0 plain
vpc=$(aws_ask 'state["vpc"][0]["id"]')
aws_steer stranger "{\"vpc\": \"$vpc\"}"
"$aws_program" delete plain >"$test_dir/host.out" 2>&1 &
host=$!
wait_until 30 on_record plain "network: it is still in use by the security group sg-[0-9a-f]*: of somebody else's, named stranger"
aws_steer stranger '{}'
wait $host || fail "$(cat "$test_dir/host.out")"
aws_is state '{}'

# When the time is over, what holds it is named, and the rest goes later. Three at once: each waits for something else.
for name in interface named inside; do
    aws_config $name ''
    aws_deploy 0 $name
    of_it() { aws_ask 'next(one["id"] for one in state["'"$1"'"] if one["tags"].get("memories-deployment") == '"'$id')"; }
    id=$("$aws_program" show $name --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
    case $name in
    interface) aws_steer stranger "{\"vpc\": \"$(of_it vpc)\", \"subnet\": \"$(of_it subnet)\", \"group\": \"$(of_it securityGroup)\"}" ;;
    named) aws_steer stranger "{\"vpc\": \"$(of_it vpc)\", \"group\": \"$(of_it securityGroup)\"}" ;;
    inside) aws_steer stranger "{\"vpc\": \"$(of_it vpc)\"}" ;;
    esac
done
expect 1 env MEMORIES_OPERATION_TIMEOUT_S=soon "$aws_program" delete inside
contains "$err" "MEMORIES_OPERATION_TIMEOUT_S: \"soon\" is no number of seconds from 1 to 86400"
gives_up() {
    code=0
    MEMORIES_OPERATION_TIMEOUT_S=2 "$aws_program" delete "$1" >"$test_dir/$1.out" 2>&1 || code=$?
    echo $code >"$test_dir/$1.code"
}
those=
for name in interface named inside; do
    gives_up $name &
    those="$those $!"
done
# shellcheck disable=SC2086 # a list
wait $those
aws_is 'len(state["vpc"]), "instance" in state' '(3, False)'
aws_steer stranger '{}' # or what is left after a failure could not be deleted
told_at_last() { # told_at_last NAME TEXT…
    name=$1
    shift
    equal "$(cat "$test_dir/$name.code")" 1
    for text in "$@"; do grep -qE "$text" "$test_dir/$name.out" || fail "$text is not in $(cat "$test_dir/$name.out")"; done
    contains "$(cat "$test_dir/$name.out")" "remove what uses it"
    expect 0 "$aws_program" list
    contains "$out" $name
}
lambda="the network interface eni-[0-9a-f]+ of the account amazon-aws: AWS Lambda VPC ENI-stranger"
told_at_last interface "(subnet/[^ ]*|firewall): it is still in use by $lambda"
for key in subnet/ firewall; do "$aws_program" show interface --audit | grep -qE "$key.*: it is still in use by $lambda" || fail "no $key"; done
told_at_last named "firewall: it is still in use by the security group sg-[0-9a-f]+: of somebody else's, named stranger"
told_at_last inside "network: it is still in use by the security group sg-[0-9a-f]+: of somebody else's, named stranger"
for name in interface named inside; do expect 0 "$aws_program" delete $name; done
aws_is state '{}'

# ---- Killed while AWS hides what it has made, and wanted otherwise then: the first one does not stay behind ----

aws_config first 'network: {cidr: 10.0.0.0/16}'
aws_config other 'network: {cidr: 10.9.0.0/16}, instance_type: t3.large'
held() { [ "$(aws_look held)" = 1 ]; }
# deploy_killed ACTION MS - AWS does it, hides for so long what comes of it, and gives no answer; the program is killed then
deploy_killed() {
    aws_steer faults "[{\"action\": \"$1\", \"kind\": \"hold\", \"ms\": $2}]"
    "$aws_program" deploy --no-wait --name first "$test_dir/first.yaml" >"$test_dir/first.out" 2>&1 &
    killed=$!
    wait_until 60 held
    kill -9 $killed
    wait $killed || true
    aws_steer faults '[]'
}
for action in CreateVpc CreateSubnet RunInstances; do
    deploy_killed $action 3000
    expect 0 "$aws_program" update --no-wait first "$test_dir/other.yaml"
    aws_is '[(one["cidr"]) for one in state["vpc"]], [one["type"] for one in state["instance"]], len(state["subnet"])' \
        "(['10.9.0.0/16'], ['t3.large'], 1)"
    aws_gone first
done

# Hidden for longer than it is waited for, a second one is made; with the deployment both go.
deploy_killed CreateVpc 9000
expect 0 "$aws_program" resume --no-wait first
aws_is 'len(state["vpc"])' 2
shown() { [ "$(AWS_ENDPOINT_URL=$aws_url "$aws_program" recover --provider aws --json | grep -o '"key":"network"' | wc -l)" = 2 ]; }
wait_until 30 shown
aws_gone first

# ---- Addresses: the private one stays, the public one does not ----

aws_deploy 0 plain
was=$(aws_ask 'state["instance"][0]["id"], state["instance"][0]["address"]')
expect 0 "$aws_program" stop plain
aws_is 'state["instance"][0]["public"]' None
expect 0 "$aws_program" start plain --no-wait
aws_is 'state["instance"][0]["id"], state["instance"][0]["address"]' "$was"
aws_gone plain
