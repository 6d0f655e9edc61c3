#!/usr/bin/env bash
# Runs a command with KAFKA_BOOTSTRAP naming a real broker, and keeps the command's exit code.
#
#   with_broker.sh COMMAND [ARGUMENT...]
#
# If KAFKA_BOOTSTRAP is set already, that broker is used and left alone. Otherwise one node is started in a new folder
# under target/, and ended and removed with this script, however it ends; its log stays as target/broker.log.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -gt 0 ] || { echo "usage: with_broker.sh COMMAND [ARGUMENT...]" >&2; exit 64; }

if [ -n "${KAFKA_BOOTSTRAP:-}" ]; then
    exec "$@"
fi

# Below the range from which the kernel hands out ports to clients, with a free neighbour for the controller.
free_port() {
    local port
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 10000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && ! (: <"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    echo "with_broker.sh: no free port found" >&2
    return 1
}

mkdir -p "$root/target"
dir=$(mktemp -d "$root/target/broker.XXXXXX")
cleanup() {
    # What is tested is over: no orderly stop needed.
    "$root/tests/kafka/broker.sh" kill "$dir" || true
    [ ! -e "$dir/broker.log" ] || cp "$dir/broker.log" "$root/target/broker.log"
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

port=$(free_port)
"$root/tests/kafka/broker.sh" start "$dir" "$port"
export KAFKA_BOOTSTRAP=127.0.0.1:$port
"$@"
