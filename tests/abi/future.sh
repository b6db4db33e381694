#!/bin/sh
# future.sh - plugins built against a later minor of the ABI, on this core: they run when they look before they use what is
# new, are refused when they say that they need it, and memories-plugin check finds those that do neither
. "$srcdir/tests/env.sh"
command -v pkg-config >/dev/null || skip "pkg-config is not installed"
MEMORIES_TEMPLATE_DIR=$srcdir/sdk/templates PKG_CONFIG_PATH=$builddir/core
export MEMORIES_TEMPLATE_DIR PKG_CONFIG_PATH
cd "$test_dir"

# The headers of the next minor: one more service, one more slot of a provider.
minor=$(sed -n 's/^#define MEMORIES_ABI_MINOR \([0-9]*\)u$/\1/p' "$srcdir/include/memories/plugin.h")
next=$((minor + 1))
mkdir -p next/memories
sed -e "s/^#define MEMORIES_ABI_MINOR .*/#define MEMORIES_ABI_MINOR ${next}u/" \
    -e "s/^#define MEMORIES_ABI_MINOR_TEXT .*/#define MEMORIES_ABI_MINOR_TEXT \"$next\"/" \
    -e '/^struct memories_host {/,/^};/s/^};/    int32_t (*more)(struct memories_call *call);\n};/' \
    -e '/^struct memories_provider_ops {/,/^};/s/^};/    int32_t (*more)(struct memories_call *call);\n};/' \
    "$srcdir/include/memories/plugin.h" >next/memories/plugin.h
[ "$(diff "$srcdir/include/memories/plugin.h" next/memories/plugin.h | grep -c '^>')" = 4 ] || fail "the headers were not changed"

# build NAME SED…: the template, with changes, against them
build() {
    name=$1
    shift
    memories-plugin new provider "$name" >/dev/null
    sed -i 's/^    \.logs = logs,/&\n    .more = more,/; s/^static const struct memories_provider_ops ops/static int32_t more(struct memories_call *call) { return host->result(call, "{}"); }\n\n&/' \
        "provider-$name/provider.c"
    for change; do sed -i "$change" "provider-$name/provider.c"; done
    make -s -C "provider-$name" -f plain.mk CC="${CC:-cc} -I$test_dir/next" >log 2>&1 || fail "$name: $(cat log)"
    plugin=$test_dir/provider-$name/provider-$name.so
}

build looks 's/^    \*opened = instance;/    if (MEMORIES_HAS(host, memories_host, more)) host->more(call);\n&/'
expect 0 memories-plugin dump --json "$plugin"
contains "$out" "\"abi\":\"1.$next\",\"needs\":\"1.0\",\"fits\":true"
expect 0 memories-plugin check "$plugin"
contains "$out" ' 0 failed, 0 skipped'

build needs "s/MEMORIES_THREADS_SERIALISED, 0,/MEMORIES_THREADS_SERIALISED, $next,/" \
    's/^    \*opened = instance;/    host->more(call);\n&/'
expect 0 memories-plugin dump --deps "$plugin"
equal "$out" "memories-plugin-abi-1 (>= 1.$next)"
expect 1 memories-plugin check "$plugin"
contains "$out" "failed load: $plugin: it needs plugin ABI 1.$next or later, this memories has 1.$minor"

build trusts 's/^    \*opened = instance;/    host->more(call);\n&/'
expect 1 memories-plugin check "$plugin"
contains "$out" 'failed old-core: open: it read behind the end of the host table of the oldest core that it runs on'
