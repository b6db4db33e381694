#!/bin/sh
# aws_plan.sh - what a configuration becomes on AWS: golden files; and what can't be is said before anything is made
#
# UPDATE_GOLDEN=1 writes tests/golden/aws/NAME.resources.json anew.
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws

# ---- Golden files ----

for config in "$srcdir"/examples/standalone.yaml "$srcdir"/examples/custom-hardware.yaml "$srcdir"/examples/monitoring.yaml \
    "$srcdir"/tests/golden/aws/*.yaml; do
    name=$(basename "$config" .yaml)
    golden=$srcdir/tests/golden/aws/$name.resources.json
    expect 0 memories plan --resources "$config"
    made=$(printf '%s\n' "$out" | sed -E 's/(standalone|consensus)-aws-[0-9]{8}-[0-9]{6}/ID/g')
    if [ -n "${UPDATE_GOLDEN:-}" ]; then
        printf '%s\n' "$made" >"$golden"
    elif [ "$made" != "$(cat "$golden")" ]; then
        printf '%s\n' "$made" | diff -u "$golden" - | head -n 60
        fail "$golden differs (UPDATE_GOLDEN=1 writes it anew)"
    fi
done

# ---- Choices that are told ----

notes() { # notes CONFIG: of a plan for the standalone topology
    expect 0 memories plan --topology standalone --provider aws --json "$1"
    printf '%s' "$out" | python3 -c 'import json, sys; [print(n["where"], n["text"], sep=": ") for n in json.load(sys.stdin)["notes"]]'
}
config() { cat >"$test_dir/config.yaml"; }

config <<'END'
{region: us-west-2, hardware: {cpu: {vcpus: 4}, memory: {ram: 16}}}
END
contains "$(notes "$test_dir/config.yaml")" "node node1: m7i.xlarge is taken: the smallest type of the current generation"
config <<'END'
{region: us-west-2, hardware: {cpu: {vcpus: 2, architecture: arm64}, memory: {ram: 8}}}
END
contains "$(notes "$test_dir/config.yaml")" "m7g.large is taken"
config <<'END'
{region: us-west-2, hardware: {gpu: {type: nvidia_tesla_t4, count: 1, memory: 16}}}
END
contains "$(notes "$test_dir/config.yaml")" "g4dn.xlarge is taken"
config <<'END'
{region: us-west-2, machine_type: n2-standard-2, storage: {type: pd-ssd}}
END
contains "$(notes "$test_dir/config.yaml")" "machine_type n2-standard-2 is recorded, not honoured: on AWS say instance_type"
contains "$(notes "$test_dir/config.yaml")" "the disk type pd-ssd is recorded, not honoured: on AWS it is gp3"
unset AWS_REGION AWS_DEFAULT_REGION
config <<'END'
{zone: us-west-2b}
END
contains "$(memories plan --topology standalone --provider aws --resources "$test_dir/config.yaml")" '"region": "us-west-2"'

# ---- What can't be ----

# refused EXIT_CODE MESSAGE: the configuration on standard input
refused() {
    config
    expect "$1" memories plan --topology standalone --provider aws "$test_dir/config.yaml"
    contains "$err" "$2"
}
refused 3 "no region is given" <<'END'
{}
END
AWS_REGION=us-west-2
export AWS_REGION

# What is too much for user data, compressed as it is; less than that is not.
told() { python3 -c 'import hashlib, json, sys; print(json.dumps({"workload": {"command": ["echo", "".join(
    hashlib.sha256(b"%d" % number).hexdigest() for number in range(int(sys.argv[1])))]}}))' "$1"; }
told 600 >"$test_dir/much.json"
aws_forget
for command in plan deploy; do
    expect 3 memories $command --topology standalone --provider aws "$test_dir/much.json"
    contains "$err" "node/node1: what the node is to do at its first boot takes"
    contains "$err" "bytes compressed, and AWS takes 16384; large are: service workload (38"
    contains "$err" "shorten it, or let a command of the bootstrap fetch it"
done
aws_is '[call for call in calls if not call.startswith(("Describe", "Get"))]' "[]"
told 400 >"$test_dir/less.json"
expect 0 memories plan --topology standalone --provider aws "$test_dir/less.json"

refused 3 "t3.medium is not offered in us-east-1a, but in us-west-2a" <<'END'
{zone: us-east-1a, region: us-west-2}
END
refused 3 "The following supplied instance types do not exist: [t9.huge]" <<'END'
{instance_type: t9.huge}
END
refused 3 "m7i.large is not what the hardware asks for: it has 2 virtual processors, fewer than 4" <<'END'
{instance_type: m7i.large, hardware: {cpu: {vcpus: 4}}}
END
refused 3 "it has 8192 MiB of memory, less than 16 GB" <<'END'
{instance_type: m7i.large, hardware: {memory: {ram: 16}}}
END
refused 3 "it is x86_64, not arm64" <<'END'
{instance_type: m7i.large, hardware: {cpu: {architecture: arm64}}}
END
refused 3 "it has no nvidia_tesla_v100 GPU" <<'END'
{instance_type: g4dn.xlarge, hardware: {gpu: {type: nvidia_tesla_v100}}}
END
refused 3 "its GPUs have 16384 MiB of memory, less than 32 GB" <<'END'
{instance_type: g4dn.xlarge, hardware: {gpu: {memory: 32}}}
END
refused 3 "g4dn.xlarge is not offered in us-west-2d, but in us-west-2a, us-west-2b, us-west-2c" <<'END'
{instance_type: g4dn.xlarge, zone: us-west-2d}
END
refused 3 "z9.large is not offered in us-west-2" <<'END'
{instance_type: z9.large}
END
refused 3 "no type of the current generation in us-west-2 has the hardware" <<'END'
{hardware: {cpu: {vcpus: 2}, memory: {ram: 5000}}}
END
refused 3 "the image ami-0a64000000000002 is not for x86_64" <<'END'
{image: ami-0a64000000000002}
END
refused 4 "The image ID 'ami-00000000000000bad' does not exist" <<'END'
{image: ami-00000000000000bad}
END
refused 3 "AWS makes no VPC of /8" <<'END'
{network: {cidr: 10.0.0.0/8}}
END
refused 3 "192.168.1.0/24 is not within the network's block" <<'END'
{network: {subnets: {public: {cidr: 10.1.0.0/24}, private: {cidr: 192.168.1.0/24}}}}
END
refused 3 "a disk of type gp2 takes no iops" <<'END'
{storage: {type: gp2, iops: 4000}}
END
refused 3 "a machine can't boot from a disk of type st1" <<'END'
{storage: {type: st1}}
END
refused 3 "a disk of type gp3 has a throughput of 125 to 2000, not 9000" <<'END'
{hardware: {storage: {data_volume: {size: 10, throughput: 9000}}}}
END
refused 1 "vpc_id alone is not enough" <<'END'
{vpc_id: vpc-0123456789abcdef0}
END
refused 4 "The subnet ID 'subnet-0123456789abcdef0' does not exist" <<'END'
{subnet_ids: [subnet-0123456789abcdef0]}
END

aws_steer settings '{"vcpu_limit": 1}'
refused 1 "the account may run 1 virtual processors of these types in us-west-2 (quota L-1216C47A), 0 run, and the nodes need 2 more" <<'END'
{}
END
contains "$err" "request-service-quota-increase"
aws_steer settings '{"vcpu_limit": 640}'

# Who may not see quotas is told so, and goes on; who may not see anything is told what is missing.
aws_steer faults '[{"action": "GetServiceQuota", "kind": "refuse", "code": "AccessDeniedException", "count": 0}]'
config <<'END'
{}
END
contains "$(notes "$test_dir/config.yaml")" "the quota L-1216C47A could not be looked at (AccessDeniedException)"
aws_steer faults '[{"action": "DescribeInstanceTypes", "kind": "refuse", "count": 0}]'
refused 1 "UnauthorizedOperation: You are not authorized to perform this operation." <<'END'
{}
END

# What may pass is asked again.
aws_steer faults '[{"action": "DescribeInstanceTypes", "kind": "throttle"}, {"action": "GetParameters", "kind": "reset_before"}]'
expect 0 memories plan --topology standalone --provider aws "$test_dir/config.yaml"
aws_steer faults '[]'

equal "$(aws_look state)" '{}'

# ---- Subnets leave room for what comes later, where they can ----

blocks() { printf '%s' "$1" | python3 -c 'import json, sys
print(*(r["inputs"]["cidr"] for r in json.load(sys.stdin) if r["type"] == "aws.subnet"))'; }
for sizes in "10.0.1.0/28 10.0.1.0/28" "10.0.1.0/27 10.0.1.0/28" "10.0.1.0/24 10.0.1.0/27"; do
    config <<END
{network: {subnets: {public: {cidr: ${sizes% *}}}}}
END
    expect 0 memories plan --resources --topology standalone --provider aws "$test_dir/config.yaml"
    equal "$(blocks "$out")" "${sizes#* }"
done
swarm() {
    printf '{topology: swarmed, provider: aws, config: {region: us-west-2, swarm: {manager_nodes: %d, worker_nodes: %d},
        network: {subnets: {public: {cidr: 10.0.1.0/24}}}}}' "$1" "$1" >"$test_dir/swarm.yaml"
}
swarm 1
expect 0 "$builddir/tests/end_to_end/memories-crash" deploy --no-wait --name grows "$test_dir/swarm.yaml"
swarm 3
expect 0 memories plan --resources --deployment grows "$test_dir/swarm.yaml"
equal "$(blocks "$out")" "10.0.1.0/27 10.0.1.32/27 10.0.1.64/27 10.0.1.96/27 10.0.1.128/27 10.0.1.160/27"
expect 0 memories delete grows
