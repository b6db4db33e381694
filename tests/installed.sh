#!/bin/sh
# installed.sh - the installed package works from outside: headers, pkg-config, library, plugins, helpers, program
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MEMORIES_PLUGIN_PATH MEMORIES_LIBEXEC_DIR MEMORIES_IMAGE_DIR
export MEMORIES_STATE_DIR="$work/state" PKG_CONFIG_PATH="$pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
fail() { echo "FAILED: $*" >&2; exit 1; }

for variable in plugindir abi_major abi_minor; do
    value=$(pkg-config --variable=$variable memories-core)
    [ -n "$value" ] || fail "memories-core.pc has no $variable"
done
plugindir=$(pkg-config --variable=plugindir memories-core)
for plugin in provider-local topology-standalone topology-consensus topology-swarmed; do
    [ -f "$plugindir/$plugin.so" ] || fail "$plugindir/$plugin.so is not installed"
done
[ -x "$pkglibexecdir/memories-plugin-host" ] || fail "$pkglibexecdir/memories-plugin-host is not installed"
[ -f "$imagedir/memories-server.tar" ] || fail "$imagedir/memories-server.tar is not installed"
if find "$plugindir" -name '*.la' | grep -q .; then fail ".la files are installed"; fi

libdir=$(pkg-config --variable=libdir memories-core)
# shellcheck disable=SC2046 # words on purpose
${CC:-cc} -std=c17 -Wall -Wextra -Werror "$srcdir/examples/deploy.c" $(pkg-config --cflags --libs memories-core) \
    -Wl,-rpath,"$libdir" -o "$work/deploy"
"$bindir/memories" version >/dev/null

if ! command -v etcd >/dev/null; then
    echo "skipped: deploying (etcd is not installed: apt-get install etcd-server)"
    exit 0
fi
"$work/deploy" "$srcdir/examples/consensus.yaml" local >"$work/out" || fail "deploy.c: $(cat "$work/out")"
cat "$work/out"
for words in 'Deployment ID: consensus-local-' 'Leader Node: node' 'Follower Nodes: node' 'Status: running' 'Term: ' \
    'Committed Index: ' 'Applied Index: ' ': deleted'; do
    grep -q "$words" "$work/out" || fail "not printed: $words"
done
[ -z "$("$bindir/memories" list --json | tr -d '[]\n ')" ] || fail "a deployment is left"
