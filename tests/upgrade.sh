#!/usr/bin/env bash
# Builds another revision beside this one and rolls from it to this one and back, under load, with a real broker.
#
#   FROM=REVISION upgrade.sh FEATURE FLAGS...
#
# Without FROM: the last release (the nearest tag v*), and where there is none, the last revision whose crates differ
# from HEAD's. Its sources and what is built of them stay under target/upgrade/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The revision before the last one that changed the crates.
before_last_change() {
    git rev-parse "$(git rev-list -1 HEAD -- crates)^"
}

from=${FROM:-$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || before_last_change)}
commit=$(git rev-parse --short --verify "$from^{commit}")
place=$PWD/target/upgrade/$commit
if [ ! -d "$place/source" ]; then
    rm -rf "$place/unpacking"
    mkdir -p "$place/unpacking"
    git archive "$commit" | tar -x -C "$place/unpacking"
    mv "$place/unpacking" "$place/source"
fi
# With what `serve` needs only: the features of its tests may not be those of this revision.
(cd "$place/source" && cargo build -p argos-relay --features argos-relay/dev --target-dir "$place/target")

echo "from $commit ($from) to the build of this folder and back"
UPGRADE_FROM=$place/target/debug/argos-relay \
    tests/with_broker.sh cargo test --workspace "$@" --test all -- --nocapture rolling
