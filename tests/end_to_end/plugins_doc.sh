#!/bin/sh
# plugins_doc.sh - docs/plugins.md does what it says: its files are written, its commands typed, their output compared
#
#     ```LANGUAGE FILE     a file; a later block of the same name goes on with it
#     ```console           after "$ " a command (after "> " more of it), then what it prints, where … is anything
#     ```console fails     the same; the last command fails
. "${srcdir:-.}/tests/env.sh"
for tool in make pkg-config; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
[ -x "$builddir/server/memories-server" ] || skip "the build has no memories-server"
unset MAKEFLAGS MFLAGS MAKEOVERRIDES # these speak of the make that runs this test

# As if it were installed: one directory with every plugin, and pkg-config knows it.
plugins=$test_dir/plugins
mkdir -m 700 "$plugins" "$test_dir/pkgconfig" "$test_dir/work"
for directory in $(plugin_directories); do
    case $directory in "$builddir"/plugins/*) cp "$directory"/*-*.so "$plugins" ;; esac
done
sed "s|^plugindir=.*|plugindir=$plugins|" "$builddir/core/memories-core-uninstalled.pc" >"$test_dir/pkgconfig/memories-core.pc"
export PKG_CONFIG_PATH="$test_dir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" MEMORIES_TEMPLATE_DIR="$srcdir/sdk/templates"
pkg-config --exists json-c || skip "pkg-config does not find json-c"

# The guide as shell: "file NAME <<…" and "shown LINE works|fails COMMAND EXPECTED".
awk '
function quoted(text) { gsub(/\x27/, "\x27\\\x27\x27", text); return "\x27" text "\x27" }
function flush() { if (command != "") print "shown " at " works " quoted(command) " " quoted(expected); command = expected = "" }
/^```console/ { console = 1; fails = /fails$/; next }
/^```$/ && console {
    if (fails) { print "shown " at " fails " quoted(command) " " quoted(expected); command = expected = "" } else flush()
    console = 0
    next
}
/^```$/ && name { print "END_OF_BLOCK"; name = ""; next }
/^```[a-z]+ [a-z.-]+$/ {
    name = $2
    print "cat >>\"$test_dir/work/" name "\" <<\x27END_OF_BLOCK\x27"
    if (written[name]++)
        print ""
    next
}
console && /^\$ / { flush(); command = substr($0, 3); at = NR; next }
console && /^> / && expected == "" { command = command "\n" substr($0, 3); next }
console { expected = expected $0 "\n"; next }
name { print }
' "$srcdir/docs/plugins.md" >"$test_dir/script"
[ "$(grep -c '^shown ' "$test_dir/script")" -ge 30 ] || fail "few commands were found in docs/plugins.md"

# shown LINE works|fails COMMAND EXPECTED: in this shell, as a person's "cd" and "export" last.
shown() {
    code=0
    eval "$3" >"$test_dir/out" 2>&1 </dev/null || code=$?
    out=$(cat "$test_dir/out")
    case $2-$code in
    works-0 | fails-[!0]*) ;;
    *) fail "docs/plugins.md:$1: $3: exits with $code
$out" ;;
    esac
    pattern=$(printf '%s' "$4" | sed 's/[][\\*?]/\\&/g; s/…/*/g')
    # shellcheck disable=SC2254 # a pattern on purpose
    case $out in
    $pattern) ;;
    *) fail "docs/plugins.md:$1: $3
--- the guide says
$4
--- it is
$out" ;;
    esac
}

cd "$test_dir/work"
. "$test_dir/script"
equal "$(memories list --json)" '[]'
[ ! -e "$MEMORIES_STATE_DIR/paper" ] || equal "$(ls "$MEMORIES_STATE_DIR/paper")" ''

# Whatever call fails, and however: two machines, then none.
for fault in create:1:transient create:1:capacity create:1:transient:after read:1:throttled destroy:1:transient; do
    expect 0 memories deploy pair.yaml --provider paper --name doc --json --fault "paper:$fault"
    contains "$out" '"status":"running"'
    equal "$(find "$MEMORIES_STATE_DIR/paper" -type f | wc -l)" 2
    expect 0 memories delete doc --json --fault "paper:$fault"
    equal "$(find "$MEMORIES_STATE_DIR/paper" -type f | wc -l)" 0
done
