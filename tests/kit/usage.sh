#!/bin/sh
# usage.sh - wrong command lines of memories-plugin, --help, and a man page that tells of every command and option
. "$srcdir/tests/env.sh"

commands=$(memories-plugin --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(printf '%s\n' "$commands" | wc -l)" -ge 2 ] || fail "only these commands: $commands"

wrong() {
    message=$1
    shift
    expect 2 memories-plugin "$@"
    equal "$out" ""
    contains "$err" "memories-plugin: $message"
    contains "$err" "--help"
}
wrong 'a command is needed'
wrong 'unknown command "dmup": did you mean "dump"?' dmup x
wrong 'unknown command "frobnicate"' frobnicate
wrong 'unknown option --bogus' --bogus
wrong 'unknown option --bogus' dump --bogus x
wrong 'unknown option -Z' dump -Z x
wrong 'option --plugin-path needs a value' doctor x --plugin-path
wrong 'option --json takes no value' dump --json=yes x
wrong 'option --directory needs a value' new provider x -d
wrong 'dump needs FILE' dump
wrong 'dump: unexpected argument "y"' dump x y
wrong 'doctor needs NAME|FILE' doctor
expect 2 memories-plugin dump --json
contains "$err" '{"error":{"code":"invalid","message":"dump needs FILE"'

expect 0 memories-plugin --version
contains "$out" "plugin ABI 1."

# The man page has a section for every command, and in it every option of --help and no other.
page=$srcdir/docs/man/memories-plugin.1
plain() { sed -e 's/\\-/-/g' -e 's/\\f[A-Z]//g' -e 's/"//g'; }
options() { grep -o -e '--[a-z][a-z-]*' | sort -u; }
for command in $commands; do
    expect 0 memories-plugin "$command" --help
    contains "$out" "Usage: memories-plugin $command [OPTION]..."
    has=$(printf '%s\n' "$out" | sed -n '/^Options:/,$s/^ \{2,6\}\(-.*\)/\1/p' | options)
    tells=$({ sed -n "/^\.SS $command/,/^\.S[SH]/p" "$page" | plain | grep -A 1 '^\.TP'; echo --help; } | options)
    equal "$command: $tells" "$command: $has"
done
for code in 0 1 2 3; do
    contains "$(sed -n '/^\.SH EXIT STATUS/,$p' "$page")" ".B $code"
done

# What can't be written is no success.
if [ -w /dev/full ]; then
    code=0
    memories-plugin --help >/dev/full 2>"$test_dir/err" || code=$?
    equal "$code" 1
    contains "$(cat "$test_dir/err")" "can't write"
fi
