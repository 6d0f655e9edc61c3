//! The broker goes away under load and comes back.

use simulator::{Rate, Scenario, WebhookFaults};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tests::broker::OwnBroker;
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator};

/// Callers get 503 with Retry-After, memory stays flat, everything resumes by itself, and nothing that was answered
/// 200 is missing.
#[tokio::test(flavor = "multi_thread")]
async fn the_broker_stopped_for_fifteen_seconds_loses_nothing() {
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
        rate: Some(Rate { per_second: 100.0, seconds, pool: 0 }),
        webhooks: WebhookFaults { concurrency: 512, ..WebhookFaults::default() },
        ..Scenario::default()
    };
    load(5.0, 31).run(&sim).await.unwrap();
    let before = sim.sent();
    assert!(before.refused.is_empty() && before.failed == 0, "{before:?}");
    let memory_before = replica.memory();

    let world = sim.clone();
    let during = load(30.0, 32);
    let running = tokio::spawn(async move { during.run(&world).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let own = tokio::task::spawn_blocking(move || {
        own.kill();
        own
    })
    .await
    .unwrap();
    let mut memory_peak = 0;
    let down = Instant::now();
    while down.elapsed() < Duration::from_secs(15) {
        memory_peak = memory_peak.max(replica.memory());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let own = tokio::task::spawn_blocking(move || {
        own.start_again();
        own
    })
    .await
    .unwrap();
    let back = Instant::now();
    running.await.unwrap().unwrap();
    replica.ready(Duration::from_secs(30)).await;
    println!("ready {:?} after the broker was back", back.elapsed());

    let sent = sim.sent();
    let refused: u64 = sent.refused.values().sum();
    println!(
        "15 s without a broker at 100/s: {} accepted, refused {:?}, memory {} -> {} MiB, slowest answer {} ms",
        sent.accepted,
        sent.refused,
        memory_before >> 20,
        memory_peak >> 20,
        sent.latency_us[2] / 1000
    );
    assert!(refused > 500, "callers were refused meanwhile: {sent:?}");
    assert_eq!(sent.refused.keys().collect::<Vec<_>>(), [&503], "with 503 only");
    assert_eq!(sent.bad_refusals, 0, "each with Retry-After of at least 1");
    assert_eq!(sent.failed, 0, "nobody was left without an answer");
    assert!(memory_peak < 2 * memory_before + (16 << 20), "memory stays flat: {memory_before} -> {memory_peak}");

    nothing_accepted_is_missing(&setup, &sent, &replica).await;
    check::safe(&setup, &sim).await;
    drop(own);
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
