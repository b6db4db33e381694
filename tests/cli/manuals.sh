# manuals.sh - the man pages tell of every command and every option, and of none that there is not
. "$srcdir/tests/env.sh"
m=$builddir/tests/cli/memories-fake
man=$srcdir/docs/man

# The text of a page without its markup, as much as matters here.
page() { sed -e 's/\\-/-/g' -e 's/\\f[A-Z]//g' -e 's/"//g' "$man/$1"; }
# The options a page describes: those behind .TP.
described() { page "$1" | grep -A 1 '^\.TP' | grep -o -e '--[a-z][a-z-]*' | sort -u; }

program=$(described memories.1)
common=$(page memories-list.1 | sed -n '/^\.SH COMMON OPTIONS/,/^\.SH EXIT/p' | grep -o -e '--[a-z][a-z-]*' | sort -u)
for option in $("$m" __complete -- | cut -f 1); do
    contains "$program" "$option"
done

for command in $("$m" __complete '' | cut -f 1); do
    [ -f "$man/memories-$command.1" ] || fail "there is no man page of $command"
    contains "$(page memories.1)" "memories-$command"
    has=$("$m" __complete "$command" -- | cut -f 1 | sort -u)
    tells=$(printf '%s\n%s\n' "$(described "memories-$command.1")" "$common" | sed '/^$/d' | sort -u)
    equal "memories-$command.1:
$tells" "memories-$command.1:
$has"
done

for code in 0 1 2 3 4 5 6; do
    contains "$(page memories.1)" ".B $code"
done

if type groff >/dev/null 2>&1; then
    for file in "$man"/*; do
        problems=$(groff -man -ww -Tutf8 "$file" 2>&1 >/dev/null)
        equal "$problems" ""
    done
else
    echo "not checked: groff is not here to render the pages"
fi
