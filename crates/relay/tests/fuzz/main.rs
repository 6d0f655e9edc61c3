//! A million spoiled bodies, headers and records through the pure functions that read them: no panic, no broken law.
//!
//! The targets and their seeds are those of `fuzz/`; here they run on the ordinary compiler, with mutations of our own.
//! The number of a case is all that it takes to make it again, whatever the number of threads:
//!
//! - `FUZZ_CASES` (default 1,000,000) or `FUZZ_SECONDS`: how long.
//! - `FUZZ_SEED` (default 1): the number of the first case.
//! - `FUZZ_CASES=1 FUZZ_SEED=N`: one case again.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod entries;
mod mutate;
#[path = "../../../../fuzz/targets.rs"]
mod targets;

use fastrand::Rng;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use targets::{ALL, Target};

const CASES: u64 = 1_000_000;
/// What a worker of the runtime has, so that a recursion without a bound ends here as it would there.
const STACK: usize = 2 * 1024 * 1024;

/// A target with its seeds, and how often its mutants were accepted and refused.
struct Bench {
    target: &'static Target,
    seeds: Vec<Vec<u8>>,
    accepted: AtomicU64,
    refused: AtomicU64,
}

fn benches() -> Vec<Bench> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let bench = |target: &'static Target| {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(target.name))
            .unwrap_or_else(|error| panic!("seeds of {}: {error}", target.name))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        // The order of a folder is the file system's; a case must not depend on it.
        files.sort();
        let mut seeds: Vec<_> = files.iter().map(|file| std::fs::read(file).expect("a seed")).collect();
        if target.name == "ledger_entry" {
            seeds.extend(entries::encoded());
        }
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        Bench { target, seeds, accepted: AtomicU64::new(0), refused: AtomicU64::new(0) }
    };
    ALL.iter().map(bench).collect()
}

/// How long to go on.
enum Length {
    Cases(u64),
    Until(Instant),
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var_os(name)?.into_string().expect("a number");
    Some(value.parse().unwrap_or_else(|error| panic!("{name}={value}: {error}")))
}

/// The target of a case, and its bytes.
fn case(benches: &[Bench], number: u64) -> (&Bench, Vec<u8>) {
    // Neighbouring seeds of the generator give unrelated streams only after a mix.
    let mut rng = Rng::with_seed(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut at = rng.u32(..ALL.iter().map(|target| target.share).sum::<u32>());
    let chosen = benches.iter().find(|bench| {
        let here = at < bench.target.share;
        at = at.saturating_sub(bench.target.share);
        here
    });
    let bench = chosen.expect("shares cover all");
    let bytes = mutate::mutant(&bench.seeds, &mut rng);
    (bench, bytes)
}

/// Runs one case; the report if it panics.
fn run(benches: &[Bench], number: u64) -> Result<(), String> {
    let (bench, bytes) = case(benches, number);
    if let Ok(accepted) = catch_unwind(AssertUnwindSafe(|| (bench.target.run)(&bytes))) {
        let counter = if accepted { &bench.accepted } else { &bench.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all");
        hex
    });
    let name = bench.target.name;
    Err(format!("target {name}, again with FUZZ_CASES=1 FUZZ_SEED={number}; its bytes as hex: {hex}"))
}

/// Deals the numbers from `first` on to all cores; the cases run, and the report of the first failure.
fn run_all(benches: &[Bench], first: u64, length: &Length) -> (u64, Option<String>) {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let over = match length {
                Length::Cases(cases) => index >= *cases,
                Length::Until(end) => Instant::now() >= *end,
            };
            if over || stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Err(report) = run(benches, first.wrapping_add(index)) {
                stop.store(true, Ordering::Relaxed);
                return Some(report);
            }
        }
    };
    let failure = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..std::thread::available_parallelism().map_or(1, usize::from))
            .map(|_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).expect("a thread"))
            .collect();
        workers.into_iter().find_map(|worker| worker.join().expect("cases catch their panics"))
    });
    let done: u64 = benches.iter().map(|bench| count(&bench.accepted) + count(&bench.refused)).sum();
    (done, failure)
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn a_million_spoiled_inputs_break_no_parser() {
    let benches = benches();
    let first = setting("FUZZ_SEED").unwrap_or(1);
    let length = match setting("FUZZ_SECONDS") {
        Some(seconds) => Length::Until(Instant::now() + Duration::from_secs(seconds)),
        None => Length::Cases(setting("FUZZ_CASES").unwrap_or(CASES)),
    };
    let started = Instant::now();
    let (done, failure) = run_all(&benches, first, &length);
    println!("{done} cases from seed {first} in {:.1} s", started.elapsed().as_secs_f64());
    for bench in &benches {
        println!(
            "{:>16} {:>9} accepted {:>9} refused",
            bench.target.name,
            count(&bench.accepted),
            count(&bench.refused)
        );
    }
    if let Some(report) = failure {
        panic!("{report}");
    }
    // Mutants that all end at the first check, or all pass, would show nothing.
    for bench in benches.iter().filter(|_| done >= CASES) {
        let (accepted, refused) = (count(&bench.accepted), count(&bench.refused));
        let few = (accepted + refused) / 50;
        let name = bench.target.name;
        assert!(accepted > few && refused > few, "{name}: {accepted} accepted, {refused} refused");
    }
}

#[test]
fn every_seed_is_accepted_as_it_stands() {
    for bench in benches() {
        for seed in &bench.seeds {
            assert!((bench.target.run)(seed), "{}: {}", bench.target.name, String::from_utf8_lossy(seed));
        }
    }
}

/// The reports would be worth nothing if a panic went by unseen, or if a number gave other bytes the next time.
#[test]
fn a_panic_is_reported_with_the_number_and_the_bytes_that_make_it_again() {
    const FRAGILE: Target = Target {
        name: "key",
        run: |bytes| {
            assert!(bytes.len() < 40, "planted");
            true
        },
        share: 100,
    };
    let planted = || vec![Bench { target: &FRAGILE, ..benches().remove(11) }];
    let (_, report) = run_all(&planted(), 1, &Length::Cases(10_000));
    let report = report.expect("a long key turns up");
    let number = report.split("FUZZ_SEED=").nth(1).and_then(|rest| rest.split(';').next()).expect("a number");
    let again = run(&planted(), number.parse().expect("a number"));
    assert_eq!(again, Err(report));
}
