//! The deterministic simulation: the real loop, decision, queue and sweeps over a simulated ARGOS and the in-memory
//! ledger, on paused time and one thread, with everything drawn from one seed.
//!
//! Path: `plan.rs` reads the seed, `run.rs` plays it. Each replica (`member.rs`) meets ARGOS through `source.rs` and the
//! ledger through `wire.rs`; `oracle.rs` judges what was asked and what became durable, and `trace.rs` keeps it.
//!
//! `make sim` runs it; `SEED=n` replays one seed and prints what happened, `SEEDS=n` runs so many. `make sim-mutants`
//! plants each bug of `bug.rs` and writes after how many seeds it was caught into docs/proof.md.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bug;
mod member;
mod oracle;
mod plan;
mod run;
mod source;
mod trace;
mod wire;
mod world;

use bug::Bug;
use run::{Outcome, run};
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seeds of every run of the tests, besides those of tests/seeds/kept.txt.
const SEEDS: u64 = 2_000;
/// Within so many seeds each planted bug must be caught.
const CAUGHT_WITHIN: u64 = 2_000;

#[expect(clippy::disallowed_methods, reason = "the switches of a test")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
}

/// Runs seeds on every core until `ends` says so of one; in order of their seeds.
fn run_all(seeds: &[u64], bug: Option<Bug>, ends: impl Fn(&Outcome) -> bool + Sync) -> Vec<Outcome> {
    let (next, stop, done) = (AtomicU64::new(0), AtomicU64::new(u64::MAX), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = seeds.get(index as usize).filter(|_| index <= stop.load(Ordering::Relaxed)) else {
                        return;
                    };
                    let outcome = run(*seed, bug, false);
                    if ends(&outcome) {
                        stop.fetch_min(index, Ordering::Relaxed);
                    }
                    done.lock().unwrap().push((index, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Seeds that once failed: always run.
fn kept() -> Vec<u64> {
    let text = include_str!("../seeds/kept.txt");
    let words = text.lines().filter_map(|line| line.split('#').next()?.trim().parse().ok());
    words.collect()
}

fn failures(outcomes: &[Outcome]) -> Vec<String> {
    let failed = outcomes.iter().filter(|outcome| !outcome.violations.is_empty());
    failed.map(|outcome| format!("make sim SEED={}\n  {}", outcome.seed, outcome.violations.join("\n  "))).collect()
}

#[test]
fn every_seed_converges_without_loss_repetition_or_invention() {
    if let Some(seed) = number("SEED") {
        let outcome = run(seed, None, true);
        println!("{}", outcome.lines.join("\n"));
        println!("seed {seed}, digest {:016x}", outcome.digest);
        assert!(outcome.violations.is_empty(), "{}", outcome.violations.join("\n"));
        return;
    }
    let count = number("SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let seeds: Vec<u64> = kept().into_iter().chain(0..count).collect();
    let outcomes = run_all(&seeds, None, |_| false);
    let digest = outcomes.iter().fold(0, |all: u64, one| all.rotate_left(7) ^ one.digest);
    let (events, requests) =
        outcomes.iter().fold((0, 0), |(events, requests), one| (events + one.events, requests + one.requests));
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} seeds in {seconds:.1} s ({:.0} a second), {events} events, {requests} requests, digest {digest:016x}",
        outcomes.len(),
        outcomes.len() as f64 / seconds,
    );
    let failures = failures(&outcomes);
    assert!(
        failures.is_empty(),
        "{} seeds fail; the first:\n{}",
        failures.len(),
        failures[..failures.len().min(number("SHOW").unwrap_or(5) as usize)].join("\n")
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        assert_eq!(run(seed, None, true), run(seed, None, true), "seed {seed}");
    }
}

#[test]
fn every_planted_bug_is_caught() {
    let seeds: Vec<u64> = (0..CAUGHT_WITHIN).collect();
    let (mut missed, mut table) =
        (Vec::new(), String::from("| planted | caught after seeds | what saw it |\n|---|---|---|\n"));
    for bug in Bug::ALL {
        let outcomes = run_all(&seeds, Some(*bug), |outcome| !outcome.violations.is_empty());
        match outcomes.iter().position(|outcome| !outcome.violations.is_empty()) {
            Some(index) => {
                let saw = outcomes[index].violations[0].split_once(" ms: ").map_or("", |(_, saw)| saw);
                writeln!(table, "|{} | {} | {saw} |", bug.says(), index + 1).unwrap();
            }
            None => missed.push(bug),
        }
    }
    println!("{table}");
    assert!(missed.is_empty(), "not caught within {CAUGHT_WITHIN} seeds: {missed:?}");
    if number("WRITE_PROOF").is_some() {
        write_table(&table);
    }
}

/// Puts the table between its marks in docs/proof.md.
fn write_table(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/proof.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once("<!-- mutants -->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- end of mutants -->").unwrap();
    std::fs::write(path, format!("{head}<!-- mutants -->\n{table}<!-- end of mutants -->{tail}")).unwrap();
}
