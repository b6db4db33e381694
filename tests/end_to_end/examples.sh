#!/bin/sh
# examples.sh - every configuration of examples/ is valid, and deploys on this machine: all at the same time
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"

command -v etcd >/dev/null || skip "etcd is not installed (apt-get install etcd-server)"
command -v python3 >/dev/null || skip "python3 is not here to read JSON"

# A topology that this build does not have is told, and no example's fault.
topologies=$(memories plugins --json | python3 -c 'import json, sys
print(*(p["name"] for p in json.load(sys.stdin) if p["kind"] == "topology"))')
examples=
for file in "$srcdir"/examples/*.yaml; do
    topology=$(sed -n 's/^topology: //p' "$file")
    case " $topologies " in
    *" $topology "*)
        expect 0 memories validate "$file" --provider local
        contains "$out" "valid ($topology on local)"
        expect 0 memories plan "$file" --provider local
        contains "$out" "create network (local.network)"
        ;;
    *)
        expect 4 memories validate "$file" --provider local
        contains "$err" "there is no topology \"$topology\""
        ;;
    esac
    # Docker's nodes need more than this test has; swarmed has a test of its own.
    case " $topologies $topology" in
    *" swarmed") ;;
    *" $topology "*) examples="$examples $(basename "$file" .yaml)" ;;
    esac
done
equal "$examples" " consensus custom-hardware custom-network monitoring standalone"

# Deployments that begin in the same second, next to each other.
walk() {
    for name in $examples; do
        memories deploy "$srcdir/examples/$name.yaml" --provider local --set isolation="$1" --name "$name" \
            >"$test_dir/$name.out" 2>"$test_dir/$name.err" || echo $? >"$test_dir/$name.failed" &
    done
    wait
    for name in $examples; do
        [ ! -e "$test_dir/$name.failed" ] || fail "$name: $(cat "$test_dir/$name.err")"
        contains "$(cat "$test_dir/$name.out")" "Status: running"
    done
    expect 0 memories list
    equal "$(printf '%s\n' "$out" | grep -c ' running ')" 5
    addresses=$(for name in $examples; do
        memories show "$name" --json | python3 -c 'import json, sys
print(*(r["outputs"]["address"] for r in json.load(sys.stdin)["resources"] if r.get("node")), sep="\n")'
    done)
    equal "$(printf '%s\n' "$addresses" | sort -u | wc -l)" 9
    for name in $examples; do expect 0 memories delete "$name"; done
}

# What this machine can't give, or this isolation doesn't, is said with the place of its key, and no more.
notes() { grep -o 'note: [^:]*' "$test_dir/$1.err" | sed 's/note: config\.//' | LC_ALL=C sort | paste -sd' '; }

walk process
hardware="hardware.gpu hardware.memory.ram hardware.memory.swap hardware.storage instance_type region"
nproc=$(getconf _NPROCESSORS_ONLN)
if [ "$nproc" -lt 4 ] || [ "$(id -u)" -ne 0 ]; then hardware="hardware.cpu.vcpus $hardware"; fi
[ "$(uname -m)" = x86_64 ] || hardware="hardware.cpu.architecture $hardware"
equal "$(notes custom-hardware)" "$hardware"
equal "$(notes monitoring)" "instance_type logging.cloudwatch logging.retention_days monitoring.alerts region"
machines="node_specs[*].machine_type node_specs[*].zone"
equal "$(notes consensus)" "$machines"
placed="network.project_id network.region network.subnets.private.region network.subnets.public.region"
equal "$(notes custom-network | tr ' ' '\n' | grep -v -e cidr -e rules | paste -sd' ')" "$placed $machines"
equal "$(notes custom-network | tr ' ' '\n' | grep -e cidr -e rules | paste -sd' ')" \
    "network.cidr network.security.rules network.subnets.private.cidr network.subnets.public.cidr"

if can_isolate; then
    walk namespace
    equal "$(notes custom-network)" "$placed $machines"
else
    echo "namespace isolation: not possible here ($why_not)"
fi
