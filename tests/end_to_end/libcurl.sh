#!/bin/sh
# libcurl.sh - libcurl is loaded for the first request and not before; where it can't be, that is said
. "${srcdir:-.}/tests/env.sh"

mkdir "$test_dir/broken"
: >"$test_dir/broken/libcurl.so.4"
LD_LIBRARY_PATH=$test_dir/broken
export LD_LIBRARY_PATH

expect 0 memories list
expect 0 memories plan "$srcdir/examples/standalone.yaml" --provider local
expect 1 memories deploy "$srcdir/examples/standalone.yaml" --provider local --set isolation=process
contains "$err" "can't load libcurl, which every request over HTTP needs"
contains "$err" "libcurl.so.4: file too short"
contains "$err" "apt-get install libcurl4"
expect 0 memories list
equal "$out" "" # rolled back
