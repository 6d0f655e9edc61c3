#!/usr/bin/env bash
# Reads an AsyncAPI document with the reference parser, in the versions of package-lock.json, installed once under .cache/
# and again when they change.   run.sh DOCUMENT
#
# Exit codes: 0 it is valid; 1 it is not; 69 the parser cannot be had here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 1 ] || { echo "usage: run.sh DOCUMENT" >&2; exit 64; }
export PACKAGES=$here/../../.cache/asyncapi

is_ready() {
    cmp -s "$here/package-lock.json" "$PACKAGES/installed.json"
}

install() {
    rm -rf "$PACKAGES"
    mkdir -p "$PACKAGES"
    cp "$here/package.json" "$here/package-lock.json" "$PACKAGES"
    echo "Installing the AsyncAPI parser into .cache/asyncapi" >&2
    # No package runs a script of its own.
    (cd "$PACKAGES" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error) >&2 &&
        cp "$here/package-lock.json" "$PACKAGES/installed.json"
}

if ! is_ready; then
    mkdir -p "$PACKAGES/.."
    exec 9>"$PACKAGES.lock"
    flock 9
    is_ready || { "$here/../prerequisites.sh" node npm && install; } >&2 || exit 69
fi
# Any other code, such as that of an error of its own, is a failure too.
node "$here/check.js" "$1" || exit 1
