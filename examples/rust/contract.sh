#!/usr/bin/env bash
# Makes src/contract out of contracts/schemas, with cargo-typify.
#
#   contract.sh CARGO_TYPIFY [--check]      --check: writes nothing, and ends with 1 if a file is not up to date
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
schemas=$here/../../contracts/schemas
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
code=0
for name in state approved; do
    schema=$schemas/kyc.submission.$name.v1.json
    # Times stay texts: all on the topics are written alike, so that they sort, and no crate for dates is needed.
    grep -v '"format": "date-time"' "$schema" >"$scratch/$name.json"
    "$1" typify --no-builder --output "$scratch/$name.rs" "$scratch/$name.json"
    {
        echo "// Generated from contracts/schemas/kyc.submission.$name.v1.json by contract.sh with cargo-typify 0.6.2: do not edit."
        echo "// schema: $(sha256sum <"$schema" | cut -d' ' -f1)"
        # The schema is not repeated in the documentation, the lints are contract.rs's, and no type here can fail to convert.
        sed -e '/<details>/,/<\/details>/d' -e '/^#!\[allow/d' -e '/^#\[doc = r" Error types/,/^}/d' "$scratch/$name.rs"
    } >"$scratch/full.rs"
    rustfmt --edition 2024 --config-path "$here/../../rustfmt.toml" "$scratch/full.rs"
    if [ "${2:-}" != --check ]; then
        cp "$scratch/full.rs" "$here/src/contract/$name.rs"
    elif ! cmp -s "$scratch/full.rs" "$here/src/contract/$name.rs"; then
        echo "src/contract/$name.rs is not what cargo-typify makes of $schema: run contract.sh" >&2
        code=1
    fi
done
exit $code
