#!/bin/sh
# aws_moto.sh - the same requests are understood by moto, an emulator of AWS that others wrote: it is told nothing of ours
#
# What moto has not: Canonical's parameter of Ubuntu's image (an image is named here), the account's quotas (a note says so),
# and machines (the workload has no health to wait for; there are no metrics and no logs).
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"
plain_build_only

python3 -c 'import botocore' 2>/dev/null || skip "python3 has no botocore"
start_moto

# asked SERVICE EXPRESSION: of moto, by AWS's own client
asked() {
    python3 -c 'import botocore.session, sys
client = botocore.session.get_session().create_client(sys.argv[1])
print(eval(sys.argv[2]))' "$1" "$2"
}
# ours LIST: what there is with the mark of a deployment
marked='Filters=[{"Name": "tag-key", "Values": ["memories-deployment"]}]'
instances() { asked ec2 "[$1 for r in client.describe_instances($marked)['Reservations'] for i in r['Instances'] if i['State']['Name'] != 'terminated']"; }
left() {
    instances "i['InstanceId']"
    for kind in vpcs subnets internet_gateways security_groups route_tables addresses; do
        asked ec2 "[one for key, all in client.describe_$kind($marked).items() if key != 'ResponseMetadata' for one in all]"
    done
    asked ec2 "[one for one in client.describe_nat_gateways(Filter=$(echo "$marked" | cut -d = -f 2-))['NatGateways'] if one['State'] != 'deleted']"
    asked iam "client.list_roles(PathPrefix='/memories/')['Roles'] + client.list_instance_profiles(PathPrefix='/memories/')['InstanceProfiles']"
    asked logs "client.describe_log_groups()['logGroups']"
    asked cloudwatch "client.describe_alarms()['MetricAlarms']"
    asked sns "client.list_topics()['Topics']"
}
# life NAME FILE: deployed, looked at, switched off and on, planned anew, deleted
life() {
    image=$(asked ec2 'next(i["ImageId"] for i in client.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]},
        {"Name": "root-device-type", "Values": ["ebs"]}])["Images"])')
    expect 0 memories deploy --name "$1" "$2" --set config.image="$image" --set 'config.workload={command: [sleep, infinity]}'
    contains "$out" "Status: running"
    instance=$(instances "i['InstanceId']")
    expect 0 memories show "$1" --json
    contains "$out" "$(printf '%s' "$instance" | tr -d "[]'")"
    expect 0 memories stop "$1"
    equal "$(instances "i['State']['Name']")" "['stopped']"
    expect 0 memories start "$1"
    equal "$(instances "i['State']['Name']")" "['running']"
    expect 0 memories metrics "$1"
    expect 0 memories resume "$1" # nothing is to be done
    case $err in *operation*) fail "something was done: $err" ;; esac
}
gone() {
    expect 0 memories delete "$1"
    equal "$(left | sort -u)" "[]"
}

life standalone "$srcdir/examples/standalone.yaml"
equal "$(instances "(i['InstanceType'], i['MetadataOptions'].get('HttpTokens'))")" "[('t3.xlarge', 'required')]"
gone standalone

life monitoring "$srcdir/examples/monitoring.yaml"
equal "$(asked cloudwatch "sorted((a['MetricName'], a['Threshold']) for a in client.describe_alarms()['MetricAlarms'])")" \
    "[('CPUUtilization', 80.0), ('mem_used_percent', 85.0)]"
equal "$(asked logs "[(g['logGroupName'], g['retentionInDays']) for g in client.describe_log_groups()['logGroups']]")" \
    "[('/aws/standalone/instance', 30)]"
gone monitoring

life alerts "$srcdir/tests/golden/aws/alerts.yaml"
gone alerts

AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1
# Of io2 disks it wants the iops that it has been given.
sed 's/type: io2, iops: 500/type: gp3/' "$srcdir/tests/golden/aws/private.yaml" >"$test_dir/private.yaml"
life private "$test_dir/private.yaml"
gone private
