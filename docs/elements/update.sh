#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Regenerates the pages of this folder from the sources' documentation blocks and from the elements
# of a build; with --check, only compares. JKVM_BUILD is the build directory, build/default unless
# it is set.
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
build=$(readlink -f -- "${JKVM_BUILD:-$here/../../build/default}")
describe=$build/tests/describe-element
if [[ ! -x $describe ]]; then
    printf '%s does not exist; ./jkvm build makes it, or set JKVM_BUILD.\n' "$describe" >&2
    exit 1
fi

registry=$(mktemp)
trap 'rm -f -- "$registry"' EXIT
plugins=("$build"/gst/jkvm* "$build"/ext/jkvm*)
GST_PLUGIN_PATH=$(IFS=:; printf '%s' "${plugins[*]}")
GST_REGISTRY=$registry GST_TRACERS='' \
    GST_REGISTRY_FORK=no GST_PLUGIN_PATH=$GST_PLUGIN_PATH \
    python3 -B "$here/generate.py" "$describe" "$@"
