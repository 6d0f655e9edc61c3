//! Faults on a real cluster: three brokers, three replicas, everything between them through proxies, all of it struck
//! at once. The verdict rests on the topics and the simulated world alone.
//!
//! `make test` runs one short round, `make chaos` an hour (`MINUTES=n`). A round is load with faults, then calm until
//! what is published agrees with what is true. `SEED=n` draws the same faults again; what came of them is in
//! target/chaos.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod book;
mod plan;
mod rig;
mod strike;

use rig::{Calm, Rig};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tests::broker;

/// Faults of the short form, and of each round of the long one.
const SHORT: Duration = Duration::from_secs(75);
const ROUND: Duration = Duration::from_mins(4);

/// Of the short form: begins with what brokers take hardest, as a test holds.
const SHORT_SEED: u64 = 466;

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_every_fault_at_once_nothing_is_lost_repeated_disordered_or_invented() {
    let minutes = number("MINUTES");
    if minutes.is_none() && broker::bootstrap().is_none() {
        return;
    }
    // The long form looks for what the short one has not met.
    let seed =
        number("SEED").unwrap_or_else(|| if minutes.is_some() { fastrand::u64(..1_000_000) } else { SHORT_SEED });
    println!("chaos: SEED={seed}");
    let began = Instant::now();
    let folder = broker::root().join("target/chaos");
    std::fs::create_dir_all(&folder).expect("target/chaos");
    let mut rig = Rig::start(seed, &folder).await;
    println!("three brokers and three replicas serve after {:.0?}", began.elapsed());
    let end = Instant::now() + minutes.map_or(SHORT, |minutes| Duration::from_secs(60 * minutes));
    let mut rounds: Vec<Calm> = Vec::new();
    while rounds.is_empty() || end.saturating_duration_since(Instant::now()) > ROUND / 4 {
        let length = end.saturating_duration_since(Instant::now()).clamp(SHORT, ROUND);
        let calm = rig.round(rounds.len() as u64, length).await;
        println!("round {}: {calm}", rounds.len());
        rounds.push(calm);
        rig.nothing_wrong_so_far();
    }
    let faults = rig.book.counts();
    let (verdict, figures) = rig.verdict().await;
    report(&folder, seed, began.elapsed(), &rounds, &faults, &figures, &verdict);
    assert!(
        verdict.is_empty(),
        "SEED={seed}: {} wrong, for instance {:#?}",
        verdict.len(),
        &verdict[..verdict.len().min(8)]
    );
}

/// The last lines, and the same as target/chaos/summary.json.
fn report(
    folder: &std::path::Path,
    seed: u64,
    took: Duration,
    rounds: &[Calm],
    faults: &BTreeMap<String, u64>,
    figures: &serde_json::Value,
    verdict: &[String],
) {
    let of = |name: &str| faults.get(name).copied().unwrap_or(0);
    let kills = of("Kill") + of("KillBroker") + 2 * of("KillTwoBrokers") + of("FillDisk");
    let slowest = rounds.iter().map(|calm| calm.since_fault).max().unwrap_or_default();
    let after_load = rounds.iter().map(|calm| calm.agreed_after).max().unwrap_or_default();
    let summary = json!({
        "seed": seed,
        "seconds": took.as_secs(),
        "rounds": rounds.len(),
        "kills": kills,
        "faults": faults,
        "longest_from_last_fault_to_agreement_seconds": slowest.as_secs_f64(),
        "longest_from_end_of_load_and_faults_seconds": after_load.as_secs_f64(),
        "figures": figures,
        "wrong": verdict,
    });
    let text = serde_json::to_string_pretty(&summary).expect("JSON");
    std::fs::write(folder.join("summary.json"), &text).expect("the summary");
    println!("{text}");
    println!(
        "chaos: {kills} kills, {} faults in all, {} wrong; agreed at most {slowest:.1?} after the last fault",
        faults.values().sum::<u64>(),
        verdict.len()
    );
}

#[test]
fn the_short_form_kills_one_broker_and_two_and_fills_a_disk() {
    let first = |seed| {
        let mut row = plan::Row::new(seed, 0, plan::Target::Brokers);
        let steps: Vec<plan::Step> = (0..3).map(|_| row.draw()).collect();
        let soon = steps.iter().all(|step| step.after < Duration::from_secs(12));
        let wanted = [plan::Fault::KillBroker, plan::Fault::KillTwoBrokers, plan::Fault::FillDisk];
        soon && wanted.iter().all(|fault| steps.iter().any(|step| step.fault == *fault))
    };
    let found: Vec<u64> = (0..100_000).filter(|seed| first(*seed)).take(8).collect();
    assert!(first(SHORT_SEED), "{found:?}");
}
