//! Instructions of the hot paths, as callgrind counts them, held to bench/instructions.toml: 5 % more is a failure.
//!
//! The counts are those of this workspace's one profile for tests, so they say what a change costs, and not how long a
//! call takes. `UPDATE=1` keeps the new ones.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use tests::tools;

/// What may come on top of a kept count: hashers draw their keys anew in each process.
const SLACK: f64 = 1.05;
/// A call is what more calls cost: the start of the process is in both counts, a little different each time.
const FEW: u32 = 10;
/// So many instructions make that difference small.
const ENOUGH: f64 = 40e6;

#[test]
fn no_hot_path_takes_five_percent_more_instructions() {
    // Libraries choose other code where AVX2 is absent.
    #[cfg(target_arch = "x86_64")]
    let comparable = cfg!(debug_assertions) && std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let comparable = false;
    if !comparable || !tools::there_is("valgrind") {
        eprintln!("not run: the kept counts are those of x86-64 with AVX2 and of the profile of tests");
        return;
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml");
    let text = std::fs::read_to_string(&kept).unwrap_or_default();
    let before: BTreeMap<String, f64> = toml::from_str(&text).expect("instructions.toml");
    let names: Vec<&str> = bench::cases::all().into_iter().map(|(name, _)| name).collect();
    let counted: BTreeMap<String, f64> = names.iter().map(|name| ((*name).to_owned(), count(name))).collect();
    println!("{:<36} {:>12} {:>12} {:>7}", "instructions of one call", "kept", "now", "");
    for (name, now) in &counted {
        let before = before.get(name).copied().unwrap_or(f64::NAN);
        println!("{name:<36} {before:>12.0} {now:>12.0} {:>+6.1}%", 100.0 * (now / before - 1.0));
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&kept, written(&counted)).expect("written");
        return;
    }
    let grown: Vec<&String> = counted
        .iter()
        .filter(|(name, now)| before.get(*name).is_none_or(|before| **now > before * SLACK))
        .map(|(name, _)| name)
        .collect();
    assert!(grown.is_empty(), "{grown:?}: more than 5 % over bench/instructions.toml; if that is meant, UPDATE=1");
    assert!(before.keys().eq(counted.keys()), "bench/instructions.toml names other cases; UPDATE=1 writes it anew");
}

/// Instructions of one call of a case.
fn count(name: &str) -> f64 {
    let few = total(name, FEW);
    let about = (total(name, 2 * FEW) - few) / f64::from(FEW);
    let more = (ENOUGH / about.max(1.0)).clamp(f64::from(FEW), 10_000.0) as u32;
    (total(name, FEW + more) - few) / f64::from(more)
}

/// Instructions of a process that calls a case so many times.
fn total(name: &str, calls: u32) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", env!("CARGO_BIN_EXE_hot"), name])
        .arg(calls.to_string())
        .output()
        .expect("valgrind runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {told}");
    let collected = told.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    collected.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{name}: no count in {told}"))
}

fn written(counts: &BTreeMap<String, f64>) -> String {
    let mut text =
        "# Instructions of one call, x86-64, profile of tests; written by `UPDATE=1 cargo test -p bench`.\n".to_owned();
    for (name, count) in counts {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:?} = {count:.1}");
    }
    text
}
