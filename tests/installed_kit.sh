#!/bin/sh
# installed_kit.sh - the author's kit of the installed package, from outside: both templates with gcc and with clang, with
# make alone and with autoconf, the provider as C++; consensus on the template's provider, the template's pair on local
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MEMORIES_PLUGIN_PATH MEMORIES_LIBEXEC_DIR MEMORIES_IMAGE_DIR MEMORIES_TEMPLATE_DIR MEMORIES_PLUGIN_TOOL
export MEMORIES_STATE_DIR="$work/state" PKG_CONFIG_PATH="$pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export ACLOCAL_PATH="$aclocaldir${ACLOCAL_PATH:+:$ACLOCAL_PATH}" PATH="$bindir:$PATH"
fail() { echo "FAILED: $*" >&2; exit 1; }
quietly() { "$@" >"$work/log" 2>&1 || fail "$*: $(cat "$work/log")"; }
cd "$work"

memories-plugin new provider cloudlet >/dev/null
memories-plugin new topology duo >/dev/null
plugindir=$(pkg-config --variable=plugindir memories-core)

# plain PROJECT COMPILER FLAGS
plain() {
    build=$1-plain-$2
    mkdir -m 700 "$build"
    quietly make -C "$build" -f "../$1/plain.mk" CC="$2" CFLAGS="$3 -O2 -g -Wall -Wextra -Werror" check
    for test in check plan; do grep -q "^PASS: .*/$test.sh" "$work/log" || fail "$build: $test.sh did not pass: $(cat "$work/log")"; done
    echo "$build"
}

# autotools PROJECT COMPILER
autotools() {
    build=$1-autotools-$2
    mkdir -m 700 "$build"
    (
        cd "$build"
        quietly "../$1/configure" CC="$2" --with-plugindir="$work/$build/installed"
        quietly make
        quietly make check
        for test in check plan; do grep -q "^PASS: tests/$test.sh" "$work/log" || fail "$build: $test.sh did not pass"; done
        quietly make install
        [ "$(ls installed)" = "$1.so" ] || fail "$build installed: $(ls installed)"
    ) || exit 1
    echo "$build"
}

for project in provider-cloudlet topology-duo; do quietly autoreconf -i "$project"; done
for compiler in gcc clang; do
    command -v $compiler >/dev/null || { echo "skipped: $compiler (apt-get install $compiler)"; continue; }
    for project in provider-cloudlet topology-duo; do
        plain $project $compiler -std=gnu11
        autotools $project $compiler
    done
done
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || { echo "skipped: $compiler"; continue; }
    plain provider-cloudlet $compiler "-x c++ -std=gnu++20 -Wno-missing-field-initializers"
done

# Consensus on machines in memory. A path without memories' own plugins is told with them.
cloudlet=$(dirname "$(find "$work" -name provider-cloudlet.so -path '*plain*' | head -n 1)")
MEMORIES_PLUGIN_PATH=$cloudlet memories plan "$srcdir/examples/consensus.yaml" --provider cloudlet 2>"$work/out" || true
grep -q "it is in $plugindir, .*: export MEMORIES_PLUGIN_PATH=$cloudlet:$plugindir\$" "$work/out" || fail "$(cat "$work/out")"
MEMORIES_PLUGIN_PATH=$cloudlet:$plugindir
export MEMORIES_PLUGIN_PATH
libdir=$(pkg-config --variable=libdir memories-core)
# shellcheck disable=SC2046 # words on purpose
${CC:-cc} -std=gnu17 -Wall -Wextra -Werror "$srcdir/tests/kit/life.c" $(pkg-config --cflags --libs memories-core) \
    -Wl,-rpath,"$libdir" -o "$work/life"
"$work/life" "$srcdir/examples/consensus.yaml" cloudlet 3 || fail "consensus on cloudlet"

# The pair on this machine.
MEMORIES_PLUGIN_PATH=$(dirname "$(find "$work" -name topology-duo.so -path '*plain*' | head -n 1)"):$plugindir
memories deploy topology-duo/example.yaml --name pair || fail "duo on local"
memories status pair | tee "$work/out"
grep -q '^Status: running' "$work/out" || fail "the pair does not run"
[ "$(grep -c ' yes ' "$work/out")" = 2 ] || fail "not both are healthy"
memories delete pair
[ -z "$(memories list --json | tr -d '[]\n ')" ] || fail "a deployment is left"
