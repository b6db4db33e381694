#!/bin/sh
# exports.sh - the library shows what memories.h declares and nothing else; a plugin shows its entry point and nothing else
#
# symbols.list is the third witness: a name may be added to it, and never taken away.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
differ() {
    echo "$1:"
    diff "$2" "$3" && return
    failed=1
}

LC_ALL=C
export LC_ALL
exports() {
    ${NM:-nm} -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}

grep -v '^#' "$srcdir/tests/abi/symbols.list" | sort > "$work/list"
# Declarations may be broken over lines.
sed -e 's,/\*.*\*/,,' "$srcdir/include/memories/memories.h" | tr '\n' ' ' | tr ';' '\n' |
    sed -n 's/.*MEMORIES_API [^(]*[ *]\(memories_[a-z0-9_]*\)(.*/\1/p' | sort > "$work/header"
exports "$builddir/core/.libs/libmemories-core.so" > "$work/library"
differ "symbols.list against memories.h" "$work/list" "$work/header"
differ "symbols.list against libmemories-core.so" "$work/list" "$work/library"

for plugin in $(find "$builddir/plugins" "$builddir/tests/plugins" -path '*/.libs/*' \
    \( -name 'provider-*.so' -o -name 'topology-*.so' \)); do
    echo "$(basename "$plugin" .so | tr -c 'a-zA-Z0-9\n' '_')_LTX_memories_plugin_query" > "$work/expected"
    exports "$plugin" > "$work/found"
    differ "$plugin" "$work/expected" "$work/found"
    readelf -d "$plugin" > "$work/dynamic"
    # Requests to AWS are signed by the provider itself.
    case $plugin in */provider-aws.so) own=libcrypto ;; *) own=nothing ;; esac
    if grep NEEDED "$work/dynamic" | grep -v "$own" | grep -E 'libmemories|libcurl|libltdl|libsqlite|libcrypto'; then
        echo "$plugin links what only the core may"
        failed=1
    fi
    grep -q 'FLAGS_1.*NOW.*NODELETE' "$work/dynamic" || { echo "$plugin is not linked with -z now -z nodelete"; failed=1; }
done
exit $failed
