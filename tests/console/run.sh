#!/usr/bin/env bash
# Walks through the console of a running replica in a headless Chromium; the packages, in the versions of
# package-lock.json, are installed once under .cache/ and again when they change. Screenshots are left in target/console/.
#   run.sh URL FACTS      FACTS: what is there to be found, as JSON; see walk.mjs
#
# Exit codes: 0 all is as it should be; 1 it is not; 69 browser or packages cannot be had here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 2 ] || { echo "usage: run.sh URL FACTS" >&2; exit 64; }
export PACKAGES=$here/../../.cache/console
export PICTURES=$here/../../target/console

is_ready() {
    cmp -s "$here/package-lock.json" "$PACKAGES/installed.json"
}

install() {
    rm -rf "$PACKAGES"
    mkdir -p "$PACKAGES"
    cp "$here/package.json" "$here/package-lock.json" "$PACKAGES"
    echo "Installing playwright-core and axe-core into .cache/console" >&2
    # No package runs a script of its own: no browser is fetched.
    (cd "$PACKAGES" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error) >&2 &&
        cp "$here/package-lock.json" "$PACKAGES/installed.json"
}

mkdir -p "$PACKAGES/.." "$PICTURES"
exec 9>"$PACKAGES.lock"
flock 9
{ "$here/../prerequisites.sh" node npm chromium && { is_ready || install; }; } >&2 || exit 69
exec 9>&-
CHROMIUM=$(command -v chromium)
export CHROMIUM
# Any other code, such as that of an error of its own, is a failure too.
node "$here/walk.mjs" "$1" "$2" || exit 1
