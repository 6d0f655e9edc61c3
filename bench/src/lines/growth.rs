//! g. The cost of growth: door, confirm and restore with one, two and four times the work. What a unit costs should not
//! grow with their number.

use super::Bench;
use super::confirm::Confirming;
use super::door::Doors;
use super::restore::{self, Ledger};
use crate::load::Pace;
use crate::table::{OURS, Run};
use std::time::Duration;
use tests::simulator;

/// The line's name.
pub const LINE: &str = "g. growth";
const TIMES: [usize; 3] = [1, 2, 4];

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    let doors = Doors::open(&bench.bootstrap).await;
    let webhooks = bench.pick(50_000, 20_000);
    for _ in 0..bench.times {
        for times in TIMES {
            let most = (webhooks * times) as u64;
            let run = doors.ours(64, Pace::Closed, Duration::from_mins(2), most);
            add(bench, "webhooks", webhooks * times, run);
        }
    }
    drop(doors);
    let hints = bench.pick(10_000, 4_000);
    let mut confirming = Confirming::start(&bench.bootstrap).await;
    confirming.ours(2_000).await;
    for _ in 0..bench.times {
        for times in TIMES {
            let run = confirming.ours(hints * times).await;
            add(bench, "confirmed events", hints * times, run);
        }
    }
    drop(confirming);
    let sim = simulator(46).await;
    let (empty, entries) = (restore::empty(bench, &sim).await, bench.pick(1_000_000, 250_000));
    for times in TIMES {
        let ledger = Ledger::write(&bench.bootstrap, &sim, entries * times);
        for _ in 0..bench.times {
            let run = ledger.ours(empty).await;
            add(bench, "restored entries", entries * times, run);
        }
    }
}

fn add(bench: &mut Bench, what: &str, count: usize, run: Run) {
    bench.results.add(LINE, &format!("{count} {what}"), OURS, run);
}
