#!/bin/sh
# frozen.sh - plugins and a program as they were written for an earlier release, compiled against its headers, work with
# today's core
. "$srcdir/tests/env.sh"

for release in "$srcdir"/tests/abi/[0-9]*; do
    work=$test_dir/$(basename "$release")
    mkdir -m 700 "$work"
    for plugin in provider-frozen topology-frozen; do
        ${CC:-cc} -std=gnu17 -Wall -Wextra -Werror -shared -fPIC -Wl,-z,defs -I"$release" "$release/$plugin.c" \
            -o "$work/$plugin.so" || fail "$plugin of $release does not compile"
        expect 0 memories-plugin dump --json "$work/$plugin.so"
        contains "$out" "\"abi\":\"$(basename "$release")\",\"needs\":\"$(basename "$release")\",\"fits\":true"
    done
    MEMORIES_PLUGIN_PATH=$work
    printf 'topology: frozen\nprovider: frozen\nconfig: {words: first}\n' >"$work/config.yaml"

    expect 3 memories validate "$work/config.yaml" --set words=wrong
    contains "$err" 'these words are wrong: the dictionary'
    contains "$err" 'choose others'
    expect 0 memories deploy "$work/config.yaml" --name old --verbose
    contains "$out" 'Leader Node: one'
    contains "$err" 'frozen has noted it'
    contains "$err" 'frozen creates'
    expect 0 memories status old
    contains "$out" 'running'
    expect 0 memories show old --json
    contains "$out" '"instance_id":"frozen-'
    expect 0 memories logs old
    contains "$out" 'a line of 1.0'
    expect 0 memories metrics old --json
    contains "$out" '12.5'
    expect 0 memories update old "$work/config.yaml" --set words=second --verbose
    contains "$err" 'frozen updates'
    expect 0 memories stop old
    contains "$out" 'stopped'
    expect 0 memories status old
    contains "$out" 'stopped'
    expect 0 memories start old
    expect 0 memories delete old
    equal "$(find "$MEMORIES_STATE_DIR" -name 'frozen-*')" ''

    # shellcheck disable=SC2086 # words on purpose
    ${CC:-cc} ${SANITIZE:-} -std=gnu17 -Wall -Wextra -Werror -I"$release" "$release/program.c" -L"$builddir/core/.libs" \
        -lmemories-core -Wl,-rpath,"$builddir/core/.libs" -o "$work/program"
    expect 0 "$work/program" "$work/config.yaml"
    equal "$out" "by-program running one
2 ready
running 2
deleted with events"
done
