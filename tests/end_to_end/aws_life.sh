#!/bin/sh
# aws_life.sh - deployments on AWS, from their first request to their last, against the simulator; its instances are
# machines that run what they were told
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

aws_machines
start_aws

launched() { # launched NAME FILE
    aws_forget
    expect 0 memories deploy --name "$1" "$2"
}
gone() {
    expect 0 memories delete "$1"
    aws_is state '{}'
}

# ---- The guide's examples ----

launched standalone "$srcdir/examples/standalone.yaml"
contains "$out" "Status: running"
aws_is 'len(calls)' 18
aws_is 'launches[0]["parameters"]["MetadataOptions"]' "{'HttpTokens': 'required', 'HttpEndpoint': 'enabled', 'HttpPutResponseHopLimit': '2'}"
aws_is '[(m["DeviceName"], m["Ebs"]) for m in launches[0]["parameters"]["BlockDeviceMapping"]]' \
    "[('/dev/sda1', {'Encrypted': 'true', 'DeleteOnTermination': 'true', 'VolumeType': 'gp3', 'VolumeSize': '100'})]"
aws_is '{t["Key"] for s in launches[0]["parameters"]["TagSpecification"] for t in s["Tag"]} >= {"memories-deployment", "memories-key", "memories-token"}' True
aws_is 'all(thing["tags"].get("memories-deployment") for kind in ("vpc", "subnet", "internetGateway", "securityGroup", "instance") for thing in state[kind])' True

# A look costs one request a kind of list, and one for the account; to look again changes nothing.
aws_forget
expect 0 memories show standalone --json
aws_is 'len(calls)' 7
aws_is 'set(calls) - {"GetCallerIdentity"} == {"DescribeVpcs", "DescribeSubnets", "DescribeInternetGateways", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeInstances"}' True
contains "$out" '"public_ip":"198.51.100.'
instance=$(aws_ask 'state["instance"][0]["id"]')
contains "$out" "$instance"

# Switched off and on it is the same instance with the same private address.
address=$(aws_ask 'state["instance"][0]["address"]')
expect 0 memories stop standalone
aws_is 'state["instance"][0]["state"]' stopped
expect 0 memories start standalone
aws_is '[(one["id"], one["state"], one["address"]) for one in state["instance"]]' "[('$instance', 'running', '$address')]"
gone standalone

launched hardware "$srcdir/examples/custom-hardware.yaml"
aws_is '[(m["DeviceName"], m["Ebs"]["VolumeSize"], m["Ebs"].get("Iops"), m["Ebs"].get("Throughput")) for m in launches[0]["parameters"]["BlockDeviceMapping"]]' \
    "[('/dev/sda1', '100', '3000', '125'), ('/dev/sdf', '500', '6000', '250')]"
aws_is 'user_data(launches[0])["swap"]["size"]' 4000000000
contains "$(aws_ask 'user_data(launches[0])["bootcmd"][0][2]')" 'Amazon Elastic Block Store'
gone hardware

launched monitoring "$srcdir/examples/monitoring.yaml"
aws_is 'state["logGroup"][0]["id"], state["logGroup"][0]["retention"]' "('/aws/standalone/instance', 30)"
aws_is 'sorted((a["definition"]["MetricName"], a["definition"]["Threshold"], a["definition"]["Period"] * a["definition"]["EvaluationPeriods"]) for a in state["alarm"])' \
    "[('CPUUtilization', 80, 300), ('mem_used_percent', 85, 300)]"
aws_is 'state["role"][0]["policies"], state["instanceProfile"][0]["roles"] == [state["role"][0]["id"]]' "(['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy'], True)"
aws_is 'state["instance"][0]["profile"] == state["instanceProfile"][0]["id"]' True
contains "$(aws_ask '[f["content"] for f in user_data(launches[0])["write_files"] if f["path"].endswith("agent.json")]')" '"log_group_name":"/aws/standalone/instance"'
aws_forget
expect 0 memories show monitoring
aws_is 'len(calls)' 12

# Metrics come from two namespaces; sums are rates; what has no value has no point.
instance=$(aws_ask 'state["instance"][0]["id"]')
aws_steer metrics "[[\"AWS/EC2\", \"CPUUtilization\", \"$instance\", 450, 12.5], [\"CWAgent\", \"mem_used\", \"$instance\", 450, 4200000000],
    [\"AWS/EC2\", \"NetworkIn\", \"$instance\", 450, 600000], [\"AWS/EC2\", \"NetworkOut\", \"$instance\", 450, 300000]]"
aws_steer settings '{"page_max": 2}'
expect 0 memories metrics monitoring --start -30m --period 300 --json
contains "$out" '"unit":"Percent"'
figures() { printf '%s' "$out" | python3 -c 'import json, sys; print({name: [point["value"] for point in points] for name, points in json.load(sys.stdin).items()})'; }
equal "$(figures)" "{'cpu_utilization': [12.5], 'memory_usage': [4.2], 'disk_io': [], 'network_traffic': [3000.0]}"
expect 0 memories metrics monitoring --start -30m --period 45 --json
equal "$(figures)" "{'cpu_utilization': [12.5], 'memory_usage': [4.2], 'disk_io': [], 'network_traffic': [15000.0]}"
aws_steer settings '{"page_max": 1000}'

# Logs: the last lines, of all services or those of one node.
aws_steer logs '[["/aws/standalone/instance", "node1/memories-server", 7200, "first"], ["/aws/standalone/instance", "node1/memories-server", 60, "second"],
    ["/aws/standalone/instance", "node1/bootstrap", 50, "third"], ["/aws/standalone/instance", "stranger", 40, "not ours"]]'
expect 0 memories logs monitoring --node node1 --lines 2
contains "$out" "==> memories-server <==
second"
contains "$out" "==> bootstrap <==
third"
case $out in *first* | *ours*) fail "too many lines: $out" ;; esac
gone monitoring

# ---- Many alike are launched together; the number of requests does not grow with them ----

cat >"$test_dir/consensus.yaml" <<'END'
topology: consensus
provider: aws
config:
  region: us-west-2
  consensus: {algorithm: raft, min_nodes: 5}
END
if command -v etcd >/dev/null; then
    launched consensus "$test_dir/consensus.yaml"
    aws_is 'len(calls)' 24
    aws_is 'sorted({one["zone"] for one in state["instance"]})' "['us-west-2a', 'us-west-2b', 'us-west-2c']"
    aws_is 'max(sum(one["zone"] == zone for one in state["instance"]) for zone in "us-west-2a us-west-2b us-west-2c".split())' 2
    aws_forget
    expect 0 memories show consensus
    aws_is 'len(calls)' 7

    # The members have found each other, and keep what they have through stop and start.
    committed() { printf '%s' "$out" | python3 -c 'import json, sys; print(json.load(sys.stdin)["committed_index"])'; }
    expect 0 memories status consensus --json
    contains "$out" "5 of 5 members are healthy"
    before=$(committed)
    expect 0 memories stop consensus
    aws_is '{one["state"] for one in state["instance"]}' "{'stopped'}"
    expect 0 memories start consensus
    expect 0 memories status consensus --json
    contains "$out" "5 of 5 members are healthy"
    [ "$(committed)" -gt "$before" ] || fail "committed: $before before, $(committed) after"
    gone consensus
else
    echo "skipped: etcd is not installed"
fi

# ---- Without public addresses ----

launched private "$srcdir/tests/golden/aws/private.yaml"
AWS_REGION=eu-central-1 aws_is 'len(state["natGateway"]), len(state["address"]), len(state["subnet"])' "(1, 1, 2)"
aws_steer settings '{"nat_ms": 1500}'
expect 0 memories delete private
aws_is state '{}'
aws_steer settings '{"nat_ms": 0}'

# ---- Into a network that is there ----

cat >"$test_dir/standalone.yaml" <<'END'
{topology: standalone, provider: aws, config: {region: us-west-2, workload: {command: [sleep, infinity]},
    network: {security: {rules: [{name: web, protocol: tcp, ports: ["80", "8000"], source_ranges: [0.0.0.0/0]}]}}}}
END
launched host "$test_dir/standalone.yaml"
subnet=$(aws_ask 'state["subnet"][0]["id"]')
group=$(aws_ask 'state["securityGroup"][0]["id"]')
printf '{topology: standalone, provider: aws, config: {region: us-west-2, subnet_ids: [%s], security_group_ids: [%s]}}' "$subnet" "$group" >"$test_dir/guest.yaml"
launched guest "$test_dir/guest.yaml"
aws_is 'len(state["vpc"]), len(state["securityGroup"]), len(state["instance"])' "(1, 1, 2)"
aws_is 'len({one["subnet"] for one in state["instance"]}), len({one["address"] for one in state["instance"]})' "(1, 2)"
expect 0 memories delete guest
aws_is 'len(state["vpc"]), len(state["instance"])' "(1, 1)"

# ---- Changed in place: switched off, told anew, switched on ----

instance=$(aws_ask 'state["instance"][0]["id"]')
sed 's/infinity/1d/; s/region: us-west-2/region: us-west-2, instance_type: t3.large/' "$test_dir/standalone.yaml" >"$test_dir/changed.yaml"
aws_forget
expect 0 memories update host "$test_dir/changed.yaml"
aws_is '[call for call in calls if not call.startswith(("Describe", "Get"))]' "['StopInstances', 'ModifyInstanceAttribute', 'ModifyInstanceAttribute', 'CreateTags', 'StartInstances']"
aws_is '[(one["id"], one["type"], one["state"]) for one in state["instance"]]' "[('$instance', 't3.large', 'running')]"
aws_forget
expect 0 memories resume host
aws_is '[call for call in calls if not call.startswith(("Describe", "Get"))]' "[]"

# Firewall rules change in place too.
sed 's/"80"/"443"/' "$test_dir/changed.yaml" >"$test_dir/other.yaml"
expect 0 memories update host "$test_dir/other.yaml"
aws_is 'sorted(rule[1] for rule in state["securityGroup"][0]["rules"])' "['443', '8000']"

# Other names are other tags, and nothing is made anew.
sed 's/network: {/network: {vpc_name: renamed, subnet_name: inner, /' "$test_dir/other.yaml" >"$test_dir/renamed.yaml"
made() { aws_ask 'sorted(thing["id"] for things in state.values() for thing in things)'; }
before=$(made)
aws_forget
expect 0 memories update host "$test_dir/renamed.yaml"
aws_is '{call for call in calls if not call.startswith(("Describe", "Get"))}' "{'CreateTags'}"
aws_is '[state[kind][0]["tags"]["Name"] for kind in ("vpc", "subnet", "internetGateway", "securityGroup")]' \
    "['renamed', 'inner-us-west-2a', 'renamed', 'renamed-firewall']"
equal "$(made)" "$before"
gone host

# ---- The right account only ----

launched ours "$test_dir/standalone.yaml"
aws_steer settings '{"account": "210987654321"}'
expect 1 memories show ours
contains "$err" "the deployment is in the account 123456789012, and the credentials are of 210987654321"
expect 1 memories delete ours
aws_steer settings '{"account": "123456789012"}'
gone ours
