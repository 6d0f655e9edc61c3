#!/usr/bin/env bash
# Sees to it that the named tools are there; on Debian and Ubuntu it installs the missing ones with apt-get, and only
# those.   prerequisites.sh TOOL...   with TOOL one of: cc c++ make pkg-config openssl-headers java javac mvn python-venv
# python3 promtool prometheus node npm chromium go valgrind
# Exit codes: 0 all are there, 64 unknown tool, 69 one is missing and cannot be installed.
set -euo pipefail

package_of() {
    case $1 in
        cc) echo gcc libc6-dev ;;
        c++) echo g++ ;;
        make) echo make ;;
        pkg-config) echo pkg-config ;;
        openssl-headers) echo libssl-dev ;;
        java) echo openjdk-17-jre-headless ;;
        javac) echo openjdk-17-jdk-headless ;;
        mvn) echo maven ;;
        go) echo golang-go ;;
        node) echo nodejs ;;
        npm) echo npm ;;
        # With a font, or its pictures hold boxes.
        chromium) echo chromium fonts-inter ;;
        python-venv) echo python3 python3-venv ;;
        python3) echo python3 ;;
        valgrind) echo valgrind ;;
        # One package; no service of it is needed.
        promtool | prometheus) echo prometheus ;;
        *) echo "prerequisites.sh: unknown tool $1" >&2; exit 64 ;;
    esac
}

present() {
    # Debian ships the modules `venv` and `ensurepip` apart from the interpreter.
    [ "$1" != python-venv ] || { python3 -c 'import venv, ensurepip' 2>/dev/null; return; }
    # No command tells of headers.
    [ "$1" != openssl-headers ] || { pkg-config --exists openssl 2>/dev/null; return; }
    command -v "$1" >/dev/null || return 1
    # From 1.21 on it fetches the version that a go.mod names, as a module.
    [ "$1" != go ] || [ "$(go env GOVERSION | sed 's/^go1\.\([0-9]*\).*/\1/')" -ge 21 ] 2>/dev/null || return 1
    # The broker needs Java 17; an older one counts as missing.
    [ "$1" != java ] || [ "$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;q')" -ge 17 ] 2>/dev/null
}

packages=()
for tool in "$@"; do
    if ! present "$tool"; then
        names=$(package_of "$tool")
        read -ra names <<<"$names"
        packages+=("${names[@]}")
    fi
done
[ ${#packages[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "Please install: ${packages[*]} (these are Debian's names)" >&2
    exit 69
fi
# Two tests may want something at the same time; apt-get itself does not wait for another.
exec 8>"${TMPDIR:-/tmp}/argos-relay-prerequisites.lock"
flock 8
echo "Installing ${packages[*]}" >&2
{
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
} >&2 || { echo "apt-get could not install ${packages[*]}" >&2; exit 69; }
