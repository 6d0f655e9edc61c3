//! g. The soak: a steady load on a fixed set of submissions for `SOAK_MINUTES`; memory must not grow.
//!
//! The load is 50 webhooks a second over 2,000 submissions that are reversed in turn, so every one of them is an event.
//! The first quarter of the time is warm-up (the bounded journal of what happened lately is full after seven minutes); over the
//! rest a line is fitted to the resident memory.

use super::latency::Whole;
use super::{Bench, MOST};
use crate::process::{Meter, resident};
use crate::table::{OURS, Series};
use simulator::{Rate, Scenario};
use std::time::{Duration, Instant};

/// The line's name.
pub const LINE: &str = "g. soak";
const PER_SECOND: f64 = 50.0;
const POOL: usize = 2_000;
const EVERY: Duration = Duration::from_secs(5);

/// Runs the line.
pub async fn run(bench: &mut Bench, minutes: f64) {
    let whole = Whole::start(&bench.bootstrap, "soak", MOST, &[]).await;
    let seconds = minutes * 60.0;
    let load = Scenario { rate: Some(Rate { per_second: PER_SECOND, seconds, pool: POOL }), ..Scenario::default() };
    let (sim, began, meter) = (whole.sim.clone(), Instant::now(), Meter::start(whole.replica.pid()));
    let running = tokio::spawn(async move { load.run(&sim).await.expect("the load") });
    let mut points = Vec::new();
    while !running.is_finished() {
        points.push((began.elapsed().as_secs_f64() / 60.0, resident(whole.replica.pid()) / 1e6));
        // Nothing of the harness's own piles up.
        whole.follower.take();
        whole.sim.take_records();
        tokio::time::sleep(EVERY).await;
    }
    running.await.expect("it ran");
    let mut run = meter.read((PER_SECOND * seconds).floor());
    let late: Vec<(f64, f64)> = points.iter().copied().filter(|(minute, _)| *minute > minutes / 4.0).collect();
    let mean = late.iter().map(|(_, megabytes)| megabytes).sum::<f64>() / late.len() as f64;
    let slope = slope(&late);
    run.insert("rss_mb".to_owned(), mean);
    run.insert("slope_mb_per_hour".to_owned(), slope * 60.0);
    run.insert("growth_in_30_min".to_owned(), slope * 30.0 / mean);
    let case = format!("{minutes} min at {PER_SECOND}/s");
    bench.results.add(LINE, &case, OURS, run);
    bench.results.bar_figure((LINE, &case, "growth_in_30_min"), "growth of memory in 30 min, share", 0.05, true);
    bench.results.series.push(Series { line: LINE.to_owned(), name: "RSS, MB".to_owned(), points });
}

/// Of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |each: fn(&(f64, f64)) -> f64| points.iter().map(each).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if square > 0.0 { both / square } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn the_slope_of_a_line_is_its_own_and_noise_has_none() {
        assert!((slope(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]) - 2.0).abs() < 1e-9);
        assert!(slope(&[(0.0, 5.0), (1.0, 6.0), (2.0, 5.0)]).abs() < 1e-9);
    }
}
