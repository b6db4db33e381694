#!/bin/sh
# quickstart.sh - installs what is missing, builds memories, and deploys examples/consensus.yaml on this machine
#
# For Debian 12, as root or as a user with sudo. Running it again changes nothing that is already there.
. "$(dirname "$0")/scripts/common.sh"

# shellcheck disable=SC2086 # lists of words on purpose
install_packages $build_packages $run_packages

say "Building in $build"
copy_sources
configure_in "$build/tree" --prefix="$build/install"
run make -s -C "$build/tree" -j "$jobs"
run make -s -C "$build/tree" install >"$build/install.log" 2>&1 || { cat "$build/install.log"; fail "make install failed"; }
memories=$build/install/bin/memories

if "$memories" show quickstart >/dev/null 2>&1; then
    say "The deployment \"quickstart\" is there already"
    run "$memories" start quickstart
else
    say "Deploying examples/consensus.yaml on this machine"
    run "$memories" deploy "$root/examples/consensus.yaml" --provider local --name quickstart
fi
run "$memories" status quickstart

field() { "$memories" status quickstart --json | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }
leader=$(field leader)
id=$(field deployment_id)
cat <<EOF

That is a Raft cluster of three etcd members: planned, created and journalled by libmemories-core.

    PATH=$build/install/bin:\$PATH            to say just \`memories\` from here

Look:       memories list
            memories show quickstart
            memories logs quickstart --lines 5
            memories metrics quickstart --metric cpu_utilization --period 10 --plot
Break it:   pkill -9 -f 'etcd --name $leader .*$id'
            memories status quickstart      # within seconds: another leader, a higher term
Stop it:    memories stop quickstart; memories start quickstart
Delete it:  memories delete quickstart
EOF
