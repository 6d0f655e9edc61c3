#!/usr/bin/env bash
# Every test, with one broker: installs what is missing, builds, starts the broker (unless KAFKA_BOOTSTRAP names one),
# runs, ends the broker, prints a table of suites. The last line reads "N passed, N failed"; the exit code is the tests'.
#
#   run.sh [ARGUMENTS OF cargo test]      default: --workspace --features argos-relay/dev,tests/kafka-tls
#
# The table is also kept as target/test-summary.txt, the whole output as target/test-output.txt.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -gt 0 ] || set -- --workspace --features argos-relay/dev,tests/kafka-tls

tests/prerequisites.sh cc c++ make pkg-config openssl-headers java mvn
mkdir -p target
output=target/test-output.txt
summary=target/test-summary.txt
rm -f "$summary"
: >"$output"
export CARGO_TERM_COLOR=never

# Built before the broker starts, so that it neither waits for the compiler nor takes its memory.
build_failed=0
started=$SECONDS
# All targets: the whole-service tests run the binary itself.
cargo build --all-targets "$@" || build_failed=1
echo "Built in $((SECONDS - started)) s"

code=1
if [ $build_failed -eq 0 ]; then
    code=0
    # One failed suite does not hide the others.
    tests/with_broker.sh cargo test --no-fail-fast "$@" 2>&1 | tee "$output" || code=$?
fi

echo
awk -v build_failed=$build_failed -f tests/suites.awk "$output" | tee "$summary"
exit $code
