#!/bin/sh
# dump.sh - what a file says of itself is told without running its code
. "$srcdir/tests/env.sh"

compile() { # compile OUTPUT MINOR FLAG...: a provider that needs ABI 1.MINOR and whose code leaves a mark when it runs
    output=$1
    needs=$2
    shift 2
    sed "s/NEEDS/$needs/" >"$test_dir/marked.c" <<'END'
#include <memories/plugin.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void run(void)
{
    fclose(fopen(MARK, "w"));
    abort();
}

#ifdef DESCRIBED
MEMORIES_PLUGIN_DESCRIPTION(described, "{\"version\": 1, \"summary\": \"never run\", \"schema\": {\"properties\": {"
                            "\"size\": {\"type\": \"string\", \"enum\": [\"small\", \"large\"], \"description\": "
                            "\"how \\\"big\\\"\"}}}, \"resource_types\": {\"marked.node\": {\"is_node\": true}}}")
const char *const memories_test_described = NULL;
static const char *use(void) { return described; }
const char *(*const memories_test_use)(void) = use;
#endif

static const struct memories_provider_ops ops = { .size = sizeof ops };
MEMORIES_PLUGIN(provider, marked, "2.5", "MIT", NULL, MEMORIES_THREADS_SERIALISED, NEEDS, &ops, sizeof ops)
END
    ${CC:-cc} -shared -fPIC -Wall -Werror -I"$srcdir/include" -I"$builddir/include" "-DMARK=\"$test_dir/ran\"" "$@" \
        "$test_dir/marked.c" -o "$output"
}

compile "$test_dir/provider-marked.so" 0 -DDESCRIBED
expect 0 memories-plugin dump "$test_dir/provider-marked.so"
for line in 'Kind: provider' 'Name: marked' 'Version: 2.5' 'Licence: MIT' 'Summary: never run' 'Built for plugin ABI: 1.' \
    'Needs plugin ABI: 1.0' 'which fits' 'Libraries: libc.so' 'Resource types: marked.node (a node)' \
    '  size (string: small, large): how "big"'; do
    contains "$out" "$line"
done
expect 0 memories-plugin dump --json "$test_dir/provider-marked.so"
contains "$out" '"kind":"provider","name":"marked","version":"2.5","licence":"MIT"'
contains "$out" '"fits":true,"libraries":["libc.so'
expect 0 memories-plugin dump --schema "$test_dir/provider-marked.so"
equal "$out" '{"properties":{"size":{"type":"string","enum":["small","large"],"description":"how \"big\""}}}'
expect 0 memories-plugin dump --deps "$test_dir/provider-marked.so"
equal "$out" 'memories-plugin-abi-1 (>= 1.0)'
expect 0 memories-plugin dump --deps=rpm "$test_dir/provider-marked.so"
equal "$out" 'memories-plugin-abi-1 >= 1.0'
expect 2 memories-plugin dump --deps=tar "$test_dir/provider-marked.so"

# A plugin for a later core; one without a description.
compile "$test_dir/provider-later.so" 99
expect 0 memories-plugin dump "$test_dir/provider-later.so"
contains "$out" 'Needs plugin ABI: 1.99'
contains "$out" 'it needs plugin ABI 1.99 or later, this memories has 1.'
expect 0 memories-plugin dump --deps "$test_dir/provider-later.so"
equal "$out" 'memories-plugin-abi-1 (>= 1.99)'
expect 0 memories-plugin dump --json "$test_dir/provider-later.so"
contains "$out" '"fits":false'
contains "$out" '"description":null'
expect 1 memories-plugin dump --schema "$test_dir/provider-later.so"
contains "$err" 'carries no schema'
contains "$err" 'MEMORIES_PLUGIN_DESCRIPTION'

# A file cut short, of another machine or damaged is still told about, as far as it goes.
[ "$(od -An -tx1 -j4 -N1 "$test_dir/provider-marked.so")" = ' 02' ] || skip "the rest: only for 64 bits"
size=$(wc -c <"$test_dir/provider-marked.so")
head -c $((size - 64)) "$test_dir/provider-marked.so" >"$test_dir/provider-cut.so"
expect 0 memories-plugin dump --json "$test_dir/provider-cut.so"
contains "$out" '"name":"marked"'
contains "$out" '"libraries":null'

# What is no plugin.
expect 1 memories-plugin dump "$srcdir/LICENSE"
contains "$err" "has no plugin metadata"
contains "$err" "MEMORIES_PLUGIN"
expect 1 memories-plugin dump "$test_dir/nothing.so"
contains "$err" "No such file or directory"

[ ! -e "$test_dir/ran" ] || fail "code of a plugin has run"

# Our own carry their descriptions, and say what describe says.
for plugin in $(find "$builddir/plugins" -path '*/.libs/*' \( -name 'provider-*.so' -o -name 'topology-*.so' \)); do
    expect 0 memories-plugin dump --json "$plugin"
    contains "$out" '"description":{"version":1,'
done
