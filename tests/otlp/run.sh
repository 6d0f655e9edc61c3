#!/usr/bin/env bash
# Says where the collector's binary is, which it fetches once: the pinned version of requirements.txt, in a Python
# environment of its own.   run.sh --where   Exit code 69: it cannot be had here.
set -euo pipefail

[ "${1:-}" = --where ] || { echo "usage: run.sh --where" >&2; exit 64; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$("$here/../venv.sh" otlp "$here/requirements.txt") || exit 69
binary=$(echo "$venv"/lib/python3*/site-packages/rotel/rotel-agent)
[ -x "$binary" ] || { echo "no binary for this platform: $binary" >&2; exit 69; }
echo "$binary"
