#!/bin/sh
# aws_schema.sh - what nodes on AWS are told is what cloud-init itself calls a valid configuration, whatever they are to be
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

# schema FILE: cloud-init's own check, of this machine's or of the one in the machines' root file system
if command -v cloud-init >/dev/null; then
    schema() { cloud-init schema --config-file "$1"; }
else
    [ "$(id -u)" -eq 0 ] || skip "cloud-init is not installed, and not root, who could use another one"
    machine_root
    # Nothing is written into that root: the file lies in a mount that nobody else sees.
    schema() {
        # shellcheck disable=SC2016 # for the inner shell
        unshare -m sh -c 'mount -t tmpfs memories "$1/mnt" && cp "$2" "$1/mnt/config" &&
            chroot "$1" cloud-init schema --config-file /mnt/config' sh "$MEMORIES_MACHINE_ROOT" "$1"
    }
fi
start_aws

# The check that always agrees is none.
printf '#cloud-config\n{"hostname": "x", "runcmd": 5}\n' >"$test_dir/wrong"
expect 1 schema "$test_dir/wrong"
contains "$out$err" "runcmd: 5 is not of type 'array'"

# Launches are refused once they have been asked for: nobody has to wait for nodes.
aws_steer faults '[{"action": "RunInstances", "kind": "refuse", "count": 0}]'
# check FILE COUNT KEY…: so many different configurations, which say these and no other things; the check overlooks unknown ones
check() {
    file=$1 count=$2
    shift 2
    aws_forget
    expect 1 memories deploy --name tried "$file"
    contains "$err" "You are not authorized to perform this operation."
    equal "$(aws_ask 'sorted({key for one in launches for key in user_data(one)})')" "$(python3 -c 'import sys; print(sorted(sys.argv[1:]))' \
        hostname manage_etc_hosts bootcmd write_files runcmd "$@")"
    equal "$(aws_ask "[open('$test_dir/%d.config' % number, 'w').write(text) and number for number, text in
        enumerate(sorted({user_data_text(one) for one in launches}))]" | tr -dc '[:digit:] ' | wc -w)" "$count"
    for config in "$test_dir"/*.config; do
        expect 0 schema "$config"
        contains "$out" "Valid cloud-config"
        rm "$config"
    done
    aws_is state "{}" # rolled back
}
check "$srcdir/examples/standalone.yaml" 1
check "$srcdir/examples/custom-hardware.yaml" 1 swap
check "$srcdir/examples/monitoring.yaml" 1
AWS_REGION=eu-central-1 check "$srcdir/tests/golden/aws/private.yaml" 1 swap
check "$srcdir/tests/golden/aws/alerts.yaml" 1
check "$srcdir/tests/golden/aws/consensus.yaml" 3
check "$srcdir/tests/golden/aws/custom-network.yaml" 3

cat >"$test_dir/swarmed.yaml" <<'END_OF_CONFIG'
topology: swarmed
provider: aws
config:
  region: us-west-2
  swarm: {manager_nodes: 3, worker_nodes: 4}
  monitoring: {metrics: [cpu_utilization, memory_usage]}
  logging: {cloudwatch: {enabled: true}}
  hardware: {memory: {swap: 2}, storage: {data_volume: {size: 50}}}
END_OF_CONFIG
# Two of the workers come together.
check "$test_dir/swarmed.yaml" 6 preserve_hostname swap

cat >"$test_dir/workload.yaml" <<'END_OF_CONFIG'
topology: standalone
provider: aws
config:
  region: us-west-2
  workload:
    packages: [{name: curl}]
    files: [{path: "%c/a file", content: "tab\there, \"quotes\", \\, ümlaut\n"}, {path: "%c/large", content: "LARGE"}]
    commands: [[sh, -c, "echo \"it's\""]]
    command: [sh, -c, "sleep 1; echo $PATH 100%%"]
    environment: {WORDS: "two words, 5 %% of $HOME"}
END_OF_CONFIG
# So large that it is sent compressed.
large=$(printf 'something %05d;' $(seq 2000))
sed "s/LARGE/$large/" "$test_dir/workload.yaml" >"$test_dir/large.yaml"
check "$test_dir/large.yaml" 1
