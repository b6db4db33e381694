#!/bin/sh
# crash.sh - the program killed at every commit of its store, on real nodes: what follows ends with exactly what is wanted
. "${srcdir:-.}/tests/env.sh"
plain_build_only
. "$srcdir/tests/end_to_end/machine.sh"

command -v python3 >/dev/null || skip "python3 is not here to drive the walk"
crashing=$builddir/tests/end_to_end/memories-crash

# Stands in for etcd in the whole walk: a member that need not answer.
mkdir "$test_dir/stand-in"
cat >"$test_dir/stand-in/etcd" <<'END'
#!/bin/sh
exec sleep infinity
END
chmod +x "$test_dir/stand-in/etcd"

samples=
if command -v etcd >/dev/null; then samples=process; else echo "no real clusters: etcd is not installed"; fi
if can_isolate; then samples="$samples${samples:+ namespace}"; else echo "no namespaces: $why_not"; fi
# shellcheck disable=SC2086 # words
python3 "$srcdir/tests/end_to_end/crash_walk.py" "$crashing" "$test_dir/stand-in" $samples
