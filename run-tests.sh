#!/bin/sh
# run-tests.sh - installs what is missing, builds memories twice (plain; with AddressSanitizer and UBSan), runs all tests
#
# For Debian 12, as root (everything) or as a user with sudo (what needs root is skipped, and says so).
# --quick: without the sanitizer build.
. "$(dirname "$0")/scripts/common.sh"
# docker.io brings the engine of the swarmed topology; its tests run daemons of their own.
test_packages='check g++ python3 curl docker.io iptables uidmap clang abigail-tools doxygen'

quick=
case ${1:-} in
'') ;;
--quick) quick=yes ;;
*) fail "usage: ./run-tests.sh [--quick]" ;;
esac

# shellcheck disable=SC2086 # lists of words on purpose
install_packages $build_packages $run_packages $test_packages

passed=0 failed=0 skipped=0 failures= installcheck_failed=
# count LOG - adds the totals of an automake test log
count() {
    passed=$((passed + $(sed -n 's/^# PASS: *//p' "$1" | tail -n 1)))
    failed=$((failed + $(sed -n 's/^# FAIL: *//p' "$1" | tail -n 1) + $(sed -n 's/^# ERROR: *//p' "$1" | tail -n 1)))
    skipped=$((skipped + $(sed -n 's/^# SKIP: *//p' "$1" | tail -n 1)))
}

# check_in DIRECTORY - builds and runs the tests, and shows the logs of those that failed
check_in() {
    run make -s -C "$1" -j "$jobs"
    status=0
    run make -C "$1" -j $((jobs + 1)) check >"$1/check.log" 2>&1 || status=$?
    grep -E '^(PASS|FAIL|SKIP|ERROR|XFAIL|XPASS):' "$1/check.log" || true
    grep -h -E '^(SKIP|skipped)[: ]' "$1"/tests/*/*.log 2>/dev/null | sort -u || true
    if [ -f "$1/test-suite.log" ]; then count "$1/test-suite.log"; fi
    if [ "$status" -ne 0 ]; then
        # Without a test that failed it is the build that did.
        if ! grep -q '^\(FAIL\|ERROR\|XPASS\):' "$1/check.log"; then tail -n 50 "$1/check.log"; fi
        "$root/scripts/failed_tests.sh" "$1"
        failed=$((failed > 0 ? failed : 1))
        failures="$failures $1"
    fi
}

say "Building and testing in $build/test"
copy_sources
configure_in "$build/test" --enable-werror --prefix="$build/test/install"
check_in "$build/test"

say "The installed package: make install, installcheck"
if run make -s -C "$build/test" install installcheck >"$build/test/installcheck.log" 2>&1; then
    passed=$((passed + 1))
else
    installcheck_failed=yes
    tail -n 50 "$build/test/installcheck.log"
    failed=$((failed + 1))
fi

if [ -z "$quick" ]; then
    say "The same tests with AddressSanitizer and UndefinedBehaviorSanitizer, in $build/asan"
    configure_in "$build/asan" --enable-werror --enable-sanitizers --prefix="$build/asan/install" CFLAGS='-O1 -g'
    check_in "$build/asan"
fi

say "Result"
# Once more, in short: whoever sees only the end of this sees why.
for directory in $failures; do "$root/scripts/failed_tests.sh" --brief "$directory"; done
if [ -n "$installcheck_failed" ]; then tail -n 30 "$build/test/installcheck.log"; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
