#!/usr/bin/env bash
# A Python environment with exactly the packages of a file, made once under .cache/ and again when the file changes.
# Prints its folder.   venv.sh NAME REQUIREMENTS.txt   Exit code 69: it cannot be had here.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: venv.sh NAME REQUIREMENTS.txt" >&2; exit 64; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.cache/venv-$1
wanted=$2

is_ready() {
    cmp -s "$wanted" "$venv/requirements.txt"
}

make_it() {
    rm -rf "$venv"
    echo "Installing $1 into $venv" >&2
    python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$venv/requirements.txt"
}

mkdir -p "$root/.cache"
if ! is_ready; then
    exec 9>"$venv.lock"
    flock 9
    is_ready || { "$root/tests/prerequisites.sh" python-venv && make_it "$1"; } >&2 || exit 69
fi
echo "$venv"
