# Reads the output of `cargo test` and prints a table of suites (one a test binary) and, as the last line, the totals.
# A suite without a result line was ended by a signal or an abort: it counts as one failure. Suites without a test are
# left out.

function finish() {
    if (name == "") return
    if (!result) { failed += 1; note = "  (ended without a result)" }
    if (passed + failed + ignored > 0) {
        printf "%-44s %7d %7d %8d %9.2f%s\n", name, passed, failed, ignored, seconds, note
        all_passed += passed; all_failed += failed; all_ignored += ignored; all_seconds += seconds
    }
    name = ""
}

function begin(title) {
    finish()
    name = title; result = 0; passed = 0; failed = 0; ignored = 0; seconds = 0; note = ""
}

BEGIN { printf "%-44s %7s %7s %8s %9s\n", "suite", "passed", "failed", "ignored", "seconds" }

# "     Running unittests src/lib.rs (target/debug/deps/models-0123456789abcdef)"
/^ +Running .*\(.*\)$/ {
    binary = $NF; sub(/.*\//, "", binary); sub(/-[0-9a-f]+\)$/, "", binary)
    begin(binary " " $(NF - 1))
}

/^ +Doc-tests / { begin($2 " doc tests") }

# "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s"
/^test result: / {
    result = 1
    passed += $4; failed += $6; ignored += $8
    sub(/s$/, "", $NF); seconds += $NF
}

END {
    finish()
    if (build_failed) { printf "%-44s %7d %7d\n", "(build)", 0, 1; all_failed += 1 }
    printf "%-44s %7d %7d %8d %9.2f\n", "total", all_passed, all_failed, all_ignored, all_seconds
    printf "%d passed, %d failed\n", all_passed, all_failed
}
