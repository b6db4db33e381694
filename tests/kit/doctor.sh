#!/bin/sh
# doctor.sh - each reason for which a plugin isn't found or doesn't load is told, with what to do about it
. "$srcdir/tests/env.sh"

variants=$builddir/tests/plugins/variants
mkdir -m 700 "$test_dir/first" "$test_dir/second" "$test_dir/open"
unset MEMORIES_PLUGIN_PATH
doctor() { memories-plugin doctor --plugin-path "$test_dir/first:$test_dir/nowhere:$test_dir/second" "$@"; }
install() { cp "$variants/$1/$2" "$test_dir/$3"; }

# Not there at all, nearly there, there under another name, and there.
expect 1 doctor provider-broken
contains "$out" "$test_dir/first has no such file"
contains "$out" "$test_dir/nowhere does not exist"
contains "$out" "not-found: no directory has a file provider-broken.so"
contains "$out" "export MEMORIES_PLUGIN_PATH=DIR:/"
install good provider-broken.so second/provider-broken.so
expect 1 doctor provider-borken
contains "$out" 'did you mean "broken"?'
mv "$test_dir/second/provider-broken.so" "$test_dir/second/libbroken.so"
expect 1 doctor broken
contains "$out" "$test_dir/second/libbroken.so holds it, under a name by which it isn't found"
contains "$out" "rename it: mv $test_dir/second/libbroken.so $test_dir/second/provider-broken.so"
expect 1 doctor "$test_dir/second/libbroken.so"
contains "$out" "name-mismatch: its file is not called provider-NAME.so or topology-NAME.so"
contains "$out" "rename it to provider-broken.so"
mv "$test_dir/second/libbroken.so" "$test_dir/second/provider-broken.so"
expect 0 doctor broken
contains "$out" "$test_dir/second/provider-broken.so: loads"
case $out in *topology*) fail "of the kind that isn't there nothing is said: $out" ;; esac

# What shadows what.
install init_fails provider-broken.so first/provider-broken.so
expect 1 doctor broken
contains "$out" "$test_dir/first has it, and comes first: this file is used"
contains "$out" "$test_dir/second has it too, but an earlier directory comes first"
contains "$out" "init-failed: it could not be initialised: /etc/credentials: no credentials: permission denied"
contains "$out" "log in first"
expect 1 doctor "$test_dir/second/provider-broken.so"
contains "$out" "$test_dir/second/provider-broken.so: loads"
contains "$out" "duplicate: by its name $test_dir/first/provider-broken.so is found and used, not this file"
rm "$test_dir/first/provider-broken.so"
expect 1 memories-plugin doctor --plugin-path "$test_dir/first" "$test_dir/second/provider-broken.so"
contains "$out" "its name doesn't find it: its directory is not in the plugin path"
expect 1 memories-plugin doctor --plugin-path "first:$test_dir/second" broken
contains "$out" "first is relative: refused"
contains "$out" "untrusted-path: the plugin path has a relative directory"

# Each defect of a file: VARIANT FAILURE WORDS
refused() {
    install "$1" provider-broken.so first/provider-broken.so
    expect 1 doctor --json provider-broken
    contains "$out" "\"loads\":false"
    contains "$out" "\"failure\":\"$2\""
    contains "$out" "$3"
    contains "$out" '"hint":"'
}
refused missing_library link 'library libmemories_test_gone.so can'"'"'t be loaded'
refused missing_library link 'apt-file search libmemories_test_gone.so'
refused undefined_symbol link 'symbol memories_test_function_of_nowhere is in none of the libraries that it names'
refused without_entry_point not-a-plugin 'it exports neither provider_broken_LTX_memories_plugin_query nor'
refused metadata_too_new needs-newer-core 'it needs plugin ABI 1.99'
refused metadata_other_major other-major 'it was built for plugin ABI 2.0'
refused metadata_other_name name-mismatch 'it calls itself provider'
refused wrong_magic not-a-plugin 'its descriptor begins with 0x12345678'
refused without_create missing-slot 'create'
refused short_ops truncated 'its descriptor says that the operations have 32 bytes'
refused describe_gives_rubbish init-failed 'it describes itself wrongly'

# All that is wrong is told at once.
expect 1 doctor "$test_dir/first/provider-broken.so"
install metadata_too_new provider-broken.so first/provider-other.so
chmod 666 "$test_dir/first/provider-other.so"
expect 1 doctor provider-other
contains "$out" "untrusted-path:"
contains "$out" "chmod go-w $test_dir/first/provider-other.so"
contains "$out" "needs-newer-core:"
rm "$test_dir/first/provider-other.so"

# Nothing of a file that others could have written is run; a file that kills the process kills a child only.
cat >"$test_dir/killer.c" <<'END'
#include <memories/plugin.h>
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void run(void)
{
    fclose(fopen(MARK, "w"));
    puts("printed by the plugin");
    abort();
}
static const struct memories_provider_ops ops = { .size = sizeof ops };
MEMORIES_PLUGIN(provider, killer, "1", "MIT", NULL, MEMORIES_THREADS_SERIALISED, 0, &ops, sizeof ops)
END
${CC:-cc} -shared -fPIC -I"$srcdir/include" "-DMARK=\"$test_dir/ran\"" "$test_dir/killer.c" -o "$test_dir/open/provider-killer.so"
chmod 777 "$test_dir/open"
expect 1 memories-plugin doctor "$test_dir/open/provider-killer.so"
contains "$out" "untrusted-path:"
[ ! -e "$test_dir/ran" ] || fail "code from a directory that others can write has run"
chmod 700 "$test_dir/open"
expect 1 memories-plugin doctor "$test_dir/open/provider-killer.so"
contains "$out" "crash: its code does not survive being loaded: it was killed by signal 6 (Aborted)"
[ -e "$test_dir/ran" ] || fail "the plugin was not loaded"

# So does a library that it needs.
mkdir -m 700 "$test_dir/needs"
echo '#include <stdlib.h>
__attribute__((constructor)) static void run(void) { abort(); }
int needed;' | ${CC:-cc} -shared -fPIC -x c - -o "$test_dir/needs/libdeadly.so"
sed -i 's/^__attribute__.*/extern int needed;\nint *used = \&needed;\nstatic void run(void)/' "$test_dir/killer.c"
sed -i 's/^static const struct/__attribute__((used)) static void *no_constructor = (void *)run;\n&/' "$test_dir/killer.c"
${CC:-cc} -shared -fPIC -I"$srcdir/include" "-DMARK=\"$test_dir/ran\"" "$test_dir/killer.c" -o "$test_dir/needs/provider-killer.so" \
    -L"$test_dir/needs" -ldeadly -Wl,-rpath,"$test_dir/needs"
expect 1 memories-plugin doctor "$test_dir/needs/provider-killer.so"
contains "$out" "crash: a library that it needs does not survive being loaded: it was killed by signal 6 (Aborted)"

# Other subjects.
expect 2 memories-plugin doctor Broken
contains "$err" "can't be a plugin's name"
expect 1 memories-plugin doctor "$srcdir/LICENSE"
contains "$out" "no shared object"
expect 1 memories-plugin doctor "$test_dir/nothing.so"
contains "$out" "No such file or directory"
printf '\177ELF\2\1\1' >"$test_dir/first/provider-stub.so"
expect 1 doctor provider-stub
contains "$out" "link: it is cut short"
