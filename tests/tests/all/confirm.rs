//! Webhooks become confirmed events on a real broker.

use simulator::{Change, Faults, Mix, Pace, Plot, Scenario, Trigger, WebhookFaults};
use std::time::Duration;
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator, topics};

async fn one_replica(prefix: &str, seed: u64) -> Option<(Setup, simulator::Simulator, Replica)> {
    let bootstrap = broker::bootstrap()?;
    let sim = simulator(seed).await;
    let setup = Setup::new(&bootstrap, prefix, sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    Some((setup, sim, replica))
}

/// 500 lives with webhooks repeated, reordered and delayed: every submission's events are gapless and true, the last
/// one is the state topic's and the simulator's, and no invented person is found anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_submissions_are_confirmed_in_order_and_in_private() {
    let Some((setup, sim, mut replica)) = one_replica("confirm", 11).await else { return };
    let scenario = Scenario {
        seed: 11,
        submissions: 500,
        pace: Pace { min_ms: 20, max_ms: 400 },
        faults: Some(Faults {
            latency_ms: 5,
            jitter_ms: 20,
            error_rate: 0.02,
            garbage_rate: 0.01,
            stale_rate: 0.05,
            ..Faults::default()
        }),
        webhooks: WebhookFaults { repeat_rate: 0.3, delay_ms: 300, reorder_rate: 0.3, ..WebhookFaults::default() },
        ..Scenario::default()
    };
    let report = scenario.run(&sim).await.unwrap();
    assert!(report.sent.failed == 0 && report.sent.refused.is_empty(), "{:?}", report.sent);
    let took = check::converged(&setup, &sim, Duration::from_mins(1)).await;
    let events = check::safe(&setup, &sim).await;
    let records = check::read(&setup, check::TOPICS[0]).await;
    println!(
        "{} webhooks, {} GETs, {events} events, agreed {took:?} after the last webhook: {:?}",
        report.sent.posts,
        sim.counts().singles,
        check::by_type(&records)
    );
    assert!(events >= 500);
    let metrics = replica.metrics().await;
    assert!(metrics.contains("argos_relay_webhooks_total"), "{metrics}");
    assert_eq!(replica.terminate().await, Some(0), "an orderly stop: {}", replica.logs());
    check::private(&setup, &[replica.logs(), metrics]).await;
}

/// A webhook that lies changes nothing, and an id that nobody knows costs a bounded number of GETs.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_webhook_publishes_nothing_forged() {
    let Some((setup, sim, replica)) = one_replica("forged", 12).await else { return };
    let id = sim.world().new_id();
    sim.world().create(PROJECT, &id).unwrap();
    let began = std::time::Instant::now();
    for _ in 0..50 {
        assert_eq!(sim.forge(PROJECT, &id, Trigger::Approved).await.status, Some(200));
        assert_eq!(sim.forge(PROJECT, "nobody0000000", Trigger::Approved).await.status, Some(200));
    }
    // A ladder that ends while more forged claims come begins anew; the harness's has 4 steps in 4.7 s.
    let ladders = 1 + began.elapsed().as_millis() as u64 / 4_700;
    // Until both ladders have ended: the forged claims are then told to operators.
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while check::read(&setup, check::TOPICS[3]).await.len() < 2 {
        assert!(std::time::Instant::now() < until, "the ladders did not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let events = check::read(&setup, check::TOPICS[0]).await;
    let types: Vec<&str> = events.iter().map(|event| event.headers["ce_type"].as_str()).collect();
    assert_eq!(types, ["kyc.submission.created.v1"], "only what the GET shows");
    check::safe(&setup, &sim).await;
    let (known, unknown) = (sim.gets(PROJECT, &id), sim.gets(PROJECT, "nobody0000000"));
    println!("50 forged webhooks each: {known} GETs of a known id, {unknown} of an unknown one");
    assert!(unknown <= 6 * ladders, "{unknown} GETs of an unknown id in {ladders} ladders");
    assert!(known <= 8 * ladders, "{known} GETs of a known id in {ladders} ladders");
    drop(replica);
}

/// The front door and the reconciler as two processes, as they are deployed at scale.
#[tokio::test(flavor = "multi_thread")]
async fn the_roles_run_apart() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(14).await;
    let setup = Setup::new(&bootstrap, "roles", sim.base_url());
    let (mut door, mut loops) = (Replica::new(&setup, "door-0"), Replica::new(&setup, "relay-0"));
    door.apply_topics();
    door.start_as("ingest");
    loops.start_as("reconciler");
    door.ready(Duration::from_mins(1)).await;
    loops.ready(Duration::from_mins(1)).await;
    sim.set_targets(PROJECT, vec![door.target()], Some(TOKEN.to_owned()));
    let scenario = Scenario { seed: 14, submissions: 20, pace: Pace { min_ms: 5, max_ms: 50 }, ..Scenario::default() };
    scenario.run(&sim).await.unwrap();
    check::converged(&setup, &sim, Duration::from_secs(30)).await;
    assert!(check::safe(&setup, &sim).await >= 20);
    assert!(
        (door.metric("argos_relay_truth_requests_total").await, loops.metric("argos_relay_webhooks_total").await)
            == (0.0, 0.0)
    );
    assert_eq!((door.terminate().await, loops.terminate().await), (Some(0), Some(0)));
}

/// One webhook a submission, and then silence: what changes after it is found by looks that nobody asked for.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_webhook_told_is_found_by_a_relook() {
    let Some((setup, sim, replica)) = one_replica("relook", 15).await else { return };
    let mut ids = Vec::new();
    for _ in 0..20 {
        let id = sim.world().new_id();
        sim.world().create(PROJECT, &id).unwrap();
        let body = sim.body(PROJECT, &id, Trigger::Created, 0).unwrap();
        assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
        ids.push(id);
    }
    check::converged(&setup, &sim, Duration::from_secs(20)).await;
    for id in &ids {
        sim.change(PROJECT, id, &Change::Approve { by_hand: false }).unwrap();
    }
    check::converged(&setup, &sim, Duration::from_secs(30)).await;
    for id in &ids[..5] {
        sim.change(PROJECT, id, &Change::Delete { hard: true }).unwrap();
    }
    check::converged(&setup, &sim, Duration::from_secs(40)).await;
    assert_eq!(check::safe(&setup, &sim).await, 45, "created, approved, and five deletions");
    assert!(replica.metric("argos_relay_repaired_total").await >= 25.0);
}

/// What the service refuses to start on, and says why.
#[tokio::test(flavor = "multi_thread")]
async fn topics_that_would_break_a_promise_are_refused() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let setup = Setup::new(&bootstrap, "refused", "http://127.0.0.1:1/v3");
    let replica = Replica::new(&setup, "relay-0");
    let missing = replica.command(&["topics", "check"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stdout).contains("missing"), "{missing:?}");
    let mut other = Replica::new(&setup, "relay-1");
    other.start();
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while other.is_running() {
        assert!(std::time::Instant::now() < until, "it should have refused to start");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(other.logs().contains("kyc.ledger.v1"), "it says which topic: {}", other.logs());
    replica.apply_topics();
    replica.apply_topics();
    assert_eq!(replica.command(&["topics", "check"]).status.code(), Some(0));
    widen(&bootstrap, &format!("{}kyc.hints.v1", setup.prefix), 6).await;
    let wider = replica.command(&["topics", "check"]);
    assert_eq!(wider.status.code(), Some(1), "hints and ledger must have the same partitions");
    assert!(String::from_utf8_lossy(&wider.stdout).contains("must be"), "{wider:?}");
}

/// What an operator might do by hand.
async fn widen(bootstrap: &str, topic: &str, partitions: usize) {
    use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
    let client: AdminClient<_> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("an admin client");
    let done = client.create_partitions([&NewPartitions::new(topic, partitions)], &AdminOptions::new()).await;
    assert!(done.expect("asked").iter().all(Result::is_ok));
}

/// Every record of one life, as another language's client would see it.
#[tokio::test(flavor = "multi_thread")]
async fn records_carry_the_envelope_and_the_key() {
    let Some((setup, sim, _replica)) = one_replica("envelope", 13).await else { return };
    let scenario = Scenario { seed: 13, submissions: 1, mix: Mix::only(Plot::Straight), ..Scenario::default() };
    scenario.run(&sim).await.unwrap();
    check::converged(&setup, &sim, Duration::from_secs(20)).await;
    let events = check::read(&setup, check::TOPICS[0]).await;
    let state = topics::states(&check::read(&setup, check::TOPICS[1]).await);
    assert_eq!(state.len(), 1);
    for event in &events {
        let headers = &event.headers;
        assert_eq!(headers["ce_specversion"], "1.0");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["ce_source"], format!("/argos/projects/{PROJECT}"));
        assert_eq!(headers["ce_partitionkey"], event.key);
        assert_eq!(headers["ce_sequence"].len(), 20);
        assert_eq!(format!("{PROJECT}/{}", headers["ce_subject"]), event.key);
    }
}
