# tests/kit/broken.sh - plugins with one defect each, made from the templates by changing a line; sourced by the tests that
# hold a table of them
#
#     broken CASE WORDS FILE SED…     the defect (sed expressions on FILE) is found by CASE, with these words
# shellcheck shell=sh disable=SC2154 # $srcdir, $builddir, $test_dir come from env.sh
. "$srcdir/tests/env.sh"
plain_build_only

# template KIND - the project that every defect is put into
template() {
    kind=$1
    MEMORIES_TEMPLATE_DIR=$srcdir/sdk/templates
    PKG_CONFIG_PATH=$builddir/core
    export MEMORIES_TEMPLATE_DIR PKG_CONFIG_PATH
    command -v pkg-config >/dev/null || skip "pkg-config is not installed"
    memories-plugin new "$kind" broken --directory "$test_dir/right" >/dev/null
    build "$test_dir/right" || fail "the template does not compile"
    plugin=$test_dir/right/$kind-broken.so
    expect 0 memories-plugin check "$plugin"
    contains "$out" ' 0 failed, 0 skipped'
    found=0
}

build() { make -s -C "$1" -f plain.mk CC="${CC:-cc}" CFLAGS="-O0 -w $extra_cflags" LDFLAGS="$extra_ldflags" >"$test_dir/build" 2>&1; }
extra_cflags='' extra_ldflags=''

broken() {
    case=$1 words=$2 file=$3
    shift 3
    rm -rf "$test_dir/wrong"
    cp -r "$test_dir/right" "$test_dir/wrong"
    rm -f "$test_dir/wrong/"*.o "$test_dir/wrong/"*.so
    for change; do
        cp "$test_dir/wrong/$file" "$test_dir/before"
        sed -i "$change" "$test_dir/wrong/$file"
        cmp -s "$test_dir/before" "$test_dir/wrong/$file" && fail "nothing was changed by: $change"
    done
    build "$test_dir/wrong" || fail "$case, $words: it does not compile: $(cat "$test_dir/build")"
    # What is to be ended is ended soon; all else has time, on a busy machine too.
    case $words in *'within 5 seconds'*) limit=5 ;; *) limit=300 ;; esac
    expect 1 memories-plugin check --timeout $limit "$test_dir/wrong/$kind-broken.so"
    printf '%s\n' "$out" | grep -q "^failed $case: .*$words" || fail "not found by $case: $words
--- by these changes:
$*
--- but this was:
$(printf '%s\n' "$out" | sed -n '/^CASE/,$p' | grep -v ' ok  ')"
    found=$((found + 1))
}
