#!/bin/sh
# abidiff.sh - the ABI of today's headers against that of each release: libabigail finds nothing but what was appended
#
# What was recorded of a release are its headers (tests/abi/1.0/memories). A witness is made of either: a library that has
# every function of memories.h and takes every struct. Today's structs are cut behind the last member that they had then:
# what was appended may be there, and all else must be the same.
set -eu
command -v abidiff >/dev/null || { echo "skipped: abidiff is not installed (apt-get install abigail-tools)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# witness OUTPUT DIRECTORY…: from headers in the first DIRECTORY/memories; the others are for what it includes
witness() {
    output=$1
    shift
    flags=
    for directory; do flags="$flags -I$directory"; done
    header=$1/memories
    {
        echo '#include <memories/memories.h>'
        sed -e 's,/\*.*\*/,,' -e '/\/\*/,/\*\//d' "$header/memories.h" | tr '\n' ' ' | sed 's/MEMORIES_API/\n&/g' |
            sed -n 's/^MEMORIES_API \([^;{]*)\);.*/\1 { __builtin_trap(); }/p'
        sed -n 's/^struct \(memories_[a-z_]*\) {.*/void witness_\1(const struct \1 *it); void witness_\1(const struct \1 *it) { (void)it; }/p' \
            "$header/plugin.h" "$header/memories.h"
    } >"$work/witness.c"
    # shellcheck disable=SC2086 # words on purpose
    ${CC:-cc} -std=c17 -g -O0 -shared -fPIC $flags "$work/witness.c" -o "$output"
}

# The code of a line, without comments.
code='function code(line) {
    if (inside) { if (!sub(/^.*\*\//, "", line)) return ""; inside = 0 }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    if (sub(/\/\*.*$/, "", line)) inside = 1
    gsub(/^[ \t]+|[ \t]+$/, "", line)
    return line
}'

# cut THEN NOW OUTPUT - headers
cut_appended() {
    awk "$code"'
    FNR == 1 { inside = 0; name = "" }
    { text = code($0) }
    /^struct memories_[a-z_]* {/ { name = $2; text = "" }
    NR == FNR && name != "" {
        if (text ~ /^};/) { times[name] = count[name, last[name]]; name = "" }
        else if (text != "") { last[name] = text; count[name, text]++ }
        next
    }
    NR == FNR { next }
    name != "" && text ~ /^};/ { name = "" }
    name != "" && $1 != "struct" && text == "" { next }
    name != "" && name in times && seen[name] == times[name] { next }
    name != "" && text != "" {
        if (text == last[name]) seen[name]++
        print text
        next
    }
    { print }' "$1" "$2" >"$3"
}

# compare RELEASE HEADERS - today's headers, or a changed copy of them, against a release
compare() {
    rm -rf "$work/cut"
    mkdir -p "$work/cut/memories"
    for name in plugin.h memories.h; do cut_appended "$1/memories/$name" "$2/memories/$name" "$work/cut/memories/$name"; done
    witness "$work/then.so" "$1" "$builddir/include" || exit
    witness "$work/now.so" "$work/cut" "$builddir/include" || exit
    abidiff --no-added-syms "$work/then.so" "$work/now.so"
}

for release in "$srcdir"/tests/abi/[0-9]*; do
    compare "$release" "$srcdir/include" || fail "today's headers break what $(basename "$release") released"
    count=$(${NM:-nm} -D --defined-only "$work/then.so" | grep -c ' T ')
    [ "$count" -gt 90 ] || fail "the witness of $release has only $count functions"
done

# changed NAME HEADER SED: a change that must be found, or with "appended" must not
changed() {
    rm -rf "$work/changed"
    mkdir "$work/changed"
    cp -r "$srcdir/include/memories" "$work/changed"
    sed -i "$3" "$work/changed/memories/$2"
    if cmp -s "$srcdir/include/memories/$2" "$work/changed/memories/$2"; then fail "$1: nothing was changed"; fi
    found=0
    compare "$srcdir/include" "$work/changed" >"$work/report" || found=1
    case $1 in
    appended*) [ "$found" = 0 ] || fail "$1: $(cat "$work/report")" ;;
    *) [ "$found" = 1 ] || fail "not found: $1" ;;
    esac
}
changed "a function is gone" memories.h '/memories_free(void \*pointer)/d'
changed "a parameter has another type" memories.h 's/memories_error_free(memories_error \*error)/memories_error_free(long error)/'
changed "a member is inserted" plugin.h '/^struct memories_operation {/,/^};/s/^    const char \*key;/    const char *before;\n&/'
changed "a member has another type" plugin.h '/^struct memories_operation {/,/^};/s/uint32_t attempt;/uint64_t attempt;/'
changed "the last member has another type" plugin.h '/^struct memories_operation {/,/^};/s/const char \*outputs;/const int *outputs;/'
changed "a slot takes something else" plugin.h 's/int32_t (\*describe)(struct memories_call \*call);/int32_t (*describe)(struct memories_call *call, int more);/'
changed "a slot is gone" plugin.h '/int32_t (\*discover)/d'
changed "appended: a function" memories.h 's/^MEMORIES_API void memories_free/MEMORIES_API int memories_more(void);\n&/'
changed "appended: a slot" plugin.h '/^struct memories_topology_ops {/,/^};/s/^};/    int32_t (*more)(struct memories_call *call);\n};/'
changed "appended: two members behind a comment" plugin.h '/^struct memories_operation {/,/^};/s,^};,    /* since\n     * later */\n    uint32_t more; /* units\n                    */\n    uint32_t most;\n};,'
changed "appended: a service" plugin.h '/^struct memories_host {/,/^};/s/^};/    void (*more)(struct memories_call *call);\n};/'
