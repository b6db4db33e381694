#!/bin/sh
# headers.sh - each installed header compiles alone, twice, as C and as C++, with the strictest warnings
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-Wall -Wextra -Wpedantic -Wshadow -Werror -I$srcdir/include -I$builddir/include"

for header in "$srcdir"/include/memories/*.h "$builddir"/include/memories/*.h; do
    name=memories/$(basename "$header")
    printf '#include <%s>\n#include <%s>\nint memories_test_nothing;\n' "$name" "$name" > "$work/alone.c"
    cp "$work/alone.c" "$work/alone.cc"
    # shellcheck disable=SC2086 # words on purpose
    ${CC:-cc} -std=c17 -Wstrict-prototypes $flags -c -o "$work/alone.o" "$work/alone.c"
    # shellcheck disable=SC2086
    ${CXX:-c++} -std=c++17 -Wold-style-cast $flags -c -o "$work/alone.o" "$work/alone.cc"
    echo "$name"
done
