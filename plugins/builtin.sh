#!/bin/sh
# builtin.sh - OUTPUT COMMON_ARCHIVE PLUGIN.la…: one object out of plugins, for --enable-static-plugins
#
# Plugins were written to be modules of their own: two may use one name for different functions, and all hold a copy of
# what they share. So each becomes an object that keeps only its entry point visible, as its module does. The list of the
# entry points is what the loader looks for.
set -eu

output=$1
common=$2
shift 2
work=$output.parts
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

entries=
echo '#include "core/loader/open.h"' > "$work/list.c"
for plugin; do
    module=$(basename "$plugin" .la)
    kind=${module%%-*}
    name=${module#*-}
    entry=${kind}_${name}_LTX_memories_plugin_query
    $LD -r -o "$work/$module.o" --whole-archive "$(dirname "$plugin")/.libs/lib$name.a" --no-whole-archive "$common"
    $OBJCOPY --keep-global-symbol="$entry" "$work/$module.o"
    echo "extern memories_plugin_query_fn $entry;" >> "$work/list.c"
    entries="$entries    { MEMORIES_KIND_$kind, \"$name\", $entry },
"
done
printf 'const struct builtin_plugin builtin_plugins[] = {\n%s    { 0, NULL, NULL },\n};\n' "$entries" >> "$work/list.c"

$CC $CFLAGS -c -o "$work/list.o" "$work/list.c"
$LD -r -o "$output" "$work"/*.o
