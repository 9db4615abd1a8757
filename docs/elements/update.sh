#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The pages of this folder are the documentation blocks of the elements' sources, which are written
# once, there. Writes them anew; with --check, only says whether they are up to date.
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
root=$here/../..

# The block of one source file as Markdown.
extract() {
    awk '
        /^ \* SECTION:element-/ { sub(/.*element-/, ""); print "# " $0; inside = 1; next }
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
