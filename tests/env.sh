# tests/env.sh - run the programs of a build tree as if they were installed, on a state directory of its own
#
# Sourced by the end-to-end tests and benchmarks, and useful by hand:
#
#     cd build && . ../tests/env.sh && memories deploy ../examples/consensus.yaml
#
# builddir and srcdir may be set before; they default to this directory and to this file's own tree.
# When the shell ends, what was deployed here is deleted and the state directory removed.

: "${builddir:=.}"
builddir=$(cd "$builddir" && pwd)
if [ -z "${srcdir:-}" ]; then
    srcdir=$(dirname "${BASH_SOURCE:-$builddir/../tests/env.sh}")/..
fi
srcdir=$(cd "$srcdir" && pwd)

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# For what takes long, and whose own code others run with sanitizers as well.
plain_build_only() {
    if grep -qs __asan_init "$builddir/core/.libs/libmemories-core.so"; then skip "the build without sanitizers runs it"; fi
}

# expect EXIT_CODE COMMAND…: runs it with its output in $out and $err, and fails the test unless it exits so.
expect() {
    expected=$1
    shift
    code=0
    "$@" >"$test_dir/out" 2>"$test_dir/err" </dev/null || code=$?
    out=$(cat "$test_dir/out")
    err=$(cat "$test_dir/err")
    [ "$code" = "$expected" ] || fail "$* exited with $code, not $expected
--- standard output
$out
--- standard error
$err"
}

# contains TEXT PART: fails the test unless PART stands somewhere in TEXT.
contains() {
    case $1 in
    *"$2"*) ;;
    *) fail "not found: $2
--- in
$1" ;;
    esac
}

# equal ACTUAL EXPECTED
equal() {
    [ "$1" = "$2" ] || fail "expected:
$2
--- found:
$1"
}

# wait_until SECONDS COMMAND…: runs it again and again until it succeeds; fails the test when the time is over. The time is
# that of an idle machine, and there to end what hangs: a busy one has five times as much.
wait_until() {
    deadline=$(($(date +%s) + $1 * ${CK_TIMEOUT_MULTIPLIER:-5}))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$deadline" ] || fail "still not true: $*"
        sleep 0.05
    done
}

# machine_root - finds what memories-machine-root has made, for tests that boot machines; skips where there is nothing, or an old one
machine_root() {
    maker=$srcdir/plugins/providers/local/machine/memories-machine-root
    for directory in "${MEMORIES_MACHINE_ROOT:-}" "$srcdir/build/machine-root" "$srcdir/../machine-root" /var/lib/memories/machine-root; do
        [ "$(cat "$directory/etc/memories-machine-root" 2>/dev/null)" = "$(sed -n 's/^root_version=//p' "$maker")" ] || continue
        MEMORIES_MACHINE_ROOT=$(cd "$directory/.." && pwd)/${directory##*/}
        export MEMORIES_MACHINE_ROOT
        return
    done
    skip "there is no root file system for machines, or an old one: as root, $maker ${MEMORIES_MACHINE_ROOT:-$srcdir/build/machine-root}"
}

# Several tests may do this at the same moment: a link is made once and then left alone.
link_program() {
    [ "$(readlink "$2")" = "$1" ] && return
    ln -s "$1" "$2.$$" && mv -fT "$2.$$" "$2"
}

libexec=$builddir/tests/libexec
mkdir -p "$libexec"
link_program "$builddir/plugins/providers/local/node/memories-node" "$libexec/memories-node"
link_program "$builddir/core/memories-plugin-host" "$libexec/memories-plugin-host"
link_program "$builddir/plugins/providers/local/rootless/memories-rootless" "$libexec/memories-rootless"
link_program "$builddir/server/memories-server" "$libexec/memories-server"
link_program "$srcdir/plugins/providers/local/machine/memories-machine-root" "$libexec/memories-machine-root"

# Every directory that holds a plugin that `make` or `make check` has built, our own before those of the tests.
plugin_directories() {
    find "$builddir/plugins" "$builddir/tests/plugins" -path '*/.libs/*' \
        \( -name 'provider-*.so' -o -name 'topology-*.so' \) -printf '%h\n' 2>/dev/null | LC_ALL=C sort -u
}

MEMORIES_PLUGIN_PATH=$(plugin_directories | paste -sd: -)
MEMORIES_LIBEXEC_DIR=$libexec
MEMORIES_IMAGE_DIR=$builddir/server/image
test_dir=$(mktemp -d "${TMPDIR:-/tmp}/memories.XXXXXX")
MEMORIES_STATE_DIR=$test_dir/state
PATH=$builddir/cli:$builddir/sdk:$PATH
export MEMORIES_PLUGIN_PATH MEMORIES_LIBEXEC_DIR MEMORIES_IMAGE_DIR MEMORIES_STATE_DIR PATH
unset NO_COLOR XDG_STATE_HOME

# Deletes every deployment of the state directory and says so when one cannot be deleted.
end_test() {
    code=$?
    trap - EXIT
    if [ -e "$MEMORIES_STATE_DIR/memories.db" ]; then
        for id in $(memories __complete delete '' | cut -f 1); do
            memories --quiet delete "$id" >/dev/null || { echo "left behind: $id in $MEMORIES_STATE_DIR" >&2; exit 1; }
        done
    fi
    rm -rf "$test_dir"
    exit $code
}
trap end_test EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
