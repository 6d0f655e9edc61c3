//! Writes the tables of docs/performance.md and its plots from `target/bench/results.json`: `performance`
//!
//! A table stands between `<!-- table: NAME -->` and `<!-- end -->`, where NAME is a line's, `machine` or `bars`; the words
//! around them are written by hand and stay.
#![expect(clippy::expect_used, reason = "a tool fails by panicking")]

use bench::lines::{confirm, door, latency, restore, soak};
use bench::plot::{self, Named};
use bench::table::{Bar, OURS, Results, Spread};
use std::fmt::Write as _;

const BEGIN: &str = "<!-- table: ";
const END: &str = "<!-- end -->";
const QUANTILES: [(&str, &str); 4] = [("p50_ms", "p50"), ("p90_ms", "p90"), ("p99_ms", "p99"), ("p999_ms", "p99.9")];

fn main() {
    let root = tests::broker::root();
    let text = std::fs::read_to_string(root.join("target/bench/results.json")).expect("make bench has run");
    let results: Results = serde_json::from_str(&text).expect("results of this release");
    let page = root.join("docs/performance.md");
    let text = std::fs::read_to_string(&page).expect("the page");
    std::fs::write(&page, filled(&text, &results)).expect("the page is written");
    let folder = root.join("docs/performance");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, drawn) in plots(&results) {
        std::fs::write(folder.join(name), drawn).expect("a plot is written");
    }
}

/// The page with its tables made anew; a table whose line was not measured stays as it is.
fn filled(page: &str, results: &Results) -> String {
    let (mut out, mut rest) = (String::new(), page);
    while let Some((before, behind)) = rest.split_once(BEGIN) {
        let (name, behind) = behind.split_once(" -->\n").expect("a name");
        let (old, behind) = behind.split_once(END).expect("an end");
        let new = table(name, results).unwrap_or_else(|| old.to_owned());
        let _infallible = write!(out, "{before}{BEGIN}{name} -->\n{new}{END}");
        rest = behind;
    }
    out + rest
}

fn table(name: &str, results: &Results) -> Option<String> {
    let machine = &results.machine;
    match name {
        "machine" => Some(format!(
            "{} cores ({}), {} GiB of memory, Linux {}; {}. Commit {}, {}.{}\n",
            machine.cores,
            machine.processor,
            machine.memory_gib,
            machine.kernel,
            machine.versions.join(", "),
            machine.commit,
            machine.taken_at,
            if results.quick { " The short form." } else { "" },
        )),
        "bars" => {
            let head = ["line", "what", "measured", "bar", ""].map(str::to_owned).to_vec();
            let row = |bar: &Bar| {
                let measured = bar.measured.text(if bar.measured.median < 10.0 { 2 } else { 1 });
                vec![bar.line.clone(), bar.what.clone(), measured, bar.text(), bar.verdict().to_owned()]
            };
            Some(markdown(&std::iter::once(head).chain(results.bars.iter().map(row)).collect::<Vec<_>>()))
        }
        line if results.lines().iter().any(|known| known == line) => Some(markdown(&results.cells(line))),
        _ => None,
    }
}

fn markdown(cells: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        let _infallible = writeln!(text, "| {} |", row.join(" | "));
        if number == 0 {
            let _infallible = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text
}

/// File names and what is drawn, of the lines that were measured.
fn plots(results: &Results) -> Vec<(&'static str, String)> {
    let mut plots = Vec::new();
    let lines = results.lines();
    let mut add = |line: &str, name: &'static str, drawn: &dyn Fn() -> String| {
        if lines.iter().any(|known| known == line) {
            plots.push((name, drawn()));
        }
    };
    let connections = ["1 connection", "64 connections", "256 connections", "300/s"];
    add(door::LINE, "door-cpu.svg", &|| {
        beside(results, (door::LINE, door::BARE, "cpu_ms_per_1k"), &connections, ("CPU of 1,000 webhooks", "ms"))
    });
    add(door::LINE, "door-latency.svg", &|| {
        let rows = [OURS, door::BARE].map(|who| quantiles(results, door::LINE, "64 connections", who, who));
        plot::curves("Door: time to answer at 64 connections, saturated", "ms", &names(), &rows)
    });
    add(confirm::LINE, "confirm-cpu.svg", &|| {
        let cases = ["ARGOS at 0 ms", "ARGOS at 50 ms", "ARGOS at 300 ms"];
        let what = (confirm::LINE, confirm::BARE, "cpu_ms_per_1k");
        beside(results, what, &cases, ("CPU of 1,000 confirmed events", "ms"))
    });
    add(latency::LINE, "confirm-latency.svg", &|| {
        let rates =
            [("10/s", "ARGOS at 0 ms, 10/s"), ("100/s", "ARGOS at 0 ms, 100/s"), ("500/s", "ARGOS at 0 ms, 500/s")];
        let rows = rates.map(|(name, case)| quantiles(results, latency::LINE, case, OURS, name));
        plot::curves("Confirm: from the answer to the visible event, ARGOS at 0 ms", "ms", &names(), &rows)
    });
    add(restore::LINE, "restore.svg", &|| {
        let cases = ["1 million", "5 million", "10 million"];
        beside(results, (restore::LINE, restore::BARE, "seconds"), &cases, ("Restore: from exec to ready", "s"))
    });
    for series in results.series.iter().filter(|series| series.line == soak::LINE) {
        plots.push(("soak.svg", plot::over_time("Soak: resident memory", "MB", &series.points)));
    }
    plots
}

/// Ours and theirs, case by case.
fn beside(
    results: &Results,
    (line, bare, figure): (&str, &str, &str),
    cases: &[&str],
    (title, unit): (&str, &str),
) -> String {
    let row = |who: &str| Named {
        name: who.to_owned(),
        figures: cases.iter().map(|case| Spread::of(results.figures(line, case, who, figure))).collect(),
    };
    let places: Vec<String> = cases.iter().map(|case| (*case).to_owned()).collect();
    plot::bars(title, unit, &places, &[row(OURS), row(bare)])
}

fn quantiles(results: &Results, line: &str, case: &str, who: &str, name: &str) -> Named {
    let figures = QUANTILES.map(|(figure, _)| Spread::of(results.figures(line, case, who, figure)));
    Named { name: name.to_owned(), figures: figures.to_vec() }
}

fn names() -> Vec<String> {
    QUANTILES.map(|(_, name)| name.to_owned()).to_vec()
}
