# What doxygen wants of the headers' comments: "make reference" and tests/kit/reference.sh.
#
# The first comment is about the file, one behind code is about that code, and one that begins a line is about everything
# that follows it up to an empty line or the next comment. Lines between sections are nobody's.
function begins_declaration() { return !continued && !/^[ ]*}|^$|^#(if|else|endif|include)/ }

FNR == 1 { about = ""; used = in_comment = continued = 0; sub(/^\/\*/, "/** @file") }
/^\/\* ----/ { about = ""; print; next }
/^$/ { about = "" }

in_comment {
    if (leading)
        about = about "\n" $0
    in_comment = !/\*\//
    print
    next
}
/^[ ]*\/\*/ {
    sub(/\/\*\**/, "/**")
    about = $0
    used = 0
    leading = 1
    in_comment = !/\*\//
    print
    next
}
begins_declaration() && about && !/\/\*/ {
    if (used)
        print about
    used = 1
}
/\/\*/ {
    sub(/\/\*/, "/**<")
    in_comment = !/\*\//
    leading = 0
}
/^[ ]*}|{$/ { about = "" }
{
    continued = /^#/ ? /\\$/ : !/[;{}]$|^$|\*\/$/
    print
}
