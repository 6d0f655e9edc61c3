//! What the service costs, beside what it would cost to do less: hot paths as plain calls, and whole-service benchmarks.
//!
//! Owns: the calls that are counted ([`cases`]), the lines that are measured against a real broker ([`lines`]), the bare
//! programs beside them (`src/bin`), the load, and the table. Must not know: whether a figure is good; bars are data.
//!
//! Path of `make bench`: `src/bin/measure.rs` -> each of [`lines`] adds runs to [`table::Results`] -> the table, the bars,
//! `target/bench/results.json` -> `src/bin/performance` makes the tables and plots of docs/performance.md of it.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

pub mod bodies;
pub mod cases;
pub mod kafka;
pub mod lines;
pub mod load;
pub mod machine;
pub mod plot;
pub mod process;
pub mod stock;
pub mod table;
