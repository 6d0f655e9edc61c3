//! Figures, their medians and spread, the bars they are held against, and the table of them.
//!
//! Owns: the shape of `results.json`, and how repetitions become one figure. A ratio is taken of each pair of runs that
//! followed one another, so that a machine that grows slower or faster meanwhile does not tilt it. Pure but for printing.

use crate::machine::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One repetition: figures by name.
pub type Run = BTreeMap<String, f64>;

/// Our name in the table.
pub const OURS: &str = "argos-relay";

/// Figures that are shown, with their heads and digits; others are in `results.json` only.
pub const COLUMNS: [(&str, &str, usize); 15] = [
    ("cpu_ms_per_1k", "CPU ms/1k", 1),
    ("per_s", "per s", 0),
    ("seconds", "seconds", 2),
    ("p50_ms", "p50 ms", 1),
    ("p99_ms", "p99 ms", 1),
    ("p999_ms", "p99.9 ms", 1),
    ("batch", "per commit", 0),
    ("peak_mb", "peak MB", 1),
    ("rss_mb", "RSS MB", 1),
    ("bytes_each", "bytes each", 0),
    ("bytes_beyond_key", "beyond key", 0),
    ("gets_per_hint", "GETs/hint", 3),
    ("gets_per_submission", "GETs/subm.", 2),
    ("share_of_budget", "of budget", 3),
    ("refused", "refused", 0),
];

/// Who did a piece of work, and what it cost each time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The line: `a. door`.
    pub line: String,
    /// The piece of work.
    pub case: String,
    /// [`OURS`], or what stands beside it.
    pub who: String,
    /// Each repetition.
    pub runs: Vec<Run>,
    /// What was built then.
    pub commit: String,
}

/// A median and its spread.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

impl Spread {
    /// Of some figures; `None` of none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (low, high) = (*figures.first()?, *figures.last()?);
        let upper = figures[figures.len() / 2];
        let lower = figures[(figures.len() - 1) / 2];
        Some(Spread { median: f64::midpoint(lower, upper), low, high })
    }

    /// `12.3 (11.9 .. 13.0)`.
    pub fn text(&self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$} .. {:.digits$})", self.median, self.low, self.high)
    }
}

/// A bar, and what was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bar {
    /// The line.
    pub line: String,
    /// What is held against it.
    pub what: String,
    /// What was measured.
    pub measured: Spread,
    /// The bar.
    pub bar: f64,
    /// Whether the bar is a ceiling; else a floor.
    pub at_most: bool,
}

impl Bar {
    /// Whether the median keeps to it.
    pub fn is_met(&self) -> bool {
        if self.at_most { self.measured.median <= self.bar } else { self.measured.median >= self.bar }
    }

    /// `≤ 1.25`.
    pub fn text(&self) -> String {
        format!("{} {}", if self.at_most { "≤" } else { "≥" }, self.bar)
    }

    /// `ok` or `MISSED`.
    pub fn verdict(&self) -> &'static str {
        if self.is_met() { "ok" } else { "MISSED" }
    }
}

/// Everything of one `make bench`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// What it was taken on.
    pub machine: Machine,
    /// Whether it is the short form.
    pub quick: bool,
    /// Who did what.
    pub rows: Vec<Row>,
    /// Against which bars.
    pub bars: Vec<Bar>,
    /// Figures over time.
    pub series: Vec<Series>,
}

/// A figure over time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// The line.
    pub line: String,
    /// What it is.
    pub name: String,
    /// Minutes and the figure.
    pub points: Vec<(f64, f64)>,
}

impl Results {
    /// Adds a repetition.
    pub fn add(&mut self, line: &str, case: &str, who: &str, run: Run) {
        let commit = self.machine.commit.clone();
        let same = |row: &&mut Row| row.line == line && row.case == case && row.who == who;
        if let Some(row) = self.rows.iter_mut().find(same) {
            row.runs.push(run);
            return;
        }
        let (line, case, who) = (line.to_owned(), case.to_owned(), who.to_owned());
        self.rows.push(Row { line, case, who, runs: vec![run], commit });
    }

    /// One figure of a row, each repetition.
    pub fn figures(&self, line: &str, case: &str, who: &str, name: &str) -> Vec<f64> {
        let row = self.rows.iter().find(|row| row.line == line && row.case == case && row.who == who);
        row.map_or_else(Vec::new, |row| row.runs.iter().filter_map(|run| run.get(name).copied()).collect())
    }

    /// Ours by theirs, pair by pair.
    pub fn ratio(&self, line: &str, case: &str, who: &str, name: &str) -> Option<Spread> {
        let (ours, theirs) = (self.figures(line, case, OURS, name), self.figures(line, case, who, name));
        Spread::of(ours.iter().zip(&theirs).filter(|(_, theirs)| **theirs > 0.0).map(|(ours, theirs)| ours / theirs))
    }

    /// Holds a ratio against a bar.
    pub fn bar_ratio(
        &mut self,
        (line, case, who, name): (&str, &str, &str, &str),
        what: &str,
        bar: f64,
        at_most: bool,
    ) {
        let measured = self.ratio(line, case, who, name);
        self.bar(line, what, measured, bar, at_most);
    }

    /// Holds a figure of ours against a bar.
    pub fn bar_figure(&mut self, (line, case, name): (&str, &str, &str), what: &str, bar: f64, at_most: bool) {
        let measured = Spread::of(self.figures(line, case, OURS, name));
        self.bar(line, what, measured, bar, at_most);
    }

    fn bar(&mut self, line: &str, what: &str, measured: Option<Spread>, bar: f64, at_most: bool) {
        let measured = measured.unwrap_or_else(|| panic!("{line}: nothing measured for: {what}"));
        self.bars.push(Bar { line: line.to_owned(), what: what.to_owned(), measured, bar, at_most });
        // By line, and within a line as they came.
        self.bars.sort_by(|one, other| one.line.cmp(&other.line));
    }

    /// Forgets a line, to measure it again.
    pub fn forget(&mut self, line: &str) {
        self.rows.retain(|row| row.line != line);
        self.bars.retain(|bar| bar.line != line);
        self.series.retain(|series| series.line != line);
    }

    /// The lines, in order.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.rows.iter().map(|row| row.line.clone()).collect();
        lines.sort();
        lines.dedup();
        lines
    }

    /// The head and the rows of a line's table: case, who, ratios, figures.
    pub fn cells(&self, line: &str) -> Vec<Vec<String>> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.line == line).collect();
        let shown = |name: &&(&str, &str, usize)| rows.iter().any(|row| row.runs.iter().any(|run| told(run, name.0)));
        let columns: Vec<&(&str, &str, usize)> = COLUMNS.iter().filter(shown).collect();
        let beside = rows.iter().any(|row| row.who != OURS);
        let mut head = vec!["case".to_owned(), "who".to_owned()];
        head.extend(beside.then(|| "CPU ratio".to_owned()));
        head.extend(columns.iter().map(|(_, title, _)| (*title).to_owned()));
        let mut cells = vec![head];
        for row in &rows {
            let mut line_of = vec![row.case.clone(), row.who.clone()];
            if beside {
                let other = rows.iter().find(|other| other.case == row.case && other.who != OURS);
                let ratio = other.filter(|_| row.who == OURS);
                let ratio = ratio.and_then(|other| self.ratio(line, &row.case, &other.who, "cpu_ms_per_1k"));
                line_of.push(ratio.map_or_else(String::new, |ratio| ratio.text(2)));
            }
            for (name, _, digits) in &columns {
                let spread = Spread::of(row.runs.iter().filter_map(|run| run.get(*name).copied()));
                line_of.push(spread.map_or_else(String::new, |spread| spread.text(*digits)));
            }
            cells.push(line_of);
        }
        cells
    }

    /// Everything as text.
    pub fn text(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "{} cores, {}, {} GiB, kernel {}; {}; commit {}; {}{}\nMedian (least .. most) of the repetitions.\n",
            machine.cores,
            machine.processor,
            machine.memory_gib,
            machine.kernel,
            machine.versions.join(", "),
            machine.commit,
            machine.taken_at,
            if self.quick { "; the short form" } else { "" },
        );
        for line in self.lines() {
            let _infallible = write!(text, "\n{line}\n{}", aligned(&self.cells(&line)));
        }
        let mut cells = vec![["line", "bar", "measured", "", ""].map(str::to_owned).to_vec()];
        for bar in &self.bars {
            let measured = bar.measured.text(if bar.measured.median < 10.0 { 2 } else { 1 });
            cells.push(vec![bar.line.clone(), bar.what.clone(), measured, bar.text(), bar.verdict().to_owned()]);
        }
        let _infallible = write!(text, "\nAgainst the bars\n{}", aligned(&cells));
        text
    }
}

fn told(run: &Run, name: &str) -> bool {
    run.get(name).is_some_and(|figure| name != "refused" || *figure > 0.0)
}

fn aligned(cells: &[Vec<String>]) -> String {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in cells {
        for (cell, width) in row.iter().zip(&widths) {
            let _infallible = write!(text, "  {cell:width$}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cpu: f64) -> Run {
        Run::from([("cpu_ms_per_1k".to_owned(), cpu)])
    }

    #[test]
    fn a_ratio_is_taken_pair_by_pair_and_held_against_its_bar() {
        let mut results = Results::default();
        // The machine grows slower: pairs agree, medians of all would not.
        for (ours, theirs) in [(12.0, 10.0), (36.0, 30.0), (60.0, 50.0), (24.0, 20.0)] {
            results.add("a", "64", OURS, run(ours));
            results.add("a", "64", "bare", run(theirs));
        }
        results.bar_ratio(("a", "64", "bare", "cpu_ms_per_1k"), "CPU", 1.25, true);
        results.bar_ratio(("a", "64", "bare", "cpu_ms_per_1k"), "CPU, too low", 1.1, true);
        results.bar_figure(("a", "64", "cpu_ms_per_1k"), "at least", 30.0, false);
        let verdicts: Vec<&str> = results.bars.iter().map(Bar::verdict).collect();
        assert_eq!(verdicts, ["ok", "MISSED", "ok"]);
        let ratio = results.bars[0].measured;
        assert!((ratio.low - 1.2).abs() < 1e-9 && (ratio.high - 1.2).abs() < 1e-9, "{ratio:?}");
        assert!(results.text().contains("30.0 (12.0 .. 60.0)"), "{}", results.text());
        results.forget("a");
        assert!(results.rows.is_empty() && results.bars.is_empty());
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between() {
        let spread = Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap();
        assert!((spread.median - 2.5).abs() < 1e-9);
        assert!(Spread::of([]).is_none());
    }
}
