#!/usr/bin/env bash
# Builds the examples and runs them against a simulation, with a real broker (KAFKA_BOOTSTRAP=host:port to use your own, empty
# one): see run.py.   run.sh
#
# Processes leave their output in target/consumers. Exit codes: 0 all agree, 1 not, 69 a tool cannot be had here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
started=$SECONDS
"$here/build.sh"
echo "Built in $((SECONDS - started)) s"
PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 "$here/../with_broker.sh" "$here/../../.cache/venv-consumers/bin/python" "$here/run.py"
