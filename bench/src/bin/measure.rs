//! `make bench`: runs the lines, prints the table, writes `target/bench/results.json`.
//!
//! `KAFKA_BOOTSTRAP` names the broker; `ONLY=door,confirm` chooses lines, whose rows replace those of the last results;
//! `QUICK=1` is the short form; `TIMES=n` repeats each measurement so often;
//! `ONLY=soak` is the soak, for `SOAK_MINUTES`. Exit code 1 if a bar was missed.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use bench::lines::{Bench, coalescing, confirm, door, growth, latency, recovery, restore, soak, sweep};
use bench::machine::Machine;
use bench::table::{Bar, Results};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// What `ONLY` takes, in the order in which they run.
const LINES: [(&str, &str); 9] = [
    ("door", door::LINE),
    ("confirm", confirm::LINE),
    ("latency", latency::LINE),
    ("sweep", sweep::LINE),
    ("restore", restore::LINE),
    ("recovery", recovery::LINE),
    ("coalescing", coalescing::LINE),
    ("growth", growth::LINE),
    (SOAK, soak::LINE),
];

/// Runs only where it is named.
const SOAK: &str = "soak";

#[tokio::main]
async fn main() -> ExitCode {
    let only = setting("ONLY");
    let wanted = |name: &str| match &only {
        Some(only) => only.split(',').any(|one| one == name),
        None => name != SOAK,
    };
    if let Some(wrong) =
        only.iter().flat_map(|only| only.split(',')).find(|one| !LINES.iter().any(|line| line.0 == *one))
    {
        let known = LINES.map(|(name, _)| name).join(", ");
        eprintln!("no line {wrong:?}; there are {known}");
        return ExitCode::from(64);
    }
    let Some(bootstrap) = tests::broker::bootstrap() else { return ExitCode::from(69) };
    let quick = setting("QUICK").is_some();
    let times = setting("TIMES").map_or(3, |times| times.parse().expect("TIMES is a number"));
    let minutes = setting("SOAK_MINUTES").map_or(30.0, |minutes| minutes.parse().expect("SOAK_MINUTES is a number"));
    let file = tests::broker::root().join("target/bench/results.json");
    let mut results = if only.is_some() { read(&file) } else { Results::default() };
    (results.machine, results.quick) = (Machine::here(), quick);
    let mut bench = Bench { bootstrap, quick, times, results };
    for (name, line) in LINES.iter().filter(|(name, _)| wanted(name)) {
        let began = Instant::now();
        bench.results.forget(line);
        match *name {
            "door" => door::run(&mut bench).await,
            "confirm" => confirm::run(&mut bench).await,
            "latency" => latency::run(&mut bench).await,
            "sweep" => sweep::run(&mut bench).await,
            "restore" => restore::run(&mut bench).await,
            "recovery" => recovery::run(&mut bench).await,
            "coalescing" => coalescing::run(&mut bench).await,
            "growth" => growth::run(&mut bench).await,
            _ => soak::run(&mut bench, minutes).await,
        }
        eprintln!("{name}: {:.0?}", began.elapsed());
        write(&file, &bench.results);
    }
    let text = bench.results.text();
    println!("{text}");
    std::fs::write(file.with_file_name("results.txt"), text).expect("the table is written");
    let is_met = bench.results.bars.iter().all(Bar::is_met);
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn setting(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
}

fn read(file: &PathBuf) -> Results {
    let text = std::fs::read_to_string(file).ok();
    text.map_or_else(Results::default, |text| serde_json::from_str(&text).expect("results of this release"))
}

fn write(file: &Path, results: &Results) {
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    std::fs::write(file, serde_json::to_vec_pretty(results).expect("JSON")).expect("the results are written");
}
