//! e. Recovery: ARGOS is away while webhooks go on; then it is back. How much of the budget the backlog gets, and how
//! long live webhooks wait meanwhile. An hour's outage is compressed: its webhooks come within half a minute.

use super::Bench;
use super::latency::{Whole, rate, tell};
use crate::process::Meter;
use crate::table::{OURS, Run};
use simulator::Faults;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tests::PROJECT;

/// The line's name.
pub const LINE: &str = "e. recovery";
/// The budget, a second.
const BUDGET: u32 = 200;
/// Live webhooks a second, while the backlog is worked off.
const LIVE: f64 = 5.0;
const PATIENCE: Duration = Duration::from_mins(5);

/// Runs the line.
pub async fn run(bench: &mut Bench) {
    let backlog = bench.pick(6_000.0, 2_000.0);
    let case = format!("{backlog:.0} webhooks of an outage, budget {BUDGET}/s, {LIVE:.0} live/s");
    for _ in 0..bench.pick(bench.times, 1) {
        let whole = Whole::start(&bench.bootstrap, "recovery", BUDGET, &[]).await;
        let run = one(&whole, backlog).await;
        bench.results.add(LINE, &case, OURS, run);
    }
    bench.results.bar_figure(
        (LINE, &case, "share_of_budget"),
        "share of the budget until all is caught up",
        0.95,
        false,
    );
}

async fn one(whole: &Whole, backlog: f64) -> Run {
    let sim = &whole.sim;
    sim.faults().set(Faults { down: true, ..Faults::default() });
    let report = rate(200.0, backlog / 200.0).run(sim).await.expect("the outage's webhooks");
    let mut waiting: HashSet<String> = report.ids.iter().map(|(project, id)| format!("{project}/{id}")).collect();
    whole.lags(0);
    let (back, meter) = (Instant::now(), Meter::start(whole.replica.pid()));
    sim.faults().clear();
    let (live, running) = (rate(LIVE, PATIENCE.as_secs_f64()), sim.clone());
    let live = tokio::spawn(async move { live.run(&running).await });
    let before = sim.counts().answered;
    while sim.counts().answered == before {
        assert!(back.elapsed() < PATIENCE, "ARGOS is back, and nobody asks");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let began = Instant::now();
    let mut live_seen = Vec::new();
    while !waiting.is_empty() {
        assert!(back.elapsed() < PATIENCE, "{} still wait", waiting.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
        for (key, at) in whole.follower.take() {
            if !waiting.remove(&key) {
                live_seen.push((key, at));
            }
        }
    }
    let (took, gets) = (began.elapsed().as_secs_f64(), sim.counts().answered - before);
    // Dropping its future ends the load.
    live.abort();
    drop(live.await);
    sim.settled().await;
    let mut run = meter.read(gets as f64);
    let mut lags = whole.lags_of(&live_seen);
    lags.sort_by(f64::total_cmp);
    assert!(lags.len() > 20, "{} live webhooks were confirmed meanwhile ({PROJECT})", lags.len());
    tell(&lags, &mut run);
    run.insert("seconds".to_owned(), back.elapsed().as_secs_f64());
    run.insert("first_answer_s".to_owned(), began.duration_since(back).as_secs_f64());
    run.insert("share_of_budget".to_owned(), gets as f64 / (took * f64::from(BUDGET)));
    run
}
