//! The broker goes away under load and comes back.

use simulator::{Rate, Scenario, SendRecord, WebhookFaults};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tests::broker::OwnBroker;
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator, wall_clock};

const OUTAGE: Duration = Duration::from_secs(20);

/// Callers with a patience of 10 s get 503 with Retry-After within 5 s, at once when Kafka is known to be gone; memory
/// stays flat, everything resumes by itself within 3 s, and nothing that was answered 200 is missing.
#[tokio::test(flavor = "multi_thread")]
async fn the_broker_stopped_for_twenty_seconds_loses_nothing() {
    if broker::bootstrap().is_none() {
        return;
    }
    let own = tokio::task::spawn_blocking(OwnBroker::start).await.unwrap();
    let sim = simulator(31).await;
    let setup = Setup::new(&own.bootstrap(), "outage", sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let load = |seconds: f64, seed: u64| Scenario {
        seed,
        rate: Some(Rate { per_second: 300.0, seconds, pool: 0 }),
        webhooks: WebhookFaults { concurrency: 4096, timeout_ms: 10_000, ..WebhookFaults::default() },
        ..Scenario::default()
    };
    load(5.0, 31).run(&sim).await.unwrap();
    let before = sim.sent();
    drop(sim.take_records());
    assert!(before.refused.is_empty() && before.failed == 0, "{before:?}");
    let memory_before = replica.memory();

    let world = sim.clone();
    let during = load(36.0, 32);
    let running = tokio::spawn(async move { during.run(&world).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let own = tokio::task::spawn_blocking(move || {
        own.kill();
        own
    })
    .await
    .unwrap();
    let mut memory_peak = 0;
    let (down, down_us) = (Instant::now(), wall_clock()() * 1000);
    while down.elapsed() < OUTAGE {
        memory_peak = memory_peak.max(replica.memory());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let own = tokio::task::spawn_blocking(move || {
        own.start_again();
        own
    })
    .await
    .unwrap();
    let (back, back_us) = (Instant::now(), wall_clock()() * 1000);
    running.await.unwrap().unwrap();
    replica.ready(Duration::from_secs(30)).await;
    println!("ready {:?} after the broker was back", back.elapsed());

    let sent = sim.sent();
    let refused: u64 = sent.refused.values().sum();
    println!(
        "{OUTAGE:?} without a broker at 300/s: {} accepted, refused {:?}, memory {} -> {} MiB, slowest answer {} ms",
        sent.accepted,
        sent.refused,
        memory_before >> 20,
        memory_peak >> 20,
        sent.latency_us[2] / 1000
    );
    assert!(refused > 3000, "callers were refused meanwhile: {sent:?}");
    assert_eq!(sent.refused.keys().collect::<Vec<_>>(), [&503], "with 503 only");
    assert_eq!(sent.bad_refusals, 0, "each with Retry-After of at least 1");
    assert_eq!(sent.failed, 0, "nobody was left without an answer");
    answered_in_time(&sim.take_records(), down_us, back_us);
    assert!(memory_peak < 2 * memory_before, "memory stays flat: {memory_before} -> {memory_peak}");

    nothing_accepted_is_missing(&setup, &sent, &replica).await;
    check::safe(&setup, &sim).await;
    drop(own);
}

/// Holds the answers against the clock: how long a refusal took, and when the first acceptance came after the return.
fn answered_in_time(records: &[SendRecord], down_us: i64, back_us: i64) {
    let slowest = |from: i64, to: i64| {
        let refused = records.iter().filter(|record| record.posted.status == Some(503));
        let sent = refused.filter(|record| (from..to).contains(&record.sent_us));
        let all: Vec<u64> = sent.map(|record| record.posted.latency_us / 1000).collect();
        (all.len(), all.into_iter().max().unwrap_or(0))
    };
    let (all, any) = slowest(i64::MIN, i64::MAX);
    // It is known to be gone once the first was left waiting for its whole deadline.
    let (known, then) = slowest(down_us + 5_000_000, down_us + OUTAGE.as_micros() as i64);
    let first = records.iter().filter(|record| record.posted.status == Some(200));
    let first = first.map(|record| record.answered_us).filter(|at| *at > down_us + 5_000_000).min();
    let after = first.map(|at| (at - back_us) / 1000);
    println!("refused: slowest of {all} {any} ms, of {known} while known {then} ms; first 200 after {after:?} ms");
    assert!(any <= 5000, "a caller waited {any} ms for a refusal");
    assert!(known > 1000 && then <= 1000, "a caller waited {then} ms for what was known");
    assert!(after.is_some_and(|millis| millis <= 3000), "the first 200 came {after:?} ms after the broker");
}

/// Every submission whose webhook was answered 200 is a hint at once, and has a state in the end.
async fn nothing_accepted_is_missing(setup: &Setup, sent: &simulator::Sent, replica: &Replica) {
    let hints = check::read(setup, check::TOPICS[4]).await;
    let kept: HashSet<&str> = hints.iter().map(|hint| hint.key.as_str()).collect();
    for (project, id) in &sent.accepted_ids {
        assert!(kept.contains(format!("{project}/{id}").as_str()), "{id} was answered 200 and is no hint");
    }
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let states = tests::topics::states(&check::read(setup, check::TOPICS[1]).await);
        let shown: HashSet<&str> = states.keys().map(models::Key::as_str).collect();
        let is_missing = |(project, id): &&(String, String)| !shown.contains(format!("{project}/{id}").as_str());
        let missing = sent.accepted_ids.iter().filter(is_missing).count();
        if missing == 0 {
            return;
        }
        if Instant::now() >= until {
            check::tell_ends(setup);
            panic!("{missing} accepted webhooks led to no event\n{}", replica.metrics().await);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
