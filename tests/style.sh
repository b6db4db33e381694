#!/bin/sh
# style.sh - what of the habits in HACKING.md a machine can see, over all sources of the project
cd "${srcdir:-.}" || exit 1
failed=0

# rule TEXT LINES - fails for lines that are there
rule() {
    [ -z "$2" ] && return
    printf '%s:\n%s\n' "$1" "$2"
    failed=1
}

product=$(find include core plugins server cli -name '*.[ch]' ! -name '*.json.c')
sources="$product $(find bench tests examples -name '*.[ch]')"
texts="$sources $(find scripts docs tests bench examples cli core plugins server -name '*.sh' -o -name '*.mk' -o -name '*.md' \
    -o -name '*.py' -o -name '*.[1-8]') $(find . -maxdepth 1 -name '*.md' -o -maxdepth 1 -name '*.sh') Makefile.am configure.ac"
unsafe='strcpy|stpcpy|sprintf|vsprintf|gets|strtok|system|popen|tmpnam|mktemp|alloca|rand|srand|asctime|ctime|gmtime|localtime'

# shellcheck disable=SC2086 # lists of words on purpose; no name here has a space
{
    rule "a file's first comment says what it is about" "$(for file in $sources; do
        head -n 1 "$file" | grep -q '^/\*' || echo "$file"
    done)"
    rule "no end of line at the end of the file" "$(for file in $texts; do [ -z "$(tail -c 1 "$file")" ] || echo "$file"; done)"
    rule "tabs" "$(grep -nP '\t' $sources)"
    rule "white space at the end of a line" "$(grep -nE '[[:space:]]$' $texts)"
    rule "calls that have a safer kind" "$(grep -nE "\\b($unsafe)\\(" $product)"
    rule "ltdl.h is the loader's alone" "$(grep -n '#include.*ltdl\.h' $product | grep -v '^core/loader/loader\.c:')"
    rule "only core/store knows SQLite" "$(grep -nE '#include.*(sqlite3|core/store/database)' $product | grep -v '^core/store/')"
    rule "in-tree plugins use <memories/…> and plugins/… only" "$(grep -nE '#include "(core|cli|server)/' $product | grep '^plugins/')"
}
exit $failed
