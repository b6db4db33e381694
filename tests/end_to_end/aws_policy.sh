#!/bin/sh
# aws_policy.sh - docs/providers/aws-policy.json lets its holder do all that the provider does, and nothing that it does not:
# the simulator refuses in every test what the policy does not allow, and here all of it is needed once
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws

# What these nodes are, and that they run, is for other tests: nothing but the provider is asked here.
sleeps="config.workload={command: [sleep, infinity]}"
life() { # life NAME FILE
    expect 0 memories deploy --name "$1" "$2" --set "$sleeps"
    expect 0 memories show "$1"
    expect 0 memories metrics "$1"
}
gone() {
    expect 0 memories delete "$1"
    aws_is state '{}'
}

life monitored "$srcdir/examples/monitoring.yaml"
expect 0 memories logs monitored
expect 0 memories stop monitored
expect 0 memories start monitored
gone monitored
# In a network that is there: where have its addresses gone?
life host "$srcdir/tests/golden/aws/alerts.yaml"
printf '{topology: standalone, provider: aws, config: {region: us-west-2, subnet_ids: [%s], security_group_ids: [%s]}}' \
    "$(aws_ask 'state["subnet"][0]["id"]')" "$(aws_ask 'state["securityGroup"][0]["id"]')" >"$test_dir/guest.yaml"
life guest "$test_dir/guest.yaml"
expect 0 memories delete guest
gone host

# Members have certificates, which another store finds on them. They don't run, so nobody waits for them.
expect 0 memories deploy --name members "$srcdir/tests/golden/aws/consensus.yaml" --no-wait
id=$(printf '%s\n' "$out" | sed -n 's/^Deployment ID: //p')
kill -TERM "$(printf '%s\n' "$err" | sed -n 's/^Process \([0-9]*\) goes on in the background.*/\1/p')"
is_interrupted() { memories show members | grep -q '^Status: interrupted$'; }
wait_until 60 is_interrupted
expect 0 memories recover "$id" "$srcdir/tests/golden/aws/consensus.yaml" --state-dir "$test_dir/found"
contains "$err" "certificates: were found on the nodes"
gone members

AWS_REGION=eu-central-1
life private "$srcdir/tests/golden/aws/private.yaml"
expect 0 memories update private "$srcdir/tests/golden/aws/private.yaml" --set config.instance_type=m7i.2xlarge \
    --set 'config.workload={command: [sleep, 1d]}' \
    --set 'config.network.security.rules=[{name: web, protocol: tcp, ports: ["80"], source_ranges: [0.0.0.0/0]}]'
expect 0 memories update private "$srcdir/tests/golden/aws/private.yaml" --set "$sleeps"
gone private

# The two are the same, but for who one is: whoever has no permission at all may ask that.
aws_is 'look("permissions")' "$(python3 -c 'import json, sys
print(sorted({action for one in json.load(open(sys.argv[1]))["Statement"]
              for action in (one["Action"] if isinstance(one["Action"], list) else [one["Action"]])}))' \
    "$srcdir/docs/providers/aws-policy.json")"

# What the manual says may be left out, where nothing needs it.
aws_steer policy "$(python3 -c 'import json, sys
document = json.load(open(sys.argv[1]))
document["Statement"] = [one for one in document["Statement"] if one["Sid"] in ("Look", "Network", "Instances")]
document["Statement"][0]["Action"] = [action for action in document["Statement"][0]["Action"] if action.startswith("ec2:")]
print(json.dumps(document))' "$srcdir/docs/providers/aws-policy.json")"
expect 0 memories deploy --name plain "$srcdir/tests/golden/aws/private.yaml"
expect 0 memories show plain
expect 1 memories metrics plain
contains "$err" "not authorized to perform: cloudwatch:GetMetricData"
gone plain
expect 1 memories deploy --name refused "$srcdir/examples/monitoring.yaml" --set config.image=ami-0123456789abcdef0
contains "$err" "not authorized to perform: iam:CreateRole"
aws_is state '{}' # although it may not look for a role either
