#!/bin/sh
# plugins_doc.sh - the code of docs/plugins.md compiles and does what the text says
. "${srcdir:-.}/tests/env.sh"

# "```c NAME" … "```" -> $work/NAME
work=$test_dir/plugins
mkdir -m 700 "$work"
awk -v work="$work" '/^```[a-z]+ [a-z.-]+$/ { name = work "/" $2; next } /^```$/ { name = "" } name { print > name }' \
    "$srcdir/docs/plugins.md"

for plugin in topology-pair provider-paper; do
    ${CC:-cc} -std=c17 -Wall -Wextra -Werror -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -Wl,-z,defs -Wl,-z,now \
        -I"$srcdir/include" -I"$builddir/include" "$work/$plugin.c" -o "$work/$plugin.so" || fail "$plugin does not compile"
done
MEMORIES_PLUGIN_PATH=$work

expect 0 memories plugins --json
contains "$out" '"name":"pair"'
contains "$out" '"name":"paper"'
case $out in *'"status":"failed"'*) fail "a plugin failed: $out" ;; esac

expect 0 memories deploy "$work/pair.yaml" --name doc --json
contains "$out" '"status":"running"'
expect 0 memories show doc --json
contains "$out" '"state":"ready"'
contains "$out" '"primary_node":"primary"'
expect 0 memories stop doc --json
contains "$out" '"status":"stopped"'
expect 0 memories status doc --json
contains "$out" '"status":"stopped"'
expect 0 memories start doc --json
contains "$out" '"status":"running"'
expect 0 memories delete doc --json
contains "$out" '"status":"deleted"'
equal "$(find "$MEMORIES_STATE_DIR" -path '*paper-*' -print)" ''
