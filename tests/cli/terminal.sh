# terminal.sh - the progress display, colours and Ctrl-C, on a pseudo-terminal
. "$srcdir/tests/env.sh"
type python3 >/dev/null 2>&1 || skip "python3 is not here to make a pseudo-terminal"
python3 "$srcdir/tests/cli/terminal.py" "$builddir/tests/cli/memories-fake"
