#!/bin/sh
# pages.sh - the reference pages tell of every slot and every function of the host as they are in plugin.h; what they show compiles
. "$srcdir/tests/env.sh"
man=$srcdir/docs/man
compiler="${CC:-cc} -std=gnu17 -fno-builtin -Wall -Wextra -Werror -Wno-unused-function -I$srcdir/include -I$builddir/include"

# plain PAGE: without its markup.
plain() { sed -e 's/\\f[A-Z]//g' -e 's/\\-/-/g' -e 's/\\e/\\/g' "$man/$1"; }

# Synopsis and prototypes as they stand there make a plugin that lacks the bodies only.
for kind in provider topology; do
    {
        echo '#include <memories/plugin.h>'
        plain memories-$kind.3 | sed -n '/^\.SH SLOTS/,$p' | sed -n '/^\.EX/,/^\.EE/p' | grep -v '^\.'
        plain memories-$kind.3 | sed -n '1,/^\.EE/p' | sed -n '/^\.EX/,/^\.EE/p' | grep -v '^\.' | sed 's/NAME/example/'
    } >"$test_dir/$kind.c"
    $compiler -c "$test_dir/$kind.c" -o "$test_dir/$kind.o" || fail "memories-$kind(3) does not compile: $(cat "$test_dir/$kind.c")"

    # Each slot, and whether it is required, as the check says it.
    file=$builddir/tests/plugins/.libs/$kind-fake.so
    [ -f "$file" ] || skip "$file is not built"
    memories-plugin check --json --only load "$file" >"$test_dir/check" || true
    told=$(plain memories-$kind.3 | sed -n 's/^\.SS \([a-z]*\) (\([Ro]\).*/\1 \2/p')
    is=$(tr '{' '\n' <"$test_dir/check" | sed -n 's/^"name":"\([a-z]*\)","need":"\([a-z]*\)".*/\1 \2/p' |
        sed 's/ required/ R/; s/ recommended/ o/; s/ optional/ o/')
    equal "$told" "$is"
    for tag in Threads Ownership; do
        [ "$(plain memories-$kind.3 | grep -c "^$tag:\|^Threads and ownership:")" = "$(printf '%s\n' "$is" | wc -l)" ] ||
            fail "memories-$kind(3) does not tell the $tag of each slot"
    done
done

# Each function of the host has its type.
{
    echo '#include <memories/plugin.h>'
    plain memories-host.3 | sed -n 's/^\.B \(.*[ *]\)\([a-z_]*\)(call\(.*)\)$/static \1 told_\2(struct memories_call *call\3;\
_Static_assert(__builtin_types_compatible_p(__typeof__(\&told_\2), __typeof__(((struct memories_host *)0)->\2)), "\2");/p'
} >"$test_dir/host.c"
$compiler -c "$test_dir/host.c" -o "$test_dir/host.o" || fail "memories-host(3) is not as plugin.h: $(cat "$test_dir/host.c")"
equal "$(sed -n 's/^_Static_assert.*"\([a-z_]*\)");$/\1/p' "$test_dir/host.c" | sort)" \
    "$(sed -n '/^struct memories_host {/,/^};/s/.*(\*\([a-z_]*\))(struct memories_call.*/\1/p' "$srcdir/include/memories/plugin.h" | sort)"
