#!/bin/sh
# failed_tests.sh - what has become of the tests that failed: failed_tests.sh [--brief] DIRECTORY
#
# DIRECTORY is a build directory after `make check`. Without --brief each log is shown, the middle of a long one left out;
# with it only where it failed and with which values, so that several failures fit on a screen.
set -eu

brief=
if [ "$1" = --brief ]; then brief=yes && shift; fi

# Words that begin what a test says of its failure: the scripts', Check's, Python's, the sanitizers', the shell's.
said='^FAILED:|^left behind:|:[FE]:[^:]*:[^:]*:|Error: |AssertionError|Sanitizer|runtime error:|timed out|: not found$'

shown() {
    lines=$(wc -l <"$1")
    if [ -n "$brief" ]; then
        if grep -q -E "$said" "$1"; then grep -E -A 12 "$said" "$1" | head -n 30; else tail -n 20 "$1"; fi
    elif [ "$lines" -le 300 ]; then
        cat "$1"
    else
        head -n 100 "$1"
        echo "[ $((lines - 300)) lines are left out: $1 ]"
        tail -n 200 "$1"
    fi
}

find "$1/tests" -name '*.trs' -exec grep -l -E '^:test-result: (FAIL|ERROR|XPASS)' {} + | sort | while read -r result; do
    log=${result%.trs}.log
    echo
    echo "---- FAILED: ${log#"$1"/} ----"
    shown "$log" | cut -c 1-600
done
