#!/bin/sh
# layout.sh - fields and numbers of the public structs are where they were released, for 64 bits and for 32
set -eu
check() {
    # Freestanding: the headers need nothing of a C library, and the one for the other word size is rarely installed.
    ${CC:-cc} "$@" -std=c17 -Wall -Wextra -Werror -ffreestanding -fsyntax-only \
        -I"$srcdir/include" -I"$builddir/include" "$srcdir/tests/abi/layout.c"
}

check
if echo 'int nothing;' | ${CC:-cc} -m32 -ffreestanding -fsyntax-only -x c - 2>/dev/null; then
    check -m32
else
    echo "skipped: the layout for 32 bits (this compiler knows no -m32)"
fi
