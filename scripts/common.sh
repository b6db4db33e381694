# shellcheck shell=sh disable=SC2034 # variables are used by the scripts that source this
# common.sh - what quickstart.sh and run-tests.sh share; sourced, not run
#
# Everything that is built goes to $build (default: build/ beside this checkout); sources are copied there first, so that
# the generated configure script and its helpers stay out of the checkout too.
set -eu
umask 022
root=$(cd "$(dirname "$0")" && pwd)
build=${MEMORIES_BUILD_DIR:-$root/build}
jobs=$(nproc 2>/dev/null || echo 1)

say() { printf '\n\033[1m==> %s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
run() { printf '    $ %s\n' "$*"; "$@"; }
fail() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

# Root runs no plugins below a directory that another user can rename.
if [ "$(id -u)" -eq 0 ] && [ "$(stat -c %u "$root")" -ne 0 ] && [ -z "${MEMORIES_BUILD_DIR:-}" ]; then
    fail "$root belongs to $(stat -c %U "$root"): run this as that user (it calls sudo where it has to)," \
        "or set MEMORIES_BUILD_DIR to a directory of root's"
fi

build_packages='gcc make autoconf automake libtool pkg-config libltdl-dev libcurl4-openssl-dev libjson-c-dev libssl-dev
    libyaml-dev libsqlite3-dev libmicrohttpd-dev'
run_packages='etcd-server iproute2 nftables procps'

# The packages out of "$@" that are not installed.
missing_packages() {
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
    done
}

install_packages() {
    command -v apt-get >/dev/null || fail "apt-get not found: this script is for Debian; see HACKING.md for what is needed"
    missing=$(missing_packages "$@")
    if [ -z "$missing" ]; then
        say "All packages are installed"
        return
    fi
    say "Installing Debian packages: $missing"
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "run as root, or install sudo, to install: $missing"
        sudo=sudo
    fi
    run $sudo apt-get update -q
    # shellcheck disable=SC2086 # a list of words on purpose
    run $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

# Copies the sources to $build/source (times kept, so that make builds only what changed) and generates configure there.
copy_sources() {
    mkdir -p "$build/source"
    (cd "$root" && tar -cf - --exclude=./.git --exclude=./build --exclude="./${build#"$root"/}" --exclude=./autom4te.cache \
        --exclude=./configure --exclude='Makefile.in' --exclude=./aclocal.m4 .) | tar -xf - -C "$build/source"
    if [ ! -x "$build/source/configure" ] || [ "$root/configure.ac" -nt "$build/source/configure" ]; then
        (cd "$build/source" && run autoreconf -i >"$build/autoreconf.log" 2>&1) || { cat "$build/autoreconf.log"; fail "autoreconf failed"; }
    fi
}

# configure_in DIRECTORY OPTION… - configures once, and again when configure or the options changed
configure_in() {
    directory=$1
    shift
    mkdir -p "$directory"
    if [ ! -f "$directory/Makefile" ] || [ "$build/source/configure" -nt "$directory/Makefile" ] ||
        [ "$(cat "$directory/options" 2>/dev/null)" != "$*" ]; then
        (cd "$directory" && run "$build/source/configure" -q "$@") >"$directory/configure.log" 2>&1 || {
            tail -n 30 "$directory/configure.log"
            fail "configure failed; all of it: $directory/configure.log"
        }
        printf '%s' "$*" >"$directory/options"
    fi
}
