#!/usr/bin/env bash
# The long search: every target under libFuzzer in turn where nightly and cargo-fuzz are there, else mutations of our own
# on the ordinary compiler. What is found stays in fuzz/artifacts, and its bytes are printed.
#
#   FUZZ_SECONDS=600 fuzz/run.sh     in all, default 600
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${FUZZ_SECONDS:-600}

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "No nightly with cargo-fuzz (rustup toolchain install nightly; cargo install cargo-fuzz): mutations of our own" >&2
    seed=${FUZZ_SEED:-$((RANDOM << 30 | RANDOM << 15 | RANDOM))}
    cd ..
    FUZZ_SECONDS=$seconds FUZZ_SEED=$seed cargo test -p argos-relay --features argos-relay/dev,argos-relay/kafka-tls --test fuzz -- --nocapture spoiled
    exit
fi

read -ra targets <<<"$(sed -n 's/.*Target { name: "\([a-z_]*\)".*/\1/p' targets.rs | tr '\n' ' ')"
each=$(((seconds + ${#targets[@]} - 1) / ${#targets[@]}))
code=0
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target"
    echo "== $target for $each s"
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$each" -max_len=16384 -print_final_stats=1 >"corpus/$target.log" 2>&1 || code=1
    # The seed and the executions; what went wrong, with its bytes.
    grep -E "^(INFO: Seed|stat::number_of_executed_units|thread '|error)|Test unit written|^Base64" "corpus/$target.log" || true
done
[ $code -eq 0 ] || for found in artifacts/*/*; do echo "$found: $(xxd -p "$found" | tr -d '\n')"; done
exit $code
