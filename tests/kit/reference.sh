#!/bin/sh
# reference.sh - doxygen finds every type, function and macro of the installed headers described, and nothing to complain of
. "$srcdir/tests/env.sh"
command -v doxygen >/dev/null || skip "doxygen is not installed"
export srcdir builddir output="$test_dir/reference"
mkdir "$output"
expect 0 doxygen "$srcdir/docs/Doxyfile"
equal "$err" ''
for page in memories_8h plugin_8h version_8h structmemories__host structmemories__provider__ops structmemories__topology__ops; do
    [ -f "$output/html/$page.html" ] || fail "there is no page $page"
done

# A comment stands for all that follows it, and one behind a member for that member.
# described FILE DEFINITION WORDS
described() { contains "$(sed -n "/<definition>$2</,/<\/memberdef>/p" "$output/xml/$1.xml")" "$3"; }
described structmemories__host 'int64_t(\* memories_host::monotonic_ms) (struct memories_call \*call)' 'a clock that never jumps'
described structmemories__operation 'const char\* memories_operation::token' 'equal tokens must not make two objects'
described memories_8h 'const char \* memories_error_hint' 'what to do next'

# It finds what is not described.
doxyfile=$srcdir/docs/Doxyfile
mkdir -p "$test_dir/tree/include" "$test_dir/tree/docs" "$test_dir/tree/reference"
cp -r "$srcdir/include/memories" "$test_dir/tree/include"
cp "$srcdir/docs/doxygen.awk" "$test_dir/tree/docs"
sed -i '/1 when the same call is expected to work later/s/.*//' "$test_dir/tree/include/memories/memories.h"
expect 1 env srcdir="$test_dir/tree" output="$test_dir/tree/reference" doxygen "$doxyfile"
contains "$err" 'memories_error_retryable'
contains "$err" 'is not documented'
