#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The pages of this folder are the documentation blocks of the sources, which are written once,
# there. Writes them anew; with --check, only says whether they are up to date.
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
root=$here/../..

# The rows of one of jkvmmetrics' tables as Markdown.
extract_table() {
    local table=$root/ext/jkvmmetrics/metric_table.cpp
    case $1 in
        metrics)
            printf '| metric | kind | labels | from | meaning |\n|---|---|---|---|---|\n'
            awk -F'"' '
                !/^    \{"[a-z_-]*", (stats|property|caps),/ { next }
                {
                    split($3, how, ", *") # , source, path, kind, unit,
                    from = how[2] == "stats" ? $2 : how[2] " " $2
                    if (how[3] != "any") from = from " (" how[3] ")"
                    print "| " $4 " | " how[4] " | " $6 " | " from " | " $8 " |"
                }' "$table"
            ;;
        stages)
            printf '| stage | statistics | fields | meaning |\n|---|---|---|---|\n'
            awk -F'"' '
                !/^    \{"application/ { next }
                { print "| " $6 " | " $2 " | " $4 "-buckets, " $4 "-sum | " $8 " |" }' "$table"
            ;;
    esac
}

# The block of one source file as Markdown.
extract() {
    local line
    extract_block "$1" | while IFS= read -r line; do
        if [[ $line == 'TABLE: '* ]]; then
            extract_table "${line#TABLE: }"
        else
            printf '%s\n' "$line"
        fi
    done
}

extract_block() {
    awk '
        /^ \* SECTION:(element|tracer)-/ {
            sub(/.*(element|tracer)-/, ""); print "# " $0; inside = 1; next
        }
        !inside { next }
        /^ \*\// { exit }
        { sub(/^ \* ?/, "") }
        /^@title:/ { next }
        /^@short_description:/ { sub(/^@short_description: */, ""); print "\n*" $0 "*"; next }
        /^\|\[/ { code = 1; next }
        /^\]\|/ { code = 0; next }
        code { print "    " $0; next }
        { print }' "$1"
}

status=0
for source in "$root"/{gst,ext}/jkvm*/gstjkvm*.cpp; do
    page=$here/$(basename "$source" .cpp | sed s/^gst//).md
    if [[ ${1:-} == --check ]]; then
        extract "$source" | diff -u "$page" - || status=1
    else
        extract "$source" >"$page"
    fi
done
((status == 0)) || echo "docs/elements is not up to date; docs/elements/update.sh mends that." >&2
exit "$status"
