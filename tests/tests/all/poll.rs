//! What no webhook told: sweeps and looks of our own, against a real broker.

use simulator::{Faults, Pace, Scenario, WebhookFaults};
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{PROJECT, TOKEN, broker, check, simulator, topics};

/// Sweeps every two seconds over what is older than half a second; re-looks far away, so that they repair nothing.
const SWEEPS: &str = r#"sweeps = { recent = { every = "2s", created_within = "3d" }, month = { every = "1h" }, full = { every = "5s" }, lag = "500ms" }"#;

fn swept(bootstrap: &str, prefix: &str, base_url: &str) -> Setup {
    let mut setup = Setup::new(bootstrap, prefix, base_url);
    r#"["1h"]"#.clone_into(&mut setup.relooks);
    SWEEPS.clone_into(&mut setup.project);
    setup
}

/// No webhook ever arrives: the list alone brings every submission to its last state.
#[tokio::test(flavor = "multi_thread")]
async fn with_every_webhook_lost_the_list_alone_converges() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(31).await;
    let mut setup = swept(&bootstrap, "poll", sim.base_url());
    // What is deleted without a trace is told by no list: the second look at an age finds it.
    r#"["8s"]"#.clone_into(&mut setup.relooks);
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let scenario = Scenario {
        seed: 31,
        submissions: 80,
        pace: Pace { min_ms: 50, max_ms: 800 },
        webhooks: WebhookFaults { loss_rate: 1.0, ..WebhookFaults::default() },
        ..Scenario::default()
    };
    let report = scenario.run(&sim).await.unwrap();
    assert_eq!(report.sent.posts, 0, "every webhook was lost");
    let took = check::converged(&setup, &sim, Duration::from_secs(30)).await;
    let events = check::safe(&setup, &sim).await;
    let by_sweep = replica.metric_of("argos_relay_repaired_total", r#"cause="sweep""#).await;
    println!("no webhook: {events} events, {by_sweep} repaired by sweeps, agreed {took:?} after the last change");
    // Those that were deleted without a trace before a walk met them were never there for anybody.
    let first = check::read(&setup, check::TOPICS[0]).await;
    let first: Vec<_> = first.iter().filter(|event| event.headers["ce_sequence"].ends_with("00001")).collect();
    assert!(first.iter().all(|event| topics::json(event)["provenance"]["cause"] != "webhook"));
    assert!(first.len() >= 50 && by_sweep >= first.len() as f64, "{by_sweep} of {} repaired by sweeps", first.len());
    let told = check::read(&setup, check::TOPICS[3]).await;
    let of = |kind: &str| told.iter().filter(|record| topics::json(record)["type"] == kind).count();
    assert!(of("sweep_started") >= 2 && of("sweep_ended") >= 2 && of("gap_repaired") >= first.len(), "{told:?}");
}

/// Everything goes wrong a little, on both sides, with two replicas.
#[tokio::test(flavor = "multi_thread")]
async fn through_losses_repeats_delays_errors_and_stale_reads_it_converges() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(32).await;
    let mut setup = swept(&bootstrap, "storm", sim.base_url());
    // A deletion whose webhook was lost is told by no list.
    r#"["8s"]"#.clone_into(&mut setup.relooks);
    let mut replicas = [Replica::new(&setup, "relay-0"), Replica::new(&setup, "relay-1")];
    replicas[0].apply_topics();
    for replica in &mut replicas {
        replica.start_ready().await;
    }
    sim.set_targets(PROJECT, replicas.iter().map(Replica::target).collect(), Some(TOKEN.to_owned()));
    let scenario = Scenario {
        seed: 32,
        submissions: 150,
        pace: Pace { min_ms: 50, max_ms: 1_500 },
        faults: Some(Faults {
            latency_ms: 5,
            jitter_ms: 30,
            error_rate: 0.08,
            throttle_rate: 0.02,
            garbage_rate: 0.03,
            stale_rate: 0.2,
            stale_ms: 1_500,
            ..Faults::default()
        }),
        webhooks: WebhookFaults {
            loss_rate: 0.15,
            repeat_rate: 0.3,
            delay_ms: 2_500,
            reorder_rate: 0.3,
            ..WebhookFaults::default()
        },
        ..Scenario::default()
    };
    let report = scenario.run(&sim).await.unwrap();
    let took = check::converged(&setup, &sim, Duration::from_mins(1)).await;
    let events = check::safe(&setup, &sim).await;
    let letters = check::read(&setup, check::TOPICS[2]).await.len();
    println!("{} webhooks, {events} events, {letters} dead letters, agreed after {took:?}", report.sent.posts);
    assert_eq!(letters, 0, "single garbage answers are no reason to give up");
}

/// ARGOS is gone for twelve seconds: nothing is lost or given up, and what somebody waits for goes first afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn argos_down_for_twelve_seconds_loses_nothing() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = simulator(33).await;
    let setup = swept(&bootstrap, "down", sim.base_url());
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let scenario =
        Scenario { seed: 33, submissions: 150, pace: Pace { min_ms: 100, max_ms: 3_000 }, ..Scenario::default() };
    let world = sim.clone();
    let load = tokio::spawn(async move { scenario.run(&world).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    sim.faults().set(Faults { down: true, ..Faults::default() });
    tokio::time::sleep(Duration::from_secs(12)).await;
    sim.faults().set(Faults::default());
    let back = Instant::now();
    let report = load.await.unwrap().unwrap();
    assert!(report.sent.refused.is_empty() && report.sent.failed == 0, "{:?}", report.sent);
    check::converged(&setup, &sim, Duration::from_mins(1)).await;
    println!("agreed {:?} after ARGOS was back", back.elapsed());
    check::safe(&setup, &sim).await;
    assert!(check::read(&setup, check::TOPICS[2]).await.is_empty(), "no dead letters for an outage");
    let told = check::read(&setup, check::TOPICS[3]).await;
    for kind in ["breaker_opened", "breaker_closed"] {
        assert!(told.iter().any(|record| topics::json(record)["type"] == kind), "{kind} in {told:?}");
    }
}
