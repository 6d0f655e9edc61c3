#!/usr/bin/env bash
# Asks a running service everything that an OpenAPI document allows, and more, with schemathesis.
#
#   run.sh DOCUMENT BASE_URL [ARGUMENTS OF schemathesis run]
#
# Exit codes: 0 it answers as documented, 1 it does not, 69 schemathesis cannot be had here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 2 ] || { echo "usage: run.sh DOCUMENT BASE_URL [ARGUMENT...]" >&2; exit 64; }
document=$1
export BASE_URL=$2
shift 2
venv=$("$here/../venv.sh" schemathesis "$here/requirements.txt") || exit 69

# From an empty folder: it leaves a cache where it runs.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# Any other code of its own, such as 2 for a setting that it does not understand, is a failure too.
"$venv/bin/schemathesis" --no-color --config-file "$here/schemathesis.toml" run "$document" "$@" || exit 1
