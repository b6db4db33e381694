#!/bin/sh
# new.sh - memories-plugin new writes projects that build out of tree in both ways, pass their own tests, and work
. "$srcdir/tests/env.sh"
command -v pkg-config >/dev/null || skip "pkg-config is not installed"
MEMORIES_TEMPLATE_DIR=$srcdir/sdk/templates
PKG_CONFIG_PATH=$builddir/core # memories-core-uninstalled.pc
ACLOCAL_PATH=$srcdir/sdk/m4
export MEMORIES_TEMPLATE_DIR PKG_CONFIG_PATH ACLOCAL_PATH
unset MAKEFLAGS MFLAGS MAKEOVERRIDES # these speak of the make that runs this test
cd "$test_dir"

# What can't be made.
expect 2 memories-plugin new cloud box
contains "$err" '"cloud" is neither provider nor topology'
expect 2 memories-plugin new provider Box
contains "$err" "can't be a plugin's name"
expect 2 memories-plugin new provider
contains "$err" 'new needs provider|topology NAME'
mkdir provider-there
expect 1 memories-plugin new provider there
contains "$err" "can't make the directory provider-there: File exists"
contains "$err" '--directory'
expect 1 env MEMORIES_TEMPLATE_DIR="$test_dir/nowhere" memories-plugin new provider box
contains "$err" "can't read the templates"
[ ! -e provider-box ] || fail "a project that could not be made is left"

expect 0 memories-plugin new provider box
contains "$out" "provider-box holds the provider box"
expect 0 memories-plugin new topology duo -d deep
contains "$out" "deep holds the topology duo"
for directory in provider-box deep; do
    if grep -r -e '@[A-Z]*@' "$directory" || find "$directory" -name '*NAME*' -o -name 'dot-*' | grep .; then
        fail "a word was not replaced in $directory"
    fi
    [ -x "$directory/tests/check.sh" ] || fail "tests/check.sh can't be run"
done

# By make alone, with warnings as errors; once as C++.
strict='-O2 -g -Wall -Wextra -Wpedantic -Werror'
for directory in provider-box deep; do
    mkdir -m 700 "$directory.c" "$directory.cc"
    expect 0 make -s -C "$directory.c" -f "../$directory/plain.mk" CC="${CC:-cc}" CFLAGS="-std=gnu11 $strict" check
    contains "$out" "PASS: ../$directory/tests/check.sh"
    contains "$out" "PASS: ../$directory/tests/plan.sh"
    if command -v "${CXX:-c++}" >/dev/null; then
        expect 0 make -s -C "$directory.cc" -f "../$directory/plain.mk" CC="${CXX:-c++}" CFLAGS="-x c++ -std=gnu++20 $strict -Wno-missing-field-initializers" check
        contains "$out" "PASS: ../$directory/tests/check.sh"
    fi
    expect 0 make -s -C "$directory.c" -f "../$directory/plain.mk" install DESTDIR="$test_dir/installed" plugindir=/plugins
done
equal "$(ls installed/plugins)" "provider-box.so
topology-duo.so"

# Both work together, in one process: machines in memory last as long.
cat >box.yaml <<'END'
topology: duo
provider: box
config:
  machine_limit: 2
  network: {cidr: 10.7.0.0/24}
END
chmod 700 installed installed/plugins
MEMORIES_PLUGIN_PATH=$test_dir/installed/plugins:$MEMORIES_PLUGIN_PATH
expect 0 memories deploy box.yaml --name both --json
contains "$out" '"status":"running"'
contains "$out" '"primary_node":"primary"'
expect 0 memories show both # in this process, they are gone
contains "$out" 'lost'
expect 0 memories delete both
expect 0 memories deploy provider-box/example.yaml --name alone # as it was generated
expect 0 memories delete alone
expect 1 memories deploy box.yaml --set machine_limit=1
contains "$err" "2 nodes are wanted and 1 machines allowed"
expect 3 memories deploy box.yaml --set network.cidr=10.7.0.0/29
contains "$err" "the network has no address left for primary"

# By autoconf, automake and libtool.
for tool in autoreconf libtoolize; do
    command -v $tool >/dev/null || skip "the rest: $tool is not installed"
done
autoreconf -i provider-box >autoreconf.log 2>&1 || fail "autoreconf: $(cat autoreconf.log)"
grep -q error autoreconf.log && fail "autoreconf: $(cat autoreconf.log)"
mkdir -m 700 build
cd build
../provider-box/configure -q --with-plugindir="$test_dir/installed/other" CC="${CC:-cc}" >log 2>&1 || fail "configure: $(cat log)"
expect 0 make -s V=0
make -s check >log 2>&1 || fail "make check: $(cat log)"
contains "$(cat log)" "PASS: tests/check.sh"
contains "$(cat log)" "PASS: tests/plan.sh"
expect 0 make -s install
equal "$(ls "$test_dir/installed/other")" "provider-box.so"
expect 0 memories-plugin dump "$test_dir/installed/other/provider-box.so"
contains "$out" "Configuration:"
