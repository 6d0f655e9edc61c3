#!/usr/bin/env bash
# Holds the dependencies to deny.toml, with the cargo-deny of the PATH or a pinned binary of it.
#
#   deny.sh CHECK...     bans licenses sources advisories
#
# Where it cannot be had it says so and lets the rest go on; on CI that is a failure.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
if ! command -v cargo-deny >/dev/null; then
    if ! venv=$(tests/venv.sh cargo-deny tests/supply/requirements.txt); then
        echo "cargo-deny cannot be had here: $* were not checked (cargo install cargo-deny --locked)" >&2
        [ -z "${CI:-}" ] || exit 69
        exit 0
    fi
    PATH=$venv/bin:$PATH
fi
cargo deny --workspace --features argos-relay/dev check --hide-inclusion-graph "$@"
