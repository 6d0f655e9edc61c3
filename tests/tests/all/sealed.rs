//! Projects that encrypt, and projects that ask for two parts only: the whole service against a simulated ARGOS.

use simulator::{
    Change, Config, Derivation, Mix, Mode, Pace, Project, Risk, Scenario, Simulator, Trigger, WebhookFaults,
};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tests::service::{Replica, Setup};
use tests::{API_KEY, PROJECT, TOKEN, broker, check, topics, wall_clock};

const MODES: [Mode; 2] = [Mode::Ecb, Mode::Gcm];

/// The mode's word in the configuration.
const fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Ecb => "aes-256-ecb",
        Mode::Gcm => "aes-256-gcm",
    }
}

fn sealing(mode: Mode, derivation: &str) -> String {
    format!(r#"encryption = {{ mode = "{}", key_derivation = "{derivation}" }}"#, word(mode))
}

/// A simulated ARGOS that encrypts, or not.
async fn argos(seed: u64, mode: Option<Mode>) -> Simulator {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let project = Project::new(PROJECT, API_KEY);
    let project = match mode {
        Some(mode) => project.encrypted(mode, Derivation::Sha256Hex32),
        None => project,
    };
    Simulator::start(listener, Config { seed, projects: vec![project], ..Config::default() }, wall_clock())
        .expect("the simulator starts")
}

/// A running replica with these lines for its project.
async fn replica(bootstrap: &str, prefix: &str, sim: &Simulator, project: &str) -> (Setup, Replica) {
    let mut setup = Setup::new(bootstrap, prefix, sim.base_url());
    project.clone_into(&mut setup.project);
    let mut replica = Replica::new(&setup, "relay-0");
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    (setup, replica)
}

/// One event: whose, in order of creation; its number there; its type; the statuses.
type Told = (usize, u64, String, String, String);

/// Lives in step: each change is told and published before the next one happens, so that nothing is skipped.
async fn in_step(setup: &Setup, sim: &Simulator) -> Vec<Told> {
    let ids: Vec<String> = (0..6).map(|_| sim.world().new_id()).collect();
    let steps: [(&[usize], Change, Trigger); 7] = [
        (&[0, 1, 2, 3, 4, 5], Change::Create, Trigger::Created),
        (&[0, 1], Change::Retry("glare_detected"), Trigger::Retry),
        (&[1, 2], Change::Pend, Trigger::Submit),
        (&[0, 1, 3], Change::Approve { by_hand: false }, Trigger::Approved),
        (&[2, 4], Change::Reject { codes: &["expired_id"], by_hand: true }, Trigger::Rejected),
        (&[0, 1], Change::Screen { risk: Risk::High, matches: 2 }, Trigger::Aml),
        (&[3, 5], Change::Delete { hard: true }, Trigger::Delete),
    ];
    for (whose, change, trigger) in steps {
        for id in whose.iter().map(|at| &ids[*at]) {
            let before = sim.body(PROJECT, id, trigger, 0);
            sim.change(PROJECT, id, &change).expect("a change of what is there");
            // What is gone has no body of its own any more.
            let body = sim.body(PROJECT, id, trigger, 0).or(before).expect("a body");
            assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200), "{trigger:?}");
        }
        check::converged(setup, sim, Duration::from_secs(40)).await;
    }
    check::safe(setup, sim).await;
    let places: HashMap<String, usize> =
        ids.iter().enumerate().map(|(at, id)| (format!("{PROJECT}/{id}"), at)).collect();
    let events = check::read(setup, check::TOPICS[0]).await;
    let mut told: Vec<Told> = events
        .iter()
        .map(|event| {
            let data: serde_json::Value =
                serde_json::from_slice(event.value.as_deref().expect("a value")).expect("JSON");
            let status = |part: &str| data[part]["status"].as_str().unwrap_or_default().to_owned();
            let number = event.headers["ce_sequence"].parse().expect("a number");
            (places[&event.key], number, event.headers["ce_type"].clone(), status("kyc"), status("aml"))
        })
        .collect();
    told.sort();
    told
}

/// The same lives, in the clear and under both modes: the same events with the same numbers.
#[tokio::test(flavor = "multi_thread")]
async fn encryption_changes_no_event() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let plain = argos(51, None).await;
    let (setup, _replica) = replica(&bootstrap, "in-clear", &plain, "").await;
    let expected = in_step(&setup, &plain).await;
    assert_eq!(expected.len(), 6 + 2 + 2 + 3 + 2 + 2 + 2, "{expected:?}");
    for mode in MODES {
        let sim = argos(51, Some(mode)).await;
        let (setup, replica) = replica(&bootstrap, word(mode), &sim, &sealing(mode, "sha256_hex_32")).await;
        assert_eq!(in_step(&setup, &sim).await, expected, "{mode:?}");
        let forged = sim.forged_body(&sim.world().new_id(), Trigger::Approved).to_string();
        assert_eq!(sim.send_as_it_stands(PROJECT, &forged).await.status, Some(400), "a body in the clear");
        assert!(replica.metrics().await.contains(r#"webhooks_total{outcome="not_encrypted",project="acme"} 1"#));
    }
}

/// Many lives at once, webhooks repeated and out of order, answers late, failed and stale.
#[tokio::test(flavor = "multi_thread")]
async fn sealed_lives_under_faults_are_confirmed_in_order_and_in_private() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    for mode in MODES {
        let sim = argos(52, Some(mode)).await;
        let (setup, mut replica) = replica(&bootstrap, word(mode), &sim, &sealing(mode, "sha256_hex_32")).await;
        let scenario = Scenario {
            seed: 52,
            submissions: 100,
            mix: Mix::default(),
            pace: Pace { min_ms: 20, max_ms: 400 },
            faults: Some(simulator::Faults {
                latency_ms: 5,
                jitter_ms: 20,
                error_rate: 0.02,
                stale_rate: 0.05,
                ..simulator::Faults::default()
            }),
            webhooks: WebhookFaults { repeat_rate: 0.3, delay_ms: 300, reorder_rate: 0.3, ..WebhookFaults::default() },
            ..Scenario::default()
        };
        let report = scenario.run(&sim).await.unwrap();
        assert!(report.sent.failed == 0 && report.sent.refused.is_empty(), "{:?}", report.sent);
        let took = check::converged(&setup, &sim, Duration::from_mins(1)).await;
        let events = check::safe(&setup, &sim).await;
        println!("{}: {events} events, agreed {took:?} after the last webhook", word(mode));
        let metrics = replica.metrics().await;
        assert_eq!(replica.terminate().await, Some(0));
        check::private(&setup, &[replica.logs(), metrics]).await;
    }
}

/// A wrong derivation shuts every answer: the breaker opens, nothing is taken for deleted or given up, every hint is
/// kept, and with the right one all is confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_derivation_loses_nothing() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    for mode in MODES {
        let sim = argos(53, Some(mode)).await;
        let mut setup = Setup::new(&bootstrap, word(mode), sim.base_url());
        setup.project = sealing(mode, "sha256_hex_32");
        let mut right = Replica::new(&setup, "relay-0");
        right.apply_topics();
        right.start_as("ingest");
        right.ready(Duration::from_mins(1)).await;
        sim.set_targets(PROJECT, vec![right.target()], Some(TOKEN.to_owned()));
        for _ in 0..20 {
            let id = sim.world().new_id();
            sim.change(PROJECT, &id, &Change::Create).unwrap();
            sim.change(PROJECT, &id, &Change::Approve { by_hand: false }).unwrap();
            let body = sim.body(PROJECT, &id, Trigger::Approved, 0).unwrap();
            assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
        }
        assert_eq!(right.terminate().await, Some(0), "{}", right.logs());

        wrong(&setup, &sim, mode).await;
        right.start_ready().await;
        let took = check::converged(&setup, &sim, Duration::from_mins(2)).await;
        assert_eq!(check::safe(&setup, &sim).await, 20, "one approval each");
        println!("{}: agreed {took:?} after the derivation was corrected", word(mode));
    }
}

/// A replica with the first 32 bytes of the API key where ARGOS takes a hash, until all hints are kept.
async fn wrong(setup: &Setup, sim: &Simulator, mode: Mode) {
    let setup = Setup { project: sealing(mode, "first_32_bytes"), ..setup.clone() };
    let mut replica = Replica::new(&setup, "relay-0");
    replica.start_ready().await;
    let until = Instant::now() + Duration::from_secs(40);
    while replica.metric("argos_relay_ledger_entries").await < 20.0
        || replica.metric("argos_relay_breaker_state").await < 2.0
    {
        assert!(
            Instant::now() < until,
            "not all hints are kept, or the breaker is closed: {}",
            replica.metrics().await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let id = sim.world().new_id();
    let forged = sim.forged_body(&id, Trigger::Approved);
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    assert_eq!(sim.send_webhook(PROJECT, &forged).await.status, Some(400));
    let metrics = replica.metrics().await;
    assert!(metrics.contains(r#"webhooks_total{outcome="wrong_key",project="acme"} 1"#), "{metrics}");
    // The breaker may have been opened by a page of the list, before any look.
    for never in ["absent", "present", "unreadable"] {
        let label = format!(r#"outcome="{never}""#);
        assert!(replica.metric_of("argos_relay_truth_requests_total", &label).await < 1.0, "{never}: {metrics}");
    }
    assert!(replica.metric("argos_relay_dead_letters_total").await < 1.0, "{metrics}");
    for topic in &check::TOPICS[..3] {
        assert!(check::read(&setup, topic).await.is_empty(), "{topic}");
    }
    assert_eq!(replica.terminate().await, Some(0), "{}", replica.logs());
}

/// A project that goes over to `kyc_aml_only` tells nothing of it; what changes afterwards is told.
#[tokio::test(flavor = "multi_thread")]
async fn going_over_to_parts_is_no_event() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    let sim = argos(54, Some(Mode::Gcm)).await;
    let sealing = sealing(Mode::Gcm, "sha256_hex_32");
    let (setup, mut whole) = replica(&bootstrap, "parts", &sim, &sealing).await;
    let ids: Vec<String> = (0..5).map(|_| sim.world().new_id()).collect();
    for id in &ids {
        sim.change(PROJECT, id, &Change::Create).unwrap();
        sim.change(PROJECT, id, &Change::Approve { by_hand: false }).unwrap();
        let body = sim.body(PROJECT, id, Trigger::Approved, 0).unwrap();
        assert_eq!(sim.send_webhook(PROJECT, &body).await.status, Some(200));
    }
    check::converged(&setup, &sim, Duration::from_secs(20)).await;
    assert_eq!(whole.terminate().await, Some(0));

    let setup = Setup { project: format!("fetch = \"kyc_aml_only\"\n{sealing}"), ..setup };
    let mut parts = Replica::new(&setup, "relay-0");
    parts.start_ready().await;
    // Until each was looked at in three requests, by a re-look.
    let before: Vec<u64> = ids.iter().map(|id| sim.gets(PROJECT, id)).collect();
    let until = Instant::now() + Duration::from_secs(40);
    while ids.iter().zip(&before).any(|(id, before)| sim.gets(PROJECT, id) < before + 3) {
        assert!(Instant::now() < until, "no re-look");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let screened = Change::Screen { risk: Risk::Low, matches: 1 };
    sim.change(PROJECT, &ids[0], &screened).unwrap();
    sim.change(PROJECT, &ids[1], &Change::Reverse { approved: false, codes: &["other"] }).unwrap();
    check::converged(&setup, &sim, Duration::from_secs(40)).await;
    let events = check::read(&setup, check::TOPICS[0]).await;
    let told =
        |event: &topics::Record| (event.headers["ce_type"].clone(), event.headers["ce_sequence"].parse().unwrap());
    let mut told: Vec<(String, u64)> = events.iter().map(told).collect();
    told.sort_unstable();
    assert_eq!(told.len(), 5 + 2, "{told:?}");
    let approved = ("kyc.submission.approved.v1".to_owned(), 1);
    assert!(told[1..6].iter().all(|one| *one == approved), "{told:?}");
    assert_eq!(told[0], ("aml.screening.completed.v1".to_owned(), 2));
    assert_eq!(told[6], ("kyc.submission.rejected.v1".to_owned(), 2));
}
