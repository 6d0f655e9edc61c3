//! Personal data stays out of everything: topics, logs, metrics, answers, dead letters, and what commands print.

use simulator::{Config, Derivation, Faults, Mode, Pace, Project, Scenario, Simulator, WebhookFaults, people};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;
use tests::otlp::Collector;
use tests::service::{Replica, Setup, http_get, http_post};
use tests::{API_KEY, PROJECT, TOKEN, broker, check, wall_clock};

/// Webhooks that carry a person in every odd place; none of them is as it should be.
fn odd_bodies(person: &str) -> Vec<String> {
    vec![
        format!(r#"{{"submission_id": "{}"}}"#, person.repeat(20)),
        format!(
            r#"{{"webhook_trigger": "approved", "submission_id": "odd0000000001", "full_name": "{person}", "x": ["{person}"]}}"#
        ),
        format!(r#"{{"webhook_trigger": "approved", "submission_id": {{"name": "{person}"}}}}"#),
        format!(r#"{{"webhook_trigger": "approved", "kyc_result": {{"status": "{person}"}}, "email": "{person}""#),
        format!(r#"["{person}"]"#),
        format!(r#"{{"data": "{person}"}}"#),
        person.to_owned(),
    ]
}

async fn argos(seed: u64, mode: Option<Mode>) -> Simulator {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let project = Project::new(PROJECT, API_KEY);
    let project = match mode {
        Some(mode) => project.encrypted(mode, Derivation::First32Bytes),
        None => project,
    };
    Simulator::start(listener, Config { seed, projects: vec![project], ..Config::default() }, wall_clock())
        .expect("the simulator starts")
}

/// A service at its most talkative, over lives full of people, with answers that fail in every way.
async fn talkative(bootstrap: &str, mode: Option<Mode>) {
    let sim = argos(51, mode).await;
    let mut setup = Setup::new(bootstrap, "private", sim.base_url());
    r#"
        include = ["user_id", "reviewer", "reason_text"]
        protect = ["user_id", "reviewer", "reason_text"]
        protect_keys = ["2026-11:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
    "#
    .clone_into(&mut setup.more);
    let collector = Collector::start().await;
    write!(setup.more, "[traces]\notlp_endpoint = \"{}\"\nsample_ratio = 1.0\n", collector.endpoint()).expect("text");
    setup.project = match mode {
        Some(_) => r#"encryption = { mode = "aes-256-gcm" }"#.to_owned(),
        None => String::new(),
    };
    let mut replica = Replica::new(&setup, "relay-0");
    let shown = replica.command(&["config", "check"]);
    replica.apply_topics();
    replica.start_ready().await;
    sim.set_targets(PROJECT, vec![replica.target()], Some(TOKEN.to_owned()));
    let scenario = Scenario {
        seed: 51,
        submissions: 60,
        pace: Pace { min_ms: 20, max_ms: 300 },
        faults: Some(Faults { error_rate: 0.1, garbage_rate: 0.15, stale_rate: 0.1, ..Faults::default() }),
        webhooks: WebhookFaults { repeat_rate: 0.2, ..WebhookFaults::default() },
        ..Scenario::default()
    };
    scenario.run(&sim).await.expect("lives");
    let mut answers = Vec::new();
    let needles = people::needles();
    for person in needles.iter().take(5) {
        for body in odd_bodies(person) {
            for path in
                [format!("webhooks/{PROJECT}/{TOKEN}"), format!("webhooks/{PROJECT}/{}", person.replace(' ', "-"))]
            {
                let url = format!("{}/{path}", replica.target());
                answers.push(http_post(&url, "", &body).await.expect("an answer").1);
            }
        }
    }
    // All answers fail now, 403 among them, and what is asked for meanwhile is set aside.
    sim.faults().set(Faults { forbidden: true, ..Faults::default() });
    answers.push(http_get(&format!("{}/nowhere/{}", replica.target(), "x")).await.expect("an answer").1);
    sim.faults().set(Faults::default());
    check::converged(&setup, &sim, Duration::from_secs(90)).await;
    check::safe(&setup, &sim).await;
    let mut texts =
        vec![replica.metrics().await, String::from_utf8_lossy(&shown.stdout).into_owned(), answers.concat()];
    replica.terminate().await;
    texts.extend([replica.logs(), collector.text()]);
    check::private(&setup, &texts).await;
    let events = check::read(&setup, check::TOPICS[0]).await;
    let sealed = |event: &tests::topics::Record| {
        event.value.as_deref().is_some_and(|value| String::from_utf8_lossy(value).contains("sealed:v1:2026-11:"))
    };
    assert!(events.iter().any(sealed), "what is let in is sealed");
    assert!(!events.iter().any(|event| {
        event.value.as_deref().is_some_and(|value| String::from_utf8_lossy(value).contains(r#""user_id":"u-"#))
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_written_said_or_answered_in_clear() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    talkative(&bootstrap, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_written_said_or_answered_of_an_encrypting_project() {
    let Some(bootstrap) = broker::bootstrap() else { return };
    talkative(&bootstrap, Some(Mode::Gcm)).await;
}
